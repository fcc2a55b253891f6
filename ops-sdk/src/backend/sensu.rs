//! Sensu: checks as results or events, metrics beside them, and the sign of life that a dead-man's switch waits for. To
//! classic Sensu over RabbitMQ (`classic`), to Sensu Go by its agent or its backend (`go`).
//!
//! Delivery is at least once: a result that was taken while its answer was lost is sent again. Each carries the id of its
//! record in `ops_id`.

mod amqp;
mod classic;
mod frame;
mod go;
mod shape;

use std::path::PathBuf;
use std::time::Duration;

use ::http::{HeaderMap, header};

use self::classic::{Classic, KEEPALIVE_EVERY};
use self::go::Go;
use self::shape::{list, named};
use super::shared::{Address, Secret, setting, yes_or_no};
use super::{Backend, Configure, Context, EncodeError, Pacing, Verdict};
use crate::chunk::{Batch, Items};
use crate::error::Error;
use crate::limits::{Limits, Oversize};
use crate::model::{Record, Signal};
use crate::net::{self, Net, Tls, TlsFiles};

const API: &str = "OPS_SENSU_API";
const URL: &str = "OPS_SENSU_URL";
const CLIENT: &str = "OPS_SENSU_CLIENT";
const SUBSCRIPTIONS: &str = "OPS_SENSU_SUBSCRIPTIONS";
const HANDLERS: &str = "OPS_SENSU_HANDLERS";
const METRIC_HANDLERS: &str = "OPS_SENSU_METRIC_HANDLERS";
const TTL: &str = "OPS_SENSU_TTL";
const KEEPALIVE: &str = "OPS_SENSU_KEEPALIVE";
const USER: &str = "OPS_SENSU_USER";
const PASSWORD: &str = "OPS_SENSU_PASSWORD";
const VHOST: &str = "OPS_SENSU_VHOST";
const NAMESPACE: &str = "OPS_SENSU_NAMESPACE";
const API_KEY: &str = "OPS_SENSU_API_KEY";
const TOKEN: &str = "OPS_SENSU_TOKEN";
const TLS: &str = "OPS_SENSU_TLS";

/// Where an agent listens (Sensu Go 6, `api-host`, `api-port`).
const AGENT_URL: &str = "http://127.0.0.1:3031";
/// Ports that IANA has for AMQP over TLS and without.
const AMQPS_PORT: u16 = 5671;
const AMQP_PORT: u16 = 5672;
/// Bytes of a request that the backend reads (Sensu Go 6, `api-request-limit`).
const REQUEST_BYTES_MAX: usize = 512_000;
/// Bytes that are published at once: a bound of ours.
const PUBLISH_BYTES_MAX: usize = 1 << 20;
/// Frames, properties and ids around one message.
const MESSAGE_OVERHEAD_BYTES: usize = 160;

/// Which of Sensu's doors is knocked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SensuApi {
    /// Sensu Core, by its RabbitMQ.
    Classic,
    /// Sensu Go, by the agent on this host.
    Agent,
    /// Sensu Go, by its backend.
    Backend,
}

/// Settings of the backend `sensu`. What is not set here comes from the environment, see each method.
#[derive(Debug, Clone, Default)]
pub struct Sensu {
    api: Option<SensuApi>,
    url: Option<String>,
    client: Option<String>,
    subscriptions: Option<String>,
    handlers: Option<String>,
    metric_handlers: Option<String>,
    ttl: Option<Duration>,
    keepalive: Option<bool>,
    user: Option<String>,
    password: Option<Secret>,
    vhost: Option<String>,
    namespace: Option<String>,
    api_key: Option<Secret>,
    token: Option<Secret>,
    tls: TlsFiles,
}

impl Sensu {
    /// Everything from the environment, or by default.
    #[must_use]
    pub fn new() -> Sensu {
        Sensu::default()
    }

    /// Which door; else `OPS_SENSU_API` (`classic`, `agent` or `backend`), or the agent's.
    #[must_use]
    pub fn api(mut self, api: SensuApi) -> Sensu {
        self.api = Some(api);
        self
    }

    /// Where it is: `amqps://host:5671` or `amqp://host:5672` for classic, a URL for the others; else `OPS_SENSU_URL`.
    /// The agent is at `http://127.0.0.1:3031` unless told.
    #[must_use]
    pub fn url(mut self, url: impl Into<String>) -> Sensu {
        self.url = Some(url.into());
        self
    }

