//! Elasticsearch's and OpenSearch's backend against a real node of OpenSearch 2.19, read back with opensearch-py: every
//! kind of record, typed; nothing twice whatever happens to an answer; a document that is refused costs no other.
//! Needs Maven and a JDK, which set the node up; without them `tests/run` sets `OPS_WITHOUT_MAVEN`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ops_sdk::backend::{Backend, Context, Verdict, by_name};
use ops_sdk::chunk::{Items, chunk};
use ops_sdk::clock::Now;
use ops_sdk::ledger::{Loss, Row};
use ops_sdk::limits::PushLimit;
use ops_sdk::model::{
    Audit, Body, Check, CheckStatus, Config, Fields, Level, Log, Metric, Points, Record, RecordId,
    Resolution, Signal, Unit, Value,
};
use ops_sdk::net::Net;
use ops_sdk::prelude::*;
use ops_sdk::{Builder, Ops, parts};
use ops_tests::cloud::{init, keys};
use ops_tests::rig::{Fault, OpenSearch, Proxy, Recorded, python_lines};
use ops_tests::{SOON, assert_balanced, turn};
use serde_json::{Value as Json, json};

const PUSH_BYTES: usize = 32_768;

/// The node, started on first use; it ends with the process.
fn node() -> &'static OpenSearch {
    static NODE: OnceLock<OpenSearch> = OnceLock::new();
    NODE.get_or_init(OpenSearch::start)
}

/// The settings of a program that ships through this proxy, into data streams of its own.
fn program(proxy: &Proxy, dataset: &str) -> Builder {
    init(vec![
        ("OPS_BACKENDS", "elasticsearch".to_owned()),
        ("OPS_ELASTICSEARCH_URL", proxy.url()),
        ("OPS_ELASTICSEARCH_DATASET", dataset.to_owned()),
        ("OPS_NAMESPACE", "Shop".to_owned()),
    ])
    .dimension("Service", "checkout")
}

fn flushed(ops: &Ops) {
    let report = ops.flush(SOON);
    assert!(report.complete, "{report:?}");
    assert_balanced(&ops.stats());
}

fn sources(target: &str, query: &str) -> Vec<Json> {
    node().documents(target, query).into_iter().map(|mut document| document["_source"].take()).collect()
}

fn pushes(proxy: &Proxy) -> Vec<Recorded> {
    proxy.requests().into_iter().filter(|request| request.path.starts_with("/_bulk")).collect()
}

#[test]
fn what_many_threads_record_stands_in_data_streams_exactly() {
    if OpenSearch::is_lacking() {
        return;
    }
    let _turn = turn();
    let proxy = Proxy::start(&node().url());
    let ops = program(&proxy, "exact").start().expect("recording starts");
    std::thread::scope(|scope| {
        for thread in 0..4_u32 {
            scope.spawn(move || {
                for n in 1..=200_u32 {
                    counter!("orders", 2, "Region" => if thread % 2 == 0 { "eu" } else { "us" });
                    gauge!("depth", f64::from(n) / 4.0);
                    histogram!("payload", n, unit = Bytes);
                    info!(
                        "info {n} \"quoted\"\n\tü 😀",
                        thread,
                        n,
                        order.id = n,
                        ratio = f64::from(n) / 8.0,
                        note = "x"
                    );
                }
            });
        }
    });
    let long = "\"long\" \n".repeat(15_000);
    Correlation::new().run(|| error!("{long}", n = 7));
    flushed(&ops);
    drop(ops);
    check_logs(&long);
    check_metrics();
    check_types();
    let pushes = pushes(&proxy);
    assert!(pushes.len() > 10 && pushes.iter().all(|push| push.status == Some(200)));
    for push in &pushes {
        let bytes = push.decoded.as_ref().map_or(0, Vec::len);
        assert!(bytes <= PUSH_BYTES, "{bytes}");
        assert_eq!(push.header("content-encoding") == Some("gzip"), bytes >= 1_024);
    }
    assert_eq!(proxy.requests().len() - pushes.len(), 4, "both templates are asked for and put, once");
}

