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
    /// Adds what it was recorded for, behind its fields. A field of its own with such a name stays as it is.
    pub(crate) fn correlate(&mut self, correlation: u128, span: u64) {
        let ids = [(CORRELATION_ID, format!("{correlation:032x}")), (SPAN_ID, format!("{span:016x}"))];
        for (key, id) in ids {
            if self.fields.iter().all(|(other, _)| other != key) {
                self.fields.push((Cow::Borrowed(key), Value::Str(Cow::Owned(id))));
            }
        }
    }
}
