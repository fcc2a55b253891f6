//! What reading a clock costs, how far it is off, and what a program pays that only links it.

use std::hint::black_box;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::table;

const READS: u32 = 5_000_000;

/// Prints a table of clocks.
pub fn run() {
    let began = Instant::now();
    let quanta = quanta::Clock::new();
    let first = began.elapsed();
    let off = parts_per_million(&quanta);
    let rows = [
        vec![
            "quanta 0.13".to_owned(),
            nanoseconds(|| _ = black_box(quanta.raw())),
            format!("{:.2} ms on first use", first.as_secs_f64() * 1e3),
            format!("{:+.2}", off[0]),
        ],
        vec![
            "fastant 0.1".to_owned(),
            nanoseconds(|| _ = black_box(fastant::Instant::now())),
            format!("{:.2} ms before main", linked("link_fastant") - linked("link_nothing")),
            format!("{:+.2}", off[1]),
        ],
        vec![
            "std".to_owned(),
            nanoseconds(|| _ = black_box(Instant::now())),
            "none".to_owned(),
            "0".to_owned(),
        ],
    ];
    table::print(&["clock", "ns a reading", "start", "parts per million off, over 3 s"], &rows);
}

fn nanoseconds(read: impl Fn()) -> String {
    let began = Instant::now();
    (0..READS).for_each(|_| read());
    format!("{:.2}", began.elapsed().as_nanos() as f64 / f64::from(READS))
}

fn parts_per_million(quanta: &quanta::Clock) -> [f64; 2] {
    let (std, raw, fast) = (Instant::now(), quanta.raw(), fastant::Instant::now());
    std::thread::sleep(Duration::from_secs(3));
    let (std, raw, fast) = (std.elapsed(), quanta.delta_as_nanos(raw, quanta.raw()), fast.elapsed());
    let off = |ns: f64| (ns / std.as_nanos() as f64 - 1.0) * 1e6;
    [off(raw as f64), off(fast.as_nanos() as f64)]
}

/// The median time of ten runs of a program that does nothing, in milliseconds.
fn linked(name: &str) -> f64 {
    let path = std::env::current_exe().ok().and_then(|path| path.parent().map(|folder| folder.join(name)));
    let path: PathBuf = path.unwrap_or_else(|| name.into());
    let mut runs: Vec<f64> = (0..10).map(|_| once(&path)).collect();
    runs.sort_by(f64::total_cmp);
    runs[runs.len() / 2]
}

fn once(path: &PathBuf) -> f64 {
    let began = Instant::now();
    let status = Command::new(path).status();
    assert!(
        status.is_ok_and(|status| status.success()),
        "{} does not run: build with --bins",
        path.display()
    );
    began.elapsed().as_secs_f64() * 1e3
}
