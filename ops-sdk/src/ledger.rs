//! The books: for each backend and signal, `recorded = delivered + pending + dead_lettered + dropped{reason}`.
//!
//! Every way to lose data is one [`Loss`]. The ledger counts what was recorded, delivered, dead-lettered and
//! dropped; what is pending is counted by those who hold it (the arena and the journal), so that the two sides
//! are independent and the balance can fail. Counters only ever rise.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::signal::Signal;

macro_rules! losses {
    ($($(#[$doc:meta])* $variant:ident => $name:literal, $said:literal;)*) => {
        /// A way to lose data. Each has its own counter.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Loss { $($(#[$doc])* $variant,)* }

        impl Loss {
            /// Every way to lose data.
            pub const ALL: &'static [Loss] = &[$(Loss::$variant,)*];

            /// The reason as a metric dimension and a column: short, stable, no spaces.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Loss::$variant => $name,)* }
            }

            /// The reason as an operator reads it.
            #[must_use]
            pub fn said(self) -> &'static str {
                match self { $(Loss::$variant => $said,)* }
            }
        }
    };
}

impl Loss {
    /// Whether somebody wrote down that these are not to be told: counted like the others, but no loss.
    #[must_use]
    pub fn is_asked_for(self) -> bool {
        matches!(self, Loss::RateLimited | Loss::Repeated | Loss::LetGo | Loss::Elsewhere | Loss::Sampled)
    }
}

losses! {
    /// The thread's event ring had no room, and neither had the overflow queue.
    RingFull => "ring_full", "ring full";
    /// The arena had no room for another thread, series or histogram.
    ArenaFull => "arena_full", "arena full";
    /// NaN, infinite or outside -2^360 … 2^360: one such value would fail a push of a thousand.
    NotFinite => "not_finite", "value not finite or out of range";
    /// The journal was at its bound of bytes, and this was the oldest.
    JournalFull => "journal_full", "journal full";
    /// The journal was at its bound of age, and this was older.
    Expired => "expired", "older than journal_age_max";
    /// A frame on disk did not match its checksum.
    Damaged => "damaged", "frame damaged on disk";
    /// The backend cannot express this record.
    Unencodable => "unencodable", "not expressible in this backend";
    /// Older than the service takes.
    TooOld => "too_old", "older than the service takes";
    /// Further ahead than the service takes.
    TooNew => "too_new", "further ahead than the service takes";
    /// Larger than an item may be, and of a kind that cannot be split.
    Oversize => "oversize", "larger than the service takes";
    /// The server refused it, and there was nowhere to keep it.
    Refused => "refused", "refused by the server";
    /// It was kept with what the server refused, and there was no more room for that: this was the oldest.
    LettersFull => "letters_full", "dead-letter files full";
    /// Its site may log only so often: it asked for that with `rate` or `once_every`.
    RateLimited => "rate_limited", "over the rate of its site";
    /// The same as the one before it, and its site asked for that with `repeat`.
    Repeated => "repeated", "the same as the event before";
    /// Held back by a unit of work that asked for it, and that did not fail.
    LetGo => "let_go", "held back, and the unit of work did not fail";
    /// Held back by a unit of work; there was no more room, and this was the oldest.
    HoldFull => "hold_full", "held back, and no room to hold more";
    /// The backend's routes do not take it.
    Elsewhere => "elsewhere", "its routes lead elsewhere";
    /// A route takes a sample, and this was not in it.
    Sampled => "sampled", "not in the sample of its route";
    /// The process ended before it was delivered, and no state directory was set to keep it.
    ProcessExit => "process_exit", "not delivered before exit, no state directory";
}

/// The books of one backend, shared between the threads that move its records.
pub struct Account {
    id: String,
    accepts: [bool; Signal::COUNT],
    rows: [Counters; Signal::COUNT],
}

#[derive(Default)]
struct Counters {
    recorded: AtomicU64,
    delivered: AtomicU64,
    dead_lettered: AtomicU64,
    dropped: [AtomicU64; Loss::ALL.len()],
}

impl Account {
    /// Empty books for the backend of this id, which takes the signals that `accepts` says.
    #[must_use]
    pub fn new(id: &str, accepts: impl Fn(Signal) -> bool) -> Account {
        Account {
            id: id.to_owned(),
            accepts: Signal::ALL.map(accepts),
            rows: std::array::from_fn(|_| Counters::default()),
        }
    }

    /// The backend's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether records of this signal are this backend's at all.
    #[must_use]
    pub fn accepts(&self, signal: Signal) -> bool {
        self.accepts[signal as usize]
    }

    /// `n` records were recorded, here or by an earlier process that left them in the journal.
    pub fn recorded(&self, signal: Signal, n: u64) {
        self.add(signal, n, |row| &row.recorded);
    }

    /// The server has `n` records.
    pub fn delivered(&self, signal: Signal, n: u64) {
        self.add(signal, n, |row| &row.delivered);
    }

    /// `n` records are in the dead-letter file, with the reason.
    pub fn dead_lettered(&self, signal: Signal, n: u64) {
        self.add(signal, n, |row| &row.dead_lettered);
    }

