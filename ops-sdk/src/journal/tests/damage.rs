//! Damaged, torn and missing files: what was hit is lost and counted, and nothing else.

use super::*;

const FRAMES: u64 = 12;

fn signal(seq: u64) -> Signal {
    Signal::ALL[(seq * seq % 5) as usize]
}

/// How a segment ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// With the death of its process: room follows its frames, and it is read from its start.
    Killed,
    /// With a footer.
    Closed,
    /// With a footer, and a further segment came after it.
    Followed,
}

/// A journal of one segment with two cursors at its start, one of which takes logs only. Gives the segment's path and its
/// bytes.
fn prepare(dir: &Path, end: End) -> (PathBuf, Vec<u8>) {
    {
        let mut journal = open(Some(dir), 1 << 20);
        attach(&mut journal, "all", ALL);
        attach(&mut journal, "logs", LOGS);
        (1..=FRAMES).for_each(|seq| append(&mut journal, signal(seq), seq));
        for lane in &mut journal.lanes {
            lane.commit();
            lane.readers.iter_mut().for_each(|reader| reader.save(lane.line.end).unwrap());
        }
        if end == End::Killed {
            kill(journal);
        }
    }
    if end == End::Followed {
        let mut journal = open(Some(dir), 1 << 20);
        append(&mut journal, Signal::Log, FRAMES + 1);
    }
    let path = dir.join("journal/00000000000000000001.seg");
    let mut bytes = fs::read(&path).unwrap();
    if end == End::Killed {
        assert_eq!(bytes.len(), 64 << 10);
        bytes.truncate(ends().last().unwrap() + 300); // as when the room was not made yet
    }
    (path, bytes)
}

fn reset(dir: &Path, path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
    let _ = fs::remove_dir_all(dir.join("cursors"));
    copy_cursors(&dir.join("saved"), &dir.join("cursors"));
}

