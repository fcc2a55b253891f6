//! The rig itself, tried against moto: the proxy changes nothing, records everything, and each of its faults does
//! what it says. A test that rests on the rig can be no better than this.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ops_tests::rig::{Fault, Moto, Proxy, Push, contract_bytes, python};

/// Long enough for a busy machine; nothing here waits for it to pass.
const PATIENCE: Duration = Duration::from_secs(60);
const GROUP: &str = "/ops/rig";
const STREAM: &str = "one";

#[test]
fn boto3_writes_through_the_proxy_what_it_reads_from_moto() {
    let moto = Moto::start();
    let proxy = Proxy::start(&moto.url());
    let _ = python("put.py", &[&proxy.url(), GROUP, STREAM, "Rig"]);

    let events = moto.log_events(GROUP);
    assert_eq!(events.len(), 300);
    assert!(events.iter().enumerate().all(|(n, e)| e.message == format!("{n} \"quoted\"\n\tü 😀")));
    assert_eq!(moto.log_groups()[0].retention_days, Some(7));
    let metrics = moto.metrics("Rig");
    let sum: f64 = metrics.iter().map(|metric| metric.sum).sum();
    let count: f64 = metrics.iter().map(|metric| metric.count).sum();
    assert_eq!((metrics.len(), sum, count), (10, 300.0 * 3.0 + 299.0 * 300.0 / 2.0, 1200.0));

    let requests = proxy.requests();
    let operations: Vec<_> = requests.iter().map(|request| request.operation()).collect();
    let expected =
        ["CreateLogGroup", "PutRetentionPolicy", "CreateLogStream", "PutLogEvents", "PutMetricData"];
    assert_eq!(operations, expected);
    assert!(
        requests.iter().all(|request| (request.status, request.upstream_status) == (Some(200), Some(200)))
    );
    let bytes = events.iter().map(|event| event.message.len() + 26).sum();
    assert_eq!(contract_bytes(&requests[3]), Some(Push { bytes, items: 300 }));
    let metrics = &requests[4];
    assert_eq!(metrics.header("content-encoding"), Some("gzip"));
    assert!(metrics.decoded.as_ref().is_some_and(|body| body.len() > metrics.raw_body.len()));
}

#[test]
fn boto3_retries_what_the_script_refuses() {
    let moto = Moto::start();
    let proxy = Proxy::start(&moto.url());
    proxy.script_for("PutLogEvents", [Fault::throttled()]);
    let _ = python("put.py", &[&proxy.url(), GROUP, STREAM, "Rig"]);
    let statuses: Vec<_> =
        proxy.requests_of("PutLogEvents").iter().map(|put| (put.status, put.upstream_status)).collect();
    assert_eq!(statuses, [(Some(400), None), (Some(200), Some(200))]);
    assert_eq!((proxy.steps_left(), moto.log_events(GROUP).len()), (0, 300));
}

#[test]
fn a_request_that_is_cut_or_refused_never_arrives() {
    let (moto, proxy) = ready();
    let mut faults = vec![Fault::CutUnread, Fault::CutUnsent];
    faults.extend([
        Fault::unavailable().with("Retry-After", "1"),
        Fault::too_large(),
        Fault::expired_token(),
    ]);
    proxy.script(faults);
    let answers: Vec<_> = (0..5).map(|n| put(&proxy, &format!("{n}")).ok()).collect();
    assert_eq!(answers, [None, None, Some(503), Some(413), Some(400)]);
    assert_eq!(proxy.cut_unread(), 1);
    let statuses: Vec<_> = proxy.requests().iter().map(|put| (put.status, put.upstream_status)).collect();
    assert_eq!(statuses, [(None, None), (Some(503), None), (Some(413), None), (Some(400), None)]);
    assert_eq!(messages(&moto), [""; 0]);
}

#[test]
fn a_lost_answer_leads_to_a_duplicate() {
    let (moto, proxy) = ready();
    proxy.script([Fault::CutAnswer, Fault::HalfAnswer]);
    assert!(put(&proxy, "a").is_err());
    assert!(put(&proxy, "b").is_err());
    assert_eq!((put(&proxy, "a").ok(), put(&proxy, "b").ok()), (Some(200), Some(200)));
    assert_eq!(messages(&moto), ["a", "a", "b", "b"]);
    assert_eq!(proxy.requests()[0].upstream_status, Some(200));
    assert_eq!(proxy.requests()[0].status, None);
}

