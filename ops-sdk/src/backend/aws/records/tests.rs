//! Packing, limits and verdicts, without a service.

use proptest::prelude::*;

use super::super::tests::{KEYS, NOW_S, context};
use super::*;
use crate::chunk::{Items, chunk};
use crate::model::RecordId;
use crate::net::aws::{Service, Settings};
use crate::net::script::response;

const SERVICE: Service = Service {
    signing_name: "kinesis",
    host_prefix: "kinesis",
    variable: "KINESIS",
    gov_dualstack_is_fips: false,
};

fn form() -> Form {
    Form {
        target: "Test.Put",
        head: b"{\"StreamName\":\"ops\",\"Records\":[".to_vec(),
        body_bytes_max: 32_768,
        record_bytes_max: 32_768,
        lines_max: 500,
        pack_bytes: 0,
        line_bytes: 1,
        pack: join_lines,
        key: None,
        unavailable_is_throttled: false,
    }
}

fn records(form: Form) -> Records {
    Records::new(Client::open(SERVICE, &Settings::default(), &context(&KEYS).var).unwrap(), form)
}

fn batch(lines: &[(u64, &[u8])]) -> Batch {
    let mut batch = Batch::default();
    for (seq, (process, line)) in lines.iter().enumerate() {
        let id = RecordId { process: *process, seq: seq as u64 + 1 };
        batch.push(NOW_S * 1_000, id, seq as u32, line);
    }
    batch
}

/// The records of a body: data and key.
fn read(body: &[u8]) -> Vec<(Vec<u8>, String)> {
    let body: serde_json::Value = serde_json::from_slice(body).expect("JSON");
    let one = |record: &serde_json::Value| {
        let data = STANDARD.decode(record["Data"].as_str().expect("Data")).expect("base64");
        (data, record["PartitionKey"].as_str().unwrap_or_default().to_owned())
    };
    body["Records"].as_array().expect("Records").iter().map(one).collect()
}

#[test]
fn lines_of_a_process_are_one_record_and_those_of_another_another() {
    let form = Form { key: Some(PartitionKey::Process), ..form() };
    let batch = batch(&[(255, b"a"), (1, b"b"), (255, "\"\u{e9}\n\0".as_bytes()), (1, b"d")]);
    let groups = groups(&batch, &form);
    let body = records(form).body(&batch, &groups);
    let expected = [("a\n\"\u{e9}\n\0\n", "00000000000000ff"), ("b\nd\n", "0000000000000001")];
    assert_eq!(read(&body), expected.map(|(data, key)| (data.as_bytes().to_vec(), key.to_owned())));
    let items: Vec<_> = groups.into_iter().map(|group| group.items).collect();
    assert_eq!(items, [[0, 2], [1, 3]]);
}

