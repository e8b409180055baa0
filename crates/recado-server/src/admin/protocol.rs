//! What is said over the admin socket: one JSON object a line, a request and its answer. `docs/operations.md`
//! describes it.

use recado_hub::{
    Ban, BanTarget, Banned, Invite, LimitSource, LimitStanding, Mute, OperatorError,
    PersonStanding, Unit, Who,
};
use recado_proto::frame::Person;
use recado_proto::id::RemoteKey;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The longest request: the longest path of a backup, and as much again.
pub const MAX_REQUEST: usize = 16 * 1024;

/// People in one answer: at most some 300 bytes each.
pub const MAX_LIST: usize = 1_000;

/// What may be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// [`People`].
    List {
        /// Only those who are here.
        #[serde(default)]
        here: bool,
        /// Those behind this one: the last answer's `next`.
        #[serde(default)]
        after: String,
    },
    /// [`PersonName`].
    Kick(Target),
    /// [`BanSet`].
    Ban(Target),
    /// [`BanLifted`].
    Unban(Target),
    /// [`Bans`].
    Bans {},
    /// [`PersonName`].
    Mute(Target),
    /// [`PersonName`].
    Unmute(Target),
    /// [`Mutes`].
    Mutes {},
    /// [`Released`].
    Release {
        /// Which name.
        name: String,
    },
    /// [`Limits`].
    Limits {},
    /// [`Limits`], of the one.
    SetLimit {
        /// Which.
        limit: String,
        /// How much; `null` is what it is by itself.
        value: Option<u64>,
    },
    /// [`Stats`].
    Stats {},
    /// [`Ticket`].
    Invite {
        /// How many keys it admits.
        uses: u32,
        /// For how long.
        seconds: u64,
    },
    /// [`Invites`].
    Invites {},
    /// [`Revoked`].
    Revoke {
        /// Its number.
        invite: u64,
    },
    /// [`BackedUp`].
    Backup {
        /// Where to, in full.
        path: String,
    },
}

impl Request {
    /// Reads a line.
    ///
    /// # Errors
    /// A [`Refusal`] that says what is wrong with it.
    pub fn parse(line: &[u8]) -> Result<Self, Refusal> {
        let bad = |detail: String| Refusal::new("bad-request", detail);
        if line.len() > MAX_REQUEST {
            return Err(bad(format!("a request has at most {MAX_REQUEST} bytes")));
        }
        serde_json::from_slice(line).map_err(|error| bad(error.to_string()))
    }
}

/// Whom a command is for: exactly one of these.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// By name, in any case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// By key, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// By address, or network: `ADDRESS` or `ADDRESS/BITS`. Bans only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

/// Why nothing was done: a word for programs, and a sentence in English.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{detail}")]
pub struct Refusal {
    /// One of those in `docs/operations.md`.
    pub error: String,
    /// The same in words.
    pub detail: String,
}

impl Refusal {
    pub(crate) fn new(error: &str, detail: impl ToString) -> Self {
        Self {
            error: error.to_owned(),
            detail: detail.to_string(),
        }
    }
}

impl From<OperatorError> for Refusal {
    fn from(error: OperatorError) -> Self {
        let word = match error {
            OperatorError::NoSuchName => "no-such-name",
            OperatorError::NotHere => "not-here",
            OperatorError::NotBanned => "not-banned",
            OperatorError::NotMuted => "not-muted",
            OperatorError::NoSuchInvite => "no-such-invite",
            OperatorError::NotAName => "not-a-name",
            OperatorError::TooMany => "too-many",
            OperatorError::Fixed => "fixed",
            OperatorError::OutOfRange { .. } => "out-of-range",
            OperatorError::Unavailable => "unavailable",
        };
        Self::new(word, error)
    }
}

impl Target {
    /// Who is meant.
    pub(crate) fn who(self) -> Result<Who, Refusal> {
        match self {
            Self {
                name: Some(name),
                key: None,
                address: None,
            } => Ok(Who::Name(name)),
            Self {
                name: None,
                key: Some(key),
                address: None,
            } => parse_key(&key).map(Who::Key),
            _ => Err(Refusal::new("bad-request", "say either a name or a key")),
        }
    }

    /// What a ban is for.
    pub(crate) fn ban(self) -> Result<BanTarget, Refusal> {
        if let Self {
            name: None,
            key: None,
            address: Some(text),
        } = &self
        {
            return parse_network(text).map(BanTarget::Network);
        }
        Ok(match self.who()? {
            Who::Name(name) => BanTarget::Name(name),
            Who::Key(key) => BanTarget::Key(key),
        })
    }
}

