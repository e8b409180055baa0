//! MLS (RFC 9420), by openmls: one group of two for each pair.
//!
//! A group is loaded once for each commit of the database, however much is sealed and opened in it, and dropped with
//! it: what a transaction that failed had in memory is in no later one.

mod crypto;
mod groups;
mod key_packages;
mod outside;
mod renewal;
mod store;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use openmls::credentials::{BasicCredential, Credential, CredentialWithKey};
use openmls::framing::{MlsMessageBodyIn, MlsMessageIn, ProcessedMessageContent};
use openmls::group::{MlsGroup, MlsGroupJoinConfig, PastEpochDeletion, StagedWelcome};
use openmls::key_packages::{KeyPackage, Lifetime};
use openmls::prelude::tls_codec::DeserializeBytes as _;
use openmls::prelude::{
    Capabilities, ExtensionType, Member, PURE_CIPHERTEXT_WIRE_FORMAT_POLICY,
    SenderRatchetConfiguration,
};
use openmls::treesync::LeafNode;
use openmls_traits::OpenMlsProvider;
use openmls_traits::signatures::{Signer, SignerError};
use openmls_traits::types::{Ciphersuite, SignatureScheme};
use recado_engine::PackageFault;
use recado_engine::groups as rules;
use recado_proto::content::Envelope;
use recado_proto::frame::{KeyPackagesHeld, PutKeyPackages};
use recado_proto::id::{RemoteKey, StoreId};
use rusqlite::Transaction;

use super::{
    Incoming, Scheme, SealedEnvelope, Unreadable, Vault, Verdict, draw, no_randomness, now_ms,
};
use crate::identity::IdentityKey;
use crypto::Crypto;
use groups::{Group, GroupName};
use outside::Parts;
pub use outside::{Outside, look_at};
use renewal::{Effect, commit, process, propose, take_commit, take_proposal};
use store::Store;

const SUITE: Ciphersuite = Ciphersuite::MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519;

/// Keys of a sender's ratchet that may be passed over: as many numbers as may travel empty in a mailbox, all of them.
/// Some 15 milliseconds of hashing.
const MAX_PASSED_OVER: u32 = 10_000;

/// Past epochs whose keys are kept, until something of the current one has come from the other side.
const PAST_EPOCHS: usize = 1;

/// Seconds of a key package's life.
const LIFE: u64 = 84 * 24 * 60 * 60;

/// Before this second no recado was: a clock that says so is wrong, as that of a machine without a battery is.
const EARLIEST: u64 = 1_793_491_200;

/// Length of a leaf's credential: the server's root, the key, the store.
const CREDENTIAL: usize = 32 + 32 + 16;

/// A person's leaf, as its credential names it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Leaf {
    key: RemoteKey,
    store: StoreId,
}

/// All groups, over one transaction.
pub(crate) struct Mls<'t> {
    vault: &'t Vault,
    transaction: &'t Transaction<'t>,
    state: Store<'t>,
    /// One's own database.
    own_store: StoreId,
    /// Groups that were looked at, by the other member, in the order in which they were made or joined.
    groups: BTreeMap<RemoteKey, Vec<Group>>,
    /// Those whose keys are in memory.
    loaded: BTreeMap<GroupName, MlsGroup>,
}

/// What openmls works with.
struct Provider<'a, 't> {
    state: &'a Store<'t>,
}

impl<'t> OpenMlsProvider for Provider<'_, 't> {
    type CryptoProvider = Crypto;
    type RandProvider = Crypto;
    type StorageProvider = Store<'t>;

    fn storage(&self) -> &Store<'t> {
        self.state
    }

    fn crypto(&self) -> &Crypto {
        &Crypto
    }

    fn rand(&self) -> &Crypto {
        &Crypto
    }
}

/// The leaf's signature key is the identity key that owns the name.
impl Signer for IdentityKey {
    fn sign(&self, payload: &[u8]) -> Result<Vec<u8>, SignerError> {
        match self.sign(payload) {
            Ok(signature) => Ok(signature.to_vec()),
            Err(_) => Err(SignerError::SigningError),
        }
    }

    fn signature_scheme(&self) -> SignatureScheme {
        SignatureScheme::ED25519
    }
}

