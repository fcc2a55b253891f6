//! What a metric record is told as: an item for each value, with how values of one minute become one before it.
//!
//! An item is one letter (see [`How`]), the number of samples and a space, and then what is posted:
//! `s1 {"name":"orders.sum","time":1795332240,"value":7}`. Names hold nothing that would need an escape.

use crate::backend::EncodeError;
use crate::chunk::Items;
use crate::encode::json;
use crate::model::{Distribution, Metric, Points, is_valid_value};

/// How two values of one minute become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// By adding: counts.
    Sum,
    /// The later one: gauges.
    Last,
    /// By their samples: averages.
    Mean,
    /// The smaller one.
    Least,
    /// The larger one: maxima, and percentiles, which cannot be told from those of parts.
    Largest,
}

const HOWS: [(u8, How); 5] =
    [(b's', How::Sum), (b'l', How::Last), (b'm', How::Mean), (b'n', How::Least), (b'x', How::Largest)];

/// The percentiles of a histogram.
const PERCENTILES: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99)];

/// The last parts of a metric's names.
pub(super) fn lines(points: &Points) -> &'static [&'static str] {
    match points {
        Points::Counter { .. } => &["sum"],
        Points::Gauge { .. } => &["last"],
        Points::Histogram(_) => &["count", "avg", "min", "p50", "p90", "p95", "p99", "max"],
    }
}

/// Encodes a metric whose series has this name.
pub(super) fn encode(
    name: &str,
    metric: &Metric<'_>,
    unix_s: u64,
    out: &mut Items,
) -> Result<(), EncodeError> {
    let mut one = |last: &str, how: How, samples: u64, value: Number| {
        item(name, last, how, samples, unix_s, value, out)
    };
    match &metric.points {
        Points::Counter { sum } => one("sum", How::Sum, 1, Number::Whole(*sum)),
        Points::Gauge { count: 0, .. } => Ok(()),
        Points::Gauge { last, .. } => one("last", How::Last, 1, Number::Float(*last)),
        Points::Histogram(told) if told.count == 0 => Ok(()),
        Points::Histogram(told) => histogram(told, one),
    }
}

fn histogram(
    told: &Distribution,
    mut one: impl FnMut(&str, How, u64, Number) -> Result<(), EncodeError>,
) -> Result<(), EncodeError> {
    one("count", How::Sum, 1, Number::Whole(told.count))?;
    #[allow(clippy::cast_precision_loss)] // an average is a double anyway
    one("avg", How::Mean, told.count, Number::Float(told.sum / told.count as f64))?;
    one("min", How::Least, 1, Number::Float(told.min))?;
    for (last, share) in PERCENTILES {
        one(last, How::Largest, 1, Number::Float(told.percentile(share)))?;
    }
    one("max", How::Largest, 1, Number::Float(told.max))
}

/// A value as it is written.
enum Number {
    Whole(u64),
    Float(f64),
}

fn item(
    name: &str,
    last: &str,
    how: How,
    samples: u64,
    unix_s: u64,
    value: Number,
    out: &mut Items,
) -> Result<(), EncodeError> {
    if let Number::Float(number) = value
        && !is_valid_value(number)
    {
        return Err(EncodeError(format!("{number} is not a number that Mackerel takes")));
    }
    out.push(|bytes| {
        bytes.push(HOWS.iter().find(|(_, other)| *other == how).map_or(b'l', |(letter, _)| *letter));
        json::number_u64(bytes, samples);
        bytes.extend_from_slice(b" {\"name\":\"");
        bytes.extend_from_slice(name.as_bytes());
        bytes.push(b'.');
        bytes.extend_from_slice(last.as_bytes());
        bytes.extend_from_slice(b"\",\"time\":");
        json::number_u64(bytes, unix_s / 60 * 60);
        bytes.extend_from_slice(b",\"value\":");
        match value {
            Number::Whole(number) => json::number_u64(bytes, number),
            Number::Float(number) => json::number_f64(bytes, number),
        }
        bytes.push(b'}');
        Ok(())
    })
}

/// One value as it was encoded.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Point {
    pub(super) name: String,
    pub(super) unix_s: u64,
    pub(super) how: How,
    pub(super) samples: u64,
    pub(super) value: f64,
    /// The value as it was written, while it is that.
    pub(super) written: Option<String>,
}

impl Point {
    /// Reads an item.
    pub(super) fn read(item: &[u8]) -> Option<Point> {
        let text = std::str::from_utf8(item).ok()?;
        let (how, rest) =
            (HOWS.iter().find(|(letter, _)| text.as_bytes().first() == Some(letter))?.1, &text[1..]);
        let (samples, rest) = rest.split_once(" {\"name\":\"")?;
        let (name, rest) = rest.split_once("\",\"time\":")?;
        let (unix_s, rest) = rest.split_once(",\"value\":")?;
        let written = rest.strip_suffix('}')?.to_owned();
        let (name, unix_s, samples) = (name.to_owned(), unix_s.parse().ok()?, samples.parse().ok()?);
        Some(Point { name, unix_s, how, samples, value: written.parse().ok()?, written: Some(written) })
    }

    /// Takes in a later value of the same name and minute.
    pub(super) fn add(&mut self, later: &Point) {
        #[allow(clippy::cast_precision_loss)] // weights
        let (own, its) = (self.samples as f64, later.samples as f64);
        self.value = match self.how {
            How::Sum => self.value + later.value,
            How::Last => later.value,
            How::Mean => (self.value * own + later.value * its) / (own + its),
            How::Least => self.value.min(later.value),
            How::Largest => self.value.max(later.value),
        };
        self.samples = self.samples.saturating_add(later.samples);
        self.written = None;
    }
}