fn copy_cursors(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

/// Where each frame ends, counted from the start of the segment.
fn ends() -> Vec<usize> {
    let frames = (1..=FRAMES).map(|seq| HEAD_BYTES + format!("payload {seq}").len());
    let sum = |end: &mut usize, bytes| {
        *end += bytes;
        Some(*end)
    };
    frames.scan(frame::HEADER_BYTES, sum).collect()
}

/// Opens what is there, and checks that each cursor reads all but `hit`, and is told of exactly those.
fn check(dir: &Path, last: u64, hit: &[u64]) -> Opened {
    let (mut journal, opened) = Journal::open(small(Some(dir), 1 << 20)).unwrap();
    let mut told_so_far = Vec::new();
    let attached = [("all", ALL), ("logs", LOGS)].map(|(id, accepts)| (journal.attach(id, accepts), accepts));
    for (attached, accepts) in attached {
        let Attached { key, carried } = attached.unwrap();
        let mine = |seq: &u64| accepts[if *seq > FRAMES { Signal::Log } else { signal(*seq) } as usize];
        let expected: Vec<u64> = (1..=last).filter(|seq| mine(seq) && !hit.contains(seq)).collect();
        assert_eq!(drain(&mut journal, key), expected);
        let rows = lost_to(&mut told_so_far, &mut journal, key);
        assert!(rows.iter().all(|row| row.1 == Loss::Damaged));
        let mut lost = [0; Signal::COUNT];
        rows.iter().for_each(|row| lost[row.0 as usize] += row.2);
        let mut should = [0; Signal::COUNT];
        let hit_mine = hit.iter().filter(|seq| mine(seq));
        hit_mine.for_each(|seq| should[signal(*seq) as usize] += 1);
        assert_eq!(lost, should);
        assert_eq!(carried.iter().sum::<u64>(), expected.len() as u64 + lost.iter().sum::<u64>());
        assert_eq!(pending(&journal, key), 0);
    }
    opened
}

/// What one of several cursors was told, out of all that was told so far.
fn lost_to(told: &mut Vec<Evicted>, journal: &mut Journal, key: CursorKey) -> Vec<(Signal, Loss, u64)> {
    told.extend(journal.evicted());
    told.iter().filter(|row| row.cursor == key).map(|row| (row.signal, row.loss, row.count)).collect()
}

#[test]
fn a_bad_byte_costs_the_frame_that_it_hits_and_no_other() {
    for end in [End::Killed, End::Closed, End::Followed] {
        let dir = tempfile::tempdir().unwrap();
        let (path, bytes) = prepare(dir.path(), end);
        let later = dir.path().join("journal").join(format!("{:020}.seg", FRAMES + 1));
        let second = fs::read(&later).ok();
        copy_cursors(&dir.path().join("cursors"), &dir.path().join("saved"));
        let (ends, last) = (ends(), if end == End::Followed { FRAMES + 1 } else { FRAMES });
        let frames_end = *ends.last().unwrap();
        assert_eq!(bytes.len() - frames_end, if end == End::Killed { 300 } else { FOOTER_BYTES });
        for (i, flip) in (0..bytes.len()).zip([0x01, 0xFF].into_iter().cycle()) {
            let mut bad = bytes.clone();
            bad[i] ^= flip;
            reset(dir.path(), &path, &bad);
            if let Some(second) = &second {
                fs::write(&later, second).unwrap();
            }
            let in_frames = (frame::HEADER_BYTES..frames_end).contains(&i);
            let seq = 1 + ends.partition_point(|end| *end <= i) as u64;
            let hit: Vec<u64> = in_frames.then_some(seq).into_iter().collect();
            // The last frame without its head is a torn tail; how the journal ended tells what it was.
            let last_start = ends[ends.len() - 2];
            let headless = end == End::Killed && (last_start..last_start + HEAD_BYTES).contains(&i);
            let torn = headless || (i >= frames_end && end != End::Followed);
            let opened = check(dir.path(), last, &hit);
            // What is damaged before a footer is found when it is read.
            let found = if end == End::Killed { hit.len() as u64 } else { 0 };
            assert_eq!((opened.records, opened.damaged_records), (last - found, found), "{end:?}: byte {i}");
            assert_eq!(opened.torn_bytes > 0, torn, "{end:?}: byte {i}");
        }
    }
}

/// Where the last byte ends that is not zero.
fn written(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|b| *b != 0).map_or(0, |last| last + 1)
}

#[test]
fn a_torn_tail_is_cut_at_any_length_and_what_is_appended_then_is_read() {
    for end in [End::Killed, End::Closed] {
        let dir = tempfile::tempdir().unwrap();
        let (path, bytes) = prepare(dir.path(), end);
        copy_cursors(&dir.path().join("cursors"), &dir.path().join("saved"));
        let all = ends().last().unwrap() + FOOTER_BYTES;
        (0..all).for_each(|length| cut_at(dir.path(), &path, &bytes[..length]));
    }
}

fn cut_at(dir: &Path, path: &Path, bytes: &[u8]) {
    let (ends, length) = (ends(), bytes.len());
    reset(dir, path, bytes);
    let whole = ends.iter().filter(|end| **end <= length).count();
    let hit: Vec<u64> = (whole as u64 + 1..=FRAMES).collect();
    let opened = check(dir, FRAMES, &hit);
    let clean = if whole == 0 { frame::HEADER_BYTES.min(length) } else { ends[whole - 1] };
    let (records, damaged_records) = (whole as u64, hit.len() as u64);
    let torn_bytes = written(bytes).saturating_sub(clean) as u64;
    assert_eq!(opened, Opened { records, damaged_records, torn_bytes }, "length {length}");

    if length % 3 > 0 && !ends.contains(&length) {
        return;
    }
    reset(dir, path, bytes);
    let mut journal = open(Some(dir), 1 << 20);
    let key = attach(&mut journal, "all", ALL);
    append(&mut journal, Signal::Log, 99);
    let mut told = Vec::new();
    lost_to(&mut told, &mut journal, key);
    drop(journal);
    let (mut journal, opened) = Journal::open(small(Some(dir), 1 << 20)).unwrap();
    assert_eq!((opened.records, opened.torn_bytes), (whole as u64 + 1, 0));
    assert_eq!(attach(&mut journal, "all", ALL), key);
    let expected: Vec<u64> = (1..=whole as u64).chain([99]).collect();
    assert_eq!(drain(&mut journal, key), expected);
    let all = lost_to(&mut told, &mut journal, key);
    assert_eq!(all.iter().map(|row| row.2).sum::<u64>(), hit.len() as u64);
    assert!(all.iter().all(|row| row.1 == Loss::Damaged));
    drop(journal);
    for entry in fs::read_dir(dir.join("journal")).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
}

