//! Frames copied out of the journal for one backend, and their records by their place in the run, from 0.

use std::ops::Range;

use super::frame::FrameHead;
use super::position::Position;
use crate::model::Signal;

/// One frame of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFrame {
    /// What the journal knows of it.
    pub head: FrameHead,
    /// Records at its start that were read before, and are not this run's. All others are.
    pub skip: u32,
    /// The places of its records in the run.
    pub places: Range<usize>,
    /// The position behind it: acknowledging this settles the frame and all before it.
    pub end: Position,
    /// The position of its first record that is this run's.
    start: Position,
    bytes: Range<usize>,
}

/// Frames in the order they were appended. Reuses its memory.
#[derive(Debug, Clone, Default)]
pub struct Run {
    buffer: Vec<u8>,
    frames: Vec<RunFrame>,
    end: Position,
}

impl RunFrame {
    /// The position behind its record at this place of the run.
    #[must_use]
    pub fn behind(&self, place: usize) -> Position {
        self.start.after(self.head.signal, (place + 1).saturating_sub(self.places.start) as u64)
    }
}

impl Run {
    /// No frames.
    #[must_use]
    pub fn new() -> Run {
        Run::default()
    }

    /// How many records there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.frames.last().map_or(0, |frame| frame.places.end)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// How many bytes the payloads have together.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.buffer.len()
    }

    /// The position behind everything that was read: acknowledging this settles the run.
    #[must_use]
    pub fn end(&self) -> Position {
        self.end
    }

    /// The kind of the first of them.
    pub(super) fn signal(&self) -> Option<Signal> {
        self.frames.first().map(|frame| frame.head.signal)
    }

    /// Each frame and its payload.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&RunFrame, &[u8])> {
        self.frames.iter().map(|frame| (frame, &self.buffer[frame.bytes.clone()]))
    }

    /// Each frame that has records at these places, and those of the places that are its own.
    pub fn within(&self, places: Range<usize>) -> impl Iterator<Item = (&RunFrame, Range<usize>)> {
        let first = self.frames.partition_point(|frame| frame.places.end <= places.start);
        let inside = self.frames[first..].iter().take_while(move |frame| frame.places.start < places.end);
        inside.map(move |frame| {
            let (start, end) = (frame.places.start.max(places.start), frame.places.end.min(places.end));
            (frame, start..end)
        })
    }

    /// Forgets every frame and keeps the memory.
    pub fn clear(&mut self) {
        self.buffer.clear();
        self.frames.clear();
    }

    /// Adds a frame whose records from `start` on are this run's; `at` and `end` are before and behind it.
    pub(super) fn push(
        &mut self,
        head: FrameHead,
        payload: &[u8],
        at: Position,
        start: Position,
        end: Position,
    ) {
        let from = self.buffer.len();
        self.buffer.extend_from_slice(payload);
        let skip =
            u32::try_from(start.ordinal().saturating_sub(at.ordinal())).unwrap_or(u32::MAX).min(head.records);
        let places = self.len()..self.len() + (head.records - skip) as usize;
        let start = at.after(head.signal, u64::from(skip));
        self.frames.push(RunFrame { head, skip, places, end, start, bytes: from..self.buffer.len() });
    }

    pub(super) fn ends_at(&mut self, end: Position) {
        self.end = end;
    }
}