fn check_logs(long: &str) {
    let logs = sources("logs-exact-default", "message:info");
    assert_eq!(logs.len(), 800);
    let mut seen = BTreeMap::<u64, Vec<u64>>::new();
    for log in &logs {
        let fields = &log["fields"];
        let (thread, n) = (fields["thread"].as_u64().expect("thread"), fields["n"].as_u64().expect("n"));
        seen.entry(thread).or_default().push(n);
        assert_eq!(log["message"], format!("info {n} \"quoted\"\n\tü 😀"));
        assert_eq!((&fields["order.id"], &fields["ratio"]), (&json!(n), &json!(n as f64 / 8.0)));
        assert_eq!((&log["log.level"], &log["service.name"]), (&json!("INFO"), &json!("checkout")));
        assert_eq!((&log["labels"]["Service"], &log["event.dataset"]), (&json!("checkout"), &json!("exact")));
    }
    for of_thread in seen.values_mut() {
        of_thread.sort_unstable();
        assert_eq!(*of_thread, (1..=200).collect::<Vec<_>>());
    }
    let parts_of = sources("logs-exact-default", "tags:ops\\-part");
    assert!(parts_of.len() > 3);
    let joined = parts::join(parts_of.iter().map(|part| part["message"].as_str().expect("text").to_owned()));
    let line: Json = serde_json::from_slice(&joined.expect("all parts")[0].bytes).expect("a line");
    assert_eq!((line["message"].as_str(), &line["n"]), (Some(long), &json!(7)));
}

fn check_metrics() {
    let metrics = sources("metrics-exact-default", "*");
    let sum = |name: &str, region: Option<&str>| -> f64 {
        let of = |metric: &&Json| {
            metric["metric.name"] == name && region.is_none_or(|region| metric["labels"]["Region"] == region)
        };
        metrics.iter().filter(of).filter_map(|metric| metric["metric.sum"].as_f64()).sum()
    };
    assert_eq!((sum("orders", Some("eu")), sum("orders", Some("us"))), (800.0, 800.0));
    assert_eq!(sum("depth", None), 4.0 * 200.0 * 201.0 / 8.0);
    assert_eq!(sum("payload", None), 4.0 * 200.0 * 201.0 / 2.0);
    let payload = metrics.iter().find(|metric| metric["metric.name"] == "payload").expect("payload");
    assert_eq!((&payload["metric.unit"], &payload["event.kind"]), (&json!("Bytes"), &json!("metric")));
    // What an operator asks for in Dashboards.
    let body = json!({
        "size": 0,
        "query": { "term": { "metric.name": "payload" } },
        "aggs": { "n": { "sum": { "field": "metric.count" } }, "max": { "max": { "field": "metric.max" } },
                  "p99": { "max": { "field": "metric.p99" } } },
    });
    let found = &node().read(&["search", "metrics-exact-default", &body.to_string()])[0]["aggregations"];
    assert_eq!((&found["n"]["value"], &found["max"]["value"]), (&json!(800.0), &json!(200.0)));
    assert!(found["p99"]["value"].as_f64().is_some_and(|p99| (190.0..=200.0).contains(&p99)), "{found}");
}

fn check_types() {
    let logs = &node().read(&["mapping", "logs-exact-default"])[0];
    let expected = [
        ("@timestamp", "date"),
        ("message", "text"),
        ("log.level", "keyword"),
        ("event.sequence", "long"),
        ("trace.id", "keyword"),
        ("labels.Service", "keyword"),
        ("fields.n", "long"),
        ("fields.order.id", "long"),
        ("fields.ratio", "double"),
        ("fields.note", "keyword"),
    ];
    expected.iter().for_each(|(field, kind)| assert_eq!(logs[field], *kind, "{field}"));
    let metrics = &node().read(&["mapping", "metrics-exact-default"])[0];
    assert_eq!((&metrics["metric.sum"], &metrics["metric.count"]), (&json!("double"), &json!("long")));
    let streams = node().read(&["streams"]);
    let made_by = |name: &str| {
        streams.iter().find(|stream| stream["name"] == name).expect("a stream")["template"].clone()
    };
    assert_eq!(made_by("logs-exact-default"), "ops-sdk-logs-exact");
    assert_eq!(made_by("metrics-exact-default"), "ops-sdk-metrics-exact");
}

