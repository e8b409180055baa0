//! What the operator decides, and who is admitted by it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use recado_proto::frame::{FailureCode, Person};
use recado_proto::id::RemoteKey;
use recado_proto::name::{Name, NameKeys};
use recado_proto::ticket::TicketHash;

use super::MemoryBackend;
use crate::backend::{ClaimOutcome, Dropped};
use crate::limit::Limit;
use crate::operator::{
    Ban, BanTarget, Banned, Counts, Decisions, Invite, InviteNumber, KEEP_EXPIRED, MAX_INVITES,
    MAX_RESTRICTIONS, Mute, NameRecord, NewInvite, OperatorError, OperatorRecord, OperatorRequest,
    Who,
};

/// What the operator has decided.
#[derive(Clone, Debug, Default)]
pub(super) struct Operated {
    /// Since when.
    banned_keys: BTreeMap<RemoteKey, u64>,
    /// By folded name: as typed, and since when.
    banned_names: BTreeMap<String, (String, u64)>,
    banned_networks: BTreeMap<ipnet::IpNet, u64>,
    muted: BTreeMap<RemoteKey, u64>,
    limits: BTreeMap<Limit, u64>,
    tickets: BTreeMap<InviteNumber, Ticket>,
    ticket_numbers: u64,
}

#[derive(Clone, Debug)]
struct Ticket {
    hash: TicketHash,
    uses: u32,
    used_by: BTreeSet<RemoteKey>,
    made_at: u64,
    expires_at: u64,
    /// In the server's running time.
    expires_running: Duration,
}

impl Ticket {
    fn has_expired(&self, running: Duration, unix_seconds: u64) -> bool {
        unix_seconds >= self.expires_at || running >= self.expires_running
    }

    fn standing(&self, number: InviteNumber, running: Duration, unix_seconds: u64) -> Invite {
        Invite {
            number,
            uses: self.uses,
            used: u32::try_from(self.used_by.len()).unwrap_or(u32::MAX),
            made_at: self.made_at,
            expires_at: self.expires_at,
            has_expired: self.has_expired(running, unix_seconds),
        }
    }
}

impl MemoryBackend {
    /// Whether a key may have a new name.
    pub(super) fn admit(
        &mut self,
        running: Duration,
        key: RemoteKey,
        may_register: bool,
        ticket: Option<&TicketHash>,
    ) -> Result<(), ClaimOutcome> {
        if may_register {
            return Ok(());
        }
        let hash = ticket.ok_or(ClaimOutcome::NotRegistered)?;
        let now = self.unix_seconds;
        let mut tickets = self.operated.tickets.values_mut();
        let ticket = tickets.find(|ticket| ticket.hash == *hash);
        let ticket = ticket.filter(|ticket| !ticket.has_expired(running, now));
        let ticket = ticket.ok_or(ClaimOutcome::NotAdmitted)?;
        let is_left = ticket.used_by.len() < usize::try_from(ticket.uses).unwrap_or(usize::MAX);
        if !ticket.used_by.contains(&key) && !is_left {
            return Err(ClaimOutcome::NotAdmitted);
        }
        ticket.used_by.insert(key);
        Ok(())
    }

    pub(super) fn free_names(
        &mut self,
        running: Duration,
        age: Duration,
        here: &[RemoteKey],
        max_names: usize,
    ) -> Vec<Person> {
        for named in self.names.values_mut() {
            if !named.used && here.contains(&named.person.key) {
                named.seen_at = running;
            }
        }
        let Some(moment) = running.checked_sub(age) else {
            return Vec::new();
        };
        let unused = self.names.iter().filter(|(_, named)| {
            let key = &named.person.key;
            let wrote = |lane: &super::Lane| {
                (lane.sender == *key || lane.recipient == *key) && lane.durable.accepted() > 0
            };
            let is_used = named.used || self.lanes.values().any(wrote);
            let is_kept = here.contains(key) || self.operated.banned_keys.contains_key(key);
            !is_used && !is_kept && named.seen_at <= moment
        });
        let mut unused: Vec<_> = unused
            .map(|(folded, named)| (named.seen_at, folded.clone()))
            .collect();
        unused.sort();
        unused.truncate(max_names);
        let freed = unused
            .iter()
            .filter_map(|(_, folded)| self.names.remove(folded));
        let freed: Vec<_> = freed.map(|named| named.person).collect();
        for person in &freed {
            self.key_packages.discard_all(&person.key);
        }
        freed
    }

