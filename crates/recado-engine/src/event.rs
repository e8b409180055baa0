//! The vocabulary between the engine and whoever uses it: commands in, events out.

use std::time::Duration;

use recado_proto::frame::{Blocked, ClosingCode, Person};
use recado_proto::id::{MessageId, RemoteKey};
use recado_proto::limits::MAX_TEXT;
use recado_proto::name::MAX_NAME_BYTES;

use crate::files::{FileCommand, OfferEvent};
use crate::mail::{PackageFault, Receipt};

/// What a person or a program asks for. Ids are drawn at random by the caller, and time is the wall clock's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// A message to everyone.
    Global {
        /// New for each message, and kept where it is said again by a later process.
        id: MessageId,
        /// Milliseconds since 1970.
        sent_at_ms: i64,
        /// What to say.
        text: String,
        /// Comes back in what is told of it.
        reference: Option<String>,
    },
    /// Who is here: answered by [`Event::Roster`].
    Who,
    /// How datagrams fare: answered by [`Event::LinkReport`].
    Link,
    /// How many datagrams pass now, found out within some two seconds: answered by [`Event::Measured`].
    Measure,
    /// A private message has been taken: shown, or acted upon.
    Take(Receipt),
    /// Refuse someone's messages, or take them again: answered by [`Event::Blocked`].
    Block {
        /// Whose.
        name: String,
        /// Whether they are refused.
        blocked: bool,
    },
    /// Trust the key under which the server knows this name now: answered by [`Event::Trusted`].
    Trust {
        /// Whose.
        name: String,
    },
    /// Something with files: answered by [`Event::File`]. Whoever keeps offers does it, and not the client.
    File(FileCommand),
    /// Learn whose a name is: answered by [`Event::Met`].
    Meet {
        /// The name.
        name: String,
    },
}

impl Command {
    /// Whether the client would take it.
    ///
    /// # Errors
    /// [`CommandError`].
    pub fn check(&self) -> Result<(), CommandError> {
        match self {
            Self::Global { text, .. } => check_text(text),
            Self::Block { name, .. } | Self::Trust { name } | Self::Meet { name } => {
                check_name(name)
            }
            Self::File(FileCommand::Offer { to, .. }) => check_name(to),
            Self::Who | Self::Link | Self::Measure | Self::Take(_) | Self::File(_) => Ok(()),
        }
    }
}

/// Whether a text may be said.
///
/// # Errors
/// [`CommandError`].
pub fn check_text(text: &str) -> Result<(), CommandError> {
    match text.len() {
        0 => Err(CommandError::Empty),
        length if length > MAX_TEXT => Err(CommandError::TooLong(length)),
        _ => Ok(()),
    }
}

/// Whether a text may be somebody's name.
///
/// # Errors
/// [`CommandError`].
pub fn check_name(name: &str) -> Result<(), CommandError> {
    match name.len() {
        0 => Err(CommandError::Empty),
        length if length > MAX_NAME_BYTES => Err(CommandError::NameTooLong),
        _ => Ok(()),
    }
}

/// A command that cannot be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CommandError {
    /// There is nothing to say.
    #[error("the message is empty")]
    Empty,
    /// There is too much.
    #[error("the message has {0} bytes; the most is {MAX_TEXT}")]
    TooLong(usize),
    /// No name is as long as the recipient's.
    #[error("no name is so long")]
    NameTooLong,
    /// There is no session now.
    #[error("there is no connection now")]
    Away,
    /// There is nothing about this name that could be trusted.
    #[error("this name has no other key")]
    NoOtherKey,
}

