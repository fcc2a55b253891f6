//! `spdlog-rs`: JSON by its thread pool, whose queue blocks the caller when it is full, its default; flushed in the end.
//! Errors of the sink go to its error handler, which counts them here.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use spdlog::formatter::JsonFormatter;
use spdlog::sink::{AsyncPoolSink, WriteSink};
use spdlog::{Logger, ThreadPool, info};

use super::{Peer, QUEUE_EVENTS, Setup, Subject};

pub const PEER: Peer = Peer {
    name: "spdlog-rs JSON, Block",
    tries_again: false,
    keeps: false,
    start: |setup| Box::new(Pooled::start(setup).unwrap_or_else(|error| panic!("{error}"))),
};

struct Pooled {
    logger: Logger,
    failed: Arc<AtomicU64>,
}

impl Pooled {
    fn start(setup: &Setup) -> spdlog::Result<Pooled> {
        let failed = Arc::new(AtomicU64::new(0));
        let count = failed.clone();
        let sink =
            WriteSink::builder().formatter(JsonFormatter::new()).target(setup.lines.clone()).build_arc()?;
        let room = NonZeroUsize::new(QUEUE_EVENTS).unwrap_or(NonZeroUsize::MIN);
        let pool = ThreadPool::builder().capacity(room).build_arc()?;
        let sink = AsyncPoolSink::builder()
            .sink(sink)
            .thread_pool(pool)
            .error_handler(move |_| _ = count.fetch_add(1, Ordering::Relaxed))
            .build_arc()?;
        Ok(Pooled { logger: Logger::builder().sink(sink).build()?, failed })
    }
}

impl Subject for Pooled {
    fn log(&self, id: &str) {
        info!(
            logger: self.logger,
            "the order was accepted and leaves the warehouse this evening",
            kv: { order = id, amount = 1.5, region = "eu", ok = true }
        );
    }

    fn end(self: Box<Self>) -> u64 {
        self.logger.flush();
        drop(self.logger); // with its sink goes the pool, which works off its queue
        self.failed.load(Ordering::Relaxed)
    }
}
