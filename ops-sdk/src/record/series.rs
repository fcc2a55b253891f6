//! From a site and the values of its dimensions to the cell of this thread. A table per lane, open addressing, only
//! ever touched by the thread that has the lane; the values are compared where they are, and copied only when a
//! series is new.

use super::arena::{Arena, Offset, Resident};
use super::cell::{CellHead, CounterCell, DeadHead, GaugeCell, HistogramCell};
use super::label::{self, Words};
use super::lane::Lane;
use super::remains::Bytes;
use super::sync::{self, AtomicU32, AtomicU64, Ordering::Relaxed};
use super::{Kind, Label, Site, expire};

/// The value that every dimension of the overflow series has.
pub(crate) const OVERFLOW: &str = "ops.overflow";

const TABLE_LEN_FIRST: u32 = 128;
static SERIES_MAX: AtomicU32 = AtomicU32::new(super::SERIES_MAX);

/// Sets how many series one site may have on one thread; further ones share the overflow series.
pub(crate) fn set_series_max(series: u32) {
    SERIES_MAX.store(series.max(1), Relaxed);
}

/// The values of a site's dimensions, to be looked up: as they are, and as words.
#[derive(Clone, Copy)]
pub(super) struct Key<'a> {
    pub(super) labels: &'a [Label<'a>],
    pub(super) words: &'a [Words],
    pub(super) hash: u64,
}

impl<'a> Key<'a> {
    /// The key of values none of which must be formatted first. There are as many words as labels.
    pub(super) fn new(slot: u32, labels: &'a [Label<'a>], words: &'a [Words]) -> Key<'a> {
        Key { labels, words, hash: label::hash(slot, words) }
    }
}

/// The cell of this site and these values on this lane, if it stands where it is looked for first, and its values are
/// equal because their words are. Nearly all are found by this.
#[inline(always)]
pub(super) fn find_at_once<T: Resident, const N: usize>(
    lane: &'static Lane,
    slot: u32,
    values: &[Words; N],
    hash: u64,
) -> Option<&'static T> {
    let arena = Arena::of(lane);
    let (tag, offset) = unpack(lane.entry(arena, hash).load(Relaxed));
    if tag != upper(hash) {
        return None;
    }
    let head: &CellHead = arena.at(offset)?;
    if head.id.load(Relaxed) != id(slot, N) {
        return None;
    }
    let (known, mut differ, mut at) = (words(arena, head, N), 0, 0);
    while at < N {
        differ |= values[at].differs(known[at]);
        at += 1;
    }
    if differ == 0 { arena.at(offset) } else { None }
}

/// A site's number, and how many values there are.
#[inline(always)]
fn id(slot: u32, values: usize) -> u64 {
    u64::from(slot) << 8 | values as u64
}

