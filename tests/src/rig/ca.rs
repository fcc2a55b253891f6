//! An authority of the tests' own, and certificates that it has signed: PEM files in a folder that ends with it.

use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;

/// An authority that nobody else trusts.
pub struct Ca {
    folder: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Ca {
    /// A new authority; its certificate is `ca.pem`.
    ///
    /// # Panics
    ///
    /// If there is no folder for it.
    #[must_use]
    pub fn new() -> Ca {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "authority of the tests");
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("a certificate");
        let ca = Ca { folder: tempfile::tempdir().expect("a folder"), issuer };
        std::fs::write(ca.path("ca.pem"), ca.issuer.pem()).expect("a file");
        ca
    }

    /// Signs a certificate of this name: `NAME.pem`, and its key `NAME.key`.
    ///
    /// # Panics
    ///
    /// If the name is none.
    pub fn sign(&self, name: &str) {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new([name.to_owned()]).expect("a name");
        params.distinguished_name.push(DnType::CommonName, name);
        let cert = params.signed_by(&key, &self.issuer).expect("a certificate");
        std::fs::write(self.path(&format!("{name}.pem")), cert.pem()).expect("a file");
        std::fs::write(self.path(&format!("{name}.key")), key.serialize_pem()).expect("a file");
    }

    /// A file of this authority.
    #[must_use]
    pub fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }
}

impl Default for Ca {
    fn default() -> Ca {
        Ca::new()
    }
}
