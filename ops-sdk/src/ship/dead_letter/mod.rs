//! What a server refused for good, kept: one line of JSON each in `dead-letter/<backend>.jsonl` under the state
//! directory, with the reason and the record's id.
//!
//! Promises: a letter is on the medium before the cursor moves over its record; the files of a backend take no more
//! than `dead_letter_bytes_max`, and when they would, the older half goes, counted. One process writes: the one that
//! has the state directory. Others read, or leave an order ([`replay`]).

pub(crate) mod letter;
pub(crate) mod replay;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

pub(crate) use self::letter::Letter;
use crate::model::{RecordId, Signal};

/// The folder of dead letters in a state directory.
pub(crate) fn folder(state_dir: &Path) -> PathBuf {
    state_dir.join("dead-letter")
}

/// The older and the newer file of a backend.
pub(crate) fn files(folder: &Path, backend: &str) -> [PathBuf; 2] {
    [folder.join(format!("{backend}.1.jsonl")), folder.join(format!("{backend}.jsonl"))]
}

/// A backend's dead letters; files are made when the first comes.
#[derive(Debug)]
pub(super) struct Letters {
    /// The older and the newer file; none without a state directory.
    paths: Option<[PathBuf; 2]>,
    file: Option<File>,
    /// Bytes of the newer file.
    bytes: u64,
    /// Bytes of one file.
    bytes_max: u64,
    /// The file may end within a line.
    is_torn: bool,
    is_unsynced: bool,
    /// Letters that went for lack of room and were not told.
    gone: [u64; Signal::COUNT],
}

impl Letters {
    /// The letters of this backend under the state directory, up to so many bytes. Without one nothing is kept.
    pub(super) fn new(state_dir: Option<&Path>, backend: &str, bytes_max: u64) -> Letters {
        Letters {
            paths: state_dir.map(|dir| files(&folder(dir), backend)),
            file: None,
            bytes: 0,
            bytes_max: bytes_max / 2,
            is_torn: false,
            is_unsynced: false,
            gone: [0; Signal::COUNT],
        }
    }

    /// Keeps a letter. Says whether it is kept.
    ///
    /// # Errors
    ///
    /// What the system says when the line cannot be written; the letter is then not kept.
    pub(super) fn keep(&mut self, letter: &Letter) -> io::Result<bool> {
        self.write(&letter.to_line())
    }

    /// Keeps a line as it is.
    pub(super) fn write(&mut self, line: &[u8]) -> io::Result<bool> {
        if self.paths.is_none() || line.len() as u64 + 1 > self.bytes_max {
            return Ok(false);
        }
        self.open()?;
        if self.bytes + line.len() as u64 + 1 > self.bytes_max {
            self.turn_over()?;
            self.open()?;
        }
        let Some(file) = &mut self.file else { return Ok(false) };
        let torn = if self.is_torn { &b"\n"[..] } else { b"" };
        (self.is_torn, self.is_unsynced) = (true, true);
        let written = file.write_all(&[torn, line].concat());
        self.bytes = file.stream_position().unwrap_or(self.bytes + line.len() as u64);
        written?;
        self.is_torn = false;
        Ok(true)
    }

    /// Puts on the medium what was kept since the last time.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.is_unsynced) {
            self.file.as_ref().map_or(Ok(()), File::sync_data)?;
        }
        Ok(())
    }

    /// Letters that went for lack of room since asked last, by kind.
    pub(super) fn take_gone(&mut self) -> impl Iterator<Item = (Signal, u64)> + use<> {
        let gone = std::mem::take(&mut self.gone);
        Signal::ALL.into_iter().zip(gone).filter(|(_, count)| *count > 0)
    }

    /// Lets go of the file, so that it can be moved.
    pub(super) fn close(&mut self) {
        self.file = None;
    }

    fn open(&mut self) -> io::Result<()> {
        let (None, Some([_, path])) = (&self.file, &self.paths) else { return Ok(()) };
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        let mut file = OpenOptions::new().create(true).append(true).read(true).open(path)?;
        self.bytes = file.seek(SeekFrom::End(0))?;
        self.is_torn = self.bytes > 0 && last_byte(&mut file)? != b'\n';
        self.file = Some(file);
        Ok(())
    }

    /// The newer file becomes the older one, and what that held is gone.
    fn turn_over(&mut self) -> io::Result<()> {
        let Some([older, newer]) = self.paths.clone() else { return Ok(()) };
        let mut gone = [0; Signal::COUNT];
        match Reader::open([older.clone()]) {
            Ok(reader) => reader.filter_map(Result::ok).filter_map(|line| line.letter).for_each(|letter| {
                gone[letter.signal as usize] += 1;
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        self.sync()?;
        self.file = None;
        fs::rename(newer, older)?;
        self.gone.iter_mut().zip(gone).for_each(|(sum, count)| *sum += count);
        Ok(())
    }
}

fn last_byte(file: &mut File) -> io::Result<u8> {
    let mut byte = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut byte)?;
    Ok(byte[0])
}

/// One line that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Read1 {
    /// Counted from 0 over all files of the reader.
    pub(crate) number: u64,
    pub(crate) bytes: Vec<u8>,
    /// What it says; `None` if it is torn.
    pub(crate) letter: Option<Letter>,
}

/// Reads the letters of files, one after the other. A letter that is there twice, because the process was killed before
/// its cursor moved, is told once.
pub(crate) struct Reader {
    files: std::vec::IntoIter<PathBuf>,
    file: Option<BufReader<File>>,
    number: u64,
    seen: HashSet<(RecordId, u32, usize)>,
}

impl Reader {
    /// Begins with the first of these files. Those that are missing are empty, but not all of them.
    pub(crate) fn open(files: impl IntoIterator<Item = PathBuf>) -> io::Result<Reader> {
        let files: Vec<PathBuf> = files.into_iter().filter(|path| path.exists()).collect();
        if files.is_empty() {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(Reader { files: files.into_iter(), file: None, number: 0, seen: HashSet::new() })
    }

    /// The next line; `None` at the end of the last file.
    fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            if self.file.is_none() {
                let Some(path) = self.files.next() else { return Ok(None) };
                self.file = Some(BufReader::new(File::open(path)?));
            }
            let mut bytes = Vec::new();
            let file = self.file.as_mut().map_or(Ok(0), |file| file.read_until(b'\n', &mut bytes))?;
            if file > 0 {
                return Ok(Some(bytes));
            }
            self.file = None;
        }
    }
}

impl Iterator for Reader {
    type Item = io::Result<Read1>;

    fn next(&mut self) -> Option<io::Result<Read1>> {
        loop {
            let bytes = match self.line() {
                Ok(bytes) => bytes?,
                Err(error) => return Some(Err(error)),
            };
            let number = self.number;
            self.number += 1;
            let letter = Letter::parse(&bytes);
            let is_new = letter.as_ref().is_none_or(|letter| {
                self.seen.insert((letter.id, crate::crc::crc32c(&letter.item), letter.item.len()))
            });
            if is_new && !bytes.trim_ascii().is_empty() {
                return Some(Ok(Read1 { number, bytes, letter }));
            }
        }
    }
}
