//! What stands between the rings and the journal: events that a unit of work holds back, that are over the rate of
//! their site, or that say the same again. Most events have nothing of that, and pass after two looks.

use super::held::{Event, Held};
use super::withheld::Withheld;
use crate::clock::Ticks;
use crate::ledger::Loss;
use crate::model::Log;
use crate::record::{self, Shelf, Site};

/// The sieve.
pub(super) struct Sieve {
    held: Held,
    withheld: Withheld,
    repeated: u64,
    /// Events that were held back and are to be shipped.
    released: Vec<Event>,
    now_ns: u64,
    told: u64,
}

impl Sieve {
    /// A sieve that holds back events of so many bytes at most.
    pub(super) fn new(held_bytes_max: usize, shelf: Shelf) -> Sieve {
        let (held, withheld) = (Held::new(held_bytes_max, shelf), Withheld::default());
        Sieve { held, withheld, repeated: 0, released: Vec::new(), now_ns: 0, told: 0 }
    }

    /// Begins a look into the rings, at this time by the clock that never goes back.
    pub(super) fn begin(&mut self, now_ns: u64) {
        self.now_ns = now_ns;
        self.held.tidy();
    }

    /// The values of an event that passes, without what only the sieve needs.
    #[inline]
    pub(super) fn pass<'v>(
        &mut self,
        site: &'static Site,
        ticks: Ticks,
        values: &'v [u8],
    ) -> Option<&'v [u8]> {
        if site.repeats_held_ms() > 0 && self.is_repeat(site, ticks, values) {
            return None;
        }
        if let Some((unit, values)) = record::unit_of(values) {
            self.hold(unit, Event::new(site, ticks, values));
            return None;
        }
        match record::ended(site, values) {
            Some(ended) => {
                self.held.end(ended, |event| self.released.push(event));
                None
            }
            None => Some(values),
        }
    }

    #[cold]
    fn is_repeat(&mut self, site: &'static Site, ticks: Ticks, values: &[u8]) -> bool {
        // Another request that says the same is a repeat, too.
        let mut own = record::unit_of(values).map_or(values, |(_, values)| values);
        record::correlated(&mut own);
        let is_repeat = self.withheld.is_repeat(site, ticks, own);
        if is_repeat {
            self.withheld.note(site, Loss::Repeated, 1, self.now_ns);
            self.repeated += 1;
        }
        is_repeat
    }

    #[cold]
    fn hold(&mut self, unit: u64, event: Event) {
        self.released.extend(self.held.hold(unit, event));
    }

    /// Whether there is something that is no longer held back.
    #[inline]
    pub(super) fn has_released(&self) -> bool {
        !self.released.is_empty()
    }

    /// Hands out what is no longer held back; everything, if nothing comes any more.
    pub(super) fn released(&mut self, last: bool) -> Vec<Event> {
        if last {
            self.held.release(|event| self.released.push(event));
        }
        std::mem::take(&mut self.released)
    }

    /// How many events are held back, if that is another number than when this was asked last.
    pub(super) fn held(&mut self) -> Option<u64> {
        let before = std::mem::replace(&mut self.told, self.held.len());
        (before != self.told).then_some(self.told)
    }

    /// How many did not pass for good since this was asked last, by the reason; `all`, though it takes a look at every
    /// site.
    pub(super) fn take_gone(&mut self, all: bool) -> [(Loss, u64); 4] {
        let mut limited = 0;
        record::take_held_back(all, |site, count| {
            limited += count;
            self.withheld.note(site, Loss::RateLimited, count, self.now_ns);
        });
        let (let_go, no_room) = self.held.take_gone();
        let repeated = std::mem::take(&mut self.repeated);
        [
            (Loss::RateLimited, limited),
            (Loss::Repeated, repeated),
            (Loss::LetGo, let_go),
            (Loss::HoldFull, no_room),
        ]
    }

    /// What is to be said of the events that sites held back: what is due, or `all` if nothing comes any more.
    pub(super) fn say(&mut self, all: bool) -> Vec<Log<'static>> {
        self.withheld.say(self.now_ns, all)
    }
}
