//! A backend that takes everything and keeps nothing but the number of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use ops_sdk::Error;
use ops_sdk::backend::{Backend, Configure, Context, EncodeError, Verdict};
use ops_sdk::chunk::{Batch, Items};
use ops_sdk::limits::{Limits, Oversize};
use ops_sdk::model::{Body, Record, Signal};
use ops_sdk::net::Net;

/// Takes log events, and counts those that the SDK does not tell itself.
#[derive(Debug, Clone, Default)]
pub struct Discard(Arc<AtomicU64>);

/// What an event of the SDK's own is, such as one that tells of a loss.
const OWN: u8 = b'!';

impl Discard {
    /// How many events came.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

impl Configure for Discard {
    fn open(self: Box<Self>, _: &Context) -> Result<Box<dyn Backend>, Error> {
        Ok(self)
    }
}

impl Backend for Discard {
    fn id(&self) -> &str {
        "discard"
    }

    fn limits(&self) -> Limits {
        Limits {
            push_bytes_max: 1 << 20,
            envelope_bytes: 0,
            push_items_max: 100_000,
            item_bytes_max: 1 << 20,
            item_overhead_bytes: 0,
            span_ms_max: None,
            age_ms_max: None,
            ahead_ms_max: None,
            ordered: true,
            push: false,
            oversize: Oversize::Split,
        }
    }

    fn accepts(&self, signal: Signal) -> bool {
        signal == Signal::Log
    }

    fn encode(&mut self, record: &Record<'_>, out: &mut Items) -> Result<(), EncodeError> {
        let is_own = matches!(&record.body, Body::Log(log) if log.target == "ops_sdk");
        out.push(|bytes| {
            bytes.push(if is_own { OWN } else { b'.' });
            Ok(())
        })
    }

    fn send(&mut self, batch: &Batch, _: &mut Net) -> Verdict {
        let events = batch.iter().filter(|(_, bytes)| *bytes != [OWN]).count();
        self.0.fetch_add(events as u64, Relaxed);
        Verdict::Delivered
    }
}
