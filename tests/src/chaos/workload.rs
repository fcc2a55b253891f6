//! The process that records, and dies: the chaos binary started again with a hidden argument. It takes the steps that
//! follow from its place in the run, says how far each thread has come, and ends as it was told to, unless the process
//! that watches it ends it first. Its settings are its orders and the `AWS_*` and `OPS_*` variables.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use ops_sdk::prelude::*;
use ops_sdk::{Ops, Stats};
use serde::{Deserialize, Serialize};

use super::plan::Ending;
use super::progress::Progress;
use super::work::{Loudness, REGIONS, Step, Steps, Thread};

/// How long a process waits for the death that was announced.
const WAIT_MAX: Duration = Duration::from_secs(60);
/// How long the last life of a round may take to deliver everything.
pub const DRAIN_MAX: Duration = Duration::from_secs(45);

/// Of this the queue of what no ring holds gets 4 MiB: more than a life records in all, so that nothing is dropped for
/// want of room however late the flush thread gets a processor. What is dropped and said would be no finding.
const ARENA_BYTES: usize = 128 << 20;

/// The orders of a life.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Orders {
    /// Whose steps these are.
    pub seed: u64,
    /// The same.
    pub round: u64,
    /// The same.
    pub life: u64,
    /// See [`super::plan::Life`], as with all that follows.
    pub threads: u64,
    /// Steps of each thread.
    pub steps: u64,
    /// Steps between two words of progress.
    pub batch: u64,
    /// Steps after which a thread is relieved.
    pub leg: u64,
    /// The rest after a batch.
    pub rest_us: u64,
    /// Between two flushes.
    pub flush_ms: u64,
    /// A record waits so long.
    pub linger_ms: u64,
    /// A ring's bytes.
    pub ring_bytes: u64,
    /// How it ends.
    pub ending: Ending,
    /// Where progress is told.
    pub progress: PathBuf,
    /// Where the books are left at an end that has time for it.
    pub books: PathBuf,
}

/// The books as a life that ended in order left them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Books {
    /// Whether every row balanced.
    pub balanced: bool,
    /// Whether the last flush and the shutdown brought everything to its end.
    pub complete: bool,
    /// Log records that the SDK says the server has.
    pub logs_delivered: u64,
    /// Records that went with the process.
    pub lost: u64,
    /// What was dropped and why, in words; empty if nothing was.
    pub dropped: String,
    /// The rows, in words.
    pub rows: String,
}

#[instrumented]
fn called(fails: bool) -> Result<(), &'static str> {
    if fails { Err("as it was told") } else { Ok(()) }
}

#[instrumented(hold = debug)]
fn unit(life: u64, thread: u64, n: u64, text: &str, fails: bool) -> Result<(), &'static str> {
    debug!("{text}", life, thread, n);
    if fails { Err("as it was told") } else { Ok(()) }
}

/// Lives the life. What cannot start is said on stderr, exit code 1.
#[must_use]
pub fn live(orders: &Orders) -> ExitCode {
    let builder = ops_sdk::init()
        .linger(Duration::from_millis(orders.linger_ms))
        .ring_bytes_max(usize::try_from(orders.ring_bytes).unwrap_or(1 << 20))
        .overflow_bytes_max(8 << 20)
        .arena_bytes_max(ARENA_BYTES);
    let (ops, progress) = match (builder.start(), Progress::open(&orders.progress)) {
        (Ok(ops), Ok(progress)) => (ops, progress),
        (ops, progress) => {
            eprintln!("workload: {:?} {:?}", ops.err(), progress.err());
            return ExitCode::FAILURE;
        }
    };
    std::thread::scope(|scope| {
        let progress = &progress;
        let worker = |thread| scope.spawn(move || relay(orders, progress, thread));
        let workers: Vec<_> = (0..orders.threads).map(worker).collect();
        while orders.flush_ms > 0 && workers.iter().any(|worker| !worker.is_finished()) {
            std::thread::sleep(Duration::from_millis(orders.flush_ms));
            let _ = ops.flush(Duration::ZERO);
        }
    });
    end(ops, orders)
}

/// A thread's steps, on one thread after the other.
fn relay(orders: &Orders, progress: &Progress, thread: u64) {
    let key = Thread { seed: orders.seed, round: orders.round, life: orders.life, thread };
    let mut steps = Steps::of(key);
    let mut done = 0;
    while done < orders.steps {
        let upto = (done + orders.leg).min(orders.steps);
        let steps = &mut steps;
        std::thread::scope(|scope| {
            scope.spawn(move || leg(orders, progress, thread, steps, done..upto)).join()
        })
        .unwrap_or_else(|_| std::process::abort());
        done = upto;
    }
}

