//! Where a lane of the journal keeps its files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::disk::{Disk, Store};
use super::lock::path_error;
use crate::error::Error;

/// The folders of one lane.
#[derive(Debug, Clone)]
pub(super) struct Folders {
    pub(super) disk: Arc<dyn Disk>,
    /// The state directory.
    pub(super) dir: PathBuf,
    pub(super) segments: PathBuf,
    pub(super) cursors: PathBuf,
}

impl Folders {
    /// Those in this state directory, made if they are not there.
    ///
    /// # Errors
    ///
    /// If they cannot be made.
    pub(super) fn create(disk: Arc<dyn Disk>, dir: &Path, audit: bool) -> Result<Folders, Error> {
        let [segments, cursors] = if audit { ["audit", "audit/cursors"] } else { ["journal", "cursors"] };
        let folders =
            Folders { disk, dir: dir.to_owned(), segments: dir.join(segments), cursors: dir.join(cursors) };
        let remedy = "give a directory that this user may write to, on a disk with room";
        for folder in [&folders.segments, &folders.cursors] {
            let made = folders.disk.create_folder(folder);
            made.map_err(|source| path_error("create", folder, remedy, source))?;
        }
        Ok(folders)
    }

    /// The segment's file of this name.
    pub(super) fn segment(&self, name: &str) -> Store {
        Store { disk: Arc::clone(&self.disk), path: self.segments.join(name) }
    }

    /// The file of the cursor with this id.
    pub(super) fn cursor(&self, id: &str) -> Store {
        Store { disk: Arc::clone(&self.disk), path: self.cursors.join(id) }
    }
}
