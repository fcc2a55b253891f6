//! What measuring a call costs on this machine: tried out on a cell that belongs to no lane, and so is never told.

use std::hint::black_box;

use once_cell::sync::OnceCell;

use super::arena::{Arena, Offset};
use super::cell::HistogramCell;
use super::metric::observe_cell;
use super::{Kind, Site, Source, sample, stamp};

/// Nanoseconds that a call pays for being measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Cost {
    /// A call that is timed: two readings of the clock and a value observed.
    pub(crate) timed_ns: f64,
    /// A call that is only counted.
    pub(crate) counted_ns: f64,
}

/// Calls in a round; the fastest of the rounds is the one that nothing disturbed.
const CALLS: u32 = 500;
const ROUNDS: u32 = 5;

/// Measures it (0.1 ms). `None` if the arena has no room for a cell.
pub(crate) fn cost() -> Option<Cost> {
    static SITE: Site =
        Site::new(Kind::Call, "ops_sdk::cost", Source { target: "ops_sdk", file: file!(), line: line!() })
            .sample(1 << 30);
    static CELL: OnceCell<Offset> = OnceCell::new();
    let arena = Arena::get()?;
    let offset = CELL.get_or_try_init(|| arena.reserve(size_of::<HistogramCell>()).ok_or(())).ok()?;
    let cell: &'static HistogramCell = arena.at(*offset)?;
    let timed = || {
        let start = black_box(stamp::ticks());
        #[allow(clippy::cast_precision_loss)] // a moment
        observe_cell(cell, stamp::between(start, stamp::ticks()) as f64);
    };
    let counted = || _ = black_box(sample::is_timed(&SITE, cell));
    Some(Cost { timed_ns: fastest(timed), counted_ns: fastest(counted) })
}

/// Nanoseconds of a call in the fastest round.
#[allow(clippy::cast_precision_loss)] // a moment
fn fastest(call: impl Fn()) -> f64 {
    let round = || {
        let start = stamp::ticks();
        (0..CALLS).for_each(|_| call());
        stamp::between(start, stamp::ticks()) as f64 * stamp::nanoseconds() / f64::from(CALLS)
    };
    (0..ROUNDS).map(|_| round()).fold(f64::INFINITY, f64::min)
}
