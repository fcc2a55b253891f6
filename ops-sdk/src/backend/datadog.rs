//! Datadog over HTTP: counters and gauges as series (v2), histograms as distributions, log events as logs (v2), checks as
//! service checks, and on request audit and configuration records as change events (v2).
//!
//! Each kind has an endpoint of its own, so a batch may become several requests; what one of them took is never sent
//! again because another failed. Datadog says no more than yes or no to a request: one that is refused for its content is
//! halved down to the item at fault. What it would drop without a word (points older than an hour, logs older than 18) is
//! refused here, with the reason.
//!
//! Of a series' points of one second Datadog keeps the last: the second record of a window gets the next second, see
//! `metrics.rs`. Never truncates a log event: one over the limit becomes parts.

mod events;
mod judge;
mod logs;
mod metrics;

use ::http::{HeaderMap, HeaderName, HeaderValue};

use self::judge::{Kind, stale};
use self::logs::Logs;
use self::metrics::Series;
use super::shared::{
    Address, Outcome, Secret, Tags, Unified, failed, host_name, post, setting, settle, yes_or_no,
};
use super::{Backend, Configure, Context, EncodeError, Verdict};
use crate::chunk::{Batch, Items};
use crate::error::Error;
use crate::limits::{Limits, Oversize};
use crate::model::{Body, Record, Signal};
use crate::net::Net;

const KEY: &str = "OPS_DATADOG_API_KEY";
const SITE: &str = "OPS_DATADOG_SITE";
const ENDPOINT: &str = "OPS_DATADOG_ENDPOINT";
const VALUES: &str = "OPS_DATADOG_DISTRIBUTION_VALUES_MAX";
/// Values that one window of a histogram is told with, unless set.
const VALUES_MAX: u32 = 10_000;
/// The most that may be set: ten million bytes of zeros and commas would be no less than two pushes.
const VALUES_MAX_MAX: u32 = 1_000_000;
const HOUR_MS: u64 = 3_600_000;

/// Settings of the backend `datadog`. What is not set here comes from the environment, see each method.
#[derive(Debug, Clone, Default)]
pub struct Datadog {
    api_key: Option<Secret>,
    site: Option<String>,
    endpoint: Option<String>,
    unified: Unified,
    hostname: Option<String>,
    source: Option<String>,
    tags: Vec<String>,
    events: Option<bool>,
    values_max: Option<u32>,
}

impl Datadog {
    /// Everything from the environment, or by default.
    #[must_use]
    pub fn new() -> Datadog {
        Datadog::default()
    }

    /// The API key; else `OPS_DATADOG_API_KEY`, `DD_API_KEY`. An application key is not needed.
    #[must_use]
    pub fn api_key(mut self, key: impl Into<String>) -> Datadog {
        self.api_key = Some(Secret::new(key));
        self
    }

    /// The site, as in `datadoghq.eu`; else `OPS_DATADOG_SITE`, `DD_SITE`, or `datadoghq.com`.
    #[must_use]
    pub fn site(mut self, site: impl Into<String>) -> Datadog {
        self.site = Some(site.into());
        self
    }

    /// One base URL in the place of all of the site's hosts, for a proxy; else `OPS_DATADOG_ENDPOINT`.
    #[must_use]
    pub fn endpoint(mut self, url: impl Into<String>) -> Datadog {
        self.endpoint = Some(url.into());
        self
    }

    /// The service, of logs and as a tag; else `OPS_DATADOG_SERVICE`, `DD_SERVICE`. Where none is set, logs have the
    /// process's dimension of that name (in any case), or the namespace.
    #[must_use]
    pub fn service(mut self, name: impl Into<String>) -> Datadog {
        self.unified.service = Some(name.into());
        self
    }

