//! The start: settings checked, backends opened, arena, journal and threads made, and only then the switch turned on.

use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::builder::Builder;
use super::env::Place;
use super::report::FlushReport;
use super::siblings::{self, Adopter};
use super::spool::Opening;
use super::{Ops, check, chosen, env, ops, spool};
use crate::backend::{Backend, Configure, Context};
use crate::clock::{self, Now};
use crate::diag;
use crate::error::Error;
use crate::flush::{Flusher, recovery};
use crate::hub::Hub;
use crate::journal::{self, Durability, Journal, Settings, StateLock};
use crate::ledger::Account;
use crate::model::Level;
use crate::record::system::fork;
use crate::record::{self, Arena, Reader, Rules};
use crate::ship::{self, Shipper};

/// In which process recording is on, by its generation and from 1; 0 is in none.
static RUNNING: AtomicU32 = AtomicU32::new(0);

/// Held while recording is on; lets go of it when dropped, also when the start fails half way.
pub(super) struct Running(u32);

impl Running {
    /// Whether it is this process that records, and not one that this is a child of.
    pub(super) fn is_here(&self) -> bool {
        self.0 == fork::generation() + 1
    }

    fn claim() -> Result<Running, Error> {
        let own = fork::generation() + 1;
        if RUNNING.swap(own, Ordering::AcqRel) == own { Err(Error::AlreadyStarted) } else { Ok(Running(own)) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // What a child of `fork` has of its parent's is none of its own.
        let _ = RUNNING.compare_exchange(self.0, 0, Ordering::Release, Ordering::Relaxed);
    }
}

pub(super) fn start(mut builder: Builder) -> Result<Ops, Error> {
    let running = Running::claim()?;
    let levels = match builder.levels.take() {
        Some(levels) => levels?,
        None => env::levels(&builder.var)?.unwrap_or(Rules::all(Some(Level::Info))),
    };
    let deadline = builder.shutdown_deadline.or(env::shutdown_deadline(&builder.var)?);
    let budget = env::overhead_budget(&builder.var, builder.overhead_budget)?;
    let hooks = env::hooks(&builder)?;
    let shipping = shipping(&builder)?;
    let tells = env::self_metrics(&builder.var, builder.self_metrics)?.then_some(builder.self_metrics_every);
    let chosen = chosen::backends(&mut builder)?;
    let mut context = context(&mut builder)?;
    let (lock, parent) = place(&mut builder, &mut context)?;
    let opening = opening(&builder, shipping)?;
    let adopter = parent.map(|parent| adopter(parent, opening, &context, chosen.again()));
    let opened = chosen.open(&context)?;

    // The flush thread of a start before may not have found its end yet.
    let reader = Reader::new(arena(&builder)?).ok_or(Error::AlreadyStarted)?;
    let settings = settings(&builder, context.state_dir.clone())?;
    let durability = settings.durability;
    let (mut journal, _) = Journal::open(settings)?;
    let kept_in = keep(&reader, context.state_dir.as_deref(), &mut journal, builder.held_bytes_max)?;
    let hub = Arc::new(Hub::new(journal));
    let shippers = attach(&hub, opened, &context, shipping)?;
    let flusher = Flusher::new(
        Arc::clone(&hub),
        reader,
        context.process,
        context.dimensions.clone(),
        builder.held_bytes_max,
    );
    let flusher = flusher.governed(budget).telling(tells);

    let threads = threads(flusher, shippers).inspect_err(|_| hub.stop(Duration::ZERO))?;
    if let (Durability::PowerLoss { every }, true) = (durability, lock.is_some()) {
        let syncer = Arc::clone(&hub);
        // Not among those that the end waits for: it may hang with the medium, and holds nothing.
        spawn("ops-sync", move || syncer.sync_every(every)).inspect_err(|_| hub.stop(Duration::ZERO))?;
    }
    // Who starts recording is likely to record.
    record::take_lane_now();
    record::turn_on(&levels).map_err(ops::too_many_levels).inspect_err(|_| hub.stop(Duration::ZERO))?;
    let deadline = deadline.unwrap_or(Duration::from_secs(5));
    let on_disk = lock.is_some();
    let mut ops = Ops {
        hub,
        threads,
        deadline,
        on_disk,
        kept_in,
        adopting: None,
        _signals: None,
        _panics: None,
        _lock: lock,
        _running: running,
    };
    ops.add_hooks(hooks)?;
    if let Some(adopter) = adopter {
        let leash = Arc::clone(&adopter.leash);
        ops.adopting = Some((leash, spawn("ops-adopt", move || adopter.run())?));
    }
    Ok(ops)
}

/// Ships what a directory holds, without recording anything.
pub(super) fn ship(mut builder: Builder, dir: &Path, deadline: Duration) -> Result<FlushReport, Error> {
    let (chosen, context) = (chosen::backends(&mut builder)?, context(&mut builder)?);
    let open = |context: &Context| chosen.open(context);
    let opening = Opening {
        settings: settings(&builder, Some(dir.to_owned()))?,
        ..opening(&builder, shipping(&builder)?)?
    };
    spool::ship(dir, &opening, open, context, deadline)
}

fn shipping(builder: &Builder) -> Result<ship::Settings, Error> {
    Ok(ship::Settings {
        linger: builder.linger,
        pushes_max: env::pushes_max(&builder.var, builder.pushes_max)?,
        dead_letter_bytes_max: builder.dead_letter_bytes_max,
    })
}

/// How other directories than the process's own are opened.
fn opening(builder: &Builder, shipping: ship::Settings) -> Result<Opening, Error> {
    // On disk, whichever directory it will be: the bounds are those of a disk.
    let settings = settings(builder, Some(PathBuf::new()))?;
    Ok(Opening { settings, held_bytes_max: builder.held_bytes_max, shipping })
}

/// Locks the state directory, the one that is set or the first free one of the parent that is; says which parent.
fn place(
    builder: &mut Builder,
    context: &mut Context,
) -> Result<(Option<StateLock>, Option<PathBuf>), Error> {
    let (dir, lock, parent) = match env::place(builder)? {
        None => return Ok((None, None)),
        Some(Place::Dir(dir)) => {
            let lock = journal::lock(&dir)?;
            (dir, lock, None)
        }
        Some(Place::Parent(parent)) => {
            let (dir, lock) = siblings::claim(&parent)?;
            (dir, lock, Some(parent))
        }
    };
    context.state_dir = Some(dir);
    Ok((Some(lock), parent))
}

/// Who ships what other processes of the same parent have left behind.
fn adopter(
    parent: PathBuf,
    opening: Opening,
    context: &Context,
    backends: Vec<Box<dyn Configure>>,
) -> Adopter {
    Adopter { parent, opening, context: context.clone(), backends, leash: Arc::default() }
}

/// Brings what an earlier process left in its arena to the journal, and keeps this one's in the state directory. Says
/// where; nowhere without a state directory, or where the system will not have it: that is said, and recording goes on.
fn keep(
    reader: &Reader,
    state_dir: Option<&Path>,
    journal: &mut Journal,
    held_bytes_max: usize,
) -> Result<Option<PathBuf>, Error> {
    let Some(dir) = state_dir else {
        reader.keep_nowhere();
        return Ok(None);
    };
    if let Some(recovered) = recovery::recover(dir, journal, held_bytes_max)? {
        diag::say(&format!("{}: {recovered}; recovered", dir.display()));
    }
    let path = recovery::arena_in(dir);
    match reader.keep_in(&path) {
        Ok(()) => Ok(Some(path)),
        Err(error) => {
            reader.keep_nowhere();
            diag::say(&format!(
                "OPS_STATE_DIR / .state_dir(..): cannot keep what is being recorded in {}: {error}; a process that is \
                 killed loses what it recorded last. Make room on the disk, or give a directory on a local one",
                path.display()
            ));
            Ok(None)
        }
    }
}

fn context(builder: &mut Builder) -> Result<Context, Error> {
    let var = Arc::clone(&builder.var);
    let namespace =
        builder.namespace.take().or_else(|| var("OPS_NAMESPACE")).unwrap_or_else(|| "App".to_owned());
    check::namespace(&namespace)?;
    let mut dimensions = env::dimensions(&var)?;
    dimensions.retain(|(name, _)| builder.dimensions.iter().all(|(own, _)| own != name));
    dimensions.append(&mut builder.dimensions);
    check::dimensions(&dimensions)?;
    let push_limit = builder.push_limit.map_or_else(|| env::push_limit(&var), |limit| Ok(Some(limit)))?;
    Ok(Context {
        namespace,
        dimensions,
        process: RandomState::new().hash_one((std::process::id(), Now::read().unix_ns, clock::ticks())),
        host: host(),
        name: None,
        state_dir: None,
        push_limit: push_limit.unwrap_or_default(),
        var,
    })
}

/// The host's name, as the system or the environment tells it.
fn host() -> String {
    let from_kernel = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let named =
        from_kernel.or_else(|| std::env::var("HOSTNAME").ok()).or_else(|| std::env::var("COMPUTERNAME").ok());
    named
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "localhost".to_owned())
}