#[test]
fn whatever_happens_to_an_answer_each_document_is_there_once() {
    if OpenSearch::is_lacking() {
        return;
    }
    let _turn = turn();
    let proxy = Proxy::start(&node().url());
    let busy = r#"{"error":{"type":"es_rejected_execution_exception","reason":"full"},"status":429}"#;
    // The templates first, under faults too: asked for, put, asked for, put.
    proxy.script([
        Fault::CutUnread,
        Fault::answer(503, ""),
        Fault::Pass,
        Fault::CutAnswer,
        Fault::Pass,
        Fault::Pass,
        Fault::Pass,
    ]);
    proxy.script([
        Fault::CutAnswer,
        Fault::HalfAnswer,
        Fault::answer(429, busy).with("Retry-After", "0"),
        Fault::answer(413, ""),
        Fault::answer(502, "<html>"),
        Fault::CutUnsent,
        Fault::CutAnswer,
    ]);
    let ops = program(&proxy, "faults").start().expect("recording starts");
    for round in 0..4_u32 {
        (0..150_u32).for_each(|n| info!("event", round, n));
        counter!("rounds", 1);
    }
    flushed(&ops);
    drop(ops);
    assert_eq!(proxy.steps_left(), 0);
    let documents = node().documents("logs-faults-default", "message:event");
    let ids: BTreeSet<_> = documents.iter().map(|document| document["_id"].to_string()).collect();
    assert_eq!((documents.len(), ids.len()), (600, 600));
    let events: BTreeSet<_> =
        documents.iter().map(|document| document["_source"]["fields"].to_string()).collect();
    assert_eq!(events.len(), 600);
    let rounds = sources("metrics-faults-default", "metric.name:rounds");
    assert_eq!(rounds.iter().filter_map(|metric| metric["metric.sum"].as_u64()).sum::<u64>(), 4);
}

fn row(ops: &Ops, signal: Signal) -> Row {
    let rows = ops.stats().books.remove(0).rows;
    rows.into_iter().find(|row| row.signal == signal).expect("it is taken")
}

#[test]
fn a_document_that_is_refused_costs_itself_alone() {
    if OpenSearch::is_lacking() {
        return;
    }
    let _turn = turn();
    let proxy = Proxy::start(&node().url());
    let folder = tempfile::tempdir().expect("a folder");
    let ops = program(&proxy, "refused").state_dir(folder.path()).start().expect("recording starts");
    info!("an object", order.id = 7);
    flushed(&ops);
    (0..20_u32).for_each(|n| match n {
        // An object of the same name is there: no document can have both.
        10 => info!("no object", order = n),
        // Another type than the first: kept as it is, and not indexed.
        11 => info!("no number", order.id = "x"),
        _ => info!("fine", order.id = n),
    });
    flushed(&ops);
    let logs = row(&ops, Signal::Log);
    assert_eq!((logs.delivered, logs.dead_lettered, logs.dropped_total()), (20, 1, 0), "{logs:?}");
    drop(ops);
    assert_eq!(sources("logs-refused-default", "*").len(), 20);
    let letters = std::fs::read_dir(folder.path().join("dead-letter")).expect("letters").flatten();
    let letters: String = letters.filter_map(|file| std::fs::read_to_string(file.path()).ok()).collect();
    assert!(letters.contains("no object") && letters.contains("mapper_parsing_exception"), "{letters}");
}

