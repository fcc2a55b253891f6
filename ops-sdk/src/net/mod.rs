//! The way out: what a backend sends with. Knows no vendor's JSON.

/// What a ship thread lends to its backend for one push.
#[derive(Debug)]
pub struct Net {
    /// The time, read by the ship thread.
    pub now: crate::clock::Now,
}
