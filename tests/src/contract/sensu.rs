//! Sensu, the classic one: results as RabbitMQ carries them. What answers and faults there are is tried in
//! `tests/tests/sensu.rs`.

use ops_sdk::backend::{Sensu, SensuApi};
use ops_sdk::model::Signal;
use serde_json::Value;

use super::{Case, Read, SECRET, Talk, same};

pub(super) fn case() -> Case {
    Case {
        name: "sensu",
        vars: |url, _| {
            vec![
                ("OPS_SENSU_API", "classic".to_owned()),
                ("OPS_SENSU_URL", url.replace("http:", "amqp:")),
                ("OPS_SENSU_USER", "sensu".to_owned()),
                ("OPS_SENSU_PASSWORD", SECRET.to_owned()),
                ("OPS_SENSU_KEEPALIVE", "no".to_owned()),
            ]
        },
        debug: |secret| {
            let settings = Sensu::new().api(SensuApi::Classic).login("sensu", secret);
            format!("{:?}", settings.api_key(secret).token(secret))
        },
        read,
        shown: same,
        ids: |_: Signal| true,
        talk: Talk::Other,
    }
}

/// Everything that a result says; of a metric the numbers of its lines for Graphite, too.
fn read(item: &[u8]) -> Result<Read, String> {
    let mut read = Read::of_json(item)?;
    let result: Value = serde_json::from_slice(item).map_err(|error| error.to_string())?;
    if result["check"]["type"] == "metric" {
        for line in result["check"]["output"].as_str().ok_or("no output")?.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let [_, number, _] = words[..] else { return Err(format!("no line for Graphite: {line}")) };
            read.numbers.push(number.parse().map_err(|_| format!("no number: {line}"))?);
        }
    }
    Ok(read)
}
