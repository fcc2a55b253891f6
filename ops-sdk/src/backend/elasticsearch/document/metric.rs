//! What only metrics have. The schema has no names for them; these are ours.

use super::super::names::labels;
use super::member::{number, text, whole};
use crate::model::{Distribution, Metric, Points};

/// The percentiles of a histogram.
const PERCENTILES: [(&str, f64); 5] = [
    (",\"metric.p50\":", 0.5),
    (",\"metric.p90\":", 0.9),
    (",\"metric.p95\":", 0.95),
    (",\"metric.p99\":", 0.99),
    (",\"metric.p99_9\":", 0.999),
];

pub(super) fn named(out: &mut Vec<u8>, metric: &Metric<'_>) {
    text(out, ",\"metric.name\":", &metric.name);
    text(out, ",\"metric.unit\":", metric.unit.name());
    whole(out, ",\"metric.window_ms\":", metric.window_ms.into());
    if !metric.dimensions.is_empty() {
        out.extend_from_slice(b",\"labels\":");
        labels(out, metric.dimensions.iter().map(|(name, value)| (name.as_ref(), value.as_ref())));
    }
}

#[allow(clippy::cast_precision_loss)] // a mean
pub(super) fn points(out: &mut Vec<u8>, points: &Points) {
    match points {
        Points::Counter { sum } => {
            out.extend_from_slice(b",\"metric.kind\":\"counter\"");
            whole(out, ",\"metric.value\":", *sum);
            whole(out, ",\"metric.sum\":", *sum);
        }
        Points::Gauge { last, min, max, sum, count } => {
            out.extend_from_slice(b",\"metric.kind\":\"gauge\"");
            number(out, ",\"metric.value\":", *last);
            samples(out, *count, [*sum, *min, *max]);
        }
        Points::Histogram(distribution) => {
            out.extend_from_slice(b",\"metric.kind\":\"histogram\"");
            number(out, ",\"metric.value\":", distribution.sum / distribution.count as f64);
            histogram(out, distribution);
        }
    }
}

fn samples(out: &mut Vec<u8>, count: u64, [sum, min, max]: [f64; 3]) {
    whole(out, ",\"metric.count\":", count);
    number(out, ",\"metric.sum\":", sum);
    number(out, ",\"metric.min\":", min);
    number(out, ",\"metric.max\":", max);
}

fn histogram(out: &mut Vec<u8>, distribution: &Distribution) {
    samples(out, distribution.count, [distribution.sum, distribution.min, distribution.max]);
    for (name, share) in PERCENTILES {
        number(out, name, distribution.percentile(share));
    }
    if let Some(exemplar) = distribution.exemplar {
        text(out, ",\"trace.id\":", &format!("{exemplar:032x}"));
    }
}

/// Buckets as the field type `histogram` has them: values in rising order, and how many of each.
pub(super) fn buckets(out: &mut Vec<u8>, part: &[(f64, u64)]) {
    for (index, (value, _)) in part.iter().enumerate() {
        number(out, if index == 0 { ",\"metric.histogram\":{\"values\":[" } else { "," }, *value);
    }
    for (index, (_, count)) in part.iter().enumerate() {
        whole(out, if index == 0 { "],\"counts\":[" } else { "," }, *count);
    }
    out.extend_from_slice(if part.is_empty() { b"" } else { b"]}" });
}
