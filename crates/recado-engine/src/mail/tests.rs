//! Random stories of two people, a server and their databases: every process may end at every instant, and whatever
//! was not written down is then gone.

mod cases;

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

/// What keys a client has, as far as that matters here: which groups it is in, and from which of its lives its key
/// packages are.
#[derive(Clone, Default, Debug)]
struct Keyring {
    /// Goes up whenever all keys are lost: key packages of before are of no use.
    life: u8,
    /// The group in which is sealed, and the life of the recipient's key package with which it was made.
    group: Option<(GroupName, u8)>,
    made: u64,
    joined: BTreeSet<GroupName>,
    /// What was opened: no key is used twice.
    opened: BTreeSet<(GroupName, u64)>,
    /// Lanes in which nothing is opened until a new group comes.
    closed: BTreeSet<(RemoteKey, StoreId)>,
}

type GroupName = (StoreId, u64);

/// An envelope: the group, how to join it, and the number and id inside; and whether it keeps the group fresh.
fn seal(group: GroupName, life: u8, number: u64, id: MessageId, is_handshake: bool) -> Vec<u8> {
    let mut envelope = vec![life];
    envelope.extend(group.0.as_bytes());
    envelope.extend(group.1.to_be_bytes());
    envelope.extend(number.to_be_bytes());
    envelope.extend(id.as_bytes());
    envelope.push(u8::from(is_handshake));
    envelope
}

impl Keyring {
    /// Whether it keeps the group fresh, if it could be opened.
    fn open(&mut self, received: &Received) -> Option<bool> {
        let (life, rest) = received.envelope.split_first().unwrap();
        let (store, rest) = rest.split_at(16);
        let (made, rest) = rest.split_at(8);
        let (number, rest) = rest.split_at(8);
        let (id, is_handshake) = rest.split_at(16);
        let group = (
            StoreId::try_from(store).unwrap(),
            u64::from_be_bytes(made.try_into().unwrap()),
        );
        let number = u64::from_be_bytes(number.try_into().unwrap());
        let lane = (received.from.key, received.store);
        let is_new = !self.joined.contains(&group) && *life == self.life;
        let may_open = is_new || (self.joined.contains(&group) && !self.closed.contains(&lane));
        let is_right = number == received.number && id == received.id.as_bytes();
        if !may_open || !is_right || !self.opened.insert((group, number)) {
            return None;
        }
        self.joined.insert(group);
        self.closed.remove(&lane);
        Some(is_handshake == [1])
    }
}

/// A client's database, as the shell would keep it.
#[derive(Clone, Debug)]
struct Database {
    store: StoreId,
    key: Option<RemoteKey>,
    highest: u64,
    settled_id: Option<MessageId>,
    entries: VecDeque<Entry>,
    outbox: Vec<Numbered>,
    incoming: BTreeMap<(RemoteKey, StoreId), u64>,
    unreadable: BTreeSet<(RemoteKey, StoreId, u64)>,
    /// Numbers that kept a group fresh.
    heard: BTreeSet<(RemoteKey, StoreId, u64)>,
    /// How often that was asked for.
    handshakes: u64,
    /// What was received, in order: whose, under which id, and whether it was taken.
    inbox: Vec<(Receipt, MessageId, bool)>,
    states: BTreeMap<MessageId, State>,
    keys: Keyring,
}

impl Database {
    fn new(store: u8) -> Self {
        Self {
            store: StoreId::from_bytes([store; 16]),
            key: None,
            highest: 0,
            settled_id: None,
            entries: VecDeque::new(),
            outbox: Vec::new(),
            incoming: BTreeMap::new(),
            unreadable: BTreeSet::new(),
            heard: BTreeSet::new(),
            handshakes: 0,
            inbox: Vec::new(),
            states: BTreeMap::new(),
            keys: Keyring::default(),
        }
    }

