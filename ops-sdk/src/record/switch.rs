//! The switch that every macro looks at first: one relaxed load of one word that says off, metrics only, or events up
//! to a level. Off until recording starts, so that a library may use the macros for next to nothing.
//!
//! Levels may differ by target and change at run time. The word then says the most that any site records and the least
//! that every site does; between the two a site's own level decides, which it keeps beside the word that it was found
//! under. Rules are kept for the life of the process, each once, so that nobody ever waits to read them.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

use super::hot::HOT;
use super::rules::{self, Rules};
use super::{Site, context};
use crate::model::Level;

/// Different rules that one process may be given.
const RULES_MAX: usize = 1024;

// The word ([`HOT`]), from its lowest byte: 1 + the number of the level that no site goes beyond, 1 + that which every
// site records, and in two bytes the number of the rules; the highest bit says that units of work hold events back. 0 is
// off.
const HOLDS: u32 = 1 << 31;
/// The number of the level up to which units of work have held events back so far.
static HOLD: AtomicU8 = AtomicU8::new(0);

static RULES: [OnceLock<Rules>; RULES_MAX] = [const { OnceLock::new() }; RULES_MAX];

/// Whether anything is recorded at all.
#[inline(always)]
pub fn on() -> bool {
    HOT.switch.load(Ordering::Relaxed) != 0
}

/// Whether events of this level are recorded at this site.
#[inline(always)]
pub fn enabled(site: &'static Site, level: Level) -> bool {
    let switch = HOT.switch.load(Ordering::Relaxed);
    (switch & 0xff) > level as u32 && (((switch >> 8) & 0xff) > level as u32 || asked(site, level, switch))
}

/// The answer of the site itself, or of the unit of work that holds events back.
#[inline(never)]
fn asked(site: &'static Site, level: Level, switch: u32) -> bool {
    own_level(site, switch) >= level as u8 || (switch & HOLDS != 0 && context::holds(level))
}

/// Whether events of this level are recorded at this site without anybody's holding them back.
#[inline]
pub(super) fn is_shown(site: &Site, level: Level) -> bool {
    let switch = HOT.switch.load(Ordering::Relaxed);
    ((switch >> 8) & 0xff) > level as u32 || own_level(site, switch) >= level as u8
}

/// The number of the site's level under the rules of this switch. What a site decided stands in the place of the lowest
/// byte, with the rest of the switch that it was decided under.
#[inline]
fn own_level(site: &Site, switch: u32) -> u8 {
    let decided = site.decided.load(Ordering::Relaxed);
    if decided ^ switch > 0xff {
        return decide(site, switch);
    }
    decided.to_le_bytes()[0]
}

#[cold]
#[inline(never)]
fn decide(site: &Site, switch: u32) -> u8 {
    let rules = RULES.get(number_in(switch) as usize).and_then(OnceLock::get);
    let level = rules.map_or(0, |rules| rules::number_for(rules, site));
    site.decided.store(switch & !0xff | u32::from(level), Ordering::Relaxed);
    level
}

/// The number of the rules.
fn number_in(switch: u32) -> u32 {
    (switch & !HOLDS) >> 16
}

/// Turns recording on, with events by these rules, or changes them while it is on.
///
/// # Errors
///
/// If this process was given too many different rules already. Nothing has changed then.
pub(crate) fn turn_on(rules: &Rules) -> Result<(), String> {
    let number = number_of(rules, &RULES)
        .ok_or_else(|| format!("levels were set in {RULES_MAX} different ways since the process started"))?;
    loop {
        let hold = HOLD.load(Ordering::SeqCst);
        HOT.switch.store(word(rules, number, hold), Ordering::SeqCst);
        if HOLD.load(Ordering::SeqCst) == hold {
            return Ok(());
        }
    }
}

/// Turns recording off: from here on the macros do nothing.
pub(crate) fn turn_off() {
    HOT.switch.store(0, Ordering::SeqCst);
}

/// From here on sites look whether a unit of work holds events of this level back.
#[inline]
pub(super) fn hold_up_to(level: Level) {
    if HOLD.load(Ordering::Relaxed) < level as u8 {
        raise(level as u8);
    }
}

#[cold]
fn raise(level: u8) {
    HOLD.fetch_max(level, Ordering::SeqCst);
    let raised = |switch: u32| {
        (switch != 0).then(|| HOLDS | switch & !0xff | (switch & 0xff).max(1 + u32::from(level)))
    };
    let _ = HOT.switch.fetch_update(Ordering::SeqCst, Ordering::SeqCst, raised); // off stays off
}

fn word(rules: &Rules, number: u32, hold: u8) -> u32 {
    let most = rules::number(rules.most()).max(hold);
    let least = rules::number(rules.least());
    let holds = if hold == 0 { 0 } else { HOLDS };
    holds | number << 16 | (1 + u32::from(least)) << 8 | (1 + u32::from(most))
}

/// The number of these rules, which they keep; `None` if all places are taken by others.
fn number_of(rules: &Rules, places: &[OnceLock<Rules>]) -> Option<u32> {
    let is_place = |place: &OnceLock<Rules>| place.get_or_init(|| rules.clone()) == rules;
    places.iter().position(is_place).and_then(|number| u32::try_from(number).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_says_the_most_the_least_and_the_rules() {
        let table = [
            ("info", 0, 0x0404),
            ("off", 0, 0x0101),
            ("info,a=trace", 0, 0x0406),
            ("info,a=off", 0, 0x0104),
            ("info", 4, 0x8000_0405),
            ("trace", 4, 0x8000_0606),
        ];
        for (text, hold, expected) in table {
            let rules: Rules = text.parse().expect(text);
            assert_eq!(word(&rules, 0, hold), expected, "{text}");
            assert_eq!(word(&rules, 7, hold), 7 << 16 | expected, "{text}");
            assert_eq!(number_in(word(&rules, 1023, hold)), 1023, "{text}");
        }
    }

    #[test]
    fn rules_have_one_number_and_the_last_place_is_the_bound() {
        let places = [const { OnceLock::new() }; 2];
        let [a, b, c]: [Rules; 3] = ["warn", "warn,shop=debug", "off"].map(|text| text.parse().expect(text));
        let numbers = [&a, &b, &a, &c, &b].map(|rules| number_of(rules, &places));
        assert_eq!(numbers, [Some(0), Some(1), Some(0), None, Some(1)]);
    }
}
