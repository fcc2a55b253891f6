//! The byte ring of a lane: one thread writes frames, the flush thread copies them out. Positions only ever rise; the
//! place of a position is its remainder. The writer fills the free part and then publishes its end; the reader copies
//! the filled part and then publishes that it is free.
//!
//! A frame never wraps around the end of the ring, so it can be written as one piece: where it does not fit before the
//! end it goes to the start, and a length of zero at the place that it left says so. Frames begin at multiples of 8, so
//! there is always room for that.

use std::mem::offset_of;
use std::ptr::{self, NonNull};

use super::remains::Bytes;
use super::sync::{self, AtomicU64, Ordering};
use super::system::populate;

/// Frames begin at multiples of this many bytes.
pub(super) const ALIGN: usize = 8;

/// So far into the ring, as a part of it, is far enough to go back to its start when it is empty: 16 KiB of 1 MiB.
const FAR: u64 = 64;
/// Of that, what has pages before anything is written.
const START_BYTES: u64 = 16 << 10;

/// What the lane's thread alone writes of a ring. It lies beside the lane's other words of an event, on one cache line.
#[repr(C)]
pub(super) struct Head {
    /// Where the next frame starts. The flush thread reads it.
    head: AtomicU64,
    /// Where the frame that is being written ends. The lane's thread alone reads this and the next.
    next: AtomicU64,
    /// The first position that was not free when the thread looked last. The flush thread makes it 0 when it has left
    /// nothing in the ring, so that the thread looks again.
    limit: AtomicU64,
    /// One more than the position from which the thread went to the start of the ring because nothing was in it.
    went_from: AtomicU64,
}

/// What the flush thread alone writes of it, on a cache line of its own.
#[repr(C, align(64))]
pub(super) struct Tail {
    /// What is free again.
    tail: AtomicU64,
    /// Up to where it was copied out, which the flush thread alone knows.
    copied: AtomicU64,
    /// So many bytes from the ring's start have pages, as far as the flush thread has seen to it.
    present: AtomicU64,
}

/// A ring: its ends and its bytes. `len` is a power of two.
#[derive(Clone, Copy)]
pub(super) struct Ring<'a> {
    head: &'a Head,
    tail: &'a Tail,
    bytes: NonNull<u8>,
    len: u64,
}

/// Bytes being written after the ring's head, not yet published, of which it is not known how many there will be.
pub(super) struct Filling<'a> {
    ring: Ring<'a>,
    start: u64,
    end: u64,
    /// The first position that is not free.
    limit: u64,
}

impl Head {
    /// Shows the frame that was reserved to the reader.
    #[inline(always)]
    pub(super) fn publish(&self) {
        self.head.store(self.next.load(Ordering::Relaxed), Ordering::Release);
    }
}

