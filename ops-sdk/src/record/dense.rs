//! From the values of a call to the cell of its series, where the compiler knows all values: by the number of their
//! combination, in a table that each lane keeps for the site. Nothing is hashed, nothing compared.
//!
//! A cell of such a table is an ordinary cell, made by `series` with its values as text: whoever reads it, or looks for
//! it from another thread, need not know of the table. The table only remembers where it is. What cannot be numbered,
//! or has too many combinations for a table, goes the ordinary way.

use std::marker::PhantomData;
use std::ptr;

use super::arena::{Arena, Resident};
use super::budget::{self, Budget};
use super::cell::{CellHead, CounterCell, GaugeCell};
use super::dimensions::{Ids, Values};
use super::lane::{self, Lane, SITES_MAX};
use super::sync::Ordering::Relaxed;
use super::sync::{AtomicPtr, AtomicUsize};
use super::{Label, Site, losses, metric, series, stamp};
use crate::model::is_valid_value;

/// Combinations up to which a site has a table: 128 KiB a lane.
const TABLE_LEN_MAX: u64 = 1 << 14;

/// The series of a site, told apart by `N` values.
pub struct Series<B, const N: usize> {
    site: &'static Site,
    budget: PhantomData<B>,
}

/// The series of this site.
#[inline(always)]
pub fn in_series<B: Budget, const N: usize>(site: &'static Site) -> Series<B, N> {
    Series { site, budget: PhantomData }
}

/// Counts up by `n` in the series of these values.
#[inline(always)]
pub fn count_in<B: Budget, const N: usize, V: Values>(series: Series<B, N>, n: u64, values: V) {
    const { budget::within::<B, V>() };
    series.with_cell(&values, |cell: &CounterCell| cell.add(n));
}

/// Sets the gauge of these values.
#[inline(always)]
pub fn set_in<B: Budget, const N: usize, V: Values>(series: Series<B, N>, value: f64, values: V) {
    const { budget::within::<B, V>() };
    if is_valid_value(value) {
        series.with_cell(&values, |cell: &GaugeCell| cell.set(value, stamp::ticks()));
    } else {
        losses::not_finite();
    }
}

/// Observes a value in the series of these values.
#[inline(always)]
pub fn observe_in<B: Budget, const N: usize, V: Values>(series: Series<B, N>, value: f64, values: V) {
    const { budget::within::<B, V>() };
    series.with_cell(&values, |cell| metric::observe_cell(cell, value));
}

impl<B, const N: usize> Series<B, N> {
    /// The site.
    #[inline(always)]
    pub(super) fn site(&self) -> &'static Site {
        self.site
    }

    /// Runs `f` with this thread's cell of these values.
    #[inline(always)]
    pub(super) fn with_cell<V: Values, T: Resident>(&self, values: &V, f: impl FnOnce(&'static T)) {
        if !has_table::<V>() {
            return metric::with_cell_by(self.site, &labels::<N, V>(values), f);
        }
        match remembered::<V, T>(self.site, values.index()) {
            Some(cell) => f(cell),
            None => with_new_cell::<N, V, T>(self.site, values, f),
        }
    }
}

const fn has_table<V: Values>() -> bool {
    V::ALL_KNOWN && V::KNOWN <= TABLE_LEN_MAX
}

#[inline(always)]
pub(super) fn labels<const N: usize, V: Values>(values: &V) -> [Label<'_>; N] {
    let mut labels = [Label::Bool(false); N];
    values.fill(&mut labels, 0);
    labels
}

/// The cells of a site by the number of their values, and how these are numbered: as many follow as `ids` have
/// combinations.
#[repr(C)]
pub(super) struct Table {
    ids: AtomicPtr<Ids>,
    len: AtomicUsize,
    cells: [AtomicPtr<CellHead>; 0],
}

// SAFETY: atomics only; zero is valid; alignment 8.
unsafe impl Resident for Table {}

