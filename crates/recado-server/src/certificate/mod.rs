//! Certificates of others' roots, for browsers and whoever else is not recado's own client: the operator's own
//! files ([`files`]), or a CA's over ACME ([`acme`]).

pub(crate) mod acme;
pub(crate) mod files;

use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use time::OffsetDateTime;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// A certificate with its chain and key, checked.
#[derive(Clone, Debug)]
pub(crate) struct PublicCertificate {
    pub(crate) certified: Arc<CertifiedKey>,
    pub(crate) not_before: OffsetDateTime,
    pub(crate) not_after: OffsetDateTime,
    /// The DNS names that it is for.
    pub(crate) names: Vec<String>,
    /// It is its own issuer, so that no browser trusts it for a CA's sake.
    pub(crate) is_self_signed: bool,
}

/// A certificate and a key that cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// Not PEM, or nothing of use in it.
    #[error("the certificate cannot be read: {0}")]
    Certificate(String),
    /// The same of the key.
    #[error("the key cannot be read: {0}")]
    Key(String),
    /// They do not belong together, or the key is of a kind that is not supported.
    #[error("the certificate and the key do not go together: {0}")]
    Pair(String),
}

impl PublicCertificate {
    /// Reads a chain, leaf first, and its key.
    pub(crate) fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, CertificateError> {
        let unreadable =
            |error: &dyn std::fmt::Display| CertificateError::Certificate(error.to_string());
        let chain: Vec<_> = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<_, _>>()
            .map_err(|error| unreadable(&error))?;
        let leaf = chain
            .first()
            .ok_or_else(|| unreadable(&"the file holds none"))?;
        let (_, parsed) = X509Certificate::from_der(leaf).map_err(|error| unreadable(&error))?;
        let names = parsed
            .subject_alternative_name()
            .map_err(|error| unreadable(&error))?
            .into_iter()
            .flat_map(|extension| &extension.value.general_names)
            .filter_map(|name| match name {
                GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
                _ => None,
            })
            .collect();
        let validity = parsed.validity();
        let (not_before, not_after) = (
            validity.not_before.to_datetime(),
            validity.not_after.to_datetime(),
        );
        let is_self_signed = parsed.issuer() == parsed.subject();
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|error| CertificateError::Key(error.to_string()))?;
        let certified = CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider())
            .map_err(|error| CertificateError::Pair(error.to_string()))?;
        Ok(Self {
            certified: Arc::new(certified),
            not_before,
            not_after,
            names,
            is_self_signed,
        })
    }

    /// Whether it is over.
    pub(crate) fn has_expired(&self) -> bool {
        self.not_after <= OffsetDateTime::now_utc()
    }

    pub(crate) fn leaf(&self) -> Option<&CertificateDer<'static>> {
        self.certified.cert.first()
    }
}

/// Certificates for tests.
#[cfg(test)]
pub(crate) mod test_certificate {
    use rcgen::{CertificateParams, DnType, KeyPair};
    use time::{Duration, OffsetDateTime};

    /// A chain of one and its key, as PEM, over from `from` until `until` from now.
    pub(crate) fn pem(name: &str, from: Duration, until: Duration) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = OffsetDateTime::now_utc() + from;
        params.not_after = OffsetDateTime::now_utc() + until;
        let certificate = params.self_signed(&key).unwrap();
        (certificate.pem(), key.serialize_pem())
    }
}

#[cfg(test)]
mod tests {
    use time::Duration;

    use super::test_certificate::pem;
    use super::*;

    #[test]
    fn a_pair_is_read_and_what_is_none_is_refused() {
        let (chain, key) = pem("Chat.Example.org", Duration::hours(-1), Duration::hours(1));
        let (other, _) = pem("other.example", Duration::hours(-1), Duration::hours(1));
        let read =
            |chain: &str, key: &str| PublicCertificate::from_pem(chain.as_bytes(), key.as_bytes());
        let certificate = read(&chain, &key).unwrap();
        assert_eq!(certificate.names, ["chat.example.org"]);
        assert!(certificate.is_self_signed && !certificate.has_expired());
        assert!(matches!(read(&other, &key), Err(CertificateError::Pair(_))));
        assert!(matches!(
            read("", &key),
            Err(CertificateError::Certificate(_))
        ));
        assert!(matches!(
            read(&key, &key),
            Err(CertificateError::Certificate(_))
        ));
        assert!(matches!(read(&chain, ""), Err(CertificateError::Key(_))));
        let damaged = chain.replace("M", "N");
        assert!(matches!(
            read(&damaged, &key),
            Err(CertificateError::Certificate(_))
        ));
        let (over, key) = pem("a.example", Duration::hours(-2), Duration::hours(-1));
        assert!(read(&over, &key).unwrap().has_expired());
    }
}
