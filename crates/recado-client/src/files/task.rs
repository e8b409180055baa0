//! The task that has all offers: it feeds the core, writes down what it wants written, and runs what goes on. It has a
//! thread of its own, so that a chat does not wait for files.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use recado_engine::Failure;
use recado_engine::files::{
    FileCommand, OfferEvent, OfferFailure, OfferKey, OfferOutput, OfferRecord, Offers, Pause,
    Reached, Refusal, Route, Standing, Which, acceptable, own_candidates,
};
use recado_proto::file::{AbortCode, Address, FileNote, NoteBody};
use recado_proto::frame::{Person, RelayRequest, ServerFrame};
use recado_proto::id::{MessageId, OfferId, RemoteKey};
use recado_proto::name::NameKeys;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::FilesConfig;
use super::channel::{Channel, ChannelError};
use super::meet::{Desk, Listener, Meeting, RelayAnswer, answer, interfaces, turn_away};
use super::part::{Finished, Part, PartError, check_room};
use super::source::{Scan, SourceError};
use super::tls::PeerTls;
use super::transfer::{Receiving, Sending, Target, TransferError, Watch, beside};
use crate::history::{Database, HistoryError, OfferWrite};
use crate::session::new_message_id;

/// Transfers that go on at a time, in each direction; others wait for their turn.
const AT_A_TIME: usize = 4;

/// How often the database is asked for what other processes have written.
const LOOK_TIME: Duration = Duration::from_millis(100);

/// How often progress is told.
const PROGRESS_TIME: Duration = Duration::from_millis(200);

/// How often it is written down, for processes that look on.
const NOTE_TIME: Duration = Duration::from_secs(1);

/// The wait after a connection was lost before another is looked for.
const LOST_WAIT: Duration = Duration::from_millis(200);

/// How often a full disk is looked at.
const FULL_WAIT: Duration = Duration::from_secs(10);

/// What the task is told.
pub(crate) enum Input {
    /// By whoever uses the client.
    Command(FileCommand),
    /// By another person; `taken` is given back once it is written down what came of it.
    Note {
        from: Person,
        note: Vec<u8>,
        taken: recado_engine::Receipt,
    },
    /// What became of a message of one's own.
    Sent {
        id: MessageId,
        failure: Option<Failure>,
    },
    /// By the server.
    Frame(ServerFrame),
    /// There is a connection with the server, or none.
    Server(bool),
    /// Nobody wants anything any more.
    Close,
}

/// What it wants.
pub(crate) enum Output {
    Ask(RelayRequest),
    Event(OfferEvent),
    Taken(recado_engine::Receipt),
    /// These were entered into the outbox.
    Entered(Vec<MessageId>),
    /// The database cannot be used on.
    Failed(HistoryError),
}

/// Everything that the task is made with.
pub(crate) struct Setup {
    pub(crate) config: FilesConfig,
    pub(crate) tls: PeerTls,
    pub(crate) own: RemoteKey,
    pub(crate) server: SocketAddr,
    pub(crate) database: Database,
    pub(crate) inputs: mpsc::UnboundedReceiver<Input>,
    pub(crate) outputs: mpsc::UnboundedSender<Output>,
}

struct Task {
    config: FilesConfig,
    tls: PeerTls,
    own: RemoteKey,
    server: SocketAddr,
    database: Arc<Mutex<Database>>,
    outputs: mpsc::UnboundedSender<Output>,
    offers: Offers,
    /// What goes on.
    running: BTreeMap<OfferKey, Running>,
    /// What ends, and may still have a file open.
    ending: BTreeMap<OfferKey, Running>,
    listener: Option<Listener>,
    desk: Desk,
    arrivals: mpsc::UnboundedReceiver<(OfferId, Channel)>,
    news: mpsc::UnboundedSender<News>,
    asks: mpsc::UnboundedSender<RelayRequest>,
    slots: Slots,
    /// Who is at the server, and whether this client is.
    here: BTreeSet<RemoteKey>,
    is_connected: bool,
    /// Of which offers the other side was told where this process can be reached.
    told: BTreeSet<OfferKey>,
    /// What it was told.
    addresses: Vec<Address>,
    seen: Option<i64>,
}

/// How many may go on at a time. Sending waits for receiving, and receiving for nothing, so that nobody waits in a ring.
#[derive(Clone)]
struct Slots {
    sending: Arc<Semaphore>,
    receiving: Arc<Semaphore>,
}

