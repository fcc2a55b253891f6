//! The flush thread's side of the arena: takes events out of the rings, and what was counted out of the cells.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::arena::Arena;
use super::call::Mishap;
use super::cell::{CounterCell, GaugeCell, GaugeDelta, HistogramCell};
use super::drain::{self, Drain};
use super::frame::Frame;
use super::in_flight::Levels;
use super::lane::{self, Lane};
use super::shelf::Shelf;
use super::sync::AtomicBool;
use super::sync::Ordering::{AcqRel, Relaxed, Release};
use super::taking::Taking;
use super::{Kind, Site, expire, keep, overflow, registry, series, told};
use crate::clock::{Anchor, Now};
use crate::model::{Distribution, Resolution};

/// What one cell holds that was not taken before.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Taken {
    /// So much was counted.
    Counter(u64),
    /// A gauge was set.
    Gauge(GaugeDelta),
    /// Values were observed.
    Histogram(Distribution),
    /// Calls ended: their durations, how many returned an error, panicked, were cancelled, or failed by the fault of
    /// whoever called.
    Calls {
        durations: Distribution,
        /// Calls that have a duration; each stands for several where not all are timed.
        timed: u64,
        /// Calls that have no duration.
        untimed: u64,
        /// Calls that have no duration and a label; `untimed` of the cell without a label has them, too.
        labelled: u64,
        errors: u64,
        panics: u64,
        cancelled: u64,
        client_errors: u64,
    },
    /// Calls are, or were, in progress.
    InFlight(Levels),
}

impl Taken {
    /// Calls, if there are any: the durations with how many they are, those that have none, and how some ended.
    pub(super) fn calls(
        durations: Option<(Distribution, u64)>,
        (untimed, labelled): (u64, u64),
        endings: [u64; Mishap::ALL.len()],
    ) -> Option<Taken> {
        if durations.is_none() && untimed + labelled == 0 && endings == [0; Mishap::ALL.len()] {
            return None;
        }
        let (durations, timed) = durations.unwrap_or_default();
        let [errors, panics, cancelled, client_errors] = endings;
        Some(Taken::Calls { durations, timed, untimed, labelled, errors, panics, cancelled, client_errors })
    }

    /// How much it is, in increments, values or calls.
    pub(crate) fn count(&self) -> u64 {
        match self {
            Taken::Counter(sum) => *sum,
            Taken::Gauge(gauge) => gauge.count,
            Taken::Histogram(values) => values.count,
            Taken::Calls { timed, untimed, .. } => timed.saturating_add(*untimed),
            Taken::InFlight(_) => 0,
        }
    }
}

/// Takes out of the arena. There is one, because what is taken is gone.
pub(crate) struct Reader {
    arena: Arena,
    drain: Drain,
}

/// Whether there is a reader. Two would hand out the same bytes and free what the other still reads.
static READING: AtomicBool = AtomicBool::new(false);

/// In a child of `fork`: the reader was another thread's. Async-signal-safe.
pub(super) fn forget_in_child() {
    READING.store(false, Release);
}

impl Drop for Reader {
    fn drop(&mut self) {
        READING.store(false, Release);
    }
}

impl Reader {
    /// The reader; `None` while there is one.
    pub(crate) fn new(arena: Arena) -> Option<Reader> {
        let is_first = !READING.swap(true, AcqRel);
        is_first.then(|| Reader { arena, drain: Drain::default() })
    }

    /// What is recorded from here on is this process's, with these dimensions on every metric.
    pub(crate) fn begin(&self, process: u64, dimensions: &[(String, String)]) {
        told::begin(self.arena, process, dimensions);
        self.arena.head().shelf.clear(); // whoever held events back before has let go of them
        self.taking().begin(1);
    }

    /// Notes what time it is, for whoever finds the arena.
    pub(crate) fn tell_time(&self, now: Anchor) {
        told::read_clocks(self.arena, now);
    }

    /// The same of when the window that is open began.
    pub(crate) fn tell_window(&self, resolution: Resolution, start_ms: u64) {
        told::window_began(self.arena, resolution, start_ms);
    }

    /// Keeps the arena in this file from here on.
    ///
    /// # Errors
    ///
    /// What the system says. The arena is what it was.
    pub(crate) fn keep_in(&self, path: &Path) -> io::Result<()> {
        keep::keep_in(self.arena, path)
    }

    /// Keeps it nowhere: it ends with the process.
    pub(crate) fn keep_nowhere(&self) {
        keep::keep_nowhere(self.arena);
    }

    /// Has ready what threads take that record for the first time: a lane, pages, and room on the disk where the arena is
    /// kept.
    pub(crate) fn make_room_ahead(&self) {
        lane::make_ahead(self.arena);
        keep::make_room_ahead(self.arena);
    }

    /// Where events that are held back are kept.
    pub(crate) fn shelf(&self) -> Shelf {
        Shelf::of(self.arena)
    }

    /// What goes on with the taking. A copy is the same one.
    pub(crate) fn taking(&self) -> Taking {
        Taking::of(self.arena)
    }

