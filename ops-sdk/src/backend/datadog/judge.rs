//! What an item is, how a request is made of several, and what answers mean. Pure.
//!
//! Datadog accepts or refuses a request as a whole. Only an answer that is Datadog's own (a JSON object) can accept data
//! or refuse them for good; a proxy's page is an operator's matter and is waited out.

use std::io::Write as _;
use std::time::Duration;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use serde_json::Value;

use super::super::shared;
use super::HOUR_MS;
use crate::backend::{Refusal, Verdict};
use crate::clock::Now;
use crate::diag;
use crate::ledger::Loss;
use crate::net::Response;

/// Bodies from this size on are compressed where they need not be.
const COMPRESSED_BYTES_MIN: usize = 1_024;
/// What is left for the way.
const WAY_MS: u64 = 60_000;
/// The longest that the server's own delay is taken for.
const DELAY_MAX: Duration = Duration::from_secs(15 * 60);

/// Where an item goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Series,
    Distribution,
    Log,
    Check,
    Event,
}

impl Kind {
    /// The kind by the item's first member, which no other kind begins with.
    pub(super) fn of(item: &[u8]) -> Kind {
        match item.get(2..4) {
            Some(b"me") => Kind::Series,
            Some(b"ty") => Kind::Distribution,
            Some(b"ch") => Kind::Check,
            Some(b"da") => Kind::Event,
            _ => Kind::Log,
        }
    }

    /// The body of a request with these items.
    pub(super) fn body<'a>(self, items: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
        let (start, end): (&[u8], &[u8]) = match self {
            Kind::Series | Kind::Distribution => (b"{\"series\":[", b"]}"),
            Kind::Log | Kind::Check => (b"[", b"]"),
            Kind::Event => (b"", b""),
        };
        let mut body = start.to_vec();
        for (index, item) in items.enumerate() {
            if index > 0 {
                body.push(b',');
            }
            body.extend_from_slice(item);
        }
        body.extend_from_slice(end);
        body
    }

    /// Compressed as the endpoint takes it (docs.datadoghq.com/api/latest, each endpoint's `Content-Encoding`):
    /// distributions `deflate` alone, series and logs `gzip`, the others nothing.
    pub(super) fn compressed(self, body: Vec<u8>) -> (Option<&'static str>, Vec<u8>) {
        let room = Vec::with_capacity(body.len() / 4);
        // Writing into memory cannot fail.
        match self {
            Kind::Distribution => {
                let mut encoder = ZlibEncoder::new(room, Compression::default());
                let _ = encoder.write_all(&body);
                (Some("deflate"), encoder.finish().unwrap_or_default())
            }
            Kind::Series | Kind::Log if body.len() >= COMPRESSED_BYTES_MIN => {
                let mut encoder = GzEncoder::new(room, Compression::default());
                let _ = encoder.write_all(&body);
                (Some("gzip"), encoder.finish().unwrap_or_default())
            }
            _ => (None, body),
        }
    }

    /// Series: 512,000 bytes as sent ("Submit metrics"). For distributions nothing is said; taken to be the same.
    pub(super) fn wire_bytes_max(self) -> usize {
        match self {
            Kind::Series | Kind::Distribution => 512_000,
            Kind::Log | Kind::Check | Kind::Event => 5_000_000,
        }
    }
}

/// Why an item of this time would not be kept, less a minute for the way: points older than an hour or more than ten
/// minutes ahead ("Submit metrics", `points`), checks older than ten minutes ("Submit a Service Check"), logs and events
/// older than 18 hours ("Send logs", "Post an event").
pub(super) fn stale(kind: Kind, time_ms: u64, now_ms: u64) -> Option<Refusal> {
    let (age, ahead) = match kind {
        Kind::Series | Kind::Distribution => (HOUR_MS, Some(HOUR_MS / 6)),
        Kind::Check => (HOUR_MS / 6, None),
        Kind::Log | Kind::Event => (18 * HOUR_MS, None),
    };
    let refusal = |loss, why: &str| Some(Refusal { loss, why: why.to_owned() });
    if time_ms.saturating_add(age - WAY_MS) < now_ms {
        return refusal(Loss::TooOld, "older than Datadog keeps it");
    }
    match ahead {
        Some(ahead) if time_ms > now_ms.saturating_add(ahead - WAY_MS) => {
            refusal(Loss::TooNew, "further ahead than Datadog keeps it")
        }
        _ => None,
    }
}

/// What an answer means for so many items of one kind.
pub(super) fn judge(answer: &Response, now: Now, items: usize) -> Verdict {
    let own = answer.body.trim_ascii();
    let is_own = own.first() == Some(&b'{');
    match answer.status {
        200..=299 if is_own || own.is_empty() => {
            warn_of_errors(answer, now);
            Verdict::Delivered
        }
        200..=299 => shared::operator(format!("an answer that is not Datadog's: {}", shared::why(answer))),
        400 | 422 if !is_own => shared::operator(shared::why(answer)),
        400 | 422 if items > 1 => Verdict::Halve, // one bad item fails a request
        _ => match shared::judge(answer, now.unix_ns / 1_000_000_000, items) {
            Verdict::Throttle { after, why } => Verdict::Throttle { after: reset(answer).or(after), why },
            other => other,
        },
    }
}

