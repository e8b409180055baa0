//! Frames and the contents of datagrams, as values whose lengths and counts have been checked.
//! Encoding and decoding go through [`crate::wire`]; `docs/protocol.md` §Frames says what each means.

use prost::Message;

use crate::framing::{FrameTooLong, encode_frame};
use crate::id::{ConnectionId, LogId, MessageId, RemoteKey, SessionId, Signature, WrongLength};
use crate::limits::{
    MAX_HISTORY, MAX_PEOPLE_PER_FRAME, MAX_RANGES, MAX_SOFTWARE, MAX_TEXT, MAX_UNACKNOWLEDGED,
};
use crate::wire;

pub use wire::{ClosingCode, FailureCode, RefusalCode};

/// Bytes of UTF-8 that a name takes at most: 32 characters of four.
const MAX_NAME_BYTES: usize = 128;

/// Bytes that a private message's envelope adds to its text at most.
const ENVELOPE_OVERHEAD: usize = 1024;

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
    /// A message for one person.
    Private(PrivateMessage),
    /// Incoming private messages have been taken.
    Acknowledge(Acknowledge),
    /// A message for everyone that did not go by datagram.
    Global(GlobalMessage),
    /// Numbers of the log that did not come; at most [`MAX_RANGES`] ranges.
    GlobalRequest(Vec<Range>),
    /// No datagrams come from the server any more.
    DatagramsLost,
    /// Asks for a datagram.
    DatagramProbe,
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
    /// A message from one person.
    Private(IncomingPrivate),
    /// What became of a message.
    Outcome(Outcome),
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

/// See [`ClientFrame::Private`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PrivateMessage {
    /// Drawn by the sender.
    pub id: MessageId,
    /// The recipient's name.
    pub to: String,
    /// By the sender's clock, in milliseconds since 1970.
    pub sent_at_ms: i64,
    /// An encoded [`Envelope`].
    pub envelope: Vec<u8>,
}

/// See [`ServerFrame::Private`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IncomingPrivate {
    /// Counts within the recipient's session, from 1.
    pub number: u64,
    /// The sender.
    pub from: Person,
    /// Drawn by the sender.
    pub id: MessageId,
    /// By the sender's clock, in milliseconds since 1970.
    pub sent_at_ms: i64,
    /// An encoded [`Envelope`].
    pub envelope: Vec<u8>,
}

/// See [`ClientFrame::Acknowledge`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Acknowledge {
    /// Everything up to this number has been taken,
    pub up_to: u64,
    /// but for these, which could not be read. At most
    /// [`MAX_UNACKNOWLEDGED`].
    pub unreadable: Vec<u64>,
}

/// What a private message carries, for the two people alone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Envelope {
    /// The text itself.
    Text(String),
}

/// What became of a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// The message.
    pub id: MessageId,
    /// Delivered, or why not.
    pub result: Result<(), FailureCode>,
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
            }),
            Self::DatagramConfirm(check) => Body::DatagramConfirm(wire::DatagramConfirm { check }),
            Self::Private(message) => Body::Private(wire::PrivateMessage {
                id: message.id.as_bytes().to_vec(),
                to: message.to,
                sent_at_ms: message.sent_at_ms,
                envelope: message.envelope,
            }),
            Self::Acknowledge(Acknowledge { up_to, unreadable }) => {
                Body::Acknowledge(wire::Acknowledge { up_to, unreadable })
            }
            Self::Global(message) => Body::Global(message.into()),
            Self::GlobalRequest(ranges) => Body::GlobalRequest(wire::GlobalRequest {
                ranges: ranges.into_iter().map(Into::into).collect(),
            }),
            Self::DatagramsLost => Body::DatagramsLost(wire::DatagramsLost {}),
            Self::DatagramProbe => Body::DatagramProbe(wire::DatagramProbe {}),
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
            }),
            Body::DatagramConfirm(confirm) => Self::DatagramConfirm(confirm.check),
            Body::Private(message) => Self::Private(PrivateMessage {
                id: id("id", &message.id)?,
                to: at_most("to", message.to, MAX_NAME_BYTES)?,
                sent_at_ms: message.sent_at_ms,
                envelope: envelope_within_limit(message.envelope)?,
            }),
            Body::Acknowledge(wire::Acknowledge { up_to, unreadable }) => {
                check_length("unreadable", unreadable.len(), MAX_UNACKNOWLEDGED)?;
                Self::Acknowledge(Acknowledge { up_to, unreadable })
            }
            Body::Global(message) => Self::Global(message.try_into()?),
            Body::GlobalRequest(request) => {
                check_length("ranges", request.ranges.len(), MAX_RANGES)?;
                let ranges = request.ranges.into_iter().map(TryInto::try_into);
                Self::GlobalRequest(ranges.collect::<Result<_, _>>()?)
            }
            Body::DatagramsLost(_) => Self::DatagramsLost,
            Body::DatagramProbe(_) => Self::DatagramProbe,
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
            Self::Private(message) => Body::Private(wire::IncomingPrivate {
                number: message.number,
                from: Some(message.from.into()),
                id: message.id.as_bytes().to_vec(),
                sent_at_ms: message.sent_at_ms,
                envelope: message.envelope,
            }),
            Self::Outcome(outcome) => Body::Outcome(wire::Outcome {
                id: outcome.id.as_bytes().to_vec(),
                result: Some(match outcome.result {
                    Ok(()) => wire::outcome::Result::Delivered(true),
                    Err(code) => wire::outcome::Result::Failed(code.into()),
                }),
            }),
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
            }),
            Self::ProbeHeard(nonce) => Body::ProbeHeard(wire::ProbeHeard { nonce }),
            Self::PathUnconfirmed => Body::PathUnconfirmed(wire::PathUnconfirmed {}),
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
            Body::Private(message) => Self::Private(IncomingPrivate {
                number: message.number,
                from: person("from", message.from)?,
                id: id("id", &message.id)?,
                sent_at_ms: message.sent_at_ms,
                envelope: envelope_within_limit(message.envelope)?,
            }),
            Body::Outcome(outcome) => Self::Outcome(Outcome {
                id: id("id", &outcome.id)?,
                result: match outcome.result {
                    Some(wire::outcome::Result::Delivered(_)) => Ok(()),
                    Some(wire::outcome::Result::Failed(code)) => {
                        Err(FailureCode::try_from(code).unwrap_or(FailureCode::Unspecified))
                    }
                    // A result of a later version: not delivered, as far as this one can tell.
                    None => Err(FailureCode::Unspecified),
                },
            }),
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
            }),
            Body::ProbeHeard(heard) => Self::ProbeHeard(heard.nonce),
            Body::PathUnconfirmed(_) => Self::PathUnconfirmed,
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

