//! `recado send --file`: offers files, and waits until they are received. Where a chat of the same name is open, that
//! sends them; else this does. What comes meanwhile is written down, and is shown by the next chat.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::time::Duration;

use crate::signals::{Signal, SignalKind, signal};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use recado_client::files::{FilesConfig, prepare_offer};
use recado_client::history::{Database, HistoryError, Standing};
use recado_client::home::Home;
use recado_client::identity::Identity;
use recado_client::session::{
    End, IncomingMail, Session, SessionConfig, SessionError, Update, message_id_of, new_message_id,
};
use recado_client::trust::Trusted;
use recado_client::{
    About, Event, FileCommand, OfferEvent, OfferRecord, OfferStanding, OfferState, Refusal, Which,
};
use recado_proto::id::{MessageId, OfferId};
use recado_proto::name::Name;
use tokio::time::{Instant, sleep, sleep_until};

use crate::context::{Context, Exit};
use crate::send::{identity, name};
use crate::{cli, files, wording};

/// How often the database is asked what became of the offers.
const LOOK_TIME: Duration = Duration::from_millis(100);

/// How long the other side's client is given to hear that an offer was taken back.
const FAREWELL_TIME: Duration = Duration::from_secs(2);

/// Sends files, and waits until they are received.
pub(crate) async fn run(context: &Context, arguments: cli::Send) -> Exit {
    match prepare(context, arguments).await {
        Ok(mut sending) => sending.run().await,
        Err(exit) => exit,
    }
}

/// Everything up to the offers in the database. Says why not.
async fn prepare(context: &Context, arguments: cli::Send) -> Result<Sending<'_>, Exit> {
    let to = arguments.to.unwrap_or_default();
    let mut records = Vec::new();
    // What cannot be read is said before anything is offered.
    for (at, path) in arguments.file.iter().enumerate() {
        let id = match &arguments.reference {
            Some(reference) => message_id_of(&format!("{at} {reference}")),
            None => new_message_id().map_err(|error| {
                context.complain(&error.to_string());
                Exit::Failed
            })?,
        };
        match prepare_offer(id, &to, path, arguments.reference.clone()) {
            Ok((record, skipped)) => {
                if skipped > 0 {
                    let about = about(&record);
                    context.notice(&files::skipped(context.language, &about, skipped));
                }
                records.push(record);
            }
            Err(error) => {
                context.complain(&wording::chain(&error));
                return Err(Exit::Failed);
            }
        }
    }
    let home = context.client_home()?;
    let trusted = context.trusted(&home).await?;
    let name = name(context, &home, &trusted, arguments.name)?;
    let folded = name.keys().folded;
    if records.iter().any(|record| record.peer == folded) {
        context.complain(&files::refusal(context.language, Refusal::Oneself, ""));
        return Err(Exit::WrongUse);
    }
    let identity = identity(context, &home, &trusted, &folded)?;
    let failed = |error: HistoryError| {
        context.complain(&wording::history(context.language, &error));
        Exit::Failed
    };
    let mut database = Database::open(&home.identity(&trusted.root, &folded)).map_err(failed)?;
    for record in &records {
        database.enter_offer(record).map_err(failed)?;
    }
    let offers = records.into_iter().map(|record| {
        let about = about(&record);
        (record.key.offer, Watched { about, told: None })
    });
    let timeout = arguments.timeout.map(Duration::from_secs);
    Ok(Sending {
        context,
        home,
        trusted,
        name,
        identity,
        database,
        offers: offers.collect(),
        bars: Bars::new(context),
        is_repeatable: arguments.reference.is_some(),
        relay_only: arguments.relay_only,
        deadline: timeout.map(|timeout| Instant::now() + timeout),
    })
}

fn about(record: &OfferRecord) -> About {
    About {
        offer: record.key.offer,
        number: record.number,
        is_own: true,
        peer: record.name.clone(),
        title: record.title(),
        size: record.offered.size,
        entries: record.offered.folder.as_ref().map(|folder| folder.entries),
        reference: record.reference.clone(),
    }
}

/// Offers that are waited for.
struct Sending<'a> {
    context: &'a Context,
    home: Home,
    trusted: Trusted,
    name: Name,
    /// Held until a session takes it; `None` while another process has it.
    identity: Option<Identity>,
    database: Database,
    offers: BTreeMap<OfferId, Watched>,
    bars: Bars,
    /// Whether it can be asked for again: then it is never taken back.
    is_repeatable: bool,
    relay_only: bool,
    deadline: Option<Instant>,
}

