//! Splunk's HTTP Event Collector, as far as it can be had here: a server that answers as the documentation says. What is
//! recorded by macros arrives once, typed, and the books balance, whatever the collector does in between.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ops_sdk::backend::{Context, by_name};
use ops_sdk::chunk::{Items, chunk};
use ops_sdk::clock::Now;
use ops_sdk::ledger::Row;
use ops_sdk::limits::PushLimit;
use ops_sdk::model::{Audit, Body, Record, RecordId, Signal, Value as Field};
use ops_sdk::net::Net;
use ops_sdk::prelude::*;
use ops_sdk::{Builder, Ops};
use ops_tests::cloud::init;
use ops_tests::rig::{Fault, Hec, HecSettings, Proxy};
use ops_tests::{SOON, assert_balanced, early_in_a_minute, turn, wait_until};
use serde_json::Value;

const TOKEN: &str = "hush-hush-token";
const EVENTS: u64 = 400;

fn settings() -> HecSettings {
    HecSettings {
        token: TOKEN.to_owned(),
        indexes: vec!["main".to_owned(), "metrics".to_owned()],
        acknowledges_after: None,
        content_bytes_max: 1_000_000,
    }
}

fn vars(url: &str) -> Vec<(&'static str, String)> {
    let vars = [
        ("OPS_BACKENDS", "splunk"),
        ("OPS_NAMESPACE", "Shop"),
        ("OPS_SPLUNK_URL", url),
        ("OPS_SPLUNK_TOKEN", TOKEN),
        ("OPS_SPLUNK_INDEX", "main"),
        ("OPS_SPLUNK_METRICS_INDEX", "metrics"),
    ];
    vars.map(|(name, value)| (name, value.to_owned())).to_vec()
}

