//! What `counter!`, `gauge!` and `histogram!` run. The warm road of each is a load of the thread's
//! lane, a load of the site's place in it, and the addition; everything else is cold.

use super::arena::{Arena, Resident};
use super::cell::{CounterCell, GaugeCell, HistogramCell, Observed};
use super::label::{self, Words};
use super::lane::{self, Lane};
use super::series::Key;
use super::{Label, Site, expire, losses, registry, series, stamp};
use crate::model::{Signal, is_valid_value};

/// Dimensions that CloudWatch takes (PutMetricData, `MetricDatum.Dimensions`), and so the macros.
pub(super) const DIMENSIONS_MAX: usize = 30;

/// Counts up by `n`.
#[inline]
pub fn count(site: &'static Site, n: u64) {
    with_cell(site, |cell: &CounterCell| cell.add(n));
}

/// Counts up by `n` in the series of these values.
#[inline(always)]
pub fn count_by<const N: usize>(site: &'static Site, n: u64, labels: &[Label<'_>; N]) {
    with_cell_by(site, labels, |cell: &CounterCell| cell.add(n));
}

/// Sets a gauge.
#[inline(never)]
pub fn set(site: &'static Site, value: f64) {
    if is_valid_value(value) {
        with_cell(site, |cell: &GaugeCell| cell.set(value, stamp::ticks()));
    } else {
        losses::not_finite();
    }
}

/// Sets the gauge of these values.
#[inline(always)]
pub fn set_by<const N: usize>(site: &'static Site, value: f64, labels: &[Label<'_>; N]) {
    if is_valid_value(value) {
        with_cell_by(site, labels, |cell: &GaugeCell| cell.set(value, stamp::ticks()));
    } else {
        losses::not_finite();
    }
}

/// Observes a value. What nearly every value needs stands where the macro does, and calls nothing.
#[inline(always)]
pub fn observe(site: &'static Site, value: f64) {
    match warm_cell(site) {
        Some(cell) => observe_cell(cell, value),
        None => observe_cold(site, value),
    }
}

#[cold]
#[inline(never)]
fn observe_cold(site: &'static Site, value: f64) {
    with_cell_cold(site, |cell| observe_cell(cell, value));
}

/// Observes a value in the series of these values.
#[inline(always)]
pub fn observe_by<const N: usize>(site: &'static Site, value: f64, labels: &[Label<'_>; N]) {
    with_cell_by(site, labels, |cell| observe_cell(cell, value));
}

#[inline(always)]
pub(super) fn observe_cell(cell: &'static HistogramCell, value: f64) {
    observe_weighted(cell, value, 1);
}

/// Observes a value, which stands for `weight` of its kind.
#[inline(always)]
pub(super) fn observe_weighted(cell: &'static HistogramCell, value: f64, weight: u32) {
    if !cell.observe_again(Arena::of(cell), value, weight) {
        observe_any(cell, value, weight);
    }
}

/// Observes any value, which stands for `weight` of its kind.
#[cold]
#[inline(never)]
fn observe_any(cell: &'static HistogramCell, value: f64, weight: u32) {
    match cell.observe(Arena::of(cell), value, weight) {
        Observed::Yes => {}
        Observed::Invalid => losses::not_finite(),
        Observed::NoRoom => losses::no_room(Signal::Metric),
    }
}

/// This thread's cell of a site without dimensions, once there is one.
#[inline(always)]
pub(super) fn warm_cell<T: Resident>(site: &'static Site) -> Option<&'static T> {
    lane::current()?.cell(site.place())
}

/// Runs `f` with this thread's cell of a site without dimensions.
#[inline(always)]
pub(super) fn with_cell<T: Resident>(site: &'static Site, f: impl FnOnce(&'static T)) {
    match warm_cell(site) {
        Some(cell) => f(cell),
        None => with_cell_cold(site, f),
    }
}

#[cold]
#[inline(never)]
pub(super) fn with_cell_cold<T: Resident>(site: &'static Site, f: impl FnOnce(&'static T)) {
    let done = registry::number(site).and_then(|slot| {
        lane::with(|arena, lane| {
            // The lane may be that of a thread before, and have a cell already.
            let cell = found_or_made(arena, lane, site, slot, &[])?;
            lane.keep_cell(site.place(), cell);
            f(cell);
            Some(())
        })
    });
    if done.flatten().is_none() && Arena::get().is_some() {
        losses::no_room(Signal::Metric);
    }
}

