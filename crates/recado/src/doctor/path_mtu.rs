//! How long a datagram may be on the way to an address: Linux tells it.

use std::net::SocketAddr;

/// What the system knows of the way to an address, after a datagram of full length was sent there.
#[cfg(target_os = "linux")]
pub(super) async fn path_mtu(address: SocketAddr) -> Option<usize> {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
    use std::time::Duration;

    use nix::sys::socket::{getsockopt, sockopt::IpMtu};
    use recado_proto::limits::MAX_DATAGRAM;

    /// How long word of a datagram that was too long for the way may take to come back.
    const MTU_TIME: Duration = Duration::from_millis(300);

    let any: IpAddr = match address {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(address).ok()?;
    // Nobody can open it, so nobody answers; one that is too long for a link is refused here, or word comes back.
    let _ = socket.send(&[0; MAX_DATAGRAM]);
    tokio::time::sleep(MTU_TIME).await;
    usize::try_from(getsockopt(&socket, IpMtu).ok()?).ok()
}

/// Elsewhere nobody tells.
#[cfg(not(target_os = "linux"))]
pub(super) async fn path_mtu(_address: SocketAddr) -> Option<usize> {
    None
}
