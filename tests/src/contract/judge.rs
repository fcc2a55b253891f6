//! What a backend makes of every answer there is: nothing is lost that the server may yet take, and nothing counts as
//! delivered that the server did not say it has.

use std::time::Duration;

use ops_sdk::backend::Verdict;
use ops_sdk::ledger::Loss;
use ops_sdk::limits::PushLimit;
use ops_sdk::net::PUSH_TIMEOUT;

use super::open::{Opened, http};
use super::{Case, HttpCase, SECRET, Success, records};
use crate::rig::{Recorded, Reply, Server};

/// Items of a push, where the backend sends so many at once.
const ITEMS: u64 = 3;
/// How long a server that says nothing is waited for.
const SHORT: Duration = Duration::from_millis(250);
/// What `Retry-After` says here.
const DELAY: Duration = Duration::from_secs(2);

/// One way to answer a push, and what it may mean.
#[derive(Clone, Copy)]
struct Situation {
    name: &'static str,
    reply: fn(&HttpCase, &Recorded) -> Reply,
    want: Want,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Want {
    /// It has all of it.
    Delivered,
    /// Not delivered, and not lost: to be sent again.
    Kept,
    /// The same, and not before the delay that the server asked for.
    KeptFor(Duration),
    /// To be sent in smaller pieces, or refused as too large.
    Smaller,
    /// Anything but delivered.
    NotDelivered,
    /// As the service's successes are told: by the words, or by the status.
    BySuccess { empty: bool },
}

const fn on(name: &'static str, reply: fn(&HttpCase, &Recorded) -> Reply, want: Want) -> Situation {
    Situation { name, reply, want }
}

const SITUATIONS: [Situation; 20] = [
    on("good", |http, request| (http.good)(request), Want::Delivered),
    on("throttled", |http, request| (http.throttled)(request), Want::Kept),
    on("400", |_, _| Reply::answer(400, "no"), Want::NotDelivered),
    on("401", |_, _| Reply::answer(401, "who?"), Want::Kept),
    on("403", |_, _| Reply::answer(403, "not you"), Want::Kept),
    on("404", |_, _| Reply::answer(404, "<html>not here</html>"), Want::Kept),
    on("409", |_, _| Reply::answer(409, "<html>conflict</html>"), Want::NotDelivered),
    on("413", |_, _| Reply::answer(413, ""), Want::Smaller),
    on("429", |_, _| Reply::answer(429, ""), Want::Kept),
    on("429 for 2 s", |_, _| Reply::answer(429, "").with("Retry-After", "2"), Want::KeptFor(DELAY)),
    on("500", |_, _| Reply::answer(500, "oops"), Want::Kept),
    on("502", |_, _| Reply::answer(502, "<html>bad gateway</html>"), Want::Kept),
    on("503", |_, _| Reply::answer(503, ""), Want::Kept),
    on("302", |_, _| Reply::answer(302, "").with("Location", "http://127.0.0.1:9/"), Want::Kept),
    on(
        "garbage",
        |_, _| Reply::answer(200, "<html>log in to the network</html>"),
        Want::BySuccess { empty: false },
    ),
    on("bytes", |_, _| Reply::answer(200, *b"\xff\0\xfe{]"), Want::BySuccess { empty: false }),
    on("empty", |_, _| Reply::answer(200, ""), Want::BySuccess { empty: true }),
    on("gigantic", |_, _| Reply::answer(200, gigantic()), Want::BySuccess { empty: false }),
    on("gigantic 503", |_, _| Reply::answer(503, gigantic()), Want::Kept),
    on("cut", |_, _| Reply::Cut, Want::Kept),
];

fn gigantic() -> Vec<u8> {
    vec![b'x'; 2 << 20]
}

/// Every situation, for every kind of record that the backend takes, first and second hand.
#[must_use]
pub fn judged(case: &Case) -> Vec<String> {
    if http(case).is_none() {
        return Vec::new();
    }
    let mut wrong: Vec<String> =
        SITUATIONS.into_iter().flat_map(|situation| met(case, situation, PUSH_TIMEOUT)).collect();
    wrong.extend(met(case, on("slow", |_, _| Reply::Hang, Want::Kept), SHORT));
    wrong
}

/// What an answer may mean, where a protocol's specification leaves no choice.
fn wanted(case: &Case, situation: Situation) -> Want {
    match (case.name, situation.name) {
        // OTLP: "MUST NOT be retried", and so are answers over the client's limit. Both are refusals, kept as letters.
        ("otlp", "500" | "gigantic") => Want::NotDelivered,
        _ => situation.want,
    }
}

fn met(case: &Case, situation: Situation, budget: Duration) -> Vec<String> {
    let want = wanted(case, situation);
    let (http, all) = (case_of(case.name), case_of(case.name));
    let server = Server::start(move |request| match (http.push)(request) {
        true => (situation.reply)(&http, request),
        false => (http.good)(request),
    });
    let mut wrong = Vec::new();
    // A server that says nothing is tried once: each try takes its time.
    let signals = Opened::new(case, &server.url(), PushLimit::default()).signals();
    let tried = if budget == SHORT { &signals[..1] } else { &signals[..] };
    for signal in tried {
        let mut opened = Opened::new(case, &server.url(), PushLimit::default());
        let batches = opened.batches(&records::several(*signal, ITEMS));
        let Some(batch) = batches.first() else {
            wrong.push(format!("{}: no batch of {signal}", situation.name));
            continue;
        };
        let mut verdicts = vec![opened.send_within(batch, budget)];
        if let Some(another) = opened.backend.another() {
            opened.backend = another;
            verdicts.push(opened.send_within(batch, budget));
        }
        let bad = verdicts.iter().filter(|verdict| !is_right(verdict, want, batch.len(), all.success));
        wrong.extend(bad.map(|verdict| format!("{} of {signal}: {verdict:.300?}", situation.name)));
        let told = verdicts.iter().map(|verdict| format!("{verdict:?}"));
        wrong.extend(told.filter(|told| told.contains(SECRET)).map(|told| format!("a secret in {told}")));
    }
    wrong
}

/// The case of this name once more: the server's thread needs one of its own.
fn case_of(name: &str) -> HttpCase {
    let case = super::all().into_iter().find(|case| case.name == name);
    match case.map(|case| case.talk) {
        Some(super::Talk::Http(http)) => http,
        _ => panic!("{name} does not speak HTTP"),
    }
}

fn is_right(verdict: &Verdict, want: Want, items: usize, success: Success) -> bool {
    match want {
        Want::Delivered => *verdict == Verdict::Delivered,
        Want::Kept => is_kept(verdict, items),
        Want::KeptFor(delay) => match verdict {
            Verdict::Retry { after, .. } | Verdict::Throttle { after, .. } => *after == Some(delay),
            _ => false,
        },
        Want::Smaller => match verdict {
            Verdict::Halve => items > 1,
            Verdict::Refuse(refusal) => refusal.loss == Loss::Oversize,
            Verdict::Partial { refused, .. } => {
                refused.iter().all(|(_, refusal)| refusal.loss == Loss::Oversize)
            }
            _ => false,
        },
        Want::NotDelivered => *verdict != Verdict::Delivered,
        Want::BySuccess { empty } => match (success, empty) {
            (Success::Status, _) | (Success::WordsOrNothing, true) => {
                *verdict == Verdict::Delivered || is_kept(verdict, items)
            }
            (Success::Words | Success::WordsOrNothing, _) => is_kept(verdict, items),
        },
    }
}

/// Whether the batch is sent again, all of it.
fn is_kept(verdict: &Verdict, items: usize) -> bool {
    match verdict {
        Verdict::Retry { .. } | Verdict::Throttle { .. } | Verdict::Reauthenticate { .. } => true,
        Verdict::Partial { failed, refused } => failed.len() == items && refused.is_empty(),
        Verdict::Delivered | Verdict::Halve | Verdict::Refuse(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ops_sdk::backend::Refusal;

    #[test]
    fn the_judge_of_judges() {
        let retry = |after| Verdict::Retry { after, why: String::new() };
        let refuse = |loss| Verdict::Refuse(Refusal { loss, why: String::new() });
        let partial = |failed| Verdict::Partial { failed, refused: Vec::new() };
        let table = [
            (Verdict::Delivered, Want::Delivered, true),
            (retry(None), Want::Delivered, false),
            (Verdict::Delivered, Want::Kept, false),
            (refuse(Loss::Refused), Want::Kept, false),
            (partial(vec![0, 1]), Want::Kept, true),
            (partial(vec![1]), Want::Kept, false),
            (retry(None), Want::KeptFor(DELAY), false),
            (retry(Some(DELAY)), Want::KeptFor(DELAY), true),
            (Verdict::Halve, Want::Smaller, true),
            (refuse(Loss::Refused), Want::Smaller, false),
            (refuse(Loss::Oversize), Want::Smaller, true),
            (Verdict::Delivered, Want::NotDelivered, false),
            (Verdict::Delivered, Want::BySuccess { empty: false }, false),
            (Verdict::Delivered, Want::BySuccess { empty: true }, true),
            (refuse(Loss::Refused), Want::BySuccess { empty: false }, false),
        ];
        for (verdict, want, right) in table {
            assert_eq!(is_right(&verdict, want, 2, Success::WordsOrNothing), right, "{verdict:?} {want:?}");
        }
        assert!(!is_right(&Verdict::Halve, Want::Smaller, 1, Success::Words));
        assert!(is_right(&Verdict::Delivered, Want::BySuccess { empty: false }, 1, Success::Status));
    }
}
