//! The backend without a broker, and against librdkafka's own mock cluster, which answers as it is told.

use std::time::Duration;

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use super::super::shared::tests::context;
use super::*;
use crate::backend::Verdict;
use crate::chunk::{Batch, Items, chunk};
use crate::clock::Now;
use crate::ledger::Loss;
use crate::limits::PushLimit;
use crate::model::{Audit, Body, Check, CheckStatus, Config, Level, Log, Metric, Points, Record, RecordId};
use crate::model::{Resolution, Signal, Unit};
use crate::net::Net;

const BROKERS: (&str, &str) = ("OPS_KAFKA_BROKERS", "127.0.0.1:9");
const TIME_NS: u64 = 1_795_332_268_000_000_000;

type Cluster = MockCluster<'static, DefaultProducerContext>;

fn body(signal: Signal) -> Body<'static> {
    let fields = || vec![("n".into(), crate::model::Value::I64(-1))];
    match signal {
        Signal::Metric => Body::Metric(Metric {
            name: "orders".into(),
            unit: Unit::Count,
            resolution: Resolution::Standard,
            window_ms: 60_000,
            dimensions: vec![("Region".into(), "eu".into())],
            points: Points::Counter { sum: 7 },
        }),
        Signal::Log => Body::Log(log("a \"quoted\"\nthing \u{1F600}\0")),
        Signal::Audit => Body::Audit(Audit {
            actor: "eve".into(),
            action: "order.cancel".into(),
            resource: "order/7".into(),
            outcome: "denied".into(),
            fields: fields(),
        }),
        Signal::Config => {
            Body::Config(Config { resource_type: "till".into(), resource_id: "7".into(), fields: fields() })
        }
        Signal::Check => Body::Check(Check {
            name: "disk".into(),
            status: CheckStatus::Warning,
            output: "91 %".into(),
            fields: fields(),
        }),
    }
}

fn log(message: &str) -> Log<'_> {
    let (level, target, file) = (Level::Info, "shop".into(), "".into());
    Log { level, target, message: message.into(), file, line: 0, fields: Vec::new() }
}

fn encode(backend: &mut dyn Backend, bodies: Vec<Body<'_>>) -> Items {
    let mut items = Items::new();
    for (seq, body) in bodies.into_iter().enumerate() {
        let id = RecordId { process: 255, seq: seq as u64 + 1 };
        let record = Record { id, time_ns: TIME_NS, body };
        items.begin(id, record.time_ms(), seq as u32);
        backend.encode(&record, &mut items).unwrap();
    }
    items
}

fn open(backend: Kafka, vars: &[(&str, &str)]) -> Box<dyn Backend> {
    Box::new(backend).open(&context(vars)).unwrap()
}

fn logs(backend: &mut dyn Backend, messages: &[&str]) -> Batch {
    let items = encode(backend, messages.iter().map(|message| Body::Log(log(message))).collect());
    let chunked = chunk(&items, &backend.limits().under(PushLimit::Contract), TIME_NS / 1_000_000);
    assert!(chunked.refused.is_empty() && chunked.batches.len() == 1);
    chunked.batches.into_iter().next().unwrap()
}

fn net(budget: Duration) -> Net {
    let now = Now { unix_ns: TIME_NS + 1_000_000_000, mono_ns: 1 };
    let mut net = Net::new(now);
    net.begin(now, budget);
    net
}

#[test]
fn the_items_are_as_the_golden_file_has_them() {
    let mut backend = open(Kafka::new(), &[BROKERS]);
    let items = encode(&mut *backend, Signal::ALL.map(body).into());
    let lines: String =
        items.iter().map(|(_, item)| format!("{}\n", String::from_utf8(item.to_vec()).unwrap())).collect();
    assert_eq!(lines, include_str!("../golden/kafka.txt"));
    assert!(Signal::ALL.iter().all(|signal| backend.accepts(*signal)));
    assert!(backend.another().is_none(), "one push follows the other");
}

