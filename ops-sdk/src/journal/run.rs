//! Frames copied out of the journal for one backend.

use std::ops::Range;

use super::frame::FrameHead;
use super::position::Position;

/// One frame of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFrame {
    /// What the journal knows of it.
    pub head: FrameHead,
    /// The position behind it: acknowledging this settles the frame and all before it.
    pub end: Position,
    bytes: Range<usize>,
}

/// Frames in the order they were appended. Reuses its memory.
#[derive(Debug, Clone, Default)]
pub struct Run {
    buffer: Vec<u8>,
    frames: Vec<RunFrame>,
    end: Position,
}

impl Run {
    /// No frames.
    #[must_use]
    pub fn new() -> Run {
        Run::default()
    }

    /// How many frames there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.frames.len()
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

    /// Each frame and its payload.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&RunFrame, &[u8])> {
        self.frames.iter().map(|frame| (frame, &self.buffer[frame.bytes.clone()]))
    }

    /// Forgets every frame and keeps the memory.
    pub fn clear(&mut self) {
        self.buffer.clear();
        self.frames.clear();
    }

    pub(super) fn push(&mut self, head: FrameHead, payload: &[u8], end: Position) {
        let start = self.buffer.len();
        self.buffer.extend_from_slice(payload);
        self.frames.push(RunFrame { head, end, bytes: start..self.buffer.len() });
    }

    pub(super) fn ends_at(&mut self, end: Position) {
        self.end = end;
    }
}
