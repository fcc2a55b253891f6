//! Records as documents with the names of the Elastic Common Schema (ECS 9), each behind the line that says where it
//! goes and under which id.
//!
//! What a program names itself stays apart from the schema's names: its fields under `fields`, typed; the dimensions of
//! the process and of metrics under `labels`, as texts. A document over the limit goes as numbered parts of the record's
//! line (see [`crate::parts`]), a document each; those of metrics do not, they are small.

mod event;
mod member;
mod metric;

use self::event::{audit, check, config, log};
use self::member::text;
use self::metric::{buckets, named, points};
use super::names::labels;
use crate::backend::{Context, EncodeError};
use crate::chunk::{Items, parts};
use crate::encode::json;
use crate::model::{Body, Metric, Points, Record, RecordId, Signal};

/// Buckets of a histogram in one document: so many fit in a push of 32 KiB, however long their numbers.
const BUCKETS_MAX: usize = 500;
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

fn part(out: &mut Vec<u8>, piece: &[u8]) {
    // A piece of a line that is UTF-8 is cut between characters.
    text(out, ",\"tags\":[\"ops-part\"],\"message\":", &String::from_utf8_lossy(piece));
}
