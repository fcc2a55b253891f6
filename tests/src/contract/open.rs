//! A backend opened as its case says, and batches of its items.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ops_sdk::Error;
use ops_sdk::backend::{Backend, Context, Verdict, by_name};
use ops_sdk::chunk::{Batch, Items, chunk};
use ops_sdk::clock::Now;
use ops_sdk::limits::{Limits, PushLimit};
use ops_sdk::model::{Record, Signal};
use ops_sdk::net::{Net, PUSH_TIMEOUT};
use tempfile::TempDir;

use super::{Case, HttpCase, Talk};

/// A backend, its limits under the push limit, and the directory it works in.
pub(super) struct Opened {
    pub(super) backend: Box<dyn Backend>,
    pub(super) limits: Limits,
    net: Net,
    _dir: TempDir,
}

impl Opened {
    /// Opens the backend of a case against the server of this URL.
    pub(super) fn new(case: &Case, url: &str, push_limit: PushLimit) -> Opened {
        let dir = tempfile::tempdir().expect("a directory");
        let vars = (case.vars)(url, dir.path());
        let backend = open(case.name, vars, push_limit, dir.path());
        let backend = backend.unwrap_or_else(|error| panic!("{} does not open: {error}", case.name));
        let limits = backend.limits().under(push_limit);
        Opened { backend, limits, net: Net::new(Now::read()), _dir: dir }
    }

    /// The kinds of record that it takes.
    pub(super) fn signals(&self) -> Vec<Signal> {
        Signal::ALL.into_iter().filter(|signal| self.backend.accepts(*signal)).collect()
    }

    /// Encodes records as a ship thread does; what it cannot express is left out. How many were encoded, too.
    pub(super) fn items(&mut self, records: &[Record<'_>]) -> (Items, usize) {
        let (mut items, mut encoded) = (Items::new(), 0);
        for (record, place) in records.iter().zip(0..) {
            items.begin(record.id, record.time_ms(), place);
            let before = items.len();
            match self.backend.encode(record, &mut items) {
                Ok(()) => encoded += usize::from(items.len() > before),
                Err(_) => items.truncate(before),
            }
        }
        (items, encoded)
    }

    /// Encodes and cuts records of now.
    pub(super) fn batches(&mut self, records: &[Record<'_>]) -> Vec<Batch> {
        let (items, _) = self.items(records);
        chunk(&items, &self.limits, Now::read().unix_ms()).batches
    }

    /// Sends a batch, with this much time for it.
    pub(super) fn send_within(&mut self, batch: &Batch, budget: Duration) -> Verdict {
        self.net.begin(Now::read(), budget);
        self.backend.send(batch, &mut self.net)
    }

    /// Sends a batch.
    pub(super) fn send(&mut self, batch: &Batch) -> Verdict {
        self.send_within(batch, PUSH_TIMEOUT)
    }
}

/// Opens a backend under these variables and no others.
pub(super) fn open(
    name: &str,
    vars: Vec<(&'static str, String)>,
    push_limit: PushLimit,
    dir: &Path,
) -> Result<Box<dyn Backend>, Error> {
    let var = move |asked: &str| vars.iter().find(|(name, _)| *name == asked).map(|(_, value)| value.clone());
    let context = Context {
        namespace: "Shop".to_owned(),
        dimensions: vec![("Service".to_owned(), "checkout".to_owned())],
        process: super::PROCESS,
        host: "h1".to_owned(),
        name: None,
        state_dir: Some(dir.to_owned()),
        push_limit,
        var: Arc::new(var),
    };
    let settings = by_name(name).unwrap_or_else(|| panic!("there is no backend {name}"));
    settings.open(&context)
}

/// What a case says of its HTTP server, if it has one.
pub(super) fn http(case: &Case) -> Option<&HttpCase> {
    match &case.talk {
        Talk::Http(http) => Some(http),
        Talk::Other => None,
    }
}
