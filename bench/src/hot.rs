//! What a call costs: every case in processes of its own, the rounds interleaved.

use std::fs;

use serde_json::{Value, json};

use crate::cases::{self, Case, Section};
use crate::{child, table};

const ROUNDS: usize = 5;
const HEAD: [&str; 9] =
    ["case", "threads", "CPU ns", "min", "max", "wall ns", "allocations", "dropped", "verified"];
const THREADS: [u64; 3] = [1, 2, 8];

/// One case with one number of threads, over all rounds.
struct Row {
    case: &'static Case,
    threads: u64,
    /// CPU time of a call, sorted once all rounds are over.
    ns: Vec<f64>,
    wall_ns: Vec<f64>,
    allocations: f64,
    /// Share of the calls that the peer dropped, the most of any round.
    dropped: f64,
    verified: bool,
}

/// Runs all cases, or those of which the section or name contains `only`; prints a table and writes
/// `target/bench/hot.json`.
pub fn run(only: &str) {
    let wanted = |case: &&Case| {
        case.section != Section::Flood && (case.section.title().contains(only) || case.name.contains(only))
    };
    let cases = cases::all().into_iter().filter(wanted);
    let threads =
        |case: &'static Case| THREADS.into_iter().filter(|n| case.threads || *n == 1).map(move |n| (case, n));
    let mut rows: Vec<Row> = cases.flat_map(threads).map(|(case, threads)| Row::new(case, threads)).collect();
    for number in 0..ROUNDS {
        eprintln!("round {} of {ROUNDS}", number + 1);
        rows.iter_mut().for_each(Row::round);
    }
    rows.iter_mut().for_each(Row::sort);
    for section in rows.chunk_by(|a, b| a.case.section == b.case.section) {
        println!("\n{}", section[0].case.section.title());
        table::print(&HEAD, &section.iter().map(Row::cells).collect::<Vec<_>>());
    }
    write(&rows);
}

impl Row {
    fn new(case: &'static Case, threads: u64) -> Row {
        let (ns, wall_ns) = (Vec::new(), Vec::new());
        Row { case, threads, ns, wall_ns, allocations: 0.0, dropped: 0.0, verified: true }
    }

    /// Measures once more, in a fresh process.
    fn round(&mut self) {
        let (section, name) = (self.case.section.title(), self.case.name);
        let Some(found) = child::run(section, name, self.threads) else {
            self.ns.push(f64::NAN);
            self.wall_ns.push(f64::NAN);
            self.verified = false;
            return;
        };
        self.ns.push(found.ns);
        self.wall_ns.push(found.wall_ns);
        self.allocations = f64::max(self.allocations, found.allocations);
        self.dropped = f64::max(self.dropped, found.dropped / found.calls);
        self.verified &= found.verified;
    }

    fn sort(&mut self) {
        self.ns.sort_by(f64::total_cmp);
        self.wall_ns.sort_by(f64::total_cmp);
    }

    fn cells(&self) -> Vec<String> {
        let ns = [self.ns[ROUNDS / 2], self.ns[0], self.ns[ROUNDS - 1], self.wall_ns[ROUNDS / 2]];
        let [median, min, max, wall] = ns.map(|ns| format!("{ns:.2}"));
        vec![
            self.case.name.to_owned(),
            self.threads.to_string(),
            median,
            min,
            max,
            wall,
            format!("{:.3}", self.allocations),
            format!("{:.1} %", 100.0 * self.dropped),
            if self.verified { "yes" } else { "NO" }.to_owned(),
        ]
    }

    fn json(&self) -> Value {
        json!({
            "section": self.case.section.title(),
            "case": self.case.name,
            "threads": self.threads,
            "ns": self.ns[ROUNDS / 2],
            "allocs": self.allocations,
            "verified": self.verified,
        })
    }
}

fn write(rows: &[Row]) {
    let all = Value::Array(rows.iter().map(Row::json).collect());
    let written = fs::create_dir_all("target/bench")
        .and_then(|()| fs::write("target/bench/hot.json", format!("{all:#}\n")));
    match written {
        Ok(()) => println!("\nwritten to target/bench/hot.json"),
        Err(error) => eprintln!("target/bench/hot.json: {error}"),
    }
}