/// The cell of this site and these values on this lane, if it was made.
pub(super) fn find<T: Resident>(arena: Arena, lane: &Lane, slot: u32, key: Key<'_>) -> Option<&'static T> {
    let mut at = key.hash;
    loop {
        let (tag, offset) = unpack(lane.entry(arena, at).load(Relaxed));
        if tag == upper(key.hash)
            && let Some(head) = arena.at::<CellHead>(offset)
            && is(arena, head, slot, key)
        {
            return arena.at(offset);
        }
        if offset == 0 {
            return None;
        }
        at = at.wrapping_add(1);
    }
}

/// Makes a cell for this site and these values, of one that is idle if there is one; `None` if the arena is full.
#[cold]
pub(super) fn make(arena: Arena, lane: &Lane, site: &Site, slot: u32, key: Key<'_>) -> Option<Offset> {
    let class = expire::class(site.kind);
    let used = expire::take(arena, lane, class, slot);
    let offset = used.or_else(|| arena.reserve(cell_bytes(site.kind)))?;
    let head: &CellHead = arena.at(offset)?;
    let entered = write_key(arena, head, key).and_then(|()| {
        head.id.store(id(slot, key.words.len()), Relaxed);
        head.hash.store(key.hash, Relaxed);
        enter(arena, lane, key.hash, offset)
    });
    if entered.is_none() {
        if used.is_some() {
            expire::give(lane, head, offset, class);
        }
        return None;
    }
    let is_overflow = matches!(key.labels.first(), Some(Label::Str(OVERFLOW)));
    expire::publish(head, site.keys.is_empty() || is_overflow);
    if used.is_none() {
        arena.push(&lane.cells, offset, &head.next);
    }
    Some(offset)
}

/// Whether one more series of this site may be made on this lane; counts it if so.
#[cold]
pub(super) fn admit(lane: &Lane, site: &Site, slot: u32) -> bool {
    let Some(count) = lane.series.get(slot as usize) else { return true };
    let series = count.load(Relaxed);
    let is_admitted = series < if site.series_max > 0 { site.series_max } else { SERIES_MAX.load(Relaxed) };
    count.store(series + u32::from(is_admitted), Relaxed);
    is_admitted
}

/// Whether this is the cell of the overflow series, and not one of these values.
pub(super) fn is_overflow(arena: Arena, head: &CellHead, labels: &[Label<'_>]) -> bool {
    let overflow = |label: Option<&Label<'_>>| matches!(label, Some(Label::Str(OVERFLOW)));
    overflow(values(arena, head).next().as_ref()) && !overflow(labels.first())
}

/// The values of a cell's dimensions, as text.
pub(super) fn labels(arena: Arena, head: &CellHead) -> Vec<String> {
    values(arena, head).map(text).collect()
}

fn text(label: Label<'_>) -> String {
    match label {
        Label::U64(n) => n.to_string(),
        Label::I64(n) => n.to_string(),
        Label::Bool(b) => b.to_string(),
        Label::Str(text) => text.to_owned(),
        Label::Display(value) => value.to_string(),
    }
}

/// The same of a cell of a dead process.
pub(super) fn dead_labels(bytes: &Bytes, head: &DeadHead) -> Vec<String> {
    let key = Bytes::place(head.key);
    let words = (0..head.values()).map(|value| Words::dead(bytes, key + value * size_of::<Words>()));
    let mut texts = key + head.values() * size_of::<Words>();
    let label = |words: Words| {
        let bytes = bytes.slice(texts, words.text_bytes());
        texts += bytes.len();
        text(words.label(&String::from_utf8_lossy(bytes)))
    };
    words.map(label).collect()
}

/// The values of a cell's dimensions, as they lie in the arena: their words, and behind these the bytes of the texts.
pub(super) fn values(arena: Arena, head: &CellHead) -> impl Iterator<Item = Label<'static>> {
    let words = words(arena, head, key_len(head));
    let mut texts = texts(arena, head, words);
    words.iter().map(move |value| {
        let (text, rest) = texts.split_at_checked(value.text_bytes()).unwrap_or_default();
        texts = rest;
        value.label(str::from_utf8(text).unwrap_or_default())
    })
}

/// Writes values to the place of the cell's key, or to a new one if they do not fit there. Straight into the arena: an
/// allocation could come back here.
#[allow(clippy::cast_possible_truncation)] // the arena is smaller than 2^35 bytes, and a key than that
fn write_key(arena: Arena, head: &CellHead, key: Key<'_>) -> Option<()> {
    let texts: usize = key.words.iter().map(|value| value.text_bytes()).sum();
    let bytes = size_of_val(key.words) + texts;
    if bytes > head.key_room.load(Relaxed) as usize {
        let bytes = bytes.next_multiple_of(KEY_BYTES);
        head.key.store(arena.reserve(bytes)?, Relaxed);
        head.key_room.store(u32::try_from(bytes).ok()?, Relaxed);
    }
    if bytes == 0 {
        return Some(());
    }
    let start = arena.address(head.key.load(Relaxed));
    sync::writes(start, bytes);
    // SAFETY: the place was reserved for at least these words and so many bytes behind them, aligned to 64; nobody else
    // knows of it yet, or any more: a cell is new, or free (see `expire`).
    let (words, mut rest) = unsafe {
        let words = std::slice::from_raw_parts_mut(start.cast::<Words>().as_ptr(), key.words.len());
        let behind = start.add(size_of_val(key.words));
        (words, std::slice::from_raw_parts_mut(behind.as_ptr(), texts))
    };
    words.iter_mut().zip(key.words).for_each(|(place, value)| *place = value.stored());
    for label in key.labels {
        let Label::Str(text) = label else { continue };
        let (place, after) = std::mem::take(&mut rest).split_at_mut(text.len());
        place.copy_from_slice(text.as_bytes());
        rest = after;
    }
    Some(())
}

/// Keys are given places of so many bytes, or a multiple.
const KEY_BYTES: usize = 64;

/// Whether a cell is that of this site and these values.
fn is(arena: Arena, head: &CellHead, slot: u32, key: Key<'_>) -> bool {
    let len = key.words.len();
    head.id.load(Relaxed) == id(slot, len)
        && words(arena, head, len).iter().zip(key.words).all(|(known, value)| *known == value.stored())
        && texts_are(arena, head, key)
}

/// Whether the texts of a cell are these, byte for byte.
fn texts_are(arena: Arena, head: &CellHead, key: Key<'_>) -> bool {
    values(arena, head).zip(key.labels).all(|(known, label)| match (known, label) {
        (Label::Str(known), Label::Str(text)) => known == *text,
        _ => true, // their words are equal
    })
}

/// The words of a key that has so many values.
#[inline(always)]
fn words(arena: Arena, head: &CellHead, len: usize) -> &'static [Words] {
    sync::reads(arena.address(head.key.load(Relaxed)), len * size_of::<Words>());
    // SAFETY: the place was reserved for so many words, written before the cell was published, and again only while
    // nobody reads it (see `expire`). Of no words it may be the start of the arena, where none are read.
    unsafe { std::slice::from_raw_parts(arena.address(head.key.load(Relaxed)).cast::<Words>().as_ptr(), len) }
}

