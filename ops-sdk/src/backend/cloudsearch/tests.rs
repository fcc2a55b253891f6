//! Documents as a domain takes them, and answers of every kind.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::super::shared::tests::context;
use super::*;
use crate::chunk::chunk;
use crate::encode::arbitrary;
use crate::limits::PushLimit;
use crate::model::{Audit, Body, Fields, Level, Log, RecordId, Value};
use crate::net::script::{Script, refused, response};

const NOW_S: u64 = 1_795_332_268;
const VARS: [(&str, &str); 5] = [
    (ENDPOINT, "doc-shop-abc.us-east-1.cloudsearch.amazonaws.com"),
    ("AWS_REGION", "us-east-1"),
    ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
    ("AWS_SECRET_ACCESS_KEY", "hush"),
    ("AWS_EC2_METADATA_DISABLED", "true"),
];

fn open() -> Box<dyn Backend> {
    Box::new(CloudSearch::new()).open(&context(&VARS)).unwrap()
}

fn log(seq: u64, message: &'static str, fields: Fields<'static>) -> Record<'static> {
    let body = Body::Log(Log {
        level: Level::Error,
        target: "shop::till".into(),
        message: message.into(),
        file: "src/till.rs".into(),
        line: 7,
        fields,
    });
    Record { id: RecordId { process: 255, seq }, time_ns: NOW_S * 1_000_000_000 + 123_456_789, body }
}

fn batch(records: &[Record<'_>]) -> Batch {
    let (mut backend, mut items) = (open(), Items::new());
    for (record, place) in records.iter().zip(0..) {
        items.begin(record.id, record.time_ms(), place);
        backend.encode(record, &mut items).unwrap();
    }
    chunk(&items, &backend.limits().under(PushLimit::Contract), NOW_S * 1_000).batches.remove(0)
}

#[test]
fn the_batch_is_as_the_golden_file_has_it() {
    let fields: Fields<'static> = vec![
        ("amount".into(), Value::I64(-12)),
        ("Order.ID".into(), Value::Str("a\"b\u{1}\n".into())),
        ("order_id".into(), Value::Str("x".into())),
        ("ratio".into(), Value::F64(0.5)),
        ("ratio".into(), Value::F64(f64::NAN)),
        ("big".into(), Value::U64(u64::MAX)),
        ("service".into(), Value::Str("own".into())),
        ("ok".into(), Value::Bool(true)),
        ("1st".into(), Value::U64(1)),
        ("none".into(), Value::Null),
    ];
    let mut audit = log(2, "", vec![]);
    audit.body = Body::Audit(Audit {
        actor: "alice".into(),
        action: "order.cancel".into(),
        resource: "order/7".into(),
        outcome: "ok".into(),
        fields: vec![("reason".into(), Value::Str("größe".into()))],
    });
    let batch = batch(&[log(1, "a \"quoted\" thing", fields), audit]);
    let written = String::from_utf8(body(&batch)).unwrap();
    assert_eq!(written, include_str!("../golden/cloudsearch.json").trim_end());
}

proptest! {
    #[test]
    fn any_record_is_a_document_with_names_that_the_service_takes(record in arbitrary::record()) {
        let mut items = Items::new();
        items.begin(record.id, record.time_ms(), 0);
        let mut backend = open();
        let encoded = backend.encode(&record, &mut items);
        prop_assert_eq!(encoded.is_ok(), backend.accepts(record.signal()));
        for (_, bytes) in items.iter() {
            let document: Json = serde_json::from_slice(bytes).unwrap();
            for (name, value) in document["fields"].as_object().unwrap() {
                prop_assert!(name.len() <= 64 && name.starts_with(|c: char| c.is_ascii_lowercase()), "{}", name);
                prop_assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'), "{}", name);
                prop_assert!(value.is_number() || value.is_string());
                let illegal = |c: char| c < '\t' || matches!(c, '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}');
                prop_assert!(!value.as_str().unwrap_or_default().contains(illegal));
            }
        }
    }
}

#[test]
fn limits_are_the_services_and_pushes_are_seldom() {
    let backend = open();
    let limits = backend.limits().under(PushLimit::Contract);
    assert_eq!((limits.push_bytes_max, limits.item_bytes_max), (5_000_000, 1_000_000));
    let ten = std::time::Duration::from_secs(10);
    assert_eq!(backend.pacing(), Pacing { linger: ten, every: ten });
    assert!(backend.another().is_none());
    let many = (0..200_u64).map(|n| (n.to_string().into(), Value::U64(n))).collect();
    let error = open().encode(&log(1, "x", many), &mut Items::new()).unwrap_err();
    assert!(error.0.contains("200 fields"), "{error}");
    let records: Vec<_> = (0..50).map(|seq| log(seq, "x", vec![])).collect();
    let batch = batch(&records);
    assert_eq!(
        body(&batch).len(),
        batch.bytes() + batch.len() * limits.item_overhead_bytes + limits.envelope_bytes - 1
    );
}

fn kind(verdict: &Verdict) -> (&'static str, Option<u64>) {
    match verdict {
        Verdict::Delivered => ("delivered", None),
        Verdict::Partial { .. } => ("partial", None),
        Verdict::Retry { after, .. } => ("retry", after.map(|after| after.as_secs())),
        Verdict::Throttle { after, .. } => ("throttle", after.map(|after| after.as_secs())),
        Verdict::Halve => ("halve", None),
        Verdict::Reauthenticate { .. } => ("reauthenticate", None),
        Verdict::Refuse(refusal) => (refusal.loss.name(), None),
    }
}

