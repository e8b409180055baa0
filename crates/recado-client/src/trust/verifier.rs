//! Checks of what a server presents in the TLS handshake.
//!
//! A server sends its leaf and, behind it, the root that issued it. Both verifiers demand that the
//! leaf chains to that root with its name constraints, names `recado.internal`, and signed this
//! handshake. They differ in which root may stand there: a pinned one, or any, to be asked about.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use recado_proto::fingerprint::Fingerprint;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, SignatureScheme};
use thiserror::Error;
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

/// What a verifier found, given out through [`Report`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The presented root, to which the leaf chains.
    pub root: Fingerprint,
    /// SHA-256 of the leaf's DER.
    pub leaf_sha256: [u8; 32],
    /// Dates out of order, which crews without a time server live with: a warning.
    pub dates: Option<DateFault>,
}

/// Where a verifier leaves what it found, for whoever started the handshake. One per handshake.
///
/// A finding is proven only when the handshake has completed: the signature comes after it.
pub type Report = Arc<OnceLock<Result<Finding, CertificateFault>>>;

/// A leaf that is used outside its dates, by this machine's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateFault {
    /// Its time is over.
    Expired {
        /// When it ended.
        not_after: SystemTime,
    },
    /// Its time has not come.
    NotYetValid {
        /// When it begins.
        not_before: SystemTime,
    },
}

/// Why a presented chain proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CertificateFault {
    /// The pinned root is not in the chain.
    #[error("the remembered root is not in the server's certificate chain")]
    RootNotPresented,
    /// No certificate of the chain issued the leaf.
    #[error("no certificate of the chain issued the server's certificate")]
    NoIssuer,
    /// A signature in the chain is forged: the root that it shows did not sign the leaf.
    #[error("the root in the chain did not sign the server's certificate")]
    Forged,
    /// The leaf does not name `recado.internal`.
    #[error("the server's certificate does not name recado.internal")]
    Name,
    /// The leaf names what its root may not vouch for.
    #[error("the server's certificate has names that its root may not vouch for")]
    NameConstraint,
    /// A CA certificate serves as the leaf.
    #[error("the server presents a CA's certificate as its own")]
    CaAsLeaf,
    /// A certificate cannot be parsed, or no chain is presented.
    #[error("the server's certificates are malformed")]
    Malformed,
    /// The chain is whole, but the server did not prove that it holds the leaf's key.
    #[error("the server did not prove that it holds its certificate's key")]
    Handshake,
    /// Another rule of certificates is broken.
    #[error("the server's certificates break a rule of certificates")]
    Other,
}

/// Accepts the chain of one of the pinned roots, and nothing else.
#[derive(Debug)]
pub struct PinnedRootVerifier {
    root: Fingerprint,
    checks: Checks,
}

impl PinnedRootVerifier {
    /// A verifier for one handshake, which leaves what it finds in `report`.
    pub fn new(root: Fingerprint, algorithms: WebPkiSupportedAlgorithms, report: Report) -> Self {
        Self {
            root,
            checks: Checks { algorithms, report },
        }
    }

    fn find(
        &self,
        leaf: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<Finding, CertificateFault> {
        for certificate in chain.iter().take(LONGEST_CHAIN) {
            if fingerprint(certificate) == Some(self.root) {
                return self.checks.chains_to(leaf, certificate, now);
            }
        }
        Err(CertificateFault::RootNotPresented)
    }
}

/// Accepts the chain of whatever root the server presents, and gives out that root's fingerprint,
/// so that it can be compared, or asked about. Nothing is sent to such a server but the handshake.
#[derive(Debug)]
pub struct CapturingVerifier {
    checks: Checks,
}

impl CapturingVerifier {
    /// A verifier for one handshake, which leaves what it finds in `report`.
    pub fn new(algorithms: WebPkiSupportedAlgorithms, report: Report) -> Self {
        Self {
            checks: Checks { algorithms, report },
        }
    }

