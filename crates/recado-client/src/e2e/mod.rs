//! End-to-end encryption: what two people write to each other is for the two of them (`docs/protocol.md` §End to end).
//!
//! The history's keeper seals and opens through `Secrecy`, in the transaction in which it writes: ratchet state,
//! plaintext, message and lane are one. What is bound inside the ciphertext, and what is compared, is decided here for
//! every `Scheme`; what a scheme does with keys is its own.

mod mls;
mod own;
mod verification;

use std::ops::RangeInclusive;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand;
use recado_engine::PackageFault;
use recado_proto::content::{Body, Content, Envelope};
use recado_proto::fingerprint::Fingerprint;
use recado_proto::frame::{KeyPackagesHeld, PutKeyPackages};
use recado_proto::id::{MessageId, RemoteKey, StoreId};
use rusqlite::{OptionalExtension as _, Transaction};

use crate::identity::IdentityKey;
use mls::Mls;
pub use mls::{Outside, look_at};
use own::Own;
pub use verification::code as verification_code;

/// Who seals and opens: one's key and name, at one server.
pub(crate) struct Vault {
    key: IdentityKey,
    own: RemoteKey,
    /// One's own name, case-mapped.
    name: String,
    root: Fingerprint,
}

/// A way to seal for one other person, over one transaction of the database. What it writes belongs to the transaction
/// once it has [finished](Self::finish).
pub(crate) trait Scheme {
    /// What is missing of one's own key packages at the server, which has these.
    fn stock(&mut self, held: &KeyPackagesHeld) -> rusqlite::Result<Option<PutKeyPackages>>;

    /// Makes a group with someone, from a key package that the server says is theirs.
    fn begin(
        &mut self,
        peer: RemoteKey,
        package: &[u8],
    ) -> rusqlite::Result<Result<(), PackageFault>>;

    /// Whether there is a group to seal in.
    fn has_group(&mut self, peer: RemoteKey) -> rusqlite::Result<bool>;

    /// Whether the group that counts is to be renewed by oneself.
    fn is_due(&mut self, peer: RemoteKey) -> rusqlite::Result<bool>;

    /// The number of the lane for which the group that counts was made, as long as nothing of it was delivered; else 0.
    fn resumes(&mut self, peer: RemoteKey) -> rusqlite::Result<u64>;

    /// Seals; nothing if there is no group.
    fn seal(
        &mut self,
        peer: RemoteKey,
        plaintext: &[u8],
    ) -> rusqlite::Result<Option<SealedEnvelope>>;

    /// What is due to renew the group, to be [sealed](Self::seal) under this number; nothing if nothing is.
    fn renew(&mut self, peer: RemoteKey, number: u64) -> rusqlite::Result<Option<Vec<u8>>>;

    /// Opens an envelope, if `judge` takes what is in it; else, and where that is a renewal that cannot be, nothing has
    /// changed. The generation of the group that it opened, if it opened one.
    fn open(
        &mut self,
        incoming: Incoming<'_>,
        judge: &mut dyn FnMut(&[u8]) -> Verdict,
    ) -> rusqlite::Result<Result<Option<u64>, Unreadable>>;

    /// Everything up to this number of the lane to someone is stored at the server.
    fn stored(&mut self, peer: RemoteKey, number: u64) -> rusqlite::Result<()>;

    /// Something that carried this group's welcome was delivered.
    fn confirm(&mut self, peer: RemoteKey, group: &[u8]) -> rusqlite::Result<()>;

    /// These numbers travel empty.
    fn take_back(&mut self, peer: RemoteKey, numbers: RangeInclusive<u64>) -> rusqlite::Result<()>;

    /// Nothing more is sealed in the groups that there are with someone: they could not read this number. The next is
    /// made for that.
    fn spend(&mut self, peer: RemoteKey, number: u64) -> rusqlite::Result<()>;

    /// Erases all keys that were shared with someone.
    fn forget(&mut self, peer: RemoteKey) -> rusqlite::Result<()>;

    /// Erases all keys: what they have sealed is not known any more, and none may be used twice.
    fn forget_all(&mut self) -> rusqlite::Result<()>;

    /// Writes everything down.
    fn finish(self) -> rusqlite::Result<()>;
}

/// Where in a lane something stands. Bound inside everything that is sealed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    pub(crate) store: StoreId,
    pub(crate) number: u64,
    pub(crate) id: MessageId,
}

/// What is sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct SealedEnvelope {
    pub(crate) bytes: Vec<u8>,
    /// The group in which it was sealed, where it opens that to its recipient.
    pub(crate) welcomes: Option<Vec<u8>>,
}

