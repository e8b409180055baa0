//! Private messages: lanes from senders to recipients, mailboxes between them. `docs/protocol.md` §Private messages
//! says what is kept.
//!
//! What a sender sends is taken in memory, passed on at once if the recipient is here and has everything before it,
//! and written down by the next commit. One commit is under way at a time, and what comes meanwhile is gathered for
//! the next. What a sender is told of as stored or settled is what a commit returned.

mod commit;
mod delivery;
mod lane;
mod limits;
mod mailbox;
mod outgoing;
mod restricting;
mod sending;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use recado_proto::frame::{Failure, LaneProgress, ServerFrame};
use recado_proto::id::RemoteKey;
use recado_proto::limits::MAX_FAILURES_PER_FRAME;
use slab::Slab;

use crate::backend::{
    BackendRequest, Dropped, Durable, LaneNumber, LaneState, MailboxState, Waiting,
};
use crate::event::Outputs;
use crate::session::SessionNumber;

use commit::Flight;
use lane::Lane;
use limits::{EXPIRE_INTERVAL, EXPIRE_MESSAGES};
use mailbox::{Mailbox, Phase, Reader, Share};
use outgoing::{OpenedBy, Outgoing};

pub use limits::PrivateConfig;

/// A frame that its sender had no right to send, in words for its developer.
pub(crate) type Misuse = &'static str;

/// All lanes in memory.
pub(crate) struct Lanes {
    config: PrivateConfig,
    lanes: Slab<Lane>,
    by_number: BTreeMap<LaneNumber, usize>,
    shares: Slab<Share>,
    mailboxes: Slab<Mailbox>,
    by_key: BTreeMap<RemoteKey, usize>,
    outgoing: Slab<Outgoing>,
    /// Lanes with something to write down, in order.
    dirty: Vec<usize>,
    /// Lanes of which something was just sent to its recipient, and is to be written down unless it is acknowledged
    /// soon.
    ripening: Vec<usize>,
    /// When these are looked at, if there are any.
    ripen_due: Option<Duration>,
    /// Mailboxes to be read.
    asking: Vec<usize>,
    flight: Flight,
    /// The backend failed: nothing is asked of it before.
    not_before: Duration,
    expire_due: Duration,
    /// Whose messages the operator refuses.
    muted: BTreeSet<RemoteKey>,
    /// To whom nothing is taken, as the operator has banned them.
    banned: BTreeSet<RemoteKey>,
    /// What is dropped behind the next commit: of these lanes up to a number, as their recipients are gone.
    discarding: Vec<(LaneNumber, u64)>,
}

/// A session's place here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    mailbox: usize,
    outgoing: Option<usize>,
}

impl Lanes {
    pub(crate) fn new(config: PrivateConfig) -> Self {
        Self {
            config,
            lanes: Slab::new(),
            by_number: BTreeMap::new(),
            shares: Slab::new(),
            mailboxes: Slab::new(),
            by_key: BTreeMap::new(),
            outgoing: Slab::new(),
            dirty: Vec::new(),
            ripening: Vec::new(),
            ripen_due: None,
            asking: Vec::new(),
            flight: Flight::default(),
            not_before: Duration::ZERO,
            expire_due: Duration::ZERO,
            muted: BTreeSet::new(),
            banned: BTreeSet::new(),
            discarding: Vec::new(),
        }
    }

    /// Someone is here: what waits for them is read. An older session of the same key has left.
    pub(crate) fn join(&mut self, session: SessionNumber, key: RemoteKey) -> Place {
        let mailbox = self.mailbox(key);
        if let Some(found) = self.mailboxes.get_mut(mailbox) {
            found.reader = Some(Reader::new(session));
        }
        self.asking.push(mailbox);
        Place {
            mailbox,
            outgoing: None,
        }
    }

    /// Someone has left. Nothing is lost but the way.
    pub(crate) fn leave(&mut self, place: Place) {
        if let Some(outgoing) = place.outgoing.and_then(|at| self.outgoing.try_remove(at)) {
            for at in outgoing.open() {
                if let Some(lane) = self.lanes.get_mut(at) {
                    lane.sender = None;
                }
                self.forget_idle(at);
            }
        }
        let mailbox = self.mailboxes.get_mut(place.mailbox);
        let Some(reader) = mailbox.and_then(|mailbox| mailbox.reader.take()) else {
            return;
        };
        for at in reader.lanes {
            if let Some(lane) = self.lanes.get_mut(at) {
                lane.unsend();
                // Nobody is here to acknowledge it any more.
                lane.ripen_all();
                if lane.has_news() {
                    self.mark_dirty(at);
                }
            }
            self.forget_idle(at);
        }
        self.forget_empty(place.mailbox);
    }

    #[cfg(test)]
    pub(crate) fn set_acknowledge_time(&mut self, time: Duration) {
        self.config.acknowledge_time = time;
    }

