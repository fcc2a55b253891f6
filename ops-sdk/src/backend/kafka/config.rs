//! From settings to librdkafka's properties. Errors name the setting and never hold a value that may be secret.

use std::fs::File;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;

use super::{Kafka, KafkaCompression, KafkaSasl};
use crate::backend::Context;
use crate::backend::shared::{Secret, setting, whole, yes_or_no};
use crate::error::Error;
use crate::model::Signal;
use crate::net::PUSH_TIMEOUT;

const BROKERS: &str = "OPS_KAFKA_BROKERS";
const TOPIC: &str = "OPS_KAFKA_TOPIC";
const PROPERTIES: &str = "OPS_KAFKA_PROPERTIES";
/// Characters of a topic's name (`Topic.MAX_NAME_LENGTH`, `org.apache.kafka.common.internals.Topic` 4.1.1).
const TOPIC_CHARS_MAX: usize = 249;
/// `message.max.bytes` (`CONFIGURATION.md` of librdkafka 2.12.1).
const MESSAGE_BYTES_DEFAULT: usize = 1_000_000;
/// Ours: what a push may have to hold in memory.
const MESSAGE_BYTES_MAX: usize = 10_485_760;
const MESSAGE_BYTES_MIN: usize = 4_096;
/// How long a topic that nobody knows is asked for before its messages fail.
const UNKNOWN_TOPIC_MS: u32 = 5_000;

/// Properties that have settings of their own, or that a promise rests on: acknowledged by all, once, in order, and
/// nothing kept past a push.
const KEPT: [&str; 29] = [
    "bootstrap.servers",
    "metadata.broker.list",
    "client.id",
    "security.protocol",
    "ssl.ca.location",
    "ssl.certificate.location",
    "ssl.key.location",
    "ssl.key.password",
    "sasl.mechanism",
    "sasl.mechanisms",
    "sasl.username",
    "sasl.password",
    "compression.codec",
    "compression.type",
    "message.max.bytes",
    "batch.size",
    "acks",
    "request.required.acks",
    "enable.idempotence",
    "enable.gapless.guarantee",
    "max.in.flight",
    "max.in.flight.requests.per.connection",
    "retries",
    "message.send.max.retries",
    "message.timeout.ms",
    "delivery.timeout.ms",
    "delivery.report.only.error",
    "transactional.id",
    "topic.metadata.propagation.max.ms",
];

/// The settings as librdkafka takes them, checked without a connection.
///
/// # Errors
///
/// If a setting is missing or means nothing.
pub(super) fn client_config(told: &Kafka, context: &Context) -> Result<ClientConfig, Error> {
    let mut config = ClientConfig::new();
    config.set_log_level(RDKafkaLogLevel::Error);
    let Some(brokers) = setting(told.brokers.as_deref(), BROKERS, context) else {
        let remedy = "name some of the brokers, as in kafka-1:9092,kafka-2:9092";
        return Err(Error::setting(format!("{BROKERS} / .brokers(..)"), "is not set", remedy));
    };
    for (name, value) in properties(told, context)? {
        set(&mut config, &name, value.reveal(), PROPERTIES)?;
    }
    config.set("client.id", "ops-sdk");
    set(&mut config, "bootstrap.servers", &self::brokers(&brokers)?, BROKERS)?;
    security(&mut config, told, context)?;
    let bytes = message_bytes(told, context)?.to_string();
    let (timeout, unknown) = (PUSH_TIMEOUT.as_millis().to_string(), UNKNOWN_TOPIC_MS.to_string());
    let own = [
        ("acks", "all"),
        ("enable.idempotence", "true"),
        ("message.max.bytes", &bytes),
        ("message.timeout.ms", &timeout),
        ("topic.metadata.propagation.max.ms", &unknown),
        ("compression.type", compression(told, context)?),
    ];
    for (name, value) in own {
        set(&mut config, name, value, name)?;
    }
    if !config.config_map().contains_key("linger.ms") {
        // A push comes at once and nothing follows it: there is little to wait for.
        set(&mut config, "linger.ms", "1", PROPERTIES)?;
    }
    Ok(config)
}

/// Bytes of a message with everything.
pub(super) fn message_bytes(told: &Kafka, context: &Context) -> Result<usize, Error> {
    let bounds = MESSAGE_BYTES_MIN..=MESSAGE_BYTES_MAX;
    whole(told.message_bytes, "OPS_KAFKA_MESSAGE_BYTES", bounds, MESSAGE_BYTES_DEFAULT, context)
}

