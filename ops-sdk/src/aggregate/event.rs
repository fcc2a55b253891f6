//! An event's message and fields, put together from its site and its values.

use std::borrow::Cow;
use std::fmt::Write;

use crate::model::{Fields, Level, Log, Value};
use crate::record::{Kind, Piece, Site, correlated, read_value};

/// The log event that a frame of this site with these values holds.
pub(crate) fn log<'a>(site: &'static Site, mut bytes: &'a [u8]) -> Log<'a> {
    let correlation = correlated(&mut bytes);
    let values: Vec<Value<'a>> = std::iter::from_fn(|| read_value(&mut bytes)).collect();
    let message = message(site, &values);
    let keys = site.keys.iter().map(|key| Cow::Borrowed(*key));
    let fields: Fields<'a> = keys.zip(values).collect();
    let mut log = Log {
        level: if let Kind::Event(level) = site.kind { level } else { Level::Info },
        target: Cow::Borrowed(site.source.target),
        message,
        file: Cow::Borrowed(site.source.file),
        line: site.source.line,
        fields,
    };
    if let Some((correlation, span)) = correlation {
        log.correlate(correlation, span);
    }
    log
}

fn message(site: &'static Site, values: &[Value<'_>]) -> Cow<'static, str> {
    match site.pieces {
        [] => Cow::Borrowed(""),
        [Piece::Text(text)] => Cow::Borrowed(text),
        pieces => Cow::Owned(pieces.iter().fold(String::new(), |mut message, piece| {
            match piece {
                Piece::Text(text) => message.push_str(text),
                Piece::Value(index) => {
                    values.get(usize::from(*index)).into_iter().for_each(|v| show(&mut message, v))
                }
            }
            message
        })),
    }
}

/// A value as `{}` would show it.
fn show(out: &mut String, value: &Value<'_>) {
    let written = match value {
        Value::Null => out.write_str("null"),
        Value::Bool(b) => write!(out, "{b}"),
        Value::I64(n) => write!(out, "{n}"),
        Value::U64(n) => write!(out, "{n}"),
        Value::F64(n) => write!(out, "{n}"),
        Value::Str(text) => out.write_str(text),
    };
    debug_assert!(written.is_ok(), "a String takes everything");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Source;

    #[test]
    fn placeholders_are_filled_with_values_as_display_shows_them() {
        static SITE: Site = Site::new(
            Kind::Event(Level::Warn),
            "took {n} of {of}: {ok}",
            Source { target: "shop", file: "src/shop.rs", line: 7 },
        )
        .pieces(&[
            Piece::Text("took "),
            Piece::Value(0),
            Piece::Text(" of "),
            Piece::Value(1),
            Piece::Text(": "),
            Piece::Value(2),
        ]);
        let values = [Value::F64(1.5), Value::Null, Value::Bool(true)];
        assert_eq!(message(&SITE, &values), "took 1.5 of null: true");
    }
}
