//! CloudWatch metrics: each metric record becomes one datum, or several where a histogram has more than 150 distinct
//! values, through PutMetricData in its JSON protocol.
//!
//! One bad datum fails the whole call, so a call that is refused for its parameters is halved until the bad datum
//! stands alone and is refused alone. The service has no idempotency token: a call whose answer was lost and that is
//! sent again adds its samples again; this is the one place where delivery is more than once.
//!
//! CloudWatch has an OTLP endpoint for metrics as well: `OPS_CLOUDWATCH_OTLP=1`, and what the backend `otlp` makes of them
//! goes there.
//!
//! A datum has no place for an exemplar, the correlation of a histogram's largest value: it is not told here.
//!
//! Names and values that CloudWatch would refuse are made to fit, see [`super::aws`].

mod datum;
mod over_otlp;

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use self::datum::{Time, data};
use super::aws::{
    EntityForm, EntityTold, Sets, are_rising, bisect, check_dimensions, entity, failed, judge, namespace,
    points, settle,
};
use super::shared::{setting, yes_or_no};
use super::{Backend, Configure, Context, EncodeError, Verdict};
use crate::chunk::{Batch, Items};
use crate::diag;
use crate::encode::json::{self, RoomBytes};
use crate::error::Error;
use crate::limits::{Limits, Oversize};
use crate::model::{Body, Record, Signal};
use crate::net::aws::{Call, Client, Fault, Service, Settings};
use crate::net::{Net, Response};

const SERVICE: Service = Service {
    signing_name: "monitoring",
    host_prefix: "monitoring",
    variable: "CLOUDWATCH",
    gov_dualstack_is_fips: true,
};

/// Bodies from this size on are compressed, as AWS's SDKs do (`AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES`).
const GZIP_BYTES_MIN: usize = 10_240;
const ID: &str = "cloudwatch";
const SETS: &str = "OPS_CLOUDWATCH_DIMENSION_SETS";
const OTLP: &str = "OPS_CLOUDWATCH_OTLP";
/// Of an entity: `EntityKeyAttributesMap` and `EntityAttributesMap` in `cloudwatch/2010-08-01`, botocore 1.44.5.
const ENTITY: EntityForm = EntityForm {
    variable: "OPS_CLOUDWATCH_ENTITY",
    attributes_variable: "OPS_CLOUDWATCH_ENTITY_ATTRIBUTES",
    members: ["KeyAttributes", "Attributes"],
    value_max: 2_048,
};

/// Settings of the backend `cloudwatch`. What is not set here comes from the environment, see each method.
#[derive(Debug, Clone, Default)]
pub struct CloudWatch {
    settings: Settings,
    namespace: Option<String>,
    sets: Vec<Vec<String>>,
    entity: EntityTold,
    otlp: Option<bool>,
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

    /// One set of the process's dimensions by which every metric is told, beside the sets named before; else
    /// `OPS_CLOUDWATCH_DIMENSION_SETS` (`Service,Host;Service;-`, a dash for none of them), or one set of all. Each set
    /// is a series of its own, with the dimensions of the call site in all of them.
    #[must_use]
    pub fn dimension_set<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> CloudWatch {
        self.sets.push(names.into_iter().map(Into::into).collect());
        self
    }

    /// A key attribute of the entity that the metrics are of, two to four of `Type`, `ResourceType`, `Identifier`,
    /// `Name` and `Environment`; else `OPS_CLOUDWATCH_ENTITY` (`Type=Service,Name=checkout,Environment=prod`). With no
    /// key attribute there is no entity.
    #[must_use]
    pub fn entity_key(mut self, name: impl Into<String>, value: impl Into<String>) -> CloudWatch {
        self.entity.keys.push((name.into(), value.into()));
        self
    }

    /// Another attribute of the entity, ten at most; else `OPS_CLOUDWATCH_ENTITY_ATTRIBUTES`.
    #[must_use]
    pub fn entity_attribute(mut self, name: impl Into<String>, value: impl Into<String>) -> CloudWatch {
        self.entity.attributes.push((name.into(), value.into()));
        self
    }

    /// Whether metrics go to CloudWatch's OTLP endpoint (`/v1/metrics`, signed) and not through PutMetricData; else
    /// `OPS_CLOUDWATCH_OTLP` (1 or 0), or no. They are then as the backend `otlp` makes them, with the process's dimensions
    /// as attributes of the resource: there is no namespace, there are no dimension sets and no entity. Needs the feature
    /// `otlp`.
    #[must_use]
    pub fn otlp(mut self, otlp: bool) -> CloudWatch {
        self.otlp = Some(otlp);
        self
    }

