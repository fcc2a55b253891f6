//! Log events of one process as a block: what the flush thread makes of the rings' bytes, and the payload of a journal
//! frame of several records. What is the same for all events of a site (level, target, file, keys, the pieces of the
//! message) is written once a block, before the first of them; an event is then its site, its time and its values as
//! the ring held them, 30 bytes where the record by itself has 180. The message is put together where it is read.
//!
//! Promises: a block needs nothing but its own bytes, so a damaged one costs no other; the records that come out are
//! those that went in, with the numbers that follow the first one's; no bytes make reading panic.
//!
//! ```text
//! block  = version:u8=2 process:8 seq:varint time_ns:8 event*
//! event  = site:varint [level:u8 target:str file:str line:varint keys:varint key:str* pieces:varint piece*]
//!          later_ns:zigzag bytes:varint [8 correlation:16 span:8] value*
//! piece  = 0 text:str | 1 value:varint
//! value  = as in a ring: 0 null | 1 false | 2 true | 3 i64:8 | 4 u64:8 | 5 f64:8 | 6 bytes:u32 UTF-8
//! ```
//!
//! Sites are numbered from 0 in the order in which they come; the first event with a number brings what stands in
//! brackets. What an event was recorded for stands before its values, if it was for something. `later_ns` is counted from the event before, or from the block's time. Everything else is written as in
//! a [record](super).

use std::borrow::Cow;
use std::fmt::Write;

use super::numbered::number;
use super::read::{DecodeError, Problem, Read, Reader};
use super::write::{string, strings, varint, zigzag};
use super::{BLOCK_VERSION, decode};
use crate::encode::json::Alike;
use crate::model::{Body, Level, Log, Record, RecordId, Value};
use crate::record::{Kind, Piece, Site, correlated, read_into, read_value};

/// A block ends before an event that would make it longer than this: a bad byte costs the events of its block, and so
/// little more than the page of the medium that it stands in. Larger ones were no faster; docs/architecture.md has the
/// figures.
pub(crate) const BLOCK_BYTES: usize = 4096;
/// Places in the table of the sites that a block has had. Two sites that share one are written more often.
const PLACES: usize = 256;

const TEXT: u8 = 0;
const VALUE: u8 = 1;

/// Writes events into blocks.
pub(crate) struct BlockWriter {
    /// By the site's address: the address, the block in which it was written last, and its number there.
    sites: Box<[(usize, u32, u32); PLACES]>,
    /// The block that is open, counted from 1.
    block: u32,
    known: u32,
    last_ns: u64,
}

impl BlockWriter {
    pub(crate) fn new() -> BlockWriter {
        BlockWriter { sites: Box::new([(0, 0, 0); PLACES]), block: 0, known: 0, last_ns: 0 }
    }

    /// Begins a block at the end of `out`.
    pub(crate) fn begin(&mut self, out: &mut Vec<u8>, first: RecordId, time_ns: u64) {
        // After 2^32 blocks a site might be taken for written that was not: the table starts over.
        self.block = self.block.checked_add(1).unwrap_or_else(|| {
            self.sites.fill((0, 0, 0));
            1
        });
        (self.known, self.last_ns) = (0, time_ns);
        out.push(BLOCK_VERSION);
        out.extend_from_slice(&first.process.to_le_bytes());
        varint(out, first.seq);
        out.extend_from_slice(&time_ns.to_le_bytes());
    }

    /// Adds an event to the block that was begun last.
    #[inline]
    pub(crate) fn event(&mut self, out: &mut Vec<u8>, site: &'static Site, time_ns: u64, values: &[u8]) {
        let address = std::ptr::from_ref(site).addr();
        out.reserve(32 + values.len());
        let place = &mut self.sites[(address >> 4 ^ address >> 12) % PLACES];
        if (place.0, place.1) == (address, self.block) {
            varint(out, place.2.into());
        } else {
            *place = (address, self.block, self.known);
            varint(out, self.known.into());
            self.known += 1;
            write_site(out, site);
        }
        zigzag(out, time_ns.wrapping_sub(self.last_ns).cast_signed());
        self.last_ns = time_ns;
        varint(out, values.len() as u64);
        out.extend_from_slice(values);
    }
}

