//! Frames and the contents of datagrams, as values whose lengths and counts have been checked.
//! Encoding and decoding go through [`crate::wire`]; `docs/protocol.md` §Frames says what each means.

mod key_packages;
mod private;
mod relay;

use prost::Message;

use crate::framing::{FrameTooLong, encode_frame};
use crate::id::{ConnectionId, LogId, MessageId, RemoteKey, SessionId, Signature, WrongLength};
use crate::limits::{MAX_HISTORY, MAX_PEOPLE_PER_FRAME, MAX_RANGES, MAX_SOFTWARE, MAX_TEXT};
use crate::ticket::TicketSecret;
use crate::wire;

pub use key_packages::{
    KeyPackage, KeyPackageRefused, KeyPackagesHeld, PutKeyPackages, StoredKeyPackage,
};
pub use private::{
    Acknowledge, Block, Blocked, Failure, IncomingLane, IncomingPrivate, LaneOpened, LaneProgress,
    LaneRefused, OpenLane, OutcomesNoted, PrivateMessage, PrivateRefused,
};
pub use relay::{RelayGranted, RelayRefused, RelayRequest};
pub use wire::{
    ClosingCode, FailureCode, GlobalRefusalCode, KeyPackageRefusalCode, LaneRefusalCode,
    PrivateRefusalCode, RefusalCode, RelayRefusalCode,
};

/// Bytes of UTF-8 that a name takes at most: 32 characters of four.
pub(crate) const MAX_NAME_BYTES: usize = 128;

/// Bytes that the peer had no right to send.
#[derive(Debug, thiserror::Error)]
pub enum Malformed {
    /// Not protobuf.
    #[error("not a protobuf message")]
    Encoding(#[from] prost::DecodeError),
    /// An id of the wrong length.
    #[error("{field}: {source}")]
    Id {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        source: WrongLength,
    },
    /// A field that must be there is not.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// More than the limit.
    #[error("{field} of {length}; the most is {limit}")]
    TooLong {
        /// The field.
        field: &'static str,
        /// Its length in bytes, or its count.
        length: usize,
        /// The most allowed.
        limit: usize,
    },
    /// A field that does not have the length that it must have.
    #[error("{field} of {length} bytes")]
    Length {
        /// The field.
        field: &'static str,
        /// Its length in bytes.
        length: usize,
    },
    /// A range whose first number is above its last.
    #[error("a range that runs backwards")]
    Backwards,
    /// The frame itself is too long.
    #[error(transparent)]
    Frame(#[from] FrameTooLong),
}

/// What a client sends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ClientFrame {
    /// The first frame of a session.
    Hello(Hello),
    /// The client's datagram check.
    DatagramConfirm(Vec<u8>),
    /// Opens the way to one recipient.
    OpenLane(OpenLane),
    /// The next message of a lane.
    Private(PrivateMessage),
    /// Outcomes have been written down.
    OutcomesNoted(OutcomesNoted),
    /// Incoming private messages have been written down.
    Acknowledge(Acknowledge),
    /// Refuse someone's messages, or take them again.
    Block(Block),
    /// Asks whether the server is there.
    Ping,
    /// The client is there.
    Pong,
    /// A message for everyone that did not go by datagram.
    Global(GlobalMessage),
    /// Numbers of the log that did not come; at most [`MAX_RANGES`] ranges.
    GlobalRequest(Vec<Range>),
    /// No datagrams come from the server any more.
    DatagramsLost,
    /// Asks for a datagram.
    DatagramProbe,
    /// Asks for a relayed connection with another person.
    RelayRequest(RelayRequest),
    /// Asks which of one's own key packages the server has.
    ListKeyPackages,
    /// Key packages of one's own.
    PutKeyPackages(PutKeyPackages),
    /// Asks for a key package of the person to whom this lane leads.
    TakeKeyPackage(u32),
}

/// What a server sends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ServerFrame {
    /// The session is open.
    Welcome(Welcome),
    /// There is no session.
    Refused(Refused),
    /// Who is connected.
    Roster(Roster),
    /// Who has come and gone.
    Presence(Presence),
    /// A lane is open.
    LaneOpened(LaneOpened),
    /// A lane is not open.
    LaneRefused(LaneRefused),
    /// What became durable of a lane.
    LaneProgress(LaneProgress),
    /// A message was not taken.
    PrivateRefused(PrivateRefused),
    /// A lane that ends here.
    IncomingLane(IncomingLane),
    /// The next message of such a lane.
    Private(IncomingPrivate),
    /// The answer to [`ClientFrame::Block`].
    Blocked(Blocked),
    /// A global message that was repeated was taken long ago.
    GlobalTaken(MessageId),
    /// Asks whether the client is there.
    Ping,
    /// The server is there.
    Pong,
    /// A message to everyone.
    Global(IncomingGlobal),
    /// The server ends the session.
    Closing(Closing),
    /// The highest number given so far.
    GlobalHead(u64),
    /// Numbers asked for that are not held any more.
    GlobalGone(Range),
    /// What was said last; at most [`MAX_HISTORY`] messages.
    GlobalHistory(Vec<IncomingGlobal>),
    /// A global message was not taken.
    GlobalRefused(GlobalRefused),
    /// A probe with this nonce came.
    ProbeHeard(u64),
    /// The session's path is not confirmed any more.
    PathUnconfirmed,
    /// Both have asked: a connection may be relayed.
    RelayGranted(RelayGranted),
    /// There is no relay now.
    RelayRefused(RelayRefused),
    /// Which of one's own key packages the server has.
    KeyPackagesHeld(KeyPackagesHeld),
    /// So few are left for one use.
    KeyPackagesLow(u32),
    /// Somebody's key package.
    KeyPackage(KeyPackage),
    /// There is none.
    KeyPackageRefused(KeyPackageRefused),
    /// There are some now for this lane.
    KeyPackagesReady(u32),
}

