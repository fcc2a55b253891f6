//! Bodies for CloudWatch Logs: PutLogEvents and the HTTP endpoints that take JSON (docs.aws.amazon.com,
//! AmazonCloudWatch/latest/logs/CWL_HTTP_Endpoints.html and its three pages for NDJSON, structured JSON and HLC).
//!
//! The endpoints skip in silence what they cannot read, so nothing of the kind is written: every event is one object on
//! one line, with its time under the name and in the unit that the endpoint reads. What is no JSON object, a part of an
//! over-long event, is text in an object of its own.

use super::destination::{Destination, Ingest};
use crate::backend::Context;
use crate::backend::shared::setting;
use crate::encode::json;
use crate::error::Error;

const INGEST: &str = "OPS_CLOUDWATCH_LOGS_INGEST";

/// An event: its time in milliseconds and its message.
pub(super) type Event<'a> = (u64, &'a [u8]);

impl Ingest {
    pub(super) fn find(told: &Destination, context: &Context) -> Result<Ingest, Error> {
        match (told.ingest, setting(None, INGEST, context).as_deref()) {
            (Some(ingest), _) => Ok(ingest),
            (None, None | Some("put")) => Ok(Ingest::Put),
            (None, Some("ndjson")) => Ok(Ingest::Ndjson),
            (None, Some("json")) => Ok(Ingest::Json),
            (None, Some("hlc")) => Ok(Ingest::Hlc),
            (None, Some(other)) => {
                let problem = format!("\"{}\" is no way in", other.escape_debug());
                Err(Error::setting(INGEST, problem, "use put, ndjson, json or hlc"))
            }
        }
    }

    /// The path and the content type.
    pub(super) fn address(self) -> (&'static str, &'static str) {
        match self {
            Ingest::Put => ("/", "application/x-amz-json-1.1"),
            Ingest::Ndjson => ("/ingest/bulk", "application/x-ndjson"),
            Ingest::Json => ("/ingest/json", "application/json"),
            Ingest::Hlc => ("/services/collector/event", "application/json"),
        }
    }

    /// Bytes that an event takes besides its line. PutLogEvents counts 26; what the endpoints count is not published, so
    /// everything that stands around the line is: `{"timestamp":1795332268000,"message":""}` and a separator.
    pub(super) fn overhead_bytes(self) -> usize {
        match self {
            Ingest::Put => 26,
            Ingest::Ndjson | Ingest::Json | Ingest::Hlc => 42,
        }
    }

    /// The member in which an endpoint reads an event's time, where that stands among the event's own.
    pub(in crate::backend) fn time_key(self) -> Option<&'static str> {
        matches!(self, Ingest::Ndjson | Ingest::Json).then_some("timestamp")
    }

    /// The body of one of the HTTP endpoints.
    pub(super) fn body(self, events: &[Event<'_>]) -> Vec<u8> {
        let bytes: usize = events.iter().map(|(_, message)| message.len() + 48).sum();
        let mut out = Vec::with_capacity(bytes);
        let (begin, between, end): (&[u8], &[u8], &[u8]) = match self {
            Ingest::Json => (b"[", b",", b"]"),
            Ingest::Put | Ingest::Ndjson | Ingest::Hlc => (b"", b"\n", b"\n"),
        };
        out.extend_from_slice(begin);
        for (index, (time_ms, message)) in events.iter().enumerate() {
            if index > 0 {
                out.extend_from_slice(between);
            }
            match self {
                Ingest::Hlc => hlc(&mut out, *time_ms, message),
                Ingest::Put | Ingest::Ndjson | Ingest::Json => timed(&mut out, *time_ms, message),
            }
        }
        out.extend_from_slice(end);
        out
    }
}

/// The members of PutLogEvents after the names, to the end of the body.
pub(super) fn put(out: &mut Vec<u8>, events: &[Event<'_>], entity: Option<&[u8]>) {
    let bytes: usize = events.iter().map(|(_, message)| message.len() * 5 / 4 + 48).sum();
    out.reserve(bytes);
    if let Some(entity) = entity {
        out.extend_from_slice(b",\"entity\":");
        out.extend_from_slice(entity);
    }
    out.extend_from_slice(b",\"logEvents\":[");
    for (index, (time_ms, message)) in events.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(b"{\"timestamp\":");
        json::number_u64(out, *time_ms);
        out.extend_from_slice(b",\"message\":");
        json::bytes(out, message);
        out.push(b'}');
    }
    out.extend_from_slice(b"]}");
}

