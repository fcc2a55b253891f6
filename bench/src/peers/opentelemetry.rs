//! `opentelemetry` with its SDK, plain and bound (its experimental way to look the attributes up once). Instruments
//! are held. The reader collects when it is flushed, once all calls are made.

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Meter, MeterProvider as _};
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData};
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader, SdkMeterProvider};

use super::{code, region};
use crate::cases::{Case, Section, case};
use crate::plan::{Outcome, Plan, Timing};

pub const CASES: &[Case] = &[
    case(Section::Counter, "opentelemetry", |plan| {
        recorded(plan, |meter| {
            let counter = meter.u64_counter("c").build();
            plan.measure(|| |_| counter.add(1, &[]))
        })
    }),
    case(Section::Counter, "opentelemetry, bound", |plan| {
        recorded(plan, |meter| {
            let bound = meter.u64_counter("c").build().bind(&[]);
            plan.measure(|| |_| bound.add(1))
        })
    }),
    case(Section::Labels, "opentelemetry", |plan| {
        recorded(plan, |meter| {
            let counter = meter.u64_counter("c").build();
            plan.measure(|| {
                |n| counter.add(1, &[KeyValue::new("Region", region(n)), KeyValue::new("Code", code(n))])
            })
        })
    }),
    case(Section::Histogram, "opentelemetry", |plan| {
        recorded(plan, |meter| {
            let histogram = meter.u64_histogram("h").build();
            plan.measure(|| |n| histogram.record(n % 1000, &[]))
        })
    }),
    case(Section::Histogram, "opentelemetry, bound", |plan| {
        recorded(plan, |meter| {
            let bound = meter.u64_histogram("h").build().bind(&[]);
            plan.measure(|| |n| bound.record(n % 1000))
        })
    }),
];

fn recorded(plan: &Plan, measure: impl FnOnce(&Meter) -> Timing) -> Outcome {
    let exporter = InMemoryMetricExporter::default();
    let reader = PeriodicReader::builder(exporter.clone()).build();
    let provider = SdkMeterProvider::builder().with_reader(reader).build();
    let timing = measure(&provider.meter("bench"));
    provider.force_flush().unwrap_or_else(|error| panic!("{error}"));
    let found = exporter.get_finished_metrics().unwrap_or_default();
    let metrics =
        found.last().into_iter().flat_map(|last| last.scope_metrics()).flat_map(|scope| scope.metrics());
    timing.found(plan, metrics.map(|metric| sum(metric.data())).sum())
}

/// What was counted, or how many values were observed.
fn sum(data: &AggregatedMetrics) -> u64 {
    let AggregatedMetrics::U64(data) = data else { return 0 };
    match data {
        MetricData::Sum(sum) => sum.data_points().map(|point| point.value()).sum(),
        MetricData::Histogram(histogram) => histogram.data_points().map(|point| point.count()).sum(),
        _ => 0,
    }
}
