//! A small program that records, for tests that need a process of its own: another owner of a state directory, a disk
//! that is full for it alone, a stdout that holds nothing but what a backend writes.
//!
//! ```text
//! program hold             starts, says "ready", and stays until its standard input ends
//! program fill EVENTS      records so many events of 1 KB and flushes; then its books, one JSON object a line
//! program fill EVENTS held the same, and before its books it stays until its standard input ends
//! program command FROM N   records so many numbered events from this number on, and ends
//! program work FROM        records numbered events without end; says "reached N" when the journal has those before N
//! program mixed            records every kind of metric and a few events; prints nothing itself
//! ```
//!
//! Its settings are the `OPS_*` and `AWS_*` variables alone. What cannot start is said on stderr, exit code 1.

use std::io::Read;
use std::process::ExitCode;
use std::time::Duration;

use ops_sdk::prelude::*;
use ops_sdk::{Error, Stats};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ended = match words[..] {
        ["hold"] => hold(),
        ["fill", events] => fill(events.parse().unwrap_or(0), false),
        ["fill", events, "held"] => fill(events.parse().unwrap_or(0), true),
        ["command", from, events] => command(from.parse().unwrap_or(0), events.parse().unwrap_or(0)),
        ["work", from] => work(from.parse().unwrap_or(0)),
        ["mixed"] => mixed(),
        _ => {
            eprintln!("program: hold, fill EVENTS [held], command FROM N, work FROM or mixed");
            return ExitCode::from(2);
        }
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("program: {error}");
            ExitCode::FAILURE
        }
    }
}

fn hold() -> Result<(), Error> {
    let _ops = ops_sdk::init().start()?;
    println!("ready");
    until_input_ends();
    Ok(())
}

fn until_input_ends() {
    // An input that cannot be read has ended as well.
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}

fn fill(events: u64, is_held: bool) -> Result<(), Error> {
    let ops = ops_sdk::init().start()?;
    let text = "x".repeat(1_000);
    for n in 0..events {
        info!("event {n} {text}", n);
        counter!("events", 1);
        // Slowly enough that the flush thread keeps up, so that what is lost is lost by the disk.
        if n % 200 == 199 {
            ops.flush(Duration::from_millis(20));
        }
    }
    ops.flush(Duration::from_secs(2));
    if is_held {
        until_input_ends();
    }
    print(&ops.stats());
    Ok(())
}

fn command(from: u64, events: u64) -> Result<(), Error> {
    let _ops = ops_sdk::init().start()?;
    for n in from..from + events {
        info!("event {n}");
    }
    Ok(())
}

fn work(from: u64) -> Result<(), Error> {
    let ops = ops_sdk::init().start()?;
    // What was recorded for an earlier process counts as recorded here.
    let carried = ops.stats().books[0].rows.iter().map(|row| row.recorded).sum::<u64>();
    for n in from.. {
        info!("event {n}");
        if n % 20 == 19 {
            ops.flush(Duration::from_millis(10));
            let all: u64 = ops.stats().books[0].rows.iter().map(|row| row.recorded).sum();
            println!("reached {}", (from + all - carried).min(n + 1));
        }
    }
    Ok(())
}

#[instrumented]
fn halve(n: u32) -> Result<u32, String> {
    if n.is_multiple_of(2) { Ok(n / 2) } else { Err(format!("{n} is odd")) }
}

fn mixed() -> Result<(), Error> {
    let _ops = ops_sdk::init().dimension("Service", "mixed").start()?;
    for n in 1..=1_000u32 {
        let _ = halve(n);
        counter!("orders", n, "Region" => if n.is_multiple_of(2) { "eu" } else { "us" });
        counter!("ticks", 1, resolution = high);
        gauge!("depth", n, unit = Percent);
        histogram!("payload", n % 250, unit = Bytes);
    }
    gauge!("once", 2.5);
    info!("line \"one\"\nand two", n = 1);
    warn!("last");
    Ok(())
}

fn print(stats: &Stats) {
    for book in &stats.books {
        for row in &book.rows {
            let dropped: serde_json::Map<_, _> =
                row.dropped.iter().map(|(loss, count)| (loss.name().to_owned(), (*count).into())).collect();
            let line = serde_json::json!({
                "backend": book.backend,
                "signal": row.signal.name(),
                "recorded": row.recorded,
                "delivered": row.delivered,
                "pending": row.pending,
                "dead_lettered": row.dead_lettered,
                "dropped": dropped,
                "balanced": row.balanced(),
            });
            println!("{line}");
        }
    }
}
