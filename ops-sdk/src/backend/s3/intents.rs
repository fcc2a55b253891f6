//! What was sent and may have arrived: before an object is put, its key and the ids that it holds are written down, in the
//! state directory where there is one. Whoever sends such a record again, this process or the next, sends it under the
//! key that is written here: the bucket takes one object of a key, so it arrives once, whichever of the two puts won.
//!
//! A key may have been tried with several sets of ids, where batches were cut differently; the mark in the object's
//! metadata tells which of them it holds. Notes go when the cursor is behind their records: all of them were told to have
//! arrived and another run has ended since, or nothing is waiting at all.
//!
//! Never speaks to the network, and never keeps delivery back: a note that cannot be written is kept in memory.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::ids::Ids;
use crate::crc::{crc32, crc32c};
use crate::model::RecordId;

/// Notes that are kept. Beyond, the oldest go: those of processes that ended and left records that nobody sent again.
const NOTES_MAX: usize = 1_000;
/// The first line of a note.
const FORM: &str = "ops-s3-intent 1";

/// One key, and what was sent under it.
#[derive(Debug)]
pub(super) struct Intent {
    pub(super) key: String,
    /// Each a set that an object of this key may hold.
    tried: Vec<Ids>,
    /// Which of them it holds, once that is known.
    held: Option<usize>,
    /// Ids of that set that nobody was told of yet.
    untold: u64,
    /// The run in which it was last touched.
    run: u64,
    file: Option<PathBuf>,
}

/// What is known of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// It has never been sent, or surely did not arrive.
    New,
    /// It has arrived, under the key of the intent with this number.
    Arrived(usize),
    /// It was sent under the key of the intent with this number.
    Sent(usize),
}

/// The intents of one place in one bucket.
#[derive(Debug, Default)]
pub(super) struct Intents {
    folder: Option<PathBuf>,
    list: Vec<Intent>,
    /// Runs that have ended.
    run: u64,
}

impl Intents {
    /// Those that a folder holds, which is created when there is something to write.
    pub(super) fn open(folder: Option<PathBuf>) -> Intents {
        let mut found: Vec<_> = folder.iter().flat_map(|folder| read(folder)).collect();
        found.sort_by_key(|(written, _)| *written);
        let list = found.into_iter().map(|(_, intent)| intent).collect();
        let mut intents = Intents { folder, list, run: 0 };
        intents.bound();
        intents
    }

    /// What is known of a record.
    pub(super) fn known(&self, id: RecordId) -> Known {
        let mut known = Known::New;
        for (number, intent) in self.list.iter().enumerate() {
            match intent.held {
                Some(held) if intent.tried[held].contains(id) => return Known::Arrived(number),
                None if intent.tried.iter().any(|ids| ids.contains(id)) => known = Known::Sent(number),
                _ => {}
            }
        }
        known
    }

    /// Whether a record has arrived; takes note that this was told.
    pub(super) fn tell(&mut self, id: RecordId) -> bool {
        let Known::Arrived(number) = self.known(id) else { return false };
        let intent = &mut self.list[number];
        (intent.untold, intent.run) = (intent.untold.saturating_sub(1), self.run);
        true
    }

    /// Whether nothing is known of any record.
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The key of an intent.
    pub(super) fn key(&self, number: usize) -> String {
        self.list.get(number).map(|intent| intent.key.clone()).unwrap_or_default()
    }

    /// Takes note that these ids are about to be sent under this key.
    ///
    /// # Errors
    ///
    /// If the note could not be written; it is kept in memory all the same.
    pub(super) fn note(&mut self, key: &str, ids: &Ids) -> io::Result<()> {
        let run = self.run;
        let number = self.list.iter().position(|intent| intent.key == key).unwrap_or_else(|| {
            self.list.push(Intent {
                key: key.to_owned(),
                tried: Vec::new(),
                held: None,
                untold: 0,
                run,
                file: None,
            });
            self.list.len() - 1
        });
        let intent = &mut self.list[number];
        intent.run = run;
        if intent.tried.contains(ids) {
            return Ok(());
        }
        intent.tried.push(ids.clone());
        match &self.folder {
            Some(folder) => write(folder, intent),
            None => Ok(()),
        }
    }

