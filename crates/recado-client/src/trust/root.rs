//! The root certificate of a server that is trusted, for others on this machine that are to trust it too.

use recado_proto::fingerprint::Fingerprint;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use thiserror::Error;

use crate::https::{self, HttpsError, Method, Request};
use crate::trust::ladder::Trusted;

/// Where every server has its root certificate.
pub(super) const ROOT: &str = "/root.pem";

/// A root certificate that cannot be had.
#[derive(Debug, Error)]
pub enum RootError {
    /// The server does not answer.
    #[error(transparent)]
    Https(#[from] HttpsError),
    /// What it gives is not the certificate of its root.
    #[error("what the server gives as its root certificate is not that of the root it has")]
    NotTheRoot,
}

/// The root certificate of a trusted server, as PEM. It is that of the pinned key, or none.
pub async fn root_certificate(trusted: &Trusted) -> Result<String, RootError> {
    let request = Request {
        method: Method::GET,
        target: ROOT.to_owned(),
        accept: None,
        body: None,
    };
    let answer = https::request(trusted, &request).await?;
    match fingerprint(&answer.body) {
        Some(root) if answer.status == 200 && root == trusted.root => {
            String::from_utf8(answer.body.to_vec()).map_err(|_| RootError::NotTheRoot)
        }
        _ => Err(RootError::NotTheRoot),
    }
}

/// The fingerprint of a certificate's key, from PEM.
pub(super) fn fingerprint(pem: &[u8]) -> Option<Fingerprint> {
    let certificate = CertificateDer::from_pem_slice(pem).ok()?;
    let certificate = webpki::EndEntityCert::try_from(&certificate).ok()?;
    Some(Fingerprint::from_spki(
        &certificate.subject_public_key_info(),
    ))
}
