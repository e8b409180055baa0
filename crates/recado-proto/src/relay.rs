//! The server's blind relay: tokens, and what a relayed connection begins with. `docs/protocol.md` §Files.

use std::fmt;

use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk};
use zeroize::{Zeroize, Zeroizing};

use crate::id::WrongLength;

/// The first byte of a connection that is to be relayed: no TLS record and no text begins with it.
pub const FIRST_BYTE: u8 = 1;

/// The version of what follows it.
const VERSION: u8 = 1;

/// What a relayed connection begins with: two bytes and the token. What follows belongs to the other end.
pub const PREAMBLE: usize = 34;

/// Admits one connection to the relay, once: 256 random bits.
///
/// Erased when dropped; neither `Debug` nor any error shows it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RelayToken([u8; 32]);

impl RelayToken {
    /// Takes bytes that were drawn at random, or received.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes as they stand on the wire.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// What a connection that uses it begins with.
    pub fn preamble(&self) -> Zeroizing<[u8; PREAMBLE]> {
        let mut bytes = Zeroizing::new([0; PREAMBLE]);
        for (to, from) in bytes
            .iter_mut()
            .zip([FIRST_BYTE, VERSION].iter().chain(&self.0))
        {
            *to = *from;
        }
        bytes
    }

    /// Reads what a connection began with. `None` is no relayed connection, or one of a later version.
    pub fn from_preamble(preamble: &[u8; PREAMBLE]) -> Option<Self> {
        let token = preamble.strip_prefix(&[FIRST_BYTE, VERSION])?;
        Self::try_from(token).ok()
    }
}

impl Drop for RelayToken {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for RelayToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RelayToken(…)")
    }
}

impl TryFrom<&[u8]> for RelayToken {
    type Error = WrongLength;

    fn try_from(bytes: &[u8]) -> Result<Self, WrongLength> {
        let wrong = WrongLength {
            expected: 32,
            found: bytes.len(),
        };
        bytes.try_into().map(Self).map_err(|_| wrong)
    }
}

/// Where tokens come from: a secret that was drawn at random, once, and a count. Who knows some tokens cannot find
/// another.
#[derive(Clone)]
pub struct TokenSource {
    secret: Zeroizing<[u8; 32]>,
    next: u64,
}

impl TokenSource {
    /// Takes 32 bytes that the caller drew at random.
    pub fn new(secret: [u8; 32]) -> Self {
        Self {
            secret: Zeroizing::new(secret),
            next: 0,
        }
    }

    /// A token that never was and never will be again.
    #[expect(
        clippy::expect_used,
        reason = "32 bytes are a length that HKDF-SHA256 has"
    )]
    pub fn draw(&mut self) -> RelayToken {
        let count = self.next.to_be_bytes();
        self.next = self.next.wrapping_add(1);
        let key = Prk::new_less_safe(HKDF_SHA256, self.secret.as_slice());
        let mut token = [0; 32];
        key.expand(&[b"recado relay token v1", &count], Length)
            .and_then(|expanded| expanded.fill(&mut token))
            .expect("32 bytes");
        RelayToken(token)
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenSource(…)")
    }
}

/// Of a token.
struct Length;

impl KeyType for Length {
    fn len(&self) -> usize {
        32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preamble_is_read_back_and_nothing_else_is_taken_for_one() {
        let token = RelayToken::from_bytes([7; 32]);
        let preamble = token.preamble();
        assert_eq!(preamble[..2], [1, 1]);
        assert_eq!(RelayToken::from_preamble(&preamble), Some(token));
        for at in [0, 1] {
            let mut other = *preamble;
            other[at] = 2;
            assert_eq!(RelayToken::from_preamble(&other), None);
        }
    }

    #[test]
    fn tokens_differ_and_are_not_shown() {
        let mut source = TokenSource::new([1; 32]);
        let (first, second) = (source.draw(), source.draw());
        assert_ne!(first, second);
        assert_ne!(first, TokenSource::new([2; 32]).draw());
        assert_eq!(
            format!("{first:?} {source:?}"),
            "RelayToken(…) TokenSource(…)"
        );
    }
}
