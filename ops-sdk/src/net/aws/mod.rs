//! What every AWS service needs: a region, an endpoint, credentials and a signature.
//!
//! A [`Client`] sends one operation of one service. It loads credentials when they are first needed and again before
//! they expire, signs each request anew, and tells a clock that is too far off for signatures from keys that are wrong.
//! It never logs, and neither its errors nor its `Debug` hold a key or a token.

mod credentials;
mod fault;
mod lend;
mod region;
mod settings;
mod sign;
mod skew;

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use crate::lock::Mutex;

pub use self::fault::{Fault, server_delay};
pub use self::settings::{Service, Settings};

use self::credentials::Credentials;
use self::region::Endpoint;
use self::sign::Signer;
use super::{Net, NetError, NetErrorKind, Request, Response, Var};
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
    /// The service refused the signature because this machine's clock is too far off; the text says by how many
    /// seconds. Nothing but setting the clock helps, and nothing is wrong with what was sent.
    #[error("{0}")]
    Clock(String),
    /// No answer came.
    #[error(transparent)]
    Net(#[from] NetError),
}

/// Sends the operations of one service.
pub struct Client {
    service: Service,
    region: String,
    endpoint: Endpoint,
    /// One for all clients of a backend, so that keys are loaded once for all of them.
    credentials: Arc<Mutex<Credentials>>,
    /// Which keys the last request was signed with.
    signed_with: u64,
    signer: Signer,
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
        let signer = Signer::new(service.signing_name, &region);
        let credentials = Arc::new(Mutex::new(credentials));
        Ok(Client { service, region, endpoint, credentials, signed_with: 0, signer })
    }

    /// A second one with the same credentials, for requests beside this one's.
    #[must_use]
    pub fn another(&self) -> Client {
        Client {
            service: self.service,
            region: self.region.clone(),
            endpoint: self.endpoint.clone(),
            credentials: Arc::clone(&self.credentials),
            signed_with: 0,
            signer: Signer::new(self.service.signing_name, &self.region),
        }
    }

    /// The region that is signed for.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// From here on for another region, which the service itself named: its own host is the one there, an endpoint that
    /// does not hold the region's name stays. Says false if that is no name, or the region that is signed for already.
    pub fn relocate(&mut self, region: &str) -> bool {
        if region == self.region || !region::is_name(region) {
            return false;
        }
        let Some(endpoint) = self.endpoint.in_region(&self.region, region) else { return false };
        self.signer = Signer::new(self.service.signing_name, region);
        (self.region, self.endpoint) = (region.to_owned(), endpoint);
        true
    }

    /// From here on with this label before the endpoint's host: a bucket's virtual host. Says false if there is no such
    /// host.
    pub fn put_before_host(&mut self, label: &str) -> bool {
        let Some(endpoint) = self.endpoint.below(label) else { return false };
        self.endpoint = endpoint;
        true
    }

    /// The endpoint that requests go to.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.endpoint.url.to_string()
    }

    /// The credentials of the last call were refused: the next call loads others, unless somebody has by then.
    pub fn refresh(&mut self) {
        self.credentials.lock().refuse(self.signed_with);
    }

    /// Sends one operation and gives the answer, whatever its status; a refusal that came of this machine's clock alone
    /// is no answer.
    ///
    /// # Errors
    ///
    /// If there are no credentials, no answer came, or the clock is too far off.
    pub fn call(&mut self, net: &mut Net, call: Call<'_>) -> Result<Response, CallError> {
        self.exchange(net, request(call))
    }

    /// Sends a request of any method and path and gives the answer, whatever its status, as [`Client::call`] does. The
    /// request's URI is a path, and a query where there is one, under the endpoint's own path; every header that it has
    /// is signed. Paths of other services than S3 are of letters, digits and `-._~` only: the signer escapes them once.
    ///
    /// # Errors
    ///
    /// As for [`Client::call`].
    pub fn exchange(&mut self, net: &mut Net, mut request: Request) -> Result<Response, CallError> {
        address(&self.endpoint, &mut request)?;
        let request = self.signed(net, request)?;
        let signed_at_s = sign::signed_at_s(&request);
        let sent = net.current();
        let answer = net.send(request)?;
        let round_trip = net.current().since(sent);
        let skew_s = signed_at_s.and_then(|at_s| skew::measure(&answer, at_s, round_trip));
        skew::blame(&answer, skew_s).map_or(Ok(answer), |why| Err(CallError::Clock(why)))
    }

    fn signed(&mut self, net: &mut Net, request: Request) -> Result<Request, CallError> {
        // Who loads them is bounded by a push of its own; whoever waits for that is, too.
        let began = Instant::now();
        let held = self.credentials.try_lock_for(net.left());
        net.spend(began.elapsed());
        let Some(mut held) = held else {
            return Err(CallError::Credentials(
                "no credentials yet: another push is still loading them".to_owned(),
            ));
        };
        let credential = held.get(net).map_err(CallError::Credentials)?.clone();
        self.signed_with = held.number();
        drop(held);
        let signed = self.signer.sign(request, &credential);
        signed.map_err(|error| CallError::Credentials(format!("the credentials cannot sign: {error}")))
    }
}

/// The endpoint of a service, for requests that carry a token instead of a signature.
///
/// # Errors
///
/// If no region is set, or an endpoint means nothing.
pub fn endpoint(service: &Service, settings: &Settings, var: &Var) -> Result<::http::Uri, Error> {
    let region = region::region(settings, &settings::Profile::read(var), var)?;
    Ok(region::endpoint(service, settings, &region, var)?.url)
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Client");
        out.field("service", &self.service.signing_name).field("region", &self.region);
        out.field("endpoint", &self.endpoint.url).finish_non_exhaustive()
    }
}

/// The request of an operation, without its address and signature.
fn request(call: Call<'_>) -> Request {
    let mut request = Request::new(call.body);
    *request.method_mut() = ::http::Method::POST;
    let headers = request.headers_mut();
    headers.insert(::http::header::CONTENT_TYPE, ::http::HeaderValue::from_static(call.content_type));
    for (name, value) in call.headers {
        headers.insert(*name, ::http::HeaderValue::from_static(value));
    }
    if let Ok(target) = ::http::HeaderValue::from_str(call.target) {
        headers.insert("x-amz-target", target);
    }
    request
}

/// Puts scheme, host and the endpoint's own path before the path of a request.
fn address(endpoint: &Endpoint, request: &mut Request) -> Result<(), NetError> {
    let base = endpoint.url.path().trim_end_matches('/');
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let uri = ::http::Uri::builder()
        .scheme(endpoint.url.scheme_str().unwrap_or("https"))
        .authority(endpoint.url.authority().map_or("", |authority| authority.as_str()))
        .path_and_query(format!("{base}{path}"))
        .build();
    *request.uri_mut() =
        uri.map_err(|_| NetError { kind: NetErrorKind::Request, text: "a path that is none".to_owned() })?;
    request.headers_mut().insert(::http::header::HOST, endpoint.host.clone());
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests;
