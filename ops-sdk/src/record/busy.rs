//! The busy time of a future: what its polls take, without the time in which it waits. Only a function with the
//! argument `busy` has this, for it is the one thing that costs something at each poll: two readings of the clock.

use std::pin::Pin;
use std::task::{Context, Poll};

use super::{Label, Site, metric, on, stamp};
use crate::clock::Ticks;

/// A future whose polls are timed. Dropped before it is done, it tells the time so far.
#[must_use = "a future does nothing until it is polled"]
#[derive(Debug)]
pub struct Busy<F> {
    site: &'static Site,
    function: &'static str,
    /// Ticks of all polls so far; `None` before the first one while recording is on, and once they were told.
    spent: Option<Ticks>,
    future: F,
}

/// Times the polls of a future, and observes their sum at this site in the end, by the name of the function.
#[inline]
pub fn busy<F: Future>(site: &'static Site, function: &'static str, future: F) -> Busy<F> {
    Busy { site, function, spent: None, future }
}

impl<F: Future> Future for Busy<F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        // SAFETY: nothing is moved out of what is pinned: the future is pinned wherever `self` is, and is reached only
        // here; dropping `self` drops it in its place.
        let this = unsafe { self.get_unchecked_mut() };
        // SAFETY: as above.
        let future = unsafe { Pin::new_unchecked(&mut this.future) };
        if this.spent.is_none() && !on() {
            return future.poll(context);
        }
        let _poll = Timed { spent: this.spent.get_or_insert(0), start: stamp::ticks() };
        future.poll(context)
    }
}

/// One poll, which may end in a panic.
struct Timed<'a> {
    spent: &'a mut Ticks,
    start: Ticks,
}

impl Drop for Timed<'_> {
    #[inline]
    fn drop(&mut self) {
        *self.spent = self.spent.wrapping_add(stamp::between(self.start, stamp::ticks()));
    }
}

impl<F> Drop for Busy<F> {
    #[inline]
    fn drop(&mut self) {
        if let Some(spent) = self.spent.take() {
            metric::observe_by(self.site, self.site.time(spent), &[Label::Str(self.function)]);
        }
    }
}
