//! Runs the models, each in a process of its own, two at a time. Then shows that they can fail: each ordering in
//! `record/` that is more than relaxed and came up in a model is relaxed, one at a time, and a model must notice, or it
//! is listed here with the reason why none can.
//!
//! Not libtest's harness, since a model needs a process that nothing else was recorded in; but it speaks like it.

use std::collections::{BTreeMap, VecDeque};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::time::Instant;

use ops_models::scenarios::{self, Scenario};
use ops_models::world;

/// Orderings that no model notices the lack of: the file, what the line says, the operation, and why.
const UNNOTICED: &[(&str, &str, &str, &str)] = &[
    (
        "registry.rs",
        "SITES[at as usize].store",
        "store",
        "a site is a static; its number comes by way of a cell or a ring",
    ),
    ("registry.rs", "place.load(Ordering::Acquire)", "load", "as for the store"),
    ("site.rs", "self.place.store", "store", "read relaxed: a place without a cell at it says nothing"),
    (
        "expire.rs",
        "head.state.store(if is_kept { KEPT } else { LIVE }, Release);",
        "store",
        "no model has a place that is used again after its series was idle: a race test has",
    ),
    ("expire.rs", "let state = head.state.load(Acquire);", "load", "as for the store"),
];

/// Says in a child that the model was broken.
const BROKEN: i32 = 101;
/// What a child says in front of an ordering.
const ORDERING: &str = "ordering ";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments[..] {
        [flag, model, weakened @ ..] if flag == "--model" => child(model, weakened.first().cloned()),
        _ => parent(),
    }
}

/// Runs one model, perhaps with one ordering relaxed.
fn child(model: &str, weakened: Option<String>) -> ExitCode {
    std::panic::set_hook(Box::new(|panic| {
        if !world::begins_again() {
            // At once: nothing can be relied on while the other threads of the model unwind.
            println!("{panic}");
            std::process::exit(BROKEN);
        }
    }));
    let scenario =
        scenarios::ALL.iter().find(|scenario| scenario.name == model).expect("a model of this name");
    scenarios::prepare();
    (scenario.before)();
    let tried = world::try_all(scenario.preemptions, weakened, scenario.model);
    println!("{} orders tried", tried.executions);
    tried.orderings.iter().for_each(|ordering| println!("{ORDERING}{ordering}"));
    ExitCode::SUCCESS
}

/// How a child ended.
struct Ended {
    code: Option<i32>,
    said: String,
}

fn run(scenario: &Scenario, weakened: Option<&str>) -> Ended {
    let exe = std::env::current_exe().expect("this program");
    let mut command = Command::new(exe);
    command.args(["--model", scenario.name]).args(weakened).stderr(Stdio::inherit());
    let output = command.output().expect("a process of its own");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    Ended { code: output.status.code(), said }
}

fn parent() -> ExitCode {
    let start = Instant::now();
    let mut failed = 0;
    println!("\nrunning {} tests", scenarios::ALL.len());
    let ran = two_at_a_time(scenarios::ALL.iter(), |scenario| {
        let ended = run(scenario, None);
        let orders = ended.said.lines().next().unwrap_or_default().to_owned();
        report(scenario.name, &orders, ended.code == Some(0), &ended.said);
        (scenario, ended)
    });
    failed += ran.iter().filter(|(_, ended)| ended.code != Some(0)).count();
    result(ran.len(), failed, start);

    let mut met: BTreeMap<String, Vec<&Scenario>> = BTreeMap::new();
    for (scenario, ended) in &ran {
        for ordering in ended.said.lines().filter_map(|line| line.strip_prefix(ORDERING)) {
            met.entry(ordering.to_owned()).or_default().push(scenario);
        }
    }
    let start = Instant::now();
    println!("\nrunning {} tests", met.len());
    let noticed = two_at_a_time(met.iter(), |(ordering, by)| is_as_listed(ordering, by));
    let unnoticed = noticed.iter().filter(|ok| !**ok).count();
    result(noticed.len(), unnoticed, start);
    if failed + unnoticed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Whether a model breaks when this ordering is relaxed; or none does, and it is listed why.
fn is_as_listed(ordering: &str, by: &[&Scenario]) -> bool {
    let noticing = by.iter().find(|scenario| run(scenario, Some(ordering)).code == Some(BROKEN));
    let listed = UNNOTICED.iter().find(|(file, line, what, _)| {
        ordering.starts_with(file) && source_line(ordering).contains(line) && ordering.contains(what)
    });
    let (ok, why) = match (noticing, listed) {
        (Some(scenario), None) => (true, format!("broke: {}", scenario.name)),
        (None, Some((.., why))) => (true, format!("listed: {why}")),
        (Some(scenario), Some(_)) => {
            (false, format!("listed as one that none can notice, but broke: {}", scenario.name))
        }
        (None, None) => (false, "no model noticed".to_owned()),
    };
    report(&format!("relaxed: {ordering}"), &why, ok, source_line(ordering).trim());
    ok
}

/// The line of the source where an ordering stands.
fn source_line(ordering: &str) -> String {
    let mut parts = ordering.split(':');
    let (file, line) = (parts.next().unwrap_or_default(), parts.next().and_then(|line| line.parse().ok()));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ops-sdk/src/record").join(file);
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().nth(line.unwrap_or(1_usize) - 1).unwrap_or_default().to_owned()
}

fn two_at_a_time<J: Send, R: Send>(jobs: impl Iterator<Item = J>, work: impl Fn(J) -> R + Sync) -> Vec<R> {
    let (jobs, results) = (Mutex::new(jobs.collect::<VecDeque<J>>()), Mutex::new(Vec::new()));
    let next = || jobs.lock().expect("no job panics with the lock").pop_front();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(job) = next() {
                    let result = work(job);
                    results.lock().expect("no job panics with the lock").push(result);
                }
            });
        }
    });
    results.into_inner().expect("no job panics with the lock")
}

fn report(name: &str, how: &str, ok: bool, said: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "test {name} ({how}) ... {}", if ok { "ok" } else { "FAILED" });
    if !ok {
        let _ = writeln!(out, "{said}");
    }
}

fn result(ran: usize, failed: usize, start: Instant) {
    let (word, passed) = (if failed == 0 { "ok" } else { "FAILED" }, ran - failed);
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "\ntest result: {word}. {passed} passed; {failed} failed; 0 ignored; 0 measured; 0 filtered out; finished in {seconds:.2}s"
    );
}
