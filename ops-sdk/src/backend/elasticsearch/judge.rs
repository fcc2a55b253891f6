//! What an answer to `_bulk` means for a batch, document by document. Pure: an answer in, a verdict out.
//!
//! A document that is there already (409: it was sent again) is delivered. What a document's own content is refused for
//! (400) is refused for good; what the index, a permission or the cluster's state is to blame for is tried again, and
//! waited out where only an operator can help.

use std::time::Duration;

use serde::Deserialize;

use super::super::shared::{self, operator, retry_after, why};
use crate::backend::{Refusal, Verdict};
use crate::ledger::Loss;
use crate::net::{ANSWER_BYTES_MAX, Response};

/// Characters of the server's words that are kept with a refused document.
const REASON_MAX: usize = 300;

/// 400s that no document is to blame for: names of errors, or what a reason begins with.
const NOT_THE_DOCUMENT: [&str; 7] = [
    "validation_exception", // "this cluster currently has [1000]/[1000] maximum shards open"
    "index_closed_exception",
    "invalid_index_name_exception",
    "invalid_alias_name_exception",
    "index_not_found_exception",
    "Document ID is not supported", // a time series collection of OpenSearch Serverless: `ids` has to be off
    "only write ops with an op_type of create",
];

/// What an answer means.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Judged {
    pub(super) verdict: Verdict,
    /// A data stream or its template is not there.
    pub(super) is_missing: bool,
}

#[derive(Deserialize)]
struct Answer {
    errors: bool,
    #[serde(default)]
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    create: Outcome,
}

#[derive(Deserialize)]
struct Outcome {
    status: u16,
    #[serde(default)]
    error: Option<Fault>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Fault {
    #[serde(rename = "type")]
    kind: String,
    reason: String,
}

/// An error of the whole request.
#[derive(Deserialize)]
struct Refused {
    error: Fault,
}

/// What the answer means for a batch of this many documents, as of `now_unix_s`.
pub(super) fn judge(answer: &Response, now_unix_s: u64, documents: usize) -> Judged {
    let whole = |verdict| Judged { verdict, is_missing: false };
    match answer.status {
        200..=299 => bulk(answer, now_unix_s, documents),
        400 => whole(bad_request(answer, documents)),
        401 | 403 => whole(Verdict::Reauthenticate { why: why(answer) }),
        422 => whole(operator(why(answer))),
        _ => whole(shared::judge(answer, now_unix_s, documents)),
    }
}

/// A request that is refused for what is in it is halved until the document stands alone that it is refused for; one
/// that is refused for how it was asked is nobody's but the operator's.
fn bad_request(answer: &Response, documents: usize) -> Verdict {
    let Ok(Refused { error }) = serde_json::from_slice(&answer.body) else {
        return operator(format!("{}: is this Elasticsearch or OpenSearch?", why(answer)));
    };
    if error.reason.contains("unrecognized parameter") || is_not_the_document(&error) {
        operator(told(&error))
    } else if documents > 1 {
        Verdict::Halve
    } else {
        Verdict::Refuse(Refusal { loss: Loss::Refused, why: told(&error) })
    }
}

/// What became of one document.
enum Fate {
    Taken,
    /// Tried again: now, more slowly, or when an operator has helped.
    Failed(Cause),
    Refused(Refusal),
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Cause {
    Server,
    Throttled,
    Operator,
    Missing,
}

fn bulk(answer: &Response, now_unix_s: u64, documents: usize) -> Judged {
    let whole = |verdict| Judged { verdict, is_missing: false };
    let Ok(Answer { errors, items }) = serde_json::from_slice(&answer.body) else {
        let is_cut = u64::try_from(answer.body.len()).is_ok_and(|bytes| bytes >= ANSWER_BYTES_MAX);
        return whole(match documents {
            // Nothing is stored twice by asking again for less of it.
            2.. if is_cut && answer.body.starts_with(b"{") => Verdict::Halve,
            _ => operator(format!("{}: is this Elasticsearch or OpenSearch?", why(answer))),
        });
    };
    if !errors {
        return whole(Verdict::Delivered);
    }
    if items.len() != documents {
        let why = format!("the answer tells of {} documents, {documents} were sent", items.len());
        return whole(Verdict::Retry { after: None, why });
    }
    let (mut failed, mut refused, mut worst) = (Vec::new(), Vec::new(), None);
    for (index, Item { create }) in items.into_iter().enumerate() {
        let error = create.error.unwrap_or_default();
        match fate(create.status, &error) {
            Fate::Taken => {}
            Fate::Refused(refusal) => refused.push((index, refusal)),
            Fate::Failed(cause) => {
                failed.push(index);
                if worst.as_ref().is_none_or(|(other, _)| *other < cause) {
                    worst = Some((cause, told(&error)));
                }
            }
        }
    }
    let is_missing = worst.as_ref().is_some_and(|(cause, _)| *cause == Cause::Missing);
    let verdict = match worst {
        None if refused.is_empty() => Verdict::Delivered,
        Some((cause, why)) if failed.len() == documents => {
            none_taken(cause, why, retry_after(answer, now_unix_s))
        }
        _ => Verdict::Partial { failed, refused },
    };
    Judged { verdict, is_missing }
}

/// Where nothing was taken, the whole batch waits, and for as long as its cause asks for.
fn none_taken(cause: Cause, why: String, after: Option<Duration>) -> Verdict {
    match cause {
        Cause::Server => Verdict::Retry { after, why },
        Cause::Throttled => Verdict::Throttle { after, why },
        Cause::Operator | Cause::Missing => operator(why),
    }
}

fn fate(status: u16, error: &Fault) -> Fate {
    let refused = |loss| Fate::Refused(Refusal { loss, why: told(error) });
    match status {
        200..=299 | 409 => Fate::Taken,
        404 => Fate::Failed(Cause::Missing),
        400 if is_not_the_document(error) => Fate::Failed(Cause::Operator),
        400 | 422 => refused(Loss::Refused),
        413 => refused(Loss::Oversize),
        429 => Fate::Failed(Cause::Throttled),
        408 | 500.. => Fate::Failed(Cause::Server),
        _ => Fate::Failed(Cause::Operator),
    }
}

fn is_not_the_document(error: &Fault) -> bool {
    NOT_THE_DOCUMENT.iter().any(|known| error.kind == *known || error.reason.starts_with(known))
}

/// The server's words on one line.
fn told(error: &Fault) -> String {
    let words = format!("{}: {}", error.kind, error.reason);
    let line = words.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().filter(|c| !c.is_control()).take(REASON_MAX).collect()
}
