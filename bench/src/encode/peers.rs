//! What encoding is measured against: copying as many bytes, and `serde_json` over structs of the same members.

use std::hint::black_box;

use ops_sdk::encode::json;
use ops_sdk::model::{Body, Record, Value};
use serde::Serialize;

use super::{BURST, Case, records};

#[derive(Serialize)]
struct Event<'a> {
    time: &'a str,
    level: &'a str,
    target: &'a str,
    message: &'a str,
    order: u64,
    amount: f64,
    express: bool,
    country: &'a str,
    #[serde(rename = "Service")]
    service: &'a str,
    id: &'a str,
    file: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Datum<'a> {
    metric_name: &'a str,
    dimensions: [Dimension<'a>; 2],
    timestamp: u64,
    value: f64,
    unit: &'a str,
    storage_resolution: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Dimension<'a> {
    name: &'a str,
    value: &'a str,
}

pub fn cases() -> Vec<Case> {
    vec![copy(), serde_event(), serde_datum()]
}

/// The bytes of the lines, copied one after the other.
fn copy() -> Case {
    let context = [("Service".to_owned(), "checkout".to_owned())];
    let line = |record: &Record<'_>| {
        let mut line = Vec::new();
        json::line(&mut line, record, &context);
        line
    };
    let lines: Vec<Vec<u8>> = records::events(BURST).iter().map(line).collect();
    let mut out = Vec::new();
    let burst = move || {
        out.clear();
        lines.iter().for_each(|line| out.extend_from_slice(black_box(line)));
        (out.len(), out.starts_with(b"{\"time\""))
    };
    Case { what: "event", name: "limit: copying its bytes".to_owned(), burst: Box::new(burst) }
}

/// Times and ids are texts already: `serde_json` has no form of its own for them.
fn serde_event() -> Case {
    let records = records::events(BURST);
    let mut out = Vec::new();
    let burst = move || {
        out.clear();
        for record in &records {
            let Body::Log(log) = &record.body else { continue };
            let number = |at: usize| if let Value::U64(n) = log.fields[at].1 { n } else { 0 };
            let float = |at: usize| if let Value::F64(n) = log.fields[at].1 { n } else { 0.0 };
            let event = Event {
                time: "2026-11-22T07:24:28.000000000Z",
                level: log.level.name(),
                target: &log.target,
                message: &log.message,
                order: number(0),
                amount: float(1),
                express: matches!(log.fields[2].1, Value::Bool(true)),
                country: "DE",
                service: "checkout",
                id: "123456789abcdef0-1000",
                file: "src/checkout.rs:42",
            };
            let _ = serde_json::to_writer(&mut out, black_box(&event)); // into memory: it cannot fail
        }
        (out.len(), out.starts_with(b"{\"time\""))
    };
    Case { what: "event", name: "serde_json, the same members".to_owned(), burst: Box::new(burst) }
}

fn serde_datum() -> Case {
    let records = records::metrics(BURST, records::gauge);
    let mut out = Vec::new();
    let burst = move || {
        out.clear();
        for record in &records {
            let Body::Metric(metric) = &record.body else { continue };
            let dimension =
                |at: usize| Dimension { name: &metric.dimensions[at].0, value: &metric.dimensions[at].1 };
            let datum = Datum {
                metric_name: &metric.name,
                dimensions: [dimension(0), dimension(1)],
                timestamp: record.time_ns / 1_000_000_000,
                value: metric.points.sum(),
                unit: "Milliseconds",
                storage_resolution: 60,
            };
            let _ = serde_json::to_writer(&mut out, black_box(&datum)); // into memory: it cannot fail
        }
        (out.len(), out.starts_with(b"{\"MetricName\""))
    };
    Case { what: "gauge", name: "serde_json, a datum of PutMetricData".to_owned(), burst: Box::new(burst) }
}
