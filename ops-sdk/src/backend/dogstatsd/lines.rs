//! Metrics as lines: `name:value|type|@rate|#tags|c:container|e:external|card:cardinality|T time`.
//!
//! A counter is one `c`, a gauge one `g`. A histogram's bucket is told with how often it was observed: values that were
//! observed once are packed into lines (protocol 1.1), a value that was observed `n` times is one value at a rate of 1/n,
//! which the agent takes as `n` of it, exactly. Plain StatsD weighs no value by its rate, so values are repeated there, up
//! to a bound.

use std::fmt::Write as _;

use crate::backend::EncodeError;
use crate::backend::shared::{metric_name, tag};
use crate::chunk::Items;
use crate::encode::json;
use crate::model::{Metric, Points, Record, is_valid_value};

/// Values of one window that plain StatsD is told one by one. Beyond, each bucket is one value at its rate: counts are
/// right then, and percentiles those of the buckets.
const PLAIN_VALUES_MAX: u64 = 1_000;

/// What all lines have in common.
pub(super) struct Common {
    /// The settings' tags.
    pub(super) tags: String,
    /// What follows the tags.
    pub(super) origin: String,
    pub(super) timestamps: bool,
    /// The type of histograms.
    pub(super) histograms: &'static str,
    pub(super) plain: bool,
    pub(super) payload_bytes_max: usize,
}

/// Encodes metrics.
pub(super) struct Lines {
    common: Common,
    name: Vec<u8>,
    tail: Vec<u8>,
}

impl Lines {
    pub(super) fn new(common: Common) -> Lines {
        Lines { common, name: Vec::new(), tail: Vec::new() }
    }

    pub(super) fn encode(
        &mut self,
        record: &Record<'_>,
        metric: &Metric<'_>,
        out: &mut Items,
    ) -> Result<(), EncodeError> {
        self.edges(metric);
        let at = self.common.timestamps.then_some(record.time_ns / 1_000_000_000);
        match &metric.points {
            Points::Counter { sum } => self.line(out, "c", at, |bytes| json::number_u64(bytes, *sum)),
            Points::Gauge { count: 0, .. } => Ok(()),
            Points::Gauge { last, .. } => {
                finite(*last)?;
                // A sign is a change in plain StatsD: to be set below zero, a gauge is set to zero before.
                if self.common.plain && *last < 0.0 {
                    return out.push(|bytes| {
                        for number in [0.0, *last] {
                            self.write(bytes, |bytes| json::number_f64(bytes, number), "g", None);
                            bytes.push(b'\n');
                        }
                        bytes.pop();
                        Ok(())
                    });
                }
                self.line(out, "g", at, |bytes| json::number_f64(bytes, *last))
            }
            Points::Histogram(told) => {
                let values = told.values();
                values.iter().try_for_each(|(value, _)| finite(*value))?;
                match self.common.plain {
                    true => self.repeated(out, &values),
                    false => self.packed(out, &values),
                }
            }
        }
    }

    /// Prepares what stands before and behind the values of a metric.
    fn edges(&mut self, metric: &Metric<'_>) {
        self.name.clear();
        self.tail.clear();
        if self.common.plain {
            let mut name = metric.name.to_string();
            for (key, value) in &metric.dimensions {
                // Writing into a String cannot fail.
                let _ = write!(name, ".{}_{}", key.replace('.', "_"), value.replace('.', "_"));
            }
            return metric_name(&mut self.name, &name);
        }
        metric_name(&mut self.name, &metric.name);
        for (index, (key, value)) in metric.dimensions.iter().enumerate() {
            self.tail.extend_from_slice(if index == 0 { b"|#" } else { b"," });
            tag(&mut self.tail, key, value);
        }
        if !self.common.tags.is_empty() {
            self.tail.extend_from_slice(if metric.dimensions.is_empty() { b"|#" } else { b"," });
            self.tail.extend_from_slice(self.common.tags.as_bytes());
        }
        self.tail.extend_from_slice(self.common.origin.as_bytes());
    }

    fn line(
        &self,
        out: &mut Items,
        kind: &str,
        at: Option<u64>,
        value: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), EncodeError> {
        out.push(|bytes| {
            let start = bytes.len();
            self.write(bytes, value, kind, None);
            if let Some(at) = at {
                bytes.extend_from_slice(b"|T");
                json::number_u64(bytes, at);
            }
            self.fits(bytes.len() - start)
        })
    }

