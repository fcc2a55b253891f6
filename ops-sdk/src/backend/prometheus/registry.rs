//! What was counted and observed since each series began: Prometheus's counters and histograms only ever rise, and records
//! tell windows. In memory; a series that is told nothing for a while goes, and begins anew with zero when it comes back.
//!
//! [`Registry::fold`] can be taken back, so that what a server did not take is not counted.

use std::collections::BTreeMap;

use super::names::{Labels, base, family, labels};
use crate::model::{Distribution, Metric, Points, Unit};

/// What kind of metric a family is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        }
    }

    fn of(points: &Points) -> Kind {
        match points {
            Points::Counter { .. } => Kind::Counter,
            Points::Gauge { .. } => Kind::Gauge,
            Points::Histogram(_) => Kind::Histogram,
        }
    }

    /// What its samples' names end with.
    fn endings(self) -> &'static [&'static str] {
        match self {
            Kind::Counter => &["", "_total", "_created"],
            Kind::Gauge => &[""],
            Kind::Histogram => &["", "_bucket", "_sum", "_count", "_created"],
        }
    }
}

/// All series of one name.
#[derive(Debug, Clone)]
pub(super) struct Family {
    pub(super) kind: Kind,
    pub(super) unit: Unit,
    /// What values are divided by to be of this unit. Counts are kept as they were recorded, and divided when they are told.
    pub(super) divisor: f64,
    /// The metric's name and unit as it was recorded.
    pub(super) recorded: String,
    /// The upper bounds of a histogram's buckets, the last one, which is infinite, left out.
    pub(super) bounds: Vec<f64>,
    pub(super) series: BTreeMap<Labels, Series>,
}

impl Family {
    /// A count in the family's unit.
    #[allow(clippy::cast_precision_loss)] // every sample is a double
    pub(super) fn total(&self, count: u64) -> f64 {
        count as f64 / self.divisor
    }
}

/// One series.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Series {
    pub(super) total: Total,
    /// The start of its first window.
    pub(super) created_ms: u64,
    /// The end of its last window, or just behind that of the one before: times only ever rise.
    pub(super) last_ms: u64,
    /// When it was told last.
    seen_ms: u64,
}

/// What a series has come to.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Total {
    Counter(u64),
    Gauge(f64),
    Histogram {
        /// How many values lie in each bucket alone; one more than there are bounds.
        counts: Vec<u64>,
        sum: f64,
        /// The largest value of the last window, when that ended, and what it was observed for.
        exemplar: Option<(f64, u64, u128)>,
    },
}

/// The series of a process.
#[derive(Debug, Clone)]
pub(super) struct Registry {
    pub(super) families: BTreeMap<String, Family>,
    /// The family of each metric.
    given: BTreeMap<(String, u8, u8), String>,
    bounds: Option<Vec<f64>>,
    series: usize,
    series_max: usize,
    idle_ms: u64,
}

/// What folding a record has changed, and what it was before.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Folded {
    pub(super) family: String,
    pub(super) labels: Labels,
    /// `None` if the series is new.
    pub(super) before: Option<Series>,
}

impl Registry {
    /// An empty one. Without bounds, histograms have those that fit their units.
    pub(super) fn new(bounds: Option<Vec<f64>>, series_max: usize, idle_ms: u64) -> Registry {
        Registry { families: BTreeMap::new(), given: BTreeMap::new(), bounds, series: 0, series_max, idle_ms }
    }

    /// Adds what a record tells.
    ///
    /// # Errors
    ///
    /// If there are as many series as there may be, and this would be another.
    pub(super) fn fold(&mut self, metric: &Metric<'_>, start_ms: u64, now_ms: u64) -> Result<Folded, String> {
        let kind = Kind::of(&metric.points);
        let name = self.family_of(metric, kind);
        let labels = labels(&metric.dimensions, if kind == Kind::Histogram { "le" } else { "" });
        let is_full = self.series >= self.series_max;
        // The family is there: it has just been made where it was not.
        let Some(family) = self.families.get_mut(&name) else { return Err("no family".to_owned()) };
        let before = family.series.get(&labels).cloned();
        if before.is_none() && is_full {
            return Err(format!("there are {} series: raise OPS_PROMETHEUS_SERIES_MAX", self.series_max));
        }
        // A window that was cut short, by the end of a process or by a flush, ends now at the latest.
        let end_ms = start_ms.saturating_add(metric.window_ms.into()).min(now_ms).max(start_ms);
        let series = family.series.entry(labels.clone()).or_insert_with(|| Series {
            total: Total::of(kind, &family.bounds),
            created_ms: start_ms,
            last_ms: start_ms,
            seen_ms: now_ms,
        });
        series.total.add(&metric.points, &family.bounds, family.divisor, end_ms);
        series.last_ms = end_ms.max(series.last_ms.saturating_add(1));
        series.seen_ms = now_ms;
        self.series += usize::from(before.is_none());
        Ok(Folded { family: name, labels, before })
    }

