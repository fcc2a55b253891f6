//! One JSON object for any record.

use super::digits::hex;
use super::escape::inside;
use super::keys::{Names, Reserved, are_distinct};
use super::prepared;
use super::{number_f64, number_u64, string, time_rfc3339, value};
use crate::model::{
    Audit, Body, Check, CheckStatus, Config, Distribution, Fields, Level, Log, Metric, Points, Record,
    RecordId,
};

/// The members that a line of each kind keeps for itself.
const LOG_KEYS: &Reserved = &Reserved::new(&["time", "level", "target", "message", "id", "file"]);
const AUDIT_KEYS: &Reserved =
    &Reserved::new(&["time", "signal", "actor", "action", "resource", "outcome", "id"]);
const CONFIG_KEYS: &Reserved = &Reserved::new(&["time", "signal", "resource_type", "resource_id", "id"]);
const CHECK_KEYS: &Reserved = &Reserved::new(&["time", "signal", "name", "status", "output", "id"]);

/// The percentiles of a histogram that a line tells.
const PERCENTILES: [(&str, f64); 5] =
    [("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99), ("p99.9", 0.999)];

/// Appends a record as one JSON object, without a newline.
///
/// A log event becomes
/// `{"time":"…","level":"INFO","target":"shop","message":"charged 12","amount":12,"Service":"checkout","id":"…","file":"src/x.rs:10"}`:
/// its fields and then `context` (the dimensions of the process) are members like any other. Every other kind says
/// what it is in `"signal"`; a metric has its dimensions, which hold the context already, in `"dimensions"`.
///
/// A key is never there twice. A field whose key the line keeps for itself, or the context has, becomes `fields.key`;
/// a context key that the line keeps becomes `context.key`; a key that is repeated gets a number: `key.2`.
pub fn line(out: &mut Vec<u8>, record: &Record<'_>, context: &[(String, String)]) {
    if let Body::Log(body) = &record.body {
        return log(out, record, body, context);
    }
    let mut object = Object::new(out);
    let out = object.own("time");
    out.push(b'"');
    time_rfc3339(out, record.time_ns);
    out.push(b'"');
    match &record.body {
        Body::Metric(body) => metric(&mut object, body),
        Body::Log(_) => {}
        Body::Audit(body) => audit(&mut object, body, context),
        Body::Config(body) => config(&mut object, body, context),
        Body::Check(body) => check(&mut object, body, context),
    }
    process(object.out, record.id);
    number_u64(object.out, record.id.seq);
    object.out.push(b'"');
    object.end();
}

/// A log event, of which there are most: what stands between its values is written together with their quotes.
fn log(out: &mut Vec<u8>, record: &Record<'_>, log: &Log<'_>, context: &[(String, String)]) {
    if prepared::line(out, record, log, context, |parts| prepare(parts, log, context)) {
        return;
    }
    out.extend_from_slice(b"{\"time\":\"");
    time_rfc3339(out, record.time_ns);
    out.push(b'"');
    level(out, log);
    inside(out, &log.message);
    out.push(b'"');
    members(&mut Object { out, empty: false }, LOG_KEYS, &log.fields, context);
    process(out, record.id);
    number_u64(out, record.id.seq);
    out.push(b'"');
    place(out, log);
    out.push(b'}');
}

/// The keys of fields and what follows them, for lines that have them in common. Says false if they collide.
fn prepare(parts: &mut prepared::Parts<'_>, log: &Log<'_>, context: &[(String, String)]) -> bool {
    let distinct = are_distinct(LOG_KEYS, keys(&log.fields, context));
    log.fields.iter().for_each(|(key, _)| parts.key(key));
    let mut object = Object { out: parts.text(), empty: false };
    context.iter().for_each(|(key, text)| string(object.key(key), text));
    distinct
}

/// The level, the target, and the message's name and first quote.
pub(super) fn level(out: &mut Vec<u8>, log: &Log<'_>) {
    out.extend_from_slice(match log.level {
        Level::Error => b",\"level\":\"ERROR\",\"target\":\"",
        Level::Warn => b",\"level\":\"WARN\",\"target\":\"",
        Level::Info => b",\"level\":\"INFO\",\"target\":\"",
        Level::Debug => b",\"level\":\"DEBUG\",\"target\":\"",
        Level::Trace => b",\"level\":\"TRACE\",\"target\":\"",
    });
    inside(out, &log.target);
    out.extend_from_slice(b"\",\"message\":\"");
}

/// Appends an id as it displays, without the formatter's detours: every line has one.
#[cfg(any(feature = "cloudsearch", feature = "webhook"))]
pub(crate) fn id(out: &mut Vec<u8>, id: RecordId) {
    id_process(out, id);
    number_u64(out, id.seq);
}

/// The member `id` up to its number.
pub(super) fn process(out: &mut Vec<u8>, id: RecordId) {
    out.extend_from_slice(b",\"id\":\"");
    id_process(out, id);
}

#[allow(clippy::cast_possible_truncation)] // halves
fn id_process(out: &mut Vec<u8>, id: RecordId) {
    let [high, low] = [id.process >> 32, id.process & 0xffff_ffff].map(|half| hex(half as u32).to_le_bytes());
    out.extend_from_slice(&high);
    out.extend_from_slice(&low);
    out.push(b'-');
}

/// Where a log event was written in the source, as editors and terminals open it: `src/x.rs:10`.
pub(super) fn place(out: &mut Vec<u8>, log: &Log<'_>) {
    if log.file.is_empty() {
        return;
    }
    out.extend_from_slice(b",\"file\":\"");
    inside(out, &log.file);
    if log.line > 0 {
        out.push(b':');
        number_u64(out, log.line.into());
    }
    out.push(b'"');
}

fn audit(object: &mut Object<'_>, audit: &Audit<'_>, context: &[(String, String)]) {
    string(object.own("signal"), "audit");
    string(object.own("actor"), &audit.actor);
    string(object.own("action"), &audit.action);
    string(object.own("resource"), &audit.resource);
    string(object.own("outcome"), &audit.outcome);
    members(object, AUDIT_KEYS, &audit.fields, context);
}

fn config(object: &mut Object<'_>, config: &Config<'_>, context: &[(String, String)]) {
    string(object.own("signal"), "config");
    string(object.own("resource_type"), &config.resource_type);
    string(object.own("resource_id"), &config.resource_id);
    members(object, CONFIG_KEYS, &config.fields, context);
}

fn check(object: &mut Object<'_>, check: &Check<'_>, context: &[(String, String)]) {
    let status = match check.status {
        CheckStatus::Ok => "ok",
        CheckStatus::Warning => "warning",
        CheckStatus::Critical => "critical",
        CheckStatus::Unknown => "unknown",
    };
    string(object.own("signal"), "check");
    string(object.own("name"), &check.name);
    string(object.own("status"), status);
    string(object.own("output"), &check.output);
    members(object, CHECK_KEYS, &check.fields, context);
}

fn metric(object: &mut Object<'_>, metric: &Metric<'_>) {
    string(object.own("signal"), "metric");
    string(object.own("name"), &metric.name);
    string(object.own("unit"), metric.unit.name());
    number_u64(object.own("resolution_s"), metric.resolution as u64);
    number_u64(object.own("window_ms"), metric.window_ms.into());
    dimensions(object.own("dimensions"), metric);
    match &metric.points {
        Points::Counter { sum } => {
            string(object.own("kind"), "counter");
            number_u64(object.own("sum"), *sum);
        }
        Points::Gauge { last, min, max, sum, count } => {
            string(object.own("kind"), "gauge");
            number_f64(object.own("last"), *last);
            samples(object, *count, [*sum, *min, *max]);
        }
        Points::Histogram(distribution) => histogram(object, distribution),
    }
}

fn histogram(object: &mut Object<'_>, distribution: &Distribution) {
    string(object.own("kind"), "histogram");
    samples(object, distribution.count, [distribution.sum, distribution.min, distribution.max]);
    for (name, share) in PERCENTILES {
        number_f64(object.own(name), distribution.percentile(share));
    }
    if let Some(exemplar) = distribution.exemplar {
        string(object.own("exemplar"), &format!("{exemplar:032x}"));
    }
}

fn samples(object: &mut Object<'_>, count: u64, [sum, min, max]: [f64; 3]) {
    number_u64(object.own("count"), count);
    number_f64(object.own("sum"), sum);
    number_f64(object.own("min"), min);
    number_f64(object.own("max"), max);
}

fn dimensions(out: &mut Vec<u8>, metric: &Metric<'_>) {
    let distinct = are_distinct(&Reserved::new(&[]), metric.dimensions.iter().map(|(key, _)| key.as_ref()));
    let mut object = Object::new(out);
    let mut names = Names::new(&[]);
    for (key, dimension) in &metric.dimensions {
        if distinct {
            string(object.key(key), dimension);
        } else {
            string(object.key(&names.give(key, "")), dimension);
        }
    }
    object.end();
}

/// The keys of the fields, and then those of the context.
fn keys<'k>(
    fields: &'k Fields<'_>,
    context: &'k [(String, String)],
) -> impl Iterator<Item = &'k str> + Clone {
    let own = fields.iter().map(|(key, _)| key.as_ref());
    own.chain(context.iter().map(|(key, _)| key.as_str()))
}

