//! A lane: what one thread writes to. A thread takes a lane when it first records and gives it back when it ends;
//! the next thread goes on where it stopped, so sums and events of a thread that is gone are simply there, and the
//! memory is bounded by how many threads record at the same time.

use std::cell::Cell;
use std::mem::offset_of;
use std::ptr::{self, NonNull};

use super::arena::{Arena, Offset, Resident, UNIT};
use super::cell::CellHead;
use super::dense::Table;
use super::expire::CLASSES;
use super::remains::Bytes;
use super::ring::{Head, Ring, Tail};
use super::sync::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, compiler_fence, thread_local};
use super::system::populate;

/// Sites with a place of their own in a lane. Those numbered higher are found through the lane's table.
pub(super) const SITES_MAX: usize = 4096;

const FREE: u32 = 0;
const TAKEN: u32 = 1;

/// No event is being written.
pub(super) const IDLE: u32 = 0;
/// One is being written to the ring: another that comes meanwhile (from a `Display`) goes to the overflow queue.
pub(super) const WRITING: u32 = 1;
/// One is on its way to the overflow queue: another that comes meanwhile (from the allocator) is counted as dropped.
pub(super) const SPILLING: u32 = 2;
/// One of known size is being written to the ring, which runs no code of anyone else: another that comes meanwhile is
/// from a signal handler, and is counted as dropped.
pub(super) const STAMPING: u32 = 4;
/// This is a thread of the SDK: what is logged here is not recorded, or shipping an event would make new ones.
pub(super) const MUTE: u32 = 3;

/// What one thread writes to. The flush thread reads it, and writes only the end of the ring that is its own, and what it has taken.
///
/// What an event needs is on the first cache line, all of it: it may have left the cache since the event before.
#[repr(C, align(64))]
pub(super) struct Lane {
    /// What the thread is doing with events: [`IDLE`] … [`MUTE`].
    pub(super) busy: AtomicU32,
    ring_bytes: AtomicU32,
    /// Where the ring begins, for this process's threads. Whoever reads a dead one's finds it by its place in the arena.
    ring_at: AtomicPtr<u8>,
    /// Events published so far.
    pub(super) seq: AtomicU64,
    head: Head,
    /// The ring's place in the arena.
    ring: AtomicU32,
    /// The lane that was made before.
    pub(super) next: AtomicU32,
    tail: Tail,
    state: AtomicU32,
    /// The cell that was made last; each knows the one before.
    pub(super) cells: AtomicU32,
    /// The table that finds cells by the values of their dimensions: where, one less than how long, how full.
    pub(super) table: AtomicU32,
    pub(super) table_mask: AtomicU32,
    pub(super) table_used: AtomicU32,
    /// Whether the reader has offered cells to be used again.
    pub(super) offers: AtomicU32,
    /// The first table, of one entry that stays empty.
    no_cell: AtomicU64,
    /// Cells to be used again, by class: the first, which knows the next.
    pub(super) free: [AtomicU32; CLASSES],
    /// The last event that the flush thread took, and the last that it is taking.
    pub(super) seq_taken: AtomicU64,
    pub(super) seq_taking: AtomicU64,
    /// By site: the address of the cell of a site without dimensions, for this lane's thread alone. Whoever reads finds
    /// cells by their place in the arena.
    pub(super) cells_at: [AtomicPtr<CellHead>; SITES_MAX],
    /// By site all of whose dimensions have known values: the address of its table of cells, for this lane's thread alone.
    pub(super) tables_at: [AtomicPtr<Table>; SITES_MAX],
    /// By site with dimensions: how many series it has here.
    pub(super) series: [AtomicU32; SITES_MAX],
}

// SAFETY: atomics (of addresses, too) and the ends of rings (atomics and padding) only; zero is valid; alignment 64.
unsafe impl Resident for Lane {}

/// A lane of a dead process.
pub(super) struct Dead<'a> {
    /// Its first cell.
    pub(super) cells: Offset,
    /// Events that it published, that the journal has, and that were being taken.
    pub(super) seq: u64,
    pub(super) taken: u64,
    pub(super) taking: u64,
    /// What stands in its ring.
    pub(super) ring: [&'a [u8]; 2],
}

/// The lanes of a dead process.
pub(super) fn dead(bytes: &Bytes, first: Offset) -> Vec<Dead<'_>> {
    let lane = |at: usize| Dead {
        cells: bytes.short(at + offset_of!(Lane, cells)),
        seq: bytes.long(at + offset_of!(Lane, seq)),
        taken: bytes.long(at + offset_of!(Lane, seq_taken)),
        taking: bytes.long(at + offset_of!(Lane, seq_taking)),
        ring: Tail::dead(
            bytes,
            (at + offset_of!(Lane, head), at + offset_of!(Lane, tail)),
            Bytes::place(bytes.short(at + offset_of!(Lane, ring))),
            bytes.short(at + offset_of!(Lane, ring_bytes)).into(),
        ),
    };
    bytes.list(first, offset_of!(Lane, next)).into_iter().map(lane).collect()
}

