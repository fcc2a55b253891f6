//! One segment: a run of frames in a file, in memory, or partly in each.
//!
//! Frames are appended to memory and handed to the file together. What the disk does not take stays in memory
//! and is offered again, so appending never fails; the journal bounds how much may wait.
//!
//! A file gets its blocks before frames are written to it: zeros, 64 KiB at first and up to 1 MiB ahead, so that a disk
//! which is full refuses room and tears no frame. What is left of the room is given back when the segment is sealed,
//! which also puts the footer behind its frames. A MiB takes 0.33 ms with zeros written ahead and 0.27 ms without, of a
//! core's own time: `cargo test --release -p ops-sdk --lib how_much_writing_zeros -- --ignored --nocapture`.

use std::io::{self, ErrorKind};
use std::ops::Range;

use super::disk::{DiskFile, How, Store};
use super::footer::{FOOTER_BYTES, Footer};
use super::frame::{self, FrameHead, HEAD_BYTES, HEADER_BYTES};
use super::position::{Position, Tally};
use super::scan::{Scan, Source};
use crate::ledger::Loss;
use crate::model::Signal;

/// The least and the most bytes that a file gets ahead of its frames.
const ROOM_BYTES: (u64, u64) = (64 << 10, 1 << 20);
static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// The time of the first of some frames and the latest of all, in milliseconds since the Unix epoch, if there are any.
pub(super) type Times = Option<(u64, u64)>;

/// A run of frames.
#[derive(Debug)]
pub(super) struct Segment {
    /// Where its first frame stands.
    pub(super) base: Position,
    /// Why its frames are gone, if they are: what is left is the place where they stood.
    pub(super) gone: Option<Loss>,
    /// Whether its header could not be read and `base` has the right ordinal, but perhaps not the right kinds.
    pub(super) guessed: bool,
    /// When its frames happened.
    pub(super) times: Times,
    /// Records of each kind up to its end.
    records: Tally<u32>,
    /// Where its file is or will be; none in memory mode.
    store: Option<Store>,
    exists: bool,
    /// Whether its footer stands behind its frames.
    sealed: bool,
    /// Open from the first write until the segment is sealed.
    file: Option<Box<dyn DiskFile>>,
    /// Bytes of whole frames that the file has, the header included.
    file_bytes: u64,
    /// Bytes that the file has, frames or not.
    room_end: u64,
    /// The file gets no room ahead beyond this.
    room_end_max: u64,
    tail: Vec<u8>,
    /// How often the file was changed, and up to which change the medium has it.
    changes: u64,
    synced: u64,
    /// A sync of it failed: the system may have forgotten what it did not write, and say that all is well next time.
    pub(super) suspect: bool,
}

impl Segment {
    /// An empty segment that begins here and is not to become larger than this.
    pub(super) fn new(base: Position, store: Option<Store>, room_end_max: u64) -> Segment {
        Segment {
            base,
            gone: None,
            guessed: false,
            times: None,
            records: [0; Signal::COUNT],
            store,
            exists: false,
            sealed: false,
            file: None,
            file_bytes: 0,
            room_end: 0,
            room_end_max,
            tail: frame::header(base).to_vec(),
            changes: 0,
            synced: 0,
            suspect: false,
        }
    }

    /// The same, empty as it is, in memory that was used before.
    pub(super) fn within(mut self, mut memory: Vec<u8>) -> Segment {
        memory.clear();
        memory.extend_from_slice(&self.tail);
        self.tail = memory;
        self
    }

