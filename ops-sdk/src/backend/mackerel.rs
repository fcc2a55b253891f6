//! Mackerel: metrics as service metrics or as a host's custom metrics, one request a minute however many there are; checks
//! as check reports of a host; audit records of chosen actions as graph annotations.
//!
//! Mackerel keeps one value of a name and minute, the last that was posted. So what falls into one minute is merged here
//! before it is posted, also with what was posted of that minute already: a counter's sum is the sum. Posting a value
//! again changes nothing. Values older than 24 hours Mackerel drops and says that all is well: they are refused here.
//!
//! Downtimes and annotations for maintenance have calls of their own, see [`Mackerel::begin_downtime`].

mod api;
mod graphs;
mod minutes;
mod names;
mod notes;
mod sender;
mod series;

use std::time::Duration;

use self::graphs::Graphs;
use self::minutes::Minutes;
use self::names::{Names, service_name};
use self::notes::{ANNOTATION, REPORT};
use self::sender::Sender;
use super::shared::{Outcome, Secret, setting, settle, why, yes_or_no};
use super::{Backend, Configure, Context, EncodeError, Pacing, Refusal, Verdict};
use crate::chunk::{Batch, Items};
use crate::diag;
use crate::error::Error;
use crate::ledger::Loss;
use crate::limits::{Limits, Oversize};
use crate::model::{Body, Record, Signal};
use crate::net::Net;

pub use self::api::{Annotation, Downtime, MackerelError};

const SERVICE: &str = "OPS_MACKEREL_SERVICE";
const HOST: &str = "OPS_MACKEREL_HOST_ID";
const EVERY: &str = "OPS_MACKEREL_EVERY_S";
const MINUTE_MS: u64 = 60_000;
/// Reports of one request (mackerel.io/api-docs/entry/check-monitoring).
const REPORTS_MAX: usize = 100;

/// Settings of the backend `mackerel`. What is not set here comes from the environment, see each method.
#[derive(Debug, Clone, Default)]
pub struct Mackerel {
    api_key: Option<Secret>,
    endpoint: Option<String>,
    service: Option<String>,
    host_id: Option<String>,
    prefix: Option<String>,
    annotate: Option<String>,
    graph_definitions: Option<bool>,
    every: Option<Duration>,
}

impl Mackerel {
    /// Everything from the environment, or by default.
    #[must_use]
    pub fn new() -> Mackerel {
        Mackerel::default()
    }

    /// The API key, with the rights to read and write; else `OPS_MACKEREL_API_KEY`, `MACKEREL_APIKEY`.
    #[must_use]
    pub fn api_key(mut self, key: impl Into<String>) -> Mackerel {
        self.api_key = Some(Secret::new(key));
        self
    }

    /// The API's URL; else `OPS_MACKEREL_ENDPOINT`, `MACKEREL_APIBASE`, or `https://api.mackerelio.com`.
    #[must_use]
    pub fn endpoint(mut self, url: impl Into<String>) -> Mackerel {
        self.endpoint = Some(url.into());
        self
    }

    /// The service whose metrics these are, and which annotations are for; else `OPS_MACKEREL_SERVICE`. It has to be there.
    #[must_use]
    pub fn service(mut self, name: impl Into<String>) -> Mackerel {
        self.service = Some(name.into());
        self
    }

    /// The id of the host whose custom metrics and checks these are; else `OPS_MACKEREL_HOST_ID`. Metrics go to the host
    /// where there is one, and to the service where there is none.
    #[must_use]
    pub fn host_id(mut self, id: impl Into<String>) -> Mackerel {
        self.host_id = Some(id.into());
        self
    }

