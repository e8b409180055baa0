//! The server: hub and shard as its shell runs them, and a backend in memory.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use recado_hub::{Event, Hub, MemoryBackend, SessionNumber, Shard};
use recado_proto::datagram::{EXPORTER_LENGTH, SessionSecret, Side};
use recado_proto::id::ConnectionId;

use crate::ledger::Ledger;

/// Frames that may wait for one session before it is cut off; from half of it global messages are dropped. As the
/// shell's.
pub(crate) const MAX_WAITING: (usize, usize) = (4096, 5 * 1024 * 1024);

/// What the hub commands the shard.
#[derive(Debug)]
pub(crate) enum Command {
    Open(SessionNumber),
    Remove(SessionNumber),
    Unconfirm(SessionNumber),
    ProbeBack(SessionNumber),
    FanOut(std::sync::Arc<[u8]>),
}

/// The server's parts.
pub(crate) struct Server {
    pub(crate) hub: Hub,
    pub(crate) shard: Shard<SocketAddr>,
    /// What the exporter gave, of sessions whose client has not confirmed it.
    pub(crate) secrets: BTreeMap<SessionNumber, ([u8; EXPORTER_LENGTH], ConnectionId)>,
    pub(crate) ledger: Ledger,
    /// What is durable.
    pub(crate) backend: MemoryBackend,
}

impl Server {
    pub(crate) fn new(hub: Hub, shard: Shard<SocketAddr>) -> Self {
        Self {
            hub,
            shard,
            secrets: BTreeMap::new(),
            ledger: Ledger::default(),
            backend: MemoryBackend::default(),
        }
    }

    /// Does a command; what is to be sent is handed to `send`.
    pub(crate) fn command(&mut self, command: Command, mut send: impl FnMut(SocketAddr, Vec<u8>)) {
        let mut out = Vec::new();
        let ledger = &mut self.ledger;
        match command {
            Command::Open(session) => {
                if let Some((secret, connection)) = self.secrets.remove(&session) {
                    let (sealer, opener) =
                        SessionSecret::new(secret).into_pair(Side::Server, connection);
                    self.shard.add(session, sealer, opener);
                }
            }
            Command::Remove(session) => {
                self.secrets.remove(&session);
                ledger.path(session, None);
                self.shard.remove(session);
            }
            Command::Unconfirm(session) => {
                ledger.path(session, None);
                self.shard.unconfirm(session);
            }
            Command::ProbeBack(session) => {
                if let Some(to) = self.shard.probe_back(session, &mut out) {
                    ledger.sent(to, out.len());
                    send(to, out);
                }
            }
            Command::FanOut(plaintext) => {
                let mut fan_out = self.shard.fan_out(&plaintext);
                while let Some(to) = fan_out.seal_next(&mut out) {
                    ledger.sent(to, out.len());
                    send(to, out.clone());
                }
            }
        }
    }

    /// Takes a datagram; returns what the hub is to learn, and what is to be sent where.
    pub(crate) fn handle_datagram(
        &mut self,
        now: std::time::Duration,
        from: SocketAddr,
        datagram: &mut [u8],
    ) -> (Vec<Event>, Option<(SocketAddr, Vec<u8>)>) {
        use recado_hub::Received;
        let (length, rejected) = (datagram.len(), self.shard.rejected());
        let mut out = Vec::new();
        let received = self.shard.handle_datagram(now, from, datagram, &mut out);
        if self.shard.rejected() == rejected {
            self.ledger.received(from, length);
        }
        let mut events = Vec::new();
        let mut moved = |events: &mut Vec<Event>, session, up| {
            self.ledger.path(session, up);
            let up = up.is_some();
            events.push(Event::Path { session, up });
        };
        let mut answer = None;
        match received {
            Received::Nothing => {}
            Received::Answer { to, path, heard } => {
                if let Some((session, up)) = path {
                    moved(&mut events, session, up.then_some(to));
                }
                self.ledger.sent(to, out.len());
                answer = Some((to, out));
                if let Some((session, nonce)) = heard {
                    events.push(Event::ProbeHeard { session, nonce });
                }
            }
            Received::PathLost(session) => moved(&mut events, session, None),
            Received::Global {
                session,
                message,
                path_lost,
            } => {
                if path_lost {
                    moved(&mut events, session, None);
                }
                events.push(Event::Datagram { session, message });
            }
        }
        (events, answer)
    }

    /// Gives up silent paths.
    pub(crate) fn expire(&mut self, now: std::time::Duration) -> Vec<Event> {
        let mut events = Vec::new();
        for session in self.shard.expire(now) {
            self.ledger.path(session, None);
            events.push(Event::Path { session, up: false });
        }
        events
    }
}
