//! Arbitrary records and strings for property tests.

use std::borrow::Cow;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::model::{
    Audit, Body, Check, CheckStatus, Config, Distribution, Fields, Level, Log, Metric, Points, Record,
    RecordId, Resolution, Unit, Value,
};

/// Any string: ordinary words, keys that lines reserve, control characters, and characters of every width.
pub(crate) fn text() -> impl Strategy<Value = Cow<'static, str>> {
    prop_oneof![
        2 => "[a-z.]{0,12}",
        1 => prop::sample::select(&["time", "level", "id", "file", "name", "signal", "fields.id", "id.2", "Service"][..])
            .prop_map(str::to_owned),
        1 => "[\\x00-\\x1f\"\\\\/<\\x7f]{1,6}",
        1 => vec(any::<char>(), 0..20).prop_map(|chars| chars.into_iter().collect::<String>()),
    ]
    .prop_map(Cow::Owned)
}

/// Any bits as a number, and the ordinary ones more often.
fn number() -> impl Strategy<Value = f64> {
    prop_oneof![any::<u64>().prop_map(f64::from_bits), -1e6..1e6f64, Just(0.0), Just(f64::INFINITY)]
}

pub(crate) fn value() -> impl Strategy<Value = Value<'static>> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::I64),
        any::<u64>().prop_map(Value::U64),
        number().prop_map(Value::F64),
        text().prop_map(Value::Str),
    ]
}

pub(crate) fn fields() -> impl Strategy<Value = Fields<'static>> {
    vec((text(), value()), 0..8)
}

fn points() -> impl Strategy<Value = Points> {
    let gauge = (number(), number(), number(), number(), any::<u64>());
    let exemplar = proptest::option::of(1..=u128::MAX);
    let histogram = (any::<u64>(), number(), number(), number(), vec(any::<(i16, u64)>(), 0..40), exemplar);
    prop_oneof![
        any::<u64>().prop_map(|sum| Points::Counter { sum }),
        gauge.prop_map(|(last, min, max, sum, count)| Points::Gauge { last, min, max, sum, count }),
        histogram.prop_map(|(count, sum, min, max, buckets, exemplar)| {
            Points::Histogram(Distribution { count, sum, min, max, buckets, exemplar })
        }),
    ]
}

fn metric() -> impl Strategy<Value = Body<'static>> {
    let unit = prop::sample::select(Unit::ALL);
    let resolution = prop::sample::select(&[Resolution::Standard, Resolution::High][..]);
    let dimensions = vec((text(), text()), 0..5);
    (text(), unit, resolution, any::<u32>(), dimensions, points()).prop_map(
        |(name, unit, resolution, window_ms, dimensions, points)| {
            Body::Metric(Metric { name, unit, resolution, window_ms, dimensions, points })
        },
    )
}

fn log() -> impl Strategy<Value = Body<'static>> {
    let level = prop::sample::select(&Level::ALL[..]);
    (level, text(), text(), text(), any::<u32>(), fields()).prop_map(
        |(level, target, message, file, line, fields)| {
            Body::Log(Log { level, target, message, file, line, fields })
        },
    )
}

fn audit() -> impl Strategy<Value = Body<'static>> {
    (text(), text(), text(), text(), fields()).prop_map(|(actor, action, resource, outcome, fields)| {
        Body::Audit(Audit { actor, action, resource, outcome, fields })
    })
}

fn config() -> impl Strategy<Value = Body<'static>> {
    (text(), text(), fields()).prop_map(|(resource_type, resource_id, fields)| {
        Body::Config(Config { resource_type, resource_id, fields })
    })
}

fn check() -> impl Strategy<Value = Body<'static>> {
    let status = (0..4u8).prop_map(CheckStatus::from_u8);
    (text(), status, text(), fields())
        .prop_map(|(name, status, output, fields)| Body::Check(Check { name, status, output, fields }))
}

/// Any record of any of the five kinds.
pub(crate) fn record() -> impl Strategy<Value = Record<'static>> {
    let body = prop_oneof![metric(), log(), audit(), config(), check()];
    (any::<(u64, u64, u64)>(), body).prop_map(|((process, seq, time_ns), body)| Record {
        id: RecordId { process, seq },
        time_ns,
        body,
    })
}
