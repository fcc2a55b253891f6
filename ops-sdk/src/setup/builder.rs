//! The builder: every setting, its unit, its default and its bound.

use std::path::PathBuf;
use std::time::Duration;

use super::env::{self, Var};
use super::{FlushReport, Ops, start};
use crate::backend::Configure;
use crate::error::Error;
use crate::journal::Durability;
use crate::limits::PushLimit;
use crate::model::Level;
use crate::net::TrustFiles;
use crate::record::Rules;
use crate::route::Route;

/// Begins the settings. Nothing is recorded before [`Builder::start`].
///
/// ```no_run
/// let _ops = ops_sdk::init().namespace("Shop").dimension("Service", "checkout").start()?;
/// # Ok::<(), ops_sdk::Error>(())
/// ```
pub fn init() -> Builder {
    Builder {
        namespace: None,
        dimensions: Vec::new(),
        backends: Vec::new(),
        routes: Vec::new(),
        tiers: Vec::new(),
        https: TrustFiles::default(),
        levels: None,
        state_dir: None,
        state_parent: None,
        push_limit: None,
        shutdown_deadline: None,
        on_signals: None,
        panic_hook: None,
        linger: Duration::from_secs(1),
        pushes_max: None,
        dead_letter_bytes_max: 64 << 20,
        self_metrics: None,
        self_metrics_every: Duration::from_secs(60),
        arena_bytes_max: 256 << 20,
        ring_bytes_max: 1 << 20,
        overflow_bytes_max: 8 << 20,
        held_bytes_max: 8 << 20,
        journal_bytes_max: None,
        journal_age_max: Duration::from_secs(14 * 24 * 3600),
        audit_bytes_max: None,
        audit_age_max: None,
        durability: None,
        series_max: 1000,
        overhead_budget: None,
        series_idle_max: Duration::from_secs(3600),
        var: env::process(),
    }
}

/// Settings on their way to [`Builder::start`]. The `OPS_*` variables come first; what is set here wins.
#[must_use = "nothing is recorded before .start()"]
pub struct Builder {
    pub(super) namespace: Option<String>,
    pub(super) dimensions: Vec<(String, String)>,
    /// Each with the name that it was given, if it was given one.
    pub(super) backends: Vec<(Option<String>, Box<dyn Configure>)>,
    pub(super) routes: Vec<Route>,
    pub(super) tiers: Vec<(String, Vec<String>)>,
    pub(super) https: TrustFiles,
    pub(super) levels: Option<Result<Rules, Error>>,
    pub(super) state_dir: Option<PathBuf>,
    pub(super) state_parent: Option<PathBuf>,
    pub(super) push_limit: Option<PushLimit>,
    pub(super) shutdown_deadline: Option<Duration>,
    pub(super) on_signals: Option<bool>,
    pub(super) panic_hook: Option<bool>,
    pub(super) linger: Duration,
    pub(super) pushes_max: Option<u32>,
    pub(super) dead_letter_bytes_max: u64,
    pub(super) self_metrics: Option<bool>,
    pub(super) self_metrics_every: Duration,
    pub(super) arena_bytes_max: usize,
    pub(super) ring_bytes_max: usize,
    pub(super) overflow_bytes_max: usize,
    pub(super) held_bytes_max: usize,
    pub(super) journal_bytes_max: Option<u64>,
    pub(super) journal_age_max: Duration,
    pub(super) audit_bytes_max: Option<u64>,
    pub(super) audit_age_max: Option<Duration>,
    pub(super) durability: Option<Durability>,
    pub(super) series_max: u32,
    pub(super) overhead_budget: Option<f64>,
    pub(super) series_idle_max: Duration,
    pub(super) var: Var,
}

impl Builder {
    /// The namespace of metrics, and what log groups are named after: 1-255 printable ASCII characters, not starting
    /// with `:` or `AWS/`. "App" unless set here or by `OPS_NAMESPACE`.
    pub fn namespace(mut self, namespace: impl Into<String>) -> Builder {
        self.namespace = Some(namespace.into());
        self
    }

    /// A dimension of every metric, and a field of every other record. Wins over one of the same name in
    /// `OPS_DIMENSIONS`. At most 20.
    pub fn dimension(mut self, name: impl Into<String>, value: impl Into<String>) -> Builder {
        let (name, value) = (name.into(), value.into());
        self.dimensions.retain(|(other, _)| *other != name);
        self.dimensions.push((name, value));
        self
    }

