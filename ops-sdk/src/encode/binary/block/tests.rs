//! Blocks against the obvious: a list of records, each made by hand from its site and values.

use std::fmt::Write;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::encode::arbitrary;
use crate::record::Source;

const FIRST: RecordId = RecordId { process: 0x00c0_ffee_00c0_ffee, seq: 42 };
const T0_NS: u64 = 1_795_332_268_123_456_789;

/// Sites live as long as the program, in a test too.
fn site(level: Level, texts: [&str; 2], line: u32, keys: &[&str], pieces: Vec<Piece>) -> &'static Site {
    let [target, file] = texts.map(leaked);
    let keys: Vec<&'static str> = keys.iter().map(|key| leaked(key)).collect();
    let site = Site::new(Kind::Event(level), "", Source { target, file, line });
    Box::leak(Box::new(site.keys(keys.leak()).pieces(pieces.leak())))
}

fn leaked(text: &str) -> &'static str {
    text.to_owned().leak()
}

/// A value as a ring holds it.
fn ring_form(value: &Value<'_>, out: &mut Vec<u8>) {
    let (tag, bytes) = match value {
        Value::Null => (0, vec![]),
        Value::Bool(b) => (1 + u8::from(*b), vec![]),
        Value::I64(n) => (3, n.to_le_bytes().to_vec()),
        Value::U64(n) => (4, n.to_le_bytes().to_vec()),
        Value::F64(n) => (5, n.to_bits().to_le_bytes().to_vec()),
        Value::Str(text) => {
            let length = u32::try_from(text.len()).expect("a short text");
            (6, [&length.to_le_bytes()[..], text.as_bytes()].concat())
        }
    };
    out.push(tag);
    out.extend_from_slice(&bytes);
}

#[derive(Debug)]
struct Event {
    site: &'static Site,
    time_ns: u64,
    values: Vec<Value<'static>>,
}

fn block(events: &[Event]) -> Vec<u8> {
    let (mut writer, mut out) = (BlockWriter::new(), Vec::new());
    writer.begin(&mut out, FIRST, T0_NS);
    for Event { site, time_ns, values } in events {
        let mut bytes = Vec::new();
        values.iter().for_each(|value| ring_form(value, &mut bytes));
        writer.event(&mut out, site, *time_ns, &bytes);
    }
    out
}

/// What a record is printed as. NaN is not equal to itself; its printed form is.
fn expected(seq: u64, Event { site, time_ns, values }: &Event) -> String {
    let mut message = String::new();
    for piece in site.pieces {
        match piece {
            Piece::Text(text) => message += text,
            Piece::Value(index) => match values.get(usize::from(*index)) {
                Some(Value::Null) => message += "null",
                Some(Value::Bool(b)) => write!(message, "{b}").expect("text"),
                Some(Value::I64(n)) => write!(message, "{n}").expect("text"),
                Some(Value::U64(n)) => write!(message, "{n}").expect("text"),
                Some(Value::F64(n)) => write!(message, "{n}").expect("text"),
                Some(Value::Str(text)) => message += text,
                None => {}
            },
        }
    }
    let Kind::Event(level) = site.kind else { panic!("an event") };
    let fields = site.keys.iter().zip(values).map(|(key, value)| ((*key).into(), value.clone())).collect();
    let (target, file) = (site.source.target.into(), site.source.file.into());
    let body =
        Body::Log(Log { level, target, message: message.into(), file, line: site.source.line, fields });
    format!("{:?}", Record { id: RecordId { seq, ..FIRST }, time_ns: *time_ns, body })
}

/// Every record, printed; and the first error.
fn read(bytes: &[u8]) -> (Vec<String>, DecodeError) {
    let (mut records, mut all) = (records(bytes), Vec::new());
    loop {
        match records.advance() {
            Ok(()) => all.push(format!("{:?}", records.record().expect("it was read").0)),
            Err(error) => return (all, error),
        }
    }
}

fn piece() -> impl Strategy<Value = Piece> {
    let text = arbitrary::text().prop_map(|text| Piece::Text(leaked(&text)));
    prop_oneof![text, (0..8u16).prop_map(Piece::Value)]
}

fn some_site() -> impl Strategy<Value = &'static Site> {
    let level = prop::sample::select(&Level::ALL[..]);
    let texts = (arbitrary::text(), arbitrary::text());
    (level, texts, any::<u32>(), vec(arbitrary::text(), 0..5), vec(piece(), 0..5)).prop_map(
        |(level, (target, file), line, keys, pieces)| {
            let keys: Vec<&str> = keys.iter().map(AsRef::as_ref).collect();
            site(level, [&target, &file], line, &keys, pieces)
        },
    )
}

