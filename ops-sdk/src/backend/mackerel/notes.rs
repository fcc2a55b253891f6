//! Checks as reports, and audit records as annotations.

use super::super::shared::cut;
use super::api::Annotation;
use crate::backend::EncodeError;
use crate::chunk::Items;
use crate::encode::json;
use crate::model::{Audit, Check, CheckStatus, Fields, Record, Value};

/// What an item is: its first byte. The other first bytes are those of [`super::series`].
pub(super) const REPORT: u8 = b'r';
pub(super) const ANNOTATION: u8 = b'a';
/// Characters of a report's message: fewer than 1,024 (mackerel.io/api-docs/entry/check-monitoring).
const MESSAGE_MAX: usize = 1_023;
/// Characters of an annotation's title and description (mackerel.io/api-docs/entry/graph-annotations).
const TITLE_MAX: usize = 250;
const DESCRIPTION_MAX: usize = 1_024;

/// A text and what fields say, as `text key=value`.
fn with_fields(text: &str, fields: &Fields<'_>) -> String {
    let mut out = text.as_bytes().to_vec();
    for (key, value) in fields {
        out.extend_from_slice(format!(" {key}=").as_bytes());
        match value {
            Value::Str(said) => out.extend_from_slice(said.as_bytes()),
            other => json::value(&mut out, other),
        }
    }
    String::from_utf8_lossy(&out).trim().to_owned()
}

/// A check as a report of the host. Its fields are told in the message.
pub(super) fn report(
    host: &str,
    check: &Check<'_>,
    record: &Record<'_>,
    out: &mut Items,
) -> Result<(), EncodeError> {
    let status = match check.status {
        CheckStatus::Ok => "OK",
        CheckStatus::Warning => "WARNING",
        CheckStatus::Critical => "CRITICAL",
        CheckStatus::Unknown => "UNKNOWN",
    };
    if check.name.trim().is_empty() {
        return Err(EncodeError("a report has a name".into()));
    }
    out.push(|bytes| {
        bytes.push(REPORT);
        bytes.extend_from_slice(b"{\"source\":{\"type\":\"host\",\"hostId\":");
        json::string(bytes, host);
        bytes.extend_from_slice(b"},\"name\":");
        json::string(bytes, &check.name);
        bytes.extend_from_slice(b",\"status\":");
        json::string(bytes, status);
        bytes.extend_from_slice(b",\"message\":");
        json::string(bytes, &cut(&with_fields(&check.output, &check.fields), MESSAGE_MAX));
        bytes.extend_from_slice(b",\"occurredAt\":");
        json::number_u64(bytes, record.time_ns / 1_000_000_000);
        bytes.push(b'}');
        Ok(())
    })
}

/// An audit record as an annotation of its moment.
pub(super) fn annotation(
    service: &str,
    audit: &Audit<'_>,
    record: &Record<'_>,
    out: &mut Items,
) -> Result<(), EncodeError> {
    let text = with_fields(&format!("by {} ({})", audit.actor, record.id), &audit.fields);
    let note = Annotation {
        title: cut(&format!("{} {}: {}", audit.action, audit.resource, audit.outcome), TITLE_MAX),
        description: cut(&text, DESCRIPTION_MAX),
        from_unix_s: record.time_ns / 1_000_000_000,
        to_unix_s: record.time_ns / 1_000_000_000,
        service: service.to_owned(),
        roles: Vec::new(),
    };
    out.push(|bytes| {
        bytes.push(ANNOTATION);
        note.write(bytes);
        Ok(())
    })
}
