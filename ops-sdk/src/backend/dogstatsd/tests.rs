//! Lines as the protocol has them, and sockets of each kind.

use std::io::Read as _;
use std::net::UdpSocket;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::time::Duration;

use super::super::shared::samples::{
    HOSTILE, NOW_S, audit, check, config, encoded, gauge, lines, log, metric, observed,
};
use super::super::shared::tests::context;
use super::*;
use crate::backend::Configure;
use crate::clock::Now;
use crate::model::{CheckStatus, Points, Unit, Value};

const VARS: [(&str, &str); 6] = [
    ("DD_ENV", "prod"),
    ("DD_ENTITY_ID", "pod-1"),
    ("DD_EXTERNAL_ENV", "it-false,cn-web|\n,pu-1"),
    ("DD_CARDINALITY", "low"),
    ("OPS_DOGSTATSD_CONTAINER_ID", "in-4026531835"),
    ("OPS_DOGSTATSD_EVENTS", "on"),
];

fn open(vars: &[(&str, &str)]) -> Box<dyn Backend> {
    Box::new(Dogstatsd::new()).open(&context(vars)).unwrap()
}

fn all<'a>() -> Vec<Record<'a>> {
    vec![
        metric(1, "orders", Unit::Count, &[("Region", "eu")], Points::Counter { sum: 7 }),
        metric(2, "depth", Unit::Bytes, &[], gauge(-2.5)),
        metric(3, "latency", Unit::Milliseconds, &[("Op", "a b")], observed(&[(1.0, 3), (2.5, 1), (7.0, 1)])),
    ]
}

#[test]
fn the_lines_are_as_the_golden_file_has_them() {
    let mut records = all();
    records.extend([
        check(4, "db", CheckStatus::Critical, "no route\nm: x|y", &[("tries", Value::U64(3))]),
        audit(5, "alice", "order.cancel", "order|7"),
        config(6, "jobs"),
    ]);
    let mut written = lines(&mut *open(&VARS), &records);
    written.extend(lines(
        &mut *open(&[("OPS_DOGSTATSD_TIMESTAMPS", "1"), ("OPS_DOGSTATSD_HISTOGRAMS", "h")]),
        &all(),
    ));
    written.extend(lines(&mut *open(&[("OPS_DOGSTATSD_PLAIN", "1"), ("DD_ENV", "prod")]), &all()));
    assert_eq!(written.join("\n"), include_str!("../golden/dogstatsd.txt").trim_end());
}

#[test]
fn names_and_values_cannot_end_a_field_or_a_line() {
    let records = [
        metric(1, HOSTILE, Unit::None, &[(HOSTILE, HOSTILE)], Points::Counter { sum: 1 }),
        metric(2, HOSTILE, Unit::None, &[(HOSTILE, HOSTILE)], observed(&[(1.0, 2)])),
        check(3, HOSTILE, CheckStatus::Ok, HOSTILE, &[(HOSTILE, Value::Str(HOSTILE.into()))]),
        audit(4, HOSTILE, HOSTILE, HOSTILE),
    ];
    let written = lines(&mut *open(&[("OPS_DOGSTATSD_EVENTS", "1")]), &records);
    assert!(written.iter().all(|line| !line.contains(['\n', '\r', '\0'])));
    assert_eq!(written[0].matches('|').count(), 2, "{}", written[0]);
    assert_eq!(written[1].matches('|').count(), 3, "{}", written[1]);
    // Name, status, time, host, tags, message.
    assert_eq!(written[2].matches('|').count(), 6, "{}", written[2]);
    let (lengths, rest) = written[3].strip_prefix("_e{").unwrap().split_once("}:").unwrap();
    let (title, text) = lengths.split_once(',').unwrap();
    let (title, text): (usize, usize) = (title.parse().unwrap(), text.parse().unwrap());
    assert_eq!(&rest[title..=title], "|");
    let line: serde_json::Value = serde_json::from_str(&rest[title + 1..title + 1 + text]).unwrap();
    assert_eq!((line["actor"].as_str(), &rest[title + 1 + text..title + 4 + text]), (Some(HOSTILE), "|d:"));
}

