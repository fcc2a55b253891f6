//! `emit` with `emit_otlp`: JSON over HTTP, sent again with growing pauses. Its channel of 10,000 events is of that size
//! for everyone, and what is in it goes when it is full; that it was full is counted, how many events went is not. It is
//! flushed in the end, as its documentation has it, with half a minute.

use std::time::Duration;

use super::{Peer, Setup, Subject};

pub const PEER: Peer =
    Peer { name: "emit_otlp", tries_again: true, keeps: false, start: |setup| Box::new(Otlp::start(setup)) };

struct Otlp(emit::setup::Init<'static, &'static emit_otlp::Otlp>);

impl Otlp {
    fn start(setup: &Setup) -> Otlp {
        let url = format!("http://127.0.0.1:{}/v1/logs", setup.port);
        let logs = emit_otlp::logs_json(emit_otlp::http(url));
        let emitter: &'static _ = Box::leak(Box::new(emit_otlp::new().logs(logs).spawn()));
        Otlp(emit::setup().emit_to(emitter).init())
    }
}

impl Subject for Otlp {
    fn log(&self, id: &str) {
        emit::info!(
            "the order was accepted and leaves the warehouse this evening",
            order: id,
            amount: 1.5,
            region: "eu",
            ok: true,
        );
    }

    fn end(self: Box<Self>) -> u64 {
        self.0.blocking_flush(Duration::from_secs(30));
        0 // it does not say
    }
}
