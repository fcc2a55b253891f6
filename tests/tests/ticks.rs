//! What a backend does by the clock: it is called at once, then again and again though nothing is recorded, and whatever goes
//! wrong with that is told and changes nothing else. The counterpart is a fake.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ops_sdk::Error;
use ops_sdk::backend::{Backend, Configure, Context, EncodeError, Verdict};
use ops_sdk::chunk::{Batch, Items};
use ops_sdk::limits::{Limits, Oversize};
use ops_sdk::model::{Record, Signal};
use ops_sdk::net::Net;
use ops_sdk::prelude::*;
use ops_tests::{SOON, assert_balanced, turn, wait_until};

/// Counts how often it is called, and fails in one way or another each second time.
#[derive(Clone, Default)]
struct Ticking {
    every: Option<Duration>,
    ticks: Arc<AtomicU64>,
    sent: Arc<AtomicU64>,
}

impl Configure for Ticking {
    fn open(self: Box<Self>, _context: &Context) -> Result<Box<dyn Backend>, Error> {
        Ok(self)
    }
}

impl Backend for Ticking {
    fn id(&self) -> &str {
        "ticking"
    }

    fn limits(&self) -> Limits {
        Limits {
            push_bytes_max: 1_000,
            envelope_bytes: 0,
            push_items_max: 10,
            item_bytes_max: 1_000,
            item_overhead_bytes: 0,
            span_ms_max: None,
            age_ms_max: None,
            ahead_ms_max: None,
            ordered: false,
            push: true,
            oversize: Oversize::Split,
        }
    }

    fn accepts(&self, signal: Signal) -> bool {
        signal == Signal::Log
    }

    fn encode(&mut self, _record: &Record<'_>, out: &mut Items) -> Result<(), EncodeError> {
        out.push(|bytes| {
            bytes.push(b'x');
            Ok(())
        })
    }

    fn send(&mut self, batch: &Batch, _net: &mut Net) -> Verdict {
        self.sent.fetch_add(batch.len() as u64, Ordering::Relaxed);
        Verdict::Delivered
    }

    fn tick_every(&self) -> Option<Duration> {
        self.every
    }

    fn tick(&mut self, net: &mut Net) -> Result<(), String> {
        assert!(!net.left().is_zero());
        match self.ticks.fetch_add(1, Ordering::Relaxed) % 4 {
            1 => Err("nobody hears it".to_owned()),
            3 => panic!("a tick that panics"),
            _ => Ok(()),
        }
    }
}

#[test]
fn a_backend_is_called_by_the_clock_whether_there_are_records_or_not() {
    let _turn = turn();
    let ticking = Ticking { every: Some(Duration::from_millis(10)), ..Ticking::default() };
    let builder = ops_sdk::init().environment(|_| None).linger(Duration::from_millis(1));
    let ops = builder.backend(ticking.clone()).start().expect("recording starts");
    let ticked = |times: u64| wait_until("it ticks", || ticking.ticks.load(Ordering::Relaxed) >= times);
    ticked(8);
    (0..100).for_each(|n| info!("event {n}"));
    assert!(ops.flush(SOON).complete);
    ticked(ticking.ticks.load(Ordering::Relaxed) + 8);
    assert_balanced(&ops.stats());
    assert_eq!(ticking.sent.load(Ordering::Relaxed), 100);
}

#[test]
fn a_backend_that_asks_for_nothing_is_not_called() {
    let _turn = turn();
    let ticking = Ticking::default();
    let ops =
        ops_sdk::init().environment(|_| None).backend(ticking.clone()).start().expect("recording starts");
    info!("event");
    assert!(ops.flush(SOON).complete);
    assert_eq!((ticking.ticks.load(Ordering::Relaxed), ticking.sent.load(Ordering::Relaxed)), (0, 1));
}