    /// Whose checks these are: the client of classic Sensu, the proxy entity of Sensu Go; else `OPS_SENSU_CLIENT`, or the
    /// host's name and the namespace with a dash between them. The agent takes them for its own unless this is set.
    #[must_use]
    pub fn client(mut self, name: impl Into<String>) -> Sensu {
        self.client = Some(name.into());
        self
    }

    /// Subscriptions of the client, with commas between them; else `OPS_SENSU_SUBSCRIPTIONS`, or none. Classic alone.
    #[must_use]
    pub fn subscriptions(mut self, names: impl Into<String>) -> Sensu {
        self.subscriptions = Some(names.into());
        self
    }

    /// Handlers of checks, with commas between them; else `OPS_SENSU_HANDLERS`, or what the server has by default.
    #[must_use]
    pub fn handlers(mut self, names: impl Into<String>) -> Sensu {
        self.handlers = Some(names.into());
        self
    }

    /// Handlers of metrics, with commas between them; else `OPS_SENSU_METRIC_HANDLERS`, or what the server has by default.
    #[must_use]
    pub fn metric_handlers(mut self, names: impl Into<String>) -> Sensu {
        self.metric_handlers = Some(names.into());
        self
    }

    /// How long a check that says nothing of it may be silent before that is an alarm, in whole seconds; else
    /// `OPS_SENSU_TTL`, or for ever.
    #[must_use]
    pub fn ttl(mut self, ttl: Duration) -> Sensu {
        self.ttl = Some(ttl);
        self
    }

    /// Whether this process says every 20 seconds that it is alive; else `OPS_SENSU_KEEPALIVE`, or yes. Classic alone.
    #[must_use]
    pub fn keepalive(mut self, keepalive: bool) -> Sensu {
        self.keepalive = Some(keepalive);
        self
    }

    /// Name and password at the broker; else `OPS_SENSU_USER` and `OPS_SENSU_PASSWORD`. Without a name the certificate is
    /// the name (EXTERNAL). Classic alone.
    #[must_use]
    pub fn login(mut self, user: impl Into<String>, password: impl Into<String>) -> Sensu {
        (self.user, self.password) = (Some(user.into()), Some(Secret::new(password)));
        self
    }

    /// The broker's virtual host; else `OPS_SENSU_VHOST`, or `/sensu`. Classic alone.
    #[must_use]
    pub fn vhost(mut self, vhost: impl Into<String>) -> Sensu {
        self.vhost = Some(vhost.into());
        self
    }

    /// The namespace of Sensu Go; else `OPS_SENSU_NAMESPACE`, `SENSU_NAMESPACE`, or `default`.
    #[must_use]
    pub fn namespace(mut self, namespace: impl Into<String>) -> Sensu {
        self.namespace = Some(namespace.into());
        self
    }

    /// The API key at the backend; else `OPS_SENSU_API_KEY`, `SENSU_API_KEY`.
    #[must_use]
    pub fn api_key(mut self, key: impl Into<String>) -> Sensu {
        self.api_key = Some(Secret::new(key));
        self
    }

    /// An access token at the backend, where there is no key; else `OPS_SENSU_TOKEN`. It is not renewed here.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Sensu {
        self.token = Some(Secret::new(token));
        self
    }

    /// A PEM file of the authorities that the broker's certificate may be from; else `OPS_SENSU_TLS_CA`, or those of
    /// Mozilla. Classic alone, as all about certificates.
    #[must_use]
    pub fn tls_ca(mut self, path: impl Into<PathBuf>) -> Sensu {
        self.tls.ca = Some(path.into());
        self
    }

    /// PEM files of the client's certificate and its key; else `OPS_SENSU_TLS_CERT` and `OPS_SENSU_TLS_KEY`, or none.
    #[must_use]
    pub fn tls_client(mut self, cert: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Sensu {
        (self.tls.cert, self.tls.key) = (Some(cert.into()), Some(key.into()));
        self
    }

    /// The name that the broker's certificate has to bear; else `OPS_SENSU_TLS_NAME`, or the host of the URL.
    #[must_use]
    pub fn tls_name(mut self, name: impl Into<String>) -> Sensu {
        self.tls.server_name = Some(name.into());
        self
    }
}

/// Settings and where to look for what they do not say.
struct Asked<'a>(&'a Sensu, &'a Context);

