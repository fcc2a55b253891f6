//! Records as documents with the names of the Elastic Common Schema (ECS 9), each behind the line that says where it
//! goes and under which id.
//!
//! What a program names itself stays apart from the schema's names: its fields under `fields`, typed; the dimensions of
//! the process and of metrics under `labels`, as texts. A document over the limit goes as numbered parts of the record's
//! line (see [`crate::parts`]), a document each; those of metrics do not, they are small.

use std::borrow::Cow;

use super::names::{fields, labels};
use crate::backend::{Context, EncodeError};
use crate::chunk::{Items, parts};
use crate::encode::json;
use crate::model::{
    Audit, Body, CORRELATION_ID, Check, CheckStatus, Config, Distribution, Fields, Log, Metric, Points,
    Record, RecordId, SPAN_ID, Signal, Value,
};

/// Buckets of a histogram in one document: so many fit in a push of 32 KiB, however long their numbers.
const BUCKETS_MAX: usize = 500;
/// The percentiles of a histogram.
const PERCENTILES: [(&str, f64); 5] = [
    (",\"metric.p50\":", 0.5),
    (",\"metric.p90\":", 0.9),
    (",\"metric.p95\":", 0.95),
    (",\"metric.p99\":", 0.99),
    (",\"metric.p99_9\":", 0.999),
];

/// The kinds of record that documents are made of, and the name of each in its data stream.
const STREAMS: [(Signal, &str, &str); 5] = [
    (Signal::Metric, "metrics", ""),
    (Signal::Log, "logs", ""),
    (Signal::Audit, "logs", ".audit"),
    (Signal::Config, "logs", ".config"),
    (Signal::Check, "logs", ".check"),
];

/// What is the same in all documents of a kind.
#[derive(Clone, Default)]
struct Frame {
    /// The line before the document, up to the record's id.
    head: Vec<u8>,
    /// From behind the record's number to the end.
    tail: Vec<u8>,
}

/// Writes documents.
#[derive(Clone)]
pub(super) struct Documents {
    frames: [Frame; Signal::COUNT],
    ids: bool,
    histograms: bool,
    item_bytes_max: usize,
    context: Vec<(String, String)>,
    /// The process that wrote last, and how its ids begin.
    process: u64,
    prefix: Vec<u8>,
}

/// Why a document was not written.
enum Unwritten {
    TooLong,
}

impl Documents {
    pub(super) fn new(
        context: &Context,
        dataset: &str,
        namespace: &str,
        ids: bool,
        histograms: bool,
        item_bytes_max: usize,
    ) -> Documents {
        let mut frames: [Frame; Signal::COUNT] = Default::default();
        for (signal, kind, suffix) in STREAMS {
            let id = if ids { ",\"_id\":\"" } else { "}}" };
            let head = format!("{{\"create\":{{\"_index\":\"{kind}-{dataset}{suffix}-{namespace}\"{id}");
            let tail = tail(context, &format!("{dataset}{suffix}"), signal);
            frames[signal as usize] = Frame { head: head.into_bytes(), tail };
        }
        let prefix = format!("{:016x}-", context.process).into_bytes();
        Documents {
            frames,
            ids,
            histograms,
            item_bytes_max,
            context: context.dimensions.clone(),
            process: context.process,
            prefix,
        }
    }

    /// Writes a record as one document, or as more where one does not hold it.
    pub(super) fn write(&mut self, record: &Record<'_>, out: &mut Items) -> Result<(), EncodeError> {
        if record.id.process != self.process {
            self.process = record.id.process;
            self.prefix = format!("{:016x}-", self.process).into_bytes();
        }
        match &record.body {
            Body::Metric(body) => self.metric(record, body, out),
            Body::Log(body) => self.or_parts(record, out, |out| log(out, body)),
            Body::Audit(body) => self.or_parts(record, out, |out| audit(out, body)),
            Body::Config(body) => self.or_parts(record, out, |out| config(out, body)),
            Body::Check(body) => self.or_parts(record, out, |out| check(out, body)),
        }
    }

