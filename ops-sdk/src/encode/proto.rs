//! Protocol Buffers written straight into a byte buffer: the wire format's four atoms and messages within messages
//! (protobuf.dev, "Encoding"). No schema and no tree: who writes a message knows its fields.
//!
//! Promises: what is written parses wherever protobuf does; the same calls give the same bytes; every varint has the
//! fewest bytes. Leaving out a field that has its default is the caller's choice, since a field that is `optional` is
//! there or not. Never allocates but for the bytes themselves.

/// The wire types: the low three bits of what comes before a field.
const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const LENGTH: u32 = 2;

/// Appends a number as a varint: seven bits a byte, the lowest first.
#[inline]
pub fn varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(low_seven(number) | 0x80);
        number >>= 7;
    }
    out.push(low_seven(number));
}

/// How many bytes a varint has.
#[inline]
#[must_use]
pub const fn varint_len(number: u64) -> usize {
    (63 - (number | 1).leading_zeros() as usize) / 7 + 1
}

/// Appends an unsigned number, a boolean or an enumerator: `uint32`, `uint64`, `bool`, `enum`.
#[inline]
pub fn uint(out: &mut Vec<u8>, field: u32, number: u64) {
    key(out, field, VARINT);
    varint(out, number);
}

/// Appends an `int32` or `int64`; one below zero takes ten bytes.
#[inline]
pub fn int(out: &mut Vec<u8>, field: u32, number: i64) {
    uint(out, field, number.cast_unsigned());
}

/// Appends a `sint32` or `sint64`: folded so that what is near zero is short.
#[inline]
pub fn sint(out: &mut Vec<u8>, field: u32, number: i64) {
    uint(out, field, ((number << 1) ^ (number >> 63)).cast_unsigned());
}

/// Appends a `fixed64`, or by its bits an `sfixed64`.
#[inline]
pub fn fixed64(out: &mut Vec<u8>, field: u32, number: u64) {
    key(out, field, FIXED64);
    out.extend_from_slice(&number.to_le_bytes());
}

/// Appends a `double`.
#[inline]
pub fn double(out: &mut Vec<u8>, field: u32, number: f64) {
    fixed64(out, field, number.to_bits());
}

/// Appends `bytes`, or a `string` by its UTF-8.
#[inline]
pub fn bytes(out: &mut Vec<u8>, field: u32, content: &[u8]) {
    head(out, field, content.len());
    out.extend_from_slice(content);
}

/// Appends what comes before this many bytes of a `string`, of `bytes` or of a message: the caller writes exactly so
/// many after it.
#[inline]
pub fn head(out: &mut Vec<u8>, field: u32, len: usize) {
    key(out, field, LENGTH);
    varint(out, len as u64);
}

/// How many bytes a field of this many bytes takes with its head.
#[inline]
#[must_use]
pub const fn field_len(field: u32, len: usize) -> usize {
    varint_len((field as u64) << 3) + varint_len(len as u64) + len
}

/// Appends a message: whatever `write` appends. Its length is put in front afterwards, which moves what is longer than
/// 127 bytes by a byte or two.
#[inline]
pub fn message(out: &mut Vec<u8>, field: u32, write: impl FnOnce(&mut Vec<u8>)) {
    key(out, field, LENGTH);
    measured(out, write);
}

/// Appends whatever `write` appends behind its length, without a field's number.
#[inline]
pub fn measured(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.push(0);
    write(out);
    let len = out.len() - start - 1;
    if len < 0x80 {
        out[start] = low_seven(len as u64);
    } else {
        widen(out, start, len);
    }
}

/// Appends numbers as one packed field of varints. No numbers, no field.
pub fn packed(out: &mut Vec<u8>, field: u32, numbers: &[u64]) {
    if numbers.is_empty() {
        return;
    }
    head(out, field, numbers.iter().map(|number| varint_len(*number)).sum());
    numbers.iter().for_each(|number| varint(out, *number));
}

/// Makes room for a length of more than one byte.
fn widen(out: &mut Vec<u8>, start: usize, len: usize) {
    let more = varint_len(len as u64) - 1;
    let end = out.len();
    out.resize(end + more, 0);
    out.copy_within(start + 1..end, start + 1 + more);
    let mut rest = len as u64;
    for place in &mut out[start..start + more] {
        *place = low_seven(rest) | 0x80;
        rest >>= 7;
    }
    out[start + more] = low_seven(rest);
}

#[inline]
fn key(out: &mut Vec<u8>, field: u32, wire: u32) {
    varint(out, u64::from(field << 3 | wire));
}

#[inline]
#[allow(clippy::cast_possible_truncation)] // seven bits
fn low_seven(number: u64) -> u8 {
    (number & 0x7f) as u8
}

/// One field of a message, as it stands there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field<'a> {
    /// A varint.
    Varint(u64),
    /// Eight bytes, or four widened to eight.
    Fixed(u64),
    /// A string, bytes or a message.
    Bytes(&'a [u8]),
}

