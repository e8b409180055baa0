//! Random stories of two people, a server and their databases: every process may end at every instant, and whatever
//! was not written down is then gone.

mod cases;
mod database;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proptest::prelude::*;
use recado_proto::frame::{
    FailureCode, IncomingLane, IncomingPrivate, KeyPackage, KeyPackageRefusalCode,
    KeyPackageRefused, KeyPackagesHeld, LaneOpened, LaneProgress, OpenLane, Person, PrivateMessage,
    PrivateRefusalCode, PrivateRefused, PutKeyPackages, StoredKeyPackage,
};
use recado_proto::id::{KeyPackageReference, MessageId, RemoteKey};

use super::*;
use crate::event::Failure;
use database::{Database, seal};

const ALICE: RemoteKey = RemoteKey::from_bytes([1; 32]);
const BOB: RemoteKey = RemoteKey::from_bytes([2; 32]);

/// Alice's database, until it turns out to be an old copy.
const FIRST_STORE: StoreId = StoreId::from_bytes([1; 16]);

fn person(key: RemoteKey) -> Person {
    let name = if key == ALICE { "Alice" } else { "Bob" };
    Person {
        name: name.to_owned(),
        key,
    }
}

/// A client and its database.
struct Process {
    mail: Mail,
    database: Database,
    committing: Option<Vec<Write>>,
    frames: VecDeque<ClientFrame>,
    events: Vec<Event>,
    fed: u64,
    manual: bool,
    stores: u64,
}

impl Process {
    fn new(database: Database, manual: bool) -> Self {
        let mut process = Self {
            mail: Mail::new(database.state(), RemoteKey::from_bytes([7; 32]), manual),
            database,
            committing: None,
            frames: VecDeque::new(),
            events: Vec::new(),
            fed: 0,
            manual,
            stores: 100,
        };
        process.feed();
        process
    }

    fn enter(&mut self, id: u64) {
        let entry = self
            .database
            .entries
            .back()
            .map_or(0, |last| last.entry + 1);
        let entry = entry.max(self.fed);
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&id.to_be_bytes());
        self.database.entries.push_back(Entry {
            entry,
            id: MessageId::from_bytes(bytes),
            peer: "bob".to_owned(),
            to: "Bob".to_owned(),
            sent_at_ms: 0,
            reference: None,
            kind: Kind::Text,
            seals: 0,
        });
        self.feed();
    }

    fn feed(&mut self) {
        let fed = self.fed;
        let new: Vec<_> = self
            .database
            .entries
            .iter()
            .filter(|it| it.entry >= fed)
            .cloned()
            .collect();
        if let Some(last) = new.last() {
            self.fed = last.entry + 1;
        }
        self.mail.handle_entered(new);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.mail.poll_output() {
            match output {
                Output::Frame(frame) => self.frames.push_back(frame),
                Output::Event(event) => self.events.push(event),
                Output::Commit(writes) => {
                    assert!(self.committing.is_none(), "one commit at a time");
                    self.committing = Some(writes);
                }
                Output::Restart(store) => {
                    self.committing = None;
                    self.database.restart(store);
                    self.end();
                    return;
                }
            }
        }
    }

    fn commit(&mut self) {
        if let Some(writes) = self.committing.take() {
            let answers = self.database.commit(writes);
            self.mail.handle_committed(answers);
            self.drain();
        }
    }

    /// The process ends, and another begins: what was not committed is gone.
    fn end(&mut self) {
        let stores = self.stores;
        let mut next = Self::new(self.database.clone(), self.manual);
        next.stores = stores;
        next.events.append(&mut self.events);
        *self = next;
    }

    fn frame(&mut self, frame: ServerFrame) {
        self.stores += 1;
        let mut store = [9; 16];
        store[..8].copy_from_slice(&self.stores.to_be_bytes());
        let store = StoreId::from_bytes(store);
        let rest = self.mail.handle_frame(Duration::ZERO, frame, || store);
        assert_eq!(rest, Ok(None));
        self.drain();
    }
}

