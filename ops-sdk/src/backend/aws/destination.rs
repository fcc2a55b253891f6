//! Where log lines go, as the builder was told. Plain data, so that a builder compiles without the client; checked when
//! the backend is opened.

use crate::backend::shared::Secret;

/// What the builder was told; what it was not told comes from the environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(not(feature = "cloudwatch-logs"), allow(dead_code))] // EMF alone has no road into a log group
pub(in crate::backend) struct Destination {
    pub(in crate::backend) region: Option<String>,
    pub(in crate::backend) endpoint: Option<String>,
    pub(in crate::backend) group: Option<String>,
    pub(in crate::backend) stream: Option<String>,
    pub(in crate::backend) stream_by: Option<String>,
    /// `Some(None)` is "never expire", said.
    pub(in crate::backend) retention_days: Option<Option<u32>>,
    #[cfg(feature = "cloudwatch-logs")]
    pub(in crate::backend) class: Option<LogClass>,
    pub(in crate::backend) deletion_protection: Option<bool>,
    pub(in crate::backend) tags: Vec<(String, String)>,
    pub(in crate::backend) entity_keys: Vec<(String, String)>,
    pub(in crate::backend) entity_attributes: Vec<(String, String)>,
    #[cfg(feature = "cloudwatch-logs")]
    pub(in crate::backend) ingest: Option<Ingest>,
    pub(in crate::backend) token: Option<Secret>,
}

/// The class of a log group that is created: what can be done with its events, and what they cost. It cannot be changed
/// afterwards (`LogGroupClass` in `logs/2014-03-28`, botocore 1.44.5).
#[cfg(feature = "cloudwatch-logs")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogClass {
    /// Everything that CloudWatch Logs does.
    Standard,
    /// Cheaper, without metric filters, subscriptions, live tail and embedded metrics.
    InfrequentAccess,
    /// `ESSENTIALS`.
    Essentials,
    /// For delivery to S3 or Firehose alone: events are kept for a day, and no retention can be set.
    Delivery,
}

/// How events go into CloudWatch Logs.
#[cfg(feature = "cloudwatch-logs")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ingest {
    /// PutLogEvents, signed: the only one that says which events it did not take.
    Put,
    /// `POST /ingest/bulk`: a JSON object a line, its time in the member `timestamp`, in milliseconds.
    Ndjson,
    /// `POST /ingest/json`: an array of such objects.
    Json,
    /// `POST /services/collector/event`: objects of `time`, in seconds, and `event`.
    Hlc,
}
