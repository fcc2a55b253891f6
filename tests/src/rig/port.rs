//! A port of 127.0.0.1 that is kept for a server which comes later, or comes and goes.
//!
//! A port that was free a moment ago may be another's when it is wanted: of a test beside this one, or of any connection
//! that goes out. So it stays bound here, by a socket that nobody listens on: whoever connects is refused, the system
//! gives it to nobody else, and a server that sets `SO_REUSEADDR` (as all do that we have to do with) may listen on it.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, getsockname, socket_with, sockopt};

/// A port of 127.0.0.1, kept until this is dropped.
#[derive(Debug)]
pub struct Port {
    address: SocketAddr,
    _keeper: OwnedFd,
}

impl Port {
    /// Keeps a port that is free, for connections.
    ///
    /// # Panics
    ///
    /// If there is none.
    #[must_use]
    pub fn keep() -> Port {
        Port::of(SocketType::STREAM)
    }

    /// Keeps a port that is free, for datagrams. To be dropped once the server is there: with both, it is the
    /// system's to say who is given a datagram.
    ///
    /// # Panics
    ///
    /// If there is none.
    #[must_use]
    pub fn keep_for_datagrams() -> Port {
        Port::of(SocketType::DGRAM)
    }

    fn of(kind: SocketType) -> Port {
        // No child that is started meanwhile may keep it.
        let keeper = socket_with(AddressFamily::INET, kind, SocketFlags::CLOEXEC, None).expect("a socket");
        sockopt::set_socket_reuseaddr(&keeper, true).expect("a socket that lets others in");
        bind(&keeper, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("a free port on 127.0.0.1");
        let address = getsockname(&keeper).expect("a bound socket has an address");
        Port { address: address.try_into().expect("an address of IPv4"), _keeper: keeper }
    }

    /// Its number.
    #[must_use]
    pub fn number(&self) -> u16 {
        self.address.port()
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Listens on it. Where nobody does, whoever connects is refused.
    ///
    /// # Panics
    ///
    /// If somebody does already.
    #[must_use]
    pub fn listen(&self) -> TcpListener {
        TcpListener::bind(self.address).expect("a port that is kept for us")
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn servers_come_and_go_on_a_port_that_is_kept_and_nobody_connects_in_between() {
        let port = Port::keep();
        for _ in 0..3 {
            let refused = TcpStream::connect(port.address()).expect_err("nobody listens");
            assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
            let listener = port.listen();
            let client = TcpStream::connect(port.address()).expect("somebody listens");
            let (served, _) = listener.accept().expect("a connection");
            assert!(TcpListener::bind(port.address()).is_err(), "one at a time");
            drop((listener, served, client));
        }
    }

    #[test]
    fn the_system_gives_a_port_that_is_kept_to_nobody() {
        let kept: Vec<Port> = (0..50).map(|_| Port::keep()).collect();
        let others: Vec<_> = (0..500).map(|_| TcpListener::bind("127.0.0.1:0").expect("a port")).collect();
        let numbers: Vec<u16> = kept.iter().map(Port::number).collect();
        for other in others {
            let number = other.local_addr().expect("an address").port();
            assert!(!numbers.contains(&number), "{number}");
        }
    }
}
