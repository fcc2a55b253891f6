//! The way in: an HTTP/1.1 listener for what is fetched from a process instead of pushed by it, such as Prometheus's
//! scrapes. It has a thread of its own, and one more for each connection that is open, because who fetches comes when it
//! wants to and the ship thread may be waiting for something else.
//!
//! Promises: at most [`CONNECTIONS_MAX`] connections at a time, each gone after [`CONNECTION_TIME_MAX`] whatever the other
//! side does; a head of at most [`HEAD_BYTES_MAX`] bytes, and no body, is read; an answer is given by a function of the
//! request; the port is free again when the listener is dropped. Never speaks TLS and never asks who is there: bind it to
//! an address that only those reach who may read.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Connections at a time; what comes beyond is closed at once.
pub const CONNECTIONS_MAX: usize = 8;
/// How long a connection may take from its beginning to the last byte of its answer.
pub const CONNECTION_TIME_MAX: Duration = Duration::from_secs(5);
/// Bytes of a request line and headers.
pub const HEAD_BYTES_MAX: usize = 8 * 1024;
/// How long to wait where the system gives no connection, for want of descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// A request, as far as it is read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Asked {
    /// `GET`, `HEAD`, …
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// Every `Accept` header, joined by commas.
    pub accept: String,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The status.
    pub status: u16,
    /// `Content-Type`.
    pub content_type: &'static str,
    /// The body; to a `HEAD` only its length is told.
    pub body: Vec<u8>,
}

/// Who answers.
pub type Answer = dyn Fn(&Asked) -> Told + Send + Sync;

/// A listener. Ends when dropped; a connection that is open then ends with its answer or its time.
#[derive(Debug)]
pub struct Listener {
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Listener {
    /// Binds the address and answers from then on.
    ///
    /// # Errors
    ///
    /// If the address cannot be bound, or there is no thread to be had.
    pub fn start(address: SocketAddr, answer: Arc<Answer>) -> io::Result<Listener> {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        let stopped = Arc::new(AtomicBool::new(false));
        let work = {
            let stopped = Arc::clone(&stopped);
            move || accept(&listener, &stopped, &answer)
        };
        let thread = thread::Builder::new().name("ops-listen".to_owned()).spawn(work)?;
        Ok(Listener { address, stopped, thread: Some(thread) })
    }

    /// The address that it is bound to: with the port that the system gave, where it was asked for any.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Release);
        // A connection of our own wakes the thread, which then sees that it is to end.
        let woken = TcpStream::connect_timeout(&reachable(self.address), Duration::from_secs(1)).is_ok();
        if let Some(thread) = self.thread.take().filter(|_| woken) {
            let _ = thread.join();
        }
    }
}

/// An address at which a listener is reached from this machine.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

fn accept(listener: &TcpListener, stopped: &AtomicBool, answer: &Arc<Answer>) {
    let open = Arc::new(AtomicUsize::new(0));
    while !stopped.load(Ordering::Acquire) {
        let Ok((stream, _)) = listener.accept() else {
            thread::sleep(PAUSE);
            continue;
        };
        if open.load(Ordering::Acquire) >= CONNECTIONS_MAX {
            continue; // dropped, and so closed
        }
        open.fetch_add(1, Ordering::AcqRel);
        let (slot, answer) = (Slot(Arc::clone(&open)), Arc::clone(answer));
        let serve = move || {
            let _slot = slot;
            // Whoever asked is gone, or took too long: there is nobody to tell.
            let _ = serve(stream, answer.as_ref());
        };
        // Without a thread the connection is closed, and its slot is free again.
        let _ = thread::Builder::new().name("ops-listen-1".to_owned()).spawn(serve);
    }
}

