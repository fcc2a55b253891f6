//! What a server refused is sent again when an operator says so: each letter is delivered or a letter again, also when the
//! process is killed half way, and the books balance.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use ops_sdk::backend::{Backend, Configure, Context, EncodeError, Refusal, Verdict};
use ops_sdk::chunk::{Batch, Items};
use ops_sdk::encode::json;
use ops_sdk::ledger::{Loss, Row};
use ops_sdk::limits::{Limits, Oversize};
use ops_sdk::model::{Record, Signal};
use ops_sdk::net::Net;
use ops_sdk::prelude::*;
use ops_sdk::{Error, Ops};
use ops_tests::built::executable;
use ops_tests::capture::{Answer, Capture};
use ops_tests::{SOON, assert_balanced, turn, wait_until};
use serde_json::Value;

const STATE_DIR: &str = "OPS_TEST_LETTERS_DIR";
/// Set where the process is to be killed.
const LIVES: &str = "OPS_TEST_LETTERS_KILLED";
/// Pushes that a life of the process which is killed may make: it cannot come to its end before.
const PUSHES_MAX: usize = 10;

/// What is recorded waits for a flush; what is sent again waits for nothing.
fn start(dir: &Path, backend: impl Configure) -> Ops {
    let builder = ops_sdk::init().environment(|_| None).linger(SOON * 2).state_dir(dir);
    builder.backend(backend).start().expect("recording starts")
}

fn refusal() -> Refusal {
    Refusal { loss: Loss::Refused, why: "not in this stream".to_owned() }
}

