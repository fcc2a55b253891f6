//! The troubles, as plain data: how much is recorded, what the sink does meanwhile, and how the process ends.

use std::time::Duration;

/// What the sink does with what comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Takes it.
    Takes,
    /// Takes it, and needs a millisecond for each event.
    Slow,
    /// Refuses it: HTTP's 429 to who pushes, an error to who writes.
    Refuses,
    /// Answers nothing: a request that stays open, a write that does not return.
    Hangs,
    /// Is not there: a connection that is cut, an error to who writes.
    Gone,
}

/// What is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Load {
    /// So many events, as fast as they can be.
    Burst(u64),
    /// [`RATE`] events a second while the outage lasts.
    Steady,
    /// Two ordinary events, and between them one with a text of so many bytes.
    Long(usize),
}

/// How the first process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// At once, as a program that is done: orderly, by the peer's own way to end.
    Done,
    /// The same, told by a SIGTERM, and killed after [`GRACE`].
    Terminated,
    /// The same, once the sink has taken everything or has been given nothing new for [`QUIET`].
    Settled,
}

/// One trouble.
pub struct Case {
    pub name: &'static str,
    pub mode: Mode,
    pub load: Load,
    pub end: End,
    /// What the process that is started next records, the sink being well again.
    pub again: u64,
}

/// Events a second, where they come steadily.
pub const RATE: u64 = 80_000;
/// Between a SIGTERM and a SIGKILL, as `docker stop` has it.
pub const GRACE: Duration = Duration::from_secs(10);
/// The same where nobody sent a signal: longer than any peer takes by its own settings.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// So long without anything new, and no more is expected. Longer than the longest pause between two tries.
pub const QUIET: Duration = Duration::from_secs(20);

/// Every trouble.
pub const CASES: &[Case] = &[
    Case { name: "flood", mode: Mode::Takes, load: Load::Burst(3_000_000), end: End::Done, again: 0 },
    Case { name: "sigterm", mode: Mode::Slow, load: Load::Burst(10_000), end: End::Terminated, again: 0 },
    Case { name: "throttled", mode: Mode::Refuses, load: Load::Steady, end: End::Settled, again: 0 },
    Case { name: "hung", mode: Mode::Hangs, load: Load::Steady, end: End::Settled, again: 0 },
    Case { name: "outage", mode: Mode::Gone, load: Load::Burst(10_000), end: End::Done, again: 10_000 },
    Case { name: "long", mode: Mode::Takes, load: Load::Long(2_000_000), end: End::Settled, again: 0 },
];

impl Case {
    /// How long the sink takes nothing, where that is for a time; a sixth of what is asked for where it hangs.
    pub fn outage(&self, asked: Duration) -> Option<Duration> {
        match self.mode {
            Mode::Refuses => Some(asked),
            Mode::Hangs => Some(asked / 6),
            Mode::Takes | Mode::Slow | Mode::Gone => None,
        }
    }

    /// What it is, in one line.
    pub fn title(&self, asked: Duration) -> String {
        let seconds = self.outage(asked).unwrap_or_default().as_secs_f64();
        match self.name {
            "flood" => "flood: three million events as fast as they can be, then an orderly end".to_owned(),
            "sigterm" => format!(
                "sigterm: 10,000 events, a sink that takes a millisecond for each, SIGTERM, and SIGKILL {} s later",
                GRACE.as_secs()
            ),
            "throttled" => {
                format!("throttled: {RATE} events/s while the sink answers 429 for {seconds} s (--seconds)")
            }
            "hung" => {
                format!(
                    "hung: {RATE} events/s while the sink answers nothing for {seconds} s (--seconds / 6)"
                )
            }
            "outage" => {
                "outage: 10,000 events while there is no sink, an orderly end, a new start and 10,000 more"
                    .to_owned()
            }
            _ => "long: one line of 2,000,000 bytes (its bytes are what is counted)".to_owned(),
        }
    }
}
