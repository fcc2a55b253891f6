//! Where connections to a server of the tests come in: a thread for each, all counted, and cut when the server ends.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// A door on 127.0.0.1. Closes, and cuts every connection, when dropped.
pub(super) struct Door {
    address: SocketAddr,
    guests: Arc<Guests>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Guests(Mutex<State>);

#[derive(Default)]
struct State {
    /// Connections that are open, by number, so that the end can cut them.
    open: HashMap<u64, TcpStream>,
    made: u64,
    ended: bool,
}

impl Door {
    /// Opens it on this port, 0 for one that the system picks; each connection is served by a thread of its own.
    ///
    /// # Panics
    ///
    /// If the port cannot be had.
    pub(super) fn open(
        port: u16,
        serve: impl Fn(TcpStream) -> io::Result<()> + Send + Sync + 'static,
    ) -> Door {
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("a free port on 127.0.0.1");
        let address = listener.local_addr().expect("a bound socket has an address");
        let guests = Arc::new(Guests::default());
        let acceptor = std::thread::spawn({
            let guests = Arc::clone(&guests);
            move || accept(&listener, &guests, &Arc::new(serve))
        });
        Door { address, guests, acceptor: Some(acceptor) }
    }

    /// `http://127.0.0.1:PORT`.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many connections there have been.
    pub(super) fn connections(&self) -> u64 {
        self.guests.lock().made
    }
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        let mut state = self.guests.lock();
        state.ended = true;
        state.open.values().for_each(|stream| drop(stream.shutdown(Shutdown::Both)));
        drop(state);
        // A connection of our own wakes the acceptor, which then sees that it should stop.
        if let (Ok(_), Some(acceptor)) = (TcpStream::connect(self.address), self.acceptor.take()) {
            let _ = acceptor.join();
        }
    }
}

impl Guests {
    /// Takes note of a connection; `None` if the server has ended.
    fn enter(&self, stream: &TcpStream) -> Option<u64> {
        let mut state = self.lock();
        if state.ended {
            return None;
        }
        let number = state.made;
        state.open.insert(number, stream.try_clone().ok()?);
        state.made += 1;
        Some(number)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn accept<S>(listener: &TcpListener, guests: &Arc<Guests>, serve: &Arc<S>)
where
    S: Fn(TcpStream) -> io::Result<()> + Send + Sync + 'static,
{
    while let Ok((stream, _)) = listener.accept() {
        let Some(number) = guests.enter(&stream) else { return };
        let (guests, serve) = (Arc::clone(guests), Arc::clone(serve));
        std::thread::spawn(move || {
            // A connection that breaks has nothing more to say; what it sent is recorded.
            let _: io::Result<()> = serve(stream);
            // With the last copy of it the connection is closed.
            guests.lock().open.remove(&number);
        });
    }
}
