//! An HTTP/1.1 proxy in front of a server that records every request and injects faults by script.
//!
//! Promises: head and body are passed on byte for byte, compressed bodies included, but for `Connection`, which
//! belongs to one hop; connections to the client are kept alive; a request is recorded before the server sees it,
//! and its status before the client does. Never invents a request, and never retries one.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::door::Door;
use super::script::Script;
use super::{Fault, Recorded, exchange};

/// A running proxy on 127.0.0.1. Ends, and cuts every connection, when dropped.
#[derive(Debug)]
pub struct Proxy {
    shared: Arc<Shared>,
    door: Door,
}

/// What the proxy and its connections share.
#[derive(Debug)]
pub(super) struct Shared {
    /// The server behind the proxy, as `host:port`.
    pub(super) upstream: String,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    script: Script,
    requests: Vec<Recorded>,
    /// How many requests came before those.
    forgotten: usize,
    cut_unread: u64,
    releases: u64,
    stopped: bool,
}

impl Proxy {
    /// Starts a proxy in front of `upstream`, such as `http://127.0.0.1:5000`.
    ///
    /// # Panics
    ///
    /// If no port can be had on 127.0.0.1.
    #[must_use]
    pub fn start(upstream: &str) -> Proxy {
        Proxy::start_on(0, upstream)
    }

    /// Starts a proxy on this port of 127.0.0.1: a server that comes up where others wait for it.
    ///
    /// # Panics
    ///
    /// If the port is taken.
    #[must_use]
    pub fn start_on(port: u16, upstream: &str) -> Proxy {
        let upstream = upstream.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let shared = Shared { upstream, state: Mutex::default(), changed: Condvar::new() };
        let shared = Arc::new(shared);
        let serving = Arc::clone(&shared);
        Proxy { shared, door: Door::open(port, move |client| exchange::serve(&serving, client)) }
    }

    /// Its address: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        self.door.url()
    }

    /// Adds steps: one request each, of whatever operation.
    pub fn script(&self, faults: impl IntoIterator<Item = Fault>) {
        faults.into_iter().for_each(|fault| self.shared.lock().script.add(None, fault));
    }

    /// Adds steps: one request each, of this operation (`PutLogEvents`); others pass them by.
    ///
    /// # Panics
    ///
    /// If a step is [`Fault::CutUnread`]: unread requests have no operation.
    pub fn script_for(&self, operation: &str, faults: impl IntoIterator<Item = Fault>) {
        faults.into_iter().for_each(|fault| self.shared.lock().script.add(Some(operation), fault));
    }

    /// What meets every request that no step is for, from now on. [`Fault::Pass`] unless told.
    pub fn otherwise(&self, fault: Fault) {
        self.shared.lock().script.otherwise = fault;
    }

    /// Has every request whose body, decompressed, holds this text meet the fault, before any step and for good.
    pub fn whenever(&self, text: &str, fault: Fault) {
        self.shared.lock().script.add_whenever(text, fault);
    }

    /// How many steps are still to come.
    #[must_use]
    pub fn steps_left(&self) -> usize {
        self.shared.lock().script.len()
    }

    /// Every request so far, in the order in which they were read.
    #[must_use]
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.lock().requests.clone()
    }

    /// Every request of this operation so far.
    #[must_use]
    pub fn requests_of(&self, operation: &str) -> Vec<Recorded> {
        let state = self.shared.lock();
        state.requests.iter().filter(|request| request.operation() == operation).cloned().collect()
    }

    /// Hands out the oldest requests up to the first that is not answered, and forgets them: for runs whose requests
    /// would fill the memory.
    pub fn take_answered(&self) -> Vec<Recorded> {
        let mut state = self.shared.lock();
        let answered = state.requests.iter().take_while(|request| request.status.is_some()).count();
        state.forgotten += answered;
        state.requests.drain(..answered).collect()
    }

    /// How many requests were cut off unread.
    #[must_use]
    pub fn cut_unread(&self) -> u64 {
        self.shared.lock().cut_unread
    }

    /// How many connections clients have opened so far.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.door.connections()
    }

    /// Waits until the requests are as `enough` wants them, `patience` at most, and returns whether they are.
    pub fn wait_until(&self, patience: Duration, enough: impl Fn(&[Recorded]) -> bool) -> bool {
        let state = self.shared.lock();
        let waited =
            self.shared.changed.wait_timeout_while(state, patience, |state| !enough(&state.requests));
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// Cuts every request that hangs now.
    pub fn release(&self) {
        self.shared.lock().releases += 1;
        self.shared.changed.notify_all();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.lock().stopped = true;
        self.shared.changed.notify_all();
    }
}

impl Shared {
    /// Whether the request that is about to be read is to be cut off instead.
    pub(super) fn cuts_unread(&self) -> bool {
        let mut state = self.lock();
        let cuts = state.script.takes_unread_cut();
        state.cut_unread += u64::from(cuts);
        cuts
    }

    /// Records a request: its number, what is to become of it, and how many releases there were before it: who
    /// sees the request recorded may release it before it hangs.
    pub(super) fn record(&self, request: Recorded) -> (usize, Fault, u64) {
        let mut state = self.lock();
        let body = request.decoded.as_deref().unwrap_or_default();
        let fault = state.script.of_body(body).unwrap_or_else(|| state.script.take(request.operation()));
        state.requests.push(request);
        self.changed.notify_all();
        (state.forgotten + state.requests.len() - 1, fault, state.releases)
    }

    /// Changes what is recorded of a request.
    pub(super) fn amend(&self, number: usize, change: impl FnOnce(&mut Recorded)) {
        let mut state = self.lock();
        let at = number.checked_sub(state.forgotten);
        if let Some(request) = at.and_then(|at| state.requests.get_mut(at)) {
            change(request);
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Waits this long; returns whether the proxy still runs.
    pub(super) fn pause(&self, length: Duration) -> bool {
        let end = Instant::now() + length;
        let mut state = self.lock();
        while let Some(left) = end.checked_duration_since(Instant::now()).filter(|_| !state.stopped) {
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        !state.stopped
    }

    /// Waits until there were more than so many releases, or the proxy ends.
    pub(super) fn hang(&self, releases: u64) {
        let state = self.lock();
        let hangs = |state: &mut State| state.releases == releases && !state.stopped;
        drop(self.changed.wait_while(state, hangs));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
