//! Each limit by table, and all of them together by property.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::model::RecordId;

const NOW_MS: u64 = 1_795_332_268_123;
const HOUR_MS: u64 = 3_600_000;

/// Limits that bind nothing.
fn unbound() -> Limits {
    Limits {
        push_bytes_max: usize::MAX,
        envelope_bytes: 0,
        push_items_max: usize::MAX,
        item_bytes_max: usize::MAX,
        item_overhead_bytes: 0,
        span_ms_max: None,
        age_ms_max: None,
        ahead_ms_max: None,
        ordered: false,
        push: true,
        oversize: Oversize::Split,
    }
}

fn id(place: u32) -> RecordId {
    RecordId { process: 7, seq: u64::from(place) + 1 }
}

fn items(list: &[(u64, &[u8])]) -> Items {
    let mut items = Items::new();
    for (place, (time_ms, bytes)) in (0..).zip(list) {
        items.begin(id(place), *time_ms, place);
        items
            .push(|out| {
                out.extend_from_slice(bytes);
                Ok::<(), ()>(())
            })
            .expect("written");
    }
    items
}

/// The times of each batch.
fn times(chunked: &Chunked) -> Vec<Vec<u64>> {
    chunked.batches.iter().map(|batch| batch.iter().map(|(item, _)| item.time_ms).collect()).collect()
}

fn cut(list: &[(u64, &[u8])], limits: &Limits) -> Vec<Vec<u64>> {
    let chunked = chunk(&items(list), limits, NOW_MS);
    assert_eq!(chunked.refused, []);
    times(&chunked)
}

#[test]
fn nothing_makes_no_batch() {
    assert_eq!(chunk(&Items::new(), &unbound(), NOW_MS), Chunked::default());
}

#[test]
fn bytes_are_counted_with_overhead_and_envelope() {
    let list: [(u64, &[u8]); 4] = [(1, b"1234"), (2, b"1234"), (3, b"1"), (4, b"12345678")];
    let limits =
        |push_bytes_max| Limits { push_bytes_max, envelope_bytes: 3, item_overhead_bytes: 2, ..unbound() };
    assert_eq!(cut(&list, &limits(15)), [vec![1, 2], vec![3], vec![4]]);
    assert_eq!(cut(&list, &limits(16)), [vec![1, 2], vec![3, 4]]);
    assert_eq!(cut(&list, &limits(18)), [vec![1, 2, 3], vec![4]]);
    assert_eq!(cut(&list, &limits(28)), [vec![1, 2, 3, 4]]);
}

#[test]
fn items_are_counted() {
    let list: [(u64, &[u8]); 5] = [(1, b"a"), (2, b"a"), (3, b"a"), (4, b"a"), (5, b"a")];
    let limits = |push_items_max| Limits { push_items_max, ..unbound() };
    assert_eq!(cut(&list, &limits(2)), [vec![1, 2], vec![3, 4], vec![5]]);
    assert_eq!(cut(&list, &limits(5)), [vec![1, 2, 3, 4, 5]]);
    assert_eq!(cut(&list[..2], &limits(0)), [vec![1], vec![2]], "no limit holds back what fits alone");
}

#[test]
fn a_push_spans_less_than_its_limit() {
    let list: [(u64, &[u8]); 4] = [(10, b"a"), (19, b"a"), (20, b"a"), (40, b"a")];
    let limits = |span_ms_max, ordered| Limits { span_ms_max: Some(span_ms_max), ordered, ..unbound() };
    assert_eq!(cut(&list, &limits(10, true)), [vec![10, 19], vec![20], vec![40]]);
    assert_eq!(cut(&list, &limits(11, true)), [vec![10, 19, 20], vec![40]]);
    assert_eq!(cut(&list[..2], &limits(0, true)), [vec![10], vec![19]]);
    let mixed = [list[2], list[0], list[3], list[1]];
    assert_eq!(cut(&mixed, &limits(11, false)), [vec![20, 10], vec![40], vec![19]]);
}

