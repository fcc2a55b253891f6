//! Remote write 1.0 (prometheus.io, "Prometheus Remote-Write 1.0 specification"): `prometheus.WriteRequest` as protobuf, in
//! one snappy block. Field numbers: `prompb/remote.proto` and `prompb/types.proto` of Prometheus 2.42, named beside each.

use std::collections::BTreeMap;

use super::exposition::number;
use super::names::Labels;
use super::registry::{Family, Folded, Registry, Series, Total};
use crate::encode::proto::{bytes, double, int, message};

/// Labels of every series: those that a scrape would have added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) job: String,
    pub(super) instance: String,
    /// Whether no other process ever has this instance, so that its series begin with it.
    pub(super) is_own: bool,
}

/// Appends what a folded record means for its series: as many `TimeSeries` as the metric has samples. A counter or a
/// histogram that is new begins with zero at the start of its window, or its first increase would be lost to `rate()`; not
/// where a process before this one may have written later samples of the same series.
pub(super) fn series(out: &mut Vec<u8>, registry: &Registry, folded: &Folded, target: &Target) {
    let Some(family) = registry.families.get(&folded.family) else { return };
    let Some(series) = family.series.get(&folded.labels) else { return };
    whole_series(out, folded, family, series, target, folded.before.is_none() && target.is_own);
}

/// Appends what the series of folded records have come to, each once and without its beginning.
pub(super) fn last(out: &mut Vec<u8>, registry: &Registry, folded: &[Folded], target: &Target) {
    let distinct: BTreeMap<_, _> =
        folded.iter().map(|folded| ((&folded.family, &folded.labels), folded)).collect();
    for folded in distinct.into_values() {
        let Some(family) = registry.families.get(&folded.family) else { continue };
        let Some(series) = family.series.get(&folded.labels) else { continue };
        whole_series(out, folded, family, series, target, false);
    }
}

fn whole_series(
    out: &mut Vec<u8>,
    folded: &Folded,
    family: &Family,
    series: &Series,
    target: &Target,
    from_zero: bool,
) {
    let mut one = |ending: &str, bound: Option<f64>, value: f64| {
        let name = format!("{}{ending}", folded.family);
        time_series(out, &name, &folded.labels, bound, target, &samples(series, value, from_zero));
    };
    match &series.total {
        Total::Counter(total) => one("_total", None, family.total(*total)),
        Total::Gauge(value) => one("", None, *value),
        Total::Histogram { counts, sum, .. } => {
            for (bound, below) in cumulative(family, counts) {
                one("_bucket", Some(bound), below);
            }
            one("_sum", None, *sum);
            one("_count", None, cumulative(family, counts).last().map_or(0.0, |(_, count)| count));
        }
    }
}

/// Each bound, and how many values lie at or below it.
#[allow(clippy::cast_precision_loss)] // every sample is a double
fn cumulative(family: &Family, counts: &[u64]) -> impl Iterator<Item = (f64, f64)> {
    let bounds = family.bounds.iter().copied().chain([f64::INFINITY]);
    bounds.zip(counts.iter().scan(0_u64, |below, count| {
        *below = below.saturating_add(*count);
        Some(*below as f64)
    }))
}

/// The samples of a series, and when each was taken.
fn samples(series: &Series, value: f64, from_zero: bool) -> Vec<(f64, u64)> {
    let starts = from_zero && !matches!(series.total, Total::Gauge(_)) && series.created_ms < series.last_ms;
    let zero = starts.then_some((0.0, series.created_ms));
    zero.into_iter().chain([(value, series.last_ms)]).collect()
}

/// `WriteRequest.timeseries` (1)
fn time_series(
    out: &mut Vec<u8>,
    name: &str,
    labels: &Labels,
    bound: Option<f64>,
    target: &Target,
    samples: &[(f64, u64)],
) {
    let mut le = Vec::new();
    if let Some(bound) = bound {
        number(&mut le, bound);
    }
    let own = [
        ("__name__", name.as_bytes()),
        ("instance", target.instance.as_bytes()),
        ("job", target.job.as_bytes()),
    ];
    let mut all: Vec<(&str, &[u8])> = own.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    all.extend(bound.map(|_| ("le", le.as_slice())));
    // What a record names like this stands aside, as with `honor_labels: false`.
    let exported: Vec<(String, &String)> = labels.iter().map(|(name, value)| (beside(name), value)).collect();
    all.extend(exported.iter().map(|(name, value)| (name.as_str(), value.as_bytes())));
    all.sort_unstable(); // "Labels MUST be sorted"
    message(out, 1, |out| {
        for (name, value) in &all {
            message(out, 1, |out| {
                // TimeSeries.labels
                bytes(out, 1, name.as_bytes()); // Label.name
                bytes(out, 2, value); // Label.value
            });
        }
        for (value, at_ms) in samples {
            message(out, 2, |out| {
                // TimeSeries.samples
                double(out, 1, *value); // Sample.value
                int(out, 2, i64::try_from(*at_ms).unwrap_or(i64::MAX)); // Sample.timestamp, in milliseconds
            });
        }
    });
}

