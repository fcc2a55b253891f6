//! The records of a run, one after the other, each with its place and its identity, whether it can be read or not.

use crate::encode::binary::{self, DecodeError, Problem, Records};
use crate::encode::json::Alike;
use crate::journal::{Run, RunFrame};
use crate::model::{Record, RecordId};

/// What is left of a run, and the record that was gone to last.
pub(super) struct Reading<'a, I> {
    frames: I,
    frame: Option<Frame<'a>>,
    /// Its place in the run.
    pub(super) place: usize,
    pub(super) id: RecordId,
    problem: Option<DecodeError>,
}

/// A frame that is being read.
struct Frame<'a> {
    frame: &'a RunFrame,
    payload: &'a [u8],
    records: Records<'a>,
}

/// Reads a run from its start.
pub(super) fn reading(run: &Run) -> Reading<'_, impl Iterator<Item = (&RunFrame, &[u8])>> {
    Reading { frames: run.iter(), frame: None, place: 0, id: RecordId::default(), problem: None }
}

impl<'a, I: Iterator<Item = (&'a RunFrame, &'a [u8])>> Reading<'a, I> {
    /// Goes to the next record. Says false if there is none.
    pub(super) fn advance(&mut self) -> bool {
        (self.place, self.id.seq) = (self.place + 1, self.id.seq + 1);
        if self.frame.as_ref().is_none_or(|frame| frame.frame.places.end <= self.place) && !self.open() {
            return false;
        }
        self.problem = self.frame.as_mut().and_then(|frame| frame.records.advance().err());
        true
    }

    /// The record, and what it has in common with others.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub(super) fn record(&self) -> Result<(&Record<'a>, Option<Alike>), DecodeError> {
        let nothing = DecodeError { offset: 0, problem: Problem::Truncated };
        let record = self.frame.as_ref().and_then(|frame| frame.records.record());
        self.problem.map_or(record.ok_or(nothing), Err)
    }

    /// When it happened; when the last of its frame did, if it cannot be read.
    pub(super) fn time_ms(&self) -> u64 {
        let latest = self.frame.as_ref().map_or(0, |frame| frame.frame.head.time_ms);
        self.record().map_or(latest, |(record, _)| record.time_ms())
    }

    /// What the journal holds of it and its neighbours.
    pub(super) fn payload(&self) -> &'a [u8] {
        self.frame.as_ref().map_or(&[], |frame| frame.payload)
    }

    /// Goes before the first record of the next frame that is the run's.
    fn open(&mut self) -> bool {
        let Some((frame, payload)) = self.frames.next() else { return false };
        let (mut records, head) = (binary::records(payload), &frame.head);
        (0..frame.skip).for_each(|_| _ = records.advance());
        self.place = frame.places.start;
        self.id = RecordId { seq: head.id.seq + u64::from(frame.skip), ..head.id };
        self.frame = Some(Frame { frame, payload, records });
        true
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::encode::binary::BlockWriter;
    use crate::hub::{Fate, Hub};
    use crate::journal::{FrameHead, Journal, Settings, Weight};
    use crate::ledger::Account;
    use crate::model::{Level, Signal};
    use crate::record::{Kind, Site, Source};

    static SITE: Site = Site::new(Kind::Event(Level::Info), "", Source { target: "t", file: "f", line: 1 });

    /// A block of three events, a frame of two records that cannot be read, and a block of two, in a hub.
    fn filled() -> Hub {
        let hub = Hub::new(Journal::open(Settings::new(None)).expect("a journal in memory").0);
        hub.attach(Arc::new(Account::new("one", |_| true))).expect("a desk");
        let frame = |seq: u64, records: u32, broken: bool| {
            let (id, mut payload) = (RecordId { process: 7, seq }, Vec::new());
            let mut blocks = BlockWriter::new();
            blocks.begin(&mut payload, id, 0);
            for at in 0..u64::from(records) {
                blocks.event(&mut payload, &SITE, (seq + at) * 1_000_000, &[]);
            }
            if broken {
                payload = b"?".to_vec();
            }
            let weight = Weight::Info;
            let head = FrameHead { signal: Signal::Log, time_ms: seq + 100, id, records, weight };
            hub.append([(head, &payload[..])].into_iter(), || {});
        };
        frame(1, 3, false);
        frame(4, 2, true);
        frame(6, 2, false);
        hub
    }

    /// Of each record its place, its number, its time, and whether it could be read.
    fn read(hub: &Hub) -> Vec<(usize, u64, u64, bool)> {
        let mut run = Run::new();
        hub.read(0, usize::MAX, usize::MAX, &mut run);
        let (mut reading, mut all) = (reading(&run), Vec::new());
        while reading.advance() {
            let is_read = reading.record().map(|(record, _)| assert_eq!(record.id, reading.id)).is_ok();
            assert_eq!(reading.payload() == b"?", !is_read);
            all.push((reading.place, reading.id.seq, reading.time_ms(), is_read));
        }
        assert!(!reading.advance());
        assert_eq!(all.len(), run.len());
        all
    }

    #[test]
    fn records_that_cannot_be_read_have_their_places_and_their_numbers_too() {
        let wanted = [
            (0, 1, 1, true),
            (1, 2, 2, true),
            (2, 3, 3, true),
            (3, 4, 104, false),
            (4, 5, 104, false),
            (5, 6, 6, true),
            (6, 7, 7, true),
        ];
        assert_eq!(read(&filled()), wanted);
    }

    #[test]
    fn a_run_that_begins_within_a_block_begins_with_the_first_that_is_not_settled() {
        let hub = filled();
        let mut run = Run::new();
        hub.read(0, usize::MAX, usize::MAX, &mut run);
        let (frame, places) = run.within(0..2).next().expect("a frame");
        hub.settle(0, frame.behind(places.end - 1), [(Signal::Log, Fate::Delivered, 2)].into_iter());
        hub.rewind(0);
        let seqs: Vec<_> =
            read(&hub).into_iter().map(|(place, seq, _, is_read)| (place, seq, is_read)).collect();
        assert_eq!(seqs, [(0, 3, true), (1, 4, false), (2, 5, false), (3, 6, true), (4, 7, true)]);
        assert_eq!(hub.books()[0].rows[Signal::Log as usize].pending, 5);
    }
}
