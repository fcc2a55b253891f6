//! Every site that was used, written into the arena: whoever finds the arena of a dead process knows by that what its
//! cells and frames are. Written once a site, when it gets its number, and without the heap: an allocator may be what
//! uses the site.

use std::mem::offset_of;
use std::slice;

use super::arena::{Arena, Offset, Resident};
use super::remains::Bytes;
use super::sync::Ordering::Relaxed;
use super::sync::{self, AtomicU32};
use super::{Kind, Piece, Site, Source, registry, unit};
use crate::model::{Level, Resolution, Unit};

/// A site that was entered: what is known of it is written behind.
#[repr(C, align(64))]
struct Entry {
    /// The one entered before.
    next: AtomicU32,
    /// The site's number.
    number: AtomicU32,
    text: AtomicU32,
    pad: [AtomicU32; 13],
}

// SAFETY: atomics only; zero is valid; alignment 64.
unsafe impl Resident for Entry {}

/// Writes what is known of a site, to be entered under a number.
pub(super) fn prepare(arena: Arena, site: &Site) -> Option<Offset> {
    let offset = arena.reserve(size_of::<Entry>())?;
    let text = Blob::new(|put| put.site(site)).write(arena)?;
    arena.at::<Entry>(offset)?.text.store(text, Relaxed);
    Some(offset)
}

/// Enters it.
pub(super) fn enter(arena: Arena, offset: Offset, number: u32) {
    let Some(entry) = arena.at::<Entry>(offset) else { return };
    entry.number.store(number, Relaxed);
    arena.push(&arena.head().sites, offset, &entry.next);
}

/// Enters every site that has a number already: the arena is new, and they are not.
pub(super) fn enter_all(arena: Arena) {
    for (number, site) in registry::numbered() {
        if let Some(offset) = prepare(arena, site) {
            enter(arena, offset, number);
        }
    }
}

/// Bytes that are written to a place of the arena, told by what writes them; it runs twice, first to count them.
pub(super) struct Blob<F>(F);

/// Where a blob goes: nowhere while it is counted.
pub(super) struct Put<'a> {
    len: usize,
    place: &'a mut [u8],
}

impl<F: Fn(&mut Put<'_>)> Blob<F> {
    pub(super) fn new(write: F) -> Blob<F> {
        Blob(write)
    }

    /// Reserves a place and writes it there, its length first.
    pub(super) fn write(&self, arena: Arena) -> Option<Offset> {
        let mut count = Put { len: 0, place: &mut [] };
        (self.0)(&mut count);
        let bytes = count.len + 4;
        let offset = arena.reserve(bytes)?;
        sync::writes(arena.address(offset), bytes);
        // SAFETY: so many bytes were reserved just now, and nobody else knows of them.
        let place = unsafe { slice::from_raw_parts_mut(arena.address(offset).as_ptr(), bytes) };
        let mut put = Put { len: 0, place };
        put.number(u32::try_from(count.len).ok()?);
        (self.0)(&mut put);
        Some(offset)
    }
}

impl Put<'_> {
    fn bytes(&mut self, bytes: &[u8]) {
        let end = self.len + bytes.len();
        if let Some(place) = self.place.get_mut(self.len..end) {
            place.copy_from_slice(bytes);
        }
        self.len = end;
    }

    pub(super) fn number(&mut self, n: u32) {
        self.bytes(&n.to_le_bytes());
    }

    #[allow(clippy::cast_possible_truncation)] // a text of a program
    pub(super) fn text(&mut self, text: &str) {
        self.number(text.len() as u32);
        self.bytes(text.as_bytes());
    }

    #[allow(clippy::cast_possible_truncation)] // lists of a program
    fn list<T>(&mut self, items: &[T], mut each: impl FnMut(&mut Self, &T)) {
        self.number(items.len() as u32);
        items.iter().for_each(|item| each(self, item));
    }

    fn site(&mut self, site: &Site) {
        let (kind, level) = match site.kind {
            Kind::Counter => (0, 0),
            Kind::Gauge => (1, 0),
            Kind::Histogram => (2, 0),
            Kind::Call => (3, 0),
            Kind::Event(level) => (4, level as u32),
        };
        for number in [kind, level, site.unit as u32, site.resolution as u32, site.source.line] {
            self.number(number);
        }
        [site.name, site.source.target, site.source.file].into_iter().for_each(|text| self.text(text));
        self.list(site.keys, |put, key| put.text(key));
        self.list(site.rollups, |put, keys| put.list(keys, |put, key| put.text(key)));
        self.list(site.pieces, |put, piece| match piece {
            Piece::Text(text) => {
                put.number(0);
                put.text(text);
            }
            Piece::Value(index) => put.number(1 + u32::from(*index)),
        });
    }
}