#[test]
fn a_server_that_hangs_hangs_until_it_is_released() {
    let (moto, proxy) = ready();
    proxy.otherwise(Fault::Hang);
    std::thread::scope(|scope| {
        let hung = scope.spawn(|| put(&proxy, "a").is_err());
        assert!(proxy.wait_until(PATIENCE, |requests| requests.len() == 1));
        assert!(!hung.is_finished());
        proxy.otherwise(Fault::Delay(Duration::from_millis(10)));
        proxy.release();
        assert!(hung.join().expect("no panic"));
    });
    assert_eq!(put(&proxy, "b").ok(), Some(200));
    assert_eq!(messages(&moto), ["b"]);
}

#[test]
fn the_end_of_the_proxy_cuts_what_hangs() {
    let proxy = Proxy::start("http://127.0.0.1:1");
    proxy.otherwise(Fault::Hang);
    let url = proxy.url();
    let client = std::thread::spawn(move || post(&url, "PutLogEvents", "{}").is_err());
    assert!(proxy.wait_until(PATIENCE, |requests| requests.len() == 1));
    drop(proxy);
    assert!(client.join().expect("no panic"));
}

#[test]
fn a_dead_server_is_a_bad_gateway() {
    // Nothing listens on port 1.
    let proxy = Proxy::start("http://127.0.0.1:1");
    assert_eq!(put(&proxy, "a").ok(), Some(502));
    assert!(!proxy.wait_until(Duration::ZERO, |requests| requests.len() == 2));
}

#[test]
fn one_connection_serves_many_requests() {
    let moto = Moto::start();
    let proxy = Proxy::start(&moto.url());
    let agent = ureq::agent();
    for _ in 0..5 {
        let answer = agent.get(format!("{}/moto-api/data.json", proxy.url())).call();
        let body = answer.expect("an answer").body_mut().read_to_string().expect("a body");
        assert!(body.starts_with('{'), "{body}");
    }
    assert_eq!((proxy.requests().len(), proxy.connections()), (5, 1));
}

#[test]
fn chunks_and_expectations_are_understood() {
    let proxy = Proxy::start("http://127.0.0.1:1");
    proxy.otherwise(Fault::answer(200, "yes"));
    let mut client =
        TcpStream::connect(proxy.url().trim_start_matches("http://")).expect("the proxy listens");
    let head = "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n";
    client.write_all(format!("{head}Connection: close\r\n\r\n").as_bytes()).expect("sent");
    let mut interim = [0; 25];
    client.read_exact(&mut interim).expect("an interim answer");
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    client.write_all(b"2\r\n{}\r\n0\r\n\r\n").expect("sent");
    let mut answer = String::new();
    client.read_to_string(&mut answer).expect("an answer, then the end of the connection");
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\nyes"), "{answer}");
    assert_eq!(proxy.requests()[0].raw_body, b"{}");
}

/// A server with an empty stream, and a proxy in front of it.
fn ready() -> (Moto, Proxy) {
    let moto = Moto::start();
    for (operation, stream) in [("CreateLogGroup", ""), ("CreateLogStream", STREAM)] {
        let body = format!(r#"{{"logGroupName":"{GROUP}","logStreamName":"{stream}"}}"#);
        assert_eq!(post(&moto.url(), operation, &body).ok(), Some(200));
    }
    let proxy = Proxy::start(&moto.url());
    (moto, proxy)
}

/// Puts one event; the status of the answer.
fn put(proxy: &Proxy, message: &str) -> Result<u16, ureq::Error> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let event = serde_json::json!({ "timestamp": since.as_millis() as u64, "message": message });
    let body = serde_json::json!({ "logGroupName": GROUP, "logStreamName": STREAM, "logEvents": [event] });
    post(&proxy.url(), "PutLogEvents", &body.to_string())
}

/// Posts over a connection of its own and reads the answer to its end; its status.
fn post(url: &str, operation: &str, body: &str) -> Result<u16, ureq::Error> {
    let config = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build();
    let mut answer = ureq::Agent::new_with_config(config)
        .post(url)
        .header("X-Amz-Target", format!("Logs_20140328.{operation}"))
        .header("Content-Type", "application/x-amz-json-1.1")
        .header("Authorization", "AWS4-HMAC-SHA256 Credential=testing/20261122/us-east-1/logs/aws4_request")
        .send(body)?;
    answer.body_mut().read_to_vec()?;
    Ok(answer.status().as_u16())
}

fn messages(moto: &Moto) -> Vec<String> {
    let mut messages: Vec<_> = moto.log_events(GROUP).into_iter().map(|event| event.message).collect();
    messages.sort();
    messages
}
