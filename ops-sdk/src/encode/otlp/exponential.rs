//! Distributions as base-2 exponential histograms (OTLP data model, "ExponentialHistogram").
//!
//! A bucket of ours, at most 1/128 of its lower bound wide, is told by one value within 1 % of all that it holds
//! (`model/distribution.rs`); that value's count goes into the exponential bucket that the value lies in. So every count
//! arrives, none is divided between buckets, and a value read from an exponential bucket's middle is off by that bucket's
//! half width and 1 % at most: 2.1 % at the finest scale, whose buckets are 2.2 % wide. Whole numbers up to 255 that were
//! observed alone lie in the bucket that they belong to.
//!
//! Each scale less merges buckets in pairs: there are as many scales less as it takes for 160 buckets a sign.

use crate::model::Distribution;

/// The finest scale: 32 buckets to each power of two. One more would be finer than what is known.
pub const SCALE_MAX: i32 = 5;
/// Buckets of one sign at most: what OpenTelemetry's SDKs allow by default (specification of the metrics SDK, "Base2
/// Exponential Bucket Histogram Aggregation", `MaxSize`).
pub const BUCKETS_MAX: usize = 160;

/// A distribution's buckets. Bucket `i` of the positive ones holds values above `base^i` up to `base^(i+1)`, where `base`
/// is 2^(2^-scale).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Exponential {
    /// How fine the buckets are.
    pub scale: i32,
    /// How many values were nearer to zero than 2^-32.
    pub zero: u64,
    /// Values above zero.
    pub positive: Buckets,
    /// Values below zero, by their magnitude.
    pub negative: Buckets,
}

/// The buckets of one sign.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Buckets {
    /// The number of the first.
    pub offset: i32,
    /// How many values each holds.
    pub counts: Vec<u64>,
}

impl Exponential {
    /// The buckets of a distribution.
    #[must_use]
    pub fn of(distribution: &Distribution) -> Exponential {
        let (mut zero, mut positive, mut negative) = (0_u64, Vec::new(), Vec::new());
        for (value, n) in distribution.values() {
            if value >= f64::MIN_POSITIVE {
                positive.push((finest(value), n));
            } else if value <= -f64::MIN_POSITIVE {
                negative.push((finest(-value), n));
            } else {
                zero = zero.saturating_add(n);
            }
        }
        let shift = shift(&positive).max(shift(&negative));
        let scale = SCALE_MAX - shift;
        Exponential {
            scale,
            zero,
            positive: Buckets::of(&positive, shift),
            negative: Buckets::of(&negative, shift),
        }
    }

    /// How many values there are in all.
    #[must_use]
    pub fn count(&self) -> u64 {
        let counts = self.positive.counts.iter().chain(&self.negative.counts);
        counts.fold(self.zero, |sum, count| sum.saturating_add(*count))
    }
}

impl Buckets {
    fn of(values: &[(i32, u64)], shift: i32) -> Buckets {
        let Some((first, last)) = ends(values, shift) else { return Buckets::default() };
        let mut counts = vec![0_u64; at(last, first) + 1];
        for (index, n) in values {
            let count = &mut counts[at(index >> shift, first)];
            *count = count.saturating_add(*n);
        }
        Buckets { offset: first, counts }
    }
}

/// How many scales less it takes for the buckets to be few enough.
fn shift(values: &[(i32, u64)]) -> i32 {
    let few = |shift: &i32| ends(values, *shift).is_none_or(|(first, last)| at(last, first) < BUCKETS_MAX);
    // A double has 2,046 powers of two, so that nine pairings leave 128 buckets for all of them.
    (0..9).find(few).unwrap_or(9)
}

fn ends(values: &[(i32, u64)], shift: i32) -> Option<(i32, i32)> {
    let indexes = || values.iter().map(|(index, _)| index >> shift);
    indexes().min().zip(indexes().max())
}

/// The place of a bucket behind the first.
fn at(index: i32, first: i32) -> usize {
    usize::try_from(index - first).unwrap_or_default()
}

