//! Datadog: an endpoint for each kind, all or nothing.

use std::io::Read as _;

use flate2::read::ZlibDecoder;
use ops_sdk::backend::Datadog;
use ops_sdk::model::Signal;
use serde_json::Value;

use super::{Case, HttpCase, Read, SECRET, Success, Talk, same};
use crate::rig::{Recorded, Reply};

pub(super) fn case() -> Case {
    Case {
        name: "datadog",
        vars: |url, _| {
            vec![
                ("DD_API_KEY", SECRET.to_owned()),
                ("OPS_DATADOG_ENDPOINT", url.to_owned()),
                ("OPS_DATADOG_EVENTS", "on".to_owned()),
            ]
        },
        debug: |secret| format!("{:?}", Datadog::new().api_key(secret).site("datadoghq.eu")),
        read: Read::of_json,
        shown: same,
        ids: |signal| !matches!(signal, Signal::Metric | Signal::Check), // there is no place for one
        talk: Talk::Http(HttpCase {
            push: |_| true,
            good: |_| Reply::answer(202, r#"{"errors":[]}"#),
            throttled: |_| Reply::answer(429, r#"{"errors":["Rate limit"]}"#),
            partial: None,
            ids,
            success: Success::WordsOrNothing,
            is_counted: true,
        }),
    }
}

/// The names of metrics and checks, the ids of events and changes.
fn ids(request: &Recorded) -> Vec<String> {
    let body: Value = match request.header("content-encoding") {
        Some("deflate") => {
            let mut text = String::new();
            ZlibDecoder::new(&request.raw_body[..]).read_to_string(&mut text).expect("deflate");
            serde_json::from_str(&text).expect("JSON")
        }
        _ => request.json(),
    };
    let items = match request.path.as_str() {
        "/api/v2/series" | "/api/v1/distribution_points" => body["series"].as_array().cloned(),
        "/api/v2/events" => Some(vec![body["data"]["attributes"]["attributes"]["change_metadata"].clone()]),
        _ => body.as_array().cloned(),
    };
    let named = |item: &Value| {
        ["id", "metric", "check"].iter().find_map(|key| item[*key].as_str().map(str::to_owned))
    };
    items.iter().flatten().filter_map(named).collect()
}
