//! How a call ended. `#[instrumented]` asks the value that the function returned: by [`Outcome`] where its type, or
//! for a `Result` that of its error, implements it; else an `Err` is an error, and everything else a success. What a
//! type says is never overruled, except by `ok_if`, `err_if` and `none`, which the user writes at the function.

use std::marker::PhantomData;

use super::{Call, Tracked};

/// How a call ended, with a word for it where the numbers are to be told apart by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ending {
    how: How,
    label: Option<&'static str>,
}

/// What an ending counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum How {
    Ok,
    Error,
    ClientError,
}

impl Ending {
    /// It did what it was called for.
    pub const OK: Ending = Ending { how: How::Ok, label: None };
    /// It failed; counted in `errors`.
    pub const ERROR: Ending = Ending { how: How::Error, label: None };
    /// It refused what its caller asked for, as HTTP does with 4xx; counted in `client_errors`, and not in `errors`.
    pub const CLIENT_ERROR: Ending = Ending { how: How::ClientError, label: None };

    /// The same, counted also in `outcomes` by `Outcome = label`. Every label is a series of its own, so keep their
    /// number small. The rules for the value of a dimension hold: 1-1024 printable ASCII characters, not only spaces.
    #[inline]
    #[must_use]
    pub const fn labelled(self, label: &'static str) -> Ending {
        Ending { label: Some(label), ..self }
    }

    /// Whether it counts in `errors`.
    #[inline]
    #[must_use]
    pub const fn is_error(self) -> bool {
        matches!(self.how, How::Error)
    }

    /// Whether it counts in `client_errors`.
    #[inline]
    #[must_use]
    pub const fn is_client_error(self) -> bool {
        matches!(self.how, How::ClientError)
    }

    /// The word for it.
    #[inline]
    #[must_use]
    pub const fn label(self) -> Option<&'static str> {
        self.label
    }

    #[inline]
    pub(super) const fn how(self) -> How {
        self.how
    }
}

/// A type whose values tell how the call ended that returned them. Derive it with `#[derive(Outcome)]`, or write it by
/// hand where it takes a look inside:
///
/// ```
/// use ops_sdk::{Ending, Outcome};
///
/// struct Status(u16);
///
/// impl Outcome for Status {
///     fn outcome(&self) -> Ending {
///         match self.0 {
///             404 => Ending::CLIENT_ERROR.labelled("not found"),
///             400..500 => Ending::CLIENT_ERROR,
///             500.. => Ending::ERROR,
///             _ => Ending::OK,
///         }
///     }
/// }
/// ```
///
/// A `Result` whose error implements it ends as its error says; any other `Err` is an error.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not tell how a call ended",
    label = "expected a type that implements `Outcome`",
    note = "derive it: `#[derive(Outcome)]`, with `#[outcome(ok)]`, `#[outcome(error)]` or `#[outcome(client)]` on each variant"
)]
pub trait Outcome {
    /// How the call ended that returned this value.
    fn outcome(&self) -> Ending;
}

impl<T, E: Outcome> Outcome for Result<T, E> {
    #[inline]
    fn outcome(&self) -> Ending {
        self.as_ref().err().map_or(Ending::OK, Outcome::outcome)
    }
}

impl<T: Outcome + ?Sized> Outcome for &T {
    #[inline]
    fn outcome(&self) -> Ending {
        (**self).outcome()
    }
}

impl<T: Outcome + ?Sized> Outcome for Box<T> {
    #[inline]
    fn outcome(&self) -> Ending {
        (**self).outcome()
    }
}

/// Asks a returned value how the call ended, without the value's type having to say anything. Rust finds
/// [`AskedOutcome::ending`] first, because it takes the probe as it is, where the type implements [`Outcome`]; then
/// the method of `Probe<Result<..>>`; then the one that any probe has.
pub struct Probe<'a, T: ?Sized>(&'a T, PhantomData<T>);

/// Wraps a returned value for [`Probe`].
#[inline]
pub fn probe<T: ?Sized>(value: &T) -> Probe<'_, T> {
    Probe(value, PhantomData)
}

/// The answer of a type that has one.
pub trait AskedOutcome: Sized {
    /// What it says.
    fn ending(self) -> Ending;
}

impl<T: Outcome + ?Sized> AskedOutcome for Probe<'_, T> {
    #[inline]
    fn ending(self) -> Ending {
        self.0.outcome()
    }
}

impl<T, E> Probe<'_, Result<T, E>> {
    /// An error, if the function returned `Err`.
    #[inline]
    #[must_use]
    pub fn ending(&self) -> Ending {
        err_if(self.0, Result::is_err)
    }
}

