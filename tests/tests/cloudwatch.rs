//! The main job against a real server: what many threads record stands in CloudWatch (moto) exactly, read back with
//! boto3, and a recording proxy proves what went over the wire.

use std::collections::BTreeMap;
use std::time::Duration;

use ops_sdk::limits::PushLimit;
use ops_sdk::prelude::*;
use ops_sdk::{Level, Ops};
use ops_tests::cloud::{BACKENDS, Cloud, Metrics, init, lines};
use ops_tests::rig::{Moto, Proxy, Recorded, python_lines};
use ops_tests::{SOON, assert_balanced, early_in_a_minute, turn};
use serde_json::Value;

const THREADS: u32 = 6;
const STEPS: u32 = 100;
/// What one push may hold: the first contract of PutLogEvents.
const PUSH_BYTES: usize = 32_768;
const PUSH_ITEMS: usize = 1_000;
/// Bodies of metrics from this size on are compressed.
const GZIP_BYTES: usize = 10_240;

#[instrumented]
fn charge(amount: u32) -> Result<u32, String> {
    if amount.is_multiple_of(10) { Err(format!("declined {amount}")) } else { Ok(amount) }
}

struct Till;

#[instrumented]
impl Till {
    fn close(&self) {}
}

/// One step of one thread: every macro once.
fn step(thread: u32, n: u32) {
    let _ = charge(n);
    Till.close();
    counter!("orders", 2, "Region" => if thread.is_multiple_of(2) { "eu" } else { "us" });
    counter!("ticks", 1, resolution = high);
    gauge!("depth", f64::from(n) / 4.0, "Thread" => thread);
    histogram!("payload", n + STEPS * (thread % 2), unit = Bytes);
    histogram!("spread", 1.5f64.powi((n % 50).cast_signed()) + f64::from(n), unit = Milliseconds);
    trace!("trace {n}", thread, n);
    debug!("debug {n}", thread, n);
    info!("info {n} \"quoted\"\n\tünïcödé 😀", thread, n, order.id = n, free = ?Some(n));
    warn!("warn {n}", thread, n);
    error!("error {n}", thread, n);
}

fn record(ops: &Ops) {
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || (1..=STEPS).for_each(|n| step(thread, n)));
        }
    });
    early_in_a_minute();
    let note = "x".repeat(250); // so that few series fill a push
    (0..80u32).for_each(|n| counter!("wide", n + 1, "Series" => n, "Note" => note.as_str()));
    (1..=200u32).for_each(|n| histogram!("sizes", n, unit = Bytes));
    let report = ops.flush(SOON);
    assert!(report.complete, "{report:?}");
    assert_balanced(&ops.stats());
}

#[test]
fn what_many_threads_record_stands_in_cloudwatch_exactly() {
    let _turn = turn();
    let cloud = Cloud::new("Exact");
    // Long enough that all of it waits for the flush, which then fills the pushes.
    let ops = cloud.init(BACKENDS).dimension("Service", "checkout").level(Level::Trace).linger(SOON).start();
    let ops = ops.expect("recording starts");
    record(&ops);
    counter!("late", 1); // alone in its push
    assert!(ops.flush(SOON).complete);
    drop(ops);
    check_metrics(&cloud.metrics());
    check_lines(&cloud.lines());
    let group = cloud.log_group().expect("the group was created");
    assert_eq!(group.retention_days, Some(30));
    check_pushes(&cloud);
    check_data(&cloud);
    check_signatures(&cloud);
}

