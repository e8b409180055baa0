//! Receiving by `recvmmsg` and sending by `sendmmsg`: one system call for many datagrams.

use std::array;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};

use nix::cmsg_space;
use nix::libc::{in_pktinfo, in6_pktinfo};
use nix::sys::socket::{
    ControlMessage, MsgFlags, MultiHeaders, SockaddrIn, SockaddrIn6, SockaddrLike, SockaddrStorage,
    recvmmsg, sendmmsg,
};
use rustix::net::sockopt::{
    Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery, set_ip_mtu_discover, set_ipv6_mtu_discover,
};

use super::packet_info::{PacketInfo, local_of};
use super::{BATCH, Datagram, ROOM, Route};

pub(super) use super::packet_info::ask_for_local;

/// Forbids fragments, as RFC 9000 §14 does: our datagrams fit every path that is to carry them, and whoever can
/// forge a fragment could spoil one that came whole. It also spares the kernel to number each packet, which is 7 %
/// of what sending one costs it. What routers say about a path's size is not believed (`PROBE`): anyone can say it.
pub(super) fn forbid_fragments(socket: &impl AsFd, v6: bool) -> io::Result<()> {
    if v6 {
        set_ipv6_mtu_discover(socket, Ipv6PathMtuDiscovery::PROBE)?;
    } else {
        set_ip_mtu_discover(socket, Ipv4PathMtuDiscovery::PROBE)?;
    }
    Ok(())
}

/// Datagrams as they come from one socket. The kernel notes in the headers how long addresses and control
/// messages are, and reads it again: sockets of two families cannot share them.
pub(crate) struct Receiver {
    headers: MultiHeaders<SockaddrStorage>,
    bytes: Box<[u8]>,
    received: Vec<(usize, Option<Route>)>,
}

impl Default for Receiver {
    fn default() -> Self {
        Self {
            headers: MultiHeaders::preallocate(BATCH, Some(cmsg_space!(in6_pktinfo))),
            bytes: vec![0; BATCH * ROOM].into(),
            received: Vec::with_capacity(BATCH),
        }
    }
}

impl Receiver {
    /// Receives what is there; what was there before is lost.
    pub(super) fn receive(&mut self, socket: &impl AsRawFd) -> io::Result<usize> {
        let mut rooms = self.bytes.chunks_mut(ROOM);
        let mut parts: [_; BATCH] =
            array::from_fn(|_| [IoSliceMut::new(rooms.next().unwrap_or_default())]);
        self.received.clear();
        let received = recvmmsg(
            socket.as_raw_fd(),
            &mut self.headers,
            &mut parts,
            MsgFlags::MSG_DONTWAIT,
            None,
        )?;
        for message in received {
            let local = message.cmsgs().ok().and_then(local_of);
            let peer = message.address.as_ref().and_then(socket_address);
            self.received
                .push((message.bytes, peer.map(|peer| Route { peer, local })));
        }
        Ok(self.received.len())
    }

    /// What was received.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = (&mut [u8], Route)> {
        let received = self.received.drain(..).zip(self.bytes.chunks_mut(ROOM));
        received.filter_map(|((length, route), room)| Some((room.get_mut(..length)?, route?)))
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

/// What the kernel is told of datagrams that leave.
#[derive(Default)]
pub(crate) struct Sender {
    v4: Family<SockaddrIn>,
    v6: Family<SockaddrIn6>,
}

/// Of one family of addresses.
struct Family<S> {
    peers: Vec<Option<S>>,
    /// For datagrams that say where they leave from: each has room for that, and must then use it.
    from: MultiHeaders<S>,
    /// For those that do not.
    any: MultiHeaders<S>,
}

impl Sender {
    /// Sends datagrams, [`BATCH`] at most, that all leave from where the first does; returns how many the socket
    /// took, at least one.
    pub(super) fn send(
        &mut self,
        socket: &impl AsRawFd,
        datagrams: &[Datagram],
    ) -> io::Result<usize> {
        let Some(first) = datagrams.first() else {
            return Ok(0);
        };
        let info = PacketInfo::new(first.route.local);
        match first.route.peer {
            SocketAddr::V4(_) => self.v4.send(socket, &info, datagrams, |peer| match peer {
                SocketAddr::V4(v4) => Some(v4.into()),
                SocketAddr::V6(_) => None,
            }),
            SocketAddr::V6(_) => self.v6.send(socket, &info, datagrams, |peer| match peer {
                SocketAddr::V4(_) => None,
                SocketAddr::V6(v6) => Some(v6.into()),
            }),
        }
    }
}

impl<S: SockaddrLike + Copy> Family<S> {
    fn new(control: Vec<u8>) -> Self {
        Self {
            peers: Vec::with_capacity(BATCH),
            from: MultiHeaders::preallocate(BATCH, Some(control)),
            any: MultiHeaders::preallocate(BATCH, None),
        }
    }

    fn send(
        &mut self,
        socket: &impl AsRawFd,
        info: &PacketInfo,
        datagrams: &[Datagram],
        peer: impl Fn(SocketAddr) -> Option<S>,
    ) -> io::Result<usize> {
        self.peers.clear();
        let peers = datagrams.iter().take(BATCH);
        self.peers
            .extend(peers.map(|datagram| peer(datagram.route.peer)));
        let mut rest = datagrams.iter();
        let parts: [_; BATCH] =
            array::from_fn(|_| [IoSlice::new(rest.next().map_or(&[][..], |it| &it.bytes))]);
        let control = info.message();
        let headers = match control {
            Some(_) => &mut self.from,
            None => &mut self.any,
        };
        let control: &[ControlMessage<'_>] = control.as_slice();
        let none = MsgFlags::empty();
        let fd = socket.as_raw_fd();
        Ok(sendmmsg(fd, headers, &parts, &self.peers, control, none)?.count())
    }
}

impl Default for Family<SockaddrIn> {
    fn default() -> Self {
        Self::new(cmsg_space!(in_pktinfo))
    }
}

impl Default for Family<SockaddrIn6> {
    fn default() -> Self {
        Self::new(cmsg_space!(in6_pktinfo))
    }
}
