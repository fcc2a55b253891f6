//! Lines as the service takes them, and settings.

use std::sync::Arc;

use super::super::aws::tests::{KEYS, NOW_S, context};
use super::*;
use crate::chunk::chunk;
use crate::limits::PushLimit;
use crate::model::{Body, Level, Log, RecordId, Value};
use crate::net::script::Script;

#[test]
fn a_record_becomes_an_event_and_arrives_as_it_was() {
    let mut open = Box::new(CloudWatchLogs::new()).open(&context(&KEYS)).unwrap();
    assert!(open.accepts(Signal::Log) && open.accepts(Signal::Audit) && !open.accepts(Signal::Metric));
    let log = Log {
        level: Level::Warn,
        target: "shop".into(),
        message: "a \"quoted\" thing".into(),
        file: "src/x.rs".into(),
        line: 7,
        fields: Vec::new(),
    };
    let id = RecordId { process: 255, seq: 3 };
    let record = Record { id, time_ns: NOW_S * 1_000_000_000, body: Body::Log(log) };
    let mut items = Items::new();
    items.begin(id, record.time_ms(), 0);
    open.encode(&record, &mut items).unwrap();
    let limits = open.limits().under(PushLimit::Contract);
    let chunked = chunk(&items, &limits, NOW_S * 1_000);
    let script = Arc::new(Script::default()).answer(200, "{}");
    assert_eq!(open.send(&chunked.batches[0], &mut script.net(NOW_S)), Verdict::Delivered);
    let body: serde_json::Value = serde_json::from_slice(script.asked()[0].0.body()).unwrap();
    let line: serde_json::Value =
        serde_json::from_str(body["logEvents"][0]["message"].as_str().unwrap()).unwrap();
    assert_eq!(line["message"], "a \"quoted\" thing");
    assert_eq!((line["level"].as_str(), line["Service"].as_str()), (Some("WARN"), Some("checkout")));
    assert_eq!(line["id"], id.to_string());
}

#[test]
fn settings_are_checked_at_open() {
    let open = |backend: CloudWatchLogs| Box::new(backend).open(&context(&KEYS)).map(|_| ());
    assert!(
        open(CloudWatchLogs::new().group("/a").stream("b").retention_days(None).region("eu-west-1")).is_ok()
    );
    let table = [
        (CloudWatchLogs::new().group("a b"), "OPS_CLOUDWATCH_LOGS_GROUP"),
        (CloudWatchLogs::new().stream("a*"), "OPS_CLOUDWATCH_LOGS_STREAM"),
        (CloudWatchLogs::new().retention_days(2), "OPS_CLOUDWATCH_LOGS_RETENTION_DAYS"),
        (CloudWatchLogs::new().endpoint("nowhere"), ".endpoint(..)"),
        (CloudWatchLogs::new().region("no where"), ".region(..)"),
    ];
    for (backend, setting) in table {
        let error = open(backend).unwrap_err().to_string();
        assert!(error.starts_with(setting), "{error}");
    }
}

fn log(message: &str, fields: Vec<(&'static str, Value<'static>)>) -> Record<'static> {
    let log = Log {
        level: Level::Info,
        target: "shop::db".into(),
        message: message.to_owned().into(),
        file: "src/x.rs".into(),
        line: 7,
        fields: fields.into_iter().map(|(key, value)| (key.into(), value)).collect(),
    };
    let id = RecordId { process: 255, seq: 3 };
    Record { id, time_ns: NOW_S * 1_000_000_000, body: Body::Log(log) }
}

fn encoded(backend: &mut dyn Backend, record: &Record<'_>) -> Items {
    let mut items = Items::new();
    items.begin(record.id, record.time_ms(), 0);
    backend.encode(record, &mut items).unwrap();
    items
}

#[test]
fn parts_of_an_over_long_line_are_all_for_its_stream_and_within_the_limit() {
    let told = CloudWatchLogs::new().stream_by("{host}/{target}");
    let mut open = Box::new(told).open(&context(&KEYS)).unwrap();
    let limits = open.limits().under(PushLimit::Contract);
    let text = "ü\"".repeat(40_000);
    let items = encoded(open.as_mut(), &log(&text, vec![]));
    let chunked = chunk(&items, &limits, NOW_S * 1_000);
    assert!(chunked.refused.is_empty() && items.len() > 3);
    let mut messages = Vec::new();
    for batch in &chunked.batches {
        let script = Arc::new(Script::default()).answer(200, "{}");
        assert_eq!(open.send(batch, &mut script.net(NOW_S)), Verdict::Delivered);
        let body: serde_json::Value = serde_json::from_slice(script.asked()[0].0.body()).unwrap();
        assert_eq!(body["logStreamName"], "h1/shop--db");
        for event in body["logEvents"].as_array().unwrap() {
            messages.push(event["message"].as_str().unwrap().to_owned());
        }
    }
    let joined = parts::join(messages).unwrap();
    let line: serde_json::Value = serde_json::from_slice(&joined[0].bytes).unwrap();
    assert_eq!((joined.len(), line["message"].as_str()), (1, Some(text.as_str())));
}

#[test]
fn order_is_kept_by_one_push_after_the_other() {
    let beside = |backend: CloudWatchLogs, vars: &[(&str, &str)]| {
        let vars = [&KEYS[..], vars].concat();
        Box::new(backend).open(&context(&vars)).unwrap().another().is_some()
    };
    assert!(beside(CloudWatchLogs::new(), &[]));
    assert!(!beside(CloudWatchLogs::new(), &[("OPS_CLOUDWATCH_LOGS_ORDERED", "1")]));
    assert!(!beside(CloudWatchLogs::new().ordered(true), &[]));
    assert!(beside(CloudWatchLogs::new().ordered(false), &[("OPS_CLOUDWATCH_LOGS_ORDERED", "1")]));
}

#[test]
fn the_member_that_an_endpoint_reads_the_time_from_is_the_endpoints() {
    let record = log("m", vec![("timestamp", Value::U64(7))]);
    for (ingest, key) in
        [(Ingest::Json, "fields.timestamp"), (Ingest::Hlc, "timestamp"), (Ingest::Put, "timestamp")]
    {
        let mut open = Box::new(CloudWatchLogs::new().ingest(ingest)).open(&context(&KEYS)).unwrap();
        let items = encoded(open.as_mut(), &record);
        let line: serde_json::Value = serde_json::from_slice(items.get(0).unwrap().1).unwrap();
        assert_eq!(line[key], 7, "{ingest:?}");
    }
}

#[test]
fn a_token_is_in_no_text_of_the_settings() {
    let told = CloudWatchLogs::new().token("ACWL-hush").ingest(Ingest::Json);
    assert!(!format!("{told:?}").contains("hush"));
    let opened = Box::new(told.stream("s").token("ACWL\nhush")).open(&context(&KEYS));
    let error = opened.err().unwrap().to_string();
    assert!(
        error.starts_with("OPS_CLOUDWATCH_LOGS_TOKEN / .token(..): ") && !error.contains("hush"),
        "{error}"
    );
}