    fn write(&self, out: &mut Vec<u8>, value: impl FnOnce(&mut Vec<u8>), kind: &str, rate: Option<f64>) {
        out.extend_from_slice(&self.name);
        out.push(b':');
        value(out);
        out.push(b'|');
        out.extend_from_slice(kind.as_bytes());
        if let Some(rate) = rate {
            out.extend_from_slice(b"|@");
            json::number_f64(out, rate);
        }
        out.extend_from_slice(&self.tail);
    }

    fn fits(&self, bytes: usize) -> Result<(), EncodeError> {
        match self.common.payload_bytes_max {
            max if bytes > max => {
                Err(EncodeError(format!("a line of {bytes} bytes; a datagram holds {max}")))
            }
            _ => Ok(()),
        }
    }

    /// Values that were observed once in lines of many, the others in a line each.
    fn packed(&self, out: &mut Items, values: &[(f64, u64)]) -> Result<(), EncodeError> {
        let kind = self.common.histograms;
        let mut once = values.iter().filter(|(_, count)| *count == 1).map(|(value, _)| *value).peekable();
        let around = self.name.len() + self.tail.len() + kind.len() + 2; // the colon and the bar
        while once.peek().is_some() {
            out.push(|bytes| {
                let start = bytes.len();
                let pack = |bytes: &mut Vec<u8>| {
                    pack(bytes, &mut once, self.common.payload_bytes_max.saturating_sub(around))
                };
                self.write(bytes, pack, kind, None);
                self.fits(bytes.len() - start)
            })?;
        }
        for (value, count) in values.iter().filter(|(_, count)| *count > 1) {
            out.push(|bytes| {
                let start = bytes.len();
                self.write(bytes, |bytes| json::number_f64(bytes, *value), kind, Some(rate(*count)));
                self.fits(bytes.len() - start)
            })?;
        }
        Ok(())
    }

    /// Each value in a line of its own, as often as it was observed.
    fn repeated(&self, out: &mut Items, values: &[(f64, u64)]) -> Result<(), EncodeError> {
        let all = values.iter().fold(0_u64, |all, (_, count)| all.saturating_add(*count));
        for (value, count) in values.iter().filter(|(_, count)| *count > 0) {
            let (times, rate) = match all {
                ..=PLAIN_VALUES_MAX => (*count, None),
                _ => (1, (*count > 1).then(|| rate(*count))),
            };
            for _ in 0..times {
                out.push(|bytes| {
                    let start = bytes.len();
                    self.write(bytes, |bytes| json::number_f64(bytes, *value), self.common.histograms, rate);
                    self.fits(bytes.len() - start)
                })?;
            }
        }
        Ok(())
    }
}

/// Appends values with colons between them, at least one and as many as there is room for.
fn pack(out: &mut Vec<u8>, values: &mut std::iter::Peekable<impl Iterator<Item = f64>>, room: usize) {
    let start = out.len();
    while let Some(value) = values.peek() {
        let before = out.len();
        if before > start {
            out.push(b':');
        }
        json::number_f64(out, *value);
        if before > start && out.len() - start > room {
            return out.truncate(before);
        }
        values.next();
    }
}

/// The rate at which a value stands for `n` of it: the agent takes the whole part of its reciprocal (DataDog/datadog-agent,
/// `pkg/quantile/agent.go`), so that may not fall short of `n`.
#[allow(clippy::cast_precision_loss)] // beyond 2^53 it is as near as a rate can be
fn rate(n: u64) -> f64 {
    let rate = 1.0 / n as f64;
    if 1.0 / rate < n as f64 { rate.next_down() } else { rate }
}

fn finite(number: f64) -> Result<(), EncodeError> {
    match is_valid_value(number) {
        true => Ok(()),
        false => Err(EncodeError(format!("{number} is not a number that DogStatsD takes"))),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        fn a_rate_stands_for_as_many(n in 2..1_u64 << 40) {
            let mut text = Vec::new();
            json::number_f64(&mut text, rate(n));
            let read: f64 = std::str::from_utf8(&text).unwrap().parse().unwrap();
            prop_assert!(read > 0.0 && read < 1.0);
            prop_assert_eq!((1.0 / read) as u64, n);
        }

        #[test]
        fn every_value_is_packed_once_and_in_the_room(values in prop::collection::vec(-1e9..1e9f64, 1..200), room in 30..500_usize) {
            let mut rest = values.iter().copied().peekable();
            let mut read = Vec::new();
            while rest.peek().is_some() {
                let mut line = Vec::new();
                pack(&mut line, &mut rest, room);
                prop_assert!(line.len() <= room);
                read.extend(std::str::from_utf8(&line).unwrap().split(':').map(|value| value.parse::<f64>().unwrap()));
            }
            prop_assert_eq!(read, values);
        }
    }
}
