//! Time as values. One clock reads the CPU's time stamp counter for durations and stamps on the hot path; wall time
//! is read once per drain and carried to each stamp through an [`Anchor`]. Only `flush` and `ship` read the clock
//! for others; everyone else takes a [`Now`].

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use once_cell::sync::OnceCell;
use quanta::Clock;

/// A raw reading of the time stamp counter. Means nothing without an [`Anchor`].
pub type Ticks = u64;

/// One reading of both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Now {
    /// Nanoseconds since the Unix epoch, by the wall clock.
    pub unix_ns: u64,
    /// Nanoseconds by a clock that never goes back; its zero is arbitrary.
    pub mono_ns: u64,
}

impl Now {
    /// Reads both clocks.
    #[must_use]
    pub fn read() -> Now {
        Now { unix_ns: unix_ns(), mono_ns: nanos(0, ticks()) }
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub fn unix_ms(&self) -> u64 {
        self.unix_ns / 1_000_000
    }

    /// How long ago `earlier` was, by the clock that never goes back.
    #[must_use]
    pub fn since(&self, earlier: Now) -> Duration {
        Duration::from_nanos(self.mono_ns.saturating_sub(earlier.mono_ns))
    }
}

/// A raw tick and the wall time it was read at: turns other ticks into wall time.
#[derive(Debug, Clone, Copy)]
pub struct Anchor {
    ticks: Ticks,
    unix_ns: u64,
}

impl Anchor {
    /// Reads both clocks, as close together as can be: of some tries the one that took least, since a thread that was
    /// just woken reads slowly, and one that loses its processor between the clocks would shift all that it dates.
    #[must_use]
    pub fn read() -> Anchor {
        closest(std::iter::repeat_with(|| (ticks(), unix_ns(), ticks())).take(TRIES))
    }

    /// The tick at which it was read.
    #[must_use]
    pub fn ticks(&self) -> Ticks {
        self.ticks
    }

    /// The wall time at which it was read, in nanoseconds since the Unix epoch.
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        self.unix_ns
    }

    /// When it was read by the clock that never goes back, in nanoseconds.
    #[must_use]
    pub fn mono_ns(&self) -> u64 {
        nanos(0, self.ticks)
    }

    /// The wall time of a tick, in nanoseconds since the Unix epoch.
    #[must_use]
    pub fn unix_ns(&self, at: Ticks) -> u64 {
        if at >= self.ticks {
            self.unix_ns.saturating_add(nanos(self.ticks, at))
        } else {
            self.unix_ns.saturating_sub(nanos(at, self.ticks))
        }
    }
}

/// Tries to read both clocks at once.
const TRIES: usize = 4;

/// Of readings of the wall clock between two of the counter, the one about which least is in doubt; all zeros if there
/// is none. Pure.
fn closest(readings: impl Iterator<Item = (Ticks, u64, Ticks)>) -> Anchor {
    let closest = readings.min_by_key(|(before, _, after)| after.wrapping_sub(*before));
    let (before, unix_ns, after) = closest.unwrap_or_default();
    Anchor { ticks: before + after.wrapping_sub(before) / 2, unix_ns }
}

/// Wall times of stamps, for whoever reads the clocks time and again: of two stamps the later one never has the earlier
/// time because the clocks were read anew in between. Only where the wall clock was set back do times go back.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dates {
    anchor: Anchor,
    /// The latest stamp that was dated before this reading, and its time; later ones are not dated before it.
    floor: (Ticks, u64),
    latest: (Ticks, u64),
}

impl Dates {
    /// Reads the clocks.
    pub(crate) fn read() -> Dates {
        Dates::at(Anchor::read())
    }

    fn at(anchor: Anchor) -> Dates {
        Dates { anchor, floor: (Ticks::MAX, 0), latest: (0, 0) }
    }

    /// Goes on with another reading.
    pub(crate) fn go_on(&mut self, anchor: Anchor) {
        // What is later than now was dated by a clock that has been set back since.
        let is_set_back = anchor.unix_ns < self.latest.1;
        self.floor = if is_set_back { (Ticks::MAX, 0) } else { self.latest };
        self.anchor = anchor;
    }

    /// The wall time of a stamp, in nanoseconds since the Unix epoch.
    #[inline]
    pub(crate) fn unix_ns(&mut self, at: Ticks) -> u64 {
        let told = self.anchor.unix_ns(at);
        let dated = if at > self.floor.0 { told.max(self.floor.1) } else { told };
        if at > self.latest.0 {
            self.latest = (at, dated);
        }
        dated
    }
}

/// Reads the time stamp counter (10 ns); a call to the system's monotonic clock where there is none.
#[inline]
#[must_use]
pub fn ticks() -> Ticks {
    clock().raw()
}

/// Nanoseconds between two readings; 0 if they are the wrong way round.
#[inline]
#[must_use]
pub fn nanos(start: Ticks, end: Ticks) -> u64 {
    clock().delta_as_nanos(start, end)
}

/// Calibrates the clock (0.6 ms, once), so that the first reading on the hot path does not.
pub fn warm() {
    let _ = clock();
}

#[inline]
fn clock() -> &'static Clock {
    static CLOCK: OnceCell<Clock> = OnceCell::new();
    CLOCK.get_or_init(Clock::new)
}

fn unix_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_readings_the_closest_counts() {
        let anchor = closest([(100, 7, 900), (1000, 8, 1020), (2000, 9, 2100)].into_iter());
        assert_eq!((anchor.ticks, anchor.unix_ns), (1010, 8));
    }

    #[test]
    fn dates_do_not_go_back_where_readings_differ_and_do_where_the_clock_is_set() {
        let tick = |ns: u64| (1..).find(|ticks| nanos(0, *ticks) >= ns).unwrap_or_default();
        let (first, second, third) = (tick(1_000), tick(2_000), tick(3_000));
        let at = |ticks, unix_ns| Anchor { ticks, unix_ns };
        let mut dates = Dates::at(at(first, 1_000_500)); // half a microsecond late
        let one = dates.unix_ns(first);
        assert_eq!(one, 1_000_500);
        dates.go_on(at(third, 1_002_000));
        assert_eq!(dates.unix_ns(first + 1), one, "it would be before what came before it");
        assert!(dates.unix_ns(second) > one);
        assert!(dates.unix_ns(first - 1) < one, "what is older keeps its place");
        let last = dates.unix_ns(third);
        dates.go_on(at(tick(4_000), 500_000)); // set back
        assert!(dates.unix_ns(tick(4_000)) < last);
    }
}
