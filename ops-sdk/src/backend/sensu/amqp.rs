//! As much of AMQP 0-9-1 as it takes to publish: one connection, one channel, exchanges, publisher confirms. No consuming,
//! no transactions, no reconnecting: a connection that fails is dropped, and the next push opens another.
//!
//! Written here because the libraries bring an asynchronous runtime with them, and threads of their own, for the nine
//! methods that this takes; the figures are in `docs/backends/sensu.md`.
//!
//! Promises: a message counts as taken when the broker has confirmed it and no queue was missing; one that it gave back or
//! refused is told by its place.

use super::frame::{self, BODY, HEADER, HEARTBEAT, METHOD, Reader};
use crate::net::{Address, Net, NetError, Stream, Tls};

/// The channel that everything but the connection's own goes over.
const CHANNEL: u16 = 1;
/// The most of a frame that is agreed to; RabbitMQ's own default.
const FRAME_BYTES_MAX: u32 = 131_072;
/// The longest time between two signs of life that is agreed to, in seconds.
const HEARTBEAT_S: u16 = 60;

const START: (u16, u16) = (10, 10);
const TUNE: (u16, u16) = (10, 30);
const OPEN_OK: (u16, u16) = (10, 41);
const CLOSE: (u16, u16) = (10, 50);
const BLOCKED: (u16, u16) = (10, 60);
const CHANNEL_OPEN_OK: (u16, u16) = (20, 11);
const CHANNEL_CLOSE: (u16, u16) = (20, 40);
const DECLARE_OK: (u16, u16) = (40, 11);
const RETURN: (u16, u16) = (60, 50);
const ACK: (u16, u16) = (60, 80);
const NACK: (u16, u16) = (60, 120);
const SELECT_OK: (u16, u16) = (85, 11);
/// An exchange is there and was declared otherwise.
const PRECONDITION_FAILED: u16 = 406;

/// Why a connection is done with.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// There is no connection, or it broke.
    Net(NetError),
    /// The broker closed it, and said why.
    Closed { code: u16, text: String },
    /// The broker has no room and takes nothing.
    Blocked(String),
    /// What it says is not AMQP, or not what was to come.
    Garbage(String),
}

impl From<NetError> for Trouble {
    fn from(error: NetError) -> Trouble {
        Trouble::Net(error)
    }
}

/// How a client shows who it is.
pub(super) enum Login<'a> {
    /// By the certificate that it has shown already.
    External,
    /// By name and password.
    Plain { user: &'a str, password: &'a str },
}

/// A connection whose messages are confirmed.
pub(super) struct Connection {
    stream: Stream,
    /// What has come and was not read.
    inbox: Vec<u8>,
    frame_bytes_max: usize,
    /// Of the message published last.
    tag: u64,
    declared: Vec<&'static str>,
}

impl Connection {
    /// Connects, shows who it is, and asks for confirms.
    pub(super) fn open(
        net: &mut Net,
        address: &Address,
        tls: Option<&Tls>,
        login: &Login<'_>,
        vhost: &str,
    ) -> Result<Connection, Trouble> {
        let mut stream = net.dial(address, tls)?;
        stream.write_all(net, b"AMQP\x00\x00\x09\x01")?;
        let (inbox, frame_bytes_max) = (Vec::new(), FRAME_BYTES_MAX as usize);
        let mut connection = Connection { stream, inbox, frame_bytes_max, tag: 0, declared: Vec::new() };
        connection.wait_for(net, START)?;
        connection.tell(net, 0, (10, 11), |out| start_ok(out, login))?;
        let tune = connection.wait_for(net, TUNE)?;
        let (channels, frame_max, heartbeat) = tuned(&tune).ok_or_else(|| garbage("its tuning is short"))?;
        connection.frame_bytes_max = frame_max as usize;
        connection.tell(net, 0, (10, 31), |out| {
            out.extend_from_slice(&channels.to_be_bytes());
            out.extend_from_slice(&frame_max.to_be_bytes());
            out.extend_from_slice(&heartbeat.to_be_bytes());
        })?;
        connection.tell(net, 0, (10, 40), |out| {
            frame::short(out, vhost);
            out.extend_from_slice(&[0, 0]);
        })?;
        connection.wait_for(net, OPEN_OK)?;
        connection.open_channel(net)?;
        Ok(connection)
    }

