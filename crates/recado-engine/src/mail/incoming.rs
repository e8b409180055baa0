//! The lanes that end here.

use std::collections::{BTreeMap, BTreeSet};

use recado_proto::frame::{Acknowledge, ClientFrame, IncomingLane, IncomingPrivate, Person};
use recado_proto::id::{MessageId, RemoteKey, StoreId};
use recado_proto::limits::MAX_UNACKNOWLEDGED;

use super::store::{Arrived, IncomingState, Receipt, Received, Write};
use super::{Desk, Effect, Fault};
use crate::event::Event;

/// Names a lane: its sender's key and database.
pub(super) type LaneKey = (RemoteKey, StoreId);

/// All of them.
pub(super) struct Incoming {
    lanes: BTreeMap<LaneKey, Lane>,
    /// Those of this session, by the server's number for them.
    open: BTreeMap<u32, (LaneKey, Person)>,
    /// Lanes of which more can be acknowledged than was.
    news: BTreeSet<LaneKey>,
    manual: bool,
}

/// How far one is.
#[derive(Default)]
struct Lane {
    /// Given to the database.
    received: u64,
    /// Written down.
    written: u64,
    /// Written down or not, and not taken.
    untaken: BTreeSet<u64>,
    /// Those that could not be read, and may not be settled.
    unreadable: BTreeSet<u64>,
    /// Whether its sender has another key than the one remembered for their name: nothing of it is shown.
    is_held: bool,
    /// The server's number for it in this session.
    handle: Option<u32>,
    /// In this session.
    acknowledged: u64,
}

impl Lane {
    /// Up to where it can be acknowledged.
    fn acknowledgeable(&self, manual: bool) -> u64 {
        match self.untaken.first() {
            Some(first) if manual => self.written.min(first.saturating_sub(1)),
            _ => self.written,
        }
    }
}

impl Incoming {
    pub(super) fn new(states: Vec<IncomingState>, manual: bool) -> Self {
        let lane = |state: IncomingState| {
            let lane = Lane {
                received: state.written,
                written: state.written,
                untaken: state.untaken.into_iter().collect(),
                unreadable: state.unreadable.into_iter().collect(),
                ..Lane::default()
            };
            ((state.from, state.store), lane)
        };
        Self {
            lanes: states.into_iter().map(lane).collect(),
            open: BTreeMap::new(),
            news: BTreeSet::new(),
            manual,
        }
    }

    pub(super) fn disconnect(&mut self) {
        self.open.clear();
        self.news.clear();
        for lane in self.lanes.values_mut() {
            lane.handle = None;
            lane.acknowledged = 0;
        }
    }

    /// `is_held`: its sender has another key than the one remembered for their name.
    pub(super) fn announced(&mut self, announced: IncomingLane, is_held: bool, desk: &mut Desk) {
        let IncomingLane {
            lane: handle,
            from,
            store,
            settled,
        } = announced;
        let key = (from.key, store);
        let lane = self.lanes.entry(key).or_default();
        lane.handle = Some(handle);
        lane.is_held = is_held;
        lane.acknowledged = settled;
        lane.unreadable = lane.unreadable.split_off(&settled.saturating_add(1));
        if lane.received < settled {
            let count = settled.saturating_sub(lane.received);
            lane.received = settled;
            desk.write(Write::Miss {
                from: from.clone(),
                store,
                up_to: settled,
            });
            let lane = key;
            let number = settled;
            desk.then(Effect::Written { lane, number });
            let from = from.clone();
            desk.then(Effect::Event(Event::Missing { from, count }));
        } else if lane.acknowledgeable(self.manual) > settled {
            self.news.insert(key);
        }
        self.open.insert(handle, (key, from));
    }

    pub(super) fn receive(
        &mut self,
        message: IncomingPrivate,
        desk: &mut Desk,
    ) -> Result<(), Fault> {
        let IncomingPrivate {
            lane: handle,
            number,
            id,
            sent_at_ms: _,
            envelope,
            dropped: _,
        } = message;
        let (key, from) = self.open.get(&handle).ok_or(Fault::Lane)?.clone();
        let lane = self.lanes.get_mut(&key).ok_or(Fault::Lane)?;
        let checks_numbers = !cfg!(recado_control = "numbers");
        if checks_numbers && number > lane.received.saturating_add(1) {
            return Err(Fault::Gap);
        }
        // A server that was restored may hear of numbers before it sends them, and does not count those then.
        lane.acknowledged = lane.acknowledged.min(number.saturating_sub(1));
        let is_next = number > lane.received;
        if !is_next && lane.unreadable.contains(&number) {
            // It was tried once, and is named again.
            self.news.insert(key);
            return Ok(());
        }
        lane.received = lane.received.max(number);
        desk.write(Write::Receive(Box::new(Received {
            from: from.clone(),
            store: key.1,
            number,
            id,
            envelope,
        })));
        desk.then(Effect::Received {
            from,
            store: key.1,
            number,
            id,
            is_next,
        });
        Ok(())
    }

