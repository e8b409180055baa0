//! One lane: how far it has come in memory, and how far durably.

use std::collections::VecDeque;

use recado_proto::frame::{Failure, FailureCode, Person};
use recado_proto::id::{MessageId, StoreId};

use super::outgoing::OpenedBy;
use crate::backend::{Body, Durable, LaneChange, LaneNumber, LaneState, Waiting};

/// A lane in memory. It is there while one of its ends has it open, or something of it is not durable.
///
/// `durable.settled ≤ settled ≤ settled + sent.len() ≤ accepted`, and `durable.accepted ≤ accepted`.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) number: LaneNumber,
    pub(super) from: Person,
    pub(super) store: StoreId,
    /// Its sender's share of the mailbox: an index.
    pub(super) share: usize,
    /// Its recipient's mailbox: an index.
    pub(super) mailbox: usize,
    pub(super) durable: Durable,
    pub(super) accepted: u64,
    pub(super) accepted_id: Option<MessageId>,
    pub(super) settled: u64,
    /// Bytes of the envelopes above `settled`.
    waiting_bytes: u64,
    /// Sizes of the messages above the durable ones, up to `accepted`.
    unstored: VecDeque<u32>,
    /// Messages that no commit has yet: the last ones, as far as they are above `settled`.
    pub(super) pending: VecDeque<Body>,
    /// Sizes of what was sent in the recipient's session and is not acknowledged: those just above `settled`.
    sent: VecDeque<u32>,
    /// Not written down yet, nor told to the sender.
    failures: Vec<Failure>,
    /// The sender has the outcomes up to here, which no commit says yet; 0 is none.
    noted: u64,
    /// What the commit that is under way has of it.
    handed: Option<Handed>,
    /// Whether it waits for the next commit.
    pub(super) dirty: bool,
    /// Messages up to here are to be written down by the next commit, acknowledged or not. Those above were sent to the
    /// recipient a moment ago: what is acknowledged before it is written need not be.
    ripe: u64,
    /// Where `ripe` will be when the recipient has had its time for those.
    ripening: u64,
    /// Whether it is in the list of those that ripen.
    pub(super) is_ripening: bool,
    /// The id under `settled`, where its body was here.
    settled_id: Option<MessageId>,
    /// Whether the sender was told that its last message was refused: what was under way then is not answered.
    pub(super) refusing: bool,
    pub(super) sender: Option<OpenedBy>,
    /// The server's number for it in the recipient's session, where it was announced.
    pub(super) recipient: Option<u32>,
    /// Whether its sender has another name since, under which it is to be announced again.
    pub(super) is_renamed: bool,
    /// Whether its recipient's name was released since it was opened.
    pub(super) is_released: bool,
}

/// What a commit has of a lane, to be told once it has returned.
#[derive(Debug)]
struct Handed {
    accepted: u64,
    failures: Vec<Failure>,
    noted: u64,
}

/// What a commit did for a lane.
pub(super) struct Progress {
    /// Failures that are written down now.
    pub(super) failures: Vec<Failure>,
    /// What is stored now that was not.
    pub(super) stored: Waiting,
    /// Whether more is stored or settled than before.
    pub(super) moved: bool,
    /// Whether the lane stands elsewhere than it was to.
    pub(super) astray: bool,
}

impl Lane {
    pub(super) fn new(state: LaneState, share: usize, mailbox: usize) -> Self {
        let durable = state.durable;
        Self {
            number: state.lane,
            from: state.from,
            store: state.store,
            share,
            mailbox,
            durable,
            accepted: durable.accepted(),
            accepted_id: durable.accepted_id(),
            settled: durable.settled(),
            waiting_bytes: state.waiting_bytes,
            unstored: VecDeque::new(),
            pending: VecDeque::new(),
            sent: VecDeque::new(),
            failures: Vec::new(),
            noted: 0,
            handed: None,
            dirty: false,
            ripe: durable.accepted(),
            ripening: durable.accepted(),
            is_ripening: false,
            settled_id: None,
            refusing: false,
            sender: None,
            recipient: None,
            is_renamed: false,
            is_released: false,
        }
    }

    /// Whether memory can do without it.
    pub(super) fn is_idle(&self) -> bool {
        let is_open = self.sender.is_some() || self.recipient.is_some();
        let has_work = self.dirty || self.is_ripening || self.handed.is_some();
        !is_open && !has_work
    }

