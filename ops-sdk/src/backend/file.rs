//! JSON lines in a file, for agents to pick up: records of all kinds, one object a line, appended a batch at a time.
//!
//! The file may be rotated here, by size and by time, or by somebody else, by renaming or by copying and truncating. What
//! others have written is never truncated, overwritten or removed. A line that a crash or a full disk tore ends before
//! the next begins. Delivery is at least once: a process that is killed between the write and the cursor writes the
//! batch again; the record's id in each line tells duplicates apart.

mod append;
mod archive;
mod settings;

use std::time::Duration;

use self::append::Appender;
pub use self::settings::{File, Rotate};
use super::{Backend, Configure, Context, EncodeError, Verdict};
use crate::chunk::{Batch, Items};
use crate::encode::json;
use crate::error::Error;
use crate::limits::{Limits, Oversize};
use crate::model::{Record, Signal};
use crate::net::Net;

/// Bytes of lines that are written at once. Our own number.
const BATCH_BYTES: usize = 4 << 20;
/// Lines that are written at once. Our own number.
const BATCH_LINES_MAX: usize = 10_000;
/// Bytes of one line: far more than a record can have. Agents have limits of their own, see `docs/backends/file.md`.
const LINE_BYTES_MAX: usize = 32 << 20;
/// How long to wait where only an operator can help.
const OPERATOR_DELAY: Duration = Duration::from_secs(60);

impl Configure for File {
    fn open(self: Box<Self>, context: &Context) -> Result<Box<dyn Backend>, Error> {
        let appender = Appender::new(self.choose(context)?);
        Ok(Box::new(Open { appender, dimensions: context.dimensions.clone(), buffer: Vec::new() }))
    }

    fn again(&self) -> Option<Box<dyn Configure>> {
        Some(Box::new(self.clone()))
    }
}

struct Open {
    appender: Appender,
    /// Those of the process, which every line carries.
    dimensions: Vec<(String, String)>,
    buffer: Vec<u8>,
}

impl Backend for Open {
    fn id(&self) -> &str {
        "file"
    }

    fn limits(&self) -> Limits {
        Limits {
            push_bytes_max: BATCH_BYTES + LINE_BYTES_MAX + BATCH_LINES_MAX,
            envelope_bytes: 0,
            push_items_max: BATCH_LINES_MAX,
            item_bytes_max: LINE_BYTES_MAX,
            item_overhead_bytes: 1, // the newline
            span_ms_max: None,
            age_ms_max: None,
            ahead_ms_max: None,
            ordered: false,
            push: false,
            oversize: Oversize::Refuse, // a part of a line is no JSON
        }
    }

    fn accepts(&self, _signal: Signal) -> bool {
        true
    }

    fn encode(&mut self, record: &Record<'_>, out: &mut Items) -> Result<(), EncodeError> {
        out.push(|bytes| {
            json::line(bytes, record, &self.dimensions);
            Ok(())
        })
    }

    fn send(&mut self, batch: &Batch, net: &mut Net) -> Verdict {
        self.buffer.clear();
        for (_, line) in batch.iter() {
            self.buffer.extend_from_slice(line);
            self.buffer.push(b'\n');
        }
        let (written, outcome) = self.appender.append(&self.buffer, net.now);
        self.buffer.shrink_to(BATCH_BYTES);
        let lengths = batch.iter().map(|(_, line)| line.len() + 1);
        outcome.map_or_else(|error| judge(&error, written, lengths), |()| Verdict::Delivered)
    }
}

/// What it means that only so many bytes of lines of these lengths were written.
fn judge(error: &append::Failure, written: usize, lengths: impl ExactSizeIterator<Item = usize>) -> Verdict {
    let lines = lengths.len();
    let mut end = 0;
    let whole = lengths
        .take_while(|length| {
            end += length;
            end <= written
        })
        .count();
    match whole {
        0 => Verdict::Retry { after: error.is_operators().then_some(OPERATOR_DELAY), why: error.to_string() },
        whole => Verdict::Partial { failed: (whole..lines).collect(), refused: Vec::new() },
    }
}

#[cfg(test)]
mod tests;
