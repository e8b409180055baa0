//! The one owner of a sealing sequence.

use super::keys::{EpochSecret, SealingKey, epoch_of};
use super::{Header, MAX_PLAINTEXT};
use crate::id::ConnectionId;

/// Seals one direction of one session. It alone holds that direction's sequence, which only goes up, so no
/// nonce is used twice; hence it cannot be cloned.
pub struct Sealer {
    connection: ConnectionId,
    /// The next datagram's sequence.
    next: u64,
    epoch: u64,
    secret: EpochSecret,
    key: SealingKey,
}

/// A datagram that cannot be sealed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SealError {
    /// More plaintext than a datagram holds; it goes over TCP.
    #[error("{0} bytes do not fit a datagram; the most is {MAX_PLAINTEXT}")]
    TooLong(usize),
    /// All 2^64 sequences are used; a new session is needed.
    #[error("the datagram sequence is used up")]
    Exhausted,
}

impl Sealer {
    pub(super) fn new(connection: ConnectionId, secret: EpochSecret) -> Self {
        let key = secret.sealing_key();
        Self {
            connection,
            next: 0,
            epoch: 0,
            secret,
            key,
        }
    }

    /// Writes the datagram that holds `plaintext` into `out`, which is emptied first, and returns
    /// its sequence.
    ///
    /// # Errors
    /// [`SealError`]; no sequence is used, and `out` is empty.
    pub fn seal(&mut self, plaintext: &[u8], out: &mut Vec<u8>) -> Result<u64, SealError> {
        out.clear();
        if plaintext.len() > MAX_PLAINTEXT {
            return Err(SealError::TooLong(plaintext.len()));
        }
        let sequence = self.next;
        let after = sequence.checked_add(1).ok_or(SealError::Exhausted)?;
        while self.epoch < epoch_of(sequence) {
            self.secret = self.secret.next();
            self.key = self.secret.sealing_key();
            self.epoch = self.epoch.saturating_add(1);
        }
        let header = Header {
            connection: self.connection,
            sequence,
        }
        .encode();
        out.extend_from_slice(&header);
        out.extend_from_slice(plaintext);
        let Some(body) = out.get_mut(header.len()..) else {
            return Err(SealError::TooLong(plaintext.len()));
        };
        match self.key.seal(sequence, &header, body) {
            Ok(tag) => out.extend_from_slice(&tag),
            Err(_) => {
                out.clear();
                return Err(SealError::TooLong(plaintext.len()));
            }
        }
        self.next = after;
        Ok(sequence)
    }

    /// The session's connection id.
    pub fn connection(&self) -> ConnectionId {
        self.connection
    }

    /// Moves the sequence on, to reach an epoch's end in a test.
    #[cfg(test)]
    pub(super) fn skip_to(&mut self, sequence: u64) {
        assert!(sequence >= self.next, "a sequence only goes up");
        self.next = sequence;
    }
}
