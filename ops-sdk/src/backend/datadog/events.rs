//! Checks as service checks, and audit and configuration records as change events.

use std::fmt::Write as _;

use super::super::shared::{Tags, cut, metric_name};
use crate::backend::EncodeError;
use crate::chunk::Items;
use crate::encode::json;
use crate::model::{Body, Check, Record, Value};

/// Characters of a check's message that Datadog shows; it drops the others (docs.datadoghq.com/api/latest/service-checks).
const MESSAGE_MAX: usize = 500;
/// Characters of an event's title, and of the names in it; properties of its metadata; tags (`EventPayload`,
/// `ChangeEventCustomAttributes*` in datadog-api-client 2.62.0).
const TITLE_MAX: usize = 500;
const NAME_MAX: usize = 128;
const PROPERTIES_MAX: usize = 100;
const TAGS_MAX: usize = 100;
/// Members of a line that are not fields.
const OWN_PROPERTIES: usize = 7;

/// Encodes checks and changes.
#[derive(Clone)]
pub(super) struct Events {
    tags: String,
    /// Those that an event may have.
    event_tags: String,
    host: String,
}

impl Events {
    pub(super) fn new(tags: &Tags, host: &str) -> Events {
        let few = Tags(tags.0.iter().take(TAGS_MAX).cloned().collect());
        Events { tags: tags.joined("\""), event_tags: few.joined("\""), host: host.to_owned() }
    }

    /// A check as a service check. Its fields are told in the message: as tags they would be other checks.
    pub(super) fn check(
        &self,
        record: &Record<'_>,
        check: &Check<'_>,
        out: &mut Items,
    ) -> Result<(), EncodeError> {
        let mut text = check.output.to_string();
        for (key, value) in &check.fields {
            let mut written = Vec::new();
            match value {
                Value::Str(text) => written.extend_from_slice(text.as_bytes()),
                other => json::value(&mut written, other),
            }
            // Writing into a String cannot fail.
            let _ = write!(text, " {key}={}", String::from_utf8_lossy(&written));
        }
        out.push(|bytes| {
            bytes.extend_from_slice(b"{\"check\":\"");
            metric_name(bytes, &check.name);
            bytes.extend_from_slice(b"\",\"host_name\":");
            json::string(bytes, &self.host);
            bytes.extend_from_slice(b",\"status\":");
            json::number_u64(bytes, check.status as u64);
            bytes.extend_from_slice(b",\"timestamp\":");
            json::number_u64(bytes, record.time_ns / 1_000_000_000);
            bytes.extend_from_slice(b",\"tags\":[");
            bytes.extend_from_slice(self.tags.as_bytes());
            bytes.extend_from_slice(b"],\"message\":");
            json::string(bytes, &cut(text.trim(), MESSAGE_MAX));
            bytes.push(b'}');
            Ok(())
        })
    }

    /// An audit or configuration record as a change event; its metadata are the whole record.
    pub(super) fn change(&self, record: &Record<'_>, out: &mut Items) -> Result<(), EncodeError> {
        let (title, resource, author, fields) = match &record.body {
            Body::Audit(audit) => {
                let title = format!("{} of {}: {}", audit.action, audit.resource, audit.outcome);
                (title, audit.resource.as_ref(), Some(audit.actor.as_ref()), &audit.fields)
            }
            Body::Config(config) => {
                let name = config.resource_id.as_ref();
                (format!("{} {name} is configured", config.resource_type), name, None, &config.fields)
            }
            _ => return Err(EncodeError(format!("a {} record is no change", record.signal()))),
        };
        if fields.len() + OWN_PROPERTIES > PROPERTIES_MAX {
            let most = PROPERTIES_MAX - OWN_PROPERTIES;
            return Err(EncodeError(format!("{} fields; a change event takes {most}", fields.len())));
        }
        out.push(|bytes| {
            bytes.extend_from_slice(
                b"{\"data\":{\"type\":\"event\",\"attributes\":{\"category\":\"change\",\"title\":",
            );
            json::string(bytes, &cut(&title, TITLE_MAX));
            bytes.extend_from_slice(b",\"timestamp\":\"");
            json::time_rfc3339(bytes, record.time_ns);
            bytes.extend_from_slice(b"\",\"host\":");
            json::string(bytes, &self.host);
            if !self.event_tags.is_empty() {
                bytes.extend_from_slice(b",\"tags\":[");
                bytes.extend_from_slice(self.event_tags.as_bytes());
                bytes.push(b']');
            }
            bytes.extend_from_slice(
                b",\"attributes\":{\"changed_resource\":{\"type\":\"configuration\",\"name\":",
            );
            json::string(bytes, &cut(or_dash(resource), NAME_MAX));
            bytes.push(b'}');
            if let Some(author) = author.filter(|author| !author.trim().is_empty()) {
                bytes.extend_from_slice(b",\"author\":{\"type\":\"user\",\"name\":");
                json::string(bytes, &cut(author, NAME_MAX));
                bytes.push(b'}');
            }
            bytes.extend_from_slice(b",\"change_metadata\":");
            json::line(bytes, record, &[]);
            bytes.extend_from_slice(b"}}}}");
            Ok(())
        })
    }
}

fn or_dash(text: &str) -> &str {
    if text.trim().is_empty() { "-" } else { text }
}
