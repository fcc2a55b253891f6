//! As much of HTTP/1.1 as a proxy needs: messages with a length, in chunks, or up to the end of the connection.
//! Bodies are kept as they were sent, so that they can be passed on unchanged, and beside that without framing.

use std::io::{self, BufRead, Read};

/// The longest head taken, in bytes.
const HEAD_BYTES_MAX: u64 = 64 * 1024;
/// The longest body taken, in bytes: above any push limit of any backend here.
const BODY_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// A start line and its headers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Head {
    /// The request line or the status line, without its end.
    pub(super) start: String,
    /// Names as they were written, and values without surrounding blanks.
    pub(super) headers: Vec<(String, String)>,
}

/// A body as it was sent and as it was meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Body {
    /// The bytes on the wire, chunk sizes included.
    pub(super) wire: Vec<u8>,
    /// The bytes without framing, still compressed if they were.
    pub(super) content: Vec<u8>,
}

/// How the end of a body is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// By this many bytes.
    Length(u64),
    /// By an empty chunk.
    Chunked,
    /// By the end of the connection: answers alone.
    UntilClose,
}

impl Head {
    /// Reads a head; `None` if the connection ends before one begins.
    pub(super) fn read(from: &mut impl BufRead) -> io::Result<Option<Head>> {
        let mut from = from.take(HEAD_BYTES_MAX);
        let mut start = String::new();
        if from.read_line(&mut start)? == 0 {
            return Ok(None);
        }
        let mut head = Head { start: start.trim_end().to_owned(), headers: Vec::new() };
        loop {
            let mut line = String::new();
            if from.read_line(&mut line)? == 0 {
                return Err(broken("the head has no end"));
            }
            match line.trim_end().split_once(':') {
                Some((name, value)) => head.headers.push((name.to_owned(), value.trim().to_owned())),
                None if line.trim_end().is_empty() => return Ok(Some(head)),
                None => return Err(broken("a header without a colon")),
            }
        }
    }

    /// The value of a header, its name in any case.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    /// The words of the start line.
    pub(super) fn word(&self, index: usize) -> &str {
        self.start.split(' ').nth(index).unwrap_or_default()
    }

    /// The status of an answer.
    pub(super) fn status(&self) -> u16 {
        self.word(1).parse().unwrap_or(0)
    }

    /// How a request's body ends.
    pub(super) fn request_framing(&self) -> Framing {
        self.framing().unwrap_or(Framing::Length(0))
    }

    /// How an answer's body ends. Some answers have none, whatever their headers say (RFC 9112, 6.3).
    pub(super) fn answer_framing(&self, method: &str) -> Framing {
        if method == "HEAD" || matches!(self.status(), 100..=199 | 204 | 304) {
            return Framing::Length(0);
        }
        self.framing().unwrap_or(Framing::UntilClose)
    }

    /// The head as bytes, but for headers that belong to one connection only and not to the message.
    pub(super) fn to_wire(&self) -> Vec<u8> {
        let mut wire = format!("{}\r\n", self.start);
        for (name, value) in self.headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("connection"))
        {
            wire.push_str(&format!("{name}: {value}\r\n"));
        }
        wire.push_str("\r\n");
        wire.into_bytes()
    }

    fn framing(&self) -> Option<Framing> {
        if self.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
            return Some(Framing::Chunked);
        }
        self.header("content-length").and_then(|length| length.parse().ok()).map(Framing::Length)
    }
}

impl Body {
    /// Reads a body to its end.
    pub(super) fn read(from: &mut impl BufRead, framing: Framing) -> io::Result<Body> {
        match framing {
            Framing::Length(length) => exactly(from, length).map(Body::plain),
            Framing::Chunked => chunks(from),
            Framing::UntilClose => {
                let mut wire = Vec::new();
                from.take(BODY_BYTES_MAX).read_to_end(&mut wire)?;
                Ok(Body::plain(wire))
            }
        }
    }

    fn plain(wire: Vec<u8>) -> Body {
        Body { content: wire.clone(), wire }
    }
}

/// The value of a header, its name in any case.
pub(super) fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

