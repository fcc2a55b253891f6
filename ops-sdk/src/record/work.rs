//! Records of a unit of work: a struct whose fields are metrics, dimensions and fields of a log line, recorded once,
//! when the work is done. The derive says in constants what there is, in one list over all structs that are flattened
//! into one; from that the compiler makes the sites, and finds what does not fit together. At run time a record is
//! read once for its metrics and once for its line; nothing of it is kept or allocated.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use super::budget::{self, Budget};
use super::dimensions::Values;
use super::{Amount, Arg, Kind, Label, Measure, Series, Site, dense, metric};
use crate::clock::{self, Ticks};
use crate::model::{Resolution, Unit};

/// A unit of work that is recorded when it is done: a request, a job, a message. Derive it:
///
/// ```
/// use std::time::Duration;
///
/// use ops_sdk::prelude::*;
///
/// #[derive(Record)]
/// #[record(prefix = "request.", rollup = [[]])]
/// struct Request {
///     #[record(dimension, name = "Operation")]
///     operation: &'static str,
///     #[record(histogram, unit = Bytes)]
///     size: usize,
///     #[record(histogram)]
///     took: Duration,
///     #[record(counter)]
///     retries: Option<u32>,
/// }
///
/// // Recorded when the guard is dropped, by whichever way.
/// let mut request =
///     Request { operation: "list", size: 0, took: Duration::ZERO, retries: None }.on_drop();
/// request.size = 1432;
/// drop(request);
///
/// Request { operation: "get", size: 7, took: Duration::from_millis(3), retries: Some(1) }.record();
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no record of a unit of work",
    label = "expected a type with `#[derive(Record)]`"
)]
pub trait Record {
    /// The metrics and fields, with those of what is flattened into it.
    #[doc(hidden)]
    const PARTS: &'static [Part];
    /// Whether it has dimensions of its own.
    #[doc(hidden)]
    const HAS_DIMENSIONS: bool;

    /// Hands each part that has a value to `sink`, with its number, counted from `first`.
    #[doc(hidden)]
    fn visit<'a>(&'a self, first: usize, sink: &mut impl FnMut(usize, Sample<'a>));

    /// Writes it down.
    #[doc(hidden)]
    fn write(&self);

    /// Records it: each metric once, by all the dimensions, and the log line, if it has one. A part that is `None` is
    /// left out.
    #[inline]
    fn record(self)
    where
        Self: Sized,
    {
        self.write();
    }

    /// A guard that records it when it is dropped, also by a panic. Until then its fields can be set through the guard.
    #[inline]
    fn on_drop(self) -> Recording<Self>
    where
        Self: Sized,
    {
        Recording { record: self, is_wanted: true }
    }
}

/// Recorded if it is there.
impl<R: Record> Record for Option<R> {
    const PARTS: &'static [Part] = R::PARTS;
    const HAS_DIMENSIONS: bool = R::HAS_DIMENSIONS;

    #[inline]
    fn visit<'a>(&'a self, first: usize, sink: &mut impl FnMut(usize, Sample<'a>)) {
        if let Some(record) = self {
            record.visit(first, sink);
        }
    }

    #[inline]
    fn write(&self) {
        if let Some(record) = self {
            record.write();
        }
    }
}

/// A record that is recorded when this is dropped. Derefs to the record.
#[must_use = "it is recorded as soon as this is dropped"]
#[derive(Debug)]
pub struct Recording<R: Record> {
    record: R,
    is_wanted: bool,
}

impl<R: Record> Recording<R> {
    /// Drops it without recording it.
    pub fn discard(mut self) {
        self.is_wanted = false;
    }
}

impl<R: Record> Deref for Recording<R> {
    type Target = R;

    #[inline]
    fn deref(&self) -> &R {
        &self.record
    }
}

impl<R: Record> DerefMut for Recording<R> {
    #[inline]
    fn deref_mut(&mut self) -> &mut R {
        &mut self.record
    }
}

impl<R: Record> Drop for Recording<R> {
    #[inline]
    fn drop(&mut self) {
        if self.is_wanted {
            self.record.write();
        }
    }
}

/// A time that is measured while a record is being filled: it runs from when it is made until [`Timer::stop`], or until
/// the record is recorded.
#[derive(Debug, Clone, Copy)]
pub struct Timer {
    start: Ticks,
    end: Option<Ticks>,
}

impl Timer {
    /// A timer that runs from now on.
    #[inline]
    #[must_use]
    pub fn start() -> Timer {
        Timer { start: clock::ticks(), end: None }
    }

    /// Stops it; one that has stopped stays as it is.
    #[inline]
    pub fn stop(&mut self) {
        self.end.get_or_insert_with(clock::ticks);
    }

    /// How long it ran.
    #[inline]
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        Duration::from_nanos(clock::nanos(self.start, self.end.unwrap_or_else(clock::ticks)))
    }
}

impl Measure for Timer {
    #[inline]
    fn measure(self, unit: Unit) -> f64 {
        self.elapsed().measure(unit)
    }
}

