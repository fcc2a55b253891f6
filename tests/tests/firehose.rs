//! Firehose against moto: what threads record stands in the bucket as JSON lines, once, whatever the service answers on
//! the way; and what goes over the wire is what botocore's model says.

use std::collections::BTreeSet;

use ops_sdk::backend::Firehose;
use ops_sdk::prelude::*;
use ops_tests::cloud::{init, keys, lines, moto};
use ops_tests::rig::{Fault, Proxy, Recorded, queue_lines};
use ops_tests::{SOON, assert_balanced, turn};
use serde_json::Value;

const THREADS: u32 = 4;
const STEPS: u32 = 150;
/// What one push may be as it goes over the wire.
const PUSH_BYTES: usize = 32_768;

fn create(stream: &str) {
    let _: Vec<Value> = queue_lines("firehose.py", &["create", &moto().url(), stream]);
}

/// Every line in the bucket, parts joined.
fn arrived(stream: &str) -> Vec<Value> {
    let texts: Vec<String> = queue_lines("firehose.py", &["read", &moto().url(), stream]);
    lines(texts.into_iter())
}

/// What botocore's model finds wrong with the bodies.
fn wrong(requests: &[Recorded]) -> Vec<String> {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let bodies: Vec<_> = requests.iter().map(|request| request.json().to_string()).collect();
    std::fs::write(file.path(), bodies.join("\n")).expect("written");
    queue_lines("queue_shapes.py", &[file.path().to_str().expect("UTF-8"), "firehose", "PutRecordBatch"])
}

fn step(thread: u32, n: u32) {
    counter!("orders", 2, "Thread" => thread);
    histogram!("payload", n, unit = Bytes);
    info!("info {n} \"quoted\"\n\tünïcödé 😀", thread, n);
}

/// Records through this backend and these faults; the requests that went out.
fn record(stream: &str, backend: Firehose, faults: Vec<Fault>) -> Vec<Recorded> {
    let _turn = turn();
    create(stream);
    let proxy = Proxy::start(&moto().url());
    proxy.script_for("PutRecordBatch", faults);
    let mut vars = keys();
    vars.push(("AWS_ENDPOINT_URL", proxy.url()));
    let ops = init(vars).backend(backend.stream(stream)).start().expect("recording starts");
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || (1..=STEPS).for_each(|n| step(thread, n)));
        }
    });
    let long = "long é\n".repeat(10_000);
    info!("{long}", n = 0, thread = 99);
    let report = ops.flush(SOON);
    assert!(report.complete, "{report:?}");
    assert_balanced(&ops.stats());
    drop(ops);
    assert_eq!(proxy.steps_left(), 0);
    proxy.requests_of("PutRecordBatch")
}

fn check(lines: &[Value]) {
    let mut told = BTreeSet::new();
    let mut orders = 0;
    for line in lines {
        match (line["signal"].as_str(), line["name"].as_str()) {
            (None, _) => {
                let key = (line["thread"].as_u64().expect("thread"), line["n"].as_u64().expect("n"));
                assert!(told.insert(key), "{key:?} is there twice");
            }
            (Some("metric"), Some("orders")) => orders += line["sum"].as_u64().expect("a number"),
            _ => {}
        }
    }
    assert_eq!(told.len() as u32, THREADS * STEPS + 1);
    assert!(told.contains(&(99, 0)), "the long one");
    assert_eq!(orders, u64::from(2 * THREADS * STEPS));
}

#[test]
fn what_many_threads_record_is_in_the_bucket_as_lines() {
    let unavailable = Fault::aws(503, "ServiceUnavailableException", "Slow down.");
    let failed = r#"{"FailedPutCount":1,"Encrypted":false,"RequestResponses":[{"ErrorCode":"InternalFailure","ErrorMessage":"x"}]}"#;
    let faults = vec![unavailable, Fault::answer(200, failed), Fault::CutUnsent];
    let requests = record("aggregated", Firehose::new(), faults);
    check(&arrived("aggregated"));
    assert!(requests.iter().all(|request| request.raw_body.len() <= PUSH_BYTES));
    let largest = requests.iter().map(|request| request.raw_body.len()).max();
    assert!(largest > Some(PUSH_BYTES * 9 / 10), "pushes are filled: {largest:?}");
    assert!(requests.iter().all(|request| request.json()["Records"].as_array().map(Vec::len) == Some(1)));
    assert_eq!(wrong(&requests), Vec::<String>::new());
}

#[test]
fn without_aggregation_each_line_is_a_record() {
    let requests = record("each", Firehose::new().aggregate(false), Vec::new());
    let lines = arrived("each");
    check(&lines);
    let records: usize = requests.iter().filter_map(|r| r.json()["Records"].as_array().map(Vec::len)).sum();
    assert!(records >= lines.len());
    assert!(requests.iter().all(|request| request.raw_body.len() <= PUSH_BYTES));
    assert_eq!(wrong(&requests), Vec::<String>::new());
}
