//! The bucket: puts one object under a key that has none yet, in one request or, above 8 MiB, in parts; and tells what
//! an object says of itself. Follows the bucket into its region once a push.

use ::http::{HeaderMap, HeaderValue, Method};

use super::judge::{Outcome, element, failed, judge};
use super::layout::path;
use crate::backend::Verdict;
use crate::backend::shared::operator;
use crate::crc::crc32;
use crate::net::aws::Client;
use crate::net::{Net, Request, Response};

/// A body above this goes in parts of this many bytes. Parts have at least 5 MiB, all but the last, and there are at most
/// 10,000 (Amazon S3 User Guide, "Amazon S3 multipart upload limits").
pub(super) const PART_BYTES: usize = 8 << 20;
/// What an object says of the ids that it holds.
const MARK: &str = "x-amz-meta-ops-ids";
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// What is asked of the store besides taking an object.
#[derive(Debug, Clone)]
pub(super) struct Wishes {
    /// `If-None-Match: *`.
    pub(super) conditional: bool,
    /// A CRC32 of each body.
    pub(super) checksum: bool,
    /// Storage class, encryption, key: headers of the request that makes the object.
    pub(super) headers: HeaderMap,
}

/// An object that is to be put.
pub(super) struct Object<'a> {
    pub(super) key: &'a str,
    /// Of the ids that it holds.
    pub(super) mark: &'a str,
    pub(super) body: Vec<u8>,
    /// How many records that is.
    pub(super) items: usize,
}

/// A bucket, as one ship thread or worker reaches it.
#[derive(Debug)]
pub(super) struct Bucket {
    client: Client,
    /// Before each key: empty where the host names the bucket.
    base: String,
    wishes: Wishes,
}

impl Bucket {
    pub(super) fn new(client: Client, base: String, wishes: Wishes) -> Bucket {
        Bucket { client, base, wishes }
    }

    pub(super) fn another(&self) -> Bucket {
        Bucket { client: self.client.another(), base: self.base.clone(), wishes: self.wishes.clone() }
    }

    /// Puts an object.
    pub(super) fn put(&mut self, net: &mut Net, object: &Object<'_>) -> Outcome {
        let outcome = self.try_put(net, object);
        let Outcome::Elsewhere(region) = outcome else { return self.settled(outcome) };
        if !self.client.relocate(&region) {
            return lost(&region);
        }
        match self.try_put(net, object) {
            Outcome::Elsewhere(region) => lost(&region),
            outcome => self.settled(outcome),
        }
    }

    /// The mark of the object of this key, `None` if there is no object.
    ///
    /// # Errors
    ///
    /// What it means for a batch that it cannot be told.
    pub(super) fn mark(&mut self, net: &mut Net, key: &str) -> Result<Option<String>, Verdict> {
        let answer = self.ask(net, Method::HEAD, key, "", HeaderMap::new(), Vec::new())?;
        match answer.status {
            200..=299 => Ok(Some(answer.header(MARK).unwrap_or_default().to_owned())),
            404 => Ok(None),
            403 => Err(operator(format!(
                "s3:GetObject is needed to tell what {key} holds, which was sent twice, in different cuts"
            ))),
            _ => match self.settled(judge(&answer, now_s(net), 1)) {
                Outcome::Not(verdict) => Err(verdict),
                _ => Err(operator(format!("status {} without an S3 error", answer.status))),
            },
        }
    }

    fn try_put(&mut self, net: &mut Net, object: &Object<'_>) -> Outcome {
        let made =
            if object.body.len() > PART_BYTES { self.in_parts(net, object) } else { self.whole(net, object) };
        made.unwrap_or_else(|outcome| outcome)
    }

    fn whole(&mut self, net: &mut Net, object: &Object<'_>) -> Result<Outcome, Outcome> {
        let mut headers = self.making(object);
        self.condition(&mut headers);
        self.sum(&mut headers, &object.body);
        let answer =
            self.ask(net, Method::PUT, object.key, "", headers, object.body.clone()).map_err(Outcome::Not)?;
        Ok(judge(&answer, now_s(net), object.items))
    }

    fn in_parts(&mut self, net: &mut Net, object: &Object<'_>) -> Result<Outcome, Outcome> {
        let mut headers = self.making(object);
        if self.wishes.checksum {
            headers.insert("x-amz-checksum-algorithm", HeaderValue::from_static("CRC32"));
        }
        let begun = self.well(net, Method::POST, object, "uploads=", headers, Vec::new())?;
        let id = element(&begun, "UploadId").filter(|id| !id.is_empty()).ok_or_else(|| {
            Outcome::Not(operator("an upload was begun without an id: is the endpoint an S3 one?".to_owned()))
        })?;
        let upload = path(&id).replace('/', "%2F");
        let outcome = self.parts(net, object, &upload);
        if !matches!(outcome, Ok(Outcome::Stored)) {
            // Parts that are left behind are paid for. Where this fails too, a rule of the bucket has to clear them.
            let query = format!("uploadId={upload}");
            let _ = self.ask(net, Method::DELETE, object.key, &query, HeaderMap::new(), Vec::new());
        }
        outcome
    }

