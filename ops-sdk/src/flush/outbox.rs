//! Records on their way to the journal: numbered, encoded, log events in blocks, appended many at a time. Everything
//! that is put in comes out with the next [`Outbox::send`], in the order and under the numbers it was put in with.

use crate::encode::binary::{self, BLOCK_BYTES, BlockWriter};
use crate::hub::Hub;
use crate::journal::FrameHead;
use crate::model::{Body, Record, RecordId, Signal};
use crate::record::Site;

/// Bytes of records that are appended at one go: what a core's own cache holds beside the rest.
const APPEND_BYTES: usize = 256 << 10;
/// Records of a block at most, however small they are.
const BLOCK_RECORDS: u32 = 256;

/// Records that are not appended yet.
pub(super) struct Outbox {
    process: u64,
    seq: u64,
    payloads: Vec<u8>,
    /// Each frame's head, and where its payload ends.
    frames: Vec<(FrameHead, usize)>,
    blocks: BlockWriter,
    /// The block that may have more events: its frame so far, and where its payload starts.
    open: Option<(FrameHead, usize)>,
}

impl Outbox {
    pub(super) fn new(process: u64) -> Outbox {
        let (payloads, frames) = (Vec::new(), Vec::new());
        Outbox { process, seq: 0, payloads, frames, blocks: BlockWriter::new(), open: None }
    }

    /// Numbers a record and encodes it.
    pub(super) fn put(&mut self, time_ns: u64, body: Body<'_>) {
        self.close();
        let record = Record { id: self.next_id(), time_ns, body };
        binary::encode(&record, &mut self.payloads);
        let (signal, time_ms) = (record.signal(), record.time_ms());
        self.frames.push((FrameHead { signal, time_ms, id: record.id, records: 1 }, self.payloads.len()));
    }

    /// Numbers a log event and adds it to a block.
    pub(super) fn event(&mut self, site: &'static Site, time_ns: u64, values: &[u8]) {
        let is_full = |(head, start): (FrameHead, usize)| {
            head.records == BLOCK_RECORDS || self.payloads.len() - start + values.len() > BLOCK_BYTES
        };
        if self.open.is_some_and(is_full) {
            self.close();
        }
        let (id, time_ms) = (self.next_id(), time_ns / 1_000_000);
        let open = self.open.get_or_insert_with(|| {
            let start = self.payloads.len();
            self.blocks.begin(&mut self.payloads, id, time_ns);
            (FrameHead { signal: Signal::Log, time_ms, id, records: 0 }, start)
        });
        self.blocks.event(&mut self.payloads, site, time_ns, values);
        open.0.records += 1;
        open.0.time_ms = open.0.time_ms.max(time_ms);
    }

    /// Whether it is time to send.
    pub(super) fn is_full(&self) -> bool {
        self.payloads.len() >= APPEND_BYTES
    }

    /// Appends what there is.
    pub(super) fn send(&mut self, hub: &Hub) {
        self.close();
        if self.frames.is_empty() {
            return;
        }
        let mut start = 0;
        hub.append(self.frames.iter().map(|(head, end)| {
            let payload = &self.payloads[start..*end];
            start = *end;
            (*head, payload)
        }));
        self.frames.clear();
        self.payloads.clear();
        self.payloads.shrink_to(4 * APPEND_BYTES);
    }

    fn next_id(&mut self) -> RecordId {
        self.seq += 1;
        RecordId { process: self.process, seq: self.seq }
    }

    fn close(&mut self) {
        if let Some((head, _)) = self.open.take() {
            self.frames.push((head, self.payloads.len()));
        }
    }
}
