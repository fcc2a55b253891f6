//! What `counter!`, `gauge!`, `histogram!` and `#[instrumented]` run. The warm road of each is a load of the thread's
//! lane, a load of the site's place in it, and the addition; everything else is cold.

use super::arena::{Arena, Resident};
use super::cell::{CounterCell, GaugeCell, HistogramCell, MISHAPS};
use super::lane::{self, Lane};
use super::outcome::{Ending, How};
use super::{Label, Site, losses, on, registry, series};
use crate::clock::{self, Ticks};
use crate::model::{Signal, is_valid_value};
use std::sync::atomic::Ordering::Relaxed;

/// Dimensions that CloudWatch takes (PutMetricData, `MetricDatum.Dimensions`), and so the macros.
pub(super) const DIMENSIONS_MAX: usize = 30;

/// Counts up by `n`.
#[inline]
pub fn count(site: &'static Site, n: u64) {
    with_cell(site, |_, cell: &CounterCell| cell.add(n));
}

/// Counts up by `n` in the series of these values.
#[inline]
pub fn count_by(site: &'static Site, n: u64, labels: &[Label<'_>]) {
    with_cell_by(site, labels, |_, cell: &CounterCell| cell.add(n));
}

/// Sets a gauge.
#[inline]
pub fn set(site: &'static Site, value: f64) {
    if is_valid_value(value) {
        with_cell(site, |arena, cell| set_cell(arena, site, cell, value));
    } else {
        losses::not_finite();
    }
}

/// Sets the gauge of these values.
#[inline]
pub fn set_by(site: &'static Site, value: f64, labels: &[Label<'_>]) {
    if is_valid_value(value) {
        with_cell_by(site, labels, |arena, cell| set_cell(arena, site, cell, value));
    } else {
        losses::not_finite();
    }
}

/// Observes a value.
#[inline]
pub fn observe(site: &'static Site, value: f64) {
    if is_valid_value(value) {
        with_cell(site, |arena, cell| observe_cell(arena, site, cell, value));
    } else {
        losses::not_finite();
    }
}

/// Observes a value in the series of these values.
#[inline]
pub fn observe_by(site: &'static Site, value: f64, labels: &[Label<'_>]) {
    if is_valid_value(value) {
        with_cell_by(site, labels, |arena, cell| observe_cell(arena, site, cell, value));
    } else {
        losses::not_finite();
    }
}

#[inline]
pub(super) fn set_cell(arena: Arena, site: &Site, cell: &GaugeCell, value: f64) {
    cell.set(value, clock::ticks(), arena.epoch(site.resolution).load(Relaxed));
}

#[inline]
pub(super) fn observe_cell(arena: Arena, site: &Site, cell: &HistogramCell, value: f64) {
    if !cell.observe(arena, value, arena.epoch(site.resolution).load(Relaxed)) {
        losses::no_room(Signal::Metric);
    }
}

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
    /// When it began; `None` if recording was off.
    start: Option<Ticks>,
}

/// Begins a call: reads the clock, unless recording is off.
#[inline]
pub fn enter(site: &'static Site) -> Call {
    Call { site, start: on().then(clock::ticks) }
}

impl Call {
    /// Ends the call: reads the clock and counts.
    #[inline]
    pub fn done(mut self, ending: Ending) {
        if let Some(start) = self.start.take() {
            finish(self.site, start, Mishap::of(ending.how()), ending.label());
        }
    }
}

impl Drop for Call {
    #[inline]
    fn drop(&mut self) {
        if let Some(start) = self.start.take() {
            abandoned(self.site, start);
        }
    }
}

#[cold]
fn abandoned(site: &'static Site, start: Ticks) {
    let mishap = if std::thread::panicking() { Mishap::Panic } else { Mishap::Cancelled };
    finish(site, start, Some(mishap), None);
}

#[inline]
fn finish(site: &'static Site, start: Ticks, mishap: Option<Mishap>, label: Option<&'static str>) {
    let duration = duration(site, start);
    let count = |arena: Arena, cell: &HistogramCell| count_call(arena, site, cell, mishap, Some(duration));
    match label {
        None => with_cell(site, count),
        // One value more than the site has keys: the reader knows it for the label.
        Some(label) => with_cell_by(site, &[Label::Str(label)], count),
    }
}

/// The time since `start`, in the unit of the site.
#[inline]
pub(super) fn duration(site: &Site, start: Ticks) -> f64 {
    #[allow(clippy::cast_precision_loss)] // exact up to 104 days
    let nanoseconds = clock::nanos(start, clock::ticks()) as f64;
    nanoseconds * site.per_nanosecond
}