#[test]
fn each_answer_has_its_verdict() {
    let gigantic = "x".repeat(1 << 20);
    let error = |message: &str| {
        json!({ "__type": "#DocumentServiceException", "status": "error", "message": message }).to_string()
    };
    let listed = json!({ "status": "error", "adds": 0, "deletes": 0, "errors": [{ "message": "bad (near operation with index 2; document_id 00000000000000ff-2)" }] });
    let success = |status: &str| json!({ "status": status, "adds": 2, "deletes": 0 }).to_string();
    let table: Vec<(u16, String, (&str, Option<u64>))> = vec![
        (200, success("success"), ("delivered", None)),
        (200, success("error"), ("retry", None)),
        (200, String::new(), ("retry", Some(60))),
        (200, "<html>".into(), ("retry", Some(60))),
        (200, gigantic.clone(), ("retry", Some(60))),
        (302, String::new(), ("retry", Some(60))),
        (
            400,
            error(
                "Validation error for field 'x' (near operation with index 1; document_id 00000000000000ff-1)",
            ),
            ("partial", None),
        ),
        (400, listed.to_string(), ("partial", None)),
        (400, error("near operation with index 1; document_id nobody)"), ("halve", None)),
        (400, error("syntax error"), ("halve", None)),
        (
            400,
            error(
                "Field \"x_s\" does not exist in domain metadata (near operation with index 1; document_id 00000000000000ff-1)",
            ),
            ("retry", Some(60)),
        ),
        (400, "\u{0}garbage".into(), ("retry", Some(60))),
        (400, r#"{"__type":"ThrottlingException","message":"x"}"#.into(), ("throttle", None)),
        (403, r#"{"__type":"ExpiredTokenException","message":"x"}"#.into(), ("reauthenticate", None)),
        (403, "<html>".into(), ("retry", Some(60))),
        (404, String::new(), ("retry", Some(60))),
        (413, String::new(), ("halve", None)),
        (429, String::new(), ("throttle", None)),
        (500, String::new(), ("retry", None)),
        (503, gigantic, ("throttle", None)),
        (507, String::new(), ("throttle", None)),
        (509, String::new(), ("throttle", None)),
    ];
    let two = batch(&[log(1, "a", vec![]), log(2, "b", vec![])]);
    for (status, body, expected) in table {
        let verdict = judge::judge(&response(status, &[], &body), NOW_S, &two);
        assert_eq!(kind(&verdict), expected, "{status} {body:.200}");
    }
    let answer = response(400, &[], &listed.to_string());
    let Verdict::Partial { failed, refused } = judge::judge(&answer, NOW_S, &two) else { panic!() };
    assert_eq!((failed, refused[0].0), (vec![0], 1));
    let one = batch(&[log(2, "b", vec![])]);
    assert_eq!(kind(&judge::judge(&answer, NOW_S, &one)), ("partial", None));
    assert_eq!(kind(&judge::judge(&response(400, &[], &error("syntax")), NOW_S, &one)), ("refused", None));
    assert_eq!(kind(&judge::judge(&response(413, &[], ""), NOW_S, &one)), ("oversize", None));
}

#[test]
fn a_batch_is_signed_and_goes_to_the_domain() {
    let script = Arc::new(Script::default()).answer(200, r#"{"status":"success"}"#).then(Err(refused()));
    let mut backend = open();
    let batch = batch(&[log(1, "a", vec![])]);
    assert_eq!(backend.send(&batch, &mut script.net(NOW_S)), Verdict::Delivered);
    assert!(matches!(backend.send(&batch, &mut script.net(NOW_S)), Verdict::Retry { .. }));
    let (request, _) = script.asked().remove(0);
    let url =
        "https://doc-shop-abc.us-east-1.cloudsearch.amazonaws.com/2013-01-01/documents/batch?format=sdk";
    assert_eq!((request.method().as_str(), request.uri().to_string()), ("POST", url.to_owned()));
    let authorization = request.headers()["authorization"].to_str().unwrap();
    assert!(authorization.contains("/us-east-1/cloudsearch/aws4_request"), "{authorization}");
}

#[test]
fn settings_are_checked_at_open() {
    let open =
        |backend: CloudSearch, vars: &[(&str, &str)]| Box::new(backend).open(&context(vars)).map(|_| ());
    assert!(
        open(
            CloudSearch::new().endpoint("http://127.0.0.1:1").region("eu-west-1").batch_bytes(10_000),
            &VARS[1..]
        )
        .is_ok()
    );
    let table = [
        (CloudSearch::new(), &VARS[1..], "OPS_CLOUDSEARCH_ENDPOINT"),
        (CloudSearch::new().endpoint("ftp://x"), &VARS[1..], ".endpoint(..)"),
        (CloudSearch::new(), &VARS[..1], "AWS_REGION"),
        (CloudSearch::new().batch_bytes(9_999), &VARS[..], "OPS_CLOUDSEARCH_BATCH_BYTES"),
        (CloudSearch::new().batch_bytes(5_000_001), &VARS[..], "OPS_CLOUDSEARCH_BATCH_BYTES"),
    ];
    for (backend, vars, setting) in table {
        let error = open(backend, vars).unwrap_err().to_string();
        assert!(error.starts_with(setting), "{error}");
    }
    assert!(CloudSearch::new().again().is_some());
}
