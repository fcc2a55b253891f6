//! The other end of the line: a server that takes lines, and pushes over HTTP, and knows every event by the number in it,
//! whatever it is wrapped in. It is as large as the vendor's: PutLogEvents takes 1 MiB a push, the OpenTelemetry
//! Collector 20 MiB.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use super::case::Mode;
use super::lines::GREETING;

/// In front of an event's number, which has so many digits.
pub const MARK: &str = "seq=";
pub const DIGITS: usize = 8;
/// What the long line is made of.
pub const FILL: u8 = b'~';

const PUT_LOG_EVENTS_BYTES_MAX: usize = 1 << 20;
const OTLP_BYTES_MAX: usize = 20 << 20;

/// The server, which stays until the process ends.
#[derive(Clone)]
pub struct Collector {
    pub port: u16,
    state: Arc<Mutex<State>>,
}

struct State {
    mode: Mode,
    seen: Seen,
}

/// What arrived: a bit for each event's number, and how many there are.
#[derive(Default)]
struct Seen {
    bits: Vec<u64>,
    counts: Counts,
}

/// How much arrived.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Events.
    pub once: u64,
    /// How often one came that had come before.
    pub twice: u64,
    /// Bytes of the long line.
    pub fill_bytes: u64,
    /// Bytes of the bodies that events came in.
    pub body_bytes: u64,
}

/// How an HTTP request is answered.
enum Answer {
    Status(u16, &'static str),
    /// The connection is cut.
    Cut,
}

impl Collector {
    pub fn start() -> io::Result<Collector> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let state = Arc::new(Mutex::new(State { mode: Mode::Takes, seen: Seen::default() }));
        let collector = Collector { port: listener.local_addr()?.port(), state };
        let server = collector.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = server.clone();
                thread::spawn(move || server.serve(&stream));
            }
        });
        Ok(collector)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub fn set(&self, mode: Mode) {
        self.state().mode = mode;
    }

    /// What arrived so far.
    pub fn seen(&self) -> Counts {
        self.state().seen.counts
    }

    fn mode(&self) -> Mode {
        self.state().mode
    }

    /// Serves a connection until its end, whatever that is.
    fn serve(&self, stream: &TcpStream) {
        let _ = stream.set_nodelay(true); // or it is a little slower
        let mut reader = BufReader::with_capacity(1 << 16, stream);
        let greeted = reader.fill_buf().is_ok_and(|bytes| bytes.starts_with(GREETING));
        let _ = if greeted { self.take_lines(&mut reader) } else { self.take_requests(&mut reader, stream) };
        let _ = stream.shutdown(Shutdown::Both);
    }

    /// A number may be cut in two by the end of a piece: its beginning waits for the next.
    fn take_lines(&self, reader: &mut impl Read) -> io::Result<()> {
        let mut bytes = Vec::new();
        let mut piece = vec![0; 1 << 18];
        loop {
            let count = reader.read(&mut piece)?;
            bytes.extend_from_slice(&piece[..count]);
            let is_end = count == 0;
            let whole = if is_end { bytes.len() } else { bytes.len().saturating_sub(MARK.len() + DIGITS) };
            let taken = self.state().seen.take(&bytes, whole);
            bytes.drain(..taken);
            if is_end {
                return Ok(());
            }
        }
    }

    fn take_requests(&self, reader: &mut impl BufRead, mut to: &TcpStream) -> io::Result<()> {
        loop {
            if self.mode() == Mode::Gone {
                return Ok(());
            }
            let head = Head::read(reader)?;
            if head.expects {
                to.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
            }
            let mut body = vec![0; head.length];
            reader.read_exact(&mut body)?;
            match self.answer(&head, &body) {
                Answer::Cut => return Ok(()),
                Answer::Status(status, text) => {
                    let kind = if head.is_aws { "application/x-amz-json-1.1" } else { "application/json" };
                    let length = text.len();
                    // In one piece: several would wait for one another's acknowledgements.
                    let head =
                        format!("HTTP/1.1 {status} .\r\ncontent-type: {kind}\r\ncontent-length: {length}");
                    to.write_all(format!("{head}\r\n\r\n{text}").as_bytes())?;
                }
            }
        }
    }

    fn answer(&self, head: &Head, body: &[u8]) -> Answer {
        match self.mode() {
            Mode::Takes => {}
            Mode::Gone => return Answer::Cut,
            Mode::Refuses => return Answer::Status(429, r#"{"__type":"ThrottlingException"}"#),
            Mode::Slow => {
                let mut events = Seen::default();
                events.take(body, body.len());
                thread::sleep(Duration::from_millis(events.counts.once + events.counts.twice));
            }
            Mode::Hangs => {
                while self.mode() == Mode::Hangs {
                    thread::sleep(Duration::from_millis(10));
                }
                return Answer::Cut;
            }
        }
        if body.len() > if head.is_aws { PUT_LOG_EVENTS_BYTES_MAX } else { OTLP_BYTES_MAX } {
            return Answer::Status(413, "{}");
        }
        let mut state = self.state();
        state.seen.take(body, body.len());
        state.seen.counts.body_bytes += body.len() as u64;
        Answer::Status(200, "{}")
    }
}

