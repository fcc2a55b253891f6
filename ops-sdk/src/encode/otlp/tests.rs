//! Items and requests in both forms: by hand, against golden files, and for any record there is. That an independent
//! parser reads the same from both is tested in `tests/tests/otlp.rs`.

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;
use crate::encode::arbitrary;
use crate::encode::proto::{self, Field};
use crate::model::{
    Body as Told, CORRELATION_ID, Distribution, Level, Log, Metric, Points, Record, RecordId, Resolution,
    SPAN_ID, Unit, Value,
};

const TIME_NS: u64 = 1_795_332_268_000_000_005;
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn metric_of<'a>(name: &'a str, unit: Unit, dimensions: &[(&'a str, &'a str)], points: Points) -> Record<'a> {
    let dimensions = dimensions.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    let metric = Metric {
        name: name.into(),
        unit,
        resolution: Resolution::Standard,
        window_ms: 60_000,
        dimensions,
        points,
    };
    Record { id: RecordId { process: 255, seq: 1 }, time_ns: TIME_NS, body: Told::Metric(metric) }
}

fn log_of<'a>(level: Level, message: &'a str, fields: Vec<(&'a str, Value<'a>)>) -> Record<'a> {
    let fields = fields.into_iter().map(|(name, value)| (name.into(), value)).collect();
    let log = Log {
        level,
        target: "shop::pay".into(),
        message: message.into(),
        file: "src/pay.rs".into(),
        line: 7,
        fields,
    };
    Record { id: RecordId { process: 255, seq: 42 }, time_ns: TIME_NS, body: Told::Log(log) }
}

fn item(form: Form, record: &Record<'_>) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    match &record.body {
        Told::Metric(body) => metric(&mut out, form, record, body, &[("Service".into(), "checkout".into())])?,
        Told::Log(body) => log(&mut out, form, record, body),
        _ => {}
    }
    Ok(out)
}

fn histogram() -> Points {
    let mut distribution = Distribution::default();
    for (value, n) in [(0.0, 1), (1.0, 3), (2.5, 1), (-4.0, 2)] {
        distribution.observe(value, n);
    }
    distribution.exemplar = Some(u128::from_str_radix(TRACE, 16).unwrap());
    Points::Histogram(distribution)
}

fn records() -> Vec<Record<'static>> {
    let gauge = |count| Points::Gauge { last: 2.5, min: -1.0, max: 4.0, sum: 5.5, count };
    let every = vec![
        ("amount", Value::U64(12)),
        ("delta", Value::I64(-3)),
        ("large", Value::U64(u64::MAX)),
        ("share", Value::F64(0.25)),
        ("odd", Value::F64(f64::NAN)),
        ("paid", Value::Bool(true)),
        ("coupon", Value::Null),
        ("customer \"q\"", Value::Str("größe\n".into())),
        (CORRELATION_ID, Value::Str(TRACE.into())),
        (SPAN_ID, Value::Str("00f067aa0ba902b7".into())),
    ];
    vec![
        metric_of(
            "orders",
            Unit::Count,
            &[("Region", "eu"), ("Service", "checkout")],
            Points::Counter { sum: 7 },
        ),
        metric_of("huge", Unit::None, &[], Points::Counter { sum: u64::MAX }),
        metric_of("depth", Unit::Percent, &[("Queue", "a \"b\"")], gauge(3)),
        metric_of("never", Unit::None, &[], gauge(0)),
        metric_of("latency", Unit::Milliseconds, &[], histogram()),
        metric_of("quiet", Unit::None, &[], Points::Histogram(Distribution::default())),
        log_of(Level::Warn, "charged \"12\"\nat once", every),
        log_of(Level::Error, "", vec![("a", Value::Null), ("a", Value::Null), ("", Value::Null)]),
        log_of(Level::Info, "not correlated", vec![(CORRELATION_ID, Value::Str("0".into()))]),
    ]
}

