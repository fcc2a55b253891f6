//! Signature Version 4, by the request signer of `reqsign-aws-v4`.
//!
//! What it leaves to its caller is done here: the true hash of the body is set before it signs (it would sign
//! `UNSIGNED-PAYLOAD`, which only S3 takes), and the service is the judge of whether keys have expired.
//!
//! It signs with the system's time and no other: it takes none, and the string that it signs holds the system's time
//! whatever `x-amz-date` says. So a signature here is as right as this machine's clock; what that means for delivery is
//! [`super::skew`]'s.

use ::http::HeaderValue;
use ::http::header::AUTHORIZATION;
use reqsign_aws_v4::{Credential, RequestSigner};
use reqsign_core::hash::hex_sha256;
use reqsign_core::time::Timestamp;
use reqsign_core::{Context, Error, SignRequest};

use super::super::Request;
use super::lend::block_on;

/// Signs for one service in one region.
#[derive(Debug)]
pub(super) struct Signer {
    signer: RequestSigner,
    context: Context,
}

impl Signer {
    /// `service` is the service's signing name.
    pub(super) fn new(service: &str, region: &str) -> Signer {
        // Without the standard token, a host whose name looks like S3 Express would be sent another header.
        let signer = RequestSigner::new(service, region).with_standard_session_token();
        Signer { signer, context: Context::new() }
    }

    /// Adds `x-amz-content-sha256`, `x-amz-date`, `x-amz-security-token` where there is a token, and `authorization`.
    /// Every header that the request has by then is signed, so those that a proxy may change must be added later
    /// (`user-agent` is). The signer takes the first value of each and leaves runs of spaces within it: no header here
    /// has two values, or such runs.
    ///
    /// # Errors
    ///
    /// If a key or token is none that a header can carry, or the request names no host. The text holds neither.
    pub(super) fn sign(&self, request: Request, credential: &Credential) -> Result<Request, Error> {
        let (mut parts, body) = request.into_parts();
        parts.headers.remove(AUTHORIZATION);
        let hash = HeaderValue::try_from(hex_sha256(&body));
        let hash = hash.map_err(|_| Error::unexpected("a hash that is no header"))?;
        parts.headers.insert("x-amz-content-sha256", hash);
        // The signer refuses keys past their end, by this machine's clock. An instance's metadata service may hand out
        // such keys, and they serve (botocore 1.44.5 goes on with them).
        let credential = Credential { expires_in: None, ..credential.clone() };
        block_on(self.signer.sign_request(&self.context, &mut parts, Some(&credential), None))??;
        Ok(Request::from_parts(parts, body))
    }
}

/// The time that the request was signed with, in seconds since the Unix epoch.
pub(super) fn signed_at_s(request: &Request) -> Option<i64> {
    let date = request.headers().get("x-amz-date")?.to_str().ok()?;
    Some(date.parse::<Timestamp>().ok()?.as_second())
}

#[cfg(test)]
mod tests;