    fn or_parts(
        &self,
        record: &Record<'_>,
        out: &mut Items,
        body: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), EncodeError> {
        let written = out.push(|bytes| {
            let start = bytes.len();
            self.document(bytes, record, "", body);
            if bytes.len() - start > self.item_bytes_max { Err(Unwritten::TooLong) } else { Ok(()) }
        });
        match written {
            Ok(()) => Ok(()),
            Err(Unwritten::TooLong) => self.parts(record, out),
        }
    }

    /// The record's line in parts. Their ids have the limit in them: under another one, parts are others.
    #[cold]
    fn parts(&self, record: &Record<'_>, out: &mut Items) -> Result<(), EncodeError> {
        let mut line = Vec::new();
        json::line(&mut line, record, &self.context);
        let mut around = Vec::new();
        self.document(&mut around, record, &suffix(self.item_bytes_max, parts::PARTS_MAX), |out| {
            part(out, b"")
        });
        // A line of JSON has no control characters, so escaping doubles it at most.
        let room = self.item_bytes_max.saturating_sub(around.len()) / 2;
        let pieces = parts::split(record.id, &line, room).ok_or_else(|| {
            EncodeError(format!("a document of {} bytes has no room for parts", self.item_bytes_max))
        })?;
        for (piece, number) in pieces.zip(1..) {
            let suffix = suffix(self.item_bytes_max, number);
            out.push(|bytes| {
                self.document(bytes, record, &suffix, |out| part(out, &piece));
                Ok(())
            })?;
        }
        Ok(())
    }

    fn metric(&self, record: &Record<'_>, metric: &Metric<'_>, out: &mut Items) -> Result<(), EncodeError> {
        if metric.points.count() == 0 {
            return Ok(());
        }
        let values = match &metric.points {
            Points::Histogram(distribution) if self.histograms => distribution.values(),
            _ => Vec::new(),
        };
        let mut parts = values.chunks(BUCKETS_MAX);
        out.push(|bytes| {
            self.document(bytes, record, "", |out| {
                named(out, metric);
                points(out, &metric.points);
                parts.next().into_iter().for_each(|part| buckets(out, part));
            });
            Ok::<(), EncodeError>(())
        })?;
        for (part, number) in parts.zip(2..) {
            out.push(|bytes| {
                self.document(bytes, record, &format!(".{number}"), |out| {
                    named(out, metric);
                    buckets(out, part);
                });
                Ok::<(), EncodeError>(())
            })?;
        }
        Ok(())
    }

    /// The line before the document, and the document: what only this kind has is `body`'s.
    fn document(
        &self,
        out: &mut Vec<u8>,
        record: &Record<'_>,
        suffix: &str,
        body: impl FnOnce(&mut Vec<u8>),
    ) {
        let frame = &self.frames[record.signal() as usize];
        out.extend_from_slice(&frame.head);
        if self.ids {
            self.id(out, record.id);
            out.extend_from_slice(suffix.as_bytes());
            out.extend_from_slice(b"\"}}");
        }
        out.extend_from_slice(b"\n{\"@timestamp\":\"");
        json::time_rfc3339(out, record.time_ns);
        out.push(b'"');
        body(out);
        out.extend_from_slice(b",\"event.id\":\"");
        self.id(out, record.id);
        out.extend_from_slice(b"\",\"event.sequence\":");
        json::number_u64(out, record.id.seq);
        out.extend_from_slice(&frame.tail);
    }

    fn id(&self, out: &mut Vec<u8>, id: RecordId) {
        out.extend_from_slice(&self.prefix);
        json::number_u64(out, id.seq);
    }
}

fn suffix(item_bytes_max: usize, number: usize) -> String {
    format!(".{item_bytes_max}.{number}")
}

