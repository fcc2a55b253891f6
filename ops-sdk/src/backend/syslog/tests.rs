//! What messages look like, read back by a parser that takes nothing but the grammar of RFC 5424, section 6.

use std::net::UdpSocket;

use proptest::prelude::*;

use super::super::shared::tests::context;
use super::*;
use crate::chunk::{chunk, parts};
use crate::limits::PushLimit;
use crate::model::{Audit, Body, Check, CheckStatus, Level, Log, RecordId, Value};

const TIME_NS: u64 = 1_795_332_268_123_456_789;

/// A message, taken apart.
#[derive(Debug, PartialEq)]
struct Message {
    priority: u8,
    time: String,
    host: String,
    app: String,
    process: String,
    kind: String,
    elements: Vec<(String, Vec<(String, String)>)>,
    text: String,
}

impl Message {
    fn param(&self, element: &str, name: &str) -> Option<&str> {
        let (_, params) = self.elements.iter().find(|(id, _)| id == element)?;
        params.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }
}

/// Takes a message apart, and takes no liberties.
fn parse(bytes: &[u8]) -> Message {
    let text = std::str::from_utf8(bytes).expect("UTF-8");
    assert!(!text.chars().any(char::is_control), "a control character in {text:?}");
    let (priority, rest) = text.strip_prefix('<').expect("<").split_once(">1 ").expect("version 1");
    assert!(priority == "0" || !priority.starts_with('0'));
    let mut rest = rest;
    let mut word = |bytes_max: usize| {
        let (word, after) = rest.split_once(' ').expect("a word");
        assert!(
            !word.is_empty() && word.len() <= bytes_max && word.bytes().all(|b| b.is_ascii_graphic()),
            "{word:?}"
        );
        rest = after;
        word.to_owned()
    };
    let (time, host, app, process, kind) = (word(32), word(255), word(48), word(128), word(32));
    let (elements, rest) = elements(rest);
    let text = rest.strip_prefix(" \u{feff}").expect("a space and the mark").to_owned();
    Message { priority: priority.parse().unwrap(), time, host, app, process, kind, elements, text }
}

type Elements = Vec<(String, Vec<(String, String)>)>;

fn elements(mut rest: &str) -> (Elements, &str) {
    let is_name = |name: &str| {
        (1..=32).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'=' | b']' | b'"'))
    };
    let mut elements = Vec::new();
    while let Some(element) = rest.strip_prefix('[') {
        let end = element.find([' ', ']']).expect("an end");
        let (id, mut params) = element.split_at(end);
        assert!(is_name(id) && !elements.iter().any(|(other, _)| other == id), "{id:?}");
        let mut found = Vec::new();
        while let Some(param) = params.strip_prefix(' ') {
            let (name, value) = param.split_once("=\"").expect("a value");
            assert!(is_name(name), "{name:?}");
            let (value, after) = value_of(value);
            found.push((name.to_owned(), value));
            params = after;
        }
        elements.push((id.to_owned(), found));
        rest = params.strip_prefix(']').expect("]");
    }
    (elements, rest)
}

/// A value up to its quote, and what comes behind it.
fn value_of(text: &str) -> (String, &str) {
    let (mut value, mut chars) = (String::new(), text.char_indices());
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (value, &text[at + 1..]),
            ']' => panic!("a bracket in a value"),
            '\\' => {
                let (_, escaped) = chars.next().expect("an escaped character");
                assert!("\"\\]".contains(escaped), "\\{escaped}");
                value.push(escaped);
            }
            c => value.push(c),
        }
    }
    panic!("a value without an end")
}

fn log<'a>(level: Level, message: &'a str, fields: &[(&'a str, Value<'a>)]) -> Record<'a> {
    let fields = fields.iter().map(|(key, value)| ((*key).into(), value.clone())).collect();
    let (target, file) = ("shop::db".into(), "src/x.rs".into());
    let log = Log { level, target, message: message.into(), file, line: 10, fields };
    Record { id: RecordId { process: 0xc0_ffee, seq: 42 }, time_ns: TIME_NS, body: Body::Log(log) }
}

fn audit() -> Record<'static> {
    let audit = Audit {
        actor: "user:7".into(),
        action: "order.cancel".into(),
        resource: "order/42".into(),
        outcome: "denied".into(),
        fields: vec![("ip".into(), Value::Str("10.0.0.1".into())), ("n".into(), Value::U64(u64::MAX))],
    };
    Record { id: RecordId { process: 255, seq: 7 }, time_ns: TIME_NS, body: Body::Audit(audit) }
}

