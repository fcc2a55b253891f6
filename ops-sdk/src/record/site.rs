//! A call site: everything that is known of one use of a macro before it runs. A macro makes one `static` of it; the
//! hot path passes its address. Sites carry source, doc comment, unit, keys and cardinality, so that a catalogue of
//! all of them can be made without running the program.

use super::lane::SITES_MAX;
use super::sync::{AtomicU32, AtomicU64, Ordering};
use super::{InFlight, Limiter, stamp};
use crate::model::{Level, Resolution, Unit};

/// What a site records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A counter.
    Counter,
    /// A gauge.
    Gauge,
    /// A histogram.
    Histogram,
    /// Calls of a function: their number, errors and durations.
    Call,
    /// A log event of this level.
    Event(Level),
}

/// A piece of an event's message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece {
    /// Text as it stands.
    Text(&'static str),
    /// The value with this index among the event's values, as text.
    Value(u16),
}

/// Where a site is in the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    /// `module_path!()`.
    pub target: &'static str,
    /// `file!()`.
    pub file: &'static str,
    /// `line!()`.
    pub line: u32,
}

/// One use of a macro, known to the compiler.
#[derive(Debug)]
pub struct Site {
    /// What it records.
    pub kind: Kind,
    /// The metric's name, the function's name, or the message's template as written.
    pub name: &'static str,
    /// Where it is.
    pub source: Source,
    /// The unit of its values.
    pub unit: Unit,
    /// How finely CloudWatch keeps it.
    pub resolution: Resolution,
    /// The keys of its dimensions, or of its fields, in the order of the values. An event may have more values than
    /// keys: those are pieces of the message that were formatted on the spot.
    pub keys: &'static [&'static str],
    /// How many values each dimension can take, where that can be read where the site stands: of a literal one, of
    /// `..values as Type` those of the type. 0 for the others, whose types are known only where the site is used.
    pub cardinality: &'static [u32],
    /// How many series it may have on one thread; 0 for what the program's settings say.
    pub series_max: u32,
    /// Its series are also told by these keys alone, each a part of `keys`.
    pub rollups: &'static [&'static [&'static str]],
    /// The message of an event.
    pub pieces: &'static [Piece],
    /// The doc comment of the annotated function; empty where there is none.
    pub doc: &'static str,
    /// Of how many calls one is timed, at random; all are counted.
    pub sample: u32,
    /// Where calls in progress are counted, if they are.
    pub(super) in_flight: Option<&'static InFlight>,
    /// How often it may log, if that is limited.
    pub(super) limiter: Option<&'static Limiter>,
    /// For how long an event that is the same as the one before is held back, in milliseconds; 0 is not at all.
    pub(super) repeat_ms: u32,
    /// Up to which level it records events, and by which rules that was decided; see `switch`.
    pub(super) decided: AtomicU32,
    /// A tick of the clock in the site's unit, the bits of a double; known from when the site has its number.
    per_tick: AtomicU64,
    /// Its number in the registry, from 1; 0 until it is first used.
    slot: AtomicU32,
    /// Its place in the lanes' tables of cells; 0 if it has no number or one that is too high.
    place: AtomicU32,
    /// Of how many calls one is timed just now: at first as many as `sample` says.
    timed_every: AtomicU32,
}

impl Site {
    /// A site with the defaults of its kind.
    #[must_use]
    pub const fn new(kind: Kind, name: &'static str, source: Source) -> Site {
        let unit = match kind {
            Kind::Counter => Unit::Count,
            Kind::Call => Unit::Milliseconds,
            Kind::Gauge | Kind::Histogram | Kind::Event(_) => Unit::None,
        };
        Site {
            kind,
            name,
            source,
            unit,
            resolution: Resolution::Standard,
            keys: &[],
            cardinality: &[],
            series_max: 0,
            rollups: &[],
            pieces: &[],
            doc: "",
            sample: 1,
            in_flight: None,
            limiter: None,
            repeat_ms: 0,
            decided: AtomicU32::new(0),
            per_tick: AtomicU64::new(0),
            slot: AtomicU32::new(0),
            place: AtomicU32::new(0),
            timed_every: AtomicU32::new(1),
        }
    }

    /// With this unit.
    #[must_use]
    pub const fn unit(mut self, unit: Unit) -> Site {
        self.unit = unit;
        self
    }

    /// Kept this finely.
    #[must_use]
    pub const fn resolution(mut self, resolution: Resolution) -> Site {
        self.resolution = resolution;
        self
    }

