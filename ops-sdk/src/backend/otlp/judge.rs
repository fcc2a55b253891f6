//! What an answer means for a request. Pure: an answer in, a judgement out.
//!
//! The specification's own rule (opentelemetry-proto 1.9.0, `docs/specification.md`, "OTLP/HTTP Response"): 429, 502, 503
//! and 504 are tried again, with `Retry-After` honoured; a 200 that tells of rejected items is not; nothing else is, not
//! even a 500. What only an operator can put right (a key, a permission, an address that is another server's) is no
//! refusal of data and waits, a try a minute.

use crate::backend::shared::{operator, retry_after, why};
use crate::backend::{Refusal, Verdict};
use crate::encode::otlp::{Form, Kind, rejected, status_message};
use crate::ledger::Loss;
use crate::net::{ANSWER_BYTES_MAX, Response};

/// What an answer means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Judged {
    /// This, for the whole request.
    Verdict(Verdict),
    /// Who sent it is not known, or not allowed to.
    Unauthorized(String),
    /// So many items of it are rejected for good, and the others are kept.
    Rejected { items: u64, message: String },
    /// All of it is kept, and there is something to tell.
    Warned(String),
}

pub(super) fn judge(form: Form, kind: Kind, answer: &Response, now_unix_s: u64, items: usize) -> Judged {
    let form = form_of(answer).unwrap_or(form);
    if (200..300).contains(&answer.status) {
        return taken(form, kind, answer);
    }
    let (why, after) = (said(form, answer), retry_after(answer, now_unix_s));
    Judged::Verdict(match answer.status {
        401 | 403 => return Judged::Unauthorized(why),
        429 => Verdict::Throttle { after, why },
        502..=504 => Verdict::Retry { after, why },
        413 if items > 1 => Verdict::Halve,
        413 => Verdict::Refuse(Refusal { loss: Loss::Oversize, why }),
        // Redirects are not followed, and 404, 405 and 407 are of a server, or a proxy, that is not the one meant.
        300..=399 | 404 | 405 | 407 => operator(format!("{why}: is the endpoint right?")),
        _ => Verdict::Refuse(Refusal { loss: Loss::Refused, why }),
    })
}

/// What a success says of single items.
fn taken(form: Form, kind: Kind, answer: &Response) -> Judged {
    if answer.body.len() as u64 >= ANSWER_BYTES_MAX {
        // "If the response exceeds the limit, the client MUST treat it as non-retryable."
        let why = format!("status {} with an answer of {ANSWER_BYTES_MAX} bytes or more", answer.status);
        return Judged::Verdict(Verdict::Refuse(Refusal { loss: Loss::Refused, why }));
    }
    match rejected(form, kind, &answer.body) {
        None => {
            Judged::Verdict(operator(format!("{}: no answer in OTLP; is the endpoint right?", why(answer))))
        }
        Some(told) if told.items > 0 => {
            Judged::Rejected { items: told.items, message: one_line(&told.message) }
        }
        Some(told) if !told.message.trim().is_empty() => Judged::Warned(one_line(&told.message)),
        Some(_) => Judged::Verdict(Verdict::Delivered),
    }
}

/// The form that the answer says it has.
fn form_of(answer: &Response) -> Option<Form> {
    let content_type = answer.header("content-type")?.to_ascii_lowercase();
    [Form::Protobuf, Form::Json].into_iter().find(|form| content_type.starts_with(form.content_type()))
}

/// The status, and the server's words where it has some in the protocol's way.
fn said(form: Form, answer: &Response) -> String {
    match status_message(form, &answer.body) {
        Some(message) => format!("status {}: {}", answer.status, one_line(&message)),
        None if form == Form::Protobuf && form_of(answer).is_some() => format!("status {}", answer.status),
        None => why(answer),
    }
}

