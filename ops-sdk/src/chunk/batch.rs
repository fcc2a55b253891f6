//! Encoded items, and the batch that one push carries.

use std::ops::Range;

use crate::model::RecordId;

/// One encoded item: where its bytes are, when it happened, and which record it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its bytes, as a range of the buffer that holds it.
    pub bytes: Range<usize>,
    /// When, in milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// The record that it came from. A record may become several items, and an item several parts.
    pub record: RecordId,
    /// The record's place in the run of records that is being shipped, counted from 0.
    pub place: u32,
}

/// Encoded items in the order they were recorded: what `Backend::encode` writes into.
#[derive(Debug, Clone, Default)]
pub struct Items {
    buffer: Vec<u8>,
    items: Vec<Item>,
    record: RecordId,
    time_ms: u64,
    place: u32,
}

impl Items {
    /// No items.
    #[must_use]
    pub fn new() -> Items {
        Items::default()
    }

    /// Items pushed from here on belong to this record.
    pub fn begin(&mut self, record: RecordId, time_ms: u64, place: u32) {
        (self.record, self.time_ms, self.place) = (record, time_ms, place);
    }

    /// Adds one item: whatever `write` appends. An item without bytes is none.
    pub fn push<E>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<(), E> {
        let start = self.buffer.len();
        if let Err(error) = write(&mut self.buffer) {
            self.buffer.truncate(start);
            return Err(error);
        }
        let bytes = start..self.buffer.len();
        if !bytes.is_empty() {
            let (time_ms, record, place) = (self.time_ms, self.record, self.place);
            self.items.push(Item { bytes, time_ms, record, place });
        }
        Ok(())
    }

    /// Takes back every item from the `len`th on: an encoder failed half way through a record.
    pub fn truncate(&mut self, len: usize) {
        self.items.truncate(len);
        self.buffer.truncate(self.items.last().map_or(0, |item| item.bytes.end));
    }

    /// How many items there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// How many bytes the items have together.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.buffer.len()
    }

    /// Each item and its bytes.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Item, &[u8])> {
        self.items.iter().map(|item| (item, &self.buffer[item.bytes.clone()]))
    }

    /// One item and its bytes.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<(&Item, &[u8])> {
        self.items.get(index).map(|item| (item, &self.buffer[item.bytes.clone()]))
    }

    /// The items as one batch, in the order given.
    #[must_use]
    pub fn into_batch(self) -> Batch {
        Batch { buffer: self.buffer, items: self.items }
    }

    /// No items, in the memory of a batch that is done with.
    #[must_use]
    pub fn reuse(batch: Batch) -> Items {
        let mut items = Items { buffer: batch.buffer, items: batch.items, ..Items::default() };
        items.clear();
        items
    }

    /// Forgets every item and keeps the memory.
    pub fn clear(&mut self) {
        self.items.clear();
        self.buffer.clear();
    }
}

/// The items of one push.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    buffer: Vec<u8>,
    items: Vec<Item>,
}

impl Batch {
    /// An empty batch with room for this many bytes.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Batch {
        Batch { buffer: Vec::with_capacity(bytes), items: Vec::new() }
    }

    /// Adds an item with these bytes.
    pub fn push(&mut self, time_ms: u64, record: RecordId, place: u32, bytes: &[u8]) {
        let start = self.buffer.len();
        self.buffer.extend_from_slice(bytes);
        self.items.push(Item { bytes: start..self.buffer.len(), time_ms, record, place });
    }

    /// How many items there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// How many bytes the items have together, overheads left out.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.buffer.len()
    }

    /// Each item and its bytes, in the order to send them.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Item, &[u8])> {
        self.items.iter().map(|item| (item, &self.buffer[item.bytes.clone()]))
    }

    /// The items for which `keep` says so, by their index, as a batch of their own.
    #[must_use]
    pub fn select(&self, keep: impl Fn(usize) -> bool) -> Batch {
        let mut selected = Batch::default();
        for (_, (item, bytes)) in self.iter().enumerate().filter(|(index, _)| keep(*index)) {
            selected.push(item.time_ms, item.record, item.place, bytes);
        }
        selected
    }

    /// The two halves, for a push that the server found too large.
    #[must_use]
    pub fn halves(&self) -> (Batch, Batch) {
        let middle = self.len().div_ceil(2);
        (self.select(|index| index < middle), self.select(|index| index >= middle))
    }
}
