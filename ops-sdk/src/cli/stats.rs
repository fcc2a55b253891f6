//! `ops stats`: functions, metrics, log lines by level, and the books.

use std::io::Write;

use serde_json::{Value as Json, json};

use super::Failure;
use super::args::Stats;
use super::human::{self, count, duration, percent};
use super::logs::rfc3339;
use super::table::Table;
use crate::clock::Now;
use crate::ledger::Loss;
use crate::model::Level;
use crate::store::{FunctionStats, LedgerRow, SeriesKind, SeriesStats, Store};

/// Processes whose books are shown; older ones are counted.
const PROCESSES_SHOWN: usize = 5;

/// What was read from the store.
struct Read {
    functions: Vec<FunctionStats>,
    metrics: Vec<SeriesStats>,
    levels: Vec<(Level, u64)>,
    books: Vec<LedgerRow>,
}

/// Writes the statistics as tables or as one JSON object.
pub(super) fn run(
    store: &Store,
    args: &Stats,
    now: Now,
    colour: bool,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let since = args.since.map_or(0, |age| {
        now.unix_ns.saturating_sub(u64::try_from(age.as_nanos()).unwrap_or(u64::MAX)).max(1)
    });
    let read = Read {
        functions: store.functions_since(since / 1_000_000)?,
        metrics: store.metrics_since(since / 1_000_000)?,
        levels: store.log_levels_since(since)?,
        books: store.ledger()?,
    };
    if args.json {
        writeln!(out, "{}", as_json(store, &read))?;
        return Ok(());
    }
    writeln!(out, "store: {}\n", store.path().display())?;
    functions(&read.functions, &read.metrics).write(colour, out)?;
    metrics(&read.metrics, colour, out)?;
    exemplars(&read).write(colour, out)?;
    levels(&read.levels).write(colour, out)?;
    books(&read.books, colour, out)?;
    if read.functions.is_empty() && read.metrics.is_empty() && read.levels.is_empty() {
        writeln!(out, "Nothing was recorded{}.", if since > 0 { " in this time" } else { " yet" })?;
    }
    Ok(())
}

/// With two columns more where a governor has told how it times each function and what that costs.
fn functions(functions: &[FunctionStats], metrics: &[SeriesStats]) -> Table {
    let governed = metrics.iter().any(is_of_the_governor);
    let heads = ["FUNCTION", "CALLS", "ERRORS", "%", "P50", "P99", "TOTAL", "TIMED", "CPU"];
    let mut table = Table::new(&heads[..if governed { 9 } else { 7 }]);
    let mut by_time: Vec<&FunctionStats> = functions.iter().collect();
    by_time.sort_by(|a, b| b.total_ms.total_cmp(&a.total_ms));
    for f in by_time {
        let mut row = vec![
            f.function.clone(),
            count(f.calls),
            count(f.errors),
            percent(f.errors, f.calls),
            duration(f.p50_ms),
            duration(f.p99_ms),
            duration(f.total_ms),
        ];
        let told = |name: &str| told_of(metrics, name, &f.function);
        row.extend(governed.then(|| told("ops_sdk.timed_every").map_or_else(String::new, one_in)));
        row.extend(
            governed.then(|| told("ops_sdk.overhead").map_or_else(String::new, |p| format!("{p:.2} %"))),
        );
        table.row(row);
    }
    table
}

/// Whether a series is one of those by which the governor tells of a function.
fn is_of_the_governor(series: &SeriesStats) -> bool {
    matches!(series.name.as_str(), "ops_sdk.timed_every" | "ops_sdk.overhead")
        && series.dimensions.iter().any(|(name, _)| name == "Function")
}

/// What the governor told last of a function, by any process.
fn told_of(metrics: &[SeriesStats], name: &str, function: &str) -> Option<f64> {
    let is_it = |series: &&SeriesStats| {
        series.name == name
            && series.dimensions.iter().any(|(key, value)| key == "Function" && value == function)
    };
    metrics.iter().filter(is_it).max_by_key(|series| series.last_window_ms)?.last
}