/// What a field marked `counter` can be: a number to count, or an `Option` of one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be counted",
    label = "a counter is a whole number, u8, u16, u32, u64 or usize, or an `Option` of one",
    note = "for values that go up and down use `gauge`, for sizes and durations `histogram`"
)]
pub trait Counted {
    /// How much.
    fn counted(&self) -> Option<u64>;
}

impl<T: Amount + Copy> Counted for T {
    #[inline]
    fn counted(&self) -> Option<u64> {
        Some(self.amount())
    }
}

impl<T: Counted> Counted for Option<T> {
    #[inline]
    fn counted(&self) -> Option<u64> {
        self.as_ref()?.counted()
    }
}

/// What a field marked `gauge` or `histogram` can be: a number, a duration, or an `Option` of one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a number that can be measured",
    label = "expected an integer, a float, a `Duration`, a `Timer`, or an `Option` of one"
)]
pub trait Valued {
    /// How much.
    fn valued(&self, unit: Unit) -> Option<f64>;
}

impl<T: Measure + Copy> Valued for T {
    #[inline]
    fn valued(&self, unit: Unit) -> Option<f64> {
        Some(self.measure(unit))
    }
}

impl<T: Valued> Valued for Option<T> {
    #[inline]
    fn valued(&self, unit: Unit) -> Option<f64> {
        self.as_ref()?.valued(unit)
    }
}

/// The value of one part.
#[derive(Clone, Copy)]
pub enum Sample<'a> {
    /// Of a counter.
    Count(u64),
    /// Of a gauge or a histogram.
    Value(f64),
    /// Of a field that is only logged.
    Field(Arg<'a>),
}

impl<'a> Sample<'a> {
    /// As a field of the log line.
    #[inline]
    #[must_use]
    pub fn arg(self) -> Arg<'a> {
        match self {
            Sample::Count(n) => Arg::U64(n),
            Sample::Value(value) => Arg::F64(value),
            Sample::Field(arg) => arg,
        }
    }

    /// Records it in the site of its part.
    #[inline]
    pub fn record(self, site: &'static Site) {
        match (self, site.kind) {
            (Sample::Count(n), _) => metric::count(site, n),
            (Sample::Value(value), Kind::Gauge) => metric::set(site, value),
            (Sample::Value(value), _) => metric::observe(site, value),
            (Sample::Field(_), _) => {}
        }
    }

    /// Records it in the site of its part, by these dimensions.
    #[inline]
    pub fn record_in<B: Budget, const N: usize, V: Values>(self, series: Series<B, N>, values: V) {
        match (self, series.site().kind) {
            (Sample::Count(n), _) => dense::count_in(series, n, values),
            (Sample::Value(value), Kind::Gauge) => dense::set_in(series, value, values),
            (Sample::Value(value), _) => dense::observe_in(series, value, values),
            (Sample::Field(_), _) => {}
        }
    }
}

/// Dimensions as fields of the log line, of which they are the first.
#[inline]
pub fn log_dimensions<'a, const N: usize, V: Values>(values: &'a V, args: &mut [Arg<'a>]) {
    for (arg, label) in args.iter_mut().zip(dense::labels::<N, _>(values)) {
        *arg = match label {
            Label::Str(text) => Arg::Str(text),
            Label::U64(n) => Arg::U64(n),
            Label::I64(n) => Arg::I64(n),
            Label::Bool(b) => Arg::Bool(b),
            Label::Display(value) => Arg::Display(value),
        };
    }
}

/// Bytes of a name: those of a metric.
const NAME_BYTES: usize = 255;

/// A metric or a field of a record, as the compiler knows it.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    name: [u8; NAME_BYTES],
    len: usize,
    /// `None` for a field that is only logged.
    metric: Option<(Kind, Unit, Resolution)>,
}

impl Part {
    const BLANK: Part = Part { name: [0; NAME_BYTES], len: 0, metric: None };

    /// A field that is only logged.
    #[must_use]
    pub const fn field(name: &str) -> Part {
        Part::BLANK.then(name)
    }

    /// A metric.
    #[must_use]
    pub const fn metric(name: &str, kind: Kind, unit: Unit, resolution: Resolution) -> Part {
        Part { metric: Some((kind, unit, resolution)), ..Part::BLANK.then(name) }
    }

    const fn then(mut self, text: &str) -> Part {
        let mut at = 0;
        while at < text.len() {
            assert!(self.len < NAME_BYTES, "with its prefix a name has more than 255 characters");
            self.name[self.len] = text.as_bytes()[at];
            (self.len, at) = (self.len + 1, at + 1);
        }
        self
    }

    const fn name(&self) -> &str {
        let (name, _) = self.name.split_at(self.len);
        match str::from_utf8(name) {
            Ok(name) => name,
            Err(_) => "", // it was put together from whole texts
        }
    }
}

/// The parts of a record and of those that are flattened into it, each with the prefix of its names.
///
/// # Panics
///
/// While compiling, if a name becomes too long, or `N` is not the number of parts.
#[must_use]
pub const fn parts<const N: usize>(groups: &[(&str, &[Part])]) -> [Part; N] {
    let (mut all, mut len, mut group) = ([Part::BLANK; N], 0, 0);
    while group < groups.len() {
        let (prefix, parts) = groups[group];
        let mut at = 0;
        while at < parts.len() {
            all[len] = Part { metric: parts[at].metric, ..Part::BLANK.then(prefix).then(parts[at].name()) };
            (len, at) = (len + 1, at + 1);
        }
        group += 1;
    }
    assert!(len == N);
    all
}

