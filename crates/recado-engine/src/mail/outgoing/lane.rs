//! The way to one person.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use recado_proto::frame::{ClientFrame, Person, PrivateMessage};
use recado_proto::id::{MessageId, RemoteKey};
use recado_proto::limits::{MAX_UNSTORED, MAX_UNSTORED_BYTES};

use super::super::keys::{Keys, MAX_SEALS};
use super::super::store::{Entry, Kind, Numbered, Write};
use super::super::{Desk, Effect, state_of};
use super::folded;
use crate::event::{Event, Failure, State, WaitReason};

/// The way to one person.
pub(super) struct Lane {
    pub(super) name: String,
    pub(super) key: Option<RemoteKey>,
    /// The key that the server gives for the name, and that is not trusted.
    pub(super) other: Option<Person>,
    /// Whether that was said in this session: nothing is sent.
    pub(super) is_barred: bool,
    /// Of which other key the user was told.
    pub(super) told_key: Option<RemoteKey>,
    /// Whether there is something to seal with.
    pub(super) keys: Keys,
    /// Whether something is to be said to keep the group fresh.
    pub(super) handshake_due: bool,
    /// Whether someone waits to learn whose the name is.
    pub(super) meets: bool,
    pub(super) highest: u64,
    pub(super) settled_id: Option<MessageId>,
    /// Without a number, in order of entry.
    pub(super) waiting: VecDeque<Entry>,
    /// With a number and not settled, rising without gaps up to `highest`.
    pub(super) numbered: VecDeque<Numbered>,
    /// Of those, the ones that are not written down as they stand: they are not sent before.
    pub(super) unwritten: BTreeSet<u64>,
    /// Entries whose numbers could not be sealed, in order, until their commit is looked through.
    pub(super) unsealed: Vec<Entry>,
    /// The highest failure that is not noted.
    pub(super) failed: u64,
    /// Why it does not go on, as it was last told.
    pub(super) told: Option<WaitReason>,
    pub(super) phase: Phase,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    Closed,
    /// Asked for under this number.
    Opening(u32),
    Open {
        lane: u32,
        /// The next number to send.
        next: u64,
    },
    /// Open, and held back until then.
    Held {
        lane: u32,
        next: u64,
        until: Duration,
    },
    /// To be asked for again then.
    Refused(Duration),
}

impl Lane {
    pub(super) fn new(name: String) -> Self {
        Self {
            name,
            key: None,
            other: None,
            is_barred: false,
            told_key: None,
            keys: Keys::new(false),
            handshake_due: false,
            meets: false,
            highest: 0,
            settled_id: None,
            waiting: VecDeque::new(),
            numbered: VecDeque::new(),
            unwritten: BTreeSet::new(),
            unsealed: Vec::new(),
            failed: 0,
            told: None,
            phase: Phase::Closed,
        }
    }

    /// The lowest number without an outcome.
    pub(super) fn lowest(&self) -> u64 {
        let first = self.numbered.front().map(|own| own.number);
        first.unwrap_or(self.highest.saturating_add(1))
    }

    /// The id that this database gave to a number, where that is known.
    pub(super) fn id_of(&self, number: u64) -> Option<MessageId> {
        if number.saturating_add(1) == self.lowest() {
            return self.settled_id;
        }
        let own = self.numbered.iter().find(|own| own.number == number);
        own.map(|own| own.id)
    }

    pub(super) fn has_something_to_seal(&self) -> bool {
        self.handshake_due || !self.waiting.is_empty()
    }

    /// Says, once, why it does not go on.
    pub(super) fn tell_waiting(&mut self, why: WaitReason, desk: &mut Desk) {
        if self.told.replace(why) != Some(why) {
            let name = self.name.clone();
            desk.tell(Event::Waiting { name, why });
        }
    }

    /// Gives the next number to an entry.
    pub(super) fn number(&mut self, peer: &str, entry: Entry, desk: &mut Desk) {
        let number = self.highest.saturating_add(1);
        desk.write(Write::Number {
            entry: entry.entry,
            peer: peer.to_owned(),
            number,
        });
        self.push(
            peer,
            Numbered {
                number,
                id: entry.id,
                sent_at_ms: entry.sent_at_ms,
                envelope: Vec::new(),
                reference: entry.reference,
                stored: false,
                kind: entry.kind,
                entry: entry.entry,
                seals: entry.seals.saturating_add(1),
            },
            desk,
        );
    }

    /// Gives the next number to what is to be said to keep the group fresh.
    pub(super) fn number_handshake(&mut self, peer: &str, desk: &mut Desk) {
        let number = self.highest.saturating_add(1);
        desk.write(Write::Handshake {
            peer: peer.to_owned(),
            number,
        });
        self.push(
            peer,
            Numbered {
                number,
                // The database draws it.
                id: MessageId::from_bytes([0; MessageId::LENGTH]),
                sent_at_ms: 0,
                envelope: Vec::new(),
                reference: None,
                stored: false,
                kind: Kind::Handshake,
                entry: 0,
                seals: 0,
            },
            desk,
        );
    }

    pub(super) fn push(&mut self, peer: &str, own: Numbered, desk: &mut Desk) {
        desk.then(Effect::Numbered {
            peer: peer.to_owned(),
            number: own.number,
        });
        self.highest = own.number;
        self.unwritten.insert(own.number);
        self.numbered.push_back(own);
    }

