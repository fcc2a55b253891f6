//! The road into a log group against a scripted service.

use std::sync::Arc;

use super::super::tests::{KEYS, NOW_S, context};
use super::*;
use crate::model::RecordId;
use crate::net::script::{Script, refused};

const MISSING: &str =
    r#"{"__type":"ResourceNotFoundException","message":"The specified log stream does not exist."}"#;
const EXISTS: &str = r#"{"__type":"ResourceAlreadyExistsException","message":"exists"}"#;

fn open() -> LogEvents {
    LogEvents::open(&Destination::default(), &context(&KEYS)).unwrap()
}

fn batch(messages: &[&str]) -> Batch {
    let mut batch = Batch::default();
    for (n, message) in messages.iter().enumerate() {
        let id = RecordId { process: 255, seq: n as u64 + 1 };
        batch.push(NOW_S * 1_000 + n as u64, id, n as u32, message.as_bytes());
    }
    batch
}

fn targets(script: &Script) -> Vec<String> {
    let target =
        |request: &crate::net::Request| request.headers()["x-amz-target"].to_str().unwrap().to_owned();
    script.asked().iter().map(|(request, _)| target(request).replace("Logs_20140328.", "")).collect()
}

#[test]
fn the_body_is_as_the_golden_file_has_it() {
    let place = Place { group: "/ops/Shop".into(), stream: "h1/1".into(), retention_days: None };
    let body = body(&place, &batch(&["{\"a\":\"b\\n\"}", "größe \u{1F600}\u{1}", "plain"]));
    assert_eq!(
        String::from_utf8(body.clone()).unwrap(),
        include_str!("../../golden/put_log_events.json").trim_end()
    );
    let read: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(read["logEvents"][1]["message"], "größe \u{1F600}\u{1}");
    assert_eq!(read["logEvents"][2]["timestamp"], NOW_S * 1_000 + 2);
}

#[test]
fn one_call_delivers() {
    let script = Arc::new(Script::default()).answer(200, "{}");
    let mut logs = open();
    assert_eq!(logs.send(&batch(&["x"]), &mut script.net(NOW_S)), Verdict::Delivered);
    let asked = script.asked();
    assert_eq!(asked[0].0.headers()["content-type"], "application/x-amz-json-1.1");
    assert_eq!(asked[0].0.uri(), "https://logs.us-east-1.amazonaws.com/");
}

#[allow(clippy::type_complexity)] // a table is read as a table
#[test]
fn what_is_missing_is_created_within_the_same_push() {
    let ok = "{}";
    let table: [(&[(u16, &str)], &[&str]); 4] = [
        (&[(400, MISSING), (200, ok), (200, ok)], &["PutLogEvents", "CreateLogStream", "PutLogEvents"]),
        (&[(400, MISSING), (400, EXISTS), (200, ok)], &["PutLogEvents", "CreateLogStream", "PutLogEvents"]),
        (
            &[(400, MISSING), (400, MISSING), (200, ok), (200, ok), (200, ok), (200, ok)],
            &[
                "PutLogEvents",
                "CreateLogStream",
                "CreateLogGroup",
                "PutRetentionPolicy",
                "CreateLogStream",
                "PutLogEvents",
            ],
        ),
        (
            &[(400, MISSING), (400, MISSING), (400, EXISTS), (200, ok), (200, ok)],
            &["PutLogEvents", "CreateLogStream", "CreateLogGroup", "CreateLogStream", "PutLogEvents"],
        ),
    ];
    for (answers, expected) in table {
        let script = Arc::new(Script::default());
        for (status, body) in answers {
            script.answer(*status, body);
        }
        assert_eq!(open().send(&batch(&["x"]), &mut script.net(NOW_S)), Verdict::Delivered);
        assert_eq!(targets(&script), expected);
    }
}

#[test]
fn what_cannot_be_created_for_now_keeps_the_batch() {
    let table = [
        (
            r#"{"__type":"OperationAbortedException","message":"busy"}"#,
            "CreateLogGroup: OperationAbortedException: busy",
            None,
        ),
        (
            r#"{"__type":"AccessDeniedException","message":"no"}"#,
            "CreateLogGroup: AccessDeniedException: no",
            Some(60),
        ),
        (
            r#"{"__type":"InvalidParameterException","message":"bad"}"#,
            "CreateLogGroup: InvalidParameterException: bad",
            None,
        ),
    ];
    for (body, expected, seconds) in table {
        let script = Arc::new(Script::default()).answer(400, MISSING).answer(400, MISSING).answer(400, body);
        let verdict = open().send(&batch(&["x"]), &mut script.net(NOW_S));
        let Verdict::Retry { after, why } = verdict else { panic!("{verdict:?}") };
        assert_eq!((why.as_str(), after.map(|after| after.as_secs())), (expected, seconds));
    }
    let script = Arc::new(Script::default());
    [(400, MISSING), (200, "{}"), (400, MISSING)].iter().for_each(|(s, b)| drop(script.answer(*s, b)));
    let verdict = open().send(&batch(&["x"]), &mut script.net(NOW_S));
    assert!(matches!(verdict, Verdict::Retry { after: None, .. }), "{verdict:?}");
}

