//! Events that a ring cannot hold: larger than its share, recorded while another event of the same thread was being
//! written (a `Display` that logs), or recorded while the ring was full. One bounded queue for all threads, behind a
//! lock that is held for a copy. As it fills, the lesser levels are turned away first.
//!
//! The queue lies in the arena, as two places that take turns: frames go to one while the flush thread reads the other.
//! A frame that is taken is marked with the number of the taking, in the word where a frame of a ring has its number.

use std::mem::offset_of;
use std::ops::DerefMut;
use std::ptr::{self, NonNull};
use std::sync::atomic::AtomicUsize;

use super::arena::{Arena, Offset, UNIT};
use super::frame::{Frame, HEAD_BYTES, SEQ_AT};
use super::losses;
use super::remains::Bytes;
use super::ring::ALIGN;
use super::sync::Ordering::{Relaxed, SeqCst};
use super::sync::{self, AtomicU32, AtomicU64, Mutex, compiler_fence};
use super::system::fork;
use crate::clock::Ticks;
use crate::model::Level;

/// Lies in the arena's head. All but the marks of frames is written under the lock.
#[repr(C)]
pub(super) struct Queue {
    places: [AtomicU32; 2],
    /// The place that frames go to just now.
    active: AtomicU32,
    pad: AtomicU32,
    /// How long each place is, and how much of it is filled.
    room: AtomicU64,
    len: [AtomicU64; 2],
    /// Frames that came, that the flush thread has handed out, and of these those that the journal has.
    pushed: AtomicU64,
    handed_out: AtomicU64,
    taken: AtomicU64,
}

/// A queue that is smaller than this holds few of the events that no ring holds.
const ROOM_BYTES_MIN: usize = 64 << 10;

/// Held while a frame is copied. A child of `fork` has the next one, since a thread that is not there may hold its
/// parent's.
static LOCKS: [Mutex<()>; 16] = [const { Mutex::new(()) }; 16];
static BYTES_MAX: AtomicUsize = AtomicUsize::new(8 << 20);

/// Sets the bound of the queue, in bytes. Beyond a thirty-second of the arena it has no effect.
pub(crate) fn set_bytes_max(bytes: usize) {
    BYTES_MAX.store(bytes, Relaxed);
}

fn lock() -> &'static Mutex<()> {
    &LOCKS[fork::generation() as usize % LOCKS.len()]
}

/// The share of the queue, in quarters, that events of this level may fill.
fn quarters(level: Level) -> u64 {
    match level {
        Level::Trace => 1,
        Level::Debug => 2,
        Level::Info => 3,
        Level::Warn | Level::Error => 4,
    }
}

/// Takes a finished frame in, or counts it as dropped.
#[cold]
pub(super) fn push(level: Level, frame: &[u8]) {
    push_to(lock().lock(), level, frame);
}

/// The same for who must not touch the heap.
#[cold]
pub(super) fn push_without_heap(level: Level, frame: &[u8]) {
    push_to(sync::lock_without_heap(lock()), level, frame);
}

fn push_to(held: impl DerefMut<Target = ()>, level: Level, frame: &[u8]) {
    let taken_in = Arena::get().is_some_and(|arena| arena.head().queue.push(arena, level, frame));
    drop(held);
    if !taken_in {
        losses::event_dropped(level);
    }
}

/// Makes the other place the one that frames go to, and copies out what stands in this one; says how many frames that
/// are. Each is marked by [`hand_out`], and the place serves again after [`Queue::release`].
pub(super) fn swap(arena: Arena, out: &mut Vec<u8>) -> u64 {
    let queue = &arena.head().queue;
    let place = {
        let _held = lock().lock();
        let place = queue.active.load(Relaxed) as usize & 1;
        if queue.len[place].load(Relaxed) == 0 {
            return 0;
        }
        queue.active.store(1 - place as u32, Relaxed);
        place
    };
    queue.copy_out(arena, place, Ticks::MAX, out)
}

/// Copies out the frames that were begun by then and came since; says how many those were.
pub(super) fn take_older(arena: Arena, by: Ticks, out: &mut Vec<u8>) -> u64 {
    let queue = &arena.head().queue;
    let _held = lock().lock();
    let place = queue.active.load(Relaxed) as usize & 1;
    if queue.len[place].load(Relaxed) == 0 { 0 } else { queue.copy_out(arena, place, by, out) }
}

