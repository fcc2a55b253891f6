//! What is lost, measured side by side: each peer, set up as its own documentation says is best for not losing, meets the
//! same troubles in a fresh process, and what arrived is counted by this one, which is the other end of the line.
//!
//! Delivered is what arrived here; accounted is that, and what the peer itself says it has dropped. Nothing is taken from
//! a peer's word but its drops.

mod case;
mod collector;
mod drive;
mod latency;
mod lines;
mod peers;
mod run;

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

pub use self::case::Mode;
use self::case::{CASES, Case, Load};
pub use self::collector::Collector;
pub use self::drive::{drive, name};
pub use self::peers::guarded;
use self::peers::{LIMITS, PEERS, Peer};
use self::run::Found;
use crate::table;

const HEAD: [&str; 10] = [
    "peer",
    "recorded",
    "delivered",
    "after the next start",
    "accounted",
    "twice",
    "caller p99.9",
    "in a row",
    "longest",
    "RSS",
];

/// How long the sink takes nothing, unless `--seconds` says otherwise.
pub const OUTAGE: Duration = Duration::from_secs(60);

/// Runs all cases, or those of which the case's or the peer's name contains `only`; prints a table for each and writes
/// `target/bench/loss.json`.
pub fn run(only: &str, outage: Duration) {
    let mut all = Vec::new();
    for case in CASES {
        let chosen = |peer: &&Peer| case.name.contains(only) || peer.name.contains(only);
        let limits = LIMITS.iter().filter(|_| case.load == Load::Steady);
        let peers: Vec<_> = limits.chain(PEERS).filter(chosen).collect();
        if peers.is_empty() {
            continue;
        }
        println!("\n{}", case.title(outage));
        let rows: Vec<_> = peers.into_iter().map(|peer| (peer.name, run::run(case, peer, outage))).collect();
        table::print(&HEAD, &rows.iter().map(|(peer, found)| cells(peer, found)).collect::<Vec<_>>());
        all.extend(rows.iter().map(|(peer, found)| as_json(case, peer, found, outage)));
    }
    let text = format!("{:#}\n", Value::Array(all));
    match fs::create_dir_all("target/bench").and_then(|()| fs::write("target/bench/loss.json", text)) {
        Ok(()) => println!("\nwritten to target/bench/loss.json"),
        Err(error) => eprintln!("target/bench/loss.json: {error}"),
    }
}

fn cells(peer: &str, found: &Found) -> Vec<String> {
    let percent = |part: f64| format!("{:.2} %", floor(100.0 * part, 100.0));
    vec![
        peer.to_owned(),
        found.recorded.to_string(),
        percent(found.delivered),
        percent(found.delivered_later),
        percent(found.accounted),
        found.twice.to_string(),
        time(found.p999_ns),
        time(found.in_a_row_p999_ns),
        time(found.longest_ns),
        found.rss_bytes.map_or_else(|| "?".to_owned(), |bytes| format!("{} MB", bytes / 1_000_000)),
    ]
}

/// Rounded down: what is not all is never shown as all.
fn floor(value: f64, per: f64) -> f64 {
    (value * per).floor() / per
}

#[allow(clippy::cast_precision_loss)] // some minutes at most
fn time(ns: Option<u64>) -> String {
    match ns {
        None => "killed".to_owned(),
        Some(ns) if ns < 1_000 => format!("{ns} ns"),
        Some(ns) if ns < 1_000_000 => format!("{:.1} µs", ns as f64 / 1e3),
        Some(ns) if ns < 1_000_000_000 => format!("{:.1} ms", ns as f64 / 1e6),
        Some(ns) => format!("{:.1} s", ns as f64 / 1e9),
    }
}

fn as_json(case: &Case, peer: &str, found: &Found, outage: Duration) -> Value {
    json!({
        "case": case.name,
        "outage_s": case.outage(outage).map(|outage| outage.as_secs_f64()),
        "peer": peer,
        "recorded": found.recorded,
        "delivered": found.delivered,
        "delivered_after_next_start": found.delivered_later,
        "accounted": found.accounted,
        "twice": found.twice,
        "caller_p999_ns": found.p999_ns,
        "caller_in_a_row_p999_ns": found.in_a_row_p999_ns,
        "caller_longest_ns": found.longest_ns,
        "rss_bytes": found.rss_bytes,
        "killed": found.killed,
    })
}