/// A label's name, where it is not one that the target has.
fn beside(name: &str) -> String {
    match name {
        "job" | "instance" => format!("exported_{name}"),
        name => name.to_owned(),
    }
}

/// A body as one snappy block.
pub(super) fn block(body: &[u8]) -> Result<Vec<u8>, String> {
    snap::raw::Encoder::new().compress_vec(body).map_err(|error| format!("not to be compressed: {error}"))
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::registry::tests::{NOW_MS, counted, metric, observed, set};
    use super::*;
    use crate::encode::proto::{Field, fields};
    use crate::model::Unit;

    /// Samples by the labels as `name{label="value"}`, read by the reader of answers.
    pub(in super::super) fn read(body: &[u8]) -> BTreeMap<String, Vec<(f64, u64)>> {
        let inner = |field: Field<'_>| match field {
            Field::Bytes(bytes) => bytes.to_vec(),
            other => panic!("{other:?}"),
        };
        let mut told = BTreeMap::new();
        for (number, series) in fields(body).map(Option::unwrap) {
            assert_eq!(number, 1);
            let (mut labels, mut samples) = (Vec::new(), Vec::new());
            for (number, field) in fields(&inner(series)).map(Option::unwrap) {
                let bytes = inner(field);
                let mut parts = fields(&bytes).map(|part| part.unwrap().1);
                if number == 1 {
                    let text = |part| String::from_utf8(inner(part)).unwrap();
                    labels.push((text(parts.next().unwrap()), text(parts.next().unwrap())));
                } else {
                    let (Some(Field::Fixed(value)), Some(Field::Varint(at))) = (parts.next(), parts.next())
                    else {
                        panic!()
                    };
                    samples.push((f64::from_bits(value), at));
                }
            }
            assert!(labels.is_sorted(), "{labels:?}");
            let shown: Vec<_> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
            assert!(told.insert(shown.join(","), samples).is_none());
        }
        told
    }

    #[test]
    fn samples_are_cumulative_sorted_and_begin_with_zero() {
        let mut registry = Registry::new(Some(vec![1.0, 2.5]), 100, 1);
        let target = Target { job: "shop".into(), instance: "h1".into(), is_own: true };
        let mut told = |metric: &crate::model::Metric<'_>, start_ms| {
            let folded = registry.fold(metric, start_ms, NOW_MS).unwrap();
            let mut out = Vec::new();
            series(&mut out, &registry, &folded, &target);
            read(&out)
        };
        let orders = |sum| {
            metric("orders", Unit::Count, &[("zone", "a"), ("Region", "eu"), ("job", "x")], counted(sum))
        };
        let name = "Region=eu,__name__=orders_total,exported_job=x,instance=h1,job=shop,zone=a";
        assert_eq!(told(&orders(3), 0)[name], [(0.0, 0), (3.0, 60_000)]);
        assert_eq!(told(&orders(4), 60_000)[name], [(7.0, 120_000)]);
        let depth = told(&metric("depth", Unit::None, &[], set(2.5)), 0);
        assert_eq!(depth["__name__=depth,instance=h1,job=shop"], [(2.5, 60_000)]);
        let sizes = told(&metric("size", Unit::None, &[], observed(&[0.5, 2.0, 9.0])), 0);
        let of = |rest: &str| sizes[&format!("__name__=size_{rest}")].last().unwrap().0;
        let buckets = ["1.0", "2.5", "+Inf"].map(|le| of(&format!("bucket,instance=h1,job=shop,le={le}")));
        assert_eq!(buckets, [1.0, 2.0, 3.0]);
        assert_eq!((of("sum,instance=h1,job=shop"), of("count,instance=h1,job=shop")), (11.5, 3.0));
        assert_eq!(sizes.len(), 5);
    }
}
