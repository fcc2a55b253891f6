//! The road into a log group: PutLogEvents, and what must exist before it. Group and stream are created on first need,
//! never asked for beforehand, so an account whose groups are made by others needs no permission but to put.
//!
//! Retention is set right after this process created the group and at no other time: a group that exists is its
//! owner's. Bodies are never compressed: no operation of this service has the trait for it.

use serde::Deserialize;

use super::destination::Destination;
use super::judge::{bisect, failed, judge, settle};
use super::place::Place;
use crate::backend::{Context, Refusal, Verdict};
use crate::chunk::Batch;
use crate::diag;
use crate::encode::json;
use crate::error::Error;
use crate::ledger::Loss;
use crate::limits::{Limits, Oversize};
use crate::net::aws::{Call, Client, Fault, Service, Settings};
use crate::net::{Net, Response};

const SERVICE: Service = Service {
    signing_name: "logs",
    host_prefix: "logs",
    variable: "CLOUDWATCH_LOGS",
    gov_dualstack_is_fips: false,
};

const DAY_MS: u64 = 24 * 3_600_000;

/// Sends batches of messages to one stream.
pub(in crate::backend) struct LogEvents {
    client: Client,
    place: Place,
    /// The group was created here and its retention is not set yet.
    retention_due: bool,
}

impl LogEvents {
    /// Checks the settings without speaking to the network.
    ///
    /// # Errors
    ///
    /// If a setting is missing or means nothing.
    pub(in crate::backend) fn open(told: &Destination, context: &Context) -> Result<LogEvents, Error> {
        let place = Place::find(told, context)?;
        let settings = Settings { region: told.region.clone(), endpoint: told.endpoint.clone() };
        let client = Client::open(SERVICE, &settings, &context.var)?;
        Ok(LogEvents { client, place, retention_due: false })
    }

    /// A second one for pushes beside this one's: since 2023 no sequence token orders the puts of a stream. Groups made
    /// by the first have their retention set by the first.
    pub(in crate::backend) fn another(&self) -> LogEvents {
        LogEvents { client: self.client.another(), place: self.place.clone(), retention_due: false }
    }

    /// What PutLogEvents takes (`logs/2014-03-28`, botocore 1.44.5): 1,048,576 bytes counted as UTF-8 bytes and 26 an
    /// event, escapes and envelope not counted; 10,000 events in order, all within less than 24 hours, from 14 days
    /// back to 2 hours ahead.
    pub(in crate::backend) fn limits() -> Limits {
        Limits {
            push_bytes_max: 1_048_576,
            envelope_bytes: 0,
            push_items_max: 10_000,
            item_bytes_max: 1_048_576 - 26,
            item_overhead_bytes: 26,
            span_ms_max: Some(DAY_MS),
            age_ms_max: Some(14 * DAY_MS),
            ahead_ms_max: Some(2 * 3_600_000),
            ordered: true,
            push: true,
            oversize: Oversize::Split,
        }
    }

    /// Puts a batch, and creates what is missing for it.
    pub(in crate::backend) fn send(&mut self, batch: &Batch, net: &mut Net) -> Verdict {
        if self.retention_due {
            self.set_retention(net);
        }
        let verdict = self.put_or_create(batch, net).unwrap_or_else(|verdict| verdict);
        settle(verdict, &mut self.client)
    }

    fn put_or_create(&mut self, batch: &Batch, net: &mut Net) -> Result<Verdict, Verdict> {
        let mut answer = self.call(net, "PutLogEvents", body(&self.place, batch))?;
        if is_missing(&answer) {
            self.create(net)?;
            answer = self.call(net, "PutLogEvents", body(&self.place, batch))?;
        }
        if is_missing(&answer) {
            // What was created a moment ago may take another to be seen.
            return Err(Verdict::Retry {
                after: None,
                why: format!("log group {} not there yet", self.place.group),
            });
        }
        let code = Fault::of(&answer).code;
        Ok(match judge(&answer, unix_s(net), batch.len()) {
            Verdict::Delivered => rejected(&answer.body, batch.len()),
            // The service stopped saying so in 2023; what stands in for it may still, and means that it has the push.
            _ if code == "DataAlreadyAcceptedException" => Verdict::Delivered,
            other => told(bisect(other, &code, batch.len()), "PutLogEvents"),
        })
    }

    /// Creates the stream, and the group if that is missing too.
    fn create(&mut self, net: &mut Net) -> Result<(), Verdict> {
        if self.make(net, "CreateLogStream", self.place.stream_body())? == Made::Missing {
            if self.make(net, "CreateLogGroup", self.place.group_body())? == Made::New {
                self.retention_due = self.place.retention_days.is_some();
                self.set_retention(net);
            }
            self.make(net, "CreateLogStream", self.place.stream_body())?;
        }
        Ok(())
    }

    fn make(&mut self, net: &mut Net, operation: &'static str, body: Vec<u8>) -> Result<Made, Verdict> {
        let answer = self.call(net, operation, body)?;
        if is_missing(&answer) {
            return Ok(Made::Missing);
        }
        if Fault::of(&answer).code == "ResourceAlreadyExistsException" {
            return Ok(Made::Old);
        }
        match judge(&answer, unix_s(net), 1) {
            Verdict::Delivered => Ok(Made::New),
            // The batch is not at fault: it waits until what it needs can be made.
            Verdict::Refuse(refusal) => {
                Err(told(Verdict::Retry { after: None, why: refusal.why }, operation))
            }
            other => Err(told(other, operation)),
        }
    }