    fn parts(&mut self, net: &mut Net, object: &Object<'_>, upload: &str) -> Result<Outcome, Outcome> {
        let mut list =
            String::from("<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
        for (number, part) in (1..).zip(object.body.chunks(PART_BYTES)) {
            let mut headers = HeaderMap::new();
            self.sum(&mut headers, part);
            let query = format!("partNumber={number}&uploadId={upload}");
            let answer = self.well(net, Method::PUT, object, &query, headers, part.to_vec())?;
            let tag = answer.header("etag").unwrap_or_default().replace('&', "&amp;").replace('"', "&quot;");
            list.push_str(&format!("<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag>"));
            if self.wishes.checksum {
                list.push_str(&format!("<ChecksumCRC32>{}</ChecksumCRC32>", checksum(part)));
            }
            list.push_str("</Part>");
        }
        list.push_str("</CompleteMultipartUpload>");
        let mut headers = HeaderMap::new();
        self.condition(&mut headers);
        headers.insert(::http::header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
        let query = format!("uploadId={upload}");
        let answer = self.ask(net, Method::POST, object.key, &query, headers, list.into_bytes());
        Ok(judge(&answer.map_err(Outcome::Not)?, now_s(net), object.items))
    }

    /// A request of an upload that has to be taken for the next to make sense.
    fn well(
        &mut self,
        net: &mut Net,
        method: Method,
        object: &Object<'_>,
        query: &str,
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> Result<Response, Outcome> {
        let answer = self.ask(net, method, object.key, query, headers, body).map_err(Outcome::Not)?;
        match judge(&answer, now_s(net), object.items) {
            Outcome::Stored => Ok(answer),
            // No precondition was set: whoever says so is no S3.
            Outcome::Exists => Err(Outcome::Not(operator(format!("status {} to a part", answer.status)))),
            other => Err(other),
        }
    }

    fn ask(
        &mut self,
        net: &mut Net,
        method: Method,
        key: &str,
        query: &str,
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> Result<Response, Verdict> {
        let before = if query.is_empty() { "" } else { "?" };
        let uri = format!("{}/{}{before}{query}", self.base, path(key));
        let uri = uri.parse().map_err(|_| operator(format!("\"{key}\" is no key")))?;
        let mut request = Request::new(body);
        (*request.method_mut(), *request.uri_mut(), *request.headers_mut()) = (method, uri, headers);
        self.client.exchange(net, request).map_err(|error| self.settle(failed(error)))
    }

    /// The headers of the request that makes an object.
    fn making(&self, object: &Object<'_>) -> HeaderMap {
        let mut headers = self.wishes.headers.clone();
        headers.insert(::http::header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
        if let Ok(mark) = HeaderValue::from_str(object.mark) {
            headers.insert(MARK, mark);
        }
        headers
    }

    fn condition(&self, headers: &mut HeaderMap) {
        if self.wishes.conditional {
            headers.insert(::http::header::IF_NONE_MATCH, HeaderValue::from_static("*"));
        }
    }

    fn sum(&self, headers: &mut HeaderMap, body: &[u8]) {
        if let Some(sum) = self.wishes.checksum.then(|| HeaderValue::try_from(checksum(body)).ok()).flatten()
        {
            headers.insert("x-amz-sdk-checksum-algorithm", HeaderValue::from_static("CRC32"));
            headers.insert("x-amz-checksum-crc32", sum);
        }
    }

    fn settled(&mut self, outcome: Outcome) -> Outcome {
        match outcome {
            Outcome::Not(verdict) => Outcome::Not(self.settle(verdict)),
            other => other,
        }
    }

    /// Has other credentials loaded where these were refused.
    fn settle(&mut self, verdict: Verdict) -> Verdict {
        if matches!(verdict, Verdict::Reauthenticate { .. }) {
            self.client.refresh();
        }
        verdict
    }
}

fn lost(region: &str) -> Outcome {
    let region: String = region.chars().filter(|c| !c.is_control()).take(60).collect();
    Outcome::Not(operator(format!("the bucket is in region \"{region}\"; set AWS_REGION to it")))
}

fn now_s(net: &Net) -> i64 {
    i64::try_from(net.current().unix_ns / 1_000_000_000).unwrap_or(i64::MAX)
}

/// CRC-32 in base64, as S3's checksum headers have it.
fn checksum(body: &[u8]) -> String {
    let [a, b, c, d] = crc32(body).to_be_bytes();
    let digit = |bits: u32| char::from(ALPHABET[(bits & 63) as usize]);
    let three = u32::from_be_bytes([0, a, b, c]);
    let last = u32::from(d) << 4;
    let digits = [
        digit(three >> 18),
        digit(three >> 12),
        digit(three >> 6),
        digit(three),
        digit(last >> 6),
        digit(last),
    ];
    digits.into_iter().chain(['=', '=']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_is_that_of_everybody_else() {
        // python3 -c 'import base64,zlib; print(base64.b64encode(zlib.crc32(b"…").to_bytes(4, "big")).decode())'
        for (body, sum) in [("", "AAAAAA=="), ("123456789", "y/Q5Jg=="), ("hello", "NhCmhg==")] {
            assert_eq!(checksum(body.as_bytes()), sum);
        }
    }
}
