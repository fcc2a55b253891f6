//! The writing half of the binary form: one function for each rule of the grammar.

use super::{VERSION, tag};
use crate::model::{Body, Distribution, Fields, Log, Metric, Points, Record, Value};

/// Appends the binary form of `record` to `out`.
pub fn encode(record: &Record<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(&[VERSION, record.signal() as u8]);
    out.extend_from_slice(&record.id.process.to_le_bytes());
    varint(out, record.id.seq);
    out.extend_from_slice(&record.time_ns.to_le_bytes());
    match &record.body {
        Body::Metric(body) => metric(out, body),
        Body::Log(body) => log(out, body),
        Body::Audit(body) => {
            strings(out, [&body.actor, &body.action, &body.resource, &body.outcome]);
            fields(out, &body.fields);
        }
        Body::Config(body) => {
            strings(out, [&body.resource_type, &body.resource_id]);
            fields(out, &body.fields);
        }
        Body::Check(body) => {
            string(out, &body.name);
            out.push(body.status as u8);
            string(out, &body.output);
            fields(out, &body.fields);
        }
    }
}

fn metric(out: &mut Vec<u8>, metric: &Metric<'_>) {
    string(out, &metric.name);
    out.extend_from_slice(&[metric.unit as u8, metric.resolution as u8]);
    varint(out, u64::from(metric.window_ms));
    varint(out, metric.dimensions.len() as u64);
    for (name, value) in &metric.dimensions {
        strings(out, [name, value]);
    }
    points(out, &metric.points);
}

fn points(out: &mut Vec<u8>, points: &Points) {
    match points {
        Points::Counter { sum } => {
            out.push(tag::COUNTER);
            varint(out, *sum);
        }
        Points::Gauge { last, min, max, sum, count } => {
            out.push(tag::GAUGE);
            f64s(out, [*last, *min, *max, *sum]);
            varint(out, *count);
        }
        Points::Histogram(distribution) => {
            match distribution.exemplar {
                None => out.push(tag::HISTOGRAM),
                Some(exemplar) => {
                    out.push(tag::HISTOGRAM_WITH_EXEMPLAR);
                    out.extend_from_slice(&exemplar.to_le_bytes());
                }
            }
            histogram(out, distribution);
        }
    }
}

fn histogram(out: &mut Vec<u8>, distribution: &Distribution) {
    varint(out, distribution.count);
    f64s(out, [distribution.sum, distribution.min, distribution.max]);
    varint(out, distribution.buckets.len() as u64);
    let mut before = 0;
    for (bucket, count) in &distribution.buckets {
        zigzag(out, i64::from(*bucket) - before);
        varint(out, *count);
        before = i64::from(*bucket);
    }
}

fn log(out: &mut Vec<u8>, log: &Log<'_>) {
    out.push(log.level as u8);
    strings(out, [&log.target, &log.message, &log.file]);
    varint(out, u64::from(log.line));
    fields(out, &log.fields);
}

fn fields(out: &mut Vec<u8>, fields: &Fields<'_>) {
    varint(out, fields.len() as u64);
    for (key, field) in fields {
        string(out, key);
        value(out, field);
    }
}

fn value(out: &mut Vec<u8>, value: &Value<'_>) {
    match value {
        Value::Null => out.push(tag::NULL),
        Value::Bool(false) => out.push(tag::FALSE),
        Value::Bool(true) => out.push(tag::TRUE),
        Value::I64(number) => {
            out.push(tag::I64);
            zigzag(out, *number);
        }
        Value::U64(number) => {
            out.push(tag::U64);
            varint(out, *number);
        }
        Value::F64(number) => {
            out.push(tag::F64);
            f64s(out, [*number]);
        }
        Value::Str(text) => {
            out.push(tag::STR);
            string(out, text);
        }
    }
}

pub(super) fn strings<const N: usize>(out: &mut Vec<u8>, texts: [&str; N]) {
    for text in texts {
        string(out, text);
    }
}

pub(super) fn string(out: &mut Vec<u8>, text: &str) {
    varint(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

fn f64s<const N: usize>(out: &mut Vec<u8>, numbers: [f64; N]) {
    for number in numbers {
        out.extend_from_slice(&number.to_bits().to_le_bytes());
    }
}

pub(super) fn zigzag(out: &mut Vec<u8>, number: i64) {
    varint(out, ((number << 1) ^ (number >> 63)).cast_unsigned());
}

#[allow(clippy::cast_possible_truncation)] // seven bits at a time is the point
pub(super) fn varint(out: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}
