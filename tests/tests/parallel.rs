//! Several pushes at a time against a server that takes its time: all of it arrives once, a failure holds back what
//! follows it, the end keeps its deadline, and more is delivered a second than one push after the other could.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ops_sdk::backend::{Backend, Configure, Context, EncodeError, Refusal, Verdict};
use ops_sdk::chunk::{Batch, Items};
use ops_sdk::encode::json;
use ops_sdk::ledger::Loss;
use ops_sdk::limits::{Limits, Oversize};
use ops_sdk::model::{Record, Signal};
use ops_sdk::net::Net;
use ops_sdk::prelude::*;
use ops_sdk::{Error, Ops};
use ops_tests::{SOON, assert_balanced, turn, wait_until};

const ITEMS: usize = 10;

/// What the server answers after its latency.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Answer {
    Throttle,
    Fail,
    Refuse,
    Panic,
    /// Does not answer for this long.
    Hang(Duration),
    /// Does not answer before it is let go.
    Hold,
}

#[derive(Debug, Default)]
struct State {
    /// Each event by its number, and how often it was taken.
    taken: BTreeMap<u64, u32>,
    answers: VecDeque<Answer>,
    busy: usize,
    busiest: usize,
    pushes: usize,
    /// Items of pushes that were refused, and of the one that is held.
    refused: u64,
    held: usize,
    let_go: bool,
}

/// A server, its backends, and how long it takes.
#[derive(Clone)]
struct Slow {
    latency: Duration,
    several: bool,
    state: Arc<Mutex<State>>,
}

impl Slow {
    fn new(latency_ms: u64) -> Slow {
        Slow { latency: Duration::from_millis(latency_ms), several: true, state: Arc::default() }
    }

    fn answering(self, answers: impl IntoIterator<Item = Answer>) -> Slow {
        self.lock().answers.extend(answers);
        self
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self) -> Option<Answer> {
        let mut state = self.lock();
        state.busy += 1;
        state.pushes += 1;
        state.busiest = state.busiest.max(state.busy);
        state.answers.pop_front()
    }

    fn leave(&self, batch: Option<&Batch>) {
        let mut state = self.lock();
        state.busy -= 1;
        for (item, _) in batch.into_iter().flat_map(Batch::iter) {
            *state.taken.entry(item.record.seq).or_default() += 1;
        }
    }
}

impl Configure for Slow {
    fn open(self: Box<Self>, _: &Context) -> Result<Box<dyn Backend>, Error> {
        Ok(self)
    }
}

impl Backend for Slow {
    fn id(&self) -> &str {
        "slow"
    }

