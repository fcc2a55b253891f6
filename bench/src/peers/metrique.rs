//! `metrique`: one record for each call, through its background queue, of 65,536 records by default, which drops the
//! oldest. The queue is made for one type of record, the faster of its two kinds. Functions are written as EMF,
//! events as JSON.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use metrique::emf::Emf;
use metrique::json::Json;
use metrique::timers::Timer;
use metrique::unit::Microsecond;
use metrique::unit_of_work::metrics;
use metrique::writer::FormatExt;
use metrique::writer::sink::{BackgroundQueue, BackgroundQueueBuilder, BackgroundQueueEvent};
use metrique::{CloseValue, RootEntry};

use super::{MESSAGE, work};
use crate::cases::{Case, Section, case};
use crate::plan::{Outcome, Plan};
use crate::sink::Lines;

pub const CASES: &[Case] = &[
    case(Section::Function, "metrique", function),
    case(Section::Event, "metrique JSON", event),
    case(Section::Flood, "metrique JSON", event),
];

#[metrics]
struct Measured {
    operation: &'static str,
    calls: u64,
    errors: u64,
    #[metrics(unit = Microsecond)]
    duration: Timer,
}

#[metrics]
struct Ordered {
    #[metrics(timestamp)]
    at: SystemTime,
    message: &'static str,
    order_id: u64,
    amount: f64,
    region: &'static str,
    ok: bool,
}

#[inline(never)]
fn measured(n: u64, queue: &Queue<Measured>) -> Result<u64, u64> {
    let record = Measured { operation: "measured", calls: 1, errors: 0, duration: Timer::start_now() };
    let mut record = record.append_on_drop(queue.clone());
    let result = work(n);
    record.errors = u64::from(result.is_err());
    result
}

type Queue<R> = BackgroundQueue<RootEntry<<R as CloseValue>::Closed>>;

fn function(plan: &Plan) -> Outcome {
    let lines = Lines::default();
    let stream = Emf::builder("Bench".to_owned(), vec![vec!["operation".to_owned()]]).build();
    let stream = stream.output_to_makewriter({
        let lines = lines.clone();
        move || lines.clone()
    });
    let dropped = Arc::new(AtomicU64::new(0));
    let (queue, handle): (Queue<Measured>, _) = builder(&dropped).build(stream);
    let timing = plan.measure_in_bursts(
        || |n| _ = black_box(measured(n, &queue)),
        |calls| lines.settle(|seen| seen + dropped.load(Ordering::Relaxed) == calls),
    );
    handle.shut_down();
    timing.found(plan, lines.count()).dropped(dropped.load(Ordering::Relaxed))
}

fn event(plan: &Plan) -> Outcome {
    let lines = Lines::default();
    let stream = Json::new().output_to_makewriter({
        let lines = lines.clone();
        move || lines.clone()
    });
    let dropped = Arc::new(AtomicU64::new(0));
    let (queue, handle): (Queue<Ordered>, _) = builder(&dropped).build(stream);
    let call = |n| {
        let (message, region) = (MESSAGE, "eu");
        let at = SystemTime::now();
        let record = Ordered { at, message, order_id: n, amount: 1.5, region, ok: true };
        drop(record.append_on_drop(queue.clone()));
    };
    let settle = |calls| lines.settle(|seen| seen + dropped.load(Ordering::Relaxed) == calls);
    let timing = plan.measure_in_bursts(|| call, settle);
    handle.shut_down();
    timing.found(plan, lines.count()).dropped(dropped.load(Ordering::Relaxed))
}

/// The defaults, and an observer that counts what the queue dropped.
fn builder(dropped: &Arc<AtomicU64>) -> BackgroundQueueBuilder {
    let dropped = dropped.clone();
    BackgroundQueueBuilder::new().observer(move |_: &str, event: BackgroundQueueEvent| {
        if let BackgroundQueueEvent::QueueOverflow { .. } = event {
            dropped.fetch_add(1, Ordering::Relaxed);
        }
    })
}
