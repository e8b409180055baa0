//! The lanes that begin here.

mod lane;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use recado_proto::frame::{
    ClientFrame, FailureCode, KeyPackage, KeyPackageRefusalCode, KeyPackageRefused, LaneOpened,
    LaneProgress, LaneRefusalCode, LaneRefused, OpenLane, OutcomesNoted, Person,
    PrivateRefusalCode, PrivateRefused,
};
use recado_proto::id::{RemoteKey, StoreId};
use recado_proto::name::NameKeys;

use super::keys::{Keys, NEWCOMER_TIME, PACKAGE_RETRY};
use super::store::{Answer, Entry, Kind, Numbered, OutgoingLane, PackageFault, Write};
use super::{Desk, Effect, Fault, state_of};
use crate::event::{Event, Failure, State, WaitReason};
use lane::{Lane, Phase};

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

/// Who someone is that the server names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Acquaintance {
    /// The name was not met before, or belongs to this key.
    Friend,
    /// The name belongs to another key.
    Impostor,
}

/// All of them.
pub(super) struct Outgoing {
    store: StoreId,
    /// One's own key.
    own: RemoteKey,
    /// By the case-mapped form of the recipient's name.
    lanes: BTreeMap<String, Lane>,
    /// Those of this session, by this client's numbers for them.
    open: BTreeMap<u32, String>,
    /// Numbers of this session for lanes to a key that is not their name's any more: what is still said of them means
    /// nothing.
    retired: BTreeSet<u32>,
    /// The last such number; `None` without a session.
    handles: Option<u32>,
    queued: usize,
    /// Lanes that may have something to do.
    busy: VecDeque<String>,
    /// The time of the last event.
    now: Duration,
}

impl Outgoing {
    pub(super) fn new(store: StoreId, own: RemoteKey, lanes: Vec<OutgoingLane>) -> Self {
        let lane = |lane: OutgoingLane| {
            let other = lane.other.map(|key| Person {
                name: lane.name.clone(),
                key,
            });
            let state = Lane {
                key: lane.key,
                other,
                keys: Keys::new(lane.has_group || lane.key == Some(own)),
                highest: lane.highest,
                settled_id: lane.settled_id,
                numbered: lane.numbered.into(),
                ..Lane::new(lane.name)
            };
            (lane.peer, state)
        };
        Self {
            store,
            own,
            lanes: lanes.into_iter().map(lane).collect(),
            open: BTreeMap::new(),
            retired: BTreeSet::new(),
            handles: None,
            queued: 0,
            busy: VecDeque::new(),
            now: Duration::ZERO,
        }
    }

    /// Time goes on.
    pub(super) fn tick(&mut self, now: Duration) {
        self.now = self.now.max(now);
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
        self.retired.clear();
        for lane in self.lanes.values_mut() {
            lane.phase = Phase::Closed;
            lane.is_barred = false;
            lane.keys.disconnect();
        }
    }

    pub(super) fn queued(&self) -> usize {
        self.queued
    }

