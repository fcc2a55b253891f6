//! The one switch that every macro looks at first: off, metrics only, or metrics and events up to a level. One
//! relaxed load of one byte; off until recording starts, so that a library may use the macros for next to nothing.

use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

use crate::model::Level;

/// 0 is off, 1 is metrics only, 1 + a level's number is that level.
static SWITCH: AtomicU8 = AtomicU8::new(0);

/// Whether anything is recorded at all.
#[inline]
pub fn on() -> bool {
    SWITCH.load(Relaxed) > 0
}

/// Whether events of this level are recorded.
#[inline]
pub fn enabled(level: Level) -> bool {
    SWITCH.load(Relaxed) > level as u8
}

/// Turns recording on, with events up to `level` (`None`: no events).
pub(crate) fn turn_on(level: Option<Level>) {
    SWITCH.store(1 + level.map_or(0, |level| level as u8), Relaxed);
}

/// Turns recording off: from here on the macros do nothing.
pub(crate) fn turn_off() {
    SWITCH.store(0, Relaxed);
}
