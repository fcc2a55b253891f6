//! What an AWS service says went wrong: the code and the message of its error envelope, and how long it asks to wait.
//! Pure; any bytes are read without complaint.

use std::time::Duration;

use serde::Deserialize;

use super::super::{Response, parse_http_date};

/// Characters of a server's message that are kept.
const MESSAGE_CHARS_MAX: usize = 300;
/// The longest wait that is taken from a server, so that a wrong header cannot stop delivery for days.
const DELAY_MAX: Duration = Duration::from_secs(15 * 60);

/// The error that an answer carries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fault {
    /// The code without namespace or URI, as `ThrottlingException`; empty where the answer carries none.
    pub code: String,
    /// The server's words; empty where it has none.
    pub message: String,
}

#[derive(Deserialize, Default)]
struct Envelope {
    #[serde(rename = "__type", default)]
    kind: Option<String>,
    #[serde(default)]
    code: Option<String>,
    #[serde(default, alias = "Message", alias = "errorMessage")]
    message: Option<String>,
}

impl Fault {
    /// Reads the error of an answer: the code from `x-amzn-query-error` (the service's old code, sent because we ask
    /// for it), else from `x-amzn-errortype`, else from the body's `__type` or `code`, else
    /// from its XML.
    #[must_use]
    pub fn of(answer: &Response) -> Fault {
        let envelope: Envelope =
            serde_json::from_slice(&answer.body).unwrap_or_else(|_| in_xml(&answer.body));
        let query = answer.header("x-amzn-query-error").and_then(|value| value.split(';').next());
        let code = query.or(answer.header("x-amzn-errortype"));
        let code = code.or(envelope.kind.as_deref()).or(envelope.code.as_deref()).unwrap_or_default();
        Fault { code: bare(code).to_owned(), message: shorten(&envelope.message.unwrap_or_default()) }
    }
}

/// The error in the XML of the older protocol, which what stands before a service may still speak.
fn in_xml(body: &[u8]) -> Envelope {
    let text = String::from_utf8_lossy(body);
    let element = |name: &str| -> Option<String> {
        let (_, rest) = text.split_once("<Error>")?.1.split_once(&format!("<{name}>"))?;
        Some(rest.split_once("</")?.0.to_owned())
    };
    Envelope { kind: element("Code"), code: None, message: element("Message") }
}

/// The code without what comes before `#` and after `:`.
fn bare(code: &str) -> &str {
    let code = code.rsplit_once('#').map_or(code, |(_, code)| code);
    code.split_once(':').map_or(code, |(code, _)| code).trim()
}

fn shorten(message: &str) -> String {
    let clean = message.chars().map(|c| if c.is_control() { ' ' } else { c });
    clean.take(MESSAGE_CHARS_MAX).collect()
}

/// How long the server asks to wait: `x-amz-retry-after` in milliseconds, or `Retry-After` in seconds or as a date.
#[must_use]
pub fn server_delay(answer: &Response, now_unix_s: i64) -> Option<Duration> {
    let millis = answer.header("x-amz-retry-after").and_then(|text| text.trim().parse().ok());
    let delay = millis.map(Duration::from_millis).or_else(|| {
        let text = answer.header("retry-after")?.trim();
        let seconds = text.parse().ok();
        let until = || Some(u64::try_from(parse_http_date(text)?.saturating_sub(now_unix_s)).unwrap_or(0));
        seconds.or_else(until).map(Duration::from_secs)
    });
    delay.map(|delay| delay.min(DELAY_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::script::response;

    fn fault(headers: &[(&'static str, &str)], body: &str) -> (String, String) {
        let fault = Fault::of(&response(400, headers, body));
        (fault.code, fault.message)
    }

    #[test]
    fn the_code_is_found_wherever_it_is() {
        let body = r#"{"__type":"com.amazonaws.cloudwatch#InvalidParameterValueException","message":"bad"}"#;
        let query = [("x-amzn-query-error", "InvalidParameterValue;Sender")];
        assert_eq!(fault(&query, body), ("InvalidParameterValue".into(), "bad".into()));
        assert_eq!(fault(&[], body), ("InvalidParameterValueException".into(), "bad".into()));
        let header = [("x-amzn-errortype", "ThrottlingException:http://internal.amazon.com/x/")];
        assert_eq!(fault(&header, ""), ("ThrottlingException".into(), String::new()));
        let capital = r#"{"__type":"UnrecognizedClientException","Message":"no such key"}"#;
        assert_eq!(fault(&[], capital), ("UnrecognizedClientException".into(), "no such key".into()));
        let xml = "<ErrorResponse><Errors><Error><Code>SignatureDoesNotMatch</Code><Message>not ours</Message>\
            </Error></Errors></ErrorResponse>";
        assert_eq!(fault(&[], xml), ("SignatureDoesNotMatch".into(), "not ours".into()));
        assert_eq!(fault(&[], r#"{"code":"Throttling"}"#), ("Throttling".into(), String::new()));
    }

    #[test]
    fn what_is_no_envelope_has_no_code() {
        let deep = "[".repeat(100_000);
        for body in [
            "",
            "<html>413</html>",
            "<Error><Code>",
            "<Code>x</Code>",
            "{",
            "null",
            "[1]",
            r#"{"__type":7}"#,
            "\u{0}\u{1}",
            &deep,
        ] {
            assert_eq!(fault(&[], body), (String::new(), String::new()), "{body:.20}");
        }
    }

    #[test]
    fn a_message_is_one_short_line() {
        let long = format!(r#"{{"message":"a\nb{}"}}"#, "é".repeat(1_000));
        let (_, message) = fault(&[], &long);
        assert!(message.starts_with("a bé"));
        assert_eq!(message.chars().count(), MESSAGE_CHARS_MAX);
    }

    #[test]
    fn the_servers_delay_is_read_in_all_its_forms() {
        let now = 1_795_332_268; // Sun, 22 Nov 2026 07:24:28 GMT
        let table: [(&[(&'static str, &str)], Option<u64>); 9] = [
            (&[], None),
            (&[("retry-after", "3")], Some(3_000)),
            (&[("retry-after", "Sun, 22 Nov 2026 07:24:30 GMT")], Some(2_000)),
            (&[("retry-after", "Sun, 22 Nov 2026 07:24:00 GMT")], Some(0)),
            (&[("retry-after", "soon")], None),
            (&[("retry-after", "-1")], None),
            (&[("retry-after", "99999999999")], Some(900_000)),
            (&[("x-amz-retry-after", "1500")], Some(1_500)),
            (&[("x-amz-retry-after", "1500"), ("retry-after", "9")], Some(1_500)),
        ];
        for (headers, millis) in table {
            let delay = server_delay(&response(503, headers, ""), now);
            assert_eq!(delay, millis.map(Duration::from_millis), "{headers:?}");
        }
    }
}