    /// The connection, unless the broker has ended it.
    pub(super) fn standing(mut self) -> Option<Connection> {
        self.drain().is_ok().then_some(self)
    }

    /// Publishes bodies, each with its id, to a direct exchange of this name, and waits until the broker has said of each
    /// what became of it: the places of those that it has not taken.
    pub(super) fn publish<'b>(
        &mut self,
        net: &mut Net,
        exchange: &'static str,
        bodies: impl Iterator<Item = (String, &'b [u8])>,
    ) -> Result<Vec<usize>, Trouble> {
        self.declare(net, exchange)?;
        let (first, mut out) = (self.tag + 1, Vec::new());
        for (id, body) in bodies {
            self.tag += 1;
            frame::publish(&mut out, exchange, self.tag, &id, body, self.frame_bytes_max);
        }
        self.stream.write_all(net, &out)?;
        #[allow(clippy::cast_possible_truncation)] // as many as were given
        let mut fates = vec![None; (self.tag + 1 - first) as usize];
        while fates.contains(&None) {
            let (kind, payload) = self.next_frame(net)?;
            note(&mut fates, first, kind, &payload)?;
        }
        let failed = fates.iter().enumerate().filter(|(_, fate)| **fate == Some(false));
        Ok(failed.map(|(index, _)| index).collect())
    }

    /// Says that this side is there, and hears what the broker has to say, without waiting.
    pub(super) fn heartbeat(&mut self, net: &mut Net) -> Result<(), Trouble> {
        self.drain()?;
        let mut out = Vec::new();
        frame::write(&mut out, HEARTBEAT, 0, |_| {});
        Ok(self.stream.write_all(net, &out)?)
    }

    /// Whether it can be used still, as far as the broker has said.
    fn drain(&mut self) -> Result<(), Trouble> {
        let mut buffer = [0; 4096];
        loop {
            while let Some((kind, payload)) = self.frame()? {
                expected(kind, &payload)?;
            }
            match self.stream.read_now(&mut buffer)? {
                None => return Ok(()),
                Some(0) => return Err(garbage("it closed the connection without a word")),
                Some(read) => self.inbox.extend_from_slice(&buffer[..read]),
            }
        }
    }

    fn open_channel(&mut self, net: &mut Net) -> Result<(), Trouble> {
        self.tell(net, CHANNEL, (20, 10), |out| out.push(0))?;
        self.wait_for(net, CHANNEL_OPEN_OK)?;
        self.tell(net, CHANNEL, (85, 10), |out| out.push(0))?;
        self.tag = 0;
        self.wait_for(net, SELECT_OK).map(|_| ())
    }

    /// Declares an exchange as Sensu's own clients do. One that is there and was declared otherwise does as well.
    fn declare(&mut self, net: &mut Net, exchange: &'static str) -> Result<(), Trouble> {
        if self.declared.contains(&exchange) {
            return Ok(());
        }
        self.tell(net, CHANNEL, (40, 10), |out| {
            out.extend_from_slice(&[0, 0]);
            frame::short(out, exchange);
            frame::short(out, "direct");
            out.push(0); // neither passive, durable, to be deleted, internal, nor without an answer
            frame::long(out, &[]);
        })?;
        match self.wait_for(net, DECLARE_OK) {
            Err(Trouble::Closed { code: PRECONDITION_FAILED, .. }) => {
                self.tell(net, CHANNEL, (20, 41), |_| {})?;
                self.open_channel(net)?;
            }
            answered => _ = answered?,
        }
        self.declared.push(exchange);
        Ok(())
    }

    fn tell(
        &mut self,
        net: &mut Net,
        channel: u16,
        id: (u16, u16),
        arguments: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), Trouble> {
        let mut out = Vec::new();
        frame::method(&mut out, channel, id, arguments);
        Ok(self.stream.write_all(net, &out)?)
    }

    /// Waits for a method; its arguments.
    fn wait_for(&mut self, net: &mut Net, id: (u16, u16)) -> Result<Vec<u8>, Trouble> {
        loop {
            let (kind, payload) = self.next_frame(net)?;
            match method_of(kind, &payload) {
                Some(told) if told == id => return Ok(payload[4..].to_vec()),
                _ => expected(kind, &payload)?,
            }
        }
    }

