//! Time on the hot path. `quanta` decides whether the processor has a time stamp counter that can be trusted, and how
//! fast it runs; but its reading is a call that compilers do not inline, and a measured function makes two. Where its
//! reading is seen to be that of the counter, the counter is read in place; everywhere else `quanta` is called.

use std::sync::atomic::Ordering::Relaxed;

use super::hot::HOT;
use crate::clock::{self, Ticks};

/// Finds out how to read the clock (0.6 ms, once).
pub(crate) fn warm() {
    clock::warm();
    // Over 2^40 ticks the whole nanoseconds of the answer are exact to 12 digits.
    #[allow(clippy::cast_precision_loss)]
    let per_tick = clock::nanos(0, 1 << 40) as f64 / (1u64 << 40) as f64;
    HOT.nanoseconds.store(per_tick.to_bits(), Relaxed);
    HOT.counter_is_clock.store((0..3).all(|_| is_counter()), Relaxed);
}

/// Whether a reading of the clock lies between two of the counter. By chance it would not, three times running.
fn is_counter() -> bool {
    let Some(before) = counter() else { return false };
    let between = clock::ticks();
    counter().is_some_and(|after| before <= between && between <= after)
}

/// A raw reading.
#[inline(always)]
pub(super) fn ticks() -> Ticks {
    if HOT.counter_is_clock.load(Relaxed)
        && let Some(ticks) = counter()
    {
        return ticks;
    }
    elsewhere()
}

#[cold]
#[inline(never)]
fn elsewhere() -> Ticks {
    clock::ticks()
}

/// How many ticks there are between two readings; 0 if they are the wrong way round.
#[inline(always)]
pub(super) fn between(start: Ticks, end: Ticks) -> u64 {
    end.wrapping_sub(start).cast_signed().max(0).cast_unsigned()
}

/// Nanoseconds of a tick, exact to a part in 10^12.
pub(super) fn nanoseconds() -> f64 {
    f64::from_bits(HOT.nanoseconds.load(Relaxed))
}

/// The processor's counter, where there is one that can be read like this.
#[inline(always)]
#[cfg(target_arch = "x86_64")]
fn counter() -> Option<u64> {
    // SAFETY: the instruction has no precondition; an operating system that forbids it would stop `quanta`, too.
    Some(unsafe { core::arch::x86_64::_rdtsc() })
}

#[inline(always)]
#[cfg(not(target_arch = "x86_64"))]
fn counter() -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_those_of_the_clock_and_run_as_fast() {
        warm();
        let (before, here, after) = (clock::ticks(), ticks(), clock::ticks());
        assert!(before <= here && here <= after, "{before} {here} {after}");
        for ticks in [0u64, 1, 1_000_000, 1 << 40] {
            #[allow(clippy::cast_precision_loss)]
            let exact = clock::nanos(0, ticks) as f64;
            assert!(
                (between(0, ticks) as f64 * nanoseconds() - exact).abs() <= 1.0 + exact * 1e-11,
                "{ticks}"
            );
        }
        assert_eq!(between(5, 4), 0);
    }
}
