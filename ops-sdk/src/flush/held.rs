//! What units of work hold back. Events wait here, in the order they came, until the frame comes that says how their
//! unit ended: a failed one ships them, any other lets go of them, and a part of another unit hands them on to it. At
//! the bound of bytes the oldest go first. What is let go of is counted, by the reason.
//!
//! An event may come behind the end of its unit, by one look into the rings where it was recorded on another thread, or
//! much later where a task outlives the call that began it; so the ends of the last units are remembered.

use std::collections::{BTreeMap, HashMap, VecDeque};

use crate::clock::Ticks;
use crate::record::{Ended, Shelf, Site};

/// Ends that are remembered.
const ENDS_MAX: usize = 1 << 14;
/// What an event takes beside its values, in bytes.
const EVENT_BYTES: usize = 128;

/// An event that is held back.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) site: &'static Site,
    pub(super) ticks: Ticks,
    pub(super) values: Box<[u8]>,
    /// Where it is on the shelf, while it is held back.
    place: u32,
}

impl Event {
    pub(super) fn new(site: &'static Site, ticks: Ticks, values: &[u8]) -> Event {
        Event { site, ticks, values: values.into(), place: 0 }
    }
}

/// How a unit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Failed,
    Well,
    /// Well, and another unit decides.
    PartOf(u64),
}

/// Events that are held back, and how units ended lately.
#[derive(Debug)]
pub(super) struct Held {
    shelf: Shelf,
    bytes_max: usize,
    bytes: usize,
    /// By the order they came in, with their unit.
    events: BTreeMap<u64, (u64, Event)>,
    next: u64,
    /// The events of each unit, of which some may be gone already.
    units: HashMap<u64, VecDeque<u64>>,
    ends: HashMap<u64, End>,
    ends_in_order: VecDeque<u64>,
    /// Since they were taken last: events whose unit did not fail, and events that there was no room for.
    let_go: u64,
    no_room: u64,
}

impl Held {
    pub(super) fn new(bytes_max: usize, shelf: Shelf) -> Held {
        Held {
            shelf,
            bytes_max,
            bytes: 0,
            events: BTreeMap::new(),
            next: 0,
            units: HashMap::new(),
            ends: HashMap::new(),
            ends_in_order: VecDeque::new(),
            let_go: 0,
            no_room: 0,
        }
    }

    /// Holds an event back. Hands it out again if its unit has failed already.
    pub(super) fn hold(&mut self, unit: u64, event: Event) -> Option<Event> {
        match self.fate(unit) {
            Ok(unit) => self.keep(unit, event),
            Err(true) => return Some(event),
            Err(false) => self.let_go += 1,
        }
        None
    }

    /// Ends a unit; hands what is to be shipped to `ship`.
    pub(super) fn end(&mut self, ended: Ended, ship: impl FnMut(Event)) {
        let end = match ended.outer {
            _ if ended.failed => End::Failed,
            0 => End::Well,
            outer => End::PartOf(outer),
        };
        self.remember(ended.unit, end);
        let Some(events) = self.units.remove(&ended.unit) else { return };
        match self.fate(ended.unit) {
            Ok(outer) => self.hand_on(outer, events),
            Err(failed) => self.settle(&events, failed, ship),
        }
    }

    /// Hands out everything, oldest first: nobody will say any more how its unit ended.
    pub(super) fn release(&mut self, mut ship: impl FnMut(Event)) {
        (self.bytes, self.units) = (0, HashMap::new());
        for (_, event) in std::mem::take(&mut self.events).into_values() {
            self.shelf.gone(event.place);
            ship(event);
        }
    }

    /// Moves events together on the shelf where that is needed. Not while a taking goes on.
    pub(super) fn tidy(&mut self) {
        if self.shelf.is_crowded() {
            self.shelf.tidy(self.events.values_mut().map(|(_, event)| &mut event.place));
        }
    }

    /// How many events are held back.
    pub(super) fn len(&self) -> u64 {
        self.events.len() as u64
    }

    /// How many were let go of, and how many found no room, since this was asked last.
    pub(super) fn take_gone(&mut self) -> (u64, u64) {
        (std::mem::take(&mut self.let_go), std::mem::take(&mut self.no_room))
    }

    /// The unit that decides over the events of this one, or whether it failed.
    fn fate(&self, mut unit: u64) -> Result<u64, bool> {
        // Units are parts of earlier ones, so this ends; the bound is for bytes that say otherwise.
        for _ in 0..ENDS_MAX {
            match self.ends.get(&unit) {
                None => return Ok(unit),
                Some(End::Failed) => return Err(true),
                Some(End::Well) => return Err(false),
                Some(End::PartOf(outer)) => unit = *outer,
            }
        }
        Err(true)
    }

    fn remember(&mut self, unit: u64, end: End) {
        if self.ends.insert(unit, end).is_none() {
            self.ends_in_order.push_back(unit);
        }
        if self.ends_in_order.len() > ENDS_MAX
            && let Some(oldest) = self.ends_in_order.pop_front()
        {
            self.ends.remove(&oldest);
        }
    }

