//! PutLogEvents as the documentation has it (`logs/2014-03-28`, botocore 1.44.5): what a call must be, and which of its
//! events are rejected. Pure.

use std::ops::Range;

use serde_json::Value;

const BYTES_MAX: usize = 1_048_576;
const EVENTS_MAX: usize = 10_000;
const OVERHEAD_BYTES: usize = 26;
/// The first contract of the operation, which the SDK keeps unless it is told otherwise.
const CONTRACT_BYTES: usize = 32_768;
const CONTRACT_EVENTS: usize = 1_000;
const HOUR_MS: i64 = 3_600_000;

/// A call that keeps to the rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Put {
    pub(super) group: String,
    pub(super) stream: String,
    pub(super) messages: Vec<String>,
    /// Those that are neither too old nor too new.
    pub(super) kept: Range<usize>,
}

/// Reads a call, or says which rule it breaks: the service would refuse all of it.
pub(super) fn read(body: &Value, now_ms: i64) -> Result<Put, String> {
    let name = |key: &str| body[key].as_str().filter(|name| !name.is_empty()).map(str::to_owned);
    let group = name("logGroupName").ok_or("no logGroupName")?;
    let stream = name("logStreamName").ok_or("no logStreamName")?;
    let events = body["logEvents"].as_array().ok_or("no logEvents")?;
    let messages = events.iter().map(message).collect::<Result<Vec<_>, _>>()?;
    let times_ms: Option<Vec<i64>> = events.iter().map(|event| event["timestamp"].as_i64()).collect();
    let times_ms = times_ms.ok_or("an event without a timestamp")?;
    sizes(&messages)?;
    order(&times_ms)?;
    let kept = kept(&times_ms, now_ms);
    spans(&times_ms[kept.clone()])?;
    Ok(Put { group, stream, messages, kept })
}

fn message(event: &Value) -> Result<String, String> {
    let message = event["message"].as_str().filter(|message| !message.is_empty());
    message.map(str::to_owned).ok_or_else(|| format!("an event without a message: {event}"))
}

fn sizes(messages: &[String]) -> Result<(), String> {
    let bytes: usize = messages.iter().map(|message| message.len() + OVERHEAD_BYTES).sum();
    match messages.len() {
        0 => Err("no events".to_owned()),
        events if events > EVENTS_MAX => Err(format!("{events} events, {EVENTS_MAX} at most")),
        _ if bytes > BYTES_MAX => Err(format!("{bytes} bytes, {BYTES_MAX} at most")),
        events if events > CONTRACT_EVENTS => {
            Err(format!("{events} events, {CONTRACT_EVENTS} by the contract"))
        }
        _ if bytes > CONTRACT_BYTES => Err(format!("{bytes} bytes, {CONTRACT_BYTES} by the contract")),
        _ => Ok(()),
    }
}

fn order(times_ms: &[i64]) -> Result<(), String> {
    if times_ms.is_sorted() { Ok(()) } else { Err("events are not in chronological order".to_owned()) }
}

fn spans(times_ms: &[i64]) -> Result<(), String> {
    let span_ms = times_ms.last().unwrap_or(&0) - times_ms.first().unwrap_or(&0);
    if span_ms < 24 * HOUR_MS { Ok(()) } else { Err(format!("events span {span_ms} ms, 24 h at most")) }
}

/// Events from 14 days back to 2 hours ahead; those before and after are rejected and the rest is stored.
fn kept(times_ms: &[i64], now_ms: i64) -> Range<usize> {
    let start = times_ms.partition_point(|time_ms| *time_ms < now_ms - 14 * 24 * HOUR_MS);
    let end = times_ms.partition_point(|time_ms| *time_ms <= now_ms + 2 * HOUR_MS);
    start..end.max(start)
}

/// The answer: ends of the too old are exclusive, the start of the too new is inclusive.
pub(super) fn reply(kept: &Range<usize>, events: usize) -> String {
    let mut info = serde_json::Map::new();
    if kept.start > 0 {
        info.insert("tooOldLogEventEndIndex".to_owned(), kept.start.into());
    }
    if kept.end < events {
        info.insert("tooNewLogEventStartIndex".to_owned(), kept.end.into());
    }
    if info.is_empty() {
        "{}".to_owned()
    } else {
        serde_json::json!({ "rejectedLogEventsInfo": info }).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_795_332_268_000;

    fn put(events: Value) -> Result<Put, String> {
        let body = serde_json::json!({ "logGroupName": "g", "logStreamName": "s", "logEvents": events });
        read(&body, NOW_MS)
    }

    fn event(ago_ms: i64, message: &str) -> Value {
        serde_json::json!({ "timestamp": NOW_MS - ago_ms, "message": message })
    }

    #[test]
    fn what_breaks_a_rule_is_refused_with_the_rule() {
        let table = [
            (serde_json::json!([]), "no events"),
            (serde_json::json!([event(0, "")]), "without a message"),
            (serde_json::json!([{ "message": "x" }]), "without a timestamp"),
            (serde_json::json!([event(0, "a"), event(1, "b")]), "not in chronological order"),
            (serde_json::json!([event(24 * HOUR_MS, "a"), event(0, "b")]), "24 h at most"),
            (serde_json::json!([event(0, &"x".repeat(32_743))]), "by the contract"),
            (serde_json::json!(vec![event(0, "x"); 1_001]), "1000 by the contract"),
            (serde_json::json!([event(0, &"x".repeat(1_048_551))]), "1048576 at most"),
        ];
        for (events, why) in table {
            let said = put(events).expect_err(why);
            assert!(said.contains(why), "{said}");
        }
        assert!(put(serde_json::json!([event(0, &"x".repeat(32_742))])).is_ok());
    }

    #[test]
    fn events_outside_the_window_are_rejected_by_their_index() {
        let day_ms = 24 * HOUR_MS;
        let events = [event(15 * day_ms, "a"), event(1, "b"), event(-HOUR_MS, "c"), event(-3 * HOUR_MS, "d")];
        let put = put(serde_json::json!(events)).expect("a call");
        assert_eq!(put.kept, 1..3);
        let reply = reply(&put.kept, 4);
        assert_eq!(
            reply,
            r#"{"rejectedLogEventsInfo":{"tooNewLogEventStartIndex":3,"tooOldLogEventEndIndex":1}}"#
        );
        assert_eq!(super::reply(&(0..2), 2), "{}");
    }
}