    /// Ships to this backend. Called once or more, it wins over `OPS_BACKENDS`; when no backend is named anywhere,
    /// the embedded local store is used.
    pub fn backend(mut self, backend: impl Configure) -> Builder {
        self.backends.push((None, Box::new(backend)));
        self
    }

    /// Ships to this backend under a name of its own, 1-64 of `a-z 0-9 -`: for a second one of its kind, and for routes.
    /// It has cursors, books and dead letters of its own. A variable that its kind reads as `OPS_S3_BUCKET` is looked for
    /// under its name first, as `OPS_ARCHIVE_BUCKET`. In `OPS_BACKENDS` it is written `archive=s3`.
    pub fn backend_named(mut self, name: impl Into<String>, backend: impl Configure) -> Builder {
        self.backends.push((Some(name.into()), Box::new(backend)));
        self
    }

    /// A rule of what goes where. A backend that no rule names gets everything; one that is named gets what at least one
    /// of its rules takes. Called once or more, it wins over `OPS_ROUTES`. Rules that mean nothing, or lead to a backend
    /// that there is none of, are errors of [`Builder::start`].
    pub fn route(mut self, route: Route) -> Builder {
        self.routes.push(route);
        self
    }

    /// A name for several backends that rules may lead to. There are `short` (`cloudwatch` and `cloudwatch-logs`),
    /// `middle` (`elasticsearch`) and `long` (`s3`) unless said otherwise, each for those of its backends that are in use.
    pub fn tier<S: Into<String>>(
        mut self,
        name: impl Into<String>,
        backends: impl IntoIterator<Item = S>,
    ) -> Builder {
        self.tiers.push((name.into(), backends.into_iter().map(Into::into).collect()));
        self
    }

    /// The least level of events that are recorded, `None` for no events, whatever module they come from. Info unless
    /// set here, by [`Builder::levels`] or by `OPS_LEVEL`.
    pub fn level(mut self, level: impl Into<Option<Level>>) -> Builder {
        self.levels = Some(Ok(Rules::all(level.into())));
        self
    }

    /// The least level of events that are recorded, by the module that they come from: `"info,shop::db=debug,noisy=off"`.
    /// A level by itself is for everything, `module=level` for a module and what lies within it; the longest path wins.
    /// Levels are `off`, `error`, `warn`, `info`, `debug` and `trace`; what nothing is said of has `info`. `OPS_LEVEL`
    /// is written the same way. [`Ops::set_levels`] changes it at run time.
    pub fn levels(mut self, levels: &str) -> Builder {
        self.levels = Some(env::rules("OPS_LEVEL / .levels(..)", levels));
        self
    }

    /// A directory that outlives the process: what is not delivered waits there, and the next start ships it. One
    /// process at a time may use it. None unless set here or by `OPS_STATE_DIR`.
    pub fn state_dir(mut self, dir: impl Into<PathBuf>) -> Builder {
        self.state_dir = Some(dir.into());
        self
    }

    /// A directory that several processes share: each takes the first of its numbered directories, `0`, `1` …, that no
    /// live process has, as its state directory, so that a fleet that is started again finds what killed ones have left.
    /// What lies in a directory that nobody takes is shipped by those that live, to the same backends: they look at the
    /// start and once a minute. Up to 1,024 processes. None unless set here or by `OPS_STATE_PARENT`, and in place of a
    /// state directory.
    pub fn state_parent(mut self, dir: impl Into<PathBuf>) -> Builder {
        self.state_parent = Some(dir.into());
        self
    }

    /// How large a push may be. [`PushLimit::Contract`], 32,768 bytes, unless set here or by `OPS_PUSH_LIMIT`
    /// (`contract`, `vendor`, or a number of bytes).
    pub fn push_limit(mut self, limit: PushLimit) -> Builder {
        self.push_limit = Some(limit);
        self
    }

    /// How long the guard may take, when it is dropped, to deliver what is left. 5 s unless set here or by
    /// `OPS_SHUTDOWN_DEADLINE_MS`.
    pub fn shutdown_deadline(mut self, deadline: Duration) -> Builder {
        self.shutdown_deadline = Some(deadline);
        self
    }