fn check_metrics(metrics: &Metrics) {
    assert!(metrics.0.iter().all(|m| m.dimensions.get("Service").map(String::as_str) == Some("checkout")));
    let calls = f64::from(THREADS * STEPS);
    let charge = [("Function", "cloudwatch::charge")];
    assert_eq!(metrics.one("calls", &charge).sum, calls);
    assert_eq!(metrics.one("errors", &charge).sum, calls / 10.0);
    let duration = metrics.one("duration", &charge);
    assert_eq!((duration.count, duration.unit.as_str()), (calls, "Milliseconds"));
    assert_eq!(metrics.one("calls", &[("Function", "cloudwatch::Till::close")]).sum, calls);
    assert_eq!(metrics.one("errors", &[("Function", "cloudwatch::Till::close")]).sum, 0.0);
    for region in ["eu", "us"] {
        let orders = metrics.one("orders", &[("Region", region)]);
        assert_eq!((orders.sum, orders.unit.as_str()), (calls, "Count"));
    }
    assert_eq!(metrics.one("ticks", &[]).sum, calls);
    let steps = f64::from(STEPS);
    for thread in 0..THREADS {
        let depth = metrics.one("depth", &[("Thread", &thread.to_string())]);
        let sum = steps * (steps + 1.0) / 2.0 / 4.0;
        assert_eq!((depth.sum, depth.count, depth.min, depth.max), (sum, steps, 0.25, steps / 4.0));
    }
    let payload = metrics.one("payload", &[]);
    let sum = f64::from(THREADS / 2) * steps * (2.0 * steps + 1.0);
    assert_eq!((payload.sum, payload.count, payload.min, payload.max), (sum, calls, 1.0, 2.0 * steps));
    let sizes = metrics.one("sizes", &[]);
    assert_eq!((sizes.sum, sizes.count, sizes.min, sizes.max), (20_100.0, 200.0, 1.0, 200.0));
    check_spread(metrics);
    let wide: Vec<_> = metrics.0.iter().filter(|m| m.name == "wide").collect();
    assert_eq!(wide.len(), 80);
    assert!(wide.iter().all(|m| Some(m.sum) == m.dimensions["Series"].parse::<f64>().ok().map(|n| n + 1.0)));
}

/// Values that buckets cannot tell exactly: the sum to within a thousandth, each value within a hundredth.
fn check_spread(metrics: &Metrics) {
    let spread = metrics.one("spread", &[]);
    let value = |n: u32| 1.5f64.powi((n % 50).cast_signed()) + f64::from(n);
    let values: Vec<f64> = (1..=STEPS).map(value).collect();
    let sum = f64::from(THREADS) * values.iter().sum::<f64>();
    assert_eq!(spread.count, f64::from(THREADS * STEPS));
    assert!((spread.sum - sum).abs() <= sum * 1e-3, "{} for {sum}", spread.sum);
    let (min, max) =
        (values.iter().copied().fold(f64::MAX, f64::min), values.iter().copied().fold(0.0, f64::max));
    assert!((spread.min - min).abs() <= min * 1e-2 && spread.min >= min, "{} for {min}", spread.min);
    assert!((spread.max - max).abs() <= max * 1e-2 && spread.max <= max, "{} for {max}", spread.max);
}

/// Every line once, and those of a thread in its order.
fn check_lines(lines: &[Value]) {
    assert_eq!(lines.len(), (THREADS * STEPS * 5) as usize);
    let mut threads = BTreeMap::<u64, Vec<(u64, &str)>>::new();
    for line in lines {
        let (thread, n) = (line["thread"].as_u64().expect("thread"), line["n"].as_u64().expect("n"));
        let level = line["level"].as_str().expect("level");
        threads.entry(thread).or_default().push((n, level));
        assert_eq!(
            (line["Service"].as_str(), line["target"].as_str()),
            (Some("checkout"), Some("cloudwatch"))
        );
        if level == "INFO" {
            assert_eq!(line["message"], format!("info {n} \"quoted\"\n\tünïcödé 😀"));
            assert_eq!(
                (line["order.id"].as_u64(), line["free"].as_str()),
                (Some(n), Some(&*format!("Some({n})")))
            );
        }
    }
    let levels = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR"];
    let expected: Vec<_> = (1..=u64::from(STEPS)).flat_map(|n| levels.map(|level| (n, level))).collect();
    assert_eq!(threads.len(), THREADS as usize);
    assert!(threads.values().all(|lines| *lines == expected), "a thread's lines, once and in order");
    let mut ids: Vec<_> = lines.iter().map(|line| line["id"].as_str().expect("id")).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), lines.len());
}