impl Asked<'_> {
    fn find(&self, told: Option<&String>, variable: &str) -> Option<String> {
        setting(told.map(String::as_str), variable, self.1)
    }

    fn list(&self, told: Option<&String>, variable: &str) -> Vec<String> {
        self.find(told, variable).as_deref().map(list).unwrap_or_default()
    }

    fn api(&self) -> Result<SensuApi, Error> {
        match (self.0.api, self.find(None, API).as_deref()) {
            (Some(api), _) => Ok(api),
            (None, None | Some("agent")) => Ok(SensuApi::Agent),
            (None, Some("classic")) => Ok(SensuApi::Classic),
            (None, Some("backend")) => Ok(SensuApi::Backend),
            (None, Some(other)) => {
                Err(Error::setting(API, format!("\"{other}\" is none"), "use classic, agent or backend"))
            }
        }
    }

    fn url(&self) -> Result<String, Error> {
        self.find(self.0.url.as_ref(), URL).ok_or_else(|| {
            let remedy = "set it, as in amqps://rabbit.example.com:5671 or https://sensu.example.com:8080";
            Error::setting(URL, "is not set", remedy)
        })
    }

    fn ttl(&self) -> Result<Option<u64>, Error> {
        let told = self.0.ttl.map(|ttl| ttl.as_secs().to_string());
        let Some(text) = self.find(told.as_ref(), TTL) else { return Ok(None) };
        match text.parse() {
            Ok(0) | Err(_) => {
                Err(Error::setting(TTL, format!("\"{text}\" is no time"), "give seconds, one or more"))
            }
            Ok(seconds) => Ok(Some(seconds)),
        }
    }

    /// The name that was set, and the one to go by.
    fn client(&self) -> (Option<String>, String) {
        let told = self.find(self.0.client.as_ref(), CLIENT).map(|name| named(&name));
        let name = told.clone().unwrap_or_else(|| named(&format!("{}-{}", self.1.host, self.1.namespace)));
        (told, name)
    }

    fn classic(&self) -> Result<Classic, Error> {
        let url = self.url()?;
        let (scheme, place) = url.split_once("://").unwrap_or((&url, ""));
        let (tcp, port) = match scheme.to_ascii_lowercase().as_str() {
            "amqps" => ("tls", AMQPS_PORT),
            "amqp" => ("tcp", AMQP_PORT),
            _ => {
                let remedy =
                    "use amqps://host:5671 or amqp://host:5672; name and password have settings of their own";
                return Err(Error::setting(URL, "is no address of a broker", remedy));
            }
        };
        let address = net::Address::parse(&format!("{tcp}://{place}"), port, URL)?;
        let found = |part: &str| setting(None, &format!("{TLS}_{part}"), self.1);
        let file = |told: &Option<PathBuf>, part| told.clone().or_else(|| found(part).map(PathBuf::from));
        let files = TlsFiles {
            ca: file(&self.0.tls.ca, "CA"),
            cert: file(&self.0.tls.cert, "CERT"),
            key: file(&self.0.tls.key, "KEY"),
            server_name: self.0.tls.server_name.clone().or_else(|| found("NAME")),
        };
        let has_certificate = address.is_tls() && files.cert.is_some();
        let tls = if address.is_tls() { Some(Tls::open(files, TLS)?) } else { None };
        let user = self.find(self.0.user.as_ref(), USER);
        if user.is_none() && !has_certificate {
            let problem = "is not set, and no client certificate says who this is";
            return Err(Error::setting(USER, problem, "set it, or the certificate"));
        }
        Ok(Classic {
            address,
            tls,
            user,
            password: Secret::find(self.0.password.as_ref(), PASSWORD, self.1).unwrap_or_default(),
            vhost: self.find(self.0.vhost.as_ref(), VHOST).unwrap_or_else(|| "/sensu".to_owned()),
            client: self.client().1,
            client_address: self.1.host.clone(),
            subscriptions: self.list(self.0.subscriptions.as_ref(), SUBSCRIPTIONS),
            handlers: self.list(self.0.handlers.as_ref(), HANDLERS),
            metric_handlers: self.list(self.0.metric_handlers.as_ref(), METRIC_HANDLERS),
            ttl: self.ttl()?,
            keepalive: yes_or_no(self.0.keepalive, KEEPALIVE, true, self.1)?,
            scheme: self.1.namespace.clone(),
            dimensions: self.1.dimensions.clone(),
            open: None,
        })
    }

    fn go(&self, is_agent: bool) -> Result<Go, Error> {
        let url = if is_agent { self.url().unwrap_or_else(|_| AGENT_URL.to_owned()) } else { self.url()? };
        let (told, name) = self.client();
        let namespace = self.find(self.0.namespace.as_ref(), NAMESPACE);
        let namespace = namespace.or_else(|| self.find(None, "SENSU_NAMESPACE"));
        let namespace = namespace.unwrap_or_else(|| "default".to_owned());
        if named(&namespace) != namespace {
            let problem = format!("\"{namespace}\" is no namespace");
            return Err(Error::setting(NAMESPACE, problem, "use letters, digits and _ . -"));
        }
        let path = match is_agent {
            true => "/events".to_owned(),
            false => format!("/api/core/v2/namespaces/{namespace}/events"),
        };
        Ok(Go {
            address: Address::parse(&url, URL)?,
            path,
            headers: if is_agent { HeaderMap::new() } else { self.authorization()? },
            is_agent,
            namespace,
            entity: if is_agent { told } else { Some(name) },
            handlers: self.list(self.0.handlers.as_ref(), HANDLERS),
            metric_handlers: self.list(self.0.metric_handlers.as_ref(), METRIC_HANDLERS),
            ttl: self.ttl()?,
            dimensions: self.1.dimensions.clone(),
        })
    }

    fn authorization(&self) -> Result<HeaderMap, Error> {
        let key = Secret::find(self.0.api_key.as_ref(), API_KEY, self.1);
        let key = key.or_else(|| Secret::find(None, "SENSU_API_KEY", self.1));
        let value = match (key, Secret::find(self.0.token.as_ref(), TOKEN, self.1)) {
            (Some(key), _) => key.header("Key ", API_KEY)?,
            (None, Some(token)) => token.header("Bearer ", TOKEN)?,
            (None, None) => {
                return Err(Error::setting(API_KEY, "is not set", "make one with `sensuctl api-key grant`"));
            }
        };
        Ok(HeaderMap::from_iter([(header::AUTHORIZATION, value)]))
    }
}

