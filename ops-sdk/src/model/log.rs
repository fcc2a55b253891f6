//! Log events and their levels.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use super::{Fields, Value};

/// The field of log events that holds the correlation's id: 32 hexadecimal digits.
pub const CORRELATION_ID: &str = "correlation_id";
/// The field of log events that holds the part of the work: 16 hexadecimal digits.
pub const SPAN_ID: &str = "span_id";

/// How much an event matters. The numbers order the levels: an event is on if its number is at most the limit's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// Someone must look.
    Error = 1,
    /// Someone should look.
    Warn = 2,
    /// The normal course of things.
    Info = 3,
    /// For those who look for a fault.
    Debug = 4,
    /// Every step.
    Trace = 5,
}

impl Level {
    /// Every level, the weightiest first.
    pub const ALL: [Level; 5] = [Level::Error, Level::Warn, Level::Info, Level::Debug, Level::Trace];

    /// The level in capitals, as log lines carry it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Level::Error => "ERROR",
            Level::Warn => "WARN",
            Level::Info => "INFO",
            Level::Debug => "DEBUG",
            Level::Trace => "TRACE",
        }
    }

    /// The level with this number.
    #[must_use]
    pub fn from_u8(number: u8) -> Option<Level> {
        Level::ALL.into_iter().find(|level| *level as u8 == number)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Level {
    type Err = String;

    /// Reads a level's name in any case.
    fn from_str(text: &str) -> Result<Level, String> {
        let found = Level::ALL.into_iter().find(|level| level.name().eq_ignore_ascii_case(text));
        found.ok_or_else(|| format!("unknown level \"{text}\""))
    }
}

/// A structured log event.
#[derive(Debug, Clone, PartialEq)]
pub struct Log<'a> {
    /// How much it matters.
    pub level: Level,
    /// The module that said it.
    pub target: Cow<'a, str>,
    /// The message, its placeholders filled in.
    pub message: Cow<'a, str>,
    /// The source file.
    pub file: Cow<'a, str>,
    /// The line in the source file; 0 when not known.
    pub line: u32,
    /// Its typed keys and values, in the order they were written.
    pub fields: Fields<'a>,
}

impl Log<'_> {
    /// Puts what it was recorded for behind its own fields, in the place of what was there. A field of its own with such a
    /// name stays as it is.
    pub(crate) fn correlate(&mut self, own: usize, correlation: u128, span: u64) {
        let (is_first, fields) = (self.fields.len() == own, &mut self.fields);
        for key in [CORRELATION_ID, SPAN_ID].into_iter().filter(|_| is_first) {
            if fields.iter().all(|(other, _)| other != key) {
                fields.push((Cow::Borrowed(key), Value::Str(Cow::Owned(String::with_capacity(32)))));
            }
        }
        for (key, value) in fields.iter_mut().skip(own) {
            if let Value::Str(Cow::Owned(text)) = value {
                text.clear();
                match key.as_ref() {
                    SPAN_ID => hex(text, u128::from(span), 16),
                    _ => hex(text, correlation, 32),
                }
            }
        }
    }
}

/// Appends so many hexadecimal digits. By hand, because the formatter's way takes longer than all the rest of an event.
fn hex(out: &mut String, number: u128, digits: u32) {
    #[allow(clippy::cast_possible_truncation)] // four bits
    let digit = |at: u32| char::from(b"0123456789abcdef"[(number >> (4 * at)) as usize & 15]);
    out.extend((0..digits).rev().map(digit));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_event_was_recorded_for_stands_behind_its_own_fields() {
        let log = |fields: &[&'static str]| Log {
            level: Level::Info,
            target: "shop".into(),
            message: "".into(),
            file: "".into(),
            line: 0,
            fields: fields.iter().map(|key| ((*key).into(), Value::Bool(true))).collect(),
        };
        let told = |log: &Log<'_>| {
            let text = |value: &Value<'_>| match value {
                Value::Str(text) => text.to_string(),
                other => format!("{other:?}"),
            };
            log.fields.iter().map(|(key, value)| format!("{key}={}", text(value))).collect::<Vec<_>>()
        };
        let mut plain = log(&["n"]);
        plain.correlate(1, 1, 2);
        plain.correlate(1, 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736, u64::MAX);
        let id = "correlation_id=4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(told(&plain), ["n=Bool(true)", id, "span_id=ffffffffffffffff"]);
        let mut own = log(&["correlation_id"]);
        own.correlate(1, 1, 0xbeef);
        assert_eq!(told(&own), ["correlation_id=Bool(true)", "span_id=000000000000beef"]);
    }
}