/// A transfer, or the search for a connection.
struct Running {
    remote: RemoteKey,
    task: JoinHandle<()>,
    stop: watch::Sender<bool>,
    addresses: watch::Sender<Vec<SocketAddr>>,
    online: watch::Sender<bool>,
    inbound: mpsc::Sender<Channel>,
    answers: mpsc::Sender<RelayAnswer>,
}

/// What a transfer tells.
enum News {
    Running(OfferKey, Route),
    Progress(OfferKey, u64),
    Paused(OfferKey, Pause),
    Failed(OfferKey, OfferFailure),
    Received(
        OfferKey,
        Option<PathBuf>,
        [u8; 32],
        Option<tokio::sync::oneshot::Sender<()>>,
    ),
}

/// Runs until nobody wants anything any more.
pub(crate) async fn run(setup: Setup) {
    let Setup {
        config,
        tls,
        own,
        server,
        database,
        mut inputs,
        outputs,
    } = setup;
    let (open, entered) = match database.load_offers() {
        Ok(loaded) => loaded,
        Err(error) => return drop(outputs.send(Output::Failed(error))),
    };
    let accept_from = config.accept_from.iter();
    let accept_from = accept_from.map(|name| NameKeys::of(name).folded).collect();
    let (desk, arrivals) = mpsc::unbounded_channel();
    let (news, mut told) = mpsc::unbounded_channel();
    let (asks, mut asked) = mpsc::unbounded_channel();
    let mut task = Task {
        config,
        tls,
        own,
        server,
        seen: database.others().ok(),
        database: Arc::new(Mutex::new(database)),
        outputs,
        offers: Offers::new(open, accept_from),
        running: BTreeMap::new(),
        ending: BTreeMap::new(),
        listener: None,
        desk,
        arrivals,
        news,
        asks,
        slots: Slots {
            sending: Arc::new(Semaphore::new(AT_A_TIME)),
            receiving: Arc::new(Semaphore::new(AT_A_TIME)),
        },
        here: BTreeSet::new(),
        is_connected: false,
        told: BTreeSet::new(),
        addresses: Vec::new(),
    };
    let mut look = interval(LOOK_TIME);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut outcome = task.take_entered(entered).await;
    while outcome.is_ok() {
        tokio::select! {
            input = inputs.recv() => match input {
                Some(Input::Close) | None => break,
                Some(input) => outcome = task.take(input).await,
            },
            Some(news) = told.recv() => outcome = task.take_news(news).await,
            Some(request) = asked.recv() => {
                let _ = task.outputs.send(Output::Ask(request));
            }
            Some((offer, channel)) = task.arrivals.recv() => task.arrive(offer, channel),
            _ = look.tick() => outcome = task.look().await,
        }
    }
    // Whoever waits for something to be written down waits no longer: the next process finds it in its place.
    drop(told);
    for (_, running) in std::mem::take(&mut task.running) {
        running.stop.send_replace(true);
        let _ = running.task.await;
    }
    for (_, ending) in std::mem::take(&mut task.ending) {
        let _ = ending.task.await;
    }
    if let Err(error) = outcome {
        let _ = task.outputs.send(Output::Failed(error));
    }
}

type Outcome = Result<(), HistoryError>;

impl Task {
    async fn take(&mut self, input: Input) -> Outcome {
        match input {
            Input::Command(command) => self.command(command).await?,
            Input::Note { from, note, taken } => {
                self.note(&from, &note).await?;
                self.flush().await?;
                let _ = self.outputs.send(Output::Taken(taken));
            }
            Input::Sent { id, failure } => {
                let offer = OfferId::from_bytes(*id.as_bytes());
                self.offers.handle_sent(offer, failure);
            }
            Input::Frame(frame) => self.frame(frame),
            Input::Server(is_connected) => {
                self.is_connected = is_connected;
                match is_connected {
                    false => self.here.clear(),
                    // It may be in another network now.
                    true if !self.running.is_empty() => self.update_addresses(),
                    true => {}
                }
                self.tell_presence();
            }
            Input::Close => {}
        }
        self.flush().await
    }

