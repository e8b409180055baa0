//! What a story says: people come, speak, move and go; the network fails them and comes back.

use std::net::SocketAddr;
use std::time::Duration;

use recado_engine::{
    Command, Entry, Failure, Kind, LinkMeasurement, LinkReport, LinkState, State, Via,
};
use recado_hub::{DatagramChecks, Event, SessionNumber};
use recado_proto::PROTOCOL_VERSION;
use recado_proto::datagram::{SessionSecret, Side};
use recado_proto::frame::{ClientFrame, ClosingCode, Hello, ServerFrame};
use recado_proto::id::{ConnectionId, MessageId, RemoteKey, SessionId};
use recado_proto::name::NameKeys;

use crate::client::{Client, Shown, StateChange};
use crate::ledger::Ledger;
use crate::link::LinkModel;
use crate::world::{Happening, Said, Wire, World};

impl World {
    /// Someone connects, with the key that they had before, if they were here.
    pub fn join(&mut self, name: &str) {
        let index = match self.by_name.get(name) {
            Some(index) => *index,
            None => {
                let seed = self.random.bytes();
                self.meet(name, name, seed)
            }
        };
        self.clients[index].stays = true;
        self.connect(index);
    }

    /// Someone who is here connects from a second device, with the same key; it is called `device` from now on.
    pub fn join_from(&mut self, name: &str, device: &str) {
        let seed = self.client(name).seed;
        let index = self.meet(device, name, seed);
        self.connect(index);
    }

    pub(crate) fn connect(&mut self, index: usize) {
        self.next_session += 1;
        let session = SessionNumber(self.next_session);
        let secret = self.random.bytes();
        let (id, connection) = (self.random.bytes(), ConnectionId(self.random.number()));
        let derived = SessionSecret::new(secret);
        let client = &mut self.clients[index];
        client.session = Some(session);
        client.sessions += 1;
        client.secret = Some(secret);
        client.core.handle_disconnected("another session begins");
        let (key, address, name) = (client.key, client.address.ip(), client.name.clone());
        self.do_wishes(index, None);
        self.server.secrets.insert(session, (secret, connection));
        self.wires
            .insert(session, Wire::new(index, self.config.stream));
        self.hub(Event::Connected {
            session,
            key,
            address,
            id: SessionId::from_bytes(id),
            connection,
            checks: DatagramChecks {
                server: derived.check(Side::Server),
                client: derived.check(Side::Client),
            },
        });
        let hello = Hello {
            version_min: PROTOCOL_VERSION,
            version_max: PROTOCOL_VERSION,
            name,
            software: "a story".into(),
            ticket: None,
        };
        self.frame_up(index, ClientFrame::Hello(hello));
    }

    /// Several people connect, and two seconds pass.
    pub fn arrive(&mut self, names: &[&str]) {
        names.iter().for_each(|name| self.join(name));
        self.run_for(Duration::from_secs(2));
    }

    /// Someone's connection ends; both sides notice at once.
    pub fn leave(&mut self, name: &str) {
        let index = self.index(name);
        let client = &mut self.clients[index];
        client.stays = false;
        let Some(session) = client.session.take() else {
            return;
        };
        client.secret = None;
        client.core.handle_disconnected("the connection ended");
        self.do_wishes(index, None);
        self.wires.remove(&session);
        self.server.secrets.remove(&session);
        self.file(
            self.now,
            Happening::Shard(crate::server::Command::Remove(session)),
        );
        self.hub(Event::Disconnected { session });
    }

    /// Someone says something to everyone.
    pub fn say(&mut self, name: &str, text: &str) -> MessageId {
        let id = MessageId::from_bytes(self.random.bytes());
        let sent_at_ms = self.wall_clock();
        let text = text.to_owned();
        self.command(
            name,
            Command::Global {
                id,
                sent_at_ms,
                text,
                reference: None,
            },
        );
        id
    }

    /// Someone says something to one person.
    pub fn tell(&mut self, name: &str, to: &str, text: &str) -> MessageId {
        let id = MessageId::from_bytes(self.random.bytes());
        let sent_at_ms = self.wall_clock();
        self.entered += 1;
        let entry = Entry {
            entry: self.entered,
            id,
            peer: NameKeys::of(to).folded,
            to: to.to_owned(),
            sent_at_ms,
            reference: None,
            kind: Kind::Text,
            seals: 0,
        };
        let index = self.index(name);
        self.clients[index].database.enter(&entry, text);
        self.clients[index].core.handle_entered(vec![entry]);
        self.do_wishes(index, None);
        id
    }

    /// Nothing that someone sends by datagram arrives, until [`unblock_up`](Self::unblock_up).
    pub fn block_up(&mut self, name: &str) {
        self.client_mut(name).up.block(true);
    }

    /// Ends [`block_up`](Self::block_up).
    pub fn unblock_up(&mut self, name: &str) {
        self.client_mut(name).up.block(false);
    }

    /// No datagram reaches someone, until [`unblock_down`](Self::unblock_down).
    pub fn block_down(&mut self, name: &str) {
        self.client_mut(name).down.block(true);
    }

