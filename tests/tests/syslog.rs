//! Syslog against a real rsyslog: every field as that has parsed it, over UDP, TCP and TLS with certificates on both sides,
//! and what becomes of messages when the collector goes away. `tests/run` installs rsyslog, and where it cannot, says so and
//! sets `OPS_WITHOUT_RSYSLOG`.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use ops_sdk::backend::{Backend, Configure, Context, Syslog, SyslogFraming, Verdict};
use ops_sdk::chunk::{Items, chunk};
use ops_sdk::clock::Now;
use ops_sdk::limits::PushLimit;
use ops_sdk::model::{Audit, Body, Record, RecordId, Value};
use ops_sdk::net::Net;
use ops_sdk::prelude::*;
use ops_sdk::{Ops, Stats, parts};
use ops_tests::rig::{Ca, Message, Relay, Rsyslog};
use ops_tests::{SOON, assert_balanced, turn, wait_until};

fn is_absent() -> bool {
    std::env::var_os("OPS_WITHOUT_RSYSLOG").is_some()
}

fn start(syslog: Syslog) -> Ops {
    let builder = ops_sdk::init().environment(|_| None).namespace("Shop").dimension("Service", "checkout");
    builder
        .linger(Duration::from_millis(5))
        .shutdown_deadline(Duration::from_millis(300))
        .backend(syslog)
        .start()
        .expect("recording starts")
}

fn flush(ops: &Ops) -> Stats {
    let report = ops.flush(SOON);
    assert!(report.complete, "{report:?}");
    let stats = ops.stats();
    assert_balanced(&stats);
    stats
}

fn client(ca: &Ca, port: u16) -> Syslog {
    let address = format!("tls://127.0.0.1:{port}");
    let files = Syslog::new().tls_ca(ca.path("ca.pem")).tls_name("collector.test");
    files.tls_client(ca.path("client.test.pem"), ca.path("client.test.key")).address(address)
}

/// The text of a message, without the mark that it begins with.
fn text(message: &Message) -> &str {
    message.msg.trim_start_matches(' ').trim_start_matches('\u{feff}')
}

#[test]
fn every_field_arrives_over_every_road() {
    if is_absent() {
        return;
    }
    let _turn = turn();
    let ca = Ca::new();
    ca.sign("client.test");
    let roads = |rsyslog: &Rsyslog| {
        let tcp = || Syslog::new().address(format!("tcp://127.0.0.1:{}", rsyslog.tcp));
        [
            Syslog::new().address(format!("udp://127.0.0.1:{}", rsyslog.udp)),
            tcp(),
            tcp().framing(SyslogFraming::LineFeed),
            client(&ca, rsyslog.tls),
        ]
    };
    for road in 0..4 {
        let rsyslog = Rsyslog::start(&ca);
        let began_s = Now::read().unix_ns / 1_000_000_000;
        let ops = start(roads(&rsyslog)[road].clone().hostname("h1").facility("local3").enterprise(4711));
        info!("charged 12 € \"now\"", amount = -12, key = "a\"b]c\\d", rate = 0.5);
        error!("first\nsecond\u{1b}[31m");
        let delivered = flush(&ops).books.remove(0).rows.iter().map(|row| row.delivered).sum::<u64>();
        assert_eq!(delivered, 2);
        let received = rsyslog.received_of("Shop", 2);
        assert_eq!(received.len(), 2, "road {road}: {received:?}");
        let first = &received[0];
        let told = [&first.pri, &first.facility, &first.severity, &first.protocol, &first.msgid];
        assert_eq!(told, ["158", "19", "6", "1", "LOG"]);
        assert_eq!((first.hostname.as_str(), first.procid.len()), ("h1", 16));
        let now = Now::read().unix_ns / 1_000_000_000;
        assert!(first.time.len() == 27 && first.time.ends_with('Z'), "{}", first.time);
        assert!(
            first.time.starts_with(&date(now)) || first.time.starts_with(&date(began_s)),
            "{}",
            first.time
        );
        assert_eq!(text(first), "charged 12 € \"now\"");
        assert!(first.msg.contains('\u{feff}'));
        let data = &first.structured_data;
        assert!(data.contains("[fields@4711 amount=\"-12\" key=\"a\\\"b\\]c\\\\d\" rate=\"0.5\"]"), "{data}");
        assert!(data.ends_with("[dimensions@4711 Service=\"checkout\"]"), "{data}");
        assert!(data.starts_with(&format!("[ops@4711 id=\"{}-", first.procid)), "{data}");
        assert!(data.contains(" level=\"INFO\" target=\"syslog\" file=\"tests/tests/syslog.rs:"), "{data}");
        assert_eq!((received[1].pri.as_str(), text(&received[1])), ("155", "first#012second#033[31m"));
    }
}

