//! From an event to its parts.

use super::header::{Header, PARTS_MAX, Whole};
use crate::model::RecordId;

/// The longest character of UTF-8: a part has room for one.
const CHAR_BYTES_MAX: usize = 4;

/// Splits an event into parts of at most `part_bytes_max` bytes, headers included. `None` if a part of that size has
/// no room for the header and one character, or more than [`PARTS_MAX`] parts would be needed.
#[must_use]
pub fn split(id: RecordId, text: &[u8], part_bytes_max: usize) -> Option<Parts<'_>> {
    let whole = Whole { id, bytes: text.len(), crc32: crate::crc::crc32(text) };
    // The header is as long as the total has digits, and the total depends on the length of the header: the first
    // number of digits that has room for the total is it. More digits never make for fewer parts.
    for total_max in [9, 99, 999, 9_999, PARTS_MAX] {
        let header = Header { whole, index: total_max, total: total_max };
        let piece_bytes_max = part_bytes_max.checked_sub(header.text().len())?;
        if piece_bytes_max < CHAR_BYTES_MAX {
            return None;
        }
        if let Some(total) = count(text, piece_bytes_max, total_max) {
            return Some(Parts { whole, total, piece_bytes_max, rest: text, index: 0 });
        }
    }
    None
}

/// The parts of one event, in order.
#[derive(Debug, Clone)]
pub struct Parts<'a> {
    whole: Whole,
    total: usize,
    piece_bytes_max: usize,
    rest: &'a [u8],
    /// Of the part given last, counted from 1.
    index: usize,
}

impl Iterator for Parts<'_> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        if self.index == self.total {
            return None;
        }
        self.index += 1;
        let (piece, rest) = self.rest.split_at(piece_len(self.rest, self.piece_bytes_max));
        self.rest = rest;
        let header = Header { whole: self.whole, index: self.index, total: self.total };
        Some([header.text().as_bytes(), piece].concat())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.total - self.index;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Parts<'_> {}

/// How many pieces `text` makes; `None` if more than `total_max`. An empty text is one empty piece.
fn count(text: &[u8], piece_bytes_max: usize, total_max: usize) -> Option<usize> {
    let mut rest = text;
    for total in 1..=total_max {
        rest = &rest[piece_len(rest, piece_bytes_max)..];
        if rest.is_empty() {
            return Some(total);
        }
    }
    None
}

/// The length of the first piece of `text`: as much as there is room for, up to the last boundary of characters.
/// `bytes_max` is at least [`CHAR_BYTES_MAX`], so that a boundary lies within reach if the text is UTF-8.
fn piece_len(text: &[u8], bytes_max: usize) -> usize {
    if text.len() <= bytes_max {
        return text.len();
    }
    let begins_char = |at: &usize| text[*at] & 0b1100_0000 != 0b1000_0000;
    let nearest = (bytes_max - (CHAR_BYTES_MAX - 1)..=bytes_max).rev().find(begins_char);
    nearest.unwrap_or(bytes_max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_between_characters() {
        let table: &[(&[u8], usize, usize)] = &[
            (b"abcdef", 4, 4),
            (b"abc", 4, 3),
            ("abcé".as_bytes(), 4, 3),
            ("ab€d".as_bytes(), 4, 2),
            ("a😀".as_bytes(), 4, 1),
            ("😀😀".as_bytes(), 7, 4),
            (&[0x80; 9], 4, 4),
            (&[0xff; 9], 4, 4),
        ];
        for (text, bytes_max, expected) in table {
            assert_eq!(piece_len(text, *bytes_max), *expected, "{text:?}");
        }
    }

    #[test]
    fn a_limit_without_room_for_a_character_splits_nothing() {
        let id = RecordId { process: 1, seq: 7 };
        let header = "@ops.part v1 id=0000000000000001-7 part=1/9 bytes=8 crc32=00000000 | ".len();
        let lengths =
            |max| split(id, b"12345678", max).map(|parts| parts.map(|part| part.len()).collect::<Vec<_>>());
        assert_eq!(lengths(header + 3), None);
        assert_eq!(lengths(header + 4), Some(vec![header + 4; 2]));
        assert_eq!(lengths(header + 8), Some(vec![header + 8]));
        assert_eq!(lengths(0), None);
    }

    #[test]
    fn the_number_of_parts_is_bounded() {
        let id = RecordId { process: 1, seq: 1 };
        let header =
            "@ops.part v1 id=0000000000000001-1 part=99999/99999 bytes=399996 crc32=00000000 | ".len();
        let most = vec![b'x'; 4 * PARTS_MAX];
        assert_eq!(split(id, &most, header + 4).map(|parts| parts.len()), Some(PARTS_MAX));
        assert!(split(id, &[most, vec![b'x']].concat(), header + 4).is_none());
    }
}
