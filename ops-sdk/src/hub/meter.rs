//! What the ship threads of one backend count of their pushes, for the SDK's own metrics. Touched once a push, and read
//! once a minute; nothing here is on a caller's way.

use std::time::Duration;

use crate::lock::Mutex;

use crate::model::Distribution;

/// Why a push was not taken as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PushError {
    /// The server asked for less.
    Throttled,
    /// The server failed, or refused the credentials.
    Server,
    /// No answer came.
    Network,
    /// The server refused items for good.
    Refused,
}

impl PushError {
    /// Every class.
    pub(crate) const ALL: [PushError; 4] =
        [PushError::Throttled, PushError::Server, PushError::Network, PushError::Refused];

    /// The class as a dimension.
    pub(crate) fn name(self) -> &'static str {
        match self {
            PushError::Throttled => "throttled",
            PushError::Server => "server",
            PushError::Network => "network",
            PushError::Refused => "refused",
        }
    }
}

/// What was counted since it was taken last; the last three are as they stand.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Metered {
    pub(crate) pushes: u64,
    /// Pushes that are sent again, all or in part.
    pub(crate) retries: u64,
    /// By the order of [`PushError::ALL`].
    pub(crate) errors: [u64; PushError::ALL.len()],
    /// Bytes of the items that were pushed.
    pub(crate) bytes: u64,
    /// Bytes of the bodies that went over the wire, compressed or not.
    pub(crate) wire_bytes: u64,
    /// How long each push took, in milliseconds.
    pub(crate) durations: Distribution,
    /// Each time the circuit opened, and why, or closed.
    pub(crate) turns: Vec<Option<String>>,
    pub(crate) is_open: bool,
    /// How many pushes may be under way.
    pub(crate) window: u64,
}

/// Turns of the circuit that are kept until they are told. There are few: each takes a pause.
const TURNS_MAX: usize = 32;

/// The counts of one backend.
#[derive(Debug, Default)]
pub(crate) struct Meter(Mutex<Metered>);

impl Meter {
    /// One push came to its end.
    pub(crate) fn push(&self, bytes: usize, wire_bytes: u64, took: Duration, error: Option<PushError>) {
        let mut now = self.0.lock();
        now.pushes += 1;
        now.bytes += bytes as u64;
        now.wire_bytes += wire_bytes;
        now.durations.observe(took.as_secs_f64() * 1e3, 1);
        if let Some(error) = error {
            now.errors[error as usize] += 1;
        }
    }

    /// One push is sent again.
    pub(crate) fn retry(&self) {
        self.0.lock().retries += 1;
    }

    /// The circuit opened, and why, or closed.
    pub(crate) fn turned(&self, why: Option<&str>) {
        let mut now = self.0.lock();
        now.is_open = why.is_some();
        if now.turns.len() < TURNS_MAX {
            now.turns.push(why.map(str::to_owned));
        }
    }

    /// So many pushes may be under way.
    pub(crate) fn window(&self, pushes: usize) {
        self.0.lock().window = pushes as u64;
    }

    /// What was counted since this was asked last.
    pub(crate) fn take(&self) -> Metered {
        let mut now = self.0.lock();
        let next = Metered { is_open: now.is_open, window: now.window, ..Metered::default() };
        std::mem::replace(&mut now, next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_told_once_and_what_stands_stays() {
        let meter = Meter::default();
        meter.push(100, 40, Duration::from_millis(3), None);
        meter.push(100, 40, Duration::from_millis(5), Some(PushError::Throttled));
        meter.retry();
        meter.turned(Some("down"));
        meter.window(2);
        let told = meter.take();
        assert_eq!((told.pushes, told.retries, told.errors), (2, 1, [1, 0, 0, 0]));
        assert_eq!((told.bytes, told.wire_bytes, told.durations.count), (200, 80, 2));
        assert_eq!((told.turns, told.is_open, told.window), (vec![Some("down".to_owned())], true, 2));
        let rest = meter.take();
        assert_eq!(rest, Metered { is_open: true, window: 2, ..Metered::default() });
    }
}
