//! Datagrams on their way into the sockets: sealed straight into buffers that are used again and again, sent in
//! batches, and kept for a while where a socket has no room.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::ErrorKind;
use std::mem;
use std::task::Poll;

use super::udp_socket::{AttachedPort, BATCH, Datagram, Route, Sender};

/// Datagrams that wait for room in a socket: one message to 16,384 people, 20 MiB at most.
const MAX_BACKLOG: usize = 16_384;

/// Where a datagram came from: which of the sockets, and its route.
pub(super) type From = (usize, Route);

/// What one thread sends.
pub(super) struct Outgoing {
    sender: Sender,
    /// Where the next datagram is sealed.
    next: Vec<u8>,
    /// One for each socket: that one is full does not hold up another.
    lanes: Vec<Lane>,
    dropped: u64,
}

/// What goes into one socket.
struct Lane {
    /// As many as are sent at a time; the first `used` are to be.
    batch: Vec<Datagram>,
    used: usize,
    /// What the socket had no room for, the oldest first. Empty, and nothing allocated, while there is room.
    backlog: VecDeque<Datagram>,
}

impl Outgoing {
    /// Into so many sockets.
    pub(super) fn new(ports: usize) -> Self {
        let lane = || Lane {
            batch: std::iter::repeat_with(Datagram::empty)
                .take(BATCH)
                .collect(),
            used: 0,
            backlog: VecDeque::new(),
        };
        Self {
            sender: Sender::default(),
            next: Datagram::empty().bytes,
            lanes: std::iter::repeat_with(lane).take(ports).collect(),
            dropped: 0,
        }
    }

    /// Where to seal a datagram that is then [pushed](Self::push), or not.
    pub(super) fn next(&mut self) -> &mut Vec<u8> {
        &mut self.next
    }

    /// Takes the datagram from [`next`](Self::next). Sent with others: at the latest by [`flush`](Self::flush).
    pub(super) fn push(&mut self, ports: &[AttachedPort], (at, route): From) {
        let Some(lane) = self.lanes.get_mut(at) else {
            return;
        };
        if let Some(slot) = lane.batch.get_mut(lane.used) {
            mem::swap(&mut slot.bytes, &mut self.next);
            slot.route = route;
            lane.used += 1;
        }
        if lane.used == lane.batch.len()
            && let Some(port) = ports.get(at)
        {
            self.dropped += lane.flush(port, &mut self.sender);
        }
    }

    /// Sends what was pushed.
    pub(super) fn flush(&mut self, ports: &[AttachedPort]) {
        for (lane, port) in self.lanes.iter_mut().zip(ports) {
            self.dropped += lane.flush(port, &mut self.sender);
        }
    }

    /// Whether something waits for room.
    pub(super) fn is_waiting(&self) -> bool {
        self.lanes.iter().any(|lane| !lane.backlog.is_empty())
    }

    /// Waits until there may be room for something that waits.
    pub(super) async fn writable(&self, ports: &[AttachedPort]) {
        poll_fn(|context| {
            let mut ready = Poll::Pending;
            for (lane, port) in self.lanes.iter().zip(ports) {
                if !lane.backlog.is_empty() && port.poll_writable(context).is_ready() {
                    ready = Poll::Ready(());
                }
            }
            ready
        })
        .await;
    }

    /// Sends what waits, as far as there is room, a batch into each socket.
    pub(super) fn drain(&mut self, ports: &[AttachedPort]) {
        for (lane, port) in self.lanes.iter_mut().zip(ports) {
            let (oldest, _) = lane.backlog.as_slices();
            let batch = oldest.get(..BATCH).unwrap_or(oldest);
            let gone = send(port, &mut self.sender, batch);
            lane.backlog.drain(..gone);
        }
    }

    /// How many had to be dropped since this was asked.
    pub(super) fn take_dropped(&mut self) -> u64 {
        mem::take(&mut self.dropped)
    }
}

