//! A webhook: each check, and each error if that is asked for, as one HTTP request whose body is a template filled in;
//! signed, so that the receiver knows who sent it and when.
//!
//! Requests go one after another, so that an `OK` never overtakes the `CRITICAL` before it. Delivery is at least once: the
//! `Idempotency-Key` of a request is the id of its record, the same however often it is sent.
//!
//! Any 2xx is a success: receivers say it in words of their own, or in none.

mod said;
mod settings;
mod sign;
mod template;

use ::http::{HeaderMap, HeaderValue, Method, Uri};

use self::settings::Statuses;
pub use self::settings::{Webhook, WebhookTemplate};
use self::sign::Signer;
use self::template::Template;
use super::shared::{failed, judge, post};
use super::{Backend, EncodeError, Verdict};
use crate::chunk::{Batch, Items};
use crate::ledger::Loss;
use crate::limits::{Limits, Oversize};
use crate::model::{Body, Level, Record, RecordId, Signal};
use crate::net::Net;

/// No receiver is known to take less, and none of those known more of a message: Slack cuts texts at 40,000 characters
/// ("Truncating really long messages", api.slack.com changelog 2018-04).
const BODY_BYTES_MAX: usize = 1_000_000;

struct Open {
    uri: Uri,
    method: Method,
    headers: HeaderMap,
    signer: Option<Signer>,
    template: Template,
    statuses: Statuses,
    errors: bool,
    items_max: usize,
}

impl Backend for Open {
    fn id(&self) -> &str {
        "webhook"
    }

    /// A body is the user's own text, which cannot be split.
    fn limits(&self) -> Limits {
        let around = if self.items_max > 1 { 2 } else { 0 };
        Limits {
            push_bytes_max: BODY_BYTES_MAX,
            envelope_bytes: around, // the brackets
            push_items_max: self.items_max,
            item_bytes_max: BODY_BYTES_MAX - 1 - around,
            item_overhead_bytes: 1, // the comma
            span_ms_max: None,
            age_ms_max: None,
            ahead_ms_max: None,
            ordered: false,
            push: true,
            oversize: Oversize::Refuse,
        }
    }

    fn accepts(&self, signal: Signal) -> bool {
        signal == Signal::Check || (signal == Signal::Log && self.errors)
    }

    fn declines(&self, record: &Record<'_>) -> Option<Loss> {
        let is_wanted = match &record.body {
            Body::Check(check) => self.statuses.has(check.status),
            Body::Log(log) => log.level == Level::Error,
            _ => true,
        };
        (!is_wanted).then_some(Loss::Elsewhere)
    }

    fn encode(&mut self, record: &Record<'_>, out: &mut Items) -> Result<(), EncodeError> {
        out.push(|bytes| self.template.fill(bytes, record))
    }

    fn send(&mut self, batch: &Batch, net: &mut Net) -> Verdict {
        let body = body(batch, self.items_max > 1);
        let now_unix_s = net.current().unix_ns / 1_000_000_000;
        let mut headers = self.headers.clone();
        if let Some(signer) = &self.signer {
            headers.insert(signer.header.clone(), signer.sign(now_unix_s, &body));
        }
        if let Some(key) = key(batch) {
            headers.insert("idempotency-key", key);
        }
        let mut request = post(self.uri.clone(), "application/json", &headers, body);
        *request.method_mut() = self.method.clone();
        match net.send(request) {
            Ok(answer) => judge(&answer, net.current().unix_ns / 1_000_000_000, batch.len()),
            Err(error) => failed(error),
        }
    }
}

/// The one item, or all of them in brackets.
fn body(batch: &Batch, in_brackets: bool) -> Vec<u8> {
    let mut body = Vec::with_capacity(batch.bytes() + batch.len() + 1);
    for (at, (_, item)) in batch.iter().enumerate() {
        match at {
            0 if in_brackets => body.push(b'['),
            0 => {}
            _ => body.push(b','),
        }
        body.extend_from_slice(item);
    }
    if in_brackets {
        body.push(b']');
    }
    body
}

/// The id of the record, and how many follow it in the same request.
fn key(batch: &Batch) -> Option<HeaderValue> {
    let first: RecordId = batch.iter().next()?.0.record;
    let text = match batch.len() {
        1 => first.to_string(),
        more => format!("{first}+{}", more - 1),
    };
    HeaderValue::try_from(text).ok()
}

#[cfg(test)]
mod tests;
