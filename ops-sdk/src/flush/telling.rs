//! What the SDK tells of its own work: once a minute, for each backend, metrics `ops_sdk.*` with the dimension
//! `Backend`, and an event for each time that a circuit opened or closed. docs/self-telemetry.md has the table.
//!
//! Never a loop: nothing is told unless something was recorded that is not of this kind, so a program that records
//! nothing is told nothing of, however often what is told is shipped in turn.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Now;
use crate::hub::{Hub, Meter, Metered, PushError};
use crate::ledger::{Book, Row};
use crate::model::{Body, Level, Log, Metric, Points, Resolution, Signal, Unit, Value};

/// What was told before of one backend.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Told {
    delivered: u64,
    dead_lettered: u64,
}

/// Tells of the work of all backends.
pub(super) struct Telling {
    every: Duration,
    last: Now,
    meters: Vec<Arc<Meter>>,
    told: Vec<Told>,
    /// Records of a backend that takes all kinds, when it was told last, and how many were told since.
    recorded: Vec<u64>,
    own: [u64; 2],
}

impl Telling {
    pub(super) fn new(hub: &Hub, every: Duration, now: Now) -> Telling {
        let (meters, books) = (hub.meters(), hub.books());
        Telling {
            every,
            last: now,
            told: vec![Told::default(); meters.len()],
            meters,
            recorded: books.iter().map(recorded).collect(),
            own: [0; 2],
        }
    }

    /// What is to be told now, if it is time.
    pub(super) fn say(&mut self, now: Now, hub: &Hub, process: &[(String, String)]) -> Vec<Body<'static>> {
        if now.since(self.last) < self.every {
            return Vec::new();
        }
        self.last = now;
        let books = hub.books();
        let is_news = books.iter().zip(&self.recorded).any(|(book, before)| {
            // What this told last time was recorded since, by each backend that takes its kind.
            let own: u64 = book.rows.iter().map(|row| self.own_of(row.signal)).sum();
            recorded(book) > *before + own
        });
        self.recorded = books.iter().map(recorded).collect();
        self.own = [0; 2];
        if !is_news {
            return Vec::new();
        }
        let window_ms = u32::try_from(self.every.as_millis()).unwrap_or(u32::MAX);
        let mut said = Said { bodies: Vec::new(), window_ms, process };
        for ((book, meter), told) in books.iter().zip(&self.meters).zip(&mut self.told) {
            said.of(book, &meter.take(), told);
        }
        said.metric("ops_sdk.journal_bytes", Unit::Bytes, &[], gauge(hub.journal_bytes()));
        for body in &said.bodies {
            self.own[usize::from(matches!(body, Body::Log(_)))] += 1;
        }
        said.bodies
    }

    fn own_of(&self, signal: Signal) -> u64 {
        match signal {
            Signal::Metric => self.own[0],
            Signal::Log => self.own[1],
            _ => 0,
        }
    }
}

fn recorded(book: &Book) -> u64 {
    book.rows.iter().map(|row| row.recorded).sum()
}

/// What is told, one body after the other.
struct Said<'a> {
    bodies: Vec<Body<'static>>,
    window_ms: u32,
    process: &'a [(String, String)],
}

impl Said<'_> {
    fn of(&mut self, book: &Book, metered: &Metered, told: &mut Told) {
        let sum = |field: fn(&Row) -> u64| book.rows.iter().map(field).sum::<u64>();
        let now = Told { delivered: sum(|row| row.delivered), dead_lettered: sum(|row| row.dead_lettered) };
        let before = std::mem::replace(told, now);
        let backend = [("Backend", book.backend.as_str())];
        let counters = [
            ("ops_sdk.delivered", Unit::Count, now.delivered - before.delivered),
            ("ops_sdk.dead_lettered", Unit::Count, now.dead_lettered - before.dead_lettered),
            ("ops_sdk.pushes", Unit::Count, metered.pushes),
            ("ops_sdk.retries", Unit::Count, metered.retries),
            ("ops_sdk.push_bytes", Unit::Bytes, metered.bytes),
            ("ops_sdk.wire_bytes", Unit::Bytes, metered.wire_bytes),
        ];
        for (name, unit, sum) in counters.into_iter().filter(|(_, _, sum)| *sum > 0) {
            self.metric(name, unit, &backend, Points::Counter { sum });
        }
        for (class, sum) in PushError::ALL.iter().zip(metered.errors).filter(|(_, sum)| *sum > 0) {
            let dimensions = [backend[0], ("Class", class.name())];
            self.metric("ops_sdk.push_errors", Unit::Count, &dimensions, Points::Counter { sum });
        }
        if metered.durations.count > 0 {
            let points = Points::Histogram(metered.durations.clone());
            self.metric("ops_sdk.push_duration", Unit::Milliseconds, &backend, points);
        }
        self.metric("ops_sdk.pending", Unit::Count, &backend, gauge(sum(|row| row.pending)));
        self.metric("ops_sdk.circuit", Unit::None, &backend, gauge(u64::from(metered.is_open)));
        self.metric("ops_sdk.pushes_at_once", Unit::Count, &backend, gauge(metered.window.max(1)));
        self.bodies.extend(metered.turns.iter().map(|why| turn(&book.backend, why.as_deref())));
    }

    fn metric(&mut self, name: &'static str, unit: Unit, own: &[(&'static str, &str)], points: Points) {
        let process = self.process.iter().filter(|(key, _)| own.iter().all(|(mine, _)| mine != key)).cloned();
        let mut dimensions: Vec<(Cow<'static, str>, Cow<'static, str>)> =
            process.map(|(key, value)| (key.into(), value.into())).collect();
        dimensions
            .extend(own.iter().map(|(key, value)| (Cow::Borrowed(*key), Cow::Owned((*value).to_owned()))));
        dimensions.sort();
        self.bodies.push(Body::Metric(Metric {
            name: name.into(),
            unit,
            resolution: Resolution::Standard,
            window_ms: self.window_ms,
            dimensions,
            points,
        }));
    }
}

