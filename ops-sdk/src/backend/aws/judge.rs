//! What an answer of an AWS service means for a batch. Pure: an answer in, a verdict out.
//!
//! The rule behind the table: only a service that speaks AWS's protocol can refuse data for good. What does not (a
//! proxy's page, an endpoint that is another server) is an operator's mistake and is waited out; so is a policy that
//! denies. Nothing waits for ever: the journal's bounds of age and bytes hold.

use std::time::Duration;

use crate::backend::{Refusal, Verdict};
use crate::ledger::Loss;
use crate::net::Response;
use crate::net::aws::{CallError, Client, Fault, server_delay};

/// How long to wait where only an operator can help.
const OPERATOR_DELAY: Duration = Duration::from_secs(60);

/// Codes by what they mean. `Exception` at the end is left out: the older protocol had none.
/// Throttling and transient codes: botocore 1.44.5 `retries/standard.py`.
const SLOWER: [&str; 13] = [
    "Throttling",
    "Throttled",
    "RequestThrottled",
    "TooManyRequests",
    "ProvisionedThroughputExceeded",
    "TransactionInProgress",
    "RequestLimitExceeded",
    "BandwidthLimitExceeded",
    "LimitExceeded",
    "SlowDown",
    "EC2Throttled",
    "PriorRequestNotComplete",
    "KMSThrottling",
];
const LATER: [&str; 11] = [
    "RequestTimeout",
    "InternalFailure",
    "InternalServerError",
    "InternalServiceError",
    "InternalServiceFault",
    "InternalServer",
    "ServiceUnavailable",
    "OperationAborted",
    "ResourceConflict",
    "Conflict",
    "Unavailable",
];
const CREDENTIALS: [&str; 15] = [
    "ExpiredToken",
    "TokenRefreshRequired",
    "UnrecognizedClient",
    "InvalidClientTokenId",
    "InvalidAccessKeyId",
    "InvalidToken",
    "InvalidSignature",
    "SignatureDoesNotMatch",
    "SignatureExpired",
    "IncompleteSignature",
    "RequestExpired",
    "RequestTimeTooSkewed",
    "MissingAuthenticationToken",
    "AuthFailure",
    "InvalidSecurity",
];
const OPERATOR: [&str; 13] = [
    "AccessDenied",
    "UnauthorizedOperation",
    "NotAuthorized",
    "OptInRequired",
    "SubscriptionRequired",
    // The key that a stream, group or bucket is encrypted with: not the data's fault.
    "KMSAccessDenied",
    "KMSDisabled",
    "KMSInvalidState",
    "KMSNotFound",
    "KMSOptInRequired",
    "UnknownOperation",
    "ResourceNotFound",
    // Nothing is ordered by tokens any more (PutLogEvents, since 2023); what still asks for one is not the service.
    "InvalidSequenceToken",
];
const TOO_LARGE: [&str; 3] = ["RequestEntityTooLarge", "RequestTooLarge", "PayloadTooLarge"];

/// What the answer means for a batch of this many items.
pub(in crate::backend) fn judge(answer: &Response, now_unix_s: i64, items: usize) -> Verdict {
    let fault = Fault::of(answer);
    let why = why(answer, &fault);
    let delay = server_delay(answer, now_unix_s);
    let later = |after| Verdict::Retry { after, why: why.clone() };
    if (200..300).contains(&answer.status) {
        return if is_own(&answer.body) { Verdict::Delivered } else { later(Some(OPERATOR_DELAY)) };
    }
    let code = fault.code.strip_suffix("Exception").unwrap_or(&fault.code);
    if answer.status == 413 || TOO_LARGE.contains(&code) {
        return too_large(items, why);
    }
    if CREDENTIALS.contains(&code) {
        return Verdict::Reauthenticate { why };
    }
    if OPERATOR.contains(&code) {
        return later(delay.or(Some(OPERATOR_DELAY)));
    }
    if SLOWER.contains(&code) || answer.status == 429 {
        return Verdict::Throttle { after: delay, why };
    }
    if LATER.contains(&code) || matches!(answer.status, 408 | 500..) {
        return later(delay);
    }
    match (answer.status, code) {
        (401, "") => Verdict::Reauthenticate { why },
        (400 | 422, _) => refuse(why),
        (_, "") => later(delay.or(Some(OPERATOR_DELAY))),
        _ => refuse(why),
    }
}

/// What a call without an answer means.
pub(in crate::backend) fn failed(error: CallError) -> Verdict {
    match error {
        CallError::Credentials(why) => Verdict::Reauthenticate { why },
        // Soon, and not at an operator's pace: after a start NTP often sets the clock within seconds.
        CallError::Clock(why) => Verdict::Retry { after: None, why },
        CallError::Net(error) => Verdict::Retry { after: None, why: error.text },
    }
}

/// Has the client load other credentials where the verdict says that these were refused. The ship thread need do
/// nothing on [`Verdict::Reauthenticate`] but try again.
pub(in crate::backend) fn settle(verdict: Verdict, client: &mut Client) -> Verdict {
    if matches!(verdict, Verdict::Reauthenticate { .. }) {
        client.refresh();
    }
    verdict
}

/// One bad item fails a call: a call that is refused for its parameters is halved down to it.
pub(in crate::backend) fn bisect(verdict: Verdict, code: &str, items: usize) -> Verdict {
    const OF_PARAMETERS: [&str; 6] = [
        "InvalidParameter",
        "MissingParameter",
        "MissingRequiredParameter",
        "Validation",
        "Serialization",
        "InvalidFormat",
    ];
    let of_parameters = OF_PARAMETERS.iter().any(|prefix| code.starts_with(prefix));
    match verdict {
        Verdict::Refuse(Refusal { .. }) if of_parameters && items > 1 => Verdict::Halve,
        other => other,
    }
}