    fn open_otlp(&self, context: &Context) -> Result<Box<dyn Backend>, Error> {
        let given = |told: bool, variable| told || setting(None, variable, context).is_some();
        for (is_given, name) in [
            (self.namespace.is_some(), ".namespace(..)"),
            (given(!self.sets.is_empty(), SETS), SETS),
            (given(!self.entity.keys.is_empty(), ENTITY.variable), ENTITY.variable),
        ] {
            if is_given {
                let problem = "CloudWatch's OTLP endpoint has no place for it";
                let remedy = "leave it out, or tell metrics through PutMetricData (OPS_CLOUDWATCH_OTLP=0)";
                return Err(Error::setting(name, problem, remedy));
            }
        }
        over_otlp::open(&self.settings, context)
    }
}

impl Configure for CloudWatch {
    fn open(self: Box<Self>, context: &Context) -> Result<Box<dyn Backend>, Error> {
        if yes_or_no(self.otlp, OTLP, false, context)? {
            return self.open_otlp(context);
        }
        let name = self.namespace.as_deref().unwrap_or(&context.namespace);
        namespace(name)?;
        let sets = Sets::find(&self.sets, SETS, context)?;
        let envelope = Envelope::of(name, entity(&self.entity, &ENTITY, context)?.as_deref());
        let client = Client::open(SERVICE, &self.settings, &context.var)?;
        let gzip_bytes_min = gzip_bytes_min(context);
        let (room, time) = (json::room(), Time::default());
        Ok(Box::new(Open { client, envelope, sets, room, time, gzip_bytes_min }))
    }

    fn again(&self) -> Option<Box<dyn Configure>> {
        Some(Box::new(self.clone()))
    }
}

struct Open {
    client: Client,
    envelope: Envelope,
    sets: Sets,
    /// Where data are put together.
    room: Box<RoomBytes>,
    time: Time,
    /// Bodies from this size on are compressed; `None` never.
    gzip_bytes_min: Option<usize>,
}

impl Backend for Open {
    fn id(&self) -> &str {
        ID
    }

    /// PutMetricData takes 1 MB and 1,000 metrics (`cloudwatch/2010-08-01`, botocore 1.44.5). The model does not say
    /// whether it counts before compression or after, so this counts before. From two weeks back to two hours ahead.
    fn limits(&self) -> Limits {
        const HOUR_MS: u64 = 3_600_000;
        let envelope_bytes = self.envelope.bytes();
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
        // Names in rising order, as the arena has them, differ as long as none has to be made to fit.
        if !are_rising(&metric.dimensions) {
            check_dimensions(&metric.dimensions)?;
        }
        let time = self.time.set(record.time_ns / 1_000_000_000);
        match self.sets.kept(&metric.dimensions) {
            None => data(out, &mut self.room, metric, time, |_| true),
            Some(sets) => sets
                .iter()
                .try_for_each(|set| data(out, &mut self.room, metric, time, |at| set.contains(&at))),
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
        let (client, envelope) = (self.client.another(), self.envelope.clone());
        Some(Box::new(Open {
            client,
            envelope,
            sets: self.sets.clone(),
            room: json::room(),
            time: Time::default(),
            gzip_bytes_min: self.gzip_bytes_min,
        }))
    }
}

impl Open {
    fn put(&mut self, batch: &Batch, net: &mut Net) -> Result<Response, Verdict> {
        const PLAIN: &[(&str, &str)] = &[("x-amzn-query-mode", "true")];
        const ZIPPED: &[(&str, &str)] = &[("x-amzn-query-mode", "true"), ("content-encoding", "gzip")];
        let mut body = self.envelope.around(batch);
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
        self.client.call(net, call).map_err(failed)
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

/// What stands around the data in a body.
#[derive(Clone)]
struct Envelope {
    head: Vec<u8>,
    end: &'static [u8],
}

impl Envelope {
    /// Data of an entity stand in `EntityMetricData`, of which a body takes two; without strict validation an entity that
    /// is refused costs no data.
    fn of(namespace: &str, entity: Option<&[u8]>) -> Envelope {
        let mut head = b"{\"Namespace\":".to_vec();
        json::string(&mut head, namespace);
        let Some(entity) = entity else {
            head.extend_from_slice(b",\"MetricData\":[");
            return Envelope { head, end: b"]}" };
        };
        head.extend_from_slice(b",\"StrictEntityValidation\":false,\"EntityMetricData\":[{\"Entity\":");
        head.extend_from_slice(entity);
        head.extend_from_slice(b",\"MetricData\":[");
        Envelope { head, end: b"]}]}" }
    }

    fn bytes(&self) -> usize {
        self.head.len() + self.end.len()
    }

    /// The body of a batch.
    fn around(&self, batch: &Batch) -> Vec<u8> {
        let mut body = Vec::with_capacity(self.bytes() + batch.bytes() + batch.len());
        body.extend_from_slice(&self.head);
        for (index, (_, datum)) in batch.iter().enumerate() {
            if index > 0 {
                body.push(b',');
            }
            body.extend_from_slice(datum);
        }
        body.extend_from_slice(self.end);
        body
    }
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