    /// What came is written down.
    pub(super) fn received(
        &mut self,
        (from, id): (Person, MessageId),
        receipt: Receipt,
        is_next: bool,
        what: Arrived,
        desk: &mut Desk,
    ) {
        let key = (receipt.from, receipt.store);
        let number = receipt.number;
        let Some(lane) = self.lanes.get_mut(&key) else {
            return;
        };
        if is_next && matches!(what, Arrived::Text { .. } | Arrived::Note { .. }) {
            lane.untaken.insert(number);
        }
        let replayed = false;
        let event = match what {
            Arrived::Text { text, sent_at_ms } => Some(Event::Private {
                receipt,
                from,
                id,
                sent_at_ms,
                text,
                replayed,
            }),
            Arrived::Note { note, sent_at_ms } => Some(Event::Note {
                receipt,
                from,
                id,
                sent_at_ms,
                note,
                replayed,
            }),
            Arrived::Verification => Some(Event::Confirmed { from }),
            Arrived::Unreadable => {
                lane.unreadable.insert(number);
                is_next.then_some(Event::Unreadable { from, id })
            }
            Arrived::Handshake | Arrived::Known | Arrived::Nothing => None,
        };
        if let Some(event) = event
            && !lane.is_held
        {
            desk.tell(event);
        }
        self.written(&key, number);
    }

    /// Nothing of this key is shown, or all is again.
    pub(super) fn hold(&mut self, from: RemoteKey, is_held: bool) {
        let lanes = self.lanes.range_mut(lanes_of(from));
        for (_, lane) in lanes {
            lane.is_held = is_held;
        }
    }

    /// A message was taken; in manual mode that is what is acknowledged, once it is written down.
    pub(super) fn take(&mut self, receipt: Receipt, desk: &mut Desk) {
        let key = (receipt.from, receipt.store);
        if let Some(lane) = self.lanes.get_mut(&key) {
            lane.untaken.remove(&receipt.number);
        }
        desk.write(Write::Take(receipt));
        desk.then(Effect::Taken(key));
    }

    /// That a message was taken is written down.
    pub(super) fn taken(&mut self, key: &LaneKey) {
        if self.manual {
            self.news.insert(*key);
        }
    }

    /// The commit has returned.
    pub(super) fn written(&mut self, key: &LaneKey, number: u64) {
        if let Some(lane) = self.lanes.get_mut(key) {
            lane.written = lane.written.max(number);
            self.news.insert(*key);
        }
    }

    /// Acknowledges what can be, one frame a lane. Whoever is told that they cannot be read takes a key package: not
    /// before there are good ones.
    pub(super) fn acknowledge(&mut self, has_key_packages: bool, desk: &mut Desk) {
        for key in std::mem::take(&mut self.news) {
            let Some(lane) = self.lanes.get_mut(&key) else {
                continue;
            };
            let up_to = lane.acknowledgeable(self.manual);
            let (Some(handle), true) = (lane.handle, up_to > lane.acknowledged) else {
                continue;
            };
            // What was said of them may be lost with the server: they stay until it has settled them.
            let news = lane.acknowledged.saturating_add(1)..=up_to;
            if !has_key_packages && lane.unreadable.range(news.clone()).next().is_some() {
                self.news.insert(key);
                continue;
            }
            // No more than this is under way, so that nothing is left out.
            let unreadable = lane.unreadable.range(news).take(MAX_UNACKNOWLEDGED);
            let unreadable = unreadable.copied().collect();
            lane.acknowledged = up_to;
            desk.send(ClientFrame::Acknowledge(Acknowledge {
                lane: handle,
                up_to,
                unreadable,
            }));
        }
    }
}

/// Every lane of one sender.
fn lanes_of(from: RemoteKey) -> std::ops::RangeInclusive<LaneKey> {
    let first = StoreId::from_bytes([0; StoreId::LENGTH]);
    let last = StoreId::from_bytes([u8::MAX; StoreId::LENGTH]);
    (from, first)..=(from, last)
}
