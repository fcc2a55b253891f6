//! Walks the frames of one segment, in a file, in memory or partly in each, with one window of memory.
//!
//! What is not a whole head is passed over, to the next place where one begins, so a damaged frame costs itself
//! and no other. Bytes that cannot be read count as zeros, which no checksum matches. Never writes.

use std::ops::Range;

use super::disk::DiskFile;
use super::frame::{self, HEAD_BYTES, HEADER_BYTES, Head, MARKER};

/// Bytes read from a file at once, unless one frame has more.
const WINDOW_BYTES: usize = 64 * 1024;

/// The bytes of a segment: those in the file, then those in memory. No frame lies in both.
pub(super) struct Source<'a> {
    file: Option<Box<dyn DiskFile>>,
    file_bytes: u64,
    tail: &'a [u8],
    window: Vec<u8>,
    window_at: u64,
    /// What the system said to the last read that failed.
    pub(super) failed: Option<std::io::Error>,
}

impl<'a> Source<'a> {
    /// `file_bytes` of the file, then `tail`. Without a file its bytes count as zeros.
    pub(super) fn new(file: Option<Box<dyn DiskFile>>, file_bytes: u64, tail: &'a [u8]) -> Source<'a> {
        Source { file, file_bytes, tail, window: Vec::new(), window_at: 0, failed: None }
    }

    /// How many bytes there are.
    pub(super) fn len(&self) -> u64 {
        self.file_bytes + self.tail.len() as u64
    }

    /// Where the part that `at` lies in ends: a frame never reaches beyond.
    fn part_end(&self, at: u64) -> u64 {
        if at < self.file_bytes { self.file_bytes } else { self.len() }
    }

    /// The bytes of this range, or none if it does not lie within one part.
    pub(super) fn get(&mut self, range: Range<u64>) -> Option<&[u8]> {
        if range.end > self.part_end(range.start) {
            return None;
        }
        let bytes = usize::try_from(range.end.checked_sub(range.start)?).ok()?;
        if let Some(at) = range.start.checked_sub(self.file_bytes) {
            return self.tail.get(usize::try_from(at).ok()?..)?.get(..bytes);
        }
        let covered = self.window_at..self.window_at + self.window.len() as u64;
        if range.start < covered.start || range.end > covered.end {
            self.fill(range.start, bytes);
        }
        self.window.get(usize::try_from(range.start - self.window_at).ok()?..)?.get(..bytes)
    }

    /// Where the last byte ends that is not zero, from `at` on; `at` if there is none.
    pub(super) fn written_end(&mut self, mut at: u64) -> u64 {
        let mut written = at;
        while at < self.len() {
            let end = self.part_end(at).min(at + WINDOW_BYTES as u64);
            if let Some(last) = self.get(at..end).and_then(|bytes| bytes.iter().rposition(|b| *b != 0)) {
                written = at + last as u64 + 1;
            }
            at = end;
        }
        written
    }

    fn fill(&mut self, at: u64, bytes: usize) {
        let left = usize::try_from(self.file_bytes - at).unwrap_or(usize::MAX);
        self.window.clear();
        self.window.resize(bytes.max(WINDOW_BYTES).min(left), 0);
        self.window_at = at;
        if let Some(file) = &self.file
            && let Err(error) = file.read_at(at, &mut self.window)
        {
            self.failed = Some(error);
        }
    }

    /// Where the next marker may begin, from `at` on; the length if nowhere.
    fn next_marker(&mut self, mut at: u64) -> u64 {
        while at < self.len() {
            let end = self.part_end(at).min(at + WINDOW_BYTES as u64);
            let found = self.get(at..end).and_then(|bytes| bytes.iter().position(|b| *b == MARKER[0]));
            if let Some(found) = found {
                return at + found as u64;
            }
            at = end;
        }
        self.len()
    }
}

/// A frame with a whole head. Its payload has not been looked at.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) head: Head,
    /// Where its payload is in the segment.
    pub(super) payload: Range<u64>,
}

/// The walk.
pub(super) struct Scan<'a> {
    pub(super) source: Source<'a>,
    base: u64,
    at: u64,
    /// The least number that the next record may have. Keeps out copies of earlier frames.
    least: u64,
}

impl<'a> Scan<'a> {
    /// Walks from the first frame of the segment whose base has this ordinal.
    pub(super) fn new(source: Source<'a>, base: u64) -> Scan<'a> {
        Scan { source, base, at: HEADER_BYTES as u64, least: 0 }
    }

    /// Walks from `at`, where a frame ended.
    pub(super) fn from(mut self, at: u64) -> Scan<'a> {
        self.at = at;
        self
    }

    /// The payload of a frame, if it is the one that was written: what has not left this process's memory is.
    pub(super) fn payload(&mut self, found: &Found) -> Option<&[u8]> {
        let in_memory = found.payload.start >= self.source.file_bytes;
        let bytes = self.source.get(found.payload.clone())?;
        (in_memory || found.head.matches(bytes)).then_some(bytes)
    }

    fn frame_here(&mut self) -> Option<Found> {
        let start = self.at.checked_add(HEAD_BYTES as u64)?;
        let head = frame::parse(self.source.get(self.at..start)?, self.base)?;
        let payload = start..start.checked_add(head.payload_bytes as u64)?;
        let whole = payload.end <= self.source.part_end(self.at);
        (whole && head.number() >= self.least).then_some(Found { head, payload })
    }
}

impl Iterator for Scan<'_> {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        while self.at < self.source.len() {
            if let Some(found) = self.frame_here() {
                self.at = found.payload.end;
                self.least = found.head.number() + u64::from(found.head.frame.records);
                return Some(found);
            }
            self.at = self.source.next_marker(self.at + 1);
        }
        None
    }
}
