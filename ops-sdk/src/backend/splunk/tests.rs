//! Objects as the collector takes them, settings, and pushes that are kept in part or acknowledged late.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::Value as Json;

use super::super::shared::tests::context;
use super::*;
use crate::backend::{Configure, Context};
use crate::chunk::chunk;
use crate::clock::Now;
use crate::limits::PushLimit;
use crate::model::{Audit, Distribution, Level, Log, Metric, Points, Resolution, Unit, Value};
use crate::net::script::Script;

const NOW_S: u64 = 1_795_332_268;
const VARS: [(&str, &str); 2] =
    [("OPS_SPLUNK_URL", "https://splunk:8088"), ("OPS_SPLUNK_TOKEN", "hush-hush")];

fn open(vars: &[(&str, &str)]) -> Box<dyn Backend> {
    Box::new(Splunk::new()).open(&context(&[&VARS, vars].concat())).unwrap()
}

fn record(seq: u64, body: Body<'_>) -> Record<'_> {
    Record { id: RecordId { process: 255, seq }, time_ns: NOW_S * 1_000_000_000 + 123_456_789, body }
}

fn log(message: &str) -> Body<'_> {
    Body::Log(Log {
        level: Level::Warn,
        target: "shop".into(),
        message: message.into(),
        file: "src/x.rs".into(),
        line: 7,
        fields: vec![("amount".into(), Value::I64(12))],
    })
}

fn metric<'a>(name: &'a str, dimensions: &[(&'a str, &'a str)], points: Points) -> Body<'a> {
    Body::Metric(Metric {
        name: name.into(),
        unit: Unit::Milliseconds,
        resolution: Resolution::Standard,
        window_ms: 60_000,
        dimensions: dimensions.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
        points,
    })
}

fn observed(values: impl IntoIterator<Item = (f64, u64)>) -> Points {
    let mut distribution = Distribution::default();
    values.into_iter().for_each(|(value, n)| distribution.observe(value, n));
    Points::Histogram(distribution)
}

fn batches(backend: &mut dyn Backend, bodies: Vec<Body<'_>>) -> Vec<Batch> {
    let mut items = Items::new();
    for (body, seq) in bodies.into_iter().zip(1..) {
        let record = record(seq, body);
        items.begin(record.id, record.time_ms(), 0);
        backend.encode(&record, &mut items).unwrap();
    }
    chunk(&items, &backend.limits().under(PushLimit::Contract), NOW_S * 1_000).batches
}

/// The bodies of what was pushed, ungzipped.
fn bodies(script: &Script) -> Vec<String> {
    let asked = script.asked();
    asked
        .iter()
        .map(|(request, _)| {
            let body = request.body();
            match request.headers().get("content-encoding") {
                None => String::from_utf8(body.clone()).unwrap(),
                Some(_) => std::io::read_to_string(flate2::read::GzDecoder::new(&body[..])).unwrap(),
            }
        })
        .collect()
}

fn net_at(script: &Arc<Script>, seconds: u64) -> Net {
    let mut net = script.net(NOW_S);
    let now = Now { unix_ns: NOW_S * 1_000_000_000, mono_ns: seconds * 1_000_000_000 };
    net.begin(now, Duration::from_secs(30));
    net
}

