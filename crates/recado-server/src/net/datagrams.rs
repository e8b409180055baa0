//! The shards of the datagram fan-out: each on a thread of its own, with the keys, sequences and addresses of
//! its sessions, commanded by channel. Nothing in the way of a message is shared between them but the sockets.
//!
//! A session belongs to the shard that its connection id names. The first shard receives, and hands what is
//! for another over to it; all of them send, on the same sockets, so that answers leave from the address and
//! port that were written to.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use recado_hub::{Event, Received, SessionNumber, Shard};
use recado_proto::datagram::{Header, SessionSecret, Side};
use recado_proto::id::ConnectionId;
use tokio::sync::mpsc;
use tokio::time::{Instant, Interval, MissedTickBehavior};

use super::outgoing::{From, Outgoing};
use super::udp_socket::{AttachedPort, Receiver, UdpPort};
use crate::hub_task::ShellEvent;

/// Processors for each shard: while one seals and sends, another is the hub's and the connections'.
const PROCESSORS_PER_SHARD: usize = 2;

/// Commands that may wait for a shard.
const COMMAND_QUEUE: usize = 1024;

/// Datagrams that may wait for another shard; more are dropped, as the network would.
const HANDED_QUEUE: usize = 1024;

/// Datagrams sent in one turn after which it is looked whether there is something else to do: 2 ms or so.
const TURN: usize = 1024;

/// How often rejected datagrams are reported, at most: a flood must not fill the log.
const REPORT_INTERVAL: Duration = Duration::from_secs(60);

/// How often silent clients are looked for.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(5);

