//! Whether a backend is tried again, and when: the pause after a failure and the circuit breaker are one thing.
//!
//! The pause doubles with each failure in a row, a random share of it where many clients would come back at once, and
//! never less than the server asked for. While it lasts nothing is sent, and then one push alone, whose answer decides.
//! After [`FAILURES_MAX`] failures in a row the circuit is open, which changes what is said and that a pause is never
//! short; nothing is dropped by it. Tries are not counted against the data: it is kept by bytes and by age. Pure.

use std::time::Duration;

/// Failures in a row after which the circuit is open.
pub(super) const FAILURES_MAX: u32 = 5;
const FIRST: Duration = Duration::from_millis(100);
/// AWS's SDKs cap at 20 s (botocore 1.44.5, standard retry mode).
const LONGEST: Duration = Duration::from_secs(20);
/// A server may ask for more, up to this.
const ASKED_MAX: Duration = Duration::from_secs(300);

/// What the circuit lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Everything, or one push where the last one failed.
    Closed,
    /// Nothing until the pause is over.
    Open,
    /// The one push whose answer decides.
    HalfOpen,
}

/// What the circuit is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// A push is about to be sent.
    Send,
    /// A push that began at this time (nanoseconds) was answered: the server is there.
    Good,
    /// The server asks for less. It is there, so the circuit is not opened by it.
    Throttled { began_ns: u64, asked: Option<Duration> },
    /// A push came to nothing that was worth it.
    Failed { began_ns: u64, asked: Option<Duration> },
}

/// The circuit of one backend. Times are of the clock that never goes back, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Circuit {
    pub(super) state: State,
    /// Failures in a row, throttling left out.
    failures: u32,
    /// Pauses in a row.
    pauses: u32,
    /// Nothing is sent before.
    until_ns: u64,
    /// When the last pause began: pushes that were under way then tell of the same trouble.
    paused_ns: u64,
}

impl Circuit {
    pub(super) fn new() -> Circuit {
        Circuit { state: State::Closed, failures: 0, pauses: 0, until_ns: 0, paused_ns: 0 }
    }

    /// What is left of the pause.
    pub(super) fn pause(&self, now_ns: u64) -> Duration {
        Duration::from_nanos(self.until_ns.saturating_sub(now_ns))
    }

    /// Whether the last push failed, so that the next goes alone.
    pub(super) fn is_probing(&self) -> bool {
        self.pauses > 0
    }

    /// The circuit after this event; `share` is a random number in 0.0 … 1.0.
    pub(super) fn step(self, event: Event, now_ns: u64, share: f64) -> Circuit {
        match event {
            Event::Send if self.state == State::Open && self.until_ns <= now_ns => {
                Circuit { state: State::HalfOpen, ..self }
            }
            Event::Send => self,
            Event::Good => Circuit::new(),
            Event::Throttled { began_ns, asked } => {
                let (state, failures) = (State::Closed, 0);
                Circuit { state, failures, ..self }.paused(began_ns, asked, now_ns, share)
            }
            Event::Failed { began_ns, asked } => {
                let failures = self.failures.saturating_add(u32::from(!self.is_old(began_ns)));
                let state = if failures >= FAILURES_MAX { State::Open } else { State::Closed };
                Circuit { state, failures, ..self }.paused(began_ns, asked, now_ns, share)
            }
        }
    }

    /// Whether a push that began then was under way when the last pause began.
    fn is_old(&self, began_ns: u64) -> bool {
        self.pauses > 0 && began_ns < self.paused_ns
    }

