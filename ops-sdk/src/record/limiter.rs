//! How often one site may log: at most so many events in each period, which begins with an event. Beyond that the
//! values are not even evaluated; the event is counted, and the flush thread says how many there were. No lock and no
//! allocation: one word is exchanged where an event passes, one is counted up where it does not.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::{Site, losses, registry};
use crate::clock;
use crate::model::Signal;

/// Events of a period at most, as the word holds them.
const COUNT_BITS: u32 = 20;
/// Milliseconds of the word: 557 years.
const START_BITS: u32 = 64 - COUNT_BITS;

/// The limit of one site.
#[derive(Debug)]
pub struct Limiter {
    /// Events in a period, 1 … 1,000,000.
    events_max: u32,
    /// 1 ms … 1 day.
    period_ms: u32,
    /// When the period began, by the clock that never goes back, and how many events passed in it. 0 is never.
    state: AtomicU64,
    /// Events that did not pass and were not taken yet.
    held_back: AtomicU64,
}

/// Whether any limiter has held anything back since the flush thread looked.
static ANY: AtomicBool = AtomicBool::new(false);

impl Limiter {
    /// At most so many events in so many milliseconds.
    #[must_use]
    pub const fn new(events_max: u32, period_ms: u32) -> Limiter {
        assert!(events_max > 0 && events_max < 1 << COUNT_BITS && period_ms > 0);
        Limiter { events_max, period_ms, state: AtomicU64::new(0), held_back: AtomicU64::new(0) }
    }

    /// How long its period is, in milliseconds.
    pub(crate) fn period_ms(&self) -> u32 {
        self.period_ms
    }

    fn passes(&self, now_ms: u64) -> bool {
        let pass = |state| pass(state, now_ms, self.events_max, self.period_ms);
        self.state.fetch_update(Ordering::Relaxed, Ordering::Relaxed, pass).is_ok()
    }
}

/// Whether an event of this site may pass now; counted if not.
#[inline]
pub fn passes(site: &'static Site) -> bool {
    let Some(limiter) = site.limiter else { return true };
    let now_ms = clock::nanos(0, clock::ticks()) / 1_000_000;
    let passes = limiter.passes(now_ms);
    if !passes {
        hold_back(site, limiter);
    }
    passes
}

#[cold]
fn hold_back(site: &'static Site, limiter: &Limiter) {
    if registry::number(site).is_none() {
        return losses::no_room(Signal::Log); // nobody would find it
    }
    limiter.held_back.fetch_add(1, Ordering::Relaxed);
    // A line that is only read is shared by all; it is written once between two looks.
    if !ANY.load(Ordering::Relaxed) {
        ANY.store(true, Ordering::Release);
    }
}

/// Hands every site that has held events back since this was asked last to `each`, with their number. One that was counted
/// in the very moment of the last look may come with a later one; `all` looks whether or not there seems to be any.
pub(crate) fn take(all: bool, mut each: impl FnMut(&'static Site, u64)) {
    if !ANY.swap(false, Ordering::Acquire) && !all {
        return;
    }
    for site in registry::all() {
        let count = site.limiter.map_or(0, |limiter| limiter.held_back.swap(0, Ordering::Relaxed));
        if count > 0 {
            each(site, count);
        }
    }
}

/// The state after one more event; `None` if it may not pass.
fn pass(state: u64, now_ms: u64, events_max: u32, period_ms: u32) -> Option<u64> {
    // From 1, so that a period that began with the clock is told from none.
    let now_ms = (now_ms + 1) & ((1 << START_BITS) - 1);
    let (start_ms, count) = (state >> COUNT_BITS, state & ((1 << COUNT_BITS) - 1));
    // Another thread may have read the clock before this one, and come later.
    let is_open = state != 0 && now_ms.saturating_sub(start_ms) < u64::from(period_ms);
    match is_open {
        false => Some(now_ms << COUNT_BITS | 1),
        true if count < u64::from(events_max) => Some(state + 1),
        true => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of the events at these times pass.
    fn passed(events_max: u32, period_ms: u32, times_ms: &[u64]) -> Vec<u64> {
        let mut state = 0;
        let mut passes = |now_ms: &u64| match pass(state, *now_ms, events_max, period_ms) {
            Some(next) => {
                state = next;
                true
            }
            None => false,
        };
        times_ms.iter().copied().filter(|now_ms| passes(now_ms)).collect()
    }

    #[test]
    fn so_many_pass_in_each_period_that_an_event_begins() {
        let table: &[(u32, u32, &[u64], &[u64])] = &[
            (2, 1000, &[0, 1, 2, 999, 1000, 1001, 1002], &[0, 1, 1000, 1001]),
            (1, 10_000, &[5, 6, 10_004, 10_005, 20_004], &[5, 10_005]),
            (1, 1, &[7, 7, 8, 8, 9], &[7, 8, 9]),
            (3, 1000, &[0, 5000, 5001, 5002, 5003], &[0, 5000, 5001, 5002]),
            // A clock that was read earlier and comes later counts for the period that is open.
            (2, 1000, &[1000, 900, 901], &[1000, 900]),
        ];
        for (events_max, period_ms, times_ms, expected) in table {
            assert_eq!(passed(*events_max, *period_ms, times_ms), *expected, "{events_max} in {period_ms}");
        }
    }

    #[test]
    fn threads_together_pass_no_more_than_one() {
        static LIMITER: Limiter = Limiter::new(100, 86_400_000);
        let run = || (0..1000).filter(|n| LIMITER.passes(*n)).count();
        let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(run)).collect();
        let passed: usize = threads.into_iter().map(|thread| thread.join().expect("a thread ends")).sum();
        assert_eq!(passed, 100);
    }
}
