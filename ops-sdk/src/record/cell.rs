//! Cells: where one thread counts for one series. The owning thread alone writes, so a sum is a load, an addition and
//! a store; the flush thread alone reads, and remembers in the cell what it has taken, so that what is not taken yet
//! is known from the arena alone. Sums only ever rise; a window is the difference between two readings.
//!
//! What belongs together (sum, extremes, buckets) is written under a sequence number that is odd while a write is
//! going on and counts the writes: half of it is the number of samples. A reader that meets a write half way tries
//! again. Where a thread writes without a pause, or was stopped half way, it takes what is there: the sum is then ahead
//! of the count by the samples that came meanwhile, which the next window makes up for. Nothing is lost by that, or
//! told twice.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

use super::arena::{Arena, Resident};
use crate::clock::Ticks;
use crate::model::{Distribution, Resolution, bucket_of, index_of_positive, is_valid_value, lower_bound};

/// Buckets that are reserved together: one power of two.
const CHUNK: usize = 128;
/// Powers of two of one sign that have buckets; [`bucket_of`] numbers them from 1.
const CHUNKS: usize = 96;

/// Ways in which a call may not end well.
pub(super) const MISHAPS: usize = 4;

/// What every cell starts with.
#[repr(C)]
pub(super) struct CellHead {
    /// The cell of this lane that was made before.
    pub(super) next: AtomicU32,
    /// The site's number.
    pub(super) site: AtomicU32,
    /// Where the values of the dimensions are written, and their length in bytes.
    pub(super) key: AtomicU32,
    pub(super) key_bytes: AtomicU32,
    pub(super) hash: AtomicU64,
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
    seq: AtomicU64,
    sum: Sum,
    last: AtomicU64,
    set_at: AtomicU64,
    extremes: [Extremes; 2],
    taken_seq: AtomicU64,
    taken_sum: Sum,
}

/// A histogram; also the calls of a function, of which it holds the durations.
#[repr(C, align(64))]
pub(super) struct HistogramCell {
    pub(super) head: CellHead,
    seq: AtomicU64,
    sum: Sum,
    extremes: [Extremes; 2],
    /// Calls that did not end well, each way of it counted by itself.
    pub(super) endings: [AtomicU64; MISHAPS],
    /// Calls that were counted without their duration.
    untimed: AtomicU64,
    /// One more than the calls that pass until the next one is timed; 0 while that is not drawn.
    until_timed: AtomicU32,
    taken_untimed: AtomicU64,
    zeros: AtomicU32,
    /// Where the buckets of each power of two are, positive values first.
    chunks: [AtomicU32; 2 * CHUNKS],
    taken_zeros: AtomicU32,
    taken_seq: AtomicU64,
    taken_sum: Sum,
    taken_endings: [AtomicU64; MISHAPS],
}

/// A sum of doubles and what rounding has left out of it: without that, one value of 1e100 would swallow every smaller
/// one that ever comes after it, and a sum of bytes would lose whole numbers from 2^53 on.
#[repr(C)]
struct Sum {
    high: AtomicU64,
    low: AtomicU64,
}

/// The smallest and the largest value of a window, in the place for even or for odd windows.
#[repr(C)]
struct Extremes {
    epoch: AtomicU32,
    min: AtomicU64,
    max: AtomicU64,
}

/// The buckets of one power of two, and how much of each was taken.
#[repr(C, align(64))]
struct Chunk {
    counts: [AtomicU32; CHUNK],
    taken: [AtomicU32; CHUNK],
}

