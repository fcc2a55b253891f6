//! Waiting for what other threads, processes and servers do, for as long as a busy machine may take over it. Patience ends
//! only where something hangs: no test fails because it was slow, and none that succeeds waits longer than it has to.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use ops_sdk::Ops;
use ops_sdk::clock::Now;
use ops_sdk::ledger::Book;

/// What a flush, a server or a child is given: only what hangs takes as long.
pub const SOON: Duration = Duration::from_secs(180);
const LOOK_AGAIN: Duration = Duration::from_millis(2);
/// More than any machine takes from the first macro of a test to its flush.
const ROOM: Duration = Duration::from_secs(15);
/// The flush thread ends a window when it looks at the clock next, which takes as long on a busy machine.
const LATE: Duration = Duration::from_secs(3);
const MINUTE: Duration = Duration::from_secs(60);

/// Waits until it is so.
///
/// # Panics
///
/// If patience ends before: with what was waited for.
#[track_caller]
pub fn wait_until(what: &str, mut is: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is() {
        assert!(began.elapsed() < SOON, "waited {SOON:?} in vain: {what}");
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// Waits until the books of some backend know of so many records: what threads have recorded
/// has left the arena, then.
///
/// # Panics
///
/// If patience ends before.
#[track_caller]
pub fn wait_until_recorded(ops: &Ops, records: u64) {
    let recorded = |book: &Book| book.rows.iter().map(|row| row.recorded).sum::<u64>();
    let known = || ops.stats().books.iter().any(|book| recorded(book) >= records);
    wait_until("what was recorded is in the books", known);
}

/// Runs a program that stays until its input ends, and ends that once it has said so many lines on stderr.
///
/// # Panics
///
/// If it does not run.
pub fn output_once_said(command: &mut Command, lines: usize) -> Output {
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().expect("the program runs");
    let (mut from, mut said) = (BufReader::new(child.stderr.take().expect("its words")), Vec::new());
    (0..lines).for_each(|_| _ = from.read_until(b'\n', &mut said).expect("its words"));
    drop(child.stdin.take());
    // Of stdout there is less than a pipe holds.
    from.read_to_end(&mut said).expect("its words");
    let output = child.wait_with_output().expect("it ends");
    Output { stderr: said, ..output }
}

/// Waits until a minute of the wall clock has begun for the flush thread too, and is not nearly over. Metrics are told
/// by the minute: what is recorded and flushed from here on is one record of each series, and not two because a minute
/// went by.
pub fn early_in_a_minute() {
    std::thread::sleep(until_early(Now::read().unix_ms()));
}

fn until_early(unix_ms: u64) -> Duration {
    let gone = Duration::from_millis(unix_ms % 60_000);
    match MINUTE - gone {
        left if left < ROOM => left + LATE,
        _ => LATE.saturating_sub(gone),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_so_is_waited_for_and_no_longer() {
        let mut looks = 0;
        wait_until("the third look", || {
            looks += 1;
            looks == 3
        });
        assert_eq!(looks, 3);
    }

    #[test]
    fn a_minute_that_has_just_begun_or_is_nearly_over_is_not_begun_in() {
        let table = [(0, 3_000), (1, 2_999), (3_000, 0), (45_000, 0), (45_001, 17_999), (59_999, 3_001)];
        for (at, wait) in table {
            assert_eq!(until_early(7 * 60_000 + at), Duration::from_millis(wait), "{at}");
        }
    }
}
