//! `slog`: JSON through slog-async that blocks when its channel is full; its guard is dropped in the end, and waits for
//! all of it. Errors of the sink are ignored: its documentation's other way, `fuse`, panics on the first.

use std::io::LineWriter;

use slog::{Drain, Logger, info, o};
use slog_async::OverflowStrategy;

use super::{Peer, QUEUE_EVENTS, Setup, Subject};

pub const PEER: Peer = Peer {
    name: "slog-async JSON, Block",
    tries_again: false,
    keeps: false,
    start: |setup| Box::new(Guarded::start(setup)),
};

struct Guarded {
    logger: Logger,
    guard: slog_async::AsyncGuard,
}

impl Guarded {
    fn start(setup: &Setup) -> Guarded {
        let drain = slog_json::Json::default(LineWriter::new(setup.lines.clone())).ignore_res();
        let (drain, guard) = slog_async::Async::new(drain)
            .chan_size(QUEUE_EVENTS)
            .overflow_strategy(OverflowStrategy::Block)
            .build_with_guard();
        Guarded { logger: Logger::root(drain.ignore_res(), o!()), guard }
    }
}

impl Subject for Guarded {
    fn log(&self, id: &str) {
        info!(
            self.logger,
            "the order was accepted and leaves the warehouse this evening";
            "order" => id,
            "amount" => 1.5,
            "region" => "eu",
            "ok" => true
        );
    }

    fn end(self: Box<Self>) -> u64 {
        drop(self.logger);
        drop(self.guard);
        0 // it reports what a full channel drops, and this one blocks
    }
}
