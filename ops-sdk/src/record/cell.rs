//! Cells: where one thread counts for one series. The owning thread alone writes, so a sum is a load, an addition and
//! a store; the flush thread alone reads, and remembers in the cell what it has taken, so that what is not taken yet
//! is known from the arena alone. Sums only ever rise; a window is the difference between two readings.

use super::arena::Resident;
use super::sync::{AtomicU32, AtomicU64, Ordering};
use crate::clock::Ticks;

mod histogram;
mod tally;

pub(super) use self::histogram::{Draw, HistogramCell, MISHAPS, Observed};
use self::tally::Tally;

/// What every cell starts with.
#[repr(C)]
pub(super) struct CellHead {
    /// The cell of this lane that was made before.
    pub(super) next: AtomicU32,
    /// Where the values of the dimensions are written.
    pub(super) key: AtomicU32,
    /// The site's number, and how many values there are.
    pub(super) id: AtomicU64,
    pub(super) hash: AtomicU64,
    /// Whose turn it is with the cell; see `expire`.
    pub(super) state: AtomicU32,
    /// Bytes that the place of the values has room for.
    pub(super) key_room: AtomicU32,
    /// When the reader found nothing in it for the first time, by its clock; 0 while it finds something.
    pub(super) idle_since_ms: AtomicU64,
}

/// A counter.
#[repr(C, align(64))]
pub(super) struct CounterCell {
    pub(super) head: CellHead,
    sum: AtomicU64,
    taken: AtomicU64,
}

/// A gauge.
#[repr(C, align(64))]
pub(super) struct GaugeCell {
    pub(super) head: CellHead,
    tally: Tally,
    last: AtomicU64,
    set_at: AtomicU64,
}

// SAFETY: atomics only; zero is valid for each; alignment 64.
unsafe impl Resident for CellHead {}
// SAFETY: as above.
unsafe impl Resident for CounterCell {}
// SAFETY: as above.
unsafe impl Resident for GaugeCell {}

/// What a gauge did within a window.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct GaugeDelta {
    /// The value set last, and when.
    pub(crate) last: f64,
    pub(crate) set_at: Ticks,
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) sum: f64,
    pub(crate) count: u64,
}

/// Adds to a value that only this thread writes.
#[inline(always)]
fn add(cell: &AtomicU64, n: u64) {
    cell.store(cell.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
}

impl CounterCell {
    #[inline(always)]
    pub(super) fn add(&self, n: u64) {
        add(&self.sum, n);
    }

    /// Whether nothing was counted since that was asked last.
    pub(super) fn is_taken(&self) -> bool {
        self.sum.load(Ordering::Relaxed) == self.taken.load(Ordering::Relaxed)
    }

    /// What was counted since this was asked last.
    pub(super) fn take(&self) -> u64 {
        let sum = self.sum.load(Ordering::Relaxed);
        sum.wrapping_sub(self.taken.swap(sum, Ordering::Relaxed))
    }
}

impl GaugeCell {
    #[inline]
    pub(super) fn set(&self, value: f64, at: Ticks) {
        self.tally.write(
            value,
            1.0,
            || {},
            || {
                self.last.store(value.to_bits(), Ordering::Relaxed);
                self.set_at.store(at, Ordering::Relaxed);
            },
        );
    }

    /// Whether nothing was set since that was asked last.
    pub(super) fn is_taken(&self) -> bool {
        !self.tally.has_more()
    }

    /// What was set since this was asked last.
    pub(super) fn take(&self) -> Option<GaugeDelta> {
        let last = || (self.last.load(Ordering::Relaxed), self.set_at.load(Ordering::Relaxed));
        let (told, mark, (last, set_at)) = self.tally.read(256, last);
        if told.count == 0 {
            return None;
        }
        self.tally.close(mark);
        let last = f64::from_bits(last);
        // A value that was set just when the window before was closed may not be among the extremes.
        let (min, max) = (told.min.min(last), told.max.max(last));
        Some(GaugeDelta { last, set_at, min, max, sum: told.sum, count: told.count })
    }
}

#[cfg(test)]
mod tests;
