//! What a flush did, and how the books stand.

use std::fmt;

use crate::ledger::{Book, Row};

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
    /// Records refused so far by their servers and kept, with the reason: `ops dead-letter` shows them.
    pub dead_lettered: u64,
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
    /// Records that wait in the state directory.
    pub spooled: u64,
    /// Records that wait in memory.
    pub pending: u64,
    /// Records refused so far and kept.
    pub dead_lettered: u64,
    /// Records lost so far.
    pub dropped: u64,
}

impl FlushReport {
    /// The report of a child of `fork` on what its parent records: nothing is known of it here, and nothing was done.
    pub(super) fn elsewhere() -> FlushReport {
        let (delivered, spooled, pending, dead_lettered, dropped) = (0, 0, 0, 0, 0);
        let backends = Vec::new();
        FlushReport { complete: false, delivered, spooled, pending, dead_lettered, dropped, backends }
    }

    /// The report of a flush that found the books as `before` and left them as `after`, with so many records of each
    /// backend that would go with the process.
    pub(super) fn between(before: &[Book], after: &[Book], complete: bool, unkept: &[u64]) -> FlushReport {
        let sum = |book: &Book, field: fn(&Row) -> u64| book.rows.iter().map(field).sum::<u64>();
        let row = |(at, book): (usize, &Book)| {
            let earlier = before.get(at).map_or(0, delivered);
            let waiting = sum(book, |row| row.pending);
            // The books are read a moment before; what has been delivered since is no more than they say.
            let pending = waiting.min(unkept.get(at).copied().unwrap_or(0));
            BackendReport {
                backend: book.backend.clone(),
                delivered: delivered(book) - earlier,
                spooled: waiting - pending,
                pending,
                dead_lettered: sum(book, |row| row.dead_lettered),
                dropped: sum(book, Row::dropped_total),
            }
        };
        let backends: Vec<_> = after.iter().enumerate().map(row).collect();
        let sum = |field: fn(&BackendReport) -> u64| backends.iter().map(field).sum::<u64>();
        FlushReport {
            complete,
            delivered: sum(|b| b.delivered),
            spooled: sum(|b| b.spooled),
            pending: sum(|b| b.pending),
            dead_lettered: sum(|b| b.dead_lettered),
            dropped: sum(|b| b.dropped),
            backends,
        }
    }
}

fn delivered(book: &Book) -> u64 {
    book.rows.iter().map(|row| row.delivered).sum()
}

impl fmt::Display for FlushReport {
    /// `delivered=N spooled=N pending=N dropped=N`, with `dead_lettered=N` where there are any.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FlushReport { delivered, spooled, pending, dead_lettered, dropped, .. } = self;
        write!(f, "delivered={delivered} spooled={spooled} pending={pending}")?;
        if *dead_lettered > 0 {
            write!(f, " dead_lettered={dead_lettered}")?;
        }
        write!(f, " dropped={dropped}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Account, Loss};
    use crate::signal::Signal;

    #[test]
    fn each_backend_has_its_own_share_and_the_report_their_sum() {
        let account = Account::new("one", |signal| signal == Signal::Log);
        let book = |pending| Book { backend: "one".into(), rows: account.rows(|_| pending) };
        account.recorded(Signal::Log, 20);
        account.delivered(Signal::Log, 2);
        let before = [book(18)];
        account.delivered(Signal::Log, 8);
        account.dead_lettered(Signal::Log, 1);
        account.dropped(Signal::Log, Loss::TooOld, 2);
        let after = [book(7), Book { backend: "two".into(), ..book(5) }];
        let report = FlushReport::between(&before, &after, false, &[3, 9]);
        let shares: Vec<_> = report
            .backends
            .iter()
            .map(|b| (b.delivered, b.spooled, b.pending, b.dead_lettered, b.dropped))
            .collect();
        // Of the second, which was not there before, all is new; more than it holds cannot be lost.
        assert_eq!(shares, [(8, 4, 3, 1, 2), (10, 0, 5, 1, 2)]);
        assert_eq!(report.to_string(), "delivered=18 spooled=4 pending=8 dead_lettered=2 dropped=4");
    }
}
