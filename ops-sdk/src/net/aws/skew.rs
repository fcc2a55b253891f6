//! A machine whose clock is wrong. Services take a signature that is about 5 minutes off, and the signer knows no time
//! but the system's ([`super::sign`]), so a clock that is further off keeps everything from being delivered until it is
//! set. What is done about it: it is told apart from wrong keys, measured and said, and nothing is given up for it.
//!
//! How it is recognised follows `aws-runtime` 1.10.2 (`service_clock_skew.rs`): by the code of the refusal and by the
//! answer's `Date`. The time of what was recorded stays as it was read. Pure.

use std::time::Duration;

use super::super::{Response, parse_http_date};
use super::Fault;

/// An answer that took longer tells nothing of the server's clock.
const ROUND_TRIP_MAX: Duration = Duration::from_secs(15 * 60);
/// A skew of no more than this was not the reason for a refusal.
const SKEW_S_MIN: u64 = 4 * 60;
/// Codes that a skewed clock may be behind (`aws-runtime` 1.10.2). `Exception` at the end is left out.
const SUSPECTED: [&str; 4] = ["InvalidSignature", "SignatureDoesNotMatch", "AuthFailure", "AccessDenied"];
/// Codes that say that time was the reason, so that a skew is told even where it cannot be measured.
const SAID: [&str; 3] = ["RequestTimeTooSkewed", "RequestExpired", "SignatureExpired"];

/// Seconds that the service's clock is ahead of ours: from the answer's `Date`, the time that the request was signed
/// with, and how long the answer took. `None` where the answer does not tell (no `Date`, an `Age` that says a cache
/// answered, or a long round trip).
pub(super) fn measure(answer: &Response, signed_at_s: i64, round_trip: Duration) -> Option<i64> {
    if answer.header("age").is_some() || round_trip > ROUND_TRIP_MAX {
        return None;
    }
    let server_s = parse_http_date(answer.header("date")?)?;
    let half_s = i64::try_from(round_trip.as_secs() / 2).ok()?;
    server_s.checked_sub(signed_at_s)?.checked_sub(half_s)
}

/// What an operator must know, if this answer is a refusal that came of the clock.
pub(super) fn blame(answer: &Response, skew_s: Option<i64>) -> Option<String> {
    let fault = Fault::of(answer);
    let code = fault.code.strip_suffix("Exception").unwrap_or(&fault.code);
    let blamed = match skew_s {
        Some(skew_s) => {
            skew_s.unsigned_abs() > SKEW_S_MIN && (SAID.contains(&code) || SUSPECTED.contains(&code))
        }
        None => SAID.contains(&code),
    };
    (answer.status >= 400 && blamed).then(|| told(&fault, skew_s))
}

fn told(fault: &Fault, skew_s: Option<i64>) -> String {
    let off = match skew_s {
        Some(skew_s) if skew_s > 0 => format!("{skew_s} s behind the service's"),
        Some(skew_s) => format!("{} s ahead of the service's", skew_s.unsigned_abs()),
        None => "not the service's".to_owned(),
    };
    let colon = if fault.message.is_empty() { "" } else { ": " };
    format!(
        "this machine's clock is {off}, and signatures more than about 300 s off are refused ({}{colon}{}); set the \
         clock, or have NTP keep it",
        fault.code, fault.message
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::script::response;

    const NOON_S: i64 = 1_795_332_268; // Sun, 22 Nov 2026 07:24:28 GMT

    #[test]
    fn skew_is_measured_at_the_middle_of_the_round_trip() {
        let date = ("date", "Sun, 22 Nov 2026 07:24:28 GMT");
        let table = [
            (vec![date], NOON_S, 0, Some(0)),
            (vec![date], NOON_S - 10, 10, Some(5)),
            (vec![date], NOON_S + 600, 2, Some(-601)),
            (vec![date, ("age", "3")], NOON_S, 0, None),
            (vec![date], NOON_S - 1_000, 1_000, None),
            (vec![("date", "yesterday")], NOON_S, 0, None),
            (vec![], NOON_S, 0, None),
            (vec![date], i64::MIN, 0, None),
        ];
        for (headers, signed_at_s, took_s, skew_s) in table {
            let answer = response(200, &headers, "");
            assert_eq!(measure(&answer, signed_at_s, Duration::from_secs(took_s)), skew_s, "{headers:?}");
        }
    }

    #[test]
    fn only_a_large_skew_and_a_code_of_signatures_are_blamed_on_the_clock() {
        let table = [
            (400, "InvalidSignatureException", Some(600), true),
            (403, "AccessDeniedException", Some(-600), true),
            (403, "SignatureDoesNotMatch", Some(241), true),
            (400, "RequestExpired", Some(3_600), true),
            (403, "RequestTimeTooSkewed", None, true),
            (403, "RequestTimeTooSkewed", Some(3), false),
            (400, "InvalidSignatureException", Some(240), false),
            (400, "InvalidSignatureException", None, false),
            (403, "AccessDeniedException", None, false),
            (400, "ThrottlingException", Some(600), false),
            (400, "", Some(600), false),
            (200, "InvalidSignatureException", Some(600), false),
        ];
        for (status, code, skew_s, blamed) in table {
            let answer = response(status, &[], &format!(r#"{{"__type":"{code}"}}"#));
            assert_eq!(blame(&answer, skew_s).is_some(), blamed, "{code} {skew_s:?}");
        }
    }

    #[test]
    fn the_operator_reads_how_far_off_the_clock_is_and_what_to_do() {
        let answer =
            response(400, &[], r#"{"__type":"RequestExpired","message":"Request must not be too old"}"#);
        let table = [
            (Some(3_600), "this machine's clock is 3600 s behind the service's, and "),
            (Some(-301), "this machine's clock is 301 s ahead of the service's, and "),
            (None, "this machine's clock is not the service's, and "),
        ];
        for (skew_s, start) in table {
            let why = blame(&answer, skew_s).unwrap();
            assert!(why.starts_with(start), "{why}");
            assert!(why.contains("(RequestExpired: Request must not be too old); set the clock"), "{why}");
        }
    }
}
