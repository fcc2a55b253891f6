//! OTLP as an independent and strict receiver reads it: what the macros record arrives complete and typed, in both forms
//! and over faults, and nothing that was accepted is sent again.
//!
//! No collector is to be had here. A server stands in that accepts everything and keeps it; `otlp.py` reads what it has by
//! the generated classes of opentelemetry-proto, and fails on whatever the schema does not have.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;

use ops_sdk::limits::PushLimit;
use ops_sdk::model::Signal;
use ops_sdk::prelude::*;
use ops_sdk::{Level, Ops};
use ops_tests::cloud::init;
use ops_tests::rig::{Fault, Proxy, Recorded, python_lines_with};
use ops_tests::{SOON, assert_balanced, turn};
use serde_json::{Value, json};

const KEY: &str = "hush-hush-0123";
const FORMS: [&str; 2] = ["http/protobuf", "http/json"];
const STEPS: u32 = 200;

/// A receiver that takes everything, and what stands before it.
struct Receiver {
    server: Proxy,
    proxy: Proxy,
    form: &'static str,
}

impl Receiver {
    fn start(form: &'static str) -> Receiver {
        let server = Proxy::start("http://127.0.0.1:1");
        server.otherwise(Fault::answer(200, ""));
        let proxy = Proxy::start(&server.url());
        Receiver { server, proxy, form }
    }