/// The topic of each signal, in the order of its number.
pub(super) fn topics(told: &Kafka, context: &Context) -> Result<[String; Signal::COUNT], Error> {
    let pattern = setting(told.topic.as_deref(), TOPIC, context).unwrap_or_else(|| "ops".to_owned());
    let topics = Signal::ALL.map(|signal| pattern.replace("{signal}", signal.name()));
    match topics.iter().find(|topic| !is_topic(topic)) {
        None => Ok(topics),
        Some(bad) => {
            let problem = format!("\"{}\" is no name of a topic", bad.escape_debug());
            let remedy = "use 1 to 249 of the characters A-Z a-z 0-9 . _ - and perhaps {signal}";
            Err(Error::setting(format!("{TOPIC} / .topic(..)"), problem, remedy))
        }
    }
}

fn is_topic(topic: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    (1..=TOPIC_CHARS_MAX).contains(&topic.len())
        && topic.chars().all(allowed)
        && topic != "."
        && topic != ".."
}

/// Brokers, each a host, perhaps with a port. librdkafka takes others in silence and finds nobody there.
fn brokers(text: &str) -> Result<String, Error> {
    let brokers: Vec<&str> = text.split(',').map(str::trim).collect();
    let is_one = |broker: &&str| {
        let (host, port) = match broker.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (*broker, None),
        };
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-._[]:".contains(c);
        !host.is_empty() && host.chars().all(allowed) && port.is_none_or(|port| port.parse::<u16>().is_ok())
    };
    match brokers.iter().find(|broker| !is_one(broker)) {
        None => Ok(brokers.join(",")),
        Some(bad) => {
            let problem = format!("\"{}\" is no broker", bad.escape_debug());
            let remedy = "write host:port with commas between them, without a scheme";
            Err(Error::setting(format!("{BROKERS} / .brokers(..)"), problem, remedy))
        }
    }
}

/// TLS and SASL.
fn security(config: &mut ClientConfig, told: &Kafka, context: &Context) -> Result<(), Error> {
    let username = setting(told.username.as_deref(), "OPS_KAFKA_USERNAME", context);
    let password = Secret::find(told.password.as_ref(), "OPS_KAFKA_PASSWORD", context);
    let mechanism = mechanism(told, context)?;
    let files = files(told, context)?;
    let has_user = username.is_some();
    let tls = yes_or_no(told.tls, "OPS_KAFKA_TLS", has_user || !files.is_empty(), context)?;
    if !tls && !files.is_empty() {
        let problem = "there are certificates, and TLS is off";
        return Err(Error::setting("OPS_KAFKA_TLS / .tls(..)", problem, "turn it on, or take them away"));
    }
    for (property, variable, path) in &files {
        set(config, property, path, variable)?;
    }
    let key_password = "OPS_KAFKA_CERTIFICATE_KEY_PASSWORD";
    if let Some(secret) = Secret::find(told.certificate_key_password.as_ref(), key_password, context) {
        set(config, "ssl.key.password", secret.reveal(), key_password)?;
    }
    if let Some(username) = &username {
        let Some(password) = password else {
            let (setting, remedy) = ("OPS_KAFKA_PASSWORD / .user(..)", "set the password of the user");
            return Err(Error::setting(setting, "is not set, and there is a user", remedy));
        };
        if mechanism == Some(KafkaSasl::Plain) && !tls {
            let problem = "PLAIN sends the password as it is, and TLS is off";
            return Err(Error::setting("OPS_KAFKA_SASL / .sasl(..)", problem, "use SCRAM-SHA-512, or TLS"));
        }
        set(config, "sasl.mechanism", name(mechanism.unwrap_or(KafkaSasl::ScramSha512)), "OPS_KAFKA_SASL")?;
        set(config, "sasl.username", username, "OPS_KAFKA_USERNAME")?;
        set(config, "sasl.password", password.reveal(), "OPS_KAFKA_PASSWORD")?;
    } else if mechanism.is_some() {
        let remedy = "set the user's name and password, or no mechanism";
        return Err(Error::setting("OPS_KAFKA_USERNAME / .user(..)", "is not set", remedy));
    }
    let protocol = match (tls, has_user) {
        (true, true) => "sasl_ssl",
        (true, false) => "ssl",
        (false, true) => "sasl_plaintext",
        (false, false) => "plaintext",
    };
    set(config, "security.protocol", protocol, "OPS_KAFKA_TLS")
}

