//! The lanes that end here.

use std::collections::{BTreeMap, BTreeSet};

use recado_proto::frame::{
    Acknowledge, ClientFrame, Envelope, IncomingLane, IncomingPrivate, Person,
};
use recado_proto::id::{RemoteKey, StoreId};
use recado_proto::limits::MAX_UNACKNOWLEDGED;

use super::store::{Content, IncomingState, Receipt, Received, Write};
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

    pub(super) fn announced(&mut self, announced: IncomingLane, desk: &mut Desk) {
        let IncomingLane {
            lane: handle,
            from,
            store,
            settled,
        } = announced;
        let key = (from.key, store);
        let lane = self.lanes.entry(key).or_default();
        lane.handle = Some(handle);
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
        self.acknowledge(desk);
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
            sent_at_ms,
            envelope,
            dropped: _,
        } = message;
        let (key, from) = self.open.get(&handle).ok_or(Fault::Lane)?.clone();
        let lane = self.lanes.get_mut(&key).ok_or(Fault::Lane)?;
        let checks_numbers = !cfg!(recado_control = "numbers");
        if checks_numbers && number > lane.received.saturating_add(1) {
            return Err(Fault::Gap);
        }
        let is_next = number > lane.received;
        lane.received = lane.received.max(number);
        let content = match Envelope::decode(&envelope) {
            _ if envelope.is_empty() => Content::Nothing,
            Ok(Some(Envelope::Text(text))) => Content::Text(text),
            Ok(None) | Err(_) => Content::Unreadable,
        };
        let receipt = Receipt {
            from: from.key,
            store: key.1,
            number,
        };
        let event = match &content {
            Content::Text(text) => {
                if is_next {
                    lane.untaken.insert(number);
                }
                Some(Event::Private {
                    receipt,
                    from: from.clone(),
                    id,
                    sent_at_ms,
                    text: text.clone(),
                    replayed: false,
                })
            }
            Content::Unreadable => {
                lane.unreadable.insert(number);
                let from = from.clone();
                Some(Event::Unreadable { from, id })
            }
            Content::Nothing => None,
        };
        desk.write(Write::Receive(Box::new(Received {
            from,
            store: key.1,
            number,
            id,
            sent_at_ms,
            content,
        })));
        desk.then(Effect::Received {
            lane: key,
            number,
            is_next,
            event: event.map(Box::new),
        });
        Ok(())
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

    /// A message that was not new: nobody will take it.
    pub(super) fn forget(&mut self, key: &LaneKey, number: u64) {
        if let Some(lane) = self.lanes.get_mut(key) {
            lane.untaken.remove(&number);
        }
    }

    /// The commit has returned.
    pub(super) fn written(&mut self, key: &LaneKey, number: u64) {
        if let Some(lane) = self.lanes.get_mut(key) {
            lane.written = lane.written.max(number);
            self.news.insert(*key);
        }
    }

    /// Acknowledges what can be, one frame a lane.
    pub(super) fn acknowledge(&mut self, desk: &mut Desk) {
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
