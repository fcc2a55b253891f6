//! Records as documents of a search domain.
//!
//! A domain knows its fields beforehand. Ours have names of their own; those of programs end in their type, so that
//! three dynamic fields of the domain take them all: `*_i` (`int`), `*_d` (`double`), `*_s` (`literal`).

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::backend::{Context, EncodeError};
use crate::encode::json;
use crate::model::{Audit, Body, Fields, Log, Record, Value};

/// Fields of one document ("Amazon CloudSearch Limits": 200 index fields of a domain).
const FIELDS_MAX: usize = 200;
/// Fields of ours, at most.
const OWN_MAX: usize = 12;
/// Up to this many names are compared each with each.
const FEW: usize = 32;
/// Characters of a field's name (`cloudsearch/2013-01-01`, `DynamicFieldName`: 64), its ending left out.
const NAME_MAX: usize = 60;

/// Writes documents.
pub(super) struct Documents {
    /// What is known of the process: the end of every document.
    tail: Vec<u8>,
    taken: Vec<String>,
}

impl Documents {
    pub(super) fn new(context: &Context) -> Documents {
        let mut tail = Vec::new();
        text(&mut tail, ",\"host\":", &context.host);
        text(&mut tail, ",\"namespace\":", &context.namespace);
        let mut taken = BTreeSet::new();
        for (name, value) in &context.dimensions {
            let name = free(&mut taken, &fit(name), "_s");
            text(&mut tail, &format!(",\"{name}\":"), value);
        }
        tail.extend_from_slice(b"}}");
        Documents { tail, taken: taken.into_iter().collect() }
    }

    /// Appends the addition of a document.
    pub(super) fn write(&self, out: &mut Vec<u8>, record: &Record<'_>) -> Result<(), EncodeError> {
        let fields = match &record.body {
            Body::Log(body) => &body.fields,
            Body::Audit(body) => &body.fields,
            _ => {
                let why = format!("CloudSearch is not sent {} records", record.signal());
                return Err(EncodeError(why));
            }
        };
        if fields.len() + self.taken.len() + OWN_MAX > FIELDS_MAX {
            return Err(EncodeError(format!("{} fields; a CloudSearch domain has 200", fields.len())));
        }
        out.extend_from_slice(b"{\"type\":\"add\",\"id\":\"");
        json::id(out, record.id);
        out.extend_from_slice(b"\",\"fields\":{\"time\":\"");
        json::time_rfc3339(out, record.time_ns);
        // The type `date` has milliseconds.
        out.truncate(out.len() - "456Z".len());
        out.extend_from_slice(b"Z\"");
        match &record.body {
            Body::Log(body) => log(out, body),
            Body::Audit(body) => audit(out, body),
            _ => {}
        }
        self.own(out, fields);
        out.extend_from_slice(&self.tail);
        Ok(())
    }

    fn own(&self, out: &mut Vec<u8>, fields: &Fields<'_>) {
        if self.stay(fields) {
            for (name, value) in fields {
                let Some(ending) = ending(value) else { continue };
                out.extend_from_slice(b",\"");
                out.extend_from_slice(name.as_bytes());
                out.extend_from_slice(ending.as_bytes());
                out.extend_from_slice(b"\":");
                own_value(out, value, ending);
            }
            return;
        }
        let mut taken: BTreeSet<String> = self.taken.iter().cloned().collect();
        for (name, value) in fields {
            let Some(ending) = ending(value) else { continue };
            let key = format!(",\"{}\":", free(&mut taken, &fit(name), ending));
            out.extend_from_slice(key.as_bytes());
            own_value(out, value, ending);
        }
    }

    /// Whether all these names stay as they are, which is told without allocating. All endings are of one length, so names
    /// that differ do so with their endings, too.
    fn stay(&self, fields: &Fields<'_>) -> bool {
        let is_taken = |name: &str| self.taken.iter().any(|taken| taken.strip_suffix("_s") == Some(name));
        fields.iter().enumerate().all(|(at, (name, _))| {
            at < FEW && fits(name) && !is_taken(name) && fields[..at].iter().all(|(before, _)| before != name)
        })
    }
}

/// What the key of such a value ends in. The service takes no null, and a document without the field says as much.
fn ending(value: &Value<'_>) -> Option<&'static str> {
    match value {
        Value::Null => None,
        Value::I64(_) => Some("_i"),
        Value::U64(number) if i64::try_from(*number).is_ok() => Some("_i"),
        Value::F64(number) if number.is_finite() => Some("_d"),
        _ => Some("_s"),
    }
}

/// A value as its field takes it.
fn own_value(out: &mut Vec<u8>, value: &Value<'_>, ending: &str) {
    match value {
        Value::Str(value) => json::string(out, &legal(value)),
        Value::Bool(value) => json::string(out, if *value { "true" } else { "false" }),
        Value::U64(number) if ending == "_s" => json::string(out, &number.to_string()),
        value => json::value(out, value),
    }
}

fn log(out: &mut Vec<u8>, log: &Log<'_>) {
    text(out, ",\"signal\":", "log");
    text(out, ",\"level\":", log.level.name());
    text(out, ",\"target\":", &log.target);
    text(out, ",\"message\":", &log.message);
    if !log.file.is_empty() {
        text(out, ",\"file\":", &log.file);
        out.extend_from_slice(b",\"line\":");
        json::number_u64(out, log.line.into());
    }
}

fn audit(out: &mut Vec<u8>, audit: &Audit<'_>) {
    text(out, ",\"signal\":", "audit");
    text(out, ",\"actor\":", &audit.actor);
    text(out, ",\"action\":", &audit.action);
    text(out, ",\"resource\":", &audit.resource);
    text(out, ",\"outcome\":", &audit.outcome);
}

/// A member with a text.
fn text(out: &mut Vec<u8>, key: &str, text: &str) {
    out.extend_from_slice(key.as_bytes());
    json::string(out, &legal(text));
}

/// The text with what XML 1.0 has no place for, which the service refuses in JSON too, replaced by U+FFFD.
fn legal(text: &str) -> Cow<'_, str> {
    let is_illegal = |c: char| matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}');
    // All of them begin with a byte below 0x20 or, in UTF-8, with 0xef.
    let may_be = text.bytes().fold(false, |any, byte| any | (byte < 0x20) | (byte == 0xef));
    if may_be && text.chars().any(is_illegal) {
        Cow::Owned(text.replace(is_illegal, "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// Whether a name stays as it is.
fn fits(name: &str) -> bool {
    let begins_well = name.bytes().next().is_some_and(|first| first.is_ascii_lowercase());
    begins_well && name.len() <= NAME_MAX - 8 && name.bytes().all(|byte| is_fit(byte.into()))
}

fn is_fit(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'
}

/// A name as the service takes it: a letter, then letters, digits and `_`, all of them small.
fn fit(name: &str) -> String {
    let small = name.chars().map(|c| c.to_ascii_lowercase());
    let mut fitted: String = small.map(|c| if is_fit(c) { c } else { '_' }).take(NAME_MAX - 8).collect();
    if !fitted.starts_with(|c: char| c.is_ascii_lowercase()) {
        fitted.insert(0, 'x');
    }
    fitted
}

/// This name with its ending, told apart by a number from those given before.
fn free(taken: &mut BTreeSet<String>, name: &str, ending: &str) -> String {
    let numbered = (2_u32..).map(|number| format!("{name}_{number}{ending}"));
    let mut tries = std::iter::once(format!("{name}{ending}")).chain(numbered);
    let free = tries.find(|name| !taken.contains(name)).unwrap_or_default();
    taken.insert(free.clone());
    free
}
