//! What decides the shard or partition of a record, and so which records stay in order.

use std::borrow::Cow;

use super::setting;
use crate::backend::Context;
use crate::error::Error;
use crate::model::RecordId;

/// Characters of a key of one's own (`PartitionKey` in `kinesis/2013-12-02`).
const TEXT_CHARS_MAX: usize = 256;
/// Bytes of `00c0ffee00c0ffee`, and of an id with the largest number there is.
const PROCESS_BYTES: usize = 16;
const RECORD_BYTES_MAX: usize = PROCESS_BYTES + 1 + 20;

/// What a queue spreads records by. Records of one key are in one shard or partition, in the order they were sent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[allow(unreachable_pub)] // public where a backend with keys is compiled in
pub enum PartitionKey {
    /// The process, as 16 hexadecimal digits: records of one process stay in order.
    #[default]
    Process,
    /// The record, as its id: records spread evenly and have no order.
    Record,
    /// This text: everything is in one shard or partition, 1 to 256 characters.
    Text(String),
}

impl PartitionKey {
    /// What the program said, else the variable (`process`, `record` or `text:…`), else the process.
    ///
    /// # Errors
    ///
    /// If it is none of these, or a text that no service takes.
    pub(in crate::backend) fn find(
        told: Option<&PartitionKey>,
        variable: &str,
        context: &Context,
    ) -> Result<PartitionKey, Error> {
        let key = match (told, setting(None, variable, context).as_deref()) {
            (Some(told), _) => told.clone(),
            (None, None | Some("process")) => PartitionKey::Process,
            (None, Some("record")) => PartitionKey::Record,
            (None, Some(text)) => match text.strip_prefix("text:") {
                Some(own) => PartitionKey::Text(own.to_owned()),
                None => return Err(refused(variable, text)),
            },
        };
        match &key {
            PartitionKey::Text(text) if !is_key(text) => Err(refused(variable, text)),
            _ => Ok(key),
        }
    }

    /// The key of a record.
    pub(in crate::backend) fn of(&self, id: RecordId) -> Cow<'_, str> {
        match self {
            PartitionKey::Process => Cow::Owned(format!("{:016x}", id.process)),
            PartitionKey::Record => Cow::Owned(id.to_string()),
            PartitionKey::Text(text) => Cow::Borrowed(text),
        }
    }

    /// Bytes of the longest key.
    pub(in crate::backend) fn bytes_max(&self) -> usize {
        match self {
            PartitionKey::Process => PROCESS_BYTES,
            PartitionKey::Record => RECORD_BYTES_MAX,
            PartitionKey::Text(text) => text.len(),
        }
    }

    /// Whether two records of one process have one key, and so an order.
    pub(in crate::backend) fn keeps_order(&self) -> bool {
        *self != PartitionKey::Record
    }
}

fn is_key(text: &str) -> bool {
    (1..=TEXT_CHARS_MAX).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

fn refused(variable: &str, text: &str) -> Error {
    let remedy = format!("use process, record, or text: and 1 to {TEXT_CHARS_MAX} printable characters");
    Error::setting(format!("{variable} / .key(..)"), format!("\"{}\" is no key", text.escape_debug()), remedy)
}

#[cfg(test)]
mod tests {
    use super::super::tests::context;
    use super::*;

    #[test]
    fn a_key_is_found_and_checked() {
        let context =
            context(&[("P", "process"), ("R", " record "), ("T", "text:é b"), ("E", "text:"), ("X", "host")]);
        let find = |told, variable| PartitionKey::find(told, variable, &context);
        assert_eq!(find(None, "unset").unwrap(), PartitionKey::Process);
        assert_eq!(find(None, "P").unwrap(), PartitionKey::Process);
        assert_eq!(find(None, "R").unwrap(), PartitionKey::Record);
        assert_eq!(find(None, "T").unwrap(), PartitionKey::Text("é b".into()));
        assert_eq!(find(Some(&PartitionKey::Record), "T").unwrap(), PartitionKey::Record);
        let long = PartitionKey::Text("x".repeat(257));
        for (told, variable) in [(None, "E"), (None, "X"), (Some(&long), "P")] {
            let error = find(told, variable).unwrap_err().to_string();
            assert!(error.starts_with(variable) && error.contains(".key(..)"), "{error}");
        }
        assert!(find(Some(&PartitionKey::Text("a\nb".into())), "P").is_err());
    }

    #[test]
    fn no_key_is_longer_than_it_says() {
        let id = RecordId { process: 255, seq: u64::MAX };
        let keys = [PartitionKey::Process, PartitionKey::Record, PartitionKey::Text("é".into())];
        let told: Vec<_> = keys.iter().map(|key| key.of(id).into_owned()).collect();
        assert_eq!(told, ["00000000000000ff", "00000000000000ff-18446744073709551615", "é"]);
        assert!(keys.iter().zip(&told).all(|(key, told)| key.bytes_max() == told.len()));
        assert_eq!(keys.map(|key| key.keeps_order()), [true, false, true]);
    }
}