fn body(form: Form, kind: Kind) -> Vec<u8> {
    let items: Vec<Vec<u8>> = records().iter().map(|record| item(form, record).unwrap()).collect();
    let attributes =
        [("service.name", "Shop"), ("host.name", "h1"), ("service.name", "twice"), ("", "nameless")];
    let body = Body::new(attributes.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let bytes = body.of(form, kind, 255, items.iter().map(Vec::as_slice));
    let told: usize =
        items.iter().filter(|item| Item::of(item) == Some(Item { form, kind })).map(Vec::len).sum();
    assert!(bytes.len() <= told + body.bytes(form), "{} of {told} and {}", bytes.len(), body.bytes(form));
    bytes
}

#[test]
fn requests_in_json_are_as_the_golden_files_have_them() {
    let metrics = String::from_utf8(body(Form::Json, Kind::Metrics)).unwrap();
    assert_eq!(metrics, include_str!("golden/metrics.json").trim_end());
    let logs = String::from_utf8(body(Form::Json, Kind::Logs)).unwrap();
    assert_eq!(logs, include_str!("golden/logs.json").trim_end());
}

#[test]
fn requests_in_protobuf_are_as_the_golden_files_have_them() {
    assert_eq!(body(Form::Protobuf, Kind::Metrics), include_bytes!("golden/metrics.binpb"));
    assert_eq!(body(Form::Protobuf, Kind::Logs), include_bytes!("golden/logs.binpb"));
}

#[test]
fn a_log_record_reads_as_it_was_recorded() {
    let told = item(Form::Json, &records()[6]).unwrap();
    let told: Json = serde_json::from_slice(&told[1..]).unwrap();
    assert_eq!((told["severityNumber"].as_u64(), told["severityText"].as_str()), (Some(13), Some("WARN")));
    assert_eq!((told["traceId"].as_str(), told["spanId"].as_str()), (Some(TRACE), Some("00f067aa0ba902b7")));
    assert_eq!(told["body"], json!({"stringValue": "charged \"12\"\nat once"}));
    let of = |name: &str| {
        let all = told["attributes"].as_array().unwrap();
        all.iter().find(|attribute| attribute["key"] == name).map(|attribute| attribute["value"].clone())
    };
    let table = [
        ("amount", json!({"intValue": "12"})),
        ("delta", json!({"intValue": "-3"})),
        ("large", json!({"stringValue": "18446744073709551615"})),
        ("share", json!({"doubleValue": 0.25})),
        ("odd", json!({"doubleValue": "NaN"})),
        ("paid", json!({"boolValue": true})),
        ("coupon", json!({})),
        ("customer \"q\"", json!({"stringValue": "größe\n"})),
        ("log.target", json!({"stringValue": "shop::pay"})),
        ("log.record.uid", json!({"stringValue": "00000000000000ff-42"})),
        ("code.file.path", json!({"stringValue": "src/pay.rs"})),
        ("code.line.number", json!({"intValue": "7"})),
    ];
    assert_eq!(told["attributes"].as_array().unwrap().len(), table.len());
    for (name, value) in table {
        assert_eq!(of(name), Some(value), "{name}");
    }
}

#[test]
fn an_id_is_written_as_it_displays() {
    for seq in [0, 1, 9, 10, 99, 100, 999_999_999, u64::MAX] {
        let (id, mut text) = (RecordId { process: 0x00c0_ffee, seq }, [0; 37]);
        let len = super::log::id(&mut text, id);
        assert_eq!(std::str::from_utf8(&text[..len]).unwrap(), id.to_string());
    }
}

#[test]
fn what_cannot_be_expressed_is_an_error() {
    let sum = || Points::Counter { sum: 1 };
    let gauge = Points::Gauge { last: f64::NAN, min: 0.0, max: 0.0, sum: 0.0, count: 1 };
    let histogram =
        Distribution { count: 1, max: f64::INFINITY, buckets: vec![(1, 1)], ..Distribution::default() };
    let table = [
        (metric_of("", Unit::None, &[], sum()), "a metric without a name"),
        (metric_of("a", Unit::None, &[("", "v")], sum()), "a dimension without a name"),
        (
            metric_of("a", Unit::None, &[("k\n", "v"), ("k\n", "w")], sum()),
            "two dimensions are named \"k\\n\"",
        ),
        (metric_of("a", Unit::None, &[], gauge), "NaN is not a number that a data point can have"),
        (metric_of("a", Unit::None, &[], Points::Histogram(histogram)), "inf is not a number"),
    ];
    for (record, expected) in table {
        for form in [Form::Protobuf, Form::Json] {
            let error = item(form, &record).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}

#[test]
fn an_item_says_what_it_is() {
    for (mark, item) in Item::ALL {
        assert_eq!((item.mark(), Item::of(&[mark, 1])), (mark, Some(item)));
    }
    assert_eq!((Item::of(b""), Item::of(b"x")), (None, None));
}

#[test]
fn a_unit_has_a_code_of_its_own() {
    let codes: Vec<_> = Unit::ALL.iter().map(|unit| ucum(*unit)).collect();
    let distinct: std::collections::BTreeSet<_> = codes.iter().collect();
    assert_eq!(distinct.len(), codes.len());
    // Annotations in braces are the only place for what is no unit; nothing else is ever within them.
    assert!(codes.iter().all(|code| code.is_ascii() && !code.contains(' ')));
}

/// Every message within a message, down to this depth, is one.
fn walk(message: &[u8], depth: usize) {
    for field in proto::fields(message) {
        let (_, field) = field.expect("a field");
        if let (Field::Bytes(inner), 1..) = (field, depth) {
            walk(inner, depth - 1);
        }
    }
}

proptest! {
    #[test]
    fn any_record_is_valid_in_both_forms_or_an_error(record in arbitrary::record()) {
        let body = Body::new([("service.name".to_owned(), "Shop".to_owned())]);
        let protobuf = item(Form::Protobuf, &record);
        let json = item(Form::Json, &record);
        prop_assert_eq!(protobuf.is_ok(), json.is_ok());
        let (Ok(protobuf), Ok(json)) = (protobuf, json) else { return Ok(()) };
        for kind in [Kind::Metrics, Kind::Logs] {
            let request = body.of(Form::Json, kind, record.id.process, std::iter::once(json.as_slice()));
            let request: Json = serde_json::from_slice(&request).expect("JSON");
            let told = request.as_object().unwrap().values().next().unwrap();
            prop_assert!(told[0]["resource"]["attributes"].is_array());
            // Resource, scope and item: ResourceMetrics, ScopeMetrics, Metric.
            walk(&body.of(Form::Protobuf, kind, record.id.process, std::iter::once(protobuf.as_slice())), 3);
        }
    }

    #[test]
    fn no_answer_makes_reading_panic(body: Vec<u8>) {
        for form in [Form::Protobuf, Form::Json] {
            let _ = (rejected(form, Kind::Logs, &body), status_message(form, &body));
        }
    }
}
