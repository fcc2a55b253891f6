//! The journal as its callers see it.

mod cut;
mod damage;
mod disk;
mod figures;
mod lanes;
mod model;
mod plain;
mod power;
mod sim;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::footer::FOOTER_BYTES;
use super::frame::HEAD_BYTES;
use super::segment::Segment;
use super::*;
use crate::ledger::Loss;
use crate::model::RecordId;

pub(super) const ALL: [bool; Signal::COUNT] = [true; Signal::COUNT];
pub(super) const LOGS: [bool; Signal::COUNT] = [false, true, false, false, false];

/// Settings with bounds that a test reaches.
pub(super) fn small(dir: Option<&Path>, bytes_max: u64) -> Settings {
    Settings { bytes_max, audit_bytes_max: bytes_max, ..Settings::new(dir.map(Path::to_owned)) }
}

pub(super) fn head(signal: Signal, seq: u64) -> FrameHead {
    block(signal, seq, 1)
}

/// The head of a frame of several records.
pub(super) fn block(signal: Signal, seq: u64, records: u32) -> FrameHead {
    FrameHead { signal, time_ms: seq, id: RecordId { process: 7, seq }, records, weight: Weight::Info }
}

/// Appends a frame of several records, numbered from `seq` on.
pub(super) fn append_block(journal: &mut Journal, signal: Signal, seq: u64, records: u32) {
    journal.append(block(signal, seq, records), format!("payload {seq}").as_bytes());
}

pub(super) fn append(journal: &mut Journal, signal: Signal, seq: u64) {
    journal.append(head(signal, seq), format!("payload {seq}").as_bytes());
}

/// The sequence numbers of the next run. Checks that each payload is the one of its number.
pub(super) fn read(journal: &mut Journal, key: CursorKey, records_max: usize) -> (Vec<u64>, Position) {
    let mut run = Run::new();
    journal.read(key, usize::MAX, records_max, &mut run);
    for (frame, payload) in run.iter() {
        assert_eq!(payload, format!("payload {}", frame.head.id.seq).as_bytes());
    }
    (run.iter().flat_map(|(frame, _)| seqs(frame)).map(|(seq, _)| seq).collect(), run.end())
}

/// The sequence numbers of a frame's records that are its run's, and the position behind each.
pub(super) fn seqs(frame: &RunFrame) -> Vec<(u64, Position)> {
    let first = frame.head.id.seq + u64::from(frame.skip);
    (first..).zip(frame.places.clone()).map(|(seq, place)| (seq, frame.behind(place))).collect()
}

/// Reads and settles everything.
pub(super) fn drain(journal: &mut Journal, key: CursorKey) -> Vec<u64> {
    let mut all = Vec::new();
    loop {
        let (some, end) = read(journal, key, 1000);
        journal.ack(key, end);
        if some.is_empty() {
            return all;
        }
        all.extend(some);
    }
}

pub(super) fn pending(journal: &Journal, key: CursorKey) -> u64 {
    Signal::ALL.into_iter().map(|signal| journal.pending(key, signal)).sum()
}

/// What was lost, by kind and reason, whoever lost it.
pub(super) fn lost(journal: &mut Journal) -> Vec<(Signal, Loss, u64)> {
    journal.evicted().into_iter().map(|row| (row.signal, row.loss, row.count)).collect()
}

pub(super) fn open(dir: Option<&Path>, bytes_max: u64) -> Journal {
    Journal::open(small(dir, bytes_max)).unwrap().0
}

/// Ends a journal as the death of its process does, when everything was handed to the system.
pub(super) fn kill(mut journal: Journal) {
    journal.commit();
    journal.process = !journal.process;
}

pub(super) fn attach(journal: &mut Journal, id: &str, accepts: [bool; Signal::COUNT]) -> CursorKey {
    journal.attach(id, accepts).unwrap().key
}
