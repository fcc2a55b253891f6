//! `spdlog-rs`: JSON by its own formatter, written by its thread pool, whose queue blocks the caller when it is full,
//! its default. A caller that blocks pays no CPU: see the wall clock.

use std::sync::Arc;

use spdlog::formatter::JsonFormatter;
use spdlog::sink::{AsyncPoolSink, WriteSink};
use spdlog::{LevelFilter, Logger, info};

use crate::cases::{Case, Section, case};
use crate::plan::{Outcome, Plan};
use crate::sink::Lines;

pub const CASES: &[Case] = &[
    case(Section::Event, "spdlog-rs JSON", event),
    case(Section::Flood, "spdlog-rs JSON", event),
    case(Section::Off, "spdlog-rs event", off),
];

#[inline(always)]
fn call(logger: &Logger, n: u64) {
    info!(
        logger: logger,
        "the order was accepted and leaves the warehouse this evening",
        kv: { order_id = n, amount = 1.5, region = "eu", ok = true }
    );
}

fn logger(lines: &Lines, level: LevelFilter) -> Logger {
    let build = || {
        let sink = WriteSink::builder().formatter(JsonFormatter::new()).target(lines.clone()).build_arc()?;
        let sink: Arc<AsyncPoolSink> = AsyncPoolSink::builder().sink(sink).build_arc()?;
        Logger::builder().sink(sink).level_filter(level).build()
    };
    build().unwrap_or_else(|error: spdlog::Error| panic!("{error}"))
}

fn event(plan: &Plan) -> Outcome {
    let lines = Lines::default();
    let logger = logger(&lines, LevelFilter::All);
    let settle = |calls| lines.settle(|seen| seen == calls);
    let timing = plan.measure_in_bursts(|| |n| call(&logger, n), settle);
    logger.flush();
    lines.settle(|seen| seen == plan.calls());
    timing.found(plan, lines.count())
}

fn off(plan: &Plan) -> Outcome {
    let lines = Lines::default();
    let logger = logger(&lines, LevelFilter::MoreSevereEqual(spdlog::Level::Warn));
    let timing = plan.measure(|| |n| call(&logger, n));
    logger.flush();
    timing.off(plan, lines.count())
}
