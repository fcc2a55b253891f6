//! How requests get there: with a key or password in a header, or signed.

#[cfg(feature = "aws")]
mod signed;
#[cfg(not(feature = "aws"))]
#[path = "road/unsigned.rs"]
mod signed;

use std::sync::Arc;

use ::http::{HeaderMap, HeaderValue, Method, header};

use self::signed::Signed;
use super::super::shared::{Address, Secret, failed, operator, setting};
use crate::backend::{Context, Verdict};
use crate::error::Error;
use crate::net::{Net, Request, Response};

const API_KEY: &str = "OPS_ELASTICSEARCH_API_KEY";
const USERNAME: &str = "OPS_ELASTICSEARCH_USERNAME";
const PASSWORD: &str = "OPS_ELASTICSEARCH_PASSWORD";
const AWS: &str = "OPS_ELASTICSEARCH_AWS";

/// What the builder was told of who we are.
#[derive(Debug, Clone, Default)]
pub(super) struct Access {
    pub(super) api_key: Option<Secret>,
    pub(super) username: Option<String>,
    pub(super) password: Option<Secret>,
    pub(super) aws: Option<String>,
    pub(super) region: Option<String>,
}

/// The way to one server.
pub(super) enum Road {
    Plain { address: Arc<Address>, headers: HeaderMap },
    Signed(Box<Signed>),
}

impl Road {
    /// Checks who we are and where to, without speaking to the network.
    pub(super) fn open(access: &Access, url: &str, context: &Context) -> Result<Road, Error> {
        let address = Address::parse(url, super::URL)?;
        let key = Secret::find(access.api_key.as_ref(), API_KEY, context);
        let user = setting(access.username.as_deref(), USERNAME, context);
        let password = Secret::find(access.password.as_ref(), PASSWORD, context);
        let aws = setting(access.aws.as_deref(), AWS, context);
        let user = match (user, password) {
            (Some(user), Some(password)) => Some((user, password)),
            (None, None) => None,
            (Some(_), None) => return Err(half(&format!("{PASSWORD} / .basic(..)"), "the password")),
            (None, Some(_)) => return Err(half(&format!("{USERNAME} / .basic(..)"), "the user's name")),
        };
        if usize::from(key.is_some()) + usize::from(user.is_some()) + usize::from(aws.is_some()) > 1 {
            let problem = "more than one of an API key, a user's name and AWS signatures is set";
            return Err(Error::setting(format!("{API_KEY}, {USERNAME}, {AWS}"), problem, "set one of them"));
        }
        if let Some(service) = aws {
            return Signed::open(&service, access, url, context).map(|signed| Road::Signed(Box::new(signed)));
        }
        let mut headers = HeaderMap::new();
        if let Some(key) = key {
            let key = if key.reveal().contains(':') { Secret::new(base64(key.reveal())) } else { key };
            headers.insert(header::AUTHORIZATION, key.header("ApiKey ", API_KEY)?);
        }
        if let Some((user, password)) = user {
            let both = Secret::new(base64(&format!("{user}:{}", password.reveal())));
            headers.insert(header::AUTHORIZATION, both.header("Basic ", PASSWORD)?);
        }
        Ok(Road::Plain { address: Arc::new(address), headers })
    }

    /// Whether it leads to OpenSearch Serverless, which lacks much of what the others have.
    pub(super) fn is_serverless(&self) -> bool {
        matches!(self, Road::Signed(signed) if signed.is_serverless)
    }

    pub(super) fn another(&self) -> Road {
        match self {
            Road::Plain { address, headers } => {
                Road::Plain { address: Arc::clone(address), headers: headers.clone() }
            }
            Road::Signed(signed) => Road::Signed(Box::new(signed.another())),
        }
    }

    /// Sends a request and gives the answer, whatever its status. `path` is escaped already.
    pub(super) fn exchange(
        &mut self,
        net: &mut Net,
        method: Method,
        path: &str,
        content_type: &'static str,
        is_zipped: bool,
        body: Vec<u8>,
    ) -> Result<Response, Verdict> {
        let mut request = Request::new(body);
        *request.method_mut() = method;
        if let Road::Plain { headers, .. } = self {
            request.headers_mut().clone_from(headers);
        }
        request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        if is_zipped {
            request.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        match self {
            Road::Plain { address, .. } => {
                *request.uri_mut() = address.under(path).map_err(operator)?;
                net.send(request).map_err(failed)
            }
            Road::Signed(signed) => {
                let path = path.parse().map_err(|_| operator(format!("\"{path}\" is no path")))?;
                signed.send(net, path, request)
            }
        }
    }

    /// Has other credentials loaded where these were refused, as a role's are when their time has come. A key or a
    /// password does not change by itself.
    pub(super) fn settle(&mut self, verdict: Verdict) -> Verdict {
        match (self, verdict) {
            (Road::Signed(signed), Verdict::Reauthenticate { why }) => {
                signed.refresh();
                Verdict::Reauthenticate { why }
            }
            (Road::Plain { .. }, Verdict::Reauthenticate { why }) => operator(why),
            (_, verdict) => verdict,
        }
    }
}

fn half(setting: &str, what: &str) -> Error {
    Error::setting(setting, format!("{what} is not set"), "set both the user's name and the password")
}

fn not_a_service(service: &str) -> Error {
    let remedy = "use es for Amazon OpenSearch Service or aoss for OpenSearch Serverless";
    Error::setting(format!("{AWS} / .aws(..)"), format!("\"{service}\" is neither es nor aoss"), remedy)
}

/// RFC 4648, section 4.
fn base64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(text.len().div_ceil(3) * 4);
    for three in text.as_bytes().chunks(3) {
        let byte = |at: usize| u32::from(three.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * at) & 63) as usize];
            out.push(if at <= three.len() { char::from(digit) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_rfc() {
        let table = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("é:ÿ", "w6k6w78="),
        ];
        for (text, expected) in table {
            assert_eq!(base64(text), expected);
        }
    }
}
