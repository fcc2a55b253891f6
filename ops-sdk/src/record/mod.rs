//! What a macro does when it runs: an addition to a cell of its own thread, or some bytes into a ring of its own
//! thread. Never a lock, an allocation or a system call once warm; never a wait; never a failure. What cannot be
//! recorded is counted. The flush thread reads what is there through [`Reader`].
//!
//! A signal handler may use the macros on a thread that has recorded before: nothing hangs, and an event of less than
//! 1 KiB arrives or is counted as dropped. A metric that it records while the interrupted thread is in the middle of the
//! same series may be lost, since a cell has one writer; and a longer event takes the heap where the ring is full.
//!
//! This is the only floor with `unsafe`: the arena's memory is reached by offsets, so that it can be a mapped file.
#![allow(unsafe_code)]

mod arena;
mod arg;
mod budget;
mod busy;
mod call;
mod catalog;
mod cell;
pub(crate) mod child;
mod context;
mod correlation;
mod cost;
mod dense;
mod dimensions;
mod drain;
mod event;
mod expire;
mod fields;
mod frame;
mod hot;
mod in_flight;
pub(crate) mod keep;
mod label;
mod lane;
mod limiter;
mod logged;
pub(crate) mod losses;
mod metric;
mod outcome;
mod overflow;
mod prefix;
mod reader;
mod registry;
mod remains;
mod ring;
mod room;
mod rules;
mod sample;
mod secret;
mod series;
mod shelf;
mod site;
pub(crate) mod stamp;
mod switch;
#[cfg_attr(ops_model, path = "../../../tests/models/src/sync.rs")]
mod sync;
pub(crate) mod system;
mod taking;
#[cfg(test)]
mod tests;
mod told;
mod tracked;
mod unit;
mod work;

pub(crate) use self::arena::Arena;
pub use self::arg::{Amount, Arg, DimensionValue, FieldValue, Label, Measure};
pub use self::budget::{Budget, fits, joined, known};
pub use self::busy::{Busy, busy};
pub use self::call::{Call, enter, enter_on};
#[cfg(test)]
pub(crate) use self::cell::GaugeDelta;
pub use self::context::{Context, Entered, Within, within};
pub use self::correlation::{Correlate, Correlation, CorrelationId, Traceparent, TraceparentError};
pub(crate) use self::cost::{Cost, cost};
pub use self::dense::{Series, count_in, in_series, observe_in, set_in};
pub use self::dimensions::{
    Dimensions, End, Fixed, Id, KnownValue, One, SERIES_MAX, Shown, Spread, Values, With,
};
pub use self::dimensions::{known_values, shown, spread};
pub use self::event::{event, event_of};
pub(crate) use self::expire::set_series_idle_max;
#[cfg(test)]
use self::frame::Frame;
pub(crate) use self::frame::{read_into, read_value};
pub use self::in_flight::InFlight;
pub(crate) use self::in_flight::Levels;
pub(crate) use self::lane::{mute, set_ring_bytes, take_now as take_lane_now};
pub(crate) use self::limiter::take as take_held_back;
pub use self::limiter::{Limiter, passes};
pub use self::logged::{Held, Logged, hold, logged};
pub use self::metric::{count, count_by, observe, observe_by, set, set_by};
pub use self::outcome::{
    AnyOutcome, AskedOutcome, Ending, Measured, Outcome, Probe, Returning, once, probe, returning,
};
pub use self::outcome::{err_if, none_is, ok_if};
pub(crate) use self::overflow::set_bytes_max as set_overflow_bytes_max;
pub(crate) use self::prefix::{correlated, unit_of};
pub(crate) use self::reader::{Calls, Reader, Taken, pending_events};
pub(crate) use self::remains::{Found, Remains};
pub(crate) use self::rules::Rules;
pub use self::secret::{Secret, redact};
pub(crate) use self::series::{OVERFLOW, set_series_max};
pub(crate) use self::shelf::Shelf;
pub use self::site::{Kind, Piece, Site, Source};
pub use self::switch::{enabled, on};
pub(crate) use self::switch::{turn_off, turn_on};
pub(crate) use self::taking::Taking;
pub use self::tracked::{Tracked, track, track_in, untracked};
pub(crate) use self::unit::{Ended, ended};
pub use self::unit::{Hold, Work, hold as hold_back, unit};
pub use self::work::{
    Counted, Part, Record, Recording, Sample, Timer, Valued, flattens, log_dimensions, log_keys, parts, sites,
};
