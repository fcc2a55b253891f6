//! Log-linear distributions: 128 buckets to each power of two, so that a bucket is at most 1/128 of its lower bound
//! wide, from 2^-32 (2.3e-10) to 2^64 (1.8e19), of either sign. A duration of 1 ns to 1 h, in seconds or in
//! milliseconds, lies well inside.
//!
//! A bucket is told by its lower bound, and all lower bounds are then scaled by one factor (at most 1.0079) so that
//! the sum comes out right. Both errors lie within 0.79 %, so every value told is within 1 % of the value observed,
//! and whole numbers up to 255 alone are told exactly. What is told never leaves minimum … maximum; only where that
//! clamps a value does the sum told differ from the exact one, by less than the clamped bucket's width. (Six bits
//! and midpoints were the other way: 0.78 %, half the memory, but sums off by as much and ones told as 1.0078.)

/// Bits of mantissa in a bucket's index.
const MANTISSA_BITS: u32 = 7;
/// The exponents that have buckets of their own: -32 … 63.
const EXPONENT_MIN: i32 = -32;
const EXPONENTS: i32 = 96;
/// The index of the first bucket before it is numbered from 1.
const FIRST: i64 = ((1023 + EXPONENT_MIN) as i64) << MANTISSA_BITS;
/// The number of the last bucket.
const LAST: i64 = (EXPONENTS as i64) << MANTISSA_BITS;

/// The bucket of a finite value: 0 holds what is nearer to zero than 2^-32, positive numbers hold positive values
/// in rising order, negative numbers mirror them. Values from 2^64 on share the last bucket.
#[inline]
#[must_use]
pub fn bucket_of(value: f64) -> i16 {
    let magnitude = (value.to_bits() & !(1 << 63)) >> (52 - MANTISSA_BITS);
    #[allow(clippy::cast_possible_wrap, clippy::cast_possible_truncation)] // 18 bits of index; LAST is 12,288
    let number = (magnitude as i64 - FIRST + 1).clamp(0, LAST) as i16;
    if value < 0.0 { -number } else { number }
}

/// The number of the bucket of a positive value less one, if it is one of those that are bounded on both sides: from
/// 2^-32 up to 2^64.
#[inline(always)]
pub(crate) fn index_of_positive(value: f64) -> Option<usize> {
    const BUCKETS: usize = (EXPONENTS as usize) << MANTISSA_BITS;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    // 19 bits; a sign makes it larger than any
    let index = ((value.to_bits() >> (52 - MANTISSA_BITS)) as usize).wrapping_sub(FIRST as usize);
    (index < BUCKETS).then_some(index)
}

/// The end of a bucket that is nearer to zero.
#[must_use]
pub fn lower_bound(bucket: i16) -> f64 {
    let number = i64::from(bucket.unsigned_abs());
    if number == 0 {
        return 0.0;
    }
    #[allow(clippy::cast_sign_loss)] // number is at least 1
    let magnitude = f64::from_bits(((number - 1 + FIRST) as u64) << (52 - MANTISSA_BITS));
    if bucket < 0 { -magnitude } else { magnitude }
}

/// The values that were observed, as a count for each bucket, with exact count, sum, minimum and maximum.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Distribution {
    /// How many values.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
    /// Buckets that hold values, by [`bucket_of`], in rising order, and how many each holds.
    pub buckets: Vec<(i16, u64)>,
    /// The id of the correlation that the largest was observed within, if it was within one; never 0.
    pub exemplar: Option<u128>,
}

impl Distribution {
    /// Observes one value `n` times. For those who build a distribution outside the arena.
    pub fn observe(&mut self, value: f64, n: u64) {
        if n == 0 || !value.is_finite() {
            return;
        }
        #[allow(clippy::cast_precision_loss)]
        let sum = value * n as f64;
        let bucket = bucket_of(value);
        let one = Distribution {
            count: n,
            sum,
            min: value,
            max: value,
            buckets: vec![(bucket, n)],
            exemplar: None,
        };
        self.merge(&one);
    }

    /// Adds what another distribution observed.
    pub fn merge(&mut self, other: &Distribution) {
        if other.count == 0 {
            return;
        }
        let first = self.count == 0;
        if first || other.max > self.max {
            self.exemplar = other.exemplar;
        } else if other.max >= self.max {
            self.exemplar = self.exemplar.or(other.exemplar);
        }
        self.min = if first { other.min } else { self.min.min(other.min) };
        self.max = if first { other.max } else { self.max.max(other.max) };
        self.count += other.count;
        self.sum += other.sum;
        for (bucket, n) in &other.buckets {
            match self.buckets.binary_search_by_key(bucket, |(b, _)| *b) {
                Ok(at) => self.buckets[at].1 += n,
                Err(at) => self.buckets.insert(at, (*bucket, *n)),
            }
        }
    }

