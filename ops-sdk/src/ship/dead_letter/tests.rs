//! Letters on disk: written, bounded, read, moved and written back, whatever the process is interrupted by.

use std::collections::BTreeMap;
use std::path::Path;

use super::replay::{Filter, Replay, order, orders, waiting};
use super::*;
use crate::ledger::Loss;

fn letter(seq: u64, reason: Loss) -> Letter {
    Letter {
        id: RecordId { process: 1, seq },
        time_ms: seq,
        at_ms: 1_000 + seq,
        signal: if seq.is_multiple_of(2) { Signal::Log } else { Signal::Metric },
        reason: reason.name().to_owned(),
        why: "told\nso".to_owned(),
        item: format!("{{\"n\":{seq}}}").into_bytes(),
        replay: None,
    }
}

fn filled(dir: &Path, count: u64) -> Letters {
    let mut letters = Letters::new(Some(dir), "logs", 1 << 20);
    for seq in 0..count {
        let reason = if seq.is_multiple_of(3) { Loss::TooOld } else { Loss::Refused };
        assert!(letters.keep(&letter(seq, reason)).expect("kept"));
    }
    letters.sync().expect("on the medium");
    letters
}

/// Every letter there is by its number, wherever it is, and how often.
fn all(dir: &Path) -> BTreeMap<u64, usize> {
    let folder = folder(dir);
    let lines = Reader::open(files(&folder, "logs")).into_iter().flatten().filter_map(Result::ok);
    let mut all: Vec<u64> = lines.filter_map(|line| line.letter).map(|letter| letter.id.seq).collect();
    for name in orders(&folder, "logs") {
        all.extend(waiting(&folder, &name).iter().map(|letter| letter.id.seq));
    }
    all.into_iter().fold(BTreeMap::new(), |mut counts, seq| {
        *counts.entry(seq).or_default() += 1;
        counts
    })
}

#[test]
fn without_a_state_directory_nothing_is_kept() {
    assert!(!Letters::new(None, "logs", 1 << 20).keep(&letter(1, Loss::Refused)).expect("no file, no error"));
}

#[test]
fn a_line_that_was_torn_costs_no_other() {
    let dir = tempfile::tempdir().expect("a directory");
    drop(filled(dir.path(), 2));
    let path = dir.path().join("dead-letter/logs.jsonl");
    let text = fs::read(&path).expect("the letters");
    fs::write(&path, &text[..text.len() - 5]).expect("the torn letters");
    let mut letters = Letters::new(Some(dir.path()), "logs", 1 << 20);
    assert!(letters.keep(&letter(7, Loss::Refused)).expect("kept"));
    assert_eq!(all(dir.path()).into_keys().collect::<Vec<_>>(), [0, 7]);
    // A letter that was written again, because the process ended before its cursor moved, is one letter.
    assert!(letters.keep(&letter(7, Loss::Refused)).expect("kept"));
    assert_eq!(all(dir.path())[&7], 1);
}

#[test]
fn at_the_bound_the_older_half_goes_and_is_counted() {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut letters, mut gone) = (Letters::new(Some(dir.path()), "logs", 4_000), 0);
    for seq in 0..200 {
        assert!(letters.keep(&letter(seq, Loss::Refused)).expect("kept"));
        gone += letters.take_gone().map(|(_, count)| count).sum::<u64>();
        let bytes: u64 = files(&folder(dir.path()), "logs")
            .iter()
            .filter_map(|path| fs::metadata(path).ok())
            .map(|file| file.len())
            .sum();
        assert!(bytes <= 4_000, "{bytes}");
    }
    let left: Vec<u64> = all(dir.path()).into_keys().collect();
    assert!(gone > 100 && gone + left.len() as u64 == 200, "{gone} gone, {left:?}");
    assert_eq!(left, (gone..200).collect::<Vec<_>>(), "the oldest went");
    let huge = Letter { item: vec![b'x'; 4_000], ..letter(1, Loss::Refused) };
    assert!(!letters.keep(&huge).expect("no error"), "a letter that is larger than a file");
}