/// One of the connections that may be open.
struct Slot(Arc<AtomicUsize>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

fn serve(mut stream: TcpStream, answer: &Answer) -> io::Result<()> {
    let end = Instant::now() + CONNECTION_TIME_MAX;
    stream.set_nodelay(true)?;
    let told = match read_head(&mut stream, end)?.as_deref().map(parse) {
        Some(Some(asked)) if matches!(asked.method.as_str(), "GET" | "HEAD") => {
            let told = answer(&asked);
            return write(&mut stream, &told, asked.method == "GET", end);
        }
        Some(Some(_)) => plain(405, "only GET and HEAD are answered here\n"),
        Some(None) => plain(400, "not a request\n"),
        None => plain(431, "too long a request\n"),
    };
    write(&mut stream, &told, true, end)
}

/// An answer in words.
#[must_use]
pub fn plain(status: u16, text: &str) -> Told {
    Told { status, content_type: "text/plain; charset=utf-8", body: text.as_bytes().to_vec() }
}

/// The head up to its empty line; `None` if it is too long.
fn read_head(stream: &mut TcpStream, end: Instant) -> io::Result<Option<Vec<u8>>> {
    let mut head = Vec::new();
    let mut room = [0; 1024];
    loop {
        stream.set_read_timeout(Some(left(end)?))?;
        let read = stream.read(&mut room)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        head.extend_from_slice(&room[..read]);
        if let Some(at) = head.windows(4).position(|window| window == b"\r\n\r\n") {
            head.truncate(at);
            return Ok(Some(head));
        }
        if head.len() > HEAD_BYTES_MAX {
            return Ok(None);
        }
    }
}

/// What is left of the connection's time.
fn left(end: Instant) -> io::Result<Duration> {
    let left = end.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

/// The request of a head; `None` if it is none.
fn parse(head: &[u8]) -> Option<Asked> {
    let mut lines = std::str::from_utf8(head).ok()?.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    if !version.starts_with("HTTP/1.") || words.next().is_some() || !target.starts_with('/') {
        return None;
    }
    let accepts = lines.filter_map(|line| line.split_once(':'));
    let accept: Vec<&str> = accepts
        .filter(|(name, _)| name.eq_ignore_ascii_case("accept"))
        .map(|(_, value)| value.trim())
        .collect();
    let path = target.split('?').next().unwrap_or_default();
    Some(Asked { method: method.to_owned(), path: path.to_owned(), accept: accept.join(",") })
}

fn write(stream: &mut TcpStream, told: &Told, with_body: bool, end: Instant) -> io::Result<()> {
    let head = format!(
        "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        told.status,
        reason(told.status),
        told.content_type,
        told.body.len()
    );
    let mut rest = head.into_bytes();
    if with_body {
        rest.extend_from_slice(&told.body);
    }
    let mut rest = rest.as_slice();
    while !rest.is_empty() {
        stream.set_write_timeout(Some(left(end)?))?;
        let written = stream.write(rest)?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        rest = &rest[written..];
    }
    stream.flush()
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        431 => "Request Header Fields Too Large",
        _ => "Other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listener() -> Listener {
        let answer = |asked: &Asked| plain(200, &format!("{} {} {}", asked.method, asked.path, asked.accept));
        Listener::start(SocketAddr::from(([127, 0, 0, 1], 0)), Arc::new(answer)).unwrap()
    }

    fn exchange(listener: &Listener, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(listener.address()).unwrap();
        stream.write_all(request).unwrap();
        let mut answer = Vec::new();
        // What was sent and not read makes the end a reset.
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8(answer).unwrap()
    }

    #[test]
    fn requests_are_answered_and_what_is_none_is_told_so() {
        let listener = listener();
        let got =
            exchange(&listener, b"GET /metrics?x=1 HTTP/1.1\r\nHost: h\r\nAccept: a/b\r\naccept: c\r\n\r\n");
        assert!(
            got.starts_with("HTTP/1.1 200 OK\r\n") && got.ends_with("\r\n\r\nGET /metrics a/b,c"),
            "{got}"
        );
        let head = exchange(&listener, b"HEAD /x HTTP/1.0\r\n\r\n");
        assert!(head.contains("Content-Length: 8\r\n") && head.ends_with("\r\n\r\n"), "{head}");
        for (request, status) in [
            (&b"POST / HTTP/1.1\r\n\r\n"[..], "405"),
            (b"GET /\r\n\r\n", "400"),
            (b"GET http://other/ HTTP/1.1\r\n\r\n", "400"),
            (b"\xff\xfe / HTTP/1.1\r\n\r\n", "400"),
            (b"\r\n\r\n", "400"),
        ] {
            let got = exchange(&listener, request);
            assert!(got.starts_with(&format!("HTTP/1.1 {status} ")), "{request:?}: {got}");
        }
        let long = [b"GET / HTTP/1.1\r\nX: ".as_slice(), &vec![b'x'; 2 * HEAD_BYTES_MAX]].concat();
        let got = exchange(&listener, &long);
        assert!(got.is_empty() || got.starts_with("HTTP/1.1 431 "), "{got}");
    }

    #[test]
    fn connections_that_say_nothing_are_bounded_and_the_port_is_free_again() {
        let listener = listener();
        let address = listener.address();
        let silent: Vec<_> = (0..CONNECTIONS_MAX).map(|_| TcpStream::connect(address).unwrap()).collect();
        // Accepted in order: whatever comes after these is closed without an answer.
        let mut late = TcpStream::connect(address).unwrap();
        let mut got = Vec::new();
        let _ = late.read_to_end(&mut got);
        assert!(got.is_empty());
        drop(silent);
        // Their threads see the ends and leave their places.
        while !exchange(&listener, b"GET / HTTP/1.1\r\n\r\n").contains("200 OK") {
            thread::yield_now();
        }
        drop(listener);
        drop(TcpListener::bind(address).expect("the port is free"));
    }

    #[test]
    fn an_address_that_is_taken_is_an_error() {
        let first = listener();
        let error = Listener::start(first.address(), Arc::new(|_: &Asked| plain(200, ""))).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        let any = SocketAddr::from(([0, 0, 0, 0], 9));
        assert_eq!(reachable(any), SocketAddr::from(([127, 0, 0, 1], 9)));
    }
}