fn chunks(from: &mut impl BufRead) -> io::Result<Body> {
    let mut body = Body::default();
    loop {
        let size = line(from, &mut body.wire)?;
        let digits = size.split(';').next().unwrap_or_default().trim();
        let size = u64::from_str_radix(digits, 16).map_err(|_| broken("a chunk without a size"))?;
        if size == 0 {
            break;
        }
        let data = exactly(from, size)?;
        body.wire.extend_from_slice(&data);
        body.content.extend_from_slice(&data);
        line(from, &mut body.wire)?;
    }
    while !line(from, &mut body.wire)?.is_empty() {} // trailers
    Ok(body)
}

/// Reads a line, keeps it as it is in `wire`, and returns it without its end.
fn line(from: &mut impl BufRead, wire: &mut Vec<u8>) -> io::Result<String> {
    let mut line = Vec::new();
    from.take(HEAD_BYTES_MAX).read_until(b'\n', &mut line)?;
    if !line.ends_with(b"\n") {
        return Err(broken("a chunked body without an end"));
    }
    wire.extend_from_slice(&line);
    Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
}

fn exactly(from: &mut impl BufRead, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(length.min(BODY_BYTES_MAX)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == length { Ok(bytes) } else { Err(broken("a body shorter than its length")) }
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Head {
        Head::read(&mut text.as_bytes()).expect("a head").expect("not the end")
    }

    #[test]
    fn heads() {
        let head =
            head("POST /x HTTP/1.1\r\nHost: a:1\r\nX-Amz-Target:  L.P \r\nConnection: close\r\n\r\nrest");
        assert_eq!((head.word(0), head.word(1)), ("POST", "/x"));
        assert_eq!((head.header("x-amz-target"), head.header("none")), (Some("L.P"), None));
        assert_eq!(head.to_wire(), b"POST /x HTTP/1.1\r\nHost: a:1\r\nX-Amz-Target: L.P\r\n\r\n");
        assert_eq!(Head::read(&mut &b""[..]).expect("the end"), None);
        for broken in ["POST / HTTP/1.1\r\nHost: a", "POST / HTTP/1.1\r\nHost a\r\n\r\n"] {
            assert!(Head::read(&mut broken.as_bytes()).is_err(), "{broken}");
        }
    }

    #[test]
    fn framings() {
        use Framing::{Chunked, Length, UntilClose};
        let request = |headers| head(&format!("POST / HTTP/1.1\r\n{headers}\r\n")).request_framing();
        assert_eq!(request("content-length: 7\r\n"), Length(7));
        assert_eq!(request("Transfer-Encoding: chunked\r\nContent-Length: 7\r\n"), Chunked);
        assert_eq!(request(""), Length(0));
        let answer = |status, headers, method| {
            head(&format!("HTTP/1.1 {status} X\r\n{headers}\r\n")).answer_framing(method)
        };
        assert_eq!(answer(200, "", "POST"), UntilClose);
        assert_eq!(answer(200, "Content-Length: 7\r\n", "POST"), Length(7));
        assert_eq!(answer(200, "Content-Length: 7\r\n", "HEAD"), Length(0));
        assert_eq!(answer(204, "", "POST"), Length(0));
    }

    #[test]
    fn bodies_are_kept_as_sent_and_as_meant() {
        let wire = b"3;x=y\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\nTrailer: t\r\n\r\n";
        let mut from = &[&wire[..], b"next"].concat()[..];
        let body = Body::read(&mut from, Framing::Chunked).expect("chunks");
        assert_eq!((&body.wire[..], &body.content[..]), (&wire[..], &b"abc0123456789abcdef"[..]));
        assert_eq!(from, b"next");
        let mut from = &b"abcdef"[..];
        assert_eq!(Body::read(&mut from, Framing::Length(2)).expect("two").content, b"ab");
        assert_eq!(Body::read(&mut from, Framing::UntilClose).expect("rest").content, b"cdef");
        assert!(Body::read(&mut &b"abc"[..], Framing::Length(4)).is_err());
        assert!(Body::read(&mut &b"3\r\nabc\r\n"[..], Framing::Chunked).is_err());
    }
}
