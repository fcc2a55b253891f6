//! Strings, numbers and values.

use super::digits;
use super::escape::{inside, plain_or_escaped};
use super::sink::Sink;
use crate::model::Value;

/// Appends `text` as a JSON string, quotes included. What must be escaped is, and nothing else.
pub fn string(out: &mut Vec<u8>, text: &str) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    inside(out, text);
    out.push(b'"');
}

/// Puts a word of ours as it stands within a JSON string: there is nothing in it to escape.
#[cfg(feature = "cloudwatch")]
#[inline(always)]
pub(crate) fn put_word(out: &mut impl Sink, word: &'static str) {
    super::escape::put(out, word.as_bytes());
}

/// Puts `text` as it stands within a JSON string if it is printable ASCII of which nothing must be escaped. Says false,
/// and puts nothing, if it is not.
#[cfg(feature = "cloudwatch")]
#[inline(always)]
pub(crate) fn put_printable(out: &mut impl Sink, text: &str) -> bool {
    let is_printable = super::escape::is_printable(text);
    if is_printable {
        super::escape::put(out, text.as_bytes());
    }
    is_printable
}

/// Appends bytes that are UTF-8 as a JSON string; of those that are not, each run becomes U+FFFD.
pub fn bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    if bytes.is_ascii() {
        // Told in a third of the time that it takes to tell UTF-8.
        out.push(b'"');
        plain_or_escaped(out, bytes);
        return out.push(b'"');
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => string(out, text),
        Err(_) => string(out, &String::from_utf8_lossy(bytes)),
    }
}

/// Appends a value. NaN and the infinities, for which JSON has no number, become `"NaN"`, `"Infinity"` and
/// `"-Infinity"`.
pub fn value(out: &mut Vec<u8>, value: &Value<'_>) {
    put_value(out, value);
}

/// The same, anywhere.
#[inline(always)]
pub(super) fn put_value(out: &mut impl Sink, value: &Value<'_>) {
    match value {
        Value::Null => out.put_text(b"null"),
        Value::Bool(true) => out.put_text(b"true"),
        Value::Bool(false) => out.put_text(b"false"),
        Value::I64(number) => put_i64(out, *number),
        Value::U64(number) => put_u64(out, *number),
        Value::F64(number) => put_f64(out, *number),
        Value::Str(text) => {
            out.put_text(b"\"");
            inside(out, text);
            out.put_text(b"\"");
        }
    }
}

/// Appends a number in the fewest digits that read back as the same number; NaN and the infinities as strings, as
/// [`value`] says.
pub fn number_f64(out: &mut Vec<u8>, number: f64) {
    put_f64(out, number);
}

/// [`number_f64`], anywhere.
#[inline(always)]
pub(crate) fn put_f64(out: &mut impl Sink, number: f64) {
    match thousandths(number) {
        Some(thousandths) => decimal(out, thousandths),
        None => out.put_seldom(|out| long_f64(out, number)),
    }
}

/// Appends an unsigned integer.
pub fn number_u64(out: &mut Vec<u8>, number: u64) {
    digits::decimal(out, number);
}

/// [`number_u64`], anywhere.
#[inline(always)]
pub(crate) fn put_u64(out: &mut impl Sink, number: u64) {
    digits::decimal(out, number);
}

/// Appends a signed integer.
pub fn number_i64(out: &mut Vec<u8>, number: i64) {
    put_i64(out, number);
}

#[inline(always)]
fn put_i64(out: &mut impl Sink, number: i64) {
    out.put(b"-", usize::from(number < 0));
    digits::decimal(out, number.unsigned_abs());
}

#[cold]
fn long_f64(out: &mut Vec<u8>, number: f64) {
    if number.is_nan() {
        out.extend_from_slice(b"\"NaN\"");
    } else if number == f64::INFINITY {
        out.extend_from_slice(b"\"Infinity\"");
    } else if number == f64::NEG_INFINITY {
        out.extend_from_slice(b"\"-Infinity\"");
    } else {
        // A finite number always has a form, and a Vec takes every write: there is no error to report.
        let _ = serde_json::to_writer(out, &number);
    }
}

