//! TLS over a stream, by rustls: versions 1.2 and 1.3, the server's certificate always checked. There is no switch to
//! turn that off: who runs a server with a certificate of their own names its authority.
//!
//! Files are read when the settings are checked and again for each connection, so that a renewed certificate needs no
//! restart; where they cannot be read then, what was read last is used.

use std::fmt;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::rustls::crypto::CryptoProvider;
use ::rustls::pki_types::pem::PemObject;
use ::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use ::rustls::{ALL_VERSIONS, ClientConfig, ClientConnection, ProtocolVersion, RootCertStore};

use crate::error::Error;
use crate::lock::Mutex;

/// Where TLS finds its files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// Certificates of the authorities that are trusted, PEM; else those of Mozilla.
    pub ca: Option<PathBuf>,
    /// The client's certificate and those between it and an authority, PEM.
    pub cert: Option<PathBuf>,
    /// The key of the client's certificate, PEM.
    pub key: Option<PathBuf>,
    /// The name that the server's certificate has to bear; else the address's host.
    pub server_name: Option<String>,
}

/// TLS settings that were checked.
#[derive(Clone)]
pub struct Tls {
    files: Arc<TlsFiles>,
    /// As its variables begin: `OPS_SYSLOG_TLS`.
    prefix: String,
    server_name: Option<ServerName<'static>>,
    last: Arc<Mutex<Arc<ClientConfig>>>,
}

impl Tls {
    /// Reads the files and checks that they belong together. `prefix` is what the names of the settings begin with, for
    /// messages: `_CA`, `_CERT`, `_KEY` and `_NAME` are added.
    ///
    /// # Errors
    ///
    /// If a file cannot be read, holds nothing of use, or key and certificate do not belong together.
    pub fn open(files: TlsFiles, prefix: &str) -> Result<Tls, Error> {
        let server_name = files.server_name.clone().map(|name| {
            ServerName::try_from(name.clone()).map_err(|_| {
                let problem = format!("\"{name}\" is no name of a server");
                Error::setting(format!("{prefix}_NAME"), problem, "give a DNS name or an IP address")
            })
        });
        let server_name = server_name.transpose()?;
        let config = config(&files, prefix)?;
        let (files, last) = (Arc::new(files), Arc::new(Mutex::new(config)));
        Ok(Tls { files, prefix: prefix.to_owned(), server_name, last })
    }

    /// The settings with the files as they are now, or as they were.
    fn config(&self) -> Arc<ClientConfig> {
        let now = config(&self.files, &self.prefix);
        let mut last = self.last.lock();
        if let Ok(now) = now {
            *last = now;
        }
        Arc::clone(&last)
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("files", &self.files).finish_non_exhaustive()
    }
}

fn config(files: &TlsFiles, prefix: &str) -> Result<Arc<ClientConfig>, Error> {
    let ring = || Arc::new(::rustls::crypto::ring::default_provider());
    let provider = CryptoProvider::get_default().cloned().unwrap_or_else(ring);
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(ALL_VERSIONS);
    let builder = builder.map_err(|error| {
        let remedy = "install one that knows TLS 1.2 and 1.3, or none";
        Error::setting(prefix, format!("the process's provider of cryptography does not do: {error}"), remedy)
    })?;
    let builder = builder.with_root_certificates(authorities(files.ca.as_deref(), prefix)?);
    let (cert, key) = match (&files.cert, &files.key) {
        (None, None) => return Ok(Arc::new(builder.with_no_client_auth())),
        (Some(cert), Some(key)) => (cert, key),
        (Some(_), None) => return Err(alone(prefix, "_KEY", "_CERT")),
        (None, Some(_)) => return Err(alone(prefix, "_CERT", "_KEY")),
    };
    let setting = format!("{prefix}_KEY");
    let read_key = PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable(&setting, key, error))?;
    let chain = certificates(cert, &format!("{prefix}_CERT"))?;
    builder.with_client_auth_cert(chain, read_key).map(Arc::new).map_err(|error| {
        let problem = format!("{} does not go with {}: {error}", key.display(), cert.display());
        Error::setting(setting, problem, "give the key that the certificate was made for")
    })
}

fn alone(prefix: &str, missing: &str, there: &str) -> Error {
    let problem = format!("is not set, and {prefix}{there} is");
    Error::setting(format!("{prefix}{missing}"), problem, "give both or neither")
}

