//! When the flush thread does what: windows that end with the wall clock's seconds and minutes, and how soon to look
//! into the rings again. Values in, values out.

use std::time::Duration;

use crate::clock::Now;
use crate::model::Resolution;

const PAUSE_MIN: Duration = Duration::from_millis(1);
/// A burst that begins while the thread sleeps has to fit into the ring, and the thread may be woken late: three million
/// events a second are 30,000 in this time, of the 80,000 that a ring of 4 MiB holds.
const PAUSE_MAX: Duration = Duration::from_millis(10);
/// So many events at one look mean that rings are filling fast,
const MANY: u64 = 256;
/// and so many that they fill faster than they would be looked into after any pause.
const FLOOD: u64 = 16_384;

/// The window of a resolution that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OpenWindow {
    resolution: Resolution,
    pub(super) start_ms: u64,
}

impl OpenWindow {
    pub(super) fn at(resolution: Resolution, now: Now) -> OpenWindow {
        let length_ms = u64::from(resolution.window_ms());
        OpenWindow { resolution, start_ms: now.unix_ms() / length_ms * length_ms }
    }

    /// The window that is open now, if it is another one: this one has ended, or the wall clock has jumped back. One
    /// that is only drawn back a little, over the beginning of this window, does not open the one before again.
    pub(super) fn next(self, now: Now, jumped: bool) -> Option<OpenWindow> {
        let open = OpenWindow::at(self.resolution, now);
        (open.start_ms > self.start_ms || (jumped && open != self)).then_some(open)
    }
}

/// How soon to look into the rings again after a look that took `taken` events.
pub(super) fn pause(before: Duration, taken: u64) -> Duration {
    match taken {
        0 => (before * 2).clamp(PAUSE_MIN, PAUSE_MAX),
        n if n < MANY => (before / 2).max(PAUSE_MIN * 5),
        n if n < FLOOD => PAUSE_MIN,
        _ => Duration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(unix_ms: u64) -> Now {
        Now { unix_ns: unix_ms * 1_000_000, mono_ns: 0 }
    }

    #[test]
    fn windows_end_with_the_wall_clocks_minutes_and_seconds() {
        let minute = OpenWindow::at(Resolution::Standard, at(125_999));
        assert_eq!(minute.start_ms, 120_000);
        assert_eq!(minute.next(at(179_999), false), None);
        assert_eq!(minute.next(at(180_000), false).map(|w| w.start_ms), Some(180_000));
        assert_eq!(OpenWindow::at(Resolution::High, at(125_999)).start_ms, 125_000);
    }

    #[test]
    fn a_clock_that_is_set_back_opens_the_window_it_shows() {
        let minute = OpenWindow::at(Resolution::Standard, at(600_000));
        assert_eq!(minute.next(at(60_001), true).map(|w| w.start_ms), Some(60_000));
        assert_eq!(minute.next(at(599_999), false), None, "a correction of less than a second is no reason");
        assert_eq!(minute.next(at(630_000), true), None, "a jump within the window neither");
    }

    #[test]
    fn a_thread_that_finds_nothing_looks_less_often() {
        assert_eq!(pause(PAUSE_MIN, 0), PAUSE_MIN * 2);
        assert_eq!(pause(PAUSE_MAX, 0), PAUSE_MAX);
        assert_eq!(pause(Duration::ZERO, 0), PAUSE_MIN);
        assert_eq!(pause(PAUSE_MAX, 10_000), PAUSE_MIN);
        assert_eq!(pause(PAUSE_MAX, 100_000), Duration::ZERO);
        assert_eq!(pause(PAUSE_MAX, 1), PAUSE_MAX / 2);
    }
}
