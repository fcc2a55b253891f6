//! Text within a JSON string. Most of it stands as it is, which is told 16 bytes at a time and copied at once; a line of
//! JSON within JSON has a quotation mark in every eight bytes or so, which are found 64 bytes at a time.
//!
//! Promises: the escapes of RFC 8259, section 7, and none that is not needed. Never looks at what is not ASCII, so text in
//! UTF-8 stays text, wherever it is cut.

use super::digits;
use super::sink::Sink;

/// Bytes whose special ones are found together.
const BLOCK: usize = 64;
/// What is read from where a block begins: the block, and as much behind it, so that copies have a fixed length.
const READ: usize = 2 * BLOCK;
/// What is written for a run of plain bytes and the special one behind it, or for the rest of a block: not all of it counts.
const WRITTEN: usize = BLOCK + 8;
/// Bytes that are escaped at a time: room for them is made, and cleared, before.
const PIECE: usize = 8 * BLOCK;

/// Puts `text` as it stands within a JSON string.
#[inline(always)]
pub(crate) fn inside(out: &mut impl Sink, text: &str) {
    plain_or_escaped(out, text.as_bytes());
}

/// The same for bytes that are known to be UTF-8.
#[inline(always)]
pub(super) fn plain_or_escaped(out: &mut impl Sink, bytes: &[u8]) {
    if is_plain::<false>(bytes) {
        put(out, bytes);
    } else {
        out.put_seldom(|out| escaped(out, bytes));
    }
}

/// Puts bytes as they are. 2 to 32 are put as their first and their last ones, which may overlap: for a key or a word, asking
/// the library's `memcpy` costs more than its copying.
#[inline(always)]
pub(super) fn put(out: &mut impl Sink, bytes: &[u8]) {
    let is_put = match bytes.len() {
        2..4 => ends::<2>(out, bytes),
        4..8 => ends::<4>(out, bytes),
        8..16 => ends::<8>(out, bytes),
        16..=32 => ends::<16>(out, bytes),
        _ => false,
    };
    if !is_put {
        out.put_all(bytes);
    }
}

#[inline(always)]
fn ends<const N: usize>(out: &mut impl Sink, bytes: &[u8]) -> bool {
    let (Some(first), Some(last)) = (bytes.first_chunk::<N>(), bytes.last_chunk::<N>()) else { return false };
    out.put(first, bytes.len() - N);
    out.put(last, N);
    true
}

/// Whether a text is printable ASCII of which nothing must be escaped.
#[cfg(feature = "cloudwatch")]
#[inline(always)]
pub(super) fn is_printable(text: &str) -> bool {
    is_plain::<true>(text.as_bytes())
}

/// Whether none of these bytes must be escaped, and all are `PRINTABLE` ASCII if that is asked for. Every byte is looked
/// at, some of them twice, 16 or 8 at a time.
#[inline(always)]
fn is_plain<const PRINTABLE: bool>(bytes: &[u8]) -> bool {
    let (strides, _) = bytes.as_chunks::<16>();
    if let Some(last) = bytes.last_chunk::<16>() {
        return strides.iter().all(is_plain_stride::<PRINTABLE>) && is_plain_stride::<PRINTABLE>(last);
    }
    let is_plain_word = is_plain_word::<PRINTABLE>;
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        return is_plain_word(u64::from_le_bytes(*first)) && is_plain_word(u64::from_le_bytes(*last));
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
        return is_plain_word(u64::from(first) | u64::from(last) << 32);
    }
    bytes.iter().all(|byte| is_plain_byte::<PRINTABLE>(*byte))
}

/// A stride is looked at as a whole, which the compiler makes vector instructions of.
#[inline]
fn is_plain_stride<const PRINTABLE: bool>(stride: &[u8; 16]) -> bool {
    stride.iter().fold(true, |all, byte| all & is_plain_byte::<PRINTABLE>(*byte))
}

#[inline]
fn is_plain_byte<const PRINTABLE: bool>(byte: u8) -> bool {
    !is_special(byte) & (!PRINTABLE | (byte < 0x7f))
}

