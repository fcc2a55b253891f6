//! Mackerel as its own client's models read it: one request for all metrics, sums that hold although values are
//! overwritten, reports, annotations, graphs and downtimes.
//!
//! There is no Mackerel to be had. A server stands in that accepts everything and keeps it; `tests/rig/mackerel`, in Go,
//! reads what it has by the typed models of mackerel-client-go and by the documented limits.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use ops_sdk::Ops;
use ops_sdk::backend::{Annotation, Backend, Context, Downtime, Mackerel, Verdict, by_name};
use ops_sdk::chunk::{Batch, Items, chunk};
use ops_sdk::clock::Now;
use ops_sdk::limits::PushLimit;
use ops_sdk::model::{
    Audit, Body, Check, CheckStatus, Distribution, Metric, Points, Record, RecordId, Resolution, Unit,
    Value as Field,
};
use ops_sdk::net::Net;
use ops_sdk::prelude::*;
use ops_tests::cloud::init;
use ops_tests::rig::{Fault, Proxy, Recorded, Reply, Server, go_lines};
use ops_tests::{SOON, assert_balanced, early_in_a_minute, turn, wait_until};
use serde::Deserialize;
use serde_json::{Value, json};

const KEY: &str = "hush-hush-0123";

/// One request as the models read it.
#[derive(Debug, Deserialize)]
struct Judged {
    path: String,
    items: Vec<Value>,
}

/// A server that takes everything, as Mackerel would say it.
fn server() -> Server {
    Server::start(|request| match request.path.as_str() {
        "/api/v0/graph-annotations" | "/api/v0/downtimes" => Reply::answer(200, r#"{"id":"3h9ETVUkDEF"}"#),
        _ => Reply::answer(200, r#"{"success":true}"#),
    })
}

/// Whether the judge can be built here.
fn without_go() -> bool {
    std::env::var_os("OPS_WITHOUT_GO").is_some()
}

fn judged(requests: &[Recorded]) -> Vec<Judged> {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    for request in requests {
        assert_eq!(request.header("x-api-key"), Some(KEY));
        assert_eq!(request.header("content-type"), Some("application/json"));
        let (method, path) = (&request.method, &request.path);
        let body = String::from_utf8(request.raw_body.clone()).expect("UTF-8");
        writeln!(file, "{}", json!({ "method": method, "path": path, "body": body })).expect("written");
    }
    go_lines("mackerel", &[file.path().to_str().expect("UTF-8")])
}

/// The value of each name and minute as it stands in the end: of those posted, the last.
fn stands(judged: &[Judged]) -> BTreeMap<(String, u64), f64> {
    let mut values = BTreeMap::new();
    for request in judged.iter().filter(|request| request.path.ends_with("/tsdb")) {
        for item in &request.items {
            let key =
                (item["name"].as_str().expect("a name").to_owned(), item["time"].as_u64().expect("a time"));
            values.insert(key, item["value"].as_f64().expect("a number"));
        }
    }
    values
}

fn sum(values: &BTreeMap<(String, u64), f64>, name: &str) -> f64 {
    values.iter().filter(|((own, _), _)| own == name).map(|(_, value)| value).sum()
}

fn vars(url: &str, more: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    let mut vars = vec![
        ("OPS_BACKENDS", "mackerel".to_owned()),
        ("OPS_SELF_METRICS", "off".to_owned()),
        ("MACKEREL_APIKEY", KEY.to_owned()),
        ("MACKEREL_APIBASE", url.to_owned()),
    ];
    vars.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
    vars
}

fn finish(ops: &Ops) {
    let report = ops.flush(SOON);
    assert!(report.complete, "{report:?}");
    assert_balanced(&ops.stats());
}

#[test]
fn one_request_holds_all_metrics_and_their_values_are_exact() {
    if without_go() {
        return;
    }
    let _turn = turn();
    let server = server();
    let vars = vars(&server.url(), &[("OPS_MACKEREL_SERVICE", "shop"), ("OPS_MACKEREL_PREFIX", "web-1")]);
    let ops = init(vars).dimension("Service", "checkout").start().expect("recording starts");
    early_in_a_minute();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for n in 0..500u32 {
                    counter!("wide", 1, "Series" => n);
                    histogram!("payload", n % 100, unit = Bytes);
                    gauge!("depth", 2.5);
                }
            });
        }
    });
    finish(&ops);
    drop(ops);
    let judged = judged(&server.requests());
    assert_eq!(judged.len(), 1, "one request, and no graphs of a service");
    assert_eq!(judged[0].path, "/api/v0/services/shop/tsdb");
    let values = stands(&judged);
    assert!((0..500).all(|n| sum(&values, &format!("web-1.wide.Series_{n}.sum")) == 4.0), "{values:?}");
    let payload = |last: &str| sum(&values, &format!("web-1.payload.{last}"));
    assert_eq!(
        [payload("count"), payload("min"), payload("max"), payload("avg")],
        [2_000.0, 0.0, 99.0, 49.5]
    );
    assert!((payload("p50") - 49.0).abs() <= 1.0 && (payload("p99") - 98.0).abs() <= 1.0);
    assert_eq!(sum(&values, "web-1.depth.last"), 2.5);
}

