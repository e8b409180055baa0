//! A throwaway certificate for the servers that do not make their own.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, PKCS_ECDSA_P256_SHA256,
};
use rustls::RootCertStore;

/// What the certificate names.
pub(crate) const NAME: &str = "localhost";

/// A leaf over an ECDSA P-256 key, as files, and the root to trust.
pub(crate) struct Certificate {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) roots: Arc<RootCertStore>,
    root: String,
}

impl Certificate {
    /// Issues one into a folder.
    pub(crate) fn issue(folder: &Path) -> Result<Self> {
        let mut root = CertificateParams::new([])?;
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root_key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let root = CertifiedIssuer::self_signed(root, root_key)?;
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let leaf = CertificateParams::new([NAME.to_owned()])?.signed_by(&key, &root)?;

        let mut roots = RootCertStore::empty();
        roots.add(root.der().clone())?;
        let issued = Self {
            certificate: folder.join("leaf.pem"),
            key: folder.join("leaf.key"),
            roots: roots.into(),
            root: root.pem(),
        };
        // Readable by all, as some servers leave root's rights behind first: nobody trusts this key for long.
        fs::write(&issued.certificate, leaf.pem())?;
        fs::write(&issued.key, key.serialize_pem())?;
        Ok(issued)
    }

    /// The root, for programs that are told by a file whom to trust.
    pub(crate) fn root_pem(&self) -> &str {
        &self.root
    }
}
