//! The JSON form: protobuf's JSON mapping with OTLP's rules (opentelemetry-proto 1.9.0, `docs/specification.md`, "JSON
//! Protobuf Encoding"): keys in lowerCamelCase, 64-bit whole numbers as text, ids in hexadecimal, enumerators as numbers.

use super::attributes::{FILE, LINE, TARGET, UID};
use super::body::{SCOPE, VERSION};
use super::exponential::Buckets;
use super::log::{Told, severity};
use super::metric::{Data, Point, ZERO_THRESHOLD};
use super::{Exponential, Kind};
use crate::encode::json::{number_f64, number_i64, number_u64, string};
use crate::model::{Distribution, Value};

/// The request. Each item has a mark where the body has a comma, or nothing before the first.
pub(super) fn body<'i>(
    kind: Kind,
    attributes: &[(String, String)],
    items: impl Iterator<Item = &'i [u8]> + Clone,
) -> Vec<u8> {
    let (resources, scopes, list) = match kind {
        Kind::Metrics => ("resourceMetrics", "scopeMetrics", "metrics"),
        Kind::Logs => ("resourceLogs", "scopeLogs", "logRecords"),
    };
    let mut out = Vec::with_capacity(512 + items.clone().map(<[u8]>::len).sum::<usize>());
    out.extend_from_slice(format!("{{\"{resources}\":[{{\"resource\":{{\"attributes\":[").as_bytes());
    for (place, (name, value)) in attributes.iter().enumerate() {
        comma(&mut out, place);
        key_text(&mut out, name, value);
    }
    let scope = format!(
        "]}},\"{scopes}\":[{{\"scope\":{{\"name\":\"{SCOPE}\",\"version\":\"{VERSION}\"}},\"{list}\":["
    );
    out.extend_from_slice(scope.as_bytes());
    for (place, item) in items.enumerate() {
        comma(&mut out, place);
        out.extend_from_slice(&item[1..]);
    }
    out.extend_from_slice(b"]}]}]}");
    out
}

/// A metric of one data point.
pub(super) fn metric(out: &mut Vec<u8>, point: &Point<'_>) {
    out.extend_from_slice(b"{\"name\":");
    string(out, point.name);
    if !point.unit.is_empty() {
        out.extend_from_slice(b",\"unit\":");
        string(out, point.unit);
    }
    match &point.data {
        Data::Gauge(last) => {
            edges(out, b",\"gauge\":{\"dataPoints\":[", point);
            out.extend_from_slice(b",\"asDouble\":");
            number_f64(out, *last);
            out.extend_from_slice(b"}]}}");
        }
        Data::Sum(sum) => {
            edges(
                out,
                b",\"sum\":{\"aggregationTemporality\":1,\"isMonotonic\":true,\"dataPoints\":[",
                point,
            );
            whole(out, *sum);
            out.extend_from_slice(b"}]}}");
        }
        Data::Exponential(told, distribution) => {
            edges(out, b",\"exponentialHistogram\":{\"aggregationTemporality\":1,\"dataPoints\":[", point);
            exponential(out, point, told, distribution);
            out.extend_from_slice(b"}]}}");
        }
    }
}

/// What a data point begins with, whatever it measured.
fn edges(out: &mut Vec<u8>, before: &[u8], point: &Point<'_>) {
    out.extend_from_slice(before);
    quoted(out, b"{\"startTimeUnixNano\":\"", point.start_ns);
    quoted(out, b",\"timeUnixNano\":\"", point.end_ns);
    for (place, (name, value)) in point.attributes().enumerate() {
        out.extend_from_slice(if place == 0 { b",\"attributes\":[" } else { b"," });
        key_text(out, name, value);
    }
    if point.attributes().next().is_some() {
        out.push(b']');
    }
}

/// A count as a whole number, unless it is one of those that only a double can tell.
#[allow(clippy::cast_precision_loss)]
fn whole(out: &mut Vec<u8>, sum: u64) {
    match i64::try_from(sum) {
        Ok(_) => quoted(out, b",\"asInt\":\"", sum),
        Err(_) => member(out, b",\"asDouble\":", sum as f64),
    }
}

fn exponential(out: &mut Vec<u8>, point: &Point<'_>, told: &Exponential, distribution: &Distribution) {
    quoted(out, b",\"count\":\"", told.count());
    member(out, b",\"sum\":", distribution.sum);
    member(out, b",\"min\":", distribution.min);
    member(out, b",\"max\":", distribution.max);
    out.extend_from_slice(b",\"scale\":");
    number_i64(out, told.scale.into());
    if told.zero > 0 {
        quoted(out, b",\"zeroCount\":\"", told.zero);
        member(out, b",\"zeroThreshold\":", ZERO_THRESHOLD);
    }
    buckets(out, b",\"positive\":{\"offset\":", &told.positive);
    buckets(out, b",\"negative\":{\"offset\":", &told.negative);
    if let Some(trace) = distribution.exemplar {
        quoted(out, b",\"exemplars\":[{\"timeUnixNano\":\"", point.end_ns);
        member(out, b",\"asDouble\":", distribution.max);
        out.extend_from_slice(format!(",\"traceId\":\"{trace:032x}\"}}]").as_bytes());
    }
}

