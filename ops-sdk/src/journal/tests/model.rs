//! Random sequences of calls against the obvious journal: a list of everything, and for each backend what it has
//! read, settled and been told was lost.

use std::collections::BTreeSet;
use std::rc::Rc;

use proptest::prelude::*;

use super::*;

const ACCEPTS: [[bool; Signal::COUNT]; 3] = [ALL, LOGS, [true, false, true, false, false]];
const IDS: [&str; 3] = ["all", "logs", "some"];

#[derive(Debug, Clone)]
enum Step {
    Append { signal: usize, bytes: usize, records: u32, times: usize },
    Read { reader: usize, records_max: usize },
    Ack { reader: usize, part: usize },
    Rewind { reader: usize },
    Expire { age_ms: u64 },
    Commit,
    Reopen { killed: bool },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..5usize, prop_oneof![8 => 0..80usize, 1 => 0..5000usize], 1..6u32, 1..12usize)
            .prop_map(|(signal, bytes, records, times)| Step::Append { signal, bytes, records, times }),
        6 => (0..3usize, 0..20usize).prop_map(|(reader, records_max)| Step::Read { reader, records_max }),
        5 => (0..3usize, 0..8usize).prop_map(|(reader, part)| Step::Ack { reader, part }),
        1 => (0..3usize).prop_map(|reader| Step::Rewind { reader }),
        1 => (0..300u64).prop_map(|age_ms| Step::Expire { age_ms }),
        1 => Just(Step::Commit),
        1 => any::<bool>().prop_map(|killed| Step::Reopen { killed }),
    ]
}

/// What the test knows of a backend.
#[derive(Default)]
struct Known {
    key: Option<CursorKey>,
    /// Read and not settled, with the position behind each.
    held: Vec<(u64, Position)>,
    /// Records that became its business, by kind; less those settled.
    owed: [u64; Signal::COUNT],
    lost: [u64; Signal::COUNT],
    settled: BTreeSet<u64>,
    /// The last record that it read in each lane.
    last: [u64; 2],
}

struct World {
    settings: Settings,
    journal: Option<Journal>,
    /// Of each record its kind, and the payload of the frame that it is in.
    records: Vec<(usize, Rc<Vec<u8>>)>,
    known: [Known; 3],
}

impl World {
    fn new(dir: Option<&Path>, bytes_max: u64) -> World {
        let settings = Settings {
            age_max: Duration::from_millis(200),
            audit_age_max: Duration::from_millis(300),
            ..small(dir, bytes_max)
        };
        let mut world = World { settings, journal: None, records: Vec::new(), known: Default::default() };
        world.open();
        world
    }

    fn journal(&mut self) -> &mut Journal {
        self.journal.as_mut().unwrap()
    }

