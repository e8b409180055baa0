//! The boundary to everything durable or shared. The hub asks with [`BackendRequest`]s and learns the
//! answers as an event, later and in batches, so that an engine of another kind can stand behind it.
//!
//! Requests take effect in the order in which they were made, and are answered in that order, each once.

use std::time::Duration;

use recado_proto::frame::{Failure, FailureCode, Person};
use recado_proto::id::{MessageId, RemoteKey, StoreId};
use recado_proto::name::{Name, NameKeys};
use recado_proto::ticket::TicketHash;

use crate::key_packages::{KeyPackageAnswer, KeyPackageRequest};
use crate::operator::{Decisions, OperatorError, OperatorNumber, OperatorRecord, OperatorRequest};
use crate::session::SessionNumber;

/// Lanes of one sender to one recipient: a sender has another only where its database was restored from a copy. Where
/// there are as many, the oldest that has nothing without an outcome makes room. Should its database come back, sender
/// and recipient know how far it was.
pub const MAX_STORES: usize = 16;

/// Lanes of one sender in all: to everyone of a large school, from a few databases. They take some 10 MiB.
pub const MAX_LANES_OF_SENDER: u64 = 65_536;

/// How exactly it is known when someone was here whose name was never used.
pub const SEEN_PRECISION: Duration = Duration::from_secs(60 * 60);

/// The backend's number for a lane, never used again. Opaque to the hub.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LaneNumber(pub u64);

/// A place in a mailbox. Later messages have higher marks, and none is used again; opaque but for its order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Mark(pub u64);

/// What the hub asks of the backend.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BackendRequest {
    /// Gives the name to the key, durably, unless another has it.
    Claim {
        /// Who asks: comes back in the answer.
        session: SessionNumber,
        /// The name as typed.
        name: Name,
        /// The forms under which it must be unique.
        keys: NameKeys,
        /// The key that claims it.
        key: RemoteKey,
        /// Whether a name may be given that nobody has yet.
        may_register: bool,
        /// Where not: a ticket by which it may, once for each key and as often as the ticket says.
        ticket: Option<Box<TicketHash>>,
    },
    /// Reads what the operator has decided.
    Load,
    /// Does what the operator wants.
    Operator {
        /// Comes back in the answer.
        number: OperatorNumber,
        /// What.
        request: OperatorRequest,
    },
    /// Notes that someone has used their name otherwise than by private messages, which are noted anyway.
    NameUsed {
        /// Who.
        key: RemoteKey,
    },
    /// Frees names that were never used.
    FreeNames {
        /// Of those who were not here for longer than this, in the server's running time.
        age: Duration,
        /// Who is here now, in order.
        here: Vec<RemoteKey>,
        /// At most so many.
        max_names: usize,
    },
    /// Looks a lane up, and makes it where it is new.
    OpenLane {
        /// Who asks: comes back in the answer.
        session: SessionNumber,
        /// The client's number for the lane: comes back too.
        handle: u32,
        /// Whose messages it carries.
        sender: RemoteKey,
        /// The sender's database.
        store: StoreId,
        /// The recipient's name, case-mapped.
        to: String,
        /// The key that it must belong to, where the sender knows one.
        key: Option<RemoteKey>,
    },
    /// Writes down how lanes stand, all of them or none.
    Commit(Vec<LaneChange>),
    /// Reads a mailbox.
    Fetch {
        /// Who asks: comes back in the answer.
        session: SessionNumber,
        /// Whose mailbox.
        recipient: RemoteKey,
        /// Messages above this mark, in order,
        after: Mark,
        /// at most so many,
        max_messages: usize,
        /// and of so many bytes of envelopes together, but one at least.
        max_bytes: usize,
        /// Those that have waited for longer, in the server's running time, are dropped on the way.
        message_age: Duration,
    },
    /// Refuses someone's messages, or takes them again.
    Block {
        /// Who asks: comes back in the answer.
        session: SessionNumber,
        /// Who takes no messages.
        owner: RemoteKey,
        /// Of whom, as asked: comes back too.
        name: String,
        /// The same, case-mapped.
        folded: String,
        /// Whether they are refused.
        blocked: bool,
    },
    /// Drops what has waited for too long.
    Expire {
        /// For longer than this, in the server's running time.
        message_age: Duration,
        /// But for what waits for these, in order: what was sent to them may have been received.
        except: Vec<RemoteKey>,
        /// How many messages to look at, at most. The next request goes on behind them.
        max_messages: usize,
    },
    /// Keeps key packages, and hands them out.
    KeyPackages(KeyPackageRequest),
    /// Drops what waits for one who is gone.
    Discard {
        /// In these lanes, up to a number.
        lanes: Vec<(LaneNumber, u64)>,
    },
}

