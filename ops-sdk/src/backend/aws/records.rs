//! The road into a stream of records: what PutRecordBatch of Firehose and PutRecords of Kinesis have in common. Lines
//! are packed into records, records into one request, and the answer is read record by record, though its status is 200.
//!
//! Promises: a request is never larger than it may be, counted as it goes over the wire, with base64 and envelope; what
//! failed is told item by item, whatever record it was packed into; an answer that does not say what became of the
//! records is no delivery.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::judge::{bisect, failed, judge, settle};
use crate::backend::shared::{PartitionKey, operator};
use crate::backend::{Refusal, Verdict};
use crate::chunk::Batch;
use crate::encode::json;
use crate::error::Error;
use crate::ledger::Loss;
use crate::limits::{Limits, Oversize, PushLimit};
use crate::net::aws::{Call, Client, Fault};
use crate::net::{Net, Response};

/// Records in one request (`PutRecordBatchRequestEntryList`, `PutRecordsRequestEntryList`).
const RECORDS_MAX: usize = 500;
/// Lines in one request: ours, so that a push of tiny lines has a bound.
const LINES_MAX: usize = 20_000;
const END: &[u8] = b"]}";
/// `{"Data":"` and `"},`
const AROUND_DATA: usize = 12;
/// `,"PartitionKey":`
const BEFORE_KEY: usize = 16;

/// Appends a record's data: these lines under this key.
pub(in crate::backend) type Pack = fn(&mut Vec<u8>, &str, &mut dyn Iterator<Item = &[u8]>);

/// What requests and records of one service look like.
#[derive(Debug, Clone)]
pub(in crate::backend) struct Form {
    /// `X-Amz-Target`.
    pub(in crate::backend) target: &'static str,
    /// The body up to the first record.
    pub(in crate::backend) head: Vec<u8>,
    /// Bytes of a body.
    pub(in crate::backend) body_bytes_max: usize,
    /// Bytes of a record: data before base64, and its key.
    pub(in crate::backend) record_bytes_max: usize,
    /// Lines of a record.
    pub(in crate::backend) lines_max: usize,
    /// Bytes that packing adds to a record, and to each line.
    pub(in crate::backend) pack_bytes: usize,
    pub(in crate::backend) line_bytes: usize,
    /// How lines become a record's data.
    pub(in crate::backend) pack: Pack,
    /// What records are spread by, where the service has shards.
    pub(in crate::backend) key: Option<PartitionKey>,
    /// The service says that it is not available when it is asked for too much.
    pub(in crate::backend) unavailable_is_throttled: bool,
}

impl Form {
    /// Whether requests have to follow one another.
    pub(in crate::backend) fn keeps_order(&self) -> bool {
        self.key.as_ref().is_some_and(PartitionKey::keeps_order)
    }

    /// Bytes of a body that a record takes beside its data.
    fn wrap_bytes(&self) -> usize {
        let key = |key: &PartitionKey| {
            let mut text = Vec::new();
            match key {
                PartitionKey::Text(own) => json::string(&mut text, own),
                other => text.resize(other.bytes_max() + 2, b'"'),
            }
            BEFORE_KEY + text.len()
        };
        AROUND_DATA + self.key.as_ref().map_or(0, key)
    }

    /// The limits in bytes of lines, so that no body and no record is too large whatever is packed with what. Base64
    /// makes four bytes of three, so everything that is not data counts as three quarters of itself.
    pub(in crate::backend) fn limits(&self) -> Limits {
        let body_bytes = self.body_bytes_max / 4 * 3;
        let record_bytes =
            self.record_bytes_max - self.key.as_ref().map_or(0, PartitionKey::bytes_max) - self.pack_bytes;
        // Two bytes for base64's padding.
        let around_record = self.pack_bytes + 2 + three_quarters(self.wrap_bytes());
        let head_bytes = three_quarters(self.head.len() + END.len());
        let mut limits = Limits {
            push_bytes_max: body_bytes,
            envelope_bytes: head_bytes,
            push_items_max: RECORDS_MAX,
            item_bytes_max: record_bytes - self.line_bytes,
            item_overhead_bytes: self.line_bytes + around_record,
            span_ms_max: None,
            age_ms_max: None,
            ahead_ms_max: None,
            ordered: false,
            push: true,
            oversize: Oversize::Split,
        };
        if self.lines_max > 1 {
            // No two records that follow one another have room in one; a line has one byte and its newline.
            let lines = LINES_MAX.min(body_bytes / (1 + self.line_bytes));
            let records_max = 1 + 2 * body_bytes / record_bytes + lines / self.lines_max;
            limits.envelope_bytes += records_max * around_record;
            limits.push_items_max = LINES_MAX;
            limits.item_overhead_bytes = self.line_bytes;
        }
        if self.lines_max > 1 && self.keeps_order() {
            // One record of a key in a request: of two, the second might be taken without the first.
            limits.push_bytes_max = body_bytes.min(limits.envelope_bytes + record_bytes);
        }
        limits
    }
}

