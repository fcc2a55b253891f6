//! What the collector's answers mean. Pure: an answer in, a verdict out.
//!
//! The collector's own code decides, and the status where there is none. Only the collector can refuse data, and only
//! an object that it names; a success has its words. Codes: "Troubleshoot HTTP Event Collector", possible error codes.

use std::time::Duration;

use serde::Deserialize;

use crate::backend::shared::{judge as by_status, operator, retry_after, why};
use crate::backend::{Refusal, Verdict};
use crate::ledger::Loss;
use crate::net::Response;

/// How often an acknowledgement is asked for: indexers take about a second.
const ASK_EVERY: Duration = Duration::from_millis(500);

/// What an answer to a push says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Told {
    /// The collector has all of it, and acknowledges it later under this number if the token does so.
    Taken(Option<u64>),
    /// This.
    Not(Verdict),
}

/// An answer in the collector's words.
#[derive(Deserialize)]
struct Words {
    code: u64,
    #[serde(rename = "invalid-event-number")]
    number: Option<usize>,
    #[serde(rename = "ackId")]
    ack: Option<u64>,
}

/// What the answer to a push of this many objects means.
pub(super) fn judge(answer: &Response, now_unix_s: u64, items: usize) -> Told {
    let words: Option<Words> = serde_json::from_slice(&answer.body).ok();
    let (why, after) = (why(answer), retry_after(answer, now_unix_s));
    let is_success = (200..300).contains(&answer.status);
    let Some(words) = words else {
        // A page in between: what has not read the data can neither take nor refuse it.
        return Told::Not(match answer.status {
            200..=299 => operator(format!("{why} is not the collector's answer: is the URL its own?")),
            400 | 422 => operator(why),
            _ => by_status(answer, now_unix_s, items),
        });
    };
    Told::Not(match words.code {
        0 if is_success => return Told::Taken(words.ack),
        6 | 12 | 13 | 15 => bad_object(words.number, items, why),
        7 => bad_index(words.number, items, why),
        9 | 18 | 20 => Verdict::Throttle { after, why },
        8 | 19 => Verdict::Retry { after, why },
        // Tokens and channels (1-4, 10, 11, 16, 21, 22), no data in what held some (5), successes that are none, and
        // what later versions say.
        _ => match answer.status {
            200..=299 | 400 | 422 => operator(why),
            _ => by_status(answer, now_unix_s, items),
        },
    })
}

/// Objects before the bad one are indexed, it is refused, and those after it were not looked at.
fn bad_object(number: Option<usize>, items: usize, why: String) -> Verdict {
    let refusal = Refusal { loss: Loss::Refused, why };
    match number {
        Some(bad) if bad < items && items > 1 => {
            Verdict::Partial { failed: (bad + 1..items).collect(), refused: vec![(bad, refusal)] }
        }
        _ if items > 1 => Verdict::Halve,
        _ => Verdict::Refuse(refusal),
    }
}

/// The token may not write to the index of an object, which an operator can put right: nothing is refused. The number
/// is one higher than that of the object in the versions that were seen (10.4.3), so the one before it counts as bad,
/// too; where that leaves nothing the push is halved until it is one object.
fn bad_index(number: Option<usize>, items: usize, why: String) -> Verdict {
    match number {
        Some(number) if number >= 2 && number <= items => {
            Verdict::Partial { failed: (number - 1..items).collect(), refused: Vec::new() }
        }
        Some(1) if items > 1 => Verdict::Halve,
        _ => operator(why),
    }
}

