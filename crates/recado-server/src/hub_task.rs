//! The one task that owns the hub: it feeds events in, and does what comes out.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use recado_hub::{
    BackendRequest, DatagramChecks, Event, Hub, HubConfig, OperatorAnswer, OperatorCommand,
    OperatorError, OperatorNumber, Output, SessionNumber,
};
use recado_proto::datagram::{SessionSecret, Side};
use recado_proto::frame::ClientFrame;
use recado_proto::id::{ConnectionId, RemoteKey, SessionId};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::backend::Backend;
use crate::net::{DatagramCommand, Outbox, Relay, Shards};

/// Events that may wait for the hub. Whoever has more to say waits, and so does its peer. Each may hold all the frames
/// that one read brought, 16 KiB: 2,700 of the smallest, which are about 400 KiB in memory.
pub(crate) const EVENT_QUEUE: usize = 256;

/// Events handled before outputs are done: what one wake-up brings together goes out together.
const BATCH: usize = 64;

/// What the rest of the server tells the hub's task.
pub(crate) enum ShellEvent {
    /// A chat session is there.
    Arrived(Box<Arrival>),
    /// Something for the hub itself.
    Hub(Event),
    /// Frames that came together.
    Frames {
        session: SessionNumber,
        frames: Vec<ClientFrame>,
    },
    /// Whoever asks is told that the task is alive.
    Pulse(oneshot::Sender<()>),
    /// The operator wants something.
    Operator {
        command: OperatorCommand,
        answer: AnswerTo,
    },
    /// Every connection has ended: the task is to end too.
    Finish,
}

/// Where to tell what came of a command.
pub(crate) type AnswerTo = oneshot::Sender<Result<OperatorAnswer, OperatorError>>;

/// A new chat session, with what the shell keeps of it.
pub(crate) struct Arrival {
    pub(crate) session: SessionNumber,
    pub(crate) key: RemoteKey,
    pub(crate) address: IpAddr,
    pub(crate) id: SessionId,
    pub(crate) connection: ConnectionId,
    pub(crate) secret: SessionSecret,
    pub(crate) outbox: Arc<Outbox>,
}

/// What the shell keeps of a session.
struct Link {
    outbox: Arc<Outbox>,
    /// Until the client has confirmed its keys.
    secret: Option<Box<(SessionSecret, ConnectionId)>>,
}

/// The task's state.
pub(crate) struct HubTask {
    hub: Hub,
    started: Instant,
    links: BTreeMap<SessionNumber, Link>,
    backend: Backend,
    datagrams: Shards,
    relay: Relay,
    /// Who waits for what came of a command.
    operating: BTreeMap<OperatorNumber, AnswerTo>,
    commands: u64,
}

impl HubTask {
    pub(crate) fn new(
        config: HubConfig,
        backend: Backend,
        datagrams: Shards,
        relay: Relay,
    ) -> Self {
        Self {
            hub: Hub::new(config),
            started: Instant::now(),
            links: BTreeMap::new(),
            backend,
            datagrams,
            relay,
            operating: BTreeMap::new(),
            commands: 0,
        }
    }

