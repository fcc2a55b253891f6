//! A connection: plain, or wrapped in TLS.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::lines::{Lines, Patience, Patiently};
use super::resolve::{Phase, aside, resolve, tell};
use super::tls::{Session, Tls};
use super::{Address, NetError, NetErrorKind, Socket};
use crate::net::Net;

/// How long a server is given to say that it does not take a handshake after all, see [`Stream::settle`]. Long enough for
/// one that is busy: what is written before it has said so is lost.
const FIRST_WORD: Duration = Duration::from_secs(3);
/// Bytes that are read when only looking whether the other side is still there.
const AHEAD_BYTES_MAX: usize = 4 << 10;

/// A connection. Closed when dropped, over TLS with the word that nothing is missing (close_notify).
pub struct Stream {
    socket: Arc<Socket>,
    session: Option<Session>,
    whom: String,
    /// What was read when only looking, from `ahead_read` on.
    ahead: Vec<u8>,
    ahead_read: usize,
    /// A call failed: there is no telling what the other side has of it.
    broken: bool,
}

impl Stream {
    pub(super) fn dial(
        address: &Address,
        tls: Option<&Tls>,
        lines: Arc<Lines>,
        until: Instant,
    ) -> Result<Stream, NetError> {
        let whom = address.to_string();
        let refused = |error: io::Error| tell(&error, &whom, Phase::Connect);
        if address.is_tls() && tls.is_none() {
            return Err(refused(io::Error::new(io::ErrorKind::InvalidData, "it has no settings here")));
        }
        let socket = match address {
            Address::Tcp { host, port, .. } => {
                let addresses = resolve(host, *port, until)?;
                Socket::Tcp(tcp(&addresses, until).map_err(refused)?)
            }
            #[cfg(unix)]
            Address::Unix(path) => {
                // Waits, without a bound of its own, for a listener that has no room for another.
                let path = path.clone();
                let connect = move || std::os::unix::net::UnixStream::connect(path);
                Socket::Unix(aside("ops-connect", connect, until).map_err(refused)?)
            }
            _ => return Err(refused(io::Error::other("it takes no connections"))),
        };
        let socket = lines.open(socket);
        let host = address.host().unwrap_or_default();
        let session = tls.map(|tls| {
            Session::begin(tls, host, &mut Patiently(&socket, Patience::Until(until)))
                .map_err(|error| tell(&error, &whom, Phase::Connect))
        });
        let session = session.transpose()?;
        Ok(Stream { socket, session, whom, ahead: Vec::new(), ahead_read: 0, broken: false })
    }

    /// Waits for a sign that the server has taken the handshake, up to three seconds. In TLS 1.3 it may refuse a client's
    /// certificate after the client has begun to speak; what was written by then would be lost. To be called before
    /// writing where the protocol itself has no answer. Where there is nothing to wait for it does nothing.
    ///
    /// # Errors
    ///
    /// If the server has refused, or the connection has broken.
    pub fn settle(&mut self, net: &mut Net) -> Result<(), NetError> {
        let Some(session) = &mut self.session else { return Ok(()) };
        let settled = net.within(FIRST_WORD, |until| {
            let settled = session.settle(&mut Patiently(&self.socket, Patience::Until(until)));
            settled.map_err(|error| tell(&error, &self.whom, Phase::Read))
        });
        match settled {
            Err(error) if matches!(error.kind, NetErrorKind::Timeout { .. }) => net.unanswered = false,
            settled => {
                self.broken = settled.is_err();
                settled?;
            }
        }
        Ok(())
    }

    /// Writes all of it. That says that it is in the system's buffer, not that it has arrived.
    ///
    /// # Errors
    ///
    /// If not all could be written; how much the other side has of it is not known, and the connection is done with.
    pub fn write_all(&mut self, net: &mut Net, bytes: &[u8]) -> Result<(), NetError> {
        self.usable()?;
        net.wire_bytes += bytes.len() as u64;
        net.within(Duration::MAX, |until| {
            let mut wire = Patiently(&self.socket, Patience::Until(until));
            let written = match &mut self.session {
                Some(session) => session.write_all(&mut wire, bytes),
                None => wire.write_all(bytes),
            };
            written.map_err(|error| self.last_words(&error))
        })
    }

    /// Reads some of what comes, waiting for it. 0 is the end: the other side has closed.
    ///
    /// # Errors
    ///
    /// If nothing came in time, or the connection broke.
    pub fn read(&mut self, net: &mut Net, buffer: &mut [u8]) -> Result<usize, NetError> {
        self.usable()?;
        if let Some(read) = self.take_ahead(buffer) {
            return Ok(read);
        }
        net.within(Duration::MAX, |until| self.read_with(Patience::Until(until), buffer))
    }

