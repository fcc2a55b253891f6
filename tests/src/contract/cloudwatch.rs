//! CloudWatch metrics: PutMetricData in JSON, and keys that all of Amazon's backends share.

use ops_sdk::backend::CloudWatch;
use serde_json::Value;

use super::{Case, HttpCase, Read, SECRET, Success, Talk, same};
use crate::rig::{Recorded, Reply};

pub(super) fn case() -> Case {
    Case {
        name: "cloudwatch",
        vars: |url, _| keys(url),
        debug: |_| format!("{:?}", CloudWatch::new().region("eu-west-1")),
        read: Read::of_json,
        shown: same,
        ids: |_| false,
        talk: Talk::Http(HttpCase {
            push: |_| true,
            good: |_| Reply::answer(200, "{}"),
            throttled,
            partial: None,
            ids: |request| names(&request.json()),
            success: Success::WordsOrNothing,
            is_counted: true,
        }),
    }
}

/// Keys, a region and an endpoint.
pub(super) fn keys(url: &str) -> Vec<(&'static str, String)> {
    vec![
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", SECRET.to_owned()),
        ("AWS_SESSION_TOKEN", format!("token-{SECRET}")),
        ("AWS_REGION", "eu-west-1".to_owned()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ("AWS_ENDPOINT_URL", url.to_owned()),
    ]
}

/// Throttling as Amazon's JSON protocols word it.
pub(super) fn throttled(_: &Recorded) -> Reply {
    Reply::answer(400, r#"{"__type":"ThrottlingException","message":"Rate exceeded"}"#)
}

fn names(body: &Value) -> Vec<String> {
    let data = body["MetricData"].as_array().cloned().unwrap_or_default();
    data.iter().filter_map(|datum| datum["MetricName"].as_str().map(str::to_owned)).collect()
}
