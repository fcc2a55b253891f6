//! Appends to a file that others may rename, remove or truncate at any time, and rotates it where that is asked for.
//!
//! Before each batch: is the path still the file that is open, does it end with a whole line, is it time for another? Then
//! the batch is appended in as few writes as the system makes of it. Never seeks, never truncates.

use std::fmt;
use std::fs::{self, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

use super::archive;
use super::settings::{Chosen, Rotate};
use crate::clock::Now;
use crate::diag;

const HOUR_S: u64 = 3_600;

/// What could not be done.
#[derive(Debug)]
pub(super) struct Failure {
    verb: &'static str,
    path: PathBuf,
    error: io::Error,
}

/// A file under a path.
#[derive(Debug)]
pub(super) struct Appender {
    chosen: Chosen,
    open: Option<Open>,
}

/// The file that is open.
#[derive(Debug)]
struct Open {
    file: fs::File,
    identity: (u64, u64),
    /// When it was last written to, in seconds since the Unix epoch.
    written_s: u64,
}

impl Appender {
    /// Of these settings; opens nothing yet.
    pub(super) fn new(chosen: Chosen) -> Appender {
        Appender { chosen, open: None }
    }

    /// Appends whole lines: how many bytes of them were written, and why not all.
    pub(super) fn append(&mut self, lines: &[u8], now: Now) -> (usize, Result<(), Failure>) {
        let now_s = now.unix_ns / 1_000_000_000;
        if let Err(failure) = self.make_ready(lines.len() as u64, now, now_s) {
            return (0, Err(failure));
        }
        let (written, outcome) = self.write(lines, now_s);
        (written, outcome.map_err(|error| self.failure("write to", error)))
    }

    /// Has a file open that the lines may be appended to.
    fn make_ready(&mut self, adding: u64, now: Now, now_s: u64) -> Result<(), Failure> {
        let mut size = self.reopen(now_s).map_err(|error| self.failure("open", error))?;
        let written_s = self.open.as_ref().map_or(now_s, |open| open.written_s);
        if is_due(&self.chosen, size, adding, written_s, now_s) {
            self.rotate(now, now_s)?;
            size = self.reopen(now_s).map_err(|error| self.failure("open", error))?;
        }
        self.end_line(size).map_err(|error| self.failure("write to", error))
    }

    /// Opens the path's file unless it is open, and gives its size.
    fn reopen(&mut self, now_s: u64) -> io::Result<u64> {
        let path = &self.chosen.path;
        match (fs::metadata(path), &self.open) {
            (Ok(there), Some(open)) if identity(&there) == open.identity => return Ok(there.len()),
            (Err(error), _) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => self.open = None,
        }
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        with_mode(&mut options, self.chosen.mode);
        let file = options.open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::new(ErrorKind::InvalidInput, "it is no file"));
        }
        let modified = metadata.modified().ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
        let written_s = modified.map_or(now_s, |at| at.as_secs());
        self.open = Some(Open { file, identity: identity(&metadata), written_s });
        Ok(metadata.len())
    }

    /// Ends a line that was torn.
    fn end_line(&mut self, size: u64) -> io::Result<()> {
        let Some(open) = self.open.as_mut().filter(|_| size > 0) else { return Ok(()) };
        let mut last = [b'\n'];
        open.file.seek(SeekFrom::Start(size - 1))?; // to read: what is written goes to the end wherever that is
        let read = open.file.read(&mut last)?;
        if read == 1 && last != [b'\n'] { open.file.write_all(b"\n") } else { Ok(()) }
    }

    fn write(&mut self, lines: &[u8], now_s: u64) -> (usize, io::Result<()>) {
        let Some(open) = self.open.as_mut() else {
            return (0, Err(io::Error::other("no file is open")));
        };
        let mut written = 0;
        while written < lines.len() {
            match open.file.write(&lines[written..]) {
                Ok(0) => return (written, Err(ErrorKind::WriteZero.into())),
                Ok(bytes) => written += bytes,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return (written, Err(error)),
            }
        }
        open.written_s = now_s;
        if let Err(error) = if self.chosen.sync { open.file.sync_data() } else { Ok(()) } {
            return (0, Err(error)); // whether any of it is on the medium is not known
        }
        (written, Ok(()))
    }

    /// Gives the file another name and clears up behind it. Only renaming may fail the batch.
    fn rotate(&mut self, now: Now, now_s: u64) -> Result<(), Failure> {
        self.open = None;
        archive::set_aside(&self.chosen.path, now_s).map_err(|error| self.failure("rename", error))?;
        for (path, error) in archive::tidy(&self.chosen) {
            let text = format!("file: {}: {error}", path.display());
            diag::warn("file/archive", now, &text);
        }
        Ok(())
    }

    fn failure(&self, verb: &'static str, error: io::Error) -> Failure {
        Failure { verb, path: self.chosen.path.clone(), error }
    }
}

