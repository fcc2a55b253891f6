//! What the tests of the whole house share: real servers and a recording proxy ([`rig`], [`cloud`]), the checker of the house
//! rules ([`house`]), what every backend has to keep to ([`contract`]), a backend that answers as it is told ([`capture`]), and
//! processes that are killed ([`chaos`]) or soaked ([`soak`]).
//!
//! Everything here serves tests alone, so it panics with a clear message where a program would return an error.

pub mod built;
pub mod capture;
pub mod chaos;
pub mod cloud;
pub mod contract;
pub mod house;
mod patience;
pub mod rig;
pub mod soak;

use std::sync::{Mutex, MutexGuard, PoisonError};

use ops_sdk::Stats;

pub use self::patience::{SOON, early_in_a_minute, output_once_said, wait_until, wait_until_recorded};

/// Recording is one for the process, so tests that start it take turns.
pub fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Asserts that every row of every book balances.
///
/// # Panics
///
/// If one does not.
pub fn assert_balanced(stats: &Stats) {
    for book in &stats.books {
        assert!(book.balanced(), "the books of {} do not balance: {book:?}", book.backend);
    }
}