    /// What every metric's name begins with, and a dot; else `OPS_MACKEREL_PREFIX`, or nothing. Processes that post the
    /// same names to one service overwrite each other: give each its own.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Mackerel {
        self.prefix = Some(prefix.into());
        self
    }

    /// The actions of audit records that become graph annotations of the service, parted by commas, as in
    /// `deploy,rollback`; else `OPS_MACKEREL_ANNOTATE`, or none.
    #[must_use]
    pub fn annotate_actions(mut self, actions: impl Into<String>) -> Mackerel {
        self.annotate = Some(actions.into());
        self
    }

    /// Whether custom metrics' graphs get names and units when they are first posted; else
    /// `OPS_MACKEREL_GRAPH_DEFINITIONS`, or so it is.
    #[must_use]
    pub fn graph_definitions(mut self, on: bool) -> Mackerel {
        self.graph_definitions = Some(on);
        self
    }

    /// The time between two requests with metrics, at least a second; else `OPS_MACKEREL_EVERY_S` (seconds), or a minute,
    /// which is what Mackerel asks for.
    #[must_use]
    pub fn every(mut self, every: Duration) -> Mackerel {
        self.every = Some(every);
        self
    }

    fn chosen_every(&self, context: &Context) -> Result<Duration, Error> {
        let refused = |text: String| {
            let problem = format!("\"{text}\" is no number of seconds");
            Error::setting(EVERY, problem, "use 60, or 1 to 3600")
        };
        let told = match (self.every, setting(None, EVERY, context)) {
            (Some(told), _) => told,
            (None, None) => Duration::from_secs(60),
            (None, Some(text)) => Duration::from_secs(text.parse().map_err(|_| refused(text))?),
        };
        let fits = (Duration::from_secs(1)..=Duration::from_secs(3_600)).contains(&told);
        if fits { Ok(told) } else { Err(refused(told.as_secs_f64().to_string())) }
    }

    /// Where metrics go, of what is set.
    fn place(&self, context: &Context) -> Result<(Option<String>, Option<String>), Error> {
        let service = setting(self.service.as_deref(), SERVICE, context);
        let host = setting(self.host_id.as_deref(), HOST, context);
        if service.is_none() && host.is_none() {
            let remedy = "name a service, or a host by its id with OPS_MACKEREL_HOST_ID";
            return Err(Error::setting(SERVICE, "is not set, and neither is a host's id", remedy));
        }
        let service = service.map(|name| service_name(name, SERVICE)).transpose()?;
        Ok((service, host.map(|id| service_name(id, HOST)).transpose()?))
    }
}

impl Configure for Mackerel {
    fn open(self: Box<Self>, context: &Context) -> Result<Box<dyn Backend>, Error> {
        let sender = Sender::open(&self, context)?;
        let (service, host) = self.place(context)?;
        let prefix = setting(self.prefix.as_deref(), "OPS_MACKEREL_PREFIX", context);
        let annotate =
            setting(self.annotate.as_deref(), "OPS_MACKEREL_ANNOTATE", context).unwrap_or_default();
        let annotate: Vec<String> = annotate
            .split(',')
            .map(|action| action.trim().to_owned())
            .filter(|action| !action.is_empty())
            .collect();
        if !annotate.is_empty() && service.is_none() {
            let remedy = "name the service whose graphs are annotated";
            return Err(Error::setting(SERVICE, "is not set, and annotations are asked for", remedy));
        }
        let graphs = yes_or_no(self.graph_definitions, "OPS_MACKEREL_GRAPH_DEFINITIONS", true, context)?;
        Ok(Box::new(Open {
            names: Names::new(host.is_some(), prefix.as_deref(), &context.dimensions),
            graphs: (graphs && host.is_some()).then(Graphs::default),
            minutes: Minutes::default(),
            every: self.chosen_every(context)?,
            sender,
            service,
            host,
            annotate,
        }))
    }

    fn again(&self) -> Option<Box<dyn Configure>> {
        Some(Box::new(self.clone()))
    }
}

struct Open {
    names: Names,
    /// What is to be said of graphs, where something is.
    graphs: Option<Graphs>,
    minutes: Minutes,
    every: Duration,
    sender: Sender,
    service: Option<String>,
    host: Option<String>,
    annotate: Vec<String>,
}

impl Backend for Open {
    fn id(&self) -> &str {
        "mackerel"
    }

    /// No limit of a request's size is documented. It is no push to be kept small: one request a minute has to hold all
    /// metrics of that minute, or the rest would wait for the next. 24 hours back are kept (mackerel.io/api-docs/entry/
    /// service-metrics), less a minute for the way.
    fn limits(&self) -> Limits {
        Limits {
            push_bytes_max: 16 << 20,
            envelope_bytes: 2,
            push_items_max: 200_000,
            item_bytes_max: 1 << 20,
            item_overhead_bytes: 1, // the comma
            span_ms_max: None,
            age_ms_max: Some(24 * 60 * MINUTE_MS - MINUTE_MS),
            ahead_ms_max: None,
            ordered: false,
            push: false,
            oversize: Oversize::Refuse,
        }
    }

    fn accepts(&self, signal: Signal) -> bool {
        match signal {
            Signal::Metric => true,
            Signal::Check => self.host.is_some(),
            Signal::Audit => !self.annotate.is_empty(),
            Signal::Log | Signal::Config => false,
        }
    }

    fn declines(&self, record: &Record<'_>) -> Option<Loss> {
        match &record.body {
            Body::Audit(audit) if !self.annotate.iter().any(|action| *action == audit.action) => {
                Some(Loss::Elsewhere)
            }
            _ => None,
        }
    }

