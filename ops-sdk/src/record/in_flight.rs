//! How many calls of a function are in progress: one number for all threads, since a future may begin on one and end
//! on another, with its extremes since the last window. Unlike everything else that a macro writes, threads share it:
//! a call pays two atomic additions, and eight threads in the same function wait for its cache line.

use super::sync::{AtomicI64, Ordering::Relaxed};

/// Calls in progress of one function.
#[derive(Debug)]
pub struct InFlight {
    now: AtomicI64,
    low: AtomicI64,
    high: AtomicI64,
}

/// The number of calls in progress over one window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Levels {
    pub(crate) now: i64,
    pub(crate) low: i64,
    pub(crate) high: i64,
}

impl InFlight {
    /// None in progress.
    #[must_use]
    #[allow(clippy::new_without_default)] // it is made in statics alone
    pub const fn new() -> InFlight {
        InFlight { now: AtomicI64::new(0), low: AtomicI64::new(0), high: AtomicI64::new(0) }
    }

    /// One more.
    #[inline]
    pub(super) fn begin(&self) {
        let now = self.now.fetch_add(1, Relaxed) + 1;
        if now > self.high.load(Relaxed) {
            self.high.fetch_max(now, Relaxed);
        }
    }

    /// One less.
    #[inline]
    pub(super) fn end(&self) {
        let now = self.now.fetch_sub(1, Relaxed) - 1;
        if now < self.low.load(Relaxed) {
            self.low.fetch_min(now, Relaxed);
        }
    }

    /// The number now and its extremes since this was asked last; `None` if there was none in progress all the time.
    pub(super) fn take(&self) -> Option<Levels> {
        let now = self.now.load(Relaxed);
        let low = self.low.swap(now, Relaxed).min(now);
        let high = self.high.swap(now, Relaxed).max(now);
        let levels = Levels { now, low, high };
        (levels != Levels { now: 0, low: 0, high: 0 }).then_some(levels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_has_the_last_number_and_its_extremes() {
        let calls = InFlight::new();
        assert_eq!(calls.take(), None);
        (0..3).for_each(|_| calls.begin());
        calls.end();
        assert_eq!(calls.take(), Some(Levels { now: 2, low: 0, high: 3 }));
        // What hangs is told in every window.
        assert_eq!(calls.take(), Some(Levels { now: 2, low: 2, high: 2 }));
        (0..2).for_each(|_| calls.end());
        assert_eq!(calls.take(), Some(Levels { now: 0, low: 0, high: 2 }));
        assert_eq!(calls.take(), None);
    }
}
