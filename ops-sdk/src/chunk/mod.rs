//! From encoded items to pushes within a backend's [`Limits`](crate::limits::Limits).
//!
//! Promises: no batch ever exceeds its limits; every item given comes out exactly once, in a batch or in the list of
//! what was refused, with the reason; an over-long event comes out as numbered parts that [`parts::join`] puts
//! together again, byte for byte. Never reads the clock, the network or the journal.

mod batch;
mod chunker;
pub mod parts;

pub use self::batch::{Batch, Item, Items};
pub(crate) use self::chunker::outside_window;
pub use self::chunker::{Chunked, chunk, is_one_push};
