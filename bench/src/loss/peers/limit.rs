//! What a caller would wait for if there were nothing to lose: it is timed as every peer is, and nothing of it arrives.

use std::cell::{Cell, RefCell};
use std::time::Instant;

use super::{Peer, Subject};

/// What it takes to ask how long a call took.
pub const NOTHING: Peer = Peer {
    name: "limit: nothing",
    tries_again: false,
    keeps: false,
    start: |_| Box::new(Nothing(Cell::new(0))),
};

/// What it takes to keep an event's time and bytes where others can read them, by plain code and the system's clock: whoever
/// reads the processor's counter may take less of calls in a row.
pub const RING: Peer = Peer {
    name: "limit: a thread's ring",
    tries_again: false,
    keeps: false,
    start: |_| Box::new(Ring::new()),
};

struct Nothing(Cell<u64>);

impl Subject for Nothing {
    #[inline(never)]
    fn log(&self, _id: &str) {
        self.0.set(self.0.get() + 1);
    }

    fn end(self: Box<Self>) -> u64 {
        self.0.get()
    }
}

/// As much as ops-sdk has, in pages that are there.
const EVENTS: usize = (4 << 20) / size_of::<Event>();

/// What of an event is known only when it happens, and which it is.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Event {
    site: &'static str,
    at: Instant,
    id: [u8; 16],
    amount: f64,
    ok: bool,
}

struct Ring {
    events: RefCell<Box<[Event]>>,
    count: Cell<u64>,
}

impl Ring {
    fn new() -> Ring {
        let none = Event { site: "", at: Instant::now(), id: [0; 16], amount: 0.0, ok: false };
        Ring { events: RefCell::new(vec![none; EVENTS].into()), count: Cell::new(0) }
    }
}

impl Subject for Ring {
    #[inline(never)]
    fn log(&self, id: &str) {
        let count = self.count.get();
        #[allow(clippy::cast_possible_truncation)] // a remainder
        let place = &mut self.events.borrow_mut()[(count % EVENTS as u64) as usize];
        place.site = "the order was accepted and leaves the warehouse this evening";
        place.at = Instant::now();
        place.id[..id.len().min(16)].copy_from_slice(&id.as_bytes()[..id.len().min(16)]);
        (place.amount, place.ok) = (1.5, true);
        self.count.set(count + 1);
    }

    fn end(self: Box<Self>) -> u64 {
        std::hint::black_box(&self.events);
        self.count.get()
    }
}
