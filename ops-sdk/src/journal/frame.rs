//! Frames and segment headers as bytes. Pure.
//!
//! A frame is a head of 64 bytes and the payload: one record, or a block of records of one kind. The head has a
//! checksum of its own, so that a damaged payload still tells its kind, its number of records and where the next
//! frame begins. It also says how many records of each kind stand before it in the segment: when frames before it
//! cannot be read, the number and kinds of their records are still known. Checksums are seeded with the segment's
//! base, so that a frame of another segment never passes for one of this.
//!
//! All numbers are little-endian:
//! `F9 A6 · signal u8 · weight u8 · payload bytes u32 · time_ms u64 · process u64 · seq u64 · records u32 · records before 5×u32 ·
//! payload CRC-32C · head CRC-32C · payload`.

use super::position::{POSITION_BYTES, Position, Tally};
use super::weight::Weight;
use crate::crc::{crc32, crc32c, extend};
use crate::model::{RecordId, Signal};

/// How a frame begins. The first byte does not occur in UTF-8, so text is never taken for a frame.
pub(super) const MARKER: [u8; 2] = [0xF9, 0xA6];
/// Bytes of a frame before its payload.
pub(super) const HEAD_BYTES: usize = 64;
/// Bytes of a segment before its first frame: its header, twice, so that one bad byte leaves the other.
pub(super) const HEADER_BYTES: usize = 2 * HEADER_COPY_BYTES;

const HEADER_COPY_BYTES: usize = 4 + 4 + POSITION_BYTES + 4;
const MAGIC: [u8; 4] = *b"OPSJ";
const VERSION: u32 = 3;
/// Headers of forms before this one have CRC-32.
const VERSION_CRC32C: u32 = 3;

/// What the journal knows of a frame beside its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHead {
    /// The kind of its records.
    pub signal: Signal,
    /// When the latest of them happened, in milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// The identity of the first; the others have the numbers that follow.
    pub id: RecordId,
    /// How many records it holds, at least 1.
    pub records: u32,
    /// What the weightiest of them is worth when not all can be kept.
    pub weight: Weight,
}

/// The head of a frame that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) frame: FrameHead,
    /// Records of each kind before it in the segment.
    pub(super) before: Tally<u32>,
    pub(super) payload_bytes: usize,
    payload_crc: u32,
}

impl Head {
    /// Whether this is the payload that was written.
    pub(super) fn matches(&self, payload: &[u8]) -> bool {
        crc32c(payload) == self.payload_crc
    }

    /// The number of its first record in the segment, from 0.
    pub(super) fn number(&self) -> u64 {
        self.before.iter().map(|n| u64::from(*n)).sum()
    }
}

/// Appends a frame of the segment whose base has this ordinal. A payload has at most `u32::MAX` bytes; one that stays in
/// memory is not `checked`, and gets no checksum.
pub(super) fn write(
    out: &mut Vec<u8>,
    base: u64,
    before: &Tally<u32>,
    head: &FrameHead,
    payload: &[u8],
    checked: bool,
) {
    let start = out.len();
    let payload_bytes = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&MARKER);
    out.extend_from_slice(&[head.signal as u8, head.weight as u8]);
    out.extend_from_slice(&payload_bytes.to_le_bytes());
    for number in [head.time_ms, head.id.process, head.id.seq] {
        out.extend_from_slice(&number.to_le_bytes());
    }
    out.extend_from_slice(&head.records.to_le_bytes());
    for n in before {
        out.extend_from_slice(&n.to_le_bytes());
    }
    let payload_crc = if checked { crc32c(payload) } else { 0 };
    out.extend_from_slice(&payload_crc.to_le_bytes());
    let crc = seeded_crc(base, &out[start..]);
    out.extend_from_slice(&crc.to_le_bytes());
    out.extend_from_slice(payload);
}

/// Reads the head of a frame, if these bytes begin with one of the segment whose base has this ordinal.
pub(super) fn parse(bytes: &[u8], base: u64) -> Option<Head> {
    let mut rest = bytes.strip_prefix(&MARKER)?;
    let covered = bytes.get(..HEAD_BYTES - 4)?;
    let [signal, weight] = take(&mut rest)?;
    let payload_bytes = u32::from_le_bytes(take(&mut rest)?);
    let time_ms = u64::from_le_bytes(take(&mut rest)?);
    let id =
        RecordId { process: u64::from_le_bytes(take(&mut rest)?), seq: u64::from_le_bytes(take(&mut rest)?) };
    let records = u32::from_le_bytes(take(&mut rest)?);
    let mut before = [0; Signal::COUNT];
    for n in &mut before {
        *n = u32::from_le_bytes(take(&mut rest)?);
    }
    let payload_crc = u32::from_le_bytes(take(&mut rest)?);
    let intact = u32::from_le_bytes(take(&mut rest)?) == seeded_crc(base, covered);
    let (signal, weight) = (Signal::from_u8(signal)?, Weight::from_u8(weight)?);
    let frame = FrameHead { signal, time_ms, id, records, weight };
    (intact && records > 0).then_some(Head {
        frame,
        before,
        payload_bytes: usize::try_from(payload_bytes).ok()?,
        payload_crc,
    })
}

