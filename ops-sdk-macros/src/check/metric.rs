//! The rules for metrics are those of CloudWatch's PutMetricData (service model `cloudwatch/2010-08-01`, botocore
//! 1.44.5) and, where it is narrower, of the Embedded Metric Format.

use syn::{Error, LitStr, Result};

use super::{dimensions, is_printable, suggestion};
use crate::model::{Dimension, Metric, Options};

/// `MetricName` of PutMetricData.
const NAME_CHARS_MAX: usize = 255;
/// Dimensions of a metric, in both.
pub(super) const DIMENSIONS_MAX: usize = 30;

/// The variants of `ops_sdk::Unit`, in its order.
pub(crate) const UNITS: [&str; 27] = [
    "None",
    "Count",
    "Percent",
    "Seconds",
    "Milliseconds",
    "Microseconds",
    "Bytes",
    "Kilobytes",
    "Megabytes",
    "Gigabytes",
    "Terabytes",
    "Bits",
    "Kilobits",
    "Megabits",
    "Gigabits",
    "Terabits",
    "BytesPerSecond",
    "KilobytesPerSecond",
    "MegabytesPerSecond",
    "GigabytesPerSecond",
    "TerabytesPerSecond",
    "BitsPerSecond",
    "KilobitsPerSecond",
    "MegabitsPerSecond",
    "GigabitsPerSecond",
    "TerabitsPerSecond",
    "CountPerSecond",
];

pub(super) const RESOLUTIONS: [&str; 2] = ["high", "standard"];

/// Checks one use of a metric macro.
pub(crate) fn metric(metric: &Metric) -> Result<()> {
    at(&metric.name, name(&metric.name.value()))?;
    if let Some(unit) = &metric.unit {
        one_of("unit", unit, &UNITS)?;
    }
    if let Some(resolution) = &metric.resolution {
        one_of("resolution", resolution, &RESOLUTIONS)?;
    }
    dimensions::check(&metric.dimensions, DIMENSIONS_MAX)
}

/// The units of a duration.
pub(super) const UNITS_OF_TIME: [&str; 3] = ["Seconds", "Milliseconds", "Microseconds"];
/// The dimensions that the SDK gives to the metrics of a function.
const KEYS_OF_FUNCTIONS: [&str; 2] = ["Function", "Outcome"];
/// More than a duration needs to be told from another: one call a minute of a service with a million a second.
const SAMPLE_MAX: u32 = 100_000_000;

/// Checks the arguments of a function that are about its metrics.
pub(super) fn of_function(options: &Options) -> Result<()> {
    if let Some(unit) = &options.unit {
        one_of("unit of time", unit, &UNITS_OF_TIME)?;
    }
    if let Some(resolution) = &options.resolution {
        one_of("resolution", resolution, &RESOLUTIONS)?;
    }
    if let Some(sample) = &options.sample {
        let allowed = sample.base10_parse::<u32>().is_ok_and(|n| (1..=SAMPLE_MAX).contains(&n));
        if !allowed || !sample.suffix().is_empty() {
            let message = format!("one call in 1 to {SAMPLE_MAX} is timed: `sample = 16`");
            return Err(Error::new(sample.span(), message));
        }
    }
    let taken = |dimension: &&Dimension| KEYS_OF_FUNCTIONS.contains(&dimension.key.value().as_str());
    if let Some(dimension) = options.dimensions.own.iter().find(taken) {
        let message = "the metrics of a function have `Function` and `Outcome` already: choose another key";
        return Err(Error::new(dimension.key.span(), message));
    }
    dimensions::check(&options.dimensions, DIMENSIONS_MAX - KEYS_OF_FUNCTIONS.len())
}

pub(super) fn at(literal: &LitStr, result: std::result::Result<(), String>) -> Result<()> {
    result.map_err(|message| Error::new(literal.span(), message))
}

pub(super) fn one_of(what: &str, word: &proc_macro2::Ident, known: &[&str]) -> Result<()> {
    let text = word.to_string();
    if known.contains(&text.as_str()) {
        return Ok(());
    }
    let meant = suggestion(&text, known.iter().copied());
    let message = format!("unknown {what} `{text}`{meant}; expected one of: {}", known.join(", "));
    Err(Error::new(word.span(), message))
}

/// What is wrong with the name of a metric.
pub(super) fn name(name: &str) -> std::result::Result<(), String> {
    if name.is_empty() || name.len() > NAME_CHARS_MAX {
        return Err(format!(
            "the name of a metric has 1 to {NAME_CHARS_MAX} characters, this one {}",
            name.len()
        ));
    }
    ascii("the name of a metric", name)?;
    if name.trim() != name {
        return Err("the name of a metric neither begins nor ends with a space".to_owned());
    }
    Ok(())
}

pub(super) fn ascii(what: &str, text: &str) -> std::result::Result<(), String> {
    if !is_printable(text) {
        return Err(format!("{what} is made of printable ASCII characters"));
    }
    if text.starts_with(':') {
        return Err(format!("{what} does not begin with a colon: CloudWatch keeps that for itself"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rules_of_cloudwatch() {
        let longest = "n".repeat(255);
        for good in ["a", "orders.accepted", "4xx errors", "a:b", "~", longest.as_str()] {
            assert_eq!(name(good), Ok(()), "{good}");
        }
        let too_long = "n".repeat(256);
        for bad in ["", ":a", " a", "a ", "größe", "a\tb", "a\n", too_long.as_str()] {
            assert!(name(bad).is_err(), "{bad:?}");
        }
    }
}
