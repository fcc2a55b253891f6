//! CloudSearch: a batch of documents, which one bad document fails.

use ops_sdk::backend::CloudSearch;
use serde_json::{Value, json};

use super::{Case, HttpCase, Partly, Read, Success, Talk, cloudwatch};
use crate::rig::{Recorded, Reply};

pub(super) fn case() -> Case {
    Case {
        name: "cloudsearch",
        vars: |url, _| {
            let mut vars = cloudwatch::keys(url);
            vars.push(("OPS_CLOUDSEARCH_ENDPOINT", url.to_owned()));
            vars
        },
        debug: |_| format!("{:?}", CloudSearch::new().region("eu-west-1")),
        read: Read::of_json,
        shown,
        ids: |_| true,
        talk: Talk::Http(HttpCase {
            push: |_| true,
            good: |_| Reply::answer(200, r#"{"status":"success","adds":1,"deletes":0}"#),
            throttled: |_| Reply::answer(507, error("no space")),
            partial: Some(partial),
            ids,
            success: Success::Words,
            is_counted: true,
        }),
    }
}

/// What XML has no place for is replaced.
fn shown(message: &str) -> String {
    let legal =
        |c: char| matches!(c, '\t' | '\n' | '\r') || (c >= ' ' && !matches!(c, '\u{fffe}' | '\u{ffff}'));
    message.chars().map(|c| if legal(c) { c } else { '\u{fffd}' }).collect()
}

fn error(message: &str) -> String {
    json!({ "__type": "DocumentServiceException", "status": "error", "message": message }).to_string()
}

/// The document is named, and nothing of the batch is taken.
fn partial(request: &Recorded, at: usize) -> Partly {
    let id = &ids(request)[at];
    let message = format!("Validation error (near operation with index {}; document_id {id})", at + 1);
    Partly { reply: Reply::answer(400, error(&message)), taken: Vec::new(), refused: vec![at] }
}

fn ids(request: &Recorded) -> Vec<String> {
    let operations: Vec<Value> = request.json().as_array().cloned().unwrap_or_default();
    operations.iter().filter_map(|operation| operation["id"].as_str().map(str::to_owned)).collect()
}
