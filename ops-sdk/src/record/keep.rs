//! The file that the arena is kept in: what a macro has recorded is then the system's, and not lost with the process,
//! however that ends. The file has room on the disk for all that is given out, so that a full disk is met where memory
//! is reserved, which has an answer for it, and not where it is written, which has none (SIGBUS).
//!
//! Does not outlive the machine: nothing here waits for the medium.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr};

use super::arena::{Arena, Head, UNIT};
use super::cell::{CounterCell, GaugeCell, HistogramCell};
use super::label::Words;
use super::lane::{self, Lane};
use super::sync::AtomicU64;
use super::sync::Ordering::{AcqRel, Acquire, Relaxed, Release};
use super::system::{allocate, is_unsupported, reserve_room};
use super::taking::Taking;

/// The room that a file is given at once, in bytes.
const STEP_BYTES: u64 = 4 << 20;
/// The room that there should be at any time beyond what is given out: a lane and its ring, and this.
const AHEAD_BYTES: u64 = 1 << 20;
/// Of that, what has pages: the places of some sites and cells.
const PAGES_AHEAD_BYTES: usize = 32 << 10;
/// How often to look whether another thread is done with writing zeros, before it is given up.
const LOOKS: u32 = 10_000;

/// How everything lies in an arena: two builds of the SDK that agree in this can read each other's.
pub(super) const FORM: u64 = {
    let sizes = [
        3, // raised where the meaning of a word changes
        size_of::<Head>(),
        size_of::<Lane>(),
        size_of::<CounterCell>(),
        size_of::<GaugeCell>(),
        size_of::<HistogramCell>(),
        size_of::<Words>(),
        super::lane::SITES_MAX,
    ];
    let (mut form, mut at) = (0xCBF2_9CE4_8422_2325_u64, 0);
    while at < sizes.len() {
        form = (form ^ sizes[at] as u64).wrapping_mul(0x0100_0000_01B3);
        at += 1;
    }
    form
};

/// The file, which stays open as long as the process lives.
static FILE: AtomicPtr<File> = AtomicPtr::new(ptr::null_mut());
static MAKING_ROOM: AtomicBool = AtomicBool::new(false);

fn file() -> Option<&'static File> {
    // SAFETY: what is stored is null or came from a box that was leaked.
    unsafe { FILE.load(Acquire).as_ref() }
}

/// Keeps the arena in this file from here on, with what is in it now. The file is there when this returns, whole; until
/// then one named `…new` is. Nothing may be recorded meanwhile: what a call that is still in progress counts just now
/// may be lost.
///
/// # Errors
///
/// What the system says: the disk is full, the file system has no maps. The arena is what it was.
pub(crate) fn keep_in(arena: Arena, path: &Path) -> io::Result<()> {
    let full = || io::Error::new(io::ErrorKind::OutOfMemory, "the arena has no room for what this takes");
    Taking::of(arena).prepare().ok_or_else(full)?;
    if !is_kept_in(path) {
        move_to(arena, path)?;
    }
    Taking::of(arena).keep(true);
    Ok(())
}

/// Whether this is the file that the arena of this process is kept in.
pub(crate) fn is_kept_in(path: &Path) -> bool {
    let identity = |data: io::Result<fs::Metadata>| data.ok().and_then(|data| identity_of(&data));
    let own = file().and_then(|file| identity(file.metadata()));
    own.is_some() && own == identity(fs::metadata(path))
}

#[cfg(unix)]
fn identity_of(data: &fs::Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    Some((data.dev(), data.ino()))
}

#[cfg(not(unix))]
fn identity_of(_: &fs::Metadata) -> Option<(u64, u64)> {
    None
}

/// Everything that was recorded is with the journal: the file goes, and the arena is this process's alone.
pub(crate) fn let_go(arena: Arena, path: &Path) {
    Taking::of(arena).keep(false);
    if is_kept_in(path) {
        let _ = fs::remove_file(path);
    }
}

/// In a child of `fork`: the file is the parent's. Async-signal-safe.
pub(super) fn forget_in_child() {
    FILE.store(ptr::null_mut(), Release);
    MAKING_ROOM.store(false, Release);
}

/// The arena is kept nowhere from here on: this start has no place for it.
pub(crate) fn keep_nowhere(arena: Arena) {
    Taking::of(arena).keep(false);
}