#[test]
fn objects_are_as_the_collector_takes_them() {
    let vars =
        [("OPS_SPLUNK_INDEX", "main"), ("OPS_SPLUNK_METRICS_INDEX", "metrics"), ("OPS_SPLUNK_GZIP", "0")];
    let mut backend = open(&vars);
    let (min, max, sum) = (1.0, 4.0, 7.0);
    let audit = Body::Audit(Audit {
        actor: "alice".into(),
        action: "order.cancel".into(),
        resource: "order/17".into(),
        outcome: "done".into(),
        fields: Vec::new(),
    });
    let bodies_in = vec![
        log("a \"quoted\"\nthing"),
        audit,
        metric("orders", &[("Region", "eu"), ("host", "h9")], Points::Counter { sum: 12 }),
        metric("depth", &[], Points::Gauge { last: 2.5, min: 2.5, max: 2.5, sum: 2.5, count: 1 }),
        metric("depth", &[("unit", "own")], Points::Gauge { last: 2.0, min, max, sum, count: 3 }),
        metric("latency", &[("Region", "eu")], observed((1..=100).map(|n| (f64::from(n), 1)))),
    ];
    let batch = batches(&mut *backend, bodies_in).remove(0);
    let script = Arc::new(Script::default()).answer(200, r#"{"text":"Success","code":0}"#);
    assert_eq!(backend.send(&batch, &mut script.net(NOW_S)), Verdict::Delivered);
    let body = bodies(&script).remove(0);
    assert_eq!(body, include_str!("../golden/splunk.jsonl"));
    let objects: Vec<Json> = body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(objects[0]["time"].as_f64(), Some(1_795_332_268.123));
    assert_eq!(objects[0]["fields"]["Service"], "checkout");
    assert_eq!(objects[0]["event"]["message"], "a \"quoted\"\nthing");
    assert_eq!(objects[2]["fields"]["dim_host"], "h9");
}

#[test]
fn a_request_says_who_and_over_which_channel() {
    let mut backend = open(&[]);
    let batch = batches(&mut *backend, vec![log(&"x".repeat(2_000))]).remove(0);
    let script = Arc::new(Script::default()).answer(200, r#"{"text":"Success","code":0}"#);
    assert_eq!(backend.send(&batch, &mut script.net(NOW_S)), Verdict::Delivered);
    let asked = script.asked();
    let request = &asked[0].0;
    assert_eq!(request.uri(), "https://splunk:8088/services/collector/event");
    assert_eq!(request.headers()["authorization"], "Splunk hush-hush");
    assert_eq!(request.headers()["x-splunk-request-channel"], "00000000-0000-80ff-8000-0000000000ff");
    assert_eq!(request.headers()["content-encoding"], "gzip");
    assert!(request.body().len() < 500);
}

#[test]
fn an_over_long_event_goes_as_parts_that_join() {
    let mut backend = open(&[]);
    let message = "a \"quoted\\\" thing\n".repeat(5_000);
    let batches = batches(&mut *backend, vec![log(&message)]);
    assert!(batches.len() > 2);
    let script = Arc::new(Script::default());
    for batch in &batches {
        script.answer(200, r#"{"text":"Success","code":0}"#);
        assert_eq!(backend.send(batch, &mut script.net(NOW_S)), Verdict::Delivered);
    }
    let bodies = bodies(&script);
    assert!(bodies.iter().all(|body| body.len() <= 32_768), "{:?}", bodies.iter().map(String::len).max());
    let parts = bodies
        .iter()
        .flat_map(|body| body.lines())
        .map(|line| serde_json::from_str::<Json>(line).unwrap()["event"].as_str().unwrap().to_owned());
    let whole = parts::join(parts).unwrap();
    assert_eq!(whole.len(), 1);
    assert_eq!(serde_json::from_slice::<Json>(&whole[0].bytes).unwrap()["message"], message);
}

#[test]
fn a_metric_that_is_no_number_or_no_object_is_refused_with_the_reason() {
    let mut backend = open(&[]);
    let mut why = |body| backend.encode(&record(1, body), &mut Items::new()).map_err(|error| error.0);
    let gauge = |last| Points::Gauge { last, min: 0.0, max: 0.0, sum: 0.0, count: 1 };
    assert_eq!(why(metric("a", &[], gauge(f64::NAN))), Err("Splunk takes no NaN as a measure".to_owned()));
    let twice = metric("a", &[("host", "1"), ("dim_host", "2")], Points::Counter { sum: 1 });
    assert!(why(twice).unwrap_err().contains("\"dim_host\" would be there twice"));
    assert_eq!(why(metric("a", &[("_x", "")], gauge(1.0))), Ok(()));
}

#[test]
fn what_is_before_a_bad_object_is_not_sent_again() {
    let mut backend = open(&[]);
    let batch = batches(&mut *backend, vec![log("a"), log("b"), log("c")]).remove(0);
    let bad = r#"{"text":"Invalid data format","code":6,"invalid-event-number":1}"#;
    let script = Arc::new(Script::default()).answer(400, bad);
    let Verdict::Partial { failed, refused } = backend.send(&batch, &mut script.net(NOW_S)) else { panic!() };
    assert_eq!((failed, refused.len(), refused[0].0), (vec![2], 1, 1));
    assert_eq!(refused[0].1.why, format!("status 400: {bad}"));
}

#[test]
fn a_push_is_delivered_when_it_is_acknowledged_and_sent_once() {
    let mut backend = open(&[("OPS_SPLUNK_ACK", "1")]);
    let batch = batches(&mut *backend, vec![log("a")]).remove(0);
    let script = Arc::new(Script::default())
        .answer(200, r#"{"text":"Success","code":0,"ackId":4}"#)
        .answer(200, r#"{"acks":{"4":false}}"#)
        .answer(503, "")
        .answer(200, r#"{"acks":{"4":true}}"#);
    let later = backend.send(&batch, &mut net_at(&script, 1));
    assert!(matches!(later, Verdict::Throttle { after: Some(_), .. }), "{later:?}");
    // The one beside it knows as much.
    let mut another = backend.another().unwrap();
    assert!(matches!(another.send(&batch, &mut net_at(&script, 2)), Verdict::Retry { .. }));
    assert_eq!(backend.send(&batch, &mut net_at(&script, 3)), Verdict::Delivered);
    let paths: Vec<_> = script.asked().iter().map(|(request, _)| request.uri().to_string()).collect();
    let ask = "https://splunk:8088/services/collector/ack?channel=00000000-0000-80ff-8000-0000000000ff";
    assert_eq!(paths, ["https://splunk:8088/services/collector/event", ask, ask, ask]);
    // What was acknowledged is forgotten: the same bytes again are another push.
    script.answer(200, r#"{"text":"Success","code":0,"ackId":5}"#).answer(200, r#"{"acks":{"5":true}}"#);
    assert_eq!(backend.send(&batch, &mut net_at(&script, 4)), Verdict::Delivered);
    assert_eq!(script.asked()[1].0.body(), b"{\"acks\":[5]}");
}

#[test]
fn an_acknowledgement_that_does_not_come_is_waited_for_so_long() {
    let mut backend = open(&[("OPS_SPLUNK_ACK", "1"), ("OPS_SPLUNK_ACK_TIMEOUT_SECONDS", "10")]);
    let batch = batches(&mut *backend, vec![log("a")]).remove(0);
    let script = Arc::new(Script::default());
    script.answer(200, r#"{"text":"Success","code":0,"ackId":4}"#).answer(200, r#"{"acks":{"4":false}}"#);
    backend.send(&batch, &mut net_at(&script, 1));
    script.answer(200, r#"{"text":"Success","code":0,"ackId":5}"#).answer(200, r#"{"acks":{"5":true}}"#);
    assert_eq!(backend.send(&batch, &mut net_at(&script, 12)), Verdict::Delivered);
    let pushes = script.asked().iter().filter(|(request, _)| request.uri().path().ends_with("event")).count();
    assert_eq!(pushes, 2);
}

#[test]
fn a_token_without_acknowledgements_does_not_make_duplicates() {
    let mut backend = open(&[("OPS_SPLUNK_ACK", "1")]);
    let batch = batches(&mut *backend, vec![log("a")]).remove(0);
    let script = Arc::new(Script::default()).answer(200, r#"{"text":"Success","code":0}"#);
    assert_eq!(backend.send(&batch, &mut script.net(NOW_S)), Verdict::Delivered);
}

#[test]
fn settings_are_checked_at_open() {
    let error = |settings: Splunk, vars: &[(&str, &str)]| {
        Box::new(settings).open(&context(vars)).map(|_| ()).unwrap_err().to_string()
    };
    assert!(error(Splunk::new(), &[]).starts_with("OPS_SPLUNK_URL: is not set; give"));
    let only_url = Splunk::new().url("https://h:8088");
    assert!(error(only_url.clone(), &[]).starts_with("OPS_SPLUNK_TOKEN: is not set; give"));
    let whole = only_url.token("hush-hush");
    let table = [
        (whole.clone().url("h:8088"), "OPS_SPLUNK_URL"),
        (whole.clone().token("hush\r\nX: y"), "OPS_SPLUNK_TOKEN"),
        (whole.clone().channel("no-guid"), "OPS_SPLUNK_CHANNEL"),
        (whole.clone().index("No Index"), "OPS_SPLUNK_INDEX"),
        (whole.clone().metrics_index("-x"), "OPS_SPLUNK_METRICS_INDEX"),
        (whole.clone().host("a\nb"), "OPS_SPLUNK_HOST"),
        (whole.clone().source("a\0b"), "OPS_SPLUNK_SOURCE"),
        (whole.clone().sourcetype("a\tb"), "OPS_SPLUNK_SOURCETYPE"),
        (whole.clone().acknowledge(true).ack_timeout(Duration::ZERO), "OPS_SPLUNK_ACK_TIMEOUT_SECONDS"),
    ];
    for (settings, setting) in table {
        assert!(!format!("{settings:?}").contains("hush"));
        let error = error(settings, &[]);
        assert!(error.starts_with(setting) && !error.contains("hush"), "{error}");
    }
    for (variable, value) in [("OPS_SPLUNK_ACK", "maybe"), ("OPS_SPLUNK_GZIP", "maybe")] {
        assert!(error(whole.clone(), &[(variable, value)]).starts_with(variable));
    }
    let soon = [("OPS_SPLUNK_ACK", "1"), ("OPS_SPLUNK_ACK_TIMEOUT_SECONDS", "soon")];
    assert!(error(whole.clone(), &soon).starts_with("OPS_SPLUNK_ACK_TIMEOUT_SECONDS"));
    let full = whole.gzip(false).index("main").host("h").source("s").sourcetype("t").metrics_index("m");
    assert!(full.again().is_some());
    assert!(Box::new(full).open(&context(&[])).is_ok());
}

#[test]
fn the_variables_and_urls_that_splunks_users_know() {
    for url in
        ["https://h:8088/", "https://h:8088/services/collector", "https://h:8088/services/collector/event"]
    {
        let vars = [("SPLUNK_HEC_URL", url), ("SPLUNK_HEC_TOKEN", "t")];
        let mut backend = Box::new(Splunk::new()).open(&context(&vars)).unwrap();
        let batch = batches(&mut *backend, vec![log("a")]).remove(0);
        let script = Arc::new(Script::default());
        backend.send(&batch, &mut script.net(NOW_S));
        assert_eq!(script.asked()[0].0.uri(), "https://h:8088/services/collector/event");
    }
}

proptest! {
    /// Whatever names and texts hold, one record is one object, of the kind that it is.
    #[test]
    fn no_text_makes_another_object(name: String, key: String, value: String, message: String) {
        let mut backend = open(&[("OPS_SPLUNK_GZIP", "0")]);
        let bodies_in = vec![metric(&name, &[(&key, &value)], Points::Counter { sum: 1 }), log(&message)];
        let Some(batch) = batches(&mut *backend, bodies_in).pop() else { return Ok(()) };
        let script = Arc::new(Script::default()).answer(200, r#"{"text":"Success","code":0}"#);
        prop_assert_eq!(backend.send(&batch, &mut script.net(NOW_S)), Verdict::Delivered);
        let body = bodies(&script).remove(0);
        let objects: Vec<Json> = serde_json::Deserializer::from_str(&body).into_iter().collect::<Result<_, _>>().unwrap();
        prop_assert_eq!(objects.len(), 2);
        prop_assert_eq!(&objects[0]["event"], "metric");
        let fields = objects[0]["fields"].as_object().unwrap();
        let measures = fields.keys().filter(|key| key.starts_with("metric_name:")).count();
        prop_assert_eq!((measures, fields.len()), (1, if key == "unit" { 2 } else { 3 }));
        prop_assert_eq!(&objects[1]["event"]["message"], &message);
    }
}

#[test]
fn a_push_may_be_as_large_as_the_service_takes() {
    let wide = Context { push_limit: PushLimit::Vendor, ..context(&VARS) };
    let mut backend = Box::new(Splunk::new()).open(&wide).unwrap();
    let limits = backend.limits().under(PushLimit::Vendor);
    assert_eq!(limits.cost(limits.item_bytes_max), 900_000);
    let mut items = Items::new();
    backend.encode(&record(1, log(&"x".repeat(800_000))), &mut items).unwrap();
    assert_eq!(items.len(), 1, "not in parts");
}
