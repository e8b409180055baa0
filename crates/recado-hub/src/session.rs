//! The phases of a session, each a type with only its own data: what is not joined has no way to send
//! a message.

use std::collections::VecDeque;
use std::net::IpAddr;

use recado_proto::frame::{IncomingPrivate, Person, PrivateMessage};
use recado_proto::id::{ConnectionId, MessageId, RemoteKey, SessionId};
use recado_proto::limits::{MAX_UNACKNOWLEDGED, MAX_UNACKNOWLEDGED_BYTES};
use recado_proto::name::Name;

use crate::bucket::Bucket;
use crate::hub::DatagramChecks;

/// A connection's number in this server, never used again. Given by the shell.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SessionNumber(pub u64);

/// A session, from TLS handshake to end. Boxed in every phase: an ordered map has room for half as many again as are
/// in it, and this keeps that room small.
#[derive(Debug)]
pub(crate) enum Session {
    Greeting(Box<Greeting>),
    Claiming(Box<Claiming>),
    Joined(Box<Joined>),
}

/// Connected; its Hello is awaited.
#[derive(Debug)]
pub(crate) struct Greeting {
    pub(crate) connection: Connection,
}

/// Its claim is with the backend.
#[derive(Debug)]
pub(crate) struct Claiming {
    pub(crate) connection: Connection,
    pub(crate) name: Name,
    /// Whether a token of its address was taken for a new name.
    pub(crate) token_taken: bool,
}

/// What is known of a connection before it has a name.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) key: RemoteKey,
    pub(crate) address: IpAddr,
    pub(crate) session: SessionId,
    pub(crate) id: ConnectionId,
    pub(crate) checks: DatagramChecks,
}

/// A person is here.
#[derive(Debug)]
pub(crate) struct Joined {
    pub(crate) person: Person,
    pub(crate) datagrams: Datagrams,
    pub(crate) inbox: Inbox,
    /// Its share of global messages.
    pub(crate) globals: Bucket,
}

/// How far a session's datagrams have come.
#[derive(Debug)]
pub(crate) enum Datagrams {
    /// The client has not proved that it has the keys.
    Unconfirmed(DatagramChecks),
    /// It has; its path is not confirmed.
    Keyed,
    /// Global messages reach it.
    Up,
}

/// Private messages on their way to one session.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    /// Those numbered so far.
    numbered: u64,
    /// Sent and not acknowledged, in order of number, ending in `numbered`.
    waiting: VecDeque<Waiting>,
    /// Of those that wait.
    bytes: usize,
}

/// A message that its recipient has not acknowledged.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) number: u64,
    pub(crate) sender: RemoteKey,
    pub(crate) id: MessageId,
    bytes: usize,
}

impl Inbox {
    /// Numbers a message, or says that too many wait.
    pub(crate) fn take(
        &mut self,
        from: Person,
        message: PrivateMessage,
    ) -> Option<IncomingPrivate> {
        let bytes = message.envelope.len();
        let all_bytes = self.bytes.saturating_add(bytes);
        if self.waiting.len() >= MAX_UNACKNOWLEDGED || all_bytes > MAX_UNACKNOWLEDGED_BYTES {
            return None;
        }
        self.numbered = self.numbered.checked_add(1)?;
        self.bytes = all_bytes;
        self.waiting.push_back(Waiting {
            number: self.numbered,
            sender: from.key,
            id: message.id,
            bytes,
        });
        Some(IncomingPrivate {
            number: self.numbered,
            from,
            id: message.id,
            sent_at_ms: message.sent_at_ms,
            envelope: message.envelope,
        })
    }

    /// Those that an acknowledgement covers; `None` where it covers what was never sent.
    pub(crate) fn acknowledge(&mut self, up_to: u64) -> Option<Vec<Waiting>> {
        let beyond = self.numbered.checked_sub(up_to)?;
        let stay = usize::try_from(beyond).unwrap_or(usize::MAX);
        let covered = self.waiting.len().saturating_sub(stay);
        let drained: Vec<_> = self.waiting.drain(..covered).collect();
        let bytes = drained.iter().map(|waiting| waiting.bytes).sum();
        self.bytes = self.bytes.saturating_sub(bytes);
        Some(drained)
    }

    /// All that wait still, for a session that has ended.
    pub(crate) fn into_waiting(self) -> impl Iterator<Item = Waiting> {
        self.waiting.into_iter()
    }
}
