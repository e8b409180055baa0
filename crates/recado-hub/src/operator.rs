//! What the operator decides, and what they are told: the words in which the hub, the backend and the admin socket
//! speak of it. [`Hub`](crate::Hub) takes a command as an event; what it changes is in effect once it is durable.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use recado_proto::frame::Person;
use recado_proto::id::RemoteKey;
use recado_proto::ticket::TicketHash;

use crate::backend::Dropped;
use crate::limit::Limit;
use crate::session::SessionNumber;

/// Bans of each kind, and mutes: more than a community has trouble-makers; 10,000 take about 2 MiB.
pub const MAX_RESTRICTIONS: usize = 10_000;

/// Tickets that are kept, those that have expired of late included: one for each of a school, several times over.
pub const MAX_INVITES: usize = 10_000;

/// How long a ticket that has expired is still listed.
pub const KEEP_EXPIRED: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// A command's number: its answer carries it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct OperatorNumber(pub u64);

/// What the operator wants.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OperatorCommand {
    /// Tells who has a name, by name.
    List {
        /// Those behind this one, case-mapped; all where it is empty.
        after: String,
        /// Only those who are here.
        here: bool,
        /// At most so many.
        most: usize,
    },
    /// Ends someone's session.
    Kick(Who),
    /// Keeps someone out, and ends their session.
    Ban(BanTarget),
    /// Lets them in again.
    Unban(BanTarget),
    /// Refuses what someone writes.
    Mute(Who),
    /// Takes it again.
    Unmute(Who),
    /// Tells who is banned and who is muted.
    Restrictions,
    /// Takes a name from its key: anyone may have it.
    Release(String),
    /// Tells how much there may be.
    Limits,
    /// Changes it.
    SetLimit {
        /// Of what.
        limit: Limit,
        /// How much; `None` is what it is unless the operator says otherwise.
        value: Option<u64>,
    },
    /// Counts what there is.
    Stats,
    /// Makes a ticket.
    Invite(NewInvite),
    /// Tells which there are.
    Invites,
    /// Takes one back.
    Revoke(InviteNumber),
}

/// A person, as the operator names them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Who {
    /// By their name, in any case.
    Name(String),
    /// By their key, whether it has a name or not.
    Key(RemoteKey),
}

/// Whom a ban is for, as the operator names them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BanTarget {
    /// The key of whoever has this name; where nobody has it, the name: nobody gets it then.
    Name(String),
    /// A key.
    Key(RemoteKey),
    /// Whoever comes from there.
    Network(IpNet),
}

/// What is banned.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Banned {
    /// A key; its name is empty where it has none.
    Key(Person),
    /// A name that nobody has, as typed.
    Name(String),
    /// Addresses.
    Network(IpNet),
}

/// A ban that stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ban {
    /// Of what.
    pub banned: Banned,
    /// Since when, in seconds since 1970, for people to read.
    pub since: u64,
}

/// Someone who is muted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mute {
    /// Who; their name is empty where they have none.
    pub person: Person,
    /// Since when, in seconds since 1970, for people to read.
    pub since: u64,
}

/// A ticket's number, never used again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct InviteNumber(pub u64);

/// A ticket to be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NewInvite {
    /// Of its secret, which the shell has drawn.
    pub hash: TicketHash,
    /// How many keys it admits.
    pub uses: u32,
    /// For how long.
    pub lifetime: Duration,
}

/// A ticket as it stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Invite {
    /// Its number.
    pub number: InviteNumber,
    /// How many keys it admits.
    pub uses: u32,
    /// How many it has admitted.
    pub used: u32,
    /// When it was made, in seconds since 1970.
    pub made_at: u64,
    /// When it expires, in seconds since 1970; or sooner, where the server's clock was set back meanwhile.
    pub expires_at: u64,
    /// Whether it has expired.
    pub has_expired: bool,
}

/// All that the hub must know of the operator's decisions before it lets anyone in.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Decisions {
    /// Who is kept out.
    pub bans: Vec<Ban>,
    /// Whose messages are refused.
    pub mutes: Vec<Mute>,
    /// How much there may be, where it is not what it is by itself.
    pub limits: Vec<(Limit, u64)>,
}

/// What the operator asks of durable state.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OperatorRequest {
    /// Finds someone who has a name.
    Find(Who),
    /// Writes a ban down. What waits for a key that is banned is dropped.
    Ban(BanTarget),
    /// Takes it back.
    Unban(BanTarget),
    /// Writes a mute down.
    Mute(Who),
    /// Takes it back.
    Unmute(Who),
    /// Takes the name, case-mapped, from its key. What waits for the key is dropped.
    Release(String),
    /// Writes down how much there may be.
    SetLimit {
        /// Of what.
        limit: Limit,
        /// How much; `None` forgets it.
        value: Option<u64>,
    },
    /// Reads names, in the order of their case-mapped forms.
    Names {
        /// Those behind this one.
        after: String,
        /// At most so many.
        most: usize,
    },
    /// Counts.
    Count,
    /// Writes a ticket down, and forgets those that expired long ago.
    Invite(NewInvite),
    /// Reads those there are.
    Invites,
    /// Forgets one.
    Revoke(InviteNumber),
}

