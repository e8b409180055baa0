//! The secret of a ticket, which admits a new name.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::{Zeroize, Zeroizing};

use crate::id::WrongLength;

/// What a ticket admits with: 128 random bits, drawn by the server, which keeps their hash alone.
///
/// Erased when dropped; neither `Debug` nor any error shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct TicketSecret([u8; 16]);

impl TicketSecret {
    /// Takes bytes that the caller drew at random, or received.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes as they stand on the wire.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// What the server remembers: a plain hash, because nobody guesses 128 bits.
    pub fn hash(&self) -> TicketHash {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest::digest(&digest::SHA256, &self.0).as_ref());
        TicketHash(bytes)
    }

    /// The end of a ticket's address: 22 characters of base64url.
    pub fn to_url(&self) -> Zeroizing<String> {
        Zeroizing::new(URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl Drop for TicketSecret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for TicketSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TicketSecret(…)")
    }
}

impl TryFrom<&[u8]> for TicketSecret {
    type Error = WrongLength;

    fn try_from(bytes: &[u8]) -> Result<Self, WrongLength> {
        let wrong = WrongLength {
            expected: 16,
            found: bytes.len(),
        };
        bytes.try_into().map(Self).map_err(|_| wrong)
    }
}

impl FromStr for TicketSecret {
    type Err = NotASecret;

    fn from_str(text: &str) -> Result<Self, NotASecret> {
        let mut bytes = Zeroizing::new([0; 16]);
        match URL_SAFE_NO_PAD.decode_slice(text, bytes.as_mut_slice()) {
            Ok(16) => Ok(Self(*bytes)),
            _ => Err(NotASecret),
        }
    }
}

/// SHA-256 of a ticket's secret: what names the ticket where the secret must not be.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TicketHash([u8; 32]);

impl TicketHash {
    /// The hash.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// A text that is no ticket's secret. It does not say which.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a ticket's secret has 22 characters of base64url")]
pub struct NotASecret;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_goes_into_an_address_and_back_and_is_never_shown() {
        let secret = TicketSecret::from_bytes(*b"0123456789abcdef");
        let text = secret.to_url();
        assert_eq!(text.as_str(), "MDEyMzQ1Njc4OWFiY2RlZg");
        assert_eq!(text.parse(), Ok(secret.clone()));
        assert_eq!(
            TicketSecret::try_from(&secret.as_bytes()[..]),
            Ok(secret.clone())
        );
        assert_eq!(format!("{secret:?}"), "TicketSecret(…)");
        for wrong in [
            "",
            "MDEy",
            "MDEyMzQ1Njc4OWFiY2RlZg==",
            "MDEyMzQ1Njc4OWFiY2RlZh",
            "MDEyMzQ1Njc4OWFiY2RlZmc",
        ] {
            assert_eq!(wrong.parse::<TicketSecret>(), Err(NotASecret), "{wrong}");
        }
        assert!(TicketSecret::try_from(&[0; 15][..]).is_err());
    }
}
