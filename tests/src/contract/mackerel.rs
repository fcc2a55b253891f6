//! Mackerel: a host's metrics and reports, all or nothing.

use ops_sdk::backend::Mackerel;
use serde_json::Value;

use super::{Case, HttpCase, Read, SECRET, Success, Talk, same};
use crate::rig::{Recorded, Reply};

pub(super) fn case() -> Case {
    Case {
        name: "mackerel",
        vars: |url, _| {
            vec![
                ("MACKEREL_APIKEY", SECRET.to_owned()),
                ("OPS_MACKEREL_ENDPOINT", url.to_owned()),
                ("OPS_MACKEREL_HOST_ID", "2u4PP3TJqbu".to_owned()),
            ]
        },
        debug: |secret| format!("{:?}", Mackerel::new().api_key(secret).service("shop")),
        // What stands before the object says how values of one minute become one.
        read: |item| {
            let start = item.iter().position(|byte| *byte == b'{').ok_or("no object")?;
            Read::of_json(&item[start..])
        },
        shown: same,
        ids: |_| false,
        talk: Talk::Http(HttpCase {
            push: |request| !request.path.contains("graph-defs"),
            good: |_| Reply::answer(200, r#"{"success":true}"#),
            throttled: |_| Reply::answer(429, r#"{"error":{"message":"Too many requests"}}"#),
            partial: None,
            ids,
            success: Success::Words,
            is_counted: false, // the host's id stands in each value, and no size is documented
        }),
    }
}

/// The names of metrics and reports.
fn ids(request: &Recorded) -> Vec<String> {
    let body = request.json();
    let items = body["reports"].as_array().or(body.as_array()).cloned();
    items.iter().flatten().filter_map(|item: &Value| item["name"].as_str().map(str::to_owned)).collect()
}
