//! CloudWatch Logs: each log and audit record becomes one event, a JSON object on one line, through PutLogEvents.
//!
//! Delivery is at least once: the service does not recognise an event that it has already. The record's id in each
//! line tells duplicates apart.

use super::aws::{Destination, LogEvents};
use super::{Backend, Configure, Context, EncodeError, Verdict};
use crate::chunk::{Batch, Items};
use crate::encode::json;
use crate::error::Error;
use crate::limits::Limits;
use crate::model::{Record, Signal};
use crate::net::Net;

/// Settings of the backend `cloudwatch-logs`. What is not set here comes from the environment, see each method.
#[derive(Debug, Clone, Default)]
pub struct CloudWatchLogs {
    told: Destination,
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

    /// Days that a group which is created here keeps its events, `None` for ever; else
    /// `OPS_CLOUDWATCH_LOGS_RETENTION_DAYS` (a number or `never`), or 30. A group that exists is left as it is.
    #[must_use]
    pub fn retention_days(mut self, days: impl Into<Option<u32>>) -> CloudWatchLogs {
        self.told.retention_days = Some(days.into());
        self
    }
}

impl Configure for CloudWatchLogs {
    fn open(self: Box<Self>, context: &Context) -> Result<Box<dyn Backend>, Error> {
        let events = LogEvents::open(&self.told, context)?;
        Ok(Box::new(Open { events, dimensions: context.dimensions.clone() }))
    }

    fn again(&self) -> Option<Box<dyn Configure>> {
        Some(Box::new(self.clone()))
    }
}

struct Open {
    events: LogEvents,
    /// Those of the process, which every line carries.
    dimensions: Vec<(String, String)>,
}

impl Backend for Open {
    fn id(&self) -> &str {
        "cloudwatch-logs"
    }

    fn limits(&self) -> Limits {
        LogEvents::limits()
    }

    fn accepts(&self, signal: Signal) -> bool {
        matches!(signal, Signal::Log | Signal::Audit)
    }

    fn encode(&mut self, record: &Record<'_>, out: &mut Items) -> Result<(), EncodeError> {
        out.push(|bytes| {
            json::line(bytes, record, &self.dimensions);
            Ok(())
        })
    }

    fn send(&mut self, batch: &Batch, net: &mut Net) -> Verdict {
        self.events.send(batch, net)
    }

    fn another(&self) -> Option<Box<dyn Backend>> {
        Some(Box::new(Open { events: self.events.another(), dimensions: self.dimensions.clone() }))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::aws::tests::{KEYS, NOW_S, context};
    use super::*;
    use crate::chunk::chunk;
    use crate::limits::PushLimit;
    use crate::model::{Body, Level, Log, RecordId};
    use crate::net::script::Script;

    #[test]
    fn a_record_becomes_an_event_and_arrives_as_it_was() {
        let mut open = Box::new(CloudWatchLogs::new()).open(&context(&KEYS)).unwrap();
        assert!(open.accepts(Signal::Log) && open.accepts(Signal::Audit) && !open.accepts(Signal::Metric));
        let log = Log {
            level: Level::Warn,
            target: "shop".into(),
            message: "a \"quoted\" thing".into(),
            file: "src/x.rs".into(),
            line: 7,
            fields: Vec::new(),
        };
        let id = RecordId { process: 255, seq: 3 };
        let record = Record { id, time_ns: NOW_S * 1_000_000_000, body: Body::Log(log) };
        let mut items = Items::new();
        items.begin(id, record.time_ms(), 0);
        open.encode(&record, &mut items).unwrap();
        let limits = open.limits().under(PushLimit::Contract);
        let chunked = chunk(&items, &limits, NOW_S * 1_000);
        let script = Arc::new(Script::default()).answer(200, "{}");
        assert_eq!(open.send(&chunked.batches[0], &mut script.net(NOW_S)), Verdict::Delivered);
        let body: serde_json::Value = serde_json::from_slice(script.asked()[0].0.body()).unwrap();
        let line: serde_json::Value =
            serde_json::from_str(body["logEvents"][0]["message"].as_str().unwrap()).unwrap();
        assert_eq!(line["message"], "a \"quoted\" thing");
        assert_eq!((line["level"].as_str(), line["Service"].as_str()), (Some("WARN"), Some("checkout")));
        assert_eq!(line["id"], id.to_string());
    }

    #[test]
    fn settings_are_checked_at_open() {
        let open = |backend: CloudWatchLogs| Box::new(backend).open(&context(&KEYS)).map(|_| ());
        assert!(
            open(CloudWatchLogs::new().group("/a").stream("b").retention_days(None).region("eu-west-1"))
                .is_ok()
        );
        let table = [
            (CloudWatchLogs::new().group("a b"), "OPS_CLOUDWATCH_LOGS_GROUP"),
            (CloudWatchLogs::new().stream("a*"), "OPS_CLOUDWATCH_LOGS_STREAM"),
            (CloudWatchLogs::new().retention_days(2), "OPS_CLOUDWATCH_LOGS_RETENTION_DAYS"),
            (CloudWatchLogs::new().endpoint("nowhere"), ".endpoint(..)"),
            (CloudWatchLogs::new().region("no where"), ".region(..)"),
        ];
        for (backend, setting) in table {
            let error = open(backend).unwrap_err().to_string();
            assert!(error.starts_with(setting), "{error}");
        }
    }
}