/// What came of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OperatorRecord {
    /// To [`OperatorRequest::Find`].
    Found(Person),
    /// To [`OperatorRequest::Ban`].
    Banned {
        /// The ban, also where it stood before.
        ban: Ban,
        /// What had waited for the key.
        dropped: Vec<Dropped>,
    },
    /// To [`OperatorRequest::Unban`].
    Unbanned(Banned),
    /// To [`OperatorRequest::Mute`].
    Muted(Mute),
    /// To [`OperatorRequest::Unmute`].
    Unmuted(Person),
    /// To [`OperatorRequest::Release`].
    Released {
        /// Whose name it was.
        person: Person,
        /// What had waited for them.
        dropped: Vec<Dropped>,
    },
    /// To [`OperatorRequest::SetLimit`], as asked.
    LimitSet {
        /// Of what.
        limit: Limit,
        /// How much.
        value: Option<u64>,
    },
    /// To [`OperatorRequest::Names`].
    Names(Vec<NameRecord>),
    /// To [`OperatorRequest::Count`].
    Counted(Counts),
    /// To [`OperatorRequest::Invite`].
    Invited(Invite),
    /// To [`OperatorRequest::Invites`], by number.
    Invites(Vec<Invite>),
    /// To [`OperatorRequest::Revoke`].
    Revoked(InviteNumber),
}

/// A name that someone has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NameRecord {
    /// Who.
    pub person: Person,
    /// The name case-mapped.
    pub folded: String,
    /// Since when, in seconds since 1970, for people to read.
    pub claimed_at: u64,
}

/// How much is durable.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Names that someone has.
    pub names: u64,
    /// Lanes.
    pub lanes: u64,
    /// Messages that wait, voids and dropped ones included.
    pub waiting: u64,
    /// Failures that their senders have not noted.
    pub failures: u64,
    /// Tickets.
    pub invites: u64,
    /// How long servers have run with this in all, in seconds.
    pub running: u64,
}

/// Why nothing was done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OperatorError {
    /// Nobody has the name.
    #[error("nobody has that name")]
    NoSuchName,
    /// They have no session.
    #[error("they are not here")]
    NotHere,
    /// There is no such ban.
    #[error("there is no such ban")]
    NotBanned,
    /// They are not muted.
    #[error("they are not muted")]
    NotMuted,
    /// There is no such ticket.
    #[error("there is no such ticket")]
    NoSuchInvite,
    /// It can be no name.
    #[error("that can be no name")]
    NotAName,
    /// There are as many as may be: take some back.
    #[error("there are as many of these as may be")]
    TooMany,
    /// It was given when the server was started.
    #[error("that was set when the server was started")]
    Fixed,
    /// A limit cannot be so much.
    #[error("it may be from {least} to {most}")]
    OutOfRange {
        /// At least.
        least: u64,
        /// At most.
        most: u64,
    },
    /// It could not be made durable, or not be read.
    #[error("the database cannot do it now")]
    Unavailable,
}

/// What the operator is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OperatorAnswer {
    /// To [`OperatorCommand::List`].
    People {
        /// Those there are.
        people: Vec<PersonStanding>,
        /// Where to go on, if there may be more.
        next: Option<String>,
    },
    /// To [`OperatorCommand::Kick`].
    Kicked(Person),
    /// To [`OperatorCommand::Ban`].
    Banned {
        /// The ban.
        ban: Ban,
        /// How many messages had waited for the key, and were dropped.
        dropped: u64,
        /// How many sessions it ended.
        ended: u64,
    },
    /// To [`OperatorCommand::Unban`].
    Unbanned(Banned),
    /// To [`OperatorCommand::Mute`].
    Muted(Person),
    /// To [`OperatorCommand::Unmute`].
    Unmuted(Person),
    /// To [`OperatorCommand::Restrictions`].
    Restrictions {
        /// Who is kept out.
        bans: Vec<Ban>,
        /// Whose messages are refused.
        mutes: Vec<Mute>,
    },
    /// To [`OperatorCommand::Release`].
    Released {
        /// Whose name it was.
        person: Person,
        /// How many messages had waited for them, and were dropped.
        dropped: u64,
    },
    /// To [`OperatorCommand::Limits`], and to [`OperatorCommand::SetLimit`] the one that was set.
    Limits(Vec<LimitStanding>),
    /// To [`OperatorCommand::Stats`].
    Stats(Stats),
    /// To [`OperatorCommand::Invite`].
    Invited(Invite),
    /// To [`OperatorCommand::Invites`].
    Invites(Vec<Invite>),
    /// To [`OperatorCommand::Revoke`].
    Revoked(InviteNumber),
}

/// Someone who has a name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PersonStanding {
    /// Who.
    pub person: Person,
    /// Since when they have the name, in seconds since 1970; not known of one whose name was not asked for.
    pub claimed_at: Option<u64>,
    /// Their session, if they are here.
    pub session: Option<SessionStanding>,
    /// Whether their key is banned.
    pub banned: bool,
    /// Whether they are muted.
    pub muted: bool,
}

/// A session as it stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SessionStanding {
    /// Its number.
    pub number: SessionNumber,
    /// Where it comes from.
    pub address: IpAddr,
    /// For how long it has been here.
    pub lasts: Duration,
    /// Whether datagrams reach it.
    pub by_datagram: bool,
}

/// How much there may be of something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LimitStanding {
    /// Of what.
    pub limit: Limit,
    /// How much.
    pub value: u64,
    /// How much by itself.
    pub default: u64,
    /// Who says so.
    pub source: LimitSource,
}

/// Where a limit comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LimitSource {
    /// It is so by itself.
    Default,
    /// The operator has set it.
    Set,
    /// It was given when the server was started.
    Start,
}

/// What there is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stats {
    /// People who are here.
    pub here: u64,
    /// Sessions that have no name yet.
    pub arriving: u64,
    /// Messages to everyone since the server started.
    pub globals: u64,
    /// Who is banned, in whichever way.
    pub bans: u64,
    /// Who is muted.
    pub mutes: u64,
    /// What is durable.
    pub durable: Counts,
}
