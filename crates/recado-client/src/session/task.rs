//! The session's task.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use recado_engine::files::OfferEvent;
use recado_engine::{
    Client, ClientConfig, Command, ENTRIES_AHEAD, Event, MailState, Output, Receipt, State,
};
use recado_proto::frame::{ClientFrame, ClosingCode, Person, RefusalCode, ServerFrame};
use recado_proto::id::{LogId, MessageId, RemoteKey, Signature, StoreId};
use recado_proto::name::NameKeys;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::back_off::{self, BackOff};
use super::line::{Happening, Line, Welcomed};
use super::{
    Comparison, End, IncomingMail, Request, SessionConfig, SessionError, Update, VerifyError,
};
use crate::e2e::Vault;
use crate::files::{Files, Input, Output as FilesOutput};
use crate::history::{
    Database, Done, Fed, GlobalRecord, History, HistoryError, Keeper, Record, Untaken, UntakenBody,
    Verification,
};

/// Messages that may be on their way into the database; then no more requests are taken.
const ENTERING: usize = 1024;

/// Records that may be; then nothing more is read from the network. As many as one commit takes.
const RECORDING: usize = 4096;

/// Names whose keys are asked for at once so that they can be verified: more than anyone compares at a time.
const VERIFYING: usize = 64;

/// How long the end waits for the database.
const CLOSE_TIME: Duration = Duration::from_secs(5);

/// The task that owns everything.
pub(super) struct Task {
    config: Arc<SessionConfig>,
    key: RemoteKey,
    client: Client,
    keeper: Keeper,
    done: mpsc::UnboundedReceiver<Done>,
    started: Instant,
    road: Road,
    back_off: BackOff,
    /// The log of global messages of the last session.
    log: LogId,
    /// Updates that the queue had no room for.
    pending: VecDeque<Update>,
    /// What came and was not taken before, to be shown once there is a session.
    replays: Vec<Untaken>,
    feeding: Feeding,
    /// One's own global messages that have not come back.
    globals: BTreeSet<MessageId>,
    is_committing: bool,
    entering: usize,
    recording: usize,
    told_away: bool,
    told_full: bool,
    files: Option<Files>,
    /// What is told of files before the session is ready for the first time; nothing once it was.
    held: Option<Vec<OfferEvent>>,
    /// Who waits to be verified until their key is known.
    verifying: Vec<(String, Option<Comparison>)>,
    /// Who was told to be verified.
    verified: Vec<String>,
}

/// The way to the server.
enum Road {
    Open {
        line: Line,
        since: Instant,
    },
    /// The next attempt.
    Waiting(Instant),
    Opening(JoinHandle<Result<Welcomed, SessionError>>),
}

/// How far entries were handed to the client.
struct Feeding {
    last: u64,
    /// Whether there may be more.
    more: bool,
    /// What was asked for.
    asked: Option<usize>,
}

impl Feeding {
    const fn new() -> Self {
        Self {
            last: 0,
            more: true,
            asked: None,
        }
    }
}

/// What ended the loop.
type Ended = Option<End>;

impl Task {
    /// A task with its first connection.
    pub(super) async fn new(
        config: Arc<SessionConfig>,
        database: Database,
        welcomed: Welcomed,
    ) -> Result<(Self, History), SessionError> {
        let (tell, done) = mpsc::unbounded_channel();
        // Bounded by what this task has under way.
        let identity = &config.identity;
        let vault = Vault::new(
            identity.key().clone(),
            identity.name().to_owned(),
            config.trusted.root,
        );
        let keeper = Keeper::start(database, vault, move |news| drop(tell.send(news)))?;
        let (state, untaken) = keeper.load().await?;
        let key = RemoteKey::from_bytes(config.identity.public_key());
        let files = start_files(&config)?;
        let mut task = Self {
            client: client(&config, key, state),
            key,
            config,
            done,
            started: Instant::now(),
            road: Road::Waiting(Instant::now()),
            back_off: BackOff::new(),
            log: welcomed.welcome.log,
            pending: VecDeque::new(),
            replays: untaken,
            feeding: Feeding::new(),
            globals: BTreeSet::new(),
            is_committing: false,
            entering: 0,
            recording: 0,
            told_away: false,
            told_full: false,
            files,
            held: Some(Vec::new()),
            verifying: Vec::new(),
            verified: Vec::new(),
            keeper,
        };
        task.begin(welcomed)?;
        let history = task.keeper.history();
        Ok((task, history))
    }

