//! The byte ring of a lane: one thread writes frames, the flush thread copies them out. Positions only ever rise; the
//! place of a position is its remainder. The writer fills the free part and then publishes its end; the reader copies
//! the filled part and then publishes that it is free. A frame may wrap around the end.

use std::sync::atomic::{AtomicU64, Ordering};

use super::arena::{Arena, Offset};

/// The two ends of a ring, each on a cache line of its own.
#[repr(C, align(64))]
pub(super) struct Ends {
    /// Where the next frame starts. Written by the lane's thread.
    head: AtomicU64,
    pad: [u64; 7],
    /// What is free again. Written by the flush thread.
    tail: AtomicU64,
    pad2: [u64; 7],
}

/// A ring: its ends and its bytes. `len` is a power of two.
#[derive(Clone, Copy)]
pub(super) struct Ring<'a> {
    ends: &'a Ends,
    arena: Arena,
    bytes: Offset,
    len: u64,
}

/// Bytes being written after the ring's head, not yet published.
pub(super) struct Filling<'a> {
    ring: Ring<'a>,
    start: u64,
    end: u64,
    /// The first position that is not free.
    limit: u64,
}

impl<'a> Ring<'a> {
    /// The ring at `bytes`, which was reserved with `len` bytes, a power of two.
    #[inline]
    pub(super) fn new(ends: &'a Ends, arena: Arena, bytes: Offset, len: u64) -> Ring<'a> {
        debug_assert!(len.is_power_of_two());
        Ring { ends, arena, bytes, len }
    }

    /// Begins a frame. Only the lane's thread may.
    #[inline]
    pub(super) fn fill(self) -> Filling<'a> {
        let start = self.ends.head.load(Ordering::Relaxed);
        let limit = self.ends.tail.load(Ordering::Acquire) + self.len;
        Filling { ring: self, start, end: start, limit }
    }

    /// Moves everything published to the end of `out`; says how many bytes that were. Only the flush thread may.
    pub(super) fn drain(self, out: &mut Vec<u8>) -> usize {
        let (tail, head) = (self.ends.tail.load(Ordering::Relaxed), self.ends.head.load(Ordering::Acquire));
        #[allow(clippy::cast_possible_truncation)] // at most the ring's length
        let count = (head - tail) as usize;
        self.copy_out(tail, count, out);
        self.ends.tail.store(head, Ordering::Release);
        count
    }

    fn copy_out(self, from: u64, count: usize, out: &mut Vec<u8>) {
        let (place, first) = self.place(from, count);
        // SAFETY: both pieces lie within the ring's bytes; they are published, so the writer leaves them alone until
        // the tail passes them, which only this thread moves.
        let (a, b) = unsafe {
            let base = self.arena.address(self.bytes).as_ptr();
            let a = std::slice::from_raw_parts(base.add(place), first);
            (a, std::slice::from_raw_parts(base, count - first))
        };
        out.extend_from_slice(a);
        out.extend_from_slice(b);
    }

    /// Where `count` bytes from `position` start, and how many of them lie before the end of the ring.
    #[inline]
    #[allow(clippy::cast_possible_truncation)] // a remainder of the ring's length
    fn place(self, position: u64, count: usize) -> (usize, usize) {
        let place = (position & (self.len - 1)) as usize;
        (place, count.min(self.len as usize - place))
    }

    #[inline]
    fn write(self, position: u64, bytes: &[u8]) {
        let (place, first) = self.place(position, bytes.len());
        // SAFETY: both pieces lie within the ring's bytes, and in its free part, as the caller has checked; only this
        // thread writes there and the reader does not look there before it is published.
        unsafe {
            let base = self.arena.address(self.bytes).as_ptr();
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), base.add(place), first);
            std::ptr::copy_nonoverlapping(bytes.as_ptr().add(first), base, bytes.len() - first);
        }
    }
}

impl Filling<'_> {
    /// Appends bytes; says false, and appends none, if there is no room.
    #[inline]
    pub(super) fn push(&mut self, bytes: &[u8]) -> bool {
        let end = self.end + bytes.len() as u64;
        if end > self.limit {
            return false;
        }
        self.ring.write(self.end, bytes);
        self.end = end;
        true
    }

    /// How many bytes were appended.
    #[inline]
    #[allow(clippy::cast_possible_truncation)] // at most the ring's length
    pub(super) fn len(&self) -> usize {
        (self.end - self.start) as usize
    }

    /// Writes over bytes that were appended, `at` bytes from the start.
    #[inline]
    pub(super) fn patch(&mut self, at: usize, bytes: &[u8]) {
        debug_assert!(at + bytes.len() <= self.len());
        self.ring.write(self.start + at as u64, bytes);
    }

    /// Copies out what was appended, to go on elsewhere. Nothing of it is published.
    pub(super) fn to_vec(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(2 * self.len());
        self.ring.copy_out(self.start, self.len(), &mut out);
        out
    }

    /// Shows everything that was appended to the reader.
    #[inline]
    pub(super) fn publish(self) {
        self.ring.ends.head.store(self.end, Ordering::Release);
    }
}