    /// Whether memory has nothing of anyone.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        let sessions = self.mailboxes.is_empty() && self.outgoing.is_empty();
        let keys = self.by_number.is_empty() && self.by_key.is_empty();
        sessions && keys && self.lanes.is_empty() && self.shares.is_empty()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    pub(crate) fn deadline(&self, now: Duration) -> Duration {
        let held_up = self.not_before > now && self.has_work();
        let due = match held_up {
            true => self.expire_due.min(self.not_before),
            false => self.expire_due,
        };
        self.ripen_due.map_or(due, |ripen_due| due.min(ripen_due))
    }

    /// Looks for what was not acknowledged in time, and for what is too old, if it is time.
    pub(crate) fn handle_timeout(&mut self, now: Duration, out: &mut Outputs) {
        if self.ripen_due.is_some_and(|due| due <= now) {
            self.ripen(now);
        }
        if now < self.expire_due {
            return;
        }
        self.expire_due = now.saturating_add(EXPIRE_INTERVAL);
        let is_here = |at: &usize| {
            let mailbox = self.mailboxes.get(*at);
            mailbox.is_some_and(|mailbox| mailbox.reader.is_some())
        };
        let here = self.by_key.iter().filter(|(_, at)| is_here(at));
        out.ask(BackendRequest::Expire {
            message_age: self.config.message_age,
            except: here.map(|(key, _)| *key).collect(),
            max_messages: EXPIRE_MESSAGES,
        });
    }

    /// What was just taken was sent to a recipient who is here: it has a moment to be acknowledged before it is
    /// written down, since what is acknowledged need not be.
    fn let_ripen(&mut self, now: Duration, at: usize) {
        if let Some(lane) = self.lanes.get_mut(at)
            && !std::mem::replace(&mut lane.is_ripening, true)
        {
            self.ripening.push(at);
            let due = self.next_ripening(now);
            self.ripen_due.get_or_insert(due);
        }
    }

    /// Notes for the next commit what has had its moment: between half and all of that time.
    fn ripen(&mut self, now: Duration) {
        for at in std::mem::take(&mut self.ripening) {
            let Some(lane) = self.lanes.get_mut(at) else {
                continue;
            };
            let (is_ripe, is_ripening) = lane.ripen();
            lane.is_ripening = is_ripening;
            if is_ripe {
                self.mark_dirty(at);
            }
            match is_ripening {
                true => self.ripening.push(at),
                false => self.forget_idle(at),
            }
        }
        let due = self.next_ripening(now);
        self.ripen_due = (!self.ripening.is_empty()).then_some(due);
    }

    fn next_ripening(&self, now: Duration) -> Duration {
        let half = self.config.acknowledge_time.checked_div(2);
        now.saturating_add(half.unwrap_or_default())
    }

    /// The backend dropped messages that were too old, or whose recipient is gone.
    pub(crate) fn handle_dropped(&mut self, dropped: Vec<Dropped>, out: &mut Outputs) {
        for Dropped {
            lane,
            sender,
            recipient,
            bytes,
            failures,
        } in dropped
        {
            let gone = Waiting { messages: 0, bytes };
            if let Some(at) = self.by_key.get(&recipient).copied() {
                let mailbox = self.mailboxes.get(at);
                let share = mailbox.and_then(|mailbox| mailbox.shares.get(&sender).copied());
                self.release(at, share, gone);
            }
            let at = self.by_number.get(&lane).copied();
            if let Some(lane) = at.and_then(|at| self.lanes.get_mut(at)) {
                lane.dropped(bytes);
                if let Some(opened) = lane.sender {
                    tell_progress(out, opened, lane.durable, failures);
                }
            }
        }
    }

    /// Someone's messages are refused from now on, or taken again.
    pub(crate) fn handle_blocked(&mut self, owner: &RemoteKey, sender: &RemoteKey, blocked: bool) {
        if let Some(share) = self.share_of(owner, sender)
            && let Some(share) = self.shares.get_mut(share)
        {
            share.blocked = blocked;
        }
    }

    /// The lane, brought into memory if it is not there. What memory has counts: it may be ahead of the backend.
    fn load(&mut self, recipient: RemoteKey, state: MailboxState, lane: LaneState) -> usize {
        if let Some(at) = self.by_number.get(&lane.lane).copied() {
            if let Some(known) = self.lanes.get_mut(at) {
                known.rename(lane.from);
            }
            return at;
        }
        let mailbox_at = self.mailbox(recipient);
        let sender = lane.from.key;
        let share = Share {
            sender,
            waiting: lane.of_sender,
            known: lane.known,
            blocked: lane.blocked,
            lanes: 0,
        };
        let mut share_at = None;
        if let Some(mailbox) = self.mailboxes.get_mut(mailbox_at) {
            mailbox.state.get_or_insert(state);
            let shares = &mut self.shares;
            let entry = mailbox.shares.entry(sender);
            share_at = Some(*entry.or_insert_with(|| shares.insert(share)));
        }
        let share_at = share_at.unwrap_or_default();
        if let Some(share) = self.shares.get_mut(share_at) {
            share.lanes = share.lanes.saturating_add(1);
        }
        let number = lane.lane;
        let at = self.lanes.insert(Lane::new(lane, share_at, mailbox_at));
        self.by_number.insert(number, at);
        at
    }

