//! What an answer means for a batch where the service says no more than a status. Pure: an answer in, a verdict out.
//!
//! The rule behind the table is that of `aws/judge.rs`: what an operator can put right (a key, a permission, an address
//! that is another server's) is waited out, and only a service that has read the data can refuse it for good. Backends
//! whose services say more judge that first and leave the rest to this.

use std::time::Duration;

use crate::backend::{Refusal, Verdict};
use crate::ledger::Loss;
use crate::net::{Response, parse_http_date};

use super::wait::OPERATOR_DELAY;

/// The longest that a server's own delay is taken for.
const DELAY_MAX: Duration = Duration::from_secs(15 * 60);
/// Characters of an answer that an operator is shown.
const SHOWN_MAX: usize = 300;

/// What the status means for a batch of this many items, as of `now_unix_s`. A 2xx is a delivery.
pub(in crate::backend) fn judge(answer: &Response, now_unix_s: u64, items: usize) -> Verdict {
    let (why, after) = (why(answer), retry_after(answer, now_unix_s));
    match answer.status {
        200..=299 => Verdict::Delivered,
        400 | 422 => Verdict::Refuse(Refusal { loss: Loss::Refused, why }),
        401 | 403 => Verdict::Retry { after: after.or(Some(OPERATOR_DELAY)), why },
        413 if items > 1 => Verdict::Halve,
        413 => Verdict::Refuse(Refusal { loss: Loss::Oversize, why }),
        429 => Verdict::Throttle { after, why },
        408 | 500.. => Verdict::Retry { after, why },
        _ => Verdict::Retry { after: after.or(Some(OPERATOR_DELAY)), why },
    }
}

/// `Retry-After`, in seconds or as a date.
pub(in crate::backend) fn retry_after(answer: &Response, now_unix_s: u64) -> Option<Duration> {
    let text = answer.header("retry-after")?.trim();
    let until = || {
        let until_s = u64::try_from(parse_http_date(text)?).ok()?;
        Some(until_s.saturating_sub(now_unix_s))
    };
    let seconds = text.parse().ok().or_else(until)?;
    Some(Duration::from_secs(seconds).min(DELAY_MAX))
}

/// The status and the beginning of what the server says, on one line.
pub(in crate::backend) fn why(answer: &Response) -> String {
    let text = String::from_utf8_lossy(&answer.body);
    let words: String =
        text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(SHOWN_MAX).collect();
    let shown: String = words.chars().filter(|c| !c.is_control()).collect();
    if shown.is_empty() {
        format!("status {}", answer.status)
    } else {
        format!("status {}: {shown}", answer.status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::script::response;

    #[test]
    fn each_status_has_its_verdict() {
        let gigantic = "x ".repeat(1 << 19);
        let kind = |status, headers: &[(&'static str, &str)], body: &str, items| match judge(
            &response(status, headers, body),
            1_795_332_268,
            items,
        ) {
            Verdict::Retry { after, .. } => ("retry", after.map(|after| after.as_secs())),
            Verdict::Throttle { after, .. } => ("throttle", after.map(|after| after.as_secs())),
            Verdict::Refuse(refusal) => (refusal.loss.name(), None),
            Verdict::Delivered => ("delivered", None),
            Verdict::Halve => ("halve", None),
            other => panic!("{other:?}"),
        };
        assert_eq!(kind(204, &[], "", 1), ("delivered", None));
        assert_eq!(kind(400, &[], "no", 1), ("refused", None));
        assert_eq!(kind(403, &[], "", 1), ("retry", Some(60)));
        assert_eq!(kind(404, &[], &gigantic, 1), ("retry", Some(60)));
        assert_eq!(kind(302, &[], "", 1), ("retry", Some(60)));
        assert_eq!(kind(413, &[], "", 2), ("halve", None));
        assert_eq!(kind(413, &[], "", 1), ("oversize", None));
        assert_eq!(kind(429, &[("retry-after", "7")], "", 1), ("throttle", Some(7)));
        assert_eq!(kind(429, &[("retry-after", "soon")], "", 1), ("throttle", None));
        assert_eq!(kind(503, &[("retry-after", "Sun, 22 Nov 2026 07:24:31 GMT")], "", 1), ("retry", Some(3)));
        assert_eq!(kind(500, &[("retry-after", "999999")], "", 1), ("retry", Some(900)));
        assert_eq!(kind(408, &[], "", 1), ("retry", None));
    }

    #[test]
    fn an_operator_reads_one_line() {
        assert_eq!(why(&response(400, &[], "a\r\nb\u{1b}[31m")), "status 400: a b[31m");
        assert_eq!(why(&response(500, &[], "")), "status 500");
        assert!(why(&response(500, &[], &"é".repeat(5_000))).chars().count() <= 320);
    }
}