    /// Takes back what was folded last.
    pub(super) fn unfold(&mut self, folded: Folded) {
        let Some(family) = self.families.get_mut(&folded.family) else { return };
        match folded.before {
            Some(before) => _ = family.series.insert(folded.labels, before),
            None => self.series -= usize::from(family.series.remove(&folded.labels).is_some()),
        }
    }

    /// Forgets series that nothing was told of for too long.
    pub(super) fn expire(&mut self, now_ms: u64) {
        let idle_ms = self.idle_ms;
        for family in self.families.values_mut() {
            family.series.retain(|_, series| now_ms.saturating_sub(series.seen_ms) <= idle_ms);
        }
        self.series = self.families.values().map(|family| family.series.len()).sum();
    }

    /// The name of a metric's family, made where there is none yet. Metrics whose samples would have the same names get
    /// names apart: by their kind, and then by a number.
    fn family_of(&mut self, metric: &Metric<'_>, kind: Kind) -> String {
        let key = (metric.name.to_string(), metric.unit as u8, kind as u8);
        if let Some(name) = self.given.get(&key) {
            return name.clone();
        }
        let (unit, divisor) = base(metric.unit);
        let plain = family(&metric.name, unit);
        let by_kind = format!("{plain}_{}", kind.name());
        let numbered = (2..).map(|number| format!("{by_kind}_{number}"));
        let name =
            [plain, by_kind.clone()].into_iter().chain(numbered).find(|name| !self.clashes(name, kind));
        let name = name.unwrap_or(by_kind); // the numbers do not end
        let bounds = match kind {
            Kind::Histogram => self.bounds.clone().unwrap_or_else(|| bounds_of(unit)),
            _ => Vec::new(),
        };
        let recorded = format!("{}, {}", metric.name, metric.unit);
        let made = Family { kind, unit, divisor, recorded, bounds, series: BTreeMap::new() };
        self.families.insert(name.clone(), made);
        self.given.insert(key, name.clone());
        name
    }

    /// Whether a sample of such a family would have the name of another family's.
    fn clashes(&self, name: &str, kind: Kind) -> bool {
        let samples = |name: &str, kind: Kind| {
            kind.endings().iter().map(|end| format!("{name}{end}")).collect::<Vec<_>>()
        };
        let own = samples(name, kind);
        self.families
            .iter()
            .any(|(other, family)| samples(other, family.kind).iter().any(|sample| own.contains(sample)))
    }
}

impl Total {
    fn of(kind: Kind, bounds: &[f64]) -> Total {
        match kind {
            Kind::Counter => Total::Counter(0),
            Kind::Gauge => Total::Gauge(0.0),
            Kind::Histogram => {
                Total::Histogram { counts: vec![0; bounds.len() + 1], sum: 0.0, exemplar: None }
            }
        }
    }

    fn add(&mut self, points: &Points, bounds: &[f64], divisor: f64, end_ms: u64) {
        match (self, points) {
            (Total::Counter(total), Points::Counter { sum }) => *total = total.saturating_add(*sum),
            (Total::Gauge(value), Points::Gauge { last, .. }) => *value = *last / divisor,
            (Total::Histogram { counts, sum, exemplar }, Points::Histogram(distribution)) => {
                observe(counts, bounds, divisor, distribution);
                *sum += distribution.sum / divisor;
                *exemplar = distribution
                    .exemplar
                    .map(|trace| (distribution.max / divisor, end_ms, trace))
                    .or(*exemplar);
            }
            _ => {} // a family is of one kind
        }
    }
}

/// Adds a distribution's values to the buckets that they lie in, each within 1 % of what was observed.
fn observe(counts: &mut [u64], bounds: &[f64], divisor: f64, distribution: &Distribution) {
    for (value, n) in distribution.values() {
        let bucket = bounds.partition_point(|bound| *bound < value / divisor);
        if let Some(count) = counts.get_mut(bucket) {
            *count = count.saturating_add(n);
        }
    }
}

