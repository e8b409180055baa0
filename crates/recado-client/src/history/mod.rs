//! The client's database, one for each identity: every message with its state, what was entered and is not sent yet,
//! and how far each lane is. `schema.sql` says what it holds.
//!
//! The process that holds the identity's lock writes through one thread, the *keeper*, which commits all that is
//! queued at once. Another process may [enter](Database::enter) messages beside it, which the keeper notices.

mod database;
mod keeper;
mod offers;
mod open_mark;
mod outbox;
mod past;
mod people;
mod received;
#[cfg(test)]
pub(crate) mod tests;
mod watch;
#[cfg(feature = "workbench")]
pub mod workbench;
mod writes;

use std::path::PathBuf;

use recado_engine::{CommandError, Entry, Failure, Receipt, check_name, check_text};
use recado_proto::frame::Person;
use recado_proto::id::{LogId, MessageId, RemoteKey};
use recado_proto::name::NameKeys;

use crate::home::HomeError;

pub use database::{Database, Entered, FILE, known_schema};
pub use keeper::History;
pub(crate) use keeper::{Done, Keeper};
pub use offers::OfferView;
pub(crate) use offers::OfferWrite;
pub(crate) use outbox::{Blob, column, number};

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// Its folder or file cannot be made.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// A later version wrote it.
    #[error("{} was written by a later version of recado (schema {found}, this one knows {known}); use that version", .path.display())]
    TooNew {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The latest known here.
        known: i64,
    },
    /// The disk is full. Nothing was written, and it can go on once there is room.
    #[error("there is no room to write {}", .path.display())]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be read or written. After this nobody knows what is on the disk, so it is not tried again.
    #[error("{} cannot be read or written", .path.display())]
    Failed {
        /// The file.
        path: PathBuf,
        /// SQLite's answer.
        source: rusqlite::Error,
    },
    /// It is not what was written: a process that had it open did not end in order, and so it was checked.
    #[error("{} is damaged ({said}); put it back from a copy", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite says of it.
        said: String,
    },
    /// The thread that writes could not be started, or has ended.
    #[error("the thread that writes the database has ended")]
    Thread,
}

/// A message as a person entered it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outgoing {
    /// New for each message.
    pub id: MessageId,
    /// To whom, as typed; `None` is everyone.
    pub to: Option<String>,
    /// By this machine's clock, in milliseconds since 1970.
    pub sent_at_ms: i64,
    /// What it says.
    pub text: String,
    /// Comes back in what is told of it.
    pub reference: Option<String>,
}

impl Outgoing {
    /// Whether it may be entered.
    ///
    /// # Errors
    /// [`CommandError`].
    pub fn check(&self) -> Result<(), CommandError> {
        check_text(&self.text)?;
        self.to.as_deref().map_or(Ok(()), check_name)
    }
}

/// A note that one's program sends to another person's: sealed and delivered like a message, and not shown as one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct OutgoingNote {
    /// New for each note.
    pub id: MessageId,
    /// To whom, as typed.
    pub to: String,
    /// By this machine's clock, in milliseconds since 1970.
    pub sent_at_ms: i64,
    /// What it says: at most [`MAX_FILE_NOTE`](recado_proto::limits::MAX_FILE_NOTE) bytes.
    pub note: Vec<u8>,
    /// Comes back in what is told of it.
    pub reference: Option<String>,
}

/// Whether two people have compared the code of their keys.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verification {
    /// The other person's name, as registered.
    pub name: String,
    /// Their key.
    pub key: RemoteKey,
    /// The code: the same on both sides, if nobody stands between.
    pub code: String,
    /// Whether it was found right here.
    pub here: bool,
    /// Whether they say that it was found right there.
    pub there: bool,
}

impl Verification {
    /// Whether both have found it right.
    pub fn is_verified(&self) -> bool {
        self.here && self.there
    }
}

/// What became of a message, as it is written down.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Standing {
    /// It was entered.
    Queued,
    /// The server has stored it.
    Stored,
    /// Its recipient has it.
    Delivered,
    /// It was not delivered.
    Failed,
    /// It came from someone else.
    Received,
}

impl Standing {
    const ALL: [Self; 5] = [
        Self::Queued,
        Self::Stored,
        Self::Delivered,
        Self::Failed,
        Self::Received,
    ];

