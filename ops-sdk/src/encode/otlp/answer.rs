//! What servers answer: how much of a request they rejected, and why. Pure, and for bytes of any origin.

use super::{Form, Kind};
use crate::encode::proto::{self, Field};

/// What a server says of a request that it took, all or in part.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rejected {
    /// How many data points or log records it rejected. Which ones it does not say.
    pub items: u64,
    /// Why, or with nothing rejected a warning.
    pub message: String,
}

/// The `partial_success` of an answer with status 200; nothing rejected where there is none. `None` if the answer is none of
/// this protocol, such as a proxy's page.
#[must_use]
pub fn rejected(form: Form, kind: Kind, body: &[u8]) -> Option<Rejected> {
    match form {
        Form::Protobuf => from_protobuf(body),
        Form::Json => from_json(kind, body),
    }
}

/// The text of a `google.rpc.Status`, which is what an answer with another status holds; `None` if it holds none.
#[must_use]
pub fn status_message(form: Form, body: &[u8]) -> Option<String> {
    const MESSAGE: u64 = 2;
    let text = match form {
        Form::Protobuf => {
            let mut found = None;
            for field in proto::fields(body) {
                if let (MESSAGE, Field::Bytes(text)) = field? {
                    found = std::str::from_utf8(text).ok().map(str::to_owned);
                }
            }
            found?
        }
        Form::Json => object(body)?.get("message")?.as_str()?.to_owned(),
    };
    (!text.trim().is_empty()).then_some(text)
}

/// `ExportMetricsServiceResponse.partial_success` (1): `rejected_data_points` or `rejected_log_records` (1), and
/// `error_message` (2).
fn from_protobuf(body: &[u8]) -> Option<Rejected> {
    let mut rejected = Rejected::default();
    for field in proto::fields(body) {
        let (1, Field::Bytes(partial)) = field? else { continue };
        for field in proto::fields(partial) {
            match field? {
                (1, Field::Varint(items)) => rejected.items = non_negative(items.cast_signed()),
                (2, Field::Bytes(text)) => rejected.message = String::from_utf8_lossy(text).into_owned(),
                _ => {}
            }
        }
    }
    Some(rejected)
}

fn from_json(kind: Kind, body: &[u8]) -> Option<Rejected> {
    if body.trim_ascii().is_empty() {
        return Some(Rejected::default());
    }
    let answer = object(body)?;
    let Some(partial) = answer.get("partialSuccess").and_then(|partial| partial.as_object()) else {
        return Some(Rejected::default());
    };
    let key = match kind {
        Kind::Metrics => "rejectedDataPoints",
        Kind::Logs => "rejectedLogRecords",
    };
    // 64-bit numbers are text, and servers that write numbers are read as well.
    let items = partial.get(key).and_then(|items| items.as_i64().or_else(|| items.as_str()?.parse().ok()));
    let message = partial.get("errorMessage").and_then(|message| message.as_str());
    Some(Rejected {
        items: non_negative(items.unwrap_or(0)),
        message: message.unwrap_or_default().to_owned(),
    })
}

fn object(body: &[u8]) -> Option<serde_json::Map<String, serde_json::Value>> {
    serde_json::from_slice(body).ok()
}

fn non_negative(items: i64) -> u64 {
    u64::try_from(items).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_rejected_is_read_in_both_forms() {
        let told = |items, message: &str| Some(Rejected { items, message: message.to_owned() });
        let json = |body: &str| rejected(Form::Json, Kind::Logs, body.as_bytes());
        assert_eq!(json(""), told(0, ""));
        assert_eq!(json("{}"), told(0, ""));
        assert_eq!(json(r#"{"partialSuccess":{}}"#), told(0, ""));
        let text = r#"{"partialSuccess":{"rejectedLogRecords":"3","errorMessage":"too old"},"more":[1]}"#;
        assert_eq!(json(text), told(3, "too old"));
        assert_eq!(json(r#"{"partialSuccess":{"rejectedLogRecords":3}}"#), told(3, ""));
        assert_eq!(json(r#"{"partialSuccess":{"rejectedDataPoints":3}}"#), told(0, ""));
        assert_eq!(json(r#"{"partialSuccess":{"rejectedLogRecords":-3,"errorMessage":7}}"#), told(0, ""));
        assert_eq!((json("<html>"), json("[1]")), (None, None));

        let protobuf = |body: &[u8]| rejected(Form::Protobuf, Kind::Metrics, body);
        assert_eq!(protobuf(b""), told(0, ""));
        assert_eq!(protobuf(b"\x0a\x00"), told(0, ""));
        assert_eq!(protobuf(b"\x0a\x09\x08\x03\x12\x05dated"), told(3, "dated"));
        assert_eq!(protobuf(b"\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), told(0, ""));
        assert_eq!((protobuf(b"<html>"), protobuf(b"{}")), (None, None));
    }

    #[test]
    fn the_words_of_a_status_are_read_in_both_forms() {
        let json = |body: &str| status_message(Form::Json, body.as_bytes());
        assert_eq!(json(r#"{"code":3,"message":"bad name"}"#).as_deref(), Some("bad name"));
        assert_eq!((json("{}"), json("nginx"), json(r#"{"message":" "}"#)), (None, None, None));
        let protobuf = |body: &[u8]| status_message(Form::Protobuf, body);
        assert_eq!(protobuf(b"\x08\x03\x12\x08bad name").as_deref(), Some("bad name"));
        assert_eq!(
            (protobuf(b"\x08\x03"), protobuf(b"<html>"), protobuf(b"\x12\x01\xff")),
            (None, None, None)
        );
    }
}
