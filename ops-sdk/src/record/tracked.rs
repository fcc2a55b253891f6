//! A call that was asked for more than its number and duration: dimensions, a gauge of calls in progress, the duration
//! of some calls alone. What it needs of the arguments is taken when it begins, for the body may move them.
//!
//! The values of the dimensions are looked up once, at the beginning, and the call keeps the cell that they led to.
//! Where it ends on another thread, that cell is not its own to write: the values, which stay in the arena, are looked
//! up again there.

use std::cell::Cell;
use std::ptr;

use super::arena::Arena;
use super::cell::HistogramCell;
use super::lane::{self, Lane};
use super::metric::{self, DIMENSIONS_MAX, Mishap};
use super::outcome::Ending;
use super::{Budget, InFlight, Label, Series, Site, Values, budget, registry, series};
use crate::clock::{self, Ticks};

/// A call in progress. Dropped before it is [`Tracked::done`], it is one that panicked, or was cancelled.
#[must_use = "a call that is dropped at once is counted as cancelled"]
pub struct Tracked {
    site: &'static Site,
    /// `None` if recording was off when it began, and once it has ended.
    began: Option<Began>,
    cell: Place,
}

/// Whether this call is timed.
#[derive(Clone, Copy)]
enum Began {
    At(Ticks),
    Untimed,
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
        series.with_cell(&values, |_, cell| place = Place::of(cell));
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
    let began = if one_in(site.sample) { Began::At(clock::ticks()) } else { Began::Untimed };
    Tracked { site, began: Some(began), cell }
}

/// Begins a call while recording is off.
#[inline]
pub fn untracked(site: &'static Site) -> Tracked {
    Tracked { site, began: None, cell: Place::Nowhere }
}

impl Tracked {
    /// Ends the call.
    #[inline]
    pub fn done(mut self, ending: Ending) {
        if let Some(began) = self.began.take() {
            self.finish(began, Mishap::of(ending.how()), ending.label());
        }
    }

    #[inline]
    fn finish(&self, began: Began, mishap: Option<Mishap>, label: Option<&'static str>) {
        let duration = match began {
            Began::At(start) => Some(metric::duration(self.site, start)),
            Began::Untimed => None,
        };
        let count = |arena: Arena, cell: &HistogramCell| {
            metric::count_call(arena, self.site, cell, mishap, duration);
        };
        match (self.cell, label) {
            (Place::Site, None) => metric::with_cell(self.site, count),
            (Place::Site, Some(label)) => metric::with_cell_by(self.site, &[Label::Str(label)], count),
            (Place::Dimensions(lane, cell), None) if is_ours(lane) => {
                if let Some(arena) = Arena::get() {
                    count(arena, cell);
                }
            }
            (Place::Dimensions(_, cell), label) => look_up_again(self.site, cell, label, count),
            (Place::Nowhere, _) => {}
        }
        if let Some(in_flight) = self.site.in_flight {
            InFlight::end(in_flight);
        }
    }
}

impl Drop for Tracked {
    #[inline]
    fn drop(&mut self) {
        if let Some(began) = self.began.take() {
            let mishap = if std::thread::panicking() { Mishap::Panic } else { Mishap::Cancelled };
            self.finish(began, Some(mishap), None);
        }
    }
}

/// The cell of these values on this thread.
#[inline]
fn place(site: &'static Site, labels: &[Label<'_>]) -> Place {
    let mut place = Place::Nowhere;
    metric::with_cell_by(site, labels, |_, cell| place = Place::of(cell));
    place
}

impl Place {
    /// This cell, which is one of this thread.
    #[inline]
    fn of(cell: &'static HistogramCell) -> Place {
        lane::current().map_or(Place::Nowhere, |lane| Place::Dimensions(lane, cell))
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
    other: &HistogramCell,
    label: Option<&'static str>,
    count: impl FnOnce(Arena, &'static HistogramCell),
) {
    let Some(arena) = Arena::get() else { return };
    let mut values = [Label::Bool(false); DIMENSIONS_MAX];
    let known = series::values(arena, &other.head).chain(label.map(Label::Str));
    let len = values.iter_mut().zip(known).map(|(place, value)| *place = value).count();
    metric::with_cell_by(site, &values[..len], count);
}

thread_local! {
    /// The state of this thread's dice; 0 until it is first thrown.
    static DICE: Cell<u64> = const { Cell::new(0) };
}

/// True once in `n` times, at random: a pattern in the calls cannot fall in with one in the choice.
#[inline]
fn one_in(n: u32) -> bool {
    n <= 1 || (u64::from(thrown()) * u64::from(n)) >> 32 == 0
}

/// 32 random bits (wyrand: a counter, multiplied and folded).
#[inline]
#[allow(clippy::cast_possible_truncation)] // the upper half of what was folded
fn thrown() -> u32 {
    DICE.with(|dice| {
        let state = if dice.get() == 0 { seed(dice) } else { dice.get() };
        let state = state.wrapping_add(0xA076_1D64_78BD_642F);
        dice.set(state);
        let wide = u128::from(state) * u128::from(state ^ 0xE703_7ED1_A0B4_28DB);
        (((wide >> 64) as u64 ^ wide as u64) >> 32) as u32
    })
}

/// Another beginning for each thread.
#[cold]
fn seed(dice: &Cell<u64>) -> u64 {
    (ptr::from_ref(dice).addr() as u64).rotate_left(32) ^ clock::ticks()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_in_n_is_chosen_without_a_pattern() {
        assert!((0..100).all(|_| one_in(1) && one_in(0)));
        const THROWS: u32 = 1 << 20;
        for n in [2u32, 3, 16, 1000] {
            let chosen: Vec<bool> = (0..THROWS).map(|_| one_in(n)).collect();
            // Ten standard deviations of a fair choice; of each residue of the calls' numbers, too.
            for of in [1usize, 2, 16] {
                for rest in 0..of {
                    let hits = chosen.iter().skip(rest).step_by(of).filter(|hit| **hit).count();
                    let (share, throws) = (1.0 / f64::from(n), f64::from(THROWS) / of as f64);
                    let spread = 10.0 * (throws * share * (1.0 - share)).sqrt();
                    assert!(
                        (hits as f64 - throws * share).abs() < spread,
                        "1 in {n}, {rest} of {of}: {hits}"
                    );
                }
            }
        }
    }
}
