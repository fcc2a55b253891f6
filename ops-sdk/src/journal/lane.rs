//! One lane of the journal: its segments in a row, its bounds, and each backend's cursor in it.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::cursor::Cursor;
use super::disk::Disk;
use super::folders::Folders;
use super::frame::{FrameHead, HEAD_BYTES};
use super::line::{Line, Place, Room};
use super::lock::path_error;
use super::position::Position;
use super::recover::{self, Opened};
use super::run::Run;
use super::segment::{Segment, bytes_alone};
use super::settings::{Durability, Settings};
use super::slot::{Saved, Slot};
use crate::error::Error;
use crate::ledger::Loss;
use crate::model::Signal;

/// Bytes that may wait in memory for a disk that does not take them.
const WAITING_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Bytes appended before they are handed to the system unasked.
const COMMIT_BYTES: u64 = 64 * 1024;
/// A segment's frames are numbered with 32 bits.
const SEGMENT_BYTES_LIMIT: u64 = 1 << 30;
/// Memory is kept for the next segment while one is filled in less than this.
pub(super) const SPARE_AGE_MS: u64 = 10_000;
/// At a bound an eighth of the journal goes, of its bytes or of its age.
const SEGMENTS_MIN: u32 = 8;

/// Names an attached cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct CursorKey(pub(super) usize);

/// A cursor that was attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Attached {
    /// Its name from here on.
    pub key: CursorKey,
    /// Records of each kind that earlier processes recorded and that were not settled. The books open with them as
    /// recorded: they are pending, or the next [`Journal::evicted`](super::Journal::evicted) says how they were lost.
    pub carried: [u64; Signal::COUNT],
}

impl Attached {
    pub(super) fn and(self, other: Attached) -> Attached {
        Attached { key: other.key, carried: std::array::from_fn(|i| self.carried[i] + other.carried[i]) }
    }
}

/// Records that were lost to one backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Evicted {
    /// Whose they were.
    pub cursor: CursorKey,
    /// Their kind.
    pub signal: Signal,
    /// `JournalFull`, `Expired` or `Damaged`.
    pub loss: Loss,
    /// How many.
    pub count: u64,
}

/// A cursor and what belongs to it.
#[derive(Debug)]
pub(super) struct Reader {
    id: String,
    pub(super) cursor: Cursor,
    place: Place,
    pub(super) slot: Option<Slot>,
    /// The position and the end of the journal that the file holds.
    pub(super) saved: (Position, Position),
    /// The position that the medium holds, and how often the file was saved until then.
    pub(super) synced: (Position, u64),
}

/// A lane.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) audit: bool,
    bytes_max: u64,
    age_max: Duration,
    pub(super) segment_bytes_max: u64,
    /// Whether what was delivered is let go of only when the medium knows of it.
    pub(super) durable: bool,
    /// Where its files are, if there is a state directory.
    pub(super) folders: Option<Folders>,
    pub(super) line: Line,
    pub(super) readers: Vec<Reader>,
    /// So many cursor files are in their folder on the medium.
    pub(super) readers_synced: usize,
    pub(super) bytes: u64,
    /// Whether the last segment may grow.
    pub(super) growing: bool,
    /// How many bytes the last segment may have in memory before they are handed to the system.
    commit_at: u64,
    pub(super) waiting_bytes_max: u64,
    /// Everything before was handed to the system, and everything before the other is on the medium.
    pub(super) handed: Position,
    pub(super) synced_end: Position,
    pub(super) trouble: Option<String>,
    /// In memory mode, the memory of the last segment that went: while much is recorded it serves the next.
    pub(super) spare: Vec<u8>,
}

impl Lane {
    /// Opens it, with what earlier processes left.
    pub(super) fn open(
        settings: &Settings,
        audit: bool,
        disk: &Arc<dyn Disk>,
    ) -> Result<(Lane, Opened), Error> {
        let folders =
            settings.dir.as_ref().map(|dir| Folders::create(Arc::clone(disk), dir, audit)).transpose()?;
        let commonest = if audit { Signal::Audit } else { Signal::Log };
        let found = folders.as_ref().map(|folders| recover::recover(folders, commonest)).transpose()?;
        let (line, opened) = found.unwrap_or_default();
        let (bytes_max, age_max) = match audit {
            true => (settings.audit_bytes_max, settings.audit_age_max),
            false => (settings.bytes_max, settings.age_max),
        };
        let share = bytes_max / u64::from(SEGMENTS_MIN);
        let lane = Lane {
            audit,
            bytes_max,
            age_max,
            segment_bytes_max: settings.segment_bytes_max.min(share).min(SEGMENT_BYTES_LIMIT),
            durable: folders.is_some() && settings.durability != Durability::ProcessCrash,
            folders,
            handed: line.end,
            synced_end: line.start(),
            bytes: line.segments.iter().map(Segment::bytes).sum(),
            line,
            readers: Vec::new(),
            readers_synced: 0,
            growing: false,
            commit_at: COMMIT_BYTES,
            waiting_bytes_max: WAITING_BYTES_MAX,
            trouble: None,
            spare: Vec::new(),
        };
        Ok((lane, opened))
    }

