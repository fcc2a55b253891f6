//! The journal on a disk that forgets what was not synced: power may go at any call, and what was told to be on the
//! medium is there; of the rest, nothing is invented, and what is missing before the end is counted. And on one whose
//! calls fail or that is full: what is not lost by its bound is read once, in order, whole.

use std::collections::BTreeSet;

use super::sim::{Chance, SimDisk};
use super::*;

/// Small enough that a run has many segments, large enough that no bound is met.
fn settings(durability: Durability) -> Settings {
    Settings {
        segment_bytes_max: 1024,
        durability,
        age_max: Duration::MAX,
        audit_age_max: Duration::MAX,
        ..small(Some(Path::new("/state")), 1 << 20)
    }
}

const DURABLE: Durability = Durability::PowerLoss { every: Duration::from_millis(1) };
/// Whole lanes, because where no header is left the kinds of what is lost are a guess, and their number is not.
const READERS: [(&str, [bool; Signal::COUNT]); 2] =
    [("all", ALL), ("signals", [true, true, false, true, true])];

/// What the records of a lane were: each has the number that follows, from 1 on.
#[derive(Debug, Default)]
struct Written {
    signals: Vec<Signal>,
    /// The last that the journal said to be on the medium.
    safe: u64,
    /// By reader: what it has settled.
    settled: [BTreeSet<u64>; 2],
}

/// A journal on a simulated disk, and what is known of it.
struct World {
    disk: SimDisk,
    lanes: [Written; 2],
}

fn payload(lane: usize, seq: u64) -> Vec<u8> {
    let bytes = seq * 37 % 300;
    (0..bytes).map(|i| (seq * 7 + i * 3 + lane as u64).to_le_bytes()[0]).collect()
}

impl World {
    fn new(seed: u64) -> World {
        World { disk: SimDisk::new(seed), lanes: Default::default() }
    }

    fn append(&mut self, journal: &mut Journal, chance: &mut Chance) {
        let signal = Signal::ALL[chance.below(5) as usize];
        let lane = lane_of(signal);
        let written = &mut self.lanes[lane];
        let records = 1 + chance.below(3) as u32;
        let seq = written.signals.len() as u64 + 1;
        written.signals.extend((0..records).map(|_| signal));
        journal.append(block(signal, seq, records), &payload(lane, seq));
    }

    /// Reads once, checks what comes, and settles some of it.
    fn read(&mut self, journal: &mut Journal, reader: usize, part: u64) -> usize {
        let mut run = Run::new();
        journal.read(CursorKey(reader), 2000, 20, &mut run);
        let mut last = 0;
        let mut come = Vec::new();
        for (frame, bytes) in run.iter() {
            let lane = lane_of(frame.head.signal);
            assert_eq!(bytes, payload(lane, frame.head.id.seq), "changed on the way");
            for (seq, behind) in seqs(frame) {
                assert_eq!(
                    self.lanes[lane].signals.get(seq as usize - 1),
                    Some(&frame.head.signal),
                    "invented"
                );
                assert!(READERS[reader].1[frame.head.signal as usize] && seq > last);
                last = seq;
                come.push((lane, seq, behind));
            }
        }
        let settled = come.len() * part as usize / 4;
        for (lane, seq, behind) in &come[..settled] {
            self.lanes[*lane].settled[reader].insert(*seq);
            journal.ack(CursorKey(reader), *behind);
        }
        if settled < come.len() {
            journal.rewind(CursorKey(reader));
        }
        settled
    }

    fn open(&self, durability: Durability) -> Result<Journal, Error> {
        let (mut journal, _) = Journal::open_on(&settings(durability), &self.disk.shared())?;
        for (id, accepts) in READERS {
            journal.attach(id, accepts)?;
        }
        Ok(journal)
    }

    fn note_safe(&mut self, journal: &Journal) {
        for (index, lane) in self.lanes.iter_mut().enumerate() {
            lane.safe = journal.synced_end().in_lane(index == AUDIT).ordinal() - 1;
        }
    }

