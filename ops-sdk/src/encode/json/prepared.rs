//! The text that is the same in every line of one site, made once: where events of a site follow one another, a line is
//! the second's text, six digits, and the values between pieces that are copied as they stand.
//!
//! Who reads records of a site one after the other says so with [`alike`]; whoever then makes a [`line`](super::line())
//! of that very record is served from what was prepared. It changes no byte of any line, and nothing that is not
//! known to be the same is taken from an earlier one. Kept for each thread: 64 sites, which push each other out.

use std::cell::{Cell, RefCell};

use super::atom::put_value;
use super::digits::{decimal, eight};
use super::escape::{inside, put};
use super::line::{level, place, process};
use super::sink::{Room, RoomBytes, Sink, room};
use super::time_rfc3339;
use crate::model::{Log, Record};

/// Sites that are kept.
const PLACES: usize = 64;
const NS_PER_SECOND: u64 = 1_000_000_000;

/// What records of a site have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Alike {
    /// Records with the same number here have the same level, target, file, line and keys. Never used twice.
    pub(crate) site: u64,
    /// Whether they have the same message, too.
    pub(crate) same_message: bool,
}

/// The text of one site's lines.
#[derive(Default)]
struct Prepared {
    site: u64,
    /// Whether the pieces are made.
    ready: bool,
    /// The process and the context that it was made for.
    process: u64,
    context: Vec<(String, String)>,
    /// From the time to the message's first quote.
    head: Vec<u8>,
    /// What stands before each field, and before the sequence number: where each ends in `text`.
    ends: Vec<usize>,
    text: Vec<u8>,
    /// From the sequence number to the end.
    tail: Vec<u8>,
}

/// What a thread keeps.
struct Shelf {
    sites: Vec<Prepared>,
    /// Where lines are put together.
    room: Option<Box<RoomBytes>>,
    /// A second since the Unix epoch, and the start of its lines, behind which is nothing that counts.
    second: u64,
    start: [u8; 32],
}

/// Bytes of the start of a line, up to the microseconds.
const START_BYTES: usize = 29;

thread_local! {
    /// The address of the record that is being encoded; 0 while none is.
    static CURRENT: Cell<usize> = const { Cell::new(0) };
    /// What it has in common with those before.
    static ALIKE: Cell<Alike> = const { Cell::new(Alike { site: 0, same_message: false }) };
    static SHELF: RefCell<Shelf> =
        const { RefCell::new(Shelf { sites: Vec::new(), room: None, second: u64::MAX, start: [0; 32] }) };
}

/// Runs `encode`, to which this record is shown and which may make lines of it.
#[inline]
pub(crate) fn alike<R>(record: &Record<'_>, alike: Option<Alike>, encode: impl FnOnce() -> R) -> R {
    if let Some(alike) = alike {
        ALIKE.set(alike);
        CURRENT.set(address(record));
    }
    let encoded = encode();
    CURRENT.set(0);
    encoded
}

/// The record is borrowed for as long as its address stands for it.
fn address(record: &Record<'_>) -> usize {
    std::ptr::from_ref(record).addr()
}

