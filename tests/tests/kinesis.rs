//! Kinesis against moto: what threads record stands in the stream, once and in order, as joined lines and as the aggregated
//! records of the Kinesis Producer Library, which Amazon's own module takes apart.

use std::collections::BTreeSet;
use std::time::Duration;

use ops_sdk::Builder;
use ops_sdk::backend::{Kinesis, KinesisPacking, PartitionKey};
use ops_sdk::limits::PushLimit;
use ops_sdk::prelude::*;
use ops_tests::cloud::{init, keys, lines, moto};
use ops_tests::rig::{Fault, Proxy, Recorded, python_lines, queue_lines};
use ops_tests::{SOON, assert_balanced, turn};
use serde::Deserialize;
use serde_json::{Value, json};

const STEPS: u64 = 600;
/// What one push may be as it goes over the wire.
const PUSH_BYTES: usize = 32_768;

#[derive(Debug, Deserialize)]
struct User {
    shard: String,
    sequence: String,
    key: String,
    data: String,
    aggregated: bool,
}

fn arrived(stream: &str) -> Vec<User> {
    queue_lines("kinesis.py", &["read", &moto().url(), stream])
}

/// The lines of user records, parts joined.
fn read(users: &[User]) -> Vec<Value> {
    assert!(users.iter().all(|user| user.data.ends_with('\n')));
    lines(users.iter().flat_map(|user| user.data.split_terminator('\n')).map(str::to_owned))
}

fn written(requests: &[Recorded]) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let bodies: Vec<_> = requests.iter().map(|request| request.json().to_string()).collect();
    std::fs::write(file.path(), bodies.join("\n")).expect("written");
    file
}

/// What botocore's model finds wrong with the bodies.
fn wrong(requests: &[Recorded]) -> Vec<String> {
    let file = written(requests);
    queue_lines("queue_shapes.py", &[file.path().to_str().expect("UTF-8"), "kinesis", "PutRecords"])
}

/// Records through this backend and these faults; the requests that went out.
fn record(
    stream: &str,
    backend: Kinesis,
    faults: Vec<Fault>,
    build: impl FnOnce(Builder) -> Builder,
) -> Vec<Recorded> {
    let _turn = turn();
    let _: Vec<Value> = queue_lines("kinesis.py", &["create", &moto().url(), stream, "3"]);
    let proxy = Proxy::start(&moto().url());
    proxy.script_for("PutRecords", faults);
    let mut vars = keys();
    vars.push(("AWS_ENDPOINT_URL", proxy.url()));
    // One push at a time: moto numbers a shard's records without a lock, and of two requests that come together one
    // takes the other's place (`put_record` in moto/kinesis/models.py says so of itself).
    let builder = build(init(vars)).pushes_max(1);
    let ops = builder.backend(backend.stream(stream)).start().expect("recording starts");
    for n in 0..STEPS {
        info!("info {n} \"quoted\"\n\tünïcödé 😀", n);
        counter!("orders", 2);
    }
    let long = "long é\n".repeat(10_000);
    info!("{long}", n = STEPS);
    let report = ops.flush(SOON);
    assert!(report.complete, "{report:?}");
    assert_balanced(&ops.stats());
    drop(ops);
    assert_eq!(proxy.steps_left(), 0);
    proxy.requests_of("PutRecords")
}

/// The numbers of the log lines, in the order they stand in.
fn numbers(lines: &[Value]) -> Vec<u64> {
    let orders: u64 = lines.iter().filter(|l| l["name"] == "orders").filter_map(|l| l["sum"].as_u64()).sum();
    assert_eq!(orders, 2 * STEPS);
    lines.iter().filter(|line| line["signal"].is_null()).filter_map(|line| line["n"].as_u64()).collect()
}

fn check_signatures(requests: &[Recorded]) {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let line = |r: &Recorded| {
        let body: String = r.raw_body.iter().map(|byte| format!("{byte:02x}")).collect();
        json!({"method": r.method, "path": r.path, "headers": r.headers, "body": body}).to_string()
    };
    std::fs::write(file.path(), requests.iter().map(line).collect::<Vec<_>>().join("\n")).expect("written");
    let judged: Vec<Value> = python_lines("signatures.py", &[file.path().to_str().expect("UTF-8")]);
    let signed = |one: &Value| one["signed"] == true && one["service"] == "kinesis";
    assert!(judged.len() == requests.len() && judged.iter().all(signed), "{judged:?}");
}