fn parse_key(text: &str) -> Result<RemoteKey, Refusal> {
    let wrong = |_| Refusal::new("not-a-key", "a key has 64 hexadecimal digits");
    text.parse().map_err(wrong)
}

/// An IPv6 address alone is its /64: one host has all of it. Everyone is not a network.
fn parse_network(text: &str) -> Result<ipnet::IpNet, Refusal> {
    use std::net::IpAddr;

    let wrong = || Refusal::new("not-a-network", "write ADDRESS or ADDRESS/BITS");
    let network = match text.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(address @ IpAddr::V4(_)) => ipnet::IpNet::from(address),
        Ok(address @ IpAddr::V6(_)) => ipnet::IpNet::new(address, 64).map_err(|_| wrong())?,
        Err(_) => text.parse().map_err(|_| wrong())?,
    };
    if network.prefix_len() == 0 {
        let detail = "that is everyone; to let nobody new in, serve with --registration closed";
        return Err(Refusal::new("not-a-network", detail));
    }
    Ok(network.trunc())
}

/// Someone by name and key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonName {
    /// Empty where the key has none.
    pub name: String,
    /// In hexadecimal.
    pub key: String,
}

impl From<Person> for PersonName {
    fn from(person: Person) -> Self {
        Self {
            name: person.name,
            key: person.key.to_string(),
        }
    }
}

/// Those who have a name, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct People {
    /// At most [`MAX_LIST`] of them.
    pub people: Vec<PersonLine>,
    /// Where to go on; none behind the last.
    pub next: Option<String>,
}

/// Someone who has a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonLine {
    /// As first typed.
    pub name: String,
    /// In hexadecimal.
    pub key: String,
    /// Since when, RFC 3339; none where only who is here was asked for.
    pub claimed_at: Option<String>,
    /// Their session, if they are here.
    pub session: Option<SessionLine>,
    /// Whether the key is banned.
    pub banned: bool,
    /// Whether what they write is refused.
    pub muted: bool,
}

/// A session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionLine {
    /// As the log calls it.
    pub number: u64,
    /// Where it comes from.
    pub address: String,
    /// How long it has been here.
    pub seconds: u64,
    /// `udp` or `tcp`: how messages to everyone reach it.
    pub link: String,
}

impl From<PersonStanding> for PersonLine {
    fn from(standing: PersonStanding) -> Self {
        let session = standing.session.map(|session| SessionLine {
            number: session.number.0,
            address: session.address.to_canonical().to_string(),
            seconds: session.lasts.as_secs(),
            link: if session.by_datagram { "udp" } else { "tcp" }.to_owned(),
        });
        let PersonName { name, key } = standing.person.into();
        Self {
            name,
            key,
            claimed_at: standing.claimed_at.map(time_text),
            session,
            banned: standing.banned,
            muted: standing.muted,
        }
    }
}

/// What is banned; exactly one of name alone, key (and name, if it has one) and address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BanLine {
    /// A key's name, or the name itself where nobody has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// In hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// `ADDRESS/BITS`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Since when, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
}

impl From<Banned> for BanLine {
    fn from(banned: Banned) -> Self {
        let (name, key, address) = match banned {
            Banned::Key(person) => {
                let PersonName { name, key } = person.into();
                (Some(name).filter(|name| !name.is_empty()), Some(key), None)
            }
            Banned::Name(name) => (Some(name), None, None),
            Banned::Network(network) => (None, None, Some(network.to_string())),
        };
        Self {
            name,
            key,
            address,
            since: None,
        }
    }
}

impl From<Ban> for BanLine {
    fn from(ban: Ban) -> Self {
        let since = Some(time_text(ban.since));
        Self {
            since,
            ..ban.banned.into()
        }
    }
}

/// A ban that stands now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BanSet {
    /// It.
    pub ban: BanLine,
    /// Messages that had waited for the key, and were dropped.
    pub dropped: u64,
    /// Sessions that it ended.
    pub ended: u64,
}

/// A ban that stands no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BanLifted {
    /// What it was for.
    pub ban: BanLine,
}

/// All bans.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bans {
    /// Them.
    pub bans: Vec<BanLine>,
}

/// Someone who is muted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MuteLine {
    /// Empty where the key has none.
    pub name: String,
    /// In hexadecimal.
    pub key: String,
    /// Since when, RFC 3339.
    pub since: String,
}

