//! Sealed datagrams: AES-256-GCM under keys from the TLS exporter. `docs/protocol.md` §Datagrams
//! gives the format to the byte.
//!
//! ```text
//! byte 0       0x01: version 1 (the two top bits are 0, so QUIC can share the port one day)
//! bytes 1-8    connection id          ┐ big-endian; with byte 0 the
//! bytes 9-16   sequence               ┘ additional authenticated data
//! then         ciphertext of a ClientDatagram or ServerDatagram, and the 16-byte tag
//! ```

mod keys;
mod opener;
mod replay_window;
mod sealer;

pub use keys::{Check, EXPORTER_LABEL, EXPORTER_LENGTH, SessionSecret, Side, exporter_context};
pub use opener::{OpenError, Opened, Opener};
pub use replay_window::{ReplayWindow, Verdict};
pub use sealer::{SealError, Sealer};

use crate::id::ConnectionId;
use crate::limits::MAX_DATAGRAM;

/// The first byte of version 1.
const VERSION: u8 = 1;

/// Bytes before the ciphertext.
pub const HEADER: usize = 17;

/// Bytes of the tag after the ciphertext.
pub const TAG: usize = 16;

/// The most plaintext that a datagram holds, in bytes.
pub const MAX_PLAINTEXT: usize = MAX_DATAGRAM - HEADER - TAG;

/// What stands in the clear before a datagram's ciphertext. Nothing in it is true until the datagram
/// has opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// The session.
    pub connection: ConnectionId,
    /// The sender's count of datagrams in this direction.
    pub sequence: u64,
}

impl Header {
    /// The bytes as they stand on the wire, and as they are authenticated.
    pub fn encode(&self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        let (version, rest) = bytes.split_at_mut(1);
        let (connection, sequence) = rest.split_at_mut(8);
        version.copy_from_slice(&[VERSION]);
        connection.copy_from_slice(&self.connection.0.to_be_bytes());
        sequence.copy_from_slice(&self.sequence.to_be_bytes());
        bytes
    }

    /// Reads the header of a datagram, and hands back what follows it. `None` where it is no datagram
    /// of this version or cannot hold a tag.
    pub fn split(datagram: &mut [u8]) -> Option<(Self, &mut [u8])> {
        if datagram.len() > MAX_DATAGRAM {
            return None;
        }
        let (header, sealed) = datagram.split_first_chunk_mut::<HEADER>()?;
        let (version, rest) = header.split_first()?;
        let (connection, sequence) = rest.split_first_chunk::<8>()?;
        if *version != VERSION || sealed.len() < TAG {
            return None;
        }
        let header = Self {
            connection: ConnectionId(u64::from_be_bytes(*connection)),
            sequence: u64::from_be_bytes(*sequence.first_chunk::<8>()?),
        };
        Some((header, sealed))
    }

    /// The connection id of a datagram that has not been opened, to find its session by.
    pub fn peek_connection(datagram: &[u8]) -> Option<ConnectionId> {
        let (version, rest) = datagram.split_first()?;
        let connection = rest.first_chunk::<8>()?;
        (*version == VERSION && datagram.len() >= HEADER + TAG)
            .then(|| ConnectionId(u64::from_be_bytes(*connection)))
    }
}

#[cfg(test)]
mod tests;
