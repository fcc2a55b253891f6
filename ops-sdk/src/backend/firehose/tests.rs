//! The backend against a scripted service.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::aws::tests::{KEYS, NOW_S, context};
use super::*;
use crate::backend::{Backend, Verdict};
use crate::chunk::{Batch, Items, chunk};
use crate::limits::PushLimit;
use crate::model::{Body, Level, Log, Record, RecordId};
use crate::net::script::{Script, refused};

fn vars<'a>(more: &[(&'a str, &'a str)]) -> Context {
    context(&[&KEYS[..], &[(STREAM, "ops")], more].concat())
}

fn log(seq: u64, message: &str) -> Record<'_> {
    let log = Log {
        level: Level::Info,
        target: "shop".into(),
        message: message.into(),
        file: "".into(),
        line: 0,
        fields: Vec::new(),
    };
    Record { id: RecordId { process: 255, seq }, time_ns: NOW_S * 1_000_000_000, body: Body::Log(log) }
}

fn batches(backend: &mut dyn Backend, context: &Context, messages: &[&str]) -> Vec<Batch> {
    let mut items = Items::new();
    for (seq, message) in messages.iter().enumerate() {
        let record = log(seq as u64 + 1, message);
        items.begin(record.id, record.time_ms(), seq as u32);
        backend.encode(&record, &mut items).unwrap();
    }
    let chunked = chunk(&items, &backend.limits().under(context.push_limit), NOW_S * 1_000);
    assert!(chunked.refused.is_empty());
    chunked.batches
}

#[test]
fn the_body_is_as_the_golden_file_has_it() {
    let context = vars(&[("OPS_FIREHOSE_AGGREGATE", "no")]);
    let mut backend = Box::new(Firehose::new()).open(&context).unwrap();
    let batch = batches(&mut *backend, &context, &["plain", "a \"quoted\"\nthing \u{1F600}"]).remove(0);
    let script = Arc::new(Script::default()).answer(200, r#"{"FailedPutCount":0,"RequestResponses":[]}"#);
    assert_eq!(backend.send(&batch, &mut script.net(NOW_S)), Verdict::Delivered);
    let (request, _) = script.asked().remove(0);
    assert_eq!(request.uri(), "https://firehose.us-east-1.amazonaws.com/");
    assert_eq!(request.headers()["x-amz-target"], "Firehose_20150804.PutRecordBatch");
    assert_eq!(request.headers()["content-type"], "application/x-amz-json-1.1");
    let body = String::from_utf8(request.into_body()).unwrap();
    assert_eq!(body, include_str!("../golden/put_record_batch.json").trim_end());
    let read: serde_json::Value = serde_json::from_str(&body).unwrap();
    let data = STANDARD.decode(read["Records"][1]["Data"].as_str().unwrap()).unwrap();
    let line: serde_json::Value = serde_json::from_slice(data.strip_suffix(b"\n").unwrap()).unwrap();
    assert_eq!(line["message"], "a \"quoted\"\nthing \u{1F600}");
    assert_eq!(line["Service"], "checkout");
}

#[test]
fn a_push_is_within_the_contract_as_it_goes_over_the_wire_unless_it_is_raised() {
    let text = "x".repeat(300);
    let messages = vec![&*text; 2_000];
    for (choice, bytes_max, pushes) in [
        (PushLimit::Contract, 32_768, 36..45),
        (PushLimit::Vendor, BODY_BYTES_MAX, 1..2),
        (PushLimit::Bytes(100_000), 100_000, 11..15),
    ] {
        let mut context = vars(&[]);
        context.push_limit = choice;
        let mut backend = Box::new(Firehose::new()).open(&context).unwrap();
        let batches = batches(&mut *backend, &context, &messages);
        assert!(pushes.contains(&batches.len()), "{choice:?}: {}", batches.len());
        for batch in batches {
            let script = Arc::new(Script::default()).answer(200, "{}");
            backend.send(&batch, &mut script.net(NOW_S));
            let body = script.asked().remove(0).0.into_body();
            assert!(body.len() <= bytes_max, "{choice:?}: {}", body.len());
        }
    }
}

#[test]
fn no_answer_is_tried_again_and_a_second_one_sends_beside_the_first() {
    let context = vars(&[]);
    let mut backend = Box::new(Firehose::new()).open(&context).unwrap();
    let batch = batches(&mut *backend, &context, &["x"]).remove(0);
    let script = Arc::new(Script::default()).then(Err(refused()));
    assert!(matches!(backend.send(&batch, &mut script.net(NOW_S)), Verdict::Retry { .. }));
    let mut other = backend.another().expect("a second one");
    script.answer(200, r#"{"FailedPutCount":0,"RequestResponses":[{"RecordId":"1"}]}"#);
    assert_eq!(other.send(&batch, &mut script.net(NOW_S)), Verdict::Delivered);
}

#[test]
fn settings_are_checked_at_open() {
    let error = |backend: Firehose, more: &[(&str, &str)]| {
        Box::new(backend).open(&vars(more)).map(|_| ()).unwrap_err().to_string()
    };
    let all = Firehose::new().stream("a.b-c_1").region("eu-west-1").aggregate(false).record_bytes(65_536);
    assert!(Box::new(all).open(&vars(&[])).is_ok());
    let without = context(&KEYS);
    let unset = Box::new(Firehose::new()).open(&without).map(|_| ()).unwrap_err().to_string();
    assert!(unset.starts_with("OPS_FIREHOSE_STREAM / .stream(..): is not set"), "{unset}");
    let table = [
        (Firehose::new().stream("a b"), &[][..], "OPS_FIREHOSE_STREAM"),
        (Firehose::new(), &[("OPS_FIREHOSE_AGGREGATE", "maybe")], "OPS_FIREHOSE_AGGREGATE"),
        (Firehose::new(), &[("OPS_FIREHOSE_RECORD_BYTES", "many")], "OPS_FIREHOSE_RECORD_BYTES"),
        (Firehose::new().record_bytes(1_024_001), &[], "OPS_FIREHOSE_RECORD_BYTES"),
        (Firehose::new().endpoint("nowhere"), &[], ".endpoint(..)"),
        (Firehose::new().region("no where"), &[], ".region(..)"),
    ];
    for (backend, more, setting) in table {
        let error = error(backend, more);
        assert!(error.starts_with(setting) && !error.contains("hidden"), "{error}");
    }
    assert!(Firehose::new().stream("x").again().is_some());
}