/// What happens, in order. The first of a session is [`Event::Ready`], unless it ends before.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// The session is open, and datagrams are confirmed or given up for now.
    Ready {
        /// The name as registered.
        name: String,
        /// Whether datagrams pass.
        link: LinkState,
    },
    /// Someone came or went.
    Presence {
        /// Who.
        person: Person,
        /// Whether they are here now.
        online: bool,
    },
    /// Who is here, by name, oneself included.
    Roster(Vec<Person>),
    /// A message from one person.
    Private {
        /// To be given back by [`Command::Take`] once the message has been taken.
        receipt: Receipt,
        /// The sender.
        from: Person,
        /// Its id.
        id: MessageId,
        /// By the sender's clock, in milliseconds since 1970.
        sent_at_ms: i64,
        /// What it says; as sent, not fit for a terminal.
        text: String,
        /// Whether an earlier process may have shown it.
        replayed: bool,
    },
    /// A note of another's program to this one.
    Note {
        /// To be given back by [`Command::Take`] once the note has been acted upon.
        receipt: Receipt,
        /// The sender.
        from: Person,
        /// Its id.
        id: MessageId,
        /// By the sender's clock, in milliseconds since 1970.
        sent_at_ms: i64,
        /// What it says.
        note: Vec<u8>,
        /// Whether an earlier process may have acted upon it.
        replayed: bool,
    },
    /// Someone has compared the code of the two keys, and says that it is right.
    Confirmed {
        /// Who.
        from: Person,
    },
    /// Private messages that another copy of this database took.
    Missing {
        /// Their sender.
        from: Person,
        /// How many.
        count: u64,
    },
    /// What is meant for this person does not go on for now; it is tried again by itself. Told once.
    Waiting {
        /// Whose name.
        name: String,
        /// Why.
        why: WaitReason,
    },
    /// A name has another key than the one remembered. What was meant for the old one has failed.
    KeyChanged {
        /// The name.
        name: String,
        /// The key remembered.
        old: RemoteKey,
        /// The one it has now.
        new: RemoteKey,
    },
    /// A name's new key is trusted: what came under it meanwhile, and was not shown, is to be.
    Trusted {
        /// The key.
        key: RemoteKey,
    },
    /// The answer to [`Command::Meet`].
    Met {
        /// The name, as registered if it is.
        name: String,
        /// Whether it is somebody's.
        found: bool,
    },
    /// Messages that their recipient could not read are sealed again, with new keys, and sent again.
    Resealed {
        /// The recipient's name.
        name: String,
        /// How many.
        count: usize,
    },
    /// What the server handed out to begin with someone is of no use; it is tried again. Told once.
    PackageRefused {
        /// Whose it was to be.
        name: String,
        /// Why.
        fault: PackageFault,
    },
    /// The answer to [`Command::Block`].
    Blocked(Blocked),
    /// A message to everyone, one's own among them.
    Global {
        /// The sender, as the server says.
        from: Person,
        /// Its id.
        id: MessageId,
        /// Its number in the server's log.
        sequence: u64,
        /// By the sender's clock, in milliseconds since 1970.
        sent_at_ms: i64,
        /// What it says; as sent, not fit for a terminal.
        text: String,
        /// What carried it here.
        via: Via,
        /// Whether it was said before this session began.
        replayed: bool,
        /// Whether one with a higher number had come before.
        late: bool,
        /// Whether it was missing, and asked for.
        repaired: bool,
        /// Whether it carries the signature of the key that is remembered for the sender's name.
        verified: bool,
    },
    /// Messages to everyone that cannot be had any more: the numbers from `first` to `last`.
    Hole {
        /// The lowest.
        first: u64,
        /// The highest.
        last: u64,
    },
    /// The server has begun a new log: what was said to everyone while there was no session may be missing.
    LogLost,
    /// Datagrams pass, or do not pass any more, in one direction or the other.
    Link(LinkState),
    /// How datagrams fare.
    LinkReport(LinkReport),
    /// How many datagrams pass.
    Measured(LinkMeasurement),
    /// What became of a message of one's own.
    State {
        /// The message.
        id: MessageId,
        /// As it was given.
        reference: Option<String>,
        /// What became of it.
        state: State,
    },
    /// What became of a note of one's own.
    NoteState {
        /// The note.
        id: MessageId,
        /// As it was given.
        reference: Option<String>,
        /// What became of it.
        state: State,
    },
    /// A private message came that cannot be opened. Its sender is told so, and sends it again with new keys.
    Unreadable {
        /// The sender.
        from: Person,
        /// Its id.
        id: MessageId,
    },
    /// Something about files.
    File(OfferEvent),
    /// The session has ended; nothing of it follows.
    Closed {
        /// Why, where the server said so.
        code: Option<ClosingCode>,
        /// More, in English.
        detail: String,
    },
}