impl<'a> Ring<'a> {
    /// The ring of the `len` bytes, a power of two, that begin here.
    ///
    /// # Safety
    ///
    /// They lie in the arena and are this ring's alone.
    #[inline(always)]
    pub(super) unsafe fn new(head: &'a Head, tail: &'a Tail, bytes: NonNull<u8>, len: u64) -> Ring<'a> {
        debug_assert!(len.is_power_of_two());
        Ring { head, tail, bytes, len }
    }

    /// A place for a frame of exactly so many bytes, to be written whole and then shown by [`Head::publish`]; `None` if
    /// there is none right here, as far as the thread knows. Only the lane's thread may.
    #[inline(always)]
    pub(super) fn reserve(self, bytes: usize) -> Option<NonNull<u8>> {
        let head = self.head.head.load(Ordering::Relaxed);
        let room = (bytes as u64).next_multiple_of(ALIGN as u64);
        let fits = (head & (self.len - 1)) + room <= self.len;
        (fits && head + room <= self.head.limit.load(Ordering::Relaxed)).then(|| self.take(head, room, bytes))
    }

    /// The same anywhere, after a look at how far the reader has come; `None` if there is no room for it.
    pub(super) fn reserve_anew(self, bytes: usize) -> Option<NonNull<u8>> {
        let (head, limit) = self.look();
        let room = (bytes as u64).next_multiple_of(ALIGN as u64);
        let start = self.start_of(head, room);
        if start + room > limit {
            return None;
        }
        if start != head {
            self.leave(head);
        }
        Some(self.take(start, room, bytes))
    }

    #[inline(always)]
    fn take(self, start: u64, room: u64, bytes: usize) -> NonNull<u8> {
        self.head.next.store(start + room, Ordering::Relaxed);
        sync::writes(self.at(start), bytes);
        self.at(start)
    }

    /// Looks how far the reader has come: where the next frame starts, and the first position that is not free. Where
    /// the reader has left nothing in the ring, that is its start again: a thread that records little so stays in a few
    /// pages, which it occupies once and which are in the processor's cache.
    fn look(self) -> (u64, u64) {
        let head = self.head.head.load(Ordering::Relaxed);
        let tail = self.behind_gap(self.tail.tail.load(Ordering::Acquire));
        let start = if tail == head && self.is_far(head) { self.go_to_start(head) } else { head };
        let limit = (if start == head { tail } else { start }) + self.len;
        self.head.limit.store(limit, Ordering::Relaxed);
        (start, limit)
    }

    fn go_to_start(self, head: u64) -> u64 {
        let start = self.lap_after(head);
        self.head.went_from.store(head + 1, Ordering::Relaxed);
        self.head.head.store(start, Ordering::Release);
        start
    }

    fn is_far(self, position: u64) -> bool {
        position & (self.len - 1) >= self.len / FAR
    }

    /// Where the reader goes on: behind the gap, if the thread has gone to the start from here.
    fn behind_gap(self, tail: u64) -> u64 {
        if self.head.went_from.load(Ordering::Relaxed) == tail + 1 { self.lap_after(tail) } else { tail }
    }

    /// Where a frame of so many bytes may start: here, or where the ring starts again.
    #[inline(always)]
    fn start_of(self, head: u64, bytes: u64) -> u64 {
        if (head & (self.len - 1)) + bytes <= self.len { head } else { self.lap_after(head) }
    }

    /// The next position at the start of the ring.
    #[inline(always)]
    fn lap_after(self, position: u64) -> u64 {
        (position | (self.len - 1)) + 1
    }

    /// Says at a place that the frame which would stand here stands at the start of the ring.
    #[cold]
    fn leave(self, position: u64) {
        self.write(position, &0u32.to_le_bytes());
    }

    /// Begins a frame. Only the lane's thread may.
    pub(super) fn fill(self) -> Filling<'a> {
        let (start, limit) = self.look();
        Filling { ring: self, start, end: start, limit }
    }

    /// Copies every published frame that was not copied before to the end of `out`; says how many bytes that were. Their
    /// room is free after [`Ring::release`]. Only the flush thread may.
    pub(super) fn drain(self, out: &mut Vec<u8>) -> usize {
        let (tail, head) = (self.tail.copied.load(Ordering::Relaxed), self.head.head.load(Ordering::Acquire));
        let tail = if head == tail { tail } else { self.behind_gap(tail) };
        let before = out.len();
        let lap = self.lap_after(tail);
        if head <= lap {
            self.copy_out(tail, head - tail, out);
        } else {
            self.copy_out(tail, lap - tail, out);
            out.truncate(before + up_to_gap(&out[before..]));
            self.copy_out(lap, head - lap, out);
        }
        self.tail.copied.store(head, Ordering::Relaxed);
        out.len() - before
    }

    /// Sees to it that the pages which the thread comes to next are there when it does: the first write to a page takes
    /// as long as hundreds of events, more so where the arena is a file. Only the flush thread may.
    pub(super) fn populate_ahead(self) {
        let (filled, present) = (
            self.tail.copied.load(Ordering::Relaxed) & (self.len - 1),
            self.tail.present.load(Ordering::Relaxed),
        );
        // Twice as much as was filled, so that a thread which records a little occupies a little.
        let wanted = (2 * filled).min(self.len);
        if wanted > present {
            self.tail.present.store(wanted, Ordering::Relaxed);
            #[allow(clippy::cast_possible_truncation)] // at most the ring's length
            populate(self.at(present), (wanted - present) as usize);
        }
    }

    /// The same where nothing was filled yet: what a thread that records little ever comes to.
    pub(super) fn populate_start(self) {
        let wanted = (self.len / FAR).min(START_BYTES);
        #[allow(clippy::cast_possible_truncation)] // some pages
        populate(self.at(0), wanted as usize);
    }

    /// Gives back the room of what was copied out. Only the flush thread may.
    pub(super) fn release(self) {
        let upto = self.tail.copied.load(Ordering::Relaxed);
        if upto == self.tail.tail.load(Ordering::Relaxed) {
            return;
        }
        self.tail.tail.store(upto, Ordering::Release);
        if self.is_far(upto) && self.head.limit.load(Ordering::Relaxed) != 0 {
            self.head.limit.store(0, Ordering::Relaxed); // a hint: the tail says it
        }
    }

    fn copy_out(self, from: u64, count: u64, out: &mut Vec<u8>) {
        debug_assert!((from & (self.len - 1)) + count <= self.len);
        #[allow(clippy::cast_possible_truncation)] // at most the ring's length
        let count = count as usize;
        sync::reads(self.at(from), count);
        // SAFETY: the piece lies within the ring's bytes; it is published, so the writer leaves it alone until the tail
        // passes it, which only this thread moves; or it is the writer's own.
        out.extend_from_slice(unsafe { std::slice::from_raw_parts(self.at(from).as_ptr(), count) });
    }

    /// The address of a position.
    #[inline(always)]
    fn at(self, position: u64) -> NonNull<u8> {
        #[allow(clippy::cast_possible_truncation)] // a remainder of the ring's length
        let place = (position & (self.len - 1)) as usize;
        // SAFETY: the place lies within the ring's bytes.
        unsafe { self.bytes.add(place) }
    }

    fn write(self, position: u64, bytes: &[u8]) {
        debug_assert!((position & (self.len - 1)) + bytes.len() as u64 <= self.len);
        sync::writes(self.at(position), bytes.len());
        // SAFETY: the piece lies within the ring's bytes, and in its free part, as the caller has checked; only this
        // thread writes there and the reader does not look there before it is published.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), self.at(position).as_ptr(), bytes.len()) }
    }
}

