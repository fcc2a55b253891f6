//! The way out: what a backend sends with. Knows no vendor's JSON.

/// What a ship thread lends to its backend for one push.
#[derive(Debug)]
pub struct Net {
    /// The time, read by the ship thread.
    pub now: crate::clock::Now,
}

impl Net {
    /// A way out for a push that begins now.
    #[must_use]
    pub fn new(now: crate::clock::Now) -> Net {
        Net { now }
    }
}