fn buckets(out: &mut Vec<u8>, before: &[u8], buckets: &Buckets) {
    if buckets.counts.is_empty() {
        return;
    }
    out.extend_from_slice(before);
    number_i64(out, buckets.offset.into());
    for (place, count) in buckets.counts.iter().enumerate() {
        quoted(out, if place == 0 { b",\"bucketCounts\":[\"" } else { b",\"" }, *count);
    }
    out.extend_from_slice(b"]}");
}

/// A log record.
pub(super) fn log(out: &mut Vec<u8>, told: &Told<'_>) {
    quoted(out, b"{\"timeUnixNano\":\"", told.time_ns);
    quoted(out, b",\"observedTimeUnixNano\":\"", told.time_ns);
    out.extend_from_slice(b",\"severityNumber\":");
    number_u64(out, severity(told.level).into());
    out.extend_from_slice(b",\"severityText\":\"");
    out.extend_from_slice(told.level.name().as_bytes());
    out.extend_from_slice(b"\",\"body\":{\"stringValue\":");
    string(out, told.body);
    out.extend_from_slice(b"},\"attributes\":[");
    for (name, value) in told.fields() {
        key_value(out, name, value);
        out.push(b',');
    }
    key_text(out, TARGET, told.target);
    out.push(b',');
    key_id(out, told.id);
    if !told.file.is_empty() {
        out.push(b',');
        key_text(out, FILE, told.file);
        out.push(b',');
        key_value(out, LINE, &Value::U64(told.line.into()));
    }
    out.push(b']');
    id(out, b",\"traceId\":\"", told.trace);
    id(out, b",\"spanId\":\"", told.span);
    out.push(b'}');
}

/// An id, which is hexadecimal already.
fn id(out: &mut Vec<u8>, before: &[u8], digits: Option<&str>) {
    if let Some(digits) = digits {
        out.extend_from_slice(before);
        out.extend_from_slice(digits.as_bytes());
        out.push(b'"');
    }
}

fn key_id(out: &mut Vec<u8>, id: crate::model::RecordId) {
    let mut text = [0; 37];
    let len = super::log::id(&mut text, id);
    key(out, UID);
    out.extend_from_slice(b"{\"stringValue\":\"");
    out.extend_from_slice(&text[..len]);
    out.extend_from_slice(b"\"}}");
}

fn key_text(out: &mut Vec<u8>, name: &str, value: &str) {
    key(out, name);
    out.extend_from_slice(b"{\"stringValue\":");
    string(out, value);
    out.extend_from_slice(b"}}");
}

/// An attribute of any value. Nothing is a value without any member.
fn key_value(out: &mut Vec<u8>, name: &str, value: &Value<'_>) {
    match value {
        Value::Str(text) => return key_text(out, name, text),
        Value::U64(number) if i64::try_from(*number).is_err() => {
            return key_text(out, name, &number.to_string());
        }
        _ => key(out, name),
    }
    match value {
        Value::Null | Value::Str(_) => out.push(b'{'),
        Value::Bool(true) => out.extend_from_slice(b"{\"boolValue\":true"),
        Value::Bool(false) => out.extend_from_slice(b"{\"boolValue\":false"),
        Value::I64(number) => {
            out.extend_from_slice(b"{\"intValue\":\"");
            number_i64(out, *number);
            out.push(b'"');
        }
        Value::U64(number) => quoted(out, b"{\"intValue\":\"", *number),
        Value::F64(number) => member(out, b"{\"doubleValue\":", *number),
    }
    out.extend_from_slice(b"}}");
}

fn key(out: &mut Vec<u8>, name: &str) {
    out.extend_from_slice(b"{\"key\":");
    string(out, name);
    out.extend_from_slice(b",\"value\":");
}

/// A 64-bit whole number as text, behind what ends with the first quote.
fn quoted(out: &mut Vec<u8>, before: &[u8], number: u64) {
    out.extend_from_slice(before);
    number_u64(out, number);
    out.push(b'"');
}

fn member(out: &mut Vec<u8>, before: &[u8], number: f64) {
    out.extend_from_slice(before);
    number_f64(out, number);
}

fn comma(out: &mut Vec<u8>, place: usize) {
    if place > 0 {
        out.push(b',');
    }
}