impl Ring<'_> {
    /// Copies bytes that this thread has written to another place that is its own.
    fn copy_within(self, from: u64, to: u64, count: u64) {
        #[allow(clippy::cast_possible_truncation)] // at most the ring's length
        let count = count as usize;
        sync::writes(self.at(to), count);
        // SAFETY: both pieces lie within the ring's bytes and in its free part, as the caller has checked; only this
        // thread touches them before they are published.
        unsafe { ptr::copy(self.at(from).as_ptr(), self.at(to).as_ptr(), count) }
    }
}

impl Tail {
    /// What stands in the ring of a dead process that was not given back: its bytes in order, up to two pieces. `at` is
    /// where its head and its tail are, and `ring` where its bytes.
    pub(super) fn dead(bytes: &Bytes, at: (usize, usize), ring: usize, len: u64) -> [&[u8]; 2] {
        let of_head = |offset| bytes.long(at.0 + offset);
        let (head, tail) = (of_head(offset_of!(Head, head)), bytes.long(at.1 + offset_of!(Tail, tail)));
        if !len.is_power_of_two() || head <= tail {
            return [&[], &[]];
        }
        let lap = |position: u64| (position | (len - 1)).saturating_add(1);
        let is_gap = of_head(offset_of!(Head, went_from)) == tail + 1;
        let tail = if is_gap { lap(tail) } else { tail };
        let piece = |from: u64, to: u64| {
            let at = usize::try_from(from & (len - 1)).unwrap_or(usize::MAX);
            bytes.slice(
                ring.saturating_add(at),
                usize::try_from(to.saturating_sub(from).min(len)).unwrap_or(0),
            )
        };
        if head <= lap(tail) {
            return [piece(tail, head), &[]];
        }
        let first = piece(tail, lap(tail));
        [&first[..up_to_gap(first)], piece(lap(tail), head)]
    }
}