    pub(super) fn decisions(&self) -> Decisions {
        let Operated {
            banned_keys,
            banned_names,
            banned_networks,
            muted,
            limits,
            ..
        } = &self.operated;
        let person = |key: &RemoteKey| self.person_of(key);
        let keys = banned_keys.iter();
        let keys = keys.map(|(key, since)| (Banned::Key(person(key)), *since));
        let names = banned_names.values();
        let names = names.map(|(name, since)| (Banned::Name(name.clone()), *since));
        let networks = banned_networks.iter();
        let networks = networks.map(|(network, since)| (Banned::Network(*network), *since));
        let bans = keys.chain(names).chain(networks);
        let mutes = muted.iter().map(|(key, since)| Mute {
            person: person(key),
            since: *since,
        });
        Decisions {
            bans: bans.map(|(banned, since)| Ban { banned, since }).collect(),
            mutes: mutes.collect(),
            limits: limits
                .iter()
                .map(|(limit, value)| (*limit, *value))
                .collect(),
        }
    }

    pub(super) fn operate(
        &mut self,
        running: Duration,
        request: OperatorRequest,
    ) -> Result<OperatorRecord, OperatorError> {
        let now = self.unix_seconds;
        match request {
            OperatorRequest::Find(who) => {
                let person = self.find(&who).filter(|person| !person.name.is_empty());
                let person = person.ok_or(OperatorError::NoSuchName)?;
                Ok(OperatorRecord::Found(person))
            }
            OperatorRequest::Ban(target) => self.ban(target),
            OperatorRequest::Unban(target) => {
                let banned = self.unban(&target).ok_or(OperatorError::NotBanned)?;
                Ok(OperatorRecord::Unbanned(banned))
            }
            OperatorRequest::Mute(who) => {
                let person = self.find(&who).ok_or(OperatorError::NoSuchName)?;
                let muted = &mut self.operated.muted;
                let since = *insert_bounded(muted, person.key, now)?;
                Ok(OperatorRecord::Muted(Mute { person, since }))
            }
            OperatorRequest::Unmute(who) => {
                let person = self.find(&who).ok_or(OperatorError::NoSuchName)?;
                let was = self.operated.muted.remove(&person.key);
                was.ok_or(OperatorError::NotMuted)?;
                Ok(OperatorRecord::Unmuted(person))
            }
            OperatorRequest::Release(folded) => {
                let named = self.names.remove(&folded);
                let person = named.ok_or(OperatorError::NoSuchName)?.person;
                let dropped = self.drop_all(&person.key);
                Ok(OperatorRecord::Released { person, dropped })
            }
            OperatorRequest::SetLimit { limit, value } => {
                match value {
                    Some(value) => self.operated.limits.insert(limit, value),
                    None => self.operated.limits.remove(&limit),
                };
                Ok(OperatorRecord::LimitSet { limit, value })
            }
            OperatorRequest::Names { after, most } => {
                let names = self.names.iter().filter(|(folded, _)| **folded > after);
                let names = names.take(most).map(|(folded, named)| NameRecord {
                    person: named.person.clone(),
                    folded: folded.clone(),
                    claimed_at: named.claimed_at,
                });
                Ok(OperatorRecord::Names(names.collect()))
            }
            OperatorRequest::Count => Ok(OperatorRecord::Counted(Counts {
                names: self.names.len() as u64,
                lanes: self.lanes.len() as u64,
                waiting: self.mailboxes.len() as u64,
                failures: self.failures.len() as u64,
                invites: self.operated.tickets.len() as u64,
                running: running.as_secs(),
            })),
            OperatorRequest::Invite(invite) => self.invite(running, invite),
            OperatorRequest::Invites => {
                let tickets = self.operated.tickets.iter();
                let standing = tickets.map(|(number, it)| it.standing(*number, running, now));
                Ok(OperatorRecord::Invites(standing.collect()))
            }
            OperatorRequest::Revoke(number) => {
                let revoked = self.operated.tickets.remove(&number);
                revoked.ok_or(OperatorError::NoSuchInvite)?;
                Ok(OperatorRecord::Revoked(number))
            }
        }
    }

