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
