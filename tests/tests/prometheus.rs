//! Prometheus itself: it scrapes what the macros record, takes it by remote write, and says by its own API what it has.
//!
//! Needs the Debian package `prometheus`; `tests/run` installs it, and where it cannot, says so and sets
//! `OPS_WITHOUT_PROMETHEUS`. A server is started for each test, bound to 127.0.0.1, on a directory of its own.
#![cfg(target_os = "linux")]

use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use ops_sdk::Ops;
use ops_sdk::backend::{Backend, Context, Prometheus, Verdict, by_name};
use ops_sdk::chunk::{Items, chunk};
use ops_sdk::clock::Now;
use ops_sdk::limits::PushLimit;
use ops_sdk::model::{Body, Metric, Points, Record, RecordId, Resolution, Unit};
use ops_sdk::net::Net;
use ops_sdk::prelude::*;
use ops_tests::cloud::init;
use ops_tests::rig::{Fault, Port, Proxy};
use ops_tests::{SOON, assert_balanced, turn, wait_until};
use serde_json::Value;

const STEPS: u32 = 200;
const QUEUE: &str = "a \"b\"\\\nc größe";

/// A server of one test's own.
struct Server {
    child: Child,
    url: String,
    _port: Port,
    _dir: tempfile::TempDir,
}

impl Server {
    /// Starts one that scrapes these addresses each second.
    fn start(scraped: &[String]) -> Server {
        let dir = tempfile::tempdir().expect("a directory");
        let (config, data) = (dir.path().join("prometheus.yml"), dir.path().join("data"));
        let targets = scraped.join("\", \"");
        let text = format!(
            "global:\n  scrape_interval: 1s\nscrape_configs:\n  - job_name: scraped\n    static_configs:\n      - targets: [\"{targets}\"]\n"
        );
        std::fs::write(&config, if scraped.is_empty() { "global: {}\n".to_owned() } else { text })
            .expect("written");
        let port = Port::keep();
        // Killed with the test, should that be killed.
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "prometheus", "--web.enable-remote-write-receiver"])
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", data.display()))
            .arg(format!("--web.listen-address={}", port.address()))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the package prometheus: install it, or set OPS_WITHOUT_PROMETHEUS");
        let server = Server { child, url: format!("http://{}", port.address()), _port: port, _dir: dir };
        wait_until("prometheus is ready", || ureq::get(format!("{}/-/ready", server.url)).call().is_ok());
        server
    }

    /// What a query gives now: labels and value of each series.
    fn query(&self, query: &str) -> Vec<(Value, f64)> {
        let answer = ureq::get(format!("{}/api/v1/query", self.url)).query("query", query).call();
        let text = answer.expect("an answer").body_mut().read_to_string().expect("text");
        let answer: Value = serde_json::from_str(&text).expect("JSON");
        let found = answer["data"]["result"].as_array().expect("series").iter();
        let read = |one: &Value| {
            let value = one["value"][1].as_str().expect("text").parse().expect("a number");
            (one["metric"].clone(), value)
        };
        found.map(read).collect()
    }

    /// The sum of a query, which is what it is once `expected` is there.
    fn comes_to(&self, query: &str, expected: f64) {
        let sum = || self.query(query).iter().map(|(_, value)| value).sum::<f64>();
        wait_until(&format!("{query} is {expected}"), || (sum() - expected).abs() < 1e-9);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = (self.child.kill(), self.child.wait());
    }
}

fn is_missing() -> bool {
    std::env::var_os("OPS_WITHOUT_PROMETHEUS").is_some()
}

fn step(n: u32) {
    counter!("orders.accepted", 2, unit = Count, "Region" => if n.is_multiple_of(2) { "eu" } else { "us" });
    let queue = QUEUE.to_owned(); // literals are held to CloudWatch's rules
    gauge!("depth", f64::from(n) / 4.0, "Queue" => queue.as_str());
    histogram!("latency", n, unit = Milliseconds);
}

fn finish(ops: &Ops) {
    let report = ops.flush(SOON);
    assert!(report.complete, "{report:?}");
    assert_balanced(&ops.stats());
}

