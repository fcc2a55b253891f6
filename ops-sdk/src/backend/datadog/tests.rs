//! What is sent where, and what becomes of it.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::sync::Arc;

use flate2::read::{GzDecoder, ZlibDecoder};
use serde_json::{Value as Json, json};

use super::super::shared::samples::{
    HOSTILE, NOW_S, audit, check, config, encoded, gauge, lines, log, metric, observed,
};
use super::super::shared::tests::context;
use super::*;
use crate::chunk::{chunk, parts};
use crate::ledger::Loss;
use crate::limits::PushLimit;
use crate::model::{CheckStatus, Points, Unit, Value};
use crate::net::script::{Script, response};

const VARS: [(&str, &str); 4] = [
    ("DD_API_KEY", "hush-hush"),
    ("DD_ENV", "prod"),
    ("DD_TAGS", "team:a,lonely"),
    ("OPS_DATADOG_EVENTS", "1"),
];

/// The second of a minute that process 255 puts its counts at.
const OWN: u64 = 15;

fn open() -> Box<dyn Backend> {
    Box::new(Datadog::new()).open(&context(&VARS)).unwrap()
}

fn all<'a>() -> Vec<Record<'a>> {
    vec![
        metric(1, "orders", Unit::Count, &[("Region", "eu")], Points::Counter { sum: 7 }),
        metric(2, "orders", Unit::Count, &[("Region", "eu")], Points::Counter { sum: 5 }),
        metric(3, "depth", Unit::Bytes, &[], gauge(2.5)),
        metric(4, "latency", Unit::Milliseconds, &[("Op", "a b")], observed(&[(1.0, 3), (2.5, 1)])),
        log(5, "charged 12", &[("amount", Value::I64(12)), ("status", Value::Str("paid".into()))]),
        check(6, "db", CheckStatus::Critical, "no route", &[("tries", Value::U64(3))]),
        audit(7, "alice", "order.cancel", "order/7"),
        config(8, "jobs"),
    ]
}

/// The bodies that were sent, by path, decompressed.
fn sent(script: &Script) -> BTreeMap<String, Json> {
    let read = |request: &crate::net::Request| {
        let body = &request.body()[..];
        let mut text = String::new();
        match request.headers().get("content-encoding").map(HeaderValue::as_bytes) {
            Some(b"gzip") => GzDecoder::new(body).read_to_string(&mut text).unwrap(),
            Some(b"deflate") => ZlibDecoder::new(body).read_to_string(&mut text).unwrap(),
            _ => (&*body).read_to_string(&mut text).unwrap(),
        };
        assert_eq!(request.headers()["dd-api-key"], "hush-hush");
        (request.uri().to_string(), serde_json::from_str(&text).unwrap())
    };
    script.asked().iter().map(|(request, _)| read(request)).collect()
}