    pub(super) async fn run(
        mut self,
        mut requests: mpsc::Receiver<Request>,
        updates: mpsc::Sender<Update>,
    ) {
        let ended = self.talk(&mut requests, &updates).await;
        requests.close();
        // What happened last is still told, as long as someone listens.
        let last = ended.map(Update::Ended);
        for update in self.pending.drain(..).chain(last) {
            if updates.send(update).await.is_err() {
                break;
            }
        }
        drop(updates);
        self.finish().await;
    }

    /// Runs until nobody wants the session any more, or it ends by itself.
    async fn talk(
        &mut self,
        requests: &mut mpsc::Receiver<Request>,
        updates: &mpsc::Sender<Update>,
    ) -> Ended {
        loop {
            if let Err(end) = self.do_outputs().await {
                return Some(end);
            }
            self.ask_for_entries();
            let is_idle = self.pending.is_empty();
            let may_read = is_idle && self.recording < RECORDING;
            let deadline = self.client.poll_timeout().map(|at| self.started + at);
            tokio::select! {
                request = requests.recv(), if self.entering < ENTERING => match request {
                    Some(request) => {
                        if let Err(end) = self.take_request(request).await {
                            return Some(end);
                        }
                    }
                    None => return None,
                },
                permit = updates.reserve(), if !is_idle => match (permit, self.pending.pop_front()) {
                    (Ok(permit), Some(update)) => permit.send(update),
                    // Nobody listens any more.
                    _ => return None,
                },
                done = self.done.recv() => match done {
                    Some(done) => {
                        if let Err(end) = self.take_done(done).await {
                            return Some(end);
                        }
                    }
                    None => return Some(End::Error(HistoryError::Thread.into())),
                },
                output = next_output(&mut self.files) => {
                    if let Err(end) = self.take_output(output) {
                        return Some(end);
                    }
                }
                step = self.road.next(may_read) => {
                    if let Err(end) = self.take_step(step) {
                        return Some(end);
                    }
                }
                () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                    self.client.handle_timeout(self.started.elapsed());
                }
            }
        }
    }

    /// Waits for the database, which what was taken last is written into, and closes.
    async fn finish(mut self) {
        if let Some(files) = self.files.take() {
            // What goes on says its last word.
            let _ = tokio::task::spawn_blocking(move || files.close()).await;
        }
        let deadline = Instant::now() + CLOSE_TIME;
        while self.do_outputs().await.is_ok() && (self.is_committing || self.entering > 0) {
            let Ok(Some(done)) = timeout_at(deadline, self.done.recv()).await else {
                break;
            };
            if self.take_done(done).await.is_err() {
                break;
            }
        }
        match self.road {
            Road::Open { line, .. } => line.close().await,
            Road::Opening(opening) => opening.abort(),
            Road::Waiting(_) => {}
        }
        let keeper = self.keeper;
        // A panic of the thread has been told by itself.
        let _ = tokio::task::spawn_blocking(move || keeper.close()).await;
    }

    async fn take_request(&mut self, request: Request) -> Result<(), End> {
        match request {
            Request::Enter(message) => {
                self.entering += 1;
                self.keeper.enter(message);
            }
            Request::Command(Command::File(command)) => {
                if let Some(files) = &self.files {
                    files.tell(Input::Command(command));
                }
            }
            Request::Verify(name, comparison) => self.verify(name, comparison, true).await?,
            Request::Command(command) => {
                let now = self.started.elapsed();
                let result = self.client.handle_command(now, command.clone());
                if result.is_err() || matches!(command, Command::Trust { .. }) {
                    self.pending.push_back(Update::Answer(command, result));
                }
            }
        }
        Ok(())
    }

    /// What the database has done.
    async fn take_done(&mut self, done: Done) -> Result<(), End> {
        let Done {
            committed,
            entered,
            recorded,
            fed,
            others,
            error,
            is_engine_lost,
        } = done;
        self.entering = self.entering.saturating_sub(entered.len());
        self.recording = self.recording.saturating_sub(recorded);
        self.feeding.more |= others || !entered.is_empty();
        if let (true, Some(files)) = (others, &self.files) {
            files.tell(Input::Look);
        }
        match error {
            None => {}
            Some(HistoryError::Full { path }) => {
                if !self.told_full || !entered.is_empty() {
                    self.told_full = true;
                    let lost = entered;
                    self.pending.push_back(Update::DiskFull { path, lost });
                }
                if is_engine_lost {
                    self.client.handle_disconnected("the disk is full");
                    return self.begin_anew().await;
                }
                return Ok(());
            }
            Some(error) => return Err(End::Error(error.into())),
        }
        self.told_full &= committed.is_none() && entered.is_empty();
        for message in entered {
            self.pending.push_back(Update::Event(Event::State {
                id: message.id,
                reference: message.reference,
                state: State::Queued,
            }));
        }
        if let Some(answers) = committed {
            self.is_committing = false;
            self.client.handle_committed(answers);
        }
        if let Some(fed) = fed {
            self.take_fed(fed);
        }
        Ok(())
    }

    /// Asks the database for what was entered, as much as the client has room for.
    fn ask_for_entries(&mut self) {
        let held = self.client.queued() + self.globals.len();
        let room = ENTRIES_AHEAD.saturating_sub(held);
        if self.feeding.more && self.feeding.asked.is_none() && room > 0 {
            self.feeding.asked = Some(room);
            self.feeding.more = false;
            self.keeper.feed(self.feeding.last, room);
        }
    }

    fn take_fed(&mut self, fed: Fed) {
        let asked = self.feeding.asked.take().unwrap_or_default();
        self.feeding.more |= fed.count() >= asked;
        self.feeding.last = fed.last;
        self.client.handle_entered(fed.private);
        for message in fed.global {
            self.globals.insert(message.id);
            let command = Command::Global {
                id: message.id,
                sent_at_ms: message.sent_at_ms,
                text: message.text,
                reference: message.reference,
            };
            // It was checked when it was entered.
            let _ = self.client.handle_command(self.started.elapsed(), command);
        }
    }

    /// What happened on the way to the server.
    fn take_step(&mut self, step: Step) -> Result<(), End> {
        match step {
            Step::Line(Happening::Written) => {}
            Step::Line(Happening::Read) => self.take_frames(),
            Step::Line(Happening::Datagram(length)) => {
                if let Road::Open { line, .. } = &mut self.road {
                    let now = self.started.elapsed();
                    self.client.handle_datagram(now, line.datagram(length));
                }
            }
            Step::Line(Happening::Lost(detail)) => {
                self.take_frames();
                self.client.handle_disconnected(&detail);
            }
            Step::Time => {
                let config = self.config.clone();
                self.road = Road::Opening(tokio::spawn(async move { Line::open(&config).await }));
            }
            Step::Opened(opened) => match *opened {
                Ok(welcomed) => self.begin(welcomed).map_err(End::Error)?,
                Err(error) => match retry(&error) {
                    Some(least) => self.wait(least),
                    None => return Err(End::Error(error)),
                },
            },
        }
        Ok(())
    }

    fn take_frames(&mut self) {
        let Road::Open { line, .. } = &mut self.road else {
            return;
        };
        let leaves_mail = self.config.incoming == IncomingMail::Left;
        while let Some(frame) = line.frame() {
            if let Some(files) = &self.files
                && matters_to_files(&frame)
            {
                files.tell(Input::Frame(frame.clone()));
            }
            let is_mail = matches!(
                frame,
                ServerFrame::IncomingLane(_) | ServerFrame::Private(_)
            );
            if !(leaves_mail && is_mail) {
                self.client.handle_frame(self.started.elapsed(), frame);
            }
        }
    }

    /// Does what the client wants done.
    async fn do_outputs(&mut self) -> Result<(), End> {
        while let Some(output) = self.client.poll_output() {
            match output {
                Output::Frame(frame) => {
                    if let Road::Open { line, .. } = &mut self.road {
                        line.send(frame);
                    }
                }
                Output::Datagram(bytes) => {
                    if let Road::Open { line, .. } = &self.road {
                        line.send_datagram(&bytes);
                    }
                }
                Output::Commit(writes) => {
                    self.is_committing = true;
                    self.keeper.commit(writes);
                }
                Output::Restart(store) => {
                    self.keeper.restart(store);
                    self.client
                        .handle_disconnected("this database is an old copy");
                    self.begin_anew().await?;
                }
                Output::Event(Event::Closed { code, detail }) => self.closed(code, detail)?,
                Output::Event(event) => self.take_event(event).await?,
            }
        }
        Ok(())
    }

    /// Tells what happened, and writes down what only the history is told of.
    async fn take_event(&mut self, event: Event) -> Result<(), End> {
        match &event {
            Event::Ready { .. } => {
                self.told_away = false;
                self.pending.push_back(Update::Event(event));
                self.tell_verified().await?;
                let replays = std::mem::take(&mut self.replays);
                self.show(replays, true);
                for event in self.held.take().unwrap_or_default() {
                    self.pending.push_back(Update::Event(Event::File(event)));
                }
                return Ok(());
            }
            Event::Met { name, found } => {
                let (name, found) = (name.clone(), *found);
                return self.met(&name, found).await;
            }
            Event::Confirmed { from } => {
                let name = from.name.clone();
                return self.verify(name, None, false).await;
            }
            Event::Trusted { key } => {
                let untaken = self.keeper.untaken_of(*key).await;
                let untaken = untaken.map_err(|error| End::Error(error.into()))?;
                self.show(untaken, false);
                self.tell_verified().await?;
            }
            Event::Global {
                from,
                id,
                sequence,
                sent_at_ms,
                text,
                verified,
                ..
            } => self.record(Record::Global(GlobalRecord {
                log: self.log,
                sequence: *sequence,
                from: from.clone(),
                own: from.key == self.key,
                id: *id,
                sent_at_ms: *sent_at_ms,
                text: text.clone(),
                verified: *verified,
            })),
            Event::Hole { first, last } => self.record(Record::Hole {
                log: self.log,
                first: *first,
                last: *last,
            }),
            Event::NoteState { id, state, .. } => {
                self.take_note_state(*id, *state);
                return Ok(());
            }
            Event::Note {
                receipt,
                from,
                note,
                ..
            } => {
                self.take_note(*receipt, from.clone(), note.clone());
                return Ok(());
            }
            Event::State { id, state, .. } if self.globals.remove(id) => match state {
                State::Failed(failure) => self.record(Record::GlobalFailed {
                    id: *id,
                    failure: *failure,
                }),
                _ => self.record(Record::GlobalStored { id: *id }),
            },
            Event::Blocked(answer) if answer.done => self.record(Record::Blocked {
                name: answer.name.clone(),
                blocked: answer.blocked,
            }),
            _ => {}
        }
        self.pending.push_back(Update::Event(event));
        Ok(())
    }

    /// Looks up, or notes, what was compared with someone; where their key is not known, it is asked for first.
    async fn verify(
        &mut self,
        name: String,
        comparison: Option<Comparison>,
        asked: bool,
    ) -> Result<(), End> {
        let failed = |error: HistoryError| End::Error(error.into());
        let history = self.keeper.history();
        let found = history.verification(&name).await.map_err(failed)?;
        let Some(mut verification) = found else {
            if self.verifying.len() < VERIFYING {
                let command = Command::Meet { name: name.clone() };
                let now = self.started.elapsed();
                if self.client.handle_command(now, command).is_ok() {
                    self.verifying.push((name, comparison));
                    return Ok(());
                }
            }
            self.tell_verification(name, Err(VerifyError::Away), asked);
            return Ok(());
        };
        let is_same = match &comparison {
            None => false,
            Some(Comparison::Same) => true,
            Some(Comparison::Heard(heard)) => {
                let digits =
                    |text: &str| -> String { text.chars().filter(char::is_ascii_digit).collect() };
                if digits(heard) != digits(&verification.code) {
                    let differs = VerifyError::Differs(Box::new(verification));
                    self.tell_verification(name, Err(differs), asked);
                    return Ok(());
                }
                true
            }
        };
        if is_same && !verification.here {
            self.keeper.compared(name.clone());
            verification.here = true;
        }
        self.tell_verification(name, Ok(verification), asked);
        self.tell_verified().await
    }

    /// It is known now whose a name is.
    async fn met(&mut self, name: &str, found: bool) -> Result<(), End> {
        let folded = NameKeys::of(name).folded;
        let is_it = |(asked, _): &mut (String, _)| NameKeys::of(asked).folded == folded;
        let met: Vec<_> = self.verifying.extract_if(.., is_it).collect();
        for (name, comparison) in met {
            match found {
                true => self.verify(name, comparison, true).await?,
                false => self.tell_verification(name, Err(VerifyError::UnknownName), true),
            }
        }
        Ok(())
    }

    fn tell_verification(
        &mut self,
        name: String,
        result: Result<Verification, VerifyError>,
        asked: bool,
    ) {
        self.pending.push_back(Update::Verification {
            name,
            result,
            asked,
        });
    }

    /// Tells who is verified, if that has changed.
    async fn tell_verified(&mut self) -> Result<(), End> {
        let verified = self.keeper.history().verified().await;
        let verified = verified.map_err(|error| End::Error(error.into()))?;
        if verified != self.verified {
            self.verified.clone_from(&verified);
            self.pending.push_back(Update::Verified(verified));
        }
        Ok(())
    }

    /// What those who deal with files want.
    fn take_output(&mut self, output: Option<FilesOutput>) -> Result<(), End> {
        match output {
            Some(FilesOutput::Ask(request)) => {
                if let Road::Open { line, .. } = &mut self.road {
                    line.send(ClientFrame::RelayRequest(request));
                }
            }
            Some(FilesOutput::Event(event)) => match &mut self.held {
                Some(held) => held.push(event),
                None => self.pending.push_back(Update::Event(Event::File(event))),
            },
            Some(FilesOutput::Taken(receipt)) => {
                let now = self.started.elapsed();
                // One of an earlier connection is taken like any other.
                let _ = self.client.handle_command(now, Command::Take(receipt));
            }
            Some(FilesOutput::Entered) => self.feeding.more = true,
            Some(FilesOutput::Failed(error)) => return Err(End::Error(error.into())),
            None => self.files = None,
        }
        Ok(())
    }

    /// What was said about files. Where nobody deals with them, it waits for a session that does.
    fn take_note(&self, receipt: Receipt, from: Person, note: Vec<u8>) {
        if let Some(files) = &self.files {
            files.tell(Input::Note {
                from,
                note,
                taken: receipt,
            });
        }
    }

    fn take_note_state(&mut self, id: MessageId, state: State) {
        let failure = match state {
            State::Queued | State::Stored => return,
            State::Delivered => None,
            State::Failed(failure) => Some(failure),
        };
        if let Some(files) = &self.files {
            files.tell(Input::Sent { id, failure });
        }
    }

    fn record(&mut self, record: Record) {
        self.recording += 1;
        self.keeper.record(record);
    }

    /// A connection on which the server has welcomed us.
    fn begin(&mut self, welcomed: Welcomed) -> Result<(), SessionError> {
        let Welcomed {
            line,
            welcome,
            secret,
        } = welcomed;
        self.log = welcome.log;
        self.client
            .handle_welcome(self.started.elapsed(), welcome, secret)?;
        let since = Instant::now();
        self.road = Road::Open { line, since };
        if let Some(files) = &self.files {
            files.tell(Input::Server(true));
        }
        self.take_frames();
        Ok(())
    }

    /// The session is over; whether another one follows.
    fn closed(&mut self, code: Option<ClosingCode>, detail: String) -> Result<(), End> {
        if let Road::Open { since, .. } = &self.road
            && since.elapsed() > back_off::MOST
        {
            self.back_off = BackOff::new();
        }
        match code {
            Some(
                code @ (ClosingCode::TakenOver
                | ClosingCode::Protocol
                | ClosingCode::Kicked
                | ClosingCode::Banned),
            ) => return Err(End::Closed { code, detail }),
            Some(
                ClosingCode::Shutdown
                | ClosingCode::TooSlow
                | ClosingCode::Silent
                | ClosingCode::Unspecified,
            )
            | None => {}
        }
        if let Some(files) = &self.files {
            files.tell(Input::Server(false));
        }
        if !self.told_away {
            self.told_away = true;
            self.pending.push_back(Update::Away { code, detail });
        }
        self.wait(Duration::ZERO);
        Ok(())
    }

    /// Until the next attempt. Closes the connection.
    fn wait(&mut self, least: Duration) {
        let mut random = [0u8];
        // Without randomness all wait their whole time.
        let _ = aws_lc_rs::rand::fill(&mut random);
        let wait = self.back_off.wait(random[0]).max(least);
        self.road = Road::Waiting(Instant::now() + wait);
    }

    /// Begins anew from what the database knows, as a new process would.
    async fn begin_anew(&mut self) -> Result<(), End> {
        // The client's last words, without what it wanted written or sent.
        while let Some(output) = self.client.poll_output() {
            match output {
                Output::Event(Event::Closed { code, detail }) => self.closed(code, detail)?,
                Output::Event(Event::Met { .. } | Event::Confirmed { .. }) => {}
                Output::Event(event) => self.pending.push_back(Update::Event(event)),
                _ => {}
            }
        }
        let loaded = self.keeper.load().await;
        let (state, untaken) = loaded.map_err(|error| End::Error(error.into()))?;
        // What was done for the old client is not for the new one.
        while let Ok(done) = self.done.try_recv() {
            self.entering = self.entering.saturating_sub(done.entered.len());
            self.recording = self.recording.saturating_sub(done.recorded);
        }
        self.client = client(&self.config, self.key, state);
        self.feeding = Feeding::new();
        self.globals.clear();
        self.is_committing = false;
        self.replays = untaken;
        Ok(())
    }

    /// Shows what came before; again, if it may have been shown.
    fn show(&mut self, messages: Vec<Untaken>, replayed: bool) {
        if self.config.incoming == IncomingMail::Left {
            return;
        }
        for message in messages {
            let Untaken {
                receipt,
                from,
                id,
                sent_at_ms,
                what,
            } = message;
            match what {
                UntakenBody::Text(text) => self.pending.push_back(Update::Event(Event::Private {
                    receipt,
                    from,
                    id,
                    sent_at_ms,
                    text,
                    replayed,
                })),
                UntakenBody::Note(note) => self.take_note(receipt, from, note),
            }
        }
    }
}

