//! S3: PutObject and its answers, an object of lines for each push. There is no partial answer.

use std::io::Read as _;

use ops_sdk::backend::S3;
use serde_json::Value;

use super::{Case, HttpCase, Read, Success, Talk, cloudwatch, same};
use crate::rig::{Recorded, Reply};

pub(super) fn case() -> Case {
    Case {
        name: "s3",
        vars: |url, _| [cloudwatch::keys(url), vec![("OPS_S3_BUCKET", "bucket".to_owned())]].concat(),
        debug: |_| format!("{:?}", S3::new().bucket("bucket").region("eu-west-1")),
        read: Read::of_json,
        shown: same,
        ids: |_| true,
        talk: Talk::Http(HttpCase {
            push: |request| request.method == "PUT",
            good: |request| match request.method.as_str() {
                "HEAD" => Reply::answer(404, ""),
                _ => Reply::answer(200, "").with("ETag", "\"d41d8cd98f00b204e9800998ecf8427e\""),
            },
            throttled: |_| {
                Reply::answer(
                    503,
                    "<Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>",
                )
            },
            partial: None,
            ids,
            success: Success::Words,
            is_counted: true,
        }),
    }
}

/// The ids of an object's records.
fn ids(request: &Recorded) -> Vec<String> {
    let mut text = String::new();
    let read = flate2::read::MultiGzDecoder::new(&request.raw_body[..]).read_to_string(&mut text);
    read.expect("gzip of text");
    let id = |line: &str| {
        let line: Value = serde_json::from_str(line).expect("JSON");
        line["id"].as_str().expect("an id").to_owned()
    };
    text.lines().map(id).collect()
}
