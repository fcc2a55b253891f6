//! The cell of a histogram, and of the calls of a function. Buckets are reserved a power of two at a time, so that a
//! series which only ever takes a few milliseconds takes little memory.

use std::mem::offset_of;

use super::super::arena::{Arena, Resident};
use super::super::context;
use super::super::remains::Bytes;
use super::super::sync::{AtomicU32, AtomicU64, Ordering};
use super::super::taking::Taking;
use super::tally::{Tally, Told};
use super::{CellHead, add};
use crate::model::{Distribution, bucket_of, index_of_positive, is_valid_value, lower_bound};

/// Buckets that are reserved together: one power of two.
const CHUNK: usize = 128;
/// Powers of two of one sign that have buckets; [`bucket_of`] numbers them from 1.
const CHUNKS: usize = 96;

/// Ways in which a call may not end well.
pub(in super::super) const MISHAPS: usize = 4;

/// A histogram; also the calls of a function, of which it holds the durations.
#[repr(C, align(64))]
pub(in super::super) struct HistogramCell {
    pub(in super::super) head: CellHead,
    tally: Tally,
    /// The correlation of the window's largest value, its upper half first; 0 if it had none.
    exemplar: [AtomicU64; 2],
    /// Calls that did not end well, each way of it counted by itself.
    endings: [AtomicU64; MISHAPS],
    /// Calls without a duration that were counted when they ended.
    untimed: AtomicU64,
    /// Calls without a duration that were counted when they began; see [`Countdown`].
    countdown: AtomicU64,
    zeros: AtomicU32,
    /// Where the buckets of each power of two are, positive values first.
    chunks: [AtomicU32; 2 * CHUNKS],
    taken_zeros: AtomicU32,
    taken_untimed: AtomicU64,
    taken_countdown: AtomicU64,
    taken_endings: [AtomicU64; MISHAPS],
    /// Calls that remember the cell: those that began, without those that ended on a thread of this lane; and those that
    /// ended elsewhere.
    open: AtomicU64,
    closed_elsewhere: AtomicU64,
}

/// The buckets of one power of two, and how much of each was taken.
#[repr(C, align(64))]
struct Chunk {
    counts: [AtomicU32; CHUNK],
    taken: [AtomicU32; CHUNK],
}

// SAFETY: atomics only; zero is valid for each; alignment 64.
unsafe impl Resident for HistogramCell {}
// SAFETY: as above.
unsafe impl Resident for Chunk {}

/// What became of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Observed {
    Yes,
    /// It is none that can be told: not finite, or beyond what CloudWatch takes.
    Invalid,
    /// The arena has no room for its bucket.
    NoRoom,
}

impl HistogramCell {
    /// Observes a value, which stands for `weight` of its kind, such as nearly all are: positive, of a common size, where
    /// others fell before, in a window that has smaller and larger ones already. Says false, and does nothing, if it is
    /// not one of these; that such a value is valid follows from its bucket. Calls nothing, so that no register must be
    /// saved for it.
    #[inline(always)]
    pub(in super::super) fn observe_again(&self, arena: Arena, value: f64, weight: u32) -> bool {
        let Some(index) = index_of_positive(value) else { return false };
        let Some(chunk) = arena.at::<Chunk>(self.chunks[index / CHUNK].load(Ordering::Relaxed)) else {
            return false;
        };
        let spans = self.tally.spans(value);
        if spans {
            self.tally.write_again(value, f64::from(weight), || up(&chunk.counts[index % CHUNK], weight));
        }
        spans
    }

    /// Observes any value, which stands for `weight` of its kind.
    pub(in super::super) fn observe(&self, arena: Arena, value: f64, weight: u32) -> Observed {
        if !is_valid_value(value) {
            return Observed::Invalid;
        }
        let Some(bucket) = self.bucket(arena, value) else { return Observed::NoRoom };
        self.tally.write(value, f64::from(weight), || self.exemplify(), || up(bucket, weight));
        Observed::Yes
    }

    /// Keeps the correlation of the value that is the largest so far.
    #[inline]
    fn exemplify(&self) {
        let halves = context::correlation();
        self.exemplar.iter().zip(halves).for_each(|(word, half)| word.store(half, Ordering::Relaxed));
    }

    fn exemplar(&self) -> Option<u128> {
        let [upper, lower] =
            [0, 1].map(|half: usize| u128::from(self.exemplar[half].load(Ordering::Relaxed)));
        Some(upper << 64 | lower).filter(|id| *id != 0)
    }

    /// Counts a call that did not end well.
    #[inline(always)]
    pub(in super::super) fn ended(&self, ending: usize) {
        add(&self.endings[ending], 1);
    }