    /// `n` records are gone.
    pub fn dropped(&self, signal: Signal, loss: Loss, n: u64) {
        self.add(signal, n, |row| &row.dropped[loss as usize]);
    }

    /// The rows of the signals this backend takes. `pending` says how many records the arena and the journal hold.
    pub fn rows(&self, pending: impl Fn(Signal) -> u64) -> Vec<Row> {
        let mine = Signal::ALL.into_iter().filter(|signal| self.accepts(*signal));
        mine.map(|signal| self.row(signal, pending(signal))).collect()
    }

    fn row(&self, signal: Signal, pending: u64) -> Row {
        let counters = &self.rows[signal as usize];
        let dropped = Loss::ALL.iter().map(|loss| (*loss, counters.dropped[*loss as usize].load(Relaxed)));
        Row {
            signal,
            recorded: counters.recorded.load(Relaxed),
            delivered: counters.delivered.load(Relaxed),
            pending,
            dead_lettered: counters.dead_lettered.load(Relaxed),
            dropped: dropped.filter(|(_, n)| *n > 0).collect(),
        }
    }

    fn add(&self, signal: Signal, n: u64, counter: impl Fn(&Counters) -> &AtomicU64) {
        if n > 0 && self.accepts(signal) {
            counter(&self.rows[signal as usize]).fetch_add(n, Relaxed);
        }
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("id", &self.id).finish_non_exhaustive()
    }
}

/// One line of the books: one backend, one signal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The kind of record.
    pub signal: Signal,
    /// Records that came in.
    pub recorded: u64,
    /// Records that the server has.
    pub delivered: u64,
    /// Records that are on their way.
    pub pending: u64,
    /// Records that the server refused and that are kept, with the reason.
    pub dead_lettered: u64,
    /// Records that are gone, by reason; reasons with none are left out.
    pub dropped: Vec<(Loss, u64)>,
}

impl Row {
    /// Everything that is gone and that nobody asked to be, whatever the reason.
    #[must_use]
    pub fn dropped_total(&self) -> u64 {
        self.dropped.iter().filter(|(loss, _)| !loss.is_asked_for()).map(|(_, n)| n).sum()
    }

    /// Everything that was not told because somebody asked for that; it stands in `dropped`, too.
    #[must_use]
    pub fn withheld_total(&self) -> u64 {
        self.dropped.iter().filter(|(loss, _)| loss.is_asked_for()).map(|(_, n)| n).sum()
    }

    /// Whether `recorded = delivered + pending + dead_lettered + dropped`, what was withheld included.
    #[must_use]
    pub fn balanced(&self) -> bool {
        let gone = self.dropped_total() + self.withheld_total();
        self.recorded == self.delivered + self.pending + self.dead_lettered + gone
    }
}

/// The books of one backend at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Book {
    /// The backend's id.
    pub backend: String,
    /// One row for each signal that it takes.
    pub rows: Vec<Row>,
}

impl Book {
    /// Whether every row balances.
    #[must_use]
    pub fn balanced(&self) -> bool {
        self.rows.iter().all(Row::balanced)
    }
}

impl fmt::Display for Book {
    /// `recorded=N delivered=N pending=N dropped=N`, with `dead_lettered=N` and `withheld=N` where there are any.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sum = |field: fn(&Row) -> u64| self.rows.iter().map(field).sum::<u64>();
        let (recorded, delivered) = (sum(|r| r.recorded), sum(|r| r.delivered));
        write!(f, "recorded={recorded} delivered={delivered} pending={}", sum(|r| r.pending))?;
        let some = [("dead_lettered", sum(|r| r.dead_lettered)), ("withheld", sum(Row::withheld_total))];
        for (name, n) in some.into_iter().filter(|(_, n)| *n > 0) {
            write!(f, " {name}={n}")?;
        }
        write!(f, " dropped={}", sum(Row::dropped_total))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn books_balance_when_every_record_went_somewhere() {
        let account = Account::new("test", |signal| signal == Signal::Log);
        account.recorded(Signal::Log, 10);
        account.delivered(Signal::Log, 6);
        account.dropped(Signal::Log, Loss::RingFull, 2);
        account.dead_lettered(Signal::Log, 1);
        account.recorded(Signal::Log, 5);
        account.dropped(Signal::Log, Loss::RateLimited, 5);
        let book = |pending| Book { backend: "test".into(), rows: account.rows(|_| pending) };
        assert!(book(1).balanced());
        assert!(!book(0).balanced());
        assert_eq!(
            book(1).to_string(),
            "recorded=15 delivered=6 pending=1 dead_lettered=1 withheld=5 dropped=2"
        );
    }

    #[test]
    fn what_a_backend_does_not_take_is_not_in_its_books() {
        let account = Account::new("test", |signal| signal == Signal::Log);
        account.recorded(Signal::Metric, 10);
        let signals: Vec<_> = account.rows(|_| 0).iter().map(|row| row.signal).collect();
        assert_eq!(signals, [Signal::Log]);
    }
}
