//! The way out: what a backend sends with. One [`Net`] belongs to one ship thread, so connections are reused within a
//! backend and a server that hangs harms that backend alone.
//!
//! Promises: nothing here outlives the push's budget; an error says what failed and where, and never holds a secret
//! (no header, no token, no query). Knows no vendor's JSON, except the envelope in which AWS says what went wrong.

#[cfg(feature = "aws")]
pub mod aws;
#[cfg(feature = "http")]
mod date;
#[cfg(any(feature = "http", feature = "socket"))]
mod error;
#[cfg(feature = "http")]
mod http;
#[cfg(feature = "prometheus")]
pub mod listen;
#[cfg(feature = "http")]
mod resolve;
#[cfg(feature = "socket")]
mod socket;
#[cfg(all(test, feature = "tls"))]
mod test_ca;
#[cfg_attr(not(feature = "http"), path = "no_trust.rs")]
mod trust;
#[cfg(feature = "http")]
mod ureq;

use std::fmt;
use std::time::Duration;

use crate::clock::Now;

#[cfg(feature = "http")]
pub use self::date::parse_http_date;
#[cfg(any(feature = "http", feature = "socket"))]
pub use self::error::{NetError, NetErrorKind};
#[cfg(all(test, feature = "http"))]
#[allow(unused_imports)] // for the backends that are compiled in
pub(crate) use self::http::script;
#[cfg(feature = "http")]
pub use self::http::{Bounds, Exchange, Request, Response, Transport};
#[cfg(feature = "socket")]
pub use self::socket::{Address, Datagrams, Stream, Tls, TlsFiles, UDP_BYTES_MAX};
pub use self::trust::{Trust, TrustFiles};

