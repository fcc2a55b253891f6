//! The start: settings checked, backends opened, arena, journal and threads made, and only then the switch turned on.

use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::builder::Builder;
use super::{Ops, check, env, ops};
use crate::backend::{Backend, Configure, Context};
use crate::error::Error;
use crate::flush::Flusher;
use crate::hub::Hub;
use crate::journal::{self, Durability, Journal, Settings};
use crate::ledger::Account;
use crate::model::Level;
use crate::record::{self, Arena, Reader, Rules};
use crate::ship::Shipper;

/// Whether recording is on in this process.
static RUNNING: AtomicBool = AtomicBool::new(false);

/// Held while recording is on; lets go of it when dropped, also when the start fails half way.
pub(super) struct Running;

impl Running {
    fn claim() -> Result<Running, Error> {
        if RUNNING.swap(true, Ordering::AcqRel) { Err(Error::AlreadyStarted) } else { Ok(Running) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.store(false, Ordering::Release);
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
    let configured = backends(&mut builder)?;
    let context = context(&mut builder)?;
    let lock = context.state_dir.as_deref().map(journal::lock).transpose()?;
    let opened: Vec<_> =
        configured.into_iter().map(|backend| backend.open(&context)).collect::<Result<_, _>>()?;

    let settings = settings(&builder, context.state_dir.clone())?;
    let durability = settings.durability;
    let (journal, _) = Journal::open(settings)?;
    let hub = Arc::new(Hub::new(journal));
    let shippers = attach(&hub, opened, &context, builder.linger)?;
    // The flush thread of a start before may not have found its end yet.
    let reader = Reader::new(arena(&builder)?).ok_or(Error::AlreadyStarted)?;
    let flusher = Flusher::new(
        Arc::clone(&hub),
        reader,
        context.process,
        context.dimensions.clone(),
        builder.held_bytes_max,
    );
    let flusher = flusher.governed(budget);

    let threads = threads(flusher, shippers).inspect_err(|_| hub.stop(Duration::ZERO))?;
    if let (Durability::PowerLoss { every }, true) = (durability, lock.is_some()) {
        let syncer = Arc::clone(&hub);
        // Not among those that the end waits for: it may hang with the medium, and holds nothing.
        spawn("ops-sync", move || syncer.sync_every(every)).inspect_err(|_| hub.stop(Duration::ZERO))?;
    }
    record::turn_on(&levels).map_err(ops::too_many_levels).inspect_err(|_| hub.stop(Duration::ZERO))?;
    let deadline = deadline.unwrap_or(Duration::from_secs(5));
    Ok(Ops { hub, threads, deadline, on_disk: lock.is_some(), _lock: lock, _running: running })
}

/// The backends to ship to: the builder's, else the environment's, else the local store.
fn backends(builder: &mut Builder) -> Result<Vec<Box<dyn Configure>>, Error> {
    let named = std::mem::take(&mut builder.backends);
    let named = if named.is_empty() { env::backends(&builder.var)? } else { named };
    if !named.is_empty() {
        return Ok(named);
    }
    crate::backend::by_name("local").map(|local| vec![local]).ok_or_else(|| {
        let remedy = "name one with OPS_BACKENDS or .backend(..), or enable the feature `local` of ops-sdk";
        Error::setting("OPS_BACKENDS", "no backend is named, and the local store is not built in", remedy)
    })
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
        process: RandomState::new().hash_one(std::process::id()),
        host: host(),
        state_dir: builder.state_dir.take().or_else(|| env::state_dir(&var)),
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
fn attach(
    hub: &Arc<Hub>,
    backends: Vec<Box<dyn Backend>>,
    context: &Context,
    linger: Duration,
) -> Result<Vec<(String, Shipper)>, Error> {
    let attach = |backend: Box<dyn Backend>| {
        let id = backend.id().to_owned();
        let account = Account::new(&id, |signal| backend.accepts(signal));
        let desk = hub.attach(Arc::new(account))?;
        Ok((id, Shipper::new(Arc::clone(hub), desk, backend, context, linger)))
    };
    backends.into_iter().map(attach).collect()
}

fn arena(builder: &Builder) -> Result<Arena, Error> {
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

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Error> {
    thread::Builder::new().name(name.to_owned()).spawn(work).map_err(|source| Error::System {
        what: format!("the thread {name}"),
        remedy: "allow the process more threads".to_owned(),
        source,
    })
}