/// What the header of a segment says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Header {
    /// Where the segment begins.
    Base(Position),
    /// Whole, but of a form that this version does not know.
    Foreign(u32),
    /// Neither copy is whole.
    Damaged,
}

/// The header of a segment that begins here.
pub(super) fn header(base: Position) -> [u8; HEADER_BYTES] {
    let mut bytes = [0; HEADER_BYTES];
    let (one, two) = bytes.split_at_mut(HEADER_COPY_BYTES);
    one[..4].copy_from_slice(&MAGIC);
    one[4..8].copy_from_slice(&VERSION.to_le_bytes());
    one[8..8 + POSITION_BYTES].copy_from_slice(&base.to_bytes());
    let crc = crc32c(&one[..HEADER_COPY_BYTES - 4]);
    one[HEADER_COPY_BYTES - 4..].copy_from_slice(&crc.to_le_bytes());
    two.copy_from_slice(one);
    bytes
}

/// Reads the header at the start of these bytes.
pub(super) fn parse_header(bytes: &[u8]) -> Header {
    let copies = bytes.chunks_exact(HEADER_COPY_BYTES).take(2);
    copies.filter_map(parse_copy).next().unwrap_or(Header::Damaged)
}

fn parse_copy(copy: &[u8]) -> Option<Header> {
    let mut rest = copy.strip_prefix(&MAGIC)?;
    let version = u32::from_le_bytes(take(&mut rest)?);
    let base = Position::from_bytes(&take(&mut rest)?);
    let covered = &copy[..HEADER_COPY_BYTES - 4];
    let crc = if version < VERSION_CRC32C { crc32(covered) } else { crc32c(covered) };
    if u32::from_le_bytes(take(&mut rest)?) != crc {
        return None;
    }
    Some(if version == VERSION { Header::Base(base) } else { Header::Foreign(version) })
}

/// A checksum that only the segment of this base has.
pub(super) fn seeded_crc(base: u64, bytes: &[u8]) -> u32 {
    extend(crc32c(&base.to_le_bytes()), bytes)
}

pub(super) fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, left) = rest.split_first_chunk()?;
    *rest = left;
    Some(*taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: FrameHead = FrameHead {
        signal: Signal::Audit,
        time_ms: 7,
        id: RecordId { process: 8, seq: 9 },
        records: 3,
        weight: Weight::Error,
    };

    fn frame() -> Vec<u8> {
        let mut bytes = Vec::new();
        write(&mut bytes, 5, &[1, 2, 3, 4, 5], &HEAD, b"payload", true);
        bytes
    }

    #[test]
    fn a_frame_reads_back() {
        let bytes = frame();
        assert_eq!(bytes.len(), HEAD_BYTES + 7);
        let head = parse(&bytes, 5).unwrap();
        assert_eq!((head.frame, head.before, head.payload_bytes), (HEAD, [1, 2, 3, 4, 5], 7));
        assert_eq!(head.number(), 15);
        assert!(head.matches(b"payload"));
        assert!(!head.matches(b"Payload"));
    }

    #[test]
    fn a_head_with_a_bad_byte_or_of_another_segment_is_none() {
        let bytes = frame();
        for i in 0..HEAD_BYTES {
            for flip in [0x01, 0x80, 0xFF] {
                let mut bad = bytes.clone();
                bad[i] ^= flip;
                assert_eq!(parse(&bad, 5), None, "byte {i}");
            }
            assert_eq!(parse(&bytes[..i], 5), None, "length {i}");
        }
        assert_eq!(parse(&bytes, 6), None);
    }

    #[test]
    fn a_header_survives_any_bad_byte_and_names_a_form_it_does_not_know() {
        let base = Position::default().guess(77, Signal::Log);
        let bytes = header(base);
        for i in 0..HEADER_BYTES {
            let mut bad = bytes;
            bad[i] ^= 0x10;
            assert_eq!(parse_header(&bad), Header::Base(base), "byte {i}");
        }
        for (version, crc) in [(1, crc32 as fn(&[u8]) -> u32), (2, crc32), (4, crc32c)] {
            let mut other = bytes;
            other[4] = version;
            let crc = crc(&other[..HEADER_COPY_BYTES - 4]);
            other[HEADER_COPY_BYTES - 4..HEADER_COPY_BYTES].copy_from_slice(&crc.to_le_bytes());
            assert_eq!(parse_header(&other), Header::Foreign(u32::from(version)));
        }
        assert_eq!(parse_header(&bytes[..HEADER_COPY_BYTES - 1]), Header::Damaged);
    }
}
