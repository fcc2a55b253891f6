//! The store as a backend: what goes in is there, once, and what fails is said.

mod faults;
mod records;
mod retention;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use super::retain::Bounds;
use super::schema::SCHEMA_VERSION;
use super::settings::{BYTES_MAX_DEFAULT, RETAIN_DEFAULT};
use super::*;
use crate::model::{Body, Distribution, Level, Log, Metric, Points, Resolution, Unit, Value};

const MINUTE_NS: u64 = 60 * 1_000_000_000;
/// 2026-11-22T07:24:28Z.
const T0_NS: u64 = 1_795_332_268_000_000_000;

fn context(vars: &[(&str, &str)]) -> Context {
    let vars: HashMap<String, String> = vars.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
    Context {
        namespace: "Shop".into(),
        dimensions: vec![("Service".into(), "checkout".into())],
        process: 0xc0ffee,
        host: "h1".into(),
        name: None,
        state_dir: None,
        push_limit: crate::limits::PushLimit::default(),
        var: Arc::new(move |name| vars.get(name).cloned()),
    }
}

/// The backend itself, so that tests can reach into its connection.
fn store(path: &Path) -> Store {
    let bounds = Bounds { retain: RETAIN_DEFAULT, bytes_max: BYTES_MAX_DEFAULT };
    Store {
        path: path.to_owned(),
        connection: None,
        process: 0xc0ffee,
        sweeper: Sweeper::new(bounds),
        now: None,
    }
}

fn net(unix_ns: u64, mono_ns: u64) -> Net {
    Net::new(Now { unix_ns, mono_ns })
}

fn batch(backend: &mut dyn Backend, records: &[Record<'_>]) -> Batch {
    let mut items = Items::new();
    for (place, record) in records.iter().enumerate() {
        items.begin(record.id, record.time_ms(), u32::try_from(place).unwrap());
        backend.encode(record, &mut items).unwrap();
    }
    let mut batch = Batch::default();
    items.iter().for_each(|(item, bytes)| batch.push(item.time_ms, item.record, item.place, bytes));
    batch
}

fn send(backend: &mut dyn Backend, records: &[Record<'_>]) -> Verdict {
    let batch = batch(backend, records);
    backend.send(&batch, &mut net(T0_NS, 1))
}

fn id(seq: u64) -> RecordId {
    RecordId { process: 0xc0ffee, seq }
}

fn log(seq: u64, message: &str) -> Record<'_> {
    let fields = vec![("amount".into(), Value::U64(12)), ("user".into(), Value::Str("zoë \"z\"".into()))];
    let log = Log {
        level: Level::Warn,
        target: "shop::cart".into(),
        message: message.into(),
        file: "src/cart.rs".into(),
        line: 10,
        fields,
    };
    Record { id: id(seq), time_ns: T0_NS + seq, body: Body::Log(log) }
}

fn metric(seq: u64, name: &'static str, points: Points) -> Record<'static> {
    let metric = Metric {
        name: name.into(),
        unit: Unit::Count,
        resolution: Resolution::Standard,
        window_ms: 60_000,
        dimensions: vec![("Service".into(), "checkout".into()), ("Function".into(), "shop::charge".into())],
        points,
    };
    Record { id: id(seq), time_ns: T0_NS, body: Body::Metric(metric) }
}

fn histogram(values: impl IntoIterator<Item = f64>) -> Points {
    let mut distribution = Distribution::default();
    values.into_iter().for_each(|value| distribution.observe(value, 1));
    Points::Histogram(distribution)
}

fn directory() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("deep/er/store.db");
    (dir, path)
}

/// One value, read by a connection of its own, as another tool would.
fn read<T: rusqlite::types::FromSql>(path: &Path, sql: &str) -> T {
    Connection::open(path).unwrap().query_row(sql, (), |row| row.get(0)).unwrap()
}
