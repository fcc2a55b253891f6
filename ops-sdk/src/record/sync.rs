//! What threads share memory by: the atomics of the standard library, under a name of their own. The models in
//! `tests/models` build this very folder with atomics that try every order in which threads may see each other's
//! writes, and with notes of who touches which bytes. Here there is nothing of that, and nothing is left of the calls.

use std::ptr::NonNull;

pub(super) use crate::lock::Mutex;
pub(super) use std::hint::spin_loop;
pub(super) use std::sync::atomic::{
    AtomicBool, AtomicI64, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, compiler_fence, fence,
};
pub(super) use std::thread_local;

/// Takes a lock without going to sleep over it, which may take memory. Whoever holds it holds it for a copy.
pub(super) fn lock_without_heap<T>(lock: &Mutex<T>) -> crate::lock::MutexGuard<'_, T> {
    loop {
        if let Some(held) = lock.try_lock() {
            return held;
        }
        std::thread::yield_now();
    }
}

/// So many bytes here are about to be read.
#[inline(always)]
pub(super) fn reads(_start: NonNull<u8>, _bytes: usize) {}

/// So many bytes here are about to be written.
#[inline(always)]
pub(super) fn writes(_start: NonNull<u8>, _bytes: usize) {}

/// How often a loop tries that gives up after `wanted` times.
#[inline(always)]
pub(super) fn tries(wanted: u32) -> u32 {
    wanted
}
