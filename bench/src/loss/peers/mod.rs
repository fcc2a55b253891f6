//! Who is measured, each in a file of its own: set up as its own documentation says is best for not losing, and ended as
//! it says a program should end. What a peer cannot do is said at the top of its file.
//!
//! Not here: quicklog, which writes nothing unless the program tells it to; fastrace, whose reporter is the program's own
//! code, so that what is lost is the program's choice; prometheus, autometrics and `metrics`, which are asked by others
//! and send nothing.

mod emit;
mod limit;
mod metrique;
mod opentelemetry;
mod ops;
mod slog;
mod spdlog;
mod tracing;

use std::path::PathBuf;

pub use self::ops::guarded;
use super::lines::Lines;

/// A library that events are given to.
pub struct Peer {
    pub name: &'static str,
    /// Whether it sends again what was not taken.
    pub tries_again: bool,
    /// Whether it keeps what was not taken for the next start.
    pub keeps: bool,
    pub start: fn(&Setup) -> Box<dyn Subject>,
}

/// What it is given.
pub struct Setup {
    /// Where the collector is, for who pushes.
    pub port: u16,
    /// A folder that outlives the process.
    pub dir: PathBuf,
    /// The collector, for who writes.
    pub lines: Lines,
}

/// A peer that was started.
pub trait Subject {
    /// One event: a message of 60 bytes and four fields, of which one is this text.
    fn log(&self, id: &str);

    /// Ends it; says how many events it says it has dropped.
    fn end(self: Box<Self>) -> u64;
}

/// Every peer, ops-sdk last.
pub const PEERS: &[Peer] =
    &[tracing::PEER, metrique::PEER, slog::PEER, spdlog::PEER, emit::PEER, opentelemetry::PEER, ops::PEER];

/// What stands beside the peers where events come at a rate: callers with nothing to lose.
pub const LIMITS: &[Peer] = &[limit::NOTHING, limit::RING];

/// Room for more than a burst of ten thousand, for those whose queue is counted in events.
const QUEUE_EVENTS: usize = 1 << 16;
