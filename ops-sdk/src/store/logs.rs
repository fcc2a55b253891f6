//! Log events, as a query asks for them.

use std::fmt;

use rusqlite::{Connection, Row, named_params};
use serde::de::{Deserializer as _, MapAccess, Visitor};

use super::{integer, number, search};
use crate::model::{Fields, Level, Value};

/// Which log events to read. The default asks for the newest 100 of any kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogQuery {
    /// Events of this level and weightier ones.
    pub level_at_most: Option<Level>,
    /// Events of modules whose path begins so.
    pub target_prefix: Option<String>,
    /// Events with all of these words in message, fields or target. `"words in quotes"` must follow one another;
    /// `word*` stands for every word that begins so. Case and accents do not matter.
    pub search: Option<String>,
    /// Events at this time or later, in nanoseconds since the Unix epoch.
    pub since_ns: Option<u64>,
    /// Events before this time, in nanoseconds since the Unix epoch.
    pub until_ns: Option<u64>,
    /// Events that arrived after the one with this [`LogRow::rowid`]; 0 for all.
    pub after_rowid: Option<i64>,
    /// At most this many.
    pub limit: usize,
}

impl Default for LogQuery {
    fn default() -> LogQuery {
        LogQuery {
            level_at_most: None,
            target_prefix: None,
            search: None,
            since_ns: None,
            until_ns: None,
            after_rowid: None,
            limit: 100,
        }
    }
}

/// A log event in the store.
#[derive(Debug, Clone, PartialEq)]
pub struct LogRow {
    /// Its place in the order of arrival: greater than that of every event before it.
    pub rowid: i64,
    /// When, in nanoseconds since the Unix epoch.
    pub time_ns: u64,
    /// How much it matters.
    pub level: Level,
    /// The module that said it.
    pub target: String,
    /// The message.
    pub message: String,
    /// Its keys and values, in the order they were written.
    pub fields: Fields<'static>,
    /// The source file.
    pub file: String,
    /// The line in it; 0 when not known.
    pub line: u32,
    /// The record's id, as every backend writes it.
    pub record_id: String,
}

impl LogRow {
    /// The value of a field.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Value<'static>> {
        self.fields.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// The value of a field as a number, if it is one.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // whoever asks for a double wants one
    pub fn number(&self, name: &str) -> Option<f64> {
        match self.field(name)? {
            Value::I64(number) => Some(*number as f64),
            Value::U64(number) => Some(*number as f64),
            Value::F64(number) => Some(*number),
            _ => None,
        }
    }
}

const COLUMNS: &str = "SELECT l.id, l.time_ns, l.level, l.target, l.message, l.fields, l.file, l.line, r.process, l.seq \
     FROM logs l JOIN processes r ON r.id = l.process_id";

/// The newest events that match, in order of time; after a row, the first that arrived after it, in order of arrival.
pub(super) fn select(
    connection: &Connection,
    query: &LogQuery,
    process: Option<i64>,
) -> rusqlite::Result<Vec<LogRow>> {
    let words = query.search.as_deref().map(search::query);
    if words == Some(None) {
        return Ok(Vec::new());
    }
    let mut statement = connection.prepare_cached(&sql(query))?;
    let rows = statement.query_map(
        named_params! {
            ":level": query.level_at_most.map_or(u8::MAX, |level| level as u8),
            ":target": query.target_prefix.as_deref().unwrap_or(""),
            ":since": integer(query.since_ns.unwrap_or(0)),
            ":until": integer(query.until_ns.unwrap_or(u64::MAX)),
            ":after": query.after_rowid.unwrap_or(0),
            ":process": process,
            ":words": words.flatten(),
            ":limit": i64::try_from(query.limit).unwrap_or(i64::MAX),
        },
        row,
    )?;
    let mut rows: Vec<LogRow> = rows.collect::<rusqlite::Result<_>>()?;
    if query.after_rowid.is_none() {
        rows.reverse();
    }
    Ok(rows)
}

/// The statement; every one of them names every parameter.
fn sql(query: &LogQuery) -> String {
    let words = match query.search {
        Some(_) => "l.id IN (SELECT rowid FROM logs_fts WHERE logs_fts MATCH :words)",
        None => ":words IS NULL",
    };
    let order = match query.after_rowid {
        Some(_) => "l.id",
        None => "l.time_ns DESC, l.id DESC",
    };
    format!(
        "{COLUMNS} WHERE l.id > :after AND l.level <= :level AND substr(l.target, 1, length(:target)) = :target \
         AND l.time_ns >= :since AND l.time_ns < :until \
         AND (:process IS NULL OR l.process_id = :process) AND {words} ORDER BY {order} LIMIT :limit"
    )
}

/// The row of the event that arrived last.
pub(super) fn newest_rowid(connection: &Connection) -> rusqlite::Result<i64> {
    connection.prepare_cached("SELECT coalesce(max(id), 0) FROM logs")?.query_row((), |row| row.get(0))
}

/// How many events of each level there are.
pub(super) fn levels(
    connection: &Connection,
    since_ns: u64,
    process: Option<i64>,
) -> rusqlite::Result<Vec<(Level, u64)>> {
    let sql = match (since_ns, process) {
        // The index of levels answers this one alone.
        (0, None) => {
            "SELECT level, count(*) FROM logs WHERE ?1 = 0 AND ?2 IS NULL GROUP BY level ORDER BY level"
        }
        _ => {
            "SELECT level, count(*) FROM logs WHERE time_ns >= ?1 AND (?2 IS NULL OR process_id = ?2) \
             GROUP BY level ORDER BY level"
        }
    };
    let mut statement = connection.prepare_cached(sql)?;
    let rows =
        statement.query_map((integer(since_ns), process), |row| Ok((row.get(0)?, number(row.get(1)?))))?;
    rows.map(|row| row.map(|(number, count)| (level(number), count))).collect()
}

fn row(row: &Row<'_>) -> rusqlite::Result<LogRow> {
    let process: String = row.get(8)?;
    let seq: i64 = row.get(9)?;
    Ok(LogRow {
        rowid: row.get(0)?,
        time_ns: number(row.get(1)?),
        level: level(row.get(2)?),
        target: row.get(3)?,
        message: row.get(4)?,
        fields: fields(&row.get::<_, String>(5)?),
        file: row.get(6)?,
        line: u32::try_from(row.get::<_, i64>(7)?).unwrap_or(0),
        record_id: format!("{process}-{seq}"),
    })
}

/// The level with this number; only another tool could have written one that is not known.
fn level(number: i64) -> Level {
    u8::try_from(number).ok().and_then(Level::from_u8).unwrap_or(Level::Trace)
}

/// The fields of a JSON object, in its order.
fn fields(json: &str) -> Fields<'static> {
    serde_json::Deserializer::from_str(json).deserialize_map(InOrder).unwrap_or_default()
}

struct InOrder;

impl<'de> Visitor<'de> for InOrder {
    type Value = Fields<'static>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'static>, A::Error> {
        let mut fields = Fields::new();
        while let Some((name, value)) = map.next_entry::<String, serde_json::Value>()? {
            fields.push((name.into(), typed(value)));
        }
        Ok(fields)
    }
}

fn typed(value: serde_json::Value) -> Value<'static> {
    match value {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(bool) => Value::Bool(bool),
        serde_json::Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => Value::U64(number),
            (None, Some(number)) => Value::I64(number),
            (None, None) => Value::F64(number.as_f64().unwrap_or(f64::NAN)),
        },
        serde_json::Value::String(text) => Value::Str(text.into()),
        nested => Value::Str(nested.to_string().into()),
    }
}
