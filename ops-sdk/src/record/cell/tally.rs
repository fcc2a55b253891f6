//! What gauges and histograms keep of their values besides the buckets: how many, their sum, and the extremes of the
//! window. Of the calls of a function of which not all are timed, each value stands for several.
//!
//! Written by the owning thread under a sequence number that is odd while a write is going on and counts the writes:
//! half of it is the number of values. A reader that meets a write half way tries again. Where a thread writes without
//! a pause, or was stopped half way, it takes what is there: the sum is then ahead of the count by the values that came
//! meanwhile, which the next window makes up for. Nothing is lost by that, or told twice.

use std::mem::offset_of;

use super::super::remains::Bytes;
use super::super::sync::{self, AtomicU32, AtomicU64, Ordering, fence};
use super::super::taking::Taking;

/// Count, sum and extremes. Those of a window begin when the reader closes the one before.
#[repr(C)]
pub(super) struct Tally {
    seq: AtomicU64,
    /// The sum of this window's values, in parts that take turns: a sum that is read back from where it was just
    /// written costs more time than all else in a call, and so each is left alone for a while.
    recent: [AtomicU64; TURNS],
    min: AtomicU64,
    max: AtomicU64,
    /// Whether a value of this window was written. Cleared by the reader when it closes a window; a value that is
    /// written at that very moment may fall between two windows: the next one counts it, and its buckets bound the
    /// extremes.
    open: AtomicU32,
    /// The sum of the windows before, and what rounding has left out of it: without that, one value of 1e100 would
    /// swallow every smaller one that ever comes after it, and a sum of bytes would lose whole numbers from 2^53 on.
    high: AtomicU64,
    low: AtomicU64,
    taken_seq: AtomicU64,
    taken: [AtomicU64; SUMS],
}

/// Parts of a window's sum.
const TURNS: usize = 2;
/// A sum is kept in so many pieces.
const SUMS: usize = 2 + TURNS;

/// What a window told.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Told {
    pub(super) count: u64,
    pub(super) sum: f64,
    pub(super) min: f64,
    pub(super) max: f64,
}

/// Where the reader stands when it has read: what to mark as taken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    seq: u64,
    sums: [f64; SUMS],
}

#[inline(always)]
fn get(word: &AtomicU64) -> f64 {
    f64::from_bits(word.load(Ordering::Relaxed))
}

#[inline(always)]
fn put(word: &AtomicU64, value: f64) {
    word.store(value.to_bits(), Ordering::Relaxed);
}

impl Tally {
    /// Whether this window has a value.
    #[inline(always)]
    fn is_open(&self) -> bool {
        self.open.load(Ordering::Relaxed) != 0
    }

    /// Whether this window has values between the smallest and the largest of which a positive one lies: then it may be
    /// written by [`Tally::write_again`]. Bits are compared: those of positive values are in the values' order, and those
    /// of all others are, as signed numbers, less.
    #[inline(always)]
    pub(super) fn spans(&self, positive: f64) -> bool {
        let bits = |word: &AtomicU64| word.load(Ordering::Relaxed).cast_signed();
        let value = positive.to_bits().cast_signed();
        self.is_open() && value >= bits(&self.min) && value <= bits(&self.max)
    }

    /// Takes in a value that is none of the extremes, which stands for `weight` of its kind, and runs `more` with it.
    #[inline(always)]
    pub(super) fn write_again(&self, value: f64, weight: f64, more: impl FnOnce()) {
        self.written(|turn| {
            put(turn, get(turn) + value * weight);
            more();
        });
    }

    /// Takes in any value, which stands for `weight` of its kind, and runs `more` with it; `top` before that if it is the
    /// largest so far.
    pub(super) fn write(&self, value: f64, weight: f64, top: impl FnOnce(), more: impl FnOnce()) {
        self.written(|turn| {
            let is_first = !self.is_open();
            if is_first {
                self.begin(value);
            }
            put(turn, get(turn) + value * weight);
            put(&self.min, value.min(get(&self.min)));
            if is_first || value > get(&self.max) {
                put(&self.max, value);
                top();
            }
            more();
        });
    }

    /// Before the first value of a window.
    fn begin(&self, value: f64) {
        for turn in &self.recent {
            let (sum, error) = two_sum(get(&self.high), get(turn));
            put(&self.high, sum);
            put(&self.low, get(&self.low) + error);
            put(turn, 0.0);
        }
        [&self.min, &self.max].into_iter().for_each(|word| put(word, value));
        self.open.store(1, Ordering::Relaxed);
    }

    /// Runs `write` between two steps of the sequence number, with the part of the sum whose turn it is.
    #[inline(always)]
    #[allow(clippy::cast_possible_truncation)] // the low bits are what is wanted
    fn written(&self, write: impl FnOnce(&AtomicU64)) {
        let before = self.seq.load(Ordering::Relaxed);
        self.seq.store(before.wrapping_add(1), Ordering::Relaxed);
        fence(Ordering::Release);
        write(&self.recent[(before / 2) as usize % TURNS]);
        self.seq.store(before.wrapping_add(2), Ordering::Release);
    }