/// Where in a lane its first table is, in the arena's units.
const NO_CELL_AT: Offset = {
    assert!(offset_of!(Lane, no_cell).is_multiple_of(UNIT));
    (offset_of!(Lane, no_cell) / UNIT) as Offset
};

/// A page, as most systems have them.
const PAGE: usize = 4096;

static RING_BYTES: AtomicUsize = AtomicUsize::new(1 << 20);

thread_local! {
    static HERE: Here = const { Here { lane: Cell::new(None), sign: Cell::new(0) } };
    static EXIT: Exit = const { Exit };
}

/// What nearly every call asks of its thread, on one cache line.
#[repr(align(16))]
struct Here {
    /// This thread's lane; `None` until it has one, and again once it has given it back.
    lane: Cell<Option<&'static Lane>>,
    /// What [`super::context`] has to say to an event, which says most of it by being 0.
    sign: Cell<u8>,
}

/// Gives the lane back when the thread ends.
struct Exit;

impl Drop for Exit {
    fn drop(&mut self) {
        if let Some(lane) = HERE.with(|here| here.lane.take()) {
            lane.give_back();
        }
    }
}

/// Sets the size of the rings of lanes that are made from here on: the next power of two, at most 1 GiB.
pub(crate) fn set_ring_bytes(bytes: usize) {
    RING_BYTES.store(bytes.clamp(4096, 1 << 30).next_power_of_two(), Ordering::Relaxed);
}

/// This thread's lane, if it has one.
#[inline(always)]
pub(super) fn current() -> Option<&'static Lane> {
    HERE.with(|here| here.lane.get())
}

/// What the thread's context says in one byte; 0 until something else is set.
#[inline(always)]
pub(super) fn sign() -> u8 {
    HERE.with(|here| here.sign.get())
}

#[inline(always)]
pub(super) fn set_sign(sign: u8) {
    HERE.with(|here| here.sign.set(sign));
}

/// Runs `f` with this thread's lane, found or made if need be; `None` if the arena is full or there is none.
#[cold]
pub(super) fn with<R>(f: impl FnOnce(Arena, &'static Lane) -> R) -> Option<R> {
    let arena = Arena::get()?;
    if let Some(lane) = current() {
        return Some(f(arena, lane));
    }
    let lane = all(arena).find(|lane| lane.try_take()).or_else(|| make(arena))?;
    HERE.with(|here| here.lane.set(Some(lane))); // at once, for whatever records while the rest is done
    // Where the thread is ending and its `Exit` has run, the lane is lent for this one call.
    let _lent = EXIT.try_with(|_| ()).is_err().then(|| Exit);
    Some(f(arena, lane))
}

/// Keeps events of this thread out of the arena, for as long as it lives: for the threads of the SDK itself, and so
/// for everything that backends, their libraries and the allocator log there. Metrics are recorded.
pub(crate) fn mute() {
    with(|_, lane| lane.busy.store(MUTE, Ordering::Relaxed));
}

/// In a child of `fork`: this thread takes a lane of its own again. What it has to remember of the one that it had, for a
/// call that is in progress. Async-signal-safe.
pub(super) fn forget_in_child(arena: Arena) -> Option<Orphan> {
    let lane = HERE.with(|here| here.lane.take())?;
    let offset = (ptr::from_ref(lane).addr() - arena.address_of_start()) / UNIT;
    let (ring, ring_bytes) = (lane.ring.load(Ordering::Relaxed), lane.ring_bytes.load(Ordering::Relaxed));
    Some(Orphan { lane, offset: u32::try_from(offset).ok()?, ring, ring_bytes })
}

/// A lane that nobody reads.
pub(super) struct Orphan {
    lane: &'static Lane,
    offset: Offset,
    ring: Offset,
    ring_bytes: u32,
}

impl Orphan {
    /// Makes the lane one that can be written to, where all is zeros by now: a call may be about to.
    pub(super) fn put_back(&self, arena: Arena) {
        debug_assert!(u64::from(self.offset) * (UNIT as u64) < arena.used_bytes());
        self.lane.place_ring(arena, self.ring);
        self.lane.ring_bytes.store(self.ring_bytes, Ordering::Relaxed);
        self.lane.table.store(self.offset + NO_CELL_AT, Ordering::Relaxed);
        self.lane.state.store(TAKEN, Ordering::Relaxed);
    }
}

/// Every lane there is, the last made first.
pub(super) fn all(arena: Arena) -> impl Iterator<Item = &'static Lane> {
    let first = arena.at::<Lane>(arena.head().lanes.load(Ordering::Acquire));
    std::iter::successors(first, move |lane| arena.at(lane.next.load(Ordering::Relaxed)))
}

/// What a lane that is made now takes, with its ring.
pub(super) fn bytes() -> usize {
    size_of::<Lane>() + RING_BYTES.load(Ordering::Relaxed)
}

