//! Lines as the agent takes them, and agents that come and go.

use std::io::{BufRead, BufReader};
use std::net::{TcpListener, UdpSocket};

use super::*;
use crate::clock::Now;
use crate::model::RecordId;

fn place() -> Place {
    Place { group: "/ops/\"Shop".into(), stream: "h1/1".into(), is_chosen: true }
}

fn batch(lines: &[&str]) -> Batch {
    let mut batch = Batch::default();
    for (n, line) in lines.iter().enumerate() {
        batch.push(n as u64, RecordId::default(), n as u32, line.as_bytes());
    }
    batch
}

/// As the agent's parser reads a line: JSON, and a group in `_aws`.
fn parsed(line: &str) -> serde_json::Value {
    let read: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(read["_aws"]["LogGroupName"], "/ops/\"Shop");
    assert_eq!(read["_aws"]["LogStreamName"], "h1/1");
    read
}

const LINES: [&str; 4] = [
    r#"{"_aws":{"Timestamp":9,"CloudWatchMetrics":[]},"a":1}"#,
    r#"{"message":"x"}"#,
    "@ops.part v1 \"{",
    "{}",
];

fn check(lines: &[String]) {
    let read: Vec<_> = lines.iter().map(|line| parsed(line)).collect();
    assert_eq!(read.len(), LINES.len());
    assert_eq!((&read[0]["a"], &read[0]["_aws"]["Timestamp"]), (&1.into(), &9.into()));
    assert_eq!((&read[1]["message"], &read[1]["_aws"]["Timestamp"]), (&"x".into(), &1.into()));
    assert_eq!(
        (&read[2]["message"], &read[2]["_aws"]["CloudWatchMetrics"]),
        (&LINES[2].into(), &serde_json::json!([]))
    );
    assert_eq!(read[3].as_object().map(serde_json::Map::len), Some(1));
}

#[test]
fn lines_go_over_tcp_and_an_agent_that_goes_is_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut agent = Agent::open(&format!("tcp://{address}"), &place()).unwrap();
    let mut net = Net::new(Now::read());
    assert_eq!(agent.send(&batch(&LINES), &mut net), Verdict::Delivered);
    let (stream, _) = listener.accept().unwrap();
    let mut reader = BufReader::new(stream);
    let mut line = || {
        let mut text = String::new();
        reader.read_line(&mut text).unwrap();
        text
    };
    check(&[line(), line(), line(), line()]);
    assert_eq!(agent.send(&batch(&LINES[1..2]), &mut net), Verdict::Delivered, "over the same connection");
    assert_eq!(parsed(&line())["message"], "x");
    drop((reader, listener));
    let mut verdict = agent.send(&batch(&LINES), &mut net);
    for _ in 0..6_000 {
        if matches!(verdict, Verdict::Retry { .. }) {
            break;
        }
        // The end of a connection takes a moment to be told.
        std::thread::sleep(std::time::Duration::from_millis(10));
        verdict = agent.send(&batch(&LINES), &mut net);
    }
    let Verdict::Retry { after: None, why } = verdict else { panic!("{verdict:?}") };
    assert!(why.contains(&address.to_string()), "{why}");
}

#[test]
fn a_datagram_is_a_line() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut agent = Agent::open(&format!("udp://{}", socket.local_addr().unwrap()), &place()).unwrap();
    let limits = agent.limits();
    // A part of nothing but quotes is the longest that a line can become.
    let longest = "\"".repeat(limits.item_bytes_max);
    let mut lines = LINES.to_vec();
    lines.push(&longest);
    assert_eq!(agent.send(&batch(&lines), &mut Net::new(Now::read())), Verdict::Delivered);
    let mut buffer = vec![0; UDP_BYTES_MAX + 1];
    let mut received = || {
        let read = socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..read].to_vec()).unwrap()
    };
    check(&[received(), received(), received(), received()]);
    let last = received();
    assert_eq!(parsed(&last)["message"], longest);
    assert!(last.len() <= UDP_BYTES_MAX && limits.item_bytes_max > 32_000, "{}", last.len());
}

#[test]
fn an_address_that_no_agent_has_is_told_with_its_setting() {
    for bad in ["tcp://", "unix:///run/agent.sock", "http://127.0.0.1:1", "udp://h:0"] {
        let error = Agent::open(bad, &place()).err().unwrap().to_string();
        assert!(error.starts_with("OPS_EMF_TARGET / .target(..): "), "{error}");
    }
    assert!(Agent::open("udp://localhost", &place()).is_ok(), "the port is the agent's own");
}
