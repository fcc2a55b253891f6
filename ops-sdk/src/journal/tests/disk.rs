//! Restarts, and disks that do not take what they are given.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use super::*;

#[test]
fn a_restart_goes_on_where_each_backend_was() {
    let dir = tempfile::tempdir().unwrap();
    {
        let mut journal = open(Some(dir.path()), 1 << 20);
        let (one, two) = (attach(&mut journal, "one", ALL), attach(&mut journal, "two", LOGS));
        (1..=10).for_each(|seq| append(&mut journal, Signal::Log, seq));
        let (_, end) = read(&mut journal, one, 4);
        journal.ack(one, end);
        read(&mut journal, one, 3);
        let (_, end) = read(&mut journal, two, 9);
        journal.ack(two, end);
    }
    let (mut journal, opened) = Journal::open(small(Some(dir.path()), 1 << 20)).unwrap();
    assert_eq!(opened, Opened { records: 10, ..Opened::default() });
    let (one, two) = (journal.attach("one", ALL).unwrap(), journal.attach("two", LOGS).unwrap());
    let new = journal.attach("new", ALL).unwrap();
    assert_eq!((one.carried[1], two.carried[1], new.carried[1]), (6, 1, 0));
    append(&mut journal, Signal::Log, 11);
    assert_eq!(drain(&mut journal, one.key), (5..=11).collect::<Vec<_>>());
    assert_eq!(drain(&mut journal, two.key), [10, 11]);
    assert_eq!(drain(&mut journal, new.key), [11]);
    assert!(journal.evicted().is_empty());
}

#[test]
fn ordinals_go_on_when_every_segment_was_delivered() {
    let dir = tempfile::tempdir().unwrap();
    let mut last = 0;
    for round in 1..=3 {
        let mut journal = open(Some(dir.path()), 1 << 16);
        let Attached { key, carried } = journal.attach("one", ALL).unwrap();
        assert_eq!(carried, [0; Signal::COUNT]);
        append(&mut journal, Signal::Check, round);
        let (seqs, end) = read(&mut journal, key, 9);
        assert_eq!(seqs, [round]);
        assert!(end.ordinal() > last);
        last = end.ordinal();
        journal.ack(key, end);
        drop(journal);
        for entry in fs::read_dir(dir.path().join("journal")).unwrap() {
            fs::remove_file(entry.unwrap().path()).unwrap();
        }
    }
}

#[test]
fn a_cursor_that_says_nothing_starts_at_the_oldest() {
    let dir = tempfile::tempdir().unwrap();
    {
        let mut journal = open(Some(dir.path()), 1 << 20);
        attach(&mut journal, "one", ALL);
        (1..=3).for_each(|seq| append(&mut journal, Signal::Log, seq));
    }
    fs::write(dir.path().join("cursors/one"), "nonsense").unwrap();
    let mut journal = open(Some(dir.path()), 1 << 20);
    let Attached { key, carried } = journal.attach("one", ALL).unwrap();
    assert_eq!(carried[1], 3);
    assert_eq!(drain(&mut journal, key), [1, 2, 3]);
}

#[test]
fn a_segment_of_another_form_is_an_error_and_stays() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(Some(dir.path()), 1 << 20));
    let path = dir.path().join("journal/00000000000000000001.seg");
    for (form, crc) in [(2, crate::crc::crc32 as fn(&[u8]) -> u32), (9, crate::crc::crc32c)] {
        let mut bytes = frame::header(Position::default());
        bytes[4] = form;
        let crc = crc(&bytes[..48]);
        bytes[48..52].copy_from_slice(&crc.to_le_bytes());
        fs::write(&path, bytes).unwrap();
        let said = Journal::open(small(Some(dir.path()), 1 << 20)).unwrap_err().to_string();
        assert!(said.contains(&format!("form {form} by another version")), "{said}");
        assert!(said.contains("OPS_STATE_DIR") && said.contains("give another directory"), "{said}");
    }
    assert!(path.exists());
}

#[test]
fn a_state_directory_that_cannot_be_used_is_an_error_at_opening() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("journal"), "in the way").unwrap();
    let said = Journal::open(small(Some(dir.path()), 1 << 20)).unwrap_err().to_string();
    assert!(said.contains("cannot create") && said.contains("OPS_STATE_DIR"), "{said}");
}

