//! What a process left in its arena when it died, brought to the journal: what the flush thread would have brought
//! there, had it lived. Runs before anyone reads the journal. A process that dies over it leaves it to the next one, and
//! nothing comes twice by that: what the journal got of it is cut back first.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use super::losses::Losses;
use super::outbox::Outbox;
use super::sieve::Sieve;
use crate::aggregate::Window;
use crate::diag;
use crate::error::Error;
use crate::journal::Journal;
use crate::ledger::Loss;
use crate::model::{Body, Resolution};
use crate::record::losses::Lost;
use crate::record::{Found, Remains, Shelf, keep};

/// The file of a state directory that the arena is kept in.
pub(crate) fn arena_in(state_dir: &Path) -> PathBuf {
    state_dir.join("arena")
}

/// What was found of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recovered {
    /// Its number in record ids.
    pub(crate) process: u64,
    /// Log events that it had recorded and nobody had taken.
    pub(crate) events: u64,
    /// Series of which something was not taken.
    pub(crate) series: u64,
    /// Events that cannot be read.
    pub(crate) damaged: u64,
}

impl fmt::Display for Recovered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Recovered { process, events, series, damaged } = self;
        write!(f, "process {process:016x} left {events} log events and {series} series of metrics")?;
        if *damaged > 0 { write!(f, "; {damaged} log events more cannot be read") } else { Ok(()) }
    }
}

/// Brings what the process that had this state directory left in its arena to the journal, of which the caller is the
/// only user. `None` if it left none: it ended by itself, or had none.
///
/// # Errors
///
/// If the file cannot be read or written.
pub(crate) fn recover(
    state_dir: &Path,
    journal: &mut Journal,
    held_bytes_max: usize,
) -> Result<Option<Recovered>, Error> {
    let path = arena_in(state_dir);
    if keep::is_kept_in(&path) {
        return Ok(None); // it is this process's own, and goes on
    }
    let mut file = match OpenOptions::new().read(true).write(true).open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(fail("open", &path)(error)),
    };
    match Remains::read(&mut file).map_err(fail("read", &path))? {
        Found::Arena(mut remains) => {
            let recovered = bring(&mut remains, &mut file, &path, journal, held_bytes_max)?;
            fs::remove_file(&path).map_err(fail("remove", &path))?;
            Ok(Some(recovered).filter(|found| found.events + found.series + found.damaged > 0))
        }
        Found::Foreign => put_aside(&path, "another build of the SDK has written it").map(|()| None),
        Found::Nothing => put_aside(&path, "it is no arena, or one that lost power").map(|()| None),
    }
}

fn fail<'a>(action: &'static str, path: &'a Path) -> impl Fn(io::Error) -> Error + 'a {
    move |source| Error::Path {
        setting: "OPS_STATE_DIR / .state_dir(..)".to_owned(),
        action,
        path: path.to_owned(),
        remedy: "give a directory whose files this user may read and write".to_owned(),
        source,
    }
}

/// What cannot be read here stays, under a name that is nobody's, for who can.
fn put_aside(path: &Path, why: &str) -> Result<(), Error> {
    let aside = (1..).map(|n| path.with_extension(format!("unread-{n}"))).find(|aside| !aside.exists());
    let aside = aside.unwrap_or_else(|| path.with_extension("unread"));
    fs::rename(path, &aside).map_err(fail("rename", path))?;
    diag::say(&format!(
        "what a process left in {} cannot be read: {why}; it is kept as {}: run `ops recover` of the version that wrote \
         it on a copy of the directory, or remove it",
        path.display(),
        aside.display()
    ));
    Ok(())
}

/// No process numbers so many records: a file that says so is damaged.
const FIRST_MAX: u64 = 1 << 62;

fn bring(
    remains: &mut Remains,
    file: &mut File,
    path: &Path,
    journal: &mut Journal,
    held_bytes_max: usize,
) -> Result<Recovered, Error> {
    let process = remains.told().process;
    let first = remains.settle(file, journal.last_of(process)).map_err(fail("write to", path))?;
    journal.cut_from(process, first)?;
    let mut outbox = Outbox::new(process, first.clamp(1, FIRST_MAX));
    let (events, damaged) = bring_events(remains, &mut outbox, journal, held_bytes_max);
    let series = bring_metrics(remains, &mut outbox);
    bring_losses(remains, damaged, &mut outbox);
    outbox.send_to(journal);
    // What waits in memory for a disk that does not take it would go with this process, and the file with it.
    journal.sync().map_err(fail("bring to the journal what is in", path))?;
    Ok(Recovered { process, events, series, damaged })
}

/// Events go the way that they would have gone. Units of work that had not ended have failed, with their process.
fn bring_events(
    remains: &Remains,
    outbox: &mut Outbox,
    journal: &mut Journal,
    held_bytes_max: usize,
) -> (u64, u64) {
    let (events, damaged) = remains.events();
    let (mut sieve, mut brought) = (Sieve::new(held_bytes_max, Shelf::NONE), 0);
    sieve.begin(remains.told().died_ns());
    for event in remains.held().iter().chain(&events) {
        if let Some(values) = sieve.pass(event.site, event.ticks, event.values) {
            outbox.event(event.site, remains.told().unix_ns(event.ticks), values);
            brought += 1;
        }
        if outbox.is_full() {
            outbox.send_to(journal);
        }
    }
    for event in sieve.released(true) {
        outbox.event(event.site, remains.told().unix_ns(event.ticks), &event.values);
        brought += 1;
    }
    for log in sieve.say(true) {
        outbox.put(remains.told().died_ns(), Body::Log(log));
    }
    (brought, damaged)
}

fn bring_metrics(remains: &Remains, outbox: &mut Outbox) -> u64 {
    let told = remains.told();
    let mut series = 0;
    for resolution in [Resolution::Standard, Resolution::High] {
        let mut window = Window::default();
        remains.metrics(resolution).for_each(|(site, labels, taken)| window.add(site, labels, taken));
        for metric in window.close(resolution.window_ms(), &told.dimensions) {
            outbox.put(told.window_ms(resolution) * 1_000_000, Body::Metric(metric));
            series += 1;
        }
    }
    series
}

/// What was lost before the process died is said now, since nobody said it then.
fn bring_losses(remains: &Remains, damaged: u64, outbox: &mut Outbox) {
    let mut losses = Losses::default();
    let damaged = Some(Lost::of_logs(Loss::Damaged, damaged)).filter(|lost| lost.count > 0);
    remains.losses().iter().chain(&damaged).for_each(|lost| losses.note(lost));
    let told = remains.told();
    let window = Resolution::Standard;
    for body in losses.say(window.window_ms(), &told.dimensions) {
        let is_metric = matches!(body, Body::Metric(_));
        let time_ns = if is_metric { told.window_ms(window) * 1_000_000 } else { told.died_ns() };
        outbox.put(time_ns, body);
    }
}
