//! What the proxy does with a request instead of, or beside, passing it on.

use std::time::Duration;

/// One step of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// None: passed on, and the answer passed back. Places the steps after it.
    Pass,
    /// Answered by the proxy; the server never sees it.
    Answer(Answer),
    /// The connection is cut before the request is read, and nothing is recorded.
    CutUnread,
    /// The request is read and recorded, then the connection is cut; the server never sees it.
    CutUnsent,
    /// The server gets the request and answers, then the connection is cut: the client cannot know, and what it
    /// sends again arrives twice.
    CutAnswer,
    /// The server gets the request and answers, and half of the answer's bytes reach the client before the cut.
    HalfAnswer,
    /// Passed on after this long.
    Delay(Duration),
    /// Read and never answered, until [`Proxy::release`](super::Proxy::release) or the end of the proxy cuts it.
    Hang,
}

/// An answer of the proxy's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Headers; `Content-Length` is added.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Fault {
    /// An answer with this status and body.
    #[must_use]
    pub fn answer(status: u16, body: &str) -> Fault {
        Fault::Answer(Answer { status, headers: Vec::new(), body: body.as_bytes().to_vec() })
    }

    /// An error as AWS's JSON protocols word it, with the header that query-compatible services add.
    #[must_use]
    pub fn aws(status: u16, code: &str, message: &str) -> Fault {
        let body = serde_json::json!({ "__type": code, "message": message }).to_string();
        let side = if status < 500 { "Sender" } else { "Receiver" };
        Fault::answer(status, &body)
            .with("Content-Type", "application/x-amz-json-1.1")
            .with("x-amzn-query-error", &format!("{code};{side}"))
    }

    /// Throttling as CloudWatch Logs and metrics word it: 400 `ThrottlingException`.
    #[must_use]
    pub fn throttled() -> Fault {
        Fault::aws(400, "ThrottlingException", "Rate exceeded")
    }

    /// Credentials past their time: 400 `ExpiredTokenException`.
    #[must_use]
    pub fn expired_token() -> Fault {
        Fault::aws(400, "ExpiredTokenException", "The security token included in the request is expired")
    }

    /// The service is not there: 503 `ServiceUnavailableException`.
    #[must_use]
    pub fn unavailable() -> Fault {
        Fault::aws(503, "ServiceUnavailableException", "The service cannot complete the request")
    }

    /// The push is too large: 413.
    #[must_use]
    pub fn too_large() -> Fault {
        Fault::aws(413, "RequestEntityTooLargeException", "Request too large")
    }

    /// The same answer with one more header; every other fault as it is.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Fault {
        if let Fault::Answer(answer) = &mut self {
            answer.headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// The same fault this many times over.
    #[must_use]
    pub fn times(self, count: usize) -> Vec<Fault> {
        vec![self; count]
    }
}

impl Answer {
    /// The answer as bytes.
    pub(super) fn to_wire(&self) -> Vec<u8> {
        let mut wire = format!("HTTP/1.1 {} Scripted\r\n", self.status);
        for (name, value) in &self.headers {
            wire.push_str(&format!("{name}: {value}\r\n"));
        }
        wire.push_str(&format!("Content-Length: {}\r\n\r\n", self.body.len()));
        [wire.as_bytes(), &self.body].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_on_the_wire() {
        let Fault::Answer(answer) = Fault::answer(503, "no").with("Retry-After", "2") else { unreachable!() };
        let wire = b"HTTP/1.1 503 Scripted\r\nRetry-After: 2\r\nContent-Length: 2\r\n\r\nno";
        assert_eq!(answer.to_wire(), wire);
        let Fault::Answer(answer) = Fault::throttled() else { unreachable!() };
        let body: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
        assert_eq!((answer.status, body["__type"].as_str()), (400, Some("ThrottlingException")));
        assert_eq!(Fault::Hang.times(3).len(), 3);
    }
}
