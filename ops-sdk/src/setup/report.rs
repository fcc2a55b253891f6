//! What a flush did, and how the books stand.

use std::fmt;

use crate::ledger::Book;

/// How the SDK stands at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// The books, one for each backend.
    pub books: Vec<Book>,
    /// Bytes of the arena that were given out.
    pub arena_used_bytes: u64,
}

/// What a flush did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FlushReport {
    /// Whether every backend settled everything recorded before the flush, within the deadline.
    pub complete: bool,
    /// Records delivered while the flush went on, over all backends.
    pub delivered: u64,
    /// Records that wait in the state directory and will be shipped later, by this process or the next.
    pub spooled: u64,
    /// Records that wait in memory, and are lost if the process ends now.
    pub pending: u64,
    /// Records lost so far, over all backends and whatever the reason.
    pub dropped: u64,
    /// The same for each backend.
    pub backends: Vec<BackendReport>,
}

/// What a flush did for one backend.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackendReport {
    /// The backend's id.
    pub backend: String,
    /// Records delivered while the flush went on.
    pub delivered: u64,
    /// Records that are on their way, in memory or in the state directory.
    pub pending: u64,
    /// Records lost so far.
    pub dropped: u64,
}

impl FlushReport {
    /// The report of a child of `fork` on what its parent records: nothing is known of it here, and nothing was done.
    pub(super) fn elsewhere() -> FlushReport {
        let (delivered, spooled, pending, dropped) = (0, 0, 0, 0);
        FlushReport { complete: false, delivered, spooled, pending, dropped, backends: Vec::new() }
    }

    /// The report of a flush that found the books as `before` and left them as `after`, with so many records of each
    /// backend that would go with the process.
    pub(super) fn between(before: &[Book], after: &[Book], complete: bool, unkept: &[u64]) -> FlushReport {
        let row = |(at, book): (usize, &Book)| {
            let earlier = before.get(at).map_or(0, delivered);
            BackendReport {
                backend: book.backend.clone(),
                delivered: delivered(book) - earlier,
                pending: book.rows.iter().map(|row| row.pending).sum(),
                dropped: book.rows.iter().map(crate::ledger::Row::dropped_total).sum(),
            }
        };
        let backends: Vec<_> = after.iter().enumerate().map(row).collect();
        let sum = |field: fn(&BackendReport) -> u64| backends.iter().map(field).sum::<u64>();
        // The books are read a moment before; what has been delivered since is no more than they say.
        let left = backends.iter().zip(unkept).map(|(b, unkept)| (b.pending, b.pending.min(*unkept)));
        let (pending, unkept) =
            left.fold((0, 0), |(all, lost), (pending, unkept)| (all + pending, lost + unkept));
        FlushReport {
            complete,
            delivered: sum(|b| b.delivered),
            spooled: pending - unkept,
            pending: unkept,
            dropped: sum(|b| b.dropped),
            backends,
        }
    }
}

fn delivered(book: &Book) -> u64 {
    book.rows.iter().map(|row| row.delivered).sum()
}

impl fmt::Display for FlushReport {
    /// `delivered=N spooled=N pending=N dropped=N`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FlushReport { delivered, spooled, pending, dropped, .. } = self;
        write!(f, "delivered={delivered} spooled={spooled} pending={pending} dropped={dropped}")
    }
}
