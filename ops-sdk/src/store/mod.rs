//! The read side of the local store: what an operator asks of it. `ops stats`, `ops logs` and `ops tail` are made of
//! this, and a program may read back what it recorded.
//!
//! Promises: only ever reads; may read while processes write; sees whole batches or nothing of them. Percentiles
//! over several windows are computed from the windows' buckets, so they are within 1 %, as those of one window are.
//!
//! ```no_run
//! use ops_sdk::store::{LogQuery, Store, default_path};
//!
//! let store = Store::open(default_path())?;
//! for function in store.functions()? {
//!     println!("{}: {} calls, {} errors", function.function, function.calls, function.errors);
//! }
//! for row in store.logs(&LogQuery { search: Some("timeout".into()), ..LogQuery::default() })? {
//!     println!("{} {}", row.level, row.message);
//! }
//! # Ok::<(), ops_sdk::Error>(())
//! ```

mod logs;
mod search;
#[cfg(test)]
pub(crate) mod seed;
mod series;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

pub use self::logs::{LogQuery, LogRow};
pub use self::series::{FunctionStats, SeriesKind, SeriesStats};
use crate::backend::local::{check_version, locate};
use crate::error::Error;
use crate::ledger::Loss;
use crate::signal::Signal;

/// How long a read waits for a writer that recovers the file. Reads do not wait for writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// A local store, open for reading.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    path: PathBuf,
    /// Only rows of this process, by its id in the store.
    process: Option<i64>,
}

/// What the books of one process say of one backend and kind of record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerRow {
    /// The process: sixteen hexadecimal digits.
    pub process: String,
    /// The backend's id.
    pub backend: String,
    /// The kind of record.
    pub signal: Signal,
    /// Records that came in.
    pub recorded: u64,
    /// Records that the server has.
    pub delivered: u64,
    /// Records that were on their way when the books were written.
    pub pending: u64,
    /// Records that the server refused and that are kept, with the reason.
    pub dead_lettered: u64,
    /// Records that are gone, by reason.
    pub dropped: Vec<(String, u64)>,
    /// When the books were written, in milliseconds since the Unix epoch.
    pub updated_ms: u64,
}

impl LedgerRow {
    /// Everything that is gone and that nobody asked to be, whatever the reason.
    #[must_use]
    pub fn dropped_total(&self) -> u64 {
        self.dropped.iter().filter(|(reason, _)| !is_asked_for(reason)).map(|(_, n)| n).sum()
    }

    /// Everything that was not told because somebody asked for that; it stands in `dropped`, too.
    #[must_use]
    pub fn withheld_total(&self) -> u64 {
        self.dropped.iter().filter(|(reason, _)| is_asked_for(reason)).map(|(_, n)| n).sum()
    }
}

/// Whether the reason of this name is one that somebody asks for.
fn is_asked_for(reason: &str) -> bool {
    Loss::ALL.iter().any(|loss| loss.name() == reason && loss.is_asked_for())
}

/// Where the store is unless a program says otherwise: `OPS_LOCAL_PATH`, else `store.db` in `OPS_STATE_DIR`, else
/// `.ops/store.db` in the current directory.
#[must_use]
pub fn default_path() -> PathBuf {
    let var = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    locate(None, var("OPS_STATE_DIR").as_deref().map(Path::new), &var).0
}

impl Store {
    /// Opens the store at `path` for reading.
    ///
    /// # Errors
    ///
    /// If there is no file, or it is not a store, or one of a newer version.
    pub fn open(path: impl Into<PathBuf>) -> Result<Store, Error> {
        let path = path.into();
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let opened = Connection::open_with_flags(&path, flags).and_then(|connection| {
            connection.busy_timeout(BUSY_TIMEOUT)?;
            let version = check_version(&connection)?;
            Ok((connection, version))
        });
        match opened {
            Ok((connection, Ok(()))) => Ok(Store { connection, path, process: None }),
            Ok((_, Err(version))) => Err(version.of(&path, "OPS_LOCAL_PATH")),
            Err(error) => Err(failed("open the store", &path, error)),
        }
    }

    /// Narrows every answer to the process that began to write here last: what one run of a program did.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    pub fn last_process(mut self) -> Result<Store, Error> {
        let last = self.connection.query_row("SELECT max(id) FROM processes", (), |row| row.get(0));
        self.process = last.map_err(|error| self.failed(error))?;
        Ok(self)
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What `#[instrumented]` functions did since the store was begun, in order of name.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    pub fn functions(&self) -> Result<Vec<FunctionStats>, Error> {
        self.functions_since(0)
    }

