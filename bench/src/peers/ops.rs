//! ops-sdk itself, with a backend that makes JSON of what arrives at the seam, adds it up and forgets it.

use std::hint::black_box;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ops_sdk::backend::{Backend, Configure, Context, EncodeError, Verdict};
use ops_sdk::chunk::{Batch, Items};
use ops_sdk::encode::json::line;
use ops_sdk::ledger::Book;
use ops_sdk::limits::{Limits, Oversize};
use ops_sdk::model::{Body, Points, Record, Signal};
use ops_sdk::net::Net;
use ops_sdk::prelude::*;

use super::{MESSAGE, code, region, work};
use crate::cases::{Case, Section, case};
use crate::plan::{Outcome, Plan, WARM};

pub const CASES: &[Case] = &[
    case(Section::Counter, "ops-sdk", |plan| recorded(plan, |_| counter!("c", 1), |seen| seen.counted)),
    case(Section::Counter, "ops-sdk, kept in a file", |plan| {
        kept(plan, |_| counter!("c", 1), |seen| seen.counted)
    }),
    case(Section::Labels, "ops-sdk", |plan| recorded(plan, labelled, |seen| seen.counted)),
    case(Section::Labels, "ops-sdk, one label a number", |plan| {
        recorded(plan, numbered, |seen| seen.counted)
    }),
    case(Section::Histogram, "ops-sdk", |plan| {
        recorded(plan, |n| histogram!("h", n % 1000), |seen| seen.samples)
    }),
    case(Section::Histogram, "ops-sdk, kept in a file", |plan| {
        kept(plan, |n| histogram!("h", n % 1000), |seen| seen.samples)
    }),
    case(Section::Function, "ops-sdk #[instrumented], kept in a file", |plan| {
        kept(plan, |n| _ = black_box(measured(n)), |seen| seen.samples.min(seen.counted))
    }),
    case(Section::Function, "ops-sdk #[instrumented]", |plan| {
        recorded(plan, |n| _ = black_box(measured(n)), |seen| seen.samples.min(seen.counted))
    }),
    case(Section::Sampled, "ops-sdk #[instrumented(sample = 16)]", |plan| {
        recorded(plan, |n| _ = black_box(sampled(n)), |seen| seen.counted)
    }),
    case(Section::Event, "ops-sdk", |plan| recorded(plan, event, |seen| seen.events)),
    case(Section::Event, "ops-sdk, kept in a file", |plan| kept(plan, event, |seen| seen.events)),
    case(Section::Flood, "ops-sdk", |plan| recorded(plan, event, |seen| seen.events)),
    case(Section::Flood, "ops-sdk, paced 3 M/s", paced),
    case(Section::Off, "ops-sdk counter", |plan| off(plan, |_| counter!("c", 1))),
    case(Section::Off, "ops-sdk #[instrumented]", |plan| off(plan, |n| _ = black_box(measured(n)))),
    case(Section::Off, "ops-sdk event", |plan| off(plan, event)),
    case(Section::Off, "ops-sdk event below the level", below),
];

/// What arrived at the seam.
#[derive(Clone, Copy, Default)]
struct Seen {
    counted: u64,
    samples: u64,
    events: u64,
}

/// A backend that adds up what it is given, and shows the sums with each push.
#[derive(Clone, Default)]
struct Sums {
    own: Seen,
    shown: Arc<Mutex<Seen>>,
}

/// Events a second, over all threads.
const PACE: u64 = 3_000_000;
/// How late a thread may be without being late from there on.
const LATE_MAX: Duration = Duration::from_millis(3);

/// Long enough for everything; a flush ends as soon as all is through.
const DEADLINE: Duration = Duration::from_secs(30);

fn recorded(plan: &Plan, call: impl Fn(u64) + Copy + Sync, pick: fn(&Seen) -> u64) -> Outcome {
    run(plan, ops_sdk::init(), || call, pick)
}

/// The same with a state directory: what is recorded lies in a mapped file, and goes by way of a journal on disk.
fn kept(plan: &Plan, call: impl Fn(u64) + Copy + Sync, pick: fn(&Seen) -> u64) -> Outcome {
    let dir = std::env::temp_dir().join(format!("ops-bench-kept-{}", std::process::id()));
    let outcome = run(plan, ops_sdk::init().state_dir(&dir), || call, pick);
    let _ = std::fs::remove_dir_all(&dir);
    outcome
}