    fn find(
        &self,
        leaf: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<Finding, CertificateFault> {
        if self.checks.is_ca(leaf, now) {
            return Err(CertificateFault::CaAsLeaf);
        }
        let mut fault = CertificateFault::NoIssuer;
        for certificate in chain.iter().take(LONGEST_CHAIN) {
            match self.checks.chains_to(leaf, certificate, now) {
                Err(CertificateFault::NoIssuer) => {}
                Err(specific) => fault = specific,
                found => return found,
            }
        }
        Err(fault)
    }
}

/// How many certificates behind the leaf are looked at: recado's servers send one, and each costs a
/// check of a signature.
const LONGEST_CHAIN: usize = 4;

/// The fingerprint of a certificate's key, if it can be parsed.
fn fingerprint(certificate: &CertificateDer<'_>) -> Option<Fingerprint> {
    let certificate = EndEntityCert::try_from(certificate).ok()?;
    Some(Fingerprint::from_spki(
        &certificate.subject_public_key_info(),
    ))
}

/// What both verifiers check, and how they answer.
struct Checks {
    algorithms: WebPkiSupportedAlgorithms,
    report: Report,
}

impl Checks {
    /// Verifies that `root` is a CA and issued the leaf, directly, for `recado.internal`.
    fn chains_to(
        &self,
        leaf: &CertificateDer<'_>,
        root: &CertificateDer<'_>,
        now: UnixTime,
    ) -> Result<Finding, CertificateFault> {
        let dates = self
            .issued_by(leaf, root, now)
            .map_err(|error| fault(&error))?;
        if !self.is_ca(root, now) {
            return Err(CertificateFault::NoIssuer);
        }
        let name =
            ServerName::try_from(recado_proto::SERVER_NAME).map_err(|_| CertificateFault::Other)?;
        EndEntityCert::try_from(leaf)
            .and_then(|leaf| leaf.verify_is_valid_for_subject_name(&name))
            .map_err(|error| fault(&error))?;
        let root = fingerprint(root).ok_or(CertificateFault::Malformed)?;
        let mut leaf_sha256 = [0; 32];
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, leaf);
        leaf_sha256.copy_from_slice(hash.as_ref());
        Ok(Finding {
            root,
            leaf_sha256,
            dates,
        })
    }

    /// Whether a certificate is a CA's: webpki, which takes any certificate as an anchor, then
    /// refuses it as a leaf.
    fn is_ca(&self, certificate: &CertificateDer<'_>, now: UnixTime) -> bool {
        let refusal = self.issued_by(certificate, certificate, now);
        matches!(refusal, Err(webpki::Error::CaUsedAsEndEntity))
    }

    /// Verifies that `root` issued the leaf, with its name constraints. Dates out of order are a
    /// warning, so everything else is then verified at a time inside them.
    fn issued_by(
        &self,
        leaf: &CertificateDer<'_>,
        root: &CertificateDer<'_>,
        now: UnixTime,
    ) -> Result<Option<DateFault>, webpki::Error> {
        let anchors = [anchor_from_trusted_cert(root)?];
        let leaf = EndEntityCert::try_from(leaf)?;
        // No intermediates: the root, path length 0, issues leaves itself.
        let verify_at = |time| {
            leaf.verify_for_usage(
                self.algorithms.all,
                &anchors,
                &[],
                time,
                KeyUsage::server_auth(),
                None,
                None,
            )
            .map(|_path| ())
        };
        match verify_at(now) {
            Ok(()) => Ok(None),
            Err(webpki::Error::CertExpired { not_after, .. }) => {
                verify_at(not_after)?;
                Ok(Some(DateFault::Expired {
                    not_after: system_time(not_after),
                }))
            }
            Err(webpki::Error::CertNotValidYet { not_before, .. }) => {
                verify_at(not_before)?;
                Ok(Some(DateFault::NotYetValid {
                    not_before: system_time(not_before),
                }))
            }
            Err(error) => Err(error),
        }
    }