    fn state(&self) -> MailState {
        let incoming = self.incoming.iter().map(|((from, store), written)| {
            let of_lane = |receipt: &Receipt| receipt.from == *from && receipt.store == *store;
            let untaken = self.inbox.iter();
            let untaken = untaken.filter(|(receipt, _, taken)| !taken && of_lane(receipt));
            let unreadable = self.unreadable.iter();
            let unreadable = unreadable.filter(|(key, of, _)| (key, of) == (from, store));
            IncomingState {
                from: *from,
                store: *store,
                written: *written,
                untaken: untaken.map(|(receipt, ..)| receipt.number).collect(),
                unreadable: unreadable.map(|(.., number)| *number).collect(),
            }
        });
        MailState {
            store: self.store,
            outgoing: vec![OutgoingLane {
                peer: "bob".to_owned(),
                name: "Bob".to_owned(),
                key: self.key,
                other: None,
                has_group: self.keys.group.is_some(),
                highest: self.highest,
                settled_id: self.settled_id,
                numbered: self.outbox.clone(),
            }],
            incoming: incoming.collect(),
        }
    }

    fn commit(&mut self, writes: Vec<Write>) -> Vec<Answer> {
        let mut answers = Vec::new();
        for write in writes {
            match write {
                Write::Remember { person, .. } => {
                    if self.key.replace(person.key) != Some(person.key) {
                        self.highest = 0;
                        self.settled_id = None;
                    }
                }
                Write::Suspect { .. } => {}
                Write::Begin { package, .. } => {
                    self.keys.made += 1;
                    self.keys.group = Some(((self.store, self.keys.made), package[0]));
                    answers.push(Answer::Begun(Ok(())));
                }
                Write::Number { entry, number, .. } => answers.push(self.number(entry, number)),
                Write::Handshake { number, .. } => answers.push(self.handshake(number)),
                Write::Void { number, .. } => {
                    let mut outbox = self.outbox.iter_mut();
                    if let Some(own) = outbox.find(|own| own.number == number) {
                        own.envelope.clear();
                        own.kind = Kind::Nothing;
                    }
                }
                Write::Requeue { from, .. } => {
                    self.keys.group = None;
                    let outbox = self.outbox.iter_mut().rev();
                    for own in outbox.filter(|own| own.number >= from) {
                        if own.is_entry() {
                            let entry = entry_of(own);
                            self.states.insert(entry.id, State::Queued);
                            self.entries.push_front(entry);
                        }
                        own.envelope.clear();
                        own.kind = Kind::Nothing;
                    }
                }
                Write::Progress {
                    stored, settled, ..
                } => {
                    for own in &mut self.outbox {
                        own.stored |= own.number <= stored;
                        if own.stored && !own.is_void() {
                            self.states.insert(own.id, State::Stored);
                        }
                    }
                    let (done, rest) = self.outbox.drain(..).partition(|own| own.number <= settled);
                    let done: Vec<Numbered> = done;
                    self.outbox = rest;
                    for own in done {
                        self.settled_id = Some(own.id);
                        if !own.is_void() {
                            self.states.insert(own.id, State::Delivered);
                        }
                    }
                }
                Write::Fail { id, failure } => {
                    self.states.insert(id, State::Failed(failure));
                }
                Write::Abandon { .. } => {
                    self.outbox.clear();
                    self.settled_id = None;
                }
                Write::Receive(received) => {
                    let what = self.receive(&received);
                    answers.push(Answer::Received(Box::new(Arrival {
                        what,
                        has_group: false,
                        handshake_due: false,
                    })));
                }
                Write::Miss {
                    from, store, up_to, ..
                } => {
                    self.incoming.insert((from.key, store), up_to);
                }
                Write::Take(receipt) => {
                    for (taken, _, is_taken) in &mut self.inbox {
                        *is_taken |= *taken == receipt;
                    }
                }
                Write::Stock(held) => {
                    let own = KeyPackageReference::from_bytes([self.keys.life; 16]);
                    let put = PutKeyPackages {
                        packages: vec![StoredKeyPackage {
                            reference: own,
                            package: vec![self.keys.life],
                        }],
                        last_resort: None,
                        replaces: true,
                    };
                    answers.push(Answer::Stock((held.references != [own]).then_some(put)));
                }
            }
        }
        answers
    }