fn authorities(ca: Option<&Path>, prefix: &str) -> Result<RootCertStore, Error> {
    let Some(ca) = ca else {
        return Ok(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() });
    };
    let (mut roots, setting) = (RootCertStore::empty(), format!("{prefix}_CA"));
    let (added, _) = roots.add_parsable_certificates(certificates(ca, &setting)?);
    if added == 0 {
        return Err(empty(&setting, ca));
    }
    Ok(roots)
}

fn certificates(path: &Path, setting: &str) -> Result<Vec<CertificateDer<'static>>, Error> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let read = read.map_err(|error| unreadable(setting, path, error))?;
    if read.is_empty() { Err(empty(setting, path)) } else { Ok(read) }
}

fn empty(setting: &str, path: &Path) -> Error {
    let problem = format!("{} holds no certificate", path.display());
    Error::setting(setting, problem, "give a PEM file with one")
}

fn unreadable(setting: &str, path: &Path, error: ::rustls::pki_types::pem::Error) -> Error {
    use ::rustls::pki_types::pem::Error as E;
    let remedy = "give a PEM file that this process may read".to_owned();
    match error {
        E::Io(source) => {
            Error::Path { setting: setting.to_owned(), action: "read", path: path.to_owned(), remedy, source }
        }
        E::NoItemsFound => Error::setting(setting, format!("{} holds none in PEM", path.display()), remedy),
        // The others say what they met, which may be a line of a key.
        _ => Error::setting(setting, format!("{} is not a PEM file", path.display()), remedy),
    }
}

/// A TLS session over a wire that is given with each call.
pub(super) struct Session(Box<ClientConnection>);

impl Session {
    /// Shakes hands.
    pub(super) fn begin(tls: &Tls, host: &str, wire: &mut (impl Read + Write)) -> io::Result<Session> {
        let no_name = |_| io::Error::new(io::ErrorKind::InvalidData, "the server has no name to be checked");
        let name = match &tls.server_name {
            Some(name) => name.clone(),
            None => ServerName::try_from(host.to_owned()).map_err(no_name)?,
        };
        let connection = ClientConnection::new(tls.config(), name);
        let mut session = Session(Box::new(connection.map_err(said)?));
        while session.0.is_handshaking() {
            session.0.complete_io(wire)?;
        }
        session.flush(wire).map(|()| session)
    }

    /// Waits until the server has taken the handshake: in 1.3, until it sends a ticket or data, or ends.
    pub(super) fn settle(&mut self, wire: &mut (impl Read + Write)) -> io::Result<()> {
        while self.0.protocol_version() == Some(ProtocolVersion::TLSv1_3)
            && self.0.tls13_tickets_received() == 0
        {
            if self.0.read_tls(wire)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if self.take_in(wire)? > 0 {
                break;
            }
        }
        Ok(())
    }

    pub(super) fn write_all(&mut self, wire: &mut (impl Read + Write), mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let taken = self.0.writer().write(bytes)?;
            bytes = &bytes[taken..];
            self.flush(wire)?;
        }
        Ok(())
    }

    /// 0 is the end that the server announced; an end without announcement is an error.
    pub(super) fn read(&mut self, wire: &mut (impl Read + Write), buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return read,
            }
            self.0.read_tls(wire)?;
            self.take_in(wire)?;
        }
    }

    /// Works on what was read: handshakes, tickets, alerts. Says how much of it is for the reader.
    fn take_in(&mut self, wire: &mut (impl Read + Write)) -> io::Result<usize> {
        let taken = self.0.process_new_packets();
        let flushed = self.flush(wire); // also where it tells the server what was wrong
        let state = taken.map_err(said)?;
        flushed.map(|()| state.plaintext_bytes_to_read())
    }

    /// Says that nothing more comes, if the wire takes it at once.
    pub(super) fn close(&mut self, wire: &mut (impl Read + Write)) {
        self.0.send_close_notify();
        let _ = self.flush(wire);
    }

    fn flush(&mut self, wire: &mut (impl Read + Write)) -> io::Result<()> {
        while self.0.wants_write() {
            if self.0.write_tls(wire)? == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        Ok(())
    }
}

fn said(error: ::rustls::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
