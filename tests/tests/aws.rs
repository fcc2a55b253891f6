//! What CloudWatch's three backends do beyond the common way: entities, dimension sets, one bad datum among good ones,
//! streams by what is in a record, the HTTP endpoints of CloudWatch Logs, and many metrics in one embedded line. The
//! counterparts are moto, botocore's models of the services, and where neither has the thing, a server that follows the
//! documentation word by word.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::net::UdpSocket;
use std::time::Duration;

use ops_sdk::ledger::Row;
use ops_sdk::model::Signal;
use ops_sdk::prelude::*;
use ops_sdk::{Builder, Ops};
use ops_tests::cloud::{Cloud, init, keys};
use ops_tests::rig::{Fault, Port, Recorded, Reply, Server, python_lines};
use ops_tests::{SOON, assert_balanced, early_in_a_minute, turn};
use serde_json::{Value, json};

const GROUP: &str = "/ops/Ingested";
const TOKEN: &str = "ACWL-of-the-test";

fn with(mut vars: Vec<(&'static str, String)>, more: &[(&'static str, &str)]) -> Builder {
    vars.retain(|(name, _)| more.iter().all(|(other, _)| other != name));
    vars.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
    init(vars)
}

fn row(ops: &Ops, signal: Signal) -> Row {
    let stats = ops.stats();
    assert_balanced(&stats);
    stats.books[0].rows.iter().find(|row| row.signal == signal).expect("a row").clone()
}

/// Asserts that everything recorded so far is delivered.
fn assert_delivered(ops: &Ops, signals: &[Signal]) {
    let report = ops.flush(SOON);
    assert!(report.complete, "{report:?}");
    for signal in signals {
        let row = row(ops, *signal);
        assert_eq!(row.recorded, row.delivered, "{row:?}");
    }
}

fn in_file(lines: impl Iterator<Item = Value>) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), lines.map(|line| format!("{line}\n")).collect::<String>()).expect("written");
    file
}

/// Asserts that botocore's models know every member of these requests.
fn assert_shapes(service: &str, requests: &[Recorded]) {
    let line = |request: &Recorded| json!({ "service": service, "operation": request.operation(), "body": request.json() });
    let file = in_file(requests.iter().map(line));
    let judged: Vec<Value> = python_lines("shapes.py", &[file.path().to_str().expect("UTF-8")]);
    assert_eq!(judged.len(), requests.len());
    assert!(!judged.is_empty() && judged.iter().all(|told| told["wrong"] == json!([])), "{judged:?}");
}

#[test]
fn one_bad_datum_among_many_costs_itself_alone() {
    let _turn = turn();
    let cloud = Cloud::new("OneBad");
    cloud
        .proxy
        .whenever("\"bad.one\"", Fault::aws(400, "InvalidParameterValue", "The value is out of range"));
    let dir = tempfile::tempdir().expect("a directory");
    let ops = with(cloud.vars(), &[("OPS_BACKENDS", "cloudwatch"), ("OPS_SELF_METRICS", "off")]);
    let ops = ops.linger(SOON).state_dir(dir.path()).start().expect("recording starts");
    early_in_a_minute();
    (0..200u32).for_each(|n| counter!("good", 1, "Series" => n));
    counter!("bad.one", 1);
    assert!(ops.flush(SOON).complete);
    let row = row(&ops, Signal::Metric);
    assert_eq!((row.recorded, row.delivered, row.dead_lettered), (201, 200, 1), "{row:?}");
    drop(ops);
    assert_eq!((cloud.metrics().sum("good"), cloud.metrics().sum("bad.one")), (200.0, 0.0));
    let puts = cloud.proxy.requests_of("PutMetricData");
    let refused = puts.iter().filter(|put| put.status == Some(400)).count();
    assert!((2..=9).contains(&refused), "{refused} refusals on the way to one among 201");
}