    async fn command(&mut self, command: FileCommand) -> Outcome {
        match command {
            FileCommand::Offer {
                to,
                path,
                reference,
            } => self.offer(to, path, reference).await,
            FileCommand::Accept { which, reference } => {
                match self.offers.which(&which, true) {
                    Ok(keys) => {
                        for key in keys {
                            self.accept(key, reference.clone()).await?;
                        }
                    }
                    Err(error) => self.refuse(error.into(), String::new(), reference),
                }
                Ok(())
            }
            FileCommand::Cancel { which, reference } => {
                match self.offers.which(&which, false) {
                    Ok(keys) => {
                        for key in keys {
                            if let Err(error) = self.offers.cancel(key) {
                                self.refuse(error.into(), String::new(), reference.clone());
                            }
                        }
                    }
                    Err(error) => self.refuse(error.into(), String::new(), reference),
                }
                Ok(())
            }
            FileCommand::List => {
                self.tell(OfferEvent::All(self.offers.all()));
                Ok(())
            }
        }
    }

    /// Offers something, once it has been looked at.
    async fn offer(&mut self, to: String, path: PathBuf, reference: Option<String>) -> Outcome {
        let scan = blocking(move || Scan::new(&path)).await;
        let scan = match scan {
            Some(Ok(scan)) => scan,
            Some(Err(error)) => {
                let (refusal, detail) = why_not(&error);
                self.refuse(refusal, detail, reference);
                return Ok(());
            }
            None => return Ok(()),
        };
        let Ok(id) = new_message_id() else {
            return Ok(());
        };
        let skipped = scan.skipped;
        let record = record(
            OfferId::from_bytes(*id.as_bytes()),
            self.with_database(|database| database.next_offer_number())
                .await?,
            to,
            scan,
            reference,
        );
        let key = record.key;
        self.write(vec![OfferWrite::Save(record.clone())]).await?;
        self.offers.offer(record);
        if skipped > 0
            && let Some(about) = self.offers.about(key)
        {
            let count = skipped;
            self.flush().await?;
            self.tell(OfferEvent::Skipped { about, count });
        }
        Ok(())
    }

    /// Takes up what processes entered that do not hold the identity.
    async fn take_entered(&mut self, entered: Vec<OfferRecord>) -> Outcome {
        for record in entered {
            self.write(vec![OfferWrite::Save(record.clone())]).await?;
            self.offers.offer(record);
        }
        self.flush().await
    }

    /// Looks for what other processes have written.
    async fn look(&mut self) -> Outcome {
        let seen = self.with_database(|database| database.others()).await?;
        if self.seen == Some(seen) {
            return Ok(());
        }
        self.seen = Some(seen);
        let (unwanted, (_, entered)) = self
            .with_database(|database| Ok((database.unwanted_offers()?, database.load_offers()?)))
            .await?;
        for offer in unwanted {
            let _ = self.offers.cancel(OfferKey { offer, came: false });
        }
        self.take_entered(entered).await
    }

    async fn note(&mut self, from: &Person, note: &[u8]) -> Outcome {
        // One of a later version says nothing here.
        let Ok(Some(note)) = FileNote::decode(note) else {
            return Ok(());
        };
        if from.key == self.own {
            return Ok(());
        }
        let peer = NameKeys::of(&from.name).folded;
        let key = OfferKey {
            offer: note.offer,
            came: true,
        };
        let is_offer = matches!(note.body, NoteBody::Offered(_));
        let (number, known) = self
            .with_database(move |database| {
                Ok((database.next_offer_number()?, database.find_offer(key)?))
            })
            .await?;
        // It came before, and is over.
        if is_offer && known.is_some() && self.offers.get(key).is_none() {
            return Ok(());
        }
        self.offers.handle_note(from, &peer, note, number);
        if is_offer && self.offers.is_welcome(key) {
            self.flush().await?;
            self.accept(key, None).await?;
        }
        Ok(())
    }

    /// Accepts an offer, if there is room for it.
    async fn accept(&mut self, key: OfferKey, reference: Option<String>) -> Outcome {
        let Some(record) = self.offers.get(key) else {
            self.refuse(Refusal::UnknownOffer, String::new(), reference);
            return Ok(());
        };
        let (folder, stored) = (self.config.downloads.clone(), record.offered.stored);
        let detail = folder.display().to_string();
        let checked = blocking({
            let folder = folder.clone();
            move || {
                std::fs::create_dir_all(&folder).map_err(|source| PartError::NotWritable {
                    folder: folder.clone(),
                    source,
                })?;
                let folder = folder
                    .canonicalize()
                    .map_err(|source| PartError::NotWritable { folder, source })?;
                check_room(&folder, &key.offer, stored).map(|()| folder)
            }
        });
        match checked.await {
            Some(Ok(folder)) => {
                self.update_addresses();
                self.told.insert(key);
                let addresses = self.addresses.clone();
                if let Err(error) = self.offers.accept(key, folder, addresses) {
                    self.refuse(error.into(), String::new(), reference);
                }
            }
            Some(Err(PartError::Full { needed, .. })) => {
                self.refuse(Refusal::NoRoom(needed), detail, reference);
            }
            _ => self.refuse(Refusal::NotWritable, detail, reference),
        }
        Ok(())
    }

