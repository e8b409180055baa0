//! What the engine and the client's database say to each other about private messages.

use recado_proto::frame::Person;
use recado_proto::id::{MessageId, RemoteKey, StoreId};

use crate::event::Failure;

/// What the database knows when a process begins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MailState {
    /// The database's own id.
    pub store: StoreId,
    /// Everyone whose key is remembered, and everyone to whom something is under way.
    pub outgoing: Vec<OutgoingLane>,
    /// How far each lane that ends here is.
    pub incoming: Vec<IncomingState>,
}

/// The way to one person.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OutgoingLane {
    /// The case-mapped form of their name.
    pub peer: String,
    /// Their name as registered, or, until that is known, as it was typed.
    pub name: String,
    /// The key remembered for it.
    pub key: Option<RemoteKey>,
    /// The highest number given; 0 if none.
    pub highest: u64,
    /// The id under the highest number that is settled, if there is one.
    pub settled_id: Option<MessageId>,
    /// Those that are not settled, rising without gaps, up to `highest`.
    pub numbered: Vec<Numbered>,
}

/// A message that has its number, and is not settled.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Numbered {
    /// Its number.
    pub number: u64,
    /// Its id.
    pub id: MessageId,
    /// By this machine's clock, in milliseconds since 1970.
    pub sent_at_ms: i64,
    /// The same bytes however often it is sent. Empty: it has failed, and only its number is under way.
    pub envelope: Vec<u8>,
    /// Comes back in what is told of it.
    pub reference: Option<String>,
    /// Whether the server has stored it.
    pub stored: bool,
}

impl Numbered {
    /// Whether only its number is under way.
    pub fn is_void(&self) -> bool {
        self.envelope.is_empty()
    }
}

/// How far a lane that ends here is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IncomingState {
    /// Its sender.
    pub from: RemoteKey,
    /// The sender's database.
    pub store: StoreId,
    /// Everything up to this number is written down.
    pub written: u64,
    /// Of those, the ones that were not [taken](crate::Command::Take), rising.
    pub untaken: Vec<u64>,
    /// Of the last 1,024, the ones that could not be read, rising.
    pub unreadable: Vec<u64>,
}

/// A message that was entered and has no number yet. It is in the database.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The database's number for it, in the order in which all were entered.
    pub entry: u64,
    /// Its id.
    pub id: MessageId,
    /// The case-mapped form of the recipient's name.
    pub peer: String,
    /// The name as typed.
    pub to: String,
    /// By this machine's clock, in milliseconds since 1970.
    pub sent_at_ms: i64,
    /// What it says.
    pub text: String,
    /// Comes back in what is told of it.
    pub reference: Option<String>,
}

/// What is to be written down; all of a commit, or nothing. [`Receive`](Self::Receive) and
/// [`Number`](Self::Number) have an answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Write {
    /// The key of a name. One that is remembered already is replaced, and the way to the new one begins at 1.
    Remember {
        /// The case-mapped form of the name.
        peer: String,
        /// The name as registered, and its key.
        person: Person,
    },
    /// An entry has its number and its bytes. Answered by false if it was withdrawn in between: then the number is
    /// written down with an empty envelope.
    Number {
        /// The entry.
        entry: u64,
        /// The case-mapped form of the recipient's name.
        peer: String,
        /// One above the highest.
        number: u64,
        /// What is sent.
        envelope: Vec<u8>,
    },
    /// The number travels empty from now on.
    Void {
        /// The case-mapped form of the recipient's name.
        peer: String,
        /// The number.
        number: u64,
    },
    /// What became of a lane: messages up to `stored` are stored; those up to `settled` that have not failed are
    /// delivered, and none of these is under way any more.
    Progress {
        /// The case-mapped form of the recipient's name.
        peer: String,
        /// The highest number stored.
        stored: u64,
        /// The highest number settled.
        settled: u64,
    },
    /// A message has failed.
    Fail {
        /// The message.
        id: MessageId,
        /// Why.
        failure: Failure,
    },
    /// Nothing with a number is under way to this person any more; what the highest number's id was does not matter.
    Abandon {
        /// The case-mapped form of the name.
        peer: String,
    },
    /// A message came, and its lane stands at its number from now on, if it stood lower. Answered by whether it is
    /// new: no message of this sender has this id.
    Receive(Box<Received>),
    /// The lane stands at this number: what was below is missing.
    Miss {
        /// Its sender.
        from: Person,
        /// The sender's database.
        store: StoreId,
        /// The number.
        up_to: u64,
    },
    /// A message was taken: shown, or acted upon.
    Take(Receipt),
}

/// A message that came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Received {
    /// Its sender.
    pub from: Person,
    /// The sender's database.
    pub store: StoreId,
    /// Its number in the lane.
    pub number: u64,
    /// Its id.
    pub id: MessageId,
    /// By the sender's clock, in milliseconds since 1970.
    pub sent_at_ms: i64,
    /// What it says.
    pub content: Content,
}

/// What a number of a lane holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Content {
    /// A text.
    Text(String),
    /// What this program cannot read.
    Unreadable,
    /// Nothing: its sender gave it up, or the server dropped it.
    Nothing,
}

/// Stands for an incoming private message, to be given back when it was taken.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Receipt {
    /// Its sender.
    pub from: RemoteKey,
    /// The sender's database.
    pub store: StoreId,
    /// Its number in the lane.
    pub number: u64,
}
