//! A backend in memory, as plain as can be: for simulations, and what others are compared with.

mod key_packages;
mod operating;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use recado_proto::frame::{Failure, FailureCode, Person};
use recado_proto::id::{RemoteKey, StoreId};

use crate::backend::{
    BackendAnswer, BackendRequest, ClaimOutcome, Dropped, Durable, Fetched, LaneChange, LaneNumber,
    LaneState, MAX_LANES_OF_SENDER, MAX_STORES, Mail, MailboxState, Mark, OpenOutcome, OpenedLane,
    SEEN_PRECISION, Waiting,
};
use key_packages::KeyPackageShelf;

use operating::Operated;

/// Everything durable. A clone is a backup.
#[derive(Clone, Debug, Default)]
pub struct MemoryBackend {
    /// Seconds since 1970, by the clock of the machine that it would run on.
    pub unix_seconds: u64,
    /// By folded name.
    names: BTreeMap<String, Named>,
    operated: Operated,
    lanes: BTreeMap<LaneNumber, Lane>,
    lane_numbers: u64,
    mailboxes: BTreeMap<Mark, (Mail, Duration)>,
    failures: BTreeMap<(LaneNumber, u64), FailureCode>,
    blocked: BTreeSet<(RemoteKey, RemoteKey)>,
    marks: u64,
    key_packages: KeyPackageShelf,
}

/// A name that someone has.
#[derive(Clone, Debug)]
struct Named {
    /// As typed, and whose.
    person: Person,
    claimed_at: u64,
    /// Whether it was used otherwise than by private messages.
    used: bool,
    /// When its owner was here last, about.
    seen_at: Duration,
}

#[derive(Clone, Debug)]
struct Lane {
    sender: RemoteKey,
    store: StoreId,
    recipient: RemoteKey,
    durable: Durable,
}

impl MemoryBackend {
    /// Does what is asked. `running` is how long servers have run with this in all.
    pub fn answer(&mut self, running: Duration, request: BackendRequest) -> BackendAnswer {
        match request {
            BackendRequest::Claim {
                session,
                name,
                keys,
                key,
                may_register,
                ticket,
            } => {
                let owned = self.names.iter_mut();
                let mut owned = owned.filter(|(_, named)| named.person.key == key);
                let owned = owned.next().map(|(folded, named)| {
                    if *folded != keys.folded {
                        return ClaimOutcome::KeyHasName(named.person.name.clone());
                    }
                    if !named.used && running >= named.seen_at.saturating_add(SEEN_PRECISION) {
                        named.seen_at = running;
                    }
                    ClaimOutcome::Owned(named.person.name.clone())
                });
                let outcome = match owned {
                    Some(owned) => owned,
                    None if self.names.contains_key(&keys.folded) => ClaimOutcome::Taken,
                    None => match self.admit(running, key, may_register, ticket.as_deref()) {
                        Ok(()) => {
                            let name = name.to_string();
                            let named = Named {
                                person: Person { name, key },
                                claimed_at: self.unix_seconds,
                                used: false,
                                seen_at: running,
                            };
                            self.names.insert(keys.folded, named);
                            ClaimOutcome::Registered
                        }
                        Err(outcome) => outcome,
                    },
                };
                BackendAnswer::Claimed { session, outcome }
            }
            BackendRequest::Load => BackendAnswer::Loaded(Ok(Box::new(self.decisions()))),
            BackendRequest::Operator { number, request } => BackendAnswer::Operator {
                number,
                result: self.operate(running, request),
            },
            BackendRequest::NameUsed { key } => {
                let mut names = self.names.values_mut();
                if let Some(named) = names.find(|named| named.person.key == key) {
                    named.used = true;
                }
                BackendAnswer::NameUsed
            }
            BackendRequest::FreeNames {
                age,
                here,
                max_names,
            } => BackendAnswer::NamesFreed(self.free_names(running, age, &here, max_names)),
            BackendRequest::Discard { lanes } => {
                let in_them = |mail: &Mail| {
                    let mut lanes = lanes.iter();
                    lanes.any(|(lane, up_to)| mail.lane == *lane && mail.body.number <= *up_to)
                };
                let marks = self.waiting_marks(in_them);
                BackendAnswer::Dropped(self.drop_waiting(&marks, FailureCode::RecipientGone))
            }
            BackendRequest::OpenLane {
                session,
                handle,
                sender,
                store,
                to,
                key,
            } => BackendAnswer::LaneOpened {
                session,
                handle,
                outcome: self.open_lane(sender, store, &to, key),
            },
            BackendRequest::Commit(changes) => {
                let write = |change| self.write(running, change);
                BackendAnswer::Committed(Ok(changes.into_iter().map(write).collect()))
            }
            BackendRequest::Fetch {
                session,
                recipient,
                after,
                max_messages,
                max_bytes,
                message_age,
            } => {
                let too_old = running.checked_sub(message_age);
                let most = (max_messages, max_bytes);
                let fetched = self.fetch(&recipient, after, most, too_old);
                BackendAnswer::Fetched {
                    session,
                    result: Ok(fetched),
                }
            }
            BackendRequest::Block {
                session,
                owner,
                name,
                folded,
                blocked,
            } => {
                let sender = self.names.get(&folded).map(|named| named.person.key);
                if let Some(sender) = sender {
                    match blocked {
                        true => self.blocked.insert((owner, sender)),
                        false => self.blocked.remove(&(owner, sender)),
                    };
                }
                BackendAnswer::Blocked {
                    session,
                    owner,
                    name,
                    blocked,
                    sender,
                }
            }
            BackendRequest::Expire {
                message_age,
                except,
                max_messages,
            } => {
                let too_old = running.checked_sub(message_age);
                let old = self.mailboxes.values().filter(|(mail, stored_at)| {
                    let lane = self.lanes.get(&mail.lane);
                    let is_here = lane.is_some_and(|lane| except.contains(&lane.recipient));
                    mail.dropped.is_none() && !is_here && too_old.is_some_and(|at| *stored_at <= at)
                });
                let old = old.map(|(mail, _)| mail.mark).take(max_messages);
                let old = old.collect::<Vec<_>>();
                BackendAnswer::Dropped(self.drop_waiting(&old, FailureCode::Expired))
            }
            BackendRequest::KeyPackages(request) => {
                BackendAnswer::KeyPackages(self.key_packages.answer(running, request))
            }
        }
    }