/// What came, as far as the lane knows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Incoming<'a> {
    pub(crate) from: RemoteKey,
    pub(crate) place: Place,
    /// Opens the group, if that is not open.
    pub(crate) welcome: &'a [u8],
    pub(crate) message: &'a [u8],
    /// The number of the lane that could not be opened: nothing is, but in a new group. 0 if there is none.
    pub(crate) closed_at: u64,
    /// The highest generation that this lane has opened.
    pub(crate) generation: u64,
}

/// What is to be done with a plaintext.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    Take,
    /// It renews the group.
    Renew(Vec<u8>),
    Refuse,
}

/// Why something cannot be read. For a log: it says nothing of what was sealed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("an envelope of another version")]
    Version,
    #[error("not an envelope")]
    Malformed,
    #[error("its lane waits for a new group")]
    Closed,
    #[error("a group that is not known")]
    UnknownGroup,
    #[error("a group that could not be joined")]
    Welcome,
    #[error("a group of other members")]
    Members,
    #[error("it does not open")]
    Sealed,
    #[error("a renewal that the sender has no right to")]
    Renewal,
    #[error("it was sealed for another place, or by another sender")]
    Binding,
}

/// What came, and what it says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Opened {
    pub(crate) content: Content,
    /// The generation of the group that it opened.
    pub(crate) opened: Option<u64>,
}

/// Seals and opens over one transaction.
pub(crate) struct Secrecy<'t> {
    vault: &'t Vault,
    transaction: &'t Transaction<'t>,
    own: Own<'t>,
    mls: Mls<'t>,
    store: StoreId,
}

impl Vault {
    /// `name` is one's own, case-mapped.
    pub(crate) fn new(key: IdentityKey, name: String, root: Fingerprint) -> Self {
        Self {
            own: RemoteKey::from_bytes(key.public_key()),
            key,
            name,
            root,
        }
    }

    /// The code that two people compare.
    pub(crate) fn code(&self, peer: &RemoteKey) -> String {
        verification::code(&self.root, &self.own, peer)
    }
}

impl<'t> Secrecy<'t> {
    /// Over this transaction, of a database that is this store.
    pub(crate) fn over(vault: &'t Vault, transaction: &'t Transaction<'t>, store: StoreId) -> Self {
        Self {
            vault,
            transaction,
            own: Own::new(vault, transaction),
            mls: Mls::new(vault, transaction, store),
            store,
        }
    }

    /// Erases all keys, and what was compared, where they were for another root of the server: nobody opens at this one
    /// what they seal.
    pub(crate) fn settle_root(&mut self) -> rusqlite::Result<()> {
        let root = self.vault.root.as_bytes();
        let known: Option<bool> = self
            .transaction
            .query_row("SELECT hash = ?1 FROM root", [root], |row| row.get(0))
            .optional()?;
        if known == Some(true) {
            return Ok(());
        }
        if known == Some(false) {
            self.mls.forget_all()?;
            let nothing = "UPDATE peer SET compared_here = 0, compared_there = 0";
            self.transaction.execute(nothing, [])?;
        }
        self.transaction.execute(
            "INSERT OR REPLACE INTO root (only, hash) VALUES (1, ?1)",
            [root],
        )?;
        Ok(())
    }

    /// The keys behind it.
    pub(crate) fn scheme(&mut self) -> &mut impl Scheme {
        &mut self.mls
    }

    /// One's own key.
    pub(crate) fn own_key(&self) -> RemoteKey {
        self.vault.own
    }

    /// Whether there is something to seal with for this person.
    pub(crate) fn can_seal(&mut self, peer: RemoteKey) -> rusqlite::Result<bool> {
        Ok(peer == self.vault.own || self.mls.has_group(peer)?)
    }

    /// Whether the keys shared with this person are to be renewed.
    pub(crate) fn is_due(&mut self, peer: RemoteKey) -> rusqlite::Result<bool> {
        Ok(peer != self.vault.own && self.mls.is_due(peer)?)
    }

    /// Seals a message for its place in the lane to someone; nothing if there is nothing to seal with.
    pub(crate) fn seal(
        &mut self,
        peer: RemoteKey,
        (number, id): (u64, MessageId),
        sent_at_ms: i64,
        body: Body,
    ) -> rusqlite::Result<Option<SealedEnvelope>> {
        let content = Content {
            id,
            number,
            store: self.store,
            sender: self.vault.own,
            recipient: peer,
            sender_name: self.vault.name.clone(),
            sent_at_ms,
            resumes: match peer == self.vault.own {
                true => 0,
                false => self.mls.resumes(peer)?,
            },
            body,
        };
        // What is entered was checked; what is too long all the same is not sent.
        let Ok(plaintext) = content.encode() else {
            tracing::error!("a message that is too long was not sealed");
            return Ok(None);
        };
        if peer == self.vault.own {
            return self.own.seal(&plaintext).map(Some);
        }
        self.mls.seal(peer, &plaintext)
    }