#[test]
fn a_burst_costs_the_frames_under_it_even_with_both_headers() {
    let dir = tempfile::tempdir().unwrap();
    let (path, bytes) = prepare(dir.path(), End::Killed);
    copy_cursors(&dir.path().join("cursors"), &dir.path().join("saved"));
    let ends = ends();
    for start in (0..ends.last().unwrap() - 200).step_by(7) {
        let mut bad = bytes.clone();
        bad[start..start + 200].fill(0);
        reset(dir.path(), &path, &bad);
        let (from, to) = (start, start + 200);
        let starts = [frame::HEADER_BYTES].into_iter().chain(ends.iter().copied());
        let under = (1..).zip(starts.zip(&ends)).filter(|(_, (a, b))| *a < to && **b > from);
        let hit: Vec<u64> = under.map(|(seq, _)| seq).collect();
        let opened = check(dir.path(), FRAMES, &hit);
        assert_eq!(opened.damaged_records, hit.len() as u64, "from {start}");
    }
}

#[test]
fn what_is_damaged_while_the_process_lives_is_counted_too() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(Some(dir.path()), 1 << 20);
    let key = attach(&mut journal, "all", ALL);
    (1..=FRAMES).for_each(|seq| append(&mut journal, signal(seq), seq));
    journal.commit();
    let path = dir.path().join("journal/00000000000000000001.seg");
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(ends()[9] as u64 - 1).unwrap();
    assert_eq!(drain(&mut journal, key), (1..=9).collect::<Vec<_>>());
    assert_eq!(journal.evicted().iter().map(|row| row.count).sum::<u64>(), 3);
    append(&mut journal, Signal::Log, 13);
    assert_eq!(drain(&mut journal, key), [13]);
}

#[test]
fn a_segment_that_is_missing_is_counted_by_kind() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(Some(dir.path()), 4096);
    let key = attach(&mut journal, "all", ALL);
    (1..=20).for_each(|seq| append(&mut journal, signal(seq), seq));
    drop(journal);
    let mut names: Vec<_> =
        fs::read_dir(dir.path().join("journal")).unwrap().map(|e| e.unwrap().path()).collect();
    names.sort();
    assert!(names.len() >= 4);
    fs::remove_file(&names[1]).unwrap();
    let ordinal = |path: &Path| segment::ordinal_of(path.file_name().unwrap().to_str().unwrap()).unwrap();
    let gone = ordinal(&names[1])..ordinal(&names[2]);
    let (mut journal, opened) = Journal::open(small(Some(dir.path()), 4096)).unwrap();
    assert_eq!(opened.damaged_records, gone.end - gone.start);
    attach(&mut journal, "all", ALL);
    let expected: Vec<u64> = (1..=20).filter(|seq| !gone.contains(seq)).collect();
    assert_eq!(drain(&mut journal, key), expected);
    let mut counts = [0; Signal::COUNT];
    gone.for_each(|seq| counts[signal(seq) as usize] += 1);
    lost(&mut journal).iter().for_each(|row| counts[row.0 as usize] -= row.2);
    assert_eq!(counts, [0; Signal::COUNT]);
}