    /// Looks where this client can be reached, if that is to be told: it listens from then on. If that is news, all
    /// will be told.
    fn update_addresses(&mut self) {
        if self.config.relay_only {
            return;
        }
        if self.listener.is_none() {
            match Listener::start(self.tls.clone(), self.desk.clone()) {
                Ok(listener) => self.listener = Some(listener),
                Err(error) => tracing::debug!(%error, "nobody can connect to this client"),
            }
        }
        let addresses = match &self.listener {
            Some(listener) => own_candidates(&interfaces(), listener.port(), self.reached()),
            None => Vec::new(),
        };
        if addresses != self.addresses {
            self.addresses = addresses;
            self.told.clear();
        }
    }

    /// Tells those who do not know it where this client can be reached.
    fn tell_addresses(&mut self) {
        let untold = self.running.keys().filter(|key| !self.told.contains(key));
        let untold: Vec<_> = untold.copied().collect();
        if untold.is_empty() || self.config.relay_only {
            return;
        }
        self.update_addresses();
        for key in untold {
            self.told.insert(key);
            self.offers.tell_addresses(key, self.addresses.clone());
        }
    }

    fn reached(&self) -> Reached {
        match self.server.ip().to_canonical().is_loopback() {
            true => Reached::ByLoopback,
            false => Reached::ByNetwork,
        }
    }

    fn frame(&mut self, frame: ServerFrame) {
        match frame {
            ServerFrame::Roster(roster) => {
                self.here.extend(roster.people.iter().map(|it| it.key));
            }
            ServerFrame::Presence(presence) => {
                for person in presence.left {
                    self.here.remove(&person.key);
                }
                self.here.extend(presence.joined.iter().map(|it| it.key));
            }
            ServerFrame::RelayGranted(granted) => {
                self.relay(granted.offer, || {
                    RelayAnswer::Granted(granted.token.clone())
                });
            }
            ServerFrame::RelayRefused(refused) => {
                self.relay(refused.offer, || RelayAnswer::Refused);
            }
            _ => {}
        }
        self.tell_presence();
    }

    fn relay(&self, offer: OfferId, answer: impl Fn() -> RelayAnswer) {
        for came in [true, false] {
            if let Some(running) = self.running.get(&OfferKey { offer, came }) {
                // One that does not take it has what it needs.
                let _ = running.answers.try_send(answer());
            }
        }
    }

    fn tell_presence(&self) {
        for running in self.running.values() {
            let is_online = self.is_connected && self.here.contains(&running.remote);
            running.online.send_if_modified(|online| {
                let was_online = std::mem::replace(online, is_online);
                was_online != is_online
            });
        }
    }

    /// Someone has connected, and means this offer.
    fn arrive(&mut self, offer: OfferId, channel: Channel) {
        let peer = channel.peer();
        let wanted = [true, false]
            .map(|came| OfferKey { offer, came })
            .into_iter()
            .find_map(|key| self.running.get(&key).filter(|it| it.remote == peer));
        match wanted {
            Some(running) => {
                let inbound = running.inbound.clone();
                tokio::spawn(async move {
                    if let Some(channel) = answer(channel, offer).await {
                        // One that is not taken is closed.
                        let _ = inbound.try_send(channel);
                    }
                });
            }
            None => drop(tokio::spawn(turn_away(channel))),
        }
    }

    async fn take_news(&mut self, news: News) -> Outcome {
        match news {
            News::Running(key, route) => self.offers.handle_running(key, route),
            News::Progress(key, done) => self.offers.handle_progress(key, done),
            News::Paused(key, pause) => self.offers.handle_paused(key, pause),
            News::Failed(key, failure) => self.offers.handle_failed(key, failure),
            News::Received(key, path, hash, written) => {
                // It ends by itself, when it has told the other side.
                if let Some(running) = self.running.remove(&key) {
                    self.keep_to_its_end(key, running);
                }
                self.offers.handle_received(key, path, hash);
                self.flush().await?;
                if let Some(written) = written {
                    let _ = written.send(());
                }
            }
        }
        self.flush().await
    }