/// What the hub commands.
pub(crate) enum DatagramCommand {
    /// Take over a session's datagrams.
    Open {
        /// The session.
        session: SessionNumber,
        /// Names it in datagrams.
        connection: ConnectionId,
        /// Its keys come from this.
        secret: Box<SessionSecret>,
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

/// The hub's way to the shards.
pub(crate) struct Shards(Vec<mpsc::Sender<DatagramCommand>>);

/// A datagram for another shard: where it came from, and what it is.
type Handed = (From, Box<[u8]>);

/// One for every two processors.
pub(crate) fn default_shards() -> NonZeroUsize {
    let processors = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    NonZeroUsize::new(processors / PROCESSORS_PER_SHARD).unwrap_or(NonZeroUsize::MIN)
}

impl Shards {
    /// Starts the threads; they end when this is dropped.
    pub(crate) fn spawn(
        ports: Vec<UdpPort>,
        events: &mpsc::Sender<ShellEvent>,
        number: NonZeroUsize,
    ) -> io::Result<Self> {
        let ports = Arc::new(ports);
        let (hand_over, mut handed): (Vec<_>, Vec<_>) = (0..number.get())
            .map(|_| mpsc::channel(HANDED_QUEUE))
            .unzip();
        let mut shards = Vec::new();
        for at in (0..number.get()).rev() {
            let (commander, commands) = mpsc::channel(COMMAND_QUEUE);
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            let attached = {
                let _guard = runtime.enter();
                let attached = ports.iter().map(UdpPort::attach);
                attached.collect::<io::Result<Vec<_>>>()?
            };
            let events = events.clone();
            // Only the first receives.
            let hand_over = if at == 0 {
                hand_over.clone()
            } else {
                Vec::new()
            };
            let handed = handed.pop();
            // What the kernel is told in is not to move between threads, so it is made there.
            let run = move || {
                let task = ShardTask::new(attached, events, hand_over);
                runtime.block_on(task.run(commands, handed));
            };
            thread::Builder::new()
                .name(format!("datagrams-{at}"))
                .spawn(run)?;
            shards.push(commander);
        }
        shards.reverse();
        Ok(Self(shards))
    }

    /// The shards always take commands, so this waits for a moment at most.
    pub(crate) async fn command(&self, command: DatagramCommand) {
        match command {
            DatagramCommand::Open { connection, .. } => {
                let shard = shard_of(connection, self.0.len());
                self.command_one(shard, || command).await;
            }
            // Those that do not have the session have nothing to do.
            DatagramCommand::Remove(session) => {
                self.command_all(|| DatagramCommand::Remove(session)).await;
            }
            DatagramCommand::Unconfirm(session) => {
                self.command_all(|| DatagramCommand::Unconfirm(session))
                    .await;
            }
            DatagramCommand::ProbeBack(session) => {
                self.command_all(|| DatagramCommand::ProbeBack(session))
                    .await;
            }
            DatagramCommand::FanOut(plaintext) => {
                self.command_all(|| DatagramCommand::FanOut(plaintext.clone()))
                    .await;
            }
        }
    }

    async fn command_all(&self, command: impl Fn() -> DatagramCommand) {
        for shard in 0..self.0.len() {
            self.command_one(shard, &command).await;
        }
    }

    async fn command_one(&self, shard: usize, command: impl FnOnce() -> DatagramCommand) {
        let Some(shard) = self.0.get(shard) else {
            return;
        };
        if shard.send(command()).await.is_err() {
            tracing::error!("a thread that sends datagrams is gone");
        }
    }
}

/// Which of so many shards has a session. Connection ids are random.
fn shard_of(connection: ConnectionId, shards: usize) -> usize {
    let shards = shards.max(1) as u64;
    // Below `shards`, which was a usize.
    (connection.0 % shards) as usize
}

/// What a thread has.
struct ShardTask {
    ports: Vec<AttachedPort>,
    events: mpsc::Sender<ShellEvent>,
    shard: Shard<From>,
    outgoing: Outgoing,
    started: Instant,
    /// The ways to all shards, where this is the one that receives.
    hand_over: Vec<mpsc::Sender<Handed>>,
    /// What the hub is to learn, and has no room for yet.
    pending: VecDeque<Event>,
    /// Datagrams sealed in this turn.
    sent: usize,
    /// Rejected datagrams that the log knows of.
    reported: u64,
}

/// Why a thread is awake.
enum Wake {
    /// The hub commands; `None` when it never will again.
    Command(Option<DatagramCommand>),
    /// The hub may have room for an event; not if it is gone.
    Room(bool),
    /// A socket may have room for a datagram.
    Writable,
    Report,
    Expiry,
    Handed(Option<Handed>),
    /// This socket may have something.
    Readable(usize),
}

impl ShardTask {
    fn new(
        ports: Vec<AttachedPort>,
        events: mpsc::Sender<ShellEvent>,
        hand_over: Vec<mpsc::Sender<Handed>>,
    ) -> Self {
        Self {
            outgoing: Outgoing::new(ports.len()),
            ports,
            events,
            shard: Shard::new(Box::new(|| u64::from_ne_bytes(super::random()))),
            started: Instant::now(),
            hand_over,
            pending: VecDeque::new(),
            sent: 0,
            reported: 0,
        }
    }

    /// Runs until the hub drops its end of `commands`.
    async fn run(
        mut self,
        mut commands: mpsc::Receiver<DatagramCommand>,
        mut handed: Option<mpsc::Receiver<Handed>>,
    ) {
        let mut receivers: Vec<Receiver> = self.ports.iter().map(|_| Receiver::default()).collect();
        let mut turn = 0;
        let mut report = interval_after(REPORT_INTERVAL);
        let mut expiry = interval_after(EXPIRY_INTERVAL);
        loop {
            let receives = self.pending.is_empty();
            // The hub may be waiting to command while its queue is full: commands are always taken, nothing here
            // waits for anything else, and what the hub is to learn waits with nothing received meanwhile.
            let wake = tokio::select! {
                command = commands.recv() => Wake::Command(command),
                room = self.events.reserve(), if !receives => Wake::Room(room.is_ok()),
                () = self.outgoing.writable(&self.ports), if self.outgoing.is_waiting() => Wake::Writable,
                _ = report.tick() => Wake::Report,
                _ = expiry.tick() => Wake::Expiry,
                handed = next(&mut handed), if receives && handed.is_some() => Wake::Handed(handed),
                at = readable(&self.ports, turn), if receives && !self.hand_over.is_empty() => {
                    Wake::Readable(at)
                }
            };
            match wake {
                Wake::Command(None) | Wake::Room(false) => return,
                Wake::Command(Some(command)) => {
                    self.sent = 0;
                    self.handle(command);
                    while self.sent < TURN
                        && let Ok(command) = commands.try_recv()
                    {
                        self.handle(command);
                    }
                }
                Wake::Room(true) => {}
                Wake::Writable => self.outgoing.drain(&self.ports),
                Wake::Report => self.report(),
                Wake::Expiry => {
                    let silent = self.shard.expire(self.started.elapsed());
                    let lost = |session| Event::Path { session, up: false };
                    self.pending.extend(silent.into_iter().map(lost));
                }
                Wake::Handed(None) => handed = None,
                Wake::Handed(Some((from, mut datagram))) => {
                    self.take(self.started.elapsed(), from, &mut datagram);
                }
                Wake::Readable(at) => {
                    // The next socket has the first turn after this one.
                    turn = at + 1;
                    if let (Some(port), Some(receiver)) = (self.ports.get(at), receivers.get_mut(at))
                        // An error is an ICMP answer to something sent earlier, or a passing lack of memory.
                        && port.receive(receiver).is_ok()
                    {
                        self.receive(at, receiver);
                    }
                }
            }
            self.outgoing.flush(&self.ports);
            self.tell();
        }
    }

    fn handle(&mut self, command: DatagramCommand) {
        match command {
            DatagramCommand::Open {
                session,
                connection,
                secret,
            } => {
                // Here, so that they lie together in this thread's memory, where all are gone through for each
                // message.
                let (sealer, opener) = secret.into_pair(Side::Server, connection);
                self.shard.add(session, sealer, opener);
            }
            DatagramCommand::Remove(session) => self.shard.remove(session),
            DatagramCommand::Unconfirm(session) => self.shard.unconfirm(session),
            DatagramCommand::ProbeBack(session) => {
                if let Some(to) = self.shard.probe_back(session, self.outgoing.next()) {
                    self.outgoing.push(&self.ports, to);
                }
            }
            DatagramCommand::FanOut(plaintext) => {
                let mut fan_out = self.shard.fan_out(&plaintext);
                while let Some(to) = fan_out.seal_next(self.outgoing.next()) {
                    self.outgoing.push(&self.ports, to);
                    self.sent += 1;
                }
            }
        }
    }

    fn receive(&mut self, at: usize, receiver: &mut Receiver) {
        let now = self.started.elapsed();
        let shards = self.hand_over.len();
        for (datagram, route) in receiver.drain() {
            let shard = Header::peek_connection(datagram).map_or(0, |it| shard_of(it, shards));
            match self.hand_over.get(shard) {
                Some(other) if shard != 0 => {
                    // Where it has no room the datagram is lost.
                    let _ = other.try_send(((at, route), Box::from(&*datagram)));
                }
                _ => self.take(now, (at, route), datagram),
            }
        }
    }

    fn take(&mut self, now: Duration, from: From, datagram: &mut [u8]) {
        let out = self.outgoing.next();
        let before = self.shard.rejected();
        let received = self.shard.handle_datagram(now, from, datagram, out);
        if self.shard.rejected() > before
            && let Some(port) = self.ports.get(from.0)
        {
            port.reject();
        }
        match received {
            Received::Nothing => {}
            Received::Answer { to, path, heard } => {
                self.outgoing.push(&self.ports, to);
                if let Some((session, up)) = path {
                    self.pending.push_back(Event::Path { session, up });
                }
                if let Some((session, nonce)) = heard {
                    self.pending.push_back(Event::ProbeHeard { session, nonce });
                }
            }
            Received::PathLost(session) => {
                self.pending.push_back(Event::Path { session, up: false })
            }
            Received::Global {
                session,
                message,
                path_lost,
            } => {
                if path_lost {
                    self.pending.push_back(Event::Path { session, up: false });
                }
                self.pending.push_back(Event::Datagram { session, message });
            }
        }
    }

    /// Tells the hub what there is room for.
    fn tell(&mut self) {
        while !self.pending.is_empty()
            && let Ok(permit) = self.events.try_reserve()
            && let Some(event) = self.pending.pop_front()
        {
            permit.send(ShellEvent::Hub(event));
        }
    }

    fn report(&mut self) {
        let rejected = self.shard.rejected();
        if rejected > self.reported {
            tracing::warn!(count = rejected - self.reported, "datagrams rejected");
            self.reported = rejected;
        }
        let dropped = self.outgoing.take_dropped();
        if dropped > 0 {
            tracing::warn!(count = dropped, "datagrams dropped: the network is full");
        }
    }
}

async fn next(handed: &mut Option<mpsc::Receiver<Handed>>) -> Option<Handed> {
    handed.as_mut()?.recv().await
}

fn interval_after(period: Duration) -> Interval {
    let mut interval = tokio::time::interval_at(Instant::now() + period, period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

/// Which of the sockets has something to receive; `turn` is looked at first.
async fn readable(ports: &[AttachedPort], turn: usize) -> usize {
    poll_fn(|context| {
        for step in 0..ports.len() {
            let at = (turn + step) % ports.len();
            if ports
                .get(at)
                .is_some_and(|port| port.poll_readable(context).is_ready())
            {
                return Poll::Ready(at);
            }
        }
        Poll::Pending
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::net::{SocketAddr, UdpSocket};

    use recado_proto::datagram::{EXPORTER_LENGTH, Opener, Sealer};
    use recado_proto::frame::{ClientDatagram, GlobalMessage, Probe, ProbeAnswer, ServerDatagram};
    use recado_proto::id::{MessageId, Signature};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    struct Person {
        session: SessionNumber,
        udp: UdpSocket,
        sealer: Sealer,
        opener: Opener,
    }

    impl Person {
        async fn join(number: u64, shards: &Shards, server: SocketAddr) -> Self {
            let secret = || SessionSecret::new([number as u8; EXPORTER_LENGTH]);
            let (session, connection) = (SessionNumber(number), ConnectionId(number));
            let open = DatagramCommand::Open {
                session,
                connection,
                secret: Box::new(secret()),
            };
            shards.command(open).await;
            let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
            udp.connect(server).unwrap();
            let (sealer, opener) = secret().into_pair(Side::Client, connection);
            Self {
                session,
                udp,
                sealer,
                opener,
            }
        }

        fn say(&mut self, datagram: ClientDatagram) {
            let mut out = Vec::new();
            self.sealer.seal(&datagram.encode(), &mut out).unwrap();
            self.udp.send(&out).unwrap();
        }

        fn hear(&mut self) -> Vec<u8> {
            self.hear_within(PATIENCE).unwrap()
        }

        fn hear_within(&mut self, time: Duration) -> Option<Vec<u8>> {
            self.udp.set_read_timeout(Some(time)).unwrap();
            let mut bytes = [0; 2000];
            let length = self.udp.recv(&mut bytes).ok()?;
            let opened = self.opener.open(&mut bytes[..length]).unwrap();
            Some(opened.plaintext.to_vec())
        }

        fn probe(&mut self, challenge: u64) -> ProbeAnswer {
            // It may overtake the command that opens the session, as it may on any network.
            let answer = (0..10).find_map(|_| {
                self.say(ClientDatagram::Probe(Probe {
                    nonce: 1,
                    challenge,
                    report: false,
                }));
                self.hear_within(PATIENCE / 10)
            });
            match ServerDatagram::decode(&answer.unwrap()).unwrap() {
                Some(ServerDatagram::ProbeAnswer(answer)) => answer,
                other => panic!("{other:?}"),
            }
        }

        fn confirm(&mut self) {
            let challenge = self.probe(0).challenge;
            assert!(self.probe(challenge).confirmed);
        }
    }

    fn global() -> ClientDatagram {
        ClientDatagram::Global(GlobalMessage {
            id: MessageId::from_bytes([1; 16]),
            sent_at_ms: 0,
            text: "hi".to_owned(),
            signature: Signature::from_bytes([0; 64]),
        })
    }

    fn spawn(number: usize, room: usize) -> (Shards, SocketAddr, mpsc::Receiver<ShellEvent>) {
        let port = UdpPort::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = port.local_addr();
        let (events, hub) = mpsc::channel(room);
        let shards = Shards::spawn(vec![port], &events, NonZeroUsize::new(number).unwrap());
        (shards.unwrap(), address, hub)
    }

    #[tokio::test]
    async fn people_of_all_shards_hear_and_are_heard_at_one_address() {
        let (shards, address, mut hub) = spawn(3, 64);
        let mut people = Vec::new();
        for number in 0..7 {
            people.push(Person::join(number, &shards, address).await);
        }
        for person in &mut people {
            person.confirm();
            let Some(ShellEvent::Hub(Event::Path { session, up: true })) = hub.recv().await else {
                panic!("a path was confirmed");
            };
            assert_eq!(session, person.session);
        }
        for text in [&b"first"[..], b"second"] {
            shards.command(DatagramCommand::FanOut(text.into())).await;
        }
        for person in &mut people {
            assert_eq!(
                [person.hear(), person.hear()],
                [b"first".to_vec(), b"second".to_vec()]
            );
            person.say(global());
            let Some(ShellEvent::Hub(Event::Datagram { session, .. })) = hub.recv().await else {
                panic!("a message came");
            };
            assert_eq!(session, person.session);
        }
        shards
            .command(DatagramCommand::Remove(people[4].session))
            .await;
        shards
            .command(DatagramCommand::Unconfirm(people[5].session))
            .await;
        shards
            .command(DatagramCommand::FanOut(b"third"[..].into()))
            .await;
        for (number, person) in people.iter_mut().enumerate() {
            if number != 4 && number != 5 {
                assert_eq!(person.hear(), b"third");
            }
        }
        assert!(!people[5].probe(0).confirmed);
    }

    #[tokio::test]
    async fn commands_are_taken_while_the_hub_takes_nothing() {
        let (shards, address, mut hub) = spawn(1, 1);
        let mut alice = Person::join(1, &shards, address).await;
        alice.confirm();
        // One finds room, another waits in the shard, the others in the socket.
        for _ in 0..3 * super::super::udp_socket::BATCH {
            alice.say(global());
        }
        for _ in 0..2 * COMMAND_QUEUE {
            shards
                .command(DatagramCommand::ProbeBack(alice.session))
                .await;
        }
        let mut heard = 0;
        while heard < 3 * super::super::udp_socket::BATCH {
            if let Some(ShellEvent::Hub(Event::Datagram { .. })) = hub.recv().await {
                heard += 1;
            }
        }
    }
}