/// The same for eight bytes in a word (Sean Eron Anderson, "Bit Twiddling Hacks", "Determine if a word has a byte less
/// than n"): borrowing from a byte sets its highest bit where it was less and the bit was not set. Of what is printable, no
/// byte has its highest bit, or is 0x7f, whose seven bits and one are the highest bit.
#[inline]
fn is_plain_word<const PRINTABLE: bool>(word: u64) -> bool {
    const EACH: u64 = u64::MAX / 255;
    let any_below = |word: u64, n: u64| word.wrapping_sub(EACH * n) & !word & (EACH << 7);
    let any_equal = |byte: u8| any_below(word ^ (EACH * u64::from(byte)), 1);
    let others = if PRINTABLE { (word | ((word & (EACH * 0x7f)) + EACH)) & (EACH << 7) } else { 0 };
    any_below(word, 0x20) | any_equal(b'"') | any_equal(b'\\') | others == 0
}

/// RFC 8259, section 7: the quotation mark, the reverse solidus and U+0000 to U+001F.
const fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// Appends what must be escaped in places. There is room for what takes two bytes for each, which all that a line of JSON
/// needs does; where something needs six, the piece is done again.
#[inline(never)]
fn escaped(out: &mut Vec<u8>, bytes: &[u8]) {
    for piece in bytes.chunks(PIECE) {
        let start = out.len();
        out.resize(start + 2 * piece.len() + WRITTEN, 0);
        let written = escape(&mut out[start..], piece);
        out.truncate(start + written.unwrap_or(0));
        if written.is_none() {
            piece.iter().for_each(|byte| escape_byte(out, *byte));
        }
    }
}

/// Writes a piece, if no byte of it takes more than two.
fn escape(room: &mut [u8], piece: &[u8]) -> Option<usize> {
    let (mut at, mut rest) = (0, piece);
    while let Some(read) = rest.first_chunk() {
        at = escape_block(room, at, read, BLOCK)?;
        rest = &rest[BLOCK..];
    }
    let mut last = [b' '; BLOCK + READ];
    last[..rest.len()].copy_from_slice(rest);
    if let Some(read) = last.first_chunk() {
        at = escape_block(room, at, read, rest.len().min(BLOCK))?;
    }
    match last.last_chunk() {
        Some(read) if rest.len() > BLOCK => escape_block(room, at, read, rest.len() - BLOCK),
        _ => Some(at),
    }
}

/// Writes the first `count` bytes of a block, and says where they end. What is special in it is known before anything is
/// copied, so that no step waits for the one before: a line of 286 bytes with 38 of them takes two thirds of the time that
/// it takes to look for each behind the one before.
#[inline(never)] // or it is there three times
fn escape_block(room: &mut [u8], mut at: usize, read: &[u8; READ], count: usize) -> Option<usize> {
    let (mut special, mut done) = (specials(read.first_chunk()?), 0);
    while special != 0 {
        let plain = special.trailing_zeros() as usize % BLOCK;
        let from: &[u8; BLOCK] = read[done % BLOCK..].first_chunk()?;
        let to: &mut [u8; WRITTEN] = room.get_mut(at..)?.first_chunk_mut()?;
        to[..16].copy_from_slice(&from[..16]);
        if plain > 16 {
            to[16..BLOCK].copy_from_slice(&from[16..]);
        }
        to[plain..plain + 2].copy_from_slice(&[b'\\', short(from[plain])?]);
        (at, done) = (at + plain + 2, done + plain + 1);
        special = special >> plain >> 1;
    }
    let from: &[u8; BLOCK] = read[done.min(BLOCK)..].first_chunk()?;
    room.get_mut(at..)?.first_chunk_mut::<BLOCK>()?.copy_from_slice(from);
    Some(at + count - done)
}

