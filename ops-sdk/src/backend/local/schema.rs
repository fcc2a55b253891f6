//! Opens the store's file for writing: creates it with its directory, lays the schema, and refuses what is not a
//! store or is a newer one. Promises that a file of another kind is never touched.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::judge::remedy;
use crate::error::Error;

/// The schema's version, as `PRAGMA user_version` tells it. Raise it with every change of `schema.sql`.
pub(crate) const SCHEMA_VERSION: i64 = 2;
/// "opsS" in the file's header, so that `file` and `PRAGMA application_id` tell whose it is.
const APPLICATION_ID: i64 = 0x6f70_7353;
const SCHEMA: &str = include_str!("schema.sql");
/// How long a write waits for another process's, in one try. A try that fails is tried again with backoff.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
/// The write-ahead log is cut back to this after a checkpoint.
const WAL_BYTES_KEPT: i64 = 16 << 20;

/// Opens the store at `path`, which `setting` named.
pub(super) fn open(path: &Path, setting: &str) -> Result<Connection, Error> {
    create_parent(path, setting)?;
    if is_too_short(path) {
        return Err(VersionError::NotAStore.of(path, setting));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_EXRESCODE;
    let mut connection =
        Connection::open_with_flags(path, flags).map_err(|error| failed(error, path, setting))?;
    match prepare(&mut connection) {
        Ok(()) => Ok(connection),
        Err(Unusable::Version(error)) => Err(error.of(path, setting)),
        Err(Unusable::Sqlite(error)) => Err(failed(error, path, setting)),
    }
}

/// Why a file cannot be the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum VersionError {
    /// Written by a later version of the SDK.
    Newer(i64),
    /// A file of something else, or an empty one.
    NotAStore,
}

impl VersionError {
    /// The error that names the path and the setting.
    pub(crate) fn of(&self, path: &Path, setting: &str) -> Error {
        let path = path.display();
        match self {
            VersionError::Newer(version) => Error::setting(
                setting,
                format!("{path} has schema version {version}, this program knows up to {SCHEMA_VERSION}"),
                "use the newer version of ops-sdk, or another path",
            ),
            VersionError::NotAStore => Error::setting(
                setting,
                format!("{path} is a file of something else"),
                "give a path of its own to the store",
            ),
        }
    }
}

enum Unusable {
    Version(VersionError),
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for Unusable {
    fn from(error: rusqlite::Error) -> Unusable {
        Unusable::Sqlite(error)
    }
}

/// Whether this file is a store that this version can read.
pub(crate) fn check_version(connection: &Connection) -> rusqlite::Result<Result<(), VersionError>> {
    let application: i64 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    Ok(match version(connection)? {
        _ if application != APPLICATION_ID => Err(VersionError::NotAStore),
        version if version > SCHEMA_VERSION => Err(VersionError::Newer(version)),
        _ => Ok(()),
    })
}

fn prepare(connection: &mut Connection) -> Result<(), Unusable> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    if is_empty(connection)? {
        // Where the file system has no shared memory SQLite keeps its old journal mode, and that works too.
        connection.pragma_update(None, "journal_mode", "WAL")?;
        create(connection)?;
    }
    check_version(connection)?.map_err(Unusable::Version)?;
    upgrade(connection)?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "journal_size_limit", WAL_BYTES_KEPT)?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(())
}

/// Lays the schema, unless another process did meanwhile.
fn create(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if is_empty(&transaction)? {
        transaction.execute_batch(SCHEMA)?;
        transaction.execute(
            "INSERT INTO meta VALUES ('schema_version', ?1), ('created_by', ?2), \
             ('created', strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))",
            (SCHEMA_VERSION.to_string(), concat!("ops-sdk ", env!("CARGO_PKG_VERSION"))),
        )?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    }
    transaction.commit()
}

/// What makes of each version the next one, the first from 1.
const STEPS: [&str; 1] = ["ALTER TABLE points ADD COLUMN exemplar TEXT; DROP VIEW v_points; \
     CREATE VIEW v_points AS \
     SELECT p.id, strftime('%Y-%m-%dT%H:%M:%fZ', p.time_ms / 1000.0, 'unixepoch') AS time, s.name, s.kind, s.unit, \
     s.dimensions, p.window_ms, p.count, p.sum, p.min, p.max, p.last, p.p50, p.p90, p.p95, p.p99, p.p999, p.exemplar \
     FROM points p JOIN series s ON s.id = p.series_id;"];

/// Brings a store of an older version up to this one, unless another process did meanwhile.
fn upgrade(connection: &mut Connection) -> rusqlite::Result<()> {
    if version(connection)? == SCHEMA_VERSION {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let from = usize::try_from(version(&transaction)? - 1).unwrap_or(0);
    STEPS.iter().skip(from).try_for_each(|step| transaction.execute_batch(step))?;
    let number = SCHEMA_VERSION.to_string();
    transaction.execute("UPDATE meta SET value = ?1 WHERE key = 'schema_version'", (number,))?;
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    transaction.commit()
}

/// The version of a store's schema.
pub(crate) fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

fn is_empty(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("SELECT count(*) = 0 FROM sqlite_schema", (), |row| row.get(0))
}

/// Whether the file is too short to be a database. SQLite would take it for an empty one and write over it. (Longer
/// files it looks at itself; opening them here would let go of its locks when they are closed.)
fn is_too_short(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|file| file.is_file() && (1..512).contains(&file.len()))
}

fn create_parent(path: &Path, setting: &str) -> Result<(), Error> {
    let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) else { return Ok(()) };
    fs::create_dir_all(parent).map_err(|source| Error::Path {
        setting: setting.to_owned(),
        action: "create",
        path: parent.to_owned(),
        remedy: "make its parent writable, or set OPS_LOCAL_PATH to a path that is".to_owned(),
        source,
    })
}

fn failed(error: rusqlite::Error, path: &Path, setting: &str) -> Error {
    Error::Path {
        setting: setting.to_owned(),
        action: "open the store",
        path: path.to_owned(),
        remedy: remedy(error.sqlite_error_code()).to_owned(),
        source: io::Error::other(error),
    }
}

/// Which file is at a path: its device and its number there. Tells that the store was moved away or deleted under an
/// open connection, where SQLite would go on writing to a file that nobody can find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileId(u64, u64);

impl FileId {
    /// The file at `path`, if there is one.
    #[cfg(unix)]
    pub(super) fn of(path: &Path) -> Option<FileId> {
        use std::os::unix::fs::MetadataExt;
        let metadata = fs::metadata(path).ok()?;
        Some(FileId(metadata.dev(), metadata.ino()))
    }

    /// Whether there is a file at `path`: elsewhere an open file cannot be moved away.
    #[cfg(not(unix))]
    pub(super) fn of(path: &Path) -> Option<FileId> {
        fs::metadata(path).ok().map(|_| FileId(0, 0))
    }
}
