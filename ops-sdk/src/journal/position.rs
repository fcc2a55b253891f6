//! Where something is in the journal: how many records of each kind stand before it, since the journal began.
//!
//! The sum is the record's ordinal. Keeping it by kind makes every question of the books a subtraction: what is
//! pending, what went with an evicted segment, and of which kind the records were that can no longer be read.

use crate::model::Signal;

/// A place between two records. Never goes back, not even across restarts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Position {
    before: Tally<u64>,
}

/// A number for each kind of record.
pub(super) type Tally<N> = [N; Signal::COUNT];

/// Bytes of a position in a file.
pub(super) const POSITION_BYTES: usize = 8 * Signal::COUNT;

impl Position {
    /// The ordinal of the record that follows: 1 for the first of the journal.
    #[must_use]
    pub fn ordinal(&self) -> u64 {
        self.before.iter().fold(1, |sum, n| sum.saturating_add(*n))
    }

    /// Past as many records of this kind.
    pub(super) fn after(mut self, signal: Signal, records: u64) -> Position {
        self.before[signal as usize] = self.before[signal as usize].saturating_add(records);
        self
    }

    /// This many records earlier.
    pub(super) fn less(mut self, frames: &Tally<u32>) -> Position {
        for (sum, n) in self.before.iter_mut().zip(frames) {
            *sum = sum.saturating_sub(u64::from(*n));
        }
        self
    }

    /// This many records further.
    pub(super) fn plus(mut self, frames: &Tally<u32>) -> Position {
        for (sum, n) in self.before.iter_mut().zip(frames) {
            *sum = sum.saturating_add(u64::from(*n));
        }
        self
    }

    /// The position of this ordinal, the records of unknown kind before it taken for those of the commonest.
    pub(super) fn guess(mut self, ordinal: u64, commonest: Signal) -> Position {
        self.before[commonest as usize] += ordinal.saturating_sub(self.ordinal());
        self
    }

    /// What of it is a place in the lane of audit records, or in the other one. No kind is in both.
    pub(super) fn in_lane(mut self, audit: bool) -> Position {
        for signal in Signal::ALL.into_iter().filter(|signal| (*signal == Signal::Audit) != audit) {
            self.before[signal as usize] = 0;
        }
        self
    }

    /// Places in both lanes as one.
    pub(super) fn beside(mut self, other: &Position) -> Position {
        self.before.iter_mut().zip(other.before).for_each(|(sum, n)| *sum = sum.saturating_add(n));
        self
    }

    /// So many records further on the way to a later position. Of which kinds those are is not known where they cannot be
    /// read: logs first, the commonest kind.
    pub(super) fn toward(mut self, end: &Position, mut records: u64) -> Position {
        let mut left = end.since(&self);
        for signal in [Signal::Log, Signal::Metric, Signal::Audit, Signal::Config, Signal::Check] {
            let step = left[signal as usize].min(records);
            left[signal as usize] -= step;
            records -= step;
            self = self.after(signal, step);
        }
        self
    }

    /// How many records of each kind lie between an earlier position and this one.
    pub(super) fn since(&self, earlier: &Position) -> Tally<u64> {
        std::array::from_fn(|i| self.before[i].saturating_sub(earlier.before[i]))
    }

    /// Whether this one comes first.
    pub(super) fn is_before(&self, other: &Position) -> bool {
        self.ordinal() < other.ordinal()
    }

    /// Whether no kind counts more records here than there. Positions of one journal are always so, one way round.
    pub(super) fn is_within(&self, other: &Position) -> bool {
        self.before.iter().zip(&other.before).all(|(here, there)| here <= there)
    }

    /// The one that comes later.
    pub(super) fn max(self, other: Position) -> Position {
        if self.is_before(&other) { other } else { self }
    }

    /// As files keep it: little-endian.
    pub(super) fn to_bytes(self) -> [u8; POSITION_BYTES] {
        let mut bytes = [0; POSITION_BYTES];
        for (place, n) in bytes.chunks_exact_mut(8).zip(self.before) {
            place.copy_from_slice(&n.to_le_bytes());
        }
        bytes
    }

    /// Reads what [`Position::to_bytes`] wrote.
    pub(super) fn from_bytes(bytes: &[u8; POSITION_BYTES]) -> Position {
        let (words, _) = bytes.as_chunks::<8>();
        Position { before: std::array::from_fn(|i| u64::from_le_bytes(words[i])) }
    }
}
