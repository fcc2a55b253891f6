//! `ops logs` and `ops tail`: log events as lines.

use std::io::Write;
use std::time::Duration;

use super::Failure;
use super::args::{Filter, Logs, Tail};
use super::human::printable;
use crate::clock::Now;
use crate::encode::json;
use crate::model::{Level, Value};
use crate::store::{LogQuery, LogRow, Store};

/// Events that one look at the store reads while it follows.
const LOOK_ROWS: usize = 1_000;

/// The newest events, the newest last.
pub(super) fn list(
    store: &Store,
    args: &Logs,
    now: Now,
    colour: bool,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let ago = |age: Duration| now.unix_ns.saturating_sub(u64::try_from(age.as_nanos()).unwrap_or(u64::MAX));
    let query = LogQuery {
        since_ns: args.since.map(ago),
        until_ns: args.until.map(ago),
        limit: args.limit,
        ..query(&args.filter)
    };
    for row in store.logs(&query)? {
        write(&row, args.filter.json, colour, out)?;
    }
    Ok(())
}

/// The newest events, then each as it arrives, for as long as `wait` says to look again.
pub(super) fn tail(
    store: &Store,
    args: &Tail,
    colour: bool,
    out: &mut dyn Write,
    mut wait: impl FnMut() -> bool,
) -> Result<(), Failure> {
    let mut seen = store.newest_rowid()?;
    let first = store.logs(&LogQuery { limit: args.lines, ..query(&args.filter) })?;
    for row in first.iter().filter(|row| row.rowid <= seen) {
        write(row, args.filter.json, colour, out)?;
    }
    out.flush()?;
    while wait() {
        seen = look(store, args, colour, out, seen)?;
        out.flush()?;
    }
    Ok(())
}

/// Writes the events that arrived after `seen`; gives back the last that there is.
fn look(
    store: &Store,
    args: &Tail,
    colour: bool,
    out: &mut dyn Write,
    mut seen: i64,
) -> Result<i64, Failure> {
    loop {
        let newest = store.newest_rowid()?;
        let rows =
            store.logs(&LogQuery { after_rowid: Some(seen), limit: LOOK_ROWS, ..query(&args.filter) })?;
        for row in &rows {
            write(row, args.filter.json, colour, out)?;
        }
        let last = rows.last().map_or(seen, |row| row.rowid);
        if rows.len() < LOOK_ROWS {
            return Ok(last.max(newest));
        }
        seen = last;
    }
}

fn query(filter: &Filter) -> LogQuery {
    LogQuery {
        level_at_most: filter.level,
        target_prefix: filter.target.clone(),
        search: filter.search.clone(),
        ..LogQuery::default()
    }
}

fn write(row: &LogRow, as_json: bool, colour: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let line = if as_json { json_line(row) } else { text_line(row, colour).into_bytes() };
    out.write_all(&line)?;
    Ok(out.write_all(b"\n")?)
}

/// Time in UTC, level, module, message, fields.
fn text_line(row: &LogRow, colour: bool) -> String {
    let paint = |code: &str, text: &str| match colour {
        true => format!("\x1b[{code}m{text}\x1b[0m"),
        false => text.to_owned(),
    };
    let level = paint(level_colour(row.level), &format!("{:<5}", row.level));
    let (time, target, message) = (time(row.time_ns), printable(&row.target), printable(&row.message));
    let mut line = format!("{} {level} {target}: {message}", paint("2", &time));
    for (name, value) in &row.fields {
        let mut text = Vec::new();
        match value {
            Value::Str(plain) if is_plain(plain) => text.extend_from_slice(plain.as_bytes()),
            value => json::value(&mut text, value),
        }
        let text = printable(&String::from_utf8_lossy(&text));
        line.push_str(&paint("2", &format!(" {}={text}", printable(name))));
    }
    line
}

/// Whether a field's text needs no quotes to be told from what follows it.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c.is_control() || "\"=".contains(c))
}

fn level_colour(level: Level) -> &'static str {
    match level {
        Level::Error => "31",
        Level::Warn => "33",
        Level::Info => "32",
        Level::Debug => "36",
        Level::Trace => "2",
    }
}

/// `2026-11-22 07:24:28.123`, in UTC.
fn time(unix_ns: u64) -> String {
    rfc3339(unix_ns)
        .chars()
        .take("2026-11-22 07:24:28.123".len())
        .map(|c| if c == 'T' { ' ' } else { c })
        .collect()
}

/// A time as RFC 3339 has it, in UTC.
pub(super) fn rfc3339(unix_ns: u64) -> String {
    let mut text = Vec::new();
    json::time_rfc3339(&mut text, unix_ns);
    String::from_utf8_lossy(&text).into_owned()
}

fn json_line(row: &LogRow) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    let source = format!("{}:{}", row.file, row.line);
    let time = rfc3339(row.time_ns);
    let texts = [
        ("time", time.as_str()),
        ("level", row.level.name()),
        ("target", &row.target),
        ("message", &row.message),
        ("id", &row.record_id),
        ("file", &source),
    ];
    for (index, (name, text)) in texts.iter().enumerate() {
        out.push(if index == 0 { b'{' } else { b',' });
        json::string(&mut out, name);
        out.push(b':');
        json::string(&mut out, text);
    }
    out.extend_from_slice(b",\"fields\":{");
    for (index, (name, value)) in row.fields.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        json::string(&mut out, name);
        out.push(b':');
        json::value(&mut out, value);
    }
    out.extend_from_slice(b"}}");
    out
}