impl From<Mute> for MuteLine {
    fn from(mute: Mute) -> Self {
        let PersonName { name, key } = mute.person.into();
        Self {
            name,
            key,
            since: time_text(mute.since),
        }
    }
}

/// All who are muted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mutes {
    /// Them.
    pub mutes: Vec<MuteLine>,
}

/// A name that is free now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Released {
    /// As it was typed.
    pub name: String,
    /// Whose it was, in hexadecimal.
    pub key: String,
    /// Messages that had waited for them, and were dropped.
    pub dropped: u64,
}

/// How much there may be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// In a fixed order.
    pub limits: Vec<LimitLine>,
}

/// How much there may be of something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitLine {
    /// Its name.
    pub limit: String,
    /// How much.
    pub value: u64,
    /// How much by itself.
    pub default: u64,
    /// `count`, `bytes` or `seconds`.
    pub unit: String,
    /// `default`, `set`, or `serve`: given when the server was started.
    pub source: String,
}

impl From<LimitStanding> for LimitLine {
    fn from(standing: LimitStanding) -> Self {
        let unit = match standing.limit.unit() {
            Unit::Count => "count",
            Unit::Bytes => "bytes",
            Unit::Seconds => "seconds",
        };
        let source = match standing.source {
            LimitSource::Default => "default",
            LimitSource::Set => "set",
            LimitSource::Start => "serve",
        };
        Self {
            limit: standing.limit.as_str().to_owned(),
            value: standing.value,
            default: standing.default,
            unit: unit.to_owned(),
            source: source.to_owned(),
        }
    }
}

/// What there is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// Of the program.
    pub version: String,
    /// Since when it has run, RFC 3339.
    pub started_at: String,
    /// How long servers have run with this data in all.
    pub running_seconds: u64,
    /// Who may register.
    pub registration: String,
    /// People who are here.
    pub here: u64,
    /// Sessions that have no name yet.
    pub arriving: u64,
    /// TCP connections.
    pub connections: u64,
    /// Messages to everyone since the start.
    pub globals: u64,
    /// Names that someone has.
    pub names: u64,
    /// Ways from senders to recipients.
    pub lanes: u64,
    /// Private messages that wait for their recipients.
    pub waiting: u64,
    /// Failures that their senders have not noted.
    pub failures: u64,
    /// Who is banned.
    pub bans: u64,
    /// Who is muted.
    pub mutes: u64,
    /// Tickets.
    pub invites: u64,
    /// The database and its log.
    pub database_bytes: u64,
}

/// A ticket that was made, all that is needed to write it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// How it stands.
    pub invite: InviteLine,
    /// What admits: the end of the ticket. Told once.
    pub secret: String,
    /// Of the server, as it stands in a ticket.
    pub fingerprint: String,
    /// `HOST:PORT` at which the server can be reached, the likeliest first.
    pub addresses: Vec<String>,
    /// Who may register: with `closed`, a ticket admits nobody.
    pub registration: String,
}

/// A ticket as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InviteLine {
    /// Its number.
    pub id: u64,
    /// How many keys it admits.
    pub uses: u32,
    /// How many it has admitted.
    pub used: u32,
    /// When it was made, RFC 3339.
    pub made_at: String,
    /// When it expires, RFC 3339.
    pub expires_at: String,
    /// `open`, `used` or `expired`.
    pub state: String,
}

impl From<Invite> for InviteLine {
    fn from(invite: Invite) -> Self {
        let state = if invite.has_expired {
            "expired"
        } else if invite.used >= invite.uses {
            "used"
        } else {
            "open"
        };
        Self {
            id: invite.number.0,
            uses: invite.uses,
            used: invite.used,
            made_at: time_text(invite.made_at),
            expires_at: time_text(invite.expires_at),
            state: state.to_owned(),
        }
    }
}

/// All tickets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invites {
    /// By number.
    pub invites: Vec<InviteLine>,
}

/// A ticket that admits nobody any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revoked {
    /// Its number.
    pub invite: u64,
}

/// A backup that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackedUp {
    /// Where.
    pub path: String,
    /// Its length.
    pub bytes: u64,
}

/// A line that says what came of a request.
pub(crate) fn encode(result: Result<Value, Refusal>) -> Vec<u8> {
    let (ok, told) = match result {
        Ok(answer) => (true, answer),
        Err(refusal) => (false, serde_json::to_value(refusal).unwrap_or_default()),
    };
    let mut line = serde_json::Map::new();
    line.insert("ok".to_owned(), ok.into());
    if let Value::Object(members) = told {
        line.extend(members);
    }
    let mut bytes = Value::Object(line).to_string().into_bytes();
    bytes.push(b'\n');
    bytes
}

