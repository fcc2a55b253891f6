//! Records for the tests of backends: one of each kind, with whatever names and values a test wants to try.

use crate::backend::{Backend, EncodeError};
use crate::chunk::Items;
use crate::model::{
    Audit, Body, Check, CheckStatus, Config, Distribution, Level, Log, Metric, Points, Record, RecordId,
    Resolution, Unit, Value,
};

/// 2026-11-22T07:24:28Z.
pub(in crate::backend) const NOW_S: u64 = 1_795_332_268;
/// What an attacker would put into a name, a value or a message.
pub(in crate::backend) const HOSTILE: &str = "a\"b\\c\n|#@,:{}\r\0 \u{1b}é\u{2028}";

pub(in crate::backend) fn record(seq: u64, body: Body<'_>) -> Record<'_> {
    Record { id: RecordId { process: 255, seq }, time_ns: NOW_S * 1_000_000_000, body }
}

pub(in crate::backend) fn metric<'a>(
    seq: u64,
    name: &'a str,
    unit: Unit,
    dimensions: &[(&'a str, &'a str)],
    points: Points,
) -> Record<'a> {
    let dimensions = dimensions.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    let (name, resolution) = (name.into(), Resolution::Standard);
    record(seq, Body::Metric(Metric { name, unit, resolution, window_ms: 60_000, dimensions, points }))
}

pub(in crate::backend) fn gauge(last: f64) -> Points {
    Points::Gauge { last, min: last, max: last, sum: last, count: 1 }
}

pub(in crate::backend) fn observed(values: &[(f64, u64)]) -> Points {
    let mut distribution = Distribution::default();
    values.iter().for_each(|(value, n)| distribution.observe(*value, *n));
    Points::Histogram(distribution)
}

pub(in crate::backend) fn log<'a>(seq: u64, message: &'a str, fields: &[(&'a str, Value<'a>)]) -> Record<'a> {
    let fields = fields.iter().map(|(key, value)| ((*key).into(), value.clone())).collect();
    let (target, message, file) = ("shop".into(), message.into(), "src/x.rs".into());
    record(seq, Body::Log(Log { level: Level::Warn, target, message, file, line: 7, fields }))
}

pub(in crate::backend) fn check<'a>(
    seq: u64,
    name: &'a str,
    status: CheckStatus,
    output: &'a str,
    fields: &[(&'a str, Value<'a>)],
) -> Record<'a> {
    let fields = fields.iter().map(|(key, value)| ((*key).into(), value.clone())).collect();
    record(seq, Body::Check(Check { name: name.into(), status, output: output.into(), fields }))
}

pub(in crate::backend) fn audit<'a>(
    seq: u64,
    actor: &'a str,
    action: &'a str,
    resource: &'a str,
) -> Record<'a> {
    let (actor, action, resource) = (actor.into(), action.into(), resource.into());
    let fields = vec![("amount".into(), Value::I64(12))];
    record(seq, Body::Audit(Audit { actor, action, resource, outcome: "done".into(), fields }))
}

pub(in crate::backend) fn config<'a>(seq: u64, resource_id: &'a str) -> Record<'a> {
    let (resource_type, resource_id) = ("queue".into(), resource_id.into());
    let fields = vec![("size".into(), Value::U64(8))];
    record(seq, Body::Config(Config { resource_type, resource_id, fields }))
}

/// The items of these records.
pub(in crate::backend) fn encoded(
    backend: &mut dyn Backend,
    records: &[Record<'_>],
) -> Result<Items, EncodeError> {
    let mut items = Items::new();
    for (place, record) in records.iter().enumerate() {
        #[allow(clippy::cast_possible_truncation)] // few
        items.begin(record.id, record.time_ms(), place as u32);
        backend.encode(record, &mut items)?;
    }
    Ok(items)
}

/// The same as text.
pub(in crate::backend) fn lines(backend: &mut dyn Backend, records: &[Record<'_>]) -> Vec<String> {
    let items = encoded(backend, records).expect("these can be expressed");
    items.iter().map(|(_, bytes)| String::from_utf8(bytes.to_vec()).expect("UTF-8")).collect()
}
