//! kill -9 at any moment: whatever a macro has returned from is delivered by the next start, once. Events from rings and
//! from the queue of those that no ring holds, counters, histograms and calls of the window that was open; also where
//! the process was killed while the flush thread had taken something and the journal did not have it, and where the
//! process that recovers is killed over it.
//!
//! The process that is killed says how far it has come by writing to a file after each step, which outlives it as well.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ops_sdk::prelude::*;
use ops_tests::capture::{Answer, Capture};
use ops_tests::{SOON, assert_balanced, wait_until};

const ROUNDS: u64 = 32;
const STATE_DIR: &str = "OPS_TEST_CRASH_DIR";
const ENDING: &str = "OPS_TEST_CRASH_ENDING";
const RING_BYTES: usize = 1 << 13;
/// What no child fills before it is killed, should its flush thread not come to run.
const OVERFLOW_BYTES: usize = 64 << 20;
/// More than the share of such a ring that one event may take.
const LONG_BYTES: usize = 3000;

/// One process records once at a time.
static TURN: Mutex<()> = Mutex::new(());

fn begin(dir: &Path, capture: &Capture) -> ops_sdk::Ops {
    let builder = ops_sdk::init().environment(|_| None).linger(Duration::from_millis(1)).levels("debug");
    let builder =
        builder.ring_bytes_max(RING_BYTES).overflow_bytes_max(OVERFLOW_BYTES).shutdown_deadline(SOON);
    builder.state_dir(dir).backend(capture.clone()).start().expect("recording starts")
}

#[instrumented]
fn step(n: u64) -> Result<u64, String> {
    if n.is_multiple_of(3) { Err("every third".to_owned()) } else { Ok(n) }
}

/// Records the next step, of every kind.
fn record(n: u64, long: &str) {
    info!("event {n}", n = n);
    if n.is_multiple_of(50) {
        info!("long {n} {text}", n = n, text = long);
    }
    counter!("steps", 1);
    counter!("fine", 1, resolution = high);
    counter!("kinds", 1, "Kind" => ["odd", "even"][(n % 2) as usize]);
    histogram!("sizes", (n % 10) as f64);
    let _ = step(n);
}

/// Not a test by itself: the process that ends badly.
#[test]
fn child() {
    let Some(dir) = std::env::var_os(STATE_DIR) else { return };
    let dir = Path::new(&dir);
    let open = OpenOptions::new().create(true).write(true).truncate(false).open(dir.join("progress"));
    let progress = open.expect("a file");
    let stuck = Capture::new("crash").answering([Answer::Hang]);
    let _ops = begin(dir, &stuck);
    let (long, ending) = ("x".repeat(LONG_BYTES), std::env::var(ENDING).ok());
    for n in 0.. {
        match ending.as_deref() {
            Some("abort") if n == 2000 => std::process::abort(),
            Some("exit") if n == 2000 => std::process::exit(3), // no destructor runs
            _ => {}
        }
        record(n, &long);
        progress.write_all_at(&(n + 1).to_le_bytes(), 0).expect("written");
        if n % 64 == 63 {
            std::thread::sleep(Duration::from_micros(700)); // as fast as rings and queue hold it
        }
    }
}

fn spawn(dir: &Path, ending: &str) -> Child {
    this_test(dir, "child").env(ENDING, ending).spawn().expect("the child starts")
}