    /// The cursor of a backend, to be attached.
    pub(super) fn reader(&self, id: &str, mut accepts: [bool; Signal::COUNT]) -> Result<Reader, Error> {
        for signal in Signal::ALL {
            accepts[signal as usize] &= (signal == Signal::Audit) == self.audit;
        }
        // Who takes nothing of this lane has nothing to go on with either.
        let (slot, at) = match accepts.contains(&true) {
            true => self.open_slot(id)?,
            false => (None, self.line.end),
        };
        let generation = slot.as_ref().map_or(0, Slot::generation);
        Ok(Reader {
            id: id.to_owned(),
            cursor: Cursor::new(accepts, at),
            place: Place::default(),
            slot,
            saved: (at, self.line.end),
            synced: (Position::default(), generation.saturating_sub(1)),
        })
    }

    pub(super) fn attach(&mut self, reader: Reader) -> Attached {
        let carried = reader.cursor.pending(&self.line.end);
        let key = CursorKey(self.readers.len());
        self.readers.push(reader);
        self.settle();
        Attached { key, carried }
    }

    pub(super) fn append(&mut self, head: FrameHead, payload: &[u8]) {
        let at = self.line.end;
        if bytes_alone(payload) > self.bytes_max || u32::try_from(payload.len()).is_err() {
            self.leave_gap(at, &head);
            return;
        }
        if !self.has_room(&head, payload) {
            self.roll(at);
        }
        if let Some(segment) = self.line.segments.back_mut() {
            let before = segment.bytes();
            segment.append(&at, &head, payload);
            self.bytes += segment.bytes() - before;
            self.line.end = at.after(head.signal, u64::from(head.records));
            if segment.memory_bytes() >= self.commit_at {
                self.commit();
            }
        }
        while self.bytes > self.bytes_max && !self.line.segments.is_empty() {
            self.drop_front(Loss::JournalFull);
        }
    }

    pub(super) fn commit(&mut self) {
        if self.folders.is_none() {
            return;
        }
        self.commit_at = COMMIT_BYTES;
        if let Err(error) = self.try_commit() {
            self.note_segment_error(&error);
            self.shed_waiting();
            self.commit_at += self.line.segments.back().map_or(0, Segment::memory_bytes);
        }
    }

    pub(super) fn evicted(&mut self) -> impl Iterator<Item = Evicted> {
        let readers = self.readers.iter_mut().enumerate();
        readers.flat_map(|(index, reader)| {
            let cursor = CursorKey(index);
            let untold = reader.cursor.take_untold();
            untold.map(move |(signal, loss, count)| Evicted { cursor, signal, loss, count })
        })
    }

    pub(super) fn read(&mut self, key: CursorKey, bytes_max: usize, records_max: usize, out: &mut Run) {
        out.clear();
        self.commit();
        self.read_on(key, bytes_max, records_max, out);
    }

    pub(super) fn read_on(&mut self, key: CursorKey, bytes_max: usize, records_max: usize, out: &mut Run) {
        let Some(reader) = self.readers.get_mut(key.0) else { return };
        let room = Room { bytes_max, records_max };
        match self.line.read(&mut reader.cursor, &mut reader.place, room, out) {
            Ok(None) => {}
            Ok(Some(error)) | Err(error) => self.note_segment_error(&error),
        }
    }

    pub(super) fn ack(&mut self, key: CursorKey, upto: Position) {
        let Some(reader) = self.readers.get_mut(key.0) else { return };
        reader.cursor.ack(upto);
        let moved = reader.cursor.acked() != reader.saved.0;
        if moved && let Err(error) = reader.save(self.line.end) {
            self.note_cursor_error(key, &error);
        }
        self.trim();
    }

    pub(super) fn rewind(&mut self, key: CursorKey) {
        if let Some(reader) = self.readers.get_mut(key.0) {
            reader.cursor.rewind();
            reader.place = Place::default();
        }
        self.settle();
    }

    pub(super) fn pending(&self, key: CursorKey, signal: Signal) -> u64 {
        let reader = self.readers.get(key.0);
        reader.map_or(0, |reader| reader.cursor.pending(&self.line.end)[signal as usize])
    }

    pub(super) fn unkept(&self, key: CursorKey) -> u64 {
        let Some(reader) = self.readers.get(key.0) else { return 0 };
        let pending = |end: &Position| reader.cursor.pending(end).iter().sum::<u64>();
        let kept = if self.folders.is_some() { pending(&self.handed) } else { 0 };
        pending(&self.line.end).saturating_sub(kept)
    }

    pub(super) fn end(&self) -> Position {
        self.line.end
    }

    pub(super) fn synced_end(&self) -> Position {
        self.synced_end
    }

