//! One segment: a run of frames in a file, in memory, or partly in each.
//!
//! Frames are appended to memory and handed to the file together. What the disk does not take stays in memory
//! and is offered again, so appending never fails; the journal bounds how much may wait.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::frame::{self, FrameHead, HEAD_BYTES, HEADER_BYTES};
use super::position::{Position, Tally};
use super::scan::{Scan, Source};
use crate::ledger::Loss;

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
    /// Where its file is or will be; none in memory mode.
    path: Option<PathBuf>,
    exists: bool,
    /// Open from the first write until the segment is sealed.
    file: Option<File>,
    file_bytes: u64,
    tail: Vec<u8>,
    synced: bool,
}

impl Segment {
    /// An empty segment that begins here, to be kept in this folder.
    pub(super) fn new(base: Position, folder: Option<&Path>) -> Segment {
        Segment {
            base,
            gone: None,
            guessed: false,
            times: None,
            path: folder.map(|folder| folder.join(file_name(base.ordinal()))),
            exists: false,
            file: None,
            file_bytes: 0,
            tail: frame::header(base).to_vec(),
            synced: true,
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
        Segment { gone: Some(loss), tail: Vec::new(), ..Segment::new(base, None) }
    }

    /// A segment that an earlier process left.
    pub(super) fn found(base: Position, path: PathBuf, bytes: u64, times: Times, guessed: bool) -> Segment {
        let tail = Vec::new();
        let new = Segment::new(base, None);
        Segment { path: Some(path), exists: true, file_bytes: bytes, tail, times, guessed, ..new }
    }

    /// The bytes it takes, wherever they are.
    pub(super) fn bytes(&self) -> u64 {
        self.file_bytes + self.memory_bytes()
    }

    /// The bytes of it that are in memory.
    pub(super) fn memory_bytes(&self) -> u64 {
        self.tail.len() as u64
    }

    /// Appends a frame that stands at `at`.
    pub(super) fn append(&mut self, at: &Position, head: &FrameHead, payload: &[u8]) {
        let before = self.number(at);
        frame::write(&mut self.tail, self.base.ordinal(), &before, head, payload);
        let (first, last) = self.times.unwrap_or((head.time_ms, head.time_ms));
        self.times = Some((first, last.max(head.time_ms)));
    }

    /// Frames of each kind before `at`. A segment has at most `bytes_max / HEAD_BYTES` frames, far below 2^32.
    fn number(&self, at: &Position) -> Tally<u32> {
        at.since(&self.base).map(|n| u32::try_from(n).unwrap_or(u32::MAX))
    }

    /// Hands to the file what is in memory. Without a file nothing happens.
    ///
    /// # Errors
    ///
    /// What the system says. Everything then stays in memory; what the file got of it is written again.
    pub(super) fn commit(&mut self) -> io::Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        if self.tail.is_empty() {
            return Ok(());
        }
        let mut file = match self.file.take() {
            Some(file) => file,
            None => OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(false)
                .create_new(!self.exists)
                .open(path)?,
        };
        self.exists = true;
        self.synced = false;
        file.seek(SeekFrom::Start(self.file_bytes))?;
        file.write_all(&self.tail)?;
        self.file = Some(file);
        self.file_bytes += self.tail.len() as u64;
        self.tail.clear();
        Ok(())
    }

    /// Gives back what only a growing segment needs.
    pub(super) fn seal(&mut self) {
        self.file = None;
        self.tail.shrink_to_fit();
    }

    /// Asks the system to put the file on its medium.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        match (&self.file, &self.path) {
            _ if self.synced => {}
            (Some(file), _) => file.sync_data()?,
            (None, Some(path)) => OpenOptions::new().write(true).open(path)?.sync_data()?,
            (None, None) => {}
        }
        self.synced = true;
        Ok(())
    }

    /// Ends it after so many bytes of its file, where a frame ends.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub(super) fn cut(&mut self, bytes: u64, times: Times) -> io::Result<()> {
        if let Some(path) = &self.path {
            OpenOptions::new().write(true).open(path)?.set_len(bytes)?;
        }
        (self.file_bytes, self.times, self.synced) = (bytes, times, false);
        Ok(())
    }

    /// Gives up its bytes: the memory at once, the file if the system lets go of it.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub(super) fn discard(&mut self) -> io::Result<()> {
        (self.file, self.file_bytes, self.tail) = (None, 0, Vec::new());
        match self.path.take() {
            Some(path) if self.exists => match std::fs::remove_file(path) {
                Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// Walks its frames.
    ///
    /// # Errors
    ///
    /// If the file is there and cannot be opened now. A file that is not there has only damaged frames.
    pub(super) fn scan(&self) -> io::Result<Scan<'_>> {
        let file = match &self.path {
            Some(path) if self.file_bytes > 0 => open_if_there(path)?,
            _ => None,
        };
        Ok(Scan::new(Source::new(file, self.file_bytes, &self.tail), self.base.ordinal()))
    }
}

fn open_if_there(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The bytes that a frame with this payload takes in a segment of its own.
pub(super) fn bytes_alone(payload: &[u8]) -> u64 {
    (HEADER_BYTES + HEAD_BYTES) as u64 + payload.len() as u64
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
