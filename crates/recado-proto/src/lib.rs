//! What recado's server and client share: names, ids, fingerprints, limits, frames and the sealing
//! of datagrams. Pure: no sockets, clocks, tasks or files. The wire is described in
//! `docs/protocol.md`.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]

pub mod content;
pub mod datagram;
pub mod discovery;
pub mod file;
pub mod fingerprint;
pub mod frame;
pub mod framing;
pub mod global;
pub mod id;
pub mod limits;
pub mod name;
pub mod relay;
pub mod text;
pub mod ticket;

/// The protobuf messages, as generated from `proto/recado/v1`.
#[expect(missing_docs, reason = "documented in the .proto files")]
pub mod wire {
    include!(concat!(env!("OUT_DIR"), "/recado.v1.rs"));
}

/// ALPN protocol names (RFC 7301) that choose a service on the one port.
pub mod alpn {
    /// A chat session; the client certificate is the identity.
    pub const CHAT: &[u8] = b"recado/1";
    /// HTTPS for recado's own client, always served by recado's own root.
    pub const HTTP: &[u8] = b"recado-http/1";
    /// HTTP/2 for everyone.
    pub const H2: &[u8] = b"h2";
    /// HTTP/1.1 for everyone.
    pub const HTTP_1_1: &[u8] = b"http/1.1";
    /// A CA that asks whether a name is this server's (RFC 8737).
    pub const ACME: &[u8] = b"acme-tls/1";
}

/// The version of the chat protocol that this library speaks.
pub const PROTOCOL_VERSION: u32 = 1;

/// The name that every leaf of recado's own root carries, and that recado's client compares.
pub const SERVER_NAME: &str = "recado.internal";