/// How many bytes of whole frames there are before the place that says that the next one stands elsewhere.
fn up_to_gap(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(len) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let len = u32::from_le_bytes(*len) as usize;
        if len == 0 {
            break;
        }
        at += len.next_multiple_of(ALIGN);
    }
    at.min(bytes.len())
}

impl Filling<'_> {
    /// Appends bytes; says false, and appends none, if there is no room.
    pub(super) fn push(&mut self, bytes: &[u8]) -> bool {
        let room = bytes.len() as u64;
        if self.end + room > self.ring.lap_after(self.start) && !self.move_to_start(room) {
            return false;
        }
        let end = self.end + room;
        if end > self.limit {
            return false;
        }
        self.ring.write(self.end, bytes);
        self.end = end;
        true
    }

    /// Moves what was appended to the start of the ring, if there is room for it and for so many bytes more.
    fn move_to_start(&mut self, room: u64) -> bool {
        let (start, len) = (self.ring.lap_after(self.start), self.end - self.start);
        let is_free = start + len + room <= self.limit && len + room <= self.ring.len;
        if is_free {
            self.ring.copy_within(self.start, start, len);
            self.ring.leave(self.start);
            (self.start, self.end) = (start, start + len);
        }
        is_free
    }

    /// How many bytes were appended.
    #[allow(clippy::cast_possible_truncation)] // at most the ring's length
    pub(super) fn len(&self) -> usize {
        (self.end - self.start) as usize
    }

    /// Writes over bytes that were appended, `at` bytes from the start.
    pub(super) fn patch(&mut self, at: usize, bytes: &[u8]) {
        debug_assert!(at + bytes.len() <= self.len());
        self.ring.write(self.start + at as u64, bytes);
    }

    /// What was appended. Nothing of it is published.
    pub(super) fn written(&self) -> &[u8] {
        // SAFETY: the piece lies within the ring's bytes, in one since no frame wraps around; this thread wrote it, and
        // nobody else touches it before it is published.
        unsafe { std::slice::from_raw_parts(self.ring.at(self.start).as_ptr(), self.len()) }
    }

    /// Copies out what was appended, to go on elsewhere.
    pub(super) fn to_vec(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(2 * self.len());
        out.extend_from_slice(self.written());
        out
    }

    /// Shows everything that was appended to the reader.
    pub(super) fn publish(self) {
        let end = self.end.next_multiple_of(ALIGN as u64);
        self.ring.head.head.store(end, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Arena;

    /// A ring of its own, and frames of it as the reader gets them.
    fn ring(len: usize) -> Ring<'static> {
        let arena = Arena::get_or_reserve(256 << 20).expect("256 MiB of address space");
        let [head, next, limit, went_from, tail, copied, present] = [const { AtomicU64::new(0) }; 7];
        let head = Box::leak(Box::new(Head { head, next, limit, went_from }));
        let tail = Box::leak(Box::new(Tail { tail, copied, present }));
        let bytes = arena.address(arena.reserve(len).expect("room"));
        // SAFETY: they were reserved for this ring.
        unsafe { Ring::new(head, tail, bytes, len as u64) }
    }

    /// A frame of `len` bytes, all of them `n`.
    fn frame(len: usize, n: u8) -> Vec<u8> {
        let mut frame = vec![n; len];
        frame[..4].copy_from_slice(&u32::try_from(len).expect("short").to_le_bytes());
        frame
    }

    fn put_whole(ring: Ring<'_>, frame: &[u8]) -> bool {
        let place = ring.reserve(frame.len()).or_else(|| ring.reserve_anew(frame.len()));
        let Some(place) = place else { return false };
        // SAFETY: so many bytes were reserved.
        unsafe { ptr::copy_nonoverlapping(frame.as_ptr(), place.as_ptr(), frame.len()) };
        ring.head.publish();
        true
    }

    fn put_in_pieces(ring: Ring<'_>, frame: &[u8]) -> bool {
        let mut filling = ring.fill();
        let done = frame.chunks(5).all(|piece| filling.push(piece));
        if done {
            filling.publish();
        }
        done
    }

    fn take(ring: Ring<'_>) -> Vec<Vec<u8>> {
        let mut bytes = Vec::new();
        ring.drain(&mut bytes);
        ring.release();
        let mut frames = Vec::new();
        while let Some(len) = bytes.first_chunk().map(|len| u32::from_le_bytes(*len) as usize) {
            frames.push(bytes[..len].to_vec());
            bytes.drain(..len.next_multiple_of(ALIGN).min(bytes.len()));
        }
        frames
    }

    #[test]
    fn pages_come_ahead_of_twice_what_was_filled_and_never_beyond_the_ring() {
        let ring = ring(64 << 10);
        let present = || ring.tail.present.load(Ordering::Relaxed);
        let filled = |bytes: usize| {
            assert!(put_whole(ring, &frame(bytes, 1)));
            let mut out = Vec::new();
            assert!(ring.drain(&mut out) > 0);
            ring.populate_ahead();
            ring.release();
            present()
        };
        assert_eq!(filled(1000), 2000);
        assert_eq!(filled(10_000), 22_000);
        // Back at the start, where little is filled: what is there stays.
        assert_eq!(filled(1000), 22_000);
        assert_eq!(filled(40_000), 64 << 10);
        assert_eq!(filled(8), 64 << 10);
    }

    #[test]
    fn a_ring_that_is_emptied_is_begun_anew_and_stays_in_its_first_bytes() {
        let ring = ring(4096);
        let place = || ring.head.head.load(Ordering::Relaxed) % 4096;
        for round in 0..40 {
            for put in [put_whole, put_whole, put_in_pieces] {
                assert!(put(ring, &frame(32, round)));
            }
            assert_eq!(place(), 96, "round {round}");
            assert_eq!(take(ring), [(); 3].map(|()| frame(32, round)));
        }
        // What is still to be read keeps the writer where it is.
        assert!(put_whole(ring, &frame(32, 0)) && put_whole(ring, &frame(32, 1)));
        assert_eq!(place(), 64);
        assert_eq!(take(ring), [frame(32, 0), frame(32, 1)]);
    }

    proptest::proptest! {
        #[test]
        fn frames_of_any_length_come_out_as_they_went_in(
            steps in proptest::collection::vec((4usize..100, proptest::bool::ANY, 0u8..4), 1..300),
        ) {
            let ring = ring(256);
            let (mut expected, mut found) = (Vec::new(), Vec::new());
            for (n, (len, whole, drain)) in steps.into_iter().enumerate() {
                let frame = frame(len, u8::try_from(n % 256).unwrap_or(0));
                let put = if whole { put_whole } else { put_in_pieces };
                if put(ring, &frame) {
                    expected.push(frame);
                } else {
                    // What has no room in an empty ring is too large for where the ring stands: two laps take all.
                    found.extend(take(ring));
                    assert!(put(ring, &frame) || len > 128, "no room for {len} bytes");
                    expected.extend((ring.head.head.load(Ordering::Relaxed) != ring.tail.tail.load(Ordering::Relaxed)).then_some(frame));
                }
                if drain == 0 {
                    found.extend(take(ring));
                }
            }
            found.extend(take(ring));
            assert_eq!(found, expected);
        }
    }
}
