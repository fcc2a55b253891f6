//! Lines for the CloudWatch agent's port for embedded metrics, over TCP or UDP.
//!
//! The agent forwards a line into the log group and stream that the line names in `_aws`, and drops what names none or is
//! no JSON object (`plugins/parsers/emf/parser.go` of aws/amazon-cloudwatch-agent). So every line is made one that does:
//! one of metrics gets the names, a log line gets metadata without metrics, as Amazon's own `aws-embedded-metrics`
//! libraries write it, and a part of an over-long line is the message of such a line.
//!
//! The agent never answers: what the system has taken counts as delivered, and what was in its buffers when the agent
//! went away is lost. Over UDP that is so for every datagram.

use crate::backend::Verdict;
use crate::backend::aws::{Carry, Place};
use crate::chunk::Batch;
use crate::encode::json;
use crate::error::Error;
use crate::limits::{Limits, Oversize};
use crate::net::{Address, Datagrams, Net, NetError, NetErrorKind, Stream, UDP_BYTES_MAX};

use super::{LINE_BYTES_MAX, TARGET};

/// Where the agent listens by itself.
pub(super) const AGENT: &str = "tcp://127.0.0.1:25888";
const PORT: u16 = 25_888;
/// How lines of metrics begin.
const METADATA: &[u8] = b"{\"_aws\":{";

pub(super) struct Agent {
    address: Address,
    /// `"LogGroupName":…,"LogStreamName":…`.
    names: Vec<u8>,
    link: Option<Link>,
    buffer: Vec<u8>,
}

enum Link {
    Stream(Stream),
    Datagrams(Datagrams),
}

impl Agent {
    /// # Errors
    ///
    /// If the address is neither of TCP nor of UDP.
    pub(super) fn open(url: &str, place: &Place) -> Result<Agent, Error> {
        let setting = format!("{TARGET} / .target(..)");
        let address = Address::parse(url, PORT, &setting)?;
        if !matches!(address, Address::Tcp { tls: false, .. } | Address::Udp { .. }) {
            let remedy = "give the agent's address, as in tcp://127.0.0.1:25888 or udp://127.0.0.1:25888";
            return Err(Error::setting(setting, format!("the agent does not listen at {address}"), remedy));
        }
        let mut names = b"\"LogGroupName\":".to_vec();
        json::string(&mut names, &place.group);
        names.extend_from_slice(b",\"LogStreamName\":");
        json::string(&mut names, &place.stream);
        Ok(Agent { address, names, link: None, buffer: Vec::new() })
    }

    /// Bytes that a line grows by, its newline included, escapes left out.
    fn around_bytes(&self) -> usize {
        let metadata =
            "{\"_aws\":{,\"Timestamp\":18446744073709551615,\"CloudWatchMetrics\":[]},\"message\":\"\"}\n";
        metadata.len() + self.names.len()
    }

    /// Sends a whole batch over a connection. What broke off is sent again from the start.
    fn stream(&mut self, batch: &Batch, net: &mut Net) -> Result<(), NetError> {
        // An agent that was started anew has closed the old connection.
        let kept = self.link.take().and_then(|link| match link {
            Link::Stream(mut stream) => stream.is_open().then_some(stream),
            Link::Datagrams(_) => None,
        });
        let mut stream = match kept {
            Some(stream) => stream,
            None => net.dial(&self.address, None)?,
        };
        self.buffer.clear();
        for (item, line) in batch.iter() {
            addressed(&mut self.buffer, &self.names, item.time_ms, line);
        }
        stream.write_all(net, &self.buffer)?;
        self.link = Some(Link::Stream(stream));
        Ok(())
    }

    /// Sends a datagram a line; says how many went, and why no more did.
    fn datagrams(&mut self, batch: &Batch, net: &mut Net) -> (usize, Option<NetError>) {
        let mut socket = match self.link.take() {
            Some(Link::Datagrams(socket)) => socket,
            _ => match net.datagrams(&self.address) {
                Ok(socket) => socket,
                Err(error) => return (0, Some(error)),
            },
        };
        for (sent, (item, line)) in batch.iter().enumerate() {
            self.buffer.clear();
            addressed(&mut self.buffer, &self.names, item.time_ms, line);
            if let Err(error) = socket.send(net, &self.buffer) {
                return (sent, Some(error));
            }
        }
        self.link = Some(Link::Datagrams(socket));
        (batch.len(), None)
    }
}

impl Carry for Agent {
    /// No push API: only a line has a size, that of an event in CloudWatch Logs, or of a datagram. Over UDP it is half of
    /// that, since the text of a part has its quotes escaped.
    fn limits(&self) -> Limits {
        let around = self.around_bytes();
        let item_bytes_max = match self.address.is_datagram() {
            true => UDP_BYTES_MAX.saturating_sub(around) / 2,
            false => LINE_BYTES_MAX.saturating_sub(around) / 2,
        };
        Limits {
            push_bytes_max: 4 * LINE_BYTES_MAX,
            envelope_bytes: 0,
            push_items_max: 10_000,
            item_bytes_max,
            item_overhead_bytes: around,
            span_ms_max: None,
            age_ms_max: None,
            ahead_ms_max: None,
            ordered: false,
            push: false,
            oversize: Oversize::Split,
        }
    }

    fn send(&mut self, batch: &Batch, net: &mut Net) -> Verdict {
        if !self.address.is_datagram() {
            let sent = self.stream(batch, net);
            return sent.map_or_else(|error| waited(&error), |()| Verdict::Delivered);
        }
        match self.datagrams(batch, net) {
            (_, None) => Verdict::Delivered,
            (0, Some(error)) => waited(&error),
            (sent, Some(_)) => {
                Verdict::Partial { failed: (sent..batch.len()).collect(), refused: Vec::new() }
            }
        }
    }
}

fn waited(error: &NetError) -> Verdict {
    match error.kind {
        NetErrorKind::Request => Verdict::Halve, // a datagram that the system finds too long
        _ => Verdict::Retry { after: None, why: error.text.clone() },
    }
}

/// Appends a line as the agent takes it: with the names of its group and stream in its metadata.
fn addressed(out: &mut Vec<u8>, names: &[u8], time_ms: u64, line: &[u8]) {
    out.extend_from_slice(METADATA);
    out.extend_from_slice(names);
    match (line.strip_prefix(METADATA), line) {
        (Some(rest), _) => {
            out.push(b',');
            out.extend_from_slice(rest);
        }
        (None, line) => {
            out.extend_from_slice(b",\"Timestamp\":");
            json::number_u64(out, time_ms);
            out.extend_from_slice(b",\"CloudWatchMetrics\":[]}");
            match line {
                [b'{', b'}'] => out.push(b'}'),
                [b'{', members @ .., b'}'] => {
                    out.push(b',');
                    out.extend_from_slice(members);
                    out.push(b'}');
                }
                text => {
                    out.extend_from_slice(b",\"message\":");
                    json::bytes(out, text);
                    out.push(b'}');
                }
            }
        }
    }
    out.push(b'\n');
}

#[cfg(test)]
mod tests;
