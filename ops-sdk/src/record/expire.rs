//! Series that nobody writes any more give their place back. Their cell is used again for another series of the same
//! kind, and they count no more against the bound of their site.
//!
//! The lane's thread writes a cell without looking whether it is idle, and the flush thread reads its key and its values
//! at the same time; so a cell goes round through states, out of each of which there is one way that only one side may
//! go, except that both may want an offered one:
//!
//! | state | who moves it | to |
//! |---|---|---|
//! | `LIVE` | the flush thread, once it found nothing in it for the time that is set | `OFFERED` |
//! | `OFFERED` | the flush thread, once there is something in it again | `LIVE` |
//! | | the lane's thread, which needs a place | `CLAIMED` |
//! | `CLAIMED` | the lane's thread: it was used after all | `LIVE` |
//! | | the lane's thread: nothing is left in it | `FREE` |
//! | `FREE` | the lane's thread, once it has written another key | `LIVE` |
//!
//! The flush thread reads key and values of a cell that it saw `LIVE`, or moved there, and that only it can move from
//! there: so they belong together. It does not touch a cell that is claimed or free. The lane's thread rewrites a key
//! only when the cell is free; then nothing is in it that was not taken, no call in progress remembers it, and nobody
//! finds it. What is written to an offered cell stays in it until the flush thread has moved it back and taken it. A key
//! that is written is published by the step to `LIVE`.
//!
//! A signal handler that makes a new series just when it has interrupted an increment of one that had been idle is the
//! one case that this does not see.

use std::time::Duration;

use super::arena::{Arena, Offset};
use super::cell::{CellHead, CounterCell, GaugeCell, HistogramCell};
use super::lane::Lane;
use super::sync::Ordering::{self, AcqRel, Acquire, Relaxed, Release};
use super::sync::{AtomicU64, compiler_fence};
use super::{Kind, Site, dense, registry, series};
use crate::model::Resolution;

const LIVE: u32 = 0;
/// It never expires: there is one for its site, or it is that of the overflow series.
const KEPT: u32 = 1;
const OFFERED: u32 = 2;
const CLAIMED: u32 = 3;
const FREE: u32 = 4;

/// That of calls. Their cells are used again for the same site alone, for what was ever counted in them is told by site.
const CALLS: usize = 3;
/// Kinds of cells.
pub(super) const CLASSES: usize = 4;

static IDLE_MAX_MS: AtomicU64 = AtomicU64::new(3_600_000);

/// Sets for how long a series may stay without a value.
pub(crate) fn set_series_idle_max(idle: Duration) {
    IDLE_MAX_MS.store(u64::try_from(idle.as_millis()).unwrap_or(u64::MAX), Relaxed);
}

/// The cells of this kind can be used for each other.
pub(super) fn class(kind: Kind) -> usize {
    match kind {
        Kind::Counter => 0,
        Kind::Gauge => 1,
        Kind::Histogram | Kind::Event(_) => 2,
        Kind::Call => CALLS,
    }
}

/// The flush thread's question before it reads a cell: the site of a cell that it may read, if its windows are these. An
/// offered one that has something in it is taken back.
pub(super) fn to_read(
    arena: Arena,
    head: &CellHead,
    offset: Offset,
    resolution: Resolution,
) -> Option<&'static Site> {
    // The state first: what is read after it belongs to it, as long as the cell is not claimed.
    let state = head.state.load(Acquire);
    let site = registry::site(series::site(head)).filter(|site| site.resolution == resolution)?;
    let may_read = match state {
        LIVE | KEPT => true,
        OFFERED if !is_taken(arena, offset, class(site.kind)) => {
            head.state.compare_exchange(OFFERED, LIVE, AcqRel, Relaxed).is_ok()
        }
        _ => false,
    };
    may_read.then_some(site)
}

/// The flush thread found something in a cell.
pub(super) fn found_used(head: &CellHead) {
    head.idle_since_ms.store(0, Relaxed);
}

/// The flush thread found nothing in a cell: offers it once that has been so for long enough.
pub(super) fn found_idle(lane: &Lane, head: &CellHead, now_ms: u64) {
    let since = head.idle_since_ms.load(Relaxed);
    if since == 0 {
        head.idle_since_ms.store(now_ms.max(1), Relaxed);
    }
    let idle_ms = if since == 0 { 0 } else { now_ms.saturating_sub(since) };
    if idle_ms >= IDLE_MAX_MS.load(Relaxed) && head.state.load(Relaxed) == LIVE {
        head.state.store(OFFERED, Release);
        lane.offers.store(1, Release);
    }
}

