//! The embedded metric format: each metric record becomes one JSON line that CloudWatch Logs turns into metrics, each
//! log record a plain JSON line. To stdout, where Lambda, the ECS log drivers and the agents read it, or straight into
//! a log group.
//!
//! A counter is a number. What the published specification has no words for, a distribution, is an object of `Values`
//! and `Counts`, at most 100 of each, and a gauge that was set more than once is an object of `Max`, `Min`, `Count`
//! and `Sum`. The specification of 2023 knows numbers and arrays alone; the objects are what Amazon's own writers emit
//! (the `awsemfexporter` of the OpenTelemetry collector, and `metrique-writer-format-emf` 0.1.26) and what CloudWatch
//! takes from them. This was not tried against the service here.

use std::io::{self, Write};

use super::aws::{Carry, Destination, Dimensions, carry_to_logs, dimensions, metric_name, namespace, points};
use super::{Backend, Configure, Context, EncodeError, Verdict};
use crate::chunk::{Batch, Items};
use crate::encode::json;
use crate::error::Error;
use crate::limits::{Limits, Oversize};
use crate::model::{Body, Metric, Points, Record, Resolution, Signal};
use crate::net::Net;

const TARGET: &str = "OPS_EMF_TARGET";
/// Numbers in the target of a metric (EMF specification).
const VALUES_MAX: usize = 100;
/// Characters of a dimension's name (EMF schema); CloudWatch itself takes 255.
const KEY_MAX: usize = 250;
/// The member that names the correlation of the largest value.
const EXEMPLAR: &str = "exemplar";
/// Bytes of one line: what CloudWatch Logs takes as one event.
const LINE_BYTES_MAX: usize = 1_048_550;

/// Where the lines go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmfTarget {
    /// To stdout, a batch at a time, flushed.
    Stdout,
    /// Into a log group, as the backend `cloudwatch-logs` does and with its settings. Needs its feature.
    Logs,
}

/// Settings of the backend `emf`. What is not set here comes from the environment, see each method.
#[derive(Debug, Clone, Default)]
pub struct Emf {
    target: Option<EmfTarget>,
    namespace: Option<String>,
    told: Destination,
}

impl Emf {
    /// Everything from the environment, or by default.
    #[must_use]
    pub fn new() -> Emf {
        Emf::default()
    }

    /// Where the lines go; else `OPS_EMF_TARGET` (`stdout` or `logs`), or stdout.
    #[must_use]
    pub fn target(mut self, target: EmfTarget) -> Emf {
        self.target = Some(target);
        self
    }

    /// The namespace; else that of the process (`OPS_NAMESPACE`).
    #[must_use]
    pub fn namespace(mut self, namespace: impl Into<String>) -> Emf {
        self.namespace = Some(namespace.into());
        self
    }

    /// With target logs, the log group; else `OPS_CLOUDWATCH_LOGS_GROUP`, or `/ops/<namespace>`.
    #[must_use]
    pub fn group(mut self, name: impl Into<String>) -> Emf {
        self.told.group = Some(name.into());
        self
    }

    /// With target logs, the log stream; else `OPS_CLOUDWATCH_LOGS_STREAM`, or `<host>/<process>`.
    #[must_use]
    pub fn stream(mut self, name: impl Into<String>) -> Emf {
        self.told.stream = Some(name.into());
        self
    }

    /// With target logs, the region; else `AWS_REGION`, `AWS_DEFAULT_REGION`, or the profile's.
    #[must_use]
    pub fn region(mut self, region: impl Into<String>) -> Emf {
        self.told.region = Some(region.into());
        self
    }

    /// With target logs, the endpoint's URL; else as for `cloudwatch-logs`.
    #[must_use]
    pub fn endpoint(mut self, url: impl Into<String>) -> Emf {
        self.told.endpoint = Some(url.into());
        self
    }

    fn chosen_target(&self, context: &Context) -> Result<EmfTarget, Error> {
        let variable = (context.var)(TARGET).unwrap_or_default();
        match (self.target, variable.trim()) {
            (Some(target), _) => Ok(target),
            (None, "" | "stdout") => Ok(EmfTarget::Stdout),
            (None, "logs") => Ok(EmfTarget::Logs),
            (None, other) => {
                Err(Error::setting(TARGET, format!("\"{other}\" is no target"), "use stdout or logs"))
            }
        }
    }
}

impl Configure for Emf {
    fn open(self: Box<Self>, context: &Context) -> Result<Box<dyn Backend>, Error> {
        let name = self.namespace.as_deref().unwrap_or(&context.namespace);
        namespace(name)?;
        let carrier: Box<dyn Carry> = match self.chosen_target(context)? {
            EmfTarget::Stdout => Box::new(Lines::new(io::stdout())),
            EmfTarget::Logs => carry_to_logs(&self.told, context)?,
        };
        let dimensions = context.dimensions.clone();
        let line_bytes_max = carrier.limits().under(context.push_limit).item_bytes_max;
        Ok(Box::new(Open { carrier, namespace: name.to_owned(), dimensions, line_bytes_max }))
    }

