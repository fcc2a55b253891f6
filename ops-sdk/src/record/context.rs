//! What a thread is doing something for, right now: the correlation of what it works at, and the unit of work that
//! holds events back. A few words in the thread itself; entering one is to write them, an event reads them, and leaving
//! puts back what was there. Never shared: what crosses threads is passed by value and entered there.

use std::cell::Cell;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::task::{self, Poll};

use super::lane;
use crate::model::Level;

/// What work is done for. All zero is nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Context {
    /// The correlation's id; 0 is none.
    pub(super) trace: u128,
    /// The part of the work, and that which it is a part of.
    pub(super) span: u64,
    pub(super) parent: u64,
    /// Whether whoever began it said that it is recorded elsewhere, too.
    pub(super) sampled: bool,
    /// The number of the level from which the unit of work holds events back; 0 is none.
    pub(super) hold: u8,
    /// The unit of work; 0 is none.
    pub(super) unit: u64,
}

thread_local! {
    static CURRENT: Cell<Context> = const {
        Cell::new(Context { trace: 0, span: 0, parent: 0, sampled: false, hold: 0, unit: 0 })
    };
}

/// There is a correlation or a unit of work: with the level of [`Context::hold`] what nearly every event asks of it, in the
/// one byte that is [`lane::sign`].
const SOMETHING: u8 = 1 << 7;

/// What this thread is doing something for.
#[inline]
pub(super) fn current() -> Context {
    CURRENT.get()
}

/// Whether that is nothing.
#[inline(always)]
pub(super) fn is_nothing() -> bool {
    lane::sign() == 0
}

/// The id of the correlation, its upper half first; zeros for none.
#[inline(always)]
pub(super) fn correlation() -> [u64; 2] {
    if is_nothing() {
        return [0; 2];
    }
    let trace = CURRENT.get().trace;
    #[allow(clippy::cast_possible_truncation)] // the halves
    [(trace >> 64) as u64, trace as u64]
}

/// Whether a unit of work records events of this level to hold them back.
#[inline(always)]
pub(super) fn holds(level: Level) -> bool {
    level as u8 <= (lane::sign() & !SOMETHING)
}

#[inline]
fn set(context: Context) {
    CURRENT.set(context);
    let is_nothing = context.trace == 0 && context.unit == 0;
    lane::set_sign(if is_nothing { 0 } else { SOMETHING | context.hold });
}

impl Context {
    /// This one, with what it does not say taken from another.
    #[inline]
    fn over(self, other: Context) -> Context {
        let Context { trace, span, parent, sampled, .. } = if self.trace == 0 { other } else { self };
        let Context { hold, unit, .. } = if self.unit == 0 { other } else { self };
        Context { trace, span, parent, sampled, hold, unit }
    }

    /// Enters it on this thread, until the guard is dropped.
    #[inline]
    pub(super) fn enter(self) -> Entered {
        let before = CURRENT.get();
        set(self.over(before));
        Entered { before, here: PhantomData }
    }
}

/// Leaves what was entered when it is dropped. Not for another thread.
#[must_use = "what is entered is left when this is dropped: keep it in a variable"]
#[derive(Debug)]
pub struct Entered {
    before: Context,
    here: PhantomData<*const ()>,
}

impl Drop for Entered {
    #[inline]
    fn drop(&mut self) {
        set(self.before);
    }
}

/// A future that is polled, and dropped, within a context: entered before each poll and left behind it, and nothing
/// else.
#[must_use = "a future does nothing until it is polled"]
#[derive(Debug)]
pub struct Within<F> {
    context: Context,
    future: ManuallyDrop<F>,
}

/// A future within a context.
#[inline]
pub fn within<F: Future>(context: Context, future: F) -> Within<F> {
    Within { context, future: ManuallyDrop::new(future) }
}

impl<F: Future> Future for Within<F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, waker: &mut task::Context<'_>) -> Poll<F::Output> {
        // SAFETY: nothing is moved out of what is pinned: the future is pinned wherever `self` is, and is only reached
        // through this, and through `drop`, which leaves it in its place.
        let this = unsafe { self.get_unchecked_mut() };
        let _entered = this.context.enter();
        // SAFETY: as above.
        unsafe { Pin::new_unchecked(&mut *this.future) }.poll(waker)
    }
}

impl<F> Drop for Within<F> {
    /// What the future's own values log when they are dropped belongs to it, too.
    fn drop(&mut self) {
        let _entered = self.context.enter();
        // SAFETY: this is the one place that drops it, in its place, and nobody can reach it afterwards.
        unsafe { ManuallyDrop::drop(&mut self.future) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(trace: u128, unit: u64) -> Context {
        Context { trace, unit, hold: u8::from(unit > 0) * 4, ..Context::default() }
    }

    fn here() -> (u128, u64) {
        (current().trace, current().unit)
    }

    #[test]
    fn what_a_context_does_not_say_stays_as_it_was() {
        assert_eq!(here(), (0, 0));
        let outer = of(1, 0).enter();
        {
            let _unit = of(0, 7).enter();
            assert_eq!((here(), holds(Level::Debug), holds(Level::Trace)), ((1, 7), true, false));
            assert_eq!((is_nothing(), correlation()), (false, [0, 1]));
            let _inner = of(2, 0).enter();
            assert_eq!(here(), (2, 7));
        }
        assert_eq!((here(), holds(Level::Error)), ((1, 0), false));
        drop(outer);
        assert_eq!((here(), is_nothing(), correlation()), ((0, 0), true, [0, 0]));
    }

    #[test]
    fn a_future_is_polled_and_dropped_within_its_context() {
        struct Dropped<'a>(&'a Cell<u128>);
        impl Drop for Dropped<'_> {
            fn drop(&mut self) {
                self.0.set(current().trace);
            }
        }
        let seen = Cell::new(0);
        {
            let work = async {
                let _dropped = Dropped(&seen);
                assert_eq!(current().trace, 9);
                std::future::pending::<()>().await;
            };
            let mut work = Box::pin(within(of(9, 0), work));
            let mut waker = task::Context::from_waker(task::Waker::noop());
            assert!(work.as_mut().poll(&mut waker).is_pending());
            assert_eq!(here(), (0, 0));
        }
        assert_eq!((seen.get(), here()), (9, (0, 0)));
    }

    #[test]
    fn a_panic_leaves_the_context() {
        let panicked = std::panic::catch_unwind(|| {
            let _entered = of(3, 3).enter();
            std::panic::resume_unwind(Box::new(()));
        });
        assert!(panicked.is_err());
        assert_eq!(here(), (0, 0));
    }
}
