//! Documents as the schema has them, and answers of every kind.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::super::shared::tests::context;
use super::*;
use crate::chunk::{chunk, parts};
use crate::encode::arbitrary;
use crate::limits::PushLimit;
use crate::model::{
    Audit, Body, Check, CheckStatus, Config, Distribution, Fields, Level, Log, Metric, Points, RecordId,
    Resolution, Unit, Value,
};
use crate::net::script::{Script, refused, response};

const NOW_S: u64 = 1_795_332_268;
const ADDRESS: [(&str, &str); 1] = [(URL, "http://es:9200")];

fn open(vars: &[(&str, &str)]) -> Box<dyn Backend> {
    Box::new(Elasticsearch::new()).open(&context(&[&ADDRESS, vars].concat())).unwrap()
}

fn record(seq: u64, body: Body<'static>) -> Record<'static> {
    Record { id: RecordId { process: 255, seq }, time_ns: NOW_S * 1_000_000_000 + 123_456_789, body }
}

fn log(message: impl Into<String>, fields: Fields<'static>) -> Record<'static> {
    let log = Log {
        level: Level::Warn,
        target: "shop::till".into(),
        message: message.into().into(),
        file: "src/till.rs".into(),
        line: 7,
        fields,
    };
    record(1, Body::Log(log))
}

fn metric(name: &'static str, points: Points) -> Record<'static> {
    let metric = Metric {
        name: name.into(),
        unit: Unit::Milliseconds,
        resolution: Resolution::Standard,
        window_ms: 60_000,
        dimensions: vec![("Region".into(), "eu".into()), ("a.b".into(), "1".into())],
        points,
    };
    record(2, Body::Metric(metric))
}

fn observed(values: impl IntoIterator<Item = (f64, u64)>) -> Points {
    let mut distribution = Distribution::default();
    values.into_iter().for_each(|(value, n)| distribution.observe(value, n));
    distribution.exemplar = Some(255);
    Points::Histogram(distribution)
}

fn encoded(backend: &mut dyn Backend, record: &Record<'_>) -> Result<Vec<String>, EncodeError> {
    let mut items = Items::new();
    items.begin(record.id, record.time_ms(), 0);
    backend.encode(record, &mut items)?;
    Ok(items.iter().map(|(_, bytes)| String::from_utf8(bytes.to_vec()).unwrap()).collect())
}

fn document(item: &str) -> (Json, Json) {
    let (action, document) = item.split_once('\n').unwrap();
    (serde_json::from_str(action).unwrap(), serde_json::from_str(document).unwrap())
}

#[test]
fn the_documents_are_as_the_golden_file_has_them() {
    let fields: Fields<'static> = vec![
        ("amount".into(), Value::I64(-12)),
        ("order.id".into(), Value::Str("a\"b\n".into())),
        ("ratio".into(), Value::F64(0.5)),
        ("big".into(), Value::U64(u64::MAX)),
        ("correlation_id".into(), Value::Str("000000000000000000000000000000ff".into())),
        ("span_id".into(), Value::Str("00000000000000aa".into())),
    ];
    let audit = Audit {
        actor: "alice".into(),
        action: "order.cancel".into(),
        resource: "order/7".into(),
        outcome: "denied".into(),
        fields: vec![("reason".into(), Value::Str("shipped".into()))],
    };
    let config = Config {
        resource_type: "Queue".into(),
        resource_id: "q-1".into(),
        fields: vec![("depth_max".into(), Value::U64(100))],
    };
    let check = Check {
        name: "disk".into(),
        status: CheckStatus::Critical,
        output: "97 %".into(),
        fields: vec![("used".into(), Value::F64(97.0))],
    };
    let gauge = Points::Gauge { last: 2.5, min: -1.0, max: 4.0, sum: 5.5, count: 3 };
    let records = [
        log("a \"quoted\" thing", fields),
        log("plain", vec![]),
        metric("orders", Points::Counter { sum: 7 }),
        metric("depth", gauge),
        metric("latency", observed([(1.0, 3), (2.5, 1)])),
        metric("never", Points::Histogram(Distribution::default())),
        record(3, Body::Audit(audit)),
        record(4, Body::Config(config)),
        record(5, Body::Check(check)),
    ];
    let mut backend = open(&[("OPS_ELASTICSEARCH_HISTOGRAMS", "yes")]);
    let written: String =
        records.iter().flat_map(|record| encoded(backend.as_mut(), record).unwrap()).collect();
    assert_eq!(written, include_str!("../golden/elasticsearch.ndjson"));
}

#[test]
fn without_ids_the_server_gives_its_own() {
    let mut backend = open(&[("OPS_ELASTICSEARCH_IDS", "no"), ("OPS_ELASTICSEARCH_NAMESPACE", "prod")]);
    let items = encoded(backend.as_mut(), &log("x", vec![])).unwrap();
    assert!(
        items[0].starts_with("{\"create\":{\"_index\":\"logs-ops-prod\"}}\n{\"@timestamp\""),
        "{}",
        items[0]
    );
}

#[test]
fn a_document_over_the_limit_goes_as_parts_that_join_to_its_line() {
    let long = log("\"\\\n".repeat(20_000), vec![("n".into(), Value::U64(7))]);
    let mut backend = open(&[]);
    let items = encoded(backend.as_mut(), &long).unwrap();
    let limits = backend.limits().under(PushLimit::Contract);
    assert!(items.len() > 2 && items.iter().all(|item| item.len() <= limits.item_bytes_max));
    let documents: Vec<_> = items.iter().map(|item| document(item)).collect();
    let mut ids: Vec<_> = documents.iter().map(|(action, _)| action["create"]["_id"].to_string()).collect();
    ids.dedup();
    assert_eq!(ids.len(), items.len());
    assert_eq!(ids[0], "\"00000000000000ff-1.32768.1\"");
    assert!(documents.iter().all(|(_, document)| document["tags"] == json!(["ops-part"])));
    let messages = documents.iter().map(|(_, document)| document["message"].as_str().unwrap().to_owned());
    let joined = parts::join(messages).unwrap();
    let mut line = Vec::new();
    crate::encode::json::line(&mut line, &long, &[("Service".into(), "checkout".into())]);
    assert_eq!((joined.len(), &joined[0].bytes), (1, &line));
}

#[test]
fn a_wide_histogram_goes_as_documents_that_add_up() {
    let values: Vec<(f64, u64)> = (0..1_200).map(|n| (1.01f64.powi(n), 2)).collect();
    let mut backend = open(&[("OPS_ELASTICSEARCH_HISTOGRAMS", "yes")]);
    let items = encoded(backend.as_mut(), &metric("wide", observed(values))).unwrap();
    let documents: Vec<_> = items.iter().map(|item| document(item).1["metric"].clone()).collect();
    assert!(documents.len() > 1 && documents.iter().all(Json::is_null), "dotted names");
    let documents: Vec<_> = items.iter().map(|item| document(item).1).collect();
    let counts = |document: &Json| -> u64 {
        let counts = document["metric.histogram"]["counts"].as_array().unwrap();
        counts.iter().map(|count| count.as_u64().unwrap()).sum()
    };
    assert_eq!(documents.iter().map(counts).sum::<u64>(), 2_400);
    assert_eq!(documents.iter().filter(|document| document["metric.count"] == 2_400).count(), 1);
}

proptest! {
    #[test]
    fn any_record_is_documents_of_two_lines_within_the_limit(record in arbitrary::record(), bytes in 600..40_000usize, ids: bool) {
        let mut context = context(&ADDRESS);
        context.push_limit = PushLimit::Bytes(bytes);
        let mut backend = Box::new(Elasticsearch::new().ids(ids).histograms(true)).open(&context).unwrap();
        let Ok(items) = encoded(backend.as_mut(), &record) else {
            prop_assert!(bytes < 2_000);
            return Ok(());
        };
        for item in items {
            prop_assert!(item.ends_with("}\n") && item.matches('\n').count() == 2, "{}", item);
            let (action, document) = document(&item);
            prop_assert!(action["create"]["_id"].is_string() == ids);
            prop_assert!(document["@timestamp"].is_string());
            prop_assert!(record.signal() == Signal::Metric || item.len() <= bytes, "{} of {bytes}", item.len());
        }
    }
}

fn kind(verdict: &Verdict) -> (&'static str, Option<u64>) {
    match verdict {
        Verdict::Delivered => ("delivered", None),
        Verdict::Partial { .. } => ("partial", None),
        Verdict::Retry { after, .. } => ("retry", after.map(|after| after.as_secs())),
        Verdict::Throttle { after, .. } => ("throttle", after.map(|after| after.as_secs())),
        Verdict::Halve => ("halve", None),
        Verdict::Reauthenticate { .. } => ("reauthenticate", None),
        Verdict::Refuse(refusal) => (refusal.loss.name(), None),
    }
}

fn items(statuses: &[(u16, &str, &str)]) -> String {
    let item = |(status, kind, reason): &(u16, &str, &str)| match *kind {
        "" => json!({ "create": { "_id": "x", "status": status } }),
        _ => json!({ "create": { "status": status, "error": { "type": kind, "reason": reason } } }),
    };
    let items: Vec<Json> = statuses.iter().map(item).collect();
    json!({ "took": 3, "errors": true, "items": items }).to_string()
}

#[test]
fn each_answer_has_its_verdict() {
    let gigantic = format!("{{{}", " ".repeat(1 << 20));
    let busy = (429, "es_rejected_execution_exception", "queue full");
    let denied = (403, "security_exception", "action is unauthorized");
    let bad = (400, "document_parsing_exception", "failed to parse field [n]");
    let full = (400, "validation_exception", "this action would add [2] shards");
    let gone = (404, "index_not_found_exception", "no such index");
    let down = (503, "unavailable_shards_exception", "primary shard is not active");
    let whole = |kind: &str, reason: &str| {
        json!({ "error": { "type": kind, "reason": reason }, "status": 400 }).to_string()
    };
    let table: Vec<(u16, String, (&str, Option<u64>))> = vec![
        (200, r#"{"took":1,"errors":false,"items":[]}"#.into(), ("delivered", None)),
        (200, r#"{"errors":false}"#.into(), ("delivered", None)),
        (
            200,
            items(&[(201, "", ""), (409, "version_conflict_engine_exception", "exists")]),
            ("delivered", None),
        ),
        (200, items(&[(201, "", ""), busy]), ("partial", None)),
        (200, items(&[bad, bad]), ("partial", None)),
        (200, items(&[busy, busy]), ("throttle", None)),
        (200, items(&[busy, down]), ("throttle", None)),
        (200, items(&[down, down]), ("retry", None)),
        (200, items(&[denied, busy]), ("retry", Some(60))),
        (200, items(&[full, full]), ("retry", Some(60))),
        (200, items(&[gone, gone]), ("retry", Some(60))),
        (200, items(&[(201, "", "")]), ("retry", None)),
        (200, String::new(), ("retry", Some(60))),
        (200, "<html>log in</html>".into(), ("retry", Some(60))),
        (200, "{\"errors\":true,\"items\":[{\"create\":{\"sta".into(), ("retry", Some(60))),
        (200, gigantic.clone(), ("halve", None)),
        (302, String::new(), ("retry", Some(60))),
        (400, whole("illegal_argument_exception", "Malformed action/metadata line [3]"), ("halve", None)),
        (
            400,
            whole("illegal_argument_exception", "request [/_bulk] contains unrecognized parameter: [x]"),
            ("retry", Some(60)),
        ),
        (400, "bad request".into(), ("retry", Some(60))),
        (401, whole("security_exception", "missing authentication"), ("reauthenticate", None)),
        (403, String::new(), ("reauthenticate", None)),
        (404, String::new(), ("retry", Some(60))),
        (413, String::new(), ("halve", None)),
        (429, gigantic, ("throttle", None)),
        (502, "<html>".into(), ("retry", None)),
        (503, String::new(), ("retry", None)),
    ];
    for (status, body, expected) in table {
        let judged = judge::judge(&response(status, &[], &body), NOW_S, 2);
        assert_eq!(kind(&judged.verdict), expected, "{status} {body:.200}");
        assert_eq!(judged.is_missing, body.contains("no such index"));
    }
    let one = |status, body: &str| {
        kind(&judge::judge(&response(status, &[("retry-after", "5")], body), NOW_S, 1).verdict)
    };
    assert_eq!(one(413, ""), ("oversize", None));
    assert_eq!(one(400, &whole("parse_exception", "x")), ("refused", None));
    assert_eq!(one(200, &items(&[busy])), ("throttle", Some(5)));
}

#[test]
fn documents_fail_and_are_refused_one_by_one() {
    let hostile = "failed to parse\r\nfield [\u{1b}[31m]";
    let body = items(&[
        (201, "", ""),
        (400, "mapper_parsing_exception", hostile),
        (429, "es_rejected_execution_exception", "full"),
        (413, "", ""),
        (409, "version_conflict_engine_exception", "there"),
        (500, "x", ""),
        (400, "illegal_argument_exception", "Document ID is not supported in create/index operation request"),
    ]);
    let judged = judge::judge(&response(200, &[], &body), NOW_S, 7);
    let Verdict::Partial { failed, refused } = judged.verdict else { panic!("{judged:?}") };
    assert_eq!(failed, [2, 5, 6]);
    let said: Vec<_> = refused.iter().map(|(index, refusal)| (*index, refusal.loss.name())).collect();
    assert_eq!(said, [(1, "refused"), (3, "oversize")]);
    assert_eq!(refused[0].1.why, "mapper_parsing_exception: failed to parse field [[31m]");
}

fn batch(messages: &[&str]) -> Batch {
    let (mut backend, mut items) = (open(&[]), Items::new());
    for (seq, message) in messages.iter().enumerate() {
        let record = Record { id: RecordId { process: 255, seq: seq as u64 }, ..log(*message, vec![]) };
        items.begin(record.id, record.time_ms(), seq as u32);
        backend.encode(&record, &mut items).unwrap();
    }
    chunk(&items, &backend.limits().under(PushLimit::Contract), NOW_S * 1_000).batches.remove(0)
}

const DONE: &str = r#"{"errors":false,"items":[]}"#;
const MISSING: &str = r#"{"error":{"type":"resource_not_found_exception","reason":"index template matching [x] not found"},"status":404}"#;

#[test]
fn templates_are_asked_for_once_and_put_where_they_are_missing() {
    let ours = |version: u64, by: &str| {
        json!({ "index_templates": [{ "name": "x", "index_template": { "version": version, "_meta": { "managed_by": by } } }] }).to_string()
    };
    let script = Arc::new(Script::default());
    script
        .answer(404, MISSING)
        .answer(200, "{\"acknowledged\":true}")
        .answer(200, &ours(1, OPS))
        .answer(200, DONE);
    let mut backend = open(&[]);
    assert_eq!(backend.send(&batch(&["a"]), &mut script.net(NOW_S)), Verdict::Delivered);
    let asked: Vec<_> = script.asked().into_iter().map(|(request, _)| request).collect();
    let paths: Vec<_> =
        asked.iter().map(|request| format!("{} {}", request.method(), request.uri().path())).collect();
    let logs = "/_index_template/ops-sdk-logs-ops";
    let metrics = "/_index_template/ops-sdk-metrics-ops";
    assert_eq!(
        paths,
        [format!("GET {logs}"), format!("PUT {logs}"), format!("GET {metrics}"), "POST /_bulk".into()]
    );
    let put: Json = serde_json::from_slice(asked[1].body()).unwrap();
    assert_eq!(put["index_patterns"], json!(["logs-ops-*", "logs-ops.*-*"]));
    assert_eq!((&put["data_stream"], &put["priority"]), (&json!({}), &json!(300)));
    assert!(asked[3].uri().query().unwrap().starts_with("filter_path=errors%2Citems"));
    // Not again, also by those who push beside this one.
    let mut beside = backend.another().unwrap();
    script.answer(200, DONE).answer(200, DONE);
    assert_eq!(backend.send(&batch(&["b"]), &mut script.net(NOW_S)), Verdict::Delivered);
    assert_eq!(beside.send(&batch(&["c"]), &mut script.net(NOW_S)), Verdict::Delivered);
    assert_eq!(script.asked().len(), 2);
    // Others' templates stay, and older ones of ours do not.
    let mut backend = open(&[]);
    script.answer(200, &ours(0, "somebody")).answer(200, &ours(0, OPS)).answer(200, "{}").answer(200, DONE);
    assert_eq!(backend.send(&batch(&["d"]), &mut script.net(NOW_S)), Verdict::Delivered);
    assert_eq!(script.asked().len(), 4);
}

const OPS: &str = "ops-sdk";

#[test]
fn a_template_that_cannot_be_put_is_waited_for_and_costs_nothing() {
    let table = [
        (403, "{}", ("retry", Some(60))),
        (404, "<html>", ("retry", Some(60))),
        (200, "<html>", ("retry", Some(60))),
        (400, "{}", ("retry", Some(60))),
        (429, "", ("throttle", None)),
        (503, "", ("retry", None)),
    ];
    for (status, body, expected) in table {
        let script = Arc::new(Script::default()).answer(status, body);
        let verdict = open(&[]).send(&batch(&["a"]), &mut script.net(NOW_S));
        assert_eq!(kind(&verdict), expected, "{status}");
        assert_eq!(script.asked().len(), 1, "nothing is pushed before the template is there");
        let script = Arc::new(Script::default()).answer(404, MISSING).answer(status, body);
        let verdict = open(&[]).send(&batch(&["a"]), &mut script.net(NOW_S));
        if status != 200 {
            assert_eq!(kind(&verdict), expected, "{status} to the putting");
        }
    }
    let script = Arc::new(Script::default()).answer(403, "{}");
    let verdict = open(&[]).send(&batch(&["a"]), &mut script.net(NOW_S));
    assert!(
        matches!(&verdict, Verdict::Retry { why, .. } if why.contains("OPS_ELASTICSEARCH_TEMPLATE=no")),
        "{verdict:?}"
    );
}

#[test]
fn a_stream_that_is_gone_has_its_template_looked_for_again() {
    let script = Arc::new(Script::default());
    let fit = json!({ "index_templates": [{ "index_template": {} }] }).to_string();
    let gone = items(&[(404, "index_not_found_exception", "no such index")]);
    script.answer(200, &fit).answer(200, &fit).answer(200, &gone);
    let mut backend = open(&[]);
    assert_eq!(kind(&backend.send(&batch(&["a"]), &mut script.net(NOW_S))), ("retry", Some(60)));
    script.answer(200, &fit).answer(200, &fit).answer(200, DONE);
    assert_eq!(backend.send(&batch(&["a"]), &mut script.net(NOW_S)), Verdict::Delivered);
    assert_eq!(script.asked().len(), 6);
}

#[test]
fn bodies_are_compressed_and_keys_are_where_they_belong_alone() {
    let vars = [
        ("OPS_ELASTICSEARCH_API_KEY", "id:hush"),
        ("OPS_ELASTICSEARCH_TEMPLATE", "no"),
        ("OPS_ELASTICSEARCH_REQUIRE_DATA_STREAM", "1"),
    ];
    let mut backend = open(&vars);
    let script = Arc::new(Script::default()).answer(200, DONE).answer(401, "{}").then(Err(refused()));
    let long = "x".repeat(2_000);
    let batch = batch(&["a", &long]);
    assert_eq!(backend.send(&batch, &mut script.net(NOW_S)), Verdict::Delivered);
    for _ in 0..2 {
        let verdict = backend.send(&batch, &mut script.net(NOW_S));
        assert!(matches!(&verdict, Verdict::Retry { why, .. } if !why.contains("hush")), "{verdict:?}");
    }
    let (request, _) = script.asked().remove(0);
    assert_eq!(request.headers()["authorization"], "ApiKey aWQ6aHVzaA==");
    assert!(request.headers()["authorization"].is_sensitive());
    assert_eq!(request.headers()["content-encoding"], "gzip");
    assert_eq!(request.headers()["content-type"], "application/x-ndjson");
    assert!(request.uri().query().unwrap().ends_with("&require_data_stream=true"));
    let mut body = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&request.body()[..]), &mut body).unwrap();
    assert_eq!((body.lines().count(), body.ends_with("}\n")), (4, true));
    let told = Elasticsearch::new().api_key("hush-hush").basic("u", "hush-hush");
    assert!(!format!("{told:?}").contains("hush"));
}

#[test]
fn settings_are_checked_at_open() {
    let open =
        |backend: Elasticsearch, vars: &[(&str, &str)]| Box::new(backend).open(&context(vars)).map(|_| ());
    let here = || Elasticsearch::new().url("https://es.example.com");
    for vars in [[("ELASTICSEARCH_URL", "http://es:9200")], [("OPENSEARCH_URL", "http://os:9200")]] {
        assert!(open(Elasticsearch::new(), &vars).is_ok());
    }
    assert!(
        open(here().basic("elastic", "hush").dataset("shop").namespace("prod").lifecycle("30d"), &[]).is_ok()
    );
    let table: Vec<(Elasticsearch, &[(&str, &str)], &str)> = vec![
        (Elasticsearch::new(), &[], "OPS_ELASTICSEARCH_URL"),
        (Elasticsearch::new().url("es:9200"), &[], "OPS_ELASTICSEARCH_URL"),
        (Elasticsearch::new().url("http://u:hush@es"), &[], "OPS_ELASTICSEARCH_URL"),
        (here().dataset("a-b"), &[], "OPS_ELASTICSEARCH_DATASET"),
        (here().namespace("Prod"), &[], "OPS_ELASTICSEARCH_NAMESPACE"),
        (here().api_key("hush\r\nX"), &[], "OPS_ELASTICSEARCH_API_KEY"),
        (here().api_key("hush").basic("u", "hush"), &[], "OPS_ELASTICSEARCH_API_KEY, "),
        (here(), &[("OPS_ELASTICSEARCH_USERNAME", "u")], "OPS_ELASTICSEARCH_PASSWORD"),
        (here(), &[("OPS_ELASTICSEARCH_PASSWORD", "hush")], "OPS_ELASTICSEARCH_USERNAME"),
        (here(), &[("OPS_ELASTICSEARCH_GZIP", "maybe")], "OPS_ELASTICSEARCH_GZIP"),
        (here().aws("ec2"), &[], "OPS_ELASTICSEARCH_AWS"),
    ];
    for (backend, vars, setting) in table {
        let error = open(backend, vars).unwrap_err().to_string();
        assert!(error.starts_with(setting) && !error.contains("hush"), "{error}");
    }
    assert!(here().again().is_some());
}

#[cfg(feature = "aws")]
#[test]
fn requests_are_signed_for_amazons_services() {
    let keys = [
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "hush"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ];
    let open = |service: &str| {
        let backend = Elasticsearch::new().url("https://d.eu-west-1.es.amazonaws.com").region("eu-west-1");
        Box::new(backend.aws(service)).open(&context(&keys)).unwrap()
    };
    let script = Arc::new(Script::default()).answer(200, DONE);
    assert_eq!(open("aoss").send(&batch(&["a"]), &mut script.net(NOW_S)), Verdict::Delivered);
    let (request, _) = script.asked().remove(0); // no template there
    let authorization = request.headers()["authorization"].to_str().unwrap();
    assert!(authorization.contains("/eu-west-1/aoss/aws4_request"), "{authorization}");
    assert!(request.headers().contains_key("x-amz-content-sha256"));
    let mut serverless = open("aoss");
    assert!(!encoded(serverless.as_mut(), &log("x", vec![])).unwrap()[0].contains("_id"));
    // Expired keys are loaded again, and cost nothing.
    let script = Arc::new(Script::default())
        .answer(403, r#"{"message":"The security token included in the request is expired"}"#);
    assert!(matches!(
        open("es").send(&batch(&["a"]), &mut script.net(NOW_S)),
        Verdict::Reauthenticate { .. }
    ));
}

#[cfg(not(feature = "aws"))]
#[test]
fn signing_without_its_feature_is_refused_by_name() {
    let backend = Elasticsearch::new().url("https://d.eu-west-1.es.amazonaws.com").aws("es");
    let error = Box::new(backend).open(&context(&[])).map(|_| ()).unwrap_err().to_string();
    assert!(error.starts_with("OPS_ELASTICSEARCH_AWS / .aws(..): "), "{error}");
    assert!(error.contains("elasticsearch-sigv4"), "{error}");
}