#[test]
fn a_long_line_is_split_and_each_part_knows_its_signal() {
    let mut backend = open(Kafka::new(), &[BROKERS]);
    let limits = backend.limits().under(PushLimit::Contract);
    let long = "é\n".repeat(40_000);
    let mut config = body(Signal::Config);
    if let Body::Config(config) = &mut config {
        config.fields.push(("long".into(), crate::model::Value::Str(long.clone().into())));
    }
    let items = encode(&mut *backend, vec![body(Signal::Log), config, body(Signal::Check)]);
    assert!(items.iter().all(|(_, item)| item.len() <= limits.item_bytes_max));
    let tags: String = items.iter().map(|(_, item)| char::from(item[0])).collect();
    assert_eq!(tags, "lccccck");
    let parts = items.iter().skip(1).take(5).map(|(_, item)| &item[1..]);
    let joined = crate::parts::join(parts).unwrap();
    let line: serde_json::Value = serde_json::from_slice(&joined[0].bytes).unwrap();
    assert_eq!((joined.len(), line["long"].as_str()), (1, Some(&*long)));
    // No room for a part: told, and nothing of it stays.
    let mut context = context(&[BROKERS]);
    context.push_limit = PushLimit::Bytes(200);
    let mut tight = Box::new(Kafka::new()).open(&context).unwrap();
    let record = Record { id: RecordId::default(), time_ns: 0, body: body(Signal::Log) };
    let mut items = Items::new();
    assert!(tight.encode(&record, &mut items).unwrap_err().0.contains("do not fit"));
    assert!(items.is_empty());
}

#[test]
fn settings_are_checked_at_open() {
    let files = tempfile::tempdir().unwrap();
    let pem = files.path().join("x.pem");
    std::fs::write(&pem, "x").unwrap();
    let pem = pem.to_str().unwrap();
    let error = |backend: Kafka, vars: &[(&str, &str)]| {
        let vars = [&[BROKERS][..], vars].concat();
        Box::new(backend).open(&context(&vars)).map(|_| ()).unwrap_err().to_string()
    };
    let user = || Kafka::new().user("eve", "hush-hush");
    let table = [
        (Kafka::new().brokers("kafka://h:9092"), &[][..], "OPS_KAFKA_BROKERS"),
        (Kafka::new().brokers("h:9092,,i:9092"), &[], "OPS_KAFKA_BROKERS"),
        (Kafka::new().brokers("h:99999"), &[], "OPS_KAFKA_BROKERS"),
        (Kafka::new().topic("a b"), &[], "OPS_KAFKA_TOPIC"),
        (Kafka::new().topic(".."), &[], "OPS_KAFKA_TOPIC"),
        (Kafka::new(), &[("OPS_KAFKA_KEY", "host")], "OPS_KAFKA_KEY"),
        (Kafka::new().ca("/no/where"), &[], "OPS_KAFKA_CA"),
        (Kafka::new().ca(pem).tls(false), &[], "OPS_KAFKA_TLS"),
        (Kafka::new(), &[("OPS_KAFKA_CERTIFICATE", pem)], "OPS_KAFKA_CERTIFICATE, "),
        (Kafka::new(), &[("OPS_KAFKA_USERNAME", "eve")], "OPS_KAFKA_PASSWORD"),
        (Kafka::new().sasl(KafkaSasl::Plain), &[], "OPS_KAFKA_USERNAME"),
        (user().sasl(KafkaSasl::Plain).tls(false), &[], "OPS_KAFKA_SASL"),
        (user(), &[("OPS_KAFKA_SASL", "GSSAPI")], "OPS_KAFKA_SASL"),
        (Kafka::new(), &[("OPS_KAFKA_COMPRESSION", "gzip")], "OPS_KAFKA_COMPRESSION"),
        (Kafka::new().message_bytes(1), &[], "OPS_KAFKA_MESSAGE_BYTES"),
        (Kafka::new().property("acks", "0"), &[], "OPS_KAFKA_PROPERTIES"),
        (Kafka::new().property("sasl.password", "hush-hush"), &[], "OPS_KAFKA_PROPERTIES"),
        (Kafka::new().property("socket.timeout.ms", "hush-hush"), &[], "OPS_KAFKA_PROPERTIES"),
        (Kafka::new().property("no.such", "hush-hush"), &[], "OPS_KAFKA_PROPERTIES"),
        (Kafka::new(), &[("OPS_KAFKA_PROPERTIES", "hush-hush")], "OPS_KAFKA_PROPERTIES"),
    ];
    for (backend, vars, setting) in table {
        let error = error(backend, vars);
        assert!(error.starts_with(setting) && !error.contains("hush"), "{error}");
    }
    let unset = Box::new(Kafka::new()).open(&context(&[])).map(|_| ()).unwrap_err().to_string();
    assert!(unset.starts_with("OPS_KAFKA_BROKERS / .brokers(..): is not set"), "{unset}");
}

