//! The quickstart as a stranger runs it, over a real tree with files that fail: what it prints, what stands in its store
//! for Python's SQLite and for the `ops` command, and what stands in CloudWatch when it ships there instead.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ops_tests::built::executable;
use ops_tests::cloud::Cloud;
use ops_tests::rig::python_lines;
use serde_json::Value;
use tempfile::TempDir;

/// A tree, and what its files hold.
struct Tree {
    dir: TempDir,
    /// Bytes and words of each file that is text, by its path below the root.
    texts: BTreeMap<String, (u64, u64)>,
    /// Files that are not.
    broken: Vec<String>,
}

/// This repository's own model and the rig's scripts, an empty file, and two files that are no text.
fn tree() -> Tree {
    let mut tree =
        Tree { dir: tempfile::tempdir().expect("a directory"), texts: BTreeMap::new(), broken: Vec::new() };
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (from, to) in [("../ops-sdk/src/model", "src/model"), ("rig", "scripts")] {
        let files = fs::read_dir(tests.join(from))
            .expect("it is there")
            .map(|entry| entry.expect("it is listed").path());
        for file in files.filter(|path| path.is_file()) {
            let name = file.file_name().and_then(|name| name.to_str()).expect("UTF-8").to_owned();
            tree.add(&format!("{to}/{name}"), &fs::read(&file).expect("it is read"));
        }
    }
    tree.add("empty.md", b"");
    tree.add("deep/er/broken.dat", b"\xff\xfe no text");
    tree.add("broken ünïcödé.txt", "half a character: \u{e9}".as_bytes().split_last().expect("bytes").1);
    tree.write("target/machine-made.txt", b"not looked at");
    tree
}

impl Tree {
    fn write(&self, name: &str, content: &[u8]) {
        let path = self.dir.path().join(name);
        fs::create_dir_all(path.parent().expect("below the root")).expect("a directory");
        fs::write(path, content).expect("a file");
    }

    fn add(&mut self, name: &str, content: &[u8]) {
        self.write(name, content);
        match std::str::from_utf8(content) {
            Ok(text) => {
                let words = text.split_whitespace().count() as u64;
                self.texts.insert(name.to_owned(), (content.len() as u64, words));
            }
            Err(_) => self.broken.push(name.to_owned()),
        }
    }

    fn files(&self) -> u64 {
        (self.texts.len() + self.broken.len()) as u64
    }

    /// Calls and errors of each function, as they must be.
    fn functions(&self) -> BTreeMap<String, (u64, u64)> {
        let (files, broken) = (self.files(), self.broken.len() as u64);
        let calls = [
            ("walk", 1, 0),
            ("summarise", files, broken),
            ("read", files, 0),
            ("hash", files, 0),
            ("count_words", files, broken),
        ];
        calls.map(|(name, calls, errors)| (format!("quickstart::{name}"), (calls, errors))).into()
    }

    /// Asserts that these are the run's log lines, each once: level, message and fields. That a file took long is the
    /// machine's doing.
    fn assert_logged<'a>(&self, lines: impl Iterator<Item = (&'a str, &'a str, &'a Value)>) {
        let mut left: BTreeMap<String, (u64, u64)> = self.texts.clone();
        let mut broken = self.broken.clone();
        let mut ends = 0;
        for (level, message, fields) in lines.filter(|(_, message, _)| !message.ends_with(" took long")) {
            let path = fields["path"].as_str().unwrap_or_default();
            if message == format!("read {path}") {
                let told = (fields["bytes"].as_u64(), fields["words"].as_u64());
                assert_eq!(
                    (level, told),
                    ("INFO", left.remove(path).map(|(b, w)| (Some(b), Some(w))).expect("once"))
                );
            } else if message == format!("cannot read {path}") {
                assert_eq!(level, "ERROR");
                assert!(fields["error"].as_str().is_some_and(|e| e.contains("utf-8")), "{fields}");
                broken.remove(broken.iter().position(|name| name == path).expect("once"));
            } else {
                assert_eq!((level, message.to_owned()), ("INFO", format!("read {} files", self.files())));
                assert_eq!(fields["words"].as_u64(), Some(self.texts.values().map(|(_, words)| words).sum()));
                ends += 1;
            }
        }
        assert!(
            left.is_empty() && broken.is_empty() && ends == 1,
            "not logged: {left:?} {broken:?}, {ends} ends"
        );
    }
}