#[test]
fn order_is_by_time_where_asked_and_as_given_elsewhere() {
    let list: [(u64, &[u8]); 4] = [(3, b"a"), (1, b"b"), (3, b"c"), (2, b"d")];
    let chunked = chunk(&items(&list), &Limits { ordered: true, ..unbound() }, NOW_MS);
    let bytes: Vec<_> = chunked.batches[0].iter().map(|(_, bytes)| bytes).collect();
    assert_eq!(bytes, [b"b", b"d", b"a", b"c"]);
    assert_eq!(cut(&list, &unbound()), [vec![3, 1, 3, 2]]);
}

#[test]
fn the_age_window_includes_both_its_ends() {
    let limits = Limits { age_ms_max: Some(14 * 24 * HOUR_MS), ahead_ms_max: Some(2 * HOUR_MS), ..unbound() };
    let table = [
        (NOW_MS, None),
        (NOW_MS - 14 * 24 * HOUR_MS, None),
        (NOW_MS - 14 * 24 * HOUR_MS - 1, Some(Loss::TooOld)),
        (NOW_MS + 2 * HOUR_MS, None),
        (NOW_MS + 2 * HOUR_MS + 1, Some(Loss::TooNew)),
        (0, Some(Loss::TooOld)),
        (u64::MAX, Some(Loss::TooNew)),
    ];
    for (time_ms, expected) in table {
        assert_eq!(outside_window(time_ms, &limits, NOW_MS), expected, "{time_ms}");
        assert_eq!(outside_window(time_ms, &unbound(), NOW_MS), None, "{time_ms}");
    }
    let list = table.map(|(time_ms, _)| (time_ms, &b"a"[..]));
    let chunked = chunk(&items(&list), &limits, NOW_MS);
    let refused = [(2, Loss::TooOld), (4, Loss::TooNew), (5, Loss::TooOld), (6, Loss::TooNew)];
    assert_eq!(chunked.refused, refused);
    assert_eq!(times(&chunked), [vec![table[0].0, table[1].0, table[3].0]]);
}

#[test]
fn what_may_not_be_split_is_refused_and_the_rest_goes() {
    let list: [(u64, &[u8]); 3] = [(1, b"abcd"), (2, b"abcde"), (3, b"a")];
    let limits = Limits { item_bytes_max: 4, oversize: Oversize::Refuse, ..unbound() };
    let chunked = chunk(&items(&list), &limits, NOW_MS);
    assert_eq!(chunked.refused, [(1, Loss::Oversize)]);
    assert_eq!(times(&chunked), [vec![1, 3]]);
}

#[test]
fn a_split_without_room_for_parts_is_refused() {
    let limits = Limits { push_bytes_max: 30, envelope_bytes: 20, item_overhead_bytes: 4, ..unbound() };
    let list: [(u64, &[u8]); 2] = [(1, b"123456"), (2, b"1234567")];
    let chunked = chunk(&items(&list), &limits, NOW_MS);
    assert_eq!((times(&chunked), chunked.refused), (vec![vec![1]], vec![(1, Loss::Oversize)]));
}

#[test]
fn an_over_long_item_under_the_contract_is_parts_of_whole_pushes() {
    let contract = Limits { item_bytes_max: 1_048_550, item_overhead_bytes: 26, ..unbound() };
    let limits =
        Limits { push_bytes_max: 1_048_576, push_items_max: 10_000, ..contract }.under(Default::default());
    let long = "ä".repeat(50_000);
    let chunked = chunk(&items(&[(1, b"before"), (2, long.as_bytes()), (3, b"after")]), &limits, NOW_MS);
    assert_eq!(times(&chunked), [vec![1], vec![2], vec![2], vec![2], vec![2, 3]]);
    let lines: Vec<_> = chunked.batches.iter().flat_map(Batch::iter).map(|(_, bytes)| bytes).collect();
    let joined = parts::join(lines).expect("whole");
    let texts: Vec<_> = joined.iter().map(|event| event.bytes.as_slice()).collect();
    assert_eq!(texts, [b"before", long.as_bytes(), b"after"]);
}

