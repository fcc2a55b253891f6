//! Settings, checked without speaking to the network: what the program said, else the environment, else what is usual.

use std::path::PathBuf;

use ::http::{HeaderMap, header};

use super::classic::Classic;
use super::go::Go;
use super::shape::{list, named};
use super::{Sensu, SensuApi};
use crate::backend::Context;
use crate::backend::shared::{Address, Secret, setting, yes_or_no};
use crate::error::Error;
use crate::net::{self, Tls, TlsFiles};

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
/// Settings and where to look for what they do not say.
pub(super) struct Asked<'a> {
    pub(super) told: &'a Sensu,
    pub(super) context: &'a Context,
}

impl Asked<'_> {
    fn find(&self, told: Option<&String>, variable: &str) -> Option<String> {
        setting(told.map(String::as_str), variable, self.context)
    }

    fn list(&self, told: Option<&String>, variable: &str) -> Vec<String> {
        self.find(told, variable).as_deref().map(list).unwrap_or_default()
    }

    pub(super) fn api(&self) -> Result<SensuApi, Error> {
        match (self.told.api, self.find(None, API).as_deref()) {
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
        self.find(self.told.url.as_ref(), URL).ok_or_else(|| {
            let remedy = "set it, as in amqps://rabbit.example.com:5671 or https://sensu.example.com:8080";
            Error::setting(URL, "is not set", remedy)
        })
    }

    fn ttl(&self) -> Result<Option<u64>, Error> {
        let told = self.told.ttl.map(|ttl| ttl.as_secs().to_string());
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
        let told = self.find(self.told.client.as_ref(), CLIENT).map(|name| named(&name));
        let name = told
            .clone()
            .unwrap_or_else(|| named(&format!("{}-{}", self.context.host, self.context.namespace)));
        (told, name)
    }

    pub(super) fn classic(&self) -> Result<Classic, Error> {
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
        let found = |part: &str| setting(None, &format!("{TLS}_{part}"), self.context);
        let file = |told: &Option<PathBuf>, part| told.clone().or_else(|| found(part).map(PathBuf::from));
        let files = TlsFiles {
            ca: file(&self.told.tls.ca, "CA"),
            cert: file(&self.told.tls.cert, "CERT"),
            key: file(&self.told.tls.key, "KEY"),
            server_name: self.told.tls.server_name.clone().or_else(|| found("NAME")),
        };
        let has_certificate = address.is_tls() && files.cert.is_some();
        let tls = if address.is_tls() { Some(Tls::open(files, TLS)?) } else { None };
        let user = self.find(self.told.user.as_ref(), USER);
        if user.is_none() && !has_certificate {
            let problem = "is not set, and no client certificate says who this is";
            return Err(Error::setting(USER, problem, "set it, or the certificate"));
        }
        Ok(Classic {
            address,
            tls,
            user,
            password: Secret::find(self.told.password.as_ref(), PASSWORD, self.context).unwrap_or_default(),
            vhost: self.find(self.told.vhost.as_ref(), VHOST).unwrap_or_else(|| "/sensu".to_owned()),
            client: self.client().1,
            client_address: self.context.host.clone(),
            subscriptions: self.list(self.told.subscriptions.as_ref(), SUBSCRIPTIONS),
            handlers: self.list(self.told.handlers.as_ref(), HANDLERS),
            metric_handlers: self.list(self.told.metric_handlers.as_ref(), METRIC_HANDLERS),
            ttl: self.ttl()?,
            keepalive: yes_or_no(self.told.keepalive, KEEPALIVE, true, self.context)?,
            scheme: self.context.namespace.clone(),
            dimensions: self.context.dimensions.clone(),
            open: None,
        })
    }

    pub(super) fn go(&self, is_agent: bool) -> Result<Go, Error> {
        let url = if is_agent { self.url().unwrap_or_else(|_| AGENT_URL.to_owned()) } else { self.url()? };
        let (told, name) = self.client();
        let namespace = self.find(self.told.namespace.as_ref(), NAMESPACE);
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
            handlers: self.list(self.told.handlers.as_ref(), HANDLERS),
            metric_handlers: self.list(self.told.metric_handlers.as_ref(), METRIC_HANDLERS),
            ttl: self.ttl()?,
            dimensions: self.context.dimensions.clone(),
        })
    }

    fn authorization(&self) -> Result<HeaderMap, Error> {
        let key = Secret::find(self.told.api_key.as_ref(), API_KEY, self.context);
        let key = key.or_else(|| Secret::find(None, "SENSU_API_KEY", self.context));
        let value = match (key, Secret::find(self.told.token.as_ref(), TOKEN, self.context)) {
            (Some(key), _) => key.header("Key ", API_KEY)?,
            (None, Some(token)) => token.header("Bearer ", TOKEN)?,
            (None, None) => {
                return Err(Error::setting(API_KEY, "is not set", "make one with `sensuctl api-key grant`"));
            }
        };
        Ok(HeaderMap::from_iter([(header::AUTHORIZATION, value)]))
    }
}