/// What a client's datagram holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ClientDatagram {
    /// Asks for an answer along the same path.
    Probe(Probe),
    /// A message for everyone.
    Global(GlobalMessage),
}

/// What a server's datagram holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ServerDatagram {
    /// The answer to a probe.
    ProbeAnswer(ProbeAnswer),
    /// A message to everyone.
    Global(IncomingGlobal),
}

/// See [`ClientFrame::Hello`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hello {
    /// The lowest version that the client speaks.
    pub version_min: u32,
    /// The highest.
    pub version_max: u32,
    /// The name wanted, as typed; not yet checked.
    pub name: String,
    /// Program and version.
    pub software: String,
    /// The secret of a ticket that admits a new name.
    pub ticket: Option<TicketSecret>,
}

/// See [`ServerFrame::Welcome`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Welcome {
    /// The version chosen.
    pub version: u32,
    /// Part of the context of the datagram keys.
    pub session: SessionId,
    /// Names the session in datagrams.
    pub connection: ConnectionId,
    /// The server's datagram check.
    pub datagram_check: Vec<u8>,
    /// The name as first registered.
    pub name: String,
    /// The log of global messages.
    pub log: LogId,
    /// The highest number given in it.
    pub log_sequence: u64,
}

/// See [`ServerFrame::Refused`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refused {
    /// Why.
    pub code: RefusalCode,
    /// The rule that the name breaks: a machine word.
    pub rule: String,
    /// The name that stands in the way.
    pub resembles: String,
    /// When to try again, in milliseconds; 0 where waiting does not help.
    pub retry_in_ms: u64,
}

/// A name and the key that owns it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Person {
    /// As registered.
    pub name: String,
    /// Their identity key.
    pub key: RemoteKey,
}

/// See [`ServerFrame::Roster`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Roster {
    /// Some of those connected.
    pub people: Vec<Person>,
    /// Whether these are the last.
    pub last: bool,
}

/// See [`ServerFrame::Presence`].
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Presence {
    /// Who came.
    pub joined: Vec<Person>,
    /// Who went.
    pub left: Vec<Person>,
}

