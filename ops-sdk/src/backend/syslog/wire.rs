//! How messages travel, and what is known of their arrival: nothing, but that the system took them.
//!
//! Over a stream the other side's end is looked for before each push and after it, and a push is only taken for delivered
//! while the connection stands. What was written shortly before a connection broke may be lost all the same; so the last
//! push is kept, and goes out first on the next connection. Over UDP the system may say that nobody listens; a datagram
//! that is lost on the way is lost without a word.

use super::SyslogFraming;
use crate::backend::shared::{failed, operator};
use crate::backend::{Refusal, Verdict};
use crate::chunk::Batch;
use crate::encode::json::number_u64;
use crate::ledger::Loss;
use crate::net::{Address, Datagrams, Net, NetError, NetErrorKind, Stream, Tls};

/// Bytes that go out again at most, besides a push.
const LAST_BYTES_MAX: usize = 256 << 10;

/// The road to a collector.
pub(super) enum Wire {
    Datagrams(Address, Option<Datagrams>),
    Stream(Box<Framed>),
}

impl Wire {
    pub(super) fn datagrams(address: Address) -> Wire {
        Wire::Datagrams(address, None)
    }

    pub(super) fn stream(address: Address, tls: Option<Tls>, framing: SyslogFraming, resend: bool) -> Wire {
        let (push, last) = (Vec::new(), Vec::new());
        Wire::Stream(Box::new(Framed { address, tls, framing, resend, open: None, push, last }))
    }

    pub(super) fn send(&mut self, batch: &Batch, net: &mut Net) -> Verdict {
        match self {
            Wire::Datagrams(address, open) => {
                let (sent, verdict) = match send_datagrams(address, open, batch, net) {
                    Ok(sent) => judge_datagrams(batch.len(), sent),
                    Err(error) => (false, judge(error)),
                };
                if !sent {
                    *open = None;
                }
                verdict
            }
            Wire::Stream(framed) => framed.send(batch, net).map_or_else(judge, |()| Verdict::Delivered),
        }
    }
}

/// A connection, on which messages have to be told apart.
pub(super) struct Framed {
    address: Address,
    tls: Option<Tls>,
    framing: SyslogFraming,
    resend: bool,
    open: Option<Stream>,
    /// The push under way, framed.
    push: Vec<u8>,
    /// The push before it, with what had gone out again before that on its connection: nobody has acknowledged them. Empty
    /// unless they may go out twice.
    last: Vec<u8>,
}

impl Framed {
    fn send(&mut self, batch: &Batch, net: &mut Net) -> Result<(), NetError> {
        self.push.clear();
        batch.iter().for_each(|(_, message)| frame(&mut self.push, message, self.framing));
        let is_new = self.write(net)?;
        if self.resend {
            // On a new connection what went out again is as unsure as what follows it.
            if !is_new || self.last.len() + self.push.len() > LAST_BYTES_MAX {
                self.last.clear();
            }
            self.last.append(&mut self.push);
        }
        Ok(())
    }

    /// Writes the push, and says whether that took a new connection. One that fails is not kept.
    fn write(&mut self, net: &mut Net) -> Result<bool, NetError> {
        let standing = self.open.take().and_then(|mut stream| stream.is_open().then_some(stream));
        let is_new = standing.is_none();
        let mut stream = match standing {
            Some(stream) => stream,
            None => self.connect(net)?,
        };
        stream.write_all(net, &self.push)?;
        stream.check()?;
        self.open = Some(stream);
        Ok(is_new)
    }

    fn connect(&self, net: &mut Net) -> Result<Stream, NetError> {
        let mut stream = net.dial(&self.address, self.tls.as_ref())?;
        stream.settle(net)?;
        stream.write_all(net, &self.last)?;
        Ok(stream)
    }
}

/// Appends a message as it stands on a connection (RFC 6587, 3.4; RFC 5425, 4.3).
fn frame(out: &mut Vec<u8>, message: &[u8], framing: SyslogFraming) {
    match framing {
        SyslogFraming::OctetCounting => {
            number_u64(out, message.len() as u64);
            out.push(b' ');
            out.extend_from_slice(message);
        }
        SyslogFraming::LineFeed => {
            out.extend_from_slice(message);
            out.push(b'\n');
        }
    }
}

/// How far a push of datagrams came.
struct Sent {
    /// Datagrams that the system took, or will never take.
    done: usize,
    /// Those it will never take.
    too_long: Vec<(usize, NetError)>,
    /// Why it did not take the next.
    stopped: Option<NetError>,
}

