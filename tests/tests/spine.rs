//! From macros to the seam: what is recorded arrives, whatever the backend answers, and the books balance.
//! The counterpart is [`Capture`], a fake; the tests of each backend speak to real servers.

use std::time::{Duration, Instant};

use ops_sdk::backend::{Refusal, Verdict};
use ops_sdk::ledger::Loss;
use ops_sdk::model::Signal;
use ops_sdk::prelude::*;
use ops_sdk::{Builder, Error, Ops};
use ops_tests::capture::{Answer, Capture};
use ops_tests::{SOON, assert_balanced, early_in_a_minute, turn, wait_until, wait_until_recorded};

fn quiet() -> Builder {
    ops_sdk::init().environment(|_| None).linger(Duration::from_millis(5))
}

fn start(capture: &Capture) -> Ops {
    quiet().namespace("Test").backend(capture.clone()).start().expect("recording starts")
}

fn refusal(why: &str) -> Refusal {
    Refusal { loss: Loss::Refused, why: why.to_owned() }
}

#[instrumented]
fn charge(amount: u32) -> Result<u32, String> {
    if amount.is_multiple_of(10) { Err(format!("declined {amount}")) } else { Ok(amount) }
}

#[instrumented]
async fn settle(amount: u32) -> Option<u32> {
    std::future::ready(()).await;
    amount.checked_sub(1)
}

#[test]
fn what_is_recorded_on_many_threads_arrives_exactly() {
    let _turn = turn();
    let capture = Capture::new("exact");
    let ops = start(&capture);
    std::thread::scope(|scope| {
        for thread in 0..8u32 {
            scope.spawn(move || {
                for n in 1..=1000u32 {
                    let _ = charge(n);
                    counter!("orders", 2, "Thread" => thread % 2);
                    histogram!("payload", n, unit = Bytes);
                    info!("order {n} of {thread}", order.id = n);
                }
                gauge!("depth", thread);
            });
        }
    });
    let report = ops.flush(SOON);
    assert!(report.complete, "{report:?}");
    assert_balanced(&ops.stats());
    assert_eq!(capture.sum("calls"), 8000.0);
    assert_eq!(capture.sum("errors"), 800.0);
    assert_eq!(capture.sum("orders"), 16_000.0);
    assert_eq!(capture.sum("payload"), 8.0 * 500_500.0);
    let calls = capture.metrics("duration");
    assert!(calls.iter().all(|line| line["dimensions"]["Function"] == "spine::charge"));
    assert_eq!(calls.iter().filter_map(|line| line["count"].as_u64()).sum::<u64>(), 8000);
    let mut orders: Vec<_> =
        capture.messages("order ").iter().map(|line| line["message"].to_string()).collect();
    assert_eq!(orders.len(), 8000);
    orders.sort();
    orders.dedup();
    assert_eq!(orders.len(), 8000);
    assert!(capture.pushes().iter().all(|bytes| *bytes <= 32_768));
}

#[test]
fn a_future_is_measured_and_one_that_is_dropped_is_told_apart() {
    let _turn = turn();
    let capture = Capture::new("async");
    let ops = start(&capture);
    let waker = std::task::Waker::noop();
    let mut context = std::task::Context::from_waker(waker);
    let mut done = std::pin::pin!(settle(3));
    assert!(done.as_mut().poll(&mut context).is_ready());

    #[instrumented]
    async fn never() {
        std::future::pending::<()>().await;
    }
    let mut dropped = Box::pin(never());
    assert!(dropped.as_mut().poll(&mut context).is_pending());
    drop(dropped);
    assert!(ops.flush(SOON).complete);
    assert_eq!(capture.sum("calls"), 2.0);
    assert_eq!(capture.sum("cancelled"), 1.0);
    assert_eq!(capture.sum("errors"), 0.0);
}

#[test]
fn nothing_is_recorded_or_evaluated_while_off() {
    let _turn = turn();
    let mut evaluated = false;
    counter!("off", {
        evaluated = true;
        1u64
    });
    info!(
        "off {x}",
        x = {
            evaluated = true;
            1
        }
    );
    assert!(!evaluated);
    let capture = Capture::new("off");
    let ops = quiet().backend(capture.clone()).level(ops_sdk::Level::Warn).start().expect("recording starts");
    info!("below the level");
    warn!("at the level");
    assert!(ops.flush(SOON).complete);
    assert_eq!(capture.messages("below").len(), 0);
    assert_eq!(capture.messages("at").len(), 1);
}