#[test]
fn each_dimension_set_and_rollup_is_a_series_of_its_own() {
    let _turn = turn();
    let cloud = Cloud::new("Sets");
    let more = [
        ("OPS_BACKENDS", "cloudwatch"),
        ("OPS_DIMENSIONS", "Service=shop,Host=h1"),
        ("OPS_CLOUDWATCH_DIMENSION_SETS", "Service,Host;Service;-"),
        ("OPS_SELF_METRICS", "off"),
    ];
    let ops = with(cloud.vars(), &more).start().expect("recording starts");
    for n in 0..10u32 {
        counter!("orders", 1, rollup = [[]], "Region" => if n < 4 { "eu" } else { "us" });
        gauge!("depth", n, resolution = high);
    }
    assert_delivered(&ops, &[Signal::Metric]);
    drop(ops);
    // moto takes a series for one that has fewer dimensions, so what was pushed is read where it has less to say.
    let sum = |name: &str, dimensions: &[(&str, &str)]| {
        let wanted: BTreeMap<&str, &str> = dimensions.iter().copied().collect();
        let data = cloud.data(name);
        let is_of = |datum: &&Value| {
            let told = datum["Dimensions"].as_array().into_iter().flatten();
            let pair = |d: &'_ Value| {
                (d["Name"].as_str().map(str::to_owned), d["Value"].as_str().map(str::to_owned))
            };
            let wanted = wanted.iter().map(|(k, v)| (Some((*k).to_owned()), Some((*v).to_owned())));
            told.map(pair).collect::<BTreeSet<_>>() == wanted.collect()
        };
        let value = |datum: &Value| datum["Value"].as_f64().or(datum["StatisticValues"]["Sum"].as_f64());
        data.iter().filter(is_of).filter_map(value).sum::<f64>()
    };
    let series = cloud.metrics();
    for of_process in [&[("Service", "shop"), ("Host", "h1")][..], &[("Service", "shop")], &[]] {
        let and = |more: &[(&'static str, &'static str)]| [of_process, more].concat();
        assert_eq!(sum("orders", &and(&[("Region", "eu")])), 4.0, "{of_process:?}");
        assert_eq!(sum("orders", &and(&[("Region", "us")])), 6.0);
        assert_eq!(sum("orders", &and(&[])), 10.0, "the site's own rollup");
        assert_eq!(sum("depth", &and(&[])), 45.0);
    }
    assert_eq!(series.0.iter().filter(|m| m.name == "orders").count(), 9);
    assert!(cloud.data("depth").iter().all(|datum| datum["StorageResolution"] == 1));
    assert!(cloud.data("orders").iter().all(|datum| datum["StorageResolution"].is_null()));
}

/// moto knows no entities, so the server takes everything and the models judge.
#[test]
fn metrics_of_an_entity_are_as_the_model_has_them() {
    let _turn = turn();
    let server = Server::start(|_| Reply::answer(200, "{}").with("X-Amzn-Failure-Message", "InvalidEntity"));
    let mut vars = keys();
    vars.extend([("AWS_ENDPOINT_URL", server.url()), ("OPS_BACKENDS", "cloudwatch".to_owned())]);
    let more = [
        ("OPS_CLOUDWATCH_ENTITY", "Type=Service,Name=check\"out,Environment=prod"),
        ("OPS_CLOUDWATCH_ENTITY_ATTRIBUTES", "Team=payments"),
        ("AWS_DISABLE_REQUEST_COMPRESSION", "true"),
    ];
    let ops = with(vars, &more).start().expect("recording starts");
    early_in_a_minute();
    (0..300u32).for_each(|n| counter!("orders", 1, "Series" => n));
    (1..=200u32).for_each(|n| histogram!("sizes", n, unit = Bytes));
    assert_delivered(&ops, &[Signal::Metric]); // what is said of the entity costs no metric
    drop(ops);
    let requests = server.requests();
    assert!(requests.iter().all(|request| request.raw_body.len() <= 32_768));
    assert_shapes("cloudwatch", &requests);
    let of = |request: &Recorded| request.json()["EntityMetricData"][0].clone();
    let wanted = json!({ "Type": "Service", "Name": "check\"out", "Environment": "prod" });
    assert!(requests.iter().all(|request| of(request)["Entity"]["KeyAttributes"] == wanted));
    let data = requests.iter().flat_map(|r| of(r)["MetricData"].as_array().cloned().expect("data"));
    assert_eq!(data.filter(|datum| datum["MetricName"] == "orders").count(), 300);
}