/// Whether nothing is in a cell that was not taken.
fn is_taken(arena: Arena, offset: Offset, class: usize) -> bool {
    let taken = match class {
        0 => arena.at::<CounterCell>(offset).map(CounterCell::is_taken),
        1 => arena.at::<GaugeCell>(offset).map(GaugeCell::is_taken),
        _ => arena.at::<HistogramCell>(offset).map(HistogramCell::is_taken),
    };
    taken.unwrap_or(false)
}

/// Whether a call in progress remembers the cell.
fn is_open(arena: Arena, offset: Offset, class: usize) -> bool {
    class == CALLS && arena.at::<HistogramCell>(offset).is_some_and(HistogramCell::is_open)
}

/// The lane's thread takes what was offered, so that there are cells to use again.
#[cold]
pub(super) fn reap(arena: Arena, lane: &Lane) {
    // First: what comes here from within must not begin anew.
    if lane.offers.load(Relaxed) == 0 || lane.offers.swap(0, Acquire) == 0 {
        return;
    }
    let claim = |head: &CellHead| head.state.compare_exchange(OFFERED, CLAIMED, AcqRel, Relaxed).is_ok();
    if cells(arena, lane).filter(|(head, _)| claim(head)).count() == 0 {
        return;
    }
    // Nobody finds them any more, and only then is it certain that nothing more is written to them.
    dense::forget(lane, |head| head.state.load(Relaxed) == CLAIMED);
    series::enter_anew(arena, lane, cells(arena, lane).filter(|(head, _)| is_found(head)));
    compiler_fence(Ordering::SeqCst);
    for (head, offset) in cells(arena, lane).filter(|(head, _)| head.state.load(Relaxed) == CLAIMED) {
        let slot = series::site(head);
        let Some(class) = registry::site(slot).map(|site| class(site.kind)) else { continue };
        if is_taken(arena, offset, class) && !is_open(arena, offset, class) {
            if let Some(count) = lane.series.get(slot as usize) {
                count.store(count.load(Relaxed).saturating_sub(1), Relaxed);
            }
            give(lane, head, offset, class);
        } else if series::enter(arena, lane, head.hash.load(Relaxed), offset).is_some() {
            head.state.store(LIVE, Release);
        }
    }
}

/// Whether a lane's thread finds the cell by its key.
fn is_found(head: &CellHead) -> bool {
    !matches!(head.state.load(Relaxed), CLAIMED | FREE)
}

/// Keeps a cell that nobody finds for another series. Its hash, which means nothing now, says which one is next.
pub(super) fn give(lane: &Lane, head: &CellHead, offset: Offset, class: usize) {
    head.hash.store(lane.free[class].load(Relaxed).into(), Relaxed);
    head.state.store(FREE, Relaxed);
    lane.free[class].store(offset, Relaxed);
}

/// A cell that can be used again for this site, if there is one.
#[allow(clippy::cast_possible_truncation)] // it was an offset
pub(super) fn take(arena: Arena, lane: &Lane, class: usize, slot: u32) -> Option<Offset> {
    let next = |head: &CellHead| head.hash.load(Relaxed) as Offset;
    let (mut before, mut offset) = (None::<&CellHead>, lane.free[class].load(Relaxed));
    while let Some(head) = arena.at::<CellHead>(offset) {
        if class != CALLS || series::site(head) == slot {
            match before {
                Some(before) => before.hash.store(next(head).into(), Relaxed),
                None => lane.free[class].store(next(head), Relaxed),
            }
            return Some(offset);
        }
        (before, offset) = (Some(head), next(head));
    }
    None
}

/// Publishes a cell whose key was written.
pub(super) fn publish(head: &CellHead, is_kept: bool) {
    head.idle_since_ms.store(0, Relaxed);
    head.state.store(if is_kept { KEPT } else { LIVE }, Release);
}

/// Every cell of a lane, with its place.
pub(super) fn cells(arena: Arena, lane: &Lane) -> impl Iterator<Item = (&'static CellHead, Offset)> {
    let at = move |offset: Offset| arena.at::<CellHead>(offset).map(|head| (head, offset));
    let first = at(lane.cells.load(Acquire));
    std::iter::successors(first, move |(head, _)| at(head.next.load(Relaxed)))
}