    /// Runs until [`ShellEvent::Finish`], then closes the database.
    pub(crate) async fn run(mut self, mut events: mpsc::Receiver<ShellEvent>) {
        let mut batch = Vec::with_capacity(BATCH);
        let mut finished = false;
        // It asks for what it must know before anyone comes.
        self.do_outputs().await;
        while !finished {
            let deadline = self.hub.poll_timeout().map(|at| self.started + at);
            let timer = tokio::time::sleep_until(deadline.unwrap_or_else(far_future));
            tokio::select! {
                _ = events.recv_many(&mut batch, BATCH) => {
                    for event in batch.drain(..) {
                        match event {
                            ShellEvent::Arrived(arrival) => self.arrive(*arrival),
                            ShellEvent::Hub(event) => self.take(event).await,
                            ShellEvent::Frames { session, frames } => {
                                let now = self.now();
                                for frame in frames {
                                    self.hub.handle(now, Event::Frame { session, frame });
                                }
                            }
                            // Whoever asked may be gone.
                            ShellEvent::Pulse(answer) => drop(answer.send(())),
                            ShellEvent::Operator { command, answer } => {
                                self.operate(command, answer);
                            }
                            ShellEvent::Finish => finished = true,
                        }
                    }
                }
                () = timer, if deadline.is_some() => {
                    let now = self.now();
                    self.hub.handle_timeout(now);
                }
            }
            self.do_outputs().await;
        }
        let Self { backend, .. } = self;
        if tokio::task::spawn_blocking(move || backend.close())
            .await
            .is_err()
        {
            tracing::error!("the database was not closed in order");
        }
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn arrive(&mut self, arrival: Arrival) {
        let Arrival {
            session,
            key,
            address,
            id,
            connection,
            secret,
            outbox,
        } = arrival;
        tracing::info!(session = session.0, %address, "connected");
        let checks = DatagramChecks {
            server: secret.check(Side::Server),
            client: secret.check(Side::Client),
        };
        let secret = Some(Box::new((secret, connection)));
        self.links.insert(session, Link { outbox, secret });
        let connected = Event::Connected {
            session,
            key,
            address,
            id,
            connection,
            checks,
        };
        let now = self.now();
        self.hub.handle(now, connected);
    }

    fn operate(&mut self, command: OperatorCommand, answer: AnswerTo) {
        self.commands += 1;
        let number = OperatorNumber(self.commands);
        self.operating.insert(number, answer);
        let now = self.now();
        self.hub.handle(now, Event::Operator { number, command });
    }

    async fn take(&mut self, event: Event) {
        // Gone already where the hub closed it.
        if let Event::Disconnected { session } = &event
            && self.links.remove(session).is_some()
        {
            tracing::info!(session = session.0, "disconnected");
            self.command(DatagramCommand::Remove(*session)).await;
        }
        let now = self.now();
        self.hub.handle(now, event);
    }

    async fn do_outputs(&mut self) {
        while let Some(output) = self.hub.poll_output() {
            match output {
                Output::Send {
                    session,
                    frames,
                    droppable,
                } => self.send(session, frames, droppable),
                Output::Close { session, reason } => {
                    tracing::info!(session = session.0, reason, "session closed");
                    if let Some(link) = self.links.remove(&session) {
                        link.outbox.close();
                    }
                    self.command(DatagramCommand::Remove(session)).await;
                }
                Output::Backend(request) => self.ask_backend(request),
                Output::OpenDatagrams { session } => {
                    let link = self.links.get_mut(&session);
                    if let Some(keys) = link.and_then(|link| link.secret.take()) {
                        let (secret, connection) = *keys;
                        let open = DatagramCommand::Open {
                            session,
                            connection,
                            secret: Box::new(secret),
                        };
                        self.command(open).await;
                    }
                }
                Output::DatagramsLost { session } => {
                    self.command(DatagramCommand::Unconfirm(session)).await;
                }
                Output::OpenRelay { number, tokens } => self.relay.open(number, tokens),
                Output::ProbeBack { session } => {
                    self.command(DatagramCommand::ProbeBack(session)).await;
                }
                Output::OperatorAnswer { number, result } => {
                    if let Some(answer) = self.operating.remove(&number) {
                        // Whoever asked may be gone; what was asked is done all the same.
                        let _ = answer.send(result);
                    }
                }
                Output::FanOut { plaintext } => {
                    self.command(DatagramCommand::FanOut(plaintext)).await;
                }
            }
        }
    }

    fn send(&mut self, session: SessionNumber, frames: Bytes, droppable: bool) {
        let Some(link) = self.links.get(&session) else {
            return;
        };
        if droppable && link.outbox.is_half_full() {
            return;
        }
        if link.outbox.push(frames).is_err() {
            // There is room again for the hub's last word.
            link.outbox.clear();
            let now = self.now();
            self.hub.handle(now, Event::TooSlow { session });
        }
    }

    fn ask_backend(&mut self, request: BackendRequest) {
        if let Err(request) = self.backend.submit(request) {
            let now = self.now();
            self.hub
                .handle(now, Event::Backend(vec![request.unavailable()]));
        }
    }

    async fn command(&self, command: DatagramCommand) {
        self.datagrams.command(command).await;
    }
}

/// A moment that is not reached: for a timer that is not used.
fn far_future() -> Instant {
    Instant::now() + Duration::from_secs(24 * 60 * 60)
}
