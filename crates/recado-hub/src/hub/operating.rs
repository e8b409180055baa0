//! What the operator wants, and what becomes of it.

use std::collections::BTreeMap;
use std::time::Duration;

use recado_proto::frame::{ClosingCode, Person, RefusalCode};
use recado_proto::id::RemoteKey;

use super::{Hub, folded, refused};
use crate::backend::{BackendRequest, Dropped, Unavailable};
use crate::event::Output;
use crate::limit::{Limit, Limits};
use crate::millis;
use crate::operator::{
    Ban, BanTarget, Banned, Counts, Decisions, LimitSource, LimitStanding, NameRecord,
    OperatorAnswer, OperatorCommand, OperatorError, OperatorNumber, OperatorRecord,
    OperatorRequest, PersonStanding, SessionStanding, Stats, Who,
};
use crate::session::{Joined, Session, SessionNumber, Waiting};

/// When the decisions are asked for again that could not be read.
const LOAD_RETRY: Duration = Duration::from_secs(1);

/// How often names that were never used are looked for.
pub(super) const FREE_INTERVAL: Duration = Duration::from_secs(60 * 60);

/// Names that are freed each time: what a flood of strangers claimed goes within days, and nobody waits for it.
const FREE_NAMES: usize = 1_000;

/// How far the operator's decisions are known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Loading {
    /// The backend is to be asked at this time.
    Due(Duration),
    /// It is asked.
    Asked,
    /// They are known.
    Done,
}

impl Hub {
    /// Asks for the decisions, if it is time.
    pub(super) fn load_if_due(&mut self) {
        if matches!(self.loading, Loading::Due(at) if at <= self.now) {
            self.loading = Loading::Asked;
            self.outputs.ask(BackendRequest::Load);
        }
    }

    pub(super) fn handle_loaded(&mut self, loaded: Result<Box<Decisions>, Unavailable>) {
        let waiting = self.sessions.iter().filter_map(|(number, session)| {
            let is_waiting = matches!(session, Session::Waiting(_));
            is_waiting.then_some(*number)
        });
        let waiting: Vec<_> = waiting.collect();
        let commands = std::mem::take(&mut self.commands);
        let Ok(decisions) = loaded else {
            for (number, _) in commands {
                self.answer(number, Err(OperatorError::Unavailable));
            }
            self.loading = Loading::Due(self.now.saturating_add(LOAD_RETRY));
            for session in waiting {
                self.sessions.remove(&session);
                let mut unavailable = refused(RefusalCode::Unavailable);
                unavailable.retry_in_ms = millis(LOAD_RETRY);
                self.refuse(session, unavailable);
            }
            return;
        };
        self.loading = Loading::Done;
        let Decisions {
            bans,
            mutes,
            limits,
        } = *decisions;
        bans.into_iter().for_each(|ban| self.policy.ban(ban));
        mutes.into_iter().for_each(|mute| self.policy.mute(mute));
        self.set_limits = limits.into_iter().collect();
        self.apply_limits();
        self.restrict_lanes();
        for session in waiting {
            if let Some(Session::Waiting(waiting)) = self.sessions.remove(&session) {
                let Waiting { connection, hello } = *waiting;
                self.handle_hello(self.now, session, connection, hello);
            }
        }
        for (number, command) in commands {
            self.handle_operator(number, command);
        }
    }

    /// Asks for names that were never used to be freed, if it is time.
    pub(super) fn free_names_if_due(&mut self) {
        if self.free_due > self.now {
            return;
        }
        self.free_due = self.now.saturating_add(FREE_INTERVAL);
        self.outputs.ask(BackendRequest::FreeNames {
            age: self.limits.unused_name_age,
            here: self.by_key.keys().copied().collect(),
            max_names: FREE_NAMES,
        });
    }

    pub(super) fn handle_freed(&mut self, freed: Vec<Person>) {
        for person in freed {
            self.policy.forget_name(&person.key);
            self.lanes.handle_released(&person.key);
        }
    }

    pub(super) fn handle_operator(&mut self, number: OperatorNumber, command: OperatorCommand) {
        match self.loading {
            Loading::Done => {}
            Loading::Asked => return self.commands.push((number, command)),
            Loading::Due(_) => return self.answer(number, Err(OperatorError::Unavailable)),
        }
        match self.do_command(number, command) {
            Ok(None) => {}
            Ok(Some(answer)) => self.answer(number, Ok(answer)),
            Err(error) => self.answer(number, Err(error)),
        }
    }