    /// Takes every event that was published, and hands each to `each` in order of time. Says how many events there were.
    /// When the journal has them, [`Reader::release`] is to be called.
    pub(crate) fn take_events(&mut self, each: impl FnMut(&'static Site, &Frame<'_>)) -> u64 {
        self.drain.take(self.arena, each)
    }

    /// The journal has all the events that were taken: their room is free.
    pub(crate) fn release(&mut self) {
        drain::release(self.arena);
    }

    /// Closes the window of this resolution: what each cell gained in it, with the values of the site's dimensions. Cells
    /// in which nothing was found for long enough are offered to their thread. Before each next one the taking must not
    /// be full.
    pub(crate) fn metrics(
        &mut self,
        resolution: Resolution,
        now: Now,
    ) -> impl Iterator<Item = (&'static Site, Vec<String>, Taken)> + use<> {
        let (arena, now_ms) = (self.arena, now.mono_ns / 1_000_000);
        let cells =
            lane::all(arena).flat_map(move |lane| expire::cells(arena, lane).map(move |cell| (lane, cell)));
        let taken = cells.filter_map(move |(lane, (head, offset))| {
            let site = expire::to_read(arena, head, offset, resolution)?;
            let taken = take_cell(arena, site.kind, offset);
            match &taken {
                Some(_) => expire::found_used(head),
                None => expire::found_idle(lane, head, now_ms),
            }
            taken.map(|taken| (site, series::labels(arena, head), taken))
        });
        let sites = registry::all().filter(move |site| site.resolution == resolution);
        let levels =
            sites.filter_map(|site| Some((site, Vec::new(), Taken::InFlight(site.in_flight?.take()?))));
        taken.chain(levels)
    }

    /// The same, each handed to `each`; for an arena that is not kept.
    #[cfg(any(test, ops_model))]
    pub(crate) fn take_metrics(
        &mut self,
        resolution: Resolution,
        now: Now,
        mut each: impl FnMut(&'static Site, Vec<String>, Taken),
    ) {
        self.metrics(resolution, now).for_each(|(site, labels, taken)| each(site, labels, taken));
    }
}

impl Reader {
    /// How many calls of each site were counted so far, on all threads: those that were timed, and all others. Takes
    /// nothing.
    pub(crate) fn calls(&self) -> BTreeMap<u32, Calls> {
        let mut all: BTreeMap<u32, Calls> = BTreeMap::new();
        for (head, offset) in lane::all(self.arena).flat_map(|lane| expire::cells(self.arena, lane)) {
            let number = series::site(head);
            let Some(site) = registry::site(number).filter(|site| site.kind == Kind::Call) else { continue };
            let Some(cell) = self.arena.at::<HistogramCell>(offset) else { continue };
            let (timed, untimed) = cell.calls();
            let calls = all.entry(number).or_insert(Calls { site, timed: 0, untimed: 0 });
            calls.timed = calls.timed.wrapping_add(timed);
            calls.untimed = calls.untimed.wrapping_add(untimed);
        }
        all
    }
}

/// The calls of a site.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Calls {
    pub(crate) site: &'static Site,
    pub(crate) timed: u64,
    pub(crate) untimed: u64,
}

impl Calls {
    /// How many calls came since there were so many, timed and untimed. None where there are fewer than before: a cell
    /// has become that of another site.
    pub(crate) fn since(&self, (timed, untimed): (u64, u64)) -> (u64, u64) {
        const ROUND: u64 = (1 << 35) - 1; // where a cell's count of untimed calls goes round
        let untimed = self.untimed.wrapping_sub(untimed) & ROUND;
        (self.timed.saturating_sub(timed), if untimed > ROUND / 2 { 0 } else { untimed })
    }
}

/// How many events are in the arena that the flush thread has not taken.
pub(crate) fn pending_events() -> u64 {
    let Some(arena) = Arena::get() else { return 0 };
    let waiting = |lane: &Lane| lane.seq.load(Relaxed).saturating_sub(lane.seq_taken.load(Relaxed));
    lane::all(arena).map(waiting).sum::<u64>() + overflow::pending(arena)
}

fn take_cell(arena: Arena, kind: Kind, offset: u32) -> Option<Taken> {
    let taking = Taking::of(arena);
    match kind {
        Kind::Counter => {
            let n = arena.at::<CounterCell>(offset)?.take(taking);
            (n > 0).then_some(Taken::Counter(n))
        }
        Kind::Gauge => arena.at::<GaugeCell>(offset)?.take(taking).map(Taken::Gauge),
        Kind::Histogram | Kind::Event(_) => {
            let taken = arena.at::<HistogramCell>(offset)?.take(arena, taking);
            taken.filter(|(values, _)| values.count > 0).map(|(values, _)| Taken::Histogram(values))
        }
        Kind::Call => {
            let cell = arena.at::<HistogramCell>(offset)?;
            let (durations, untimed) = (cell.take(arena, taking), cell.take_untimed(taking));
            let endings = Mishap::ALL.map(|mishap| cell.take_ending(mishap as usize, taking));
            Taken::calls(durations, untimed, endings)
        }
    }
}