#[test]
fn what_does_not_fit_a_datagram_is_refused_and_never_cut() {
    let mut backend = open(&[("OPS_DOGSTATSD_PAYLOAD_BYTES", "256"), ("OPS_DOGSTATSD_EVENTS", "1")]);
    let long = "x".repeat(300);
    let tags: Vec<(String, &str)> = (0..4).map(|n| (format!("k{n}"), long.as_str())).collect();
    let tags: Vec<(&str, &str)> = tags.iter().map(|(key, value)| (key.as_str(), *value)).collect();
    let records = [
        metric(1, "orders", Unit::None, &tags, Points::Counter { sum: 1 }),
        metric(2, "orders", Unit::None, &tags, observed(&[(1.0, 1)])),
        metric(3, "orders", Unit::None, &tags, observed(&[(1.0, 2)])),
        audit(4, &long, "deploy", "shop"),
        metric(5, "orders", Unit::None, &[], gauge(f64::NAN)),
        log(6, "x", &[]),
    ];
    for record in records {
        assert!(encoded(&mut *backend, std::slice::from_ref(&record)).is_err(), "{record:?}");
    }
    let many: Vec<(f64, u64)> = (1..400).map(|n| (f64::from(n) * 1.1, 1)).collect();
    let record = metric(7, "latency", Unit::None, &[], observed(&many));
    let written = lines(&mut *backend, std::slice::from_ref(&record));
    assert!(written.len() > 5 && written.iter().all(|line| line.len() <= 256));
}

#[test]
fn plain_statsd_is_told_each_value_and_beyond_a_bound_each_bucket() {
    let mut backend = open(&[("OPS_DOGSTATSD_PLAIN", "yes")]);
    assert!(!backend.accepts(Signal::Check) && !backend.accepts(Signal::Audit));
    let few = metric(1, "latency", Unit::None, &[("Op", "a.b c")], observed(&[(2.0, 3)]));
    assert_eq!(lines(&mut *backend, &[few]), ["latency.Op_a_b_c:2.0|ms"; 3]);
    let many = metric(1, "latency", Unit::None, &[], observed(&[(2.0, 4_000), (5.0, 1)]));
    assert_eq!(lines(&mut *backend, &[many]), ["latency:2.0|ms|@0.00025", "latency:5.0|ms"]);
}

#[test]
fn settings_are_checked_at_open() {
    let table: [(&[(&str, &str)], &str); 8] = [
        (&[("DD_DOGSTATSD_URL", "tcp://h:1")], "OPS_DOGSTATSD_ADDRESS: "),
        (&[("DD_AGENT_HOST", "a b")], "OPS_DOGSTATSD_ADDRESS: "),
        (&[("OPS_DOGSTATSD_ADDRESS", "nowhere")], "OPS_DOGSTATSD_ADDRESS: "),
        (&[("OPS_DOGSTATSD_PAYLOAD_BYTES", "70000")], "OPS_DOGSTATSD_PAYLOAD_BYTES: "),
        (&[("OPS_DOGSTATSD_HISTOGRAMS", "x")], "OPS_DOGSTATSD_HISTOGRAMS: "),
        (&[("DD_CARDINALITY", "huge")], "OPS_DOGSTATSD_CARDINALITY: "),
        (&[("OPS_DOGSTATSD_CONTAINER_ID", "a|b")], "OPS_DOGSTATSD_CONTAINER_ID: "),
        (&[("OPS_DOGSTATSD_PLAIN", "maybe")], "OPS_DOGSTATSD_PLAIN: "),
    ];
    for (vars, expected) in table {
        let error = Box::new(Dogstatsd::new()).open(&context(vars)).map(|_| ()).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
    let limits = |vars: &[(&str, &str)]| open(vars).limits().item_bytes_max;
    assert_eq!(limits(&[("DD_AGENT_HOST", "::1")]), 1_432);
    assert_eq!(limits(&[("DD_DOGSTATSD_URL", "unix:///var/run/datadog/dsd.socket")]), 8_192);
    let told =
        Dogstatsd::new().address("unixstream:///x").histograms(StatsdHistograms::Timer).payload_bytes(300);
    assert_eq!(Box::new(told).open(&context(&[])).unwrap().limits().item_bytes_max, 300);
}

fn batch_of(backend: &mut dyn Backend, times: usize) -> Batch {
    let records: Vec<_> = (0..times).flat_map(|_| all()).collect();
    encoded(backend, &records).unwrap().into_batch()
}

fn net() -> Net {
    Net::new(Now { unix_ns: NOW_S * 1_000_000_000, mono_ns: 1 })
}

fn text(batch: &Batch) -> Vec<String> {
    batch.iter().map(|(_, line)| String::from_utf8(line.to_vec()).unwrap()).collect()
}

#[test]
fn lines_arrive_in_datagrams_over_udp() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    server.set_read_timeout(Some(Duration::from_secs(180))).unwrap();
    let address = format!("udp://{}", server.local_addr().unwrap());
    let mut backend = open(&[("DD_DOGSTATSD_URL", &address)]);
    let batch = batch_of(&mut *backend, 40);
    assert_eq!(backend.send(&batch, &mut net()), Verdict::Delivered);
    let (mut read, mut buffer) = (Vec::new(), [0; 65_536]);
    while read.len() < batch.len() {
        let bytes = server.recv(&mut buffer).unwrap();
        assert!(bytes <= 1_432);
        read.extend(std::str::from_utf8(&buffer[..bytes]).unwrap().split('\n').map(str::to_owned));
    }
    assert_eq!(read, text(&batch));
}

