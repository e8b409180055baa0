//! Receiving and sending one by one, with the same face as in batches.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd};

use nix::cmsg_space;
use nix::libc::in6_pktinfo;
use nix::sys::socket::{MsgFlags, SockaddrStorage, recvmsg, sendmsg};

use super::packet_info::{PacketInfo, local_of};
use super::{Datagram, ROOM, Route};

#[cfg(not(target_os = "linux"))]
pub(super) use super::packet_info::ask_for_local;

/// Left to the system.
#[cfg_attr(
    target_os = "linux",
    expect(dead_code, reason = "its other half is tested")
)]
pub(super) fn forbid_fragments(_: &impl AsFd, _: bool) -> io::Result<()> {
    Ok(())
}

/// A datagram as it comes from a socket.
pub(crate) struct Receiver {
    bytes: Box<[u8]>,
    control: Vec<u8>,
    received: Option<(usize, Route)>,
}

impl Default for Receiver {
    fn default() -> Self {
        Self {
            bytes: vec![0; ROOM].into(),
            control: cmsg_space!(in6_pktinfo),
            received: None,
        }
    }
}

impl Receiver {
    /// Receives one if there is one.
    pub(super) fn receive(&mut self, socket: &impl AsRawFd) -> io::Result<usize> {
        self.received = None;
        let mut parts = [IoSliceMut::new(&mut self.bytes)];
        let message = recvmsg::<SockaddrStorage>(
            socket.as_raw_fd(),
            &mut parts,
            Some(&mut self.control),
            MsgFlags::empty(),
        )?;
        let address = message.address.as_ref();
        let v4 = address.and_then(|it| it.as_sockaddr_in().map(|v4| (*v4).into()));
        let v6 = address.and_then(|it| it.as_sockaddr_in6().map(|v6| (*v6).into()));
        let peer = v4.or(v6).ok_or(io::ErrorKind::InvalidData)?;
        let local = local_of(message.cmsgs()?);
        self.received = Some((message.bytes, Route { peer, local }));
        Ok(1)
    }

    /// What was received.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = (&mut [u8], Route)> {
        let received = self.received.take().into_iter();
        let received = received.zip([&mut self.bytes]);
        received.filter_map(|((length, route), bytes)| Some((bytes.get_mut(..length)?, route)))
    }
}

/// Nothing is kept between two datagrams.
#[derive(Default)]
pub(crate) struct Sender;

impl Sender {
    /// Sends datagrams that all leave from where the first does; returns how many the socket took, at least one.
    pub(super) fn send(
        &mut self,
        socket: &impl AsRawFd,
        datagrams: &[Datagram],
    ) -> io::Result<usize> {
        let Some(first) = datagrams.first() else {
            return Ok(0);
        };
        let info = PacketInfo::new(first.route.local);
        let control = info.message();
        for (at, datagram) in datagrams.iter().enumerate() {
            let parts = [IoSlice::new(&datagram.bytes)];
            let to = SockaddrStorage::from(datagram.route.peer);
            let sent = sendmsg(
                socket.as_raw_fd(),
                &parts,
                control.as_slice(),
                MsgFlags::empty(),
                Some(&to),
            );
            match sent {
                Ok(_) => {}
                Err(error) if at == 0 => return Err(error.into()),
                Err(_) => return Ok(at),
            }
        }
        Ok(datagrams.len())
    }
}
