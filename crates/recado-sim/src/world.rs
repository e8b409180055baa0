//! The world: one queue of what will happen, and the loop that lets it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use recado_engine::{Command as Ask, Event as Told, Output as Wish, Via};
use recado_hub::{
    BackendAnswer, BucketConfig, Event, Hub, HubConfig, Output, PrivateConfig, Registration,
    RelayConfig, SessionNumber, Shard,
};
use recado_proto::datagram::SessionSecret;
use recado_proto::frame::{ClientFrame, ClosingCode, IncomingGlobal, ServerDatagram, ServerFrame};
use recado_proto::framing::{FrameSplitter, FrameTooLong};
use recado_proto::id::LogId;
use recado_proto::limits::MAX_DATAGRAM;
use recado_proto::relay::TokenSource;

use crate::client::Client;
use crate::link::LinkModel;
use crate::random::Random;
use crate::server::{Command, MAX_WAITING, Server};
use crate::stream::{Stream, StreamModel};

/// How often the server looks for silent paths; as its shell.
const EXPIRY: Duration = Duration::from_secs(5);

/// How long a client waits before it connects again.
const RECONNECT: Duration = Duration::from_millis(500);

/// Steps at one moment, after which the world is taken to turn in a circle.
const MOST_STEPS: usize = 1_000_000;

/// What a world is told once.
#[derive(Clone, Copy, Debug)]
pub struct WorldConfig {
    /// The way of datagrams, for everyone and both directions unless said otherwise.
    pub link: LinkModel,
    /// The way of frames.
    pub stream: StreamModel,
    /// How long the backend takes to answer.
    pub backend: Duration,
    /// How long hub and shard take to hear of each other.
    pub lag: Duration,
    /// What one person may say to everyone.
    pub globals: BucketConfig,
}

impl Default for WorldConfig {
    fn default() -> Self {
        Self {
            link: LinkModel::QUIET,
            stream: StreamModel::QUIET,
            backend: Duration::ZERO,
            lag: Duration::ZERO,
            globals: HubConfig::GLOBALS,
        }
    }
}

/// A global message as the server numbered it.
#[derive(Clone, Debug)]
pub struct Said {
    /// When.
    pub at: Duration,
    /// What was numbered.
    pub message: IncomingGlobal,
}

/// What will happen.
#[derive(Debug)]
pub(crate) enum Happening {
    FramesToServer(SessionNumber),
    FramesToClient(SessionNumber),
    DatagramToServer(SocketAddr, Vec<u8>),
    DatagramToClient(SocketAddr, Vec<u8>),
    Hub(Event),
    Shard(Command),
    Backend(BackendAnswer),
    Reconnect(usize),
    Expire,
}

/// One TLS connection.
pub(crate) struct Wire {
    pub(crate) client: usize,
    pub(crate) up: Stream,
    pub(crate) down: Stream,
    at_server: FrameSplitter,
    at_client: FrameSplitter,
    /// The server takes no more frames.
    closed: bool,
}

impl Wire {
    pub(crate) fn new(client: usize, model: StreamModel) -> Self {
        Self {
            client,
            up: Stream::new(model),
            down: Stream::new(model),
            at_server: FrameSplitter::default(),
            at_client: FrameSplitter::default(),
            closed: false,
        }
    }
}

/// Everyone, the server, the network between them, and time.
pub struct World {
    pub(crate) now: Duration,
    pub(crate) config: WorldConfig,
    pub(crate) random: Random,
    queue: BTreeMap<(Duration, u64), Happening>,
    filed: u64,
    pub(crate) server: Server,
    pub(crate) clients: Vec<Client>,
    pub(crate) by_name: BTreeMap<String, usize>,
    by_address: BTreeMap<SocketAddr, usize>,
    deadlines: BTreeMap<(Duration, usize), ()>,
    pub(crate) wires: BTreeMap<SessionNumber, Wire>,
    /// The log, as the hub gave its numbers.
    pub(crate) said: BTreeMap<u64, Said>,
    /// Datagrams that clients sent, lost ones included, while someone listens.
    pub(crate) tapped: Option<Vec<(SocketAddr, Vec<u8>)>>,
    /// Whether requests for missing messages are lost.
    pub(crate) requests_lost: bool,
    /// Frames that the hub took.
    pub(crate) frames_to_hub: u64,
    /// Frames that were dropped as much waited.
    pub(crate) dropped: u64,
    pub(crate) next_session: u64,
    /// Private messages that were entered.
    pub(crate) entered: u64,
}