/// Appends the line of a record from what was prepared for its site. Says false, and appends nothing, where there is
/// nothing prepared.
#[inline]
pub(super) fn line(
    out: &mut Vec<u8>,
    record: &Record<'_>,
    log: &Log<'_>,
    context: &[(String, String)],
    make: impl FnOnce(&mut Parts<'_>) -> bool,
) -> bool {
    if CURRENT.get() != address(record) {
        return false;
    }
    SHELF.with_borrow_mut(|shelf| shelf.line(out, record, log, context, make))
}

impl Shelf {
    fn line(
        &mut self,
        out: &mut Vec<u8>,
        record: &Record<'_>,
        log: &Log<'_>,
        context: &[(String, String)],
        make: impl FnOnce(&mut Parts<'_>) -> bool,
    ) -> bool {
        if self.sites.is_empty() {
            self.sites.resize_with(PLACES, Prepared::default);
        }
        let alike = ALIKE.get();
        #[allow(clippy::cast_possible_truncation)] // a remainder
        let site = &mut self.sites[(alike.site % PLACES as u64) as usize];
        if site.site != alike.site || site.process != record.id.process || site.context != context {
            // The first line is made the long way: it may be the only one.
            (site.site, site.process, site.ready) = (alike.site, record.id.process, false);
            context.clone_into(&mut site.context);
            return false;
        }
        // Where keys collide it is tried again with each line, which costs little more than the long way.
        if !site.ready && !site.prepare(record, log, alike, make) {
            return false;
        }
        if self.second != record.time_ns / NS_PER_SECOND {
            self.second = record.time_ns / NS_PER_SECOND;
            self.start = start(self.second);
        }
        let mut room = Room::of(self.room.get_or_insert_with(room));
        site.write(&mut room, &self.start, record, log, alike.same_message);
        match room.line() {
            Some(line) => out.extend_from_slice(line),
            None => site.write(out, &self.start, record, log, alike.same_message),
        }
        true
    }
}

/// The start of every line of a second.
#[cold]
fn start(second: u64) -> [u8; 32] {
    let mut text = b"{\"time\":\"".to_vec();
    time_rfc3339(&mut text, second * NS_PER_SECOND);
    text.first_chunk().copied().unwrap_or([b' '; 32])
}

/// Where the pieces of a line are put that is being prepared.
pub(super) struct Parts<'p> {
    text: &'p mut Vec<u8>,
    ends: &'p mut Vec<usize>,
}

impl Parts<'_> {
    /// What stands before the next field.
    pub(super) fn key(&mut self, key: &str) {
        self.text.extend_from_slice(b",\"");
        inside(self.text, key);
        self.text.extend_from_slice(b"\":");
        self.ends.push(self.text.len());
    }

    /// The text so far, to add what follows the last field.
    pub(super) fn text(&mut self) -> &mut Vec<u8> {
        self.text
    }
}

impl Prepared {
    /// Makes the pieces. Says false if the keys collide, so that names would have to be found for them.
    #[cold]
    fn prepare(
        &mut self,
        record: &Record<'_>,
        log: &Log<'_>,
        alike: Alike,
        make: impl FnOnce(&mut Parts<'_>) -> bool,
    ) -> bool {
        for text in [&mut self.head, &mut self.text, &mut self.tail] {
            text.clear();
        }
        self.ends.clear();
        level(&mut self.head, log);
        if alike.same_message {
            inside(&mut self.head, &log.message);
        }
        self.text.push(b'"');
        if !make(&mut Parts { text: &mut self.text, ends: &mut self.ends }) {
            return false;
        }
        process(&mut self.text, record.id);
        self.ends.push(self.text.len());
        self.tail.push(b'"');
        place(&mut self.tail, log);
        self.tail.push(b'}');
        self.ready = true;
        true
    }

    #[inline(always)]
    fn write(
        &self,
        out: &mut impl Sink,
        start: &[u8; 32],
        record: &Record<'_>,
        log: &Log<'_>,
        same_message: bool,
    ) {
        out.put(start, START_BYTES);
        let micro = eight(record.time_ns % NS_PER_SECOND / 1000) >> 16;
        out.put(&(micro | u64::from(b'Z') << 48 | u64::from(b'"') << 56).to_le_bytes(), 8);
        out.put_all(&self.head);
        if !same_message {
            inside(out, &log.message);
        }
        let mut start = 0;
        for (end, (_, field)) in self.ends.iter().zip(&log.fields) {
            put(out, &self.text[start..*end]);
            put_value(out, field);
            start = *end;
        }
        put(out, &self.text[start..]);
        decimal(out, record.id.seq);
        out.put_all(&self.tail);
    }
}

#[cfg(test)]
mod tests;
