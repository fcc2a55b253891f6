//! Where a socket goes: an address that an operator set, checked once, without asking the network.

use std::fmt;
use std::path::PathBuf;

use crate::error::Error;

/// Where a socket goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A stream over TCP.
    Tcp {
        /// A name or an address in numbers, without brackets.
        host: String,
        /// The port, never 0.
        port: u16,
        /// Whether it is spoken to over TLS only.
        tls: bool,
    },
    /// Datagrams over UDP.
    Udp {
        /// A name or an address in numbers, without brackets.
        host: String,
        /// The port, never 0.
        port: u16,
    },
    /// A stream over a Unix socket.
    Unix(PathBuf),
    /// Datagrams over a Unix socket.
    UnixDatagram(PathBuf),
}

impl Address {
    /// Reads `tcp://host:port`, `tls://host:port`, `udp://host:port`, `unix:///path` (or `unixstream:///path`) and
    /// `unixgram:///path`. Without a port it is `default_port`, or an error if that is 0.
    ///
    /// # Errors
    ///
    /// If it is none of these; the message names the setting.
    pub fn parse(url: &str, default_port: u16, setting: &str) -> Result<Address, Error> {
        let url = url.trim();
        let refused = |problem: &str| {
            let remedy =
                "give scheme and place, as in tcp://collector.example.com:6514 or unix:///run/collector.sock";
            Error::setting(setting, format!("\"{}\" {problem}", shown(url)), remedy)
        };
        let (scheme, place) = url.split_once("://").ok_or_else(|| refused("has no scheme"))?;
        let host_and_port = || split(place, default_port).map_err(refused);
        match scheme.to_ascii_lowercase().as_str() {
            "tcp" => host_and_port().map(|(host, port)| Address::Tcp { host, port, tls: false }),
            "tls" if cfg!(feature = "tls") => {
                host_and_port().map(|(host, port)| Address::Tcp { host, port, tls: true })
            }
            "tls" => Err(refused("asks for TLS, which is not compiled in")),
            "udp" => host_and_port().map(|(host, port)| Address::Udp { host, port }),
            "unix" | "unixstream" => path(place).map(Address::Unix).map_err(refused),
            "unixgram" => path(place).map(Address::UnixDatagram).map_err(refused),
            _ => Err(refused("is none of tcp, tls, udp, unix and unixgram")),
        }
    }

    /// Whether it is spoken to over TLS only.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        matches!(self, Address::Tcp { tls: true, .. })
    }

    /// Whether what is sent there goes in datagrams.
    #[must_use]
    pub fn is_datagram(&self) -> bool {
        matches!(self, Address::Udp { .. } | Address::UnixDatagram(_))
    }

    /// The host, if it has one.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        match self {
            Address::Tcp { host, .. } | Address::Udp { host, .. } => Some(host),
            Address::Unix(_) | Address::UnixDatagram(_) => None,
        }
    }
}

impl fmt::Display for Address {
    /// The address as [`Address::parse`] reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, host, port) = match self {
            Address::Tcp { host, port, tls } => (if *tls { "tls" } else { "tcp" }, host, port),
            Address::Udp { host, port } => ("udp", host, port),
            Address::Unix(path) => return write!(f, "unix://{}", path.display()),
            Address::UnixDatagram(path) => return write!(f, "unixgram://{}", path.display()),
        };
        match host.contains(':') {
            true => write!(f, "{scheme}://[{host}]:{port}"),
            false => write!(f, "{scheme}://{host}:{port}"),
        }
    }
}

/// Host and port of `host`, `host:port`, `[v6]` and `[v6]:port`, perhaps with a slash behind.
fn split(place: &str, default_port: u16) -> Result<(String, u16), &'static str> {
    let place = place.strip_suffix('/').unwrap_or(place);
    let (host, port) = match place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, rest)) => (host, Some(rest.strip_prefix(':').ok_or("has no port behind its brackets")?)),
        None => place.rsplit_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
    };
    let is_v6 = place.starts_with('[');
    let fits = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c) || (is_v6 && ":%".contains(c));
    if host.is_empty() {
        return Err("has no host");
    }
    if !host.chars().all(fits) {
        return Err("holds what no host's name does (an IPv6 address stands in brackets)");
    }
    match port.map_or(Ok(default_port), str::parse) {
        Ok(0) if port.is_none() => Err("has no port"),
        Ok(0) | Err(_) => Err("has a port that is none"),
        Ok(port) => Ok((host.to_owned(), port)),
    }
}

fn path(place: &str) -> Result<PathBuf, &'static str> {
    if !place.starts_with('/') {
        return Err("has no absolute path: three slashes, as in unix:///run/collector.sock");
    }
    #[cfg(unix)]
    if std::os::unix::net::SocketAddr::from_pathname(place).is_err() {
        return Err("is longer than a Unix socket's path may be, or holds a NUL");
    }
    if cfg!(unix) { Ok(PathBuf::from(place)) } else { Err("is a Unix socket, which this system has not") }
}

/// The URL without what may be a password.
fn shown(url: &str) -> String {
    let end = url.split(['?', '\n']).next().unwrap_or_default();
    end.rsplit_once('@').map_or_else(|| end.to_owned(), |(_, rest)| format!("…@{rest}"))
}
