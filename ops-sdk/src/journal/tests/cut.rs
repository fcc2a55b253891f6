//! What one process appended last is taken back: those frames and no others, wherever they lie, for every cursor.

use super::*;

const METRICS: [bool; Signal::COUNT] = [true, false, false, false, false];

/// A frame of a process's records, numbered from `seq` on.
fn append_of(journal: &mut Journal, process: u64, signal: Signal, seq: u64, records: u32) {
    let id = RecordId { process, seq };
    let payload = format!("payload {seq}");
    journal.append(FrameHead { id, ..block(signal, seq, records) }, payload.as_bytes());
}

fn opened(dir: &Path) -> Journal {
    open(Some(dir), 4096)
}

#[test]
fn frames_from_a_number_on_go_and_all_before_them_stay_over_any_segments() {
    for from in 1..=40_u64 {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = opened(dir.path());
        attach(&mut journal, "one", ALL);
        (1..=5).for_each(|seq| append_of(&mut journal, 6, Signal::Log, seq, 1));
        drop(journal);
        let mut journal = opened(dir.path());
        attach(&mut journal, "one", ALL);
        (1..=20).for_each(|n| append_of(&mut journal, 7, Signal::Log, 2 * n - 1, 2));
        drop(journal);

        let mut journal = opened(dir.path());
        assert_eq!((journal.last_of(7), journal.last_of(6)), (Some(40), None));
        let frames = (from - 1).div_ceil(2);
        assert_eq!(journal.cut_from(7, from).unwrap(), 40 - 2 * frames, "from {from}");
        assert_eq!(journal.cut_from(7, from).unwrap(), 0);
        assert_eq!(journal.last_of(7), (frames > 0).then_some(2 * frames));
        let key = attach(&mut journal, "one", ALL);
        append_of(&mut journal, 8, Signal::Metric, 99, 1);
        let expected: Vec<u64> = (1..=5).chain(1..=2 * frames).chain([99]).collect();
        let runs = std::iter::repeat_with(|| read(&mut journal, key, 99).0);
        assert_eq!(runs.take_while(|run| !run.is_empty()).flatten().collect::<Vec<_>>(), expected);
        let bytes = journal.bytes();
        drop(journal);
        let (mut journal, opened) = Journal::open(small(Some(dir.path()), 4096)).unwrap();
        assert_eq!(opened, Opened { records: expected.len() as u64, ..Opened::default() });
        assert_eq!(journal.bytes(), bytes);
        let key = attach(&mut journal, "one", ALL);
        assert_eq!(drain(&mut journal, key), expected);
        assert!(journal.evicted().is_empty());
    }
}

#[test]
fn another_process_behind_them_and_other_numbers_keep_frames_where_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = opened(dir.path());
    attach(&mut journal, "one", ALL);
    append_of(&mut journal, 7, Signal::Log, 1, 1);
    append_of(&mut journal, 8, Signal::Log, 1, 1);
    append_of(&mut journal, 7, Signal::Log, 2, 1);
    drop(journal);
    let mut journal = opened(dir.path());
    assert_eq!((journal.cut_from(8, 1).unwrap(), journal.cut_from(7, 3).unwrap()), (0, 0));
    assert_eq!((journal.last_of(7), journal.last_of(8), journal.last_of(9)), (Some(2), Some(1), None));
    assert_eq!(journal.cut_from(7, 1).unwrap(), 1);
    assert_eq!(journal.end().ordinal(), 3);
    let mut memory = open(None, 1 << 16);
    append_of(&mut memory, 7, Signal::Log, 1, 1);
    assert_eq!((memory.cut_from(7, 1).unwrap(), pending_frames(&mut memory)), (0, 0));
}

fn pending_frames(journal: &mut Journal) -> usize {
    let key = attach(journal, "late", ALL);
    read(journal, key, 9).0.len()
}

