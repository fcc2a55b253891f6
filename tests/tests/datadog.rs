//! Datadog's intake as its own client's models read it: what the macros record arrives complete and typed, over faults
//! too, and nothing that was accepted is sent again.
//!
//! There is no intake to be had. A server stands in that accepts everything and keeps it; `judge_datadog.py` reads what it
//! has by the typed models of datadog-api-client.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use ops_sdk::backend::{Backend, Context, Verdict, by_name};
use ops_sdk::chunk::{Items, chunk};
use ops_sdk::clock::Now;
use ops_sdk::limits::PushLimit;
use ops_sdk::model::{Audit, Body, Check, CheckStatus, Config, Record, RecordId, Value as Field};
use ops_sdk::net::Net;
use ops_sdk::prelude::*;
use ops_sdk::{Level, Ops};
use ops_tests::cloud::init;
use ops_tests::rig::{Fault, Proxy, Recorded, python_lines_with};
use ops_tests::{SOON, assert_balanced, turn};
use serde::Deserialize;
use serde_json::{Value, json};

const KEY: &str = "hush-hush-0123";

/// An intake that takes everything, and what stands before it.
struct Intake {
    server: Proxy,
    proxy: Proxy,
}

/// One request as the models read it.
#[derive(Debug, Deserialize)]
struct Judged {
    path: String,
    items: Vec<Value>,
}

impl Intake {
    fn start() -> Intake {
        let server = Proxy::start("http://127.0.0.1:1");
        server.otherwise(Fault::answer(202, r#"{"errors":[]}"#).with("Content-Type", "application/json"));
        let proxy = Proxy::start(&server.url());
        Intake { server, proxy }
    }

    fn vars(&self) -> Vec<(&'static str, String)> {
        vec![
            ("OPS_BACKENDS", "datadog".to_owned()),
            ("OPS_SELF_METRICS", "off".to_owned()),
            ("OPS_DATADOG_ENDPOINT", self.proxy.url()),
            ("DD_API_KEY", KEY.to_owned()),
            ("DD_ENV", "test".to_owned()),
        ]
    }

    fn ops(&self) -> Ops {
        let ops = init(self.vars()).dimension("Service", "checkout").level(Level::Trace);
        ops.start().expect("recording starts")
    }

    /// What the intake has accepted, judged.
    fn accepted(&self) -> Vec<Judged> {
        judged(&self.server.requests())
    }
}

fn judged(requests: &[Recorded]) -> Vec<Judged> {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    for request in requests {
        assert_eq!(request.header("dd-api-key"), Some(KEY));
        assert_eq!(request.header("content-type"), Some("application/json"));
        let body: String = request.raw_body.iter().map(|byte| format!("{byte:02x}")).collect();
        let (path, encoding) = (&request.path, request.header("content-encoding"));
        writeln!(file, "{}", json!({ "path": path, "encoding": encoding, "body": body })).expect("written");
    }
    python_lines_with("datadog", "judge_datadog.py", &[file.path().to_str().expect("UTF-8")])
}

fn of<'a>(judged: &'a [Judged], path: &str) -> Vec<&'a Value> {
    judged.iter().filter(|request| request.path == path).flat_map(|request| &request.items).collect()
}

/// The sum of each series' points, as Datadog has it: of the points of one second the last.
fn sums(judged: &[Judged]) -> BTreeMap<String, f64> {
    let mut points = BTreeMap::new();
    for series in of(judged, "/api/v2/series") {
        let key = format!("{} {}", series["metric"].as_str().expect("a name"), series["tags"]);
        for point in series["points"].as_array().expect("points") {
            points.insert((key.clone(), point["timestamp"].as_u64()), point["value"].as_f64());
        }
    }
    let mut sums = BTreeMap::new();
    points
        .into_iter()
        .for_each(|((key, _), value)| *sums.entry(key).or_default() += value.expect("a number"));
    sums
}

/// The messages of the events, parts joined, and how often each id is there.
fn logs(judged: &[Judged]) -> (BTreeMap<String, Value>, BTreeMap<String, usize>) {
    let (mut lines, mut times) = (BTreeMap::new(), BTreeMap::<String, usize>::new());
    for event in of(judged, "/api/v2/logs") {
        let id = event["id"].as_str().expect("an id").to_owned();
        *times.entry(id.clone()).or_default() += 1;
        lines.insert(id, event.clone());
    }
    (lines, times)
}

fn finish(ops: Ops) {
    let report = ops.flush(SOON);
    assert!(report.complete, "{report:?}");
    assert_balanced(&ops.stats());
}