    fn open_lane(
        &mut self,
        sender: RemoteKey,
        store: StoreId,
        to: &str,
        key: Option<RemoteKey>,
    ) -> OpenOutcome {
        let Some(recipient) = self.names.get(to).map(|named| named.person.clone()) else {
            return OpenOutcome::NoSuchName;
        };
        if key.is_some_and(|key| key != recipient.key) {
            return OpenOutcome::OtherKey(recipient);
        }
        let is_it = |lane: &Lane| {
            (lane.sender, lane.store, lane.recipient) == (sender, store, recipient.key)
        };
        let found = self.lanes.iter().find(|(_, lane)| is_it(lane));
        let number = match found {
            Some((number, _)) => *number,
            None => {
                if !self.make_room(&sender, &recipient.key) {
                    return OpenOutcome::TooMany;
                }
                self.lane_numbers = self.lane_numbers.saturating_add(1);
                let number = LaneNumber(self.lane_numbers);
                let lane = Lane {
                    sender,
                    store,
                    recipient: recipient.key,
                    durable: Durable::committed(0, None, 0),
                };
                self.lanes.insert(number, lane);
                number
            }
        };
        let failures = self.failures.range((number, 0)..=(number, u64::MAX));
        let failures = failures.map(|((_, number), code)| Failure {
            number: *number,
            code: *code,
        });
        let failures = failures.collect();
        match self.lane_state(number) {
            Some(lane) => OpenOutcome::Opened(Box::new(OpenedLane {
                lane,
                mailbox: self.mailbox_state(&recipient.key),
                recipient,
                failures,
            })),
            None => OpenOutcome::Unavailable,
        }
    }

    /// Whether a sender may have another lane to someone; the oldest that is done with makes room where there are as
    /// many as may be.
    fn make_room(&mut self, sender: &RemoteKey, recipient: &RemoteKey) -> bool {
        let of_sender = self.lanes.iter().filter(|(_, lane)| lane.sender == *sender);
        let all = of_sender.clone().count() as u64;
        let to_them = of_sender.filter(|(_, lane)| lane.recipient == *recipient);
        if to_them.clone().count() < MAX_STORES {
            return all < MAX_LANES_OF_SENDER;
        }
        let is_done = |number: LaneNumber, lane: &Lane| {
            let mut failures = self.failures.range((number, 0)..=(number, u64::MAX));
            lane.durable.settled() == lane.durable.accepted() && failures.next().is_none()
        };
        let mut to_them = to_them.map(|(number, lane)| (*number, lane));
        let oldest = to_them.find(|(number, lane)| is_done(*number, lane));
        let oldest = oldest.map(|(number, _)| number);
        oldest.is_some_and(|number| self.lanes.remove(&number).is_some())
    }

    fn write(&mut self, running: Duration, change: LaneChange) -> (LaneNumber, Durable) {
        let number = change.lane;
        let Some(lane) = self.lanes.get_mut(&number) else {
            return (number, Durable::committed(0, None, 0));
        };
        if lane.durable.accepted() != change.from {
            return (number, lane.durable);
        }
        lane.durable = Durable::committed(change.accepted, change.accepted_id, change.settled);
        let durable = lane.durable;
        self.mailboxes
            .retain(|_, (mail, _)| mail.lane != number || mail.body.number > change.settled);
        for body in change.bodies {
            self.marks = self.marks.saturating_add(1);
            let mark = Mark(self.marks);
            let mail = Mail {
                mark,
                lane: number,
                body,
                dropped: None,
            };
            self.mailboxes.insert(mark, (mail, running));
        }
        self.failures
            .retain(|(lane, at), _| *lane != number || *at > change.noted);
        for failure in change.failures {
            let at = (number, failure.number);
            self.failures.entry(at).or_insert(failure.code);
        }
        (number, durable)
    }

