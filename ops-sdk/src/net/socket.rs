//! Connections for protocols that are not HTTP: [`Stream`] over TCP, TLS or a Unix socket, [`Datagrams`] over UDP or a
//! Unix socket.
//!
//! Promises: every call ends within what is left of the push's budget, and its time is taken from it; what was written is
//! counted; hanging up ends the call under way and refuses all to come; an error says what failed and where, and never
//! holds a secret. Speaks no protocol of its own.
//!
//! A name is looked up on a thread "ops-resolve" that lasts as long as the system's resolver takes, since that knows no
//! bound of ours; a Unix socket is connected to on a thread "ops-connect" for the same reason. An address in numbers
//! needs none.

mod address;
mod datagrams;
mod lines;
mod resolve;
mod stream;
#[cfg_attr(not(feature = "tls"), path = "socket/no_tls.rs")]
mod tls;

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::error::{NetError, NetErrorKind};
use super::{CONNECT_TIMEOUT, Net};

pub use self::address::Address;
pub use self::datagrams::{Datagrams, UDP_BYTES_MAX};
pub(super) use self::lines::Lines;
use self::lines::Socket;
pub use self::stream::Stream;
pub use self::tls::{Tls, TlsFiles};

impl Net {
    /// Connects, with TLS if it is given; an address that asks for TLS is not spoken to without.
    ///
    /// # Errors
    ///
    /// If there is no connection within [`CONNECT_TIMEOUT`] and what is left of the budget.
    pub fn dial(&mut self, address: &Address, tls: Option<&Tls>) -> Result<Stream, NetError> {
        let lines = Arc::clone(&self.lines);
        self.within(CONNECT_TIMEOUT, |until| Stream::dial(address, tls, lines, until))
    }

    /// A socket that sends datagrams to this address. That says nothing about whether anybody reads them.
    ///
    /// # Errors
    ///
    /// If the name is not found, or the system gives no socket.
    pub fn datagrams(&mut self, address: &Address) -> Result<Datagrams, NetError> {
        let lines = Arc::clone(&self.lines);
        self.within(CONNECT_TIMEOUT, |until| Datagrams::open(address, lines, until))
    }

    /// Does something that must have ended by an instant: within what is left of the budget, and `at_most`.
    fn within<T>(
        &mut self,
        at_most: Duration,
        work: impl FnOnce(Instant) -> Result<T, NetError>,
    ) -> Result<T, NetError> {
        let left = self.left().min(at_most);
        let outcome = if self.lines.is_hung_up() {
            Err(NetError { kind: NetErrorKind::Io, text: "hung up: the process ends".to_owned() })
        } else if left.is_zero() {
            let text = "no time left for this push".to_owned();
            Err(NetError { kind: NetErrorKind::Timeout { sent: Some(false) }, text })
        } else {
            let started = Instant::now();
            let outcome = work(started + left);
            self.spend(started.elapsed());
            outcome
        };
        self.unanswered = outcome.is_err();
        outcome
    }
}

#[cfg(test)]
mod tests;