impl Failure {
    /// Whether it stays so until somebody does something about it. A disk that is full may be emptied by the next
    /// rotation, or by whoever reads what is on it.
    pub(super) fn is_operators(&self) -> bool {
        use ErrorKind::{InvalidInput, IsADirectory, NotADirectory, PermissionDenied, ReadOnlyFilesystem};
        let kinds = [InvalidInput, IsADirectory, NotADirectory, PermissionDenied, ReadOnlyFilesystem];
        kinds.contains(&self.error.kind())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} {}: {}", self.verb, self.path.display(), self.error)
    }
}

/// Whether the file, of this size and written to last at that time, is to be rotated before so many bytes are added.
fn is_due(chosen: &Chosen, size: u64, adding: u64, written_s: u64, now_s: u64) -> bool {
    let by_size = chosen.bytes_max > 0 && size.saturating_add(adding) > chosen.bytes_max;
    // A clock that is set back is no other hour.
    let by_time = match chosen.rotate {
        Rotate::BySize => false,
        Rotate::Hourly => now_s / HOUR_S > written_s / HOUR_S,
        Rotate::Daily => now_s / (24 * HOUR_S) > written_s / (24 * HOUR_S),
    };
    size > 0 && (by_size || by_time)
}

/// What tells this file from others under the same path.
#[cfg(unix)]
fn identity(metadata: &Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino())
}

#[cfg(not(unix))]
fn identity(_: &Metadata) -> (u64, u64) {
    (0, 0) // a file that is open is not renamed there
}

#[cfg(unix)]
pub(super) fn with_mode(options: &mut OpenOptions, mode: u32) {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(mode);
}

#[cfg(not(unix))]
pub(super) fn with_mode(_: &mut OpenOptions, _: u32) {}

#[cfg(test)]
pub(super) mod tests {

    use super::super::super::shared::tests::context;
    use super::super::settings::File;
    use super::*;

    #[test]
    fn a_file_is_rotated_by_size_and_by_time() {
        let chosen = |bytes_max, rotate| {
            let file = File::new().path("/nowhere/x").bytes_max(bytes_max).rotate(rotate);
            file.choose(&context(&[])).unwrap()
        };
        let day = 24 * HOUR_S;
        let table = [
            (chosen(100, Rotate::BySize), (90, 10, 0, 9 * day), false),
            (chosen(100, Rotate::BySize), (91, 10, 0, 0), true),
            (chosen(100, Rotate::BySize), (0, 1_000, 0, 0), false),
            (chosen(0, Rotate::BySize), (u64::MAX, u64::MAX, 0, 0), false),
            (chosen(0, Rotate::Hourly), (1, 1, HOUR_S - 1, HOUR_S), true),
            (chosen(0, Rotate::Hourly), (1, 1, HOUR_S, 2 * HOUR_S - 1), false),
            (chosen(0, Rotate::Hourly), (1, 1, 2 * HOUR_S, HOUR_S), false),
            (chosen(0, Rotate::Daily), (1, 1, day - 1, day), true),
            (chosen(0, Rotate::Daily), (1, 1, day, 2 * day - 1), false),
            (chosen(0, Rotate::Daily), (0, 1, 0, 2 * day), false),
        ];
        for (chosen, (size, adding, written_s, now_s), due) in table {
            assert_eq!(is_due(&chosen, size, adding, written_s, now_s), due, "{chosen:?} {size} {now_s}");
        }
    }

    pub(in super::super) fn failure(kind: ErrorKind) -> Failure {
        Failure { verb: "open", path: "/x".into(), error: kind.into() }
    }

    #[test]
    fn an_operator_is_waited_for_and_a_full_disk_is_not() {
        assert!(failure(ErrorKind::PermissionDenied).is_operators());
        assert!(!failure(ErrorKind::StorageFull).is_operators());
        assert_eq!(failure(ErrorKind::StorageFull).to_string(), "cannot open /x: no storage space");
    }
}
