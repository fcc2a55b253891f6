//! Prometheus by remote write. An item is a record; what it becomes is read from the requests.

use ops_sdk::backend::Prometheus;
use ops_sdk::encode::proto::{Field, fields};
use ops_sdk::encode::{binary, json};

use super::{Case, HttpCase, Read, SECRET, Success, Talk, same};
use crate::rig::{Recorded, Reply};

pub(super) fn case() -> Case {
    Case {
        name: "prometheus",
        vars: |url, _| {
            vec![
                ("OPS_PROMETHEUS_REMOTE_WRITE", format!("{url}/api/v1/write")),
                ("OPS_PROMETHEUS_TOKEN", SECRET.to_owned()),
                ("OPS_PROMETHEUS_HEADERS", format!("X-Scope-OrgID: {SECRET}")),
            ]
        },
        debug: |secret| format!("{:?}", Prometheus::new().token(secret).header("x-key", secret)),
        read,
        shown: same,
        ids: |_| true,
        talk: Talk::Http(HttpCase {
            push: |_| true,
            good: |_| Reply::answer(204, ""),
            throttled: |_| Reply::answer(429, "slower"),
            partial: None,
            ids: names,
            success: Success::Status,
            // Cut to the limit when they are made, but for a single item whose samples are more.
            is_counted: false,
        }),
    }
}

/// The record, by way of the JSON that the command prints of it.
fn read(item: &[u8]) -> Result<Read, String> {
    let record = binary::decode(item).map_err(|error| error.to_string())?;
    let mut line = Vec::new();
    json::line(&mut line, &record, &[]);
    Read::of_json(&line)
}

/// The name of each series: the value of its label `__name__`.
fn names(request: &Recorded) -> Vec<String> {
    let body = snap::raw::Decoder::new().decompress_vec(&request.raw_body).expect("a block of snappy");
    let inner = |bytes: &[u8]| {
        let all = fields(bytes).map(|field| field.expect("a message"));
        all.filter_map(|(_, field)| match field {
            Field::Bytes(bytes) => Some(bytes.to_vec()),
            _ => None,
        })
        .collect::<Vec<_>>()
    };
    let name = |series: &Vec<u8>| {
        let labels: Vec<Vec<Vec<u8>>> = inner(series).iter().map(|label| inner(label)).collect();
        let own = labels.into_iter().find(|label| label.first().is_some_and(|name| name == b"__name__"));
        String::from_utf8_lossy(&own.expect("a name")[1]).into_owned()
    };
    inner(&body).iter().map(name).collect()
}
