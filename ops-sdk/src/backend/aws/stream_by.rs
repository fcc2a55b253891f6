//! A stream for each host, process, file or key: a pattern that makes the stream's name of a record, and how an item
//! says which stream it is for.
//!
//! An item for a stream of its own begins with `@ops.stream `, the stream's name and a newline; no line and no part
//! begins so, and no name holds a newline. It stays so among the dead letters, and finds its stream from there. An item
//! without it is for the stream that is set.

use std::fmt::Write as _;

use super::place::{STREAM_BY, in_stream};
use crate::backend::Context;
use crate::error::Error;
use crate::model::{Body, Fields, Record, Value};

/// Characters of a stream's name (`LogStreamName` in `logs/2014-03-28`).
const NAME_MAX: usize = 512;
const MARK: &[u8] = b"@ops.stream ";

/// A stream's name with places to fill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::backend) struct StreamBy {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// The module that said it; `audit` of audit records.
    Target,
    /// The level's name; `AUDIT` of audit records.
    Level,
    /// The source file, unless the record has a field of that name.
    File,
    /// A field of the record, else a dimension of the process.
    Key(String),
}

impl StreamBy {
    /// Reads a pattern such as `{host}/{target}`.
    ///
    /// # Errors
    ///
    /// If braces are not closed, or hold nothing, or text between them is none that a stream's name may have.
    pub(super) fn parse(pattern: &str, context: &Context) -> Result<StreamBy, Error> {
        let refused = |problem: &str| {
            let remedy = "write a pattern of text and {host}, {process}, {target}, {level}, {file} or {key of a field or \
                          dimension}, as in \"{host}/{target}\"";
            let problem = format!("\"{}\" {problem}", pattern.escape_debug());
            Error::setting(format!("{STREAM_BY} / .stream_by(..)"), problem, remedy)
        };
        let (mut pieces, mut rest) = (Vec::new(), pattern);
        while let Some((text, after)) = rest.split_once('{') {
            let (name, after) =
                after.split_once('}').ok_or_else(|| refused("has a brace that is not closed"))?;
            pieces.push(Piece::Text(text.to_owned()));
            pieces.push(match name.trim() {
                "host" => Piece::Text(fitted(&context.host)),
                "process" => Piece::Text(format!("{:016x}", context.process)),
                "target" => Piece::Target,
                "level" => Piece::Level,
                "file" => Piece::File,
                "" => return Err(refused("has braces with nothing in them")),
                key => Piece::Key(key.to_owned()),
            });
            rest = after;
        }
        pieces.push(Piece::Text(rest.to_owned()));
        let is_good = |piece: &Piece| match piece {
            Piece::Text(text) => text.chars().all(|c| in_stream(c) && c != '}'),
            _ => true,
        };
        if !pieces.iter().all(is_good) {
            return Err(refused("has a colon, an asterisk, a brace or a control character"));
        }
        Ok(StreamBy { pieces })
    }

    /// The name, if it is the same for every record.
    pub(super) fn fixed(&self) -> Option<String> {
        let all = self.pieces.iter().map(|piece| match piece {
            Piece::Text(text) => Some(text.as_str()),
            _ => None,
        });
        all.collect()
    }

    /// Begins an item for the stream of a record.
    pub(in crate::backend) fn mark(
        &self,
        out: &mut Vec<u8>,
        record: &Record<'_>,
        dimensions: &[(String, String)],
    ) {
        let name = self.name(record, dimensions);
        out.extend_from_slice(MARK);
        out.extend_from_slice(name.as_bytes());
        out.push(b'\n');
    }

    fn name(&self, record: &Record<'_>, dimensions: &[(String, String)]) -> String {
        let mut name = String::with_capacity(64);
        for piece in &self.pieces {
            match (piece, &record.body) {
                (Piece::Text(text), _) => name.push_str(text),
                (Piece::Target, Body::Log(log)) => fit(&mut name, &log.target),
                (Piece::Level, Body::Log(log)) => name.push_str(log.level.name()),
                (Piece::Target, _) => name.push_str("audit"),
                (Piece::Level, _) => name.push_str("AUDIT"),
                (Piece::File, body) => match (field(body, "file"), body) {
                    (Some(value), _) => fit_value(&mut name, value),
                    (None, Body::Log(log)) => fit(&mut name, &log.file),
                    (None, _) => name.push('-'),
                },
                (Piece::Key(key), body) => match field(body, key) {
                    Some(value) => fit_value(&mut name, value),
                    None => fit(&mut name, dimensions.iter().find(|(k, _)| k == key).map_or("", |(_, v)| v)),
                },
            }
        }
        match name.char_indices().nth(NAME_MAX) {
            Some((end, _)) => name.truncate(end),
            None if name.is_empty() => name.push('-'),
            None => {}
        }
        name
    }
}

