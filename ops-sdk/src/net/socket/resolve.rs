//! From a host's name to its addresses, in bounded time, and what the system's errors mean.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use super::{NetError, NetErrorKind};

/// The addresses of a host, in the order to try them.
pub(super) fn resolve(host: &str, port: u16, until: Instant) -> Result<Vec<SocketAddr>, NetError> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(ip, port)]);
    }
    let unknown = || NetError {
        kind: NetErrorKind::Resolve,
        text: format!("cannot resolve the name of {host}:{port}"),
    };
    let name = (host.to_owned(), port);
    match aside("ops-resolve", move || name.to_socket_addrs().map(Vec::from_iter), until) {
        Ok(addresses) if !addresses.is_empty() => Ok(addresses),
        Err(error) if error.kind() == io::ErrorKind::TimedOut => Err(NetError {
            kind: NetErrorKind::Timeout { sent: Some(false) },
            text: format!("{host}:{port}: resolving the name took too long"),
        }),
        _ => Err(unknown()),
    }
}

/// Does on a thread of its own what knows no bound; after the bound nobody waits for it any more.
pub(super) fn aside<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
    until: Instant,
) -> io::Result<T> {
    let (tell, told) = mpsc::channel();
    thread::Builder::new().name(name.to_owned()).spawn(move || _ = tell.send(work()))?;
    let done = told.recv_timeout(until.saturating_duration_since(Instant::now()));
    done.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// What was under way when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Connect,
    Write,
    Read,
}

/// The failure in our words.
pub(super) fn tell(error: &io::Error, whom: &str, phase: Phase) -> NetError {
    use io::ErrorKind as K;
    let (kind, text) = match error.kind() {
        K::TimedOut | K::WouldBlock => {
            let (sent, what) = match phase {
                Phase::Connect => (Some(false), "connecting"),
                Phase::Write => (None, "writing"),
                Phase::Read => (Some(true), "waiting for the answer"),
            };
            (NetErrorKind::Timeout { sent }, format!("{whom}: {what} took too long"))
        }
        // What rustls has to say comes as this.
        K::InvalidData => (NetErrorKind::Tls, format!("no TLS with {whom}: {error}")),
        _ if is_too_long(error) => {
            (NetErrorKind::Request, format!("too long for one datagram to {whom}: {error}"))
        }
        K::ConnectionRefused
        | K::HostUnreachable
        | K::NetworkUnreachable
        | K::AddrNotAvailable
        | K::NotFound
        | K::PermissionDenied => (NetErrorKind::Connect, format!("cannot connect to {whom}: {error}")),
        _ if phase == Phase::Connect => (NetErrorKind::Connect, format!("cannot connect to {whom}: {error}")),
        _ => (NetErrorKind::Io, format!("the connection to {whom} broke: {error}")),
    };
    NetError { kind, text }
}

#[cfg(unix)]
fn is_too_long(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EMSGSIZE)
}

#[cfg(not(unix))]
fn is_too_long(_error: &io::Error) -> bool {
    false
}
