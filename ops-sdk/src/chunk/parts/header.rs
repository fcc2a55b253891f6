//! The header of a part: written, measured and read.

use crate::model::RecordId;

/// What every part begins with, of this version and of later ones.
pub(in crate::chunk) const MARK: &[u8] = b"@ops.part ";

/// The most parts that one event is split into. At 32 KiB a part that is an event of 3 GB.
pub const PARTS_MAX: usize = 99_999;

/// The head of a part: which event, and which piece of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) whole: Whole,
    /// Counted from 1 to the total.
    pub(super) index: usize,
    pub(super) total: usize,
}

/// The event that a part is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Whole {
    pub(super) id: RecordId,
    pub(super) bytes: usize,
    pub(super) crc32: u32,
}

impl Header {
    pub(super) fn text(&self) -> String {
        let Header { whole: Whole { id, bytes, crc32 }, index, total } = self;
        format!("@ops.part v1 id={id} part={index}/{total} bytes={bytes} crc32={crc32:08x} | ")
    }

    /// The header that `part` begins with, and the piece after it; `None` if it is not a part.
    pub(super) fn read(part: &[u8]) -> Option<(Header, &[u8])> {
        let rest = part.strip_prefix(MARK)?.strip_prefix(b"v1 id=")?;
        let (process, rest) = hexadecimal(rest, 16)?;
        let (seq, rest) = decimal(rest.strip_prefix(b"-")?)?;
        let (index, rest) = decimal(rest.strip_prefix(b" part=")?)?;
        let (total, rest) = decimal(rest.strip_prefix(b"/")?)?;
        let (bytes, rest) = decimal(rest.strip_prefix(b" bytes=")?)?;
        let (crc32, rest) = hexadecimal(rest.strip_prefix(b" crc32=")?, 8)?;
        let piece = rest.strip_prefix(b" | ")?;
        let (index, total) = (usize::try_from(index).ok()?, usize::try_from(total).ok()?);
        let (bytes, crc32) = (usize::try_from(bytes).ok()?, u32::try_from(crc32).ok()?);
        let whole = Whole { id: RecordId { process, seq }, bytes, crc32 };
        let counted = (1..=total).contains(&index) && total <= PARTS_MAX;
        counted.then_some((Header { whole, index, total }, piece))
    }
}

/// A number without a leading zero, and what follows it.
fn decimal(text: &[u8]) -> Option<(u64, &[u8])> {
    let (digits, rest) = text.split_at(text.iter().take_while(|byte| byte.is_ascii_digit()).count());
    let canonical = digits.len() == 1 || digits.first() != Some(&b'0');
    let number = std::str::from_utf8(digits).ok()?.parse().ok()?;
    canonical.then_some((number, rest))
}

/// A number of exactly this many lower-case digits, and what follows it.
fn hexadecimal(text: &[u8], width: usize) -> Option<(u64, &[u8])> {
    let (digits, rest) = text.split_at_checked(width)?;
    let lower = digits.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let number = u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    lower.then_some((number, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        let id = RecordId { process: 0x00c0_ffee_00c0_ffee, seq: 42 };
        Header { whole: Whole { id, bytes: 151_204, crc32: 0x0f3a_01c4 }, index: 2, total: 5 }
    }

    #[test]
    fn a_header_is_text_that_reads_back() {
        let text = header().text();
        assert_eq!(
            text, "@ops.part v1 id=00c0ffee00c0ffee-42 part=2/5 bytes=151204 crc32=0f3a01c4 | ",
            "the form is a promise: parts of older versions lie in other people's log groups"
        );
        let part = format!("{text} | piece");
        assert_eq!(Header::read(part.as_bytes()), Some((header(), &b" | piece"[..])));
    }

    #[test]
    fn whatever_strays_from_the_grammar_is_no_header() {
        let text = header().text();
        let strayed = [
            ("v1", "v2"),
            ("v1", "v01"),
            ("@ops", "@Ops"),
            ("00c0ffee00c0ffee", "00C0FFEE00c0ffee"),
            ("00c0ffee00c0ffee", "+0c0ffee00c0ffee"),
            ("00c0ffee00c0ffee", "c0ffee00c0ffee"),
            ("-42", "-042"),
            ("-42", "-"),
            ("-42", "-99999999999999999999"),
            ("part=2/5", "part=0/5"),
            ("part=2/5", "part=6/5"),
            ("part=2/5", "part=+2/5"),
            ("part=2/5", "part=2/100000"),
            ("crc32=0f3a01c4", "crc32=0f3a01c"),
            ("crc32=0f3a01c4", "crc32=0f3a01c4f"),
            (" | ", "|"),
        ];
        for (from, to) in strayed {
            assert_eq!(Header::read(text.replace(from, to).as_bytes()), None, "{from} as {to}");
        }
        for length in 0..text.len() {
            assert_eq!(Header::read(&text.as_bytes()[..length]), None);
        }
    }
}
