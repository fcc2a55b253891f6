//! CloudWatch Logs: each log and audit record becomes one event, a JSON object on one line, through PutLogEvents or one
//! of the service's HTTP endpoints, into one stream or into those that a pattern makes of the records.
//!
//! Delivery is at least once: the service does not recognise an event that it has already. The record's id in each
//! line tells duplicates apart. Pushes go side by side, and the service keeps events of a stream in order of their
//! milliseconds; who wants those of one millisecond in their order too asks for one push after the other.

use super::aws::{Destination, LogEvents, StreamBy, context_without_key, without_key};
use super::shared::{Secret, yes_or_no};
use super::{Backend, Configure, Context, EncodeError, Verdict};
use crate::chunk::{Batch, Items, parts};
use crate::encode::json;
use crate::error::Error;
use crate::limits::{Limits, Oversize};
use crate::model::{Record, Signal};
use crate::net::Net;

pub use super::aws::{Ingest, LogClass};

/// Settings of the backend `cloudwatch-logs`. What is not set here comes from the environment, see each method.
#[derive(Debug, Clone, Default)]
pub struct CloudWatchLogs {
    told: Destination,
    ordered: Option<bool>,
}

impl CloudWatchLogs {
    /// Everything from the environment, or by default.
    #[must_use]
    pub fn new() -> CloudWatchLogs {
        CloudWatchLogs::default()
    }

    /// The region; else `AWS_REGION`, `AWS_DEFAULT_REGION`, or the profile's.
    #[must_use]
    pub fn region(mut self, region: impl Into<String>) -> CloudWatchLogs {
        self.told.region = Some(region.into());
        self
    }

    /// The endpoint's URL; else `AWS_ENDPOINT_URL_CLOUDWATCH_LOGS`, `AWS_ENDPOINT_URL`, or the region's own.
    #[must_use]
    pub fn endpoint(mut self, url: impl Into<String>) -> CloudWatchLogs {
        self.told.endpoint = Some(url.into());
        self
    }

    /// The log group, created on first need; else `OPS_CLOUDWATCH_LOGS_GROUP`, or `/ops/<namespace>`.
    #[must_use]
    pub fn group(mut self, name: impl Into<String>) -> CloudWatchLogs {
        self.told.group = Some(name.into());
        self
    }

    /// The log stream, created on first need; else `OPS_CLOUDWATCH_LOGS_STREAM`, or `<host>/<process>`.
    #[must_use]
    pub fn stream(mut self, name: impl Into<String>) -> CloudWatchLogs {
        self.told.stream = Some(name.into());
        self
    }

    /// A stream for each host, process, file or key: a pattern such as `{host}/{target}`, of `{host}`, `{process}`,
    /// `{target}`, `{level}`, `{file}` (the field `file`, else the source file) and keys of fields or of the process's
    /// dimensions; else `OPS_CLOUDWATCH_LOGS_STREAM_BY`. What a name cannot hold becomes a dash. Not beside
    /// [`CloudWatchLogs::stream`]. A push is one request for each stream in it.
    #[must_use]
    pub fn stream_by(mut self, pattern: impl Into<String>) -> CloudWatchLogs {
        self.told.stream_by = Some(pattern.into());
        self
    }

    /// Days that a group which is created here keeps its events, `None` for ever; else
    /// `OPS_CLOUDWATCH_LOGS_RETENTION_DAYS` (a number or `never`), or 30. A group that exists is left as it is.
    #[must_use]
    pub fn retention_days(mut self, days: impl Into<Option<u32>>) -> CloudWatchLogs {
        self.told.retention_days = Some(days.into());
        self
    }

    /// The class of a group that is created here; else `OPS_CLOUDWATCH_LOGS_CLASS` (`standard`, `infrequent-access`,
    /// `essentials`, `delivery`), or standard.
    #[must_use]
    pub fn class(mut self, class: LogClass) -> CloudWatchLogs {
        self.told.class = Some(class);
        self
    }

    /// Whether a group that is created here is protected from deletion; else
    /// `OPS_CLOUDWATCH_LOGS_DELETION_PROTECTION`, or not.
    #[must_use]
    pub fn deletion_protection(mut self, on: bool) -> CloudWatchLogs {
        self.told.deletion_protection = Some(on);
        self
    }

    /// A tag of a group that is created here, 50 at most; else `OPS_CLOUDWATCH_LOGS_TAGS` (`Team=payments,Cost=7`).
    #[must_use]
    pub fn tag(mut self, name: impl Into<String>, value: impl Into<String>) -> CloudWatchLogs {
        self.told.tags.push((name.into(), value.into()));
        self
    }

    /// A key attribute of the entity that the events are of, two to four of `Type`, `ResourceType`, `Identifier`,
    /// `Name` and `Environment`; else `OPS_CLOUDWATCH_LOGS_ENTITY`. With PutLogEvents alone.
    #[must_use]
    pub fn entity_key(mut self, name: impl Into<String>, value: impl Into<String>) -> CloudWatchLogs {
        self.told.entity_keys.push((name.into(), value.into()));
        self
    }

