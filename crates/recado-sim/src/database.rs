//! A person's database: it takes everything at once, and forgets nothing.
//!
//! What it seals, everyone can open: these stories are about what is carried and when, not about who can read it.

use std::collections::{BTreeMap, BTreeSet};

use recado_engine::{
    Answer, Arrival, Arrived, Entry, MailState, PackageFault, Received, Sealed, Write,
};
use recado_proto::frame::{KeyPackagesHeld, PutKeyPackages, StoredKeyPackage};
use recado_proto::id::{KeyPackageReference, MessageId, RemoteKey, StoreId};

/// Key packages that are kept at the server.
const STOCK: u8 = 8;

pub(crate) struct Database {
    store: StoreId,
    key: RemoteKey,
    /// What was entered and has no number yet.
    entries: BTreeMap<u64, (MessageId, String, i64)>,
    /// Key packages made so far; nobody meets so many people.
    packages: u8,
    /// Whose messages can be sealed.
    groups: BTreeSet<String>,
    /// Private messages that are written down, by sender and id.
    received: BTreeSet<(RemoteKey, MessageId)>,
}

impl Database {
    pub(crate) fn new(store: StoreId, key: RemoteKey) -> Self {
        Self {
            store,
            key,
            entries: BTreeMap::new(),
            packages: 0,
            groups: BTreeSet::new(),
            received: BTreeSet::new(),
        }
    }

    pub(crate) fn state(&self) -> MailState {
        MailState {
            store: self.store,
            outgoing: Vec::new(),
            incoming: Vec::new(),
        }
    }

    pub(crate) fn enter(&mut self, entry: &Entry, text: &str) {
        let said = (entry.id, text.to_owned(), entry.sent_at_ms);
        self.entries.insert(entry.entry, said);
    }

    pub(crate) fn commit(&mut self, writes: Vec<Write>) -> Vec<Answer> {
        let answers = writes.into_iter().map(|write| self.write(write));
        answers.flatten().collect()
    }

    fn write(&mut self, write: Write) -> Option<Answer> {
        Some(match write {
            Write::Begin { peer, package } => Answer::Begun(self.begin(peer, &package)),
            Write::Number { entry, peer, .. } => self.seal(entry, &peer),
            Write::Handshake { .. } => Answer::Empty(MessageId::from_bytes([0; MessageId::LENGTH])),
            Write::Receive(received) => Answer::Received(Box::new(Arrival {
                what: self.open(&received),
                has_group: false,
                handshake_due: false,
            })),
            Write::Stock(held) => Answer::Stock(self.missing(&held)),
            Write::Remember { .. }
            | Write::Suspect { .. }
            | Write::Void { .. }
            | Write::Requeue { .. }
            | Write::Progress { .. }
            | Write::Fail { .. }
            | Write::Abandon { .. }
            | Write::Miss { .. }
            | Write::Take(_) => return None,
        })
    }

    /// A key package is its owner's key, and a number.
    fn begin(&mut self, peer: String, package: &[u8]) -> Result<(), PackageFault> {
        if package.len() != self.key.as_bytes().len() + 1 {
            return Err(PackageFault::Malformed);
        }
        self.groups.insert(peer);
        Ok(())
    }

    fn missing(&mut self, held: &KeyPackagesHeld) -> Option<PutKeyPackages> {
        let missing = STOCK.saturating_sub(held.references.len() as u8);
        let packages = (0..missing).map(|_| {
            self.packages += 1;
            StoredKeyPackage {
                reference: KeyPackageReference::from_bytes([self.packages; 16]),
                package: [self.key.as_bytes().as_slice(), &[self.packages]].concat(),
            }
        });
        let packages: Vec<_> = packages.collect();
        (!packages.is_empty()).then_some(PutKeyPackages {
            packages,
            last_resort: None,
            replaces: false,
        })
    }

    fn seal(&mut self, entry: u64, peer: &str) -> Answer {
        if !self.groups.contains(peer) {
            return Answer::Unsealed;
        }
        let said = self.entries.remove(&entry);
        let (id, text, sent_at_ms) = said.expect("nothing is withdrawn here");
        Answer::Sealed(Box::new(Sealed {
            id,
            envelope: [&sent_at_ms.to_be_bytes(), text.as_bytes()].concat(),
            handshake_due: false,
        }))
    }

    fn open(&mut self, received: &Received) -> Arrived {
        if received.envelope.is_empty() {
            return Arrived::Nothing;
        }
        let opened = received.envelope.split_first_chunk();
        let opened = opened.map(|(sent_at_ms, text)| (sent_at_ms, str::from_utf8(text)));
        let Some((sent_at_ms, Ok(text))) = opened else {
            return Arrived::Unreadable;
        };
        if !self.received.insert((received.from.key, received.id)) {
            return Arrived::Known;
        }
        Arrived::Text {
            text: text.to_owned(),
            sent_at_ms: i64::from_be_bytes(*sent_at_ms),
        }
    }
}
