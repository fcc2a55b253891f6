//! What an answer of S3, or of what speaks its protocol, means for an object. Pure: an answer in, an outcome out.
//!
//! S3 never reads what is in an object, so it cannot refuse it for good: what is wrong with a bucket, a key, a permission
//! or a setting is an operator's to put right, and is waited out.

use std::time::Duration;

use crate::backend::{Refusal, Verdict};
use crate::ledger::Loss;
use crate::net::Response;
use crate::net::aws::{CallError, Fault, server_delay};

/// How long to wait where only an operator can help.
const OPERATOR_DELAY: Duration = Duration::from_secs(60);

/// Codes of credentials that others may replace (Amazon S3 API Reference, "List of error codes").
const CREDENTIALS: [&str; 7] = [
    "ExpiredToken",
    "TokenRefreshRequired",
    "InvalidAccessKeyId",
    "InvalidToken",
    "SignatureDoesNotMatch",
    "RequestTimeTooSkewed",
    "RequestExpired",
];
/// Codes of what was damaged on its way, or in the way of another request (the same list).
const LATER: [&str; 11] = [
    "RequestTimeout",
    "BadDigest",
    "InvalidDigest",
    "XAmzContentSHA256Mismatch",
    "XAmzContentChecksumMismatch",
    "IncompleteBody",
    "InternalError",
    "OperationAborted",
    "ConditionalRequestConflict",
    "NoSuchUpload",
    "InvalidPart",
];
const SLOWER: [&str; 5] =
    ["SlowDown", "Throttling", "RequestLimitExceeded", "TooManyRequests", "ServiceUnavailable"];
const TOO_LARGE: [&str; 2] = ["EntityTooLarge", "MaxMessageLengthExceeded"];

/// What came of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The bucket has it.
    Stored,
    /// The bucket has an object of this key already.
    Exists,
    /// The bucket is in this region.
    Elsewhere(String),
    /// It is not there, or nobody knows: what this means for a batch.
    Not(Verdict),
}

/// What the answer to a request that stores something means, for so many items.
pub(super) fn judge(answer: &Response, now_unix_s: i64, items: usize) -> Outcome {
    let fault = Fault::of(answer);
    let (code, why) = (fault.code.as_str(), why(answer, &fault));
    let delay = server_delay(answer, now_unix_s);
    let later = |after| Outcome::Not(Verdict::Retry { after, why: why.clone() });
    if let Some(region) = region(answer, code) {
        return Outcome::Elsewhere(region);
    }
    match answer.status {
        200..=299 if code.is_empty() && is_stored(answer) => Outcome::Stored,
        412 => Outcome::Exists,
        _ if code == "PreconditionFailed" => Outcome::Exists,
        413 => too_large(items, why),
        _ if TOO_LARGE.contains(&code) => too_large(items, why),
        _ if CREDENTIALS.contains(&code) => Outcome::Not(Verdict::Reauthenticate { why }),
        429 => Outcome::Not(Verdict::Throttle { after: delay, why }),
        _ if SLOWER.contains(&code) => Outcome::Not(Verdict::Throttle { after: delay, why }),
        _ if LATER.contains(&code) => later(delay),
        401 if code.is_empty() => Outcome::Not(Verdict::Reauthenticate { why }),
        501 => later(delay.or(Some(OPERATOR_DELAY))),
        408 | 409 | 500.. => later(delay),
        _ => later(delay.or(Some(OPERATOR_DELAY))),
    }
}

/// What a request without an answer means.
pub(super) fn failed(error: CallError) -> Verdict {
    match error {
        CallError::Credentials(why) => Verdict::Reauthenticate { why },
        CallError::Clock(why) => Verdict::Retry { after: None, why },
        CallError::Net(error) => Verdict::Retry { after: None, why: error.text },
    }
}

/// The text of an element of an answer, the first of its name.
pub(super) fn element(answer: &Response, name: &str) -> Option<String> {
    let text = String::from_utf8_lossy(&answer.body);
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let text = rest.split_once("</")?.0;
    Some(text.replace("&quot;", "\"").replace("&#34;", "\"").replace("&amp;", "&"))
}

