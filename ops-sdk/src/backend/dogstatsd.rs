//! DogStatsD 1.6 to a Datadog agent, over UDP or a Unix socket of either kind: counters, gauges and histograms, checks as
//! service checks, and on request audit and configuration records as events. Plain StatsD for servers that know no tags.
//!
//! Delivery over UDP is a hope: what the system took is counted as delivered, and what was lost on the way nobody knows.
//! A Unix socket loses nothing on the way, but an agent that ends takes with it what it has not passed on. Nothing is ever
//! cut to fit a datagram: what does not fit is refused, with the reason.

mod events;
mod lines;
mod settings;
mod wire;

use self::events::Events;
use self::lines::Lines;
pub use self::settings::{Dogstatsd, StatsdHistograms};
use self::wire::Wire;
use super::{Backend, EncodeError, Verdict};
use crate::chunk::{Batch, Items};
use crate::limits::{Limits, Oversize};
use crate::model::{Body, Record, Signal};
use crate::net::Net;

/// Bytes of datagrams that are sent in one go.
const PUSH_BYTES_MAX: usize = 65_536;

struct Open {
    lines: Lines,
    events: Events,
    with_checks: bool,
    with_events: bool,
    wire: Wire,
}

impl Backend for Open {
    fn id(&self) -> &str {
        "dogstatsd"
    }

    /// A datagram is the bound of an item; a push is several of them. It is no push API that could be asked for less.
    fn limits(&self) -> Limits {
        Limits {
            push_bytes_max: PUSH_BYTES_MAX.max(self.wire.payload_bytes_max() + 1),
            envelope_bytes: 0,
            push_items_max: 10_000,
            item_bytes_max: self.wire.payload_bytes_max(),
            item_overhead_bytes: 1, // the newline
            span_ms_max: None,
            age_ms_max: None,
            ahead_ms_max: None,
            ordered: false,
            push: false,
            oversize: Oversize::Refuse,
        }
    }

    fn accepts(&self, signal: Signal) -> bool {
        match signal {
            Signal::Metric => true,
            Signal::Check => self.with_checks,
            Signal::Audit | Signal::Config => self.with_events,
            Signal::Log => false,
        }
    }

    fn encode(&mut self, record: &Record<'_>, out: &mut Items) -> Result<(), EncodeError> {
        match &record.body {
            Body::Metric(metric) => self.lines.encode(record, metric, out),
            Body::Check(check) if self.with_checks => self.events.check(record, check, out),
            Body::Audit(_) | Body::Config(_) if self.with_events => self.events.event(record, out),
            _ => Err(EncodeError(format!("DogStatsD cannot express a {} record here", record.signal()))),
        }
    }

    fn send(&mut self, batch: &Batch, net: &mut Net) -> Verdict {
        self.wire.send(batch, net)
    }
}

#[cfg(test)]
mod tests;
