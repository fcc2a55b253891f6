//! Events that their own site asked not to be told: over its rate, or the same as the one before. Each is counted, and
//! how many there were is said in their place, as an event of that site: "12 events of this site held back in the last
//! 10 s". Finds repeats by comparing the bytes of the values, which costs the caller nothing.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::clock::{self, Ticks};
use crate::ledger::Loss;
use crate::model::{Log, Value};
use crate::record::{Kind, Site};

/// The shortest time that is told together, in nanoseconds.
const SAY_NS: u64 = 10_000_000_000;
/// Values longer than this are not compared: what is kept for it is bounded by that.
const VALUES_BYTES_MAX: usize = 16 << 10;

/// What is known of the events that sites held back.
#[derive(Default)]
pub(super) struct Withheld {
    /// By the site's address and the reason.
    unsaid: BTreeMap<(usize, Loss), Unsaid>,
    /// By the site's address: the last event that was told.
    last: BTreeMap<usize, Last>,
}

struct Unsaid {
    site: &'static Site,
    count: u64,
    /// When the first of them was counted.
    since_ns: u64,
}

struct Last {
    ticks: Ticks,
    values: Vec<u8>,
}

impl Withheld {
    /// Notes that a site held events back.
    pub(super) fn note(&mut self, site: &'static Site, loss: Loss, count: u64, now_ns: u64) {
        let unsaid = self.unsaid.entry((address(site), loss));
        unsaid.or_insert(Unsaid { site, count: 0, since_ns: now_ns }).count += count;
    }

    /// Whether an event is the same as the one before it that was told, and its site asked for that not to be told.
    pub(super) fn is_repeat(&mut self, site: &'static Site, ticks: Ticks, values: &[u8]) -> bool {
        let last = self.last.entry(address(site)).or_insert(Last { ticks: 0, values: Vec::new() });
        let for_ns = u64::from(site.repeats_held_ms()) * 1_000_000;
        if last.ticks != 0 && last.values == values && clock::nanos(last.ticks, ticks) < for_ns {
            return true;
        }
        last.ticks = if values.len() > VALUES_BYTES_MAX { 0 } else { ticks };
        last.values.clear();
        last.values.extend_from_slice(&values[..values.len().min(VALUES_BYTES_MAX)]);
        false
    }

    /// What is to be said now: of each site once in its period, and not more often than every 10 s; or `all`.
    pub(super) fn say(&mut self, now_ns: u64, all: bool) -> Vec<Log<'static>> {
        let mut said = Vec::new();
        self.unsaid.retain(|(_, loss), unsaid| {
            let wait_ns = period_ns(unsaid.site, *loss).max(SAY_NS);
            let is_due = all || now_ns.saturating_sub(unsaid.since_ns) >= wait_ns;
            if is_due {
                said.push(unsaid.event(*loss, now_ns));
            }
            !is_due
        });
        said
    }
}

impl Unsaid {
    fn event(&self, loss: Loss, now_ns: u64) -> Log<'static> {
        let Unsaid { site, count, since_ns } = self;
        // Counted from when the flush thread heard of the first, which is within some milliseconds of it.
        let seconds = now_ns.saturating_sub(*since_ns).div_ceil(1_000_000_000).max(1);
        let which = if loss == Loss::Repeated { "repeated events" } else { "events" };
        let message =
            format!("{count} {which} of this site held back in the last {seconds} s: {}", site.name);
        let number = |key: &'static str, n| (Cow::Borrowed(key), Value::U64(n));
        let reason = (Cow::Borrowed("reason"), Value::Str(Cow::Borrowed(loss.name())));
        Log {
            level: if let Kind::Event(level) = site.kind { level } else { crate::model::Level::Info },
            target: Cow::Borrowed(site.source.target),
            message: Cow::Owned(message),
            file: Cow::Borrowed(site.source.file),
            line: site.source.line,
            fields: vec![number("held_back", *count), number("seconds", seconds), reason],
        }
    }
}

fn period_ns(site: &Site, loss: Loss) -> u64 {
    let period_ms = if loss == Loss::Repeated { site.repeats_held_ms() } else { site.period_ms() };
    u64::from(period_ms) * 1_000_000
}

fn address(site: &'static Site) -> usize {
    std::ptr::from_ref(site).addr()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Level;
    use crate::record::{Limiter, Source};

    const SOURCE: Source = Source { target: "shop", file: "shop.rs", line: 7 };
    static LIMITER: Limiter = Limiter::new(1, 30_000);
    static LIMITED: Site = Site::new(Kind::Event(Level::Warn), "slow {ms}", SOURCE).limiter(&LIMITER);
    static REPEATING: Site = Site::new(Kind::Event(Level::Info), "again", SOURCE).repeat_ms(1000);

    const S: u64 = 1_000_000_000;

    #[test]
    fn what_was_held_back_is_said_once_a_period() {
        let mut withheld = Withheld::default();
        withheld.note(&LIMITED, Loss::RateLimited, 5, 100 * S);
        withheld.note(&LIMITED, Loss::RateLimited, 7, 101 * S);
        withheld.note(&REPEATING, Loss::Repeated, 2, 110 * S);
        assert!(withheld.say(119 * S, false).is_empty());
        let said = withheld.say(120 * S, false);
        assert_eq!(said[0].message, "2 repeated events of this site held back in the last 10 s: again");
        let said = withheld.say(130 * S, false);
        assert_eq!((said.len(), said[0].level, said[0].line), (1, Level::Warn, 7));
        assert_eq!(said[0].message, "12 events of this site held back in the last 30 s: slow {ms}");
        assert_eq!(said[0].fields[0], ("held_back".into(), Value::U64(12)));
        assert!(withheld.say(1000 * S, true).is_empty());
        withheld.note(&LIMITED, Loss::RateLimited, 1, 130 * S);
        assert_eq!(withheld.say(130 * S, true).len(), 1);
    }

    #[test]
    fn only_the_same_again_within_its_time_is_a_repeat() {
        let mut withheld = Withheld::default();
        let start = clock::ticks();
        // Ticks of unknown length: as many as are more than a second.
        let later = (1..64).map(|bits| start + (1 << bits)).find(|ticks| clock::nanos(start, *ticks) > S);
        let later = later.expect("a second has a number of ticks");
        let mut repeats = |ticks, values: &[u8]| withheld.is_repeat(&REPEATING, ticks, values);
        assert!(!repeats(start, &[1]));
        assert!(repeats(start + 1, &[1]));
        assert!(!repeats(start + 2, &[2]));
        assert!(!repeats(start + 3, &[1]));
        assert!(!repeats(later + 3, &[1]));
        assert!(repeats(later + 4, &[1]));
        let long = vec![0; VALUES_BYTES_MAX + 1];
        assert!(!repeats(later + 5, &long));
        assert!(!repeats(later + 6, &long));
    }
}