/// A message for everyone, as its sender made it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GlobalMessage {
    /// Drawn by the sender.
    pub id: MessageId,
    /// By the sender's clock, in milliseconds since 1970.
    pub sent_at_ms: i64,
    /// What it says.
    pub text: String,
    /// The sender's, over [`crate::global::signed_content`].
    pub signature: Signature,
}

/// A message to everyone, as the server numbered it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IncomingGlobal {
    /// Its number in the log.
    pub sequence: u64,
    /// Its sender, as the server says.
    pub from: Person,
    /// The message itself.
    pub message: GlobalMessage,
}

/// Numbers of the log of global messages, both ends included; `first` is at most `last`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Range {
    /// The lowest.
    pub first: u64,
    /// The highest.
    pub last: u64,
}

/// See [`ServerFrame::GlobalRefused`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GlobalRefused {
    /// The message.
    pub id: MessageId,
    /// When to repeat it, in milliseconds.
    pub retry_in_ms: u64,
    /// Why it was not taken.
    pub code: GlobalRefusalCode,
}

/// See [`ServerFrame::Closing`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Closing {
    /// Why.
    pub code: ClosingCode,
    /// More, in English, for a log.
    pub detail: String,
}

/// See [`ClientDatagram::Probe`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Probe {
    /// Comes back in the answer.
    pub nonce: u64,
    /// The last answer's challenge, or 0.
    pub challenge: u64,
    /// Whether a frame is to say that it came.
    pub report: bool,
}

/// See [`ServerDatagram::ProbeAnswer`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProbeAnswer {
    /// The probe's.
    pub nonce: u64,
    /// To be echoed in the next probe.
    pub challenge: u64,
    /// Whether the server sends here.
    pub confirmed: bool,
}

impl ClientFrame {
    /// Appends the frame, with its length, to `out`.
    ///
    /// # Errors
    /// [`FrameTooLong`], and `out` is as it was.
    pub fn encode(self, out: &mut Vec<u8>) -> Result<(), FrameTooLong> {
        use wire::client_frame::Body;
        let body = match self {
            Self::Hello(hello) => Body::Hello(wire::Hello {
                version_min: hello.version_min,
                version_max: hello.version_max,
                name: hello.name,
                software: hello.software,
                ticket: optional(hello.ticket.as_ref().map(TicketSecret::as_bytes)),
            }),
            Self::DatagramConfirm(check) => Body::DatagramConfirm(wire::DatagramConfirm { check }),
            Self::OpenLane(open) => Body::OpenLane(open.into()),
            Self::Private(message) => Body::Private(message.into()),
            Self::OutcomesNoted(noted) => Body::OutcomesNoted(noted.into()),
            Self::Acknowledge(acknowledge) => Body::Acknowledge(acknowledge.into()),
            Self::Block(block) => Body::Block(block.into()),
            Self::Ping => Body::Ping(wire::Ping {}),
            Self::Pong => Body::Pong(wire::Pong {}),
            Self::Global(message) => Body::Global(message.into()),
            Self::GlobalRequest(ranges) => Body::GlobalRequest(wire::GlobalRequest {
                ranges: ranges.into_iter().map(Into::into).collect(),
            }),
            Self::DatagramsLost => Body::DatagramsLost(wire::DatagramsLost {}),
            Self::DatagramProbe => Body::DatagramProbe(wire::DatagramProbe {}),
            Self::RelayRequest(request) => Body::RelayRequest(request.into()),
            Self::ListKeyPackages => Body::ListKeyPackages(wire::ListKeyPackages {}),
            Self::PutKeyPackages(put) => Body::PutKeyPackages(put.into()),
            Self::TakeKeyPackage(lane) => Body::TakeKeyPackage(wire::TakeKeyPackage { lane }),
        };
        encode_frame(out, &wire::ClientFrame { body: Some(body) })
    }

