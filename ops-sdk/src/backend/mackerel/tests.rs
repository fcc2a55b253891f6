//! What is sent where, and what becomes of it.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::super::shared::samples::{
    HOSTILE, NOW_S, audit, check, config, encoded, gauge, lines, log, metric, observed,
};
use super::super::shared::tests::context;
use super::sender::told;
use super::*;
use crate::model::{CheckStatus, Points, Unit, Value};
use crate::net::script::{Script, response};

const HOST: [(&str, &str); 4] = [
    ("MACKEREL_APIKEY", "hush-hush"),
    ("OPS_MACKEREL_HOST_ID", "2u4PP3TJqbu"),
    ("OPS_MACKEREL_SERVICE", "shop"),
    ("OPS_MACKEREL_ANNOTATE", "deploy, rollback"),
];
const SERVICE: [(&str, &str); 2] = [("MACKEREL_APIKEY", "hush-hush"), ("OPS_MACKEREL_SERVICE", "shop")];
const OK: &str = r#"{"success":true}"#;

fn open(vars: &[(&str, &str)]) -> Box<dyn Backend> {
    Box::new(Mackerel::new()).open(&context(vars)).unwrap()
}

fn all<'a>() -> Vec<Record<'a>> {
    vec![
        metric(
            1,
            "orders",
            Unit::Count,
            &[("Region", "eu"), ("Service", "checkout")],
            Points::Counter { sum: 7 },
        ),
        metric(2, "depth", Unit::Bytes, &[], gauge(2.5)),
        metric(3, "latency", Unit::Milliseconds, &[("Op", "a b")], observed(&[(1.0, 3), (2.0, 1)])),
        check(4, "db", CheckStatus::Critical, "no route", &[("tries", Value::U64(3))]),
        audit(5, "alice", "deploy", "shop/42"),
    ]
}

