//! Keeping the journal within its bounds and on its disk: segments begin, end, wait, and go.

use std::io;
use std::path::Path;

use super::frame::FrameHead;
use super::lane::{CursorKey, Lane, SPARE_AGE_MS};
use super::lock::STATE_DIR;
use super::position::Position;
use super::segment::{Segment, file_name};
use crate::ledger::Loss;

impl Lane {
    pub(super) fn roll(&mut self, at: Position) {
        self.seal();
        let store = self.folders.as_ref().map(|folders| folders.segment(&file_name(at.ordinal())));
        let mut memory = std::mem::take(&mut self.spare);
        let filled_ms =
            self.line.segments.back().and_then(|segment| segment.times).map(|(first, last)| last - first);
        if store.is_none() && filled_ms.is_some_and(|ms| ms < SPARE_AGE_MS) {
            // It will be filled as fast: growing step by step would copy it over and over.
            memory.reserve(usize::try_from(self.segment_bytes_max).unwrap_or(0));
        }
        let segment = Segment::new(at, store, self.segment_bytes_max).within(memory);
        self.bytes += segment.bytes();
        self.line.segments.push_back(segment);
        self.growing = true;
        self.trim();
    }

    /// Says that the last segment will not grow any more.
    pub(super) fn seal(&mut self) {
        self.commit();
        self.growing = false;
        if let Some(Err(error)) = self.line.segments.back_mut().map(Segment::seal) {
            self.note_segment_error(&error);
        }
    }

    /// One frame that no journal of this size can hold.
    pub(super) fn leave_gap(&mut self, at: Position, head: &FrameHead) {
        self.seal();
        self.line.end = at.after(head.signal, u64::from(head.records));
        if self.line.segments.back().is_none_or(|segment| segment.gone != Some(Loss::JournalFull)) {
            self.line.segments.push_back(Segment::gone(at, Loss::JournalFull));
        }
        self.lose_ahead(&[(at, self.line.end)]);
    }

    pub(super) fn lose_ahead(&mut self, stretches: &[(Position, Position)]) {
        for reader in &mut self.readers {
            reader.cursor.lose_all_ahead(stretches, Loss::JournalFull);
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
            }
            if index < sealed && !segment.is_done() {
                result = result.and(segment.seal());
            }
        }
        if result.is_ok() {
            self.handed = self.line.end;
        }
        result
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
        self.save_cursors();
        self.forget_front();
        self.settle();
    }

    /// Tells every cursor's file where the journal ends, so that what a backend holds of a segment that goes is known to
    /// have been there if the process dies next.
    fn save_cursors(&mut self) {
        let (end, mut failed) = (self.line.end, None);
        for (index, reader) in self.readers.iter_mut().enumerate() {
            failed = reader.save(end).err().map(|error| (CursorKey(index), error)).or(failed);
        }
        if let Some((key, error)) = failed {
            self.note_cursor_error(key, &error);
        }
    }

    /// Lets go of segments that every cursor has passed. The last one may grow on until it is worth it.
    pub(super) fn trim(&mut self) {
        self.settle();
        let durable = self.durable;
        let Some(passed) = self.readers.iter().map(|reader| reader.passed(durable)).min() else { return };
        while let Some(front) = self.line.segments.front() {
            let is_small = front.bytes() < self.segment_bytes_max / 8;
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

    fn note_discard(&mut self, discarded: io::Result<bool>) {
        if let (Err(error), Some(folders)) = (discarded, &self.folders) {
            self.trouble = Some(said("delete a segment in", &folders.segments, &error, "allow this user to"));
        }
    }

    pub(super) fn note_segment_error(&mut self, error: &io::Error) {
        let Some(folders) = &self.folders else { return };
        let waiting_mib = self.waiting_bytes_max >> 20;
        let remedy = format!(
            "make room on the disk or repair it; until then records wait in memory, {waiting_mib} MiB at most"
        );
        self.trouble = Some(said("use", &folders.segments, error, &remedy));
    }

    pub(super) fn note_cursor_error(&mut self, key: CursorKey, error: &io::Error) {
        let slot = self.readers.get(key.0).and_then(|reader| reader.slot.as_ref());
        let Some(path) = slot.map(|slot| slot.store().path.clone()) else { return };
        let remedy = "make room on the disk or repair it; until then a restart sends some records twice";
        self.trouble = Some(said("save", &path, error, remedy));
    }
}

fn said(action: &str, path: &Path, error: &io::Error, remedy: &str) -> String {
    format!("{STATE_DIR}: cannot {action} {}: {error}; {remedy}", path.display())
}