/// `{"time":1795332268.005,"event":…}`, the time in seconds.
fn hlc(out: &mut Vec<u8>, time_ms: u64, message: &[u8]) {
    out.extend_from_slice(b"{\"time\":");
    json::number_u64(out, time_ms / 1_000);
    out.extend_from_slice(format!(".{:03},\"event\":", time_ms % 1_000).as_bytes());
    match is_object(message) {
        true => out.extend_from_slice(message),
        false => json::bytes(out, message),
    }
    out.push(b'}');
}

/// The line with its time in milliseconds as its first member.
fn timed(out: &mut Vec<u8>, time_ms: u64, message: &[u8]) {
    out.extend_from_slice(b"{\"timestamp\":");
    json::number_u64(out, time_ms);
    match message {
        [b'{', b'}'] => out.push(b'}'),
        [b'{', members @ ..] if is_object(message) => {
            out.push(b',');
            out.extend_from_slice(members);
        }
        text => {
            out.extend_from_slice(b",\"message\":");
            json::bytes(out, text);
            out.push(b'}');
        }
    }
}

/// Whether an item is one of our lines: those are objects without a newline and in UTF-8, and parts of them never begin
/// as they do.
fn is_object(message: &[u8]) -> bool {
    message.first() == Some(&b'{') && message.last() == Some(&b'}') && !message.contains(&b'\n')
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::tests::context;
    use super::*;

    const EVENTS: [Event<'static>; 4] = [
        (1_795_332_268_005, b"{\"time\":\"x\",\"n\":1}"),
        (1_795_332_268_006, b"@ops.part v1 \xff\"{}"),
        (1_795_332_268_007, b"{}"),
        (1_795_332_268_008, b"{\"a\":1}\n[2]"),
    ];

    fn text(ingest: Ingest) -> String {
        String::from_utf8(ingest.body(&EVENTS)).unwrap()
    }

    #[test]
    fn every_event_is_an_object_with_a_time_that_is_read() {
        let lines = text(Ingest::Ndjson);
        let of_lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let of_array: Vec<Value> = serde_json::from_str(&text(Ingest::Json)).unwrap();
        assert_eq!(of_lines, of_array);
        assert_eq!(of_lines.len(), EVENTS.len());
        for (read, (time_ms, _)) in of_lines.iter().zip(EVENTS) {
            assert_eq!(read["timestamp"], time_ms);
        }
        assert_eq!(
            of_lines[0],
            serde_json::json!({ "timestamp": 1_795_332_268_005_u64, "time": "x", "n": 1 })
        );
        assert_eq!(of_lines[1]["message"], "@ops.part v1 \u{fffd}\"{}");
        assert_eq!(of_lines[3]["message"], "{\"a\":1}\n[2]");

        let body = text(Ingest::Hlc);
        let read = serde_json::Deserializer::from_str(&body).into_iter::<Value>();
        let events: Vec<Value> = read.map(Result::unwrap).collect();
        assert_eq!(
            events[0],
            serde_json::json!({ "time": 1_795_332_268.005, "event": { "time": "x", "n": 1 } })
        );
        assert_eq!((&events[1]["event"], events.len()), (&Value::from("@ops.part v1 \u{fffd}\"{}"), 4));
    }

    #[test]
    fn no_event_takes_more_than_is_counted() {
        let line = b"{\"n\":1}".as_slice();
        for ingest in [Ingest::Ndjson, Ingest::Json, Ingest::Hlc] {
            for message in [line, b"@ops.part v1 x"] {
                let one = ingest.body(&[(1_795_332_268_005, message)]).len();
                let two = ingest.body(&[(1_795_332_268_005, message); 2]).len();
                assert!(one.max(two - one) <= message.len() + ingest.overhead_bytes(), "{ingest:?}");
            }
        }
    }

    #[test]
    fn the_way_in_is_put_unless_told_otherwise() {
        let found = |text: &str| Ingest::find(&Destination::default(), &context(&[(INGEST, text)]));
        assert_eq!(found("").unwrap(), Ingest::Put);
        assert_eq!(found("hlc").unwrap(), Ingest::Hlc);
        let told = Destination { ingest: Some(Ingest::Json), ..Destination::default() };
        assert_eq!(Ingest::find(&told, &context(&[(INGEST, "hlc")])).unwrap(), Ingest::Json);
        assert!(found("otlp").unwrap_err().to_string().starts_with("OPS_CLOUDWATCH_LOGS_INGEST: "));
    }
}
