//! One metric as `MetricDatum` objects, written into an item each. Numbers stay numbers; names and values are made to
//! fit; nothing is kept between one metric and the next.

use crate::backend::aws::{put_name, put_value};
use crate::chunk::Items;
use crate::encode::json;
use crate::model::{Metric, Points, Resolution, Unit};

/// Distinct values in one datum (`MetricDatum.Values`, `cloudwatch/2010-08-01`).
const VALUES_MAX: usize = 150;

/// Adds the data of a metric with those of its dimensions that are kept, by their index.
pub(super) fn data(out: &mut Items, metric: &Metric<'_>, unix_s: u64, keep: impl Fn(usize) -> bool) {
    let datum = |out: &mut Items, points: &dyn Fn(&mut Vec<u8>)| {
        let pushed = out.push(|bytes| {
            head(bytes, metric, unix_s, &keep);
            points(bytes);
            tail(bytes, metric);
            Ok::<(), std::convert::Infallible>(())
        });
        pushed.unwrap_or_else(|never| match never {});
    };
    match &metric.points {
        Points::Counter { sum } => datum(out, &|bytes| whole(bytes, ",\"Value\":", *sum)),
        Points::Gauge { count: 0, .. } => {}
        Points::Gauge { last, count: 1, .. } => datum(out, &|bytes| member(bytes, ",\"Value\":", *last)),
        Points::Gauge { min, max, sum, count, .. } => {
            datum(out, &|bytes| statistics(bytes, *min, *max, *sum, *count));
        }
        Points::Histogram(distribution) => {
            let told = distribution.values();
            told.chunks(VALUES_MAX).for_each(|part| datum(out, &|bytes| values(bytes, part)));
        }
    }
}

/// Up to the points.
fn head(out: &mut Vec<u8>, metric: &Metric<'_>, unix_s: u64, keep: &impl Fn(usize) -> bool) {
    out.extend_from_slice(b"{\"MetricName\":");
    put_name(out, &metric.name);
    let mut kept = metric.dimensions.iter().enumerate().filter(|(at, _)| keep(*at)).peekable();
    if kept.peek().is_some() {
        let mut open: &[u8] = b",\"Dimensions\":[{\"Name\":";
        for (_, (name, value)) in kept {
            out.extend_from_slice(open);
            put_name(out, name);
            out.extend_from_slice(b",\"Value\":");
            put_value(out, value);
            out.push(b'}');
            open = b",{\"Name\":";
        }
        out.push(b']');
    }
    out.extend_from_slice(b",\"Timestamp\":");
    json::number_u64(out, unix_s); // seconds, whatever the model's text says of milliseconds
}

/// After the points.
fn tail(out: &mut Vec<u8>, metric: &Metric<'_>) {
    if metric.unit != Unit::None {
        out.extend_from_slice(b",\"Unit\":");
        json::word(out, metric.unit.name());
    }
    if metric.resolution == Resolution::High {
        out.extend_from_slice(b",\"StorageResolution\":1");
    }
    out.push(b'}');
}

fn statistics(out: &mut Vec<u8>, min: f64, max: f64, sum: f64, count: u64) {
    whole(out, ",\"StatisticValues\":{\"SampleCount\":", count);
    member(out, ",\"Sum\":", sum);
    member(out, ",\"Minimum\":", min);
    member(out, ",\"Maximum\":", max);
    out.push(b'}');
}

/// Distinct values and how often each was observed; the service takes 1 for counts that are left out.
fn values(out: &mut Vec<u8>, part: &[(f64, u64)]) {
    for (index, (value, _)) in part.iter().enumerate() {
        member(out, if index == 0 { ",\"Values\":[" } else { "," }, *value);
    }
    out.push(b']');
    if part.iter().all(|(_, count)| *count == 1) {
        return;
    }
    for (index, (_, count)) in part.iter().enumerate() {
        whole(out, if index == 0 { ",\"Counts\":[" } else { "," }, *count);
    }
    out.push(b']');
}

fn member(out: &mut Vec<u8>, key: &str, value: f64) {
    out.extend_from_slice(key.as_bytes());
    json::number_f64(out, value);
}

fn whole(out: &mut Vec<u8>, key: &str, value: u64) {
    out.extend_from_slice(key.as_bytes());
    json::number_u64(out, value);
}