/// A later segment whose two headers are gone, with two cursors in its middle: after frame 25 of 21..=32.
fn headless(dir: &Path, also: Option<u64>, with_footer: bool) {
    let mut journal = open(Some(dir), 4096);
    let (all, logs) = (attach(&mut journal, "all", ALL), attach(&mut journal, "logs", LOGS));
    (1..=20).for_each(|seq| append(&mut journal, signal(seq), seq));
    [all, logs].iter().for_each(|key| drop(drain(&mut journal, *key)));
    drop(journal);
    let mut journal = open(Some(dir), 1 << 20);
    assert_eq!([attach(&mut journal, "all", ALL), attach(&mut journal, "logs", LOGS)], [all, logs]);
    (21..=25).for_each(|seq| append(&mut journal, signal(seq), seq));
    for key in [all, logs] {
        let (_, end) = read(&mut journal, key, 99);
        journal.ack(key, end);
    }
    (26..=32).for_each(|seq| append(&mut journal, signal(seq), seq));
    if with_footer {
        drop(journal);
    } else {
        kill(journal);
    }
    let path = dir.join("journal/00000000000000000021.seg");
    let mut bytes = fs::read(&path).unwrap();
    bytes[..frame::HEADER_BYTES].fill(0);
    if let Some(seq) = also {
        let frame = HEAD_BYTES + "payload 21".len();
        bytes[frame::HEADER_BYTES + (seq - 21) as usize * frame] ^= 1;
    }
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_segment_without_a_header_and_without_neighbours_still_gives_its_frames() {
    for (also, with_footer) in
        [None, Some(22), Some(26), Some(30)].into_iter().flat_map(|a| [(a, false), (a, true)])
    {
        let dir = tempfile::tempdir().unwrap();
        headless(dir.path(), also, with_footer);
        let mut journal = open(Some(dir.path()), 1 << 20);
        let keys =
            [("all", ALL), ("logs", LOGS)].map(|(id, accepts)| (attach(&mut journal, id, accepts), accepts));
        for (key, accepts) in keys {
            let mine = |seq: &u64| accepts[signal(*seq) as usize] && Some(*seq) != also;
            let expected: Vec<u64> = (26..=32).filter(mine).collect();
            let left = drain(&mut journal, key);
            assert!(left.ends_with(&expected), "{also:?}: {left:?} of {expected:?}");
            // Where a footer says what the header said, nothing is read twice.
            let once = with_footer || also != Some(26);
            assert!(left.len() == expected.len() || !once, "{also:?}: {left:?}");
        }
    }
}

#[test]
fn a_copy_of_a_frame_within_a_damaged_one_is_not_taken_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal/00000000000000000001.seg");
    let mut journal = open(Some(dir.path()), 1 << 20);
    let key = attach(&mut journal, "all", ALL);
    append(&mut journal, Signal::Log, 1);
    journal.commit();
    let end = frame::HEADER_BYTES + HEAD_BYTES + "payload 1".len();
    let copy = fs::read(&path).unwrap()[frame::HEADER_BYTES..end].to_vec();
    journal.append(head(Signal::Config, 2), &copy);
    append(&mut journal, Signal::Check, 3);
    kill(journal);
    let mut bytes = fs::read(&path).unwrap();
    bytes[frame::HEADER_BYTES + copy.len()] ^= 1;
    fs::write(&path, bytes).unwrap();
    let (mut journal, opened) = Journal::open(small(Some(dir.path()), 1 << 20)).unwrap();
    assert_eq!(opened, Opened { records: 2, damaged_records: 1, torn_bytes: 0 });
    assert_eq!(attach(&mut journal, "all", ALL), key);
    assert_eq!(drain(&mut journal, key), [1, 3]);
    assert_eq!(lost(&mut journal), [(Signal::Config, Loss::Damaged, 1)]);
}

/// Where a frame ends in its segment, and the numbers of its records.
type Stretch = (usize, std::ops::Range<u64>);