/// What is to become of one lane.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LaneChange {
    /// The lane.
    pub lane: LaneNumber,
    /// How far it must have come already; else nothing of this is written, and the answer says where it stands.
    pub from: u64,
    /// How far it has come now.
    pub accepted: u64,
    /// The id under that number, where it is known.
    pub accepted_id: Option<MessageId>,
    /// Every number up to this one has an outcome: their bodies go.
    pub settled: u64,
    /// The messages above `from` and above `settled`, in order.
    pub bodies: Vec<Body>,
    /// Messages that were not received; what was written of a number before stays.
    pub failures: Vec<Failure>,
    /// The sender has written the outcomes up to this number down: the failures among them go.
    pub noted: u64,
}

/// A message that waits for its recipient.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Body {
    /// Its number in the lane.
    pub number: u64,
    /// Drawn by the sender.
    pub id: MessageId,
    /// By the sender's clock, in milliseconds since 1970.
    pub sent_at_ms: i64,
    /// Empty where the sender gave the message up.
    pub envelope: Vec<u8>,
}

/// What the backend answers, once it is durable.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BackendAnswer {
    /// To [`BackendRequest::Claim`].
    Claimed {
        /// Who asked.
        session: SessionNumber,
        /// What came of it.
        outcome: ClaimOutcome,
    },
    /// To [`BackendRequest::OpenLane`].
    LaneOpened {
        /// Who asked.
        session: SessionNumber,
        /// The client's number for the lane.
        handle: u32,
        /// What came of it.
        outcome: OpenOutcome,
    },
    /// To [`BackendRequest::Commit`]: how each lane stands now.
    Committed(Result<Vec<(LaneNumber, Durable)>, Unavailable>),
    /// To [`BackendRequest::Fetch`].
    Fetched {
        /// Who asked.
        session: SessionNumber,
        /// What was read.
        result: Result<Fetched, Unavailable>,
    },
    /// To [`BackendRequest::Block`].
    Blocked {
        /// Who asked.
        session: SessionNumber,
        /// Who takes no messages.
        owner: RemoteKey,
        /// As asked.
        name: String,
        /// As asked.
        blocked: bool,
        /// Whose messages these are; `None` where nobody has the name, or it could not be made durable.
        sender: Option<RemoteKey>,
    },
    /// To [`BackendRequest::Expire`] and [`BackendRequest::Discard`].
    Dropped(Vec<Dropped>),
    /// To [`BackendRequest::KeyPackages`].
    KeyPackages(KeyPackageAnswer),
    /// To [`BackendRequest::Load`].
    Loaded(Result<Box<Decisions>, Unavailable>),
    /// To [`BackendRequest::Operator`].
    Operator {
        /// Which command it was.
        number: OperatorNumber,
        /// What came of it.
        result: Result<OperatorRecord, OperatorError>,
    },
    /// To [`BackendRequest::NameUsed`].
    NameUsed,
    /// To [`BackendRequest::FreeNames`]: whose they were.
    NamesFreed(Vec<Person>),
}

/// It could not be made durable, or not be read; nothing has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the backend is not available")]
pub struct Unavailable;

/// What came of a claim.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ClaimOutcome {
    /// The key had the name already; this is how it was first typed.
    Owned(String),
    /// The name is now the key's.
    Registered,
    /// The name is another key's.
    Taken,
    /// The name could be mistaken for this one, which is another key's.
    Confusable(String),
    /// The key has this other name.
    KeyHasName(String),
    /// Nobody has the name, and it may not be given.
    NotRegistered,
    /// The same, and the ticket does not admit: it is not known, used up or expired.
    NotAdmitted,
    /// It could not be made durable; nothing has changed.
    Unavailable,
}

/// What came of opening a lane.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OpenOutcome {
    /// It is there.
    Opened(Box<OpenedLane>),
    /// Nobody has the name.
    NoSuchName,
    /// The name is this person's, whose key is another.
    OtherKey(Person),
    /// The sender has as many lanes as may be, and none of them can go.
    TooMany,
    /// It could not be looked up.
    Unavailable,
}

/// A lane as its sender opens it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OpenedLane {
    /// How it stands.
    pub lane: LaneState,
    /// Whom it leads to.
    pub recipient: Person,
    /// What waits for them.
    pub mailbox: MailboxState,
    /// Those that the sender has not noted, in order.
    pub failures: Vec<Failure>,
}

/// How far a lane has come, as was read back or written by a commit that has returned. What a sender is told to be
/// stored or settled comes from here alone; only a backend makes one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Durable {
    accepted: u64,
    accepted_id: Option<MessageId>,
    settled: u64,
}