    /// Whether an object of this key can hold nothing but these ids.
    pub(super) fn is_only(&self, key: &str, ids: &Ids) -> bool {
        self.list.iter().any(|intent| intent.key == key && intent.tried == [ids.clone()])
    }

    /// The object of this key holds the set with this mark. A mark that is unknown is nobody's: what was sent did not
    /// arrive, and will not under this key.
    pub(super) fn holds(&mut self, key: &str, mark: &str) {
        let Some(number) = self.list.iter().position(|intent| intent.key == key) else { return };
        let intent = &mut self.list[number];
        (intent.held, intent.run) = (intent.tried.iter().position(|ids| ids.mark() == mark), self.run);
        match intent.held {
            Some(held) => intent.untold = intent.tried[held].len(),
            None => forget(&self.list.remove(number)),
        }
    }

    /// A run has ended. What was told in the one before it is settled by now: only the last run of a process may end with
    /// records that are not.
    pub(super) fn run_ended(&mut self, nothing_waits: bool) {
        let run = self.run;
        let (kept, gone): (Vec<_>, Vec<_>) = std::mem::take(&mut self.list).into_iter().partition(|intent| {
            !nothing_waits && (intent.held.is_none() || intent.untold > 0 || intent.run == run)
        });
        gone.iter().for_each(forget);
        (self.list, self.run) = (kept, run + 1);
        self.bound();
    }

    /// The oldest go first; those of this run stay.
    fn bound(&mut self) {
        let run = self.run;
        while self.list.len() > NOTES_MAX {
            let Some(oldest) = self.list.iter().position(|intent| intent.run < run || run == 0) else {
                return;
            };
            forget(&self.list.remove(oldest));
        }
    }
}

fn forget(intent: &Intent) {
    // One that stays is found by the next process, which has nothing to send under its key.
    let _ = intent.file.as_ref().map(fs::remove_file);
}

/// Writes a note so that it is there whole or not at all.
fn write(folder: &Path, intent: &mut Intent) -> io::Result<()> {
    let mut text = format!("{FORM}\n{}\n", intent.key);
    intent.tried.iter().for_each(|ids| text.push_str(&format!("{ids}\n")));
    let file = intent.file.clone().unwrap_or_else(|| folder.join(name(&intent.key)));
    let draft = file.with_extension("new");
    fs::create_dir_all(folder)?;
    let mut out = fs::File::create(&draft)?;
    out.write_all(text.as_bytes())?;
    out.sync_data()?;
    fs::rename(&draft, &file)?;
    intent.file = Some(file);
    // The folder's own entry; some file systems do not sync folders, and need not.
    let _ = fs::File::open(folder).and_then(|folder| folder.sync_all());
    Ok(())
}

/// The name of a note. Keys are longer than names of files may be.
fn name(key: &str) -> String {
    format!("{:08x}{:08x}.intent", crc32(key.as_bytes()), crc32c(key.as_bytes()))
}

/// The notes of a folder and when they were written; what is none is left alone.
fn read(folder: &Path) -> Vec<(Option<SystemTime>, Intent)> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let notes = entries.flatten().filter(|entry| entry.path().extension().is_some_and(|end| end == "intent"));
    let written = |entry: &fs::DirEntry| entry.metadata().and_then(|metadata| metadata.modified()).ok();
    notes.filter_map(|entry| Some((written(&entry), parse(entry.path())?))).collect()
}