/// Reads a variable of the environment, or what a test puts in its place.
pub type Var = std::sync::Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// How long one push may take at most, its retries within the push included.
pub const PUSH_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a connection may take, name resolution and TLS included. (3.1 s is what AWS's SDKs allow.)
pub const CONNECT_TIMEOUT: Duration = Duration::from_millis(3_100);
/// Bytes of an answer that are read; what comes after them is left unread.
pub const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// What a ship thread lends to its backend for one push.
pub struct Net {
    /// The time at which the push began, read by the ship thread.
    pub now: Now,
    budget: Duration,
    spent: Duration,
    /// Bytes of the bodies that this push has sent.
    wire_bytes: u64,
    /// Whether the last exchange of this push came to no answer.
    unanswered: bool,
    #[cfg(feature = "http")]
    transport: std::sync::Arc<dyn Transport>,
    #[cfg(feature = "socket")]
    lines: std::sync::Arc<self::socket::Lines>,
}

impl Net {
    /// A way out with no connection yet and the whole of [`PUSH_TIMEOUT`] to spend.
    #[must_use]
    pub fn new(now: Now) -> Net {
        Net {
            now,
            budget: PUSH_TIMEOUT,
            spent: Duration::ZERO,
            wire_bytes: 0,
            unanswered: false,
            #[cfg(feature = "http")]
            transport: std::sync::Arc::new(self::ureq::Ureq::new(Trust::default())),
            #[cfg(feature = "socket")]
            lines: std::sync::Arc::default(),
        }
    }

    /// The same, with HTTPS that trusts these authorities and shows this certificate.
    #[must_use]
    #[cfg_attr(not(feature = "http"), allow(unused_variables, unused_mut))]
    pub fn trusting(mut self, trust: Trust) -> Net {
        #[cfg(feature = "http")]
        {
            self.transport = std::sync::Arc::new(self::ureq::Ureq::new(trust));
        }
        self
    }

    /// A second one for pushes beside this one's, over the same pool of connections.
    #[must_use]
    pub fn another(&self) -> Net {
        Net {
            spent: Duration::ZERO,
            wire_bytes: 0,
            unanswered: false,
            #[cfg(feature = "http")]
            transport: std::sync::Arc::clone(&self.transport),
            #[cfg(feature = "socket")]
            lines: std::sync::Arc::clone(&self.lines),
            ..*self
        }
    }

    /// A way out over this transport.
    #[cfg(any(feature = "fuzzing", all(test, feature = "http")))]
    #[allow(dead_code)] // for the backends that are compiled in
    pub(crate) fn over(now: Now, transport: std::sync::Arc<dyn Transport>) -> Net {
        Net { transport, ..Net::new(now) }
    }

    /// Begins another push, which may take `budget` but never more than [`PUSH_TIMEOUT`]: at shutdown the ship thread
    /// gives what is left until its deadline. Connections stay.
    pub fn begin(&mut self, now: Now, budget: Duration) {
        (self.now, self.budget, self.spent) = (now, budget.min(PUSH_TIMEOUT), Duration::ZERO);
        (self.wire_bytes, self.unanswered) = (0, false);
    }

    /// Bytes of the bodies that this push has sent so far, as they went over the wire.
    #[must_use]
    pub fn wire_bytes(&self) -> u64 {
        self.wire_bytes
    }

    /// Whether the last request of this push came to no answer at all.
    #[must_use]
    pub fn is_unanswered(&self) -> bool {
        self.unanswered
    }

    /// What ends this thread's exchanges from another thread.
    #[must_use]
    pub fn hang_up(&self) -> HangUp {
        HangUp {
            #[cfg(feature = "http")]
            transport: std::sync::Arc::clone(&self.transport),
            #[cfg(feature = "socket")]
            lines: std::sync::Arc::clone(&self.lines),
        }
    }

    /// What is left of the budget.
    #[must_use]
    pub fn left(&self) -> Duration {
        self.budget.saturating_sub(self.spent)
    }

    /// Takes time from the budget that was spent on the push's behalf.
    #[cfg(any(feature = "http", feature = "socket"))]
    fn spend(&mut self, elapsed: Duration) {
        self.spent = self.spent.saturating_add(elapsed);
    }

    /// The time by now: the beginning of the push and what its exchanges took.
    #[must_use]
    pub fn current(&self) -> Now {
        let spent_ns = u64::try_from(self.spent.as_nanos()).unwrap_or(u64::MAX);
        Now {
            unix_ns: self.now.unix_ns.saturating_add(spent_ns),
            mono_ns: self.now.mono_ns.saturating_add(spent_ns),
        }
    }
}

/// Ends a ship thread's exchanges, the one under way and all to come: for a process that must exit now.
#[derive(Clone)]
pub struct HangUp {
    #[cfg(feature = "http")]
    transport: std::sync::Arc<dyn Transport>,
    #[cfg(feature = "socket")]
    lines: std::sync::Arc<self::socket::Lines>,
}

impl HangUp {
    /// Hangs up. A connection that is still being made takes up to [`CONNECT_TIMEOUT`] to notice.
    pub fn now(&self) {
        #[cfg(feature = "http")]
        self.transport.hang_up();
        #[cfg(feature = "socket")]
        self.lines.hang_up();
    }
}

impl fmt::Debug for HangUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HangUp")
    }
}

impl fmt::Debug for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Net").field("now", &self.now).field("left", &self.left()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_push_has_its_budget_and_never_more_than_the_timeout() {
        let now = Now { unix_ns: 5, mono_ns: 7 };
        let mut net = Net::new(now);
        assert_eq!(net.left(), PUSH_TIMEOUT);
        net.begin(now, Duration::MAX);
        assert_eq!(net.left(), PUSH_TIMEOUT);
        net.begin(now, Duration::from_secs(2));
        net.spent = Duration::from_secs(1);
        assert_eq!(net.left(), Duration::from_secs(1));
        assert_eq!(net.current(), Now { unix_ns: 1_000_000_005, mono_ns: 1_000_000_007 });
        net.spent = Duration::from_secs(9);
        assert_eq!(net.left(), Duration::ZERO);
    }
}
