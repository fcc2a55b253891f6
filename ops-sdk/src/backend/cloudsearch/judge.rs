//! What an answer to `documents/batch` means. Pure: an answer in, a verdict out.
//!
//! One bad document fails the whole batch, and the service names it: the others are sent again without it. Where it
//! does not, the batch is halved down to it. A field that the domain does not have is an operator's to add.

use std::time::Duration;

use serde::Deserialize;

use super::super::shared::{self, operator, retry_after};
use crate::backend::{Refusal, Verdict};
use crate::chunk::Batch;
use crate::ledger::Loss;
use crate::net::Response;
use crate::net::aws::Fault;

/// What the service says of a field that the domain lacks.
const NO_FIELD: &str = "does not exist in domain metadata";
const REMEDY: &str = "give the domain the fields of docs/backends/cloudsearch.md";
/// Codes of keys that are wrong or past their time, `Exception` left out.
const CREDENTIALS: [&str; 9] = [
    "ExpiredToken",
    "UnrecognizedClient",
    "InvalidClientTokenId",
    "InvalidSignature",
    "SignatureDoesNotMatch",
    "IncompleteSignature",
    "MissingAuthenticationToken",
    "RequestExpired",
    "InvalidToken",
];

/// What the service says of itself, in success and in failure; where it is not called as a SDK does, its messages are
/// in a list.
#[derive(Deserialize)]
struct Said {
    status: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    errors: Vec<Message>,
}

#[derive(Deserialize)]
struct Message {
    message: String,
}

/// What the answer means for the batch, as of `now_unix_s`.
pub(super) fn judge(answer: &Response, now_unix_s: u64, batch: &Batch) -> Verdict {
    let fault = Fault::of(answer);
    let why = shared::why(answer);
    let after = retry_after(answer, now_unix_s);
    match answer.status {
        200..=299 => delivered(answer, why),
        400 => bad_request(&fault, &message(answer, &fault), why, after, batch),
        401 | 403 if is_credentials(&fault) => Verdict::Reauthenticate { why },
        // The domain has all it can take now: 507 and 509 are its own words for that (botocore retries a 509, too).
        429 | 503 | 507 | 509 => Verdict::Throttle { after, why },
        422 => operator(why),
        _ => shared::judge(answer, now_unix_s, batch.len()),
    }
}

fn delivered(answer: &Response, why: String) -> Verdict {
    match serde_json::from_slice::<Said>(&answer.body) {
        Ok(said) if said.status == "success" => Verdict::Delivered,
        Ok(said) => Verdict::Retry { after: None, why: format!("the service says {:?}: {why}", said.status) },
        Err(_) => operator(format!("{why}: is the endpoint the domain's document endpoint?")),
    }
}

/// The service's own words; empty if it was not the service that answered.
fn message(answer: &Response, fault: &Fault) -> String {
    let said = serde_json::from_slice::<Said>(&answer.body).ok().filter(|said| said.status == "error");
    let told = said.map(|said| {
        let all = std::iter::once(said.message).chain(said.errors.into_iter().map(|error| error.message));
        format!("error: {}", all.collect::<Vec<_>>().join(" "))
    });
    told.unwrap_or_else(|| match fault.code.as_str() {
        "" => String::new(),
        code => format!("{code}: {}", fault.message),
    })
}

fn bad_request(fault: &Fault, message: &str, why: String, after: Option<Duration>, batch: &Batch) -> Verdict {
    if is_credentials(fault) {
        return Verdict::Reauthenticate { why };
    }
    if code(fault).starts_with("Throttl") {
        return Verdict::Throttle { after, why };
    }
    if message.contains(NO_FIELD) {
        return operator(format!("{why}; {REMEDY}"));
    }
    if message.is_empty() {
        return operator(format!("{why}: is the endpoint the domain's document endpoint?"));
    }
    let refusal = Refusal { loss: Loss::Refused, why };
    match named(message, batch) {
        Some(bad) => {
            let failed = (0..batch.len()).filter(|index| *index != bad).collect();
            Verdict::Partial { failed, refused: vec![(bad, refusal)] }
        }
        None if batch.len() < 2 => Verdict::Refuse(refusal),
        None => Verdict::Halve,
    }
}

/// The document that the message names: "(near operation with index 2; document_id 00c0ffee00c0ffee-42)".
fn named(message: &str, batch: &Batch) -> Option<usize> {
    let (_, rest) = message.rsplit_once("document_id ")?;
    let id = rest.split(|c: char| c == ')' || c.is_whitespace()).next()?;
    let mut found = batch.iter().enumerate().filter(|(_, (item, _))| item.record.to_string() == id);
    let (index, _) = found.next()?;
    found.next().is_none().then_some(index)
}

fn is_credentials(fault: &Fault) -> bool {
    CREDENTIALS.contains(&code(fault))
}

fn code(fault: &Fault) -> &str {
    fault.code.strip_suffix("Exception").unwrap_or(&fault.code)
}