/// A segment with frames of 1 to 6 records.
fn blocks(dir: &Path) -> (PathBuf, Vec<u8>, Vec<Stretch>) {
    let mut journal = open(Some(dir), 1 << 20);
    attach(&mut journal, "all", ALL);
    attach(&mut journal, "logs", LOGS);
    let (mut seq, mut end, mut frames) = (1, frame::HEADER_BYTES, Vec::new());
    for frame in 0..8 {
        let records = 1 + frame % 6;
        append_block(&mut journal, signal(frame), seq, records as u32);
        end += HEAD_BYTES + format!("payload {seq}").len();
        frames.push((end, seq..seq + records));
        seq += records;
    }
    drop(journal);
    let path = dir.join("journal/00000000000000000001.seg");
    let bytes = fs::read(&path).unwrap();
    assert_eq!(bytes.len(), end + FOOTER_BYTES);
    (path, bytes, frames)
}

#[test]
fn a_bad_byte_costs_the_records_of_its_block_and_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let (path, bytes, frames) = blocks(dir.path());
    copy_cursors(&dir.path().join("cursors"), &dir.path().join("saved"));
    let last = frames.last().unwrap().1.end - 1;
    for i in frame::HEADER_BYTES..bytes.len() - FOOTER_BYTES {
        let mut bad = bytes.clone();
        bad[i] ^= 0x20;
        reset(dir.path(), &path, &bad);
        let at = frames.partition_point(|(end, _)| *end <= i);
        let hit = frames[at].1.clone();
        let (mut journal, opened) = Journal::open(small(Some(dir.path()), 1 << 20)).unwrap();
        let damaged = hit.end - hit.start;
        assert_eq!(
            (opened.records, opened.damaged_records),
            (last, 0),
            "what is damaged is found when it is read"
        );
        let key = attach(&mut journal, "all", ALL);
        assert_eq!(drain(&mut journal, key), (1..=last).filter(|seq| !hit.contains(seq)).collect::<Vec<_>>());
        assert_eq!(lost(&mut journal), [(signal(at as u64), Loss::Damaged, damaged)], "byte {i}");
    }
}

#[test]
fn a_backend_that_stood_within_a_block_goes_on_there_and_loses_only_what_it_had_not_settled() {
    for settled in 0..=21 {
        for damaged in [false, true] {
            let dir = tempfile::tempdir().unwrap();
            let (path, bytes, frames) = blocks(dir.path());
            let last = frames.last().unwrap().1.end - 1;
            let mut journal = open(Some(dir.path()), 1 << 20);
            let key = attach(&mut journal, "all", ALL);
            let mut run = Run::new();
            journal.read(key, usize::MAX, usize::MAX, &mut run);
            let behind: Vec<_> = run.iter().flat_map(|(frame, _)| seqs(frame)).collect();
            behind.iter().filter(|(seq, _)| *seq == settled).for_each(|(_, upto)| journal.ack(key, *upto));
            journal.rewind(key);
            assert_eq!(read(&mut journal, key, 99).0, (settled + 1..=last).collect::<Vec<_>>());
            drop(journal);
            let at = frames.partition_point(|(_, seqs)| seqs.end <= settled + 1).min(frames.len() - 1);
            if damaged && path.exists() {
                let mut bad = bytes.clone();
                bad[frames[at].0 - 1] ^= 1;
                fs::write(&path, bad).unwrap();
            }
            let mut journal = open(Some(dir.path()), 1 << 20);
            let Attached { key, carried } = journal.attach("all", ALL).unwrap();
            assert_eq!(carried.iter().sum::<u64>(), last - settled);
            let gone = if damaged { frames[at].1.clone() } else { 0..0 };
            let left: Vec<_> = (settled + 1..=last).filter(|seq| !gone.contains(seq)).collect();
            assert_eq!(drain(&mut journal, key), left, "{settled} settled");
            let lost: u64 = lost(&mut journal).iter().map(|row| row.2).sum();
            assert_eq!(lost, last - settled - left.len() as u64, "{settled} settled");
        }
    }
}