/// What may go in one body: the service's own number, or less where the user has it so.
pub(in crate::backend) fn under(body_bytes_max: usize, choice: PushLimit) -> usize {
    match choice {
        PushLimit::Vendor => body_bytes_max,
        PushLimit::Contract => body_bytes_max.min(crate::limits::PUSH_BYTES),
        PushLimit::Bytes(bytes) => body_bytes_max.min(bytes),
    }
}

/// Lines, each with its newline: what a reader splits, and what lands in files as JSON lines.
pub(in crate::backend) fn join_lines(out: &mut Vec<u8>, _key: &str, lines: &mut dyn Iterator<Item = &[u8]>) {
    for line in lines {
        out.extend_from_slice(line);
        out.push(b'\n');
    }
}

/// Checks the name of a stream: both services have `[a-zA-Z0-9_.-]+`.
///
/// # Errors
///
/// If there is none, or it is not one.
pub(in crate::backend) fn stream_name(
    name: Option<String>,
    variable: &str,
    chars_max: usize,
) -> Result<String, Error> {
    let setting = || format!("{variable} / .stream(..)");
    let remedy = format!("name the stream: 1 to {chars_max} of the characters A-Z a-z 0-9 _ . -");
    let Some(name) = name else { return Err(Error::setting(setting(), "is not set", remedy)) };
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    if name.len() <= chars_max && name.chars().all(allowed) {
        return Ok(name);
    }
    Err(Error::setting(setting(), format!("\"{}\" is no name of a stream", name.escape_debug()), remedy))
}

/// Sends batches of lines to one stream.
pub(in crate::backend) struct Records {
    client: Client,
    form: Form,
    data: Vec<u8>,
    text: String,
}

impl Records {
    pub(in crate::backend) fn new(client: Client, form: Form) -> Records {
        Records { client, form, data: Vec::new(), text: String::new() }
    }

    /// A second one, for requests beside this one's.
    pub(in crate::backend) fn another(&self) -> Records {
        Records::new(self.client.another(), self.form.clone())
    }

    pub(in crate::backend) fn form(&self) -> &Form {
        &self.form
    }

    pub(in crate::backend) fn send(&mut self, batch: &Batch, net: &mut Net) -> Verdict {
        let groups = groups(batch, &self.form);
        let body = self.body(batch, &groups);
        // Records of many processes in one batch are more than the limits reckon with.
        if batch.len() > 1 && (groups.len() > RECORDS_MAX || body.len() > self.form.body_bytes_max) {
            return Verdict::Halve;
        }
        let content_type = "application/x-amz-json-1.1";
        let call = Call { target: self.form.target, content_type, headers: &[], body };
        let verdict = match self.client.call(net, call) {
            Ok(answer) => {
                let now_s = i64::try_from(net.current().unix_ns / 1_000_000_000).unwrap_or(i64::MAX);
                verdict(&answer, now_s, batch.len(), &groups, self.form.unavailable_is_throttled)
            }
            Err(error) => failed(error),
        };
        settle(verdict, &mut self.client)
    }

    /// The body: each group as a record.
    pub(super) fn body(&mut self, batch: &Batch, groups: &[Group]) -> Vec<u8> {
        let lines: Vec<&[u8]> = batch.iter().map(|(_, line)| line).collect();
        let mut body = self.form.head.clone();
        body.reserve(batch.bytes() / 3 * 4 + batch.len() * 2 + groups.len() * 128);
        for (index, group) in groups.iter().enumerate() {
            body.extend_from_slice(if index == 0 { b"{\"Data\":\"" } else { b",{\"Data\":\"" });
            self.data.clear();
            (self.form.pack)(&mut self.data, &group.key, &mut group.items.iter().map(|at| lines[*at]));
            self.text.clear();
            STANDARD.encode_string(&self.data, &mut self.text);
            body.extend_from_slice(self.text.as_bytes());
            body.push(b'"');
            if self.form.key.is_some() {
                body.extend_from_slice(b",\"PartitionKey\":");
                json::string(&mut body, &group.key);
            }
            body.push(b'}');
        }
        body.extend_from_slice(END);
        body
    }
}

/// The lines of one record, by their index in the batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    /// Empty where the service has no keys.
    key: String,
    process: u64,
    /// Of its data.
    bytes: usize,
    items: Vec<usize>,
}

