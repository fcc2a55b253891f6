//! The rules for metrics are those of CloudWatch's PutMetricData (service model `cloudwatch/2010-08-01`, botocore
//! 1.44.5) and, where it is narrower, of the Embedded Metric Format.

use syn::{Error, Expr, Lit, LitStr, Result};

use super::{is_printable, suggestion};
use crate::model::{Capture, Dimension, Metric, Options};

/// `MetricName` of PutMetricData.
const NAME_CHARS_MAX: usize = 255;
/// A dimension's name: 255 in PutMetricData, 250 in the Embedded Metric Format.
const KEY_CHARS_MAX: usize = 250;
/// A dimension's value, in both.
const VALUE_CHARS_MAX: usize = 1024;
/// Dimensions of a metric, in both.
const DIMENSIONS_MAX: usize = 30;

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

const RESOLUTIONS: [&str; 2] = ["high", "standard"];

/// Checks one use of a metric macro.
pub(crate) fn metric(metric: &Metric) -> Result<()> {
    at(&metric.name, name(&metric.name.value()))?;
    if let Some(unit) = &metric.unit {
        one_of("unit", unit, &UNITS)?;
    }
    if let Some(resolution) = &metric.resolution {
        one_of("resolution", resolution, &RESOLUTIONS)?;
    }
    dimensions(&metric.dimensions, DIMENSIONS_MAX)
}

/// The units of a duration.
const UNITS_OF_TIME: [&str; 3] = ["Seconds", "Milliseconds", "Microseconds"];
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
    if let Some(dimension) = options.dimensions.iter().find(taken) {
        let message = "the metrics of a function have `Function` and `Outcome` already: choose another key";
        return Err(Error::new(dimension.key.span(), message));
    }
    dimensions(&options.dimensions, DIMENSIONS_MAX - KEYS_OF_FUNCTIONS.len())
}

fn at(literal: &LitStr, result: std::result::Result<(), String>) -> Result<()> {
    result.map_err(|message| Error::new(literal.span(), message))
}

fn one_of(what: &str, word: &proc_macro2::Ident, known: &[&str]) -> Result<()> {
    let text = word.to_string();
    if known.contains(&text.as_str()) {
        return Ok(());
    }
    let meant = suggestion(&text, known.iter().copied());
    let message = format!("unknown {what} `{text}`{meant}; expected one of: {}", known.join(", "));
    Err(Error::new(word.span(), message))
}

/// What is wrong with the name of a metric.
fn name(name: &str) -> std::result::Result<(), String> {
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

/// What is wrong with the key of a dimension.
fn key(key: &str) -> std::result::Result<(), String> {
    if key.is_empty() || key.len() > KEY_CHARS_MAX {
        return Err(format!(
            "the key of a dimension has 1 to {KEY_CHARS_MAX} characters, this one {}",
            key.len()
        ));
    }
    ascii("the key of a dimension", key)?;
    if key.trim().is_empty() {
        return Err("the key of a dimension is not only spaces".to_owned());
    }
    Ok(())
}

fn ascii(what: &str, text: &str) -> std::result::Result<(), String> {
    if !is_printable(text) {
        return Err(format!("{what} is made of printable ASCII characters"));
    }
    if text.starts_with(':') {
        return Err(format!("{what} does not begin with a colon: CloudWatch keeps that for itself"));
    }
    Ok(())
}

fn dimensions(dimensions: &[Dimension], max: usize) -> Result<()> {
    for (at_index, dimension) in dimensions.iter().enumerate() {
        let text = dimension.key.value();
        at(&dimension.key, key(&text))?;
        if dimensions[..at_index].iter().any(|earlier| earlier.key.value() == text) {
            let message = format!("the dimension \"{text}\" is already given");
            return Err(Error::new(dimension.key.span(), message));
        }
        literal_value(dimension)?;
    }
    if let Some(over) = dimensions.get(max) {
        let message = if max == DIMENSIONS_MAX {
            format!("a metric has at most {max} dimensions, this is one more")
        } else {
            format!("the metrics of a function have at most {max} dimensions of its own, this is one more")
        };
        return Err(Error::new(over.key.span(), message));
    }
    Ok(())
}

/// A value that is known at compile time is checked there; others are when they are recorded.
fn literal_value(dimension: &Dimension) -> Result<()> {
    let Expr::Lit(literal) = &dimension.value else { return Ok(()) };
    let (Lit::Str(text), Capture::Typed) = (&literal.lit, dimension.capture) else { return Ok(()) };
    at(text, value(&text.value()))
}

/// What is wrong with the value of a dimension.
pub(super) fn value(value: &str) -> std::result::Result<(), String> {
    if value.is_empty() || value.len() > VALUE_CHARS_MAX {
        let len = value.len();
        return Err(format!(
            "the value of a dimension has 1 to {VALUE_CHARS_MAX} characters, this one {len}"
        ));
    }
    if !is_printable(value) {
        return Err("the value of a dimension is made of printable ASCII characters".to_owned());
    }
    if value.trim().is_empty() {
        return Err("the value of a dimension is not only spaces".to_owned());
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

    #[test]
    fn keys_follow_the_narrower_rules_of_the_embedded_format() {
        let longest = "k".repeat(250);
        for good in ["Region", "k", " padded ", "a:b", "Function", longest.as_str()] {
            assert_eq!(key(good), Ok(()), "{good}");
        }
        let too_long = "k".repeat(251);
        for bad in ["", " ", ":a", "clé", "a\0b", too_long.as_str()] {
            assert!(key(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn values_follow_the_rules_of_cloudwatch() {
        let longest = "v".repeat(1024);
        for good in ["eu-west-1", ":v", " v", longest.as_str()] {
            assert_eq!(value(good), Ok(()), "{good}");
        }
        let too_long = "v".repeat(1025);
        for bad in ["", "  ", "é", "a\r", too_long.as_str()] {
            assert!(value(bad).is_err(), "{bad:?}");
        }
    }
}
