//! A wall clock that jumps a year forward, comes back and goes back further: nothing expires by it, every event arrives
//! once, counts are exact, windows stay windows, and each jump is told. In a process of its own, whose wall clock is
//! libfaketime's.
//!
//! Needs the Debian package `faketime`; `tests/run` installs it, and where it cannot, says so and sets
//! `OPS_WITHOUT_FAKETIME`.
#![cfg(target_os = "linux")]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ops_sdk::prelude::*;
use ops_tests::capture::{Answer, Capture};
use ops_tests::{SOON, assert_balanced, wait_until};
use serde_json::Value;

const CHILD: &str = "OPS_TEST_CLOCK";
const YEAR_S: f64 = 365.0 * 24.0 * 3600.0;

/// Not a test by itself: the process whose clock jumps. Records ten events for each line that it reads, while its
/// backend hangs, and prints everything that was delivered in the end.
#[test]
fn child() {
    let Some(dir) = std::env::var_os(CHILD) else { return };
    let stuck = Capture::new("clock").answering([Answer::Hang]);
    let builder = ops_sdk::init().environment(|_| None).linger(Duration::from_millis(1)).state_dir(dir);
    let seen = Capture::new("seen");
    let ops = builder.backend(stuck.clone()).backend(seen.clone()).start().expect("recording starts");
    println!("\nready");
    let mut n = 0_u64;
    for _ in std::io::stdin().lines() {
        for _ in 0..10 {
            info!("event {n}");
            counter!("ticked", 1, resolution = high);
            counter!("counted", 1);
            n += 1;
        }
        // Nothing is settled by the backend that hangs.
        assert!(!ops.flush(Duration::from_millis(50)).complete);
        // The flush thread looks at the clock in each of its rounds: once another one has begun than that which took
        // the events, it has seen this time.
        for last in [format!("event {}", n - 1), format!("mark {n}")] {
            wait_until(&last, || !seen.messages(&last).is_empty());
            info!("mark {n}");
        }
        println!("\nready");
    }
    stuck.release();
    assert!(ops.flush(SOON).complete);
    assert_balanced(&ops.stats());
    let dropped: u64 = ops.stats().books[0].rows.iter().map(ops_sdk::ledger::Row::dropped_total).sum();
    assert_eq!(dropped, 0, "{:?}", ops.stats());
    stuck.lines().iter().for_each(|line| println!("\nline {line}"));
}

/// The library that stands before the system's clock.
fn library() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").expect("a system").map_while(Result::ok);
    let places = folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"));
    let found = places.chain(["/usr/lib/faketime/libfaketimeMT.so.1".into()]).find(|place| place.exists());
    found.expect("the package faketime: install it, or set OPS_WITHOUT_FAKETIME")
}

fn spawn(dir: &Path, offset: &Path) -> Child {
    let mut child = Command::new(std::env::current_exe().expect("this test"));
    child.args(["--exact", "child", "--nocapture"]).env(CHILD, dir.join("state"));
    child.env("LD_PRELOAD", library()).env("FAKETIME_TIMESTAMP_FILE", offset);
    child.env("FAKETIME_NO_CACHE", "1").env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("NO_FAKE_STAT", "1");
    child.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the child starts")
}

/// The lines that a process delivered whose clock was moved by these offsets, ten events at each.
fn moved(offsets: &[&str]) -> Vec<Value> {
    let dir = tempfile::tempdir().expect("a directory");
    let offset = dir.path().join("offset");
    std::fs::write(&offset, offsets[0]).expect("an offset");
    let mut child = spawn(dir.path(), &offset);
    let mut input = child.stdin.take().expect("its input");
    let mut lines = BufReader::new(child.stdout.take().expect("its words")).lines().map_while(Result::ok);
    let mut ready = || assert!(lines.any(|line| line == "ready"), "the child lives");
    ready();
    for text in offsets {
        // In one step, so that the library never reads half of it.
        let next = dir.path().join("next");
        std::fs::write(&next, text).and_then(|()| std::fs::rename(&next, &offset)).expect("an offset");
        input.write_all(b"\n").expect("the child listens");
        ready();
    }
    drop(input);
    let told: Vec<_> = lines.filter_map(|line| line.strip_prefix("line ").map(str::to_owned)).collect();
    assert!(child.wait().expect("it ends").success());
    told.iter().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn sum(lines: &[Value], name: &str) -> f64 {
    let metrics = lines.iter().filter(|line| line["signal"] == "metric" && line["name"] == name);
    metrics.filter_map(|line| line["sum"].as_f64()).sum()
}

#[test]
fn a_clock_that_jumps_loses_nothing_and_is_told() {
    if std::env::var_os("OPS_WITHOUT_FAKETIME").is_some() {
        return;
    }
    // What the backend has in its hands does not expire, so some has to wait behind that.
    let lines = moved(&["+0d", "+0d", "+365d", "+0d", "-2h", "+0d"]);
    let events =
        lines.iter().filter(|line| line["message"].as_str().is_some_and(|m| m.starts_with("event ")));
    let mut numbers: Vec<_> = events.filter_map(|line| line["n"].as_u64()).collect();
    numbers.sort_unstable(); // the backend asks for the order of the stamps
    assert_eq!(numbers, (0..60).collect::<Vec<_>>(), "each once, whatever its stamp");
    assert_eq!((sum(&lines, "counted"), sum(&lines, "ticked")), (60.0, 60.0));

    let mut jumps: Vec<_> = lines.iter().filter_map(|line| line["jump_seconds"].as_f64()).collect();
    jumps.sort_by(f64::total_cmp);
    let expected = [-YEAR_S, -7_200.0, 7_200.0, YEAR_S];
    assert_eq!(jumps.len(), expected.len(), "{jumps:?}");
    assert!(jumps.iter().zip(expected).all(|(jump, expected)| (jump - expected).abs() < 1.0), "{jumps:?}");
    let warned = lines.iter().filter(|line| line["jump_seconds"].is_f64() && line["level"] == "WARN");
    assert_eq!(warned.count(), jumps.len());
    let told = sum(&lines, "ops_sdk.clock_jump_seconds");
    assert!((told - 2.0 * (YEAR_S + 7_200.0)).abs() < 4.0, "{told}");
}
