//! One metric as `MetricDatum` objects, written into an item each. Numbers stay numbers; names and values are made to
//! fit; nothing is kept between one metric and the next.

use crate::backend::EncodeError;
use crate::backend::aws::{check_dimensions, put_name, put_value};
use crate::chunk::Items;
use crate::encode::json::{self, Room, RoomBytes, Sink};
use crate::model::{Metric, Points, Resolution, Unit};

/// Distinct values in one datum (`MetricDatum.Values`, `cloudwatch/2010-08-01`).
const VALUES_MAX: usize = 150;

/// What a datum says of its samples.
enum Told<'v> {
    Sum(u64),
    Value(f64),
    Statistics {
        min: f64,
        max: f64,
        sum: f64,
        count: u64,
    },
    /// Distinct values and how often each was observed.
    Values(&'v [(f64, u64)]),
}

/// What stands before a time: seconds, whatever the model's text says of milliseconds.
const TIME_KEY: &[u8] = b",\"Timestamp\":";
/// What follows the time where the datum is one number, as most are.
const VALUE_KEY: &[u8] = b",\"Value\":";
/// With them, as many digits as 2^64 nanoseconds have in seconds.
const TIME_BYTES: usize = TIME_KEY.len() + 11 + VALUE_KEY.len();

/// A time as a member. Most metrics are of the same one as those before.
pub(super) struct Time {
    unix_s: u64,
    /// The member, and [`VALUE_KEY`].
    member: [u8; TIME_BYTES],
    /// How much of it is the member; 0 is none yet.
    len: usize,
}

impl Default for Time {
    fn default() -> Time {
        Time { unix_s: 0, member: [0; TIME_BYTES], len: 0 }
    }
}

impl Time {
    /// Makes it this one.
    #[inline]
    pub(super) fn set(&mut self, unix_s: u64) -> &Time {
        if self.unix_s != unix_s || self.len == 0 {
            self.write(unix_s);
        }
        self
    }

    #[cold]
    fn write(&mut self, unix_s: u64) {
        let mut member = TIME_KEY.to_vec();
        json::number_u64(&mut member, unix_s);
        self.len = member.len();
        member.extend_from_slice(VALUE_KEY);
        self.member[..member.len()].copy_from_slice(&member);
        self.unix_s = unix_s;
    }

    #[inline(always)]
    fn put(&self, out: &mut impl Sink) {
        out.put(&self.member, self.len);
    }

    #[inline(always)]
    fn put_with_value_key(&self, out: &mut impl Sink) {
        out.put(&self.member, self.len + VALUE_KEY.len());
    }
}

/// Adds the data of a metric with those of its dimensions that are kept, by their index.
///
/// # Errors
///
/// If two of the dimensions have the same name once they are made to fit.
pub(super) fn data(
    out: &mut Items,
    room: &mut RoomBytes,
    metric: &Metric<'_>,
    time: &Time,
    keep: impl Fn(usize) -> bool,
) -> Result<(), EncodeError> {
    let mut add = |told: Told<'_>| {
        out.push(|bytes| {
            let mut room = Room::of(room);
            datum(&mut room, metric, time, &keep, &told);
            if let Some(line) = room.line() {
                bytes.extend_from_slice(line);
                return Ok(());
            }
            // Perhaps a name that is made to fit: then it may be one that is there.
            check_dimensions(&metric.dimensions)?;
            datum(bytes, metric, time, &keep, &told);
            Ok(())
        })
    };
    match &metric.points {
        Points::Counter { sum } => add(Told::Sum(*sum)),
        Points::Gauge { count: 0, .. } => Ok(()),
        Points::Gauge { last, count: 1, .. } => add(Told::Value(*last)),
        Points::Gauge { min, max, sum, count, .. } => {
            add(Told::Statistics { min: *min, max: *max, sum: *sum, count: *count })
        }
        Points::Histogram(distribution) => {
            distribution.values().chunks(VALUES_MAX).try_for_each(|part| add(Told::Values(part)))
        }
    }
}

#[inline(always)]
fn datum(
    out: &mut impl Sink,
    metric: &Metric<'_>,
    time: &Time,
    keep: &impl Fn(usize) -> bool,
    told: &Told<'_>,
) {
    out.put_text(b"{\"MetricName\":\"");
    put_name(out, &metric.name);
    dimensions(out, metric, keep);
    match told {
        Told::Sum(sum) => {
            time.put_with_value_key(out);
            json::put_u64(out, *sum);
        }
        Told::Value(value) => {
            time.put_with_value_key(out);
            json::put_f64(out, *value);
        }
        Told::Statistics { min, max, sum, count } => {
            time.put(out);
            whole(out, b",\"StatisticValues\":{\"SampleCount\":", *count);
            member(out, b",\"Sum\":", *sum);
            member(out, b",\"Minimum\":", *min);
            member(out, b",\"Maximum\":", *max);
            out.put_text(b"}");
        }
        Told::Values(part) => {
            time.put(out);
            values(out, part);
        }
    }
    if metric.unit != Unit::None {
        out.put_text(b",\"Unit\":\"");
        json::put_word(out, metric.unit.name());
        out.put_text(b"\"");
    }
    if metric.resolution == Resolution::High {
        out.put_text(b",\"StorageResolution\":1");
    }
    out.put_text(b"}");
}

/// From behind the metric's name on: each quotation mark is put with what stands beside it.
#[inline(always)]
fn dimensions(out: &mut impl Sink, metric: &Metric<'_>, keep: &impl Fn(usize) -> bool) {
    let mut any = false;
    for (_, (name, value)) in metric.dimensions.iter().enumerate().filter(|(at, _)| keep(*at)) {
        if any {
            out.put_text(b"\"},{\"Name\":\"");
        } else {
            out.put_text(b"\",\"Dimensions\":[{\"Name\":\"");
        }
        any = true;
        put_name(out, name);
        out.put_text(b"\",\"Value\":\"");
        put_value(out, value);
    }
    if any {
        out.put_text(b"\"}]");
    } else {
        out.put_text(b"\"");
    }
}

/// The service takes 1 for counts that are left out.
fn values<S: Sink>(out: &mut S, part: &[(f64, u64)]) {
    list(out, b",\"Values\":", part, |out, (value, _)| json::put_f64(out, *value));
    if part.iter().any(|(_, count)| *count != 1) {
        list(out, b",\"Counts\":", part, |out, (_, count)| json::put_u64(out, *count));
    }
}

fn list<S: Sink, const N: usize>(
    out: &mut S,
    key: &[u8; N],
    part: &[(f64, u64)],
    put: impl Fn(&mut S, &(f64, u64)),
) {
    out.put_text(key);
    for (index, sample) in part.iter().enumerate() {
        out.put(if index == 0 { b"[" } else { b"," }, 1);
        put(out, sample);
    }
    out.put_text(b"]");
}

#[inline(always)]
fn member<const N: usize>(out: &mut impl Sink, key: &[u8; N], value: f64) {
    out.put_text(key);
    json::put_f64(out, value);
}

#[inline(always)]
fn whole<const N: usize>(out: &mut impl Sink, key: &[u8; N], value: u64) {
    out.put_text(key);
    json::put_u64(out, value);
}