    fn next_frame(&mut self, net: &mut Net) -> Result<(u8, Vec<u8>), Trouble> {
        let mut buffer = [0; 4096];
        loop {
            if let Some(frame) = self.frame()? {
                return Ok(frame);
            }
            match self.stream.read(net, &mut buffer)? {
                0 => return Err(garbage("it closed the connection without a word")),
                read => self.inbox.extend_from_slice(&buffer[..read]),
            }
        }
    }

    fn frame(&mut self) -> Result<Option<(u8, Vec<u8>)>, Trouble> {
        let read = frame::read(&self.inbox, self.frame_bytes_max).map_err(Trouble::Garbage)?;
        let Some((frame, bytes)) = read else { return Ok(None) };
        let told = (frame.kind, frame.payload.to_vec());
        self.inbox.drain(..bytes);
        Ok(Some(told))
    }
}

fn garbage(what: &str) -> Trouble {
    Trouble::Garbage(what.to_owned())
}

fn method_of(kind: u8, payload: &[u8]) -> Option<(u16, u16)> {
    let mut reader = Reader(payload);
    if kind == METHOD { Some((reader.u16()?, reader.u16()?)) } else { None }
}

/// Channels, bytes of a frame and seconds between heartbeats: what the broker proposes, or less. 0 is no limit.
fn tuned(arguments: &[u8]) -> Option<(u16, u32, u16)> {
    let mut reader = Reader(arguments);
    let (_, frame, heartbeat) = (reader.u16()?, reader.u32()?, reader.u16()?);
    let frame = if frame == 0 { FRAME_BYTES_MAX } else { frame.clamp(4_096, FRAME_BYTES_MAX) };
    Some((CHANNEL, frame, heartbeat.min(HEARTBEAT_S)))
}

/// A frame that is not what was waited for: harmless, or the end.
fn expected(kind: u8, payload: &[u8]) -> Result<(), Trouble> {
    let mut reader = Reader(payload.get(4..).unwrap_or_default());
    match method_of(kind, payload) {
        Some(CLOSE | CHANNEL_CLOSE) => {
            let code = reader.u16().unwrap_or_default();
            Err(Trouble::Closed { code, text: line(&reader.short().unwrap_or_default()) })
        }
        Some(BLOCKED) => Err(Trouble::Blocked(line(&reader.short().unwrap_or_default()))),
        _ => Ok(()),
    }
}

/// Takes note of what a frame says of messages, the first of which has the tag `first`: whether each was taken.
fn note(fates: &mut [Option<bool>], first: u64, kind: u8, payload: &[u8]) -> Result<(), Trouble> {
    let place = |tag: u64| tag.checked_sub(first).and_then(|place| usize::try_from(place).ok());
    let mut reader = Reader(payload.get(4..).unwrap_or_default());
    match method_of(kind, payload) {
        Some(id @ (ACK | NACK)) => {
            let (Some(tag), Some(bits)) = (reader.u64(), reader.u8()) else {
                return Err(garbage("it confirms nothing"));
            };
            let last = place(tag).filter(|last| *last < fates.len());
            let last = last.ok_or_else(|| garbage("it confirms what was not sent"))?;
            let from = if bits & 1 == 1 { 0 } else { last };
            // What was given back has its fate already; the confirmation that follows changes nothing.
            fates[from..=last]
                .iter_mut()
                .filter(|fate| fate.is_none())
                .for_each(|fate| *fate = Some(id == ACK));
            Ok(())
        }
        Some(RETURN) => Ok(()), // whose it was is told by the frame behind it
        None if kind == HEADER => {
            let fate = frame::returned_tag(payload).and_then(place).and_then(|place| fates.get_mut(place));
            *fate.ok_or_else(|| garbage("it gives back what was not sent"))? = Some(false);
            Ok(())
        }
        None if kind == BODY || kind == HEARTBEAT => Ok(()),
        _ => expected(kind, payload),
    }
}

/// What the broker says, as an operator reads it.
fn line(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}

