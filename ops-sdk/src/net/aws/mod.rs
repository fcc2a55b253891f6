//! What every AWS service needs: a region, an endpoint, credentials, a signature and the service's own clock.
//!
//! A [`Client`] sends one operation of one service. It loads credentials when they are first needed and again before
//! they expire, signs with the service's time as its answers tell it, and signs once more at once when a skewed clock
//! was the reason for a refusal. It never logs, and neither its errors nor its `Debug` hold a key or a token.

mod credentials;
mod fault;
mod lend;
mod region;
mod settings;
mod sign;
mod skew;

use std::fmt;

pub use self::fault::{Fault, server_delay};
pub use self::settings::{Service, Settings};

use self::credentials::Credentials;
use self::region::Endpoint;
use super::{Net, NetError, Request, Response, Var};
use crate::error::Error;

/// One operation.
#[derive(Debug, Clone)]
pub struct Call<'a> {
    /// `X-Amz-Target`: the operation with its service's prefix.
    pub target: &'a str,
    /// `Content-Type`: which of AWS's JSON protocols.
    pub content_type: &'static str,
    /// Headers besides, all of them signed.
    pub headers: &'a [(&'static str, &'static str)],
    /// The body.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// There are no credentials to sign with; the text says what was tried.
    #[error("{0}")]
    Credentials(String),
    /// No answer came.
    #[error(transparent)]
    Net(#[from] NetError),
}

/// Sends the operations of one service.
pub struct Client {
    service: Service,
    region: String,
    endpoint: Endpoint,
    credentials: Credentials,
    skew_s: i64,
}

impl Client {
    /// Checks the settings and where credentials could come from, without speaking to the network.
    ///
    /// # Errors
    ///
    /// If no region is set, an endpoint means nothing, or there is nowhere that credentials could come from. The
    /// message names the setting and the remedy.
    pub fn open(service: Service, settings: &Settings, var: &Var) -> Result<Client, Error> {
        let profile = settings::Profile::read(var);
        let region = region::region(settings, &profile, var)?;
        let endpoint = region::endpoint(&service, settings, &region, var)?;
        let credentials = Credentials::open(&profile, &region, var)?;
        Ok(Client { service, region, endpoint, credentials, skew_s: 0 })
    }

    /// The region that is signed for.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The credentials in hand were refused: the next call loads them anew.
    pub fn refresh(&mut self) {
        self.credentials.refuse();
    }

    /// Sends one operation and gives the answer, whatever its status.
    ///
    /// # Errors
    ///
    /// If there are no credentials, or no answer came.
    pub fn call(&mut self, net: &mut Net, call: &Call<'_>) -> Result<Response, CallError> {
        let signed_with_s = self.skew_s;
        let answer = self.exchange(net, call)?;
        if !skew::worth_another_try(answer.status, &Fault::of(&answer).code, self.skew_s, signed_with_s) {
            return Ok(answer);
        }
        self.exchange(net, call)
    }

    fn exchange(&mut self, net: &mut Net, call: &Call<'_>) -> Result<Response, CallError> {
        let request = self.signed(net, call)?;
        let sent = net.current();
        let answer = net.send(request)?;
        if let Some(skew_s) = skew::measure(&answer, sent, net.current()) {
            self.skew_s = skew_s;
        }
        Ok(answer)
    }

    fn signed(&mut self, net: &mut Net, call: &Call<'_>) -> Result<Request, CallError> {
        let credential = self.credentials.get(net).map_err(CallError::Credentials)?;
        let mut request = request(&self.endpoint, call);
        let unix_s = i64::try_from(net.current().unix_ns / 1_000_000_000).unwrap_or(i64::MAX);
        let scope = sign::Scope {
            region: &self.region,
            service: self.service.signing_name,
            unix_s: unix_s.saturating_add(self.skew_s),
        };
        sign::sign(&mut request, credential, &scope);
        Ok(request)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Client");
        out.field("service", &self.service.signing_name).field("region", &self.region);
        out.field("endpoint", &self.endpoint.url).finish_non_exhaustive()
    }
}

/// The request as it goes over the wire, without its signature.
fn request(endpoint: &Endpoint, call: &Call<'_>) -> Request {
    let mut request = Request::new(call.body.clone());
    *request.method_mut() = ::http::Method::POST;
    *request.uri_mut() = endpoint.url.clone();
    let headers = request.headers_mut();
    headers.insert(::http::header::HOST, endpoint.host.clone());
    headers.insert(::http::header::CONTENT_TYPE, ::http::HeaderValue::from_static(call.content_type));
    for (name, value) in call.headers {
        headers.insert(*name, ::http::HeaderValue::from_static(value));
    }
    if let Ok(target) = ::http::HeaderValue::from_str(call.target) {
        headers.insert("x-amz-target", target);
    }
    request
}

#[cfg(test)]
pub(crate) mod tests;