    /// Whether SIGTERM and SIGINT flush what was recorded, within the shutdown deadline. No, unless set here or by
    /// `OPS_ON_SIGNALS=1`: a library takes no signals unasked.
    ///
    /// A process that has no handler of its own is ended by the signal then, with the status it would have had; a second
    /// signal ends it at once. Where there is a handler, set before or after this, it runs as ever, the flush goes on
    /// beside it, and when the process ends is for it to say. A signal that the program ignores stays ignored. The first
    /// process of a container, which the system ends by no signal without a handler, exits with 128 and the signal's
    /// number. What a child of `fork` or a program that it executes does with signals is not changed.
    pub fn on_signals(mut self, flush: bool) -> Builder {
        self.on_signals = Some(flush);
        self
    }

    /// Whether a panic is recorded as an error event: message, place, thread, and the correlation that the thread works
    /// for. No, unless set here or by `OPS_PANIC_HOOK=1`. The hook that was there before runs after it, also where a
    /// panic aborts the process.
    pub fn panic_hook(mut self, record: bool) -> Builder {
        self.panic_hook = Some(record);
        self
    }

    /// How long a record may wait for others to share its push. 1 s unless set.
    pub fn linger(mut self, linger: Duration) -> Builder {
        self.linger = linger;
        self
    }

    /// Pushes that may be under way to one backend at a time: 4 unless set here or by `OPS_PUSHES_MAX`, 1 … 64. It begins
    /// with one, and goes up while there is more to send and the server answers well, and down when it does not.
    /// Backends that have to take one push after the other (`local`, and `emf` on stdout) are sent one at a time.
    pub fn pushes_max(mut self, pushes: u32) -> Builder {
        self.pushes_max = Some(pushes);
        self
    }

    /// The authorities that HTTPS trusts instead of Mozilla's: a PEM file; else `OPS_HTTPS_CA`. One backend's own is
    /// `OPS_<BACKEND>_HTTPS_CA`, such as `OPS_ELASTICSEARCH_HTTPS_CA`, and goes before this.
    pub fn https_ca(mut self, file: impl Into<PathBuf>) -> Builder {
        self.https.ca = Some(file.into());
        self
    }

