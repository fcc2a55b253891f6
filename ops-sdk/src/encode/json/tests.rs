//! Lines of every kind, read back by serde_json.

use std::collections::BTreeSet;
use std::fmt;

use proptest::prelude::*;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Value as Json, json};

use super::line;
use crate::encode::arbitrary;
use crate::model::{
    Audit, Body, Check, CheckStatus, Config, Distribution, Fields, Level, Log, Metric, Points, Record,
    RecordId, Resolution, Unit, Value,
};

/// An object with its members in order, so that a key that is there twice is seen twice.
struct Members(Vec<(String, Json)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Members, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Members;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

fn record(body: Body<'static>) -> Record<'static> {
    let id = RecordId { process: 0x00c0_ffee_00c0_ffee, seq: 42 };
    Record { id, time_ns: 1_795_332_268_123_456_789, body }
}

fn context(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect()
}

fn written(record: &Record<'_>, context: &[(String, String)]) -> String {
    let mut out = Vec::new();
    line(&mut out, record, context);
    String::from_utf8(out).expect("UTF-8")
}

fn log(fields: Fields<'static>, line: u32) -> Record<'static> {
    record(Body::Log(Log {
        level: Level::Info,
        target: "shop".into(),
        message: "charged 12".into(),
        file: "src/x.rs".into(),
        line,
        fields,
    }))
}

#[test]
fn a_log_line_reads_from_left_to_right() {
    let fields = vec![("amount".into(), Value::I64(12)), ("order.id".into(), Value::Str("a\"b".into()))];
    assert_eq!(
        written(&log(fields, 10), &context(&[("Service", "checkout")])),
        concat!(
            r#"{"time":"2026-11-22T07:24:28.123456Z","level":"INFO","target":"shop","message":"charged 12","#,
            r#""amount":12,"order.id":"a\"b","Service":"checkout","id":"00c0ffee00c0ffee-42","file":"src/x.rs:10"}"#
        )
    );
}

#[test]
fn a_place_in_the_source_is_told_as_far_as_it_is_known() {
    let mut nowhere = log(vec![], 7);
    if let Body::Log(log) = &mut nowhere.body {
        log.file = "".into();
    }
    assert!(written(&log(vec![], 0), &[]).ends_with(r#","file":"src/x.rs"}"#));
    assert!(written(&nowhere, &[]).ends_with(r#","id":"00c0ffee00c0ffee-42"}"#));
}

#[test]
fn fields_give_way_to_the_line_and_to_the_context() {
    let keys = ["level", "Service", "amount", "amount", "fields.level"];
    let fields = keys.iter().zip(1..).map(|(key, n)| ((*key).into(), Value::U64(n))).collect();
    let json =
        written(&log(fields, 1), &context(&[("Service", "checkout"), ("id", "x"), ("Service", "again")]));
    let Members(members) = serde_json::from_str(&json).expect("an object");
    let keys: Vec<_> = members.iter().map(|(key, _)| key.as_str()).collect();
    let expected = [
        &["time", "level", "target", "message"][..],
        &["fields.level", "fields.Service", "amount", "amount.2", "fields.level.2"],
        &["Service", "context.id", "Service.2", "id", "file"],
    ];
    assert_eq!(keys, expected.concat());
    assert_eq!(members[5].1, json!(2));
    assert_eq!(members[9].1, json!("checkout"));
}

fn metric(points: Points) -> Json {
    let metric = Metric {
        name: "latency".into(),
        unit: Unit::Milliseconds,
        resolution: Resolution::High,
        window_ms: 1000,
        dimensions: vec![("Region".into(), "eu".into()), ("Region".into(), "us".into())],
        points,
    };
    let json = written(&record(Body::Metric(metric)), &context(&[("Service", "checkout")]));
    serde_json::from_str(&json).expect("JSON")
}

fn with(members: Json) -> Json {
    let mut all = json!({
        "time": "2026-11-22T07:24:28.123456Z", "signal": "metric", "name": "latency", "unit": "Milliseconds",
        "resolution_s": 1, "window_ms": 1000, "dimensions": {"Region": "eu", "Region.2": "us"},
        "id": "00c0ffee00c0ffee-42",
    });
    if let (Some(all), Json::Object(members)) = (all.as_object_mut(), members) {
        all.extend(members);
    }
    all
}

#[test]
fn metric_lines_tell_what_was_measured() {
    let mut distribution = Distribution::default();
    (1..=100).for_each(|n| distribution.observe(f64::from(n), 1));
    let gauge = Points::Gauge { last: 3.0, min: f64::NEG_INFINITY, max: 8.5, sum: f64::NAN, count: 3 };
    assert_eq!(metric(Points::Counter { sum: 1204 }), with(json!({"kind": "counter", "sum": 1204})));
    assert_eq!(
        metric(gauge),
        with(json!({"kind": "gauge", "last": 3.0, "count": 3, "sum": "NaN", "min": "-Infinity", "max": 8.5}))
    );
    assert_eq!(
        metric(Points::Histogram(distribution)),
        with(json!({
            "kind": "histogram", "count": 100, "sum": 5050.0, "min": 1.0, "max": 100.0,
            "p50": 50.0, "p90": 90.0, "p95": 95.0, "p99": 99.0, "p99.9": 100.0,
        }))
    );
}

#[test]
fn the_other_kinds_say_what_they_are() {
    let fields: Fields<'static> =
        vec![("signal".into(), Value::Null), ("rack".into(), Value::Str("r1".into()))];
    let audit = Audit {
        actor: "alice".into(),
        action: "order.cancel".into(),
        resource: "order/7".into(),
        outcome: "ok".into(),
        fields: fields.clone(),
    };
    let config = Config { resource_type: "Queue".into(), resource_id: "q-1".into(), fields: fields.clone() };
    let check = Check { name: "disk".into(), status: CheckStatus::Critical, output: "97 %".into(), fields };
    let common = r#""fields.signal":null,"rack":"r1","Service":"checkout","id":"00c0ffee00c0ffee-42"}"#;
    let table = [
        (
            Body::Audit(audit),
            r#""signal":"audit","actor":"alice","action":"order.cancel","resource":"order/7","outcome":"ok","#,
        ),
        (Body::Config(config), r#""signal":"config","resource_type":"Queue","resource_id":"q-1","#),
        (Body::Check(check), r#""signal":"check","name":"disk","status":"critical","output":"97 %","#),
    ];
    for (body, own) in table {
        let json = written(&record(body), &context(&[("Service", "checkout")]));
        assert_eq!(json, format!(r#"{{"time":"2026-11-22T07:24:28.123456Z",{own}{common}"#));
    }
}

fn as_json(value: &Value<'_>) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(truth) => json!(truth),
        Value::I64(number) => json!(number),
        Value::U64(number) => json!(number),
        Value::F64(number) if number.is_nan() => json!("NaN"),
        Value::F64(number) if number.is_infinite() => {
            json!(if *number > 0.0 { "Infinity" } else { "-Infinity" })
        }
        Value::F64(number) => json!(number),
        Value::Str(text) => json!(text),
    }
}

/// Equal, or the same number: `1.0` and `1` are one number in JSON, and serde_json reads some digits one bit off.
fn same(one: &Json, other: &Json) -> bool {
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => (one - other).abs() <= other.abs() * 1e-15,
        _ => one == other,
    }
}

proptest! {
    #[test]
    fn any_record_is_one_object_without_a_key_twice(
        record in arbitrary::record(),
        context in prop::collection::vec((arbitrary::text(), arbitrary::text()), 0..4),
    ) {
        let context: Vec<_> = context.into_iter().map(|(k, v)| (k.into_owned(), v.into_owned())).collect();
        let json = written(&record, &context);
        prop_assert!(!json.contains('\n'));
        let Members(members) = serde_json::from_str(&json).expect("an object");
        let keys: BTreeSet<_> = members.iter().map(|(key, _)| key).collect();
        prop_assert_eq!(keys.len(), members.len());
        if let Body::Metric(metric) = &record.body {
            let dimensions = members.iter().find(|(key, _)| key == "dimensions").map(|(_, value)| value);
            prop_assert_eq!(dimensions.and_then(Json::as_object).map(serde_json::Map::len), Some(metric.dimensions.len()));
        }
    }

    #[test]
    fn a_log_line_carries_every_field_and_the_context_in_order(
        fields in arbitrary::fields(),
        message in arbitrary::text(),
        context in prop::collection::vec((arbitrary::text(), arbitrary::text()), 0..4),
    ) {
        let context: Vec<_> = context.into_iter().map(|(k, v)| (k.into_owned(), v.into_owned())).collect();
        let mut record = log(fields.clone(), 1);
        if let Body::Log(log) = &mut record.body {
            log.message = message.clone();
        }
        let Members(members) = serde_json::from_str(&written(&record, &context)).expect("an object");
        prop_assert_eq!(members.len(), 6 + fields.len() + context.len());
        prop_assert_eq!(members[3].1.as_str(), Some(message.as_ref()));
        let (told, rest) = members[4..].split_at(fields.len());
        for ((key, value), (told_key, told)) in fields.iter().zip(told) {
            prop_assert!(told_key.contains(key.as_ref()));
            prop_assert!(same(told, &as_json(value)), "{told} for {value:?}");
        }
        for ((key, text), (told_key, told)) in context.iter().zip(rest) {
            prop_assert!(told_key.contains(key.as_str()));
            prop_assert_eq!(told.as_str(), Some(text.as_str()));
        }
    }
}
