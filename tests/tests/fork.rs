//! Children of `fork`: while other threads record, flush and fork at full speed, each child finds recording off, starts
//! it as a process of its own, ships to a place of its own and ends. Nothing hangs, nothing comes twice, nothing of the
//! parent's is the child's, and the parent's books balance.
#![cfg(unix)]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use ops_sdk::model::RecordId;
use ops_sdk::prelude::*;
use ops_sdk::{Builder, Ops};
use ops_tests::capture::{Answer, Capture};
use ops_tests::{SOON, assert_balanced, turn};

/// Runs `work` in a child, and says how that ended: 0 is well, 1 that it panicked, 2 that it hung.
#[allow(unsafe_code)]
fn in_child(work: impl FnOnce()) -> libc::pid_t {
    // SAFETY: the child runs `work` and nothing else, and ends without returning. That threads which hold locks are not
    // there is what is tested.
    match unsafe { libc::fork() } {
        0 => {
            let well = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).is_ok();
            // SAFETY: the process ends, without what the parent's test harness would do.
            unsafe { libc::_exit(i32::from(!well)) }
        }
        child => {
            assert!(child > 0, "no child: {}", std::io::Error::last_os_error());
            child
        }
    }
}

/// How a child ended.
#[allow(unsafe_code)]
fn ended(child: libc::pid_t) -> i32 {
    let began = Instant::now();
    let mut status = 0;
    loop {
        // SAFETY: the child is one that was not waited for; the place is valid.
        match unsafe { libc::waitpid(child, &raw mut status, libc::WNOHANG) } {
            0 if began.elapsed() > SOON => {
                // SAFETY: as above.
                unsafe { libc::kill(child, libc::SIGKILL) };
                panic!("a child hangs");
            }
            0 => std::thread::sleep(Duration::from_millis(1)),
            _ => return status,
        }
    }
}

fn quiet() -> Builder {
    ops_sdk::init().environment(|_| None).linger(Duration::from_millis(1))
}

fn ids(capture: &Capture) -> BTreeSet<RecordId> {
    capture.taken().into_iter().map(|(id, _)| id).collect()
}

#[instrumented]
fn work(n: u64) {
    counter!("worked", 1, "Kind" => n % 4);
    histogram!("size", n % 100);
    info!("parent {n}");
}

/// What each child does, before and after it has a recording of its own. Writes its ids and correlations to a file.
fn child(number: u64, parents: &Ops, place: &Path) {
    // The parent's is not here any more.
    info!("lost {number}");
    counter!("lost", 1);
    let report = parents.flush(SOON);
    assert!(!report.complete && report.backends.is_empty(), "{report}");
    assert!(parents.stats().books.is_empty());
    assert!(parents.set_levels("trace").is_err());

    let capture = Capture::new("child");
    let mut builder = quiet().backend(capture.clone());
    if number.is_multiple_of(4) {
        builder = builder.state_dir(place.join(number.to_string()));
    }
    let ops = builder.start().expect("recording starts in a child");
    let threads: Vec<_> = (0..2).map(|_| std::thread::spawn(move || report_for(number))).collect();
    report_for(number);
    threads.into_iter().for_each(|thread| thread.join().expect("it ends"));
    assert!(ops.flush(SOON).complete);
    assert_balanced(&ops.stats());
    drop(ops);
    let lines = capture.lines();
    assert_eq!(capture.messages("child ").len(), 150, "its own, once");
    assert!(capture.messages("parent ").is_empty() && capture.messages("lost ").is_empty(), "nothing else");
    assert_eq!((capture.sum("in_child"), capture.sum("worked"), capture.sum("lost")), (150.0, 0.0, 0.0));
    assert_eq!(ids(&capture).len(), lines.len());
    let id = Correlation::new().id();
    let told: Vec<_> = ids(&capture).iter().map(ToString::to_string).chain([format!("c {id}")]).collect();
    std::fs::write(place.join(format!("{number}.ids")), told.join("\n")).expect("a file");
}

fn report_for(number: u64) {
    for n in 0..50u64 {
        info!("child {number} {n}");
        counter!("in_child", 1);
        histogram!("child.size", n);
    }
}

