//! A backend that keeps what it is sent and answers as it is told: stands in for any server in tests of the threads
//! between the macros and the seam. Real servers are spoken to in the tests of each backend.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use ops_sdk::Error;
use ops_sdk::backend::{Backend, Configure, Context, EncodeError, Verdict};
use ops_sdk::chunk::{Batch, Items};
use ops_sdk::encode::json;
use ops_sdk::limits::{Limits, Oversize};
use ops_sdk::model::{Record, RecordId, Signal};
use ops_sdk::net::Net;
use serde_json::Value;

/// What the backend answers to a push.
#[derive(Clone)]
pub enum Answer {
    /// This verdict. Nothing of the push is kept unless it says so.
    Say(Verdict),
    /// Takes the items for which the closure says so, by index, and this verdict.
    Take(fn(usize) -> bool, fn(usize) -> Verdict),
    /// Panics.
    Panic,
    /// Blocks until [`Capture::release`].
    Hang,
}

#[derive(Default)]
struct State {
    taken: Vec<(RecordId, String)>,
    pushes: Vec<usize>,
    answers: VecDeque<Answer>,
    hangs: bool,
}

/// The test's side of the backend.
#[derive(Clone)]
pub struct Capture {
    id: String,
    limits: Limits,
    accepts: fn(Signal) -> bool,
    state: Arc<(Mutex<State>, Condvar)>,
}

impl Capture {
    /// A backend of this id that takes logs and metrics, as CloudWatch Logs limits them.
    #[must_use]
    pub fn new(id: &str) -> Capture {
        let limits = Limits {
            push_bytes_max: 1_048_576,
            envelope_bytes: 0,
            push_items_max: 10_000,
            item_bytes_max: 1_048_550,
            item_overhead_bytes: 26,
            span_ms_max: Some(24 * 3_600_000),
            age_ms_max: None,
            ahead_ms_max: None,
            ordered: true,
            push: true,
            oversize: Oversize::Split,
        };
        Capture { id: id.to_owned(), limits, accepts: |_| true, state: Arc::default() }
    }

    /// The same, for these signals alone.
    #[must_use]
    pub fn accepting(mut self, accepts: fn(Signal) -> bool) -> Capture {
        self.accepts = accepts;
        self
    }

    /// Answers the next pushes so; after that each is delivered.
    #[must_use]
    pub fn answering(self, answers: impl IntoIterator<Item = Answer>) -> Capture {
        self.lock().answers.extend(answers);
        self
    }

    /// Ends every hang, now and later.
    pub fn release(&self) {
        self.lock().answers.retain(|answer| !matches!(answer, Answer::Hang));
        self.lock().hangs = false;
        self.state.1.notify_all();
    }

    /// Whether a push hangs right now.
    #[must_use]
    pub fn hangs(&self) -> bool {
        self.lock().hangs
    }

    /// The ids and texts of the items taken so far, in the order they were taken.
    #[must_use]
    pub fn taken(&self) -> Vec<(RecordId, String)> {
        self.lock().taken.clone()
    }

    /// The items taken so far as JSON.
    #[must_use]
    pub fn lines(&self) -> Vec<Value> {
        self.taken().iter().map(|(_, line)| serde_json::from_str(line).expect("a line of JSON")).collect()
    }

    /// The lines of log events whose message starts so.
    #[must_use]
    pub fn messages(&self, start: &str) -> Vec<Value> {
        let starts =
            |line: &Value| line["message"].as_str().is_some_and(|message| message.starts_with(start));
        self.lines().into_iter().filter(starts).collect()
    }

    /// The lines of metrics of this name.
    #[must_use]
    pub fn metrics(&self, name: &str) -> Vec<Value> {
        let is = |line: &Value| line["signal"] == "metric" && line["name"] == name;
        self.lines().into_iter().filter(is).collect()
    }

    /// The sum of a metric over all windows and dimensions.
    #[must_use]
    pub fn sum(&self, name: &str) -> f64 {
        self.metrics(name).iter().filter_map(|line| line["sum"].as_f64()).sum()
    }

    /// The size of each push so far, in bytes as the limits count them.
    #[must_use]
    pub fn pushes(&self) -> Vec<usize> {
        self.lock().pushes.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn hang(&self) {
        let mut state = self.lock();
        state.hangs = true;
        self.state.1.notify_all();
        while state.hangs {
            state = self.state.1.wait(state).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
    }

    fn take(&self, batch: &Batch, keep: impl Fn(usize) -> bool) {
        let items = batch.iter().enumerate().filter(|(index, _)| keep(*index));
        let texts =
            items.map(|(_, (item, bytes))| (item.record, String::from_utf8_lossy(bytes).into_owned()));
        self.lock().taken.extend(texts);
    }
}

impl Configure for Capture {
    fn open(self: Box<Self>, _: &Context) -> Result<Box<dyn Backend>, Error> {
        Ok(self)
    }

    fn again(&self) -> Option<Box<dyn Configure>> {
        Some(Box::new(self.clone()))
    }
}

impl Backend for Capture {
    fn id(&self) -> &str {
        &self.id
    }

    fn limits(&self) -> Limits {
        self.limits.clone()
    }

    fn accepts(&self, signal: Signal) -> bool {
        (self.accepts)(signal)
    }

    fn encode(&mut self, record: &Record<'_>, out: &mut Items) -> Result<(), EncodeError> {
        out.push(|bytes| {
            json::line(bytes, record, &[]);
            Ok(())
        })
    }

    fn send(&mut self, batch: &Batch, _: &mut Net) -> Verdict {
        self.lock().pushes.push(batch.bytes() + 26 * batch.len());
        let answer = self.lock().answers.pop_front();
        match answer {
            None => {}
            Some(Answer::Say(verdict)) => return verdict,
            Some(Answer::Take(keep, verdict)) => {
                self.take(batch, keep);
                return verdict(batch.len());
            }
            Some(Answer::Panic) => std::panic::resume_unwind(Box::new("told to panic")),
            Some(Answer::Hang) => {
                self.hang();
                let after = Some(Duration::ZERO);
                return Verdict::Retry { after, why: "it hung".to_owned() };
            }
        }
        self.take(batch, |_| true);
        Verdict::Delivered
    }
}
