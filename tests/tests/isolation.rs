//! A slow or dead backend harms only itself. Two processes ship the same events at the same time, so that whatever else
//! the machine does meets both: one to two backends that are well, and one to two such beside one that hangs, one that
//! refuses, one that throttles and one whose name is gone. Throughput and latency of the well ones of both are printed;
//! that everything arrived, that the books balance and that nothing waited for the sick ones is asserted.
//!
//! The counterparts are fakes that answer as CloudWatch Logs does. `OPS_ISOLATION_SECONDS=3600 cargo test --release -p
//! ops-tests --test isolation -- --nocapture` has them sick for an hour; unless said, it is some seconds.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant, UNIX_EPOCH};

use ops_sdk::backend::CloudWatchLogs;
use ops_sdk::ledger::Book;
use ops_sdk::prelude::*;
use ops_sdk::{Builder, Ops};
use ops_tests::cloud::keys;
use ops_tests::rig::{Fault, Proxy};
use ops_tests::{assert_balanced, turn, wait_until};
use serde_json::Value;

const EVENTS_PER_SECOND: u64 = 2_000;
/// Between two bursts of events.
const BURST: Duration = Duration::from_millis(10);
/// How often what the servers got is read and let go: an hour of it fills the memory.
const READ: Duration = Duration::from_secs(1);
/// Set in the process whose backends are all well.
const BY_THEMSELVES: &str = "OPS_ISOLATION_BY_THEMSELVES";
const WELL: [&str; 2] = ["well-1", "well-2"];

/// Servers that answer for themselves; nothing stands behind them.
struct Servers {
    well: [Proxy; 2],
    hangs: Proxy,
    refuses: Proxy,
    throttles: Proxy,
}

impl Servers {
    fn start() -> Servers {
        let server = |fault: Fault| {
            let proxy = Proxy::start("http://127.0.0.1:9");
            proxy.otherwise(fault);
            proxy
        };
        Servers {
            well: WELL.map(|_| server(Fault::answer(200, "{}"))),
            hangs: server(Fault::Hang),
            refuses: server(Fault::aws(400, "InvalidParameterException", "no")),
            throttles: server(Fault::throttled()),
        }
    }
}

fn seconds() -> u64 {
    std::env::var("OPS_ISOLATION_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(4)
}

fn start(servers: &Servers, with_sick: bool, dir: &std::path::Path) -> Ops {
    let vars = keys();
    let mut builder: Builder = ops_sdk::init()
        .environment(move |name| vars.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone()))
        .linger(Duration::from_millis(100))
        .self_metrics(false)
        .shutdown_deadline(Duration::from_millis(200))
        .state_dir(dir);
    let at = |url: &str| CloudWatchLogs::new().endpoint(url);
    for (name, proxy) in WELL.iter().zip(&servers.well) {
        builder = builder.backend_named(*name, at(&proxy.url()));
    }
    if with_sick {
        let sick =
            [("hangs", &servers.hangs), ("refuses", &servers.refuses), ("throttles", &servers.throttles)];
        for (name, proxy) in sick {
            builder = builder.backend_named(name, at(&proxy.url()));
        }
        builder = builder.backend_named("gone", at("http://gone.invalid:80"));
    }
    builder.start().expect("recording starts")
}

/// Records at an even pace and hands over now and then; says how many, and the slowest call.
fn record(mut now_and_then: impl FnMut()) -> (u64, Duration) {
    let (began, mut recorded, mut slowest) = (Instant::now(), 0, Duration::ZERO);
    let mut read = began;
    while began.elapsed() < Duration::from_secs(seconds()) {
        #[allow(clippy::cast_possible_truncation)] // hours of milliseconds
        let due = began.elapsed().as_millis() as u64 * EVENTS_PER_SECOND / 1000;
        while recorded < due {
            let called = Instant::now();
            info!("event {n}", n = recorded);
            slowest = slowest.max(called.elapsed());
            recorded += 1;
        }
        if read.elapsed() > READ {
            read = Instant::now();
            now_and_then();
        }
        std::thread::sleep(BURST);
    }
    (recorded, slowest)
}

/// What a server got.
#[derive(Default)]
struct Got {
    /// For each event that was recorded here, how long after it had happened it came, in milliseconds.
    latencies: Vec<u64>,
    /// Whether it came, by its number, and how many came once more: a push whose answer took too long on a busy machine.
    seen: Vec<bool>,
    twice: u64,
    /// What the SDK says in-band: that a backend which refuses everything has filled its dead letters.
    said: u64,
}