    fn open(&mut self) {
        drop(self.journal.take());
        let (mut journal, opened) = Journal::open(self.settings.clone()).unwrap();
        assert_eq!(opened.torn_bytes, 0);
        for (index, known) in self.known.iter_mut().enumerate() {
            let attached = journal.attach(IDS[index], ACCEPTS[index]).unwrap();
            // What was lost ahead of what was held is pending once more, and lost once more.
            assert!(attached.carried.iter().zip(left(known)).all(|(carried, left)| *carried >= left));
            let lost = Default::default();
            let settled = std::mem::take(&mut known.settled);
            let key = Some(attached.key);
            *known = Known { key, owed: attached.carried, lost, settled, held: vec![], last: [0; 2] };
        }
        self.journal = Some(journal);
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Append { signal, bytes, records, times } => {
                (0..times).for_each(|_| self.append(signal, bytes, records));
            }
            Step::Read { reader, records_max } => self.read(reader, records_max),
            Step::Ack { reader, part } => self.ack(reader, part),
            Step::Rewind { reader } => {
                let key = self.known[reader].key.unwrap();
                self.journal().rewind(key);
                (self.known[reader].held, self.known[reader].last) = (vec![], [0; 2]);
            }
            Step::Expire { age_ms } => {
                let now_ms = self.records.len() as u64 + age_ms;
                self.journal().expire(now_ms);
            }
            Step::Commit => self.journal().commit(),
            Step::Reopen { killed } if self.settings.dir.is_some() => {
                self.journal.take().into_iter().for_each(|journal| {
                    if killed {
                        kill(journal)
                    }
                });
                self.open();
            }
            Step::Reopen { .. } => {}
        }
        self.check();
    }

    fn append(&mut self, signal: usize, bytes: usize, records: u32) {
        let seq = self.records.len() as u64 + 1;
        let payload: Vec<u8> = (0..bytes).map(|i| (seq as usize * 31 + i * 7) as u8).collect();
        self.journal().append(block(Signal::ALL[signal], seq, records), &payload);
        let payload = Rc::new(payload);
        self.records.extend((0..records).map(|_| (signal, Rc::clone(&payload))));
        for (known, accepts) in self.known.iter_mut().zip(ACCEPTS) {
            known.owed[signal] += u64::from(accepts[signal]) * u64::from(records);
        }
    }

    fn read(&mut self, reader: usize, records_max: usize) {
        let mut run = Run::new();
        let key = self.known[reader].key.unwrap();
        self.journal().read(key, 1000, records_max, &mut run);
        // More than a segment's worth, for some.
        while records_max % 2 == 1 && self.journal().read_on(key, 1000, records_max, &mut run) {}
        assert!(run.len() <= records_max.max(6) && run.bytes() <= 5000, "its bounds are those of all of it");
        let known = &mut self.known[reader];
        for (frame, payload) in run.iter() {
            for (seq, behind) in seqs(frame) {
                let (signal, expected) = &self.records[seq as usize - 1];
                assert_eq!((frame.head.signal as usize, payload), (*signal, &expected[..]));
                assert!(ACCEPTS[reader][*signal]);
                let last = &mut known.last[lane_of(frame.head.signal)];
                assert!(seq > *last, "out of order");
                *last = seq;
                assert!(!known.settled.contains(&seq), "read after it was settled");
                known.held.push((seq, behind));
            }
        }
    }

    fn ack(&mut self, reader: usize, part: usize) {
        let known = &mut self.known[reader];
        let settled: Vec<_> = known.held.drain(..part.min(known.held.len())).collect();
        for (seq, _) in &settled {
            known.settled.insert(*seq);
            known.owed[self.records[*seq as usize - 1].0] -= 1;
        }
        let key = known.key.unwrap();
        // A run is of one lane, and what is settled of one says nothing of the other.
        for lane in [AUDIT, SIGNALS] {
            let of_lane =
                |(seq, _): &&(u64, Position)| lane_of(Signal::ALL[self.records[*seq as usize - 1].0]) == lane;
            if let Some((_, end)) = settled.iter().rfind(of_lane).copied() {
                self.journal().ack(key, end);
            }
        }
    }

    /// Every record is settled, pending or lost; and within the bound.
    fn check(&mut self) {
        let bytes_max = self.settings.bytes_max;
        let journal = self.journal.as_mut().unwrap();
        for row in journal.evicted() {
            assert!([Loss::JournalFull, Loss::Expired, Loss::Damaged].contains(&row.loss));
            self.known[row.cursor.0].lost[row.signal as usize] += row.count;
        }
        assert!(journal.lanes.iter().all(|lane| lane.bytes() <= bytes_max));
        let segments = journal.lanes.iter().flat_map(|lane| &lane.line.segments);
        assert_eq!(journal.bytes(), segments.map(Segment::bytes).sum::<u64>());
        for known in &self.known {
            for signal in Signal::ALL {
                let pending = journal.pending(known.key.unwrap(), signal);
                assert_eq!(pending, left(known)[signal as usize], "{signal}");
            }
        }
    }

    /// Everything that is pending can be read.
    fn finish(mut self) {
        for reader in 0..3 {
            loop {
                self.read(reader, 100);
                self.check();
                if self.known[reader].held.is_empty() {
                    break;
                }
                self.ack(reader, usize::MAX);
            }
            assert_eq!(left(&self.known[reader]), [0; Signal::COUNT]);
        }
    }
}

fn left(known: &Known) -> [u64; Signal::COUNT] {
    std::array::from_fn(|i| known.owed[i] - known.lost[i])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn in_memory_every_record_is_settled_pending_or_lost(
        bytes_max in 500..20_000u64,
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let mut world = World::new(None, bytes_max);
        steps.into_iter().for_each(|step| world.run(step));
        world.finish();
    }

    #[test]
    fn on_disk_every_record_is_settled_pending_or_lost_across_restarts(
        bytes_max in 500..20_000u64,
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut world = World::new(Some(dir.path()), bytes_max);
        steps.into_iter().for_each(|step| world.run(step));
        world.finish();
    }

    #[test]
    fn within_the_bounds_nothing_is_lost(steps in prop::collection::vec(step(), 1..60)) {
        let dir = tempfile::tempdir().unwrap();
        let mut world = World::new(Some(dir.path()), 1 << 20);
        (world.settings.age_max, world.settings.audit_age_max) = (Duration::MAX, Duration::MAX);
        world.open();
        steps.into_iter().for_each(|step| world.run(step));
        for known in &world.known {
            prop_assert_eq!(known.lost, [0; Signal::COUNT]);
        }
        world.finish();
    }
}
