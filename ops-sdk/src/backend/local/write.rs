//! Writes records and books within one transaction. Ids of processes and series are looked up in it, never kept over
//! it: another process or a sweep may have changed them meanwhile. A record that is there already changes nothing.

use std::collections::HashMap;

use rusqlite::{OptionalExtension, Params, Transaction};

use super::{body, buckets};
use crate::ledger::Book;
use crate::model::{Body, Distribution, Log, Metric, Points, Record, RecordId};

const INSERT_POINT: &str = "INSERT INTO points (series_id, time_ms, window_ms, count, sum, min, max, last, \
     p50, p90, p95, p99, p999, buckets, process_id, seq, exemplar) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17) \
     ON CONFLICT (process_id, seq) DO NOTHING";
const INSERT_LOG: &str = "INSERT INTO logs (time_ns, level, target, message, fields, file, line, process_id, seq) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (process_id, seq) DO NOTHING";
const INSERT_RECORD: &str = "INSERT INTO records (signal, time_ns, body, process_id, seq) \
     VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (process_id, seq) DO NOTHING";
const FIND_SERIES: &str = "SELECT id FROM series \
     WHERE name = ?1 AND kind = ?2 AND unit = ?3 AND resolution_s = ?4 AND dimensions = ?5";
const INSERT_SERIES: &str = "INSERT INTO series (name, kind, unit, resolution_s, dimensions) \
     VALUES (?1, ?2, ?3, ?4, ?5) RETURNING id";
const FIND_PROCESS: &str = "SELECT id FROM processes WHERE process = ?1";
const INSERT_PROCESS: &str = "INSERT INTO processes (process) VALUES (?1) RETURNING id";
const UPSERT_BOOK: &str = "INSERT INTO ledger (process_id, backend, signal, recorded, delivered, pending, \
     dead_lettered, dropped, updated_ms) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, CAST(1000 * unixepoch('subsec') AS INTEGER)) \
     ON CONFLICT (process_id, backend, signal) DO UPDATE SET recorded = excluded.recorded, \
     delivered = excluded.delivered, pending = excluded.pending, dead_lettered = excluded.dead_lettered, \
     dropped = excluded.dropped, updated_ms = excluded.updated_ms";

/// Writes into one transaction.
pub(super) struct Writer<'t> {
    transaction: &'t Transaction<'t>,
    processes: HashMap<u64, i64>,
}

/// One sample's columns of a point.
struct Sample {
    kind: &'static str,
    count: i64,
    /// An integer for counters, so that no count is rounded.
    sum: rusqlite::types::Value,
    min: f64,
    max: f64,
    last: Option<f64>,
    percentiles: [Option<f64>; 5],
    buckets: Option<Vec<u8>>,
    exemplar: Option<String>,
}