fn one_in(n: f64) -> String {
    if n > 1.0 { format!("1 in {n}") } else { "all".to_owned() }
}

/// One table for each kind of metric. Dimensions that every series has are said once.
fn metrics(all: &[SeriesStats], colour: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let metrics: Vec<&SeriesStats> =
        all.iter().filter(|series| !is_of_a_function(series) && !is_of_the_governor(series)).collect();
    let shared = shared_dimensions(all);
    let mut counters = Table::new(&["COUNTER", "TOTAL"]);
    let mut gauges = Table::new(&["GAUGE", "LAST", "MIN", "MAX"]);
    let mut histograms = Table::new(&["HISTOGRAM", "COUNT", "P50", "P99", "MAX", "SUM"]);
    for series in metrics {
        let value = |value: f64| human::value(value, &series.unit);
        let name = name(series, &shared);
        match series.kind {
            SeriesKind::Counter => counters.row(vec![name, value(series.sum)]),
            SeriesKind::Gauge => {
                let last = series.last.unwrap_or_default();
                gauges.row(vec![name, value(last), value(series.min), value(series.max)]);
            }
            SeriesKind::Histogram => {
                let (p50, p99) = (series.p50.unwrap_or_default(), series.p99.unwrap_or_default());
                let told = [p50, p99, series.max, series.sum].map(value);
                histograms.row([vec![name, count(series.count)], told.to_vec()].concat());
            }
        }
    }
    for table in [counters, gauges, histograms] {
        table.write(colour, out)?;
    }
    if !shared.is_empty() {
        writeln!(out, "on every metric: {}\n", pairs(&shared))?;
    }
    Ok(())
}

/// Whether a series is one of the three of an `#[instrumented]` function.
fn is_of_a_function(series: &SeriesStats) -> bool {
    matches!(series.name.as_str(), "calls" | "errors" | "duration")
        && series.dimensions.iter().any(|(name, _)| name == "Function")
}

fn shared_dimensions(all: &[SeriesStats]) -> Vec<(String, String)> {
    let Some(first) = all.first() else { return Vec::new() };
    let on_all = |pair: &&(String, String)| {
        pair.0 != "Function" && all.iter().all(|series| series.dimensions.contains(pair))
    };
    if all.len() < 2 { Vec::new() } else { first.dimensions.iter().filter(on_all).cloned().collect() }
}

fn name(series: &SeriesStats, shared: &[(String, String)]) -> String {
    let own: Vec<_> = series.dimensions.iter().filter(|pair| !shared.contains(pair)).cloned().collect();
    if own.is_empty() { series.name.clone() } else { format!("{} {}", series.name, pairs(&own)) }
}

fn pairs(dimensions: &[(String, String)]) -> String {
    let pairs: Vec<String> = dimensions.iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join(" ")
}

/// The largest of each histogram and the slowest call of each function, with the correlation that finds its log events:
/// `ops logs --search ID`.
fn exemplars(read: &Read) -> Table {
    let shared = shared_dimensions(&read.metrics);
    let mut table = Table::new(&["LARGEST OF", "VALUE", "CORRELATION_ID"]);
    let calls = read.functions.iter().map(|f| (f.exemplar, f.function.clone(), duration(f.max_ms)));
    let histograms = read.metrics.iter().filter(|series| !is_of_a_function(series));
    let samples = histograms.map(|s| (s.exemplar, name(s, &shared), human::value(s.max, &s.unit)));
    for (exemplar, name, value) in calls.chain(samples) {
        if let Some(exemplar) = exemplar {
            table.row(vec![name, value, hex(exemplar)]);
        }
    }
    table
}

fn hex(exemplar: u128) -> String {
    format!("{exemplar:032x}")
}

