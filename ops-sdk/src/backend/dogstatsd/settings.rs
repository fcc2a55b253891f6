//! The settings, and what becomes of them.

use super::Open;
use super::events::Events;
use super::lines::{Common, Lines};
use super::wire::Wire;
use crate::backend::shared::{Tags, Unified, host_name, setting, tag, yes_or_no};
use crate::backend::{Backend, Configure, Context};
use crate::error::Error;
use crate::net::Address;

const ADDRESS: &str = "OPS_DOGSTATSD_ADDRESS";
const PAYLOAD: &str = "OPS_DOGSTATSD_PAYLOAD_BYTES";
const HISTOGRAMS: &str = "OPS_DOGSTATSD_HISTOGRAMS";
const CONTAINER: &str = "OPS_DOGSTATSD_CONTAINER_ID";
const EXTERNAL: &str = "OPS_DOGSTATSD_EXTERNAL_DATA";
const CARDINALITY: &str = "OPS_DOGSTATSD_CARDINALITY";
/// Where an agent listens unless it is told otherwise.
const PORT: u16 = 8_125;
/// What Datadog's own client puts in a datagram (datadog-go, `OptimalUDPPayloadSize`, `MaxUDPPayloadSize`,
/// `DefaultUDSBufferSize`): 1,432 bytes pass a link of 1,500 whole, 8,192 are the agent's buffer.
const UDP_BYTES: usize = 1_432;
const UDP_BYTES_MAX: usize = 65_467;
const UNIX_BYTES: usize = 8_192;
/// The least that a name, a tag and a value have room in.
const BYTES_MIN: usize = 256;

/// What a histogram is told as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StatsdHistograms {
    /// `d`: a distribution, whose percentiles are computed over all hosts.
    #[default]
    Distribution,
    /// `h`: a histogram, aggregated by each agent.
    Histogram,
    /// `ms`: a timer, the only one that plain StatsD knows.
    Timer,
}

/// Settings of the backend `dogstatsd`. What is not set here comes from the environment, see each method.
#[derive(Debug, Clone, Default)]
pub struct Dogstatsd {
    address: Option<String>,
    plain: Option<bool>,
    histograms: Option<StatsdHistograms>,
    timestamps: Option<bool>,
    payload_bytes: Option<usize>,
    unified: Unified,
    tags: Vec<String>,
    events: Option<bool>,
    container_id: Option<String>,
    cardinality: Option<String>,
}

impl Dogstatsd {
    /// Everything from the environment, or by default.
    #[must_use]
    pub fn new() -> Dogstatsd {
        Dogstatsd::default()
    }

    /// Where the agent listens: `udp://host:8125`, `unix:///path` or `unixgram:///path` (datagrams), or
    /// `unixstream:///path`; else `OPS_DOGSTATSD_ADDRESS`, `DD_DOGSTATSD_URL`, UDP to `DD_AGENT_HOST` and
    /// `DD_DOGSTATSD_PORT`, or `udp://127.0.0.1:8125`.
    #[must_use]
    pub fn address(mut self, url: impl Into<String>) -> Dogstatsd {
        self.address = Some(url.into());
        self
    }

    /// Whether it is plain StatsD: tags become parts of names, histograms timers, and there are no checks; else
    /// `OPS_DOGSTATSD_PLAIN`, or not.
    #[must_use]
    pub fn plain_statsd(mut self, plain: bool) -> Dogstatsd {
        self.plain = Some(plain);
        self
    }

    /// What histograms are told as; else `OPS_DOGSTATSD_HISTOGRAMS` (`d`, `h` or `ms`), or distributions.
    #[must_use]
    pub fn histograms(mut self, histograms: StatsdHistograms) -> Dogstatsd {
        self.histograms = Some(histograms);
        self
    }

    /// Whether counters and gauges carry the time of their window (agent 7.40 or newer, which then does not aggregate
    /// them: of several processes with the same tags the last wins); else `OPS_DOGSTATSD_TIMESTAMPS`, or not.
    #[must_use]
    pub fn timestamps(mut self, on: bool) -> Dogstatsd {
        self.timestamps = Some(on);
        self
    }