    /// Its memory, to be used again.
    pub(super) fn take_memory(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.tail)
    }

    /// The place of frames that are gone.
    pub(super) fn gone(base: Position, loss: Loss) -> Segment {
        Segment { gone: Some(loss), tail: Vec::new(), ..Segment::new(base, None, 0) }
    }

    /// A segment that an earlier process left.
    pub(super) fn found(store: Store, footer: &Footer, sealed: bool, guessed: bool) -> Segment {
        let Footer { base, records, frames_end, times } = *footer;
        let new = Segment { tail: Vec::new(), ..Segment::new(base, Some(store), 0) };
        let (file_bytes, room_end) = (frames_end, frames_end);
        // The medium may not have what another process wrote.
        let changes = 1;
        Segment { exists: true, sealed, file_bytes, room_end, records, times, guessed, changes, ..new }
    }

    /// The bytes it takes, wherever they are, its footer included.
    pub(super) fn bytes(&self) -> u64 {
        if self.gone.is_some() { 0 } else { self.file_bytes + self.memory_bytes() + FOOTER_BYTES as u64 }
    }

    /// Records of each kind that it is known to have had, those that cannot be read included.
    pub(super) fn records(&self) -> &Tally<u32> {
        &self.records
    }

    /// Where the last of them ends.
    pub(super) fn end(&self) -> Position {
        self.base.plus(&self.records)
    }

    /// The bytes of it that are in memory.
    pub(super) fn memory_bytes(&self) -> u64 {
        self.tail.len() as u64
    }

    /// Appends a frame that stands at `at`.
    pub(super) fn append(&mut self, at: &Position, head: &FrameHead, payload: &[u8]) {
        let before = self.number(at);
        let for_a_medium = self.store.is_some();
        frame::write(&mut self.tail, self.base.ordinal(), &before, head, payload, for_a_medium);
        self.records = self.number(&at.after(head.signal, u64::from(head.records)));
        let (first, last) = self.times.unwrap_or((head.time_ms, head.time_ms));
        self.times = Some((first, last.max(head.time_ms)));
    }

    /// Records of each kind before `at`. A segment has at most `bytes_max / HEAD_BYTES` frames, far below 2^32.
    fn number(&self, at: &Position) -> Tally<u32> {
        at.since(&self.base).map(|n| u32::try_from(n).unwrap_or(u32::MAX))
    }

    /// Hands to the file what is in memory. Without a file nothing happens.
    ///
    /// # Errors
    ///
    /// What the system says. Everything then stays in memory; what the file got of it is written again.
    pub(super) fn commit(&mut self) -> io::Result<()> {
        let Some(store) = &self.store else { return Ok(()) };
        if self.tail.is_empty() {
            return Ok(());
        }
        let file = match self.file.take() {
            Some(file) => file,
            None => store.open(if self.exists { How::Make } else { How::New })?,
        };
        self.exists = true;
        self.changes += 1;
        self.make_room(file.as_ref(), self.file_bytes + self.memory_bytes() + FOOTER_BYTES as u64)?;
        file.write_at(self.file_bytes, &self.tail)?;
        self.file = Some(file);
        self.file_bytes += self.tail.len() as u64;
        self.tail.clear();
        Ok(())
    }

    /// Sees to it that the file has blocks up to `needed`, and some ahead if the disk has them.
    fn make_room(&mut self, file: &dyn DiskFile, needed: u64) -> io::Result<()> {
        if needed <= self.room_end {
            return Ok(());
        }
        let ahead = self.room_end.clamp(ROOM_BYTES.0, ROOM_BYTES.1);
        let wished = (self.room_end + ahead).min(self.room_end_max).max(needed);
        let made = fill(file, self.room_end, wished).or_else(|_| fill(file, self.room_end, needed));
        if made.is_err() {
            // What was filled so far would be kept from those who can use it.
            let _ = file.set_len(self.room_end);
        }
        self.room_end = made?;
        Ok(())
    }

    /// Says that it will not grow any more: puts the footer behind its frames, and gives back what only a growing segment
    /// needs. Nothing happens to a file while frames wait for it.
    ///
    /// # Errors
    ///
    /// What the system says. The frames are as safe as before, and it may be tried again.
    pub(super) fn seal(&mut self) -> io::Result<()> {
        let held = self.file.take();
        self.tail.shrink_to_fit();
        let Some(store) = self.store.as_ref().filter(|_| !self.is_done()) else { return Ok(()) };
        if !self.exists || !self.tail.is_empty() {
            return Ok(());
        }
        let file = held.map_or_else(|| store.open(How::Edit), Ok)?;
        self.changes += 1;
        let (base, records, frames_end, times) = (self.base, self.records, self.file_bytes, self.times);
        file.write_at(frames_end, &Footer { base, records, frames_end, times }.to_bytes())?;
        file.set_len(frames_end + FOOTER_BYTES as u64)?;
        self.room_end = frames_end;
        self.sealed = true;
        Ok(())
    }

    /// Whether there is nothing more to do for it: it is sealed, gone, or has no file.
    pub(super) fn is_done(&self) -> bool {
        self.sealed || self.gone.is_some() || self.store.is_none()
    }

    /// Where its file is, and how often it was changed, unless the medium has all of it.
    pub(super) fn unsynced(&self) -> Option<(&Store, u64)> {
        let store = self.store.as_ref().filter(|_| self.exists && self.synced < self.changes)?;
        Some((store, self.changes))
    }

    /// Whether the medium may not even know of its file.
    pub(super) fn never_synced(&self) -> bool {
        self.synced == 0
    }

    /// The medium has it as it was after this many changes.
    pub(super) fn synced(&mut self, changes: u64) {
        self.synced = self.synced.max(changes);
    }

    /// Gives up its bytes: the memory at once, the file if the system lets go of it. Says whether there was one.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub(super) fn discard(&mut self) -> io::Result<bool> {
        (self.file, self.file_bytes, self.tail) = (None, 0, Vec::new());
        match self.store.take() {
            Some(store) if self.exists => match store.disk.remove(&store.path) {
                Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
                _ => Ok(true),
            },
            _ => Ok(false),
        }
    }

    /// Ends it after so many bytes of its file, where `end` is.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub(super) fn cut(&mut self, bytes: u64, end: &Position, times: Times) -> io::Result<()> {
        if let Some(store) = &self.store {
            store.open(How::Edit)?.set_len(bytes)?;
        }
        (self.file_bytes, self.room_end, self.times, self.sealed) = (bytes, bytes, times, false);
        self.records = self.number(end);
        self.changes += 1;
        self.seal()
    }

    /// Walks the frames that are in memory; their places are those in it.
    pub(super) fn scan_memory(&self) -> Scan<'_> {
        let start = if self.file_bytes == 0 { HEADER_BYTES as u64 } else { 0 };
        Scan::new(Source::new(None, 0, &self.tail), self.base.ordinal()).from(start)
    }

    /// Gives up these bytes of its memory.
    pub(super) fn drop_from_memory(&mut self, ranges: &[Range<usize>]) {
        let Some(first) = ranges.first() else { return };
        let mut kept = self.tail[..first.start].to_vec();
        for (index, range) in ranges.iter().enumerate() {
            let next = ranges.get(index + 1).map_or(self.tail.len(), |next| next.start);
            kept.extend_from_slice(&self.tail[range.end..next]);
        }
        self.tail = kept;
    }

    /// Walks its frames.
    ///
    /// # Errors
    ///
    /// If the file is there and cannot be opened now. A file that is not there has only damaged frames.
    pub(super) fn scan(&self) -> io::Result<Scan<'_>> {
        let file = match &self.store {
            Some(store) if self.file_bytes > 0 => open_if_there(store)?,
            _ => None,
        };
        Ok(Scan::new(Source::new(file, self.file_bytes, &self.tail), self.base.ordinal()))
    }
}

/// Writes zeros from one byte to another, and says where that is.
fn fill(file: &dyn DiskFile, from: u64, to: u64) -> io::Result<u64> {
    let mut at = from;
    while at < to {
        let bytes = usize::try_from(to - at).map_or(ZEROS.len(), |left| left.min(ZEROS.len()));
        file.write_at(at, &ZEROS[..bytes])?;
        at += bytes as u64;
    }
    Ok(to)
}

fn open_if_there(store: &Store) -> io::Result<Option<Box<dyn DiskFile>>> {
    match store.open(How::Read) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The bytes that a frame with this payload takes in a segment of its own.
pub(super) fn bytes_alone(payload: &[u8]) -> u64 {
    (HEADER_BYTES + HEAD_BYTES + FOOTER_BYTES) as u64 + payload.len() as u64
}

/// The name of the file of the segment whose base has this ordinal.
pub(super) fn file_name(ordinal: u64) -> String {
    format!("{ordinal:020}.seg")
}

/// The ordinal in a segment file's name.
pub(super) fn ordinal_of(name: &str) -> Option<u64> {
    let ordinal = name.strip_suffix(".seg")?.parse().ok()?;
    (ordinal > 0 && file_name(ordinal) == name).then_some(ordinal)
}
