//! Records on their way to the journal: numbered, encoded, log events in blocks, appended many at a time. Everything
//! that is put in comes out with the next [`Outbox::send`], in the order and under the numbers it was put in with.

use crate::encode::binary::{self, BLOCK_BYTES, BlockWriter};
use crate::hub::Hub;
use crate::journal::{FrameHead, Journal, Weight};
use crate::model::{Body, Level, Record, RecordId, Signal};
use crate::record::{Kind, Site, Taking};

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
    /// Of this process, whose records are numbered from `first`.
    pub(super) fn new(process: u64, first: u64) -> Outbox {
        let (payloads, frames) = (Vec::new(), Vec::new());
        Outbox { process, seq: first - 1, payloads, frames, blocks: BlockWriter::new(), open: None }
    }

    /// Numbers a record and encodes it.
    pub(super) fn put(&mut self, time_ns: u64, body: Body<'_>) {
        self.close();
        let record = Record { id: self.next_id(), time_ns, body };
        binary::encode(&record, &mut self.payloads);
        let (signal, time_ms) = (record.signal(), record.time_ms());
        let weight = Weight::of(&record.body);
        self.frames
            .push((FrameHead { signal, time_ms, id: record.id, records: 1, weight }, self.payloads.len()));
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
            (FrameHead { signal: Signal::Log, time_ms, id, records: 0, weight: Weight::Debug }, start)
        });
        self.blocks.event(&mut self.payloads, site, time_ns, values);
        open.0.records += 1;
        let level = if let Kind::Event(level) = site.kind { level } else { Level::Info };
        open.0.weight = open.0.weight.max(Weight::of_level(level));
        open.0.time_ms = open.0.time_ms.max(time_ms);
    }

    /// Whether it is time to send.
    pub(super) fn is_full(&self) -> bool {
        self.payloads.len() >= APPEND_BYTES
    }

    /// Appends what there is, and with that brings to its end what was taken for it.
    pub(super) fn send(&mut self, hub: &Hub, taking: Taking) {
        self.close();
        taking.closes(self.seq + 1);
        if self.frames.is_empty() {
            return taking.done();
        }
        hub.append(frames(&self.frames, &self.payloads), || taking.done());
        self.clear();
    }

    /// The same where nobody reads the journal yet.
    pub(super) fn send_to(&mut self, journal: &mut Journal) {
        self.close();
        frames(&self.frames, &self.payloads).for_each(|(head, payload)| journal.append(head, payload));
        self.clear();
    }

    fn clear(&mut self) {
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

/// Each frame's head and its payload.
fn frames<'a>(
    ends: &'a [(FrameHead, usize)],
    payloads: &'a [u8],
) -> impl Iterator<Item = (FrameHead, &'a [u8])> {
    let mut start = 0;
    ends.iter().map(move |(head, end)| {
        let payload = &payloads[start..*end];
        start = *end;
        (*head, payload)
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::journal::{Journal, Run, Settings};
    use crate::ledger::Account;
    use crate::model::{Level, Metric, Points, Resolution, Unit};
    use crate::record::{Arena, Kind, Source};

    static SITE: Site = Site::new(Kind::Event(Level::Info), "", Source { target: "t", file: "f", line: 1 });

    fn hub() -> Hub {
        let hub = Hub::new(Journal::open(Settings::new(None)).expect("a journal in memory").0);
        hub.attach(Arc::new(Account::new("one", |_| true))).expect("a desk");
        hub
    }

    fn taking() -> Taking {
        Taking::of(Arena::get_or_reserve(256 << 20).expect("256 MiB of address space"))
    }

    fn counter() -> Body<'static> {
        Body::Metric(Metric {
            name: "n".into(),
            unit: Unit::Count,
            resolution: Resolution::Standard,
            window_ms: 60_000,
            dimensions: vec![],
            points: Points::Counter { sum: 1 },
        })
    }

    /// The frames that were appended: kind, first number, records and bytes; each record's number is checked.
    fn frames(hub: &Hub) -> Vec<(Signal, u64, u32, usize)> {
        let (mut run, mut all) = (Run::new(), Vec::new());
        loop {
            hub.read(0, usize::MAX, usize::MAX, &mut run);
            if run.is_empty() {
                return all;
            }
            for (frame, payload) in run.iter() {
                check(frame.head, payload);
                all.push((frame.head.signal, frame.head.id.seq, frame.head.records, payload.len()));
            }
        }
    }

    fn check(head: FrameHead, payload: &[u8]) {
        let mut records = binary::records(payload);
        for seq in head.id.seq..head.id.seq + u64::from(head.records) {
            records.advance().expect("a record");
            let record = records.record().expect("it was read").0;
            assert_eq!((record.id, record.signal()), (RecordId { process: 7, seq }, head.signal));
            assert!(record.time_ms() <= head.time_ms);
        }
        assert!(records.advance().is_err(), "no more than the head says");
    }

    #[test]
    fn records_are_numbered_in_the_order_they_come_and_events_share_frames() {
        let (hub, mut outbox) = (hub(), Outbox::new(7, 1));
        for time_ns in [5_000_000, 9_000_000, 7_000_000] {
            outbox.event(&SITE, time_ns, &[]);
        }
        outbox.put(1, counter());
        outbox.put(2, counter());
        outbox.event(&SITE, 3, &[]);
        outbox.send(&hub, taking());
        outbox.event(&SITE, 4, &[]);
        outbox.send(&hub, taking());
        let found: Vec<_> =
            frames(&hub).into_iter().map(|(signal, seq, records, _)| (signal, seq, records)).collect();
        let (log, metric) = (Signal::Log, Signal::Metric);
        assert_eq!(found, [(log, 1, 3), (metric, 4, 1), (metric, 5, 1), (log, 6, 1), (log, 7, 1)]);
        let recorded: Vec<u64> = hub.books()[0].rows.iter().map(|row| row.recorded).collect();
        assert_eq!(recorded[..2], [2, 5]);
    }

    #[test]
    fn a_block_is_no_longer_than_its_bounds_unless_one_event_is() {
        let (hub, mut outbox) = (hub(), Outbox::new(7, 1));
        let sizes = [0, 10, 300, 4000, 5000, 1, 100_000, 3];
        for size in sizes.iter().cycle().take(400).chain([&0; 1000]) {
            outbox.event(&SITE, 1, &vec![0; *size]);
            if outbox.is_full() {
                outbox.send(&hub, taking());
            }
        }
        outbox.send(&hub, taking());
        let found = frames(&hub);
        assert_eq!(found.iter().map(|frame| frame.2).sum::<u32>(), 1400);
        assert!(found.iter().all(|(_, _, records, bytes)| *records == 1 || *bytes <= BLOCK_BYTES + 64));
        assert!(found.iter().all(|(_, _, records, _)| *records <= BLOCK_RECORDS));
        assert!(found.iter().any(|(_, _, records, _)| *records == BLOCK_RECORDS));
    }
}