    /// What `#[instrumented]` functions did in windows that began at `since_ms` (milliseconds since the Unix epoch)
    /// or later, in order of name.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    pub fn functions_since(&self, since_ms: u64) -> Result<Vec<FunctionStats>, Error> {
        series::functions(&self.connection, since_ms, self.process).map_err(|error| self.failed(error))
    }

    /// Every series, those of functions included, in order of name and dimensions.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    pub fn metrics(&self) -> Result<Vec<SeriesStats>, Error> {
        self.metrics_since(0)
    }

    /// Every series with windows that began at `since_ms` (milliseconds since the Unix epoch) or later, over these.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    pub fn metrics_since(&self, since_ms: u64) -> Result<Vec<SeriesStats>, Error> {
        series::metrics(&self.connection, since_ms, self.process).map_err(|error| self.failed(error))
    }

    /// The log events that `query` asks for.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    pub fn logs(&self, query: &LogQuery) -> Result<Vec<LogRow>, Error> {
        logs::select(&self.connection, query, self.process).map_err(|error| self.failed(error))
    }

    /// The [`LogRow::rowid`] of the event that arrived last; 0 when none has.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    pub fn newest_rowid(&self) -> Result<i64, Error> {
        logs::newest_rowid(&self.connection).map_err(|error| self.failed(error))
    }

    /// How many log events of each level there are, the weightiest first; levels without any are left out.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    pub fn log_levels(&self) -> Result<Vec<(crate::model::Level, u64)>, Error> {
        self.log_levels_since(0)
    }

    /// How many log events of each level there are from `since_ns` (nanoseconds since the Unix epoch) on.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    pub fn log_levels_since(&self, since_ns: u64) -> Result<Vec<(crate::model::Level, u64)>, Error> {
        logs::levels(&self.connection, since_ns, self.process).map_err(|error| self.failed(error))
    }

    /// The books of every process that wrote here, the one that wrote last first.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    pub fn ledger(&self) -> Result<Vec<LedgerRow>, Error> {
        ledger(&self.connection, self.process).map_err(|error| self.failed(error))
    }

    fn failed(&self, error: rusqlite::Error) -> Error {
        failed("read the store", &self.path, error)
    }
}

fn ledger(connection: &Connection, process: Option<i64>) -> rusqlite::Result<Vec<LedgerRow>> {
    let mut statement = connection.prepare_cached(
        "SELECT process, backend, signal, recorded, delivered, pending, dead_lettered, dropped, updated_ms, \
         max(updated_ms) OVER (PARTITION BY process_id) AS last \
         FROM ledger JOIN processes ON processes.id = process_id \
         WHERE ?1 IS NULL OR process_id = ?1 ORDER BY last DESC, process, backend",
    )?;
    let rows = statement.query_map([process], |row| {
        let signal: String = row.get(2)?;
        let dropped: String = row.get(7)?;
        let dropped: std::collections::BTreeMap<String, u64> =
            serde_json::from_str(&dropped).unwrap_or_default();
        Ok(LedgerRow {
            process: row.get(0)?,
            backend: row.get(1)?,
            signal: Signal::ALL.into_iter().find(|known| known.name() == signal).unwrap_or(Signal::Log),
            recorded: number(row.get(3)?),
            delivered: number(row.get(4)?),
            pending: number(row.get(5)?),
            dead_lettered: number(row.get(6)?),
            dropped: dropped.into_iter().collect(),
            updated_ms: number(row.get(8)?),
        })
    })?;
    rows.collect()
}

/// Numbers that were counted are never negative; what another tool wrote may be.
fn number(stored: i64) -> u64 {
    u64::try_from(stored).unwrap_or(0)
}

/// SQLite's integers are signed.
fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn failed(action: &'static str, path: &Path, error: rusqlite::Error) -> Error {
    let remedy = match error.sqlite_error_code() {
        _ if !path.exists() => {
            "set OPS_LOCAL_PATH or OPS_STATE_DIR as the program that records has it, or run where it ran"
        }
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => "give the path of a store",
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            "make the file readable, and its directory writable where no process has the store open"
        }
        _ => "try again",
    };
    Error::Path {
        setting: "OPS_LOCAL_PATH".to_owned(),
        action,
        path: path.to_owned(),
        remedy: remedy.to_owned(),
        source: io::Error::other(error),
    }
}
