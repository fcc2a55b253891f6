//! How many pushes go side by side: one more after each round of good answers while more is waiting and the answers
//! come as fast as before, half as many when the server asks for less or fails. Between 1 and `pushes_max`. Pure.

use std::time::Duration;

/// What an answer may take longer than the fastest before the server counts as busy: a factor, and milliseconds.
const SLOWER: (f64, f64) = (2.0, 10.0);
/// How much of a new answer goes into the mean.
const SHARE: f64 = 0.25;
/// The fastest answer is forgotten at this rate an answer, so that a server which has become slower for good is not
/// taken for a busy one for ever.
const FORGET: f64 = 1.01;

/// How many pushes may be under way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Window {
    max: u32,
    size: u32,
    /// Good answers since the size changed.
    good: u32,
    /// The mean of late, and the fastest, in milliseconds.
    mean_ms: f64,
    least_ms: f64,
    halved_ns: u64,
}

impl Window {
    /// One push, and at most this many later.
    pub(super) fn new(max: u32) -> Window {
        Window { max: max.max(1), size: 1, good: 0, mean_ms: 0.0, least_ms: f64::MAX, halved_ns: 0 }
    }

    pub(super) fn size(&self) -> usize {
        self.size as usize
    }

    /// A push was taken after this long; `more` pushes are waiting.
    pub(super) fn good(mut self, took: Duration, more: bool) -> Window {
        let ms = took.as_secs_f64() * 1e3;
        self.mean_ms =
            if self.least_ms == f64::MAX { ms } else { self.mean_ms + SHARE * (ms - self.mean_ms) };
        self.least_ms = (self.least_ms * FORGET).min(ms);
        let is_busy = self.mean_ms > self.least_ms * SLOWER.0 + SLOWER.1;
        // Who has nothing to send learns nothing of what the server could take.
        if !more || is_busy || self.size == self.max {
            return self;
        }
        self.good += 1;
        if self.good >= self.size {
            (self.size, self.good) = (self.size + 1, 0);
        }
        self
    }

    /// A push that began at `began_ns` was throttled or failed; once for all that were under way together.
    pub(super) fn bad(mut self, began_ns: u64, now_ns: u64) -> Window {
        if began_ns >= self.halved_ns {
            (self.size, self.good, self.halved_ns) = ((self.size / 2).max(1), 0, now_ns);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAST: Duration = Duration::from_millis(50);

    fn good(window: Window, answers: usize, took: Duration, more: bool) -> Window {
        (0..answers).fold(window, |window, _| window.good(took, more))
    }

    #[test]
    fn it_grows_by_one_a_round_up_to_its_bound() {
        let sizes: Vec<_> = (0..12).map(|n| good(Window::new(4), n, FAST, true).size()).collect();
        assert_eq!(sizes, [1, 2, 2, 3, 3, 3, 4, 4, 4, 4, 4, 4]);
        assert_eq!(good(Window::new(1), 100, FAST, true).size(), 1);
        assert_eq!(Window::new(0).size(), 1);
    }

    #[test]
    fn it_does_not_grow_while_nothing_waits_or_answers_slow_down() {
        assert_eq!(good(Window::new(8), 100, FAST, false).size(), 1);
        let fast = good(Window::new(64), 10, FAST, true);
        let slow = good(fast, 12, 4 * FAST, true);
        assert!(slow.size() <= fast.size() + 1, "{} {}", slow.size(), fast.size());
        // What has become slow for good is what the server does.
        assert!(good(slow, 1_000, 4 * FAST, true).size() > slow.size());
    }

    #[test]
    fn it_is_halved_once_for_all_that_were_under_way() {
        let wide = good(Window::new(16), 200, FAST, true);
        assert_eq!(wide.size(), 16);
        let halved = [3, 4, 9].into_iter().fold(wide, |window, began_ns| window.bad(began_ns, 10));
        assert_eq!(halved.size(), 8);
        let sizes = [20, 30, 40, 50]
            .map(|at| (0..at / 10 - 1).fold(halved, |w, n| w.bad(20 + 10 * n, 20 + 10 * n)).size());
        assert_eq!(sizes, [4, 2, 1, 1]);
    }
}