impl World {
    /// A world with a server and nobody in it.
    pub fn new(seed: u64, config: WorldConfig) -> Self {
        let mut random = Random::new(seed);
        let mut challenges = random.fork();
        let shard = Shard::new(Box::new(move || challenges.number()));
        let hub = Hub::new(HubConfig {
            registration: Registration::Lan,
            log: LogId::from_bytes(random.bytes()),
            globals: config.globals,
            private: PrivateConfig::default(),
            relays: RelayConfig::default(),
            tokens: TokenSource::new([7; 32]),
            fixed: BTreeMap::new(),
        });
        let mut world = Self {
            now: Duration::from_secs(1),
            config,
            random,
            queue: BTreeMap::new(),
            filed: 0,
            server: Server::new(hub, shard),
            clients: Vec::new(),
            by_name: BTreeMap::new(),
            by_address: BTreeMap::new(),
            deadlines: BTreeMap::new(),
            wires: BTreeMap::new(),
            said: BTreeMap::new(),
            tapped: None,
            requests_lost: false,
            frames_to_hub: 0,
            dropped: 0,
            next_session: 0,
            entered: 0,
        };
        world.file(world.now + EXPIRY, Happening::Expire);
        world
    }

    /// Lets time pass.
    pub fn run_for(&mut self, time: Duration) {
        let until = self.now + time;
        let mut steps = 0;
        loop {
            let queued = self.queue.keys().next().map(|(at, _)| *at);
            let hub = self.server.hub.poll_timeout();
            let client = self.deadlines.keys().next().copied();
            let next = queued.into_iter().chain(hub).chain(client.map(|it| it.0));
            let Some(next) = next.min().filter(|at| *at <= until) else {
                break;
            };
            if next > self.now {
                (self.now, steps) = (next, 0);
            }
            steps += 1;
            assert!(steps < MOST_STEPS, "time stands still at {:?}", self.now);
            if queued.is_some_and(|at| at <= self.now) {
                if let Some((_, happening)) = self.queue.pop_first() {
                    self.happen(happening);
                }
            } else if hub.is_some_and(|at| at <= self.now) {
                self.server.hub.handle_timeout(self.now);
                self.do_outputs();
            } else if let Some((_, client)) = client {
                self.clients[client].core.handle_timeout(self.now);
                self.do_wishes(client, None);
            }
        }
        self.now = until;
    }