/// The answer in such a line; or the refusal.
pub(crate) fn decode<T: for<'de> Deserialize<'de>>(
    line: &[u8],
) -> serde_json::Result<Result<T, Refusal>> {
    let value: Value = serde_json::from_slice(line)?;
    match value.get("ok") {
        Some(Value::Bool(true)) => serde_json::from_value(value).map(Ok),
        _ => serde_json::from_value(value).map(Err),
    }
}

/// RFC 3339, UTC.
pub(crate) fn time_text(unix_seconds: u64) -> String {
    let seconds = i64::try_from(unix_seconds).unwrap_or(i64::MAX);
    let moment = OffsetDateTime::from_unix_timestamp(seconds).ok();
    let text = moment.and_then(|moment| moment.format(&Rfc3339).ok());
    text.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(text: &str) -> Result<Request, Refusal> {
        Request::parse(text.as_bytes())
    }

    #[test]
    fn requests_are_read_strictly() {
        assert_eq!(
            request(r#"{"command":"list"}"#).unwrap(),
            Request::List {
                here: false,
                after: String::new()
            }
        );
        assert_eq!(
            request(r#"{"command":"kick","name":"Bob"}"#).unwrap(),
            Request::Kick(Target {
                name: Some("Bob".into()),
                ..Target::default()
            })
        );
        assert_eq!(
            request(r#"{"command":"stats"}"#).unwrap(),
            Request::Stats {}
        );
        let set = request(r#"{"command":"set-limit","limit":"message-age","value":null}"#);
        assert!(matches!(
            set.unwrap(),
            Request::SetLimit { value: None, .. }
        ));
        for wrong in [
            "",
            "[]",
            "{}",
            r#"{"command":"stop"}"#,
            r#"{"command":"list","here":1}"#,
            r#"{"command":"kick","nmae":"Bob"}"#,
            r#"{"command":"stats","x":1}"#,
            r#"{"command":"invite","uses":-1,"seconds":1}"#,
            r#"{"command":"release"}"#,
        ] {
            assert!(request(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn exactly_one_is_meant() {
        let of = |name: Option<&str>, key: Option<&str>, address: Option<&str>| Target {
            name: name.map(Into::into),
            key: key.map(Into::into),
            address: address.map(Into::into),
        };
        let key = "07".repeat(32);
        assert!(of(Some("Bob"), None, None).ban().is_ok());
        assert!(of(None, Some(&key), None).who().is_ok());
        for wrong in [
            of(None, None, None),
            of(Some("Bob"), Some(&key), None),
            of(Some("Bob"), None, Some("192.0.2.1")),
            of(None, Some("07"), None),
        ] {
            assert!(wrong.clone().ban().is_err(), "{wrong:?}");
        }
        assert!(of(None, None, Some("192.0.2.1")).who().is_err());
    }

    #[test]
    fn networks_are_read_as_they_are_meant() {
        for (text, network) in [
            ("192.0.2.7", "192.0.2.7/32"),
            ("192.0.2.7/24", "192.0.2.0/24"),
            ("2001:db8::7", "2001:db8::/64"),
            ("2001:db8::7/128", "2001:db8::7/128"),
            ("::ffff:192.0.2.7", "192.0.2.7/32"),
        ] {
            assert_eq!(parse_network(text).unwrap().to_string(), network);
        }
        for wrong in ["", "Bob", "192.0.2", "192.0.2.7/33", "0.0.0.0/0", "::/0"] {
            assert!(parse_network(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_answer_is_read_back_and_so_is_a_refusal() {
        let revoked = Revoked { invite: 3 };
        let line = encode(Ok(serde_json::to_value(&revoked).unwrap()));
        assert_eq!(line, b"{\"invite\":3,\"ok\":true}\n");
        assert_eq!(decode(&line).unwrap(), Ok(revoked));
        let refusal = Refusal::from(OperatorError::NotHere);
        let line = encode(Err(refusal.clone()));
        assert_eq!(decode::<Revoked>(&line).unwrap(), Err(refusal));
        assert!(decode::<Revoked>(b"nonsense").is_err());
        assert!(decode::<Revoked>(b"{\"ok\":true}").is_err());
    }
}
