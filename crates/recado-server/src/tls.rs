//! TLS 1.3: three configurations on one port, swapped together when the leaf is renewed.
//!
//! recado's own protocols are always served recado's own leaf. Everyone else is too, unless there is a certificate
//! of another root for them.

use std::sync::Arc;

use ::aws_lc_rs::digest::{SHA256, digest};
use arc_swap::ArcSwap;
use recado_proto::alpn;
use recado_proto::id::RemoteKey;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, NoServerSessionStorage};
use rustls::sign::SingleCertAndKey;
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, ServerConfig,
    SignatureScheme,
};
use time::OffsetDateTime;

use crate::certificate::PublicCertificate;
use crate::certificate::acme::Challenges;
use crate::identity::{IdentityError, Leaf, ServerIdentity};

/// What connections are served with, now.
#[derive(Clone)]
pub(crate) struct Tls {
    pub(crate) generation: Arc<ArcSwap<Generation>>,
    /// What CAs are asking.
    pub(crate) challenges: Challenges,
}

impl Tls {
    pub(crate) fn new(generation: Generation) -> Self {
        Self {
            generation: Arc::new(ArcSwap::from_pointee(generation)),
            challenges: Challenges::default(),
        }
    }

    /// The configuration for a connection, and the hash of the leaf that recado's own protocols are served. Both are
    /// of one generation, so that they belong together.
    pub(crate) fn choose(&self, hello: &ClientHello<'_>) -> (Chosen, [u8; 32]) {
        let generation = self.generation.load();
        let chosen = match self.challenges.config_for(hello) {
            Some(config) => Chosen {
                config,
                is_of_ca: false,
            },
            None => generation.config_for(hello),
        };
        (chosen, generation.leaf_hash)
    }

    /// Puts a certificate in the place of the present one; recado's own clients do not notice.
    pub(crate) fn serve(&self, certificate: &PublicCertificate) {
        self.generation
            .rcu(|generation| generation.with_public(certificate));
    }
}

/// Everything that hangs from one leaf. Swapped whole, so that a connection's configuration and the
/// leaf's hash in its datagram keys cannot differ.
#[derive(Clone)]
pub(crate) struct Generation {
    chat: Arc<ServerConfig>,
    own_http: Arc<ServerConfig>,
    /// recado's own leaf for everyone else.
    own_public: Arc<ServerConfig>,
    /// In its place, if there is one.
    public: Option<Public>,
    /// SHA-256 of the leaf that chat sessions see.
    leaf_hash: [u8; 32],
    pub(crate) renew_at: OffsetDateTime,
    pub(crate) addresses: std::collections::BTreeSet<std::net::IpAddr>,
}

/// A certificate of another root's, for everyone who is not recado's own client.
#[derive(Clone)]
struct Public {
    config: Arc<ServerConfig>,
    is_of_ca: bool,
}

/// The configuration for a connection.
pub(crate) struct Chosen {
    pub(crate) config: Arc<ServerConfig>,
    /// The certificate in it is a CA's: browsers may be told to come by HTTPS alone from now on.
    pub(crate) is_of_ca: bool,
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
        let own_public = http_config(&provider, &leaf).map_err(broken)?;
        let own_public = for_everyone(own_public).map_err(broken)?;
        Ok(Self {
            chat: chat.into(),
            own_http: own_http.into(),
            own_public: own_public.into(),
            public: None,
            leaf_hash,
            renew_at: leaf.renew_at,
            addresses: leaf.addresses,
        })
    }

    /// The same with another certificate for everyone who is not recado's own client.
    ///
    /// One that no configuration can be made from is not taken: it was checked when it was read.
    fn with_public(&self, certificate: &PublicCertificate) -> Self {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map(|builder| {
                let resolver = SingleCertAndKey::from(certificate.certified.clone());
                builder
                    .with_no_client_auth()
                    .with_cert_resolver(Arc::new(resolver))
            })
            .and_then(for_everyone);
        let config = match config {
            Ok(config) => config,
            Err(error) => {
                tracing::error!(%error, "a certificate could not be taken into use");
                return self.clone();
            }
        };
        Self {
            public: Some(Public {
                config: config.into(),
                is_of_ca: !certificate.is_self_signed,
            }),
            ..self.clone()
        }
    }

    /// The same with the certificate that another has for everyone.
    pub(crate) fn with_public_of(&self, other: &Self) -> Self {
        Self {
            public: other.public.clone(),
            ..self.clone()
        }
    }

    /// The configuration for what the client offers. What is then spoken follows from what was negotiated.
    fn config_for(&self, hello: &ClientHello<'_>) -> Chosen {
        let offers = |protocol: &[u8]| {
            hello
                .alpn()
                .is_some_and(|mut offered| offered.any(|offer| offer == protocol))
        };
        let own = |config: &Arc<ServerConfig>| Chosen {
            config: config.clone(),
            is_of_ca: false,
        };
        if offers(alpn::CHAT) {
            own(&self.chat)
        } else if offers(alpn::HTTP) {
            own(&self.own_http)
        } else if let Some(Public { config, is_of_ca }) = &self.public {
            Chosen {
                config: config.clone(),
                is_of_ca: *is_of_ca,
            }
        } else {
            own(&self.own_public)
        }
    }
}

/// Protocols and tickets of everyone's. The tickets' key is the configuration's own: what was resumed with another
/// certificate is not resumed with this one.
fn for_everyone(mut config: ServerConfig) -> Result<ServerConfig, Error> {
    config.alpn_protocols = vec![alpn::H2.to_vec(), alpn::HTTP_1_1.to_vec()];
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    Ok(config)
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