    pub(crate) fn file(&mut self, at: Duration, happening: Happening) {
        self.filed += 1;
        self.queue.insert((at.max(self.now), self.filed), happening);
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::FramesToServer(session) => self.frames_to_server(session),
            Happening::FramesToClient(session) => self.frames_to_client(session),
            Happening::DatagramToServer(from, mut bytes) => {
                // The shell's buffer holds one byte more than is allowed.
                bytes.truncate(MAX_DATAGRAM + 1);
                let (events, answer) = self.server.handle_datagram(self.now, from, &mut bytes);
                if let Some((to, bytes)) = answer {
                    self.datagram_down(to, &bytes);
                }
                self.tell_hub(events);
            }
            Happening::DatagramToClient(to, mut bytes) => {
                // An address that nobody has any more: the binding is gone.
                let Some(client) = self.by_address.get(&to).copied() else {
                    return;
                };
                self.clients[client]
                    .core
                    .handle_datagram(self.now, &mut bytes);
                self.do_wishes(client, Some(Via::Udp));
            }
            Happening::Hub(event) => self.hub(event),
            Happening::Backend(answer) => self.hub(Event::Backend(vec![answer])),
            Happening::Shard(command) => {
                let mut sent = Vec::new();
                self.server
                    .command(command, |to, bytes| sent.push((to, bytes)));
                for (to, bytes) in sent {
                    self.datagram_down(to, &bytes);
                }
            }
            Happening::Reconnect(client) => {
                let state = &self.clients[client];
                if state.stalled {
                    self.file(self.now + RECONNECT, Happening::Reconnect(client));
                } else if state.stays && state.session.is_none() {
                    self.connect(client);
                }
            }
            Happening::Expire => {
                let events = self.server.expire(self.now);
                self.tell_hub(events);
                self.file(self.now + EXPIRY, Happening::Expire);
            }
        }
    }

    pub(crate) fn hub(&mut self, event: Event) {
        self.server.hub.handle(self.now, event);
        self.do_outputs();
    }

    /// What the shard has to tell the hub.
    fn tell_hub(&mut self, events: Vec<Event>) {
        for event in events {
            self.file(self.now + self.config.lag, Happening::Hub(event));
        }
    }

    fn frames_to_server(&mut self, session: SessionNumber) {
        while let Some(wire) = self.wires.get_mut(&session)
            && let Some(bytes) = wire.up.receive(self.now)
        {
            if wire.closed {
                continue;
            }
            let mut frames = Vec::new();
            let split = wire.at_server.push(&bytes, |frame| {
                frames.push(ClientFrame::decode(frame));
                Ok::<_, FrameTooLong>(())
            });
            split.expect("engines send frames within their limit");
            for frame in frames {
                let frame = frame.expect("engines send what can be read");
                let Some(frame) = frame else { continue };
                if self.requests_lost && matches!(frame, ClientFrame::GlobalRequest(_)) {
                    continue;
                }
                self.frames_to_hub += 1;
                self.hub(Event::Frame { session, frame });
            }
        }
    }

    fn frames_to_client(&mut self, session: SessionNumber) {
        while let Some(wire) = self.wires.get_mut(&session)
            && let Some(bytes) = wire.down.receive(self.now)
        {
            let client = wire.client;
            let mut frames = Vec::new();
            let split = wire.at_client.push(&bytes, |frame| {
                frames.push(ServerFrame::decode(frame));
                Ok::<_, FrameTooLong>(())
            });
            split.expect("the hub sends frames within their limit");
            for frame in frames {
                let frame = frame.expect("the hub sends what can be read");
                let Some(frame) = frame else { continue };
                // What is still on its way when the client has another session reaches nobody.
                if self.clients[client].session == Some(session) {
                    self.client_takes(client, frame);
                }
            }
        }
    }

    fn client_takes(&mut self, index: usize, frame: ServerFrame) {
        let client = &mut self.clients[index];
        match (client.secret.take(), frame) {
            (None, frame) => client.core.handle_frame(self.now, frame),
            (Some(secret), ServerFrame::Welcome(welcome)) => {
                let secret = SessionSecret::new(secret);
                let welcomed = client.core.handle_welcome(self.now, welcome, secret);
                welcomed.expect("a welcome from the real hub");
            }
            // It came too late.
            (Some(_), ServerFrame::Closing(_)) => self.lose(index),
            (Some(_), other) => panic!("{} was not welcomed: {other:?}", client.name),
        }
        self.do_wishes(index, Some(Via::Tcp));
    }

    /// Does what a client wishes. `carrier` is what has just come in.
    pub(crate) fn do_wishes(&mut self, index: usize, carrier: Option<Via>) {
        let mut carrier = carrier;
        while let Some(wish) = self.clients[index].core.poll_output() {
            match wish {
                Wish::Frame(frame) => self.frame_up(index, frame),
                Wish::Datagram(bytes) => self.datagram_up(index, &bytes),
                Wish::Event(event) => {
                    if matches!(event, Told::Ready { .. }) {
                        // What follows was held back: it came earlier, nobody knows how.
                        carrier = None;
                    }
                    let client = &mut self.clients[index];
                    if let Told::Private { receipt, .. } = &event {
                        let taken = client.core.handle_command(self.now, Ask::Take(*receipt));
                        taken.expect("a receipt is taken at any time");
                    }
                    let comes_back = matches!(&event, Told::Closed { code, .. }
                        if *code != Some(ClosingCode::TakenOver));
                    client.see(self.now, event, carrier);
                    if comes_back {
                        self.lose(index);
                    }
                }
                Wish::Commit(writes) => self.clients[index].commit(writes),
                Wish::Restart(_) => unreachable!("nobody's database is an old copy"),
            }
        }
        let client = &mut self.clients[index];
        let deadline = client.core.poll_timeout();
        if deadline != client.deadline {
            if let Some(before) = client.deadline {
                self.deadlines.remove(&(before, index));
            }
            if let Some(deadline) = deadline {
                self.deadlines.insert((deadline, index), ());
            }
            client.deadline = deadline;
        }
    }

    /// A client's session is over; it comes back after a while.
    fn lose(&mut self, index: usize) {
        let client = &mut self.clients[index];
        client.secret = None;
        if let Some(session) = client.session.take() {
            self.wires.remove(&session);
            self.hub(Event::Disconnected { session });
            self.file(self.now + RECONNECT, Happening::Reconnect(index));
        }
    }

    pub(crate) fn frame_up(&mut self, index: usize, frame: ClientFrame) {
        let client = &mut self.clients[index];
        match &frame {
            ClientFrame::GlobalRequest(_) => client.seen.requests += 1,
            ClientFrame::Global(_) => client.seen.globals_by_frame += 1,
            _ => {}
        }
        let Some(session) = client.session else {
            return;
        };
        let mut bytes = Vec::new();
        frame.encode(&mut bytes).expect("within its limit");
        if let Some(wire) = self.wires.get_mut(&session) {
            let at = wire.up.send(self.now, &mut self.random, bytes.into());
            self.file(at, Happening::FramesToServer(session));
        }
    }

    fn datagram_up(&mut self, index: usize, bytes: &[u8]) {
        let client = &mut self.clients[index];
        let from = client.address;
        if let Some(tapped) = &mut self.tapped {
            tapped.push((from, bytes.to_vec()));
        }
        for (at, bytes) in client.up.carry(self.now, &mut self.random, bytes) {
            self.file(at, Happening::DatagramToServer(from, bytes));
        }
    }

    fn datagram_down(&mut self, to: SocketAddr, bytes: &[u8]) {
        let Some(client) = self.by_address.get(&to).copied() else {
            return;
        };
        let down = &mut self.clients[client].down;
        for (at, bytes) in down.carry(self.now, &mut self.random, bytes) {
            self.file(at, Happening::DatagramToClient(to, bytes));
        }
    }

    fn command_shard(&mut self, command: Command) {
        self.file(self.now + self.config.lag, Happening::Shard(command));
    }

    pub(crate) fn do_outputs(&mut self) {
        while let Some(output) = self.server.hub.poll_output() {
            match output {
                Output::Send {
                    session,
                    frames,
                    droppable,
                } => self.frames_down(session, frames, droppable),
                Output::Close { session, .. } => {
                    if let Some(wire) = self.wires.get_mut(&session) {
                        wire.closed = true;
                    }
                    self.command_shard(Command::Remove(session));
                }
                Output::Backend(request) => {
                    let answer = self.server.backend.answer(self.now, request);
                    let at = self.now + self.config.backend;
                    self.file(at, Happening::Backend(answer));
                }
                // Nobody operates it.
                Output::OperatorAnswer { .. } => {}
                Output::OpenDatagrams { session } => self.command_shard(Command::Open(session)),
                Output::DatagramsLost { session } => {
                    self.command_shard(Command::Unconfirm(session))
                }
                // Nobody relays here.
                Output::OpenRelay { number, .. } => {
                    self.server.hub.handle(self.now, Event::RelayClosed(number));
                }
                Output::ProbeBack { session } => self.command_shard(Command::ProbeBack(session)),
                Output::FanOut { plaintext } => {
                    if let Ok(Some(ServerDatagram::Global(message))) =
                        ServerDatagram::decode(&plaintext)
                    {
                        self.note(message);
                    }
                    self.command_shard(Command::FanOut(plaintext));
                }
            }
        }
    }

    /// As the shell's outbox: what may be dropped is, where much waits; who falls behind further is cut off.
    fn frames_down(&mut self, session: SessionNumber, frames: Bytes, droppable: bool) {
        // Too long for a datagram: only its frame tells of it.
        if droppable
            && frames.len() > MAX_DATAGRAM
            && let Some(Ok(Some(ServerFrame::Global(message)))) =
                frames.get(4..).map(ServerFrame::decode)
        {
            self.note(message);
        }
        let Some(wire) = self.wires.get_mut(&session) else {
            return;
        };
        let (waiting, bytes) = wire.down.backlog();
        if droppable && (waiting > MAX_WAITING.0 / 2 || bytes > MAX_WAITING.1 / 2) {
            self.dropped += 1;
            return;
        }
        if waiting >= MAX_WAITING.0 || bytes + frames.len() > MAX_WAITING.1 {
            wire.down.clear();
            return self.server.hub.handle(self.now, Event::TooSlow { session });
        }
        let at = wire.down.send(self.now, &mut self.random, frames);
        self.file(at, Happening::FramesToClient(session));
    }

    fn note(&mut self, message: IncomingGlobal) {
        let at = self.now;
        self.said
            .entry(message.sequence)
            .or_insert(Said { at, message });
    }

    pub(crate) fn settle_address(&mut self, index: usize, address: SocketAddr) {
        let client = &mut self.clients[index];
        self.by_address.remove(&client.address);
        client.address = address;
        self.by_address.insert(address, index);
    }
}
