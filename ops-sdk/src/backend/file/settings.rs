//! The settings of `file`: from the builder, then the environment, then by default. What means nothing is an error that
//! names the setting and the remedy. Writes nothing.

use std::path::PathBuf;

use crate::backend::Context;
use crate::backend::shared::{Compression, compression, setting, yes_or_no};
use crate::error::Error;

const PATH: &str = "OPS_FILE_PATH";
const BYTES_MAX: &str = "OPS_FILE_BYTES_MAX";
const ROTATE: &str = "OPS_FILE_ROTATE";
const KEEP_FILES: &str = "OPS_FILE_KEEP_FILES";
const KEEP_BYTES: &str = "OPS_FILE_KEEP_BYTES";
const MODE: &str = "OPS_FILE_MODE";
const BYTES_MAX_DEFAULT: u64 = 100 << 20;
const KEEP_FILES_DEFAULT: usize = 10;
const MODE_DEFAULT: u32 = 0o640;

/// When a file is rotated whatever its size. Times are UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rotate {
    /// By its size alone.
    #[default]
    BySize,
    /// Also with the first record of an hour.
    Hourly,
    /// Also with the first record of a day.
    Daily,
}

/// Settings of the backend `file`. What is not set here comes from the environment, see each method.
#[derive(Debug, Clone, Default)]
pub struct File {
    path: Option<PathBuf>,
    bytes_max: Option<u64>,
    rotate: Option<Rotate>,
    keep_files: Option<usize>,
    keep_bytes: Option<u64>,
    compression: Option<Compression>,
    sync: Option<bool>,
    mode: Option<u32>,
}

/// What the settings come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chosen {
    pub(super) path: PathBuf,
    /// 0 for never.
    pub(super) bytes_max: u64,
    pub(super) rotate: Rotate,
    pub(super) keep_files: usize,
    /// 0 for any.
    pub(super) keep_bytes: u64,
    pub(super) compression: Compression,
    pub(super) sync: bool,
    pub(super) mode: u32,
}

impl File {
    /// Everything from the environment, or by default.
    #[must_use]
    pub fn new() -> File {
        File::default()
    }

    /// The file, created with the folders above it when the first record comes; else `OPS_FILE_PATH`. No default.
    #[must_use]
    pub fn path(mut self, path: impl Into<PathBuf>) -> File {
        self.path = Some(path.into());
        self
    }

    /// Bytes after which the file is rotated, 0 for never, where others rotate it; else `OPS_FILE_BYTES_MAX`, or 100 MiB.
    #[must_use]
    pub fn bytes_max(mut self, bytes: u64) -> File {
        self.bytes_max = Some(bytes);
        self
    }

    /// When it is rotated besides; else `OPS_FILE_ROTATE` (`size`, `hourly` or `daily`), or by size alone.
    #[must_use]
    pub fn rotate(mut self, rotate: Rotate) -> File {
        self.rotate = Some(rotate);
        self
    }

    /// Rotated files that are kept, 0 for all; else `OPS_FILE_KEEP_FILES`, or 10.
    #[must_use]
    pub fn keep_files(mut self, files: usize) -> File {
        self.keep_files = Some(files);
        self
    }

    /// Bytes that rotated files may have together, 0 for any; else `OPS_FILE_KEEP_BYTES`, or any.
    #[must_use]
    pub fn keep_bytes(mut self, bytes: u64) -> File {
        self.keep_bytes = Some(bytes);
        self
    }

    /// How rotated files are compressed, all but the newest, which agents may still be reading; else
    /// `OPS_FILE_COMPRESSION` (`gzip`, `zstd` or `none`), or gzip.
    #[must_use]
    pub fn compression(mut self, compression: Compression) -> File {
        self.compression = Some(compression);
        self
    }

    /// Whether each batch is put on the medium before it counts as delivered; else `OPS_FILE_SYNC`, or no.
    #[must_use]
    pub fn sync(mut self, sync: bool) -> File {
        self.sync = Some(sync);
        self
    }

    /// The permissions that files are created with, under the process's umask; else `OPS_FILE_MODE` (octal), or 0640.
    #[must_use]
    pub fn mode(mut self, mode: u32) -> File {
        self.mode = Some(mode);
        self
    }

    /// Checks them.
    pub(super) fn choose(&self, context: &Context) -> Result<Chosen, Error> {
        Ok(Chosen {
            path: self.file(context)?,
            bytes_max: number(self.bytes_max, BYTES_MAX, BYTES_MAX_DEFAULT, context)?,
            rotate: self.rotation(context)?,
            keep_files: number(self.keep_files, KEEP_FILES, KEEP_FILES_DEFAULT, context)?,
            keep_bytes: number(self.keep_bytes, KEEP_BYTES, 0, context)?,
            compression: compression(self.compression, "OPS_FILE_COMPRESSION", Compression::Gzip, context)?,
            sync: yes_or_no(self.sync, "OPS_FILE_SYNC", false, context)?,
            mode: self.permissions(context)?,
        })
    }

    fn file(&self, context: &Context) -> Result<PathBuf, Error> {
        let told = self.path.clone().or_else(|| setting(None, PATH, context).map(PathBuf::from));
        let Some(path) = told.filter(|path| path.file_name().is_some()) else {
            return Err(Error::setting(PATH, "no file is named", "set it, as in /var/log/app/ops.jsonl"));
        };
        if path.metadata().is_ok_and(|metadata| !metadata.is_file()) {
            let problem = format!("{} is there and is no file", path.display());
            return Err(Error::setting(PATH, problem, "name a file that is there, or that may be created"));
        }
        Ok(path)
    }

    fn rotation(&self, context: &Context) -> Result<Rotate, Error> {
        match (self.rotate, setting(None, ROTATE, context).as_deref()) {
            (Some(told), _) => Ok(told),
            (None, None | Some("size")) => Ok(Rotate::BySize),
            (None, Some("hourly")) => Ok(Rotate::Hourly),
            (None, Some("daily")) => Ok(Rotate::Daily),
            (None, Some(other)) => Err(Error::setting(
                ROTATE,
                format!("\"{other}\" is no rotation"),
                "use size, hourly or daily",
            )),
        }
    }

    fn permissions(&self, context: &Context) -> Result<u32, Error> {
        let said = setting(None, MODE, context);
        let mode = self.mode.or_else(|| u32::from_str_radix(said.as_deref().unwrap_or("640"), 8).ok());
        // Whoever may not write its own file could not append to it after a restart.
        mode.filter(|mode| *mode <= 0o777 && mode & 0o600 == 0o600).ok_or_else(|| {
            let said = said.unwrap_or_else(|| format!("{:o}", self.mode.unwrap_or(MODE_DEFAULT)));
            let remedy = "give an octal number with read and write for the owner, as in 0640";
            Error::setting(MODE, format!("\"{said}\" are no permissions for it"), remedy)
        })
    }
}

/// A number: what the program said, else the variable, else the default.
fn number<N: std::str::FromStr>(
    told: Option<N>,
    variable: &str,
    default: N,
    context: &Context,
) -> Result<N, Error> {
    match (told, setting(None, variable, context)) {
        (Some(told), _) => Ok(told),
        (None, None) => Ok(default),
        (None, Some(text)) => text
            .parse()
            .map_err(|_| Error::setting(variable, format!("\"{text}\" is no number"), "give digits alone")),
    }
}
