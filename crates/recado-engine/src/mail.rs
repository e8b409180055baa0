//! Private messages, from a client's side: numbering, sending, repeating and taking, so that none is lost, doubled or
//! reordered (`docs/protocol.md` §Private messages).
//!
//! Nothing leaves here before what it rests on is written down: effects wait for their commit. At most one commit is
//! under way; what comes meanwhile gathers for the next.

mod incoming;
mod outgoing;
mod store;

use std::collections::VecDeque;
use std::mem;
use std::time::Duration;

use recado_proto::frame::{ClientFrame, ServerFrame};
use recado_proto::id::StoreId;

use crate::event::{Event, State};
use incoming::Incoming;
use outgoing::Outgoing;

pub use store::{
    Content, Entry, IncomingState, MailState, Numbered, OutgoingLane, Receipt, Received, Write,
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
    /// A message is written down; it is new if its commit says so.
    Received {
        lane: incoming::LaneKey,
        number: u64,
        /// Whether the number was.
        is_next: bool,
        event: Option<Box<Event>>,
    },
    /// An incoming lane is written down up to here.
    Written {
        lane: incoming::LaneKey,
        number: u64,
    },
    /// It is written down that a message of this lane was taken.
    Taken(incoming::LaneKey),
    /// A message has its number, unless it was withdrawn.
    Numbered {
        peer: String,
        number: u64,
    },
    /// A message has failed, and travels empty.
    Voided {
        peer: String,
        number: u64,
    },
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

    pub(super) fn send(&mut self, frame: ClientFrame) {
        self.outputs.push_back(Output::Frame(frame));
    }

    pub(super) fn tell(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }
}

impl Mail {
    /// `manual`: messages are acknowledged when they were taken, and not as soon as they are written down.
    pub(crate) fn new(state: MailState, manual: bool) -> Self {
        Self {
            outgoing: Outgoing::new(state.store, state.outgoing),
            incoming: Incoming::new(state.incoming, manual),
            desk: Desk::default(),
            committing: None,
            restarting: false,
        }
    }

    /// A session begins.
    pub(crate) fn handle_connected(&mut self) {
        self.outgoing.connect(&mut self.desk);
    }

    /// The session is over.
    pub(crate) fn handle_disconnected(&mut self) {
        self.outgoing.disconnect();
        self.incoming.disconnect();
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
        let desk = &mut self.desk;
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
            ServerFrame::IncomingLane(lane) => self.incoming.announced(lane, desk),
            ServerFrame::Private(message) => self.incoming.receive(message, desk)?,
            other => return Ok(Some(other)),
        }
        Ok(None)
    }

    /// A message was taken.
    pub(crate) fn take(&mut self, receipt: Receipt) {
        self.incoming.take(receipt, &mut self.desk);
    }

    /// From now on the name belongs to the key that the server gave for it.
    pub(crate) fn trust(&mut self, peer: &str) -> bool {
        self.outgoing.trust(peer, &mut self.desk)
    }

    /// The commit under way has returned; `answers` are those of its writes that have one, in order.
    pub(crate) fn handle_committed(&mut self, answers: &[bool]) {
        let mut answers = answers.iter().copied();
        for effect in self.committing.take().unwrap_or_default() {
            match effect {
                Effect::Event(event) => self.desk.tell(event),
                Effect::Received {
                    lane,
                    number,
                    is_next,
                    event,
                } => {
                    let is_new = answers.next().unwrap_or(false);
                    if is_new && let Some(event) = event {
                        self.desk.tell(*event);
                    }
                    if is_next && !is_new {
                        self.incoming.forget(&lane, number);
                    }
                    self.incoming.written(&lane, number);
                }
                Effect::Written { lane, number } => self.incoming.written(&lane, number),
                Effect::Taken(lane) => self.incoming.taken(&lane),
                Effect::Numbered { peer, number } => {
                    let is_there = answers.next().unwrap_or(false);
                    self.outgoing.written(&peer, number, is_there);
                }
                Effect::Voided { peer, number } => self.outgoing.written(&peer, number, false),
                Effect::Noted { peer, up_to } => self.outgoing.noted(&peer, up_to, &mut self.desk),
            }
        }
        if !self.restarting {
            self.incoming.acknowledge(&mut self.desk);
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Duration> {
        self.outgoing.poll_timeout()
    }

    pub(crate) fn handle_timeout(&mut self, now: Duration) {
        self.outgoing.handle_timeout(now, &mut self.desk);
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

/// What became of one's own message.
pub(super) fn state_of(numbered: &Numbered, state: State) -> Event {
    Event::State {
        id: numbered.id,
        reference: numbered.reference.clone(),
        state,
    }
}

#[cfg(test)]
mod tests;
