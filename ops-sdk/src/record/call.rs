//! A call of a function that is measured: two readings of the clock, and what was between them into the thread's cell of
//! the function. What stands in the user's function is one word and a branch; the rest is not inlined there.

use super::cell::{HistogramCell, MISHAPS};
use super::metric::{observe_cell, observe_weighted, warm_cell, with_cell, with_cell_by, with_cell_cold};
use super::outcome::{Ending, How};
use super::{Label, Site, on, sample, stamp};
use crate::clock::Ticks;

/// How a call ended, if not well: the place in the cell where such endings are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mishap {
    /// It returned an error.
    Error = 0,
    /// It panicked.
    Panic = 1,
    /// Its future was dropped before it was done.
    Cancelled = 2,
    /// It returned an error that is the caller's own.
    ClientError = 3,
}

impl Mishap {
    /// Each of them, in the order of its number.
    pub(crate) const ALL: [Mishap; MISHAPS] =
        [Mishap::Error, Mishap::Panic, Mishap::Cancelled, Mishap::ClientError];

    #[inline]
    pub(super) fn of(how: How) -> Option<Mishap> {
        match how {
            How::Ok => None,
            How::Error => Some(Mishap::Error),
            How::ClientError => Some(Mishap::ClientError),
        }
    }
}

/// A call in progress. Dropped before it is [`Call::done`], it is one that panicked, or was cancelled.
#[must_use = "a call that is dropped at once is counted as cancelled"]
#[derive(Debug)]
pub struct Call {
    site: &'static Site,
    /// One word, so that a function keeps it in a register: when the call began, or one of the two below.
    start: Ticks,
}

/// Recording was off when the call began, or it has ended.
pub(super) const OFF: Ticks = 0;
/// The call was counted when it began, and is not timed.
pub(super) const UNTIMED: Ticks = 1;

/// Set in the word of a call that was chosen among others. What it stands for is in the five bits below.
const CHOSEN: Ticks = 1 << 63;
const THINNED_AT: u32 = 58;
/// The ticks that are left: they go round every few years, and their differences with them.
const TICKS: Ticks = (1 << THINNED_AT) - 1;

/// Begins a call, unless recording is off.
#[inline(always)]
pub fn enter(site: &'static Site) -> Call {
    if on() { enter_on(site) } else { Call { site, start: OFF } }
}

/// Begins a call while recording is on: reads the clock, unless this call is not to be timed.
#[inline(always)]
pub fn enter_on(site: &'static Site) -> Call {
    let start = if site.timed_every() <= 1 { stamp::ticks() } else { begin(site) };
    Call { site, start }
}

/// Begins a call of a site of which not all calls are timed.
#[inline(always)]
pub(super) fn begin(site: &'static Site) -> Ticks {
    match warm_cell(site) {
        Some(cell) => begin_in(site, cell),
        None => begin_cold(site),
    }
}

#[cold]
#[inline(never)]
fn begin_cold(site: &'static Site) -> Ticks {
    let mut start = UNTIMED;
    with_cell_cold(site, |cell| start = begin_in(site, cell));
    start
}

/// Begins such a call, which is counted in `cell`.
#[inline(always)]
pub(super) fn begin_in(site: &Site, cell: &HistogramCell) -> Ticks {
    sample::is_timed(site, cell).map_or(UNTIMED, begin_chosen)
}

#[cold]
#[inline(never)]
fn begin_chosen(thinned: u32) -> Ticks {
    CHOSEN | u64::from(thinned) << THINNED_AT | (stamp::ticks() & TICKS)
}

/// How long a call took, and of how many calls it is the one that was timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Timed {
    ticks: u64,
    weight: u32,
}

/// How long a call took that began so, if it was timed.
#[inline(always)]
pub(super) fn timed(site: &Site, start: Ticks) -> Option<Timed> {
    if start & CHOSEN != 0 {
        return Some(chosen(site, start, stamp::ticks()));
    }
    (start != UNTIMED).then(|| Timed { ticks: stamp::between(start, stamp::ticks()), weight: 1 })
}

#[allow(clippy::cast_possible_truncation)] // five bits
fn chosen(site: &Site, start: Ticks, end: Ticks) -> Timed {
    let ticks = end.wrapping_sub(start) & TICKS;
    let thinned = (start >> THINNED_AT) as u32 & 31;
    // The wrong way round is more than half way round.
    let ticks = if ticks > TICKS / 2 { 0 } else { ticks };
    Timed { ticks, weight: site.sample.max(1).checked_shl(thinned).unwrap_or(u32::MAX) }
}

