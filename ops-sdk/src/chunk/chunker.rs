//! Cuts items into batches.
//!
//! Two steps: what may be sent, each item whole or as parts, in the order to send it; then, over and over, as many of
//! the first of these as one push holds. The bytes of an item that is not split are copied once, into a batch that was
//! made as large as it has to be.

use std::borrow::Cow;

use super::parts::{self, MARK};
use super::{Batch, Item, Items};
use crate::ledger::Loss;
use crate::limits::{Limits, Oversize};

/// What came of the items: batches to send, and what may not be sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chunked {
    /// Each within the limits, together in order of time where the limits ask for it.
    pub batches: Vec<Batch>,
    /// Items outside the age window, or over-long and not to be split: index into the items, reason. In order of
    /// the index.
    pub refused: Vec<(usize, Loss)>,
}

/// Cuts `items` into batches within `limits`, as of `now_ms` (milliseconds since the Unix epoch).
///
/// Where the limits ask for order, items are sorted by time, those of the same time staying in the order given;
/// elsewhere the order given is kept. A limit of no items, or of a span that no time fits in, is taken as one.
#[must_use]
pub fn chunk(items: &Items, limits: &Limits, now_ms: u64) -> Chunked {
    let mut chunked = Chunked::default();
    let mut pieces = Vec::with_capacity(items.len());
    for (index, (item, bytes)) in items.iter().enumerate() {
        let sent = outside_window(item.time_ms, limits, now_ms).map_or_else(
            || if_it_fits(&mut pieces, item, bytes, limits),
            Err, // too old or too new
        );
        if let Err(loss) = sent {
            chunked.refused.push((index, loss));
        }
    }
    if limits.ordered && !pieces.is_sorted_by_key(Piece::time_ms) {
        pieces.sort_by_key(Piece::time_ms);
    }
    let mut rest = &pieces[..];
    while !rest.is_empty() {
        let (push, after) = rest.split_at(one_push(rest, limits));
        chunked.batches.push(batch(push));
        rest = after;
    }
    chunked
}

/// Whether one push holds all items as they are, so that [`chunk`] would copy them into one batch: then
/// [`Items::into_batch`] is the same without copying.
#[must_use]
pub fn is_one_push(items: &Items, limits: &Limits, now_ms: u64) -> bool {
    let overhead =
        items.len().saturating_mul(limits.item_overhead_bytes).saturating_add(limits.envelope_bytes);
    if items.is_empty()
        || items.len() > limits.push_items_max
        || items.bytes().saturating_add(overhead) > limits.push_bytes_max
    {
        return false;
    }
    let (bytes_max, split) = (item_bytes_max(limits), limits.oversize == Oversize::Split);
    let (mut first_ms, mut last_ms, mut sorted) = (u64::MAX, 0, true);
    let whole = items.iter().all(|(item, bytes)| {
        sorted &= last_ms <= item.time_ms;
        (first_ms, last_ms) = (first_ms.min(item.time_ms), last_ms.max(item.time_ms));
        bytes.len() <= bytes_max && !(split && bytes.starts_with(MARK))
    });
    whole
        && (sorted || !limits.ordered)
        && limits.span_ms_max.is_none_or(|span_ms_max| last_ms - first_ms < span_ms_max)
        && [first_ms, last_ms].iter().all(|ms| outside_window(*ms, limits, now_ms).is_none())
}

/// One item of a batch to be: an item, or a part of one.
struct Piece<'a> {
    item: &'a Item,
    bytes: Cow<'a, [u8]>,
}

impl Piece<'_> {
    fn time_ms(&self) -> u64 {
        self.item.time_ms
    }
}

/// Why an item of this time is not taken, if it is not. Both ends of the window lie within it.
pub(crate) fn outside_window(time_ms: u64, limits: &Limits, now_ms: u64) -> Option<Loss> {
    let oldest = limits.age_ms_max.map_or(0, |age| now_ms.saturating_sub(age));
    let newest = limits.ahead_ms_max.map_or(u64::MAX, |ahead| now_ms.saturating_add(ahead));
    if time_ms < oldest {
        Some(Loss::TooOld)
    } else if time_ms > newest {
        Some(Loss::TooNew)
    } else {
        None
    }
}

/// Adds an item whole, or in parts where it is over-long and may be split.
fn if_it_fits<'a>(
    pieces: &mut Vec<Piece<'a>>,
    item: &'a Item,
    bytes: &'a [u8],
    limits: &Limits,
) -> Result<(), Loss> {
    let bytes_max = item_bytes_max(limits);
    let fits = bytes.len() <= bytes_max;
    // An item that looks like a part goes as one, or it would be taken for one where it is read.
    let split = limits.oversize == Oversize::Split && (!fits || bytes.starts_with(MARK));
    let parts = if split { parts::split(item.record, bytes, bytes_max) } else { None };
    match parts {
        Some(parts) => pieces.extend(parts.map(|part| Piece { item, bytes: Cow::Owned(part) })),
        None if fits => pieces.push(Piece { item, bytes: Cow::Borrowed(bytes) }),
        None => return Err(Loss::Oversize),
    }
    Ok(())
}

/// The bytes of the largest item that may be sent: one that fits in a push of its own.
fn item_bytes_max(limits: &Limits) -> usize {
    let around = limits.envelope_bytes.saturating_add(limits.item_overhead_bytes);
    limits.item_bytes_max.min(limits.push_bytes_max.saturating_sub(around))
}

/// How many of the first pieces one push holds: at least one, since each fits alone.
fn one_push(pieces: &[Piece<'_>], limits: &Limits) -> usize {
    let mut bytes = limits.envelope_bytes;
    let (mut first_ms, mut last_ms) = (u64::MAX, 0);
    let fits = |piece: &&Piece<'_>| {
        bytes = bytes.saturating_add(limits.cost(piece.bytes.len()));
        (first_ms, last_ms) = (first_ms.min(piece.time_ms()), last_ms.max(piece.time_ms()));
        let within_span = limits.span_ms_max.is_none_or(|span_ms_max| last_ms - first_ms < span_ms_max);
        bytes <= limits.push_bytes_max && within_span
    };
    pieces.iter().take(limits.push_items_max).take_while(fits).count().max(1)
}

fn batch(pieces: &[Piece<'_>]) -> Batch {
    let mut batch = Batch::with_capacity(pieces.iter().map(|piece| piece.bytes.len()).sum());
    for Piece { item, bytes } in pieces {
        batch.push(item.time_ms, item.record, item.place, bytes);
    }
    batch
}

#[cfg(test)]
mod tests;