    fn again(&self) -> Option<Box<dyn Configure>> {
        Some(Box::new(self.clone()))
    }
}

struct Open {
    carrier: Box<dyn Carry>,
    namespace: String,
    /// Those of the process, which every log line carries.
    dimensions: Vec<(String, String)>,
    /// A metric's line that is longer is refused: in parts it would be no metric.
    line_bytes_max: usize,
}

impl Backend for Open {
    fn id(&self) -> &str {
        "emf"
    }

    fn limits(&self) -> Limits {
        self.carrier.limits()
    }

    fn accepts(&self, signal: Signal) -> bool {
        matches!(signal, Signal::Metric | Signal::Log)
    }

    fn encode(&mut self, record: &Record<'_>, out: &mut Items) -> Result<(), EncodeError> {
        let Body::Metric(metric) = &record.body else {
            return out.push(|bytes| {
                json::line(bytes, record, &self.dimensions);
                Ok(())
            });
        };
        points(&metric.points)?;
        let line = Line::of(&self.namespace, metric, record, self.line_bytes_max)?;
        match &metric.points {
            Points::Counter { sum } => line.write(out, |bytes| json::number_u64(bytes, *sum)),
            Points::Gauge { count: 0, .. } => Ok(()),
            Points::Gauge { last, count: 1, .. } => line.write(out, |bytes| json::number_f64(bytes, *last)),
            Points::Gauge { min, max, sum, count, .. } => line.write(out, |bytes| {
                bytes.push(b'{');
                statistics(bytes, *min, *max, *sum, *count);
            }),
            Points::Histogram(distribution) => {
                let told = distribution.values();
                let mut parts = told.chunks(VALUES_MAX).peekable();
                while let Some(part) = parts.next() {
                    // The largest value is in the last part.
                    let exemplar = line.exemplar.filter(|_| parts.peek().is_none());
                    line.write(out, |bytes| {
                        values(bytes, part);
                        self::exemplar(bytes, exemplar);
                    })?;
                }
                Ok(())
            }
        }
    }

    fn send(&mut self, batch: &Batch, net: &mut Net) -> Verdict {
        self.carrier.send(batch, net)
    }

    fn another(&self) -> Option<Box<dyn Backend>> {
        let carrier = self.carrier.another()?;
        let (namespace, dimensions) = (self.namespace.clone(), self.dimensions.clone());
        Some(Box::new(Open { carrier, namespace, dimensions, line_bytes_max: self.line_bytes_max }))
    }
}

/// What every line of a record begins with: everything up to the target's value.
struct Line {
    head: Vec<u8>,
    bytes_max: usize,
    /// Of the largest value, unless its name is taken.
    exemplar: Option<u128>,
}

impl Line {
    fn of(
        namespace: &str,
        metric: &Metric<'_>,
        record: &Record<'_>,
        bytes_max: usize,
    ) -> Result<Line, EncodeError> {
        let (name, dimensions) = (metric_name(&metric.name), dimensions(&metric.dimensions)?);
        let taken = |key: &str| key == "_aws" || dimensions.iter().any(|(dimension, _)| dimension == key);
        if taken(&name) || dimensions.iter().any(|(dimension, _)| dimension == "_aws") {
            return Err(EncodeError(format!(
                "EMF keeps names in one object, and \"{name}\" would be there twice"
            )));
        }
        if let Some((long, _)) = dimensions.iter().find(|(dimension, _)| dimension.len() > KEY_MAX) {
            return Err(EncodeError(format!(
                "EMF takes dimension names of {KEY_MAX} characters, not \"{long}\""
            )));
        }
        let mut head = b"{\"_aws\":{\"Timestamp\":".to_vec();
        json::number_u64(&mut head, record.time_ms());
        head.extend_from_slice(b",\"CloudWatchMetrics\":[{\"Namespace\":");
        json::string(&mut head, namespace);
        directive(&mut head, &name, metric, &dimensions);
        for (dimension, value) in &dimensions {
            json::string(&mut head, dimension);
            head.push(b':');
            json::string(&mut head, value);
            head.push(b',');
        }
        json::string(&mut head, &name);
        head.push(b':');
        let exemplar = match &metric.points {
            Points::Histogram(distribution) if name != EXEMPLAR && !taken(EXEMPLAR) => distribution.exemplar,
            _ => None,
        };
        Ok(Line { head, bytes_max, exemplar })
    }