#[test]
fn settings_become_properties() {
    let files = tempfile::tempdir().unwrap();
    let pem = files.path().join("x.pem");
    std::fs::write(&pem, "x").unwrap();
    let pem = pem.to_str().unwrap();
    let of = |kafka: &Kafka, vars: &[(&str, &str)]| {
        let config = super::config::client_config(kafka, &context(&[&[BROKERS][..], vars].concat())).unwrap();
        move |name: &str| config.get(name).map(str::to_owned).unwrap_or_default()
    };
    let plain = of(&Kafka::new(), &[("OPS_KAFKA_PROPERTIES", "client.rack=a; linger.ms = 7;")]);
    let expected = [
        ("security.protocol", "plaintext"),
        ("acks", "all"),
        ("enable.idempotence", "true"),
        ("compression.type", "lz4"),
        ("message.max.bytes", "1000000"),
        ("client.rack", "a"),
        ("linger.ms", "7"),
    ];
    assert_eq!(expected.map(|(name, _)| plain(name)), expected.map(|(_, value)| value.to_owned()));
    let vars = [("OPS_KAFKA_USERNAME", "eve"), ("OPS_KAFKA_PASSWORD", "hush-hush"), ("OPS_KAFKA_CA", pem)];
    let secured = of(&Kafka::new().certificate(pem, pem).certificate_key_password("hush-key"), &vars);
    let expected = [
        ("security.protocol", "sasl_ssl"),
        ("sasl.mechanism", "SCRAM-SHA-512"),
        ("sasl.username", "eve"),
        ("sasl.password", "hush-hush"),
        ("ssl.key.password", "hush-key"),
        ("ssl.ca.location", pem),
        ("ssl.certificate.location", pem),
    ];
    assert_eq!(expected.map(|(name, _)| secured(name)), expected.map(|(_, value)| value.to_owned()));
    let off = Kafka::new().tls(true).compression(KafkaCompression::Off);
    let off = of(&off, &[("OPS_KAFKA_COMPRESSION", "snappy")]);
    assert_eq!((off("security.protocol"), off("compression.type")), ("ssl".into(), "none".into()));
    let shown = format!("{:?}", Kafka::new().user("eve", "hush-a").property("x", "hush-b"));
    assert!(shown.contains("eve") && !shown.contains("hush"), "{shown}");
}

fn cluster() -> (Cluster, String) {
    let cluster = MockCluster::new(1).expect("a cluster");
    let brokers = cluster.bootstrap_servers();
    (cluster, brokers)
}

const BUDGET: Duration = Duration::from_secs(60);

