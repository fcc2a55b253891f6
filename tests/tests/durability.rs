//! `durability`: a thread of its own syncs the journal, callers and backends wait for nothing, and what was not delivered
//! is there at the next start; without it there is no such thread.

use std::path::Path;
use std::time::Duration;

use ops_sdk::prelude::*;
use ops_sdk::{Builder, Durability};
use ops_tests::capture::{Answer, Capture};
use ops_tests::{SOON, assert_balanced, turn, wait_until, wait_until_recorded};

fn builder(dir: &Path, variable: Option<&'static str>) -> Builder {
    let var = move |name: &str| variable.filter(|_| name == "OPS_DURABILITY").map(str::to_owned);
    ops_sdk::init().environment(var).linger(Duration::from_millis(1)).state_dir(dir)
}

/// Whether this process has a thread of this name, as the kernel tells it.
fn has_thread(name: &str) -> bool {
    let tasks = std::fs::read_dir("/proc/self/task").expect("the kernel's list of threads");
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.into_iter().any(|comm| comm.trim() == name)
}

/// Waits until a thread is there, or is not.
fn wait_for_thread(name: &str, there: bool) {
    wait_until(&format!("the thread {name} is there: {there}"), || has_thread(name) == there);
}

#[test]
fn what_is_synced_in_groups_is_kept_while_a_backend_hangs_and_delivered_by_the_next_start() {
    let _turn = turn();
    let every = Durability::PowerLoss { every: Duration::from_millis(2) };
    for (set, variable) in [(Some(every), None), (None, Some("power-loss:2")), (None, Some("process-crash"))]
    {
        let dir = tempfile::tempdir().expect("a directory");
        let syncs = variable != Some("process-crash");
        let stuck = Capture::new("one").answering([Answer::Hang]);
        let with = |builder: Builder| set.into_iter().fold(builder, Builder::durability);
        let ops =
            with(builder(dir.path(), variable)).backend(stuck.clone()).start().expect("recording starts");
        for n in 0..500 {
            info!("event {n}");
            counter!("events", 1);
            if n % 100 == 0 {
                let _ = ops.flush(Duration::from_millis(5));
            }
        }
        wait_for_thread("ops-sync", syncs);
        assert_balanced(&ops.stats());
        wait_until_recorded(&ops, 500);
        let report = ops.shutdown(Duration::from_millis(50));
        assert!(report.spooled >= 500, "{report:?}");
        wait_for_thread("ops-sync", false); // it ends with the recording
        stuck.release();

        let next = Capture::new("one");
        let ops =
            with(builder(dir.path(), variable)).backend(next.clone()).start().expect("recording starts");
        assert!(ops.flush(SOON).complete);
        assert_balanced(&ops.stats());
        drop(ops);
        assert_eq!(next.messages("event ").len(), 500);
        assert!((next.sum("events") - 500.0).abs() < 1e-9);
    }
}

#[test]
fn segments_give_their_room_back_when_the_process_ends() {
    let _turn = turn();
    let dir = tempfile::tempdir().expect("a directory");
    let stuck = Capture::new("one").answering([Answer::Hang]);
    let ops = builder(dir.path(), None).backend(stuck.clone()).start().expect("recording starts");
    let bytes = || {
        let files = std::fs::read_dir(dir.path().join("journal")).expect("the journal's folder");
        let sizes = files.filter_map(|file| Some(file.ok()?.metadata().ok()?.len()));
        sizes.sum::<u64>()
    };
    info!("one event");
    wait_until("blocks are there before frames are", || bytes() == 64 << 10);
    let _ = ops.shutdown(Duration::from_millis(20));
    assert!((1..4096).contains(&bytes()), "{} bytes", bytes());
    stuck.release();
}

#[test]
fn a_durability_that_is_none_is_told_with_those_that_are() {
    let _turn = turn();
    let dir = tempfile::tempdir().expect("a directory");
    let started = builder(dir.path(), Some("power-loss:never")).backend(Capture::new("one")).start();
    let said = started.err().map_or_else(String::new, |error| error.to_string());
    let expected = "OPS_DURABILITY: \"power-loss:never\" is no durability; use process-crash, power-loss";
    assert!(said.starts_with(expected), "{said}");
}
