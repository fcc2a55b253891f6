//! CloudWatch metrics: each metric record becomes one datum, or several where a histogram has more than 150 distinct
//! values, through PutMetricData in its JSON protocol.
//!
//! One bad datum fails the whole call, so a call that is refused for its parameters is halved until the bad datum
//! stands alone and is refused alone. The service has no idempotency token: a call whose answer was lost and that is
//! sent again adds its samples again; this is the one place where delivery is more than once.
//!
//! A datum has no place for an exemplar, the correlation of a histogram's largest value: it is not told here.
//!
//! Names and values that CloudWatch would refuse are made to fit, see [`super::aws`].

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::aws::{bisect, dimensions, failed, judge, metric_name, namespace, points, settle};
use super::{Backend, Configure, Context, EncodeError, Verdict};
use crate::chunk::{Batch, Items};
use crate::diag;
use crate::encode::json;
use crate::error::Error;
use crate::limits::{Limits, Oversize};
use crate::model::{Body, Metric, Points, Record, Resolution, Signal, Unit};
use crate::net::aws::{Call, Client, Fault, Service, Settings};
use crate::net::{Net, Response};

const SERVICE: Service = Service {
    signing_name: "monitoring",
    host_prefix: "monitoring",
    variable: "CLOUDWATCH",
    gov_dualstack_is_fips: true,
};

/// Distinct values in one datum (`MetricDatum.Values`, `cloudwatch/2010-08-01`).
const VALUES_MAX: usize = 150;
/// Bodies from this size on are compressed, as AWS's SDKs do (`AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES`).
const GZIP_BYTES_MIN: usize = 10_240;
const END: &[u8] = b"]}";

/// Settings of the backend `cloudwatch`. What is not set here comes from the environment, see each method.
#[derive(Debug, Clone, Default)]
pub struct CloudWatch {
    settings: Settings,
    namespace: Option<String>,
}

impl CloudWatch {
    /// Everything from the environment, or by default.
    #[must_use]
    pub fn new() -> CloudWatch {
        CloudWatch::default()
    }

    /// The region; else `AWS_REGION`, `AWS_DEFAULT_REGION`, or the profile's.
    #[must_use]
    pub fn region(mut self, region: impl Into<String>) -> CloudWatch {
        self.settings.region = Some(region.into());
        self
    }

    /// The endpoint's URL; else `AWS_ENDPOINT_URL_CLOUDWATCH`, `AWS_ENDPOINT_URL`, or the region's own.
    #[must_use]
    pub fn endpoint(mut self, url: impl Into<String>) -> CloudWatch {
        self.settings.endpoint = Some(url.into());
        self
    }

    /// The namespace; else that of the process (`OPS_NAMESPACE`).
    #[must_use]
    pub fn namespace(mut self, namespace: impl Into<String>) -> CloudWatch {
        self.namespace = Some(namespace.into());
        self
    }
}

impl Configure for CloudWatch {
    fn open(self: Box<Self>, context: &Context) -> Result<Box<dyn Backend>, Error> {
        let name = self.namespace.as_deref().unwrap_or(&context.namespace);
        namespace(name)?;
        let client = Client::open(SERVICE, &self.settings, &context.var)?;
        Ok(Box::new(Open { client, head: head(name), gzip_bytes_min: gzip_bytes_min(context) }))
    }

    fn again(&self) -> Option<Box<dyn Configure>> {
        Some(Box::new(self.clone()))
    }
}

struct Open {
    client: Client,
    /// The body up to the first datum.
    head: Vec<u8>,
    /// Bodies from this size on are compressed; `None` never.
    gzip_bytes_min: Option<usize>,
}

impl Backend for Open {
    fn id(&self) -> &str {
        "cloudwatch"
    }