#[test]
fn each_answer_of_a_broker_has_its_verdict() {
    use RDKafkaRespErr::*;
    let (cluster, brokers) = cluster();
    cluster.create_topic("ops", 1, 1).unwrap();
    let mut backend = open(Kafka::new().brokers(brokers), &[]);
    let two = logs(&mut *backend, &["a", "b"]);
    let one = logs(&mut *backend, &["a"]);
    let mut send = |batch: &Batch, errors: &[RDKafkaRespErr]| {
        cluster.clear_request_errors(RDKafkaApiKey::Produce);
        cluster.request_errors(RDKafkaApiKey::Produce, errors);
        backend.send(batch, &mut net(BUDGET))
    };
    assert_eq!(send(&two, &[]), Verdict::Delivered);
    // What passes is tried again within the push.
    assert_eq!(send(&two, &[RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION]), Verdict::Delivered);
    assert_eq!(send(&two, &[RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS]), Verdict::Delivered);
    assert_eq!(send(&two, &[RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE]), Verdict::Halve);
    let refused = send(&one, &[RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE]);
    assert!(matches!(&refused, Verdict::Partial { refused, .. } if refused[0].1.loss == Loss::Oversize));
    let denied = send(&two, &[RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED]);
    assert!(matches!(denied, Verdict::Retry { after: Some(_), .. }), "{denied:?}");
    let invalid = send(&one, &[RD_KAFKA_RESP_ERR_INVALID_RECORD]);
    let is_refused =
        matches!(&invalid, Verdict::Partial { refused, .. } if refused[0].1.loss == Loss::Refused);
    assert!(is_refused, "{invalid:?}");
    assert_eq!(send(&two, &[]), Verdict::Delivered);
}

#[test]
fn a_push_ends_in_time_leaves_nothing_behind_and_the_next_goes() {
    let (cluster, brokers) = cluster();
    cluster.create_topic("ops", 1, 1).unwrap();
    let mut backend = open(Kafka::new().brokers(brokers), &[]);
    let batch = logs(&mut *backend, &["a", "b"]);
    cluster.broker_round_trip_time(1, Duration::from_secs(3)).unwrap();
    let slow = backend.send(&batch, &mut net(Duration::from_millis(200)));
    assert!(matches!(&slow, Verdict::Retry { after: None, .. }), "{slow:?}");
    cluster.broker_round_trip_time(1, Duration::ZERO).unwrap();
    assert_eq!(backend.send(&batch, &mut net(BUDGET)), Verdict::Delivered);
    cluster.broker_down(1).unwrap();
    let down = backend.send(&batch, &mut net(Duration::from_millis(500)));
    assert!(matches!(&down, Verdict::Retry { after: None, .. }), "{down:?}");
    cluster.broker_up(1).unwrap();
    assert_eq!(backend.send(&batch, &mut net(BUDGET)), Verdict::Delivered);
    let none = backend.send(&batch, &mut net(Duration::ZERO));
    assert!(matches!(none, Verdict::Retry { .. }), "{none:?}");
}

#[test]
fn nobody_there_is_told_before_the_push_is_over() {
    let mut backend = open(Kafka::new(), &[BROKERS]);
    let batch = logs(&mut *backend, &["a"]);
    let Verdict::Retry { after: None, why } = backend.send(&batch, &mut net(BUDGET)) else { panic!() };
    assert!(why.contains("127.0.0.1:9") && why.contains("refused"), "{why}");
}

/// librdkafka holds a message to `message.max.bytes` before it is sent, so the limits have to be no more than that.
#[test]
fn the_largest_item_is_a_message_that_librdkafka_takes_and_a_byte_more_is_none() {
    let (cluster, brokers) = cluster();
    cluster.create_topic("ops", 1, 1).unwrap();
    let mut backend = open(Kafka::new().brokers(brokers).message_bytes(4_096), &[]);
    let bytes_max = backend.limits().item_bytes_max;
    let item = |bytes: usize| {
        let mut items = Items::new();
        let id = RecordId { process: u64::MAX, seq: u64::MAX };
        items.begin(id, TIME_NS / 1_000_000, 0);
        items
            .push(|out| {
                out.push(b'm');
                out.resize(out.len() + bytes - 1, b' ');
                Ok::<(), ()>(())
            })
            .unwrap();
        items.into_batch()
    };
    assert_eq!(backend.send(&item(bytes_max), &mut net(BUDGET)), Verdict::Delivered);
    let over = backend.send(&item(bytes_max + 1), &mut net(BUDGET));
    assert!(
        matches!(&over, Verdict::Partial { refused, .. } if refused[0].1.loss == Loss::Oversize),
        "{over:?}"
    );
}