// SAFETY: atomics only; zero is valid for each; alignment 64.
unsafe impl Resident for CellHead {}
// SAFETY: as above.
unsafe impl Resident for CounterCell {}
// SAFETY: as above.
unsafe impl Resident for GaugeCell {}
// SAFETY: as above.
unsafe impl Resident for HistogramCell {}
// SAFETY: as above.
unsafe impl Resident for Chunk {}

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
#[inline]
fn add(cell: &AtomicU64, n: u64) {
    cell.store(cell.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
}

impl Sum {
    /// Adds a value (Knuth's sum of two: exact, whichever is larger).
    #[inline(always)]
    fn add(&self, value: f64) {
        let (high, low) = self.get();
        let sum = high + value;
        let added = sum - high;
        self.put((sum, low + ((high - (sum - added)) + (value - added))));
    }

    #[inline]
    fn get(&self) -> (f64, f64) {
        let get = |word: &AtomicU64| f64::from_bits(word.load(Ordering::Relaxed));
        (get(&self.high), get(&self.low))
    }

    #[inline]
    fn put(&self, (high, low): (f64, f64)) {
        self.high.store(high.to_bits(), Ordering::Relaxed);
        self.low.store(low.to_bits(), Ordering::Relaxed);
    }
}

/// How much a sum has gained.
fn gained(now: (f64, f64), before: (f64, f64)) -> f64 {
    (now.0 - before.0) + (now.1 - before.1)
}

/// Runs `write` between two steps of the sequence number.
#[inline(always)]
fn written<R>(seq: &AtomicU64, write: impl FnOnce() -> R) -> R {
    let before = seq.load(Ordering::Relaxed);
    seq.store(before.wrapping_add(1), Ordering::Relaxed);
    fence(Ordering::Release);
    let result = write();
    seq.store(before.wrapping_add(2), Ordering::Release);
    result
}

/// Runs `read` until no write came between, which it does not wait for longer than this many tries. Hands it the
/// number of the last write that has ended.
fn read_whole<R>(seq: &AtomicU64, tries: u32, mut read: impl FnMut(u64) -> R) -> R {
    for _ in 1..tries {
        let before = seq.load(Ordering::Acquire);
        if before & 1 == 0 {
            let result = read(before);
            fence(Ordering::Acquire);
            if seq.load(Ordering::Relaxed) == before {
                return result;
            }
        }
        std::hint::spin_loop();
    }
    read(seq.load(Ordering::Acquire) & !1)
}

impl CounterCell {
    #[inline]
    pub(super) fn add(&self, n: u64) {
        add(&self.sum, n);
    }

    /// What was counted since this was asked last.
    pub(super) fn take(&self) -> u64 {
        let sum = self.sum.load(Ordering::Relaxed);
        sum.wrapping_sub(self.taken.swap(sum, Ordering::Relaxed))
    }
}

impl Extremes {
    #[inline(always)]
    fn note(&self, epoch: u32, value: f64) {
        if self.epoch.load(Ordering::Relaxed) != epoch {
            self.begin(epoch, value);
        } else if value < f64::from_bits(self.min.load(Ordering::Relaxed)) {
            self.min.store(value.to_bits(), Ordering::Relaxed);
        } else if value > f64::from_bits(self.max.load(Ordering::Relaxed)) {
            self.max.store(value.to_bits(), Ordering::Relaxed);
        }
    }

    /// The first value of a window.
    #[cold]
    #[inline(never)]
    fn begin(&self, epoch: u32, value: f64) {
        self.epoch.store(epoch, Ordering::Relaxed);
        self.min.store(value.to_bits(), Ordering::Relaxed);
        self.max.store(value.to_bits(), Ordering::Relaxed);
    }

    /// Widens `(min, max)` by this place if it belongs to a window from `epoch` on.
    fn widen(&self, epoch: u32, (min, max): (f64, f64)) -> (f64, f64) {
        // Windows are numbered round a circle; within it, later is less than half way round.
        if self.epoch.load(Ordering::Relaxed).wrapping_sub(epoch) > u32::MAX / 2 {
            return (min, max);
        }
        let (low, high) = (self.min.load(Ordering::Relaxed), self.max.load(Ordering::Relaxed));
        (min.min(f64::from_bits(low)), max.max(f64::from_bits(high)))
    }
}

/// The place of windows with this number.
#[inline]
fn place(extremes: &[Extremes; 2], epoch: u32) -> &Extremes {
    &extremes[(epoch & 1) as usize]
}

fn extremes_since(extremes: &[Extremes; 2], epoch: u32) -> (f64, f64) {
    let none = (f64::INFINITY, f64::NEG_INFINITY);
    extremes.iter().fold(none, |widest, place| place.widen(epoch, widest))
}

impl Arena {
    /// The number of the window that is open.
    #[inline]
    pub(super) fn epoch(&self, resolution: Resolution) -> &'static AtomicU32 {
        &self.head().epochs[usize::from(resolution == Resolution::High)]
    }
}

impl GaugeCell {
    #[inline]
    pub(super) fn set(&self, value: f64, at: Ticks, epoch: u32) {
        written(&self.seq, || {
            self.last.store(value.to_bits(), Ordering::Relaxed);
            self.set_at.store(at, Ordering::Relaxed);
            self.sum.add(value);
            place(&self.extremes, epoch).note(epoch, value);
        });
    }