    /// Another attribute of the entity, ten at most; else `OPS_CLOUDWATCH_LOGS_ENTITY_ATTRIBUTES`.
    #[must_use]
    pub fn entity_attribute(mut self, name: impl Into<String>, value: impl Into<String>) -> CloudWatchLogs {
        self.told.entity_attributes.push((name.into(), value.into()));
        self
    }

    /// How events go in; else `OPS_CLOUDWATCH_LOGS_INGEST` (`put`, `ndjson`, `json`, `hlc`), or PutLogEvents.
    #[must_use]
    pub fn ingest(mut self, ingest: Ingest) -> CloudWatchLogs {
        self.told.ingest = Some(ingest);
        self
    }

    /// The bearer token of the HTTP endpoints, in place of a signature; else `OPS_CLOUDWATCH_LOGS_TOKEN`. A token
    /// creates nothing: group and stream have to exist.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> CloudWatchLogs {
        self.told.token = Some(Secret::new(token));
        self
    }

    /// Whether one push follows the other, so that events of a stream arrive in their order even within a millisecond;
    /// else `OPS_CLOUDWATCH_LOGS_ORDERED`, or not: then pushes go side by side.
    #[must_use]
    pub fn ordered(mut self, on: bool) -> CloudWatchLogs {
        self.ordered = Some(on);
        self
    }
}

impl Configure for CloudWatchLogs {
    fn open(self: Box<Self>, context: &Context) -> Result<Box<dyn Backend>, Error> {
        let (events, by) = LogEvents::open(&self.told, context)?;
        let time_key = events.ingest().time_key();
        let dimensions = match time_key {
            Some(key) => context_without_key(&context.dimensions, key),
            None => context.dimensions.clone(),
        };
        let ordered = yes_or_no(self.ordered, "OPS_CLOUDWATCH_LOGS_ORDERED", false, context)?;
        let item_bytes_max = events.limits().under(context.push_limit).item_bytes_max;
        Ok(Box::new(Open { events, dimensions, by, time_key, item_bytes_max, ordered }))
    }

    fn again(&self) -> Option<Box<dyn Configure>> {
        Some(Box::new(self.clone()))
    }
}

struct Open {
    events: LogEvents,
    /// Those of the process, which every line carries.
    dimensions: Vec<(String, String)>,
    /// What makes streams of records, if there is more than one.
    by: Option<StreamBy>,
    /// The member that is not a record's to have.
    time_key: Option<&'static str>,
    item_bytes_max: usize,
    ordered: bool,
}

impl Backend for Open {
    fn id(&self) -> &str {
        "cloudwatch-logs"
    }

    /// An item that names its stream is split here, where each part gets the name.
    fn limits(&self) -> Limits {
        let oversize = if self.by.is_some() { Oversize::Refuse } else { Oversize::Split };
        Limits { oversize, ..self.events.limits() }
    }

    fn accepts(&self, signal: Signal) -> bool {
        matches!(signal, Signal::Log | Signal::Audit)
    }

    fn encode(&mut self, record: &Record<'_>, out: &mut Items) -> Result<(), EncodeError> {
        let renamed = self.time_key.and_then(|key| without_key(record, key));
        let record = renamed.as_ref().unwrap_or(record);
        match &self.by {
            Some(by) => self.addressed(by, record, out),
            None => out.push(|bytes| {
                json::line(bytes, record, &self.dimensions);
                Ok(())
            }),
        }
    }

    fn send(&mut self, batch: &Batch, net: &mut Net) -> Verdict {
        self.events.send(batch, net)
    }

    fn another(&self) -> Option<Box<dyn Backend>> {
        let beside = || Open {
            events: self.events.another(),
            dimensions: self.dimensions.clone(),
            by: self.by.clone(),
            ..*self
        };
        (!self.ordered).then(|| Box::new(beside()) as Box<dyn Backend>)
    }
}

impl Open {
    /// A record's line for its own stream, in parts if it is too long.
    fn addressed(&self, by: &StreamBy, record: &Record<'_>, out: &mut Items) -> Result<(), EncodeError> {
        let (before, mut head_bytes) = (out.len(), 0);
        out.push(|bytes| {
            let start = bytes.len();
            by.mark(bytes, record, &self.dimensions);
            head_bytes = bytes.len() - start;
            json::line(bytes, record, &self.dimensions);
            Ok::<_, EncodeError>(())
        })?;
        let whole = out.get(before).map_or(&[][..], |(_, bytes)| bytes);
        if whole.len() <= self.item_bytes_max {
            return Ok(());
        }
        let whole = whole.to_vec();
        let (head, line) = whole.split_at(head_bytes);
        out.truncate(before);
        let room = self.item_bytes_max.saturating_sub(head.len());
        let Some(mut parts) = parts::split(record.id, line, room) else {
            return Err(EncodeError(format!("a line of {} bytes cannot be split so small", line.len())));
        };
        parts.try_for_each(|part| {
            out.push(|bytes| {
                bytes.extend_from_slice(head);
                bytes.extend_from_slice(&part);
                Ok(())
            })
        })
    }
}

#[cfg(test)]
mod tests;