impl<'t> Mls<'t> {
    pub(super) fn new(
        vault: &'t Vault,
        transaction: &'t Transaction<'t>,
        own_store: StoreId,
    ) -> Self {
        Self {
            vault,
            transaction,
            state: Store::new(transaction),
            own_store,
            groups: BTreeMap::new(),
            loaded: BTreeMap::new(),
        }
    }

    fn provider(&self) -> Provider<'_, 't> {
        Provider { state: &self.state }
    }

    /// One's own leaf.
    fn own_leaf(&self) -> CredentialWithKey {
        let (root, store) = (self.vault.root.as_bytes(), self.own_store.as_bytes());
        let identity = [&root[..], self.vault.own.as_bytes(), store].concat();
        CredentialWithKey {
            credential: BasicCredential::new(identity).into(),
            signature_key: self.vault.own.as_bytes().as_slice().into(),
        }
    }

    /// Whose leaf it is, if its credential and its key agree, and it is for this server.
    fn leaf_of(&self, credential: &Credential, signature_key: &[u8]) -> Option<Leaf> {
        let basic = BasicCredential::try_from(credential.clone()).ok()?;
        let identity: &[u8; CREDENTIAL] = basic.identity().try_into().ok()?;
        let (root, rest) = identity.split_at(32);
        let (key, store) = rest.split_at(32);
        let is_ours = root == self.vault.root.as_bytes() && key == signature_key;
        let leaf = Leaf {
            key: RemoteKey::try_from(key).ok()?,
            store: StoreId::try_from(store).ok()?,
        };
        is_ours.then_some(leaf)
    }

    fn leaf_of_member(&self, member: &Member) -> Option<Leaf> {
        self.leaf_of(&member.credential, &member.signature_key)
    }

    fn leaf_of_node(&self, node: &LeafNode) -> Option<Leaf> {
        self.leaf_of(node.credential(), node.signature_key().as_slice())
    }

    /// Whether the members are oneself and this leaf, and nobody else.
    fn are_two(&self, members: impl Iterator<Item = Member>, peer: Leaf) -> bool {
        let own = Leaf {
            key: self.vault.own,
            store: self.own_store,
        };
        let leaves: Vec<_> = members.map(|member| self.leaf_of_member(&member)).collect();
        match leaves.as_slice() {
            [Some(one), Some(other)] => [(own, peer), (peer, own)].contains(&(*one, *other)),
            _ => false,
        }
    }

    /// Does something with a group's keys. Whatever fails in the database counts, whatever openmls made of it.
    fn with<T>(
        &mut self,
        name: GroupName,
        work: impl FnOnce(&mut MlsGroup, &Provider<'_, 't>, &Vault) -> T,
    ) -> rusqlite::Result<Option<T>> {
        if !self.loaded.contains_key(&name) {
            let group = MlsGroup::load(&self.state, &name.id());
            self.state.fault()?;
            let Ok(Some(group)) = group else {
                tracing::error!("the keys of a group are missing");
                return Ok(None);
            };
            self.loaded.insert(name, group);
        }
        let Some(group) = self.loaded.get_mut(&name) else {
            return Ok(None);
        };
        self.state.enter(&name.owner());
        let provider = Provider { state: &self.state };
        let done = work(group, &provider, self.vault);
        self.state.fault()?;
        Ok(Some(done))
    }

    /// As [`with`](Self::with), but for what may fail: then nothing has happened.
    fn attempt<T, E>(
        &mut self,
        name: GroupName,
        work: impl FnOnce(&mut MlsGroup, &Provider<'_, 't>, &Vault) -> Result<T, E>,
    ) -> rusqlite::Result<Option<Result<T, E>>> {
        self.state.attempt();
        let done = self.with(name, work)?;
        let is_good = matches!(done, Some(Ok(_)));
        self.state.settle(is_good);
        if !is_good {
            // What it has in memory may be ahead of what is written.
            self.loaded.remove(&name);
        }
        Ok(done)
    }

