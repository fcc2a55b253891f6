//! Ships to every backend at once, for ten minutes at 20,000 events a second unless said otherwise, and holds the books of
//! each against what was recorded and what its counterpart took.
//!
//! ```text
//! cargo run --release -p ops-tests --bin soak -- [--seconds N] [--rate N] [--share N]
//! ```
//!
//! `--share` is the share of the log events that each backend is routed: 0.1, so that two cores hold all of it. A backend
//! whose service takes less is routed less.

use std::process::ExitCode;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant};

use ops_sdk::Ops;
use ops_sdk::ledger::Book;
use ops_sdk::model::Signal;
use ops_tests::soak::{Fed, Place, config, feed, places};

/// How long everything may take to arrive once recording is over: a service that takes one request a minute and fails one
/// has had some tries by then.
const SETTLE: Duration = Duration::from_secs(400);

struct Arguments {
    seconds: u64,
    rate: u64,
    share: f64,
}

fn main() -> ExitCode {
    let Some(arguments) = arguments(std::env::args().skip(1)) else {
        eprintln!("usage: soak [--seconds N] [--rate EVENTS_PER_SECOND] [--share 0.0..1.0]");
        return ExitCode::from(2);
    };
    let dir = tempfile::tempdir().expect("a directory");
    let (places, missing) = places(dir.path());
    for (name, why) in &missing {
        println!("soak: {name} is left out: {why}");
    }
    let ops = start(&places, &arguments, dir.path());
    let fed = feed(arguments.rate, Duration::from_secs(arguments.seconds), |passed| {
        println!("soak: {:>4} s, {}", passed.as_secs(), most_waiting(&ops));
    });
    let books = settle(&ops);
    let wrong: usize = places.iter().map(|place| judge(place, &books, &fed)).sum();
    println!(
        "backends={} seconds={} rate={} events={} slowest_call_us={} left_out={} wrong={wrong}",
        places.len(),
        arguments.seconds,
        arguments.rate,
        fed.events,
        fed.slowest.as_micros(),
        missing.len()
    );
    ExitCode::from(u8::from(wrong > 0))
}

fn arguments(mut words: impl Iterator<Item = String>) -> Option<Arguments> {
    let mut arguments = Arguments { seconds: 600, rate: 20_000, share: 0.1 };
    while let Some(word) = words.next() {
        let value = words.next()?;
        match word.as_str() {
            "--seconds" => arguments.seconds = value.parse().ok()?,
            "--rate" => arguments.rate = value.parse().ok()?,
            "--share" => arguments.share = value.parse().ok().filter(|share| (0.0..=1.0).contains(share))?,
            _ => return None,
        }
    }
    Some(arguments)
}

fn start(places: &[Place], arguments: &Arguments, dir: &std::path::Path) -> Ops {
    let path = dir.join("ops.toml");
    std::fs::write(&path, config(places, arguments.share)).expect("a file of settings");
    let path = path.display().to_string();
    let started = ops_sdk::init()
        .environment(move |name| (name == "OPS_CONFIG").then(|| path.clone()))
        .namespace("Soak")
        .dimension("Service", "soak")
        .ring_bytes_max(4 << 20)
        .state_dir(dir.join("state"))
        .start();
    started.unwrap_or_else(|error| panic!("recording does not start: {error}"))
}

/// Waits until nothing is on its way to anybody, and says what the books are then. The SDK tells of itself each minute, so
/// soon afterwards there may be something again.
fn settle(ops: &Ops) -> Vec<Book> {
    let until = Instant::now() + SETTLE;
    let report = ops.flush(SETTLE);
    println!("soak: flushed, complete={}", report.complete);
    loop {
        let books = ops.stats().books;
        if books.iter().all(|book| waiting(book) == 0) || Instant::now() >= until {
            return books;
        }
        thread::sleep(Duration::from_millis(50));
    }
}

fn waiting(book: &Book) -> u64 {
    book.rows.iter().map(|row| row.pending).sum()
}

/// The backend that most records wait for.
fn most_waiting(ops: &Ops) -> String {
    let books = ops.stats().books;
    let most = books.iter().max_by_key(|book| waiting(book)).map(|book| (&book.backend, waiting(book)));
    most.map_or_else(String::new, |(name, records)| format!("most wait for {name}: {records} records"))
}

/// Prints one backend's books, and says how many things are wrong with them.
fn judge(place: &Place, books: &[Book], fed: &Fed) -> usize {
    let book = books.iter().find(|book| book.backend == place.name).expect("a book for each");
    let count = place.count.as_ref().map(|count| count.load(Relaxed));
    let taken = count.map_or_else(String::new, |count| format!(", where {count} items arrived"));
    println!("{:<16} {book}; to {}{taken}", place.name, place.what);
    let sum = |field: fn(&ops_sdk::ledger::Row) -> u64| book.rows.iter().map(field).sum::<u64>();
    let logs = book.rows.iter().find(|row| row.signal == Signal::Log);
    let table = [
        (!book.balanced(), "its books do not balance"),
        (sum(|row| row.pending) > 0, "something is still on its way"),
        (sum(ops_sdk::ledger::Row::dropped_total) > 0, "something is lost"),
        (sum(|row| row.dead_lettered) > 0, "something was refused"),
        (logs.is_some_and(|row| row.recorded < fed.events), "events are missing from its books"),
        (count.is_some_and(|count| count < sum(|row| row.delivered)), "less arrived than was delivered"),
    ];
    let wrong: Vec<_> = table.iter().filter(|(is_wrong, _)| *is_wrong).map(|(_, what)| *what).collect();
    wrong.iter().for_each(|what| println!("{:<16} WRONG: {what}", place.name));
    wrong.len()
}