#[test]
fn an_item_that_looks_like_a_part_comes_back_as_it_was() {
    let looks_so = b"@ops.part v1 id=00c0ffee00c0ffee-1 part=2/3 bytes=9 crc32=00000000 | abc";
    let whole = |oversize| chunk(&items(&[(1, looks_so)]), &Limits { oversize, ..unbound() }, NOW_MS);
    let lines = |chunked: &Chunked| -> Vec<Vec<u8>> {
        chunked.batches[0].iter().map(|(_, bytes)| bytes.to_vec()).collect()
    };
    let joined = parts::join(lines(&whole(Oversize::Split))).expect("whole");
    assert_eq!(joined, [parts::Joined { id: Some(id(0)), bytes: looks_so.to_vec() }]);
    assert_eq!(
        lines(&whole(Oversize::Refuse)),
        [looks_so.to_vec()],
        "where nothing is split, nothing is wrapped"
    );
}

fn some_limits() -> impl Strategy<Value = Limits> {
    let bytes = (prop_oneof![0..400_usize, Just(usize::MAX)], 0..60_usize, 0..30_usize);
    let item_bytes = prop_oneof![0..400_usize, Just(usize::MAX)];
    let span = prop::option::of(0..60_u64);
    let window = (prop::option::of(0..80_u64), prop::option::of(0..80_u64));
    (bytes, item_bytes, 0..12_usize, span, window, any::<bool>(), any::<bool>()).prop_map(
        |(
            (push_bytes_max, envelope_bytes, item_overhead_bytes),
            item_bytes_max,
            push_items_max,
            span,
            window,
            ordered,
            split,
        )| {
            Limits {
                push_bytes_max,
                envelope_bytes,
                push_items_max,
                item_bytes_max,
                item_overhead_bytes,
                span_ms_max: span,
                age_ms_max: window.0,
                ahead_ms_max: window.1,
                ordered,
                push: true,
                oversize: if split { Oversize::Split } else { Oversize::Refuse },
            }
        },
    )
}

fn some_items() -> impl Strategy<Value = Vec<(u64, Vec<u8>)>> {
    let text =
        vec(any::<char>(), 1..120).prop_map(|chars| chars.into_iter().collect::<String>().into_bytes());
    let marked = vec(any::<u8>(), 0..90).prop_map(|bytes| [MARK, &bytes].concat());
    let bytes =
        prop_oneof![3 => vec(b'a'..=b'z', 1..60), 2 => text, 1 => vec(any::<u8>(), 1..600), 1 => marked];
    vec((NOW_MS - 100..NOW_MS + 100, bytes), 0..40)
}

/// What may become of an item, told without the chunker: it is outside the window, fits in a push, or fits in none.
fn allowed(time_ms: u64, bytes: &[u8], limits: &Limits) -> &'static [Option<Loss>] {
    let fits = |bytes: usize| {
        let push = limits.envelope_bytes as u128 + limits.item_overhead_bytes as u128 + bytes as u128;
        bytes <= limits.item_bytes_max && push <= limits.push_bytes_max as u128
    };
    if limits.age_ms_max.is_some_and(|age| time_ms + age < NOW_MS) {
        return &[Some(Loss::TooOld)];
    }
    if limits.ahead_ms_max.is_some_and(|ahead| time_ms > NOW_MS + ahead) {
        return &[Some(Loss::TooNew)];
    }
    // A place below 40, at most 600 bytes and at most 150 parts make a header of at most seven digits more.
    let header_min = "@ops.part v1 id=0000000000000007-1 part=1/9 bytes=1 crc32=00000000 | ".len();
    match limits.oversize {
        _ if fits(bytes.len()) => &[None],
        Oversize::Split if fits(header_min + 7 + 4) => &[None],
        Oversize::Split if fits(header_min + 4) => &[None, Some(Loss::Oversize)],
        _ => &[Some(Loss::Oversize)],
    }
}

/// The bytes of every item sent, put together again, in order of the bytes.
fn back(chunked: &Chunked) -> Vec<Vec<u8>> {
    let lines = chunked.batches.iter().flat_map(Batch::iter).map(|(_, bytes)| bytes);
    let mut events: Vec<_> =
        parts::join(lines).expect("whole").into_iter().map(|event| event.bytes).collect();
    events.sort();
    events
}