    fn ops(&self, more: &[(&'static str, &str)]) -> Ops {
        // Of two with the same name the first counts.
        let mut vars: Vec<_> = more.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        vars.extend([
            ("OPS_BACKENDS", "otlp".to_owned()),
            ("OPS_SELF_METRICS", "off".to_owned()),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", self.proxy.url()),
            ("OTEL_EXPORTER_OTLP_HEADERS", format!("x-key={KEY}")),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", self.form.to_owned()),
            ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test".to_owned()),
        ]);
        // Everything of a test goes in pushes that a flush asks for.
        let ops = init(vars).dimension("Service", "checkout").level(Level::Trace).linger(SOON);
        ops.start().expect("recording starts")
    }

    /// What the receiver has accepted.
    fn told(&self) -> Told {
        read(&self.server.requests())
    }
}

/// What requests say.
#[derive(Default)]
struct Told {
    /// Each resource's attributes.
    resources: BTreeSet<String>,
    metrics: Vec<Value>,
    logs: Vec<Value>,
}

fn read(requests: &[Recorded]) -> Told {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    for request in requests {
        let (kind, path) =
            if request.path == "/v1/logs" { ("logs", "/v1/logs") } else { ("metrics", "/v1/metrics") };
        assert_eq!(request.path, path);
        match request.header("authorization") {
            None => assert_eq!(request.header("x-key"), Some(KEY)),
            Some(signature) => assert!(is_by_cloudwatch(signature) && request.header("x-key").is_none()),
        }
        let form = match request.header("content-type").expect("a content type") {
            "application/x-protobuf" => "protobuf",
            "application/json" => "json",
            other => panic!("{other}"),
        };
        let body = request.decoded.as_deref().expect("gzip that can be undone");
        assert!(body.len() <= 32_768, "{}", body.len());
        let body: String = body.iter().map(|byte| format!("{byte:02x}")).collect();
        writeln!(file, "{}", json!({ "kind": kind, "form": form, "body": body })).expect("written");
    }
    let read: Vec<Value> = python_lines_with("otlp", "otlp.py", &[file.path().to_str().expect("UTF-8")]);
    let mut told = Told::default();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    for (kind, scopes, items) in
        [("resource_metrics", "scope_metrics", "metrics"), ("resource_logs", "scope_logs", "log_records")]
    {
        for resource in read.iter().flat_map(|request| list(&request[kind])) {
            told.resources.insert(attributes(&resource["resource"]).to_string());
            for scope in list(&resource[scopes]) {
                assert_eq!(scope["scope"]["name"], "ops-sdk");
                let found = list(&scope[items]);
                assert!(!found.is_empty(), "empty envelopes are not to be sent");
                if kind == "resource_logs" { told.logs.extend(found) } else { told.metrics.extend(found) }
            }
        }
    }
    told
}

/// Whether a request is signed for CloudWatch metrics, with its body and how that is compressed.
fn is_by_cloudwatch(signature: &str) -> bool {
    let parts = ["AWS4-HMAC-SHA256 ", "/eu-west-1/monitoring/aws4_request", "content-encoding", "x-amz-date"];
    parts.iter().all(|part| signature.contains(part))
}

/// Attributes by their names, each value by the type that it has.
fn attributes(of: &Value) -> Value {
    let all = of["attributes"].as_array().cloned().unwrap_or_default();
    let pairs =
        all.into_iter().map(|one| (one["key"].as_str().expect("a key").to_owned(), one["value"].clone()));
    let map: BTreeMap<String, Value> = pairs.collect();
    json!(map)
}

fn number(value: &Value) -> f64 {
    value.as_f64().or_else(|| value.as_str()?.parse().ok()).unwrap_or_else(|| panic!("{value} is no number"))
}

impl Told {
    /// The data points of a metric of this kind, whose unit is this.
    fn points(&self, name: &str, kind: &str, unit: &str) -> Vec<Value> {
        let own = self.metrics.iter().filter(|metric| metric["name"] == name);
        let points = own.map(|metric| {
            assert_eq!(metric["unit"].as_str().unwrap_or_default(), unit, "{metric}");
            let points =
                metric[kind]["data_points"].as_array().unwrap_or_else(|| panic!("no {kind}: {metric}"));
            assert_eq!(points.len(), 1);
            if kind != "gauge" {
                assert_eq!(metric[kind]["aggregation_temporality"], 1, "delta");
            }
            let (start, end) =
                (number(&points[0]["start_time_unix_nano"]), number(&points[0]["time_unix_nano"]));
            assert!(start < end, "{metric}");
            points[0].clone()
        });
        points.collect()
    }

    fn sum(&self, name: &str, unit: &str) -> f64 {
        self.points(name, "sum", unit).iter().map(|point| number(&point["as_int"])).sum()
    }

    /// How often each event arrived, by its message.
    fn messages(&self) -> BTreeMap<String, usize> {
        let mut times = BTreeMap::new();
        for log in &self.logs {
            *times.entry(log["body"]["string_value"].as_str().expect("text").to_owned()).or_default() += 1;
        }
        times
    }
}

fn step(n: u32) {
    counter!("orders", 2, unit = Count, "Region" => if n.is_multiple_of(2) { "eu" } else { "us" });
    gauge!("depth", f64::from(n) / 4.0, unit = Percent);
    histogram!("latency", n, unit = Milliseconds);
    debug!("debug {n}", n);
    warn!("warn {n} \"quoted\"\n\tünïcödé 😀", n, order.id = n, share = 0.25, gone = -1, ok = true);
}

fn finish(ops: Ops) {
    let report = ops.flush(SOON);
    assert!(report.complete, "{report:?}");
    assert_balanced(&ops.stats());
}

fn check_metrics(told: &Told) {
    assert_eq!(told.sum("orders", "{count}"), f64::from(2 * STEPS));
    let regions: BTreeSet<String> =
        told.points("orders", "sum", "{count}").iter().map(|point| attributes(point).to_string()).collect();
    assert_eq!(
        regions,
        ["eu", "us"].map(|region| json!({"Region": {"string_value": region}}).to_string()).into()
    );
    assert!(told.metrics.iter().all(|metric| metric["sum"]["is_monotonic"] != false));
    let depth = told.points("depth", "gauge", "%");
    assert_eq!(depth.last().map(|point| number(&point["as_double"])), Some(f64::from(STEPS) / 4.0));
    let latency = told.points("latency", "exponential_histogram", "ms");
    let total = |key: &str| latency.iter().map(|point| number(&point[key])).sum::<f64>();
    assert_eq!((total("count"), total("sum")), (f64::from(STEPS), f64::from(STEPS * (STEPS + 1) / 2)));
    for point in &latency {
        let counts = point["positive"]["bucket_counts"].as_array().expect("buckets");
        let counted: f64 = counts.iter().map(number).sum();
        assert_eq!((counted, counts.len() <= 160), (number(&point["count"]), true));
        let scale = point["scale"].as_i64().unwrap_or(0);
        let first = point["positive"]["offset"].as_i64().unwrap_or(0);
        let low = (first as f64 * (-scale as f64).exp2()).exp2();
        assert!(
            low <= number(&point["min"]) * 1.01 && number(&point["min"]) <= number(&point["max"]),
            "{point}"
        );
    }
}

fn check_logs(told: &Told) {
    assert!(told.messages().values().all(|times| *times == 1), "once each");
    assert_eq!(told.logs.len() as u32, 2 * STEPS);
    let warn = format!("warn {STEPS} \"quoted\"\n\tünïcödé 😀");
    let log =
        told.logs.iter().find(|log| log["body"]["string_value"] == warn.as_str()).expect("the last warning");
    assert_eq!((log["severity_number"].as_u64(), log["severity_text"].as_str()), (Some(13), Some("WARN")));
    let attributes = attributes(log);
    let expected = json!({
        "n": {"int_value": STEPS.to_string()}, "order.id": {"int_value": STEPS.to_string()},
        "share": {"double_value": 0.25}, "gone": {"int_value": "-1"}, "ok": {"bool_value": true},
        "log.target": {"string_value": "otlp"},
    });
    for (name, value) in expected.as_object().expect("an object") {
        assert_eq!(&attributes[name], value, "{name}");
    }
    assert!(attributes["code.file.path"]["string_value"].as_str().expect("a path").ends_with("otlp.rs"));
}

#[test]
fn what_the_macros_record_arrives_complete_and_typed_in_both_forms() {
    let _turn = turn();
    for form in FORMS {
        let receiver = Receiver::start(form);
        let ops = receiver.ops(&[]);
        (1..=STEPS).for_each(step);
        let correlation = Correlation::new();
        correlation.run(|| info!("within"));
        finish(ops);
        let mut told = receiver.told();
        let within =
            told.logs.iter().position(|log| log["body"]["string_value"] == "within").expect("the event");
        let within = told.logs.remove(within);
        assert_eq!(within["trace_id"].as_str(), Some(correlation.id().to_string().as_str()));
        assert_eq!(within["span_id"].as_str().map(str::len), Some(16));
        check_metrics(&told);
        check_logs(&told);
        let resource: Vec<Value> =
            told.resources.iter().map(|text| serde_json::from_str(text).expect("JSON")).collect();
        assert_eq!(resource.len(), 1);
        let of = |name: &str| resource[0][name]["string_value"].as_str().unwrap_or_default().to_owned();
        assert_eq!(
            (of("service.name"), of("deployment.environment.name")),
            ("checkout".into(), "test".into())
        );
        assert_eq!((of("telemetry.sdk.language"), of("service.instance.id").len()), ("rust".into(), 16));
    }
}

#[test]
fn over_faults_everything_arrives_once_and_typed() {
    let _turn = turn();
    let receiver = Receiver::start(FORMS[0]);
    receiver.proxy.script([
        Fault::CutUnread,
        Fault::answer(503, "").with("Retry-After", "0"),
        Fault::CutUnsent,
        Fault::answer(429, "").with("Retry-After", "0"),
        Fault::answer(502, "<html>bad gateway</html>").with("Retry-After", "0"),
        Fault::answer(504, "").with("Retry-After", "0"),
    ]);
    let ops = receiver.ops(&[]);
    (1..=STEPS).for_each(step);
    finish(ops);
    assert_eq!(receiver.proxy.steps_left(), 0);
    let told = receiver.told();
    check_metrics(&told);
    check_logs(&told);
}

#[test]
fn an_answer_that_is_lost_costs_doubles_that_their_ids_tell() {
    let _turn = turn();
    let receiver = Receiver::start(FORMS[0]);
    receiver.proxy.script([Fault::CutAnswer]);
    let ops = receiver.ops(&[("OPS_OTLP_METRICS", "0")]);
    (0..5).for_each(|n| info!("event {n}"));
    finish(ops);
    let told = receiver.told();
    assert_eq!((told.messages().len(), told.logs.len()), (5, 10));
    let ids: BTreeSet<String> =
        told.logs.iter().map(|log| attributes(log)["log.record.uid"].to_string()).collect();
    assert_eq!(ids.len(), 5);
}

#[test]
fn what_is_refused_is_kept_with_the_servers_words() {
    let _turn = turn();
    let receiver = Receiver::start(FORMS[1]);
    let dir = tempfile::tempdir().expect("a directory");
    let json = ("Content-Type", "application/json");
    let no = Fault::answer(400, r#"{"code":3,"message":"no such tenant"}"#).with(json.0, json.1);
    let partly = r#"{"partialSuccess":{"rejectedLogRecords":"2","errorMessage":"too old"}}"#;
    receiver.proxy.whenever("first", no);
    receiver.proxy.whenever("second", Fault::answer(200, partly).with(json.0, json.1));
    receiver.proxy.whenever("third", Fault::answer(500, "oops"));
    let ops =
        receiver.ops(&[("OPS_STATE_DIR", dir.path().to_str().expect("UTF-8")), ("OPS_OTLP_METRICS", "0")]);
    let flushed = |ops: &Ops| assert!(ops.flush(SOON).complete);
    info!("first");
    flushed(&ops);
    (0..5).for_each(|n| info!("second {n}"));
    flushed(&ops);
    info!("third");
    flushed(&ops);
    info!("fourth");
    flushed(&ops);
    assert_balanced(&ops.stats());
    let rows = &ops.stats().books[0].rows;
    let row = rows.iter().find(|row| row.signal == Signal::Log).expect("logs are taken");
    assert_eq!((row.recorded, row.delivered, row.dead_lettered), (8, 4, 4), "{row:?}");
    assert_eq!(receiver.told().messages().into_keys().collect::<Vec<_>>(), ["fourth"]);
    drop(ops);
    let letters = std::fs::read_to_string(dir.path().join("dead-letter").join("otlp.jsonl"));
    let letters = letters.expect("dead letters");
    for (words, times) in
        [("no such tenant", 1), ("the server rejected 2 without saying which: too old", 2), ("oops", 1)]
    {
        assert_eq!(letters.matches(words).count(), times, "{words} in {letters}");
    }
}

/// What the unit tests hold the encoders to, as the independent receiver reads it.
#[test]
fn the_golden_files_say_the_same_in_both_forms() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../ops-sdk/src/encode/otlp/golden");
    for kind in ["metrics", "logs"] {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        for (form, ending) in [("protobuf", "binpb"), ("json", "json")] {
            let bytes = std::fs::read(folder.join(format!("{kind}.{ending}"))).expect("a golden file");
            let body: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            writeln!(file, "{}", json!({ "kind": kind, "form": form, "body": body })).expect("written");
        }
        let read: Vec<Value> = python_lines_with("otlp", "otlp.py", &[file.path().to_str().expect("UTF-8")]);
        assert_eq!((read.len(), &read[0]), (2, &read[1]));
    }
}

#[test]
fn an_event_over_the_limit_comes_back_byte_for_byte() {
    let _turn = turn();
    for form in FORMS {
        let receiver = Receiver::start(form);
        let ops = receiver.ops(&[]);
        let long = "a \"quoted\" größe\\ \n".repeat(10_000);
        info!("long", text = long.as_str());
        finish(ops);
        let texts = receiver.told().messages().into_keys();
        let lines = ops_tests::cloud::lines(texts);
        let line = lines.iter().find(|line| line["message"] == "long").expect("the event, joined");
        assert_eq!(line["text"], long);
    }
}

#[test]
fn the_vendors_limit_is_the_users_to_choose() {
    let _turn = turn();
    let receiver = Receiver::start(FORMS[0]);
    let vars = vec![("OPS_BACKENDS", "otlp".to_owned()), ("OPS_OTLP_ENDPOINT", receiver.proxy.url())];
    let ops = init(vars).push_limit(PushLimit::Vendor).start().expect("recording starts");
    let wide = "x".repeat(60_000);
    info!("wide", text = wide.as_str());
    finish(ops);
    let requests = receiver.server.requests();
    let bodies = requests.iter().filter_map(|request| request.decoded.as_ref().map(Vec::len));
    assert!(bodies.max().expect("requests") > wide.len());
}

#[test]
fn the_backend_cloudwatch_speaks_otlp_where_it_is_asked_to() {
    let _turn = turn();
    let receiver = Receiver::start("http/protobuf");
    let ops = receiver.ops(&[
        ("OPS_BACKENDS", "cloudwatch"),
        ("OPS_CLOUDWATCH_OTLP", "1"),
        ("AWS_ENDPOINT_URL_CLOUDWATCH", &receiver.proxy.url()),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "hidden"),
    ]);
    (0..STEPS).for_each(|_| counter!("signed.steps", 2));
    info!("a line, which this backend does not carry");
    let report = ops.shutdown(std::time::Duration::from_secs(10));
    assert_eq!(report.backends.iter().map(|one| one.backend.as_str()).collect::<Vec<_>>(), ["cloudwatch"]);
    let told = receiver.told();
    assert_eq!(told.logs.len(), 0);
    let names: Vec<_> = told.metrics.iter().map(|metric| metric["name"].as_str().expect("a name")).collect();
    assert_eq!(names, ["signed.steps"]);
    let point = &told.metrics[0]["sum"]["data_points"][0];
    assert_eq!(point["as_int"], json!((2 * STEPS).to_string()), "{point}");
    let resource = told.resources.first().expect("a resource");
    assert!(resource.contains("deployment.environment.name") && resource.contains("checkout"), "{resource}");
}