    fn number(&mut self, entry: u64, number: u64) -> Answer {
        let entry_at = self.entries.iter().position(|it| it.entry == entry);
        let entry_at = entry_at.unwrap();
        let id = self.entries[entry_at].id;
        let Some((group, life)) = self.keys.group else {
            self.push(number, id, Kind::Nothing);
            return Answer::Unsealed;
        };
        let entry = self.entries.remove(entry_at).unwrap();
        let envelope = seal(group, life, number, id, false);
        self.push(number, id, entry.kind);
        let own = self.outbox.last_mut().unwrap();
        own.sent_at_ms = entry.sent_at_ms;
        own.envelope.clone_from(&envelope);
        own.reference = entry.reference;
        own.entry = entry.entry;
        own.seals = entry.seals + 1;
        Answer::Sealed(Box::new(Sealed {
            id,
            envelope,
            handshake_due: number.is_multiple_of(2),
        }))
    }

    /// Often it turns out that nothing is due.
    fn handshake(&mut self, number: u64) -> Answer {
        self.handshakes += 1;
        let mut bytes = [0xee; 16];
        bytes[..8].copy_from_slice(&self.handshakes.to_be_bytes());
        let id = MessageId::from_bytes(bytes);
        match self.keys.group {
            Some((group, life)) if number.is_multiple_of(3) => {
                let envelope = seal(group, life, number, id, true);
                self.push(number, id, Kind::Handshake);
                self.outbox
                    .last_mut()
                    .unwrap()
                    .envelope
                    .clone_from(&envelope);
                let handshake_due = false;
                Answer::Sealed(Box::new(Sealed {
                    id,
                    envelope,
                    handshake_due,
                }))
            }
            _ => {
                self.push(number, id, Kind::Nothing);
                Answer::Empty(id)
            }
        }
    }

    fn push(&mut self, number: u64, id: MessageId, kind: Kind) {
        assert_eq!(number, self.highest + 1);
        self.highest = number;
        self.outbox.push(Numbered {
            number,
            id,
            sent_at_ms: 0,
            envelope: Vec::new(),
            reference: None,
            stored: false,
            kind,
            entry: 0,
            seals: 0,
        });
    }

    fn receive(&mut self, received: &Received) -> Arrived {
        let lane = (received.from.key, received.store);
        let written = self.incoming.entry(lane).or_default();
        let is_next = received.number > *written;
        *written = received.number.max(*written);
        if received.envelope.is_empty() {
            return Arrived::Nothing;
        }
        let is_known = self.inbox.iter().any(|(_, id, _)| *id == received.id);
        let place = (lane.0, lane.1, received.number);
        if self.heard.contains(&place) && !is_next {
            return Arrived::Known;
        }
        if is_known && !is_next {
            return Arrived::Known;
        }
        match self.keys.open(received) {
            None => {
                self.unreadable.insert(place);
                if is_next {
                    self.keys.closed.insert(lane);
                }
                return Arrived::Unreadable;
            }
            Some(true) => {
                self.heard.insert(place);
                return Arrived::Handshake;
            }
            Some(false) => {}
        }
        if is_known {
            return Arrived::Known;
        }
        let receipt = Receipt {
            from: received.from.key,
            store: received.store,
            number: received.number,
        };
        self.inbox.push((receipt, received.id, false));
        Arrived::Text {
            text: received.id.to_string(),
            sent_at_ms: 0,
        }
    }

    /// All keys are gone, as with a database that was made anew.
    fn lose_keys(&mut self) {
        self.keys = Keyring {
            life: self.keys.life + 1,
            closed: std::mem::take(&mut self.keys.closed),
            ..Keyring::default()
        };
    }

    fn restart(&mut self, store: StoreId) {
        self.store = store;
        self.highest = 0;
        self.settled_id = None;
        self.keys.group = None;
        let outbox = std::mem::take(&mut self.outbox);
        for own in outbox.into_iter().rev().filter(Numbered::is_entry) {
            let entry = entry_of(&own);
            self.entries.push_front(Entry { seals: 0, ..entry });
        }
        for (at, entry) in self.entries.iter_mut().enumerate() {
            entry.entry = at as u64;
        }
    }
}

fn entry_of(own: &Numbered) -> Entry {
    Entry {
        entry: own.entry,
        id: own.id,
        peer: "bob".to_owned(),
        to: "Bob".to_owned(),
        sent_at_ms: own.sent_at_ms,
        reference: own.reference.clone(),
        kind: own.kind,
        seals: own.seals,
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
