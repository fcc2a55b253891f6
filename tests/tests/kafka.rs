//! Kafka against a broker of Apache's own, read back with a client that shares no code with librdkafka: messages with
//! their keys, headers and times, in order, through restarts and refusals; over TLS and SASL; and too large ones.
//!
//! Needs Java and Maven; `tests/run` installs them, and where it cannot, says so and sets `OPS_WITHOUT_KAFKA`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ops_sdk::backend::{Backend, Configure, Context, Kafka, KafkaSasl, PartitionKey, Verdict};
use ops_sdk::chunk::{Batch, Items, chunk};
use ops_sdk::clock::Now;
use ops_sdk::limits::PushLimit;
use ops_sdk::model::{Audit, Body, Check, CheckStatus, Config, Record, RecordId, Value as Field};
use ops_sdk::net::Net;
use ops_sdk::prelude::*;
use ops_tests::rig::{Broker, KafkaMessage};
use ops_tests::{SOON, assert_balanced, cloud, turn};
use serde_json::Value;

const STEPS: u64 = 600;

/// One broker for all tests; `None` where there is none to be had.
fn broker() -> Option<&'static Broker> {
    static BROKER: OnceLock<Option<Broker>> = OnceLock::new();
    let start = || std::env::var_os("OPS_WITHOUT_KAFKA").is_none().then(Broker::start);
    BROKER.get_or_init(start).as_ref()
}

fn lines(messages: &[KafkaMessage]) -> Vec<Value> {
    cloud::lines(messages.iter().map(|message| message.value.clone()))
}

/// The numbers of log lines, in the order given.
fn numbers(messages: &[KafkaMessage]) -> Vec<u64> {
    lines(messages).iter().filter_map(|line| line["n"].as_u64()).collect()
}

#[test]
fn what_a_program_records_is_in_its_topics_once_and_in_order() {
    let Some(broker) = broker() else { return };
    let _turn = turn();
    let vars =
        vec![("OPS_KAFKA_BROKERS", broker.plain()), ("OPS_KAFKA_TOPIC", "program.{signal}".to_owned())];
    let ops = cloud::init(vars).backend(Kafka::new()).start().expect("recording starts");
    for n in 0..STEPS {
        info!("info {n} \"quoted\"\n\tünïcödé 😀", n);
        counter!("orders", 2, "Region" => if n % 2 == 0 { "eu" } else { "us" });
    }
    let long = "long é\n".repeat(10_000);
    info!("{long}", n = STEPS);
    let report = ops.flush(SOON);
    assert!(report.complete, "{report:?}");
    assert_balanced(&ops.stats());
    drop(ops);

    let logs = broker.messages(&["program.log"]);
    assert_eq!(numbers(&logs), (0..=STEPS).collect::<Vec<_>>());
    let partitions: BTreeSet<_> = logs.iter().map(|message| (message.partition, &message.key)).collect();
    assert_eq!(partitions.len(), 1, "one process, one partition");
    for message in &logs {
        assert_eq!(message.header("signal"), "log");
        assert_eq!(message.header("content-type"), "application/json");
        assert!(message.header("id").starts_with(&message.key));
        let line: Option<Value> = serde_json::from_str(&message.value).ok();
        assert!(line.is_none_or(|line| line["id"] == message.header("id")));
    }
    let metrics = broker.messages(&["program.metric"]);
    assert!(metrics.iter().all(|message| message.header("signal") == "metric"));
    let metrics = lines(&metrics);
    let orders = metrics.iter().filter(|line| line["name"] == "orders");
    assert_eq!(orders.filter_map(|line| line["sum"].as_u64()).sum::<u64>(), 2 * STEPS);
}

fn open(kafka: Kafka, push_limit: PushLimit) -> Box<dyn Backend> {
    let context = Context {
        namespace: "Shop".to_owned(),
        dimensions: vec![("Service".to_owned(), "checkout".to_owned())],
        process: 255,
        host: "h1".to_owned(),
        name: None,
        state_dir: None,
        push_limit,
        var: Arc::new(|_| None),
    };
    Box::new(kafka).open(&context).expect("it opens")
}

fn batch(backend: &mut dyn Backend, bodies: Vec<Body<'_>>) -> Batch {
    let (mut items, now) = (Items::new(), Now::read());
    for (body, seq) in bodies.into_iter().zip(1..) {
        let record = Record { id: RecordId { process: 255, seq }, time_ns: now.unix_ns, body };
        items.begin(record.id, record.time_ms(), 0);
        backend.encode(&record, &mut items).expect("encoded");
    }
    let mut chunked = chunk(&items, &backend.limits().under(PushLimit::Vendor), now.unix_ms());
    assert_eq!((chunked.batches.len(), chunked.refused.len()), (1, 0));
    chunked.batches.remove(0)
}

fn send(backend: &mut dyn Backend, batch: &Batch, budget: Duration) -> Verdict {
    let mut net = Net::new(Now::read());
    net.begin(Now::read(), budget);
    backend.send(batch, &mut net)
}

fn bodies() -> Vec<Body<'static>> {
    let fields = || vec![("n".into(), Field::I64(-1)), ("a\nb\0\"".into(), Field::Str("x\r\ny".into()))];
    vec![
        Body::Audit(Audit {
            actor: "eve".into(),
            action: "order.cancel".into(),
            resource: "order/7".into(),
            outcome: "denied".into(),
            fields: fields(),
        }),
        Body::Config(Config { resource_type: "till".into(), resource_id: "7".into(), fields: fields() }),
        Body::Check(Check {
            name: "disk".into(),
            status: CheckStatus::Warning,
            output: "91 %".into(),
            fields: fields(),
        }),
    ]
}

