//! The log lines of a function: what was named in `fields(..)` is taken when the call begins, for the body may move
//! the arguments, and kept until it ends. Numbers and short texts are kept in place, so that a warm call allocates
//! nothing; a longer text goes to the heap.

use std::fmt::{self, Write};

use super::outcome::{Ending, How, Measured};
use super::{Arg, Kind, Site, enabled, event};

/// Fields that a function may name.
const FIELDS_MAX: usize = 16;
/// Bytes of text that are kept in place.
const SHORT_BYTES: usize = 46;

/// A value that outlives what it was taken from.
pub struct Held(Kept);

enum Kept {
    Null,
    Bool(bool),
    I64(i64),
    U64(u64),
    F64(f64),
    Text(Text),
}

/// Text of any length, in place while it is short.
enum Text {
    Short { len: u8, bytes: [u8; SHORT_BYTES] },
    Long(String),
}

/// Takes a value.
#[inline]
#[must_use]
pub fn hold(value: Arg<'_>) -> Held {
    Held(match value {
        Arg::Null => Kept::Null,
        Arg::Bool(b) => Kept::Bool(b),
        Arg::I64(n) => Kept::I64(n),
        Arg::U64(n) => Kept::U64(n),
        Arg::F64(n) => Kept::F64(n),
        Arg::Str(text) => Kept::Text(Text::of(format_args!("{text}"))),
        Arg::Display(value) => Kept::Text(Text::of(format_args!("{value}"))),
        Arg::Debug(value) => Kept::Text(Text::of(format_args!("{value:?}"))),
    })
}

impl Held {
    fn arg(&self) -> Arg<'_> {
        match &self.0 {
            Kept::Null => Arg::Null,
            Kept::Bool(b) => Arg::Bool(*b),
            Kept::I64(n) => Arg::I64(*n),
            Kept::U64(n) => Arg::U64(*n),
            Kept::F64(n) => Arg::F64(*n),
            Kept::Text(text) => Arg::Str(text.as_str()),
        }
    }
}

impl Text {
    /// A `Display` that fails leaves what it wrote, as in an event.
    fn of(value: fmt::Arguments<'_>) -> Text {
        let mut text = Text::Short { len: 0, bytes: [0; SHORT_BYTES] };
        let _ = text.write_fmt(value);
        text
    }

    fn as_str(&self) -> &str {
        match self {
            // Whole texts were written, one behind the other.
            Text::Short { len, bytes } => str::from_utf8(&bytes[..usize::from(*len)]).unwrap_or_default(),
            Text::Long(text) => text,
        }
    }
}

impl Write for Text {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        if let Text::Short { len, bytes } = self {
            let start = usize::from(*len);
            if let Some(place) = bytes.get_mut(start..start + more.len()) {
                place.copy_from_slice(more.as_bytes());
                #[allow(clippy::cast_possible_truncation)] // at most SHORT_BYTES
                (*len = (start + more.len()) as u8);
                return Ok(());
            }
            *self = Text::Long(self.as_str().to_owned());
        }
        if let Text::Long(text) = self {
            text.push_str(more);
        }
        Ok(())
    }
}

/// A call that is logged when it ends. Dropped before it is [`Logged::done`], it panicked, or was cancelled.
#[must_use = "a call that is dropped at once is logged as cancelled"]
pub struct Logged<const N: usize> {
    /// Logs every end, except those that `error` logs.
    exit: Option<&'static Site>,
    /// Logs errors and panics.
    error: Option<&'static Site>,
    /// `None` while nothing of it is logged, and once it was.
    fields: Option<[Held; N]>,
}

/// Begins a call; takes the fields if a site is on.
#[inline]
pub fn logged<const N: usize>(
    exit: Option<&'static Site>,
    error: Option<&'static Site>,
    fields: impl FnOnce() -> [Held; N],
) -> Logged<N> {
    const { assert!(N <= FIELDS_MAX) };
    let is_on = exit.is_some_and(is_on) || error.is_some_and(is_on);
    Logged { exit, error, fields: is_on.then(fields) }
}

fn is_on(site: &'static Site) -> bool {
    matches!(site.kind, Kind::Event(level) if enabled(site, level))
}

impl<const N: usize> Logged<N> {
    /// Ends the call.
    #[inline]
    pub fn done(mut self, ending: Ending) {
        if let Some(fields) = self.fields.take() {
            let outcome = match ending.how() {
                How::Ok => "ok",
                How::Error => "error",
                How::ClientError => "client error",
            };
            self.log(&fields, ending.is_error(), ending.label().unwrap_or(outcome));
        }
    }

    fn log(&self, fields: &[Held; N], failed: bool, outcome: &str) {
        let site = self.error.filter(|_| failed).or(self.exit);
        let Some(site) = site.filter(|site| is_on(site)) else { return };
        let mut values = [Arg::Null; FIELDS_MAX + 1];
        values.iter_mut().zip(fields).for_each(|(value, held)| *value = held.arg());
        values[N] = Arg::Str(outcome);
        event(site, &values[..=N]);
    }
}

impl<const N: usize> Measured for Logged<N> {
    fn ended_well(self) {
        self.done(Ending::OK);
    }
}

impl<const N: usize> Drop for Logged<N> {
    #[inline]
    fn drop(&mut self) {
        if let Some(fields) = self.fields.take() {
            let panics = std::thread::panicking();
            self.log(&fields, panics, if panics { "panic" } else { "cancelled" });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_any_length_are_held_as_they_are() {
        for len in [0, 1, SHORT_BYTES - 1, SHORT_BYTES, SHORT_BYTES + 1, 1000] {
            let text = "é".repeat(len / 2) + &"x".repeat(len % 2);
            for arg in [Arg::Str(&text), Arg::Display(&text)] {
                let held = hold(arg);
                assert!(matches!(held.arg(), Arg::Str(kept) if kept == text), "{len}");
                let in_place = matches!(&held.0, Kept::Text(Text::Short { .. }));
                assert_eq!(in_place, text.len() <= SHORT_BYTES, "{len}");
            }
        }
        assert!(matches!(hold(Arg::Debug(&"a\n")).arg(), Arg::Str("\"a\\n\"")));
        assert!(matches!(hold(Arg::U64(7)).arg(), Arg::U64(7)));
    }
}
