//! Private messages, from a client's side: numbering, sending, repeating and taking, so that none is lost, doubled or
//! reordered (`docs/protocol.md` §Private messages).
//!
//! Nothing leaves here before what it rests on is written down: effects wait for their commit. At most one commit is
//! under way; what comes meanwhile gathers for the next.

mod incoming;
mod keys;
mod outgoing;
mod stock;
mod store;

use std::collections::VecDeque;
use std::mem;
use std::time::Duration;

use recado_proto::frame::{ClientFrame, Person, ServerFrame};
use recado_proto::id::{MessageId, RemoteKey, StoreId};

use crate::event::{Event, State};
use incoming::Incoming;
use outgoing::{Acquaintance, Outgoing};
use stock::Stock;

pub use store::{
    Answer, Arrival, Arrived, Entry, IncomingState, Kind, MailState, Numbered, OutgoingLane,
    PackageFault, Receipt, Received, Sealed, Write,
};

/// What the server had no right to send.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// A lane that is not open.
    #[error("the server speaks of a lane that is not open")]
    Lane,
    /// A number that is not the next of its lane.
    #[error("the server left a number out")]
    Gap,
    /// A lane to someone else than was asked for.
    #[error("the server opened a lane to another name")]
    Name,
}

/// What is to be done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Output {
    Frame(ClientFrame),
    Event(Event),
    Commit(Vec<Write>),
    /// The database is an old copy: it becomes this store.
    Restart(StoreId),
}

/// What waits for a commit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Effect {
    Event(Event),
    /// Something that came is written down; what it was, its commit says.
    Received {
        from: Person,
        store: StoreId,
        number: u64,
        id: MessageId,
        /// Whether the number was.
        is_next: bool,
    },
    /// An incoming lane is written down up to here.
    Written {
        lane: incoming::LaneKey,
        number: u64,
    },
    /// It is written down that a message of this lane was taken.
    Taken(incoming::LaneKey),
    /// A number is written down; with what, its commit says.
    Numbered {
        peer: String,
        number: u64,
    },
    /// Numbers travel empty from now on.
    Voided {
        peer: String,
        numbers: std::ops::RangeInclusive<u64>,
    },
    /// A group is written down, unless its commit says otherwise.
    Begun(String),
    /// The database knows which key packages are missing at the server.
    Stocked,
    /// Someone's new key is trusted.
    Trusted(RemoteKey),
    /// Outcomes are written down up to here.
    Noted {
        peer: String,
        up_to: u64,
    },
}

/// What is written and done on the way to the next commit.
#[derive(Default)]
pub(super) struct Desk {
    writes: Vec<Write>,
    effects: Vec<Effect>,
    outputs: VecDeque<Output>,
}

/// Everything private.
pub(crate) struct Mail {
    outgoing: Outgoing,
    incoming: Incoming,
    stock: Stock,
    desk: Desk,
    /// What waits for the commit that is under way.
    committing: Option<Vec<Effect>>,
    /// Nothing more is done: the database is about to be another.
    restarting: bool,
}

impl Desk {
    pub(super) fn write(&mut self, write: Write) {
        self.writes.push(write);
    }

    /// After the next commit.
    pub(super) fn then(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// What becomes of a message, told after the next commit.
    pub(super) fn settle(&mut self, event: Option<Event>) {
        self.effects.extend(event.map(Effect::Event));
    }

    pub(super) fn send(&mut self, frame: ClientFrame) {
        self.outputs.push_back(Output::Frame(frame));
    }

    pub(super) fn tell(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }
}

impl Mail {
    /// `own` is one's own key. `manual`: messages are acknowledged when they were taken, and not as soon as they are
    /// written down.
    pub(crate) fn new(state: MailState, own: RemoteKey, manual: bool) -> Self {
        Self {
            outgoing: Outgoing::new(state.store, own, state.outgoing),
            incoming: Incoming::new(state.incoming, manual),
            stock: Stock::new(),
            desk: Desk::default(),
            committing: None,
            restarting: false,
        }
    }

