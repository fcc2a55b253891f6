//! Random answers, limits, backends, restarts and deadlines, against an oracle that knows every event: each is
//! delivered, refused with a trace, or waits; none is invented or changed; none is sent again that was delivered while
//! the process lived; and the books say the same.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ops_sdk::backend::{Backend, Configure, Context, EncodeError, Refusal, Verdict};
use ops_sdk::chunk::{Batch, Items};
use ops_sdk::encode::json;
use ops_sdk::ledger::Loss;
use ops_sdk::limits::{Limits, Oversize};
use ops_sdk::model::{Body, Record, Signal};
use ops_sdk::net::Net;
use ops_sdk::prelude::*;
use ops_sdk::{Error, Ops};
use ops_tests::{SOON, assert_balanced, turn};
use proptest::prelude::*;

/// What a server does with a push.
#[derive(Debug, Clone)]
enum Answer {
    Deliver,
    /// Fails those, refuses those; indexes may be anything.
    Partial(Vec<usize>, Vec<usize>),
    Retry,
    RetryIn(Duration),
    Reauthenticate,
    Halve,
    Refuse,
    Panic,
}

/// What a server has, by the number of the event: the line, and how often it came.
#[derive(Debug, Default)]
struct Server {
    answers: VecDeque<Answer>,
    taken: BTreeMap<u64, (String, u32)>,
    refused: BTreeSet<u64>,
    items: u64,
}

#[derive(Clone)]
struct Fated {
    id: &'static str,
    limits: Limits,
    /// Events of which the encoder panics: those with this remainder by 16.
    bomb: Option<u64>,
    server: Arc<Mutex<Server>>,
}

