//! The task that has all offers: it feeds the core, writes down what it wants written, and runs what goes on. It has a
//! thread of its own, so that a chat does not wait for files.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use recado_engine::Failure;
use recado_engine::files::{
    FileCommand, OfferEvent, OfferKey, OfferOutput, OfferRecord, Offers, Reached, Refusal,
    Standing, Which, acceptable, own_candidates,
};
use recado_proto::file::{Address, FileNote, NoteBody};
use recado_proto::frame::{Person, RelayRequest, ServerFrame};
use recado_proto::id::{MessageId, OfferId, RemoteKey};
use recado_proto::name::NameKeys;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinHandle;

use super::FilesConfig;
use super::channel::Channel;
use super::driver::{Driver, News, Slots};
use super::meet::{Desk, Listener, Meeting, RelayAnswer, answer, turn_away};
use super::part::{Part, PartError, check_room};
use super::source::{Scan, SourceError};
use super::tls::PeerTls;
use crate::history::{Database, HistoryError, OfferWrite};
use crate::session::new_message_id;
use crate::system;

/// Transfers that go on at a time, in each direction; others wait for their turn.
const AT_A_TIME: usize = 4;

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
    /// Something was written into the database elsewhere.
    Look,
    /// Nobody wants anything any more.
    Close,
}

/// What it wants.
pub(crate) enum Output {
    Ask(RelayRequest),
    Event(OfferEvent),
    Taken(recado_engine::Receipt),
    /// Something was entered into the outbox.
    Entered,
    /// The database cannot be used on.
    Failed(HistoryError),
}

/// Everything that the task is made with.
pub(crate) struct Setup {
    pub(crate) config: FilesConfig,
    pub(crate) tls: PeerTls,
    pub(crate) own: RemoteKey,
    /// One's own name, case-mapped.
    pub(crate) name: String,
    pub(crate) server: SocketAddr,
    pub(crate) database: Database,
    pub(crate) inputs: mpsc::UnboundedReceiver<Input>,
    pub(crate) outputs: mpsc::UnboundedSender<Output>,
}

struct Task {
    config: FilesConfig,
    tls: PeerTls,
    own: RemoteKey,
    name: String,
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

/// Runs until nobody wants anything any more.
pub(crate) async fn run(setup: Setup) {
    let Setup {
        config,
        tls,
        own,
        name,
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
        name,
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
    let mut outcome = task.take_entered(entered).await;
    if outcome.is_ok() {
        outcome = task.accept_welcome().await;
    }
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
            Input::Look => self.look().await?,
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
        if NameKeys::of(&to).folded == self.name {
            self.refuse(Refusal::Oneself, String::new(), reference);
            return Ok(());
        }
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

    /// Accepts what waits from people whose offers are accepted unseen.
    async fn accept_welcome(&mut self) -> Outcome {
        let all = self.offers.all();
        let waiting = all.iter().filter(|(about, _)| !about.is_own);
        let keys = waiting.map(|(about, _)| OfferKey {
            offer: about.offer,
            came: true,
        });
        for key in keys.collect::<Vec<_>>() {
            if self.offers.is_welcome(key) {
                self.accept(key, None).await?;
            }
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
            Some(listener) => {
                own_candidates(&system::interfaces(), listener.port(), self.reached())
            }
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
            self.write(writes).await?;
            let _ = self.outputs.send(Output::Entered);
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
            false => acceptable(theirs, &system::interfaces(), self.reached()),
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

    async fn write(&self, writes: Vec<OfferWrite>) -> Outcome {
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

/// Does what waits for a disk. `None` if it panicked, which has been told by itself.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
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