fn levels(levels: &[(Level, u64)]) -> Table {
    let mut table = Table::new(&["LEVEL", "LOG LINES"]);
    levels.iter().for_each(|(level, n)| table.row(vec![level.name().to_owned(), count(*n)]));
    table
}

fn books(rows: &[LedgerRow], colour: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let mut processes: Vec<&str> = rows.iter().map(|row| row.process.as_str()).collect();
    processes.dedup();
    let shown = &processes[..processes.len().min(PROCESSES_SHOWN)];
    let mut table =
        Table::new(&["BOOKS OF BACKEND", "RECORDED", "DELIVERED", "PENDING", "DEAD", "DROPPED", "PROCESS"]);
    let mut reasons = Vec::new();
    for row in rows.iter().filter(|row| row.recorded > 0 && shown.contains(&row.process.as_str())) {
        let numbers =
            [row.recorded, row.delivered, row.pending, row.dead_lettered, row.dropped_total()].map(count);
        let name = format!("{} {}", row.backend, row.signal);
        let said = |(why, n): &(String, u64)| format!("{name}: {} {}", count(*n), said(why));
        reasons.extend(row.dropped.iter().map(said));
        let process = row.process.chars().take(8).collect();
        table.row([vec![name], numbers.to_vec(), vec![process]].concat());
    }
    table.write(colour, out)?;
    reasons.iter().try_for_each(|reason| writeln!(out, "{reason}"))?;
    match processes.len() - shown.len() {
        0 => {}
        older => writeln!(out, "{older} processes before these: SELECT * FROM v_ledger")?,
    }
    Ok(())
}

/// What happened as an operator reads it; as it stands where a later version of the SDK wrote it.
fn said(why: &str) -> String {
    match Loss::ALL.iter().find(|loss| loss.name() == why) {
        Some(loss) if loss.is_asked_for() => format!("withheld, {}", loss.said()),
        Some(loss) => format!("dropped, {}", loss.said()),
        None => format!("dropped, {why}"),
    }
}

fn as_json(store: &Store, read: &Read) -> Json {
    let functions: Vec<Json> = read.functions.iter().map(function_json).collect();
    let metrics: Vec<Json> = read.metrics.iter().map(series_json).collect();
    let levels: serde_json::Map<String, Json> =
        read.levels.iter().map(|(level, n)| (level.name().to_owned(), json!(n))).collect();
    let books: Vec<Json> = read.books.iter().map(book_json).collect();
    json!({
        "store": store.path(),
        "functions": functions,
        "metrics": metrics,
        "log_lines": levels,
        "books": books,
    })
}

fn function_json(f: &FunctionStats) -> Json {
    json!({
        "function": f.function, "calls": f.calls, "errors": f.errors,
        "p50_ms": f.p50_ms, "p99_ms": f.p99_ms, "max_ms": f.max_ms, "total_ms": f.total_ms,
        "exemplar": f.exemplar.map(hex),
    })
}

fn series_json(s: &SeriesStats) -> Json {
    let dimensions: serde_json::Map<String, Json> =
        s.dimensions.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    json!({
        "name": s.name, "kind": s.kind.name(), "unit": s.unit, "dimensions": dimensions,
        "count": s.count, "sum": s.sum, "min": s.min, "max": s.max, "last": s.last,
        "p50": s.p50, "p99": s.p99, "exemplar": s.exemplar.map(hex), "last_window": rfc3339(s.last_window_ms.saturating_mul(1_000_000)),
    })
}

fn book_json(row: &LedgerRow) -> Json {
    let dropped: serde_json::Map<String, Json> =
        row.dropped.iter().map(|(why, n)| (why.clone(), json!(n))).collect();
    json!({
        "process": row.process, "backend": row.backend, "signal": row.signal.name(),
        "recorded": row.recorded, "delivered": row.delivered, "pending": row.pending,
        "dead_lettered": row.dead_lettered, "dropped": dropped,
        "updated": rfc3339(row.updated_ms.saturating_mul(1_000_000)),
    })
}