    /// How many calls ended so since this was asked last.
    pub(in super::super) fn take_ending(&self, ending: usize, taking: Taking) -> u64 {
        let (sum, before) = take(&self.endings[ending], &self.taken_endings[ending], taking);
        sum.wrapping_sub(before)
    }

    /// Counts a call that begins, unless it is one to be timed: then says what was kept with the draw that chose it.
    #[inline(always)]
    pub(in super::super) fn is_timed(&self, draw: impl Fn() -> Draw) -> Option<u32> {
        let countdown = Countdown(self.countdown.load(Ordering::Relaxed));
        if countdown.passes() {
            self.countdown.store(countdown.next().0, Ordering::Relaxed);
            return None;
        }
        self.draw(countdown, draw)
    }

    #[cold]
    #[inline(never)]
    fn draw(&self, countdown: Countdown, draw: impl Fn() -> Draw) -> Option<u32> {
        let next = draw();
        // The first call of all is chosen with the same chance as any other, and the one after a gap too long to count.
        let chosen = match countdown.is_drawn() {
            true => Some(countdown.thinned()),
            false => Some(draw()).filter(|draw| draw.gap == 0).map(|draw| draw.thinned),
        };
        self.countdown.store(countdown.drawn(u64::from(chosen.is_none()), next).0, Ordering::Relaxed);
        chosen
    }

    /// How many calls were counted here so far, those that ended with a duration and all others. The others count round
    /// at 2^35.
    pub(in super::super) fn calls(&self) -> (u64, u64) {
        let untimed = Countdown(self.countdown.load(Ordering::Relaxed)).passed();
        (self.tally.values(), untimed)
    }

    #[cfg(test)]
    pub(in super::super) fn forget_gap(&self) {
        self.countdown.store(0, Ordering::Relaxed);
    }

    /// A call begins that remembers the cell. For the lane's thread alone, as is [`HistogramCell::close_call`].
    #[inline(always)]
    pub(in super::super) fn open_call(&self) {
        add(&self.open, 1);
    }

    /// It has ended, on a thread of the cell's lane.
    #[inline(always)]
    pub(in super::super) fn close_call(&self) {
        add(&self.open, u64::MAX); // one less
    }

    /// It has ended on another thread, which looks at the cell no more.
    pub(in super::super) fn close_call_elsewhere(&self) {
        self.closed_elsewhere.fetch_add(1, Ordering::Release);
    }

    /// Whether a call remembers the cell.
    pub(in super::super) fn is_open(&self) -> bool {
        self.open.load(Ordering::Relaxed) != self.closed_elsewhere.load(Ordering::Acquire)
    }

    /// Whether nothing was observed or counted since that was asked last.
    pub(in super::super) fn is_taken(&self) -> bool {
        let same =
            |now: &AtomicU64, taken: &AtomicU64| now.load(Ordering::Relaxed) == taken.load(Ordering::Relaxed);
        let counted =
            same(&self.untimed, &self.taken_untimed) && same(&self.countdown, &self.taken_countdown);
        let endings = self.endings.iter().zip(&self.taken_endings).all(|(now, taken)| same(now, taken));
        !self.tally.has_more() && counted && endings
    }

    /// Counts a call without its duration.
    #[inline(always)]
    pub(in super::super) fn untimed(&self) {
        add(&self.untimed, 1);
    }

