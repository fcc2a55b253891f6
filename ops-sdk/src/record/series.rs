//! From a site and the values of its dimensions to the cell of this thread. A table per lane, open addressing, only
//! ever touched by the thread that has the lane; the values are compared where they are, and copied only when a
//! series is new.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use super::arena::{Arena, Offset, Resident};
use super::cell::{CellHead, CounterCell, GaugeCell, HistogramCell};
use super::lane::{Lane, SITES_MAX};
use super::{Kind, Label, Site};

/// The value that every dimension of the overflow series has.
pub(crate) const OVERFLOW: &str = "ops.overflow";

const TABLE_LEN_FIRST: u32 = 64;
static SERIES_MAX: AtomicU32 = AtomicU32::new(super::SERIES_MAX);

/// Sets how many series one site may have on one thread; further ones share the overflow series.
pub(crate) fn set_series_max(series: u32) {
    SERIES_MAX.store(series.max(1), Relaxed);
}

/// A number that stands for a site and values, equal for equal ones.
#[inline]
pub(super) fn hash(slot: u32, labels: &[Label<'_>]) -> u64 {
    labels.iter().fold(mix(SEED, u64::from(slot)), |hash, label| match *label {
        Label::Str(text) => hash_bytes(hash, text.as_bytes()),
        Label::U64(n) => mix(hash, n),
        Label::I64(n) => mix(hash, n.cast_unsigned() ^ 1),
        Label::Bool(b) => mix(hash, 2 + u64::from(b)),
        Label::Display(_) => hash, // resolved to text before
    })
}

const SEED: u64 = 0x9E37_79B9_7F4A_7C15;

/// One multiplication to twice the width, folded: every bit of both goes into the result.
#[inline]
#[allow(clippy::cast_possible_truncation)]
fn mix(a: u64, b: u64) -> u64 {
    let wide = u128::from(a ^ SEED.rotate_left(17)) * u128::from(b ^ a.rotate_left(32) ^ SEED);
    (wide as u64) ^ ((wide >> 64) as u64)
}

#[inline]
fn hash_bytes(hash: u64, bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let hash = words.iter().fold(hash, |hash, word| mix(hash, u64::from_le_bytes(*word)));
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    mix(hash, u64::from_le_bytes(last) ^ ((bytes.len() as u64) << 56))
}

/// The cell of this site and these values on this lane, if it was made.
#[inline]
pub(super) fn find<T: Resident>(
    arena: Arena,
    lane: &Lane,
    slot: u32,
    labels: &[Label<'_>],
    hash: u64,
) -> Option<&'static T> {
    let table = table(arena, lane);
    let mask = table.len().checked_sub(1)?;
    let mut at = place(hash, mask);
    loop {
        let (tag, offset) = unpack(table[at].load(Relaxed));
        if offset == 0 {
            return None;
        }
        if tag == upper(hash) && is(arena, offset, slot, labels, hash) {
            return arena.at(offset);
        }
        at = (at + 1) & mask;
    }
}

/// Makes a cell for this site and these values; `None` if the arena is full.
#[cold]
pub(super) fn make(
    arena: Arena,
    lane: &Lane,
    site: &Site,
    slot: u32,
    labels: &[Label<'_>],
    hash: u64,
) -> Option<Offset> {
    let key_bytes: usize = labels.iter().map(|label| WORD_BYTES + parts(label).2.len()).sum();
    let key_at = if key_bytes == 0 { 0 } else { arena.reserve(key_bytes)? };
    if key_at != 0 {
        // SAFETY: the place was just reserved for this many zero bytes, and nobody else knows of it yet.
        let key = unsafe { std::slice::from_raw_parts_mut(arena.address(key_at).as_ptr(), key_bytes) };
        write_key(labels, key);
    }
    let offset = arena.reserve(cell_bytes(site.kind))?;
    let head: &CellHead = arena.at(offset)?;
    head.site.store(slot, Relaxed);
    head.key.store(key_at, Relaxed);
    head.key_bytes.store(u32::try_from(key_bytes).ok()?, Relaxed);
    head.hash.store(hash, Relaxed);
    enter(arena, lane, hash, offset)?;
    arena.push(&lane.cells, offset, &head.next);
    Some(offset)
}

/// Whether one more series of this site may be made on this lane; counts it if so.
#[cold]
pub(super) fn admit(lane: &Lane, site: &Site, slot: u32) -> bool {
    let Some(count) = lane.slots.get(slot as usize).filter(|_| (slot as usize) < SITES_MAX) else {
        return true;
    };
    let series = count.load(Relaxed);
    count.store(series.saturating_add(1), Relaxed);
    series < if site.series_max > 0 { site.series_max } else { SERIES_MAX.load(Relaxed) }
}

/// Whether this is the cell of the overflow series, and not one of these values.
pub(super) fn is_overflow(arena: Arena, head: &CellHead, labels: &[Label<'_>]) -> bool {
    let overflow = |label: Option<&Label<'_>>| matches!(label, Some(Label::Str(OVERFLOW)));
    overflow(values(arena, head).next().as_ref()) && !overflow(labels.first())
}

/// The values of a cell's dimensions, as text.
pub(super) fn labels(arena: Arena, head: &CellHead) -> Vec<String> {
    let text = |label| match label {
        Label::U64(n) => n.to_string(),
        Label::I64(n) => n.to_string(),
        Label::Bool(b) => b.to_string(),
        Label::Str(text) => text.to_owned(),
        Label::Display(value) => value.to_string(),
    };
    values(arena, head).map(text).collect()
}

/// The values of a cell's dimensions, as they lie in the arena.
pub(super) fn values(arena: Arena, head: &CellHead) -> impl Iterator<Item = Label<'static>> {
    let mut rest = key(arena, head);
    std::iter::from_fn(move || read_label(&mut rest))
}

fn read_label<'a>(rest: &mut &'a [u8]) -> Option<Label<'a>> {
    let (tag, after) = rest.split_first()?;
    let (word, after) = after.split_first_chunk().map(|(word, after)| (u64::from_le_bytes(*word), after))?;
    *rest = after;
    Some(match tag {
        b'u' => Label::U64(word),
        b'i' => Label::I64(word.cast_signed()),
        b'b' => Label::Bool(word != 0),
        _ => {
            let (text, after) = rest.split_at_checked(usize::try_from(word).ok()?)?;
            *rest = after;
            Label::Str(str::from_utf8(text).unwrap_or_default()) // it was a `str` when it was written
        }
    })
}