/// Events at a steady pace, a millisecond's worth at a time, over one second.
fn paced(plan: &Plan) -> Outcome {
    let per_ms = PACE / plan.threads / 1000;
    let make = || {
        let mut due: Option<Instant> = None;
        move |n: u64| {
            if n >= WARM && (n - WARM).is_multiple_of(per_ms) {
                let now = Instant::now();
                // What the scheduler takes is made up for by some milliseconds at most: more would be another rate.
                let next = due.map_or(now, |due| due.max(now - LATE_MAX));
                std::thread::sleep(next.saturating_duration_since(now));
                due = Some(next + Duration::from_millis(1));
            }
            event(n);
        }
    };
    // Of these a ring holds what comes while the flush thread sleeps, and is kept waiting for a processor.
    run(plan, ops_sdk::init().ring_bytes_max(4 << 20), make, |seen| seen.events)
}

fn run<C: FnMut(u64)>(
    plan: &Plan,
    builder: ops_sdk::Builder,
    make: impl Fn() -> C + Sync,
    pick: fn(&Seen) -> u64,
) -> Outcome {
    let sums = Sums::default();
    let ops = builder.namespace("Bench").backend(sums.clone()).start();
    let ops = ops.unwrap_or_else(|error| panic!("{error}"));
    let timing = plan.measure_in_bursts(make, |_| _ = ops.flush(DEADLINE));
    let dropped = ops.flush(DEADLINE).dropped;
    timing.found(plan, sums.shown.lock().map_or(0, |seen| pick(&seen))).dropped(dropped)
}

/// Nothing is started, as in a library that is used by a program without ops-sdk.
fn off(plan: &Plan, call: impl Fn(u64) + Copy + Sync) -> Outcome {
    let timing = plan.measure(|| call);
    let sums = Sums::default();
    let ops = ops_sdk::init().namespace("Bench").backend(sums.clone()).start();
    ops.unwrap_or_else(|error| panic!("{error}")).flush(DEADLINE);
    timing.off(plan, sums.total())
}

/// Recording, but not events of this level.
fn below(plan: &Plan) -> Outcome {
    let sums = Sums::default();
    let ops = ops_sdk::init().namespace("Bench").level(ops_sdk::Level::Warn).backend(sums.clone()).start();
    let ops = ops.unwrap_or_else(|error| panic!("{error}"));
    let timing = plan.measure(|| event);
    ops.flush(DEADLINE);
    timing.off(plan, sums.total())
}

#[inline(always)]
fn labelled(n: u64) {
    counter!("c", 1, "Region" => region(n), "Code" => code(n));
}

#[inline(always)]
fn numbered(n: u64) {
    counter!("c", 1, "Region" => region(n), "Code" => n % 5);
}

#[instrumented]
#[inline(never)]
fn measured(n: u64) -> Result<u64, u64> {
    work(n)
}

#[instrumented(sample = 16)]
#[inline(never)]
fn sampled(n: u64) -> Result<u64, u64> {
    work(n)
}

#[inline(always)]
fn event(n: u64) {
    info!(
        "the order was accepted and leaves the warehouse this evening",
        order.id = n,
        amount = 1.5,
        region = "eu",
        ok = true
    );
}

impl Sums {
    fn total(&self) -> u64 {
        self.shown.lock().map_or(u64::MAX, |seen| seen.counted + seen.samples + seen.events)
    }
}

impl Configure for Sums {
    fn open(self: Box<Self>, _: &Context) -> Result<Box<dyn Backend>, ops_sdk::Error> {
        Ok(self)
    }
}

impl Backend for Sums {
    fn id(&self) -> &str {
        "sums"
    }

    fn limits(&self) -> Limits {
        Limits {
            push_bytes_max: 1 << 22,
            envelope_bytes: 0,
            push_items_max: 10_000,
            item_bytes_max: 1 << 22,
            item_overhead_bytes: 0,
            span_ms_max: None,
            age_ms_max: None,
            ahead_ms_max: None,
            ordered: false,
            push: false,
            oversize: Oversize::Refuse,
        }
    }

    fn accepts(&self, _: Signal) -> bool {
        true
    }

    fn encode(&mut self, record: &Record<'_>, out: &mut Items) -> Result<(), EncodeError> {
        let seen = &mut self.own;
        match &record.body {
            Body::Metric(metric) if metric.name.starts_with("ops.") => {} // its own
            Body::Metric(metric) => match metric.points {
                Points::Counter { sum } => seen.counted += sum,
                _ => seen.samples += metric.points.count(),
            },
            Body::Log(log) => seen.events += u64::from(log.message == MESSAGE),
            _ => {}
        }
        out.push(|bytes| {
            line(bytes, record, &[]);
            Ok(())
        })
    }

    fn send(&mut self, _: &Batch, _: &mut Net) -> Verdict {
        if let Ok(mut shown) = self.shown.lock() {
            *shown = self.own;
        }
        Verdict::Delivered
    }

    fn books(&mut self, _: &[Book]) {}
}
