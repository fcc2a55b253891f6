//! The signature of a request: `t=<seconds>,v1=<HMAC-SHA256>` over the seconds, a dot and the body, as Stripe signs its
//! webhooks ("Verify webhook signatures manually"). The time keeps an old request from being played again.

use std::fmt::Write as _;

use ::http::{HeaderName, HeaderValue};
use ring::hmac;

use crate::backend::shared::Secret;

/// Signs with one key, into one header.
pub(super) struct Signer {
    pub(super) header: HeaderName,
    key: hmac::Key,
}

impl Signer {
    pub(super) fn new(header: HeaderName, secret: &Secret) -> Signer {
        Signer { header, key: hmac::Key::new(hmac::HMAC_SHA256, secret.reveal().as_bytes()) }
    }

    /// The value of the header for a body that is sent at this time.
    pub(super) fn sign(&self, unix_s: u64, body: &[u8]) -> HeaderValue {
        let mut signing = hmac::Context::with_key(&self.key);
        signing.update(format!("{unix_s}.").as_bytes());
        signing.update(body);
        let mut text = format!("t={unix_s},v1=");
        for byte in signing.sign().as_ref() {
            let _ = write!(text, "{byte:02x}"); // a String takes every write
        }
        HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `printf '1795332268.{"a":1}' | openssl dgst -sha256 -hmac hush`, by OpenSSL 3.
    #[test]
    fn the_signature_is_that_of_openssl() {
        let signer = Signer::new(HeaderName::from_static("x-signature"), &Secret::new("hush"));
        let expected = "t=1795332268,v1=5369c5ab569d883402ea34e40af5440f719f0212e56e2cf5c7762ef262498284";
        assert_eq!(signer.sign(1_795_332_268, b"{\"a\":1}"), expected);
    }
}