/// One of them.
struct Watched {
    about: About,
    /// What was told of it last.
    told: Option<OfferState>,
}

impl Watched {
    fn is_over(&self) -> bool {
        matches!(
            self.told,
            Some(
                OfferState::Received
                    | OfferState::Declined
                    | OfferState::Cancelled
                    | OfferState::Failed(_)
            )
        )
    }
}

impl Sending<'_> {
    async fn run(&mut self) -> Exit {
        let mut session = None;
        let exit = self.attend(&mut session).await;
        self.bars.clear();
        if let Some(session) = session {
            session.close().await;
        }
        exit
    }

    /// Waits until all is received, or will not be; sends it if nobody else does.
    async fn attend(&mut self, session: &mut Option<Session>) -> Exit {
        let signals = (
            signal(SignalKind::interrupt()),
            signal(SignalKind::terminate()),
        );
        let (Ok(mut interrupt), Ok(mut terminate)) = signals else {
            self.context
                .complain(&self.context.text("error-signals", &[]));
            return Exit::Failed;
        };
        loop {
            if let Err(error) = self.look() {
                return self.failed(&error.into());
            }
            if self.offers.values().all(Watched::is_over) {
                return self.outcome();
            }
            if session.is_none() {
                match self.open().await {
                    Ok(opened) => *session = opened,
                    Err(exit) => return exit,
                }
            }
            let deadline = self.deadline.unwrap_or_else(Instant::now);
            tokio::select! {
                () = either(&mut interrupt, &mut terminate) => {
                    self.take_back(session).await;
                    return Exit::Interrupted;
                }
                update = next_update(session) => match update {
                    Some(Update::Event(Event::File(event))) => self.event(&event),
                    Some(Update::Ended(End::Error(error))) => return self.failed(&error),
                    // The chat that took over sends it.
                    Some(Update::Ended(End::Closed { .. })) | None => *session = None,
                    Some(_) => {}
                },
                () = sleep(LOOK_TIME) => {}
                () = sleep_until(deadline), if self.deadline.is_some() => {
                    self.take_back(session).await;
                    self.context.complain(&self.context.text("send-files-timeout", &[]));
                    return Exit::Failed;
                }
            }
        }
    }

    fn outcome(&self) -> Exit {
        let is_received = |watched: &Watched| watched.told == Some(OfferState::Received);
        match self.offers.values().all(is_received) {
            true => Exit::Done,
            false => Exit::Failed,
        }
    }

    /// A session, if no other process has the identity now.
    async fn open(&mut self) -> Result<Option<Session>, Exit> {
        let identity = match self.identity.take() {
            Some(identity) => Some(identity),
            None => {
                let folded = self.name.keys().folded;
                identity(self.context, &self.home, &self.trusted, &folded)?
            }
        };
        let Some(identity) = identity else {
            return Ok(None);
        };
        let opened = Session::open(SessionConfig {
            trusted: self.trusted.clone(),
            identity,
            name: self.name.as_str().to_owned(),
            // Answers to offers are private messages, in order with others.
            incoming: IncomingMail::Taken,
            ticket: self.context.ticket(),
            files: Some(FilesConfig {
                downloads: self.home.path().join("downloads"),
                accept_from: Vec::new(),
                relay_only: self.relay_only,
            }),
        });
        match opened.await {
            Ok(session) => Ok(Some(session)),
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// What became of them by the database: whoever sends them writes it down there.
    fn look(&mut self) -> Result<(), HistoryError> {
        for (offer, watched) in &mut self.offers {
            let Some(view) = self.database.view_offer(offer)? else {
                continue;
            };
            if view.done > 0 && !watched.is_over() {
                self.bars.progress(&watched.about, view.done);
            }
            let state = match view.standing {
                None => OfferState::Queued,
                // Taken up; the other side has it once the message is delivered that says so.
                Some(OfferStanding::Offered) => {
                    let id = MessageId::from_bytes(*offer.as_bytes());
                    let said = self.database.entered(id)?;
                    match said.is_some_and(|said| said.standing == Standing::Delivered) {
                        true => OfferState::Offered,
                        false => OfferState::Queued,
                    }
                }
                Some(standing) => OfferState::from(standing),
            };
            // Running and waiting are not written down.
            let is_news = match view.standing {
                Some(OfferStanding::Accepted) => !matches!(
                    watched.told,
                    Some(OfferState::Accepted | OfferState::Running(_) | OfferState::Waiting(_))
                ),
                _ => watched.told != Some(state),
            };
            if is_news && !watched.is_over() {
                Self::tell(self.context, &mut self.bars, watched, state);
            }
        }
        Ok(())
    }

    fn event(&mut self, event: &OfferEvent) {
        match event {
            OfferEvent::State { about, state } if about.is_own => {
                let Some(watched) = self.offers.get_mut(&about.offer) else {
                    return;
                };
                if watched.told != Some(*state) && !watched.is_over() {
                    Self::tell(self.context, &mut self.bars, watched, *state);
                }
            }
            OfferEvent::Progress { about, done } if self.offers.contains_key(&about.offer) => {
                self.bars.progress(about, *done);
            }
            _ => {}
        }
    }

    fn tell(context: &Context, bars: &mut Bars, watched: &mut Watched, state: OfferState) {
        watched.told = Some(state);
        if watched.is_over() {
            bars.end(&watched.about);
        }
        let Some(text) = files::state(context.language, &watched.about, state) else {
            return;
        };
        match state {
            OfferState::Failed(_) | OfferState::Declined | OfferState::Cancelled => {
                bars.aside(|| context.complain(&text));
            }
            _ => bars.aside(|| context.notice(&text)),
        }
    }

    fn failed(&mut self, error: &SessionError) -> Exit {
        let text = wording::session(self.context.language, error, self.name.as_str());
        self.context.complain(&text);
        if !self.is_repeatable {
            for offer in self.offers.keys() {
                // One that another process has taken up goes on there.
                let _ = self.database.unwant_offer(offer);
            }
        }
        Exit::from_code(error.exit_code())
    }

    /// Takes back what is not received, unless it can be asked for again, and gives the other side time to hear of it.
    async fn take_back(&mut self, session: &mut Option<Session>) {
        if self.is_repeatable {
            return;
        }
        for (offer, watched) in &self.offers {
            if watched.is_over() {
                continue;
            }
            let _ = self.database.unwant_offer(offer);
            if let Some(session) = session {
                let command = recado_client::Command::File(FileCommand::Cancel {
                    which: Which::Id(*offer),
                    reference: None,
                });
                let _ = session.command(command).await;
            }
        }
        let until = Instant::now() + FAREWELL_TIME;
        while session.is_some() && !self.offers.values().all(Watched::is_over) {
            tokio::select! {
                update = next_update(session) => match update {
                    Some(Update::Event(Event::File(event))) => self.event(&event),
                    Some(_) => {}
                    None => return,
                },
                () = sleep_until(until) => return,
            }
        }
        // The note is on its way when the server has it.
        if session.is_some() {
            sleep(LOOK_TIME * 3).await;
        }
    }
}

async fn either(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

async fn next_update(session: &mut Option<Session>) -> Option<Update> {
    match session {
        Some(session) => session.update().await,
        None => std::future::pending().await,
    }
}

/// A bar for each offer, on a terminal.
struct Bars {
    all: Option<MultiProgress>,
    bars: BTreeMap<OfferId, ProgressBar>,
}

impl Bars {
    fn new(context: &Context) -> Self {
        let is_shown = std::io::stderr().is_terminal() && !context.common.quiet;
        Self {
            all: is_shown.then(MultiProgress::new),
            bars: BTreeMap::new(),
        }
    }

    fn progress(&mut self, about: &About, done: u64) {
        let Some(all) = &self.all else {
            return;
        };
        let bar = self.bars.entry(about.offer).or_insert_with(|| {
            let style = ProgressStyle::with_template(
                "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
            );
            let bar = all.add(ProgressBar::new(about.size));
            if let Ok(style) = style {
                bar.set_style(style);
            }
            bar.set_message(recado_proto::text::sanitise_line(&about.title).into_owned());
            // What is there already was not sent now.
            bar.set_position(done);
            bar.reset_eta();
            bar
        });
        bar.set_position(done);
    }

    fn end(&mut self, about: &About) {
        if let Some(bar) = self.bars.remove(&about.offer) {
            bar.finish_and_clear();
        }
    }

    fn clear(&mut self) {
        for (_, bar) in std::mem::take(&mut self.bars) {
            bar.finish_and_clear();
        }
    }

    /// Says something above the bars.
    fn aside(&self, say: impl FnOnce()) {
        match &self.all {
            Some(all) => all.suspend(say),
            None => say(),
        }
    }
}
