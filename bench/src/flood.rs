//! One thread logs three million events as fast as it can, until all that was not dropped is text in a sink that
//! forgets it: what that costs the whole process, and how much of it was lost.

use std::fs;

use serde_json::{Value, json};

use crate::cases::{self, Case, Section};
use crate::child::{self, Found};
use crate::table;

const ROUNDS: usize = 3;

/// Runs the flood of every peer, prints a table and writes `target/bench/flood.json`.
pub fn run() {
    let cases: Vec<_> = cases::all().into_iter().filter(|case| case.section == Section::Flood).collect();
    let mut found: Vec<Vec<Found>> = cases.iter().map(|_| Vec::new()).collect();
    for _ in 0..ROUNDS {
        for (case, found) in cases.iter().zip(&mut found) {
            found.extend(child::run(case.section.title(), case.name, 1));
        }
    }
    let rows: Vec<Value> =
        cases.iter().zip(&mut found).filter_map(|(case, found)| row(case, found)).collect();
    let head = ["case", "cpu_s_per_million", "min", "max", "caller_ns", "written", "dropped", "verified"];
    let cells = |row: &Value| head.map(|key| cell(&row[key])).to_vec();
    table::print(&head, &rows.iter().map(cells).collect::<Vec<_>>());
    let text = format!("{:#}\n", Value::Array(rows));
    match fs::create_dir_all("target/bench").and_then(|()| fs::write("target/bench/flood.json", text)) {
        Ok(()) => println!("\nwritten to target/bench/flood.json"),
        Err(error) => eprintln!("target/bench/flood.json: {error}"),
    }
}

/// The round in the middle, by CPU time.
fn row(case: &Case, found: &mut [Found]) -> Option<Value> {
    found.sort_by(|a, b| a.process_ns.total_cmp(&b.process_ns));
    let (first, middle, last) = (found.first()?, found.get(found.len() / 2)?, found.last()?);
    // Nanoseconds an event are milliseconds a million events.
    let seconds = |found: &Found| (found.process_ns / found.calls * 1e6 / 1e9 * 1e3).round() / 1e3;
    Some(json!({
        "case": case.name,
        "cpu_s_per_million": seconds(middle),
        "min": seconds(first),
        "max": seconds(last),
        "caller_ns": middle.ns.round(),
        "written": middle.recorded,
        "dropped": middle.dropped,
        "verified": found.iter().all(|found| found.verified),
    }))
}

fn cell(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
