//! A store with known contents, written by the backend: for the tests of those who read it.

use std::path::PathBuf;
use std::sync::Arc;

use tempfile::TempDir;

use super::Store;
use crate::backend::local::Local;
use crate::backend::{Backend, Configure, Context, Verdict};
use crate::chunk::{Batch, Items};
use crate::clock::Now;
use crate::model::{
    Body, Distribution, Level, Log, Metric, Points, Record, RecordId, Resolution, Unit, Value,
};
use crate::net::Net;

/// 2026-11-22T07:24:28Z.
pub(crate) const T0_MS: u64 = 1_795_332_268_000;

/// A store that is being filled.
pub(crate) struct Seed {
    _dir: TempDir,
    pub(crate) path: PathBuf,
    pub(crate) backend: Box<dyn Backend>,
    seq: u64,
    /// The process that the records to come are of.
    pub(crate) process: u64,
}

impl Seed {
    pub(crate) fn new() -> Seed {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store.db");
        let context = Context {
            namespace: "App".into(),
            dimensions: Vec::new(),
            process: 0xc0ffee,
            host: "h1".into(),
            name: None,
            state_dir: None,
            push_limit: crate::limits::PushLimit::default(),
            var: Arc::new(|_| None),
        };
        let backend = Box::new(Local::new().path(&path)).open(&context).unwrap();
        Seed { _dir: dir, path, backend, seq: 0, process: 0xc0ffee }
    }

    pub(crate) fn put(&mut self, time_ms: u64, body: Body<'_>) {
        self.seq += 1;
        let record = Record {
            id: RecordId { process: self.process, seq: self.seq },
            time_ns: time_ms * 1_000_000,
            body,
        };
        let mut items = Items::new();
        items.begin(record.id, record.time_ms(), 0);
        self.backend.encode(&record, &mut items).unwrap();
        let mut batch = Batch::default();
        items.iter().for_each(|(item, bytes)| batch.push(item.time_ms, item.record, item.place, bytes));
        let now = Now { unix_ns: record.time_ns, mono_ns: 1 };
        assert_eq!(self.backend.send(&batch, &mut Net::new(now)), Verdict::Delivered);
    }

    pub(crate) fn metric(
        &mut self,
        minute: u64,
        name: &'static str,
        of: (&'static str, &'static str),
        points: Points,
    ) {
        let metric = Metric {
            name: name.into(),
            unit: unit_of(name),
            resolution: Resolution::Standard,
            window_ms: 60_000,
            dimensions: vec![(of.0.into(), of.1.into()), ("Service".into(), "s".into())],
            points,
        };
        self.put(T0_MS + minute * 60_000, Body::Metric(metric));
    }

    pub(crate) fn log(&mut self, time_ms: u64, level: Level, target: &'static str, message: &'static str) {
        let fields = vec![
            ("ms".into(), Value::F64(1.5)),
            ("attempt".into(), Value::U64(3)),
            ("delta".into(), Value::I64(-3)),
            ("ok".into(), Value::Bool(false)),
            ("none".into(), Value::Null),
            ("path".into(), Value::Str("src/zoë.rs".into())),
        ];
        let log = Log {
            level,
            target: target.into(),
            message: message.into(),
            file: "a.rs".into(),
            line: 7,
            fields,
        };
        self.put(time_ms, Body::Log(log));
    }

    pub(crate) fn open(&self) -> Store {
        Store::open(&self.path).unwrap()
    }
}

/// What was observed.
pub(crate) fn observed(values: &[f64]) -> Distribution {
    let mut distribution = Distribution::default();
    values.iter().for_each(|value| distribution.observe(*value, 1));
    distribution
}

/// Durations have their unit, sizes theirs, and everything else is a number.
fn unit_of(name: &str) -> Unit {
    match name {
        "duration" => Unit::Milliseconds,
        "size" => Unit::Bytes,
        _ => Unit::Count,
    }
}
