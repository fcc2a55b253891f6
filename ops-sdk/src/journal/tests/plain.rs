//! What each call does, in memory and on disk alike.

use super::*;

fn both(test: impl Fn(Option<&Path>)) {
    test(None);
    let dir = tempfile::tempdir().unwrap();
    test(Some(dir.path()));
}

#[test]
fn each_backend_reads_what_it_accepts_in_order_and_settles_it_on_its_own() {
    both(|dir| {
        let mut journal = open(dir, 1 << 20);
        let (all, logs) = (attach(&mut journal, "all", ALL), attach(&mut journal, "logs", LOGS));
        for seq in 1..=6 {
            append(&mut journal, Signal::ALL[(seq % 2) as usize], seq);
        }
        assert_eq!(read(&mut journal, all, 4).0, [1, 2, 3, 4]);
        assert_eq!(read(&mut journal, all, 4).0, [5, 6]);
        let (seqs, end) = read(&mut journal, logs, 2);
        assert_eq!(seqs, [1, 3]);
        assert_eq!((pending(&journal, all), pending(&journal, logs)), (6, 3));
        journal.ack(logs, end);
        assert_eq!((pending(&journal, all), pending(&journal, logs)), (6, 1));
        journal.rewind(all);
        assert_eq!(drain(&mut journal, all), [1, 2, 3, 4, 5, 6]);
        assert_eq!(drain(&mut journal, logs), [5]);
        assert_eq!((pending(&journal, all), pending(&journal, logs)), (0, 0));
        assert!(journal.evicted().is_empty() && journal.trouble().is_none());
    });
}

#[test]
fn a_run_keeps_to_its_bytes_but_holds_one_frame_at_least() {
    both(|dir| {
        let mut journal = open(dir, 1 << 20);
        let key = attach(&mut journal, "one", ALL);
        (1..=5).for_each(|seq| append(&mut journal, Signal::Log, seq));
        let mut run = Run::new();
        for (bytes_max, records_max, expected) in [(18, 9, 2), (0, 9, 1), (100, 1, 1), (100, 0, 1)] {
            journal.read(key, bytes_max, records_max, &mut run);
            assert_eq!((run.len(), run.bytes()), (expected, expected * 9));
        }
    });
}

#[test]
fn a_run_may_go_on_over_segments_within_its_bounds() {
    both(|dir| {
        let mut journal = open(dir, 1 << 17);
        let logs = attach(&mut journal, "logs", LOGS);
        // Of which there is one among many others, and none in most segments.
        (1..=900).for_each(|seq| {
            append(&mut journal, if seq % 100 == 0 { Signal::Log } else { Signal::Metric }, seq)
        });
        let mut run = Run::new();
        assert!(!journal.read_on(logs, usize::MAX, 9, &mut run), "there is nothing to go on behind");
        journal.read(logs, usize::MAX, 9, &mut run);
        let first = run.len();
        while journal.read_on(logs, usize::MAX, 5, &mut run) {}
        assert!(first < 5 && run.len() == 5, "{first} of {}", run.len());
        while journal.read_on(logs, usize::MAX, 9, &mut run) {}
        let seqs: Vec<_> = run.iter().map(|(frame, _)| frame.head.id.seq).collect();
        assert_eq!(seqs, [100, 200, 300, 400, 500, 600, 700, 800, 900]);
        journal.ack(logs, run.iter().nth(6).unwrap().0.end);
        journal.rewind(logs);
        assert_eq!(drain(&mut journal, logs), [800, 900]);
        assert!(journal.evicted().is_empty() && pending(&journal, logs) == 0);
    });
}