/// Runs `ops dead-letter` with these arguments on a state directory.
fn ops(dir: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(executable("ops"));
    let output =
        command.arg("dead-letter").arg("--state-dir").arg(dir).args(arguments).output().expect("ops runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

fn letters(dir: &Path) -> Vec<Value> {
    let lines = ops(dir, &["export"]);
    lines.lines().map(|line| serde_json::from_str(line).expect("a letter")).collect()
}

fn logs(ops: &Ops) -> Row {
    let stats = ops.stats();
    assert_balanced(&stats);
    stats.books[0].rows.iter().find(|row| row.signal == Signal::Log).expect("a row of logs").clone()
}

#[test]
fn letters_are_sent_again_by_the_program_that_runs() {
    let _turn = turn();
    let dir = tempfile::tempdir().expect("a directory");
    let refuse = Answer::Say(Verdict::Refuse(refusal()));
    // Only the two that are sent again as one push are answered by halves: the first is refused once more.
    let halves = Answer::Take(
        |index| index > 0,
        |_| Verdict::Partial { failed: Vec::new(), refused: vec![(0, refusal())] },
    );
    let capture = Capture::new("again").accepting(|signal| signal == Signal::Log).answering([refuse, halves]);
    let running = start(dir.path(), capture.clone());
    info!("first");
    info!("second");
    assert!(running.flush(SOON).complete);
    assert_eq!((logs(&running).recorded, logs(&running).dead_lettered), (2, 2));
    let before = letters(dir.path());
    assert_eq!(before.len(), 2);

    let said = ops(dir.path(), &["replay", "--backend", "again"]);
    assert!(said.contains("again: 2 letters are sent again"), "{said}");
    wait_until("the order is carried out", || capture.taken().len() == 1 && logs(&running).recorded == 4);
    let row = logs(&running);
    assert_eq!((row.recorded, row.delivered, row.dead_lettered, row.pending), (4, 1, 3, 0));
    wait_until("the order is gone", || orders(dir.path()) == 0);
    let left = letters(dir.path());
    assert_eq!(left.len(), 1);
    assert_eq!((&left[0]["id"], &left[0]["item"]), (&before[0]["id"], &before[0]["item"]));
    assert_eq!(Value::from(capture.taken()[0].1.as_str()), before[1]["item"], "byte for byte");

    // What nobody chooses stays; another order takes the rest.
    assert_eq!(ops(dir.path(), &["replay", "--reason", "too_old"]), "No letters to be sent again.\n");
    let _ = ops(dir.path(), &["replay"]);
    wait_until("all is delivered", || capture.taken().len() == 2 && orders(dir.path()) == 0);
    assert_eq!((logs(&running).recorded, letters(dir.path()).len()), (5, 0));
    info!("third");
    assert!(running.flush(SOON).complete);
    assert_eq!(capture.messages("third").len(), 1, "what is recorded goes on");
}

#[test]
fn letters_wait_for_a_program_that_does_not_run_and_are_counted_when_they_go_for_lack_of_room() {
    let _turn = turn();
    let dir = tempfile::tempdir().expect("a directory");
    let refuse = Answer::Say(Verdict::Refuse(refusal()));
    let capture = Capture::new("later").accepting(|signal| signal == Signal::Log);
    let builder = ops_sdk::init().environment(|_| None).linger(SOON * 2).state_dir(dir.path());
    let builder = builder.dead_letter_bytes_max(20_000);
    let refusing = capture.clone().answering(vec![refuse; 4]);
    let running = builder.backend(refusing).start().expect("recording starts");
    for round in 0..4 {
        (0..50).for_each(|n| info!("event {n} of {round}"));
        assert!(running.flush(SOON).complete);
    }
    let row = logs(&running);
    let gone = row.dropped.iter().find(|(loss, _)| *loss == Loss::LettersFull).map_or(0, |(_, count)| *count);
    assert!(gone > 0 && row.dead_lettered >= 200, "{row:?}"); // more where a line told of the loss
    drop(running);
    let left = row.dead_lettered - gone;
    assert_eq!(letters(dir.path()).len() as u64, left);

    let _ = ops(dir.path(), &["replay"]);
    assert_eq!(letters(dir.path()).len() as u64, left, "they are letters until they are sent");
    let next = Capture::new("later");
    let running = start(dir.path(), next.clone());
    wait_until("all is delivered", || next.taken().len() as u64 >= left && orders(dir.path()) == 0);
    assert!(logs(&running).delivered >= left);
    assert!(letters(dir.path()).is_empty());
}

fn orders(dir: &Path) -> usize {
    fs::read_dir(dir.join("dead-letter/replay")).into_iter().flatten().count()
}

/// Appends what it takes to a file, five items a push; never takes every fifth record.
struct Keeper {
    taken: PathBuf,
    /// How many pushes it has had, and at how many it hangs.
    pushes: Arc<AtomicUsize>,
    pushes_max: usize,
}

impl Configure for Keeper {
    fn open(self: Box<Self>, _: &Context) -> Result<Box<dyn Backend>, Error> {
        Ok(self)
    }
}

impl Backend for Keeper {
    fn id(&self) -> &str {
        "keeper"
    }

    fn limits(&self) -> Limits {
        Limits {
            push_bytes_max: 1 << 20,
            envelope_bytes: 0,
            push_items_max: 5,
            item_bytes_max: 1 << 19,
            item_overhead_bytes: 0,
            span_ms_max: None,
            age_ms_max: None,
            ahead_ms_max: None,
            ordered: true,
            push: true,
            oversize: Oversize::Split,
        }
    }

    fn accepts(&self, signal: Signal) -> bool {
        signal == Signal::Log
    }

    fn encode(&mut self, record: &Record<'_>, out: &mut Items) -> Result<(), EncodeError> {
        out.push(|bytes| {
            json::line(bytes, record, &[]);
            Ok(())
        })
    }

    fn send(&mut self, batch: &Batch, _: &mut Net) -> Verdict {
        std::thread::sleep(Duration::from_millis(2));
        while self.pushes.fetch_add(1, SeqCst) >= self.pushes_max {
            std::thread::park(); // until it is killed
        }
        let refuses = |seq: u64| seq.is_multiple_of(5);
        let taken = batch.iter().filter(|(item, _)| !refuses(item.record.seq));
        let text: String = taken.map(|(item, _)| format!("{}\n", item.record.seq)).collect();
        let mut file =
            OpenOptions::new().create(true).append(true).open(&self.taken).expect("the server's file");
        file.write_all(text.as_bytes()).expect("it takes them");
        let refused = batch.iter().enumerate().filter(|(_, (item, _))| refuses(item.record.seq));
        Verdict::Partial {
            failed: Vec::new(),
            refused: refused.map(|(index, _)| (index, refusal())).collect(),
        }
    }

    fn another(&self) -> Option<Box<dyn Backend>> {
        let (taken, pushes) = (self.taken.clone(), Arc::clone(&self.pushes));
        Some(Box::new(Keeper { taken, pushes, pushes_max: self.pushes_max }))
    }
}

/// Not a test by itself: the process that is killed. Ends when the order is carried out.
#[test]
fn child() {
    let Some(dir) = std::env::var_os(STATE_DIR).map(PathBuf::from) else { return };
    let pushes_max = std::env::var(LIVES).map_or(usize::MAX, |_| PUSHES_MAX);
    let running = start(&dir, Keeper { taken: dir.join("taken"), pushes: Arc::default(), pushes_max });
    println!("\nready");
    wait_until("the order is carried out", || orders(&dir) == 0);
    assert_balanced(&running.stats());
}

#[test]
fn a_replay_that_is_killed_half_way_leaves_nothing_out_and_no_letter_twice() {
    const EVENTS: u64 = 1_000;
    const KILLS: u64 = 12;
    let dir = tempfile::tempdir().expect("a directory");
    {
        let _turn = turn();
        let refuse = Answer::Say(Verdict::Refuse(refusal()));
        let capture =
            Capture::new("keeper").accepting(|signal| signal == Signal::Log).answering(vec![refuse; 50]);
        let running = start(dir.path(), capture);
        (0..EVENTS).for_each(|n| info!("event {n}"));
        assert!(running.flush(SOON).complete);
        assert_eq!(logs(&running).dead_lettered, EVENTS);
    }
    let _ = ops(dir.path(), &["replay"]);
    let spawn = |is_killed: bool| {
        let mut command = Command::new(std::env::current_exe().expect("this test"));
        command.args(["--exact", "child", "--nocapture"]).env(STATE_DIR, dir.path());
        command.envs(is_killed.then_some((LIVES, "1")));
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the child starts")
    };
    let taken = || fs::read_to_string(dir.path().join("taken")).unwrap_or_default();
    let mut killed = 0;
    for round in 0..KILLS {
        let before = taken().len();
        let mut child = spawn(true);
        // At another moment of the way each time.
        wait_until("it takes some", || {
            assert!(child.try_wait().expect("its state").is_none(), "it ended before it was killed");
            taken().len() >= before + 10 + (round * 37 % 80) as usize
        });
        killed += 1;
        let _ = child.kill();
        let _ = child.wait();
    }
    assert!(spawn(false).wait().expect("the last child").success());

    let mut times: BTreeMap<u64, u64> = BTreeMap::new();
    taken().lines().for_each(|seq| *times.entry(seq.parse().expect("a number")).or_default() += 1);
    let left = letters(dir.path());
    let ids: BTreeSet<u64> =
        left.iter().filter_map(|letter| letter["id"].as_str()?.split_once('-')?.1.parse().ok()).collect();
    let files = ["keeper.1.jsonl", "keeper.jsonl"].map(|name| dir.path().join("dead-letter").join(name));
    let lines: usize =
        files.iter().filter_map(|path| fs::read_to_string(path).ok()).map(|text| text.lines().count()).sum();
    assert_eq!((left.len() as u64, ids.len() as u64, lines as u64), (EVENTS / 5, EVENTS / 5, EVENTS / 5));
    assert!((1..=EVENTS).all(|seq| times.contains_key(&seq) != ids.contains(&seq)), "one fate each");
    // What was under way at a kill: four pushes of five at most.
    let again: u64 = times.values().map(|times| times - 1).sum();
    assert!(again <= killed * 20, "{again} came again after {killed} kills");
    println!("{killed} kills, {again} of {EVENTS} came again");
}