    /// The certificate, with those between it and an authority, and the key that HTTPS shows to a server which asks for
    /// them: PEM files; else `OPS_HTTPS_CERT` and `OPS_HTTPS_KEY`. They may be renewed while the process runs. One
    /// backend's own are `OPS_<BACKEND>_HTTPS_CERT` and `_KEY`, and go before these.
    pub fn https_client(mut self, cert: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Builder {
        (self.https.cert, self.https.key) = (Some(cert.into()), Some(key.into()));
        self
    }

    /// Bytes of what one backend refused, kept in `dead-letter/` of the state directory: 64 MiB unless set. At the bound
    /// the older half goes, counted.
    pub fn dead_letter_bytes_max(mut self, bytes: u64) -> Builder {
        self.dead_letter_bytes_max = bytes;
        self
    }

    /// Whether the SDK tells of its own work once a minute, in metrics `ops_sdk.*` by `Backend`, while something else is
    /// recorded: what is delivered, pending and refused, and how pushes go. It does unless set here or by
    /// `OPS_SELF_METRICS=off`. Losses are told either way.
    pub fn self_metrics(mut self, on: bool) -> Builder {
        self.self_metrics = Some(on);
        self
    }

    /// How often the SDK tells of its own work; for tests, which have no minute.
    #[doc(hidden)]
    pub fn self_metrics_every(mut self, every: Duration) -> Builder {
        self.self_metrics_every = every;
        self
    }

    /// Address space for everything that threads write to, in bytes: 256 MiB unless set, 1 MiB … 16 GiB. Memory is
    /// occupied as it is first written. Kept for the life of the process: the first start decides.
    pub fn arena_bytes_max(mut self, bytes: usize) -> Builder {
        self.arena_bytes_max = bytes;
        self
    }

    /// Bytes of events that one thread may be ahead of the flush thread: 1 MiB unless set, up to 1 GiB, rounded up to
    /// a power of two. For threads that record for the first time from here on.
    pub fn ring_bytes_max(mut self, bytes: usize) -> Builder {
        self.ring_bytes_max = bytes;
        self
    }

    /// Bytes of events that no ring could hold, over all threads: 8 MiB unless set, and at most a thirty-second of
    /// [`Builder::arena_bytes_max`], in which they lie. Beyond, events are dropped and counted, the lesser levels first.
    pub fn overflow_bytes_max(mut self, bytes: usize) -> Builder {
        self.overflow_bytes_max = bytes;
        self
    }

    /// Bytes of events that units of work hold back until it is known how they end ([`hold`](crate::hold), and the
    /// argument `hold` of `#[instrumented]`), over all threads: 8 MiB unless set. At the bound the oldest go, counted.
    pub fn held_bytes_max(mut self, bytes: usize) -> Builder {
        self.held_bytes_max = bytes;
        self
    }

    /// Bytes of records that wait for delivery: 64 MiB in memory and 1 GiB in a state directory unless set. At the
    /// bound the oldest go, counted.
    pub fn journal_bytes_max(mut self, bytes: u64) -> Builder {
        self.journal_bytes_max = Some(bytes);
        self
    }

    /// How long a record may wait for delivery: 14 days unless set. Older ones go, counted.
    pub fn journal_age_max(mut self, age: Duration) -> Builder {
        self.journal_age_max = age;
        self
    }

    /// Bytes of audit records that wait for delivery, in a lane of their own: 16 MiB in memory and 256 MiB in a state
    /// directory unless set. No other record makes them give way; at the bound the oldest go, counted.
    pub fn audit_bytes_max(mut self, bytes: u64) -> Builder {
        self.audit_bytes_max = Some(bytes);
        self
    }

    /// How long an audit record may wait for delivery: 90 days unless set. Older ones go, counted.
    pub fn audit_age_max(mut self, age: Duration) -> Builder {
        self.audit_age_max = Some(age);
        self
    }

    /// What of the state directory survives what: the death of the process unless set here or by `OPS_DURABILITY`
    /// (`process-crash`, `power-loss` for a sync every 100 ms, or `power-loss:MS`). No caller ever waits for the medium,
    /// and neither does delivery; without a state directory it has no effect.
    pub fn durability(mut self, durability: Durability) -> Builder {
        self.durability = Some(durability);
        self
    }

    /// Series that one site with dimensions may have on one thread: 1,000 unless set. Further ones share a series
    /// whose dimensions all have the value `ops.overflow`.
    pub fn series_max(mut self, series: u32) -> Builder {
        self.series_max = series;
        self
    }

    /// Keeps what measuring calls costs below this share of the CPU time that the process uses: 0.01 for one percent;
    /// above 0 and below 1. Once a second, fewer calls of the functions that are called most are timed, as by
    /// `sample`: calls and errors stay exact, and durations unbiased. What it does is told in the metrics
    /// `ops_sdk.timed_every` and `ops_sdk.overhead`, and by `ops stats`. All calls are timed unless set here or by
    /// `OPS_OVERHEAD_BUDGET`.
    pub fn overhead_budget(mut self, share: f64) -> Builder {
        self.overhead_budget = Some(share);
        self
    }

    /// How long a series may stay without a value before its place is given to a new one: an hour unless set. It counts
    /// no more against `series_max` then, and its memory is used again. Nothing is lost by it: a series that comes back is
    /// made again, and all it costs is that. An hour is long enough for what runs every few minutes to keep its place, and
    /// short enough for a thousand places to serve many thousand customers a day.
    pub fn series_idle_max(mut self, idle: Duration) -> Builder {
        self.series_idle_max = idle;
        self
    }

    /// Reads variables here instead of in the process's environment; for tests.
    #[doc(hidden)]
    pub fn environment(mut self, var: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Builder {
        self.var = std::sync::Arc::new(var);
        self
    }

    /// Ships what a state directory holds, to the backends that are set here or by `OPS_BACKENDS`, without recording
    /// anything: what `ops ship` does. The report is complete if nothing waits for these backends any more; what waits
    /// for others stays, and counts as spooled.
    ///
    /// # Errors
    ///
    /// If a setting means nothing, the directory holds no journal, or a live process has it.
    pub fn ship(self, dir: impl AsRef<std::path::Path>, deadline: Duration) -> Result<FlushReport, Error> {
        start::ship(self, dir.as_ref(), deadline)
    }

    /// Starts recording.
    ///
    /// # Errors
    ///
    /// If a setting means nothing, a place cannot be opened, or recording has been started already. Each error names
    /// the setting and the remedy. Nothing is recorded then, and the macros do nothing.
    pub fn start(self) -> Result<Ops, Error> {
        start::start(self)
    }
}
