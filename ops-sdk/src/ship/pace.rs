//! When the next push goes, and beside how many others: the circuit and the window of one backend together.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use super::circuit::{Circuit, Event, State};
use super::window::Window;

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Go {
    /// Send one push, and wait for its answer.
    Alone,
    /// Send one push beside those that are under way.
    Beside,
    /// Wait for an answer.
    Answers,
    /// Wait this long.
    Pause(Duration),
}

/// What is waiting and under way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    /// Pushes that are ready.
    pub(super) queued: usize,
    /// Pushes that are under way.
    pub(super) busy: usize,
    /// Whether there will be more pushes when these are sent.
    pub(super) more: bool,
}

/// The circuit and the window of one backend.
#[derive(Debug)]
pub(super) struct Pace {
    circuit: Circuit,
    window: Window,
    random: u64,
    /// The least time between the beginnings of two pushes.
    every: Duration,
    sent_ns: Option<u64>,
}

impl Pace {
    /// Up to this many pushes side by side; one at a time, where there has to be some time between two.
    pub(super) fn new(pushes_max: u32, every: Duration) -> Pace {
        let random = RandomState::new().hash_one(0u8) | 1;
        let window = Window::new(if every.is_zero() { pushes_max } else { 1 });
        Pace { circuit: Circuit::new(), window, random, every, sent_ns: None }
    }

    /// Whether there has to be some time between two pushes.
    pub(super) fn is_slow(&self) -> bool {
        !self.every.is_zero()
    }

    /// What to do next; notes that a push goes, if one does.
    pub(super) fn go(&mut self, load: Load, now_ns: u64) -> Go {
        let go = next(&self.circuit, self.window.size(), load, now_ns);
        if !matches!(go, Go::Alone | Go::Beside) {
            return go;
        }
        let pause = since(self.sent_ns, self.every, now_ns);
        if !pause.is_zero() {
            return Go::Pause(pause);
        }
        self.circuit = self.circuit.step(Event::Send, now_ns, 0.0);
        self.sent_ns = Some(now_ns);
        go
    }

    /// There is no sending side by side here.
    pub(super) fn narrow(&mut self) {
        self.window = Window::new(1);
    }

    /// The server took a push after this long.
    pub(super) fn good(&mut self, took: Duration, more: bool) {
        self.window = self.window.good(took, more);
        self.circuit = self.circuit.step(Event::Good, 0, 0.0);
    }

    /// The server answered a push, and it is not for its haste that it did not take all of it.
    pub(super) fn answered(&mut self) {
        self.circuit = self.circuit.step(Event::Good, 0, 0.0);
    }

    /// A push that began then was throttled or failed.
    pub(super) fn bad(&mut self, began_ns: u64, event: Event, now_ns: u64) {
        let share = self.share();
        self.window = self.window.bad(began_ns, now_ns);
        self.circuit = self.circuit.step(event, now_ns, share);
    }

    pub(super) fn is_open(&self) -> bool {
        self.circuit.state != State::Closed
    }

    pub(super) fn window(&self) -> usize {
        self.window.size()
    }

    /// A random number in 0.0 … 1.0 (xorshift64*, which is all that spreading retries needs).
    #[allow(clippy::cast_precision_loss)]
    fn share(&mut self) -> f64 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        (self.random.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// What is left of the time between two pushes.
fn since(sent_ns: Option<u64>, every: Duration, now_ns: u64) -> Duration {
    let passed = |sent_ns| Duration::from_nanos(now_ns.saturating_sub(sent_ns));
    sent_ns.map_or(Duration::ZERO, |sent_ns| every.saturating_sub(passed(sent_ns)))
}

fn next(circuit: &Circuit, window: usize, load: Load, now_ns: u64) -> Go {
    let Load { queued, busy, more } = load;
    // After a failure all that is under way comes to its end first; then one push goes alone.
    if busy > 0 && (queued == 0 || busy >= window || circuit.is_probing()) {
        return Go::Answers;
    }
    if circuit.is_probing() {
        let pause = circuit.pause(now_ns);
        return if pause.is_zero() { Go::Alone } else { Go::Pause(pause) };
    }
    // A push that has no other to go beside needs no thread of its own.
    if window == 1 || (busy == 0 && queued == 1 && !more) { Go::Alone } else { Go::Beside }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_load_has_its_next_step() {
        let well = Circuit::new();
        let failed = well.step(Event::Failed { began_ns: 0, asked: None }, 0, 1.0);
        let table = [
            (well, 1, (1, 0, false), Go::Alone),
            (well, 1, (9, 0, true), Go::Alone),
            (well, 4, (1, 0, false), Go::Alone),
            (well, 4, (1, 0, true), Go::Beside),
            (well, 4, (2, 0, false), Go::Beside),
            (well, 4, (1, 3, false), Go::Beside),
            (well, 4, (1, 4, false), Go::Answers),
            (well, 2, (1, 4, false), Go::Answers),
            (well, 4, (0, 1, false), Go::Answers),
            (failed, 4, (3, 2, true), Go::Answers),
            (failed, 4, (3, 0, true), Go::Pause(Duration::from_millis(90))),
        ];
        for (circuit, window, (queued, busy, more), go) in table {
            let load = Load { queued, busy, more };
            assert_eq!(next(&circuit, window, load, 10_000_000), go, "{window} {load:?}");
        }
        let load = Load { queued: 3, busy: 0, more: true };
        assert_eq!(next(&failed, 4, load, 100_000_000), Go::Alone);
    }

    #[test]
    fn there_is_some_time_between_two_pushes_where_that_is_asked_for() {
        let mut pace = Pace::new(8, Duration::from_secs(10));
        let load = Load { queued: 3, busy: 0, more: true };
        let second = 1_000_000_000;
        assert_eq!(pace.go(load, 5 * second), Go::Alone);
        assert_eq!(pace.go(load, 8 * second), Go::Pause(Duration::from_secs(7)));
        assert_eq!(pace.go(Load { queued: 0, busy: 1, more: true }, 8 * second), Go::Answers);
        assert_eq!(pace.go(load, 15 * second), Go::Alone);
    }

    #[test]
    fn pauses_differ() {
        let pause = || {
            let mut pace = Pace::new(1, Duration::ZERO);
            pace.bad(1, Event::Failed { began_ns: 1, asked: None }, 1);
            pace.circuit.pause(1)
        };
        let pauses: std::collections::BTreeSet<_> = (0..100).map(|_| pause()).collect();
        assert!(pauses.len() > 90);
    }
}
