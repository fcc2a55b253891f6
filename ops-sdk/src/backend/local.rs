//! The embedded local store: an SQLite file that any tool can open. It holds series and their points, log events with
//! full-text search, the other records as JSON, and the books; `local/schema.sql` is its schema.
//!
//! Promises: a batch is one transaction; a record is kept once however often it is sent; several processes may write
//! to one store and any number may read it meanwhile; what the store cannot take now stays in the journal. It is
//! held to its bound: past it the oldest rows go, and since those were delivered that is no loss in the books. A power
//! cut may take the transactions of the last moments (`synchronous = NORMAL`); the end of a process takes none.

mod body;
mod buckets;
mod judge;
mod retain;
mod schema;
mod settings;
mod write;

use std::path::PathBuf;

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
use crate::record::system::fork;

pub(crate) use self::buckets::decode as decode_buckets;
pub(crate) use self::schema::{check_version, version};
pub(crate) use self::settings::locate;
pub use self::settings::{DEFAULT_PATH, FILE_NAME, Local};

use self::retain::Sweeper;
use self::schema::FileId;
use self::settings::PATH_VAR;
use self::write::Writer;

/// A batch is one transaction. The ship thread reads a few MiB at a time, so only a record that is larger by itself
/// makes a larger one. SQLite takes 1,000,000,000 bytes in a row (sqlite.org/limits.html, SQLITE_MAX_LENGTH), and a
/// record may take twice its bytes there, once as it is and once in the index.
const BATCH_BYTES_MAX: usize = 256 << 20;
/// Keeps the lock of one transaction short. Our own number.
const BATCH_ITEMS_MAX: usize = 10_000;

impl Configure for Local {
    fn open(self: Box<Self>, context: &Context) -> Result<Box<dyn Backend>, Error> {
        let bounds = self.bounds(context)?;
        let (path, setting) = locate(self.path.as_deref(), context.state_dir.as_deref(), &*context.var);
        // SQLite has locks of its own, which a child of `fork` would find as they are.
        let _whole = fork::hold_off();
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

    fn again(&self) -> Option<Box<dyn Configure>> {
        Some(Box::new(self.clone()))
    }
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
        let _whole = fork::hold_off();
        self.now = Some(net.now);
        let refused = match self.write(batch) {
            Ok(refused) => refused,
            Err(failure) => return self.failed(&failure),
        };
        self.sweep(net.now);
        if refused.is_empty() { Verdict::Delivered } else { Verdict::Partial { failed: Vec::new(), refused } }
    }

    fn books(&mut self, books: &[Book]) {
        let _whole = fork::hold_off();
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
