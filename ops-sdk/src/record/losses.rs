//! What could not be recorded, counted where it happened. Only on roads that are cold: a full ring, a full arena, a
//! value that is no number. The flush thread takes the counts into the books, and says them in-band; the arena remembers
//! what was not said, for whoever finds it.

use std::mem::offset_of;
use std::sync::atomic::{AtomicU64 as Shared, Ordering::Relaxed};

use super::arena::Arena;
use super::remains::Bytes;
use super::sync::AtomicU64;
use super::taking::Taking;
use crate::ledger::Loss;
use crate::model::{Level, Signal};

/// Kinds of losses: values refused, samples without room, events without room in the arena, and by the level's number
/// events that found ring and overflow queue full.
const KINDS: usize = EVENTS_DROPPED + 6;
const NOT_FINITE: usize = 0;
const METRICS_WITHOUT_ROOM: usize = 1;
const EVENTS_WITHOUT_ROOM: usize = 2;
const EVENTS_DROPPED: usize = 3;

/// Lies in the arena's head.
#[repr(C)]
pub(super) struct Counts {
    all: [AtomicU64; KINDS],
    /// Those that were said.
    said: [AtomicU64; KINDS],
}

/// Those that are in the books.
static TAKEN: [Shared; KINDS] = [const { Shared::new(0) }; KINDS];

/// So many of one kind, with the level where it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lost {
    pub(crate) signal: Signal,
    pub(crate) loss: Loss,
    pub(crate) level: Option<Level>,
    pub(crate) count: u64,
}

impl Lost {
    /// So many log events, of whatever level.
    pub(crate) fn of_logs(loss: Loss, count: u64) -> Lost {
        Lost { signal: Signal::Log, loss, level: None, count }
    }

    /// So many of the kind with this number.
    fn of(kind: usize, count: u64) -> Lost {
        match kind {
            NOT_FINITE => Lost { signal: Signal::Metric, loss: Loss::NotFinite, level: None, count },
            METRICS_WITHOUT_ROOM => {
                Lost { signal: Signal::Metric, loss: Loss::ArenaFull, level: None, count }
            }
            EVENTS_WITHOUT_ROOM => Lost::of_logs(Loss::ArenaFull, count),
            _ => Lost { level: level(kind), ..Lost::of_logs(Loss::RingFull, count) },
        }
    }
}

fn level(kind: usize) -> Option<Level> {
    Level::ALL.into_iter().find(|level| kind_of(*level) == kind)
}

fn kind_of(level: Level) -> usize {
    EVENTS_DROPPED + level as usize
}

#[cold]
pub(super) fn not_finite() {
    count(NOT_FINITE);
}

#[cold]
pub(super) fn no_room(signal: Signal) {
    count(if signal == Signal::Metric { METRICS_WITHOUT_ROOM } else { EVENTS_WITHOUT_ROOM });
}

#[cold]
pub(super) fn event_dropped(level: Level) {
    count(kind_of(level));
}

/// Without an arena nothing is recorded, and so nothing lost.
fn count(kind: usize) {
    if let Some(arena) = Arena::get() {
        arena.head().losses.all[kind].fetch_add(1, super::sync::Ordering::Relaxed);
    }
}

/// In a child of `fork`, whose arena has lost nothing yet. Async-signal-safe.
pub(super) fn forget_in_child() {
    TAKEN.iter().for_each(|taken| taken.store(0, Relaxed));
}

/// Everything that was lost since this was asked last.
pub(crate) fn take() -> Vec<Lost> {
    let Some(arena) = Arena::get() else { return Vec::new() };
    let lost = (0..KINDS).map(|kind| {
        let all = arena.head().losses.all[kind].load(super::sync::Ordering::Relaxed);
        Lost::of(kind, all.wrapping_sub(TAKEN[kind].swap(all, Relaxed)))
    });
    lost.filter(|lost| lost.count > 0).collect()
}

/// What was taken so far is said, by records of this taking.
pub(crate) fn said(taking: Taking) {
    let Some(arena) = Arena::get() else { return };
    for (said, taken) in arena.head().losses.said.iter().zip(&TAKEN) {
        taking.note(said);
        said.store(taken.load(Relaxed), super::sync::Ordering::Relaxed);
    }
}

/// What a dead process had lost and not said.
pub(super) fn dead(bytes: &Bytes, at: usize) -> Vec<Lost> {
    let word = |list: usize, kind: usize| bytes.long(at + list + 8 * kind);
    let unsaid =
        |kind| word(offset_of!(Counts, all), kind).wrapping_sub(word(offset_of!(Counts, said), kind));
    (0..KINDS).map(|kind| Lost::of(kind, unsaid(kind))).filter(|lost| lost.count > 0).collect()
}
