//! From parts back to events.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use super::header::{Header, Whole};
use crate::model::RecordId;

/// Missing indexes that a message names before it only counts the rest.
const NAMED_MAX: usize = 10;

/// An event, whole again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// The record that its parts named; `None` if it was never split.
    pub id: Option<RecordId>,
    /// Its bytes, exactly as they were before the split.
    pub bytes: Vec<u8>,
}

/// Parts that do not make an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// Parts of an event are not there.
    #[error("record {id}: missing of {total} parts: {}", Named(missing))]
    Missing {
        /// The record.
        id: RecordId,
        /// How many parts the event has.
        total: usize,
        /// Those that are not there, counted from 1, in rising order.
        missing: Vec<usize>,
    },
    /// All parts are there and do not add up to the length and digest that they tell: some were altered, or they
    /// come from splits under different limits.
    #[error(
        "record {id}: its {total} parts do not add up to the {bytes} bytes of digest {crc32:08x} that they tell"
    )]
    Digest {
        /// The record.
        id: RecordId,
        /// How many parts the event has.
        total: usize,
        /// The length that the parts tell, in bytes.
        bytes: usize,
        /// The CRC-32 that the parts tell.
        crc32: u32,
    },
}

/// What came of some lines: events, and what did not become one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gathered {
    /// Whole events, each where its first line stood.
    pub events: Vec<Joined>,
    /// Events that could not be put together, in the order of their first parts.
    pub broken: Vec<JoinError>,
}

/// Puts events together again from lines: parts in any order and any number of times, of several records, mixed with
/// events that were never split. Each event stands where its first part stood.
///
/// # Errors
///
/// The first event that is not whole. Where the others are wanted all the same, use [`gather`].
pub fn join<I: IntoIterator<Item = impl AsRef<[u8]>>>(lines: I) -> Result<Vec<Joined>, JoinError> {
    let Gathered { events, broken } = gather(lines);
    match broken.into_iter().next() {
        Some(error) => Err(error),
        None => Ok(events),
    }
}

/// Puts together what can be, and says what cannot. Otherwise like [`join`].
pub fn gather<I: IntoIterator<Item = impl AsRef<[u8]>>>(lines: I) -> Gathered {
    let lines: Vec<_> = lines.into_iter().collect();
    let mut slots = Vec::new();
    let mut splits = HashMap::<Whole, Splits<'_>>::new();
    for line in &lines {
        match Header::read(line.as_ref()) {
            None => slots.push(Slot::Event(line.as_ref())),
            Some((Header { whole, index, total }, piece)) => {
                let splits = splits.entry(whole).or_insert_with(|| {
                    slots.push(Slot::Split(whole));
                    Splits::new()
                });
                splits.entry(total).or_default().entry(index).or_insert(piece);
            }
        }
    }
    let mut gathered = Gathered::default();
    for slot in slots {
        let event = match slot {
            Slot::Event(bytes) => Ok(Joined { id: None, bytes: bytes.to_vec() }),
            Slot::Split(whole) => any_whole(whole, &splits[&whole]),
        };
        match event {
            Ok(event) => gathered.events.push(event),
            Err(error) => gathered.broken.push(error),
        }
    }
    gathered
}

/// What stands at one place of the result.
enum Slot<'a> {
    Event(&'a [u8]),
    Split(Whole),
}

/// The pieces of one split of an event, by index.
type Pieces<'a> = BTreeMap<usize, &'a [u8]>;

/// The splits of one event, by total. There is more than one where the event was sent again under another limit.
type Splits<'a> = BTreeMap<usize, Pieces<'a>>;

/// The event from whichever of its splits is whole, or what is wrong with the one into the fewest parts.
fn any_whole(whole: Whole, splits: &Splits<'_>) -> Result<Joined, JoinError> {
    let mut tried = splits.iter().map(|(total, pieces)| assemble(whole, *total, pieces));
    let first = tried.next().unwrap_or_else(|| assemble(whole, 0, &Pieces::new())); // there is a first
    first.or_else(|error| tried.find_map(Result::ok).ok_or(error))
}

fn assemble(whole: Whole, total: usize, pieces: &Pieces<'_>) -> Result<Joined, JoinError> {
    let Whole { id, bytes: length, crc32 } = whole;
    let missing: Vec<_> = (1..=total).filter(|index| !pieces.contains_key(index)).collect();
    if !missing.is_empty() {
        return Err(JoinError::Missing { id, total, missing });
    }
    let pieces: Vec<_> = pieces.values().copied().collect();
    let bytes = pieces.concat();
    match bytes.len() == length && crate::crc::crc32(&bytes) == crc32 {
        true => Ok(Joined { id: Some(id), bytes }),
        false => Err(JoinError::Digest { id, total, bytes: length, crc32 }),
    }
}

/// The first few indexes, and how many more there are.
struct Named<'a>(&'a [usize]);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (named, rest) = self.0.split_at(self.0.len().min(NAMED_MAX));
        for (place, index) in named.iter().enumerate() {
            write!(f, "{}{index}", if place == 0 { "" } else { ", " })?;
        }
        match rest.len() {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}