    /// Answers what needs no backend; the rest is answered when it has answered.
    fn do_command(
        &mut self,
        number: OperatorNumber,
        command: OperatorCommand,
    ) -> Result<Option<OperatorAnswer>, OperatorError> {
        let request = match command {
            OperatorCommand::List {
                after,
                here: true,
                most,
            } => return Ok(Some(self.list_here(&after, most))),
            OperatorCommand::List {
                after,
                here: false,
                most,
            } => OperatorRequest::Names { after, most },
            OperatorCommand::Kick(who) => OperatorRequest::Find(of_name(who)?),
            OperatorCommand::Ban(target) => OperatorRequest::Ban(of_target(target)?),
            OperatorCommand::Unban(target) => OperatorRequest::Unban(of_target(target)?),
            OperatorCommand::Mute(who) => OperatorRequest::Mute(of_name(who)?),
            OperatorCommand::Unmute(who) => OperatorRequest::Unmute(of_name(who)?),
            OperatorCommand::Restrictions => {
                return Ok(Some(OperatorAnswer::Restrictions {
                    bans: self.policy.bans(),
                    mutes: self.policy.mutes(),
                }));
            }
            OperatorCommand::Release(name) => {
                OperatorRequest::Release(folded(&name).ok_or(OperatorError::NotAName)?)
            }
            OperatorCommand::Limits => {
                let standing = Limit::ALL.into_iter().map(|limit| self.limit(limit));
                return Ok(Some(OperatorAnswer::Limits(standing.collect())));
            }
            OperatorCommand::SetLimit { limit, value } => {
                if self.config.fixed.contains_key(&limit) {
                    return Err(OperatorError::Fixed);
                }
                let (least, most) = limit.range();
                if value.is_some_and(|value| !(least..=most).contains(&value)) {
                    return Err(OperatorError::OutOfRange { least, most });
                }
                OperatorRequest::SetLimit { limit, value }
            }
            OperatorCommand::Stats => OperatorRequest::Count,
            OperatorCommand::Invite(invite) => OperatorRequest::Invite(invite),
            OperatorCommand::Invites => OperatorRequest::Invites,
            OperatorCommand::Revoke(invite) => OperatorRequest::Revoke(invite),
        };
        self.outputs
            .ask(BackendRequest::Operator { number, request });
        Ok(None)
    }

    /// What the operator wanted is durable, or was not done.
    pub(super) fn handle_operated(
        &mut self,
        number: OperatorNumber,
        result: Result<OperatorRecord, OperatorError>,
    ) {
        let result = result.and_then(|record| self.put_into_effect(record));
        self.answer(number, result);
    }

    fn put_into_effect(&mut self, record: OperatorRecord) -> Result<OperatorAnswer, OperatorError> {
        Ok(match record {
            OperatorRecord::Found(person) => {
                let session = self.by_key.get(&person.key).copied();
                let session = session.ok_or(OperatorError::NotHere)?;
                self.end(session);
                self.close(session, ClosingCode::Kicked, "kicked");
                OperatorAnswer::Kicked(person)
            }
            OperatorRecord::Banned { ban, dropped } => self.put_ban_into_effect(ban, dropped),
            OperatorRecord::Unbanned(banned) => {
                self.policy.unban(&banned);
                self.restrict_lanes();
                OperatorAnswer::Unbanned(banned)
            }
            OperatorRecord::Muted(mute) => {
                let person = mute.person.clone();
                self.policy.mute(mute);
                self.restrict_lanes();
                OperatorAnswer::Muted(person)
            }
            OperatorRecord::Unmuted(person) => {
                self.policy.unmute(&person.key);
                self.restrict_lanes();
                OperatorAnswer::Unmuted(person)
            }
            OperatorRecord::Released { person, dropped } => {
                if let Some(session) = self.by_key.get(&person.key).copied() {
                    self.end(session);
                    self.close(session, ClosingCode::Kicked, "name released");
                }
                self.policy.forget_name(&person.key);
                self.lanes.handle_released(&person.key);
                let count = count(&dropped);
                self.lanes.handle_dropped(dropped, &mut self.outputs);
                OperatorAnswer::Released {
                    person,
                    dropped: count,
                }
            }
            OperatorRecord::Names(names) => self.list(names),
            OperatorRecord::LimitSet { limit, value } => {
                match value {
                    Some(value) => self.set_limits.insert(limit, value),
                    None => self.set_limits.remove(&limit),
                };
                self.apply_limits();
                OperatorAnswer::Limits(vec![self.limit(limit)])
            }
            OperatorRecord::Counted(counts) => OperatorAnswer::Stats(self.stats(counts)),
            OperatorRecord::Invited(invite) => OperatorAnswer::Invited(invite),
            OperatorRecord::Invites(invites) => OperatorAnswer::Invites(invites),
            OperatorRecord::Revoked(invite) => OperatorAnswer::Revoked(invite),
        })
    }

    fn put_ban_into_effect(&mut self, ban: Ban, dropped: Vec<Dropped>) -> OperatorAnswer {
        self.policy.ban(ban.clone());
        self.restrict_lanes();
        let is_out = |session: &Session| match session {
            Session::Joined(joined) => self.policy.keeps_out(&joined.person.key, joined.address),
            // These are judged when their claim is answered, or their Hello comes.
            Session::Greeting(_) | Session::Waiting(_) | Session::Claiming(_) => false,
        };
        let sessions = self.sessions.iter();
        let out = sessions.filter(|(_, session)| is_out(session));
        let out: Vec<SessionNumber> = out.map(|(number, _)| *number).collect();
        for session in &out {
            self.end(*session);
            self.close(*session, ClosingCode::Banned, "banned");
        }
        if let Banned::Key(person) = &ban.banned {
            self.lanes.handle_banned(&person.key);
        }
        let count = count(&dropped);
        self.lanes.handle_dropped(dropped, &mut self.outputs);
        OperatorAnswer::Banned {
            ban,
            dropped: count,
            ended: out.len() as u64,
        }
    }

