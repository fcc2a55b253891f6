//! The seam: what a backend is, and the doors of those that are built in.
//!
//! A backend is one file behind this trait. It turns records into bytes and one batch into one push, and judges the
//! answer. It knows nothing of other backends, the journal, threads or the environment.

#[cfg(any(
    feature = "cloudwatch",
    feature = "cloudwatch-logs",
    feature = "emf",
    feature = "firehose",
    feature = "kinesis"
))]
mod aws;
#[cfg(feature = "cloudsearch")]
mod cloudsearch;
#[cfg(feature = "cloudwatch")]
mod cloudwatch;
#[cfg(feature = "cloudwatch-logs")]
mod cloudwatch_logs;
#[cfg(feature = "datadog")]
mod datadog;
#[cfg(feature = "dogstatsd")]
mod dogstatsd;
#[cfg(feature = "elasticsearch")]
mod elasticsearch;
#[cfg(feature = "emf")]
mod emf;
#[cfg(feature = "file")]
mod file;
#[cfg(feature = "firehose")]
mod firehose;
#[cfg(feature = "kafka")]
mod kafka;
#[cfg(feature = "kinesis")]
mod kinesis;
#[cfg(feature = "mackerel")]
mod mackerel;
#[cfg(feature = "otlp")]
mod otlp;
#[cfg(feature = "prometheus")]
mod prometheus;
#[cfg(feature = "s3")]
mod s3;
#[cfg(feature = "sensu")]
mod sensu;
#[allow(dead_code, unused_imports)] // which of it is used depends on the backends that are compiled in
mod shared;
#[cfg(feature = "splunk")]
mod splunk;
#[cfg(feature = "syslog")]
mod syslog;
#[cfg(feature = "webhook")]
mod webhook;

#[cfg(feature = "cloudsearch")]
pub use self::cloudsearch::CloudSearch;
#[cfg(feature = "cloudwatch")]
pub use self::cloudwatch::CloudWatch;
#[cfg(feature = "cloudwatch-logs")]
pub use self::cloudwatch_logs::{CloudWatchLogs, Ingest, LogClass};
#[cfg(feature = "datadog")]
pub use self::datadog::Datadog;
#[cfg(feature = "dogstatsd")]
pub use self::dogstatsd::{Dogstatsd, StatsdHistograms};
#[cfg(feature = "elasticsearch")]
pub use self::elasticsearch::Elasticsearch;
#[cfg(feature = "emf")]
pub use self::emf::{Emf, EmfTarget};
#[cfg(feature = "file")]
pub use self::file::{File, Rotate};
#[cfg(feature = "firehose")]
pub use self::firehose::Firehose;
#[cfg(feature = "kafka")]
pub use self::kafka::{Kafka, KafkaCompression, KafkaSasl};
#[cfg(feature = "kinesis")]
pub use self::kinesis::{Kinesis, KinesisPacking};
#[cfg(feature = "mackerel")]
pub use self::mackerel::{Annotation, Downtime, Mackerel, MackerelError};
#[cfg(feature = "otlp")]
pub use self::otlp::Otlp;
#[cfg(feature = "prometheus")]
pub use self::prometheus::Prometheus;
#[cfg(feature = "s3")]
pub use self::s3::S3;
#[cfg(feature = "sensu")]
pub use self::sensu::{Sensu, SensuApi};
#[cfg(any(feature = "s3", feature = "file"))]
pub use self::shared::Compression;
#[cfg(any(feature = "kafka", feature = "kinesis"))]
pub use self::shared::PartitionKey;
#[cfg(feature = "splunk")]
pub use self::splunk::Splunk;
#[cfg(feature = "syslog")]
pub use self::syslog::{Syslog, SyslogFraming};
#[cfg(feature = "webhook")]
pub use self::webhook::{Webhook, WebhookTemplate};
#[cfg(feature = "local")]
pub mod local;

use std::time::Duration;

use crate::chunk::{Batch, Items};
use crate::error::Error;
use crate::ledger::{Book, Loss};
use crate::limits::Limits;
use crate::model::{Record, Signal};
use crate::net::{Net, Trust};

