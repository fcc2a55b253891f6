//! OpenTelemetry over HTTP: metric and log records as OTLP requests, protobuf or JSON, to a collector, to a vendor that
//! speaks the protocol, or to CloudWatch's own endpoints.
//!
//! Metrics and logs have endpoints of their own, and so has each process whose records are shipped a resource of its own:
//! a push is as many requests as it holds of these, most often one. What one of them comes to says nothing of the others.
//!
//! Delivery is at least once: the protocol has no token by which a server would know what is sent again. Which statuses
//! are tried again is the protocol's choice and not ours, see [`judge`].

mod groups;
mod headers;
mod judge;
mod resource;
mod way;

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use self::groups::{Group, combined, groups};
use self::judge::{Judged, judge};
use self::way::Ways;
use super::shared::{Secret, setting, yes_or_no};
use super::{Backend, Configure, Context, EncodeError, Verdict};
use crate::chunk::{Batch, Items, parts};
use crate::diag;
use crate::encode::json;
use crate::encode::otlp::{self, Form, Item, Kind};
use crate::error::Error;
use crate::limits::{Limits, Oversize};
use crate::model::{Body, Log, Record, Signal};
use crate::net::Net;

/// What a request should hold at most before it is compressed (opentelemetry-proto, `docs/specification.md`, "OTLP/HTTP
/// Request": 64 MiB).
const REQUEST_BYTES_MAX: usize = 64 << 20;
/// What an over-long event's parts begin with (`chunk/parts`): an event that begins so by itself goes as parts, too.
const PART: &str = "@ops.part ";

/// Settings of the backend `otlp`. What is not set here comes from the environment, see each method: `OPS_OTLP_…`, and
/// after that the variables that OpenTelemetry's own SDKs read.
#[derive(Debug, Clone, Default)]
pub struct Otlp {
    told: way::Told,
    attributes: Vec<(String, String)>,
    form: Option<Form>,
    compress: Option<bool>,
    metrics: Option<bool>,
    logs: Option<bool>,
}

impl Otlp {
    /// Everything from the environment, or by default.
    #[must_use]
    pub fn new() -> Otlp {
        Otlp::default()
    }

    /// The base URL, to which `/v1/metrics` and `/v1/logs` are added; else `OPS_OTLP_ENDPOINT`,
    /// `OTEL_EXPORTER_OTLP_ENDPOINT`, or `http://localhost:4318`.
    #[must_use]
    pub fn endpoint(mut self, url: impl Into<String>) -> Otlp {
        self.told.endpoint = Some(url.into());
        self
    }

    /// The URL of metrics as it is; else `OPS_OTLP_METRICS_ENDPOINT`, `OTEL_EXPORTER_OTLP_METRICS_ENDPOINT`, or one under
    /// the base URL.
    #[must_use]
    pub fn metrics_endpoint(mut self, url: impl Into<String>) -> Otlp {
        self.told.metrics_endpoint = Some(url.into());
        self
    }

    /// The URL of logs as it is; else `OPS_OTLP_LOGS_ENDPOINT`, `OTEL_EXPORTER_OTLP_LOGS_ENDPOINT`, or one under the base
    /// URL.
    #[must_use]
    pub fn logs_endpoint(mut self, url: impl Into<String>) -> Otlp {
        self.told.logs_endpoint = Some(url.into());
        self
    }

