//! The client against a scripted service.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use reqsign_core::time::Timestamp;

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
    assert_eq!(client.call(&mut net, call()).unwrap().status, 200);
    assert_eq!(client.call(&mut net, call()).unwrap().status, 500);
    let asked = script.asked();
    let (request, bounds) = &asked[0];
    assert_eq!(request.uri(), "https://logs.us-east-1.amazonaws.com/");
    let headers = request.headers();
    assert_eq!(headers["host"], "logs.us-east-1.amazonaws.com");
    assert_eq!(headers["x-amz-content-sha256"], reqsign_core::hash::hex_sha256(b"{}"));
    let authorization = headers["authorization"].to_str().unwrap();
    assert!(
        authorization.contains(
            "SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date;x-amz-target;x-amzn-query-mode,"
        ),
        "{authorization}"
    );
    assert!(bounds.proxy && bounds.total <= crate::net::PUSH_TIMEOUT);
    assert!(asked[1].1.total < bounds.total, "the second call has what the first left");
}

#[test]
fn no_answer_is_told_and_no_time_is_no_call() {
    let script = Arc::new(Script::default());
    let (mut client, mut net) = (client(&KEYS), script.net(NOW_S));
    assert_eq!(client.call(&mut net, call()).unwrap_err(), CallError::Net(refused()));
    net.begin(net.now, Duration::ZERO);
    assert!(client.call(&mut net, call()).unwrap_err().to_string().contains("no time left"));
    assert_eq!(script.asked().len(), 1);
}

/// A service whose clock is this far ahead of ours refuses so.
fn refusing(ahead_s: i64, code: &str) -> Response {
    let server_s = Timestamp::now().as_second() + ahead_s;
    let date = Timestamp::from_second(server_s).unwrap().format_http_date();
    response(400, &[("date", &date)], &format!(r#"{{"__type":"{code}","message":"Signature expired"}}"#))
}

#[test]
fn a_skewed_clock_is_told_with_its_seconds_and_asked_again_only_by_who_calls() {
    // Whatever the clock of the push says, it is the system's that signs.
    for (ahead_s, side) in [(3_600, "behind"), (-3_600, "ahead of")] {
        let skewed = refusing(ahead_s, "InvalidSignatureException");
        let script = Arc::new(Script::default()).then(Ok(skewed)).answer(200, "{}");
        let (mut client, mut net) = (client(&KEYS), script.net(NOW_S - 1_000_000));
        let CallError::Clock(why) = client.call(&mut net, call()).unwrap_err() else { panic!() };
        // A second may turn between the date and the signature.
        let told = [3_599, 3_600, 3_601].map(|s| format!("clock is {s} s {side} the service's"));
        assert!(told.iter().any(|told| why.contains(told)) && why.contains("set the clock"), "{why}");
        assert_eq!(script.asked().len(), 1);
        assert_eq!(client.call(&mut net, call()).unwrap().status, 200);
    }
}

#[test]
fn a_wrong_signature_under_a_right_clock_is_an_answer() {
    let script = Arc::new(Script::default()).then(Ok(refusing(2, "InvalidSignatureException")));
    let (mut client, mut net) = (client(&KEYS), script.net(NOW_S));
    assert_eq!(client.call(&mut net, call()).unwrap().status, 400);
    assert_eq!(script.asked().len(), 1);
}

#[test]
fn what_a_client_shows_holds_no_secret() {
    let vars = [KEYS[0], KEYS[1], KEYS[2], ("AWS_SESSION_TOKEN", "TOKENEXAMPLE")];
    let script = Arc::new(Script::default());
    let (mut client, mut net) = (client(&vars), script.net(NOW_S));
    let error = client.call(&mut net, call()).unwrap_err();
    let asked = script.asked();
    assert_eq!(asked[0].0.headers()["x-amz-security-token"], "TOKENEXAMPLE");
    let shown = format!("{client:?} {net:?} {error:?} {error} {asked:?}");
    for secret in ["wJalrXUtnFEMI", "TOKENEXAMPLE", "Signature="] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}
