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
    /// Reads both clocks, as close together as can be.
    #[must_use]
    pub fn read() -> Anchor {
        Anchor { ticks: ticks(), unix_ns: unix_ns() }
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
