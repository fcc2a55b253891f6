//! The records of a run, one after the other, each with its place and its identity, whether it can be read or not.

use crate::encode::binary::{self, DecodeError, Records};
use crate::encode::json::Alike;
use crate::journal::{Run, RunFrame};
use crate::model::{Record, RecordId};

/// What is left of a run to be encoded.
pub(super) struct Reading<'a, I> {
    frames: I,
    frame: Option<Frame<'a>>,
}

/// A frame that is being read.
struct Frame<'a> {
    frame: &'a RunFrame,
    payload: &'a [u8],
    records: Records<'a>,
    /// Records of it that were read.
    done: usize,
}

/// One record.
pub(super) struct Next<'r, 'a> {
    /// Its place in the run.
    pub(super) place: usize,
    pub(super) id: RecordId,
    /// When it happened; when the last of its frame did, if it cannot be read.
    pub(super) time_ms: u64,
    pub(super) record: Result<(&'r Record<'a>, Option<Alike>), DecodeError>,
    /// What the journal holds of it and its neighbours.
    pub(super) payload: &'a [u8],
}

/// Reads a run from its start.
pub(super) fn reading(run: &Run) -> Reading<'_, impl Iterator<Item = (&RunFrame, &[u8])>> {
    Reading { frames: run.iter(), frame: None }
}

impl<'a, I: Iterator<Item = (&'a RunFrame, &'a [u8])>> Reading<'a, I> {
    /// The next record, if there is one.
    pub(super) fn next(&mut self) -> Option<Next<'_, 'a>> {
        if self.frame.as_ref().is_none_or(|frame| frame.done == frame.frame.places.len()) {
            let (frame, payload) = self.frames.next()?;
            let mut records = binary::records(payload);
            (0..frame.skip).for_each(|_| _ = records.next());
            self.frame = Some(Frame { frame, payload, records, done: 0 });
        }
        let Frame { frame, payload, records, done } = self.frame.as_mut()?;
        let (place, head) = (frame.places.start + *done, &frame.head);
        let seq = head.id.seq + u64::from(frame.skip) + *done as u64;
        *done += 1;
        let record = records.next();
        let time_ms = record.as_ref().map_or(head.time_ms, |(record, _)| record.time_ms());
        Some(Next { place, id: RecordId { seq, ..head.id }, time_ms, record, payload })
    }
}
