//! The neutral binary form of a [`Record`](crate::model::Record): the payload of a journal frame. Log events share
//! one in a block.
//!
//! Promises: a record decodes to exactly what was encoded, NaN payloads included; a record has one encoding, and any
//! other bytes are an error that says what is wrong and where; no bytes make [`decode`] panic, or reserve more than
//! a fixed multiple of their length. Strings are borrowed from the bytes. Never checks for damage: the journal's
//! frames have their checksum.
//!
//! ```text
//! record   = version:u8=1 signal:u8 process:8 seq:varint time_ns:8 body
//! metric   = name:str unit:u8 resolution:u8 window_ms:varint n:varint (name:str value:str)*n points
//! points   = 0 sum:varint
//!          | 1 last:f64 min:f64 max:f64 sum:f64 count:varint
//!          | 3 exemplar:16 histogram | 2 histogram
//! histogram = count:varint sum:f64 min:f64 max:f64 n:varint (bucket's distance from the one before:zigzag count:varint)*n
//! log      = level:u8 target:str message:str file:str line:varint fields
//! audit    = actor:str action:str resource:str outcome:str fields
//! config   = resource_type:str resource_id:str fields
//! check    = name:str status:u8 output:str fields
//! fields   = n:varint (key:str value)*n
//! value    = 0 null | 1 false | 2 true | 3 zigzag | 4 varint | 5 f64 | 6 str
//! str      = bytes:varint UTF-8
//! ```
//!
//! A varint is LEB128 of at most 64 bits in the fewest bytes, a zigzag is a signed number folded into a varint, an
//! `f64` is its eight bytes, and what is `8` wide is a `u64`; all of them little-endian. A change to any of this
//! takes a new version byte: the golden files hold the form as it is.

mod block;
mod numbered;
mod read;
mod write;

#[cfg(test)]
mod tests;

pub(crate) use self::block::{BLOCK_BYTES, BlockWriter, Records, records};
pub use self::read::{DecodeError, Problem, decode};
pub use self::write::encode;

/// The version that every encoded record starts with.
pub const VERSION: u8 = 1;
/// What a block starts with, where a record has its version.
const BLOCK_VERSION: u8 = 2;

/// The numbers before points and values.
mod tag {
    pub(super) const COUNTER: u8 = 0;
    pub(super) const GAUGE: u8 = 1;
    pub(super) const HISTOGRAM: u8 = 2;
    pub(super) const HISTOGRAM_WITH_EXEMPLAR: u8 = 3;

    pub(super) const NULL: u8 = 0;
    pub(super) const FALSE: u8 = 1;
    pub(super) const TRUE: u8 = 2;
    pub(super) const I64: u8 = 3;
    pub(super) const U64: u8 = 4;
    pub(super) const F64: u8 = 5;
    pub(super) const STR: u8 = 6;
}
