//! What results and events look like, and what Sensu Go's answers mean. RabbitMQ itself is in `tests/tests/sensu.rs`.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::super::shared::tests::context;
use super::*;
use crate::chunk::chunk;
use crate::clock::Now;
use crate::ledger::Loss;
use crate::limits::PushLimit;
use crate::model::{
    Body, Check, CheckStatus, Distribution, Log, Metric, Points, RecordId, Resolution, Unit, Value,
};
use crate::net::script::Script;

const NOW_S: u64 = 1_795_332_268;

fn check(seq: u64, fields: &[(&'static str, Value<'static>)]) -> Record<'static> {
    let fields = fields.iter().map(|(key, value)| ((*key).into(), value.clone())).collect();
    let (name, output) = ("disk /var".into(), "full \"92 %\"\nreally".into());
    let body = Body::Check(Check { name, status: CheckStatus::Critical, output, fields });
    Record { id: RecordId { process: 255, seq }, time_ns: NOW_S * 1_000_000_000, body }
}

fn metric(seq: u64, points: Points) -> Record<'static> {
    let dimensions = vec![("Region".into(), "eu.west 1".into()), ("Service".into(), "checkout".into())];
    let (unit, resolution) = (Unit::Count, Resolution::Standard);
    let metric = Metric { name: "orders".into(), unit, resolution, window_ms: 60_000, dimensions, points };
    Record { id: RecordId { process: 255, seq }, time_ns: NOW_S * 1_000_000_000, body: Body::Metric(metric) }
}

fn records() -> Vec<Record<'static>> {
    let fields = [
        ("source", Value::Str("proxy 1".into())),
        ("ttl", Value::I64(180)),
        ("interval", Value::U64(60)),
        ("duration", Value::F64(0.25)),
        ("mount", Value::Str("/var".into())),
        ("status", Value::I64(7)),
        ("mount", Value::Bool(true)),
        ("Service", Value::Null),
    ];
    let mut histogram = Distribution::default();
    histogram.observe(3.0, 4);
    vec![
        check(1, &fields),
        check(2, &[("handlers", Value::Str("mail,pager".into()))]),
        metric(3, Points::Counter { sum: 42 }),
        metric(4, Points::Gauge { last: 1.5, min: 0.5, max: 2.0, sum: 4.0, count: 3 }),
        metric(5, Points::Histogram(histogram)),
    ]
}

fn open(vars: &[(&str, &str)]) -> Result<Box<dyn Backend>, Error> {
    Box::new(Sensu::new()).open(&context(vars))
}

const CLASSIC: [(&str, &str); 3] =
    [("OPS_SENSU_API", "classic"), ("OPS_SENSU_URL", "amqp://127.0.0.1:9"), ("OPS_SENSU_USER", "sensu")];
const AGENT: [(&str, &str); 1] = [("OPS_SENSU_API", "agent")];
const BACKEND: [(&str, &str); 4] = [
    ("OPS_SENSU_API", "backend"),
    ("OPS_SENSU_URL", "https://sensu:8080"),
    ("SENSU_API_KEY", "hush-hush"),
    ("OPS_SENSU_METRIC_HANDLERS", "influxdb"),
];

