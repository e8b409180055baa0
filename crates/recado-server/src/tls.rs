//! TLS 1.3: three configurations on one port, swapped together when the leaf is renewed.

use std::sync::Arc;

use ::aws_lc_rs::digest::{SHA256, digest};
use recado_proto::alpn;
use recado_proto::id::RemoteKey;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, NoServerSessionStorage};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, ServerConfig,
    SignatureScheme,
};
use time::OffsetDateTime;

use crate::identity::{IdentityError, Leaf, ServerIdentity};

/// Everything that hangs from one leaf. Swapped whole, so that a connection's configuration and the
/// leaf's hash in its datagram keys cannot differ.
pub(crate) struct Generation {
    chat: Arc<ServerConfig>,
    own_http: Arc<ServerConfig>,
    public: Arc<ServerConfig>,
    /// SHA-256 of the leaf that chat sessions see.
    pub(crate) leaf_hash: [u8; 32],
    pub(crate) renew_at: OffsetDateTime,
    pub(crate) addresses: std::collections::BTreeSet<std::net::IpAddr>,
}

impl Generation {
    /// Issues a leaf and configures everything for it.
    pub(crate) fn new(identity: &ServerIdentity) -> Result<Self, IdentityError> {
        let leaf = identity.leaf()?;
        let leaf_hash = leaf.chain.first().map_or([0; 32], |certificate| {
            let mut hash = [0; 32];
            hash.copy_from_slice(digest(&SHA256, certificate).as_ref());
            hash
        });
        let broken = |error: Error| IdentityError::Damaged {
            file: "root.key",
            detail: error.to_string(),
        };
        let provider = Arc::new(aws_lc_rs::default_provider());
        let chat = chat_config(&provider, &leaf).map_err(broken)?;
        let mut own_http = http_config(&provider, &leaf).map_err(broken)?;
        own_http.alpn_protocols = vec![alpn::HTTP.to_vec()];
        let mut public = http_config(&provider, &leaf).map_err(broken)?;
        public.alpn_protocols = vec![alpn::H2.to_vec(), alpn::HTTP_1_1.to_vec()];
        public.ticketer = aws_lc_rs::Ticketer::new().map_err(broken)?;
        Ok(Self {
            chat: chat.into(),
            own_http: own_http.into(),
            public: public.into(),
            leaf_hash,
            renew_at: leaf.renew_at,
            addresses: leaf.addresses,
        })
    }

    /// The configuration for what the client offers. What is then spoken follows from what was negotiated.
    pub(crate) fn config_for(&self, hello: &ClientHello<'_>) -> Arc<ServerConfig> {
        let offers = |protocol: &[u8]| {
            hello
                .alpn()
                .is_some_and(|mut offered| offered.any(|offer| offer == protocol))
        };
        if offers(alpn::CHAT) {
            self.chat.clone()
        } else if offers(alpn::HTTP) {
            self.own_http.clone()
        } else {
            self.public.clone()
        }
    }
}

/// The key of a chat session's client: the handshake was signed with it.
pub(crate) fn client_key(certificates: Option<&[CertificateDer<'_>]>) -> Option<RemoteKey> {
    ed25519_key(certificates?.first()?)
}

/// No tickets, no session storage, no early data: each session proves its key anew.
fn chat_config(provider: &Arc<CryptoProvider>, leaf: &Leaf) -> Result<ServerConfig, Error> {
    let verifier = Arc::new(IdentityVerifier {
        algorithms: provider.signature_verification_algorithms,
    });
    let mut config = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(verifier)
        .with_single_cert(leaf.chain.clone(), leaf.key.clone_key())?;
    config.alpn_protocols = vec![alpn::CHAT.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    Ok(config)
}

fn http_config(provider: &Arc<CryptoProvider>, leaf: &Leaf) -> Result<ServerConfig, Error> {
    ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(leaf.chain.clone(), leaf.key.clone_key())
}

/// Takes any certificate over an Ed25519 key: the key is what counts, and that the client has it is
/// proved by its signature over the handshake, which rustls checks.
#[derive(Debug)]
struct IdentityVerifier {
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientCertVerifier for IdentityVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        match ed25519_key(end_entity) {
            Some(_) => Ok(ClientCertVerified::assertion()),
            None => Err(CertificateError::BadEncoding.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.3 only".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

/// The raw key of a certificate over an Ed25519 key (RFC 8410 §4: a fixed prefix, then 32 bytes).
fn ed25519_key(certificate: &CertificateDer<'_>) -> Option<RemoteKey> {
    const PREFIX: [u8; 12] = [
        0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
    ];
    let parsed = webpki::EndEntityCert::try_from(certificate).ok()?;
    let spki = parsed.subject_public_key_info();
    RemoteKey::try_from(spki.as_ref().strip_prefix(&PREFIX)?).ok()
}