/// A lane at the server.
#[derive(Clone, Default, Debug)]
struct ServerLane {
    accepted: u64,
    accepted_id: Option<MessageId>,
    settled: u64,
    /// Acknowledged by Bob; may be above `accepted`.
    taken: u64,
    failures: Vec<recado_proto::frame::Failure>,
}

/// What a server writes down.
#[derive(Clone, Default, Debug)]
struct Written {
    lanes: BTreeMap<StoreId, ServerLane>,
    mailbox: Vec<(StoreId, PrivateMessage)>,
    /// Alice's and Bob's.
    key_packages: [Vec<StoredKeyPackage>; 2],
}

/// The server, played by hand.
#[derive(Default)]
struct Server {
    written: Written,
    now: Written,
    alice: VecDeque<ServerFrame>,
    bob: VecDeque<ServerFrame>,
    /// Alice's lanes of this session.
    open: BTreeMap<u32, StoreId>,
    /// Bob's, and up to which number they were sent.
    sent: BTreeMap<StoreId, (u32, u64)>,
    bob_is_here: bool,
    refuse: Option<PrivateRefusalCode>,
}

impl Server {
    /// Someone's own key packages: what they put, and what is said then.
    fn stock(&mut self, who: usize, put: Option<PutKeyPackages>) -> ServerFrame {
        if let Some(put) = put {
            self.now.key_packages[who] = put.packages;
            self.written.key_packages = self.now.key_packages.clone();
        }
        let packages = self.now.key_packages[who].iter();
        ServerFrame::KeyPackagesHeld(KeyPackagesHeld {
            references: packages.map(|package| package.reference).collect(),
            ..KeyPackagesHeld::default()
        })
    }

    fn hear_alice(&mut self, frame: ClientFrame) {
        match frame {
            ClientFrame::ListKeyPackages => {
                let held = self.stock(0, None);
                self.alice.push_back(held);
            }
            ClientFrame::PutKeyPackages(put) => {
                let held = self.stock(0, Some(put));
                self.alice.push_back(held);
            }
            ClientFrame::TakeKeyPackage(lane) => {
                let package = self.now.key_packages[1].first();
                self.alice.push_back(match package {
                    Some(stored) => ServerFrame::KeyPackage(KeyPackage {
                        lane,
                        package: stored.package.clone(),
                        last_resort: true,
                    }),
                    None => ServerFrame::KeyPackageRefused(KeyPackageRefused {
                        lane,
                        code: KeyPackageRefusalCode::None,
                        retry_in_ms: 10,
                    }),
                });
            }
            ClientFrame::OpenLane(OpenLane {
                lane,
                store,
                lowest,
                ..
            }) => {
                let state = self.now.lanes.entry(store).or_default();
                if state.accepted < lowest - 1 {
                    *state = ServerLane {
                        accepted: lowest - 1,
                        settled: lowest - 1,
                        ..ServerLane::default()
                    };
                    self.written.lanes.insert(store, state.clone());
                }
                self.open.insert(lane, store);
                let written = self.written.lanes.entry(store).or_default();
                self.alice.push_back(ServerFrame::LaneOpened(LaneOpened {
                    lane,
                    recipient: person(BOB),
                    accepted: state.accepted,
                    accepted_id: state.accepted_id,
                    stored: written.accepted,
                    settled: written.settled,
                    failures: written.failures.clone(),
                }));
            }
            ClientFrame::Private(message) => {
                let Some(store) = self.open.get(&message.lane).copied() else {
                    panic!("a lane that is not open");
                };
                let state = self.now.lanes.get_mut(&store).unwrap();
                if message.number <= state.accepted {
                    return;
                }
                let refuse = self.refuse.take();
                let code = match refuse {
                    _ if message.number > state.accepted + 1 => Some(PrivateRefusalCode::Number),
                    Some(PrivateRefusalCode::Blocked) if message.envelope.is_empty() => None,
                    other => other,
                };
                if let Some(code) = code {
                    self.alice
                        .push_back(ServerFrame::PrivateRefused(PrivateRefused {
                            lane: message.lane,
                            expected: state.accepted + 1,
                            code,
                            retry_in_ms: 10,
                        }));
                    return;
                }
                state.accepted = message.number;
                state.accepted_id = Some(message.id);
                self.now.mailbox.push((store, message));
                self.settle(store);
                self.deliver();
            }
            ClientFrame::OutcomesNoted(noted) => {
                let store = self.open[&noted.lane];
                for state in [&mut self.now, &mut self.written] {
                    let failures = &mut state.lanes.get_mut(&store).unwrap().failures;
                    failures.retain(|failure| failure.number > noted.up_to);
                }
            }
            other => panic!("{other:?}"),
        }
    }