    /// The number that is taken next.
    pub(super) fn expected(&self) -> u64 {
        self.accepted.saturating_add(1)
    }

    /// The highest number sent in the recipient's session, or settled before.
    pub(super) fn sent_up_to(&self) -> u64 {
        self.settled.saturating_add(self.sent.len() as u64)
    }

    /// What waits for the recipient.
    pub(super) fn waiting(&self) -> Waiting {
        Waiting {
            messages: self.accepted.saturating_sub(self.settled),
            bytes: self.waiting_bytes,
        }
    }

    /// What is not stored.
    pub(super) fn unstored(&self) -> Waiting {
        total(&self.unstored)
    }

    /// Takes the next message.
    pub(super) fn accept(&mut self, body: Body) {
        let size = size(&body);
        self.accepted = body.number;
        self.accepted_id = Some(body.id);
        self.waiting_bytes = self.waiting_bytes.saturating_add(size.into());
        self.unstored.push_back(size);
        self.pending.push_back(body);
        self.refusing = false;
    }

    /// Its sender's name as it is now: a key whose name was released may have another.
    pub(super) fn rename(&mut self, from: Person) {
        if self.from.name != from.name && !from.name.is_empty() {
            self.from = from;
            self.is_renamed = self.recipient.is_some();
        }
    }

    /// The message was sent to the recipient.
    pub(super) fn sent(&mut self, size: u32) {
        self.sent.push_back(size);
    }

    /// The recipient's session has ended. Returns what it had not acknowledged.
    pub(super) fn unsend(&mut self) -> Waiting {
        (self.recipient, self.is_renamed) = (None, false);
        total(&std::mem::take(&mut self.sent))
    }

    /// The recipient has written down everything up to a number: of what was sent. Returns what that was.
    pub(super) fn acknowledge(&mut self, up_to: u64, unreadable: &[u64]) -> Waiting {
        let before = self.settled;
        let up_to = up_to.min(self.sent_up_to());
        let count = up_to.saturating_sub(before);
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let bytes = self
            .sent
            .drain(..count.min(self.sent.len()))
            .map(u64::from)
            .sum();
        self.settled = self.settled.max(up_to);
        self.waiting_bytes = self.waiting_bytes.saturating_sub(bytes);
        let failed = unreadable.iter().copied();
        let failed = failed.filter(|number| *number > before && *number <= up_to);
        self.failures.extend(failed.map(|number| Failure {
            number,
            code: FailureCode::Unreadable,
        }));
        self.forget_settled_bodies();
        Waiting {
            messages: count as u64,
            bytes,
        }
    }

    /// The sender knows the outcome of everything up to a number, and the server stands lower: it was restored.
    /// Returns what had been sent to the recipient, which is gone with the rest.
    pub(super) fn raise(&mut self, to: u64) -> Waiting {
        let sent = total(&std::mem::take(&mut self.sent));
        (self.accepted, self.accepted_id, self.settled) = (to, None, to);
        (self.ripe, self.ripening, self.settled_id) = (to, to, None);
        self.waiting_bytes = 0;
        self.unstored.clear();
        self.pending.clear();
        sent
    }

    /// The sender has written down the outcomes up to a number.
    pub(super) fn note(&mut self, up_to: u64) {
        self.noted = self.noted.max(up_to);
    }

    /// The backend dropped the bodies of messages.
    pub(super) fn dropped(&mut self, bytes: u64) {
        self.waiting_bytes = self.waiting_bytes.saturating_sub(bytes);
    }

    /// Everything that was taken is to be written down by the next commit.
    pub(super) fn ripen_all(&mut self) {
        (self.ripe, self.ripening) = (self.accepted, self.accepted);
    }

    /// Some of the recipient's time has passed. Returns whether something has become ripe, and whether something is
    /// ripening still.
    pub(super) fn ripen(&mut self) -> (bool, bool) {
        self.ripe = self.ripening;
        self.ripening = self.accepted;
        let handed = self.handed.as_ref().map(|handed| handed.accepted);
        let written = handed.unwrap_or_default().max(self.durable.accepted());
        let done = written.max(self.settled);
        (self.ripe > done, self.accepted > self.ripe.max(done))
    }