#[test]
fn an_order_takes_the_letters_and_chooses_among_them() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut letters = filled(dir.path(), 9);
    let filter = Filter { reason: Some("too_old".to_owned()), since_ms: Some(1_003), until_ms: Some(1_006) };
    assert!(letters.keep(&letter(3, Loss::Unencodable)).expect("kept"));
    order(&folder(dir.path()), "logs", 5, filter).expect("an order");
    order(&folder(dir.path()), "logs-2", 4, Filter::default()).expect("another's order");
    let mut replay =
        Replay::next(&folder(dir.path()), "logs", &mut letters).expect("taken").expect("an order");
    let entries = replay.read(usize::MAX, usize::MAX).expect("lines");
    let chosen: Vec<u64> = entries.iter().filter_map(|entry| Some(entry.chosen.as_ref()?.id.seq)).collect();
    assert_eq!((entries.len(), chosen), (9, vec![3]));
    assert_eq!(replay.tag(4), "logs.5:4");
    assert!(replay.read(usize::MAX, usize::MAX).expect("the end").is_empty());
    replay.finish().expect("gone");
    assert!(orders(&folder(dir.path()), "logs").is_empty() && all(dir.path()).is_empty());
    assert_eq!(orders(&folder(dir.path()), "logs-2"), ["logs-2.4"]);
}

/// The steps of an order, and the process ends after so many of them; then it is begun again.
#[test]
fn an_order_that_is_interrupted_after_any_step_leaves_nothing_out_and_nothing_twice() {
    for steps in 0..40 {
        let dir = tempfile::tempdir().expect("a directory");
        let here = folder(dir.path());
        let mut letters = filled(dir.path(), 12);
        order(&here, "logs", 9, Filter { reason: Some("too_old".to_owned()), ..Filter::default() })
            .expect("an order");
        let mut sent: BTreeMap<u64, usize> = BTreeMap::new();
        let left = carry_out(&here, &mut letters, &mut sent, steps);
        if left > 0 {
            letters = Letters::new(Some(dir.path()), "logs", 1 << 20);
            carry_out(&here, &mut letters, &mut sent, usize::MAX);
        }
        assert_eq!(sent.keys().copied().collect::<Vec<_>>(), [0, 6, 9], "after {steps} steps");
        // 3 is refused again; the others were not chosen.
        assert_eq!(all(dir.path()).into_keys().collect::<Vec<_>>(), [1, 2, 3, 4, 5, 7, 8, 10, 11], "{steps}");
        let text = fs::read_to_string(dir.path().join("dead-letter/logs.jsonl")).expect("the letters");
        assert_eq!(text.lines().count(), 9, "each is written back once, after {steps} steps: {text}");
        assert!(sent.values().all(|times| *times <= 2), "{sent:?}");
    }
}

/// Sends what is chosen of an order, two lines at a time, for so many steps. Says how many orders are left.
fn carry_out(here: &Path, letters: &mut Letters, sent: &mut BTreeMap<u64, usize>, steps: usize) -> usize {
    let mut left = steps;
    let mut step = || {
        left = left.saturating_sub(1);
        left > 0
    };
    let Some(mut replay) = Replay::next(here, "logs", letters).expect("taken") else { return 0 };
    loop {
        let entries = replay.read(usize::MAX, 2).expect("lines");
        if entries.is_empty() {
            replay.finish().expect("gone");
            return 0;
        }
        for entry in &entries {
            if !step() {
                return 1;
            }
            let tag = Some(replay.tag(entry.line.number));
            match &entry.chosen {
                Some(letter) if letter.id.seq != 3 => *sent.entry(letter.id.seq).or_default() += 1,
                _ => {
                    let letter = entry.line.letter.clone().expect("a letter");
                    assert!(letters.keep(&Letter { replay: tag, ..letter }).expect("kept"));
                }
            }
        }
        if !step() {
            return 1;
        }
        replay.settle(entries.last().expect("lines").line.number).expect("noted");
    }
}
