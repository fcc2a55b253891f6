//! Service checks and events. What could end a field or a line in their texts is escaped or replaced.

use crate::backend::EncodeError;
use crate::backend::shared::{cut, metric_name};
use crate::chunk::Items;
use crate::encode::json;
use crate::model::{Body, Check, Record, Value};

/// Characters of a check's message that Datadog shows (docs.datadoghq.com/api/latest/service-checks), of an event's title,
/// and of its text, which is refused rather than cut (datadog-api-client 2.62.0, v1 `EventCreateRequest`).
const MESSAGE_MAX: usize = 500;
const TITLE_MAX: usize = 100;
const TEXT_MAX: usize = 4_000;

/// Encodes checks and events.
pub(super) struct Events {
    /// Host, tags and origin, as the fields that they are.
    host: String,
    tags: String,
    origin: String,
    payload_bytes_max: usize,
}

impl Events {
    pub(super) fn new(tags: String, origin: String, host: &str, payload_bytes_max: usize) -> Events {
        let host: String = host.chars().filter(|c| !c.is_control() && *c != '|').collect();
        let tags = if tags.is_empty() { tags } else { format!("|#{tags}") };
        Events { host: format!("|h:{host}"), tags, origin, payload_bytes_max }
    }

    /// `_sc|name|status|d:time|h:host|#tags|m:message`, the message last but for the origin.
    pub(super) fn check(
        &self,
        record: &Record<'_>,
        check: &Check<'_>,
        out: &mut Items,
    ) -> Result<(), EncodeError> {
        let mut text = check.output.as_bytes().to_vec();
        for (key, value) in &check.fields {
            text.extend_from_slice(format!(" {key}=").as_bytes());
            match value {
                Value::Str(said) => text.extend_from_slice(said.as_bytes()),
                other => json::value(&mut text, other),
            }
        }
        let text = cut(String::from_utf8_lossy(&text).trim(), MESSAGE_MAX);
        self.push(out, |bytes| {
            bytes.extend_from_slice(b"_sc|");
            metric_name(bytes, &check.name);
            bytes.push(b'|');
            json::number_u64(bytes, check.status as u64);
            self.time(bytes, record);
            bytes.extend_from_slice(self.tags.as_bytes());
            bytes.extend_from_slice(b"|m:");
            bytes.extend_from_slice(field(&text).replace("m:", "m\\:").as_bytes());
            bytes.extend_from_slice(self.origin.as_bytes());
        })
    }

    /// `_e{title,text}:title|text|d:time|h:host|#tags`, the lengths in bytes; the text is the record as a JSON object.
    pub(super) fn event(&self, record: &Record<'_>, out: &mut Items) -> Result<(), EncodeError> {
        let title = match &record.body {
            Body::Audit(audit) => format!("{} of {}: {}", audit.action, audit.resource, audit.outcome),
            Body::Config(config) => format!("{} {} is configured", config.resource_type, config.resource_id),
            _ => return Err(EncodeError(format!("a {} record is no event", record.signal()))),
        };
        let title = field(&cut(&title, TITLE_MAX));
        let mut text = Vec::new();
        json::line(&mut text, record, &[]);
        if String::from_utf8_lossy(&text).chars().count() > TEXT_MAX {
            return Err(EncodeError(format!(
                "a text of {} bytes; an event takes {TEXT_MAX} characters",
                text.len()
            )));
        }
        self.push(out, |bytes| {
            bytes.extend_from_slice(format!("_e{{{},{}}}:", title.len(), text.len()).as_bytes());
            bytes.extend_from_slice(title.as_bytes());
            bytes.push(b'|');
            bytes.extend_from_slice(&text);
            self.time(bytes, record);
            bytes.extend_from_slice(b"|t:info");
            bytes.extend_from_slice(self.tags.as_bytes());
            bytes.extend_from_slice(self.origin.as_bytes());
        })
    }

    fn time(&self, out: &mut Vec<u8>, record: &Record<'_>) {
        out.extend_from_slice(b"|d:");
        json::number_u64(out, record.time_ns / 1_000_000_000);
        out.extend_from_slice(self.host.as_bytes());
    }

    fn push(&self, out: &mut Items, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), EncodeError> {
        out.push(|bytes| {
            let start = bytes.len();
            write(bytes);
            match bytes.len() - start {
                long if long > self.payload_bytes_max => {
                    let max = self.payload_bytes_max;
                    Err(EncodeError(format!("{long} bytes; a datagram holds {max}")))
                }
                _ => Ok(()),
            }
        })
    }
}

/// A text in the place of a field: line ends are escaped as the protocol has it, bars and what else controls a terminal
/// or a parser are replaced.
fn field(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '|' => out.push('¦'),
            c if c.is_control() => out.push('_'),
            c => out.push(c),
        }
    }
    out
}
