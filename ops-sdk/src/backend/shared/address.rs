//! Where requests go: a base URL that an operator set, checked once, to which paths are added.

use ::http::{HeaderMap, HeaderValue, Method, Uri, header};

use crate::error::Error;
use crate::net::Request;

/// A base URL: `http` or `https`, a host, perhaps a port and a path; never a user's name or a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::backend) struct Address {
    base: Uri,
}

impl Address {
    /// Checks a base URL.
    ///
    /// # Errors
    ///
    /// If it is none; the message names the setting and shows neither password nor query.
    pub(in crate::backend) fn parse(text: &str, setting: &str) -> Result<Address, Error> {
        let refused = |problem: &str| {
            let remedy = "give a URL of scheme, host and port, as in https://collector.example.com:8088";
            Error::setting(setting, format!("\"{}\" {problem}", shown(text)), remedy)
        };
        let base: Uri = text.trim().parse().map_err(|_| refused("is not a URL"))?;
        match base.scheme_str() {
            Some("http" | "https") => {}
            Some(_) => return Err(refused("is neither http nor https")),
            None => return Err(refused("has no scheme")),
        }
        let authority = base.authority().map_or("", |authority| authority.as_str());
        if authority.is_empty() || authority.starts_with(':') {
            return Err(refused("has no host"));
        }
        if authority.contains('@') || base.query().is_some() {
            return Err(refused("holds a user's name or a query: there are settings for them"));
        }
        Ok(Address { base })
    }

    /// Whether what is sent is encrypted.
    pub(in crate::backend) fn is_https(&self) -> bool {
        self.base.scheme_str() == Some("https")
    }

    /// The host, for messages.
    pub(in crate::backend) fn host(&self) -> &str {
        self.base.host().unwrap_or_default()
    }

    /// The URL of a path (and query) under the base. What is made up of data has to be escaped by then.
    ///
    /// # Errors
    ///
    /// If the path is none; the text is for the operator.
    pub(in crate::backend) fn under(&self, path: &str) -> Result<Uri, String> {
        let base = self.base.to_string();
        let joined = format!("{}/{}", base.trim_end_matches('/'), path.trim_start_matches('/'));
        joined.parse().map_err(|_| format!("\"{path}\" is no path"))
    }
}

/// A POST of this body.
pub(in crate::backend) fn post(
    uri: Uri,
    content_type: &'static str,
    headers: &HeaderMap,
    body: Vec<u8>,
) -> Request {
    let mut request = Request::new(body);
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers.clone();
    request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    request
}

/// The URL without what may be a password.
fn shown(url: &str) -> String {
    let end = url.split('?').next().unwrap_or_default();
    end.rsplit_once('@').map_or_else(|| end.to_owned(), |(_, rest)| format!("…@{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_is_checked_and_paths_are_added() {
        let address = Address::parse(" https://h.example:8088/base/ ", "URL").unwrap();
        assert_eq!(address.under("/a/b?c=d").unwrap(), "https://h.example:8088/base/a/b?c=d");
        assert_eq!((address.is_https(), address.host()), (true, "h.example"));
        assert_eq!(Address::parse("http://h", "URL").unwrap().under("a").unwrap(), "http://h/a");
        assert!(address.under("a b").is_err());
        for bad in ["", "h", "ftp://h", "https://", "http://:80", "http://u:hush@h/", "http://h/?q=hush"] {
            let error = Address::parse(bad, "URL").unwrap_err().to_string();
            assert!(error.starts_with("URL: ") && !error.contains("hush"), "{error}");
        }
    }

    #[test]
    fn a_post_has_its_headers() {
        let mut headers = HeaderMap::new();
        headers.insert("x-key", HeaderValue::from_static("k"));
        let request = post(Uri::from_static("http://h/p"), "application/json", &headers, b"{}".to_vec());
        assert_eq!((request.method().as_str(), request.uri().path()), ("POST", "/p"));
        assert_eq!(
            (&request.headers()["x-key"], &request.headers()["content-type"]),
            (&HeaderValue::from_static("k"), &HeaderValue::from_static("application/json"))
        );
    }
}