/// Events of some sites, each with a value for each key and some more for the message.
fn some_events() -> impl Strategy<Value = Vec<Event>> {
    let event = (any::<prop::sample::Index>(), any::<u64>(), vec(arbitrary::value(), 7), 0..3usize);
    (vec(some_site(), 1..4), vec(event, 0..12)).prop_map(|(sites, events)| {
        let event = |(at, time_ns, mut values, more): (prop::sample::Index, u64, Vec<_>, usize)| {
            let site = *at.get(&sites);
            values.truncate(site.keys.len() + more);
            Event { site, time_ns, values }
        };
        events.into_iter().map(event).collect()
    })
}

fn few() -> Vec<Event> {
    let pieces = vec![Piece::Text("charged "), Piece::Value(0), Piece::Text(" to "), Piece::Value(2)];
    let charged = site(Level::Info, ["shop", "src/shop.rs"], 310, &["amount", "city"], pieces);
    let told = site(Level::Warn, ["shop::till", "src/till.rs"], 7, &["ok"], vec![Piece::Text("closed")]);
    let event = |site, ns: i64, values| Event { site, time_ns: T0_NS.wrapping_add_signed(ns), values };
    let (zurich, alice) = (Value::Str("Zürich".into()), Value::Str("alice".into()));
    vec![
        event(charged, 0, vec![Value::I64(-12), zurich.clone(), alice.clone()]),
        event(told, 300, vec![Value::Bool(true)]),
        event(charged, 200, vec![Value::F64(0.5), Value::Null, alice]),
    ]
}

#[test]
fn the_bytes_are_those_of_the_golden_file() {
    let line = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>() + "\n";
    let hex: String = block(&few()).chunks(32).map(line).collect();
    assert_eq!(hex, include_str!("../../golden/block.hex"));
}

#[test]
fn a_single_record_is_its_own_only_one() {
    let body = Body::Log(Log {
        level: Level::Info,
        target: "shop".into(),
        message: "open".into(),
        file: "".into(),
        line: 0,
        fields: vec![],
    });
    let record = Record { id: FIRST, time_ns: T0_NS, body };
    let mut bytes = Vec::new();
    super::super::encode(&record, &mut bytes);
    let (all, end) = read(&bytes);
    assert_eq!((all, end.problem), (vec![format!("{record:?}")], Problem::Truncated));
}

#[test]
fn sites_that_share_a_place_in_the_table_are_told_apart() {
    let sites: Vec<&'static Site> =
        (0..1000).map(|line| site(Level::Info, ["t", "f"], line, &["n"], vec![Piece::Value(0)])).collect();
    let event = |n: usize| Event {
        site: sites[n * 7 % sites.len()],
        time_ns: T0_NS,
        values: vec![Value::U64(n as u64)],
    };
    let events: Vec<Event> = (0..5000).map(event).collect();
    let wanted: Vec<String> = (FIRST.seq..).zip(&events).map(|(seq, event)| expected(seq, event)).collect();
    assert_eq!(read(&block(&events)).0, wanted);
}

#[test]
fn a_second_block_knows_nothing_of_the_first() {
    let (mut writer, mut out, events) = (BlockWriter::new(), Vec::new(), few());
    for _ in 0..3 {
        out.clear();
        writer.begin(&mut out, FIRST, T0_NS);
        for event in &events {
            let mut bytes = Vec::new();
            event.values.iter().for_each(|value| ring_form(value, &mut bytes));
            writer.event(&mut out, event.site, event.time_ns, &bytes);
        }
        assert_eq!(out, block(&events));
    }
}

#[test]
fn values_that_are_wrong_cost_their_record_and_no_other() {
    let events = few();
    let (mut writer, mut out) = (BlockWriter::new(), Vec::new());
    writer.begin(&mut out, FIRST, T0_NS);
    for (index, event) in events.iter().enumerate() {
        let mut bytes = Vec::new();
        event.values.iter().for_each(|value| ring_form(value, &mut bytes));
        let cut = if index == 1 { 0 } else { bytes.len() };
        writer.event(&mut out, event.site, event.time_ns, &bytes[..cut]);
    }
    let mut records = records(&out);
    let read: Vec<bool> = (0..4).map(|_| records.advance().is_ok()).collect();
    assert_eq!(read, [true, false, true, false]);
}

proptest! {
    #[test]
    fn what_goes_in_comes_out(events in some_events()) {
        let bytes = block(&events);
        let wanted: Vec<String> = (FIRST.seq..).zip(&events).map(|(seq, event)| expected(seq, event)).collect();
        let (all, end) = read(&bytes);
        prop_assert_eq!(all, wanted);
        prop_assert_eq!(end, DecodeError { offset: bytes.len(), problem: Problem::Truncated });
    }

    #[test]
    fn damage_is_an_error_or_other_records_and_comes_to_an_end(
        events in some_events(), at: prop::sample::Index, bit in 0..8_u8, cut: prop::sample::Index,
    ) {
        let mut bytes = block(&events);
        bytes.truncate(1 + cut.index(bytes.len()));
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let mut records = records(&bytes);
        let read = (0..bytes.len() + 2).filter(|_| records.advance().is_ok()).count();
        prop_assert!(read <= bytes.len());
    }
}
