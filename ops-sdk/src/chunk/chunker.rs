//! Cuts items into batches. (Being written.)

use super::{Batch, Items};
use crate::ledger::Loss;
use crate::limits::Limits;

/// What came of the items: batches to send, and what may not be sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chunked {
    /// Each within the limits, together in order of time where the limits ask for it.
    pub batches: Vec<Batch>,
    /// Items outside the age window, or over-long and not to be split: index into the items, reason.
    pub refused: Vec<(usize, Loss)>,
}

/// Cuts `items` into batches within `limits`, as of `now_ms` (milliseconds since the Unix epoch).
#[must_use]
pub fn chunk(items: &Items, limits: &Limits, now_ms: u64) -> Chunked {
    let _ = (items, limits, now_ms);
    Chunked::default()
}
