//! SIGTERM and SIGINT, where a program asked for it: what was recorded is brought to the backends within the shutdown
//! deadline, and then the process ends by the signal as it would have. A program that has a handler of its own is not
//! ended, only flushed: what a signal means is its to say. Off unless asked, because a library takes no signals.
//!
//! A thread of its own, "ops-signal", ends with the guard. It keeps its time whatever hangs: the flush runs beside it.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use super::ops::farewell;
use super::report::FlushReport;
use super::start::spawn;
use crate::diag;
use crate::error::Error;
use crate::hub::Hub;
use crate::record;
use crate::record::system::signals::{self, Ears};

pub(super) use crate::record::system::signals::Watch;

/// Beyond the deadline, for what does not keep it: a disk that hangs.
const GRACE: Duration = Duration::from_millis(500);

/// What is flushed when a signal comes.
#[derive(Clone)]
struct Target {
    hub: Arc<Hub>,
    deadline: Duration,
    on_disk: bool,
}

/// Begins to hear signals, until what is returned is dropped.
pub(super) fn watch(hub: &Arc<Hub>, deadline: Duration, on_disk: bool) -> Result<Watch, Error> {
    let target = Target { hub: Arc::clone(hub), deadline, on_disk };
    let (watch, ears) = signals::watch().map_err(|source| Error::System {
        what: "the pipe of OPS_ON_SIGNALS / .on_signals(..)".to_owned(),
        remedy: "allow the process more open files".to_owned(),
        source,
    })?;
    spawn("ops-signal", move || target.listen(ears))?;
    Ok(watch)
}

impl Target {
    fn listen(&self, mut ears: Ears) {
        record::mute();
        while let Some(heard) = ears.wait() {
            if heard.alone {
                record::turn_off(); // what is recorded from here on would be lost, so it is not begun
                self.within_deadline(Target::finish);
                signals::end(heard.signal);
            }
            self.within_deadline(|target| {
                target.hub.flush(target.deadline);
            });
        }
    }

    /// Flushes, and says what is left.
    fn finish(&self) {
        let before = self.hub.books();
        let complete = self.hub.flush(self.deadline);
        let after = self.hub.books();
        let report = FlushReport::between(&before, &after, complete, &self.hub.unkept());
        farewell(&report, &after, self.on_disk).into_iter().for_each(|line| diag::say(&line));
        // Last, since a medium may take longer than there is time; the system has the data already.
        if self.on_disk {
            let _ = self.hub.sync();
        }
    }

    /// Runs `work` in a thread of its own, and waits for it until the deadline and a little longer.
    fn within_deadline(&self, work: fn(&Target)) {
        let (target, (done, is_done)) = (self.clone(), mpsc::channel::<()>());
        let run = move || {
            work(&target);
            drop(done); // which ends the wait
        };
        // Where there is no thread to be had, there is no time to be kept either.
        if spawn("ops-signal-flush", run).is_ok() {
            let ended = is_done.recv_timeout(self.deadline.saturating_add(GRACE));
            debug_assert!(matches!(ended, Err(RecvTimeoutError::Disconnected | RecvTimeoutError::Timeout)));
        }
    }
}
