//! What has been recorded and not yet delivered: frames, written once, read by one cursor per backend.
//!
//! A frame holds one record or several of one kind; all counts and places are in records, and a cursor may stand within
//! a frame. Frames are checksummed and kept in segments: files when a state directory is given, buffers in memory when
//! not. Promises: bounded by bytes and by age, and at a bound the oldest goes; every record that a backend had not
//! settled is read, pending or counted as lost for it, with its kind and the reason; a damaged frame costs its own
//! records and no other; appending never fails. Never looks into a payload, reads the clock, or starts a thread.
//!
//! With a state directory the files are `journal/<ordinal of the first frame>.seg` and `cursors/<id>`. What the disk
//! does not take waits in memory and is offered again; [`Journal::trouble`] says so.

mod cursor;
mod cut;
mod frame;
mod line;
mod lock;
mod position;
mod recover;
mod run;
mod scan;
mod segment;
mod slot;
#[cfg(test)]
mod tests;
mod upkeep;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use self::frame::FrameHead;
pub use self::lock::{StateLock, lock, try_lock};
pub use self::position::Position;
pub use self::recover::Opened;
pub use self::run::{Run, RunFrame};

use self::cursor::Cursor;
use self::frame::HEAD_BYTES;
use self::line::{Line, Place, Room};
use self::lock::path_error;
use self::segment::{Segment, bytes_alone};
use self::slot::{Saved, Slot};
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
const SPARE_AGE_MS: u64 = 10_000;
/// At a bound an eighth of the journal goes, of its bytes or of its age.
const SEGMENTS_MIN: u32 = 8;

/// Where the journal is and how much it may hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The state directory; memory if there is none.
    pub dir: Option<PathBuf>,
    /// Bytes of all segments. 64 MiB in memory and 1 GiB on disk unless set.
    pub bytes_max: u64,
    /// How old a frame may become. 14 days unless set, which is as far back as PutLogEvents and PutMetricData take
    /// events and values (API references of both).
    pub age_max: Duration,
    /// Bytes of one segment; at most an eighth of `bytes_max`. 8 MiB unless set.
    pub segment_bytes_max: u64,
}

impl Settings {
    /// The defaults: on disk if there is a state directory, in memory if not.
    #[must_use]
    pub fn new(dir: Option<PathBuf>) -> Settings {
        let bytes_max = if dir.is_some() { 1 << 30 } else { 64 << 20 };
        Settings { dir, bytes_max, age_max: Duration::from_secs(14 * 24 * 3600), segment_bytes_max: 8 << 20 }
    }
}

/// Names an attached cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CursorKey(usize);

/// A cursor that was attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attached {
    /// Its name from here on.
    pub key: CursorKey,
    /// Records of each kind that earlier processes recorded and that were not settled. The books open with them as
    /// recorded: they are pending, or the next [`Journal::evicted`] says how they were lost.
    pub carried: [u64; Signal::COUNT],
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
struct Reader {
    id: String,
    cursor: Cursor,
    place: Place,
    slot: Option<Slot>,
    /// The position and the end of the journal that the file holds.
    saved: (Position, Position),
}

/// The journal. One thread at a time: whoever shares it puts it behind a mutex.
#[derive(Debug)]
pub struct Journal {
    settings: Settings,
    /// The folders of segments and of cursors, if there is a state directory.
    folders: Option<(PathBuf, PathBuf)>,
    line: Line,
    readers: Vec<Reader>,
    bytes: u64,
    /// Whether the last segment may grow.
    growing: bool,
    /// How many bytes the last segment may have in memory before they are handed to the system.
    commit_at: u64,
    waiting_bytes_max: u64,
    /// Everything before was handed to the system.
    handed: Position,
    trouble: Option<String>,
    /// In memory mode, the memory of the last segment that went: while much is recorded it serves the next.
    spare: Vec<u8>,
}

impl Journal {
    /// Opens the journal, with what earlier processes left in the state directory. The caller holds its [`lock`].
    ///
    /// # Errors
    ///
    /// If the state directory cannot be created or read.
    pub fn open(mut settings: Settings) -> Result<(Journal, Opened), Error> {
        let share = settings.bytes_max / u64::from(SEGMENTS_MIN);
        settings.segment_bytes_max = settings.segment_bytes_max.min(share).min(SEGMENT_BYTES_LIMIT);
        let folders = settings.dir.as_ref().map(|dir| (dir.join("journal"), dir.join("cursors")));
        let (mut line, mut opened) = (Line::default(), Opened::default());
        if let Some((segments, cursors)) = &folders {
            create(segments)?;
            create(cursors)?;
            (line, opened) = recover::recover(segments, cursors)?;
        }
        let journal = Journal {
            handed: line.end,
            bytes: line.segments.iter().map(Segment::bytes).sum(),
            settings,
            folders,
            line,
            readers: Vec::new(),
            growing: false,
            commit_at: COMMIT_BYTES,
            waiting_bytes_max: WAITING_BYTES_MAX,
            trouble: None,
            spare: Vec::new(),
        };
        Ok((journal, opened))
    }

