//! The binary form. Field numbers: `opentelemetry/proto/{common,resource,metrics,logs}/v1/*.proto` of opentelemetry-proto
//! 1.9.0, named beside each.

use super::attributes::{FILE, LINE, TARGET, UID};
use super::body::{SCOPE, VERSION};
use super::log::{Told, severity};
use super::metric::{Data, Point};
use super::{Exponential, exponential};
use crate::encode::proto::{
    bytes, double, field_len, fixed64, head, int, measured, message, packed, sint, uint, varint_len,
};
use crate::model::{Distribution, Value};

/// `AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA`.
const DELTA: u64 = 1;
/// `ScopeMetrics.metrics` and `ScopeLogs.log_records`: field 2, with a length.
const ITEM: u8 = 0x12;

/// `ExportMetricsServiceRequest` or `ExportLogsServiceRequest`: the numbers are the same. Each item has a mark where the
/// message has the field's number.
pub(super) fn body<'i>(
    attributes: &[(String, String)],
    items: impl Iterator<Item = &'i [u8]> + Clone,
) -> Vec<u8> {
    let (mut resource, mut scope) = (Vec::new(), Vec::new());
    attributes.iter().for_each(|(name, value)| key_text(&mut resource, 1, name, value)); // Resource.attributes
    bytes(&mut scope, 1, SCOPE.as_bytes()); // InstrumentationScope.name
    bytes(&mut scope, 2, VERSION.as_bytes()); // .version
    let scoped = field_len(1, scope.len()) + items.clone().map(<[u8]>::len).sum::<usize>();
    let whole = field_len(1, resource.len()) + field_len(2, scoped);
    let mut out = Vec::with_capacity(field_len(1, whole));
    head(&mut out, 1, whole); // resource_metrics, resource_logs
    bytes(&mut out, 1, &resource); // ResourceMetrics.resource
    head(&mut out, 2, scoped); // .scope_metrics
    bytes(&mut out, 1, &scope); // ScopeMetrics.scope
    for item in items {
        out.push(ITEM);
        out.extend_from_slice(&item[1..]);
    }
    out
}

/// `Metric`, behind its length.
pub(super) fn metric(out: &mut Vec<u8>, point: &Point<'_>) {
    measured(out, |out| {
        bytes(out, 1, point.name.as_bytes()); // name
        if !point.unit.is_empty() {
            bytes(out, 3, point.unit.as_bytes()); // unit
        }
        match &point.data {
            Data::Gauge(last) => message(out, 5, |out| {
                // gauge
                message(out, 1, |out| {
                    number_point(out, point, |out| double(out, 4, *last)); // as_double
                });
            }),
            Data::Sum(sum) => message(out, 7, |out| {
                // sum
                message(out, 1, |out| number_point(out, point, |out| whole(out, *sum)));
                uint(out, 2, DELTA); // aggregation_temporality
                uint(out, 3, 1); // is_monotonic
            }),
            Data::Exponential(told, distribution) => message(out, 10, |out| {
                // exponential_histogram
                message(out, 1, |out| exponential_point(out, point, told, distribution));
                uint(out, 2, DELTA); // aggregation_temporality
            }),
        }
    });
}

/// `NumberDataPoint`
fn number_point(out: &mut Vec<u8>, point: &Point<'_>, value: impl FnOnce(&mut Vec<u8>)) {
    fixed64(out, 2, point.start_ns); // start_time_unix_nano
    fixed64(out, 3, point.end_ns); // time_unix_nano
    value(out);
    point.attributes().for_each(|(name, value)| key_text(out, 7, name, value)); // attributes
}

/// A count as a whole number, unless it is one of those that only a double can tell.
#[allow(clippy::cast_precision_loss)]
fn whole(out: &mut Vec<u8>, sum: u64) {
    match i64::try_from(sum) {
        Ok(_) => fixed64(out, 6, sum),        // as_int
        Err(_) => double(out, 4, sum as f64), // as_double
    }
}