    /// The tag `env`; else `OPS_DATADOG_ENV`, `DD_ENV`.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>) -> Datadog {
        self.unified.env = Some(name.into());
        self
    }

    /// The tag `version`; else `OPS_DATADOG_VERSION`, `DD_VERSION`.
    #[must_use]
    pub fn version(mut self, name: impl Into<String>) -> Datadog {
        self.unified.version = Some(name.into());
        self
    }

    /// The host's name; else `OPS_DATADOG_HOSTNAME`, `DD_HOSTNAME`, or the system's.
    #[must_use]
    pub fn hostname(mut self, name: impl Into<String>) -> Datadog {
        self.hostname = Some(name.into());
        self
    }

    /// What logs have as their source; else `OPS_DATADOG_SOURCE`, or `rust`.
    #[must_use]
    pub fn source(mut self, name: impl Into<String>) -> Datadog {
        self.source = Some(name.into());
        self
    }

    /// A tag on everything; may be called again. Those of `OPS_DATADOG_TAGS`, else `DD_TAGS` (`a:b,c:d`), come besides.
    #[must_use]
    pub fn tag(mut self, key: impl AsRef<str>, value: impl AsRef<str>) -> Datadog {
        self.tags.push(format!("{}:{}", key.as_ref().replace(':', "_"), value.as_ref()));
        self
    }

    /// Whether audit and configuration records become change events, one request each; else `OPS_DATADOG_EVENTS`, or not.
    #[must_use]
    pub fn events(mut self, on: bool) -> Datadog {
        self.events = Some(on);
        self
    }

    /// Values that one window of a histogram is told with, 100 to 1,000,000; else
    /// `OPS_DATADOG_DISTRIBUTION_VALUES_MAX`, or 10,000. Beyond it the window is told in proportion.
    #[must_use]
    pub fn distribution_values_max(mut self, values: u32) -> Datadog {
        self.values_max = Some(values);
        self
    }

    fn chosen_values_max(&self, context: &Context) -> Result<u32, Error> {
        let refused = |text: &str| {
            let problem = format!("\"{text}\" is no number of values");
            Error::setting(VALUES, problem, format!("use 100 to {VALUES_MAX_MAX}"))
        };
        let told = match (self.values_max, setting(None, VALUES, context)) {
            (Some(told), _) => told,
            (None, None) => VALUES_MAX,
            (None, Some(text)) => text.parse().map_err(|_| refused(&text))?,
        };
        if (100..=VALUES_MAX_MAX).contains(&told) { Ok(told) } else { Err(refused(&told.to_string())) }
    }

    fn headers(&self, context: &Context) -> Result<HeaderMap, Error> {
        let key = Secret::find(self.api_key.as_ref(), KEY, context)
            .or_else(|| Secret::find(None, "DD_API_KEY", context))
            .ok_or_else(|| Error::setting(KEY, "is not set", "set it, or DD_API_KEY, to an API key"))?;
        let mut headers = HeaderMap::new();
        headers.insert(HeaderName::from_static("dd-api-key"), key.header("", KEY)?);
        Ok(headers)
    }

    /// Where each kind goes.
    fn addresses(&self, context: &Context) -> Result<Addresses, Error> {
        let site = setting(self.site.as_deref(), SITE, context)
            .or_else(|| setting(None, "DD_SITE", context))
            .unwrap_or_else(|| "datadoghq.com".into());
        let site = host_name(site, SITE)?;
        let one = setting(self.endpoint.as_deref(), ENDPOINT, context);
        let base = |host: &str| match &one {
            Some(url) => Address::parse(url, ENDPOINT),
            None => Address::parse(&format!("https://{host}.{site}"), SITE),
        };
        let (api, logs) = (base("api")?, base("http-intake.logs")?);
        Ok(Addresses { api, logs, events: base("event-management-intake")? })
    }
}

impl Configure for Datadog {
    fn open(self: Box<Self>, context: &Context) -> Result<Box<dyn Backend>, Error> {
        let (headers, addresses) = (self.headers(context)?, self.addresses(context)?);
        let values_max = self.chosen_values_max(context)?;
        let events = yes_or_no(self.events, "OPS_DATADOG_EVENTS", false, context)?;
        let unified = Unified::find(&self.unified, "DATADOG", context);
        let mut tags = Tags::default();
        tags.add_unified(&unified);
        self.tags.iter().for_each(|tag| tags.add_list(&tag.replace([',', ' '], "_")));
        let listed = setting(None, "OPS_DATADOG_TAGS", context).or_else(|| setting(None, "DD_TAGS", context));
        listed.iter().for_each(|list| tags.add_list(list));
        let host = setting(self.hostname.as_deref(), "OPS_DATADOG_HOSTNAME", context)
            .or_else(|| setting(None, "DD_HOSTNAME", context))
            .map(|name| host_name(name, "OPS_DATADOG_HOSTNAME"));
        let host = host.transpose()?.unwrap_or_else(|| context.host.clone());
        let source = setting(self.source.as_deref(), "OPS_DATADOG_SOURCE", context);
        let service = unified.service.clone().unwrap_or_else(|| service(context));
        let item_bytes_max = limits().under(context.push_limit).item_bytes_max;
        let everywhere = tags.clone().with(&context.dimensions);
        let source = source.as_deref().unwrap_or("rust");
        Ok(Box::new(Open {
            series: Series::new(&host, &tags, values_max, item_bytes_max),
            logs: Logs::new(source, &everywhere, &host, &service, item_bytes_max),
            events: events::Events::new(&everywhere, &host),
            with_events: events,
            sender: Sender { headers, addresses },
        }))
    }

    fn again(&self) -> Option<Box<dyn Configure>> {
        Some(Box::new(self.clone()))
    }
}

/// The service where none is set.
fn service(context: &Context) -> String {
    let named = context.dimensions.iter().find(|(key, _)| key.eq_ignore_ascii_case("service"));
    named.map_or_else(|| context.namespace.clone(), |(_, value)| value.clone())
}

#[derive(Clone)]
struct Addresses {
    api: Address,
    logs: Address,
    events: Address,
}

struct Open {
    series: Series,
    logs: Logs,
    events: events::Events,
    with_events: bool,
    sender: Sender,
}

