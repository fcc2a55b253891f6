//! What a call costs: every case in processes of its own, the rounds interleaved.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::cases::NAMES;
use crate::table;

const ROUNDS: usize = 5;
const THREADS: [u64; 3] = [1, 2, 8];

/// One case with one number of threads, over all rounds.
struct Row {
    case: &'static str,
    threads: u64,
    ns: Vec<f64>,
    allocations: f64,
    verified: bool,
}

/// Runs all cases, prints a table and writes `target/bench/hot.json`.
pub fn run() {
    let cases = NAMES.iter().flat_map(|case| THREADS.map(|threads| (*case, threads)));
    let row = |(case, threads)| Row { case, threads, ns: Vec::new(), allocations: 0.0, verified: true };
    let mut rows: Vec<Row> = cases.map(row).collect();
    for _ in 0..ROUNDS {
        rows.iter_mut().for_each(round);
    }
    rows.iter_mut().for_each(|row| row.ns.sort_by(f64::total_cmp));
    let line = |row: &Row| {
        let (min, median, max) = (row.ns[0], row.ns[ROUNDS / 2], row.ns[ROUNDS - 1]);
        let figures = [median, min, max].map(|ns| format!("{ns:.2}"));
        let [median, min, max] = figures;
        let verified = if row.verified { "yes" } else { "NO" }.to_owned();
        vec![
            row.case.to_owned(),
            row.threads.to_string(),
            median,
            min,
            max,
            format!("{:.3}", row.allocations),
            verified,
        ]
    };
    let head = ["case", "threads", "ns", "min", "max", "allocations", "verified"];
    table::print(&head, &rows.iter().map(line).collect::<Vec<_>>());
    write(&rows);
}

fn round(row: &mut Row) {
    let program = std::env::current_exe().unwrap_or_else(|error| panic!("this program: {error}"));
    let run = Command::new(program).args(["case", row.case, &row.threads.to_string()]).output();
    let output = run.unwrap_or_else(|error| panic!("{}: {error}", row.case));
    let text = String::from_utf8_lossy(&output.stdout);
    let words: Vec<&str> = text.split_whitespace().collect();
    let [ns, allocations, verified] = words[..] else {
        panic!("{}: {}", row.case, String::from_utf8_lossy(&output.stderr))
    };
    row.ns.push(ns.parse().unwrap_or(f64::NAN));
    row.allocations = f64::max(row.allocations, allocations.parse().unwrap_or(f64::NAN));
    row.verified &= verified == "true";
}

fn write(rows: &[Row]) {
    let row = |row: &Row| {
        json!({
            "section": "hot",
            "case": row.case,
            "threads": row.threads,
            "ns": row.ns[ROUNDS / 2],
            "allocs": row.allocations,
            "verified": row.verified,
        })
    };
    let all = Value::Array(rows.iter().map(row).collect());
    let written = fs::create_dir_all("target/bench")
        .and_then(|()| fs::write("target/bench/hot.json", format!("{all:#}\n")));
    match written {
        Ok(()) => println!("\nwritten to target/bench/hot.json"),
        Err(error) => eprintln!("target/bench/hot.json: {error}"),
    }
}
