//! What turning a record into a backend's bytes costs, for each backend beside `serde_json`, the AWS SDK's own
//! serialisers, and copying as many bytes. One thread, in bursts of a thousand distinct records, interleaved over several
//! rounds; the median, the least and the most of the rounds are told, by the CPU time of the process.
//!
//! Verified: every record became at least one item, and what the last burst made holds what its records said.

mod aws;
mod backends;
mod peers;
mod records;

use std::fs;

use serde_json::{Value, json};

use crate::plan::process_cpu_ns;
use crate::table;

/// Records of a burst, and bursts of a round.
pub const BURST: usize = 1_000;
const BURSTS: usize = 200;
const ROUNDS: usize = 7;
const HEAD: [&str; 7] = ["what", "case", "ns", "least", "most", "bytes", "verified"];

/// One thing to measure: what is made, by whom, and a closure that makes a burst of it.
pub struct Case {
    pub what: &'static str,
    pub name: String,
    /// Makes a burst anew; says how many bytes that is, and whether it is what it should be.
    pub burst: Box<dyn FnMut() -> (usize, bool)>,
}

/// What a case came to, a round at a time.
#[derive(Default)]
struct Found {
    ns: Vec<f64>,
    bytes: f64,
    verified: bool,
}

/// Runs the cases whose name holds `only`, prints a table and writes `target/bench/encode.json`.
pub fn run(only: &str) {
    let mut cases: Vec<Case> = peers::cases();
    cases.extend(aws::cases());
    cases.extend(backends::cases());
    cases.retain(|case| case.name.contains(only) || case.what.contains(only));
    let mut found: Vec<Found> = cases.iter().map(|_| Found { verified: true, ..Found::default() }).collect();
    for round in 0..ROUNDS {
        eprintln!("round {} of {ROUNDS}", round + 1);
        for (case, found) in cases.iter_mut().zip(&mut found) {
            measure(case, found);
        }
    }
    let rows: Vec<Value> = cases.iter().zip(&mut found).map(|(case, found)| row(case, found)).collect();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let cells = |row: &Value| HEAD.map(|key| text(&row[key])).to_vec();
    table::print(&HEAD, &rows.iter().map(cells).collect::<Vec<_>>());
    let text = format!("{:#}\n", Value::Array(rows));
    match fs::create_dir_all("target/bench").and_then(|()| fs::write("target/bench/encode.json", text)) {
        Ok(()) => println!("\nwritten to target/bench/encode.json"),
        Err(error) => eprintln!("target/bench/encode.json: {error}"),
    }
}

#[allow(clippy::cast_precision_loss)] // some hundred thousand
fn measure(case: &mut Case, found: &mut Found) {
    let (bytes, well) = (case.burst)(); // the first is not timed
    let began = process_cpu_ns();
    let all_well = (0..BURSTS).fold(well, |well, _| (case.burst)().1 && well);
    let spent = process_cpu_ns() - began;
    found.ns.push(spent as f64 / (BURST * BURSTS) as f64);
    found.bytes = bytes as f64 / BURST as f64;
    found.verified &= all_well;
}

fn row(case: &Case, found: &mut Found) -> Value {
    found.ns.sort_by(f64::total_cmp);
    let tenths = |ns: f64| (ns * 10.0).round() / 10.0;
    json!({
        "what": case.what,
        "case": case.name,
        "ns": tenths(found.ns[found.ns.len() / 2]),
        "least": tenths(found.ns[0]),
        "most": tenths(found.ns[found.ns.len() - 1]),
        "bytes": found.bytes.round(),
        "verified": if found.verified { "yes" } else { "NO" },
    })
}
