//! Processes that share a parent of their state directories: each takes the first of the numbered directories that no
//! live process has, so that those which are started again find what those which were killed have left. What lies in a
//! directory that nobody takes is shipped by those that live: at the start and once a minute each looks for free
//! directories with something in them, and ships one after the other, holding its lock meanwhile, so that no two ship
//! the same.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::lock::{Condvar, Mutex};

use super::spool::{self, Opening, Spool};
use crate::backend::{Configure, Context};
use crate::clock::Now;
use crate::diag;
use crate::error::Error;
use crate::hub::Hub;
use crate::journal::{self, StateLock};
use crate::record;

/// Processes that may share a parent.
const SIBLINGS_MAX: u32 = 1024;
/// How often free directories are looked for.
const EVERY: Duration = Duration::from_secs(60);
/// How long one directory is shipped before the next has its turn.
const TURN: Duration = Duration::from_secs(60);

/// Takes the first directory that is free.
pub(super) fn claim(parent: &Path) -> Result<(PathBuf, StateLock), Error> {
    for number in 0..SIBLINGS_MAX {
        let dir = parent.join(number.to_string());
        if let Some(lock) = journal::try_lock(&dir)? {
            return Ok((dir, lock));
        }
    }
    let problem = format!("all of {SIBLINGS_MAX} directories in {} are in use", parent.display());
    Err(Error::setting("OPS_STATE_PARENT / .state_parent(..)", problem, "give some processes another parent"))
}

/// The numbered directories, in order.
fn numbered(parent: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(parent).into_iter().flatten().map_while(Result::ok);
    let number = |name: &str| name.parse::<u32>().ok().filter(|number| number.to_string() == name);
    let mut numbers: Vec<u32> =
        entries.filter_map(|entry| entry.file_name().to_str().and_then(number)).collect();
    numbers.sort_unstable();
    numbers.into_iter().map(|number| parent.join(number.to_string())).collect()
}

/// Ships what siblings have left behind.
pub(super) struct Adopter {
    pub(super) parent: PathBuf,
    /// What every directory is opened with, each with a place of its own.
    pub(super) opening: Opening,
    pub(super) context: Context,
    pub(super) backends: Vec<Box<dyn Configure>>,
    pub(super) leash: Arc<Leash>,
}

/// What ends an adopter.
#[derive(Default)]
pub(super) struct Leash {
    held: Mutex<Held>,
    changed: Condvar,
}

#[derive(Default)]
struct Held {
    ends: bool,
    hub: Option<Arc<Hub>>,
}

impl Leash {
    /// Has the adopter end: what it has not shipped yet stays where it is.
    pub(super) fn end(&self) {
        let mut held = self.held.lock();
        held.ends = true;
        held.hub.take().into_iter().for_each(|hub| hub.stop(Duration::ZERO));
        drop(held);
        self.changed.notify_all();
    }

    /// Waits; says whether there is to be another round.
    fn wait(&self, pause: Duration) -> bool {
        let (mut held, until) = (self.held.lock(), Instant::now() + pause);
        while !held.ends && !self.changed.wait_until(&mut held, until).timed_out() {}
        !held.ends
    }

    /// Makes known what is being shipped; says whether it may be.
    fn hold(&self, hub: Option<Arc<Hub>>) -> bool {
        let mut held = self.held.lock();
        held.hub = hub;
        !held.ends
    }
}

impl Adopter {
    /// Works until it is told to end.
    pub(super) fn run(self) {
        record::mute();
        while self.round() && self.leash.wait(EVERY) {}
    }

    /// Looks at every directory once. Says whether it may go on.
    fn round(&self) -> bool {
        let others = numbered(&self.parent).into_iter();
        for dir in others.filter(|dir| Some(dir) != self.context.state_dir.as_ref()) {
            if let Err(error) = self.adopt(&dir) {
                diag::warn(
                    "adopt",
                    Now::read(),
                    &format!("what {} holds is not shipped: {error}", dir.display()),
                );
            }
            if !self.leash.hold(None) {
                return false;
            }
        }
        true
    }

    /// Ships what a directory holds, if nobody else has it.
    fn adopt(&self, dir: &Path) -> Result<(), Error> {
        // Another that has a directory open is at it itself.
        let Some(lock) = journal::try_lock(dir)? else { return Ok(()) };
        let mut opening = self.opening.clone();
        opening.settings.dir = Some(dir.to_owned());
        if !dir.join("journal").is_dir() || spool::waiting(&opening)? == 0 {
            return Ok(());
        }
        let context = Context { state_dir: Some(dir.to_owned()), ..self.context.clone() };
        let again = self.backends.iter().filter_map(|backend| backend.again());
        let backends = again.map(|backend| backend.open(&context)).collect::<Result<_, _>>()?;
        let spool = Spool::open(lock, &opening, backends, &context)?;
        let begun = |hub: &Arc<Hub>| {
            if !self.leash.hold(Some(Arc::clone(hub))) {
                hub.stop(Duration::ZERO);
            }
        };
        spool.ship(TURN, begun).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_free_directory_is_taken_and_numbers_alone_are_looked_at() {
        let parent = tempfile::tempdir().unwrap();
        let claimed = |parent: &Path| {
            let (dir, lock) = claim(parent).unwrap();
            (dir.file_name().unwrap().to_str().unwrap().to_owned(), lock)
        };
        let (first, held) = claimed(parent.path());
        let (second, _held) = claimed(parent.path());
        assert_eq!([&*first, &*second], ["0", "1"]);
        drop(held);
        assert_eq!(claimed(parent.path()).0, "0", "what is free again is taken again");
        for name in ["10", "007", "lost+found", "-1", "2"] {
            fs::create_dir(parent.path().join(name)).unwrap();
        }
        let names = numbered(parent.path());
        let names: Vec<_> = names.iter().map(|dir| dir.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["0", "1", "2", "10"]);
    }
}
