//! Every record once: a bucket that loses requests, loses answers and takes requests late, and processes that are killed
//! anywhere and cut their batches differently each time.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::clock::Now;
use crate::ledger::Row;
use crate::net::{Bounds, Exchange, NetError, NetErrorKind, Request, Response, Transport};

/// What becomes of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Good,
    /// It is taken, and the answer is lost.
    AnswerLost,
    RequestLost,
    /// It is taken when some other request comes, or at the end.
    Late,
    Unavailable,
}

/// A bucket that takes one object of a key.
#[derive(Default)]
struct Fake {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Path, mark, body.
    objects: BTreeMap<String, (String, Vec<u8>)>,
    late: VecDeque<Request>,
    fates: VecDeque<Fate>,
}

impl State {
    fn take(&mut self, request: &Request) -> Response {
        let path = request.uri().path().to_owned();
        let there = self.objects.get(&path);
        match (request.method().as_str(), there) {
            ("HEAD", Some((mark, _))) => response(200, &[("x-amz-meta-ops-ids", mark)], ""),
            ("HEAD", None) => response(404, &[], ""),
            (_, Some(_)) => response(412, &[], ""),
            (_, None) => {
                let mark = request.headers()["x-amz-meta-ops-ids"].to_str().unwrap().to_owned();
                self.objects.insert(path, (mark, request.body().clone()));
                stored()
            }
        }
    }
}

impl Transport for Fake {
    fn exchange(&self, request: Request, _: Bounds) -> Exchange {
        let lost = || Err(NetError { kind: NetErrorKind::Io, text: "broke".into() });
        let mut state = self.state.lock();
        let fate = state.fates.pop_front().unwrap_or(Fate::Good);
        let outcome = match fate {
            Fate::Good => Ok(state.take(&request)),
            Fate::Unavailable => Ok(response(503, &[], "")),
            Fate::RequestLost => lost(),
            Fate::AnswerLost => {
                state.take(&request);
                lost()
            }
            Fate::Late => {
                state.late.push_back(request);
                lost()
            }
        };
        if fate != Fate::Late
            && let Some(late) = state.late.pop_front()
        {
            state.take(&late);
        }
        Exchange { outcome, elapsed: Duration::from_millis(1) }
    }

    fn hang_up(&self) {}
}

/// One run of records, cut into batches of this many, each tried this often; then the process goes on if all of it was
/// delivered, and is killed if not, or if it is told so.
#[derive(Debug, Clone)]
struct Run {
    records: usize,
    cut: usize,
    tries: usize,
    side_by_side: bool,
    killed: bool,
}

fn process(dir: &Path) -> Box<dyn Backend> {
    let mut context = context(&KEYS);
    context.state_dir = Some(dir.to_owned());
    Box::new(S3::new().compression(Compression::None)).open(&context).unwrap()
}

/// The records from `from` on, as a batch. Some are of another hour, or of another kind.
fn cut(from: usize, to: usize) -> Batch {
    let mut batch = Batch::default();
    for seq in from..to {
        let kind = if seq % 5 == 0 { ",\"signal\":\"audit\"" } else { "" };
        let line = format!("{{\"time\":\"t\"{kind},\"n\":{seq}}}");
        let (time_ms, id) = (3_600_000 * (seq as u64 / 7), RecordId { process: 9, seq: seq as u64 });
        batch.push(time_ms, id, (seq - from) as u32, line.as_bytes());
    }
    batch
}

/// Sends a batch, and what is left of it, up to so many times. Gives what was not delivered.
fn push(backend: &mut dyn Backend, mut batch: Batch, tries: usize, net: &mut Net) -> Batch {
    for _ in 0..tries {
        match backend.send(&batch, net) {
            Verdict::Delivered => return Batch::default(),
            Verdict::Partial { failed, refused } => {
                assert!(refused.is_empty());
                batch = batch.select(|index| failed.contains(&index));
            }
            Verdict::Retry { .. } => {}
            other => panic!("{other:?}"),
        }
        net.begin(Now { unix_ns: NOW_S * 1_000_000_000, mono_ns: 1 }, Duration::from_secs(30));
    }
    batch
}

/// Plays a run from the cursor; gives the cursor, and whether all of the run was delivered.
fn play(
    run: &Run,
    cursor: usize,
    all: usize,
    backend: &mut Box<dyn Backend>,
    net: &mut Net,
) -> (usize, bool) {
    let end = (cursor + run.records).min(all);
    let mut left = Vec::new();
    let mut beside = backend.another().unwrap();
    for (turn, from) in (cursor..end).step_by(run.cut).enumerate() {
        let to = (from + run.cut).min(end);
        let one = if run.side_by_side && turn % 2 == 1 { &mut beside } else { &mut *backend };
        let batch = push(one.as_mut(), cut(from, to), run.tries, net);
        left.extend(batch.iter().map(|(item, _)| item.record.seq as usize));
    }
    (left.iter().copied().min().unwrap_or(end), left.is_empty())
}

/// A folder in memory where there is one: every note is synced.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        4 => Just(Fate::Good),
        2 => Just(Fate::AnswerLost),
        1 => Just(Fate::RequestLost),
        2 => Just(Fate::Late),
        1 => Just(Fate::Unavailable),
    ]
}

fn run() -> impl Strategy<Value = Run> {
    (1..40_usize, 1..20_usize, 1..3_usize, any::<bool>(), any::<bool>()).prop_map(
        |(records, cut, tries, side_by_side, killed)| Run { records, cut, tries, side_by_side, killed },
    )
}

/// The books of a backend for which so many records wait.
fn book(pending: u64) -> Book {
    let row =
        Row { signal: Signal::Log, recorded: 0, delivered: 0, pending, dead_lettered: 0, dropped: vec![] };
    Book { backend: "s3".into(), rows: vec![row] }
}

proptest! {
    #[test]
    fn every_record_is_in_the_bucket_once(
        runs in prop::collection::vec(run(), 1..12),
        fates in prop::collection::vec(fate(), 0..60),
    ) {
        const ALL: usize = 60;
        let dir = folder();
        let fake = Arc::new(Fake::default());
        fake.state.lock().fates = fates.into();
        let mut net = Net::over(Now { unix_ns: NOW_S * 1_000_000_000, mono_ns: 1 }, fake.clone());
        let (mut backend, mut cursor) = (process(dir.path()), 1);
        let last = Run { records: ALL, cut: 9, tries: 100, side_by_side: false, killed: false };
        for run in runs.iter().chain([&last]) {
            let (settled, whole) = play(run, cursor, ALL, &mut backend, &mut net);
            // Killed before the cursor has moved, or after.
            let moved = !run.killed || run.cut % 2 == 0;
            cursor = if moved { settled } else { cursor };
            if run.killed || !whole {
                backend = process(dir.path());
            } else {
                backend.books(&[book((ALL - cursor) as u64)]);
            }
        }
        let (settled, whole) = play(&last, cursor, ALL, &mut backend, &mut net);
        prop_assert!(whole && settled == ALL);
        let mut state = fake.state.lock();
        while let Some(late) = state.late.pop_front() {
            state.take(&late);
        }
        let lines = state.objects.values().flat_map(|(_, body)| body.split(|byte| *byte == b'\n'));
        let mut arrived: Vec<usize> = lines
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice::<serde_json::Value>(line).unwrap()["n"].as_u64().unwrap() as usize)
            .collect();
        arrived.sort_unstable();
        prop_assert_eq!(arrived, (1..ALL).collect::<Vec<_>>());
    }
}