#[test]
fn records_find_their_streams_through_faults_and_over_long_ones_join() {
    let _turn = turn();
    let cloud = Cloud::new("Streams");
    let more = [
        ("OPS_BACKENDS", "cloudwatch-logs"),
        ("OPS_CLOUDWATCH_LOGS_STREAM_BY", "by/{tenant}"),
        ("OPS_CLOUDWATCH_LOGS_ORDERED", "yes"),
        ("OPS_CLOUDWATCH_LOGS_CLASS", "essentials"),
        ("OPS_CLOUDWATCH_LOGS_TAGS", "Team=payments"),
        ("OPS_CLOUDWATCH_LOGS_DELETION_PROTECTION", "1"),
        ("OPS_CLOUDWATCH_LOGS_ENTITY", "Type=Service,Name=shop"),
    ];
    let ops = with(cloud.vars(), &more).linger(SOON).start().expect("recording starts");
    cloud.proxy.script_for(
        "PutLogEvents",
        [Fault::Pass, Fault::throttled(), Fault::Pass, Fault::unavailable(), Fault::CutUnsent],
    );
    let tenants = ["a", "b:b", "c"];
    for n in 0..300u64 {
        info!("event {n}", n, tenant = tenants[(n % 3) as usize]);
    }
    let long = "\"ü\" ".repeat(20_000);
    info!("long {long}", tenant = "c");
    info!("of nobody");
    assert_delivered(&ops, &[Signal::Log]);
    drop(ops);
    assert_eq!(cloud.proxy.steps_left(), 0);
    let mut streams = BTreeMap::<String, Vec<String>>::new();
    for event in cloud.events() {
        streams.entry(event.stream).or_default().push(event.message);
    }
    assert_eq!(streams.keys().collect::<Vec<_>>(), ["by/-", "by/a", "by/b-b", "by/c"]);
    for (stream, first) in [("by/a", 0), ("by/b-b", 1), ("by/c", 2)] {
        let lines = ops_tests::cloud::lines(streams[stream].iter().cloned());
        let numbers: Vec<u64> = lines.iter().filter_map(|line| line["n"].as_u64()).collect();
        let wanted: Vec<u64> = (0..300).filter(|n| n % 3 == first).collect();
        assert_eq!(numbers, wanted, "once and in order: {stream}");
    }
    let parts = streams["by/c"].iter().filter(|message| message.starts_with("@ops.part v1 ")).count();
    assert!(parts > 1, "{parts} parts");
    let joined = ops_tests::cloud::lines(streams["by/c"].iter().cloned());
    assert!(joined.iter().any(|line| line["message"] == format!("long {long}")));
    assert!(cloud.pushes().iter().all(|(_, push)| push.bytes <= 32_768));
    let requests = cloud.proxy.requests();
    assert_shapes("logs", &requests);
    let made = &cloud.proxy.requests_of("CreateLogGroup")[0].json();
    assert_eq!(
        (&made["logGroupClass"], &made["tags"]),
        (&"ESSENTIALS".into(), &json!({ "Team": "payments" }))
    );
    assert_eq!(made["deletionProtectionEnabled"], true);
    assert!(cloud.proxy.requests_of("PutLogEvents").iter().all(|put| put.json()["entity"].is_object()));
}

/// An event as an endpoint keeps it: its time, if it read one, and its content.
type Kept = (Option<u64>, Value);

