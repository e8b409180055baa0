//! The lanes that begin here.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use recado_proto::frame::{
    ClientFrame, Envelope, FailureCode, LaneOpened, LaneProgress, LaneRefusalCode, LaneRefused,
    OpenLane, OutcomesNoted, Person, PrivateMessage, PrivateRefusalCode, PrivateRefused,
};
use recado_proto::id::{MessageId, RemoteKey, StoreId};
use recado_proto::limits::{MAX_UNSTORED, MAX_UNSTORED_BYTES};

use super::store::{Entry, Numbered, OutgoingLane, Write};
use super::{Desk, Effect, Fault, state_of};
use crate::event::{Event, Failure, State, WaitReason};

/// The least time before something refused is tried again: a server that says 0 is not asked in a circle.
const LEAST_WAIT: Duration = Duration::from_millis(20);

/// The most: a server that says a year is asked all the same.
const MOST_WAIT: Duration = Duration::from_secs(60);

/// Messages of a lane that have a number before there is room to send them: what one commit writes down together.
const NUMBERED_AHEAD: u64 = 256;

/// Whether the database is what the server knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Standing {
    Current,
    OldCopy,
}

/// All of them.
pub(super) struct Outgoing {
    store: StoreId,
    /// By the case-mapped form of the recipient's name.
    lanes: BTreeMap<String, Lane>,
    /// Those of this session, by this client's numbers for them.
    open: BTreeMap<u32, String>,
    /// The last such number; `None` without a session.
    handles: Option<u32>,
    queued: usize,
    /// Lanes that may have something to do.
    busy: VecDeque<String>,
}

/// The way to one person.
struct Lane {
    name: String,
    key: Option<RemoteKey>,
    /// The key that the server gives for the name, and that is not trusted.
    other: Option<Person>,
    highest: u64,
    settled_id: Option<MessageId>,
    /// Without a number, in order of entry.
    waiting: VecDeque<Entry>,
    /// With a number and not settled, rising without gaps up to `highest`.
    numbered: VecDeque<Numbered>,
    /// Of those, the ones that are not written down as they stand: they are not sent before.
    unwritten: BTreeSet<u64>,
    /// The highest failure that is not noted.
    failed: u64,
    /// Why it does not go on, as it was last told.
    told: Option<WaitReason>,
    phase: Phase,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
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

impl Outgoing {
    pub(super) fn new(store: StoreId, lanes: Vec<OutgoingLane>) -> Self {
        let lane = |lane: OutgoingLane| {
            let state = Lane {
                name: lane.name,
                key: lane.key,
                other: None,
                highest: lane.highest,
                settled_id: lane.settled_id,
                waiting: VecDeque::new(),
                numbered: lane.numbered.into(),
                unwritten: BTreeSet::new(),
                failed: 0,
                told: None,
                phase: Phase::Closed,
            };
            (lane.peer, state)
        };
        Self {
            store,
            lanes: lanes.into_iter().map(lane).collect(),
            open: BTreeMap::new(),
            handles: None,
            queued: 0,
            busy: VecDeque::new(),
        }
    }

    pub(super) fn connect(&mut self, desk: &mut Desk) {
        self.handles = Some(0);
        let peers: Vec<_> = self.lanes.keys().cloned().collect();
        for peer in peers {
            self.open(&peer, desk);
        }
    }

    pub(super) fn disconnect(&mut self) {
        self.handles = None;
        self.open.clear();
        for lane in self.lanes.values_mut() {
            lane.phase = Phase::Closed;
        }
    }

    pub(super) fn queued(&self) -> usize {
        self.queued
    }

    /// Whether the server owes an answer.
    pub(super) fn is_waiting(&self) -> bool {
        let waits = |lane: &Lane| match lane.phase {
            Phase::Opening(_) => true,
            _ => lane.unstored().next().is_some(),
        };
        self.lanes.values().any(waits)
    }