    fn hear_bob(&mut self, frame: ClientFrame) {
        let acknowledge = match frame {
            ClientFrame::Acknowledge(acknowledge) => acknowledge,
            ClientFrame::ListKeyPackages => {
                let held = self.stock(1, None);
                return self.bob.push_back(held);
            }
            ClientFrame::PutKeyPackages(put) => {
                let held = self.stock(1, Some(put));
                return self.bob.push_back(held);
            }
            other => panic!("{other:?}"),
        };
        let mut sent = self.sent.iter();
        let (store, _) = sent
            .find(|(_, (lane, _))| *lane == acknowledge.lane)
            .unwrap();
        let store = *store;
        let state = self.now.lanes.get_mut(&store).unwrap();
        for number in acknowledge.unreadable {
            if number > state.settled && !state.failures.iter().any(|it| it.number == number) {
                let code = FailureCode::Unreadable;
                let failure = recado_proto::frame::Failure { number, code };
                state.failures.push(failure);
            }
        }
        state.taken = state.taken.max(acknowledge.up_to);
        self.settle(store);
    }

    fn settle(&mut self, store: StoreId) {
        let state = self.now.lanes.get_mut(&store).unwrap();
        state.settled = state.settled.max(state.taken.min(state.accepted));
        let settled = state.settled;
        self.now
            .mailbox
            .retain(|(of, message)| *of != store || message.number > settled);
    }

    /// Sends Bob what he was not sent in this session.
    fn deliver(&mut self) {
        if !self.bob_is_here {
            return;
        }
        for (store, message) in &self.now.mailbox {
            let handle = u32::try_from(self.sent.len()).unwrap();
            let settled = self.now.lanes[store].settled;
            let bob = &mut self.bob;
            let (lane, sent) = self.sent.entry(*store).or_insert_with(|| {
                bob.push_back(ServerFrame::IncomingLane(IncomingLane {
                    lane: handle,
                    from: person(ALICE),
                    store: *store,
                    settled,
                }));
                (handle, 0)
            });
            if message.number > *sent {
                *sent = message.number;
                bob.push_back(ServerFrame::Private(IncomingPrivate {
                    lane: *lane,
                    number: message.number,
                    id: message.id,
                    sent_at_ms: message.sent_at_ms,
                    envelope: message.envelope.clone(),
                    dropped: None,
                }));
            }
        }
    }

    fn commit(&mut self) {
        self.written = self.now.clone();
        for (lane, store) in &self.open {
            let Some(state) = self.written.lanes.get(store) else {
                continue;
            };
            self.alice
                .push_back(ServerFrame::LaneProgress(LaneProgress {
                    lane: *lane,
                    stored: state.accepted,
                    settled: state.settled,
                    failures: state.failures.clone(),
                }));
        }
    }

    /// The operator drops what has waited for too long.
    fn expire(&mut self) {
        self.commit();
        let sent = &self.sent;
        let mut mailbox = self.now.mailbox.iter_mut();
        let unsent = mailbox.find(|(store, message)| {
            !message.envelope.is_empty()
                && sent
                    .get(store)
                    .is_none_or(|(_, sent)| message.number > *sent)
        });
        if let (Some((store, message)), false) = (unsent, self.bob_is_here) {
            message.envelope.clear();
            let failures = &mut self.now.lanes.get_mut(store).unwrap().failures;
            failures.push(recado_proto::frame::Failure {
                number: message.number,
                code: FailureCode::Expired,
            });
        }
        self.commit();
    }
}

/// All of them.
struct Story {
    alice: Process,
    bob: Process,
    server: Server,
    entered: Vec<MessageId>,
    /// An older copy of Alice's database.
    backup: Option<Database>,
}