impl Envelope {
    /// The bytes that a private message carries.
    pub fn encode(self) -> Vec<u8> {
        let Self::Text(text) = self;
        let content = Some(wire::envelope::Content::Text(text));
        wire::Envelope { content }.encode_to_vec()
    }

    /// Reads what a private message carried. `None` is an envelope of a later version.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn decode(bytes: &[u8]) -> Result<Option<Self>, Malformed> {
        Ok(match wire::Envelope::decode(bytes)?.content {
            None => None,
            Some(wire::envelope::Content::Text(text)) => {
                Some(Self::Text(at_most("text", text, MAX_TEXT)?))
            }
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

fn id<'a, T: TryFrom<&'a [u8], Error = WrongLength>>(
    field: &'static str,
    bytes: &'a [u8],
) -> Result<T, Malformed> {
    T::try_from(bytes).map_err(|source| Malformed::Id { field, source })
}

fn at_most(field: &'static str, text: String, limit: usize) -> Result<String, Malformed> {
    check_length(field, text.len(), limit).map(|()| text)
}

fn envelope_within_limit(envelope: Vec<u8>) -> Result<Vec<u8>, Malformed> {
    let limit = MAX_TEXT.saturating_add(ENVELOPE_OVERHEAD);
    check_length("envelope", envelope.len(), limit).map(|()| envelope)
}

fn check_length(field: &'static str, length: usize, limit: usize) -> Result<(), Malformed> {
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
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::framing::FrameSplitter;

    fn person_named(name: &str) -> Person {
        Person {
            name: name.into(),
            key: RemoteKey::from_bytes([7; 32]),
        }
    }

    fn global(text: &str) -> GlobalMessage {
        GlobalMessage {
            id: MessageId::from_bytes([1; 16]),
            sent_at_ms: -5,
            text: text.into(),
            signature: Signature::from_bytes([2; 64]),
        }
    }

    fn client_round_trip(frame: ClientFrame) {
        let mut bytes = Vec::new();
        frame.clone().encode(&mut bytes).unwrap();
        assert_eq!(ClientFrame::decode(&bytes[4..]).unwrap(), Some(frame));
    }

    fn server_round_trip(frame: ServerFrame) {
        let mut bytes = Vec::new();
        frame.clone().encode(&mut bytes).unwrap();
        assert_eq!(ServerFrame::decode(&bytes[4..]).unwrap(), Some(frame));
    }

    #[test]
    fn every_client_frame_goes_there_and_back() {
        client_round_trip(ClientFrame::Hello(Hello {
            version_min: 1,
            version_max: 2,
            name: "Conceição".into(),
            software: "recado 0.1.0".into(),
        }));
        client_round_trip(ClientFrame::DatagramConfirm(vec![3; 16]));
        client_round_trip(ClientFrame::Private(PrivateMessage {
            id: MessageId::from_bytes([1; 16]),
            to: "B".into(),
            sent_at_ms: i64::MAX,
            envelope: Envelope::Text("Olá, B!".into()).encode(),
        }));
        client_round_trip(ClientFrame::Acknowledge(Acknowledge {
            up_to: u64::MAX,
            unreadable: vec![1, 300],
        }));
        client_round_trip(ClientFrame::Global(global("Olá, todos!")));
        client_round_trip(ClientFrame::GlobalRequest(vec![Range {
            first: 1,
            last: u64::MAX,
        }]));
        client_round_trip(ClientFrame::DatagramsLost);
        client_round_trip(ClientFrame::DatagramProbe);
    }

    #[test]
    fn every_server_frame_goes_there_and_back() {
        server_round_trip(ServerFrame::Welcome(Welcome {
            version: 1,
            session: SessionId::from_bytes([4; 16]),
            connection: ConnectionId(u64::MAX),
            datagram_check: vec![5; 16],
            name: "A".into(),
            log: LogId::from_bytes([6; 8]),
            log_sequence: 9,
        }));
        server_round_trip(ServerFrame::Refused(Refused {
            code: RefusalCode::NameConfusable,
            rule: String::new(),
            resembles: "Al".into(),
            retry_in_ms: 1,
        }));
        let people = vec![person_named("A"), person_named("B")];
        server_round_trip(ServerFrame::Roster(Roster {
            people: people.clone(),
            last: true,
        }));
        server_round_trip(ServerFrame::Presence(Presence {
            joined: people,
            left: vec![],
        }));
        server_round_trip(ServerFrame::Private(IncomingPrivate {
            number: 1,
            from: person_named("A"),
            id: MessageId::from_bytes([1; 16]),
            sent_at_ms: 0,
            envelope: vec![1, 2, 3],
        }));
        for result in [Ok(()), Err(FailureCode::NotConnected)] {
            server_round_trip(ServerFrame::Outcome(Outcome {
                id: MessageId::from_bytes([1; 16]),
                result,
            }));
        }
        server_round_trip(ServerFrame::Global(IncomingGlobal {
            sequence: 1,
            from: person_named("A"),
            message: global("Olá, todos!"),
        }));
        server_round_trip(ServerFrame::Closing(Closing {
            code: ClosingCode::TakenOver,
            detail: "another session".into(),
        }));
        server_round_trip(ServerFrame::GlobalHead(u64::MAX));
        server_round_trip(ServerFrame::GlobalGone(Range { first: 3, last: 3 }));
        server_round_trip(ServerFrame::GlobalHistory(vec![IncomingGlobal {
            sequence: 1,
            from: person_named("A"),
            message: global("Olá, todos!"),
        }]));
        server_round_trip(ServerFrame::GlobalRefused(GlobalRefused {
            id: MessageId::from_bytes([1; 16]),
            retry_in_ms: 20,
        }));
        server_round_trip(ServerFrame::ProbeHeard(7));
        server_round_trip(ServerFrame::PathUnconfirmed);
    }

    #[test]
    fn datagrams_go_there_and_back() {
        let datagram = ClientDatagram::Probe(Probe {
            nonce: 1,
            challenge: u64::MAX,
            report: true,
        });
        let read = ClientDatagram::decode(&datagram.clone().encode()).unwrap();
        assert_eq!(read, Some(datagram));
        let datagram = ServerDatagram::ProbeAnswer(ProbeAnswer {
            nonce: 1,
            challenge: 2,
            confirmed: true,
        });
        let read = ServerDatagram::decode(&datagram.clone().encode()).unwrap();
        assert_eq!(read, Some(datagram));
    }

    #[test]
    fn a_body_of_a_later_version_is_ignored() {
        // Field 1000, length-delimited, empty.
        assert!(matches!(ClientFrame::decode(&[0xc2, 0x3e, 0]), Ok(None)));
        assert!(matches!(ServerFrame::decode(&[0xc2, 0x3e, 0]), Ok(None)));
    }

    #[test]
    fn limits_are_held() {
        let backwards = wire::Range { first: 2, last: 1 };
        assert!(matches!(
            Range::try_from(backwards),
            Err(Malformed::Backwards)
        ));
        let mut bytes = Vec::new();
        let range = Range { first: 1, last: 1 };
        let many = ClientFrame::GlobalRequest(vec![range; MAX_RANGES + 1]);
        many.encode(&mut bytes).unwrap();
        assert!(ClientFrame::decode(&bytes[4..]).is_err());
        bytes.clear();
        let long = "x".repeat(MAX_TEXT + 1);
        ClientFrame::Global(global(&long))
            .encode(&mut bytes)
            .unwrap();
        let refused = ClientFrame::decode(&bytes[4..]);
        assert!(matches!(
            refused,
            Err(Malformed::TooLong { field: "text", .. })
        ));

        bytes.clear();
        let full = Roster {
            people: vec![person_named(&"\u{10348}".repeat(32)); MAX_PEOPLE_PER_FRAME],
            last: false,
        };
        server_round_trip(ServerFrame::Roster(full));
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let _ = ClientFrame::decode(&bytes);
            let _ = ServerFrame::decode(&bytes);
            let _ = ClientDatagram::decode(&bytes);
            let _ = ServerDatagram::decode(&bytes);
            let _ = Envelope::decode(&bytes);
            let _ = FrameSplitter::default().push(&bytes, |frame| {
                ClientFrame::decode(frame).map(drop)
            });
        }
    }
}