#[test]
fn what_went_while_a_run_was_read_is_counted() {
    both(|dir| {
        let mut journal = open(dir, 4096);
        let key = attach(&mut journal, "one", LOGS);
        (1..=20).for_each(|seq| append(&mut journal, Signal::Log, seq));
        let mut run = Run::new();
        journal.read(key, usize::MAX, 5, &mut run);
        (21..=300).for_each(|seq| append(&mut journal, Signal::Log, seq));
        while journal.read_on(key, usize::MAX, usize::MAX, &mut run) {}
        let gone: u64 = journal.evicted().iter().map(|row| row.count).sum();
        assert_eq!((run.len() as u64 + gone, pending(&journal, key)), (300, run.len() as u64));
        journal.ack(key, run.end());
        assert_eq!(pending(&journal, key), 0);
    });
}

#[test]
fn part_of_a_run_may_be_settled() {
    both(|dir| {
        let mut journal = open(dir, 1 << 20);
        let key = attach(&mut journal, "one", ALL);
        (1..=5).for_each(|seq| append(&mut journal, Signal::Log, seq));
        let mut run = Run::new();
        journal.read(key, usize::MAX, 9, &mut run);
        let third = run.iter().nth(2).unwrap().0.end;
        journal.ack(key, third);
        assert_eq!(journal.pending(key, Signal::Log), 2);
        journal.rewind(key);
        assert_eq!(read(&mut journal, key, 9).0, [4, 5]);
    });
}

#[test]
fn at_the_bound_the_oldest_goes_and_is_counted_for_those_who_had_not_read_it() {
    both(|dir| {
        let mut journal = open(dir, 4096);
        let (slow, fast) = (attach(&mut journal, "slow", LOGS), attach(&mut journal, "fast", ALL));
        for seq in 1..=200 {
            append(&mut journal, if seq % 4 == 0 { Signal::Metric } else { Signal::Log }, seq);
            assert!(journal.bytes() <= 4096);
            drain(&mut journal, fast);
        }
        let evicted = journal.evicted();
        assert!(evicted.iter().all(|row| row.cursor == slow && row.loss == Loss::JournalFull));
        let gone: u64 = evicted.iter().map(|row| row.count).sum();
        assert!(gone > 100, "{gone}");
        assert_eq!(gone + pending(&journal, slow), 150);
        let left = drain(&mut journal, slow);
        assert_eq!(left.len() as u64, 150 - gone);
        assert_eq!(left.last(), Some(&199));
    });
}

#[test]
fn what_a_backend_holds_is_not_lost_by_eviction() {
    both(|dir| {
        let mut journal = open(dir, 4096);
        let key = attach(&mut journal, "one", ALL);
        (1..=10).for_each(|seq| append(&mut journal, Signal::Log, seq));
        let (held, end) = read(&mut journal, key, 3);
        (11..=300).for_each(|seq| append(&mut journal, Signal::Log, seq));
        let gone: u64 = journal.evicted().iter().map(|row| row.count).sum();
        assert_eq!(gone + pending(&journal, key), 300);
        journal.ack(key, end);
        assert_eq!(gone + pending(&journal, key), 300 - held.len() as u64);
        assert_eq!(drain(&mut journal, key).len() as u64, 300 - gone - 3);
        assert_eq!((pending(&journal, key), journal.evicted().len()), (0, 0));
    });
}

#[test]
fn what_was_held_is_lost_if_it_is_asked_for_again_after_eviction() {
    both(|dir| {
        let mut journal = open(dir, 4096);
        let key = attach(&mut journal, "one", ALL);
        (1..=300).for_each(|seq| {
            append(&mut journal, Signal::Log, seq);
            if seq == 10 {
                read(&mut journal, key, 5);
            }
        });
        journal.rewind(key);
        let gone: u64 = journal.evicted().iter().map(|row| row.count).sum();
        assert_eq!(gone + pending(&journal, key), 300);
        assert_eq!(drain(&mut journal, key).len() as u64, 300 - gone);
    });
}