#[cold]
fn write_site(out: &mut Vec<u8>, site: &Site) {
    out.push(if let Kind::Event(level) = site.kind { level } else { Level::Info } as u8);
    strings(out, [site.source.target, site.source.file]);
    varint(out, site.source.line.into());
    varint(out, site.keys.len() as u64);
    site.keys.iter().for_each(|key| string(out, key));
    varint(out, site.pieces.len() as u64);
    for piece in site.pieces {
        match piece {
            Piece::Text(text) => {
                out.push(TEXT);
                string(out, text);
            }
            Piece::Value(index) => {
                out.push(VALUE);
                varint(out, u64::from(*index));
            }
        }
    }
}

/// The records of a payload, one after the other; [`records`] makes it.
pub(crate) struct Records<'a> {
    reader: Reader<'a>,
    /// Of the record before.
    process: u64,
    seq: u64,
    time_ns: u64,
    sites: Vec<Known<'a>>,
    /// The site of the record before.
    current: usize,
    /// Values beyond the keys, for the message only.
    more: Vec<Value<'a>>,
}

/// A site, with the event that was read last.
struct Known<'a> {
    record: Record<'a>,
    /// Its number, for [`Alike`]; 0 if it is not of a block.
    site: u64,
    /// How many fields it has of its own; what it was recorded for comes behind them.
    own: usize,
    /// None where the message is always the same.
    pieces: Vec<Part<'a>>,
}

enum Part<'a> {
    Text(Cow<'a, str>),
    Value(usize),
}

/// The records of these bytes: of a block, or the one that they are.
pub(crate) fn records(bytes: &[u8]) -> Records<'_> {
    let reader = Reader { bytes, at: 0 };
    Records {
        reader,
        process: 0,
        seq: 0,
        time_ns: 0,
        sites: Vec::new(),
        current: usize::MAX,
        more: Vec::new(),
    }
}

impl<'a> Records<'a> {
    /// Goes to the next record, for [`Records::record`] to show. Only after the last one, or where the bytes are wrong,
    /// is there none.
    ///
    /// # Errors
    ///
    /// If there is no record, or it cannot be read. Reading may go on behind one whose values are wrong.
    #[inline]
    pub(crate) fn advance(&mut self) -> Read<()> {
        if self.reader.at == 0 {
            self.current = usize::MAX;
            if self.reader.bytes.first() != Some(&BLOCK_VERSION) {
                return self.only();
            }
            self.reader.at = 1;
            (self.process, self.seq) = (self.reader.fixed()?, self.reader.varint()?.wrapping_sub(1));
            self.time_ns = self.reader.fixed()?;
        }
        self.event()
    }

    /// The record that was gone to last, and what it has in common with others.
    #[inline]
    pub(crate) fn record(&self) -> Option<(&Record<'a>, Option<Alike>)> {
        let Known { record, site, own, pieces } = self.sites.get(self.current)?;
        // With other keys it is another site.
        let is_correlated = matches!(&record.body, Body::Log(log) if log.fields.len() > *own);
        let alike = Alike { site: 2 * site + u64::from(is_correlated), same_message: pieces.is_empty() };
        Some((record, (*site > 0).then_some(alike)))
    }

    /// The record that the bytes are, without a block.
    fn only(&mut self) -> Read<()> {
        let record = decode(self.reader.bytes)?;
        self.reader.at = self.reader.bytes.len();
        self.current = self.sites.len();
        self.sites.push(Known { record, site: 0, own: usize::MAX, pieces: Vec::new() });
        Ok(())
    }

