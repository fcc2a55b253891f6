//! A relay of connections, whatever is spoken over them: it passes bytes on, cuts what is open and refuses what comes.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A running relay on 127.0.0.1. Ends, and cuts every connection, when dropped.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Both ends of what is open.
    open: Vec<[TcpStream; 2]>,
    connections: usize,
    /// Takes in what comes and passes none of it on.
    mute: bool,
    refuses: bool,
    stopped: bool,
}

impl Relay {
    /// Starts a relay to this port of 127.0.0.1.
    ///
    /// # Panics
    ///
    /// If there is no port for it.
    #[must_use]
    pub fn start(port: u16) -> Relay {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port on 127.0.0.1");
        let address = listener.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared::default());
        let relay = Relay { address, shared: Arc::clone(&shared) };
        std::thread::spawn(move || {
            while let Ok((near, _)) = listener.accept() {
                if shared.lock().stopped {
                    return;
                }
                let _: io::Result<()> = shared.join(near, port);
            }
        });
        relay
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many connections there were.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.lock().connections
    }

    /// Cuts what is open.
    pub fn cut(&self) {
        self.shared.lock().cut();
    }

    /// Whether connections are closed as soon as they are made.
    pub fn refuse(&self, refuses: bool) {
        self.shared.lock().refuses = refuses;
    }

    /// Whether what clients send is swallowed.
    pub fn mute(&self, mute: bool) {
        self.shared.lock().mute = mute;
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.stopped = true;
        state.cut();
        drop(state);
        let _ = TcpStream::connect(self.address); // the listener looks up
    }
}

impl State {
    fn cut(&mut self) {
        for end in self.open.drain(..).flatten() {
            let _ = end.shutdown(Shutdown::Both);
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Joins a connection with one to the server, until one of them ends.
    fn join(self: &Arc<Self>, near: TcpStream, port: u16) -> io::Result<()> {
        let mut state = self.lock();
        state.connections += 1;
        if state.refuses {
            return near.shutdown(Shutdown::Both);
        }
        let far = TcpStream::connect(("127.0.0.1", port))?;
        state.open.push([near.try_clone()?, far.try_clone()?]);
        drop(state);
        for (from, to, heard) in [(near.try_clone()?, far.try_clone()?, true), (far, near, false)] {
            let shared = Arc::clone(self);
            std::thread::spawn(move || {
                let _: io::Result<()> = shared.pass_on(&from, &to, heard);
                let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
            });
        }
        Ok(())
    }

    fn pass_on(&self, mut from: &TcpStream, mut to: &TcpStream, is_client: bool) -> io::Result<()> {
        use io::{Read, Write};
        let mut buffer = vec![0; 64 << 10];
        loop {
            let read = from.read(&mut buffer)?;
            if read == 0 {
                return Ok(());
            }
            if !(is_client && self.lock().mute) {
                to.write_all(&buffer[..read])?;
            }
        }
    }
}
