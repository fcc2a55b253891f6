//! How far to thin out the timing of each site. Values in, values out.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::record::Cost;

/// The calls of one site, as they are without thinning.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Load {
    /// Calls in a second.
    pub(super) calls: f64,
    /// Of how many the site itself times one.
    pub(super) sample: u32,
}

/// So many calls of a site are timed in a second however little time there is: what that costs is nothing, and without
/// it there would be no percentiles.
const TIMED_MIN: f64 = 8.0;
/// Halves the timing of a site at most so often: one call in 134 million is timed then.
const THINNED_MAX: u32 = 27;

/// How often to halve the timing of each site, so that all of it together costs at most `allowance_ns` nanoseconds in
/// a second. The site that times most is thinned first, so that in the end the hottest ones time about as many calls as
/// each other, and the others all.
pub(super) fn plan(loads: &[Load], cost: Cost, allowance_ns: f64) -> Vec<u32> {
    let mut thinned = vec![0; loads.len()];
    let mut total: f64 = loads.iter().map(|load| load.cost_ns(0, cost)).sum();
    let mut hottest: BinaryHeap<Timing> = (0..).zip(loads).map(|(at, load)| load.timing(at, 0)).collect();
    while total > allowance_ns
        && let Some(next) = hottest.pop().filter(|next| next.timed > 2.0 * TIMED_MIN)
    {
        let (load, before) = (loads[next.at], thinned[next.at]);
        thinned[next.at] = before + 1;
        total += load.cost_ns(before + 1, cost) - load.cost_ns(before, cost);
        if before + 1 < THINNED_MAX {
            hottest.push(load.timing(next.at, before + 1));
        }
    }
    thinned
}

impl Load {
    /// Calls in a second that are timed.
    fn timed(self, thinned: u32) -> f64 {
        self.calls / (f64::from(self.sample.max(1)) * f64::from(1u32 << thinned.min(THINNED_MAX)))
    }

    /// Nanoseconds in a second that measuring these calls costs.
    pub(super) fn cost_ns(self, thinned: u32, cost: Cost) -> f64 {
        let timed = self.timed(thinned);
        let choosing = if self.sample > 1 || thinned > 0 { cost.counted_ns } else { 0.0 };
        self.calls * choosing + timed * cost.timed_ns
    }

    fn timing(self, at: usize, thinned: u32) -> Timing {
        Timing { timed: self.timed(thinned), at }
    }
}

/// A site, in the order of how many of its calls are timed.
struct Timing {
    timed: f64,
    at: usize,
}

impl Ord for Timing {
    fn cmp(&self, other: &Timing) -> Ordering {
        self.timed.total_cmp(&other.timed).then(other.at.cmp(&self.at))
    }
}

impl PartialOrd for Timing {
    fn partial_cmp(&self, other: &Timing) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Timing {
    fn eq(&self, other: &Timing) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Timing {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const COST: Cost = Cost { timed_ns: 30.0, counted_ns: 2.0 };

    fn load(calls: f64) -> Load {
        Load { calls, sample: 1 }
    }

    #[test]
    fn nothing_is_thinned_that_need_not_be_and_the_hottest_first() {
        assert_eq!(plan(&[load(1e6), load(10.0)], COST, 1e9), [0, 0]);
        // 30 ms a second of which 10 may be: the hot one is thinned to an eighth (2 + 3.75 ms), the cold one not.
        assert_eq!(plan(&[load(10.0), load(1e6)], COST, 1e7), [0, 2]);
        // What the site's own sampling leaves is what counts.
        let sampled = Load { calls: 1e6, sample: 1000 };
        assert_eq!(plan(&[sampled, load(1e6)], COST, 1.5e7), [0, 2]);
        // Counting alone costs more: as few as may be.
        let thinned = plan(&[load(1e6)], COST, 1.0);
        assert!((TIMED_MIN..=2.0 * TIMED_MIN).contains(&load(1e6).timed(thinned[0])));
        assert!(plan(&[], COST, 0.0).is_empty());
    }

    proptest! {
        #[test]
        fn the_allowance_is_kept_unless_counting_alone_is_more(
            calls in prop::collection::vec(0.0..1e8f64, 0..50),
            allowance in 0.0..1e9f64,
        ) {
            let loads: Vec<Load> = calls.into_iter().map(load).collect();
            let thinned = plan(&loads, COST, allowance);
            let total: f64 = loads.iter().zip(&thinned).map(|(load, n)| load.cost_ns(*n, COST)).sum();
            let is_least = |(load, n): (&Load, &u32)| load.timed(*n) <= 2.0 * TIMED_MIN || *n == THINNED_MAX;
            prop_assert!(total <= allowance + 1.0 || loads.iter().zip(&thinned).all(is_least), "{total}");
            // Nobody is thinned below half of what somebody else still times.
            let most = loads.iter().zip(&thinned).map(|(load, n)| load.timed(*n)).fold(0.0, f64::max);
            for (load, n) in loads.iter().zip(&thinned).filter(|(_, n)| **n > 0) {
                prop_assert!(load.timed(*n) * 2.0 >= most.min(load.calls) * 0.999, "{load:?} {n} {most}");
            }
        }
    }
}
