//! Sensu: checks as results or events, metrics beside them, and the sign of life that a dead-man's switch waits for. To
//! classic Sensu over RabbitMQ (`classic`), to Sensu Go by its agent or its backend (`go`).
//!
//! Delivery is at least once: a result that was taken while its answer was lost is sent again. Each carries the id of its
//! record in `ops_id`.

mod amqp;
mod asked;
mod classic;
mod frame;
mod go;
mod shape;

use std::path::PathBuf;
use std::time::Duration;

use self::asked::Asked;
use self::classic::{Classic, KEEPALIVE_EVERY};
use self::go::Go;
use super::shared::Secret;
use super::{Backend, Configure, Context, EncodeError, Pacing, Verdict};
use crate::chunk::{Batch, Items};
use crate::error::Error;
use crate::limits::{Limits, Oversize};
use crate::model::{Record, Signal};
use crate::net::{Net, TlsFiles};

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

impl Configure for Sensu {
    fn open(self: Box<Self>, context: &Context) -> Result<Box<dyn Backend>, Error> {
        let asked = Asked { told: &self, context };
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