fn number(line: &str) -> Option<u64> {
    let at = line.find("\"message\":\"event ")? + "\"message\":\"event ".len();
    let digits: String = line[at..].chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

impl Fated {
    fn lock(&self) -> std::sync::MutexGuard<'_, Server> {
        self.server.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn take(&self, batch: &Batch, keep: impl Fn(usize) -> bool) {
        let mut server = self.lock();
        for (_, (_, bytes)) in batch.iter().enumerate().filter(|(index, _)| keep(*index)) {
            server.items += 1;
            let line = String::from_utf8(bytes.to_vec()).expect("a line of text");
            if let Some(n) = number(&line) {
                let entry = server.taken.entry(n).or_insert_with(|| (line.clone(), 0));
                assert_eq!(entry.0, line, "the same event has the same bytes each time");
                entry.1 += 1;
            }
        }
    }

    fn refuse(&self, batch: &Batch, which: impl Fn(usize) -> bool) {
        let mut server = self.lock();
        for (_, (_, bytes)) in batch.iter().enumerate().filter(|(index, _)| which(*index)) {
            server.refused.extend(number(&String::from_utf8_lossy(bytes)));
        }
    }
}

impl Configure for Fated {
    fn open(self: Box<Self>, _: &Context) -> Result<Box<dyn Backend>, Error> {
        Ok(self)
    }
}

fn refusal() -> Refusal {
    Refusal { loss: Loss::Refused, why: "told to".to_owned() }
}

impl Backend for Fated {
    fn id(&self) -> &str {
        self.id
    }

    fn limits(&self) -> Limits {
        self.limits.clone()
    }

    fn accepts(&self, signal: Signal) -> bool {
        signal == Signal::Log
    }

    fn encode(&mut self, record: &Record<'_>, out: &mut Items) -> Result<(), EncodeError> {
        out.push(|bytes| {
            json::line(bytes, record, &[]);
            Ok::<_, EncodeError>(())
        })?;
        if let (Body::Log(log), Some(bomb)) = (&record.body, self.bomb) {
            let n = log.message.strip_prefix("event ").and_then(|rest| rest.parse::<u64>().ok());
            if n.is_some_and(|n| n % 16 == bomb) {
                std::panic::resume_unwind(Box::new("half way through a record"));
            }
        }
        Ok(())
    }

    fn send(&mut self, batch: &Batch, _: &mut Net) -> Verdict {
        assert!(batch.len() <= self.limits.push_items_max, "a push within its limits");
        let answer = self.lock().answers.pop_front().unwrap_or(Answer::Deliver);
        match answer {
            Answer::Deliver => {
                self.take(batch, |_| true);
                Verdict::Delivered
            }
            Answer::Partial(failed, refused) => {
                self.refuse(batch, |index| refused.contains(&index));
                self.take(batch, |index| !failed.contains(&index) && !refused.contains(&index));
                let refused = refused.into_iter().map(|index| (index, refusal())).collect();
                Verdict::Partial { failed, refused }
            }
            Answer::Retry => Verdict::Retry { after: None, why: "busy".to_owned() },
            Answer::RetryIn(after) => Verdict::Retry { after: Some(after), why: "busy".to_owned() },
            Answer::Reauthenticate => Verdict::Reauthenticate { why: "expired".to_owned() },
            Answer::Halve => {
                if batch.len() == 1 {
                    self.refuse(batch, |_| true);
                }
                Verdict::Halve
            }
            Answer::Refuse => {
                self.refuse(batch, |_| true);
                Verdict::Refuse(refusal())
            }
            Answer::Panic => std::panic::resume_unwind(Box::new("told to panic")),
        }
    }
}

fn answer() -> impl Strategy<Value = Answer> {
    let indexes = || prop::collection::vec(prop_oneof![9 => 0..40usize, 1 => Just(usize::MAX)], 0..12);
    prop_oneof![
        2 => Just(Answer::Deliver),
        4 => (indexes(), indexes()).prop_map(|(failed, refused)| Answer::Partial(failed, refused)),
        1 => Just(Answer::Retry),
        1 => Just(Answer::Reauthenticate),
        2 => Just(Answer::Halve),
        1 => Just(Answer::Refuse),
        1 => Just(Answer::Panic),
    ]
}

fn limits() -> impl Strategy<Value = Limits> {
    (2_000..40_000usize, 1..60usize, any::<bool>()).prop_map(|(push_bytes_max, push_items_max, ordered)| {
        Limits {
            push_bytes_max,
            envelope_bytes: 100,
            push_items_max,
            item_bytes_max: push_bytes_max - 200,
            item_overhead_bytes: 26,
            span_ms_max: None,
            age_ms_max: None,
            ahead_ms_max: None,
            ordered,
            push: true,
            oversize: Oversize::Split,
        }
    })
}

/// One life of the process: how many events, the answers of each server, and how long the end may take.
type Life = (u64, Vec<Vec<Answer>>, u64);

fn life() -> impl Strategy<Value = Life> {
    let answers = prop::collection::vec(prop::collection::vec(answer(), 0..7), 2);
    (0..250u64, answers, 0..40u64)
}

fn start(servers: &[Fated], dir: Option<&std::path::Path>) -> Ops {
    let builder = ops_sdk::init().environment(|_| None).linger(Duration::from_millis(1));
    let builder = servers.iter().fold(builder, |builder, server| builder.backend(server.clone()));
    dir.into_iter().fold(builder, |builder, dir| builder.state_dir(dir)).start().expect("recording starts")
}

/// Lives all lives but the last with whatever end they come to, and the last until all is settled.
fn live(servers: &[Fated], lives: &[Life], dir: Option<&std::path::Path>) -> u64 {
    let mut recorded = 0;
    let mut interrupted = false;
    for (at, (events, answers, deadline_ms)) in lives.iter().enumerate() {
        for (server, answers) in servers.iter().zip(answers) {
            server.lock().answers = answers.iter().cloned().collect();
        }
        let before: Vec<_> = servers.iter().map(counts).collect();
        let ops = start(servers, dir);
        for n in recorded..recorded + events {
            info!("event {n}");
        }
        recorded += events;
        assert_balanced(&ops.stats());
        if at + 1 == lives.len() {
            assert!(ops.flush(SOON).complete, "{:?}", ops.stats());
            assert_balanced(&ops.stats());
        }
        let report = ops.shutdown(Duration::from_millis(*deadline_ms));
        interrupted |= !report.complete;
        for (server, before) in servers.iter().zip(before) {
            check_duplicates(server, &before, interrupted);
        }
    }
    recorded
}

fn counts(server: &Fated) -> BTreeMap<u64, u32> {
    server.lock().taken.iter().map(|(n, (_, times))| (*n, *times)).collect()
}

/// Nothing comes twice within one life, nor in two of which the first ended with nothing left.
fn check_duplicates(server: &Fated, before: &BTreeMap<u64, u32>, interrupted: bool) {
    for (n, times) in counts(server) {
        let earlier = before.get(&n).copied().unwrap_or(0);
        assert!(times - earlier <= 1, "{}: event {n} came twice", server.id);
        assert!(interrupted || times == 1, "{}: event {n} came again", server.id);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_event_has_one_fate_whatever_servers_answer(
        lives in prop::collection::vec(life(), 1..4),
        limits in prop::collection::vec(limits(), 2),
        bomb in prop::option::of(0..16u64),
        on_disk: bool,
    ) {
        let _turn = turn();
        let dir = tempfile::tempdir().expect("a directory");
        let server = |id, limits: &Limits, bomb| Fated { id, limits: limits.clone(), bomb, server: Arc::default() };
        let servers = [server("first", &limits[0], bomb), server("second", &limits[1], None)];
        // Without a state directory what is left at an end is gone, as the report says: one life.
        let (dir, lives) = if on_disk { (Some(dir.path()), &lives[..]) } else { (None, &lives[lives.len() - 1..]) };
        let recorded = live(&servers, lives, dir);
        for server in &servers {
            let is_bomb = |n: &u64| server.bomb.is_some_and(|bomb| n % 16 == bomb);
            let state = server.lock();
            for n in 0..recorded {
                let fates = [state.taken.contains_key(&n), state.refused.contains(&n), is_bomb(&n)];
                prop_assert!(fates.contains(&true), "{}: event {n} has no fate", server.id);
            }
            prop_assert!(state.taken.keys().all(|n| *n < recorded), "{} was sent what nobody recorded", server.id);
            prop_assert!(!state.taken.keys().any(is_bomb));
            let letters = dir.map(|dir| dir.join("dead-letter").join(format!("{}.jsonl", server.id)));
            let letters = letters.and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
            let kept: BTreeSet<u64> = letters
                .lines()
                .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
                .filter_map(|letter| number(letter["item"].as_str()?))
                .collect();
            let lost = state.refused.iter().find(|n| !kept.contains(n));
            prop_assert!(dir.is_none() || lost.is_none(), "{}: event {lost:?} was refused and not kept", server.id);
        }
    }
}

/// What waits for a server to take it grows old over that: it is not sent when the server would not take it any more.
#[test]
fn what_has_grown_too_old_while_it_waited_is_not_sent() {
    let _turn = turn();
    let limits = Limits {
        push_bytes_max: 10_000,
        envelope_bytes: 0,
        push_items_max: 10,
        item_bytes_max: 9_000,
        item_overhead_bytes: 0,
        span_ms_max: None,
        age_ms_max: Some(1_000),
        ahead_ms_max: None,
        ordered: true,
        push: true,
        oversize: Oversize::Split,
    };
    let server = Arc::<Mutex<Server>>::default();
    let fated = Fated { id: "aging", limits, bomb: None, server };
    fated.lock().answers.push_back(Answer::RetryIn(Duration::from_millis(1_500)));
    let ops = start(std::slice::from_ref(&fated), None);
    let n = 1;
    info!("event {n}");
    assert!(ops.flush(SOON).complete);
    let stats = ops.stats();
    assert_balanced(&stats);
    let row = stats.books[0].rows.iter().find(|row| row.signal == Signal::Log).expect("a row of logs");
    assert!(row.dropped.contains(&(Loss::TooOld, 1)), "{row:?}");
    assert!(fated.lock().taken.is_empty());
}
