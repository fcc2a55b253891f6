//! Lines as the service takes them, and settings.

use std::sync::Arc;

use super::super::aws::tests::{KEYS, NOW_S, context};
use super::*;
use crate::chunk::chunk;
use crate::limits::PushLimit;
use crate::model::{Body, Level, Log, RecordId};
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
