//! The record and its id.

use std::fmt;

use super::{Audit, Check, Config, Log, Metric, Signal};

/// What identifies a record for ever: the process that recorded it and its number there. Stable across retries and
/// restarts, so it makes delivery idempotent where a server allows it and duplicates recognisable where it does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct RecordId {
    /// Drawn at random when the process starts recording.
    pub process: u64,
    /// Counts up from 1 within the process.
    pub seq: u64,
}

impl fmt::Display for RecordId {
    /// Sixteen hexadecimal digits, a dash, and the sequence in decimal: `00c0ffee00c0ffee-42`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{}", self.process, self.seq)
    }
}

/// One thing that happened, or one series over one window.
#[derive(Debug, Clone, PartialEq)]
pub struct Record<'a> {
    /// Its identity.
    pub id: RecordId,
    /// When: of an event, the moment; of a metric, the start of its window. Nanoseconds since the Unix epoch.
    pub time_ns: u64,
    /// What.
    pub body: Body<'a>,
}

/// The five kinds of record.
#[derive(Debug, Clone, PartialEq)]
pub enum Body<'a> {
    /// One series over one window.
    Metric(Metric<'a>),
    /// A structured log event.
    Log(Log<'a>),
    /// Who changed what, when.
    Audit(Audit<'a>),
    /// What something is configured to be.
    Config(Config<'a>),
    /// Whether something is well.
    Check(Check<'a>),
}

impl Record<'_> {
    /// The kind of record.
    #[must_use]
    pub fn signal(&self) -> Signal {
        match self.body {
            Body::Metric(_) => Signal::Metric,
            Body::Log(_) => Signal::Log,
            Body::Audit(_) => Signal::Audit,
            Body::Config(_) => Signal::Config,
            Body::Check(_) => Signal::Check,
        }
    }

    /// When, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn time_ms(&self) -> u64 {
        self.time_ns / 1_000_000
    }
}
