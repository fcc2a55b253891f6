//! What a flush waits for, and what is left of the hub when it is closed.

use super::*;
use crate::journal::{Settings, Weight};
use crate::model::RecordId;

fn hub(desks: &[&str]) -> Arc<Hub> {
    let (journal, _) = Journal::open(Settings::new(None)).expect("a journal in memory");
    let hub = Arc::new(Hub::new(journal));
    for id in desks {
        hub.attach(Arc::new(Account::new(id, |_| true))).expect("a desk");
    }
    hub
}

fn append(hub: &Hub, count: u64) {
    let head = |seq| {
        let (id, weight) = (RecordId { process: 1, seq }, Weight::Info);
        FrameHead { signal: Signal::Log, time_ms: 1, id, records: 1, weight }
    };
    hub.append((0..count).map(|seq| (head(seq), &b"frame"[..])), || {});
}

fn settle(hub: &Hub, desk: usize, count: usize) {
    let mut run = Run::new();
    hub.read(desk, usize::MAX, count, &mut run);
    let upto = run.iter().last().expect("frames").0.end;
    hub.settle(desk, upto, run.iter().map(|(frame, _)| (frame.head.signal, Fate::Delivered, 1)));
}

/// Waits until a flush was asked for, and says that it is done.
fn do_flush(hub: &Hub) {
    loop {
        if let Some((number, _)) = hub.wait_to_flush(Duration::from_secs(1)) {
            return hub.flushed(number);
        }
    }
}

#[test]
fn what_is_lost_while_a_flush_waits_is_not_taken_for_what_it_waits_for() {
    let hub = hub(&["one"]);
    append(&hub, 10);
    let asker = Arc::clone(&hub);
    let flush = std::thread::spawn(move || asker.flush(Duration::from_millis(300)));
    do_flush(&hub);
    hub.lost(Signal::Log, Loss::RingFull, 100);
    assert!(!flush.join().expect("an answer"), "ten records wait still");
    assert_eq!(hub.books()[0].rows[Signal::Log as usize].pending, 10);
}

#[test]
fn every_flush_that_waits_ends_when_what_was_there_before_it_is_settled() {
    let hub = hub(&["one", "two"]);
    append(&hub, 10);
    let ask = |deadline| {
        let asker = Arc::clone(&hub);
        std::thread::spawn(move || asker.flush(deadline))
    };
    // As long as there is: an end that no clock reaches is none.
    let flushes: Vec<_> = (0..4).map(|_| ask(Duration::MAX)).collect();
    while hub.state.lock().flushing < 4 {
        std::thread::yield_now();
    }
    do_flush(&hub);
    append(&hub, 1); // nobody waits for this one
    settle(&hub, 0, 11);
    settle(&hub, 1, 10);
    assert!(flushes.into_iter().all(|flush| flush.join().expect("an answer")));
    assert_eq!(hub.state.lock().flushing, 0);
}

#[test]
fn a_thread_that_was_left_behind_settles_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let open = || {
        let (journal, _) = Journal::open(Settings::new(Some(dir.path().to_owned()))).expect("a journal");
        let hub = Hub::new(journal);
        hub.attach(Arc::new(Account::new("one", |_| true))).expect("a desk");
        hub
    };
    let first = open();
    append(&first, 10);
    let mut run = Run::new();
    first.read(0, usize::MAX, 4, &mut run);
    first.close();
    let second = open();
    settle(&second, 0, 8);
    let upto = run.iter().last().expect("frames").0.end;
    first.settle(0, upto, run.iter().map(|(frame, _)| (frame.head.signal, Fate::Delivered, 1)));
    append(&first, 3);
    drop(first);
    drop(second);
    let third = open().books();
    assert_eq!(third[0].rows[Signal::Log as usize].pending, 2);
}
