//! A backend with a name of its own, settings of its own, and routes: around whatever backend it is, so that none of
//! them knows of names and routes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use crate::backend::{Backend, Configure, Context, EncodeError, Pacing, Verdict};
use crate::chunk::{Batch, Items};
use crate::error::Error;
use crate::ledger::{Book, Loss};
use crate::limits::Limits;
use crate::lock::Mutex;
use crate::model::{Record, Signal};
use crate::net::{Net, Trust, TrustFiles, Var};
use crate::route::Routing;

use super::routes::Routes;

/// What the process's variables for HTTPS begin with.
const HTTPS: &str = "OPS_HTTPS";
/// Characters of a name: it becomes a file's.
const NAME_MAX: usize = 64;

/// Settings of a backend, the name that it is to have, and the rules among which are those that lead to it.
pub(super) struct Placed {
    /// `None` leaves it the backend's own.
    pub(super) name: Option<String>,
    pub(super) settings: Box<dyn Configure>,
    /// Variables that this one reads before those of the environment.
    pub(super) own: Own,
    pub(super) routes: Arc<Routes>,
    /// What the program says of HTTPS, for all of them.
    pub(super) https: TrustFiles,
}

/// Variables of one instance.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Own {
    /// `OPS_ARCHIVE_` for `OPS_S3_`: what begins with the second is looked for under the first as well.
    pub(super) prefixes: Option<(String, String)>,
    /// What a file says, by the variable that it stands for.
    pub(super) values: BTreeMap<String, String>,
}

impl Placed {
    fn is_plain(&self) -> bool {
        self.name.is_none() && self.own == Own::default() && self.routes.is_empty()
    }
}

/// Whom the HTTPS of one instance trusts, and what it shows: the first that is said by its own variables, such as
/// `OPS_SPLUNK_HTTPS_CA`, by the program, or by the process's variables. A certificate and its key go together.
fn trust(told: &TrustFiles, kind: &str, var: &Var) -> Result<Trust, Error> {
    let own = format!("{}HTTPS", prefix(kind));
    let said = [(files(&own, var), &*own), (told.clone(), HTTPS), (files(HTTPS, var), HTTPS)];
    let from = |is: fn(&TrustFiles) -> bool| said.iter().find(|(files, _)| is(files)).unwrap_or(&said[2]);
    let (authority, ca_prefix) = from(|files| files.ca.is_some());
    let (client, client_prefix) = from(|files| files.cert.is_some() || files.key.is_some());
    Trust::open(TrustFiles { ca: authority.ca.clone(), ..client.clone() }, ca_prefix, client_prefix)
}

fn files(prefix: &str, var: &Var) -> TrustFiles {
    let file = |end: &str| {
        let path = var(&format!("{prefix}_{end}")).unwrap_or_default();
        Some(path.trim()).filter(|path| !path.is_empty()).map(PathBuf::from)
    };
    TrustFiles { ca: file("CA"), cert: file("CERT"), key: file("KEY") }
}

impl Configure for Placed {
    fn open(self: Box<Self>, context: &Context) -> Result<Box<dyn Backend>, Error> {
        if self.is_plain() {
            let inner = self.settings.open(context)?;
            let trust = trust(&self.https, inner.id(), &context.var)?;
            return Ok(if trust.is_plain() { inner } else { Open::plain(inner, trust) });
        }
        let (own, read) = (self.own.clone(), Arc::new(Mutex::new(BTreeSet::new())));
        let context =
            Context { var: own.over(&context.var, &read), name: self.name.clone(), ..context.clone() };
        let inner = self.settings.open(&context)?;
        let trust = trust(&self.https, inner.id(), &context.var)?;
        let kinds = prefix(inner.id());
        let unread = |name: &&String| name.starts_with(&kinds) && !read.lock().contains(*name);
        if let Some(unread) = self.own.values.keys().find(unread) {
            let problem = format!("{} has no setting that {unread} would be", inner.id());
            return Err(Error::setting("OPS_CONFIG", problem, "see the backend's page for its settings"));
        }
        let id = self.name.unwrap_or_else(|| inner.id().to_owned());
        let rules = self.routes.leading_to(&id, inner.id());
        let routing = rules.map(|rules| Arc::new(Routing::new(rules, context.dimensions.clone())));
        Ok(Box::new(Open { id, inner, routing, trust }))
    }

