//! The reading half of the binary form. Every length and count is checked against what is left of the bytes before
//! anything is reserved for it.

use std::borrow::Cow;

use super::{VERSION, tag};
use crate::model::{
    Audit, Body, Check, CheckStatus, Config, Distribution, Fields, Level, Log, Metric, Points, Record,
    RecordId, Resolution, Signal, Unit, Value,
};

/// Bytes that are not an encoded record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a record: {problem} at byte {offset}")]
pub struct DecodeError {
    /// Where what is wrong begins, in bytes from the start.
    pub offset: usize,
    /// What is wrong there.
    pub problem: Problem,
}

/// What can be wrong with bytes that should be a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The bytes end within what begins here, or before as many things as are announced here.
    #[error("the bytes end too early")]
    Truncated,
    /// The record ends here, and bytes follow.
    #[error("bytes follow the end of the record")]
    Trailing,
    /// The version is not one that this SDK reads: written by a later one.
    #[error("unknown version {0}")]
    Version(u8),
    /// A number that stands for one of several things stands for none.
    #[error("no {what} has the number {number}")]
    Unknown {
        /// The kind of thing: "signal", "unit", "value".
        what: &'static str,
        /// The number.
        number: u8,
    },
    /// A number is too large for its place, or not written in the fewest bytes.
    #[error("malformed number")]
    Number,
    /// A string is not UTF-8.
    #[error("text is not UTF-8")]
    Utf8,
}

/// Reads a record back, its strings borrowed from `bytes`.
///
/// # Errors
///
/// If `bytes` are not exactly what [`encode`](super::encode) writes.
pub fn decode(bytes: &[u8]) -> Result<Record<'_>, DecodeError> {
    let mut reader = Reader { bytes, at: 0 };
    match reader.byte()? {
        VERSION => {}
        other => return Err(DecodeError { offset: 0, problem: Problem::Version(other) }),
    }
    let signal = reader.one_of("signal", Signal::from_u8)?;
    let id = RecordId { process: reader.fixed()?, seq: reader.varint()? };
    let time_ns = reader.fixed()?;
    let body = match signal {
        Signal::Metric => Body::Metric(reader.metric()?),
        Signal::Log => Body::Log(reader.log()?),
        Signal::Audit => Body::Audit(reader.audit()?),
        Signal::Config => Body::Config(reader.config()?),
        Signal::Check => Body::Check(reader.check()?),
    };
    match reader.remaining() {
        0 => Ok(Record { id, time_ns, body }),
        _ => Err(reader.wrong(Problem::Trailing)),
    }
}

pub(super) struct Reader<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
}

pub(super) type Read<T> = Result<T, DecodeError>;