    fn limits(&self) -> Limits {
        Limits {
            push_bytes_max: 1 << 20,
            envelope_bytes: 0,
            push_items_max: ITEMS,
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
        let answer = self.enter();
        match answer {
            Some(Answer::Refuse) => self.lock().refused += batch.len() as u64,
            Some(Answer::Hold) => self.lock().held = batch.len(),
            _ => {}
        }
        match answer {
            Some(Answer::Hang(long)) => std::thread::sleep(long),
            Some(Answer::Hold) => wait_until("it is let go", || self.lock().let_go),
            _ => std::thread::sleep(self.latency),
        }
        self.leave(matches!(answer, None | Some(Answer::Hang(_))).then_some(batch));
        match answer {
            None | Some(Answer::Hang(_)) => Verdict::Delivered,
            Some(Answer::Throttle) => Verdict::Throttle { after: None, why: "slower".to_owned() },
            Some(Answer::Fail | Answer::Hold) => Verdict::Retry { after: None, why: "down".to_owned() },
            Some(Answer::Refuse) => {
                Verdict::Refuse(Refusal { loss: Loss::Refused, why: "not this".to_owned() })
            }
            Some(Answer::Panic) => std::panic::resume_unwind(Box::new("told to panic")),
        }
    }

    fn another(&self) -> Option<Box<dyn Backend>> {
        self.several.then(|| Box::new(self.clone()) as Box<dyn Backend>)
    }
}

fn start(server: &Slow, pushes_max: u32, dir: Option<&Path>) -> Ops {
    let builder = ops_sdk::init().environment(|_| None).linger(SOON).pushes_max(pushes_max);
    let builder = dir.into_iter().fold(builder, |builder, dir| builder.state_dir(dir));
    builder.backend(server.clone()).start().expect("recording starts")
}

fn record(events: u64) {
    (0..events).for_each(|n| info!("event {n}"));
}

/// Flushes; then each event was taken once, and the books say so.
fn assert_once(ops: &Ops, server: &Slow, events: u64) {
    assert!(ops.flush(SOON).complete, "{:?}", ops.stats());
    assert_balanced(&ops.stats());
    let state = server.lock();
    assert_eq!(state.taken.len() as u64, events);
    assert!(state.taken.values().all(|times| *times == 1), "{:?}", state.taken);
}

#[test]
fn pushes_go_side_by_side_up_to_the_bound_and_each_event_arrives_once() {
    let _turn = turn();
    for (pushes_max, several, busiest) in [(4, true, 4), (1, true, 1), (4, false, 1)] {
        let server = Slow { several, ..Slow::new(5) };
        let ops = start(&server, pushes_max, None);
        let mut rounds = 0;
        // How soon there are as many as there may be is for the machine to say; there are never more.
        wait_until("as many pushes side by side as there may be", || {
            record(600);
            rounds += 1;
            assert_once(&ops, &server, 600 * rounds);
            server.lock().busiest >= busiest
        });
        let state = server.lock();
        // More where a push went before there was enough for a full one.
        assert!(state.busiest == busiest && state.pushes as u64 >= 60 * rounds, "{}", state.pushes);
    }
}

#[test]
fn whatever_single_pushes_come_to_each_event_has_one_fate() {
    let _turn = turn();
    let dir = tempfile::tempdir().expect("a directory");
    let trouble = [Answer::Throttle, Answer::Fail, Answer::Refuse, Answer::Panic];
    let quiet = Answer::Hang(Duration::from_millis(1));
    let answers = (0..60).map(|n| if n % 7 == 6 { trouble[n / 7 % 4] } else { quiet });
    let server = Slow::new(1).answering(answers);
    let ops = start(&server, 8, Some(dir.path()));
    record(600);
    assert!(ops.flush(SOON).complete, "{:?}", ops.stats());
    let stats = ops.stats();
    assert_balanced(&stats);
    let row = &stats.books[0].rows[0];
    let state = server.lock();
    assert_eq!((row.recorded, row.dead_lettered, row.dropped_total()), (600, state.refused, 0), "{row:?}");
    assert!((2..=20).contains(&state.refused), "{}", state.refused);
    assert_eq!(state.taken.len() as u64, 600 - state.refused);
    assert!(state.taken.values().all(|times| *times == 1));
}

#[test]
fn a_worker_that_hangs_holds_up_neither_the_others_nor_the_end() {
    let _turn = turn();
    let dir = tempfile::tempdir().expect("a directory");
    let none = Answer::Hang(Duration::from_millis(1));
    let answers = [vec![none; 12], vec![Answer::Hold]].concat();
    let server = Slow::new(1).answering(answers);
    let ops = start(&server, 4, Some(dir.path()));
    record(600);
    wait_until("all but the push that hangs is taken", || {
        assert!(!ops.flush(Duration::from_millis(100)).complete);
        let state = server.lock();
        state.held > 0 && state.taken.len() + state.held == 600
    });
    let report = ops.shutdown(Duration::from_millis(100));
    assert!(!report.complete && server.lock().busy == 1, "the worker hangs still: {report:?}");
    let taken = server.lock().taken.clone();
    let held = server.lock().held;
    assert_eq!(taken.len(), 600 - held, "all but the push that hangs");
    // What lies behind it was delivered, and its cursor could not move over it: that is in the state directory.
    assert_eq!((report.pending, report.dropped), (0, 0), "{report:?}");
    assert!(report.spooled >= held as u64 && report.spooled <= 600, "{report:?}");
    server.lock().let_go = true;
    let next = Slow::new(1);
    let ops = start(&next, 4, Some(dir.path()));
    assert!(ops.flush(SOON).complete);
    assert_balanced(&ops.stats());
    let again = next.lock().taken.clone();
    assert!((1..=600).all(|seq| taken.contains_key(&seq) || again.contains_key(&seq)));
    assert_eq!(again.len() as u64, report.spooled);
}

#[test]
fn a_server_that_is_down_is_tried_with_one_push_at_a_time() {
    let _turn = turn();
    let ok = Answer::Hang(Duration::from_millis(1));
    let answers = [vec![ok; 20], vec![Answer::Fail; 7]].concat();
    let server = Slow::new(1).answering(answers);
    let ops = start(&server, 4, None);
    record(600);
    assert_once(&ops, &server, 600);
    // Those that were under way when it went down came back together; from then on one is tried at a time.
    assert!(server.lock().pushes >= 67, "60 pushes at least, and seven again");
}

/// A measure, printed: delivered a second at 50 ms a push.
#[test]
fn more_is_delivered_a_second_than_one_push_after_the_other_could() {
    let _turn = turn();
    let mut took = Vec::new();
    for (pushes_max, busy) in [(1, 1), (4, 4), (16, 5)] {
        let server = Slow::new(50);
        let ops = start(&server, pushes_max, None);
        let mut rounds = 0;
        wait_until("as many pushes side by side", || {
            record(1_000);
            rounds += 1;
            let began = Instant::now();
            assert_once(&ops, &server, 1_000 * rounds);
            let s = began.elapsed().as_secs_f64();
            println!("pushes_max {pushes_max}: {:.0} pushes a second at 50 ms", 100.0 / s);
            server.lock().busiest >= busy
        });
        took.push(server.lock().busiest);
    }
    assert!(took[0] == 1 && took[1] == 4 && took[2] <= 16, "{took:?}");
}