/// The number in thousandths, if it is a whole number of them that `f64` tells from every other: a decimal of at most 15
/// digits is the only one of so few that reads back as its nearest number, so its digits are the fewest there are.
#[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)] // checked by coming back
fn thousandths(number: f64) -> Option<i64> {
    if number == 0.0 || number.abs() >= 1e11 {
        return None; // zero has a sign to keep
    }
    let eighths = (number * 8.0) as i64;
    if eighths as f64 == number * 8.0 {
        return Some(eighths * 125); // exact, and told without waiting for a division
    }
    let whole = (number * 1000.0 + 0.5_f64.copysign(number)) as i64;
    (whole as f64 / 1000.0 == number).then_some(whole)
}

/// A number of thousandths as a decimal with the fewest digits, one of them behind the point at least. How many there are
/// is found without a branch, as it is as good as random.
#[inline(always)]
fn decimal(out: &mut impl Sink, thousandths: i64) {
    out.put(b"-", usize::from(thousandths < 0));
    let thousandths = thousandths.unsigned_abs();
    digits::decimal(out, thousandths / 1000);
    let [.., hundreds, tens, ones] = digits::eight(thousandths % 1000).to_le_bytes();
    let more = [10, 100].map(|of| usize::from(!thousandths.is_multiple_of(of)));
    let count = 2 + more[0] + more[1];
    out.put(&[b'.', hundreds, tens, ones], count);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::encode::arbitrary;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn every_character_reads_back_wherever_it_stands() {
        for char in '\0'..=char::MAX {
            let text =
                if u32::from(char) < 0x300 { format!("0123456789abcde{char}é{char}") } else { char.into() };
            let json = written(|out| string(out, &text));
            assert_eq!(serde_json::from_str::<String>(&json).expect("JSON"), text);
        }
    }

    #[test]
    fn only_what_must_be_escaped_is() {
        let json = written(|out| string(out, "a\"b\\c/d\n\r\t\u{1}\u{1f}\u{7f}\u{2028}é"));
        assert_eq!(json, "\"a\\\"b\\\\c/d\\n\\r\\t\\u0001\\u001f\u{7f}\u{2028}é\"");
    }

    #[test]
    fn numbers_without_a_number_in_json_are_named() {
        let table = [
            (f64::NAN, "\"NaN\""),
            (f64::INFINITY, "\"Infinity\""),
            (f64::NEG_INFINITY, "\"-Infinity\""),
            (0.1, "0.1"),
            (1.0, "1.0"),
            (-0.0, "-0.0"),
            (0.0, "0.0"),
            (1.5, "1.5"),
            (-12.25, "-12.25"),
            (0.001, "0.001"),
            (-0.01, "-0.01"),
            (1000.0, "1000.0"),
            (99_999_999_999.999, "99999999999.999"),
            (1e11, "100000000000.0"),
            (1e-5, "0.00001"),
            (1e16, "1e+16"),
        ];
        for (number, json) in table {
            assert_eq!(written(|out| number_f64(out, number)), json);
        }
    }

    proptest! {
        #[test]
        fn strings_are_written_as_serde_reads_them(text in arbitrary::text(), more in arbitrary::text()) {
            let text = format!("{text}{more}");
            let json = written(|out| string(out, &text));
            prop_assert_eq!(serde_json::from_str::<String>(&json).expect("JSON"), text);
        }

        #[test]
        fn a_short_decimal_has_the_digits_that_serde_gives_it(n: i64, shift in 0..64_u32, tens in 0..7_i32) {
            #[allow(clippy::cast_precision_loss)]
            let number = (n >> shift) as f64 / 10_f64.powi(tens);
            let expected = serde_json::to_string(&number).expect("a number");
            prop_assert_eq!(written(|out| number_f64(out, number)), expected);
        }

        #[test]
        fn bytes_are_text_whatever_they_are(given in prop::collection::vec(any::<u8>(), 0..1_500)) {
            let json = written(|out| bytes(out, &given));
            prop_assert_eq!(serde_json::from_str::<String>(&json).expect("JSON"), String::from_utf8_lossy(&given));
        }

        #[test]
        fn numbers_read_back_exactly(bits: u64, signed: i64) {
            let number = f64::from_bits(bits);
            if number.is_finite() {
                let back: f64 = written(|out| number_f64(out, number)).parse().expect("a number");
                prop_assert_eq!(back.to_bits(), bits);
            }
            prop_assert_eq!(written(|out| number_u64(out, bits)), bits.to_string());
            prop_assert_eq!(written(|out| number_i64(out, signed)), signed.to_string());
        }
    }
}
