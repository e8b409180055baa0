//! The phases of a session, each a type with only its own data: what is not joined has no way to send
//! a message.

use std::net::IpAddr;
use std::time::Duration;

use recado_proto::frame::{Hello, Person};
use recado_proto::id::{ConnectionId, RemoteKey, SessionId};
use recado_proto::name::Name;

use crate::bucket::Bucket;
use crate::event::DatagramChecks;
use crate::key_packages::Stock;
use crate::lanes::Place;

/// A connection's number in this server, never used again. Given by the shell.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SessionNumber(pub u64);

/// A session, from TLS handshake to end. Boxed in every phase: an ordered map has room for half as many again as are
/// in it, and this keeps that room small.
#[derive(Debug)]
pub(crate) enum Session {
    Greeting(Box<Greeting>),
    Waiting(Box<Waiting>),
    Claiming(Box<Claiming>),
    Joined(Box<Joined>),
}

/// Connected; its Hello is awaited.
#[derive(Debug)]
pub(crate) struct Greeting {
    pub(crate) connection: Connection,
}

/// Its Hello has come before the hub knew whom to let in.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) connection: Connection,
    pub(crate) hello: Hello,
}

/// Its claim is with the backend.
#[derive(Debug)]
pub(crate) struct Claiming {
    pub(crate) connection: Connection,
    pub(crate) name: Name,
    /// Whether a token of its address was taken for a new name.
    pub(crate) token_taken: bool,
    /// Whether it might have a new name but for the number of those from its address.
    pub(crate) is_admissible: bool,
    /// Whether nobody may have this name who has not got it.
    pub(crate) is_name_banned: bool,
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
    pub(crate) address: IpAddr,
    pub(crate) since: Duration,
    pub(crate) datagrams: Datagrams,
    /// Its share of global messages.
    pub(crate) globals: Bucket,
    /// Its private messages.
    pub(crate) place: Place,
    /// Its key packages.
    pub(crate) stock: Stock,
    /// Whether the backend is asked to block someone.
    pub(crate) blocking: bool,
    /// Whether the backend was told that the name is used.
    pub(crate) name_used: bool,
    /// When its last frame came.
    pub(crate) heard: Duration,
    /// Whether it was asked since whether it is there.
    pub(crate) pinged: bool,
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

impl Datagrams {
    pub(crate) fn is_up(&self) -> bool {
        matches!(self, Self::Up)
    }
}
