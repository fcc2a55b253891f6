//! How long to wait before the next try: full jitter (a random share of a bound that doubles), never less than the
//! server asked for. Tries are not counted against the data: it is kept by bytes and by age, not by attempts.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);
/// AWS's SDKs cap at 20 s (botocore 1.44.5, standard retry mode).
const LONGEST: Duration = Duration::from_secs(20);
/// A server may ask for more, up to this.
const ASKED_MAX: Duration = Duration::from_secs(300);

/// The state of one backend's retries.
#[derive(Debug)]
pub(super) struct Backoff {
    failures: u32,
    random: u64,
}

impl Backoff {
    pub(super) fn new() -> Backoff {
        Backoff { failures: 0, random: RandomState::new().hash_one(0u8) | 1 }
    }

    /// A push went through.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    /// A push failed; the server may have said after how long to come back.
    pub(super) fn next(&mut self, asked: Option<Duration>) -> Duration {
        let bound = FIRST.saturating_mul(1 << self.failures.min(16)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        let jittered = bound.mul_f64(self.share());
        jittered.max(asked.unwrap_or_default().min(ASKED_MAX))
    }

    /// A random number in 0.0 … 1.0 (xorshift64*, which is all that spreading retries needs).
    #[allow(clippy::cast_precision_loss)]
    fn share(&mut self) -> f64 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        (self.random.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_are_jittered_bounded_and_start_over_after_a_success() {
        let mut backoff = Backoff::new();
        for failure in 0..40 {
            let bound = FIRST * (1 << failure.min(8));
            assert!(backoff.next(None) <= bound.min(LONGEST));
        }
        backoff.reset();
        assert!(backoff.next(None) <= FIRST);
    }

    #[test]
    fn delays_differ() {
        let mut backoff = Backoff { failures: 8, random: 1 };
        let delays: std::collections::BTreeSet<_> = (0..100).map(|_| backoff.next(None)).collect();
        assert!(delays.len() > 90);
    }

    #[test]
    fn the_servers_delay_is_kept_within_reason() {
        let asked = Duration::from_secs(42);
        assert!(Backoff::new().next(Some(asked)) >= asked);
        assert_eq!(Backoff::new().next(Some(Duration::from_secs(86_400))), ASKED_MAX);
    }
}
