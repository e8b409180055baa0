//! tls-alpn-01 (RFC 8737): the CA connects, offers `acme-tls/1`, and is shown a certificate made for its question.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rcgen::{CertificateParams, CustomExtension, KeyPair, SanType};
use recado_proto::alpn;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::{self, sign::any_supported_type};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::server::ClientHello;
use rustls::sign::{CertifiedKey, SingleCertAndKey};

/// The questions that are being asked, by name.
#[derive(Clone, Default)]
pub(crate) struct Challenges {
    by_name: Arc<Mutex<HashMap<String, Arc<ServerConfig>>>>,
}

/// An answer, given for as long as this lives.
pub(super) struct Answering {
    challenges: Challenges,
    name: String,
}

impl Challenges {
    /// The configuration for a CA's connection, if it asks something that is being asked.
    pub(crate) fn config_for(&self, hello: &ClientHello<'_>) -> Option<Arc<ServerConfig>> {
        let mut offered = hello.alpn()?;
        if offered.next() != Some(alpn::ACME) || offered.next().is_some() {
            return None;
        }
        let name = hello.server_name()?.to_ascii_lowercase();
        let by_name = self.by_name.lock().unwrap_or_else(PoisonError::into_inner);
        by_name.get(&name).cloned()
    }

    /// Answers for a name, with the digest of the key authorisation.
    pub(super) fn answer(
        &self,
        name: &str,
        digest: &[u8],
    ) -> Result<Answering, instant_acme::Error> {
        let config = config(name, digest)
            .map_err(|error| instant_acme::Error::Other(error.to_string().into()))?;
        let mut by_name = self.by_name.lock().unwrap_or_else(PoisonError::into_inner);
        by_name.insert(name.to_owned(), Arc::new(config));
        Ok(Answering {
            challenges: self.clone(),
            name: name.to_owned(),
        })
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        let by_name = &self.challenges.by_name;
        let mut by_name = by_name.lock().unwrap_or_else(PoisonError::into_inner);
        by_name.remove(&self.name);
    }
}

fn config(name: &str, digest: &[u8]) -> Result<ServerConfig, Box<dyn std::error::Error>> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![SanType::DnsName(name.try_into()?)];
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let certificate = params.self_signed(&key)?;
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    // Not as one that rustls checks first: it does not know the extension, which must be critical.
    let certified = CertifiedKey::new(
        vec![certificate.der().clone()],
        any_supported_type(&key.into())?,
    );
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    config.alpn_protocols = vec![alpn::ACME.to_vec()];
    config.send_tls13_tickets = 0;
    Ok(config)
}
