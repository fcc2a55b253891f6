//! StatsD as its reference server counts it, and DogStatsD over each kind of socket: what the macros record arrives, exactly
//! and in lines that the protocol's rules read.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::net::UdpSocket;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::time::Duration;

use ops_sdk::prelude::*;
use ops_tests::cloud::init;
use ops_tests::rig::Statsd;
use ops_tests::{SOON, assert_balanced, turn, wait_until};
use serde_json::Value;

fn vars(address: String, more: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    let mut vars = vec![
        ("OPS_BACKENDS", "dogstatsd".to_owned()),
        ("OPS_SELF_METRICS", "off".to_owned()),
        ("OPS_DOGSTATSD_ADDRESS", address),
    ];
    vars.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
    vars
}

/// Records, flushes in the middle and at the end, and looks at the books.
fn record(vars: Vec<(&'static str, String)>) {
    let ops = init(vars).dimension("Service", "checkout").start().expect("recording starts");
    for _ in 0..2 {
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for n in 0..50u32 {
                        counter!("orders", 2, "Region" => if n % 2 == 0 { "eu" } else { "us" });
                        histogram!("payload", n % 10, unit = Bytes);
                        gauge!("depth", -2.5);
                    }
                });
            }
        });
        let report = ops.flush(SOON);
        assert!(report.complete, "{report:?}");
    }
    assert_balanced(&ops.stats());
}

#[test]
fn the_reference_server_counts_what_was_recorded() {
    if std::env::var_os("OPS_WITHOUT_NPM").is_some() {
        return;
    }
    let _turn = turn();
    let mut server = Statsd::start();
    record(vars(format!("udp://127.0.0.1:{}", server.port()), &[("OPS_DOGSTATSD_PLAIN", "1")]));
    let (mut counters, mut timers, mut gauge) = (BTreeMap::<String, f64>::new(), Vec::new(), Value::Null);
    let is_there = |counters: &BTreeMap<String, f64>, timers: &Vec<f64>| {
        timers.len() >= 400 && counters.get("orders.Region_us.Service_checkout") == Some(&400.0)
    };
    wait_until("all of it is flushed", || {
        let flush = server.flush();
        for (name, value) in flush["counters"].as_object().expect("counters") {
            *counters.entry(name.clone()).or_default() += value.as_f64().expect("a number");
        }
        let told = flush["timers"]["payload.Service_checkout"].as_array().cloned().unwrap_or_default();
        timers.extend(told.iter().filter_map(Value::as_f64));
        let now = &flush["gauges"]["depth.Service_checkout"];
        if !now.is_null() {
            gauge = now.clone();
        }
        is_there(&counters, &timers)
    });
    assert_eq!(counters["orders.Region_eu.Service_checkout"], 400.0);
    assert_eq!((timers.len(), timers.iter().sum::<f64>()), (400, 1_800.0));
    assert_eq!(gauge, -2.5, "a gauge below zero is set and not changed");
    assert_eq!(counters.get("statsd.bad_lines_seen"), Some(&0.0), "{counters:?}");
}

/// What datagrams hold, as the protocol reads them: counts by name and tags, and how often each value was observed.
#[derive(Debug, Default)]
struct Agent {
    counts: BTreeMap<String, u64>,
    values: BTreeMap<String, u64>,
    gauges: BTreeMap<String, String>,
}

impl Agent {
    fn take(&mut self, payload: &str) {
        for line in payload.split('\n') {
            let mut fields = line.split('|');
            let (values, kind) = (fields.next().expect("values"), fields.next().expect("a type"));
            let (mut times, mut tags) = (1, "");
            for field in fields {
                match field.split_at(1) {
                    // As the agent does: the whole part of the reciprocal.
                    ("@", rate) => times = (1.0 / rate.parse::<f64>().expect("a rate")) as u64,
                    ("#", rest) => tags = rest,
                    other => panic!("{other:?} in {line}"),
                }
            }
            let mut values = values.split(':');
            let key = format!("{} {tags}", values.next().expect("a name"));
            for value in values {
                match kind {
                    "c" => {
                        *self.counts.entry(key.clone()).or_default() += value.parse::<u64>().expect("a count")
                    }
                    "g" => _ = self.gauges.insert(key.clone(), value.to_owned()),
                    "d" => *self.values.entry(format!("{key} {value}")).or_default() += times,
                    other => panic!("a type {other} in {line}"),
                }
            }
        }
    }

    /// Whether all of it is there. More would be as wrong, so it is looked at again when it is complete.
    fn is_complete(&self) -> bool {
        self.counts.values().sum::<u64>() >= 800 && self.values.values().sum::<u64>() >= 400
    }

    fn check(&self) {
        assert!(self.is_complete(), "{self:?}");
        let tags = |region: &str| format!("orders Region:{region},Service:checkout,env:test");
        assert_eq!(self.counts, BTreeMap::from([(tags("eu"), 400), (tags("us"), 400)]));
        let value = |n: u32| (format!("payload Service:checkout,env:test {n}.0"), 40);
        assert_eq!(self.values, (0..10).map(value).collect());
        assert_eq!(self.gauges["depth Service:checkout,env:test"], "-2.5");
    }
}

const ENV: [(&str, &str); 1] = [("DD_ENV", "test")];

#[test]
fn an_agent_on_udp_reads_exact_counts_and_weights() {
    let _turn = turn();
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    socket.set_read_timeout(Some(SOON)).expect("a timeout");
    let port = socket.local_addr().expect("an address").port();
    record(vars(format!("udp://127.0.0.1:{port}"), &ENV));
    let (mut agent, mut buffer) = (Agent::default(), [0; 65_536]);
    while !agent.is_complete() {
        let bytes = socket.recv(&mut buffer).expect("a datagram");
        assert!(bytes <= 1_432, "{bytes}");
        agent.take(std::str::from_utf8(&buffer[..bytes]).expect("UTF-8"));
    }
    agent.check();
}

#[test]
fn an_agent_on_a_unix_socket_of_datagrams_reads_the_same() {
    let _turn = turn();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("dsd.socket");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    socket.set_read_timeout(Some(SOON)).expect("a timeout");
    record(vars(format!("unix://{}", path.display()), &ENV));
    let (mut agent, mut buffer) = (Agent::default(), [0; 65_536]);
    while !agent.is_complete() {
        let bytes = socket.recv(&mut buffer).expect("a datagram");
        agent.take(std::str::from_utf8(&buffer[..bytes]).expect("UTF-8"));
    }
    agent.check();
}

/// The agent ends between two flushes and comes back: a socket that is not there yet is waited for.
#[test]
fn an_agent_on_a_stream_that_starts_late_reads_the_same() {
    let _turn = turn();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("dsd.stream");
    let reader = std::thread::spawn({
        let path = path.clone();
        move || {
            std::thread::sleep(Duration::from_millis(300));
            let (mut stream, _) = UnixListener::bind(path).expect("a socket").accept().expect("a connection");
            let (mut agent, mut length) = (Agent::default(), [0; 4]);
            while !agent.is_complete() {
                stream.read_exact(&mut length).expect("a length");
                let mut frame = vec![0; u32::from_le_bytes(length) as usize];
                stream.read_exact(&mut frame).expect("a frame");
                agent.take(std::str::from_utf8(&frame).expect("UTF-8"));
            }
            agent
        }
    });
    record(vars(format!("unixstream://{}", path.display()), &ENV));
    reader.join().expect("the agent reads").check();
}