    /// A session begins.
    pub(crate) fn handle_connected(&mut self, now: Duration) {
        self.outgoing.tick(now);
        self.stock.connect(&mut self.desk);
        self.outgoing.connect(&mut self.desk);
    }

    /// The session is over.
    pub(crate) fn handle_disconnected(&mut self) {
        self.outgoing.disconnect();
        self.incoming.disconnect();
        self.stock.disconnect();
    }

    /// Takes entries of the database, in order, each once.
    pub(crate) fn handle_entered(&mut self, entries: Vec<Entry>) {
        for entry in entries {
            self.outgoing.enter(entry, &mut self.desk);
        }
    }

    /// How many have no number yet.
    pub(crate) fn queued(&self) -> usize {
        self.outgoing.queued()
    }

    /// Whether the server owes an answer.
    pub(crate) fn is_waiting(&self) -> bool {
        self.outgoing.is_waiting()
    }

    /// Takes a frame of its own; gives others back. `restart` draws the id of a new store.
    pub(crate) fn handle_frame(
        &mut self,
        now: Duration,
        frame: ServerFrame,
        restart: impl FnOnce() -> StoreId,
    ) -> Result<Option<ServerFrame>, Fault> {
        if self.restarting {
            return Ok(None);
        }
        self.outgoing.tick(now);
        let desk = &mut self.desk;
        if lane_of(&frame).is_some_and(|lane| self.outgoing.is_retired(lane)) {
            return Ok(None);
        }
        match frame {
            ServerFrame::LaneOpened(opened) => {
                if self.outgoing.opened(opened, desk)? == outgoing::Standing::OldCopy {
                    self.restarting = true;
                    desk.outputs.push_back(Output::Restart(restart()));
                }
            }
            ServerFrame::LaneRefused(refused) => self.outgoing.refused(now, refused, desk)?,
            ServerFrame::LaneProgress(progress) => self.outgoing.progress(progress, desk)?,
            ServerFrame::PrivateRefused(refused) => {
                self.outgoing.message_refused(now, refused, desk)?;
            }
            ServerFrame::IncomingLane(lane) => {
                let sender = self.outgoing.recognise(&lane.from, desk);
                let is_held = sender == Acquaintance::Impostor;
                self.incoming.announced(lane, is_held, desk);
                self.acknowledge();
            }
            ServerFrame::Private(message) => {
                self.incoming.receive(message, desk)?;
                self.acknowledge();
            }
            ServerFrame::KeyPackagesHeld(held) => {
                self.stock.held(now, held, desk);
                self.acknowledge();
            }
            ServerFrame::KeyPackagesLow(_) => self.stock.low(now, desk),
            ServerFrame::KeyPackage(package) => self.outgoing.key_package(package, desk)?,
            ServerFrame::KeyPackageRefused(refused) => {
                self.outgoing.key_package_refused(refused, desk)?;
            }
            ServerFrame::KeyPackagesReady(lane) => self.outgoing.key_packages_ready(lane)?,
            other => return Ok(Some(other)),
        }
        Ok(None)
    }

    /// Whether one's own key packages are at the server, as far as that can be had.
    pub(crate) fn has_stock(&self) -> bool {
        self.stock.is_confirmed()
    }

    fn acknowledge(&mut self) {
        let has_key_packages = self.stock.is_confirmed();
        self.incoming.acknowledge(has_key_packages, &mut self.desk);
    }

    /// A message was taken.
    pub(crate) fn take(&mut self, receipt: Receipt) {
        self.incoming.take(receipt, &mut self.desk);
    }

    /// From now on the name belongs to the key that the server gave for it. Whether there was such a key.
    pub(crate) fn trust(&mut self, peer: &str) -> bool {
        let Some(person) = self.outgoing.trust(peer, &mut self.desk) else {
            return false;
        };
        self.incoming.hold(person.key, false);
        self.desk.then(Effect::Trusted(person.key));
        true
    }