fn context(dataset: &str, url: String, more: &[(&'static str, &str)]) -> Context {
    let mut vars: BTreeMap<&str, String> =
        more.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    vars.insert("OPS_ELASTICSEARCH_URL", url);
    vars.insert("OPS_ELASTICSEARCH_DATASET", dataset.to_owned());
    Context {
        namespace: "Shop\n\"x\"".into(),
        dimensions: vec![("Ser.vice\n".into(), "che\"ck\u{0}out".into()), (String::new(), "empty".into())],
        process: 0xfeed,
        host: "h\"1".into(),
        name: None,
        state_dir: None,
        push_limit: PushLimit::Contract,
        var: Arc::new(move |name| vars.get(name).cloned()),
    }
}

/// Sends records through the seam and gives what was said to each push.
fn sent(backend: &mut dyn Backend, records: &[Record<'_>]) -> Vec<Verdict> {
    let mut items = Items::new();
    for (record, place) in records.iter().zip(0..) {
        items.begin(record.id, record.time_ms(), place);
        backend.encode(record, &mut items).expect("it can be expressed");
    }
    let now = Now::read();
    let chunked = chunk(&items, &backend.limits().under(PushLimit::Contract), now.unix_ms());
    assert!(chunked.refused.is_empty());
    let mut net = Net::new(now);
    let mut send = |batch| {
        net.begin(Now::read(), SOON);
        backend.send(batch, &mut net)
    };
    chunked.batches.iter().map(&mut send).collect()
}

/// Names and texts of every kind that somebody may come up with.
const HOSTILE: [&str; 16] = [
    "plain",
    "",
    " ",
    ".",
    "..",
    "a..b",
    ".a",
    "a.",
    "a\"b\\",
    "a\nb\r\n{\"index\":{}}",
    "nul\u{0}",
    "*",
    "größe 😀",
    "_id",
    "a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.t.u.v.w.x.y.z",
    "\u{7f}\u{200b}\u{feff}",
];

fn hostile_fields() -> Fields<'static> {
    let names = HOSTILE.iter().chain(&HOSTILE[..4]);
    let values = [
        Value::Null,
        Value::Bool(true),
        Value::I64(i64::MIN),
        Value::U64(u64::MAX),
        Value::F64(f64::NAN),
        Value::F64(1e300),
        Value::Str("x\n\"\u{0}".into()),
    ];
    names.zip(values.iter().cycle()).map(|(name, value)| ((*name).into(), value.clone())).collect()
}

fn every_kind() -> Vec<Record<'static>> {
    let text = |at: usize| HOSTILE[at % HOSTILE.len()].into();
    let mut bodies = Vec::new();
    for at in 0..HOSTILE.len() {
        let fields = hostile_fields();
        let points = match at % 3 {
            0 => Points::Counter { sum: u64::MAX },
            1 => Points::Gauge {
                last: f64::NAN,
                min: f64::NEG_INFINITY,
                max: 1e300,
                sum: 0.5,
                count: u64::MAX,
            },
            _ => Points::Counter { sum: 1 },
        };
        let dimensions = HOSTILE.iter().map(|name| ((*name).into(), text(at))).collect();
        bodies.push(Body::Metric(Metric {
            name: text(at),
            unit: Unit::Count,
            resolution: Resolution::High,
            window_ms: 1_000,
            dimensions,
            points,
        }));
        bodies.push(Body::Log(Log {
            level: Level::Warn,
            target: text(at),
            message: text(at + 1),
            file: text(at + 2),
            line: 1,
            fields: fields.clone(),
        }));
        bodies.push(Body::Audit(Audit {
            actor: text(at),
            action: text(at + 1),
            resource: text(at + 2),
            outcome: "denied".into(),
            fields: fields.clone(),
        }));
        bodies.push(Body::Config(Config {
            resource_type: text(at),
            resource_id: text(at + 1),
            fields: fields.clone(),
        }));
        bodies.push(Body::Check(Check {
            name: text(at),
            status: CheckStatus::Critical,
            output: text(at + 1),
            fields,
        }));
    }
    let time_ns = Now::read().unix_ns;
    let id = |seq| RecordId { process: 0xbeef, seq };
    bodies.into_iter().zip(1..).map(|(body, seq)| Record { id: id(seq), time_ns, body }).collect()
}

#[test]
fn every_kind_of_record_is_taken_whatever_its_names_and_texts_hold() {
    if OpenSearch::is_lacking() {
        return;
    }
    let records = every_kind();
    let mut backend = by_name("elasticsearch")
        .expect("it is compiled in")
        .open(&context("hostile", node().url(), &[]))
        .expect("settings");
    for verdict in sent(backend.as_mut(), &records).into_iter().chain(sent(backend.as_mut(), &records)) {
        assert_eq!(verdict, Verdict::Delivered);
    }
    let found = node().documents("logs-hostile*-default,metrics-hostile-default", "*");
    assert_eq!(found.len(), records.len(), "each once, though all were sent twice");
    let streams: BTreeSet<_> = found.iter().filter_map(|document| document["_index"].as_str()).collect();
    assert_eq!(streams.len(), 5, "{streams:?}");
    let of = |query: &str| sources("logs-hostile*-default", query);
    let audit = &of("event.dataset:hostile.audit AND user.name:plain")[0];
    assert_eq!((&audit["event.outcome"], &audit["event.category"]), (&json!("failure"), &json!(["api"])));
    assert_eq!(audit["fields"].as_object().expect("fields").len(), HOSTILE.len() + 4);
    assert_eq!(audit["labels"], json!({ "Ser_vice_": "che\"ck\u{0}out", "_": "empty" }));
    assert_eq!(
        of("event.dataset:hostile.check AND event.severity:2 AND check.status:critical").len(),
        HOSTILE.len()
    );
    assert_eq!(
        of("event.dataset:hostile.config AND event.kind:state AND config.resource_type:plain").len(),
        1
    );
    let texts: BTreeSet<_> =
        of("event.dataset:hostile").iter().map(|log| log["message"].to_string()).collect();
    let expected: BTreeSet<_> = HOSTILE.iter().map(|text| json!(text).to_string()).collect();
    assert_eq!(texts, expected, "texts come back as they were");
}

/// What a signature is made for goes over the wire as botocore has it, query and compressed body included.
#[test]
fn signatures_are_those_that_botocore_computes() {
    let proxy = Proxy::start("http://127.0.0.1:1");
    proxy.otherwise(Fault::answer(
        200,
        r#"{"errors":false,"items":[],"index_templates":[{"index_template":{}}]}"#,
    ));
    for service in ["es", "aoss"] {
        let mut vars = keys();
        vars.push(("OPS_ELASTICSEARCH_AWS", service.to_owned()));
        let vars: Vec<_> = vars.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let context = context("signed", proxy.url(), &vars);
        let mut backend =
            by_name("elasticsearch").expect("it is compiled in").open(&context).expect("settings");
        let verdicts = sent(backend.as_mut(), &every_kind()[..20]);
        assert!(verdicts.iter().all(|verdict| *verdict == Verdict::Delivered), "{verdicts:?}");
    }
    let requests = proxy.requests();
    assert!(requests.iter().any(|request| request.header("content-encoding") == Some("gzip")));
    assert!(requests.iter().any(|request| request.method == "GET"));
    let line = |request: &Recorded| {
        let body: String = request.raw_body.iter().map(|byte| format!("{byte:02x}")).collect();
        let (method, path, headers) = (&request.method, &request.path, &request.headers);
        format!("{}\n", json!({ "method": method, "path": path, "headers": headers, "body": body }))
    };
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), requests.iter().map(line).collect::<String>()).expect("written");
    let judged: Vec<Json> = python_lines("signatures.py", &[file.path().to_str().expect("UTF-8")]);
    assert_eq!(judged.len(), requests.len());
    assert!(judged.iter().all(|judged| judged["signed"] == true), "{judged:?}");
    let services: BTreeSet<_> = judged.iter().filter_map(|judged| judged["service"].as_str()).collect();
    assert_eq!(services, BTreeSet::from(["aoss", "es"]));
}