/// A success says what it has stored; a proxy's page does not. An error may come with a status of success, once S3 has
/// begun to answer a request that takes long.
fn is_stored(answer: &Response) -> bool {
    let body = answer.body.trim_ascii();
    let told = |name: &[u8]| body.windows(name.len()).any(|window| window == name);
    answer.header("etag").is_some()
        || told(b"<CompleteMultipartUploadResult")
        || told(b"<InitiateMultipartUpload")
}

/// The bucket's own region, where this is another's.
fn region(answer: &Response, code: &str) -> Option<String> {
    const CODES: [&str; 4] = [
        "PermanentRedirect",
        "TemporaryRedirect",
        "AuthorizationHeaderMalformed",
        "IllegalLocationConstraintException",
    ];
    let wrong =
        matches!(answer.status, 301 | 302 | 307 | 308) || (answer.status == 400 && CODES.contains(&code));
    let told =
        || answer.header("x-amz-bucket-region").map(str::to_owned).or_else(|| element(answer, "Region"));
    told().filter(|region| wrong && !region.is_empty())
}

fn too_large(items: usize, why: String) -> Outcome {
    Outcome::Not(match items {
        0 | 1 => Verdict::Refuse(Refusal { loss: Loss::Oversize, why }),
        _ => Verdict::Halve,
    })
}