/// The day of a time, as RFC 3339 begins.
fn date(unix_s: u64) -> String {
    let mut out = Vec::new();
    ops_sdk::encode::json::time_rfc3339(&mut out, unix_s * 1_000_000_000);
    String::from_utf8(out).expect("ASCII")[..14].to_owned()
}

#[test]
fn the_longest_message_is_taken_whole_and_longer_ones_are_put_together_again() {
    if is_absent() {
        return;
    }
    let _turn = turn();
    let ca = Ca::new();
    let rsyslog = Rsyslog::start(&ca);
    let urls = [format!("tcp://127.0.0.1:{}", rsyslog.tcp), format!("udp://127.0.0.1:{}", rsyslog.udp)];
    // Datagrams for which the collector's buffer has no room are lost, so there are fewer of them.
    for (url, (parts_min, times)) in urls.into_iter().zip([(12, 5_000), (18, 1_000)]) {
        let ops = start(Syslog::new().address(url).app_name(format!("app{parts_min}")));
        let long = "größer, länger; ".repeat(times);
        info!("{long}", n = parts_min);
        flush(&ops);
        let of_app = |messages: Vec<Message>| {
            messages
                .into_iter()
                .filter(|message| message.app_name == format!("app{parts_min}"))
                .collect::<Vec<_>>()
        };
        let mut received = Vec::new();
        wait_until("all parts are there", || {
            received = of_app(rsyslog.received());
            !received.is_empty() && parts::join(received.iter().map(text)).is_ok()
        });
        assert!(received.len() >= parts_min, "{} parts", received.len());
        assert!(received.iter().all(|part| part.structured_data.contains(" part=\"") && part.pri == "134"));
        let joined = parts::join(received.iter().map(text)).expect("all parts").remove(0);
        let whole = String::from_utf8(joined.bytes).expect("UTF-8");
        assert!(whole.starts_with("<134>1 ") && whole.ends_with(&long), "{whole:.200}");
        assert!(whole.contains(&format!(" n=\"{parts_min}\"")));
    }
}

#[test]
fn a_collector_that_goes_away_gets_everything_and_what_may_be_lost_twice() {
    if is_absent() {
        return;
    }
    let _turn = turn();
    let ca = Ca::new();
    ca.sign("client.test");
    let rsyslog = Rsyslog::start(&ca);
    let relay = Relay::start(rsyslog.tls);
    let ops = start(client(&ca, relay.port()));
    let say = |n: u32| {
        info!("message {n}");
        flush(&ops);
    };
    say(0);
    // Written is not arrived: the relay may still have it in hand.
    wait_until("the first is there", || {
        rsyslog.received().iter().any(|message| text(message) == "message 0")
    });
    // What is written now comes nowhere, and nobody says so.
    relay.mute(true);
    say(1);
    relay.cut();
    relay.mute(false);
    say(2);
    // Nobody is there for a while.
    relay.refuse(true);
    relay.cut();
    info!("message 3");
    assert!(!ops.flush(Duration::from_millis(300)).complete);
    relay.refuse(false);
    say(4);
    let mut count = BTreeMap::<String, usize>::new();
    // What was written before on the connection is there when the last is.
    wait_until("the last is there", || rsyslog.received().iter().any(|message| text(message) == "message 4"));
    for message in rsyslog.received_of("Shop", 0) {
        *count.entry(text(&message).to_owned()).or_default() += 1;
    }
    let wanted: Vec<_> = (0..5).map(|n| format!("message {n}")).collect();
    assert_eq!(count.keys().cloned().collect::<Vec<_>>(), wanted);
    assert!(count.values().all(|times| *times <= 2), "{count:?}");
    assert_eq!((count["message 0"], count["message 4"]), (1, 1), "{count:?}");
    assert!(relay.connections() >= 4);
}