fn open(settings: Syslog) -> Box<dyn Backend> {
    let settings = settings.address("udp://127.0.0.1:9");
    Box::new(settings).open(&context(&[])).unwrap()
}

fn items(backend: &mut dyn Backend, records: &[Record<'_>]) -> Items {
    let mut items = Items::new();
    for (place, record) in records.iter().enumerate() {
        items.begin(record.id, record.time_ms(), u32::try_from(place).unwrap());
        backend.encode(record, &mut items).unwrap();
    }
    items
}

fn said(settings: Syslog, record: &Record<'_>) -> Vec<Message> {
    items(open(settings).as_mut(), std::slice::from_ref(record))
        .iter()
        .map(|(_, bytes)| parse(bytes))
        .collect()
}

#[test]
fn messages_are_the_golden_ones() {
    let fields = [
        ("amount", Value::I64(-12)),
        ("rate", Value::F64(0.5)),
        ("odd", Value::F64(f64::NAN)),
        ("ok", Value::Bool(true)),
        ("none", Value::Null),
        ("na me]=\"é", Value::Str("a\"b\\c]d\ne".into())),
    ];
    let records =
        [log(Level::Info, "charged 12 €\nto \u{9b}31m", &fields), log(Level::Error, "", &[]), audit()];
    let items = items(open(Syslog::new()).as_mut(), &records);
    let written: Vec<_> =
        items.iter().map(|(_, bytes)| String::from_utf8(bytes.to_vec()).unwrap() + "\n").collect();
    assert_eq!(written.concat(), include_str!("../golden/syslog.txt"));
}

#[test]
fn every_part_of_a_message_is_where_collectors_look_for_it() {
    let message = said(Syslog::new(), &log(Level::Warn, "slow", &[("ms", Value::U64(900))])).remove(0);
    assert_eq!((message.priority, message.kind.as_str()), (16 * 8 + 4, "LOG"));
    assert_eq!(message.time, "2026-11-22T07:24:28.123456Z");
    assert_eq!((message.host.as_str(), message.app.as_str()), ("h1", "Shop"));
    assert_eq!(message.process, "0000000000c0ffee");
    assert_eq!(message.param("ops@32473", "id"), Some("0000000000c0ffee-42"));
    assert_eq!(message.param("ops@32473", "level"), Some("WARN"));
    assert_eq!(message.param("ops@32473", "file"), Some("src/x.rs:10"));
    assert_eq!(message.param("fields@32473", "ms"), Some("900"));
    assert_eq!(message.param("dimensions@32473", "Service"), Some("checkout"));
    assert_eq!(message.text, "slow");

    let settings = Syslog::new().facility("daemon").enterprise(4711).hostname("ö x").app_name("a".repeat(60));
    let message = said(settings, &log(Level::Debug, "x", &[])).remove(0);
    assert_eq!((message.priority, message.host.as_str(), message.app.len()), (3 * 8 + 7, "__x", 48));
    assert!(message.param("ops@4711", "id").is_some());

    let message = said(Syslog::new().facility("daemon"), &audit()).remove(0);
    assert_eq!((message.priority, message.kind.as_str()), (13 * 8 + 5, "AUDIT"));
    assert_eq!(message.param("ops@32473", "outcome"), Some("denied"));
    assert_eq!(message.param("fields@32473", "n"), Some("18446744073709551615"));
    assert_eq!(message.text, "user:7 order.cancel order/42: denied");
}

#[test]
fn other_records_are_not_its_business() {
    let mut backend = open(Syslog::new());
    let signals = [Signal::Metric, Signal::Log, Signal::Audit, Signal::Config, Signal::Check];
    assert_eq!(signals.map(|signal| backend.accepts(signal)), [false, true, true, false, false]);
    let body = Check { name: "c".into(), status: CheckStatus::Ok, output: "".into(), fields: Vec::new() };
    let record = Record { id: RecordId::default(), time_ns: 0, body: Body::Check(body) };
    assert!(backend.encode(&record, &mut Items::new()).is_err());
}

#[test]
fn what_looks_like_a_part_goes_as_one() {
    let text = "@ops.part v1 id=0000000000000001-1 part=1/1 bytes=1 crc32=00000000 | x";
    let message = said(Syslog::new(), &log(Level::Info, text, &[])).remove(0);
    assert_eq!(message.param("ops@32473", "part"), Some("1/1"));
    let joined = parts::join([message.text]).unwrap().remove(0);
    assert_eq!(parse(&joined.bytes).text, text);
}

#[test]
fn settings_are_checked_at_open() {
    let vars = [("OPS_SYSLOG_ADDRESS", "tcp://127.0.0.1:9"), ("OPS_SYSLOG_FACILITY", "local7")];
    assert!(Box::new(Syslog::new()).open(&context(&vars)).is_ok());
    let with = |name, value| {
        let context = context(&[("OPS_SYSLOG_ADDRESS", "tcp://h"), (name, value)]);
        Box::new(Syslog::new()).open(&context).map(|_| ())
    };
    let table = [
        ("OPS_SYSLOG_ADDRESS", "h"),
        ("OPS_SYSLOG_ADDRESS", "unix:///dev/log"),
        ("OPS_SYSLOG_FACILITY", "24"),
        ("OPS_SYSLOG_AUDIT_FACILITY", "no"),
        ("OPS_SYSLOG_FRAMING", "no"),
        ("OPS_SYSLOG_MESSAGE_BYTES_MAX", "479"),
        ("OPS_SYSLOG_MESSAGE_BYTES_MAX", "many"),
        ("OPS_SYSLOG_ENTERPRISE", "-1"),
        ("OPS_SYSLOG_BOM", "maybe"),
        ("OPS_SYSLOG_RESEND", "maybe"),
    ];
    for (name, value) in table {
        let error = with(name, value).unwrap_err().to_string();
        assert!(error.starts_with(name), "{error}");
    }
    let tls = |name, value| {
        let context = context(&[("OPS_SYSLOG_ADDRESS", "tls://h"), (name, value)]);
        Box::new(Syslog::new()).open(&context).map(|_| ())
    };
    assert!(tls("A", "B").is_ok());
    let table = [
        ("OPS_SYSLOG_FRAMING", "lines", "OPS_SYSLOG_FRAMING"),
        ("OPS_SYSLOG_TLS_CA", "/nowhere", "OPS_SYSLOG_TLS_CA"),
        ("OPS_SYSLOG_TLS_CERT", "/nowhere", "OPS_SYSLOG_TLS_KEY"),
        ("OPS_SYSLOG_TLS_KEY", "/nowhere", "OPS_SYSLOG_TLS_CERT"),
        ("OPS_SYSLOG_TLS_NAME", "no name", "OPS_SYSLOG_TLS_NAME"),
    ];
    for (name, value, setting) in table {
        let error = tls(name, value).unwrap_err().to_string();
        assert!(error.starts_with(setting), "{error}");
    }
    let missing = Box::new(Syslog::new()).open(&context(&[])).map(|_| ()).unwrap_err().to_string();
    assert!(missing.starts_with("OPS_SYSLOG_ADDRESS: is not set"), "{missing}");
    let named = Syslog::new().address("udp://h").hostname("h".repeat(255)).message_bytes_max(480);
    let tight = Box::new(named).open(&context(&[])).map(|_| ()).unwrap_err().to_string();
    assert!(tight.starts_with("OPS_SYSLOG_MESSAGE_BYTES_MAX: "), "{tight}");
    assert!(Box::new(Syslog::new().address("udp://h").message_bytes_max(480)).open(&context(&[])).is_ok());
    assert!(
        Box::new(Syslog::new().address("udp://h").message_bytes_max(65_508)).open(&context(&[])).is_err()
    );
}

#[test]
fn limits_are_those_of_the_road() {
    let limits = |settings: Syslog| Box::new(settings).open(&context(&[])).unwrap().limits();
    let udp = limits(Syslog::new().address("udp://h"));
    assert_eq!((udp.item_bytes_max, udp.item_overhead_bytes), (1_180, 0));
    let tcp = limits(Syslog::new().address("tcp://h"));
    assert_eq!((tcp.item_bytes_max, tcp.item_overhead_bytes), (8_096, 8));
    let lines = limits(Syslog::new().address("tcp://h").framing(SyslogFraming::LineFeed));
    assert_eq!(lines.item_overhead_bytes, 1);
    assert_eq!(tcp.under(PushLimit::Contract).push_bytes_max, 32_768);
    let mut small = context(&[]);
    small.push_limit = PushLimit::Bytes(600);
    let mut small = Box::new(Syslog::new().address("tcp://h")).open(&small).unwrap();
    let long = "long ".repeat(500);
    let items = items(small.as_mut(), &[log(Level::Info, &long, &[])]);
    let chunked = chunk(&items, &small.limits().under(PushLimit::Bytes(600)), TIME_NS / 1_000_000);
    assert!(chunked.refused.is_empty() && chunked.batches.iter().all(|batch| batch.bytes() <= 592));
}

#[test]
fn datagrams_without_a_reader_are_tried_again() {
    let reader = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = format!("udp://{}", reader.local_addr().unwrap());
    let mut backend = Box::new(Syslog::new().address(address)).open(&context(&[])).unwrap();
    let items = items(backend.as_mut(), &[log(Level::Info, "one", &[]), audit()]);
    let batch = items.into_batch();
    let mut net = Net::new(crate::clock::Now { unix_ns: TIME_NS, mono_ns: 1 });
    assert_eq!(backend.send(&batch, &mut net), Verdict::Delivered);
    let mut buffer = [0; 2000];
    let read = reader.recv(&mut buffer).unwrap();
    assert_eq!(parse(&buffer[..read]).text, "one");
    assert_eq!(net.wire_bytes(), batch.bytes() as u64);
    drop(reader);
    let failed = (0..10_000).any(|_| matches!(backend.send(&batch, &mut net), Verdict::Retry { .. }));
    assert!(failed, "the system never said that nobody listens");
}

proptest! {
    #[test]
    fn no_name_or_value_ends_its_place(
        message in any::<String>(),
        target in any::<String>(),
        fields in prop::collection::vec((any::<String>(), any::<String>()), 0..4),
        host in any::<String>(),
    ) {
        let values = fields.iter().map(|(key, value)| (key.as_str(), Value::Str(value.into())));
        let mut record = log(Level::Info, &message, &values.collect::<Vec<_>>());
        if let Body::Log(log) = &mut record.body {
            log.target = target.into();
        }
        let hostname = if host.trim().is_empty() { "h".to_owned() } else { host };
        let long = Syslog::new().hostname(hostname).message_bytes_max(60_000);
        let said = said(long, &record);
        prop_assert_eq!(said.len(), 1);
        let wanted = if fields.is_empty() { 2 } else { 3 };
        prop_assert_eq!(said[0].elements.len(), wanted);
        let found = said[0].elements.iter().find(|(id, _)| id == "fields@32473");
        prop_assert_eq!(found.map_or(0, |(_, params)| params.len()), fields.len());
        let plain = |text: &str| !text.chars().any(char::is_control);
        if plain(&message) && !message.starts_with("@ops.part ") {
            prop_assert_eq!(&said[0].text, &message);
        }
        for ((_, value), (_, told)) in fields.iter().zip(found.map_or(&[][..], |(_, params)| params)) {
            prop_assert!(!plain(value) || value == told);
        }
    }

    #[test]
    fn parts_are_messages_and_come_back_as_the_whole(
        message in any::<String>().prop_map(|text| text.repeat(9)),
        bytes_max in 480usize..2_000,
        value in any::<String>(),
    ) {
        let record = log(Level::Info, &message, &[("a", Value::Str(value.as_str().into()))]);
        let whole = items(open(Syslog::new().message_bytes_max(65_000)).as_mut(), std::slice::from_ref(&record));
        let mut backend = open(Syslog::new().message_bytes_max(bytes_max));
        let parts = items(backend.as_mut(), std::slice::from_ref(&record));
        prop_assert!(parts.iter().all(|(_, bytes)| bytes.len() <= bytes_max));
        let said: Vec<_> = parts.iter().map(|(_, bytes)| parse(bytes)).collect();
        if said.len() > 1 {
            for (index, part) in said.iter().enumerate() {
                let number = format!("{}/{}", index + 1, said.len());
                prop_assert_eq!(part.param("ops@32473", "part"), Some(number.as_str()));
                prop_assert_eq!((part.priority, part.kind.as_str()), (134, "LOG"));
            }
            let joined = parts::join(said.iter().rev().map(|part| &part.text)).unwrap();
            prop_assert_eq!(joined.len(), 1);
            prop_assert_eq!(&joined[0].bytes[..], whole.get(0).unwrap().1);
        } else {
            prop_assert_eq!(parts.get(0).unwrap().1, whole.get(0).unwrap().1);
        }
    }
}
