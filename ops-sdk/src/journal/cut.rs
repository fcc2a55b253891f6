//! Taking back what one process appended last, for whoever knows that it will be appended once more. To be done right
//! after opening, before any backend is attached.
//!
//! Cursors are pulled back first and segments cut after, from the end on, so that a start which dies half way leaves the
//! beginning of these frames, never a cursor beyond them, and the same call cuts the rest.

use std::io;

use super::Journal;
use super::folders::Folders;
use super::frame::HEAD_BYTES;
use super::lane::{Lane, write_error};
use super::position::Position;
use super::segment::{Segment, Times};
use super::slot::{Saved, Slot};
use crate::error::Error;
use crate::ledger::Loss;

/// Where one segment is to end.
struct Cut {
    index: usize,
    /// The byte and the position behind what stays.
    at: (u64, Position),
    times: Times,
}

impl Journal {
    /// Removes the frames at the journal's end that this process appended with numbers from `seq` on, and says how
    /// many records they held. To be called before [`Journal::attach`], and only for frames that no backend has read:
    /// their places are used again. In memory there is nothing to do.
    ///
    /// # Errors
    ///
    /// If a cursor or a segment cannot be read or written. Nothing is cut then, or the last of it.
    pub fn cut_from(&mut self, process: u64, seq: u64) -> Result<u64, Error> {
        self.lanes.iter_mut().map(|lane| lane.cut_from(process, seq)).sum()
    }

    /// The number of the last record that this process has in the newest segment with whole frames; none if that holds
    /// nothing of it. The frames of a process that has just ended are the last of the journal.
    #[must_use]
    pub fn last_of(&self, process: u64) -> Option<u64> {
        self.lanes.iter().filter_map(|lane| lane.last_of(process)).max()
    }
}

impl Lane {
    fn cut_from(&mut self, process: u64, seq: u64) -> Result<u64, Error> {
        let Some(folders) = self.folders.clone() else { return Ok(0) };
        let fail = |source| write_error(&folders.segments, source);
        let cuts = self.cuts(process, seq).map_err(fail)?;
        let end = cuts.last().map_or_else(|| self.end_before(process, seq), |cut| cut.at.1);
        let records = self.line.end.ordinal() - end.ordinal();
        if records > 0 {
            pull_back(&folders, end).map_err(|source| write_error(&folders.cursors, source))?;
            self.apply(cuts, end).map_err(fail)?;
        }
        Ok(records)
    }

    fn last_of(&self, process: u64) -> Option<u64> {
        self.line.segments.iter().rev().find_map(|segment| newest(segment, process))?
    }

    /// Where the journal ends without these records, if no frame of them is left. Cursors may know of frames that a
    /// disk never took: those before `seq` are lost, and only the others will come again.
    fn end_before(&self, process: u64, seq: u64) -> Position {
        let last = self.line.segments.back().filter(|segment| segment.gone.is_some());
        match (last, self.last_of(process)) {
            (Some(gone), Some(known)) => {
                gone.base.toward(&self.line.end, seq.saturating_sub(known.saturating_add(1)))
            }
            _ => self.line.end,
        }
    }

    /// Where to cut, from the last segment backwards.
    fn cuts(&self, process: u64, seq: u64) -> io::Result<Vec<Cut>> {
        let mut cuts = Vec::new();
        let segments = self.line.segments.iter().enumerate().rev();
        for (index, segment) in segments.filter(|(_, segment)| segment.gone.is_none()) {
            let Some(cut) = cut_in(segment, index, process, seq)? else { break };
            let whole = cut.at.1 == segment.base;
            cuts.push(cut);
            if !whole {
                break;
            }
        }
        Ok(cuts)
    }

    fn apply(&mut self, cuts: Vec<Cut>, end: Position) -> io::Result<()> {
        if let Some(base) = self.line.segments.back().filter(|last| last.gone.is_some()).map(|last| last.base)
        {
            self.line.segments.pop_back();
            self.line.end = base;
        }
        for Cut { index, at: (bytes, at), times } in cuts {
            let segment = &mut self.line.segments[index];
            if at == segment.base {
                segment.discard()?;
                self.line.segments.truncate(index);
            } else {
                segment.cut(bytes, &at, times)?;
            }
            self.line.end = at;
        }
        if self.line.end.is_before(&end) {
            self.line.segments.push_back(Segment::gone(self.line.end, Loss::Damaged));
        }
        (self.line.end, self.handed) = (end, end);
        if end.is_before(&self.synced_end) {
            self.synced_end = end;
        }
        self.bytes = self.line.segments.iter().map(Segment::bytes).sum();
        Ok(())
    }
}

/// The last number that a process has in a segment, if that has any whole frame at all.
fn newest(segment: &Segment, process: u64) -> Option<Option<u64>> {
    let mut scan = segment.scan().ok()?;
    let (mut any, mut last) = (false, None);
    while let Some(found) = scan.next() {
        if scan.payload(&found).is_none() {
            continue;
        }
        any = true;
        let frame = found.head.frame;
        if frame.id.process == process {
            last = Some(frame.id.seq.saturating_add(u64::from(frame.records) - 1));
        }
    }
    any.then_some(last)
}

/// Where the frames begin that are at the end of a segment and of this process, from `seq` on.
fn cut_in(segment: &Segment, index: usize, process: u64, seq: u64) -> io::Result<Option<Cut>> {
    let (mut cut, mut times): (Option<Cut>, Times) = (None, None);
    let mut scan = segment.scan()?;
    for found in scan.by_ref() {
        let frame = found.head.frame;
        if frame.id.process != process || frame.id.seq < seq {
            cut = None;
        } else if cut.is_none() {
            let at = (found.payload.start - HEAD_BYTES as u64, segment.base.plus(&found.head.before));
            cut = Some(Cut { index, at, times });
        }
        let (first, latest) = times.unwrap_or((frame.time_ms, frame.time_ms));
        times = Some((first, latest.max(frame.time_ms)));
    }
    scan.source.failed.take().map_or(Ok(cut), Err)
}

/// Sees to it that no cursor stands behind `end` or knows of anything there. On the medium too: were it only the
/// segments' end that gets there, what is appended next would be passed over.
fn pull_back(folders: &Folders, end: Position) -> io::Result<()> {
    for name in folders.disk.names(&folders.cursors)? {
        let (mut slot, saved) = Slot::open(folders.cursor(&name))?;
        if let Saved::At(at) = saved {
            slot.save(if end.is_before(&at) { end } else { at }, end)?;
            slot.sync()?;
        }
    }
    Ok(())
}
