//! OTLP over HTTP, in JSON, which a general parser reads. What it is in protobuf is read in `tests/tests/otlp.rs`.

use ops_sdk::backend::Otlp;
use serde_json::Value;

use super::{Case, HttpCase, Read, SECRET, Success, Talk, all_but_metrics, same};
use crate::rig::Reply;

pub(super) fn case() -> Case {
    Case {
        name: "otlp",
        vars: |url, _| {
            vec![
                ("OPS_OTLP_ENDPOINT", url.to_owned()),
                ("OPS_OTLP_PROTOCOL", "http/json".to_owned()),
                ("OPS_OTLP_TOKEN", SECRET.to_owned()),
                ("OPS_OTLP_HEADERS", format!("x-key={SECRET}")),
            ]
        },
        debug: |secret| format!("{:?}", Otlp::new().token(secret).header("x-key", secret)),
        read,
        shown: same,
        ids: all_but_metrics,
        talk: Talk::Http(HttpCase {
            push: |_| true,
            good: |_| Reply::answer(200, "{}").with("Content-Type", "application/json"),
            throttled: |_| Reply::answer(429, r#"{"code":8,"message":"slower"}"#),
            // A partial success says how many it rejects, and not which.
            partial: None,
            ids: |request| ids(&request.json()),
            success: Success::WordsOrNothing,
            is_counted: true,
        }),
    }
}

/// The item behind its mark. 64-bit whole numbers are text in the JSON of protobuf.
fn read(item: &[u8]) -> Result<Read, String> {
    let Some((b'm' | b'l', json)) = item.split_first() else { return Err("no mark of JSON".to_owned()) };
    let mut read = Read::of_json(json)?;
    read.numbers.extend(read.texts.iter().filter_map(|text| text.parse::<f64>().ok()));
    Ok(read)
}

fn ids(body: &Value) -> Vec<String> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let metrics = list(&body["resourceMetrics"][0]["scopeMetrics"][0]["metrics"]);
    let names = metrics.iter().filter_map(|metric| metric["name"].as_str().map(str::to_owned));
    let logs = list(&body["resourceLogs"][0]["scopeLogs"][0]["logRecords"]);
    let uid = |log: &Value| {
        let own = list(&log["attributes"]).into_iter().find(|one| one["key"] == "log.record.uid")?;
        own["value"]["stringValue"].as_str().map(str::to_owned)
    };
    names.chain(logs.iter().filter_map(uid)).collect()
}