    fn write(&self, out: &mut Items, target: impl FnOnce(&mut Vec<u8>)) -> Result<(), EncodeError> {
        out.push(|bytes| {
            let start = bytes.len();
            bytes.extend_from_slice(&self.head);
            target(bytes);
            bytes.push(b'}');
            match bytes.len() - start {
                long if long > self.bytes_max => {
                    Err(EncodeError(format!("a line of {long} bytes cannot be split")))
                }
                _ => Ok(()),
            }
        })
    }
}

/// The rest of the directive, and the end of `_aws`.
fn directive(out: &mut Vec<u8>, name: &str, metric: &Metric<'_>, dimensions: &Dimensions<'_>) {
    out.extend_from_slice(b",\"Dimensions\":[[");
    for (index, (dimension, _)) in dimensions.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        json::string(out, dimension);
    }
    out.extend_from_slice(b"]],\"Metrics\":[{\"Name\":");
    json::string(out, name);
    out.extend_from_slice(b",\"Unit\":");
    json::string(out, metric.unit.name());
    if metric.resolution == Resolution::High {
        out.extend_from_slice(b",\"StorageResolution\":1");
    }
    out.extend_from_slice(b"}]}]},");
}

/// Values in rising order, how often each was observed, and the statistics of them alone: a distribution over several
/// lines adds up in CloudWatch.
fn values(out: &mut Vec<u8>, part: &[(f64, u64)]) {
    let count = part.iter().fold(0_u64, |all, (_, count)| all.saturating_add(*count));
    let sum = part.iter().map(|(value, count)| value * *count as f64).sum();
    let (min, max) = (part.first().map_or(0.0, |first| first.0), part.last().map_or(0.0, |last| last.0));
    for (index, (value, _)) in part.iter().enumerate() {
        out.extend_from_slice(if index == 0 { b"{\"Values\":[" } else { b"," });
        json::number_f64(out, *value);
    }
    for (index, (_, count)) in part.iter().enumerate() {
        out.extend_from_slice(if index == 0 { b"],\"Counts\":[" } else { b"," });
        json::number_u64(out, *count);
    }
    out.extend_from_slice(b"],");
    statistics(out, min, max, sum, count);
}

/// A member that is neither metric nor dimension: it is in the log group, to be searched for, and nowhere else.
fn exemplar(out: &mut Vec<u8>, exemplar: Option<u128>) {
    if let Some(exemplar) = exemplar {
        out.push(b',');
        json::string(out, EXEMPLAR);
        out.push(b':');
        json::string(out, &format!("{exemplar:032x}"));
    }
}

/// The members of a statistic set, and the end of its object.
fn statistics(out: &mut Vec<u8>, min: f64, max: f64, sum: f64, count: u64) {
    out.extend_from_slice(b"\"Max\":");
    json::number_f64(out, max);
    out.extend_from_slice(b",\"Min\":");
    json::number_f64(out, min);
    out.extend_from_slice(b",\"Count\":");
    json::number_u64(out, count);
    out.extend_from_slice(b",\"Sum\":");
    json::number_f64(out, sum);
    out.push(b'}');
}

/// Lines on a stream that somebody reads.
struct Lines<W> {
    to: W,
    /// The last batch broke off, perhaps within a line.
    torn: bool,
    buffer: Vec<u8>,
}

impl<W: Write + Send> Lines<W> {
    fn new(to: W) -> Lines<W> {
        Lines { to, torn: false, buffer: Vec::new() }
    }
}

impl<W: Write + Send> Carry for Lines<W> {
    /// Not a push: only a line has a size, that of an event in CloudWatch Logs. What is written at once is bounded so
    /// that other writers of the process get their turn.
    fn limits(&self) -> Limits {
        Limits {
            push_bytes_max: 4 * LINE_BYTES_MAX,
            envelope_bytes: 0,
            push_items_max: 10_000,
            item_bytes_max: LINE_BYTES_MAX,
            item_overhead_bytes: 1, // the newline
            span_ms_max: None,
            age_ms_max: None,
            ahead_ms_max: None,
            ordered: false,
            push: false,
            oversize: Oversize::Split,
        }
    }

    /// Writes the batch in one piece. A reader that went away, or does not read, is waited out.
    fn send(&mut self, batch: &Batch, _net: &mut Net) -> Verdict {
        self.buffer.clear();
        if self.torn {
            self.buffer.push(b'\n');
        }
        for (_, line) in batch.iter() {
            self.buffer.extend_from_slice(line);
            self.buffer.push(b'\n');
        }
        let written = self.to.write_all(&self.buffer).and_then(|()| self.to.flush());
        self.torn = written.is_err();
        match written {
            Ok(()) => Verdict::Delivered,
            Err(error) => Verdict::Retry { after: None, why: format!("cannot write to stdout: {error}") },
        }
    }
}

#[cfg(test)]
mod tests;
