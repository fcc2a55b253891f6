//! The contract of the seam: what every backend has to keep to, whatever its service. One [`Case`] says how a backend
//! is opened, how what it writes is read and what its server answers; the checks are the same for all.
//!
//! To add a backend: a file beside this one with `pub fn case() -> Case`, and its line in `cases.rs`.
//!
//! A check returns what is wrong, one text for each thing, and never stops at the first.

mod case;
mod cases;
mod cloudsearch;
mod cloudwatch;
mod cloudwatch_logs;
mod datadog;
mod deliver;
mod dogstatsd;
mod elasticsearch;
mod emf;
mod encode;
mod file;
mod firehose;
mod judge;
mod kafka;
mod kinesis;
mod limits;
mod local;
mod mackerel;
mod open;
mod otlp;
mod prometheus;
mod records;
mod s3;
mod secrets;
mod sensu;
mod splunk;
mod syslog;
mod webhook;

pub use self::case::{Case, HttpCase, Partly, Read, SECRET, Success, Talk, all_but_metrics, same};
pub use self::cases::all;
pub use self::deliver::{nothing_twice, one_push_for_each};
pub use self::encode::{reads_back, takes_any};
pub use self::judge::judged;
pub use self::limits::within_limits;
pub use self::records::{HOSTILE, PROCESS};
pub use self::secrets::{kept_by_a_program, kept_by_settings};

/// The backends that are compiled in and have no case.
#[must_use]
pub fn missing() -> Vec<&'static str> {
    let cases: Vec<_> = all().iter().map(|case| case.name).collect();
    let compiled_in = ops_sdk::backend::known().iter().filter(|(_, compiled_in)| *compiled_in);
    compiled_in.map(|(name, _)| *name).filter(|name| !cases.contains(name)).collect()
}
