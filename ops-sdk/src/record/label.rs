//! The values of a site's dimensions as words: what they are compared and looked up by. A text of up to 16 bytes is its
//! length and two words that between them hold every byte, a number is a word; so for nearly all values, equal words
//! are equal values, and nothing else has to be looked at. Of a longer text the words hold a hash.

use std::mem::offset_of;

use super::Label;
use super::remains::Bytes;

/// One value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub(super) struct Words {
    /// What it is, and the length of a text.
    meta: u64,
    a: u64,
    b: u64,
}

const TAG_SHIFT: u32 = 56;
const BOOL: u64 = 1 << TAG_SHIFT;
const I64: u64 = 2 << TAG_SHIFT;
const U64: u64 = 3 << TAG_SHIFT;
const SHORT: u64 = 4 << TAG_SHIFT;
const LONG: u64 = 5 << TAG_SHIFT;
/// Marks stored words that hold a hash.
const HASH: u64 = 1 << 63;
/// Bytes of a text that its words hold.
const SHORT_BYTES_MAX: usize = 16;

impl Words {
    pub(super) const NONE: Words = Words { meta: 0, a: 0, b: 0 };

    /// The words of a value. One that must be formatted has none: it is text first.
    #[inline(always)]
    pub(super) fn of(label: &Label<'_>) -> Words {
        match *label {
            Label::Str(text) => Words::of_text(text.as_bytes()),
            Label::U64(n) => Words { meta: U64, a: n, b: 0 },
            Label::I64(n) => Words { meta: I64, a: n.cast_unsigned(), b: 0 },
            Label::Bool(b) => Words { meta: BOOL, a: u64::from(b), b: 0 },
            Label::Display(_) => Words::NONE,
        }
    }

    #[inline(always)]
    fn of_text(text: &[u8]) -> Words {
        let meta = SHORT | text.len() as u64;
        match (text.first_chunk::<8>(), text.last_chunk::<8>()) {
            (Some(_), Some(_)) if text.len() > SHORT_BYTES_MAX => Words::of_long(text),
            (Some(first), Some(last)) => {
                Words { meta, a: u64::from_le_bytes(*first), b: u64::from_le_bytes(*last) }
            }
            _ => Words { meta, a: under_eight(text), b: 0 },
        }
    }

    #[inline(never)]
    fn of_long(text: &[u8]) -> Words {
        let (words, _) = text.as_chunks::<8>();
        let word = |word: &[u8; 8]| u64::from_le_bytes(*word);
        let last = text.last_chunk().map_or(0, word);
        let hash = words.iter().fold(last, |hash, bytes| mix(hash ^ SEED, word(bytes) ^ STEP));
        Words { meta: LONG | text.len() as u64, a: hash, b: last }
    }

    /// How many bytes a text has; 0 if it is none.
    pub(super) fn text_bytes(self) -> usize {
        #[allow(clippy::cast_possible_truncation)] // it was a usize
        if self.is_text() { (self.meta & !(0xFF << TAG_SHIFT)) as usize } else { 0 }
    }

    /// 0 if this is known to be the value of these other words as they are stored. The words of a long text never
    /// are: they are stored otherwise.
    #[inline(always)]
    pub(super) fn differs(self, stored: Words) -> u64 {
        (self.meta ^ stored.meta) | (self.a ^ stored.a) | (self.b ^ stored.b)
    }

    /// As they are stored: those that are equal for texts which may not be are marked.
    pub(super) fn stored(self) -> Words {
        let mark = if self.meta >= LONG { HASH } else { 0 };
        Words { meta: self.meta | mark, ..self }
    }

    /// As they are stored in the arena of a dead process.
    pub(super) fn dead(bytes: &Bytes, at: usize) -> Words {
        let word = |offset| bytes.long(at + offset);
        Words {
            meta: word(offset_of!(Words, meta)) & !HASH,
            a: word(offset_of!(Words, a)),
            b: word(offset_of!(Words, b)),
        }
    }

    fn is_text(self) -> bool {
        self.meta >= SHORT
    }

    /// The value, which is this text if it is one.
    pub(super) fn label(self, text: &str) -> Label<'_> {
        match self.meta {
            BOOL => Label::Bool(self.a != 0),
            I64 => Label::I64(self.a.cast_signed()),
            U64 => Label::U64(self.a),
            _ => Label::Str(text),
        }
    }
}

/// Up to seven bytes, each of them in the word at least once.
#[inline(always)]
fn under_eight(text: &[u8]) -> u64 {
    match (text.first_chunk::<4>(), text.last_chunk::<4>(), text) {
        (Some(first), Some(last), _) => {
            u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << 32
        }
        (.., [first, .., last]) => {
            u64::from(*first) | u64::from(text[text.len() / 2]) << 8 | u64::from(*last) << 16
        }
        (.., [one]) => u64::from(*one),
        (.., []) => 0,
    }
}

const SEED: u64 = 0x9E37_79B9_7F4A_7C15;
const STEP: u64 = 0xE703_7ED1_A0B4_28DB;

/// A number that stands for a site and the values of its dimensions, equal for equal ones.
#[inline(always)]
pub(super) fn hash(slot: u32, values: &[Words]) -> u64 {
    values.iter().fold(u64::from(slot).wrapping_mul(SEED), |hash, value| {
        mix(hash.rotate_left(23) ^ value.a, value.b ^ value.meta.rotate_left(32) ^ STEP)
    })
}

/// One multiplication to twice the width, folded: every bit of both goes into the result.
#[inline(always)]
#[allow(clippy::cast_possible_truncation)]
fn mix(a: u64, b: u64) -> u64 {
    let wide = u128::from(a) * u128::from(b);
    (wide as u64) ^ ((wide >> 64) as u64)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn different_values_have_different_words_unless_they_are_long() {
        let text = "abcdefghijklmnopqrstuvwxyz";
        let mut seen = HashSet::new();
        let mut all = vec![Label::Bool(false), Label::Bool(true), Label::I64(-1), Label::I64(7)];
        all.extend([Label::U64(7), Label::U64(u64::MAX), Label::Str("7"), Label::Str("true")]);
        all.extend((0..text.len()).map(|end| Label::Str(&text[..end])));
        all.extend((1..text.len()).map(|start| Label::Str(&text[start..])));
        let nul = ["\0", "\0\0", "a\0", "\0a", "a\0\0\0", "\0\0\0\0\0\0\0\0", "\0\0\0\0\0\0\0\0\0"];
        all.extend(nul.map(Label::Str));
        for label in &all {
            let words = Words::of(label);
            assert!(seen.insert((words.meta, words.a, words.b)), "{}", words.text_bytes());
        }
    }

    #[test]
    fn each_byte_of_a_short_text_is_in_its_words() {
        for len in 1..=SHORT_BYTES_MAX {
            let text = "x".repeat(len);
            for at in 0..len {
                let mut other = text.clone().into_bytes();
                other[at] = b'y';
                let other = String::from_utf8(other).expect("ASCII");
                assert_ne!(Words::of(&Label::Str(&text)), Words::of(&Label::Str(&other)), "{at} of {len}");
            }
        }
    }

    #[test]
    fn hashes_of_small_numbers_spread_over_small_tables() {
        let of = |n: u64| hash(3, &[Words::of(&Label::Str("eu")), Words::of(&Label::U64(n))]);
        let low: HashSet<u64> = (0..64).map(|n| of(n) & 127).collect();
        let high: HashSet<u64> = (0..1000).map(|n| of(n) >> 32).collect();
        assert!(low.len() > 36 && high.len() == 1000, "{} {}", low.len(), high.len()); // 50 by chance
    }
}