    /// What the next commit is to write.
    pub(super) fn hand_over(&mut self) -> LaneChange {
        self.dirty = false;
        let accepted = self.ripe.max(self.settled).max(self.durable.accepted());
        let accepted_id = self.id_of(accepted);
        let bodies = self.pending.partition_point(|body| body.number <= accepted);
        let bodies = self.pending.drain(..bodies).collect();
        let failures = std::mem::take(&mut self.failures);
        let noted = std::mem::take(&mut self.noted);
        self.handed = Some(Handed {
            accepted,
            failures: failures.clone(),
            noted,
        });
        LaneChange {
            lane: self.number,
            from: self.durable.accepted(),
            accepted,
            accepted_id,
            settled: self.settled,
            bodies,
            failures,
            noted,
        }
    }

    /// The commit has returned.
    pub(super) fn committed(&mut self, durable: Durable) -> Option<Progress> {
        let handed = self.handed.take()?;
        let before = std::mem::replace(&mut self.durable, durable);
        let unstored = self.accepted.saturating_sub(durable.accepted());
        let unstored = usize::try_from(unstored).unwrap_or(usize::MAX);
        let stored = self.unstored.len().saturating_sub(unstored);
        let stored: VecDeque<_> = self.unstored.drain(..stored).collect();
        Some(Progress {
            stored: total(&stored),
            failures: handed.failures,
            moved: before != durable,
            astray: durable.accepted() != handed.accepted,
        })
    }

    /// The commit has failed, or came to stand elsewhere: what is not durable was never taken. Returns what
    /// of it was sent to the recipient, and whether anything was taken back.
    pub(super) fn roll_back(&mut self) -> (Waiting, bool) {
        if let Some(handed) = self.handed.take() {
            self.failures.splice(..0, handed.failures);
            self.noted = self.noted.max(handed.noted);
        }
        let durable = self.durable.accepted();
        let taken_back = self.accepted != durable;
        let lost = self.accepted.saturating_sub(durable.max(self.settled));
        let lost = usize::try_from(lost).unwrap_or(usize::MAX);
        let lost = lost.min(self.unstored.len());
        let bytes = self.unstored.iter().rev().take(lost).copied();
        let bytes = bytes.map(u64::from).sum();
        self.waiting_bytes = self.waiting_bytes.saturating_sub(bytes);
        let sent_up_to = self.sent_up_to().min(durable);
        self.accepted = durable;
        self.accepted_id = self.durable.accepted_id();
        (self.ripe, self.ripening) = (durable, durable);
        self.settled = self.settled.min(durable).max(self.durable.settled());
        let stay = sent_up_to.saturating_sub(self.settled);
        let stay = usize::try_from(stay).unwrap_or(usize::MAX);
        let unsent = total(&self.sent.split_off(stay.min(self.sent.len())));
        self.unstored.clear();
        self.pending.clear();
        self.failures.retain(|failure| failure.number <= durable);
        (unsent, taken_back)
    }

    /// Whether something of it is to be written.
    pub(super) fn has_news(&self) -> bool {
        self.accepted != self.durable.accepted()
            || self.settled != self.durable.settled()
            || !self.failures.is_empty()
            || self.noted > 0
    }

    fn forget_settled_bodies(&mut self) {
        while self
            .pending
            .front()
            .is_some_and(|body| body.number <= self.settled)
        {
            self.settled_id = self.pending.pop_front().map(|body| body.id);
        }
    }

    /// The id under a number that was taken, where it is known.
    fn id_of(&self, number: u64) -> Option<MessageId> {
        if number == self.accepted {
            return self.accepted_id;
        }
        if number == self.durable.accepted() {
            return self.durable.accepted_id();
        }
        let at = self.pending.partition_point(|body| body.number < number);
        let body = self.pending.get(at).filter(|body| body.number == number);
        body.map(|body| body.id).or(self.settled_id)
    }
}

/// Bytes of a message's envelope.
pub(super) fn size(body: &Body) -> u32 {
    u32::try_from(body.envelope.len()).unwrap_or(u32::MAX)
}

fn total(sizes: &VecDeque<u32>) -> Waiting {
    Waiting {
        messages: sizes.len() as u64,
        bytes: sizes.iter().copied().map(u64::from).sum(),
    }
}
