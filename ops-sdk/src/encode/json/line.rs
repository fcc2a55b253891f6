//! One JSON object for any record.

use super::atom::hex;
use super::keys::{Names, are_distinct};
use super::{number_f64, number_u64, string, time_rfc3339, value};
use crate::model::{
    Audit, Body, Check, CheckStatus, Config, Distribution, Fields, Log, Metric, Points, Record, RecordId,
    Value,
};

/// The members that a line of each kind keeps for itself.
const LOG_KEYS: &[&str] = &["time", "level", "target", "message", "id", "file"];
const AUDIT_KEYS: &[&str] = &["time", "signal", "actor", "action", "resource", "outcome", "id"];
const CONFIG_KEYS: &[&str] = &["time", "signal", "resource_type", "resource_id", "id"];
const CHECK_KEYS: &[&str] = &["time", "signal", "name", "status", "output", "id"];

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
    let mut object = Object::new(out);
    object.key("time");
    object.out.push(b'"');
    time_rfc3339(object.out, record.time_ns);
    object.out.push(b'"');
    match &record.body {
        Body::Metric(body) => metric(&mut object, body),
        Body::Log(body) => log(&mut object, body, context),
        Body::Audit(body) => audit(&mut object, body, context),
        Body::Config(body) => config(&mut object, body, context),
        Body::Check(body) => check(&mut object, body, context),
    }
    object.key("id");
    id(object.out, record.id);
    if let Body::Log(log) = &record.body {
        file(&mut object, log);
    }
    object.end();
}

fn log(object: &mut Object<'_>, log: &Log<'_>, context: &[(String, String)]) {
    object.string("level", log.level.name());
    object.string("target", &log.target);
    object.string("message", &log.message);
    members(object, LOG_KEYS, &log.fields, context);
}

/// The id as it displays, without the formatter's detours: every line has one.
fn id(out: &mut Vec<u8>, id: RecordId) {
    out.push(b'"');
    out.extend(id.process.to_be_bytes().into_iter().flat_map(hex));
    out.push(b'-');
    number_u64(out, id.seq);
    out.push(b'"');
}

/// Where a log event was written in the source, as editors and terminals open it: `src/x.rs:10`.
fn file(object: &mut Object<'_>, log: &Log<'_>) {
    match (log.file.is_empty(), log.line) {
        (true, _) => {}
        (false, 0) => object.string("file", &log.file),
        (false, line) => {
            object.string("file", &log.file);
            object.out.pop(); // the closing quote
            object.out.push(b':');
            number_u64(object.out, line.into());
            object.out.push(b'"');
        }
    }
}

fn audit(object: &mut Object<'_>, audit: &Audit<'_>, context: &[(String, String)]) {
    object.string("signal", "audit");
    object.string("actor", &audit.actor);
    object.string("action", &audit.action);
    object.string("resource", &audit.resource);
    object.string("outcome", &audit.outcome);
    members(object, AUDIT_KEYS, &audit.fields, context);
}

fn config(object: &mut Object<'_>, config: &Config<'_>, context: &[(String, String)]) {
    object.string("signal", "config");
    object.string("resource_type", &config.resource_type);
    object.string("resource_id", &config.resource_id);
    members(object, CONFIG_KEYS, &config.fields, context);
}

fn check(object: &mut Object<'_>, check: &Check<'_>, context: &[(String, String)]) {
    let status = match check.status {
        CheckStatus::Ok => "ok",
        CheckStatus::Warning => "warning",
        CheckStatus::Critical => "critical",
        CheckStatus::Unknown => "unknown",
    };
    object.string("signal", "check");
    object.string("name", &check.name);
    object.string("status", status);
    object.string("output", &check.output);
    members(object, CHECK_KEYS, &check.fields, context);
}

fn metric(object: &mut Object<'_>, metric: &Metric<'_>) {
    object.string("signal", "metric");
    object.string("name", &metric.name);
    object.string("unit", metric.unit.name());
    object.u64("resolution_s", metric.resolution as u64);
    object.u64("window_ms", metric.window_ms.into());
    object.key("dimensions");
    dimensions(object.out, metric);
    match &metric.points {
        Points::Counter { sum } => {
            object.string("kind", "counter");
            object.u64("sum", *sum);
        }
        Points::Gauge { last, min, max, sum, count } => {
            object.string("kind", "gauge");
            object.f64("last", *last);
            samples(object, *count, [*sum, *min, *max]);
        }
        Points::Histogram(distribution) => histogram(object, distribution),
    }
}

fn histogram(object: &mut Object<'_>, distribution: &Distribution) {
    object.string("kind", "histogram");
    samples(object, distribution.count, [distribution.sum, distribution.min, distribution.max]);
    for (name, share) in PERCENTILES {
        object.f64(name, distribution.percentile(share));
    }
}

fn samples(object: &mut Object<'_>, count: u64, [sum, min, max]: [f64; 3]) {
    object.u64("count", count);
    object.f64("sum", sum);
    object.f64("min", min);
    object.f64("max", max);
}

fn dimensions(out: &mut Vec<u8>, metric: &Metric<'_>) {
    let distinct = are_distinct(&[], metric.dimensions.iter().map(|(key, _)| key.as_ref()));
    let mut object = Object::new(out);
    let mut names = Names::new(&[]);
    for (key, dimension) in &metric.dimensions {
        if distinct {
            object.string(key, dimension);
        } else {
            object.string(&names.give(key, ""), dimension);
        }
    }
    object.end();
}

/// The fields, and then the context.
fn members(object: &mut Object<'_>, reserved: &[&str], fields: &Fields<'_>, context: &[(String, String)]) {
    let count = fields.len() + context.len();
    let key = |index: usize| match fields.get(index) {
        Some((key, _)) => key.as_ref(),
        None => context[index - fields.len()].0.as_str(),
    };
    if are_distinct(reserved, (0..count).map(key)) {
        fields.iter().for_each(|(key, field)| object.value(key, field));
        context.iter().for_each(|(key, text)| object.string(key, text));
    } else {
        colliding_members(object, reserved, fields, context);
    }
}

/// The same where keys collide: the context has its names first, so that a field cannot take the process's own.
fn colliding_members(
    object: &mut Object<'_>,
    reserved: &[&str],
    fields: &Fields<'_>,
    context: &[(String, String)],
) {
    let mut names = Names::new(reserved);
    let context_names: Vec<_> = context.iter().map(|(key, _)| names.give(key, "context.")).collect();
    let kept: Vec<&str> = reserved.iter().copied().chain(context_names.iter().map(AsRef::as_ref)).collect();
    let mut names = Names::new(&kept);
    for (key, field) in fields {
        object.value(&names.give(key, "fields."), field);
    }
    for (name, (_, text)) in context_names.iter().zip(context) {
        object.string(name, text);
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

    fn key(&mut self, key: &str) {
        if !self.empty {
            self.out.push(b',');
        }
        self.empty = false;
        string(self.out, key);
        self.out.push(b':');
    }

    fn string(&mut self, key: &str, text: &str) {
        self.key(key);
        string(self.out, text);
    }

    fn value(&mut self, key: &str, field: &Value<'_>) {
        self.key(key);
        value(self.out, field);
    }

    fn u64(&mut self, key: &str, number: u64) {
        self.key(key);
        number_u64(self.out, number);
    }

    fn f64(&mut self, key: &str, number: f64) {
        self.key(key);
        number_f64(self.out, number);
    }

    fn end(self) {
        self.out.push(b'}');
    }
}
