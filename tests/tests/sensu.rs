//! Sensu: the classic one over a real RabbitMQ with certificates on both sides, read back by pika; Sensu Go against a fake
//! that holds events to the rules of sensu-go 6 (`api/core/v2/event.go`, `check.go`, `metrics.go`). `tests/run` installs
//! RabbitMQ, and where it cannot, says so and sets `OPS_WITHOUT_RABBITMQ`.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ops_sdk::backend::{Backend, Context, Sensu, SensuApi, Verdict, by_name};
use ops_sdk::chunk::{Batch, Items};
use ops_sdk::clock::Now;
use ops_sdk::limits::PushLimit;
use ops_sdk::model::{Body, Check, CheckStatus, Record, RecordId, Value};
use ops_sdk::net::Net;
use ops_sdk::prelude::*;
use ops_tests::rig::{Ca, Published, Rabbit, Recorded, Relay, Reply, Server};
use ops_tests::{SOON, assert_balanced, early_in_a_minute, turn};
use serde_json::Value as Json;

/// The backend by its variables, as a process would open it.
fn opened(vars: Vec<(&'static str, String)>) -> Box<dyn Backend> {
    let var = move |asked: &str| vars.iter().find(|(name, _)| *name == asked).map(|(_, value)| value.clone());
    let context = Context {
        namespace: "Shop".to_owned(),
        dimensions: vec![("Service".to_owned(), "checkout".to_owned())],
        process: 255,
        host: "h1".to_owned(),
        name: None,
        state_dir: None,
        push_limit: PushLimit::Contract,
        var: std::sync::Arc::new(var),
    };
    by_name("sensu").expect("it is compiled in").open(&context).expect("it opens")
}

fn checks(backend: &mut dyn Backend, count: u64) -> Batch {
    let now = Now::read();
    let mut items = Items::new();
    for seq in 1..=count {
        let id = RecordId { process: 255, seq };
        let status = [CheckStatus::Ok, CheckStatus::Warning, CheckStatus::Critical, CheckStatus::Unknown];
        let body = Body::Check(Check {
            name: format!("check {seq}").into(),
            status: status[(seq % 4) as usize],
            output: "line\n\"two\" é\u{0}".into(),
            fields: vec![("ttl".into(), Value::U64(180)), ("source".into(), Value::Str("proxy1".into()))],
        });
        items.begin(id, now.unix_ms(), 0);
        backend.encode(&Record { id, time_ns: now.unix_ns, body }, &mut items).expect("checks are taken");
    }
    items.into_batch()
}

fn send(backend: &mut dyn Backend, batch: &Batch, budget: Duration) -> Verdict {
    let mut net = Net::new(Now::read());
    net.begin(Now::read(), budget);
    backend.send(batch, &mut net)
}

/// Seconds that a retry is put off, if it is one; the reason has to hold this.
fn retry(verdict: &Verdict, reason: &str) -> Option<u64> {
    let Verdict::Retry { after, why } = verdict else { panic!("{verdict:?}") };
    assert!(why.contains(reason) && !why.contains("hush"), "{why}");
    after.map(|after| after.as_secs())
}

fn of(published: &[Published], exchange: &str) -> Vec<Json> {
    let own = published.iter().filter(|message| message.exchange == exchange);
    own.map(|message| serde_json::from_str(&message.body).expect("JSON")).collect()
}

#[test]
fn classic_results_and_keepalives_go_through_rabbitmq() {
    if std::env::var_os("OPS_WITHOUT_RABBITMQ").is_some() {
        return;
    }
    let _turn = turn();
    let ca = Ca::new();
    let rabbit = Rabbit::start(&ca);
    no_queue_is_no_delivery(&rabbit, &ca);
    metrics_of_a_process(&rabbit, &ca);
    checks_by_name_and_password(&rabbit, &ca);
    a_broken_connection(&rabbit, &ca);
    who_may_not(&rabbit, &ca);
}

/// The certificate is the name (EXTERNAL).
fn vars(ca: &Ca, port: u16) -> Vec<(&'static str, String)> {
    let file = |name: &str| ca.path(name).display().to_string();
    vec![
        ("OPS_SENSU_API", "classic".to_owned()),
        ("OPS_SENSU_URL", format!("amqps://127.0.0.1:{port}")),
        ("OPS_SENSU_TLS_CA", file("ca.pem")),
        ("OPS_SENSU_TLS_CERT", file("client.test.pem")),
        ("OPS_SENSU_TLS_KEY", file("client.test.key")),
        ("OPS_SENSU_TLS_NAME", "broker.test".to_owned()),
    ]
}

/// Before the Sensu server has bound its queues, and on exchanges that somebody declared otherwise.
fn no_queue_is_no_delivery(rabbit: &Rabbit, ca: &Ca) {
    let mut backend = opened(vars(ca, rabbit.port));
    let batch = checks(backend.as_mut(), 3);
    assert_eq!(retry(&send(backend.as_mut(), &batch, SOON), "no queue"), None);
    assert!(backend.tick(&mut Net::new(Now::read())).expect_err("nobody hears it").contains("no queue"));
    rabbit.pika(&["bind"]);
    assert_eq!(send(backend.as_mut(), &batch, SOON), Verdict::Delivered);
    assert_eq!(of(&rabbit.pika(&["get:3"]), "results").len(), 3);
    let mut another = opened(vars(ca, rabbit.port));
    assert_eq!(send(another.as_mut(), &batch, SOON), Verdict::Delivered);
    assert_eq!(of(&rabbit.pika(&["get:3"]), "results").len(), 3);
}

fn metrics_of_a_process(rabbit: &Rabbit, ca: &Ca) {
    let sensu = Sensu::new().api(SensuApi::Classic).url(format!("amqps://127.0.0.1:{}", rabbit.port));
    let sensu =
        sensu.tls_ca(ca.path("ca.pem")).tls_name("broker.test").client("shop-1").subscriptions("shop, all");
    let sensu = sensu.tls_client(ca.path("client.test.pem"), ca.path("client.test.key"));
    let builder = ops_sdk::init().environment(|_| None).namespace("Shop").dimension("Service", "checkout");
    let began = Now::read().unix_ns / 1_000_000_000;
    let ops = builder.linger(Duration::from_millis(5)).backend(sensu).start().expect("recording starts");
    early_in_a_minute();
    (0..10u64).for_each(|n| counter!("orders", n, "Region" => "eu.1"));
    gauge!("depth", 2.5);
    assert!(ops.flush(SOON).complete);
    assert_balanced(&ops.stats());
    drop(ops);
    // The sign of life went out at once, before anything else.
    let published = rabbit.pika(&["get:3"]);
    let keepalive = &of(&published, "keepalives")[0];
    assert_eq!(
        (&keepalive["name"], &keepalive["subscriptions"]),
        (&"shop-1".into(), &serde_json::json!(["shop", "all"]))
    );
    let now = Now::read().unix_ns / 1_000_000_000;
    assert!((began..=now).contains(&keepalive["timestamp"].as_u64().expect("a whole number")));
    assert!(keepalive["version"].is_string() && keepalive["address"].is_string());
    let results = of(&published, "results");
    let output = |name: &str| {
        let result = results.iter().find(|result| result["check"]["name"] == name).expect("a result");
        assert_eq!((&result["client"], &result["check"]["type"]), (&"shop-1".into(), &"metric".into()));
        result["check"]["output"].as_str().expect("a text").to_owned()
    };
    let line = output("orders");
    assert!(
        line.starts_with("Shop.orders.Region.eu_1.Service.checkout.sum 45 ") && line.ends_with('\n'),
        "{line}"
    );
    assert!(output("depth").lines().any(|line| line.starts_with("Shop.depth.Service.checkout.last 2.5 ")));
    assert!(published.iter().all(|message| message.content_type == "application/json"));
}

fn checks_by_name_and_password(rabbit: &Rabbit, ca: &Ca) {
    let mut vars = vars(ca, rabbit.port);
    vars.extend([
        ("OPS_SENSU_USER", "client.test".to_owned()),
        ("OPS_SENSU_PASSWORD", "hush-hush".to_owned()),
    ]);
    let mut backend = opened(vars);
    let batch = checks(backend.as_mut(), 100);
    assert_eq!(send(backend.as_mut(), &batch, SOON), Verdict::Delivered);
    let published = rabbit.pika(&["get:100"]);
    let results = of(&published, "results");
    let numbers: Vec<_> = results.iter().map(|result| result["check"]["status"].as_u64()).collect();
    assert_eq!(numbers, (1..=100).map(|seq| Some(seq % 4)).collect::<Vec<_>>());
    let first = &results[0]["check"];
    assert_eq!((&first["name"], &first["output"]), (&"check_1".into(), &"line\n\"two\" é\u{0}".into()));
    assert_eq!((&first["ttl"], &first["source"]), (&180.into(), &"proxy1".into()));
    assert!(first["executed"].is_u64() && first["Service"] == "checkout");
    assert_eq!(first["ops_id"], published[0].id.as_str());
}

fn a_broken_connection(rabbit: &Rabbit, ca: &Ca) {
    let relay = Relay::start(rabbit.port);
    let mut backend = opened(vars(ca, relay.port()));
    let batch = checks(backend.as_mut(), 5);
    assert_eq!(send(backend.as_mut(), &batch, SOON), Verdict::Delivered);
    relay.cut();
    assert_eq!(
        send(backend.as_mut(), &batch, SOON),
        Verdict::Delivered,
        "it is noticed before anything is lost"
    );
    assert_eq!(relay.connections(), 2);
    relay.mute(true);
    assert_eq!(retry(&send(backend.as_mut(), &batch, Duration::from_millis(300)), "too long"), None);
    relay.mute(false);
    relay.refuse(true);
    assert_eq!(retry(&send(backend.as_mut(), &batch, SOON), "127.0.0.1"), None);
    relay.refuse(false);
    assert_eq!(send(backend.as_mut(), &batch, SOON), Verdict::Delivered);
    assert_eq!(of(&rabbit.pika(&["get:15"]), "results").len(), 15);
}

/// What an operator has to put right is waited out.
fn who_may_not(rabbit: &Rabbit, ca: &Ca) {
    let stranger = Ca::new();
    stranger.sign("client.test");
    let file = |ca: &Ca, name: &str| ca.path(name).display().to_string();
    let table = [
        (
            vec![
                ("OPS_SENSU_USER", "client.test".to_owned()),
                ("OPS_SENSU_PASSWORD", "hush-wrong".to_owned()),
            ],
            "403",
        ),
        (vec![("OPS_SENSU_VHOST", "/nowhere".to_owned())], "530"),
        (vec![("OPS_SENSU_TLS_CA", file(&stranger, "ca.pem"))], "no TLS"),
        (vec![("OPS_SENSU_TLS_NAME", "another.test".to_owned())], "no TLS"),
    ];
    for (changed, reason) in table {
        let mut vars = vars(ca, rabbit.port);
        vars.retain(|(name, _)| changed.iter().all(|(other, _)| other != name));
        vars.extend(changed);
        let mut backend = opened(vars);
        let batch = checks(backend.as_mut(), 1);
        assert_eq!(retry(&send(backend.as_mut(), &batch, SOON), reason), Some(60), "{reason}");
    }
    // RabbitMQ says of a certificate that it does not know what TLS 1.3 lets it, which may be nothing.
    let mut vars = vars(ca, rabbit.port);
    vars.retain(|(name, _)| !matches!(*name, "OPS_SENSU_TLS_CERT" | "OPS_SENSU_TLS_KEY"));
    vars.extend([
        ("OPS_SENSU_TLS_CERT", file(&stranger, "client.test.pem")),
        ("OPS_SENSU_TLS_KEY", file(&stranger, "client.test.key")),
    ]);
    let mut backend = opened(vars);
    let batch = checks(backend.as_mut(), 1);
    retry(&send(backend.as_mut(), &batch, SOON), "127.0.0.1");
    rabbit.pika(&["unbind"]);
}

/// What is wrong with an event, by the rules of sensu-go.
fn wrong_with(event: &Json, is_agent: bool) -> Option<&'static str> {
    let is_name = |name: &Json| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        name.as_str().is_some_and(|name| !name.is_empty() && name.bytes().all(fits))
    };
    let (check, metrics, entity) = (&event["check"], &event["metrics"], &event["entity"]);
    let whole = |value: &Json| value.is_null() || value.as_i64().is_some();
    if check.is_null() && metrics.is_null() {
        return Some("event must contain a check or metrics");
    }
    if !(is_name(&entity["metadata"]["name"]) || is_agent && entity.is_null()) {
        return Some("entity is invalid");
    }
    if !check.is_null() {
        let numbers = ["status", "executed", "issued", "ttl", "interval"];
        if !is_name(&check["metadata"]["name"]) || !numbers.iter().all(|name| whole(&check[*name])) {
            return Some("check is invalid");
        }
        let text = |value: &Json| value.as_object().is_some_and(|all| all.values().all(Json::is_string));
        if !text(&check["metadata"]["annotations"]) || !check["output"].is_string() {
            return Some("check is invalid");
        }
    }
    let points = metrics["points"].as_array();
    let is_point = |point: &Json| {
        let ns = point["timestamp"].as_u64().is_some_and(|time| time > 1_000_000_000_000_000_000);
        point["name"].is_string() && point["value"].is_number() && ns && point["tags"].is_array()
    };
    match points {
        Some(points) if !points.iter().all(is_point) => Some("metrics are invalid"),
        None if !metrics.is_null() => Some("metrics are invalid"),
        _ => None,
    }
}