    /// Reads a frame without its length. `None` is a frame of a later version, to be ignored.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn decode(bytes: &[u8]) -> Result<Option<Self>, Malformed> {
        use wire::client_frame::Body;
        let Some(body) = wire::ClientFrame::decode(bytes)?.body else {
            return Ok(None);
        };
        Ok(Some(match body {
            Body::Hello(hello) => Self::Hello(Hello {
                version_min: hello.version_min,
                version_max: hello.version_max,
                name: hello.name,
                software: at_most("software", hello.software, MAX_SOFTWARE)?,
                ticket: optional_id("ticket", &hello.ticket)?,
            }),
            Body::DatagramConfirm(confirm) => Self::DatagramConfirm(confirm.check),
            Body::OpenLane(open) => Self::OpenLane(open.try_into()?),
            Body::Private(message) => Self::Private(message.try_into()?),
            Body::OutcomesNoted(noted) => Self::OutcomesNoted(noted.into()),
            Body::Acknowledge(acknowledge) => Self::Acknowledge(acknowledge.try_into()?),
            Body::Block(block) => Self::Block(block.try_into()?),
            Body::Ping(_) => Self::Ping,
            Body::Pong(_) => Self::Pong,
            Body::Global(message) => Self::Global(message.try_into()?),
            Body::GlobalRequest(request) => {
                check_length("ranges", request.ranges.len(), MAX_RANGES)?;
                let ranges = request.ranges.into_iter().map(TryInto::try_into);
                Self::GlobalRequest(ranges.collect::<Result<_, _>>()?)
            }
            Body::DatagramsLost(_) => Self::DatagramsLost,
            Body::DatagramProbe(_) => Self::DatagramProbe,
            Body::RelayRequest(request) => Self::RelayRequest(request.try_into()?),
            Body::ListKeyPackages(_) => Self::ListKeyPackages,
            Body::PutKeyPackages(put) => Self::PutKeyPackages(put.try_into()?),
            Body::TakeKeyPackage(take) => Self::TakeKeyPackage(take.lane),
        }))
    }
}

impl ServerFrame {
    /// Appends the frame, with its length, to `out`.
    ///
    /// # Errors
    /// [`FrameTooLong`], and `out` is as it was.
    pub fn encode(self, out: &mut Vec<u8>) -> Result<(), FrameTooLong> {
        use wire::server_frame::Body;
        let body = match self {
            Self::Welcome(welcome) => Body::Welcome(wire::Welcome {
                version: welcome.version,
                session_id: welcome.session.as_bytes().to_vec(),
                connection_id: welcome.connection.0,
                datagram_check: welcome.datagram_check,
                name: welcome.name,
                log_id: welcome.log.as_bytes().to_vec(),
                log_sequence: welcome.log_sequence,
            }),
            Self::Refused(refused) => Body::Refused(wire::Refused {
                code: refused.code.into(),
                rule: refused.rule,
                resembles: refused.resembles,
                retry_in_ms: refused.retry_in_ms,
            }),
            Self::Roster(roster) => Body::Roster(wire::Roster {
                people: roster.people.into_iter().map(Into::into).collect(),
                last: roster.last,
            }),
            Self::Presence(presence) => Body::Presence(wire::Presence {
                joined: presence.joined.into_iter().map(Into::into).collect(),
                left: presence.left.into_iter().map(Into::into).collect(),
            }),
            Self::LaneOpened(opened) => Body::LaneOpened(opened.into()),
            Self::LaneRefused(refused) => Body::LaneRefused(refused.into()),
            Self::LaneProgress(progress) => Body::LaneProgress(progress.into()),
            Self::PrivateRefused(refused) => Body::PrivateRefused(refused.into()),
            Self::IncomingLane(lane) => Body::IncomingLane(lane.into()),
            Self::Private(message) => Body::Private(message.into()),
            Self::Blocked(blocked) => Body::Blocked(blocked.into()),
            Self::GlobalTaken(id) => Body::GlobalTaken(wire::GlobalTaken {
                id: id.as_bytes().to_vec(),
            }),
            Self::Ping => Body::Ping(wire::Ping {}),
            Self::Pong => Body::Pong(wire::Pong {}),
            Self::Global(message) => Body::Global(message.into()),
            Self::Closing(closing) => Body::Closing(wire::Closing {
                code: closing.code.into(),
                detail: closing.detail,
            }),
            Self::GlobalHead(sequence) => Body::GlobalHead(wire::GlobalHead { sequence }),
            Self::GlobalGone(range) => Body::GlobalGone(wire::GlobalGone {
                range: Some(range.into()),
            }),
            Self::GlobalHistory(messages) => Body::GlobalHistory(wire::GlobalHistory {
                messages: messages.into_iter().map(Into::into).collect(),
            }),
            Self::GlobalRefused(refused) => Body::GlobalRefused(wire::GlobalRefused {
                id: refused.id.as_bytes().to_vec(),
                retry_in_ms: refused.retry_in_ms,
                code: refused.code.into(),
            }),
            Self::ProbeHeard(nonce) => Body::ProbeHeard(wire::ProbeHeard { nonce }),
            Self::PathUnconfirmed => Body::PathUnconfirmed(wire::PathUnconfirmed {}),
            Self::RelayGranted(granted) => Body::RelayGranted(granted.into()),
            Self::RelayRefused(refused) => Body::RelayRefused(refused.into()),
            Self::KeyPackagesHeld(held) => Body::KeyPackagesHeld(held.into()),
            Self::KeyPackagesLow(left) => Body::KeyPackagesLow(wire::KeyPackagesLow { left }),
            Self::KeyPackage(package) => Body::KeyPackage(package.into()),
            Self::KeyPackageRefused(refused) => Body::KeyPackageRefused(refused.into()),
            Self::KeyPackagesReady(lane) => Body::KeyPackagesReady(wire::KeyPackagesReady { lane }),
        };
        encode_frame(out, &wire::ServerFrame { body: Some(body) })
    }

