//! The frames of private messages. `docs/protocol.md` §Private messages says what each means.

use super::{
    FailureCode, LaneRefusalCode, MAX_NAME_BYTES, Malformed, Person, PrivateRefusalCode, at_most,
    check_length, id, optional, optional_id, person,
};
use crate::id::{MessageId, RemoteKey, StoreId};
use crate::limits::{MAX_ENVELOPE, MAX_FAILURES_PER_FRAME, MAX_UNACKNOWLEDGED};
use crate::wire;

/// See [`ClientFrame::OpenLane`](super::ClientFrame::OpenLane).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OpenLane {
    /// The client's number for it in this session.
    pub lane: u32,
    /// The client's database.
    pub store: StoreId,
    /// The recipient's name.
    pub to: String,
    /// The key remembered for that name.
    pub key: Option<RemoteKey>,
    /// The lowest number without an outcome.
    pub lowest: u64,
}

/// See [`ServerFrame::LaneOpened`](super::ServerFrame::LaneOpened).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LaneOpened {
    /// The client's number for it.
    pub lane: u32,
    /// Who it leads to.
    pub recipient: Person,
    /// The highest number taken.
    pub accepted: u64,
    /// The id under that number, where it is known.
    pub accepted_id: Option<MessageId>,
    /// Every number up to this one is stored.
    pub stored: u64,
    /// Every number up to this one has an outcome.
    pub settled: u64,
    /// The failures that the sender has not noted; at most [`MAX_FAILURES_PER_FRAME`], the lowest first. More
    /// follow in [`LaneProgress`].
    pub failures: Vec<Failure>,
}

/// See [`ServerFrame::LaneRefused`](super::ServerFrame::LaneRefused).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LaneRefused {
    /// The client's number for it.
    pub lane: u32,
    /// Why.
    pub code: LaneRefusalCode,
    /// Who has the name, where the key was another.
    pub holder: Option<Person>,
    /// When to try again, in milliseconds; 0 where waiting does not help.
    pub retry_in_ms: u64,
}

/// See [`ClientFrame::Private`](super::ClientFrame::Private).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PrivateMessage {
    /// Its lane.
    pub lane: u32,
    /// One above the last of its lane.
    pub number: u64,
    /// Drawn by the sender.
    pub id: MessageId,
    /// By the sender's clock, in milliseconds since 1970.
    pub sent_at_ms: i64,
    /// An encoded [`Envelope`](crate::content::Envelope); empty where the sender gave the message up.
    pub envelope: Vec<u8>,
}

/// A message that was not received, and will not be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Failure {
    /// Its number.
    pub number: u64,
    /// Why.
    pub code: FailureCode,
}

/// See [`ServerFrame::LaneProgress`](super::ServerFrame::LaneProgress).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LaneProgress {
    /// The client's number for the lane.
    pub lane: u32,
    /// Every number up to this one is stored.
    pub stored: u64,
    /// Every number up to this one has an outcome.
    pub settled: u64,
    /// At most [`MAX_FAILURES_PER_FRAME`].
    pub failures: Vec<Failure>,
}

/// See [`ClientFrame::OutcomesNoted`](super::ClientFrame::OutcomesNoted).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutcomesNoted {
    /// The client's number for the lane.
    pub lane: u32,
    /// The highest number noted.
    pub up_to: u64,
}

/// See [`ServerFrame::PrivateRefused`](super::ServerFrame::PrivateRefused).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PrivateRefused {
    /// The client's number for the lane.
    pub lane: u32,
    /// The number that would be taken.
    pub expected: u64,
    /// Why.
    pub code: PrivateRefusalCode,
    /// When to try again, in milliseconds.
    pub retry_in_ms: u64,
}

/// See [`ServerFrame::IncomingLane`](super::ServerFrame::IncomingLane).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IncomingLane {
    /// The server's number for it in this session.
    pub lane: u32,
    /// Its sender.
    pub from: Person,
    /// The sender's database.
    pub store: StoreId,
    /// Every number up to this one has an outcome.
    pub settled: u64,
}

/// See [`ServerFrame::Private`](super::ServerFrame::Private).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IncomingPrivate {
    /// The server's number for its lane.
    pub lane: u32,
    /// Its number in the lane.
    pub number: u64,
    /// Drawn by the sender.
    pub id: MessageId,
    /// By the sender's clock, in milliseconds since 1970.
    pub sent_at_ms: i64,
    /// An encoded [`Envelope`](crate::content::Envelope); empty where the message was given up or dropped.
    pub envelope: Vec<u8>,
    /// Why the server dropped it.
    pub dropped: Option<FailureCode>,
}

/// See [`ClientFrame::Acknowledge`](super::ClientFrame::Acknowledge).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Acknowledge {
    /// The server's number for the lane.
    pub lane: u32,
    /// Everything up to this number is written down,
    pub up_to: u64,
    /// but for these, which could not be read. At most [`MAX_UNACKNOWLEDGED`].
    pub unreadable: Vec<u64>,
}

