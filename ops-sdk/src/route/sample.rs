//! Which records a sample holds: decided by their ids alone, so that every backend and every retry decides alike, and a
//! sample of a tenth lies within one of a half.

use crate::model::RecordId;

/// Whether a sample of this share, 0.0 … 1.0, holds the record.
#[allow(clippy::cast_precision_loss)] // 53 bits are what a double holds
pub(super) fn is_in(id: RecordId, share: f64) -> bool {
    share >= 1.0 || ((spread(id) >> 11) as f64 / (1u64 << 53) as f64) < share
}

/// The id spread over all of 64 bits (the finalizer of splitmix64; Steele, Lea and Flood 2014).
fn spread(id: RecordId) -> u64 {
    let mut bits = id.process ^ id.seq.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_has_its_size_and_lies_within_a_larger_one() {
        for process in [0, 1, 0xDEAD_BEEF, u64::MAX] {
            let ids = || (0..100_000).map(|seq| RecordId { process, seq });
            for share in [0.01, 0.1, 0.5] {
                let held = ids().filter(|id| is_in(*id, share)).count() as f64 / 100_000.0;
                assert!((held - share).abs() < 0.005, "{held} of {share}");
            }
            assert!(ids().all(|id| !is_in(id, 0.1) || is_in(id, 0.5)));
            assert!(ids().all(|id| is_in(id, 1.0) && !is_in(id, 0.0)));
        }
    }
}