    /// Sets the group's retention. What fails for now is tried again with the next batch; what is denied is said.
    fn set_retention(&mut self, net: &mut Net) {
        let Some(body) = self.place.retention_body().filter(|_| self.retention_due) else { return };
        let verdict = match self.call(net, "PutRetentionPolicy", body) {
            Ok(answer) => judge(&answer, unix_s(net), 1),
            Err(verdict) => verdict,
        };
        match verdict {
            Verdict::Delivered => self.retention_due = false,
            Verdict::Retry { after: None, .. }
            | Verdict::Throttle { .. }
            | Verdict::Reauthenticate { .. } => {}
            Verdict::Retry { why, .. } | Verdict::Refuse(Refusal { why, .. }) => {
                self.retention_due = false;
                let group = &self.place.group;
                let text = format!("cloudwatch-logs: the retention of {group} is not set: {why}");
                diag::warn("cloudwatch-logs retention", net.current(), &text);
            }
            Verdict::Halve | Verdict::Partial { .. } => self.retention_due = false,
        }
    }

    fn call(&mut self, net: &mut Net, operation: &str, body: Vec<u8>) -> Result<Response, Verdict> {
        let target = format!("Logs_20140328.{operation}");
        let call = Call { target: &target, content_type: "application/x-amz-json-1.1", headers: &[], body };
        self.client.call(net, &call).map_err(failed)
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Made {
    New,
    Old,
    /// What it belongs to does not exist.
    Missing,
}

impl Place {
    fn names(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"logGroupName\":");
        json::string(out, &self.group);
    }

    fn group_body(&self) -> Vec<u8> {
        let mut body = Vec::new();
        self.names(&mut body);
        body.push(b'}');
        body
    }

    fn stream_body(&self) -> Vec<u8> {
        let mut body = Vec::new();
        self.names(&mut body);
        body.extend_from_slice(b",\"logStreamName\":");
        json::string(&mut body, &self.stream);
        body.push(b'}');
        body
    }

    fn retention_body(&self) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        self.names(&mut body);
        body.extend_from_slice(format!(",\"retentionInDays\":{}}}", self.retention_days?).as_bytes());
        Some(body)
    }
}

/// The body of PutLogEvents.
fn body(place: &Place, batch: &Batch) -> Vec<u8> {
    let mut body = place.stream_body();
    body.pop();
    body.reserve(batch.bytes() * 5 / 4 + batch.len() * 48);
    body.extend_from_slice(b",\"logEvents\":[");
    for (index, (item, message)) in batch.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        body.extend_from_slice(b"{\"timestamp\":");
        json::number_u64(&mut body, item.time_ms);
        body.extend_from_slice(b",\"message\":");
        json::string(&mut body, &String::from_utf8_lossy(message));
        body.push(b'}');
    }
    body.extend_from_slice(b"]}");
    body
}

fn is_missing(answer: &Response) -> bool {
    answer.status >= 400 && Fault::of(answer).code == "ResourceNotFoundException"
}

fn unix_s(net: &Net) -> i64 {
    i64::try_from(net.current().unix_ns / 1_000_000_000).unwrap_or(i64::MAX)
}

/// The verdict with the operation's name before its reason.
fn told(verdict: Verdict, operation: &str) -> Verdict {
    match verdict {
        Verdict::Retry { after, why } => Verdict::Retry { after, why: format!("{operation}: {why}") },
        Verdict::Throttle { after, why } => Verdict::Throttle { after, why: format!("{operation}: {why}") },
        Verdict::Reauthenticate { why } => Verdict::Reauthenticate { why: format!("{operation}: {why}") },
        other => other,
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Reply {
    rejected_log_events_info: Option<RejectedInfo>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct RejectedInfo {
    too_new_log_event_start_index: Option<i64>,
    too_old_log_event_end_index: Option<i64>,
    expired_log_event_end_index: Option<i64>,
}

/// A success that rejects some events: the start of the too new ones is inclusive, the ends of the too old and expired
/// ones are exclusive. The rest is delivered, and what is rejected is never to be sent again.
fn rejected(body: &[u8], len: usize) -> Verdict {
    let reply: Reply = serde_json::from_slice(body).unwrap_or_default();
    let info = reply.rejected_log_events_info.unwrap_or_default();
    let index =
        |value: Option<i64>, default| value.map_or(default, |at| usize::try_from(at).unwrap_or(0)).min(len);
    let old = index(info.too_old_log_event_end_index, 0);
    let expired = index(info.expired_log_event_end_index, 0);
    let new = index(info.too_new_log_event_start_index, len);
    let refusal = |at: usize| {
        let (loss, why) = if at < old {
            (Loss::TooOld, "older than 14 days")
        } else if at < expired {
            (Loss::TooOld, "older than the log group's retention")
        } else if at >= new {
            (Loss::TooNew, "more than 2 hours ahead")
        } else {
            return None;
        };
        Some((at, Refusal { loss, why: why.to_owned() }))
    };
    let refused: Vec<_> = (0..len).filter_map(refusal).collect();
    if refused.is_empty() { Verdict::Delivered } else { Verdict::Partial { failed: Vec::new(), refused } }
}

#[cfg(test)]
mod tests;
