//! The JSON columns: dimensions, fields, what was dropped, and the bodies of audit, configuration and check records.

use crate::encode::json;
use crate::ledger::Row;
use crate::model::{Audit, Check, CheckStatus, Config, Fields, Metric, Value};

/// Dimensions as canonical text: in order of name, without spaces. The same dimensions are the same bytes.
pub(super) fn dimensions(metric: &Metric<'_>) -> String {
    let mut pairs: Vec<(&str, &str)> =
        metric.dimensions.iter().map(|(name, value)| (&**name, &**value)).collect();
    pairs.sort_unstable();
    object(|out| pairs.iter().for_each(|(name, value)| out.text(name, value)))
}

/// Fields in the order they were written.
pub(super) fn fields(fields: &Fields<'_>) -> String {
    object(|out| out.fields(fields))
}

/// Reasons and numbers.
pub(super) fn dropped(row: &Row) -> String {
    object(|out| row.dropped.iter().for_each(|(loss, n)| out.value(loss.name(), &Value::U64(*n))))
}

/// An audit record.
pub(super) fn audit(audit: &Audit<'_>) -> String {
    object(|out| {
        out.text("actor", &audit.actor);
        out.text("action", &audit.action);
        out.text("resource", &audit.resource);
        out.text("outcome", &audit.outcome);
        out.nested("fields", &audit.fields);
    })
}

/// A configuration record.
pub(super) fn config(config: &Config<'_>) -> String {
    object(|out| {
        out.text("resource_type", &config.resource_type);
        out.text("resource_id", &config.resource_id);
        out.nested("fields", &config.fields);
    })
}

/// A check record, its status in the words and numbers of Nagios.
pub(super) fn check(check: &Check<'_>) -> String {
    let status = match check.status {
        CheckStatus::Ok => "OK",
        CheckStatus::Warning => "WARNING",
        CheckStatus::Critical => "CRITICAL",
        CheckStatus::Unknown => "UNKNOWN",
    };
    object(|out| {
        out.text("name", &check.name);
        out.text("status", status);
        out.value("status_code", &Value::U64(check.status as u64));
        out.text("output", &check.output);
        out.nested("fields", &check.fields);
    })
}

/// Writes the members of one object.
struct Members(Vec<u8>);

fn object(write: impl FnOnce(&mut Members)) -> String {
    let mut members = Members(vec![b'{']);
    write(&mut members);
    members.0.push(b'}');
    // The writers of JSON write UTF-8 alone; replacing nothing, this is a check and a move.
    String::from_utf8(members.0).unwrap_or_default()
}

impl Members {
    fn text(&mut self, name: &str, text: &str) {
        self.name(name);
        json::string(&mut self.0, text);
    }

    fn value(&mut self, name: &str, value: &Value<'_>) {
        self.name(name);
        json::value(&mut self.0, value);
    }

    fn fields(&mut self, fields: &Fields<'_>) {
        fields.iter().for_each(|(name, value)| self.value(name, value));
    }

    fn nested(&mut self, name: &str, fields: &Fields<'_>) {
        self.name(name);
        self.0.push(b'{');
        self.fields(fields);
        self.0.push(b'}');
    }

    fn name(&mut self, name: &str) {
        if self.0.last() != Some(&b'{') {
            self.0.push(b',');
        }
        json::string(&mut self.0, name);
        self.0.push(b':');
    }
}