/// A frame that was copied out is handed out: it is marked where it stands.
#[allow(clippy::cast_possible_truncation)] // the lower half is a place in the arena
pub(super) fn hand_out(arena: Arena, frame: &Frame<'_>) {
    let head = arena.head();
    head.queue.handed_out.store(head.queue.handed_out.load(Relaxed) + 1, Relaxed);
    // SAFETY: a whole frame stands at the place, which was reserved and is aligned to 8, as is the number in it. Nobody
    // but the flush thread looks at that once the frame is in the queue.
    unsafe {
        let mark = arena.address(frame.seq as Offset).add(SEQ_AT);
        sync::writes(mark, size_of::<u64>());
        mark.cast::<u64>().write(head.taking.number());
    }
}

/// How many frames wait here.
pub(super) fn pending(arena: Arena) -> u64 {
    let queue = &arena.head().queue;
    let taken = queue.taken.load(Relaxed);
    queue.pushed.load(Relaxed).saturating_sub(taken)
}

/// The most of the arena that one place may be.
#[allow(clippy::cast_possible_truncation)] // it fits the arena
fn share(arena: Arena) -> usize {
    (arena.bytes() / 32) as usize & !(UNIT - 1)
}

/// How long a place may be, the best first: as wanted, and halves of that down to what is worth it, which is twice as much
/// as there is.
fn sizes(wanted: usize, has: usize) -> impl Iterator<Item = usize> {
    let least = (2 * has).max(ROOM_BYTES_MIN).min(wanted);
    let halves = std::iter::successors(Some(wanted), |room| Some((room / 2) & !(UNIT - 1)));
    halves.take_while(move |room| *room >= least)
}

impl Queue {
    /// Everything that was handed out is with the journal.
    pub(super) fn taken(&self) {
        self.taken.store(self.handed_out.load(Relaxed), Relaxed);
    }

    /// All that was copied out of the place that frames do not go to is with the journal: it is empty.
    pub(super) fn release(&self) {
        let _held = lock().lock();
        let place = 1 - (self.active.load(Relaxed) as usize & 1);
        self.len[place].store(0, Relaxed);
    }

    fn push(&self, arena: Arena, level: Level, frame: &[u8]) -> bool {
        let Some(start) = self.place(arena) else { return false };
        let len = &self.len[self.active.load(Relaxed) as usize & 1];
        let (filled, bytes) = (len.load(Relaxed), frame.len() as u64);
        let room = self.room.load(Relaxed).min(BYTES_MAX.load(Relaxed) as u64);
        if filled + bytes > room / 4 * quarters(level) {
            return false;
        }
        #[allow(clippy::cast_possible_truncation)] // less than the place is long
        // SAFETY: the place was reserved with so much room, and this thread holds the lock.
        unsafe {
            let place = start.add(filled as usize);
            sync::writes(place, frame.len());
            ptr::copy_nonoverlapping(frame.as_ptr(), place.as_ptr(), frame.len());
        }
        compiler_fence(SeqCst); // the frame first, for whoever finds the arena; the flush thread comes with the lock
        len.store(filled + bytes, Relaxed);
        self.pushed.store(self.pushed.load(Relaxed) + 1, Relaxed);
        true
    }

    /// The place that frames go to, made with the other one if there is none, or they should be larger. `None` if there is
    /// none, and no room for it.
    fn place(&self, arena: Arena) -> Option<NonNull<u8>> {
        let wanted = BYTES_MAX.load(Relaxed).next_multiple_of(UNIT).min(share(arena));
        let has = self.room.load(Relaxed) as usize;
        if has < wanted && self.len.iter().all(|len| len.load(Relaxed) == 0) {
            // On a full disk, or late in a full arena, a small queue is better than none.
            let _ = sizes(wanted, has).any(|room| self.make(arena, room).is_some());
        }
        let active = self.active.load(Relaxed) as usize & 1;
        (self.room.load(Relaxed) > 0).then(|| arena.address(self.places[active].load(Relaxed)))
    }

