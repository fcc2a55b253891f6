//! Tokens and passwords, which no text may hold.

use std::fmt;

#[cfg(feature = "http")]
use ::http::HeaderValue;

use crate::backend::Context;
#[cfg(feature = "http")]
use crate::error::Error;

use super::setting;

/// A token or a password: shown as `…`.
#[derive(Clone, PartialEq, Eq, Default)]
pub(in crate::backend) struct Secret(String);

impl Secret {
    pub(in crate::backend) fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// What the program said, else the variable, `None` if neither is set.
    pub(in crate::backend) fn find(
        told: Option<&Secret>,
        variable: &str,
        context: &Context,
    ) -> Option<Secret> {
        setting(told.map(Secret::reveal), variable, context).map(Secret)
    }

    /// The text, for where it is sent and nowhere else.
    pub(in crate::backend) fn reveal(&self) -> &str {
        &self.0
    }

    /// The text behind a prefix as a header's value, marked as sensitive.
    ///
    /// # Errors
    ///
    /// If a header cannot hold it; the message names the setting and does not hold the secret.
    #[cfg(feature = "http")]
    pub(in crate::backend) fn header(&self, prefix: &str, setting: &str) -> Result<HeaderValue, Error> {
        let value = HeaderValue::try_from(format!("{prefix}{}", self.0));
        let mut value = value.map_err(|_| {
            Error::setting(
                setting,
                "holds characters that a header cannot",
                "copy it again, without line ends",
            )
        })?;
        value.set_sensitive(true);
        Ok(value)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

#[cfg(all(test, feature = "http"))]
mod tests {
    use super::*;

    #[test]
    fn no_text_holds_it() {
        let secret = Secret::new("hush-hush");
        assert_eq!(format!("{secret:?}"), "…");
        let value = secret.header("Bearer ", "TOKEN").unwrap();
        assert_eq!(value, "Bearer hush-hush");
        assert!(!format!("{value:?}").contains("hush"));
        let error = Secret::new("hush\r\nX: y").header("", "TOKEN").unwrap_err().to_string();
        assert!(error.starts_with("TOKEN: ") && !error.contains("hush"), "{error}");
    }
}