#[test]
fn children_record_for_themselves_while_the_parent_goes_on() {
    const FORKS: u64 = 200;
    const WORK_PER_FORK: u64 = 100;
    let _turn = turn();
    let dir = tempfile::tempdir().expect("a directory");
    let capture = Capture::new("parent");
    let builder = quiet().state_dir(dir.path().join("state")).ring_bytes_max(1 << 14);
    let ops = builder.backend(capture.clone()).start().expect("recording starts");
    let (ends, worked, forked) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let correlations = Correlation::new().id();
    std::thread::scope(|scope| {
        for thread in 0..3u64 {
            let (ends, worked, forked) = (&ends, &worked, &forked);
            scope.spawn(move || {
                let text = "x".repeat(6_000); // more than a ring's share: to the overflow queue, behind its lock
                for n in 0.. {
                    if ends.load(SeqCst) {
                        return;
                    }
                    work(n);
                    worked.fetch_add(1, SeqCst);
                    if n % 64 == thread {
                        info!("long {text}");
                    }
                    // As much as a test can hold, however long the children take: all of it is looked at in the end.
                    while n > (forked.load(SeqCst) + 1) * WORK_PER_FORK && !ends.load(SeqCst) {
                        std::thread::sleep(Duration::from_millis(1));
                    }
                }
            });
        }
        let flusher = scope.spawn(|| {
            while !ends.load(SeqCst) {
                ops.flush(Duration::from_millis(5));
                let _ = ops.stats();
                std::thread::sleep(Duration::from_millis(5)); // each flush closes windows, and so makes records
            }
        });
        let mut running = Vec::new();
        for number in 0..FORKS {
            running.push(in_child(|| child(number, &ops, dir.path())));
            forked.fetch_add(1, SeqCst);
            if running.len() >= 4 {
                assert_eq!(ended(running.remove(0)), 0, "before child {number}");
            }
        }
        let endings: Vec<_> = running.into_iter().map(ended).collect();
        ends.store(true, SeqCst);
        assert!(endings.iter().all(|status| *status == 0), "{endings:?}");
        flusher.join().expect("it ends");
    });
    assert!(ops.flush(SOON).complete);
    let stats = ops.stats();
    assert_balanced(&stats);
    // Nothing of the parent's is lost, but what its own threads recorded faster than it could be taken.
    let dropped: u64 = stats.books[0].rows.iter().map(ops_sdk::ledger::Row::dropped_total).sum();
    let all = worked.load(SeqCst);
    let events = capture.messages("parent ").len() as u64;
    assert!(events <= all && events + dropped >= all, "{events} of {all} events, {dropped} dropped");
    assert_eq!(capture.sum("worked") as u64, all, "counts are exact");
    assert!(capture.messages("child ").is_empty() && capture.messages("lost ").is_empty());

    let (mut every, mut count) = (BTreeSet::new(), 0);
    every.extend(ids(&capture).iter().map(ToString::to_string).chain([format!("c {correlations}")]));
    count += capture.taken().len() + 1;
    for number in 0..FORKS {
        let told = std::fs::read_to_string(dir.path().join(format!("{number}.ids"))).expect("a child's ids");
        count += told.lines().count();
        every.extend(told.lines().map(str::to_owned));
    }
    assert_eq!(every.len(), count, "no id of a record or a correlation comes twice");
}

#[test]
fn a_child_that_lives_on_does_not_keep_the_directory_nor_end_its_parents_recording() {
    let _turn = turn();
    let dir = tempfile::tempdir().expect("a directory");
    let capture = Capture::new("lock").answering([Answer::Hang]);
    let ops = quiet().state_dir(dir.path()).backend(capture.clone()).start().expect("recording starts");
    info!("first");
    let lives = AtomicBool::new(true);
    let child = in_child(|| {
        while lives.load(SeqCst) {
            std::thread::sleep(SOON); // until it is killed
        }
    });
    let quits = in_child(|| {
        let again = quiet().state_dir(dir.path()).backend(Capture::new("lock")).start();
        assert!(again.is_err(), "the parent has the directory");
    });
    assert_eq!(ended(quits), 0);
    capture.release();
    assert!(ops.flush(SOON).complete, "the parent goes on");
    info!("second");
    drop(ops);
    assert_eq!(capture.messages("").len(), 2);
    // The first child lives, and yet the directory is free.
    let mut owned = Some(
        quiet()
            .state_dir(dir.path())
            .shutdown_deadline(SOON * 2)
            .backend(Capture::new("lock"))
            .start()
            .expect("the lock is free"),
    );
    // And a child may drop the guard: nothing happens, at once, and the parent goes on.
    let drops = in_child(|| {
        drop(owned.take()); // nobody waits for its deadline, which is longer than a child is waited for
        let ops = quiet().backend(Capture::new("own")).start().expect("a recording of its own");
        info!("own");
        assert_eq!(ops.flush(SOON).delivered, 1);
    });
    assert_eq!(ended(drops), 0);
    let ops = owned.take().expect("the parent's guard");
    info!("third");
    assert!(ops.flush(SOON).complete);
    drop(ops);
    #[allow(unsafe_code)]
    // SAFETY: a child that was not waited for.
    unsafe {
        libc::kill(child, libc::SIGKILL)
    };
    assert_eq!(ended(child), libc::SIGKILL);
}