    fn answer(&mut self, number: OperatorNumber, result: Result<OperatorAnswer, OperatorError>) {
        self.outputs.push(Output::OperatorAnswer { number, result });
    }

    fn list(&self, names: Vec<NameRecord>) -> OperatorAnswer {
        let next = names.last().map(|name| name.folded.clone());
        let people = names.into_iter().map(|name| {
            let claimed_at = Some(name.claimed_at);
            self.standing(name.person, claimed_at)
        });
        OperatorAnswer::People {
            people: people.collect(),
            next,
        }
    }

    fn list_here(&self, after: &str, most: usize) -> OperatorAnswer {
        let sessions = self.by_key.values();
        let joined = sessions.filter_map(|session| match self.sessions.get(session) {
            Some(Session::Joined(joined)) => Some(&joined.person),
            _ => None,
        });
        // Names are unique, also as they are shown.
        let behind = joined.filter(|person| person.name.as_str() > after);
        let behind: BTreeMap<&str, RemoteKey> =
            behind.map(|it| (it.name.as_str(), it.key)).collect();
        let people = behind.into_iter().take(most).map(|(name, key)| {
            let name = name.to_owned();
            self.standing(Person { name, key }, None)
        });
        let people: Vec<_> = people.collect();
        let next = people.last().map(|it| it.person.name.clone());
        OperatorAnswer::People { people, next }
    }

    fn standing(&self, person: Person, claimed_at: Option<u64>) -> PersonStanding {
        let session = self.by_key.get(&person.key);
        let session = session.and_then(|number| match self.sessions.get(number) {
            Some(Session::Joined(joined)) => Some(self.session_standing(*number, joined)),
            _ => None,
        });
        PersonStanding {
            claimed_at,
            session,
            banned: self.policy.is_key_banned(&person.key),
            muted: self.policy.is_muted(&person.key),
            person,
        }
    }

    fn session_standing(&self, number: SessionNumber, joined: &Joined) -> SessionStanding {
        SessionStanding {
            number,
            address: joined.address,
            lasts: self.now.saturating_sub(joined.since),
            by_datagram: joined.datagrams.is_up(),
        }
    }

    fn stats(&self, durable: Counts) -> Stats {
        let arriving = self.sessions.len().saturating_sub(self.by_key.len());
        Stats {
            here: self.by_key.len() as u64,
            arriving: arriving as u64,
            globals: self.log.sequence(),
            bans: self.policy.count_bans(),
            mutes: self.policy.count_mutes(),
            durable,
        }
    }

    fn limit(&self, limit: Limit) -> LimitStanding {
        let source = if self.config.fixed.contains_key(&limit) {
            LimitSource::Start
        } else if self.set_limits.contains_key(&limit) {
            LimitSource::Set
        } else {
            LimitSource::Default
        };
        let default = Limits::new(self.config.private, self.config.globals);
        LimitStanding {
            limit,
            value: self.limits.get(limit),
            default: default.get(limit),
            source,
        }
    }

    /// What was given at the start counts before what the operator has set, and that before what is so by itself.
    pub(super) fn apply_limits(&mut self) {
        let mut limits = Limits::new(self.config.private, self.config.globals);
        for (limit, value) in self.set_limits.iter().chain(&self.config.fixed) {
            let (least, most) = limit.range();
            limits.set(*limit, (*value).clamp(least, most));
        }
        self.claims.set_config(limits.claims);
        self.lanes.set_limits(limits.private);
        self.limits = limits;
    }

    fn restrict_lanes(&mut self) {
        let (muted, banned) = (self.policy.muted_keys(), self.policy.banned_keys());
        self.lanes.restrict(muted, banned);
    }
}

/// A name can be one, and is looked up case-mapped.
fn of_name(who: Who) -> Result<Who, OperatorError> {
    Ok(match who {
        Who::Name(name) => Who::Name(folded(&name).ok_or(OperatorError::NotAName)?),
        Who::Key(key) => Who::Key(key),
    })
}

/// A name can be one; it is looked up case-mapped, and kept as typed where nobody has it.
fn of_target(target: BanTarget) -> Result<BanTarget, OperatorError> {
    match target {
        BanTarget::Name(name) if folded(&name).is_none() => Err(OperatorError::NotAName),
        BanTarget::Network(network) => Ok(BanTarget::Network(network.trunc())),
        target => Ok(target),
    }
}

fn count(dropped: &[Dropped]) -> u64 {
    let counts = dropped.iter().map(|it| it.failures.len() as u64);
    counts.fold(0, u64::saturating_add)
}