#[test]
fn what_the_disk_does_not_take_waits_in_memory_and_reaches_it_later() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, aside) = (dir.path().join("journal"), dir.path().join("aside"));
    let mut journal = open(Some(dir.path()), 1 << 16);
    let key = attach(&mut journal, "one", ALL);
    append(&mut journal, Signal::Log, 1);
    journal.commit();
    fs::rename(&folder, &aside).unwrap();
    fs::write(&folder, "in the way").unwrap();
    (2..=200).for_each(|seq| append(&mut journal, Signal::Log, seq));
    journal.commit();
    let said = journal.trouble().unwrap();
    for part in ["OPS_STATE_DIR", &folder.display().to_string(), "wait in memory, 64 MiB"] {
        assert!(said.contains(part), "{part} not in: {said}");
    }
    assert!(journal.sync().is_err());
    assert!((1..200).contains(&journal.unkept(key)), "some are on disk");
    fs::remove_file(&folder).unwrap();
    fs::rename(&aside, &folder).unwrap();
    journal.sync().unwrap();
    assert_eq!(journal.unkept(key), 0);
    journal.trouble();
    journal.commit();
    assert_eq!(journal.trouble(), None);
    drop(journal);
    let (mut journal, opened) = Journal::open(small(Some(dir.path()), 1 << 16)).unwrap();
    assert_eq!((opened.records, opened.damaged_records, opened.torn_bytes), (200, 0, 0));
    assert_eq!(attach(&mut journal, "one", ALL), key);
    assert_eq!(drain(&mut journal, key), (1..=200).collect::<Vec<_>>());
}

#[test]
fn what_waits_for_the_disk_is_bounded_and_what_is_on_disk_stays() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, aside) = (dir.path().join("journal"), dir.path().join("aside"));
    let mut journal = open(Some(dir.path()), 1 << 16);
    journal.lanes[SIGNALS].waiting_bytes_max = 1 << 14;
    let key = attach(&mut journal, "one", ALL);
    (1..=150).for_each(|seq| append(&mut journal, Signal::Log, seq));
    journal.lanes[SIGNALS].seal();
    fs::rename(&folder, &aside).unwrap();
    fs::write(&folder, "in the way").unwrap();
    (151..=600).for_each(|seq| append(&mut journal, Signal::Log, seq));
    journal.commit();
    let waiting: u64 = journal.lanes[SIGNALS].line.segments.iter().map(Segment::memory_bytes).sum();
    assert!(waiting <= 1 << 14, "{waiting}");
    fs::remove_file(&folder).unwrap();
    fs::rename(&aside, &folder).unwrap();
    let left = drain(&mut journal, key);
    assert_eq!(left[..150], (1..=150).collect::<Vec<_>>());
    assert_eq!(left.last(), Some(&600));
    assert_eq!(lost(&mut journal), [(Signal::Log, Loss::JournalFull, 600 - left.len() as u64)]);
}

#[test]
fn what_has_no_room_while_the_disk_takes_nothing_goes_by_its_weight_and_audit_stays() {
    let dir = tempfile::tempdir().unwrap();
    let (folders, aside) = (["journal", "audit"].map(|name| dir.path().join(name)), dir.path().join("aside"));
    let mut journal = open(Some(dir.path()), 1 << 20);
    journal.lanes.iter_mut().for_each(|lane| lane.waiting_bytes_max = 1 << 16);
    let key = attach(&mut journal, "one", ALL);
    fs::create_dir(&aside).unwrap();
    for folder in &folders {
        fs::rename(folder, aside.join(folder.file_name().unwrap())).unwrap();
        fs::write(folder, "in the way").unwrap();
    }
    let weights = [Weight::Debug, Weight::Info, Weight::State, Weight::Warn, Weight::Metric, Weight::Error];
    let signal = |weight| match weight {
        Weight::State => Signal::Check,
        Weight::Metric => Signal::Metric,
        _ => Signal::Log,
    };
    let kinds: Vec<Weight> = (0..3000).map(|i: usize| weights[i * i * 7 % 11 % 6]).collect();
    for (seq, weight) in (1..).zip(&kinds) {
        let head = FrameHead { weight: *weight, ..block(signal(*weight), seq, 1 + (seq % 3) as u32) };
        journal.append(head, format!("payload {seq}").as_bytes());
        if seq % 50 == 0 {
            journal.append(FrameHead { weight: Weight::Error, ..block(Signal::Audit, seq, 1) }, b"kept");
            journal.commit();
            let waits = |lane: &Lane| lane.line.segments.iter().map(Segment::memory_bytes).sum::<u64>();
            assert!(journal.lanes.iter().all(|lane| waits(lane) <= 1 << 16));
        }
    }
    for folder in &folders {
        fs::remove_file(folder).unwrap();
        fs::rename(aside.join(folder.file_name().unwrap()), folder).unwrap();
    }
    journal.commit();
    assert_eq!((journal.unkept(key), journal.pending(key, Signal::Audit)), (0, 60));
    let records = |seq: u64| 1 + seq % 3;
    let recorded: u64 = (1..=3000).map(records).sum();
    let gone: u64 = lost(&mut journal).iter().map(|row| row.2).sum();
    assert_eq!(pending(&journal, key), recorded - gone + 60);
    let (mut run, mut left) = (Run::new(), Vec::new());
    loop {
        journal.read(key, usize::MAX, usize::MAX, &mut run);
        if run.is_empty() {
            break;
        }
        left.extend(run.iter().map(|(frame, _)| frame.head).filter(|head| head.signal != Signal::Audit));
        journal.ack(key, run.end());
    }
    assert_eq!(left.iter().map(|head| u64::from(head.records)).sum::<u64>(), recorded - gone);
    assert!(lost(&mut journal).is_empty());
    let kept = |weight| left.iter().filter(|head| head.weight == weight).count();
    let all = |weight| kinds.iter().filter(|kind| **kind == weight).count();
    assert_eq!(
        [Weight::Warn, Weight::Metric, Weight::Error].map(kept),
        [Weight::Warn, Weight::Metric, Weight::Error].map(all)
    );
    assert!(
        kept(Weight::Debug) < all(Weight::Debug) / 2,
        "{} of {}",
        kept(Weight::Debug),
        all(Weight::Debug)
    );
    assert!(left.is_sorted_by_key(|head| head.id.seq));
}