/// What is needed of a request's head.
#[derive(Default)]
struct Head {
    length: usize,
    expects: bool,
    is_aws: bool,
}

impl Head {
    fn read(reader: &mut impl BufRead) -> io::Result<Head> {
        let (mut head, mut line) = (Head::default(), String::new());
        loop {
            line.clear();
            if reader.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let text = line.trim_end().to_ascii_lowercase();
            match text.split_once(':') {
                None if text.is_empty() => return Ok(head),
                Some(("content-length", value)) => head.length = value.trim().parse().unwrap_or(0),
                Some(("expect", _)) => head.expects = true,
                Some(("x-amz-target", _)) => head.is_aws = true,
                _ => {}
            }
        }
    }
}

impl Seen {
    /// Takes the numbers that begin before `whole`; says how many bytes are done with.
    fn take(&mut self, bytes: &[u8], whole: usize) -> usize {
        let mut at = 0;
        while at < whole {
            match bytes[at] {
                b's' if bytes[at..].starts_with(MARK.as_bytes()) => {
                    let digits = bytes.get(at + MARK.len()..at + MARK.len() + DIGITS);
                    if let Some(number) = digits.and_then(|digits| str::from_utf8(digits).ok()?.parse().ok())
                    {
                        self.add(number);
                        at += MARK.len() + DIGITS;
                        continue;
                    }
                }
                FILL => self.counts.fill_bytes += 1,
                _ => {}
            }
            at += 1;
        }
        at
    }

    fn add(&mut self, number: usize) {
        let (word, bit) = (number / 64, 1 << (number % 64));
        if self.bits.len() <= word {
            self.bits.resize(word + 1, 0);
        }
        let is_new = self.bits[word] & bit == 0;
        self.bits[word] |= bit;
        *(if is_new { &mut self.counts.once } else { &mut self.counts.twice }) += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_in_anything_once_and_again() {
        let mut seen = Seen::default();
        let text = br#"{"a":"seq=00000001"}seq=seq=00000070, seq=0000001 "seq=00000001" ~~"#;
        assert_eq!(seen.take(text, text.len()), text.len());
        assert_eq!(seen.counts, Counts { once: 2, twice: 1, fill_bytes: 2, body_bytes: 0 });
    }

    #[test]
    fn a_number_that_is_cut_in_two_is_one() {
        let text = b"x seq=00000005 y seq=00000006";
        for cut in 0..text.len() {
            let mut seen = Seen::default();
            let mut bytes = text[..cut].to_vec();
            let taken = seen.take(&bytes, bytes.len().saturating_sub(MARK.len() + DIGITS));
            bytes.drain(..taken);
            bytes.extend_from_slice(&text[cut..]);
            seen.take(&bytes, bytes.len());
            assert_eq!((seen.counts.once, seen.counts.twice), (2, 0), "{cut}");
        }
    }
}