    /// A header of every request, such as a vendor's key; besides those of `OPS_OTLP_HEADERS`, else
    /// `OTEL_EXPORTER_OTLP_HEADERS` (`name=value,name=value`, values percent-encoded), and the same for one kind in
    /// `OPS_OTLP_METRICS_HEADERS` and `OPS_OTLP_LOGS_HEADERS`.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Otlp {
        self.told.headers.push((name.into(), Secret::new(value)));
        self
    }

    /// A bearer token; else `OPS_OTLP_METRICS_TOKEN` and `OPS_OTLP_LOGS_TOKEN`, which services give out each for
    /// themselves, or `OPS_OTLP_TOKEN` for both.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Otlp {
        self.told.token = Some(Secret::new(token));
        self
    }

    /// Protobuf or JSON; else `OPS_OTLP_PROTOCOL` or `OTEL_EXPORTER_OTLP_PROTOCOL` (`http/protobuf` or `http/json`), or
    /// protobuf.
    #[must_use]
    pub fn form(mut self, form: Form) -> Otlp {
        self.form = Some(form);
        self
    }

    /// Whether requests are compressed with gzip; else `OPS_OTLP_COMPRESSION` or `OTEL_EXPORTER_OTLP_COMPRESSION` (`gzip`
    /// or `none`), or yes.
    #[must_use]
    pub fn gzip(mut self, compress: bool) -> Otlp {
        self.compress = Some(compress);
        self
    }

    /// An attribute of the resource, such as `deployment.environment.name`; besides those of `OPS_OTLP_ATTRIBUTES`,
    /// `OTEL_RESOURCE_ATTRIBUTES` and `OTEL_SERVICE_NAME`, the host and the dimensions of the process.
    #[must_use]
    pub fn attribute(mut self, name: impl Into<String>, value: impl Into<String>) -> Otlp {
        self.attributes.push((name.into(), value.into()));
        self
    }

    /// Whether metrics go there; else `OPS_OTLP_METRICS` (1 or 0), or yes.
    #[must_use]
    pub fn metrics(mut self, send: bool) -> Otlp {
        self.metrics = Some(send);
        self
    }

    /// Whether logs go there; else `OPS_OTLP_LOGS` (1 or 0), or yes.
    #[must_use]
    pub fn logs(mut self, send: bool) -> Otlp {
        self.logs = Some(send);
        self
    }

    /// CloudWatch's endpoints of the region, with AWS's signatures: `monitoring` for metrics and `logs` for logs; else
    /// `OPS_OTLP_AWS` (1 or 0), or no. With [`Otlp::endpoint`], that host in their place.
    #[cfg(feature = "aws")]
    #[must_use]
    pub fn aws(mut self, signed: bool) -> Otlp {
        self.told.aws = Some(signed);
        self
    }

    /// The log group and stream in CloudWatch that logs go to, as headers `x-aws-log-group` and `x-aws-log-stream`; else
    /// `OPS_OTLP_LOG_GROUP` and `OPS_OTLP_LOG_STREAM`. Both have to exist.
    #[must_use]
    pub fn log_group(mut self, group: impl Into<String>, stream: impl Into<String>) -> Otlp {
        (self.told.log_group, self.told.log_stream) = (Some(group.into()), Some(stream.into()));
        self
    }
}