    /// The machine word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Stored => "stored",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Received => "received",
        }
    }
}

/// What was asked of the past.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Question {
    /// The latest messages.
    Latest {
        /// In which conversation.
        conversation: Conversation,
        /// At most so many.
        limit: usize,
    },
    /// The messages next to a place, for whoever pages through the past.
    Page {
        /// In which conversation.
        conversation: Conversation,
        /// Next to what, and on which side.
        edge: Edge,
        /// At most so many.
        limit: usize,
    },
    /// The latest messages that have all these words, in any order and with or without accents.
    Words {
        /// As typed.
        words: String,
        /// At most so many.
        limit: usize,
    },
}

/// Which messages.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Conversation {
    /// All.
    Any,
    /// Those to everyone, in the server's order.
    Everyone,
    /// Those with one person.
    With(String),
}

/// Which side of a place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Edge {
    /// The last ones before it.
    Before(Place),
    /// The first ones after it.
    After(Place),
}

/// A place among the messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// The [number](PastMessage::number) of a message.
    Number(u64),
    /// A message by its id, for whoever saw it come and does not know its number. Where it is not written down, the
    /// end.
    Message(MessageId),
}

/// Someone with whom there were private messages.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Correspondent {
    /// The name as the latest message has it.
    pub name: String,
    /// When the latest message was sent, by its sender's clock, in milliseconds since 1970.
    pub latest_at_ms: i64,
}

/// A message of the past, or a gap.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Item {
    /// A message.
    Message(PastMessage),
    /// Messages to everyone that were lost.
    Hole {
        /// The lowest number.
        first: u64,
        /// The highest.
        last: u64,
    },
}

/// A message of the past.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PastMessage {
    /// Its place: numbers go up in the order in which messages were written down.
    pub number: u64,
    /// Its id.
    pub id: MessageId,
    /// Its sender's name; `None` is oneself.
    pub from: Option<String>,
    /// Its recipient; `None` is everyone, or, if it came, oneself.
    pub to: Option<String>,
    /// Whether it was for everyone.
    pub is_global: bool,
    /// By its sender's clock, in milliseconds since 1970.
    pub sent_at_ms: i64,
    /// What it says; as sent, not fit for a terminal.
    pub text: String,
    /// What became of it.
    pub standing: Standing,
    /// Why it failed: a machine word, else empty.
    pub code: String,
    /// As entered with it.
    pub reference: Option<String>,
    /// Its number in the server's log.
    pub sequence: Option<u64>,
    /// Whether it is known to be from whom it says.
    pub verified: bool,
}

/// What happened that only the history is told of: nobody waits for it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Record {
    /// A message to everyone came.
    Global(GlobalRecord),
    /// A message to everyone has failed.
    GlobalFailed { id: MessageId, failure: Failure },
    /// The server has one's own message to everyone, which is too old to come back.
    GlobalStored { id: MessageId },
    /// Numbers of a log were lost.
    Hole { log: LogId, first: u64, last: u64 },
    /// Someone's messages are refused, or taken again.
    Blocked { name: String, blocked: bool },
}

/// A message to everyone that came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct GlobalRecord {
    pub(crate) log: LogId,
    pub(crate) sequence: u64,
    pub(crate) from: Person,
    /// Whether it is the echo of one's own.
    pub(crate) own: bool,
    pub(crate) id: MessageId,
    pub(crate) sent_at_ms: i64,
    pub(crate) text: String,
    pub(crate) verified: bool,
}

/// An incoming private message that was not taken when the process began.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Untaken {
    pub(crate) receipt: Receipt,
    pub(crate) from: Person,
    pub(crate) id: MessageId,
    pub(crate) sent_at_ms: i64,
    pub(crate) what: UntakenBody,
}

/// What such a message says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum UntakenBody {
    Text(String),
    Note(Vec<u8>),
}

/// What was entered and is to be sent, in order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Fed {
    pub(crate) private: Vec<Entry>,
    pub(crate) global: Vec<Outgoing>,
    /// The number of the last, of either kind.
    pub(crate) last: u64,
}

impl Fed {
    pub(crate) fn count(&self) -> usize {
        self.private.len() + self.global.len()
    }
}

/// The form under which a name is unique. What is no name stands for itself: nobody has it.
pub(crate) fn fold(name: &str) -> String {
    NameKeys::of(name).folded
}
