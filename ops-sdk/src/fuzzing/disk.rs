//! What a disk gives back. The files are the journal's own, changed as the bytes say, so that whatever their form is
//! they are nearly right, which is where the mistakes are.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::journal::{FrameHead, Journal, Run, Settings};
use crate::model::{RecordId, Signal};

/// Records of the journal that is damaged; every third frame holds several.
const FRAMES: u64 = 60;
/// Small, so that there are several segments.
const SEGMENT_BYTES: u64 = 4_096;

/// A journal on a disk that changed some of its bytes: it opens, what it hands out is what was appended, once, and
/// what it does not hand out is counted as lost, at least once. Each eight bytes are one change.
///
/// # Panics
///
/// If not.
pub fn fuzz_journal(data: &[u8]) {
    let folder = folder();
    lay(folder.path(), &mutated(data));
    let Ok((mut journal, _)) = Journal::open(settings(folder.path())) else { return };
    let Ok(attached) = journal.attach("fuzz", [true; Signal::COUNT]) else { return };
    let (mut read, mut run, mut seen) = (0, Run::new(), BTreeSet::new());
    loop {
        journal.read(attached.key, 1 << 20, 1_000, &mut run);
        if run.is_empty() {
            break;
        }
        for (frame, bytes) in run.iter() {
            let head = frame.head;
            assert_eq!(bytes, payload(head.id.seq), "a frame is what was appended");
            for skipped in u64::from(frame.skip)..u64::from(head.records) {
                assert!(seen.insert(head.id.seq + skipped), "a record is handed out once");
            }
        }
        read += run.len() as u64;
        let end = run.end();
        journal.ack(attached.key, end);
    }
    let lost: u64 = journal.evicted().iter().map(|evicted| evicted.count).sum();
    let carried: u64 = attached.carried.iter().sum();
    // Where bytes were moved, what they say of their number may count the same loss twice.
    assert!(carried <= read + lost, "of {carried} records {read} are read and {lost} counted as lost");
    let pending: u64 = Signal::ALL.into_iter().map(|signal| journal.pending(attached.key, signal)).sum();
    assert_eq!(pending, 0, "nothing is left behind");
}

fn settings(dir: &Path) -> Settings {
    Settings { segment_bytes_max: SEGMENT_BYTES, ..Settings::new(Some(dir.to_owned())) }
}

/// The bytes of the frame that begins with this record.
fn payload(seq: u64) -> Vec<u8> {
    let byte = u8::try_from(seq % 251).unwrap_or(0);
    vec![byte; usize::try_from(seq % 97 + 1).unwrap_or(1)]
}

/// The files of a sound journal, a cursor in its middle included.
fn sound() -> &'static BTreeMap<PathBuf, Vec<u8>> {
    static SOUND: OnceLock<BTreeMap<PathBuf, Vec<u8>>> = OnceLock::new();
    SOUND.get_or_init(|| {
        let folder = folder();
        make(folder.path());
        let mut files = BTreeMap::new();
        gather(folder.path(), folder.path(), &mut files);
        files
    })
}

fn make(dir: &Path) {
    let Ok((mut journal, _)) = Journal::open(settings(dir)) else { panic!("a journal can be made") };
    let Ok(attached) = journal.attach("fuzz", [true; Signal::COUNT]) else { panic!("and has a cursor") };
    let mut seq = 1;
    for frame in 0..FRAMES {
        let records = if frame % 3 == 0 { 5 } else { 1 };
        let signal = if frame % 2 == 0 { Signal::Log } else { Signal::Metric };
        let id = RecordId { process: 7, seq };
        journal.append(
            FrameHead {
                signal,
                time_ms: 1_795_332_268_000 + frame,
                id,
                records,
                weight: crate::journal::Weight::Info,
            },
            &payload(seq),
        );
        seq += u64::from(records);
    }
    journal.commit();
    let mut run = Run::new();
    journal.read(attached.key, 1 << 20, 20, &mut run);
    journal.ack(attached.key, run.end());
}

fn gather(root: &Path, dir: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        match (path.is_dir(), path.strip_prefix(root)) {
            (true, _) => gather(root, &path, files),
            (false, Ok(name)) => drop(files.insert(name.to_owned(), fs::read(&path).unwrap_or_default())),
            (false, Err(_)) => {}
        }
    }
}

/// The files with the changes that these bytes are.
fn mutated(data: &[u8]) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = sound().clone();
    for change in data.chunks_exact(8) {
        let [which, kind, a, b, c, d, e, f] = *change else { continue };
        let Some(name) = files.keys().nth(usize::from(which) % files.len().max(1)).cloned() else {
            return files;
        };
        let Some(bytes) = files.get_mut(&name) else { continue };
        let at = usize::from(u16::from_le_bytes([a, b])) % (bytes.len() + 1);
        let end = (at + usize::from(u16::from_le_bytes([c, d]))).min(bytes.len());
        match kind % 8 {
            0 => bytes[at..].iter_mut().take(1).for_each(|byte| *byte ^= e | 1),
            1 => bytes[at..end].fill(0),
            2 => bytes.truncate(at),
            3 => drop(bytes.drain(at..end)),
            4 => {
                let copy = bytes[at..end].to_vec();
                bytes.extend(copy);
            }
            5 => bytes[at..end].fill(e),
            6 => drop(files.remove(&name)),
            _ => {
                let piece = bytes[at..end].to_vec();
                let to = usize::from(f) * 16 % (bytes.len() + 1);
                bytes.splice(to..to, piece);
            }
        }
    }
    files
}

fn lay(root: &Path, files: &BTreeMap<PathBuf, Vec<u8>>) {
    for (name, bytes) in files {
        let path = root.join(name);
        // What cannot be laid out is a file that is not there, which is a change like any other.
        let _ = path.parent().map(fs::create_dir_all);
        let _ = fs::write(path, bytes);
    }
}

/// A folder that goes with this, in memory where the system has that.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A new folder.
pub(super) fn folder() -> Folder {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let (process, count) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let memory = Path::new("/dev/shm");
    let place = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    let path = place.join(format!("ops-fuzz-{process}-{count}"));
    let _ = fs::create_dir_all(&path); // whoever writes there finds out
    Folder(path)
}
