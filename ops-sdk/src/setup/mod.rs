//! From `ops_sdk::init()` to a guard that flushes when it is dropped: settings from the environment and the builder,
//! checked with errors that name the setting and the remedy; then arena, journal and threads.

mod builder;
mod check;
mod chosen;
mod env;
mod file;
mod ops;
mod panics;
mod placed;
mod report;
mod routes;
mod siblings;
#[cfg(unix)]
mod signals;
#[cfg(not(unix))]
#[path = "signals_none.rs"]
mod signals;
mod spool;
mod start;

pub use self::builder::{Builder, init};
pub use self::ops::Ops;
pub use self::report::{BackendReport, FlushReport, Stats};