#[test]
fn a_client_that_is_not_trusted_loses_nothing() {
    if is_absent() {
        return;
    }
    let _turn = turn();
    let (ca, stranger) = (Ca::new(), Ca::new());
    let rsyslog = Rsyslog::start(&ca);
    for authority in [&ca, &stranger] {
        authority.sign("other.test");
        authority.sign("client.test");
    }
    let address = format!("tls://127.0.0.1:{}", rsyslog.tls);
    let base = || Syslog::new().tls_ca(ca.path("ca.pem")).tls_name("collector.test").address(address.clone());
    let refused = [
        base(),
        base().tls_client(stranger.path("client.test.pem"), stranger.path("client.test.key")),
        base().tls_client(ca.path("client.test.pem"), ca.path("client.test.key")).tls_name("another.test"),
        base()
            .tls_client(ca.path("client.test.pem"), ca.path("client.test.key"))
            .tls_ca(stranger.path("ca.pem")),
    ];
    for settings in refused {
        let ops = start(settings);
        info!("never");
        let report = ops.flush(Duration::from_secs(1));
        assert!(!report.complete, "{report:?}");
        let row = ops.stats().books.remove(0).rows.into_iter().find(|row| row.recorded > 0).expect("a row");
        assert_eq!((row.recorded, row.delivered, row.pending), (1, 0, 1), "{row:?}");
    }
    let ops = start(base().tls_client(ca.path("client.test.pem"), ca.path("client.test.key")));
    info!("at last");
    flush(&ops);
    let received = rsyslog.received_of("Shop", 1);
    let received: Vec<_> = received.iter().map(|message| text(message).to_owned()).collect();
    assert_eq!(received, ["at last"]);
}

#[test]
fn audit_records_come_with_their_facility_and_in_order() {
    if is_absent() {
        return;
    }
    let ca = Ca::new();
    let rsyslog = Rsyslog::start(&ca);
    let context = Context {
        namespace: "Shop".to_owned(),
        dimensions: vec![("Service".to_owned(), "checkout".to_owned())],
        process: 255,
        host: "h1".to_owned(),
        name: None,
        state_dir: None::<&Path>.map(Path::to_owned),
        push_limit: PushLimit::Contract,
        var: std::sync::Arc::new({
            let address = format!("tcp://127.0.0.1:{}", rsyslog.tcp);
            move |name| (name == "OPS_SYSLOG_ADDRESS").then(|| address.clone())
        }),
    };
    let settings = ops_sdk::backend::by_name("syslog").expect("it is compiled in");
    let mut backend: Box<dyn Backend> = Configure::open(settings, &context).expect("it opens");
    let now = Now::read();
    let mut items = Items::new();
    for seq in 1..=1_000 {
        let audit = Audit {
            actor: "user:7".into(),
            action: "order.cancel".into(),
            resource: format!("order/{seq}").into(),
            outcome: "denied".into(),
            fields: vec![("reason".into(), Value::Str("paid \"already\"".into()))],
        };
        let id = RecordId { process: 255, seq };
        let record = Record { id, time_ns: now.unix_ns, body: Body::Audit(audit) };
        items.begin(id, record.time_ms(), 0);
        backend.encode(&record, &mut items).expect("audit records are taken");
    }
    let limits = backend.limits().under(PushLimit::Contract);
    let chunked = chunk(&items, &limits, now.unix_ms());
    assert!(chunked.refused.is_empty() && chunked.batches.len() > 5);
    let mut net = Net::new(now);
    for batch in &chunked.batches {
        assert_eq!(backend.send(batch, &mut net), Verdict::Delivered);
        assert!(net.wire_bytes() <= 32_768);
        net.begin(now, SOON);
    }
    let received = rsyslog.received_of("Shop", 1_000);
    let told: Vec<_> = received.iter().map(|message| text(message).to_owned()).collect();
    let wanted: Vec<_> = (1..=1_000).map(|seq| format!("user:7 order.cancel order/{seq}: denied")).collect();
    assert_eq!(told, wanted);
    let first = &received[0];
    assert_eq!(
        (first.facility.as_str(), first.severity.as_str(), first.msgid.as_str()),
        ("13", "5", "AUDIT")
    );
    let data = "[ops@32473 id=\"00000000000000ff-1\" actor=\"user:7\" action=\"order.cancel\" resource=\"order/1\" \
                outcome=\"denied\"][fields@32473 reason=\"paid \\\"already\\\"\"][dimensions@32473 Service=\"checkout\"]";
    assert_eq!(first.structured_data, data);
}
