//! A call of a function that is measured: two readings of the clock, and what was between them into the thread's cell of
//! the function. What stands in the user's function is one word and a branch; the rest is not inlined there.

use super::cell::{HistogramCell, MISHAPS};
use super::metric::{observe_cell, warm_cell, with_cell, with_cell_by, with_cell_cold};
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

/// Begins a call: reads the clock, unless recording is off or this call is not to be timed.
#[inline(always)]
pub fn enter(site: &'static Site) -> Call {
    let start = if !on() {
        OFF
    } else if site.timed_every() <= 1 || is_timed(site) {
        stamp::ticks()
    } else {
        UNTIMED
    };
    Call { site, start }
}

/// Whether this call is one to be timed; if not, it is counted.
#[inline(always)]
pub(super) fn is_timed(site: &'static Site) -> bool {
    match warm_cell(site) {
        Some(cell) => sample::is_timed(cell, site.timed_every()),
        None => is_timed_cold(site),
    }
}

#[cold]
#[inline(never)]
fn is_timed_cold(site: &'static Site) -> bool {
    let mut timed = false;
    with_cell_cold(site, |cell: &HistogramCell| timed = sample::is_timed(cell, site.timed_every()));
    timed
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
    let ticks = stamp::between(start, stamp::ticks());
    match warm_cell(site) {
        Some(cell) => observe_cell(cell, in_units(site, ticks)),
        None => finish_cold(site, ticks),
    }
}

#[cold]
#[inline(never)]
fn finish_cold(site: &'static Site, ticks: u64) {
    with_cell_cold(site, |cell| observe_cell(cell, in_units(site, ticks)));
}

/// Ends a call of any kind.
#[inline(never)]
fn finish_otherwise(site: &'static Site, start: Ticks, mishap: Option<Mishap>, label: Option<&'static str>) {
    let ticks = elapsed(start);
    match label {
        None => with_cell(site, |cell| count_call(site, cell, mishap, ticks)),
        // One value more than the site has keys: the reader knows it for the label.
        Some(label) => {
            with_cell_by(site, &[Label::Str(label)], |cell| count_labelled(site, cell, mishap, ticks));
        }
    }
}

/// The ticks since `start`, if the call was timed.
#[inline(always)]
pub(super) fn elapsed(start: Ticks) -> Option<u64> {
    (start != UNTIMED).then(|| stamp::between(start, stamp::ticks()))
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
    ticks: Option<u64>,
) {
    if let Some(mishap) = mishap {
        cell.ended(mishap as usize);
    }
    if let Some(ticks) = ticks {
        observe_cell(cell, in_units(site, ticks));
    }
}

/// Counts a call in the cell of its label.
pub(super) fn count_labelled(
    site: &Site,
    cell: &'static HistogramCell,
    mishap: Option<Mishap>,
    ticks: Option<u64>,
) {
    count_call(site, cell, mishap, ticks);
    if ticks.is_none() {
        cell.untimed();
    }
}
