//! The buckets of a distribution as a blob: for each bucket that holds values, in rising order, the difference of its
//! number to the one before (zigzag) and its count, both as LEB128. The first difference is to 0.
//!
//! The form is part of the store's schema: other tools may read it, so it never changes.

/// The blob of these buckets.
pub(super) fn encode(buckets: &[(i16, u64)]) -> Vec<u8> {
    let mut out = Vec::with_capacity(buckets.len() * 3);
    let mut before = 0;
    for (bucket, count) in buckets {
        let difference = i64::from(*bucket) - before;
        before = i64::from(*bucket);
        put(&mut out, zigzag(difference));
        put(&mut out, *count);
    }
    out
}

/// The buckets of this blob; `None` if it is not one.
pub(crate) fn decode(mut bytes: &[u8]) -> Option<Vec<(i16, u64)>> {
    let mut buckets = Vec::with_capacity(bytes.len() / 2);
    let mut before = 0_i64;
    while !bytes.is_empty() {
        before = before.checked_add(unzigzag(take(&mut bytes)?))?;
        buckets.push((i16::try_from(before).ok()?, take(&mut bytes)?));
    }
    Some(buckets)
}

fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push((number & 0x7f) as u8);
}

fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let bits = u64::from(byte & 0x7f);
        if (bits << shift) >> shift != bits {
            return None;
        }
        number |= bits << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)).cast_unsigned()
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_form_is_the_one_the_schema_tells() {
        assert_eq!(encode(&[(-2, 1), (3, 300)]), [3, 1, 10, 0xac, 2]);
        assert_eq!(decode(&[3, 1, 10, 0xac, 2]), Some(vec![(-2, 1), (3, 300)]));
    }

    proptest! {
        #[test]
        fn buckets_come_back(buckets: std::collections::BTreeMap<i16, u64>) {
            let buckets: Vec<_> = buckets.into_iter().collect();
            prop_assert_eq!(decode(&encode(&buckets)), Some(buckets));
        }

        #[test]
        fn no_bytes_are_trusted(bytes: Vec<u8>) {
            let _ = decode(&bytes);
        }
    }
}
