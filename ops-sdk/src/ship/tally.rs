//! Which records of a run are settled, and how. A record may be several items, and an item several parts; it is
//! delivered when all of it is, and it is dead-lettered or dropped as soon as any of it is. The cursor moves over
//! records that are settled, in order, and not beyond those that were encoded.

use crate::hub::Fate;

/// The records of one run, by their place in it.
#[derive(Debug)]
pub(super) struct Tally {
    left: Vec<u32>,
    fates: Vec<Fate>,
    /// Records from here on are still to be encoded.
    encoded: usize,
    settled: usize,
}

impl Tally {
    /// A run of this many records of which nothing is to be sent yet.
    pub(super) fn new(records: usize) -> Tally {
        Tally { left: vec![0; records], fates: vec![Fate::Delivered; records], encoded: 0, settled: 0 }
    }

    /// Every record before this place is encoded: it has all the items that it will have.
    pub(super) fn encoded(&mut self, places: usize) {
        self.encoded = places;
    }

    /// One more item, or part, of this record is to be sent.
    pub(super) fn expect(&mut self, place: u32) {
        if let Some(left) = self.left.get_mut(place as usize) {
            *left += 1;
        }
    }

    /// One item of this record has come to its end.
    pub(super) fn done(&mut self, place: u32, fate: Fate) {
        if let Some(left) = self.left.get_mut(place as usize) {
            *left = left.saturating_sub(1);
            self.mark(place, fate);
        }
    }

    /// This record ends so, whatever becomes of its items. A dead letter is never made a delivery again.
    pub(super) fn mark(&mut self, place: u32, fate: Fate) {
        if let Some(known) = self.fates.get_mut(place as usize)
            && *known == Fate::Delivered
        {
            *known = fate;
        }
    }

    /// The records, in order, that are settled and were not before: from which place, and their fates.
    pub(super) fn advance(&mut self) -> (usize, &[Fate]) {
        let start = self.settled;
        let ready = self.left[start..self.encoded].iter().take_while(|left| **left == 0).count();
        self.settled += ready;
        (start, &self.fates[start..self.settled])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Loss;

    #[test]
    fn the_cursor_waits_for_the_first_record_that_is_not_settled() {
        let mut tally = Tally::new(3);
        tally.encoded(3);
        (0..3).for_each(|place| tally.expect(place));
        tally.done(1, Fate::Delivered);
        assert_eq!(tally.advance(), (0, &[][..]));
        tally.done(0, Fate::Delivered);
        assert_eq!(tally.advance(), (0, &[Fate::Delivered; 2][..]));
        tally.done(2, Fate::DeadLettered);
        assert_eq!(tally.advance(), (2, &[Fate::DeadLettered][..]));
    }

    #[test]
    fn a_record_is_delivered_when_all_of_it_is() {
        let mut tally = Tally::new(1);
        tally.encoded(1);
        (0..3).for_each(|_| tally.expect(0));
        tally.done(0, Fate::Delivered);
        tally.done(0, Fate::Dropped(Loss::TooOld));
        assert!(tally.advance().1.is_empty());
        tally.done(0, Fate::Delivered);
        assert_eq!(tally.advance().1, [Fate::Dropped(Loss::TooOld)]);
    }

    #[test]
    fn the_cursor_waits_for_what_is_not_encoded() {
        let mut tally = Tally::new(3);
        tally.encoded(2);
        assert_eq!(tally.advance(), (0, &[Fate::Delivered; 2][..]));
        assert!(tally.advance().1.is_empty());
        tally.encoded(3);
        tally.expect(2);
        assert!(tally.advance().1.is_empty());
        tally.done(2, Fate::DeadLettered);
        assert_eq!(tally.advance(), (2, &[Fate::DeadLettered][..]));
    }

    #[test]
    fn a_record_without_items_is_settled_at_once() {
        let mut tally = Tally::new(2);
        tally.encoded(2);
        assert_eq!(tally.advance(), (0, &[Fate::Delivered; 2][..]));
    }
}