    /// Ends [`block_down`](Self::block_down).
    pub fn unblock_down(&mut self, name: &str) {
        self.client_mut(name).down.block(false);
    }

    /// When there had been traffic in every direction of someone's that is blocked: from then on it can be noticed.
    pub fn swallowed(&self, name: &str) -> Option<Duration> {
        let client = self.client(name);
        client.up.swallowed.max(client.down.swallowed)
    }

    /// The next datagrams to someone are lost.
    pub fn lose_down(&mut self, name: &str, datagrams: u32) {
        self.client_mut(name).down.lose = datagrams;
    }

    /// Someone's datagrams fare so from now on, both ways.
    pub fn set_link(&mut self, name: &str, model: LinkModel) {
        let client = self.client_mut(name);
        client.up.model = model;
        client.down.model = model;
    }

    /// Someone's connection stands still, both ways.
    pub fn stall(&mut self, name: &str) {
        let client = self.client_mut(name);
        client.stalled = true;
        let session = client.session;
        if let Some(wire) = session.and_then(|session| self.wires.get_mut(&session)) {
            wire.up.stall();
            wire.down.stall();
        }
    }

    /// Only what comes to someone stands still.
    pub fn stall_down(&mut self, name: &str) {
        let session = self.session(name);
        if let Some(wire) = self.wires.get_mut(&session) {
            wire.down.stall();
        }
    }

    /// What stood still moves again.
    pub fn release(&mut self, name: &str) {
        let client = self.client_mut(name);
        client.stalled = false;
        let Some(session) = client.session else {
            return;
        };
        if let Some(wire) = self.wires.get_mut(&session) {
            let up = wire.up.release(self.now);
            let down = wire.down.release(self.now);
            self.file(up, Happening::FramesToServer(session));
            self.file(down, Happening::FramesToClient(session));
        }
    }

    /// Someone's NAT gives them another address.
    pub fn rebind(&mut self, name: &str, address: SocketAddr) {
        let index = self.index(name);
        self.settle_address(index, address);
    }

    /// Where someone's datagrams come from.
    pub fn address(&self, name: &str) -> SocketAddr {
        self.client(name).address
    }

    /// Someone records what clients send by datagram from now on, also what is lost.
    pub fn tap(&mut self) {
        self.tapped = Some(Vec::new());
    }

    /// What was recorded: where from, and what.
    pub fn tapped(&self) -> &[(SocketAddr, Vec<u8>)] {
        self.tapped.as_deref().unwrap_or_default()
    }

    /// Anyone sends the server anything from anywhere; it is there at once.
    pub fn inject(&mut self, from: SocketAddr, datagram: &[u8]) {
        self.file(
            self.now,
            Happening::DatagramToServer(from, datagram.to_vec()),
        );
    }

    /// The server, gone bad, sends someone a frame of its own.
    pub fn forge(&mut self, to: &str, frame: ServerFrame) {
        let mut bytes = Vec::new();
        frame.encode(&mut bytes).expect("within its limit");
        let session = self.session(to);
        if let Some(wire) = self.wires.get_mut(&session) {
            let at = wire.down.send(self.now, &mut self.random, bytes.into());
            self.file(at, Happening::FramesToClient(session));
        }
    }

    /// Requests for missing messages are lost from now on: the network breaks a promise, so that a check can fail.
    pub fn lose_requests(&mut self) {
        self.requests_lost = true;
    }

    /// What time it is.
    pub fn now(&self) -> Duration {
        self.now
    }

    /// The log of global messages, as the server numbered them.
    pub fn said(&self) -> Vec<Said> {
        self.said.values().cloned().collect()
    }

    /// What someone was shown, in the order shown.
    pub fn shown(&self, name: &str) -> &[Shown] {
        &self.client(name).seen.shown
    }

    /// The same in the order of the server's numbers, as a history is.
    pub fn history(&self, name: &str) -> Vec<Shown> {
        let mut history = self.shown(name).to_vec();
        history.sort_by_key(|shown| shown.sequence);
        history
    }

    /// How often someone was shown something that came so, not counting what was replayed.
    pub fn came_by(&self, name: &str, via: Via) -> usize {
        let shown = self.shown(name).iter();
        shown
            .filter(|shown| shown.via == via && !shown.replayed)
            .count()
    }

    /// The same in the last session alone.
    pub fn came_last_by(&self, name: &str, via: Via) -> usize {
        let session = self.client(name).sessions;
        let shown = self.shown(name).iter();
        shown
            .filter(|shown| shown.session == session && shown.via == via && !shown.replayed)
            .count()
    }

    /// What someone was told of a message of theirs.
    pub fn states(&self, name: &str, id: &MessageId) -> Vec<StateChange> {
        let states = &self.client(name).seen.states;
        states.get(id).cloned().unwrap_or_default()
    }

    /// How many of someone's messages are stored, each told once; panics where one was told twice.
    pub fn stored(&self, name: &str) -> usize {
        let states = self.client(name).seen.states.iter();
        states
            .filter(|(id, changes)| {
                assert_eq!(changes.len(), 1, "{name} was told of {id}: {changes:?}");
                changes[0].state == State::Stored
            })
            .count()
    }