impl<'a> Reader<'a> {
    fn metric(&mut self) -> Read<Metric<'a>> {
        let name = self.string()?;
        let unit = self.one_of("unit", Unit::from_u8)?;
        let resolution = self.one_of("resolution", resolution)?;
        let window_ms = self.varint_u32()?;
        let dimensions = self.list(2, |reader| Ok((reader.string()?, reader.string()?)))?;
        Ok(Metric { name, unit, resolution, window_ms, dimensions, points: self.points()? })
    }

    fn points(&mut self) -> Read<Points> {
        match self.byte()? {
            tag::COUNTER => Ok(Points::Counter { sum: self.varint()? }),
            tag::GAUGE => {
                let (last, min, max, sum) = (self.f64()?, self.f64()?, self.f64()?, self.f64()?);
                Ok(Points::Gauge { last, min, max, sum, count: self.varint()? })
            }
            tag::HISTOGRAM => Ok(Points::Histogram(self.histogram(None)?)),
            tag::HISTOGRAM_WITH_EXEMPLAR => {
                let start = self.at;
                let (lower, upper) = (self.fixed()?, self.fixed()?);
                match u128::from(upper) << 64 | u128::from(lower) {
                    0 => Err(DecodeError { offset: start, problem: Problem::Number }),
                    exemplar => Ok(Points::Histogram(self.histogram(Some(exemplar))?)),
                }
            }
            number => Err(self.unknown("kind of points", number)),
        }
    }

    fn histogram(&mut self, exemplar: Option<u128>) -> Read<Distribution> {
        let count = self.varint()?;
        let (sum, min, max) = (self.f64()?, self.f64()?, self.f64()?);
        let mut before = 0_i16;
        let buckets = self.list(2, |reader| {
            let start = reader.at;
            let bucket = i64::from(before).checked_add(reader.zigzag()?);
            let Some(bucket) = bucket.and_then(|bucket| i16::try_from(bucket).ok()) else {
                return Err(DecodeError { offset: start, problem: Problem::Number });
            };
            before = bucket;
            Ok((bucket, reader.varint()?))
        })?;
        Ok(Distribution { count, sum, min, max, buckets, exemplar })
    }

    fn log(&mut self) -> Read<Log<'a>> {
        let level = self.one_of("level", Level::from_u8)?;
        let (target, message, file) = (self.string()?, self.string()?, self.string()?);
        let line = self.varint_u32()?;
        Ok(Log { level, target, message, file, line, fields: self.fields()? })
    }

    fn audit(&mut self) -> Read<Audit<'a>> {
        let (actor, action, resource) = (self.string()?, self.string()?, self.string()?);
        Ok(Audit { actor, action, resource, outcome: self.string()?, fields: self.fields()? })
    }

    fn config(&mut self) -> Read<Config<'a>> {
        let (resource_type, resource_id) = (self.string()?, self.string()?);
        Ok(Config { resource_type, resource_id, fields: self.fields()? })
    }

    fn check(&mut self) -> Read<Check<'a>> {
        let name = self.string()?;
        let status = self.one_of("status", status)?;
        Ok(Check { name, status, output: self.string()?, fields: self.fields()? })
    }

    fn fields(&mut self) -> Read<Fields<'a>> {
        self.list(2, |reader| Ok((reader.string()?, reader.value()?)))
    }

    fn value(&mut self) -> Read<Value<'a>> {
        Ok(match self.byte()? {
            tag::NULL => Value::Null,
            tag::FALSE => Value::Bool(false),
            tag::TRUE => Value::Bool(true),
            tag::I64 => Value::I64(self.zigzag()?),
            tag::U64 => Value::U64(self.varint()?),
            tag::F64 => Value::F64(self.f64()?),
            tag::STR => Value::Str(self.string()?),
            number => return Err(self.unknown("kind of value", number)),
        })
    }

    /// A count and as many things, each of them at least `bytes_min` long.
    pub(super) fn list<T>(
        &mut self,
        bytes_min: usize,
        mut read: impl FnMut(&mut Self) -> Read<T>,
    ) -> Read<Vec<T>> {
        let start = self.at;
        let count = self.varint()?;
        let count = usize::try_from(count).ok().filter(|count| *count <= self.remaining() / bytes_min);
        let Some(count) = count else {
            return Err(DecodeError { offset: start, problem: Problem::Truncated });
        };
        let mut list = Vec::with_capacity(count);
        for _ in 0..count {
            list.push(read(self)?);
        }
        Ok(list)
    }

    pub(super) fn string(&mut self) -> Read<Cow<'a, str>> {
        let start = self.at;
        let length = usize::try_from(self.varint()?).unwrap_or(usize::MAX);
        let Some(bytes) = self.take(length) else {
            return Err(DecodeError { offset: start, problem: Problem::Truncated });
        };
        let text = std::str::from_utf8(bytes);
        text.map(Cow::Borrowed).map_err(|_| DecodeError { offset: start, problem: Problem::Utf8 })
    }

    fn f64(&mut self) -> Read<f64> {
        Ok(f64::from_bits(self.fixed()?))
    }

    #[inline(always)]
    pub(super) fn zigzag(&mut self) -> Read<i64> {
        let folded = self.varint()?;
        Ok((folded >> 1).cast_signed() ^ -(folded & 1).cast_signed())
    }

    pub(super) fn varint_u32(&mut self) -> Read<u32> {
        let start = self.at;
        u32::try_from(self.varint()?).map_err(|_| DecodeError { offset: start, problem: Problem::Number })
    }

    #[inline(always)]
    pub(super) fn varint(&mut self) -> Read<u64> {
        match self.bytes[self.at..] {
            [byte @ ..0x80, ..] => {
                self.at += 1;
                Ok(u64::from(byte))
            }
            [low, high @ 1..0x80, ..] => {
                self.at += 2;
                Ok(u64::from(low & 0x7f) | u64::from(high) << 7)
            }
            _ => self.long_varint(),
        }
    }

    #[cold]
    fn long_varint(&mut self) -> Read<u64> {
        let start = self.at;
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let Some(&byte) = self.bytes.get(self.at) else {
                return Err(DecodeError { offset: start, problem: Problem::Truncated });
            };
            self.at += 1;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                // The tenth byte has room for one bit, and a last byte of zero could have been left out.
                let fewest = (byte > 0 || shift == 0) && (byte <= 1 || shift < 63);
                return fewest
                    .then_some(number)
                    .ok_or(DecodeError { offset: start, problem: Problem::Number });
            }
        }
        Err(DecodeError { offset: start, problem: Problem::Number })
    }

    pub(super) fn fixed(&mut self) -> Read<u64> {
        let Some((bytes, _)) = self.bytes[self.at..].split_first_chunk() else {
            return Err(self.wrong(Problem::Truncated));
        };
        self.at += bytes.len();
        Ok(u64::from_le_bytes(*bytes))
    }

    pub(super) fn one_of<T>(&mut self, what: &'static str, from: impl Fn(u8) -> Option<T>) -> Read<T> {
        let number = self.byte()?;
        from(number).ok_or_else(|| self.unknown(what, number))
    }

    pub(super) fn byte(&mut self) -> Read<u8> {
        let Some(&byte) = self.bytes.get(self.at) else {
            return Err(self.wrong(Problem::Truncated));
        };
        self.at += 1;
        Ok(byte)
    }

    pub(super) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let bytes = self.bytes[self.at..].get(..length)?;
        self.at += length;
        Some(bytes)
    }

    fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    fn wrong(&self, problem: Problem) -> DecodeError {
        DecodeError { offset: self.at, problem }
    }

    /// The byte just read stands for nothing.
    pub(super) fn unknown(&self, what: &'static str, number: u8) -> DecodeError {
        DecodeError { offset: self.at - 1, problem: Problem::Unknown { what, number } }
    }
}

fn resolution(number: u8) -> Option<Resolution> {
    [Resolution::Standard, Resolution::High].into_iter().find(|one| *one as u8 == number)
}

fn status(number: u8) -> Option<CheckStatus> {
    Some(CheckStatus::from_u8(number)).filter(|status| *status as u8 == number)
}
