//! What a directory holds that no process records into: opened, shipped within a deadline, and left in order. For
//! directories whose process is gone, and for the command `ops ship`.
//!
//! What waits there for a backend that is not ours stays: its cursor is held where it is, so that nothing of it is
//! let go of.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::ops::wait_for;
use super::report::FlushReport;
use super::start::{attach, spawn};
use crate::backend::{Backend, Context};
use crate::diag;
use crate::error::Error;
use crate::flush::recovery;
use crate::hub::Hub;
use crate::journal::{self, Journal, Settings, StateLock};
use crate::ledger::{Account, Book};
use crate::ship::{self, Shipper};
use crate::signal::Signal;

/// How long threads may take to end once the deadline has passed: a push that is cut off may arrive all the same.
const GRACE: Duration = Duration::from_secs(2);

/// How a directory is opened for shipping.
#[derive(Clone)]
pub(super) struct Opening {
    pub(super) settings: Settings,
    pub(super) held_bytes_max: usize,
    pub(super) shipping: ship::Settings,
}

/// A directory that is open for shipping.
pub(super) struct Spool {
    hub: Arc<Hub>,
    shippers: Vec<(String, Shipper)>,
    _lock: StateLock,
}

/// How many records wait in a directory, over all backends. Whoever asks holds its lock.
pub(super) fn waiting(opening: &Opening) -> Result<u64, Error> {
    let mut journal = open_journal(opening)?;
    let ids = opening.settings.dir.as_deref().map(journal::cursors_in).unwrap_or_default();
    let waits =
        |id: String| journal.attach(&id, [true; Signal::COUNT]).map(|it| it.carried.iter().sum::<u64>());
    ids.into_iter().map(waits).sum()
}

/// The journal, with what the process left in its arena when it died.
fn open_journal(opening: &Opening) -> Result<Journal, Error> {
    let Opening { settings, held_bytes_max, .. } = opening;
    let (mut journal, _) = Journal::open(settings.clone())?;
    if let Some(dir) = &settings.dir
        && let Some(recovered) = recovery::recover(dir, &mut journal, *held_bytes_max)?
    {
        diag::say(&format!("{}: {recovered}; recovered", dir.display()));
    }
    Ok(journal)
}

impl Spool {
    /// Opens a directory for these backends.
    pub(super) fn open(
        lock: StateLock,
        opening: &Opening,
        backends: Vec<Box<dyn Backend>>,
        context: &Context,
    ) -> Result<Spool, Error> {
        let ids = opening.settings.dir.as_deref().map(journal::cursors_in).unwrap_or_default();
        let journal = open_journal(opening)?;
        let hub = Arc::new(Hub::new(journal));
        let shippers =
            attach(&hub, backends, context, ship::Settings { linger: Duration::ZERO, ..opening.shipping })?;
        let is_ours = |id: &String| shippers.iter().any(|(own, _)| own == id);
        for id in ids.into_iter().filter(|id| !is_ours(id)) {
            hub.attach(Arc::new(Account::new(&id, |_| true)))?;
        }
        Ok(Spool { hub, shippers, _lock: lock })
    }

    /// Ships what there is, within the deadline, or less if somebody stops the hub, which `begun` is shown. The report is
    /// complete if all that waited for our backends is settled.
    pub(super) fn ship(
        self,
        deadline: Duration,
        begun: impl FnOnce(&Arc<Hub>),
    ) -> Result<FlushReport, Error> {
        let before = self.hub.books();
        let ours = self.shippers.len();
        self.hub.stop(deadline);
        begun(&self.hub);
        if let Some((number, _)) = self.hub.wait_to_flush(Duration::ZERO) {
            self.hub.flushed(number); // there is nothing else to wait for
        }
        let threads = self.shippers.into_iter();
        let threads = threads.map(|(id, shipper)| spawn(&format!("ops-ship-{id}"), move || shipper.run()));
        let threads: Vec<_> = threads.collect::<Result<_, _>>()?;
        wait_for(&threads, || self.hub.time_left() > Duration::ZERO);
        let over = Instant::now();
        wait_for(&threads, || over.elapsed() < GRACE);
        let _ = self.hub.sync(); // the system has the data already
        let after = self.hub.books();
        let complete = after[..ours].iter().all(|book| pending(book) == 0);
        let report = FlushReport::between(&before, &after, complete, &self.hub.unkept());
        self.hub.close();
        Ok(report)
    }
}

fn pending(book: &Book) -> u64 {
    book.rows.iter().map(|row| row.pending).sum()
}

/// Ships what `dir` holds, as `Builder::ship` says.
pub(super) fn ship(
    dir: &Path,
    opening: &Opening,
    open: impl FnOnce(&Context) -> Result<Vec<Box<dyn Backend>>, Error>,
    mut context: Context,
    deadline: Duration,
) -> Result<FlushReport, Error> {
    if !dir.join("journal").is_dir() {
        let problem = format!("{} is no state directory: it has no journal", dir.display());
        let remedy =
            "give the directory that OPS_STATE_DIR named, or one of the numbered ones in OPS_STATE_PARENT";
        return Err(Error::setting("ops ship DIR", problem, remedy));
    }
    let lock = journal::lock(dir)?;
    context.state_dir = Some(dir.to_owned());
    let backends = open(&context)?;
    Spool::open(lock, opening, backends, &context)?.ship(deadline, |_| ())
}