/// Counts a call that has ended, with its duration where it was timed.
#[inline]
pub(super) fn count_call(
    arena: Arena,
    site: &Site,
    cell: &HistogramCell,
    mishap: Option<Mishap>,
    duration: Option<f64>,
) {
    if let Some(mishap) = mishap {
        cell.ended(mishap as usize);
    }
    match duration {
        Some(duration) => observe_cell(arena, site, cell, duration),
        None => cell.untimed(),
    }
}

/// Runs `f` with this thread's cell of a site without dimensions.
#[inline]
pub(super) fn with_cell<T: Resident>(site: &'static Site, f: impl FnOnce(Arena, &'static T)) {
    let warm = || {
        let (lane, arena) = (lane::current()?, Arena::get()?);
        let offset = lane.slots.get(site.slot() as usize)?.load(Relaxed);
        Some((arena, arena.at::<T>(offset)?))
    };
    match warm() {
        Some((arena, cell)) => f(arena, cell),
        None => with_cell_cold(site, f),
    }
}

#[cold]
#[inline(never)]
fn with_cell_cold<T: Resident>(site: &'static Site, f: impl FnOnce(Arena, &'static T)) {
    let done = registry::number(site).and_then(|slot| {
        lane::with(|arena, lane| match lane.slots.get(slot as usize) {
            Some(place) => {
                // The lane may be that of a thread before, and have a cell already.
                if place.load(Relaxed) == 0 {
                    place
                        .store(series::make(arena, lane, site, slot, &[], series::hash(slot, &[]))?, Relaxed);
                }
                arena.at(place.load(Relaxed)).map(|cell| f(arena, cell))
            }
            // More sites than places: found as the series without values.
            None => found_or_made(arena, lane, site, slot, &[]).map(|cell| f(arena, cell)),
        })
    });
    if done.flatten().is_none() && Arena::get().is_some() {
        losses::no_room(Signal::Metric);
    }
}

/// Runs `f` with this thread's cell of a site and the values of its dimensions.
#[inline]
pub(super) fn with_cell_by<T: Resident>(
    site: &'static Site,
    labels: &[Label<'_>],
    f: impl FnOnce(Arena, &'static T),
) {
    if labels.iter().any(|label| matches!(label, Label::Display(_))) {
        return with_text(site, labels, f);
    }
    let warm = || {
        let (lane, arena) = (lane::current()?, Arena::get()?);
        let hash = series::hash(site.slot(), labels);
        Some((arena, series::find::<T>(arena, lane, site.slot(), labels, hash)?))
    };
    match warm() {
        Some((arena, cell)) => f(arena, cell),
        None => with_cell_by_cold(site, labels, f),
    }
}

#[cold]
#[inline(never)]
fn with_cell_by_cold<T: Resident>(
    site: &'static Site,
    labels: &[Label<'_>],
    f: impl FnOnce(Arena, &'static T),
) {
    let done = registry::number(site).and_then(|slot| {
        lane::with(|arena, lane| found_or_made(arena, lane, site, slot, labels).map(|cell| f(arena, cell)))
    });
    if done.flatten().is_none() && Arena::get().is_some() {
        losses::no_room(Signal::Metric);
    }
}

/// The cell of these values; a new one if there is none and room for one; else that of the overflow series.
fn found_or_made<T: Resident>(
    arena: Arena,
    lane: &Lane,
    site: &Site,
    slot: u32,
    labels: &[Label<'_>],
) -> Option<&'static T> {
    let hash = series::hash(slot, labels);
    if let Some(cell) = series::find(arena, lane, slot, labels, hash) {
        return Some(cell);
    }
    // Without keys there can only be the label of an outcome, of which there are as many as the program has words for.
    if site.keys.is_empty() || series::admit(lane, site, slot) {
        return arena.at(series::make(arena, lane, site, slot, labels, hash)?);
    }
    let overflow = &[Label::Str(series::OVERFLOW); DIMENSIONS_MAX][..labels.len().min(DIMENSIONS_MAX)];
    let hash = series::hash(slot, overflow);
    match series::find(arena, lane, slot, overflow, hash) {
        Some(cell) => Some(cell),
        None => arena.at(series::make(arena, lane, site, slot, overflow, hash)?),
    }
}

/// As [`with_cell_by`], for values that must be formatted first.
#[inline(never)]
fn with_text<T: Resident>(site: &'static Site, labels: &[Label<'_>], f: impl FnOnce(Arena, &'static T)) {
    let texts: Vec<Option<String>> = labels
        .iter()
        .map(|label| if let Label::Display(value) = label { Some(value.to_string()) } else { None })
        .collect();
    let labels: Vec<Label<'_>> =
        labels.iter().zip(&texts).map(|(label, text)| text.as_deref().map_or(*label, Label::Str)).collect();
    with_cell_by(site, &labels, f);
}
