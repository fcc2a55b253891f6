//! Open sockets, and the list of them by which another thread ends them all.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream, UdpSocket};
#[cfg(unix)]
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crate::lock::Mutex;

/// A socket of any kind.
#[derive(Debug)]
pub(super) enum Socket {
    Tcp(TcpStream),
    Udp(UdpSocket),
    #[cfg(unix)]
    Unix(UnixStream),
    #[cfg(unix)]
    UnixDatagram(UnixDatagram),
}

/// One call to each of the four.
macro_rules! each {
    ($socket:expr, $it:ident => $call:expr) => {
        match $socket {
            Socket::Tcp($it) => $call,
            Socket::Udp($it) => $call,
            #[cfg(unix)]
            Socket::Unix($it) => $call,
            #[cfg(unix)]
            Socket::UnixDatagram($it) => $call,
        }
    };
}

impl Socket {
    /// Reads, no longer than `patience` says.
    fn read(&self, patience: Patience, buffer: &mut [u8]) -> io::Result<usize> {
        let once = || match self {
            Socket::Tcp(it) => (&*it).read(buffer),
            Socket::Udp(it) => it.recv(buffer),
            #[cfg(unix)]
            Socket::Unix(it) => (&*it).read(buffer),
            #[cfg(unix)]
            Socket::UnixDatagram(it) => it.recv(buffer),
        };
        self.patiently(patience, |left| each!(self, it => it.set_read_timeout(left)), once)
    }

    /// Writes what the system takes at once, a datagram whole, no longer than `patience` says.
    fn write(&self, patience: Patience, bytes: &[u8]) -> io::Result<usize> {
        let once = || match self {
            Socket::Tcp(it) => (&*it).write(bytes),
            Socket::Udp(it) => it.send(bytes),
            #[cfg(unix)]
            Socket::Unix(it) => (&*it).write(bytes),
            #[cfg(unix)]
            Socket::UnixDatagram(it) => it.send(bytes),
        };
        self.patiently(patience, |left| each!(self, it => it.set_write_timeout(left)), once)
    }

    /// What the system has heard of what was sent before.
    pub(super) fn take_error(&self) -> io::Result<Option<io::Error>> {
        each!(self, it => it.take_error())
    }

    fn patiently(
        &self,
        patience: Patience,
        limit: impl Fn(Option<Duration>) -> io::Result<()>,
        mut once: impl FnMut() -> io::Result<usize>,
    ) -> io::Result<usize> {
        loop {
            let outcome = match patience {
                Patience::Until(instant) => {
                    let left = instant.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Err(io::ErrorKind::TimedOut.into());
                    }
                    limit(Some(left))?;
                    once()
                }
                Patience::None => {
                    each!(self, it => it.set_nonblocking(true))?;
                    let outcome = once();
                    each!(self, it => it.set_nonblocking(false))?;
                    outcome
                }
            };
            match outcome {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                outcome => return outcome,
            }
        }
    }

    /// Ends what any thread does with it. UDP waits for nothing that this could end.
    fn shut(&self) {
        let _ = match self {
            Socket::Tcp(it) => it.shutdown(Shutdown::Both),
            Socket::Udp(_) => Ok(()),
            #[cfg(unix)]
            Socket::Unix(it) => it.shutdown(Shutdown::Both),
            #[cfg(unix)]
            Socket::UnixDatagram(it) => it.shutdown(Shutdown::Both),
        };
    }
}

/// How long a read or a write may take.
#[derive(Debug, Clone, Copy)]
pub(super) enum Patience {
    Until(Instant),
    /// It says `WouldBlock` where it would have to wait.
    None,
}

/// A socket that is read and written with patience.
pub(super) struct Patiently<'a>(pub(super) &'a Socket, pub(super) Patience);

impl Read for Patiently<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(self.1, buffer)
    }
}

impl Write for Patiently<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(self.1, bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The sockets that a [`Net`](crate::net::Net), and those beside it, have open.
#[derive(Debug, Default)]
pub(in crate::net) struct Lines(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    hung_up: bool,
    open: Vec<Weak<Socket>>,
}

impl Lines {
    /// Takes note of a socket, so that it is ended with the others.
    pub(super) fn open(&self, socket: Socket) -> Arc<Socket> {
        let socket = Arc::new(socket);
        let mut state = self.0.lock();
        state.open.retain(|other| other.strong_count() > 0);
        state.open.push(Arc::downgrade(&socket));
        if state.hung_up {
            socket.shut();
        }
        socket
    }

    /// Ends every call under way and refuses all to come.
    pub(in crate::net) fn hang_up(&self) {
        let mut state = self.0.lock();
        state.hung_up = true;
        state.open.iter().filter_map(Weak::upgrade).for_each(|socket| socket.shut());
    }

    pub(super) fn is_hung_up(&self) -> bool {
        self.0.lock().hung_up
    }
}
