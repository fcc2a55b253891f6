//! Who is measured, each in a file of its own. A file sets its peer up as the peer's own documentation advises for
//! speed, makes calls equivalent to those of ops-sdk, and finds out from the peer's own output how many of them were
//! recorded. What sets a peer apart is said at the top of its file.
//!
//! One rule for all of them about inlining: what a user writes where it is measured, a macro or the call of a method,
//! stands in the loop itself, as it does in a user's function (`#[inline(always)]` on a function that only names it);
//! a function of the user's that is measured as a whole is never inlined, and neither is its body.

mod autometrics;
mod emit;
mod fastrace;
mod limit;
mod metrics;
mod metrique;
mod opentelemetry;
mod ops;
mod prometheus;
mod quicklog;
mod slog;
mod spdlog;
mod tracing;

use std::hint::black_box;

use crate::cases::Case;

/// The cases of each, the limit of the machine first, ops-sdk last.
pub const ALL: &[&[Case]] = &[
    limit::CASES,
    prometheus::CASES,
    opentelemetry::CASES,
    metrics::CASES,
    autometrics::CASES,
    tracing::CASES,
    fastrace::CASES,
    metrique::CASES,
    emit::CASES,
    slog::CASES,
    spdlog::CASES,
    quicklog::CASES,
    ops::CASES,
];

/// A value known only at run time, one of three.
fn region(n: u64) -> &'static str {
    const REGIONS: [&str; 3] = ["eu-west-1", "us-east-1", "ap-south-1"];
    REGIONS[(n % 3) as usize]
}

/// A value known only at run time, one of five; as text, for those who take only text.
fn code(n: u64) -> &'static str {
    const CODES: [&str; 5] = ["0", "1", "2", "3", "4"];
    CODES[(n % 5) as usize]
}

/// What the measured functions do: next to nothing, and never fail.
#[inline(always)]
fn work(n: u64) -> Result<u64, u64> {
    if n == u64::MAX { Err(n) } else { Ok(black_box(n)) }
}

/// The message of every event: 60 bytes. Macros that want a literal repeat it.
const MESSAGE: &str = "the order was accepted and leaves the warehouse this evening";
const _: () = assert!(MESSAGE.len() == 60);
