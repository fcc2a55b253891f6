//! Every fault on the way to a real server (moto, behind a proxy that does as it is told): what is recorded arrives,
//! the books balance, and what stands there is exact, or more by exactly what the fault made arrive twice.

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ops_sdk::backend::{Backend, CloudWatchLogs, Configure, Context, Refusal, Verdict};
use ops_sdk::chunk::{Batch, Items};
use ops_sdk::clock::Now;
use ops_sdk::ledger::{Loss, Row};
use ops_sdk::limits::PushLimit;
use ops_sdk::model::{Body, Level, Log, Record, RecordId, Signal};
use ops_sdk::net::{Net, PUSH_TIMEOUT};
use ops_sdk::prelude::*;
use ops_sdk::{Ops, Stats};
use ops_tests::cloud::{BACKENDS, Cloud, init, moto};
use ops_tests::rig::{Fault, Port, Proxy, Recorded};
use ops_tests::{
    SOON, assert_balanced, early_in_a_minute, output_once_said, turn, wait_until, wait_until_recorded,
};
use serde_json::Value;

const EVENTS: u64 = 400;
const PUTS: [&str; 2] = ["PutLogEvents", "PutMetricData"];

/// What every test here records: lines of a number each, and a counter over a few series.
fn record() {
    for n in 0..EVENTS {
        info!("event {n}", n);
        counter!("events", 1, "Rest" => n % 4);
    }
}

/// Nothing is sent before a flush, so that each push holds all it can.
fn start(cloud: &Cloud) -> Ops {
    cloud.init(BACKENDS).linger(SOON).start().expect("recording starts")
}

fn row(stats: &Stats, backend: &str, signal: Signal) -> Row {
    let book = stats.books.iter().find(|book| book.backend == backend).expect("a book of the backend");
    book.rows.iter().find(|row| row.signal == signal).expect("a row of the signal").clone()
}

/// Flushes, and asserts that nothing is pending or lost.
fn assert_delivered(ops: &Ops) {
    let report = ops.flush(SOON);
    assert!(report.complete, "{report:?}");
    let stats = ops.stats();
    assert_balanced(&stats);
    let rows: Vec<_> = stats.books.iter().flat_map(|book| &book.rows).collect();
    assert!(rows.iter().all(|row| row.recorded == row.delivered), "{rows:?}");
}

fn numbers(lines: &[Value]) -> Vec<u64> {
    lines.iter().filter_map(|line| line["n"].as_u64()).collect()
}

/// Asserts that moto has every line once and in order, and every count.
fn assert_exact(cloud: &Cloud) {
    assert_eq!(numbers(&cloud.lines()), (0..EVENTS).collect::<Vec<_>>());
    assert_eq!(cloud.metrics().sum("events"), EVENTS as f64);
}

/// Records while these faults meet the puts of both services; then everything has arrived once.
fn exact_after(namespace: &str, faults: &[Fault]) -> Cloud {
    let _turn = turn();
    let cloud = Cloud::new(namespace);
    let ops = start(&cloud);
    info!("makes the group");
    assert_delivered(&ops);
    PUTS.iter().for_each(|put| cloud.proxy.script_for(put, faults.to_vec()));
    record();
    assert_delivered(&ops);
    drop(ops);
    assert_eq!(cloud.proxy.steps_left(), 0, "every fault was met");
    assert_exact(&cloud);
    cloud
}

#[test]
fn throttling_is_waited_out() {
    exact_after("Throttled", &Fault::throttled().times(4));
}

#[test]
fn throttling_that_says_for_how_long_is_waited_out() {
    let faults = [
        Fault::throttled().with("Retry-After", "1"),
        Fault::aws(429, "TooManyRequestsException", "slower").with("x-amz-retry-after", "200"),
    ];
    exact_after("ThrottledFor", &faults);
}

#[test]
fn a_service_that_is_not_there_or_fails_is_waited_out() {
    let faults = [
        Fault::unavailable(),
        Fault::aws(500, "InternalFailure", "oops"),
        Fault::answer(502, "<html>bad gateway</html>"),
        Fault::answer(504, ""),
    ];
    exact_after("Unavailable", &faults);
}