    fn event(&mut self) -> Read<()> {
        let start = self.reader.at;
        let wrong = |problem| DecodeError { offset: start, problem };
        self.current = usize::MAX;
        let number = usize::try_from(self.reader.varint()?).unwrap_or(usize::MAX);
        if number == self.sites.len() {
            let known = self.site()?;
            self.sites.push(known);
        }
        let time_ns = self.time_ns.wrapping_add_signed(self.reader.zigzag()?);
        let seq = self.seq.wrapping_add(1);
        (self.time_ns, self.seq) = (time_ns, seq);
        let length = usize::try_from(self.reader.varint()?).unwrap_or(usize::MAX);
        let mut values = self.reader.take(length).ok_or(wrong(Problem::Truncated))?;
        let Some(Known { record, own, pieces, .. }) = self.sites.get_mut(number) else {
            return Err(wrong(Problem::Number));
        };
        record.id.seq = seq;
        record.time_ns = time_ns;
        if let Body::Log(log) = &mut record.body {
            match correlated(&mut values) {
                None => log.fields.truncate(*own),
                Some((correlation, span)) => log.correlate(*own, correlation, span),
            }
            for (_, value) in log.fields.iter_mut().take(*own) {
                read_into(value, &mut values).ok_or(wrong(Problem::Truncated))?;
            }
            if !pieces.is_empty() {
                self.more.clear();
                self.more.extend(std::iter::from_fn(|| read_value(&mut values)));
                render(log, *own, pieces, &self.more);
            }
        }
        self.current = number;
        Ok(())
    }

    #[cold]
    fn site(&mut self) -> Read<Known<'a>> {
        let (reader, id) = (&mut self.reader, RecordId { process: self.process, seq: 0 });
        let start = reader.at;
        let level = reader.one_of("level", Level::from_u8)?;
        let (target, file, line) = (reader.string()?, reader.string()?, reader.varint_u32()?);
        let fields = reader.list(1, |reader| Ok((reader.string()?, Value::Null)))?;
        let mut pieces = reader.list(2, Reader::part)?;
        let message = match &mut pieces[..] {
            [] => Cow::Borrowed(""),
            [Part::Text(text)] => {
                let message = std::mem::take(text);
                pieces.clear();
                message
            }
            _ => Cow::Owned(String::new()),
        };
        let own = fields.len();
        let body = Body::Log(Log { level, target, message, file, line, fields });
        let site = number(&reader.bytes[start..reader.at]);
        Ok(Known { record: Record { id, time_ns: 0, body }, site, own, pieces })
    }
}

impl<'a> Reader<'a> {
    fn part(&mut self) -> Read<Part<'a>> {
        match self.byte()? {
            TEXT => Ok(Part::Text(self.string()?)),
            VALUE => Ok(Part::Value(usize::try_from(self.varint()?).unwrap_or(usize::MAX))),
            number => Err(self.unknown("piece", number)),
        }
    }
}

/// Puts a message together, in the memory of the one before.
fn render(log: &mut Log<'_>, own: usize, pieces: &[Part<'_>], more: &[Value<'_>]) {
    let mut message = std::mem::take(&mut log.message).into_owned();
    message.clear();
    for piece in pieces {
        match piece {
            Part::Text(text) => message.push_str(text),
            Part::Value(index) => {
                let value = match index.checked_sub(own) {
                    None => log.fields.get(*index).map(|(_, value)| value),
                    Some(index) => more.get(index),
                };
                value.into_iter().for_each(|value| show(&mut message, value));
            }
        }
    }
    log.message = Cow::Owned(message);
}

/// A value as `{}` would show it.
fn show(out: &mut String, value: &Value<'_>) {
    let written = match value {
        Value::Null => out.write_str("null"),
        Value::Bool(b) => write!(out, "{b}"),
        Value::I64(n) => write!(out, "{n}"),
        Value::U64(n) => write!(out, "{n}"),
        Value::F64(n) => write!(out, "{n}"),
        Value::Str(text) => out.write_str(text),
    };
    debug_assert!(written.is_ok(), "a String takes everything");
}

#[cfg(test)]
mod tests;
