//! Metric records as data points. Counters are monotonic sums and distributions exponential histograms, both of delta
//! temporality: what was counted and observed within the window. A gauge is the value set last; the smallest, largest and
//! mean of its window have no place in a gauge.

use std::borrow::Cow;

use super::exponential::Exponential;
use super::{Form, Item, Kind, json, protobuf};
use crate::model::{Distribution, Metric, Points, Record, Unit};

/// What is nearer to zero shares one bucket (`model/distribution.rs`): 2^-32.
pub(super) const ZERO_THRESHOLD: f64 = f64::from_bits((1023 - 32) << 52);

/// A data point, as both forms write it.
pub(super) struct Point<'a> {
    pub(super) name: &'a str,
    pub(super) unit: &'static str,
    /// The window, in nanoseconds since the Unix epoch.
    pub(super) start_ns: u64,
    pub(super) end_ns: u64,
    pub(super) data: Data<'a>,
    dimensions: &'a [(Cow<'a, str>, Cow<'a, str>)],
    own: &'a [(String, String)],
}

pub(super) enum Data<'a> {
    Sum(u64),
    Gauge(f64),
    Exponential(Exponential, &'a Distribution),
}

impl<'a> Point<'a> {
    /// The dimensions that the resource does not have already.
    pub(super) fn attributes(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let (dimensions, own) = (self.dimensions, self.own);
        let told = dimensions.iter().map(|(name, value)| (name.as_ref(), value.as_ref()));
        told.filter(move |(name, value)| own.iter().all(|(n, v)| (n.as_str(), v.as_str()) != (*name, *value)))
    }
}

/// Appends a metric record as one item, or nothing if it measured nothing. Dimensions that are in `own`, the resource's
/// attributes, are left out.
///
/// # Errors
///
/// If a number is not finite, or a name is missing or there twice.
pub fn metric(
    out: &mut Vec<u8>,
    form: Form,
    record: &Record<'_>,
    metric: &Metric<'_>,
    own: &[(String, String)],
) -> Result<(), String> {
    let Some(data) = data(&metric.points)? else { return Ok(()) };
    check_names(metric)?;
    let point = Point {
        name: &metric.name,
        unit: ucum(metric.unit),
        start_ns: record.time_ns,
        end_ns: record.time_ns.saturating_add(u64::from(metric.window_ms) * 1_000_000),
        data,
        dimensions: &metric.dimensions,
        own,
    };
    out.push(Item { form, kind: Kind::Metrics }.mark());
    match form {
        Form::Protobuf => protobuf::metric(out, &point),
        Form::Json => json::metric(out, &point),
    }
    Ok(())
}

fn data(points: &Points) -> Result<Option<Data<'_>>, String> {
    let finite = |numbers: &[f64]| match numbers.iter().find(|number| !number.is_finite()) {
        Some(number) => Err(format!("{number} is not a number that a data point can have")),
        None => Ok(()),
    };
    match points {
        Points::Counter { sum } => Ok(Some(Data::Sum(*sum))),
        Points::Gauge { count: 0, .. } => Ok(None),
        Points::Gauge { last, .. } => finite(&[*last]).map(|()| Some(Data::Gauge(*last))),
        Points::Histogram(distribution) => {
            finite(&[distribution.sum, distribution.min, distribution.max])?;
            let told = Exponential::of(distribution);
            Ok((told.count() > 0).then_some(Data::Exponential(told, distribution)))
        }
    }
}

fn check_names(metric: &Metric<'_>) -> Result<(), String> {
    if metric.name.is_empty() {
        return Err("a metric without a name".to_owned());
    }
    let names = || metric.dimensions.iter().map(|(name, _)| name.as_ref());
    for (place, name) in names().enumerate() {
        if name.is_empty() {
            return Err("a dimension without a name".to_owned());
        }
        if names().take(place).any(|earlier| earlier == name) {
            return Err(format!("two dimensions are named \"{}\"", name.escape_debug()));
        }
    }
    Ok(())
}

/// The unit in the Unified Code for Units of Measure, as OpenTelemetry's conventions ask for; empty where there is none.
#[must_use]
pub fn ucum(unit: Unit) -> &'static str {
    match unit {
        Unit::None => "",
        Unit::Count => "{count}",
        Unit::Percent => "%",
        Unit::Seconds => "s",
        Unit::Milliseconds => "ms",
        Unit::Microseconds => "us",
        Unit::Bytes => "By",
        Unit::Kilobytes => "kBy",
        Unit::Megabytes => "MBy",
        Unit::Gigabytes => "GBy",
        Unit::Terabytes => "TBy",
        Unit::Bits => "bit",
        Unit::Kilobits => "kbit",
        Unit::Megabits => "Mbit",
        Unit::Gigabits => "Gbit",
        Unit::Terabits => "Tbit",
        Unit::BytesPerSecond => "By/s",
        Unit::KilobytesPerSecond => "kBy/s",
        Unit::MegabytesPerSecond => "MBy/s",
        Unit::GigabytesPerSecond => "GBy/s",
        Unit::TerabytesPerSecond => "TBy/s",
        Unit::BitsPerSecond => "bit/s",
        Unit::KilobitsPerSecond => "kbit/s",
        Unit::MegabitsPerSecond => "Mbit/s",
        Unit::GigabitsPerSecond => "Gbit/s",
        Unit::TerabitsPerSecond => "Tbit/s",
        Unit::CountPerSecond => "{count}/s",
    }
}
