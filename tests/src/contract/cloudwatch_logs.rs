//! CloudWatch Logs: PutLogEvents, which rejects from the ends of a push.

use ops_sdk::backend::CloudWatchLogs;
use serde_json::Value;

use super::{Case, HttpCase, Partly, Read, SECRET, Success, Talk, cloudwatch, same};
use crate::rig::{Recorded, Reply};

pub(super) fn case() -> Case {
    Case {
        name: "cloudwatch-logs",
        vars: |url, _| cloudwatch::keys(url),
        debug: |_| format!("{:?}", CloudWatchLogs::new().group("/a").token(SECRET).region("eu-west-1")),
        read: Read::of_json,
        shown: same,
        ids: |_| true,
        talk: Talk::Http(talk()),
    }
}

/// What PutLogEvents says, to whoever sends it.
pub(super) fn talk() -> HttpCase {
    HttpCase {
        push: |request| request.operation() == "PutLogEvents",
        good: |_| Reply::answer(200, "{}"),
        throttled: cloudwatch::throttled,
        partial: Some(partial),
        ids: |request| ids(&request.json()),
        success: Success::WordsOrNothing,
        is_counted: false, // the service counts messages and 26 bytes each, not the body
    }
}

/// Everything up to this event is too old.
fn partial(request: &Recorded, at: usize) -> Partly {
    let body = format!(r#"{{"rejectedLogEventsInfo":{{"tooOldLogEventEndIndex":{}}}}}"#, at + 1);
    let count = ids(&request.json()).len();
    Partly { reply: Reply::answer(200, body), taken: (at + 1..count).collect(), refused: (0..=at).collect() }
}

/// The ids of records, or of metrics in embedded form the whole line.
fn ids(body: &Value) -> Vec<String> {
    let events = body["logEvents"].as_array().cloned().unwrap_or_default();
    let id = |event: &Value| {
        let message = event["message"].as_str()?;
        let line: Value = serde_json::from_str(message).ok()?;
        Some(line["id"].as_str().map_or_else(|| message.to_owned(), str::to_owned))
    };
    events.iter().filter_map(id).collect()
}