pub(super) fn too_large(items: usize, why: String) -> Verdict {
    if items > 1 { Verdict::Halve } else { Verdict::Refuse(Refusal { loss: Loss::Oversize, why }) }
}

/// Seconds until the limit of requests begins anew, as Datadog's own clients take it.
fn reset(answer: &Response) -> Option<Duration> {
    let seconds: f64 = answer.header("x-ratelimit-reset")?.trim().parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok().map(|delay| delay.min(DELAY_MAX))
}

/// A request that is accepted may come with complaints, which name no item: they are said and nothing is sent again.
fn warn_of_errors(answer: &Response, now: Now) {
    let Ok(Value::Object(said)) = serde_json::from_slice(&answer.body) else { return };
    if said.get("errors").and_then(Value::as_array).is_some_and(|errors| !errors.is_empty()) {
        let text = format!("datadog: the data are accepted, with complaints: {}", shared::why(answer));
        diag::warn("datadog complaints", now, &text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::script::response;

    /// Status, headers, body, items, and what they mean.
    type Case<'a> = (u16, &'a [(&'static str, &'a str)], &'a str, usize, (&'static str, Option<u64>));

    fn kind(verdict: &Verdict) -> (&'static str, Option<u64>) {
        let seconds = |after: &Option<Duration>| after.map(|after| after.as_secs());
        match verdict {
            Verdict::Delivered => ("delivered", None),
            Verdict::Halve => ("halve", None),
            Verdict::Retry { after, .. } => ("retry", seconds(after)),
            Verdict::Throttle { after, .. } => ("throttle", seconds(after)),
            Verdict::Refuse(refusal) => (refusal.loss.name(), None),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_answer_has_its_verdict() {
        let now = Now { unix_ns: 1_795_332_268_000_000_000, mono_ns: 1 };
        let gigantic = format!("{{\"errors\":[\"{}\"]}}", "x".repeat(1 << 20));
        let reset = [("x-ratelimit-reset", "7")];
        let table: [Case<'_>; 20] = [
            (202, &[], "{\"errors\":[]}", 3, ("delivered", None)),
            (202, &[], "{\"errors\":[\"odd\"]}", 3, ("delivered", None)),
            (202, &[], "{}", 3, ("delivered", None)),
            (202, &[], "", 3, ("delivered", None)),
            (200, &[], "<html>welcome</html>", 3, ("retry", Some(60))),
            (202, &[], "\0\u{1}garbage", 3, ("retry", Some(60))),
            (400, &[], "{\"errors\":[\"bad\"]}", 3, ("halve", None)),
            (400, &[], "{\"errors\":[\"bad\"]}", 1, ("refused", None)),
            (400, &[], &gigantic, 1, ("refused", None)),
            (400, &[], "<html>bad gateway</html>", 1, ("retry", Some(60))),
            (401, &[], "", 1, ("retry", Some(60))),
            (403, &[], "{\"errors\":[\"Forbidden\"]}", 3, ("retry", Some(60))),
            (404, &[], "", 3, ("retry", Some(60))),
            (302, &[("location", "http://x/")], "", 3, ("retry", Some(60))),
            (408, &[], "", 3, ("retry", None)),
            (413, &[], "{}", 3, ("halve", None)),
            (413, &[], "{}", 1, ("oversize", None)),
            (429, &reset, "", 3, ("throttle", Some(7))),
            (429, &[("x-ratelimit-reset", "NaN"), ("retry-after", "2")], "", 3, ("throttle", Some(2))),
            (503, &[], "", 3, ("retry", None)),
        ];
        for (status, headers, body, items, expected) in table {
            let verdict = judge(&response(status, headers, body), now, items);
            assert_eq!(kind(&verdict), expected, "{status} {}", &body[..body.len().min(40)]);
        }
    }

    #[test]
    fn each_kind_has_its_window() {
        let now = 1_795_332_268_000;
        let loss = |kind, time_ms: u64| stale(kind, time_ms, now).map(|refusal| refusal.loss);
        for (kind, minutes) in
            [(Kind::Series, 59), (Kind::Distribution, 59), (Kind::Check, 9), (Kind::Log, 1_079)]
        {
            let edge = now - minutes * 60_000;
            assert_eq!((loss(kind, edge), loss(kind, edge - 1)), (None, Some(Loss::TooOld)), "{kind:?}");
        }
        let edge = now + 9 * 60_000;
        assert_eq!((loss(Kind::Series, edge), loss(Kind::Series, edge + 1)), (None, Some(Loss::TooNew)));
        assert_eq!(loss(Kind::Log, now * 2), None);
    }
}
