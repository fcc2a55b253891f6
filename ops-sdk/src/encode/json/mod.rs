//! JSON written straight into a byte buffer: the atoms that every JSON backend shares, and [`line()`], which makes one
//! object of any record.
//!
//! Promises: what is written is valid JSON for every string and number there is, an object never has a key twice,
//! and the same record always gives the same bytes. Never writes a newline, never builds a tree first, and a log line
//! of a few distinct keys allocates nothing but its bytes.

mod atom;
mod digits;
mod escape;
mod keys;
mod line;
mod prepared;
mod sink;
mod time;

#[cfg(test)]
mod tests;

pub use self::atom::{bytes, number_f64, number_i64, number_u64, string, value};
#[cfg(feature = "cloudwatch")]
pub(crate) use self::atom::{put_f64, put_printable, put_u64, put_word};
#[cfg(any(feature = "cloudwatch", feature = "webhook"))]
pub(crate) use self::escape::inside;
#[cfg(any(feature = "cloudsearch", feature = "webhook"))]
pub(crate) use self::line::id;
pub use self::line::line;
pub(crate) use self::prepared::{Alike, alike};
#[cfg(feature = "cloudwatch")]
pub(crate) use self::sink::{Room, RoomBytes, Sink, room};
pub use self::time::time_rfc3339;
