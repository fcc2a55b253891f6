//! DogStatsD: lines in datagrams, read by the protocol's own rules. Nothing answers.

use ops_sdk::backend::Dogstatsd;
use ops_sdk::model::Signal;

use super::{Case, Read, Talk, same};

pub(super) fn case() -> Case {
    Case {
        name: "dogstatsd",
        vars: |_, _| {
            vec![
                ("OPS_DOGSTATSD_ADDRESS", "udp://127.0.0.1:9".to_owned()),
                ("OPS_DOGSTATSD_EVENTS", "on".to_owned()),
                ("OPS_DOGSTATSD_PAYLOAD_BYTES", "8192".to_owned()),
            ]
        },
        debug: |_| format!("{:?}", Dogstatsd::new().address("unix:///run/dsd.socket").env("prod")),
        read,
        shown: same,
        ids: |signal| matches!(signal, Signal::Audit | Signal::Config),
        talk: Talk::Other,
    }
}

fn read(item: &[u8]) -> Result<Read, String> {
    let text = std::str::from_utf8(item).map_err(|error| error.to_string())?;
    if text.contains('\n') {
        return Err("more than one line".to_owned());
    }
    if let Some(rest) = text.strip_prefix("_e{") {
        return event(rest);
    }
    let fields: Vec<&str> = text.split('|').collect();
    if fields[0] == "_sc" {
        let known = |field: &&str| {
            ["d:", "h:", "#", "m:", "c:", "e:", "card:"].iter().any(|start| field.starts_with(start))
        };
        return match &fields[..] {
            [_, name, "0" | "1" | "2" | "3", rest @ ..] if rest.iter().all(known) => Ok(Read {
                texts: [&[*name], rest].concat().into_iter().map(str::to_owned).collect(),
                numbers: vec![],
            }),
            _ => Err("no service check".to_owned()),
        };
    }
    metric(&fields)
}

/// `title,text}:title|text|fields`, the lengths in bytes.
fn event(rest: &str) -> Result<Read, String> {
    let (lengths, rest) = rest.split_once("}:").ok_or("no lengths")?;
    let (title, text) = lengths.split_once(',').ok_or("one length")?;
    let title: usize = title.parse().map_err(|_| "no length")?;
    let text: usize = text.parse().map_err(|_| "no length")?;
    let (said, text) = (rest.get(..title), rest.get(title + 1..title + 1 + text));
    let mut read = Read::of_json(text.ok_or("a length that is not the text's")?.as_bytes())?;
    read.texts.push(said.ok_or("a length that is not the title's")?.to_owned());
    Ok(read)
}

/// `name:value:value|type|fields`.
fn metric(fields: &[&str]) -> Result<Read, String> {
    let [values, "c" | "g" | "d", rest @ ..] = fields else { return Err("no metric".to_owned()) };
    let mut parts = values.split(':');
    let name = parts.next().unwrap_or_default();
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.') {
        return Err("no name".to_owned());
    }
    let known = |field: &&str| ["@", "#", "T"].iter().any(|start| field.starts_with(start));
    if !rest.iter().all(known) {
        return Err("an unknown field".to_owned());
    }
    let numbers = parts.map(|value| value.parse::<f64>().map_err(|error| error.to_string()));
    let texts = [&[name], rest].concat().into_iter().map(str::to_owned).collect();
    Ok(Read { texts, numbers: numbers.collect::<Result<_, _>>()? })
}