#[test]
fn a_server_that_refuses_the_key_costs_nothing_and_is_told_without_the_key() {
    let _turn = turn();
    let proxy = Proxy::start("http://127.0.0.1:1");
    proxy.otherwise(Fault::answer(
        401,
        r#"{"error":{"type":"security_exception","reason":"unable to authenticate"}}"#,
    ));
    let ops = init(vec![
        ("OPS_BACKENDS", "elasticsearch".to_owned()),
        ("OPS_ELASTICSEARCH_URL", proxy.url()),
        ("OPS_ELASTICSEARCH_API_KEY", "id:hush-hush".to_owned()),
    ]);
    let ops = ops.shutdown_deadline(Duration::from_millis(100)).start().expect("recording starts");
    info!("kept");
    let refused = |requests: &[Recorded]| requests.iter().any(|request| request.status == Some(401));
    assert!(proxy.wait_until(SOON, refused), "{:?}", proxy.requests());
    assert!(!ops.flush(Duration::from_millis(500)).complete);
    let logs = row(&ops, Signal::Log);
    assert!(logs.pending >= 1 && logs.dropped.iter().all(|(loss, _)| *loss != Loss::Refused), "{logs:?}");
    assert!(!format!("{:?}", ops.stats()).contains("hush"));
    drop(ops);
    assert!(
        proxy
            .requests()
            .iter()
            .all(|request| request.header("authorization") == Some("ApiKey aWQ6aHVzaC1odXNo"))
    );
}