    /// Works until the power goes, or the steps are done.
    fn work(&mut self, chance: &mut Chance, steps: u64) {
        let Ok(mut journal) = self.open(DURABLE) else { return };
        for _ in 0..steps {
            match chance.below(10) {
                0..=4 => self.append(&mut journal, chance),
                5 => journal.commit(),
                6 | 7 => {
                    let (reader, part) = (chance.below(2) as usize, chance.below(5));
                    self.read(&mut journal, reader, part);
                }
                _ => {
                    let plan = journal.plan_sync();
                    self.append(&mut journal, chance);
                    if chance.below(2) == 0 {
                        journal.commit();
                    }
                    if plan.run().is_ok() {
                        journal.synced(plan);
                    }
                }
            }
            self.note_safe(&journal);
            if self.disk.is_dead() {
                break;
            }
        }
        if chance.below(3) > 0 || self.disk.is_dead() {
            journal.process = !journal.process;
        }
    }

    /// Opens what is left, and checks all that is promised of it.
    fn check(mut self) {
        let mut journal = self.open(DURABLE).unwrap();
        let ends: Vec<u64> = journal.lanes.iter().map(|lane| lane.line.end.ordinal() - 1).collect();
        for (lane, end) in self.lanes.iter().zip(&ends) {
            assert!(*end <= lane.signals.len() as u64 && *end >= lane.safe, "{end}, {} are safe", lane.safe);
        }
        let before: Vec<_> = self.lanes.iter().map(|lane| lane.settled.clone()).collect();
        for reader in 0..2 {
            while self.read(&mut journal, reader, 4) > 0 {}
        }
        let mut lost = [[0; 2]; 2];
        for row in journal.evicted() {
            // A first segment whose file is not there is one that has gone before.
            assert!([Loss::Damaged, Loss::JournalFull].contains(&row.loss));
            lost[row.cursor.0][lane_of(row.signal)] += row.count;
        }
        for (reader, (_, accepts)) in READERS.iter().enumerate() {
            for (index, lane) in self.lanes.iter().enumerate() {
                let numbers = (1..=ends[index]).filter(|n| accepts[lane.signals[*n as usize - 1] as usize]);
                let gone: Vec<u64> = numbers.filter(|n| !lane.settled[reader].contains(n)).collect();
                assert!(
                    gone.iter().all(|n| *n > lane.safe),
                    "lost though safe: {gone:?}, safe {}",
                    lane.safe
                );
                let told = lost[reader][index];
                // What was settled when the power went may be counted too, where neither is on the medium.
                let unsure = before[index][reader].iter().filter(|n| **n > lane.safe).count();
                let range = gone.len() as u64..=(gone.len() + unsure) as u64;
                assert!(
                    range.contains(&told),
                    "lane {index}: {told} told, {range:?} gone of {gone:?}, end {}, before {:?}, now {:?}, safe {}",
                    ends[index],
                    before[index][reader],
                    lane.settled[reader],
                    lane.safe
                );
            }
        }
    }
}

/// One run: the power goes at a call, and once more while the journal is opened.
fn run(seed: u64, call: u64) -> bool {
    let (mut world, mut chance) = (World::new(seed ^ call << 32), Chance::of(seed));
    world.disk.fail_at(call);
    world.work(&mut chance, 60);
    let ended = !world.disk.is_dead();
    world.disk.reboot();
    if call.is_multiple_of(3) {
        world.disk.fail_at(call % 31);
        if let Ok(mut journal) = world.open(DURABLE) {
            journal.process = !journal.process;
        }
        world.disk.reboot();
    }
    world.check();
    ended
}

#[test]
fn when_the_power_goes_at_any_call_what_was_synced_is_there_and_what_is_missing_is_counted() {
    for seed in 1..=6 {
        let calls = (0..).find(|call| run(seed, *call)).unwrap();
        assert!(calls > 100, "{calls} calls");
    }
}

#[test]
fn a_sync_that_nothing_follows_makes_all_of_it_safe_and_leaves_nothing_to_do() {
    let (mut world, mut chance) = (World::new(3), Chance::of(3));
    let mut journal = world.open(DURABLE).unwrap();
    (0..50).for_each(|_| world.append(&mut journal, &mut chance));
    journal.sync().unwrap();
    assert_eq!(journal.synced_end(), journal.end());
    let calls = world.disk.calls();
    journal.sync().unwrap();
    assert_eq!(world.disk.calls(), calls, "there was nothing to sync");
    world.note_safe(&journal);
    journal.process = !journal.process;
    drop(journal);
    world.disk.reboot();
    world.check();
}