    /// What was set since this was asked last, of which the window `epoch` is the one to tell.
    pub(super) fn take(&self, epoch: u32) -> Option<GaugeDelta> {
        let (delta, seq, sum) = read_whole(&self.seq, 256, |seq| {
            let sum = self.sum.get();
            let (min, max) = extremes_since(&self.extremes, epoch);
            let delta = GaugeDelta {
                last: f64::from_bits(self.last.load(Ordering::Relaxed)),
                set_at: self.set_at.load(Ordering::Relaxed),
                min,
                max,
                sum: gained(sum, self.taken_sum.get()),
                count: seq.wrapping_sub(self.taken_seq.load(Ordering::Relaxed)) / 2,
            };
            (delta, seq, sum)
        });
        if delta.count == 0 {
            return None;
        }
        self.taken_seq.store(seq, Ordering::Relaxed);
        self.taken_sum.put(sum);
        Some(delta.bounded())
    }
}

impl GaugeDelta {
    /// Extremes that are known for certain even when the window changed between a value and its note.
    fn bounded(mut self) -> GaugeDelta {
        self.min = self.min.min(self.last);
        self.max = self.max.max(self.last);
        self
    }
}

/// What became of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Observed {
    Yes,
    /// It is none that can be told: not finite, or beyond what CloudWatch takes.
    Invalid,
    /// The arena has no room for its bucket.
    NoRoom,
}

impl HistogramCell {
    /// Observes a value. Nearly all values are positive, of a common size, and fall where others fell before: those
    /// take the short road, and that they are valid follows from their bucket.
    #[inline(always)]
    pub(super) fn observe(&self, arena: Arena, value: f64, epoch: u32) -> Observed {
        let Some(index) = index_of_positive(value) else { return self.observe_rare(arena, value, epoch) };
        let chunk = self.chunks[index / CHUNK].load(Ordering::Relaxed);
        let Some(chunk) = arena.at::<Chunk>(chunk) else { return self.observe_rare(arena, value, epoch) };
        self.note(&chunk.counts[index % CHUNK], value, epoch);
        Observed::Yes
    }

    #[cold]
    #[inline(never)]
    fn observe_rare(&self, arena: Arena, value: f64, epoch: u32) -> Observed {
        if !is_valid_value(value) {
            return Observed::Invalid;
        }
        let Some(bucket) = self.bucket(arena, value) else { return Observed::NoRoom };
        self.note(bucket, value, epoch);
        Observed::Yes
    }

    #[inline(always)]
    fn note(&self, bucket: &AtomicU32, value: f64, epoch: u32) {
        written(&self.seq, || {
            self.sum.add(value);
            // The count comes last, so that a sum which is read after it is never behind.
            bucket.store(bucket.load(Ordering::Relaxed).wrapping_add(1), Ordering::Release);
            place(&self.extremes, epoch).note(epoch, value);
        });
    }

    /// Counts a call that did not end well.
    #[inline]
    pub(super) fn ended(&self, ending: usize) {
        add(&self.endings[ending], 1);
    }

    /// How many calls ended so since this was asked last.
    pub(super) fn take_ending(&self, ending: usize) -> u64 {
        let sum = self.endings[ending].load(Ordering::Relaxed);
        sum.wrapping_sub(self.taken_endings[ending].swap(sum, Ordering::Relaxed))
    }

    /// Counts down to the next call that is timed, and then draws how many pass until the one after it. Whether this is
    /// the one.
    #[inline(always)]
    pub(super) fn counts_down(&self, draw: impl Fn() -> u32) -> bool {
        let left = self.until_timed.load(Ordering::Relaxed);
        if left > 1 {
            self.until_timed.store(left - 1, Ordering::Relaxed);
            return false;
        }
        self.draw(left == 1, draw)
    }

    #[cold]
    #[inline(never)]
    fn draw(&self, is_timed: bool, draw: impl Fn() -> u32) -> bool {
        // The first call of all is chosen with the same chance as any other.
        let is_timed = is_timed || draw() == 0;
        self.until_timed.store(draw() + 1, Ordering::Relaxed);
        is_timed
    }

    #[cfg(test)]
    pub(super) fn forget_gap(&self) {
        self.until_timed.store(0, Ordering::Relaxed);
    }

    /// Counts a call without its duration.
    #[inline(always)]
    pub(super) fn untimed(&self) {
        add(&self.untimed, 1);
    }

