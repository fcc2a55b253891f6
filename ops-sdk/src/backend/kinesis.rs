//! Kinesis Data Streams: each record becomes one JSON line, many lines one Kinesis record, through PutRecords.
//!
//! Promises: records of one key arrive in the order they were recorded, for a request holds one Kinesis record of a key
//! and the next follows its answer (unless packing is off, or the key is the record's own); a record that failed within
//! a request that succeeded is sent again, and no other. What was sent and not answered may be there twice; the id in
//! each line tells.

mod kpl;

use super::aws::{Form, Pack, join_lines, lines, stream_name, under};
use super::shared::{PartitionKey, setting, whole};
use super::{Backend, Configure, Context};
use crate::encode::json;
use crate::error::Error;
use crate::net::aws::{Service, Settings};

const SERVICE: Service = Service {
    signing_name: "kinesis",
    host_prefix: "kinesis",
    variable: "KINESIS",
    gov_dualstack_is_fips: false,
};

const STREAM: &str = "OPS_KINESIS_STREAM";
const PACKING: &str = "OPS_KINESIS_PACKING";
/// Characters of a stream's name and of its ARN (`StreamName`, `StreamARN`, `kinesis/2013-12-02`, botocore 1.44.5).
const STREAM_CHARS_MAX: usize = 128;
const ARN_CHARS_MAX: usize = 2_048;
/// Bytes of a record, data before base64 and key: what a stream takes unless UpdateMaxRecordSize raised it, and the
/// most that it can be raised to (`PutRecords`, `kinesis/2013-12-02`).
const RECORD_BYTES_DEFAULT: usize = 1_048_576;
const RECORD_BYTES_MAX: usize = 10_485_760;
const RECORD_BYTES_MIN: usize = 32_768;
/// Bytes of a request. `PutRecords` in `kinesis/2013-12-02` says 10 MiB with keys; it was 5 MiB while records were
/// 1 MiB, and what stands in for the service holds to that. Held after base64.
const BODY_BYTES_MAX: usize = 10_485_760;
const BODY_BYTES_CLASSIC: usize = 5_242_880;

/// How lines become Kinesis records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KinesisPacking {
    /// Joined, each with its newline. What reads the stream splits at newlines.
    #[default]
    Lines,
    /// The aggregated record of the Kinesis Producer Library, which the client libraries, Lambda's deaggregation
    /// modules and Firehose take apart. Each line keeps its newline, for files that are made of them.
    Kpl,
    /// Each line is a record of its own.
    Off,
}

/// Settings of the backend `kinesis`. What is not set here comes from the environment, see each method.
#[derive(Debug, Clone, Default)]
pub struct Kinesis {
    settings: Settings,
    stream: Option<String>,
    key: Option<PartitionKey>,
    packing: Option<KinesisPacking>,
    record_bytes: Option<usize>,
}

impl Kinesis {
    /// Everything from the environment, or by default.
    #[must_use]
    pub fn new() -> Kinesis {
        Kinesis::default()
    }

    /// The stream's name or ARN; it must exist. Else `OPS_KINESIS_STREAM`.
    #[must_use]
    pub fn stream(mut self, name_or_arn: impl Into<String>) -> Kinesis {
        self.stream = Some(name_or_arn.into());
        self
    }

    /// The region; else `AWS_REGION`, `AWS_DEFAULT_REGION`, or the profile's.
    #[must_use]
    pub fn region(mut self, region: impl Into<String>) -> Kinesis {
        self.settings.region = Some(region.into());
        self
    }

    /// The endpoint's URL; else `AWS_ENDPOINT_URL_KINESIS`, `AWS_ENDPOINT_URL`, or the region's own.
    #[must_use]
    pub fn endpoint(mut self, url: impl Into<String>) -> Kinesis {
        self.settings.endpoint = Some(url.into());
        self
    }

    /// What decides the shard; else `OPS_KINESIS_KEY` (`process`, `record` or `text:…`), or the process.
    #[must_use]
    pub fn key(mut self, key: PartitionKey) -> Kinesis {
        self.key = Some(key);
        self
    }

    /// How lines become records; else `OPS_KINESIS_PACKING` (`lines`, `kpl` or `off`), or lines.
    #[must_use]
    pub fn packing(mut self, packing: KinesisPacking) -> Kinesis {
        self.packing = Some(packing);
        self
    }