fn fake(is_agent: bool, trouble: fn(usize) -> Option<Reply>) -> Server {
    let (requests, path) =
        (AtomicUsize::new(0), if is_agent { "/events" } else { "/api/core/v2/namespaces/default/events" });
    Server::start(move |request: &Recorded| {
        if let Some(reply) = trouble(requests.fetch_add(1, Ordering::Relaxed)) {
            return reply;
        }
        let may = is_agent || request.header("authorization") == Some("Key hush-hush");
        match (request.path == path, may, wrong_with(&request.json(), is_agent)) {
            (false, _, _) => Reply::answer(404, "not found"),
            (_, false, _) => Reply::answer(401, "unauthorized"),
            (_, _, Some(why)) => Reply::answer(400, why),
            _ => Reply::answer(if is_agent { 202 } else { 201 }, ""),
        }
    })
}

#[test]
fn sensu_go_gets_metrics_of_a_process_through_trouble() {
    let _turn = turn();
    let server = fake(true, |number| match number {
        0 => Some(Reply::answer(500, "error queueing message")),
        1 => Some(Reply::answer(429, "")),
        2 => Some(Reply::Cut),
        _ => None,
    });
    let builder = ops_sdk::init().environment(|_| None).namespace("Shop").dimension("Service", "checkout");
    let sensu = Sensu::new().api(SensuApi::Agent).url(server.url());
    let ops = builder.linger(Duration::from_millis(5)).backend(sensu).start().expect("recording starts");
    early_in_a_minute();
    (0..10u64).for_each(|n| counter!("orders", n, "Region" => "eu"));
    histogram!("latency", 12.0);
    assert!(ops.flush(SOON).complete);
    assert_balanced(&ops.stats());
    drop(ops);
    let delivered: Vec<Json> = server.requests().iter().skip(3).map(Recorded::json).collect();
    let points: Vec<_> =
        delivered.iter().filter_map(|event| event["metrics"]["points"].as_array()).flatten().collect();
    let value = |name: &str| {
        points
            .iter()
            .filter(|point| point["name"] == name)
            .map(|point| point["value"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!((value("orders.sum"), value("latency.count")), (vec![45.into()], vec![1.into()]));
    assert_eq!(
        points[0]["tags"].as_array().map(Vec::len),
        Some(2).filter(|_| points[0]["name"] == "orders.sum").or(Some(1))
    );
}

#[test]
fn sensu_go_gets_checks_and_says_what_is_wrong() {
    let server = fake(false, |_| None);
    let vars = |key: &str| {
        vec![
            ("OPS_SENSU_API", "backend".to_owned()),
            ("OPS_SENSU_URL", server.url()),
            ("OPS_SENSU_API_KEY", key.to_owned()),
        ]
    };
    let mut backend = opened(vars("hush-hush"));
    let batch = checks(backend.as_mut(), 4);
    assert_eq!(send(backend.as_mut(), &batch, SOON), Verdict::Delivered);
    let event = server.requests()[3].json();
    assert_eq!(
        (&event["check"]["status"], &event["entity"]["metadata"]["name"]),
        (&0.into(), &"proxy1".into())
    );
    let mut stranger = opened(vars("hush-other"));
    assert_eq!(retry(&send(stranger.as_mut(), &batch, SOON), "unauthorized"), Some(60));
}