/// No push over the contract, pushes well filled, and compression as AWS's own SDKs do it.
fn check_pushes(cloud: &Cloud) {
    let pushes = cloud.pushes();
    let mut refused = 0;
    for (request, push) in &pushes {
        let what = request.operation();
        assert!(push.bytes <= PUSH_BYTES && push.items <= PUSH_ITEMS, "{what}: {push:?}");
        let zipped = request.header("content-encoding") == Some("gzip");
        assert_eq!(zipped, what == "PutMetricData" && push.bytes >= GZIP_BYTES, "{what}: {push:?}");
        // The group is made when the first push does not find it.
        let missing = request.status == Some(400) && what == "PutLogEvents";
        refused += usize::from(missing);
        assert!(missing || request.status == Some(200), "{what}: {:?}", request.status);
    }
    assert_eq!(refused, 1);
    let full = |operation: &str| {
        pushes.iter().filter(|(r, push)| r.operation() == operation && push.bytes > 20_000).count()
    };
    assert!(full("PutLogEvents") > 10 && full("PutMetricData") > 0, "pushes are filled");
    let last = pushes.iter().rfind(|(r, _)| r.operation() == "PutMetricData");
    assert!(
        last.is_some_and(|(_, push)| push.items == 1 && push.bytes < GZIP_BYTES),
        "one goes uncompressed"
    );
}

/// What no reader of moto shows: resolutions, and distributions in data of 150 values.
fn check_data(cloud: &Cloud) {
    assert!(cloud.data("ticks").iter().all(|datum| datum["StorageResolution"] == 1));
    assert!(!cloud.data("ticks").is_empty());
    assert!(cloud.data("orders").iter().all(|datum| datum["StorageResolution"].is_null()));
    let values = |datum: &Value| datum["Values"].as_array().map_or(0, Vec::len);
    assert_eq!(cloud.data("sizes").iter().map(values).collect::<Vec<_>>(), [150, 50]);
}

/// Every request carries the signature that botocore computes for its bytes, compressed ones included.
fn check_signatures(cloud: &Cloud) {
    let requests = cloud.proxy.requests();
    let line = |request: &Recorded| {
        let body: String = request.raw_body.iter().map(|byte| format!("{byte:02x}")).collect();
        let (method, path, headers) = (&request.method, &request.path, &request.headers);
        format!(
            "{}\n",
            serde_json::json!({ "method": method, "path": path, "headers": headers, "body": body })
        )
    };
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), requests.iter().map(line).collect::<String>()).expect("written");
    let judged: Vec<Value> = python_lines("signatures.py", &[file.path().to_str().expect("UTF-8")]);
    assert_eq!(judged.len(), requests.len());
    for (request, judged) in requests.iter().zip(&judged) {
        let service = if request.operation() == "PutMetricData" { "monitoring" } else { "logs" };
        let expected =
            serde_json::json!({ "operation": request.operation(), "service": service, "signed": true });
        assert_eq!(*judged, expected, "{:?}", request.headers);
    }
}

/// The variables of a program that ships with these keys to where the proxy leads.
fn vars_with(keys: &Value, proxy: &Proxy, namespace: &str) -> Vec<(&'static str, String)> {
    let text = |name: &str| keys[name].as_str().unwrap_or_default().to_owned();
    vec![
        ("AWS_ACCESS_KEY_ID", text("key")),
        ("AWS_SECRET_ACCESS_KEY", text("secret")),
        ("AWS_SESSION_TOKEN", text("token")),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ("AWS_ENDPOINT_URL", proxy.url()),
        ("OPS_BACKENDS", BACKENDS.to_owned()),
        ("OPS_NAMESPACE", namespace.to_owned()),
    ]
}

