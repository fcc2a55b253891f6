//! Round trips, damage of every kind, and the golden bytes of each kind of record.

use std::borrow::Cow;

use proptest::prelude::*;

use super::{DecodeError, Problem, decode, encode};
use crate::encode::arbitrary;
use crate::model::{
    Audit, Body, Check, CheckStatus, Config, Distribution, Fields, Level, Log, Metric, Points, Record,
    RecordId, Resolution, Unit, Value,
};

fn encoded(record: &Record<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(record, &mut bytes);
    bytes
}

/// NaN is not equal to itself; its printed form is.
fn same(one: &Record<'_>, other: &Record<'_>) -> bool {
    format!("{one:?}") == format!("{other:?}")
}

fn some_fields() -> Fields<'static> {
    vec![
        ("none".into(), Value::Null),
        ("yes".into(), Value::Bool(true)),
        ("no".into(), Value::Bool(false)),
        ("order.id".into(), Value::I64(-300)),
        ("amount".into(), Value::U64(u64::MAX)),
        ("ratio".into(), Value::F64(0.5)),
        ("city".into(), Value::Str("Zürich".into())),
    ]
}

fn metric(name: &'static str, points: Points) -> Body<'static> {
    Body::Metric(Metric {
        name: name.into(),
        unit: Unit::Milliseconds,
        resolution: Resolution::Standard,
        window_ms: 60_000,
        dimensions: vec![("Region".into(), "eu-west-1".into()), ("Service".into(), "checkout".into())],
        points,
    })
}

/// One record of each kind, and of each kind of points; the name is that of its golden file.
fn samples() -> Vec<(&'static str, Record<'static>)> {
    let buckets = vec![(-5, 1), (0, 2), (4096, 300)];
    let distribution =
        Distribution { count: 303, sum: 1.5e4, min: -1e-9, max: 99.5, buckets, exemplar: None };
    let exemplar = Some(0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736);
    let exemplary = Distribution { exemplar, ..distribution.clone() };
    let log = Log {
        level: Level::Info,
        target: "shop".into(),
        message: "charged 12".into(),
        file: "src/x.rs".into(),
        line: 310,
        fields: some_fields(),
    };
    let audit = Audit {
        actor: "alice".into(),
        action: "order.cancel".into(),
        resource: "order/7".into(),
        outcome: "ok".into(),
        fields: some_fields(),
    };
    let config = Config { resource_type: "Queue".into(), resource_id: "q-1".into(), fields: some_fields() };
    let check = Check {
        name: "disk".into(),
        status: CheckStatus::Critical,
        output: "97 %".into(),
        fields: some_fields(),
    };
    let bodies = [
        ("counter", metric("orders", Points::Counter { sum: 1204 })),
        ("gauge", metric("depth", Points::Gauge { last: 3.0, min: -1.0, max: 8.5, sum: 10.5, count: 3 })),
        ("histogram", metric("payload", Points::Histogram(distribution))),
        ("log", Body::Log(log)),
        ("audit", Body::Audit(audit)),
        ("config", Body::Config(config)),
        ("check", Body::Check(check)),
        ("exemplar", metric("payload", Points::Histogram(exemplary))),
    ];
    let id = RecordId { process: 0x00c0_ffee_00c0_ffee, seq: 42 };
    let record = |body| Record { id, time_ns: 1_795_332_268_123_456_789, body };
    bodies.into_iter().map(|(name, body)| (name, record(body))).collect()
}

fn golden(name: &str) -> &'static str {
    match name {
        "counter" => include_str!("../golden/counter.hex"),
        "gauge" => include_str!("../golden/gauge.hex"),
        "histogram" => include_str!("../golden/histogram.hex"),
        "exemplar" => include_str!("../golden/exemplar.hex"),
        "log" => include_str!("../golden/log.hex"),
        "audit" => include_str!("../golden/audit.hex"),
        "config" => include_str!("../golden/config.hex"),
        "check" => include_str!("../golden/check.hex"),
        other => panic!("no golden file for {other}"),
    }
}

/// Two digits a byte, 32 bytes a line.
fn hex(bytes: &[u8]) -> String {
    let line = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>() + "\n";
    bytes.chunks(32).map(line).collect()
}

#[test]
fn the_bytes_of_each_kind_are_those_of_its_golden_file() {
    for (name, record) in samples() {
        assert_eq!(hex(&encoded(&record)), golden(name), "{name}");
    }
}

