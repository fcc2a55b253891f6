//! Speed, measured side by side in one run: each case in fresh processes, several rounds, interleaved, and verified
//! against what was really recorded.
//!
//! ```text
//! cargo run --release --manifest-path bench/Cargo.toml -- hot      what a call costs
//! cargo run --release --manifest-path bench/Cargo.toml -- flood    what three million events cost until they are text
//! cargo run --release --manifest-path bench/Cargo.toml -- loss     what arrives, and is accounted for, in trouble
//! cargo run --release --manifest-path bench/Cargo.toml -- throughput  how many events a second one core carries
//! cargo run --release --manifest-path bench/Cargo.toml -- encode   what turning a record into each backend's bytes costs
//! cargo run --release --manifest-path bench/Cargo.toml -- clock    what reading a clock costs, and linking it
//! ```

mod alloc;
mod cases;
mod child;
mod clock;
mod encode;
mod flood;
mod hot;
mod loss;
mod peers;
mod plan;
mod sink;
mod table;
mod throughput;

use std::process::ExitCode;
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: alloc::Counting = alloc::Counting;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["hot"] => hot::run(""),
        ["hot", only] => hot::run(only),
        ["flood"] => flood::run(""),
        ["flood", only] => flood::run(only),
        ["loss"] => loss::run("", loss::OUTAGE),
        ["loss", "--seconds", seconds] => loss::run("", outage(seconds)),
        ["loss", only] => loss::run(only, loss::OUTAGE),
        ["loss", only, "--seconds", seconds] => loss::run(only, outage(seconds)),
        ["clock"] => clock::run(),
        ["case", section, name, threads] => cases::run(section, name, threads.parse().unwrap_or(1)),
        ["throughput"] => throughput::run(),
        ["encode"] => encode::run(""),
        ["encode", only] => encode::run(only),
        ["carry", ref words @ ..] if throughput::step(words).is_some() => {}
        ["lose", ref words @ ..] if loss::drive(words).is_some() => {}
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

const USAGE: &str =
    "usage: ops-bench hot [part of a section's or case's name] | flood [part of a case's name] |
    loss [part of a case's or peer's name] [--seconds N] | throughput | encode [part of a name] | clock";

fn outage(seconds: &str) -> Duration {
    seconds.parse().map_or(loss::OUTAGE, Duration::from_secs)
}
