//! The key schedule: exporter → secret per direction → secret, key and IV per epoch.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk};
use zeroize::Zeroizing;

use super::{HEADER, Opener, Sealer, TAG};
use crate::PROTOCOL_VERSION;
use crate::id::{ConnectionId, RemoteKey, SessionId};

/// The label given to the TLS exporter (RFC 8446 §7.5).
pub const EXPORTER_LABEL: &[u8] = b"EXPORTER-recado-datagram-v1";

/// Bytes asked of the TLS exporter.
pub const EXPORTER_LENGTH: usize = 32;

/// Bits of the sequence within one epoch. AES-GCM allows 2^24.5 full-size records under one key
/// (RFC 8446 §5.5); an epoch of 2^23 stays below.
const EPOCH_BITS: u32 = 23;

/// The context given to the TLS exporter: version (one byte), session id, SHA-256 of the client's
/// public key (32 raw bytes of Ed25519), SHA-256 of the server's leaf certificate (DER).
pub fn exporter_context(session: &SessionId, client: &RemoteKey, leaf_hash: &[u8; 32]) -> Vec<u8> {
    let client = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, client.as_bytes());
    let version = u8::try_from(PROTOCOL_VERSION).unwrap_or(u8::MAX);
    let mut context = vec![version];
    context.extend_from_slice(session.as_bytes());
    context.extend_from_slice(client.as_ref());
    context.extend_from_slice(leaf_hash);
    context
}

/// Which end of a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// The end that opened the TLS connection.
    Client,
    /// The end that accepted it.
    Server,
}

impl Side {
    /// The other end.
    pub fn peer(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// Proof of having derived the same datagram keys; carried over TLS.
#[derive(Clone, Copy, Debug)]
pub struct Check([u8; 16]);

impl Check {
    /// The bytes as they stand on the wire.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Whether the peer sent this very check. Takes the same time whatever the bytes.
    pub fn matches(&self, received: &[u8]) -> bool {
        verify_slices_are_equal(&self.0, received).is_ok()
    }
}

/// What the TLS exporter gave for a session: the root of its datagram keys. Zeroized.
pub struct SessionSecret(Zeroizing<[u8; EXPORTER_LENGTH]>);

impl SessionSecret {
    /// Takes what the exporter gave for [`EXPORTER_LABEL`] and [`exporter_context`].
    pub fn new(exported: [u8; EXPORTER_LENGTH]) -> Self {
        Self(Zeroizing::new(exported))
    }

    /// The check that `side` sends.
    pub fn check(&self, side: Side) -> Check {
        Check(match side {
            Side::Client => expand(&self.0, b"recado datagram v1 client check"),
            Side::Server => expand(&self.0, b"recado datagram v1 server check"),
        })
    }

    /// Both ends of `side`'s use of the session's datagrams. Consumes the secret, so that a sequence
    /// has one owner.
    pub fn into_pair(self, side: Side, connection: ConnectionId) -> (Sealer, Opener) {
        let sealer = Sealer::new(connection, self.direction(side));
        let opener = Opener::new(connection, self.direction(side.peer()));
        (sealer, opener)
    }

    fn direction(&self, sender: Side) -> EpochSecret {
        EpochSecret(Zeroizing::new(match sender {
            Side::Client => expand(&self.0, b"recado datagram v1 client"),
            Side::Server => expand(&self.0, b"recado datagram v1 server"),
        }))
    }
}

impl std::fmt::Debug for SessionSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionSecret(..)")
    }
}

/// The epoch of a sequence.
pub(super) fn epoch_of(sequence: u64) -> u64 {
    sequence >> EPOCH_BITS
}

/// One direction's secret in one epoch.
pub(super) struct EpochSecret(Zeroizing<[u8; 32]>);

impl EpochSecret {
    /// The next epoch's secret, from which this one cannot be found.
    pub(super) fn next(&self) -> Self {
        Self(Zeroizing::new(expand(&self.0, b"next")))
    }

    pub(super) fn sealing_key(&self) -> SealingKey {
        let OpeningKey { key, iv } = self.opening_key();
        SealingKey {
            key: aead_key(&key),
            iv,
        }
    }

    pub(super) fn opening_key(&self) -> OpeningKey {
        OpeningKey {
            key: Zeroizing::new(expand(&self.0, b"key")),
            iv: expand(&self.0, b"iv"),
        }
    }
}

/// The AES-256-GCM key and IV of what is sent in one epoch, ready: to seal for everyone is the hot path.
pub(super) struct SealingKey {
    key: LessSafeKey,
    iv: [u8; 12],
}

/// The same of what is received. Kept as such and made ready for each datagram, which costs a fraction of receiving
/// one: ready, a key takes 600 bytes, and most sessions seldom send.
pub(super) struct OpeningKey {
    key: Zeroizing<[u8; 32]>,
    iv: [u8; 12],
}

impl SealingKey {
    /// Encrypts in place, and returns the tag.
    pub(super) fn seal(
        &self,
        sequence: u64,
        header: &[u8; HEADER],
        plaintext: &mut [u8],
    ) -> Result<[u8; TAG], aws_lc_rs::error::Unspecified> {
        let tag = self.key.seal_in_place_separate_tag(
            nonce(&self.iv, sequence),
            Aad::from(header),
            plaintext,
        )?;
        tag.as_ref()
            .try_into()
            .map_err(|_| aws_lc_rs::error::Unspecified)
    }
}

impl OpeningKey {
    /// Decrypts in place what ends in its tag, and returns the plaintext.
    pub(super) fn open<'a>(
        &self,
        sequence: u64,
        header: &[u8; HEADER],
        sealed: &'a mut [u8],
    ) -> Result<&'a mut [u8], aws_lc_rs::error::Unspecified> {
        aead_key(&self.key).open_in_place(nonce(&self.iv, sequence), Aad::from(header), sealed)
    }
}

/// IV xor sequence, the sequence at the right (as RFC 8446 §5.3).
fn nonce(iv: &[u8; 12], sequence: u64) -> Nonce {
    let mut nonce = *iv;
    for (byte, counter) in nonce.iter_mut().skip(4).zip(sequence.to_be_bytes()) {
        *byte ^= counter;
    }
    Nonce::assume_unique_for_key(nonce)
}

#[expect(
    clippy::expect_used,
    reason = "a key of 32 bytes is always one of AES-256-GCM"
)]
fn aead_key(key: &[u8; 32]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("32 bytes"))
}

/// HKDF-Expand (RFC 5869 §2.3) with SHA-256.
#[expect(
    clippy::expect_used,
    reason = "the lengths asked for are constants far below 255 hashes"
)]
fn expand<const N: usize>(secret: &[u8; 32], info: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    Prk::new_less_safe(HKDF_SHA256, secret)
        .expand(&[info], Length(N))
        .and_then(|okm| okm.fill(&mut out))
        .expect("a short output");
    out
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}