/// moto computes each signature itself, and answers one that is not its own with SignatureDoesNotMatch.
#[test]
fn a_server_that_verifies_signatures_takes_ours_with_and_without_a_session_token() {
    let _turn = turn();
    // As many actions as grant.py takes.
    let moto = Moto::start_with(&[("INITIAL_NO_AUTH_ACTION_COUNT", "6")]);
    let proxy = Proxy::start(&moto.url());
    let granted: Vec<Value> = python_lines("grant.py", &[&moto.url()]);
    for (keys, namespace) in granted.iter().zip(["User", "Role"]) {
        let ops = init(vars_with(keys, &proxy, namespace)).start().expect("recording starts");
        (0..300u32).for_each(|n| counter!("signed", 1, "Series" => n)); // enough to be compressed
        (0..20u32).for_each(|n| info!("signed {n}", n));
        let report = ops.flush(SOON);
        assert!(report.complete, "{report:?}");
        assert_balanced(&ops.stats());
    }
    assert!(proxy.requests().iter().any(|request| request.header("content-encoding") == Some("gzip")));
    assert_eq!(granted[0]["token"], Value::Null);
    let token = granted[1]["token"].as_str();
    assert!(token.is_some() && proxy.requests().iter().any(|r| r.header("x-amz-security-token") == token));

    let mut wrong = granted[0].clone();
    wrong["secret"] = "wrong".into();
    let refused = |requests: &[Recorded]| requests.iter().any(|request| request.status == Some(403));
    assert!(!refused(&proxy.requests()));
    let ops = init(vars_with(&wrong, &proxy, "Wrong")).shutdown_deadline(Duration::from_millis(100));
    let ops = ops.start().expect("recording starts");
    info!("never delivered");
    assert!(!ops.flush(Duration::from_millis(500)).complete);
    assert!(proxy.wait_until(SOON, refused), "{:?}", proxy.requests().last());
    drop(ops);

    ureq::post(format!("{}/moto-api/reset-auth", moto.url())).send("inf").expect("moto answers");
    for namespace in ["User", "Role"] {
        assert_eq!(Metrics(moto.metrics(namespace)).sum("signed"), 300.0);
        let events = moto.log_events(&format!("/ops/{namespace}"));
        assert_eq!(lines(events.into_iter().map(|event| event.message)).len(), 20);
    }
    assert_eq!(moto.log_events("/ops/Wrong"), []);
}

#[test]
fn an_over_long_event_arrives_in_parts_and_joins() {
    let _turn = turn();
    let cloud = Cloud::new("Long");
    let ops = cloud.init("cloudwatch-logs").start().expect("recording starts");
    let text = "ünïcödé \"😀\" ".repeat(10_000);
    info!("before");
    info!("long {text}");
    info!("after");
    assert!(ops.flush(SOON).complete);
    assert_balanced(&ops.stats());
    assert!(cloud.pushes().iter().all(|(_, push)| push.bytes <= PUSH_BYTES));
    let parts = cloud.events().iter().filter(|event| event.message.starts_with("@ops.part v1 ")).count();
    assert!(parts > text.len() / PUSH_BYTES, "{parts} parts of {} bytes", text.len());
    let lines = cloud.lines();
    let messages: Vec<_> = lines.iter().filter_map(|line| line["message"].as_str()).collect();
    assert_eq!(messages, ["before", &format!("long {text}"), "after"]);
}

#[test]
fn the_vendors_limit_makes_larger_pushes_and_loses_nothing() {
    let _turn = turn();
    let cloud = Cloud::new("Vendor");
    let ops = cloud.init("cloudwatch-logs").push_limit(PushLimit::Vendor);
    // Long enough that all of it waits for the flush, which then fills the pushes.
    let ops = ops.linger(SOON).start().expect("recording starts");
    let text = "x".repeat(1_000);
    (0..2_000).for_each(|n| info!("event {n} {text}", n));
    assert!(ops.flush(SOON).complete);
    assert_balanced(&ops.stats());
    let largest = cloud.pushes().iter().map(|(_, push)| push.bytes).max();
    assert!(largest.is_some_and(|bytes| (PUSH_BYTES + 1..=1_048_576).contains(&bytes)), "{largest:?}");
    let numbers: Vec<_> = cloud.lines().iter().map(|line| line["n"].as_u64()).collect();
    assert_eq!(numbers, (0..2_000).map(Some).collect::<Vec<_>>());
}

#[test]
fn the_groups_retention_is_the_users_and_a_group_that_exists_is_left_alone() {
    let _turn = turn();
    let cloud = Cloud::new("Retained");
    for days in ["7", "14"] {
        let mut vars = cloud.vars();
        vars.push(("OPS_CLOUDWATCH_LOGS_RETENTION_DAYS", days.to_owned()));
        let ops = ops_tests::cloud::init(vars).start().expect("recording starts");
        info!("kept {days} days");
        assert!(ops.flush(SOON).complete);
    }
    assert_eq!(cloud.log_group().and_then(|group| group.retention_days), Some(7));
    assert_eq!(cloud.proxy.requests_of("PutRetentionPolicy").len(), 1);
    assert_eq!(cloud.lines().len(), 2);
}
