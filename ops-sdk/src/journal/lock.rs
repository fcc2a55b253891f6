//! One live process to a state directory.
//!
//! The lock is the system's, on `<state_dir>/lock`, so it ends with the process however that ends. The file holds the
//! process's number, for whoever finds it taken, and stays behind.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::record::system::fork::Unshared;

/// The setting that names the state directory, as users write it.
pub(super) const STATE_DIR: &str = "OPS_STATE_DIR / .state_dir(..)";

/// The lock on a state directory. Dropping it releases the directory.
#[derive(Debug)]
pub struct StateLock {
    /// The lock is that of what was opened, not of the process: a child of `fork` would hold it, too.
    _unshared: Unshared,
    _file: File,
}

/// Creates the state directory where there is none, checks that it can be written to, and locks it.
///
/// # Errors
///
/// If the directory cannot be created or written to, or a live process has it.
pub fn lock(dir: &Path) -> Result<StateLock, Error> {
    let mut file = open(dir)?;
    take(dir, &file)?.then_some(()).ok_or_else(|| in_use(dir, &mut file))?;
    keep(dir, file)
}

/// The same for a directory that another may have: `None` if a live process has it.
///
/// # Errors
///
/// If the directory cannot be created or written to, or its file system has no locks.
pub fn try_lock(dir: &Path) -> Result<Option<StateLock>, Error> {
    let file = open(dir)?;
    if take(dir, &file)? { keep(dir, file).map(Some) } else { Ok(None) }
}

fn open(dir: &Path) -> Result<File, Error> {
    let remedy = "give a directory that this user may write to, on a disk with room";
    std::fs::create_dir_all(dir).map_err(|source| path_error("create", dir, remedy, source))?;
    let path = dir.join("lock");
    let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
    open.map_err(|source| path_error("write to", dir, remedy, source))
}

/// Says whether the lock was free, and is ours now.
fn take(dir: &Path, file: &File) -> Result<bool, Error> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(source)) => {
            let remedy = "give a directory on a local disk, whose file system has locks";
            Err(path_error("lock", dir, remedy, source))
        }
    }
}

fn keep(dir: &Path, mut file: File) -> Result<StateLock, Error> {
    let remedy = "give a directory that this user may write to, on a disk with room";
    write_pid(&mut file).map_err(|source| path_error("write to", dir, remedy, source))?;
    Ok(StateLock { _unshared: Unshared::new(&file), _file: file })
}

fn write_pid(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    writeln!(file, "{}", std::process::id())
}

fn in_use(dir: &Path, file: &mut File) -> Error {
    let mut text = String::new();
    let read = file.take(20).read_to_string(&mut text).ok();
    let pid = read.and_then(|_| text.trim().parse::<u32>().ok());
    let who = pid.map_or("a live process".to_owned(), |pid| format!("the live process {pid}"));
    let source = io::Error::new(io::ErrorKind::WouldBlock, format!("already in use by {who}"));
    path_error("lock", dir, "give each process a directory of its own, or end that one first", source)
}

pub(super) fn path_error(action: &'static str, path: &Path, remedy: &str, source: io::Error) -> Error {
    let (path, remedy): (PathBuf, String) = (path.into(), remedy.into());
    Error::Path { setting: STATE_DIR.into(), action, path, remedy, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_has_one_owner_who_is_named_and_is_free_after() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("deep/state");
        let held = lock(&state).unwrap();
        let said = lock(&state).unwrap_err().to_string();
        for part in ["OPS_STATE_DIR", "deep/state", &format!("live process {}", std::process::id()), "; give"]
        {
            assert!(said.contains(part), "{part} not in: {said}");
        }
        drop(held);
        lock(&state).unwrap();
    }

    #[test]
    fn a_path_that_cannot_be_a_directory_is_an_error_with_a_remedy() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        for bad in [file.clone(), file.join("below")] {
            let said = lock(&bad).unwrap_err().to_string();
            assert!(said.starts_with("OPS_STATE_DIR / .state_dir(..): cannot create "), "{said}");
            assert!(said.contains("may write to"), "{said}");
        }
        let taken = dir.path().join("taken");
        std::fs::create_dir_all(taken.join("lock")).unwrap();
        assert!(lock(&taken).unwrap_err().to_string().contains("cannot write to"));
    }
}
