//! What has been recorded and not yet delivered: frames, written once, read by one cursor per backend.
//!
//! A frame holds one record or several of one kind; all counts and places are in records, and a cursor may stand within
//! a frame. Frames are checksummed and kept in segments: files when a state directory is given, buffers in memory when
//! not. Promises: bounded by bytes and by age, and at a bound the oldest goes; every record that a backend had not
//! settled is read, pending or counted as lost for it, with its kind and the reason; a damaged frame costs its own
//! records and no other; appending never fails; opening reads no frames but those of the last segment. Never looks into
//! a payload, reads the clock, or starts a thread.
//!
//! Audit records have a lane of their own, with its own segments, bounds and cursors: each backend reads it first, and
//! nothing else makes it give way. A position is a place in both lanes at once, as no kind of record is in both.
//!
//! With a state directory the files are `journal/<ordinal of the first record>.seg` and `cursors/<id>`, and for audit
//! the same below `audit/`. What the disk does not take waits in memory and is offered again; [`Journal::trouble`] says
//! so. What the death of the process and the loss of power leave is [`Durability`]'s.

mod cursor;
mod cut;
mod disk;
mod folders;
mod footer;
mod frame;
mod lane;
mod line;
mod lock;
mod position;
mod recover;
mod run;
mod scan;
mod segment;
mod settings;
mod shed;
mod slot;
mod sync;
#[cfg(test)]
mod tests;
mod upkeep;
mod weight;

use std::path::Path;
use std::sync::Arc;
use std::{fs, io};

pub use self::frame::FrameHead;
pub use self::lane::{Attached, CursorKey, Evicted};
pub use self::lock::{StateLock, lock, try_lock};
pub use self::position::Position;
pub use self::recover::Opened;
pub use self::run::{Run, RunFrame};
pub use self::settings::{Durability, Settings};
pub use self::sync::SyncPlan;
pub use self::weight::Weight;

use self::disk::{Disk, Files};
use self::lane::Lane;
use crate::error::Error;
use crate::model::Signal;

/// The journal. One thread at a time: whoever shares it puts it behind a mutex.
#[derive(Debug)]
pub struct Journal {
    /// Audit records, and all others.
    lanes: [Lane; 2],
    /// Only the process that opened it puts its end to the files; one that was forked from it has no business there.
    process: u32,
}

const AUDIT: usize = 0;
const SIGNALS: usize = 1;

impl Journal {
    /// Opens the journal, with what earlier processes left in the state directory. The caller holds its [`lock`].
    ///
    /// # Errors
    ///
    /// If the state directory cannot be created or read, or holds a journal of another form.
    pub fn open(settings: Settings) -> Result<(Journal, Opened), Error> {
        Journal::open_on(&settings, &(Arc::new(Files) as Arc<dyn Disk>))
    }

    fn open_on(settings: &Settings, disk: &Arc<dyn Disk>) -> Result<(Journal, Opened), Error> {
        let (audit, in_audit) = Lane::open(settings, true, disk)?;
        let (signals, in_signals) = Lane::open(settings, false, disk)?;
        let journal = Journal { lanes: [audit, signals], process: std::process::id() };
        Ok((journal, in_audit.and(in_signals)))
    }

    /// Attaches the cursor of a backend. An id that was attached here before goes on where it was; a new one starts
    /// at the end. Only attached cursors hold segments back: what was trimmed while a backend was not named counts
    /// as `JournalFull` for it.
    ///
    /// # Errors
    ///
    /// If the id is not made of `a-z 0-9 _ -`, is attached already, or its file cannot be opened or written.
    pub fn attach(&mut self, id: &str, accepts: [bool; Signal::COUNT]) -> Result<Attached, Error> {
        self.lanes[SIGNALS].check_id(id)?;
        let [audit, signals] = &self.lanes;
        let readers = [audit.reader(id, accepts)?, signals.reader(id, accepts)?];
        let mut attached = Attached::default();
        for (lane, reader) in self.lanes.iter_mut().zip(readers) {
            attached = attached.and(lane.attach(reader));
        }
        Ok(attached)
    }

    /// Appends a frame. Never fails: what the disk does not take waits in memory, and what has no room is counted
    /// as lost. Hands frames to the system 64 KiB at a time; [`Journal::commit`] hands over the rest.
    pub fn append(&mut self, head: FrameHead, payload: &[u8]) {
        self.lanes[lane_of(head.signal)].append(head, payload);
    }

    /// Hands everything to the system: from here on the death of the process loses nothing of it. To be called when
    /// a round of appends is done; reading does it too. What the disk does not take goes on waiting in memory.
    pub fn commit(&mut self) {
        self.lanes.iter_mut().for_each(Lane::commit);
    }

    /// What was lost to each backend since last asked: only frames that it accepts and had not read.
    pub fn evicted(&mut self) -> Vec<Evicted> {
        self.lanes.iter_mut().flat_map(Lane::evicted).collect()
    }

    /// Copies out the frames that come next for this backend, in order, audit before all else: at most `records_max`
    /// records with at most `bytes_max` bytes of payload, but one frame at least if there is one. Each read goes on where
    /// the one before ended, so the caller keeps a run until it is settled; [`Journal::rewind`] starts over at what is not.
    pub fn read(&mut self, key: CursorKey, bytes_max: usize, records_max: usize, out: &mut Run) {
        for lane in &mut self.lanes {
            lane.read(key, bytes_max, records_max, out);
            if !out.is_empty() {
                return;
            }
        }
    }

