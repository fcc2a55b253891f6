//! The settings of the backend `splunk`: from the builder, then its own variables, then those that Splunk's users know.
//! Checked when recording starts, without speaking to the network.

use std::time::Duration;

use ::http::{HeaderMap, HeaderValue, header};

use super::ack::Acks;
use super::event::Envelope;
use super::{Open, limits};
use crate::backend::shared::{Address, Secret, setting, yes_or_no};
use crate::backend::{Backend, Configure, Context};
use crate::error::Error;

const URL: &str = "OPS_SPLUNK_URL";
const TOKEN: &str = "OPS_SPLUNK_TOKEN";
const CHANNEL: &str = "OPS_SPLUNK_CHANNEL";
const ACK_TIMEOUT: &str = "OPS_SPLUNK_ACK_TIMEOUT_SECONDS";
/// What Splunk's connector for Kafka waits before it sends again (`splunk.hec.event.timeout`).
const ACK_TIMEOUT_DEFAULT: Duration = Duration::from_secs(300);
/// Bytes of a host, source, source type or index.
const TEXT_BYTES_MAX: usize = 1_024;

/// Settings of the backend `splunk`. What is not set here comes from the environment, see each method.
#[derive(Debug, Clone, Default)]
pub struct Splunk {
    url: Option<String>,
    token: Option<Secret>,
    index: Option<String>,
    metrics_index: Option<String>,
    host: Option<String>,
    source: Option<String>,
    sourcetype: Option<String>,
    channel: Option<String>,
    gzip: Option<bool>,
    acknowledge: Option<bool>,
    ack_timeout: Option<Duration>,
}

impl Splunk {
    /// Everything from the environment, or by default.
    #[must_use]
    pub fn new() -> Splunk {
        Splunk::default()
    }

    /// The collector's URL, `https://host:8088`; else `OPS_SPLUNK_URL`, `SPLUNK_HEC_URL`. Has to be set.
    #[must_use]
    pub fn url(mut self, url: impl Into<String>) -> Splunk {
        self.url = Some(url.into());
        self
    }

    /// The collector's token; else `OPS_SPLUNK_TOKEN`, `SPLUNK_HEC_TOKEN`. Has to be set.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Splunk {
        self.token = Some(Secret::new(token));
        self
    }

    /// The index of events; else `OPS_SPLUNK_INDEX`, or the token's own.
    #[must_use]
    pub fn index(mut self, name: impl Into<String>) -> Splunk {
        self.index = Some(name.into());
        self
    }

    /// The index of metrics, which has to be a metrics index; else `OPS_SPLUNK_METRICS_INDEX`, or the token's own.
    #[must_use]
    pub fn metrics_index(mut self, name: impl Into<String>) -> Splunk {
        self.metrics_index = Some(name.into());
        self
    }

    /// The host; else `OPS_SPLUNK_HOST`, or that of the machine.
    #[must_use]
    pub fn host(mut self, name: impl Into<String>) -> Splunk {
        self.host = Some(name.into());
        self
    }

    /// The source; else `OPS_SPLUNK_SOURCE`, or the namespace of the process.
    #[must_use]
    pub fn source(mut self, name: impl Into<String>) -> Splunk {
        self.source = Some(name.into());
        self
    }

    /// The source type of events; else `OPS_SPLUNK_SOURCETYPE`, or `_json`.
    #[must_use]
    pub fn sourcetype(mut self, name: impl Into<String>) -> Splunk {
        self.sourcetype = Some(name.into());
        self
    }

    /// The channel, a GUID; else `OPS_SPLUNK_CHANNEL`, or one that is made from the process's number.
    #[must_use]
    pub fn channel(mut self, guid: impl Into<String>) -> Splunk {
        self.channel = Some(guid.into());
        self
    }

    /// Whether requests are compressed; else `OPS_SPLUNK_GZIP`, or yes.
    #[must_use]
    pub fn gzip(mut self, on: bool) -> Splunk {
        self.gzip = Some(on);
        self
    }

    /// Whether a push counts as delivered only when the indexers have acknowledged it, for tokens with `useACK`; else
    /// `OPS_SPLUNK_ACK`, or no.
    #[must_use]
    pub fn acknowledge(mut self, on: bool) -> Splunk {
        self.acknowledge = Some(on);
        self
    }

    /// How long an acknowledgement is waited for before the push is sent again; else `OPS_SPLUNK_ACK_TIMEOUT_SECONDS`, or
    /// 300 seconds.
    #[must_use]
    pub fn ack_timeout(mut self, timeout: Duration) -> Splunk {
        self.ack_timeout = Some(timeout);
        self
    }

    fn address(&self, context: &Context) -> Result<Address, Error> {
        let told =
            setting(self.url.as_deref(), URL, context).or_else(|| setting(None, "SPLUNK_HEC_URL", context));
        let missing =
            || Error::setting(URL, "is not set", "give the collector's URL, as in https://splunk:8088");
        let told = told.ok_or_else(missing)?;
        let known = ["/services/collector/event", "/services/collector"];
        let base = told.trim_end_matches('/');
        Address::parse(known.iter().find_map(|path| base.strip_suffix(path)).unwrap_or(base), URL)
    }

    fn headers(&self, channel: &str, context: &Context) -> Result<HeaderMap, Error> {
        let token = Secret::find(self.token.as_ref(), TOKEN, context)
            .or_else(|| Secret::find(None, "SPLUNK_HEC_TOKEN", context))
            .ok_or_else(|| Error::setting(TOKEN, "is not set", "give a token of the HTTP Event Collector"))?;
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, token.header("Splunk ", TOKEN)?);
        if let Ok(value) = HeaderValue::try_from(channel) {
            headers.insert("x-splunk-request-channel", value);
        }
        Ok(headers)
    }

    fn envelope(&self, context: &Context) -> Result<Envelope, Error> {
        let find = |told: &Option<String>, variable: &'static str| {
            let found = setting(told.as_deref(), variable, context);
            found.map(|text| plain(text, variable)).transpose()
        };
        let index = |told: &Option<String>, variable: &'static str| {
            find(told, variable)?.map(|name| is_index(name, variable)).transpose()
        };
        Ok(Envelope::new(
            &find(&self.host, "OPS_SPLUNK_HOST")?.unwrap_or_else(|| context.host.clone()),
            &find(&self.source, "OPS_SPLUNK_SOURCE")?.unwrap_or_else(|| context.namespace.clone()),
            &find(&self.sourcetype, "OPS_SPLUNK_SOURCETYPE")?.unwrap_or_else(|| "_json".to_owned()),
            index(&self.index, "OPS_SPLUNK_INDEX")?.as_deref(),
            index(&self.metrics_index, "OPS_SPLUNK_METRICS_INDEX")?.as_deref(),
            &context.dimensions,
        ))
    }

    fn acks(&self, address: &Address, channel: &str, context: &Context) -> Result<Option<Acks>, Error> {
        if !yes_or_no(self.acknowledge, "OPS_SPLUNK_ACK", false, context)? {
            return Ok(None);
        }
        let seconds = setting(None, ACK_TIMEOUT, context);
        let timeout = match (self.ack_timeout, seconds) {
            (Some(timeout), _) => timeout,
            (None, Some(text)) => text.parse().map(Duration::from_secs).map_err(|_| {
                Error::setting(
                    ACK_TIMEOUT,
                    format!("\"{text}\" is not a whole number"),
                    "give a number of seconds",
                )
            })?,
            (None, None) => ACK_TIMEOUT_DEFAULT,
        };
        if timeout < Duration::from_secs(1) {
            return Err(Error::setting(
                ACK_TIMEOUT,
                "less than a second is no time to index",
                "give at least 1",
            ));
        }
        let uri = address.under(&format!("/services/collector/ack?channel={channel}"));
        Ok(Some(Acks::new(uri.map_err(|problem| Error::setting(URL, problem, "check it"))?, timeout)))
    }
}