/// Takes a blob apart.
pub(super) struct Reading<'a> {
    rest: &'a [u8],
}

impl<'a> Reading<'a> {
    pub(super) fn of(bytes: &'a Bytes, offset: Offset) -> Reading<'a> {
        let at = Bytes::place(offset);
        let len = bytes.short(at) as usize;
        Reading { rest: if offset == 0 { &[] } else { bytes.slice(at + 4, len) } }
    }

    pub(super) fn number(&mut self) -> Option<u32> {
        let (number, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(u32::from_le_bytes(*number))
    }

    pub(super) fn text(&mut self) -> Option<&'a str> {
        let len = self.number()? as usize;
        let (text, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        str::from_utf8(text).ok()
    }

    fn list<T>(&mut self, mut each: impl FnMut(&mut Self) -> Option<T>) -> Option<&'static [T]> {
        let count = self.number()? as usize;
        // No item takes less than four bytes, so that a wrong number asks for no memory.
        let items: Option<Vec<T>> = (0..count.min(self.rest.len() / 4 + 1)).map(|_| each(self)).collect();
        items.filter(|items| items.len() == count).map(|items| &*items.leak())
    }

    fn site(&mut self) -> Option<Site> {
        let own = |text: &str| &*String::from(text).leak();
        let [kind, level, unit, resolution, line] = [(); 5].map(|()| self.number());
        let kind = match kind? {
            0 => Kind::Counter,
            1 => Kind::Gauge,
            2 => Kind::Histogram,
            3 => Kind::Call,
            4 => Kind::Event(Level::ALL.into_iter().find(|known| Some(*known as u32) == level)?),
            _ => return None,
        };
        let resolution =
            [Resolution::Standard, Resolution::High].into_iter().find(|r| Some(*r as u32) == resolution)?;
        let name = own(self.text()?);
        let (target, file) = (own(self.text()?), own(self.text()?));
        let keys = self.list(|reading| reading.text().map(own))?;
        let rollups = self.list(|reading| reading.list(|reading| reading.text().map(own)))?;
        let pieces = self.list(|reading| match reading.number()? {
            0 => reading.text().map(own).map(Piece::Text),
            index => u16::try_from(index - 1).ok().map(Piece::Value),
        })?;
        let site = Site::new(kind, name, Source { target, file, line: line? });
        let site = site.unit(Unit::from_u8(u8::try_from(unit?).ok()?)?).resolution(resolution);
        Some(site.keys(keys).rollups(rollups).pieces(pieces))
    }
}

/// The sites of a dead process, by their number. They stay for the life of this one, since records are made of them as
/// of its own: as much as they take in the source, once for each process that died.
pub(super) fn dead(bytes: &Bytes, first: Offset) -> Vec<(u32, &'static Site)> {
    let entries = bytes.list(first, offset_of!(Entry, next));
    let read = entries.into_iter().filter_map(|at| {
        let number = bytes.short(at + offset_of!(Entry, number));
        let site = Reading::of(bytes, bytes.short(at + offset_of!(Entry, text))).site()?;
        Some((number, unit::end_of(&site).unwrap_or_else(|| &*Box::leak(Box::new(site)))))
    });
    read.collect()
}