impl Story {
    fn new(manual: bool) -> Self {
        let mut story = Self {
            alice: Process::new(Database::new(1), false),
            bob: Process::new(Database::new(2), manual),
            server: Server::default(),
            entered: Vec::new(),
            backup: None,
        };
        story.connect_alice();
        story.connect_bob();
        story
    }

    fn connect_alice(&mut self) {
        self.alice.mail.handle_disconnected();
        self.alice.frames.clear();
        self.server.open.clear();
        self.server.alice.clear();
        self.alice.mail.handle_connected(Duration::ZERO);
        self.alice.drain();
    }

    fn leave_bob(&mut self) {
        self.bob.mail.handle_disconnected();
        self.bob.drain();
        self.bob.frames.clear();
        self.server.sent.clear();
        self.server.bob.clear();
        self.server.bob_is_here = false;
    }

    fn connect_bob(&mut self) {
        self.leave_bob();
        self.server.bob_is_here = true;
        self.bob.mail.handle_connected(Duration::ZERO);
        self.bob.drain();
        self.server.deliver();
    }

    fn step(&mut self, step: u8) {
        match step % 22 {
            0 | 1 => {
                let number = self.entered.len() as u64;
                self.alice.enter(number);
                let mut bytes = [0; 16];
                bytes[..8].copy_from_slice(&number.to_be_bytes());
                self.entered.push(MessageId::from_bytes(bytes));
            }
            2 | 3 => self.alice.commit(),
            4 | 5 => self.bob.commit(),
            6 | 7 => {
                if let Some(frame) = self.alice.frames.pop_front() {
                    self.server.hear_alice(frame);
                }
            }
            8 | 9 => {
                let store = self.alice.database.store;
                if let Some(frame) = self.server.alice.pop_front() {
                    self.alice.frame(frame);
                }
                if self.alice.database.store != store {
                    self.connect_alice();
                }
            }
            10 | 11 => {
                if let Some(frame) = self.bob.frames.pop_front() {
                    self.server.hear_bob(frame);
                }
            }
            12 | 13 => {
                if let Some(frame) = self.server.bob.pop_front() {
                    self.bob.frame(frame);
                }
            }
            14 => self.server.commit(),
            15 => {
                self.alice.end();
                self.connect_alice();
            }
            16 => {
                self.bob.end();
                self.connect_bob();
            }
            17 => {
                self.server.now = self.server.written.clone();
                self.server.open.clear();
                self.connect_alice();
                self.connect_bob();
            }
            18 => match self.server.bob_is_here {
                true => self.leave_bob(),
                false => self.connect_bob(),
            },
            19 => self.bob_takes(),
            20 => self.server.refuse = Some(PrivateRefusalCode::Rate),
            _ => {
                self.alice.mail.handle_timeout(Duration::MAX);
                self.alice.drain();
            }
        }
    }

    /// Bob goes on with a database without keys.
    fn bob_loses_his_keys(&mut self) {
        self.bob.committing = None;
        self.bob.database.lose_keys();
        self.bob.end();
        self.connect_bob();
    }

    fn bob_takes(&mut self) {
        for event in std::mem::take(&mut self.bob.events) {
            if let Event::Private { receipt, .. } = event {
                self.bob.mail.take(receipt);
            }
        }
        for (receipt, _, taken) in self.bob.database.inbox.clone() {
            if !taken {
                self.bob.mail.take(receipt);
            }
        }
        self.bob.drain();
    }

    /// Everyone comes back, and nothing goes wrong any more.
    fn settle(&mut self) {
        self.server.refuse = None;
        self.connect_alice();
        self.connect_bob();
        for round in 0..self.entered.len() * 20 + 60 {
            for step in [2, 4, 6, 8, 10, 12, 14, 19, 21] {
                self.step(step);
            }
            if round % 20 == 0 {
                self.alice.end();
                self.connect_alice();
                self.connect_bob();
            }
        }
    }

    fn arrived(&self) -> Vec<MessageId> {
        self.bob
            .database
            .inbox
            .iter()
            .map(|(_, id, _)| *id)
            .collect()
    }
}

