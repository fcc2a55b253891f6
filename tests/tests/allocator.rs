//! A global allocator that itself counts and logs with the macros: no lock may be held and no allocation needed where
//! that would come back to the same place, and what the SDK's own threads allocate must not feed on itself.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use ops_sdk::prelude::*;
use ops_tests::capture::Capture;
use ops_tests::{SOON, assert_balanced};

static CALLS: AtomicU64 = AtomicU64::new(0);

struct Logging;

#[global_allocator]
static ALLOCATOR: Logging = Logging;

fn say(bytes: usize) {
    CALLS.fetch_add(1, Relaxed);
    counter!("allocations", 1);
    counter!("allocations.by", 1, "Size" => if bytes < 1024 { "small" } else { "large" });
    histogram!("allocated", bytes, unit = Bytes);
    info!("allocated {bytes}", bytes);
}

// SAFETY: every call goes to the system's allocator as it came.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Logging {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        say(layout.size());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        say(layout.size());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(place, layout) }
    }
}

#[test]
fn an_allocator_that_counts_and_logs_neither_deadlocks_nor_feeds_on_itself() {
    let capture = Capture::new("allocator");
    let ops = ops_sdk::init()
        .environment(|_| None)
        .linger(Duration::from_millis(5))
        .ring_bytes_max(1 << 15)
        .backend(capture.clone())
        .start()
        .expect("recording starts");
    let long = "x".repeat(12_000); // more than a quarter of the ring, less than a push
    std::thread::scope(|scope| {
        for thread in 0..4u64 {
            let long = &long;
            scope.spawn(move || {
                for n in 0..200u64 {
                    counter!("work", 1, "Series" => n % 50, "Thread" => thread);
                    info!("a long one {n}: {long}"); // to the overflow queue, by way of the heap
                    info!("shown {value}", value = %format_args!("{}", "y".repeat(n as usize)));
                }
            });
        }
    });
    let report = ops.flush(SOON);
    assert!(report.complete, "{report:?}");
    assert_balanced(&ops.stats());
    // The SDK's own threads log nothing: else each event they handle would make several more, for ever.
    let before = CALLS.load(Relaxed);
    std::thread::sleep(Duration::from_millis(200));
    let calls = CALLS.load(Relaxed) - before;
    assert!(calls < 20_000, "{calls} allocations while nothing is recorded");
    drop(ops); // from here on the allocator is an ordinary one
    assert_eq!(capture.sum("work"), 800.0);
    assert!(capture.messages("allocated").len() > 1000);
}
