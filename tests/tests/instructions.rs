//! What each form takes, in instructions, as `instructions.toml` has it: counted by callgrind, so the same on a busy
//! machine as on an idle one. Fails where a form has become dearer, and also where it has become cheaper, so that the
//! table stays true. To write the table anew: `OPS_WRITE_INSTRUCTIONS=1 cargo test -p ops-tests --test instructions`.
//!
//! Needs valgrind; `tests/run` installs it, and where it cannot, says so and sets `OPS_WITHOUT_VALGRIND`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

const PER_CALL: &str = "[instructions]";
const TOLERANCES: &str = "[tolerance_percent]";
/// Callgrind's counts of the first and the second loop are this many calls apart: see `forms/src/main.rs`.
const CALLS: f64 = 1000.0;
/// What a count may always be off by.
const INSTRUCTIONS_OFF_MAX: f64 = 2.0;

type Table = BTreeMap<String, f64>;

/// The program, built as users build theirs.
fn program() -> PathBuf {
    let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    build.args(["build", "--quiet", "--release", "-p", "ops-forms", "--message-format=json"]);
    build.current_dir(env!("CARGO_MANIFEST_DIR")).stderr(Stdio::inherit());
    let output = build.output().expect("cargo runs");
    assert!(output.status.success(), "the program does not build: see above");
    let text = String::from_utf8_lossy(&output.stdout);
    let messages = text.lines().map(|line| serde_json::from_str(line).expect("cargo's messages are JSON"));
    let executable = |message: Value| Some(PathBuf::from(message["executable"].as_str()?));
    messages.filter_map(executable).next_back().expect("the program")
}

/// Runs it under callgrind, and says what it wrote.
fn counted(program: &Path) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("callgrind.out");
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--compress-strings=no", "--compress-pos=no"]);
    valgrind.arg(format!("--callgrind-out-file={}", out.display())).arg(program);
    let output = valgrind.output().expect("valgrind runs: install it, or set OPS_WITHOUT_VALGRIND");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::read_to_string(out).expect("what callgrind wrote")
}

/// Instructions per call of each form, from callgrind's lines: `fn=` who calls, `cfn=` whom, `calls=`, and behind it a
/// line with what the calls took.
fn per_call(callgrind: &str) -> Table {
    let (mut caller, mut called, mut is_cost) = ("", "", false);
    let mut table = Table::new();
    for line in callgrind.lines() {
        if std::mem::take(&mut is_cost) {
            let cost: f64 = line.rsplit(' ').next().and_then(|cost| cost.parse().ok()).expect("a cost");
            let sign = match caller {
                "ops_forms::once" => -1.0,
                "ops_forms::twice" => 1.0,
                _ => continue,
            };
            if let Some(form) = called.strip_prefix("ops_forms::") {
                *table.entry(form.to_owned()).or_default() += sign * cost / CALLS;
            }
        } else if let Some(name) = line.strip_prefix("fn=") {
            caller = name;
        } else if let Some(name) = line.strip_prefix("cfn=") {
            called = name;
        }
        is_cost = line.starts_with("calls=");
    }
    table
}

/// The lines `name = number` of a section.
fn section(text: &str, name: &str) -> Table {
    let lines =
        text.lines().skip_while(|line| *line != name).skip(1).take_while(|line| !line.starts_with('['));
    let pair = |line: &str| {
        let (name, number) = line.split_once(" = ")?;
        Some((name.to_owned(), number.parse().expect("a number")))
    };
    lines.filter_map(pair).collect()
}

/// What is not as the table says.
fn differences(found: &Table, wanted: &Table, tolerances: &Table) -> Vec<String> {
    let percent =
        |form: &str| tolerances.get(form).or_else(|| tolerances.get("default")).copied().unwrap_or(0.0);
    let mut said = Vec::new();
    for (form, found) in found {
        match wanted.get(form) {
            None => said.push(format!("{form}: {found:.0} instructions, not in the table")),
            Some(wanted)
                if (found - wanted).abs() > INSTRUCTIONS_OFF_MAX.max(wanted * percent(form) / 100.0) =>
            {
                let how = if found > wanted { "dearer" } else { "cheaper" };
                said.push(format!("{form}: {found:.0} instructions, {wanted:.0} in the table: {how}"));
            }
            Some(_) => {}
        }
    }
    said.extend(
        wanted.keys().filter(|form| !found.contains_key(*form)).map(|form| format!("{form}: is no form")),
    );
    said
}

#[test]
fn each_form_takes_as_many_instructions_as_the_table_says() {
    if std::env::var_os("OPS_WITHOUT_VALGRIND").is_some() {
        return println!("not run: there is no valgrind");
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("instructions.toml");
    let text = std::fs::read_to_string(&path).expect("the table");
    let found = per_call(&counted(&program()));
    assert_eq!(found.len(), ops_forms::ALL.len(), "{found:?}");
    if std::env::var_os("OPS_WRITE_INSTRUCTIONS").is_some() {
        let (head, _) = text.split_once(PER_CALL).expect("a section of forms");
        let mut new = format!("{head}{PER_CALL}\n");
        found
            .iter()
            .for_each(|(form, n)| writeln!(new, "{form} = {n:.0}").expect("a String takes everything"));
        std::fs::write(&path, new).expect("the table can be written");
    }
    let text = std::fs::read_to_string(&path).expect("the table");
    let said = differences(&found, &section(&text, PER_CALL), &section(&text, TOLERANCES));
    assert!(
        said.is_empty(),
        "see the top of tests/instructions.rs for how to write the table anew:\n{}",
        said.join("\n")
    );
}

#[test]
fn dearer_cheaper_new_and_gone_forms_are_told() {
    let table =
        |pairs: &[(&str, f64)]| pairs.iter().map(|(form, n)| ((*form).to_owned(), *n)).collect::<Table>();
    let wanted = table(&[("a", 100.0), ("b", 100.0), ("c", 10.0), ("d", 50.0), ("loose", 100.0)]);
    let found = table(&[("a", 104.0), ("b", 96.0), ("c", 12.0), ("e", 1.0), ("loose", 120.0)]);
    let tolerances = table(&[("default", 3.0), ("loose", 25.0)]);
    let said = differences(&found, &wanted, &tolerances);
    let expected = [
        "a: 104 instructions, 100 in the table: dearer",
        "b: 96 instructions, 100 in the table: cheaper",
        "e: 1 instructions, not in the table",
        "d: is no form",
    ];
    assert_eq!(said, expected);
}

#[test]
fn callgrinds_lines_are_read() {
    let lines = "fn=ops_forms::once\n1 5\ncfn=ops_forms::a\ncalls=1000 1\n9 3000\nfn=ops_forms::twice\ncfn=ops_forms::a\n\
                 calls=1 1\n9 3\ncfn=ops_forms::a\ncalls=1999 1\n9 5997\ncfn=other\ncalls=1 1\n9 77\nfn=ops_forms::a\n1 2\n";
    assert_eq!(per_call(lines), Table::from([("a".to_owned(), 3.0)]));
}
