//! What can go wrong before recording starts. After that nothing fails: what is lost is in the ledger, and what an
//! operator should know is said by `diag`.
//!
//! Every message names the setting and the remedy. `Debug` shows the message too: it is what a `main` that returns an
//! error prints.

use std::fmt;
use std::path::PathBuf;

/// A setting that cannot be used, or a place that cannot be opened.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting has a value that means nothing.
    #[error("{setting}: {problem}; {remedy}")]
    Setting {
        /// The environment variable or builder call, as the user writes it.
        setting: String,
        /// What is wrong with its value.
        problem: String,
        /// What to do.
        remedy: String,
    },
    /// A file or directory cannot be opened, created or locked.
    #[error("{setting}: cannot {action} {}: {source}; {remedy}", path.display())]
    Path {
        /// The environment variable or builder call that named the path.
        setting: String,
        /// What was tried, as a verb: "create", "write to", "lock".
        action: &'static str,
        /// The path.
        path: PathBuf,
        /// What to do.
        remedy: String,
        /// What the system answered.
        source: std::io::Error,
    },
    /// Recording has been started in this process and its guard is alive.
    #[error(
        "ops_sdk::init().start(): already started in this process; keep one guard, in main, and drop it last"
    )]
    AlreadyStarted,
    /// The system would not give a thread or the memory of the arena.
    #[error("ops_sdk::init().start(): cannot start {what}: {source}; {remedy}")]
    System {
        /// What was to be started.
        what: String,
        /// What to do.
        remedy: String,
        /// What the system answered.
        source: std::io::Error,
    },
}

impl Error {
    /// A setting with a value that means nothing.
    pub fn setting(
        setting: impl Into<String>,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Error {
        Error::Setting { setting: setting.into(), problem: problem.into(), remedy: remedy.into() }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