/// What those who deal with files have to know of what the server says.
fn matters_to_files(frame: &ServerFrame) -> bool {
    matches!(
        frame,
        ServerFrame::Roster(_)
            | ServerFrame::Presence(_)
            | ServerFrame::RelayGranted(_)
            | ServerFrame::RelayRefused(_)
    )
}

fn start_files(config: &SessionConfig) -> Result<Option<Files>, SessionError> {
    let Some(files) = config.files.clone() else {
        return Ok(None);
    };
    let database = Database::open(config.identity.folder())?;
    let server = config.trusted.address;
    Files::start(files, &config.identity, server, database)
        .map(Some)
        .map_err(|error| SessionError::Local(error.to_string()))
}

/// What those who deal with files want next; for ever, where nobody does.
async fn next_output(files: &mut Option<Files>) -> Option<FilesOutput> {
    match files {
        Some(files) => files.outputs.recv().await,
        None => std::future::pending().await,
    }
}

/// What happened on the way to the server.
enum Step {
    Line(Happening),
    /// It is time for the next attempt.
    Time,
    Opened(Box<Result<Welcomed, SessionError>>),
}

impl Road {
    /// Waits for what happens next. Can be dropped without loss.
    async fn next(&mut self, may_read: bool) -> Step {
        match self {
            Self::Open { line, .. } => Step::Line(line.next(may_read).await),
            Self::Waiting(until) => {
                sleep_until(*until).await;
                Step::Time
            }
            Self::Opening(opening) => {
                let opened = opening.await;
                let panicked =
                    |error: tokio::task::JoinError| Err(SessionError::Local(error.to_string()));
                Step::Opened(Box::new(opened.unwrap_or_else(panicked)))
            }
        }
    }
}

