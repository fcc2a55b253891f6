//! Splitting and joining, against each other.

use proptest::collection::vec;
use proptest::prelude::*;

use super::{JoinError, Joined, gather, join, split};
use crate::model::RecordId;

fn id(seq: u64) -> RecordId {
    RecordId { process: 0x00c0_ffee_00c0_ffee, seq }
}

fn parts(seq: u64, text: &[u8], part_bytes_max: usize) -> Vec<Vec<u8>> {
    split(id(seq), text, part_bytes_max).expect("room for a header").collect()
}

fn texts(lines: &[Vec<u8>]) -> Vec<&str> {
    lines.iter().map(|line| std::str::from_utf8(line).expect("UTF-8")).collect()
}

#[test]
fn parts_are_lines_that_an_operator_can_read() {
    let parts = parts(42, "Grüße aus Zürich".as_bytes(), 79);
    assert_eq!(
        texts(&parts),
        [
            "@ops.part v1 id=00c0ffee00c0ffee-42 part=1/3 bytes=19 crc32=7da907d0 | Grüße ",
            "@ops.part v1 id=00c0ffee00c0ffee-42 part=2/3 bytes=19 crc32=7da907d0 | aus Zür",
            "@ops.part v1 id=00c0ffee00c0ffee-42 part=3/3 bytes=19 crc32=7da907d0 | ich",
        ]
    );
}

#[test]
fn what_was_never_split_is_handed_on_in_its_place() {
    let mut lines = parts(1, &[b'a'; 50], 100);
    lines.insert(0, b"{\"message\":\"before\"}".to_vec());
    lines.insert(2, b"@ops.part v1 that somebody else wrote".to_vec());
    lines.push(b"@ops.part v2 id=00c0ffee00c0ffee-1".to_vec());
    let whole = |bytes: &[u8]| Joined { id: None, bytes: bytes.to_vec() };
    let event = Joined { id: Some(id(1)), bytes: vec![b'a'; 50] };
    let expected = [whole(&lines[0]), event, whole(&lines[2]), whole(&lines[4])];
    assert_eq!(lines.len(), 5);
    assert_eq!(join(&lines).expect("whole"), expected);
}

#[test]
fn an_event_that_looks_like_a_part_comes_back_as_it_was() {
    let inner = parts(1, b"abc", 200).remove(0);
    let outer = parts(2, &inner, 400);
    assert_eq!(outer.len(), 1);
    assert_eq!(join(&outer), Ok(vec![Joined { id: Some(id(2)), bytes: inner }]));
}

#[test]
fn parts_that_do_not_add_up_are_told() {
    let mut lines = parts(1, b"abcdefgh", 74);
    assert_eq!(lines.len(), 2);
    let last = lines[1].len() - 1;
    lines[1][last] = b'!';
    let error = join(&lines).expect_err("altered").to_string();
    assert_eq!(
        error,
        "record 00c0ffee00c0ffee-1: its 2 parts do not add up to the 8 bytes of digest aeef2a50 that they tell"
    );
}

#[test]
fn what_is_missing_is_named_and_the_rest_is_still_joined() {
    let whole = parts(1, &[b'a'; 30], 90);
    let mut lines = parts(2, &[b'b'; 200], 80);
    lines.drain(3..15);
    lines.extend(whole);
    let gathered = gather(&lines);
    assert_eq!(gathered.events, [Joined { id: Some(id(1)), bytes: vec![b'a'; 30] }]);
    let missing = (4..=15).collect();
    let total = 29; // 200 bytes, of which a part takes 80 less a header of 73
    assert_eq!(gathered.broken, [JoinError::Missing { id: id(2), total, missing }]);
    assert_eq!(
        gathered.broken[0].to_string(),
        "record 00c0ffee00c0ffee-2: missing of 29 parts: 4, 5, 6, 7, 8, 9, 10, 11, 12, 13 and 2 more"
    );
}