#[test]
fn what_a_failed_sync_was_to_write_is_not_taken_for_safe_when_the_next_one_succeeds() {
    for seed in 1..=20 {
        let (mut world, mut chance) = (World::new(seed), Chance::of(seed));
        let mut journal = world.open(DURABLE).unwrap();
        (0..20).for_each(|_| world.append(&mut journal, &mut chance));
        journal.sync().unwrap();
        let before = journal.synced_end();
        (0..20).for_each(|_| world.append(&mut journal, &mut chance));
        let plan = journal.plan_sync();
        world.disk.fault(1000);
        assert!(plan.run().is_err());
        world.disk.fault(0);
        journal.not_synced(plan);
        (0..20).for_each(|_| world.append(&mut journal, &mut chance));
        journal.sync().unwrap();
        assert!(journal.synced_end() != journal.end() && before.is_within(&journal.synced_end()));
        world.note_safe(&journal);
        if seed > 10 {
            // Delivered, none of it is left to be suspected.
            (0..2).for_each(|reader| while world.read(&mut journal, reader, 4) > 0 {});
            journal.sync().unwrap();
            journal.sync().unwrap();
            assert_eq!(journal.synced_end(), journal.end());
            continue;
        }
        journal.process = !journal.process;
        drop(journal);
        world.disk.reboot();
        world.check();
    }
}

#[test]
fn delivered_segments_go_only_when_the_cursors_that_passed_them_are_on_the_medium() {
    for (durability, gone) in [(DURABLE, false), (Durability::ProcessCrash, true)] {
        let (mut world, mut chance) = (World::new(4), Chance::of(4));
        let mut journal = world.open(durability).unwrap();
        (0..50).for_each(|_| world.append(&mut journal, &mut chance));
        let before = journal.bytes();
        (0..2).for_each(|reader| while world.read(&mut journal, reader, 4) > 0 {});
        assert_eq!(journal.bytes() < before, gone);
        journal.sync().unwrap();
        assert!(journal.bytes() < before);
    }
}

/// Everything that was appended is read, once and in order, when the disk is well again.
fn all_of_it_comes(world: &mut World, journal: &mut Journal) {
    for reader in 0..2 {
        while world.read(journal, reader, 4) > 0 {}
    }
    for (reader, (_, accepts)) in READERS.iter().enumerate() {
        for lane in &world.lanes {
            let mine = (1..).zip(&lane.signals).filter(|(_, signal)| accepts[**signal as usize]);
            assert_eq!(lane.settled[reader], mine.map(|(n, _)| n).collect());
        }
    }
    assert!(journal.evicted().is_empty());
}

#[test]
fn on_a_disk_whose_calls_fail_half_way_nothing_is_lost_or_told_twice() {
    for seed in 1..=60 {
        let (mut world, mut chance) = (World::new(seed), Chance::of(seed));
        let mut journal = world.open(Durability::ProcessCrash).unwrap();
        for _ in 0..80 {
            world.disk.fault(chance.below(3) * 200);
            match chance.below(8) {
                0..=4 => world.append(&mut journal, &mut chance),
                5 => journal.commit(),
                6 => {
                    world.disk.fault(0); // what cannot be read now is counted, which is another test's business
                    world.read(&mut journal, seed as usize % 2, 3);
                }
                _ => drop(journal.sync()),
            }
        }
        world.disk.fault(0);
        if seed % 3 == 0 {
            all_of_it_comes(&mut world, &mut journal);
            continue;
        }
        journal.sync().unwrap();
        if seed % 3 == 1 {
            kill(journal);
        } else {
            drop(journal);
        }
        let mut journal = world.open(Durability::ProcessCrash).unwrap();
        all_of_it_comes(&mut world, &mut journal);
    }
}

#[test]
fn a_full_disk_keeps_what_it_has_and_gets_the_rest_when_there_is_room() {
    for seed in 1..=20 {
        let (mut world, mut chance) = (World::new(seed), Chance::of(seed));
        let mut journal = world.open(Durability::ProcessCrash).unwrap();
        let room = world.disk.bytes() + 3000 + seed as usize * 100;
        world.disk.limit(Some(room));
        for _ in 0..100 {
            world.append(&mut journal, &mut chance);
            journal.commit();
            assert!(world.disk.bytes() <= room);
        }
        let said = journal.trouble().unwrap();
        assert!(said.contains("make room on the disk"), "{said}");
        assert!(journal.unkept(CursorKey(0)) > 0);
        world.disk.limit(None);
        journal.commit();
        assert_eq!(journal.unkept(CursorKey(0)), 0);
        kill(journal);
        let mut journal = world.open(Durability::ProcessCrash).unwrap();
        all_of_it_comes(&mut world, &mut journal);
    }
}
