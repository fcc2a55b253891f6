//! Units of work that hold events back until it is known how they ended: what looks for a fault is shipped where there
//! was one. The events go the way of all others, with the unit's number in front of their values; the flush thread
//! keeps them, within a bound, until the frame comes that says how the unit ended. So holding costs the caller what
//! recording does, whatever thread or task the work goes on in, and nothing of it is lost with a thread.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

use super::context::{self, Context, Entered};
use super::correlation::Correlation;
use super::frame::read_value;
use super::outcome::{Ending, Measured};
use super::{Arg, Kind, Site, Source, event, on, switch};
use crate::model::{Level, Value};

/// The frame that says how a unit ended. Of the weightiest level, so that it is dropped last.
static END: Site = Site::new(
    Kind::Event(Level::Error),
    "a unit of work ended",
    Source { target: "ops_sdk", file: file!(), line: line!() },
);

/// A unit of work in progress: a call with `hold` or `correlate`. Dropped before it is [`Work::done`], it failed if
/// there is a panic, and was cancelled if not.
#[must_use = "a unit of work that is dropped at once holds nothing back"]
#[derive(Debug)]
pub struct Work {
    context: Context,
    /// The unit that this one is a part of; 0 is none.
    outer: u64,
    /// `None` where this holds nothing back, and once it has ended.
    failed: Option<bool>,
}

/// How a unit ended, as its frame says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) unit: u64,
    /// The unit that it was a part of; 0 is none.
    pub(crate) outer: u64,
    pub(crate) failed: bool,
}

/// Begins a call that was asked for a correlation (`Some`; within it one that it was given), or to hold events of this
/// level and lesser ones back.
#[inline]
pub fn unit(correlate: Option<Option<Correlation>>, hold: Option<Level>) -> Work {
    let correlation = correlate.map(|given| Correlation::for_call(given).context());
    let mut context = correlation.unwrap_or_default();
    let current = context::current();
    let outer = if context.unit == 0 { current.unit } else { context.unit };
    let hold = hold.filter(|_| on());
    if let Some(level) = hold {
        switch::hold_up_to(level);
        (context.unit, context.hold) = (number(), level as u8);
    }
    Work { context, outer, failed: hold.map(|_| false) }
}

impl Work {
    /// What the work is done within.
    #[inline]
    #[must_use]
    pub fn context(&self) -> Context {
        self.context
    }

    /// Begins to do it on this thread.
    #[inline]
    pub fn enter(&self) -> Entered {
        self.context.enter()
    }

    /// Ends the unit: an error ships what was held back, anything else lets go of it.
    #[inline]
    pub fn done(mut self, ending: Ending) {
        if self.failed.take().is_some() {
            self.end(ending.is_error());
        }
    }

    fn end(&self, failed: bool) {
        // Behind the last flush nobody would read it, and what is held back was shipped with that.
        if on() {
            event(&END, &[Arg::U64(self.context.unit), Arg::U64(self.outer), Arg::Bool(failed)]);
        }
    }
}

impl Measured for Work {
    fn ended_well(self) {
        self.done(Ending::OK);
    }
}

impl Drop for Work {
    #[inline]
    fn drop(&mut self) {
        if let Some(failed) = self.failed.take() {
            self.end(failed || std::thread::panicking());
        }
    }
}

/// Holds events back on this thread while it lives; [`hold`] makes it.
#[must_use = "what is held back is let go of when this is dropped: keep it in a variable"]
#[derive(Debug)]
pub struct Hold {
    unit: Work,
    _entered: Entered,
}

/// Holds events of this level and lesser ones back until it is known how a unit of work ended, and records them for
/// that also where they are off: they are shipped if it failed, and let go of, counted, if not.
///
/// The unit lasts until the guard is dropped, and failed if [`Hold::failed`] was called or there is a panic. What goes
/// on in other threads and tasks belongs to it where a [`Correlation`] that was taken within it is entered.
///
/// ```
/// use ops_sdk::{Level, debug};
///
/// # fn charge() -> Result<(), std::fmt::Error> { Err(std::fmt::Error) }
/// let mut unit = ops_sdk::hold(Level::Debug);
/// debug!("shipped only because this fails");
/// if charge().is_err() {
///     unit.failed();
/// }
/// ```
#[inline]
pub fn hold(level: Level) -> Hold {
    let unit = unit(None, Some(level));
    let entered = unit.enter();
    Hold { unit, _entered: entered }
}

impl Hold {
    /// Says that the unit of work failed: what is held back is shipped when it ends.
    pub fn failed(&mut self) {
        if let Some(failed) = &mut self.unit.failed {
            *failed = true;
        }
    }
}

/// Whether a frame of this site says how a unit ended.
#[inline]
pub(super) fn is_end(site: &Site) -> bool {
    std::ptr::eq(site, &raw const END)
}

/// The site of such frames, if this is the one that another process had.
pub(super) fn end_of(site: &Site) -> Option<&'static Site> {
    (site.name == END.name && site.source.target == END.source.target).then_some(&END)
}

/// How the unit ended, if this is the frame that says so.
pub(crate) fn ended(site: &'static Site, mut values: &[u8]) -> Option<Ended> {
    if !is_end(site) {
        return None;
    }
    let mut value = || read_value(&mut values);
    match (value(), value(), value()) {
        (Some(Value::U64(unit)), Some(Value::U64(outer)), Some(Value::Bool(failed))) => {
            Some(Ended { unit, outer, failed })
        }
        _ => None,
    }
}

thread_local! {
    /// The number of the unit that this thread began last; 0 until it begins one.
    static LAST: Cell<u64> = const { Cell::new(0) };
}

/// The number of a new unit. A thread has its own, so that threads that begin units do not wait for each other.
#[inline]
fn number() -> u64 {
    static BLOCKS: AtomicU64 = AtomicU64::new(1);
    const BLOCK: u64 = 1 << 20;
    let last = match LAST.get() {
        last if last % BLOCK == 0 => BLOCKS.fetch_add(1, Ordering::Relaxed) * BLOCK,
        last => last,
    };
    LAST.set(last + 1);
    last + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_have_numbers_of_their_own_on_every_thread() {
        let run = || (0..1000).map(|_| number()).collect::<Vec<_>>();
        let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(run)).collect();
        let mut all: Vec<_> = threads.into_iter().flat_map(|t| t.join().expect("a thread ends")).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!((all.len(), all.contains(&0)), (4000, false));
    }
}
