//! The backend against a scripted server. That the requests are what an independent parser takes is tested in
//! `tests/tests/otlp.rs`.

use std::io::Read;
use std::sync::Arc;

use proptest::prelude::*;

use super::super::shared::tests::context;
use super::*;
use crate::chunk::chunk;
use crate::encode::arbitrary;
use crate::ledger::Loss;
use crate::limits::PushLimit;
use crate::model::{Level, Metric, Points, RecordId, Resolution, Unit, Value};
use crate::net::Request;
use crate::net::script::{Script, refused, response};

/// 2026-11-22T07:24:28Z.
const NOW_S: u64 = 1_795_332_268;

fn open(otlp: Otlp, vars: &[(&str, &str)]) -> Box<dyn Backend> {
    Box::new(otlp).open(&context(vars)).unwrap()
}

fn counter(process: u64, name: &str) -> Record<'_> {
    let metric = Metric {
        name: name.into(),
        unit: Unit::Count,
        resolution: Resolution::Standard,
        window_ms: 60_000,
        dimensions: vec![("Service".into(), "checkout".into())],
        points: Points::Counter { sum: 1 },
    };
    Record { id: RecordId { process, seq: 1 }, time_ns: NOW_S * 1_000_000_000, body: Body::Metric(metric) }
}

fn event(message: &str) -> Record<'_> {
    let log = Log {
        level: Level::Info,
        target: "shop".into(),
        message: message.into(),
        file: "src/x.rs".into(),
        line: 7,
        fields: vec![("n".into(), Value::U64(1))],
    };
    Record { id: RecordId { process: 255, seq: 2 }, time_ns: NOW_S * 1_000_000_000, body: Body::Log(log) }
}

