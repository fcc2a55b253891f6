//! Lines on a stream that somebody reads.

use std::io::Write;

use super::LINE_BYTES_MAX;
use crate::backend::Verdict;
use crate::backend::aws::Carry;
use crate::chunk::Batch;
use crate::limits::{Limits, Oversize};
use crate::net::Net;

/// Writes lines in one piece.
pub(super) struct Lines<W> {
    pub(super) to: W,
    /// The last batch broke off, perhaps within a line.
    torn: bool,
    buffer: Vec<u8>,
}

impl<W: Write + Send> Lines<W> {
    pub(super) fn new(to: W) -> Lines<W> {
        Lines { to, torn: false, buffer: Vec::new() }
    }
}

impl<W: Write + Send> Carry for Lines<W> {
    /// Not a push: only a line has a size, that of an event in CloudWatch Logs. What is written at once is bounded so
    /// that other writers of the process get their turn.
    fn limits(&self) -> Limits {
        Limits {
            push_bytes_max: 4 * LINE_BYTES_MAX,
            envelope_bytes: 0,
            push_items_max: 10_000,
            item_bytes_max: LINE_BYTES_MAX,
            item_overhead_bytes: 1, // the newline
            span_ms_max: None,
            age_ms_max: None,
            ahead_ms_max: None,
            ordered: false,
            push: false,
            oversize: Oversize::Split,
        }
    }

    /// Writes the batch in one piece. A reader that went away, or does not read, is waited out.
    fn send(&mut self, batch: &Batch, _net: &mut Net) -> Verdict {
        self.buffer.clear();
        if self.torn {
            self.buffer.push(b'\n');
        }
        for (_, line) in batch.iter() {
            self.buffer.extend_from_slice(line);
            self.buffer.push(b'\n');
        }
        let written = self.to.write_all(&self.buffer).and_then(|()| self.to.flush());
        self.torn = written.is_err();
        match written {
            Ok(()) => Verdict::Delivered,
            Err(error) => Verdict::Retry { after: None, why: format!("cannot write to stdout: {error}") },
        }
    }
}