#[test]
fn what_threads_record_arrives_typed_and_counted_exactly() {
    let _turn = turn();
    let intake = Intake::start();
    let ops = intake.ops();
    for round in 0..3u32 {
        std::thread::scope(|scope| {
            for thread in 0..4u32 {
                scope.spawn(move || {
                    for n in 0..50u32 {
                        counter!("orders", 2, "Region" => if n % 2 == 0 { "eu west" } else { "us" });
                        histogram!("payload", n, unit = Bytes);
                        gauge!("depth", 2.5);
                        warn!("charged {n} \"quoted\"\n😀", round, thread, n, share = 0.5, status = "paid");
                    }
                });
            }
        });
        finish_round(&ops); // in the middle of a window, so that it is sent in several records
    }
    finish(ops);
    let judged = intake.accepted();
    let sums = sums(&judged);
    let tags = |region: &str| json!([format!("Region:{region}"), "Service:checkout", "env:test"]);
    for region in ["eu_west", "us"] {
        assert_eq!(sums[&format!("orders {}", tags(region))], 600.0, "{sums:?}");
    }
    let values = of(&judged, "/api/v1/distribution_points").into_iter().flat_map(|item| {
        let values = item["points"][0][1].as_array().expect("values").clone();
        values.into_iter().map(|value| value.as_f64().expect("a number"))
    });
    let values: Vec<f64> = values.collect();
    assert_eq!((values.len(), values.iter().sum::<f64>()), (600, 12.0 * 1_225.0));
    let (lines, times) = logs(&judged);
    assert_eq!(lines.len(), 600);
    assert!(times.values().all(|times| *times == 1));
    let told: BTreeSet<_> =
        lines.values().map(|line| [&line["round"], &line["thread"], &line["n"]].map(Value::as_u64)).collect();
    assert_eq!(told.len(), 600);
    for line in lines.values() {
        let n = line["n"].as_u64().expect("a number");
        assert_eq!(line["message"], format!("charged {n} \"quoted\"\n😀"));
        assert_eq!(
            (&line["share"], &line["status"], &line["fields.status"]),
            (&json!(0.5), &json!("warn"), &json!("paid"))
        );
        assert_eq!((&line["service"], &line["ddsource"]), (&json!("checkout"), &json!("rust")));
        assert_eq!(line["ddtags"], "env:test,Service:checkout");
        assert!(line["timestamp"].is_u64() && line["hostname"].is_string());
    }
    let largest = intake.server.requests().iter().filter_map(|r| r.decoded.as_ref().map(Vec::len)).max();
    assert!(largest.is_some_and(|bytes| bytes <= 32_768), "{largest:?}");
}

fn finish_round(ops: &Ops) {
    let report = ops.flush(SOON);
    assert!(report.complete, "{report:?}");
}

#[test]
fn over_faults_everything_arrives_and_nothing_accepted_is_sent_again() {
    let _turn = turn();
    let intake = Intake::start();
    intake.proxy.script([
        Fault::CutUnread,
        Fault::CutUnsent,
        Fault::answer(429, "{\"errors\":[\"slow\"]}").with("X-Ratelimit-Reset", "0"),
        Fault::answer(503, "<html>no</html>"),
        Fault::answer(413, "{\"errors\":[\"large\"]}"),
        Fault::answer(408, ""),
        Fault::Pass,
        Fault::answer(500, ""),
    ]);
    let ops = intake.ops();
    for n in 0..400u32 {
        counter!("orders", 1);
        histogram!("payload", n % 7);
        info!("event {n}", n);
    }
    finish(ops);
    assert_eq!(intake.proxy.steps_left(), 0);
    let judged = intake.accepted();
    let (lines, times) = logs(&judged);
    assert_eq!((lines.len(), times.values().max()), (400, Some(&1)));
    assert_eq!(sums(&judged).values().copied().collect::<Vec<_>>(), [400.0]);
    let values = of(&judged, "/api/v1/distribution_points");
    let values: usize = values.iter().map(|item| item["points"][0][1].as_array().map_or(0, Vec::len)).sum();
    assert_eq!(values, 400);
}

#[test]
fn what_is_sent_again_because_its_answer_was_lost_has_the_same_id() {
    let _turn = turn();
    let intake = Intake::start();
    intake.proxy.script([Fault::CutAnswer]);
    let ops = intake.ops();
    (0..20u32).for_each(|n| info!("event {n}", n));
    finish(ops);
    let (lines, times) = logs(&intake.accepted());
    assert_eq!(lines.len(), 20);
    assert!(times.values().any(|times| *times == 2), "the first push arrived twice");
}

#[test]
fn an_item_that_is_refused_goes_to_the_dead_letters_alone() {
    let _turn = turn();
    let intake = Intake::start();
    intake.proxy.whenever("poison", Fault::answer(400, "{\"errors\":[{\"detail\":\"bad\"}]}"));
    let state = tempfile::tempdir().expect("a folder");
    let ops = init(intake.vars()).state_dir(state.path()).start().expect("recording starts");
    for n in 0..64u32 {
        let text = if n == 23 { "poison" } else { "fine" };
        info!("{text} {n}", n);
    }
    let report = ops.flush(SOON);
    assert_balanced(&ops.stats());
    assert_eq!(report.dead_lettered, 1, "{report:?}");
    drop(ops);
    let (lines, times) = logs(&intake.accepted());
    assert_eq!((lines.len(), times.values().max()), (63, Some(&1)));
    let letters = std::fs::read_to_string(state.path().join("dead-letter/datadog.jsonl")).expect("letters");
    assert!(
        letters.lines().count() == 1 && letters.contains("poison") && !letters.contains(KEY),
        "{letters}"
    );
}

