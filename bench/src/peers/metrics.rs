//! `metrics` with the recorder of metrics-exporter-prometheus: the macros, which look the series up in every call,
//! and handles that were looked up once.

use metrics::{counter, histogram};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use super::{code, region};
use crate::cases::{Case, Section, case};
use crate::plan::{Outcome, Plan};

pub const CASES: &[Case] = &[
    case(Section::Counter, "metrics macro", |plan| {
        let handle = install();
        plan.measure(|| |_| counter!("c").increment(1)).found(plan, total(&handle, "c"))
    }),
    case(Section::Counter, "metrics, held handle", |plan| {
        let handle = install();
        let held = counter!("c");
        plan.measure(|| |_| held.increment(1)).found(plan, total(&handle, "c"))
    }),
    case(Section::Labels, "metrics macro", |plan| {
        let handle = install();
        let timing =
            plan.measure(|| |n| counter!("c", "region" => region(n), "code" => code(n)).increment(1));
        timing.found(plan, total(&handle, "c"))
    }),
    case(Section::Histogram, "metrics macro", histograms),
    case(Section::Histogram, "metrics, held handle", |plan| {
        let handle = install();
        let held = histogram!("h");
        let timing = plan.measure(|| |n| held.record(value(n)));
        timing.found(plan, total(&handle, "h_count"))
    }),
];

fn histograms(plan: &Plan) -> Outcome {
    let handle = install();
    let timing = plan.measure(|| |n| histogram!("h").record(value(n)));
    timing.found(plan, total(&handle, "h_count"))
}

#[allow(clippy::cast_precision_loss)] // less than a thousand
fn value(n: u64) -> f64 {
    (n % 1000) as f64
}

/// With buckets, as for a service that is scraped; the recorder sorts samples into them when it renders.
fn install() -> PrometheusHandle {
    let buckets = [5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0];
    let builder =
        PrometheusBuilder::new().set_buckets(&buckets).and_then(PrometheusBuilder::install_recorder);
    builder.unwrap_or_else(|error| panic!("{error}"))
}

/// The sum over the lines that render this name.
fn total(handle: &PrometheusHandle, name: &str) -> u64 {
    let text = handle.render();
    let mine = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{']));
    text.lines().filter(mine).filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}