/// What the steps come to.
fn check(server: &Server) {
    server.comes_to("orders_accepted_total", f64::from(2 * STEPS));
    let orders = server.query("orders_accepted_total");
    assert_eq!(orders.len(), 2);
    assert!(
        orders.iter().all(|(labels, value)| labels["Service"] == "checkout" && *value == f64::from(STEPS))
    );
    server.comes_to("depth", f64::from(STEPS) / 4.0);
    assert_eq!(server.query("depth")[0].0["Queue"], QUEUE);
    server.comes_to("latency_seconds_count", f64::from(STEPS));
    server.comes_to("latency_seconds_sum", f64::from(STEPS * (STEPS + 1) / 2) / 1e3);
    // Whole numbers up to 255 are told exactly, so bounds divide them exactly.
    for (bound, count) in [("0.005", 5.0), ("0.05", 50.0), ("0.1", 100.0), ("0.25", 200.0), ("+Inf", 200.0)] {
        server.comes_to(&format!("latency_seconds_bucket{{le=\"{bound}\"}}"), count);
    }
    let median = server.query("histogram_quantile(0.5, latency_seconds_bucket)")[0].1;
    assert!((0.05..=0.1).contains(&median), "{median}");
}

/// What a scrape reads in this format, and its content type.
fn scrape(address: &str, accept: &str) -> (String, String) {
    let mut answer =
        ureq::get(format!("http://{address}/metrics")).header("Accept", accept).call().expect("an answer");
    let content_type = answer.headers()["content-type"].to_str().expect("text").to_owned();
    (answer.body_mut().read_to_string().expect("text"), content_type)
}

