//! The records: log events that make some 250 bytes of JSON, and a counter, a gauge and a histogram of two dimensions.

use std::borrow::Cow;

use ops_sdk::model::{
    Body, Distribution, Level, Log, Metric, Points, Record, RecordId, Resolution, Unit, Value,
};

const PROCESS: u64 = 0x1234_5678_9abc_def0;

/// Now, as the backends that look at ages need it.
pub fn now_ns() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(0))
}

/// A burst of log events: a message of 60 bytes and four typed fields.
pub fn events(count: usize) -> Vec<Record<'static>> {
    let now = now_ns();
    (0..count as u64).map(|n| record(n, now + n * 1_000, Body::Log(log(n)))).collect()
}

#[allow(clippy::cast_precision_loss)] // some thousand
fn log(n: u64) -> Log<'static> {
    Log {
        level: Level::Info,
        target: "shop::checkout".into(),
        message: Cow::Owned(format!("order {n:>6} was charged and is on its way to its customer")),
        file: "src/checkout.rs".into(),
        line: 42,
        fields: vec![
            ("order".into(), Value::U64(n)),
            ("amount".into(), Value::F64(n as f64 / 4.0)),
            ("express".into(), Value::Bool(n % 2 == 0)),
            ("country".into(), Value::Str("DE".into())),
        ],
    }
}

/// A burst of windows of one kind.
pub fn metrics(count: usize, points: impl Fn(u64) -> Points) -> Vec<Record<'static>> {
    let now = now_ns() / 60_000_000_000 * 60_000_000_000;
    (0..count as u64).map(|n| record(n, now, Body::Metric(metric(n, points(n))))).collect()
}

fn metric(n: u64, points: Points) -> Metric<'static> {
    Metric {
        name: "orders.accepted".into(),
        unit: Unit::Milliseconds,
        resolution: Resolution::Standard,
        window_ms: 60_000,
        dimensions: vec![
            ("Region".into(), "eu-central-1".into()),
            ("Tenant".into(), Cow::Owned(format!("tenant-{n}"))),
        ],
        points,
    }
}

/// A gauge that was set once.
#[allow(clippy::cast_precision_loss)] // some thousand
pub fn gauge(n: u64) -> Points {
    let value = n as f64 / 8.0;
    Points::Gauge { last: value, min: value, max: value, sum: value, count: 1 }
}

/// Ten values in ten buckets.
#[allow(clippy::cast_precision_loss)] // some thousand
pub fn histogram(n: u64) -> Points {
    let mut distribution = Distribution::default();
    (1..=10u32).for_each(|step| distribution.observe(f64::from(step * step) * (n + 1) as f64 / 7.0, 3));
    Points::Histogram(distribution)
}

fn record(seq: u64, time_ns: u64, body: Body<'static>) -> Record<'static> {
    Record { id: RecordId { process: PROCESS, seq }, time_ns, body }
}
