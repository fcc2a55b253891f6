//! Series over all their windows, and functions made of them.

use std::collections::BTreeMap;

use rusqlite::{Connection, Row};

use super::integer;
use crate::backend::local::{decode_buckets, version};
use crate::model::Distribution;

/// What an `#[instrumented]` function did.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FunctionStats {
    /// Its path, as the dimension `Function` has it.
    pub function: String,
    /// Calls that ended.
    pub calls: u64,
    /// Calls that ended with an error or a panic.
    pub errors: u64,
    /// Half of the calls took no longer than this, in milliseconds.
    pub p50_ms: f64,
    /// 99 of 100 calls took no longer than this, in milliseconds.
    pub p99_ms: f64,
    /// The slowest call, in milliseconds.
    pub max_ms: f64,
    /// All calls together, in milliseconds.
    pub total_ms: f64,
    /// The correlation of the slowest call, as its log events have it, if it was within one.
    pub exemplar: Option<u128>,
}

/// What kind of metric a series is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SeriesKind {
    /// How much was counted.
    Counter,
    /// What was set.
    Gauge,
    /// What was observed.
    Histogram,
}

impl SeriesKind {
    /// The kind as the store has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            SeriesKind::Counter => "counter",
            SeriesKind::Gauge => "gauge",
            SeriesKind::Histogram => "histogram",
        }
    }

    fn of(name: &str) -> SeriesKind {
        match name {
            "gauge" => SeriesKind::Gauge,
            "histogram" => SeriesKind::Histogram,
            _ => SeriesKind::Counter,
        }
    }
}

/// A series over all its windows.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesStats {
    /// The metric's name.
    pub name: String,
    /// The unit, as CloudWatch spells it.
    pub unit: String,
    /// What kind of metric it is.
    pub kind: SeriesKind,
    /// Names and values, in order of name.
    pub dimensions: Vec<(String, String)>,
    /// How many samples; of a counter, how many windows.
    pub count: u64,
    /// Their sum; of a counter, how much was counted.
    pub sum: f64,
    /// The smallest sample.
    pub min: f64,
    /// The largest sample.
    pub max: f64,
    /// What a gauge was set to last, what a counter counted in its last window; `None` of a histogram.
    pub last: Option<f64>,
    /// Of a histogram: half of the samples are at most this.
    pub p50: Option<f64>,
    /// Of a histogram: 99 of 100 samples are at most this.
    pub p99: Option<f64>,
    /// Of a histogram: the correlation of the largest sample, if it was observed within one.
    pub exemplar: Option<u128>,
    /// When the last window began, in milliseconds since the Unix epoch.
    pub last_window_ms: u64,
}

/// A series as its windows are added one after another, in order of time.
struct Fold {
    name: String,
    unit: String,
    kind: SeriesKind,
    dimensions: BTreeMap<String, String>,
    values: Distribution,
    /// What was counted, to the last digit.
    counted: u64,
    last: Option<f64>,
    last_window_ms: u64,
}

const WINDOWS: &str = "SELECT s.id, s.name, s.unit, s.kind, s.dimensions, \
     p.count, p.sum, p.min, p.max, p.last, p.buckets, p.time_ms, p.exemplar \
     FROM series s JOIN points p ON p.series_id = s.id WHERE p.time_ms >= ?1 AND (?3 IS NULL OR p.process_id = ?3) AND (?2 IS FALSE OR \
     (s.name IN ('calls', 'errors', 'duration') AND json_extract(s.dimensions, '$.Function') IS NOT NULL)) \
     ORDER BY s.name, s.dimensions, s.id, p.time_ms, p.id";

/// Every series with windows from `since_ms` on.
pub(super) fn metrics(
    connection: &Connection,
    since_ms: u64,
    process: Option<i64>,
) -> rusqlite::Result<Vec<SeriesStats>> {
    Ok(folds(connection, since_ms, process, false)?.into_iter().map(Fold::stats).collect())
}