    /// Attaches the cursor of a backend. An id that was attached here before goes on where it was; a new one starts
    /// at the end. Only attached cursors hold segments back: what was trimmed while a backend was not named counts
    /// as `JournalFull` for it.
    ///
    /// # Errors
    ///
    /// If the id is not made of `a-z 0-9 _ -`, is attached already, or its file cannot be opened or written.
    pub fn attach(&mut self, id: &str, accepts: [bool; Signal::COUNT]) -> Result<Attached, Error> {
        self.check_id(id)?;
        let (slot, at) = self.open_slot(id)?;
        let cursor = Cursor::new(accepts, at);
        let carried = cursor.pending(&self.line.end);
        let key = CursorKey(self.readers.len());
        let saved = (at, self.line.end);
        self.readers.push(Reader { id: id.to_owned(), cursor, place: Place::default(), slot, saved });
        self.settle();
        Ok(Attached { key, carried })
    }

    /// Appends a frame. Never fails: what the disk does not take waits in memory, and what has no room is counted
    /// as lost. Hands frames to the system 64 KiB at a time; [`Journal::commit`] hands over the rest.
    pub fn append(&mut self, head: FrameHead, payload: &[u8]) {
        let at = self.line.end;
        if bytes_alone(payload) > self.settings.bytes_max || u32::try_from(payload.len()).is_err() {
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
        while self.bytes > self.settings.bytes_max && !self.line.segments.is_empty() {
            self.drop_front(Loss::JournalFull);
        }
    }

    /// Hands everything to the system: from here on the death of the process loses nothing of it. To be called when
    /// a round of appends is done; reading does it too. What the disk does not take goes on waiting in memory.
    pub fn commit(&mut self) {
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

    /// What was lost to each backend since last asked: only frames that it accepts and had not read.
    pub fn evicted(&mut self) -> Vec<Evicted> {
        let readers = self.readers.iter_mut().enumerate();
        let rows = readers.flat_map(|(index, reader)| {
            let cursor = CursorKey(index);
            reader.cursor.take_untold().map(move |(signal, loss, count)| Evicted {
                cursor,
                signal,
                loss,
                count,
            })
        });
        rows.collect()
    }

    /// Copies out the frames that come next for this backend, in order: at most `records_max` records with at most
    /// `bytes_max` bytes of payload, but one frame at least if there is one. Each read goes on where the one before ended, so the
    /// caller keeps a run until it is settled; [`Journal::rewind`] starts over at what is not.
    pub fn read(&mut self, key: CursorKey, bytes_max: usize, records_max: usize, out: &mut Run) {
        out.clear();
        self.commit();
        let Some(reader) = self.readers.get_mut(key.0) else { return };
        let room = Room { bytes_max, records_max };
        match self.line.read(&mut reader.cursor, &mut reader.place, room, out) {
            Ok(None) => {}
            Ok(Some(error)) | Err(error) => self.note_segment_error(&error),
        }
    }

    /// The backend has settled everything before `upto`: delivered it, dead-lettered it or counted it as dropped.
    /// Takes the position from the run that was read. Saves the cursor, and lets go of segments that every attached
    /// cursor has passed.
    pub fn ack(&mut self, key: CursorKey, upto: Position) {
        let Some(reader) = self.readers.get_mut(key.0) else { return };
        reader.cursor.ack(upto);
        let moved = reader.cursor.acked() != reader.saved.0;
        if moved && let Err(error) = reader.save(self.line.end) {
            self.note_cursor_error(key, &error);
        }
        self.trim();
    }

    /// The next read hands out again what was read and is not settled.
    pub fn rewind(&mut self, key: CursorKey) {
        if let Some(reader) = self.readers.get_mut(key.0) {
            reader.cursor.rewind();
            reader.place = Place::default();
        }
        self.settle();
    }

    /// How many records of this kind the journal holds for this backend, those included that it has read and not
    /// settled.
    #[must_use]
    pub fn pending(&self, key: CursorKey, signal: Signal) -> u64 {
        let reader = self.readers.get(key.0);
        reader.map_or(0, |reader| reader.cursor.pending(&self.line.end)[signal as usize])
    }

    /// How many of the records that the journal holds for this backend would go with the process: all of them in memory,
    /// and on disk those that the disk has not taken.
    #[must_use]
    pub fn unkept(&self, key: CursorKey) -> u64 {
        let Some(reader) = self.readers.get(key.0) else { return 0 };
        let pending = |end: &Position| reader.cursor.pending(end).iter().sum::<u64>();
        let kept = if self.folders.is_some() { pending(&self.handed) } else { 0 };
        pending(&self.line.end).saturating_sub(kept)
    }

    /// Where the next record will stand.
    #[must_use]
    pub fn end(&self) -> Position {
        self.line.end
    }

    /// Whether nothing that was appended before `upto` waits for this backend.
    #[must_use]
    pub fn is_settled(&self, key: CursorKey, upto: &Position) -> bool {
        let reader = self.readers.get(key.0);
        reader.is_none_or(|reader| reader.cursor.pending(upto).iter().all(|n| *n == 0))
    }

    /// Lets go of segments whose frames are all older than `age_max`, as of `now_ms` since the Unix epoch.
    pub fn expire(&mut self, now_ms: u64) {
        let begun_ms =
            self.line.segments.back().and_then(|segment| segment.times).map_or(0, |(first, _)| first);
        if begun_ms.saturating_add(SPARE_AGE_MS) < now_ms {
            self.spare = Vec::new();
        }
        let age_ms = u64::try_from(self.settings.age_max.as_millis()).unwrap_or(u64::MAX);
        while let Some(segment) = self.line.segments.front() {
            match segment.times {
                Some((_, latest)) if latest.saturating_add(age_ms) >= now_ms => break,
                Some(_) => self.drop_front(Loss::Expired),
                None => self.drop_front(Loss::Damaged),
            }
        }
    }

    /// The newest stamp of all that is held, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn newest_ms(&self) -> Option<u64> {
        self.line.segments.iter().filter_map(|segment| segment.times).map(|(_, newest)| newest).max()
    }

    /// The bytes that all segments take, wherever they are.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What an operator should be told: which file, what the system said, and the remedy. Once for each time asked;
    /// it comes back as long as it goes on.
    pub fn trouble(&mut self) -> Option<String> {
        self.trouble.take()
    }

    /// Hands everything to the system and asks it to put it on the medium, cursors and folders included. In memory
    /// there is nothing to do.
    ///
    /// # Errors
    ///
    /// What the system says. Everything is kept, and may be tried again.
    pub fn sync(&mut self) -> io::Result<()> {
        let Some((segments, cursors)) = self.folders.clone() else { return Ok(()) };
        self.try_commit()?;
        self.line.segments.iter_mut().try_for_each(Segment::sync)?;
        for reader in &mut self.readers {
            reader.save(self.line.end)?;
            reader.slot.as_ref().map_or(Ok(()), Slot::sync)?;
        }
        File::open(segments)?.sync_all()?;
        File::open(cursors)?.sync_all()
    }

    fn check_id(&self, id: &str) -> Result<(), Error> {
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
        let Some((_, cursors)) = &self.folders else { return Ok((None, self.line.end)) };
        let path = cursors.join(id);
        let remedy = "give a directory that this user may write to, on a disk with room";
        let fail = |source| path_error("write to", &path, remedy, source);
        let (mut slot, saved) = Slot::open(&path).map_err(fail)?;
        let at = match saved {
            Saved::New => self.line.end,
            Saved::At(position) => self.line.place(position),
            Saved::Unreadable => self.line.start(),
        };
        slot.save(at, self.line.end).map_err(fail)?;
        Ok((Some(slot), at))
    }

    /// Whether the last segment may have this frame too. Segments end by time as well, so that age has its effect
    /// where little is recorded.
    fn has_room(&self, head: &FrameHead, payload: &[u8]) -> bool {
        let Some(segment) = self.line.segments.back().filter(|_| self.growing) else { return false };
        let bytes = segment.bytes() + (HEAD_BYTES + payload.len()) as u64;
        let span_ms = u64::try_from((self.settings.age_max / SEGMENTS_MIN).as_millis()).unwrap_or(u64::MAX);
        let fresh = segment.times.is_none_or(|(first, _)| head.time_ms <= first.saturating_add(span_ms));
        bytes <= self.settings.segment_bytes_max && fresh
    }
}

impl Reader {
    /// Saves how far the backend has come, and where the journal ends, unless the file says so already.
    fn save(&mut self, end: Position) -> io::Result<()> {
        let now = (self.cursor.acked(), end);
        if let Some(slot) = self.slot.as_mut().filter(|_| now != self.saved) {
            slot.save(now.0, now.1)?;
        }
        self.saved = now;
        Ok(())
    }
}

impl Drop for Journal {
    /// Hands everything to the system. What it does not take is lost with the process.
    fn drop(&mut self) {
        self.commit();
        for reader in &mut self.readers {
            let _ = reader.save(self.line.end);
        }
    }
}

/// The ids of all backends that have a cursor in a state directory.
#[must_use]
pub fn cursors_in(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir.join("cursors")).into_iter().flatten().map_while(Result::ok);
    let mut ids: Vec<_> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    ids.retain(|id| is_id(id));
    ids.sort_unstable();
    ids
}

/// Whether a backend may be called so.
fn is_id(id: &str) -> bool {
    let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    !id.is_empty() && id.len() <= 100 && id.chars().all(known)
}

fn create(folder: &Path) -> Result<(), Error> {
    let remedy = "give a directory that this user may write to, on a disk with room";
    fs::create_dir_all(folder).map_err(|source| path_error("create", folder, remedy, source))
}