#[test]
fn every_answer_of_a_server_leaves_the_books_balanced() {
    let _turn = turn();
    let retry =
        || Answer::Say(Verdict::Retry { after: Some(Duration::from_millis(1)), why: "busy".to_owned() });
    let half = |len: usize| Verdict::Partial {
        failed: (0..len).filter(|i| i % 2 == 1).collect(),
        refused: vec![(0, refusal("the first"))],
    };
    let answers = [
        retry(),
        Answer::Say(Verdict::Halve),
        Answer::Panic,
        Answer::Say(Verdict::Reauthenticate { why: "expired".to_owned() }),
        Answer::Take(|index| index % 2 == 0 && index > 0, half),
        retry(),
    ];
    let capture = Capture::new("answers").accepting(|signal| signal == Signal::Log).answering(answers);
    // All of it waits for the flush, so that every push is one that can be halved.
    let ops = quiet().linger(SOON).backend(capture.clone()).start().expect("recording starts");
    early_in_a_minute(); // at whose end the loss is told, in one more event
    (0..1000).for_each(|n| info!("event {n}"));
    assert!(ops.flush(SOON).complete);
    let stats = ops.stats();
    assert_balanced(&stats);
    let row = &stats.books[0].rows[0];
    assert_eq!((row.recorded, row.delivered, row.dropped_total()), (1000, 999, 1));
    let mut ids: Vec<_> = capture.taken().into_iter().map(|(id, _)| id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!((capture.taken().len(), ids.len()), (999, 999), "nothing is sent again that was delivered");
}

#[test]
fn an_event_over_the_limit_arrives_in_parts_that_join_again() {
    let _turn = turn();
    let capture = Capture::new("long");
    let ops = start(&capture);
    let text = "ünïcödé ".repeat(20_000);
    info!("long {text}");
    assert!(ops.flush(SOON).complete);
    assert!(capture.pushes().iter().all(|bytes| *bytes <= 32_768));
    let lines = capture.taken().into_iter().map(|(_, line)| line);
    let joined = ops_sdk::parts::join(lines).expect("whole events");
    let whole: Vec<_> = joined.iter().filter(|event| event.bytes.len() > text.len()).collect();
    assert_eq!(whole.len(), 1);
    let line: serde_json::Value = serde_json::from_slice(&whole[0].bytes).expect("JSON");
    assert_eq!(line["message"], format!("long {text}"));
    assert_balanced(&ops.stats());
}

#[test]
fn after_a_flush_records_wait_again_for_others_to_share_their_push() {
    let _turn = turn();
    let capture = Capture::new("linger").accepting(|signal| signal == Signal::Log);
    let ops = quiet().linger(SOON).backend(capture.clone()).start().expect("recording starts");
    info!("alone");
    assert!(ops.flush(SOON).complete);
    info!("first");
    std::thread::sleep(Duration::from_millis(200)); // time to be pushed alone, if that were so
    info!("second");
    assert!(ops.flush(SOON).complete);
    assert_eq!((capture.taken().len(), capture.pushes().len()), (3, 2));
}

#[test]
fn a_backend_that_hangs_blocks_neither_callers_nor_other_backends_nor_the_end() {
    let _turn = turn();
    let stuck = Capture::new("stuck").answering([Answer::Hang]);
    let well = Capture::new("well");
    let ops = quiet().backend(stuck.clone()).backend(well.clone()).start().expect("recording starts");
    info!("first");
    wait_until("a push hangs", || stuck.hangs());
    (0..5000).for_each(|n| info!("event {n}"));
    let report = ops.flush(Duration::from_millis(500));
    assert!(!report.complete);
    wait_until("the other has them", || well.messages("event").len() >= 5000);
    assert_eq!(well.messages("event").len(), 5000);
    assert_eq!(stuck.messages("event").len(), 0);
    assert_balanced(&ops.stats());
    let began = Instant::now();
    let report = ops.shutdown(Duration::from_millis(200));
    assert!(began.elapsed() < SOON, "the end keeps its deadline");
    assert!(report.pending >= 5001, "{report:?}");
    stuck.release();
}

#[test]
fn what_is_not_delivered_waits_in_the_state_directory_for_the_next_start() {
    let _turn = turn();
    let dir = tempfile::tempdir().expect("a directory");
    let stuck = Capture::new("spool").answering([Answer::Hang]);
    let begin = |capture: &Capture| quiet().state_dir(dir.path()).backend(capture.clone()).start();
    let ops = begin(&stuck).expect("recording starts");
    (0..3000).for_each(|n| info!("event {n}"));
    wait_until_recorded(&ops, 3000);
    let report = ops.shutdown(Duration::from_millis(300));
    assert_eq!((report.spooled, report.pending, report.dropped), (3000, 0, 0));
    assert_eq!(stuck.taken().len(), 0);

    let next = Capture::new("spool");
    let ops = begin(&next).expect("recording starts again");
    assert!(ops.flush(SOON).complete);
    assert_balanced(&ops.stats());
    let row = ops.stats().books[0]
        .rows
        .iter()
        .find(|row| row.signal == Signal::Log)
        .cloned()
        .expect("a row of logs");
    assert_eq!((row.recorded, row.delivered), (3000, 3000));
    let numbers: Vec<_> = next.messages("event").iter().map(|line| line["n"].as_i64()).collect();
    assert_eq!(numbers, (0..3000).map(Some).collect::<Vec<_>>(), "all of it, once, in order");
    stuck.release();
}

#[test]
fn what_a_server_refuses_is_kept_with_the_reason() {
    let _turn = turn();
    let dir = tempfile::tempdir().expect("a directory");
    let refused = Answer::Say(Verdict::Refuse(refusal("not in this stream")));
    let capture = Capture::new("refusing").accepting(|signal| signal == Signal::Log).answering([refused]);
    let ops = quiet().state_dir(dir.path()).backend(capture.clone()).start().expect("recording starts");
    info!("unwanted", order.id = 7);
    assert!(ops.flush(SOON).complete);
    let stats = ops.stats();
    assert_balanced(&stats);
    assert_eq!(stats.books[0].rows[0].dead_lettered, 1);
    let letters =
        std::fs::read_to_string(dir.path().join("dead-letter/refusing.jsonl")).expect("the letters");
    assert!(letters.contains("not in this stream") && letters.contains("unwanted"), "{letters}");
}

#[test]
fn at_the_bound_of_the_journal_the_oldest_goes_and_is_counted_and_said() {
    let _turn = turn();
    let stuck = Capture::new("full").answering([Answer::Hang]);
    let ops = quiet().backend(stuck.clone()).journal_bytes_max(1 << 20).start().expect("recording starts");
    let text = "x".repeat(1000);
    for _ in 0..5 {
        (0..1000).for_each(|n| info!("event {n} {text}"));
        ops.flush(Duration::from_millis(50));
    }
    stuck.release();
    assert!(ops.flush(SOON).complete);
    let stats = ops.stats();
    assert_balanced(&stats);
    let dropped: u64 = stats.books[0].rows.iter().map(ops_sdk::ledger::Row::dropped_total).sum();
    assert!(dropped > 3000, "{stats:?}");
    let delivered = stuck.messages("event").len() as u64;
    assert!(
        delivered < 5000 && delivered + dropped >= 5000,
        "{delivered} and {dropped}, lines about losses included"
    );
    assert!(!stuck.messages("event 999").is_empty(), "the newest stays");
    assert!(ops.flush(SOON).complete);
    let said = stuck.lines().iter().filter(|line| line["reason"] == "journal_full").count();
    assert!(said > 0, "a loss is said in the stream itself");
}

#[test]
fn a_bad_start_names_the_setting_and_records_nothing() {
    let _turn = turn();
    let capture = Capture::new("never");
    let failed = quiet().namespace("AWS/EC2").backend(capture.clone()).start();
    let Err(error) = failed else { panic!("a reserved namespace starts") };
    assert!(error.to_string().starts_with("OPS_NAMESPACE / .namespace(..): "), "{error}");

    let dir = tempfile::tempdir().expect("a directory");
    let ops = quiet().state_dir(dir.path()).backend(capture.clone()).start().expect("recording starts");
    let again = quiet().backend(capture.clone()).start();
    assert!(matches!(again, Err(Error::AlreadyStarted)));
    drop(ops);

    let file = dir.path().join("file");
    std::fs::write(&file, "not a directory").expect("a file");
    let failed = quiet().state_dir(&file).backend(capture.clone()).start();
    let Err(error) = failed else { panic!("a file is a state directory") };
    assert!(error.to_string().contains("OPS_STATE_DIR"), "{error}");
    drop(start(&capture));
}
