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
const CORRELATION_BYTES: usize = 1 + 16 + 8;

/// The bytes of a prefix.
#[derive(Clone, Copy)]
pub(super) struct Prefix {
    len: u8,
    bytes: [u8; UNIT_BYTES + CORRELATION_BYTES],
}

impl Prefix {
    /// That of an event of this site, recorded now on this thread.
    #[inline]
    pub(super) fn of(site: &Site) -> Option<Prefix> {
        if context::is_nothing() {
            return None;
        }
        Some(Prefix::within(site, context::current()))
    }

    #[inline(never)]
    fn within(site: &Site, context: Context) -> Prefix {
        let mut prefix = Prefix { len: 0, bytes: [0; UNIT_BYTES + CORRELATION_BYTES] };
        if unit::is_end(site) {
            return prefix; // the flush thread's own
        }
        let level = event::level(site);
        if context.unit != 0 && (level as u8 >= context.hold || !switch::is_shown(site, level)) {
            prefix.push(&[UNIT]);
            prefix.push(&context.unit.to_le_bytes());
        }
        if context.trace != 0 {
            prefix.push(&[CORRELATION]);
            prefix.push(&context.trace.to_le_bytes());
            prefix.push(&context.span.to_le_bytes());
        }
        prefix
    }

    fn push(&mut self, bytes: &[u8]) {
        let start = usize::from(self.len);
        let end = start + bytes.len();
        if let Some(place) = self.bytes.get_mut(start..end) {
            place.copy_from_slice(bytes);
            #[allow(clippy::cast_possible_truncation)] // at most 34
            (self.len = end as u8);
        }
    }

    /// What to write.
    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
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
