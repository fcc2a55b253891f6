//! Datagrams: what was sent may be lost, and nobody says so.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::lines::{Lines, Patience, Patiently};
use super::resolve::{Phase, resolve, tell};
use super::{Address, NetError, NetErrorKind, Socket};
use crate::net::Net;
use std::io::{self, Write};

/// Bytes of the longest datagram over UDP and IPv4: 65,535 less the headers of both (RFC 768, RFC 791).
pub const UDP_BYTES_MAX: usize = 65_507;

/// A socket that sends datagrams to one address.
#[derive(Debug)]
pub struct Datagrams {
    socket: Arc<Socket>,
    whom: String,
}

impl Datagrams {
    pub(super) fn open(address: &Address, lines: Arc<Lines>, until: Instant) -> Result<Datagrams, NetError> {
        let whom = address.to_string();
        let refused = |error: &io::Error| tell(error, &whom, Phase::Connect);
        let socket = match address {
            Address::Udp { host, port } => {
                udp(&resolve(host, *port, until)?).map(Socket::Udp).map_err(|error| refused(&error))?
            }
            #[cfg(unix)]
            Address::UnixDatagram(path) => {
                use std::os::unix::net::UnixDatagram;
                let open = || {
                    let socket = UnixDatagram::unbound()?;
                    socket.connect(path).map(|()| socket)
                };
                open().map(Socket::UnixDatagram).map_err(|error| refused(&error))?
            }
            _ => return Err(refused(&io::Error::other("it takes no datagrams"))),
        };
        Ok(Datagrams { socket: lines.open(socket), whom })
    }

    /// Whether the system has heard since that a datagram found nobody; waits for nothing.
    ///
    /// # Errors
    ///
    /// What it has heard.
    pub fn check(&self) -> Result<(), NetError> {
        match self.socket.take_error() {
            Ok(Some(error)) | Err(error) => Err(tell(&error, &self.whom, Phase::Write)),
            Ok(None) => Ok(()),
        }
    }

    /// Sends one datagram. That it was sent does not say that it arrived; that the one before found no reader may be said
    /// here, and then this one was not sent. A Unix socket whose reader is slow is waited for.
    ///
    /// # Errors
    ///
    /// If the system did not take it. [`NetErrorKind::Request`] is one that is too long, and will be again.
    pub fn send(&mut self, net: &mut Net, datagram: &[u8]) -> Result<(), NetError> {
        net.wire_bytes += datagram.len() as u64;
        net.within(Duration::MAX, |until| {
            let sent = Patiently(&self.socket, Patience::Until(until)).write(datagram);
            match sent.map_err(|error| tell(&error, &self.whom, Phase::Write))? {
                all if all == datagram.len() => Ok(()),
                some => {
                    let text = format!("{}: {some} of {} bytes were sent", self.whom, datagram.len());
                    Err(NetError { kind: NetErrorKind::Request, text })
                }
            }
        })
    }
}

/// A socket on the first of these addresses that the system has a way to.
fn udp(addresses: &[SocketAddr]) -> io::Result<UdpSocket> {
    let mut failed = io::ErrorKind::AddrNotAvailable.into();
    for address in addresses {
        let here = match address {
            SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
        };
        match UdpSocket::bind(here).and_then(|socket| socket.connect(address).map(|()| socket)) {
            Ok(socket) => return Ok(socket),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}