fn items(backend: &mut dyn Backend, records: &[Record<'_>]) -> Items {
    let mut items = Items::new();
    for (place, record) in records.iter().enumerate() {
        items.begin(record.id, record.time_ms(), place as u32);
        backend.encode(record, &mut items).unwrap();
    }
    items
}

fn batch(backend: &mut dyn Backend, records: &[Record<'_>]) -> Batch {
    let items = items(backend, records);
    let mut chunked = chunk(&items, &backend.limits().under(PushLimit::Contract), NOW_S * 1_000);
    assert_eq!((chunked.batches.len(), chunked.refused.len()), (1, 0));
    chunked.batches.remove(0)
}

fn unzipped(request: &Request) -> Vec<u8> {
    let mut body = Vec::new();
    flate2::read::GzDecoder::new(request.body().as_slice()).read_to_end(&mut body).unwrap();
    body
}

fn json_of(body: &[u8]) -> serde_json::Value {
    serde_json::from_slice(body).unwrap()
}

#[test]
fn metrics_and_logs_go_to_their_endpoints_and_each_process_has_its_resource() {
    let vars =
        [("OPS_OTLP_ENDPOINT", "https://c"), ("OPS_OTLP_PROTOCOL", "http/json"), ("OPS_OTLP_TOKEN", "hush")];
    let mut backend = open(Otlp::new(), &vars);
    let batch =
        batch(backend.as_mut(), &[counter(255, "a"), event("hello"), counter(1, "b"), counter(255, "c")]);
    let script = Arc::new(Script::default()).answer(200, "{}").answer(200, "").answer(200, "{}");
    assert_eq!(backend.send(&batch, &mut script.net(NOW_S)), Verdict::Delivered);
    let asked: Vec<Request> = script.asked().into_iter().map(|(request, _)| request).collect();
    let urls: Vec<_> = asked.iter().map(|request| request.uri().to_string()).collect();
    assert_eq!(urls, ["https://c/v1/metrics", "https://c/v1/logs", "https://c/v1/metrics"]);
    for request in &asked {
        let header = |name: &str| request.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(
            (header("content-type"), header("content-encoding")),
            ("application/json".into(), "gzip".into())
        );
        assert_eq!((request.method().as_str(), header("authorization")), ("POST", "Bearer hush".into()));
        assert!(!format!("{request:?}").contains("hush"));
    }
    let first = json_of(&unzipped(&asked[0]));
    let metrics = first["resourceMetrics"][0]["scopeMetrics"][0]["metrics"].as_array().unwrap();
    assert_eq!(metrics.iter().map(|metric| metric["name"].as_str().unwrap()).collect::<Vec<_>>(), ["a", "c"]);
    assert!(metrics[0]["sum"]["dataPoints"][0].get("attributes").is_none(), "the resource has the dimension");
    let instance = |body: &serde_json::Value, kind: &str| {
        let all = body[kind][0]["resource"]["attributes"].as_array().unwrap().clone();
        all.into_iter().find(|one| one["key"] == "service.instance.id").unwrap()["value"]["stringValue"]
            .clone()
    };
    assert_eq!(instance(&first, "resourceMetrics"), "00000000000000ff");
    assert_eq!(instance(&json_of(&unzipped(&asked[2])), "resourceMetrics"), "0000000000000001");
    let logs = json_of(&unzipped(&asked[1]));
    assert_eq!(logs["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]["body"]["stringValue"], "hello");
}

#[test]
fn what_one_endpoint_answers_says_nothing_of_the_other() {
    let mut backend = open(Otlp::new().gzip(false), &[]);
    let both = batch(backend.as_mut(), &[event("a"), counter(255, "b"), event("c")]);
    let script = Arc::new(Script::default()).then(Err(refused())).answer(200, "");
    let verdict = backend.send(&both, &mut script.net(NOW_S));
    assert_eq!(verdict, Verdict::Partial { failed: vec![0, 2], refused: vec![] });
    // Logs did not answer: they wait for the metrics now.
    script.asked();
    let script = script.answer(200, "").then(Ok(response(503, &[("retry-after", "9")], "")));
    assert_eq!(
        backend.send(&both, &mut script.net(NOW_S)),
        Verdict::Partial { failed: vec![0, 2], refused: vec![] }
    );
    let paths: Vec<_> = script.asked().iter().map(|(request, _)| request.uri().path().to_owned()).collect();
    assert_eq!(paths, ["/v1/metrics", "/v1/logs"]);
    // By themselves they are waited for as long as their server asks.
    let logs = both.select(|place| place != 1);
    let script = script.then(Ok(response(503, &[("retry-after", "9")], "")));
    let verdict = backend.send(&logs, &mut script.net(NOW_S));
    let after = Some(std::time::Duration::from_secs(9));
    assert_eq!(verdict, Verdict::Retry { after, why: "status 503".into() });
    // And when they answer again, the order is that of the batch.
    let script = script.answer(200, "").answer(200, "").answer(200, "");
    backend.send(&logs, &mut script.net(NOW_S));
    script.asked();
    assert_eq!(backend.send(&both, &mut script.net(NOW_S)), Verdict::Delivered);
    assert_eq!(script.asked()[0].0.uri().path(), "/v1/logs");
}

#[test]
fn what_the_server_rejects_is_counted_as_the_server_counts_it() {
    let mut backend = open(Otlp::new(), &[]);
    let batch = batch(backend.as_mut(), &[event("a"), event("b"), event("c")]);
    let mut send = |answer: &str| {
        let script = Arc::new(Script::default()).answer(200, answer);
        backend.send(&batch, &mut script.net(NOW_S))
    };
    let Verdict::Partial { failed, refused } = send("\u{a}\u{6}\u{8}\u{1}\u{12}\u{2}no") else { panic!() };
    assert_eq!((failed.len(), refused.len(), refused[0].1.loss), (0, 1, Loss::Refused));
    assert!(refused[0].1.why.ends_with("without saying which: no"), "{}", refused[0].1.why);
    let Verdict::Refuse(refusal) = send("\u{a}\u{2}\u{8}\u{3}") else { panic!() };
    assert_eq!(refusal.why, "it does not say why");
    assert_eq!(send("\u{a}\u{4}\u{12}\u{2}hm"), Verdict::Delivered);
}

#[test]
fn a_log_that_is_too_long_comes_back_byte_for_byte_in_both_forms() {
    let long = "a \"quoted\" größe\\ \n".repeat(5_000);
    for form in [Form::Protobuf, Form::Json] {
        let mut backend = open(Otlp::new().form(form), &[]);
        let (records, limits) =
            ([event(&long), event("@ops.part of old")], backend.limits().under(PushLimit::Contract));
        let items = items(backend.as_mut(), &records);
        assert!(items.len() > 3 && items.iter().all(|(_, bytes)| bytes.len() <= limits.item_bytes_max));
        let chunked = chunk(&items, &limits, NOW_S * 1_000);
        assert!(chunked.refused.is_empty() && chunked.batches.len() > 2);
        let body = otlp::Body::default();
        let bodies = chunked.batches.iter().map(|batch| {
            let items: Vec<&[u8]> = batch.iter().map(|(_, bytes)| bytes).collect();
            body.of(form, Kind::Logs, 255, items.into_iter())
        });
        let texts: Vec<String> = match form {
            Form::Json => bodies.flat_map(|body| texts_of(&json_of(&body))).collect(),
            Form::Protobuf => {
                bodies.flat_map(|body| strings(&body)).filter(|text| text.starts_with(PART)).collect()
            }
        };
        let joined = parts::join(texts).unwrap();
        let mut lines: Vec<Vec<u8>> = records
            .iter()
            .map(|record| {
                let mut line = Vec::new();
                json::line(&mut line, record, &[]);
                line
            })
            .collect();
        let mut joined: Vec<Vec<u8>> = joined.into_iter().map(|event| event.bytes.to_vec()).collect();
        lines.sort();
        joined.sort();
        assert_eq!(joined, lines);
    }
}

fn texts_of(body: &serde_json::Value) -> Vec<String> {
    let records = body["resourceLogs"][0]["scopeLogs"][0]["logRecords"].as_array().unwrap();
    records.iter().map(|record| record["body"]["stringValue"].as_str().unwrap().to_owned()).collect()
}

/// Every field of a message, and of the messages within it, that is text.
fn strings(message: &[u8]) -> Vec<String> {
    use crate::encode::proto::{Field, fields};
    let mut found = Vec::new();
    if fields(message).all(|field| field.is_some()) {
        for (_, field) in fields(message).flatten() {
            if let Field::Bytes(inner) = field {
                found.extend(std::str::from_utf8(inner).map(str::to_owned));
                found.extend(strings(inner));
            }
        }
    }
    found
}

#[test]
fn settings_are_checked_at_open_and_what_is_not_carried_is_told() {
    let table = [
        ("OPS_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OPS_OTLP_COMPRESSION", "zstd"),
        ("OPS_OTLP_METRICS", "perhaps"),
        ("OPS_OTLP_ATTRIBUTES", "x"),
        ("OPS_OTLP_ENDPOINT", "nowhere"),
    ];
    for (variable, value) in table {
        let error = Box::new(Otlp::new()).open(&context(&[(variable, value)])).err().unwrap().to_string();
        assert!(error.starts_with(variable), "{error}");
    }
    let error = Box::new(Otlp::new().metrics(false).logs(false)).open(&context(&[])).err().unwrap();
    assert!(error.to_string().starts_with("OPS_OTLP_METRICS, OPS_OTLP_LOGS: "));
    let told = Otlp::new().token("hush").header("x-key", "hush").endpoint("http://h");
    assert!(!format!("{told:?}").contains("hush"));
    let metrics = open(Otlp::new().logs(false), &[]);
    let accepted = |backend: &dyn Backend| Signal::ALL.map(|signal| backend.accepts(signal));
    assert_eq!(accepted(metrics.as_ref()), [true, false, false, false, false]);
    assert_eq!(accepted(open(Otlp::new(), &[]).as_ref()), [true, true, false, false, false]);
    assert!(Otlp::new().again().is_some() && metrics.another().is_some());
}

#[cfg(feature = "aws")]
#[test]
fn requests_to_cloudwatch_are_signed_and_name_the_log_group() {
    let vars = [
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "hidden"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ];
    let mut backend = open(Otlp::new().aws(true).log_group("/ops/Shop", "h1"), &vars);
    let both = batch(backend.as_mut(), &[event("a"), counter(255, "b")]);
    let script = Arc::new(Script::default()).answer(200, "").answer(403, "");
    let verdict = backend.send(&both, &mut script.net(NOW_S));
    assert_eq!(verdict, Verdict::Partial { failed: vec![1], refused: vec![] });
    let asked = script.asked();
    let (logs, metrics) = (&asked[0].0, &asked[1].0);
    assert_eq!(logs.uri(), "https://logs.eu-west-1.amazonaws.com/v1/logs");
    assert_eq!(metrics.uri(), "https://monitoring.eu-west-1.amazonaws.com/v1/metrics");
    assert_eq!(
        (&logs.headers()["x-aws-log-group"], &logs.headers()["x-aws-log-stream"]),
        (&"/ops/Shop".parse().unwrap(), &"h1".parse().unwrap())
    );
    for (request, service) in [(logs, "/logs/"), (metrics, "/monitoring/")] {
        let signature = request.headers()["authorization"].to_str().unwrap();
        assert!(signature.starts_with("AWS4-HMAC-SHA256") && signature.contains(service), "{signature}");
        assert!(signature.contains("content-encoding"), "what is signed is what is sent: {signature}");
    }
    let alone = both.select(|place| place == 1);
    let script = Arc::new(Script::default()).answer(403, "");
    assert!(matches!(backend.send(&alone, &mut script.net(NOW_S)), Verdict::Reauthenticate { .. }));
}

proptest! {
    #[test]
    fn pushes_hold_within_the_limits_whatever_is_recorded(
        records in proptest::collection::vec(arbitrary::record(), 1..40),
        bytes in 1_000..60_000usize,
        json: bool,
    ) {
        let form = if json { Form::Json } else { Form::Protobuf };
        let mut backend = open(Otlp::new().form(form).gzip(false), &[]);
        let mut items = Items::new();
        for (place, record) in (0..).zip(&records) {
            items.begin(record.id, record.time_ms(), place);
            let before = items.len();
            if backend.encode(record, &mut items).is_err() {
                items.truncate(before);
            }
        }
        let limits = backend.limits().under(PushLimit::Bytes(bytes));
        for batch in chunk(&items, &limits, NOW_S * 1_000).batches {
            let script = Arc::new(Script::default());
            (0..batch.len()).for_each(|_| _ = script.answer(200, ""));
            prop_assert_eq!(backend.send(&batch, &mut script.net(NOW_S)), Verdict::Delivered);
            for (request, _) in script.asked() {
                prop_assert!(request.body().len() <= bytes, "{} of {bytes}", request.body().len());
            }
        }
    }
}
