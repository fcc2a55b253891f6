//! Elasticsearch: `_bulk`, which answers for each document, and the index templates that are asked for before it.

use ops_sdk::backend::Elasticsearch;
use serde_json::{Value, json};

use super::{Case, HttpCase, Partly, Read, SECRET, Success, Talk, same};
use crate::rig::{Recorded, Reply};

pub(super) fn case() -> Case {
    Case {
        name: "elasticsearch",
        vars: |url, _| {
            let key = format!("id:{SECRET}");
            vec![("OPS_ELASTICSEARCH_URL", url.to_owned()), ("OPS_ELASTICSEARCH_API_KEY", key)]
        },
        debug: |secret| format!("{:?}", Elasticsearch::new().api_key(secret).basic("elastic", secret)),
        read,
        shown: same,
        ids: |_| true,
        talk: Talk::Http(HttpCase {
            push: is_push,
            good: |request| match is_push(request) {
                true => answer(request, None),
                false => Reply::answer(200, r#"{"index_templates":[{"index_template":{}}]}"#),
            },
            throttled: |_| {
                let error = json!({ "type": "es_rejected_execution_exception", "reason": "queue is full" });
                Reply::answer(429, json!({ "error": error, "status": 429 }).to_string())
            },
            partial: Some(partial),
            ids,
            success: Success::Words,
            is_counted: true,
        }),
    }
}

/// The line that says where to, and the document.
fn read(item: &[u8]) -> Result<Read, String> {
    let text = std::str::from_utf8(item).map_err(|error| error.to_string())?;
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let [action, document] = lines[..] else { return Err(format!("{} lines", lines.len())) };
    if !document.ends_with('\n') {
        return Err("no end of line".to_owned());
    }
    let (mut read, other) = (Read::of_json(action.as_bytes())?, Read::of_json(document.as_bytes())?);
    read.texts.extend(other.texts);
    read.numbers.extend(other.numbers);
    Ok(read)
}

fn is_push(request: &Recorded) -> bool {
    request.path.starts_with("/_bulk")
}

/// Every document is taken but this one.
fn answer(request: &Recorded, but: Option<usize>) -> Reply {
    let item = |index: usize| match but == Some(index) {
        true => {
            json!({ "create": { "status": 400, "error": { "type": "document_parsing_exception", "reason": "no" } } })
        }
        false => json!({ "create": { "status": 201 } }),
    };
    let items: Vec<Value> = (0..ids(request).len()).map(item).collect();
    Reply::answer(200, json!({ "errors": but.is_some(), "items": items }).to_string())
}

fn partial(request: &Recorded, at: usize) -> Partly {
    let taken = (0..ids(request).len()).filter(|index| *index != at).collect();
    Partly { reply: answer(request, Some(at)), taken, refused: vec![at] }
}

/// The ids under which documents are to be created.
fn ids(request: &Recorded) -> Vec<String> {
    let body = String::from_utf8_lossy(request.decoded.as_deref().unwrap_or_default()).into_owned();
    let id = |action: &str| {
        let action: Value = serde_json::from_str(action).ok()?;
        action["create"]["_id"].as_str().map(str::to_owned)
    };
    body.lines().step_by(2).filter_map(id).collect()
}