    /// Reads a frame without its length. `None` is a frame of a later version, to be ignored.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn decode(bytes: &[u8]) -> Result<Option<Self>, Malformed> {
        use wire::server_frame::Body;
        let Some(body) = wire::ServerFrame::decode(bytes)?.body else {
            return Ok(None);
        };
        Ok(Some(match body {
            Body::Welcome(welcome) => Self::Welcome(Welcome {
                version: welcome.version,
                session: id("session_id", &welcome.session_id)?,
                connection: ConnectionId(welcome.connection_id),
                datagram_check: welcome.datagram_check,
                name: at_most("name", welcome.name, MAX_NAME_BYTES)?,
                log: id("log_id", &welcome.log_id)?,
                log_sequence: welcome.log_sequence,
            }),
            Body::Refused(refused) => Self::Refused(Refused {
                code: refused.code(),
                rule: at_most("rule", refused.rule, MAX_NAME_BYTES)?,
                resembles: at_most("resembles", refused.resembles, MAX_NAME_BYTES)?,
                retry_in_ms: refused.retry_in_ms,
            }),
            Body::Roster(roster) => Self::Roster(Roster {
                people: people("people", roster.people)?,
                last: roster.last,
            }),
            Body::Presence(presence) => Self::Presence(Presence {
                joined: people("joined", presence.joined)?,
                left: people("left", presence.left)?,
            }),
            Body::LaneOpened(opened) => Self::LaneOpened(opened.try_into()?),
            Body::LaneRefused(refused) => Self::LaneRefused(refused.try_into()?),
            Body::LaneProgress(progress) => Self::LaneProgress(progress.try_into()?),
            Body::PrivateRefused(refused) => Self::PrivateRefused(refused.into()),
            Body::IncomingLane(lane) => Self::IncomingLane(lane.try_into()?),
            Body::Private(message) => Self::Private(message.try_into()?),
            Body::Blocked(blocked) => Self::Blocked(blocked.try_into()?),
            Body::GlobalTaken(taken) => Self::GlobalTaken(id("id", &taken.id)?),
            Body::Ping(_) => Self::Ping,
            Body::Pong(_) => Self::Pong,
            Body::Global(message) => Self::Global(message.try_into()?),
            Body::Closing(closing) => Self::Closing(Closing {
                code: closing.code(),
                detail: closing.detail,
            }),
            Body::GlobalHead(head) => Self::GlobalHead(head.sequence),
            Body::GlobalGone(gone) => {
                Self::GlobalGone(gone.range.ok_or(Malformed::Missing("range"))?.try_into()?)
            }
            Body::GlobalHistory(history) => {
                check_length("messages", history.messages.len(), MAX_HISTORY)?;
                let messages = history.messages.into_iter().map(TryInto::try_into);
                Self::GlobalHistory(messages.collect::<Result<_, _>>()?)
            }
            Body::GlobalRefused(refused) => Self::GlobalRefused(GlobalRefused {
                id: id("id", &refused.id)?,
                retry_in_ms: refused.retry_in_ms,
                code: refused.code(),
            }),
            Body::ProbeHeard(heard) => Self::ProbeHeard(heard.nonce),
            Body::PathUnconfirmed(_) => Self::PathUnconfirmed,
            Body::RelayGranted(granted) => Self::RelayGranted(granted.try_into()?),
            Body::RelayRefused(refused) => Self::RelayRefused(refused.try_into()?),
            Body::KeyPackagesHeld(held) => Self::KeyPackagesHeld(held.try_into()?),
            Body::KeyPackagesLow(low) => Self::KeyPackagesLow(low.left),
            Body::KeyPackage(package) => Self::KeyPackage(package.try_into()?),
            Body::KeyPackageRefused(refused) => Self::KeyPackageRefused(refused.into()),
            Body::KeyPackagesReady(ready) => Self::KeyPackagesReady(ready.lane),
        }))
    }
}