/// A server's words as an operator is shown them.
fn one_line(text: &str) -> String {
    const SHOWN_MAX: usize = 300;
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    words.chars().filter(|c| !c.is_control()).take(SHOWN_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::script::response;

    fn kind(judged: &Judged) -> (&'static str, Option<u64>) {
        match judged {
            Judged::Unauthorized(_) => ("unauthorized", None),
            Judged::Rejected { items, .. } => ("rejected", Some(*items)),
            Judged::Warned(_) => ("warned", None),
            Judged::Verdict(verdict) => match verdict {
                Verdict::Delivered => ("delivered", None),
                Verdict::Halve => ("halve", None),
                Verdict::Retry { after, .. } => ("retry", after.map(|after| after.as_secs())),
                Verdict::Throttle { after, .. } => ("throttle", after.map(|after| after.as_secs())),
                Verdict::Refuse(refusal) => (refusal.loss.name(), None),
                other => panic!("{other:?}"),
            },
        }
    }

    #[test]
    fn each_answer_has_its_judgement() {
        let gigantic = "{".repeat(1 << 20);
        let partial = r#"{"partialSuccess":{"rejectedLogRecords":"2","errorMessage":"too\nold"}}"#;
        let warning = r#"{"partialSuccess":{"errorMessage":"soon no more"}}"#;
        let json: &[(&'static str, &str)] = &[("content-type", "application/json; charset=utf-8")];
        let table: [(u16, &[(&'static str, &str)], &str, (&str, Option<u64>)); 30] = [
            (200, &[], "", ("delivered", None)),
            (200, &[], "{}", ("delivered", None)),
            (202, &[], "{}", ("delivered", None)),
            (204, &[], "", ("delivered", None)),
            (200, json, partial, ("rejected", Some(2))),
            (200, json, warning, ("warned", None)),
            (200, &[], "<html>log in to the hotel's network</html>", ("retry", Some(60))),
            (200, &[], "\u{0}garbage", ("retry", Some(60))),
            (200, json, &gigantic, ("refused", None)),
            (429, &[], "", ("throttle", None)),
            (429, &[("retry-after", "7")], "", ("throttle", Some(7))),
            (502, &[], "<html>bad gateway</html>", ("retry", None)),
            (503, &[("retry-after", "Sun, 22 Nov 2026 07:24:31 GMT")], "", ("retry", Some(3))),
            (504, &[], &gigantic, ("retry", None)),
            (500, &[("retry-after", "1")], "", ("refused", None)),
            (501, &[], "", ("refused", None)),
            (505, &[], "", ("refused", None)),
            (400, json, r#"{"code":3,"message":"bad name"}"#, ("refused", None)),
            (408, &[], "", ("refused", None)),
            (415, &[], "", ("refused", None)),
            (422, &[], "\u{0}garbage", ("refused", None)),
            (401, &[], "", ("unauthorized", None)),
            (403, &[], "", ("unauthorized", None)),
            (404, &[], "", ("retry", Some(60))),
            (405, &[], "", ("retry", Some(60))),
            (407, &[], "", ("retry", Some(60))),
            (301, &[], "", ("retry", Some(60))),
            (307, &[], "", ("retry", Some(60))),
            (413, &[], "", ("halve", None)),
            (0, &[], "", ("refused", None)),
        ];
        for (status, headers, body, expected) in table {
            let judged = judge(Form::Json, Kind::Logs, &response(status, headers, body), 1_795_332_268, 3);
            assert_eq!(kind(&judged), expected, "{status} {headers:?} {body:.60}");
        }
        let judged = judge(Form::Json, Kind::Logs, &response(413, &[], ""), 0, 1);
        assert_eq!(kind(&judged), ("oversize", None));
    }

    #[test]
    fn an_answer_is_read_in_the_form_that_it_has() {
        let binary: &[(&'static str, &str)] = &[("content-type", "application/x-protobuf")];
        let judged =
            |headers, body| judge(Form::Protobuf, Kind::Metrics, &response(200, headers, body), 0, 9);
        assert_eq!(kind(&judged(binary, "\u{a}\u{2}\u{8}\u{3}")), ("rejected", Some(3)));
        assert_eq!(kind(&judged(&[], "\u{a}\u{2}\u{8}\u{3}")), ("rejected", Some(3)));
        let json: &[(&'static str, &str)] = &[("content-type", "application/json")];
        assert_eq!(
            kind(&judged(json, r#"{"partialSuccess":{"rejectedDataPoints":"4"}}"#)),
            ("rejected", Some(4))
        );
    }

    #[test]
    fn the_operator_reads_the_servers_words_on_one_line() {
        let binary: &[(&'static str, &str)] = &[("content-type", "application/x-protobuf")];
        let said =
            |form, headers, body: &str| match judge(form, Kind::Logs, &response(400, headers, body), 0, 1) {
                Judged::Verdict(Verdict::Refuse(refusal)) => refusal.why,
                other => panic!("{other:?}"),
            };
        assert_eq!(said(Form::Protobuf, binary, "\u{8}\u{3}\u{12}\u{8}bad\nname"), "status 400: bad name");
        assert_eq!(said(Form::Protobuf, binary, "\u{8}"), "status 400");
        assert_eq!(said(Form::Protobuf, &[], "plain words"), "status 400: plain words");
        assert_eq!(said(Form::Json, &[], r#"{"message":"a\u001b[31m b"}"#), "status 400: a[31m b");
    }
}