    /// What was sent in this session and is not stored: how many, and how many bytes.
    fn unstored(&self) -> (usize, usize) {
        let lanes = self.lanes.values().flat_map(Lane::unstored);
        lanes.fold((0, 0), |(count, bytes): (usize, usize), own| {
            let bytes = bytes.saturating_add(own.envelope.len());
            (count.saturating_add(1), bytes)
        })
    }

    pub(super) fn enter(&mut self, entry: Entry, desk: &mut Desk) {
        let peer = entry.peer.clone();
        let lane = self
            .lanes
            .entry(peer.clone())
            .or_insert_with(|| Lane::new(entry.to.clone()));
        if lane.other.is_some() {
            desk.write(Write::Fail {
                id: entry.id,
                failure: Failure::KeyChanged,
            });
            desk.then(Effect::Event(Event::State {
                id: entry.id,
                reference: entry.reference,
                state: State::Failed(Failure::KeyChanged),
            }));
            return;
        }
        lane.waiting.push_back(entry);
        self.queued = self.queued.saturating_add(1);
        if lane.phase == Phase::Closed {
            self.open(&peer, desk);
        } else {
            self.busy.push_back(peer);
        }
    }

    /// Asks for a lane that has something to carry.
    fn open(&mut self, peer: &str, desk: &mut Desk) {
        let (Some(handles), Some(lane)) = (&mut self.handles, self.lanes.get_mut(peer)) else {
            return;
        };
        if lane.waiting.is_empty() && lane.numbered.is_empty() {
            return;
        }
        let Some(handle) = handles.checked_add(1) else {
            return;
        };
        *handles = handle;
        lane.phase = Phase::Opening(handle);
        self.open.insert(handle, peer.to_owned());
        desk.send(ClientFrame::OpenLane(OpenLane {
            lane: handle,
            store: self.store,
            to: lane.name.clone(),
            key: lane.key,
            lowest: lane.lowest(),
        }));
    }

    fn of_handle(&mut self, handle: u32) -> Result<(&String, &mut Lane), Fault> {
        let peer = self.open.get(&handle).ok_or(Fault::Lane)?;
        let lane = self.lanes.get_mut(peer).ok_or(Fault::Lane)?;
        Ok((peer, lane))
    }

    pub(super) fn opened(
        &mut self,
        opened: LaneOpened,
        desk: &mut Desk,
    ) -> Result<Standing, Fault> {
        let LaneOpened {
            lane: handle,
            recipient,
            accepted,
            accepted_id,
            stored,
            settled,
            failures,
        } = opened;
        let (peer, lane) = self.of_handle(handle)?;
        if lane.phase != Phase::Opening(handle) {
            return Err(Fault::Lane);
        }
        let peer = peer.clone();
        if lane.key != Some(recipient.key) || lane.name != recipient.name {
            lane.key = Some(recipient.key);
            lane.name.clone_from(&recipient.name);
            desk.write(Write::Remember {
                peer: peer.clone(),
                person: recipient,
            });
        }
        let known = lane.id_of(accepted);
        let differs = matches!((known, accepted_id), (Some(ours), Some(theirs)) if ours != theirs);
        if accepted > lane.highest || differs {
            return Ok(Standing::OldCopy);
        }
        lane.phase = Phase::Open {
            lane: handle,
            next: accepted.saturating_add(1),
        };
        self.busy.push_back(peer);
        self.progress(
            LaneProgress {
                lane: handle,
                stored,
                settled,
                failures,
            },
            desk,
        )?;
        Ok(Standing::Current)
    }

