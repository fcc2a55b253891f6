//! What a local store holds at the end of a round, read through its public face. It keeps a record once however often
//! it is sent, so here nothing may come twice and every sum is exact.

use std::io;
use std::path::{Path, PathBuf};

use ops_sdk::model::Value;
use ops_sdk::store::{LogQuery, LogRow, Store};

/// The content of a store.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Stored {
    /// Log events, each as the line that a log service would have of it.
    pub lines: Vec<String>,
    /// Metrics over all windows.
    pub series: Vec<StoredSeries>,
}

/// One series over all windows.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredSeries {
    /// The metric's name.
    pub name: String,
    /// Names and values.
    pub dimensions: Vec<(String, String)>,
    /// Samples.
    pub count: f64,
    /// Their sum.
    pub sum: f64,
}

/// Where the store of a round is.
#[must_use]
pub fn path(folder: &Path) -> PathBuf {
    folder.join("store.db")
}

/// Reads all of it.
///
/// # Errors
///
/// If it is not there or cannot be read.
pub fn read(folder: &Path) -> io::Result<Stored> {
    let failed = |error: ops_sdk::Error| io::Error::other(error.to_string());
    let store = Store::open(path(folder)).map_err(failed)?;
    let everything = LogQuery { limit: i32::MAX as usize, ..LogQuery::default() };
    let lines = store.logs(&everything).map_err(failed)?.iter().map(line).collect();
    let series = store.metrics().map_err(failed)?.into_iter().map(|series| StoredSeries {
        name: series.name,
        dimensions: series.dimensions,
        #[allow(clippy::cast_precision_loss)] // thousands
        count: series.count as f64,
        sum: series.sum,
    });
    Ok(Stored { lines, series: series.collect() })
}

fn line(row: &LogRow) -> String {
    let mut line = serde_json::Map::new();
    for (key, value) in &row.fields {
        let value = match value {
            Value::I64(number) => (*number).into(),
            Value::U64(number) => (*number).into(),
            Value::Str(text) => text.as_ref().into(),
            _ => continue, // nothing else is recorded here
        };
        line.insert(key.to_string(), value);
    }
    let own = [
        ("level", row.level.name()),
        ("target", &row.target),
        ("message", &row.message),
        ("id", &row.record_id),
    ];
    line.extend(own.map(|(key, text)| (key.to_owned(), text.into())));
    serde_json::Value::Object(line).to_string()
}