impl Configure for Splunk {
    fn open(self: Box<Self>, context: &Context) -> Result<Box<dyn Backend>, Error> {
        let address = self.address(context)?;
        let channel = match setting(self.channel.as_deref(), CHANNEL, context) {
            Some(channel) => is_guid(channel)?,
            None => guid(context.process),
        };
        let events = address.under("/services/collector/event");
        let envelope = self.envelope(context)?;
        Ok(Box::new(Open {
            events: events.map_err(|problem| Error::setting(URL, problem, "check it"))?,
            acks: self.acks(&address, &channel, context)?,
            headers: self.headers(&channel, context)?,
            gzip: yes_or_no(self.gzip, "OPS_SPLUNK_GZIP", true, context)?,
            item_bytes_max: limits(&envelope).under(context.push_limit).item_bytes_max,
            envelope,
            body: Vec::new(),
        }))
    }

    fn again(&self) -> Option<Box<dyn Configure>> {
        Some(Box::new(self.clone()))
    }
}

/// A channel of the process's own, in the form of a GUID of version 8 (RFC 9562), which is for numbers of one's own.
fn guid(process: u64) -> String {
    let [high, mid, low] = [process >> 32, (process >> 16) & 0xffff, process & 0x0fff];
    format!("{high:08x}-{mid:04x}-8{low:03x}-8000-{:012x}", process & 0xffff_ffff_ffff)
}

fn is_guid(text: String) -> Result<String, Error> {
    let lengths = text.split('-').map(str::len).eq([8, 4, 4, 4, 12]);
    if lengths && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-') {
        return Ok(text);
    }
    let remedy = "give one as in 8f14e45f-ceea-467f-a0e6-8d2b1b1a7c11, or leave it out";
    Err(Error::setting(CHANNEL, format!("{text:?} is not a GUID"), remedy))
}

/// An index's name as Splunk takes it ("About managing indexes": lower-case letters, digits, `_` and `-`, none of the
/// last two in front but for internal ones).
fn is_index(name: String, variable: &str) -> Result<String, Error> {
    let own = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-');
    if name.bytes().all(own) && !name.starts_with('-') {
        return Ok(name);
    }
    let remedy = "use lower-case letters, digits, _ and -";
    Err(Error::setting(variable, format!("{name:?} is not the name of an index"), remedy))
}

fn plain(text: String, variable: &str) -> Result<String, Error> {
    if text.len() <= TEXT_BYTES_MAX && !text.contains(char::is_control) {
        return Ok(text);
    }
    let problem = "holds control characters, or more than 1,024 bytes";
    Err(Error::setting(variable, problem, "give one line of text"))
}
