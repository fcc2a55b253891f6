//! One series over one window.

use std::borrow::Cow;

use super::{Distribution, Unit};

/// CloudWatch takes values in -2^360 … 2^360 (PutMetricData, `MetricDatum.Value`), and so does everything here.
pub const VALUE_LIMIT: f64 = f64::from_bits((1023 + 360) << 52);

/// Whether a value may be recorded: finite, and within what CloudWatch takes. One value that is not would fail a
/// push of a thousand.
#[inline]
#[must_use]
pub fn is_valid_value(value: f64) -> bool {
    value.abs() <= VALUE_LIMIT // false for NaN
}

/// How finely CloudWatch keeps a metric: its `StorageResolution`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Resolution {
    /// Windows of 60 seconds.
    Standard = 60,
    /// Windows of 1 second.
    High = 1,
}

impl Resolution {
    /// The length of its windows in milliseconds.
    #[must_use]
    pub fn window_ms(self) -> u32 {
        self as u32 * 1000
    }
}

/// One series over one window. The time of its record is the start of the window.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric<'a> {
    /// The name, 1-255 ASCII characters.
    pub name: Cow<'a, str>,
    /// The unit of its values.
    pub unit: Unit,
    /// How finely it is kept.
    pub resolution: Resolution,
    /// The length of the window in milliseconds.
    pub window_ms: u32,
    /// Names and values, in order of name; those of the whole process included. At most 30.
    pub dimensions: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// What was measured.
    pub points: Points,
}

/// What was measured in one window.
#[derive(Debug, Clone, PartialEq)]
pub enum Points {
    /// How much was counted within the window.
    Counter {
        /// The sum of the increments.
        sum: u64,
    },
    /// The values that were set within the window.
    Gauge {
        /// The one set last, over all threads.
        last: f64,
        /// The smallest.
        min: f64,
        /// The largest.
        max: f64,
        /// Their sum.
        sum: f64,
        /// How many.
        count: u64,
    },
    /// The values that were observed within the window.
    Histogram(Distribution),
}

impl Points {
    /// How many samples the window holds: increments are one sample.
    #[must_use]
    pub fn count(&self) -> u64 {
        match self {
            Points::Counter { .. } => 1,
            Points::Gauge { count, .. } => *count,
            Points::Histogram(distribution) => distribution.count,
        }
    }

    /// The sum of the samples.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // a sum over 2^53 within one window is shipped as a double anyway
    pub fn sum(&self) -> f64 {
        match self {
            Points::Counter { sum } => *sum as f64,
            Points::Gauge { sum, .. } => *sum,
            Points::Histogram(distribution) => distribution.sum,
        }
    }
}
