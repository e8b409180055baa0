//! People with databases and keys of their own.

use recado_engine::{Answer, Arrival, MailState, Received, Write};
use recado_proto::content::Body;
use recado_proto::fingerprint::Fingerprint;
use recado_proto::frame::{KeyPackagesHeld, Person, PutKeyPackages};
use recado_proto::id::{MessageId, RemoteKey, StoreId};

use super::{Database, Untaken, fold, load, outbox, writes};
use crate::e2e::{SealedEnvelope, Secrecy, Vault};
use crate::identity::IdentityKey;

pub(crate) const ROOT: Fingerprint = Fingerprint::from_bytes([1; 32]);

/// When everything is said here.
pub(crate) const SENT_AT_MS: i64 = 5;

/// Someone's database, in a folder of its own, and their key.
pub(crate) struct Client {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) database: Database,
    pub(crate) name: String,
    pub(crate) key: RemoteKey,
    seed: [u8; 32],
    root: Fingerprint,
    vault: Vault,
}

impl Client {
    pub(crate) fn new(name: &str, seed: u8) -> Self {
        Self::at(name, seed, ROOT)
    }

    /// At another server.
    pub(crate) fn at(name: &str, seed: u8, root: Fingerprint) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(folder.path()).unwrap();
        let seed = [seed; 32];
        let key = IdentityKey::from_seed(&seed).unwrap();
        Self {
            folder,
            database,
            name: name.to_owned(),
            key: RemoteKey::from_bytes(key.public_key()),
            seed,
            root,
            vault: Vault::new(key, fold(name), root),
        }
    }

    pub(crate) fn vault(&self) -> Vault {
        let key = IdentityKey::from_seed(&self.seed).unwrap();
        Vault::new(key, fold(&self.name), self.root)
    }

    pub(crate) fn person(&self) -> Person {
        Person {
            name: self.name.clone(),
            key: self.key,
        }
    }

    /// As after the end of the process.
    pub(crate) fn reopen(&mut self) {
        self.database = Database::open(self.folder.path()).unwrap();
    }

    /// As after the server has got another root, and this history was carried over to it.
    pub(crate) fn move_to(&mut self, root: Fingerprint) {
        self.root = root;
        self.vault = self.vault();
    }

    /// What the files hold now, to go on from later.
    pub(crate) fn copy(&self) -> Self {
        let copy = Self::at(&self.name, self.seed[0], self.root);
        let Self { folder, .. } = copy;
        self.database
            .read(|connection| {
                let path = folder.path().join("history.db");
                std::fs::remove_file(&path).unwrap();
                connection.execute("VACUUM INTO ?1", [path.to_str().unwrap()])
            })
            .unwrap();
        Self {
            database: Database::open(folder.path()).unwrap(),
            folder,
            name: self.name.clone(),
            key: self.key,
            seed: self.seed,
            root: self.root,
            vault: self.vault(),
        }
    }

    pub(crate) fn store(&self) -> StoreId {
        self.database
            .read(|connection| {
                connection.query_row("SELECT id FROM store", [], |row| {
                    row.get(0).map(StoreId::from_bytes)
                })
            })
            .unwrap()
    }

    pub(crate) fn rows(&self, table: &str) -> i64 {
        let query = format!("SELECT count(*) FROM {table}");
        self.database
            .read(|connection| connection.query_row(&query, [], |row| row.get(0)))
            .unwrap()
    }

    pub(crate) fn with_secrecy<T>(
        &mut self,
        work: impl FnOnce(&mut Secrecy<'_>) -> rusqlite::Result<T>,
    ) -> T {
        let database = &mut self.database;
        database
            .seal(&self.vault, |_, secrecy| work(secrecy))
            .unwrap()
    }

    pub(crate) fn commit(&mut self, writes: &[Write]) -> Vec<Answer> {
        self.database
            .seal(&self.vault, |transaction, secrecy| {
                writes::commit(transaction, secrecy, writes)
            })
            .unwrap()
    }

    pub(crate) fn restart(&mut self, store: StoreId) {
        self.database
            .seal(&self.vault, |transaction, secrecy| {
                outbox::restart(transaction, secrecy, store)
            })
            .unwrap();
    }

    pub(crate) fn state(&mut self) -> (MailState, Vec<Untaken>) {
        self.database
            .seal(&self.vault, |transaction, secrecy| {
                load(transaction, secrecy)
            })
            .unwrap()
    }

    /// What is to be put at a server that has these of one's key packages.
    pub(crate) fn stock(&mut self, held: &KeyPackagesHeld) -> Option<PutKeyPackages> {
        let answers = self.commit(&[Write::Stock(held.clone())]);
        match answers.as_slice() {
            [Answer::Stock(put)] => put.clone(),
            other => panic!("{other:?}"),
        }
    }

    /// A key package of one's own, as the server hands it out.
    pub(crate) fn package(&mut self, last_resort: bool) -> Vec<u8> {
        let put = self.stock(&KeyPackagesHeld::default()).unwrap();
        match last_resort {
            true => put.last_resort.unwrap().package,
            false => put.packages[0].package.clone(),
        }
    }

    pub(crate) fn remember(&mut self, other: &Client) {
        self.commit(&[Write::Remember {
            peer: fold(&other.name),
            person: other.person(),
        }]);
    }

    /// Makes a group with someone.
    pub(crate) fn begin_with(&mut self, other: &mut Client) {
        let package = other.package(false);
        self.remember(other);
        assert_eq!(self.begin(other, package), Answer::Begun(Ok(())));
    }

    pub(crate) fn begin(&mut self, other: &Client, package: Vec<u8>) -> Answer {
        let peer = fold(&other.name);
        self.commit(&[Write::Begin { peer, package }]).remove(0)
    }

    pub(crate) fn can_write_to(&mut self, other: &Client) -> bool {
        let key = other.key;
        self.with_secrecy(|secrecy| secrecy.can_seal(key))
    }

    /// Seals for a place in the lane to someone.
    pub(crate) fn seal_for(
        &mut self,
        other: &Client,
        number: u64,
        id: MessageId,
        body: Body,
    ) -> Vec<u8> {
        self.try_seal_for(other, number, id, body).unwrap().bytes
    }

    pub(crate) fn try_seal_for(
        &mut self,
        other: &Client,
        number: u64,
        id: MessageId,
        body: Body,
    ) -> Option<SealedEnvelope> {
        let key = other.key;
        self.with_secrecy(|secrecy| secrecy.seal(key, (number, id), SENT_AT_MS, body))
    }

    pub(crate) fn seal_for_itself(&mut self, number: u64, id: MessageId, text: &str) -> Vec<u8> {
        let (key, body) = (self.key, Body::Text(text.to_owned()));
        let sealed = self.with_secrecy(|secrecy| secrecy.seal(key, (number, id), SENT_AT_MS, body));
        sealed.unwrap().bytes
    }

    /// Takes what came from someone.
    pub(crate) fn take(
        &mut self,
        from: Person,
        store: StoreId,
        number: u64,
        id: MessageId,
        envelope: Vec<u8>,
    ) -> Arrival {
        let received = Received {
            from,
            store,
            number,
            id,
            envelope,
        };
        match self.commit(&[Write::Receive(Box::new(received))]).remove(0) {
            Answer::Received(arrival) => *arrival,
            other => panic!("{other:?}"),
        }
    }
}

/// What tests look at.
impl Client {
    /// The one number that a query finds.
    pub(crate) fn rows_where(&self, query: &str) -> i64 {
        self.database
            .read(|connection| connection.query_row(query, [], |row| row.get(0)))
            .unwrap()
    }

    /// Everything that keys are made of.
    pub(crate) fn dump_keys(&self) -> Vec<(Vec<u8>, Vec<u8>, Vec<u8>)> {
        self.database
            .read(|connection| {
                connection
                    .prepare("SELECT owner, key, value FROM mls_state ORDER BY owner, key")?
                    .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
                    .collect()
            })
            .unwrap()
    }

    /// What was entered and has no number.
    pub(crate) fn feed(&mut self) -> Vec<recado_engine::Entry> {
        self.database
            .write(|transaction| outbox::feed(transaction, 0, 100))
            .unwrap()
            .private
    }

    pub(crate) fn ask(&self, question: &super::Question) -> Vec<String> {
        let items = self
            .database
            .read(|connection| super::past::answer(connection, question))
            .unwrap();
        let text = |item| match item {
            super::Item::Message(message) => message.text,
            super::Item::Hole { first, last } => format!("{first}-{last}"),
        };
        items.into_iter().map(text).collect()
    }
}