fn leg(orders: &Orders, progress: &Progress, thread: u64, steps: &mut Steps, range: std::ops::Range<u64>) {
    let mut at = range.start;
    while at < range.end {
        let upto = (at + orders.batch).min(range.end);
        // Told before the step that it dies at is made, so that nothing is begun that is not.
        let work: Vec<Step> = steps.by_ref().take(usize::try_from(upto - at).unwrap_or(0)).collect();
        progress.begin(thread, upto).unwrap_or_else(|_| std::process::abort());
        for (n, step) in (at..).zip(&work) {
            die_at(orders.ending, n);
            take(orders.life, thread, n, step);
        }
        progress.end(thread, upto).unwrap_or_else(|_| std::process::abort());
        at = upto;
        std::thread::sleep(Duration::from_micros(orders.rest_us));
    }
}

fn die_at(ending: Ending, n: u64) {
    match ending {
        Ending::Abort { step } if step == n => std::process::abort(),
        Ending::Panic { step } if step == n => {
            // What `panic = "abort"` does once it has said what it has to say.
            std::panic::set_hook(Box::new(|_| std::process::abort()));
            panic!("as it was told");
        }
        _ => {}
    }
}

fn take(life: u64, thread: u64, n: u64, step: &Step) {
    match step {
        Step::Event(Loudness::Info, text) => info!("{text}", life, thread, n),
        Step::Event(Loudness::Warn, text) => warn!("{text}", life, thread, n),
        Step::Event(Loudness::Error, text) => error!("{text}", life, thread, n),
        Step::Sum(by) => counter!("chaos.sum", *by, "Life" => life, "Thread" => thread),
        Step::Tick(by) => counter!("chaos.ticks", *by, "Life" => life),
        Step::Region(which, by) => {
            counter!("chaos.region", *by, "Life" => life, "Region" => REGIONS[usize::try_from(*which).unwrap_or(0)]);
        }
        Step::Seen(value) => histogram!("chaos.seen", *value),
        Step::Call(fails) => drop(called(*fails)),
        Step::Unit(fails, text) => drop(unit(life, thread, n, text, *fails)),
    }
}

fn end(ops: Ops, orders: &Orders) -> ExitCode {
    match orders.ending {
        Ending::Exit => std::process::exit(0),
        Ending::Clean { deadline_ms } => {
            close(ops, orders, Duration::ZERO, Duration::from_millis(deadline_ms))
        }
        Ending::Drain => close(ops, orders, DRAIN_MAX, DRAIN_MAX),
        _ => {
            std::thread::sleep(WAIT_MAX);
            eprintln!("workload: nobody ended it");
            ExitCode::FAILURE
        }
    }
}

fn close(ops: Ops, orders: &Orders, flush: Duration, deadline: Duration) -> ExitCode {
    let flushed = flush.is_zero() || ops.flush(flush).complete;
    let stats = ops.stats();
    let report = ops.shutdown(deadline);
    let books = Books {
        balanced: stats.books.iter().all(|book| book.balanced()),
        complete: flushed && report.complete,
        logs_delivered: delivered(&stats),
        lost: report.pending,
        dropped: dropped(&stats, report.dropped),
        rows: stats.books.iter().map(|book| format!("{}: {book}; ", book.backend)).collect(),
    };
    let text = serde_json::to_string(&books).expect("the books are plain data");
    match std::fs::write(&orders.books, text) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("workload: {}: {error}", orders.books.display());
            ExitCode::FAILURE
        }
    }
}

fn delivered(stats: &Stats) -> u64 {
    let logs = stats.books.iter().filter(|book| book.backend == "cloudwatch-logs");
    logs.flat_map(|book| &book.rows).map(|row| row.delivered).sum()
}

/// What was dropped, in words: by the books, and what the last flush found besides.
fn dropped(stats: &Stats, by_the_end: u64) -> String {
    let rows = stats.books.iter().flat_map(|book| &book.rows);
    let losses: Vec<_> = rows.flat_map(|row| &row.dropped).filter(|(loss, _)| !loss.is_asked_for()).collect();
    let more = by_the_end.saturating_sub(losses.iter().map(|(_, n)| n).sum());
    let said: String = losses.iter().map(|(loss, n)| format!("{n} {}; ", loss.name())).collect();
    if more > 0 { format!("{said}{more} more by the end; ") } else { said }
}
