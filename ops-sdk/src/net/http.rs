//! Requests, answers, what can go wrong between them, and the seam to whatever carries them: `ureq` in life, a script
//! in tests. An answer of any status is an answer; only a failure to get one is a [`NetError`].

use std::time::Duration;

use ::http::HeaderMap;

use super::{CONNECT_TIMEOUT, Net, NetError, NetErrorKind};

/// A request: method, absolute URI, headers, body.
pub type Request = ::http::Request<Vec<u8>>;

/// An answer, whatever its status. Redirects are not followed: a signed request is signed for one host.
#[derive(Debug, Clone, Default)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, cut at [`super::ANSWER_BYTES_MAX`].
    pub body: Vec<u8>,
}

impl Response {
    /// The header's value, if there is one and it is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// What bounds one exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// For the connection, name resolution and TLS included.
    pub connect: Duration,
    /// For everything, up to the last byte of the answer.
    pub total: Duration,
    /// Whether a proxy that the environment names may be used. Metadata services are never asked through one.
    pub proxy: bool,
}

/// What came of a request, and how long that took.
#[derive(Debug)]
pub struct Exchange {
    /// The answer, or why there is none.
    pub outcome: Result<Response, NetError>,
    /// From the first byte out, connection included, to the last byte in.
    pub elapsed: Duration,
}

/// Carries requests.
pub trait Transport: Send + Sync + 'static {
    /// Carries one request and waits for its answer, no longer than `bounds` allow.
    fn exchange(&self, request: Request, bounds: Bounds) -> Exchange;

    /// Ends the exchange under way and refuses all to come.
    fn hang_up(&self);
}

impl Net {
    /// Sends a request within what is left of the push's budget.
    ///
    /// # Errors
    ///
    /// If no answer came. An answer of any status is not an error.
    pub fn send(&mut self, request: Request) -> Result<Response, NetError> {
        let total = self.left();
        if total.is_zero() {
            self.unanswered = true;
            let text = "no time left for this push".to_owned();
            return Err(NetError { kind: NetErrorKind::Timeout { sent: Some(false) }, text });
        }
        let bounds = Bounds { connect: CONNECT_TIMEOUT.min(total), total, proxy: true };
        self.wire_bytes += request.body().len() as u64;
        let Exchange { outcome, elapsed } = self.transport.exchange(request, bounds);
        self.spend(elapsed);
        self.unanswered = outcome.is_err();
        outcome
    }
}

/// A transport that plays a script, for tests of everything above it.
#[cfg(test)]
pub(crate) mod script {
    use std::collections::VecDeque;
    use std::sync::Arc;

    use crate::lock::Mutex;

    use super::{Bounds, Exchange, Net, NetError, NetErrorKind, Request, Response, Transport};
    use crate::clock::Now;
    use std::time::Duration;

    /// Answers in order, and remembers what was asked.
    #[derive(Default)]
    pub(crate) struct Script {
        steps: Mutex<VecDeque<Exchange>>,
        asked: Mutex<Vec<(Request, Bounds)>>,
    }

    #[allow(dead_code)] // which of these are used depends on the backends that are compiled in
    impl Script {
        pub(crate) fn then(self: &Arc<Script>, outcome: Result<Response, NetError>) -> Arc<Script> {
            self.then_after(Duration::from_millis(10), outcome)
        }

        pub(crate) fn then_after(
            self: &Arc<Script>,
            elapsed: Duration,
            outcome: Result<Response, NetError>,
        ) -> Arc<Script> {
            self.steps.lock().push_back(Exchange { outcome, elapsed });
            Arc::clone(self)
        }

        pub(crate) fn answer(self: &Arc<Script>, status: u16, body: &str) -> Arc<Script> {
            self.then(Ok(response(status, &[], body)))
        }

        /// What was asked since the last time.
        pub(crate) fn asked(&self) -> Vec<(Request, Bounds)> {
            std::mem::take(&mut *self.asked.lock())
        }

        pub(crate) fn net(self: &Arc<Script>, unix_s: u64) -> Net {
            let mut net = Net::new(Now { unix_ns: unix_s * 1_000_000_000, mono_ns: 1 });
            net.transport = Arc::<Script>::clone(self);
            net
        }
    }

    pub(crate) fn response(status: u16, headers: &[(&'static str, &str)], body: &str) -> Response {
        let mut answer = Response { status, body: body.as_bytes().to_vec(), ..Response::default() };
        for (name, value) in headers {
            answer.headers.insert(*name, value.parse().unwrap());
        }
        answer
    }

    pub(crate) fn refused() -> NetError {
        NetError { kind: NetErrorKind::Connect, text: "cannot connect to test: refused".into() }
    }

    impl Transport for Script {
        fn exchange(&self, request: Request, bounds: Bounds) -> Exchange {
            self.asked.lock().push((request, bounds));
            let next = self.steps.lock().pop_front();
            next.unwrap_or(Exchange { outcome: Err(refused()), elapsed: Duration::from_millis(1) })
        }

        fn hang_up(&self) {
            self.steps.lock().clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::script::{Script, response};
    use super::*;

    #[test]
    fn what_an_exchange_takes_is_taken_from_the_budget() {
        let script = Arc::new(Script::default());
        let answer = || Ok(response(200, &[], "{}"));
        script.then_after(Duration::from_secs(29), answer()).then_after(Duration::from_secs(2), answer());
        let mut net = script.net(1_000);
        net.send(Request::default()).unwrap();
        net.send(Request::default()).unwrap();
        let none_left = net.send(Request::default()).unwrap_err();
        assert_eq!(none_left.kind, NetErrorKind::Timeout { sent: Some(false) });
        let asked = script.asked();
        let bounds: Vec<_> = asked.iter().map(|(_, bounds)| (bounds.connect, bounds.total)).collect();
        let second = Duration::from_secs(1);
        assert_eq!(bounds, [(CONNECT_TIMEOUT, 30 * second), (second, second)]);
        assert_eq!(net.current().unix_ns, 1_031_000_000_000);
    }
}
