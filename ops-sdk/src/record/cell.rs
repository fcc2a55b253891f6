//! Cells: where one thread counts for one series. The owning thread alone writes, so a sum is a load, an addition and
//! a store; the flush thread alone reads, and remembers in the cell what it has taken, so that what is not taken yet
//! is known from the arena alone. Sums only ever rise; a window is the difference between two readings.
//!
//! What belongs together (sum, extremes, buckets) is written under a sequence number that is odd while a write is
//! going on and counts the writes: half of it is the number of samples. A reader that meets a write half way tries
//! again, and leaves the cell to the next window if the writer was stopped there; nothing is lost by that.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

use super::arena::{Arena, Resident};
use crate::clock::Ticks;
use crate::model::{Distribution, Resolution, bucket_of, lower_bound};

/// Buckets that are reserved together: one power of two.
const CHUNK: usize = 128;
/// Powers of two of one sign that have buckets; [`bucket_of`] numbers them from 1.
const CHUNKS: usize = 96;

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
    sum: AtomicU64,
    last: AtomicU64,
    set_at: AtomicU64,
    extremes: [Extremes; 2],
    taken_seq: AtomicU64,
    taken_sum: AtomicU64,
}

/// A histogram; also the calls of a function, of which it holds the durations.
#[repr(C, align(64))]
pub(super) struct HistogramCell {
    pub(super) head: CellHead,
    seq: AtomicU64,
    sum: AtomicU64,
    extremes: [Extremes; 2],
    /// Calls that failed, panicked, or were dropped half way.
    pub(super) endings: [AtomicU64; 3],
    zeros: AtomicU32,
    /// Where the buckets of each power of two are, positive values first.
    chunks: [AtomicU32; 2 * CHUNKS],
    taken_zeros: AtomicU32,
    taken_seq: AtomicU64,
    taken_sum: AtomicU64,
    taken_endings: [AtomicU64; 3],
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

#[inline]
fn add_f64(cell: &AtomicU64, value: f64) {
    let sum = f64::from_bits(cell.load(Ordering::Relaxed)) + value;
    cell.store(sum.to_bits(), Ordering::Relaxed);
}

/// Runs `write` between two steps of the sequence number.
#[inline]
fn written<R>(seq: &AtomicU64, write: impl FnOnce() -> R) -> R {
    let before = seq.load(Ordering::Relaxed);
    seq.store(before.wrapping_add(1), Ordering::Relaxed);
    fence(Ordering::Release);
    let result = write();
    seq.store(before.wrapping_add(2), Ordering::Release);
    result
}

/// Runs `read` until no write came between; `None` if the writer stands still half way.
fn read_whole<R>(seq: &AtomicU64, mut read: impl FnMut(u64) -> R) -> Option<R> {
    for _ in 0..256 {
        let before = seq.load(Ordering::Acquire);
        if before & 1 == 0 {
            let result = read(before);
            fence(Ordering::Acquire);
            if seq.load(Ordering::Relaxed) == before {
                return Some(result);
            }
        }
        std::hint::spin_loop();
    }
    None
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
    #[inline]
    fn note(&self, epoch: u32, value: f64) {
        if self.epoch.load(Ordering::Relaxed) == epoch {
            if value < f64::from_bits(self.min.load(Ordering::Relaxed)) {
                self.min.store(value.to_bits(), Ordering::Relaxed);
            }
            if value > f64::from_bits(self.max.load(Ordering::Relaxed)) {
                self.max.store(value.to_bits(), Ordering::Relaxed);
            }
        } else {
            self.epoch.store(epoch, Ordering::Relaxed);
            self.min.store(value.to_bits(), Ordering::Relaxed);
            self.max.store(value.to_bits(), Ordering::Relaxed);
        }
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
            add_f64(&self.sum, value);
            place(&self.extremes, epoch).note(epoch, value);
        });
    }

    /// What was set since this was asked last, of which the window `epoch` is the one to tell.
    pub(super) fn take(&self, epoch: u32) -> Option<GaugeDelta> {
        let (delta, seq, sum) = read_whole(&self.seq, |seq| {
            let sum = f64::from_bits(self.sum.load(Ordering::Relaxed));
            let (min, max) = extremes_since(&self.extremes, epoch);
            let delta = GaugeDelta {
                last: f64::from_bits(self.last.load(Ordering::Relaxed)),
                set_at: self.set_at.load(Ordering::Relaxed),
                min,
                max,
                sum: sum - f64::from_bits(self.taken_sum.load(Ordering::Relaxed)),
                count: seq.wrapping_sub(self.taken_seq.load(Ordering::Relaxed)) / 2,
            };
            (delta, seq, sum)
        })?;
        self.taken_seq.store(seq, Ordering::Relaxed);
        self.taken_sum.store(sum.to_bits(), Ordering::Relaxed);
        (delta.count > 0).then(|| delta.bounded())
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

impl HistogramCell {
    /// Observes a value. Says false if the arena has no room for its bucket; the value is then not observed.
    #[inline]
    pub(super) fn observe(&self, arena: Arena, value: f64, epoch: u32) -> bool {
        let Some(bucket) = self.bucket(arena, value) else { return false };
        written(&self.seq, || {
            bucket.store(bucket.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
            add_f64(&self.sum, value);
            place(&self.extremes, epoch).note(epoch, value);
        });
        true
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

    #[inline]
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
        let (mut delta, seq, sum) = read_whole(&self.seq, |seq| {
            let sum = f64::from_bits(self.sum.load(Ordering::Relaxed));
            let (min, max) = extremes_since(&self.extremes, epoch);
            let delta = Distribution {
                count: seq.wrapping_sub(self.taken_seq.load(Ordering::Relaxed)) / 2,
                sum: sum - f64::from_bits(self.taken_sum.load(Ordering::Relaxed)),
                min,
                max,
                buckets: self.buckets_since(arena),
            };
            (delta, seq, sum)
        })?;
        self.taken_seq.store(seq, Ordering::Relaxed);
        self.taken_sum.store(sum.to_bits(), Ordering::Relaxed);
        self.mark_taken(arena, &delta.buckets);
        bound(&mut delta);
        Some(delta)
    }

    fn buckets_since(&self, arena: Arena) -> Vec<(i16, u64)> {
        let mut buckets = Vec::new();
        self.each_bucket(arena, |number, count, taken| {
            let n = count.load(Ordering::Relaxed).wrapping_sub(taken.load(Ordering::Relaxed));
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
