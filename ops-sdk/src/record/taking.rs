//! What the flush thread takes out of the arena, until the journal has it. Where the arena is kept in a file, a process
//! that dies between the two leaves it to the next one to say whether the journal got what was taken; so a taking is
//! whole or it is undone.
//!
//! A taking is all that goes to the journal at one go. While it goes on, each mark that says how far a cell was read is
//! noted with what it was before; events keep their place in the ring, and the lane says up to which they are being
//! taken. Then the records are numbered, the journal gets them, and with one store the taking is final. Whoever finds
//! the arena of a dead process looks whether the taking is final, or else whether the journal has its last record. If
//! neither, it undoes the taking and cuts off what the journal has of it (`remains`).
//!
//! In an arena that nobody will find nothing is noted.

use std::mem::offset_of;

use super::arena::{Arena, Offset};
use super::lane;
use super::remains::Bytes;
use super::sync::Ordering::{Relaxed, Release, SeqCst};
use super::sync::{AtomicU32, AtomicU64, compiler_fence};

/// Changes that can be noted: 1 MiB.
const CHANGES_MAX: usize = 1 << 16;
/// Changes that reading one cell makes at most: every bucket of a histogram, and some words.
const CHANGES_OF_A_CELL: usize = 25_000;

/// What is known of the taking that goes on. Lies in the arena's head.
#[repr(C)]
pub(super) struct State {
    /// Whether the arena is one that is found when the process has died.
    kept: AtomicU32,
    /// Where changes are noted: for each its place and kind, and what was there.
    changes: AtomicU32,
    changes_len: AtomicU64,
    /// The number of the taking, from 1, and that of the last one that is final.
    number: AtomicU64,
    done: AtomicU64,
    /// The number of the first record that the journal gets by this taking, and by the next: the same until it is known.
    first: AtomicU64,
    next: AtomicU64,
}

impl State {
    /// The first taking of an arena: 0 is the number of none.
    pub(super) fn first(&self) {
        self.number.store(1, Relaxed);
    }

    /// The number of the taking that goes on.
    pub(super) fn number(&self) -> u64 {
        self.number.load(Relaxed)
    }
}

/// What is noted of a change.
#[derive(Clone, Copy)]
#[repr(u64)]
enum Was {
    /// A word of 64 bits was this.
    Long = 0,
    /// A word of 32 bits was this.
    Short = 1,
    /// The smallest value of a window was this; smaller ones may have come since.
    Least = 2,
    /// The largest value was this; larger ones may have come since.
    Most = 3,
}

/// The taking that goes on.
#[derive(Clone, Copy)]
pub(crate) struct Taking {
    arena: Arena,
}

impl Taking {
    /// That of this arena.
    pub(crate) fn of(arena: Arena) -> Taking {
        Taking { arena }
    }