impl Call {
    /// Ends the call: reads the clock and counts.
    #[inline(always)]
    pub fn done(mut self, ending: Ending) {
        let start = std::mem::replace(&mut self.start, OFF);
        match (ending.label(), Mishap::of(ending.how())) {
            (None, None) if start <= UNTIMED => {}
            (None, None) => finish(self.site, start),
            (label, mishap) if start != OFF => finish_otherwise(self.site, start, mishap, label),
            _ => {}
        }
    }
}

impl Drop for Call {
    #[inline(always)]
    fn drop(&mut self) {
        if self.start != OFF {
            abandoned(self.site, self.start);
        }
    }
}

#[cold]
#[inline(never)]
fn abandoned(site: &'static Site, start: Ticks) {
    let mishap = if std::thread::panicking() { Mishap::Panic } else { Mishap::Cancelled };
    finish_otherwise(site, start, Some(mishap), None);
}

/// Ends a call that was timed and went well. Not inlined: what is measured keeps its registers, and its size.
#[inline(never)]
fn finish(site: &'static Site, start: Ticks) {
    if start & CHOSEN != 0 {
        return finish_chosen(site, start);
    }
    let ticks = stamp::between(start, stamp::ticks());
    match warm_cell(site) {
        Some(cell) => observe_cell(cell, in_units(site, ticks)),
        None => finish_cold(site, Timed { ticks, weight: 1 }),
    }
}

#[inline(never)]
fn finish_chosen(site: &'static Site, start: Ticks) {
    let timed = chosen(site, start, stamp::ticks());
    match warm_cell(site) {
        Some(cell) => observe_weighted(cell, in_units(site, timed.ticks), timed.weight),
        None => finish_cold(site, timed),
    }
}

#[cold]
#[inline(never)]
fn finish_cold(site: &'static Site, Timed { ticks, weight }: Timed) {
    with_cell_cold(site, |cell| observe_weighted(cell, in_units(site, ticks), weight));
}

/// Ends a call of any kind.
#[inline(never)]
fn finish_otherwise(site: &'static Site, start: Ticks, mishap: Option<Mishap>, label: Option<&'static str>) {
    let timed = timed(site, start);
    match label {
        None => with_cell(site, |cell| count_call(site, cell, mishap, timed)),
        // One value more than the site has keys: the reader knows it for the label.
        Some(label) => {
            with_cell_by(site, &[Label::Str(label)], |cell| count_labelled(site, cell, mishap, timed));
        }
    }
}

/// A duration in the site's unit.
#[inline(always)]
#[allow(clippy::cast_precision_loss)] // exact up to a month
fn in_units(site: &Site, ticks: u64) -> f64 {
    ticks.cast_signed() as f64 * site.per_tick()
}

/// Counts a call that has ended, where it was timed; else it was counted when it began, and only how it ended is new.
#[inline(always)]
pub(super) fn count_call(
    site: &Site,
    cell: &'static HistogramCell,
    mishap: Option<Mishap>,
    timed: Option<Timed>,
) {
    if let Some(mishap) = mishap {
        cell.ended(mishap as usize);
    }
    if let Some(Timed { ticks, weight }) = timed {
        observe_weighted(cell, in_units(site, ticks), weight);
    }
}

/// Counts a call in the cell of its label.
pub(super) fn count_labelled(
    site: &Site,
    cell: &'static HistogramCell,
    mishap: Option<Mishap>,
    timed: Option<Timed>,
) {
    count_call(site, cell, mishap, timed);
    if timed.is_none() {
        cell.untimed();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Kind, Source};

    #[test]
    fn what_a_chosen_call_stands_for_is_in_its_word_and_its_ticks_go_round() {
        static SITE: Site = Site::new(Kind::Call, "a", Source { target: "t", file: "f", line: 1 }).sample(10);
        let word = |thinned: u64, ticks: u64| CHOSEN | thinned << THINNED_AT | (ticks & TICKS);
        let table = [
            (word(0, 5), 12, Timed { ticks: 7, weight: 10 }),
            (word(3, TICKS), TICKS + 3, Timed { ticks: 3, weight: 80 }),
            (word(1, u64::MAX - 1), 1 << 40, Timed { ticks: (1 << 40) + 2, weight: 20 }),
            (word(1, 100), 99, Timed { ticks: 0, weight: 20 }),
        ];
        for (start, end, wanted) in table {
            assert_eq!(chosen(&SITE, start, end), wanted, "{start:x}");
        }
        SITE.thin(40);
        assert!(SITE.timed_every() >= 10 << 20);
        SITE.thin(2);
        assert_eq!(SITE.timed_every(), 40);
    }
}