#[test]
fn a_unix_socket_that_is_not_there_is_waited_for_and_one_that_comes_again_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dsd.socket");
    let mut backend = open(&[("DD_DOGSTATSD_URL", &format!("unix://{}", path.display()))]);
    let batch = batch_of(&mut *backend, 1);
    assert!(matches!(backend.send(&batch, &mut net()), Verdict::Retry { .. }));
    for _ in 0..2 {
        let server = UnixDatagram::bind(&path).unwrap();
        // The socket that was there before is found to be gone by the first datagram.
        let sent: Vec<_> = (0..2).map(|_| backend.send(&batch, &mut net())).collect();
        assert_eq!(sent[1], Verdict::Delivered, "{sent:?}");
        let mut buffer = [0; 8_192];
        let bytes = server.recv(&mut buffer).unwrap();
        assert_eq!(std::str::from_utf8(&buffer[..bytes]).unwrap(), text(&batch).join("\n"));
        drop(server);
        std::fs::remove_file(&path).unwrap();
    }
}

#[test]
fn a_stream_has_frames_and_is_opened_anew_when_the_agent_has_ended() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dsd.stream");
    let mut backend = open(&[("DD_DOGSTATSD_URL", &format!("unixstream://{}", path.display()))]);
    let batch = batch_of(&mut *backend, 200);
    for _ in 0..2 {
        let server = UnixListener::bind(&path).unwrap();
        let reader = std::thread::spawn(move || {
            let (mut stream, _) = server.accept().unwrap();
            let (mut frames, mut length) = (Vec::new(), [0; 4]);
            stream.read_exact(&mut length).unwrap();
            let first = u32::from_le_bytes(length);
            assert!(first <= 8_192);
            frames.resize(first as usize, 0);
            stream.read_exact(&mut frames).unwrap();
            String::from_utf8(frames).unwrap()
        });
        assert_eq!(backend.send(&batch, &mut net()), Verdict::Delivered);
        let first = reader.join().unwrap();
        let lines = text(&batch);
        assert!(lines.join("\n").starts_with(&first) && first.len() > 8_000);
        std::fs::remove_file(&path).unwrap();
    }
}

#[test]
fn that_nobody_listens_is_noticed_by_the_second_datagram() {
    let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut backend = open(&[("DD_DOGSTATSD_URL", &format!("udp://127.0.0.1:{port}"))]);
    let batch = batch_of(&mut *backend, 40);
    let verdict = backend.send(&batch, &mut net());
    assert!(matches!(verdict, Verdict::Retry { .. }), "nothing is taken for delivered: {verdict:?}");
}