/// A tag and a word.
const WORD_BYTES: usize = 1 + 8;

/// Writes values as the arena keeps them: a tag and a word each, and the bytes of text. Straight into the arena: an
/// allocation could come back here.
fn write_key(labels: &[Label<'_>], mut key: &mut [u8]) {
    for label in labels {
        let (tag, word, text) = parts(label);
        let (head, rest) = key.split_at_mut(WORD_BYTES);
        head[0] = tag;
        head[1..].copy_from_slice(&word.to_le_bytes());
        let (place, rest) = rest.split_at_mut(text.len());
        place.copy_from_slice(text);
        key = rest;
    }
}

#[inline]
fn parts<'a>(label: &Label<'a>) -> (u8, u64, &'a [u8]) {
    match *label {
        Label::Str(text) => (b's', text.len() as u64, text.as_bytes()),
        Label::U64(n) => (b'u', n, &[]),
        Label::I64(n) => (b'i', n.cast_unsigned(), &[]),
        Label::Bool(b) => (b'b', u64::from(b), &[]),
        Label::Display(_) => (b's', 0, &[]), // resolved to text before
    }
}

/// Whether the cell at `offset` is that of this site and these values.
#[inline]
fn is(arena: Arena, offset: Offset, slot: u32, labels: &[Label<'_>], hash: u64) -> bool {
    let Some(head) = arena.at::<CellHead>(offset) else { return false };
    if head.hash.load(Relaxed) != hash || head.site.load(Relaxed) != slot {
        return false;
    }
    let mut rest = key(arena, head);
    for label in labels {
        let (tag, word, text) = parts(label);
        let Some((head, after)) = rest.split_at_checked(WORD_BYTES) else { return false };
        let Some((same, after)) = after.split_at_checked(text.len()) else { return false };
        if head[0] != tag || head[1..] != word.to_le_bytes() || same != text {
            return false;
        }
        rest = after;
    }
    rest.is_empty()
}

#[inline]
fn key(arena: Arena, head: &CellHead) -> &'static [u8] {
    let (offset, bytes) = (head.key.load(Relaxed), head.key_bytes.load(Relaxed) as usize);
    if offset == 0 {
        return &[];
    }
    // SAFETY: the place was reserved for this many bytes, written before the cell was published, and never again.
    unsafe { std::slice::from_raw_parts(arena.address(offset).as_ptr(), bytes) }
}

fn cell_bytes(kind: Kind) -> usize {
    match kind {
        Kind::Counter => size_of::<CounterCell>(),
        Kind::Gauge => size_of::<GaugeCell>(),
        Kind::Histogram | Kind::Call | Kind::Event(_) => size_of::<HistogramCell>(),
    }
}

/// Enters a cell into the lane's table, which grows before it is three quarters full.
fn enter(arena: Arena, lane: &Lane, hash: u64, offset: Offset) -> Option<()> {
    let used = lane.table_used.load(Relaxed) + 1;
    if used > lane.table_len.load(Relaxed) / 4 * 3 {
        grow(arena, lane)?;
    }
    insert(table(arena, lane), hash, offset);
    lane.table_used.store(used, Relaxed);
    Some(())
}

fn grow(arena: Arena, lane: &Lane) -> Option<()> {
    let len = (lane.table_len.load(Relaxed) * 2).max(TABLE_LEN_FIRST);
    let offset = arena.reserve(len as usize * size_of::<AtomicU64>())?;
    let grown = arena.slice(offset, len as usize);
    for entry in table(arena, lane) {
        let (_, cell) = unpack(entry.load(Relaxed));
        if let Some(head) = arena.at::<CellHead>(cell) {
            insert(grown, head.hash.load(Relaxed), cell);
        }
    }
    lane.table.store(offset, Relaxed);
    lane.table_len.store(len, Relaxed);
    Some(())
}

fn insert(table: &[AtomicU64], hash: u64, offset: Offset) {
    let mask = table.len() - 1;
    let mut at = place(hash, mask);
    while table[at].load(Relaxed) != 0 {
        at = (at + 1) & mask;
    }
    table[at].store(upper(hash) << 32 | u64::from(offset), Relaxed);
}

#[inline]
fn table(arena: Arena, lane: &Lane) -> &'static [AtomicU64] {
    arena.slice(lane.table.load(Relaxed), lane.table_len.load(Relaxed) as usize)
}

#[inline]
#[allow(clippy::cast_possible_truncation)] // the low bits are what is wanted
fn place(hash: u64, mask: usize) -> usize {
    hash as usize & mask
}

#[inline]
fn upper(hash: u64) -> u64 {
    hash >> 32
}

#[inline]
#[allow(clippy::cast_possible_truncation)] // the low half is the offset
fn unpack(entry: u64) -> (u64, Offset) {
    (entry >> 32, entry as u32)
}
