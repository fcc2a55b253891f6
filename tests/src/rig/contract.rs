//! The size of a push as the contract counts it: the first PutLogEvents contract, 32,768 bytes and 1,000 events.

use super::Recorded;

/// What the contract adds to each event's bytes (PutLogEvents, API reference).
const EVENT_OVERHEAD_BYTES: usize = 26;

/// The size of one push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Push {
    /// Bytes as the contract counts them: of logs, the messages' UTF-8 bytes and 26 for each event; of metrics, the
    /// uncompressed body.
    pub bytes: usize,
    /// Log events or metric data.
    pub items: usize,
}

/// The size of a push, if the request is one: `PutLogEvents` or `PutMetricData`.
///
/// # Panics
///
/// If the body of a push is not the JSON that the operation takes: its size cannot be told, and a test that asks
/// for it must not pass.
#[must_use]
pub fn contract_bytes(request: &Recorded) -> Option<Push> {
    match request.operation() {
        "PutLogEvents" => Some(logs(request)),
        "PutMetricData" => Some(metrics(request)),
        _ => None,
    }
}

fn logs(request: &Recorded) -> Push {
    let body = request.json();
    let events = body["logEvents"].as_array().unwrap_or_else(|| panic!("PutLogEvents without logEvents"));
    let message = |event: &serde_json::Value| {
        event["message"].as_str().unwrap_or_else(|| panic!("an event without a message: {event}")).len()
    };
    let bytes = events.iter().map(|event| message(event) + EVENT_OVERHEAD_BYTES).sum();
    Push { bytes, items: events.len() }
}

fn metrics(request: &Recorded) -> Push {
    let data = request.json()["MetricData"].as_array().map(Vec::len);
    let items = data.unwrap_or_else(|| panic!("PutMetricData without MetricData"));
    Push { bytes: request.decoded.as_ref().map_or(0, Vec::len), items }
}

#[cfg(test)]
mod tests {
    use super::super::recorded::tests::recorded;
    use super::*;

    fn push(operation: &str, body: &str) -> Option<Push> {
        contract_bytes(&recorded("/", &[("X-Amz-Target", &format!("Service.{operation}"))], body.as_bytes()))
    }

    #[test]
    fn events_count_as_utf8_and_26_bytes_each() {
        // Escapes count as what they stand for: \n is one byte, ü two, 😀 four.
        let body =
            r#"{"logEvents":[{"timestamp":1,"message":"a\nb"},{"timestamp":2,"message":"ü\ud83d\ude00"}]}"#;
        assert_eq!(push("PutLogEvents", body), Some(Push { bytes: 3 + 26 + 6 + 26, items: 2 }));
    }

    #[test]
    fn metrics_count_as_their_body() {
        let body = r#"{"Namespace":"N","MetricData":[{"MetricName":"a"},{"MetricName":"b"}]}"#;
        assert_eq!(push("PutMetricData", body), Some(Push { bytes: body.len(), items: 2 }));
        assert_eq!(push("CreateLogGroup", "{}"), None);
    }

    #[test]
    #[should_panic(expected = "the body of PutMetricData is not JSON")]
    fn a_push_of_unknown_size_does_not_pass() {
        let _ = push("PutMetricData", "MetricData.member.1.MetricName=a");
    }
}
