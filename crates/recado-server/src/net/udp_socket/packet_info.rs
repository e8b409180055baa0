//! To which of our addresses a datagram came, and from which its answer is to leave, as Unix systems tell it and are
//! told (RFC 3542, section 6; ip(7) `IP_PKTINFO`).

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsFd;

use nix::libc::{in_addr, in_pktinfo, in6_addr, in6_pktinfo};
use nix::sys::socket::{ControlMessage, ControlMessageOwned, setsockopt, sockopt};

/// Asks to be told with each datagram.
pub(super) fn ask_for_local(socket: &impl AsFd, is_ipv6: bool) -> io::Result<()> {
    if is_ipv6 {
        setsockopt(socket, sockopt::Ipv6RecvPacketInfo, &true)?;
    } else {
        setsockopt(socket, sockopt::Ipv4PacketInfo, &true)?;
    }
    Ok(())
}

/// Which of our addresses a datagram came to.
pub(super) fn local_of(messages: impl Iterator<Item = ControlMessageOwned>) -> Option<IpAddr> {
    let mut local = None;
    for message in messages {
        match message {
            ControlMessageOwned::Ipv4PacketInfo(info) => {
                local = Some(Ipv4Addr::from(info.ipi_addr.s_addr.to_ne_bytes()).into());
            }
            ControlMessageOwned::Ipv6PacketInfo(info) => {
                local = Some(Ipv6Addr::from(info.ipi6_addr.s6_addr).into());
            }
            _ => {}
        }
    }
    local
}

/// From where a datagram is to leave, as the kernel is told.
pub(super) enum PacketInfo {
    Any,
    V4(in_pktinfo),
    V6(in6_pktinfo),
}

impl PacketInfo {
    pub(super) fn new(local: Option<IpAddr>) -> Self {
        match local {
            None => Self::Any,
            Some(IpAddr::V4(local)) => Self::V4(in_pktinfo {
                ipi_ifindex: 0,
                ipi_spec_dst: in_addr {
                    s_addr: u32::from_ne_bytes(local.octets()),
                },
                ipi_addr: in_addr { s_addr: 0 },
            }),
            Some(IpAddr::V6(local)) => Self::V6(in6_pktinfo {
                ipi6_addr: in6_addr {
                    s6_addr: local.octets(),
                },
                ipi6_ifindex: 0,
            }),
        }
    }

    pub(super) fn message(&self) -> Option<ControlMessage<'_>> {
        match self {
            Self::Any => None,
            Self::V4(info) => Some(ControlMessage::Ipv4PacketInfo(info)),
            Self::V6(info) => Some(ControlMessage::Ipv6PacketInfo(info)),
        }
    }
}