/// The first of these variables that is set, and its name.
fn variable(names: &[&'static str], context: &Context) -> Option<(&'static str, String)> {
    names.iter().find_map(|name| Some((*name, setting(None, name, context)?)))
}

/// What the program said, else what a variable says by its word; the first choice where neither does.
fn choice<T: Copy>(
    told: Option<T>,
    variables: &[&'static str],
    choices: [(&str, T); 2],
    context: &Context,
) -> Result<T, Error> {
    let (None, Some((name, text))) = (told, variable(variables, context)) else {
        return Ok(told.unwrap_or(choices[0].1));
    };
    let found = choices.into_iter().find(|(word, _)| *word == text);
    found.map(|(_, choice)| choice).ok_or_else(|| {
        let problem = format!("\"{}\" is not spoken here", text.escape_debug());
        Error::setting(name, problem, format!("use {} or {}", choices[0].0, choices[1].0))
    })
}

impl Configure for Otlp {
    fn open(self: Box<Self>, context: &Context) -> Result<Box<dyn Backend>, Error> {
        let body = resource::body(&self.attributes, context)?;
        let (metrics, logs) = (
            yes_or_no(self.metrics, "OPS_OTLP_METRICS", true, context)?,
            yes_or_no(self.logs, "OPS_OTLP_LOGS", true, context)?,
        );
        if !metrics && !logs {
            let problem = "neither metrics nor logs are to be sent";
            return Err(Error::setting("OPS_OTLP_METRICS, OPS_OTLP_LOGS", problem, "leave one of them on"));
        }
        let mut open = Open {
            compress: choice(
                self.compress,
                &["OPS_OTLP_COMPRESSION", "OTEL_EXPORTER_OTLP_COMPRESSION"],
                [("gzip", true), ("none", false)],
                context,
            )?,
            ways: Ways::open(&self.told, logs, context)?,
            dimensions: context.dimensions.clone(),
            log_bytes_max: 0,
            ailing: None,
            body,
            form: choice(
                self.form,
                &["OPS_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"],
                [("http/protobuf", Form::Protobuf), ("http/json", Form::Json)],
                context,
            )?,
            metrics,
            logs,
        };
        open.log_bytes_max = open.limits().under(context.push_limit).item_bytes_max;
        Ok(Box::new(open))
    }

    fn again(&self) -> Option<Box<dyn Configure>> {
        Some(Box::new(self.clone()))
    }
}

struct Open {
    ways: Ways,
    body: otlp::Body,
    /// Those of the process: the resource has them.
    dimensions: Vec<(String, String)>,
    form: Form,
    compress: bool,
    metrics: bool,
    logs: bool,
    /// Bytes of the longest log record that fits into a push.
    log_bytes_max: usize,
    /// The kind whose endpoint did not answer last: it waits for the other one.
    ailing: Option<Kind>,
}

impl Backend for Open {
    fn id(&self) -> &str {
        "otlp"
    }

    /// Of requests the specification bounds the bytes alone. What a server takes of old or of future data it says in its
    /// answer.
    fn limits(&self) -> Limits {
        let envelope_bytes = self.body.bytes(Form::Json).max(self.body.bytes(Form::Protobuf));
        Limits {
            push_bytes_max: REQUEST_BYTES_MAX,
            envelope_bytes,
            push_items_max: usize::MAX,
            item_bytes_max: REQUEST_BYTES_MAX.saturating_sub(envelope_bytes),
            item_overhead_bytes: 0, // what stands before an item in the body has its place in the item
            span_ms_max: None,
            age_ms_max: None,
            ahead_ms_max: None,
            ordered: false,
            push: true,
            oversize: Oversize::Refuse, // log records are split before they are encoded, data points cannot be
        }
    }

    fn accepts(&self, signal: Signal) -> bool {
        match signal {
            Signal::Metric => self.metrics,
            Signal::Log => self.logs,
            _ => false,
        }
    }

    fn encode(&mut self, record: &Record<'_>, out: &mut Items) -> Result<(), EncodeError> {
        match &record.body {
            Body::Metric(metric) => out
                .push(|bytes| otlp::metric(bytes, self.form, record, metric, &self.dimensions))
                .map_err(EncodeError),
            Body::Log(log) => self.log(record, log, out),
            _ => Err(EncodeError(format!("OTLP cannot express a {} record", record.signal()))),
        }
    }

    fn send(&mut self, batch: &Batch, net: &mut Net) -> Verdict {
        let (mut parts, strangers) = groups(batch);
        parts.sort_by_key(|group| self.ailing == Some(group.item.kind)); // stable
        let mut verdicts = Vec::with_capacity(parts.len());
        for group in &parts {
            let verdict = self.request(group, net);
            if matches!(verdict, Verdict::Retry { .. }) {
                self.ailing = Some(group.item.kind);
            } else if self.ailing == Some(group.item.kind) {
                self.ailing = None;
            }
            verdicts.push(verdict);
        }
        combined(&parts, verdicts, strangers, batch.len())
    }

    fn another(&self) -> Option<Box<dyn Backend>> {
        Some(Box::new(Open {
            ways: self.ways.another(),
            body: self.body.clone(),
            dimensions: self.dimensions.clone(),
            ..*self
        }))
    }
}

impl Open {
    /// A log event as one log record, or in parts where it is too long for that: of the line that other backends write, so
    /// that nothing of it is cut.
    fn log(&self, record: &Record<'_>, log: &Log<'_>, out: &mut Items) -> Result<(), EncodeError> {
        let before = out.len();
        out.push(|bytes| {
            otlp::log(bytes, self.form, record, log);
            Ok::<_, EncodeError>(())
        })?;
        let fits = out.get(before).is_none_or(|(_, bytes)| bytes.len() <= self.log_bytes_max);
        if fits && !log.message.starts_with(PART) {
            return Ok(());
        }
        out.truncate(before);
        let mut line = Vec::new();
        json::line(&mut line, record, &[]);
        for part in self.parts(record, log, &line)? {
            let text = String::from_utf8_lossy(&part);
            out.push(|bytes| {
                otlp::text(bytes, self.form, record, log, &text);
                Ok::<_, EncodeError>(())
            })?;
        }
        Ok(())
    }

    fn parts<'l>(
        &self,
        record: &Record<'_>,
        log: &Log<'_>,
        line: &'l [u8],
    ) -> Result<parts::Parts<'l>, EncodeError> {
        /// Lengths that grow with the text.
        const LENGTHS: usize = 16;
        let mut around = Vec::new();
        otlp::text(&mut around, self.form, record, log, "");
        let room = self.log_bytes_max.saturating_sub(around.len() + LENGTHS);
        // A line holds no control characters; quotes and backslashes are all that take two bytes in JSON.
        let room = if self.form == Form::Json { room / 2 } else { room };
        let too_long = || EncodeError(format!("an event of {} bytes has no room in a push", line.len()));
        parts::split(record.id, line, room).ok_or_else(too_long)
    }

    /// One request of items of one form, kind and process.
    fn request(&mut self, group: &Group<'_>, net: &mut Net) -> Verdict {
        let Item { form, kind } = group.item;
        let mut body = self.body.of(form, kind, group.process, group.items.iter().copied());
        if self.compress {
            body = gzip(&body);
        }
        let way = self.ways.of(kind);
        let answer = match way.send(form, self.compress, body, net) {
            Ok(answer) => answer,
            Err(verdict) => return verdict,
        };
        let now_s = net.current().unix_ns / 1_000_000_000;
        match judge(form, kind, &answer, now_s, group.places.len()) {
            Judged::Verdict(verdict) => verdict,
            Judged::Unauthorized(why) => way.unauthorized(why),
            Judged::Rejected { items, message } => group.rejected(items, &message, net),
            Judged::Warned(message) => {
                let text = format!("otlp: all of a request is kept, but the server says: {message}");
                diag::warn("otlp warning", net.current(), &text);
                Verdict::Delivered
            }
        }
    }
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::default());
    // Writing into memory cannot fail.
    let _ = encoder.write_all(body);
    encoder.finish().unwrap_or_default()
}

#[cfg(test)]
mod tests;