    /// How many values were written so far.
    pub(super) fn values(&self) -> u64 {
        self.seq.load(Ordering::Relaxed) / 2
    }

    /// Whether a value was written since the last mark.
    pub(super) fn has_more(&self) -> bool {
        self.seq.load(Ordering::Relaxed) != self.taken_seq.load(Ordering::Relaxed)
    }

    /// Reads this and what belongs to it, without a write in between if that can be had within so many tries.
    pub(super) fn read<R>(&self, tries: u32, more: impl Fn() -> R) -> (Told, Mark, R) {
        for _ in 1..sync::tries(tries) {
            let before = self.seq.load(Ordering::Acquire);
            if before & 1 == 0 {
                let result = self.read_once(before, &more);
                fence(Ordering::Acquire);
                if self.seq.load(Ordering::Relaxed) == before {
                    return result;
                }
            }
            sync::spin_loop();
        }
        self.read_once(self.seq.load(Ordering::Acquire) & !1, &more)
    }

    fn read_once<R>(&self, seq: u64, more: &impl Fn() -> R) -> (Told, Mark, R) {
        let more = more(); // first: a count must not be ahead of the sum
        let sums = [&self.high, &self.low, &self.recent[0], &self.recent[1]].map(get);
        let count = seq.wrapping_sub(self.taken_seq.load(Ordering::Relaxed)) / 2;
        let sum = gained(sums, std::array::from_fn(|piece| get(&self.taken[piece])));
        (Told { count, sum, min: get(&self.min), max: get(&self.max) }, Mark { seq, sums }, more)
    }

    /// Closes the window: what was read up to this mark is not told again.
    pub(super) fn close(&self, mark: Mark, taking: Taking) {
        taking.note(&self.taken_seq);
        self.taken.iter().for_each(|word| taking.note(word));
        taking.note_extremes(&self.min, &self.max);
        self.taken_seq.store(mark.seq, Ordering::Relaxed);
        self.taken.iter().zip(mark.sums).for_each(|(word, sum)| put(word, sum));
        self.open.store(0, Ordering::Relaxed);
    }

    /// What that of a dead process had to tell. A value that was being written is among the sum, perhaps, and not
    /// counted.
    pub(super) fn dead(bytes: &Bytes, at: usize) -> Told {
        let word = |offset| bytes.long(at + offset);
        let double = |offset| f64::from_bits(word(offset));
        let recent = offset_of!(Tally, recent);
        let sums =
            [offset_of!(Tally, high), offset_of!(Tally, low), recent, recent + size_of::<u64>()].map(double);
        let taken = std::array::from_fn(|piece| double(offset_of!(Tally, taken) + 8 * piece));
        let count = (word(offset_of!(Tally, seq)) & !1).wrapping_sub(word(offset_of!(Tally, taken_seq))) / 2;
        let [min, max] = [offset_of!(Tally, min), offset_of!(Tally, max)].map(double);
        Told { count, sum: gained(sums, taken), min, max }
    }

    /// From one of the extremes to the word that says whether there is a value in the window.
    pub(in super::super) const OPEN_AFTER_MIN: usize = offset_of!(Tally, open) - offset_of!(Tally, min);
    pub(in super::super) const OPEN_AFTER_MAX: usize = offset_of!(Tally, open) - offset_of!(Tally, max);

    /// Stops half way in a write, as a thread that is stopped does; and goes on.
    #[cfg(test)]
    pub(super) fn stand_still(&self, still: bool) {
        let step = if still { 1 } else { u64::MAX };
        self.seq.fetch_add(step, Ordering::Relaxed);
    }
}

/// How much a sum in pieces has gained. The pieces may be of any size, and what they gained much smaller.
fn gained(now: [f64; SUMS], before: [f64; SUMS]) -> f64 {
    let terms = now.into_iter().zip(before).flat_map(|(now, before)| [now, -before]);
    let (sum, left_out) = terms.fold((0.0, 0.0), |(sum, left_out), term| {
        let (sum, error) = two_sum(sum, term);
        (sum, left_out + error)
    });
    sum + left_out
}

/// A sum and what rounding left out of it (Knuth: exact, whichever is larger).
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let added = sum - a;
    (sum, (a - (sum - added)) + (b - added))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_sum_in_pieces_has_gained_survives_pieces_that_are_much_larger() {
        let table = [
            ([1e100, 0.0, 1000.0, 0.0], [0.0, 0.0, 1e100, 0.0], 1000.0),
            ([1e100, 0.25, 3.0, 0.5], [1e100, 0.0, 1.0, 0.0], 2.75),
            ([2f64.powi(60), 1.0, 2.0, 4.0], [2f64.powi(60), 0.0, 0.0, 0.0], 7.0),
            ([0.0, 0.0, 0.5, 0.25], [0.0, 0.0, 0.5, 0.25], 0.0),
        ];
        for (now, before, wanted) in table {
            assert_eq!(gained(now, before), wanted, "{now:?} {before:?}");
        }
    }
}