    /// Does what the core wants done: what is to be written down first, all of it together.
    async fn flush(&mut self) -> Outcome {
        loop {
            let mut outputs = Vec::new();
            while let Some(output) = self.offers.poll_output() {
                outputs.push(output);
            }
            if outputs.is_empty() {
                return Ok(());
            }
            self.do_outputs(outputs).await?;
            // One that the other side accepted, or that was accepted before this process began.
            self.tell_addresses();
        }
    }

    async fn do_outputs(&mut self, outputs: Vec<OfferOutput>) -> Outcome {
        let writes: Vec<_> = outputs
            .iter()
            .filter_map(|output| match output {
                OfferOutput::Save(record) => Some(OfferWrite::Save(record.clone())),
                OfferOutput::Note { to, note } => Some(OfferWrite::Say {
                    to: to.clone(),
                    note: note.clone(),
                }),
                _ => None,
            })
            .collect();
        if !writes.is_empty() {
            let entered = self.write(writes).await?;
            let _ = self.outputs.send(Output::Entered(entered));
        }
        for output in outputs {
            match output {
                OfferOutput::Save(_) | OfferOutput::Note { .. } => {}
                OfferOutput::Event(event) => self.tell(event),
                OfferOutput::Meet {
                    key,
                    remote,
                    addresses,
                } => self.meet(key, remote, &addresses),
                OfferOutput::Stop(key) => self.stop(key),
                OfferOutput::Discard(record) => self.discard(record),
            }
        }
        if self.running.is_empty() {
            self.listener = None;
            self.told.clear();
        }
        Ok(())
    }

    fn meet(&mut self, key: OfferKey, remote: RemoteKey, theirs: &[Address]) {
        let addresses = match self.config.relay_only {
            true => Vec::new(),
            false => acceptable(theirs, &interfaces(), self.reached()),
        };
        if let Some(running) = self.running.get(&key) {
            running.addresses.send_replace(addresses);
            return;
        }
        let Some(record) = self.offers.get(key).cloned() else {
            return;
        };
        let (stop, stopped) = watch::channel(false);
        let (told, addresses) = watch::channel(addresses);
        let is_online = self.is_connected && self.here.contains(&remote);
        let (online, is_online) = watch::channel(is_online);
        let (inbound, arrived) = mpsc::channel(8);
        let (answers, answered) = mpsc::channel(1);
        let meeting = Meeting {
            key,
            remote,
            tls: self.tls.clone(),
            server: self.server,
            addresses,
            inbound: arrived,
            online: is_online,
            ask: self.asks.clone(),
            answers: answered,
        };
        let driver = Driver {
            record,
            meeting,
            stopped,
            news: self.news.clone(),
            database: self.database.clone(),
            slots: self.slots.clone(),
        };
        self.running.insert(
            key,
            Running {
                remote,
                task: tokio::spawn(driver.run()),
                stop,
                addresses: told,
                online,
                inbound,
                answers,
            },
        );
    }

    fn stop(&mut self, key: OfferKey) {
        self.told.remove(&key);
        if let Some(running) = self.running.remove(&key) {
            running.stop.send_replace(true);
            self.keep_to_its_end(key, running);
        }
    }

    fn keep_to_its_end(&mut self, key: OfferKey, running: Running) {
        self.ending.retain(|_, ending| !ending.task.is_finished());
        self.ending.insert(key, running);
    }

    /// Removes what was received, once it is not written any more.
    fn discard(&mut self, record: OfferRecord) {
        if record.path.as_os_str().is_empty() {
            return;
        }
        let ending = self.ending.remove(&record.key);
        tokio::spawn(async move {
            if let Some(ending) = ending {
                let _ = ending.task.await;
            }
            blocking(move || {
                if let Err(error) = Part::discard(&record.path, &record.key.offer) {
                    tracing::warn!(%error, "what was received in part cannot be removed");
                }
            })
            .await;
        });
    }

    fn refuse(&self, refusal: Refusal, detail: String, reference: Option<String>) {
        self.tell(OfferEvent::Refused {
            refusal,
            detail,
            reference,
        });
    }

    fn tell(&self, event: OfferEvent) {
        let _ = self.outputs.send(Output::Event(event));
    }

