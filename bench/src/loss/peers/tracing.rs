//! `tracing`: JSON through tracing-appender's non-blocking writer, not lossy, so that a full queue blocks the caller; its
//! guard is dropped in the end. What its writer cannot write is gone, and nothing counts it.

use tracing::info;
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};

use super::{Peer, Setup, Subject};

pub const PEER: Peer = Peer {
    name: "tracing JSON, non_blocking, not lossy",
    tries_again: false,
    keeps: false,
    start: |setup| Box::new(Guarded::start(setup)),
};

struct Guarded {
    guard: WorkerGuard,
    dropped: tracing_appender::non_blocking::ErrorCounter,
}

impl Guarded {
    fn start(setup: &Setup) -> Guarded {
        let (writer, guard) = NonBlockingBuilder::default().lossy(false).finish(setup.lines.clone());
        let dropped = writer.error_counter();
        tracing_subscriber::fmt().json().with_writer(writer).init();
        Guarded { guard, dropped }
    }
}

impl Subject for Guarded {
    fn log(&self, id: &str) {
        info!(
            order = id,
            amount = 1.5,
            region = "eu",
            ok = true,
            "the order was accepted and leaves the warehouse this evening"
        );
    }

    fn end(self: Box<Self>) -> u64 {
        drop(self.guard);
        self.dropped.dropped_lines() as u64
    }
}