    /// Reads some of what has come, without waiting; `None` if nothing has. 0 is the end, as for [`Stream::read`].
    ///
    /// # Errors
    ///
    /// If the connection broke.
    pub fn read_now(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, NetError> {
        self.usable()?;
        if let Some(read) = self.take_ahead(buffer) {
            return Ok(Some(read));
        }
        match self.read_with(Patience::None, buffer) {
            Err(error) if matches!(error.kind, NetErrorKind::Timeout { .. }) => Ok(None),
            read => read.map(Some),
        }
    }

    /// Whether the other side is still there as far as this side has heard; waits for nothing. A peer that was cut off
    /// without a word is taken to be there until the system gives up on it.
    ///
    /// # Errors
    ///
    /// What it said before it went, or how it went.
    pub fn check(&mut self) -> Result<(), NetError> {
        self.usable()?;
        if self.ahead_read < self.ahead.len() {
            return Ok(());
        }
        match self.look(Patience::None) {
            Err(error) if matches!(error.kind, NetErrorKind::Timeout { .. }) => Ok(()),
            looked => looked,
        }
    }

    /// [`Stream::check`] as a yes or no.
    pub fn is_open(&mut self) -> bool {
        self.check().is_ok()
    }

    /// Closes it, over TLS with the word that nothing is missing. Waits for nothing.
    pub fn close(self) {}

    fn usable(&self) -> Result<(), NetError> {
        match self.broken {
            true => Err(self.gone("it failed before")),
            false => Ok(()),
        }
    }

    fn gone(&self, how: &str) -> NetError {
        NetError { kind: NetErrorKind::Io, text: format!("the connection to {} broke: {how}", self.whom) }
    }

    /// Reads ahead, to see whether there is an end.
    fn look(&mut self, patience: Patience) -> Result<(), NetError> {
        let mut ahead = std::mem::take(&mut self.ahead);
        ahead.resize(AHEAD_BYTES_MAX, 0);
        let read = self.read_with(patience, &mut ahead);
        ahead.truncate(*read.as_ref().unwrap_or(&0));
        (self.ahead, self.ahead_read) = (ahead, 0);
        match read? {
            0 => {
                self.broken = true;
                Err(self.gone("the other side has closed it"))
            }
            _ => Ok(()),
        }
    }

    fn take_ahead(&mut self, buffer: &mut [u8]) -> Option<usize> {
        let rest = &self.ahead[self.ahead_read..];
        if rest.is_empty() {
            return None;
        }
        let read = rest.len().min(buffer.len());
        buffer[..read].copy_from_slice(&rest[..read]);
        self.ahead_read += read;
        Some(read)
    }

    fn read_with(&mut self, patience: Patience, buffer: &mut [u8]) -> Result<usize, NetError> {
        let mut wire = Patiently(&self.socket, patience);
        let read = match &mut self.session {
            Some(session) => session.read(&mut wire, buffer),
            None => wire.read(buffer),
        };
        read.map_err(|error| {
            let told = tell(&error, &self.whom, Phase::Read);
            self.broken = !matches!(told.kind, NetErrorKind::Timeout { .. });
            told
        })
    }

    /// Why a write failed: in the server's words, if it said why before it went.
    fn last_words(&mut self, error: &io::Error) -> NetError {
        let told = tell(error, &self.whom, Phase::Write);
        let tls_broke = self.session.is_some() && told.kind == NetErrorKind::Io;
        let said = tls_broke.then(|| self.read_with(Patience::None, &mut [0; 256]));
        self.broken = true;
        match said {
            Some(Err(said)) if said.kind == NetErrorKind::Tls => said,
            _ => told,
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let (Some(session), false) = (&mut self.session, self.broken) {
            session.close(&mut Patiently(&self.socket, Patience::None));
        }
    }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream")
            .field("whom", &self.whom)
            .field("broken", &self.broken)
            .finish_non_exhaustive()
    }
}

/// A connection to the first of these addresses that answers; each but the last gets a share of the time.
fn tcp(addresses: &[SocketAddr], until: Instant) -> io::Result<TcpStream> {
    let mut failed = io::ErrorKind::TimedOut.into();
    for (index, address) in addresses.iter().enumerate() {
        let left = until.saturating_duration_since(Instant::now());
        #[allow(clippy::cast_possible_truncation)] // a name has few addresses
        let share = left / (addresses.len() - index) as u32;
        if share.is_zero() {
            break;
        }
        match TcpStream::connect_timeout(address, share) {
            Ok(stream) => {
                // What is written is written in one piece, and waited for.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Err(error) => failed = error,
        }
    }
    Err(failed)
}
