//! What surrounds an event, and what a metric is: measures and dimensions in one flat object.
//!
//! An item is the event itself, a JSON object or, for a part of one, a JSON string; or the fields of a metric, which
//! begin with a measure. What all objects of a process have in common is written when they are sent.

use std::borrow::Cow;

use crate::backend::EncodeError;
use crate::encode::json;
use crate::model::{Distribution, Metric, Points, Unit};

/// What the fields of a metric begin with, and no event does.
const METRIC: &[u8] = b"{\"metric_name:";
/// Digits of a time in milliseconds as seconds, at most.
const TIME_BYTES_MAX: usize = 21;
/// The percentiles of a histogram.
const PERCENTILES: [(&str, f64); 4] = [(".p50", 0.5), (".p90", 0.9), (".p95", 0.95), (".p99", 0.99)];
/// What stands before and after each item.
#[derive(Clone)]
pub(super) struct Envelope {
    /// From after the time up to an event, and after it.
    event: (Vec<u8>, Vec<u8>),
    /// From after the time up to a metric's fields, and after them.
    metric: (Vec<u8>, Vec<u8>),
}

const HEAD: &[u8] = b"{\"time\":";

impl Envelope {
    pub(super) fn new(
        host: &str,
        source: &str,
        sourcetype: &str,
        index: Option<&str>,
        metrics_index: Option<&str>,
        dimensions: &[(String, String)],
    ) -> Envelope {
        let mut event = (Vec::new(), Vec::new());
        member(&mut event.0, ",\"host\":", Some(host));
        member(&mut event.0, ",\"source\":", Some(source));
        let mut metric = (event.0.clone(), b"}\n".to_vec());
        member(&mut event.0, ",\"sourcetype\":", Some(sourcetype));
        member(&mut event.0, ",\"index\":", index);
        event.0.extend_from_slice(b",\"event\":");
        member(&mut metric.0, ",\"index\":", metrics_index);
        metric.0.extend_from_slice(b",\"event\":\"metric\",\"fields\":");
        for (at, (key, value)) in dimensions.iter().enumerate() {
            event.1.extend_from_slice(if at == 0 { b",\"fields\":{" } else { b"," });
            json::string(&mut event.1, &field(key));
            event.1.push(b':');
            json::string(&mut event.1, value);
        }
        event.1.extend_from_slice(if dimensions.is_empty() { b"}\n" } else { b"}}\n" });
        Envelope { event, metric }
    }

    /// The most bytes that it adds to an item.
    pub(super) fn bytes_max(&self) -> usize {
        let bytes = |(head, tail): &(Vec<u8>, Vec<u8>)| HEAD.len() + TIME_BYTES_MAX + head.len() + tail.len();
        bytes(&self.event).max(bytes(&self.metric))
    }

    /// Appends an item as the object that is sent.
    pub(super) fn write(&self, out: &mut Vec<u8>, time_ms: u64, item: &[u8]) {
        let (head, tail) = if item.starts_with(METRIC) { &self.metric } else { &self.event };
        out.extend_from_slice(HEAD);
        seconds(out, time_ms);
        out.extend_from_slice(head);
        out.extend_from_slice(item);
        out.extend_from_slice(tail);
    }
}

/// Seconds with three decimals.
fn seconds(out: &mut Vec<u8>, time_ms: u64) {
    json::number_u64(out, time_ms / 1_000);
    let millis = time_ms % 1_000;
    let digit = |number: u64| b'0' + (number % 10) as u8;
    out.extend_from_slice(&[b'.', digit(millis / 100), digit(millis / 10), digit(millis)]);
}

fn member(out: &mut Vec<u8>, key: &str, value: Option<&str>) {
    if let Some(value) = value {
        out.extend_from_slice(key.as_bytes());
        json::string(out, value);
    }
}

/// Appends the fields of a metric: a counter's sum, a gauge's last value and, if it was set more than once, its
/// statistics, a histogram's statistics and percentiles; then its dimensions, and its unit.
///
/// # Errors
///
/// If a number is not one in JSON, or two dimensions would have one name.
pub(super) fn metric(out: &mut Vec<u8>, metric: &Metric<'_>) -> Result<(), EncodeError> {
    let mut fields = Fields { out, name: name(&metric.name), first: true };
    match &metric.points {
        Points::Counter { sum } => fields.count("", *sum),
        Points::Gauge { count: 0, .. } => return Ok(()),
        Points::Gauge { last, count: 1, .. } => fields.measure("", *last)?,
        Points::Gauge { last, min, max, sum, count } => {
            fields.measure("", *last)?;
            fields.statistics(*min, *max, *sum, *count)?;
        }
        Points::Histogram(Distribution { count: 0, .. }) => return Ok(()),
        Points::Histogram(told) => {
            fields.statistics(told.min, told.max, told.sum, told.count)?;
            let values = percentiles(told);
            PERCENTILES
                .iter()
                .zip(values)
                .try_for_each(|((suffix, _), value)| fields.measure(suffix, value))?;
        }
    }
    dimensions(fields.out, metric)?;
    out.push(b'}');
    Ok(())
}

