//! The embedded metric format: each metric record becomes one JSON line that CloudWatch Logs turns into metrics, each
//! log record a plain JSON line. To stdout, where Lambda, the ECS log drivers and the agents read it, straight into a
//! log group, or to the CloudWatch agent's port. On the way out, lines that differ in their metric alone become one line
//! of up to 100 metrics.
//!
//! A counter is a number. What the published specification has no words for, a distribution, is an object of `Values`
//! and `Counts`, at most 100 of each, and a gauge that was set more than once is an object of `Max`, `Min`, `Count`
//! and `Sum`. The specification of 2023 knows numbers and arrays alone; the objects are what Amazon's own writers emit
//! (the `awsemfexporter` of the OpenTelemetry collector, and `metrique-writer-format-emf` 0.1.26) and what CloudWatch
//! takes from them. This was not tried against the service here.

mod agent;
mod combine;
mod line;
mod stdout;

use std::io;

use self::agent::{AGENT, Agent};
use self::combine::combine;
use self::line::Line;
use self::stdout::Lines;
use super::aws::{
    Carry, Destination, Place, Sets, carry_to_logs, context_without_key, namespace, points, without_key,
};
use super::shared::setting;
use super::{Backend, Configure, Context, EncodeError, Verdict};
use crate::chunk::{Batch, Items};
use crate::encode::json;
use crate::error::Error;
use crate::limits::Limits;
use crate::model::{Body, Record, Signal};
use crate::net::Net;

const TARGET: &str = "OPS_EMF_TARGET";
const SETS: &str = "OPS_EMF_DIMENSION_SETS";
/// Where Amazon's own libraries look for the agent.
const AGENT_VAR: &str = "AWS_EMF_AGENT_ENDPOINT";
/// The member that makes metrics of a line.
const METADATA: &str = "_aws";
/// Bytes of one line: what CloudWatch Logs takes as one event.
const LINE_BYTES_MAX: usize = 1_048_550;

/// Where the lines go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EmfTarget {
    /// To stdout, a batch at a time, flushed.
    Stdout,
    /// Into a log group, as the backend `cloudwatch-logs` does and with its settings. Needs its feature.
    Logs,
    /// To the CloudWatch agent at this address, as in `tcp://127.0.0.1:25888` or `udp://127.0.0.1:25888`.
    Agent(String),
}

/// Settings of the backend `emf`. What is not set here comes from the environment, see each method.
#[derive(Debug, Clone, Default)]
pub struct Emf {
    target: Option<EmfTarget>,
    namespace: Option<String>,
    sets: Vec<Vec<String>>,
    told: Destination,
}

impl Emf {
    /// Everything from the environment, or by default.
    #[must_use]
    pub fn new() -> Emf {
        Emf::default()
    }

    /// Where the lines go; else `OPS_EMF_TARGET` (`stdout`, `logs`, `tcp://…`, `udp://…`, or `agent` for what
    /// `AWS_EMF_AGENT_ENDPOINT` says, `tcp://127.0.0.1:25888` unless set), or stdout.
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

    /// One set of the process's dimensions by which every metric is told, beside the sets named before; else
    /// `OPS_EMF_DIMENSION_SETS` (`Service,Host;Service;-`, a dash for none of them), or one set of all. Each set is a
    /// series of its own, with the dimensions of the call site in all of them.
    #[must_use]
    pub fn dimension_set<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Emf {
        self.sets.push(names.into_iter().map(Into::into).collect());
        self
    }

    /// With target logs or an agent, the log group; else `OPS_CLOUDWATCH_LOGS_GROUP`, or `/ops/<namespace>`.
    #[must_use]
    pub fn group(mut self, name: impl Into<String>) -> Emf {
        self.told.group = Some(name.into());
        self
    }

    /// With target logs or an agent, the log stream; else `OPS_CLOUDWATCH_LOGS_STREAM`, or `<host>/<process>`.
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
        let variable = setting(None, TARGET, context).unwrap_or_default();
        match (&self.target, variable.as_str()) {
            (Some(target), _) => Ok(target.clone()),
            (None, "" | "stdout") => Ok(EmfTarget::Stdout),
            (None, "logs") => Ok(EmfTarget::Logs),
            (None, "agent") => {
                let told = setting(None, AGENT_VAR, context);
                Ok(EmfTarget::Agent(told.unwrap_or_else(|| AGENT.to_owned())))
            }
            (None, url) if url.contains("://") => Ok(EmfTarget::Agent(url.to_owned())),
            (None, other) => {
                let problem = format!("\"{}\" is no target", other.escape_debug());
                Err(Error::setting(
                    TARGET,
                    problem,
                    "use stdout, logs, agent, or tcp:// or udp:// and an address",
                ))
            }
        }
    }
}

impl Configure for Emf {
    fn open(self: Box<Self>, context: &Context) -> Result<Box<dyn Backend>, Error> {
        let name = self.namespace.as_deref().unwrap_or(&context.namespace);
        namespace(name)?;
        let sets = Sets::find(&self.sets, SETS, context)?;
        let carrier: Box<dyn Carry> = match self.chosen_target(context)? {
            EmfTarget::Stdout => Box::new(Lines::new(io::stdout())),
            EmfTarget::Logs => carry_to_logs(&self.told, context)?,
            EmfTarget::Agent(url) => Box::new(Agent::open(&url, &Place::find(&self.told, context)?)?),
        };
        let dimensions = context_without_key(&context.dimensions, METADATA);
        let line_bytes_max = carrier.limits().under(context.push_limit).item_bytes_max;
        Ok(Box::new(Open { carrier, namespace: name.to_owned(), dimensions, sets, line_bytes_max }))
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
    sets: Sets,
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
            // A field of that name would be metadata that mean nothing.
            let renamed = without_key(record, METADATA);
            return out.push(|bytes| {
                json::line(bytes, renamed.as_ref().unwrap_or(record), &self.dimensions);
                Ok(())
            });
        };
        points(&metric.points)?;
        let sets = self.sets.kept(&metric.dimensions);
        let line = Line::of(&self.namespace, metric, record.time_ms(), self.line_bytes_max, sets.as_deref())?;
        line.points(out, &metric.points)
    }

    fn send(&mut self, batch: &Batch, net: &mut Net) -> Verdict {
        let combined = combine(batch, self.line_bytes_max);
        combined.told(self.carrier.send(&combined.batch, net))
    }

    fn another(&self) -> Option<Box<dyn Backend>> {
        let carrier = self.carrier.another()?;
        let (namespace, dimensions) = (self.namespace.clone(), self.dimensions.clone());
        let (sets, line_bytes_max) = (self.sets.clone(), self.line_bytes_max);
        Some(Box::new(Open { carrier, namespace, dimensions, sets, line_bytes_max }))
    }
}

#[cfg(test)]
mod tests;