    /// Joins the group that a welcome opens, if it is one that this lane may open, and opens the message in it; or does
    /// neither.
    fn join_and_open(
        &mut self,
        incoming: &Incoming<'_>,
        parts: Parts,
        judge: &mut dyn FnMut(&[u8]) -> Verdict,
    ) -> rusqlite::Result<Result<Option<u64>, Unreadable>> {
        self.state.attempt();
        let joined = self.try_join(incoming);
        self.state.fault()?;
        let Some((group, keys, package)) = joined else {
            self.state.settle(false);
            return Ok(Err(Unreadable::Welcome));
        };
        let name = group.name;
        self.add(incoming.from, group)?;
        self.loaded.insert(name, keys);
        // Where the welcome is for another group than the message, that is not known now either.
        let opened = match GroupName::try_from(&parts.group) {
            Ok(meant) => self.open_in(meant, incoming, parts, judge)?,
            Err(()) => Err(Unreadable::UnknownGroup),
        };
        if let Err(fault) = opened {
            self.state.settle(false);
            self.loaded.remove(&name);
            self.of_mut(incoming.from)?.retain(|it| it.name != name);
            return Ok(Err(fault));
        }
        self.note_generation(incoming.from, name.generation())?;
        self.use_key_package(&package)?;
        Ok(Ok(Some(name.generation())))
    }

    fn try_join(&self, incoming: &Incoming<'_>) -> Option<(Group, MlsGroup, Vec<u8>)> {
        let message = MlsMessageIn::tls_deserialize_exact_bytes(incoming.welcome).ok()?;
        let MlsMessageBodyIn::Welcome(welcome) = message.extract() else {
            return None;
        };
        let provider = self.provider();
        let joining = StagedWelcome::build_from_welcome(&provider, &join_config(), welcome).ok()?;
        let package = joining.processed_welcome().own_key_package()?;
        let is_weak = package.last_resort();
        let reference = package.hash_ref(&Crypto).ok()?;
        // Clocks are often wrong where recado is used; what decides is that the private half was there.
        let staged = joining.skip_lifetime_validation().build().ok()?;
        let context = staged.group_context();
        let name = GroupName::try_from(context.group_id()).ok()?;
        let sender = self.leaf_of_node(staged.welcome_sender().ok()?)?;
        let maker = Leaf {
            key: incoming.from,
            store: incoming.place.store,
        };
        let is_right = context.ciphersuite() == SUITE
            && sender == maker
            && name.store() == maker.store
            && (incoming.generation.saturating_add(1)..=rules::MAX_GENERATION)
                .contains(&name.generation())
            && self.are_two(staged.members(), maker);
        if !is_right {
            return None;
        }
        self.state.enter(&name.owner());
        let keys = staged.into_group(&provider).ok()?;
        let group = Group::joined(name, maker.key, maker.store, is_weak);
        Some((group, keys, store::key_package_key(&reference).ok()?))
    }

    /// Opens a message in a group that is known.
    fn open_in(
        &mut self,
        group: GroupName,
        incoming: &Incoming<'_>,
        parts: Parts,
        judge: &mut dyn FnMut(&[u8]) -> Verdict,
    ) -> rusqlite::Result<Result<(), Unreadable>> {
        let peer = Leaf {
            key: incoming.from,
            store: incoming.place.store,
        };
        let Some(known) = self.find(peer.key, group)? else {
            return Ok(Err(Unreadable::UnknownGroup));
        };
        if known.peer_store != peer.store {
            return Ok(Err(Unreadable::Members));
        }
        let own_proposal = known.proposal.clone();
        let sender = self.credential_of(peer);
        let message_epoch = parts.epoch;
        let opened = self.attempt(group, |keys, provider, vault| {
            let processed = process(keys, provider, parts, &sender)?;
            let ProcessedMessageContent::ApplicationMessage(message) = processed else {
                return Err(Unreadable::Renewal);
            };
            match judge(&message.into_bytes()) {
                Verdict::Take => Ok(Effect::Message),
                Verdict::Refuse => Err(Unreadable::Binding),
                Verdict::Renew(renewal) => match rules::commits(&vault.own, &peer.key) {
                    true => take_proposal(keys, provider, &renewal, (&sender, &peer.key)),
                    false => {
                        let maker = (&sender, &peer.key);
                        take_commit(keys, provider, vault, &renewal, &own_proposal, maker)
                    }
                },
            }
        })?;
        let effect = match opened {
            None => return Ok(Err(Unreadable::UnknownGroup)),
            Some(Err(fault)) => return Ok(Err(fault)),
            Some(Ok(effect)) => effect,
        };
        self.take_effect(group, peer, effect, message_epoch)?;
        Ok(Ok(()))
    }

