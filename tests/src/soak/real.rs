//! Real counterparts, as `tests/rig/start` and the soak start them. What cannot be had here is said with the reason.

use std::any::Any;
use std::path::Path;

use crate::cloud;
use crate::rig::{Broker, Ca, Moto, OpenSearch, Rabbit, Receiver, Rsyslog, S3S_KEYS, S3s, Statsd};

/// A counterpart, and the variables that lead a backend there.
pub struct Real {
    /// The backend's name.
    pub name: &'static str,
    /// What it is.
    pub what: &'static str,
    /// The variables.
    pub vars: Vec<(&'static str, String)>,
    /// Lives as long as it is needed.
    pub kept: Vec<Box<dyn Any>>,
}

/// What is started, and how.
type Start = fn(&Path) -> Real;

/// Every real counterpart: the backend, what says that it cannot be had, and how it starts.
const ALL: [(&str, &str, Start); 8] = [
    ("cloudwatch", "", moto),
    ("s3", "", s3s),
    ("elasticsearch", "OPS_WITHOUT_MAVEN", opensearch),
    ("kafka", "OPS_WITHOUT_KAFKA", kafka),
    ("sensu", "OPS_WITHOUT_RABBITMQ", rabbit),
    ("syslog", "OPS_WITHOUT_RSYSLOG", rsyslog),
    ("dogstatsd", "OPS_WITHOUT_NPM", statsd),
    ("webhook", "", webhook),
];

/// The backends that have a real counterpart.
pub fn names() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|(name, _, _)| *name)
}

/// Starts the counterpart of a backend, which may keep things in a directory.
///
/// # Errors
///
/// If this machine was found to lack what it takes, with the variable that says so.
///
/// # Panics
///
/// If it does not start.
pub fn real(name: &str, dir: &Path) -> Option<Result<Real, &'static str>> {
    let (_, without, start) = ALL.iter().find(|(own, _, _)| *own == name)?;
    let lacks = !without.is_empty() && std::env::var_os(without).is_some();
    Some(if lacks { Err(without) } else { Ok(start(dir)) })
}

fn moto(_: &Path) -> Real {
    let moto = Moto::start();
    let mut vars = cloud::keys();
    vars.push(("AWS_ENDPOINT_URL", moto.url()));
    Real { name: "cloudwatch", what: "moto", vars, kept: vec![Box::new(moto)] }
}

fn s3s(dir: &Path) -> Real {
    let store = S3s::start(&dir.join("s3"), "ops");
    let vars = vec![
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_ENDPOINT_URL_S3", store.url()),
        ("AWS_ACCESS_KEY_ID", S3S_KEYS.0.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", S3S_KEYS.1.to_owned()),
        ("OPS_S3_BUCKET", "ops".to_owned()),
        ("OPS_S3_PATH_STYLE", "1".to_owned()),
    ];
    Real { name: "s3", what: "s3s-fs", vars, kept: vec![Box::new(store)] }
}

fn opensearch(_: &Path) -> Real {
    let node = OpenSearch::start();
    let vars = vec![("OPS_ELASTICSEARCH_URL", node.url())];
    Real { name: "elasticsearch", what: "an OpenSearch node", vars, kept: vec![Box::new(node)] }
}

fn kafka(_: &Path) -> Real {
    let broker = Broker::start();
    let vars = vec![("OPS_KAFKA_BROKERS", broker.plain())];
    Real { name: "kafka", what: "a Kafka broker", vars, kept: vec![Box::new(broker)] }
}

fn rabbit(_: &Path) -> Real {
    let ca = Ca::new();
    let rabbit = Rabbit::start(&ca);
    rabbit.pika(&["bind"]); // queues as the Sensu server has them
    let vars = vec![
        ("OPS_SENSU_API", "classic".to_owned()),
        ("OPS_SENSU_URL", format!("amqps://127.0.0.1:{}", rabbit.port)),
        ("OPS_SENSU_TLS_CA", file(&ca, "ca.pem")),
        ("OPS_SENSU_TLS_CERT", file(&ca, "client.test.pem")),
        ("OPS_SENSU_TLS_KEY", file(&ca, "client.test.key")),
        ("OPS_SENSU_TLS_NAME", "broker.test".to_owned()),
    ];
    Real { name: "sensu", what: "RabbitMQ over TLS", vars, kept: vec![Box::new(rabbit), Box::new(ca)] }
}

fn rsyslog(_: &Path) -> Real {
    let ca = Ca::new();
    let collector = Rsyslog::start(&ca);
    let vars = vec![("OPS_SYSLOG_ADDRESS", format!("tcp://127.0.0.1:{}", collector.tcp))];
    Real { name: "syslog", what: "rsyslog", vars, kept: vec![Box::new(collector), Box::new(ca)] }
}

fn statsd(_: &Path) -> Real {
    let server = Statsd::start();
    let vars = vec![
        ("OPS_DOGSTATSD_ADDRESS", format!("udp://127.0.0.1:{}", server.port())),
        ("OPS_DOGSTATSD_PLAIN", "1".to_owned()),
    ];
    Real { name: "dogstatsd", what: "StatsD's own server", vars, kept: vec![Box::new(server)] }
}

fn webhook(_: &Path) -> Real {
    let receiver = Receiver::start("hush-hush");
    let vars = vec![
        ("OPS_WEBHOOK_URL", receiver.url()),
        ("OPS_WEBHOOK_SECRET", "hush-hush".to_owned()),
        ("OPS_WEBHOOK_ERRORS", "1".to_owned()),
    ];
    Real { name: "webhook", what: "a receiver that checks signatures", vars, kept: vec![Box::new(receiver)] }
}

fn file(ca: &Ca, name: &str) -> String {
    ca.path(name).display().to_string()
}
