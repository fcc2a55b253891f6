//! Whom HTTPS trusts, where nothing speaks HTTPS: settings are kept and never read.

use std::path::PathBuf;

use crate::error::Error;

/// Files for HTTPS, which nobody reads without the feature `http`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustFiles {
    /// Certificates of the authorities that are trusted.
    pub ca: Option<PathBuf>,
    /// The client's certificate.
    pub cert: Option<PathBuf>,
    /// Its key.
    pub key: Option<PathBuf>,
}

/// What nobody asks for.
#[derive(Debug, Clone, Default)]
pub struct Trust(());

impl Trust {
    /// Takes any files.
    ///
    /// # Errors
    ///
    /// None; the signature is that of the feature `http`.
    pub fn open(_files: TrustFiles, _ca_prefix: &str, _client_prefix: &str) -> Result<Trust, Error> {
        Ok(Trust(()))
    }

    /// Always.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        true
    }
}
