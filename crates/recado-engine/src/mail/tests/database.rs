//! A client's database, as the shell would keep it, with keys that only count.

use super::*;

/// What keys a client has, as far as that matters here: which groups it is in, and from which of its lives its key
/// packages are.
#[derive(Clone, Default, Debug)]
pub(super) struct Keyring {
    /// Goes up whenever all keys are lost: key packages of before are of no use.
    pub(super) life: u8,
    /// The group in which is sealed, and the life of the recipient's key package with which it was made.
    pub(super) group: Option<(GroupName, u8)>,
    pub(super) made: u64,
    pub(super) joined: BTreeSet<GroupName>,
    /// What was opened: no key is used twice.
    pub(super) opened: BTreeSet<(GroupName, u64)>,
    /// Lanes in which nothing is opened until a new group comes.
    pub(super) closed: BTreeSet<(RemoteKey, StoreId)>,
}

pub(super) type GroupName = (StoreId, u64);

/// An envelope: the group, how to join it, and the number and id inside; and whether it keeps the group fresh.
pub(super) fn seal(
    group: GroupName,
    life: u8,
    number: u64,
    id: MessageId,
    is_handshake: bool,
) -> Vec<u8> {
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
pub(super) struct Database {
    pub(super) store: StoreId,
    pub(super) key: Option<RemoteKey>,
    pub(super) highest: u64,
    pub(super) settled_id: Option<MessageId>,
    pub(super) entries: VecDeque<Entry>,
    pub(super) outbox: Vec<Numbered>,
    pub(super) incoming: BTreeMap<(RemoteKey, StoreId), u64>,
    pub(super) unreadable: BTreeSet<(RemoteKey, StoreId, u64)>,
    /// Numbers that kept a group fresh.
    pub(super) heard: BTreeSet<(RemoteKey, StoreId, u64)>,
    /// How often that was asked for.
    pub(super) handshakes: u64,
    /// What was received, in order: whose, under which id, and whether it was taken.
    pub(super) inbox: Vec<(Receipt, MessageId, bool)>,
    pub(super) states: BTreeMap<MessageId, State>,
    pub(super) keys: Keyring,
}

impl Database {
    pub(super) fn new(store: u8) -> Self {
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

    pub(super) fn state(&self) -> MailState {
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

    pub(super) fn commit(&mut self, writes: Vec<Write>) -> Vec<Answer> {
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
    pub(super) fn lose_keys(&mut self) {
        self.keys = Keyring {
            life: self.keys.life + 1,
            closed: std::mem::take(&mut self.keys.closed),
            ..Keyring::default()
        };
    }

    pub(super) fn restart(&mut self, store: StoreId) {
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