/// Whether datagrams pass.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LinkState {
    /// To the server: one's own global messages go by datagram.
    pub up: bool,
    /// From the server: others' come by datagram.
    pub down: bool,
    /// The smoothed round-trip time, where it is known.
    pub rtt: Option<Duration>,
}

/// How datagrams fared since the session began.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LinkReport {
    /// Now.
    pub state: LinkState,
    /// Probes sent.
    pub probes: u64,
    /// Answers to them that came.
    pub answers: u64,
    /// Global messages that came by datagram.
    pub by_datagram: u64,
    /// Global messages that came by frame.
    pub by_frame: u64,
    /// Of all, those that were missing and asked for.
    pub repaired: u64,
    /// Of all, those that came after one with a higher number.
    pub late: u64,
    /// Datagrams that did not authenticate, or came twice.
    pub rejected: u64,
}

/// How many datagrams pass: what became of some probes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LinkMeasurement {
    /// Probes sent.
    pub sent: usize,
    /// Those that reached the server.
    pub heard: usize,
    /// Those of which the answer came back.
    pub answered: usize,
    /// The smoothed round-trip time, where it is known.
    pub rtt: Option<Duration>,
}

/// What carried a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Via {
    /// A sealed datagram.
    Udp,
    /// A frame.
    Tcp,
}

/// What became of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// It is written down here.
    Queued,
    /// It is written down at the server; a global message is in its log, and its own echo came back.
    Stored,
    /// A private message is written down at its recipient.
    Delivered,
    /// It was not delivered, and will not be.
    Failed(Failure),
}

/// Why something waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WaitReason {
    /// Too much waits for the recipient already.
    MailboxFull,
    /// One's share is used up.
    Rate,
    /// The server cannot write anything down.
    Storage,
    /// The recipient has left no key package at the server: they have not been there with a program that encrypts, or
    /// not for long.
    NoKeys,
}

impl WaitReason {
    /// The machine word, as programs see it.
    pub fn code(self) -> &'static str {
        match self {
            Self::MailboxFull => "mailbox_full",
            Self::Rate => "rate",
            Self::Storage => "storage",
            Self::NoKeys => "no_keys",
        }
    }
}

/// Why a message failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failure {
    /// Nobody has that name.
    UnknownName,
    /// The name belongs to another key than the one remembered.
    KeyChanged,
    /// It waited for its recipient for longer than the server keeps messages.
    Expired,
    /// The recipient's name was released, or its key banned.
    RecipientGone,
    /// The recipient takes no messages from this person.
    Blocked,
    /// The operator has muted this person.
    Muted,
    /// The recipient's program could not read it, however often it was sealed.
    Unreadable,
    /// It was taken back before it was sent.
    Withdrawn,
    /// A global message's echo did not come back: it may or may not have arrived.
    NoEcho,
    /// A reason that a later server gave.
    Other,
}

impl Failure {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::UnknownName,
        Self::KeyChanged,
        Self::Expired,
        Self::RecipientGone,
        Self::Blocked,
        Self::Muted,
        Self::Unreadable,
        Self::Withdrawn,
        Self::NoEcho,
        Self::Other,
    ];

    /// The machine word, as programs and the database see it.
    pub fn code(self) -> &'static str {
        match self {
            Self::UnknownName => "unknown_name",
            Self::KeyChanged => "key_changed",
            Self::Expired => "expired",
            Self::RecipientGone => "recipient_gone",
            Self::Blocked => "blocked",
            Self::Muted => "muted",
            Self::Unreadable => "unreadable",
            Self::Withdrawn => "withdrawn",
            Self::NoEcho => "no_echo",
            Self::Other => "other",
        }
    }
}