    /// PutMetricData takes 1 MB and 1,000 metrics (`cloudwatch/2010-08-01`, botocore 1.44.5). The model does not say
    /// whether it counts before compression or after, so this counts before. From two weeks back to two hours ahead.
    fn limits(&self) -> Limits {
        const HOUR_MS: u64 = 3_600_000;
        let envelope_bytes = self.head.len() + END.len();
        Limits {
            push_bytes_max: 1_000_000,
            envelope_bytes,
            push_items_max: 1_000,
            item_bytes_max: 1_000_000 - envelope_bytes - 1,
            item_overhead_bytes: 1, // the comma
            span_ms_max: None,
            age_ms_max: Some(14 * 24 * HOUR_MS),
            ahead_ms_max: Some(2 * HOUR_MS),
            ordered: false,
            push: true,
            oversize: Oversize::Refuse,
        }
    }

    fn accepts(&self, signal: Signal) -> bool {
        signal == Signal::Metric
    }

    fn encode(&mut self, record: &Record<'_>, out: &mut Items) -> Result<(), EncodeError> {
        let Body::Metric(metric) = &record.body else {
            return Err(EncodeError(format!(
                "CloudWatch metrics cannot express a {} record",
                record.signal()
            )));
        };
        points(&metric.points)?;
        let edges = Edges::of(metric, record.time_ns / 1_000_000_000)?;
        match &metric.points {
            Points::Counter { sum } => edges.datum(out, |bytes| whole(bytes, ",\"Value\":", *sum)),
            Points::Gauge { count: 0, .. } => Ok(()),
            Points::Gauge { last, count: 1, .. } => edges.datum(out, |bytes| value(bytes, *last)),
            Points::Gauge { min, max, sum, count, .. } => {
                edges.datum(out, |bytes| statistics(bytes, *min, *max, *sum, *count))
            }
            Points::Histogram(distribution) => {
                let told = distribution.values();
                told.chunks(VALUES_MAX).try_for_each(|part| edges.datum(out, |bytes| values(bytes, part)))
            }
        }
    }

    fn send(&mut self, batch: &Batch, net: &mut Net) -> Verdict {
        let verdict = match self.put(batch, net) {
            Ok(answer) => self.told(&answer, batch.len(), net),
            Err(verdict) => verdict,
        };
        settle(verdict, &mut self.client)
    }

    fn another(&self) -> Option<Box<dyn Backend>> {
        let (client, head) = (self.client.another(), self.head.clone());
        Some(Box::new(Open { client, head, gzip_bytes_min: self.gzip_bytes_min }))
    }
}

impl Open {
    fn put(&mut self, batch: &Batch, net: &mut Net) -> Result<Response, Verdict> {
        const PLAIN: &[(&str, &str)] = &[("x-amzn-query-mode", "true")];
        const ZIPPED: &[(&str, &str)] = &[("x-amzn-query-mode", "true"), ("content-encoding", "gzip")];
        let mut body = body(&self.head, batch);
        let zip = self.gzip_bytes_min.is_some_and(|min| body.len() >= min);
        if zip {
            body = gzip(&body);
        }
        let call = Call {
            target: "GraniteServiceVersion20100801.PutMetricData",
            content_type: "application/x-amz-json-1.0",
            headers: if zip { ZIPPED } else { PLAIN },
            body,
        };
        self.client.call(net, &call).map_err(failed)
    }

    fn told(&self, answer: &Response, items: usize, net: &Net) -> Verdict {
        let unix_s = i64::try_from(net.current().unix_ns / 1_000_000_000).unwrap_or(i64::MAX);
        let verdict = judge(answer, unix_s, items);
        if let (Verdict::Delivered, Some(message)) = (&verdict, answer.header("x-amzn-failure-message")) {
            let text = format!("cloudwatch: metrics are kept, but the service says {message}");
            diag::warn("cloudwatch failure message", net.current(), &text);
        }
        bisect(verdict, &Fault::of(answer).code, items)
    }
}

/// What every datum of a record begins and ends with.
struct Edges {
    head: Vec<u8>,
    tail: Vec<u8>,
}