    fn ban(&mut self, target: BanTarget) -> Result<OperatorRecord, OperatorError> {
        let now = self.unix_seconds;
        let (banned, since) = match target {
            BanTarget::Network(network) => {
                let networks = &mut self.operated.banned_networks;
                let since = *insert_bounded(networks, network, now)?;
                (Banned::Network(network), since)
            }
            BanTarget::Key(key) => (Banned::Key(self.person_of(&key)), self.ban_key(key)?),
            BanTarget::Name(name) => {
                let folded = NameKeys::of(&name).folded;
                match self.names.get(&folded).map(|named| named.person.clone()) {
                    Some(person) => {
                        let since = self.ban_key(person.key)?;
                        (Banned::Key(person), since)
                    }
                    None => {
                        let parsed = Name::parse(&name).map_err(|_| OperatorError::NotAName)?;
                        let names = &mut self.operated.banned_names;
                        let banned = (parsed.to_string(), now);
                        let (name, since) = insert_bounded(names, folded, banned)?.clone();
                        (Banned::Name(name), since)
                    }
                }
            }
        };
        let dropped = match &banned {
            Banned::Key(person) => self.drop_all(&person.key),
            Banned::Name(_) | Banned::Network(_) => Vec::new(),
        };
        let ban = Ban { banned, since };
        Ok(OperatorRecord::Banned { ban, dropped })
    }

    fn ban_key(&mut self, key: RemoteKey) -> Result<u64, OperatorError> {
        let now = self.unix_seconds;
        insert_bounded(&mut self.operated.banned_keys, key, now).copied()
    }

    fn unban(&mut self, target: &BanTarget) -> Option<Banned> {
        let operated = &mut self.operated;
        match target {
            BanTarget::Network(network) => {
                operated.banned_networks.remove(network)?;
                Some(Banned::Network(*network))
            }
            BanTarget::Key(key) => {
                operated.banned_keys.remove(key)?;
                Some(Banned::Key(self.person_of(key)))
            }
            BanTarget::Name(name) => {
                let folded = NameKeys::of(name).folded;
                if let Some(named) = self.names.get(&folded)
                    && operated.banned_keys.remove(&named.person.key).is_some()
                {
                    return Some(Banned::Key(named.person.clone()));
                }
                let (name, _) = operated.banned_names.remove(&folded)?;
                Some(Banned::Name(name))
            }
        }
    }

    fn invite(
        &mut self,
        running: Duration,
        invite: NewInvite,
    ) -> Result<OperatorRecord, OperatorError> {
        let now = self.unix_seconds;
        let operated = &mut self.operated;
        let kept = KEEP_EXPIRED.as_secs();
        operated.tickets.retain(|_, ticket| {
            now < ticket.expires_at.saturating_add(kept)
                && running < ticket.expires_running.saturating_add(KEEP_EXPIRED)
        });
        if operated.tickets.len() >= MAX_INVITES {
            return Err(OperatorError::TooMany);
        }
        operated.ticket_numbers = operated.ticket_numbers.saturating_add(1);
        let number = InviteNumber(operated.ticket_numbers);
        let ticket = Ticket {
            hash: invite.hash,
            uses: invite.uses,
            used_by: BTreeSet::new(),
            made_at: now,
            expires_at: now.saturating_add(invite.lifetime.as_secs()),
            expires_running: running.saturating_add(invite.lifetime),
        };
        let standing = ticket.standing(number, running, now);
        operated.tickets.insert(number, ticket);
        Ok(OperatorRecord::Invited(standing))
    }

    /// Who is meant: one who has the name, or a key, whether it has one or not.
    fn find(&self, who: &Who) -> Option<Person> {
        match who {
            Who::Name(folded) => self.names.get(folded).map(|named| named.person.clone()),
            Who::Key(key) => Some(self.person_of(key)),
        }
    }

    fn person_of(&self, key: &RemoteKey) -> Person {
        let mut names = self.names.values().map(|named| &named.person);
        let named = names.find(|person| person.key == *key).cloned();
        let (name, key) = (String::new(), *key);
        named.unwrap_or(Person { name, key })
    }

    /// Drops all that waits for one who is gone.
    fn drop_all(&mut self, recipient: &RemoteKey) -> Vec<Dropped> {
        let marks = self.waiting_marks(|mail| {
            let lane = self.lanes.get(&mail.lane);
            lane.is_some_and(|lane| lane.recipient == *recipient)
        });
        self.key_packages.discard_all(recipient);
        self.drop_waiting(&marks, FailureCode::RecipientGone)
    }
}

/// What stands there, or now does.
fn insert_bounded<K: Ord, V>(
    map: &mut BTreeMap<K, V>,
    key: K,
    value: V,
) -> Result<&V, OperatorError> {
    if map.len() >= MAX_RESTRICTIONS && !map.contains_key(&key) {
        return Err(OperatorError::TooMany);
    }
    Ok(map.entry(key).or_insert(value))
}
