//! What time it is for what must not be thrown away by mistake: the journal's age bound. A wall clock that jumps a year
//! forward and comes back must not expire what waits for delivery.
//!
//! The rule: time goes on with the clock that never goes back. The wall clock is followed back at once, and forward
//! while it moves slowly; where it is suddenly ahead, it is believed once it has stayed there for an hour. At the start
//! it is believed up to a day ahead of the newest record that earlier processes left, since a machine may have been off.

use std::time::Duration;

use crate::clock::Now;

/// How long a clock that jumped forward has to stay there.
const STAYS: Duration = Duration::from_secs(3600);
/// How far ahead of what was recorded last it may be when a process starts.
const OFF_MAX: Duration = Duration::from_secs(24 * 3600);
/// What is less is drift.
const DRIFT_MAX_NS: i128 = 1_000_000_000;

/// The time that is believed, as what is to be added to the clock that never goes back.
#[derive(Debug)]
pub(super) struct Believed {
    offset_ns: i128,
    /// Where the wall clock stands since when, where that is not believed yet.
    doubted: Option<(i128, Now)>,
}

impl Believed {
    /// At the start, with the newest stamp that earlier processes left.
    pub(super) fn new(now: Now, newest_ms: Option<u64>) -> Believed {
        let newest_ns = newest_ms.map(|ms| u128::from(ms) * 1_000_000);
        let limit_ns = newest_ns.filter(|ns| ns + OFF_MAX.as_nanos() < u128::from(now.unix_ns));
        let unix_ns = limit_ns.map_or(now.unix_ns, |ns| u64::try_from(ns).unwrap_or(u64::MAX));
        let mut believed = Believed { offset_ns: offset(Now { unix_ns, ..now }), doubted: None };
        believed.unix_ms(now);
        believed
    }

    /// The time that is believed, in milliseconds since the Unix epoch.
    pub(super) fn unix_ms(&mut self, now: Now) -> u64 {
        let offset = offset(now);
        if offset - self.offset_ns < DRIFT_MAX_NS {
            (self.offset_ns, self.doubted) = (offset, None);
        } else {
            self.doubt(offset, now);
        }
        u64::try_from((i128::from(now.mono_ns) + self.offset_ns) / 1_000_000).unwrap_or(0)
    }

    fn doubt(&mut self, offset: i128, now: Now) {
        let since = match self.doubted {
            Some((before, since)) if (offset - before).abs() < DRIFT_MAX_NS => since,
            _ => now,
        };
        self.doubted = Some((offset, since));
        if now.since(since) >= STAYS {
            (self.offset_ns, self.doubted) = (offset, None);
        }
    }
}

fn offset(now: Now) -> i128 {
    i128::from(now.unix_ns) - i128::from(now.mono_ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;
    const DAY: u64 = 24 * 3600;
    const YEAR: u64 = 365 * DAY;
    /// Some day.
    const THEN: u64 = 1_800_000_000;

    /// Readings, and the seconds that are believed after each.
    type Row = (&'static [(u64, u64)], &'static [u64]);

    fn at(unix_s: u64, mono_s: u64) -> Now {
        Now { unix_ns: unix_s * S, mono_ns: mono_s * S }
    }

    /// The seconds that are believed after each reading of the wall clock at a second of the other.
    fn after(start: Believed, readings: &[(u64, u64)]) -> Vec<u64> {
        let mut believed = start;
        readings.iter().map(|(unix, mono)| believed.unix_ms(at(*unix, *mono)) / 1000).collect()
    }

    fn started() -> Believed {
        Believed::new(at(THEN, 100), None)
    }

    #[test]
    fn a_jump_forward_is_believed_after_an_hour_and_one_back_at_once() {
        let table: [Row; 6] = [
            (&[(THEN + 1, 101), (THEN + 10, 110)], &[THEN + 1, THEN + 10]),
            // A year ahead, and back again before the hour is over.
            (
                &[(THEN + YEAR, 101), (THEN + YEAR + 3_500, 3_601), (THEN + 3_600, 3_700)],
                &[THEN + 1, THEN + 3_501, THEN + 3_600],
            ),
            // It stays.
            (
                &[(THEN + YEAR, 101), (THEN + YEAR + 3_599, 3_700), (THEN + YEAR + 3_600, 3_701)],
                &[THEN + 1, THEN + 3_600, THEN + YEAR + 3_600],
            ),
            // It jumps once more, and the hour begins anew.
            (
                &[(THEN + YEAR, 101), (THEN + 2 * YEAR, 3_701), (THEN + 2 * YEAR + 3_600, 7_301)],
                &[THEN + 1, THEN + 3_601, THEN + 2 * YEAR + 3_600],
            ),
            // Back: nothing is old by it.
            (&[(THEN - YEAR, 101), (THEN - YEAR + 9, 110)], &[THEN - YEAR, THEN - YEAR + 9]),
            // Back and forth: half an hour at 1970, and then right again.
            (
                &[(5, 101), (1_805, 1_901), (THEN + 1_802, 1_902), (THEN + 5_402, 5_502)],
                &[5, 1_805, 1_806, THEN + 5_402],
            ),
        ];
        for (readings, expected) in table {
            assert_eq!(after(started(), readings), expected, "{readings:?}");
        }
    }

    #[test]
    fn at_the_start_a_clock_is_believed_a_day_ahead_of_what_was_recorded_last() {
        let table = [
            (None, THEN),
            (Some(THEN - DAY), THEN),
            (Some(THEN - DAY - 1), THEN - DAY - 1),
            (Some(THEN - YEAR), THEN - YEAR),
            (Some(THEN + YEAR), THEN),
        ];
        for (newest_s, expected) in table {
            let start = Believed::new(at(THEN, 100), newest_s.map(|s| s * 1000));
            assert_eq!(after(start, &[(THEN, 100)]), [expected], "{newest_s:?}");
        }
        // A machine that was off for a year is believed an hour later.
        let start = Believed::new(at(THEN, 100), Some((THEN - YEAR) * 1000));
        let readings = [(THEN + 3_599, 3_699), (THEN + 3_600, 3_700)];
        assert_eq!(after(start, &readings), [THEN - YEAR + 3_599, THEN + 3_600]);
    }

    #[test]
    fn slow_drift_is_followed() {
        let mut believed = started();
        // A third of a second each second.
        for third in 1..=900u64 {
            let now = Now { unix_ns: THEN * S + third * 4 * S / 3, mono_ns: (100 + third) * S };
            assert_eq!(believed.unix_ms(now), now.unix_ms());
        }
    }
}