/// What is known of the process, and what all records of a kind are to the schema.
fn tail(context: &Context, dataset: &str, signal: Signal) -> Vec<u8> {
    let is_service = |(name, _): &&(String, String)| name.eq_ignore_ascii_case("service");
    let service = context.dimensions.iter().find(is_service).map_or(&context.namespace, |(_, value)| value);
    let kind = match signal {
        Signal::Metric => "\"event.kind\":\"metric\"",
        Signal::Log => "\"event.kind\":\"event\"",
        Signal::Audit => "\"event.kind\":\"event\",\"event.category\":[\"api\"],\"event.type\":[\"info\"]",
        Signal::Config => {
            "\"event.kind\":\"state\",\"event.category\":[\"configuration\"],\"event.type\":[\"info\"]"
        }
        Signal::Check => "\"event.kind\":\"state\",\"event.category\":[\"host\"],\"event.type\":[\"info\"]",
    };
    let mut out = format!(",{kind},\"event.dataset\":\"{dataset}\",\"ecs.version\":\"9.0.0\"").into_bytes();
    text(&mut out, ",\"service.name\":", service);
    text(&mut out, ",\"service.namespace\":", &context.namespace);
    text(&mut out, ",\"host.name\":", &context.host);
    if signal != Signal::Metric && !context.dimensions.is_empty() {
        out.extend_from_slice(b",\"labels\":");
        labels(&mut out, context.dimensions.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    }
    out.extend_from_slice(b"}\n");
    out
}

fn log(out: &mut Vec<u8>, log: &Log<'_>) {
    text(out, ",\"log.level\":", log.level.name());
    text(out, ",\"log.logger\":", &log.target);
    text(out, ",\"message\":", &log.message);
    if !log.file.is_empty() {
        text(out, ",\"log.origin.file.name\":", &log.file);
        if log.line > 0 {
            whole(out, ",\"log.origin.file.line\":", log.line.into());
        }
    }
    own(out, &log.fields);
}

fn audit(out: &mut Vec<u8>, audit: &Audit<'_>) {
    text(
        out,
        ",\"message\":",
        &format!("{} {} {}: {}", audit.actor, audit.action, audit.resource, audit.outcome),
    );
    text(out, ",\"user.name\":", &audit.actor);
    text(out, ",\"event.action\":", &audit.action);
    text(out, ",\"event.outcome\":", outcome(&audit.outcome));
    text(out, ",\"audit.resource\":", &audit.resource);
    text(out, ",\"audit.outcome\":", &audit.outcome);
    own(out, &audit.fields);
}

/// An outcome in the schema's three words.
fn outcome(said: &str) -> &'static str {
    let one_of = |words: &[&str]| words.iter().any(|word| said.eq_ignore_ascii_case(word));
    if one_of(&["ok", "success", "succeeded", "allowed", "done"]) {
        "success"
    } else if one_of(&["error", "failure", "failed", "denied", "refused", "forbidden"]) {
        "failure"
    } else {
        "unknown"
    }
}

fn config(out: &mut Vec<u8>, config: &Config<'_>) {
    text(out, ",\"message\":", &format!("{} {}", config.resource_type, config.resource_id));
    text(out, ",\"event.action\":", "configuration-recorded");
    text(out, ",\"config.resource_type\":", &config.resource_type);
    text(out, ",\"config.resource_id\":", &config.resource_id);
    own(out, &config.fields);
}

fn check(out: &mut Vec<u8>, check: &Check<'_>) {
    let (status, outcome) = match check.status {
        CheckStatus::Ok => ("ok", "success"),
        CheckStatus::Warning => ("warning", "failure"),
        CheckStatus::Critical => ("critical", "failure"),
        CheckStatus::Unknown => ("unknown", "unknown"),
    };
    text(out, ",\"message\":", &check.output);
    text(out, ",\"event.action\":", "check-ran");
    text(out, ",\"event.outcome\":", outcome);
    whole(out, ",\"event.severity\":", check.status as u64);
    text(out, ",\"check.name\":", &check.name);
    text(out, ",\"check.status\":", status);
    own(out, &check.fields);
}

/// A record's own fields, typed; what it was recorded for goes where the schema has it.
fn own(out: &mut Vec<u8>, all: &Fields<'_>) {
    let correlation = schemas(out, all, CORRELATION_ID, ",\"trace.id\":");
    let span = schemas(out, all, SPAN_ID, ",\"span.id\":");
    let mine = all
        .iter()
        .enumerate()
        .filter(|(index, _)| Some(*index) != correlation && Some(*index) != span)
        .map(|(_, (key, value))| (key.as_ref(), move |out: &mut Vec<u8>| typed(out, value)));
    if mine.clone().next().is_some() {
        out.extend_from_slice(b",\"fields\":");
        fields(out, mine);
    }
}

