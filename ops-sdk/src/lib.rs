//! Operations for Rust services, embedded: one attribute on a function, and its calls, errors and latencies arrive
//! where operators look; a few macros, and so do metrics and structured logs.
//!
//! ```no_run
//! use ops_sdk::prelude::*;
//!
//! #[instrumented] // calls, errors, duration by Function
//! fn charge(amount: u32) -> Result<u32, String> {
//!     if amount == 0 { Err("nothing to charge".to_owned()) } else { Ok(amount) }
//! }
//!
//! fn main() -> Result<(), ops_sdk::Error> {
//!     let _ops = ops_sdk::init().namespace("Shop").dimension("Service", "checkout").start()?;
//!     let (region, queue) = ("eu-west-1", vec![1, 2, 3]);
//!     if let Ok(amount) = charge(42) {
//!         counter!("orders.accepted", 1, "Region" => region);
//!         info!("charged {amount}", amount, order.id = 7);
//!     }
//!     gauge!("queue.depth", queue.len());
//!     histogram!("payload", 1432, unit = Bytes);
//!     Ok(())
//! } // the guard flushes within its deadline and says what is left
//! ```
//!
//! # Promises
//!
//! - The caller never waits: no lock, no allocation, no system call in a warm call, whatever the backends do.
//! - Counts are exact: an increment is an addition in place, never a message.
//! - The books balance: for each backend and kind of record, `recorded = delivered + pending + dead_lettered + dropped`
//!   ([`Ops::stats`]), and everything that is dropped has a reason ([`ledger::Loss`]).
//! - An event over a limit is split into parts that [`parts::join`] puts together again, byte for byte.
//! - A slow or dead backend harms only itself.
//!
//! # Backends
//!
//! With no backend named, records go to the embedded local store, an SQLite file ([`store`] reads it back). Others are
//! features (`cloudwatch`, `cloudwatch-logs`, `emf`), named by `OPS_BACKENDS` or [`Builder::backend`]. One of your own
//! is an implementation of [`backend::Backend`].
//!
//! # Libraries
//!
//! A library may use the macros without ever calling [`init`]: nothing is recorded, evaluated or buffered until a
//! program starts recording.
#![deny(unsafe_code)]

mod aggregate;
pub mod backend;
pub mod chunk;
#[cfg(feature = "cli")]
pub mod cli;
pub mod clock;
mod crc;
mod diag;
pub mod encode;
pub mod error;
mod flush;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod hub;
pub mod journal;
pub mod ledger;
pub mod limits;
mod lock;
pub mod model;
pub mod net;
mod record;
mod route;
mod setup;
mod ship;
mod signal;
#[cfg(feature = "local")]
pub mod store;

pub use crate::chunk::parts;
pub use crate::error::Error;
pub use crate::journal::Durability;
pub use crate::model::{Level, Unit};
pub use crate::record::{
    Amount, Counted, DimensionValue, Dimensions, Ending, FieldValue, KnownValue, Measure, Outcome, Record,
    Recording, Timer, Valued,
};
pub use crate::record::{
    Correlate, Correlation, CorrelationId, Entered, Traceparent, TraceparentError, Within,
};
pub use crate::record::{Hold, Secret, hold_back as hold, redact};
pub use crate::route::Route;
pub use crate::setup::{BackendReport, Builder, FlushReport, Ops, Stats, init};
#[cfg(feature = "macros")]
pub use ops_sdk_macros::{
    Dimensions, Outcome, Record, counter, debug, error, gauge, histogram, info, instrumented, trace, warn,
};

/// What the macros expand to. Not for direct use: it changes without notice.
#[doc(hidden)]
pub mod __private {
    pub use crate::model::{Level, Resolution, Unit};
    pub use crate::record::{
        Amount, AnyOutcome, Arg, AskedOutcome, Call, DimensionValue, Ending, FieldValue, Held, InFlight,
        Kind, Label, Logged, Measure, Measured, Outcome, Piece, Probe, Returning, Site, Source, Tracked,
        count, count_by, enabled, enter, enter_on, err_if, event, event_of, hold, logged, none_is, observe,
        observe_by, ok_if, on, once, probe, returning, set, set_by, track, untracked,
    };
    pub use crate::record::{
        Budget, Dimensions, End, Fixed, Id, KnownValue, One, SERIES_MAX, Series, Shown, Spread, Values, With,
        count_in, fits, in_series, joined, known, known_values, observe_in, set_in, shown, spread, track_in,
    };
    pub use crate::record::{
        Busy, Context, Correlate, Correlation, Limiter, Within, Work, busy, passes, unit, within,
    };
    pub use crate::record::{
        Counted, Part, Record, Sample, Valued, flattens, log_dimensions, log_keys, parts, sites,
    };
}

/// Everything that a program which records needs in scope.
pub mod prelude {
    pub use crate::{Correlation, Secret, redact};
    #[cfg(feature = "macros")]
    pub use crate::{
        Dimensions, Outcome, Record, counter, debug, error, gauge, histogram, info, instrumented, trace, warn,
    };
}
