//! Events as bytes, between the thread that recorded them and the flush thread: length, site, ticks, sequence and
//! values. Numbers stay numbers; only what was captured with `%` or `?` is text already. Rendering the message, and
//! everything else that costs, is done by the reader.

use std::borrow::Cow;
use std::fmt::{self, Write};

use super::Arg;
#[cfg(test)]
use super::prefix;
use super::prefix::Prefix;
use super::ring::{ALIGN, Filling};
use super::room::{Room, Short};
use crate::clock::Ticks;
use crate::model::Value;

/// Length, site, ticks, sequence.
pub(super) const HEAD_BYTES: usize = 4 + 4 + 8 + 8;
/// Where the sequence stands in it.
pub(super) const SEQ_AT: usize = HEAD_BYTES - 8;

/// What kind of value follows.
pub(super) const NULL: u8 = 0;
pub(super) const FALSE: u8 = 1;
const TRUE: u8 = FALSE + 1;
pub(super) const I64: u8 = 3;
pub(super) const U64: u8 = 4;
pub(super) const F64: u8 = 5;
pub(super) const TEXT: u8 = 6;

/// Where a frame is written: the ring; when the ring cannot hold it, the caller's stack; when that cannot either, the
/// heap. Most frames never see the heap, because an allocator may be what was interrupted by who logs.
pub(super) enum Sink<'a> {
    Ring(Filling<'a>),
    Short(Short<'a>),
    Heap(Vec<u8>),
    /// It is too long for where it may be kept.
    Nowhere,
}

/// A frame being written.
pub(super) struct Writer<'a> {
    sink: Sink<'a>,
    /// A frame larger than this does not stay in the ring, so that it does not crowd out others.
    ring_share_bytes: usize,
    /// Where it goes then; none once it is in use.
    room: Option<&'a mut Room>,
    may_allocate: bool,
}

impl<'a> Writer<'a> {
    /// A frame that goes to the ring if it can.
    #[inline]
    pub(super) fn new(ring: Filling<'a>, ring_share_bytes: usize, room: &'a mut Room) -> Writer<'a> {
        Writer { sink: Sink::Ring(ring), ring_share_bytes, room: Some(room), may_allocate: true }
    }

    /// A frame that neither goes to the ring nor to the heap.
    pub(super) fn aside(room: &'a mut Room) -> Writer<'a> {
        Writer { sink: Sink::Short(Short::new(room)), ring_share_bytes: 0, room: None, may_allocate: false }
    }

    /// Writes the whole frame and hands back where it is, finished but not published.
    #[inline]
    pub(super) fn frame(
        mut self,
        site: u32,
        ticks: Ticks,
        seq: u64,
        prefix: Option<Prefix>,
        values: &[Arg<'_>],
    ) -> Sink<'a> {
        self.put(&head(0, site, ticks, seq));
        if let Some(prefix) = prefix {
            self.put(prefix.bytes());
        }
        values.iter().for_each(|value| self.value(value));
        self.patch_len(0, 0);
        self.sink
    }

    #[inline]
    fn value(&mut self, value: &Arg<'_>) {
        match *value {
            Arg::Null => self.put(&[NULL]),
            Arg::Bool(b) => self.put(&[FALSE + u8::from(b)]),
            Arg::I64(n) => self.number(I64, n.to_le_bytes()),
            Arg::U64(n) => self.number(U64, n.to_le_bytes()),
            Arg::F64(n) => self.number(F64, n.to_le_bytes()),
            Arg::Str(text) => self.text(text),
            Arg::Display(value) => self.formatted(format_args!("{value}")),
            Arg::Debug(value) => self.formatted(format_args!("{value:?}")),
        }
    }

    #[inline]
    fn number(&mut self, tag: u8, bytes: [u8; 8]) {
        let mut all = [tag; 9];
        all[1..].copy_from_slice(&bytes);
        self.put(&all);
    }

    #[inline]
    fn text(&mut self, text: &str) {
        let mut head = [TEXT; 5];
        head[1..].copy_from_slice(&len_u32(text.len()).to_le_bytes());
        self.put(&head);
        self.put(&text.as_bytes()[..len_u32(text.len()) as usize]);
    }

    /// Formats in place; the length is written when it is known. A `Display` that fails leaves what it wrote.
    fn formatted(&mut self, text: fmt::Arguments<'_>) {
        self.put(&[TEXT, 0, 0, 0, 0]);
        let start = self.len();
        let _ = self.write_fmt(text);
        self.patch_len(start.saturating_sub(4), start);
    }

    /// Appends bytes, elsewhere from here on if the ring has no room.
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        let done = match &mut self.sink {
            Sink::Ring(ring) => ring.len() + bytes.len() <= self.ring_share_bytes && ring.push(bytes),
            _ => false,
        };
        if !done {
            self.put_elsewhere(bytes);
        }
    }

    #[cold]
    fn put_elsewhere(&mut self, bytes: &[u8]) {
        if let (Sink::Ring(ring), Some(room)) = (&self.sink, self.room.take()) {
            let mut short = Short::new(room);
            self.sink =
                if short.push(ring.written()) { Sink::Short(short) } else { Sink::Heap(ring.to_vec()) };
        }
        if let Sink::Short(short) = &mut self.sink {
            if short.push(bytes) {
                return;
            }
            self.sink = if self.may_allocate { Sink::Heap(short.written().to_vec()) } else { Sink::Nowhere };
        }
        if let Sink::Heap(heap) = &mut self.sink {
            heap.extend_from_slice(bytes);
        }
    }

    #[inline]
    fn len(&self) -> usize {
        match &self.sink {
            Sink::Ring(ring) => ring.len(),
            Sink::Short(short) => short.written().len(),
            Sink::Heap(heap) => heap.len(),
            Sink::Nowhere => 0,
        }
    }

    /// Writes the number of bytes since `start` at `at`.
    #[inline]
    fn patch_len(&mut self, at: usize, start: usize) {
        let bytes = len_u32(self.len().saturating_sub(start)).to_le_bytes();
        match &mut self.sink {
            Sink::Ring(ring) => ring.patch(at, &bytes),
            Sink::Short(short) => short.written_mut()[at..at + 4].copy_from_slice(&bytes),
            Sink::Heap(heap) => heap[at..at + 4].copy_from_slice(&bytes),
            Sink::Nowhere => {}
        }
    }
}