fn items(backend: &mut dyn Backend, records: &[Record<'_>]) -> Items {
    let mut items = Items::new();
    for (record, place) in records.iter().zip(0..) {
        items.begin(record.id, record.time_ms(), place);
        backend.encode(record, &mut items).unwrap();
    }
    items
}

#[test]
fn results_and_events_are_the_golden_ones() {
    let mut written = String::new();
    for vars in [&CLASSIC[..], &AGENT, &BACKEND] {
        let items = items(open(vars).unwrap().as_mut(), &records());
        for (_, bytes) in items.iter() {
            written += &(String::from_utf8(bytes.to_vec()).unwrap() + "\n");
            let points = [b"[", bytes, b"]"].concat();
            assert!(serde_json::from_slice::<Json>(&points).is_ok(), "{written}");
        }
    }
    assert_eq!(written, include_str!("../golden/sensu.jsonl"));
}

#[test]
fn a_result_is_typed_as_sensu_wants_it() {
    let mut backend = open(&CLASSIC).unwrap();
    let items = items(backend.as_mut(), &records());
    let result: Json = serde_json::from_slice(items.get(0).unwrap().1).unwrap();
    let wanted = json!({"client": "h1-Shop", "check": {
        "name": "disk__var", "type": "standard", "issued": NOW_S, "executed": NOW_S, "ops_id": "00000000000000ff-1",
        "status": 2, "output": "full \"92 %\"\nreally", "source": "proxy_1", "ttl": 180, "interval": 60,
        "duration": 0.25, "mount": "/var", "fields.status": 7, "mount.2": true, "Service": null,
        "Service.2": "checkout"
    }});
    assert_eq!(result, wanted);
    let result: Json = serde_json::from_slice(items.get(1).unwrap().1).unwrap();
    assert_eq!(result["check"]["handlers"], json!(["mail", "pager"]));
    let result: Json = serde_json::from_slice(items.get(2).unwrap().1).unwrap();
    let line = format!("Shop.orders.Region.eu_west_1.Service.checkout.sum 42 {NOW_S}\n");
    assert_eq!((&result["check"]["type"], &result["check"]["output"]), (&json!("metric"), &json!(line)));
}

#[test]
fn what_cannot_be_said_is_refused_with_the_reason() {
    let refused = |vars: &[(&str, &str)], record: &Record<'_>| {
        open(vars).unwrap().encode(record, &mut Items::new()).unwrap_err().0
    };
    let gauge = |last| metric(1, Points::Gauge { last, min: 1.0, max: 1.0, sum: 1.0, count: 1 });
    assert!(refused(&CLASSIC, &gauge(f64::INFINITY)).contains("not finite"));
    assert!(refused(&AGENT, &gauge(f64::NAN)).contains("not finite"));
    for ttl in [4, 60] {
        let record = check(1, &[("ttl", Value::U64(ttl)), ("interval", Value::U64(60))]);
        assert!(refused(&AGENT, &record).contains("ttl"));
    }
    let log = Log {
        level: crate::model::Level::Info,
        target: "".into(),
        message: "".into(),
        file: "".into(),
        line: 0,
        fields: Vec::new(),
    };
    let log = Record { body: Body::Log(log), ..check(1, &[]) };
    assert!(refused(&CLASSIC, &log).contains("alone") && refused(&AGENT, &log).contains("alone"));
    let mut backend = open(&CLASSIC).unwrap();
    assert!(items(backend.as_mut(), &[metric(1, Points::Histogram(Distribution::default()))]).is_empty());
}

#[test]
fn settings_are_checked_at_open() {
    for good in [&CLASSIC[..], &AGENT, &BACKEND, &[]] {
        assert!(open(good).is_ok());
    }
    let with = |base: &[(&'static str, &'static str)], name, value| {
        let mut vars = base.to_vec();
        vars.retain(|(other, _)| *other != name);
        vars.push((name, value));
        open(&vars).map(|_| ()).unwrap_err().to_string()
    };
    let table = [
        (&CLASSIC[..], "OPS_SENSU_API", "go"),
        (&CLASSIC, "OPS_SENSU_URL", ""),
        (&CLASSIC, "OPS_SENSU_URL", "http://h"),
        (&CLASSIC, "OPS_SENSU_URL", "amqp://me:hush@h"),
        (&CLASSIC, "OPS_SENSU_USER", ""),
        (&CLASSIC, "OPS_SENSU_TTL", "0"),
        (&CLASSIC, "OPS_SENSU_KEEPALIVE", "maybe"),
        (&BACKEND, "OPS_SENSU_URL", ""),
        (&BACKEND, "OPS_SENSU_URL", "sensu"),
        (&BACKEND, "OPS_SENSU_NAMESPACE", "a/b"),
        (&BACKEND, "OPS_SENSU_API_KEY", "hush\nX: y"),
        (&AGENT, "OPS_SENSU_URL", "nowhere"),
    ];
    for (base, name, value) in table {
        let error = with(base, name, value);
        assert!(error.starts_with(name) && !error.contains("hush"), "{error}");
    }
    assert!(with(&BACKEND, "SENSU_API_KEY", "").starts_with("OPS_SENSU_API_KEY"));
    let tls = [("OPS_SENSU_API", "classic"), ("OPS_SENSU_URL", "amqps://h"), ("OPS_SENSU_USER", "u")];
    assert!(with(&tls, "OPS_SENSU_TLS_CERT", "/nowhere").starts_with("OPS_SENSU_TLS_KEY"));
    assert!(!format!("{:?}", Sensu::new().login("u", "hush").api_key("hush").token("hush")).contains("hush"));
}

