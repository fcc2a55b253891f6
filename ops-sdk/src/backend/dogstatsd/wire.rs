//! The socket: items are packed into datagrams, or into frames of a stream (four bytes of length, the least first).
//!
//! A socket is opened when there is something to send, kept, and opened anew after an error: an agent that starts again
//! makes another one.

use crate::backend::shared::{Outcome, failed, settle};
use crate::backend::{Refusal, Verdict};
use crate::chunk::Batch;
use crate::ledger::Loss;
use crate::net::{Address, Datagrams, Net, NetError, NetErrorKind, Stream};

/// Where lines go.
pub(super) struct Wire {
    address: Address,
    payload_bytes_max: usize,
    socket: Option<Socket>,
}

enum Socket {
    Datagrams(Datagrams),
    Stream(Stream),
}

impl Wire {
    pub(super) fn new(address: Address, payload_bytes_max: usize) -> Wire {
        Wire { address, payload_bytes_max, socket: None }
    }

    pub(super) fn payload_bytes_max(&self) -> usize {
        self.payload_bytes_max
    }

    pub(super) fn send(&mut self, batch: &Batch, net: &mut Net) -> Verdict {
        let payloads = payloads(batch, self.payload_bytes_max);
        match self.open(net) {
            Err(error) => failed(error),
            Ok(Socket::Stream(stream)) => {
                let frames: Vec<u8> = payloads.iter().flat_map(|(_, payload)| frame(payload)).collect();
                // What the agent has of a write that broke off is not known: all of it is sent again.
                let sent = stream.check().and_then(|()| stream.write_all(net, &frames));
                self.told(sent.map_or_else(failed, |()| Verdict::Delivered))
            }
            Ok(Socket::Datagrams(socket)) => {
                let mut outcomes: Vec<Outcome> = Vec::with_capacity(payloads.len());
                for (indexes, payload) in payloads {
                    let broken = outcomes.iter().any(|(_, verdict)| matches!(verdict, Verdict::Retry { .. }));
                    if broken {
                        outcomes
                            .push((indexes, Verdict::Retry { after: None, why: "the one before it".into() }));
                        continue;
                    }
                    let verdict = match socket.send(net, &payload) {
                        Ok(()) => Verdict::Delivered,
                        Err(error) => unsent(error),
                    };
                    // That nobody listens is said of the datagram before, which has reached nobody.
                    if let (Verdict::Retry { .. }, Some((_, before))) = (&verdict, outcomes.last_mut()) {
                        *before = verdict.clone();
                    }
                    outcomes.push((indexes, verdict));
                }
                let verdict = settle(outcomes, Vec::new());
                self.told(verdict)
            }
        }
    }

    fn told(&mut self, verdict: Verdict) -> Verdict {
        let well = match &verdict {
            Verdict::Delivered | Verdict::Refuse(_) => true,
            Verdict::Partial { failed, .. } => failed.is_empty(),
            _ => false,
        };
        if !well {
            self.socket = None;
        }
        verdict
    }

    fn open(&mut self, net: &mut Net) -> Result<&mut Socket, NetError> {
        // An agent that has ended since is noticed before anything is written to it.
        if let Some(Socket::Stream(stream)) = &mut self.socket
            && !stream.is_open()
        {
            self.socket = None;
        }
        let socket = match self.socket.take() {
            Some(socket) => socket,
            None if self.address.is_datagram() => Socket::Datagrams(net.datagrams(&self.address)?),
            None => Socket::Stream(net.dial(&self.address, None)?),
        };
        Ok(self.socket.insert(socket))
    }
}

/// What an error means for a datagram.
fn unsent(error: NetError) -> Verdict {
    match error.kind {
        NetErrorKind::Request => Verdict::Refuse(Refusal { loss: Loss::Oversize, why: error.text }),
        _ => failed(error),
    }
}

/// The items packed in their order, each whole, with their indexes.
fn payloads(batch: &Batch, bytes_max: usize) -> Vec<(Vec<usize>, Vec<u8>)> {
    let mut payloads: Vec<(Vec<usize>, Vec<u8>)> = Vec::new();
    for (index, (_, line)) in batch.iter().enumerate() {
        match payloads.last_mut() {
            Some((indexes, payload)) if payload.len() + 1 + line.len() <= bytes_max => {
                indexes.push(index);
                payload.push(b'\n');
                payload.extend_from_slice(line);
            }
            _ => payloads.push((vec![index], line.to_vec())),
        }
    }
    payloads
}

fn frame(payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX); // at most 65,467
    [&length.to_le_bytes()[..], payload].concat()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::RecordId;

    proptest! {
        #[test]
        fn lines_are_packed_in_order_and_within_the_bound(lines in prop::collection::vec("[a-z]{1,60}", 1..80), max in 60..300_usize) {
            let mut batch = Batch::default();
            lines.iter().for_each(|line| batch.push(0, RecordId::default(), 0, line.as_bytes()));
            let packed = payloads(&batch, max);
            prop_assert!(packed.iter().all(|(_, payload)| payload.len() <= max));
            let indexes: Vec<usize> = packed.iter().flat_map(|(indexes, _)| indexes.clone()).collect();
            prop_assert_eq!(indexes, (0..lines.len()).collect::<Vec<_>>());
            let texts = packed.iter().map(|(_, payload)| std::str::from_utf8(payload).unwrap());
            let read: Vec<&str> = texts.flat_map(|text| text.split('\n')).collect();
            prop_assert_eq!(read, lines);
        }
    }
}
