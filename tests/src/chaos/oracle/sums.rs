//! Metrics: the sums of what arrived lie between what returned and what was begun. A datum that arrived twice counts once
//! where its bytes tell it (amounts are drawn from so many that equal sums are one datum); small numbers tell nothing,
//! so for them a datum that arrived twice counts once against the upper bound and as often as it came against the lower.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Expected, Verdict};
use crate::chaos::server::metrics::numbers;
use crate::chaos::store::StoredSeries;
use crate::chaos::work::{REGIONS, Step};

/// Metrics of numbers so small, or so often the same, that two windows may have the same.
const COMMON: [&str; 4] = ["calls", "errors", "duration", "chaos.seen"];
/// The SDK's own metrics, of which nothing is known here.
const OWN: &str = "\"MetricName\":\"ops_sdk.";

/// What a series has, and what it may have.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Sum {
    /// Each datum once.
    once: f64,
    /// Each as often as it came.
    all: f64,
    /// At least, without the lives that may lose something.
    low: f64,
    /// At least, over all lives.
    wanted: f64,
    /// At most.
    high: f64,
}

/// The sums by series.
type Sums = BTreeMap<String, Sum>;

/// Judges every datum that arrived.
pub(super) fn judge<'a>(
    items: impl Iterator<Item = (&'a str, usize)>,
    expected: &Expected,
    verdict: &mut Verdict,
) {
    let mut sums = Sums::new();
    for (item, times) in items {
        let datum: Value = serde_json::from_str(item).unwrap_or_default();
        let dimension = |key: &str| {
            let all = datum["Dimensions"].as_array()?;
            all.iter().find(|dimension| dimension["Name"] == key)?["Value"].as_str()
        };
        let (values, counts) = numbers(&datum);
        let sum: f64 = values.iter().zip(&counts).map(|(value, count)| value * count).sum();
        let adds =
            series(datum["MetricName"].as_str().unwrap_or_default(), dimension, counts.iter().sum(), sum);
        let Some(adds) = adds else {
            verdict.invented(format!("a datum of nobody: {item:.300}"));
            continue;
        };
        for (series, amount) in adds {
            let sum = sums.entry(series).or_default();
            sum.once += amount;
            sum.all += amount * times as f64;
        }
    }
    wanted(expected, &mut sums);
    if let Some(sum) = sums.get_mut("chaos.seen sum") {
        // A window that is read while its thread stands still half way tells each value within 1 %.
        (sum.low, sum.wanted, sum.high) = (sum.low * 0.99, sum.wanted * 0.99, sum.high * 1.01);
    }
    for (series, sum) in &sums {
        let is_told = !COMMON.iter().any(|name| series.starts_with(name));
        judge_one(series, sum, is_told, verdict);
    }
}

/// Judges what the local store holds: it keeps a record once, so every sum is exact.
pub(super) fn judge_stored(stored: &[StoredSeries], expected: &Expected, verdict: &mut Verdict) {
    let mut sums = Sums::new();
    for one in stored {
        let dimension =
            |key: &str| one.dimensions.iter().find(|(k, _)| k == key).map(|(_, value)| value.as_str());
        match series(&one.name, dimension, one.count, one.sum) {
            None => verdict.invented(format!("a series of nobody in the store: {one:?}")),
            Some(adds) => {
                for (series, amount) in adds {
                    let sum = sums.entry(series).or_default();
                    (sum.once, sum.all) = (sum.once + amount, sum.all + amount);
                }
            }
        }
    }
    wanted(expected, &mut sums);
    sums.iter().for_each(|(series, sum)| judge_one(&format!("in the store, {series}"), sum, true, verdict));
}

fn judge_one(series: &str, sum: &Sum, is_told: bool, verdict: &mut Verdict) {
    let Sum { once, all, low, wanted, high } = *sum;
    let told = format!("{series}: {once} ({all} with repetitions), not in {wanted} ..= {high}");
    let arrived = if is_told { once } else { all };
    if arrived < low {
        verdict.missing_sum(told);
    } else if once > high {
        verdict.invented(told);
    } else if arrived < wanted {
        verdict.excused += 1;
    }
}

/// Whether an item is known by its bytes: a line by its id, and a datum unless it is of small numbers.
pub(super) fn is_told_by_bytes(item: &str) -> bool {
    !COMMON.iter().any(|name| item.contains(&format!("\"MetricName\":\"{name}\""))) && !item.contains(OWN)
}

