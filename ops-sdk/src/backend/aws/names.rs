//! CloudWatch's rules for names (PutMetricData in the service model `cloudwatch/2010-08-01`, botocore 1.44.5), and how
//! what breaks them is made to fit, since one bad name would fail a push of a thousand:
//!
//! - what is not printable ASCII becomes `?`;
//! - a name that begins with a colon begins with `_` instead;
//! - what is empty or nothing but spaces becomes `-`;
//! - what is too long is cut.
//!
//! The macros check names at compile time; this is for names and values that are made at run time.

use std::borrow::Cow;

use crate::backend::EncodeError;
#[cfg(feature = "cloudwatch")]
use crate::encode::json::{self, Sink};
use crate::error::Error;
use crate::model::{Points, is_valid_value};

/// Characters of a namespace, a metric's name and a dimension's name.
const NAME_MAX: usize = 255;
/// Characters of a dimension's value.
const VALUE_MAX: usize = 1_024;
/// Dimensions of a metric.
const DIMENSIONS_MAX: usize = 30;

pub(in crate::backend) fn metric_name(name: &str) -> Cow<'_, str> {
    without_colon(fit(name, NAME_MAX))
}

/// A dimension, made to fit.
#[cfg(feature = "emf")]
pub(in crate::backend) fn dimension<'a>(
    (name, value): &'a (Cow<'_, str>, Cow<'_, str>),
) -> (Cow<'a, str>, Cow<'a, str>) {
    (metric_name(name), fit(value, VALUE_MAX))
}

/// Puts the name of a metric or of a dimension, made to fit, as it stands within a JSON string.
#[cfg(feature = "cloudwatch")]
#[inline(always)]
pub(in crate::backend) fn put_name(out: &mut impl Sink, name: &str) {
    put(out, name, NAME_MAX, metric_name);
}

/// Puts a dimension's value, made to fit, as it stands within a JSON string.
#[cfg(feature = "cloudwatch")]
#[inline(always)]
pub(in crate::backend) fn put_value(out: &mut impl Sink, value: &str) {
    put(out, value, VALUE_MAX, |value| fit(value, VALUE_MAX));
}

#[cfg(feature = "cloudwatch")]
#[inline(always)]
fn put(out: &mut impl Sink, text: &str, chars_max: usize, fitted: fn(&str) -> Cow<'_, str>) {
    let begins_well = text.bytes().next().is_some_and(|first| first != b' ' && first != b':');
    if !begins_well || text.len() > chars_max || !json::put_printable(out, text) {
        out.put_seldom(|out| json::inside(out, &fitted(text)));
    }
}

/// Whether there are as many dimensions as CloudWatch takes, at most, and their names are in rising order: those that stay as
/// they are differ then.
#[inline]
pub(in crate::backend) fn are_rising(dimensions: &[(Cow<'_, str>, Cow<'_, str>)]) -> bool {
    dimensions.len() <= DIMENSIONS_MAX && dimensions.windows(2).all(|two| two[0].0 < two[1].0)
}

/// Checks a metric's dimensions.
///
/// # Errors
///
/// If there are more than 30, or two have the same name once they fit.
pub(in crate::backend) fn check_dimensions(
    dimensions: &[(Cow<'_, str>, Cow<'_, str>)],
) -> Result<(), EncodeError> {
    if dimensions.len() > DIMENSIONS_MAX {
        return Err(EncodeError(format!(
            "{} dimensions; CloudWatch takes {DIMENSIONS_MAX}",
            dimensions.len()
        )));
    }
    if are_rising(dimensions)
        && dimensions.iter().all(|(name, _)| fits(name, NAME_MAX) && !name.starts_with(':'))
    {
        return Ok(());
    }
    let names: Vec<_> = dimensions.iter().map(|(name, _)| metric_name(name)).collect();
    match names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)) {
        Some((_, name)) => Err(EncodeError(format!("two dimensions are named \"{name}\""))),
        None => Ok(()),
    }
}

/// Checks that every number of the points is one that CloudWatch takes. Values are checked where they are recorded;
/// this is for what became of many of them, and for records from elsewhere.
///
/// # Errors
///
/// If one is NaN, infinite, or outside -2^360 … 2^360.
pub(in crate::backend) fn points(points: &Points) -> Result<(), EncodeError> {
    let numbers = match points {
        Points::Counter { .. } => return Ok(()),
        Points::Gauge { last, min, max, sum, .. } => [*last, *min, *max, *sum],
        Points::Histogram(d) => [d.min, d.min, d.max, d.sum],
    };
    match numbers.into_iter().find(|number| !is_valid_value(*number)) {
        Some(number) => Err(EncodeError(format!("{number} is not a number that CloudWatch takes"))),
        None => Ok(()),
    }
}

/// Checks a namespace; it is a setting, so it is refused rather than made to fit.
///
/// # Errors
///
/// If CloudWatch would refuse every metric of it.
pub(in crate::backend) fn namespace(namespace: &str) -> Result<(), Error> {
    let problem = if namespace.trim().is_empty() || namespace.len() > NAME_MAX {
        "a namespace has 1 to 255 characters"
    } else if !is_printable(namespace.as_bytes()) {
        "a namespace is of printable ASCII characters"
    } else if namespace.starts_with(':') || namespace.starts_with("AWS/") {
        "a namespace begins neither with a colon nor with AWS/, which is Amazon's own"
    } else {
        return Ok(());
    };
    let setting = "OPS_NAMESPACE / .namespace(..)";
    let remedy = "name one as in \"Shop\" or \"Shop/Checkout\"";
    Err(Error::setting(setting, format!("\"{}\": {problem}", namespace.escape_debug()), remedy))
}

