//! How far one backend has come, and what it lost on the way. Pure arithmetic on positions.
//!
//! `acked` is settled and `next` is read next; between them lie frames that the backend holds and has not settled
//! yet, and holes: stretches that were lost and counted. Nothing is counted twice, not even after a rewind.

use super::position::{Position, Tally};
use crate::ledger::Loss;
use crate::model::Signal;

/// The ways in which the journal itself loses frames.
pub(super) const LOSSES: [Loss; 3] = [Loss::JournalFull, Loss::Expired, Loss::Damaged];

/// One backend's place.
#[derive(Debug)]
pub(super) struct Cursor {
    accepts: Tally<bool>,
    acked: Position,
    next: Position,
    /// Stretches behind `acked` that were lost, in order, none touching another.
    holes: Vec<(Position, Position)>,
    /// How many records are in them.
    lost: Tally<u64>,
    /// What was lost and not yet told, by the order of [`LOSSES`].
    untold: [Tally<u64>; LOSSES.len()],
}

impl Cursor {
    /// A cursor that starts here.
    pub(super) fn new(accepts: Tally<bool>, at: Position) -> Cursor {
        let untold = Default::default();
        Cursor { accepts, acked: at, next: at, holes: Vec::new(), lost: [0; Signal::COUNT], untold }
    }

    /// What is to be read next.
    pub(super) fn next(&self) -> Position {
        self.next
    }

    /// Everything before is settled.
    pub(super) fn acked(&self) -> Position {
        self.acked
    }

    /// Whether frames of this kind are its business.
    pub(super) fn accepts(&self, signal: Signal) -> bool {
        self.accepts[signal as usize]
    }

    /// Its frames of each kind between two positions.
    pub(super) fn count(&self, from: &Position, to: &Position) -> Tally<u64> {
        let all = to.since(from);
        std::array::from_fn(|i| if self.accepts[i] { all[i] } else { 0 })
    }

    /// Its frames of each kind between `acked` and `end` that are not lost.
    pub(super) fn pending(&self, end: &Position) -> Tally<u64> {
        let mut pending = self.count(&self.acked, end);
        if self.holes.last().is_none_or(|(_, to)| !end.is_before(to)) {
            return std::array::from_fn(|i| pending[i].saturating_sub(self.lost[i]));
        }
        for (from, to) in self.holes.iter().filter(|(from, _)| from.is_before(end)) {
            let to = if to.is_before(end) { to } else { end };
            for (left, lost) in pending.iter_mut().zip(self.count(from, to)) {
                *left = left.saturating_sub(lost);
            }
        }
        pending
    }

    /// Moves on: what lies before `to` was handed out, or is not its business.
    pub(super) fn advance(&mut self, to: Position) {
        self.next = to;
        self.jump_holes();
        self.close_up();
    }

    /// Moves on: what lies before `to` is gone.
    pub(super) fn lose(&mut self, to: Position, loss: Loss) {
        self.lose_ahead(self.next, to, loss);
        self.advance(self.next.max(to));
    }

    /// What lies between two positions is gone, except what was read of it.
    pub(super) fn lose_ahead(&mut self, from: Position, to: Position, loss: Loss) {
        self.lose_all_ahead(&[(from, to)], loss);
    }

    /// The same, for many stretches.
    pub(super) fn lose_all_ahead(&mut self, stretches: &[(Position, Position)], loss: Loss) {
        let outside = stretches.iter().flat_map(|(from, to)| self.outside_holes(from.max(self.next), *to));
        let mut holes: Vec<_> = outside.collect();
        holes.iter().for_each(|(from, to)| self.book(from, to, loss));
        self.holes.append(&mut holes);
        self.merge_holes();
        self.advance(self.next);
    }

    /// Everything before `upto` is settled. Positions that it has not read are none of its own.
    pub(super) fn ack(&mut self, upto: Position) {
        if self.acked.is_before(&upto) && !self.next.is_before(&upto) {
            self.acked = upto;
            self.forget_holes();
            self.close_up();
        }
    }

    /// Hands out once more what is not settled.
    pub(super) fn rewind(&mut self) {
        self.next = self.acked;
        self.jump_holes();
    }

    /// What was lost since last asked.
    pub(super) fn take_untold(&mut self) -> impl Iterator<Item = (Signal, Loss, u64)> + use<> {
        let untold = std::mem::take(&mut self.untold);
        let rows = LOSSES.into_iter().zip(untold);
        rows.flat_map(|(loss, row)| {
            Signal::ALL.into_iter().zip(row).map(move |(signal, n)| (signal, loss, n))
        })
        .filter(|(_, _, n)| *n > 0)
    }

    fn book(&mut self, from: &Position, to: &Position, loss: Loss) {
        let row = LOSSES.iter().position(|one| *one == loss).unwrap_or(0);
        let lost = self.count(from, to);
        for (sum, n) in self.untold[row].iter_mut().zip(lost) {
            *sum += n;
        }
    }

    /// The stretches between two positions that are not in a hole.
    fn outside_holes(&self, mut from: Position, to: Position) -> Vec<(Position, Position)> {
        let mut stretches = Vec::new();
        let first = self.holes.partition_point(|(_, end)| !from.is_before(end));
        for (hole, end) in self.holes[first..].iter().take_while(|(hole, _)| hole.is_before(&to)) {
            if from.is_before(hole) {
                stretches.push((from, *hole));
            }
            from = from.max(*end);
        }
        if from.is_before(&to) {
            stretches.push((from, to));
        }
        stretches
    }