#[test]
fn a_cursor_that_had_passed_them_unread_comes_back_and_reads_what_takes_their_place() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = opened(dir.path());
    let (metrics, all) = (attach(&mut journal, "metrics", METRICS), attach(&mut journal, "all", ALL));
    append_of(&mut journal, 7, Signal::Metric, 1, 1);
    assert_eq!((drain(&mut journal, metrics), drain(&mut journal, all)), (vec![1], vec![1]));
    (2..=9).for_each(|seq| append_of(&mut journal, 7, Signal::Log, seq, 1));
    assert!(drain(&mut journal, metrics).is_empty());
    drop(journal);
    let mut journal = opened(dir.path());
    assert_eq!(journal.cut_from(7, 4).unwrap(), 6);
    drop(journal);
    // The process dies here; the next one attaches, and another after it.
    for _ in 0..2 {
        let (mut journal, opened) = Journal::open(small(Some(dir.path()), 4096)).unwrap();
        assert_eq!((opened.damaged_records, opened.torn_bytes), (0, 0));
        let carried = ["metrics", "all"].map(|id| journal.attach(id, ALL).unwrap().carried);
        assert_eq!(carried[1][Signal::Log as usize], 2);
        assert_eq!(carried[0], [0; Signal::COUNT]);
    }
    let mut journal = opened(dir.path());
    let (metrics, all) = (attach(&mut journal, "metrics", METRICS), attach(&mut journal, "all", ALL));
    (4..=6).for_each(|seq| append_of(&mut journal, 7, Signal::Metric, seq, 1));
    assert_eq!(drain(&mut journal, metrics), [4, 5, 6]);
    assert_eq!(drain(&mut journal, all), [2, 3, 4, 5, 6]);
    assert!(journal.evicted().is_empty());
}

#[test]
fn a_frame_that_was_torn_or_damaged_goes_with_the_others() {
    for (flip, cut) in [(3, 0), (0, 3), (0, 70)] {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = open(Some(dir.path()), 1 << 20);
        attach(&mut journal, "one", ALL);
        (1..=4).for_each(|seq| append_of(&mut journal, 7, Signal::Log, seq, 1));
        kill(journal);
        let path = dir.path().join("journal/00000000000000000001.seg");
        let mut bytes = fs::read(&path).unwrap();
        let end = frame::HEADER_BYTES + 4 * (HEAD_BYTES + "payload 1".len());
        bytes[end - 1] ^= flip;
        bytes[end - cut..].fill(0);
        fs::write(&path, bytes).unwrap();
        let mut journal = open(Some(dir.path()), 1 << 20);
        assert_eq!(
            (journal.last_of(7), journal.cut_from(7, 3).unwrap()),
            (Some(3), if cut == 70 { 1 } else { 2 })
        );
        let key = attach(&mut journal, "one", ALL);
        assert_eq!(drain(&mut journal, key), [1, 2]);
        assert!(journal.evicted().is_empty());
    }
}

#[test]
fn what_a_disk_never_took_is_lost_up_to_the_number_and_comes_again_from_there() {
    for from in 3..=9_u64 {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = open(Some(dir.path()), 1 << 20);
        let key = attach(&mut journal, "one", ALL);
        (1..=8).for_each(|seq| append_of(&mut journal, 7, Signal::Log, seq, 1));
        let (_, end) = read(&mut journal, key, 1);
        journal.ack(key, end);
        drop(journal);
        let path = dir.path().join("journal/00000000000000000001.seg");
        let frame = HEAD_BYTES + "payload 1".len();
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len((frame::HEADER_BYTES + 2 * frame) as u64).unwrap();
        let mut journal = open(Some(dir.path()), 1 << 20);
        assert_eq!(journal.cut_from(7, from).unwrap(), 9 - from);
        let key = attach(&mut journal, "one", ALL);
        (from..=8).for_each(|seq| append_of(&mut journal, 7, Signal::Log, seq, 1));
        let expected: Vec<u64> = [2].into_iter().chain(from..=8).collect();
        assert_eq!(drain(&mut journal, key), expected);
        let gone = lost(&mut journal).iter().map(|row| row.2).sum::<u64>();
        assert_eq!(gone, from - 3, "only what stands before {from}");
    }
}