    /// How many of someone's messages failed so.
    pub fn failures(&self, name: &str, failure: Failure) -> usize {
        self.client(name).failures(failure)
    }

    /// How many of someone's global messages have not come back.
    pub fn unechoed(&self, name: &str) -> usize {
        self.client(name).core.unechoed()
    }

    /// Holes that someone was shown, in order.
    pub fn holes(&self, name: &str) -> &[(u64, u64)] {
        &self.client(name).seen.holes
    }

    /// Private messages that someone got: from whom, and what.
    pub fn private(&self, name: &str) -> &[(String, String)] {
        &self.client(name).seen.private
    }

    /// Whom someone was told to come and go.
    pub fn presence(&self, name: &str) -> &[(String, bool)] {
        &self.client(name).seen.presence
    }

    /// How someone's sessions ended, and why, where the server said so.
    pub fn closed(&self, name: &str) -> &[Option<ClosingCode>] {
        &self.client(name).seen.closed
    }

    /// When each of someone's sessions was ready, and what it knew of the link then.
    pub fn ready(&self, name: &str) -> &[(Duration, LinkState)] {
        &self.client(name).seen.ready
    }

    /// How someone's link changed, as told.
    pub fn links(&self, name: &str) -> &[(Duration, LinkState)] {
        &self.client(name).seen.links
    }

    /// When someone was first told, at or after `since`, that datagrams pass so: up, down.
    pub fn link_told(&self, name: &str, since: Duration, passes: (bool, bool)) -> Option<Duration> {
        let links = self.links(name).iter();
        let mut links = links.filter(|(at, link)| *at >= since && (link.up, link.down) == passes);
        links.next().map(|(at, _)| *at)
    }

    /// How someone's datagrams fare, as their client reports.
    pub fn link(&mut self, name: &str) -> LinkReport {
        self.command(name, Command::Link);
        self.client(name).seen.report.expect("a report at once")
    }

    /// How many of someone's datagrams pass, as their client measures within some seconds.
    pub fn measure(&mut self, name: &str) -> LinkMeasurement {
        self.command(name, Command::Measure);
        self.run_for(Duration::from_secs(5));
        let measured = self.client_mut(name).seen.measured.take();
        measured.expect("a measurement")
    }

    /// Whom someone's client takes to be here, by name.
    pub fn roster(&mut self, name: &str) -> Vec<String> {
        self.command(name, Command::Who);
        self.client(name).seen.roster.clone()
    }

    /// How often someone's client asked for what was missing.
    pub fn requests(&self, name: &str) -> usize {
        self.client(name).seen.requests
    }

    /// How many global messages someone's client sent by frame, repeats included.
    pub fn globals_by_frame(&self, name: &str) -> usize {
        self.client(name).seen.globals_by_frame
    }

    /// How many frames the server took so far.
    pub fn frames_taken(&self) -> u64 {
        self.frames_to_hub
    }

    /// How many frames the server dropped, as much waited.
    pub fn frames_dropped(&self) -> u64 {
        self.dropped
    }

    /// How many people the server takes to be here.
    pub fn people(&self) -> usize {
        self.server.hub.people()
    }

    /// Datagrams that the server rejected.
    pub fn rejected(&self) -> u64 {
        self.server.shard.rejected()
    }

    /// Who got how much without having proved that they listen.
    pub fn ledger(&self) -> &Ledger {
        &self.server.ledger
    }

    /// Someone's key.
    pub fn key(&self, name: &str) -> RemoteKey {
        self.client(name).key
    }

    fn command(&mut self, name: &str, command: Command) {
        let index = self.index(name);
        let done = self.clients[index].core.handle_command(self.now, command);
        done.unwrap_or_else(|error| panic!("{name}: {error}"));
        self.do_wishes(index, None);
    }

    /// Milliseconds since a fixed morning.
    fn wall_clock(&self) -> i64 {
        1_790_000_000_000 + self.now.as_millis() as i64
    }

    fn meet(&mut self, label: &str, name: &str, seed: [u8; 32]) -> usize {
        let index = self.clients.len();
        let (low, port) = (index as u8, 40_000 + index as u16);
        let address = SocketAddr::from(([192, 168, (index >> 8) as u8, low], port));
        let client = Client::new(name, seed, address, self.config.link);
        self.clients.push(client);
        self.by_name.insert(label.to_owned(), index);
        self.settle_address(index, address);
        index
    }

    fn index(&self, name: &str) -> usize {
        let index = self.by_name.get(name);
        *index.unwrap_or_else(|| panic!("nobody has met {name}"))
    }

    fn client(&self, name: &str) -> &Client {
        &self.clients[self.index(name)]
    }

    fn client_mut(&mut self, name: &str) -> &mut Client {
        let index = self.index(name);
        &mut self.clients[index]
    }

    fn session(&self, name: &str) -> SessionNumber {
        self.client(name).session.expect("someone who is here")
    }
}
