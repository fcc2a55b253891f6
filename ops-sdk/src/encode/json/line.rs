//! One JSON object for any record.

use super::atom::hex;
use super::keys::{Names, are_distinct};
use super::{number_f64, number_u64, string, time_rfc3339, value};
use crate::model::{
    Audit, Body, Check, CheckStatus, Config, Distribution, Fields, Log, Metric, Points, Record, RecordId,
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
    time(object.own("time"), record.time_ns);
    match &record.body {
        Body::Metric(body) => metric(&mut object, body),
        Body::Log(body) => log(&mut object, body, context),
        Body::Audit(body) => audit(&mut object, body, context),
        Body::Config(body) => config(&mut object, body, context),
        Body::Check(body) => check(&mut object, body, context),
    }
    id(object.own("id"), record.id);
    if let Body::Log(log) = &record.body {
        file(&mut object, log);
    }
    object.end();
}

fn log(object: &mut Object<'_>, log: &Log<'_>, context: &[(String, String)]) {
    string(object.own("level"), log.level.name());
    string(object.own("target"), &log.target);
    string(object.own("message"), &log.message);
    members(object, LOG_KEYS, &log.fields, context);
}

fn time(out: &mut Vec<u8>, time_ns: u64) {
    out.push(b'"');
    time_rfc3339(out, time_ns);
    out.push(b'"');
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
    if log.file.is_empty() {
        return;
    }
    let out = object.own("file");
    string(out, &log.file);
    if log.line > 0 {
        out.pop(); // the closing quote
        out.push(b':');
        number_u64(out, log.line.into());
        out.push(b'"');
    }
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
    let distinct = are_distinct(&[], metric.dimensions.iter().map(|(key, _)| key.as_ref()));
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

/// The fields, and then the context.
fn members(object: &mut Object<'_>, reserved: &[&str], fields: &Fields<'_>, context: &[(String, String)]) {
    let count = fields.len() + context.len();
    let key = |index: usize| match fields.get(index) {
        Some((key, _)) => key.as_ref(),
        None => context[index - fields.len()].0.as_str(),
    };
    if are_distinct(reserved, (0..count).map(key)) {
        fields.iter().for_each(|(key, field)| value(object.key(key), field));
        context.iter().for_each(|(key, text)| string(object.key(key), text));
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
    fn key(&mut self, key: &str) -> &mut Vec<u8> {
        self.comma();
        string(self.out, key);
        self.out.push(b':');
        self.out
    }

    /// Begins a member of one of the line's own keys, which need no escaping; the caller writes its value.
    fn own(&mut self, key: &'static str) -> &mut Vec<u8> {
        self.comma();
        self.out.push(b'"');
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.out
    }

    fn comma(&mut self) {
        if !self.empty {
            self.out.push(b',');
        }
        self.empty = false;
    }

    fn end(self) {
        self.out.push(b'}');
    }
}
