//! Kills, stops, starves and lies to a process that records, round after round, and judges what arrived: nothing that a
//! macro returned from may be missing. The servers are tested against our reading of the documentation.
//!
//! ```text
//! chaos [--rounds N] [--seed S] [--first R] [--jobs J] [--keep]
//! ```
//!
//! 300 rounds of a seed of the day unless told otherwise. `--first` begins at another round, to play one again; the plan
//! of a round follows from the seed, the moments at which things meet do not. The last line is
//! `rounds=N recorded=N missing=0 invented=0 corrupt=0 duplicates=N unbalanced=0`; the exit code is 1 if a promise was
//! broken, and 2 if the machine could not run it.

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use ops_tests::chaos::run::Run;
use ops_tests::chaos::workload;

const USAGE: &str = "chaos [--rounds N] [--seed S] [--first R] [--jobs J] [--keep]";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [live, orders] = &arguments[..]
        && live == "--live"
    {
        return match serde_json::from_str(orders) {
            Ok(orders) => workload::live(&orders),
            Err(error) => {
                eprintln!("chaos: no orders: {error}");
                ExitCode::from(2)
            }
        };
    }
    let Some(run) = read(&arguments) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match run.run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("chaos: {error}");
            ExitCode::from(2)
        }
    }
}

/// The arguments; `None` if they mean nothing.
fn read(arguments: &[String]) -> Option<Run> {
    let day = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() / 86_400);
    let jobs = std::thread::available_parallelism().map_or(2, usize::from) + 1;
    let mut run = Run { rounds: 300, seed: day, first: 0, jobs, keep: false };
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--keep" => run.keep = true,
            "--rounds" => run.rounds = words.next()?.parse().ok()?,
            "--seed" => run.seed = words.next()?.parse().ok()?,
            "--first" => run.first = words.next()?.parse().ok()?,
            "--jobs" => run.jobs = words.next()?.parse().ok().filter(|jobs| *jobs > 0)?,
            _ => return None,
        }
    }
    Some(run)
}