impl Edges {
    fn of(metric: &Metric<'_>, unix_s: u64) -> Result<Edges, EncodeError> {
        let mut head = b"{\"MetricName\":".to_vec();
        json::string(&mut head, &metric_name(&metric.name));
        for (index, (name, value)) in dimensions(&metric.dimensions)?.iter().enumerate() {
            head.extend_from_slice(if index == 0 { b",\"Dimensions\":[{\"Name\":" } else { b",{\"Name\":" });
            json::string(&mut head, name);
            head.extend_from_slice(b",\"Value\":");
            json::string(&mut head, value);
            head.push(b'}');
        }
        if !metric.dimensions.is_empty() {
            head.push(b']');
        }
        head.extend_from_slice(b",\"Timestamp\":");
        json::number_u64(&mut head, unix_s); // seconds, whatever the model's text says of milliseconds
        let mut tail = Vec::new();
        if metric.unit != Unit::None {
            tail.extend_from_slice(b",\"Unit\":");
            json::string(&mut tail, metric.unit.name());
        }
        if metric.resolution == Resolution::High {
            tail.extend_from_slice(b",\"StorageResolution\":1");
        }
        tail.push(b'}');
        Ok(Edges { head, tail })
    }

    fn datum(&self, out: &mut Items, points: impl FnOnce(&mut Vec<u8>)) -> Result<(), EncodeError> {
        out.push(|bytes| {
            bytes.extend_from_slice(&self.head);
            points(bytes);
            bytes.extend_from_slice(&self.tail);
            Ok(())
        })
    }
}

fn value(out: &mut Vec<u8>, value: f64) {
    member(out, ",\"Value\":", value);
}

fn statistics(out: &mut Vec<u8>, min: f64, max: f64, sum: f64, count: u64) {
    whole(out, ",\"StatisticValues\":{\"SampleCount\":", count);
    member(out, ",\"Sum\":", sum);
    member(out, ",\"Minimum\":", min);
    member(out, ",\"Maximum\":", max);
    out.push(b'}');
}

/// Distinct values and how often each was observed; the service takes 1 for counts that are left out.
fn values(out: &mut Vec<u8>, part: &[(f64, u64)]) {
    for (index, (value, _)) in part.iter().enumerate() {
        member(out, if index == 0 { ",\"Values\":[" } else { "," }, *value);
    }
    out.push(b']');
    if part.iter().all(|(_, count)| *count == 1) {
        return;
    }
    for (index, (_, count)) in part.iter().enumerate() {
        whole(out, if index == 0 { ",\"Counts\":[" } else { "," }, *count);
    }
    out.push(b']');
}

fn member(out: &mut Vec<u8>, key: &str, value: f64) {
    out.extend_from_slice(key.as_bytes());
    json::number_f64(out, value);
}

fn whole(out: &mut Vec<u8>, key: &str, value: u64) {
    out.extend_from_slice(key.as_bytes());
    json::number_u64(out, value);
}

fn head(namespace: &str) -> Vec<u8> {
    let mut head = b"{\"Namespace\":".to_vec();
    json::string(&mut head, namespace);
    head.extend_from_slice(b",\"MetricData\":[");
    head
}

fn body(head: &[u8], batch: &Batch) -> Vec<u8> {
    let mut body = Vec::with_capacity(head.len() + batch.bytes() + batch.len() + END.len());
    body.extend_from_slice(head);
    for (index, (_, datum)) in batch.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        body.extend_from_slice(datum);
    }
    body.extend_from_slice(END);
    body
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::default());
    // Writing into memory cannot fail.
    let _ = encoder.write_all(body);
    encoder.finish().unwrap_or_default()
}

/// The switches of AWS's SDKs; a size that is no number is left alone, as they do.
fn gzip_bytes_min(context: &Context) -> Option<usize> {
    let disabled = (context.var)("AWS_DISABLE_REQUEST_COMPRESSION");
    let size = (context.var)("AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES");
    let on = !disabled.is_some_and(|value| value.trim().eq_ignore_ascii_case("true"));
    on.then(|| size.and_then(|size| size.trim().parse().ok()).unwrap_or(GZIP_BYTES_MIN))
}

#[cfg(test)]
mod tests;