/// How long to wait at least before another attempt; `None` where that does not help.
fn retry(error: &SessionError) -> Option<Duration> {
    match error {
        SessionError::Lost(_) | SessionError::Local(_) => Some(Duration::ZERO),
        SessionError::Trust(error) => (error.exit_code() == 3).then_some(Duration::ZERO),
        SessionError::Refused(refused) => matches!(
            refused.code,
            RefusalCode::Unavailable | RefusalCode::TooManyClaims
        )
        .then(|| Duration::from_millis(refused.retry_in_ms).min(back_off::MOST)),
        SessionError::Malformed(_) | SessionError::Welcome(_) | SessionError::History(_) => None,
    }
}

/// A client that has no session yet.
fn client(config: &Arc<SessionConfig>, key: RemoteKey, state: MailState) -> Client {
    let signer = config.clone();
    let config = ClientConfig {
        root: config.trusted.root,
        key,
        sign: Box::new(move |content| {
            // A key that signed the handshake signs; if it ever does not, nobody believes the zeros.
            Signature::from_bytes(signer.identity.sign(content).unwrap_or([0; 64]))
        }),
        manual: config.incoming == IncomingMail::TakenByHand,
        draw: Box::new(|| {
            let mut id = [0; 16];
            // A key that signed the handshake had randomness.
            let _ = aws_lc_rs::rand::fill(&mut id);
            StoreId::from_bytes(id)
        }),
    };
    Client::new(config, state)
}
