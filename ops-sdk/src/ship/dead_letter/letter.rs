//! A letter: one line of JSON that holds an item as it was to be sent, byte for byte, which record it came from, and
//! why the server refused it. Text is kept as `item`, all else as `item_hex`. Lines of earlier versions, without
//! `signal` and `at_ms`, are read as well. Pure.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::ledger::Loss;
use crate::model::{RecordId, Signal};

/// What a server refused for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Letter {
    pub(crate) id: RecordId,
    /// When the record happened.
    pub(crate) time_ms: u64,
    /// When it became a letter.
    pub(crate) at_ms: u64,
    pub(crate) signal: Signal,
    /// [`Loss::name`] of the reason.
    pub(crate) reason: String,
    /// The server's words, or ours.
    pub(crate) why: String,
    pub(crate) item: Vec<u8>,
    /// The order and the line that it came back from, if it was sent again and refused again, or was not chosen.
    pub(crate) replay: Option<String>,
}

/// The line as it is written.
#[derive(Serialize, Deserialize)]
struct Line<'a> {
    id: Cow<'a, str>,
    time_ms: u64,
    #[serde(default)]
    at_ms: Option<u64>,
    #[serde(default)]
    signal: Option<Cow<'a, str>>,
    reason: Cow<'a, str>,
    why: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    item: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    item_hex: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replay: Option<Cow<'a, str>>,
}

impl Letter {
    /// The letter as a line, with its newline.
    pub(crate) fn to_line(&self) -> Vec<u8> {
        let text = std::str::from_utf8(&self.item).ok();
        let line = Line {
            id: self.id.to_string().into(),
            time_ms: self.time_ms,
            at_ms: Some(self.at_ms),
            signal: Some(self.signal.name().into()),
            reason: self.reason.as_str().into(),
            why: self.why.as_str().into(),
            item: text.map(Cow::Borrowed),
            item_hex: text.is_none().then(|| hex(&self.item).into()),
            replay: self.replay.as_deref().map(Cow::Borrowed),
        };
        // Strings and numbers into memory: there is nothing that could fail.
        let mut bytes = serde_json::to_vec(&line).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// Reads a line; `None` if it is none, or is torn.
    pub(crate) fn parse(line: &[u8]) -> Option<Letter> {
        let line: Line<'_> = serde_json::from_slice(line).ok()?;
        let signal = Signal::ALL.into_iter().find(|signal| line.signal.as_deref() == Some(signal.name()));
        let item = match (line.item, line.item_hex) {
            (Some(text), _) => text.into_owned().into_bytes(),
            (None, digits) => unhex(&digits?)?,
        };
        Some(Letter {
            id: id(&line.id)?,
            time_ms: line.time_ms,
            at_ms: line.at_ms.unwrap_or(line.time_ms),
            signal: signal.unwrap_or(Signal::Log),
            reason: line.reason.into_owned(),
            why: line.why.into_owned(),
            item,
            replay: line.replay.map(Cow::into_owned),
        })
    }

    /// Whether the item is what its backend pushes. What a backend could not express is kept as a line of JSON, for
    /// people to read.
    pub(crate) fn can_be_sent(&self) -> bool {
        self.reason != Loss::Unencodable.name()
    }
}

/// Reads what a [`RecordId`] displays.
fn id(text: &str) -> Option<RecordId> {
    let (process, seq) = text.split_once('-')?;
    Some(RecordId { process: u64::from_str_radix(process, 16).ok()?, seq: seq.parse().ok()? })
}

/// Two digits a byte, for items that are not text.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut digits, byte| {
        digits.push(char::from(b"0123456789abcdef"[usize::from(byte >> 4)]));
        digits.push(char::from(b"0123456789abcdef"[usize::from(byte & 15)]));
        digits
    })
}

fn unhex(digits: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    let value = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let byte = |pair: &[u8; 2]| Some(value(pair[0])? << 4 | value(pair[1])?);
    if rest.is_empty() { pairs.iter().map(byte).collect() } else { None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_letter_is_read_as_it_was_written(
            item in prop_oneof![".{0,50}".prop_map(String::into_bytes), prop::collection::vec(any::<u8>(), 0..50)],
            why in ".{0,20}",
            (process, seq, time_ms) in any::<(u64, u64, u64)>(),
            signal in 0..Signal::COUNT,
            replay in prop::option::of("[0-9]{1,9}:[0-9]{1,9}"),
        ) {
            let id = RecordId { process, seq };
            let reason = Loss::TooOld.name().to_owned();
            let letter = Letter { id, time_ms, at_ms: 7, signal: Signal::ALL[signal], reason, why, item, replay };
            let line = letter.to_line();
            prop_assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
            prop_assert_eq!(Letter::parse(&line), Some(letter));
            prop_assert_eq!(Letter::parse(&line[..line.len() / 2]), None, "a torn line is none");
        }
    }

    #[test]
    fn lines_of_earlier_versions_are_read() {
        let line =
            br#"{"id":"0000000000000001-2","item_hex":"00ff","reason":"too_old","time_ms":5,"why":"w"}"#;
        let letter = Letter::parse(line).expect("a letter");
        assert_eq!((letter.at_ms, letter.signal, letter.item), (5, Signal::Log, vec![0, 255]));
        for bad in ["", "{}", "[1]", r#"{"id":"x-y","item":"","reason":"r","time_ms":5,"why":"w"}"#] {
            assert_eq!(Letter::parse(bad.as_bytes()), None, "{bad}");
        }
    }
}
