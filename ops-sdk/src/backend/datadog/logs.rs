//! A log event as Datadog takes it: the JSON line that other backends have, with what Datadog keeps for itself before it.
//!
//! `ddsource`, `ddtags`, `hostname`, `service`, `status` and `timestamp` are Datadog's, and a field of such a name becomes
//! `fields.<name>`. The process's dimensions are tags and not attributes. An event over the limit becomes parts, each an
//! event whose message is a part by the grammar of [`parts`].

use std::borrow::Cow;

use super::super::shared::Tags;
use crate::backend::EncodeError;
use crate::chunk::{Items, parts};
use crate::encode::json;
use crate::model::{Body, Level, Log, Record};

/// What Datadog files an event by (docs.datadoghq.com/logs/log_configuration/attributes_naming_convention, "Reserved
/// attributes", and the default of "Log date remapper"). A field of the program does not take their place.
const RESERVED: [&str; 14] = [
    "ddsource",
    "ddtags",
    "hostname",
    "service",
    "status",
    "timestamp",
    "host",
    "source",
    "date",
    "_timestamp",
    "Timestamp",
    "eventTime",
    "published_date",
    "syslog.timestamp",
];
/// What a message begins with that would be taken for a part where it is read.
const PART: &str = "@ops.part ";

/// Encodes log events.
#[derive(Clone)]
pub(super) struct Logs {
    /// For each level, everything up to the time.
    heads: [Vec<u8>; 5],
    item_bytes_max: usize,
}

impl Logs {
    pub(super) fn new(source: &str, tags: &Tags, host: &str, service: &str, item_bytes_max: usize) -> Logs {
        let head = |level: Level| {
            let tags = tags.joined("");
            let status = level.name().to_ascii_lowercase();
            let members = [
                ("ddsource", source),
                ("ddtags", &tags),
                ("hostname", host),
                ("service", service),
                ("status", &status),
            ];
            let mut head = b"{".to_vec();
            for (key, value) in members {
                json::string(&mut head, key);
                head.push(b':');
                json::string(&mut head, value);
                head.push(b',');
            }
            head.extend_from_slice(b"\"timestamp\":");
            head
        };
        Logs { heads: Level::ALL.map(head), item_bytes_max }
    }

    pub(super) fn encode(
        &self,
        record: &Record<'_>,
        log: &Log<'_>,
        out: &mut Items,
    ) -> Result<(), EncodeError> {
        let taken = log.fields.iter().any(|(key, _)| RESERVED.contains(&key.as_ref()));
        let renamed = if taken { Some(renamed(record, log)) } else { None };
        let record = renamed.as_ref().unwrap_or(record);
        if !log.message.starts_with(PART) {
            let whole = out.push(|bytes| {
                let start = bytes.len();
                self.head(bytes, record, log.level);
                let line = bytes.len();
                json::line(bytes, record, &[]);
                bytes[line] = b','; // instead of the line's own brace
                if bytes.len() - start <= self.item_bytes_max { Ok(()) } else { Err(()) }
            });
            if whole.is_ok() {
                return Ok(());
            }
        }
        self.parts(record, log.level, out)
    }

    /// An event in parts. A part's text is a piece of a line, in which no character needs more than one for its escape.
    fn parts(&self, record: &Record<'_>, level: Level, out: &mut Items) -> Result<(), EncodeError> {
        const MESSAGE: &[u8] = b",\"message\":";
        let mut line = Vec::new();
        json::line(&mut line, record, &[]);
        let mut head = Vec::new();
        self.head(&mut head, record, level);
        head.extend_from_slice(MESSAGE);
        let room = self.item_bytes_max.saturating_sub(head.len() + b"\"\"}".len()) / 2;
        let parts = parts::split(record.id, &line, room);
        let parts = parts
            .ok_or_else(|| EncodeError(format!("an event of {} bytes has no room in parts", line.len())))?;
        for part in parts {
            out.push(|bytes| {
                bytes.extend_from_slice(&head);
                let text = String::from_utf8(part).map_err(|_| EncodeError("a part is not UTF-8".into()))?;
                json::string(bytes, &text);
                bytes.push(b'}');
                Ok(())
            })?;
        }
        Ok(())
    }

    fn head(&self, out: &mut Vec<u8>, record: &Record<'_>, level: Level) {
        out.extend_from_slice(&self.heads[level as usize - 1]);
        json::number_u64(out, record.time_ms());
    }
}

/// The same event with the fields renamed that have reserved names.
fn renamed<'a>(record: &Record<'_>, log: &Log<'a>) -> Record<'a> {
    let mut log = log.clone();
    for (key, _) in &mut log.fields {
        if RESERVED.contains(&key.as_ref()) {
            *key = Cow::Owned(format!("fields.{key}"));
        }
    }
    Record { id: record.id, time_ns: record.time_ns, body: Body::Log(log) }
}