/// One push may be of logs or of series: 5 MB and 1,000 logs in an array, 1 MB a log (docs.datadoghq.com/api/latest/logs,
/// "Send logs"; 5 MB is taken as 5,000,000 bytes); series 5,242,880 bytes before compression (docs.datadoghq.com/api/latest/
/// metrics, "Submit metrics") are more. 18 hours back are the logs'; what holds for less is refused by [`judge::stale`].
fn limits() -> Limits {
    Limits {
        push_bytes_max: 5_000_000,
        envelope_bytes: br#"{"series":[]}"#.len(),
        push_items_max: 1_000,
        item_bytes_max: 1_000_000,
        item_overhead_bytes: 1, // the comma
        span_ms_max: None,
        age_ms_max: Some(18 * HOUR_MS),
        ahead_ms_max: None,
        ordered: false,
        push: true,
        oversize: Oversize::Refuse, // an event over the limit is in parts by then
    }
}

impl Backend for Open {
    fn id(&self) -> &str {
        "datadog"
    }

    fn limits(&self) -> Limits {
        limits()
    }

    fn accepts(&self, signal: Signal) -> bool {
        match signal {
            Signal::Metric | Signal::Log | Signal::Check => true,
            Signal::Audit | Signal::Config => self.with_events,
        }
    }

    fn encode(&mut self, record: &Record<'_>, out: &mut Items) -> Result<(), EncodeError> {
        match &record.body {
            Body::Metric(metric) => self.series.encode(record, metric, out),
            Body::Log(log) => self.logs.encode(record, log, out),
            Body::Check(check) => self.events.check(record, check, out),
            Body::Audit(_) | Body::Config(_) => self.events.change(record, out),
        }
    }

    fn send(&mut self, batch: &Batch, net: &mut Net) -> Verdict {
        let now_ms = net.current().unix_ms();
        let (mut groups, mut old) = (Vec::<(Kind, Vec<usize>)>::new(), Vec::new());
        for (index, (item, bytes)) in batch.iter().enumerate() {
            let kind = Kind::of(bytes);
            if let Some(refusal) = stale(kind, item.time_ms, now_ms) {
                old.push((index, refusal));
            } else if let Some((_, indexes)) = groups.iter_mut().find(|(other, _)| *other == kind) {
                indexes.push(index);
            } else {
                groups.push((kind, vec![index]));
            }
        }
        let outcomes = groups.into_iter().flat_map(|(kind, indexes)| {
            // An event goes alone: the API takes one at a time.
            let size = if kind == Kind::Event { 1 } else { indexes.len() };
            let parts: Vec<Vec<usize>> = indexes.chunks(size).map(<[usize]>::to_vec).collect();
            parts.into_iter().map(move |indexes| (kind, indexes))
        });
        let items: Vec<&[u8]> = batch.iter().map(|(_, bytes)| bytes).collect();
        let mut hindered = false;
        let outcomes: Vec<Outcome> = outcomes
            .map(|(kind, indexes)| {
                // After one event has failed, the others would in their turn: they are kept for later.
                let verdict = match kind {
                    Kind::Event if hindered => failed_before(),
                    _ => self.sender.post(kind, indexes.iter().map(|index| items[*index]), net),
                };
                hindered |=
                    kind == Kind::Event && !matches!(verdict, Verdict::Delivered | Verdict::Refuse(_));
                (indexes, verdict)
            })
            .collect();
        settle(outcomes, old)
    }

    /// Counts of pushes side by side are points of different seconds, and logs have their times.
    fn another(&self) -> Option<Box<dyn Backend>> {
        Some(Box::new(Open {
            series: self.series.another(),
            logs: self.logs.clone(),
            events: self.events.clone(),
            with_events: self.with_events,
            sender: self.sender.clone(),
        }))
    }
}

fn failed_before() -> Verdict {
    Verdict::Retry { after: None, why: "an event before it was not taken".into() }
}

/// Makes requests of items and judges the answers.
#[derive(Clone)]
struct Sender {
    headers: HeaderMap,
    addresses: Addresses,
}

impl Sender {
    /// Posts these items, which are of one kind.
    fn post<'a>(&self, kind: Kind, items: impl ExactSizeIterator<Item = &'a [u8]>, net: &mut Net) -> Verdict {
        let count = items.len();
        let (encoding, body) = kind.compressed(kind.body(items));
        if body.len() > kind.wire_bytes_max() {
            let why = format!("{} bytes when compressed are more than Datadog takes", body.len());
            return judge::too_large(count, why);
        }
        let (base, path) = match kind {
            Kind::Series => (&self.addresses.api, "/api/v2/series"),
            Kind::Distribution => (&self.addresses.api, "/api/v1/distribution_points"),
            Kind::Check => (&self.addresses.api, "/api/v1/check_run"),
            Kind::Log => (&self.addresses.logs, "/api/v2/logs"),
            Kind::Event => (&self.addresses.events, "/api/v2/events"),
        };
        let uri = match base.under(path) {
            Ok(uri) => uri,
            Err(why) => return super::shared::operator(why),
        };
        let mut request = post(uri, "application/json", &self.headers, body);
        if let Some(encoding) = encoding {
            request
                .headers_mut()
                .insert(::http::header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        match net.send(request) {
            Ok(answer) => judge::judge(&answer, net.current(), count),
            Err(error) => failed(error),
        }
    }
}

#[cfg(test)]
mod tests;