/// Every function with windows from `since_ms` on.
pub(super) fn functions(
    connection: &Connection,
    since_ms: u64,
    process: Option<i64>,
) -> rusqlite::Result<Vec<FunctionStats>> {
    let mut functions: BTreeMap<String, (FunctionStats, Distribution)> = BTreeMap::new();
    for mut fold in folds(connection, since_ms, process, true)? {
        let Some(function) = fold.dimensions.remove("Function") else { continue };
        let (stats, durations) = functions.entry(function).or_default();
        match (fold.name.as_str(), fold.kind) {
            ("calls", SeriesKind::Counter) => stats.calls = stats.calls.saturating_add(fold.counted),
            ("errors", SeriesKind::Counter) => stats.errors = stats.errors.saturating_add(fold.counted),
            ("duration", SeriesKind::Histogram) => durations.merge(&fold.values),
            _ => {}
        }
    }
    let finished = functions.into_iter().map(|(function, (stats, durations))| FunctionStats {
        function,
        p50_ms: durations.percentile(0.5),
        p99_ms: durations.percentile(0.99),
        max_ms: durations.max,
        total_ms: durations.sum,
        exemplar: durations.exemplar,
        ..stats
    });
    Ok(finished.collect())
}

fn folds(
    connection: &Connection,
    since_ms: u64,
    process: Option<i64>,
    functions: bool,
) -> rusqlite::Result<Vec<Fold>> {
    // A store that was not written to since the first version has no exemplars.
    let is_first = version(connection)? < 2;
    let windows = if is_first { &WINDOWS.replace("p.exemplar", "NULL") } else { WINDOWS };
    let mut statement = connection.prepare_cached(windows)?;
    let mut rows = statement.query((integer(since_ms), functions, process))?;
    let mut folds: Vec<Fold> = Vec::new();
    let mut id = None;
    while let Some(row) = rows.next()? {
        let this: i64 = row.get(0)?;
        if id != Some(this) {
            folds.push(Fold::begin(row)?);
            id = Some(this);
        }
        if let Some(fold) = folds.last_mut() {
            fold.add(row)?;
        }
    }
    Ok(folds)
}

impl Fold {
    fn begin(row: &Row<'_>) -> rusqlite::Result<Fold> {
        let dimensions: String = row.get(4)?;
        Ok(Fold {
            name: row.get(1)?,
            unit: row.get(2)?,
            kind: SeriesKind::of(&row.get::<_, String>(3)?),
            dimensions: serde_json::from_str(&dimensions).unwrap_or_default(),
            values: Distribution::default(),
            counted: 0,
            last: None,
            last_window_ms: 0,
        })
    }

    fn add(&mut self, row: &Row<'_>) -> rusqlite::Result<()> {
        let sum: f64 = row.get(6)?;
        let buckets: Option<Vec<u8>> = row.get(10)?;
        let exemplar: Option<String> = row.get(12)?;
        self.values.merge(&Distribution {
            count: super::number(row.get(5)?),
            sum,
            min: row.get(7)?,
            max: row.get(8)?,
            buckets: buckets.and_then(|blob| decode_buckets(&blob)).unwrap_or_default(),
            exemplar: exemplar.and_then(|id| u128::from_str_radix(&id, 16).ok()),
        });
        self.counted = self.counted.saturating_add(counted(row, sum)?);
        self.last = row.get(9)?;
        self.last_window_ms = super::number(row.get(11)?);
        Ok(())
    }

    fn stats(self) -> SeriesStats {
        let percentile = |p| (self.kind == SeriesKind::Histogram).then(|| self.values.percentile(p));
        let (p50, p99) = (percentile(0.5), percentile(0.99));
        SeriesStats {
            name: self.name,
            unit: self.unit,
            kind: self.kind,
            dimensions: self.dimensions.into_iter().collect(),
            count: self.values.count,
            sum: self.values.sum,
            min: self.values.min,
            max: self.values.max,
            last: self.last,
            p50,
            p99,
            exemplar: self.values.exemplar,
            last_window_ms: self.last_window_ms,
        }
    }
}

/// What a window of a counter counted: an integer, unless it was past SQLite's.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a float saturates, as it should here
fn counted(row: &Row<'_>, sum: f64) -> rusqlite::Result<u64> {
    Ok(match row.get_ref(6)? {
        rusqlite::types::ValueRef::Integer(sum) => super::number(sum),
        _ => sum as u64,
    })
}
