//! Events that a ring cannot hold: larger than its share, recorded while another event of the same thread was being
//! written (a `Display` that logs), or recorded while the ring was full. One bounded queue for all threads, behind a
//! lock that is held for a push or a swap. As it fills, the lesser levels are turned away first.

use std::ops::DerefMut;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::frame::Frame;
use super::losses;
use super::sync::{self, Mutex};
use crate::clock::Ticks;
use crate::model::Level;

/// Frames in the order they came, and their bytes.
#[derive(Default)]
struct Queue {
    frames: Vec<u8>,
    count: u64,
}

static QUEUE: Mutex<Queue> = Mutex::new(Queue { frames: Vec::new(), count: 0 });
static BYTES_MAX: AtomicUsize = AtomicUsize::new(8 << 20);

/// Sets the bound of the queue, in bytes.
pub(crate) fn set_bytes_max(bytes: usize) {
    BYTES_MAX.store(bytes, Relaxed);
}

/// The share of the queue, in quarters, that events of this level may fill.
fn quarters(level: Level) -> usize {
    match level {
        Level::Trace => 1,
        Level::Debug => 2,
        Level::Info => 3,
        Level::Warn | Level::Error => 4,
    }
}

/// Has room for all that the queue may ever hold: address space, which the system fills as it is used.
pub(super) fn prepare() {
    let bytes_max = BYTES_MAX.load(Relaxed);
    let mut queue = QUEUE.lock();
    let more = bytes_max.saturating_sub(queue.frames.len());
    queue.frames.reserve(more);
}

/// Takes a finished frame in, or counts it as dropped.
#[cold]
pub(super) fn push(level: Level, frame: &[u8]) {
    push_to(QUEUE.lock(), level, frame, usize::MAX);
}

/// The same for who must not touch the heap: there is room that was made ahead.
#[cold]
pub(super) fn push_without_heap(level: Level, frame: &[u8]) {
    let queue = sync::lock_without_heap(&QUEUE);
    let room = queue.frames.capacity();
    push_to(queue, level, frame, room);
}

fn push_to(mut queue: impl DerefMut<Target = Queue>, level: Level, frame: &[u8], room: usize) {
    let bytes_max = (BYTES_MAX.load(Relaxed) / 4 * quarters(level)).min(room);
    if queue.frames.len() + frame.len() > bytes_max {
        drop(queue);
        return losses::event_dropped(level);
    }
    queue.frames.extend_from_slice(frame);
    queue.count += 1;
}

/// Takes everything, and says how many frames that are. What `out` had is forgotten, and its memory serves the queue:
/// two take turns, so that a queue that fills round after round is not made anew each time.
pub(super) fn swap(out: &mut Vec<u8>) -> u64 {
    out.clear();
    out.reserve(BYTES_MAX.load(Relaxed));
    let mut queue = QUEUE.lock();
    std::mem::swap(&mut queue.frames, out);
    std::mem::take(&mut queue.count)
}

/// Moves the frames that were begun by then to the end of `out`; says how many those were.
pub(super) fn take_older(by: Ticks, out: &mut Vec<u8>) -> u64 {
    let mut queue = QUEUE.lock();
    if queue.count == 0 {
        return 0;
    }
    let room = Vec::with_capacity(BYTES_MAX.load(Relaxed));
    let frames = std::mem::replace(&mut queue.frames, room);
    let (mut rest, mut taken) = (&frames[..], 0);
    while let Some((frame, after)) = Frame::split(rest) {
        let bytes = &rest[..rest.len() - after.len()];
        let is_older = frame.ticks <= by;
        taken += u64::from(is_older);
        if is_older { &mut *out } else { &mut queue.frames }.extend_from_slice(bytes);
        rest = after;
    }
    queue.count -= taken;
    taken
}

/// How many frames wait here.
pub(super) fn pending() -> u64 {
    QUEUE.lock().count
}
