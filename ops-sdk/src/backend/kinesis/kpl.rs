//! The aggregated record of the Kinesis Producer Library (`aggregation-format.md` in awslabs/amazon-kinesis-producer):
//! four magic bytes, a protobuf message, and its MD5.
//!
//! ```text
//! AggregatedRecord { repeated string partition_key_table = 1; repeated Record records = 3; }
//! Record { uint64 partition_key_index = 1; bytes data = 3; }
//! ```
//!
//! One key in the table, that of the Kinesis record itself: readers drop user records whose key belongs to another
//! shard.

use md5::{Digest, Md5};

const MAGIC: [u8; 4] = [0xF3, 0x89, 0x9A, 0xC2];
const MD5_BYTES: usize = 16;
/// Bytes of a length up to 10 MiB.
const LENGTH_BYTES_MAX: usize = 4;
/// Tag of `partition_key_table`, of `records`, of `data`: number and wire type "length follows".
const KEY_TABLE: u8 = 1 << 3 | 2;
const RECORDS: u8 = 3 << 3 | 2;
const DATA: u8 = 3 << 3 | 2;
/// `partition_key_index = 0`, which is required and so written though it is zero.
const KEY_INDEX: [u8; 2] = [1 << 3, 0];

/// Bytes that a line takes beside its own, at most: tags, lengths, the index of its key, and its newline.
pub(super) const LINE_BYTES: usize = 1 + LENGTH_BYTES_MAX + KEY_INDEX.len() + 1 + LENGTH_BYTES_MAX + 1;

/// Bytes that a record takes beside its lines, at most, with a key of so many.
pub(super) const fn around(key_bytes: usize) -> usize {
    MAGIC.len() + 1 + LENGTH_BYTES_MAX + key_bytes + MD5_BYTES
}

/// Appends the aggregated record of these lines.
pub(super) fn aggregate(out: &mut Vec<u8>, key: &str, lines: &mut dyn Iterator<Item = &[u8]>) {
    out.extend_from_slice(&MAGIC);
    let start = out.len();
    out.push(KEY_TABLE);
    varint(out, key.len());
    out.extend_from_slice(key.as_bytes());
    for line in lines {
        let data_bytes = line.len() + 1;
        out.push(RECORDS);
        varint(out, KEY_INDEX.len() + 1 + varint_bytes(data_bytes) + data_bytes);
        out.extend_from_slice(&KEY_INDEX);
        out.push(DATA);
        varint(out, data_bytes);
        out.extend_from_slice(line);
        out.push(b'\n');
    }
    let digest = Md5::digest(&out[start..]);
    out.extend_from_slice(&digest);
}

#[allow(clippy::cast_possible_truncation)] // seven bits
fn varint(out: &mut Vec<u8>, mut number: usize) {
    while number > 0x7f {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn varint_bytes(number: usize) -> usize {
    let bits = (usize::BITS - number.leading_zeros()).max(1);
    bits.div_ceil(7) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn the_bytes_are_those_of_the_format() {
        let mut out = b"before".to_vec();
        aggregate(&mut out, "ff", &mut [&b"{}"[..], &b"[1]"[..]].into_iter());
        let message = "0a0266661a0708001a037b7d0a1a0808001a045b315d0a";
        // printf 0a0266661a0708001a037b7d0a1a0808001a045b315d0a | xxd -r -p | md5sum
        let md5 = "590b9a617e378d563eb4c763ea20e1e2";
        assert_eq!(hex(&out[6..]), format!("f3899ac2{message}{md5}"));
    }

    #[test]
    fn nothing_is_longer_than_it_says() {
        for length in [0, 1, 126, 127, 128, 16_382, 16_383, 16_384, 2_097_151, 2_097_152, 10_485_000] {
            let line = vec![b'x'; length];
            let (mut one, mut none) = (Vec::new(), Vec::new());
            aggregate(&mut one, "key", &mut [&line[..]].into_iter());
            aggregate(&mut none, "key", &mut [].into_iter());
            assert!(none.len() <= around(3) && one.len() - none.len() <= length + LINE_BYTES, "{length}");
            let mut number = Vec::new();
            varint(&mut number, length);
            assert_eq!(number.len(), varint_bytes(length), "{length}");
        }
    }
}