#[test]
fn over_faults_and_flushes_a_minute_that_is_overwritten_has_the_whole_sum() {
    if without_go() {
        return;
    }
    let _turn = turn();
    let server = server();
    let proxy = Proxy::start(&server.url());
    let vars = vars(&proxy.url(), &[("OPS_MACKEREL_SERVICE", "shop"), ("OPS_MACKEREL_EVERY_S", "1")]);
    let ops = init(vars).start().expect("recording starts");
    let faults = [
        vec![Fault::CutUnsent, Fault::answer(503, "no")],
        vec![Fault::answer(429, r#"{"error":"slow"}"#), Fault::CutAnswer],
        vec![Fault::answer(403, "{}").with("Retry-After", "0")],
        vec![],
    ];
    for faults in faults {
        proxy.script(faults);
        (0..100u32).for_each(|n| {
            counter!("orders", 2);
            histogram!("payload", n);
        });
        finish(&ops);
    }
    drop(ops);
    assert_eq!(proxy.steps_left(), 0);
    let values = stands(&judged(&server.requests()));
    assert_eq!((sum(&values, "orders.sum"), sum(&values, "payload.count")), (800.0, 400.0));
}

/// Between the windows of these seconds stands more of others' than a segment of the journal holds.
#[test]
fn metrics_that_stand_far_apart_in_the_journal_are_one_request() {
    let _turn = turn();
    let (server, dir) = (server(), tempfile::tempdir().expect("a directory"));
    let lines = dir.path().join("lines.jsonl");
    let lines = lines.to_str().expect("UTF-8");
    let mut vars = vars(&server.url(), &[("OPS_MACKEREL_SERVICE", "shop"), ("OPS_FILE_PATH", lines)]);
    vars[0].1 = "mackerel,file".to_owned();
    let ops = init(vars).state_dir(dir.path().join("state")).start().expect("recording starts");
    let text = "x".repeat(8 << 10);
    for _ in 0..3 {
        counter!("orders", 5, resolution = high);
        for n in 0..1_200 {
            info!("much", text = text.as_str());
            if n % 16 == 0 {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        std::thread::sleep(Duration::from_millis(1_100)); // until the second is over
    }
    finish(&ops);
    let stats = ops.stats();
    let delivered = |name: &str| {
        let book = stats.books.iter().find(|book| book.backend == name).expect("a book");
        book.rows.iter().map(|row| row.delivered).sum::<u64>()
    };
    assert!(delivered("mackerel") >= 3 && delivered("file") >= 3_600, "{:?}", stats.books);
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_wrong_key_loses_nothing_and_is_told_to_nobody() {
    let _turn = turn();
    let server = Server::start(|_| Reply::answer(403, r#"{"error":"no such key"}"#));
    let vars = vars(&server.url(), &[("OPS_MACKEREL_SERVICE", "shop")]);
    let ops = init(vars).shutdown_deadline(Duration::from_millis(100)).start().expect("recording starts");
    counter!("orders", 1);
    let report = ops.flush(Duration::from_millis(500));
    wait_until("the key is refused", || !server.requests().is_empty());
    assert!(!report.complete && report.dead_lettered == 0, "{report:?}");
    assert!(!format!("{report:?}").contains(KEY));
    assert_balanced(&ops.stats());
}

/// Checks and audit records have no macros: through the seam as the ship thread uses it.
#[test]
fn reports_annotations_and_graphs_arrive_as_mackerel_has_them() {
    if without_go() {
        return;
    }
    let server = server();
    let mut backend = open(vars(
        &server.url(),
        &[
            ("OPS_MACKEREL_SERVICE", "shop"),
            ("OPS_MACKEREL_HOST_ID", "2u4PP3TJqbu"),
            ("OPS_MACKEREL_ANNOTATE", "deploy"),
        ],
    ));
    let now = Now::read();
    let mut observed = Distribution::default();
    observed.observe(12.5, 4);
    let mut bodies = vec![
        Body::Metric(Metric {
            name: "latency".into(),
            unit: Unit::Milliseconds,
            resolution: Resolution::Standard,
            window_ms: 60_000,
            dimensions: vec![("Op".into(), "größe \"x\"\n".into())],
            points: Points::Histogram(observed),
        }),
        Body::Audit(Audit {
            actor: "alice".into(),
            action: "deploy".into(),
            resource: "shop/42".into(),
            outcome: "done\n\"quoted\"".into(),
            fields: vec![("commit".into(), Field::Str("0a1b".into()))],
        }),
    ];
    bodies.extend((0..150_u64).map(|n| {
        Body::Check(Check {
            name: format!("check \"{n}\"").into(),
            status: CheckStatus::from_u8((n % 4).try_into().expect("small")),
            output: "x".repeat(20 * usize::try_from(n).expect("small")).into(),
            fields: vec![("n".into(), Field::U64(n))],
        })
    }));
    let batch = batch(&mut *backend, bodies, now);
    assert_eq!(backend.send(&batch, &mut Net::new(now)), Verdict::Delivered);
    let judged = judged(&server.requests());
    let sizes: Vec<_> = judged.iter().map(|request| (request.path.as_str(), request.items.len())).collect();
    let expected = [
        ("/api/v0/tsdb", 8),
        ("/api/v0/graph-defs/create", 1),
        ("/api/v0/monitoring/checks/report", 100),
        ("/api/v0/monitoring/checks/report", 50),
        ("/api/v0/graph-annotations", 1),
    ];
    assert_eq!(sizes, expected);
    assert_eq!(judged[0].items[1]["value"], 12.5);
    assert_eq!(judged[1].items[0]["unit"], "milliseconds");
    assert_eq!(judged[2].items[3]["status"], "UNKNOWN");
    assert_eq!(judged[4].items[0]["title"], "deploy shop/42: done\n\"quoted\"");
}

#[test]
fn maintenance_is_begun_and_ended_by_call() {
    if without_go() {
        return;
    }
    let server = server();
    let mackerel = Mackerel::new().api_key(KEY).endpoint(server.url());
    let downtime = Downtime {
        name: "move the disks".into(),
        memo: "ask \"alice\"".into(),
        start_unix_s: 1_795_332_268,
        length: Duration::from_secs(3_600),
        services: vec!["shop".into()],
        roles: vec!["shop: web".into()],
        monitors: vec!["2cSZzK3XfmG".into()],
    };
    let id = mackerel.begin_downtime(&downtime).expect("it begins");
    let note = Annotation {
        title: "disks".into(),
        description: "moved".into(),
        from_unix_s: 1_795_332_268,
        to_unix_s: 1_795_335_868,
        service: "shop".into(),
        roles: vec!["web".into()],
    };
    assert_eq!(mackerel.annotate(&note).expect("it is noted"), id);
    let judged = judged(&server.requests());
    let told = &judged[0].items[0];
    assert_eq!((&told["duration"], &told["memo"]), (&json!(60), &json!("ask \"alice\"")));
    assert_eq!((&told["serviceScopes"], &told["roleScopes"]), (&json!(["shop"]), &json!(["shop: web"])));
    assert_eq!(judged[1].items[0]["roles"], json!(["web"]));
    // An id is all that is in the answer of an end; here the server answers otherwise.
    assert!(mackerel.end_downtime(&id).is_err_and(|error| !error.to_string().contains(KEY)));
    let last = server.requests().pop().expect("a request");
    assert_eq!((last.method.as_str(), last.path.as_str()), ("DELETE", "/api/v0/downtimes/3h9ETVUkDEF"));
    assert!(Mackerel::new().endpoint("http://127.0.0.1:1").api_key(KEY).annotate(&note).is_err());
}

fn batch(backend: &mut dyn Backend, bodies: Vec<Body<'_>>, now: Now) -> Batch {
    let mut items = Items::new();
    for (seq, body) in (0_u32..).zip(bodies) {
        let id = RecordId { process: 1, seq: seq.into() };
        let record = Record { id, time_ns: now.unix_ns, body };
        assert_eq!(backend.declines(&record), None);
        items.begin(id, record.time_ms(), seq);
        backend.encode(&record, &mut items).expect("it can be expressed");
    }
    let mut chunked = chunk(&items, &backend.limits().under(PushLimit::Contract), now.unix_ms());
    assert_eq!((chunked.batches.len(), chunked.refused.len()), (1, 0));
    chunked.batches.remove(0)
}

fn open(vars: Vec<(&'static str, String)>) -> Box<dyn Backend> {
    let context = Context {
        namespace: "Shop".into(),
        dimensions: Vec::new(),
        process: 1,
        host: "h1".into(),
        name: None,
        state_dir: None,
        push_limit: PushLimit::Contract,
        var: Arc::new(move |name| vars.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone())),
    };
    by_name("mackerel").expect("it is compiled in").open(&context).expect("it opens")
}
