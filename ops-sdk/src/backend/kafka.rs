//! Kafka: each record becomes one message, a JSON line with a key and headers, through librdkafka's idempotent producer.
//!
//! Promises: a push ends with an answer for each message, or with nothing of it left in librdkafka: what is not known to
//! be there is taken back from it and sent again. Within a push librdkafka tries again by itself, without duplicates
//! and in order; a message whose answer did not come within the push may be there twice, and the header `id` tells.
//!
//! librdkafka has threads of its own, one for itself and one for each broker, from the first push on. They are the
//! exception to the rule that only `flush` and `ship` spawn; they hold no data between pushes.

mod config;
mod judge;
mod open;
mod producer;

use self::open::Open;
use super::shared::{PartitionKey, Secret};
use super::{Backend, Configure, Context};
use crate::error::Error;

/// How a client says who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KafkaSasl {
    /// The password as it is: over TLS only.
    Plain,
    /// SCRAM with SHA-256: the password is proven and not sent.
    ScramSha256,
    /// SCRAM with SHA-512.
    ScramSha512,
}

/// How a batch of messages is compressed. The two that librdkafka brings itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KafkaCompression {
    /// Not at all.
    Off,
    /// LZ4.
    #[default]
    Lz4,
    /// Snappy.
    Snappy,
}

/// Settings of the backend `kafka`. What is not set here comes from the environment, see each method.
#[derive(Debug, Clone, Default)]
pub struct Kafka {
    brokers: Option<String>,
    topic: Option<String>,
    key: Option<PartitionKey>,
    tls: Option<bool>,
    ca: Option<String>,
    certificate: Option<String>,
    certificate_key: Option<String>,
    certificate_key_password: Option<Secret>,
    sasl: Option<KafkaSasl>,
    username: Option<String>,
    password: Option<Secret>,
    compression: Option<KafkaCompression>,
    message_bytes: Option<usize>,
    properties: Vec<(String, Secret)>,
}

impl Kafka {
    /// Everything from the environment, or by default.
    #[must_use]
    pub fn new() -> Kafka {
        Kafka::default()
    }

    /// Some of the brokers, as `host:port` with commas between them; else `OPS_KAFKA_BROKERS`.
    #[must_use]
    pub fn brokers(mut self, brokers: impl Into<String>) -> Kafka {
        self.brokers = Some(brokers.into());
        self
    }

    /// The topic; `{signal}` in it becomes `metric`, `log`, `audit`, `config` or `check`. Else `OPS_KAFKA_TOPIC`, or
    /// `ops`.
    #[must_use]
    pub fn topic(mut self, topic: impl Into<String>) -> Kafka {
        self.topic = Some(topic.into());
        self
    }

    /// The messages' key, which decides the partition; else `OPS_KAFKA_KEY` (`process`, `record` or `text:…`), or the
    /// process.
    #[must_use]
    pub fn key(mut self, key: PartitionKey) -> Kafka {
        self.key = Some(key);
        self
    }

    /// Whether connections are encrypted; else `OPS_KAFKA_TLS`, or yes if there is a user's name or a certificate.
    #[must_use]
    pub fn tls(mut self, tls: bool) -> Kafka {
        self.tls = Some(tls);
        self
    }

    /// A file of the authorities' certificates (PEM) that brokers are trusted by; else `OPS_KAFKA_CA`, or the system's.
    #[must_use]
    pub fn ca(mut self, path: impl Into<String>) -> Kafka {
        self.ca = Some(path.into());
        self
    }

    /// The client's certificate and its key, files (PEM); else `OPS_KAFKA_CERTIFICATE` and `OPS_KAFKA_CERTIFICATE_KEY`.
    #[must_use]
    pub fn certificate(mut self, path: impl Into<String>, key_path: impl Into<String>) -> Kafka {
        self.certificate = Some(path.into());
        self.certificate_key = Some(key_path.into());
        self
    }

    /// The password of the certificate's key; else `OPS_KAFKA_CERTIFICATE_KEY_PASSWORD`.
    #[must_use]
    pub fn certificate_key_password(mut self, password: impl Into<String>) -> Kafka {
        self.certificate_key_password = Some(Secret::new(password));
        self
    }

    /// The SASL mechanism; else `OPS_KAFKA_SASL` (`PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`), or SCRAM-SHA-512 if
    /// there is a user's name.
    #[must_use]
    pub fn sasl(mut self, mechanism: KafkaSasl) -> Kafka {
        self.sasl = Some(mechanism);
        self
    }

    /// The user's name and password; else `OPS_KAFKA_USERNAME` and `OPS_KAFKA_PASSWORD`.
    #[must_use]
    pub fn user(mut self, name: impl Into<String>, password: impl Into<String>) -> Kafka {
        self.username = Some(name.into());
        self.password = Some(Secret::new(password));
        self
    }

    /// How batches are compressed; else `OPS_KAFKA_COMPRESSION` (`off`, `lz4` or `snappy`), or LZ4.
    #[must_use]
    pub fn compression(mut self, compression: KafkaCompression) -> Kafka {
        self.compression = Some(compression);
        self
    }

    /// Bytes of a message, its key, headers and framing included, 4,096 to 10,485,760; else `OPS_KAFKA_MESSAGE_BYTES`,
    /// or 1,000,000. More than that needs a topic whose `max.message.bytes` is more than its default of 1,048,588.
    #[must_use]
    pub fn message_bytes(mut self, bytes: usize) -> Kafka {
        self.message_bytes = Some(bytes);
        self
    }

    /// A property of librdkafka that has no setting of its own here; else those of `OPS_KAFKA_PROPERTIES`, as
    /// `name=value` with semicolons between them. Those that the backend's promises rest on cannot be set.
    #[must_use]
    pub fn property(mut self, name: impl Into<String>, value: impl Into<String>) -> Kafka {
        self.properties.push((name.into(), Secret::new(value)));
        self
    }
}

impl Configure for Kafka {
    fn open(self: Box<Self>, context: &Context) -> Result<Box<dyn Backend>, Error> {
        Ok(Box::new(Open::new(&self, context)?))
    }

    fn again(&self) -> Option<Box<dyn Configure>> {
        Some(Box::new(self.clone()))
    }
}

#[cfg(test)]
mod tests;