/// Bounds for values of a unit: of times, those that Prometheus's own libraries have by default (0.005 s to 10 s); of sizes,
/// powers of four; of shares, some percentages; else 1, 2.5 and 5 of each decade up to a million.
fn bounds_of(unit: Unit) -> Vec<f64> {
    match unit {
        Unit::Seconds => [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0].to_vec(),
        Unit::Bytes | Unit::Bits => (4..14).map(|power| 4_f64.powi(power)).collect(),
        Unit::Percent => [1.0, 5.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 100.0].to_vec(),
        _ => {
            (0..7).flat_map(|power| [1.0, 2.5, 5.0].map(|step| step * 10_f64.powi(power))).take(19).collect()
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::model::Resolution;

    /// Later than every window here.
    pub(in super::super) const NOW_MS: u64 = 1 << 50;

    pub(in super::super) fn metric<'a>(
        name: &'a str,
        unit: Unit,
        dimensions: &[(&'a str, &'a str)],
        points: Points,
    ) -> Metric<'a> {
        let dimensions = dimensions.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        Metric {
            name: name.into(),
            unit,
            resolution: Resolution::Standard,
            window_ms: 60_000,
            dimensions,
            points,
        }
    }

    pub(in super::super) fn counted(sum: u64) -> Points {
        Points::Counter { sum }
    }

    pub(in super::super) fn set(last: f64) -> Points {
        Points::Gauge { last, min: last, max: last, sum: last, count: 1 }
    }

    pub(in super::super) fn observed(values: &[f64]) -> Points {
        let mut distribution = Distribution::default();
        values.iter().for_each(|value| distribution.observe(*value, 1));
        Points::Histogram(distribution)
    }

    pub(in super::super) fn registry() -> Registry {
        Registry::new(None, 100, 3_600_000)
    }

    fn one<'r>(registry: &'r Registry, family: &str) -> &'r Series {
        registry.families[family].series.values().next().unwrap()
    }

    #[test]
    fn totals_rise_and_what_is_taken_back_was_never_there() {
        let mut registry = registry();
        let orders = |sum| metric("orders", Unit::Count, &[("Region", "eu")], counted(sum));
        registry.fold(&orders(3), 0, NOW_MS).unwrap();
        let folded = registry.fold(&orders(4), 60_000, NOW_MS).unwrap();
        let series = one(&registry, "orders");
        assert_eq!((&series.total, series.created_ms, series.last_ms), (&Total::Counter(7), 0, 120_000));
        registry.unfold(folded);
        assert_eq!((&one(&registry, "orders").total, registry.series), (&Total::Counter(3), 1));
        let other = registry.fold(&metric("other", Unit::None, &[], set(1.0)), 0, 3).unwrap();
        registry.unfold(other);
        assert_eq!(registry.series, 1);
    }

    #[test]
    fn times_rise_whatever_the_records_say() {
        let mut registry = registry();
        for start_ms in [60_000, 60_000, 0] {
            registry.fold(&metric("a", Unit::None, &[], counted(1)), start_ms, NOW_MS).unwrap();
        }
        assert_eq!((one(&registry, "a").last_ms, &one(&registry, "a").total), (120_002, &Total::Counter(3)));
        // A window that is not over yet ends now.
        registry.fold(&metric("b", Unit::None, &[], counted(1)), 60_000, 60_500).unwrap();
        assert_eq!(one(&registry, "b").last_ms, 60_500);
    }

    #[test]
    fn values_lie_in_the_buckets_up_to_their_bounds() {
        let mut registry = Registry::new(Some(vec![1.0, 10.0]), 100, 1);
        let points = observed(&[0.5, 1.0, 1.5, 10.0, 11.0, -3.0]);
        registry.fold(&metric("size", Unit::None, &[], points), 0, 0).unwrap();
        let Total::Histogram { counts, sum, .. } = &one(&registry, "size").total else { panic!() };
        assert_eq!((counts.as_slice(), *sum), (&[3, 2, 1][..], 21.0));
        let points = observed(&[5.0, 10.0, 10.5]);
        registry.fold(&metric("took", Unit::Milliseconds, &[], points), 0, 0).unwrap();
        assert_eq!(
            one(&registry, "took_seconds").total,
            Total::Histogram { counts: vec![3, 0, 0], sum: 0.0255, exemplar: None }
        );
        registry.fold(&metric("busy", Unit::Microseconds, &[], counted(1_500)), 0, 0).unwrap();
        assert_eq!(registry.families["busy_seconds"].total(1_500), 0.0015);
        let all = Unit::ALL.iter().map(|unit| bounds_of(*unit));
        assert!(all.into_iter().all(|bounds| bounds.len() >= 10 && bounds.is_sorted_by(|a, b| a < b)));
    }

    #[test]
    fn samples_of_two_families_never_share_a_name() {
        let mut registry = registry();
        for metric in [
            metric("a.b", Unit::None, &[], counted(1)),
            metric("a_b", Unit::None, &[], counted(1)),
            metric("a_b", Unit::None, &[], set(1.0)),
            metric("a_b_total", Unit::None, &[], set(1.0)),
            metric("a_b", Unit::None, &[], observed(&[1.0])),
            metric("a_b_count", Unit::None, &[], set(1.0)),
            metric("a b", Unit::None, &[], counted(1)),
        ] {
            registry.fold(&metric, 0, 0).unwrap();
        }
        let names: Vec<_> = registry.families.keys().map(String::as_str).collect();
        let expected =
            ["a_b", "a_b_count", "a_b_counter", "a_b_counter_2", "a_b_gauge", "a_b_gauge_2", "a_b_histogram"];
        assert_eq!(names, expected);
    }

    #[test]
    fn series_are_bounded_and_idle_ones_go() {
        let mut registry = Registry::new(None, 2, 1_000);
        let of = |region| metric("a", Unit::None, &[("Region", region)], counted(1));
        registry.fold(&of("eu"), 0, 0).unwrap();
        registry.fold(&of("us"), 0, 900).unwrap();
        assert!(registry.fold(&of("ap"), 0, 900).unwrap_err().contains("OPS_PROMETHEUS_SERIES_MAX"));
        registry.expire(1_001);
        assert_eq!(registry.series, 1);
        registry.fold(&of("ap"), 0, 1_001).unwrap();
        registry.fold(&of("us"), 0, 1_001).unwrap();
    }
}
