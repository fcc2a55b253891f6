//! What goes first when not everything can be kept: while a disk takes nothing, and memory does not hold all that waits
//! for it.
//!
//! Error logs are given up last: they say what to repair. Metrics come right before them: they are few bytes for
//! thousands of calls and the only witness of their window, so giving them up frees little and costs much. States and
//! checks go before warnings, because the next one says the same again. Audit is in a lane of its own and never gives way.

use crate::model::{Body, Level};

/// The worth of a frame: of its weightiest record. The least goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Weight {
    /// Log events of level debug or trace.
    Debug = 0,
    /// Log events of level info.
    Info = 1,
    /// What something is configured to be, and whether it is well.
    State = 2,
    /// Log events of level warn.
    Warn = 3,
    /// Metrics.
    Metric = 4,
    /// Log events of level error, and audit records.
    Error = 5,
}

impl Weight {
    /// How many there are.
    pub(super) const COUNT: usize = 6;
    const ALL: [Weight; Weight::COUNT] =
        [Weight::Debug, Weight::Info, Weight::State, Weight::Warn, Weight::Metric, Weight::Error];

    /// The worth of a log event.
    #[must_use]
    pub fn of_level(level: Level) -> Weight {
        match level {
            Level::Trace | Level::Debug => Weight::Debug,
            Level::Info => Weight::Info,
            Level::Warn => Weight::Warn,
            Level::Error => Weight::Error,
        }
    }

    /// The worth of a record.
    #[must_use]
    pub fn of(body: &Body<'_>) -> Weight {
        match body {
            Body::Metric(_) => Weight::Metric,
            Body::Log(log) => Weight::of_level(log.level),
            Body::Audit(_) => Weight::Error,
            Body::Config(_) | Body::Check(_) => Weight::State,
        }
    }

    /// As frames store it.
    pub(super) fn from_u8(number: u8) -> Option<Weight> {
        Weight::ALL.get(usize::from(number)).copied()
    }
}