    fn again(&self) -> Option<Box<dyn Configure>> {
        let settings = self.settings.again()?;
        let (name, own, routes) = (self.name.clone(), self.own.clone(), Arc::clone(&self.routes));
        Some(Box::new(Placed { name, settings, own, routes, https: self.https.clone() }))
    }
}

impl Own {
    /// Reads these before `var`, and notes which were read.
    fn over(self, var: &Var, read: &Arc<Mutex<BTreeSet<String>>>) -> Var {
        let (var, read) = (Arc::clone(var), Arc::clone(read));
        Arc::new(move |name| {
            if let Some(value) = self.values.get(name) {
                read.lock().insert(name.to_owned());
                return Some(value.clone());
            }
            let (own, kind) = self.prefixes.as_ref().map_or(("", ""), |(own, kind)| (own, kind));
            let rest = name.strip_prefix(kind).filter(|_| !kind.is_empty());
            rest.and_then(|rest| var(&format!("{own}{rest}"))).or_else(|| var(name))
        })
    }
}

/// `OPS_ARCHIVE_` for `archive`.
pub(super) fn prefix(name: &str) -> String {
    format!("OPS_{}_", name.to_ascii_uppercase().replace('-', "_"))
}

/// Checks a name that a user gave.
///
/// # Errors
///
/// If it is none; the message names the setting.
pub(super) fn check_name(name: &str, setting: &str) -> Result<(), Error> {
    let fits = (1..=NAME_MAX).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if fits && !name.starts_with('-') {
        return Ok(());
    }
    let problem = format!("\"{}\" is no name of a backend", name.escape_debug());
    Err(Error::setting(setting, problem, "use 1 to 64 of the characters a-z 0-9 -, not beginning with -"))
}

struct Open {
    id: String,
    inner: Box<dyn Backend>,
    routing: Option<Arc<Routing>>,
    trust: Trust,
}

impl Open {
    /// As it is, but for whom it trusts.
    fn plain(inner: Box<dyn Backend>, trust: Trust) -> Box<dyn Backend> {
        Box::new(Open { id: inner.id().to_owned(), inner, routing: None, trust })
    }
}

impl Backend for Open {
    fn id(&self) -> &str {
        &self.id
    }

    fn limits(&self) -> Limits {
        self.inner.limits()
    }

    fn accepts(&self, signal: Signal) -> bool {
        self.inner.accepts(signal) && self.routing.as_ref().is_none_or(|routing| routing.may_take(signal))
    }

    fn declines(&self, record: &Record<'_>) -> Option<Loss> {
        let routed = self.routing.as_ref().and_then(|routing| routing.declines(record));
        routed.or_else(|| self.inner.declines(record))
    }

    fn encode(&mut self, record: &Record<'_>, out: &mut Items) -> Result<(), EncodeError> {
        self.inner.encode(record, out)
    }

    fn send(&mut self, batch: &Batch, net: &mut Net) -> Verdict {
        self.inner.send(batch, net)
    }

    fn trust(&self) -> Trust {
        self.trust.clone()
    }

    fn pacing(&self) -> Pacing {
        self.inner.pacing()
    }

    fn another(&self) -> Option<Box<dyn Backend>> {
        let (inner, id) = (self.inner.another()?, self.id.clone());
        Some(Box::new(Open { id, inner, routing: self.routing.clone(), trust: self.trust.clone() }))
    }

    fn tick_every(&self) -> Option<std::time::Duration> {
        self.inner.tick_every()
    }

    fn tick(&mut self, net: &mut Net) -> Result<(), String> {
        self.inner.tick(net)
    }

    fn books(&mut self, books: &[Book]) {
        self.inner.books(books);
    }
}