    pub(super) fn refused(
        &mut self,
        now: Duration,
        refused: LaneRefused,
        desk: &mut Desk,
    ) -> Result<(), Fault> {
        let LaneRefused {
            lane: handle,
            code,
            holder,
            retry_in_ms,
        } = refused;
        let peer = self.open.remove(&handle).ok_or(Fault::Lane)?;
        let lane = self.lanes.get_mut(&peer).ok_or(Fault::Lane)?;
        let failure = match (code, holder) {
            (LaneRefusalCode::NoSuchName, _) => Failure::UnknownName,
            (LaneRefusalCode::OtherKey, Some(holder)) => {
                if let Some(old) = lane.key {
                    desk.tell(Event::KeyChanged {
                        name: lane.name.clone(),
                        old,
                        new: holder.key,
                    });
                }
                lane.other = Some(holder);
                Failure::KeyChanged
            }
            // What else a server may say is tried again.
            _ => {
                lane.phase = Phase::Refused(now.saturating_add(wait(retry_in_ms)));
                return Ok(());
            }
        };
        lane.phase = Phase::Closed;
        lane.settled_id = None;
        lane.unwritten.clear();
        self.queued = self.queued.saturating_sub(lane.waiting.len());
        let waiting = lane
            .waiting
            .drain(..)
            .map(|entry| (entry.id, entry.reference));
        let numbered = lane.numbered.drain(..).filter(|own| !own.is_void());
        let numbered: Vec<_> = numbered.map(|own| (own.id, own.reference)).collect();
        for (id, reference) in numbered.into_iter().chain(waiting) {
            desk.write(Write::Fail { id, failure });
            let state = State::Failed(failure);
            desk.then(Effect::Event(Event::State {
                id,
                reference,
                state,
            }));
        }
        desk.write(Write::Abandon { peer });
        Ok(())
    }

    pub(super) fn progress(
        &mut self,
        progress: LaneProgress,
        desk: &mut Desk,
    ) -> Result<(), Fault> {
        let LaneProgress {
            lane: handle,
            stored,
            settled,
            failures,
        } = progress;
        let (peer, lane) = self.of_handle(handle)?;
        let peer = peer.clone();
        let mut news = false;
        for failure in &failures {
            lane.failed = lane.failed.max(failure.number);
            lane.fail(&peer, failure.number, failure.code.into(), desk);
        }
        let newly_stored = lane.numbered.iter_mut();
        for own in newly_stored.take_while(|own| own.number <= stored) {
            if own.stored {
                continue;
            }
            own.stored = true;
            news = true;
            if own.number > settled && !own.is_void() {
                desk.then(Effect::Event(state_of(own, State::Stored)));
            }
        }
        if news {
            lane.told = None;
        }
        while let Some(own) = lane.numbered.front()
            && own.number <= settled
        {
            news = true;
            lane.settled_id = Some(own.id);
            if !own.is_void() {
                desk.then(Effect::Event(state_of(own, State::Delivered)));
            }
            lane.numbered.pop_front();
        }
        if news {
            desk.write(Write::Progress {
                peer: peer.clone(),
                stored,
                settled,
            });
        }
        if lane.failed > 0 && !failures.is_empty() {
            let up_to = lane.failed;
            desk.then(Effect::Noted {
                peer: peer.clone(),
                up_to,
            });
        }
        // There may be room again for all of them.
        self.wake_all();
        Ok(())
    }