/// Runs the quickstart over a tree, in a directory of its own; what it printed.
fn run(tree: &Tree, home: &Path, vars: &[(&str, String)]) -> String {
    let mut quickstart = Command::new(executable("quickstart"));
    quickstart.arg(tree.dir.path()).current_dir(home).env_clear().envs(vars.iter().map(|(n, v)| (n, v)));
    let output = quickstart.output().expect("it runs");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && err.is_empty(), "{}\n{out}\n{err}", output.status);
    out.into_owned()
}

/// What the last line says was recorded, all of it delivered.
fn recorded(out: &str) -> u64 {
    let last = out.lines().last().unwrap_or_default();
    let number = last.strip_prefix("books: recorded=").and_then(|rest| rest.split(' ').next()?.parse().ok());
    let number = number.unwrap_or_else(|| panic!("{last}"));
    assert_eq!(last, format!("books: recorded={number} delivered={number} pending=0 dropped=0"));
    number
}

/// The table of functions: calls and errors by name.
fn functions(out: &str) -> BTreeMap<String, (u64, u64)> {
    let table = out.lines().skip_while(|line| !line.starts_with("function ")).skip(1);
    let row = |line: &str| {
        let words: Vec<_> = line.split_whitespace().collect();
        assert_eq!(words.len(), 9, "{line}");
        let times: Vec<f64> = words[3..].chunks(2).map(|time| nanoseconds(time[0], time[1])).collect();
        assert!(times[0] <= times[1] && times[0] >= 0.0, "p50 {} and p99 {}", times[0], times[1]);
        (words[0].to_owned(), (words[1].parse().expect("calls"), words[2].parse().expect("errors")))
    };
    table.take_while(|line| !line.is_empty()).map(row).collect()
}

fn nanoseconds(number: &str, unit: &str) -> f64 {
    let factor = [("ns", 1.0), ("µs", 1e3), ("ms", 1e6), ("s", 1e9)].iter().find(|(name, _)| *name == unit);
    number.parse::<f64>().expect("a number") * factor.expect("a unit of time").1
}

fn ops(arguments: &[&str], store: &Path) -> Command {
    let mut ops = Command::new(executable("ops"));
    ops.args(arguments).arg("--store").arg(store).env_clear().stdin(Stdio::null());
    ops
}