    fn take_effect(
        &mut self,
        name: GroupName,
        peer: Leaf,
        effect: Effect,
        message_epoch: u64,
    ) -> rusqlite::Result<()> {
        let is_commit = matches!(effect, Effect::Committed { .. });
        if is_commit {
            self.state.forget_proposed(&name.owner())?;
        }
        let epoch = self.with(name, |keys, _, _| keys.epoch().as_u64())?;
        let Some(group) = self.find_mut(peer.key, name)? else {
            return Ok(());
        };
        match effect {
            Effect::Message => group.count(),
            Effect::Proposed(proposal) => {
                group.count();
                group.proposal = proposal;
            }
            Effect::Committed { covers_own } => group.renewed(covers_own),
        }
        // What has come of the current epoch comes after all of the past one.
        let is_current = !is_commit && Some(message_epoch) == epoch;
        group.heard |= is_current;
        if is_current && std::mem::take(&mut group.has_past) {
            let erased = self.with(name, |keys, provider, _| {
                keys.delete_past_epoch_secrets(provider, PastEpochDeletion::delete_all())
            })?;
            if !matches!(erased, Some(Ok(()))) {
                tracing::error!("keys of a past epoch could not be erased");
            }
        }
        self.prune(peer.key, name)
    }

    fn credential_of(&self, leaf: Leaf) -> Credential {
        let (root, key) = (self.vault.root.as_bytes(), leaf.key.as_bytes());
        BasicCredential::new([&root[..], key, leaf.store.as_bytes()].concat()).into()
    }

    /// Seals with the group that counts, once something was made of its keys.
    fn envelope(
        &mut self,
        peer: RemoteKey,
        name: GroupName,
        message: Vec<u8>,
    ) -> rusqlite::Result<Option<SealedEnvelope>> {
        let Some(group) = self.find_mut(peer, name)? else {
            return Ok(None);
        };
        group.count();
        let welcome = group.welcome.clone();
        let welcomes = (!welcome.is_empty()).then(|| name.as_bytes().to_vec());
        Ok(Some(SealedEnvelope {
            bytes: Envelope::Mls { welcome, message }.encode(),
            welcomes,
        }))
    }

    /// Something of a group's keys failed that cannot fail: another group has to be made.
    fn give_up(&mut self, peer: RemoteKey, name: GroupName, why: &str) -> rusqlite::Result<()> {
        tracing::error!(why, "a group can no longer be used");
        if let Some(group) = self.find_mut(peer, name)? {
            group.spend();
        }
        Ok(())
    }
}

