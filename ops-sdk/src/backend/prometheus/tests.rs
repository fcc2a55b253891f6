//! The backend scraped by hand and pushing to a scripted server. Prometheus itself is spoken to in
//! `tests/tests/prometheus.rs`.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use super::super::shared::tests::context;
use super::registry::tests::{counted, metric, observed, set};
use super::write::tests::read;
use super::*;
use crate::chunk::chunk;
use crate::limits::PushLimit;
use crate::model::{RecordId, Unit};
use crate::net::Request;
use crate::net::script::{Script, refused, response};

/// 2026-11-22T07:24:28Z.
const NOW_S: u64 = 1_795_332_268;
const WRITE: [(&str, &str); 2] =
    [("OPS_PROMETHEUS_REMOTE_WRITE", "http://p:9090/api/v1/write"), ("OPS_PROMETHEUS_TOKEN", "hush")];

fn record<'a>(name: &'a str, points: Points, minute: u64) -> Record<'a> {
    let body = Body::Metric(metric(name, Unit::Count, &[("Region", "eu")], points));
    Record {
        id: RecordId { process: 255, seq: 1 },
        time_ns: (NOW_S - 600 + 60 * minute) * 1_000_000_000,
        body,
    }
}

fn batch(backend: &mut dyn Backend, records: &[Record<'_>]) -> Batch {
    let mut items = Items::new();
    for (place, record) in records.iter().enumerate() {
        items.begin(record.id, record.time_ms(), place as u32);
        backend.encode(record, &mut items).unwrap();
    }
    let mut chunked = chunk(&items, &backend.limits().under(PushLimit::Contract), NOW_S * 1_000);
    assert_eq!((chunked.batches.len(), chunked.refused.len()), (1, 0));
    chunked.batches.remove(0)
}

fn pushing(vars: &[(&str, &str)]) -> Box<dyn Backend> {
    Box::new(Prometheus::new()).open(&context(&[&WRITE[..], vars].concat())).unwrap()
}

fn scrape(address: SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nAccept: text/plain\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// What is pushed, unpacked.
fn told(request: &Request) -> std::collections::BTreeMap<String, Vec<(f64, u64)>> {
    read(&snap::raw::Decoder::new().decompress_vec(request.body()).unwrap())
}

const ORDERS: &str = "Region=eu,__name__=orders_total,instance=h1/00000000000000ff,job=checkout";

#[test]
fn a_scrape_reads_what_was_delivered_and_siblings_share_the_port() {
    let settings = Prometheus::new().listen("127.0.0.1:0");
    assert_eq!(settings.address(), None);
    let mut first = Box::new(settings.clone()).open(&context(&[])).unwrap();
    let address = settings.address().unwrap();
    let mut second = settings.again().unwrap().open(&context(&[])).unwrap();
    assert_eq!(settings.address(), Some(address));
    let mut net = Arc::new(Script::default()).net(Now::read().unix_ns / 1_000_000_000);
    for (backend, sum) in [(&mut first, 3), (&mut second, 4)] {
        let batch =
            batch(backend.as_mut(), &[record("orders", counted(sum), 0), record("depth", set(2.5), 0)]);
        assert_eq!(backend.send(&batch, &mut net), Verdict::Delivered);
    }
    let got = scrape(address);
    assert!(
        got.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"),
        "{got}"
    );
    assert!(
        got.contains("\norders_total{Region=\"eu\"} 7\n") && got.contains("\ndepth{Region=\"eu\"} 2.5\n"),
        "{got}"
    );
    drop(first);
    assert!(scrape(address).contains(" 7\n"));
    // What nothing is told of for an hour is not shown any more, whether something else is shipped or not.
    scraped(
        &Asked { path: PATH.into(), ..Asked::default() },
        &mut settings.shared.core().registry.lock(),
        u64::MAX,
    );
    assert!(!scrape(address).contains("orders"));
    drop(second);
    assert_eq!((settings.address(), TcpStream::connect(address).is_err()), (None, true));
}

#[test]
fn a_push_is_what_the_specification_says_and_totals_rise() {
    let mut backend = pushing(&[]);
    let batch = batch(backend.as_mut(), &[record("orders", counted(3), 0), record("orders", counted(4), 1)]);
    let script = Arc::new(Script::default()).answer(204, "").answer(204, "");
    assert_eq!(backend.send(&batch, &mut script.net(NOW_S)), Verdict::Delivered);
    let asked = script.asked();
    let request = &asked[0].0;
    let header = |name: &str| request.headers()[name].to_str().unwrap();
    assert_eq!((request.uri().to_string().as_str(), header("content-encoding")), (WRITE[0].1, "snappy"));
    assert_eq!(header("content-type"), "application/x-protobuf");
    assert_eq!(
        (header("x-prometheus-remote-write-version"), header("authorization")),
        ("0.1.0", "Bearer hush")
    );
    assert!(!format!("{request:?}").contains("hush"));
    backend.send(&batch.select(|place| place == 1), &mut script.net(NOW_S));
    let start_ms = (NOW_S - 600) * 1_000;
    assert_eq!(told(&script.asked()[0].0)[ORDERS], [(11.0, start_ms + 120_001)]);
}

#[test]
fn what_was_not_taken_is_in_no_total_and_is_the_same_when_sent_again() {
    let mut backend = pushing(&[]);
    let batch = batch(backend.as_mut(), &[record("orders", counted(3), 0)]);
    let throttled = response(429, &[("retry-after", "7")], "");
    let script =
        Arc::new(Script::default()).then(Err(refused())).answer(503, "").then(Ok(throttled)).answer(204, "");
    let mut sent = || backend.send(&batch, &mut script.net(NOW_S));
    assert!(matches!(sent(), Verdict::Retry { after: None, .. }));
    assert!(matches!(sent(), Verdict::Retry { .. }));
    let after = Some(std::time::Duration::from_secs(7));
    assert!(matches!(sent(), Verdict::Throttle { after: asked, .. } if asked == after));
    assert_eq!(sent(), Verdict::Delivered);
    let tries: Vec<_> = script.asked().iter().map(|(request, _)| told(request)[ORDERS].clone()).collect();
    let start_ms = (NOW_S - 600) * 1_000;
    assert!(tries.iter().all(|samples| samples == &[(0.0, start_ms), (3.0, start_ms + 60_000)]), "{tries:?}");
}

#[test]
fn what_may_have_been_taken_before_is_told_by_its_last_samples() {
    let mut backend = pushing(&[]);
    let two =
        [record("orders", counted(3), 0), record("orders", counted(4), 1), record("depth", set(2.5), 0)];
    let batch = batch(backend.as_mut(), &two);
    let script =
        Arc::new(Script::default()).then(Err(refused())).answer(400, "out of order sample").answer(204, "");
    assert!(matches!(backend.send(&batch, &mut script.net(NOW_S)), Verdict::Retry { .. }));
    assert_eq!(backend.send(&batch, &mut script.net(NOW_S)), Verdict::Delivered);
    let asked = script.asked();
    let start_ms = (NOW_S - 600) * 1_000;
    let last = told(&asked[2].0);
    assert_eq!((asked.len(), last.len(), &last[ORDERS]), (3, 2, &vec![(7.0, start_ms + 120_000)]));
    // Nothing is in doubt any more: what is refused now is refused.
    let script = Arc::new(Script::default()).answer(400, "out of order sample");
    assert_eq!(backend.send(&batch, &mut script.net(NOW_S)), Verdict::Halve);
    assert_eq!(script.asked().len(), 1);
}

#[test]
fn one_bad_sample_costs_only_itself() {
    let mut backend = pushing(&[]);
    let all = batch(backend.as_mut(), &[record("a", counted(1), 0), record("b", counted(1), 0)]);
    let script =
        Arc::new(Script::default()).answer(400, "out of order").answer(400, "out of order").answer(204, "");
    assert_eq!(backend.send(&all, &mut script.net(NOW_S)), Verdict::Halve);
    let first = backend.send(&all.select(|place| place == 0), &mut script.net(NOW_S));
    let Verdict::Partial { failed, refused } = first else { panic!("{first:?}") };
    assert_eq!((failed.len(), refused[0].0, refused[0].1.why.as_str()), (0, 0, "status 400: out of order"));
    assert_eq!(backend.send(&all.select(|place| place == 1), &mut script.net(NOW_S)), Verdict::Delivered);
}

#[test]
fn requests_keep_the_push_limit_and_the_order() {
    let mut backend = pushing(&[("OPS_PROMETHEUS_INSTANCE", "i")]);
    let names: Vec<String> = (0..200).map(|n| format!("latency.{n:03}")).collect();
    let records: Vec<_> = names.iter().map(|name| record(name, observed(&[1.0, 40.0]), 0)).collect();
    let batch = batch(backend.as_mut(), &records);
    let script = Arc::new(Script::default());
    (0..3).for_each(|_| _ = script.answer(204, ""));
    let Verdict::Partial { failed, refused } = backend.send(&batch, &mut script.net(NOW_S)) else { panic!() };
    let asked = script.asked();
    assert_eq!((asked.len(), refused.len()), (4, 0), "the fourth comes to no answer");
    let sizes: Vec<usize> =
        asked.iter().map(|(request, _)| snap::raw::decompress_len(request.body()).unwrap()).collect();
    assert!(sizes.iter().all(|size| (20_000..=32_768).contains(size)), "{sizes:?}");
    let taken = asked[..3]
        .iter()
        .map(|(request, _)| told(request).keys().filter(|key| key.contains("_count")).count());
    assert_eq!(taken.sum::<usize>() + failed.len(), 200);
    assert!(failed.is_sorted() && failed.last() == Some(&199));
}

#[test]
fn what_is_no_item_and_what_is_too_much_is_refused_by_itself() {
    let settings = Prometheus::new().listen("127.0.0.1:0").series_max(1);
    let mut backend = Box::new(settings).open(&context(&[])).unwrap();
    let mut all = batch(backend.as_mut(), &[record("a", counted(1), 0), record("b", counted(1), 0)]);
    all.push(0, RecordId::default(), 2, b"garbage");
    let verdict = backend.send(&all, &mut Arc::new(Script::default()).net(NOW_S));
    let Verdict::Partial { failed, refused } = verdict else { panic!("{verdict:?}") };
    assert_eq!((failed.len(), refused.iter().map(|(place, _)| *place).collect::<Vec<_>>()), (0, vec![1, 2]));
    let gauge = Points::Gauge { last: f64::NAN, min: 0.0, max: 0.0, sum: 0.0, count: 1 };
    let mut items = Items::new();
    assert!(backend.encode(&record("a", gauge, 0), &mut items).is_err());
    let never = Points::Gauge { last: f64::NAN, min: 0.0, max: 0.0, sum: 0.0, count: 0 };
    backend.encode(&record("a", never, 0), &mut items).unwrap();
    assert!(items.is_empty());
}

#[test]
fn settings_are_checked_at_open() {
    let table = [
        ("OPS_PROMETHEUS_LISTEN", "9464"),
        ("OPS_PROMETHEUS_REMOTE_WRITE", "p:9090"),
        ("OPS_PROMETHEUS_BUCKETS", "1,1"),
        ("OPS_PROMETHEUS_BUCKETS", "1,inf"),
        ("OPS_PROMETHEUS_BUCKETS", "many"),
        ("OPS_PROMETHEUS_SERIES_MAX", "0"),
        ("OPS_PROMETHEUS_SERIES_IDLE_S", "-1"),
    ];
    for (variable, value) in table {
        let error =
            Box::new(Prometheus::new()).open(&context(&[(variable, value)])).err().unwrap().to_string();
        assert!(error.starts_with(variable), "{error}");
    }
    let both = [WRITE[0], ("OPS_PROMETHEUS_LISTEN", "127.0.0.1:0")];
    let error = Box::new(Prometheus::new()).open(&context(&both)).err().unwrap().to_string();
    assert!(error.starts_with("OPS_PROMETHEUS_LISTEN, OPS_PROMETHEUS_REMOTE_WRITE: "), "{error}");
    for headers in ["hush", "a b: hush", "Host: hush", "Content-Encoding: hush", "X-A: hush\u{0}"] {
        let vars = [WRITE[0], ("OPS_PROMETHEUS_HEADERS", headers)];
        let error = Box::new(Prometheus::new()).open(&context(&vars)).err().unwrap().to_string();
        assert!(error.starts_with("OPS_PROMETHEUS_HEADERS") && !error.contains("hush"), "{error}");
    }
    let told = Prometheus::new().token("hush").header("x-key", "hush").remote_write("http://p");
    assert!(!format!("{told:?}").contains("hush"));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let settings = Prometheus::new().listen(taken.local_addr().unwrap().to_string());
    let error = Box::new(settings).open(&context(&[])).err().unwrap().to_string();
    assert!(error.starts_with("OPS_PROMETHEUS_LISTEN") && error.contains("choose another port"), "{error}");
}