/// See [`ClientFrame::Block`](super::ClientFrame::Block).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Block {
    /// Whose messages.
    pub name: String,
    /// Whether they are refused from now on.
    pub blocked: bool,
}

/// See [`ServerFrame::Blocked`](super::ServerFrame::Blocked).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Blocked {
    /// As asked.
    pub name: String,
    /// As asked.
    pub blocked: bool,
    /// Whether it is so now, durably.
    pub done: bool,
}

impl From<OpenLane> for wire::OpenLane {
    fn from(open: OpenLane) -> Self {
        Self {
            lane: open.lane,
            store: open.store.as_bytes().to_vec(),
            to: open.to,
            key: optional(open.key.as_ref().map(RemoteKey::as_bytes)),
            lowest: open.lowest,
        }
    }
}

impl TryFrom<wire::OpenLane> for OpenLane {
    type Error = Malformed;

    fn try_from(open: wire::OpenLane) -> Result<Self, Malformed> {
        Ok(Self {
            lane: open.lane,
            store: id("store", &open.store)?,
            to: at_most("to", open.to, MAX_NAME_BYTES)?,
            key: optional_id("key", &open.key)?,
            lowest: open.lowest,
        })
    }
}

impl From<LaneOpened> for wire::LaneOpened {
    fn from(opened: LaneOpened) -> Self {
        Self {
            lane: opened.lane,
            recipient: Some(opened.recipient.into()),
            accepted: opened.accepted,
            accepted_id: optional(opened.accepted_id.as_ref().map(MessageId::as_bytes)),
            stored: opened.stored,
            settled: opened.settled,
            failures: encode_failures(opened.failures),
        }
    }
}

impl TryFrom<wire::LaneOpened> for LaneOpened {
    type Error = Malformed;

    fn try_from(opened: wire::LaneOpened) -> Result<Self, Malformed> {
        Ok(Self {
            lane: opened.lane,
            recipient: person("recipient", opened.recipient)?,
            accepted: opened.accepted,
            accepted_id: optional_id("accepted_id", &opened.accepted_id)?,
            stored: opened.stored,
            settled: opened.settled,
            failures: decode_failures(opened.failures)?,
        })
    }
}

impl From<LaneRefused> for wire::LaneRefused {
    fn from(refused: LaneRefused) -> Self {
        Self {
            lane: refused.lane,
            code: refused.code.into(),
            holder: refused.holder.map(Into::into),
            retry_in_ms: refused.retry_in_ms,
        }
    }
}

impl TryFrom<wire::LaneRefused> for LaneRefused {
    type Error = Malformed;

    fn try_from(refused: wire::LaneRefused) -> Result<Self, Malformed> {
        let holder = refused.holder.clone();
        Ok(Self {
            lane: refused.lane,
            code: refused.code(),
            holder: match holder {
                Some(holder) => Some(person("holder", Some(holder))?),
                None => None,
            },
            retry_in_ms: refused.retry_in_ms,
        })
    }
}

impl From<PrivateMessage> for wire::PrivateMessage {
    fn from(message: PrivateMessage) -> Self {
        Self {
            lane: message.lane,
            number: message.number,
            id: message.id.as_bytes().to_vec(),
            sent_at_ms: message.sent_at_ms,
            envelope: message.envelope,
        }
    }
}

impl TryFrom<wire::PrivateMessage> for PrivateMessage {
    type Error = Malformed;

    fn try_from(message: wire::PrivateMessage) -> Result<Self, Malformed> {
        Ok(Self {
            lane: message.lane,
            number: message.number,
            id: id("id", &message.id)?,
            sent_at_ms: message.sent_at_ms,
            envelope: envelope_within_limit(message.envelope)?,
        })
    }
}

impl From<LaneProgress> for wire::LaneProgress {
    fn from(progress: LaneProgress) -> Self {
        Self {
            lane: progress.lane,
            stored: progress.stored,
            settled: progress.settled,
            failures: encode_failures(progress.failures),
        }
    }
}

impl TryFrom<wire::LaneProgress> for LaneProgress {
    type Error = Malformed;

    fn try_from(progress: wire::LaneProgress) -> Result<Self, Malformed> {
        Ok(Self {
            lane: progress.lane,
            stored: progress.stored,
            settled: progress.settled,
            failures: decode_failures(progress.failures)?,
        })
    }
}

impl From<OutcomesNoted> for wire::OutcomesNoted {
    fn from(noted: OutcomesNoted) -> Self {
        Self {
            lane: noted.lane,
            up_to: noted.up_to,
        }
    }
}

impl From<wire::OutcomesNoted> for OutcomesNoted {
    fn from(noted: wire::OutcomesNoted) -> Self {
        Self {
            lane: noted.lane,
            up_to: noted.up_to,
        }
    }
}