impl Scheme for Mls<'_> {
    fn stock(&mut self, held: &KeyPackagesHeld) -> rusqlite::Result<Option<PutKeyPackages>> {
        self.fill_stock(held)
    }

    fn begin(
        &mut self,
        peer: RemoteKey,
        package: &[u8],
    ) -> rusqlite::Result<Result<(), PackageFault>> {
        let (package, leaf) = match self.examine(peer, package) {
            Ok(examined) => examined,
            Err(fault) => return Ok(Err(fault)),
        };
        let generation = self.next_generation(peer)?;
        let mut random = [0; 8];
        draw(&mut random)?;
        let name = GroupName::new(generation, self.own_store, random);
        self.state.enter(&name.owner());
        let made = self.make_group(name, &[package]);
        self.state.fault()?;
        let Some((keys, welcome)) = made else {
            return Ok(Err(PackageFault::Malformed));
        };
        self.note_generation(peer, generation)?;
        let mut group = Group::made(name, self.vault.own, leaf.store, welcome);
        group.resumes = self.take_resumption(peer)?;
        self.add(peer, group)?;
        self.loaded.insert(name, keys);
        Ok(Ok(()))
    }

    fn has_group(&mut self, peer: RemoteKey) -> rusqlite::Result<bool> {
        Ok(self.current(peer)?.is_some())
    }

    fn is_due(&mut self, peer: RemoteKey) -> rusqlite::Result<bool> {
        let own_commits = rules::commits(&self.vault.own, &peer);
        let now = now_ms();
        let current = self.current(peer)?;
        Ok(current.is_some_and(|group| rules::is_renewal_due(&group.freshness(own_commits, now))))
    }

    fn resumes(&mut self, peer: RemoteKey) -> rusqlite::Result<u64> {
        let current = self.current(peer)?;
        Ok(current.map_or(0, |group| group.resumes))
    }

    fn seal(
        &mut self,
        peer: RemoteKey,
        plaintext: &[u8],
    ) -> rusqlite::Result<Option<SealedEnvelope>> {
        let Some(name) = self.current(peer)?.map(|group| group.name) else {
            return Ok(None);
        };
        let sealed = self.attempt(name, |keys, provider, vault| {
            let message = keys.create_message(provider, &vault.key, plaintext);
            let message = message.map_err(|error| error.to_string())?;
            message.to_bytes().map_err(|error| error.to_string())
        })?;
        match sealed {
            Some(Ok(message)) => self.envelope(peer, name, message),
            failed => {
                let why = failed.and_then(Result::err).unwrap_or_default();
                self.give_up(peer, name, &why)?;
                Ok(None)
            }
        }
    }

    fn renew(&mut self, peer: RemoteKey, number: u64) -> rusqlite::Result<Option<Vec<u8>>> {
        if !self.is_due(peer)? {
            return Ok(None);
        }
        let Some(group) = self.current(peer)? else {
            return Ok(None);
        };
        let (name, proposal) = (group.name, group.proposal.clone());
        let made = match rules::commits(&self.vault.own, &peer) {
            true => self.attempt(name, |keys, provider, vault| {
                commit(keys, provider, vault, &proposal)
            })?,
            false => self.attempt(name, propose)?,
        };
        let (message, own_proposal) = match made {
            Some(Ok(made)) => made,
            failed => {
                let why = failed.and_then(Result::err).unwrap_or_default();
                self.give_up(peer, name, &why)?;
                return Ok(None);
            }
        };
        if let Some(group) = self.find_mut(peer, name)? {
            group.handshake = Some(number);
            group.proposal = own_proposal;
            group.touch();
        }
        Ok(Some(message))
    }

    fn open(
        &mut self,
        incoming: Incoming<'_>,
        judge: &mut dyn FnMut(&[u8]) -> Verdict,
    ) -> rusqlite::Result<Result<Option<u64>, Unreadable>> {
        let Some(parts) = Parts::read(incoming.message) else {
            return Ok(Err(Unreadable::Malformed));
        };
        let Ok(name) = GroupName::try_from(&parts.group) else {
            return Ok(Err(Unreadable::UnknownGroup));
        };
        if self.find(incoming.from, name)?.is_none() {
            return match incoming.welcome.is_empty() {
                true => Ok(Err(Unreadable::UnknownGroup)),
                false => self.join_and_open(&incoming, parts, judge),
            };
        }
        if incoming.closed_at > 0 {
            return Ok(Err(Unreadable::Closed));
        }
        let opened = self.open_in(name, &incoming, parts, judge)?;
        Ok(opened.map(|()| None))
    }

    fn stored(&mut self, peer: RemoteKey, number: u64) -> rusqlite::Result<()> {
        if !rules::commits(&self.vault.own, &peer) {
            return Ok(());
        }
        let committed = |group: &Group| group.handshake.is_some_and(|at| at <= number);
        let names: Vec<_> = self.of(peer)?.iter().filter(|it| committed(it)).collect();
        let names: Vec<_> = names.into_iter().map(|group| group.name).collect();
        for name in names {
            let merged = self.with(name, |keys, provider, _| {
                // A commit that was merged before the process ended leaves nothing to merge.
                keys.merge_pending_commit(provider)
                    .map_err(|error| error.to_string())
            })?;
            match merged {
                Some(Ok(())) => {
                    self.state.forget_proposed(&name.owner())?;
                    if let Some(group) = self.find_mut(peer, name)? {
                        group.renewed(true);
                    }
                }
                failed => {
                    let why = failed.and_then(Result::err).unwrap_or_default();
                    self.give_up(peer, name, &why)?;
                }
            }
        }
        Ok(())
    }

    fn confirm(&mut self, peer: RemoteKey, group: &[u8]) -> rusqlite::Result<()> {
        let Ok(name) = GroupName::try_from(group) else {
            return Ok(());
        };
        if let Some(group) = self.find_mut(peer, name)? {
            group.confirm();
        }
        Ok(())
    }

    fn take_back(&mut self, peer: RemoteKey, numbers: RangeInclusive<u64>) -> rusqlite::Result<()> {
        if !rules::commits(&self.vault.own, &peer) {
            // A proposal may have arrived all the same: it stays until the epoch ends.
            return Ok(());
        }
        let is_it = |group: &&Group| group.handshake.is_some_and(|at| numbers.contains(&at));
        let Some(name) = self.of(peer)?.iter().find(is_it).map(|group| group.name) else {
            return Ok(());
        };
        let cleared = self.with(name, |keys, provider, _| {
            keys.clear_pending_commit(provider.state)
        })?;
        if !matches!(cleared, Some(Ok(()))) {
            return self.give_up(peer, name, "a commit could not be taken back");
        }
        if let Some(group) = self.find_mut(peer, name)? {
            group.handshake = None;
            group.proposal.clear();
            group.touch();
        }
        Ok(())
    }

    fn spend(&mut self, peer: RemoteKey, number: u64) -> rusqlite::Result<()> {
        for group in self.of_mut(peer)? {
            group.spend();
        }
        self.note_resumption(peer, number)
    }

    fn forget(&mut self, peer: RemoteKey) -> rusqlite::Result<()> {
        let names: Vec<_> = self.of(peer)?.iter().map(|group| group.name).collect();
        for name in names {
            self.remove(peer, name)?;
        }
        Ok(())
    }

    fn forget_all(&mut self) -> rusqlite::Result<()> {
        self.groups.clear();
        self.loaded.clear();
        self.state = Store::new(self.transaction);
        self.transaction.execute_batch(
            "DELETE FROM mls_state; DELETE FROM mls_group; DELETE FROM key_package;
             UPDATE pair SET resumes = 0;",
        )
    }

    fn finish(mut self) -> rusqlite::Result<()> {
        self.write_groups()?;
        self.state.flush()
    }
}