impl ClientDatagram {
    /// The plaintext of a datagram.
    pub fn encode(self) -> Vec<u8> {
        use wire::client_datagram::Body;
        let body = match self {
            Self::Probe(probe) => Body::Probe(wire::Probe {
                nonce: probe.nonce,
                challenge: probe.challenge,
                report: probe.report,
            }),
            Self::Global(message) => Body::Global(message.into()),
        };
        wire::ClientDatagram { body: Some(body) }.encode_to_vec()
    }

    /// Reads the plaintext of a datagram. `None` is one of a later version, to be ignored.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn decode(bytes: &[u8]) -> Result<Option<Self>, Malformed> {
        use wire::client_datagram::Body;
        Ok(match wire::ClientDatagram::decode(bytes)?.body {
            None => None,
            Some(Body::Probe(probe)) => Some(Self::Probe(Probe {
                nonce: probe.nonce,
                challenge: probe.challenge,
                report: probe.report,
            })),
            Some(Body::Global(message)) => Some(Self::Global(message.try_into()?)),
        })
    }
}

impl ServerDatagram {
    /// The plaintext of a datagram.
    pub fn encode(self) -> Vec<u8> {
        use wire::server_datagram::Body;
        let body = match self {
            Self::ProbeAnswer(answer) => Body::ProbeAnswer(wire::ProbeAnswer {
                nonce: answer.nonce,
                challenge: answer.challenge,
                confirmed: answer.confirmed,
            }),
            Self::Global(message) => Body::Global(message.into()),
        };
        wire::ServerDatagram { body: Some(body) }.encode_to_vec()
    }

    /// Reads the plaintext of a datagram. `None` is one of a later version, to be ignored.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn decode(bytes: &[u8]) -> Result<Option<Self>, Malformed> {
        use wire::server_datagram::Body;
        Ok(match wire::ServerDatagram::decode(bytes)?.body {
            None => None,
            Some(Body::ProbeAnswer(answer)) => Some(Self::ProbeAnswer(ProbeAnswer {
                nonce: answer.nonce,
                challenge: answer.challenge,
                confirmed: answer.confirmed,
            })),
            Some(Body::Global(message)) => Some(Self::Global(message.try_into()?)),
        })
    }
}