/// The fields, and then the context.
fn members(object: &mut Object<'_>, reserved: &Reserved, fields: &Fields<'_>, context: &[(String, String)]) {
    if are_distinct(reserved, keys(fields, context)) {
        fields.iter().for_each(|(key, field)| value(object.key(key), field));
        context.iter().for_each(|(key, text)| string(object.key(key), text));
    } else {
        colliding_members(object, reserved, fields, context);
    }
}

/// The same where keys collide: the context has its names first, so that a field cannot take the process's own.
fn colliding_members(
    object: &mut Object<'_>,
    reserved: &Reserved,
    fields: &Fields<'_>,
    context: &[(String, String)],
) {
    let mut names = Names::new(reserved.keys);
    let context_names: Vec<_> = context.iter().map(|(key, _)| names.give(key, "context.")).collect();
    let kept: Vec<&str> =
        reserved.keys.iter().copied().chain(context_names.iter().map(AsRef::as_ref)).collect();
    let mut names = Names::new(&kept);
    for (key, field) in fields {
        value(object.key(&names.give(key, "fields.")), field);
    }
    for (name, (_, text)) in context_names.iter().zip(context) {
        string(object.key(name), text);
    }
}

/// An object that is being written.
struct Object<'o> {
    out: &'o mut Vec<u8>,
    empty: bool,
}

impl<'o> Object<'o> {
    fn new(out: &'o mut Vec<u8>) -> Object<'o> {
        out.push(b'{');
        Object { out, empty: true }
    }

    /// Begins a member of any key; the caller writes its value.
    #[inline]
    fn key(&mut self, key: &str) -> &mut Vec<u8> {
        self.open();
        inside(self.out, key);
        self.out.extend_from_slice(b"\":");
        self.out
    }

    /// Begins a member of one of the line's own keys, which need no escaping; the caller writes its value.
    #[inline]
    fn own(&mut self, key: &'static str) -> &mut Vec<u8> {
        self.open();
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.out
    }

    #[inline]
    fn open(&mut self) {
        self.out.extend_from_slice(if self.empty { b"\"" } else { b",\"" });
        self.empty = false;
    }

    fn end(self) {
        self.out.push(b'}');
    }
}