#[test]
fn expired_credentials_are_no_reason_to_lose_data() {
    exact_after("Expired", &[Fault::expired_token(), Fault::expired_token()]);
}

/// What a service says to a signature of long ago. Its clock is far ahead of any that this runs under.
fn skewed() -> Fault {
    Fault::aws(400, "InvalidSignatureException", "Signature expired").with("Date", SKEWED_DATE)
}

const SKEWED_DATE: &str = "Thu, 01 Jan 2099 00:00:00 GMT";
const SKEWED_UNIX_S: u64 = 4_070_908_800;

#[test]
fn a_clock_that_is_wrong_keeps_everything_until_it_is_set() {
    let _turn = turn();
    let cloud = Cloud::new("Skewed");
    let dir = tempfile::tempdir().expect("a directory");
    let ops = cloud.init(BACKENDS).state_dir(dir.path()).start().expect("recording starts");
    cloud.proxy.otherwise(skewed());
    record();
    assert!(!ops.flush(Duration::from_millis(500)).complete);
    let tried = |requests: &[Recorded], put: &str| {
        requests.iter().any(|request| request.operation() == put && request.status.is_some())
    };
    let both = |requests: &[Recorded]| PUTS.iter().all(|put| tried(requests, put));
    assert!(cloud.proxy.wait_until(SOON, both), "both are tried");
    let stats = ops.stats();
    assert_balanced(&stats);
    for (backend, signal) in [("cloudwatch-logs", Signal::Log), ("cloudwatch", Signal::Metric)] {
        let row = row(&stats, backend, signal);
        assert_eq!((row.pending, row.delivered, row.dead_lettered), (row.recorded, 0, 0), "{row:?}");
        assert!(row.dropped.is_empty(), "{row:?}");
    }
    cloud.proxy.otherwise(Fault::Pass);
    assert_delivered(&ops);
    drop(ops);
    assert!(!dir.path().join("dead-letter").exists());
    assert_exact(&cloud);
}

