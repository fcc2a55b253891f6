//! What the contract has to be told of a backend: how to open it, how its items and requests read, and what its server
//! answers. Readers here are independent of the encoders: a general JSON parser, or the format's own.

use std::path::Path;

use ops_sdk::model::Signal;
use serde_json::Value;

use crate::rig::{Recorded, Reply};

/// What every secret of a case's settings holds, and nothing that a person may read does.
pub const SECRET: &str = "hush-hush";

/// One backend.
pub struct Case {
    /// Its name, as `by_name` knows it.
    pub name: &'static str,
    /// The variables under which it opens and takes every kind of record that it can, given the URL of a server and a
    /// directory of its own. Each secret holds [`SECRET`].
    pub vars: fn(&str, &Path) -> Vec<(&'static str, String)>,
    /// The settings from the builder, with this for each secret, as `Debug` shows them.
    pub debug: fn(&str) -> String,
    /// The texts and numbers of one encoded item; an error if it is not exactly one.
    pub read: fn(&[u8]) -> Result<Read, String>,
    /// A message as it stands there; [`same`] where nothing has to be replaced.
    pub shown: fn(&str) -> String,
    /// Whether items of this kind carry the id of their record.
    pub ids: fn(Signal) -> bool,
    /// How it speaks to its server.
    pub talk: Talk,
}

/// How a backend speaks to its server.
pub enum Talk {
    /// HTTP: every check applies.
    Http(HttpCase),
    /// Sockets or files: what is about answers does not apply; its own tests try its faults.
    Other,
}

/// What a backend's HTTP server says.
pub struct HttpCase {
    /// Whether a request brings records. Others (a group to make, an acknowledgement to ask for) are answered by `good`.
    pub push: fn(&Recorded) -> bool,
    /// The answer to a request that is well.
    pub good: fn(&Recorded) -> Reply,
    /// The answer that asks for less.
    pub throttled: fn(&Recorded) -> Reply,
    /// The answer that takes a push but for the item of this index, which is worth another try or refused, perhaps with
    /// what follows it. `None` where the protocol has no such answer.
    pub partial: Option<fn(&Recorded, usize) -> Partly>,
    /// What tells the records of a push apart, in their order: ids, message texts, names.
    pub ids: fn(&Recorded) -> Vec<String>,
    /// What else than `good` the service may answer when all is well.
    pub success: Success,
    /// Whether the uncompressed body is no larger than the limits count it.
    pub is_counted: bool,
}

/// A partial answer, and what it means.
pub struct Partly {
    /// The answer.
    pub reply: Reply,
    /// The records that the server has taken, by their index in the push.
    pub taken: Vec<usize>,
    /// The records that it refuses for good.
    pub refused: Vec<usize>,
}

/// Which answers of a status 200 are a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Success {
    /// Those in the service's own words alone.
    Words,
    /// Those in its own words, and those without any.
    WordsOrNothing,
    /// Every one: the service says no more than the status.
    Status,
}

/// What an item, or a part of one, says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Read {
    /// Its texts: names as well as values.
    pub texts: Vec<String>,
    /// Its numbers.
    pub numbers: Vec<f64>,
}

impl Read {
    /// Whether one of the texts holds this.
    #[must_use]
    pub fn holds(&self, text: &str) -> bool {
        self.texts.iter().any(|own| own.contains(text))
    }

    /// Everything that a JSON object says.
    ///
    /// # Errors
    ///
    /// If it is not one JSON object.
    pub fn of_json(item: &[u8]) -> Result<Read, String> {
        let value: Value = serde_json::from_slice(item).map_err(|error| error.to_string())?;
        if !value.is_object() {
            return Err("no object".to_owned());
        }
        Ok(Read::of_value(&value))
    }

    /// Everything that a JSON value says.
    #[must_use]
    pub fn of_value(value: &Value) -> Read {
        let mut read = Read::default();
        read.add(value);
        read
    }

    fn add(&mut self, value: &Value) {
        match value {
            Value::String(text) => self.texts.push(text.clone()),
            Value::Number(number) => self.numbers.extend(number.as_f64()),
            Value::Array(values) => values.iter().for_each(|value| self.add(value)),
            Value::Object(members) => {
                self.texts.extend(members.keys().cloned());
                members.values().for_each(|value| self.add(value));
            }
            Value::Null | Value::Bool(_) => {}
        }
    }
}

/// A message that stands there as it is.
#[must_use]
pub fn same(message: &str) -> String {
    message.to_owned()
}

/// Events and objects carry the id of their record; metrics, which add up, do not.
#[must_use]
pub fn all_but_metrics(signal: Signal) -> bool {
    signal != Signal::Metric
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_read_to_its_leaves() {
        let read = Read::of_json(br#"{"a":[1,{"b":"c"}],"d":null,"e":-2.5}"#).expect("an object");
        assert_eq!(
            read,
            Read { texts: ["a", "d", "e", "b", "c"].map(String::from).to_vec(), numbers: vec![1.0, -2.5] }
        );
        assert!(read.holds("c") && !read.holds("f"));
        for bad in [&b"{}{}"[..], b"[]", b"{\"a\":1}\n{\"a\":1}", b""] {
            assert!(Read::of_json(bad).is_err());
        }
    }
}