/// This program, to run one of the tests that are none by themselves.
fn this_test(dir: &Path, name: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this test"));
    command.args(["--exact", name, "--nocapture"]).env(STATE_DIR, dir);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// How many steps have returned.
fn returned(dir: &Path) -> u64 {
    let mut bytes = [0; 8];
    let read = File::open(dir.join("progress")).and_then(|file| file.read_exact_at(&mut bytes, 0));
    read.map_or(0, |()| u64::from_le_bytes(bytes))
}

fn wait_until_it_has_come(dir: &Path, steps: u64) {
    wait_until(&format!("the child comes to {steps}"), || returned(dir) >= steps);
}

/// Starts once more and holds what is delivered against what had returned.
fn judge(dir: &Path, what: &str) {
    let steps = returned(dir);
    let capture = Capture::new("crash");
    let ops = begin(dir, &capture);
    assert!(ops.flush(SOON).complete);
    assert_balanced(&ops.stats());
    let numbers = |start: &str| -> Vec<u64> {
        capture.messages(start).iter().filter_map(|line| line["n"].as_u64()).collect()
    };
    let mut events = numbers("event ");
    assert!(events.len() as u64 >= steps, "{what}: {} events of {steps}", events.len());
    events.sort_unstable();
    let whole: Vec<u64> = (0..events.len() as u64).collect();
    assert!(events == whole, "{what}: each once, none missing before the last");
    assert!(events.len() as u64 <= steps + 1, "{what}: none that was not recorded");
    let long = numbers("long ").len() as u64;
    assert!((steps.div_ceil(50)..=(steps + 1).div_ceil(50)).contains(&long), "{what}: {long} long ones");
    let within = |name: &str, at_least: u64, at_most: u64| {
        let sum = capture.sum(name);
        assert!(
            (at_least as f64..=at_most as f64).contains(&sum),
            "{what}: {name} {sum} of {at_least}..={at_most}"
        );
    };
    for name in ["steps", "fine", "kinds"] {
        within(name, steps, steps + 1);
    }
    let sizes = |steps: u64| (0..steps).map(|n| n % 10).sum::<u64>();
    within("sizes", sizes(steps), sizes(steps + 1));
    within("calls", steps, steps + 1);
    within("errors", steps.div_ceil(3), (steps + 1).div_ceil(3));
    drop(ops);
    assert!(!dir.join("arena").exists(), "{what}: nothing is left behind");
}

#[test]
fn what_a_macro_has_returned_from_outlives_kill_9() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    for round in 0..ROUNDS {
        let dir = tempfile::tempdir().expect("a directory");
        let mut child = spawn(dir.path(), "");
        wait_until_it_has_come(dir.path(), round * round * 7);
        std::thread::sleep(Duration::from_micros(round * 397 % 5000));
        child.kill().expect("SIGKILL");
        child.wait().expect("it is gone");
        // The one that recovers is killed over it, sooner and later.
        for again in 0..round % 3 {
            let mut child = this_test(dir.path(), "idle").spawn().expect("the child starts");
            std::thread::sleep(Duration::from_millis(2 + (again * 7 + round * 3) % 25));
            child.kill().expect("SIGKILL");
            child.wait().expect("it is gone");
        }
        judge(dir.path(), &format!("round {round}"));
    }
}

/// Not a test by itself: a process that recovers what is there, goes on without recording, and is killed.
#[test]
fn idle() {
    let Some(dir) = std::env::var_os(STATE_DIR) else { return };
    let stuck = Capture::new("crash").answering([Answer::Hang]);
    let _ops = begin(dir.as_ref(), &stuck);
    std::thread::sleep(SOON);
}

/// Not a test by itself: a unit of work that has failed, one that goes on, and one that ended well; then an abort.
#[test]
fn holding() {
    let Some(dir) = std::env::var_os(STATE_DIR) else { return };
    let stuck = Capture::new("crash").answering([Answer::Hang]);
    let ops = begin(dir.as_ref(), &stuck);
    for unit in 0..3u64 {
        let mut held = ops_sdk::hold(ops_sdk::Level::Debug);
        for n in 0..100u64 {
            debug!("held {n} of {unit}", n = n, unit = unit);
        }
        match unit {
            0 => held.failed(),
            1 => drop(held),
            _ => std::mem::forget(held),
        }
        // Each is taken out of the rings before the next begins, and those of the last wait for its end.
        let _ = ops.flush(Duration::from_millis(30));
    }
    std::process::abort();
}

#[test]
fn what_a_unit_of_work_held_back_that_had_not_ended_is_delivered() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = tempfile::tempdir().expect("a directory");
    let mut child = this_test(dir.path(), "holding").spawn().expect("the child starts");
    assert!(!child.wait().expect("it aborts").success());
    let capture = Capture::new("crash");
    let ops = begin(dir.path(), &capture);
    assert!(ops.flush(SOON).complete);
    assert_balanced(&ops.stats());
    let of = |unit: u64| capture.messages("held ").iter().filter(|line| line["unit"] == unit).count();
    assert_eq!([of(0), of(1), of(2)], [100, 0, 100], "its process failed, and so did the last unit");
}

#[test]
fn abort_and_an_exit_without_destructors_lose_nothing_either() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    for ending in ["abort", "exit"] {
        let dir = tempfile::tempdir().expect("a directory");
        let status = spawn(dir.path(), ending).wait().expect("it ends by itself");
        assert!(!status.success());
        assert_eq!(returned(dir.path()), 2000);
        judge(dir.path(), ending);
    }
}
