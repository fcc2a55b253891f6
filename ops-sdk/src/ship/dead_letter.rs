//! What a server refused for good, kept: one JSON line each in `dead-letter/<backend>.jsonl` under the state
//! directory, with the reason and the record's id. The item is there byte for byte: text as `item`, all else as
//! `item_hex`.

use std::fs::{File, OpenOptions, create_dir_all};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::backend::Refusal;
use crate::model::RecordId;

/// A backend's dead-letter file; made when the first letter comes.
#[derive(Debug)]
pub(super) struct DeadLetters {
    path: Option<PathBuf>,
    file: Option<File>,
}

impl DeadLetters {
    /// The file of this backend under the state directory. Without one nothing is kept.
    pub(super) fn new(state_dir: Option<&Path>, backend: &str) -> DeadLetters {
        let path = state_dir.map(|dir| dir.join("dead-letter").join(format!("{backend}.jsonl")));
        DeadLetters { path, file: None }
    }

    /// Keeps one item. Says whether it is kept.
    ///
    /// # Errors
    ///
    /// What the system says when the line cannot be written; the item is then not kept.
    pub(super) fn keep(
        &mut self,
        id: RecordId,
        time_ms: u64,
        refusal: &Refusal,
        item: &[u8],
    ) -> io::Result<bool> {
        let Some(path) = &self.path else { return Ok(false) };
        if self.file.is_none() {
            path.parent().map_or(Ok(()), create_dir_all)?;
            self.file = Some(OpenOptions::new().create(true).append(true).open(path)?);
        }
        let mut line = json!({
            "id": id.to_string(),
            "time_ms": time_ms,
            "reason": refusal.loss.name(),
            "why": refusal.why,
        });
        match std::str::from_utf8(item) {
            Ok(text) => line["item"] = text.into(),
            Err(_) => line["item_hex"] = hex(item).into(),
        }
        let mut bytes = line.to_string().into_bytes();
        bytes.push(b'\n');
        self.file.as_mut().map_or(Ok(()), |file| file.write_all(&bytes))?;
        Ok(true)
    }
}

/// Two digits a byte, for items that are not text.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut digits, byte| {
        digits.push(char::from(b"0123456789abcdef"[usize::from(byte >> 4)]));
        digits.push(char::from(b"0123456789abcdef"[usize::from(byte & 15)]));
        digits
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Loss;

    #[test]
    fn a_letter_is_a_line_with_id_reason_and_item() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut letters = DeadLetters::new(Some(dir.path()), "logs");
        let refusal = Refusal { loss: Loss::TooOld, why: "too old\nby a day".to_owned() };
        let id = RecordId { process: 1, seq: 2 };
        assert!(letters.keep(id, 5, &refusal, b"{\"a\":1}").expect("kept"));
        let text = std::fs::read_to_string(dir.path().join("dead-letter/logs.jsonl")).expect("the file");
        let line: serde_json::Value = serde_json::from_str(&text).expect("one line of JSON");
        assert_eq!(line["id"], "0000000000000001-2");
        assert_eq!((&line["reason"], &line["item"]), (&json!("too_old"), &json!("{\"a\":1}")));
    }

    #[test]
    fn an_item_that_is_no_text_is_kept_byte_for_byte() {
        let dir = tempfile::tempdir().expect("a directory");
        let refusal = Refusal { loss: Loss::Refused, why: String::new() };
        let mut letters = DeadLetters::new(Some(dir.path()), "blobs");
        assert!(letters.keep(RecordId::default(), 0, &refusal, &[0, 0xff, 0x1f, 0x80]).expect("kept"));
        let text = std::fs::read_to_string(dir.path().join("dead-letter/blobs.jsonl")).expect("the file");
        let line: serde_json::Value = serde_json::from_str(&text).expect("one line of JSON");
        assert_eq!(line["item_hex"], "00ff1f80");
    }

    #[test]
    fn without_a_state_directory_nothing_is_kept() {
        let refusal = Refusal { loss: Loss::Refused, why: String::new() };
        let kept = DeadLetters::new(None, "logs").keep(RecordId::default(), 0, &refusal, b"x");
        assert!(!kept.expect("no file, no error"));
    }
}