/// Who this is, what it can do, and how it shows that.
fn start_ok(out: &mut Vec<u8>, login: &Login<'_>) {
    let mut capabilities = Vec::new();
    for name in ["publisher_confirms", "connection.blocked", "authentication_failure_close"] {
        frame::short(&mut capabilities, name);
        capabilities.extend_from_slice(b"t\x01");
    }
    let mut properties = Vec::new();
    for (name, value) in [("product", "ops-sdk"), ("version", env!("CARGO_PKG_VERSION"))] {
        frame::short(&mut properties, name);
        properties.push(b'S');
        frame::long(&mut properties, value.as_bytes());
    }
    frame::short(&mut properties, "capabilities");
    properties.push(b'F');
    frame::long(&mut properties, &capabilities);
    frame::long(out, &properties);
    match login {
        Login::External => {
            frame::short(out, "EXTERNAL");
            frame::long(out, &[]);
        }
        Login::Plain { user, password } => {
            frame::short(out, "PLAIN");
            frame::long(out, format!("\0{user}\0{password}").as_bytes());
        }
    }
    frame::short(out, "en_US");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(id: (u16, u16), arguments: &[u8]) -> Vec<u8> {
        [&id.0.to_be_bytes(), &id.1.to_be_bytes(), arguments].concat()
    }

    fn confirm(id: (u16, u16), tag: u64, multiple: bool) -> Vec<u8> {
        told(id, &[&tag.to_be_bytes()[..], &[u8::from(multiple)]].concat())
    }

    #[test]
    fn each_message_has_the_fate_that_the_broker_told() {
        let mut given_back = Vec::new();
        frame::publish(&mut given_back, "results", 12, "id", b"x", 4096);
        let (first, rest) =
            frame::read(&given_back, 4096).unwrap().map(|(_, bytes)| given_back.split_at(bytes)).unwrap();
        assert!(!first.is_empty());
        let header = frame::read(rest, 4096).unwrap().unwrap().0.payload.to_vec();
        let mut fates = vec![None; 5];
        let mut say = |kind, payload: &[u8]| note(&mut fates, 10, kind, payload);
        say(METHOD, &confirm(ACK, 10, false)).unwrap();
        say(METHOD, &told(RETURN, b"")).unwrap();
        say(HEADER, &header).unwrap();
        say(BODY, b"x").unwrap();
        say(HEARTBEAT, b"").unwrap();
        say(METHOD, &confirm(ACK, 13, true)).unwrap();
        say(METHOD, &confirm(NACK, 14, false)).unwrap();
        for bad in [confirm(ACK, 15, false), confirm(ACK, 9, true), told(ACK, b"")] {
            assert!(matches!(say(METHOD, &bad), Err(Trouble::Garbage(_))), "{bad:?}");
        }
        assert!(say(HEADER, b"no header").is_err());
        assert_eq!(fates, [true, true, false, true, false].map(Some));
    }

    #[test]
    fn the_end_comes_with_its_reason() {
        let mut fates = vec![None];
        let closed = told(CLOSE, &[&403u16.to_be_bytes()[..], b"\x09no\nentry!"].concat());
        let end = note(&mut fates, 1, METHOD, &closed).unwrap_err();
        assert_eq!(end, Trouble::Closed { code: 403, text: "noentry!".to_owned() });
        let blocked = told(BLOCKED, b"\x06memory");
        assert_eq!(note(&mut fates, 1, METHOD, &blocked), Err(Trouble::Blocked("memory".to_owned())));
        assert_eq!(note(&mut fates, 1, METHOD, &told((10, 61), b"")), Ok(()));
    }

    #[test]
    fn what_the_broker_proposes_is_bounded() {
        assert_eq!(tuned(&[7, 255, 0, 2, 0, 0, 0, 60]), Some((1, 131_072, 60)));
        assert_eq!(tuned(&[0, 0, 0, 0, 0, 0, 0, 0]), Some((1, 131_072, 0)));
        assert_eq!(tuned(&[0, 0, 255, 255, 255, 255, 255, 255]), Some((1, 131_072, 60)));
        assert_eq!(tuned(&[0, 0, 0, 0, 0, 1, 2, 0]), Some((1, 4_096, 60)));
        assert_eq!(tuned(&[0, 0]), None);
    }
}
