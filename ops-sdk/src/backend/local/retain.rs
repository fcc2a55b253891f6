//! Keeps the store within its age and its bytes. A sweep begins at most once a minute and then takes one step with
//! each batch until nothing is left to delete, so that no batch waits long for it. A step deletes more rows than a
//! batch can hold, so the sweep always gains on what comes in.
//!
//! Whether to step is decided by [`Sweeper::due`], without SQLite; what to delete is decided by SQLite.

use std::time::Duration;

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::clock::Now;

const EVERY_NS: u64 = 60 * 1_000_000_000;
/// Rows that one step deletes of one table; a batch holds at most 10,000 items.
const STEP_ROWS: u64 = 20_000;

/// How much the store keeps.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// By the time of what a row tells.
    pub(super) retain: Duration,
    /// Of pages in use.
    pub(super) bytes_max: u64,
}

/// The tables that grow with time: name, column of time, how many of its units a millisecond has.
const TABLES: [(&str, &str, u64); 3] =
    [("logs", "time_ns", 1_000_000), ("points", "time_ms", 1), ("records", "time_ns", 1_000_000)];

/// When to sweep next.
#[derive(Debug)]
pub(super) struct Sweeper {
    bounds: Bounds,
    next_ns: u64,
}

impl Sweeper {
    /// A sweeper whose first sweep is due at once.
    pub(super) fn new(bounds: Bounds) -> Sweeper {
        Sweeper { bounds, next_ns: 0 }
    }

    /// Takes one step if one is due. A step that fails is taken again with the next sweep: what made it fail also
    /// meets the next batch, whose verdict tells it.
    pub(super) fn step(&mut self, connection: &mut Connection, now: Now) {
        if self.due(now) {
            let more = delete(connection, self.bounds, now.unix_ms()).unwrap_or(false);
            self.done(now, more);
        }
    }

    fn due(&self, now: Now) -> bool {
        now.mono_ns >= self.next_ns
    }

    fn done(&mut self, now: Now, more: bool) {
        self.next_ns = if more { 0 } else { now.mono_ns.saturating_add(EVERY_NS) };
    }
}

/// Deletes up to [`STEP_ROWS`] rows of each table; whether there may be more.
fn delete(connection: &mut Connection, bounds: Bounds, now_ms: u64) -> rusqlite::Result<bool> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let retain_ms = u64::try_from(bounds.retain.as_millis()).unwrap_or(u64::MAX);
    let mut more = delete_older(&transaction, now_ms.saturating_sub(retain_ms))?;
    if used_bytes(&transaction)? > bounds.bytes_max {
        more |= delete_oldest(&transaction)? > 0;
    }
    if !more {
        delete_unused(&transaction, now_ms.saturating_sub(retain_ms))?;
    }
    transaction.commit()?;
    Ok(more)
}

fn delete_older(transaction: &Transaction<'_>, before_ms: u64) -> rusqlite::Result<bool> {
    let mut more = false;
    for (table, column, units) in TABLES {
        let before = integer(before_ms.saturating_mul(units));
        let sql = format!(
            "DELETE FROM {table} WHERE id IN \
             (SELECT id FROM {table} WHERE {column} < ?1 ORDER BY {column} LIMIT {STEP_ROWS})"
        );
        more |= transaction.prepare_cached(&sql)?.execute([before])? as u64 == STEP_ROWS;
    }
    Ok(more)
}

/// Deletes the oldest rows of the table that reaches back furthest; how many.
fn delete_oldest(transaction: &Transaction<'_>) -> rusqlite::Result<usize> {
    let mut oldest: Option<(i64, usize)> = None;
    for (index, (table, column, units)) in TABLES.iter().enumerate() {
        let sql = format!("SELECT min({column}) / {units} FROM {table}");
        let first: Option<i64> = transaction.prepare_cached(&sql)?.query_row((), |row| row.get(0))?;
        oldest = oldest.into_iter().chain(first.map(|first| (first, index))).min();
    }
    let Some((_, index)) = oldest else { return Ok(0) };
    let (table, column, _) = TABLES[index];
    let sql = format!(
        "DELETE FROM {table} WHERE id IN (SELECT id FROM {table} ORDER BY {column} LIMIT {STEP_ROWS})"
    );
    transaction.prepare_cached(&sql)?.execute(())
}

/// Deletes old books, and the series and processes of which nothing is left.
fn delete_unused(transaction: &Transaction<'_>, before_ms: u64) -> rusqlite::Result<()> {
    transaction.execute("DELETE FROM ledger WHERE updated_ms < ?1", [integer(before_ms)])?;
    transaction.execute(
        "DELETE FROM series WHERE NOT EXISTS (SELECT 1 FROM points WHERE series_id = series.id)",
        (),
    )?;
    transaction.execute(
        "DELETE FROM processes WHERE id NOT IN (SELECT process_id FROM ledger) \
         AND NOT EXISTS (SELECT 1 FROM logs WHERE process_id = processes.id) \
         AND NOT EXISTS (SELECT 1 FROM points WHERE process_id = processes.id) \
         AND NOT EXISTS (SELECT 1 FROM records WHERE process_id = processes.id)",
        (),
    )?;
    Ok(())
}

/// Bytes of the pages that hold something.
pub(super) fn used_bytes(connection: &Connection) -> rusqlite::Result<u64> {
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let pages = pragma("page_count")? - pragma("freelist_count")?;
    Ok((pages * pragma("page_size")?).unsigned_abs())
}

fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
