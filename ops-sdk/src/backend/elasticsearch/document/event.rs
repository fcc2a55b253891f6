//! What only log events have, and audit, configuration and check records, by the schema's names.

use std::borrow::Cow;

use super::super::names::fields;
use super::member::{text, whole};
use crate::encode::json;
use crate::model::{Audit, CORRELATION_ID, Check, CheckStatus, Config, Fields, Log, SPAN_ID, Value};

pub(super) fn log(out: &mut Vec<u8>, log: &Log<'_>) {
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

pub(super) fn audit(out: &mut Vec<u8>, audit: &Audit<'_>) {
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

pub(super) fn config(out: &mut Vec<u8>, config: &Config<'_>) {
    text(out, ",\"message\":", &format!("{} {}", config.resource_type, config.resource_id));
    text(out, ",\"event.action\":", "configuration-recorded");
    text(out, ",\"config.resource_type\":", &config.resource_type);
    text(out, ",\"config.resource_id\":", &config.resource_id);
    own(out, &config.fields);
}

pub(super) fn check(out: &mut Vec<u8>, check: &Check<'_>) {
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
