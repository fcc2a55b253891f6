//! What the SDK tells of its own work reaches the backends, ends when the program has nothing more to tell, and is never
//! fed by the SDK's own threads.

use std::time::Duration;

use ops_sdk::backend::{Backend, Configure, Context, EncodeError, Verdict};
use ops_sdk::chunk::{Batch, Items};
use ops_sdk::limits::Limits;
use ops_sdk::model::{Record, Signal};
use ops_sdk::net::Net;
use ops_sdk::prelude::*;
use ops_sdk::{Error, Stats};
use ops_tests::capture::{Answer, Capture};
use ops_tests::{SOON, assert_balanced, turn};

const EVERY: Duration = Duration::from_millis(40);

fn recorded(stats: &Stats) -> u64 {
    stats.books.iter().flat_map(|book| &book.rows).map(|row| row.recorded).sum()
}

#[test]
fn the_work_of_each_backend_is_told_and_telling_ends_with_the_programs_own_records() {
    let _turn = turn();
    let busy = || Answer::Say(Verdict::Throttle { after: None, why: "busy".to_owned() });
    let capture = Capture::new("told").answering([busy(), busy()]);
    let builder = ops_sdk::init().environment(|_| None).linger(Duration::from_millis(1));
    let ops = builder.backend(capture.clone()).self_metrics_every(EVERY).start().expect("recording starts");
    (0..100).for_each(|n| info!("event {n}"));
    assert!(ops.flush(SOON).complete);
    while capture.metrics("ops_sdk.delivered").is_empty() {
        info!("one more");
        std::thread::sleep(EVERY);
    }
    assert!(ops.flush(SOON).complete); // what is told together may come in several pushes
    let of = |name: &str| capture.metrics(name).remove(0)["dimensions"]["Backend"].clone();
    let names =
        ["delivered", "pushes", "push_bytes", "push_duration", "pending", "circuit", "pushes_at_once"];
    for name in names {
        assert_eq!(of(&format!("ops_sdk.{name}")), "told", "{name}");
    }
    // As soon as nothing else is recorded, telling comes to its end; each round of it would be recorded.
    let mut before = 0;
    while recorded(&ops.stats()) != before {
        before = recorded(&ops.stats());
        std::thread::sleep(10 * EVERY);
    }
    assert_balanced(&ops.stats());
    let errors = capture.metrics("ops_sdk.push_errors");
    let throttled: f64 =
        errors.iter().filter(|line| line["dimensions"]["Class"] == "throttled").count() as f64;
    assert!(throttled >= 1.0, "{errors:?}");
    assert!(capture.sum("ops_sdk.retries") >= 2.0);
}

#[test]
fn whoever_wants_no_telling_is_told_nothing() {
    let _turn = turn();
    let capture = Capture::new("quiet");
    let builder = ops_sdk::init().environment(|_| None).linger(Duration::from_millis(1));
    let builder = builder.self_metrics_every(Duration::from_millis(1)).self_metrics(false);
    let ops = builder.backend(capture.clone()).start().expect("recording starts");
    for _ in 0..20 {
        info!("event");
        assert!(ops.flush(SOON).complete);
    }
    assert_eq!(capture.taken().len(), 20);
}

/// A backend that records with every push, as a library that it uses might.
#[derive(Clone)]
struct Chatty(Capture);

impl Configure for Chatty {
    fn open(self: Box<Self>, _: &Context) -> Result<Box<dyn Backend>, Error> {
        Ok(self)
    }
}

impl Backend for Chatty {
    fn id(&self) -> &str {
        "chatty"
    }

    fn limits(&self) -> Limits {
        Limits { push_items_max: 10, ..self.0.limits() }
    }

    fn accepts(&self, signal: Signal) -> bool {
        self.0.accepts(signal)
    }

    fn encode(&mut self, record: &Record<'_>, out: &mut Items) -> Result<(), EncodeError> {
        info!("encoding");
        self.0.encode(record, out)
    }

    fn send(&mut self, batch: &Batch, net: &mut Net) -> Verdict {
        info!("sending {n}", n = batch.len());
        counter!("pushes", 1);
        self.0.send(batch, net)
    }

    fn another(&self) -> Option<Box<dyn Backend>> {
        info!("one more");
        Some(Box::new(self.clone()))
    }
}

#[test]
fn events_of_the_sdks_own_threads_feed_nothing_to_the_sdk() {
    let _turn = turn();
    let chatty = Chatty(Capture::new("chatty"));
    let builder = ops_sdk::init().environment(|_| None).linger(SOON).backend(chatty.clone());
    let ops = builder.start().expect("recording starts");
    (0..1_000).for_each(|n| info!("event {n}"));
    assert!(ops.flush(SOON).complete);
    assert!(ops.flush(SOON).complete);
    assert_balanced(&ops.stats());
    assert_eq!(chatty.0.messages("event").len(), 1_000);
    // A metric is a value in place, whoever records it: one record a window, however many pushes there were.
    assert_eq!(chatty.0.taken().len() - chatty.0.metrics("pushes").len(), 1_000);
}
