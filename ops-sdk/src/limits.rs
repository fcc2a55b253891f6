//! What one push to a backend may hold. Plain data, one value per backend, each number with its source beside it.
//!
//! A push API is held to `min(vendor, 32 KiB)` unless the user raises it: 32,768 bytes counted as UTF-8 bytes
//! plus 26 an event, and 1,000 events, were the first contract of PutLogEvents (2014 API; amazonka-cloudwatch-logs
//! 0.1.2 still prints it), and the limit that operators of that generation know. Files are not pushes: they
//! roll by size and time.

/// The push limit of the first PutLogEvents contract, in bytes.
pub const PUSH_BYTES: usize = 32_768;
/// The item limit of the first PutLogEvents contract.
pub const PUSH_ITEMS: usize = 1_000;

/// How large a push may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PushLimit {
    /// 32,768 bytes and 1,000 items, or what the vendor allows where that is less.
    #[default]
    Contract,
    /// What the service takes today.
    Vendor,
    /// This many bytes, or what the vendor allows where that is less.
    Bytes(usize),
}

/// What to do with an item that is larger than an item may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Oversize {
    /// Split it into numbered parts that [`crate::parts::join`] puts together again, byte for byte.
    Split,
    /// It cannot be split without becoming something else: refuse it, with the reason.
    Refuse,
}

/// What one push may hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes in one push: [`Limits::cost`] of its items plus `envelope_bytes`.
    pub push_bytes_max: usize,
    /// Bytes of the body around the items (namespace, group and stream names, brackets).
    pub envelope_bytes: usize,
    /// Items in one push, at least 1.
    pub push_items_max: usize,
    /// Bytes of one item, without its overhead.
    pub item_bytes_max: usize,
    /// Bytes that the service (or a separator) adds to each item.
    pub item_overhead_bytes: usize,
    /// Milliseconds between the first and the last item of a push, exclusive: a push holds less than this.
    pub span_ms_max: Option<u64>,
    /// Milliseconds into the past that an item may lie.
    pub age_ms_max: Option<u64>,
    /// Milliseconds into the future that an item may lie.
    pub ahead_ms_max: Option<u64>,
    /// Whether the items of a push must be in order of time.
    pub ordered: bool,
    /// Whether this is a push API, and so held to the contract unless raised. Files are not.
    pub push: bool,
    /// What happens to an item over `item_bytes_max`.
    pub oversize: Oversize,
}

impl Limits {
    /// These limits under the user's choice of push limit. Never raises a vendor's number.
    #[must_use]
    pub fn under(mut self, choice: PushLimit) -> Limits {
        if !self.push {
            return self;
        }
        match choice {
            PushLimit::Vendor => {}
            PushLimit::Contract => {
                self.push_bytes_max = self.push_bytes_max.min(PUSH_BYTES);
                self.push_items_max = self.push_items_max.min(PUSH_ITEMS);
            }
            PushLimit::Bytes(bytes) => self.push_bytes_max = self.push_bytes_max.min(bytes),
        }
        let room = self.push_bytes_max.saturating_sub(self.envelope_bytes + self.item_overhead_bytes);
        self.item_bytes_max = self.item_bytes_max.min(room);
        self
    }

    /// What an item of this many bytes takes of a push.
    #[must_use]
    pub fn cost(&self, item_bytes: usize) -> usize {
        item_bytes + self.item_overhead_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vendor() -> Limits {
        Limits {
            push_bytes_max: 1_048_576,
            envelope_bytes: 0,
            push_items_max: 10_000,
            item_bytes_max: 1_048_550,
            item_overhead_bytes: 26,
            span_ms_max: None,
            age_ms_max: None,
            ahead_ms_max: None,
            ordered: true,
            push: true,
            oversize: Oversize::Split,
        }
    }

    #[test]
    fn the_contract_is_the_default_and_an_item_fits_alone_in_a_push() {
        let limits = vendor().under(PushLimit::default());
        assert_eq!((limits.push_bytes_max, limits.push_items_max), (32_768, 1_000));
        assert_eq!(limits.cost(limits.item_bytes_max), limits.push_bytes_max);
    }

    #[test]
    fn no_choice_raises_a_vendor_limit() {
        assert_eq!(vendor().under(PushLimit::Vendor), vendor());
        assert_eq!(vendor().under(PushLimit::Bytes(usize::MAX)), vendor());
    }

    #[test]
    fn files_are_not_pushes() {
        let file = Limits { push: false, ..vendor() };
        assert_eq!(file.clone().under(PushLimit::Contract), file);
    }
}