fn why(answer: &Response, fault: &Fault) -> String {
    let status = answer.status;
    let hint = match (fault.code.as_str(), status) {
        ("NoSuchBucket", _) => "; create it, or set OPS_S3_BUCKET",
        ("AccessDenied", _) => "; s3:PutObject is needed on the bucket's objects",
        ("NotImplemented", _) | (_, 501) => {
            "; for a store without conditional writes set OPS_S3_CONDITIONAL=0, without checksums OPS_S3_CHECKSUM=0"
        }
        _ => "",
    };
    let plain = |text: &str| text.chars().filter(|c| !c.is_control()).take(100).collect::<String>();
    match (fault.code.as_str(), fault.message.as_str()) {
        ("", _) => format!("status {status} that is not S3's: is the endpoint an S3 one?{hint}"),
        (code, "") => format!("{} (status {status}){hint}", plain(code)),
        (code, message) => format!("{}: {message}{hint}", plain(code)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::script::response;

    fn xml(code: &str) -> String {
        format!("<?xml version=\"1.0\"?>\n<Error><Code>{code}</Code><Message>words</Message></Error>")
    }

    fn kind(outcome: &Outcome) -> (&'static str, Option<u64>) {
        let seconds = |after: &Option<Duration>| after.map(|after| after.as_secs());
        match outcome {
            Outcome::Stored => ("stored", None),
            Outcome::Exists => ("exists", None),
            Outcome::Elsewhere(_) => ("elsewhere", None),
            Outcome::Not(Verdict::Retry { after, .. }) => ("retry", seconds(after)),
            Outcome::Not(Verdict::Throttle { after, .. }) => ("throttle", seconds(after)),
            Outcome::Not(Verdict::Reauthenticate { .. }) => ("reauthenticate", None),
            Outcome::Not(Verdict::Halve) => ("halve", None),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_answer_has_its_outcome() {
        let etag: &[(&'static str, &str)] = &[("etag", "\"x\"")];
        let gigantic = "x".repeat(1 << 20);
        let complete = "<CompleteMultipartUploadResult><Key>k</Key></CompleteMultipartUploadResult>";
        let of = xml;
        let table: [(u16, &[(&'static str, &str)], String, (&str, Option<u64>)); 34] = [
            (200, etag, String::new(), ("stored", None)),
            (200, &[], complete.to_owned(), ("stored", None)),
            (200, &[], of("InternalError"), ("retry", None)),
            (200, &[], String::new(), ("retry", Some(60))),
            (200, &[], "<html>log in to the hotel's network</html>".to_owned(), ("retry", Some(60))),
            (200, &[], gigantic.clone(), ("retry", Some(60))),
            (412, &[], of("PreconditionFailed"), ("exists", None)),
            (412, &[], String::new(), ("exists", None)),
            (409, &[], of("ConditionalRequestConflict"), ("retry", None)),
            (409, &[], of("OperationAborted"), ("retry", None)),
            (301, &[("x-amz-bucket-region", "eu-west-1")], String::new(), ("elsewhere", None)),
            (301, &[], of("PermanentRedirect"), ("retry", Some(60))),
            (302, &[], "<html>elsewhere</html>".to_owned(), ("retry", Some(60))),
            (
                400,
                &[],
                of("AuthorizationHeaderMalformed").replace("</Code>", "</Code><Region>eu-west-1</Region>"),
                ("elsewhere", None),
            ),
            (400, &[], of("AuthorizationHeaderMalformed"), ("retry", Some(60))),
            (400, &[], of("RequestTimeout"), ("retry", None)),
            (400, &[], of("BadDigest"), ("retry", None)),
            (400, &[], of("XAmzContentSHA256Mismatch"), ("retry", None)),
            (400, &[], of("InvalidArgument"), ("retry", Some(60))),
            (400, &[], "\u{0}garbage".to_owned(), ("retry", Some(60))),
            (400, &[], of("ExpiredToken"), ("reauthenticate", None)),
            (403, &[], of("InvalidAccessKeyId"), ("reauthenticate", None)),
            (403, &[], of("SignatureDoesNotMatch"), ("reauthenticate", None)),
            (403, &[], of("AccessDenied"), ("retry", Some(60))),
            (403, &[], gigantic, ("retry", Some(60))),
            (404, &[], of("NoSuchBucket"), ("retry", Some(60))),
            (404, &[], of("NoSuchUpload"), ("retry", None)),
            (413, &[], String::new(), ("halve", None)),
            (400, &[], of("EntityTooLarge"), ("halve", None)),
            (429, &[("retry-after", "7")], String::new(), ("throttle", Some(7))),
            (503, &[], of("SlowDown"), ("throttle", None)),
            (500, &[], of("InternalError"), ("retry", None)),
            (502, &[], "<html>bad gateway</html>".to_owned(), ("retry", None)),
            (501, &[], of("NotImplemented"), ("retry", Some(60))),
        ];
        for (status, headers, body, expected) in table {
            let outcome = judge(&response(status, headers, &body), 1_795_332_268, 2);
            assert_eq!(kind(&outcome), expected, "{status} {headers:?} {body:.60}");
        }
    }

    #[test]
    fn one_item_that_is_too_large_is_refused_for_that() {
        let outcome = judge(&response(413, &[], ""), 0, 1);
        let Outcome::Not(Verdict::Refuse(refusal)) = outcome else { panic!("{outcome:?}") };
        assert_eq!(refusal.loss, Loss::Oversize);
    }

    #[test]
    fn the_operator_reads_what_to_do() {
        let told = |status, body: &str| match judge(&response(status, &[], body), 0, 1) {
            Outcome::Not(Verdict::Retry { why, .. }) => why,
            other => panic!("{other:?}"),
        };
        assert_eq!(told(404, &xml("NoSuchBucket")), "NoSuchBucket: words; create it, or set OPS_S3_BUCKET");
        assert!(told(403, &xml("AccessDenied")).contains("s3:PutObject"));
        assert!(told(501, &xml("NotImplemented")).contains("OPS_S3_CONDITIONAL=0"));
        assert!(told(404, "nginx").contains("is the endpoint an S3 one?"));
    }

    #[test]
    fn an_element_is_read_as_it_was_meant() {
        let answer = response(200, &[], "<A><ETag>&quot;x&amp;y&quot;</ETag></A>");
        assert_eq!(element(&answer, "ETag").as_deref(), Some("\"x&y\""));
        assert_eq!(element(&answer, "UploadId"), None);
        assert_eq!(element(&response(200, &[], "<UploadId>"), "UploadId"), None);
    }
}