/// The stream that an item is for, if it says so, and its message.
pub(in crate::backend) fn addressed(item: &[u8]) -> (Option<&str>, &[u8]) {
    let split = || {
        let rest = item.strip_prefix(MARK)?;
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        Some((std::str::from_utf8(&rest[..end]).ok()?, &rest[end + 1..]))
    };
    split().map_or((None, item), |(stream, message)| (Some(stream), message))
}

fn field<'r>(body: &'r Body<'_>, key: &str) -> Option<&'r Value<'r>> {
    let of = |fields: &'r Fields<'_>| fields.iter().find(|(name, _)| name == key).map(|(_, value)| value);
    match body {
        Body::Log(log) => of(&log.fields),
        Body::Audit(audit) => of(&audit.fields),
        _ => None,
    }
}

fn fit_value(out: &mut String, value: &Value<'_>) {
    // Writing into memory cannot fail.
    let _ = match value {
        Value::Str(text) => return fit(out, text),
        Value::Null => return fit(out, ""),
        Value::Bool(flag) => write!(out, "{flag}"),
        Value::I64(number) => write!(out, "{number}"),
        Value::U64(number) => write!(out, "{number}"),
        Value::F64(number) => write!(out, "{number}"),
    };
}

/// Appends text as a stream's name may have it; a dash for nothing.
fn fit(out: &mut String, text: &str) {
    if text.is_empty() {
        out.push('-');
    }
    out.extend(text.chars().take(NAME_MAX).map(|c| if in_stream(c) { c } else { '-' }));
}

fn fitted(text: &str) -> String {
    let mut out = String::new();
    fit(&mut out, text);
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::context;
    use super::*;
    use crate::model::{Level, Log, RecordId};

    fn log(target: &'static str, fields: Vec<(&'static str, Value<'static>)>) -> Record<'static> {
        let fields = fields.into_iter().map(|(key, value)| (key.into(), value)).collect();
        let body = Log {
            level: Level::Warn,
            target: target.into(),
            message: "m".into(),
            file: "src/x.rs".into(),
            line: 1,
            fields,
        };
        Record { id: RecordId::default(), time_ns: 0, body: Body::Log(body) }
    }

    fn named(pattern: &str, record: &Record<'_>) -> String {
        let by = StreamBy::parse(pattern, &context(&[])).unwrap();
        let mut item = Vec::new();
        by.mark(&mut item, record, &[("Service".into(), "checkout".into())]);
        item.extend_from_slice(b"{\n}");
        let (stream, message) = addressed(&item);
        assert_eq!(message, b"{\n}");
        stream.unwrap().to_owned()
    }

    #[test]
    fn a_pattern_makes_a_name_of_a_record() {
        let fields = || vec![("tenant", Value::Str("a:b*c\nd".into())), ("n", Value::U64(7))];
        let table = [
            ("{host}/{target}", "h1/shop--db"),
            ("{process}.{level}", "00000000000000ff.WARN"),
            ("{file}", "src/x.rs"),
            ("{tenant}/{n}/{Service}/{nothing}", "a-b-c-d/7/checkout/-"),
            ("plain", "plain"),
        ];
        for (pattern, expected) in table {
            assert_eq!(named(pattern, &log("shop::db", fields())), expected, "{pattern}");
        }
        assert_eq!(
            named("{file}", &log("t", vec![("file", Value::Str("/var/log/a.log".into()))])),
            "/var/log/a.log"
        );
        assert_eq!(named("{a}", &log("t", vec![("a", Value::Null)])), "-");
        let fixed = |pattern| StreamBy::parse(pattern, &context(&[])).unwrap().fixed();
        assert_eq!(fixed("{host}/{process}").as_deref(), Some("h1/00000000000000ff"));
        assert_eq!(fixed("{host}/{target}"), None);
    }

    #[test]
    fn a_pattern_that_means_nothing_is_told_with_its_setting() {
        for bad in ["{", "a{b", "{}", "{ }", "a:b", "*", "a}b", "a\nb"] {
            let error = StreamBy::parse(bad, &context(&[])).unwrap_err().to_string();
            assert!(error.starts_with("OPS_CLOUDWATCH_LOGS_STREAM_BY / .stream_by(..): "), "{error}");
        }
    }

    #[test]
    fn an_item_without_a_mark_is_for_no_stream_of_its_own() {
        for item in [&b"{}"[..], b"@ops.part v1 ", b"@ops.stream no end", b"@ops.stream \xff\n{}", b""] {
            assert_eq!(addressed(item), (None, item));
        }
    }

    proptest! {
        #[test]
        fn whatever_a_field_holds_the_name_is_one(text in "\\PC{0,700}", control in any::<char>()) {
            let value = format!("{text}{control}\n:*\0");
            let record = log("t", vec![]);
            let Body::Log(mut body) = record.body else { unreachable!() };
            body.fields = vec![("k".into(), Value::Str(value.into()))];
            let name = named("{host}/{k}", &Record { body: Body::Log(body), ..record });
            prop_assert!((1..=512).contains(&name.chars().count()));
            prop_assert!(name.chars().all(in_stream));
        }
    }
}
