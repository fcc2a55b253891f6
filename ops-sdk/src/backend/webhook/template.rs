//! Templates of bodies: JSON with `{placeholders}`, within its strings or in the place of a value.
//!
//! Within a string a placeholder is text, escaped as JSON asks for; `{name|slack}` also escapes what Slack would take for
//! a link or a mention; `{{` and `}}` are braces. In the place of a value it is one: a string with its quotes, a number,
//! an object. No text of a record can make the body anything else than the JSON that the template is.

use super::said::{Origin, Place, Said};
use crate::backend::EncodeError;
use crate::encode::json;
use crate::model::{Body, Check, CheckStatus, Record, RecordId};

/// A template, taken apart.
pub(super) struct Template {
    pieces: Vec<Piece>,
    origin: Origin,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// Within a string.
    Within {
        place: Place,
        slack: bool,
    },
    /// In the place of a value.
    Value(Place),
}

impl Template {
    /// Takes a template apart, and fills it in once to see that it is JSON.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub(super) fn parse(text: &str, origin: Origin) -> Result<Template, String> {
        let (pieces, id) = (pieces(text)?, RecordId { process: 1, seq: 1 });
        let (name, output) = ("\"name\"".into(), "a\nb".into());
        let check = Check { name, status: CheckStatus::Ok, output, fields: Vec::new() };
        let record = Record { id, time_ns: 0, body: Body::Check(check) };
        let pieces = match Said::of(&record, &origin) {
            Some(said) => settled(pieces, &said),
            None => pieces,
        };
        let template = Template { pieces, origin };
        let mut body = Vec::new();
        template.fill(&mut body, &record).map_err(|error| error.0)?;
        match serde_json::from_slice::<serde::de::IgnoredAny>(&body) {
            Ok(_) => Ok(template),
            Err(error) => Err(format!("is not JSON when it is filled in: {error}")),
        }
    }

    /// Appends the body for a record.
    ///
    /// # Errors
    ///
    /// If it is neither a check nor a log event.
    pub(super) fn fill(&self, out: &mut Vec<u8>, record: &Record<'_>) -> Result<(), EncodeError> {
        let Some(said) = Said::of(record, &self.origin) else {
            return Err(EncodeError(format!("a webhook is not sent {} records", record.signal())));
        };
        self.pieces.iter().for_each(|piece| piece.put(out, &said));
        Ok(())
    }
}

impl Piece {
    fn put(&self, out: &mut Vec<u8>, said: &Said<'_>) {
        match self {
            Piece::Text(text) => out.extend_from_slice(text.as_bytes()),
            Piece::Value(place) => said.value(out, place),
            Piece::Within { place, slack: false } => json::inside(out, &said.text(place)),
            Piece::Within { place, slack: true } => json::inside(out, &for_slack(&said.text(place))),
        }
    }

    /// Whether all records of the process have the same there.
    fn is_settled(&self) -> bool {
        match self {
            Piece::Text(_) => true,
            Piece::Value(place) | Piece::Within { place, .. } => place.is_origin(),
        }
    }
}

/// The pieces with what all records have in common put together.
fn settled(pieces: Vec<Piece>, said: &Said<'_>) -> Vec<Piece> {
    let mut settled: Vec<Piece> = Vec::new();
    for piece in pieces {
        if !piece.is_settled() {
            settled.push(piece);
            continue;
        }
        let mut text = Vec::new();
        piece.put(&mut text, said);
        let text = String::from_utf8(text).unwrap_or_default();
        match settled.last_mut() {
            Some(Piece::Text(before)) => before.push_str(&text),
            _ => settled.push(Piece::Text(text)),
        }
    }
    settled
}

/// The three characters that Slack takes for its own ("Formatting text for app surfaces", escaping text).
fn for_slack(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    let (mut pieces, mut plain, mut within) = (Vec::new(), String::new(), false);
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        if within && (rest.starts_with("{{") || rest.starts_with("}}")) {
            plain.push(next);
            rest = &rest[2..];
        } else if let Some((name, after)) = placeholder(rest) {
            if !plain.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
            }
            pieces.push(piece(name, within)?);
            rest = after;
        } else {
            let escaped = within && next == '\\';
            let taken = next.len_utf8()
                + if escaped { rest[1..].chars().next().map_or(0, char::len_utf8) } else { 0 };
            plain.push_str(&rest[..taken]);
            within ^= next == '"';
            rest = &rest[taken..];
        }
    }
    if !plain.is_empty() {
        pieces.push(Piece::Text(plain));
    }
    Ok(pieces)
}

