//! What could not be recorded, counted where it happened. Only on roads that are cold: a full ring, a full arena, a
//! value that is no number. The flush thread takes the counts into the books.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::ledger::Loss;
use crate::model::{Level, Signal};

/// Values refused and samples without room, and events without room in the arena.
static NOT_FINITE: AtomicU64 = AtomicU64::new(0);
static METRICS_WITHOUT_ROOM: AtomicU64 = AtomicU64::new(0);
static EVENTS_WITHOUT_ROOM: AtomicU64 = AtomicU64::new(0);
/// Events that found ring and overflow queue full, by the level's number.
static EVENTS_DROPPED: [AtomicU64; 6] = [const { AtomicU64::new(0) }; 6];

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
}

#[cold]
pub(super) fn not_finite() {
    NOT_FINITE.fetch_add(1, Relaxed);
}

#[cold]
pub(super) fn no_room(signal: Signal) {
    let counter = if signal == Signal::Metric { &METRICS_WITHOUT_ROOM } else { &EVENTS_WITHOUT_ROOM };
    counter.fetch_add(1, Relaxed);
}

#[cold]
pub(super) fn event_dropped(level: Level) {
    EVENTS_DROPPED[level as usize].fetch_add(1, Relaxed);
}

/// Everything that was lost since this was asked last.
pub(crate) fn take() -> Vec<Lost> {
    let one = |signal, loss, level, counter: &AtomicU64| Lost {
        signal,
        loss,
        level,
        count: counter.swap(0, Relaxed),
    };
    let mut lost = vec![
        one(Signal::Metric, Loss::NotFinite, None, &NOT_FINITE),
        one(Signal::Metric, Loss::ArenaFull, None, &METRICS_WITHOUT_ROOM),
        one(Signal::Log, Loss::ArenaFull, None, &EVENTS_WITHOUT_ROOM),
    ];
    let by_level =
        |level: Level| one(Signal::Log, Loss::RingFull, Some(level), &EVENTS_DROPPED[level as usize]);
    lost.extend(Level::ALL.map(by_level));
    lost.retain(|lost| lost.count > 0);
    lost
}