fn move_to(arena: Arena, path: &Path) -> io::Result<()> {
    let map = arena.map().ok_or(io::ErrorKind::Unsupported)?;
    let new = path.with_extension("new");
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&new)?;
    let head = arena.head();
    // Nothing is given out meanwhile: it would be given out again.
    let (used, ready) = (head.used.swap(NOTHING_MORE, AcqRel), head.ready.load(Relaxed));
    let room = (used + lane::bytes() as u64 + STEP_BYTES).min(arena.bytes());
    let moved = allocate(&file, 0, room).and_then(|()| {
        head.ready.store(room, Relaxed);
        copy(arena, used, &mut file)?;
        fs::rename(&new, path)?;
        map.replace_by(&file)
    });
    if let Err(error) = moved {
        head.ready.store(ready, Relaxed);
        head.used.store(used, Release);
        let _ = fs::remove_file(&new).or_else(|_| fs::remove_file(path));
        return Err(error);
    }
    FILE.store(Box::into_raw(Box::new(file)), Release);
    Ok(())
}

/// Stands for how much is given out while nothing more may be.
const NOTHING_MORE: u64 = u64::MAX;

/// Writes the `used` bytes that the arena holds to the start of the file, which is all zeros.
fn copy(arena: Arena, used: u64, file: &mut File) -> io::Result<()> {
    const PIECE: u64 = 64 << 10;
    let mut bytes = Vec::new();
    for start in (0..used).step_by(PIECE as usize) {
        let words = PIECE.min(used - start) as usize / UNIT;
        bytes.clear();
        for word in arena.words(start, words) {
            bytes.extend_from_slice(&word.to_ne_bytes());
        }
        if bytes.iter().any(|byte| *byte != 0) {
            file.seek(SeekFrom::Start(start))?;
            file.write_all(&bytes)?;
        }
    }
    file.seek(SeekFrom::Start(Head::USED_AT as u64))?;
    file.write_all(&used.to_ne_bytes())
}

/// Makes room for what is given out to end at `end`. `None` if there is none: the arena is full, or the disk.
#[cold]
pub(super) fn make_ready(arena: Arena, end: u64) -> Option<()> {
    let file = file().filter(|_| end <= arena.bytes())?;
    // On a disk that is nearly full there may be room for what is asked for, and not for more.
    let ample = (end + STEP_BYTES).min(arena.bytes());
    make_ready_up_to(arena, file, end, ample).or_else(|| make_ready_up_to(arena, file, end, end))
}

fn make_ready_up_to(arena: Arena, file: &File, end: u64, to: u64) -> Option<()> {
    let ready = &arena.head().ready;
    // Nobody waits for anybody: two threads that ask for the same room get it both.
    match reserve_room(file, ready.load(Relaxed), to) {
        Ok(()) => _ = ready.fetch_update(Release, Relaxed, |known| Some(known.max(to))), // never refused
        Err(error) if is_unsupported(&error) => return write_room(file, ready, end, to),
        Err(_) => return None,
    }
    Some(())
}

/// The same by writing zeros, which one thread at a time may: they would go over what another has written there since.
fn write_room(file: &File, ready: &AtomicU64, end: u64, to: u64) -> Option<()> {
    let mut looks = 0;
    while MAKING_ROOM.swap(true, Acquire) {
        // Another thread is at it; or the one that this signal handler has interrupted.
        looks += 1;
        if ready.load(Acquire) >= end || looks > LOOKS {
            return (ready.load(Acquire) >= end).then_some(());
        }
        std::thread::yield_now();
    }
    let from = ready.load(Relaxed);
    let made = from >= end || allocate(file, from, to).map(|()| ready.store(to, Release)).is_ok();
    MAKING_ROOM.store(false, Release);
    made.then_some(())
}

/// Makes room ahead of what is given out, and has the pages there that come first, so that no thread has to when it records
/// for the first time.
pub(crate) fn make_room_ahead(arena: Arena) {
    let used = arena.used_bytes();
    let wanted = (used + lane::bytes() as u64 + AHEAD_BYTES).min(arena.bytes());
    if arena.head().ready.load(Relaxed) < wanted {
        let _ = make_ready(arena, wanted); // who needs it asks again
    }
    if used + PAGES_AHEAD_BYTES as u64 <= arena.head().ready.load(Relaxed) {
        arena.populate(used, PAGES_AHEAD_BYTES);
    }
}

/// What is to be there for a word to be read by [`copy`].
const _: () = assert!(size_of::<AtomicU64>() == UNIT);