/// The fields of a message and their numbers, in order; `None` from where the bytes are no message. For answers, which
/// are short: a field that is repeated is told as often as it is there.
pub fn fields(message: &[u8]) -> impl Iterator<Item = Option<(u64, Field<'_>)>> {
    let mut rest = Some(message);
    std::iter::from_fn(move || {
        let bytes = rest.take().filter(|bytes| !bytes.is_empty())?;
        Some(field(bytes).map(|(number, field, after)| {
            rest = Some(after);
            (number, field)
        }))
    })
}

fn field(bytes: &[u8]) -> Option<(u64, Field<'_>, &[u8])> {
    let (key, rest) = read_varint(bytes)?;
    let fixed = |width: usize| {
        let (bytes, rest) = rest.split_at_checked(width)?;
        let number = bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte));
        Some((Field::Fixed(number), rest))
    };
    let (field, rest) = match key & 7 {
        0 => read_varint(rest).map(|(number, rest)| (Field::Varint(number), rest)),
        1 => fixed(8),
        2 => {
            let (len, rest) = read_varint(rest)?;
            let (bytes, rest) = rest.split_at_checked(usize::try_from(len).ok()?)?;
            Some((Field::Bytes(bytes), rest))
        }
        5 => fixed(4),
        _ => None, // groups, which nobody writes
    }?;
    (key >> 3 > 0).then_some((key >> 3, field, rest))
}

fn read_varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0;
    for (index, byte) in bytes.iter().take(10).enumerate() {
        number |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((number, &bytes[index + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out);
        out
    }

    /// The examples of protobuf.dev, "Encoding", and the ends of each atom's range.
    #[test]
    fn atoms_are_as_the_specification_has_them() {
        assert_eq!(written(|out| uint(out, 1, 150)), [0x08, 0x96, 0x01]);
        assert_eq!(written(|out| bytes(out, 2, b"testing")), b"\x12\x07testing");
        assert_eq!(written(|out| message(out, 3, |out| uint(out, 1, 150))), [0x1a, 0x03, 0x08, 0x96, 0x01]);
        assert_eq!(written(|out| packed(out, 6, &[3, 270, 86_942])), b"\x32\x06\x03\x8e\x02\x9e\xa7\x05");
        assert_eq!(written(|out| packed(out, 6, &[])), b"");
        let minus_two = b"\x08\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01";
        assert_eq!(written(|out| int(out, 1, -2)), minus_two);
        for (number, folded) in
            [(0, 0), (-1, 1), (1, 2), (-2, 3), (i64::MAX, u64::MAX - 1), (i64::MIN, u64::MAX)]
        {
            assert_eq!(written(|out| sint(out, 1, number)), written(|out| uint(out, 1, folded)));
        }
        assert_eq!(written(|out| fixed64(out, 16, 1)), b"\x81\x01\x01\0\0\0\0\0\0\0");
        assert_eq!(written(|out| double(out, 1, 1.0)), b"\x09\0\0\0\0\0\0\xf0\x3f");
    }

    #[test]
    fn a_message_of_any_length_has_its_length_in_front() {
        for len in [0, 1, 127, 128, 129, 16_383, 16_384, 2_097_151, 2_097_152] {
            let content = vec![7; len];
            let expected = written(|out| bytes(out, 1, &content));
            assert_eq!(
                written(|out| message(out, 1, |out| out.extend_from_slice(&content))),
                expected,
                "{len}"
            );
            assert_eq!(expected.len(), field_len(1, len));
        }
    }

    #[test]
    fn what_is_no_message_ends_the_fields() {
        let read = |bytes: &'static [u8]| fields(bytes).collect::<Vec<_>>();
        assert_eq!(read(b""), []);
        assert_eq!(read(b"\x0d\x01\0\0\0"), [Some((1, Field::Fixed(1)))]);
        let broken: [&[u8]; 7] = [
            b"\x08",
            b"\x09\0",
            b"\x12\x05ab",
            b"\x0b",
            b"\x00\x01",
            &[0xff; 11],
            b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
        ];
        for bytes in broken {
            assert_eq!(read(bytes), [None], "{bytes:?}");
        }
        assert_eq!(read(b"\x08\x01<html>"), [Some((1, Field::Varint(1))), None]);
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(number: u64, shift in 0..64u32, content: Vec<u8>, field in 1..1u32 << 28) {
            let number = number >> shift;
            let out = written(|out| {
                uint(out, field, number);
                fixed64(out, field, number);
                message(out, field, |out| bytes(out, 1, &content));
            });
            let inner = written(|out| bytes(out, 1, &content));
            let read: Vec<_> = fields(&out).collect();
            let expected = [Field::Varint(number), Field::Fixed(number), Field::Bytes(&inner)];
            prop_assert_eq!(read, expected.map(|expected| Some((u64::from(field), expected))));
            prop_assert_eq!(written(|out| varint(out, number)).len(), varint_len(number));
        }

        #[test]
        fn no_bytes_make_reading_panic(bytes: Vec<u8>) {
            prop_assert!(fields(&bytes).count() <= bytes.len());
        }
    }
}