impl Durable {
    /// For a backend, once its commit has returned: the highest number taken, its id where that is known, and the
    /// highest number below which all have an outcome.
    pub const fn committed(accepted: u64, accepted_id: Option<MessageId>, settled: u64) -> Self {
        Self {
            accepted,
            accepted_id,
            settled,
        }
    }

    /// The highest number taken.
    pub const fn accepted(&self) -> u64 {
        self.accepted
    }

    /// The id under that number.
    pub const fn accepted_id(&self) -> Option<MessageId> {
        self.accepted_id
    }

    /// Every number up to this one has an outcome.
    pub const fn settled(&self) -> u64 {
        self.settled
    }
}

/// A lane as the backend has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LaneState {
    /// Its number.
    pub lane: LaneNumber,
    /// Its sender. One who has no name any more has an empty one.
    pub from: Person,
    /// The sender's database.
    pub store: StoreId,
    /// How far it has come.
    pub durable: Durable,
    /// Bytes of the envelopes that wait in it.
    pub waiting_bytes: u64,
    /// What waits of this sender for this recipient, in all lanes.
    pub of_sender: Waiting,
    /// Whether the recipient ever wrote to the sender.
    pub known: bool,
    /// Whether the recipient takes no messages from the sender.
    pub blocked: bool,
}

/// What waits for a recipient.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct MailboxState {
    /// Of everyone.
    pub all: Waiting,
    /// Of those whom the recipient never wrote to.
    pub strangers: Waiting,
}

/// Messages that wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Waiting {
    /// How many.
    pub messages: u64,
    /// Bytes of their envelopes.
    pub bytes: u64,
}

impl Waiting {
    pub(crate) fn add(&mut self, other: Self) {
        self.messages = self.messages.saturating_add(other.messages);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }

    pub(crate) fn remove(&mut self, other: Self) {
        self.messages = self.messages.saturating_sub(other.messages);
        self.bytes = self.bytes.saturating_sub(other.bytes);
    }
}

/// Part of a mailbox.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Fetched {
    /// What waits in all of it.
    pub mailbox: MailboxState,
    /// The lanes of the messages, each once.
    pub lanes: Vec<LaneState>,
    /// By mark.
    pub messages: Vec<Mail>,
    /// Whether there were no more.
    pub end: bool,
    /// What was dropped on the way, as it was too old.
    pub dropped: Vec<Dropped>,
}

/// A message in a mailbox.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mail {
    /// Its place.
    pub mark: Mark,
    /// Its lane.
    pub lane: LaneNumber,
    /// The message; its envelope is empty where it was dropped.
    pub body: Body,
    /// Why it was dropped.
    pub dropped: Option<FailureCode>,
}

/// What the backend dropped of one lane. The numbers stay, so that the lane has no gap.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dropped {
    /// The lane.
    pub lane: LaneNumber,
    /// Whose it is.
    pub sender: RemoteKey,
    /// Whom it leads to.
    pub recipient: RemoteKey,
    /// Bytes of the envelopes that are gone.
    pub bytes: u64,
    /// The numbers, in order, and why: written down for their sender.
    pub failures: Vec<Failure>,
}

impl BackendRequest {
    /// The answer where nothing could be done.
    pub fn unavailable(&self) -> BackendAnswer {
        match self {
            Self::Claim { session, .. } => BackendAnswer::Claimed {
                session: *session,
                outcome: ClaimOutcome::Unavailable,
            },
            Self::OpenLane {
                session, handle, ..
            } => BackendAnswer::LaneOpened {
                session: *session,
                handle: *handle,
                outcome: OpenOutcome::Unavailable,
            },
            Self::Commit(_) => BackendAnswer::Committed(Err(Unavailable)),
            Self::Fetch { session, .. } => BackendAnswer::Fetched {
                session: *session,
                result: Err(Unavailable),
            },
            Self::Block {
                session,
                owner,
                name,
                blocked,
                ..
            } => BackendAnswer::Blocked {
                session: *session,
                owner: *owner,
                name: name.clone(),
                blocked: *blocked,
                sender: None,
            },
            Self::KeyPackages(request) => BackendAnswer::KeyPackages(request.unavailable()),
            Self::Expire { .. } | Self::Discard { .. } => BackendAnswer::Dropped(Vec::new()),
            Self::Load => BackendAnswer::Loaded(Err(Unavailable)),
            Self::Operator { number, .. } => BackendAnswer::Operator {
                number: *number,
                result: Err(OperatorError::Unavailable),
            },
            Self::NameUsed { .. } => BackendAnswer::NameUsed,
            Self::FreeNames { .. } => BackendAnswer::NamesFreed(Vec::new()),
        }
    }
}
