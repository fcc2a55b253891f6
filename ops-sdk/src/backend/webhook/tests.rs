//! Requests as receivers get them, and settings.

use std::sync::Arc;

use serde_json::Value as Json;

use super::super::shared::tests::context;
use super::*;
use crate::backend::Configure;
use crate::chunk::chunk;
use crate::limits::PushLimit;
use crate::model::{Check, CheckStatus, Log, Value};
use crate::net::script::Script;

const NOW_S: u64 = 1_795_332_268;
const URL: (&str, &str) = ("OPS_WEBHOOK_URL", "https://hooks.example.com/hush/1?sig=hush");

fn open(vars: &[(&str, &str)]) -> Box<dyn Backend> {
    Box::new(Webhook::new()).open(&context(&[&[URL], vars].concat())).unwrap()
}

fn check(seq: u64, name: &'static str, status: CheckStatus, output: &'static str) -> Record<'static> {
    let fields = vec![("used".into(), Value::F64(0.8)), ("disk \"C\"".into(), Value::Null)];
    let body = Body::Check(Check { name: name.into(), status, output: output.into(), fields });
    Record { id: RecordId { process: 255, seq }, time_ns: NOW_S * 1_000_000_000, body }
}

fn batches(backend: &mut dyn Backend, records: &[Record<'_>]) -> Vec<Batch> {
    let mut items = Items::new();
    for record in records {
        items.begin(record.id, record.time_ms(), 0);
        backend.encode(record, &mut items).unwrap();
    }
    chunk(&items, &backend.limits().under(PushLimit::Contract), NOW_S * 1_000).batches
}

fn sent(vars: &[(&str, &str)], records: &[Record<'_>]) -> Vec<crate::net::Request> {
    let mut backend = open(vars);
    let script = Arc::new(Script::default());
    for batch in batches(&mut *backend, records) {
        script.answer(200, "ok");
        assert_eq!(backend.send(&batch, &mut script.net(NOW_S)), Verdict::Delivered);
    }
    script.asked().into_iter().map(|(request, _)| request).collect()
}

#[test]
fn the_templates_that_are_built_in() {
    let records = [check(3, "disk", CheckStatus::Critical, "80 % of \"C\" <!channel>\nfull")];
    let mut bodies = Vec::new();
    for template in ["generic", "slack"] {
        let body = sent(&[("OPS_WEBHOOK_TEMPLATE", template)], &records).remove(0).into_body();
        bodies.extend(body);
        bodies.push(b'\n');
    }
    assert_eq!(String::from_utf8(bodies).unwrap(), include_str!("../golden/webhook.jsonl"));
}

#[test]
fn a_request_for_each_signed_and_with_a_key_of_its_own() {
    let vars = [
        ("OPS_WEBHOOK_SECRET", "hush"),
        ("OPS_WEBHOOK_HEADERS", "Authorization: Bearer hush; X-Team: ops;"),
        ("OPS_WEBHOOK_METHOD", "put"),
        ("OPS_WEBHOOK_TEMPLATE", r#"{"a":{code}}"#),
    ];
    let records = [check(1, "disk", CheckStatus::Warning, "a"), check(2, "disk", CheckStatus::Ok, "b")];
    let requests = sent(&vars, &records);
    assert_eq!(requests.len(), 2);
    let request = &requests[0];
    assert_eq!((request.method(), request.body().as_slice()), (&Method::PUT, &b"{\"a\":1}"[..]));
    assert_eq!(request.uri(), URL.1);
    let header = |name: &str| request.headers()[name].to_str().unwrap();
    assert_eq!((header("authorization"), header("x-team")), ("Bearer hush", "ops"));
    assert_eq!(header("content-type"), "application/json");
    assert_eq!(header("idempotency-key"), "00000000000000ff-1");
    assert_eq!(requests[1].headers()["idempotency-key"], "00000000000000ff-2");
    // Within the same second of a script's clock, as in sign.rs.
    assert!(header("x-ops-signature").starts_with("t=1795332268,v1="));
    assert!(format!("{:?}", request.headers()).contains("Sensitive"));
}

#[test]
fn several_share_a_request_as_an_array() {
    let vars = [("OPS_WEBHOOK_ITEMS", "2"), ("OPS_WEBHOOK_TEMPLATE", r#"{"n":{name}}"#)];
    let records = ["a", "b", "c"].map(|name| check(1, name, CheckStatus::Ok, ""));
    let requests = sent(&vars, &records);
    let bodies: Vec<_> =
        requests.iter().map(|one| String::from_utf8_lossy(one.body()).into_owned()).collect();
    assert_eq!(bodies, [r#"[{"n":"a"},{"n":"b"}]"#, r#"[{"n":"c"}]"#]);
    assert_eq!(requests[0].headers()["idempotency-key"], "00000000000000ff-1+1");
    assert!(!requests[0].headers().contains_key("x-ops-signature"));
}

#[test]
fn errors_and_statuses_that_are_asked_for() {
    let log = |level| {
        let log = Log {
            level,
            target: "shop".into(),
            message: "it broke".into(),
            file: "".into(),
            line: 0,
            fields: Vec::new(),
        };
        Record { id: RecordId { process: 255, seq: 9 }, time_ns: NOW_S * 1_000_000_000, body: Body::Log(log) }
    };
    let plain = open(&[]);
    assert!(plain.accepts(Signal::Check) && !plain.accepts(Signal::Log) && !plain.accepts(Signal::Metric));
    assert_eq!(plain.declines(&check(1, "a", CheckStatus::Ok, "")), None);
    let vars = [("OPS_WEBHOOK_ERRORS", "1"), ("OPS_WEBHOOK_STATUSES", "warning, CRITICAL")];
    let wide = open(&vars);
    assert!(wide.accepts(Signal::Log));
    assert_eq!(wide.declines(&log(Level::Warn)), Some(Loss::Elsewhere));
    assert_eq!(wide.declines(&log(Level::Error)), None);
    assert_eq!(wide.declines(&check(1, "a", CheckStatus::Ok, "")), Some(Loss::Elsewhere));
    assert_eq!(wide.declines(&check(1, "a", CheckStatus::Critical, "")), None);
    let body = sent(&vars, &[log(Level::Error)]).remove(0).into_body();
    let body: Json = serde_json::from_slice(&body).unwrap();
    assert_eq!((body["name"].as_str(), body["status"].as_str()), (Some("shop"), Some("CRITICAL")));
    assert_eq!((body["output"].as_str(), body["signal"].as_str()), (Some("it broke"), Some("log")));
}

#[test]
fn settings_are_checked_at_open_and_no_message_shows_the_url() {
    let good = || Webhook::new().url(URL.1).secret("hush").header("X-Key", "hush");
    assert!(!format!("{:?}", good()).contains("hush"));
    assert!(good().again().is_some());
    assert!(Box::new(good()).open(&context(&[])).is_ok());
    let text = |text: &str| WebhookTemplate::Text(text.to_owned());
    let table = [
        (Webhook::new(), "OPS_WEBHOOK_URL: is not set"),
        (good().url("hush"), "OPS_WEBHOOK_URL"),
        (good().url("ftp://h/hush"), "OPS_WEBHOOK_URL"),
        (good().url("https://user:hush@h/"), "OPS_WEBHOOK_URL"),
        (good().url("https://h/hush hush"), "OPS_WEBHOOK_URL"),
        (good().method("GET"), "OPS_WEBHOOK_METHOD"),
        (good().template(text("{\"a\":\"{nmae}\"}")), "OPS_WEBHOOK_TEMPLATE: has a placeholder {nmae}"),
        (good().template(text("no JSON")), "OPS_WEBHOOK_TEMPLATE: is not JSON"),
        (good().header("a b", "hush"), "OPS_WEBHOOK_HEADERS"),
        (good().header("X-A", "hush\r\nX-B: c"), "OPS_WEBHOOK_HEADERS"),
        (good().header("Content-Length", "0"), "OPS_WEBHOOK_HEADERS: names content-length"),
        (good().signature_header("a\nb"), "OPS_WEBHOOK_SIGNATURE_HEADER"),
        (good().items(0), "OPS_WEBHOOK_ITEMS"),
    ];
    for (settings, expected) in table {
        let error = Box::new(settings).open(&context(&[])).map(|_| ()).unwrap_err().to_string();
        assert!(error.starts_with(expected) && !error.contains("hush"), "{error}");
    }
    for (variable, value) in [
        ("OPS_WEBHOOK_STATUSES", "fine"),
        ("OPS_WEBHOOK_ITEMS", "many"),
        ("OPS_WEBHOOK_HEADERS", "hush"),
        ("OPS_WEBHOOK_ERRORS", "maybe"),
    ] {
        let error =
            Box::new(good()).open(&context(&[(variable, value)])).map(|_| ()).unwrap_err().to_string();
        assert!(error.starts_with(variable) && !error.contains("hush"), "{error}");
    }
}
