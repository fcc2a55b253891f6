//! The embedded metric format, into a log group: the road of CloudWatch Logs, with several metrics in one event.

use ops_sdk::backend::{Emf, EmfTarget};
use serde_json::Value;

use super::{Case, HttpCase, Partly, Read, Talk, all_but_metrics, cloudwatch, cloudwatch_logs, same};
use crate::rig::{Recorded, Reply};

pub(super) fn case() -> Case {
    Case {
        name: "emf",
        vars: |url, _| {
            let mut vars = cloudwatch::keys(url);
            vars.push(("OPS_EMF_TARGET", "logs".to_owned()));
            vars
        },
        debug: |_| format!("{:?}", Emf::new().target(EmfTarget::Logs).group("/a")),
        read: Read::of_json,
        shown: same,
        ids: all_but_metrics,
        talk: Talk::Http(HttpCase {
            partial: Some(partial),
            ids: |request| events(request).concat(),
            ..cloudwatch_logs::talk()
        }),
    }
}

/// Every event up to the one that holds this item is too old.
fn partial(request: &Recorded, at: usize) -> Partly {
    let events = events(request);
    let (mut last, mut refused) = (0, 0);
    for (index, event) in events.iter().enumerate() {
        if refused <= at {
            (last, refused) = (index, refused + event.len());
        }
    }
    let body = format!(r#"{{"rejectedLogEventsInfo":{{"tooOldLogEventEndIndex":{}}}}}"#, last + 1);
    let all = events.concat().len();
    Partly {
        reply: Reply::answer(200, body),
        taken: (refused..all).collect(),
        refused: (0..refused).collect(),
    }
}

/// What each event holds: the id of a log record, or each metric with its time, dimensions and value.
fn events(request: &Recorded) -> Vec<Vec<String>> {
    let events = request.json()["logEvents"].as_array().cloned().unwrap_or_default();
    let line = |event: &Value| serde_json::from_str::<Value>(event["message"].as_str()?).ok();
    events.iter().filter_map(line).map(|line| held(&line)).collect()
}

fn held(line: &Value) -> Vec<String> {
    let Some(directive) = line["_aws"]["CloudWatchMetrics"].get(0) else {
        return line["id"].as_str().map(str::to_owned).into_iter().collect();
    };
    let names = |list: &Value| list.as_array().cloned().unwrap_or_default();
    let dimensions: Vec<String> = names(&directive["Dimensions"][0])
        .iter()
        .map(|name| format!("{name}={}", line[name.as_str().unwrap_or_default()]))
        .collect();
    let metric = |definition: &Value| {
        let name = definition["Name"].as_str().unwrap_or_default();
        format!("{} {name} {dimensions:?} {}", line["_aws"]["Timestamp"], line[name])
    };
    names(&directive["Metrics"]).iter().map(metric).collect()
}