    /// With these keys.
    #[must_use]
    pub const fn keys(mut self, keys: &'static [&'static str]) -> Site {
        self.keys = keys;
        self
    }

    /// With dimensions of this many values each.
    #[must_use]
    pub const fn cardinality(mut self, cardinality: &'static [u32]) -> Site {
        self.cardinality = cardinality;
        self
    }

    /// With at most this many series on one thread.
    #[must_use]
    pub const fn series_max(mut self, series: u32) -> Site {
        self.series_max = series;
        self
    }

    /// Told also by these keys alone.
    #[must_use]
    pub const fn rollups(mut self, rollups: &'static [&'static [&'static str]]) -> Site {
        self.rollups = rollups;
        self
    }

    /// Where there is no place in the source.
    pub(super) const NOWHERE: Source = Source { target: "", file: "", line: 0 };

    /// Told apart, bounded and rolled up as another one.
    pub(super) const fn told_as(mut self, other: &Site) -> Site {
        self.keys = other.keys;
        self.cardinality = other.cardinality;
        self.series_max = other.series_max;
        self.rollups = other.rollups;
        self
    }

    /// With this message.
    #[must_use]
    pub const fn pieces(mut self, pieces: &'static [Piece]) -> Site {
        self.pieces = pieces;
        self
    }

    /// With this doc comment.
    #[must_use]
    pub const fn doc(mut self, doc: &'static str) -> Site {
        self.doc = doc;
        self
    }

    /// With one call in `n` timed.
    #[must_use]
    pub const fn sample(mut self, n: u32) -> Site {
        self.sample = n;
        self.timed_every = AtomicU32::new(n);
        self
    }

    /// With its calls in progress counted here.
    #[must_use]
    pub const fn in_flight(mut self, in_flight: &'static InFlight) -> Site {
        self.in_flight = Some(in_flight);
        self
    }

    /// With its events limited by this.
    #[must_use]
    pub const fn limiter(mut self, limiter: &'static Limiter) -> Site {
        self.limiter = Some(limiter);
        self
    }

    /// With events that are the same as the one before held back for so many milliseconds.
    #[must_use]
    pub const fn repeat_ms(mut self, milliseconds: u32) -> Site {
        self.repeat_ms = milliseconds;
        self
    }

    /// For how long an event that is the same as the one before is held back, in milliseconds; 0 is not at all.
    pub(crate) fn repeats_held_ms(&self) -> u32 {
        self.repeat_ms
    }

    /// The period of its limit, in milliseconds.
    pub(crate) fn period_ms(&self) -> u32 {
        self.limiter.map_or(0, Limiter::period_ms)
    }

    /// Of how many calls one is timed just now.
    #[inline(always)]
    pub(crate) fn timed_every(&self) -> u32 {
        self.timed_every.load(Ordering::Relaxed)
    }

    /// Times one call in `2^thinned` of those that its own sampling would time.
    pub(crate) fn thin(&self, thinned: u32) {
        let most = self.sample.max(1).leading_zeros().saturating_sub(1);
        self.timed_every.store(self.sample.max(1) << thinned.min(most), Ordering::Relaxed);
    }

    /// Its place in the lanes' tables of cells; 0 while it has none.
    #[inline(always)]
    pub(super) fn place(&self) -> usize {
        self.place.load(Ordering::Relaxed) as usize
    }

    /// A tick of the clock in the site's unit.
    #[inline(always)]
    pub(super) fn per_tick(&self) -> f64 {
        f64::from_bits(self.per_tick.load(Ordering::Relaxed))
    }

    /// So many ticks of the clock in the site's unit, also where it has no number yet.
    #[allow(clippy::cast_precision_loss)] // exact up to 100 days
    pub(super) fn time(&self, ticks: u64) -> f64 {
        ticks as f64 * stamp::nanoseconds() * per_nanosecond(self.unit)
    }

    /// Gives it its number, unless it has one. Says which it has.
    pub(super) fn set_slot(&self, slot: u32) -> u32 {
        let per_tick = stamp::nanoseconds() * per_nanosecond(self.unit);
        self.per_tick.store(per_tick.to_bits(), Ordering::Relaxed);
        if let Err(known) = self.slot.compare_exchange(0, slot, Ordering::Release, Ordering::Acquire) {
            return known;
        }
        let place = if (slot as usize) < SITES_MAX { slot } else { 0 };
        self.place.store(place, Ordering::Release);
        slot
    }

    /// Its number in the registry; 0 until it is first used. Who has the number finds the site in the registry.
    #[inline]
    pub(super) fn slot(&self) -> u32 {
        self.slot.load(Ordering::Acquire)
    }
}

/// A nanosecond in a unit of time; in any other, as a `Duration` is measured, in seconds.
const fn per_nanosecond(unit: Unit) -> f64 {
    match unit {
        Unit::Milliseconds => 1e-6,
        Unit::Microseconds => 1e-3,
        _ => 1e-9,
    }
}