    /// How many calls were counted without their duration since this was asked last: when they began, and when they
    /// ended.
    pub(in super::super) fn take_untimed(&self, taking: Taking) -> (u64, u64) {
        let (began, before) = take(&self.countdown, &self.taken_countdown, taking);
        let (ended, taken) = take(&self.untimed, &self.taken_untimed, taking);
        (Countdown(began).passed_since(Countdown(before)), ended.wrapping_sub(taken))
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

    /// What was observed since this was asked last, and how many values that were, whatever each of them stands for.
    pub(in super::super) fn take(&self, arena: Arena, taking: Taking) -> Option<(Distribution, u64)> {
        if !self.tally.has_more() {
            return None;
        }
        let (told, mark, (buckets, exemplar)) =
            self.tally.read(16, || (self.buckets_since(arena), self.exemplar()));
        let count: u64 = buckets.iter().map(|(_, n)| n).sum();
        // A value may have been told before it was counted, by a reading that gave up waiting: its count is left then.
        if count == 0 && told.count == 0 {
            return None;
        }
        self.tally.close(mark, taking);
        self.mark_taken(arena, &buckets, taking);
        Some((bounded(told, count, buckets, exemplar), told.count))
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

    fn mark_taken(&self, arena: Arena, buckets: &[(i16, u64)], taking: Taking) {
        let mut left = buckets.iter().peekable();
        self.each_bucket(arena, |number, _, taken| {
            if let Some((_, n)) = left.next_if(|(bucket, _)| *bucket == number) {
                taking.note_short(taken);
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

/// What a word of the writer's holds, and what it held when this was asked last.
fn take(word: &AtomicU64, taken: &AtomicU64, taking: Taking) -> (u64, u64) {
    let (now, before) = (word.load(Ordering::Relaxed), taken.load(Ordering::Relaxed));
    if now != before {
        taking.note(taken);
        taken.store(now, Ordering::Relaxed);
    }
    (now, before)
}

/// What that of a dead process had to tell and was not taken.
pub(in super::super) struct Dead {
    /// What was observed, and how many values that were.
    pub(in super::super) values: Option<(Distribution, u64)>,
    /// Calls without a duration: counted when they began, and when they ended.
    pub(in super::super) untimed: (u64, u64),
    pub(in super::super) endings: [u64; MISHAPS],
}

impl HistogramCell {
    pub(in super::super) fn dead(bytes: &Bytes, at: usize) -> Dead {
        let long = |offset| bytes.long(at + offset);
        let told = Tally::dead(bytes, at + offset_of!(HistogramCell, tally));
        let buckets = dead_buckets(bytes, at);
        let count: u64 = buckets.iter().map(|(_, n)| n).sum();
        // The correlation of the largest may be that of a window before, and nobody can say.
        let values = (count > 0 || told.count > 0).then(|| (bounded(told, count, buckets, None), told.count));
        let began = Countdown(long(offset_of!(HistogramCell, countdown)));
        let before = Countdown(long(offset_of!(HistogramCell, taken_countdown)));
        let ended = long(offset_of!(HistogramCell, untimed));
        Dead {
            values,
            untimed: (
                began.passed_since(before),
                ended.wrapping_sub(long(offset_of!(HistogramCell, taken_untimed))),
            ),
            endings: std::array::from_fn(|ending| {
                let taken = long(offset_of!(HistogramCell, taken_endings) + 8 * ending);
                long(offset_of!(HistogramCell, endings) + 8 * ending).wrapping_sub(taken)
            }),
        }
    }
}

/// The buckets of a dead process's cell, in rising order of their values.
fn dead_buckets(bytes: &Bytes, at: usize) -> Vec<(i16, u64)> {
    let gained = |count: usize, taken: usize| u64::from(bytes.short(count).wrapping_sub(bytes.short(taken)));
    let chunk = |which: usize| bytes.short(at + offset_of!(HistogramCell, chunks) + 4 * which);
    let within = |which: usize, i: usize| {
        let chunk = Bytes::place(chunk(which));
        gained(chunk + offset_of!(Chunk, counts) + 4 * i, chunk + offset_of!(Chunk, taken) + 4 * i)
    };
    #[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap)] // at most 12,288
    let number = |chunk: usize, i: usize| (chunk * CHUNK + i + 1) as i16;
    let all = |chunk: usize| (0..CHUNK).map(move |i| (chunk, i));
    let negative = (0..CHUNKS).rev().filter(|at| chunk(CHUNKS + at) != 0).flat_map(|at| all(at).rev());
    let negative = negative.map(|(at, i)| (-number(at, i), within(CHUNKS + at, i)));
    let zeros = gained(at + offset_of!(HistogramCell, zeros), at + offset_of!(HistogramCell, taken_zeros));
    let positive = (0..CHUNKS).filter(|at| chunk(*at) != 0).flat_map(all);
    let positive = positive.map(|(at, i)| (number(at, i), within(at, i)));
    negative.chain([(0, zeros)]).chain(positive).filter(|(_, n)| *n > 0).collect()
}

/// More in a bucket. The count comes last, so that a sum which is read after it is never behind.
#[inline(always)]
fn up(bucket: &AtomicU32, n: u32) {
    bucket.store(bucket.load(Ordering::Relaxed).wrapping_add(n), Ordering::Release);
}

/// The distribution, with its extremes held within the buckets at both ends: a value may have been written just when
/// the window before was closed.
fn bounded(told: Told, count: u64, buckets: Vec<(i16, u64)>, exemplar: Option<u128>) -> Distribution {
    if count == 0 {
        return Distribution::default();
    }
    let within = |value: f64, bucket: Option<&(i16, u64)>| match bucket {
        Some((bucket, _)) if bucket_of(value) != *bucket => lower_bound(*bucket),
        _ => value,
    };
    let min = within(told.min, buckets.first());
    // Of one bucket, whose lower bound may be all that is known of the largest, but not less than the smallest.
    let max = within(told.max, buckets.last()).max(min);
    // It was that of another window's value where the largest is not the one that was read.
    let exemplar = exemplar.filter(|_| max == told.max);
    Distribution { count, sum: told.sum, min, max, buckets, exemplar }
}

/// How many calls pass from one that is timed to the next, and a number below 31 to be kept with that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Draw {
    pub(in super::super) gap: u32,
    pub(in super::super) thinned: u32,
}

/// Kept with a gap that is too long to count down: at its end nothing is chosen, and another one is drawn. Since each
/// call is chosen with the same chance whatever came before, that makes no difference.
const AGAIN: u32 = 31;

/// How many calls pass until the next one is timed, and how many have passed, in one word that is one less after each
/// of them: one more than those to come (0 while that is not drawn) in the lower bits, then what is kept with the draw,
/// and all that were ever drawn above.
#[derive(Clone, Copy)]
struct Countdown(u64);

impl Countdown {
    const LEFT: u64 = (1 << 24) - 1;
    const THINNED_AT: u32 = 24;
    const DRAWN_AT: u32 = Countdown::THINNED_AT + 5;

    #[inline(always)]
    fn passes(self) -> bool {
        self.0 & Countdown::LEFT > 1
    }

    #[inline(always)]
    fn next(self) -> Countdown {
        Countdown(self.0 - 1)
    }

    /// Whether the call to which it counts down is one to be timed, or only one for which to draw again.
    fn is_drawn(self) -> bool {
        self.0 & Countdown::LEFT != 0 && self.thinned() != AGAIN
    }

    #[allow(clippy::cast_possible_truncation)] // five bits
    fn thinned(self) -> u32 {
        (self.0 >> Countdown::THINNED_AT) as u32 & 31
    }

    /// With so many calls passed, and those of this draw to come.
    fn drawn(self, passed: u64, draw: Draw) -> Countdown {
        let gap = u64::from(draw.gap).min(Countdown::LEFT - 1);
        let all = (self.0 >> Countdown::DRAWN_AT) + passed + gap;
        let kept = if gap < u64::from(draw.gap) { AGAIN } else { draw.thinned.min(AGAIN - 1) };
        let kept = u64::from(kept) << Countdown::THINNED_AT;
        Countdown(all << Countdown::DRAWN_AT | kept | (gap + 1))
    }

    /// How many calls have passed in all; counts round.
    fn passed(self) -> u64 {
        (self.0 >> Countdown::DRAWN_AT).wrapping_sub((self.0 & Countdown::LEFT).saturating_sub(1))
            & (u64::MAX >> Countdown::DRAWN_AT)
    }

    fn passed_since(self, before: Countdown) -> u64 {
        self.passed().wrapping_sub(before.passed()) & (u64::MAX >> Countdown::DRAWN_AT)
    }
}

#[cfg(test)]
impl HistogramCell {
    pub(super) fn stand_still(&self, still: bool) {
        self.tally.stand_still(still);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extremes_of_another_window_are_held_within_the_buckets_and_in_order() {
        let bucket = bucket_of(514.0);
        for (min, max) in [(514.0, 3.0), (514.0, 515.0), (3.0, 514.0), (900.0, 1.0), (3.0, 900.0)] {
            let told = Told { count: 1, sum: 514.0, min, max };
            let told = bounded(told, 1, vec![(bucket, 1)], None);
            assert!(told.min <= told.max, "{min} {max}: {told:?}");
            assert_eq!([told.min, told.max].map(bucket_of), [bucket; 2], "{min} {max}: {told:?}");
        }
    }

    #[test]
    fn a_countdown_knows_how_many_have_passed_all_the_way_round() {
        let mut countdown = Countdown(u64::MAX << Countdown::DRAWN_AT); // about to go round
        let (start, mut passed) = (countdown, 0);
        for gap in [0u32, 3, 1, 0, 200, u32::MAX] {
            let thinned = if gap == u32::MAX { AGAIN } else { gap % 31 };
            countdown = countdown.drawn(0, Draw { gap, thinned: gap % 31 });
            assert_eq!(countdown.is_drawn(), gap < u32::MAX);
            for _ in 0..gap.min(500) {
                if countdown.passes() {
                    (countdown, passed) = (countdown.next(), passed + 1);
                }
                assert_eq!((countdown.passed_since(start), countdown.thinned()), (passed, thinned), "{gap}");
            }
        }
        countdown = Countdown(0).drawn(1, Draw { gap: 2, thinned: 0 });
        assert_eq!((countdown.passed_since(Countdown(0)), countdown.is_drawn()), (1, true));
    }
}