impl Mls<'_> {
    /// A group with the owners of these key packages, of which there is one, and the welcome that opens it to them.
    fn make_group(&self, name: GroupName, packages: &[KeyPackage]) -> Option<(MlsGroup, Vec<u8>)> {
        let provider = self.provider();
        let mut keys = MlsGroup::builder()
            .with_group_id(name.id())
            .ciphersuite(SUITE)
            .with_wire_format_policy(PURE_CIPHERTEXT_WIRE_FORMAT_POLICY)
            .use_ratchet_tree_extension(true)
            .with_capabilities(capabilities())
            .max_past_epochs(PAST_EPOCHS)
            .sender_ratchet_configuration(ratchet())
            .lifetime(lifetime())
            .build(&provider, &self.vault.key, self.own_leaf())
            .ok()?;
        let (_, welcome, _) = keys
            .add_members(&provider, &self.vault.key, packages)
            .ok()?;
        // Nobody else is in the group who could commit too, and nobody has to hear of this one.
        keys.merge_pending_commit(&provider).ok()?;
        Some((keys, welcome.to_bytes().ok()?))
    }
}

fn join_config() -> MlsGroupJoinConfig {
    MlsGroupJoinConfig::builder()
        .wire_format_policy(PURE_CIPHERTEXT_WIRE_FORMAT_POLICY)
        .use_ratchet_tree_extension(true)
        .max_past_epochs(PAST_EPOCHS)
        .sender_ratchet_configuration(ratchet())
        .build()
}

/// Lanes are in order: no key of what was passed over is ever needed.
fn ratchet() -> SenderRatchetConfiguration {
    SenderRatchetConfiguration::new(0, MAX_PASSED_OVER)
}

/// What a leaf says that it can do: this suite, to be a last resort, and nothing beyond.
fn capabilities() -> Capabilities {
    let extensions = [ExtensionType::LastResort];
    Capabilities::new(None, Some(&[SUITE]), Some(&extensions), None, None)
}

/// A key package's life. It begins when time does, as clocks that are behind are common; a clock that is behind by
/// years does not make it end before it began.
fn lifetime() -> Lifetime {
    let now = u64::try_from(now_ms() / 1000).unwrap_or(0);
    Lifetime::init(0, now.max(EARLIEST).saturating_add(LIFE))
}

/// That this machine's clock is nowhere near the truth: openmls cannot count with it.
fn has_no_clock() -> bool {
    now_ms() < 24 * 60 * 60 * 1000
}
