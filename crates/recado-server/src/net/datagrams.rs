//! The task that owns a shard and its sockets.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::ErrorKind;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use recado_hub::{Event, Received, SessionNumber, Shard};
use recado_proto::datagram::{Opener, Sealer};
use recado_proto::limits::MAX_DATAGRAM;
use tokio::sync::mpsc;
use tokio::time::{Instant, Interval, MissedTickBehavior};

use super::udp_socket::{Route, UdpPort};
use crate::hub_task::ShellEvent;

/// Datagrams received before commands are looked at again.
const BATCH: usize = 64;

/// How often rejected datagrams are reported, at most: a flood must not fill the log.
const REPORT_INTERVAL: Duration = Duration::from_secs(60);

/// How often silent clients are looked for.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(5);

/// Datagrams that wait for room in a socket: one message to 16,384 people, 20 MiB at most.
const MAX_BACKLOG: usize = 16_384;

/// What the hub commands.
pub(crate) enum DatagramCommand {
    /// Take over a session's datagrams.
    Open {
        /// The session.
        session: SessionNumber,
        /// Own the sequence and the window from now on.
        keys: Box<(Sealer, Opener)>,
    },
    /// Forget a session.
    Remove(SessionNumber),
    /// Send a session nothing more until its path is confirmed again.
    Unconfirm(SessionNumber),
    /// Send a session a datagram that nobody asked for by datagram.
    ProbeBack(SessionNumber),
    /// Seal and send to every confirmed path.
    FanOut(Arc<[u8]>),
}

/// Where a datagram came from: which of the sockets, and its route.
type From = (usize, Route);

/// Runs until the hub drops its end of `commands`.
pub(crate) async fn run_datagrams(
    ports: Vec<UdpPort>,
    mut commands: mpsc::Receiver<DatagramCommand>,
    events: mpsc::Sender<ShellEvent>,
) {
    let started = Instant::now();
    let random = || u64::from_ne_bytes(super::random());
    let mut shard: Shard<From> = Shard::new(Box::new(random));
    let mut out = Vec::with_capacity(MAX_DATAGRAM);
    // One byte more than allowed, so that what was cut is seen to be too long.
    let mut buffer = [0; MAX_DATAGRAM + 1];
    let mut pending: VecDeque<Event> = VecDeque::new();
    let mut backlog = Backlog::default();
    let mut turn = 0;
    let mut reported = 0;
    let mut report = interval_after(REPORT_INTERVAL);
    let mut expiry = interval_after(EXPIRY_INTERVAL);
    loop {
        // The hub may be waiting to command while its queue is full: commands are always taken, nothing here
        // waits for anything else, and what the hub is to learn waits with nothing received meanwhile.
        tokio::select! {
            command = commands.recv() => match command {
                None => return,
                Some(DatagramCommand::Open { session, keys }) => {
                    let (sealer, opener) = *keys;
                    shard.add(session, sealer, opener);
                }
                Some(DatagramCommand::Remove(session)) => shard.remove(session),
                Some(DatagramCommand::Unconfirm(session)) => shard.unconfirm(session),
                Some(DatagramCommand::ProbeBack(session)) => {
                    if let Some(to) = shard.probe_back(session, &mut out) {
                        backlog.send(&ports, to, &out);
                    }
                }
                Some(DatagramCommand::FanOut(plaintext)) => {
                    shard.fan_out(&plaintext, &mut out, |to, datagram| {
                        backlog.send(&ports, to, datagram);
                    });
                }
            },
            permit = events.reserve(), if !pending.is_empty() => match (permit, pending.pop_front()) {
                (Ok(permit), Some(event)) => permit.send(ShellEvent::Hub(event)),
                _ => return,
            },
            () = backlog.writable(&ports), if !backlog.is_empty() => backlog.drain(&ports),
            _ = report.tick() => {
                let rejected = shard.rejected();
                if rejected > reported {
                    tracing::warn!(count = rejected - reported, "datagrams rejected");
                    reported = rejected;
                }
                if backlog.dropped > 0 {
                    tracing::warn!(count = backlog.dropped, "datagrams dropped: the network is full");
                    backlog.dropped = 0;
                }
            }
            _ = expiry.tick() => {
                let silent = shard.expire(started.elapsed());
                pending.extend(silent.into_iter().map(|session| Event::Path { session, up: false }));
            }
            at = readable(&ports, turn), if pending.is_empty() => {
                // The next socket has the first turn after this one.
                turn = at + 1;
                for _ in 0..BATCH {
                    let Some(port) = ports.get(at) else { break };
                    match port.try_recv(&mut buffer) {
                        Ok((length, route)) => {
                            let Some(datagram) = buffer.get_mut(..length) else { continue };
                            let now = started.elapsed();
                            let received = shard.handle_datagram(now, (at, route), datagram, &mut out);
                            act(received, &ports, &out, &mut pending);
                        }
                        Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                        // An ICMP answer to something sent earlier, or a passing lack of memory.
                        Err(_) => {}
                    }
                }
            }
        }
    }
}

