//! The embedded local store: an SQLite file that any tool can open. It holds series and their points, log events with
//! full-text search, the other records as JSON, and the books; `local/schema.sql` is its schema.
//!
//! Promises: a batch is one transaction; a record is kept once however often it is sent; several processes may write
//! to one store and any number may read it meanwhile; what the store cannot take now stays in the journal. It never
//! grows past its bound: the oldest rows go, and since those were delivered that is no loss in the books. A power cut
//! may take the transactions of the last moments (`synchronous = NORMAL`); the end of a process takes none.

mod body;
mod buckets;
mod judge;
mod retain;
mod schema;
mod write;

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior};

use super::{Backend, Configure, Context, EncodeError, Refusal, Verdict};
use crate::chunk::{Batch, Items};
use crate::clock::Now;
use crate::encode::binary;
use crate::error::Error;
use crate::ledger::{Book, Loss};
use crate::limits::{Limits, Oversize};
use crate::model::{Record, RecordId, Signal};
use crate::net::Net;

pub(crate) use self::buckets::decode as decode_buckets;
#[cfg(test)]
use self::schema::SCHEMA_VERSION;
pub(crate) use self::schema::check_version;

use self::retain::{Bounds, Sweeper};
use self::schema::FileId;
use self::write::Writer;

/// The store's file when no state directory is set, from the current directory.
pub const DEFAULT_PATH: &str = ".ops/store.db";
/// The store's file within a state directory.
pub const FILE_NAME: &str = "store.db";

const PATH_VAR: &str = "OPS_LOCAL_PATH";
const RETAIN_VAR: &str = "OPS_LOCAL_RETAIN_DAYS";
const BYTES_VAR: &str = "OPS_LOCAL_BYTES_MAX";
const RETAIN_DEFAULT: Duration = Duration::from_secs(30 * 24 * 3600);
const BYTES_MAX_DEFAULT: u64 = 1 << 30;
/// An empty store has about 30 pages of 4 KiB; under this bound it could not keep a single batch.
const BYTES_MAX_LEAST: u64 = 1 << 20;
/// A batch is one transaction; these keep its memory and its lock short. Our own numbers: SQLite has no such limits.
const BATCH_BYTES_MAX: usize = 4 << 20;
const BATCH_ITEMS_MAX: usize = 10_000;

/// Settings of the local store. Those not given come from the environment, then from the defaults.
#[derive(Debug, Clone, Default)]
pub struct Local {
    path: Option<PathBuf>,
    retain: Option<Duration>,
    bytes_max: Option<u64>,
}

impl Local {
    /// The settings of the environment.
    #[must_use]
    pub fn new() -> Local {
        Local::default()
    }

    /// The store's file (`OPS_LOCAL_PATH`; else `store.db` in the state directory; else `.ops/store.db`). It and the
    /// directory that holds it are created.
    #[must_use]
    pub fn path(mut self, path: impl Into<PathBuf>) -> Local {
        self.path = Some(path.into());
        self
    }

    /// How long rows are kept, by the time of what they tell (`OPS_LOCAL_RETAIN_DAYS`; 30 days).
    #[must_use]
    pub fn retain(mut self, age: Duration) -> Local {
        self.retain = Some(age);
        self
    }

    /// Bytes of the store in use, past which the oldest rows go (`OPS_LOCAL_BYTES_MAX`; 1 GiB, at least 1 MiB). The
    /// file itself does not shrink: room that is freed is used again.
    #[must_use]
    pub fn bytes_max(mut self, bytes: u64) -> Local {
        self.bytes_max = Some(bytes);
        self
    }

    fn bounds(&self, context: &Context) -> Result<Bounds, Error> {
        let retain = match self.retain {
            Some(age) => age,
            None => number(context, RETAIN_VAR, "days")?
                .map_or(RETAIN_DEFAULT, |days| Duration::from_secs(days.saturating_mul(24 * 3600))),
        };
        let bytes_max = match self.bytes_max {
            Some(bytes) => bytes,
            None => number(context, BYTES_VAR, "bytes")?.unwrap_or(BYTES_MAX_DEFAULT),
        };
        if retain.is_zero() {
            return Err(Error::setting(RETAIN_VAR, "0 days keep nothing", "give at least 1"));
        }
        if bytes_max < BYTES_MAX_LEAST {
            let problem = format!("{bytes_max} bytes do not hold one batch");
            return Err(Error::setting(BYTES_VAR, problem, "give at least 1048576 (1 MiB)"));
        }
        Ok(Bounds { retain, bytes_max })
    }
}

impl Configure for Local {
    fn open(self: Box<Self>, context: &Context) -> Result<Box<dyn Backend>, Error> {
        let bounds = self.bounds(context)?;
        let (path, setting) = locate(self.path.as_deref(), context.state_dir.as_deref(), &*context.var);
        let connection = schema::open(&path, setting)?;
        let file = FileId::of(&path);
        Ok(Box::new(Store {
            path,
            connection: Some((connection, file)),
            process: context.process,
            sweeper: Sweeper::new(bounds),
            now: None,
        }))
    }
}

