//! kill -9 at any moment: what had reached the journal is delivered by the next start, byte for byte and in order. The
//! known gap is what lay in the rings and in open metric windows: the events of the last 10 ms or so, which a mapped
//! arena will close. The child therefore says how far it has come only after its events had the time to be drained.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use ops_sdk::prelude::*;
use ops_tests::assert_balanced;
use ops_tests::capture::{Answer, Capture};

const ROUNDS: u64 = 24;
const STATE_DIR: &str = "OPS_TEST_CRASH_DIR";

fn begin(dir: &std::path::Path, capture: &Capture) -> ops_sdk::Ops {
    let builder = ops_sdk::init().environment(|_| None).linger(Duration::from_millis(1));
    builder.state_dir(dir).backend(capture.clone()).start().expect("recording starts")
}

/// Not a test by itself: the process that is killed. Writes the number of events that the journal has, line by line.
#[test]
fn child() {
    let Some(dir) = std::env::var_os(STATE_DIR) else { return };
    let stuck = Capture::new("crash").answering([Answer::Hang]);
    let ops = begin(dir.as_ref(), &stuck);
    let mut n = 0u64;
    loop {
        for _ in 0..50 {
            info!("event {n}");
            n += 1;
        }
        // A flush drains the rings first and then waits for the backend, which never answers.
        let _ = ops.flush(Duration::from_millis(2));
        let logs: u64 = ops.stats().books[0].rows.iter().map(|row| row.recorded).sum();
        println!("\nreached {}", logs.min(n));
    }
}

#[test]
fn what_reached_the_journal_outlives_kill_9() {
    let mut gap_max = 0;
    for round in 0..ROUNDS {
        let dir = tempfile::tempdir().expect("a directory");
        let exe = std::env::current_exe().expect("this test");
        let mut child = Command::new(exe)
            .args(["--exact", "child", "--nocapture"])
            .env(STATE_DIR, dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the child starts");
        let lines = BufReader::new(child.stdout.take().expect("its words")).lines().map_while(Result::ok);
        let reached = lines.filter_map(|line| line.strip_prefix("reached ")?.parse::<u64>().ok());
        let mut rest = reached.skip(usize::try_from(round % 8).expect("a small number"));
        let known = rest.next().expect("the child comes so far");
        std::thread::sleep(Duration::from_micros(round * 397 % 5000));
        child.kill().expect("SIGKILL");
        child.wait().expect("it is gone");
        let known = rest.last().unwrap_or(known);

        let capture = Capture::new("crash");
        let ops = begin(dir.path(), &capture);
        assert!(ops.flush(Duration::from_secs(30)).complete);
        assert_balanced(&ops.stats());
        let numbers: Vec<u64> =
            capture.messages("event ").iter().filter_map(|line| line["n"].as_u64()).collect();
        let whole: Vec<u64> = (0..numbers.len() as u64).collect();
        assert_eq!(numbers, whole, "each once, in order, none missing before the last");
        assert!(numbers.len() as u64 + 50 >= known, "{} of {known} in round {round}", numbers.len());
        gap_max = gap_max.max(known.saturating_sub(numbers.len() as u64));
    }
    println!("at most {gap_max} events that were still in the rings");
}
