//! Records of a unit of work, as they arrive: each metric once by all dimensions, and the line with all of it.

use std::time::Duration;

use ops_sdk::Timer;
use ops_sdk::prelude::*;
use ops_tests::capture::Capture;
use ops_tests::{SOON, assert_balanced, early_in_a_minute, turn};
use serde_json::{Value, json};

/// Runs `work` while a fake records, and gives back what arrived.
fn recorded(work: impl FnOnce()) -> Capture {
    let _turn = turn();
    let capture = Capture::new("records");
    let builder = ops_sdk::init().environment(|_| None).linger(Duration::from_millis(5));
    let ops = builder.backend(capture.clone()).start().expect("recording starts");
    early_in_a_minute();
    work();
    let report = ops.flush(SOON);
    assert!(report.complete, "{report:?}");
    assert_balanced(&ops.stats());
    capture
}

#[derive(Clone, Copy, Dimensions)]
enum Operation {
    Get,
    Put,
}

#[derive(Default, Record)]
struct Database {
    #[record(counter)]
    queries: u32,
    #[record(histogram, unit = Seconds, resolution = high)]
    waited: Option<Duration>,
    #[record(field)]
    table: Option<&'static str>,
}

#[derive(Record)]
#[record(prefix = "request.", log = "request handled", rollup = [[]])]
struct Request {
    #[record(dimension, name = "Operation")]
    operation: Operation,
    #[record(dimension, name = "Shop")]
    shop: String,
    #[record(flatten, prefix = "db.")]
    database: Database,
    #[record(histogram)]
    took: Duration,
    #[record(counter, unit = Bytes)]
    bytes: Option<u64>,
    #[record(gauge)]
    queue: i8,
    #[record(display, name = "id")]
    id: u64,
    #[record(flatten, prefix = "cache.")]
    cache: Option<Database>,
}

fn request(operation: Operation, shop: &str, id: u64) -> Request {
    let database = Database { queries: 2, waited: None, table: Some("orders") };
    let (shop, took) = (shop.to_owned(), Duration::from_millis(30));
    Request { operation, shop, database, took, bytes: None, queue: -3, id, cache: None }
}

/// The metric's lines with this many dimensions of its own.
fn with(capture: &Capture, name: &str, dimensions: usize) -> Vec<Value> {
    let own = |line: &Value| line["dimensions"].as_object().is_some_and(|all| all.len() == dimensions);
    capture.metrics(name).into_iter().filter(own).collect()
}

