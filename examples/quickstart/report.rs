//! What an operator wants to see of a run, read back from the local store.

use ops_sdk::store::{LogQuery, LogRow, Store, default_path};
use ops_sdk::{Error, Level};

const SLOWEST: usize = 5;

/// Prints functions, the slowest files and log lines by level, and how to look further. Prints nothing when the run
/// was shipped elsewhere.
pub(crate) fn print() -> Result<(), Error> {
    let shipped_elsewhere = std::env::var("OPS_BACKENDS")
        .is_ok_and(|names| !names.is_empty() && !names.split(',').any(|name| name.trim() == "local"));
    if shipped_elsewhere {
        return Ok(());
    }
    let store = Store::open(default_path())?.last_process()?;
    functions(&store)?;
    slowest_files(&store)?;
    log_lines(&store)?;
    let path = store.path().display();
    println!("store: {path}");
    println!("  cargo run -p ops-sdk --features cli -- stats --store {path}");
    println!("  cargo run -p ops-sdk --features cli -- logs --level warn --store {path}");
    println!("  sqlite3 {path} 'SELECT * FROM v_functions'\n");
    Ok(())
}

fn functions(store: &Store) -> Result<(), Error> {
    println!("{:<28}{:>8}{:>8}{:>11}{:>11}{:>11}", "function", "calls", "errors", "p50", "p99", "total");
    for f in store.functions()? {
        let times = [f.p50_ms, f.p99_ms, f.total_ms].map(|ms| format!("{:>11}", time(ms))).concat();
        println!("{:<28}{:>8}{:>8}{times}", f.function, f.calls, f.errors);
    }
    println!();
    Ok(())
}

fn slowest_files(store: &Store) -> Result<(), Error> {
    let all = LogQuery { target_prefix: Some("quickstart".into()), limit: usize::MAX, ..LogQuery::default() };
    let of_a_file = |row: &LogRow| row.level == Level::Info && row.number("ms").is_some();
    let mut rows: Vec<LogRow> = store.logs(&all)?.into_iter().filter(of_a_file).collect();
    let ms = |row: &LogRow| row.number("ms").unwrap_or(0.0);
    rows.sort_by(|a, b| ms(b).total_cmp(&ms(a)));
    println!("slowest files");
    for row in rows.iter().take(SLOWEST) {
        println!("{:>11}  {}", time(ms(row)), row.message.trim_start_matches("read "));
    }
    println!();
    Ok(())
}

fn log_lines(store: &Store) -> Result<(), Error> {
    let levels: Vec<String> = store.log_levels()?.iter().map(|(level, n)| format!("{level} {n}")).collect();
    println!("log lines: {}\n", levels.join(", "));
    Ok(())
}

/// Milliseconds with a unit that leaves three figures to read.
fn time(ms: f64) -> String {
    match ms {
        ms if ms < 0.001 => format!("{:.0} ns", ms * 1e6),
        ms if ms < 1.0 => format!("{:.1} µs", ms * 1e3),
        ms if ms < 1000.0 => format!("{ms:.1} ms"),
        ms => format!("{:.2} s", ms / 1e3),
    }
}
