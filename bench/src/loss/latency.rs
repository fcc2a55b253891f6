//! How long calls took: 32 buckets to a power of two, so a figure is at most 3 % too high.

const PER_POWER: u64 = 32;

/// The durations of calls, in nanoseconds.
pub struct Latencies {
    buckets: Vec<u64>,
    longest_ns: u64,
}

impl Latencies {
    pub fn new() -> Latencies {
        Latencies { buckets: vec![0; 64 * 32], longest_ns: 0 }
    }

    /// One call. Where calls are due every `every_ns`, one that took longer kept others from being made, which would have
    /// waited for the rest of it: they are counted, too, as a caller's clock would have shown them.
    pub fn add(&mut self, ns: u64, every_ns: u64) {
        self.longest_ns = self.longest_ns.max(ns);
        let mut left = ns;
        loop {
            self.buckets[bucket(left)] += 1;
            if every_ns == 0 || left <= every_ns {
                return;
            }
            left -= every_ns;
        }
    }

    /// What 999 calls of 1,000 did not exceed.
    pub fn p999_ns(&self) -> u64 {
        let mut beyond = self.buckets.iter().sum::<u64>() / 1000;
        for (at, count) in self.buckets.iter().enumerate().rev() {
            if *count > beyond {
                return upper_ns(at).min(self.longest_ns);
            }
            beyond -= count;
        }
        0
    }

    pub fn longest_ns(&self) -> u64 {
        self.longest_ns
    }
}

#[allow(clippy::cast_possible_truncation)] // at most 64 times 32
fn bucket(ns: u64) -> usize {
    if ns < PER_POWER {
        return ns as usize;
    }
    let power = u64::from(ns.ilog2());
    ((power - 4) * PER_POWER + ((ns >> (power - 5)) - PER_POWER)) as usize
}

/// The largest duration of a bucket.
fn upper_ns(at: usize) -> u64 {
    let (power, place) = (at as u64 / PER_POWER, at as u64 % PER_POWER);
    if power == 0 { place } else { ((PER_POWER + place + 1) << (power - 1)) - 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_hold_what_they_say() {
        for ns in (0..5_000).chain([1 << 20, (1 << 30) + 12_345, u64::MAX >> 1]) {
            let (at, upper) = (bucket(ns), upper_ns(bucket(ns)));
            assert!(upper >= ns && upper - ns <= ns / 32 && bucket(upper) == at, "{ns} {at} {upper}");
        }
    }

    #[test]
    fn one_call_in_a_thousand_may_be_longer() {
        let mut latencies = Latencies::new();
        (0..999).for_each(|_| latencies.add(20, 0));
        latencies.add(1_000_000, 0);
        assert_eq!((latencies.p999_ns(), latencies.longest_ns()), (20, 1_000_000));
        // A call that blocks keeps others from being made.
        latencies.add(1_000_000, 1_000);
        assert!(latencies.p999_ns() > 900_000);
    }
}