/// `ExponentialHistogramDataPoint`
fn exponential_point(out: &mut Vec<u8>, point: &Point<'_>, told: &Exponential, distribution: &Distribution) {
    point.attributes().for_each(|(name, value)| key_text(out, 1, name, value)); // attributes
    fixed64(out, 2, point.start_ns); // start_time_unix_nano
    fixed64(out, 3, point.end_ns); // time_unix_nano
    fixed64(out, 4, told.count()); // count
    double(out, 5, distribution.sum); // sum
    sint(out, 6, told.scale.into()); // scale
    if told.zero > 0 {
        fixed64(out, 7, told.zero); // zero_count
    }
    buckets(out, 8, &told.positive); // positive
    buckets(out, 9, &told.negative); // negative
    if let Some(trace) = distribution.exemplar {
        message(out, 11, |out| {
            // exemplars
            fixed64(out, 2, point.end_ns); // time_unix_nano
            double(out, 3, distribution.max); // as_double
            bytes(out, 5, &trace.to_be_bytes()); // trace_id
        });
    }
    double(out, 12, distribution.min); // min
    double(out, 13, distribution.max); // max
    if told.zero > 0 {
        double(out, 14, super::metric::ZERO_THRESHOLD); // zero_threshold
    }
}

/// `ExponentialHistogramDataPoint.Buckets`
fn buckets(out: &mut Vec<u8>, field: u32, buckets: &exponential::Buckets) {
    if buckets.counts.is_empty() {
        return;
    }
    message(out, field, |out| {
        sint(out, 1, buckets.offset.into()); // offset
        packed(out, 2, &buckets.counts); // bucket_counts
    });
}

/// `LogRecord`, behind its length.
pub(super) fn log(out: &mut Vec<u8>, told: &Told<'_>) {
    measured(out, |out| {
        fixed64(out, 1, told.time_ns); // time_unix_nano
        uint(out, 2, severity(told.level).into()); // severity_number
        bytes(out, 3, told.level.name().as_bytes()); // severity_text
        head(out, 5, field_len(1, told.body.len())); // body
        bytes(out, 1, told.body.as_bytes()); // AnyValue.string_value
        told.fields().for_each(|(name, value)| key_value(out, name, value)); // attributes
        key_text(out, 6, TARGET, told.target);
        key_id(out, told.id);
        if !told.file.is_empty() {
            key_text(out, 6, FILE, told.file);
            key_value(out, LINE, &Value::U64(told.line.into()));
        }
        if let Some(trace) = told.trace.and_then(|digits| u128::from_str_radix(digits, 16).ok()) {
            bytes(out, 9, &trace.to_be_bytes()); // trace_id
        }
        if let Some(span) = told.span.and_then(|digits| u64::from_str_radix(digits, 16).ok()) {
            bytes(out, 10, &span.to_be_bytes()); // span_id
        }
        fixed64(out, 11, told.time_ns); // observed_time_unix_nano
    });
}

/// The record's id as it displays, without the formatter's detours: every log record has one.
fn key_id(out: &mut Vec<u8>, id: crate::model::RecordId) {
    let mut text = [0; 37]; // 16 digits, a dash, and 20 digits at most
    let len = super::log::id(&mut text, id);
    keyed(out, 6, UID, field_len(1, len));
    bytes(out, 1, &text[..len]);
}

/// A `KeyValue` of text.
fn key_text(out: &mut Vec<u8>, field: u32, name: &str, value: &str) {
    keyed(out, field, name, field_len(1, value.len()));
    bytes(out, 1, value.as_bytes()); // AnyValue.string_value
}

/// What comes before the fields of an `AnyValue` of this length in a `KeyValue`.
#[inline]
fn keyed(out: &mut Vec<u8>, field: u32, name: &str, value_len: usize) {
    head(out, field, field_len(1, name.len()) + field_len(2, value_len));
    bytes(out, 1, name.as_bytes()); // KeyValue.key
    head(out, 2, value_len); // KeyValue.value
}

/// An attribute of a log record: a `KeyValue` of any value. Nothing is an `AnyValue` without any of its fields.
fn key_value(out: &mut Vec<u8>, name: &str, value: &Value<'_>) {
    const ATTRIBUTES: u32 = 6;
    match value {
        Value::Null => keyed(out, ATTRIBUTES, name, 0),
        Value::Bool(value) => {
            keyed(out, ATTRIBUTES, name, 2);
            uint(out, 2, u64::from(*value)); // bool_value
        }
        Value::I64(number) => {
            keyed(out, ATTRIBUTES, name, 1 + varint_len(number.cast_unsigned()));
            int(out, 3, *number); // int_value
        }
        Value::U64(number) => match i64::try_from(*number) {
            Ok(number) => key_value(out, name, &Value::I64(number)),
            Err(_) => key_text(out, ATTRIBUTES, name, &number.to_string()),
        },
        Value::F64(number) => {
            keyed(out, ATTRIBUTES, name, 9);
            double(out, 4, *number); // double_value
        }
        Value::Str(text) => key_text(out, ATTRIBUTES, name, text),
    }
}