    fn merge_holes(&mut self) {
        self.holes.sort_by_key(|(from, _)| from.ordinal());
        self.holes.dedup_by(|later, earlier| {
            let touching = later.0.ordinal() == earlier.1.ordinal();
            if touching {
                earlier.1 = later.1;
            }
            touching
        });
        self.count_holes();
    }

    fn count_holes(&mut self) {
        let mut lost = [0; Signal::COUNT];
        for (from, to) in &self.holes {
            lost.iter_mut().zip(self.count(from, to)).for_each(|(sum, n)| *sum += n);
        }
        self.lost = lost;
    }

    fn forget_holes(&mut self) {
        let passed = self.holes.partition_point(|(_, to)| !self.acked.is_before(to));
        if passed > 0 {
            self.holes.drain(..passed);
            self.count_holes();
        }
    }

    fn jump_holes(&mut self) {
        let next = self.next.ordinal();
        let first = self.holes.partition_point(|(_, to)| to.ordinal() <= next);
        let here = self.holes.get(first).filter(|(from, _)| from.ordinal() <= next);
        self.next = here.map_or(self.next, |(_, to)| *to);
    }

    /// If the backend holds nothing, everything that was passed is settled.
    fn close_up(&mut self) {
        if self.pending(&self.next).iter().all(|n| *n == 0) && self.acked.is_before(&self.next) {
            self.acked = self.next;
            self.forget_holes();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGS: Tally<bool> = [false, true, false, false, false];

    fn at(logs: u64, metrics: u32) -> Position {
        Position::default().guess(logs + 1, Signal::Log).plus(&[metrics, 0, 0, 0, 0])
    }

    fn untold(cursor: &mut Cursor) -> Vec<(Signal, Loss, u64)> {
        cursor.take_untold().collect()
    }

    fn logs(cursor: &Cursor, end: Position) -> u64 {
        cursor.pending(&end)[Signal::Log as usize]
    }

    #[test]
    fn what_is_not_its_business_is_settled_by_passing_it() {
        let mut cursor = Cursor::new(LOGS, at(0, 0));
        cursor.advance(at(0, 5));
        assert_eq!(cursor.acked(), at(0, 5));
        cursor.advance(at(1, 5));
        assert_eq!((cursor.acked(), logs(&cursor, at(3, 9))), (at(0, 5), 3));
        cursor.ack(at(1, 5));
        assert_eq!((cursor.acked(), logs(&cursor, at(3, 9))), (at(1, 5), 2));
    }

    #[test]
    fn a_loss_ahead_of_what_is_held_is_counted_once_whatever_happens_then() {
        let mut cursor = Cursor::new(LOGS, at(0, 0));
        cursor.advance(at(2, 0)); // held
        cursor.lose(at(5, 3), Loss::Damaged);
        cursor.advance(at(6, 3)); // held
        assert_eq!(untold(&mut cursor), [(Signal::Log, Loss::Damaged, 3)]);
        assert_eq!(logs(&cursor, at(10, 3)), 7);
        cursor.rewind();
        cursor.lose(at(8, 3), Loss::JournalFull); // around the hole
        assert_eq!(untold(&mut cursor), [(Signal::Log, Loss::JournalFull, 5)]);
        assert_eq!((cursor.acked(), logs(&cursor, at(10, 3))), (at(8, 3), 2));
    }

    #[test]
    fn rewinding_goes_over_a_hole_and_settling_behind_it_forgets_it() {
        let mut cursor = Cursor::new(LOGS, at(0, 0));
        cursor.advance(at(1, 0));
        cursor.lose(at(2, 0), Loss::Expired);
        cursor.advance(at(3, 0));
        cursor.rewind();
        cursor.advance(at(1, 0));
        assert_eq!(cursor.next(), at(2, 0));
        cursor.advance(at(3, 0));
        cursor.ack(at(1, 0));
        assert_eq!(logs(&cursor, at(3, 0)), 1);
        cursor.ack(at(3, 0));
        assert_eq!((logs(&cursor, at(3, 0)), untold(&mut cursor).len()), (0, 1));
    }

    #[test]
    fn a_loss_further_on_is_counted_at_once_and_passed_later() {
        let mut cursor = Cursor::new(LOGS, at(0, 0));
        cursor.lose_ahead(at(2, 0), at(5, 1), Loss::JournalFull);
        assert_eq!(untold(&mut cursor), [(Signal::Log, Loss::JournalFull, 3)]);
        assert_eq!((cursor.next(), logs(&cursor, at(6, 1))), (at(0, 0), 3));
        cursor.advance(at(2, 0));
        assert_eq!((cursor.next(), cursor.acked()), (at(5, 1), at(0, 0)));
        cursor.ack(at(2, 0));
        assert_eq!((cursor.acked(), logs(&cursor, at(6, 1))), (at(5, 1), 1));
        assert!(untold(&mut cursor).is_empty());
    }

    #[test]
    fn a_hole_that_goes_on_past_the_end_takes_nothing_from_before_it() {
        let mut cursor = Cursor::new(LOGS, at(0, 0));
        cursor.lose_ahead(at(4, 0), at(20, 0), Loss::JournalFull);
        assert_eq!(logs(&cursor, at(6, 0)), 4);
    }

    #[test]
    fn nothing_is_settled_backwards_or_unread() {
        let mut cursor = Cursor::new(LOGS, at(4, 0));
        cursor.advance(at(6, 0));
        for wrong in [at(3, 0), at(9, 0)] {
            cursor.ack(wrong);
            assert_eq!(cursor.acked(), at(4, 0));
        }
    }
}
