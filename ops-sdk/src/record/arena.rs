//! The memory that macros write into: one region, given out once from the bottom, never moved and never returned.
//! Everything in it is told by its distance from the start, and everything is valid when all bytes are zero, so the
//! region can be a mapped file as well as memory of this process alone: see `keep`. Threads come and go; what they
//! counted stays.
//!
//! The region is reserved, not occupied: the system gives a page when it is first written.

use std::mem::offset_of;
use std::ptr::NonNull;
use std::sync::OnceLock;

use super::losses::Counts;
use super::overflow::Queue;
use super::shelf::Places;
use super::sync::{AtomicPtr, AtomicU32, AtomicU64, Ordering};
use super::system::{Map, populate};
use super::taking::State;
use super::told::Told;
use super::{catalog, child, keep};
use crate::lock::Mutex;

/// A place in the arena, in units of 8 bytes from its start. 0 is nowhere: the head lies there.
pub(super) type Offset = u32;

pub(super) const UNIT: usize = 8;
/// Lanes and cells start on cache lines of their own, so that two threads never write to the same one.
const LINE: usize = 64;
/// No page is larger, so that a map of as many is whole.
const PAGE: usize = 64 << 10;
pub(super) const MAGIC: u64 = u64::from_le_bytes(*b"opsarena");

/// What lies at the start of the arena.
#[repr(C, align(64))]
pub(super) struct Head {
    pub(super) magic: AtomicU64,
    /// How everything lies in it: another build of the SDK may lay it out otherwise.
    pub(super) form: AtomicU64,
    /// Bytes that there are.
    bytes: AtomicU64,
    /// Bytes given out so far.
    pub(super) used: AtomicU64,
    /// Bytes that may be written: all, or those for which the file has room on the disk.
    pub(super) ready: AtomicU64,
    /// The lane that was made last; each knows the one before.
    pub(super) lanes: AtomicU32,
    /// The site that was entered last; each knows the one before.
    pub(super) sites: AtomicU32,
    /// What the flush thread has taken, and the journal may not have.
    pub(super) taking: State,
    /// Whose arena it is, and when its ticks were.
    pub(super) told: Told,
    /// Events that no ring could hold.
    pub(super) queue: Queue,
    /// Events that the flush thread holds back.
    pub(super) shelf: Places,
    /// What could not be recorded.
    pub(super) losses: Counts,
}

/// Where the parts of the head are, for who reads it from a file.
impl Head {
    pub(super) const MAGIC_AT: usize = offset_of!(Head, magic);
    pub(super) const FORM_AT: usize = offset_of!(Head, form);
    pub(super) const USED_AT: usize = offset_of!(Head, used);
    pub(super) const LANES_AT: usize = offset_of!(Head, lanes);
    pub(super) const SITES_AT: usize = offset_of!(Head, sites);
    pub(super) const TAKING_AT: usize = offset_of!(Head, taking);
    pub(super) const TOLD_AT: usize = offset_of!(Head, told);
    pub(super) const QUEUE_AT: usize = offset_of!(Head, queue);
    pub(super) const SHELF_AT: usize = offset_of!(Head, shelf);
    pub(super) const LOSSES_AT: usize = offset_of!(Head, losses);
}

/// Types that may lie in the arena.
///
/// # Safety
///
/// All-zero bytes must be a valid value, every field must be safe to share between threads (atomics), and the
/// alignment must be at most 64.
pub(super) unsafe trait Resident: 'static {}

// SAFETY: atomics only; zero is valid for each; alignment 64.
unsafe impl Resident for Head {}
// SAFETY: an atomic; zero is valid.
unsafe impl Resident for AtomicU32 {}
// SAFETY: an atomic; zero is valid.
unsafe impl Resident for AtomicU64 {}

/// The region. There is one in a process, made when recording starts for the first time, and it is never freed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arena {
    base: NonNull<u8>,
}

// SAFETY: the region is shared memory that is only reached through `Resident` types, which are safe to share, and
// through the rings, which say for themselves why they are.
unsafe impl Send for Arena {}
// SAFETY: as above.
unsafe impl Sync for Arena {}

static BASE: AtomicPtr<u8> = AtomicPtr::new(std::ptr::null_mut());
static MAP: OnceLock<Map> = OnceLock::new();
/// Held while the arena is made. Nobody records before there is one.
static MAKING: Mutex<()> = Mutex::new(());

impl Arena {
    /// The arena of this process, if recording was ever started.
    #[inline]
    pub(crate) fn get() -> Option<Arena> {
        NonNull::new(BASE.load(Ordering::Acquire)).map(|base| Arena { base })
    }

    /// Makes the arena of this process with room for `bytes`, or gives the one that there is.
    ///
    /// # Errors
    ///
    /// `None` if the system does not give that much address space.
    pub(crate) fn get_or_reserve(bytes: usize) -> Option<Arena> {
        let _making = MAKING.lock();
        if let Some(arena) = Arena::get() {
            child::begin(arena);
            return Some(arena);
        }
        let bytes = bytes.clamp(1 << 20, UNIT << 31) & !(PAGE - 1);
        let map = Map::anonymous(bytes).ok()?;
        let _ = MAP.set(map); // the first and only one: `MAKING` is held
        let arena = Arena { base: map.address() };
        arena.begin(bytes as u64, size_of::<Head>() as u64);
        BASE.store(arena.base.as_ptr(), Ordering::Release);
        catalog::enter_all(arena);
        Some(arena)
    }

