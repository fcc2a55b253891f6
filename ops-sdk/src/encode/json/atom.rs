//! Strings, numbers and values.

use serde::Serialize;

use crate::model::Value;

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Appends `text` as a JSON string, quotes included. What must be escaped is, and nothing else.
pub fn string(out: &mut Vec<u8>, text: &str) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    let mut rest = text.as_bytes();
    loop {
        let (plain, special) = rest.split_at(plain_len(rest));
        out.extend_from_slice(plain);
        let Some((byte, after)) = special.split_first() else { break };
        escape(out, *byte);
        rest = after;
    }
    out.push(b'"');
}

/// Appends a value. NaN and the infinities, for which JSON has no number, become `"NaN"`, `"Infinity"` and
/// `"-Infinity"`.
pub fn value(out: &mut Vec<u8>, value: &Value<'_>) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::I64(number) => number_i64(out, *number),
        Value::U64(number) => number_u64(out, *number),
        Value::F64(number) => number_f64(out, *number),
        Value::Str(text) => string(out, text),
    }
}

/// Appends a number in the fewest digits that read back as the same number; NaN and the infinities as strings, as
/// [`value`] says.
pub fn number_f64(out: &mut Vec<u8>, number: f64) {
    if number.is_finite() {
        digits(out, number);
    } else if number.is_nan() {
        out.extend_from_slice(b"\"NaN\"");
    } else if number > 0.0 {
        out.extend_from_slice(b"\"Infinity\"");
    } else {
        out.extend_from_slice(b"\"-Infinity\"");
    }
}

/// Appends an unsigned integer.
pub fn number_u64(out: &mut Vec<u8>, number: u64) {
    digits(out, number);
}

/// Appends a signed integer.
pub fn number_i64(out: &mut Vec<u8>, number: i64) {
    digits(out, number);
}

fn digits(out: &mut Vec<u8>, number: impl Serialize) {
    // A finite number always has a form, and a Vec takes every write: there is no error to report.
    let _ = serde_json::to_writer(out, &number);
}

/// How many bytes of `bytes` come before the first one to escape.
fn plain_len(bytes: &[u8]) -> usize {
    let wide = clean_strides::<16>(bytes);
    let start = wide + clean_strides::<4>(&bytes[wide..]);
    let within = bytes[start..].iter().position(|byte| is_special(*byte));
    within.map_or(bytes.len(), |within| start + within)
}

/// The length of the strides of `N` bytes that come before the first with a byte to escape. A stride is looked at as
/// a whole, which the compiler makes vector instructions of.
fn clean_strides<const N: usize>(bytes: &[u8]) -> usize {
    let clean = |stride: &&[u8; N]| !stride.iter().fold(false, |any, byte| any | is_special(*byte));
    bytes.as_chunks::<N>().0.iter().take_while(clean).count() * N
}

/// RFC 8259, section 7: the quotation mark, the reverse solidus and U+0000 to U+001F.
const fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

fn escape(out: &mut Vec<u8>, byte: u8) {
    match byte {
        b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        _ => {
            out.extend_from_slice(b"\\u00");
            out.extend_from_slice(&hex(byte));
        }
    }
}

/// The two digits of a byte.
pub(super) fn hex(byte: u8) -> [u8; 2] {
    [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]
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
