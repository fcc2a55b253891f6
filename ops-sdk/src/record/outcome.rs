//! How a call ended. `#[instrumented]` asks the value that the function returned; what is not a `Result` is a success.

use std::marker::PhantomData;

use super::Call;

/// Asks a returned value whether it is an error, without the value's type having to say anything: the method of
/// `Probe<&Result<..>>` is found before the one that any probe has.
pub struct Probe<'a, T: ?Sized>(&'a T, PhantomData<T>);

/// Wraps a returned value for [`Probe`].
#[inline]
pub fn probe<T: ?Sized>(value: &T) -> Probe<'_, T> {
    Probe(value, PhantomData)
}

impl<T, E> Probe<'_, Result<T, E>> {
    /// Whether the function returned `Err`.
    #[inline]
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.0.is_err()
    }
}

/// The answer for everything that is not a `Result`.
pub trait AnyOutcome {
    /// Not an error.
    #[inline]
    fn is_error(&self) -> bool {
        false
    }
}

impl<T: ?Sized> AnyOutcome for Probe<'_, T> {}

/// Runs the body of a measured function. A closure called through here is known to run once, so that it may give
/// back what it borrows from its captures, as the function itself may from its arguments.
#[inline(always)]
pub fn once<R>(body: impl FnOnce() -> R) -> R {
    body()
}

/// Ends a call as a success when the function returns, by whichever way. For functions that return `impl Trait`: they
/// cannot be seen to return a `Result`, and only where it stands does their body know what it has to be.
#[must_use]
pub struct Returning(Option<Call>);

/// Ends this call when the value is dropped.
#[inline]
pub fn returning(call: Call) -> Returning {
    Returning(Some(call))
}

impl Drop for Returning {
    #[inline]
    fn drop(&mut self) {
        // A panic is for the call's own drop to tell.
        if let Some(call) = self.0.take().filter(|_| !std::thread::panicking()) {
            call.done(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_tells_and_everything_else_is_a_success() {
        type Alias = std::io::Result<u8>;
        let failed: Alias = Err(std::io::Error::other("no"));
        assert!(probe(&failed).is_error());
        assert!(!probe(&Ok::<u8, ()>(1)).is_error());
        assert!(!probe(&None::<u8>).is_error());
        assert!(!probe("text").is_error());
    }
}
