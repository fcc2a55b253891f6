//! Audit records in a lane of their own: read first, kept longer, never given up for anything else.

use super::*;

const AUDITS: [bool; Signal::COUNT] = [false, false, true, false, false];

fn both(test: impl Fn(Option<&Path>)) {
    test(None);
    let dir = tempfile::tempdir().unwrap();
    test(Some(dir.path()));
}

#[test]
fn audit_is_read_before_all_else_and_a_run_is_of_one_lane() {
    both(|dir| {
        let mut journal = open(dir, 1 << 20);
        let (all, audits) = (attach(&mut journal, "all", ALL), attach(&mut journal, "audits", AUDITS));
        for seq in 1..=10 {
            append(&mut journal, if seq % 3 == 0 { Signal::Audit } else { Signal::Log }, seq);
        }
        assert_eq!(read(&mut journal, all, 99).0, [3, 6, 9]);
        append(&mut journal, Signal::Audit, 11);
        assert_eq!(read(&mut journal, all, 99).0, [11]);
        let (seqs, end) = read(&mut journal, all, 99);
        assert_eq!(seqs, [1, 2, 4, 5, 7, 8, 10]);
        journal.ack(all, end);
        assert_eq!(["log", "audit"].map(|name| pending_of(&journal, all, name)), [0, 4]);
        journal.rewind(all);
        let (seqs, end) = read(&mut journal, all, 99);
        assert_eq!(seqs, [3, 6, 9, 11]);
        assert!(!journal.is_settled(all, &journal.end()));
        journal.ack(all, end);
        assert!(journal.is_settled(all, &journal.end()));
        assert_eq!(drain(&mut journal, audits), [3, 6, 9, 11]);
        assert!(journal.evicted().is_empty());
    });
}

fn pending_of(journal: &Journal, key: CursorKey, name: &str) -> u64 {
    let signal = Signal::ALL.into_iter().find(|signal| signal.name() == name).unwrap();
    journal.pending(key, signal)
}

#[test]
fn a_flood_of_signals_takes_nothing_from_audit_and_audit_has_its_own_bound() {
    both(|dir| {
        let settings = Settings { audit_bytes_max: 8192, ..small(dir, 4096) };
        let mut journal = Journal::open(settings).unwrap().0;
        let key = attach(&mut journal, "one", ALL);
        (1..=20).for_each(|seq| append(&mut journal, Signal::Audit, seq));
        (21..=1000).for_each(|seq| append(&mut journal, Signal::Log, seq));
        assert!(lost(&mut journal).iter().all(|row| row.0 == Signal::Log && row.1 == Loss::JournalFull));
        assert_eq!(journal.pending(key, Signal::Audit), 20);
        (1001..=1300).for_each(|seq| append(&mut journal, Signal::Audit, seq));
        assert!(journal.lanes[AUDIT].bytes() <= 8192 && journal.lanes[SIGNALS].bytes() <= 4096);
        let gone: u64 = lost(&mut journal).iter().map(|row| row.2).sum();
        assert_eq!(gone + journal.pending(key, Signal::Audit), 320);
    });
}

#[test]
fn audit_may_wait_longer() {
    both(|dir| {
        let age = Duration::from_millis;
        let settings = Settings { age_max: age(100), audit_age_max: age(1000), ..small(dir, 1 << 20) };
        let mut journal = Journal::open(settings).unwrap().0;
        attach(&mut journal, "one", ALL);
        append(&mut journal, Signal::Audit, 1);
        append(&mut journal, Signal::Log, 2);
        journal.expire(500);
        assert_eq!(lost(&mut journal), [(Signal::Log, Loss::Expired, 1)]);
        journal.expire(1002);
        assert_eq!(lost(&mut journal), [(Signal::Audit, Loss::Expired, 1)]);
    });
}

#[test]
fn both_lanes_go_on_after_a_restart_and_who_takes_no_audit_has_no_cursor_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(Some(dir.path()), 1 << 20);
    let (all, logs) = (attach(&mut journal, "all", ALL), attach(&mut journal, "logs", LOGS));
    for seq in 1..=9 {
        append(&mut journal, if seq % 2 == 0 { Signal::Audit } else { Signal::Log }, seq);
    }
    let (seqs, end) = read(&mut journal, all, 2);
    assert_eq!(seqs, [2, 4]);
    journal.ack(all, end);
    assert_eq!(drain(&mut journal, logs), [1, 3, 5, 7, 9]);
    kill(journal);
    let (mut journal, opened) = Journal::open(small(Some(dir.path()), 1 << 20)).unwrap();
    assert_eq!(opened, Opened { records: 9, ..Opened::default() });
    let [all, logs] =
        [("all", ALL), ("logs", LOGS)].map(|(id, accepts)| journal.attach(id, accepts).unwrap());
    assert_eq!((all.carried, logs.carried), ([0, 5, 2, 0, 0], [0; 5]));
    assert_eq!(drain(&mut journal, all.key), [6, 8, 1, 3, 5, 7, 9]);
    let names = |folder: &str| fs::read_dir(dir.path().join(folder)).unwrap().count();
    assert_eq!((names("cursors"), names("audit/cursors")), (2, 1));
}

#[test]
fn damage_and_cuts_in_one_lane_are_counted_in_that_lane() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(Some(dir.path()), 1 << 20);
    attach(&mut journal, "one", ALL);
    (1..=6).for_each(|seq| append(&mut journal, Signal::Audit, seq));
    (7..=12).for_each(|seq| append(&mut journal, Signal::Log, seq));
    drop(journal);
    let path = dir.path().join("audit/00000000000000000001.seg");
    let mut bytes = fs::read(&path).unwrap();
    bytes[frame::HEADER_BYTES + 2 * (HEAD_BYTES + "payload 1".len()) + 5] ^= 1;
    fs::write(&path, bytes).unwrap();
    let mut journal = open(Some(dir.path()), 1 << 20);
    assert_eq!((journal.last_of(7), journal.cut_from(7, 11).unwrap()), (Some(12), 2));
    let key = attach(&mut journal, "one", ALL);
    assert_eq!(drain(&mut journal, key), [1, 2, 4, 5, 6, 7, 8, 9, 10]);
    assert_eq!(lost(&mut journal), [(Signal::Audit, Loss::Damaged, 1)]);
}
