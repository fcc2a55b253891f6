//! Log events: parts joined, lines read, and each held against what its macro was given. Parts are joined here by their
//! documented grammar and not by the SDK's own code.

use std::collections::{BTreeMap, BTreeSet};

use flate2::Crc;
use serde_json::Value;

use super::{Expected, Verdict};
use crate::chaos::work::{Loudness, Step};

/// The parts of one event by their number, with what their headers agree in.
#[derive(Debug, Default)]
struct Whole<'a> {
    total: usize,
    bytes: usize,
    crc32: u32,
    pieces: BTreeMap<usize, &'a str>,
}

/// Judges every line and part that arrived.
pub(super) fn judge<'a>(
    items: impl Iterator<Item = (&'a str, usize)>,
    expected: &Expected,
    verdict: &mut Verdict,
) {
    let (lines, wholes) = sort(items);
    let mut told = Told::default();
    for line in lines {
        told.line(line, expected, verdict);
    }
    for (id, whole) in wholes {
        match whole.join() {
            Some(line) => told.line(&line, expected, verdict),
            // Whatever is not whole is missing, and found so below.
            None => verdict.note(format!(
                "record {id} arrived in {} of {} parts",
                whole.pieces.len(),
                whole.total
            )),
        }
    }
    told.missing(expected, verdict);
}

fn sort<'a>(items: impl Iterator<Item = (&'a str, usize)>) -> (Vec<&'a str>, BTreeMap<&'a str, Whole<'a>>) {
    let (mut lines, mut wholes) = (Vec::new(), BTreeMap::<&str, Whole<'a>>::new());
    for (item, _) in items {
        match part(item) {
            Some(Part { id, index, total, bytes, crc32, piece }) => {
                let whole = wholes.entry(id).or_default();
                (whole.total, whole.bytes, whole.crc32) = (total, bytes, crc32);
                whole.pieces.insert(index, piece);
            }
            None => lines.push(item),
        }
    }
    (lines, wholes)
}

/// A part as its header tells it.
#[derive(Debug, Clone, Copy)]
struct Part<'a> {
    id: &'a str,
    /// From 1 to the total.
    index: usize,
    total: usize,
    bytes: usize,
    crc32: u32,
    piece: &'a str,
}

/// Reads `@ops.part v1 id=ID part=I/N bytes=B crc32=C | piece`.
fn part(item: &str) -> Option<Part<'_>> {
    let (head, piece) = item.strip_prefix("@ops.part v1 id=")?.split_once(" | ")?;
    let (id, rest) = head.split_once(" part=")?;
    let (index, rest) = rest.split_once('/')?;
    let (total, rest) = rest.split_once(" bytes=")?;
    let (bytes, crc32) = rest.split_once(" crc32=")?;
    let crc32 = u32::from_str_radix(crc32, 16).ok()?;
    Some(Part {
        id,
        index: index.parse().ok()?,
        total: total.parse().ok()?,
        bytes: bytes.parse().ok()?,
        crc32,
        piece,
    })
}

/// The id of the record that an item is, or is a part, of.
pub(super) fn id(item: &str) -> Option<String> {
    if let Some(part) = part(item) {
        return Some(part.id.to_owned());
    }
    serde_json::from_str::<Value>(item).ok()?["id"].as_str().map(str::to_owned)
}

/// The life that recorded a line, if it says so.
pub(super) fn life(item: &str) -> Option<u64> {
    serde_json::from_str::<Value>(item).ok()?["life"].as_u64()
}

impl Whole<'_> {
    fn join(&self) -> Option<String> {
        let text: String = self.pieces.values().copied().collect();
        let mut crc = Crc::new();
        crc.update(text.as_bytes());
        let whole = self.pieces.len() == self.total && text.len() == self.bytes && crc.sum() == self.crc32;
        whole.then_some(text)
    }
}

/// Which events were told, and under which ids.
#[derive(Debug, Default)]
struct Told(BTreeMap<(u64, u64, u64), BTreeSet<String>>);

impl Told {
    fn line(&mut self, line: &str, expected: &Expected, verdict: &mut Verdict) {
        let Ok(value) = serde_json::from_str::<Value>(line) else {
            verdict.corrupt(format!("no JSON: {line:.300}"));
            return;
        };
        let number = |key: &str| value[key].as_u64();
        let (Some(life), Some(thread), Some(n)) = (number("life"), number("thread"), number("n")) else {
            match value["target"].as_str() {
                // Beside what is missing it tells why.
                Some(target) if target.starts_with("ops_sdk") && value["dropped"].is_u64() => {
                    verdict.note(format!("said: {}", value["message"]));
                }
                Some(target) if target.starts_with("ops_sdk") => {}
                _ => verdict.invented(format!("a line of nobody: {line:.300}")),
            }
            return;
        };
        match expected.step(life, thread, n) {
            None => {
                verdict.invented(format!("life {life} thread {thread} never came to event {n}: {line:.300}"))
            }
            Some(step) if !is(step, &value) => {
                verdict.corrupt(format!(
                    "life {life} thread {thread} event {n} is not what was recorded: {line:.300}"
                ));
            }
            Some(_) => {
                let ids = self.0.entry((life, thread, n)).or_default();
                ids.insert(value["id"].as_str().unwrap_or_default().to_owned());
                if ids.len() > 1 {
                    verdict.invented(format!("life {life} thread {thread} event {n} has two ids: {ids:?}"));
                }
            }
        }
    }

    fn missing(&self, expected: &Expected, verdict: &mut Verdict) {
        for (life, thread, n) in expected.events_returned() {
            if !self.0.contains_key(&(life, thread, n)) {
                verdict.missing(life, format!("life {life} thread {thread} event {n}"));
            }
        }
    }
}

/// Whether a line is the event that this step recorded.
fn is(step: &Step, line: &Value) -> bool {
    let (level, text) = match step {
        Step::Event(Loudness::Info, text) => ("INFO", text),
        Step::Event(Loudness::Warn, text) => ("WARN", text),
        Step::Event(Loudness::Error, text) => ("ERROR", text),
        // Of a unit that did not fail it may be there where the process died before its end was taken note of.
        Step::Unit(_, text) => ("DEBUG", text),
        _ => return false,
    };
    // The message is put together by who reads, and the value that it was made of is a field beside it.
    let whole = |key: &str| line[key].as_str() == Some(text);
    whole("message") && whole("text") && line["level"] == level
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_join_whatever_their_order_and_a_changed_one_does_not() {
        let id = ops_sdk::model::RecordId { process: 7, seq: 9 };
        let text = "über ".repeat(200);
        let parts: Vec<String> = ops_sdk::parts::split(id, text.as_bytes(), 300)
            .expect("room")
            .map(|part| String::from_utf8(part).expect("text"))
            .collect();
        assert!(parts.len() > 3 && super::id(&parts[0]) == Some(id.to_string()));
        let join = |parts: &[String]| {
            let (lines, wholes) = sort(parts.iter().rev().map(|part| (part.as_str(), 1)));
            assert!(lines.is_empty() && wholes.len() == 1);
            wholes.values().next().and_then(Whole::join)
        };
        assert_eq!(join(&parts), Some(text));
        assert_eq!(join(&parts[1..]), None);
        let mut changed = parts;
        changed[1] = changed[1].replacen("ber", "bar", 1);
        assert_eq!(join(&changed), None);
    }
}