/// The endpoints as the pages of `CWL_HTTP_Endpoints.html` have them: what is kept of a body. What they skip in silence
/// is a panic here.
fn kept(request: &Recorded) -> Vec<Kept> {
    let body = std::str::from_utf8(&request.raw_body).expect("UTF-8");
    let content_type = request.header("content-type").expect("a content type");
    let millis = |value: &Value| (value["timestamp"].as_u64(), value.clone());
    match request.path.as_str() {
        "/ingest/bulk" => {
            assert!(["application/json", "application/x-ndjson"].contains(&content_type));
            let lines =
                body.lines().map(|line| serde_json::from_str::<Value>(line).expect("or it is skipped"));
            lines.map(|line| millis(&line)).collect()
        }
        "/ingest/json" => {
            assert_eq!(content_type, "application/json");
            let array: Vec<Value> =
                serde_json::from_str(body).expect("an array: of objects only the first is read");
            assert!(array.iter().all(Value::is_object), "what is no object is skipped");
            array.iter().map(millis).collect()
        }
        "/services/collector/event" => {
            assert_eq!(content_type, "application/json");
            let objects = serde_json::Deserializer::from_str(body).into_iter::<Value>();
            let read = |object: Result<Value, serde_json::Error>| {
                let object = object.expect("objects one after the other");
                let event = object.get("event").expect("or it is skipped").clone();
                let time_s = object["time"].as_f64().expect("seconds");
                (Some((time_s * 1_000.0).round() as u64), event)
            };
            objects.map(read).collect()
        }
        other => panic!("{other}"),
    }
}

