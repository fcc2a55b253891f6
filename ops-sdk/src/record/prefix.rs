//! What an event was recorded for, in front of its values: the unit of work that holds it back, and the correlation.
//! Nothing at all for the events of most programs, which costs them one look at a word of their own thread.
//!
//! ```text
//! prefix = [7 unit:8] [8 trace:16 span:8]
//! ```
//!
//! The numbers before them are none of a value's, so values with and without a prefix are told apart by their first
//! byte. What is held back loses its unit when it goes on.

use super::context::{self, Context};
use super::{Site, event, switch, unit};

/// The numbers before a unit and a correlation.
const UNIT: u8 = 7;
const CORRELATION: u8 = 8;

const UNIT_BYTES: usize = 1 + 8;
const BYTES: usize = UNIT_BYTES + 1 + 16 + 8;

/// The bytes of a prefix: both parts, of which what is not there lies outside of `start` and `end`.
#[derive(Clone, Copy)]
pub(super) struct Prefix {
    start: u8,
    end: u8,
    bytes: [u8; BYTES],
}

impl Prefix {
    /// That of an event of this site, recorded now on this thread.
    #[inline]
    pub(super) fn of(site: &Site) -> Option<Prefix> {
        if context::is_nothing() {
            return None;
        }
        Prefix::within(site, context::current())
    }

    #[inline(never)]
    fn within(site: &Site, context: Context) -> Option<Prefix> {
        // The end of a unit is the flush thread's own.
        let level = event::level(site);
        if unit::is_end(site) {
            return None;
        }
        let is_held = context.unit != 0 && (level as u8 >= context.hold || !switch::is_shown(site, level));
        let mut bytes = [0; BYTES];
        bytes[0] = UNIT;
        bytes[1..9].copy_from_slice(&context.unit.to_le_bytes());
        bytes[9] = CORRELATION;
        bytes[10..26].copy_from_slice(&context.trace.to_le_bytes());
        bytes[26..].copy_from_slice(&context.span.to_le_bytes());
        let start = if is_held { 0 } else { UNIT_BYTES };
        let end = if context.trace != 0 { BYTES } else { UNIT_BYTES };
        #[allow(clippy::cast_possible_truncation)] // at most 34
        Some(Prefix { start: start as u8, end: end as u8, bytes })
    }

    /// What to write.
    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(usize::from(self.start)..usize::from(self.end)).unwrap_or_default()
    }
}

/// The prefix of an event that this unit holds back.
pub(super) fn of_unit(unit: u64) -> [u8; UNIT_BYTES] {
    let mut bytes = [UNIT; UNIT_BYTES];
    bytes[1..].copy_from_slice(&unit.to_le_bytes());
    bytes
}

/// The unit that holds an event with these values back, and the values without it.
#[inline]
pub(crate) fn unit_of(values: &[u8]) -> Option<(u64, &[u8])> {
    let (unit, values) = values.strip_prefix(&[UNIT])?.split_first_chunk()?;
    Some((u64::from_le_bytes(*unit), values))
}

/// Takes the ids of the correlation, and of the part of the work, off the front of an event's values.
#[inline]
pub(crate) fn correlated(values: &mut &[u8]) -> Option<(u128, u64)> {
    let (trace, rest) = values.strip_prefix(&[CORRELATION])?.split_first_chunk()?;
    let (span, rest) = rest.split_first_chunk()?;
    *values = rest;
    Some((u128::from_le_bytes(*trace), u64::from_le_bytes(*span)))
}

#[cfg(test)]
/// Takes a whole prefix off the front of an event's values.
pub(super) fn take(values: &mut &[u8]) -> Option<(u128, u64)> {
    if let Some((_, rest)) = unit_of(values) {
        *values = rest;
    }
    correlated(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Level;
    use crate::record::{Kind, Source};

    static SITE: Site = Site::new(
        Kind::Event(Level::Debug),
        "prefixed",
        Source { target: "prefix::tests", file: "prefix.rs", line: 1 },
    );

    #[test]
    fn what_is_written_is_read_and_leaves_the_values() {
        let of = |trace, unit, hold| Context { trace, span: 5, unit, hold, ..Context::default() };
        let table = [
            (of(0, 0, 0), None, None),
            (of(9, 0, 0), None, Some((9, 5))),
            (of(0, 7, Level::Debug as u8), Some(7), None),
            (of(u128::MAX, u64::MAX, Level::Info as u8), Some(u64::MAX), Some((u128::MAX, 5))),
        ];
        for (context, unit, correlation) in table {
            let _entered = context.enter();
            let prefix = Prefix::of(&SITE);
            let bytes = [prefix.as_ref().map_or(&[][..], Prefix::bytes), &[3, 1]].concat();
            let mut rest = bytes.as_slice();
            let held = unit_of(rest);
            assert_eq!(held.map(|(unit, _)| unit), unit);
            rest = held.map_or(rest, |(_, rest)| rest);
            assert_eq!(correlated(&mut rest), correlation);
            assert_eq!(rest, [3, 1]);
            let mut rest = bytes.as_slice();
            take(&mut rest);
            assert_eq!(rest, [3, 1]);
        }
    }

    #[test]
    fn bytes_that_end_too_early_are_left_alone() {
        for mut bytes in [&[][..], &[7], &[7, 1, 2], &[8], &[8; 20]] {
            assert_eq!(unit_of(bytes), None);
            let before = bytes;
            assert_eq!((correlated(&mut bytes), bytes), (None, before));
        }
    }
}
