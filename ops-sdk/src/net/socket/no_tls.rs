//! In the place of TLS where it is not compiled in: settings that nobody can make, and a session that nobody has.

use std::io::{self, Read, Write};
use std::path::PathBuf;

/// TLS settings, of which there are none without the feature `tls`.
#[derive(Debug, Clone)]
pub enum Tls {}

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

/// A TLS session, of which there is none.
pub(super) enum Session {}

impl Session {
    pub(super) fn begin(tls: &Tls, _host: &str, _wire: &mut (impl Read + Write)) -> io::Result<Session> {
        match *tls {}
    }

    pub(super) fn settle(&mut self, _wire: &mut (impl Read + Write)) -> io::Result<()> {
        match *self {}
    }

    pub(super) fn write_all(&mut self, _wire: &mut (impl Read + Write), _bytes: &[u8]) -> io::Result<()> {
        match *self {}
    }

    pub(super) fn read(&mut self, _wire: &mut (impl Read + Write), _buffer: &mut [u8]) -> io::Result<usize> {
        match *self {}
    }

    pub(super) fn close(&mut self, _wire: &mut (impl Read + Write)) {
        match *self {}
    }
}