impl<'t> Writer<'t> {
    /// A writer that knows no ids yet.
    pub(super) fn new(transaction: &'t Transaction<'t>) -> Writer<'t> {
        Writer { transaction, processes: HashMap::new() }
    }

    /// Writes one record, unless it is there already.
    pub(super) fn record(&mut self, record: &Record<'_>) -> rusqlite::Result<()> {
        let process = self.process(record.id)?;
        match &record.body {
            Body::Metric(metric) => self.metric(record, process, metric),
            Body::Log(log) => self.log(record, process, log),
            Body::Audit(audit) => self.other(record, process, body::audit(audit)),
            Body::Config(config) => self.other(record, process, body::config(config)),
            Body::Check(check) => self.other(record, process, body::check(check)),
        }
    }

    /// Writes the books of one backend of a process over those it wrote before.
    pub(super) fn book(&mut self, process: RecordId, book: &Book) -> rusqlite::Result<()> {
        let process = self.process(process)?;
        for row in &book.rows {
            let dropped = body::dropped(row);
            self.execute(
                UPSERT_BOOK,
                (
                    process,
                    &book.backend,
                    row.signal.name(),
                    integer(row.recorded),
                    integer(row.delivered),
                    integer(row.pending),
                    integer(row.dead_lettered),
                    dropped,
                ),
            )?;
        }
        Ok(())
    }

    fn metric(&self, record: &Record<'_>, process: i64, metric: &Metric<'_>) -> rusqlite::Result<()> {
        let sample = sample(&metric.points);
        let series = self.series(metric, sample.kind)?;
        let [p50, p90, p95, p99, p999] = sample.percentiles;
        self.execute(
            INSERT_POINT,
            rusqlite::params![
                series,
                integer(record.time_ms()),
                metric.window_ms,
                sample.count,
                sample.sum,
                sample.min,
                sample.max,
                sample.last,
                p50,
                p90,
                p95,
                p99,
                p999,
                sample.buckets,
                process,
                integer(record.id.seq),
                sample.exemplar,
            ],
        )
    }

    fn log(&self, record: &Record<'_>, process: i64, log: &Log<'_>) -> rusqlite::Result<()> {
        self.execute(
            INSERT_LOG,
            (
                integer(record.time_ns),
                log.level as u8,
                &log.target,
                &log.message,
                body::fields(&log.fields),
                &log.file,
                log.line,
                process,
                integer(record.id.seq),
            ),
        )
    }

    fn other(&self, record: &Record<'_>, process: i64, body: String) -> rusqlite::Result<()> {
        let id = integer(record.id.seq);
        self.execute(INSERT_RECORD, (record.signal().name(), integer(record.time_ns), body, process, id))
    }

    fn series(&self, metric: &Metric<'_>, kind: &'static str) -> rusqlite::Result<i64> {
        let dimensions = body::dimensions(metric);
        let key = (&metric.name, kind, metric.unit.name(), metric.resolution as u8, dimensions);
        self.find_or_insert(FIND_SERIES, INSERT_SERIES, key)
    }

    fn process(&mut self, id: RecordId) -> rusqlite::Result<i64> {
        if let Some(known) = self.processes.get(&id.process) {
            return Ok(*known);
        }
        let name = format!("{:016x}", id.process);
        let found = self.find_or_insert(FIND_PROCESS, INSERT_PROCESS, (name,))?;
        self.processes.insert(id.process, found);
        Ok(found)
    }

    fn find_or_insert(&self, find: &str, insert: &str, key: impl Params + Clone) -> rusqlite::Result<i64> {
        let found =
            self.transaction.prepare_cached(find)?.query_row(key.clone(), |row| row.get(0)).optional()?;
        match found {
            Some(id) => Ok(id),
            None => self.transaction.prepare_cached(insert)?.query_row(key, |row| row.get(0)),
        }
    }

    fn execute(&self, sql: &str, params: impl Params) -> rusqlite::Result<()> {
        self.transaction.prepare_cached(sql)?.execute(params).map(|_| ())
    }
}

fn sample(points: &Points) -> Sample {
    let none = Sample {
        kind: "counter",
        count: 1,
        sum: points.sum().into(),
        min: points.sum(),
        max: points.sum(),
        last: Some(points.sum()),
        percentiles: [None; 5],
        buckets: None,
        exemplar: None,
    };
    match points {
        Points::Counter { sum } => match i64::try_from(*sum) {
            Ok(sum) => Sample { sum: sum.into(), ..none },
            Err(_) => none,
        },
        Points::Gauge { last, min, max, count, .. } => {
            Sample { kind: "gauge", count: integer(*count), min: *min, max: *max, last: Some(*last), ..none }
        }
        Points::Histogram(distribution) => histogram(distribution, none),
    }
}

fn histogram(distribution: &Distribution, none: Sample) -> Sample {
    Sample {
        kind: "histogram",
        count: integer(distribution.count),
        min: distribution.min,
        max: distribution.max,
        last: None,
        percentiles: [0.5, 0.9, 0.95, 0.99, 0.999].map(|p| Some(distribution.percentile(p))),
        buckets: Some(buckets::encode(&distribution.buckets)),
        exemplar: distribution.exemplar.map(|id| format!("{id:032x}")),
        ..none
    }
}

/// SQLite's integers are signed; nothing that is counted here comes near.
fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
