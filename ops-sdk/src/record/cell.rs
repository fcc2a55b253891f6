//! Cells: where one thread counts for one series. The owning thread alone writes, so a sum is a load, an addition and
//! a store; the flush thread alone reads, and remembers in the cell what it has taken, so that what is not taken yet
//! is known from the arena alone. Sums only ever rise; a window is the difference between two readings.

use std::mem::offset_of;

use super::arena::{Offset, Resident};
use super::remains::Bytes;
use super::sync::{AtomicU32, AtomicU64, Ordering};
use super::taking::Taking;
use crate::clock::Ticks;

mod histogram;
mod tally;

pub(super) use self::histogram::{Draw, HistogramCell, MISHAPS, Observed};
use self::tally::{Tally, Told};

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

impl GaugeDelta {
    fn of(told: Told, last: f64, set_at: Ticks) -> GaugeDelta {
        // A value that was set just when the window before was closed may not be among the extremes.
        let (min, max) = (told.min.min(last), told.max.max(last));
        GaugeDelta { last, set_at, min, max, sum: told.sum, count: told.count }
    }
}

/// What says whose a cell of a dead process is.
pub(super) struct DeadHead {
    pub(super) key: Offset,
    id: u64,
}

/// From the smallest and the largest value of a window to the word that says whether there is one.
pub(super) const EXTREME_TO_OPEN: [usize; 2] = [Tally::OPEN_AFTER_MIN, Tally::OPEN_AFTER_MAX];

impl DeadHead {
    /// The number of its site, and how many values its key has.
    pub(super) fn site(&self) -> u32 {
        (self.id >> 8) as u32
    }

    pub(super) fn values(&self) -> usize {
        (self.id & 0xFF) as usize
    }

    pub(super) fn read(bytes: &Bytes, at: usize) -> DeadHead {
        DeadHead {
            key: bytes.short(at + offset_of!(CellHead, key)),
            id: bytes.long(at + offset_of!(CellHead, id)),
        }
    }
}

impl CellHead {
    pub(super) const NEXT_AT: usize = offset_of!(CellHead, next);
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
    pub(super) fn take(&self, taking: Taking) -> u64 {
        let (sum, taken) = (self.sum.load(Ordering::Relaxed), self.taken.load(Ordering::Relaxed));
        if sum != taken {
            taking.note(&self.taken);
            self.taken.store(sum, Ordering::Relaxed);
        }
        sum.wrapping_sub(taken)
    }

    /// What was counted in that of a dead process, and not taken.
    pub(super) fn dead(bytes: &Bytes, at: usize) -> u64 {
        let word = |offset| bytes.long(at + offset);
        word(offset_of!(CounterCell, sum)).wrapping_sub(word(offset_of!(CounterCell, taken)))
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
    pub(super) fn take(&self, taking: Taking) -> Option<GaugeDelta> {
        let last = || (self.last.load(Ordering::Relaxed), self.set_at.load(Ordering::Relaxed));
        let (told, mark, (last, set_at)) = self.tally.read(256, last);
        if told.count == 0 {
            return None;
        }
        self.tally.close(mark, taking);
        Some(GaugeDelta::of(told, f64::from_bits(last), set_at))
    }

    /// What was set in that of a dead process, and not taken.
    pub(super) fn dead(bytes: &Bytes, at: usize) -> Option<GaugeDelta> {
        let told = Tally::dead(bytes, at + offset_of!(GaugeCell, tally));
        let last = f64::from_bits(bytes.long(at + offset_of!(GaugeCell, last)));
        (told.count > 0).then(|| GaugeDelta::of(told, last, bytes.long(at + offset_of!(GaugeCell, set_at))))
    }
}

#[cfg(test)]
mod tests;