impl Lane {
    /// Sends the batch, or lets it wait behind what waits; returns how many were dropped for that.
    fn flush(&mut self, port: &AttachedPort, sender: &mut Sender) -> u64 {
        let used = mem::take(&mut self.used);
        let batch = self.batch.get_mut(..used).unwrap_or_default();
        // Most servers have one address that people write to.
        if !batch.is_sorted_by_key(|datagram| datagram.route.local()) {
            batch.sort_by_key(|datagram| datagram.route.local());
        }
        let gone = match self.backlog.is_empty() {
            true => send(port, sender, batch),
            false => 0,
        };
        let mut dropped = 0;
        for datagram in batch.iter_mut().skip(gone) {
            if self.backlog.len() >= MAX_BACKLOG {
                self.backlog.pop_front();
                dropped += 1;
            }
            self.backlog
                .push_back(mem::replace(datagram, Datagram::empty()));
        }
        dropped
    }
}

/// Sends until there is no room; returns how many are gone. What cannot be sent at all, to an address that
/// cannot be reached, counts as gone.
fn send(port: &AttachedPort, sender: &mut Sender, datagrams: &[Datagram]) -> usize {
    let mut gone = 0;
    while let Some([first, ..]) = datagrams.get(gone..) {
        let local = first.route.local();
        let alike = datagrams.iter().skip(gone);
        let alike = alike.take_while(|it| it.route.local() == local).count();
        let alike = datagrams.get(gone..gone + alike).unwrap_or_default();
        match port.send(sender, alike) {
            Ok(sent) => gone += sent,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => gone += 1,
        }
    }
    gone
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;
    use crate::net::UdpPort;

    fn push(outgoing: &mut Outgoing, ports: &[AttachedPort], to: Route, number: usize) {
        outgoing.next().clear();
        outgoing.next().extend_from_slice(&number.to_be_bytes());
        outgoing.push(ports, (0, to));
    }

    fn received(client: &UdpSocket) -> usize {
        let mut bytes = [0; size_of::<usize>()];
        assert_eq!(client.recv(&mut bytes).unwrap(), bytes.len());
        usize::from_be_bytes(bytes)
    }

    /// A server's socket that does not know yet whether it has room, and its client.
    fn full_socket() -> (AttachedPort, UdpSocket, Route) {
        let port = UdpPort::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        let to = Route::new(client.local_addr().unwrap());
        (port.attach().unwrap(), client, to)
    }

    #[tokio::test]
    async fn what_finds_no_room_waits_in_order() {
        let (port, client, to) = full_socket();
        let ports = [port];
        let mut outgoing = Outgoing::new(1);
        for number in 0..3 {
            push(&mut outgoing, &ports, to, number);
        }
        outgoing.flush(&ports);
        assert!(outgoing.is_waiting());
        outgoing.writable(&ports).await;
        // There is room again, but what waits goes first.
        push(&mut outgoing, &ports, to, 3);
        outgoing.flush(&ports);
        outgoing.drain(&ports);
        assert!(!outgoing.is_waiting());
        push(&mut outgoing, &ports, to, 4);
        outgoing.flush(&ports);
        assert_eq!([(); 5].map(|()| received(&client)), [0, 1, 2, 3, 4]);
        assert_eq!(outgoing.take_dropped(), 0);
    }

    #[tokio::test]
    async fn the_oldest_gives_way() {
        let (port, client, to) = full_socket();
        let ports = [port];
        let mut outgoing = Outgoing::new(1);
        for number in 0..MAX_BACKLOG + 5 {
            push(&mut outgoing, &ports, to, number);
        }
        outgoing.flush(&ports);
        assert_eq!(outgoing.take_dropped(), 5);
        outgoing.writable(&ports).await;
        outgoing.drain(&ports);
        assert_eq!([(); 2].map(|()| received(&client)), [5, 6]);
    }

    #[tokio::test]
    async fn what_cannot_be_sent_holds_up_nothing() {
        let (port, client, to) = full_socket();
        let ports = [port];
        let mut outgoing = Outgoing::new(1);
        // Refused by the kernel.
        let nowhere = Route::new("127.0.0.1:0".parse().unwrap());
        for (number, route) in [to, nowhere, to].into_iter().enumerate() {
            push(&mut outgoing, &ports, route, number);
        }
        outgoing.flush(&ports);
        outgoing.writable(&ports).await;
        outgoing.drain(&ports);
        assert!(!outgoing.is_waiting());
        assert_eq!([(); 2].map(|()| received(&client)), [0, 2]);
    }
}