    /// How many calls were counted without their duration since this was asked last.
    pub(super) fn take_untimed(&self) -> u64 {
        let sum = self.untimed.load(Ordering::Relaxed);
        sum.wrapping_sub(self.taken_untimed.swap(sum, Ordering::Relaxed))
    }

    fn bucket(&self, arena: Arena, value: f64) -> Option<&AtomicU32> {
        let number = bucket_of(value);
        if number == 0 {
            return Some(&self.zeros);
        }
        let index = usize::from(number.unsigned_abs()) - 1;
        let place = self.chunks.get(index / CHUNK + if number < 0 { CHUNKS } else { 0 })?;
        let chunk = match arena.at::<Chunk>(place.load(Ordering::Relaxed)) {
            Some(chunk) => chunk,
            None => Self::reserve_chunk(arena, place)?,
        };
        Some(&chunk.counts[index % CHUNK])
    }

    #[cold]
    fn reserve_chunk(arena: Arena, place: &AtomicU32) -> Option<&'static Chunk> {
        let offset = arena.reserve(size_of::<Chunk>())?;
        place.store(offset, Ordering::Release);
        arena.at(offset)
    }

    /// What was observed since this was asked last, of which the window `epoch` is the one to tell.
    pub(super) fn take(&self, arena: Arena, epoch: u32) -> Option<Distribution> {
        if self.seq.load(Ordering::Relaxed) == self.taken_seq.load(Ordering::Relaxed) {
            return None;
        }
        let (mut delta, seq, sum) = read_whole(&self.seq, 16, |seq| {
            let buckets = self.buckets_since(arena);
            let count = buckets.iter().map(|(_, n)| n).sum();
            let sum = self.sum.get();
            let (min, max) = extremes_since(&self.extremes, epoch);
            (Distribution { count, sum: gained(sum, self.taken_sum.get()), min, max, buckets }, seq, sum)
        });
        if delta.count == 0 {
            return None;
        }
        self.taken_seq.store(seq, Ordering::Relaxed);
        self.taken_sum.put(sum);
        self.mark_taken(arena, &delta.buckets);
        bound(&mut delta);
        Some(delta)
    }

    fn buckets_since(&self, arena: Arena) -> Vec<(i16, u64)> {
        let mut buckets = Vec::new();
        self.each_bucket(arena, |number, count, taken| {
            let n = count.load(Ordering::Acquire).wrapping_sub(taken.load(Ordering::Relaxed));
            if n > 0 {
                buckets.push((number, u64::from(n)));
            }
        });
        buckets
    }

    fn mark_taken(&self, arena: Arena, buckets: &[(i16, u64)]) {
        let mut left = buckets.iter().peekable();
        self.each_bucket(arena, |number, _, taken| {
            if let Some((_, n)) = left.next_if(|(bucket, _)| *bucket == number) {
                #[allow(clippy::cast_possible_truncation)] // it was a u32 when it was read
                taken.store(taken.load(Ordering::Relaxed).wrapping_add(*n as u32), Ordering::Relaxed);
            }
        });
    }

    /// Every bucket that has memory, in rising order of its values.
    fn each_bucket(&self, arena: Arena, mut visit: impl FnMut(i16, &AtomicU32, &AtomicU32)) {
        let chunk = |at: usize| arena.at::<Chunk>(self.chunks[at].load(Ordering::Acquire));
        #[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap)] // at most 12,288
        let number = |at: usize, within: usize| (at * CHUNK + within + 1) as i16;
        for at in (0..CHUNKS).rev() {
            let Some(chunk) = chunk(CHUNKS + at) else { continue };
            (0..CHUNK).rev().for_each(|i| visit(-number(at, i), &chunk.counts[i], &chunk.taken[i]));
        }
        visit(0, &self.zeros, &self.taken_zeros);
        for at in 0..CHUNKS {
            let Some(chunk) = chunk(at) else { continue };
            (0..CHUNK).for_each(|i| visit(number(at, i), &chunk.counts[i], &chunk.taken[i]));
        }
    }
}

/// Holds the extremes within the buckets at both ends: the window may have changed between a value and its note.
fn bound(delta: &mut Distribution) {
    let (Some((first, _)), Some((last, _))) = (delta.buckets.first(), delta.buckets.last()) else { return };
    if !delta.min.is_finite() || bucket_of(delta.min) != *first {
        delta.min = lower_bound(*first);
    }
    if !delta.max.is_finite() || bucket_of(delta.max) != *last {
        delta.max = lower_bound(*last);
    }
}

#[cfg(test)]
mod tests;