    pub(super) fn message_refused(
        &mut self,
        now: Duration,
        refused: PrivateRefused,
        desk: &mut Desk,
    ) -> Result<(), Fault> {
        let PrivateRefused {
            lane: handle,
            expected,
            code,
            retry_in_ms,
        } = refused;
        let (peer, lane) = self.of_handle(handle)?;
        let peer = peer.clone();
        if !matches!(lane.phase, Phase::Open { .. } | Phase::Held { .. }) {
            return Err(Fault::Lane);
        }
        let expected = expected.clamp(lane.lowest(), lane.highest.saturating_add(1));
        let failure = match code {
            PrivateRefusalCode::Blocked => Some(Failure::Blocked),
            PrivateRefusalCode::Muted => Some(Failure::Muted),
            PrivateRefusalCode::RecipientGone => Some(Failure::RecipientGone),
            _ => None,
        };
        let next = expected;
        lane.phase = Phase::Open { lane: handle, next };
        if let Some(failure) = failure {
            lane.fail(&peer, expected, failure, desk);
        } else if code != PrivateRefusalCode::Number {
            let why = match code {
                PrivateRefusalCode::MailboxFull => WaitReason::MailboxFull,
                PrivateRefusalCode::Storage => WaitReason::Storage,
                _ => WaitReason::Rate,
            };
            if lane.told.replace(why) != Some(why) {
                let name = lane.name.clone();
                desk.tell(Event::Waiting { name, why });
            }
            lane.phase = Phase::Held {
                lane: handle,
                next,
                until: now.saturating_add(wait(retry_in_ms)),
            };
        }
        self.busy.push_back(peer);
        Ok(())
    }

    /// Whether there was another key to be trusted.
    pub(super) fn trust(&mut self, peer: &str, desk: &mut Desk) -> bool {
        let Some(lane) = self.lanes.get_mut(peer) else {
            return false;
        };
        let Some(person) = lane.other.take() else {
            return false;
        };
        lane.key = Some(person.key);
        lane.name.clone_from(&person.name);
        lane.highest = 0;
        lane.settled_id = None;
        let peer = peer.to_owned();
        desk.write(Write::Remember { peer, person });
        true
    }

    /// The commit of a number, or of one that travels empty from now on, has returned.
    pub(super) fn written(&mut self, peer: &str, number: u64, is_there: bool) {
        let Some(lane) = self.lanes.get_mut(peer) else {
            return;
        };
        lane.unwritten.remove(&number);
        let own = lane.numbered.iter_mut().find(|own| own.number == number);
        if let (Some(own), false) = (own, is_there) {
            own.envelope.clear();
        }
        self.busy.push_back(peer.to_owned());
    }

