//! The settings of the local store: where it is and how much it keeps. From the builder, then the environment, then
//! the defaults; what means nothing is an error that names the setting and the remedy. Touches no file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::retain::Bounds;
use crate::backend::Context;
use crate::error::Error;

/// The store's file when no state directory is set, from the current directory.
pub const DEFAULT_PATH: &str = ".ops/store.db";
/// The store's file within a state directory.
pub const FILE_NAME: &str = "store.db";

pub(super) const PATH_VAR: &str = "OPS_LOCAL_PATH";
const RETAIN_VAR: &str = "OPS_LOCAL_RETAIN_DAYS";
const BYTES_VAR: &str = "OPS_LOCAL_BYTES_MAX";
pub(super) const RETAIN_DEFAULT: Duration = Duration::from_secs(30 * 24 * 3600);
pub(super) const BYTES_MAX_DEFAULT: u64 = 1 << 30;
/// An empty store has about 30 pages of 4 KiB; under this bound it could not keep a single batch.
const BYTES_MAX_LEAST: u64 = 1 << 20;
/// Settings of the local store. Those not given come from the environment, then from the defaults.
#[derive(Debug, Clone, Default)]
pub struct Local {
    pub(super) path: Option<PathBuf>,
    retain: Option<Duration>,
    bytes_max: Option<u64>,
}

impl Local {
    /// The settings of the environment.
    #[must_use]
    pub fn new() -> Local {
        Local::default()
    }

    /// The store's file (`OPS_LOCAL_PATH`; else `store.db` in the state directory; else `.ops/store.db`). It and the
    /// directory that holds it are created.
    #[must_use]
    pub fn path(mut self, path: impl Into<PathBuf>) -> Local {
        self.path = Some(path.into());
        self
    }

    /// How long rows are kept, by the time of what they tell (`OPS_LOCAL_RETAIN_DAYS`; 30 days).
    #[must_use]
    pub fn retain(mut self, age: Duration) -> Local {
        self.retain = Some(age);
        self
    }

    /// Bytes of the store in use, past which the oldest rows go (`OPS_LOCAL_BYTES_MAX`; 1 GiB, at least 1 MiB). The
    /// file itself does not shrink: room that is freed is used again.
    #[must_use]
    pub fn bytes_max(mut self, bytes: u64) -> Local {
        self.bytes_max = Some(bytes);
        self
    }

    pub(super) fn bounds(&self, context: &Context) -> Result<Bounds, Error> {
        let retain = match self.retain {
            Some(age) => age,
            None => number(context, RETAIN_VAR, "days")?
                .map_or(RETAIN_DEFAULT, |days| Duration::from_secs(days.saturating_mul(24 * 3600))),
        };
        let bytes_max = match self.bytes_max {
            Some(bytes) => bytes,
            None => number(context, BYTES_VAR, "bytes")?.unwrap_or(BYTES_MAX_DEFAULT),
        };
        if retain.is_zero() {
            return Err(Error::setting(RETAIN_VAR, "0 days keep nothing", "give at least 1"));
        }
        if bytes_max < BYTES_MAX_LEAST {
            let problem = format!("{bytes_max} bytes do not hold one batch");
            return Err(Error::setting(BYTES_VAR, problem, "give at least 1048576 (1 MiB)"));
        }
        Ok(Bounds { retain, bytes_max })
    }
}

/// Where the store is, and the setting that said so: the builder's path, `OPS_LOCAL_PATH`, the state directory, or
/// the current directory.
pub(crate) fn locate(
    given: Option<&Path>,
    state_dir: Option<&Path>,
    var: &dyn Fn(&str) -> Option<String>,
) -> (PathBuf, &'static str) {
    if let Some(path) = given {
        return (path.to_owned(), "Local::path");
    }
    if let Some(path) = var(PATH_VAR).filter(|path| !path.is_empty()) {
        return (path.into(), PATH_VAR);
    }
    match state_dir {
        Some(dir) => (dir.join(FILE_NAME), "OPS_STATE_DIR"),
        None => (DEFAULT_PATH.into(), PATH_VAR),
    }
}

/// A variable that holds a whole number.
fn number(context: &Context, name: &str, unit: &str) -> Result<Option<u64>, Error> {
    let Some(text) = (context.var)(name).filter(|text| !text.is_empty()) else { return Ok(None) };
    let wrong = |_| {
        Error::setting(name, format!("\"{text}\" is not a whole number"), format!("give a number of {unit}"))
    };
    text.trim().parse().map(Some).map_err(wrong)
}