fn dimensions(out: &mut Vec<u8>, metric: &Metric<'_>) -> Result<(), EncodeError> {
    let (all, mut renamed) = (&metric.dimensions, false);
    for (key, value) in all {
        let key = field(key);
        renamed |= matches!(key, Cow::Owned(_));
        out.push(b',');
        json::string(out, &key);
        out.push(b':');
        json::string(out, value);
    }
    if let Some(key) = twice(all, renamed) {
        return Err(EncodeError(format!("Splunk keeps fields by name, and \"{key}\" would be there twice")));
    }
    if metric.unit != Unit::None && all.iter().all(|(key, _)| key != "unit") {
        out.extend_from_slice(b",\"unit\":\"");
        out.extend_from_slice(metric.unit.name().as_bytes()); // nothing in a unit's name needs an escape
        out.push(b'"');
    }
    Ok(())
}

/// A name that two dimensions would have. Names are compared as they were unless one of them was changed.
fn twice<'a>(all: &'a [(Cow<'a, str>, Cow<'a, str>)], renamed: bool) -> Option<Cow<'a, str>> {
    let is_same = |one: &str, other: &str| if renamed { field(one) == field(other) } else { one == other };
    let repeats = |at: usize| all[..at].iter().any(|(other, _)| is_same(other, &all[at].0));
    (1..all.len()).find(|at| repeats(*at)).map(|at| field(&all[at].0))
}

/// The measures of one metric.
struct Fields<'a> {
    out: &'a mut Vec<u8>,
    name: Cow<'a, str>,
    first: bool,
}

impl Fields<'_> {
    fn key(&mut self, suffix: &str) {
        self.out.extend_from_slice(if self.first { METRIC } else { b",\"metric_name:" });
        self.first = false;
        // The string's quotes are its neighbours': what stands between them is what is wanted.
        let start = self.out.len();
        json::string(self.out, &self.name);
        self.out.remove(start);
        self.out.pop();
        self.out.extend_from_slice(suffix.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    fn count(&mut self, suffix: &str, value: u64) {
        self.key(suffix);
        json::number_u64(self.out, value);
    }

    fn measure(&mut self, suffix: &str, value: f64) -> Result<(), EncodeError> {
        if !value.is_finite() {
            return Err(EncodeError(format!("Splunk takes no {value} as a measure")));
        }
        self.key(suffix);
        json::number_f64(self.out, value);
        Ok(())
    }

    fn statistics(&mut self, min: f64, max: f64, sum: f64, count: u64) -> Result<(), EncodeError> {
        self.count(".count", count);
        self.measure(".sum", sum)?;
        self.measure(".min", min)?;
        self.measure(".max", max)
    }
}

/// The values at or below which these shares of all lie; the distribution is told once for all of them.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn percentiles(told: &Distribution) -> [f64; PERCENTILES.len()] {
    let values = told.values();
    let (mut seen, mut at) = (0_u64, 0);
    PERCENTILES.map(|(_, share)| {
        let rank = ((share * told.count as f64).ceil() as u64).max(1);
        while at < values.len() && seen.saturating_add(values[at].1) < rank {
            seen = seen.saturating_add(values[at].1);
            at += 1;
        }
        if rank >= told.count { told.max } else { values.get(at).map_or(told.max, |(value, _)| *value) }
    })
}

/// A measure's name: what is no character to read becomes `_`.
fn name(name: &str) -> Cow<'_, str> {
    let is_plain = name.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if is_plain || !name.contains(char::is_control) {
        Cow::Borrowed(name)
    } else {
        Cow::Owned(name.replace(char::is_control, "_"))
    }
}

/// A field's name: one that stands for something else already is told with `dim_` in front.
fn field(key: &str) -> Cow<'_, str> {
    match (name(key), is_taken(key)) {
        (plain, false) => plain,
        (plain, true) => Cow::Owned(format!("dim_{plain}")),
    }
}

/// Whether an object has a member of this name outside its fields, or Splunk keeps the name for itself.
fn is_taken(key: &str) -> bool {
    let own = matches!(
        key,
        "" | "host"
            | "source"
            | "sourcetype"
            | "index"
            | "time"
            | "event"
            | "linecount"
            | "punct"
            | "splunk_server"
    );
    own || key.starts_with('_') || key.starts_with("metric_name")
}
