//! Checksums of 32 bits: CRC-32C (Castagnoli, RFC 3720 B.4) for what the journal keeps, and CRC-32 (IEEE 802.3) for the
//! parts of over-long events, which others check with the tools they have. Safe code and tables made at compile time;
//! no instruction of one processor is needed. Never allocates.
//!
//! CRC-32C goes 16 bytes a step, and two lanes of bytes at once where there are as many: a step waits for the one before
//! it, and a processor has room for a second one meanwhile. How fast that is:
//! `cargo test --release -p ops-sdk --lib crc -- --ignored --nocapture`.

/// Polynomials with their bits reversed.
const CASTAGNOLI: u32 = 0x82F6_3B78;
const IEEE: u32 = 0xEDB8_8320;

type Table = [u32; 256];

static CASTAGNOLI_STEPS: [Table; 16] = steps(CASTAGNOLI);
static IEEE_BYTE: [Table; 1] = steps(IEEE);

/// Bytes of one of two lanes that are taken in at the same time.
const LANE_BYTES: usize = 256;
/// What becomes of each byte of a checksum when a lane of zeros follows.
static PAST_A_LANE: [Table; 4] = past(LANE_BYTES);

/// The CRC-32C of these bytes.
pub(crate) fn crc32c(bytes: &[u8]) -> u32 {
    extend(0, bytes)
}

/// The CRC-32C of what had `crc`, followed by these bytes.
pub(crate) fn extend(crc: u32, bytes: &[u8]) -> u32 {
    let (lanes, rest) = bytes.as_chunks::<{ 2 * LANE_BYTES }>();
    let crc = lanes.iter().fold(!crc, two_lanes);
    let (blocks, rest) = rest.as_chunks::<16>();
    let crc = blocks.iter().fold(crc, step);
    !by_byte(&CASTAGNOLI_STEPS[0], crc, rest)
}

/// Takes in two lanes at once. The second begins from nothing: what came before is moved past it by itself, since a
/// checksum is linear.
fn two_lanes(crc: u32, bytes: &[u8; 2 * LANE_BYTES]) -> u32 {
    let (one, two) = bytes.split_at(LANE_BYTES);
    let blocks = one.as_chunks().0.iter().zip(two.as_chunks().0);
    let (one, two) = blocks.fold((crc, 0), |(one, two), (a, b)| (step(one, a), step(two, b)));
    past_a_lane(one) ^ two
}

/// The same, followed by as many zeros as a lane has bytes.
#[inline]
fn past_a_lane(crc: u32) -> u32 {
    crc.to_le_bytes().iter().zip(&PAST_A_LANE).fold(0, |sum, (byte, table)| sum ^ table[usize::from(*byte)])
}

/// The CRC-32 of these bytes, as zlib, gzip and PNG have it.
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    !by_byte(&IEEE_BYTE[0], !0, bytes)
}

/// Table 0 takes a byte in; each further one takes a byte in that so many zeros follow.
const fn steps<const N: usize>(polynomial: u32) -> [Table; N] {
    let mut tables = [[0; 256]; N];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ polynomial } else { crc >> 1 };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut table = 1;
    while table < N {
        let mut byte = 0;
        while byte < 256 {
            let crc = tables[table - 1][byte];
            tables[table][byte] = crc >> 8 ^ tables[0][(crc & 0xFF) as usize];
            byte += 1;
        }
        table += 1;
    }
    tables
}

const fn past(zeros: usize) -> [Table; 4] {
    let [by_byte] = steps(CASTAGNOLI);
    let mut tables = [[0; 256]; 4];
    let mut at = 0;
    while at < 4 * 256 {
        let (place, byte): (usize, usize) = (at / 256, at % 256);
        let mut crc = (byte as u32) << (8 * place);
        if byte & byte.wrapping_sub(1) == 0 {
            let mut zero = 0;
            while zero < zeros {
                crc = crc >> 8 ^ by_byte[(crc & 0xFF) as usize];
                zero += 1;
            }
            tables[place][byte] = crc;
        } else {
            // The sum of its lowest bit and the others, which are known by now.
            tables[place][byte] =
                tables[place][byte & (byte - 1)] ^ tables[place][byte & byte.wrapping_neg()];
        }
        at += 1;
    }
    tables
}

fn by_byte(table: &Table, crc: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(crc, |crc, byte| crc >> 8 ^ table[usize::from(crc.to_le_bytes()[0] ^ byte)])
}

