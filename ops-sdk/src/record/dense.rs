//! From the values of a call to the cell of its series, where the compiler knows all values: by the number of their
//! combination, in a table that each lane keeps for the site. Nothing is hashed, nothing compared.
//!
//! A cell of such a table is an ordinary cell, made by `series` with its values as text: whoever reads it, or looks for
//! it from another thread, need not know of the table. The table only remembers where it is. What cannot be numbered,
//! or has too many combinations for a table, goes the ordinary way.

use std::marker::PhantomData;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

use super::arena::{Arena, Resident};
use super::budget::{self, Budget};
use super::cell::{CellHead, CounterCell};
use super::dimensions::Values;
use super::{Label, Site, lane, losses, metric, series};
use crate::model::is_valid_value;

/// Combinations up to which a site has a table: 64 KiB a lane.
const TABLE_LEN_MAX: u64 = 1 << 14;

/// The series of a site, told apart by `N` values.
pub struct Series<B, const N: usize> {
    site: &'static Site,
    budget: PhantomData<B>,
}

/// The series of this site.
#[inline]
pub fn in_series<B: Budget, const N: usize>(site: &'static Site) -> Series<B, N> {
    Series { site, budget: PhantomData }
}

/// Counts up by `n` in the series of these values.
#[inline]
pub fn count_in<B: Budget, const N: usize, V: Values>(series: Series<B, N>, n: u64, values: V) {
    const { budget::within::<B, V>() };
    series.with_cell(&values, |_, cell: &CounterCell| cell.add(n));
}

/// Sets the gauge of these values.
#[inline]
pub fn set_in<B: Budget, const N: usize, V: Values>(series: Series<B, N>, value: f64, values: V) {
    const { budget::within::<B, V>() };
    if is_valid_value(value) {
        series.with_cell(&values, |arena, cell| metric::set_cell(arena, series.site, cell, value));
    } else {
        losses::not_finite();
    }
}

/// Observes a value in the series of these values.
#[inline]
pub fn observe_in<B: Budget, const N: usize, V: Values>(series: Series<B, N>, value: f64, values: V) {
    const { budget::within::<B, V>() };
    if is_valid_value(value) {
        series.with_cell(&values, |arena, cell| metric::observe_cell(arena, series.site, cell, value));
    } else {
        losses::not_finite();
    }
}

impl<B, const N: usize> Series<B, N> {
    /// The site.
    #[inline]
    pub(super) fn site(&self) -> &'static Site {
        self.site
    }

    /// Runs `f` with this thread's cell of these values.
    #[inline]
    pub(super) fn with_cell<V: Values, T: Resident>(&self, values: &V, f: impl FnOnce(Arena, &'static T)) {
        if !has_table::<V>() {
            return metric::with_cell_by(self.site, &labels::<N>(values), f);
        }
        match remembered::<V, T>(self.site, values.index()) {
            Some((arena, cell)) => f(arena, cell),
            None => with_new_cell::<N, V, T>(self.site, values, f),
        }
    }
}

const fn has_table<V: Values>() -> bool {
    V::ALL_KNOWN && V::KNOWN <= TABLE_LEN_MAX
}

#[inline]
fn remembered<V: Values, T: Resident>(site: &'static Site, index: usize) -> Option<(Arena, &'static T)> {
    let (lane, arena) = (lane::current()?, Arena::get()?);
    let table = lane.dense.get(site.slot() as usize)?.load(Relaxed);
    #[allow(clippy::cast_possible_truncation)] // it is small, or there was no table
    let cells = arena.slice::<AtomicU32>(table, V::KNOWN as usize);
    Some((arena, arena.at::<T>(cells.get(index)?.load(Relaxed))?))
}

#[inline]
pub(super) fn labels<const N: usize>(values: &impl Values) -> [Label<'_>; N] {
    let mut labels = [Label::Bool(false); N];
    values.fill(&mut labels);
    labels
}

#[cold]
#[inline(never)]
fn with_new_cell<const N: usize, V: Values, T: Resident>(
    site: &'static Site,
    values: &V,
    f: impl FnOnce(Arena, &'static T),
) {
    let labels = labels::<N>(values);
    metric::with_cell_by(site, &labels, |arena, cell: &'static T| {
        f(arena, cell);
        #[allow(clippy::cast_possible_truncation)] // it is small, or there is no table
        let place = (values.index(), V::KNOWN as usize);
        remember(arena, site, place, &labels, arena.offset_of(cell));
    });
}

/// Writes down where the cell is; not for the overflow series, whose values are others than those that led to it.
fn remember(
    arena: Arena,
    site: &Site,
    (index, len): (usize, usize),
    labels: &[Label<'_>],
    offset: u32,
) -> Option<()> {
    if series::is_overflow(arena, arena.at::<CellHead>(offset)?, labels) {
        return None;
    }
    let table = lane::current()?.dense.get(site.slot() as usize)?;
    if table.load(Relaxed) == 0 {
        table.store(arena.reserve(len * size_of::<AtomicU32>())?, Relaxed);
    }
    arena.slice::<AtomicU32>(table.load(Relaxed), len).get(index)?.store(offset, Relaxed);
    Some(())
}
