//! Amazon Data Firehose: each record becomes one JSON line, many lines one Firehose record, through PutRecordBatch.
//!
//! Promises: every line ends with a newline, so that what Firehose writes is JSON lines; a record that failed within a
//! request that succeeded is sent again, and no other. Never in order: Firehose keeps none. What was sent and not
//! answered may be there twice; the id in each line tells.

use super::aws::{Form, join_lines, lines, stream_name, under};
use super::shared::{setting, whole, yes_or_no};
use super::{Backend, Configure, Context};
use crate::encode::json;
use crate::error::Error;
use crate::net::aws::{Service, Settings};

const SERVICE: Service = Service {
    signing_name: "firehose",
    host_prefix: "firehose",
    variable: "FIREHOSE",
    gov_dualstack_is_fips: false,
};

const STREAM: &str = "OPS_FIREHOSE_STREAM";
/// Characters of a stream's name (`DeliveryStreamName`, `firehose/2015-08-04`, botocore 1.44.5).
const STREAM_CHARS_MAX: usize = 64;
/// Bytes of a record before base64: 1,000 KiB (`Data`, `firehose/2015-08-04`).
const RECORD_BYTES_MAX: usize = 1_024_000;
/// Bytes of a record at least, so that a request of 4 MiB is no more than 500 of them.
const RECORD_BYTES_MIN: usize = 32_768;
/// Bytes of a request: 4 MB (`PutRecordBatch`, `firehose/2015-08-04`). It does not say before or after base64, so it is
/// held after.
const BODY_BYTES_MAX: usize = 4_000_000;
/// Lines of one record: Firehose takes no more apart again (`PutRecordBatch`, `firehose/2015-08-04`).
const LINES_MAX: usize = 500;

/// Settings of the backend `firehose`. What is not set here comes from the environment, see each method.
#[derive(Debug, Clone, Default)]
pub struct Firehose {
    settings: Settings,
    stream: Option<String>,
    aggregate: Option<bool>,
    record_bytes: Option<usize>,
}

impl Firehose {
    /// Everything from the environment, or by default.
    #[must_use]
    pub fn new() -> Firehose {
        Firehose::default()
    }

    /// The Firehose stream, which must exist; else `OPS_FIREHOSE_STREAM`.
    #[must_use]
    pub fn stream(mut self, name: impl Into<String>) -> Firehose {
        self.stream = Some(name.into());
        self
    }

    /// The region; else `AWS_REGION`, `AWS_DEFAULT_REGION`, or the profile's.
    #[must_use]
    pub fn region(mut self, region: impl Into<String>) -> Firehose {
        self.settings.region = Some(region.into());
        self
    }

    /// The endpoint's URL; else `AWS_ENDPOINT_URL_FIREHOSE`, `AWS_ENDPOINT_URL`, or the region's own.
    #[must_use]
    pub fn endpoint(mut self, url: impl Into<String>) -> Firehose {
        self.settings.endpoint = Some(url.into());
        self
    }

    /// Whether many lines, at most 500, go into one Firehose record; else `OPS_FIREHOSE_AGGREGATE`, or yes. Without it
    /// each is a record of its own, and a push is at most 500 of them.
    #[must_use]
    pub fn aggregate(mut self, aggregate: bool) -> Firehose {
        self.aggregate = Some(aggregate);
        self
    }

    /// Bytes of a Firehose record before base64, 32,768 to 1,024,000; else `OPS_FIREHOSE_RECORD_BYTES`, or 1,024,000.
    #[must_use]
    pub fn record_bytes(mut self, bytes: usize) -> Firehose {
        self.record_bytes = Some(bytes);
        self
    }

    fn form(&self, context: &Context) -> Result<Form, Error> {
        let stream = setting(self.stream.as_deref(), STREAM, context);
        let stream = stream_name(stream, STREAM, STREAM_CHARS_MAX)?;
        let aggregate = yes_or_no(self.aggregate, "OPS_FIREHOSE_AGGREGATE", true, context)?;
        let bounds = RECORD_BYTES_MIN..=RECORD_BYTES_MAX;
        let variable = "OPS_FIREHOSE_RECORD_BYTES";
        let record_bytes_max = whole(self.record_bytes, variable, bounds, RECORD_BYTES_MAX, context)?;
        let mut head = b"{\"DeliveryStreamName\":".to_vec();
        json::string(&mut head, &stream);
        head.extend_from_slice(b",\"Records\":[");
        Ok(Form {
            target: "Firehose_20150804.PutRecordBatch",
            head,
            body_bytes_max: under(BODY_BYTES_MAX, context.push_limit),
            record_bytes_max,
            lines_max: if aggregate { LINES_MAX } else { 1 },
            pack_bytes: 0,
            line_bytes: 1, // the newline
            pack: join_lines,
            key: None,
            unavailable_is_throttled: true,
        })
    }
}

impl Configure for Firehose {
    fn open(self: Box<Self>, context: &Context) -> Result<Box<dyn Backend>, Error> {
        lines("firehose", SERVICE, &self.settings, self.form(context)?, context)
    }

    fn again(&self) -> Option<Box<dyn Configure>> {
        Some(Box::new(self.clone()))
    }
}

#[cfg(test)]
mod tests;
