//! Digits, eight at a time in a word: made in a register and stored at once, they cost half of what it takes to store
//! them one by one and copy them. The first character is the lowest byte.

use super::sink::Sink;

const EACH: u64 = u64::MAX / 255;

/// The last eight decimal digits of a number, as characters.
#[inline]
pub(super) fn eight(number: u64) -> u64 {
    values(number % 100_000_000) | (EACH * 0x30)
}

/// The digits of a number below 10^8 as bytes: halves of four, quarters of two, single digits. The factors divide by 100
/// and by 10, and are exact for as many digits as there are left.
#[inline]
fn values(number: u64) -> u64 {
    let halves = (number / 10_000) | ((number % 10_000) << 32);
    let hundreds = ((halves * 10_486) >> 20) & 0x7f_0000_007f;
    let quarters = hundreds | (halves - 100 * hundreds) << 16;
    let tens = ((quarters * 103) >> 10) & 0x000f_000f_000f_000f;
    tens | (quarters - 10 * tens) << 8
}

/// Puts a number in decimal.
#[inline(always)]
pub(super) fn decimal(out: &mut impl Sink, number: u64) {
    if number < BASE { shortest(out, number) } else { long(out, number) }
}

const BASE: u64 = 100_000_000;

fn long(out: &mut impl Sink, number: u64) {
    if number / BASE < BASE {
        shortest(out, number / BASE);
    } else {
        shortest(out, number / BASE / BASE);
        out.put(&eight(number / BASE).to_le_bytes(), 8);
    }
    out.put(&eight(number).to_le_bytes(), 8);
}

/// Puts a number below 10^8 without leading zeros. Eight characters are stored, and as many counted as there are: how
/// many is known long before the digits are, so that what is put next need not wait for them.
#[inline(always)]
fn shortest(out: &mut impl Sink, number: u64) {
    let count = count(number);
    let digits = values(number) | (EACH * 0x30);
    out.put(&(digits >> (64 - 8 * count)).to_le_bytes(), count);
}

/// How many digits a number below 10^8 has, from 1 to 8 (Sean Eron Anderson, "Bit Twiddling Hacks", "Find integer log base
/// 10 of an integer"): its bits tell it but for one.
#[inline]
fn count(number: u64) -> usize {
    const FROM: [u64; 9] = [0, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, u64::MAX];
    let bits = 64 - (number | 1).leading_zeros() as usize;
    let at_least = (bits * 1233) >> 12;
    let at_least = at_least.min(8);
    at_least + usize::from(number >= FROM[at_least])
}

/// The hexadecimal digits of a number, as characters.
#[inline]
pub(super) fn hex(number: u32) -> u64 {
    let bytes = u64::from(number.swap_bytes());
    let pairs = (bytes | bytes << 16) & 0x0000_ffff_0000_ffff;
    let lanes = (pairs | pairs << 8) & 0x00ff_00ff_00ff_00ff;
    let digits = (lanes >> 4 | lanes << 8) & (EACH * 0x0f);
    let letters = (digits + EACH * 6) >> 4 & EACH; // one where the digit is above 9
    digits + EACH * 0x30 + letters * u64::from(b'a' - b'9' - 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(number: u64) -> String {
        let mut out = b"x".to_vec();
        decimal(&mut out, number);
        String::from_utf8(out.split_off(1)).expect("ASCII")
    }

    #[test]
    fn every_number_of_a_half_and_every_power_of_ten() {
        for number in 0..10_000_u64 {
            let expected = format!("{number:08}");
            assert_eq!(&eight(number).to_le_bytes(), expected.as_bytes());
            let moved = format!("{:08}", number * 10_000 + 9999 - number);
            assert_eq!(&eight(number * 10_000 + 9999 - number).to_le_bytes(), moved.as_bytes());
        }
        for power in 0..20 {
            for number in [10_u64.pow(power) - 1, 10_u64.pow(power), 10_u64.pow(power) + 1, u64::MAX] {
                assert_eq!(written(number), number.to_string());
            }
        }
    }

    #[test]
    fn digits_are_counted() {
        for number in (0..200_000).chain((0..=8).map(|power| 10_u64.pow(power) - 1)) {
            assert_eq!(count(number), number.to_string().len(), "{number}");
        }
    }

    proptest! {
        #[test]
        fn digits_are_those_that_display_writes(number: u64, shift in 0..64_u32, short: u32) {
            prop_assert_eq!(written(number >> shift), (number >> shift).to_string());
            let expected = format!("{short:08x}");
            prop_assert_eq!(&hex(short).to_le_bytes()[..], expected.as_bytes());
        }
    }
}