#[test]
fn an_event_sent_again_under_another_limit_is_one_event() {
    let (small, large) = (parts(1, &[b'a'; 60], 90), parts(1, &[b'a'; 60], 120));
    assert_ne!(small.len(), large.len());
    let event = Joined { id: Some(id(1)), bytes: vec![b'a'; 60] };
    for cut in [0, 1, small.len()] {
        assert_eq!(join(small[cut..].iter().chain(&large)), Ok(vec![event.clone()]));
        assert_eq!(join(large[cut.min(large.len())..].iter().chain(&small)), Ok(vec![event.clone()]));
    }
    let missing = JoinError::Missing { id: id(1), total: large.len(), missing: vec![1] };
    assert_eq!(join(small[1..].iter().chain(&large[1..])), Err(missing));
}

#[test]
fn a_header_that_announces_much_costs_little() {
    let line =
        "@ops.part v1 id=00c0ffee00c0ffee-1 part=1/99999 bytes=18446744073709551615 crc32=00000000 | x";
    let gathered = gather([line]);
    assert!(matches!(&gathered.broken[..], [JoinError::Missing { missing, .. }] if missing.len() == 99_998));
}

/// Text of characters of every width, or any bytes.
fn event() -> impl Strategy<Value = Vec<u8>> {
    let chars = prop_oneof![any::<char>(), prop::char::range('a', 'z')];
    let text = vec(chars, 0..300).prop_map(|chars| chars.into_iter().collect::<String>().into_bytes());
    prop_oneof![text, vec(any::<u8>(), 0..600)]
}

proptest! {
    #[test]
    fn every_part_is_within_the_limit_and_all_of_them_make_the_event(
        event in event(), limit in 0..300_usize, seq: u64,
    ) {
        let Some(parts) = split(id(seq), &event, limit) else {
            prop_assert!(limit < 140, "the longest header and one character");
            return Ok(());
        };
        let announced = parts.len();
        let parts: Vec<_> = parts.collect();
        prop_assert_eq!(parts.len(), announced);
        for part in &parts {
            prop_assert!(part.len() <= limit);
            prop_assert!(std::str::from_utf8(&event).is_err() || std::str::from_utf8(part).is_ok());
        }
        prop_assert_eq!(join(&parts), Ok(vec![Joined { id: Some(id(seq)), bytes: event }]));
    }

    #[test]
    fn order_and_repetition_do_not_matter(
        events in vec((event(), 120..400_usize), 1..5), order: prop::sample::Index, again in vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let mut lines = Vec::new();
        for (seq, (event, limit)) in (1..).zip(&events) {
            lines.extend(parts(seq, event, *limit));
        }
        for again in again {
            lines.push(lines[again.index(lines.len())].clone());
        }
        let turn = order.index(lines.len());
        lines.rotate_left(turn);
        lines[turn..].reverse();
        let mut joined = join(&lines).expect("whole");
        joined.sort_by_key(|event| event.id);
        let expected: Vec<_> = (1..).zip(events).map(|(seq, (bytes, _))| Joined { id: Some(id(seq)), bytes }).collect();
        prop_assert_eq!(joined, expected);
    }

    #[test]
    fn one_missing_part_is_named(event in event(), limit in 120..200_usize, lost: prop::sample::Index) {
        let mut lines = parts(1, &event, limit);
        let (lost, total) = (lost.index(lines.len()), lines.len());
        lines.remove(lost);
        let expected = match total {
            1 => Ok(vec![]),
            _ => Err(JoinError::Missing { id: id(1), total, missing: vec![lost + 1] }),
        };
        prop_assert_eq!(join(&lines), expected);
    }

    #[test]
    fn any_lines_are_gathered_without_loss(lines in vec(event(), 0..10)) {
        let whole: Vec<_> = lines.iter().map(|line| Joined { id: None, bytes: line.clone() }).collect();
        prop_assert_eq!(join(&lines), Ok(whole));
    }
}