#[test]
fn a_scrape_reads_what_the_macros_record() {
    if is_missing() {
        return;
    }
    let _turn = turn();
    let settings = Prometheus::new().listen("127.0.0.1:0");
    let ops = init(vec![("OPS_SELF_METRICS", "off".to_owned())]).dimension("Service", "checkout");
    let ops = ops.backend(settings.clone()).start().expect("recording starts");
    let address = settings.address().expect("it listens").to_string();
    (1..=STEPS / 2).for_each(step);
    finish(&ops);
    let server = Server::start(std::slice::from_ref(&address));
    server.comes_to("orders_accepted_total", f64::from(STEPS));
    (STEPS / 2 + 1..=STEPS).for_each(step);
    finish(&ops);
    check(&server);
    assert_eq!(server.query("up")[0].1, 1.0);
    let metadata = ureq::get(format!("{}/api/v1/metadata", server.url))
        .call()
        .expect("an answer")
        .body_mut()
        .read_to_string();
    let metadata: Value = serde_json::from_str(&metadata.expect("text")).expect("JSON");
    let latency = &metadata["data"]["latency_seconds"][0];
    assert_eq!((latency["type"].as_str(), latency["unit"].as_str()), (Some("histogram"), Some("seconds")));

    let (text, content_type) = scrape(&address, "text/plain");
    assert_eq!(content_type, "text/plain; version=0.0.4; charset=utf-8");
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool, of the same package");
    promtool.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("written");
    let output = promtool.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{}\n{text}", String::from_utf8_lossy(&output.stderr));
    let (text, content_type) = scrape(&address, "application/openmetrics-text");
    assert_eq!(content_type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert!(text.ends_with("# EOF\n") && text.contains("\n# UNIT latency_seconds seconds\n"), "{text}");
    drop(ops);
    assert!(ureq::get(format!("http://{address}/metrics")).call().is_err(), "the port is free again");
}

#[test]
fn remote_write_arrives_over_faults() {
    if is_missing() {
        return;
    }
    let _turn = turn();
    let server = Server::start(&[]);
    let proxy = Proxy::start(&server.url);
    proxy.script([
        Fault::CutUnsent,
        Fault::answer(503, "").with("Retry-After", "0"),
        Fault::answer(429, "").with("Retry-After", "0"),
        Fault::CutAnswer, // the samples are there, and are sent again
    ]);
    let vars = vec![
        ("OPS_BACKENDS", "prometheus".to_owned()),
        ("OPS_SELF_METRICS", "off".to_owned()),
        ("OPS_PROMETHEUS_REMOTE_WRITE", format!("{}/api/v1/write", proxy.url())),
    ];
    let ops = init(vars).dimension("Service", "checkout").start().expect("recording starts");
    (1..=STEPS / 2).for_each(step);
    finish(&ops);
    (STEPS / 2 + 1..=STEPS).for_each(step);
    finish(&ops);
    assert_eq!(proxy.steps_left(), 0);
    check(&server);
    let orders = server.query("orders_accepted_total");
    assert!(
        orders.iter().all(|(labels, _)| labels["job"] == "checkout" && labels["instance"].is_string()),
        "{orders:?}"
    );
    // The zero that a series begins with is what makes its first increase one.
    assert!(server.query("sum(increase(orders_accepted_total[5m]))")[0].1 > f64::from(STEPS));
    let dropped: u64 = ops.stats().books[0].rows.iter().map(ops_sdk::ledger::Row::dropped_total).sum();
    assert_eq!(dropped, 0);
    for request in proxy.requests() {
        let header = |name: &str| request.header(name).unwrap_or_default().to_owned();
        assert_eq!(
            (header("content-encoding"), header("content-type")),
            ("snappy".into(), "application/x-protobuf".into())
        );
        assert_eq!(header("x-prometheus-remote-write-version"), "0.1.0");
        assert!(snap::raw::decompress_len(&request.raw_body).expect("snappy") <= 32_768);
    }
}

fn counted(name: &'static str, seq: u64, time_ns: u64) -> Record<'static> {
    let metric = Metric {
        name: name.into(),
        unit: Unit::Count,
        resolution: Resolution::Standard,
        window_ms: 1_000,
        dimensions: Vec::new(),
        points: Points::Counter { sum: 1 },
    };
    Record { id: RecordId { process: 7, seq }, time_ns, body: Body::Metric(metric) }
}

/// Ships a batch as a ship thread does; the reasons of what was refused.
fn ship(backend: &mut dyn Backend, net: &mut Net, batch: &ops_sdk::chunk::Batch) -> Vec<String> {
    net.begin(Now::read(), SOON);
    match backend.send(batch, net) {
        Verdict::Delivered => Vec::new(),
        Verdict::Halve => {
            let (first, second) = batch.halves();
            [ship(backend, net, &first), ship(backend, net, &second)].concat()
        }
        Verdict::Partial { failed, refused } if failed.is_empty() => {
            refused.into_iter().map(|(_, refusal)| refusal.why).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_sample_that_prometheus_refuses_costs_only_itself() {
    if is_missing() {
        return;
    }
    let server = Server::start(&[]);
    let url = format!("{}/api/v1/write", server.url);
    let context = Context {
        namespace: "Shop".to_owned(),
        dimensions: Vec::new(),
        process: 7,
        host: "h1".to_owned(),
        name: None,
        state_dir: None,
        push_limit: PushLimit::default(),
        var: Arc::new(move |name| (name == "OPS_PROMETHEUS_REMOTE_WRITE").then(|| url.clone())),
    };
    let mut backend = by_name("prometheus").expect("compiled in").open(&context).expect("settings");
    let mut net = Net::new(Now::read());
    let now_ns = Now::read().unix_ns - 10_000_000_000;
    let month_ns = 30 * 24 * 3600 * 1_000_000_000;
    let batch = |records: &[Record<'_>], backend: &mut dyn Backend| {
        let mut items = Items::new();
        for (record, place) in records.iter().zip(0..) {
            items.begin(record.id, record.time_ms(), place);
            backend.encode(record, &mut items).expect("expressible");
        }
        chunk(&items, &backend.limits().under(PushLimit::default()), Now::read().unix_ms()).batches.remove(0)
    };
    let first = batch(&[counted("first", 1, now_ns)], backend.as_mut());
    assert_eq!(ship(backend.as_mut(), &mut net, &first), Vec::<String>::new());
    let mixed =
        [counted("good", 2, now_ns), counted("old", 3, now_ns - month_ns), counted("fine", 4, now_ns)];
    let mixed = batch(&mixed, backend.as_mut());
    let refused = ship(backend.as_mut(), &mut net, &mixed);
    assert!(refused.len() == 1 && refused[0].contains("out of bounds"), "{refused:?}");
    for name in ["first_total", "good_total", "fine_total"] {
        server.comes_to(name, 1.0);
    }
    assert!(server.query("old_total").is_empty());
}
