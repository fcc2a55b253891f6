//! `slog` through slog-async to slog-json. Twice: with the channel of 128 records that is the default, which drops and
//! reports what does not fit, and with one that all of a burst fits in. What the first says it has dropped is more
//! than was ever logged (slog-async 2.8.0 counts a record again when the report of drops does not fit either), so its
//! figures cannot be verified and are marked so.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use slog::{Drain, Level, LevelFilter, Logger, info, o};

use crate::cases::{Case, Section, case};
use crate::plan::{Outcome, Plan};

pub const CASES: &[Case] = &[
    case(Section::Event, "slog-async JSON", |plan| event(plan, 128)),
    case(Section::Event, "slog-async JSON, room for 65,536", |plan| event(plan, 65_536)),
    case(Section::Flood, "slog-async JSON", |plan| event(plan, 128)),
    case(Section::Flood, "slog-async JSON, room for 65,536", |plan| event(plan, 65_536)),
    case(Section::Off, "slog event", off),
];

/// How many lines were written, and how many records they say were dropped.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Told>>);

#[derive(Clone, Copy, Default)]
struct Told {
    written: u64,
    dropped: u64,
}

/// Takes a line in pieces and reads it when it is whole.
struct Reader {
    lines: Lines,
    line: Vec<u8>,
}

impl Write for Reader {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line.extend_from_slice(bytes);
        if self.line.ends_with(b"\n") {
            self.lines.tell(&self.line);
            self.line.clear();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn tell(&self, line: &[u8]) {
        let Ok(mut told) = self.0.lock() else { return };
        // An event begins with its time or its fields; only the report of drops has a count and no region.
        let is_event = line.windows(8).any(|word| word == b"\"region\"");
        if is_event {
            told.written += 1;
        } else {
            let report: serde_json::Value = serde_json::from_slice(line).unwrap_or_default();
            told.dropped += report["count"].as_u64().unwrap_or(0);
        }
    }

    fn told(&self) -> Told {
        self.0.lock().map_or_else(|_| Told::default(), |told| *told)
    }
}

#[inline(always)]
fn call(logger: &Logger, n: u64) {
    info!(
        logger,
        "the order was accepted and leaves the warehouse this evening";
        "order.id" => n,
        "amount" => 1.5,
        "region" => "eu",
        "ok" => true
    );
}

fn event(plan: &Plan, channel_records: usize) -> Outcome {
    let lines = Lines::default();
    let drain = slog_json::Json::default(Reader { lines: lines.clone(), line: Vec::new() }).fuse();
    let builder = slog_async::Async::new(drain).chan_size(channel_records);
    let (drain, guard) = builder.build_with_guard();
    let logger = Logger::root(drain.fuse(), o!());
    let settle = |_| settle(&lines);
    let timing = plan.measure_in_bursts(|| |n| call(&logger, n), settle);
    drop(logger); // reports what was dropped last
    drop(guard);
    let Told { written, dropped } = lines.told();
    timing.found(plan, written).dropped(dropped)
}

/// Waits until nothing has been written for a while.
fn settle(lines: &Lines) {
    let mut before = None;
    while before != Some(lines.told().written) {
        before = Some(lines.told().written);
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

fn off(plan: &Plan) -> Outcome {
    let lines = Lines::default();
    let drain = slog_json::Json::default(Reader { lines: lines.clone(), line: Vec::new() }).fuse();
    let (drain, guard) = slog_async::Async::new(drain).build_with_guard();
    let logger = Logger::root(LevelFilter::new(drain, Level::Warning).fuse(), o!());
    let timing = plan.measure(|| |n| call(&logger, n));
    drop(logger);
    drop(guard);
    timing.off(plan, lines.told().written)
}