impl Got {
    /// Takes what came since the server was last asked.
    fn read(&mut self, proxy: &Proxy) {
        let requests = proxy.take_answered();
        for request in requests.iter().filter(|request| request.operation() == "PutLogEvents") {
            let received = request.received.duration_since(UNIX_EPOCH).expect("a clock past 1970");
            let received = u64::try_from(received.as_millis()).expect("milliseconds");
            for event in request.json()["logEvents"].as_array().expect("events") {
                let line: Value =
                    serde_json::from_str(event["message"].as_str().expect("a text")).expect("JSON");
                match line["n"].as_u64() {
                    None => self.said += 1,
                    Some(n) if self.knows(usize::try_from(n).expect("few enough")) => self.twice += 1,
                    Some(_) => {
                        let happened = event["timestamp"].as_u64().expect("a time");
                        self.latencies.push(received.saturating_sub(happened));
                    }
                }
            }
        }
    }

    /// Whether this event came before; from here on it has.
    fn knows(&mut self, n: usize) -> bool {
        if self.seen.len() <= n {
            self.seen.resize(n + 1, false);
        }
        std::mem::replace(&mut self.seen[n], true)
    }
}

/// What one backend that is well did.
#[allow(clippy::cast_precision_loss)]
fn tell(title: &str, name: &str, latencies: &mut [u64]) {
    latencies.sort_unstable();
    let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize];
    println!(
        "{title:<20} {name}: {:>7.0} events/s, from event to server p50 {} ms, p99 {} ms, max {} ms",
        latencies.len() as f64 / seconds() as f64,
        at(0.5),
        at(0.99),
        at(1.0)
    );
}

fn delivered(ops: &Ops, name: &str) -> u64 {
    let books = ops.stats().books;
    let book = books.iter().find(|book| book.backend == name).expect("a book");
    book.rows.iter().map(|row| row.delivered).sum()
}

fn round(title: &str, with_sick: bool) -> Vec<Book> {
    let (servers, dir) = (Servers::start(), tempfile::tempdir().expect("a directory"));
    let ops = start(&servers, with_sick, dir.path());
    let mut all = WELL.map(|_| Got::default());
    let read_all = |all: &mut [Got; 2]| {
        for (proxy, got) in servers.well.iter().zip(all) {
            got.read(proxy);
        }
        drop((servers.refuses.take_answered(), servers.throttles.take_answered()));
    };
    let (recorded, slowest) = record(|| read_all(&mut all));
    // Not a flush: that waits for all of them, and some never answer.
    wait_until("everything arrives, and the books say so", || {
        read_all(&mut all);
        let is_there = |(name, got): (&&str, &Got)| {
            got.latencies.len() as u64 >= recorded && delivered(&ops, name) == recorded + got.said
        };
        WELL.iter().zip(&all).all(is_there)
    });
    if with_sick {
        let dead = || ops.stats().books.into_iter().flat_map(|book| book.rows).map(|row| row.dead_lettered);
        wait_until("what is refused is told so", || dead().sum::<u64>() > 0);
    }
    assert_balanced(&ops.stats());
    for (name, got) in WELL.iter().zip(&mut all) {
        tell(title, name, &mut got.latencies);
        println!("{title:<20} {name}: {} lines of the SDK's own, {} events twice", got.said, got.twice);
    }
    for (name, got) in WELL.iter().zip(&all) {
        assert_eq!(got.latencies.len() as u64, recorded, "{name}: each event");
    }
    println!("{title:<20} the slowest of {recorded} calls took {slowest:?}");
    let books = ops.stats().books;
    servers.hangs.release();
    books
}

/// Starts this test once more, with nobody sick.
fn by_themselves() -> std::process::Child {
    let itself = std::env::current_exe().expect("this program");
    let arguments = ["--exact", "the_sick_harm_themselves_alone", "--nocapture"];
    let mut command = Command::new(itself);
    command.args(arguments).env(BY_THEMSELVES, "yes").stdout(Stdio::piped());
    command.spawn().expect("this program starts again")
}

#[test]
fn the_sick_harm_themselves_alone() {
    if std::env::var_os(BY_THEMSELVES).is_some() {
        assert_eq!(round("by themselves", false).len(), 2);
        return;
    }
    let _turn = turn();
    let other = by_themselves();
    let books = round("beside four sick", true);
    for name in ["hangs", "refuses", "throttles", "gone"] {
        let book = books.iter().find(|book| book.backend == name).expect("a book");
        let delivered: u64 = book.rows.iter().map(|row| row.delivered).sum();
        assert_eq!(delivered, 0, "{name}: {book}");
        // What is refused is kept; what is not answered waits.
        let dead: u64 = book.rows.iter().map(|row| row.dead_lettered).sum();
        assert_eq!(dead > 0, name == "refuses", "{name}: {book}");
        println!("beside four sick     {name}: {book}");
    }
    let other = other.wait_with_output().expect("the other process ends");
    let told = String::from_utf8_lossy(&other.stdout);
    told.lines().filter(|line| line.starts_with("by themselves")).for_each(|line| println!("{line}"));
    assert!(other.status.success(), "{told}");
}