/// Which lines go into one record: as many of one key as there is room for, in their order.
pub(super) fn groups(batch: &Batch, form: &Form) -> Vec<Group> {
    let by_process = form.key == Some(PartitionKey::Process);
    let record_bytes = form.record_bytes_max - form.key.as_ref().map_or(0, PartitionKey::bytes_max);
    let mut groups = Vec::<Group>::new();
    for (index, (item, line)) in batch.iter().enumerate() {
        let (process, bytes) = (item.record.process, line.len() + form.line_bytes);
        let open = groups.iter_mut().rev().find(|group| !by_process || group.process == process);
        match open {
            Some(group) if group.items.len() < form.lines_max && group.bytes + bytes <= record_bytes => {
                group.items.push(index);
                group.bytes += bytes;
            }
            _ => {
                let key = form.key.as_ref().map_or_else(String::new, |key| key.of(item.record).into_owned());
                let bytes = form.pack_bytes + bytes;
                groups.push(Group { key, process, bytes, items: vec![index] });
            }
        }
    }
    groups
}

fn three_quarters(bytes: usize) -> usize {
    (bytes * 3).div_ceil(4)
}

/// What became of the records, in their order. Firehose has `FailedPutCount` and `RequestResponses`.
#[derive(Deserialize)]
struct Reply {
    #[serde(alias = "FailedPutCount", alias = "FailedRecordCount", default)]
    failed: u64,
    #[serde(alias = "RequestResponses", alias = "Records")]
    records: Vec<Outcome>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Outcome {
    error_code: Option<String>,
    error_message: Option<String>,
}

/// What the answer means for a batch of this many items in these records. Pure.
fn verdict(
    answer: &Response,
    now_unix_s: i64,
    items: usize,
    groups: &[Group],
    unavailable_is_throttled: bool,
) -> Verdict {
    let fault = Fault::of(answer);
    let judged = judge(answer, now_unix_s, items);
    let said = || format!("{}: {}", fault.code, fault.message);
    match (judged, fault.code.strip_suffix("Exception").unwrap_or(&fault.code)) {
        (Verdict::Delivered, _) => outcomes(&answer.body, groups),
        // What the stream is encrypted with or fed from: not the data's fault.
        (_, "InvalidKMSResource" | "InvalidSource" | "ResourceInUse" | "DryRunOperation") => operator(said()),
        (Verdict::Retry { after, why }, "ServiceUnavailable") if unavailable_is_throttled => {
            Verdict::Throttle { after, why }
        }
        // Perhaps one record is too large for this stream; a smaller request has smaller records.
        (Verdict::Refuse(_), "InvalidArgument") if items > 1 => Verdict::Halve,
        (judged, _) => bisect(judged, &fault.code, items),
    }
}

/// A success, record by record.
fn outcomes(body: &[u8], groups: &[Group]) -> Verdict {
    let Ok(reply) = serde_json::from_slice::<Reply>(body) else {
        return operator(
            "a success that does not say what became of the records: is it the service?".to_owned(),
        );
    };
    let bad: Vec<(&Group, &Outcome)> =
        groups.iter().zip(&reply.records).filter(|(_, outcome)| outcome.error_code.is_some()).collect();
    if bad.is_empty() && reply.failed == 0 {
        return Verdict::Delivered;
    }
    if bad.is_empty() || reply.records.len() != groups.len() {
        let why = format!("{} records failed, and the answer does not say which", reply.failed);
        return Verdict::Retry { after: None, why };
    }
    let (mut failed, mut refused) = (Vec::new(), Vec::new());
    for (group, outcome) in &bad {
        let code = outcome.error_code.as_deref().unwrap_or_default();
        if is_of_data(code) {
            let refusal = Refusal { loss: Loss::Refused, why: told(outcome) };
            refused.extend(group.items.iter().map(|index| (*index, refusal.clone())));
        } else {
            failed.extend_from_slice(&group.items);
        }
    }
    if refused.is_empty() && bad.len() == groups.len() {
        let why = told(bad[0].1);
        let is_slower = |code: &str| code.contains("Throughput") || code.contains("Throttl");
        let slower = bad.iter().any(|(_, outcome)| outcome.error_code.as_deref().is_some_and(is_slower));
        return if slower {
            Verdict::Throttle { after: None, why }
        } else {
            Verdict::Retry { after: None, why }
        };
    }
    failed.sort_unstable();
    Verdict::Partial { failed, refused }
}

/// Whether a record is refused for what it is. Neither service documents such a code; what they document is for now.
fn is_of_data(code: &str) -> bool {
    ["InvalidArgument", "Validation", "Serialization"].iter().any(|prefix| code.starts_with(prefix))
}

/// The service's words on one line, and not too many.
fn told(outcome: &Outcome) -> String {
    let words = |text: &Option<String>| -> String {
        let clean = text.as_deref().unwrap_or_default().chars().map(|c| if c.is_control() { ' ' } else { c });
        clean.take(300).collect()
    };
    format!("{}: {}", words(&outcome.error_code), words(&outcome.error_message))
}

#[cfg(test)]
mod tests;