impl From<PrivateRefused> for wire::PrivateRefused {
    fn from(refused: PrivateRefused) -> Self {
        Self {
            lane: refused.lane,
            expected: refused.expected,
            code: refused.code.into(),
            retry_in_ms: refused.retry_in_ms,
        }
    }
}

impl From<wire::PrivateRefused> for PrivateRefused {
    fn from(refused: wire::PrivateRefused) -> Self {
        Self {
            lane: refused.lane,
            expected: refused.expected,
            code: refused.code(),
            retry_in_ms: refused.retry_in_ms,
        }
    }
}

impl From<IncomingLane> for wire::IncomingLane {
    fn from(lane: IncomingLane) -> Self {
        Self {
            lane: lane.lane,
            from: Some(lane.from.into()),
            store: lane.store.as_bytes().to_vec(),
            settled: lane.settled,
        }
    }
}

impl TryFrom<wire::IncomingLane> for IncomingLane {
    type Error = Malformed;

    fn try_from(lane: wire::IncomingLane) -> Result<Self, Malformed> {
        Ok(Self {
            lane: lane.lane,
            from: person("from", lane.from)?,
            store: id("store", &lane.store)?,
            settled: lane.settled,
        })
    }
}

impl From<IncomingPrivate> for wire::IncomingPrivate {
    fn from(message: IncomingPrivate) -> Self {
        Self {
            lane: message.lane,
            number: message.number,
            id: message.id.as_bytes().to_vec(),
            sent_at_ms: message.sent_at_ms,
            envelope: message.envelope,
            dropped: message.dropped.unwrap_or_default().into(),
        }
    }
}

impl TryFrom<wire::IncomingPrivate> for IncomingPrivate {
    type Error = Malformed;

    fn try_from(message: wire::IncomingPrivate) -> Result<Self, Malformed> {
        // One of a later version is a reason all the same.
        let dropped = message.dropped != i32::from(FailureCode::Unspecified);
        Ok(Self {
            lane: message.lane,
            number: message.number,
            id: id("id", &message.id)?,
            sent_at_ms: message.sent_at_ms,
            dropped: dropped.then(|| message.dropped()),
            envelope: envelope_within_limit(message.envelope)?,
        })
    }
}

impl From<Acknowledge> for wire::Acknowledge {
    fn from(acknowledge: Acknowledge) -> Self {
        Self {
            lane: acknowledge.lane,
            up_to: acknowledge.up_to,
            unreadable: acknowledge.unreadable,
        }
    }
}

impl TryFrom<wire::Acknowledge> for Acknowledge {
    type Error = Malformed;

    fn try_from(acknowledge: wire::Acknowledge) -> Result<Self, Malformed> {
        let unreadable = acknowledge.unreadable;
        check_length("unreadable", unreadable.len(), MAX_UNACKNOWLEDGED)?;
        Ok(Self {
            lane: acknowledge.lane,
            up_to: acknowledge.up_to,
            unreadable,
        })
    }
}

impl From<Block> for wire::Block {
    fn from(block: Block) -> Self {
        Self {
            name: block.name,
            blocked: block.blocked,
        }
    }
}

impl TryFrom<wire::Block> for Block {
    type Error = Malformed;

    fn try_from(block: wire::Block) -> Result<Self, Malformed> {
        Ok(Self {
            name: at_most("name", block.name, MAX_NAME_BYTES)?,
            blocked: block.blocked,
        })
    }
}

impl From<Blocked> for wire::Blocked {
    fn from(blocked: Blocked) -> Self {
        Self {
            name: blocked.name,
            blocked: blocked.blocked,
            done: blocked.done,
        }
    }
}

impl TryFrom<wire::Blocked> for Blocked {
    type Error = Malformed;

    fn try_from(blocked: wire::Blocked) -> Result<Self, Malformed> {
        Ok(Self {
            name: at_most("name", blocked.name, MAX_NAME_BYTES)?,
            blocked: blocked.blocked,
            done: blocked.done,
        })
    }
}

fn encode_failures(failures: Vec<Failure>) -> Vec<wire::Failure> {
    let encode = |failure: Failure| wire::Failure {
        number: failure.number,
        code: failure.code.into(),
    };
    failures.into_iter().map(encode).collect()
}

fn decode_failures(failures: Vec<wire::Failure>) -> Result<Vec<Failure>, Malformed> {
    check_length("failures", failures.len(), MAX_FAILURES_PER_FRAME)?;
    let decode = |failure: wire::Failure| Failure {
        number: failure.number,
        code: failure.code(),
    };
    Ok(failures.into_iter().map(decode).collect())
}

fn envelope_within_limit(envelope: Vec<u8>) -> Result<Vec<u8>, Malformed> {
    check_length("envelope", envelope.len(), MAX_ENVELOPE).map(|()| envelope)
}