    /// Values and how often each was observed, in rising order: each within 1 % of those it stands for, none outside
    /// minimum and maximum, and together within 1 % of the exact sum, mostly far nearer.
    #[must_use]
    pub fn values(&self) -> Vec<(f64, u64)> {
        let scale = self.scale();
        // Not `clamp`, which panics where what was read back from elsewhere has its bounds the wrong way round.
        let told = |bucket: i16| (lower_bound(bucket) * scale).max(self.min).min(self.max);
        self.buckets.iter().map(|(bucket, n)| (told(*bucket), *n)).collect()
    }

    /// The value at or below which the share `p` (0.0 … 1.0) of the observed values lies, within 1 %; 0 when
    /// nothing was observed.
    #[must_use]
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub fn percentile(&self, p: f64) -> f64 {
        let rank = ((p.clamp(0.0, 1.0) * self.count as f64).ceil() as u64).max(1);
        if rank >= self.count {
            return self.max;
        }
        let mut seen = 0_u64;
        let at_rank = |(_, n): &&(f64, u64)| {
            seen = seen.saturating_add(*n);
            seen >= rank
        };
        self.values().iter().find(at_rank).map_or(self.max, |(value, _)| *value)
    }

    /// The factor that makes the lower bounds sum to the exact sum, held within one bucket's width.
    #[allow(clippy::cast_precision_loss)]
    fn scale(&self) -> f64 {
        let told: f64 = self.buckets.iter().map(|(bucket, n)| lower_bound(*bucket) * *n as f64).sum();
        let scale = self.sum / told;
        let widest = 1.0 + 1.0 / f64::from(1 << MANTISSA_BITS);
        if scale.is_finite() { scale.clamp(1.0, widest) } else { 1.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_exemplar_is_that_of_the_largest_value() {
        let one = |max, exemplar| {
            let mut one = Distribution::default();
            one.observe(max, 1);
            Distribution { exemplar, ..one }
        };
        let table = [
            ([one(1.0, Some(1)), one(2.0, Some(2))], Some(2)),
            ([one(2.0, Some(2)), one(1.0, Some(1))], Some(2)),
            ([one(1.0, Some(1)), one(2.0, None)], None),
            ([one(2.0, None), one(2.0, Some(2))], Some(2)),
            ([one(-1.0, Some(1)), Distribution::default()], Some(1)),
        ];
        for (parts, exemplar) in table {
            let mut all = Distribution::default();
            parts.iter().for_each(|part| all.merge(part));
            assert_eq!(all.exemplar, exemplar, "{parts:?}");
        }
    }

    #[test]
    fn whole_numbers_are_told_exactly() {
        let mut d = Distribution::default();
        for n in [1.0, 3.0, 7.0, 100.0, 255.0] {
            d.observe(n, 2);
        }
        let told: Vec<f64> = d.values().iter().map(|(v, _)| *v).collect();
        assert_eq!(told, [1.0, 3.0, 7.0, 100.0, 255.0]);
    }

    #[test]
    fn the_ends_of_the_range_have_buckets() {
        assert_eq!(bucket_of(0.0), 0);
        assert_eq!(bucket_of(1e-300), 0);
        assert_eq!(bucket_of(2f64.powi(-32)), 1);
        assert_eq!(i64::from(bucket_of(2f64.powi(64))), LAST);
        assert_eq!(i64::from(bucket_of(1e300)), LAST);
        assert_eq!(bucket_of(-1.0), -bucket_of(1.0));
    }

    proptest! {
        #[test]
        fn a_bucket_holds_its_values_and_is_narrow(exponent in -31.0..63.9f64, negative: bool) {
            let value = if negative { -(exponent.exp2()) } else { exponent.exp2() };
            let bound = lower_bound(bucket_of(value));
            prop_assert!(bound.abs() <= value.abs());
            prop_assert!((value - bound).abs() / value.abs() <= 1.0 / 128.0);
        }

        #[test]
        fn every_value_told_is_within_one_percent(values in prop::collection::vec(1e-9..3600.0f64, 1..200)) {
            let mut d = Distribution::default();
            values.iter().for_each(|v| d.observe(*v, 1));
            let mut sorted = values.clone();
            sorted.sort_by(f64::total_cmp);
            for p in [0.0, 0.5, 0.9, 0.99, 0.999, 1.0] {
                let rank = ((p * sorted.len() as f64).ceil() as usize).clamp(1, sorted.len());
                let (exact, told) = (sorted[rank - 1], d.percentile(p));
                prop_assert!((told - exact).abs() <= exact * 0.01, "p{p}: told {told}, exact {exact}");
            }
        }

        #[test]
        fn what_is_told_sums_to_the_sum(values in prop::collection::vec(1e-6..1e9f64, 1..200)) {
            let mut d = Distribution::default();
            values.iter().for_each(|v| d.observe(*v, 3));
            let told: f64 = d.values().iter().map(|(v, n)| v * *n as f64).sum();
            // Clamping to minimum and maximum moves what it touches by less than one bucket's width.
            prop_assert!((told - d.sum).abs() <= d.sum * 1e-2);
            prop_assert_eq!(d.values().iter().map(|(_, n)| n).sum::<u64>(), d.count);
        }
    }
}