    /// Writes the head of an arena that is all zeros.
    pub(super) fn begin(&self, bytes: u64, used: u64) {
        let head = self.head();
        head.magic.store(MAGIC, Ordering::Relaxed);
        head.form.store(keep::FORM, Ordering::Relaxed);
        head.used.store(used, Ordering::Relaxed);
        head.bytes.store(bytes, Ordering::Relaxed);
        head.ready.store(bytes, Ordering::Relaxed);
        head.taking.first();
    }

    /// In a child of `fork`: new memory in the place of the parent's, all zeros but the head. What was given out is not
    /// given out again. Where the system refuses, nothing is left to give.
    pub(super) fn renew_in_child(&self) {
        let (bytes, used) = (self.bytes(), self.used_bytes());
        let is_new = MAP.get().is_some_and(|map| map.renew_private().is_ok());
        self.begin(if is_new { bytes } else { used }, used);
    }

    /// The memory that it is, of which nothing is ever given back.
    pub(super) fn map(&self) -> Option<Map> {
        MAP.get().copied()
    }

    /// The arena of this process, asked by who holds something that lies in it.
    #[inline(always)]
    pub(super) fn of(_resident: &'static impl Resident) -> Arena {
        // SAFETY: what is resident lies in the arena, so there is one.
        Arena { base: unsafe { NonNull::new_unchecked(BASE.load(Ordering::Relaxed)) } }
    }

    /// What lies at the start.
    #[inline]
    pub(super) fn head(&self) -> &'static Head {
        // SAFETY: the head is the first thing in a region that is larger than it, aligned to a page and never freed.
        unsafe { self.base.cast::<Head>().as_ref() }
    }

    /// Gives out `bytes` zero bytes, aligned to a cache line; `None` when the arena is full, or the disk.
    pub(super) fn reserve(&self, bytes: usize) -> Option<Offset> {
        let bytes = bytes.checked_next_multiple_of(LINE)? as u64;
        let head = self.head();
        loop {
            let ready = head.ready.load(Ordering::Acquire);
            let fits = |used: u64| used.checked_add(bytes).filter(|end| *end <= ready);
            match head.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits) {
                Ok(start) => return u32::try_from(start / UNIT as u64).ok(),
                Err(used) => keep::make_ready(*self, used.checked_add(bytes)?)?,
            }
        }
    }

    /// Bytes that there are.
    pub(super) fn bytes(&self) -> u64 {
        self.head().bytes.load(Ordering::Relaxed)
    }

    /// What lies at `offset`; `None` for nowhere.
    #[inline]
    pub(super) fn at<T: Resident>(&self, offset: Offset) -> Option<&'static T> {
        (offset != 0).then(|| {
            // SAFETY: offsets other than 0 come from `reserve`, made for a `T` at this place and aligned to 64; the
            // region is zeroed, never freed, and a `Resident` is valid when zero and safe to share.
            unsafe { self.address(offset).cast::<T>().as_ref() }
        })
    }

    /// `len` values of `T` that lie at `offset`.
    #[inline]
    pub(super) fn slice<T: Resident>(&self, offset: Offset, len: usize) -> &'static [T] {
        if offset == 0 {
            return &[];
        }
        // SAFETY: as in `at`; whoever reserved the place reserved it for `len` values.
        unsafe { std::slice::from_raw_parts(self.address(offset).cast::<T>().as_ptr(), len) }
    }

    /// The place behind a `T` at `offset`, for what was reserved together with it.
    pub(super) fn behind<T: Resident>(&self, offset: Offset) -> Offset {
        const { assert!(size_of::<T>().is_multiple_of(LINE)) };
        #[allow(clippy::cast_possible_truncation)] // a type's size
        let units = (size_of::<T>() / UNIT) as Offset;
        offset + units
    }

    /// Puts what lies at `offset` at the head of a list, for readers to see. Whole also when whoever pushes is
    /// interrupted by a signal handler that does the same.
    pub(super) fn push(&self, list: &AtomicU32, offset: Offset, next: &AtomicU32) {
        let link = |first: Offset| {
            next.store(first, Ordering::Relaxed);
            Some(offset)
        };
        let _ = list.fetch_update(Ordering::Release, Ordering::Relaxed, link); // never refused
    }

    /// The address of a place.
    #[inline]
    pub(super) fn address(&self, offset: Offset) -> NonNull<u8> {
        debug_assert!(u64::from(offset) * (UNIT as u64) < self.used_bytes());
        // SAFETY: offsets come from `reserve`, so the place lies inside the region.
        unsafe { self.base.add(offset as usize * UNIT) }
    }

    /// Has the system give the pages of so many bytes from byte `start` on, which are not given out yet.
    pub(super) fn populate(&self, start: u64, bytes: usize) {
        debug_assert!(start + bytes as u64 <= self.bytes());
        #[allow(clippy::cast_possible_truncation)] // it fits the arena
        // SAFETY: the place lies inside the region.
        populate(unsafe { self.base.add(start as usize) }, bytes);
    }

    /// Where it starts.
    pub(super) fn address_of_start(&self) -> usize {
        self.base.addr().get()
    }

    /// What so many words from byte `start` on hold.
    pub(super) fn words(&self, start: u64, words: usize) -> impl Iterator<Item = u64> {
        debug_assert!(start + (words * UNIT) as u64 <= self.used_bytes());
        #[allow(clippy::cast_possible_truncation)] // less than the arena has
        // SAFETY: the words lie within what is given out, aligned to a page and so to a word; atomics are read, since a
        // call may be in progress.
        let words = unsafe {
            std::slice::from_raw_parts(self.base.add(start as usize).cast::<AtomicU64>().as_ptr(), words)
        };
        words.iter().map(|word| word.load(Ordering::Relaxed))
    }

    /// Bytes given out so far.
    pub(crate) fn used_bytes(&self) -> u64 {
        self.head().used.load(Ordering::Relaxed)
    }
}
