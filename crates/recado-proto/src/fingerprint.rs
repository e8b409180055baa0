//! The fingerprint by which a server is known: the SHA-256 of its root's public key.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use thiserror::Error;

/// SHA-256 of a root's public key (its SubjectPublicKeyInfo, DER), the one name of a server.
///
/// It is written `SHA256:` and unpadded base64url for people, and `SHA256-…` where a colon would
/// mean something else (URLs, folder names). Parsing accepts both. It is public.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

/// The hash's name, which leads every written fingerprint.
const HASH: &str = "SHA256";

impl Fingerprint {
    /// Hashes a whole SubjectPublicKeyInfo, DER, with its outer SEQUENCE.
    pub fn from_spki(spki: &[u8]) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest::digest(&digest::SHA256, spki).as_ref());
        Self(bytes)
    }

    /// Takes a hash that was made elsewhere.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The hash.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The form for URLs and folder names: `SHA256-…`.
    pub fn to_url(&self) -> String {
        format!("{HASH}-{}", URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{HASH}:{}", URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    fn from_str(text: &str) -> Result<Self, FingerprintError> {
        let digits = text
            .strip_prefix(HASH)
            .and_then(|rest| rest.strip_prefix([':', '-']))
            .ok_or(FingerprintError::Prefix)?;
        let bytes = URL_SAFE_NO_PAD
            .decode(digits)
            .map_err(|_| FingerprintError::Encoding)?;
        let found = bytes.len();
        bytes
            .try_into()
            .map(Self)
            .map_err(|_| FingerprintError::Length { found })
    }
}

/// Why a text is not a fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FingerprintError {
    /// It begins with something else.
    #[error("a fingerprint begins with SHA256: (or SHA256- in an address)")]
    Prefix,
    /// What follows is not unpadded base64url.
    #[error("the part after SHA256: is not base64url without padding")]
    Encoding,
    /// The hash is cut short, or too long.
    #[error("a fingerprint has 32 bytes (43 characters after SHA256:), this one has {found}")]
    Length {
        /// How many bytes were found.
        found: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_hash_of_the_key() {
        // SHA-256 of the empty string, the best known of all hashes.
        let empty = "SHA256:47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU";
        assert_eq!(Fingerprint::from_spki(b"").to_string(), empty);
    }

    #[test]
    fn both_written_forms_come_back() {
        let fingerprint = Fingerprint::from_spki(b"a root");
        assert_eq!(fingerprint.to_string().parse(), Ok(fingerprint));
        assert_eq!(fingerprint.to_url().parse(), Ok(fingerprint));
        assert!(fingerprint.to_url().starts_with("SHA256-"));
        assert_eq!(
            Fingerprint::from_bytes(*fingerprint.as_bytes()),
            fingerprint
        );
    }

    #[test]
    fn what_is_no_fingerprint_is_refused() {
        let cases = [
            ("", FingerprintError::Prefix),
            ("SHA1:AAAA", FingerprintError::Prefix),
            ("SHA256", FingerprintError::Prefix),
            ("SHA256:", FingerprintError::Length { found: 0 }),
            ("SHA256:AAAA", FingerprintError::Length { found: 3 }),
            (
                "SHA256:47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU=",
                FingerprintError::Encoding,
            ),
            (
                "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU",
                FingerprintError::Encoding,
            ),
            // The last digit carries two bits that must be zero: one hash has one text.
            (
                "SHA256:47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFV",
                FingerprintError::Encoding,
            ),
        ];
        for (text, error) in cases {
            assert_eq!(text.parse::<Fingerprint>(), Err(error), "{text}");
        }
    }
}