    /// Makes both places anew, each with so much room.
    #[allow(clippy::cast_possible_truncation)] // it fits the arena
    fn make(&self, arena: Arena, room: usize) -> Option<()> {
        let places = arena.reserve(2 * room)?;
        self.room.store(room as u64, Relaxed);
        self.places[1].store(places + (room / UNIT) as Offset, Relaxed);
        self.places[0].store(places, Relaxed);
        Some(())
    }

    /// Copies out frames that are not marked, each with its place in the place of its number.
    #[allow(clippy::cast_possible_truncation)] // it fits the arena
    fn copy_out(&self, arena: Arena, place: usize, by: Ticks, out: &mut Vec<u8>) -> u64 {
        let (start, len) = (self.places[place].load(Relaxed), self.len[place].load(Relaxed) as usize);
        sync::reads(arena.address(start), len);
        // SAFETY: so many bytes were written there, under the lock, and are not written again before the place is
        // released, but for marks by this thread.
        let frames = unsafe { std::slice::from_raw_parts(arena.address(start).as_ptr(), len) };
        let (mut rest, mut count) = (frames, 0);
        while let Some((frame, after)) = Frame::split(rest) {
            if frame.seq == 0 && frame.ticks <= by {
                let at = start + ((len - rest.len()) / UNIT) as Offset;
                let copy = out.len();
                out.extend_from_slice(&rest[..rest.len() - after.len()]);
                out[copy + SEQ_AT..copy + HEAD_BYTES].copy_from_slice(&u64::from(at).to_le_bytes());
                count += 1;
            }
            rest = after;
        }
        count
    }
}

const _: () = assert!(ALIGN == UNIT);

/// The frames in the queue of a dead process that are not taken: `is_final` knows of the number of a taking whether it
/// is. Each to `each`, and how many bytes there are of what is no frame.
pub(super) fn dead<'a>(
    bytes: &'a Bytes,
    at: usize,
    is_final: impl Fn(u64) -> bool,
    mut each: impl FnMut(Frame<'a>),
) {
    for place in 0..2 {
        let start = Bytes::place(bytes.short(at + offset_of!(Queue, places) + 4 * place));
        let len = bytes.long(at + offset_of!(Queue, len) + 8 * place);
        let mut rest = bytes.slice(start, usize::try_from(len).unwrap_or(0));
        while let Some((frame, after)) = Frame::split(rest) {
            if frame.seq == 0 || !is_final(frame.seq) {
                each(frame);
            }
            rest = after;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_as_wanted_or_half_of_it_down_to_what_is_worth_it() {
        let of = |wanted, has| sizes(wanted, has).collect::<Vec<_>>();
        assert_eq!(of(1 << 20, 0), [1 << 20, 1 << 19, 1 << 18, 1 << 17, 1 << 16]);
        assert_eq!(of(1 << 20, 1 << 18), [1 << 20, 1 << 19]);
        assert_eq!(of(1 << 20, 1 << 19), [1 << 20]);
        assert_eq!(of(5_000, 0), [5_000], "less than that was asked for");
        assert_eq!(of(UNIT, 0), [UNIT], "and it comes to an end");
        assert_eq!(of(1 << 20, (1 << 20) - 8), [1 << 20], "it was raised by a little");
    }

    #[test]
    fn late_in_a_full_arena_the_queue_is_a_small_one() {
        crate::record::remains::tests::alone(
            "overflow::tests::late_in_a_full_arena_the_queue_is_a_small_one",
            || {
                let arena = Arena::get_or_reserve(64 << 20).expect("64 MiB of address space");
                set_bytes_max(2 << 20);
                let left = || arena.bytes() - arena.used_bytes();
                while left() > 400 << 10 {
                    arena.reserve(4096).expect("room");
                }
                let frame = crate::record::frame::head(40_000, 1, 1, 0);
                let frame: Vec<u8> = frame.into_iter().chain(std::iter::repeat(0)).take(40_000).collect();
                (0..4).for_each(|_| push(Level::Error, &frame));
                let mut out = Vec::new();
                assert_eq!((swap(arena, &mut out), out.len()), (3, 120_000), "128 KiB");
                assert_eq!(losses::take().iter().map(|lost| lost.count).sum::<u64>(), 1);
                // What there is serves on, though there is no room for a larger one.
                arena.head().queue.release();
                set_bytes_max(1 << 20);
                push(Level::Error, &frame);
                assert_eq!(swap(arena, &mut out), 1);
            },
        );
    }
}