    /// Learns whose a name is.
    pub(crate) fn meet(&mut self, name: &str) {
        self.outgoing.meet(name, &mut self.desk);
    }

    /// The commit under way has returned; `answers` are those of its writes that have one, in order.
    pub(crate) fn handle_committed(&mut self, answers: Vec<Answer>) {
        let mut answers = answers.into_iter();
        let desk = &mut self.desk;
        for effect in self.committing.take().unwrap_or_default() {
            match effect {
                Effect::Event(event) => desk.tell(event),
                Effect::Received {
                    from,
                    store,
                    number,
                    id,
                    is_next,
                } => {
                    let Some(Answer::Received(arrival)) = answers.next() else {
                        continue;
                    };
                    let Arrival {
                        what,
                        has_group,
                        handshake_due,
                    } = *arrival;
                    let news = (has_group, handshake_due);
                    self.outgoing.received(&from, what.was_opened(), news);
                    let receipt = Receipt {
                        from: from.key,
                        store,
                        number,
                    };
                    self.incoming
                        .received((from, id), receipt, is_next, what, desk);
                }
                Effect::Written { lane, number } => self.incoming.written(&lane, number),
                Effect::Taken(lane) => self.incoming.taken(&lane),
                Effect::Numbered { peer, number } => {
                    self.outgoing.numbered(&peer, number, answers.next());
                }
                Effect::Voided { peer, numbers } => self.outgoing.voided(&peer, numbers),
                Effect::Noted { peer, up_to } => self.outgoing.noted(&peer, up_to, desk),
                Effect::Begun(peer) => {
                    if let Some(Answer::Begun(result)) = answers.next() {
                        self.outgoing.begun(&peer, result, desk);
                    }
                }
                Effect::Stocked => {
                    if let Some(Answer::Stock(missing)) = answers.next() {
                        self.stock.stocked(missing, desk);
                    }
                }
                Effect::Trusted(key) => desk.tell(Event::Trusted { key }),
            }
        }
        self.outgoing.gather_unsealed();
        if !self.restarting {
            self.acknowledge();
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Duration> {
        let due = [self.outgoing.poll_timeout(), self.stock.poll_timeout()];
        due.into_iter().flatten().min()
    }

    pub(crate) fn handle_timeout(&mut self, now: Duration) {
        self.outgoing.tick(now);
        self.outgoing.handle_timeout(now, &mut self.desk);
        self.stock.handle_timeout(now, &mut self.desk);
    }

    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        if !self.restarting {
            self.outgoing.pump(&mut self.desk);
            if self.committing.is_none() && !self.desk.writes.is_empty() {
                self.committing = Some(mem::take(&mut self.desk.effects));
                let commit = Output::Commit(mem::take(&mut self.desk.writes));
                self.desk.outputs.push_back(commit);
            }
        }
        self.desk.outputs.pop_front()
    }
}

/// What became of what was entered; nothing is told of what was not.
pub(super) fn state_of(numbered: &Numbered, state: State) -> Option<Event> {
    let (id, reference) = (numbered.id, numbered.reference.clone());
    match numbered.kind {
        Kind::Text => Some(Event::State {
            id,
            reference,
            state,
        }),
        Kind::Note => Some(Event::NoteState {
            id,
            reference,
            state,
        }),
        Kind::Handshake | Kind::Nothing => None,
    }
}

/// Of which of this client's lanes a frame speaks.
fn lane_of(frame: &ServerFrame) -> Option<u32> {
    match frame {
        ServerFrame::LaneOpened(opened) => Some(opened.lane),
        ServerFrame::LaneRefused(refused) => Some(refused.lane),
        ServerFrame::LaneProgress(progress) => Some(progress.lane),
        ServerFrame::PrivateRefused(refused) => Some(refused.lane),
        ServerFrame::KeyPackage(package) => Some(package.lane),
        ServerFrame::KeyPackageRefused(refused) => Some(refused.lane),
        ServerFrame::KeyPackagesReady(lane) => Some(*lane),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
