//! Servers that take what comes and keep no more of it than a count.

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
