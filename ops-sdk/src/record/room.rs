//! Room on the stack for a frame that the ring does not take: so that it need not be made on the heap, whose lock the
//! interrupted thread may hold where a signal handler logs. Not cleared before it is used, since nearly no event needs it.

use std::mem::MaybeUninit;
use std::slice;

/// Bytes of a frame that needs no heap.
const ROOM_BYTES: usize = 1024; // a multiple of what frames are aligned to

/// The room.
pub(super) struct Room([MaybeUninit<u8>; ROOM_BYTES]);

/// A frame in it, being written.
pub(super) struct Short<'a> {
    room: &'a mut Room,
    len: usize,
}

impl Room {
    #[inline(always)]
    pub(super) fn new() -> Room {
        Room([const { MaybeUninit::uninit() }; ROOM_BYTES])
    }
}

impl<'a> Short<'a> {
    pub(super) fn new(room: &'a mut Room) -> Short<'a> {
        Short { room, len: 0 }
    }

    /// Appends bytes; says false, and appends none, if there is no room.
    pub(super) fn push(&mut self, bytes: &[u8]) -> bool {
        let place = self.room.0.get_mut(self.len..self.len + bytes.len());
        let has_room = place.is_some();
        if let Some(place) = place {
            place.iter_mut().zip(bytes).for_each(|(place, byte)| _ = place.write(*byte));
            self.len += bytes.len();
        }
        has_room
    }

    /// Appends zeros up to a multiple of `align`; says false if there is no room.
    pub(super) fn pad(&mut self, align: usize) -> bool {
        self.push(&[0; 8][..self.len.next_multiple_of(align) - self.len])
    }

    /// What was appended.
    pub(super) fn written(&self) -> &[u8] {
        // SAFETY: so many bytes were appended.
        unsafe { slice::from_raw_parts(self.room.0.as_ptr().cast(), self.len) }
    }

    /// The same, to be changed.
    pub(super) fn written_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above.
        unsafe { slice::from_raw_parts_mut(self.room.0.as_mut_ptr().cast(), self.len) }
    }
}