    /// Adds to a run what comes next behind it, within the same bounds for all of it, and says whether it did. A read ends
    /// with the segment that had something, so that nobody waits long for the journal; whoever wants more than that asks
    /// again. A run is of one lane, and so is what is added.
    pub fn read_on(&mut self, key: CursorKey, bytes_max: usize, records_max: usize, out: &mut Run) -> bool {
        let before = out.len();
        if let Some(signal) = out.signal() {
            self.lanes[lane_of(signal)].read_on(key, bytes_max, records_max, out);
        }
        out.len() > before
    }

    /// The backend has settled everything before `upto`: delivered it, dead-lettered it or counted it as dropped.
    /// Takes the position from the run that was read, and says nothing of the lane that the run is not of. Saves the
    /// cursor, and lets go of segments that every attached cursor has passed.
    pub fn ack(&mut self, key: CursorKey, upto: Position) {
        for (index, lane) in self.lanes.iter_mut().enumerate() {
            lane.ack(key, upto.in_lane(index == AUDIT));
        }
    }

    /// The next read hands out again what was read and is not settled.
    pub fn rewind(&mut self, key: CursorKey) {
        self.lanes.iter_mut().for_each(|lane| lane.rewind(key));
    }

    /// How many records of this kind the journal holds for this backend, those included that it has read and not
    /// settled.
    #[must_use]
    pub fn pending(&self, key: CursorKey, signal: Signal) -> u64 {
        self.lanes[lane_of(signal)].pending(key, signal)
    }

    /// How many of the records that the journal holds for this backend would go with the process: all of them in memory,
    /// and on disk those that the disk has not taken.
    #[must_use]
    pub fn unkept(&self, key: CursorKey) -> u64 {
        self.lanes.iter().map(|lane| lane.unkept(key)).sum()
    }

    /// Where the next record will stand.
    #[must_use]
    pub fn end(&self) -> Position {
        self.lanes[AUDIT].end().beside(&self.lanes[SIGNALS].end())
    }

    /// Whether nothing that was appended before `upto` waits for this backend.
    #[must_use]
    pub fn is_settled(&self, key: CursorKey, upto: &Position) -> bool {
        let mut lanes = self.lanes.iter().enumerate();
        lanes.all(|(index, lane)| lane.is_settled(key, &upto.in_lane(index == AUDIT)))
    }

    /// Lets go of segments whose frames are all older than their lane keeps them, as of `now_ms` since the Unix epoch.
    pub fn expire(&mut self, now_ms: u64) {
        self.lanes.iter_mut().for_each(|lane| lane.expire(now_ms));
    }

    /// The newest stamp of all that is held, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn newest_ms(&self) -> Option<u64> {
        self.lanes.iter().filter_map(Lane::newest_ms).max()
    }

    /// The bytes that all segments take, wherever they are; up to 1 MiB of room ahead of each lane's last one is not
    /// among them.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.lanes.iter().map(Lane::bytes).sum()
    }

    /// What an operator should be told: which file, what the system said, and the remedy. Once for each time asked;
    /// it comes back as long as it goes on.
    pub fn trouble(&mut self) -> Option<String> {
        self.lanes.iter_mut().find_map(Lane::trouble)
    }

    /// What is to be put on the medium now, for [`SyncPlan::run`] to do without the journal, and [`Journal::synced`] to
    /// take note of. Hands everything to the system first.
    pub fn plan_sync(&mut self) -> SyncPlan {
        SyncPlan::of(self.lanes.iter_mut().filter_map(Lane::plan_sync))
    }

    /// This plan was carried out.
    pub fn synced(&mut self, plan: SyncPlan) {
        for done in plan.into_lanes() {
            self.lanes[if done.audit { AUDIT } else { SIGNALS }].synced(&done);
        }
    }

    /// This plan failed. What it was to sync is not taken for safe any more, even if the system says so later: it reports
    /// a failed write once, and may forget what it did not write. What is appended from here on goes elsewhere.
    pub fn not_synced(&mut self, plan: SyncPlan) {
        for failed in plan.into_lanes() {
            self.lanes[if failed.audit { AUDIT } else { SIGNALS }].not_synced(&failed);
        }
    }

    /// Everything before is known to be on the medium.
    #[must_use]
    pub fn synced_end(&self) -> Position {
        self.lanes[AUDIT].synced_end().beside(&self.lanes[SIGNALS].synced_end())
    }

    /// Hands everything to the system and asks it to put it on the medium, cursors and folders included. In memory
    /// there is nothing to do.
    ///
    /// # Errors
    ///
    /// What the system says. Everything is kept, and may be tried again.
    pub fn sync(&mut self) -> io::Result<()> {
        self.lanes.iter_mut().try_for_each(Lane::try_commit)?;
        let plan = self.plan_sync();
        match plan.run() {
            Ok(()) => self.synced(plan),
            Err(error) => {
                self.not_synced(plan);
                return Err(error);
            }
        }
        Ok(())
    }
}

impl Drop for Journal {
    /// Hands everything to the system, and ends the last segments. What it does not take is lost with the process.
    fn drop(&mut self) {
        if self.process == std::process::id() {
            self.lanes.iter_mut().for_each(Lane::close);
        }
    }
}

/// The ids of all backends that have a cursor in a state directory, in whatever lane.
#[must_use]
pub fn cursors_in(dir: &Path) -> Vec<String> {
    let folders = [dir.join("cursors"), dir.join("audit").join("cursors")];
    let entries =
        folders.iter().flat_map(|folder| fs::read_dir(folder).into_iter().flatten().map_while(Result::ok));
    let mut ids: Vec<_> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    ids.retain(|id| lane::is_id(id));
    ids.sort_unstable();
    ids.dedup();
    ids
}

fn lane_of(signal: Signal) -> usize {
    if signal == Signal::Audit { AUDIT } else { SIGNALS }
}
