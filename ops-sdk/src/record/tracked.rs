//! A call that was asked for more than its number and duration: dimensions, a gauge of calls in progress. What it needs
//! of the arguments is taken when it begins, for the body may move them.
//!
//! The values of the dimensions are looked up once, at the beginning, and the call keeps the cell that they led to.
//! Where it ends on another thread, that cell is not its own to write: the values, which stay in the arena, are looked
//! up again there.

use std::ptr;

use super::arena::Arena;
use super::call::{self, Mishap, OFF, UNTIMED};
use super::cell::HistogramCell;
use super::lane::{self, Lane};
use super::metric::{self, DIMENSIONS_MAX};
use super::outcome::Ending;
use super::{Budget, InFlight, Label, Series, Site, Values, budget, registry, series, stamp};
use crate::clock::Ticks;

/// A call in progress. Dropped before it is [`Tracked::done`], it is one that panicked, or was cancelled.
#[must_use = "a call that is dropped at once is counted as cancelled"]
pub struct Tracked {
    site: &'static Site,
    /// When it began, [`OFF`] or [`UNTIMED`].
    start: Ticks,
    cell: Place,
}

/// Where a call is counted.
#[derive(Clone, Copy)]
enum Place {
    /// In the cell of the site.
    Site,
    /// In the cell of its dimensions, which belongs to this lane.
    Dimensions(&'static Lane, &'static HistogramCell),
    /// There was no room; that is counted already.
    Nowhere,
}

/// Begins a call while recording is on.
#[inline]
pub fn track(site: &'static Site, labels: &[Label<'_>]) -> Tracked {
    begin(site, || if labels.is_empty() { Place::Site } else { place(site, labels) })
}

/// Begins a call of these dimensions while recording is on.
#[inline]
pub fn track_in<B: Budget, const N: usize, V: Values>(series: Series<B, N>, values: V) -> Tracked {
    const { budget::within::<B, V>() };
    begin(series.site(), || {
        let mut place = Place::Nowhere;
        series.with_cell(&values, |cell| place = Place::of(cell));
        place
    })
}

#[inline]
fn begin(site: &'static Site, place: impl FnOnce() -> Place) -> Tracked {
    if let Some(in_flight) = site.in_flight {
        // A call that never ends must be known, too.
        if site.slot() == 0 {
            registry::number(site);
        }
        in_flight.begin();
    }
    let cell = place();
    // The clock comes last: what was done for the call is not part of it.
    let start = start(site, cell);
    Tracked { site, start, cell }
}

/// Begins a call while recording is off.
#[inline]
pub fn untracked(site: &'static Site) -> Tracked {
    Tracked { site, start: OFF, cell: Place::Nowhere }
}

impl Tracked {
    /// Ends the call.
    #[inline]
    pub fn done(mut self, ending: Ending) {
        let start = std::mem::replace(&mut self.start, OFF);
        if start != OFF {
            self.finish(start, Mishap::of(ending.how()), ending.label());
        }
    }

    #[inline(never)]
    fn finish(&self, start: Ticks, mishap: Option<Mishap>, label: Option<&'static str>) {
        let (site, timed) = (self.site, call::timed(self.site, start));
        let count = |cell| match label {
            None => call::count_call(site, cell, mishap, timed),
            Some(_) => call::count_labelled(site, cell, mishap, timed),
        };
        match (self.cell, label) {
            (Place::Site, None) => metric::with_cell(site, count),
            (Place::Site, Some(label)) => metric::with_cell_by(site, &[Label::Str(label)], count),
            (Place::Dimensions(lane, cell), None) if is_ours(lane) => {
                count(cell);
                cell.close_call();
            }
            (Place::Dimensions(lane, cell), label) => {
                look_up_again(site, cell, label, count);
                if is_ours(lane) { cell.close_call() } else { cell.close_call_elsewhere() }
            }
            (Place::Nowhere, _) => {}
        }
        if let Some(in_flight) = site.in_flight {
            InFlight::end(in_flight);
        }
    }
}

impl Drop for Tracked {
    #[inline]
    fn drop(&mut self) {
        let start = std::mem::replace(&mut self.start, OFF);
        if start != OFF {
            let mishap = if std::thread::panicking() { Mishap::Panic } else { Mishap::Cancelled };
            self.finish(start, Some(mishap), None);
        }
    }
}

/// The cell of these values on this thread.
#[inline]
fn place(site: &'static Site, labels: &[Label<'_>]) -> Place {
    let mut place = Place::Nowhere;
    metric::with_cell_by_some(site, labels, |cell| place = Place::of(cell));
    place
}

impl Place {
    /// This cell, which is one of this thread, and which the call remembers until it ends.
    #[inline]
    fn of(cell: &'static HistogramCell) -> Place {
        let Some(lane) = lane::current() else { return Place::Nowhere };
        cell.open_call();
        Place::Dimensions(lane, cell)
    }
}

/// Begins the call itself: reads the clock, or counts it if it is not to be timed.
#[inline]
fn start(site: &'static Site, place: Place) -> Ticks {
    if site.timed_every() <= 1 {
        return stamp::ticks();
    }
    match place {
        Place::Dimensions(_, cell) => call::begin_in(site, cell),
        Place::Site => call::begin(site),
        Place::Nowhere => UNTIMED,
    }
}

#[inline]
fn is_ours(lane: &Lane) -> bool {
    lane::current().is_some_and(|current| ptr::eq(current, lane))
}

/// Finds the cell of this thread for the values of another one, and of a label behind them. Allocates nothing.
#[inline(never)]
fn look_up_again(
    site: &'static Site,
    other: &'static HistogramCell,
    label: Option<&'static str>,
    count: impl FnOnce(&'static HistogramCell),
) {
    let mut values = [Label::Bool(false); DIMENSIONS_MAX + 1];
    let known = series::values(Arena::of(other), &other.head).chain(label.map(Label::Str));
    let len = values.iter_mut().zip(known).map(|(place, value)| *place = value).count();
    metric::with_cell_by_some(site, &values[..len], count);
}