#[test]
fn children_of_children_and_calls_in_progress() {
    let _turn = turn();
    let capture = Capture::new("family");
    let ops = quiet().backend(capture.clone()).start().expect("recording starts");

    #[instrumented(in_flight)]
    fn forks(depth: u32) -> i32 {
        info!("depth {depth}");
        // The child returns from this call, too, where nobody reads what it records.
        let child = in_child(|| {
            let ops = quiet().backend(Capture::new("own")).start().expect("a recording of its own");
            info!("own {depth}");
            if depth > 0 {
                assert_eq!(forks(depth - 1), 0);
            }
            let report = ops.flush(SOON);
            assert!(report.complete && report.dropped == 0, "{report}");
            assert_balanced(&ops.stats());
        });
        ended(child)
    }
    assert_eq!(forks(20), 0);

    struct Forks;
    impl std::fmt::Display for Forks {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            #[allow(unsafe_code)]
            // SAFETY: the child goes on where its parent does, and ends soon.
            let child = unsafe { libc::fork() };
            f.write_str(&"text ".repeat(100))?;
            f.write_str(if child == 0 { "in the child" } else { "in the parent" })?;
            CHILD.store(child, SeqCst);
            Ok(())
        }
    }
    use std::sync::atomic::AtomicI32;
    static CHILD: AtomicI32 = AtomicI32::new(-1);
    info!("shown {text}", text = %Forks);
    if CHILD.load(SeqCst) == 0 {
        let ops = quiet().backend(Capture::new("own")).start();
        let well = ops.is_ok_and(|ops| {
            info!("after");
            ops.flush(SOON).delivered == 1
        });
        #[allow(unsafe_code)]
        // SAFETY: the process ends.
        unsafe {
            libc::_exit(i32::from(!well))
        };
    }
    assert_eq!(ended(CHILD.load(SeqCst)), 0);
    assert!(ops.flush(SOON).complete);
    assert_eq!(capture.messages("shown ").len(), 1);
    assert!(
        capture.messages("shown ")[0]["message"].as_str().is_some_and(|text| text.ends_with("in the parent"))
    );
    assert_eq!((capture.messages("depth ").len(), capture.messages("after").len()), (1, 0));
    assert_eq!(capture.sum("calls"), 1.0);
}

#[test]
fn a_childs_signals_are_its_own() {
    let _turn = turn();
    let capture = Capture::new("parent");
    let ops = quiet().on_signals(true).backend(capture.clone()).start().expect("recording starts");
    #[allow(unsafe_code)]
    // SAFETY: a process may send itself signals.
    let end_by = |signal| unsafe { libc::raise(signal) };
    // Without a recording of its own, and with one that heard the parent's guard dropped.
    let plain = in_child(|| {
        end_by(libc::SIGTERM);
    });
    assert_eq!(ended(plain), libc::SIGTERM);
    let mut parents = Some(ops);
    let own = in_child(|| {
        let own = Capture::new("child");
        let ops =
            quiet().on_signals(true).linger(SOON).backend(own.clone()).start().expect("recording starts");
        drop(parents.take());
        info!("told by the signal");
        // In a thread beside, so that the flush has somebody to be seen by.
        let seen = std::thread::spawn(move || while own.messages("told").is_empty() {});
        std::thread::spawn(move || end_by(libc::SIGINT));
        seen.join().expect("the signal flushes");
        std::thread::sleep(SOON); // until the signal ends it
        drop(ops);
    });
    assert_eq!(ended(own), libc::SIGINT);
    let ops = parents.take().expect("the parent's guard");
    info!("still here");
    assert!(ops.flush(SOON).complete);
    assert_eq!(capture.messages("").len(), 1, "recording was not ended by a child's signal");
}

#[test]
fn the_local_store_may_be_used_on_both_sides() {
    let _turn = turn();
    let dir = tempfile::tempdir().expect("a directory");
    let store = |name: &str| {
        let path = dir.path().join(name).into_os_string().into_string().expect("text");
        quiet().environment(move |variable| (variable == "OPS_LOCAL_PATH").then(|| path.clone()))
    };
    let ops = store("parent.db").start().expect("recording starts");
    let ends = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0u64.. {
                if ends.load(SeqCst) {
                    return;
                }
                info!("parent {n}");
                ops.flush(Duration::from_millis(20));
            }
        });
        let endings: Vec<_> = (0..40)
            .map(|number| {
                let path = format!("{number}.db");
                ended(in_child(|| {
                    let ops = store(&path).start().expect("recording starts");
                    info!("child {number}");
                    assert!(ops.flush(SOON).complete);
                }))
            })
            .collect();
        ends.store(true, SeqCst);
        assert!(endings.iter().all(|status| *status == 0), "{endings:?}");
    });
    assert!(ops.flush(SOON).complete);
    assert_balanced(&ops.stats());
    for number in 0..40 {
        let store =
            ops_sdk::store::Store::open(dir.path().join(format!("{number}.db"))).expect("a child's store");
        let all = ops_sdk::store::LogQuery { limit: 100, ..Default::default() };
        assert_eq!(store.logs(&all).expect("its events").len(), 1);
    }
}