    /// Leaves a finding in the report and turns it into rustls's answer.
    fn answer(
        &self,
        finding: Result<Finding, CertificateFault>,
    ) -> Result<ServerCertVerified, rustls::Error> {
        // A second certificate in one handshake cannot happen; if it did, the first would stand and
        // this one must not contradict it.
        if *self.report.get_or_init(|| finding) != finding {
            return Err(CertificateError::ApplicationVerificationFailure.into());
        }
        match finding {
            Ok(_) => Ok(ServerCertVerified::assertion()),
            Err(fault) => Err(match fault {
                CertificateFault::RootNotPresented | CertificateFault::NoIssuer => {
                    CertificateError::UnknownIssuer
                }
                CertificateFault::Forged | CertificateFault::Handshake => {
                    CertificateError::BadSignature
                }
                CertificateFault::Name => CertificateError::NotValidForName,
                CertificateFault::Malformed => CertificateError::BadEncoding,
                CertificateFault::NameConstraint
                | CertificateFault::CaAsLeaf
                | CertificateFault::Other => CertificateError::ApplicationVerificationFailure,
            }
            .into()),
        }
    }
}

impl fmt::Debug for Checks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checks")
            .field("report", &self.report)
            .finish_non_exhaustive()
    }
}

fn system_time(time: UnixTime) -> SystemTime {
    let since = Duration::from_secs(time.as_secs());
    SystemTime::UNIX_EPOCH
        .checked_add(since)
        .unwrap_or(SystemTime::UNIX_EPOCH)
}

fn fault(error: &webpki::Error) -> CertificateFault {
    use webpki::Error as E;
    match error {
        E::BadDer | E::BadDerTime | E::TrailingData(_) => CertificateFault::Malformed,
        E::UnknownIssuer => CertificateFault::NoIssuer,
        E::InvalidSignatureForPublicKey
        | E::UnsupportedSignatureAlgorithmContext(_)
        | E::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => CertificateFault::Forged,
        E::CertNotValidForName(_) => CertificateFault::Name,
        E::NameConstraintViolation => CertificateFault::NameConstraint,
        E::CaUsedAsEndEntity => CertificateFault::CaAsLeaf,
        _ => CertificateFault::Other,
    }
}

/// The parts of `ServerCertVerifier` that do not depend on which root may stand there.
macro_rules! server_cert_verifier {
    ($verifier:ty) => {
        impl ServerCertVerifier for $verifier {
            fn verify_server_cert(
                &self,
                leaf: &CertificateDer<'_>,
                chain: &[CertificateDer<'_>],
                // Always `recado.internal`, which is what we sent: `chains_to` compares it.
                _server_name: &ServerName<'_>,
                _ocsp_response: &[u8],
                now: UnixTime,
            ) -> Result<ServerCertVerified, rustls::Error> {
                self.checks.answer(self.find(leaf, chain, now))
            }

            fn verify_tls12_signature(
                &self,
                _message: &[u8],
                _cert: &CertificateDer<'_>,
                _signature: &DigitallySignedStruct,
            ) -> Result<HandshakeSignatureValid, rustls::Error> {
                // TLS 1.2 is never offered.
                Err(rustls::PeerIncompatible::Tls12NotOffered.into())
            }

            fn verify_tls13_signature(
                &self,
                message: &[u8],
                cert: &CertificateDer<'_>,
                signature: &DigitallySignedStruct,
            ) -> Result<HandshakeSignatureValid, rustls::Error> {
                verify_tls13_signature(message, cert, signature, &self.checks.algorithms)
            }

            fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
                self.checks.algorithms.supported_schemes()
            }
        }
    };
}

server_cert_verifier!(PinnedRootVerifier);
server_cert_verifier!(CapturingVerifier);
