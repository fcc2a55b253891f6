//! Numbers that follow from a seed alone (splitmix64), so that a plan and a workload can be made again elsewhere: the
//! oracle knows what a process that is dead was about to record. Never asks the system for anything.

/// A sequence of numbers.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    /// The sequence of these words; other words, another sequence.
    #[must_use]
    pub fn of(words: &[u64]) -> Rng {
        let mut rng = Rng(0x9E37_79B9_7F4A_7C15);
        for word in words {
            rng.0 ^= *word;
            rng.0 = rng.word();
        }
        rng
    }

    /// Any number.
    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number in `0..end`; 0 where `end` is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        if end == 0 { 0 } else { self.word() % end }
    }

    /// A number in `low..=high`.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// True in so many of a hundred cases.
    pub fn percent(&mut self, share: u64) -> bool {
        self.below(100) < share
    }

    /// One of these.
    ///
    /// # Panics
    ///
    /// If there are none.
    pub fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        let at = self.below(all.len() as u64);
        &all[usize::try_from(at).unwrap_or(0)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_sequence_and_another_seed_another() {
        let words = |seed: &[u64]| {
            let mut rng = Rng::of(seed);
            [rng.word(), rng.word(), rng.word()]
        };
        assert_eq!(words(&[1, 2]), words(&[1, 2]));
        assert_ne!(words(&[1, 2]), words(&[2, 1]));
        assert_ne!(words(&[1]), words(&[1, 0]));
    }

    #[test]
    fn numbers_lie_within_their_bounds() {
        let mut rng = Rng::of(&[7]);
        for _ in 0..1_000 {
            assert!((3..=5).contains(&rng.between(3, 5)));
            assert!(rng.below(2) < 2);
        }
        assert_eq!((rng.below(0), rng.between(4, 4)), (0, 4));
        assert!((0..1_000).filter(|_| rng.percent(30)).count() > 200);
    }
}
