//! Values that must not be shown. A secret is what it wraps, in memory and in cost; only what anybody could see of it
//! is hidden.

use std::fmt;

use super::{Arg, FieldValue};

/// What is shown instead.
const SHOWN: &str = "[redacted]";

/// A value that nobody sees by accident: `Display`, `Debug` and the field of a log event all show `[redacted]`.
///
/// ```
/// use ops_sdk::{Secret, info};
///
/// struct Login { user: String, password: Secret<String> }
/// let login = Login { user: "ada".to_owned(), password: Secret::new("hunter2".to_owned()) };
/// info!("{user} logs in", user = login.user, password = login.password);
/// assert_eq!(format!("{:?}", login.password), "[redacted]");
/// assert_eq!(login.password.expose(), "hunter2");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(transparent)]
pub struct Secret<T: ?Sized>(T);

impl<T> Secret<T> {
    /// Hides a value.
    pub const fn new(value: T) -> Secret<T> {
        Secret(value)
    }

    /// The value itself, no longer hidden.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T: ?Sized> Secret<T> {
    /// The value, for those who need it.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl<T> From<T> for Secret<T> {
    fn from(value: T) -> Secret<T> {
        Secret(value)
    }
}

impl<T: ?Sized> fmt::Display for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SHOWN)
    }
}

impl<T: ?Sized> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SHOWN)
    }
}

impl<T: ?Sized> FieldValue for Secret<T> {
    #[inline]
    fn field(&self) -> Arg<'_> {
        Arg::Str(SHOWN)
    }
}

/// Hides a value where a field would show it, so that the event says that it was there: any type will do.
///
/// ```
/// use ops_sdk::{info, redact};
///
/// # let (order, card) = (7, "4111 1111 1111 1111");
/// info!("charged", order, card = redact(card));
/// ```
#[inline]
pub fn redact<T>(value: T) -> Secret<T> {
    Secret(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_shows_a_secret_and_it_costs_nothing() {
        let secret = Secret::new("hunter2".to_owned());
        let shown = format!("{secret} {secret:?} {secret:>30} {:#?}", Some(&secret));
        assert!(!shown.contains("hunter"), "{shown}");
        assert!(matches!(secret.field(), Arg::Str("[redacted]")));
        assert!(matches!(redact(&secret).field(), Arg::Str("[redacted]")));
        assert!(matches!(Some(redact(7)).field(), Arg::Str("[redacted]")));
        assert_eq!(size_of::<Secret<u64>>(), size_of::<u64>());
        assert_eq!(secret.expose(), "hunter2");
        assert_eq!(secret.into_inner(), "hunter2");
    }
}
