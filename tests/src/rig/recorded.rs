//! One request as the proxy saw it.

use std::io::Read;
use std::time::SystemTime;

use flate2::read::MultiGzDecoder;

use super::http::{Body, Head, header};

/// A request, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// When all of it had been read.
    pub received: SystemTime,
    /// The method.
    pub method: String,
    /// The path and query.
    pub path: String,
    /// Names as they were written, and values.
    pub headers: Vec<(String, String)>,
    /// The body as it was sent, without chunk sizes.
    pub raw_body: Vec<u8>,
    /// The body after `Content-Encoding: gzip` was undone; `None` if it says gzip and is not.
    pub decoded: Option<Vec<u8>>,
    /// The status that the client was answered with; `None` while it waits, and for ever if it was cut off.
    pub status: Option<u16>,
    /// The status that the server behind the proxy answered with, if it was asked.
    pub upstream_status: Option<u16>,
}

impl Recorded {
    pub(super) fn new(head: &Head, body: &Body) -> Recorded {
        Recorded {
            received: SystemTime::now(),
            method: head.word(0).to_owned(),
            path: head.word(1).to_owned(),
            headers: head.headers.clone(),
            raw_body: body.content.clone(),
            decoded: decode(head.header("content-encoding"), &body.content),
            status: None,
            upstream_status: None,
        }
    }

    /// The value of a header, its name in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    /// The operation, such as `PutLogEvents`: from `X-Amz-Target` (JSON), the path (CBOR) or `Action` (query).
    /// Empty if the request names none.
    #[must_use]
    pub fn operation(&self) -> &str {
        if let Some(target) = self.header("x-amz-target") {
            return target.rsplit('.').next().unwrap_or_default();
        }
        if let Some((_, operation)) = self.path.split_once("/operation/") {
            return operation;
        }
        let form =
            self.decoded.as_deref().and_then(|body| std::str::from_utf8(body).ok()).unwrap_or_default();
        form.split('&').find_map(|pair| pair.strip_prefix("Action=")).unwrap_or_default()
    }

    /// The decoded body as JSON.
    ///
    /// # Panics
    ///
    /// If it is not JSON.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        let body = self.decoded.as_deref().unwrap_or_default();
        serde_json::from_slice(body)
            .unwrap_or_else(|error| panic!("the body of {} is not JSON: {error}", self.operation()))
    }
}

fn decode(encoding: Option<&str>, body: &[u8]) -> Option<Vec<u8>> {
    if !encoding.is_some_and(|encoding| encoding.eq_ignore_ascii_case("gzip")) {
        return Some(body.to_vec());
    }
    let mut decoded = Vec::new();
    MultiGzDecoder::new(body).read_to_end(&mut decoded).ok()?;
    Some(decoded)
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write;

    use super::*;

    pub(crate) fn recorded(path: &str, headers: &[(&str, &str)], body: &[u8]) -> Recorded {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let head = Head { start: format!("POST {path} HTTP/1.1"), headers };
        Recorded::new(&head, &Body { wire: body.to_vec(), content: body.to_vec() })
    }

    #[test]
    fn operations_of_every_protocol() {
        let target = [("X-Amz-Target", "GraniteServiceVersion20100801.PutMetricData")];
        assert_eq!(recorded("/", &target, b"{}").operation(), "PutMetricData");
        assert_eq!(recorded("/service/S/operation/PutMetricData", &[], b"").operation(), "PutMetricData");
        assert_eq!(recorded("/", &[], b"Version=1&Action=ListMetrics").operation(), "ListMetrics");
        assert_eq!(recorded("/", &[], b"\xff").operation(), "");
    }

    #[test]
    fn gzip_is_undone_and_both_bodies_are_kept() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(b"{\"a\":1}").expect("into memory");
        let packed = encoder.finish().expect("into memory");
        let request = recorded("/", &[("content-encoding", "GZIP")], &packed);
        assert_eq!((&request.raw_body, request.json()["a"].as_u64()), (&packed, Some(1)));
        let lie = recorded("/", &[("Content-Encoding", "gzip")], b"not gzip");
        assert_eq!((lie.raw_body, lie.decoded), (b"not gzip".to_vec(), None));
    }
}