/// A bit for each byte of a block that must be escaped, the lowest for the first. The factor brings the lowest bits of
/// eight bytes together in the highest byte.
#[inline]
fn specials(block: &[u8; BLOCK]) -> u64 {
    let mut flags = [0; BLOCK];
    flags.iter_mut().zip(block).for_each(|(flag, byte)| *flag = u8::from(is_special(*byte)));
    let (words, _) = flags.as_chunks();
    let bits = words.iter().map(|word| u64::from_le_bytes(*word).wrapping_mul(0x0102_0408_1020_4080) >> 56);
    bits.rev().fold(0, |all, bits| all << 8 | bits)
}

/// What follows the reverse solidus where one character does.
#[inline]
fn short(byte: u8) -> Option<u8> {
    match byte {
        0x20.. => Some(byte),
        b'\n' => Some(b'n'),
        b'\r' => Some(b'r'),
        b'\t' => Some(b't'),
        _ => None,
    }
}

/// Appends any byte, the long way.
fn escape_byte(out: &mut Vec<u8>, byte: u8) {
    if !is_special(byte) {
        return out.push(byte);
    }
    if let Some(short) = short(byte) {
        return out.extend_from_slice(&[b'\\', short]);
    }
    let [.., high, low] = digits::hex(byte.into()).to_le_bytes();
    out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Text in which what must be escaped is as frequent as in JSON, as rare as in prose, or everywhere.
    fn mixed() -> impl Strategy<Value = Vec<u8>> {
        let byte = |often: u32, control: u32| {
            let special = prop::sample::select(&b"\"\\\n\t\r"[..]);
            prop_oneof![20 => 0x20..=0xff_u8, often => special, control => 0..0x20_u8]
        };
        let text = |often, control| prop::collection::vec(byte(often, control), 0..1_500);
        prop_oneof![text(3, 0), text(1, 0), text(40, 0), text(3, 1)]
    }

    fn each(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        bytes.iter().for_each(|byte| escape_byte(&mut out, *byte));
        out
    }

    #[test]
    fn a_special_byte_is_found_wherever_it_stands() {
        for count in 0..=3 * BLOCK {
            for at in 0..count {
                for special in [b'"', b'\\', b'\n', 0, 0x1f] {
                    let mut bytes = vec![b'x'; count];
                    bytes[at] = special;
                    let mut out = Vec::new();
                    escaped(&mut out, &bytes);
                    assert_eq!(out, each(&bytes), "byte {at} of {count}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_escaped_in_blocks_is_what_is_escaped_byte_by_byte(bytes in mixed(), before in 0..9_usize) {
            let mut out = vec![b'-'; before];
            escaped(&mut out, &bytes);
            prop_assert_eq!(&out[before..], each(&bytes));
        }

        #[test]
        fn a_copy_is_the_same_whatever_its_length(bytes in prop::collection::vec(0x30..0x7b_u8, 0..70)) {
            for end in 0..=bytes.len() {
                let mut out = b"--".to_vec();
                plain_or_escaped(&mut out, &bytes[..end]);
                prop_assert_eq!(&out[2..], each(&bytes[..end]));
            }
        }

        #[test]
        fn one_byte_of_another_kind_is_told(at in 0..40_usize, count in 0..40_usize, byte: u8) {
            let mut bytes = vec![b'x'; count.max(at + 1)];
            bytes[at] = byte;
            prop_assert_eq!(is_plain::<false>(&bytes), !is_special(byte));
            prop_assert_eq!(is_plain::<true>(&bytes), !is_special(byte) && byte < 0x7f);
        }

        #[test]
        fn a_string_is_plain_as_each_byte_of_it_says(bytes in prop::collection::vec(any::<u8>(), 0..70)) {
            for end in 0..=bytes.len() {
                let each = !bytes[..end].iter().any(|byte| is_special(*byte));
                prop_assert_eq!(is_plain::<false>(&bytes[..end]), each);
                let printable = each && bytes[..end].iter().all(|byte| (b' '..=b'~').contains(byte));
                prop_assert_eq!(is_plain::<true>(&bytes[..end]), printable);
            }
        }
    }
}
