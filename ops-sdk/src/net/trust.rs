//! Whom HTTPS trusts, and who it says it is: files of a private authority and of a client's certificate.
//!
//! Promises: what is no PEM is told when the settings are checked, with the setting and never with what the file says.
//! Files are read again when TLS fails, so that a renewed certificate needs no restart; where they cannot be read then,
//! what was read last is used. Verification is never off.

use std::fmt;
use std::path::{Path, PathBuf};

use ::ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};

use crate::error::Error;

const READABLE: &str = "give a PEM file that this process may read";

/// Files for HTTPS. Without any, Mozilla's authorities are trusted and no certificate is shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustFiles {
    /// Certificates of the authorities that are trusted, PEM, instead of Mozilla's.
    pub ca: Option<PathBuf>,
    /// The client's certificate and those between it and an authority, PEM.
    pub cert: Option<PathBuf>,
    /// The key of the client's certificate, PEM.
    pub key: Option<PathBuf>,
}

/// Files that were read and checked.
#[derive(Clone, Default)]
pub struct Trust {
    files: TrustFiles,
    /// As the variables of the authorities and of the client's files begin: `OPS_HTTPS`.
    prefixes: [String; 2],
    texts: Texts,
    config: TlsConfig,
}

/// What stood in the files.
#[derive(Clone, Default, PartialEq, Eq)]
struct Texts {
    ca: Option<Vec<u8>>,
    cert: Option<Vec<u8>>,
    key: Option<Vec<u8>>,
}

impl Trust {
    /// Reads the files. The prefixes are what the names of the settings begin with, for messages: `_CA` is added to the
    /// first, `_CERT` and `_KEY` to the other. Whether the key belongs to the certificate shows with the first connection.
    ///
    /// # Errors
    ///
    /// If a file cannot be read or holds nothing of use, or a certificate comes without its key.
    pub fn open(files: TrustFiles, ca_prefix: &str, client_prefix: &str) -> Result<Trust, Error> {
        match (&files.cert, &files.key) {
            (Some(_), None) => return Err(alone(client_prefix, "_KEY", "_CERT")),
            (None, Some(_)) => return Err(alone(client_prefix, "_CERT", "_KEY")),
            _ => {}
        }
        let (authority, setting) = (format!("{ca_prefix}_CA"), |end: &str| format!("{client_prefix}{end}"));
        let texts = Texts {
            ca: read(files.ca.as_deref(), &authority)?,
            cert: read(files.cert.as_deref(), &setting("_CERT"))?,
            key: read(files.key.as_deref(), &setting("_KEY"))?,
        };
        let mut config = TlsConfig::builder();
        if let (Some(text), Some(path)) = (&texts.ca, &files.ca) {
            let roots = certificates(text, path, &authority)?;
            config = config.root_certs(RootCerts::new_with_certs(&roots));
        }
        if let (Some(text), Some(path)) = (&texts.cert, &files.cert) {
            let chain = certificates(text, path, &setting("_CERT"))?;
            let key = private_key(&texts, &files, &setting("_KEY"))?;
            config = config.client_cert(Some(ClientCert::new_with_certs(&chain, key)));
        }
        let prefixes = [ca_prefix, client_prefix].map(str::to_owned);
        Ok(Trust { files, prefixes, texts, config: config.build() })
    }

    /// Whether there is no file to read.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.files == TrustFiles::default()
    }

    pub(super) fn config(&self) -> &TlsConfig {
        &self.config
    }

    /// The files as they are now; `None` if nothing has changed, or they are no good.
    pub(super) fn renewed(&self) -> Option<Trust> {
        let [ca, client] = &self.prefixes;
        Trust::open(self.files.clone(), ca, client).ok().filter(|now| now.texts != self.texts)
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trust").field("files", &self.files).finish_non_exhaustive()
    }
}

fn read(path: Option<&Path>, setting: &str) -> Result<Option<Vec<u8>>, Error> {
    let Some(path) = path else { return Ok(None) };
    let told = |source| Error::Path {
        setting: setting.to_owned(),
        action: "read",
        path: path.to_owned(),
        remedy: READABLE.to_owned(),
        source,
    };
    std::fs::read(path).map(Some).map_err(told)
}

fn certificates(text: &[u8], path: &Path, setting: &str) -> Result<Vec<Certificate<'static>>, Error> {
    let certificate = |item| match item {
        PemItem::Certificate(certificate) => Some(certificate),
        _ => None,
    };
    let found: Vec<_> = items(text, path, setting)?.into_iter().filter_map(certificate).collect();
    if found.is_empty() { Err(lacks("certificate", path, setting)) } else { Ok(found) }
}

fn private_key(texts: &Texts, files: &TrustFiles, setting: &str) -> Result<PrivateKey<'static>, Error> {
    let (text, path) = (texts.key.as_deref().unwrap_or_default(), files.key.as_deref());
    let path = path.unwrap_or(Path::new(""));
    let key = |item| match item {
        PemItem::PrivateKey(key) => Some(key),
        _ => None,
    };
    items(text, path, setting)?.into_iter().find_map(key).ok_or_else(|| lacks("private key", path, setting))
}

/// What the library would say of a file that is none may be a line of a key.
fn items(text: &[u8], path: &Path, setting: &str) -> Result<Vec<PemItem<'static>>, Error> {
    let items: Result<Vec<_>, _> = parse_pem(text).collect();
    items.map_err(|_| Error::setting(setting, format!("{} is not a PEM file", path.display()), READABLE))
}

fn lacks(what: &str, path: &Path, setting: &str) -> Error {
    let problem = format!("{} holds no {what}", path.display());
    Error::setting(setting, problem, "give a PEM file with one")
}

fn alone(prefix: &str, missing: &str, there: &str) -> Error {
    let problem = format!("is not set, and {prefix}{there} is");
    Error::setting(format!("{prefix}{missing}"), problem, "give both or neither")
}

#[cfg(all(test, feature = "tls"))] // the server of the tests is rustls's own
mod tests;
