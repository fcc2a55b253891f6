//! Putting the journal on the medium without holding it: what is to be synced is told under whatever guards the journal,
//! synced by handles of its own outside of it, and taken note of after. What was written meanwhile stays to be done.
//!
//! Segments come before cursors, so no cursor on the medium stands behind what the medium holds, except by what an
//! operating system writes on its own; recovery counts that as lost.

use std::io;
use std::path::PathBuf;

use super::disk::Store;
use super::folders::Folders;
use super::lane::{CursorKey, Lane};
use super::position::Position;
use super::segment::Segment;

/// What is to be put on the medium.
#[derive(Debug)]
pub struct SyncPlan {
    lanes: Vec<LanePlan>,
}

/// The same, of one lane.
#[derive(Debug)]
pub(super) struct LanePlan {
    pub(super) audit: bool,
    folders: Folders,
    /// The ordinal of each segment's base, and after how many changes this is.
    segments: Vec<(Store, u64, u64)>,
    /// The number of each reader, how often its slot was saved, and what it then said.
    slots: Vec<(Store, usize, u64, Position)>,
    /// Folders that have files which they may not have on the medium.
    stale: Vec<PathBuf>,
    readers: usize,
    upto: Position,
}

impl SyncPlan {
    pub(super) fn of(lanes: impl Iterator<Item = LanePlan>) -> SyncPlan {
        SyncPlan { lanes: lanes.collect() }
    }

    pub(super) fn into_lanes(self) -> Vec<LanePlan> {
        self.lanes
    }

    /// Does it. Takes as long as the medium takes, and none of the journal's time. Where nothing was written since the
    /// last plan there is nothing to do.
    ///
    /// # Errors
    ///
    /// What the system says to the first that fails. [`Journal::not_synced`](super::Journal::not_synced) is to be told.
    pub fn run(&self) -> io::Result<()> {
        self.lanes.iter().try_for_each(LanePlan::run)
    }
}

impl LanePlan {
    fn run(&self) -> io::Result<()> {
        self.segments.iter().try_for_each(|(store, ..)| store.sync())?;
        self.slots.iter().try_for_each(|(store, ..)| store.sync())?;
        self.stale.iter().try_for_each(|folder| self.folders.disk.sync_folder(folder))
    }
}

impl Lane {
    /// What of this lane is to be put on the medium; none in memory.
    pub(super) fn plan_sync(&mut self) -> Option<LanePlan> {
        let folders = self.folders.clone()?;
        self.commit();
        let mut stale = Vec::new();
        let dirty: Vec<&Segment> =
            self.line.segments.iter().filter(|segment| segment.unsynced().is_some()).collect();
        if dirty.iter().any(|segment| segment.never_synced()) {
            stale.extend([folders.segments.clone(), folders.dir.clone()]);
        }
        let segments = dirty.iter().filter_map(|segment| {
            let (store, changes) = segment.unsynced()?;
            Some((store.clone(), segment.base.ordinal(), changes))
        });
        let segments = segments.collect();
        if self.readers_synced < self.readers.len() {
            stale.extend([folders.cursors.clone(), folders.dir.clone()]);
        }
        let slots = self.readers.iter().enumerate().filter_map(|(index, reader)| {
            let slot = reader.slot.as_ref().filter(|slot| slot.generation() > reader.synced.1)?;
            Some((slot.store().clone(), index, slot.generation(), reader.saved.0))
        });
        let (audit, slots) = (self.audit, slots.collect());
        let (readers, upto) = (self.readers.len(), self.handed);
        Some(LanePlan { audit, folders, segments, slots, stale, readers, upto })
    }

    /// A plan was carried out.
    pub(super) fn synced(&mut self, done: &LanePlan) {
        for (_, ordinal, changes) in &done.segments {
            let mut segments = self.line.segments.iter_mut();
            if let Some(segment) = segments.find(|segment| segment.base.ordinal() == *ordinal) {
                segment.synced(*changes);
            }
        }
        for (_, index, generation, position) in &done.slots {
            if let Some(reader) = self.readers.get_mut(*index) {
                reader.synced = (*position, *generation);
            }
        }
        self.readers_synced = self.readers_synced.max(done.readers);
        let suspect = self.line.segments.iter().find(|segment| segment.suspect).map(|segment| segment.base);
        let upto = suspect.filter(|base| base.is_before(&done.upto)).unwrap_or(done.upto);
        self.synced_end = self.synced_end.max(upto);
        self.trim();
    }

    /// A plan failed. None of its segments is trusted any more, nor grows, and its cursors are written once more, to be
    /// synced by the next plan.
    pub(super) fn not_synced(&mut self, plan: &LanePlan) {
        for (_, ordinal, _) in &plan.segments {
            let mut segments = self.line.segments.iter_mut();
            if let Some(segment) = segments.find(|segment| segment.base.ordinal() == *ordinal) {
                segment.suspect = true;
            }
        }
        self.seal();
        for (_, index, ..) in &plan.slots {
            let again = self.readers.get_mut(*index).and_then(|reader| {
                let (position, end) = reader.saved;
                reader.slot.as_mut()?.save(position, end).err()
            });
            if let Some(error) = again {
                self.note_cursor_error(CursorKey(*index), &error);
            }
        }
    }
}