#[test]
fn each_metric_is_recorded_once_and_the_line_has_all_of_it() {
    let capture = recorded(|| {
        request(Operation::Get, "left", 1).record();
        let mut put = request(Operation::Put, "right", 2).on_drop();
        (put.bytes, put.database.waited) = (Some(7), Some(Duration::from_millis(500)));
        put.cache = Some(Database { queries: 5, waited: None, table: None });
        drop(put);
    });
    let sums = |name: &str| {
        let mut sums: Vec<_> = with(&capture, name, 2)
            .into_iter()
            .map(|line| {
                (
                    line["dimensions"]["Operation"].clone(),
                    line["dimensions"]["Shop"].clone(),
                    line["sum"].as_f64(),
                )
            })
            .collect();
        sums.sort_by_key(|(operation, ..)| operation.to_string());
        sums
    };
    let (get, put) =
        (|sum| (json!("Get"), json!("left"), Some(sum)), |sum| (json!("Put"), json!("right"), Some(sum)));
    assert_eq!(sums("request.took"), [get(30.0), put(30.0)]);
    assert_eq!(sums("request.db.queries"), [get(2.0), put(2.0)]);
    assert_eq!(sums("request.queue"), [get(-3.0), put(-3.0)]);
    assert_eq!(sums("request.bytes"), [put(7.0)]);
    assert_eq!(sums("request.db.waited"), [put(0.5)]);
    assert_eq!(sums("request.cache.queries"), [put(5.0)]);
    assert_eq!(sums("request.cache.waited"), []);
    let units = ["request.took", "request.db.queries", "request.bytes", "request.db.waited"].map(|name| {
        let line = &capture.metrics(name)[0];
        (line["unit"].clone(), line["window_ms"].clone())
    });
    let wanted = [("Milliseconds", 60_000), ("Count", 60_000), ("Bytes", 60_000), ("Seconds", 1_000)];
    assert_eq!(units, wanted.map(|(unit, window)| (json!(unit), json!(window))));
    let whole = with(&capture, "request.took", 0);
    assert_eq!((whole.len(), whole[0]["count"].as_u64(), whole[0]["sum"].as_f64()), (1, Some(2), Some(60.0)));

    let lines = capture.messages("request handled");
    let fields = |line: &Value| {
        let own = ["signal", "time", "level", "target", "message", "file", "id"];
        let mut fields = line.as_object().expect("an object").clone();
        own.iter().for_each(|key| _ = fields.remove(*key));
        Value::from(fields)
    };
    let first = json!({
        "Operation": "Get", "Shop": "left", "request.took": 30.0, "request.bytes": null, "request.queue": -3.0,
        "request.id": "1", "request.db.queries": 2, "request.db.waited": null, "request.db.table": "orders",
        "request.cache.queries": null, "request.cache.waited": null, "request.cache.table": null,
    });
    assert_eq!((lines.len(), lines[0]["level"].as_str()), (2, Some("INFO")));
    let found = lines.iter().map(fields).find(|line| line["request.id"] == "1").expect("the first line");
    assert_eq!(without_nulls(found), without_nulls(first));
}

fn without_nulls(value: Value) -> Value {
    let Value::Object(fields) = value else { return value };
    fields.into_iter().filter(|(_, value)| !value.is_null()).collect()
}

#[derive(Record)]
#[record(prefix = "job.")]
struct Job {
    #[record(counter)]
    done: u64,
    #[record(histogram, unit = Microseconds)]
    took: Timer,
}

#[test]
fn a_guard_records_by_whichever_way_it_is_dropped_unless_it_is_discarded() {
    const THREADS: u64 = 4;
    let capture = recorded(|| {
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                scope.spawn(move || {
                    let job = Job { done: thread, took: Timer::start() }.on_drop();
                    let fails = move || {
                        let _job = job;
                        std::panic::resume_unwind(Box::new("on purpose"))
                    };
                    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(fails)).is_err());
                    Job { done: 100, took: Timer::start() }.on_drop().discard();
                });
            }
        });
        let mut stopped = Job { done: 1, took: Timer::start() };
        stopped.took.stop();
        stopped.record();
        Some(Job { done: 1, took: Timer::start() }).record();
        None::<Job>.record();
    });
    assert_eq!(capture.sum("job.done"), 8.0);
    let counts = capture.metrics("job.took").into_iter().filter_map(|line| line["count"].as_u64());
    assert_eq!(counts.sum::<u64>(), THREADS + 2);
}

#[derive(Record)]
#[record(log = "seldom", level = debug)]
struct Seldom {
    #[record(field)]
    n: u64,
}

#[test]
fn a_line_below_the_level_is_not_written_and_its_metrics_are() {
    let capture = recorded(|| {
        Seldom { n: 1 }.record();
        Job { done: 3, took: Timer::start() }.record();
    });
    assert_eq!((capture.messages("seldom").len(), capture.sum("job.done")), (0, 3.0));
}

#[test]
fn nothing_is_recorded_while_recording_is_off() {
    let _turn = turn();
    request(Operation::Put, "off", 3).record();
    let capture = Capture::new("off");
    let builder = ops_sdk::init().environment(|_| None).linger(Duration::from_millis(5));
    let ops = builder.backend(capture.clone()).start().expect("recording starts");
    assert!(ops.flush(SOON).complete);
    assert!(with(&capture, "request.took", 2).iter().all(|line| line["dimensions"]["Shop"] != "off"));
}
