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
use crate::net::script::Script;

const DONE: &str = r#"{"FailedRecordCount":0,"Records":[{"SequenceNumber":"1","ShardId":"s"}]}"#;

fn vars<'a>(more: &[(&'a str, &'a str)]) -> Context {
    context(&[&KEYS[..], &[(STREAM, "ops")], more].concat())
}

fn batches(backend: &mut dyn Backend, context: &Context, messages: &[&str]) -> Vec<Batch> {
    let mut items = Items::new();
    for (seq, message) in messages.iter().enumerate() {
        let log = Log {
            level: Level::Info,
            target: "shop".into(),
            message: (*message).into(),
            file: "".into(),
            line: 0,
            fields: Vec::new(),
        };
        let id = RecordId { process: 255, seq: seq as u64 + 1 };
        let record = Record { id, time_ns: NOW_S * 1_000_000_000, body: Body::Log(log) };
        items.begin(record.id, record.time_ms(), seq as u32);
        backend.encode(&record, &mut items).unwrap();
    }
    let chunked = chunk(&items, &backend.limits().under(context.push_limit), NOW_S * 1_000);
    assert!(chunked.refused.is_empty());
    chunked.batches
}

/// The body of the one request that sends these messages.
fn body(backend: Kinesis, messages: &[&str]) -> String {
    let context = vars(&[]);
    let mut backend = Box::new(backend).open(&context).unwrap();
    let batch = batches(&mut *backend, &context, messages).remove(0);
    let script = Arc::new(Script::default()).answer(200, DONE);
    assert_eq!(backend.send(&batch, &mut script.net(NOW_S)), Verdict::Delivered);
    let (request, _) = script.asked().remove(0);
    assert_eq!(request.uri(), "https://kinesis.us-east-1.amazonaws.com/");
    assert_eq!(request.headers()["x-amz-target"], "Kinesis_20131202.PutRecords");
    String::from_utf8(request.into_body()).unwrap()
}

fn data(body: &str, at: usize) -> Vec<u8> {
    let read: serde_json::Value = serde_json::from_str(body).unwrap();
    STANDARD.decode(read["Records"][at]["Data"].as_str().unwrap()).unwrap()
}

#[test]
fn the_bodies_are_as_the_golden_file_has_them() {
    let messages = ["plain", "a \"quoted\"\nthing \u{1F600}"];
    let kpl = Kinesis::new().packing(KinesisPacking::Kpl).key(PartitionKey::Text("a \"key\"".into()));
    let off = Kinesis::new().packing(KinesisPacking::Off).key(PartitionKey::Record);
    let arn = Kinesis::new().stream("arn:aws:kinesis:us-east-1:123456789012:stream/ops");
    let bodies = [arn, kpl, off].map(|backend| body(backend, &messages));
    let golden: Vec<&str> = include_str!("../golden/put_records.jsonl").lines().collect();
    assert_eq!(bodies.each_ref().map(String::as_str)[..], golden[..]);
    let lines = String::from_utf8(data(&bodies[0], 0)).unwrap();
    assert!(lines.ends_with("}\n") && lines.lines().count() == 2);
    assert!(data(&bodies[1], 0).starts_with(&[0xF3, 0x89, 0x9A, 0xC2]));
    assert_eq!([data(&bodies[2], 0), data(&bodies[2], 1)].concat(), lines.as_bytes());
}

#[test]
fn a_request_has_one_record_of_a_process_however_large_it_may_be() {
    let text = "x".repeat(1_000);
    let messages = vec![&*text; 3_000];
    for packing in [KinesisPacking::Lines, KinesisPacking::Kpl] {
        for (choice, bytes_max) in [(PushLimit::Contract, 32_768), (PushLimit::Vendor, BODY_BYTES_CLASSIC)] {
            let mut context = vars(&[]);
            context.push_limit = choice;
            let mut backend = Box::new(Kinesis::new().packing(packing)).open(&context).unwrap();
            assert!(backend.another().is_none());
            for batch in batches(&mut *backend, &context, &messages) {
                let script = Arc::new(Script::default()).answer(200, DONE);
                assert_eq!(backend.send(&batch, &mut script.net(NOW_S)), Verdict::Delivered);
                let body = String::from_utf8(script.asked().remove(0).0.into_body()).unwrap();
                let read: serde_json::Value = serde_json::from_str(&body).unwrap();
                assert_eq!(read["Records"].as_array().unwrap().len(), 1);
                assert_eq!(read["Records"][0]["PartitionKey"], "00000000000000ff");
                assert!(body.len() <= bytes_max && data(&body, 0).len() + 16 <= RECORD_BYTES_DEFAULT);
            }
        }
    }
}

#[test]
fn requests_go_side_by_side_where_there_is_no_order() {
    let open = |key| Box::new(Kinesis::new().key(key)).open(&vars(&[])).unwrap();
    assert!(open(PartitionKey::Record).another().is_some());
    assert!(open(PartitionKey::Text("all".into())).another().is_none());
}

#[test]
fn settings_are_checked_at_open() {
    let open = |backend: Kinesis, more: &[(&str, &str)]| Box::new(backend).open(&vars(more)).map(|_| ());
    let more = [
        ("OPS_KINESIS_PACKING", "kpl"),
        ("OPS_KINESIS_KEY", "record"),
        ("OPS_KINESIS_RECORD_BYTES", "40000"),
    ];
    assert!(open(Kinesis::new().region("eu-west-1"), &more).is_ok());
    let long = "x".repeat(129);
    let arn = "arn:aws:kinesis:us-east-1:123:stream/ops";
    let table = [
        (Kinesis::new().stream(long), &[][..], "OPS_KINESIS_STREAM / .stream(..)"),
        (Kinesis::new().stream(arn), &[], "OPS_KINESIS_STREAM / .stream(..)"),
        (Kinesis::new().stream("arn:aws:s3:::bucket"), &[], "OPS_KINESIS_STREAM / .stream(..)"),
        (Kinesis::new(), &[("OPS_KINESIS_PACKING", "zip")], "OPS_KINESIS_PACKING"),
        (Kinesis::new(), &[("OPS_KINESIS_KEY", "host")], "OPS_KINESIS_KEY"),
        (Kinesis::new().record_bytes(1), &[], "OPS_KINESIS_RECORD_BYTES"),
        (Kinesis::new().endpoint("nowhere"), &[], ".endpoint(..)"),
    ];
    for (backend, more, setting) in table {
        let error = open(backend, more).unwrap_err().to_string();
        assert!(error.starts_with(setting) && !error.contains("hidden"), "{error}");
    }
    let unset = Box::new(Kinesis::new()).open(&context(&KEYS)).map(|_| ()).unwrap_err().to_string();
    assert!(unset.starts_with("OPS_KINESIS_STREAM / .stream(..): is not set"), "{unset}");
    assert!(Kinesis::new().again().is_some());
}
