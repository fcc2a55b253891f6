//! A child of `fork` records nothing until it starts recording itself, and then as a process of its own: what its parent
//! had recorded is the parent's to ship, the threads of the SDK are not there, and whatever lock another thread held
//! stays locked for ever.
//!
//! So the arena's memory is replaced by new memory at the same place, which looks empty but gives out no place a second
//! time: a call that was in progress writes where nobody reads. All of this runs in the child before `fork` returns, and
//! touches neither the heap nor a lock; the rest waits for [`begin`].
//!
//! Calls in progress on other threads of the parent stay counted as in progress in the child.

use std::sync::atomic::AtomicU32;

use super::sync::Ordering::Relaxed;
use super::system::fork;
#[cfg(unix)]
use super::system::signals;
use super::{Arena, catalog, correlation, keep, lane, limiter, losses, reader, registry, sample, switch};

/// The generation for which everything is in order.
static BEGUN: AtomicU32 = AtomicU32::new(0);

/// Has children of this process begin anew.
pub(crate) fn prepare() {
    fork::on_fork(forget);
}

/// What is done in the child at once.
fn forget() {
    switch::turn_off();
    if let Some(arena) = Arena::get() {
        let orphan = lane::forget_in_child(arena);
        arena.renew_in_child();
        orphan.into_iter().for_each(|orphan| orphan.put_back(arena));
    }
    keep::forget_in_child();
    losses::forget_in_child();
    reader::forget_in_child();
    correlation::forget_in_child();
    sample::forget_in_child();
    #[cfg(unix)]
    signals::forget_in_child();
}

/// Before recording starts: what needs the heap, or takes its time. For one thread.
pub(crate) fn begin(arena: Arena) {
    let generation = fork::generation();
    if BEGUN.swap(generation, Relaxed) != generation {
        catalog::enter_all(arena);
        // What the parent has counted outside of the arena, it tells itself.
        limiter::take(true, |_, _| ());
        for levels in registry::all().filter_map(|site| site.in_flight) {
            let _ = levels.take();
        }
    }
}
