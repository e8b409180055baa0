//! TLS between two people's clients: both show their identity keys, and each must be the one that is expected.

use std::sync::Arc;

use recado_proto::file;
use recado_proto::id::RemoteKey;
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, ServerConfig,
    SignatureScheme,
};
use webpki::EndEntityCert;

use super::channel::PIECE;
use crate::connect::provider;
use crate::identity::Identity;

/// Bytes of a record, as rustls counts them: with its header of five. A ninth of a piece, so that pieces are whole
/// records, and less than the 16 KiB that a record may have: rustls allocates each, and with what is put around the
/// longest, mimalloc takes it from pages of another class, which do not stay in a processor's cache. That alone took the
/// sender half as much time again (measured).
const FRAGMENT: usize = PIECE.div_ceil(9) + 5;

/// What both of a person's ends of connections are made with.
#[derive(Clone)]
pub(super) struct PeerTls {
    certificate: Arc<rustls::sign::SingleCertAndKey>,
}

impl PeerTls {
    pub(super) fn new(identity: &Identity) -> Self {
        Self {
            certificate: identity.certificate(),
        }
    }

    /// For a connection to this person alone.
    pub(super) fn client(&self, peer: RemoteKey) -> Result<Arc<ClientConfig>, Error> {
        let provider = provider();
        let verifier = IdentityVerifier::new(Some(peer), &provider);
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_client_cert_resolver(self.certificate.clone());
        config.alpn_protocols = vec![file::ALPN.to_vec()];
        config.resumption = Resumption::disabled();
        config.enable_sni = false;
        config.max_fragment_size = Some(FRAGMENT);
        Ok(Arc::new(config))
    }

    /// For a connection from this person alone, or, where it is not known yet who comes, from whoever proves a key.
    pub(super) fn server(&self, peer: Option<RemoteKey>) -> Result<Arc<ServerConfig>, Error> {
        let provider = provider();
        let verifier = IdentityVerifier::new(peer, &provider);
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_client_cert_verifier(Arc::new(verifier))
            .with_cert_resolver(self.certificate.clone());
        config.alpn_protocols = vec![file::ALPN.to_vec()];
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        config.max_early_data_size = 0;
        config.max_fragment_size = Some(FRAGMENT);
        Ok(Arc::new(config))
    }
}

/// The key of a certificate over an Ed25519 key (RFC 8410 §4: a fixed prefix, then 32 bytes).
pub(super) fn identity_key(certificate: &CertificateDer<'_>) -> Option<RemoteKey> {
    const PREFIX: [u8; 12] = [
        0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
    ];
    let parsed = EndEntityCert::try_from(certificate).ok()?;
    let spki = parsed.subject_public_key_info();
    RemoteKey::try_from(spki.as_ref().strip_prefix(&PREFIX)?).ok()
}

/// Takes a certificate over an Ed25519 key, which must be the expected one: the key is what counts, and that the other
/// end has it is proved by its signature over the handshake, which rustls checks.
#[derive(Debug)]
struct IdentityVerifier {
    expected: Option<RemoteKey>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl IdentityVerifier {
    fn new(expected: Option<RemoteKey>, provider: &rustls::crypto::CryptoProvider) -> Self {
        Self {
            expected,
            algorithms: provider.signature_verification_algorithms,
        }
    }

    fn check(&self, certificate: &CertificateDer<'_>) -> Result<(), Error> {
        let key = identity_key(certificate).ok_or(CertificateError::BadEncoding)?;
        match self.expected {
            Some(expected) if expected != key => Err(CertificateError::UnknownIssuer.into()),
            _ => Ok(()),
        }
    }

    fn verify(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }
}

impl ServerCertVerifier for IdentityVerifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _chain: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check(certificate)
            .map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        // TLS 1.2 is never offered.
        Err(rustls::PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

impl ClientCertVerifier for IdentityVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _chain: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.check(certificate)
            .map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        // TLS 1.2 is never offered.
        Err(rustls::PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}
