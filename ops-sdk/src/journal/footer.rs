//! The end of a segment that will not grow any more: what it holds, so that opening a journal reads no frames. Pure.
//!
//! `OPSF · base 5×u64 · records 5×u32 · frames end u64 · first ms u64 · latest ms u64 · CRC-32C`, little-endian; the
//! checksum is seeded with the base, as those of frames are. A footer that is not whole costs time and nothing else:
//! its segment is walked.

use super::frame::{seeded_crc, take};
use super::position::{POSITION_BYTES, Position, Tally};
use super::segment::Times;
use crate::model::Signal;

/// Bytes of a footer.
pub(super) const FOOTER_BYTES: usize = 4 + POSITION_BYTES + 4 * Signal::COUNT + 3 * 8 + 4;
const MAGIC: [u8; 4] = *b"OPSF";
/// No frame happened at all, where the first happened after the latest.
const NO_TIMES: (u64, u64) = (1, 0);

/// What a footer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Footer {
    /// Where the segment begins.
    pub(super) base: Position,
    /// Records of each kind up to its end.
    pub(super) records: Tally<u32>,
    /// The byte behind its last frame, where the footer stands.
    pub(super) frames_end: u64,
    pub(super) times: Times,
}

impl Footer {
    /// As files keep it.
    pub(super) fn to_bytes(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(FOOTER_BYTES);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&self.base.to_bytes());
        self.records.iter().for_each(|n| out.extend_from_slice(&n.to_le_bytes()));
        let (first, latest) = self.times.unwrap_or(NO_TIMES);
        for number in [self.frames_end, first, latest] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        let crc = seeded_crc(self.base.ordinal(), &out);
        out.extend_from_slice(&crc.to_le_bytes());
        out
    }

    /// Reads the footer that stands at byte `at` of the segment whose base has this ordinal.
    pub(super) fn parse(bytes: &[u8], ordinal: u64, at: u64) -> Option<Footer> {
        let covered = bytes.get(..FOOTER_BYTES - 4)?;
        let mut rest = bytes.strip_prefix(&MAGIC)?;
        let base = Position::from_bytes(&take(&mut rest)?);
        let mut records = [0; Signal::COUNT];
        for n in &mut records {
            *n = u32::from_le_bytes(take(&mut rest)?);
        }
        let frames_end = u64::from_le_bytes(take(&mut rest)?);
        let times = (u64::from_le_bytes(take(&mut rest)?), u64::from_le_bytes(take(&mut rest)?));
        let intact = u32::from_le_bytes(take(&mut rest)?) == seeded_crc(ordinal, covered);
        let times = (times != NO_TIMES).then_some(times);
        let fits = base.ordinal() == ordinal && frames_end == at;
        (intact && fits).then_some(Footer { base, records, frames_end, times })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_footer_reads_back_where_it_stands_and_nowhere_else_and_never_with_a_bad_byte() {
        for times in [None, Some((5, 9)), Some((7, 7))] {
            let base = Position::default().guess(77, Signal::Log);
            let footer = Footer { base, records: [1, 2, 3, 4, 5], frames_end: 1234, times };
            let bytes = footer.to_bytes();
            assert_eq!(bytes.len(), FOOTER_BYTES);
            assert_eq!(Footer::parse(&bytes, 77, 1234), Some(footer));
            assert_eq!((Footer::parse(&bytes, 78, 1234), Footer::parse(&bytes, 77, 1235)), (None, None));
            for i in 0..bytes.len() {
                let mut bad = bytes.clone();
                bad[i] ^= 0x40;
                assert_eq!(Footer::parse(&bad, 77, 1234), None, "byte {i}");
                assert_eq!(Footer::parse(&bytes[..i], 77, 1234), None, "length {i}");
            }
        }
    }
}
