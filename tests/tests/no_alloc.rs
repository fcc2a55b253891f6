//! A warm call allocates nothing: a global allocator counts, and each form is called a thousand times.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

use ops_forms::Discard;

thread_local! {
    static ALLOCATED: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call goes to the system's allocator as it came.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.set(ALLOCATED.get() + 1);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(place, layout) }
    }
}

/// How often this thread allocates in a thousand calls, after a few of each kind.
fn allocations(mut call: impl FnMut(u64)) -> u64 {
    (0..64).for_each(&mut call);
    let before = ALLOCATED.get();
    (0..1000).for_each(call);
    ALLOCATED.get() - before
}

#[test]
fn a_warm_call_allocates_nothing() {
    let ops = ops_sdk::init()
        .environment(|_| None)
        .shutdown_deadline(Duration::from_secs(5))
        .ring_bytes_max(16 << 20) // for all of it, however seldom the flush thread gets its turn
        .level(ops_sdk::Level::Debug)
        .backend(Discard::default())
        .start()
        .expect("recording starts");
    for form in ops_forms::ALL {
        assert_eq!(allocations(form.call), 0, "{}", form.name);
    }
    // The count is not blind.
    assert!(allocations(|n| drop(std::hint::black_box(vec![n]))) >= 1000);
    drop(ops);
}
