//! Metrics as Datadog takes them: a counter is a count over its window, a gauge the value that was set last, a histogram
//! a distribution of its values.
//!
//! **Counts of one second.** Datadog keeps the last point of a series and second (vectordotdev/vector, issue 13867). A
//! window that is sent in two records, because of a flush, would lose the first. So a count whose second is taken goes to
//! the next: the sum over the window is right. Of two processes neither knows the other's, be it beside it or the one that
//! ended within this minute: each begins at a second of its own number, which makes it seldom that they meet.
//!
//! **Distributions.** The endpoint takes values, and no number of times. A value is repeated as often as it was observed,
//! so count, sum and percentiles are told as exactly as the buckets know them (within 1 %). A window of more values than
//! the bound is told in proportion, each bucket kept, and what is left out is counted in the series `<name>.not_sent`.

use std::collections::HashMap;

use super::super::shared::{Tags, metric_name, tag};
use crate::backend::EncodeError;
use crate::chunk::Items;
use crate::crc::crc32c;
use crate::encode::json;
use crate::model::{Distribution, Metric, Points, Record, RecordId, Unit, is_valid_value};

/// Series whose last second is remembered. At the bound all are forgotten, and their next points may share a second.
const SERIES_MAX: usize = 65_536;
/// How far ahead of its own time a point may be put, in seconds: Datadog takes ten minutes.
const AHEAD_S: u64 = 480;
/// Bytes of a distribution's values in one item, so that items fill pushes well.
const VALUES_BYTES: usize = 16_384;
/// The longest number: -1.7976931348623157e+308, and its comma.
const NUMBER_BYTES: usize = 25;

/// Encodes metrics.
pub(super) struct Series {
    /// Host of a series, as the member that it is.
    resources: Vec<u8>,
    /// The settings' tags, each in quotes.
    tags: Vec<u8>,
    host: Vec<u8>,
    values_max: u64,
    item_bytes_max: usize,
    seconds: Seconds,
}

impl Series {
    pub(super) fn new(host: &str, tags: &Tags, values_max: u32, item_bytes_max: usize) -> Series {
        let mut name = Vec::new();
        json::string(&mut name, host);
        let resources = [b",\"resources\":[{\"name\":", &name[..], b",\"type\":\"host\"}]"].concat();
        let host = [b",\"host\":", &name[..]].concat();
        let tags = tags.joined("\"").into_bytes();
        Series {
            resources,
            tags,
            host,
            values_max: values_max.into(),
            item_bytes_max,
            seconds: Seconds::default(),
        }
    }

    /// The same settings, nothing remembered.
    pub(super) fn another(&self) -> Series {
        let (resources, tags, host) = (self.resources.clone(), self.tags.clone(), self.host.clone());
        Series { resources, tags, host, seconds: Seconds::default(), ..*self }
    }

    pub(super) fn encode(
        &mut self,
        record: &Record<'_>,
        metric: &Metric<'_>,
        out: &mut Items,
    ) -> Result<(), EncodeError> {
        check(&metric.points)?;
        match &metric.points {
            Points::Counter { sum } => self.count(record, metric, "", *sum, out),
            Points::Gauge { count: 0, .. } => Ok(()),
            Points::Gauge { last, .. } => self.gauge(record, metric, *last, out),
            Points::Histogram(distribution) => self.distribution(record, metric, distribution, out),
        }
    }

    fn count(
        &mut self,
        record: &Record<'_>,
        metric: &Metric<'_>,
        suffix: &str,
        sum: u64,
        out: &mut Items,
    ) -> Result<(), EncodeError> {
        out.push(|bytes| {
            let start = bytes.len();
            self.head(bytes, metric, suffix);
            let window_s = u64::from(metric.window_ms / 1000).max(1);
            let at = self.seconds.free(crc32c(&bytes[start..]), record, window_s);
            bytes.extend_from_slice(b",\"type\":1,\"interval\":");
            json::number_u64(bytes, window_s);
            bytes.extend_from_slice(b",\"points\":[{\"timestamp\":");
            json::number_u64(bytes, at);
            bytes.extend_from_slice(b",\"value\":");
            json::number_u64(bytes, sum);
            self.tail(bytes, if suffix.is_empty() { metric.unit } else { Unit::None });
            Ok(())
        })
    }