    async fn write(&self, writes: Vec<OfferWrite>) -> Result<Vec<MessageId>, HistoryError> {
        let now = now_ms();
        self.with_database(move |database| database.write_offers(now, &writes))
            .await
    }

    async fn with_database<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Database) -> Result<T, HistoryError> + Send + 'static,
    ) -> Result<T, HistoryError> {
        let database = self.database.clone();
        let done =
            blocking(move || work(&mut database.lock().unwrap_or_else(PoisonError::into_inner)));
        done.await.unwrap_or(Err(HistoryError::Thread))
    }
}

/// Runs one offer to its end.
struct Driver {
    record: OfferRecord,
    meeting: Meeting,
    stopped: watch::Receiver<bool>,
    news: mpsc::UnboundedSender<News>,
    database: Arc<Mutex<Database>>,
    slots: Slots,
}

/// One offer over one connection.
struct Transfer {
    key: OfferKey,
    stopped: watch::Receiver<bool>,
    news: mpsc::UnboundedSender<News>,
    database: Arc<Mutex<Database>>,
}

impl Transfer {
    async fn run(
        mut self,
        mut side: Side,
        mut channel: Channel,
    ) -> (Side, Option<Result<(), TransferError>>) {
        let mut stopped = self.stopped.clone();
        let ended = tokio::select! {
            ended = self.pass(&mut side, &mut channel) => Some(ended),
            () = until_stopped(&mut stopped) => None,
        };
        let code = match &ended {
            // The other side learns why by a note; here it is that this connection ends.
            None => Some(AbortCode::Cancelled),
            Some(Ok(())) => None,
            Some(Err(error)) => Some(error.code()),
        };
        channel.close(code).await;
        (side, ended)
    }

    async fn pass(&mut self, side: &mut Side, channel: &mut Channel) -> Result<(), TransferError> {
        channel.adopt()?;
        let key = self.key;
        let mut reporter = Reporter::new(key, self.news.clone(), self.database.clone());
        match side {
            Side::Sending(sending) => {
                let hash = sending.run(channel, &mut reporter).await?;
                let _ = self.news.send(News::Received(key, None, hash, None));
            }
            Side::Receiving(receiving) => {
                let (database, stopped) = (self.database.clone(), self.stopped.clone());
                let choose = move |path: &Path, hash: &[u8; 32]| {
                    // One that was ended at the last moment does not become a file.
                    if *stopped.borrow() {
                        return Err(PartError::NotAsOffered);
                    }
                    let mut database = database.lock().unwrap_or_else(PoisonError::into_inner);
                    database
                        .choose_place(key, path, hash)
                        .map_err(|error| PartError::NotWritable {
                            folder: path.to_owned(),
                            source: std::io::Error::other(error),
                        })
                };
                receiving.run(channel, choose, &mut reporter).await?;
            }
        }
        Ok(())
    }
}

