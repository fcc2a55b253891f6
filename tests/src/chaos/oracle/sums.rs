//! Metrics: the sums of what arrived lie between what returned and what was begun. A datum that arrived twice counts once
//! where its bytes tell it (amounts are drawn from so many that equal sums are one datum); small numbers tell nothing,
//! so for them a datum that arrived twice counts once against the upper bound and as often as it came against the lower.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Expected, Verdict};
use crate::chaos::server::metrics::numbers;
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
        let Some(parts) = arrived(&datum) else {
            verdict.invented(format!("a datum of nobody: {item:.300}"));
            continue;
        };
        for (series, amount) in parts {
            let sum = sums.entry(series).or_default();
            sum.once += amount;
            sum.all += amount * times as f64;
        }
    }
    wanted(expected, &mut sums);
    for (series, sum) in &sums {
        judge_one(series, sum, verdict);
    }
}

fn judge_one(series: &str, sum: &Sum, verdict: &mut Verdict) {
    let Sum { once, all, low, wanted, high } = *sum;
    let told = format!("{series}: {once} ({all} with repetitions), not in {wanted} ..= {high}");
    let is_told = !COMMON.iter().any(|name| series.starts_with(name));
    let arrived = if is_told { once } else { all };
    if arrived < low {
        verdict.missing_sum(told);
    } else if arrived < wanted {
        verdict.excuse(told);
    } else if once > high {
        verdict.invented(told);
    }
}

/// Whether an item is known by its bytes: a line by its id, and a datum unless it is of small numbers.
pub(super) fn is_told_by_bytes(item: &str) -> bool {
    !COMMON.iter().any(|name| item.contains(&format!("\"MetricName\":\"{name}\""))) && !item.contains(OWN)
}

/// What a datum adds to which series; `None` if it is nobody's, nothing if it is the SDK's own.
fn arrived(datum: &Value) -> Option<Vec<(String, f64)>> {
    let name = datum["MetricName"].as_str()?;
    if name.starts_with("ops_sdk.") {
        return Some(Vec::new());
    }
    let dimension = |key: &str| {
        let all = datum["Dimensions"].as_array()?;
        all.iter().find(|dimension| dimension["Name"] == key)?["Value"].as_str()
    };
    let (values, counts) = numbers(datum);
    let sum: f64 = values.iter().zip(&counts).map(|(value, count)| value * count).sum();
    let count: f64 = counts.iter().sum();
    Some(match name {
        "chaos.sum" => vec![(format!("chaos.sum {} {}", dimension("Life")?, dimension("Thread")?), sum)],
        "chaos.ticks" => vec![("chaos.ticks".to_owned(), sum)],
        "chaos.region" => vec![(format!("chaos.region {}", dimension("Region")?), sum)],
        "chaos.seen" => vec![("chaos.seen count".to_owned(), count), ("chaos.seen sum".to_owned(), sum)],
        "calls" | "errors" if dimension("Function")?.ends_with("::called") => vec![(name.to_owned(), sum)],
        "duration" if dimension("Function")?.ends_with("::called") => {
            vec![("duration count".to_owned(), count)]
        }
        _ => return None,
    })
}

/// What a step adds to which series.
fn adds(life: u64, thread: u64, step: &Step) -> Vec<(String, u64)> {
    match step {
        Step::Event(..) => Vec::new(),
        Step::Sum(by) => vec![(format!("chaos.sum {life} {thread}"), *by)],
        Step::Tick(by) => vec![("chaos.ticks".to_owned(), *by)],
        Step::Region(which, by) => {
            vec![(format!("chaos.region {}", REGIONS[usize::try_from(*which).unwrap_or(0)]), *by)]
        }
        Step::Seen(value) => vec![("chaos.seen count".to_owned(), 1), ("chaos.seen sum".to_owned(), *value)],
        Step::Call(fails) => {
            let mut adds = vec![("calls".to_owned(), 1), ("duration count".to_owned(), 1)];
            adds.extend(fails.then(|| ("errors".to_owned(), 1)));
            adds
        }
    }
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