#[test]
fn audit_config_and_check_records_go_over_tls_by_scram_and_by_plain() {
    let Some(broker) = broker() else { return };
    let secured = || Kafka::new().brokers(broker.sasl()).ca(broker.ca());
    for (topic, mechanism) in [("secured.scram", KafkaSasl::ScramSha512), ("secured.plain", KafkaSasl::Plain)]
    {
        let kafka = secured().user("ops", Broker::PASSWORD).sasl(mechanism).topic(topic);
        let mut backend = open(kafka.key(PartitionKey::Text("audit \"é\"".into())), PushLimit::Vendor);
        let batch = batch(&mut *backend, bodies());
        assert_eq!(send(&mut *backend, &batch, SOON), Verdict::Delivered);
        let messages = broker.messages(&[topic]);
        let signals: Vec<_> = messages.iter().map(|message| message.header("signal")).collect();
        assert_eq!(signals, ["audit", "config", "check"]);
        assert!(messages.iter().all(|message| message.key == "audit \"é\""));
        let lines = lines(&messages);
        assert!(lines.iter().all(|line| line["n"] == -1 && line["a\nb\0\""] == "x\r\ny"));
        assert_eq!((lines[0]["actor"].as_str(), lines[2]["status"].as_str()), (Some("eve"), Some("warning")));
    }
    let untrusted = Kafka::new().brokers(broker.sasl()).user("ops", Broker::PASSWORD);
    for kafka in [secured().user("ops", "hush-wrong"), untrusted] {
        let mut backend = open(kafka, PushLimit::Vendor);
        let batch = batch(&mut *backend, bodies());
        let verdict = send(&mut *backend, &batch, SOON);
        let Verdict::Retry { after: Some(_), why } = &verdict else { panic!("{verdict:?}") };
        assert!(!why.contains("hush"), "{why}");
    }
}

#[test]
fn what_is_too_large_for_the_topic_is_refused_alone() {
    let Some(broker) = broker() else { return };
    broker.create("narrow", 1, 2_000);
    let kafka = Kafka::new().brokers(broker.plain()).topic("narrow").property("linger.ms", "50");
    let mut backend = open(kafka.compression(ops_sdk::backend::KafkaCompression::Off), PushLimit::Vendor);
    let check = |output: String| {
        Body::Check(Check {
            name: "c".into(),
            status: CheckStatus::Ok,
            output: output.into(),
            fields: Vec::new(),
        })
    };
    let outputs = ["a".repeat(500), "b".repeat(3_000), "c".repeat(500), "d".repeat(500), "e".repeat(500)];
    let first = batch(&mut *backend, outputs.map(check).into());
    let (mut queue, mut refused) = (vec![first], Vec::new());
    // As the ship thread does, but for the waiting.
    while let Some(batch) = queue.pop() {
        match send(&mut *backend, &batch, SOON) {
            Verdict::Delivered => {}
            Verdict::Halve => {
                let (first, second) = batch.halves();
                queue.extend([second, first]);
            }
            Verdict::Partial { failed, refused: bad } => {
                refused.extend(bad.into_iter().map(|(_, refusal)| refusal.loss.name()));
                if !failed.is_empty() {
                    queue.push(batch.select(|index| failed.contains(&index)));
                }
            }
            other => panic!("{other:?}"),
        }
    }
    let found: Vec<_> = lines(&broker.messages(&["narrow"]))
        .iter()
        .filter_map(|line| line["output"].as_str()?.chars().next())
        .collect();
    assert_eq!((found, refused), (vec!['a', 'c', 'd', 'e'], vec!["oversize"]));
}

/// A broker that is stopped answers nobody and keeps its connections. It goes on when this is dropped.
struct Stopped(rustix::process::Pid);

impl Stopped {
    fn new(broker: &Broker) -> Stopped {
        let pid = rustix::process::Pid::from_raw(broker.pid()).expect("a process");
        rustix::process::kill_process(pid, rustix::process::Signal::STOP).expect("stopped");
        Stopped(pid)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = rustix::process::kill_process(self.0, rustix::process::Signal::CONT);
    }
}

#[test]
fn a_broker_that_hangs_is_left_in_time_and_nothing_is_lost() {
    // Its own, so that no other test hangs with it.
    let Some(broker) = broker().map(|_| Broker::start()) else { return };
    let _turn = turn();
    let vars = vec![("OPS_KAFKA_BROKERS", broker.plain())];
    let ops = cloud::init(vars).backend(Kafka::new()).start().expect("recording starts");
    info!("before", n = 0);
    assert!(ops.flush(SOON).complete);
    let stopped = Stopped::new(&broker);
    (1..200u64).for_each(|n| info!("while it hangs", n));
    let report = ops.flush(Duration::from_secs(2));
    assert!(!report.complete, "{report:?}");
    drop(stopped);
    let report = ops.flush(SOON);
    assert!(report.complete, "{report:?}");
    assert_balanced(&ops.stats());
    drop(ops);
    // What was under way when it was left may be there twice; its id tells.
    let mut told = BTreeMap::new();
    for message in broker.messages(&["ops"]) {
        let line: Value = serde_json::from_str(&message.value).expect("JSON");
        if let Some(n) = line["n"].as_u64() {
            assert_eq!(*told.entry(n).or_insert(message.header("id").to_owned()), message.header("id"));
        }
    }
    assert_eq!(told.into_keys().collect::<Vec<_>>(), (0..200).collect::<Vec<_>>());
}