fn settings(builder: &Builder, state_dir: Option<PathBuf>) -> Result<Settings, Error> {
    let mut settings = Settings::new(state_dir);
    settings.bytes_max = builder.journal_bytes_max.unwrap_or(settings.bytes_max);
    settings.age_max = builder.journal_age_max;
    settings.audit_bytes_max = builder.audit_bytes_max.unwrap_or(settings.audit_bytes_max);
    settings.audit_age_max = builder.audit_age_max.unwrap_or(settings.audit_age_max);
    settings.durability = env::durability(&builder.var, builder.durability)?;
    Ok(settings)
}

/// Gives each backend its desk, its books and its ship thread's work.
pub(super) fn attach(
    hub: &Arc<Hub>,
    backends: Vec<Box<dyn Backend>>,
    context: &Context,
    settings: ship::Settings,
) -> Result<Vec<(String, Shipper)>, Error> {
    let attach = |backend: Box<dyn Backend>| {
        let id = backend.id().to_owned();
        let account = Account::new(&id, |signal| backend.accepts(signal));
        let desk = hub.attach(Arc::new(account))?;
        Ok((id, Shipper::new(Arc::clone(hub), desk, backend, context, settings)))
    };
    backends.into_iter().map(attach).collect()
}

fn arena(builder: &Builder) -> Result<Arena, Error> {
    record::child::prepare();
    record::stamp::warm();
    record::set_ring_bytes(builder.ring_bytes_max);
    record::set_overflow_bytes_max(builder.overflow_bytes_max);
    record::set_series_max(builder.series_max);
    record::set_series_idle_max(builder.series_idle_max);
    Arena::get_or_reserve(builder.arena_bytes_max).ok_or_else(|| Error::System {
        what: "the arena".to_owned(),
        remedy: "set a smaller .arena_bytes_max(..), or allow the process more address space".to_owned(),
        source: std::io::ErrorKind::OutOfMemory.into(),
    })
}

/// Starts the threads, the flush thread first.
fn threads(flusher: Flusher, shippers: Vec<(String, Shipper)>) -> Result<Vec<JoinHandle<()>>, Error> {
    let mut threads = vec![spawn("ops-flush", move || flusher.run())?];
    for (id, shipper) in shippers {
        threads.push(spawn(&format!("ops-ship-{id}"), move || shipper.run())?);
    }
    Ok(threads)
}

pub(super) fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Error> {
    thread::Builder::new().name(name.to_owned()).spawn(work).map_err(|source| Error::System {
        what: format!("the thread {name}"),
        remedy: "allow the process more threads".to_owned(),
        source,
    })
}
