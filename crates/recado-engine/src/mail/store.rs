//! What the engine and the client's database say to each other about private messages.
//!
//! The database seals and opens, in the transaction in which it writes: the engine says what is to be sealed, and hears
//! what came of it. It never sees a key.

use recado_proto::frame::{KeyPackagesHeld, Person, PutKeyPackages};
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
    /// Another key under which the server knew the name last, and that is not trusted.
    pub other: Option<RemoteKey>,
    /// Whether there is a group in which messages to that key can be sealed.
    pub has_group: bool,
    /// The highest number given; 0 if none.
    pub highest: u64,
    /// The id under the highest number that is settled, if there is one.
    pub settled_id: Option<MessageId>,
    /// Those that are not settled, rising without gaps, up to `highest`.
    pub numbered: Vec<Numbered>,
}

/// What has its number, and is not settled.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Numbered {
    /// Its number.
    pub number: u64,
    /// Its id.
    pub id: MessageId,
    /// By this machine's clock, in milliseconds since 1970.
    pub sent_at_ms: i64,
    /// The same bytes however often it is sent; none where only the number is under way.
    pub envelope: Vec<u8>,
    /// Comes back in what is told of it.
    pub reference: Option<String>,
    /// Whether the server has stored it.
    pub stored: bool,
    /// What it is.
    pub kind: Kind,
    /// The entry that it was, if it was one.
    pub entry: u64,
    /// How often that was sealed, this time included.
    pub seals: u32,
}

/// What a number of a lane stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A message.
    Text,
    /// A note of a program to another.
    Note,
    /// What keeps the keys fresh.
    Handshake,
    /// Nothing any more: only the number is under way.
    Nothing,
}

impl Numbered {
    /// Whether only its number is under way.
    pub fn is_void(&self) -> bool {
        self.kind == Kind::Nothing
    }

    /// Whether it was entered, and can be sealed again.
    pub(super) fn is_entry(&self) -> bool {
        matches!(self.kind, Kind::Text | Kind::Note)
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
    /// Comes back in what is told of it.
    pub reference: Option<String>,
    /// [`Kind::Text`] or [`Kind::Note`].
    pub kind: Kind,
    /// How often it was sealed, and could not be read.
    pub seals: u32,
}

/// What is to be written down; all of a commit, or nothing. [`Begin`](Self::Begin), [`Number`](Self::Number),
/// [`Handshake`](Self::Handshake), [`Receive`](Self::Receive) and [`Stock`](Self::Stock) have an [`Answer`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Write {
    /// The key of a name. One that is remembered already is replaced: all keys that were shared with the old one are
    /// erased, and the way to the new one begins at 1.
    Remember {
        /// The case-mapped form of the name.
        peer: String,
        /// The name as registered, and its key.
        person: Person,
    },
    /// The server knows the name under this key, which is not the one remembered.
    Suspect {
        /// The case-mapped form of the name.
        peer: String,
        /// The name as registered, and that key.
        person: Person,
    },
    /// A new group with this person, whose key package this is. Answered by [`Answer::Begun`].
    Begin {
        /// The case-mapped form of their name.
        peer: String,
        /// As the server handed it out.
        package: Vec<u8>,
    },
    /// An entry is sealed under its number. Answered by [`Answer::Sealed`], [`Answer::Empty`] if it was withdrawn, or
    /// [`Answer::Unsealed`].
    Number {
        /// The entry.
        entry: u64,
        /// The case-mapped form of the recipient's name.
        peer: String,
        /// One above the highest.
        number: u64,
    },
    /// What is due to keep the group fresh is sealed under this number. Answered like [`Number`](Self::Number).
    Handshake {
        /// The case-mapped form of the recipient's name.
        peer: String,
        /// One above the highest.
        number: u64,
    },
    /// The number travels empty from now on.
    Void {
        /// The case-mapped form of the recipient's name.
        peer: String,
        /// The number.
        number: u64,
    },
    /// All numbers from this one on travel empty. What was entered and has not failed is an entry without a number
    /// again, and will be sealed in a new group.
    Requeue {
        /// The case-mapped form of the recipient's name.
        peer: String,
        /// The lowest of the numbers.
        from: u64,
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
    /// Something came, and its lane stands at its number from now on, if it stood lower. Answered by
    /// [`Answer::Received`].
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
    /// The server has these of one's own key packages. Answered by [`Answer::Stock`].
    Stock(KeyPackagesHeld),
}

/// What came of a write, once it is written down.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// There is a group; or why the key package is of no use.
    Begun(Result<(), PackageFault>),
    /// It is sealed.
    Sealed(Box<Sealed>),
    /// There is nothing to seal: the number travels empty, under this id.
    Empty(MessageId),
    /// There is no group to seal it in. The number travels empty, and the entry has none again.
    Unsealed,
    /// What had come.
    Received(Box<Arrival>),
    /// What is to be put at the server, if anything.
    Stock(Option<PutKeyPackages>),
}

/// What is sent under a number.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sealed {
    /// The id under which it travels.
    pub id: MessageId,
    /// Its bytes.
    pub envelope: Vec<u8>,
    /// Whether something is to be said to keep the group fresh.
    pub handshake_due: bool,
}

/// Why a key package is of no use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PackageFault {
    /// It is none, or its signatures do not hold.
    Malformed,
    /// It is another person's, or for another server.
    OtherKey,
    /// Its owner means to keep it for longer than is allowed.
    Lifetime,
}

impl PackageFault {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Malformed, Self::OtherKey, Self::Lifetime];

    /// The machine word, as programs see it.
    pub fn code(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::OtherKey => "other_key",
            Self::Lifetime => "lifetime",
        }
    }
}

/// What a number of an incoming lane carried.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Arrival {
    /// What it was.
    pub what: Arrived,
    /// Whether there is a group in which messages to its sender can be sealed now.
    pub has_group: bool,
    /// Whether something is to be said to keep it fresh.
    pub handshake_due: bool,
}

/// What came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Arrived {
    /// A message.
    Text {
        /// What it says.
        text: String,
        /// By the sender's clock, in milliseconds since 1970.
        sent_at_ms: i64,
    },
    /// A note of the sender's program about a file.
    Note {
        /// What it says.
        note: Vec<u8>,
        /// By the sender's clock, in milliseconds since 1970.
        sent_at_ms: i64,
    },
    /// The sender has compared the code of the two keys, and says that it is right.
    Verification,
    /// What keeps the keys fresh.
    Handshake,
    /// What had come before.
    Known,
    /// What could not be opened; or nothing is opened in this lane until it brings a new group.
    Unreadable,
    /// Nothing: its sender gave it up, or the server dropped it.
    Nothing,
}

impl Arrived {
    /// Whether its sender has proved to be who they are.
    pub(super) fn was_opened(&self) -> bool {
        match self {
            Self::Text { .. } | Self::Note { .. } | Self::Verification | Self::Handshake => true,
            Self::Known | Self::Unreadable | Self::Nothing => false,
        }
    }
}

/// Something that came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Received {
    /// Its sender.
    pub from: Person,
    /// The sender's database.
    pub store: StoreId,
    /// Its number in the lane.
    pub number: u64,
    /// Its id, as the server says.
    pub id: MessageId,
    /// What is to be opened; empty where its sender gave it up or the server dropped it.
    pub envelope: Vec<u8>,
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