/// Writes the field of this key under the schema's name, if there is one, and says which it is.
fn schemas(out: &mut Vec<u8>, all: &Fields<'_>, key: &str, name: &str) -> Option<usize> {
    let is_it = |(other, value): &(Cow<'_, str>, Value<'_>)| other == key && matches!(value, Value::Str(_));
    let index = all.iter().position(is_it)?;
    if let Value::Str(id) = &all[index].1 {
        text(out, name, id);
    }
    Some(index)
}

/// A value as JSON. An integer that the servers' `long` does not hold would cost the document: it goes as text.
fn typed(out: &mut Vec<u8>, value: &Value<'_>) {
    match value {
        Value::U64(number) if i64::try_from(*number).is_err() => {
            out.push(b'"');
            json::number_u64(out, *number);
            out.push(b'"');
        }
        value => json::value(out, value),
    }
}

fn part(out: &mut Vec<u8>, piece: &[u8]) {
    // A piece of a line that is UTF-8 is cut between characters.
    text(out, ",\"tags\":[\"ops-part\"],\"message\":", &String::from_utf8_lossy(piece));
}

fn named(out: &mut Vec<u8>, metric: &Metric<'_>) {
    text(out, ",\"metric.name\":", &metric.name);
    text(out, ",\"metric.unit\":", metric.unit.name());
    whole(out, ",\"metric.window_ms\":", metric.window_ms.into());
    if !metric.dimensions.is_empty() {
        out.extend_from_slice(b",\"labels\":");
        labels(out, metric.dimensions.iter().map(|(name, value)| (name.as_ref(), value.as_ref())));
    }
}

#[allow(clippy::cast_precision_loss)] // a mean
fn points(out: &mut Vec<u8>, points: &Points) {
    match points {
        Points::Counter { sum } => {
            out.extend_from_slice(b",\"metric.kind\":\"counter\"");
            whole(out, ",\"metric.value\":", *sum);
            whole(out, ",\"metric.sum\":", *sum);
        }
        Points::Gauge { last, min, max, sum, count } => {
            out.extend_from_slice(b",\"metric.kind\":\"gauge\"");
            number(out, ",\"metric.value\":", *last);
            samples(out, *count, [*sum, *min, *max]);
        }
        Points::Histogram(distribution) => {
            out.extend_from_slice(b",\"metric.kind\":\"histogram\"");
            number(out, ",\"metric.value\":", distribution.sum / distribution.count as f64);
            histogram(out, distribution);
        }
    }
}

fn samples(out: &mut Vec<u8>, count: u64, [sum, min, max]: [f64; 3]) {
    whole(out, ",\"metric.count\":", count);
    number(out, ",\"metric.sum\":", sum);
    number(out, ",\"metric.min\":", min);
    number(out, ",\"metric.max\":", max);
}

fn histogram(out: &mut Vec<u8>, distribution: &Distribution) {
    samples(out, distribution.count, [distribution.sum, distribution.min, distribution.max]);
    for (name, share) in PERCENTILES {
        number(out, name, distribution.percentile(share));
    }
    if let Some(exemplar) = distribution.exemplar {
        text(out, ",\"trace.id\":", &format!("{exemplar:032x}"));
    }
}

/// Buckets as the field type `histogram` has them: values in rising order, and how many of each.
fn buckets(out: &mut Vec<u8>, part: &[(f64, u64)]) {
    for (index, (value, _)) in part.iter().enumerate() {
        number(out, if index == 0 { ",\"metric.histogram\":{\"values\":[" } else { "," }, *value);
    }
    for (index, (_, count)) in part.iter().enumerate() {
        whole(out, if index == 0 { "],\"counts\":[" } else { "," }, *count);
    }
    out.extend_from_slice(if part.is_empty() { b"" } else { b"]}" });
}

fn text(out: &mut Vec<u8>, key: &str, text: &str) {
    out.extend_from_slice(key.as_bytes());
    json::string(out, text);
}

fn whole(out: &mut Vec<u8>, key: &str, number: u64) {
    out.extend_from_slice(key.as_bytes());
    json::number_u64(out, number);
}

fn number(out: &mut Vec<u8>, key: &str, number: f64) {
    out.extend_from_slice(key.as_bytes());
    json::number_f64(out, number);
}
