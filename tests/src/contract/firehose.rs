//! Firehose: PutRecordBatch, which tells what failed record by record. Here each line is a record of its own.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ops_sdk::backend::Firehose;
use serde_json::{Value, json};

use super::{Case, HttpCase, Partly, Read, Success, Talk, cloudwatch, same};
use crate::rig::{Recorded, Reply};

pub(super) fn case() -> Case {
    Case {
        name: "firehose",
        vars: |url, _| {
            let own = [("OPS_FIREHOSE_STREAM", "ops"), ("OPS_FIREHOSE_AGGREGATE", "no")];
            let own = own.map(|(name, value)| (name, value.to_owned()));
            cloudwatch::keys(url).into_iter().chain(own).collect()
        },
        debug: |_| format!("{:?}", Firehose::new().stream("ops").region("eu-west-1")),
        read: Read::of_json,
        shown: same,
        ids: |_| true,
        talk: Talk::Http(HttpCase {
            push: |request| request.operation() == "PutRecordBatch",
            good: |request| answer(count(request), None),
            throttled: |_| Reply::answer(503, r#"{"__type":"ServiceUnavailableException"}"#),
            partial: Some(partial),
            ids,
            success: Success::Words,
            is_counted: false, // base64 is counted, so the limits are three quarters of the body's
        }),
    }
}

fn partial(request: &Recorded, at: usize) -> Partly {
    let count = count(request);
    let taken = (0..count).filter(|index| *index != at).collect();
    Partly { reply: answer(count, Some(at)), taken, refused: Vec::new() }
}

fn answer(count: usize, failed: Option<usize>) -> Reply {
    let one = |index: usize| match failed {
        Some(at) if at == index => json!({"ErrorCode": "InternalFailure", "ErrorMessage": "later"}),
        _ => json!({"RecordId": index.to_string()}),
    };
    let all: Vec<Value> = (0..count).map(one).collect();
    let body =
        json!({"FailedPutCount": u8::from(failed.is_some()), "Encrypted": false, "RequestResponses": all});
    Reply::answer(200, body.to_string())
}

pub(super) fn count(request: &Recorded) -> usize {
    request.json()["Records"].as_array().map_or(0, Vec::len)
}

/// The ids of the records in the data of each, one line in each.
pub(super) fn ids(request: &Recorded) -> Vec<String> {
    let body = request.json();
    let id = |record: &Value| {
        let data = STANDARD.decode(record["Data"].as_str()?).ok()?;
        let line: Value = serde_json::from_slice(&data).ok()?;
        line["id"].as_str().map(str::to_owned)
    };
    body["Records"].as_array().into_iter().flatten().filter_map(id).collect()
}