/// A place that records are shipped to.
pub trait Backend: Send + 'static {
    /// Its name in the ledger, the cursor's file and metrics: the feature's name unless the user gave another.
    fn id(&self) -> &str;

    /// What one push may hold today, before the user's choice of push limit.
    fn limits(&self) -> Limits;

    /// Whether records of this kind are its business.
    fn accepts(&self, signal: Signal) -> bool;

    /// Why a record of a kind that it accepts is not for it, as its routes say; it is then counted as withheld.
    fn declines(&self, _record: &Record<'_>) -> Option<Loss> {
        None
    }

    /// Writes a record as one or more items. Pure: the same record gives the same bytes.
    ///
    /// # Errors
    ///
    /// If the record cannot be expressed here; it is then dead-lettered with the reason.
    fn encode(&mut self, record: &Record<'_>, out: &mut Items) -> Result<(), EncodeError>;

    /// Pushes one batch and judges the answer. May block as long as `net` lets it.
    fn send(&mut self, batch: &Batch, net: &mut Net) -> Verdict;

    /// Whom its HTTPS trusts, and which certificate it shows there: what the settings of the process and of the backend
    /// say (`OPS_HTTPS_CA`), so no backend gives this itself.
    fn trust(&self) -> Trust {
        Trust::default()
    }

    /// When its pushes go, besides what the server's answers say.
    fn pacing(&self) -> Pacing {
        Pacing::default()
    }

    /// A second one of the same settings, for pushes beside this one's; `None`, as by default, where one push has to
    /// follow the other. Only its [`Backend::send`] is called. Pushes side by side may arrive in any order.
    fn another(&self) -> Option<Box<dyn Backend>> {
        None
    }

    /// How often [`Backend::tick`] is to be called, whether there are records or not; `None`, as by default, for never.
    fn tick_every(&self) -> Option<Duration> {
        None
    }

    /// Does what is due by the clock alone, such as saying that this process is alive. Between pushes, so that one that
    /// takes long makes it late.
    ///
    /// # Errors
    ///
    /// Why it could not be done, for the operator; it is tried again when it is due again.
    fn tick(&mut self, _net: &mut Net) -> Result<(), String> {
        Ok(())
    }

    /// Takes note of the books, after the last batch of a run. Most backends have no use for them.
    fn books(&mut self, _books: &[Book]) {}
}

/// When pushes go where a service, or a file, asks for fewer and fuller ones. Nothing by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pacing {
    /// How long a record waits for others to share its push, where that is longer than `.linger(..)`; a push that is
    /// full by its number of items goes at once, and so does everything when a flush is asked for.
    pub linger: Duration,
    /// The least time between the beginnings of two pushes, also when a flush is asked for; there are none side by side
    /// then. What has not gone by the end stays in the journal.
    pub every: Duration,
}

/// A record that a backend cannot express.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct EncodeError(pub String);

/// What the server's answer means for the batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It has all of it.
    Delivered,
    /// It has all but these, by their index in the batch.
    Partial {
        /// Worth another try.
        failed: Vec<usize>,
        /// Never to be sent again, each with the reason.
        refused: Vec<(usize, Refusal)>,
    },
    /// It has nothing of it, and may have it later: after this long if the server said so.
    Retry {
        /// The server's own delay; `None` leaves it to the backoff.
        after: Option<Duration>,
        /// Why, for the operator.
        why: String,
    },
    /// It has nothing of it and will have it later, and asks to be sent less: the service is there, and says how fast.
    Throttle {
        /// The server's own delay; `None` leaves it to the backoff.
        after: Option<Duration>,
        /// Why, for the operator.
        why: String,
    },
    /// The push is too large: send it in two halves.
    Halve,
    /// The credentials were refused: refresh them, then try again. Never a reason to lose data.
    Reauthenticate {
        /// Why, for the operator.
        why: String,
    },
    /// It will never take this batch.
    Refuse(Refusal),
}

/// Why a server refuses an item for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The kind, as the ledger counts it: `Refused`, `TooOld`, `TooNew`, `Oversize`.
    pub loss: Loss,
    /// The server's words, or ours.
    pub why: String,
}

/// What every backend may want to know about the process it ships for.
#[derive(Clone)]
pub struct Context {
    /// `.namespace(..)`, `OPS_NAMESPACE`; "App" when neither is set.
    pub namespace: String,
    /// `.dimension(..)`, `OPS_DIMENSIONS`: on every metric already, to be added to every other record.
    pub dimensions: Vec<(String, String)>,
    /// The process, as record ids carry it.
    pub process: u64,
    /// The host's name.
    pub host: String,
    /// The name that the user gave this instance, if any: with it, two of a kind keep apart what they keep on disk.
    pub name: Option<String>,
    /// The directory that outlives the process, if there is one.
    pub state_dir: Option<std::path::PathBuf>,
    /// The push limit that the user chose.
    pub push_limit: crate::limits::PushLimit,
    /// Reads a variable of the environment, or what a test puts in its place.
    pub var: crate::net::Var,
}

