//! How far each thread of a workload has come: two numbers a thread in a small file that the workload writes and the
//! oracle reads. What was written has reached the system, so it outlives any death of the process: `begun` is written
//! before a macro is called and `returned` after it has returned, and the truth lies between the two.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Bytes of one thread's numbers.
const SLOT_BYTES: u64 = 16;

/// How many steps of a thread were begun, and of how many the macro has returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reached {
    /// At most so many were recorded.
    pub begun: u64,
    /// At least so many were recorded.
    pub returned: u64,
}

/// The writing side.
#[derive(Debug)]
pub struct Progress(File);

impl Progress {
    /// Opens the file, and makes it where it is missing.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn open(path: &Path) -> io::Result<Progress> {
        OpenOptions::new().create(true).truncate(false).write(true).open(path).map(Progress)
    }

    /// Steps up to here are about to be taken.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn begin(&self, thread: u64, steps: u64) -> io::Result<()> {
        self.0.write_all_at(&steps.to_le_bytes(), thread * SLOT_BYTES)
    }

    /// Steps up to here have been taken.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn end(&self, thread: u64, steps: u64) -> io::Result<()> {
        self.0.write_all_at(&steps.to_le_bytes(), thread * SLOT_BYTES + 8)
    }
}

/// What a workload of so many threads left in the file; nothing where it did not come so far.
#[must_use]
pub fn read(path: &Path, threads: u64) -> Vec<Reached> {
    let bytes = std::fs::read(path).unwrap_or_default();
    let number = |at: u64| {
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        bytes.get(at..at + 8).and_then(|eight| eight.try_into().ok()).map_or(0, u64::from_le_bytes)
    };
    let slot =
        |thread| Reached { begun: number(thread * SLOT_BYTES), returned: number(thread * SLOT_BYTES + 8) };
    (0..threads).map(slot).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_what_was_not_is_zero() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("progress");
        assert_eq!(read(&path, 1), [Reached::default()]);
        let progress = Progress::open(&path).expect("a file");
        progress.begin(1, 9).expect("written");
        progress.end(1, 8).expect("written");
        progress.begin(2, 1).expect("written");
        let wanted = [(0, 0), (9, 8), (1, 0), (0, 0)].map(|(begun, returned)| Reached { begun, returned });
        assert_eq!(read(&path, 4), wanted);
    }
}
