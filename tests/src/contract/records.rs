//! The records that every backend is tried with: plain ones of each kind, whose texts and numbers are known, and
//! arbitrary ones, whose names and texts mean harm.

use std::borrow::Cow;

use ops_sdk::clock::Now;
use ops_sdk::model::{
    Audit, Body, Check, CheckStatus, Config, Distribution, Fields, Level, Log, Metric, Points, Record,
    RecordId, Resolution, Signal, Unit, Value,
};
use proptest::collection::vec;
use proptest::prelude::*;

/// The process that all records here are of.
pub const PROCESS: u64 = 0x00c0_ffee_00c0_ffee;
/// A message with everything that a format could take for its own.
pub(super) const MESSAGE: &str = "says \"so\" \\ <b>&amp; it's 100% {ok} ünï 😀";
/// Texts that mean harm: line ends, quotes, separators, terminators and header lines.
pub const HOSTILE: [&str; 14] = [
    "a\r\nX-Injected: yes",
    "a\n{\"injected\":1}",
    "\r\n\r\nGET /injected HTTP/1.1\r\n\r\n",
    "nul\0nul",
    "quote\"},{\"injected\":\"1",
    "back\\",
    "</script><x a='b'>",
    "a|b:1|c|#x:y,z;k=v",
    "[sd@1 a=\"b\"]",
    "tab\tesc\u{1b}[31m",
    "line\u{2028}sep\u{85}",
    "${env} %s {0} {name}",
    "",
    "😀\u{feff}\u{202e}x",
];

/// What a plain record is to say.
pub(super) struct Expected {
    /// The record.
    pub(super) record: Record<'static>,
    /// Its message, if it is a log event.
    pub(super) message: Option<&'static str>,
    /// Texts of names and values.
    pub(super) texts: Vec<&'static str>,
    /// Numbers of the record, among others.
    pub(super) numbers: Vec<f64>,
}

/// A plain record of each kind, several of some.
pub(super) fn plain() -> Vec<Expected> {
    let fields = || vec![("amount".into(), Value::I64(-4217)), ("ratio".into(), Value::F64(0.625))];
    let dimensions = || vec![("Region".into(), "eu-west-1".into())];
    let counter = metric("orders", dimensions(), Points::Counter { sum: 1_234 });
    let gauge = Points::Gauge { last: 2.5, min: 2.5, max: 2.5, sum: 2.5, count: 1 };
    let mut observed = Distribution::default();
    observed.observe(40.0, 3);
    let histogram = metric("latency", dimensions(), Points::Histogram(observed));
    let numbers = || vec![-4217.0, 0.625];
    let table: [(_, _, Vec<_>, Vec<_>); 7] = [
        (counter, None, vec!["orders", "Region", "eu-west-1"], vec![1_234.0]),
        (metric("depth", dimensions(), gauge), None, vec!["depth", "Region", "eu-west-1"], vec![2.5]),
        (histogram, None, vec!["latency", "Region", "eu-west-1"], vec![]),
        (log(MESSAGE, fields()), Some(MESSAGE), vec!["amount", "ratio"], numbers()),
        (audit("alice", fields()), None, vec!["alice", "order.cancel", "order/17", "done"], numbers()),
        (config("lb-7", fields()), None, vec!["LoadBalancer", "lb-7"], numbers()),
        (check("disk", fields()), None, vec!["disk", "80 % full"], vec![]),
    ];
    let numbered = table.into_iter().zip(1..);
    numbered
        .map(|((body, message, texts, numbers), seq)| Expected {
            record: record(seq, body),
            message,
            texts,
            numbers,
        })
        .collect()
}

/// So many records of one kind that can be told apart by their ids, their texts and their names.
pub(super) fn several(signal: Signal, count: u64) -> Vec<Record<'static>> {
    (1..=count).map(|seq| record(seq, body_of(signal, format!("n{seq}"), Vec::new()))).collect()
}

/// Records of one kind with a hostile text in every place that holds one.
pub(super) fn hostile(signal: Signal) -> Vec<Record<'static>> {
    let texts = HOSTILE.iter().zip(1..);
    texts
        .map(|(text, seq)| {
            let fields = vec![(Cow::Borrowed(*text), Value::Str((*text).into()))];
            record(seq, body_of(signal, format!("n{seq}{text}"), fields))
        })
        .collect()
}