    fn gauge(
        &self,
        record: &Record<'_>,
        metric: &Metric<'_>,
        last: f64,
        out: &mut Items,
    ) -> Result<(), EncodeError> {
        out.push(|bytes| {
            self.head(bytes, metric, "");
            bytes.extend_from_slice(b",\"type\":3,\"points\":[{\"timestamp\":");
            json::number_u64(bytes, record.time_ns / 1_000_000_000);
            bytes.extend_from_slice(b",\"value\":");
            json::number_f64(bytes, last);
            self.tail(bytes, metric.unit);
            Ok(())
        })
    }

    fn distribution(
        &mut self,
        record: &Record<'_>,
        metric: &Metric<'_>,
        distribution: &Distribution,
        out: &mut Items,
    ) -> Result<(), EncodeError> {
        let mut told = distribution.values();
        let left_out = thin(&mut told, self.values_max);
        let mut head = b"{\"type\":\"distribution\",\"metric\":\"".to_vec();
        metric_name(&mut head, &metric.name);
        head.extend_from_slice(b"\",\"tags\":[");
        self.tags(&mut head, metric);
        head.push(b']');
        head.extend_from_slice(&self.host);
        head.extend_from_slice(b",\"points\":[[");
        json::number_u64(&mut head, record.time_ns / 1_000_000_000);
        head.extend_from_slice(b",[");
        let room = self.item_bytes_max.saturating_sub(head.len() + b"]]]}".len());
        if room < NUMBER_BYTES {
            return Err(EncodeError(format!(
                "a name and tags of {} bytes leave no room for values",
                head.len()
            )));
        }
        let values_bytes = room.min(VALUES_BYTES);
        let mut rest = told.into_iter().filter(|(_, count)| *count > 0).peekable();
        while rest.peek().is_some() {
            out.push(|bytes| {
                bytes.extend_from_slice(&head);
                values(bytes, &mut rest, values_bytes);
                bytes.extend_from_slice(b"]]]}");
                Ok(())
            })?;
        }
        if left_out > 0 {
            self.count(record, metric, ".not_sent", left_out, out)?;
        }
        Ok(())
    }

    /// Name and tags, the item's first members.
    fn head(&self, out: &mut Vec<u8>, metric: &Metric<'_>, suffix: &str) {
        out.extend_from_slice(b"{\"metric\":\"");
        match suffix {
            "" => metric_name(out, &metric.name),
            _ => metric_name(out, &format!("{}{suffix}", metric.name)),
        }
        out.extend_from_slice(b"\",\"tags\":[");
        self.tags(out, metric);
        out.push(b']');
    }

    fn tags(&self, out: &mut Vec<u8>, metric: &Metric<'_>) {
        for (key, value) in &metric.dimensions {
            out.push(b'"');
            tag(out, key, value);
            out.extend_from_slice(b"\",");
        }
        out.extend_from_slice(&self.tags);
        if self.tags.is_empty() && !metric.dimensions.is_empty() {
            out.pop();
        }
    }

    /// What follows the value.
    fn tail(&self, out: &mut Vec<u8>, unit: Unit) {
        out.extend_from_slice(b"}]");
        out.extend_from_slice(&self.resources);
        if let Some(unit) = unit_name(unit) {
            out.extend_from_slice(b",\"unit\":\"");
            out.extend_from_slice(unit.as_bytes());
            out.push(b'"');
        }
        out.push(b'}');
    }
}

/// Appends values, each as often as it was observed, until there is no more room.
fn values(out: &mut Vec<u8>, rest: &mut std::iter::Peekable<impl Iterator<Item = (f64, u64)>>, room: usize) {
    let start = out.len();
    let mut number = Vec::with_capacity(NUMBER_BYTES);
    while let Some((value, count)) = rest.peek_mut() {
        number.clear();
        json::number_f64(&mut number, *value);
        number.push(b',');
        while *count > 0 && out.len() - start + number.len() <= room {
            out.extend_from_slice(&number);
            *count -= 1;
        }
        if *count > 0 {
            break;
        }
        rest.next();
    }
    out.pop(); // the last comma
}

/// Keeps at most so many values, each bucket in proportion and none of them empty while there is room; returns how many
/// are left out.
fn thin(told: &mut [(f64, u64)], values_max: u64) -> u64 {
    let count: u128 = told.iter().map(|(_, count)| u128::from(*count)).sum();
    if count <= u128::from(values_max) {
        return 0;
    }
    // What each bucket has of the whole up to its end, less what those before it were given: errors do not add up.
    let room = u128::from(values_max).saturating_sub(told.len() as u128).max(1);
    let (mut seen, mut given, mut kept) = (0_u128, 0_u128, 0_u64);
    for (_, count_here) in told.iter_mut() {
        seen += u128::from(*count_here);
        let share = seen * room / count - given;
        given += share;
        let share = u64::try_from(share).unwrap_or(u64::MAX);
        *count_here = share.saturating_add(1).min(*count_here); // a bucket that was there stays
        kept += *count_here;
    }
    u64::try_from(count - u128::from(kept)).unwrap_or(u64::MAX)
}

