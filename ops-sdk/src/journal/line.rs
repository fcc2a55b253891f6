//! The segments in a row, and reading along them. Every place between the first base and the end belongs to one
//! segment: it ends where the next begins, so frames that cannot be found between two bases are known to be lost,
//! how many, and of which kinds.

use std::collections::VecDeque;
use std::io;

use super::cursor::Cursor;
use super::frame::{FrameHead, Head};
use super::position::Position;
use super::run::Run;
use super::scan::Found;
use super::segment::Segment;
use crate::ledger::Loss;

/// The segments, oldest first, and where the next frame will stand.
#[derive(Debug, Default)]
pub(super) struct Line {
    pub(super) segments: VecDeque<Segment>,
    pub(super) end: Position,
}

/// Where a cursor is in the bytes of a segment: the ordinal of the segment's base, and the byte that it comes to next.
pub(super) type Place = (u64, u64);

/// How much one read may hand out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    pub(super) bytes_max: usize,
    pub(super) records_max: usize,
}

impl Room {
    /// Whether a run may not have one more frame like this. An empty run may have any.
    fn is_full(&self, run: &Run, head: &Head) -> bool {
        let records = run.len().saturating_add(head.frame.records as usize);
        let bytes = run.bytes().saturating_add(head.payload_bytes);
        !run.is_empty() && (records > self.records_max || bytes > self.bytes_max)
    }
}

impl Line {
    /// Where a segment ends.
    pub(super) fn end_of(&self, index: usize) -> Position {
        self.segments.get(index + 1).map_or(self.end, |next| next.base)
    }

    /// The segment that this position lies in, unless it lies before all of them.
    pub(super) fn index_at(&self, position: &Position) -> Option<usize> {
        self.segments.partition_point(|segment| !position.is_before(&segment.base)).checked_sub(1)
    }

    /// Where everything begins that can still be read.
    pub(super) fn start(&self) -> Position {
        self.segments.front().map_or(self.end, |segment| segment.base)
    }

    /// Moves the cursor over what is gone, counting it, and over segments that hold nothing for it.
    pub(super) fn settle(&self, cursor: &mut Cursor) {
        while let Some((to, loss)) = self.step(cursor) {
            match loss {
                Some(loss) => cursor.lose(to, loss),
                None => cursor.advance(to),
            }
        }
    }

    /// Where the cursor may move without reading, and what was lost on the way.
    fn step(&self, cursor: &Cursor) -> Option<(Position, Option<Loss>)> {
        let next = cursor.next();
        if !next.is_before(&self.end) {
            return None;
        }
        let Some(index) = self.index_at(&next) else {
            return Some((self.start(), Some(Loss::JournalFull)));
        };
        let (segment, end) = (&self.segments[index], self.end_of(index));
        if segment.gone.is_some() {
            return Some((end, segment.gone));
        }
        let nothing = cursor.count(&next, &end).iter().all(|n| *n == 0);
        (nothing && !segment.guessed).then_some((end, None))
    }

    /// Reads on from the cursor: to the end of the run's room, or of the first segment that had something to add to it.
    ///
    /// # Errors
    ///
    /// If a segment cannot be opened now. The cursor then stays before it.
    pub(super) fn read(
        &self,
        cursor: &mut Cursor,
        place: &mut Place,
        room: Room,
        out: &mut Run,
    ) -> io::Result<Option<io::Error>> {
        let (mut failed, before) = (None, out.len());
        self.settle(cursor);
        while out.len() == before && cursor.next().is_before(&self.end) {
            let at = cursor.next();
            let Some(index) = self.index_at(&at) else { break };
            failed = self.read_segment(index, cursor, place, room, out)?.or(failed);
            self.settle(cursor);
            if cursor.next() == at {
                break; // there is no room for what comes next
            }
        }
        out.ends_at(cursor.next());
        Ok(failed)
    }

    fn read_segment(
        &self,
        index: usize,
        cursor: &mut Cursor,
        place: &mut Place,
        room: Room,
        out: &mut Run,
    ) -> io::Result<Option<io::Error>> {
        let (segment, end) = (&self.segments[index], self.end_of(index));
        let base = segment.base.ordinal();
        let mut scan = segment.scan()?;
        if place.0 == base {
            scan = scan.from(place.1);
        }
        while let Some(found) = scan.next() {
            let at = segment.base.plus(&found.head.before);
            if !at.is_before(&end) {
                break;
            }
            if pass_to(cursor, &at, &found.head.frame)
                && !take(cursor, &at, &found, room, out, |found| scan.payload(found))
            {
                return Ok(scan.source.failed.take());
            }
            *place = (base, found.payload.end);
        }
        if cursor.next().is_before(&end) {
            cursor.lose(end, Loss::Damaged);
        }
        Ok(scan.source.failed.take())
    }

    /// The saved position of a cursor as this line counts. They differ only if headers were damaged; where no frame
    /// tells how, the segment is read from its start: some frames twice rather than one not at all.
    pub(super) fn place(&self, saved: Position) -> Position {
        let Some(segment) = self.index_at(&saved).and_then(|index| self.segments.get(index)) else {
            return saved;
        };
        let Ok(scan) = segment.scan() else { return saved };
        let mut frames = scan.map(|found| (segment.base.plus(&found.head.before), found.head.frame));
        let found = frames.find(|(at, frame)| saved.is_before(&behind(at, frame)));
        let next = found.map_or(self.end, |(at, _)| at);
        if let Some((at, frame)) = found
            && !saved.is_before(&at)
        {
            at.after(frame.signal, saved.ordinal() - at.ordinal())
        } else if next.ordinal() == saved.ordinal() {
            next
        } else if segment.base.is_within(&saved) && saved.is_within(&next) {
            saved
        } else {
            segment.base
        }
    }
}

/// The position behind a frame that stands at `at`.
fn behind(at: &Position, frame: &FrameHead) -> Position {
    at.after(frame.signal, u64::from(frame.records))
}

/// Counts as lost what lies before a frame, and says whether any of the frame is still to be read.
fn pass_to(cursor: &mut Cursor, at: &Position, frame: &FrameHead) -> bool {
    if cursor.next().is_before(at) {
        cursor.lose(*at, Loss::Damaged);
    }
    cursor.next().is_before(&behind(at, frame))
}

/// Takes the frame that the cursor stands at or within, unless the run is full.
fn take<'a>(
    cursor: &mut Cursor,
    at: &Position,
    found: &Found,
    room: Room,
    out: &mut Run,
    payload: impl FnOnce(&Found) -> Option<&'a [u8]>,
) -> bool {
    let (frame, after) = (found.head.frame, behind(at, &found.head.frame));
    if !cursor.accepts(frame.signal) {
        cursor.advance(after);
        return true;
    }
    if room.is_full(out, &found.head) {
        return false;
    }
    match payload(found) {
        Some(bytes) => {
            out.push(frame, bytes, *at, cursor.next(), after);
            cursor.advance(after);
        }
        None => cursor.lose(after, Loss::Damaged),
    }
    true
}
