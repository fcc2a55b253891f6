//! Where text is put: at the end of a `Vec`, or into a room of a fixed size.
//!
//! The end of a `Vec` is kept in memory, and each piece of a line waits for the one before to have written it. A [`Room`] keeps
//! its end in a register, and takes plain text and numbers only. What it cannot take it says, and the line is written anew,
//! at the end of a `Vec`. docs/architecture.md has what that saves.

/// Takes text.
pub(crate) trait Sink {
    /// Puts the first `count` of these bytes; what follows them may be overwritten with the others.
    fn put<const N: usize>(&mut self, bytes: &[u8; N], count: usize);

    /// Puts a text of ours.
    #[inline(always)]
    fn put_text<const N: usize>(&mut self, text: &[u8; N]) {
        self.put(text, N);
    }

    /// Puts all of these bytes.
    fn put_all(&mut self, bytes: &[u8]);

    /// Puts what `write` appends: what is seldom put, such as text that must be escaped.
    fn put_seldom(&mut self, write: impl FnOnce(&mut Vec<u8>));
}

impl Sink for Vec<u8> {
    #[inline(always)]
    fn put<const N: usize>(&mut self, bytes: &[u8; N], count: usize) {
        let end = self.len() + count;
        self.extend_from_slice(bytes);
        self.truncate(end);
    }

    #[inline(always)]
    fn put_all(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }

    #[inline(always)]
    fn put_seldom(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(self);
    }
}

/// What a room is made of: lines that are longer are written the other way.
pub(crate) type RoomBytes = [u8; ROOM_BYTES];

const ROOM_BYTES: usize = 1024;

/// For a room.
pub(crate) fn room() -> Box<RoomBytes> {
    Box::new([0; ROOM_BYTES])
}

/// A place for one line.
pub(crate) struct Room<'r> {
    bytes: &'r mut RoomBytes,
    at: usize,
    /// Whether something was put that it does not take.
    failed: bool,
}

impl<'r> Room<'r> {
    /// Nothing is in it.
    pub(crate) fn of(bytes: &'r mut RoomBytes) -> Room<'r> {
        Room { bytes, at: 0, failed: false }
    }

    /// The line, if all of it was taken.
    #[inline(always)]
    pub(crate) fn line(self) -> Option<&'r [u8]> {
        self.bytes.get(..self.at).filter(|_| !self.failed)
    }
}

impl Sink for Room<'_> {
    #[inline(always)]
    fn put<const N: usize>(&mut self, bytes: &[u8; N], count: usize) {
        match self.bytes.get_mut(self.at..).and_then(|room| room.first_chunk_mut()) {
            Some(room) => *room = *bytes,
            None => self.failed = true,
        }
        self.at += count;
    }

    #[inline(always)]
    fn put_all(&mut self, bytes: &[u8]) {
        match self.bytes.get_mut(self.at..).and_then(|room| room.get_mut(..bytes.len())) {
            Some(room) => room.copy_from_slice(bytes),
            None => self.failed = true,
        }
        self.at += bytes.len();
    }

    #[inline(always)]
    fn put_seldom(&mut self, _write: impl FnOnce(&mut Vec<u8>)) {
        self.failed = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(sink: &mut impl Sink) {
        sink.put(b"abcd", 2);
        sink.put_all(b"cd");
        sink.put(b"e...", 1);
    }

    #[test]
    fn a_room_holds_what_a_vec_does() {
        let (mut vec, mut bytes) = (Vec::new(), [0; ROOM_BYTES]);
        let mut room = Room::of(&mut bytes);
        put(&mut vec);
        put(&mut room);
        assert_eq!((room.line(), &vec[..]), (Some(&b"abcde"[..]), &b"abcde"[..]));
    }

    #[test]
    fn a_room_says_what_it_does_not_take() {
        let mut bytes = [0; ROOM_BYTES];
        let table: [fn(&mut Room<'_>); 4] = [
            |room| room.put_all(&[b'x'; ROOM_BYTES + 1]),
            |room| room.put_seldom(|_| {}),
            |room| (0..ROOM_BYTES).for_each(|_| room.put(b"ab", 1)),
            |room| (0..=ROOM_BYTES).for_each(|_| room.put(b"a", 1)),
        ];
        for fill in table {
            let mut room = Room::of(&mut bytes);
            fill(&mut room);
            put(&mut room);
            assert_eq!(room.line(), None);
        }
    }
}
