//! Locks whose state lies in themselves, so that a child of `fork` may use those that it makes. A lock that parks its
//! waiters in a table of the process, as `parking_lot` does, may find that table locked for ever by a thread that is not
//! there in the child. Never poisoned: what is behind these locks is whole at every step.

use std::ops::{Deref, DerefMut};
use std::sync::{self, PoisonError, TryLockError};
use std::time::{Duration, Instant};

/// How often a wait of limited length looks for a lock again.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// A lock around a value.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(sync::Mutex<T>);

/// The value, while it is locked.
#[derive(Debug)]
pub(crate) struct MutexGuard<'a, T>(Option<sync::MutexGuard<'a, T>>);

/// Where to wait for a change of a locked value.
#[derive(Debug, Default)]
pub(crate) struct Condvar(sync::Condvar);

/// How a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WaitTimeoutResult(bool);

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Mutex<T> {
        Mutex(sync::Mutex::new(value))
    }

    /// Waits for the value.
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        MutexGuard(Some(self.0.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    /// Waits for the value for so long at most.
    #[cfg_attr(not(feature = "aws"), allow(dead_code))] // credentials, which may be loaded for long
    pub(crate) fn try_lock_for(&self, patience: Duration) -> Option<MutexGuard<'_, T>> {
        let began = Instant::now();
        loop {
            match self.try_lock() {
                None if began.elapsed() < patience => std::thread::sleep(LOOK_AGAIN),
                tried => return tried,
            }
        }
    }

    /// The value, unless somebody has it.
    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        match self.0.try_lock() {
            Ok(guard) => Some(MutexGuard(Some(guard))),
            Err(TryLockError::Poisoned(poisoned)) => Some(MutexGuard(Some(poisoned.into_inner()))),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

/// Why a guard always holds the value.
const HELD: &str = "a guard is without its lock only within a wait";

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_deref().expect(HELD)
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.as_deref_mut().expect(HELD)
    }
}

impl Condvar {
    pub(crate) const fn new() -> Condvar {
        Condvar(sync::Condvar::new())
    }

    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }

    /// Waits. May end early.
    pub(crate) fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
        if let Some(held) = guard.0.take() {
            guard.0 = Some(self.0.wait(held).unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// Waits for so long at most. May end early.
    pub(crate) fn wait_for<T>(&self, guard: &mut MutexGuard<'_, T>, pause: Duration) -> WaitTimeoutResult {
        let Some(held) = guard.0.take() else { return WaitTimeoutResult(true) };
        let (held, result) = self.0.wait_timeout(held, pause).unwrap_or_else(PoisonError::into_inner);
        guard.0 = Some(held);
        WaitTimeoutResult(result.timed_out())
    }

    /// The same until a moment.
    pub(crate) fn wait_until<T>(&self, guard: &mut MutexGuard<'_, T>, until: Instant) -> WaitTimeoutResult {
        self.wait_for(guard, until.saturating_duration_since(Instant::now()))
    }
}

impl WaitTimeoutResult {
    pub(crate) fn timed_out(self) -> bool {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_change_is_seen_and_a_wait_ends() {
        let shared = Arc::new((Mutex::new(0), Condvar::new()));
        let other = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            let mut value = other.0.lock();
            while *value == 0 {
                other.1.wait_until(&mut value, Instant::now() + Duration::from_secs(60));
            }
            *value += 1;
        });
        *shared.0.lock() += 1;
        shared.1.notify_all();
        thread.join().unwrap();
        let mut value = shared.0.lock();
        assert_eq!(*value, 2);
        assert!(shared.0.try_lock().is_none());
        while !shared.1.wait_for(&mut value, Duration::from_millis(1)).timed_out() {}
    }

    #[test]
    fn a_panic_leaves_the_value_usable() {
        let shared = Arc::new(Mutex::new(5));
        let other = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            let _held = other.lock();
            std::panic::resume_unwind(Box::new(()));
        });
        assert!(thread.join().is_err());
        assert_eq!(*shared.lock(), 5);
        assert_eq!(shared.try_lock().map(|value| *value), Some(5));
    }
}
