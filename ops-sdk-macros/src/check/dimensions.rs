//! The rules for the dimensions of a metric: those of CloudWatch for keys and values, and this crate's own for what
//! they add up to. Keys that come from a type are not known here; the compiler checks them.

use syn::{Error, Expr, Lit, LitInt, LitStr, Result};

use super::is_printable;
use super::metric::{DIMENSIONS_MAX, ascii, at};
use crate::model::{Capture, Dimension, DimensionSet, Dimensions, Keyed, Known, Set};

/// A dimension's name: 255 in PutMetricData, 250 in the Embedded Metric Format.
const KEY_CHARS_MAX: usize = 250;
/// A dimension's value, in both.
const VALUE_CHARS_MAX: usize = 1024;
/// Series of one metric: a hundred times what is reasonable, for each is paid for.
const SERIES_MAX: u32 = 1_000_000;
/// Sets of keys of one metric: each is told anew in every window.
const ROLLUPS_MAX: usize = 8;

/// Checks the dimensions of a metric that may have `max` of its own.
pub(super) fn check(dimensions: &Dimensions, max: usize) -> Result<()> {
    own(&dimensions.own, max)?;
    if let Some(series) = &dimensions.series_max {
        series_max(series, dimensions.is_empty())?;
    }
    match dimensions.rollup_span {
        Some(span) if dimensions.is_empty() => {
            Err(Error::new(span, "`rollup` is for dimensions, and there are none"))
        }
        Some(_) => rollup(dimensions),
        None => Ok(()),
    }
}

fn series_max(series: &LitInt, without_dimensions: bool) -> Result<()> {
    if without_dimensions {
        return Err(Error::new(series.span(), "without dimensions there is but one series"));
    }
    let allowed = series.base10_parse::<u32>().is_ok_and(|n| (1..=SERIES_MAX).contains(&n));
    if !allowed || !series.suffix().is_empty() {
        let message = format!("a metric may have 1 to {SERIES_MAX} series: `series_max = 50`");
        return Err(Error::new(series.span(), message));
    }
    Ok(())
}

fn rollup(dimensions: &Dimensions) -> Result<()> {
    for (index, set) in dimensions.rollup.iter().enumerate() {
        keys(set, dimensions)?;
        if dimensions.rollup[..index].iter().any(|earlier| sorted(earlier) == sorted(set)) {
            return Err(Error::new(set.span, "this set is already given"));
        }
        if dimensions.spreads.is_empty() && set.keys.len() == dimensions.own.len() {
            let message = "these are all the dimensions, by which the metric is told anyway";
            return Err(Error::new(set.span, message));
        }
    }
    match dimensions.rollup.get(ROLLUPS_MAX) {
        Some(over) => {
            let message =
                format!("a metric has at most {ROLLUPS_MAX} sets beside the full one, this is one more");
            Err(Error::new(over.span, message))
        }
        None => Ok(()),
    }
}

fn sorted(set: &Set) -> Vec<String> {
    let mut keys: Vec<String> = set.keys.iter().map(LitStr::value).collect();
    keys.sort();
    keys
}

/// The keys of one set, of which those that a type brings are left to the compiler.
fn keys(set: &Set, dimensions: &Dimensions) -> Result<()> {
    for (index, key) in set.keys.iter().enumerate() {
        let text = key.value();
        let message = if set.keys[..index].iter().any(|earlier| earlier.value() == text) {
            format!("the dimension \"{text}\" is already in this set")
        } else if dimensions.spreads.is_empty() && dimensions.own.iter().all(|own| own.key.value() != text) {
            let known: Vec<_> = dimensions.own.iter().map(|own| format!("\"{}\"", own.key.value())).collect();
            format!("there is no dimension \"{text}\" to keep; there are: {}", known.join(", "))
        } else {
            continue;
        };
        return Err(Error::new(key.span(), message));
    }
    Ok(())
}

/// What is wrong with the key of a dimension.
pub(super) fn key(key: &str) -> std::result::Result<(), String> {
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

fn own(dimensions: &[Dimension], max: usize) -> Result<()> {
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

/// Checks a type with `#[derive(Dimensions)]`.
pub(crate) fn dimension_set(set: &DimensionSet) -> Result<()> {
    match &set.known {
        Known::Enum { key: text, variants } => {
            at(text, key(&text.value()))?;
            texts(variants, "value", value)
        }
        Known::Struct(fields) => texts(fields, "key", key),
    }
}

/// Each is allowed, and no other has it.
fn texts<T>(
    all: &[Keyed<T>],
    what: &str,
    problem: fn(&str) -> std::result::Result<(), String>,
) -> Result<()> {
    for (index, Keyed { text, .. }) in all.iter().enumerate() {
        at(text, problem(&text.value()))?;
        if let Some(earlier) = all[..index].iter().find(|earlier| earlier.text.value() == text.value()) {
            let message = format!("the {what} \"{}\" is already that of `{}`", text.value(), earlier.ident);
            return Err(Error::new(text.span(), message));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

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