    pub(super) fn is_settled(&self, key: CursorKey, upto: &Position) -> bool {
        let reader = self.readers.get(key.0);
        reader.is_none_or(|reader| reader.cursor.pending(upto).iter().all(|n| *n == 0))
    }

    /// The newest stamp of all that is held, in milliseconds since the Unix epoch.
    pub(super) fn newest_ms(&self) -> Option<u64> {
        self.line.segments.iter().filter_map(|segment| segment.times).map(|(_, newest)| newest).max()
    }

    pub(super) fn expire(&mut self, now_ms: u64) {
        let begun_ms =
            self.line.segments.back().and_then(|segment| segment.times).map_or(0, |(first, _)| first);
        if begun_ms.saturating_add(SPARE_AGE_MS) < now_ms {
            self.spare = Vec::new();
        }
        let age_ms = u64::try_from(self.age_max.as_millis()).unwrap_or(u64::MAX);
        while let Some(segment) = self.line.segments.front() {
            match segment.times {
                Some((_, latest)) if latest.saturating_add(age_ms) >= now_ms => break,
                Some(_) => self.drop_front(Loss::Expired),
                None => self.drop_front(Loss::Damaged),
            }
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn trouble(&mut self) -> Option<String> {
        self.trouble.take()
    }

    /// Hands everything to the system, and ends the last segment.
    pub(super) fn close(&mut self) {
        self.commit();
        for reader in &mut self.readers {
            let _ = reader.save(self.line.end);
        }
        for segment in &mut self.line.segments {
            let _ = segment.seal();
        }
    }

    pub(super) fn check_id(&self, id: &str) -> Result<(), Error> {
        if !is_id(id) {
            let problem = format!("a backend cannot be called \"{id}\"");
            return Err(Error::setting("OPS_BACKENDS / .backend(..)", problem, "use 1-100 of a-z 0-9 _ -"));
        }
        if self.readers.iter().any(|reader| reader.id == id) {
            let problem = format!("two backends are called \"{id}\"");
            return Err(Error::setting("OPS_BACKENDS / .backend(..)", problem, "name each once"));
        }
        Ok(())
    }

    /// The cursor's file, and where the cursor starts. A file that says nothing is no reason to lose anything: the
    /// cursor starts at what is oldest.
    fn open_slot(&self, id: &str) -> Result<(Option<Slot>, Position), Error> {
        let Some(folders) = &self.folders else { return Ok((None, self.line.end)) };
        let store = folders.cursor(id);
        let path = store.path.clone();
        let fail = |source| write_error(&path, source);
        let (mut slot, saved) = Slot::open(store).map_err(fail)?;
        let at = match saved {
            Saved::New => self.line.end,
            Saved::At(position) => self.line.place(position),
            Saved::Unreadable => self.line.start(),
        };
        slot.save(at, self.line.end).map_err(fail)?;
        if saved == Saved::New && self.durable {
            // Were its file to go with the power, the next start would take the backend for a new one, at the end.
            let (disk, folder) = (&folders.disk, &folders.cursors);
            slot.sync().and_then(|()| disk.sync_folder(folder)).map_err(fail)?;
        }
        Ok((Some(slot), at))
    }

    /// Whether the last segment may have this frame too. Segments end by time as well, so that age has its effect
    /// where little is recorded.
    fn has_room(&self, head: &FrameHead, payload: &[u8]) -> bool {
        let Some(segment) = self.line.segments.back().filter(|_| self.growing) else { return false };
        let bytes = segment.bytes() + (HEAD_BYTES + payload.len()) as u64;
        let span_ms = u64::try_from((self.age_max / SEGMENTS_MIN).as_millis()).unwrap_or(u64::MAX);
        let fresh = segment.times.is_none_or(|(first, _)| head.time_ms <= first.saturating_add(span_ms));
        bytes <= self.segment_bytes_max && fresh
    }
}

impl Reader {
    /// The ordinal up to which it needs nothing any more, even if the power goes.
    pub(super) fn passed(&self, durable: bool) -> u64 {
        let known = if durable && self.slot.is_some() { self.synced.0.ordinal() } else { u64::MAX };
        self.cursor.acked().ordinal().min(known)
    }

    /// Saves how far the backend has come, and where the journal ends, unless the file says so already.
    pub(super) fn save(&mut self, end: Position) -> io::Result<()> {
        let now = (self.cursor.acked(), end);
        if let Some(slot) = self.slot.as_mut().filter(|_| now != self.saved) {
            slot.save(now.0, now.1)?;
        }
        self.saved = now;
        Ok(())
    }
}

pub(super) fn write_error(path: &Path, source: io::Error) -> Error {
    let remedy = "give a directory that this user may write to, on a disk with room";
    path_error("write to", path, remedy, source)
}

/// Whether a backend may be called so.
pub(super) fn is_id(id: &str) -> bool {
    let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    !id.is_empty() && id.len() <= 100 && id.chars().all(known)
}