/// Whether a success is the service's: its successes are JSON objects or empty. A proxy's page is neither.
fn is_own(body: &[u8]) -> bool {
    matches!(body.trim_ascii().first(), None | Some(b'{'))
}

fn too_large(items: usize, why: String) -> Verdict {
    if items > 1 { Verdict::Halve } else { Verdict::Refuse(Refusal { loss: Loss::Oversize, why }) }
}

fn refuse(why: String) -> Verdict {
    Verdict::Refuse(Refusal { loss: Loss::Refused, why })
}

fn why(answer: &Response, fault: &Fault) -> String {
    let status = answer.status;
    match (fault.code.as_str(), fault.message.as_str()) {
        ("", "") => format!("status {status} without an AWS error: is the endpoint the service's own?"),
        ("", message) => format!("status {status}: {message}"),
        (code, "") => format!("{code} (status {status})"),
        (code, message) => format!("{code}: {message}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::script::response;

    fn kind(verdict: &Verdict) -> (&'static str, Option<u64>) {
        match verdict {
            Verdict::Delivered => ("delivered", None),
            Verdict::Partial { .. } => ("partial", None),
            Verdict::Retry { after, .. } => ("retry", after.map(|after| after.as_secs())),
            Verdict::Throttle { after, .. } => ("throttle", after.map(|after| after.as_secs())),
            Verdict::Halve => ("halve", None),
            Verdict::Reauthenticate { .. } => ("reauthenticate", None),
            Verdict::Refuse(_) => ("refuse", None),
        }
    }

    #[test]
    fn each_answer_has_its_verdict() {
        let gigantic = "x".repeat(1 << 20);
        let table: [(u16, &[(&'static str, &str)], &str, (&str, Option<u64>)); 30] = [
            (200, &[], "", ("delivered", None)),
            (200, &[], "{}", ("delivered", None)),
            (200, &[], "<html>log in to the hotel's network</html>", ("retry", Some(60))),
            (200, &[], &gigantic, ("retry", Some(60))),
            (400, &[], r#"{"__type":"ThrottlingException","message":"Rate exceeded"}"#, ("throttle", None)),
            (400, &[("x-amzn-query-error", "Throttling;Sender")], "", ("throttle", None)),
            (400, &[("retry-after", "7")], r#"{"__type":"x#LimitExceededException"}"#, ("throttle", Some(7))),
            (429, &[], "", ("throttle", None)),
            (429, &[("x-amz-retry-after", "2000")], "", ("throttle", Some(2))),
            (500, &[], "", ("retry", None)),
            (502, &[], "<html>bad gateway</html>", ("retry", None)),
            (503, &[("retry-after", "Sun, 22 Nov 2026 07:24:31 GMT")], "", ("retry", Some(3))),
            (503, &[], &gigantic, ("retry", None)),
            (408, &[], "", ("retry", None)),
            (400, &[], r#"{"__type":"OperationAbortedException"}"#, ("retry", None)),
            (400, &[], r#"{"__type":"ExpiredTokenException","message":"expired"}"#, ("reauthenticate", None)),
            (400, &[], r#"{"__type":"UnrecognizedClientException"}"#, ("reauthenticate", None)),
            (
                403,
                &[],
                r#"{"__type":"com.amazon.coral.service#InvalidSignatureException"}"#,
                ("reauthenticate", None),
            ),
            (403, &[("x-amzn-query-error", "InvalidClientTokenId;Sender")], "", ("reauthenticate", None)),
            (401, &[], "", ("reauthenticate", None)),
            (403, &[], "<Error><Code>SignatureDoesNotMatch</Code></Error>", ("reauthenticate", None)),
            (400, &[], r#"{"__type":"AccessDeniedException","Message":"not allowed"}"#, ("retry", Some(60))),
            (403, &[], "<html>forbidden</html>", ("retry", Some(60))),
            (404, &[], "", ("retry", Some(60))),
            (301, &[], "", ("retry", Some(60))),
            (400, &[], r#"{"__type":"InvalidParameterException","message":"bad"}"#, ("refuse", None)),
            (400, &[], "\u{0}garbage", ("refuse", None)),
            (400, &[], r#"{"__type":"KMSNotFoundException"}"#, ("retry", Some(60))),
            (400, &[], r#"{"__type":"KMSThrottlingException"}"#, ("throttle", None)),
            (413, &[], "", ("halve", None)),
        ];
        for (status, headers, body, expected) in table {
            let verdict = judge(&response(status, headers, body), 1_795_332_268, 2);
            assert_eq!(kind(&verdict), expected, "{status} {headers:?} {body:.60}");
        }
    }

    #[test]
    fn one_item_that_is_too_large_is_refused_for_that() {
        let verdict = judge(&response(413, &[], ""), 0, 1);
        let Verdict::Refuse(refusal) = verdict else { panic!("{verdict:?}") };
        assert_eq!(refusal.loss, Loss::Oversize);
    }

    #[test]
    fn the_operator_reads_the_servers_words() {
        let body = r#"{"__type":"AccessDeniedException","Message":"no identity-based policy allows it"}"#;
        let Verdict::Retry { why, .. } = judge(&response(400, &[], body), 0, 1) else { panic!() };
        assert_eq!(why, "AccessDeniedException: no identity-based policy allows it");
        let Verdict::Retry { why, .. } = judge(&response(404, &[], "nginx"), 0, 1) else { panic!() };
        assert!(why.contains("is the endpoint the service's own?"), "{why}");
    }
}
