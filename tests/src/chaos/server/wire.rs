//! As much of HTTP/1.1 as these servers need: requests with a length, and answers.

use std::io::{self, BufRead, Read};
use std::time::{SystemTime, UNIX_EPOCH};

const HEAD_BYTES_MAX: u64 = 64 << 10;
const BODY_BYTES_MAX: usize = 64 << 20;

/// A request.
#[derive(Debug, Default)]
pub(super) struct Asked {
    headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Asked {
    /// Reads one; `None` where the connection has ended.
    pub(super) fn read(from: &mut impl BufRead) -> io::Result<Option<Asked>> {
        let mut asked = Asked::default();
        let mut head = from.take(HEAD_BYTES_MAX);
        let mut line = String::new();
        if head.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        loop {
            line.clear();
            if head.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            match line.trim_end().split_once(':') {
                Some((name, value)) => {
                    asked.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()))
                }
                None => break,
            }
        }
        let length: usize = asked.header("content-length").parse().unwrap_or(0);
        asked.body = vec![0; length.min(BODY_BYTES_MAX)];
        from.read_exact(&mut asked.body)?;
        Ok(Some(asked))
    }

    /// A header's value, empty where there is none. Names are in lower case.
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value)
    }

    /// The operation that `X-Amz-Target` names, without the service's prefix.
    pub(super) fn operation(&self) -> &str {
        self.header("x-amz-target").rsplit('.').next().unwrap_or_default()
    }

    /// The body as it was before compression.
    pub(super) fn content(&self) -> io::Result<Vec<u8>> {
        if self.header("content-encoding") != "gzip" {
            return Ok(self.body.clone());
        }
        let mut content = Vec::new();
        flate2::read::GzDecoder::new(&self.body[..]).take(BODY_BYTES_MAX as u64).read_to_end(&mut content)?;
        Ok(content)
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) header: Option<(&'static str, &'static str)>,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn new(status: u16, body: impl Into<String>) -> Answer {
        Answer { status, header: None, body: body.into() }
    }

    /// An error as AWS's JSON protocols word it.
    pub(super) fn error(status: u16, code: &str, message: &str) -> Answer {
        Answer::new(status, serde_json::json!({ "__type": code, "message": message }).to_string())
    }

    pub(super) fn to_wire(&self) -> Vec<u8> {
        let Answer { status, header, body } = self;
        let more = header.map_or_else(String::new, |(name, value)| format!("{name}: {value}\r\n"));
        let (date, length) = (http_date(unix_s()), body.len());
        format!("HTTP/1.1 {status} Chaos\r\nDate: {date}\r\n{more}Content-Length: {length}\r\n\r\n{body}")
            .into_bytes()
    }
}

/// Seconds since 1970.
pub(super) fn unix_s() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// The date of a header (RFC 9110, 5.6.7).
fn http_date(unix_s: i64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (days, second) = (unix_s.div_euclid(86_400), unix_s.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    let name = DAYS[usize::try_from(days.rem_euclid(7)).unwrap_or(0)];
    let month = MONTHS[usize::try_from(month - 1).unwrap_or(0)];
    let (hour, minute) = (second / 3_600, second / 60 % 60);
    format!("{name}, {day:02} {month} {year} {hour:02}:{minute:02}:{:02} GMT", second % 60)
}

/// Year, month and day of so many days after 1970-01-01 (Howard Hinnant's `civil_from_days`).
fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + i64::from(month <= 2), month, doy - (153 * mp + 2) / 5 + 1)
}

/// The seconds since 1970 of an `X-Amz-Date`, as `20261122T150000Z`.
pub(super) fn amz_date(text: &str) -> Option<i64> {
    let digits = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let (year, month, day) = (digits(0, 4)?, digits(4, 6)?, digits(6, 8)?);
    let (hour, minute, second) = (digits(9, 11)?, digits(11, 13)?, digits(13, 15)?);
    // The inverse of `civil`, told from it: the first days of the year that fit are near enough to look from.
    let near = (year - 1970) * 365 + (year - 1969) / 4;
    let days = (near - 3..near + 400).find(|days| civil(*days) == (year, month, day))?;
    Some(days * 86_400 + hour * 3_600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_both_ways() {
        assert_eq!(http_date(1_795_332_268), "Sun, 22 Nov 2026 07:24:28 GMT");
        assert_eq!(amz_date("20261122T072428Z"), Some(1_795_332_268));
        assert_eq!((amz_date("20261322T072428Z"), amz_date("")), (None, None));
    }

    #[test]
    fn requests_are_read_one_after_the_other() {
        let one = "POST / HTTP/1.1\r\nX-Amz-Target: Logs.Put\r\nContent-Length: 2\r\n\r\nab";
        let wire = format!("{one}{one}");
        let mut from = wire.as_bytes();
        for _ in 0..2 {
            let asked = Asked::read(&mut from).expect("a request").expect("not the end");
            assert_eq!((asked.operation(), &asked.body[..]), ("Put", &b"ab"[..]));
            assert_eq!((asked.content().expect("plain"), asked.header("none")), (b"ab".to_vec(), ""));
        }
        assert!(Asked::read(&mut from).expect("the end").is_none());
        assert!(Asked::read(&mut &one.as_bytes()[..one.len() - 1]).is_err());
    }
}