    /// Seals what is due to renew the keys shared with someone, for its place in the lane; nothing if nothing is.
    pub(crate) fn renew(
        &mut self,
        peer: RemoteKey,
        place: (u64, MessageId),
        sent_at_ms: i64,
    ) -> rusqlite::Result<Option<SealedEnvelope>> {
        let (number, _) = place;
        match self.mls.renew(peer, number)? {
            Some(renewal) => self.seal(peer, place, sent_at_ms, Body::Renewal(renewal)),
            None => Ok(None),
        }
    }

    /// Opens what came from someone, whose name is case-mapped, and compares what is inside with what the lane says.
    pub(crate) fn open(
        &mut self,
        (from, name): (RemoteKey, &str),
        place: Place,
        envelope: &[u8],
        (closed_at, generation): (u64, u64),
    ) -> rusqlite::Result<Result<Opened, Unreadable>> {
        let (welcome, message) = match Envelope::decode(envelope) {
            Ok(Some(Envelope::Mls { welcome, message })) => (welcome, message),
            Ok(Some(Envelope::Own { nonce, ciphertext })) => {
                let opened = match from == self.vault.own {
                    true => self.own.open(&nonce, ciphertext)?,
                    false => None,
                };
                let Some(plaintext) = opened else {
                    return Ok(Err(Unreadable::Sealed));
                };
                let opened = None;
                let content = self.read(&plaintext, from, name, place);
                return Ok(content.and_then(|content| match content.body {
                    // Here is nothing to renew.
                    Body::Renewal(_) => Err(Unreadable::Renewal),
                    _ => Ok(Opened { content, opened }),
                }));
            }
            Ok(None) => return Ok(Err(Unreadable::Version)),
            Err(_) => return Ok(Err(Unreadable::Malformed)),
        };
        let incoming = Incoming {
            from,
            place,
            welcome: &welcome,
            message: &message,
            closed_at,
            generation,
        };
        let reader = Reader {
            own: self.vault.own,
            from,
            name,
            place,
        };
        let mut content = None;
        let opened = self.mls.open(incoming, &mut |plaintext| {
            content = reader.read(plaintext).ok();
            match &content {
                // A group of before, whose welcome comes along still, would let this overtake what could not be read.
                Some(content) if content.resumes < closed_at => Verdict::Refuse,
                Some(Content {
                    body: Body::Renewal(renewal),
                    ..
                }) => Verdict::Renew(renewal.clone()),
                Some(_) => Verdict::Take,
                None => Verdict::Refuse,
            }
        })?;
        Ok(opened.and_then(|opened| {
            let content = content.ok_or(Unreadable::Binding)?;
            Ok(Opened { content, opened })
        }))
    }

    fn read(
        &self,
        plaintext: &[u8],
        from: RemoteKey,
        name: &str,
        place: Place,
    ) -> Result<Content, Unreadable> {
        let own = self.vault.own;
        let reader = Reader {
            own,
            from,
            name,
            place,
        };
        reader.read(plaintext)
    }

    /// Writes everything down.
    pub(crate) fn finish(self) -> rusqlite::Result<()> {
        self.mls.finish()
    }
}

/// Who reads what from whom.
struct Reader<'a> {
    own: RemoteKey,
    from: RemoteKey,
    name: &'a str,
    place: Place,
}

impl Reader<'_> {
    /// What a plaintext says, if it was sealed for here, by who is said to have sent it.
    fn read(&self, plaintext: &[u8]) -> Result<Content, Unreadable> {
        let content = match Content::decode(plaintext) {
            Ok(Some(content)) => content,
            Ok(None) => return Err(Unreadable::Version),
            Err(_) => return Err(Unreadable::Malformed),
        };
        let place = Place {
            store: content.store,
            number: content.number,
            id: content.id,
        };
        let is_bound = place == self.place
            && (content.sender, content.recipient) == (self.from, self.own)
            && content.sender_name == self.name;
        match is_bound {
            true => Ok(content),
            false => Err(Unreadable::Binding),
        }
    }
}

/// The message id under which something is sent that nobody entered.
pub(crate) fn draw_id() -> rusqlite::Result<MessageId> {
    let mut bytes = [0; MessageId::LENGTH];
    draw(&mut bytes)?;
    Ok(MessageId::from_bytes(bytes))
}

/// Fills with randomness. Without any nothing can be sealed, and nothing may be written as if it were.
fn draw(bytes: &mut [u8]) -> rusqlite::Result<()> {
    rand::fill(bytes).map_err(|_| no_randomness())
}

/// The system gives no randomness, or the library of keys fails: as bad as a disk that does.
fn no_randomness() -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure("the system gives no randomness".into())
}

/// This machine's clock, in milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}
