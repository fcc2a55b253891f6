//! Events that the flush thread holds back, as whoever finds the arena of a dead process needs them: they were taken out
//! of the rings, and the journal does not have them, because it is not known yet how their unit of work ends. Only in an
//! arena that is kept, and only the flush thread touches it.
//!
//! Two places of the arena take turns. Events are added to one; when it is half full those that still wait are moved to
//! the other. An entry says by which taking it came and by which it went, since a taking that is not final has done
//! neither.
//!
//! ```text
//! entry = came:u64 frame         a frame as in a ring, with the number of the taking it went by for its own
//! ```

use std::mem::offset_of;
use std::ptr;

use super::Site;
use super::arena::{Arena, Offset, UNIT};
use super::frame::{self, Frame, HEAD_BYTES, SEQ_AT};
use super::prefix;
use super::remains::Bytes;
use super::ring::ALIGN;
use super::sync::Ordering::{Relaxed, Release};
use super::sync::{AtomicU32, AtomicU64};
use super::taking::Taking;
use crate::clock::Ticks;

/// Lies in the arena's head.
#[repr(C)]
pub(super) struct Places {
    places: [AtomicU32; 2],
    /// The place that events are added to.
    active: AtomicU32,
    pad: AtomicU32,
    /// How long each is, and how much of it is filled.
    room: AtomicU64,
    len: [AtomicU64; 2],
}

const CAME_BYTES: usize = 8;

/// Where events that are held back are kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shelf {
    arena: Option<Arena>,
}

impl Shelf {
    /// That of an arena; none, and nothing is kept, where the arena is not.
    pub(super) fn of(arena: Arena) -> Shelf {
        Shelf { arena: Some(arena).filter(|arena| Taking::of(*arena).is_kept()) }
    }

    /// One that keeps nothing.
    pub(crate) const NONE: Shelf = Shelf { arena: None };

    /// Adds an event, with at most so many bytes of all; says where it is. 0 where it is kept nowhere: it is lost with
    /// the process.
    pub(crate) fn add(&self, unit: u64, site: &Site, ticks: Ticks, values: &[u8], bytes_max: usize) -> u32 {
        self.arena.and_then(|arena| add(arena, unit, site, ticks, values, bytes_max)).unwrap_or(0)
    }

    /// An event has gone on, or was let go of.
    pub(crate) fn gone(&self, place: u32) {
        if let Some(arena) = self.arena.filter(|_| place != 0) {
            word(arena, place, CAME_BYTES + SEQ_AT).store(arena.head().taking.number(), Relaxed);
        }
    }

    /// Whether those that wait should be moved together. Not while a taking goes on.
    pub(crate) fn is_crowded(&self) -> bool {
        self.arena.is_some_and(|arena| {
            let shelf = &arena.head().shelf;
            shelf.len[shelf.active()].load(Relaxed) > shelf.room.load(Relaxed) / 2
        })
    }

    /// Moves events to the other place; `each` gives the place of the next one, and is told where it is then.
    pub(crate) fn tidy<'a>(&self, places: impl Iterator<Item = &'a mut u32>) {
        let Some(arena) = self.arena else { return };
        let shelf = &arena.head().shelf;
        let to = 1 - shelf.active();
        let mut len = 0;
        for place in places.filter(|place| **place != 0) {
            let bytes = entry_bytes(arena, *place);
            let start = shelf.places[to].load(Relaxed) + (len / UNIT) as Offset;
            let (from, there) = (arena.address(*place), arena.address(start));
            // SAFETY: an entry of so many bytes was written at `place`; as many fit the other place, since they fitted
            // this one together with others. Nobody else touches either.
            unsafe { ptr::copy_nonoverlapping(from.as_ptr(), there.as_ptr(), bytes) };
            (*place, len) = (start, len + bytes);
        }
        shelf.len[to].store(len as u64, Relaxed);
        shelf.active.store(to as u32, Release);
    }
}

impl Places {
    /// Nothing is held back.
    pub(super) fn clear(&self) {
        self.len.iter().for_each(|len| len.store(0, Relaxed));
    }

    fn active(&self) -> usize {
        self.active.load(Relaxed) as usize & 1
    }
}

/// The word so many bytes into an entry.
fn word(arena: Arena, entry: Offset, at: usize) -> &'static AtomicU64 {
    // SAFETY: a whole entry stands at the place, which is aligned to 8, as is the word.
    unsafe { arena.address(entry).add(at).cast::<AtomicU64>().as_ref() }
}

/// How long an entry is: its frame says it.
fn entry_bytes(arena: Arena, entry: Offset) -> usize {
    #[allow(clippy::cast_possible_truncation)] // the lower half of the word is the length
    let frame = word(arena, entry, CAME_BYTES).load(Relaxed) as u32 as usize;
    CAME_BYTES + frame.next_multiple_of(ALIGN)
}

#[allow(clippy::cast_possible_truncation)] // it fits the arena
fn add(
    arena: Arena,
    unit: u64,
    site: &Site,
    ticks: Ticks,
    values: &[u8],
    bytes_max: usize,
) -> Option<Offset> {
    let shelf = &arena.head().shelf;
    if shelf.places[0].load(Relaxed) == 0 {
        let room = bytes_max.next_multiple_of(UNIT).min((arena.bytes() as usize / 32) & !(UNIT - 1));
        let places = arena.reserve(2 * room)?;
        shelf.places[0].store(places, Relaxed);
        shelf.places[1].store(places + (room / UNIT) as Offset, Relaxed);
        shelf.room.store(room as u64, Relaxed);
    }
    let prefix = prefix::of_unit(unit);
    let bytes = HEAD_BYTES + prefix.len() + values.len();
    let active = shelf.active();
    let (len, room) = (shelf.len[active].load(Relaxed), shelf.room.load(Relaxed));
    let end = len + (CAME_BYTES + bytes.next_multiple_of(ALIGN)) as u64;
    if end > room {
        return None;
    }
    let entry = shelf.places[active].load(Relaxed) + (len as usize / UNIT) as Offset;
    let head = frame::head(u32::try_from(bytes).ok()?, site.slot(), ticks, 0);
    let came = arena.head().taking.number().to_le_bytes();
    let mut place = arena.address(entry);
    for piece in [&came[..], &head, &prefix, values] {
        // SAFETY: the place has room for all pieces, as was just asked, and only this thread touches it.
        unsafe {
            ptr::copy_nonoverlapping(piece.as_ptr(), place.as_ptr(), piece.len());
            place = place.add(piece.len());
        }
    }
    shelf.len[active].store(end, Release);
    Some(entry)
}

/// The events that a dead process held back. `is_final` knows of the number of a taking whether it is.
pub(super) fn dead<'a>(
    bytes: &'a Bytes,
    at: usize,
    is_final: impl Fn(u64) -> bool,
    mut each: impl FnMut(Frame<'a>),
) {
    let active = bytes.short(at + offset_of!(Places, active)) as usize & 1;
    let start = Bytes::place(bytes.short(at + offset_of!(Places, places) + 4 * active));
    let len = bytes.long(at + offset_of!(Places, len) + 8 * active);
    let mut rest = bytes.slice(start, usize::try_from(len).unwrap_or(0));
    while let Some((came, frames)) = rest.split_first_chunk()
        && let Some((frame, after)) = Frame::split(frames)
    {
        let has_gone = frame.seq != 0 && is_final(frame.seq);
        if is_final(u64::from_le_bytes(*came)) && !has_gone {
            each(frame);
        }
        rest = after;
    }
}
