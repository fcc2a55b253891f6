//! One case in one process: how long a call takes, how often it allocates, and whether all of it was recorded.

use std::cell::Cell;
use std::hint::black_box;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use ops_sdk::backend::{Backend, Configure, Context, EncodeError, Verdict};
use ops_sdk::chunk::{Batch, Items};
use ops_sdk::ledger::Book;
use ops_sdk::limits::{Limits, Oversize};
use ops_sdk::model::{Body, Points, Record, Signal};
use ops_sdk::net::Net;
use ops_sdk::prelude::*;

/// A case: its name, what one call does, calls in a round, and what must have been recorded of `n` calls.
struct Case {
    name: &'static str,
    call: fn(u64),
    calls: u64,
    recorded: fn(&Seen) -> Option<u64>,
    /// Whether the SDK is started.
    on: bool,
}

thread_local! {
    static CELL: Cell<u64> = const { Cell::new(0) };
}

/// Every case, the limits of the machine first.
pub const NAMES: &[&str] = &[
    "limit: add to a thread's cell",
    "limit: read the counter twice",
    "counter",
    "counter, 2 runtime labels",
    "gauge",
    "histogram",
    "instrumented, returns Result",
    "event, 4 typed fields",
    "counter, off",
    "instrumented, off",
    "event, off",
];

const CASES: &[Case] = &[
    Case {
        name: NAMES[0],
        call: |_| CELL.set(black_box(CELL.get() + 1)),
        calls: 5_000_000,
        recorded: |_| None,
        on: false,
    },
    Case { name: NAMES[1], call: |_| two_reads(), calls: 1_000_000, recorded: |_| None, on: false },
    Case {
        name: NAMES[2],
        call: |_| counter!("c", 1),
        calls: 5_000_000,
        recorded: |s| Some(s.counted),
        on: true,
    },
    Case { name: NAMES[3], call: labelled, calls: 1_000_000, recorded: |s| Some(s.counted), on: true },
    Case {
        name: NAMES[4],
        call: |n| gauge!("g", n),
        calls: 1_000_000,
        recorded: |s| Some(s.samples),
        on: true,
    },
    Case {
        name: NAMES[5],
        call: |n| histogram!("h", n % 1000),
        calls: 1_000_000,
        recorded: |s| Some(s.samples),
        on: true,
    },
    Case {
        name: NAMES[6],
        call: |n| _ = black_box(measured(n)),
        calls: 1_000_000,
        recorded: |s| Some(s.samples),
        on: true,
    },
    // As many as a ring holds: what a thread pays that is not ahead of the flush thread.
    Case { name: NAMES[7], call: event, calls: 5_000, recorded: |s| Some(s.events), on: true },
    Case { name: NAMES[8], call: |_| counter!("c", 1), calls: 5_000_000, recorded: |_| None, on: false },
    Case {
        name: NAMES[9],
        call: |n| _ = black_box(measured(n)),
        calls: 5_000_000,
        recorded: |_| None,
        on: false,
    },
    Case { name: NAMES[10], call: event, calls: 5_000_000, recorded: |_| None, on: false },
];

fn two_reads() {
    static CLOCK: LazyLock<quanta::Clock> = LazyLock::new(quanta::Clock::new);
    black_box(CLOCK.delta_as_nanos(CLOCK.raw(), CLOCK.raw()));
}

fn labelled(n: u64) {
    const REGIONS: [&str; 3] = ["eu-west-1", "us-east-1", "ap-south-1"];
    counter!("c", 1, "Region" => REGIONS[(n % 3) as usize], "Code" => n % 5);
}

#[instrumented]
#[inline(never)]
fn measured(n: u64) -> Result<u64, u64> {
    if n == u64::MAX { Err(n) } else { Ok(black_box(n)) }
}

fn event(n: u64) {
    info!(
        "the order was accepted and will be shipped from the warehouse",
        order.id = n,
        amount = 1.5,
        region = "eu",
        ok = true
    );
}

/// What arrived at the seam.
#[derive(Default)]
struct Seen {
    counted: u64,
    samples: u64,
    events: u64,
}

/// A backend that adds up what it is given.
#[derive(Clone, Default)]
struct Sums(Arc<Mutex<Seen>>);

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
        let mut seen = self.0.lock().map_err(|error| EncodeError(error.to_string()))?;
        match &record.body {
            Body::Metric(metric) if metric.unit != ops_sdk::Unit::Count => {
                seen.samples += metric.points.count()
            }
            Body::Metric(metric) => {
                if let Points::Counter { sum } = metric.points {
                    seen.counted += sum;
                }
            }
            _ => seen.events += 1,
        }
        out.push(|bytes| {
            bytes.push(b'.');
            Ok(())
        })
    }

    fn send(&mut self, _: &Batch, _: &mut Net) -> Verdict {
        Verdict::Delivered
    }

    fn books(&mut self, _: &[Book]) {}
}

/// Runs a case and prints nanoseconds and allocations a call, and whether all of it was recorded.
pub fn run(name: &str, threads: u64) {
    let Some(case) = CASES.iter().find(|case| case.name == name) else {
        eprintln!("no case \"{name}\"");
        std::process::exit(2);
    };
    let sums = Sums::default();
    let ops = case.on.then(|| ops_sdk::init().namespace("Bench").backend(sums.clone()).start());
    let ops = ops.transpose().unwrap_or_else(|error| panic!("{error}"));
    let measured: Vec<(f64, f64)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(|| measure(case))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or((f64::NAN, f64::NAN))).collect()
    });
    if let Some(ops) = &ops {
        ops.flush(Duration::from_secs(30));
    }
    let calls = threads * (WARM + case.calls);
    let verified = sums.0.lock().ok().and_then(|seen| (case.recorded)(&seen)).is_none_or(|n| n == calls);
    let mean = |pick: fn(&(f64, f64)) -> f64| measured.iter().map(pick).sum::<f64>() / measured.len() as f64;
    println!("{} {} {verified}", mean(|m| m.0), mean(|m| m.1));
}

/// Calls that come first and are not measured.
const WARM: u64 = 500;

fn measure(case: &Case) -> (f64, f64) {
    (0..WARM).for_each(case.call);
    let (allocations, start) = (crate::alloc::count(), Instant::now());
    (0..case.calls).for_each(case.call);
    let ns = start.elapsed().as_nanos() as f64;
    let allocations = crate::alloc::count() - allocations;
    (ns / case.calls as f64, allocations as f64 / case.calls as f64)
}
