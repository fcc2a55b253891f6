//! An HTTP/1.1 server that answers as a function of the request says: stands in where no real server can be installed.
//!
//! Promises: bound to 127.0.0.1; every request is recorded before it is answered; ends with the value that stands for
//! it. Never answers what it was not told.

use std::fmt;
use std::io::{self, BufReader, Write};
use std::net::TcpStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::door::Door;
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
    shared: Arc<Shared>,
    door: Door,
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
        let serving = Arc::clone(&shared);
        Server { shared, door: Door::open(0, move |client| serving.serve(client)) }
    }

    /// Its address: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        self.door.url()
    }

    /// Every request so far, in the order in which they were read.
    #[must_use]
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.lock().requests.clone()
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("address", &self.door).finish_non_exhaustive()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.lock().stopped = true;
        self.shared.changed.notify_all();
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

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