/// Whether a text stays as it is.
fn fits(text: &str, chars_max: usize) -> bool {
    text.len() <= chars_max && is_printable(text.as_bytes()) && !text.bytes().all(|byte| byte == b' ')
}

/// Whether these are printable ASCII, told eight bytes at a time; the last eight may be some that were looked at before.
fn is_printable(bytes: &[u8]) -> bool {
    let (words, rest) = bytes.as_chunks::<8>();
    let last = match bytes.last_chunk::<8>() {
        Some(last) => u64::from_le_bytes(*last),
        None => rest.iter().fold(EACH * 0x20, |word, byte| word << 8 | u64::from(*byte)),
    };
    words.iter().all(|word| is_printable_word(u64::from_le_bytes(*word))) && is_printable_word(last)
}

const EACH: u64 = u64::MAX / 255;

/// No byte has its highest bit, is below the space, or is 0x7f: subtracting sets the highest bit of the first byte that was
/// less, and seven bits of a byte and one are the highest bit where they are 0x7f.
fn is_printable_word(word: u64) -> bool {
    (word | word.wrapping_sub(EACH * 0x20) | ((word & (EACH * 0x7f)) + EACH)) & (EACH << 7) == 0
}

fn fit(text: &str, chars_max: usize) -> Cow<'_, str> {
    if fits(text, chars_max) {
        return Cow::Borrowed(text);
    }
    let ascii = |c: char| if (' '..='~').contains(&c) { c } else { '?' };
    let fitted: String = text.chars().take(chars_max).map(ascii).collect();
    if fitted.trim().is_empty() { Cow::Borrowed("-") } else { Cow::Owned(fitted) }
}

fn without_colon(name: Cow<'_, str>) -> Cow<'_, str> {
    match name.strip_prefix(':') {
        Some(rest) => Cow::Owned(format!("_{rest}")),
        None => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_are_made_to_fit() {
        let long = "n".repeat(300);
        let table = [
            ("orders.accepted", "orders.accepted"),
            ("", "-"),
            ("  \t", "  ?"),
            ("   ", "-"),
            (":x", "_x"),
            ("größe\n", "gr??e?"),
            (&long, &long[..255]),
        ];
        for (name, expected) in table {
            assert_eq!(metric_name(name), expected, "{name:?}");
        }
        let value = "é".repeat(2_000);
        let given = [("Region".into(), value.into())];
        assert_eq!(dimension(&given[0]), ("Region".into(), "?".repeat(1_024).into()));
    }

    #[test]
    fn what_is_put_is_what_fits() {
        let long = "n".repeat(300);
        for text in
            ["", " ", "a", ":", ":x", "  x", "größe", "a\"b", "\\", "a\u{7f}", "orders.accepted", &long]
        {
            let put = |put: fn(&mut Vec<u8>, &str)| {
                let mut out = b"\"".to_vec();
                put(&mut out, text);
                out.push(b'"');
                serde_json::from_slice::<String>(&out).expect("JSON")
            };
            assert_eq!(put(put_name), metric_name(text), "{text:?}");
            assert_eq!(put(put_value), fit(text, VALUE_MAX), "{text:?}");
        }
    }

    #[test]
    fn any_byte_anywhere_is_told_printable_or_not() {
        for count in 0..=20 {
            for at in 0..count {
                for byte in 0..=u8::MAX {
                    let mut bytes = vec![b'~'; count];
                    bytes[at] = byte;
                    assert_eq!(
                        is_printable(&bytes),
                        (b' '..=b'~').contains(&byte),
                        "{byte} at {at} of {count}"
                    );
                }
            }
        }
    }

    #[test]
    fn too_many_dimensions_or_the_same_twice_are_refused() {
        let many: Vec<_> = (0..31).map(|n| (Cow::Owned(format!("d{n}")), Cow::Borrowed("v"))).collect();
        assert!(check_dimensions(&many[..30]).is_ok());
        assert!(check_dimensions(&many).unwrap_err().0.contains("31 dimensions"));
        for twice in [["ä", "ö"], ["", "-"], ["a", "a"], [":x", "_x"]] {
            let twice = twice.map(|name| (Cow::from(name), Cow::from("1")));
            let name = metric_name(&twice[1].0);
            let told = check_dimensions(&twice).unwrap_err().0;
            assert_eq!(told, format!("two dimensions are named \"{name}\""));
        }
    }

    #[test]
    fn a_number_that_cloudwatch_would_refuse_is_refused() {
        let gauge = |sum| Points::Gauge { last: 1.0, min: 1.0, max: 1.0, sum, count: 2 };
        assert!(points(&gauge(2f64.powi(360))).is_ok() && points(&Points::Counter { sum: u64::MAX }).is_ok());
        for bad in [f64::NAN, f64::INFINITY, 2f64.powi(361)] {
            assert!(points(&gauge(bad)).is_err(), "{bad}");
            let histogram = crate::model::Distribution { count: 1, max: bad, ..Default::default() };
            assert!(points(&Points::Histogram(histogram)).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_namespace_that_cloudwatch_would_refuse_is_told_with_its_setting() {
        for good in ["Shop", "Shop/Checkout", "a b:c#d"] {
            assert!(namespace(good).is_ok(), "{good}");
        }
        for bad in ["", " ", ":a", "AWS/EC2", "Größe", "a\nb", &"n".repeat(256)] {
            let error = namespace(bad).unwrap_err().to_string();
            assert!(error.starts_with("OPS_NAMESPACE / .namespace(..): "), "{error}");
        }
    }
}