    /// Bytes of a datagram, 256 to 65,467; else `OPS_DOGSTATSD_PAYLOAD_BYTES`, or 1,432 over UDP and 8,192 over a Unix
    /// socket.
    #[must_use]
    pub fn payload_bytes(mut self, bytes: usize) -> Dogstatsd {
        self.payload_bytes = Some(bytes);
        self
    }

    /// The tag `env`; else `OPS_DOGSTATSD_ENV`, `DD_ENV`.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>) -> Dogstatsd {
        self.unified.env = Some(name.into());
        self
    }

    /// The tag `service`; else `OPS_DOGSTATSD_SERVICE`, `DD_SERVICE`.
    #[must_use]
    pub fn service(mut self, name: impl Into<String>) -> Dogstatsd {
        self.unified.service = Some(name.into());
        self
    }

    /// The tag `version`; else `OPS_DOGSTATSD_VERSION`, `DD_VERSION`.
    #[must_use]
    pub fn version(mut self, name: impl Into<String>) -> Dogstatsd {
        self.unified.version = Some(name.into());
        self
    }

    /// A tag on everything; may be called again. Those of `OPS_DOGSTATSD_TAGS`, else `DD_TAGS` (`a:b,c:d`), come besides,
    /// and the entity of `DD_ENTITY_ID`.
    #[must_use]
    pub fn tag(mut self, key: impl AsRef<str>, value: impl AsRef<str>) -> Dogstatsd {
        self.tags.push(format!("{}:{}", key.as_ref().replace(':', "_"), value.as_ref()));
        self
    }

    /// Whether audit and configuration records become events; else `OPS_DOGSTATSD_EVENTS`, or not.
    #[must_use]
    pub fn events(mut self, on: bool) -> Dogstatsd {
        self.events = Some(on);
        self
    }

    /// The container's id, by which the agent finds its tags (protocol 1.2; `in-<inode>` of its cgroup from 1.4 on); else
    /// `OPS_DOGSTATSD_CONTAINER_ID`, or none. External data (1.5) come from `OPS_DOGSTATSD_EXTERNAL_DATA`,
    /// `DD_EXTERNAL_ENV`.
    #[must_use]
    pub fn container_id(mut self, id: impl Into<String>) -> Dogstatsd {
        self.container_id = Some(id.into());
        self
    }

    /// Which of the tags that it finds the agent adds (protocol 1.6): `none`, `low`, `orchestrator` or `high`; else
    /// `OPS_DOGSTATSD_CARDINALITY`, `DD_CARDINALITY`, or what the agent is set to.
    #[must_use]
    pub fn cardinality(mut self, cardinality: impl Into<String>) -> Dogstatsd {
        self.cardinality = Some(cardinality.into());
        self
    }

    fn chosen_address(&self, context: &Context) -> Result<Address, Error> {
        let url = setting(self.address.as_deref(), ADDRESS, context)
            .or_else(|| setting(None, "DD_DOGSTATSD_URL", context))
            .or_else(|| {
                let host = setting(None, "DD_AGENT_HOST", context)?;
                let port = setting(None, "DD_DOGSTATSD_PORT", context).unwrap_or_else(|| PORT.to_string());
                Some(format!("udp://{}:{port}", if host.contains(':') { format!("[{host}]") } else { host }))
            })
            .unwrap_or_else(|| format!("udp://127.0.0.1:{PORT}"));
        // What Datadog calls unix:// are datagrams.
        let url =
            url.strip_prefix("unix://").map_or_else(|| url.clone(), |path| format!("unixgram://{path}"));
        match Address::parse(&url, PORT, ADDRESS)? {
            Address::Tcp { .. } => {
                let problem = format!("\"{url}\" is TCP, which DogStatsD does not speak");
                Err(Error::setting(ADDRESS, problem, "use udp://, unix:// or unixstream://"))
            }
            address => Ok(address),
        }
    }

    fn chosen_payload(&self, address: &Address, context: &Context) -> Result<usize, Error> {
        let refused = |text: &str| {
            let problem = format!("\"{text}\" is no size of a datagram");
            Error::setting(PAYLOAD, problem, format!("use {BYTES_MIN} to {UDP_BYTES_MAX}"))
        };
        let usual = if matches!(address, Address::Udp { .. }) { UDP_BYTES } else { UNIX_BYTES };
        let told = match (self.payload_bytes, setting(None, PAYLOAD, context)) {
            (Some(told), _) => told,
            (None, None) => usual,
            (None, Some(text)) => text.parse().map_err(|_| refused(&text))?,
        };
        if (BYTES_MIN..=UDP_BYTES_MAX).contains(&told) { Ok(told) } else { Err(refused(&told.to_string())) }
    }

    fn chosen_histograms(&self, plain: bool, context: &Context) -> Result<&'static str, Error> {
        let variable = setting(None, HISTOGRAMS, context);
        Ok(match (self.histograms, variable.as_deref()) {
            _ if plain => "ms",
            (Some(StatsdHistograms::Distribution), _) | (None, None | Some("d")) => "d",
            (Some(StatsdHistograms::Histogram), _) | (None, Some("h")) => "h",
            (Some(StatsdHistograms::Timer), _) | (None, Some("ms")) => "ms",
            (None, Some(other)) => {
                let problem = format!("\"{}\" is no type", other.escape_debug());
                return Err(Error::setting(HISTOGRAMS, problem, "use d, h or ms"));
            }
        })
    }

    /// What follows the tags, without the time.
    fn origin(&self, context: &Context) -> Result<String, Error> {
        let mut origin = String::new();
        if let Some(id) = setting(self.container_id.as_deref(), CONTAINER, context) {
            origin.push_str("|c:");
            origin.push_str(&host_name(id, CONTAINER)?);
        }
        let external = setting(None, EXTERNAL, context).or_else(|| setting(None, "DD_EXTERNAL_ENV", context));
        if let Some(external) = external {
            origin.push_str("|e:");
            origin.extend(external.chars().filter(|c| ('!'..='~').contains(c) && *c != '|'));
        }
        let cardinality = setting(self.cardinality.as_deref(), CARDINALITY, context)
            .or_else(|| setting(None, "DD_CARDINALITY", context))
            .map(|text| text.to_ascii_lowercase());
        match cardinality.as_deref() {
            None => {}
            Some(known @ ("none" | "low" | "orchestrator" | "high")) => {
                origin.push_str("|card:");
                origin.push_str(known);
            }
            Some(other) => {
                let problem = format!("\"{}\" is no cardinality", other.escape_debug());
                return Err(Error::setting(CARDINALITY, problem, "use none, low, orchestrator or high"));
            }
        }
        Ok(origin)
    }

    fn chosen_tags(&self, context: &Context) -> Tags {
        let mut tags = Tags::default();
        tags.add_unified(&Unified::find(&self.unified, "DOGSTATSD", context));
        self.tags.iter().for_each(|tag| tags.add_list(&tag.replace([',', ' '], "_")));
        let listed =
            setting(None, "OPS_DOGSTATSD_TAGS", context).or_else(|| setting(None, "DD_TAGS", context));
        listed.iter().for_each(|list| tags.add_list(list));
        if let Some(entity) = setting(None, "DD_ENTITY_ID", context) {
            tags.add(|out| tag(out, "dd.internal.entity_id", &entity));
        }
        tags
    }
}

