//! Threads that end: what they record on their way out is there, what they leave behind is used again, and panics and
//! interruptions harm nothing else.

use std::cell::RefCell;
use std::time::Duration;

use ops_sdk::Ops;
use ops_sdk::prelude::*;
use ops_tests::capture::Capture;
use ops_tests::{SOON, assert_balanced, turn};

fn start(capture: &Capture) -> Ops {
    let builder = ops_sdk::init().environment(|_| None).linger(Duration::from_millis(5));
    builder.backend(capture.clone()).start().expect("recording starts")
}

/// Records when the thread ends.
struct Farewell(u64);

impl Drop for Farewell {
    fn drop(&mut self) {
        counter!("farewells", 1);
        counter!("farewells.by", 1, "Kind" => "tls");
        histogram!("farewell.size", self.0 % 4);
        info!("farewell {n}", n = self.0);
    }
}

thread_local! {
    static FIRST: RefCell<Option<Farewell>> = const { RefCell::new(None) };
    static LATER: RefCell<Option<Farewell>> = const { RefCell::new(None) };
}

#[test]
fn what_thousands_of_short_threads_record_is_exact_and_their_memory_is_used_again() {
    let _turn = turn();
    let capture = Capture::new("short");
    let ops = start(&capture);
    let run = |rounds: u64| {
        for n in 0..rounds {
            let work = move || {
                FIRST.set(Some(Farewell(n))); // its destructor runs after that of the lane
                histogram!("short", n % 4);
                counter!("short.by", 1, "Parity" => n % 2);
                info!("short {n}");
                LATER.set(Some(Farewell(n))); // and this one's too, or before
            };
            let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(work)).collect();
            threads.into_iter().for_each(|thread| thread.join().expect("a thread that ends"));
        }
    };
    run(10);
    let before = ops.stats().arena_used_bytes;
    run(500);
    let used = ops.stats().arena_used_bytes - before;
    let report = ops.flush(SOON);
    assert!(report.complete, "{report:?}");
    assert_balanced(&ops.stats());
    assert_eq!(capture.sum("short.by"), 2040.0);
    assert_eq!(capture.sum("farewells"), 4080.0);
    assert_eq!(capture.sum("farewells.by"), 4080.0);
    let count = |name| capture.metrics(name).iter().filter_map(|line| line["count"].as_u64()).sum::<u64>();
    assert_eq!((count("short"), count("farewell.size")), (2040, 4080));
    assert_eq!((capture.messages("short ").len(), capture.messages("farewell ").len()), (2040, 4080));
    // A lane with its ring is 1 MiB; a few more threads may have lived at once than before.
    assert!(used < 4 << 20, "{used} bytes for 2,000 threads, four at a time");
}

/// Panics when shown.
struct Bomb;

impl std::fmt::Display for Bomb {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::panic::resume_unwind(Box::new("on purpose"))
    }
}

struct LastBomb;

impl Drop for LastBomb {
    fn drop(&mut self) {
        let shown = std::panic::catch_unwind(|| info!("never seen {bomb}", bomb = %Bomb));
        assert!(shown.is_err());
    }
}

thread_local! {
    static BOMB: RefCell<Option<LastBomb>> = const { RefCell::new(None) };
}

#[test]
fn a_display_that_panics_while_its_thread_ends_leaves_no_lane_behind() {
    let _turn = turn();
    let capture = Capture::new("bombs");
    let ops = start(&capture);
    let one = || {
        let bomb = || {
            BOMB.set(Some(LastBomb));
            counter!("bombs", 1);
        };
        std::thread::spawn(bomb).join().expect("a thread that ends");
    };
    (0..4).for_each(|_| one());
    let before = ops.stats().arena_used_bytes;
    (0..100).for_each(|_| one());
    let used = ops.stats().arena_used_bytes - before;
    assert!(used < 4 << 20, "{used} bytes for 100 threads, one at a time");
    assert!(ops.flush(SOON).complete);
    assert_eq!(capture.sum("bombs"), 104.0);
    assert_eq!(capture.messages("never").len(), 0);
}
