//! What a macro does when it runs.

mod arg;
mod outcome;
mod site;

pub use self::arg::{Amount, Arg, DimensionValue, FieldValue, Label, Measure};
pub use self::outcome::{AnyOutcome, Probe, Returning, once, probe, returning};
pub use self::site::{Kind, Piece, Site, Source};

use crate::model::Level;

/// Whether anything is recorded at all.
#[inline]
pub fn on() -> bool { false }
/// Whether events of this level are recorded.
#[inline]
pub fn enabled(_level: Level) -> bool { false }
/// Counts.
pub fn count(_site: &'static Site, _n: u64) {}
/// Counts, with dimensions.
pub fn count_by(_site: &'static Site, _n: u64, _labels: &[Label<'_>]) {}
/// Sets a gauge.
pub fn set(_site: &'static Site, _value: f64) {}
/// Sets a gauge, with dimensions.
pub fn set_by(_site: &'static Site, _value: f64, _labels: &[Label<'_>]) {}
/// Observes a value.
pub fn observe(_site: &'static Site, _value: f64) {}
/// Observes a value, with dimensions.
pub fn observe_by(_site: &'static Site, _value: f64, _labels: &[Label<'_>]) {}
/// Records an event.
pub fn event(_site: &'static Site, _values: &[Arg<'_>]) {}
/// A call in progress.
#[must_use]
pub struct Call(());
/// Starts a call.
pub fn enter(_site: &'static Site) -> Call { Call(()) }
impl Call {
    /// Ends it.
    pub fn done(self, _is_error: bool) {}
}
