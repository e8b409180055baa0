//! The vocabulary between the engine and whoever uses it: commands in, events out.

use std::time::Duration;

use recado_proto::frame::{ClosingCode, FailureCode, Person};
use recado_proto::id::MessageId;
use recado_proto::limits::MAX_TEXT;
use recado_proto::name::MAX_NAME_BYTES;

/// What a person or a program asks for. Ids are drawn at random by the caller, and time is the wall clock's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// A message to one person.
    Private {
        /// New for each message.
        id: MessageId,
        /// Milliseconds since 1970.
        sent_at_ms: i64,
        /// The recipient's name.
        to: String,
        /// What to say.
        text: String,
    },
    /// A message to everyone.
    Global {
        /// New for each message.
        id: MessageId,
        /// Milliseconds since 1970.
        sent_at_ms: i64,
        /// What to say.
        text: String,
    },
    /// Who is here: answered by [`Event::Roster`].
    Who,
    /// How datagrams fare: answered by [`Event::LinkReport`].
    Link,
    /// How many datagrams pass now, found out within some two seconds: answered by [`Event::Measured`].
    Measure,
    /// A private message has been taken: shown, stored, acted upon.
    Acknowledge(Receipt),
}

impl Command {
    /// Whether the engine would take it from an open session.
    ///
    /// # Errors
    /// [`CommandError`].
    pub fn check(&self) -> Result<(), CommandError> {
        match self {
            Self::Private { to, .. } if to.len() > MAX_NAME_BYTES => Err(CommandError::NameTooLong),
            Self::Private { text, .. } | Self::Global { text, .. } => match text.len() {
                0 => Err(CommandError::Empty),
                length if length > MAX_TEXT => Err(CommandError::TooLong(length)),
                _ => Ok(()),
            },
            Self::Who | Self::Link | Self::Measure | Self::Acknowledge(_) => Ok(()),
        }
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
    /// The session has ended.
    #[error("the session has ended")]
    Ended,
}

/// What happens, in order. The first is [`Event::Ready`], unless the session ends before.
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
        /// To be given back by [`Command::Acknowledge`] once the message has been taken.
        receipt: Receipt,
        /// The sender.
        from: Person,
        /// Its id.
        id: MessageId,
        /// By the sender's clock, in milliseconds since 1970.
        sent_at_ms: i64,
        /// What it says; as sent, not fit for a terminal.
        text: String,
    },
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
        /// What became of it.
        state: State,
    },
    /// A private message of a later version came, which this client cannot read. Its sender is told so.
    Unreadable {
        /// The sender.
        from: Person,
        /// Its id.
        id: MessageId,
    },
    /// The session has ended; nothing follows.
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

/// Stands for a private message to be acknowledged. Acknowledging covers all that came before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Receipt(pub(crate) u64);

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
    /// A global message is in the server's log: its own echo came back.
    Stored,
    /// A private message was acknowledged by its recipient.
    Delivered,
    /// It was not delivered, or nobody can tell.
    Failed(Failure),
}

/// Why a message failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failure {
    /// Nobody of that name is connected.
    NotConnected,
    /// A connection ended before the acknowledgement: it may or may not have arrived.
    ConnectionLost,
    /// Too much is waiting for the recipient.
    RecipientBusy,
    /// The recipient's program cannot read it: it is of an earlier version.
    Unreadable,
    /// A global message's echo did not come back: it may or may not have arrived.
    NoEcho,
    /// A reason that a later server gave.
    Other,
}

impl Failure {
    /// The machine word, as programs see it.
    pub fn code(self) -> &'static str {
        match self {
            Self::NotConnected => "not_connected",
            Self::ConnectionLost => "connection_lost",
            Self::RecipientBusy => "recipient_busy",
            Self::Unreadable => "unreadable",
            Self::NoEcho => "no_echo",
            Self::Other => "other",
        }
    }
}

impl From<FailureCode> for Failure {
    fn from(code: FailureCode) -> Self {
        match code {
            FailureCode::NotConnected => Self::NotConnected,
            FailureCode::ConnectionLost => Self::ConnectionLost,
            FailureCode::RecipientBusy => Self::RecipientBusy,
            FailureCode::Unreadable => Self::Unreadable,
            FailureCode::Unspecified => Self::Other,
        }
    }
}