#[test]
fn a_truncated_record_is_an_error_at_every_length() {
    for (name, record) in samples() {
        let bytes = encoded(&record);
        for length in 0..bytes.len() {
            let error = decode(&bytes[..length]).expect_err(name);
            assert_eq!(error.problem, Problem::Truncated, "{name} at {length}");
            assert!(error.offset <= length);
        }
    }
}

#[test]
fn a_flipped_bit_is_an_error_or_another_record() {
    for (name, record) in samples() {
        let bytes = encoded(&record);
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            match decode(&damaged) {
                Ok(other) => assert!(!same(&other, &record), "{name}, bit {bit}"),
                Err(error) => assert!(error.offset <= damaged.len(), "{name}, bit {bit}"),
            }
        }
    }
}

#[test]
fn an_error_says_what_is_wrong_and_where() {
    let (_, record) = samples().swap_remove(3);
    let bytes = encoded(&record);
    let with = |at: usize, byte: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = byte;
        decode(&bytes).expect_err("damaged").to_string()
    };
    assert_eq!(with(0, 9), "not a record: unknown version 9 at byte 0");
    assert_eq!(with(1, 9), "not a record: no signal has the number 9 at byte 1");
    assert_eq!(with(19, 9), "not a record: no level has the number 9 at byte 19");
    assert_eq!(with(21, 0xff), "not a record: text is not UTF-8 at byte 20");
    let longer = [bytes.as_slice(), &[0]].concat();
    assert_eq!(decode(&longer), Err(DecodeError { offset: bytes.len(), problem: Problem::Trailing }));
}

#[test]
fn an_announced_count_or_length_reserves_nothing_that_is_not_there() {
    let head = [&[1, 3][..], &[0; 8], &[1], &[0; 8]].concat(); // a configuration item: two strings, then fields
    let huge = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    let string = [head.as_slice(), &huge].concat();
    assert_eq!(decode(&string), Err(DecodeError { offset: 19, problem: Problem::Truncated }));
    let count = [head.as_slice(), &[0, 0], &huge].concat();
    assert_eq!(decode(&count), Err(DecodeError { offset: 21, problem: Problem::Truncated }));
}

#[test]
fn a_number_has_one_form() {
    let with_seq = |seq: &[u8]| {
        let bytes = [&[1, 3][..], &[0; 8], seq, &[0; 8], &[0, 0, 0]].concat();
        decode(&bytes).map(|record| record.id.seq).map_err(|error| error.problem)
    };
    assert_eq!(with_seq(&[0x00]), Ok(0));
    assert_eq!(with_seq(&[0x80, 0x01]), Ok(128));
    assert_eq!(with_seq(&[&[0xff; 9][..], &[0x01]].concat()), Ok(u64::MAX));
    assert_eq!(with_seq(&[0x80, 0x00]), Err(Problem::Number));
    assert_eq!(with_seq(&[&[0xff; 9][..], &[0x02]].concat()), Err(Problem::Number));
    assert_eq!(with_seq(&[0xff; 11]), Err(Problem::Number));
}

#[test]
fn strings_are_borrowed() {
    let (_, record) = samples().swap_remove(3);
    let bytes = encoded(&record);
    let Ok(Record { body: Body::Log(log), .. }) = decode(&bytes) else { panic!("a log") };
    assert!(matches!(log.message, Cow::Borrowed("charged 12")));
    assert!(log.fields.iter().all(|(key, _)| matches!(key, Cow::Borrowed(_))));
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(record in arbitrary::record()) {
        let bytes = encoded(&record);
        let back = decode(&bytes).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert!(same(&back, &record));
        prop_assert_eq!(encoded(&back), bytes);
    }

    #[test]
    fn any_bytes_are_an_error_or_the_one_encoding_of_a_record(
        signal in 0..6u8,
        rest in prop::collection::vec(prop_oneof![0..4u8, any::<u8>()], 0..200),
    ) {
        let bytes = [&[super::VERSION, signal][..], &rest].concat();
        if let Ok(record) = decode(&bytes) {
            prop_assert_eq!(encoded(&record), bytes);
        }
        if let Ok(record) = decode(&rest) {
            prop_assert_eq!(encoded(&record), rest);
        }
    }

    #[test]
    fn damage_is_an_error_or_the_one_encoding_of_a_record(
        record in arbitrary::record(), at: prop::sample::Index, bit in 0..8_u8, cut: prop::sample::Index,
    ) {
        let mut bytes = encoded(&record);
        prop_assert!(decode(&bytes[..cut.index(bytes.len())]).is_err());
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Ok(other) = decode(&bytes) {
            prop_assert_eq!(encoded(&other), bytes);
        }
    }
}