impl Write for Writer<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.put(text.as_bytes());
        Ok(())
    }
}

/// What a frame starts with. Frames that have no place in the order of their lane have 0 for it.
#[inline(always)]
pub(super) fn head(len: u32, site: u32, ticks: Ticks, seq: u64) -> [u8; HEAD_BYTES] {
    let mut head = [0; HEAD_BYTES];
    head[..4].copy_from_slice(&len.to_le_bytes());
    head[4..8].copy_from_slice(&site.to_le_bytes());
    head[8..16].copy_from_slice(&ticks.to_le_bytes());
    head[16..].copy_from_slice(&seq.to_le_bytes());
    head
}

/// A length as frames hold it. Text beyond 4 GiB ends there: no ring and no overflow queue would take it anyway.
#[inline]
#[allow(clippy::cast_possible_truncation)]
fn len_u32(len: usize) -> u32 {
    len.min(u32::MAX as usize) as u32
}

/// A frame that was read back.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame<'a> {
    /// The site's number.
    pub(super) site: u32,
    /// When.
    pub(crate) ticks: Ticks,
    /// Its number within its lane, from 1. Frames in the overflow queue have the number of the taking there, and 0 before.
    pub(super) seq: u64,
    values: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The frame at the start of `bytes`, and what follows it.
    pub(super) fn split(bytes: &'a [u8]) -> Option<(Frame<'a>, &'a [u8])> {
        let len = u32::from_le_bytes(*bytes.first_chunk()?) as usize;
        let frame = bytes.get(..len)?;
        let rest = bytes.get(len.next_multiple_of(ALIGN)..).unwrap_or_default();
        let (head, values) = frame.split_at_checked(HEAD_BYTES)?;
        let word = |at: usize| head[at..].first_chunk().map_or(0, |b| u64::from_le_bytes(*b));
        let site = u32::from_le_bytes(*head[4..].first_chunk()?);
        Some((Frame { site, ticks: word(8), seq: word(16), values }, rest))
    }

    /// Its values as they were written, for [`read_value`]; what it was recorded for stands before them.
    pub(crate) fn value_bytes(&self) -> &'a [u8] {
        self.values
    }

    /// Its values, in the order of the site's keys.
    #[cfg(test)]
    pub(crate) fn values(&self) -> Vec<Value<'a>> {
        let mut rest = self.values;
        prefix::take(&mut rest);
        std::iter::from_fn(|| read_value(&mut rest)).collect()
    }
}

/// Takes the next value off the front; `None` after the last one.
pub(crate) fn read_value<'a>(rest: &mut &'a [u8]) -> Option<Value<'a>> {
    let mut value = Value::Null;
    read_into(&mut value, rest).map(|()| value)
}

/// The same, over another value: where thousands are read, moving each would cost more than reading it.
#[inline(always)]
pub(crate) fn read_into<'a>(value: &mut Value<'a>, rest: &mut &'a [u8]) -> Option<()> {
    let (&tag, after) = rest.split_first()?;
    *rest = after;
    match tag {
        NULL => *value = Value::Null,
        FALSE | TRUE => *value = Value::Bool(tag == TRUE),
        I64 => *value = Value::I64(i64::from_le_bytes(take(rest)?)),
        U64 => *value = Value::U64(u64::from_le_bytes(take(rest)?)),
        F64 => *value = Value::F64(f64::from_le_bytes(take(rest)?)),
        _ => {
            let len = u32::from_le_bytes(take(rest)?) as usize;
            let (text, after) = rest.split_at_checked(len)?;
            *rest = after;
            match str::from_utf8(text) {
                Ok(text) => *value = Value::Str(Cow::Borrowed(text)),
                Err(_) => *value = Value::Str(lossless(text)),
            }
        }
    }
    Some(())
}

#[inline(always)]
fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (bytes, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(*bytes)
}

/// Text as it was written. It was a `str`, so nothing is ever replaced.
#[cold]
fn lossless(text: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(text)
}
