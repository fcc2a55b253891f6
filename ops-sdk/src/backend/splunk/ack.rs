//! Pushes that the indexers have not acknowledged yet. A push is recognised by what it holds, so that the ship thread
//! can try it again and again, on whichever thread, and it is sent once: after the first time it is asked about.

use std::hash::{DefaultHasher, Hasher};
use std::sync::Arc;
use std::time::Duration;

use ::http::Uri;

use crate::chunk::Batch;
use crate::clock::Now;
use crate::lock::Mutex;

/// Pushes that are remembered; with more of them under way the oldest would be sent again.
const WAITING_MAX: usize = 256;

/// What is waited for, shared by all who push over one channel.
#[derive(Clone)]
pub(super) struct Acks {
    /// Where to ask.
    pub(super) uri: Uri,
    timeout: Duration,
    waiting: Arc<Mutex<Vec<Waiting>>>,
}

struct Waiting {
    print: u64,
    ack: u64,
    since: Now,
}

impl Acks {
    pub(super) fn new(uri: Uri, timeout: Duration) -> Acks {
        Acks { uri, timeout, waiting: Arc::new(Mutex::new(Vec::new())) }
    }

    /// The number under which this push is acknowledged, if it was sent and its time is not over.
    pub(super) fn of(&self, print: u64, now: Now) -> Option<u64> {
        let mut waiting = self.waiting.lock();
        waiting.retain(|one| now.since(one.since) < self.timeout);
        waiting.iter().find(|one| one.print == print).map(|one| one.ack)
    }

    /// Remembers a push, unless it is remembered: its time began when it was sent.
    pub(super) fn keep(&self, print: u64, ack: u64, now: Now) {
        let mut waiting = self.waiting.lock();
        if waiting.iter().any(|one| one.print == print) {
            return;
        }
        if waiting.len() == WAITING_MAX {
            waiting.remove(0);
        }
        waiting.push(Waiting { print, ack, since: now });
    }

    pub(super) fn forget(&self, print: u64) {
        self.waiting.lock().retain(|one| one.print != print);
    }
}

/// What tells a push from another: its records and their bytes.
pub(super) fn print_of(batch: &Batch) -> u64 {
    let mut hasher = DefaultHasher::new();
    for (item, bytes) in batch.iter() {
        hasher.write_u64(item.record.process);
        hasher.write_u64(item.record.seq);
        hasher.write_usize(bytes.len());
        hasher.write(bytes);
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RecordId;

    fn at(seconds: u64) -> Now {
        Now { unix_ns: 0, mono_ns: seconds * 1_000_000_000 }
    }

    #[test]
    fn a_push_is_remembered_until_its_time_is_over() {
        let acks = Acks::new(Uri::from_static("http://h/ack"), Duration::from_secs(10));
        assert_eq!(acks.of(1, at(0)), None);
        acks.keep(1, 7, at(0));
        acks.clone().keep(1, 8, at(5));
        assert_eq!((acks.of(1, at(9)), acks.of(2, at(9))), (Some(7), None));
        assert_eq!(acks.of(1, at(10)), None);
        acks.keep(1, 9, at(10));
        acks.forget(1);
        assert_eq!(acks.of(1, at(10)), None);
        (0..=WAITING_MAX as u64).for_each(|print| acks.keep(print, print, at(11)));
        assert_eq!((acks.of(0, at(11)), acks.of(1, at(11))), (None, Some(1)));
    }

    #[test]
    fn a_push_is_told_by_what_it_holds() {
        let batch = |seq, bytes: &[&[u8]]| {
            let mut batch = Batch::default();
            bytes.iter().for_each(|bytes| batch.push(1, RecordId { process: 1, seq }, 0, bytes));
            print_of(&batch)
        };
        assert_eq!(batch(1, &[b"ab"]), batch(1, &[b"ab"]));
        assert_ne!(batch(1, &[b"ab"]), batch(2, &[b"ab"]));
        assert_ne!(batch(1, &[b"a", b"b"]), batch(1, &[b"ab"]));
    }
}