/// What a datum, or a series, of this many samples and this sum adds to which sum; `None` if it is nobody's, nothing if
/// it is the SDK's own.
fn series<'a>(
    name: &str,
    dimension: impl Fn(&str) -> Option<&'a str>,
    count: f64,
    sum: f64,
) -> Option<Vec<(String, f64)>> {
    if name.starts_with("ops_sdk.") {
        return Some(Vec::new());
    }
    Some(match name {
        "chaos.sum" => vec![(format!("chaos.sum {} {}", dimension("Life")?, dimension("Thread")?), sum)],
        "chaos.ticks" => vec![(format!("chaos.ticks {}", dimension("Life")?), sum)],
        "chaos.region" => {
            vec![(format!("chaos.region {} {}", dimension("Life")?, dimension("Region")?), sum)]
        }
        "chaos.seen" => vec![("chaos.seen count".to_owned(), count), ("chaos.seen sum".to_owned(), sum)],
        "calls" | "errors" => vec![(format!("{name} {}", function(dimension("Function")?)?), sum)],
        "duration" => vec![(format!("duration count {}", function(dimension("Function")?)?), count)],
        _ => return None,
    })
}

/// Which of the workload's functions this is, by its path.
fn function(path: &str) -> Option<&str> {
    path.rsplit("::").next().filter(|name| ["called", "unit"].contains(name))
}

/// The life that a datum is of, if it says so.
pub(super) fn life(datum: &str) -> Option<u64> {
    let datum: Value = serde_json::from_str(datum).ok()?;
    let life = datum["Dimensions"].as_array()?.iter().find(|dimension| dimension["Name"] == "Life")?;
    life["Value"].as_str()?.parse().ok()
}

/// What a step adds to which series.
fn adds(life: u64, thread: u64, step: &Step) -> Vec<(String, u64)> {
    match step {
        Step::Event(..) => Vec::new(),
        Step::Sum(by) => vec![(format!("chaos.sum {life} {thread}"), *by)],
        Step::Tick(by) => vec![(format!("chaos.ticks {life}"), *by)],
        Step::Region(which, by) => {
            vec![(format!("chaos.region {life} {}", REGIONS[usize::try_from(*which).unwrap_or(0)]), *by)]
        }
        Step::Seen(value) => vec![("chaos.seen count".to_owned(), 1), ("chaos.seen sum".to_owned(), *value)],
        Step::Call(fails) => call("called", *fails),
        Step::Unit(fails, _) => call("unit", *fails),
    }
}

fn call(function: &str, fails: bool) -> Vec<(String, u64)> {
    let mut adds = vec![(format!("calls {function}"), 1), (format!("duration count {function}"), 1)];
    adds.extend(fails.then(|| (format!("errors {function}"), 1)));
    adds
}

#[allow(clippy::cast_precision_loss)] // sums of a round stay below 2^53
fn wanted(expected: &Expected, sums: &mut Sums) {
    for (life, thread, n, step) in expected.steps() {
        for (series, by) in adds(life, thread, step) {
            let sum = sums.entry(series).or_default();
            sum.high += by as f64;
            if expected.is_returned(life, thread, n) {
                sum.wanted += by as f64;
                sum.low += if expected.may_lose(life) { 0.0 } else { by as f64 };
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// What a store without fault holds of what was begun and returned.
    pub(in crate::chaos::oracle) fn stored(expected: &Expected) -> Vec<StoredSeries> {
        let mut sums = Sums::new();
        wanted(expected, &mut sums);
        let sum = |key: &str| sums.get(key).map_or(0.0, |sum| sum.wanted);
        let function = |name: &str| vec![("Function".to_owned(), format!("x::{name}"))];
        let counter = |key: &String| {
            let words: Vec<&str> = key.split(' ').collect();
            let dimensions = match words[..] {
                ["chaos.sum", life, thread] => vec![("Life", life), ("Thread", thread)],
                ["chaos.region", life, region] => vec![("Life", life), ("Region", region)],
                ["calls" | "errors", "called"] => vec![("Function", "x::called")],
                ["calls" | "errors", _] => vec![("Function", "x::unit")],
                ["chaos.ticks", life] => vec![("Life", life)],
                _ => return None,
            };
            let dimensions = dimensions.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
            Some(StoredSeries { name: words[0].to_owned(), dimensions, count: 1.0, sum: sum(key) })
        };
        let seen = (sum("chaos.seen count"), sum("chaos.seen sum"));
        let histograms = [
            ("chaos.seen", Vec::new(), seen),
            ("duration", function("called"), (sum("duration count called"), 1.5)),
            ("duration", function("unit"), (sum("duration count unit"), 1.5)),
        ];
        let histogram = |(name, dimensions, (count, sum)): (&str, _, _)| StoredSeries {
            name: name.to_owned(),
            dimensions,
            count,
            sum,
        };
        sums.keys().filter_map(counter).chain(histograms.map(histogram)).collect()
    }
}