    fn state(&self) -> &'static State {
        &self.arena.head().taking
    }

    /// Whether the arena will be found when the process has died.
    pub(super) fn is_kept(&self) -> bool {
        self.state().kept.load(Relaxed) != 0
    }

    /// Reserves the place for changes.
    pub(super) fn prepare(&self) -> Option<()> {
        if self.state().changes.load(Relaxed) == 0 {
            self.state().changes.store(self.arena.reserve(CHANGES_MAX * 16)?, Relaxed);
        }
        Some(())
    }

    /// Says whether the arena will be found from here on.
    pub(super) fn keep(&self, kept: bool) {
        self.state().kept.store(u32::from(kept), Relaxed);
    }

    /// The first taking of a process whose records are numbered from `first`.
    pub(super) fn begin(&self, first: u64) {
        let state = self.state();
        state.changes_len.store(0, Relaxed);
        state.first.store(first, Relaxed);
        state.next.store(first, Relaxed);
        let number = state.number.load(Relaxed) + 1;
        state.done.store(number - 1, Relaxed);
        state.number.store(number, Relaxed);
    }

    /// Whether it should be brought to its end before another cell is read.
    pub(crate) fn is_full(&self) -> bool {
        self.state().changes_len.load(Relaxed) as usize + CHANGES_OF_A_CELL > CHANGES_MAX
    }

    /// Everything that is taken is among the records before `next`, which the journal gets now.
    pub(crate) fn closes(&self, next: u64) {
        self.state().next.store(next, Relaxed);
        compiler_fence(SeqCst);
    }

    /// The journal has all of it: it is final, and another taking begins. To be said before anyone can read in the
    /// journal what it got.
    pub(crate) fn done(&self) {
        let state = self.state();
        let number = state.number.load(Relaxed);
        compiler_fence(SeqCst);
        state.done.store(number, Relaxed);
        compiler_fence(SeqCst);
        lane::all(self.arena).for_each(lane::Lane::taken);
        self.arena.head().queue.taken();
        state.changes_len.store(0, Relaxed);
        state.first.store(state.next.load(Relaxed), Relaxed);
        compiler_fence(SeqCst);
        state.number.store(number + 1, Relaxed);
    }

    /// Notes what a word of the arena holds, which is about to be changed.
    pub(super) fn note(&self, word: &AtomicU64) {
        self.note_as(Was::Long, std::ptr::from_ref(word).addr(), || word.load(Relaxed));
    }

    /// The same for a shorter word.
    pub(super) fn note_short(&self, word: &AtomicU32) {
        self.note_as(Was::Short, std::ptr::from_ref(word).addr(), || word.load(Relaxed).into());
    }

    /// The same for the extremes of a window that is about to be closed, both of them doubles.
    pub(super) fn note_extremes(&self, least: &AtomicU64, most: &AtomicU64) {
        self.note_as(Was::Least, std::ptr::from_ref(least).addr(), || least.load(Relaxed));
        self.note_as(Was::Most, std::ptr::from_ref(most).addr(), || most.load(Relaxed));
    }

    fn note_as(&self, was: Was, address: usize, value: impl FnOnce() -> u64) {
        if !self.is_kept() {
            return;
        }
        let state = self.state();
        let len = state.changes_len.load(Relaxed) as usize;
        let changes = self.arena.slice::<AtomicU64>(state.changes.load(Relaxed), CHANGES_MAX * 2);
        let Some([place, held]) = changes.get(2 * len..2 * len + 2) else {
            debug_assert!(false, "who reads cells asks whether it is full");
            return;
        };
        let at = address - self.arena.address_of_start();
        place.store((at as u64) << 2 | was as u64, Relaxed);
        held.store(value(), Relaxed);
        compiler_fence(SeqCst);
        state.changes_len.store(len as u64 + 1, Release);
        compiler_fence(SeqCst);
    }
}

/// The taking that went on when a process died, as its arena says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Left {
    pub(super) number: u64,
    pub(super) is_done: bool,
    /// The first record of the taking, and the first after it.
    pub(super) first: u64,
    pub(super) next: u64,
}

impl Left {
    pub(super) fn read(bytes: &Bytes, at: usize) -> Left {
        let word = |offset| bytes.long(at + offset);
        let number = word(offset_of!(State, number));
        Left {
            number,
            is_done: word(offset_of!(State, done)) == number,
            first: word(offset_of!(State, first)),
            next: word(offset_of!(State, next)),
        }
    }

    /// Whether the journal, which has records of the process up to `last`, has all of the taking.
    pub(super) fn is_final(&self, last: Option<u64>) -> bool {
        self.is_done
            || (self.next > self.first && last.is_some_and(|last| last.saturating_add(1) >= self.next))
    }

    /// What is to be written to the file, and where, before anything of it goes to the journal: so that whoever comes
    /// here again, because this process died as well, decides the same.
    pub(super) fn decided(&self, is_final: bool, at: usize) -> (usize, u64) {
        if is_final {
            (at + offset_of!(State, done), self.number)
        } else {
            (at + offset_of!(State, next), self.first)
        }
    }

    /// Takes back what the taking has changed.
    pub(super) fn undo(bytes: &mut Bytes, at: usize) {
        let changes = Bytes::place(bytes.short(at + offset_of!(State, changes)));
        let len = (bytes.long(at + offset_of!(State, changes_len)) as usize).min(CHANGES_MAX);
        for change in (0..len).rev().map(|change| changes + 16 * change) {
            let (place, was) = (bytes.long(change), bytes.long(change + 8));
            let at = (place >> 2) as usize;
            match place & 3 {
                0 => bytes.set_long(at, was),
                1 => bytes.set_short(at, was as u32),
                which => bytes.widen(at, f64::from_bits(was), which == Was::Most as u64),
            }
        }
    }
}

#[allow(clippy::cast_possible_truncation)] // places in the arena are 32 bits wide
const _: () = assert!(size_of::<Offset>() == 4);
