//! Starting and ending: over and over, with threads that go on recording, with ends that no clock reaches, and with an
//! stderr that nobody reads.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use ops_sdk::prelude::*;
use ops_sdk::{Builder, Ops};
use ops_tests::capture::{Answer, Capture};
use ops_tests::{SOON, assert_balanced, turn};

fn quiet() -> Builder {
    ops_sdk::init().environment(|_| None).linger(Duration::from_millis(1))
}

fn start(capture: &Capture) -> Ops {
    quiet().backend(capture.clone()).start().expect("recording starts")
}

#[test]
fn started_and_dropped_many_times_while_threads_record_nothing_comes_twice_or_is_made_up() {
    let _turn = turn();
    let capture = Capture::new("again");
    let over = AtomicBool::new(false);
    let counted = std::thread::scope(|scope| {
        let record = || {
            let mut n = 0u64;
            while !over.load(Relaxed) {
                counter!("attempts", 1);
                info!("attempt {n}");
                n += 1;
            }
            n
        };
        let threads: Vec<_> = (0..2).map(|_| scope.spawn(record)).collect();
        for _ in 0..40 {
            let ops = start(&capture);
            std::thread::sleep(Duration::from_millis(2));
            assert_balanced(&ops.stats());
            drop(ops);
        }
        over.store(true, Relaxed);
        threads.into_iter().map(|thread| thread.join().expect("a thread that ends")).sum::<u64>()
    });
    let ops = start(&capture); // what fell between a last look and the end of a thread's call
    assert!(ops.flush(SOON).complete);
    drop(ops);
    let ids: std::collections::BTreeSet<_> = capture.taken().into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids.len(), capture.taken().len());
    let events = capture.messages("attempt ").len() as u64;
    assert!(0 < events && events <= counted, "{events} of {counted}");
    assert!(capture.sum("attempts") <= counted as f64);
}

#[test]
fn an_end_that_no_clock_reaches_is_no_end_and_no_panic() {
    let _turn = turn();
    let capture = Capture::new("never");
    let never = Duration::MAX;
    let ops = quiet().linger(never).shutdown_deadline(never).backend(capture.clone()).start();
    let ops = ops.expect("recording starts");
    info!("first");
    assert!(ops.flush(never).complete);
    info!("second");
    drop(ops);
    assert_eq!((capture.messages("first").len(), capture.messages("second").len()), (1, 1));
}

#[test]
fn many_threads_flush_at_once_and_each_finds_its_own_delivered() {
    let _turn = turn();
    let capture = Capture::new("flushes");
    let ops = start(&capture);
    std::thread::scope(|scope| {
        for thread in 0..6u64 {
            let (ops, capture) = (&ops, &capture);
            scope.spawn(move || {
                for n in 0..5u64 {
                    info!("from {thread}: {n}");
                    assert!(ops.flush(SOON).complete);
                    assert_eq!(capture.messages(&format!("from {thread}: {n}")).len(), 1);
                }
            });
        }
    });
    assert_balanced(&ops.stats());
}

/// Not a test by itself: ends with records left over, and nobody who reads its stderr.
#[test]
fn child() {
    if std::env::var_os("OPS_TEST_CLOSED_STDERR").is_none() {
        return;
    }
    let retry = Answer::Say(ops_sdk::backend::Verdict::Retry { after: None, why: "busy".to_owned() });
    let capture = Capture::new("closed").answering([retry.clone(), retry]);
    let ops = start(&capture);
    info!("event");
    let report = ops.flush(SOON);
    let stuck = Capture::new("stuck").answering([Answer::Hang]);
    drop(ops);
    let ops = quiet().shutdown_deadline(Duration::ZERO).backend(stuck).start().expect("recording starts");
    info!("left over");
    drop(ops); // says so
    println!("\ncomplete: {}", report.complete);
}

#[test]
fn an_stderr_that_is_closed_ends_no_thread() {
    let exe = std::env::current_exe().expect("this test");
    let mut command = Command::new(exe);
    command.args(["--exact", "child", "--nocapture"]).env("OPS_TEST_CLOSED_STDERR", "1");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the child starts");
    drop(child.stderr.take());
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("complete: true"), "{:?}: {said}", output.status);
}