/// Runs `f` with this thread's cell of a site and the values of its dimensions.
#[inline(always)]
pub(super) fn with_cell_by<T: Resident, const N: usize>(
    site: &'static Site,
    labels: &[Label<'_>; N],
    f: impl FnOnce(&'static T),
) {
    // Not by `map`: only a plain loop is seen to be one that can be unrolled, and the kinds of the values with it.
    let mut words = [Words::NONE; N];
    let mut at = 0;
    while at < N {
        words[at] = Words::of(&labels[at]);
        at += 1;
    }
    match cell_by(site, labels, &words) {
        Some(cell) => f(cell),
        None => with_cell_by_cold(site, labels, f),
    }
}

/// This thread's cell of a site and values, once there is one. Not inlined: one for each number of values.
#[inline(never)]
fn cell_by<T: Resident, const N: usize>(
    site: &'static Site,
    labels: &[Label<'_>; N],
    words: &[Words; N],
) -> Option<&'static T> {
    let (lane, slot) = (lane::current()?, site.slot());
    let hash = label::hash(slot, words);
    match series::find_at_once(lane, slot, words, hash) {
        Some(cell) => Some(cell),
        None => find(lane, slot, Key { labels, words, hash }),
    }
}

/// The same, where another cell may stand in the way, or a text is long.
#[inline(never)]
fn find<T: Resident>(lane: &'static Lane, slot: u32, key: Key<'_>) -> Option<&'static T> {
    series::find(Arena::of(lane), lane, slot, key)
}

/// As [`with_cell_by`], for any number of values.
pub(super) fn with_cell_by_some<T: Resident>(
    site: &'static Site,
    labels: &[Label<'_>],
    f: impl FnOnce(&'static T),
) {
    let mut words = [Words::NONE; DIMENSIONS_MAX + 1];
    let words = words_of(labels, &mut words);
    let warm = || {
        let lane = lane::current()?;
        series::find(Arena::of(lane), lane, site.slot(), Key::new(site.slot(), labels, words))
    };
    match warm() {
        Some(cell) => f(cell),
        None => with_cell_by_cold(site, labels, f),
    }
}

/// The words of up to [`DIMENSIONS_MAX`] values and a label of the outcome.
fn words_of<'w>(labels: &[Label<'_>], words: &'w mut [Words; DIMENSIONS_MAX + 1]) -> &'w [Words] {
    words.iter_mut().zip(labels).for_each(|(words, label)| *words = Words::of(label));
    &words[..labels.len().min(DIMENSIONS_MAX + 1)]
}

#[cold]
#[inline(never)]
fn with_cell_by_cold<T: Resident>(site: &'static Site, labels: &[Label<'_>], f: impl FnOnce(&'static T)) {
    if labels.iter().any(|label| matches!(label, Label::Display(_))) {
        return with_text(site, labels, f);
    }
    let done = registry::number(site)
        .and_then(|slot| lane::with(|arena, lane| found_or_made(arena, lane, site, slot, labels).map(f)));
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
    let mut words = [Words::NONE; DIMENSIONS_MAX + 1];
    let key = Key::new(slot, labels, words_of(labels, &mut words));
    if let Some(cell) = series::find(arena, lane, slot, key) {
        return Some(cell);
    }
    expire::reap(arena, lane);
    // Without keys there can only be the label of an outcome, of which there are as many as the program has words for.
    if site.keys.is_empty() || series::admit(lane, site, slot) {
        return arena.at(series::make(arena, lane, site, slot, key)?);
    }
    let overflow = &[Label::Str(series::OVERFLOW); DIMENSIONS_MAX][..labels.len().min(DIMENSIONS_MAX)];
    let key = Key::new(slot, overflow, words_of(overflow, &mut words));
    match series::find(arena, lane, slot, key) {
        Some(cell) => Some(cell),
        None => arena.at(series::make(arena, lane, site, slot, key)?),
    }
}

/// As [`with_cell_by`], for values that must be formatted first.
#[inline(never)]
fn with_text<T: Resident>(site: &'static Site, labels: &[Label<'_>], f: impl FnOnce(&'static T)) {
    let texts: Vec<Option<String>> = labels
        .iter()
        .map(|label| if let Label::Display(value) = label { Some(value.to_string()) } else { None })
        .collect();
    let labels: Vec<Label<'_>> =
        labels.iter().zip(&texts).map(|(label, text)| text.as_deref().map_or(*label, Label::Str)).collect();
    with_cell_by_some(site, &labels, f);
}