    fn paused(mut self, began_ns: u64, asked: Option<Duration>, now_ns: u64, share: f64) -> Circuit {
        let asked = asked.unwrap_or_default().min(ASKED_MAX);
        let mut pause = asked;
        if !self.is_old(began_ns) {
            let bound = FIRST.saturating_mul(1 << self.pauses.min(16)).min(LONGEST);
            // A circuit that is open leaves the server half of the time at least.
            let share = if self.state == State::Open { 0.5 + share / 2.0 } else { share };
            pause = bound.mul_f64(share).max(asked);
            (self.pauses, self.paused_ns) = (self.pauses.saturating_add(1), now_ns);
        }
        let until = now_ns.saturating_add(u64::try_from(pause.as_nanos()).unwrap_or(u64::MAX));
        self.until_ns = self.until_ns.max(until);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    /// Each failure begins and ends right after the pause before it.
    fn after(events: &[fn(u64) -> Event], share: f64) -> (Circuit, u64) {
        events.iter().fold((Circuit::new(), 1), |(circuit, now_ns), event| {
            let sent_ns = now_ns.max(circuit.until_ns);
            let circuit = circuit.step(Event::Send, sent_ns, share);
            (circuit.step(event(sent_ns), sent_ns + 1, share), sent_ns + 1)
        })
    }

    fn failed(began_ns: u64) -> Event {
        Event::Failed { began_ns, asked: None }
    }

    fn throttled(began_ns: u64) -> Event {
        Event::Throttled { began_ns, asked: None }
    }

    fn good(_: u64) -> Event {
        Event::Good
    }

    #[test]
    fn what_happened_before_decides_the_state_and_the_pause() {
        type Events = &'static [fn(u64) -> Event];
        let table: [(Events, State, u64); 9] = [
            (&[], State::Closed, 0),
            (&[failed], State::Closed, 100),
            (&[failed, failed], State::Closed, 200),
            (&[failed, good], State::Closed, 0),
            (&[failed, failed, failed, failed], State::Closed, 800),
            (&[failed, failed, failed, failed, failed], State::Open, 1_600),
            (&[failed, failed, failed, failed, failed, good], State::Closed, 0),
            (&[failed, failed, failed, failed, throttled, failed], State::Closed, 3_200),
            (&[throttled, throttled, throttled, throttled, throttled, throttled], State::Closed, 3_200),
        ];
        for (events, state, pause_ms) in table {
            let (circuit, now_ns) = after(events, 1.0);
            let pause = circuit.pause(now_ns);
            assert_eq!((circuit.state, pause), (state, Duration::from_millis(pause_ms)), "{}", events.len());
        }
        let again = |event: fn(u64) -> Event, times| vec![event; times];
        let long = [again(failed, 40), again(throttled, 3), again(failed, 40)].concat();
        let (circuit, now_ns) = after(&long, 1.0);
        assert_eq!((circuit.state, circuit.pause(now_ns)), (State::Open, LONGEST));
        assert_eq!(after(&[long, again(good, 1)].concat(), 1.0).0, Circuit::new());
    }

    #[test]
    fn an_open_circuit_lets_one_push_through_when_its_pause_is_over() {
        let (open, now_ns) = after(&[failed as fn(u64) -> Event; 5], 0.0);
        assert_eq!(open.state, State::Open);
        assert_eq!(open.pause(now_ns), Duration::from_millis(800), "never less than half");
        assert_eq!(open.step(Event::Send, now_ns, 0.0), open, "not yet");
        let half = open.step(Event::Send, now_ns + 800 * MS, 0.0);
        assert_eq!(half.state, State::HalfOpen);
        let again = half.step(failed(now_ns + 800 * MS), now_ns + 801 * MS, 0.0);
        assert_eq!((again.state, again.pause(now_ns + 801 * MS).as_millis()), (State::Open, 1_600));
        assert_eq!(half.step(Event::Good, now_ns + 801 * MS, 0.0).state, State::Closed);
    }

    #[test]
    fn pushes_that_were_under_way_together_are_one_failure() {
        let first = Circuit::new().step(failed(5 * MS), 10 * MS, 1.0);
        let mut circuit = first;
        for began_ms in [4, 6, 9] {
            circuit = circuit.step(failed(began_ms * MS), 11 * MS, 1.0);
        }
        assert_eq!(circuit, first);
        let asked = Some(Duration::from_secs(2));
        let longer = circuit.step(Event::Failed { began_ns: 9 * MS, asked }, 11 * MS, 1.0);
        assert_eq!((longer.failures, longer.pause(11 * MS)), (1, Duration::from_secs(2)));
    }

    #[test]
    fn the_servers_delay_is_kept_within_reason() {
        let pause = |asked: u64| {
            let asked = Some(Duration::from_secs(asked));
            Circuit::new().step(Event::Throttled { began_ns: 0, asked }, 1, 0.0).pause(1).as_secs()
        };
        assert_eq!([pause(42), pause(86_400)], [42, 300]);
    }
}