    /// Whether the server owes an answer.
    pub(super) fn is_waiting(&self) -> bool {
        let waits = |lane: &Lane| match lane.phase {
            Phase::Opening(_) => true,
            _ => lane.keys.is_asked() || lane.unstored().next().is_some(),
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
        if lane.is_barred {
            lane.fail_entry(entry, Failure::KeyChanged, desk);
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
        let has_work = !lane.waiting.is_empty() || !lane.numbered.is_empty();
        if !has_work && !lane.handshake_due && !lane.meets {
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
        let own = self.own;
        let (peer, lane) = self.of_handle(handle)?;
        if lane.phase != Phase::Opening(handle) {
            return Err(Fault::Lane);
        }
        let peer = peer.clone();
        if folded(&recipient.name) != peer {
            return Err(Fault::Name);
        }
        if lane.key.is_some_and(|key| key != recipient.key) {
            // It was asked for the key that is remembered, and says another as if nothing were.
            self.bar(&peer, recipient, desk);
            return Ok(Standing::Current);
        }
        if lane.key.is_none() || lane.name != recipient.name || lane.other.is_some() {
            lane.key = Some(recipient.key);
            lane.name.clone_from(&recipient.name);
            lane.other = None;
            desk.write(Write::Remember {
                peer: peer.clone(),
                person: recipient.clone(),
            });
        }
        if recipient.key == own {
            lane.keys = Keys::new(true);
        }
        if std::mem::take(&mut lane.meets) {
            let (name, found) = (recipient.name, true);
            desk.then(Effect::Event(Event::Met { name, found }));
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
        match (code, holder) {
            (LaneRefusalCode::NoSuchName, _) => {
                self.give_up(&peer, Failure::UnknownName, desk);
            }
            (LaneRefusalCode::OtherKey, Some(holder))
                if lane.key.is_some_and(|key| key != holder.key) =>
            {
                self.bar(&peer, holder, desk);
            }
            // What else a server may say is tried again.
            _ => lane.phase = Phase::Refused(now.saturating_add(wait(retry_in_ms))),
        }
        Ok(())
    }

    /// The server knows a name under another key: nothing goes there until its user trusts it.
    fn bar(&mut self, peer: &str, holder: Person, desk: &mut Desk) {
        self.suspect(peer, holder, desk);
        let mut open = None;
        if let Some(lane) = self.lanes.get_mut(peer) {
            lane.is_barred = true;
            open = match lane.phase {
                Phase::Opening(lane) | Phase::Open { lane, .. } | Phase::Held { lane, .. } => {
                    Some(lane)
                }
                Phase::Closed | Phase::Refused(_) => None,
            };
        }
        if let Some(handle) = open {
            self.retire(handle);
        }
        self.give_up(peer, Failure::KeyChanged, desk);
    }

    /// Writes down, and says once, that a name has another key than the one remembered.
    fn suspect(&mut self, peer: &str, person: Person, desk: &mut Desk) {
        let Some(lane) = self.lanes.get_mut(peer) else {
            return;
        };
        let Some(old) = lane.key else {
            return;
        };
        if lane.other.as_ref().map(|other| other.key) != Some(person.key) {
            desk.write(Write::Suspect {
                peer: peer.to_owned(),
                person: person.clone(),
            });
        }
        if lane.told_key.replace(person.key) != Some(person.key) {
            desk.tell(Event::KeyChanged {
                name: lane.name.clone(),
                old,
                new: person.key,
            });
        }
        lane.other = Some(person);
    }

    /// Everything that is meant for this person has failed.
    fn give_up(&mut self, peer: &str, failure: Failure, desk: &mut Desk) {
        let Some(lane) = self.lanes.get_mut(peer) else {
            return;
        };
        lane.phase = Phase::Closed;
        lane.settled_id = None;
        lane.unwritten.clear();
        lane.handshake_due = false;
        if std::mem::take(&mut lane.meets) {
            desk.tell(Event::Met {
                name: lane.name.clone(),
                found: failure == Failure::KeyChanged,
            });
        }
        let numbered = lane.numbered.drain(..).filter(Numbered::is_entry);
        for own in numbered.collect::<Vec<_>>() {
            let id = own.id;
            desk.write(Write::Fail { id, failure });
            desk.settle(state_of(&own, State::Failed(failure)));
        }
        self.queued = self.queued.saturating_sub(lane.waiting.len());
        for entry in std::mem::take(&mut lane.waiting) {
            lane.fail_entry(entry, failure, desk);
        }
        let peer = peer.to_owned();
        desk.write(Write::Abandon { peer });
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
        let mut unreadable = None;
        for failure in &failures {
            lane.failed = lane.failed.max(failure.number);
            if failure.code == FailureCode::Unreadable {
                // What can be sealed again has not failed.
                let is_known = lane.numbered.iter().any(|own| {
                    let is_it = own.number == failure.number;
                    is_it && !own.is_void()
                });
                let lowest = unreadable.unwrap_or(u64::MAX).min(failure.number);
                unreadable = is_known.then_some(lowest).or(unreadable);
            } else {
                lane.fail(&peer, failure.number, failure.code.into(), desk);
            }
        }
        let again = unreadable.map_or(0, |from| lane.requeue(&peer, from, desk));
        let newly_stored = lane.numbered.iter_mut();
        for own in newly_stored.take_while(|own| own.number <= stored) {
            if own.stored {
                continue;
            }
            own.stored = true;
            news = true;
            if own.number > settled {
                desk.settle(state_of(own, State::Stored));
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
            desk.settle(state_of(own, State::Delivered));
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
        self.queued = self.queued.saturating_add(again);
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
            lane.tell_waiting(why, desk);
            lane.phase = Phase::Held {
                lane: handle,
                next,
                until: now.saturating_add(wait(retry_in_ms)),
            };
        }
        self.busy.push_back(peer);
        Ok(())
    }

    /// Who it is that writes, by what is remembered.
    pub(super) fn recognise(&mut self, person: &Person, desk: &mut Desk) -> Acquaintance {
        let peer = folded(&person.name);
        let lane = self.lanes.get_mut(&peer);
        match lane.map(|lane| (lane.key, lane)) {
            Some((Some(key), _)) if key != person.key => {
                self.bar(&peer, person.clone(), desk);
                Acquaintance::Impostor
            }
            _ => Acquaintance::Friend,
        }
    }

    /// Something was opened, or not: its sender is who they say, and the database remembers them now.
    pub(super) fn received(&mut self, from: &Person, was_opened: bool, arrival: (bool, bool)) {
        let peer = folded(&from.name);
        if was_opened {
            let lane = self.lanes.entry(peer.clone());
            let lane = lane.or_insert_with(|| Lane::new(from.name.clone()));
            lane.key.get_or_insert(from.key);
        }
        let (has_group, handshake_due) = arrival;
        let Some(lane) = self.lanes.get_mut(&peer) else {
            return;
        };
        if lane.key != Some(from.key) {
            return;
        }
        if has_group {
            lane.keys.joined();
        }
        lane.handshake_due |= handshake_due;
        // Opened, where it is not, by the next look at it.
        self.busy.push_back(peer);
    }

    /// Whether there was another key to be trusted; if so, whose it is.
    pub(super) fn trust(&mut self, peer: &str, desk: &mut Desk) -> Option<Person> {
        let lane = self.lanes.get_mut(peer)?;
        let person = lane.other.take()?;
        lane.key = Some(person.key);
        lane.name.clone_from(&person.name);
        lane.highest = 0;
        lane.settled_id = None;
        lane.is_barred = false;
        lane.told_key = None;
        lane.keys = Keys::new(person.key == self.own);
        lane.handshake_due = false;
        // Where the old key was barred, nothing is under way to it; where it was not yet, in this session, its lane is
        // refused as soon as it is asked for, and asked for again.
        lane.numbered.clear();
        lane.unwritten.clear();
        if let Phase::Refused(_) = lane.phase {
            lane.phase = Phase::Closed;
        }
        desk.write(Write::Remember {
            peer: peer.to_owned(),
            person: person.clone(),
        });
        self.busy.push_back(peer.to_owned());
        Some(person)
    }

    fn retire(&mut self, handle: u32) {
        self.open.remove(&handle);
        self.retired.insert(handle);
    }

    /// Whether what is said of this lane means nothing any more.
    pub(super) fn is_retired(&self, handle: u32) -> bool {
        self.retired.contains(&handle)
    }

    /// Learns whose a name is, and says so.
    pub(super) fn meet(&mut self, name: &str, desk: &mut Desk) {
        let peer = folded(name);
        let lane = self.lanes.entry(peer.clone());
        let lane = lane.or_insert_with(|| Lane::new(name.to_owned()));
        if lane.key.is_some() {
            let (name, found) = (lane.name.clone(), true);
            return desk.tell(Event::Met { name, found });
        }
        lane.meets = true;
        if lane.phase == Phase::Closed {
            self.open(&peer, desk);
        }
    }

    /// The commit of a number has returned.
    pub(super) fn numbered(&mut self, peer: &str, number: u64, answer: Option<Answer>) {
        let Some(lane) = self.lanes.get_mut(peer) else {
            return;
        };
        let Some(own) = lane.numbered.iter_mut().find(|own| own.number == number) else {
            return;
        };
        // Also where it was taken back meanwhile: by its id the server's view of the lane is recognised.
        match &answer {
            Some(Answer::Sealed(sealed)) => own.id = sealed.id,
            Some(Answer::Empty(id)) => own.id = *id,
            _ => {}
        }
        if own.is_void() {
            // That it was taken back is not written down yet.
            return;
        }
        lane.unwritten.remove(&number);
        match answer {
            Some(Answer::Sealed(sealed)) => {
                own.envelope = sealed.envelope;
                lane.handshake_due |= sealed.handshake_due;
            }
            Some(Answer::Unsealed) => {
                let entry = lane.take_back(number);
                lane.unsealed.extend(entry);
                lane.keys = Keys::new(false);
            }
            _ => own.kind = Kind::Nothing,
        }
        self.busy.push_back(peer.to_owned());
    }

    /// All numbers of a commit have returned: what could not be sealed waits again, before what was entered later.
    pub(super) fn gather_unsealed(&mut self) {
        for lane in self.lanes.values_mut() {
            self.queued = self.queued.saturating_add(lane.unsealed.len());
            for entry in lane.unsealed.drain(..).rev() {
                lane.waiting.push_front(entry);
            }
        }
    }

    /// The commit of a number that travels empty from now on has returned.
    pub(super) fn voided(&mut self, peer: &str, numbers: std::ops::RangeInclusive<u64>) {
        if let Some(lane) = self.lanes.get_mut(peer) {
            lane.unwritten.retain(|number| !numbers.contains(number));
            self.busy.push_back(peer.to_owned());
        }
    }

    /// Somebody's key package has come.
    pub(super) fn key_package(
        &mut self,
        package: KeyPackage,
        desk: &mut Desk,
    ) -> Result<(), Fault> {
        let (peer, lane) = self.of_handle(package.lane)?;
        if lane.keys.begin() {
            let (peer, package) = (peer.clone(), package.package);
            desk.write(Write::Begin {
                peer: peer.clone(),
                package,
            });
            desk.then(Effect::Begun(peer));
        }
        Ok(())
    }

    /// There is none for now.
    pub(super) fn key_package_refused(
        &mut self,
        refused: KeyPackageRefused,
        desk: &mut Desk,
    ) -> Result<(), Fault> {
        let now = self.now;
        let (_, lane) = self.of_handle(refused.lane)?;
        let is_newcomer = refused.code == KeyPackageRefusalCode::None && lane.keys.has_none();
        let until = match is_newcomer {
            true => wait(refused.retry_in_ms).min(NEWCOMER_TIME),
            false => wait(refused.retry_in_ms),
        };
        if lane.keys.wait(now.saturating_add(until)) && !is_newcomer {
            lane.tell_waiting(
                match refused.code {
                    KeyPackageRefusalCode::None => WaitReason::NoKeys,
                    KeyPackageRefusalCode::TooMany => WaitReason::Rate,
                    _ => WaitReason::Storage,
                },
                desk,
            );
        }
        Ok(())
    }

    /// There is one now.
    pub(super) fn key_packages_ready(&mut self, handle: u32) -> Result<(), Fault> {
        let (peer, lane) = self.of_handle(handle)?;
        let peer = peer.clone();
        lane.keys.retry();
        self.busy.push_back(peer);
        Ok(())
    }

    /// The commit of a new group has returned.
    pub(super) fn begun(&mut self, peer: &str, result: Result<(), PackageFault>, desk: &mut Desk) {
        let retry_at = self.now.saturating_add(PACKAGE_RETRY);
        let Some(lane) = self.lanes.get_mut(peer) else {
            return;
        };
        if let Some(fault) = lane.keys.begun(result, retry_at) {
            let name = lane.name.clone();
            desk.tell(Event::PackageRefused { name, fault });
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
            Phase::Open { .. } if lane.has_something_to_seal() => lane.keys.poll_timeout(),
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
            if state.keys.poll_timeout().is_some_and(|until| until <= now) {
                state.keys.retry();
                self.busy.push_back(peer.clone());
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
            if lane.phase == Phase::Closed && (lane.handshake_due || !lane.waiting.is_empty()) {
                self.open(&peer, desk);
                continue;
            }
            let Phase::Open { lane: handle, next } = lane.phase else {
                continue;
            };
            let next = lane.send(handle, next, &mut unstored, desk);
            lane.phase = Phase::Open { lane: handle, next };
            if lane.has_something_to_seal() && lane.keys.ask() {
                desk.send(ClientFrame::TakeKeyPackage(handle));
            }
            if !lane.keys.is_ready() {
                continue;
            }
            if std::mem::take(&mut lane.handshake_due) {
                lane.number_handshake(&peer, desk);
            }
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
            Phase::Open { next, .. } => next <= lane.highest || lane.has_something_to_seal(),
            _ => false,
        };
        let peers = self.lanes.iter().filter(|(_, lane)| has_work(lane));
        self.busy.extend(peers.map(|(peer, _)| peer.clone()));
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

pub(super) fn wait(retry_in_ms: u64) -> Duration {
    Duration::from_millis(retry_in_ms).clamp(LEAST_WAIT, MOST_WAIT)
}

/// The form under which a name is unique.
fn folded(name: &str) -> String {
    NameKeys::of(name).folded
}