#[test]
fn a_frame_larger_than_a_segment_is_kept_and_one_larger_than_the_journal_is_counted() {
    both(|dir| {
        let mut journal = open(dir, 4096);
        let key = attach(&mut journal, "one", ALL);
        let mut run = Run::new();
        append(&mut journal, Signal::Log, 1);
        journal.append(head(Signal::Check, 2), &[b'x'; 2000]);
        journal.append(head(Signal::Config, 3), &[b'y'; 5000]);
        journal.append(head(Signal::Config, 4), &[b'y'; 4096]);
        append(&mut journal, Signal::Log, 5);
        assert_eq!(lost(&mut journal), [(Signal::Config, Loss::JournalFull, 2)]);
        assert_eq!(pending(&journal, key), 3);
        journal.read(key, usize::MAX, 9, &mut run);
        assert_eq!(run.len(), 1);
        journal.read(key, usize::MAX, 9, &mut run);
        assert_eq!((run.len(), run.bytes()), (1, 2000));
        assert_eq!(read(&mut journal, key, 9).0, [5]);
        assert_eq!(pending(&journal, key), 3);
    });
}

#[test]
fn what_is_older_than_the_bound_of_age_goes() {
    both(|dir| {
        let age_max = Duration::from_millis(800);
        let settings = Settings { age_max, audit_age_max: age_max, ..small(dir, 1 << 20) };
        let mut journal = Journal::open(settings).unwrap().0;
        let key = attach(&mut journal, "one", ALL);
        (0..1000).for_each(|seq| append(&mut journal, Signal::Log, seq));
        journal.expire(999);
        let [(Signal::Log, Loss::Expired, gone)] = lost(&mut journal)[..] else { panic!("nothing expired") };
        assert!((100..=199).contains(&gone), "{gone}");
        assert_eq!(drain(&mut journal, key), (gone..1000).collect::<Vec<_>>());
        append(&mut journal, Signal::Audit, 1000);
        journal.expire(1800);
        assert!(journal.evicted().is_empty());
        journal.expire(1801);
        assert_eq!(lost(&mut journal), [(Signal::Audit, Loss::Expired, 1)]);
        assert_eq!((pending(&journal, key), journal.bytes()), (0, 0));
    });
}

#[test]
fn what_everyone_has_passed_takes_no_room() {
    both(|dir| {
        let mut journal = open(dir, 1 << 16);
        let (all, metrics) = (attach(&mut journal, "all", ALL), attach(&mut journal, "none", [false; 5]));
        for seq in 1..=2000 {
            append(&mut journal, Signal::Log, seq);
            if seq % 10 == 0 {
                assert_eq!(drain(&mut journal, all).len(), 10);
                assert!(journal.bytes() < 1 << 13, "{}", journal.bytes());
            }
        }
        assert_eq!(read(&mut journal, metrics, 9).0, [0_u64; 0]);
        assert!(journal.evicted().is_empty());
        let files = dir.map_or(0, |dir| fs::read_dir(dir.join("journal")).unwrap().count());
        assert!(files <= 1, "{files}");
    });
}

#[test]
fn an_id_is_a_plain_name_used_once() {
    let mut journal = open(None, 1 << 20);
    for bad in ["", "a/b", "..", "A", "a.b", "é", "a b", &"a".repeat(101)] {
        let said = journal.attach(bad, ALL).unwrap_err().to_string();
        assert!(said.contains("cannot be called") && said.contains("OPS_BACKENDS"), "{said}");
    }
    attach(&mut journal, "cloudwatch-logs_2", ALL);
    assert!(journal.attach("cloudwatch-logs_2", ALL).unwrap_err().to_string().contains("two backends"));
}

#[test]
fn in_memory_all_that_is_pending_would_go_with_the_process() {
    let mut journal = open(None, 1 << 16);
    let key = attach(&mut journal, "one", LOGS);
    (1..=3).for_each(|seq| append(&mut journal, Signal::Log, seq));
    append(&mut journal, Signal::Metric, 4);
    journal.commit();
    assert_eq!((journal.unkept(key), pending(&journal, key)), (3, 3));
    drain(&mut journal, key);
    assert_eq!(journal.unkept(key), 0);
}