/// Checks that every number can be told.
fn check(points: &Points) -> Result<(), EncodeError> {
    let numbers = match points {
        Points::Counter { .. } => return Ok(()),
        Points::Gauge { last, .. } => [*last, *last, *last],
        Points::Histogram(told) => [told.min, told.max, told.sum],
    };
    match numbers.into_iter().find(|number| !is_valid_value(*number)) {
        Some(number) => Err(EncodeError(format!("{number} is not a number that Datadog takes"))),
        None => Ok(()),
    }
}

/// Datadog's name of a unit (docs.datadoghq.com/metrics/units); it has one of its own for shares of a second, and none
/// for what is counted in general.
fn unit_name(unit: Unit) -> Option<&'static str> {
    Some(match unit {
        Unit::Percent => "percent",
        Unit::Seconds => "second",
        Unit::Milliseconds => "millisecond",
        Unit::Microseconds => "microsecond",
        Unit::Bytes => "byte",
        Unit::Kilobytes => "kilobyte",
        Unit::Megabytes => "megabyte",
        Unit::Gigabytes => "gigabyte",
        Unit::Terabytes => "terabyte",
        Unit::Bits => "bit",
        Unit::Kilobits => "kilobit",
        Unit::Megabits => "megabit",
        Unit::Gigabits => "gigabit",
        Unit::Terabits => "terabit",
        _ => return None,
    })
}

/// The last second of each series of counts.
#[derive(Default)]
struct Seconds {
    last: HashMap<u32, (RecordId, u64)>,
}

impl Seconds {
    /// The second for a record of this series: the process's own in the window, or the one after the last that was given.
    fn free(&mut self, series: u32, record: &Record<'_>, window_s: u64) -> u64 {
        let own = record.time_ns / 1_000_000_000 + record.id.process % window_s.min(60);
        let at = match self.last.get(&series) {
            Some((id, last)) if *id == record.id && (own..own + AHEAD_S).contains(last) => *last,
            Some((_, last)) if (own..own + AHEAD_S).contains(last) => last + 1,
            _ => own,
        };
        if self.last.len() >= SERIES_MAX && !self.last.contains_key(&series) {
            self.last.clear();
        }
        self.last.insert(series, (record.id, at));
        at
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_thinned_window_keeps_its_buckets_and_tells_what_is_left_out(
            counts in prop::collection::vec(1..100_000_u64, 1..300),
            values_max in 100..20_000_u64,
        ) {
            let mut told: Vec<(f64, u64)> = counts.iter().map(|count| (1.0, *count)).collect();
            let left_out = thin(&mut told, values_max);
            let kept: u64 = told.iter().map(|(_, count)| count).sum();
            prop_assert_eq!(kept + left_out, counts.iter().sum::<u64>());
            prop_assert!(kept <= values_max.max(counts.len() as u64 + 1));
            prop_assert!(told.iter().zip(&counts).all(|((_, now), was)| (1..=*was).contains(now)));
        }
    }

    #[test]
    fn a_second_is_given_once_to_a_series() {
        let mut seconds = Seconds::default();
        let mut free_of = |process, series, seq, time_s: u64, window_s| {
            let id = RecordId { process, seq };
            let check = crate::model::Check {
                name: "".into(),
                status: crate::model::CheckStatus::Ok,
                output: "".into(),
                fields: Vec::new(),
            };
            let body = crate::model::Body::Check(check);
            seconds.free(series, &Record { id, time_ns: time_s * 1_000_000_000, body }, window_s)
        };
        assert_eq!([free_of(125, 9, 1, 600, 60), free_of(125, 9, 2, 600, 60)], [605, 606]);
        let mut free = |series, seq, time_s| free_of(1, series, seq, time_s, 1);
        assert_eq!(
            [free(1, 1, 600), free(1, 2, 600), free(1, 2, 600), free(2, 3, 600)],
            [600, 601, 601, 600]
        );
        assert_eq!([free(1, 4, 660), free(1, 5, 660)], [660, 661], "the next window has seconds of its own");
        assert_eq!(free(1, 6, 5), 5, "what is far back stays there");
        let run: Vec<u64> = (10..20).map(|seq| free(3, seq, 1_000)).collect();
        assert_eq!(run, (1_000..1_010).collect::<Vec<_>>());
    }
}