    fn keep(&mut self, unit: u64, mut event: Event) {
        self.bytes += size(&event);
        event.place = self.shelf.add(unit, event.site, event.ticks, &event.values, self.bytes_max);
        self.events.insert(self.next, (unit, event));
        self.units.entry(unit).or_default().push_back(self.next);
        self.next += 1;
        while self.bytes > self.bytes_max
            && let Some((order, (unit, oldest))) = self.events.pop_first()
        {
            self.bytes -= size(&oldest);
            self.shelf.gone(oldest.place);
            self.no_room += 1;
            self.forget(unit, order);
        }
    }

    /// Takes the oldest event out of its unit's list, which is bounded by that.
    fn forget(&mut self, unit: u64, order: u64) {
        let Some(list) = self.units.get_mut(&unit) else { return };
        // The first, but for what another unit has handed on.
        list.iter().position(|other| *other == order).and_then(|at| list.remove(at));
        if list.is_empty() {
            self.units.remove(&unit);
        }
    }

    fn hand_on(&mut self, outer: u64, events: VecDeque<u64>) {
        for order in &events {
            if let Some((unit, _)) = self.events.get_mut(order) {
                *unit = outer;
            }
        }
        self.units.entry(outer).or_default().extend(events);
    }

    fn settle(&mut self, events: &VecDeque<u64>, failed: bool, mut ship: impl FnMut(Event)) {
        for (_, event) in events.iter().filter_map(|order| self.events.remove(order)) {
            self.bytes -= size(&event);
            self.shelf.gone(event.place);
            if failed { ship(event) } else { self.let_go += 1 }
        }
    }
}

fn size(event: &Event) -> usize {
    EVENT_BYTES + event.values.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Level;
    use crate::record::{Kind, Source};

    static SITE: Site =
        Site::new(Kind::Event(Level::Debug), "held", Source { target: "held", file: "held.rs", line: 1 });

    fn event(n: u8) -> Event {
        Event::new(&SITE, 0, &[n; 4])
    }

    fn hold(held: &mut Held, unit: u64, numbers: &[u8]) {
        for n in numbers {
            assert!(held.hold(unit, event(*n)).is_none());
        }
    }

    /// What the end of a unit ships.
    fn end(held: &mut Held, unit: u64, outer: u64, failed: bool) -> Vec<u8> {
        let mut shipped = Vec::new();
        held.end(Ended { unit, outer, failed }, |event| shipped.push(event.values[0]));
        shipped
    }

    #[test]
    fn a_failed_unit_ships_its_own_in_order_and_any_other_lets_go() {
        let mut held = Held::new(1 << 20, Shelf::NONE);
        hold(&mut held, 1, &[10, 11]);
        hold(&mut held, 2, &[20]);
        hold(&mut held, 1, &[12]);
        assert_eq!((held.len(), end(&mut held, 1, 0, true)), (4, vec![10, 11, 12]));
        assert!(end(&mut held, 2, 0, false).is_empty());
        assert!(end(&mut held, 3, 0, true).is_empty());
        assert_eq!((held.len(), held.bytes, held.take_gone()), (0, 0, (1, 0)));
    }

    #[test]
    fn what_comes_late_is_decided_as_its_unit_was() {
        let mut held = Held::new(1 << 20, Shelf::NONE);
        end(&mut held, 1, 0, true);
        end(&mut held, 2, 0, false);
        assert!(held.hold(1, event(1)).is_some());
        assert!(held.hold(2, event(2)).is_none());
        assert_eq!((held.len(), held.take_gone()), (0, (1, 0)));
    }

    #[test]
    fn a_part_that_ends_well_hands_on_to_the_whole() {
        let mut held = Held::new(1 << 20, Shelf::NONE);
        hold(&mut held, 1, &[1]);
        hold(&mut held, 2, &[2]);
        hold(&mut held, 3, &[3]);
        assert_eq!(end(&mut held, 3, 1, true), [3]);
        assert!(end(&mut held, 2, 1, false).is_empty());
        hold(&mut held, 2, &[4]);
        assert_eq!(held.len(), 3);
        assert_eq!(end(&mut held, 1, 0, true), [1, 2, 4]);
        assert!(held.hold(2, event(5)).is_some());
        assert_eq!(held.take_gone(), (0, 0));
    }

    #[test]
    fn at_the_bound_the_oldest_go() {
        let mut held = Held::new(3 * (EVENT_BYTES + 4), Shelf::NONE);
        hold(&mut held, 1, &[1, 2]);
        hold(&mut held, 2, &[3, 4, 5]);
        assert_eq!((held.len(), held.take_gone()), (3, (0, 2)));
        assert!(!held.units.contains_key(&1));
        assert_eq!(end(&mut held, 2, 0, true), [3, 4, 5]);
        hold(&mut held, 4, &[6]);
        let mut left = Vec::new();
        held.release(|event| left.push(event.values[0]));
        assert_eq!((left, held.len(), held.bytes), (vec![6], 0, 0));
    }

    #[test]
    fn memory_of_ends_is_bounded() {
        let mut held = Held::new(0, Shelf::NONE);
        (1..=3 * ENDS_MAX as u64).for_each(|unit| held.remember(unit, End::Well));
        assert_eq!((held.ends.len(), held.ends_in_order.len()), (ENDS_MAX, ENDS_MAX));
        hold(&mut held, 1, &[1]);
        assert_eq!((held.len(), held.take_gone()), (0, (0, 1)));
    }
}
