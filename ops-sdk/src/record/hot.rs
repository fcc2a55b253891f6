//! The words that every call looks at, on one cache line of their own: a thread that comes back to caches which others
//! have used waits for one line, not for one each. Hardly anybody ever writes here.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};

#[repr(align(64))]
pub(super) struct Hot {
    /// What is recorded: see [`super::switch`]. 0 is off.
    pub(super) switch: AtomicU32,
    /// Whether [`crate::clock::ticks`] is the processor's counter.
    pub(super) counter_is_clock: AtomicBool,
    /// Nanoseconds of a tick, the bits of a double.
    pub(super) nanoseconds: AtomicU64,
}

pub(super) static HOT: Hot = Hot {
    switch: AtomicU32::new(0),
    counter_is_clock: AtomicBool::new(false),
    nanoseconds: AtomicU64::new(1.0f64.to_bits()),
};