#[test]
fn lines_of_a_process_are_in_order_whatever_the_service_answers() {
    let shard = r#"{"FailedRecordCount":1,"Records":[{"ErrorCode":"ProvisionedThroughputExceededException","ErrorMessage":"Rate exceeded for shard"}]}"#;
    let faults = vec![
        Fault::answer(200, shard),
        Fault::aws(400, "ProvisionedThroughputExceededException", "Rate exceeded"),
        Fault::Pass,
        Fault::aws(500, "InternalFailure", "oops"),
        Fault::CutUnsent,
    ];
    let requests = record("lines", Kinesis::new(), faults, |builder| builder);
    let users = arrived("lines");
    assert!(
        users.iter().all(|user| !user.aggregated && user.key == users[0].key && user.shard == users[0].shard)
    );
    assert_eq!(numbers(&read(&users)), (0..=STEPS).collect::<Vec<_>>());
    assert!(requests.iter().all(|request| request.raw_body.len() <= PUSH_BYTES));
    assert!(requests.iter().all(|request| request.json()["Records"].as_array().map(Vec::len) == Some(1)));
    assert_eq!(wrong(&requests), Vec::<String>::new());
    check_signatures(&requests);
}

#[test]
fn a_lost_answer_leads_to_a_duplicate_that_its_id_tells() {
    let requests = record("twice", Kinesis::new(), vec![Fault::CutAnswer], |builder| builder);
    let all = arrived("twice");
    let ids = |line: &str| serde_json::from_str::<Value>(line).ok().map(|line| line["id"].to_string());
    let lines: Vec<String> = all.iter().flat_map(|user| user.data.lines()).filter_map(ids).collect();
    let distinct: BTreeSet<_> = lines.iter().collect();
    assert!(lines.len() > distinct.len(), "{} of {}", distinct.len(), lines.len());
    assert!(requests[0].json() == requests[1].json(), "the same bytes again");
}

#[test]
fn aggregated_records_are_taken_apart_by_amazons_own_module() {
    let kpl = Kinesis::new().packing(KinesisPacking::Kpl);
    let requests = record("kpl", kpl, Vec::new(), |builder| builder.push_limit(PushLimit::Vendor));
    let users = arrived("kpl");
    assert!(users.iter().all(|user| user.aggregated && user.data.lines().count() == 1));
    let records: BTreeSet<_> = users.iter().map(|user| &user.sequence).collect();
    assert_eq!(records.len(), requests.len());
    assert_eq!(numbers(&read(&users)), (0..=STEPS).collect::<Vec<_>>());
    assert_eq!(wrong(&requests), Vec::<String>::new());
}

#[test]
fn keys_of_their_own_spread_records_over_shards() {
    let spread = Kinesis::new().packing(KinesisPacking::Off).key(PartitionKey::Record);
    let requests = record("spread", spread, Vec::new(), |builder| builder);
    let users = arrived("spread");
    let shards: BTreeSet<_> = users.iter().map(|user| &user.shard).collect();
    assert_eq!(shards.len(), 3);
    let mut found = numbers(&read(&users));
    found.sort_unstable();
    assert_eq!(found, (0..=STEPS).collect::<Vec<_>>());
    assert!(requests.iter().all(|request| request.raw_body.len() <= PUSH_BYTES));
    assert_eq!(wrong(&requests), Vec::<String>::new());
}

/// moto takes records of 1 MiB, as a stream does that was not raised.
#[test]
fn records_larger_than_the_stream_takes_are_halved() {
    let large = Kinesis::new().record_bytes(10_485_760);
    let build = |builder: Builder| builder.push_limit(PushLimit::Vendor).linger(Duration::from_secs(60));
    let _turn = turn();
    let _: Vec<Value> = queue_lines("kinesis.py", &["create", &moto().url(), "halved", "1"]);
    let proxy = Proxy::start(&moto().url());
    let mut vars = keys();
    vars.push(("AWS_ENDPOINT_URL", proxy.url()));
    let ops =
        build(init(vars)).pushes_max(1).backend(large.stream("halved")).start().expect("recording starts");
    let text = "x".repeat(10_000);
    (0..300u64).for_each(|n| info!("{text}", n));
    assert!(ops.flush(SOON).complete);
    assert_balanced(&ops.stats());
    drop(ops);
    let statuses: BTreeSet<_> = proxy.requests_of("PutRecords").iter().map(|r| r.status).collect();
    assert_eq!(statuses, BTreeSet::from([Some(200), Some(400)]));
    let found: Vec<u64> = read(&arrived("halved")).iter().filter_map(|line| line["n"].as_u64()).collect();
    assert_eq!(found, (0..300).collect::<Vec<_>>());
}