fn steps() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..300)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn nothing_is_lost_doubled_or_reordered(steps in steps(), manual: bool) {
        let mut story = Story::new(manual);
        for step in steps {
            story.step(step);
        }
        story.settle();
        prop_assert_eq!(story.arrived(), story.entered.clone());
        for id in &story.entered {
            let state = story.alice.database.states.get(id);
            prop_assert_eq!(state, Some(&State::Delivered));
        }
        prop_assert!(story.alice.database.outbox.is_empty());
        prop_assert_eq!(story.alice.database.store, FIRST_STORE, "it was no old copy");
    }

    #[test]
    fn what_was_stored_arrives_once_whatever_alice_is_restored_to(
        before in steps(), between in steps(), after in steps(),
    ) {
        let mut story = Story::new(false);
        for step in before {
            story.step(step);
        }
        story.backup = Some(story.alice.database.clone());
        for step in between {
            story.step(step);
        }
        let stored: Vec<_> = story.alice.database.states.iter()
            .filter(|(_, state)| matches!(state, State::Stored | State::Delivered))
            .map(|(id, _)| *id)
            .collect();
        story.alice.database = story.backup.take().unwrap();
        story.alice.committing = None;
        story.alice.end();
        story.connect_alice();
        for step in after {
            story.step(step);
        }
        story.settle();
        let arrived = story.arrived();
        for id in stored {
            prop_assert_eq!(arrived.iter().filter(|it| **it == id).count(), 1);
        }
        let mut once = arrived.clone();
        once.sort();
        once.dedup();
        prop_assert_eq!(once.len(), arrived.len());
        prop_assert!(story.alice.database.outbox.is_empty());
    }

    #[test]
    fn what_bob_cannot_read_is_sealed_again_in_order(
        before in steps(), after in steps(), manual: bool,
    ) {
        let mut story = Story::new(manual);
        for step in before {
            story.step(step);
        }
        story.bob_loses_his_keys();
        for step in after {
            story.step(step);
        }
        story.settle();
        prop_assert_eq!(story.arrived(), story.entered.clone());
        for id in &story.entered {
            let state = story.alice.database.states.get(id);
            prop_assert_eq!(state, Some(&State::Delivered));
        }
        prop_assert!(story.alice.database.outbox.is_empty());
        prop_assert_eq!(story.alice.database.store, FIRST_STORE, "it was no old copy");
    }

    #[test]
    fn what_bob_can_never_read_has_failed_and_nothing_behind_it_overtakes(steps in steps()) {
        let mut story = Story::new(false);
        for step in steps {
            match step {
                240.. => story.bob_loses_his_keys(),
                step => story.step(step),
            }
        }
        story.settle();
        let arrived = story.arrived();
        for id in &story.entered {
            let state = story.alice.database.states.get(id).copied();
            let is_right = match state {
                Some(State::Delivered) => arrived.contains(id),
                Some(State::Failed(Failure::Unreadable)) => true,
                _ => false,
            };
            prop_assert!(is_right, "{:?}", state);
        }
        let sent: Vec<_> = story.entered.iter().filter(|id| arrived.contains(id)).copied().collect();
        prop_assert_eq!(arrived, sent);
        prop_assert!(story.alice.database.outbox.is_empty());
    }

    #[test]
    fn what_the_server_drops_has_failed_and_leaves_no_gap(steps in steps()) {
        let mut story = Story::new(false);
        for step in steps {
            match step {
                250.. => story.server.expire(),
                240..250 => story.server.refuse = Some(PrivateRefusalCode::Blocked),
                step => story.step(step),
            }
        }
        story.settle();
        let arrived = story.arrived();
        for id in &story.entered {
            let state = story.alice.database.states.get(id).copied();
            let is_right = match state {
                Some(State::Delivered) => arrived.contains(id),
                // Bob may have had it, and he or the server ended before that was written down.
                Some(State::Failed(Failure::Expired | Failure::Blocked)) => true,
                _ => false,
            };
            prop_assert!(is_right, "{:?}", state);
        }
        let sent: Vec<_> = story.entered.iter().filter(|id| arrived.contains(id)).copied().collect();
        prop_assert_eq!(arrived, sent);
    }
}