fn batch_of(backend: &mut dyn Backend, records: &[Record<'_>]) -> Batch {
    encoded(backend, records).unwrap().into_batch()
}

/// Paths and bodies.
fn sent(script: &Script) -> Vec<(String, Json)> {
    let read = |request: &crate::net::Request| {
        assert_eq!(request.headers()["x-api-key"], "hush-hush");
        (request.uri().path().to_owned(), serde_json::from_slice(request.body()).unwrap())
    };
    script.asked().iter().map(|(request, _)| read(request)).collect()
}

fn ok(times: usize) -> Arc<Script> {
    let script = Arc::new(Script::default());
    (0..times).for_each(|_| _ = script.answer(200, OK));
    script
}

#[test]
fn the_items_are_as_the_golden_file_has_them() {
    let written = lines(&mut *open(&HOST), &all()).join("\n");
    assert_eq!(written, include_str!("../golden/mackerel.txt").trim_end());
}

#[test]
fn one_request_has_all_metrics_and_graphs_are_defined_once() {
    let mut backend = open(&HOST);
    let batch = batch_of(&mut *backend, &all());
    let script = ok(4);
    assert_eq!(backend.send(&batch, &mut script.net(NOW_S)), Verdict::Delivered);
    let sent_first = sent(&script);
    let paths: Vec<_> = sent_first.iter().map(|(path, _)| path.as_str()).collect();
    let expected = [
        "/api/v0/tsdb",
        "/api/v0/graph-defs/create",
        "/api/v0/monitoring/checks/report",
        "/api/v0/graph-annotations",
    ];
    assert_eq!(paths, expected);
    let values = sent_first[0].1.as_array().unwrap();
    assert_eq!(values.len(), 1 + 1 + 8);
    let first = json!({ "hostId": "2u4PP3TJqbu", "name": "custom.orders.Region_eu.sum", "time": NOW_S / 60 * 60, "value": 7 });
    assert_eq!(values[0], first);
    let graphs = sent_first[1].1.as_array().unwrap();
    assert_eq!(graphs.len(), 3);
    let units: Vec<_> = graphs.iter().map(|graph| graph["unit"].as_str().unwrap()).collect();
    assert_eq!(units, ["bytes", "milliseconds", "integer"]);
    assert_eq!(sent_first[3].1["title"], "deploy shop/42: done");
    assert_eq!(sent_first[3].1["description"], "by alice (00000000000000ff-5) amount=12");
    // Nothing is new, so nothing is said of graphs.
    let script = ok(3);
    let batch = batch_of(&mut *backend, &all());
    assert_eq!(backend.send(&batch, &mut script.net(NOW_S)), Verdict::Delivered);
    assert!(sent(&script).iter().all(|(path, _)| !path.contains("graph-defs")));
}

#[test]
fn service_metrics_go_to_the_service_and_need_no_graphs() {
    let mut backend = open(&SERVICE);
    assert!(
        backend.accepts(Signal::Metric) && !backend.accepts(Signal::Check) && !backend.accepts(Signal::Audit)
    );
    let batch = batch_of(&mut *backend, &all()[..1]);
    let script = ok(1);
    assert_eq!(backend.send(&batch, &mut script.net(NOW_S)), Verdict::Delivered);
    let expected = json!([{ "name": "orders.Region_eu.sum", "time": NOW_S / 60 * 60, "value": 7 }]);
    assert_eq!(sent(&script), [("/api/v0/services/shop/tsdb".to_owned(), expected)]);
}

#[test]
fn graphs_that_were_not_defined_are_no_reason_to_lose_data_and_are_tried_again() {
    let mut backend = open(&HOST);
    let batch = batch_of(&mut *backend, &all()[..1]);
    let script = ok(1).answer(500, "oops").answer(200, OK).answer(200, OK);
    assert_eq!(backend.send(&batch, &mut script.net(NOW_S)), Verdict::Delivered);
    assert_eq!(backend.send(&batch, &mut script.net(NOW_S)), Verdict::Delivered);
    let paths: Vec<_> = sent(&script).into_iter().map(|(path, _)| path).collect();
    let both = ["/api/v0/tsdb", "/api/v0/graph-defs/create"];
    assert_eq!(paths, [both, both].concat());
}

#[test]
fn what_was_posted_of_a_minute_is_added_to_and_never_overwritten() {
    let mut backend = open(&SERVICE);
    for (sum, told, delivered) in [(7, 7.0, true), (5, 12.0, false), (5, 12.0, true), (1, 13.0, true)] {
        let record = metric(1, "orders", Unit::Count, &[], Points::Counter { sum });
        let batch = batch_of(&mut *backend, std::slice::from_ref(&record));
        let script = Arc::new(Script::default()).answer(if delivered { 200 } else { 500 }, OK);
        assert_eq!(backend.send(&batch, &mut script.net(NOW_S)) == Verdict::Delivered, delivered);
        assert_eq!(sent(&script)[0].1[0]["value"].as_f64(), Some(told));
    }
}

#[test]
fn reports_go_a_hundred_at_a_time_and_what_failed_is_sent_again_alone() {
    let mut backend = open(&HOST);
    let records: Vec<_> = (0..250).map(|n| check(n, "db", CheckStatus::Ok, "fine", &[])).collect();
    let batch = batch_of(&mut *backend, &records);
    let script = ok(1).answer(503, "").answer(200, OK);
    let verdict = backend.send(&batch, &mut script.net(NOW_S));
    assert_eq!(verdict, Verdict::Partial { failed: (100..200).collect(), refused: Vec::new() });
    let sizes: Vec<_> =
        sent(&script).iter().map(|(_, body)| body["reports"].as_array().unwrap().len()).collect();
    assert_eq!(sizes, [100, 100, 50]);
}

#[test]
fn what_mackerel_would_drop_in_silence_is_refused() {
    let mut backend = open(&HOST);
    let mut old = check(1, "db", CheckStatus::Ok, "fine", &[]);
    old.time_ns -= 6 * 3_600 * 1_000_000_000;
    let batch = batch_of(&mut *backend, &[old]);
    let Verdict::Partial { failed, refused } = backend.send(&batch, &mut ok(0).net(NOW_S)) else { panic!() };
    assert!(failed.is_empty() && refused[0].1.loss == Loss::TooOld);
    let mut old = metric(1, "orders", Unit::Count, &[], Points::Counter { sum: 1 });
    old.time_ns -= 24 * 3_600 * 1_000_000_000;
    let items = encoded(&mut *backend, &[old]).unwrap();
    let chunked = crate::chunk::chunk(&items, &backend.limits(), NOW_S * 1_000);
    assert_eq!((chunked.batches.len(), chunked.refused), (0, vec![(0, Loss::TooOld)]));
}

#[test]
fn only_chosen_actions_are_annotations_and_other_kinds_are_refused_by_name() {
    let mut backend = open(&HOST);
    assert_eq!(backend.declines(&audit(1, "alice", "deploy", "shop")), None);
    assert_eq!(backend.declines(&audit(1, "alice", "order.cancel", "shop")), Some(Loss::Elsewhere));
    assert!(!backend.accepts(Signal::Log) && !backend.accepts(Signal::Config));
    for record in [log(1, "x", &[]), config(2, "jobs")] {
        let error = encoded(&mut *backend, &[record]).unwrap_err().to_string();
        assert!(error.starts_with("Mackerel cannot express a "), "{error}");
    }
    assert_eq!(backend.pacing(), Pacing { linger: Duration::from_secs(60), every: Duration::from_secs(60) });
    assert!(backend.another().is_none());
}

#[test]
fn each_answer_has_its_verdict() {
    let kind = |status, body: &str, items| match told(&response(status, &[], body), NOW_S, items) {
        Verdict::Delivered => "delivered",
        Verdict::Halve => "halve",
        Verdict::Retry { after: Some(_), .. } => "operator",
        Verdict::Retry { .. } => "retry",
        Verdict::Throttle { .. } => "throttle",
        Verdict::Refuse(refusal) => refusal.loss.name(),
        other => panic!("{other:?}"),
    };
    let gigantic = "x".repeat(1 << 20);
    let table = [
        (200, OK, 3, "delivered"),
        (200, "", 3, "operator"),
        (200, "<html>log in</html>", 3, "operator"),
        (200, &gigantic, 3, "operator"),
        (302, "", 3, "operator"),
        (400, "{\"error\":\"x\"}", 3, "halve"),
        (400, "{\"error\":\"x\"}", 1, "refused"),
        (400, "Bad Request", 1, "operator"),
        (401, "", 3, "operator"),
        (403, "{}", 3, "operator"),
        (404, "{}", 3, "operator"),
        (413, "", 3, "halve"),
        (413, "", 1, "oversize"),
        (429, "", 3, "throttle"),
        (500, "", 3, "retry"),
        (503, "\0\u{1}", 3, "retry"),
    ];
    for (status, body, items, expected) in table {
        assert_eq!(kind(status, body, items), expected, "{status} {:.20}", body);
    }
}

#[test]
fn settings_are_checked_at_open_and_no_text_holds_the_key() {
    let key = || Mackerel::new().api_key("hush-hush");
    let table = [
        (Mackerel::new().service("s"), "OPS_MACKEREL_API_KEY: is not set"),
        (key(), "OPS_MACKEREL_SERVICE: is not set"),
        (key().service("a/../b"), "OPS_MACKEREL_SERVICE: "),
        (key().host_id("a\"b"), "OPS_MACKEREL_HOST_ID: "),
        (key().service("s").endpoint("nowhere"), "OPS_MACKEREL_ENDPOINT: "),
        (key().service("s").every(Duration::ZERO), "OPS_MACKEREL_EVERY_S: "),
        (key().host_id("h").annotate_actions("deploy"), "OPS_MACKEREL_SERVICE: "),
        (Mackerel::new().api_key("hush\nhush").service("s"), "OPS_MACKEREL_API_KEY: "),
    ];
    for (backend, expected) in table {
        let error = Box::new(backend).open(&context(&[])).map(|_| ()).unwrap_err().to_string();
        assert!(error.starts_with(expected) && !error.contains("hush"), "{error}");
    }
    assert!(!format!("{:?}", key()).contains("hush"));
    let prefixed = key().service("s").prefix("web.1 a").graph_definitions(false);
    let mut backend = Box::new(prefixed).open(&context(&[])).unwrap();
    assert!(lines(&mut *backend, &all()[..1])[0].contains("\"web.1_a.orders.Region_eu.sum\""));
}

#[test]
fn calls_make_downtimes_and_annotations() {
    let settings = Mackerel::new().api_key("hush-hush").endpoint("http://h");
    let script = Arc::new(Script::default()).answer(200, r#"{"id":"abc"}"#).answer(400, "{\"error\":\"no\"}");
    let downtime = Downtime {
        name: "disk \"swap\"".into(),
        start_unix_s: NOW_S,
        length: Duration::from_secs(61),
        services: vec!["shop".into(), "web".into()],
        ..Downtime::default()
    };
    let mut body = Vec::new();
    downtime.write(&mut body);
    let call =
        || settings.call(&mut script.net(NOW_S), ::http::Method::POST, "/api/v0/downtimes", body.clone());
    assert_eq!(call().unwrap(), "abc");
    let error = call().unwrap_err().to_string();
    assert_eq!(error, "mackerel: status 400: {\"error\":\"no\"}");
    let expected =
        json!({ "name": "disk \"swap\"", "start": NOW_S, "duration": 2, "serviceScopes": ["shop", "web"] });
    assert_eq!(sent(&script)[0].1, expected);
    assert!(settings.end_downtime("../x").unwrap_err().to_string().contains("no downtime's id"));
}

proptest! {
    #[test]
    fn names_are_of_few_letters_and_two_series_stay_two(name: String, key: String, value: String, other: String) {
        let names = Names::new(true, None, &[]);
        let of = |value: &str| {
            let record = metric(1, &name, Unit::None, &[(&key, value)], Points::Counter { sum: 1 });
            let Body::Metric(metric) = &record.body else { unreachable!() };
            names.of(metric)
        };
        let (one, two) = (of(&value), of(&other));
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        prop_assert!(one.chars().all(plain) && one.starts_with("custom."), "{}", one);
        prop_assert_eq!(one == two, value == other, "{} {}", one, two);
    }
}

#[test]
fn what_means_harm_stays_where_it_stands() {
    let records = [
        metric(1, HOSTILE, Unit::None, &[(HOSTILE, HOSTILE)], Points::Counter { sum: 1 }),
        check(2, HOSTILE, CheckStatus::Unknown, HOSTILE, &[(HOSTILE, Value::Str(HOSTILE.into()))]),
        audit(3, HOSTILE, HOSTILE, HOSTILE),
    ];
    let written = lines(&mut *open(&HOST), &records);
    let items: Vec<Json> =
        written.iter().map(|line| serde_json::from_str(&line[line.find('{').unwrap()..]).unwrap()).collect();
    assert_eq!((&items[1]["name"], &items[1]["status"]), (&json!(HOSTILE), &json!("UNKNOWN")));
    assert!(items[2]["title"].as_str().unwrap().contains(HOSTILE));
    for number in [f64::NAN, f64::INFINITY] {
        assert!(encoded(&mut *open(&HOST), &[metric(1, "g", Unit::None, &[], gauge(number))]).is_err());
    }
    let output = "é".repeat(5_000);
    let long = check(4, "db", CheckStatus::Warning, &output, &[]);
    let line = &lines(&mut *open(&HOST), &[long])[0];
    let item: Json = serde_json::from_str(&line[1..]).unwrap();
    let message = item["message"].as_str().unwrap();
    assert!(message.chars().count() == 1_023 && message.ends_with("é… (5000 characters)"), "{message}");
}