fn ops_said(arguments: &[&str], store: &Path) -> String {
    let output = ops(arguments, store).output().expect("ops runs");
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn a_run_is_told_by_itself_by_sqlite_and_by_the_ops_command() {
    let (tree, home) = (tree(), tempfile::tempdir().expect("a directory"));
    let out = run(&tree, home.path(), &[]);
    let (bytes, words) = tree.texts.values().fold((0, 0), |(bytes, words), (b, w)| (bytes + b, words + w));
    let (files, broken) = (tree.files(), tree.broken.len());
    let first = format!(
        "{}: {files} files, {broken} of them unreadable; {bytes} bytes, {words} words",
        tree.dir.path().display()
    );
    assert_eq!(out.lines().next(), Some(first.as_str()));
    assert_eq!(functions(&out), tree.functions());
    assert!(out.lines().any(|line| line == "store: .ops/store.db"), "{out}");

    let store = home.path().join(".ops/store.db");
    let told = sqlite(&store);
    check_store(&told, &tree, recorded(&out));
    check_ops(&store, &tree, &told);
}

fn sqlite(store: &Path) -> Value {
    python_lines("store.py", &[store.to_str().expect("UTF-8")]).remove(0)
}

fn check_store(told: &Value, tree: &Tree, recorded: u64) {
    let functions: BTreeMap<String, (u64, u64)> =
        serde_json::from_value(told["functions"].clone()).expect("calls and errors");
    assert_eq!(functions, tree.functions());
    let logs = told["logs"].as_array().expect("logs");
    let text = |line: &'_ Value, key: &str| line[key].as_str().expect("text").to_owned();
    let lines: Vec<_> =
        logs.iter().map(|line| (text(line, "level"), text(line, "message"), &line["fields"])).collect();
    tree.assert_logged(
        lines.iter().map(|(level, message, fields)| (level.as_str(), message.as_str(), *fields)),
    );
    assert_eq!(told["counters"]["files"].as_u64(), Some(tree.files()));
    let stored = told["points"].as_u64().expect("points") + logs.len() as u64;
    assert_eq!(stored, recorded, "every record of the books is a row");
    let delivered = |row: &Value| {
        assert_eq!(
            (&row["recorded"], &row["pending"], &row["dropped"]),
            (&row["delivered"], &0.into(), &"{}".into())
        );
        row["delivered"].as_u64().expect("a number")
    };
    assert_eq!(told["ledger"].as_array().expect("rows").iter().map(delivered).sum::<u64>(), recorded);
    assert_eq!(told["found"]["cannot"].as_u64(), Some(tree.broken.len() as u64), "full-text search");
}

fn check_ops(store: &Path, tree: &Tree, told: &Value) {
    let stats = ops_said(&["stats"], store);
    for (name, (calls, errors)) in tree.functions() {
        let row = stats
            .lines()
            .find(|line| line.starts_with(&format!("{name} ")))
            .unwrap_or_else(|| panic!("{stats}"));
        let words: Vec<_> = row.split_whitespace().collect();
        assert_eq!(words[1..3], [calls.to_string(), errors.to_string()], "{row}");
    }
    let stats: Value = serde_json::from_str(&ops_said(&["stats", "--json"], store)).expect("one object");
    assert!(stats.is_object());
    let lines = ops_said(&["logs", "--limit", "100000", "--json"], store);
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let messages: Vec<_> = lines.iter().map(|line| &line["message"]).collect();
    let stored: Vec<_> = told["logs"].as_array().expect("logs").iter().map(|line| &line["message"]).collect();
    assert_eq!(messages, stored);
    let errors = ops_said(&["logs", "--level", "error"], store);
    assert_eq!(errors.lines().count(), tree.broken.len(), "{errors}");
    assert!(errors.contains("broken ünïcödé.txt"), "{errors}");

    let mut tail = ops(&["tail", "--lines", "2"], store);
    let mut child = tail.stdout(Stdio::piped()).spawn().expect("ops runs");
    let last = BufReader::new(child.stdout.take().expect("piped"))
        .lines()
        .nth(1)
        .expect("two lines")
        .expect("UTF-8");
    child.kill().expect("it follows until it is ended");
    child.wait().expect("it was started");
    assert!(last.contains(&format!("read {} files", tree.files())), "{last}");
}

#[test]
fn the_same_run_stands_in_cloudwatch_when_it_is_shipped_there() {
    let (tree, home) = (tree(), tempfile::tempdir().expect("a directory"));
    let cloud = Cloud::new("Quickstart");
    let out = run(&tree, home.path(), &cloud.vars());
    let recorded = recorded(&out);
    assert!(!home.path().join(".ops").exists(), "nothing is kept here");

    let metrics = cloud.metrics();
    for (name, (calls, errors)) in tree.functions() {
        let function = [("Function", name.as_str()), ("Service", "quickstart")];
        assert_eq!(metrics.one("calls", &function).sum, calls as f64, "{name}");
        assert_eq!(metrics.one("errors", &function).sum, errors as f64, "{name}");
        assert_eq!(metrics.one("duration", &function).count, calls as f64, "{name}");
    }
    assert_eq!(metrics.sum("files"), tree.files() as f64);
    let lines = cloud.lines();
    tree.assert_logged(lines.iter().map(|line| {
        (line["level"].as_str().expect("level"), line["message"].as_str().expect("message"), line)
    }));
    let pushes = cloud.pushes();
    assert!(pushes.iter().all(|(_, push)| push.bytes <= 32_768 && push.items <= 1_000));
    let points: usize =
        pushes.iter().filter(|(r, _)| r.operation() == "PutMetricData").map(|(_, p)| p.items).sum();
    assert_eq!(points as u64 + lines.len() as u64, recorded, "few values each: a datum for every record");
}

#[test]
fn what_cannot_be_read_is_an_error_that_is_said() {
    let home = tempfile::tempdir().expect("a directory");
    let nowhere: PathBuf = home.path().join("nowhere");
    let output =
        Command::new(executable("quickstart")).arg(&nowhere).current_dir(home.path()).env_clear().output();
    let output = output.expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.starts_with(&format!("quickstart: cannot list {}: ", nowhere.display())), "{said}");
}
