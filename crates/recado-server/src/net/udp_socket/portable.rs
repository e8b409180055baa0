//! Receiving and sending one by one, with what every system has: which of our addresses a datagram came to is not
//! known, and the system chooses where an answer leaves from.

use std::io;

use socket2::Socket;
use tokio::net::UdpSocket;

use super::{Datagram, ROOM, Route};

/// Not told here.
#[cfg_attr(unix, expect(dead_code, reason = "its other half is tested"))]
pub(super) fn ask_for_local(_: &Socket, _: bool) -> io::Result<()> {
    Ok(())
}

/// Left to the system.
#[cfg_attr(unix, expect(dead_code, reason = "its other half is tested"))]
pub(super) fn forbid_fragments(_: &Socket, _: bool) -> io::Result<()> {
    Ok(())
}

/// A datagram as it comes from a socket.
pub(crate) struct Receiver {
    bytes: Box<[u8]>,
    received: Option<(usize, Route)>,
}

impl Default for Receiver {
    fn default() -> Self {
        Self {
            bytes: vec![0; ROOM].into(),
            received: None,
        }
    }
}

impl Receiver {
    /// Receives one if there is one.
    pub(super) fn receive(&mut self, socket: &UdpSocket) -> io::Result<usize> {
        self.received = None;
        let (length, peer) = socket.try_recv_from(&mut self.bytes)?;
        self.received = Some((length, Route::new(peer)));
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
    /// Sends datagrams; returns how many the socket took, at least one.
    pub(super) fn send(&mut self, socket: &UdpSocket, datagrams: &[Datagram]) -> io::Result<usize> {
        for (at, datagram) in datagrams.iter().enumerate() {
            match socket.try_send_to(&datagram.bytes, datagram.route.peer) {
                Ok(_) => {}
                Err(error) if at == 0 => return Err(error),
                Err(_) => return Ok(at),
            }
        }
        Ok(datagrams.len())
    }
}
