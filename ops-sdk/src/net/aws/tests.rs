//! The client against a scripted service.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::net::script::{Script, refused, response};

pub(crate) const LOGS: Service = Service {
    signing_name: "logs",
    host_prefix: "logs",
    variable: "CLOUDWATCH_LOGS",
    gov_dualstack_is_fips: false,
};
pub(crate) const KEYS: [(&str, &str); 3] = [
    ("AWS_REGION", "us-east-1"),
    ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
    ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
];
const NOW_S: u64 = 1_795_332_268;

/// An environment of these variables alone.
pub(crate) fn var(vars: &[(&str, &str)]) -> Var {
    let vars: HashMap<String, String> = vars.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
    Arc::new(move |name| vars.get(name).cloned())
}

fn client(vars: &[(&str, &str)]) -> Client {
    Client::open(LOGS, &Settings::default(), &var(vars)).unwrap()
}

fn call() -> Call<'static> {
    let headers = &[("x-amzn-query-mode", "true")];
    Call {
        target: "Logs_20140328.PutLogEvents",
        content_type: "application/x-amz-json-1.1",
        headers,
        body: b"{}".to_vec(),
    }
}

#[test]
fn a_call_is_signed_and_its_answer_given_whatever_the_status() {
    let script = Arc::new(Script::default()).answer(200, "{}").answer(500, "oops");
    let (mut client, mut net) = (client(&KEYS), script.net(NOW_S));
    assert_eq!(client.call(&mut net, &call()).unwrap().status, 200);
    assert_eq!(client.call(&mut net, &call()).unwrap().status, 500);
    let asked = script.asked();
    let (request, bounds) = &asked[0];
    assert_eq!(request.uri(), "https://logs.us-east-1.amazonaws.com/");
    let headers = request.headers();
    assert_eq!(headers["host"], "logs.us-east-1.amazonaws.com");
    assert_eq!(headers["x-amz-date"], "20261122T072428Z");
    let authorization = headers["authorization"].to_str().unwrap();
    assert!(
        authorization.contains("SignedHeaders=content-type;host;x-amz-date;x-amz-target;x-amzn-query-mode,"),
        "{authorization}"
    );
    assert!(bounds.proxy && bounds.total <= crate::net::PUSH_TIMEOUT);
    assert!(asked[1].1.total < bounds.total, "the second call has what the first left");
}

#[test]
fn no_answer_is_told_and_no_time_is_no_call() {
    let script = Arc::new(Script::default());
    let (mut client, mut net) = (client(&KEYS), script.net(NOW_S));
    assert_eq!(client.call(&mut net, &call()).unwrap_err(), CallError::Net(refused()));
    net.begin(net.now, Duration::ZERO);
    assert!(client.call(&mut net, &call()).unwrap_err().to_string().contains("no time left"));
    assert_eq!(script.asked().len(), 1);
}

#[test]
fn a_skewed_clock_is_corrected_at_once_and_from_then_on() {
    let date = ("date", "Sun, 22 Nov 2026 07:24:28 GMT");
    let skewed = response(400, &[date], r#"{"__type":"InvalidSignatureException","message":"expired"}"#);
    let script = Arc::new(Script::default()).then(Ok(skewed)).answer(200, "{}").answer(200, "{}");
    let (mut client, mut net) = (client(&KEYS), script.net(NOW_S - 3_600));
    assert_eq!(client.call(&mut net, &call()).unwrap().status, 200);
    assert_eq!(client.call(&mut net, &call()).unwrap().status, 200);
    let dates: Vec<_> =
        script.asked().iter().map(|(r, _)| r.headers()["x-amz-date"].to_str().unwrap().to_owned()).collect();
    assert_eq!(dates, ["20261122T062428Z", "20261122T072428Z", "20261122T072428Z"]);
}

#[test]
fn a_wrong_signature_under_a_right_clock_is_not_repeated() {
    let wrong = response(
        400,
        &[("date", "Sun, 22 Nov 2026 07:24:28 GMT")],
        r#"{"__type":"InvalidSignatureException"}"#,
    );
    let script = Arc::new(Script::default()).then(Ok(wrong));
    let (mut client, mut net) = (client(&KEYS), script.net(NOW_S));
    assert_eq!(client.call(&mut net, &call()).unwrap().status, 400);
    assert_eq!(script.asked().len(), 1);
}

#[test]
fn what_a_client_shows_holds_no_secret() {
    let vars = [KEYS[0], KEYS[1], KEYS[2], ("AWS_SESSION_TOKEN", "TOKENEXAMPLE")];
    let script = Arc::new(Script::default());
    let (mut client, mut net) = (client(&vars), script.net(NOW_S));
    let error = client.call(&mut net, &call()).unwrap_err();
    let asked = script.asked();
    assert_eq!(asked[0].0.headers()["x-amz-security-token"], "TOKENEXAMPLE");
    let shown = format!("{client:?} {net:?} {error:?} {error} {asked:?}");
    for secret in ["wJalrXUtnFEMI", "TOKENEXAMPLE", "Signature="] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}