proptest! {
    #[test]
    fn every_batch_is_within_every_limit(list in some_items(), limits in some_limits()) {
        let list: Vec<_> = list.iter().map(|(time_ms, bytes)| (*time_ms, bytes.as_slice())).collect();
        let chunked = chunk(&items(&list), &limits, NOW_MS);
        for batch in &chunked.batches {
            prop_assert!(!batch.is_empty());
            prop_assert!(batch.len() <= limits.push_items_max.max(1));
            let cost: usize = batch.iter().map(|(_, bytes)| bytes.len() + limits.item_overhead_bytes).sum();
            prop_assert!(limits.envelope_bytes + cost <= limits.push_bytes_max);
            prop_assert!(batch.iter().all(|(_, bytes)| bytes.len() <= limits.item_bytes_max));
            let times: Vec<_> = batch.iter().map(|(item, _)| item.time_ms).collect();
            let span = times.iter().max().expect("an item") - times.iter().min().expect("an item");
            prop_assert!(limits.span_ms_max.is_none_or(|span_ms_max| span < span_ms_max.max(1)));
        }
    }

    #[test]
    fn every_item_comes_out_once_whole_or_refused_for_its_reason(list in some_items(), limits in some_limits()) {
        let list: Vec<_> = list.iter().map(|(time_ms, bytes)| (*time_ms, bytes.as_slice())).collect();
        let chunked = chunk(&items(&list), &limits, NOW_MS);
        prop_assert!(chunked.refused.is_sorted_by(|one, other| one.0 < other.0));
        for (index, (time_ms, bytes)) in list.iter().enumerate() {
            let refused = chunked.refused.iter().find(|(refused, _)| *refused == index).map(|(_, loss)| *loss);
            prop_assert!(allowed(*time_ms, bytes, &limits).contains(&refused), "{refused:?}");
        }
        let sent = |index: usize| chunked.refused.iter().all(|(refused, _)| *refused != index);
        let mut expected: Vec<_> = list
            .iter()
            .enumerate()
            .filter(|(index, _)| sent(*index))
            .map(|(_, (_, bytes))| bytes.to_vec())
            .collect();
        expected.sort();
        prop_assert_eq!(back(&chunked), expected);
    }

    #[test]
    fn what_is_one_push_is_the_one_batch_that_is_cut(list in some_items(), limits in some_limits(), few in 1..4usize) {
        let list: Vec<_> = list.iter().take(few).map(|(time_ms, bytes)| (*time_ms, bytes.as_slice())).collect();
        let items = items(&list);
        let chunked = chunk(&items, &limits, NOW_MS);
        if is_one_push(&items, &limits, NOW_MS) {
            let batches = vec![items.into_batch()];
            prop_assert_eq!(chunked, Chunked { batches, refused: vec![] });
        } else if let ([batch], []) = (&chunked.batches[..], &chunked.refused[..]) {
            let like_a_part = list.iter().any(|(_, bytes)| bytes.starts_with(MARK));
            let odd = limits.push_items_max == 0 || limits.span_ms_max == Some(0) || like_a_part;
            prop_assert!(odd || *batch != items.into_batch(), "copied in vain");
        }
    }

    #[test]
    fn items_keep_their_record_and_their_order(list in some_items(), limits in some_limits()) {
        let list: Vec<_> = list.iter().map(|(time_ms, bytes)| (*time_ms, bytes.as_slice())).collect();
        let chunked = chunk(&items(&list), &limits, NOW_MS);
        let sent: Vec<&Item> = chunked.batches.iter().flat_map(Batch::iter).map(|(item, _)| item).collect();
        for item in &sent {
            prop_assert_eq!(item.record, id(item.place));
            prop_assert_eq!(item.time_ms, list[item.place as usize].0);
        }
        if limits.ordered {
            prop_assert!(sent.is_sorted_by_key(|item| (item.time_ms, item.place)));
        } else {
            prop_assert!(sent.is_sorted_by_key(|item| item.place));
        }
    }
}