fn parse(path: PathBuf) -> Option<Intent> {
    let text = fs::read_to_string(&path).ok()?;
    let mut lines = text.lines();
    if lines.next()? != FORM {
        return None;
    }
    let key = lines.next()?.to_owned();
    let tried: Vec<_> = lines.map(Ids::parse).collect::<Option<_>>()?;
    (!tried.is_empty()).then_some(Intent { key, tried, held: None, untold: 0, run: 0, file: Some(path) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(seqs: std::ops::Range<u64>) -> Ids {
        Ids::of(seqs.map(id))
    }

    fn id(seq: u64) -> RecordId {
        RecordId { process: 7, seq }
    }

    fn files(folder: &Path) -> usize {
        fs::read_dir(folder).map_or(0, Iterator::count)
    }

    #[test]
    fn what_was_sent_is_known_to_the_next_process() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("s3").join("x");
        let mut intents = Intents::open(Some(folder.clone()));
        assert!(intents.is_empty());
        intents.note("p/k1", &ids(1..4)).unwrap();
        intents.note("p/k1", &ids(1..4)).unwrap();
        intents.note("p/k2", &ids(5..7)).unwrap();
        intents.holds("p/k2", &ids(5..7).mark());
        assert!(intents.tell(id(5)) && !intents.tell(id(2)));
        assert_eq!(
            (intents.known(id(2)), intents.known(id(4)), intents.known(id(5))),
            (Known::Sent(0), Known::New, Known::Arrived(1))
        );
        fs::write(folder.join("junk.intent"), "x").unwrap();
        fs::write(folder.join("k3.new"), "half").unwrap();
        let mut next = Intents::open(Some(folder.clone()));
        let key = |seq| match next.known(id(seq)) {
            Known::Sent(number) => next.key(number),
            known => panic!("{known:?}"),
        };
        assert_eq!([key(2), key(5)], ["p/k1", "p/k2"]);
        assert!(next.is_only("p/k1", &ids(1..4)) && !next.is_only("p/k1", &ids(1..3)));
        next.note("p/k1", &ids(2..3)).unwrap();
        assert!(!next.is_only("p/k1", &ids(1..4)));
        let mut third = Intents::open(Some(folder));
        third.holds("p/k1", &ids(2..3).mark());
        assert!(third.tell(id(2)) && third.known(id(3)) == Known::New);
    }

    #[test]
    fn an_object_of_others_holds_nothing_of_ours() {
        let mut intents = Intents::open(None);
        intents.note("k", &ids(1..4)).unwrap();
        intents.holds("k", "somebody else's");
        assert_eq!(intents.known(id(2)), Known::New);
    }

    #[test]
    fn notes_go_when_the_cursor_is_behind_them() {
        let dir = tempfile::tempdir().unwrap();
        let mut intents = Intents::open(Some(dir.path().to_owned()));
        intents.note("k1", &ids(1..4)).unwrap();
        intents.holds("k1", &ids(1..4).mark());
        intents.note("k2", &ids(4..5)).unwrap();
        assert!(intents.tell(id(1)) && intents.tell(id(2)));
        intents.run_ended(false);
        intents.run_ended(false);
        assert!(intents.tell(id(3)), "it waits for all of its records, in however many runs they come");
        intents.run_ended(false);
        assert_eq!(
            (intents.known(id(1)), files(dir.path())),
            (Known::Arrived(0), 2),
            "it may not be settled"
        );
        intents.run_ended(false);
        assert_eq!((intents.known(id(1)), intents.known(id(4))), (Known::New, Known::Sent(0)));
        assert_eq!(files(dir.path()), 1);
        intents.run_ended(true);
        assert!(intents.is_empty() && files(dir.path()) == 0);
    }

    #[test]
    fn there_are_never_more_notes_than_their_bound() {
        // In memory, where there is that: every note is synced.
        let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        for n in 0..3u64 {
            let mut intents = Intents::open(Some(dir.path().to_owned()));
            for m in 0..500u64 {
                intents.note(&format!("k{n}-{m:03}"), &ids(m..m + 1)).unwrap();
            }
            intents.run_ended(false);
        }
        assert_eq!(files(dir.path()), NOTES_MAX);
        assert_eq!(Intents::open(Some(dir.path().to_owned())).list.len(), NOTES_MAX);
    }

    #[test]
    fn a_note_that_cannot_be_written_is_kept_in_memory() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        let mut intents = Intents::open(Some(file));
        assert!(intents.note("k", &ids(1..4)).is_err());
        assert_eq!(intents.known(id(1)), Known::Sent(0));
    }
}
