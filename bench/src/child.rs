//! Runs a case in a process of its own and reads what it prints.

use std::process::Command;

/// What a case came to.
pub struct Found {
    pub ns: f64,
    pub wall_ns: f64,
    pub allocations: f64,
    pub calls: f64,
    pub recorded: f64,
    pub dropped: f64,
    pub verified: bool,
    /// CPU time of the whole process, from its start until all was written.
    pub process_ns: f64,
}

/// Runs a case; `None`, and what it said on stderr, if it ended without a result.
pub fn run(section: &str, name: &str, threads: u64) -> Option<Found> {
    let program = std::env::current_exe().unwrap_or_else(|error| panic!("this program: {error}"));
    let run = Command::new(program).args(["case", section, name, &threads.to_string()]).output();
    let output = run.unwrap_or_else(|error| panic!("{name}: {error}"));
    let found = parse(&String::from_utf8_lossy(&output.stdout));
    if found.is_none() {
        eprintln!("{section}, {name}, {threads}: {}", String::from_utf8_lossy(&output.stderr));
    }
    found
}

fn parse(text: &str) -> Option<Found> {
    let line = text.lines().find_map(|line| line.strip_prefix("bench: "))?;
    let words: Vec<&str> = line.split_whitespace().collect();
    let [ns, wall_ns, allocations, calls, recorded, dropped, verified, process_ns] = words[..] else {
        return None;
    };
    let number = |word: &str| word.parse::<f64>().ok();
    Some(Found {
        ns: number(ns)?,
        wall_ns: number(wall_ns)?,
        allocations: number(allocations)?,
        calls: number(calls)?,
        recorded: number(recorded)?,
        dropped: number(dropped)?,
        verified: verified == "true",
        process_ns: number(process_ns)?,
    })
}
