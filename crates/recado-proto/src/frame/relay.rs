//! The frames by which two sessions get a relayed connection. `docs/protocol.md` §Files says what each means.

use super::{Malformed, RelayRefusalCode, id};
use crate::id::{OfferId, RemoteKey};
use crate::relay::RelayToken;
use crate::wire;

/// See [`ClientFrame::RelayRequest`](super::ClientFrame::RelayRequest).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RelayRequest {
    /// What is to be carried.
    pub offer: OfferId,
    /// With whom.
    pub peer: RemoteKey,
}

/// See [`ServerFrame::RelayGranted`](super::ServerFrame::RelayGranted).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RelayGranted {
    /// As asked.
    pub offer: OfferId,
    /// Admits one connection.
    pub token: RelayToken,
}

/// See [`ServerFrame::RelayRefused`](super::ServerFrame::RelayRefused).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RelayRefused {
    /// As asked.
    pub offer: OfferId,
    /// Why.
    pub code: RelayRefusalCode,
    /// When it may be asked for again, in milliseconds.
    pub retry_in_ms: u64,
}

impl From<RelayRequest> for wire::RelayRequest {
    fn from(request: RelayRequest) -> Self {
        Self {
            offer: request.offer.as_bytes().to_vec(),
            peer: request.peer.as_bytes().to_vec(),
        }
    }
}

impl TryFrom<wire::RelayRequest> for RelayRequest {
    type Error = Malformed;

    fn try_from(request: wire::RelayRequest) -> Result<Self, Malformed> {
        Ok(Self {
            offer: id("offer", &request.offer)?,
            peer: id("peer", &request.peer)?,
        })
    }
}

impl From<RelayGranted> for wire::RelayGranted {
    fn from(granted: RelayGranted) -> Self {
        Self {
            offer: granted.offer.as_bytes().to_vec(),
            token: granted.token.as_bytes().to_vec(),
        }
    }
}

impl TryFrom<wire::RelayGranted> for RelayGranted {
    type Error = Malformed;

    fn try_from(granted: wire::RelayGranted) -> Result<Self, Malformed> {
        Ok(Self {
            offer: id("offer", &granted.offer)?,
            token: id("token", &granted.token)?,
        })
    }
}

impl From<RelayRefused> for wire::RelayRefused {
    fn from(refused: RelayRefused) -> Self {
        Self {
            offer: refused.offer.as_bytes().to_vec(),
            code: refused.code.into(),
            retry_in_ms: refused.retry_in_ms,
        }
    }
}

impl TryFrom<wire::RelayRefused> for RelayRefused {
    type Error = Malformed;

    fn try_from(refused: wire::RelayRefused) -> Result<Self, Malformed> {
        Ok(Self {
            offer: id("offer", &refused.offer)?,
            code: refused.code(),
            retry_in_ms: refused.retry_in_ms,
        })
    }
}