    /// Bytes of a Kinesis record, key included and before base64, 32,768 to 10,485,760; else
    /// `OPS_KINESIS_RECORD_BYTES`, or 1,048,576. More than that needs a stream that was raised by UpdateMaxRecordSize.
    #[must_use]
    pub fn record_bytes(mut self, bytes: usize) -> Kinesis {
        self.record_bytes = Some(bytes);
        self
    }

    fn form(&self, context: &Context) -> Result<Form, Error> {
        let bounds = RECORD_BYTES_MIN..=RECORD_BYTES_MAX;
        let variable = "OPS_KINESIS_RECORD_BYTES";
        let record_bytes_max = whole(self.record_bytes, variable, bounds, RECORD_BYTES_DEFAULT, context)?;
        let body_bytes_max =
            if record_bytes_max > RECORD_BYTES_DEFAULT { BODY_BYTES_MAX } else { BODY_BYTES_CLASSIC };
        let key = PartitionKey::find(self.key.as_ref(), "OPS_KINESIS_KEY", context)?;
        let packing = match self.packing {
            Some(packing) => packing,
            None => packing(setting(None, PACKING, context))?,
        };
        let (pack, pack_bytes, line_bytes): (Pack, usize, usize) = match packing {
            KinesisPacking::Lines | KinesisPacking::Off => (join_lines, 0, 1),
            KinesisPacking::Kpl => (kpl::aggregate, kpl::around(key.bytes_max()), kpl::LINE_BYTES),
        };
        Ok(Form {
            target: "Kinesis_20131202.PutRecords",
            head: head(setting(self.stream.as_deref(), STREAM, context))?,
            body_bytes_max: under(body_bytes_max, context.push_limit),
            record_bytes_max,
            lines_max: if packing == KinesisPacking::Off { 1 } else { usize::MAX },
            pack_bytes,
            line_bytes,
            pack,
            key: Some(key),
            unavailable_is_throttled: false,
        })
    }
}

fn packing(text: Option<String>) -> Result<KinesisPacking, Error> {
    match text.as_deref() {
        None | Some("lines") => Ok(KinesisPacking::Lines),
        Some("kpl") => Ok(KinesisPacking::Kpl),
        Some("off") => Ok(KinesisPacking::Off),
        Some(other) => {
            let problem = format!("\"{}\" is no packing", other.escape_debug());
            Err(Error::setting(PACKING, problem, "use lines, kpl or off"))
        }
    }
}

/// The body up to the first record: the stream by its name or its ARN.
fn head(stream: Option<String>) -> Result<Vec<u8>, Error> {
    let (member, stream) = match stream {
        Some(arn) if arn.starts_with("arn:") => ("StreamARN", self::arn(arn)?),
        name => ("StreamName", stream_name(name, STREAM, STREAM_CHARS_MAX)?),
    };
    let mut head = format!("{{\"{member}\":").into_bytes();
    json::string(&mut head, &stream);
    head.extend_from_slice(b",\"Records\":[");
    Ok(head)
}

/// `arn:aws.*:kinesis:.*:\d{12}:stream/\S+`
fn arn(arn: String) -> Result<String, Error> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let is_one = match parts[..] {
        [_, partition, "kinesis", _, account, stream] => {
            let name = stream.strip_prefix("stream/").unwrap_or_default();
            partition.starts_with("aws")
                && account.len() == 12
                && account.bytes().all(|byte| byte.is_ascii_digit())
                && !name.is_empty()
                && arn.chars().all(|c| c.is_ascii_graphic())
                && arn.len() <= ARN_CHARS_MAX
        }
        _ => false,
    };
    if is_one {
        return Ok(arn);
    }
    let problem = format!("\"{}\" is no ARN of a stream", arn.escape_debug());
    let remedy = "give it as in arn:aws:kinesis:eu-west-1:123456789012:stream/ops";
    Err(Error::setting(format!("{STREAM} / .stream(..)"), problem, remedy))
}

impl Configure for Kinesis {
    fn open(self: Box<Self>, context: &Context) -> Result<Box<dyn Backend>, Error> {
        lines("kinesis", SERVICE, &self.settings, self.form(context)?, context)
    }

    fn again(&self) -> Option<Box<dyn Configure>> {
        Some(Box::new(self.clone()))
    }
}

#[cfg(test)]
mod tests;