    /// Makes a number travel empty; what was entered and stood under it is an entry again.
    pub(super) fn take_back(&mut self, number: u64) -> Option<Entry> {
        let own = self.numbered.iter_mut().find(|own| own.number == number)?;
        let entry = own.is_entry().then(|| Entry {
            entry: own.entry,
            id: own.id,
            peer: folded(&self.name),
            to: self.name.clone(),
            sent_at_ms: own.sent_at_ms,
            reference: own.reference.take(),
            kind: own.kind,
            seals: own.seals,
        });
        own.kind = Kind::Nothing;
        own.envelope.clear();
        entry
    }

    /// The recipient could not read this number, nor will they read what is sealed with the same keys behind it: all of
    /// it is sealed again, in order, in a new group; but for what was sealed too often. Returns how many wait again.
    pub(super) fn requeue(&mut self, peer: &str, from: u64, desk: &mut Desk) -> usize {
        let numbers: Vec<_> = self
            .numbered
            .iter()
            .map(|own| (own.number, own.is_void()))
            .collect();
        let numbers = numbers.into_iter().filter(|(number, _)| *number >= from);
        let mut again = Vec::new();
        for (number, is_void) in numbers {
            if is_void {
                continue;
            }
            self.unwritten.insert(number);
            let own = self.numbered.iter().find(|own| own.number == number);
            match own {
                Some(own) if own.is_entry() && own.seals >= MAX_SEALS => {
                    self.fail(peer, number, Failure::Unreadable, desk);
                }
                _ => again.extend(self.take_back(number)),
            }
        }
        desk.write(Write::Requeue {
            peer: peer.to_owned(),
            from,
        });
        desk.then(Effect::Voided {
            peer: peer.to_owned(),
            numbers: from..=self.highest,
        });
        for entry in &again {
            if entry.kind == Kind::Text {
                desk.then(Effect::Event(Event::State {
                    id: entry.id,
                    reference: entry.reference.clone(),
                    state: State::Queued,
                }));
            }
        }
        let count = again.len();
        if count > 0 {
            let name = self.name.clone();
            desk.then(Effect::Event(Event::Resealed { name, count }));
        }
        for entry in again.into_iter().rev() {
            self.waiting.push_front(entry);
        }
        self.keys = Keys::broken();
        self.handshake_due = false;
        count
    }

    /// An entry that has no number has failed.
    pub(super) fn fail_entry(&self, entry: Entry, failure: Failure, desk: &mut Desk) {
        let (id, reference) = (entry.id, entry.reference);
        let state = State::Failed(failure);
        desk.write(Write::Fail { id, failure });
        desk.then(Effect::Event(match entry.kind {
            Kind::Text => Event::State {
                id,
                reference,
                state,
            },
            _ => Event::NoteState {
                id,
                reference,
                state,
            },
        }));
    }

    /// Sends from `next` what is written down and finds room; says what is next then.
    pub(super) fn send(
        &self,
        handle: u32,
        mut next: u64,
        unstored: &mut (usize, usize),
        desk: &mut Desk,
    ) -> u64 {
        let start = usize::try_from(next.saturating_sub(self.lowest())).unwrap_or(usize::MAX);
        for own in self.numbered.iter().skip(start) {
            let bytes = unstored.1.saturating_add(own.envelope.len());
            let is_full = unstored.0 >= MAX_UNSTORED || bytes > MAX_UNSTORED_BYTES;
            if self.unwritten.contains(&own.number) || is_full {
                break;
            }
            *unstored = (unstored.0.saturating_add(1), bytes);
            next = own.number.saturating_add(1);
            desk.send(ClientFrame::Private(PrivateMessage {
                lane: handle,
                number: own.number,
                id: own.id,
                sent_at_ms: own.sent_at_ms,
                envelope: own.envelope.clone(),
            }));
        }
        next
    }

    /// Those that were sent in this session and are not stored.
    pub(super) fn unstored(&self) -> impl Iterator<Item = &Numbered> {
        let next = match self.phase {
            Phase::Open { next, .. } | Phase::Held { next, .. } => next,
            Phase::Closed | Phase::Opening(_) | Phase::Refused(_) => 0,
        };
        let sent = self.numbered.iter();
        sent.filter(move |own| own.number < next && !own.stored)
    }

    /// A message has failed for good; its number travels empty, as soon as that is written down.
    pub(super) fn fail(&mut self, peer: &str, number: u64, failure: Failure, desk: &mut Desk) {
        let own = self.numbered.iter_mut().find(|own| own.number == number);
        let Some(own) = own.filter(|own| !own.is_void()) else {
            return;
        };
        if own.is_entry() {
            let id = own.id;
            desk.write(Write::Fail { id, failure });
        }
        desk.write(Write::Void {
            peer: peer.to_owned(),
            number,
        });
        desk.settle(state_of(own, State::Failed(failure)));
        desk.then(Effect::Voided {
            peer: peer.to_owned(),
            numbers: number..=number,
        });
        own.kind = Kind::Nothing;
        own.envelope.clear();
        self.unwritten.insert(number);
    }
}