fn batch_of(backend: &mut dyn Backend, records: &[Record<'_>]) -> Batch {
    encoded(backend, records).unwrap().into_batch()
}

#[test]
fn the_items_are_as_the_golden_file_has_them() {
    let written = lines(&mut *open(), &all()).join("\n");
    assert_eq!(written, include_str!("../golden/datadog.jsonl").trim_end());
}

#[test]
fn each_kind_goes_to_its_endpoint_as_it_takes_it() {
    let mut backend = open();
    let batch = batch_of(&mut *backend, &all());
    let script = Arc::new(Script::default());
    (0..6).for_each(|_| _ = script.answer(202, "{\"errors\":[]}"));
    assert_eq!(backend.send(&batch, &mut script.net(NOW_S)), Verdict::Delivered);
    let asked = script.asked();
    let encodings: Vec<_> = asked
        .iter()
        .map(|(request, _)| {
            let encoding =
                request.headers().get("content-encoding").map(|value| value.to_str().unwrap().to_owned());
            (request.uri().to_string(), encoding)
        })
        .collect();
    let at = |host: &str, path: &str, encoding: Option<&str>| {
        (format!("https://{host}.datadoghq.com{path}"), encoding.map(str::to_owned))
    };
    let expected = [
        at("api", "/api/v2/series", None),
        at("api", "/api/v1/distribution_points", Some("deflate")),
        at("http-intake.logs", "/api/v2/logs", None),
        at("api", "/api/v1/check_run", None),
        at("event-management-intake", "/api/v2/events", None),
        at("event-management-intake", "/api/v2/events", None),
    ];
    assert_eq!(encodings, expected);
}

#[test]
fn large_bodies_are_zipped_and_read_back() {
    let mut backend = Box::new(Datadog::new().endpoint("http://h")).open(&context(&VARS)).unwrap();
    let records: Vec<_> = (0..40).map(|n| log(n, "the same line over and over again", &[])).collect();
    let batch = batch_of(&mut *backend, &records);
    let script = Arc::new(Script::default()).answer(202, "{}");
    assert_eq!(backend.send(&batch, &mut script.net(NOW_S)), Verdict::Delivered);
    let asked = script.asked();
    assert_eq!(asked[0].0.headers()["content-encoding"], "gzip");
    let mut text = String::new();
    GzDecoder::new(&asked[0].0.body()[..]).read_to_string(&mut text).unwrap();
    assert_eq!(serde_json::from_str::<Json>(&text).unwrap().as_array().unwrap().len(), 40);
}

#[test]
fn what_one_endpoint_took_is_not_sent_again() {
    let mut backend = open();
    let batch = batch_of(&mut *backend, &all()[..6]);
    let script = Arc::new(Script::default());
    let script =
        script.answer(202, "{}").answer(503, "").answer(202, "{}").answer(400, "{\"errors\":[\"no\"]}");
    let verdict = backend.send(&batch, &mut script.net(NOW_S));
    let Verdict::Partial { failed, refused } = verdict else { panic!("{verdict:?}") };
    assert_eq!(failed, [3]);
    assert_eq!(
        refused.iter().map(|(index, refusal)| (*index, refusal.loss)).collect::<Vec<_>>(),
        [(5, Loss::Refused)]
    );
    // What is left goes alone, and all of it.
    let rest = batch.select(|index| index == 3);
    let script = Arc::new(Script::default()).answer(202, "{}");
    assert_eq!(backend.send(&rest, &mut script.net(NOW_S)), Verdict::Delivered);
    assert_eq!(
        sent(&script).keys().collect::<Vec<_>>(),
        ["https://api.datadoghq.com/api/v1/distribution_points"]
    );
}

#[test]
fn events_after_one_that_failed_wait_their_turn() {
    let mut backend = open();
    let records: Vec<_> = (0..3).map(|n| audit(n, "alice", "deploy", "shop")).collect();
    let batch = batch_of(&mut *backend, &records);
    let script = Arc::new(Script::default()).answer(202, "{}").answer(500, "");
    let verdict = backend.send(&batch, &mut script.net(NOW_S));
    assert_eq!(verdict, Verdict::Partial { failed: vec![1, 2], refused: Vec::new() });
    assert_eq!(script.asked().len(), 2);
}

#[test]
fn what_is_too_old_for_its_kind_is_refused_before_it_is_dropped_in_silence() {
    let mut backend = open();
    let mut records = all();
    records.truncate(6);
    records.iter_mut().for_each(|record| record.time_ns -= 2 * 3_600 * 1_000_000_000);
    let batch = batch_of(&mut *backend, &records);
    let script = Arc::new(Script::default()).answer(202, "{}");
    let Verdict::Partial { failed, refused } = backend.send(&batch, &mut script.net(NOW_S)) else { panic!() };
    assert!(failed.is_empty() && refused.iter().all(|(_, refusal)| refusal.loss == Loss::TooOld));
    assert_eq!(
        refused.iter().map(|(index, _)| *index).collect::<Vec<_>>(),
        [0, 1, 2, 3, 5],
        "the log is taken"
    );
}

#[test]
fn a_window_in_two_records_has_two_seconds_and_the_right_sum() {
    let written = lines(&mut *open(), &all()[..2]);
    let points = written.iter().map(|line| serde_json::from_str::<Json>(line).unwrap()["points"][0].clone());
    let expected = [
        json!({ "timestamp": NOW_S + OWN, "value": 7 }),
        json!({ "timestamp": NOW_S + OWN + 1, "value": 5 }),
    ];
    assert_eq!(points.collect::<Vec<_>>(), expected);
    // Again in another process, so that what is encoded twice is the same.
    assert_eq!(lines(&mut *open(), &all()[..2]), written);
}

#[test]
fn a_distribution_is_told_value_by_value_and_beyond_the_bound_in_proportion() {
    let count = |lines: &[String]| -> usize {
        let values = |line: &String| {
            let item: Json = serde_json::from_str(line).unwrap();
            item["points"][0][1].as_array().map_or(0, Vec::len)
        };
        lines.iter().map(values).sum()
    };
    let record = [metric(1, "latency", Unit::None, &[], observed(&[(1.0, 9_000), (0.333, 1_000)]))];
    let written = lines(&mut *open(), &record);
    assert_eq!(count(&written), 10_000);
    assert!(written.len() > 1 && written.iter().all(|line| line.len() < 17_000), "{} items", written.len());
    let backend = Datadog::new().distribution_values_max(100);
    let written = lines(&mut *Box::new(backend).open(&context(&VARS)).unwrap(), &record);
    assert_eq!(written.len(), 2);
    let told = count(&written[..1]);
    let rest: Json = serde_json::from_str(&written[1]).unwrap();
    assert_eq!((rest["metric"].as_str(), rest["type"].as_u64()), (Some("latency.not_sent"), Some(1)));
    assert!((90..=100).contains(&told) && rest["points"][0]["value"] == json!(10_000 - told), "{rest}");
}

#[test]
fn a_log_over_the_limit_is_in_parts_that_join() {
    let message = "ünïcödé \"😀\" \\ ".repeat(10_000);
    let mut backend = open();
    let record = log(5, &message, &[("n", Value::I64(-1))]);
    let items = encoded(&mut *backend, std::slice::from_ref(&record)).unwrap();
    let limits = backend.limits().under(PushLimit::Contract);
    let chunked = chunk(&items, &limits, NOW_S * 1_000);
    assert!(chunked.refused.is_empty() && items.len() > 5, "{} items", items.len());
    let messages = items.iter().map(|(_, bytes)| {
        let item: Json = serde_json::from_slice(bytes).unwrap();
        assert_eq!((&item["status"], &item["timestamp"]), (&json!("warn"), &json!(NOW_S * 1_000)));
        item["message"].as_str().unwrap().to_owned()
    });
    let joined = parts::join(messages).unwrap();
    let line: Json = serde_json::from_slice(&joined[0].bytes).unwrap();
    assert_eq!((line["message"].as_str(), line["n"].as_i64()), (Some(&*message), Some(-1)));
}

#[test]
fn a_message_that_looks_like_a_part_comes_back_as_it_was() {
    let record = log(5, "@ops.part v1 id=x | y", &[]);
    let written = lines(&mut *open(), std::slice::from_ref(&record));
    let item: Json = serde_json::from_str(&written[0]).unwrap();
    let joined = parts::join([item["message"].as_str().unwrap()]).unwrap();
    let line: Json = serde_json::from_slice(&joined[0].bytes).unwrap();
    assert_eq!(line["message"], "@ops.part v1 id=x | y");
}

#[test]
fn names_and_values_cannot_break_out() {
    let records = [
        metric(1, HOSTILE, Unit::None, &[(HOSTILE, HOSTILE)], Points::Counter { sum: 1 }),
        metric(2, HOSTILE, Unit::None, &[(HOSTILE, HOSTILE)], observed(&[(1.0, 1)])),
        log(3, HOSTILE, &[(HOSTILE, Value::Str(HOSTILE.into())), ("ddtags", Value::Str("env:other".into()))]),
        check(4, HOSTILE, CheckStatus::Ok, HOSTILE, &[(HOSTILE, Value::Str(HOSTILE.into()))]),
        audit(5, HOSTILE, HOSTILE, HOSTILE),
        config(6, HOSTILE),
    ];
    let written = lines(&mut *open(), &records);
    let items: Vec<Json> = written.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(items[0]["tags"].as_array().unwrap().len(), 1 + 3, "{}", items[0]);
    assert_eq!((&items[2]["message"], &items[2][HOSTILE]), (&json!(HOSTILE), &json!(HOSTILE)));
    assert_eq!(items[2]["fields.ddtags"], "env:other");
    assert_eq!(items[2]["ddtags"], "env:prod,team:a,lonely,Service:checkout");
    assert_eq!(items[4]["data"]["attributes"]["attributes"]["change_metadata"]["actor"], HOSTILE);
    for number in [f64::NAN, f64::INFINITY] {
        assert!(encoded(&mut *open(), &[metric(1, "g", Unit::None, &[], gauge(number))]).is_err());
    }
}

#[test]
fn settings_are_checked_at_open_and_no_text_holds_the_key() {
    let open = |backend: Datadog, vars: &[(&str, &str)]| Box::new(backend).open(&context(vars)).map(|_| ());
    let key = || Datadog::new().api_key("hush-hush");
    assert!(open(key().site("datadoghq.eu").hostname("h-1").tag("a", "b, c"), &[]).is_ok());
    type Vars<'a> = &'a [(&'a str, &'a str)];
    let table: [(Datadog, Vars<'_>, &str); 7] = [
        (Datadog::new(), &[], "OPS_DATADOG_API_KEY: is not set"),
        (Datadog::new().api_key("hush\nhush"), &[], "OPS_DATADOG_API_KEY: "),
        (key().site("evil/ x"), &[], "OPS_DATADOG_SITE: "),
        (key().endpoint("nowhere"), &[], "OPS_DATADOG_ENDPOINT: "),
        (key().hostname("a\nb"), &[], "OPS_DATADOG_HOSTNAME: "),
        (key().distribution_values_max(5), &[], "OPS_DATADOG_DISTRIBUTION_VALUES_MAX: "),
        (key(), &[("OPS_DATADOG_EVENTS", "maybe")], "OPS_DATADOG_EVENTS: "),
    ];
    for (backend, vars, expected) in table {
        let error = open(backend, vars).unwrap_err().to_string();
        assert!(error.starts_with(expected) && !error.contains("hush"), "{error}");
    }
    assert!(!format!("{:?}", key()).contains("hush"));
    let mut backend = Box::new(key()).open(&context(&[])).unwrap();
    let batch = batch_of(&mut *backend, &all()[4..5]);
    let script = Arc::new(Script::default()).then(Ok(response(403, &[], "{\"errors\":[\"Forbidden\"]}")));
    let verdict = backend.send(&batch, &mut script.net(NOW_S));
    assert!(
        matches!(verdict, Verdict::Retry { after: Some(_), .. }),
        "a wrong key loses nothing: {verdict:?}"
    );
    assert!(!format!("{verdict:?}").contains("hush"));
    assert!(!backend.accepts(Signal::Audit) && backend.accepts(Signal::Check));
}