fn send_datagrams(
    address: &Address,
    open: &mut Option<Datagrams>,
    batch: &Batch,
    net: &mut Net,
) -> Result<Sent, NetError> {
    let datagrams = match open {
        Some(datagrams) => datagrams,
        None => open.insert(net.datagrams(address)?),
    };
    let mut sent = Sent { done: 0, too_long: Vec::new(), stopped: None };
    for (index, (_, message)) in batch.iter().enumerate() {
        match datagrams.send(net, message) {
            Err(error) if error.kind == NetErrorKind::Request => sent.too_long.push((index, error)),
            Err(error) => {
                sent.stopped = Some(error);
                return Ok(sent);
            }
            Ok(()) => {}
        }
        sent.done = index + 1;
    }
    sent.stopped = datagrams.check().err();
    Ok(sent)
}

/// What came of a push of so many datagrams, and whether the socket is good for the next.
fn judge_datagrams(items: usize, sent: Sent) -> (bool, Verdict) {
    let refuse =
        |(index, error): (usize, NetError)| (index, Refusal { loss: Loss::Oversize, why: error.text });
    let refused: Vec<_> = sent.too_long.into_iter().map(refuse).collect();
    match sent.stopped {
        // Nobody listens, and that is said of datagrams that the system has taken as well.
        Some(error) if error.kind == NetErrorKind::Connect && refused.is_empty() => (false, judge(error)),
        Some(error) if sent.done == 0 => (false, judge(error)),
        Some(error) => {
            let from = if error.kind == NetErrorKind::Connect { 0 } else { sent.done };
            let failed = (from..items).filter(|index| refused.iter().all(|(other, _)| other != index));
            (false, Verdict::Partial { failed: failed.collect(), refused })
        }
        None if refused.is_empty() => (true, Verdict::Delivered),
        None => (true, Verdict::Partial { failed: Vec::new(), refused }),
    }
}

/// What a push means that did not get through. A certificate is put right by an operator; the rest is tried again.
fn judge(error: NetError) -> Verdict {
    match error.kind {
        NetErrorKind::Tls => operator(error.text),
        _ => failed(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(kind: NetErrorKind) -> NetError {
        NetError { kind, text: "why".to_owned() }
    }

    #[test]
    fn each_end_of_a_push_of_datagrams_has_its_verdict() {
        let late = NetErrorKind::Timeout { sent: None };
        let table: [(usize, &[usize], Option<NetErrorKind>, &str); 8] = [
            (4, &[], None, "true delivered"),
            (4, &[1], None, "true partial [] [1]"),
            (2, &[], Some(NetErrorKind::Io), "false partial [2, 3] []"),
            (2, &[0], Some(late), "false partial [2, 3] [0]"),
            (0, &[], Some(late), "false retry None"),
            (2, &[], Some(NetErrorKind::Connect), "false retry None"),
            (2, &[0], Some(NetErrorKind::Connect), "false partial [1, 2, 3] [0]"),
            (4, &[], Some(NetErrorKind::Connect), "false retry None"),
        ];
        for (done, long, stopped, expected) in table {
            let too_long = long.iter().map(|index| (*index, error(NetErrorKind::Request))).collect();
            let sent = Sent { done, too_long, stopped: stopped.map(error) };
            let (good, verdict) = judge_datagrams(4, sent);
            let told = match verdict {
                Verdict::Delivered => "delivered".to_owned(),
                Verdict::Partial { failed, refused } => {
                    assert!(refused.iter().all(|(_, refusal)| refusal.loss == Loss::Oversize));
                    let refused: Vec<_> = refused.iter().map(|(index, _)| index).collect();
                    format!("partial {failed:?} {refused:?}")
                }
                Verdict::Retry { after, .. } => format!("retry {after:?}"),
                other => panic!("{other:?}"),
            };
            assert_eq!(format!("{good} {told}"), expected);
        }
    }

    #[test]
    fn a_certificate_is_waited_out_and_the_rest_tried_again() {
        let after = |kind| match judge(error(kind)) {
            Verdict::Retry { after, .. } => after.map(|after| after.as_secs()),
            other => panic!("{other:?}"),
        };
        assert_eq!(after(NetErrorKind::Tls), Some(60));
        for kind in [NetErrorKind::Io, NetErrorKind::Connect, NetErrorKind::Resolve] {
            assert_eq!(after(kind), None);
        }
    }

    #[test]
    fn messages_are_told_apart() {
        let mut out = Vec::new();
        frame(&mut out, b"<1>1 a", SyslogFraming::OctetCounting);
        frame(&mut out, &[b'x'; 12], SyslogFraming::OctetCounting);
        frame(&mut out, b"<1>1 b", SyslogFraming::LineFeed);
        assert_eq!(out, b"6 <1>1 a12 xxxxxxxxxxxx<1>1 b\n");
    }
}