/// The number of a normal positive value's bucket at the finest scale. Buckets end with their upper bounds, so that a power
/// of two is the last value of a bucket.
fn finest(value: f64) -> i32 {
    const FRACTION: u64 = (1 << 52) - 1;
    let bits = value.to_bits();
    #[allow(clippy::cast_possible_truncation)] // eleven bits
    let exponent = (bits >> 52) as i32 - 1023;
    let within = f64::from_bits(bits & FRACTION | 1.0_f64.to_bits()).log2(); // 0 … 1
    #[allow(clippy::cast_possible_truncation)] // 0 … 32
    let place = (within * f64::from(1 << SCALE_MAX)).ceil() as i32;
    (exponent << SCALE_MAX) + place - 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn observed(values: impl IntoIterator<Item = (f64, u64)>) -> Distribution {
        let mut distribution = Distribution::default();
        values.into_iter().for_each(|(value, n)| distribution.observe(value, n));
        distribution
    }

    /// The bounds of a bucket, by the definition.
    fn bounds(scale: i32, index: i32) -> (f64, f64) {
        let bound = |index: i32| (f64::from(index) * f64::from(-scale).exp2()).exp2();
        (bound(index), bound(index + 1))
    }

    #[test]
    fn a_power_of_two_ends_its_bucket() {
        for power in [-1022, -32, -1, 0, 1, 10, 63, 1023] {
            assert_eq!(finest(2f64.powi(power)), power * 32 - 1, "2^{power}");
            assert_eq!(finest(2f64.powi(power) * (1.0 + f64::EPSILON)), power * 32, "above 2^{power}");
        }
    }

    #[test]
    fn signs_and_zero_are_told_apart() {
        let told = Exponential::of(&observed([(0.0, 2), (1.0, 3), (4.0, 1), (-2.0, 5)]));
        assert_eq!((told.scale, told.zero, told.count()), (5, 2, 11));
        assert_eq!((told.positive.offset, told.positive.counts.len()), (-1, 65));
        assert_eq!((told.positive.counts[0], told.positive.counts[64]), (3, 1));
        assert_eq!(told.negative, Buckets { offset: 31, counts: vec![5] });
        assert_eq!(Exponential::of(&Distribution::default()).count(), 0);
    }

    #[test]
    fn the_widest_range_there_is_has_few_enough_buckets() {
        let wide = Distribution {
            count: 4,
            min: -f64::MAX,
            max: f64::MAX,
            sum: 0.0,
            buckets: vec![(i16::MIN, 1), (-1, 1), (1, 1), (i16::MAX, 1)],
            exemplar: None,
        };
        let told = Exponential::of(&wide);
        assert!(told.positive.counts.len() <= BUCKETS_MAX && told.negative.counts.len() <= BUCKETS_MAX);
        assert_eq!(told.count(), 4);
        assert_eq!(shift(&[(finest(f64::MIN_POSITIVE), 1), (finest(f64::MAX), 1)]), 9);
    }

    proptest! {
        #[test]
        fn every_count_arrives_within_the_error_that_is_stated(values in prop::collection::vec(1e-9..1e6f64, 1..100)) {
            let distribution = observed(values.iter().map(|value| (*value, 3)));
            let told = Exponential::of(&distribution);
            prop_assert_eq!(told.count(), distribution.count);
            prop_assert!(told.positive.counts.len() <= BUCKETS_MAX);
            // In order, each value lies in its bucket but for the 1 % by which it is told.
            let mut sorted = values.clone();
            sorted.sort_by(f64::total_cmp);
            let (mut seen, mut at) = (0, 0);
            for value in sorted {
                while told.positive.counts[at] <= seen {
                    seen -= told.positive.counts[at];
                    at += 1;
                }
                seen += 3;
                let (low, high) = bounds(told.scale, told.positive.offset + at as i32);
                prop_assert!(low <= value * 1.01 && value <= high * 1.01, "{value} in {low} … {high}");
            }
        }

        #[test]
        fn a_value_lies_in_its_bucket(exponent in -1020.0..1020.0f64) {
            let value = exponent.exp2();
            let (low, high) = bounds(SCALE_MAX, finest(value));
            prop_assert!(low <= value * (1.0 + 1e-12) && value <= high * (1.0 + 1e-12), "{value} in {low} … {high}");
        }
    }
}