/// A site for each part, as `like` but for what the part says itself.
///
/// # Panics
///
/// While compiling, if `N` is not the number of parts.
#[must_use]
pub const fn sites<const N: usize>(parts: &'static [Part], like: &Site) -> [Site; N] {
    let mut all = [const { Site::new(Kind::Counter, "", Site::NOWHERE) }; N];
    let mut at = 0;
    while at < N {
        let (name, metric) = (parts[at].name(), parts[at].metric);
        all[at] = match metric {
            Some((kind, unit, resolution)) => {
                Site::new(kind, name, like.source).unit(unit).resolution(resolution).told_as(like)
            }
            None => Site::new(Kind::Event(crate::model::Level::Trace), name, like.source),
        };
        at += 1;
    }
    all
}

/// The keys of the log line: the dimensions, then the parts.
///
/// # Panics
///
/// While compiling, if `N` is not the number of them.
#[must_use]
pub const fn log_keys<const N: usize>(
    dimensions: &[&'static str],
    parts: &'static [Part],
) -> [&'static str; N] {
    let (mut keys, mut at) = ([""; N], 0);
    while at < N {
        keys[at] = if at < dimensions.len() { dimensions[at] } else { parts[at - dimensions.len()].name() };
        at += 1;
    }
    keys
}

/// Fields that an event has at most, as the log macros know it.
const FIELDS_MAX: usize = 64;
/// The keys that belong to the event itself.
const RESERVED: [&str; 6] = ["time", "level", "target", "message", "id", "file"];

/// Fails the compilation where what is flattened into a record does not fit behind the parts before it.
///
/// # Panics
///
/// While compiling, if so.
#[track_caller]
pub const fn flattens<R: Record>(all: &'static [Part], before: usize, dimensions: &[&str], is_logged: bool) {
    assert!(
        !R::HAS_DIMENSIONS,
        "what is flattened has the dimensions of the record around it, and none of its own"
    );
    let end = before + R::PARTS.len();
    assert!(!is_logged || end + dimensions.len() <= FIELDS_MAX, "a log line has at most 64 fields");
    let mut at = before;
    while at < end {
        let name = all[at].name();
        if is_one_of(name, all, before) {
            budget::refuse("there is a part \"", name, "\" already: give one of them a prefix");
        }
        if is_logged && budget::has(&[dimensions], name) {
            budget::refuse("there is a dimension \"", name, "\" already: give the part a prefix");
        }
        if is_logged && budget::has(&[&RESERVED], name) {
            budget::refuse("the key \"", name, "\" belongs to the log line itself: give the part a prefix");
        }
        at += 1;
    }
}

/// Whether one of the first `count` parts has this name.
const fn is_one_of(name: &str, parts: &[Part], count: usize) -> bool {
    let mut at = 0;
    while at < count {
        if budget::same(parts[at].name(), name) {
            return true;
        }
        at += 1;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARTS: [Part; 2] =
        [Part::metric("n", Kind::Counter, Unit::Bytes, Resolution::High), Part::field("id")];
    static ALL: [Part; 4] = parts(&[("", &PARTS), ("inner.", &PARTS)]);
    static SITES: [Site; 4] =
        sites(&ALL, &Site::new(Kind::Counter, "", Site::NOWHERE).keys(&["Region"]).series_max(7));

    #[test]
    fn the_compiler_puts_names_and_sites_together() {
        assert_eq!(ALL.each_ref().map(Part::name), ["n", "id", "inner.n", "inner.id"]);
        assert_eq!(log_keys::<5>(&["Region"], &ALL), ["Region", "n", "id", "inner.n", "inner.id"]);
        let site = &SITES[2];
        assert_eq!((site.name, site.unit, site.resolution), ("inner.n", Unit::Bytes, Resolution::High));
        assert_eq!((site.keys, site.series_max), (&["Region"][..], 7));
    }

    #[test]
    fn a_timer_runs_until_it_is_stopped() {
        let mut timer = Timer::start();
        let first = timer.elapsed();
        timer.stop();
        let stopped = timer.elapsed();
        assert!(first <= stopped);
        timer.stop();
        assert_eq!(timer.elapsed(), stopped);
        assert_eq!(Some(timer).valued(Unit::Seconds), Some(stopped.as_secs_f64()));
    }

    #[test]
    fn options_are_counted_and_measured_if_they_are_there() {
        assert_eq!((3u32.counted(), Some(3u8).counted(), None::<u64>.counted()), (Some(3), Some(3), None));
        let duration = Duration::from_millis(2);
        assert_eq!(duration.valued(Unit::Milliseconds), Some(2.0));
        assert_eq!((Some(-1i8).valued(Unit::None), None::<f32>.valued(Unit::None)), (Some(-1.0), None));
    }
}
