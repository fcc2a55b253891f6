//! The road into a log group against a scripted service.

use std::sync::Arc;

use super::super::tests::{KEYS, NOW_S, context};
use super::*;
use crate::backend::Refusal;
use crate::ledger::Loss;
use crate::model::RecordId;
use crate::net::script::{Script, refused};

const MISSING: &str =
    r#"{"__type":"ResourceNotFoundException","message":"The specified log stream does not exist."}"#;
const EXISTS: &str = r#"{"__type":"ResourceAlreadyExistsException","message":"exists"}"#;

fn open() -> LogEvents {
    opened(Destination::default(), &KEYS)
}

fn opened(told: Destination, vars: &[(&str, &str)]) -> LogEvents {
    LogEvents::open(&told, &context(vars)).unwrap().0
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
    let place = Place { group: "/ops/Shop".into(), stream: "h1/1".into(), is_chosen: true };
    let batch = batch(&["{\"a\":\"b\\n\"}", "größe \u{1F600}\u{1}", "plain"]);
    let route = routes(&batch, &place.stream, Cow::Borrowed).remove(0);
    let mut body = place.stream_name(&route.stream);
    put(&mut body, &route.events, None);
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
    let table: [(&str, Vec<usize>, Vec<usize>); 12] = [
        (r#"{"rejectedEntityInfo":{"errorType":"InvalidEntity"}}"#, vec![], vec![]),
        (r#"{"rejectedEntityInfo":7,"rejectedLogEventsInfo":{"tooOldLogEventEndIndex":1}}"#, vec![0], vec![]),
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
    let net = Arc::new(Script::default()).net(NOW_S);
    for (body, old, new) in table {
        let refused = match rejected(body.as_bytes(), 5, "/g", &net) {
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
    let mut logs = opened(Destination::default(), &vars);
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
    let mut first = opened(Destination::default(), &vars);
    let mut second = first.another();
    let send = |logs: &mut LogEvents| logs.send(&batch(&["x"]), &mut script.net(NOW_S));
    assert_eq!(send(&mut second), Verdict::Delivered);
    assert!(matches!(send(&mut first), Verdict::Reauthenticate { .. }));
    script.answer(200, &keys("TWO")).answer(200, "{}").answer(200, "{}");
    assert_eq!(send(&mut first), Verdict::Delivered);
    // The second was refused with the same old keys, and says so late: the new ones are not thrown away for it.
    let Road::Signed(client) = &mut second.road else { unreachable!() };
    client.refresh();
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

fn paths(script: &Script) -> Vec<String> {
    let told = |request: &crate::net::Request| match request.headers().get("x-amz-target") {
        Some(target) => target.to_str().unwrap().replace("Logs_20140328.", ""),
        None => request.uri().path().to_owned(),
    };
    script.asked().iter().map(|(request, _)| told(request)).collect()
}

#[test]
fn a_batch_for_several_streams_goes_stream_by_stream_and_is_judged_item_by_item() {
    let items = ["@ops.stream a\n1", "2", "@ops.stream a\n3", "@ops.stream b\n4"];
    let old = r#"{"rejectedLogEventsInfo":{"tooOldLogEventEndIndex":1}}"#;
    let script = Arc::new(Script::default()).answer(200, old).answer(400, MISSING).answer(400, EXISTS);
    script.answer(200, "{}").answer(500, "");
    let Verdict::Partial { failed, refused } = open().send(&batch(&items), &mut script.net(NOW_S)) else {
        panic!("a part is taken")
    };
    assert_eq!((failed, refused.iter().map(|(at, _)| *at).collect::<Vec<_>>()), (vec![3], vec![0]));
    let asked = script.asked();
    let bodies: Vec<serde_json::Value> =
        asked.iter().map(|(request, _)| serde_json::from_slice(request.body()).unwrap()).collect();
    let streams: Vec<_> = bodies.iter().map(|body| body["logStreamName"].as_str().unwrap()).collect();
    let own = "h1/00000000000000ff";
    assert_eq!(streams, ["a", own, own, own, "b"]);
    let events = bodies[0]["logEvents"].as_array().unwrap();
    assert_eq!((&events[0]["message"], &events[1]["message"]), (&"1".into(), &"3".into()));

    // What asks for less of all ends the push.
    let throttled = r#"{"__type":"ThrottlingException"}"#;
    let script = Arc::new(Script::default()).answer(400, throttled);
    let verdict = open().send(&batch(&items), &mut script.net(NOW_S));
    assert!(matches!(verdict, Verdict::Throttle { .. }), "{verdict:?}");
    assert_eq!(script.asked().len(), 1);
}

#[test]
fn a_group_is_created_as_it_was_told_and_events_say_their_entity() {
    let vars = [
        ("OPS_CLOUDWATCH_LOGS_CLASS", "delivery"),
        ("OPS_CLOUDWATCH_LOGS_ENTITY", "Type=Service,Name=checkout"),
        ("OPS_CLOUDWATCH_LOGS_ENTITY_ATTRIBUTES", "Team=payments"),
    ];
    let vars = [&KEYS[..], &vars].concat();
    let script = Arc::new(Script::default());
    for (status, body) in [(400, MISSING), (400, MISSING), (200, "{}"), (200, "{}"), (200, "{}")] {
        script.answer(status, body);
    }
    let mut logs = opened(Destination::default(), &vars);
    assert_eq!(logs.send(&batch(&["x"]), &mut script.net(NOW_S)), Verdict::Delivered);
    let asked = script.asked();
    let bodies: Vec<_> = asked.iter().map(|(r, _)| String::from_utf8_lossy(r.body()).into_owned()).collect();
    assert_eq!(bodies[2], r#"{"logGroupName":"/ops/Shop","logGroupClass":"DELIVERY"}"#);
    assert_eq!(bodies.len(), 5, "no retention is set in this class");
    let entity =
        r#""entity":{"keyAttributes":{"Type":"Service","Name":"checkout"},"attributes":{"Team":"payments"}}"#;
    assert!(bodies[4].contains(entity), "{}", bodies[4]);
}

#[test]
fn the_http_endpoints_are_signed_or_carry_a_token() {
    let told =
        |ingest| Destination { ingest: Some(ingest), stream: Some("s".into()), ..Destination::default() };
    for (ingest, path) in [
        (Ingest::Ndjson, "/ingest/bulk"),
        (Ingest::Json, "/ingest/json"),
        (Ingest::Hlc, "/services/collector/event"),
    ] {
        let script = Arc::new(Script::default()).answer(200, "{}").answer(200, "{}");
        let mut signed = opened(told(ingest), &KEYS);
        assert_eq!(signed.send(&batch(&["{}"]), &mut script.net(NOW_S)), Verdict::Delivered);
        let vars = [KEYS[0], ("OPS_CLOUDWATCH_LOGS_TOKEN", "ACWL-hush")];
        let mut token = opened(told(ingest), &vars);
        assert_eq!(token.send(&batch(&["{}"]), &mut script.net(NOW_S)), Verdict::Delivered);
        let asked = script.asked();
        for (request, _) in &asked {
            assert_eq!((request.method().as_str(), request.uri().path()), ("POST", path));
            assert_eq!(request.uri().host(), Some("logs.us-east-1.amazonaws.com"));
            assert_eq!(request.headers()["x-aws-log-group"], "/ops/Shop");
            assert_eq!(request.headers()["x-aws-log-stream"], "s");
        }
        let header = |at: usize| asked[at].0.headers()["authorization"].to_str().unwrap();
        assert!(header(0).contains("x-aws-log-group;x-aws-log-stream"), "{}", header(0));
        assert_eq!(header(1), "Bearer ACWL-hush");
    }
}

#[test]
fn an_endpoint_that_refuses_has_what_is_missing_created_and_one_bad_event_costs_itself_alone() {
    let denied = r#"{"__type":"AccessDeniedException","message":"no"}"#;
    let bad = r#"{"message":"what is this"}"#;
    let table: [(&[(u16, &str)], usize, &str, &[&str]); 6] = [
        (
            &[(400, bad), (200, "{}"), (200, "{}")],
            1,
            "delivered",
            &["/ingest/json", "CreateLogStream", "/ingest/json"],
        ),
        (&[(400, bad), (400, EXISTS)], 2, "halve", &["/ingest/json", "CreateLogStream"]),
        (&[(400, bad), (400, EXISTS)], 1, "refuse", &["/ingest/json", "CreateLogStream"]),
        (&[(400, bad), (400, denied)], 1, "refuse", &["/ingest/json", "CreateLogStream"]),
        (&[(404, ""), (400, denied)], 1, "retry", &["/ingest/json", "CreateLogStream"]),
        (&[(429, "")], 1, "throttle", &["/ingest/json"]),
    ];
    for (answers, items, expected, asked) in table {
        let script = Arc::new(Script::default());
        answers.iter().for_each(|(status, body)| drop(script.answer(*status, body)));
        let told = Destination { ingest: Some(Ingest::Json), ..Destination::default() };
        let verdict = opened(told, &KEYS).send(&batch(&["{}", "{}"][..items]), &mut script.net(NOW_S));
        let kind = match &verdict {
            Verdict::Delivered => "delivered",
            Verdict::Halve => "halve",
            Verdict::Refuse(Refusal { loss: Loss::Refused, .. }) => "refuse",
            Verdict::Retry { .. } => "retry",
            Verdict::Throttle { .. } => "throttle",
            other => panic!("{other:?}"),
        };
        assert_eq!((kind, paths(&script)), (expected, asked.iter().map(|s| (*s).to_owned()).collect()));
    }
}

#[test]
fn a_token_creates_nothing_and_is_never_told() {
    let vars = [
        KEYS[0],
        ("OPS_CLOUDWATCH_LOGS_TOKEN", "ACWL-hush"),
        ("OPS_CLOUDWATCH_LOGS_INGEST", "ndjson"),
        ("OPS_CLOUDWATCH_LOGS_STREAM_BY", "{host}"),
    ];
    for (status, body, words) in
        [(400, r#"{"message":"The log stream does not exist"}"#, "must exist"), (401, "", "is refused")]
    {
        let script = Arc::new(Script::default()).answer(status, body);
        let mut logs = opened(Destination::default(), &vars);
        let Verdict::Retry { after: Some(_), why } = logs.send(&batch(&["{}"]), &mut script.net(NOW_S))
        else {
            panic!("an operator is waited for")
        };
        assert!(why.contains(words) && !why.contains("hush"), "{why}");
        assert_eq!(script.asked().len(), 1);
    }
    let error = |vars: &[(&str, &str)]| {
        LogEvents::open(&Destination::default(), &context(vars)).err().unwrap().to_string()
    };
    assert!(error(&vars[..3]).starts_with("OPS_CLOUDWATCH_LOGS_STREAM / .stream(..): no stream is named"));
    assert!(error(&vars[..2]).contains("PutLogEvents takes no token"));
    let clear = [&vars[..], &[("AWS_ENDPOINT_URL", "http://elsewhere:80")]].concat();
    let told = error(&clear);
    assert!(told.starts_with("OPS_CLOUDWATCH_LOGS_TOKEN / .token(..): ") && !told.contains("hush"), "{told}");
    let both = [&vars[..], &[("OPS_CLOUDWATCH_LOGS_STREAM", "s")]].concat();
    assert!(error(&both).contains("both are set"));
    let unsendable = [&vars[..3], &[("OPS_CLOUDWATCH_LOGS_STREAM", "größe")]].concat();
    assert!(error(&unsendable).contains("cannot stand in a header"));
}