#[test]
fn a_retention_that_failed_for_now_is_set_with_the_next_batch() {
    let script = Arc::new(Script::default());
    let throttled = (400, r#"{"__type":"ThrottlingException"}"#);
    let first = [(400, MISSING), (400, MISSING), (200, "{}"), throttled, (200, "{}"), (200, "{}")];
    first.iter().for_each(|(s, b)| drop(script.answer(*s, b)));
    let mut logs = open();
    assert_eq!(logs.send(&batch(&["x"]), &mut script.net(NOW_S)), Verdict::Delivered);
    targets(&script);
    script.answer(200, "{}").answer(200, "{}").answer(200, "{}");
    assert_eq!(logs.send(&batch(&["x"]), &mut script.net(NOW_S)), Verdict::Delivered);
    assert_eq!(logs.send(&batch(&["x"]), &mut script.net(NOW_S)), Verdict::Delivered);
    let asked = script.asked();
    let bodies: Vec<_> = asked.iter().map(|(r, _)| String::from_utf8_lossy(r.body()).into_owned()).collect();
    assert_eq!(bodies[0], r#"{"logGroupName":"/ops/Shop","retentionInDays":30}"#);
    assert_eq!(bodies.len(), 3, "set once");
}

#[test]
fn rejected_events_are_told_at_their_indexes() {
    let table: [(&str, Vec<usize>, Vec<usize>); 10] = [
        ("{}", vec![], vec![]),
        ("", vec![], vec![]),
        (r#"{"rejectedLogEventsInfo":{"tooNewLogEventStartIndex":3}}"#, vec![], vec![3, 4]),
        (r#"{"rejectedLogEventsInfo":{"tooOldLogEventEndIndex":2}}"#, vec![0, 1], vec![]),
        (r#"{"rejectedLogEventsInfo":{"expiredLogEventEndIndex":1}}"#, vec![0], vec![]),
        (
            r#"{"rejectedLogEventsInfo":{"tooOldLogEventEndIndex":1,"expiredLogEventEndIndex":2,"tooNewLogEventStartIndex":4}}"#,
            vec![0, 1],
            vec![4],
        ),
        (r#"{"rejectedLogEventsInfo":{"tooNewLogEventStartIndex":0}}"#, vec![], vec![0, 1, 2, 3, 4]),
        (
            r#"{"rejectedLogEventsInfo":{"tooNewLogEventStartIndex":99,"tooOldLogEventEndIndex":0}}"#,
            vec![],
            vec![],
        ),
        (r#"{"rejectedLogEventsInfo":{"tooOldLogEventEndIndex":-7}}"#, vec![], vec![]),
        (r#"{"rejectedLogEventsInfo":null,"nextSequenceToken":"x"}"#, vec![], vec![]),
    ];
    for (body, old, new) in table {
        let refused = match rejected(body.as_bytes(), 5) {
            Verdict::Delivered => Vec::new(),
            Verdict::Partial { failed, refused } => {
                assert!(failed.is_empty() && !refused.is_empty());
                refused
            }
            other => panic!("{other:?}"),
        };
        let of = |loss| refused.iter().filter(|(_, r)| r.loss == loss).map(|(at, _)| *at).collect::<Vec<_>>();
        assert_eq!((of(Loss::TooOld), of(Loss::TooNew)), (old, new), "{body}");
    }
}

#[test]
fn refused_keys_are_loaded_anew_and_nothing_is_lost() {
    let expired = r#"{"__type":"ExpiredTokenException","message":"expired"}"#;
    let vars = [
        ("AWS_REGION", "us-east-1"),
        ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/x"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ];
    let keys = |key: &str| {
        format!(
            r#"{{"AccessKeyId":"{key}","SecretAccessKey":"s","Token":"t","Expiration":"2099-01-01T00:00:00Z"}}"#
        )
    };
    let script = Arc::new(Script::default());
    script.answer(200, &keys("ONE")).answer(400, expired).answer(200, &keys("TWO")).answer(200, "{}");
    let mut logs = LogEvents::open(&Destination::default(), &context(&vars)).unwrap();
    let verdict = logs.send(&batch(&["x"]), &mut script.net(NOW_S));
    assert_eq!(
        verdict,
        Verdict::Reauthenticate { why: "PutLogEvents: ExpiredTokenException: expired".into() }
    );
    assert_eq!(logs.send(&batch(&["x"]), &mut script.net(NOW_S)), Verdict::Delivered);
    let last = script.asked().pop().unwrap().0;
    assert!(last.headers()["authorization"].to_str().unwrap().contains("Credential=TWO/"));
}

/// The rows of PutLogEvents (`logs/2014-03-28`, botocore 1.44.5) and what stands before any service.
#[test]
fn every_answer_has_its_verdict() {
    let said = |code: &str| format!(r#"{{"__type":"{code}","message":"m"}}"#);
    let table: [(u16, String, &str, &str); 15] = [
        (200, "{}".into(), "delivered", "delivered"),
        (200, r#"{"rejectedLogEventsInfo":{"tooOldLogEventEndIndex":1}}"#.into(), "partial", "partial"),
        (200, "<html>a proxy</html>".into(), "retry", "retry"),
        (400, said("InvalidParameterException"), "refuse", "halve"),
        (400, said("ValidationException"), "refuse", "halve"),
        (400, said("ThrottlingException"), "throttle", "throttle"),
        (503, said("ServiceUnavailableException"), "retry", "retry"),
        (400, said("UnrecognizedClientException"), "reauthenticate", "reauthenticate"),
        (400, said("ExpiredTokenException"), "reauthenticate", "reauthenticate"),
        (400, said("AccessDeniedException"), "retry", "retry"),
        (400, said("DataAlreadyAcceptedException"), "delivered", "delivered"),
        (400, said("InvalidSequenceTokenException"), "retry", "retry"),
        (413, String::new(), "refuse", "halve"),
        (429, String::new(), "throttle", "throttle"),
        (502, "<html>bad gateway</html>".into(), "retry", "retry"),
    ];
    for (status, body, alone, together) in table {
        for (messages, expected) in [(&["x"][..], alone), (&["x", "y"], together)] {
            let script = Arc::new(Script::default()).answer(status, &body);
            let kind = match open().send(&batch(messages), &mut script.net(NOW_S)) {
                Verdict::Delivered => "delivered",
                Verdict::Partial { .. } => "partial",
                Verdict::Retry { .. } => "retry",
                Verdict::Throttle { .. } => "throttle",
                Verdict::Halve => "halve",
                Verdict::Reauthenticate { .. } => "reauthenticate",
                Verdict::Refuse(_) => "refuse",
            };
            assert_eq!(kind, expected, "{status} {body} for {}", messages.len());
        }
    }
}

#[test]
fn clients_of_one_backend_share_their_keys_and_load_others_once() {
    let expired = r#"{"__type":"ExpiredTokenException","message":"expired"}"#;
    let vars = [
        ("AWS_REGION", "us-east-1"),
        ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/x"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ];
    let keys = |key: &str| {
        format!(
            r#"{{"AccessKeyId":"{key}","SecretAccessKey":"s","Token":"t","Expiration":"2099-01-01T00:00:00Z"}}"#
        )
    };
    let script = Arc::new(Script::default());
    script.answer(200, &keys("ONE")).answer(200, "{}").answer(400, expired);
    let mut first = LogEvents::open(&Destination::default(), &context(&vars)).unwrap();
    let mut second = first.another();
    let send = |logs: &mut LogEvents| logs.send(&batch(&["x"]), &mut script.net(NOW_S));
    assert_eq!(send(&mut second), Verdict::Delivered);
    assert!(matches!(send(&mut first), Verdict::Reauthenticate { .. }));
    script.answer(200, &keys("TWO")).answer(200, "{}").answer(200, "{}");
    assert_eq!(send(&mut first), Verdict::Delivered);
    // The second was refused with the same old keys, and says so late: the new ones are not thrown away for it.
    second.client.refresh();
    assert_eq!(send(&mut second), Verdict::Delivered);
    let asked = script.asked();
    let loads = asked.iter().filter(|(request, _)| request.uri().path() == "/x").count();
    assert_eq!((asked.len(), loads), (6, 2));
}

#[test]
fn no_answer_keeps_the_batch() {
    let script = Arc::new(Script::default()).then(Err(refused()));
    let verdict = open().send(&batch(&["x"]), &mut script.net(NOW_S));
    assert_eq!(verdict, Verdict::Retry { after: None, why: refused().text });
}
