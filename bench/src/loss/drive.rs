//! The process that records: starts one peer, gives it its events, and ends it by its own way to end. It speaks to the
//! process that started it in lines that begin with `loss:`, so a peer may print what it likes.

use std::fmt::Write as _;
use std::io::{self, BufRead};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::case::{CASES, Case, End, Load, Mode, RATE};
use super::collector::{DIGITS, FILL, MARK};
use super::latency::Latencies;
use super::lines::Lines;
use super::peers::{LIMITS, PEERS, Setup, Subject};

/// Runs `CASE PEER PORT FOLDER OUTAGE_MS FIRST next|first`.
pub fn drive(words: &[&str]) -> Option<()> {
    let [case, peer, port, dir, outage_ms, first, start] = *words else { return None };
    let case = CASES.iter().find(|known| known.name == case)?;
    let peer = LIMITS.iter().chain(PEERS).find(|known| known.name == peer)?;
    let (port, first): (u16, u64) = (port.parse().ok()?, first.parse().ok()?);
    let outage = case.outage(Duration::from_millis(outage_ms.parse().ok()?));
    let is_next = start == "next";
    let terminated = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGTERM, terminated.clone()).ok()?;
    let mode = if is_next { Mode::Takes } else { case.mode };
    let lines = Lines::new(port, mode, outage.filter(|_| !is_next));
    let subject = (peer.start)(&Setup { port, dir: PathBuf::from(dir), lines });
    let mut latencies = Callers { all: Latencies::new(), in_a_row: Latencies::new() };
    let recorded = if is_next {
        burst(&*subject, first, case.again, &mut latencies)
    } else {
        load(&*subject, case, outage.unwrap_or_default(), &mut latencies)
    };
    let Callers { all, in_a_row } = &latencies;
    println!("loss: recorded {recorded} {} {} {}", all.p999_ns(), in_a_row.p999_ns(), all.longest_ns());
    match case.end {
        End::Terminated if !is_next => wait_for(&terminated),
        End::Done if !is_next => {}
        _ => _ = io::stdin().lock().lines().next(),
    }
    println!("loss: dropped {}", subject.end());
    Some(())
}

fn wait_for(flag: &AtomicBool) {
    while !flag.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(1));
    }
}

/// Records what the case has to record; says how much that was.
fn load(subject: &dyn Subject, case: &Case, outage: Duration, latencies: &mut Callers) -> u64 {
    match case.load {
        Load::Burst(events) => burst(subject, 0, events, latencies),
        Load::Steady => steady(subject, outage, latencies),
        Load::Long(bytes) => {
            let text = vec![FILL; bytes];
            let text = String::from_utf8_lossy(&text);
            burst(subject, 0, 1, latencies);
            log(subject, &text, None, latencies);
            burst(subject, 1, 1, latencies);
            bytes as u64
        }
    }
}

fn burst(subject: &dyn Subject, first: u64, events: u64, latencies: &mut Callers) -> u64 {
    let mut id = String::new();
    for n in first..first + events {
        name(n, &mut id);
        log(subject, &id, None, latencies);
    }
    events
}

/// A millisecond's worth at a time. What a call keeps from being made is not made up for.
fn steady(subject: &dyn Subject, outage: Duration, latencies: &mut Callers) -> u64 {
    const PER_MS: u64 = RATE / 1000;
    let (begun, mut id, mut n) = (Instant::now(), String::new(), 0);
    let mut due = begun;
    while begun.elapsed() < outage {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        // A thread that is woken late is not late from there on.
        due = due.max(Instant::now() - Duration::from_millis(3)) + Duration::from_millis(1);
        for k in 0..PER_MS {
            name(n, &mut id);
            log(subject, &id, Some(k), latencies);
            n += 1;
        }
    }
    n
}

/// How long calls took: each of them, and those that did not come right after a sleep. A thread that is woken finds the
/// processor's caches as others left them, and what it does first pays for that.
struct Callers {
    all: Latencies,
    in_a_row: Latencies,
}

/// One call; where they are due at a rate, the one that comes after so many others since the last sleep.
fn log(subject: &dyn Subject, id: &str, after: Option<u64>, latencies: &mut Callers) {
    let begun = Instant::now();
    subject.log(id);
    let ns = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
    let every_ns = after.map_or(0, |_| 1_000_000_000 / RATE);
    latencies.all.add(ns, every_ns);
    if after != Some(0) {
        latencies.in_a_row.add(ns, every_ns);
    }
}

/// What an event is known by.
pub fn name(n: u64, id: &mut String) {
    id.clear();
    let _ = write!(id, "{MARK}{n:0DIGITS$}"); // a String takes it
}
