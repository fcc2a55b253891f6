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
    let used = used_bytes(&transaction)?;
    if used > bounds.bytes_max {
        more |= delete_oldest(&transaction, used, bounds.bytes_max)? > 0;
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
fn delete_oldest(transaction: &Transaction<'_>, used: u64, bytes_max: u64) -> rusqlite::Result<usize> {
    let mut oldest: Option<(i64, usize, i64)> = None;
    for (index, (table, column, units)) in TABLES.iter().enumerate() {
        // Ids are given out one by one and the oldest go first, so their span is about the number of rows; counting
        // the rows would read the whole table.
        let sql = format!("SELECT min({column}) / {units}, max(id) - min(id) + 1 FROM {table}");
        let (first, rows): (Option<i64>, Option<i64>) =
            transaction.prepare_cached(&sql)?.query_row((), |row| Ok((row.get(0)?, row.get(1)?)))?;
        let this = first.zip(rows).map(|(first, rows)| (first, index, rows));
        oldest = oldest.into_iter().chain(this).min();
    }
    let Some((_, index, rows)) = oldest else { return Ok(0) };
    let (table, column, _) = TABLES[index];
    let sql = format!("DELETE FROM {table} WHERE id IN (SELECT id FROM {table} ORDER BY {column} LIMIT ?1)");
    transaction.prepare_cached(&sql)?.execute([integer(share(rows.unsigned_abs(), used, bytes_max))])
}

/// How many of `rows` to delete: the share that brings the bytes in use to nine tenths of the bound, if rows are
/// about alike; never more than a step's.
fn share(rows: u64, used: u64, bytes_max: u64) -> u64 {
    let over = u128::from(used.saturating_sub(bytes_max / 10 * 9));
    let share = u128::from(rows) * over / u128::from(used.max(1));
    u64::try_from(share).unwrap_or(STEP_ROWS).clamp(1, STEP_ROWS)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_to_delete_is_what_is_over_nine_tenths() {
        let table = [
            ((1_000, 1_000, 1_000), 100),
            ((1_000, 2_000, 1_000), 550),
            ((3, 1_001, 1_000), 1),
            ((0, 1_001, 1_000), 1),
            ((u64::MAX, u64::MAX, 1_000), STEP_ROWS),
        ];
        for ((rows, used, bytes_max), expected) in table {
            assert_eq!(share(rows, used, bytes_max), expected, "{rows} {used} {bytes_max}");
        }
    }

    #[test]
    fn a_sweep_begins_once_a_minute_and_goes_on_until_it_is_done() {
        let bounds = Bounds { retain: Duration::from_secs(1), bytes_max: 1 };
        let at = |mono_ns| Now { unix_ns: 0, mono_ns };
        let mut sweeper = Sweeper::new(bounds);
        assert!(sweeper.due(at(5)));
        sweeper.done(at(5), true);
        assert!(sweeper.due(at(6)));
        sweeper.done(at(6), false);
        assert!(!sweeper.due(at(5 + EVERY_NS)));
        assert!(sweeper.due(at(6 + EVERY_NS)));
    }
}
