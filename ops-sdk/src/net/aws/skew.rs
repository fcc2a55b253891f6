//! The service's clock as its answers tell it. Servers take a signature that is about 5 minutes off; a machine whose
//! clock is further off is corrected here, for signatures alone: the time of what was recorded stays as it was read.
//! The rules are those of `aws-runtime` 1.10.2 (`service_clock_skew.rs`).

use std::time::Duration;

use super::super::{Response, parse_http_date};
use crate::clock::Now;

/// An answer that took longer tells nothing of the server's clock.
const ROUND_TRIP_MAX: Duration = Duration::from_secs(15 * 60);
/// A skew below this was not the reason for a refusal.
const SKEW_S_MIN: i64 = 4 * 60;
/// Codes that a skewed clock may be behind.
const CODES: [&str; 5] = [
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "AuthFailure",
    "RequestTimeTooSkewed",
    "AccessDeniedException",
];

/// Seconds that the server's clock is ahead of ours, from its `Date`; `None` where the answer does not tell (no
/// `Date`, an `Age` that says a cache answered, or a long round trip).
pub(super) fn measure(answer: &Response, sent: Now, received: Now) -> Option<i64> {
    let round_trip = received.since(sent);
    if answer.header("age").is_some() || round_trip > ROUND_TRIP_MAX {
        return None;
    }
    let server_s = parse_http_date(answer.header("date")?)?;
    let middle_ns = sent.unix_ns.saturating_add(u64::try_from(round_trip.as_nanos() / 2).ok()?);
    server_s.checked_sub(i64::try_from(middle_ns / 1_000_000_000).ok()?)
}

/// Whether a refusal came of a clock that is known better by now.
pub(super) fn worth_another_try(status: u16, code: &str, skew_s: i64, signed_with_s: i64) -> bool {
    status >= 400 && CODES.contains(&code) && skew_s.abs_diff(signed_with_s) > SKEW_S_MIN.unsigned_abs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::script::response;

    const NOON_S: u64 = 1_795_332_268; // Sun, 22 Nov 2026 07:24:28 GMT

    fn at(seconds: u64) -> Now {
        Now { unix_ns: seconds * 1_000_000_000, mono_ns: seconds * 1_000_000_000 }
    }

    #[test]
    fn skew_is_measured_at_the_middle_of_the_round_trip() {
        let date = ("date", "Sun, 22 Nov 2026 07:24:28 GMT");
        let table = [
            (vec![date], at(NOON_S), at(NOON_S), Some(0)),
            (vec![date], at(NOON_S - 10), at(NOON_S), Some(5)),
            (vec![date], at(NOON_S + 600), at(NOON_S + 602), Some(-601)),
            (vec![date, ("age", "3")], at(NOON_S), at(NOON_S), None),
            (vec![date], at(NOON_S - 1_000), at(NOON_S), None),
            (vec![("date", "yesterday")], at(NOON_S), at(NOON_S), None),
            (vec![], at(NOON_S), at(NOON_S), None),
        ];
        for (headers, sent, received, skew_s) in table {
            let answer = response(200, &headers, "");
            assert_eq!(measure(&answer, sent, received), skew_s, "{headers:?}");
        }
    }

    #[test]
    fn only_a_large_change_and_a_code_of_signatures_is_worth_another_try() {
        let table = [
            (400, "InvalidSignatureException", 600, 0, true),
            (403, "AccessDeniedException", -600, 0, true),
            (400, "InvalidSignatureException", 200, 0, false),
            (400, "InvalidSignatureException", 600, 590, false),
            (400, "ThrottlingException", 600, 0, false),
            (200, "InvalidSignatureException", 600, 0, false),
        ];
        for (status, code, skew_s, signed_with_s, expected) in table {
            assert_eq!(worth_another_try(status, code, skew_s, signed_with_s), expected, "{code} {skew_s}");
        }
    }
}