#[test]
fn limits_pacing_and_ticks_are_those_of_the_door() {
    let classic = open(&CLASSIC).unwrap();
    assert_eq!(classic.tick_every(), Some(Duration::from_secs(20)));
    assert_eq!(classic.pacing(), Pacing::default());
    let agent = open(&AGENT).unwrap();
    assert_eq!((agent.tick_every(), agent.pacing().every), (None, Duration::from_secs(1)));
    let backend = open(&BACKEND).unwrap();
    assert_eq!((backend.limits().push_bytes_max, backend.pacing().every), (512_000, Duration::ZERO));
}

/// Sends records over a script; the verdict, and the bodies of what was asked.
fn sent(vars: &[(&str, &str)], records: &[Record<'_>], script: &Arc<Script>) -> (Verdict, Vec<Json>) {
    let mut backend = open(vars).unwrap();
    let items = items(backend.as_mut(), records);
    let limits = backend.limits().under(PushLimit::Contract);
    let chunked = chunk(&items, &limits, NOW_S * 1_000);
    assert_eq!(chunked.batches.len(), 1);
    let verdict = backend.send(&chunked.batches[0], &mut script.net(NOW_S));
    let asked = script.asked();
    if asked.len() == 1 {
        let [(request, _)] = &asked[..] else { panic!("one") };
        let counted = chunked.batches[0].bytes() + chunked.batches[0].len() + limits.envelope_bytes;
        assert!(request.body().len() <= counted, "{} {counted}", request.body().len());
    }
    let bodies = asked.iter().map(|(request, _)| serde_json::from_slice(request.body()).unwrap());
    (verdict, bodies.collect())
}

#[test]
fn metrics_go_together_and_each_check_alone() {
    let script = Arc::new(Script::default());
    (0..3).for_each(|_| _ = script.answer(202, ""));
    let (verdict, bodies) = sent(&BACKEND, &records(), &script);
    assert_eq!((verdict, bodies.len()), (Verdict::Delivered, 3));
    let points = bodies[0]["metrics"]["points"].as_array().unwrap();
    assert_eq!((points.len(), &points[0]["name"]), (1 + 5 + 8, &json!("orders.sum")));
    assert_eq!(points[0]["timestamp"], json!(NOW_S * 1_000_000_000));
    assert_eq!(points[0]["tags"][0], json!({"name": "Region", "value": "eu.west 1"}));
    assert_eq!(bodies[0]["metrics"]["handlers"], json!(["influxdb"]));
    assert_eq!(bodies[0]["entity"]["metadata"]["name"], "h1-Shop");
    assert_eq!(bodies[1]["entity"]["metadata"]["name"], "proxy_1");
    assert_eq!((&bodies[1]["check"]["status"], &bodies[1]["check"]["ttl"]), (&json!(2), &json!(180)));
    assert_eq!(bodies[1]["check"]["metadata"]["annotations"]["status"], "7");
}

#[test]
fn requests_go_where_sensu_listens_and_show_the_key() {
    let ask = |vars: &[(&str, &str)]| {
        let script = Arc::new(Script::default()).answer(201, "");
        let mut backend = open(vars).unwrap();
        let batch = items(backend.as_mut(), &[check(1, &[])]).into_batch();
        assert_eq!(backend.send(&batch, &mut script.net(NOW_S)), Verdict::Delivered);
        script.asked().remove(0).0
    };
    let request = ask(&BACKEND);
    assert_eq!(request.uri(), "https://sensu:8080/api/core/v2/namespaces/default/events");
    assert_eq!(request.headers()["authorization"], "Key hush-hush");
    let request = ask(&AGENT);
    assert_eq!(request.uri(), "http://127.0.0.1:3031/events");
    assert!(request.headers().get("authorization").is_none());
    let event: Json = serde_json::from_slice(request.body()).unwrap();
    assert!(event.get("entity").is_none(), "the agent's own");
}

#[test]
fn the_agent_gets_ten_events_in_a_push() {
    let script = Arc::new(Script::default());
    (0..10).for_each(|_| _ = script.answer(202, ""));
    let mut records: Vec<_> = (0..12).map(|seq| check(seq, &[])).collect();
    records.push(metric(12, Points::Counter { sum: 1 }));
    let (verdict, bodies) = sent(&AGENT, &records, &script);
    assert_eq!(bodies.len(), 10);
    assert_eq!(verdict, Verdict::Partial { failed: vec![9, 10, 11], refused: Vec::new() });
}

#[test]
fn one_bad_point_costs_only_itself() {
    let script = Arc::new(Script::default());
    for status in [400, 202, 400, 400, 202] {
        script.answer(status, "metric points");
    }
    let records: Vec<_> = (0..4).map(|seq| metric(seq, Points::Counter { sum: seq })).collect();
    let (verdict, bodies) = sent(&AGENT, &records, &script);
    let Verdict::Partial { failed, refused } = verdict else { panic!("{verdict:?}") };
    assert!(failed.is_empty());
    assert_eq!(
        refused.iter().map(|(index, refusal)| (*index, refusal.loss)).collect::<Vec<_>>(),
        [(2, Loss::Refused)]
    );
    assert_eq!(
        bodies.iter().map(|body| body["metrics"]["points"].as_array().unwrap().len()).collect::<Vec<_>>(),
        [4, 2, 2, 1, 1]
    );
}

#[test]
fn each_answer_has_its_verdict() {
    let gigantic = "x".repeat(1 << 20);
    let table = [
        (201, "", "delivered"),
        (200, "garbage", "delivered"),
        (400, &gigantic[..], "refused Refused"),
        (413, "", "refused Oversize"),
        (401, "", "retry Some(60)"),
        (403, "", "retry Some(60)"),
        (404, "", "retry Some(60)"),
        (302, "", "retry Some(60)"),
        (429, "", "throttle None"),
        (500, "queue error", "retry None"),
        (503, "", "retry None"),
    ];
    for (status, body, wanted) in table {
        let script = Arc::new(Script::default()).answer(status, body);
        let told = match sent(&AGENT, &[check(1, &[])], &script).0 {
            Verdict::Delivered => "delivered".to_owned(),
            Verdict::Partial { failed, refused } if failed.is_empty() => {
                format!("refused {:?}", refused[0].1.loss)
            }
            Verdict::Retry { after, .. } => format!("retry {:?}", after.map(|after| after.as_secs())),
            Verdict::Throttle { after, .. } => format!("throttle {after:?}"),
            other => panic!("{other:?}"),
        };
        assert_eq!(told, wanted, "{status}");
    }
    let script = Arc::new(Script::default());
    assert!(matches!(sent(&AGENT, &[check(1, &[])], &script).0, Verdict::Retry { .. }), "no answer");
}

#[test]
fn without_a_broker_results_wait_and_the_operator_hears_of_keepalives() {
    let mut backend = open(&CLASSIC).unwrap();
    let batch = items(backend.as_mut(), &records()).into_batch();
    let mut net = Net::new(Now { unix_ns: NOW_S * 1_000_000_000, mono_ns: 1 });
    let Verdict::Retry { after: None, why } = backend.send(&batch, &mut net) else { panic!("it waits") };
    assert!(why.contains("tcp://127.0.0.1:9"), "{why}");
    let told = backend.tick(&mut net).unwrap_err();
    assert!(told.starts_with("no keepalive: cannot connect to"), "{told}");
}
