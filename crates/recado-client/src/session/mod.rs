//! A chat session: the shell around [`recado_engine::Client`]. One task owns the connection, the database's keeper and
//! the client; requests go in and updates come out by channels. A connection that is lost is opened again.

mod back_off;
mod line;
mod task;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use aws_lc_rs::digest;
use recado_engine::{Command, CommandError, Event, WelcomeError, check_name};
use recado_proto::frame::{ClosingCode, Malformed, Refused};
use recado_proto::framing::FrameTooLong;
use recado_proto::id::MessageId;
use recado_proto::ticket::TicketSecret;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::files::FilesConfig;
use crate::history::{Database, History, HistoryError, Outgoing, Verification};
use crate::identity::Identity;
use crate::trust::{TrustError, Trusted};
use line::Line;
use task::Task;

/// Requests that may wait for the session's task.
const REQUEST_QUEUE: usize = 64;

/// Updates that may wait for whoever uses the session; then nothing more is read from the network.
const UPDATE_QUEUE: usize = 1024;

/// How a session is to be.
#[derive(Debug)]
pub struct SessionConfig {
    /// The server.
    pub trusted: Trusted,
    /// Who one is there. Held, and its key locked, for as long as the session lives.
    pub identity: Identity,
    /// The name, as typed.
    pub name: String,
    /// Which private messages it takes.
    pub incoming: IncomingMail,
    /// Admits the name, if it is new and the server gives it only so. It goes to this server alone, and only when
    /// asked for.
    pub ticket: Option<TicketSecret>,
    /// How files are dealt with; `None` leaves what is said about them unheard, which only one that
    /// [leaves](IncomingMail::Left) its mail may.
    pub files: Option<FilesConfig>,
}

/// Which private messages a session takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IncomingMail {
    /// All; each counts as received when it is written down.
    Taken,
    /// All; each counts as received when [`Command::Take`] says so.
    TakenByHand,
    /// None: they stay at the server.
    Left,
}

/// An open session. It goes on until it is [closed](Self::close), or dropped, or ends by itself.
#[derive(Debug)]
pub struct Session {
    requests: mpsc::Sender<Request>,
    updates: mpsc::Receiver<Update>,
    history: History,
    task: JoinHandle<()>,
}

/// What is asked of a session.
#[derive(Debug)]
pub(crate) enum Request {
    Enter(Outgoing),
    Verify(String, Option<Comparison>),
    Command(Command),
}

/// What a person says of a code that they have compared with someone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Comparison {
    /// It was the same.
    Same,
    /// These digits were read to them.
    Heard(String),
}

/// Why someone cannot be verified.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum VerifyError {
    /// Nobody has that name.
    UnknownName,
    /// Their key is not known, and there is no connection now to learn it.
    Away,
    /// The digits that were heard are others: someone may stand between.
    Differs(Box<Verification>),
}

/// What a session tells.
#[derive(Debug)]
pub enum Update {
    /// What happened. [`Event::Ready`] comes first, and again whenever there is a connection again.
    /// [`Event::Closed`] never comes: it is [`Away`](Self::Away) or [`Ended`](Self::Ended).
    Event(Event),
    /// A command could not be done; or it was [`Command::Trust`], and was done.
    Answer(Command, Result<(), CommandError>),
    /// There is no connection; it is tried again, however long that takes. What is entered waits.
    Away {
        /// Why, where the server said so.
        code: Option<ClosingCode>,
        /// More, in English.
        detail: String,
    },
    /// The disk is full. It is tried again.
    DiskFull {
        /// What cannot be written.
        path: PathBuf,
        /// These were entered, and are not written down: they will not be sent.
        lost: Vec<Outgoing>,
    },
    /// The answer to [`Session::verify`]; or, unasked, news of what someone says.
    Verification {
        /// Whose name, as asked.
        name: String,
        /// What was compared.
        result: Result<Verification, VerifyError>,
        /// Whether it was asked for.
        asked: bool,
    },
    /// These are the names of all with whom both sides have compared the code. After [`Event::Ready`], and when it
    /// changes.
    Verified(Vec<String>),
    /// The session is over; nothing follows.
    Ended(End),
}

/// Why a session is over.
#[derive(Debug)]
pub enum End {
    /// The server said so, and does not want this client back.
    Closed {
        /// Why.
        code: ClosingCode,
        /// More, in English.
        detail: String,
    },
    /// It could not be opened again, and trying does not help.
    Error(SessionError),
}

impl End {
    /// The exit code that a program ends with.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Closed { .. } => 1,
            Self::Error(error) => error.exit_code(),
        }
    }
}

