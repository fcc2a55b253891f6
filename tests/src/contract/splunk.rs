//! Splunk: objects one after another, and answers that name the first bad one.

use ops_sdk::backend::Splunk;
use serde_json::Value;

use super::{Case, HttpCase, Partly, Read, SECRET, Success, Talk, all_but_metrics, same};
use crate::rig::{Recorded, Reply};

pub(super) fn case() -> Case {
    Case {
        name: "splunk",
        vars: |url, _| {
            let vars = [
                ("OPS_SPLUNK_URL", url),
                ("OPS_SPLUNK_TOKEN", SECRET),
                ("OPS_SPLUNK_INDEX", "main"),
                ("OPS_SPLUNK_METRICS_INDEX", "metrics"),
                ("OPS_SPLUNK_CHANNEL", "8f14e45f-ceea-467f-a0e6-8d2b1b1a7c11"),
            ];
            vars.map(|(name, value)| (name, value.to_owned())).to_vec()
        },
        debug: |secret| format!("{:?}", Splunk::new().url("https://splunk:8088").token(secret)),
        read,
        shown: same,
        ids: all_but_metrics,
        talk: Talk::Http(HttpCase {
            push: |_| true,
            good: |_| Reply::answer(200, r#"{"text":"Success","code":0}"#),
            throttled: |_| Reply::answer(503, r#"{"text":"Server is busy","code":9}"#),
            partial: Some(partial),
            ids: |request| objects(request).iter().map(id).collect(),
            success: Success::Words,
            is_counted: true,
        }),
    }
}

/// An event or the fields of a metric; a part of an over-long event is a string.
fn read(item: &[u8]) -> Result<Read, String> {
    match serde_json::from_slice(item) {
        Ok(part @ Value::String(_)) => Ok(Read::of_value(&part)),
        _ => Read::of_json(item),
    }
}

/// What is before this object is kept.
fn partial(request: &Recorded, at: usize) -> Partly {
    let body = format!(r#"{{"text":"Invalid data format","code":6,"invalid-event-number":{at}}}"#);
    let reply = Reply::answer(400, body);
    // One object alone is refused, and no part of the push is left: nothing is said of the others.
    Partly { reply, taken: (0..at.min(objects(request).len())).collect(), refused: vec![at] }
}

fn objects(request: &Recorded) -> Vec<Value> {
    let body = request.decoded.as_deref().unwrap_or_default();
    serde_json::Deserializer::from_slice(body).into_iter().filter_map(Result::ok).collect()
}

/// The id of a record, or the measure of a metric.
fn id(object: &Value) -> String {
    let measure = || object["fields"].as_object()?.keys().find(|key| key.starts_with("metric_name:"));
    let id = object["event"]["id"].as_str().map(str::to_owned);
    id.or_else(|| measure().cloned()).unwrap_or_else(|| object.to_string())
}