#[test]
fn a_wrong_key_loses_nothing() {
    let _turn = turn();
    let intake = Intake::start();
    intake.proxy.otherwise(Fault::answer(403, "{\"errors\":[\"Forbidden\"]}"));
    let ops =
        init(intake.vars()).shutdown_deadline(Duration::from_millis(100)).start().expect("recording starts");
    info!("kept");
    let refused = |requests: &[Recorded]| requests.iter().any(|request| request.status == Some(403));
    assert!(intake.proxy.wait_until(SOON, refused), "{:?}", intake.proxy.requests());
    let report = ops.flush(Duration::from_millis(500));
    assert!(!report.complete && report.dead_lettered == 0, "{report:?}");
    assert_balanced(&ops.stats());
}

#[test]
fn an_over_long_event_arrives_in_parts_and_joins() {
    let _turn = turn();
    let intake = Intake::start();
    let ops = intake.ops();
    let text = "ünïcödé \"😀\" ".repeat(8_000);
    info!("before");
    info!("long {text}", n = 7);
    finish(ops);
    let judged = intake.accepted();
    let messages = of(&judged, "/api/v2/logs")
        .into_iter()
        .map(|event| event["message"].as_str().expect("text").to_owned());
    let joined = ops_sdk::parts::join(messages).expect("every part is there");
    let long = joined.iter().find(|event| event.bytes.len() > text.len()).expect("the long one");
    let line: Value = serde_json::from_slice(&long.bytes).expect("JSON");
    assert_eq!((&line["message"], &line["n"]), (&json!(format!("long {text}")), &json!(7)));
    assert!(joined.iter().any(|event| event.bytes == b"before"));
}

/// Checks and changes have no macros: through the seam as the ship thread uses it.
#[test]
fn checks_and_changes_arrive_as_datadog_has_them() {
    let intake = Intake::start();
    let mut vars = intake.vars();
    vars.push(("OPS_DATADOG_EVENTS", "on".to_owned()));
    let mut backend = open(vars);
    let now = Now::read();
    let bodies = [
        Body::Check(Check {
            name: "db".into(),
            status: CheckStatus::Critical,
            output: "no route".into(),
            fields: vec![("tries".into(), Field::U64(3))],
        }),
        Body::Audit(Audit {
            actor: "alice".into(),
            action: "order.cancel".into(),
            resource: "order/7".into(),
            outcome: "done".into(),
            fields: vec![("amount".into(), Field::F64(1.5)), ("actor".into(), Field::Null)],
        }),
        Body::Config(Config {
            resource_type: "queue".into(),
            resource_id: "jobs".into(),
            fields: Vec::new(),
        }),
    ];
    let mut items = Items::new();
    for (seq, body) in (0_u32..).zip(bodies) {
        let id = RecordId { process: 1, seq: seq.into() };
        let record = Record { id, time_ns: now.unix_ns, body };
        items.begin(id, record.time_ms(), seq);
        backend.encode(&record, &mut items).expect("it can be expressed");
    }
    let chunked = chunk(&items, &backend.limits().under(PushLimit::Contract), now.unix_ms());
    assert_eq!((chunked.batches.len(), chunked.refused.len()), (1, 0));
    // The check is not taken at first; what was taken then is not sent again.
    intake.proxy.script([Fault::answer(503, "")]);
    let verdict = backend.send(&chunked.batches[0], &mut Net::new(now));
    assert_eq!(verdict, Verdict::Partial { failed: vec![0], refused: Vec::new() });
    let rest = chunked.batches[0].select(|index| index == 0);
    assert_eq!(backend.send(&rest, &mut Net::new(now)), Verdict::Delivered);
    let judged = intake.accepted();
    let checks = of(&judged, "/api/v1/check_run");
    assert_eq!(checks.len(), 1);
    assert_eq!((&checks[0]["check"], &checks[0]["status"]), (&json!("db"), &json!(2)));
    assert_eq!(checks[0]["message"], "no route tries=3");
    let events = of(&judged, "/api/v2/events");
    assert_eq!(events.len(), 2);
    let change = &events[0]["data"]["attributes"];
    assert_eq!(
        (&change["category"], &change["title"]),
        (&json!("change"), &json!("order.cancel of order/7: done"))
    );
    let metadata = &change["attributes"]["change_metadata"];
    assert_eq!((&metadata["actor"], &metadata["fields.actor"]), (&json!("alice"), &json!(null)));
    assert_eq!((&metadata["amount"], &metadata["id"]), (&json!(1.5), &json!("0000000000000001-1")));
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
    by_name("datadog").expect("it is compiled in").open(&context).expect("it opens")
}