/// The files of certificates and keys: property, variable, path. Each has to be there to be read.
fn files(told: &Kafka, context: &Context) -> Result<Vec<(&'static str, &'static str, String)>, Error> {
    let all = [
        ("ssl.ca.location", "OPS_KAFKA_CA", &told.ca),
        ("ssl.certificate.location", "OPS_KAFKA_CERTIFICATE", &told.certificate),
        ("ssl.key.location", "OPS_KAFKA_CERTIFICATE_KEY", &told.certificate_key),
    ];
    let mut files = Vec::new();
    for (property, variable, told) in all {
        let Some(path) = setting(told.as_deref(), variable, context) else { continue };
        if let Err(error) = File::open(&path) {
            let problem = format!("\"{}\" cannot be read: {error}", path.escape_debug());
            return Err(Error::setting(variable, problem, "name a file of PEM that this process may read"));
        }
        files.push((property, variable, path));
    }
    let has = |wanted: &str| files.iter().any(|(property, ..)| *property == wanted);
    if has("ssl.certificate.location") != has("ssl.key.location") {
        let setting = "OPS_KAFKA_CERTIFICATE, OPS_KAFKA_CERTIFICATE_KEY / .certificate(..)";
        return Err(Error::setting(setting, "one is set without the other", "set both"));
    }
    Ok(files)
}

fn mechanism(told: &Kafka, context: &Context) -> Result<Option<KafkaSasl>, Error> {
    let text = setting(told.sasl.map(name), "OPS_KAFKA_SASL", context);
    let all = [KafkaSasl::Plain, KafkaSasl::ScramSha256, KafkaSasl::ScramSha512];
    let Some(text) = text else { return Ok(None) };
    let found = all.into_iter().find(|mechanism| name(*mechanism).eq_ignore_ascii_case(&text));
    found.map(Some).ok_or_else(|| {
        let problem = format!("\"{}\" is no mechanism here", text.escape_debug());
        Error::setting("OPS_KAFKA_SASL", problem, "use PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512")
    })
}

fn name(mechanism: KafkaSasl) -> &'static str {
    match mechanism {
        KafkaSasl::Plain => "PLAIN",
        KafkaSasl::ScramSha256 => "SCRAM-SHA-256",
        KafkaSasl::ScramSha512 => "SCRAM-SHA-512",
    }
}

/// librdkafka's word for it.
fn compression(told: &Kafka, context: &Context) -> Result<&'static str, Error> {
    let variable = "OPS_KAFKA_COMPRESSION";
    let text = told.compression.is_none().then(|| setting(None, variable, context)).flatten();
    match (told.compression.unwrap_or_default(), text.as_deref()) {
        (_, Some("off")) | (KafkaCompression::Off, None) => Ok("none"),
        (_, Some("lz4")) | (KafkaCompression::Lz4, None) => Ok("lz4"),
        (_, Some("snappy")) | (KafkaCompression::Snappy, None) => Ok("snappy"),
        (_, Some(other)) => {
            let problem = format!("\"{}\" is no compression here", other.escape_debug());
            Err(Error::setting(variable, problem, "use off, lz4 or snappy"))
        }
    }
}

/// What the program said and what the environment says, the program's last so that it wins.
fn properties(told: &Kafka, context: &Context) -> Result<Vec<(String, Secret)>, Error> {
    let mut properties = Vec::new();
    let text = setting(None, PROPERTIES, context).unwrap_or_default();
    for pair in text.split(';').map(str::trim).filter(|pair| !pair.is_empty()) {
        let Some((name, value)) = pair.split_once('=') else {
            // It may be a value that held a semicolon, and secret: it is not shown.
            let remedy = "write name=value with semicolons between them";
            return Err(Error::setting(PROPERTIES, "one of them has no value", remedy));
        };
        properties.push((name.trim().to_owned(), Secret::new(value.trim())));
    }
    properties.extend(told.properties.iter().cloned());
    match properties.iter().find(|(name, _)| KEPT.contains(&name.as_str())) {
        None => Ok(properties),
        Some((name, _)) => {
            let problem = format!("{name} has a setting of its own, or a promise rests on it");
            Err(Error::setting(format!("{PROPERTIES} / .property(..)"), problem, "leave it out"))
        }
    }
}

/// Sets a property and has librdkafka check it.
fn set(config: &mut ClientConfig, name: &str, value: &str, variable: &str) -> Result<(), Error> {
    let mut alone = ClientConfig::new();
    alone.set(name, value);
    if let Err(error) = alone.create_native_config() {
        let known = !matches!(&error, KafkaError::ClientConfig(_, text, ..) if text.contains("No such"));
        // librdkafka's own words hold the value.
        let problem =
            if known { "has a value that librdkafka does not take" } else { "is unknown to librdkafka" };
        let remedy = "see CONFIGURATION.md of librdkafka 2.12 for what there is";
        return Err(Error::setting(variable, format!("the property {name} {problem}"), remedy));
    }
    config.set(name, value);
    Ok(())
}
