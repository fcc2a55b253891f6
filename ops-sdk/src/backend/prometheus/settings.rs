//! The settings of the backend `prometheus`, checked at open.

use std::net::SocketAddr;
use std::time::Duration;

use ::http::{HeaderMap, HeaderName, HeaderValue, header};

use super::Shared;
use super::push::Push;
use super::write::Target;
use crate::backend::Context;
use crate::backend::shared::{Address, Secret, setting};
use crate::error::Error;

/// Where exporters of OpenTelemetry's SDKs listen by default; only this machine reaches it.
const LISTEN_DEFAULT: &str = "127.0.0.1:9464";
/// What the macros allow a metric by default is 1,000; this is room for ten of them at their bounds.
const SERIES_MAX_DEFAULT: usize = 10_000;
/// As long as the SDK itself remembers a series that nothing is recorded for.
const IDLE_DEFAULT: Duration = Duration::from_secs(3600);
/// Dimensions that name the service, as they are commonly written.
const SERVICE_DIMENSIONS: [&str; 4] = ["service.name", "Service", "service", "service_name"];

const LISTEN: &str = "OPS_PROMETHEUS_LISTEN";
const WRITE: &str = "OPS_PROMETHEUS_REMOTE_WRITE";

/// Settings of the backend `prometheus`: scraped unless a URL for remote write is given. What is not set here comes from the
/// environment, see each method.
#[derive(Debug, Clone, Default)]
pub struct Prometheus {
    listen: Option<String>,
    write: Option<String>,
    headers: Vec<(String, String, Secret)>,
    token: Option<Secret>,
    job: Option<String>,
    instance: Option<String>,
    buckets: Option<Vec<f64>>,
    series_max: Option<usize>,
    series_idle: Option<Duration>,
    pub(super) shared: Shared,
}

/// What was chosen.
pub(super) struct Chosen {
    pub(super) mode: Mode,
    pub(super) bounds: Option<Vec<f64>>,
    pub(super) series_max: usize,
    pub(super) idle_ms: u64,
}

/// How totals get there.
pub(super) enum Mode {
    Scraped(SocketAddr),
    Pushed(Box<Push>),
}

impl Prometheus {
    /// Everything from the environment, or by default.
    #[must_use]
    pub fn new() -> Prometheus {
        Prometheus::default()
    }

    /// The address at whose `/metrics` a scrape reads; else `OPS_PROMETHEUS_LISTEN`, or `127.0.0.1:9464`. Port 0 takes any
    /// that is free, see [`Prometheus::address`]. Whoever reaches the address may read.
    #[must_use]
    pub fn listen(mut self, address: impl Into<String>) -> Prometheus {
        self.listen = Some(address.into());
        self
    }

    /// The URL of a receiver for remote write 1.0, such as `http://prometheus:9090/api/v1/write`; else
    /// `OPS_PROMETHEUS_REMOTE_WRITE`. Nothing listens then.
    #[must_use]
    pub fn remote_write(mut self, url: impl Into<String>) -> Prometheus {
        self.write = Some(url.into());
        self
    }

    /// A header of every push, such as `X-Scope-OrgID`; else `OPS_PROMETHEUS_HEADERS` (`name: value`, one a line).
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Prometheus {
        self.headers.push((".header(..)".to_owned(), name.into(), Secret::new(value)));
        self
    }