fn interval_after(period: Duration) -> Interval {
    let mut interval = tokio::time::interval_at(Instant::now() + period, period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

/// Which of the sockets has something to receive; `turn` is looked at first.
async fn readable(ports: &[UdpPort], turn: usize) -> usize {
    poll_fn(|context| {
        for step in 0..ports.len() {
            let at = (turn + step) % ports.len();
            if ports
                .get(at)
                .is_some_and(|port| port.poll_recv_ready(context).is_ready())
            {
                return Poll::Ready(at);
            }
        }
        Poll::Pending
    })
    .await
}

/// Datagrams that a socket had no room for. Bounded: the oldest give way.
#[derive(Default)]
struct Backlog {
    waiting: VecDeque<(From, Vec<u8>)>,
    dropped: u64,
}

impl Backlog {
    fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Sends now, or once there is room and what waits has gone.
    fn send(&mut self, ports: &[UdpPort], to: From, datagram: &[u8]) {
        if self.waiting.is_empty() && send_now(ports, &to, datagram) {
            return;
        }
        if self.waiting.len() >= MAX_BACKLOG {
            self.waiting.pop_front();
            self.dropped += 1;
        }
        self.waiting.push_back((to, datagram.to_vec()));
    }

    /// Sends until there is no room.
    fn drain(&mut self, ports: &[UdpPort]) {
        while let Some((to, datagram)) = self.waiting.front() {
            if !send_now(ports, to, datagram) {
                return;
            }
            self.waiting.pop_front();
        }
    }

    /// Waits for room for the first.
    async fn writable(&self, ports: &[UdpPort]) {
        let first = self.waiting.front().and_then(|((at, _), _)| ports.get(*at));
        if let Some(port) = first {
            port.writable().await;
        }
    }
}

fn act(received: Received<From>, ports: &[UdpPort], out: &[u8], pending: &mut VecDeque<Event>) {
    match received {
        Received::Nothing => {}
        Received::Answer { to, path, heard } => {
            // The answer first: a lost one is asked for again.
            send_now(ports, &to, out);
            if let Some((session, up)) = path {
                pending.push_back(Event::Path { session, up });
            }
            if let Some((session, nonce)) = heard {
                pending.push_back(Event::ProbeHeard { session, nonce });
            }
        }
        Received::PathLost(session) => pending.push_back(Event::Path { session, up: false }),
        Received::Global {
            session,
            message,
            path_lost,
        } => {
            if path_lost {
                pending.push_back(Event::Path { session, up: false });
            }
            pending.push_back(Event::Datagram { session, message });
        }
    }
}

/// Whether the socket took it. What cannot be sent at all, to an address that cannot be reached, counts as taken.
fn send_now(ports: &[UdpPort], to: &From, datagram: &[u8]) -> bool {
    let (at, route) = to;
    let sent = ports.get(*at).map(|port| port.try_send(route, datagram));
    !matches!(sent, Some(Err(error)) if error.kind() == ErrorKind::WouldBlock)
}
