//! Splunk, through its HTTP Event Collector: log and audit records as events, metrics in the multiple-measure form, all
//! to `/services/collector/event`, as JSON objects one after another, gzipped.
//!
//! The collector takes a request object by object: at the first that it cannot take it stops, and has indexed those
//! before it. The answer's number tells which, so that what it has is never sent again. Delivery is at least once: it
//! does not recognise an event that it has already; the record's id in each event tells duplicates apart.
//!
//! With acknowledgements a push counts as delivered only when the indexers say so. Nothing waits here: a push that is
//! not acknowledged yet is asked about again, and sent again only when that takes too long.

mod ack;
mod event;
mod judge;
mod settings;

use std::io::Write as _;

use ::http::{HeaderMap, HeaderValue, Uri};
use flate2::Compression;
use flate2::write::GzEncoder;

use self::ack::{Acks, print_of};
use self::event::{Envelope, metric};
use self::judge::{Told, acknowledged, judge};
pub use self::settings::Splunk;
use super::shared::{failed, post};
use super::{Backend, EncodeError, Verdict};
use crate::chunk::{Batch, Items, parts};
use crate::diag;
use crate::encode::json;
use crate::limits::{Limits, Oversize};
use crate::model::{Body, Record, RecordId, Signal};
use crate::net::Net;

/// Splunk Cloud takes 1 MB (its Service Description, "HTTP Event Collector maximum content length size limit"); Splunk
/// Enterprise 838,860,800 bytes unless told otherwise (`limits.conf`, `[http_input] max_content_length`). This stays
/// below the smaller, and counts before compression.
const REQUEST_BYTES_MAX: usize = 900_000;
/// Bodies from this size on are compressed.
const GZIP_BYTES_MIN: usize = 1_024;

struct Open {
    events: Uri,
    acks: Option<Acks>,
    headers: HeaderMap,
    envelope: Envelope,
    gzip: bool,
    item_bytes_max: usize,
    /// The body of the last push, for its memory.
    body: Vec<u8>,
}

impl Backend for Open {
    fn id(&self) -> &str {
        "splunk"
    }

    fn limits(&self) -> Limits {
        limits(&self.envelope)
    }

    fn accepts(&self, signal: Signal) -> bool {
        matches!(signal, Signal::Metric | Signal::Log | Signal::Audit)
    }

    fn encode(&mut self, record: &Record<'_>, out: &mut Items) -> Result<(), EncodeError> {
        let mut long = None;
        out.push(|bytes| match &record.body {
            Body::Metric(body) => metric(bytes, body),
            Body::Log(_) | Body::Audit(_) => {
                let start = bytes.len();
                json::line(bytes, record, &[]);
                long = (bytes.len() - start > self.item_bytes_max).then(|| bytes.split_off(start));
                Ok(())
            }
            Body::Config(_) | Body::Check(_) => {
                Err(EncodeError(format!("Splunk is not sent {} records", record.signal())))
            }
        })?;
        long.map_or(Ok(()), |line| in_parts(record.id, &line, self.item_bytes_max, out))
    }

    fn send(&mut self, batch: &Batch, net: &mut Net) -> Verdict {
        let Some(acks) = self.acks.clone() else {
            return match self.push(batch, net) {
                Told::Taken(_) => Verdict::Delivered,
                Told::Not(verdict) => verdict,
            };
        };
        let print = print_of(batch);
        let ack = match acks.of(print, net.now) {
            Some(ack) => ack,
            None => match self.push(batch, net) {
                Told::Taken(Some(ack)) => ack,
                Told::Taken(None) => return without_acknowledgement(net),
                Told::Not(verdict) => return verdict,
            },
        };
        acks.keep(print, ack, net.now);
        let verdict = self.ask(&acks, ack, net);
        if verdict == Verdict::Delivered {
            acks.forget(print);
        }
        verdict
    }

    /// All of them know what the others wait for.
    fn another(&self) -> Option<Box<dyn Backend>> {
        Some(Box::new(Open {
            events: self.events.clone(),
            acks: self.acks.clone(),
            headers: self.headers.clone(),
            envelope: self.envelope.clone(),
            body: Vec::new(),
            ..*self
        }))
    }
}

impl Open {
    fn push(&mut self, batch: &Batch, net: &mut Net) -> Told {
        self.body.clear();
        for (item, bytes) in batch.iter() {
            self.envelope.write(&mut self.body, item.time_ms, bytes);
        }
        let mut headers = self.headers.clone();
        let body = if self.gzip && self.body.len() >= GZIP_BYTES_MIN {
            headers.insert(::http::header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            gzip(&self.body)
        } else {
            self.body.clone()
        };
        match net.send(post(self.events.clone(), "application/json", &headers, body)) {
            Ok(answer) => judge(&answer, net.current().unix_ns / 1_000_000_000, batch.len()),
            Err(error) => Told::Not(failed(error)),
        }
    }

    fn ask(&self, acks: &Acks, ack: u64, net: &mut Net) -> Verdict {
        let body = format!("{{\"acks\":[{ack}]}}").into_bytes();
        match net.send(post(acks.uri.clone(), "application/json", &self.headers, body)) {
            Ok(answer) => acknowledged(&answer, ack, net.current().unix_ns / 1_000_000_000),
            Err(error) => failed(error),
        }
    }
}

fn limits(envelope: &Envelope) -> Limits {
    Limits {
        push_bytes_max: REQUEST_BYTES_MAX,
        envelope_bytes: 0,
        push_items_max: 100_000, // the collector counts bytes alone; this bounds what one refusal moves
        item_bytes_max: REQUEST_BYTES_MAX - envelope.bytes_max(),
        item_overhead_bytes: envelope.bytes_max(),
        span_ms_max: None,
        age_ms_max: None,
        ahead_ms_max: None,
        ordered: false,
        push: true,
        oversize: Oversize::Refuse, // events are split before: a part has to be JSON, too
    }
}

/// An over-long event as strings, each a part. A string may take twice the bytes of what it holds: a line of JSON has
/// no characters but quotes and backslashes that need a second.
fn in_parts(id: RecordId, line: &[u8], bytes_max: usize, out: &mut Items) -> Result<(), EncodeError> {
    let too_long = || EncodeError(format!("an event of {} bytes does not fit in parts", line.len()));
    let mut parts = parts::split(id, line, bytes_max.saturating_sub(2) / 2).ok_or_else(too_long)?;
    parts.try_for_each(|part| {
        let part = String::from_utf8(part).map_err(|_| too_long())?;
        out.push(|bytes| {
            json::string(bytes, &part);
            Ok(())
        })
    })
}

/// The token does not use acknowledgements: the push is taken, and to send it again would only make duplicates.
fn without_acknowledgement(net: &Net) -> Verdict {
    let text = "splunk: acknowledgements are asked for, and the token gives none: what is sent counts as delivered; \
                set useACK for the token, or OPS_SPLUNK_ACK=0";
    diag::warn("splunk acknowledgements", net.current(), text);
    Verdict::Delivered
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
    // Writing into memory cannot fail.
    let _ = encoder.write_all(body);
    encoder.finish().unwrap_or_default()
}

#[cfg(test)]
mod tests;