impl Configure for Dogstatsd {
    fn open(self: Box<Self>, context: &Context) -> Result<Box<dyn Backend>, Error> {
        let address = self.chosen_address(context)?;
        let payload_bytes_max = self.chosen_payload(&address, context)?;
        let plain = yes_or_no(self.plain, "OPS_DOGSTATSD_PLAIN", false, context)?;
        let with_events = yes_or_no(self.events, "OPS_DOGSTATSD_EVENTS", false, context)? && !plain;
        let tags = self.chosen_tags(context);
        let common = Common {
            tags: tags.joined(""),
            origin: self.origin(context)?,
            timestamps: yes_or_no(self.timestamps, "OPS_DOGSTATSD_TIMESTAMPS", false, context)? && !plain,
            histograms: self.chosen_histograms(plain, context)?,
            plain,
            payload_bytes_max,
        };
        let everywhere = tags.with(&context.dimensions).joined("");
        Ok(Box::new(Open {
            events: Events::new(everywhere, common.origin.clone(), &context.host, payload_bytes_max),
            lines: Lines::new(common),
            with_checks: !plain,
            with_events,
            wire: Wire::new(address, payload_bytes_max),
        }))
    }

    fn again(&self) -> Option<Box<dyn Configure>> {
        Some(Box::new(self.clone()))
    }
}