    fn encode(&mut self, record: &Record<'_>, out: &mut Items) -> Result<(), EncodeError> {
        match (&record.body, &self.host, &self.service) {
            (Body::Metric(metric), ..) => {
                let name = self.names.of(metric);
                if let Some(graphs) = &mut self.graphs {
                    graphs.need(&name, metric);
                }
                series::encode(&name, metric, record.time_ns / 1_000_000_000, out)
            }
            (Body::Check(check), Some(host), _) => notes::report(host, check, record, out),
            (Body::Audit(audit), _, Some(service)) => notes::annotation(service, audit, record, out),
            _ => Err(EncodeError(format!("Mackerel cannot express a {} record", record.signal()))),
        }
    }

    fn send(&mut self, batch: &Batch, net: &mut Net) -> Verdict {
        let now_ms = net.current().unix_ms();
        let items: Vec<&[u8]> = batch.iter().map(|(_, bytes)| bytes).collect();
        let (mut metrics, mut reports, mut notes, mut old) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (index, (item, bytes)) in batch.iter().enumerate() {
            match bytes.first() {
                // Reports of six hours ago are taken and ignored (mackerel.io/api-docs/entry/check-monitoring).
                Some(&REPORT) if item.time_ms + 359 * MINUTE_MS < now_ms => {
                    let why = "older than the six hours that Mackerel takes reports of".to_owned();
                    old.push((index, Refusal { loss: Loss::TooOld, why }));
                }
                Some(&REPORT) => reports.push(index),
                Some(&ANNOTATION) => notes.push(index),
                _ => metrics.push(index),
            }
        }
        let mut outcomes: Vec<Outcome> = Vec::new();
        if !metrics.is_empty() {
            let verdict = self.post_metrics(metrics.iter().map(|index| items[*index]), net);
            outcomes.push((metrics, verdict));
        }
        for part in reports.chunks(REPORTS_MAX) {
            let body = array(b"{\"reports\":[", part.iter().map(|index| &items[*index][1..]), b"]}");
            let verdict = self.sender.post("/api/v0/monitoring/checks/report", body, part.len(), net);
            outcomes.push((part.to_vec(), verdict));
        }
        for index in notes {
            let verdict = self.sender.post("/api/v0/graph-annotations", items[index][1..].to_vec(), 1, net);
            outcomes.push((vec![index], verdict));
        }
        settle(outcomes, old)
    }

    /// Mackerel keeps a value a minute, and answers 429 to who posts oftener (mackerel.io/api-docs/entry/service-metrics).
    fn pacing(&self) -> Pacing {
        Pacing { linger: self.every, every: self.every }
    }
}

impl Open {
    fn post_metrics<'a>(&mut self, items: impl Iterator<Item = &'a [u8]>, net: &mut Net) -> Verdict {
        let path = match (&self.host, &self.service) {
            (None, Some(service)) => format!("/api/v0/services/{service}/tsdb"),
            _ => "/api/v0/tsdb".to_owned(),
        };
        let mut count = 0;
        let merged = self.minutes.merge(items.inspect(|_| count += 1));
        let body = merged.body(self.host.as_deref());
        let verdict = self.sender.post(&path, body, count, net);
        if verdict == Verdict::Delivered {
            self.minutes.keep(merged);
            self.define_graphs(net);
        }
        verdict
    }

    /// Says what graphs are new. A failure is said and changes nothing for the data: it is tried again with the next.
    fn define_graphs(&mut self, net: &mut Net) {
        let Some((body, graphs)) = self.graphs.as_mut().and_then(Graphs::definitions) else { return };
        match self.sender.exchange("/api/v0/graph-defs/create", body, net) {
            Ok(answer) if (200..300).contains(&answer.status) => {
                self.graphs.iter_mut().for_each(|known| known.defined(&graphs));
            }
            Ok(answer) => warn(net, &why(&answer)),
            Err(verdict) => warn(net, &format!("{verdict:?}")),
        }
    }
}

fn warn(net: &Net, why: &str) {
    let text = format!("mackerel: graphs have no names and units yet: {why}");
    diag::warn("mackerel graphs", net.current(), &text);
}

fn array<'a>(start: &[u8], items: impl Iterator<Item = &'a [u8]>, end: &[u8]) -> Vec<u8> {
    let mut body = start.to_vec();
    for (index, item) in items.enumerate() {
        if index > 0 {
            body.push(b',');
        }
        body.extend_from_slice(item);
    }
    body.extend_from_slice(end);
    body
}

#[cfg(test)]
mod tests;
