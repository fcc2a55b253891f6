//! The arguments of `ops`, and its help.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};

use super::dead_letter::DeadLetter;
use super::human;
use crate::model::Level;

const AFTER_HELP: &str = "\
The store:
  --store PATH, else OPS_LOCAL_PATH, else store.db in OPS_STATE_DIR, else
  .ops/store.db in the current directory. It is an SQLite file and is only
  read; programs may write to it meanwhile:
    sqlite3 .ops/store.db 'SELECT * FROM v_functions'

Examples:
  ops stats                               calls, errors, p50 and p99
  ops logs --level warn --since 10m       what went wrong lately
  ops logs --search 'timeout order*'      full text
  ops tail --target shop::checkout        as it happens

Exit codes:
  0  done
  1  the store, the file or an event could not be read, or not all was
     shipped; stderr says why
  2  the arguments mean nothing";

/// Reads the local store of programs that record with ops-sdk.
#[derive(Debug, Parser)]
#[command(name = "ops", version, after_help = AFTER_HELP)]
pub(super) struct Args {
    /// The store's file
    #[arg(long, global = true, value_name = "PATH", display_order = 100)]
    pub(super) store: Option<PathBuf>,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Functions, metrics, log lines by level, and the books
    Stats(Stats),
    /// Log events, the newest last
    Logs(Logs),
    /// The newest log events, then each as it arrives, until Ctrl-C
    Tail(Tail),
    /// Puts over-long events together again from their parts
    Join(Join),
    /// Ships what a state directory holds, without recording anything
    Ship(Ship),
    /// Brings what a killed process recorded last to its journal
    Recover(Recover),
    /// What servers refused: list it, export it, have it sent again
    DeadLetter(DeadLetter),
}

/// Functions, metrics, log lines by level, and the books.
///
/// A function's line has its calls, those that failed, and how long they took:
/// half of them no longer than P50, 99 of 100 no longer than P99 (within 1 %).
/// The books say for each process, backend and kind of record where every
/// record is: recorded = delivered + pending + dead-lettered + dropped.
#[derive(Debug, Default, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Stats {
    /// Only what happened within this time: 90s, 10m, 2h, 7d
    #[arg(long, value_name = "AGE", value_parser = human::parse_age)]
    pub(super) since: Option<Duration>,
    /// One JSON object instead of tables
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Default, clap::Args)]
pub(super) struct Filter {
    /// This level and weightier ones: error, warn, info, debug, trace
    #[arg(long, value_name = "LEVEL")]
    pub(super) level: Option<Level>,
    /// Modules whose path begins so: shop::checkout
    #[arg(long, value_name = "PREFIX")]
    pub(super) target: Option<String>,
    /// All of these words; "quoted words" in a row, begin* for a prefix
    #[arg(long, value_name = "WORDS")]
    pub(super) search: Option<String>,
    /// One JSON object a line
    #[arg(long)]
    pub(super) json: bool,
}

/// Log events, the newest last: time in UTC, level, module, message, fields.
#[derive(Debug, Default, clap::Args)]
#[command(after_help = "\
Examples:
  ops logs --level warn --since 1h
  ops logs --target shop::checkout --search '\"no reply\" payment*'
  ops logs --limit 100000 --json | jq -r .fields.path")]
pub(super) struct Logs {
    #[command(flatten)]
    pub(super) filter: Filter,
    /// Only events within this time: 90s, 10m, 2h, 7d
    #[arg(long, value_name = "AGE", value_parser = human::parse_age)]
    pub(super) since: Option<Duration>,
    /// Only events before this time ago
    #[arg(long, value_name = "AGE", value_parser = human::parse_age)]
    pub(super) until: Option<Duration>,
    /// At most this many, the newest
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(super) limit: usize,
}

/// The newest log events, then each as it arrives, until Ctrl-C.
#[derive(Debug, Default, clap::Args)]
#[command(after_help = "\
Examples:
  ops tail --level warn
  ops tail --lines 0 --search timeout --json")]
pub(super) struct Tail {
    #[command(flatten)]
    pub(super) filter: Filter,
    /// Begin with this many that are there already
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(super) lines: usize,
    /// Nothing: ops tail always follows. For those whose fingers type it
    #[arg(short = 'f', hide = true)]
    pub(super) follow: bool,
}

/// Puts over-long events together again from their parts.
///
/// A service takes events up to a size; a longer one is sent as numbered parts
/// ("@ops.part v1 id=… part=2/5 … | …"). This reads one event or part a line,
/// or a JSON array of texts, and writes one event a line: parts put together,
/// byte for byte, everything else as it is. What cannot be put together is
/// named on stderr with the parts that are missing, and the exit code is 1.
///
///   aws logs filter-log-events --log-group-name /shop \
///     --query 'events[].message' --output json | ops join
#[derive(Debug, Default, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Join {
    /// The file to read; standard input when none is given
    #[arg(value_name = "FILE")]
    pub(super) file: Option<PathBuf>,
}

/// Ships what a state directory holds, without recording anything.
///
/// For a directory whose program is gone or will not start again. The backends
/// and their settings are those of the program: OPS_BACKENDS, OPS_NAMESPACE,
/// AWS_REGION … What waits for a backend that is not named stays there. Prints
/// how many records were delivered, are kept and were dropped, by backend; the
/// exit code is 1 if some still wait for a backend that was named.
#[derive(Debug, clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "\
Examples:
  OPS_BACKENDS=cloudwatch-logs AWS_REGION=eu-west-1 ops ship /var/lib/shop
  OPS_BACKENDS=emf ops ship --deadline 5s /var/lib/shop/3 >> emf.log"
)]
pub(super) struct Ship {
    /// The directory: OPS_STATE_DIR, or a number within OPS_STATE_PARENT
    #[arg(value_name = "DIR")]
    pub(super) dir: PathBuf,
    /// How long it may take: 5s, 2m
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = human::parse_age)]
    pub(super) deadline: Duration,
}

/// Brings what a killed process recorded last to its journal.
///
/// A process with a state directory keeps what it records in DIR/arena until
/// its journal has it. One that was killed leaves the file, and the next
/// process that is started with DIR reads it by itself; this does the same
/// where none will be. What it finds is shipped by the next process with DIR.
#[derive(Debug, Default, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Recover {
    /// The state directory, as OPS_STATE_DIR names it
    #[arg(value_name = "DIR")]
    pub(super) dir: PathBuf,
}
