//! The backend once its settings are checked: from records to messages.
//!
//! An item is one byte that tells the signal, then the line. An over-long line is split here and not by the chunker, so
//! that each part knows its signal, and with it its topic, wherever it goes and whenever it is sent again.

use std::borrow::Cow;

use rdkafka::message::{Header, OwnedHeaders};

use super::Kafka;
use super::config::{client_config, message_bytes, topics};
use super::judge::verdict;
use super::producer::{Message, Sender};
use crate::backend::shared::PartitionKey;
use crate::backend::{Backend, Context, EncodeError, Verdict};
use crate::chunk::{Batch, Item, Items, parts};
use crate::encode::json;
use crate::error::Error;
use crate::limits::{Limits, Oversize};
use crate::model::{Record, Signal};
use crate::net::Net;

/// Bytes that librdkafka reckons for the framing of a message (`RD_KAFKAP_MESSAGE_V2_MAX_OVERHEAD`, `rdkafka_proto.h` of
/// librdkafka 2.12.1).
const FRAMING_BYTES: usize = 36;
/// Bytes of the headers at their longest: name and value, and the length of each (`rdkafka_header.c`).
const HEADERS_BYTES_MAX: usize = (2 + 2 + 37) + (2 + 6 + 6) + (2 + 12 + 16);
/// Bytes of one push, and its messages: ours, for what librdkafka is given at a time.
const PUSH_BYTES_MAX: usize = 4 << 20;
const PUSH_ITEMS_MAX: usize = 10_000;
/// Letters by the number of the signal.
const TAGS: [u8; Signal::COUNT] = *b"mlack";

/// The backend, its settings checked.
pub(super) struct Open {
    sender: Sender,
    form: Form,
    message_bytes_max: usize,
    /// What a line may have, with its tag; over that it is split.
    item_bytes_max: usize,
    line: Vec<u8>,
    /// Those of the process, which every line carries.
    dimensions: Vec<(String, String)>,
}

/// Where messages go and what they are spread by.
struct Form {
    topics: [String; Signal::COUNT],
    key: PartitionKey,
}

impl Open {
    /// Checks the settings without speaking to the network.
    ///
    /// # Errors
    ///
    /// If a setting is missing or means nothing.
    pub(super) fn new(told: &Kafka, context: &Context) -> Result<Open, Error> {
        let mut open = Open {
            sender: Sender::new(client_config(told, context)?),
            form: Form {
                topics: topics(told, context)?,
                key: PartitionKey::find(told.key.as_ref(), "OPS_KAFKA_KEY", context)?,
            },
            message_bytes_max: message_bytes(told, context)?,
            item_bytes_max: 0,
            line: Vec::new(),
            dimensions: context.dimensions.clone(),
        };
        open.item_bytes_max = open.limits().under(context.push_limit).item_bytes_max;
        Ok(open)
    }
}

impl Form {
    fn message<'a>(&'a self, number: usize, item: &Item, bytes: &'a [u8]) -> Message<'a> {
        let (signal, line) = untag(bytes);
        let topic = &self.topics[signal as usize];
        let time_ms = i64::try_from(item.time_ms).unwrap_or(i64::MAX);
        let id = item.record.to_string();
        let headers = OwnedHeaders::new_with_capacity(3)
            .insert(Header { key: "id", value: Some(&id) })
            .insert(Header { key: "signal", value: Some(signal.name()) })
            .insert(Header { key: "content-type", value: Some("application/json") });
        Message::with_opaque_to(topic, number).payload(line).timestamp(time_ms).headers(headers)
    }
}

/// The signal and the line of an item.
fn untag(bytes: &[u8]) -> (Signal, &[u8]) {
    let tag = bytes.first().and_then(|tag| TAGS.iter().position(|own| own == tag));
    match tag.and_then(|at| Signal::ALL.get(at)) {
        Some(signal) => (*signal, &bytes[1..]),
        None => (Signal::Log, bytes),
    }
}

impl Backend for Open {
    fn id(&self) -> &str {
        "kafka"
    }

    fn limits(&self) -> Limits {
        // The tag is in the item and not in the message.
        let around = FRAMING_BYTES + HEADERS_BYTES_MAX + self.form.key.bytes_max() - 1;
        Limits {
            push_bytes_max: PUSH_BYTES_MAX.max(self.message_bytes_max),
            envelope_bytes: 0,
            push_items_max: PUSH_ITEMS_MAX,
            item_bytes_max: self.message_bytes_max - around,
            item_overhead_bytes: around,
            span_ms_max: None,
            age_ms_max: None,
            ahead_ms_max: None,
            ordered: false,
            push: true,
            oversize: Oversize::Refuse, // split when it was encoded
        }
    }

    fn accepts(&self, _signal: Signal) -> bool {
        true
    }

    fn encode(&mut self, record: &Record<'_>, out: &mut Items) -> Result<(), EncodeError> {
        let tag = TAGS[record.signal() as usize];
        let mut long = false;
        let _: Result<(), ()> = out.push(|bytes| {
            let start = bytes.len();
            bytes.push(tag);
            json::line(bytes, record, &self.dimensions);
            long = bytes.len() - start > self.item_bytes_max;
            if long {
                self.line.clear();
                self.line.extend_from_slice(&bytes[start + 1..]);
                return Err(());
            }
            Ok(())
        });
        if !long {
            return Ok(());
        }
        let bytes_max = self.item_bytes_max.saturating_sub(1);
        let Some(parts) = parts::split(record.id, &self.line, bytes_max) else {
            return Err(EncodeError(format!(
                "{} bytes do not fit in messages of {bytes_max}",
                self.line.len()
            )));
        };
        for part in parts {
            out.push(|bytes| {
                bytes.push(tag);
                bytes.extend_from_slice(&part);
                Ok::<(), EncodeError>(())
            })?;
        }
        Ok(())
    }

    fn send(&mut self, batch: &Batch, net: &mut Net) -> Verdict {
        let (now_ms, form) = (net.now.unix_ms(), &self.form);
        let keys: Vec<Cow<'_, str>> = batch.iter().map(|(item, _)| form.key.of(item.record)).collect();
        let messages = batch.iter().zip(&keys).enumerate();
        let messages =
            messages.map(|(n, ((item, bytes), key))| form.message(n, item, bytes).key(key.as_ref()));
        let (answers, said) = self.sender.push(messages, net.left());
        let past = batch.iter().map(|(item, _)| item.time_ms < now_ms);
        let answers: Vec<_> = answers.into_iter().zip(past).collect();
        verdict(&answers, &said)
    }
}