    /// Outcomes are written down.
    pub(super) fn noted(&mut self, peer: &str, up_to: u64, desk: &mut Desk) {
        let phase = self.lanes.get(peer).map(|lane| lane.phase);
        if let Some(Phase::Open { lane, .. } | Phase::Held { lane, .. }) = phase {
            desk.send(ClientFrame::OutcomesNoted(OutcomesNoted { lane, up_to }));
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Duration> {
        let due = self.lanes.values().filter_map(|lane| match lane.phase {
            Phase::Held { until, .. } | Phase::Refused(until) => Some(until),
            Phase::Closed | Phase::Opening(_) | Phase::Open { .. } => None,
        });
        due.min()
    }

    pub(super) fn handle_timeout(&mut self, now: Duration, desk: &mut Desk) {
        let mut refused = Vec::new();
        for (peer, state) in &mut self.lanes {
            match state.phase {
                Phase::Held { lane, next, until } if until <= now => {
                    state.phase = Phase::Open { lane, next };
                    self.busy.push_back(peer.clone());
                }
                Phase::Refused(until) if until <= now => refused.push(peer.clone()),
                _ => {}
            }
        }
        for peer in refused {
            self.open(&peer, desk);
        }
    }

    /// Sends and numbers what there is room for.
    pub(super) fn pump(&mut self, desk: &mut Desk) {
        if self.busy.is_empty() {
            return;
        }
        let mut unstored = self.unstored();
        while let Some(peer) = self.busy.pop_front() {
            let Some(lane) = self.lanes.get_mut(&peer) else {
                continue;
            };
            let Phase::Open { lane: handle, next } = lane.phase else {
                continue;
            };
            let next = lane.send(handle, next, &mut unstored, desk);
            lane.phase = Phase::Open { lane: handle, next };
            while lane.highest.saturating_sub(next) < NUMBERED_AHEAD
                && let Some(entry) = lane.waiting.pop_front()
            {
                self.queued = self.queued.saturating_sub(1);
                lane.number(&peer, entry, desk);
            }
        }
    }

    fn wake_all(&mut self) {
        let has_work = |lane: &Lane| match lane.phase {
            Phase::Open { next, .. } => next <= lane.highest || !lane.waiting.is_empty(),
            _ => false,
        };
        let peers = self.lanes.iter().filter(|(_, lane)| has_work(lane));
        self.busy.extend(peers.map(|(peer, _)| peer.clone()));
    }
}

impl Lane {
    fn new(name: String) -> Self {
        Self {
            name,
            key: None,
            other: None,
            highest: 0,
            settled_id: None,
            waiting: VecDeque::new(),
            numbered: VecDeque::new(),
            unwritten: BTreeSet::new(),
            failed: 0,
            told: None,
            phase: Phase::Closed,
        }
    }

    /// The lowest number without an outcome.
    fn lowest(&self) -> u64 {
        let first = self.numbered.front().map(|own| own.number);
        first.unwrap_or(self.highest.saturating_add(1))
    }

    /// The id that this database gave to a number, where that is known.
    fn id_of(&self, number: u64) -> Option<MessageId> {
        if number.saturating_add(1) == self.lowest() {
            return self.settled_id;
        }
        let own = self.numbered.iter().find(|own| own.number == number);
        own.map(|own| own.id)
    }

    /// Gives the next number to an entry.
    fn number(&mut self, peer: &str, entry: Entry, desk: &mut Desk) {
        let number = self.highest.saturating_add(1);
        self.highest = number;
        let envelope = Envelope::Text(entry.text).encode();
        desk.write(Write::Number {
            entry: entry.entry,
            peer: peer.to_owned(),
            number,
            envelope: envelope.clone(),
        });
        desk.then(Effect::Numbered {
            peer: peer.to_owned(),
            number,
        });
        self.unwritten.insert(number);
        self.numbered.push_back(Numbered {
            number,
            id: entry.id,
            sent_at_ms: entry.sent_at_ms,
            envelope,
            reference: entry.reference,
            stored: false,
        });
    }

    /// Sends from `next` what is written down and finds room; says what is next then.
    fn send(
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
    fn unstored(&self) -> impl Iterator<Item = &Numbered> {
        let next = match self.phase {
            Phase::Open { next, .. } | Phase::Held { next, .. } => next,
            Phase::Closed | Phase::Opening(_) | Phase::Refused(_) => 0,
        };
        let sent = self.numbered.iter();
        sent.filter(move |own| own.number < next && !own.stored)
    }

    /// A message has failed for good; its number travels empty, as soon as that is written down.
    fn fail(&mut self, peer: &str, number: u64, failure: Failure, desk: &mut Desk) {
        let own = self.numbered.iter_mut().find(|own| own.number == number);
        let Some(own) = own.filter(|own| !own.is_void()) else {
            return;
        };
        let id = own.id;
        desk.write(Write::Fail { id, failure });
        desk.write(Write::Void {
            peer: peer.to_owned(),
            number,
        });
        desk.then(Effect::Event(state_of(own, State::Failed(failure))));
        desk.then(Effect::Voided {
            peer: peer.to_owned(),
            number,
        });
        own.envelope.clear();
        self.unwritten.insert(number);
    }
}

impl From<FailureCode> for Failure {
    fn from(code: FailureCode) -> Self {
        match code {
            FailureCode::Expired => Self::Expired,
            FailureCode::RecipientGone => Self::RecipientGone,
            FailureCode::Unreadable => Self::Unreadable,
            FailureCode::Blocked => Self::Blocked,
            FailureCode::Muted => Self::Muted,
            FailureCode::Unspecified => Self::Other,
        }
    }
}

fn wait(retry_in_ms: u64) -> Duration {
    Duration::from_millis(retry_in_ms).clamp(LEAST_WAIT, MOST_WAIT)
}