/// Where the store is, and the setting that said so: the builder's path, `OPS_LOCAL_PATH`, the state directory, or
/// the current directory.
pub(crate) fn locate(
    given: Option<&Path>,
    state_dir: Option<&Path>,
    var: &dyn Fn(&str) -> Option<String>,
) -> (PathBuf, &'static str) {
    if let Some(path) = given {
        return (path.to_owned(), "Local::path");
    }
    if let Some(path) = var(PATH_VAR).filter(|path| !path.is_empty()) {
        return (path.into(), PATH_VAR);
    }
    match state_dir {
        Some(dir) => (dir.join(FILE_NAME), "OPS_STATE_DIR"),
        None => (DEFAULT_PATH.into(), PATH_VAR),
    }
}

/// A variable that holds a whole number.
fn number(context: &Context, name: &str, unit: &str) -> Result<Option<u64>, Error> {
    let Some(text) = (context.var)(name).filter(|text| !text.is_empty()) else { return Ok(None) };
    let wrong = |_| {
        Error::setting(name, format!("\"{text}\" is not a whole number"), format!("give a number of {unit}"))
    };
    text.trim().parse().map(Some).map_err(wrong)
}

/// The backend: one connection, opened again when the file was lost or moved away.
struct Store {
    path: PathBuf,
    connection: Option<(Connection, Option<FileId>)>,
    process: u64,
    sweeper: Sweeper,
    now: Option<Now>,
}

/// Why a batch is not in the store.
enum Failure {
    Open(Error),
    Sqlite(rusqlite::Error),
}

impl Backend for Store {
    fn id(&self) -> &str {
        "local"
    }

    fn limits(&self) -> Limits {
        Limits {
            push_bytes_max: BATCH_BYTES_MAX,
            envelope_bytes: 0,
            push_items_max: BATCH_ITEMS_MAX,
            item_bytes_max: BATCH_BYTES_MAX,
            item_overhead_bytes: 0,
            span_ms_max: None,
            age_ms_max: None,
            ahead_ms_max: None,
            ordered: false,
            push: false,
            oversize: Oversize::Refuse,
        }
    }

    fn accepts(&self, _signal: Signal) -> bool {
        true
    }

    fn encode(&mut self, record: &Record<'_>, out: &mut Items) -> Result<(), EncodeError> {
        out.push(|bytes| {
            binary::encode(record, bytes);
            Ok(())
        })
    }

    fn send(&mut self, batch: &Batch, net: &mut Net) -> Verdict {
        self.now = Some(net.now);
        let refused = match self.write(batch) {
            Ok(refused) => refused,
            Err(failure) => return self.failed(&failure),
        };
        self.sweep(net.now);
        if refused.is_empty() { Verdict::Delivered } else { Verdict::Partial { failed: Vec::new(), refused } }
    }

    fn books(&mut self, books: &[Book]) {
        // The books live in the process; the store has a copy for those who look later, renewed after each run. A
        // copy that could not be written is therefore no loss, only late.
        if let (Err(Failure::Sqlite(error)), Some(now)) = (self.write_books(books), self.now) {
            let text = format!("the books in {} are not up to date: {error}", self.path.display());
            crate::diag::warn("local.books", now, &text);
        }
    }
}

impl Store {
    /// Writes a batch in one transaction; gives back the items that can never be written.
    fn write(&mut self, batch: &Batch) -> Result<Vec<(usize, Refusal)>, Failure> {
        let transaction = self.connection()?.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut writer = Writer::new(&transaction);
        let mut refused = Vec::new();
        for (index, (_, bytes)) in batch.iter().enumerate() {
            let outcome = match binary::decode(bytes) {
                Ok(record) => writer.record(&record),
                Err(error) => {
                    refused.push((index, refusal(format!("not a record: {error}"))));
                    continue;
                }
            };
            match outcome {
                Err(error) if judge::is_of_the_item(&error) => {
                    refused.push((index, refusal(error.to_string())))
                }
                outcome => outcome?,
            }
        }
        transaction.commit()?;
        Ok(refused)
    }

    fn write_books(&mut self, books: &[Book]) -> Result<(), Failure> {
        let process = RecordId { process: self.process, seq: 0 };
        let transaction = self.connection()?.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut writer = Writer::new(&transaction);
        for book in books {
            writer.book(process, book)?;
        }
        Ok(transaction.commit()?)
    }

    /// What a failure means; a connection that may be to a lost file is given up, and the next batch opens a new one.
    fn failed(&mut self, failure: &Failure) -> Verdict {
        match failure {
            Failure::Open(error) => Verdict::Retry { after: None, why: error.to_string() },
            Failure::Sqlite(error) => {
                if judge::is_of_the_file(error) {
                    self.connection = None;
                }
                judge::judge(error, &self.path)
            }
        }
    }

    /// Deletes what is past its age or over the bound, a bounded number of rows at a time. A failure is left to the
    /// next batch, which meets it too.
    fn sweep(&mut self, now: Now) {
        if let Some((connection, _)) = &mut self.connection {
            self.sweeper.step(connection, now);
        }
    }

    /// The connection to the file that is at the path now: someone may have moved the store away.
    fn connection(&mut self) -> Result<&mut Connection, Failure> {
        let there = FileId::of(&self.path);
        let kept = self.connection.take().filter(|(_, file)| there.is_some() && *file == there);
        let open = match kept {
            Some(open) => open,
            None => {
                let connection = schema::open(&self.path, PATH_VAR).map_err(Failure::Open)?;
                (connection, FileId::of(&self.path))
            }
        };
        Ok(&mut self.connection.insert(open).0)
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Failure {
        Failure::Sqlite(error)
    }
}

fn refusal(why: String) -> Refusal {
    Refusal { loss: Loss::Refused, why }
}

#[cfg(test)]
mod tests;
