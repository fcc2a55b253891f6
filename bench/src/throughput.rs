//! How many events a second one core carries: from the journal to finished PutLogEvents bodies, and all the way with the
//! journal on disk. Told by CPU time, so it holds on a machine that is busy with other things; the server that takes the
//! pushes is another process. One million events, whole processes, and every event counted where it arrives.
//!
//! - `ship`: a process starts with a journal on disk that holds them all, and pushes them: reading, JSON, chunks, bodies,
//!   signatures, HTTP. Of its CPU time the user's share makes the bodies and signs them, the system's is files and sockets.
//! - `all`: a process records them at 200,000 a second, keeps them in its journal on disk, and pushes them.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use ops_sdk::Ops;
use ops_sdk::prelude::*;
use serde_json::{Value, json};

use crate::loss::{Collector, Mode, guarded, name};
use crate::plan::process_cpu_ns;
use crate::table;

const EVENTS: u64 = 1_000_000;
const PER_MS: u64 = 200;
const DEADLINE: Duration = Duration::from_secs(120);
const ROUNDS: usize = 3;
const HEAD: [&str; 7] =
    ["case", "events/s per core", "the user's part alone", "least", "most", "bytes an event", "verified"];

/// What a process came to.
struct Found {
    cpu_ns: f64,
    user_ns: f64,
    bytes_per_event: f64,
    verified: bool,
}

/// Runs both cases, prints a table and writes `target/bench/throughput.json`.
pub fn run() {
    let mut found = [Vec::new(), Vec::new()];
    for round in 0..ROUNDS {
        eprintln!("round {} of {ROUNDS}", round + 1);
        found[0].push(trial(&["fill", "ship"]));
        found[1].push(trial(&["all"]));
    }
    let names = ["from the journal to finished bodies", "recorded, in the journal on disk, pushed"];
    let rows: Vec<Value> = names.into_iter().zip(&mut found).map(|(name, found)| row(name, found)).collect();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let keys = ["case", "per_core", "per_core_user", "least", "most", "bytes_per_event", "verified"];
    let cells = |row: &Value| keys.map(|key| text(&row[key])).to_vec();
    table::print(&HEAD, &rows.iter().map(cells).collect::<Vec<_>>());
    let text = format!("{:#}\n", Value::Array(rows));
    match fs::create_dir_all("target/bench").and_then(|()| fs::write("target/bench/throughput.json", text)) {
        Ok(()) => println!("\nwritten to target/bench/throughput.json"),
        Err(error) => eprintln!("target/bench/throughput.json: {error}"),
    }
}

/// The round in the middle, by CPU time.
#[allow(clippy::cast_precision_loss)] // a million
fn row(name: &str, found: &mut [Found]) -> Value {
    found.sort_by(|a, b| a.cpu_ns.total_cmp(&b.cpu_ns));
    let per_core = |cpu_ns: f64| (EVENTS as f64 / cpu_ns * 1e9).round();
    let middle = &found[found.len() / 2];
    json!({
        "case": name,
        "per_core": per_core(middle.cpu_ns),
        "per_core_user": per_core(middle.user_ns),
        "least": per_core(found[found.len() - 1].cpu_ns),
        "most": per_core(found[0].cpu_ns),
        "bytes_per_event": middle.bytes_per_event.round(),
        "verified": found.iter().all(|found| found.verified),
    })
}

/// Runs processes one after another on the same folder; the last is measured.
#[allow(clippy::cast_precision_loss)] // a million
fn trial(steps: &[&str]) -> Found {
    let dir = format!("target/bench/throughput-{}", std::process::id());
    let collector = Collector::start().unwrap_or_else(|error| panic!("a port of 127.0.0.1: {error}"));
    let mut said = String::new();
    for step in steps {
        collector.set(if *step == "fill" { Mode::Refuses } else { Mode::Takes });
        said = process(step, collector.port, &dir);
    }
    let seen = collector.seen();
    let _ = fs::remove_dir_all(&dir); // it is under the target folder
    let numbers: Vec<f64> = said.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [cpu_ns, user_ns] = numbers[..] else { panic!("{steps:?} said {said:?}") };
    let bytes_per_event = seen.body_bytes as f64 / (seen.once + seen.twice).max(1) as f64;
    Found { cpu_ns, user_ns, bytes_per_event, verified: seen.once == EVENTS }
}

/// Runs a step; what it said.
fn process(step: &str, port: u16, dir: &str) -> String {
    let program = std::env::current_exe().unwrap_or_else(|error| panic!("this program: {error}"));
    let mut run = Command::new(program);
    run.args(["carry", step, &port.to_string(), dir]).stderr(Stdio::inherit());
    let output = run.output().unwrap_or_else(|error| panic!("{step}: {error}"));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Is a step: `STEP PORT FOLDER`.
pub fn step(words: &[&str]) -> Option<()> {
    let [step, port, dir] = *words else { return None };
    fs::create_dir_all(dir).ok()?;
    let (cpu_ns, user_ns) = (process_cpu_ns(), user_ns());
    let ops = guarded(port.parse().ok()?, Path::new(dir));
    match step {
        "fill" => record(),
        "ship" => flush(&ops),
        "all" => {
            record();
            flush(&ops);
        }
        _ => return None,
    }
    println!("{} {}", process_cpu_ns() - cpu_ns, self::user_ns() - user_ns);
    let deadline = if step == "fill" { Duration::ZERO } else { DEADLINE };
    let report = ops.shutdown(deadline);
    if report.dropped > 0 {
        eprintln!("{step}: {report}");
    }
    Some(())
}

fn flush(ops: &Ops) {
    while !ops.flush(DEADLINE).complete {
        eprintln!("not delivered within {DEADLINE:?}");
    }
}

/// Events of about 250 bytes, a millisecond's worth at a time.
fn record() {
    let (mut id, mut due) = (String::new(), Instant::now());
    for n in 0..EVENTS {
        if n.is_multiple_of(PER_MS) {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            due += Duration::from_millis(1);
        }
        name(n, &mut id);
        info!("the order was accepted and leaves the warehouse", order = &*id, ok = true);
    }
}

/// CPU time that this process spent outside of the system, to a hundredth of a second.
fn user_ns() -> u64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let behind_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = behind_name.split_whitespace().nth(11).and_then(|ticks| ticks.parse::<u64>().ok());
    ticks.unwrap_or(0) * 10_000_000
}
