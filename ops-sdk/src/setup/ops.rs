//! The guard: flushes, tells how the books stand, and ends everything when it is dropped.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::env::{self, Hooks};
use super::report::{FlushReport, Stats};
use super::siblings::Leash;
use super::start::Running;
use super::{panics, signals};
use crate::diag;
use crate::error::Error;
use crate::hub::Hub;
use crate::journal::StateLock;
use crate::ledger::{Book, Loss};
use crate::record::{self, Arena, keep};

/// How long threads may take to end once the deadline has passed: those that do not are left behind.
const GRACE: Duration = Duration::from_millis(50);
/// The same for the flush thread: what it moves to the journal is at most what rings hold, unless the disk hangs.
const GRACE_FLUSH: Duration = Duration::from_secs(1);

/// Recording goes on while this lives, in the process that started it: in a child of `fork` it does nothing, and the child
/// may start recording itself, with a state directory of its own. Dropped, it stops recording, delivers what it can within the shutdown
/// deadline, and says on stderr what is left.
#[must_use = "recording stops when this is dropped: keep it in a variable of main"]
pub struct Ops {
    pub(super) hub: Arc<Hub>,
    pub(super) threads: Vec<JoinHandle<()>>,
    pub(super) deadline: Duration,
    pub(super) on_disk: bool,
    /// What ends the shipping of other processes' directories.
    pub(super) adopting: Option<(Arc<Leash>, JoinHandle<()>)>,
    pub(super) _signals: Option<signals::Watch>,
    pub(super) _panics: Option<panics::Hook>,
    /// The file that the arena is kept in.
    pub(super) kept_in: Option<PathBuf>,
    pub(super) _lock: Option<StateLock>,
    pub(super) _running: Running,
}

impl Ops {
    /// Brings everything recorded so far to every backend, or gives up at the deadline. Open metric windows are
    /// closed early. Blocks the calling thread until then.
    pub fn flush(&self, deadline: Duration) -> FlushReport {
        if !self._running.is_here() {
            return FlushReport::elsewhere();
        }
        let before = self.hub.books();
        let complete = self.hub.flush(deadline);
        FlushReport::between(&before, &self.hub.books(), complete, &self.hub.unkept())
    }

    /// How the books stand.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let arena_used_bytes = Arena::get().map_or(0, |arena| arena.used_bytes());
        let books = if self._running.is_here() { self.hub.books() } else { Vec::new() };
        Stats { books, arena_used_bytes }
    }

    /// Changes which events are recorded, from now on and on every thread, as [`Builder::levels`](super::Builder::levels)
    /// sets it at the start: `"info,shop::db=debug"`.
    ///
    /// # Errors
    ///
    /// If the levels mean nothing, or were set in 1,024 different ways since the process started. The error names the
    /// item and what is allowed; nothing has changed then.
    pub fn set_levels(&self, levels: &str) -> Result<(), Error> {
        if !self._running.is_here() {
            let problem = "recording was started in the process that this is a child of";
            return Err(Error::setting(
                ".set_levels(..)",
                problem,
                "call ops_sdk::init().start() in this process",
            ));
        }
        let rules = env::rules(".set_levels(..)", levels)?;
        record::turn_on(&rules).map_err(too_many_levels)
    }

    /// Stops recording and delivers what it can within `deadline`: what dropping does, with a report.
    pub fn shutdown(mut self, deadline: Duration) -> FlushReport {
        self.stop(deadline).0
    }

    /// Takes signals and panics, if that was asked for.
    pub(super) fn add_hooks(&mut self, hooks: Hooks) -> Result<(), Error> {
        if hooks.signals {
            self._signals = Some(signals::watch(&self.hub, self.deadline, self.on_disk)?);
        }
        self._panics = hooks.panics.then(panics::hook);
        Ok(())
    }

    fn stop(&mut self, deadline: Duration) -> (FlushReport, Vec<Book>) {
        if !self._running.is_here() {
            // The threads are the parent's, and so is whatever lock they hold.
            std::mem::forget((std::mem::take(&mut self.threads), self.adopting.take()));
            return (FlushReport::elsewhere(), Vec::new());
        }
        let began = Instant::now();
        let before = self.hub.books();
        record::turn_off();
        self.hub.stop(deadline);
        let adopting = self.adopting.take().map(|(leash, thread)| {
            leash.end();
            [thread]
        });
        let threads = std::mem::take(&mut self.threads);
        wait_for(&threads, || began.elapsed() < deadline.saturating_add(GRACE));
        // The first is the flush thread. It waits for nobody, and what is in the rings is nowhere else.
        wait_for(&threads[..1], || began.elapsed() < deadline.saturating_add(GRACE_FLUSH));
        let complete = threads.iter().all(JoinHandle::is_finished);
        // Another process's data is its own affair, but a push of it is not cut off while there is time.
        wait_for(adopting.as_ref().map_or(&[], |thread| thread), || began.elapsed() < deadline);
        // The medium is not waited for past the deadline; the system has the data already.
        if self.on_disk && began.elapsed() < deadline {
            let _ = self.hub.sync();
        }
        if threads[0].is_finished()
            && let Some((arena, path)) = Arena::get().zip(self.kept_in.as_deref())
        {
            keep::let_go(arena, path); // the journal has all of it
        }
        let after = self.hub.books();
        let complete = complete && after.iter().flat_map(|book| &book.rows).all(|row| row.pending == 0);
        let report = FlushReport::between(&before, &after, complete, &self.hub.unkept());
        self.hub.close();
        (report, after)
    }
}

pub(super) fn too_many_levels(problem: String) -> Error {
    Error::setting("OPS_LEVEL / .levels(..)", problem, "go back to levels that were set before")
}

impl Drop for Ops {
    fn drop(&mut self) {
        if self.threads.is_empty() {
            return; // shut down before
        }
        let (report, books) = self.stop(self.deadline);
        farewell(&report, &books, self.on_disk).into_iter().for_each(|line| diag::say(&line));
    }
}

/// Waits until every thread has ended, or there is no time.
pub(super) fn wait_for(threads: &[JoinHandle<()>], is_time: impl Fn() -> bool) {
    let mut pause = Duration::from_micros(100);
    while threads.iter().any(|thread| !thread.is_finished()) && is_time() {
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(5));
    }
}

/// What is left at the end, said in one line; nothing if nothing is.
pub(super) fn farewell(report: &FlushReport, books: &[Book], on_disk: bool) -> Option<String> {
    let FlushReport { spooled, pending, dropped, .. } = report;
    if spooled + pending + dropped == 0 {
        return None;
    }
    let why = if on_disk { "the state directory did not take them" } else { Loss::ProcessExit.said() };
    let kept = format!("{spooled} records are kept in the state directory for the next start; ");
    let lost = format!("{pending} records are lost ({why}); ");
    let fates = [(spooled, kept), (pending, lost)].into_iter().filter(|(count, _)| **count > 0);
    let fates: String = fates.map(|(_, fate)| fate).collect();
    let books: Vec<_> = books.iter().map(|book| format!("{}: {book}", book.backend)).collect();
    Some(format!("{fates}{}", books.join("; ")))
}