/// A session that could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The connection or its trust.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The server does not want it: name or admission.
    #[error("the server refuses: {0:?}")]
    Refused(Refused),
    /// The connection ended, or no answer came in time.
    #[error("the server did not answer: {0}")]
    Lost(#[source] io::Error),
    /// The server sent what it had no right to send.
    #[error("the server sent what is not the recado protocol")]
    Malformed(#[from] Malformed),
    /// Its welcome cannot be accepted.
    #[error(transparent)]
    Welcome(#[from] WelcomeError),
    /// The system gives no UDP socket, or TLS no keys.
    #[error("this machine refuses: {0}")]
    Local(String),
    /// The database.
    #[error(transparent)]
    History(#[from] HistoryError),
}

impl SessionError {
    /// The exit code that a program ends with: 3 unreachable, 4 not trusted, 5 refused, 1 else.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Trust(error) => error.exit_code(),
            Self::Refused(_) => 5,
            Self::Lost(_) => 3,
            Self::Malformed(_) | Self::Local(_) | Self::History(_) => 1,
            Self::Welcome(WelcomeError::Version(_)) => 1,
            Self::Welcome(WelcomeError::DatagramKeys) => 4,
        }
    }
}

impl From<FrameTooLong> for SessionError {
    fn from(error: FrameTooLong) -> Self {
        Self::Malformed(error.into())
    }
}

impl Session {
    /// Opens the database, connects, proves the identity, and takes the name.
    ///
    /// # Errors
    /// [`SessionError`]; the connection is closed.
    pub async fn open(config: SessionConfig) -> Result<Self, SessionError> {
        let database = Database::open(config.identity.folder())?;
        let welcomed = Line::open(&config).await?;
        let (requests, request_queue) = mpsc::channel(REQUEST_QUEUE);
        let (update_queue, updates) = mpsc::channel(UPDATE_QUEUE);
        let (task, history) = Task::new(Arc::new(config), database, welcomed).await?;
        Ok(Self {
            requests,
            updates,
            history,
            task: tokio::spawn(task.run(request_queue, update_queue)),
        })
    }

    /// Writes a message down, and sends it. Waits while many are queued. That it is queued is the first that is told
    /// of its state.
    ///
    /// # Errors
    /// [`CommandError`]; nothing was done.
    pub async fn enter(&self, message: Outgoing) -> Result<(), CommandError> {
        message.check()?;
        self.request(Request::Enter(message)).await;
        Ok(())
    }

    /// Asks for the code of someone's key, or says that it was compared: answered by [`Update::Verification`].
    ///
    /// # Errors
    /// [`CommandError`]; nothing was done.
    pub async fn verify(
        &self,
        name: &str,
        comparison: Option<Comparison>,
    ) -> Result<(), CommandError> {
        check_name(name)?;
        let request = Request::Verify(name.to_owned(), comparison);
        self.request(request).await;
        Ok(())
    }

    /// Gives a command. Waits while many are queued.
    ///
    /// # Errors
    /// [`CommandError`]; nothing was done.
    pub async fn command(&self, command: Command) -> Result<(), CommandError> {
        command.check()?;
        self.request(Request::Command(command)).await;
        Ok(())
    }

    /// The next update; `None` after [`Update::Ended`]. Can be dropped without loss.
    pub async fn update(&mut self) -> Option<Update> {
        self.updates.recv().await
    }

    /// What is written down.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Ends the session, once what was asked of it before is done.
    pub async fn close(mut self) {
        drop(self.requests);
        while self.updates.recv().await.is_some() {}
        // A panic of the task has been told by itself.
        let _ = self.task.await;
    }

    /// A task that is gone has told why.
    async fn request(&self, request: Request) {
        let _ = self.requests.send(request).await;
    }
}

/// A new message id.
///
/// # Errors
/// The system gives no randomness.
pub fn new_message_id() -> Result<MessageId, aws_lc_rs::error::Unspecified> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes)?;
    Ok(MessageId::from_bytes(bytes))
}

/// The message id that a reference stands for: always the same.
pub fn message_id_of(reference: &str) -> MessageId {
    let mut hashed = digest::Context::new(&digest::SHA256);
    hashed.update(b"recado message reference v1\0");
    hashed.update(reference.as_bytes());
    let mut id = [0; MessageId::LENGTH];
    for (byte, hash) in id.iter_mut().zip(hashed.finish().as_ref()) {
        *byte = *hash;
    }
    MessageId::from_bytes(id)
}