/// How many values a cell's key has.
fn key_len(head: &CellHead) -> usize {
    (head.id.load(Relaxed) & 0xFF) as usize
}

/// The number of a cell's site.
pub(super) fn site(head: &CellHead) -> u32 {
    (head.id.load(Relaxed) >> 8) as u32
}

fn texts(arena: Arena, head: &CellHead, words: &[Words]) -> &'static [u8] {
    let bytes = words.iter().map(|value| value.text_bytes()).sum();
    if bytes == 0 {
        return &[];
    }
    // SAFETY: behind its words, the place was reserved for the bytes of all texts, written with them.
    unsafe {
        let start = arena.address(head.key.load(Relaxed)).add(size_of_val(words));
        std::slice::from_raw_parts(start.as_ptr(), bytes)
    }
}

fn cell_bytes(kind: Kind) -> usize {
    match kind {
        Kind::Counter => size_of::<CounterCell>(),
        Kind::Gauge => size_of::<GaugeCell>(),
        Kind::Histogram | Kind::Call | Kind::Event(_) => size_of::<HistogramCell>(),
    }
}

/// Enters a cell into the lane's table, which grows before it is a quarter full: then nearly every cell stands where it
/// is looked for first.
pub(super) fn enter(arena: Arena, lane: &Lane, hash: u64, offset: Offset) -> Option<()> {
    let used = lane.table_used.load(Relaxed) + 1;
    if used > lane.table_mask.load(Relaxed) / 4 {
        grow(arena, lane)?;
    }
    insert(table(arena, lane), hash, offset);
    lane.table_used.store(used, Relaxed);
    Some(())
}

fn grow(arena: Arena, lane: &Lane) -> Option<()> {
    let len = ((lane.table_mask.load(Relaxed) + 1) * 4).max(TABLE_LEN_FIRST);
    let offset = arena.reserve(len as usize * size_of::<AtomicU64>())?;
    let grown = arena.slice(offset, len as usize);
    for entry in table(arena, lane) {
        let (_, cell) = unpack(entry.load(Relaxed));
        if let Some(head) = arena.at::<CellHead>(cell) {
            insert(grown, head.hash.load(Relaxed), cell);
        }
    }
    lane.table.store(offset, Relaxed);
    lane.table_mask.store(len - 1, Relaxed);
    Some(())
}

/// Empties the lane's table and enters these cells.
pub(super) fn enter_anew(
    arena: Arena,
    lane: &Lane,
    cells: impl Iterator<Item = (&'static CellHead, Offset)>,
) {
    let table = table(arena, lane);
    table.iter().for_each(|entry| entry.store(0, Relaxed));
    let used = cells.map(|(head, offset)| insert(table, head.hash.load(Relaxed), offset)).count();
    lane.table_used.store(u32::try_from(used).unwrap_or(u32::MAX), Relaxed);
}

fn insert(table: &[AtomicU64], hash: u64, offset: Offset) {
    let mask = table.len() - 1;
    let mut at = place(hash, mask);
    while table[at].load(Relaxed) != 0 {
        at = (at + 1) & mask;
    }
    table[at].store(upper(hash) << 32 | u64::from(offset), Relaxed);
}

fn table(arena: Arena, lane: &Lane) -> &'static [AtomicU64] {
    arena.slice(lane.table.load(Relaxed), lane.table_mask.load(Relaxed) as usize + 1)
}

impl Lane {
    /// The entry of the table where a cell with this hash is looked for first.
    #[inline(always)]
    fn entry(&self, arena: Arena, hash: u64) -> &'static AtomicU64 {
        let at = place(hash, self.table_mask.load(Relaxed) as usize);
        // SAFETY: a lane has a table from the first (one empty entry), with one entry more than its mask says; both are
        // written by this thread alone.
        unsafe { arena.address(self.table.load(Relaxed)).cast::<AtomicU64>().add(at).as_ref() }
    }
}

#[inline(always)]
#[allow(clippy::cast_possible_truncation)] // the low bits are what is wanted
fn place(hash: u64, mask: usize) -> usize {
    hash as usize & mask
}

#[inline(always)]
fn upper(hash: u64) -> u64 {
    hash >> 32
}

#[inline(always)]
#[allow(clippy::cast_possible_truncation)] // the low half is the offset
fn unpack(entry: u64) -> (u64, Offset) {
    (entry >> 32, entry as u32)
}
