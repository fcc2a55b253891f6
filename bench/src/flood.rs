//! One thread, and two, log three million events as fast as they can, or at a pace, until all that was not dropped is
//! text in a sink that forgets it: what that costs the whole process, and how much of it was lost.

use std::fs;

use serde_json::{Value, json};

use crate::cases::{self, Case, Section};
use crate::child::{self, Found};
use crate::table;

const ROUNDS: usize = 3;
const THREADS: [u64; 2] = [1, 2];

/// Runs the floods whose names contain `only`, prints a table and writes `target/bench/flood.json`.
pub fn run(only: &str) {
    let chosen = |case: &&Case| case.section == Section::Flood && case.name.contains(only);
    let cases: Vec<_> = cases::all().into_iter().filter(chosen).collect();
    let runs: Vec<(&Case, u64)> = cases
        .into_iter()
        .flat_map(|case| THREADS.into_iter().filter(|n| case.threads || *n == 1).map(move |n| (case, n)))
        .collect();
    let mut found: Vec<Vec<Found>> = runs.iter().map(|_| Vec::new()).collect();
    for _ in 0..ROUNDS {
        for ((case, threads), found) in runs.iter().zip(&mut found) {
            found.extend(child::run(case.section.title(), case.name, *threads));
        }
    }
    let rows = runs.iter().zip(&mut found).filter_map(|((case, threads), found)| row(case, *threads, found));
    let rows: Vec<Value> = rows.collect();
    let head = [
        "case",
        "threads",
        "cpu_s_per_million",
        "min",
        "max",
        "caller_ns",
        "events_per_us",
        "written",
        "dropped",
        "dropped_max",
        "verified",
    ];
    let cells = |row: &Value| head.map(|key| cell(&row[key])).to_vec();
    table::print(&head, &rows.iter().map(cells).collect::<Vec<_>>());
    let text = format!("{:#}\n", Value::Array(rows));
    match fs::create_dir_all("target/bench").and_then(|()| fs::write("target/bench/flood.json", text)) {
        Ok(()) => println!("\nwritten to target/bench/flood.json"),
        Err(error) => eprintln!("target/bench/flood.json: {error}"),
    }
}

/// The round in the middle, by CPU time.
fn row(case: &Case, threads: u64, found: &mut [Found]) -> Option<Value> {
    found.sort_by(|a, b| a.process_ns.total_cmp(&b.process_ns));
    let (first, middle, last) = (found.first()?, found.get(found.len() / 2)?, found.last()?);
    // Nanoseconds an event are milliseconds a million events.
    let seconds = |found: &Found| (found.process_ns / found.calls * 1e6 / 1e9 * 1e3).round() / 1e3;
    #[allow(clippy::cast_precision_loss)] // two
    let per_us = threads as f64 / middle.wall_ns * 1e3;
    Some(json!({
        "case": case.name,
        "threads": threads,
        "cpu_s_per_million": seconds(middle),
        "min": seconds(first),
        "max": seconds(last),
        "caller_ns": middle.ns.round(),
        "events_per_us": (per_us * 100.0).round() / 100.0,
        "written": middle.recorded,
        "dropped": middle.dropped,
        "dropped_max": found.iter().map(|found| found.dropped).fold(0.0, f64::max),
        "verified": found.iter().all(|found| found.verified),
    }))
}

fn cell(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
