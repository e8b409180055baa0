//! People with databases in memory, and no server: for the fuzzer, which brings them whatever envelopes it likes, and to
//! measure what keys cost.

use recado_engine::PackageFault;
use recado_proto::content::Body;
use recado_proto::fingerprint::Fingerprint;
use recado_proto::frame::KeyPackagesHeld;
use recado_proto::id::{MessageId, RemoteKey, StoreId};
use rusqlite::Connection;

use super::database::MIGRATIONS;
use crate::e2e::{Place, Scheme as _, Secrecy, Vault};
use crate::identity::IdentityKey;

/// Messages that one sends before the group is renewed: more than an epoch has.
const MANY: u64 = 101;

/// Bob, to whom Alice and Dave have written and Carol is about to.
pub struct Door {
    bob: Someone,
    genuine: Vec<Genuine>,
}

/// An envelope as it was sealed.
struct Genuine {
    from: Identity,
    place: Place,
    envelope: Vec<u8>,
    /// Nothing where it renews the group.
    text: Option<String>,
}

#[derive(Clone, Copy)]
struct Identity {
    name: &'static str,
    key: RemoteKey,
    store: StoreId,
}

struct Someone {
    identity: Identity,
    vault: Vault,
    connection: Connection,
}

impl Someone {
    fn new(name: &'static str, seed: u8) -> Self {
        let connection = Connection::open_in_memory().expect("memory");
        for migration in MIGRATIONS {
            connection.execute_batch(migration).expect("a schema");
        }
        let key = IdentityKey::from_seed(&[seed; 32]).expect("a key");
        Self {
            identity: Identity {
                name,
                key: RemoteKey::from_bytes(key.public_key()),
                store: StoreId::from_bytes([seed; 16]),
            },
            vault: Vault::new(key, name.to_owned(), Fingerprint::from_bytes([1; 32])),
            connection,
        }
    }

    /// Does something that counts.
    fn with<T>(&mut self, work: impl FnOnce(&mut Secrecy<'_>) -> rusqlite::Result<T>) -> T {
        let transaction = self.connection.transaction().expect("memory");
        let mut secrecy = Secrecy::over(&self.vault, &transaction, self.identity.store);
        let done = work(&mut secrecy).expect("memory");
        secrecy.finish().expect("memory");
        transaction.commit().expect("memory");
        done
    }

    /// What an envelope says, if it opens; it was never here after that. The inner nothing is a renewal.
    fn peek(&mut self, from: Identity, place: Place, envelope: &[u8]) -> Option<Option<String>> {
        let transaction = self.connection.transaction().expect("memory");
        let mut secrecy = Secrecy::over(&self.vault, &transaction, self.identity.store);
        let from = (from.key, from.name);
        let opened = secrecy.open(from, place, envelope, (0, 0)).expect("memory");
        secrecy.finish().expect("memory");
        opened.ok().map(|opened| match opened.content.body {
            Body::Text(text) => Some(text),
            Body::Renewal(_) => None,
            other => panic!("{other:?} that nobody sealed"),
        })
    }

    fn begin(&mut self, peer: &mut Self) {
        let held = KeyPackagesHeld::default();
        let put = peer.with(|secrecy| secrecy.scheme().stock(&held));
        let package = put.expect("a stock").packages.swap_remove(0).package;
        let key = peer.identity.key;
        let begun = self.with(|secrecy| secrecy.scheme().begin(key, &package));
        assert_eq!(begun, Ok(()));
    }

    /// Says which number it is, and which group it opens.
    fn say(&mut self, to: RemoteKey, number: u64) -> (Genuine, Option<Vec<u8>>) {
        let place = self.place(number);
        let text = format!("number {number}");
        let body = Body::Text(text.clone());
        let sealed = self.with(|secrecy| secrecy.seal(to, (number, place.id), 0, body));
        let sealed = sealed.expect("a group");
        let genuine = Genuine {
            from: self.identity,
            place,
            envelope: sealed.bytes,
            text: Some(text),
        };
        (genuine, sealed.welcomes)
    }

    fn renew(&mut self, to: RemoteKey, number: u64) -> Genuine {
        let place = self.place(number);
        let sealed = self.with(|secrecy| secrecy.renew(to, (number, place.id), 0));
        Genuine {
            from: self.identity,
            place,
            envelope: sealed.expect("it is due").bytes,
            text: None,
        }
    }

    fn place(&self, number: u64) -> Place {
        let mut id = [0; MessageId::LENGTH];
        id[..8].copy_from_slice(&number.to_be_bytes());
        Place {
            store: self.identity.store,
            number,
            id: MessageId::from_bytes(id),
        }
    }
}

/// Alice and Bob, who share a group.
pub struct Pair {
    alice: Someone,
    bob: Someone,
    said: u64,
}

impl Pair {
    /// Fixed people, with keys that are new each time, who have heard of each other.
    #[expect(clippy::new_without_default, reason = "it is much work")]
    pub fn new() -> Self {
        let (mut alice, mut bob) = (Someone::new("alice", 1), Someone::new("bob", 2));
        alice.begin(&mut bob);
        let key = bob.identity.key;
        let (first, group) = alice.say(key, 1);
        bob.hear(&first);
        let group = group.expect("it opens the group");
        alice.with(|secrecy| secrecy.scheme().confirm(key, &group));
        let said = 1;
        Self { alice, bob, said }
    }