/// What the answer to a question after this acknowledgement means. Never a reason to send the push again.
pub(super) fn acknowledged(answer: &Response, ack: u64, now_unix_s: u64) -> Verdict {
    #[derive(Deserialize)]
    struct Acks {
        acks: std::collections::HashMap<String, bool>,
    }
    let told: Option<Acks> = serde_json::from_slice(&answer.body).ok();
    if let (200..=299, Some(told)) = (answer.status, told) {
        return match told.acks.get(&ack.to_string()) {
            Some(true) => Verdict::Delivered,
            _ => {
                let why = format!("the indexers have not acknowledged request {ack} yet");
                Verdict::Throttle { after: Some(ASK_EVERY), why }
            }
        };
    }
    match by_status(answer, now_unix_s, 1) {
        retry @ (Verdict::Retry { .. } | Verdict::Throttle { .. }) => retry,
        _ => operator(format!("no acknowledgement: {}", why(answer))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::script::response;

    const NOW_S: u64 = 1_795_332_268;

    fn told(status: u16, body: &str, items: usize) -> String {
        match judge(&response(status, &[], body), NOW_S, items) {
            Told::Taken(ack) => format!("taken {ack:?}"),
            Told::Not(verdict) => brief(&verdict),
        }
    }

    fn brief(verdict: &Verdict) -> String {
        match verdict {
            Verdict::Retry { after, .. } => format!("retry {:?}", after.map(|after| after.as_secs())),
            Verdict::Throttle { after, .. } => format!("throttle {after:?}"),
            Verdict::Refuse(refusal) => refusal.loss.name().to_owned(),
            Verdict::Partial { failed, refused } => {
                format!(
                    "failed {failed:?} refused {:?}",
                    refused.iter().map(|(at, _)| at).collect::<Vec<_>>()
                )
            }
            other => format!("{other:?}"),
        }
    }

    fn code(code: u64) -> String {
        format!(r#"{{"text":"words","code":{code}}}"#)
    }

    #[test]
    fn each_code_has_its_verdict() {
        let operator = [1, 2, 3, 4, 5, 7, 10, 11, 14, 16, 17, 21, 22, 99];
        operator.into_iter().for_each(|n| assert_eq!(told(400, &code(n), 3), "retry Some(60)", "{n}"));
        assert_eq!(told(401, &code(3), 3), "retry Some(60)");
        assert_eq!(told(403, &code(4), 3), "retry Some(60)");
        assert_eq!(told(200, &code(0), 3), "taken None");
        assert_eq!(told(200, r#"{"text":"Success","code":0,"ackId":7}"#, 3), "taken Some(7)");
        assert_eq!(told(200, &code(17), 3), "retry Some(60)");
        assert_eq!(told(500, &code(8), 3), "retry None");
        assert_eq!(told(503, &code(19), 3), "retry None");
        [9, 18, 20].into_iter().for_each(|n| assert_eq!(told(503, &code(n), 3), "throttle None", "{n}"));
        // Codes of later versions go by their status.
        assert_eq!(told(503, &code(23), 3), "retry None");
        assert_eq!(told(429, &code(26), 3), "throttle None");
        // A success that is none by its status, and a code that is none by its form.
        assert_eq!(told(500, &code(0), 3), "retry None");
        assert_eq!(told(200, r#"{"text":"Success","code":"0"}"#, 3), "retry Some(60)");
    }

    #[test]
    fn answers_without_words_go_by_their_status() {
        let gigantic = "x".repeat(1 << 20);
        assert_eq!(told(200, "", 3), "retry Some(60)");
        assert_eq!(told(200, "<html>log in</html>", 3), "retry Some(60)");
        assert_eq!(told(200, &gigantic, 3), "retry Some(60)");
        assert_eq!(told(400, "<html>bad</html>", 3), "retry Some(60)");
        assert_eq!(told(302, "", 3), "retry Some(60)");
        assert_eq!(told(404, "", 3), "retry Some(60)");
        assert_eq!(told(415, "", 3), "retry Some(60)");
        assert_eq!(told(413, "", 3), "Halve");
        assert_eq!(told(413, "", 1), "oversize");
        assert_eq!(told(429, "", 3), "throttle None");
        assert_eq!(told(502, &gigantic, 3), "retry None");
        let later = judge(&response(503, &[("retry-after", "7")], &code(9)), NOW_S, 3);
        let expected = Verdict::Throttle { after: Some(Duration::from_secs(7)), why: String::new() };
        let Told::Not(later) = later else { panic!("{later:?}") };
        assert_eq!(brief(&later), brief(&expected));
    }

    #[test]
    fn objects_before_the_bad_one_are_kept() {
        for n in [6, 12, 13, 15] {
            let answer = |at: usize| format!(r#"{{"text":"bad","code":{n},"invalid-event-number":{at}}}"#);
            assert_eq!(told(400, &answer(0), 3), "failed [1, 2] refused [0]");
            assert_eq!(told(400, &answer(1), 3), "failed [2] refused [1]");
            assert_eq!(told(400, &answer(2), 3), "failed [] refused [2]");
            assert_eq!(told(400, &answer(0), 1), "refused");
            assert_eq!(told(400, &answer(3), 3), "Halve", "no such object");
            assert_eq!(told(400, &code(n), 3), "Halve");
            assert_eq!(told(400, &code(n), 1), "refused");
        }
        assert_eq!(told(400, r#"{"text":"bad","code":6,"invalid-event-number":-1}"#, 3), "retry Some(60)");
    }

    #[test]
    fn an_index_that_is_not_allowed_costs_nothing() {
        let answer =
            |at: usize| format!(r#"{{"text":"Incorrect index","code":7,"invalid-event-number":{at}}}"#);
        assert_eq!(told(400, &answer(2), 3), "failed [1, 2] refused []");
        assert_eq!(told(400, &answer(3), 3), "failed [2] refused []");
        assert_eq!(told(400, &answer(1), 3), "Halve");
        assert_eq!(told(400, &answer(1), 1), "retry Some(60)");
        assert_eq!(told(400, &answer(0), 3), "retry Some(60)");
        assert_eq!(told(400, &answer(4), 3), "retry Some(60)");
        assert_eq!(told(400, &code(7), 3), "retry Some(60)");
    }

    #[test]
    fn acknowledgements() {
        let told = |status, body: &str| brief(&acknowledged(&response(status, &[], body), 7, NOW_S));
        assert_eq!(told(200, r#"{"acks":{"7":true}}"#), "Delivered");
        assert_eq!(told(200, r#"{"acks":{"7":false}}"#), "throttle Some(500ms)");
        assert_eq!(told(200, r#"{"acks":{"8":true}}"#), "throttle Some(500ms)");
        assert_eq!(told(200, "<html>"), "retry Some(60)");
        assert_eq!(told(200, ""), "retry Some(60)");
        assert_eq!(told(400, &code(14)), "retry Some(60)");
        assert_eq!(told(413, ""), "retry Some(60)");
        assert_eq!(told(503, &code(9)), "retry None");
        assert_eq!(told(429, ""), "throttle None");
    }
}
