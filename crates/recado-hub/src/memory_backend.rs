//! A backend in memory, as plain as can be: for simulations, and what others are compared with.

mod key_packages;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use recado_proto::frame::{Failure, FailureCode, Person};
use recado_proto::id::{RemoteKey, StoreId};

use crate::backend::{
    BackendAnswer, BackendRequest, ClaimOutcome, Dropped, Durable, Fetched, LaneChange, LaneNumber,
    LaneState, Mail, MailboxState, Mark, OpenOutcome, OpenedLane, Waiting,
};
use key_packages::KeyPackageShelf;

/// Everything durable. A clone is a backup.
#[derive(Clone, Debug, Default)]
pub struct MemoryBackend {
    /// By folded name: as typed, and whose.
    names: BTreeMap<String, Person>,
    lanes: BTreeMap<LaneNumber, Lane>,
    mailboxes: BTreeMap<Mark, (Mail, Duration)>,
    failures: BTreeMap<(LaneNumber, u64), FailureCode>,
    blocked: BTreeSet<(RemoteKey, RemoteKey)>,
    marks: u64,
    key_packages: KeyPackageShelf,
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
            } => {
                let owned = self.names.iter().find(|(_, person)| person.key == key);
                let outcome = match owned {
                    Some((folded, person)) if *folded == keys.folded => {
                        ClaimOutcome::Owned(person.name.clone())
                    }
                    Some((_, person)) => ClaimOutcome::KeyHasName(person.name.clone()),
                    None if self.names.contains_key(&keys.folded) => ClaimOutcome::Taken,
                    None if !may_register => ClaimOutcome::NotRegistered,
                    None => {
                        let name = name.to_string();
                        self.names.insert(keys.folded, Person { name, key });
                        ClaimOutcome::Registered
                    }
                };
                BackendAnswer::Claimed { session, outcome }
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
                let sender = self.names.get(&folded).map(|person| person.key);
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
                BackendAnswer::Expired(self.drop_old(&old))
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
        let Some(recipient) = self.names.get(to).cloned() else {
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
                let number = LaneNumber(self.lanes.len().saturating_add(1) as u64);
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
        let dropped = self.drop_old(&old);
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

    fn drop_old(&mut self, marks: &[Mark]) -> Vec<Dropped> {
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
            let (number, code) = (mail.body.number, FailureCode::Expired);
            entry.failures.push(Failure { number, code });
            mail.body.envelope = Vec::new();
            mail.dropped = Some(code);
            self.failures.entry((mail.lane, number)).or_insert(code);
        }
        dropped.into_values().collect()
    }

    fn lane_state(&self, number: LaneNumber) -> Option<LaneState> {
        let lane = self.lanes.get(&number)?;
        let name = self.names.values().find(|it| it.key == lane.sender);
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
