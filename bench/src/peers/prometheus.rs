//! `prometheus` (tikv's): atomics behind handles. Held handles where the labels are known, `with_label_values` where
//! they are not, as its documentation advises.

use std::hint::black_box;
use std::time::Instant;

use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, Opts};

use super::{code, region, work};
use crate::cases::{Case, Section, case};
use crate::plan::{Outcome, Plan};

pub const CASES: &[Case] = &[
    case(Section::Counter, "prometheus", counter),
    case(Section::Labels, "prometheus", labels),
    case(Section::Histogram, "prometheus", histogram),
    case(Section::Function, "prometheus by hand", function),
];

fn counter(plan: &Plan) -> Outcome {
    let held = new_counter("c");
    plan.measure(|| |_| held.inc()).found(plan, held.get())
}

fn labels(plan: &Plan) -> Outcome {
    let vec = IntCounterVec::new(Opts::new("c", "c"), &["region", "code"]);
    let vec = vec.unwrap_or_else(|error| panic!("{error}"));
    let timing = plan.measure(|| |n| vec.with_label_values(&[region(n), code(n)]).inc());
    let all = (0..15).map(|n| vec.with_label_values(&[region(n), code(n)]).get());
    timing.found(plan, all.sum())
}

fn histogram(plan: &Plan) -> Outcome {
    let held = new_histogram("h");
    #[allow(clippy::cast_precision_loss)] // less than a thousand
    let timing = plan.measure(|| |n| held.observe((n % 1000) as f64));
    timing.found(plan, held.get_sample_count())
}

fn function(plan: &Plan) -> Outcome {
    let (calls, errors, duration) = (new_counter("calls"), new_counter("errors"), new_histogram("duration"));
    #[inline(never)]
    fn measured(n: u64, calls: &IntCounter, errors: &IntCounter, duration: &Histogram) -> Result<u64, u64> {
        let start = Instant::now();
        let result = work(n);
        duration.observe(start.elapsed().as_secs_f64());
        calls.inc();
        if result.is_err() {
            errors.inc();
        }
        result
    }
    let timing = plan.measure(|| |n| _ = black_box(measured(n, &calls, &errors, &duration)));
    timing.found(plan, calls.get().min(duration.get_sample_count()))
}

fn new_counter(name: &str) -> IntCounter {
    IntCounter::new(name, name).unwrap_or_else(|error| panic!("{error}"))
}

fn new_histogram(name: &str) -> Histogram {
    Histogram::with_opts(HistogramOpts::new(name, name)).unwrap_or_else(|error| panic!("{error}"))
}