    fn mailbox(&mut self, key: RemoteKey) -> usize {
        let mailboxes = &mut self.mailboxes;
        *self.by_key.entry(key).or_insert_with(|| {
            mailboxes.insert(Mailbox {
                key,
                state: None,
                shares: BTreeMap::new(),
                reader: None,
            })
        })
    }

    /// To whom a lane of this session leads.
    pub(crate) fn recipient(&self, place: Place, handle: u32) -> Result<RemoteKey, Misuse> {
        let outgoing = place.outgoing.and_then(|at| self.outgoing.get(at));
        let lane = outgoing.and_then(|outgoing| outgoing.lane(handle));
        let lane = lane.and_then(|at| self.lanes.get(at));
        let mailbox = lane.and_then(|lane| self.mailboxes.get(lane.mailbox));
        mailbox.map(|mailbox| mailbox.key).ok_or(sending::NOT_OPEN)
    }

    fn share_of(&self, recipient: &RemoteKey, sender: &RemoteKey) -> Option<usize> {
        let mailbox = self.mailboxes.get(*self.by_key.get(recipient)?)?;
        mailbox.shares.get(sender).copied()
    }

    /// Notes the lane for the next commit.
    fn mark_dirty(&mut self, at: usize) {
        if let Some(lane) = self.lanes.get_mut(at)
            && !lane.dirty
        {
            lane.dirty = true;
            self.dirty.push(at);
        }
    }

    /// What waited in a mailbox waits no more.
    fn release(&mut self, mailbox: usize, share: Option<usize>, what: Waiting) {
        let state = self.mailboxes.get_mut(mailbox);
        let mut state = state.and_then(|mailbox| mailbox.state.as_mut());
        if let Some(state) = &mut state {
            state.all.remove(what);
        }
        if let Some(share) = share.and_then(|at| self.shares.get_mut(at)) {
            share.waiting.remove(what);
            if let Some(state) = state
                && !share.known
            {
                state.strangers.remove(what);
            }
        }
    }

    /// Asks the backend for more, if acknowledgements have made room.
    fn ask_if_room(&mut self, mailbox: usize) {
        let reader = self.mailboxes.get_mut(mailbox);
        if let Some(reader) = reader.and_then(|mailbox| mailbox.reader.as_mut())
            && reader.phase == Phase::Full
            && reader.has_much_room()
        {
            reader.phase = Phase::Asking;
            self.asking.push(mailbox);
        }
    }

    fn forget_idle(&mut self, at: usize) {
        if !self.lanes.get(at).is_some_and(Lane::is_idle) {
            return;
        }
        let lane = self.lanes.remove(at);
        self.by_number.remove(&lane.number);
        let Some(share) = self.shares.get_mut(lane.share) else {
            return;
        };
        share.lanes = share.lanes.saturating_sub(1);
        if share.lanes == 0 {
            let share = self.shares.remove(lane.share);
            if let Some(mailbox) = self.mailboxes.get_mut(lane.mailbox) {
                mailbox.shares.remove(&share.sender);
            }
            self.forget_empty(lane.mailbox);
        }
    }

    fn forget_empty(&mut self, at: usize) {
        let mailbox = self.mailboxes.get(at);
        if mailbox.is_some_and(|mailbox| mailbox.reader.is_none() && mailbox.shares.is_empty()) {
            let mailbox = self.mailboxes.remove(at);
            self.by_key.remove(&mailbox.key);
        }
    }
}

/// Tells a sender what is durable. Failures that do not fit one frame follow in the next, and what is settled is
/// not told beyond them: what is not among the failures told was received.
fn tell_progress(
    out: &mut Outputs,
    opened: OpenedBy,
    durable: Durable,
    mut failures: Vec<Failure>,
) {
    failures.sort_unstable_by_key(|failure| failure.number);
    failures.dedup_by_key(|failure| failure.number);
    loop {
        let (settled, rest) = split_failures(durable.settled(), &mut failures);
        let progress = LaneProgress {
            lane: opened.handle,
            stored: durable.accepted(),
            settled,
            failures,
        };
        out.send(opened.session, ServerFrame::LaneProgress(progress));
        failures = rest;
        if failures.is_empty() {
            return;
        }
    }
}

/// Leaves as many failures as fit one frame. Returns how far the lane is settled as far as they tell, and the rest.
fn split_failures(settled: u64, failures: &mut Vec<Failure>) -> (u64, Vec<Failure>) {
    let rest = failures.split_off(failures.len().min(MAX_FAILURES_PER_FRAME));
    let settled = match rest.first() {
        Some(next) => settled.min(next.number.saturating_sub(1)),
        None => settled,
    };
    (settled, rest)
}