/// The answer for everything else.
pub trait AnyOutcome {
    /// A success.
    #[inline]
    fn ending(&self) -> Ending {
        Ending::OK
    }
}

impl<T: ?Sized> AnyOutcome for Probe<'_, T> {}

/// `ok_if = ..`: a success if `is_ok` says so of the returned value, else an error.
#[inline]
pub fn ok_if<T: ?Sized>(value: &T, is_ok: impl FnOnce(&T) -> bool) -> Ending {
    if is_ok(value) { Ending::OK } else { Ending::ERROR }
}

/// `err_if = ..`: an error if `is_error` says so of the returned value, else a success.
#[inline]
pub fn err_if<T: ?Sized>(value: &T, is_error: impl FnOnce(&T) -> bool) -> Ending {
    if is_error(value) { Ending::ERROR } else { Ending::OK }
}

/// `none = ..`: this ending if the returned option is `None`, else a success.
#[inline]
pub fn none_is<T>(value: &Option<T>, ending: Ending) -> Ending {
    if value.is_none() { ending } else { Ending::OK }
}

/// The body of a measured function. A closure given through here is known to run once, so that it may give back what it
/// borrows from its captures, as the function itself may from its arguments.
#[inline(always)]
pub fn once<R, F: FnOnce() -> R>(body: F) -> F {
    body
}

/// A call in progress, of whichever kind.
pub trait Measured: Sized {
    /// Ends the call as a success.
    fn ended_well(self);
}

impl Measured for Call {
    #[inline]
    fn ended_well(self) {
        self.done(Ending::OK);
    }
}

impl Measured for Tracked {
    #[inline]
    fn ended_well(self) {
        self.done(Ending::OK);
    }
}

/// Ends a call as a success when the function returns, by whichever way. For functions that return `impl Trait`: they
/// cannot be seen to return a `Result`, and only where it stands does their body know what it has to be.
#[must_use]
pub struct Returning<C: Measured>(Option<C>);

/// Ends this call when the value is dropped.
#[inline]
pub fn returning<C: Measured>(call: C) -> Returning<C> {
    Returning(Some(call))
}

impl<C: Measured> Drop for Returning<C> {
    #[inline]
    fn drop(&mut self) {
        // A panic is for the call's own drop to tell.
        if let Some(call) = self.0.take().filter(|_| !std::thread::panicking()) {
            call.ended_well();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Declined;

    impl Outcome for Declined {
        fn outcome(&self) -> Ending {
            Ending::CLIENT_ERROR.labelled("declined")
        }
    }

    #[test]
    fn a_result_tells_and_everything_else_is_a_success() {
        type Alias = std::io::Result<u8>;
        let failed: Alias = Err(std::io::Error::other("no"));
        assert_eq!(probe(&failed).ending(), Ending::ERROR);
        assert_eq!(probe(&Ok::<u8, ()>(1)).ending(), Ending::OK);
        assert_eq!(probe(&None::<u8>).ending(), Ending::OK);
        assert_eq!(probe("text").ending(), Ending::OK);
    }

    #[test]
    fn a_type_that_says_something_is_asked_also_as_the_error_of_a_result() {
        let declined = Ending::CLIENT_ERROR.labelled("declined");
        assert_eq!(probe(&Declined).ending(), declined);
        assert_eq!(probe(&Err::<u8, _>(Declined)).ending(), declined);
        assert_eq!(probe(&Err::<u8, _>(Box::new(Declined))).ending(), declined);
        assert_eq!(probe(&Err::<u8, _>(&&Declined)).ending(), declined);
        assert_eq!(probe(&Ok::<_, Declined>(1)).ending(), Ending::OK);
        // Not by its value: a `Result` fails by its error alone.
        assert_eq!(probe(&Ok::<_, ()>(Declined)).ending(), Ending::OK);
    }

    #[test]
    fn conditions_decide_alone() {
        let table = [
            (ok_if(&3, |n| *n > 2), Ending::OK),
            (ok_if(&2, |n| *n > 2), Ending::ERROR),
            (err_if(&3, |n| *n > 2), Ending::ERROR),
            (err_if(&2, |n| *n > 2), Ending::OK),
            (none_is(&None::<u8>, Ending::CLIENT_ERROR), Ending::CLIENT_ERROR),
            (none_is(&Some(Declined), Ending::ERROR), Ending::OK),
        ];
        for (found, expected) in table {
            assert_eq!(found, expected);
        }
    }
}
