//! Lists of names and values as OpenTelemetry's variables have them: `name=value,name=value`, values percent-encoded (the
//! specification of OTLP exporters, "Specifying headers", and of resources, "Specifying resource information via an
//! environment variable"). Pure; an error never holds a value, which may be a key.

use crate::error::Error;

/// The names and values of a list.
///
/// # Errors
///
/// If an entry has no name, no `=`, or is not percent-encoded UTF-8. The message names the variable.
pub(super) fn list(text: &str, variable: &str) -> Result<Vec<(String, String)>, Error> {
    let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    entries
        .enumerate()
        .map(|(place, entry)| pair(entry).ok_or_else(|| refused(variable, place + 1)))
        .collect()
}

fn pair(entry: &str) -> Option<(String, String)> {
    let (name, value) = entry.split_once('=')?;
    let name = decoded(name.trim()).filter(|name| !name.is_empty())?;
    Some((name, decoded(value.trim())?))
}

fn refused(variable: &str, place: usize) -> Error {
    let problem = format!("entry {place} is not a name, = and a value");
    Error::setting(
        variable,
        problem,
        "write name=value,name=value, with %2C for a comma and %25 for a percent sign",
    )
}

/// Text without its percent-encoding.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        if *byte == b'%' {
            let (digits, after) = after.split_at_checked(2)?;
            let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = after;
        } else {
            bytes.push(*byte);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_and_what_is_none_is_told_without_its_value() {
        let pairs = list(" api-key = a%2Cb%20c ,, x=y=z,empty=", "V").unwrap();
        let expected = [("api-key", "a,b c"), ("x", "y=z"), ("empty", "")];
        assert_eq!(pairs, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(list("", "V").unwrap(), []);
        for bad in ["hush", "a=b,=hush", "a=hush%", "a=hush%2", "a=hush%zz", "a=hush%+1", "a=hush%ff"] {
            let error = list(bad, "V").unwrap_err().to_string();
            assert!(error.starts_with("V: entry ") && !error.contains("hush"), "{error}");
        }
    }
}
