//! An authority of the tests' own, and a server that wants a client's certificate.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use ::rustls::server::WebPkiClientVerifier;
use ::rustls::{RootCertStore, ServerConfig};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

/// An authority, and files of certificates that it has signed.
pub(super) struct Ca {
    folder: tempfile::TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Ca {
    pub(super) fn new() -> Ca {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        Ca { folder, issuer }
    }

    pub(super) fn sign(&self, name: &str) {
        let (key, params) = (KeyPair::generate().unwrap(), CertificateParams::new([name.to_owned()]));
        let cert = params.unwrap().signed_by(&key, &self.issuer).unwrap();
        std::fs::write(self.path(&format!("{name}.pem")), cert.pem()).unwrap();
        std::fs::write(self.path(&format!("{name}.key")), key.serialize_pem()).unwrap();
    }

    pub(super) fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    /// Settings of a server of this name that takes clients of this authority and no others.
    pub(super) fn server(&self, name: &str) -> Arc<ServerConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        let provider = Arc::new(::rustls::crypto::ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let read = |path: &Path| CertificateDer::from_pem_file(path).unwrap();
        let key = PrivateKeyDer::from_pem_file(self.path(&format!("{name}.key"))).unwrap();
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(::rustls::ALL_VERSIONS)
            .unwrap()
            .with_client_cert_verifier(verifier.build().unwrap())
            .with_single_cert(vec![read(&self.path(&format!("{name}.pem")))], key);
        Arc::new(config.unwrap())
    }
}