#[inline(always)]
#[allow(clippy::cast_possible_truncation)] // it is small, or there is no table
fn remembered<V: Values, T: Resident>(site: &'static Site, index: usize) -> Option<&'static T> {
    let table = lane::current()?.table(site.place())?;
    let ids: &'static Ids = const { &V::IDS };
    let is_ours = ptr::eq(table.ids.load(Relaxed), ids) || is_numbered_so(table, ids);
    if !is_ours || index >= V::KNOWN as usize {
        return None;
    }
    // SAFETY: the table was made for values that are numbered as these, and so for `KNOWN` of them, of which `index` is
    // one. What is stored is null or the address of a cell, which stays, of the site's kind.
    unsafe { table.place(index).load(Relaxed).cast::<T>().as_ref() }
}

/// Whether the table is for values that are numbered like this. The list of ids is a constant, of which the compiler may
/// put one copy wherever it is used: the table takes the one that was asked for last, so that the next call from the
/// same place finds its own.
#[cold]
#[inline(never)]
fn is_numbered_so(table: &Table, ids: &'static Ids) -> bool {
    // SAFETY: a list of the program's constants, written before the table was entered into the lane.
    let known = unsafe { table.ids.load(Relaxed).as_ref() };
    let same = known.is_some_and(|known| {
        known.iter().zip(ids).all(|pair| match pair {
            (Some(known), Some(id)) => ptr::eq(*known, *id),
            (known, id) => known.is_none() && id.is_none(),
        })
    });
    if same {
        table.ids.store(ptr::from_ref(ids).cast_mut(), Relaxed);
    }
    same
}

impl Table {
    /// The place of a cell.
    ///
    /// # Safety
    ///
    /// The table was reserved for more than `index` cells.
    #[inline(always)]
    unsafe fn place(&'static self, index: usize) -> &'static AtomicPtr<CellHead> {
        // SAFETY: by the promise of whoever asks, so many places lie behind the table, in what was reserved with it.
        unsafe { &*ptr::from_ref(self).add(1).cast::<AtomicPtr<CellHead>>().add(index) }
    }
}

impl Lane {
    #[inline(always)]
    fn table(&self, place: usize) -> Option<&'static Table> {
        // SAFETY: what is stored is null or the address of a table in the arena, which stays.
        unsafe { self.tables_at[place % SITES_MAX].load(Relaxed).as_ref() }
    }
}

#[cold]
#[inline(never)]
fn with_new_cell<const N: usize, V: Values, T: Resident>(
    site: &'static Site,
    values: &V,
    f: impl FnOnce(&'static T),
) {
    let labels = labels::<N, V>(values);
    metric::with_cell_by(site, &labels, |cell: &'static T| {
        f(cell);
        remember::<V, T>(site, values.index(), &labels, cell);
    });
}

/// Writes down where the cell is; not for the overflow series, whose values are others than those that led to it.
#[allow(clippy::cast_possible_truncation)] // it is small, or there is no table
fn remember<V: Values, T: Resident>(
    site: &Site,
    index: usize,
    labels: &[Label<'_>],
    cell: &'static T,
) -> Option<()> {
    let (lane, arena, place) = (lane::current()?, Arena::of(cell), site.place());
    let head = ptr::from_ref(cell).cast::<CellHead>();
    // SAFETY: every cell starts with a head.
    if place == 0 || series::is_overflow(arena, unsafe { &*head }, labels) {
        return None;
    }
    let table = match lane.table(place) {
        Some(table) => table,
        None => make::<V>(arena, lane, place)?,
    };
    if is_numbered_so(table, const { &V::IDS }) && index < V::KNOWN as usize {
        // SAFETY: the table was made for values that are numbered as these, of which `index` is one.
        unsafe { table.place(index) }.store(head.cast_mut(), Relaxed);
    }
    Some(())
}

#[allow(clippy::cast_possible_truncation)] // it is small, or there is no table
fn make<V: Values>(arena: Arena, lane: &Lane, place: usize) -> Option<&'static Table> {
    let len = V::KNOWN as usize;
    let table: &Table =
        arena.at(arena.reserve(size_of::<Table>() + len * size_of::<AtomicPtr<CellHead>>())?)?;
    table.ids.store(ptr::from_ref(const { &V::IDS }).cast_mut(), Relaxed);
    table.len.store(len, Relaxed);
    lane.tables_at[place % SITES_MAX].store(ptr::from_ref(table).cast_mut(), Relaxed);
    Some(table)
}

/// Takes cells out of the lane's tables: what is about to be used for another series. For the lane's thread alone.
pub(super) fn forget(lane: &Lane, is_gone: impl Fn(&CellHead) -> bool) {
    for table in (0..SITES_MAX).filter_map(|place| lane.table(place)) {
        for index in 0..table.len.load(Relaxed) {
            // SAFETY: the table was reserved for `len` cells.
            let place = unsafe { table.place(index) };
            // SAFETY: what is stored is null or the address of a cell, which stays.
            if unsafe { place.load(Relaxed).as_ref() }.is_some_and(&is_gone) {
                place.store(ptr::null_mut(), Relaxed);
            }
        }
    }
}