    /// A bearer token for pushes; else `OPS_PROMETHEUS_TOKEN`.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Prometheus {
        self.token = Some(Secret::new(token));
        self
    }

    /// The label `job` of what is pushed; else `OPS_PROMETHEUS_JOB`, the dimension that names the service, or the namespace.
    /// A scrape has a job of its own.
    #[must_use]
    pub fn job(mut self, job: impl Into<String>) -> Prometheus {
        self.job = Some(job.into());
        self
    }

    /// The label `instance` of what is pushed; else `OPS_PROMETHEUS_INSTANCE`, or `<host>/<process>`. Two processes that push
    /// the same series under one instance destroy each other's totals.
    #[must_use]
    pub fn instance(mut self, instance: impl Into<String>) -> Prometheus {
        self.instance = Some(instance.into());
        self
    }

    /// The upper bounds of histograms' buckets, rising, the infinite one left out; else `OPS_PROMETHEUS_BUCKETS` (numbers with
    /// commas between them), or by unit.
    #[must_use]
    pub fn buckets(mut self, bounds: impl IntoIterator<Item = f64>) -> Prometheus {
        self.buckets = Some(bounds.into_iter().collect());
        self
    }

    /// How many series there may be, those of one histogram counted as one; else `OPS_PROMETHEUS_SERIES_MAX`, or 10,000.
    #[must_use]
    pub fn series_max(mut self, series: usize) -> Prometheus {
        self.series_max = Some(series);
        self
    }

    /// How long a series is remembered that nothing is recorded for; else `OPS_PROMETHEUS_SERIES_IDLE_S` (seconds), or an
    /// hour.
    #[must_use]
    pub fn series_idle(mut self, time: Duration) -> Prometheus {
        self.series_idle = Some(time);
        self
    }

    /// The address that is listened at, once recording has started with these settings or a clone of them; `None` before and
    /// after, and where totals are pushed.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.shared.at()
    }

    pub(super) fn chosen(&self, context: &Context) -> Result<Chosen, Error> {
        let write = setting(self.write.as_deref(), WRITE, context);
        let listen = setting(self.listen.as_deref(), LISTEN, context);
        let mode = match (write, listen) {
            (Some(_), Some(_)) => {
                let problem = "totals are either scraped or pushed, and both are set";
                return Err(Error::setting(format!("{LISTEN}, {WRITE}"), problem, "leave one of them out"));
            }
            (Some(url), None) => Mode::Pushed(Box::new(self.push(&url, context)?)),
            (None, listen) => Mode::Scraped(address(listen.as_deref().unwrap_or(LISTEN_DEFAULT))?),
        };
        let idle = match self.series_idle {
            Some(idle) => idle,
            None => Duration::from_secs(number(
                None,
                "OPS_PROMETHEUS_SERIES_IDLE_S",
                IDLE_DEFAULT.as_secs(),
                context,
            )?),
        };
        Ok(Chosen {
            mode,
            bounds: self.bounds(context)?,
            series_max: number(self.series_max, "OPS_PROMETHEUS_SERIES_MAX", SERIES_MAX_DEFAULT, context)?,
            idle_ms: u64::try_from(idle.as_millis()).unwrap_or(u64::MAX),
        })
    }

    fn push(&self, url: &str, context: &Context) -> Result<Push, Error> {
        const BOTH: &str = "OPS_PROMETHEUS_REMOTE_WRITE / .remote_write(..)";
        Address::parse(url, BOTH)?;
        let uri = url.trim().parse().map_err(|_| Error::setting(BOTH, "is not a URL", "give one"))?;
        let named = |name: &&str| context.dimensions.iter().find(|(other, _)| other == name);
        let service =
            SERVICE_DIMENSIONS.iter().find_map(named).map_or(&context.namespace, |(_, value)| value);
        let job = setting(self.job.as_deref(), "OPS_PROMETHEUS_JOB", context);
        let instance = setting(self.instance.as_deref(), "OPS_PROMETHEUS_INSTANCE", context);
        let target = Target {
            is_own: instance.is_none(),
            job: job.unwrap_or_else(|| service.clone()),
            instance: instance.unwrap_or_else(|| format!("{}/{:016x}", context.host, context.process)),
        };
        Ok(Push::new(uri, self.all_headers(context)?, target))
    }

    /// The headers that the specification asks for, and those that were told.
    fn all_headers(&self, context: &Context) -> Result<HeaderMap, Error> {
        const VARIABLE: &str = "OPS_PROMETHEUS_HEADERS";
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("snappy"));
        headers.insert("x-prometheus-remote-write-version", HeaderValue::from_static("0.1.0"));
        let mut told = self.headers.clone();
        if told.is_empty() {
            let text = setting(None, VARIABLE, context).unwrap_or_default();
            for (place, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
                let Some((name, value)) = line.split_once(':') else {
                    let problem = format!("line {} is not a name, a colon and a value", place + 1);
                    return Err(Error::setting(VARIABLE, problem, "write one header a line"));
                };
                told.push((VARIABLE.to_owned(), name.trim().to_owned(), Secret::new(value.trim())));
            }
        }
        for (setting, name, value) in &told {
            let refused = |problem: &str| {
                Error::setting(setting, format!("\"{}\" {problem}", name.escape_debug()), "leave it out")
            };
            let header: HeaderName = name.parse().map_err(|_| refused("is no name of a header"))?;
            if headers.contains_key(&header)
                || ["host", "content-type", "content-length"].contains(&header.as_str())
            {
                return Err(refused("is there by itself, or twice"));
            }
            headers.insert(header, value.header("", setting)?);
        }
        if let Some(token) = Secret::find(self.token.as_ref(), "OPS_PROMETHEUS_TOKEN", context) {
            headers
                .insert(header::AUTHORIZATION, token.header("Bearer ", "OPS_PROMETHEUS_TOKEN / .token(..)")?);
        }
        Ok(headers)
    }

    fn bounds(&self, context: &Context) -> Result<Option<Vec<f64>>, Error> {
        const VARIABLE: &str = "OPS_PROMETHEUS_BUCKETS";
        let text = setting(None, VARIABLE, context);
        let numbers = |text: &str| {
            text.split(',').map(|bound| bound.trim().parse()).collect::<Result<Vec<f64>, _>>().ok()
        };
        let bounds = match (&self.buckets, &text) {
            (None, None) => return Ok(None),
            (Some(told), _) => Some(told.clone()),
            (None, Some(text)) => numbers(text),
        };
        let is_good = |bounds: &Vec<f64>| {
            (1..=200).contains(&bounds.len())
                && bounds.iter().all(|bound| bound.is_finite())
                && bounds.windows(2).all(|pair| pair[0] < pair[1])
        };
        bounds.filter(is_good).map(Some).ok_or_else(|| {
            let problem = "these are not 1 to 200 finite numbers that rise";
            Error::setting("OPS_PROMETHEUS_BUCKETS / .buckets(..)", problem, "write them as in 0.1,0.5,1,5")
        })
    }
}

fn address(text: &str) -> Result<SocketAddr, Error> {
    text.parse().map_err(|_| {
        let problem = format!("\"{}\" is not an address and a port", text.escape_debug());
        Error::setting(
            "OPS_PROMETHEUS_LISTEN / .listen(..)",
            problem,
            "give both, as in 127.0.0.1:9464 or [::]:9464",
        )
    })
}

/// A whole number of at least one.
fn number<T>(told: Option<T>, variable: &str, default: T, context: &Context) -> Result<T, Error>
where
    T: std::str::FromStr + PartialOrd + From<u8>,
{
    let number = match (told, setting(None, variable, context)) {
        (Some(told), _) => Some(told),
        (None, Some(text)) => text.parse().ok(),
        (None, None) => Some(default),
    };
    number
        .filter(|number| *number >= T::from(1))
        .ok_or_else(|| Error::setting(variable, "is not a whole number of at least 1", "give one"))
}
