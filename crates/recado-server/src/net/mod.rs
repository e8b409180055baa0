//! Sockets: the one port, its connections, sessions and datagrams.

mod accept;
mod admission;
mod datagrams;
pub(crate) mod listen;
mod outbox;
mod outgoing;
mod relay;
mod session;
mod udp_socket;

pub(crate) use accept::{AcceptConfig, Acceptor, Services, run_accept};
pub(crate) use admission::Admission;
pub(crate) use datagrams::{DatagramCommand, Shards, default_shards};
pub(crate) use outbox::Outbox;
pub(crate) use relay::{Relay, RelayLimits, RelayTraffic};
pub(crate) use udp_socket::UdpPort;

/// Random bytes from the operating system.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    #[expect(
        clippy::expect_used,
        reason = "a system without randomness must not go on"
    )]
    aws_lc_rs::rand::fill(&mut bytes).expect("randomness from the operating system");
    bytes
}
