//! A UDP socket that knows to which of the machine's addresses a datagram came, so that the answer leaves
//! from there (RFC 3542 §6, ip(7) `IP_PKTINFO`).

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsRawFd;

use nix::cmsg_space;
use nix::libc::{in_addr, in_pktinfo, in6_addr, in6_pktinfo};
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg, setsockopt,
    sockopt,
};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// Asked of the kernel for each direction: a burst of 3,000 datagrams. It grants what its own limits allow.
const BUFFER: usize = 4 * 1024 * 1024;

/// A bound UDP socket.
pub(crate) struct UdpPort {
    socket: UdpSocket,
    address: SocketAddr,
}

/// Where a datagram came from, and to which of our addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Route {
    pub(crate) peer: SocketAddr,
    local: Option<IpAddr>,
}

impl UdpPort {
    /// Binds within a tokio runtime.
    pub(crate) fn bind(address: SocketAddr) -> io::Result<Self> {
        let domain = Domain::for_address(address);
        let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
            setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?;
        } else {
            setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?;
        }
        // Refused on some systems where more than the limit is asked; the default then does.
        let _ = socket.set_recv_buffer_size(BUFFER);
        let _ = socket.set_send_buffer_size(BUFFER);
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        let socket = UdpSocket::from_std(socket.into())?;
        let address = socket.local_addr()?;
        Ok(Self { socket, address })
    }

    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Whether there may be something to receive.
    pub(crate) fn poll_recv_ready(
        &self,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        self.socket.poll_recv_ready(context)
    }

    /// Receives a datagram if there is one. A longer one than `buffer` is cut.
    pub(crate) fn try_recv(&self, buffer: &mut [u8]) -> io::Result<(usize, Route)> {
        self.socket.try_io(Interest::READABLE, || {
            let mut control = cmsg_space!(in6_pktinfo);
            let mut parts = [IoSliceMut::new(buffer)];
            let received = recvmsg::<SockaddrStorage>(
                self.socket.as_raw_fd(),
                &mut parts,
                Some(&mut control),
                MsgFlags::empty(),
            )?;
            let peer = received
                .address
                .as_ref()
                .and_then(socket_address)
                .ok_or(io::ErrorKind::InvalidData)?;
            let mut local = None;
            for message in received.cmsgs()? {
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
            Ok((received.bytes, Route { peer, local }))
        })
    }

    /// Sends a datagram back along a route, if the socket takes it now.
    pub(crate) fn try_send(&self, route: &Route, datagram: &[u8]) -> io::Result<()> {
        self.socket
            .try_io(Interest::WRITABLE, || self.send_now(route, datagram))
    }

    /// Waits until the socket may take a datagram.
    pub(crate) async fn writable(&self) {
        // An error is found by whoever sends next.
        let _ = self.socket.writable().await;
    }

    fn send_now(&self, route: &Route, datagram: &[u8]) -> io::Result<()> {
        let parts = [IoSlice::new(datagram)];
        let to = SockaddrStorage::from(route.peer);
        let fd = self.socket.as_raw_fd();
        let none = MsgFlags::empty();
        match route.local {
            Some(IpAddr::V4(local)) => {
                let info = in_pktinfo {
                    ipi_ifindex: 0,
                    ipi_spec_dst: in_addr {
                        s_addr: u32::from_ne_bytes(local.octets()),
                    },
                    ipi_addr: in_addr { s_addr: 0 },
                };
                let control = [ControlMessage::Ipv4PacketInfo(&info)];
                sendmsg(fd, &parts, &control, none, Some(&to))?;
            }
            Some(IpAddr::V6(local)) => {
                let info = in6_pktinfo {
                    ipi6_addr: in6_addr {
                        s6_addr: local.octets(),
                    },
                    ipi6_ifindex: 0,
                };
                let control = [ControlMessage::Ipv6PacketInfo(&info)];
                sendmsg(fd, &parts, &control, none, Some(&to))?;
            }
            None => {
                sendmsg(fd, &parts, &[], none, Some(&to))?;
            }
        }
        Ok(())
    }
}

fn socket_address(storage: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = storage
        .as_sockaddr_in()
        .map(|v4| SocketAddr::V4((*v4).into()));
    v4.or_else(|| {
        storage
            .as_sockaddr_in6()
            .map(|v6| SocketAddr::V6((*v6).into()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_answer_leaves_from_the_address_that_was_written_to() {
        let port = UdpPort::bind("0.0.0.0:0".parse().unwrap()).unwrap();
        let number = port.local_addr().port();
        // A connected socket takes answers from its peer's address alone.
        for address in ["127.0.0.1", "127.0.0.2"] {
            let client = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            client.connect((address, number)).await.unwrap();
            client.send(b"ping").await.unwrap();
            let mut buffer = [0; 16];
            std::future::poll_fn(|context| port.poll_recv_ready(context))
                .await
                .unwrap();
            let (length, route) = port.try_recv(&mut buffer).unwrap();
            assert_eq!(&buffer[..length], b"ping");
            assert_eq!(route.peer, client.local_addr().unwrap());
            port.try_send(&route, b"pong").unwrap();
            let length = client.recv(&mut buffer).await.unwrap();
            assert_eq!(&buffer[..length], b"pong");
        }
    }
}