fn builder(url: &str, more: &[(&'static str, &str)]) -> Builder {
    let more = more.iter().map(|(name, value)| (*name, (*value).to_owned()));
    init(vars(url).into_iter().chain(more).collect()).dimension("Service", "checkout").linger(SOON)
}

fn record() {
    for n in 0..EVENTS {
        info!("event {n} of \"many\"", n);
        counter!("events", 1, "Rest" => n % 4);
    }
}

fn assert_delivered(ops: &Ops) {
    let report = ops.flush(SOON);
    assert!(report.complete, "{report:?}");
    let stats = ops.stats();
    assert_balanced(&stats);
    let rows: Vec<_> = stats.books.iter().flat_map(|book| &book.rows).collect();
    assert!(rows.iter().all(|row| row.recorded == row.delivered), "{rows:?}");
}

/// The numbers of the events that were indexed, in order of the number.
fn numbers(hec: &Hec) -> Vec<u64> {
    let mut numbers: Vec<u64> = hec.events().iter().filter_map(|event| event["n"].as_u64()).collect();
    numbers.sort_unstable();
    numbers
}

fn total(hec: &Hec) -> f64 {
    hec.measures("events").iter().map(|(value, _)| value).sum()
}

fn assert_exact(hec: &Hec) {
    assert_eq!(numbers(hec), (0..EVENTS).collect::<Vec<_>>());
    assert!((total(hec) - EVENTS as f64).abs() < f64::EPSILON);
}

#[test]
fn events_and_metrics_arrive_typed() {
    let _turn = turn();
    let hec = Hec::start(settings());
    let ops = builder(&hec.url(), &[]).start().expect("recording starts");
    early_in_a_minute();
    let before_s = Now::read().unix_ms() as f64 / 1_000.0;
    record();
    warn!("line \"one\"\nand two", ratio = 0.5, name = "ünï");
    gauge!("depth", 7, unit = Percent);
    (1..=100).for_each(|n| histogram!("latency", n, unit = Milliseconds));
    assert_delivered(&ops);
    drop(ops);
    assert_exact(&hec);
    let indexed = hec.indexed();
    let line = |one: &&ops_tests::rig::Indexed| one.object["event"]["name"] == "ünï";
    let event = indexed.iter().find(line).expect("the line");
    assert_eq!(event.index, "main");
    assert!((before_s - 1.0..before_s + 60.0).contains(&event.time), "{}", event.time);
    assert_eq!(event.object["event"]["message"], "line \"one\"\nand two");
    assert_eq!(event.object["event"]["ratio"].as_f64(), Some(0.5));
    assert_eq!(event.object["event"]["level"], "WARN");
    assert_eq!(event.object["fields"]["Service"], "checkout");
    assert_eq!((&event.object["source"], &event.object["sourcetype"]), (&"Shop".into(), &"_json".into()));
    let ids: BTreeSet<String> = hec.events().iter().map(|event| event["id"].to_string()).collect();
    assert_eq!(ids.len(), hec.events().len(), "each has an id of its own");
    let depth = hec.measures("depth").remove(0);
    assert_eq!(
        (depth.0, &depth.1["unit"], &depth.1["Service"]),
        (7.0, &"Percent".into(), &"checkout".into())
    );
    assert_eq!(hec.measures("latency.count")[0].0, 100.0);
    assert_eq!(hec.measures("latency.sum")[0].0, 5_050.0);
    assert_eq!(hec.measures("latency.p99")[0].0, 99.0);
    let is_metric = |one: &&ops_tests::rig::Indexed| one.object["event"] == "metric";
    assert!(indexed.iter().filter(is_metric).all(|one| one.index == "metrics"));
    let pushes = hec.requests();
    assert!(pushes.iter().all(|push| push.decoded.as_ref().is_some_and(|body| body.len() <= 32_768)));
    assert!(pushes.iter().any(|push| push.header("content-encoding") == Some("gzip")));
}

#[test]
fn an_over_long_event_arrives_as_parts_that_join() {
    let _turn = turn();
    let hec = Hec::start(settings());
    let ops = builder(&hec.url(), &[]).start().expect("recording starts");
    let text = "long \"quoted\" \\ words\n".repeat(4_000);
    info!("{text}");
    assert_delivered(&ops);
    drop(ops);
    let parts = hec.events().into_iter().filter_map(|event| event.as_str().map(str::to_owned));
    let joined = ops_sdk::parts::join(parts).expect("all parts");
    let event: Value = serde_json::from_slice(&joined[0].bytes).expect("a line");
    assert_eq!((joined.len(), event["message"].as_str()), (1, Some(text.as_str())));
}

/// Records while these faults meet the first pushes, one after the other; then everything has arrived once.
fn exact_after(faults: impl IntoIterator<Item = Fault>) {
    let _turn = turn();
    let hec = Hec::start(settings());
    let proxy = Proxy::start(&hec.url());
    let ops = builder(&proxy.url(), &[]).start().expect("recording starts");
    proxy.script(faults);
    record();
    assert_delivered(&ops);
    drop(ops);
    assert_eq!(proxy.steps_left(), 0, "every fault was met");
    assert_exact(&hec);
}

#[test]
fn trouble_is_waited_out() {
    exact_after([
        Fault::answer(503, r#"{"text":"Server is busy","code":9}"#).with("Retry-After", "1"),
        Fault::answer(500, r#"{"text":"Internal server error","code":8}"#),
        Fault::answer(429, ""),
        Fault::answer(502, "<html>bad gateway</html>"),
    ]);
}

#[test]
fn requests_that_are_cut_off_or_too_large_arrive_once() {
    exact_after([Fault::CutUnsent, Fault::CutUnread, Fault::answer(413, ""), Fault::CutUnsent]);
}

#[test]
fn an_answer_that_is_lost_leads_to_duplicates_that_are_told_by_their_ids() {
    let _turn = turn();
    let hec = Hec::start(settings());
    let proxy = Proxy::start(&hec.url());
    let ops = builder(&proxy.url(), &[]).start().expect("recording starts");
    proxy.script([Fault::CutAnswer]);
    record();
    assert_delivered(&ops);
    drop(ops);
    let events = hec.events();
    let ids: BTreeSet<String> = events.iter().map(|event| event["id"].to_string()).collect();
    let distinct: BTreeSet<u64> = numbers(&hec).into_iter().collect();
    assert!(events.len() > ids.len() || total(&hec) > EVENTS as f64, "the push was taken twice");
    assert_eq!(distinct, (0..EVENTS).collect());
}

#[test]
fn what_is_before_a_bad_object_is_kept_and_after_it_sent_again() {
    let _turn = turn();
    let hec = Hec::start(settings());
    let dir = tempfile::tempdir().expect("a directory");
    let ops = builder(&hec.url(), &[]).state_dir(dir.path()).start().expect("recording starts");
    hec.takes_for_broken("event 17 of");
    hec.takes_for_broken("event 18 of");
    hec.takes_for_broken("event 390 of");
    record();
    assert!(ops.flush(SOON).complete);
    let stats = ops.stats();
    assert_balanced(&stats);
    let row: &Row = stats.books[0].rows.iter().find(|row| row.signal == Signal::Log).expect("a row");
    assert_eq!((row.recorded, row.delivered, row.dead_lettered), (EVENTS, EVENTS - 3, 3), "{row:?}");
    drop(ops);
    let expected: Vec<u64> = (0..EVENTS).filter(|n| ![17, 18, 390].contains(n)).collect();
    assert_eq!(numbers(&hec), expected, "each once");
    let letters = std::fs::read_to_string(dir.path().join("dead-letter/splunk.jsonl")).expect("the letters");
    let letters: Vec<Value> = letters.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(letters.len(), 3);
    assert!(
        letters.iter().all(|letter| letter["why"].as_str().is_some_and(|why| why.contains("\"code\":6")))
    );
    assert!(!format!("{letters:?}").contains("hush"));
}

#[test]
fn a_wrong_index_waits_for_the_operator_and_loses_nothing() {
    let _turn = turn();
    let hec = Hec::start(settings());
    let other = [("OPS_SPLUNK_METRICS_INDEX", "elsewhere")];
    let vars: Vec<_> = vars(&hec.url()).into_iter().filter(|(name, _)| *name != other[0].0).collect();
    let vars = vars.into_iter().chain(other.map(|(name, value)| (name, value.to_owned()))).collect();
    let dir = tempfile::tempdir().expect("a directory");
    let ops = init(vars).state_dir(dir.path()).linger(SOON).start().expect("recording starts");
    info!("first");
    assert!(ops.flush(SOON).complete);
    counter!("events", 1);
    assert!(!ops.flush(Duration::from_millis(500)).complete);
    wait_until("the index is refused", || hec.requests().len() > 1);
    let stats = ops.stats();
    assert_balanced(&stats);
    let rows: Vec<_> = stats.books.iter().flat_map(|book| &book.rows).collect();
    assert!(rows.iter().all(|row| row.dead_lettered == 0 && row.dropped.is_empty()), "{rows:?}");
    assert!(rows.iter().any(|row| row.pending > 0), "{rows:?}");
    drop(ops);
    assert_eq!(hec.events().len(), 1, "and what was delivered is not sent again");
}

#[test]
fn with_acknowledgements_a_push_is_delivered_when_it_is_indexed() {
    let _turn = turn();
    let hec = Hec::start(HecSettings { acknowledges_after: Some(2), ..settings() });
    let ops = builder(&hec.url(), &[("OPS_SPLUNK_ACK", "1")]).start().expect("recording starts");
    (0..50u64).for_each(|n| info!("event {n}", n));
    assert_delivered(&ops);
    drop(ops);
    assert_eq!(
        numbers(&hec),
        (0..50).collect::<Vec<_>>(),
        "each once, though it was asked for over and over"
    );
    let (asked, sent): (Vec<_>, Vec<_>) =
        hec.requests().into_iter().partition(|one| one.path.contains("/ack?"));
    assert!(asked.len() >= 3 * sent.len(), "{} questions for {} pushes", asked.len(), sent.len());
    assert!(asked.iter().all(|one| one.path.contains("channel=")));
}

#[test]
fn an_acknowledgement_whose_answer_is_lost_is_waited_for_and_then_sent_again() {
    let _turn = turn();
    let hec = Hec::start(HecSettings { acknowledges_after: Some(0), ..settings() });
    let proxy = Proxy::start(&hec.url());
    let more = [("OPS_SPLUNK_ACK", "1"), ("OPS_SPLUNK_ACK_TIMEOUT_SECONDS", "5")];
    let ops = builder(&proxy.url(), &more).start().expect("recording starts");
    // The push passes; that it is indexed is told once, and that answer is lost.
    proxy.script([Fault::Pass, Fault::CutAnswer]);
    info!("event 1", n = 1);
    assert_delivered(&ops);
    drop(ops);
    assert_eq!(numbers(&hec), [1, 1], "there twice, with one id");
}

#[test]
fn a_wrong_token_waits_for_the_operator() {
    let _turn = turn();
    let hec = Hec::start(HecSettings { token: "another".to_owned(), ..settings() });
    let dir = tempfile::tempdir().expect("a directory");
    let ops = builder(&hec.url(), &[]).state_dir(dir.path()).start().expect("recording starts");
    info!("waits");
    assert!(!ops.flush(Duration::from_millis(300)).complete);
    wait_until("the token is refused", || !hec.requests().is_empty());
    let stats = ops.stats();
    assert_balanced(&stats);
    let row = stats.books[0].rows.iter().find(|row| row.signal == Signal::Log).expect("a row");
    assert_eq!((row.pending, row.delivered, row.dead_lettered), (row.recorded, 0, 0));
}

/// Audit records have no macro yet: straight through the seam.
#[test]
fn audit_records_are_events() {
    let hec = Hec::start(settings());
    let vars = vars(&hec.url());
    let var = move |asked: &str| vars.iter().find(|(name, _)| *name == asked).map(|(_, value)| value.clone());
    let context = Context {
        namespace: "Shop".to_owned(),
        dimensions: Vec::new(),
        process: 1,
        host: "h1".to_owned(),
        name: None,
        state_dir: None,
        push_limit: PushLimit::default(),
        var: Arc::new(var),
    };
    let mut backend = by_name("splunk").expect("it is compiled in").open(&context).expect("it opens");
    let now = Now::read();
    let mut items = Items::new();
    let id = RecordId { process: 1, seq: 1 };
    let body = Body::Audit(Audit {
        actor: "alice".into(),
        action: "order.cancel".into(),
        resource: "order/17".into(),
        outcome: "done".into(),
        fields: vec![("amount".into(), Field::I64(12))],
    });
    items.begin(id, now.unix_ms(), 0);
    backend
        .encode(&Record { id, time_ns: now.unix_ns, body }, &mut items)
        .expect("an audit record is an event");
    let limits = backend.limits().under(PushLimit::default());
    let verdict = backend.send(&chunk(&items, &limits, now.unix_ms()).batches[0], &mut Net::new(now));
    assert_eq!(verdict, ops_sdk::backend::Verdict::Delivered);
    let event = hec.events().remove(0);
    assert_eq!((event["actor"].as_str(), event["amount"].as_i64()), (Some("alice"), Some(12)));
    assert_eq!(event["id"], id.to_string());
}