    fn fetch(
        &mut self,
        recipient: &RemoteKey,
        after: Mark,
        (max_messages, max_bytes): (usize, usize),
        too_old: Option<Duration>,
    ) -> Fetched {
        let mut marks = Vec::new();
        let mut old = Vec::new();
        let (mut bytes, mut end) = (0_usize, true);
        for (mark, (mail, stored_at)) in &self.mailboxes {
            let lane = self.lanes.get(&mail.lane);
            if *mark <= after || lane.is_none_or(|lane| lane.recipient != *recipient) {
                continue;
            }
            bytes = bytes.saturating_add(mail.body.envelope.len());
            if marks.len() >= max_messages || (bytes > max_bytes && !marks.is_empty()) {
                end = false;
                break;
            }
            marks.push(*mark);
            if mail.dropped.is_none() && too_old.is_some_and(|at| *stored_at <= at) {
                old.push(*mark);
            }
        }
        let dropped = self.drop_waiting(&old, FailureCode::Expired);
        let found = marks.iter().filter_map(|mark| self.mailboxes.get(mark));
        let messages: Vec<_> = found.map(|(mail, _)| mail.clone()).collect();
        let numbers: BTreeSet<_> = messages.iter().map(|mail| mail.lane).collect();
        let lanes = numbers.into_iter();
        Fetched {
            mailbox: self.mailbox_state(recipient),
            lanes: lanes.filter_map(|lane| self.lane_state(lane)).collect(),
            messages,
            end,
            dropped,
        }
    }

    /// What waits, and was not dropped, of such messages.
    fn waiting_marks(&self, counts: impl Fn(&Mail) -> bool) -> Vec<Mark> {
        let waiting = self.mailboxes.values().map(|(mail, _)| mail);
        let waiting = waiting.filter(|mail| mail.dropped.is_none() && counts(mail));
        waiting.map(|mail| mail.mark).collect()
    }

    fn drop_waiting(&mut self, marks: &[Mark], code: FailureCode) -> Vec<Dropped> {
        let mut dropped: BTreeMap<LaneNumber, Dropped> = BTreeMap::new();
        for mark in marks {
            let Some((mail, _)) = self.mailboxes.get_mut(mark) else {
                continue;
            };
            let Some(lane) = self.lanes.get(&mail.lane) else {
                continue;
            };
            let entry = dropped.entry(mail.lane).or_insert_with(|| Dropped {
                lane: mail.lane,
                sender: lane.sender,
                recipient: lane.recipient,
                bytes: 0,
                failures: Vec::new(),
            });
            let bytes = mail.body.envelope.len() as u64;
            entry.bytes = entry.bytes.saturating_add(bytes);
            let number = mail.body.number;
            entry.failures.push(Failure { number, code });
            mail.body.envelope = Vec::new();
            mail.dropped = Some(code);
            self.failures.entry((mail.lane, number)).or_insert(code);
        }
        dropped.into_values().collect()
    }

    fn lane_state(&self, number: LaneNumber) -> Option<LaneState> {
        let lane = self.lanes.get(&number)?;
        let mut names = self.names.values().map(|named| &named.person);
        let name = names.find(|person| person.key == lane.sender);
        let pair = (lane.recipient, lane.sender);
        Some(LaneState {
            lane: number,
            from: Person {
                name: name.map_or_else(String::new, |person| person.name.clone()),
                key: lane.sender,
            },
            store: lane.store,
            durable: lane.durable,
            waiting_bytes: self.waiting(|_, at| at == number).bytes,
            of_sender: self.waiting(|it, _| (it.recipient, it.sender) == pair),
            known: self.knows(&lane.recipient, &lane.sender),
            blocked: self.blocked.contains(&pair),
        })
    }

    fn mailbox_state(&self, recipient: &RemoteKey) -> MailboxState {
        MailboxState {
            all: self.waiting(|lane, _| lane.recipient == *recipient),
            strangers: self.waiting(|lane, _| {
                lane.recipient == *recipient && !self.knows(recipient, &lane.sender)
            }),
        }
    }

    fn knows(&self, recipient: &RemoteKey, sender: &RemoteKey) -> bool {
        let mut lanes = self.lanes.values();
        lanes.any(|lane| {
            (&lane.sender, &lane.recipient) == (recipient, sender) && lane.durable.accepted() > 0
        })
    }

    fn waiting(&self, counts: impl Fn(&Lane, LaneNumber) -> bool) -> Waiting {
        let mut waiting = Waiting::default();
        for (mail, _) in self.mailboxes.values() {
            let lane = self.lanes.get(&mail.lane);
            if lane.is_some_and(|lane| counts(lane, mail.lane)) {
                waiting.add(Waiting {
                    messages: 1,
                    bytes: mail.body.envelope.len() as u64,
                });
            }
        }
        waiting
    }
}
