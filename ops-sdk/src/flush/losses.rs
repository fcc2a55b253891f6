//! Losses said where operators look: once a minute, a log event ("1,204 debug events dropped: ring full") and a metric
//! `ops_sdk.dropped` for each kind of loss; for what somebody asked not to be told, the metric `ops_sdk.withheld` alone. Kept apart from the books, which count them too.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::ledger::{Book, Loss};
use crate::model::{Body, Level, Log, Metric, Points, Resolution, Signal, Unit, Value};
use crate::record::losses::Lost;

/// What tells one line from another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    /// Empty where the loss came before the backends parted.
    backend: String,
    signal: Signal,
    loss: Loss,
    level: Option<Level>,
}

/// What was lost and not said yet.
#[derive(Debug, Default)]
pub(super) struct Losses {
    unsaid: BTreeMap<Kind, u64>,
    /// What the books of each backend have said before.
    said: BTreeMap<Kind, u64>,
    /// What was noted by [`Losses::note`], and so stands in every backend's books as well.
    noted: BTreeMap<(Signal, Loss), u64>,
}

impl Losses {
    /// Notes a loss that happened before the backends parted.
    pub(super) fn note(&mut self, lost: &Lost) {
        let kind = Kind { backend: String::new(), signal: lost.signal, loss: lost.loss, level: lost.level };
        *self.unsaid.entry(kind).or_default() += lost.count;
        *self.noted.entry((lost.signal, lost.loss)).or_default() += lost.count;
    }

    /// Notes what a backend lost by itself, from its books.
    pub(super) fn note_books(&mut self, books: &[Book]) {
        let rows = books.iter().flat_map(|book| book.rows.iter().map(|row| (&book.backend, row)));
        for (backend, row) in rows {
            for (loss, count) in row.dropped.iter().filter(|(loss, _)| !loss.is_asked_for()) {
                let common = self.noted.get(&(row.signal, *loss)).copied().unwrap_or(0);
                let kind = Kind { backend: backend.clone(), signal: row.signal, loss: *loss, level: None };
                let said = self.said.entry(kind.clone()).or_default();
                let own = count.saturating_sub(common);
                if own > *said {
                    *self.unsaid.entry(kind).or_default() += own - *said;
                    *said = own;
                }
            }
        }
    }

    /// The records that say what was not said yet: an event and a metric for each kind of loss.
    pub(super) fn say(&mut self, window_ms: u32, process: &[(String, String)]) -> Vec<Body<'static>> {
        let unsaid = std::mem::take(&mut self.unsaid);
        let say = |(kind, count): (Kind, u64)| {
            // What somebody asked for is no news, and is said at its site already.
            let event = (!kind.loss.is_asked_for()).then(|| Body::Log(kind.event(count)));
            event.into_iter().chain([kind.metric(count, window_ms, process)])
        };
        unsaid.into_iter().flat_map(say).collect()
    }
}

impl Kind {
    fn what(&self) -> String {
        match self.level {
            Some(level) => format!("{} events", level.name().to_lowercase()),
            None => format!("{} records", self.signal),
        }
    }

    fn event(&self, count: u64) -> Log<'static> {
        let at = if self.backend.is_empty() { String::new() } else { format!(" for {}", self.backend) };
        let message = format!("{} {} dropped{at}: {}", grouped(count), self.what(), self.loss.said());
        let text = |key: &'static str, value: String| (Cow::Borrowed(key), Value::Str(Cow::Owned(value)));
        Log {
            level: Level::Warn,
            target: Cow::Borrowed("ops_sdk"),
            message: Cow::Owned(message),
            file: Cow::Borrowed(file!()),
            line: line!(),
            fields: vec![
                (Cow::Borrowed("dropped"), Value::U64(count)),
                text("reason", self.loss.name().to_owned()),
                text("signal", self.signal.name().to_owned()),
                text(
                    "backend",
                    if self.backend.is_empty() { "all".to_owned() } else { self.backend.clone() },
                ),
            ],
        }
    }

    fn metric(&self, count: u64, window_ms: u32, process: &[(String, String)]) -> Body<'static> {
        let backend = if self.backend.is_empty() { "all" } else { &self.backend };
        let own = [("Backend", backend), ("Reason", self.loss.name()), ("Signal", self.signal.name())];
        let process = process.iter().filter(|(key, _)| own.iter().all(|(mine, _)| mine != key)).cloned();
        let mut dimensions: Vec<(Cow<'static, str>, Cow<'static, str>)> =
            process.map(|(key, value)| (key.into(), value.into())).collect();
        dimensions.extend(own.map(|(key, value)| (key.into(), Cow::Owned(value.to_owned()))));
        dimensions.sort();
        Body::Metric(Metric {
            name: Cow::Borrowed(if self.loss.is_asked_for() {
                "ops_sdk.withheld"
            } else {
                "ops_sdk.dropped"
            }),
            unit: Unit::Count,
            resolution: Resolution::Standard,
            window_ms,
            dimensions,
            points: Points::Counter { sum: count },
        })
    }
}

/// A number with its thousands told apart: 1,204.
fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let groups = digits.as_bytes().rchunks(3).rev().map(|group| String::from_utf8_lossy(group));
    groups.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Row;

    fn lost(count: u64) -> Lost {
        Lost { signal: Signal::Log, loss: Loss::RingFull, level: Some(Level::Debug), count }
    }

    fn book(dropped: u64) -> Book {
        let row = Row {
            signal: Signal::Log,
            recorded: 9,
            delivered: 0,
            pending: 0,
            dead_lettered: 0,
            dropped: vec![(Loss::RingFull, dropped)],
        };
        Book { backend: "s3".to_owned(), rows: vec![row] }
    }

    fn messages(losses: &mut Losses) -> Vec<String> {
        let text = |body| if let Body::Log(log) = body { Some(log.message.into_owned()) } else { None };
        losses.say(60_000, &[]).into_iter().filter_map(text).collect()
    }

    #[test]
    fn a_loss_is_said_once_with_its_number_and_reason() {
        let mut losses = Losses::default();
        losses.note(&lost(1000));
        losses.note(&lost(204));
        assert_eq!(messages(&mut losses), ["1,204 debug events dropped: ring full"]);
        assert!(messages(&mut losses).is_empty());
    }

    #[test]
    fn what_a_backend_lost_by_itself_is_said_for_it_alone() {
        let mut losses = Losses::default();
        losses.note(&lost(4));
        losses.note_books(&[book(4 + 3)]);
        losses.note_books(&[book(4 + 3)]);
        let wanted = ["4 debug events dropped: ring full", "3 log records dropped for s3: ring full"];
        assert_eq!(messages(&mut losses), wanted);
        losses.note_books(&[book(4 + 5)]);
        assert_eq!(messages(&mut losses), ["2 log records dropped for s3: ring full"]);
    }

    #[test]
    fn what_was_asked_for_is_a_metric_and_no_event() {
        let mut losses = Losses::default();
        losses.note(&Lost { loss: Loss::RateLimited, level: None, ..lost(5) });
        let said = losses.say(60_000, &[]);
        let [Body::Metric(metric)] = &said[..] else { panic!("{said:?}") };
        assert_eq!((metric.name.as_ref(), metric.points.sum()), ("ops_sdk.withheld", 5.0));
    }

    #[test]
    fn thousands_are_told_apart() {
        assert_eq!([0, 12, 1204, 1_000_000].map(grouped), ["0", "12", "1,204", "1,000,000"]);
    }
}