/// The name in braces that a text begins with, and what follows it. JSON has a quote, a blank or a brace after `{`.
fn placeholder(text: &str) -> Option<(&str, &str)> {
    let (name, after) = text.strip_prefix('{')?.split_once('}')?;
    let starts = name.starts_with(|first: char| first.is_ascii_alphabetic());
    let own = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '|');
    (starts && name.chars().all(own)).then_some((name, after))
}

fn piece(name: &str, within: bool) -> Result<Piece, String> {
    let (bare, filter) = name.split_once('|').map_or((name, None), |(bare, filter)| (bare, Some(filter)));
    let place = Place::named(bare)
        .ok_or_else(|| format!("has a placeholder {{{name}}}; there are {}", Place::names()))?;
    match (within, filter) {
        (true, None) => Ok(Piece::Within { place, slack: false }),
        (true, Some("slack")) => Ok(Piece::Within { place, slack: true }),
        (false, None) => Ok(Piece::Value(place)),
        (_, Some(filter)) => {
            Err(format!("has a filter \"{filter}\" in {{{name}}}; there is slack, within strings"))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value as Json, json};

    use super::super::super::shared::tests::context;
    use super::*;
    use crate::model::Value;

    fn filled(text: &str, name: &str, output: &str) -> Result<Json, String> {
        let template = Template::parse(text, Origin::of(&context(&[])))?;
        let fields = vec![("url".into(), Value::Str("<a>".into())), ("n".into(), Value::I64(-3))];
        let check = Check { name: name.into(), status: CheckStatus::Critical, output: output.into(), fields };
        let id = RecordId { process: 255, seq: 7 };
        let record = Record { id, time_ns: 1_795_332_268_123_000_000, body: Body::Check(check) };
        let mut body = Vec::new();
        template.fill(&mut body, &record).map_err(|error| error.0)?;
        serde_json::from_slice(&body).map_err(|error| format!("{error}: {}", String::from_utf8_lossy(&body)))
    }

    #[test]
    fn placeholders_are_text_within_strings_and_values_outside() {
        let table = [
            (r#"{"a":"{status}: {name}"}"#, json!({"a": "CRITICAL: d\"k"})),
            (r#"{"a":{name},"b":{code}}"#, json!({"a": "d\"k", "b": 2})),
            (
                r#"{"a":"{time_s} {time}","b":{time_ms}}"#,
                json!({"a": "1795332268 2026-11-22T07:24:28.123000Z", "b": 1_795_332_268_123_u64}),
            ),
            (
                r#"[{fields},"{fields}",{dimensions}]"#,
                json!([{"url": "<a>", "n": -3}, "{\"url\":\"<a>\",\"n\":-3}", {"Service": "checkout"}]),
            ),
            (
                r#"["{field.url|slack}",{field.n},"{field.n}",{field.no},"{field.no}"]"#,
                json!(["&lt;a&gt;", -3, "-3", null, ""]),
            ),
            (
                r#"{ "a" : {"b":{}} , "c": "{host} {namespace} {process} {level} {signal}" }"#,
                json!({"a": {"b": {}}, "c": "h1 Shop 00000000000000ff ERROR check"}),
            ),
            (
                r#"{"a":"{{name}} {\"{name}\"} \\","b":"{id}"}"#,
                json!({"a": "{name} {\"d\"k\"} \\", "b": "00000000000000ff-7"}),
            ),
            (r"{output}", json!("o\r\n<!channel>")),
        ];
        for (text, expected) in table {
            assert_eq!(filled(text, "d\"k", "o\r\n<!channel>").unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_template_says_why() {
        let table = [
            (r#"{"a":"{nmae}"}"#, "has a placeholder {nmae}; there are id, time"),
            (r#"{"a":"{name|html}"}"#, "has a filter \"html\""),
            (r#"{"a":{name|slack}}"#, "has a filter \"slack\""),
            (r#"{"a":"{name}"#, "is not JSON when it is filled in"),
            (r#"{"{name}"}"#, "is not JSON"),
            (r"hello {name}", "is not JSON"),
            ("", "is not JSON"),
        ];
        for (text, expected) in table {
            let error = filled(text, "n", "o").unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_changes_the_form(name: String, output: String) {
            let text = r#"{"text":"*{status}* {name} {output}","name":{name},"n":{code},"slack":"{output|slack}"}"#;
            let body = filled(text, &name, &output).unwrap();
            prop_assert_eq!(body.as_object().unwrap().len(), 4);
            prop_assert_eq!(&body["name"], &name);
            prop_assert_eq!(&body["text"], &format!("*CRITICAL* {name} {output}"));
            prop_assert!(!body["slack"].as_str().unwrap().contains(['<', '>']));
        }
    }
}