#[test]
fn a_record_is_full_by_its_lines_or_its_bytes() {
    let sizes = |form: &Form, lines: &[(u64, &[u8])]| -> Vec<usize> {
        groups(&batch(lines), form).iter().map(|group| group.items.len()).collect()
    };
    let lines: Vec<(u64, &[u8])> = vec![(1, b"0123456789"); 7];
    assert_eq!(sizes(&Form { lines_max: 3, ..form() }, &lines), [3, 3, 1]);
    assert_eq!(sizes(&Form { lines_max: 1, ..form() }, &lines), [1; 7]);
    assert_eq!(sizes(&Form { record_bytes_max: 22, ..form() }, &lines), [2, 2, 2, 1]);
    let keyed = Form { record_bytes_max: 21 + 16, key: Some(PartitionKey::Process), ..form() };
    assert_eq!(sizes(&keyed, &lines), [1; 7]);
    let own = Form { key: Some(PartitionKey::Record), lines_max: 4, ..form() };
    let keys: Vec<_> = groups(&batch(&lines), &own).into_iter().map(|group| group.key).collect();
    assert_eq!(keys, ["0000000000000001-1", "0000000000000001-5"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any lines under any form of either service: every line once, in its order, and nothing larger than it may be.
    #[test]
    fn no_body_and_no_record_is_too_large(
        lengths in prop::collection::vec(prop_oneof![0..300_usize, 0..40_000_usize], 1..120),
        body_bytes_max in prop_oneof![Just(32_768_usize), 4_000..200_000_usize],
        record_bytes_max in prop_oneof![Just(32_768_usize), 2_000..60_000_usize],
        lines_max in prop_oneof![Just(1_usize), Just(500), Just(usize::MAX)],
        pack_bytes in 0..200_usize,
        key in prop_oneof![
            Just(None), Just(Some(PartitionKey::Process)), Just(Some(PartitionKey::Record)),
            Just(Some(PartitionKey::Text("\"é\\".into()))),
        ],
    ) {
        let form = Form { body_bytes_max, record_bytes_max, lines_max, pack_bytes, key, ..form() };
        let limits = form.limits();
        let mut items = Items::new();
        for (seq, length) in lengths.iter().enumerate() {
            items.begin(RecordId { process: 255, seq: seq as u64 + 1 }, 0, 0);
            items.push(|out| { out.extend(std::iter::repeat_n(b'x', *length + 1)); Ok::<(), ()>(()) }).unwrap();
        }
        let chunked = chunk(&items, &limits, 0);
        let mut lines = Vec::new();
        let (key_bytes, packed) = (form.key.as_ref().map_or(0, PartitionKey::bytes_max), form.pack_bytes);
        let mut records = records(form.clone());
        for batch in &chunked.batches {
            let groups = groups(batch, &form);
            // What packing adds is not in the data of this test, so it is added where it counts.
            let body = records.body(batch, &groups);
            prop_assert!(body.len() + groups.len() * (packed * 4).div_ceil(3) <= body_bytes_max);
            prop_assert!(groups.len() <= RECORDS_MAX);
            if lines_max == usize::MAX && form.keeps_order() {
                prop_assert_eq!(groups.len(), 1);
            }
            for (data, _) in read(&body) {
                prop_assert!(data.len() + packed + key_bytes <= record_bytes_max);
                lines.extend(data.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec));
            }
        }
        prop_assert!(chunked.refused.is_empty());
        let joined = crate::parts::join(lines.iter().map(|line| &line[..line.len() - 1])).unwrap();
        prop_assert_eq!(joined.len(), lengths.len());
        prop_assert!(joined.iter().zip(&lengths).all(|(event, length)| event.bytes.len() == length + 1));
    }
}

fn three() -> Vec<Group> {
    let group = |items: &[usize]| Group { key: String::new(), process: 1, bytes: 0, items: items.to_vec() };
    vec![group(&[0, 3]), group(&[1]), group(&[2, 4])]
}

#[test]
fn a_success_is_read_record_by_record() {
    let ok = r#"{"SequenceNumber":"1","ShardId":"s"}"#;
    let bad = |code: &str| format!(r#"{{"ErrorCode":"{code}","ErrorMessage":"for\nshard"}}"#);
    let (slow, later, never) = (
        bad("ProvisionedThroughputExceededException"),
        bad("InternalFailure"),
        bad("InvalidArgumentException"),
    );
    let of = |failed: u64, records: &[&str]| {
        let records = records.join(",");
        let bodies = [
            format!(r#"{{"FailedRecordCount":{failed},"Records":[{records}]}}"#),
            format!(r#"{{"FailedPutCount":{failed},"Encrypted":false,"RequestResponses":[{records}]}}"#),
        ];
        let [kinesis, firehose] = bodies.map(|body| outcomes(body.as_bytes(), &three()));
        assert_eq!(kinesis, firehose);
        kinesis
    };
    let partial = |failed: &[usize], refused: &[usize]| Verdict::Partial {
        failed: failed.to_vec(),
        refused: refused
            .iter()
            .map(|at| {
                (*at, Refusal { loss: Loss::Refused, why: "InvalidArgumentException: for shard".into() })
            })
            .collect(),
    };
    assert_eq!(of(0, &[ok, ok, ok]), Verdict::Delivered);
    assert_eq!(of(1, &[ok, &slow, ok]), partial(&[1], &[]));
    assert_eq!(of(2, &[&later, ok, &slow]), partial(&[0, 2, 3, 4], &[]));
    assert_eq!(of(2, &[&slow, &never, ok]), partial(&[0, 3], &[1]));
    // Whatever the count says, an error is an error.
    assert_eq!(of(0, &[ok, ok, &later]), partial(&[2, 4], &[]));
    let why = |code: &str| format!("{code}: for shard");
    let throttled = "ProvisionedThroughputExceededException";
    assert_eq!(
        of(3, &[&later, &slow, &slow]),
        Verdict::Throttle { after: None, why: why("InternalFailure") }
    );
    assert_eq!(of(3, &[&slow, &slow, &slow]), Verdict::Throttle { after: None, why: why(throttled) });
    let every = Verdict::Retry { after: None, why: why("InternalFailure") };
    assert_eq!(of(3, &[&later, &later, &later]), every);
    // It does not say which.
    for records in [&[ok, ok, ok][..], &[ok, &slow], &[ok, &slow, ok, ok]] {
        assert!(matches!(of(1, records), Verdict::Retry { after: None, .. }), "{records:?}");
    }
}

#[test]
fn a_success_that_says_nothing_is_no_delivery() {
    let gigantic = format!("{{\"Records\":[{}", "{\"ErrorCode\":null},".repeat(50_000));
    let deep = "{\"Records\":".repeat(100_000);
    for body in ["", "{}", "{", "null", "[]", "{\"Records\":7}", "{\u{0}", &gigantic, &deep] {
        let verdict = verdict(&response(200, &[], body), 0, 5, &three(), false);
        let Verdict::Retry { after: Some(after), .. } = &verdict else {
            panic!("{verdict:?} for {body:.20}")
        };
        assert_eq!(after.as_secs(), 60);
    }
}

#[test]
fn each_answer_has_its_verdict() {
    let kind = |status, code: &str, items, unavailable_is_throttled| {
        let body = if code.is_empty() { String::new() } else { format!(r#"{{"__type":"{code}"}}"#) };
        let groups = three();
        match verdict(&response(status, &[], &body), 0, items, &groups, unavailable_is_throttled) {
            Verdict::Retry { after, .. } => ("retry", after.map(|after| after.as_secs())),
            Verdict::Throttle { .. } => ("throttle", None),
            Verdict::Refuse(refusal) => (refusal.loss.name(), None),
            Verdict::Halve => ("halve", None),
            Verdict::Reauthenticate { .. } => ("reauthenticate", None),
            other => panic!("{other:?}"),
        }
    };
    let operator = ("retry", Some(60));
    let table = [
        (400, "ProvisionedThroughputExceededException", 5, ("throttle", None)),
        (400, "LimitExceededException", 5, ("throttle", None)),
        (400, "KMSThrottlingException", 5, ("throttle", None)),
        (429, "", 5, ("throttle", None)),
        (500, "InternalFailure", 5, ("retry", None)),
        (503, "", 5, ("retry", None)),
        (400, "ResourceNotFoundException", 5, operator),
        (400, "AccessDeniedException", 5, operator),
        (400, "KMSAccessDeniedException", 5, operator),
        (400, "KMSDisabledException", 5, operator),
        (400, "KMSInvalidStateException", 5, operator),
        (400, "KMSNotFoundException", 5, operator),
        (400, "KMSOptInRequired", 5, operator),
        (400, "InvalidKMSResourceException", 5, operator),
        (400, "InvalidSourceException", 5, operator),
        (302, "", 5, operator),
        (404, "", 5, operator),
        (400, "InvalidArgumentException", 5, ("halve", None)),
        (400, "InvalidArgumentException", 1, ("refused", None)),
        (400, "ValidationException", 5, ("halve", None)),
        (400, "SerializationException", 1, ("refused", None)),
        (413, "", 5, ("halve", None)),
        (413, "", 1, ("oversize", None)),
        (400, "ExpiredTokenException", 5, ("reauthenticate", None)),
        (403, "InvalidSignatureException", 5, ("reauthenticate", None)),
    ];
    for (status, code, items, expected) in table {
        assert_eq!(kind(status, code, items, false), expected, "{status} {code} {items}");
    }
    assert_eq!(kind(503, "ServiceUnavailableException", 5, true), ("throttle", None));
    assert_eq!(kind(503, "ServiceUnavailableException", 5, false), ("retry", None));
}

#[test]
fn names_of_streams_are_checked() {
    let check = |name: Option<&str>| stream_name(name.map(str::to_owned), "OPS_X_STREAM", 64);
    assert_eq!(check(Some("ops_1.a-B")).unwrap(), "ops_1.a-B");
    for bad in [None, Some("a b"), Some("a\"b"), Some("a\n"), Some("é"), Some(&*"x".repeat(65))] {
        let error = check(bad).unwrap_err().to_string();
        assert!(error.starts_with("OPS_X_STREAM / .stream(..): "), "{error}");
    }
}