impl Configure for Sensu {
    fn open(self: Box<Self>, context: &Context) -> Result<Box<dyn Backend>, Error> {
        let asked = Asked(&self, context);
        let door = match asked.api()? {
            SensuApi::Classic => Door::Classic(Box::new(asked.classic()?)),
            SensuApi::Agent => Door::Go(Box::new(asked.go(true)?)),
            SensuApi::Backend => Door::Go(Box::new(asked.go(false)?)),
        };
        Ok(Box::new(Open { door }))
    }

    fn again(&self) -> Option<Box<dyn Configure>> {
        // What another process has left is sent, but nobody is said to be alive for that.
        Some(Box::new(self.clone().keepalive(false)))
    }
}

enum Door {
    Classic(Box<Classic>),
    Go(Box<Go>),
}

struct Open {
    door: Door,
}

impl Backend for Open {
    fn id(&self) -> &str {
        "sensu"
    }

    fn limits(&self) -> Limits {
        let (push_bytes_max, envelope_bytes, item_overhead_bytes) = match &self.door {
            Door::Classic(_) => (PUBLISH_BYTES_MAX, 0, MESSAGE_OVERHEAD_BYTES),
            Door::Go(go) => (REQUEST_BYTES_MAX, go.envelope_bytes(), 1), // a comma
        };
        Limits {
            push_bytes_max,
            envelope_bytes,
            push_items_max: 1_000,
            item_bytes_max: push_bytes_max - envelope_bytes - item_overhead_bytes,
            item_overhead_bytes,
            span_ms_max: None,
            age_ms_max: None,
            ahead_ms_max: None,
            ordered: false,
            push: true,
            oversize: Oversize::Refuse,
        }
    }

    fn accepts(&self, signal: Signal) -> bool {
        matches!(signal, Signal::Check | Signal::Metric)
    }

    fn encode(&mut self, record: &Record<'_>, out: &mut Items) -> Result<(), EncodeError> {
        match &self.door {
            Door::Classic(classic) => classic.encode(record, out),
            Door::Go(go) => go.encode(record, out),
        }
    }

    fn send(&mut self, batch: &Batch, net: &mut Net) -> Verdict {
        match &mut self.door {
            Door::Classic(classic) => classic.send(batch, net),
            Door::Go(go) => go.send(batch, net),
        }
    }

    /// The agent passes on ten events a second: a push is as many at most, and there is one in a second.
    fn pacing(&self) -> Pacing {
        match &self.door {
            Door::Go(go) if go.is_agent => Pacing { every: Duration::from_secs(1), ..Pacing::default() },
            _ => Pacing::default(),
        }
    }

    fn tick_every(&self) -> Option<Duration> {
        matches!(&self.door, Door::Classic(_)).then_some(KEEPALIVE_EVERY)
    }

    fn tick(&mut self, net: &mut Net) -> Result<(), String> {
        match &mut self.door {
            Door::Classic(classic) => classic.tick(net),
            Door::Go(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