/// Says in the environment of this test program, started once more, what it is to do, and in which directory.
const CHILD: &str = "OPS_SDK_TEST_JOURNAL_DIR";

/// This test program once more, to run one test with a shell's words before it.
fn again(test: &str, dir: &Path, before: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{before} exec \"$@\""), "sh"]).arg(std::env::current_exe().unwrap());
    command.args([&format!("journal::tests::disk::{test}"), "--exact", "--nocapture"]).env(CHILD, dir);
    command
}

fn child_dir() -> Option<PathBuf> {
    std::env::var_os(CHILD).map(PathBuf::from)
}

/// Runs once more in a process whose files may not grow beyond 16 blocks, so that writes fail half way.
#[test]
fn a_disk_that_fills_up_half_way_through_a_write_costs_only_what_dies_in_memory() {
    if let Some(dir) = child_dir() {
        return fill_the_disk(&dir);
    }
    let dir = tempfile::tempdir().unwrap();
    let test = "a_disk_that_fills_up_half_way_through_a_write_costs_only_what_dies_in_memory";
    let output = again(test, dir.path(), "trap '' XFSZ; ulimit -f 16;").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("the disk was full"), "{said}");
}

fn fill_the_disk(dir: &Path) {
    let mut journal = open(Some(dir), 1 << 20);
    let key = attach(&mut journal, "one", ALL);
    for seq in 1..=500 {
        append(&mut journal, Signal::Log, seq);
        journal.commit();
    }
    let said = journal.trouble().unwrap();
    assert!(said.contains("make room on the disk"), "{said}");
    println!("the disk was full");
    let on_disk = fs::metadata(dir.join("journal/00000000000000000001.seg")).unwrap().len();
    assert!(on_disk < journal.bytes());
    assert_eq!(read(&mut journal, key, usize::MAX).0, (1..=500).collect::<Vec<_>>());
    let unkept = journal.unkept(key);
    drop(journal);
    let (mut journal, opened) = Journal::open(small(Some(dir), 1 << 20)).unwrap();
    let Attached { key, carried } = journal.attach("one", ALL).unwrap();
    assert_eq!((opened.records + opened.damaged_records, carried[1]), (500, 500));
    assert_eq!(opened.damaged_records, unkept);
    assert_eq!(drain(&mut journal, key), (1..=opened.records).collect::<Vec<_>>());
    assert_eq!(lost(&mut journal), [(Signal::Log, Loss::Damaged, opened.damaged_records)]);
}

#[test]
fn a_process_that_is_killed_loses_nothing_that_it_committed_and_leaves_no_lock() {
    if let Some(dir) = child_dir() {
        return commit_for_ever(&dir);
    }
    let dir = tempfile::tempdir().unwrap();
    let test = "a_process_that_is_killed_loses_nothing_that_it_committed_and_leaves_no_lock";
    for round in 1..=10 {
        let mut child = again(test, dir.path(), "").stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut committed = lines.filter_map(|line| line.strip_prefix("committed ")?.parse::<u64>().ok());
        let least = committed.nth(round * 37).unwrap();
        let said = lock(dir.path()).unwrap_err().to_string();
        assert!(said.contains(&format!("the live process {}", child.id())), "{said}");
        child.kill().unwrap();
        let last = committed.last().unwrap_or(least);
        child.wait().unwrap();

        let _lock = lock(dir.path()).unwrap();
        let mut journal = open(Some(dir.path()), 1 << 30);
        let key = attach(&mut journal, "one", ALL);
        let left = drain(&mut journal, key);
        assert!(left.len() as u64 >= last, "{} of {last}", left.len());
        assert_eq!(left, (1..=left.len() as u64).collect::<Vec<_>>());
        assert!(journal.evicted().is_empty());
    }
}

fn commit_for_ever(dir: &Path) {
    let _lock = lock(dir).unwrap();
    let mut journal = open(Some(dir), 1 << 30);
    attach(&mut journal, "one", ALL);
    for seq in 1.. {
        append(&mut journal, Signal::Log, seq);
        if seq % 5 == 0 {
            journal.commit();
            println!("committed {seq}");
        }
    }
}