const EXPORTS: [&str; 2] = ["kibana.ndjson", "opensearch-dashboards.ndjson"];

/// The saved objects of an export.
fn saved(file: &str) -> Vec<Json> {
    let path = format!("{}/../docs/backends/elasticsearch/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

fn inner(object: &Json, member: &str) -> Json {
    let text = object["attributes"].pointer(member).and_then(Json::as_str).expect("a text of JSON");
    serde_json::from_str(text).expect("JSON in a text")
}

/// By the rules of both importers: known types, attributes, references that lead somewhere, and versions of the types
/// that OpenSearch Dashboards knows (its migrations, 2.x) or that Kibana 8 exports.
#[test]
fn saved_objects_are_such_as_importers_take() {
    let versions = |file: &str| match file {
        "kibana.ndjson" => [
            ("index-pattern", "8.0.0"),
            ("search", "8.0.0"),
            ("visualization", "8.5.0"),
            ("dashboard", "8.9.0"),
        ],
        _ => [
            ("index-pattern", "7.6.0"),
            ("search", "7.9.3"),
            ("visualization", "7.10.0"),
            ("dashboard", "7.9.3"),
        ],
    };
    for file in EXPORTS {
        let (objects, versions) = (saved(file), BTreeMap::from(versions(file)));
        let key = |object: &Json| (object["type"].to_string(), object["id"].to_string());
        let all: BTreeSet<_> = objects.iter().map(key).collect();
        assert_eq!(all.len(), objects.len());
        for object in &objects {
            let kind = object["type"].as_str().expect("a type");
            let version =
                object["typeMigrationVersion"].as_str().or(object["migrationVersion"][kind].as_str());
            assert_eq!(version, versions.get(kind).copied(), "{object}");
            assert!(object["attributes"]["title"].as_str().is_some_and(|title| !title.is_empty()));
            let references = object["references"].as_array().expect("references");
            assert!(references.iter().all(|reference| all.contains(&key(reference))), "{object}");
            let mut asked: Vec<Json> = Vec::new();
            if kind != "index-pattern" {
                asked.push(inner(object, "/kibanaSavedObjectMeta/searchSourceJSON")["indexRefName"].clone());
            }
            if kind == "dashboard" {
                let panels = inner(object, "/panelsJSON");
                asked = panels
                    .as_array()
                    .expect("panels")
                    .iter()
                    .map(|panel| panel["panelRefName"].clone())
                    .collect();
            }
            let given: Vec<Json> = references.iter().map(|reference| reference["name"].clone()).collect();
            assert_eq!(asked, given, "{object}");
        }
    }
}

/// The aggregations of a visualisation, one within the other, as they are asked for.
fn aggregations(state: &Json) -> Json {
    let all = state["aggs"].as_array().expect("aggregations");
    let one = |agg: &Json| match agg["type"].as_str() {
        Some("date_histogram") => {
            json!({ "date_histogram": { "field": agg["params"]["field"], "fixed_interval": "1m" } })
        }
        Some(kind) => json!({ kind: { "field": agg["params"]["field"] } }),
        None => panic!("{agg}"),
    };
    let metrics: serde_json::Map<String, Json> = all
        .iter()
        .filter(|agg| agg["schema"] == "metric" && agg["type"] != "count")
        .map(|agg| ("m".to_owned(), one(agg)))
        .collect();
    let buckets = all.iter().filter(|agg| agg["schema"] != "metric").rev();
    buckets.fold(Json::Object(metrics), |within, agg| {
        let mut bucket = one(agg);
        bucket["aggs"] = within;
        json!({ "b": bucket })
    })
}

/// Every search and every visualisation finds what programs ship, asked of the node in the words of the saved objects.
#[test]
fn saved_objects_find_what_programs_ship() {
    if OpenSearch::is_lacking() {
        return;
    }
    let mut backend = by_name("elasticsearch")
        .expect("it is compiled in")
        .open(&context("ops", node().url(), &[]))
        .expect("settings");
    let mut records = every_kind();
    let histogram = Points::Histogram({
        let mut distribution = ops_sdk::model::Distribution::default();
        (1..=100_u32).for_each(|n| distribution.observe(f64::from(n), 1));
        distribution
    });
    if let Body::Metric(metric) = &mut records[0].body {
        metric.points = histogram;
    }
    assert!(sent(backend.as_mut(), &records).iter().all(|verdict| *verdict == Verdict::Delivered));
    let objects: Vec<Json> =
        saved(EXPORTS[0]).into_iter().filter(|object| !pattern(object).is_empty()).collect();
    let other: Vec<Json> =
        saved(EXPORTS[1]).into_iter().filter(|object| !pattern(object).is_empty()).collect();
    let attributes =
        |objects: &[Json]| objects.iter().map(|object| object["attributes"].clone()).collect::<Vec<_>>();
    assert_eq!(attributes(&objects), attributes(&other), "both exports ask for the same");
    let asked: Vec<(&str, String)> =
        objects.iter().map(|object| (pattern(object), question(object))).collect();
    let asked: Vec<&str> = asked.iter().flat_map(|(target, body)| [*target, body]).collect();
    let answers = node().read(&[&["search"], &asked[..]].concat());
    assert_eq!((answers.len(), objects.len()), (8, 8));
    let mapped = &node().read(&["mapping", LOGS])[0];
    for (object, answer) in objects.iter().zip(&answers) {
        assert!(answer["hits"]["total"]["value"].as_u64().is_some_and(|hits| hits > 0), "{object}: {answer}");
        if object["type"] == "visualization" {
            let group = &answer["aggregations"]["b"]["buckets"][0]["b"]["buckets"][0];
            let is_told = group["m"].is_null() || group["m"]["value"].is_number();
            assert!(
                group["doc_count"].as_u64().is_some_and(|count| count > 0) && is_told,
                "{object}: {answer}"
            );
        }
        for column in object["attributes"]["columns"].as_array().into_iter().flatten() {
            assert!(mapped[column.as_str().expect("a name")].is_string(), "{column} is not mapped");
        }
    }
}

const LOGS: &str = "logs-ops*";

/// Where a search or a visualisation looks; nothing for other objects.
fn pattern(object: &Json) -> &'static str {
    match (object["type"].as_str(), object["references"][0]["id"].as_str()) {
        (Some("search" | "visualization"), Some("ops-sdk-logs")) => LOGS,
        (Some("search" | "visualization"), _) => "metrics-ops-*",
        _ => "",
    }
}

/// What it asks for there.
fn question(object: &Json) -> String {
    let source = inner(object, "/kibanaSavedObjectMeta/searchSourceJSON");
    let mut body = json!({ "query": { "query_string": { "query": source["query"]["query"] } } });
    if object["type"] == "visualization" {
        body["size"] = json!(0);
        body["aggs"] = aggregations(&inner(object, "/visState"));
    }
    body.to_string()
}

fn event(seq: u64, fields: Fields<'static>) -> Record<'static> {
    let body = Body::Log(Log {
        level: Level::Info,
        target: "t".into(),
        message: "m".into(),
        file: "".into(),
        line: 0,
        fields,
    });
    Record { id: RecordId { process: 0xcafe, seq }, time_ns: Now::read().unix_ns, body }
}

/// A push of the vendor's size, all of it refused: the answer is longer than what is read of one, so it is asked for in
/// halves, and then each document has its reason.
#[test]
fn a_full_push_that_is_refused_is_refused_one_by_one() {
    if OpenSearch::is_lacking() {
        return;
    }
    let settings = by_name("elasticsearch").expect("it is compiled in");
    let mut backend = settings.open(&context("full", node().url(), &[])).expect("settings");
    let name = "order".repeat(30);
    let object = event(1, vec![(format!("{name}.id").into(), Value::U64(1))]);
    assert_eq!(sent(backend.as_mut(), &[object]), [Verdict::Delivered]);
    let mut items = Items::new();
    for seq in 2..5_002 {
        let record = event(seq, vec![(name.clone().into(), Value::U64(seq))]);
        items.begin(record.id, record.time_ms(), 0);
        backend.encode(&record, &mut items).expect("it can be expressed");
    }
    let mut queue = chunk(&items, &backend.limits().under(PushLimit::Vendor), Now::read().unix_ms()).batches;
    assert_eq!(queue.len(), 1, "one push holds them");
    let (mut net, mut halved, mut gone) = (Net::new(Now::read()), 0, 0);
    while let Some(batch) = queue.pop() {
        net.begin(Now::read(), SOON);
        match backend.send(&batch, &mut net) {
            Verdict::Halve => {
                let (first, second) = batch.halves();
                queue.extend([first, second]);
                halved += 1;
            }
            Verdict::Partial { failed, refused } => {
                assert!(
                    failed.is_empty()
                        && refused.iter().all(|(_, refusal)| refusal.why.contains("fields.order"))
                );
                gone += refused.len();
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(gone, 5_000);
    assert!(halved > 0, "the answer is not that long");
}

/// What an operator forbids, and allows again, is waited for.
#[test]
fn an_index_that_takes_no_writes_is_waited_for() {
    if OpenSearch::is_lacking() {
        return;
    }
    let settings = by_name("elasticsearch").expect("it is compiled in");
    let mut backend = settings.open(&context("blocked", node().url(), &[])).expect("settings");
    assert_eq!(sent(backend.as_mut(), &[event(1, vec![])]), [Verdict::Delivered]);
    let block = |on: bool| {
        let url = format!("{}/logs-blocked-default/_settings", node().url());
        let body = json!({ "index.blocks.write": on }).to_string();
        ureq::put(url).header("content-type", "application/json").send(&body[..]).expect("it is set");
    };
    block(true);
    let minute = Some(Duration::from_secs(60));
    let verdicts = sent(backend.as_mut(), &[event(2, vec![]), event(3, vec![])]);
    assert!(
        matches!(&verdicts[..], [Verdict::Retry { after, why }] if *after == minute && why.contains("block")),
        "{verdicts:?}"
    );
    block(false);
    assert_eq!(sent(backend.as_mut(), &[event(2, vec![]), event(3, vec![])]), [Verdict::Delivered]);
    assert_eq!(node().documents("logs-blocked-default", "*").len(), 3);
}