/// Settings of a backend, from the builder or the environment; opened when recording starts.
pub trait Configure: Send + 'static {
    /// Opens the backend: checks settings, without speaking to the network.
    ///
    /// # Errors
    ///
    /// If a setting is missing or means nothing. The message names the setting and the remedy.
    fn open(self: Box<Self>, context: &Context) -> Result<Box<dyn Backend>, Error>;

    /// The same settings once more, for shipping what another process has left in a directory beside this one's. `None`,
    /// unless implemented: it stays there then, until a process takes that directory for its own.
    fn again(&self) -> Option<Box<dyn Configure>> {
        None
    }
}

/// The settings of the backend of this name, as `OPS_BACKENDS` names it, with everything from the environment; `None`
/// if there is none, or it is not compiled in.
#[must_use]
pub fn by_name(name: &str) -> Option<Box<dyn Configure>> {
    match name {
        #[cfg(feature = "local")]
        "local" => Some(Box::new(local::Local::new())),
        #[cfg(feature = "cloudsearch")]
        "cloudsearch" => Some(Box::new(CloudSearch::new())),
        #[cfg(feature = "cloudwatch")]
        "cloudwatch" => Some(Box::new(CloudWatch::new())),
        #[cfg(feature = "cloudwatch-logs")]
        "cloudwatch-logs" => Some(Box::new(CloudWatchLogs::new())),
        #[cfg(feature = "datadog")]
        "datadog" => Some(Box::new(Datadog::new())),
        #[cfg(feature = "dogstatsd")]
        "dogstatsd" => Some(Box::new(Dogstatsd::new())),
        #[cfg(feature = "elasticsearch")]
        "elasticsearch" => Some(Box::new(Elasticsearch::new())),
        #[cfg(feature = "emf")]
        "emf" => Some(Box::new(Emf::new())),
        #[cfg(feature = "file")]
        "file" => Some(Box::new(File::new())),
        #[cfg(feature = "firehose")]
        "firehose" => Some(Box::new(Firehose::new())),
        #[cfg(feature = "kafka")]
        "kafka" => Some(Box::new(Kafka::new())),
        #[cfg(feature = "kinesis")]
        "kinesis" => Some(Box::new(Kinesis::new())),
        #[cfg(feature = "mackerel")]
        "mackerel" => Some(Box::new(Mackerel::new())),
        #[cfg(feature = "otlp")]
        "otlp" => Some(Box::new(Otlp::new())),
        #[cfg(feature = "prometheus")]
        "prometheus" => Some(Box::new(Prometheus::new())),
        #[cfg(feature = "s3")]
        "s3" => Some(Box::new(S3::new())),
        #[cfg(feature = "sensu")]
        "sensu" => Some(Box::new(Sensu::new())),
        #[cfg(feature = "splunk")]
        "splunk" => Some(Box::new(Splunk::new())),
        #[cfg(feature = "syslog")]
        "syslog" => Some(Box::new(Syslog::new())),
        #[cfg(feature = "webhook")]
        "webhook" => Some(Box::new(Webhook::new())),
        _ => None,
    }
}

/// Every backend there is and whether it is compiled in; its feature has its name. For messages.
#[must_use]
pub fn known() -> &'static [(&'static str, bool)] {
    &[
        ("local", cfg!(feature = "local")),
        ("cloudsearch", cfg!(feature = "cloudsearch")),
        ("cloudwatch", cfg!(feature = "cloudwatch")),
        ("cloudwatch-logs", cfg!(feature = "cloudwatch-logs")),
        ("datadog", cfg!(feature = "datadog")),
        ("dogstatsd", cfg!(feature = "dogstatsd")),
        ("elasticsearch", cfg!(feature = "elasticsearch")),
        ("emf", cfg!(feature = "emf")),
        ("file", cfg!(feature = "file")),
        ("firehose", cfg!(feature = "firehose")),
        ("kafka", cfg!(feature = "kafka")),
        ("kinesis", cfg!(feature = "kinesis")),
        ("mackerel", cfg!(feature = "mackerel")),
        ("otlp", cfg!(feature = "otlp")),
        ("prometheus", cfg!(feature = "prometheus")),
        ("s3", cfg!(feature = "s3")),
        ("sensu", cfg!(feature = "sensu")),
        ("splunk", cfg!(feature = "splunk")),
        ("syslog", cfg!(feature = "syslog")),
        ("webhook", cfg!(feature = "webhook")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compiled_in_is_found_by_its_name() {
        for (name, compiled_in) in known() {
            assert_eq!(by_name(name).is_some(), *compiled_in, "{name}");
        }
        assert!(by_name("clodwatch").is_none());
    }
}
