//! Downtimes and annotations by call, for deployments and maintenance: the calling thread waits for Mackerel's answer, half
//! a minute at most, and learns what it was. Nothing here passes through the journal, and nothing is tried again.

use std::time::Duration;

use ::http::Method;

use super::Mackerel;
use super::sender::Sender;
use crate::backend::Context;
use crate::backend::shared::{post, why};
use crate::clock::Now;
use crate::encode::json;
use crate::error::Error;
use crate::limits::PushLimit;
use crate::net::{Net, Request, Var};

/// Why Mackerel did not do what it was called for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MackerelError {
    /// A setting is missing or means nothing.
    #[error(transparent)]
    Setting(#[from] Error),
    /// It answered that it would not, or not at all: with its words.
    #[error("mackerel: {0}")]
    Api(String),
}

/// A note on a service's graphs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Annotation {
    /// The title, 250 characters at most.
    pub title: String,
    /// What there is to say, 1,024 characters at most.
    pub description: String,
    /// When it began, in seconds since the Unix epoch.
    pub from_unix_s: u64,
    /// When it ended, in seconds since the Unix epoch; the same for a moment.
    pub to_unix_s: u64,
    /// The service.
    pub service: String,
    /// Its roles; none for all of them.
    pub roles: Vec<String>,
}

impl Annotation {
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"title\":");
        json::string(out, &self.title);
        out.extend_from_slice(b",\"description\":");
        json::string(out, &self.description);
        out.extend_from_slice(b",\"from\":");
        json::number_u64(out, self.from_unix_s);
        out.extend_from_slice(b",\"to\":");
        json::number_u64(out, self.to_unix_s);
        out.extend_from_slice(b",\"service\":");
        json::string(out, &self.service);
        list(out, "roles", &self.roles);
        out.push(b'}');
    }
}

/// A time in which Mackerel does not alert. One that begins on a Sunday is ignored past its first 24 hours
/// (mackerel.io/docs/entry/howto/downtimes): have it end by then, and another begin.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Downtime {
    /// Its name.
    pub name: String,
    /// What there is to say; may be empty.
    pub memo: String,
    /// When it begins, in seconds since the Unix epoch.
    pub start_unix_s: u64,
    /// How long it is, in whole minutes, at least one: what is left over is another minute.
    pub length: Duration,
    /// The services that it is for, by name. Where nothing is named, it is for everything.
    pub services: Vec<String>,
    /// The roles that it is for, as `service: role`.
    pub roles: Vec<String>,
    /// The monitors that it is for, by id.
    pub monitors: Vec<String>,
}

impl Downtime {
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"name\":");
        json::string(out, &self.name);
        if !self.memo.is_empty() {
            out.extend_from_slice(b",\"memo\":");
            json::string(out, &self.memo);
        }
        out.extend_from_slice(b",\"start\":");
        json::number_u64(out, self.start_unix_s);
        out.extend_from_slice(b",\"duration\":");
        json::number_u64(out, self.length.as_secs().div_ceil(60).max(1));
        list(out, "serviceScopes", &self.services);
        list(out, "roleScopes", &self.roles);
        list(out, "monitorScopes", &self.monitors);
        out.push(b'}');
    }
}

impl Mackerel {
    /// Has Mackerel be silent for a time; returns the downtime's id. Called twice, it makes two.
    ///
    /// # Errors
    ///
    /// If there is no API key, or Mackerel does not say that it is done.
    pub fn begin_downtime(&self, downtime: &Downtime) -> Result<String, MackerelError> {
        let mut body = Vec::new();
        downtime.write(&mut body);
        self.call(&mut net(), Method::POST, "/api/v0/downtimes", body)
    }

    /// Removes a downtime by its id, whether it is over or not.
    ///
    /// # Errors
    ///
    /// As [`Mackerel::begin_downtime`].
    pub fn end_downtime(&self, id: &str) -> Result<(), MackerelError> {
        if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(MackerelError::Api(format!("\"{}\" is no downtime's id", id.escape_debug())));
        }
        self.call(&mut net(), Method::DELETE, &format!("/api/v0/downtimes/{id}"), Vec::new()).map(|_| ())
    }

    /// Puts a note on a service's graphs; returns its id. Called twice, it puts two.
    ///
    /// # Errors
    ///
    /// As [`Mackerel::begin_downtime`].
    pub fn annotate(&self, annotation: &Annotation) -> Result<String, MackerelError> {
        let mut body = Vec::new();
        annotation.write(&mut body);
        self.call(&mut net(), Method::POST, "/api/v0/graph-annotations", body)
    }

    /// Makes a call and returns the `id` of the answer.
    pub(super) fn call(
        &self,
        net: &mut Net,
        method: Method,
        path: &str,
        body: Vec<u8>,
    ) -> Result<String, MackerelError> {
        let sender = Sender::open(self, &context())?;
        let mut request: Request = post(
            sender.address.under(path).map_err(MackerelError::Api)?,
            "application/json",
            &sender.headers,
            body,
        );
        *request.method_mut() = method;
        let answer = net.send(request).map_err(|error| MackerelError::Api(error.text))?;
        if !(200..300).contains(&answer.status) {
            return Err(MackerelError::Api(why(&answer)));
        }
        let said: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let id = said["id"]
            .as_str()
            .ok_or_else(|| MackerelError::Api(format!("not its answer: {}", why(&answer))))?;
        Ok(id.to_owned())
    }
}

/// A way out of the call's own. Nothing in a call asks for the time.
fn net() -> Net {
    Net::new(Now { unix_ns: 0, mono_ns: 0 })
}

/// Settings that are not set come from the environment of the process.
fn context() -> Context {
    let var: Var = std::sync::Arc::new(|name: &str| std::env::var(name).ok());
    Context {
        namespace: String::new(),
        dimensions: Vec::new(),
        process: 0,
        host: String::new(),
        name: None,
        state_dir: None,
        push_limit: PushLimit::Contract,
        var,
    }
}

fn list(out: &mut Vec<u8>, key: &str, names: &[String]) {
    for (index, name) in names.iter().enumerate() {
        if index == 0 {
            out.extend_from_slice(format!(",\"{key}\":[").as_bytes());
        } else {
            out.push(b',');
        }
        json::string(out, name);
    }
    if !names.is_empty() {
        out.push(b']');
    }
}