    /// Alice seals as many messages, in one transaction.
    pub fn seal(&mut self, messages: usize, text: &str) -> Vec<Vec<u8>> {
        let key = self.bob.identity.key;
        let places: Vec<_> = (self.said + 1..)
            .take(messages)
            .map(|number| self.alice.place(number))
            .collect();
        self.alice.with(|secrecy| {
            let seal = |place: &Place| {
                let body = Body::Text(text.to_owned());
                let sealed = secrecy.seal(key, (place.number, place.id), 0, body)?;
                Ok(sealed.expect("a group").bytes)
            };
            places.iter().map(seal).collect()
        })
    }

    /// Bob opens what she has sealed since, in one transaction.
    pub fn open(&mut self, envelopes: &[Vec<u8>]) {
        let from = self.alice.identity;
        let numbers = self.said + 1..;
        let places: Vec<_> = numbers
            .take(envelopes.len())
            .map(|number| self.alice.place(number))
            .collect();
        self.said += envelopes.len() as u64;
        self.bob.with(|secrecy| {
            for (place, envelope) in places.into_iter().zip(envelopes) {
                let opened = secrecy.open((from.key, from.name), place, envelope, (0, 0))?;
                assert!(opened.is_ok(), "{opened:?}");
            }
            Ok(())
        });
    }
}

impl Door {
    /// Fixed people, with keys that are new each time.
    #[expect(clippy::new_without_default, reason = "it is much work")]
    pub fn new() -> Self {
        let mut bob = Someone::new("bob", 2);
        let to = bob.identity.key;
        let mut genuine = Vec::new();
        for (name, seed) in [("alice", 1), ("carol", 3), ("dave", 4)] {
            let mut sender = Someone::new(name, seed);
            sender.begin(&mut bob);
            let (first, group) = sender.say(to, 1);
            if name == "carol" {
                // Of her group Bob has not heard.
                genuine.push(first);
                continue;
            }
            bob.hear(&first);
            let group = group.expect("it opens the group");
            sender.with(|secrecy| secrecy.scheme().confirm(to, &group));
            sender.hear(&bob.say(sender.identity.key, 1).0);
            let last = (2..=MANY).map(|number| sender.say(to, number).0).last();
            genuine.extend(last);
            // One of the two has the smaller key, and commits; the other proposes.
            genuine.push(sender.renew(to, MANY + 1));
        }
        Self { bob, genuine }
    }

    /// How many envelopes there are.
    pub fn count(&self) -> usize {
        self.genuine.len()
    }

    /// One of them, by its number from 0, as it was sealed.
    pub fn envelope(&self, number: usize) -> &[u8] {
        &self.genuine[number].envelope
    }

    /// Brings an envelope in the place of a genuine one. Whether it is read.
    ///
    /// # Panics
    /// Where it is read, and says something else.
    pub fn bring(&mut self, number: usize, envelope: &[u8]) -> bool {
        let genuine = &self.genuine[number];
        let read = self.bob.peek(genuine.from, genuine.place, envelope);
        if let Some(text) = &read {
            assert_eq!(text, &genuine.text, "it was changed and read");
        }
        read.is_some()
    }

    /// Brings Bob a key package of Alice's. Whether he can begin with it.
    pub fn offer(&mut self, package: &[u8]) -> bool {
        let key = self.genuine[0].from.key;
        let transaction = self.bob.connection.transaction().expect("memory");
        let mut secrecy = Secrecy::over(&self.bob.vault, &transaction, self.bob.identity.store);
        let begun: Result<(), PackageFault> = secrecy.scheme().begin(key, package).expect("memory");
        begun.is_ok()
    }
}

impl Someone {
    fn hear(&mut self, genuine: &Genuine) {
        let (from, place) = ((genuine.from.key, genuine.from.name), genuine.place);
        let heard = self.with(|secrecy| secrecy.open(from, place, &genuine.envelope, (0, 0)));
        assert!(heard.is_ok(), "{heard:?}");
    }
}
