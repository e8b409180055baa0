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
use tokio::time::{Instant, MissedTickBehavior};

use super::udp_socket::{Route, UdpPort};
use crate::hub_task::ShellEvent;

/// Datagrams received before commands are looked at again.
const BATCH: usize = 64;

/// How often rejected datagrams are reported, at most: a flood must not fill the log.
const REPORT_INTERVAL: Duration = Duration::from_secs(60);

/// What the hub commands.
pub(crate) enum DatagramCommand {
    /// Take over a session's datagrams.
    Open {
        /// The session.
        session: SessionNumber,
        /// Owns the sequence from now on.
        sealer: Sealer,
        /// Owns the window from now on.
        opener: Opener,
    },
    /// Forget a session.
    Remove(SessionNumber),
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
    let random = || u64::from_ne_bytes(super::random());
    let mut shard: Shard<From> = Shard::new(Box::new(random));
    let mut out = Vec::with_capacity(MAX_DATAGRAM);
    // One byte more than allowed, so that what was cut is seen to be too long.
    let mut buffer = [0; MAX_DATAGRAM + 1];
    let mut pending: VecDeque<Event> = VecDeque::new();
    let mut reported = 0;
    let mut report = tokio::time::interval_at(Instant::now() + REPORT_INTERVAL, REPORT_INTERVAL);
    report.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        // The hub may be waiting to command while its queue is full: commands are always taken, and
        // what it is to learn waits here, with nothing received meanwhile.
        tokio::select! {
            biased;
            command = commands.recv() => match command {
                None => return,
                Some(DatagramCommand::Open { session, sealer, opener }) => {
                    shard.add(session, sealer, opener);
                }
                Some(DatagramCommand::Remove(session)) => shard.remove(session),
                Some(DatagramCommand::FanOut(plaintext)) => {
                    fan_out(&mut shard, &ports, &plaintext, &mut out).await;
                }
            },
            permit = events.reserve(), if !pending.is_empty() => match (permit, pending.pop_front()) {
                (Ok(permit), Some(event)) => permit.send(ShellEvent::Hub(event)),
                _ => return,
            },
            _ = report.tick() => {
                let rejected = shard.rejected();
                if rejected > reported {
                    tracing::warn!(count = rejected - reported, "datagrams rejected");
                    reported = rejected;
                }
            }
            at = readable(&ports), if pending.is_empty() => {
                for _ in 0..BATCH {
                    let Some(port) = ports.get(at) else { break };
                    match port.try_recv(&mut buffer) {
                        Ok((length, route)) => {
                            let Some(datagram) = buffer.get_mut(..length) else { continue };
                            let received = shard.handle_datagram((at, route), datagram, &mut out);
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

/// Which of the sockets has something to receive.
async fn readable(ports: &[UdpPort]) -> usize {
    poll_fn(|context| {
        for (at, port) in ports.iter().enumerate() {
            if port.poll_recv_ready(context).is_ready() {
                return Poll::Ready(at);
            }
        }
        Poll::Pending
    })
    .await
}

fn act(received: Received<From>, ports: &[UdpPort], out: &[u8], pending: &mut VecDeque<Event>) {
    match received {
        Received::Nothing => {}
        Received::Answer { to, path } => {
            // The answer first: a lost one is asked for again.
            send_now(ports, &to, out);
            if let Some((session, up)) = path {
                pending.push_back(Event::Path { session, up });
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

fn send_now(ports: &[UdpPort], to: &From, datagram: &[u8]) -> bool {
    let (at, route) = to;
    let sent = ports.get(*at).map(|port| port.try_send(route, datagram));
    !matches!(sent, Some(Err(error)) if error.kind() == ErrorKind::WouldBlock)
}

/// Sends to everyone; what the socket does not take at once waits for room, in order.
async fn fan_out(shard: &mut Shard<From>, ports: &[UdpPort], plaintext: &[u8], out: &mut Vec<u8>) {
    let mut waiting: Vec<(From, Vec<u8>)> = Vec::new();
    shard.fan_out(plaintext, out, |to, datagram| {
        if !waiting.is_empty() || !send_now(ports, &to, datagram) {
            waiting.push((to, datagram.to_vec()));
        }
    });
    for ((at, route), datagram) in waiting {
        if let Some(port) = ports.get(at) {
            // An address that cannot be reached now loses this one.
            let _ = port.send(&route, &datagram).await;
        }
    }
}
