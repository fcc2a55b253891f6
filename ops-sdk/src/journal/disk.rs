//! What the journal asks of a file system, so that tests can put one in its place that forgets, reorders and tears what
//! was not synced. Each call is one that may fail, and after which the power may go.

use std::fmt::Debug;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// To read one that is there.
    Read,
    /// To read and write one that is there.
    Edit,
    /// To read and write one that is made if it is not there.
    Make,
    /// To read and write one that must not be there.
    New,
}

/// A file system.
pub(super) trait Disk: Debug + Send + Sync {
    /// Makes a folder and those that it lies in, where they are missing.
    fn create_folder(&self, folder: &Path) -> io::Result<()>;
    /// The names of what lies in a folder.
    fn names(&self, folder: &Path) -> io::Result<Vec<String>>;
    /// Opens a file.
    fn open(&self, path: &Path, how: How) -> io::Result<Box<dyn DiskFile>>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Puts on the medium which files a folder has.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
}

/// An open file.
pub(super) trait DiskFile: Debug + Send + Sync {
    /// How many bytes it has.
    fn len(&self) -> io::Result<u64>;
    /// Reads until `into` is full or the file ends, and says how much that was.
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize>;
    /// Writes all of it, or fails having written any part.
    fn write_at(&self, at: u64, bytes: &[u8]) -> io::Result<()>;
    /// Cuts it off, or makes it longer by zeros.
    fn set_len(&self, bytes: u64) -> io::Result<()>;
    /// Puts it on the medium.
    fn sync(&self) -> io::Result<()>;
}

/// Where one file is or will be.
#[derive(Debug, Clone)]
pub(super) struct Store {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) path: PathBuf,
}

impl Store {
    /// Opens it.
    pub(super) fn open(&self, how: How) -> io::Result<Box<dyn DiskFile>> {
        self.disk.open(&self.path, how)
    }

    /// Puts it on the medium by a handle of its own. There is nothing to do if it has gone.
    pub(super) fn sync(&self) -> io::Result<()> {
        match self.open(How::Edit) {
            Ok(file) => file.sync(),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// The system's own files.
#[derive(Debug, Clone, Copy)]
pub(super) struct Files;

impl Disk for Files {
    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder)
    }

    fn names(&self, folder: &Path) -> io::Result<Vec<String>> {
        let entries = fs::read_dir(folder)?.filter_map(Result::ok);
        Ok(entries.filter_map(|entry| entry.file_name().into_string().ok()).collect())
    }

    fn open(&self, path: &Path, how: How) -> io::Result<Box<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        options.read(true).write(how != How::Read).create(how == How::Make).create_new(how == How::New);
        Ok(Box::new(options.open(path)?))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }
}

impl DiskFile for File {
    fn len(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut file = self;
        file.seek(SeekFrom::Start(at))?;
        let mut done = 0;
        while done < into.len() {
            match file.read(&mut into[done..]) {
                Ok(0) => break,
                Ok(n) => done += n,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn write_at(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        let mut file = self;
        file.seek(SeekFrom::Start(at))?;
        file.write_all(bytes)
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        File::set_len(self, bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}
