//! Counterparts that take what comes and keep no more of it than a count.

use std::io::{self, BufRead, BufReader, Read};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::contract::HttpCase;
use crate::rig::{Recorded, Reply, Server};

/// Pushes of which one is throttled, and of which one fails.
const THROTTLED_IN: u64 = 50;
const FAILED_IN: u64 = 97;

/// How many things arrived.
pub(super) type Count = Arc<AtomicU64>;

/// A server that answers as a case says, throttles and fails now and then, and counts what it took.
pub(super) fn http(case: HttpCase) -> (Server, Count) {
    let (count, pushes) = (Count::default(), AtomicU64::new(0));
    let taken = Arc::clone(&count);
    let server = Server::start_forgetting(move |request: &Recorded| {
        if !(case.push)(request) {
            return (case.good)(request);
        }
        let push = pushes.fetch_add(1, Relaxed) + 1;
        if push.is_multiple_of(THROTTLED_IN) {
            return (case.throttled)(request);
        }
        if push.is_multiple_of(FAILED_IN) {
            return Reply::answer(503, "");
        }
        taken.fetch_add((case.ids)(request).len() as u64, Relaxed);
        (case.good)(request)
    });
    (server, count)
}

/// A socket that takes datagrams; where it listens, and how many lines came.
///
/// # Panics
///
/// If no port can be had on 127.0.0.1.
pub(super) fn datagrams() -> (String, Count) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port on 127.0.0.1");
    let address = socket.local_addr().expect("a bound socket has an address");
    let count = Count::default();
    let lines = Arc::clone(&count);
    std::thread::spawn(move || {
        let mut datagram = vec![0; 1 << 16];
        while let Ok(bytes) = socket.recv(&mut datagram) {
            let ends = datagram[..bytes].iter().filter(|byte| **byte == b'\n').count();
            let rest = u64::from(bytes > 0 && datagram[bytes - 1] != b'\n');
            lines.fetch_add(ends as u64 + rest, Relaxed);
        }
    });
    (format!("udp://{address}"), count)
}

/// A listener that reads syslog messages by their counted octets; where it listens, and how many came.
///
/// # Panics
///
/// If no port can be had on 127.0.0.1.
pub(super) fn counted_octets() -> (String, Count) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port on 127.0.0.1");
    let address = listener.local_addr().expect("a bound socket has an address");
    let count = Count::default();
    let messages = Arc::clone(&count);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let messages = Arc::clone(&messages);
            std::thread::spawn(move || count_octets(stream, &messages));
        }
    });
    (format!("tcp://{address}"), count)
}

fn count_octets(stream: TcpStream, messages: &AtomicU64) -> io::Result<()> {
    let mut from = BufReader::new(stream);
    loop {
        let mut length = Vec::new();
        if from.read_until(b' ', &mut length)? == 0 {
            return Ok(());
        }
        let length = String::from_utf8_lossy(&length).trim().parse::<u64>();
        let length = length.map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
        io::copy(&mut from.by_ref().take(length), &mut io::sink())?;
        messages.fetch_add(1, Relaxed);
    }
}
