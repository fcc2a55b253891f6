//! An HTTP/1.1 server that answers as a function of the request says: stands in where no real server can be installed.
//!
//! Promises: bound to 127.0.0.1; every request is recorded before it is answered; ends with the value that stands for
//! it. Never answers what it was not told.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use super::http::{Body, Head};
use super::{Answer, Recorded};

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// It is answered.
    Answer(Answer),
    /// The connection is cut.
    Cut,
    /// Nothing comes back, until the server ends.
    Hang,
}

impl Reply {
    /// An answer with this status and body.
    #[must_use]
    pub fn answer(status: u16, body: impl Into<Vec<u8>>) -> Reply {
        Reply::Answer(Answer { status, headers: Vec::new(), body: body.into() })
    }

    /// The same answer with one more header; every other reply as it is.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Reply {
        if let Reply::Answer(answer) = &mut self {
            answer.headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }
}

/// A running server on 127.0.0.1. Ends, and cuts every connection, when dropped.
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

type Handler = Box<dyn Fn(&Recorded) -> Reply + Send + Sync>;

struct Shared {
    handler: Handler,
    /// Whether requests are kept.
    keeps: bool,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    requests: Vec<Recorded>,
    open: HashMap<u64, TcpStream>,
    connections: u64,
    stopped: bool,
}

impl Server {
    /// Starts a server that answers so.
    ///
    /// # Panics
    ///
    /// If no port can be had on 127.0.0.1.
    #[must_use]
    pub fn start(handler: impl Fn(&Recorded) -> Reply + Send + Sync + 'static) -> Server {
        Server::with(Box::new(handler), true)
    }

    /// Starts a server that answers so and keeps no request.
    ///
    /// # Panics
    ///
    /// If no port can be had on 127.0.0.1.
    #[must_use]
    pub fn start_forgetting(handler: impl Fn(&Recorded) -> Reply + Send + Sync + 'static) -> Server {
        Server::with(Box::new(handler), false)
    }

    fn with(handler: Handler, keeps: bool) -> Server {
        let shared = Shared { handler, keeps, state: Mutex::default(), changed: Condvar::new() };
        let shared = Arc::new(shared);
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port on 127.0.0.1");
        let address = listener.local_addr().expect("a bound socket has an address");
        let acceptor = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept(&listener, &shared)
        });
        Server { address, shared, acceptor: Some(acceptor) }
    }

    /// Its address: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every request so far, in the order in which they were read.
    #[must_use]
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.lock().requests.clone()
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.stopped = true;
        state.open.values().for_each(|stream| drop(stream.shutdown(Shutdown::Both)));
        drop(state);
        self.shared.changed.notify_all();
        // A connection of our own wakes the acceptor, which then sees that it should stop.
        if let (Ok(_), Some(acceptor)) = (TcpStream::connect(self.address), self.acceptor.take()) {
            let _ = acceptor.join();
        }
    }
}

impl Shared {
    fn serve(&self, mut client: TcpStream) -> io::Result<()> {
        client.set_nodelay(true)?;
        let mut from = BufReader::new(client.try_clone()?);
        while let Some(head) = Head::read(&mut from)? {
            if head.header("expect").is_some_and(|expect| expect.eq_ignore_ascii_case("100-continue")) {
                client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
            }
            let body = Body::read(&mut from, head.request_framing())?;
            let mut request = Recorded::new(&head, &body);
            let reply = (self.handler)(&request);
            if let Reply::Answer(answer) = &reply {
                request.status = Some(answer.status);
            }
            if self.keeps {
                self.lock().requests.push(request);
            }
            match reply {
                Reply::Answer(answer) => client.write_all(&answer.to_wire())?,
                Reply::Cut => return Ok(()),
                Reply::Hang => drop(self.changed.wait_while(self.lock(), |state| !state.stopped)),
            }
        }
        Ok(())
    }

    fn open(&self, stream: &TcpStream) -> Option<u64> {
        let mut state = self.lock();
        if state.stopped {
            return None;
        }
        let number = state.connections;
        state.open.insert(number, stream.try_clone().ok()?);
        state.connections += 1;
        Some(number)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept() {
        let Some(number) = shared.open(&stream) else { return };
        let shared = Arc::clone(shared);
        std::thread::spawn(move || {
            // A connection that breaks has nothing more to say; what it sent is recorded.
            let _: io::Result<()> = shared.serve(stream);
            // Shut down here: the copy in `open` would keep the other side waiting.
            if let Some(stream) = shared.lock().open.remove(&number) {
                let _ = stream.shutdown(Shutdown::Both);
            }
        });
    }
}
