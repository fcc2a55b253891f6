//! Operations for Rust services.
#![deny(unsafe_code)]

pub mod chunk;
pub mod clock;
mod diag;
pub mod error;
pub mod ledger;
pub mod limits;
pub mod model;
pub mod net;
mod record;
mod setup;
mod ship;
mod signal;

mod aggregate;
pub mod backend;
#[cfg(feature = "cli")]
pub mod cli;
pub mod encode;
mod flush;
mod hub;
pub mod journal;
#[cfg(feature = "local")]
pub mod store;

pub use crate::chunk::parts;
pub use crate::error::Error;
pub use crate::model::{Level, Unit};
pub use crate::record::{Amount, DimensionValue, FieldValue, Measure};
pub use crate::setup::{BackendReport, Builder, FlushReport, Ops, Stats, init};
#[cfg(feature = "macros")]
pub use ops_sdk_macros::{counter, debug, error, gauge, histogram, info, instrumented, trace, warn};

/// What the macros expand to. Not for direct use: it changes without notice.
#[doc(hidden)]
pub mod __private {
    pub use crate::model::{Level, Resolution, Unit};
    pub use crate::record::{
        Amount, AnyOutcome, Arg, Call, DimensionValue, FieldValue, Kind, Label, Measure, Piece, Probe,
        Returning, Site, Source, count, count_by, enabled, enter, event, observe, observe_by, on, once,
        probe, returning, set, set_by,
    };
}

/// Everything that a program which records needs in scope.
pub mod prelude {
    #[cfg(feature = "macros")]
    pub use crate::{counter, debug, error, gauge, histogram, info, instrumented, trace, warn};
}