/// Resolves when it is to end.
async fn until_stopped(stopped: &mut watch::Receiver<bool>) {
    // An error means that nobody wants anything any more, which is as good a reason.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// Either side of a transfer.
enum Side {
    Sending(Box<Sending>),
    Receiving(Box<Receiving>),
}

impl Driver {
    async fn run(mut self) {
        let key = self.record.key;
        if let Some(found) = self.was_put_in_place().await {
            let Finished { path, hash } = found;
            return self.tell(News::Received(key, Some(path), hash, None));
        }
        let mut side = match self.side().await {
            Ok(side) => side,
            Err(failure) => return self.tell(News::Failed(key, failure)),
        };
        loop {
            let mut stopped = self.stopped.clone();
            let met = tokio::select! {
                met = self.meeting.meet() => met,
                () = until_stopped(&mut stopped) => return,
            };
            let (mut channel, route) = met;
            let slots = match side {
                Side::Sending(_) => &self.slots.sending,
                Side::Receiving(_) => &self.slots.receiving,
            };
            let slot = tokio::select! {
                slot = beside(&mut channel, slots.clone().acquire_owned()) => slot,
                () = until_stopped(&mut stopped) => {
                    return channel.close(Some(AbortCode::Cancelled)).await;
                }
            };
            let ended = match slot {
                Err(error) => Some(Err(error)),
                Ok(slot) => {
                    self.tell(News::Running(key, route));
                    let (back, ended) = match self.transfer(side, channel).await {
                        Some(ended) => ended,
                        // A thread that cannot be had, or a panic, which has been told by itself.
                        None => return self.tell(News::Paused(key, Pause::Connection)),
                    };
                    drop(slot);
                    side = back;
                    ended
                }
            };
            let error = match ended {
                None | Some(Ok(())) => return,
                Some(Err(error)) => error,
            };
            tracing::debug!(offer = %key.offer, %error, "a transfer ended");
            match what_then(&error) {
                Then::Fail(failure) => return self.tell(News::Failed(key, failure)),
                Then::Wait(pause) => {
                    self.tell(News::Paused(key, pause));
                    tokio::select! {
                        () = self.wait(pause) => {}
                        () = until_stopped(&mut stopped) => return,
                    }
                }
            }
        }
    }

    /// Runs a transfer on a thread of its own, and closes its connection. Gives the side back, and how it ended; nothing
    /// where it was stopped.
    async fn transfer(
        &self,
        side: Side,
        channel: Channel,
    ) -> Option<(Side, Option<Result<(), TransferError>>)> {
        let work = Transfer {
            key: self.record.key,
            stopped: self.stopped.clone(),
            news: self.news.clone(),
            database: self.database.clone(),
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .ok()?;
        let (done, ended) = tokio::sync::oneshot::channel();
        std::thread::Builder::new()
            .name("file".to_owned())
            .spawn(move || {
                let ended = runtime.block_on(work.run(side, channel));
                runtime.shutdown_background();
                let _ = done.send(ended);
            })
            .ok()?;
        ended.await.ok()
    }

    async fn wait(&self, pause: Pause) {
        match pause {
            Pause::Connection => sleep(LOST_WAIT).await,
            Pause::DiskFull if !self.record.key.came => sleep(FULL_WAIT).await,
            Pause::DiskFull => {
                let needed = self.record.offered.stored;
                loop {
                    sleep(FULL_WAIT).await;
                    let (folder, offer) = (self.record.path.clone(), self.record.key.offer);
                    let checked = blocking(move || check_room(&folder, &offer, needed)).await;
                    if matches!(checked, Some(Ok(()))) {
                        return;
                    }
                }
            }
        }
    }

    async fn side(&self) -> Result<Side, OfferFailure> {
        let record = self.record.clone();
        if record.key.came {
            return Ok(Side::Receiving(Box::new(Receiving::new(Target {
                offer: record.key.offer,
                offered: record.offered,
                folder: record.path,
            }))));
        }
        let opened = blocking(move || {
            let scan = Scan::new(&record.path)?;
            let source = scan.open(&record.snapshot)?;
            Ok::<_, SourceError>(Sending::new(source, record.offered))
        });
        match opened.await {
            Some(Ok(sending)) => Ok(Side::Sending(Box::new(sending))),
            Some(Err(error)) => Err(failure_of_source(&error)),
            None => Err(OfferFailure::SourceGone),
        }
    }

    /// Whether an earlier process put it in its place, and ended before it could write that down.
    async fn was_put_in_place(&self) -> Option<Finished> {
        let key = self.record.key;
        if !key.came {
            return None;
        }
        let (database, folder) = (self.database.clone(), self.record.path.clone());
        blocking(move || {
            let database = database.lock().unwrap_or_else(PoisonError::into_inner);
            let (path, hash) = database.chosen_place(key).ok().flatten()?;
            let part = folder.join(super::part::part_name(&key.offer));
            // The part became what is there, whole and synced, or it is still there itself.
            let is_there = part.symlink_metadata().is_err() && path.symlink_metadata().is_ok();
            is_there.then_some(Finished { path, hash })
        })
        .await?
    }

    fn tell(&self, news: News) {
        let _ = self.news.send(news);
    }
}

/// What follows an error.
enum Then {
    Fail(OfferFailure),
    Wait(Pause),
}

fn what_then(error: &TransferError) -> Then {
    match error {
        TransferError::Source(error) => Then::Fail(failure_of_source(error)),
        TransferError::Part(PartError::Full { .. })
        | TransferError::Channel(ChannelError::Aborted(AbortCode::DiskFull)) => {
            Then::Wait(Pause::DiskFull)
        }
        TransferError::Part(PartError::NotWritable { .. })
        | TransferError::Channel(ChannelError::Aborted(AbortCode::NotWritable)) => {
            Then::Fail(OfferFailure::NotWritable)
        }
        TransferError::Part(_)
        | TransferError::Channel(
            ChannelError::Protocol(_)
            | ChannelError::Malformed(_)
            | ChannelError::Aborted(AbortCode::Protocol),
        ) => Then::Fail(OfferFailure::Protocol),
        TransferError::Channel(ChannelError::Aborted(AbortCode::SourceChanged)) => {
            Then::Fail(OfferFailure::SourceChanged)
        }
        TransferError::Channel(ChannelError::Aborted(AbortCode::SourceGone)) => {
            Then::Fail(OfferFailure::SourceGone)
        }
        // What the other side's person decided comes by a note; another process may go on with it.
        TransferError::Channel(
            ChannelError::Lost(_) | ChannelError::Tls(_) | ChannelError::Aborted(_),
        )
        | TransferError::Thread => Then::Wait(Pause::Connection),
    }
}

fn failure_of_source(error: &SourceError) -> OfferFailure {
    match error {
        SourceError::Changed(_) | SourceError::NotAFile(_) | SourceError::TooLarge(_) => {
            OfferFailure::SourceChanged
        }
        SourceError::Unreadable { .. } => OfferFailure::SourceGone,
    }
}

fn why_not(error: &SourceError) -> (Refusal, String) {
    let refusal = match error {
        SourceError::Unreadable { .. } | SourceError::Changed(_) => Refusal::Unreadable,
        SourceError::NotAFile(_) => Refusal::NotAFile,
        SourceError::TooLarge(_) => Refusal::TooLarge,
    };
    let path = match error {
        SourceError::Unreadable { path, .. }
        | SourceError::Changed(path)
        | SourceError::NotAFile(path)
        | SourceError::TooLarge(path) => path,
    };
    (refusal, path.display().to_string())
}

/// An offer as it is first written down.
pub(super) fn record(
    offer: OfferId,
    number: u64,
    to: String,
    scan: Scan,
    reference: Option<String>,
) -> OfferRecord {
    OfferRecord {
        key: OfferKey { offer, came: false },
        number,
        peer: NameKeys::of(&to).folded,
        name: to,
        remote: None,
        offered: scan.offered,
        path: scan.path,
        snapshot: scan.snapshot,
        standing: Standing::Offered,
        reference,
    }
}

/// Tells progress, not too often.
struct Reporter {
    key: OfferKey,
    news: mpsc::UnboundedSender<News>,
    database: Arc<Mutex<Database>>,
    told: Option<Instant>,
    noted: Option<Instant>,
}

impl Reporter {
    fn new(
        key: OfferKey,
        news: mpsc::UnboundedSender<News>,
        database: Arc<Mutex<Database>>,
    ) -> Self {
        Self {
            key,
            news,
            database,
            told: None,
            noted: None,
        }
    }
}

impl Watch for Reporter {
    fn progress(&mut self, done: u64) {
        let is_due = |last: &mut Option<Instant>, interval| {
            let is_due = last.is_none_or(|last| last.elapsed() >= interval);
            if is_due {
                *last = Some(Instant::now());
            }
            is_due
        };
        if is_due(&mut self.told, PROGRESS_TIME) {
            let _ = self.news.send(News::Progress(self.key, done));
        }
        if !self.key.came && is_due(&mut self.noted, NOTE_TIME) {
            let (key, database) = (self.key, self.database.clone());
            tokio::task::spawn_blocking(move || {
                let mut database = database.lock().unwrap_or_else(PoisonError::into_inner);
                // Only for those who look on; the part itself is what is gone on with.
                let _ = database.note_offer_progress(key, done);
            });
        }
    }

    async fn received(&mut self, finished: &Finished) {
        let (written, is_written) = tokio::sync::oneshot::channel();
        let (path, hash) = (Some(finished.path.clone()), finished.hash);
        let _ = self
            .news
            .send(News::Received(self.key, path, hash, Some(written)));
        let _ = is_written.await;
    }
}

/// Does what waits for a disk. `None` if it panicked, which has been told by itself.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    tokio::task::spawn_blocking(work).await.ok()
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}

/// Which offers a person means by a word: a number, a name, or the only one.
pub fn which(word: &str) -> Which {
    match word.trim() {
        "" => Which::Only,
        word => match (word.parse(), word.parse()) {
            (Ok(number), _) => Which::Number(number),
            (_, Ok(offer)) => Which::Id(offer),
            _ => Which::From(word.to_owned()),
        },
    }
}