impl From<Person> for wire::Person {
    fn from(person: Person) -> Self {
        Self {
            name: person.name,
            key: person.key.as_bytes().to_vec(),
        }
    }
}

impl From<GlobalMessage> for wire::GlobalMessage {
    fn from(message: GlobalMessage) -> Self {
        Self {
            id: message.id.as_bytes().to_vec(),
            sent_at_ms: message.sent_at_ms,
            text: message.text,
            signature: message.signature.as_bytes().to_vec(),
        }
    }
}

impl TryFrom<wire::GlobalMessage> for GlobalMessage {
    type Error = Malformed;

    fn try_from(message: wire::GlobalMessage) -> Result<Self, Malformed> {
        Ok(Self {
            id: id("id", &message.id)?,
            sent_at_ms: message.sent_at_ms,
            text: at_most("text", message.text, MAX_TEXT)?,
            signature: id("signature", &message.signature)?,
        })
    }
}

impl From<IncomingGlobal> for wire::IncomingGlobal {
    fn from(message: IncomingGlobal) -> Self {
        Self {
            sequence: message.sequence,
            from: Some(message.from.into()),
            message: Some(message.message.into()),
        }
    }
}

impl TryFrom<wire::IncomingGlobal> for IncomingGlobal {
    type Error = Malformed;

    fn try_from(message: wire::IncomingGlobal) -> Result<Self, Malformed> {
        Ok(Self {
            sequence: message.sequence,
            from: person("from", message.from)?,
            message: message
                .message
                .ok_or(Malformed::Missing("message"))?
                .try_into()?,
        })
    }
}

impl From<Range> for wire::Range {
    fn from(range: Range) -> Self {
        Self {
            first: range.first,
            last: range.last,
        }
    }
}

impl TryFrom<wire::Range> for Range {
    type Error = Malformed;

    fn try_from(range: wire::Range) -> Result<Self, Malformed> {
        if range.first > range.last {
            return Err(Malformed::Backwards);
        }
        Ok(Self {
            first: range.first,
            last: range.last,
        })
    }
}

pub(crate) fn id<'a, T: TryFrom<&'a [u8], Error = WrongLength>>(
    field: &'static str,
    bytes: &'a [u8],
) -> Result<T, Malformed> {
    T::try_from(bytes).map_err(|source| Malformed::Id { field, source })
}

/// An id that may be missing: no bytes.
fn optional_id<'a, T: TryFrom<&'a [u8], Error = WrongLength>>(
    field: &'static str,
    bytes: &'a [u8],
) -> Result<Option<T>, Malformed> {
    match bytes {
        [] => Ok(None),
        bytes => id(field, bytes).map(Some),
    }
}

fn optional<const N: usize>(bytes: Option<&[u8; N]>) -> Vec<u8> {
    bytes.map_or_else(Vec::new, |bytes| bytes.to_vec())
}

pub(crate) fn at_most(
    field: &'static str,
    text: String,
    limit: usize,
) -> Result<String, Malformed> {
    check_length(field, text.len(), limit).map(|()| text)
}

pub(crate) fn check_length(
    field: &'static str,
    length: usize,
    limit: usize,
) -> Result<(), Malformed> {
    if length > limit {
        return Err(Malformed::TooLong {
            field,
            length,
            limit,
        });
    }
    Ok(())
}

fn person(field: &'static str, person: Option<wire::Person>) -> Result<Person, Malformed> {
    let person = person.ok_or(Malformed::Missing(field))?;
    Ok(Person {
        name: at_most(field, person.name, MAX_NAME_BYTES)?,
        key: id(field, &person.key)?,
    })
}

fn people(field: &'static str, list: Vec<wire::Person>) -> Result<Vec<Person>, Malformed> {
    check_length(field, list.len(), MAX_PEOPLE_PER_FRAME)?;
    list.into_iter()
        .map(|one| person(field, Some(one)))
        .collect()
}

#[cfg(test)]
mod tests;