#[allow(clippy::cast_precision_loss)] // what is counted here stays below 2^53
fn gauge(value: u64) -> Points {
    let value = value as f64;
    Points::Gauge { last: value, min: value, max: value, sum: value, count: 1 }
}

/// The event of a circuit that opened, and why, or closed.
fn turn(backend: &str, why: Option<&str>) -> Body<'static> {
    let message = match why {
        Some(why) => format!("circuit of {backend} opened: {why}"),
        None => format!("circuit of {backend} closed"),
    };
    let backend = (Cow::Borrowed("backend"), Value::Str(Cow::Owned(backend.to_owned())));
    Body::Log(Log {
        level: if why.is_some() { Level::Warn } else { Level::Info },
        target: Cow::Borrowed("ops_sdk"),
        message: Cow::Owned(message),
        file: Cow::Borrowed(file!()),
        line: line!(),
        fields: vec![backend],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{Journal, Settings};
    use crate::ledger::Account;

    const EVERY: Duration = Duration::from_secs(60);

    fn hub() -> (Hub, Arc<Account>) {
        let hub = Hub::new(Journal::open(Settings::new(None)).expect("a journal in memory").0);
        let account = Arc::new(Account::new("one", |_| true));
        hub.attach(Arc::clone(&account)).expect("a desk");
        (hub, account)
    }

    fn at(s: u64) -> Now {
        Now { unix_ns: 1_000_000_000_000 + s * 1_000_000_000, mono_ns: s * 1_000_000_000 }
    }

    fn told(bodies: &[Body<'_>]) -> Vec<(String, f64)> {
        let metric = |body: &Body<'_>| match body {
            Body::Metric(metric) => Some((metric.name.to_string(), metric.points.sum())),
            _ => None,
        };
        bodies.iter().filter_map(metric).collect()
    }

    #[test]
    fn what_happened_since_the_last_time_is_told_with_the_backends_name() {
        let (hub, account) = hub();
        let mut telling = Telling::new(&hub, EVERY, at(0));
        account.recorded(Signal::Log, 10);
        account.delivered(Signal::Log, 7);
        account.dead_lettered(Signal::Log, 1);
        let meter = &hub.meters()[0];
        meter.push(100, 60, Duration::from_millis(5), None);
        meter.push(100, 60, Duration::from_millis(5), Some(PushError::Network));
        meter.retry();
        meter.turned(Some("down"));
        assert!(telling.say(at(59), &hub, &[]).is_empty(), "not yet");
        let process = [("Service".to_owned(), "shop".to_owned()), ("Backend".to_owned(), "x".to_owned())];
        let said = telling.say(at(60), &hub, &process);
        let wanted = [
            ("delivered", 7.0),
            ("dead_lettered", 1.0),
            ("pushes", 2.0),
            ("retries", 1.0),
            ("push_bytes", 200.0),
            ("wire_bytes", 120.0),
            ("push_errors", 1.0),
            ("push_duration", 10.0),
            ("pending", 0.0),
            ("circuit", 1.0),
            ("pushes_at_once", 1.0),
            ("journal_bytes", 0.0),
        ];
        let wanted: Vec<_> = wanted.iter().map(|(name, sum)| (format!("ops_sdk.{name}"), *sum)).collect();
        assert_eq!(told(&said), wanted);
        let Body::Metric(first) = &said[0] else { panic!("{said:?}") };
        let dimensions: Vec<_> = first.dimensions.iter().map(|(key, value)| (&**key, &**value)).collect();
        assert_eq!(dimensions, [("Backend", "one"), ("Service", "shop")]);
        let Some(Body::Log(log)) = said.iter().find(|body| matches!(body, Body::Log(_))) else { panic!() };
        assert_eq!((&*log.message, log.level), ("circuit of one opened: down", Level::Warn));
    }

    #[test]
    fn telling_alone_is_nothing_to_tell_of() {
        let (hub, account) = hub();
        let mut telling = Telling::new(&hub, EVERY, at(0));
        account.recorded(Signal::Log, 1);
        let said = telling.say(at(60), &hub, &[]);
        assert!(!said.is_empty());
        // What was told is recorded and shipped in turn; nothing else is.
        account.recorded(Signal::Metric, said.len() as u64);
        account.delivered(Signal::Metric, said.len() as u64);
        hub.meters()[0].push(1, 1, Duration::from_millis(1), None);
        assert!(telling.say(at(120), &hub, &[]).is_empty());
        assert!(telling.say(at(180), &hub, &[]).is_empty());
        account.recorded(Signal::Metric, 1);
        let said = told(&telling.say(at(240), &hub, &[]));
        assert!(said.contains(&("ops_sdk.pushes".to_owned(), 1.0)), "nothing is forgotten: {said:?}");
    }
}