/// Group and stream must exist, and the caller be known.
fn endpoint(streams: &std::sync::Mutex<BTreeSet<String>>, request: &Recorded) -> Reply {
    let known = |stream: &str| streams.lock().expect("no panic").contains(stream);
    match request.operation() {
        "CreateLogGroup" | "PutRetentionPolicy" => return Reply::answer(200, "{}"),
        "CreateLogStream" => {
            let stream = request.json()["logStreamName"].as_str().expect("a name").to_owned();
            let is_new = streams.lock().expect("no panic").insert(stream);
            let exists = r#"{"__type":"ResourceAlreadyExistsException","message":"exists"}"#;
            return if is_new { Reply::answer(200, "{}") } else { Reply::answer(400, exists) };
        }
        _ => {}
    }
    let authorization = request.header("authorization").unwrap_or_default();
    if authorization != format!("Bearer {TOKEN}") && !authorization.starts_with("AWS4-HMAC-SHA256 ") {
        return Reply::answer(401, r#"{"message":"Unauthorized"}"#);
    }
    let named = request.header("x-aws-log-group") == Some(GROUP);
    let stream = request.header("x-aws-log-stream").unwrap_or_default();
    if !named || !known(stream) {
        return Reply::answer(400, r#"{"message":"The specified log stream does not exist."}"#);
    }
    Reply::answer(200, "{}")
}

/// Records into an endpoint; gives what it kept and every request.
fn ingested(more: &[(&'static str, &str)], streams: &[&str]) -> (Vec<Kept>, Vec<Recorded>) {
    let known: BTreeSet<String> = streams.iter().map(|stream| (*stream).to_owned()).collect();
    let streams = std::sync::Mutex::new(known);
    let server = Server::start(move |request| endpoint(&streams, request));
    let mut vars = keys();
    vars.extend([
        ("AWS_ENDPOINT_URL", server.url()),
        ("OPS_BACKENDS", "cloudwatch-logs".to_owned()),
        ("OPS_NAMESPACE", "Ingested".to_owned()),
        ("OPS_DIMENSIONS", "timestamp=of the process".to_owned()),
    ]);
    let ops = with(vars, more).start().expect("recording starts");
    let long = "\"quoted\" ".repeat(10_000);
    for n in 0..50u64 {
        info!("event {n} \"quoted\"\nünïcödé", n, timestamp = "of the field");
    }
    info!("long {long}");
    assert_delivered(&ops, &[Signal::Log]);
    drop(ops);
    let requests = server.requests();
    let taken =
        requests.iter().filter(|request| request.operation().is_empty() && request.status == Some(200));
    (taken.flat_map(kept).collect(), requests)
}

fn check_ingested(kept: &[Kept], began_ms: u64) {
    let ended_ms = ops_sdk::clock::Now::read().unix_ms();
    assert!(kept.iter().all(|(time, _)| time.is_some_and(|ms| (began_ms..=ended_ms).contains(&ms))));
    let events: Vec<&Value> = kept.iter().map(|(_, event)| event).collect();
    let numbered: BTreeMap<u64, &Value> =
        events.iter().filter_map(|event| Some((event["n"].as_u64()?, *event))).collect();
    assert_eq!(numbered.len(), 50);
    for (n, event) in &numbered {
        assert_eq!(event["message"], format!("event {n} \"quoted\"\nünïcödé"));
        // The member that says the time is the endpoint's alone.
        let theirs = ["fields.timestamp", "timestamp"].map(|key| event[key].as_str());
        assert!(theirs.contains(&Some("of the field")), "{event}");
    }
    let part = |event: &&&Value| {
        event.as_str().or(event["message"].as_str()).is_some_and(|text| text.starts_with("@ops.part"))
    };
    let parts =
        events.iter().filter(part).map(|event| event.as_str().or(event["message"].as_str()).expect("text"));
    let joined = ops_sdk::parts::join(parts.map(str::to_owned)).expect("all parts");
    let long: Value = serde_json::from_slice(&joined[0].bytes).expect("the line");
    assert_eq!(long["message"], format!("long {}", "\"quoted\" ".repeat(10_000)));
}

#[test]
fn the_http_endpoints_skip_nothing_and_take_a_signature_or_a_token() {
    let _turn = turn();
    for ingest in ["ndjson", "json", "hlc"] {
        let began_ms = ops_sdk::clock::Now::read().unix_ms();
        let signed = [("OPS_CLOUDWATCH_LOGS_INGEST", ingest)];
        let (kept, requests) = ingested(&signed, &[]);
        check_ingested(&kept, began_ms);
        assert!(requests.iter().any(|request| request.operation() == "CreateLogStream"));
        let told = |request: &Recorded| {
            let body: String = request.raw_body.iter().map(|byte| format!("{byte:02x}")).collect();
            json!({ "method": request.method, "path": request.path, "headers": request.headers, "body": body })
        };
        let file = in_file(requests.iter().map(told));
        let judged: Vec<Value> = python_lines("signatures.py", &[file.path().to_str().expect("UTF-8")]);
        let as_botocore = |told: &Value| told["signed"] == true && told["service"] == "logs";
        assert!(judged.len() == requests.len() && judged.iter().all(as_botocore), "{judged:?}");

        let began_ms = ops_sdk::clock::Now::read().unix_ms();
        let token = [
            ("OPS_CLOUDWATCH_LOGS_INGEST", ingest),
            ("OPS_CLOUDWATCH_LOGS_TOKEN", TOKEN),
            ("OPS_CLOUDWATCH_LOGS_STREAM", "made-by-others"),
            ("AWS_ACCESS_KEY_ID", ""),
            ("AWS_SECRET_ACCESS_KEY", ""),
        ];
        let (kept, requests) = ingested(&token, &["made-by-others"]);
        check_ingested(&kept, began_ms);
        assert!(requests.iter().all(|request| request.operation().is_empty() && request.status == Some(200)));
        assert!(
            requests.iter().all(|request| request.raw_body.len() <= 32_768 * 2),
            "parts have their quotes escaped"
        );
    }
}

/// What the agent makes of a line (`plugins/parsers/emf/parser.go`): it is dropped unless it is an object with a group.
fn forwarded(line: &str) -> Value {
    let read: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"));
    assert_eq!(read["_aws"]["LogGroupName"], "/ops/Agent", "without a group a line is dropped");
    read
}

/// Metrics by name with their sums, and how many metrics the fullest line had.
fn told(lines: &[Value]) -> (BTreeMap<String, f64>, usize) {
    let (mut sums, mut fullest) = (BTreeMap::new(), 0);
    for line in lines {
        for directive in line["_aws"]["CloudWatchMetrics"].as_array().into_iter().flatten() {
            let metrics = directive["Metrics"].as_array().expect("metrics");
            assert!((1..=100).contains(&metrics.len()));
            fullest = fullest.max(metrics.len());
            for metric in metrics {
                let name = metric["Name"].as_str().expect("a name");
                let value = line[name].as_f64().or_else(|| line[name]["Sum"].as_f64()).expect("a target");
                *sums.entry(name.to_owned()).or_default() += value;
            }
        }
    }
    (sums, fullest)
}

macro_rules! counters {
    ($($name:literal)*) => { $(counter!($name, 3);)* };
}

fn record_embedded() {
    early_in_a_minute();
    counters!("m0" "m1" "m2" "m3" "m4" "m5" "m6" "m7" "m8" "m9" "m10" "m11" "m12" "m13" "m14" "m15" "m16" "m17" "m18" "m19");
    (0..20u32).for_each(|n| counter!("by.series", 1, "Series" => n));
    (1..=300u32).for_each(|n| histogram!("sizes", f64::from(n) * 1.5));
    info!("a line", n = 7);
}

fn check_embedded(lines: &[Value]) {
    let (sums, fullest) = told(lines);
    assert!(fullest >= 20, "{fullest} metrics in the fullest line");
    for n in 0..20 {
        assert_eq!(sums[&format!("m{n}")], 3.0);
    }
    assert_eq!(sums["by.series"], 20.0);
    let sum = 1.5 * 300.0 * 301.0 / 2.0;
    assert!((sums["sizes"] - sum).abs() < sum * 1e-3, "{} for {sum}", sums["sizes"]);
    assert!(lines.iter().any(|line| line["message"] == "a line" && line["n"] == 7));
}

fn embedded(target: &str) -> Builder {
    let more = [
        ("OPS_EMF_TARGET", target),
        ("OPS_BACKENDS", "emf"),
        ("OPS_NAMESPACE", "Agent"),
        ("OPS_SELF_METRICS", "off"),
    ];
    with(Vec::new(), &more).linger(SOON)
}

#[test]
fn the_agent_gets_every_line_over_tcp_and_is_waited_for() {
    let _turn = turn();
    let port = Port::keep();
    let ops = embedded(&format!("tcp://{}", port.address())).start().expect("recording starts");
    record_embedded();
    let early = ops.flush(Duration::from_millis(300));
    assert!(!early.complete, "nobody listens: {early:?}");
    let listener = port.listen();
    let reader = std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a connection");
        let lines = BufReader::new(stream).lines().map(|line| forwarded(&line.expect("text")));
        lines.collect::<Vec<_>>()
    });
    assert_delivered(&ops, &[Signal::Metric, Signal::Log]);
    drop(ops);
    check_embedded(&reader.join().expect("every line is good"));
}

#[test]
fn the_agent_gets_a_line_a_datagram_over_udp() {
    let _turn = turn();
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let ops = embedded(&format!("udp://{}", socket.local_addr().expect("an address")));
    let ops = ops.start().expect("recording starts");
    record_embedded();
    assert_delivered(&ops, &[Signal::Metric, Signal::Log]);
    drop(ops);
    socket.set_nonblocking(true).expect("it can be read");
    let (mut lines, mut buffer) = (Vec::new(), vec![0; 65_536]);
    while let Ok(read) = socket.recv(&mut buffer) {
        let text = std::str::from_utf8(&buffer[..read]).expect("UTF-8");
        assert!(text.ends_with('\n') && text.matches('\n').count() == 1, "{text}");
        lines.push(forwarded(text));
    }
    check_embedded(&lines);
}

#[test]
fn a_log_group_gets_a_line_for_many_metrics() {
    let _turn = turn();
    let cloud = Cloud::new("Combined");
    let more = [("OPS_EMF_TARGET", "logs"), ("OPS_BACKENDS", "emf"), ("OPS_SELF_METRICS", "off")];
    let ops = with(cloud.vars(), &more).linger(SOON).start().expect("recording starts");
    cloud.proxy.script_for("PutLogEvents", [Fault::throttled(), Fault::CutUnsent]);
    record_embedded();
    assert_delivered(&ops, &[Signal::Metric, Signal::Log]);
    drop(ops);
    let json = |message: String| serde_json::from_str::<Value>(&message).expect("a line");
    let lines: Vec<Value> = cloud.events().into_iter().map(|event| json(event.message)).collect();
    check_embedded(&lines);
    assert!(lines.len() < 40, "{} lines", lines.len());
    assert!(cloud.pushes().iter().all(|(_, push)| push.bytes <= 32_768));
}
