//! Keeping the journal within its bounds and on its disk: segments begin, end, wait, and go.

use std::io;
use std::path::Path;

use super::lock::STATE_DIR;
use super::position::Position;
use super::segment::Segment;
use super::{CursorKey, FrameHead, Journal, SPARE_AGE_MS};
use crate::ledger::Loss;

impl Journal {
    pub(super) fn roll(&mut self, at: Position) {
        self.seal();
        let folder = self.folders.as_ref().map(|(segments, _)| segments.as_path());
        let mut memory = std::mem::take(&mut self.spare);
        let filled_ms =
            self.line.segments.back().and_then(|segment| segment.times).map(|(first, last)| last - first);
        if folder.is_none() && filled_ms.is_some_and(|ms| ms < SPARE_AGE_MS) {
            // It will be filled as fast: growing step by step would copy it over and over.
            memory.reserve(usize::try_from(self.settings.segment_bytes_max).unwrap_or(0));
        }
        let segment = Segment::new(at, folder).within(memory);
        self.bytes += segment.bytes();
        self.line.segments.push_back(segment);
        self.growing = true;
        self.trim();
    }

    pub(super) fn seal(&mut self) {
        self.commit();
        if let Some(segment) = self.line.segments.back_mut() {
            segment.seal();
        }
        self.growing = false;
    }

    /// One frame that no journal of this size can hold.
    pub(super) fn leave_gap(&mut self, at: Position, head: &FrameHead) {
        self.seal();
        self.line.end = at.after(head.signal, u64::from(head.records));
        if self.line.segments.back().is_none_or(|segment| segment.gone != Some(Loss::JournalFull)) {
            self.line.segments.push_back(Segment::gone(at, Loss::JournalFull));
        }
        self.lose_ahead(at, self.line.end);
    }

    fn lose_ahead(&mut self, from: Position, to: Position) {
        for reader in &mut self.readers {
            reader.cursor.lose_ahead(from, to, Loss::JournalFull);
        }
        self.settle();
    }

    /// Offers the disk every segment that has bytes in memory; one that it does not take keeps back no other.
    pub(super) fn try_commit(&mut self) -> io::Result<()> {
        let sealed = self.line.segments.len() - usize::from(self.growing);
        let mut result = Ok(());
        for (index, segment) in self.line.segments.iter_mut().enumerate() {
            if segment.memory_bytes() > 0 {
                result = result.and(segment.commit());
                if index < sealed {
                    segment.seal();
                }
            }
        }
        if result.is_ok() {
            self.handed = self.line.end;
        }
        result
    }

    /// Lets go of the oldest segments that wait for the disk, until what waits is within its bound. Those that are on
    /// disk stay: they take no memory.
    pub(super) fn shed_waiting(&mut self) {
        let mut waiting: u64 = self.line.segments.iter().map(Segment::memory_bytes).sum();
        while waiting > self.waiting_bytes_max {
            let last = self.line.segments.len() - 1;
            let Some(index) = self.line.segments.iter().position(|segment| segment.memory_bytes() > 0) else {
                break;
            };
            let end = self.line.end_of(index);
            let segment = &mut self.line.segments[index];
            let base = segment.base;
            waiting -= segment.memory_bytes();
            self.bytes -= segment.bytes();
            segment.gone = Some(Loss::JournalFull);
            self.growing &= index != last;
            let discarded = segment.discard();
            self.note_discard(discarded);
            self.lose_ahead(base, end);
        }
    }

    pub(super) fn settle(&mut self) {
        for reader in &mut self.readers {
            self.line.settle(&mut reader.cursor);
        }
    }

    /// Lets go of the oldest segment; whoever had not passed it has lost what it held.
    pub(super) fn drop_front(&mut self, loss: Loss) {
        let end = self.line.end_of(0);
        let loss = self.line.segments.front().and_then(|segment| segment.gone).unwrap_or(loss);
        for reader in self.readers.iter_mut().filter(|reader| reader.cursor.next().is_before(&end)) {
            reader.cursor.lose(end, loss);
        }
        self.forget_front();
        self.settle();
    }

    /// Lets go of segments that every cursor has passed. The last one may grow on until it is worth it.
    pub(super) fn trim(&mut self) {
        self.settle();
        let Some(passed) = self.readers.iter().map(|reader| reader.cursor.acked().ordinal()).min() else {
            return;
        };
        while let Some(front) = self.line.segments.front() {
            let is_small = front.bytes() < self.settings.segment_bytes_max / 8;
            let grows = self.growing && self.line.segments.len() == 1 && is_small;
            let fresh = front.base.ordinal() == self.line.end_of(0).ordinal();
            if grows || fresh || self.line.end_of(0).ordinal() > passed {
                break;
            }
            self.forget_front();
        }
    }

    fn forget_front(&mut self) {
        if let Some(mut segment) = self.line.segments.pop_front() {
            self.bytes -= segment.bytes();
            self.growing &= !self.line.segments.is_empty();
            if self.folders.is_none() {
                self.spare = segment.take_memory();
            }
            let discarded = segment.discard();
            self.note_discard(discarded);
        }
    }

    fn note_discard(&mut self, discarded: io::Result<()>) {
        if let (Err(error), Some((segments, _))) = (discarded, &self.folders) {
            self.trouble = Some(said("delete a segment in", segments, &error, "allow this user to"));
        }
    }

    pub(super) fn note_segment_error(&mut self, error: &io::Error) {
        let Some((segments, _)) = &self.folders else { return };
        let waiting_mib = self.waiting_bytes_max >> 20;
        let remedy = format!(
            "make room on the disk or repair it; until then records wait in memory, {waiting_mib} MiB at most"
        );
        self.trouble = Some(said("use", segments, error, &remedy));
    }

    pub(super) fn note_cursor_error(&mut self, key: CursorKey, error: &io::Error) {
        let slot = self.readers.get(key.0).and_then(|reader| reader.slot.as_ref());
        let Some(path) = slot.map(|slot| slot.path().to_owned()) else { return };
        let remedy = "make room on the disk or repair it; until then a restart sends some records twice";
        self.trouble = Some(said("save", &path, error, remedy));
    }
}

fn said(action: &str, path: &Path, error: &io::Error, remedy: &str) -> String {
    format!("{STATE_DIR}: cannot {action} {}: {error}; {remedy}", path.display())
}
