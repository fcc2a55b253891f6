//! What a template can say of a record: its name, its status, its words, and where it came from.

use std::borrow::Cow;

use crate::backend::Context;
use crate::encode::json;
use crate::model::{Body, CheckStatus, Fields, Level, Record, Value};

/// What a placeholder names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Id,
    Time,
    TimeS,
    TimeMs,
    Signal,
    Name,
    Status,
    Code,
    Level,
    Output,
    Host,
    Namespace,
    Process,
    Fields,
    Dimensions,
    /// One of the record's own fields.
    Field(String),
}

/// Placeholders by name.
const PLACES: [(&str, Place); 15] = [
    ("id", Place::Id),
    ("time", Place::Time),
    ("time_s", Place::TimeS),
    ("time_ms", Place::TimeMs),
    ("signal", Place::Signal),
    ("name", Place::Name),
    ("status", Place::Status),
    ("code", Place::Code),
    ("level", Place::Level),
    ("output", Place::Output),
    ("host", Place::Host),
    ("namespace", Place::Namespace),
    ("process", Place::Process),
    ("fields", Place::Fields),
    ("dimensions", Place::Dimensions),
];

impl Place {
    /// The place of this name, `field.KEY` included.
    pub(super) fn named(name: &str) -> Option<Place> {
        if let Some(key) = name.strip_prefix("field.").filter(|key| !key.is_empty()) {
            return Some(Place::Field(key.to_owned()));
        }
        PLACES.iter().find(|(own, _)| *own == name).map(|(_, place)| place.clone())
    }

    /// Every name that a placeholder may have, for messages.
    pub(super) fn names() -> String {
        let names: Vec<&str> = PLACES.iter().map(|(name, _)| *name).collect();
        format!("{}, field.KEY", names.join(", "))
    }

    /// Whether all records of the process say the same there.
    pub(super) fn is_origin(&self) -> bool {
        matches!(self, Place::Host | Place::Namespace | Place::Process | Place::Dimensions)
    }
}

/// What is the same for all records of the process.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    host: String,
    namespace: String,
    process: String,
    dimensions: Vec<(String, String)>,
}

impl Origin {
    pub(super) fn of(context: &Context) -> Origin {
        Origin {
            host: context.host.clone(),
            namespace: context.namespace.clone(),
            process: format!("{:016x}", context.process),
            dimensions: context.dimensions.clone(),
        }
    }
}

/// One record, and where it came from.
pub(super) struct Said<'a> {
    record: &'a Record<'a>,
    origin: &'a Origin,
    name: &'a str,
    output: &'a str,
    status: CheckStatus,
    fields: &'a Fields<'a>,
}

impl<'a> Said<'a> {
    /// What a check says, or an error, which is taken for a critical one; `None` of other records.
    pub(super) fn of(record: &'a Record<'a>, origin: &'a Origin) -> Option<Said<'a>> {
        let (name, output, status, fields) = match &record.body {
            Body::Check(check) => (&check.name, &check.output, check.status, &check.fields),
            Body::Log(log) => (&log.target, &log.message, as_status(log.level), &log.fields),
            _ => return None,
        };
        Some(Said { record, origin, name, output, status, fields })
    }

    /// What a place says, as text within a string.
    pub(super) fn text(&self, place: &Place) -> Cow<'_, str> {
        match place {
            Place::Signal => self.record.signal().name().into(),
            Place::Name => self.name.into(),
            Place::Status => as_text(self.status).into(),
            Place::Level => as_level(self.status).name().into(),
            Place::Output => self.output.into(),
            Place::Host => self.origin.host.as_str().into(),
            Place::Namespace => self.origin.namespace.as_str().into(),
            Place::Process => self.origin.process.as_str().into(),
            Place::Id => written(|out| json::id(out, self.record.id)).into(),
            Place::Time => written(|out| json::time_rfc3339(out, self.record.time_ns)).into(),
            Place::Field(key) => match self.field(key) {
                Some(Value::Str(text)) => text.as_ref().into(),
                Some(Value::Null) | None => "".into(),
                Some(other) => written(|out| json::value(out, other)).into(),
            },
            other => written(|out| self.value(out, other)).into(),
        }
    }

    /// Appends what a place says as a value of its own.
    pub(super) fn value(&self, out: &mut Vec<u8>, place: &Place) {
        match place {
            Place::TimeS => json::number_u64(out, self.record.time_ns / 1_000_000_000),
            Place::TimeMs => json::number_u64(out, self.record.time_ms()),
            Place::Code => json::number_u64(out, self.status as u64),
            Place::Fields => {
                let fields = self.fields.iter().map(|(key, value)| (key.as_ref(), value));
                object(out, fields, json::value);
            }
            Place::Dimensions => {
                let all = self.origin.dimensions.iter().map(|(key, value)| (key.as_str(), value.as_str()));
                object(out, all, json::string);
            }
            Place::Field(key) => json::value(out, self.field(key).unwrap_or(&Value::Null)),
            Place::Id => quoted(out, |out| json::id(out, self.record.id)),
            Place::Time => quoted(out, |out| json::time_rfc3339(out, self.record.time_ns)),
            other => json::string(out, &self.text(other)),
        }
    }

    fn field(&self, key: &str) -> Option<&Value<'a>> {
        self.fields.iter().find(|(own, _)| own == key).map(|(_, value)| value)
    }
}

/// Appends an object. Of a key that is there twice the first counts, as for `{field.KEY}`.
fn object<'k, V>(
    out: &mut Vec<u8>,
    members: impl Iterator<Item = (&'k str, V)> + Clone,
    write: impl Fn(&mut Vec<u8>, V),
) {
    out.push(b'{');
    let all = members.clone();
    for (at, (key, value)) in members.enumerate() {
        if all.clone().take(at).any(|(before, _)| before == key) {
            continue;
        }
        if at > 0 {
            out.push(b',');
        }
        json::string(out, key);
        out.push(b':');
        write(out, value);
    }
    out.push(b'}');
}

/// Appends what has nothing to escape as a string.
fn quoted(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    out.push(b'"');
    write(out);
    out.push(b'"');
}

fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8(out).unwrap_or_default()
}

fn as_text(status: CheckStatus) -> &'static str {
    match status {
        CheckStatus::Ok => "OK",
        CheckStatus::Warning => "WARNING",
        CheckStatus::Critical => "CRITICAL",
        CheckStatus::Unknown => "UNKNOWN",
    }
}

fn as_status(level: Level) -> CheckStatus {
    match level {
        Level::Error => CheckStatus::Critical,
        Level::Warn => CheckStatus::Warning,
        Level::Info | Level::Debug | Level::Trace => CheckStatus::Ok,
    }
}

fn as_level(status: CheckStatus) -> Level {
    match status {
        CheckStatus::Ok => Level::Info,
        CheckStatus::Warning | CheckStatus::Unknown => Level::Warn,
        CheckStatus::Critical => Level::Error,
    }
}
