//! Kinesis: PutRecords, which tells what failed record by record. Here each line is a record of its own.

use ops_sdk::backend::{Kinesis, PartitionKey};
use serde_json::{Value, json};

use super::{Case, HttpCase, Partly, Read, Success, Talk, cloudwatch, firehose, same};
use crate::rig::{Recorded, Reply};

pub(super) fn case() -> Case {
    Case {
        name: "kinesis",
        vars: |url, _| {
            let own = [("OPS_KINESIS_STREAM", "ops"), ("OPS_KINESIS_PACKING", "off")];
            let own = own.map(|(name, value)| (name, value.to_owned()));
            cloudwatch::keys(url).into_iter().chain(own).collect()
        },
        debug: |_| format!("{:?}", Kinesis::new().stream("ops").key(PartitionKey::Record)),
        read: Read::of_json,
        shown: same,
        ids: |_| true,
        talk: Talk::Http(HttpCase {
            push: |request| request.operation() == "PutRecords",
            good: |request| answer(firehose::count(request), None),
            throttled: |_| Reply::answer(400, r#"{"__type":"ProvisionedThroughputExceededException"}"#),
            partial: Some(partial),
            ids: firehose::ids,
            success: Success::Words,
            is_counted: false, // base64 is counted, so the limits are three quarters of the body's
        }),
    }
}

fn partial(request: &Recorded, at: usize) -> Partly {
    let count = firehose::count(request);
    let taken = (0..count).filter(|index| *index != at).collect();
    Partly { reply: answer(count, Some(at)), taken, refused: Vec::new() }
}

fn answer(count: usize, failed: Option<usize>) -> Reply {
    let one = |index: usize| match failed {
        Some(at) if at == index => {
            json!({"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "shard"})
        }
        _ => json!({"SequenceNumber": index.to_string(), "ShardId": "shardId-000000000000"}),
    };
    let all: Vec<Value> = (0..count).map(one).collect();
    let body = json!({"FailedRecordCount": u8::from(failed.is_some()), "Records": all});
    Reply::answer(200, body.to_string())
}