/// A record of this number, of now.
fn record(seq: u64, body: Body<'static>) -> Record<'static> {
    Record { id: RecordId { process: PROCESS, seq }, time_ns: Now::read().unix_ns, body }
}

/// A record of this kind that has the text wherever there is place for one.
fn body_of(signal: Signal, text: String, fields: Fields<'static>) -> Body<'static> {
    match signal {
        Signal::Metric => {
            let dimensions = fields.into_iter().map(|(key, _)| (key, text.clone().into())).collect();
            metric(&text, dimensions, Points::Counter { sum: 1 })
        }
        Signal::Log => log(&text, fields),
        Signal::Audit => audit(&text, fields),
        Signal::Config => config(&text, fields),
        Signal::Check => check(&text, fields),
    }
}

fn metric(
    name: &str,
    dimensions: Vec<(Cow<'static, str>, Cow<'static, str>)>,
    points: Points,
) -> Body<'static> {
    let name = name.to_owned().into();
    let (unit, resolution, window_ms) = (Unit::Count, Resolution::Standard, 60_000);
    Body::Metric(Metric { name, unit, resolution, window_ms, dimensions, points })
}

fn log(message: &str, fields: Fields<'static>) -> Body<'static> {
    let message = message.to_owned().into();
    let (target, file) = ("shop".into(), "src/x.rs".into());
    Body::Log(Log { level: Level::Warn, target, message, file, line: 7, fields })
}

fn audit(actor: &str, fields: Fields<'static>) -> Body<'static> {
    let (action, resource, outcome) = ("order.cancel".into(), "order/17".into(), "done".into());
    Body::Audit(Audit { actor: actor.to_owned().into(), action, resource, outcome, fields })
}

fn config(id: &str, fields: Fields<'static>) -> Body<'static> {
    let (resource_type, resource_id) = ("LoadBalancer".into(), id.to_owned().into());
    Body::Config(Config { resource_type, resource_id, fields })
}

fn check(name: &str, fields: Fields<'static>) -> Body<'static> {
    let (name, output) = (name.to_owned().into(), "80 % full".into());
    Body::Check(Check { name, status: CheckStatus::Warning, output, fields })
}

/// Up to so many records of any kind, of about now, with any content.
pub(super) fn arbitrary(count_max: usize) -> impl Strategy<Value = Vec<Record<'static>>> {
    vec((0..5_000_u64, any_body()), 0..count_max).prop_map(|bodies| {
        let now_ns = Now::read().unix_ns;
        let numbered = bodies.into_iter().zip(1..);
        let record = |((ago_ms, body), seq): ((u64, Body<'static>), u64)| Record {
            id: RecordId { process: PROCESS, seq },
            time_ns: now_ns - ago_ms * 1_000_000,
            body,
        };
        numbered.map(record).collect()
    })
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[a-zA-Z.]{1,12}",
        2 => prop::sample::select(&HOSTILE[..]).prop_map(str::to_owned),
        1 => vec(any::<char>(), 0..40).prop_map(String::from_iter),
        1 => "[\\x00-\\x1f\"\\\\,=:|;]{1,6}",
    ]
}

fn long_text() -> impl Strategy<Value = String> {
    prop_oneof![8 => text(), 1 => (text(), 1..2_000_usize).prop_map(|(text, times)| text.repeat(times))]
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![any::<u64>().prop_map(f64::from_bits), -1e6..1e6f64, Just(0.0), Just(f64::NEG_INFINITY)]
}

fn any_fields() -> impl Strategy<Value = Fields<'static>> {
    let value = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::I64),
        any::<u64>().prop_map(Value::U64),
        number().prop_map(Value::F64),
        text().prop_map(|text| Value::Str(text.into())),
    ];
    vec((text().prop_map(Cow::Owned), value), 0..6)
}

fn any_points() -> impl Strategy<Value = Points> {
    let gauge = (number(), number(), number(), number(), any::<u64>());
    let buckets = vec(any::<(i16, u64)>(), 0..300);
    let histogram = (any::<u64>(), number(), number(), number(), buckets);
    prop_oneof![
        any::<u64>().prop_map(|sum| Points::Counter { sum }),
        gauge.prop_map(|(last, min, max, sum, count)| Points::Gauge { last, min, max, sum, count }),
        vec((-1e6..1e6f64, 1..9_u64), 0..300).prop_map(|observed| {
            let mut distribution = Distribution::default();
            observed.iter().for_each(|(value, n)| distribution.observe(*value, *n));
            Points::Histogram(distribution)
        }),
        // As no window makes them: what is read back from a damaged disk.
        histogram.prop_map(|(count, sum, min, max, buckets)| {
            Points::Histogram(Distribution { count, sum, min, max, buckets, exemplar: Some(1) })
        }),
    ]
}

fn any_body() -> impl Strategy<Value = Body<'static>> {
    let dimensions = vec((text().prop_map(Cow::Owned), text().prop_map(Cow::Owned)), 0..6);
    let unit = prop::sample::select(Unit::ALL);
    let metric = (text(), dimensions, unit, any_points(), any::<bool>(), any::<u32>());
    let metric = metric.prop_map(|(name, dimensions, unit, points, high, window_ms)| {
        let resolution = if high { Resolution::High } else { Resolution::Standard };
        Body::Metric(Metric { name: name.into(), unit, resolution, window_ms, dimensions, points })
    });
    let level = prop::sample::select(&Level::ALL[..]);
    let log = (level, text(), long_text(), text(), any::<u32>(), any_fields());
    let log = log.prop_map(|(level, target, message, file, line, fields)| {
        Body::Log(Log {
            level,
            target: target.into(),
            message: message.into(),
            file: file.into(),
            line,
            fields,
        })
    });
    let audit = (text(), text(), long_text(), text(), any_fields());
    let audit = audit.prop_map(|(actor, action, resource, outcome, fields)| {
        let (actor, action, resource, outcome) =
            (actor.into(), action.into(), resource.into(), outcome.into());
        Body::Audit(Audit { actor, action, resource, outcome, fields })
    });
    let config = (text(), text(), any_fields());
    let config = config.prop_map(|(kind, id, fields)| {
        Body::Config(Config { resource_type: kind.into(), resource_id: id.into(), fields })
    });
    let check = (text(), 0..4_u8, long_text(), any_fields());
    let check = check.prop_map(|(name, status, output, fields)| {
        let status = CheckStatus::from_u8(status);
        Body::Check(Check { name: name.into(), status, output: output.into(), fields })
    });
    prop_oneof![3 => metric, 3 => log, 1 => audit, 1 => config, 1 => check]
}