#[inline]
fn step(crc: u32, block: &[u8; 16]) -> u32 {
    let t = &CASTAGNOLI_STEPS;
    let c = crc.to_le_bytes();
    let at = |table: usize, byte: u8| t[table][usize::from(byte)];
    let first =
        at(15, block[0] ^ c[0]) ^ at(14, block[1] ^ c[1]) ^ at(13, block[2] ^ c[2]) ^ at(12, block[3] ^ c[3]);
    let second = at(11, block[4]) ^ at(10, block[5]) ^ at(9, block[6]) ^ at(8, block[7]);
    let third = at(7, block[8]) ^ at(6, block[9]) ^ at(5, block[10]) ^ at(4, block[11]);
    let fourth = at(3, block[12]) ^ at(2, block[13]) ^ at(1, block[14]) ^ at(0, block[15]);
    (first ^ second) ^ (third ^ fourth)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bit_by_bit(polynomial: u32, bytes: &[u8]) -> u32 {
        let one = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ polynomial } else { crc >> 1 };
        !bytes.iter().fold(!0, |crc: u32, byte| (0..8).fold(crc ^ u32::from(*byte), one))
    }

    #[test]
    fn the_vectors_of_rfc_3720_come_out() {
        let up: Vec<u8> = (0..32).collect();
        let down: Vec<u8> = (0..32).rev().collect();
        let mut read_command = [0; 48];
        let set: [(usize, &[u8]); 6] =
            [(0, &[0x01, 0xc0]), (16, &[0x14]), (22, &[0x04]), (27, &[0x14]), (31, &[0x18]), (32, &[0x28])];
        set.iter().for_each(|(at, bytes)| read_command[*at..*at + bytes.len()].copy_from_slice(bytes));
        read_command[40] = 0x02;
        let table: [(&[u8], u32); 6] = [
            (&[0; 32], 0x8A91_36AA),
            (&[0xFF; 32], 0x62A8_AB43),
            (&up, 0x46DD_794E),
            (&down, 0x113F_DB5C),
            (&read_command, 0xD996_3A56),
            (b"123456789", 0xE306_9283),
        ];
        for (bytes, crc) in table {
            assert_eq!(crc32c(bytes), crc, "{bytes:02x?}");
        }
        assert_eq!((crc32(b"123456789"), crc32(b"")), (0xCBF4_3926, 0));
    }

    proptest! {
        #[test]
        fn they_are_what_the_polynomial_says_bit_by_bit_however_the_bytes_are_cut(
            bytes in prop::collection::vec(any::<u8>(), 0..1200),
            cut in 0..1200_usize,
        ) {
            let crc = bit_by_bit(CASTAGNOLI, &bytes);
            let (one, two) = bytes.split_at(cut.min(bytes.len()));
            prop_assert_eq!((crc32c(&bytes), extend(crc32c(one), two)), (crc, crc));
            prop_assert_eq!(crc32(&bytes), bit_by_bit(IEEE, &bytes));
        }
    }

    fn by_8(crc: u32, block: &[u8; 8]) -> u32 {
        let c = crc.to_le_bytes();
        let byte = |i: usize| if i < 4 { block[i] ^ c[i] } else { block[i] };
        (0..8).fold(0, |sum, i| sum ^ CASTAGNOLI_STEPS[7 - i][usize::from(byte(i))])
    }

    /// Seconds that this thread has run, whatever else the machine does.
    fn cpu_s() -> f64 {
        let said = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
        said.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
    }

    #[test]
    #[ignore = "prints figures"]
    fn how_fast_each_way_is() {
        let bytes: Vec<u8> = (0..4096_u32).map(|i| i.to_le_bytes()[0]).collect();
        type Way<'a> = (&'a str, &'a dyn Fn(&[u8]) -> u32);
        let ways: [Way<'_>; 4] = [
            ("16 bytes a step, two lanes", &crc32c),
            ("16 bytes a step", &|bytes| !bytes.as_chunks::<16>().0.iter().fold(!0, step)),
            ("8 bytes a step", &|bytes| !bytes.as_chunks::<8>().0.iter().fold(!0, by_8)),
            ("1 byte a step", &|bytes| !by_byte(&CASTAGNOLI_STEPS[0], !0, bytes)),
        ];
        for (name, way) in ways {
            assert_eq!(way(&bytes), crc32c(&bytes));
            let began = cpu_s();
            let sum = (0..40_000).fold(0_u32, |sum, _| sum ^ way(std::hint::black_box(&bytes)));
            let gb = 40_000.0 * 4096.0 / (cpu_s() - began) / 1e9;
            println!("{name}: {gb:.2} GB/s ({sum:08x})");
        }
    }
}