fn make(arena: Arena) -> Option<&'static Lane> {
    make_in(arena, TAKEN, |_| {})
}

fn make_in(arena: Arena, state: u32, prepare: impl FnOnce(&Lane)) -> Option<&'static Lane> {
    let ring_bytes = RING_BYTES.load(Ordering::Relaxed);
    // Both at once: where there is room for one alone, it must not be used up.
    let offset = arena.reserve(size_of::<Lane>() + ring_bytes)?;
    let lane: &Lane = arena.at(offset)?;
    lane.place_ring(arena, arena.behind::<Lane>(offset));
    lane.table.store(offset + NO_CELL_AT, Ordering::Relaxed);
    lane.ring_bytes.store(u32::try_from(ring_bytes).ok()?, Ordering::Relaxed);
    lane.state.store(state, Ordering::Relaxed);
    prepare(lane);
    arena.push(&arena.head().lanes, offset, &lane.next);
    Some(lane)
}

/// Has a lane ready for the next thread that records for the first time, so that it does not wait for the system. Not
/// where the arena has room for few more.
pub(super) fn make_ahead(arena: Arena) {
    let is_there = all(arena).any(|lane| lane.state.load(Ordering::Relaxed) == FREE);
    let is_scarce = arena.used_bytes() + (SPARE * bytes()) as u64 > arena.bytes();
    if !is_there && !is_scarce {
        make_in(arena, FREE, Lane::populate);
    }
}

/// Lanes that there should be room for beside one that nobody has asked for yet.
const SPARE: usize = 16;

/// Has this thread take its lane now, which it would when it records for the first time.
pub(crate) fn take_now() {
    with(|_, lane| lane.populate());
}

impl Lane {
    /// The cell of a site without dimensions, by its place; `None` until it is made. Only the lane's thread may ask.
    #[inline(always)]
    pub(super) fn cell<T: Resident>(&self, place: usize) -> Option<&'static T> {
        // SAFETY: what is stored is null or the address of a cell, which stays; its kind is that of the site, and who
        // asks for a cell of the site asks for that kind.
        unsafe { self.cells_at[place % SITES_MAX].load(Ordering::Relaxed).cast::<T>().as_ref() }
    }

    /// Keeps where the cell of a site is. Place 0 is that of all sites that have none.
    pub(super) fn keep_cell<T: Resident>(&self, place: usize, cell: &'static T) {
        if place != 0 {
            self.cells_at[place % SITES_MAX].store(ptr::from_ref(cell).cast_mut().cast(), Ordering::Relaxed);
        }
    }

    /// What is being taken is taken.
    pub(super) fn taken(&self) {
        let seq = self.seq_taking.load(Ordering::Relaxed);
        if seq != self.seq_taken.load(Ordering::Relaxed) {
            self.seq_taken.store(seq, Ordering::Relaxed);
        }
    }

    /// Has the pages there that an event of a thread comes to first.
    fn populate(&self) {
        populate(NonNull::from(self).cast(), PAGE);
        self.ring().populate_start();
    }

    fn try_take(&self) -> bool {
        self.state.compare_exchange(FREE, TAKEN, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    fn give_back(&self) {
        self.busy.store(IDLE, Ordering::Relaxed);
        self.state.store(FREE, Ordering::Release);
    }

    /// Shows the event that was written to a reserved place to the reader.
    #[inline(always)]
    pub(super) fn publish(&self) {
        self.seq.store(self.seq.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        self.head.publish();
        compiler_fence(Ordering::SeqCst);
        self.busy.store(IDLE, Ordering::Relaxed);
    }

    fn place_ring(&self, arena: Arena, ring: Offset) {
        self.ring.store(ring, Ordering::Relaxed);
        self.ring_at.store(arena.address(ring).as_ptr(), Ordering::Relaxed);
    }

    /// The lane's ring.
    #[inline(always)]
    pub(super) fn ring(&self) -> Ring<'_> {
        let len = u64::from(self.ring_bytes.load(Ordering::Relaxed));
        // SAFETY: who gets to see a lane finds the address of its ring there, whose bytes were reserved with the lane.
        unsafe {
            let bytes = NonNull::new_unchecked(self.ring_at.load(Ordering::Relaxed));
            Ring::new(&self.head, &self.tail, bytes, len)
        }
    }

    /// [`Ring::reserve`], and once more after a look at how far the flush thread has come.
    #[inline(always)]
    pub(super) fn reserve(&self, bytes: usize) -> Option<NonNull<u8>> {
        self.ring().reserve(bytes).or_else(|| self.reserve_anew(bytes))
    }

    #[cold]
    #[inline(never)]
    fn reserve_anew(&self, bytes: usize) -> Option<NonNull<u8>> {
        self.ring().reserve_anew(bytes)
    }

    /// The largest frame that the ring takes, in bytes.
    #[inline]
    pub(super) fn ring_share_bytes(&self) -> usize {
        self.ring_bytes.load(Ordering::Relaxed) as usize / 4
    }
}