#[test]
fn a_clock_that_is_wrong_is_said_with_its_seconds_and_the_remedy() {
    let cloud = Cloud::new("SaysSkewed");
    cloud.proxy.otherwise(skewed());
    let mut program = Command::new(env!("CARGO_BIN_EXE_program"));
    program
        .args(["fill", "50", "held"])
        .env_clear()
        .envs(cloud.vars())
        .env("OPS_SHUTDOWN_DEADLINE_MS", "200");
    let before_s = Now::read().unix_ns / 1_000_000_000;
    // Both backends say it.
    let output = output_once_said(&mut program, 2);
    let after_s = Now::read().unix_ns / 1_000_000_000;
    let (said, rows) = (String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{said}");
    assert!(rows.contains(r#""pending":50"#) && !rows.contains(r#""balanced":false"#), "{rows}");
    for backend in BACKENDS.split(',') {
        let start =
            format!("ops-sdk: {backend}: not delivered, will be tried again: this machine's clock is ");
        let told: Vec<_> = said.lines().filter_map(|line| line.strip_prefix(&start)).collect();
        assert_eq!(told.len(), 1, "once a minute: {said}");
        let (skew_s, rest) = told[0].split_once(' ').expect("a number");
        let skew_s: u64 = skew_s.parse().expect("a number");
        assert!((SKEWED_UNIX_S - after_s - 1..=SKEWED_UNIX_S - before_s).contains(&skew_s), "{skew_s}");
        assert!(rest.starts_with("s behind the service's, and ") && rest.contains("set the clock"), "{rest}");
    }
}

#[test]
fn a_request_that_was_cut_off_arrives_once() {
    exact_after("CutUnsent", &Fault::CutUnsent.times(3));
}

#[test]
fn a_slow_answer_is_waited_for() {
    exact_after("Slow", &[Fault::Delay(Duration::from_millis(700))]);
}

#[test]
fn a_push_that_is_too_large_is_halved() {
    let cloud = exact_after("TooLarge", &[Fault::too_large()]);
    for put in PUTS {
        let items: Vec<_> = cloud
            .pushes()
            .iter()
            .filter(|(r, _)| r.operation() == put)
            .map(|(r, p)| (r.status, p.items))
            .collect();
        let at =
            items.iter().position(|(status, _)| *status == Some(413)).expect("the push that was refused");
        let whole = items[at].1;
        // Others may have been under way with it, and the halves may go beside what comes next.
        let mut later: Vec<_> = items[at + 1..].iter().map(|(_, items)| *items).collect();
        for half in [whole.div_ceil(2), whole / 2] {
            let found = later.iter().position(|items| *items == half);
            later.remove(found.unwrap_or_else(|| panic!("no {half} of {whole} by {put}: {items:?}")));
        }
    }
}

#[test]
fn a_connection_that_is_cut_before_the_request_is_read_is_made_again() {
    let _turn = turn();
    let cloud = Cloud::new("CutUnread");
    let ops = start(&cloud);
    cloud.proxy.script(Fault::CutUnread.times(4));
    record();
    assert_delivered(&ops);
    drop(ops);
    assert_eq!((cloud.proxy.cut_unread(), cloud.proxy.steps_left()), (4, 0));
    assert_exact(&cloud);
}

/// Two answers that never come: what was in these pushes stands there twice, and nothing else does.
fn twice_after(namespace: &str, fault: &Fault) {
    let _turn = turn();
    let cloud = Cloud::new(namespace);
    let ops = start(&cloud);
    info!("makes the group");
    assert_delivered(&ops);
    PUTS.iter().for_each(|put| cloud.proxy.script_for(put, [fault.clone()]));
    record();
    assert_delivered(&ops);
    drop(ops);
    let requests = cloud.proxy.requests();
    let lost = |put: &str| {
        let lost = requests.iter().find(|r| r.operation() == put && r.status.is_none());
        let lost = lost.expect("the push whose answer was lost");
        assert_eq!(lost.upstream_status, Some(200), "the server took it");
        lost.json()
    };
    assert_duplicates_are_told(&cloud, lost("PutLogEvents")["logEvents"].as_array().map_or(0, Vec::len));
    let again = lost("PutMetricData")["MetricData"].as_array().cloned().unwrap_or_default();
    let again: f64 =
        again.iter().filter(|d| d["MetricName"] == "events").filter_map(|d| d["Value"].as_f64()).sum();
    assert!(again > 0.0);
    assert_eq!(cloud.metrics().sum("events"), EVENTS as f64 + again, "a sample has no id: it adds up again");
}

/// So many lines are there twice; the id that a line carries tells them, and without them every line is there once.
fn assert_duplicates_are_told(cloud: &Cloud, duplicates: usize) {
    let mut lines = cloud.lines();
    lines.retain(|line| line["n"].is_u64());
    assert!(duplicates > 0);
    assert_eq!(lines.len(), EVENTS as usize + duplicates);
    let mut seen = std::collections::BTreeSet::new();
    lines.retain(|line| seen.insert(line["id"].to_string()));
    let mut once = numbers(&lines);
    once.sort_unstable();
    assert_eq!(once, (0..EVENTS).collect::<Vec<_>>());
}

#[test]
fn an_answer_that_is_lost_leads_to_duplicates_that_are_told_by_their_ids() {
    twice_after("CutAnswer", &Fault::CutAnswer);
}

#[test]
fn half_an_answer_is_no_answer() {
    twice_after("HalfAnswer", &Fault::HalfAnswer);
}

#[test]
fn a_bad_datum_costs_only_itself() {
    let _turn = turn();
    let cloud = Cloud::new("BadDatum");
    let dir = tempfile::tempdir().expect("a directory");
    let ops = cloud.init("cloudwatch").state_dir(dir.path()).start().expect("recording starts");
    let refusal = Fault::aws(400, "InvalidParameterValue", "The value is not one that is taken");
    cloud.proxy.whenever("unwanted", refusal);
    early_in_a_minute();
    (0..100u32).for_each(|n| counter!("wanted", 1, "Series" => n));
    counter!("unwanted", 1);
    record();
    assert!(ops.flush(SOON).complete);
    let stats = ops.stats();
    assert_balanced(&stats);
    let row = row(&stats, "cloudwatch", Signal::Metric);
    assert_eq!((row.recorded, row.delivered, row.dead_lettered), (105, 104, 1), "{row:?}");
    drop(ops);
    let metrics = cloud.metrics();
    assert_eq!(
        (metrics.sum("wanted"), metrics.sum("unwanted"), metrics.sum("events")),
        (100.0, 0.0, EVENTS as f64)
    );
    let letters =
        std::fs::read_to_string(dir.path().join("dead-letter/cloudwatch.jsonl")).expect("the letters");
    let letter: Value = serde_json::from_str(&letters).expect("one letter");
    assert_eq!(letter["reason"], "refused");
    assert!(letter["why"].as_str().is_some_and(|why| why.contains("not one that is taken")), "{letter}");
    assert!(letter["item"].as_str().is_some_and(|item| item.contains("unwanted")), "{letter}");
}

#[test]
fn what_the_service_rejects_of_a_push_is_counted_and_never_sent_again() {
    let _turn = turn();
    let cloud = Cloud::new("Rejected");
    let ops = cloud.init("cloudwatch-logs").linger(SOON).start().expect("recording starts");
    info!("makes the group");
    assert_delivered(&ops);
    let rejects = r#"{"rejectedLogEventsInfo":{"tooOldLogEventEndIndex":2,"tooNewLogEventStartIndex":4}}"#;
    cloud.proxy.script_for("PutLogEvents", [Fault::answer(200, rejects)]);
    (0..5u64).for_each(|n| info!("event {n}", n));
    assert!(ops.flush(SOON).complete);
    let stats = ops.stats();
    assert_balanced(&stats);
    let row = row(&stats, "cloudwatch-logs", Signal::Log);
    assert_eq!(row.dropped, [(Loss::TooOld, 2), (Loss::TooNew, 1)]);
    assert_eq!((row.recorded, row.delivered), (6, 3));
    let items: Vec<_> = cloud.pushes().iter().map(|(r, push)| (r.status, push.items)).collect();
    assert_eq!(
        items,
        [(Some(400), 1), (Some(200), 1), (Some(200), 5)],
        "each was sent once; the first made the group"
    );
}

/// Records that no macro makes, straight to the backend: what moto itself rejects.
#[test]
fn events_outside_the_services_window_are_refused_by_their_index() {
    const HOUR_MS: u64 = 3_600_000;
    let cloud = Cloud::new("Window");
    let vars = cloud.vars();
    let var = move |asked: &str| vars.iter().find(|(name, _)| *name == asked).map(|(_, value)| value.clone());
    let context = Context {
        namespace: "Window".to_owned(),
        dimensions: Vec::new(),
        process: 1,
        host: "host".to_owned(),
        name: None,
        state_dir: None,
        push_limit: PushLimit::default(),
        var: Arc::new(var),
    };
    let mut backend = Box::new(CloudWatchLogs::new()).open(&context).expect("it opens");
    let now_ms = Now::read().unix_ms();
    let mut send = |times_ms: &[u64]| {
        let batch = batch(&mut *backend, times_ms);
        backend.send(&batch, &mut Net::new(Now::read()))
    };
    let refused = |at, loss, why: &str| (at, Refusal { loss, why: why.to_owned() });
    let ahead = send(&[now_ms, now_ms + HOUR_MS, now_ms + 3 * HOUR_MS]);
    let too_new = vec![refused(2, Loss::TooNew, "more than 2 hours ahead")];
    assert_eq!(ahead, Verdict::Partial { failed: Vec::new(), refused: too_new });
    // The end of the too old is exclusive; moto (5.2.5) tells the last of them instead, so one more is sent here.
    let oldest_ms = now_ms - 14 * 24 * HOUR_MS;
    let old = send(&[oldest_ms - 2 * HOUR_MS, oldest_ms - HOUR_MS, oldest_ms + HOUR_MS]);
    let too_old = vec![refused(0, Loss::TooOld, "older than 14 days")];
    assert_eq!(old, Verdict::Partial { failed: Vec::new(), refused: too_old });
    let times_ms: Vec<_> = cloud.events().iter().map(|event| event.time_ms).collect();
    assert_eq!(times_ms, [oldest_ms + HOUR_MS, now_ms, now_ms + HOUR_MS]);
}

fn batch(backend: &mut dyn Backend, times_ms: &[u64]) -> Batch {
    let mut items = Items::new();
    for (seq, time_ms) in (1..).zip(times_ms) {
        let log = Log {
            level: Level::Info,
            target: "faults".into(),
            message: "at its time".into(),
            file: "".into(),
            line: 0,
            fields: Vec::new(),
        };
        let id = RecordId { process: 1, seq };
        items.begin(id, *time_ms, 0);
        let record = Record { id, time_ns: time_ms * 1_000_000, body: Body::Log(log) };
        backend.encode(&record, &mut items).expect("a log is expressible");
    }
    let mut batch = Batch::default();
    items.iter().for_each(|(item, bytes)| batch.push(item.time_ms, item.record, item.place, bytes));
    batch
}

#[test]
fn a_hang_at_the_end_keeps_the_deadline_and_the_next_start_delivers_everything_once() {
    let _turn = turn();
    let cloud = Cloud::new("Hang");
    let dir = tempfile::tempdir().expect("a directory");
    let begin = || cloud.init(BACKENDS).state_dir(dir.path()).start().expect("recording starts");
    let ops = begin();
    cloud.proxy.otherwise(Fault::Hang);
    record();
    wait_until_recorded(&ops, EVENTS);
    let began = Instant::now();
    let report = ops.shutdown(Duration::from_millis(500));
    assert!(began.elapsed() < PUSH_TIMEOUT, "it waits for no push that hangs");
    assert_eq!((report.complete, report.pending, report.dropped), (false, 0, 0), "{report:?}");
    assert!(report.spooled >= EVENTS, "{report:?}");
    cloud.proxy.otherwise(Fault::Pass);
    cloud.proxy.release();

    let ops = begin();
    assert_delivered(&ops);
    let kept = row(&ops.stats(), "cloudwatch-logs", Signal::Log);
    assert_eq!(kept.recorded, EVENTS, "all of it was kept");
    drop(ops);
    assert_exact(&cloud);
}

#[test]
fn an_endpoint_that_is_down_blocks_nobody_and_gets_everything_when_it_comes_up() {
    let _turn = turn();
    let port = Port::keep();
    let cloud = Cloud::new("Down");
    let mut vars = cloud.vars();
    vars.retain(|(name, _)| *name != "AWS_ENDPOINT_URL");
    vars.push(("AWS_ENDPOINT_URL", format!("http://{}", port.address())));
    let ops = init(vars).start().expect("an endpoint that is down is no reason not to start");
    early_in_a_minute();
    record();
    let report = ops.flush(Duration::from_millis(300));
    assert!(!report.complete);
    // Metrics come to the books after the events that were there before the flush.
    wait_until("all is in the books", || row(&ops.stats(), "cloudwatch", Signal::Metric).recorded >= 4);
    let stats = ops.stats();
    assert_balanced(&stats);
    let down = row(&stats, "cloudwatch-logs", Signal::Log);
    assert_eq!((down.recorded, down.pending, down.delivered), (EVENTS, EVENTS, 0));
    let down = row(&stats, "cloudwatch", Signal::Metric);
    assert_eq!((down.pending, down.delivered), (4, 0));

    let _proxy = Proxy::start_on(port.number(), &moto().url());
    assert_delivered(&ops);
    drop(ops);
    assert_exact(&cloud);
}
