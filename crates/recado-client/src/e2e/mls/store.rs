//! Where openmls keeps its state: our own database, in the transaction of the moment.
//!
//! What it writes is held back until [`Store::flush`], so that a group that seals a hundred messages in one commit is
//! written once; and so that an attempt that fails (an envelope that does not open) leaves nothing behind.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use openmls_traits::storage::{CURRENT_VERSION, StorageProvider, traits};
use rusqlite::{OptionalExtension as _, Transaction, params};
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

const V: u16 = CURRENT_VERSION;

/// What openmls was told of a failure. The failure itself is kept: see [`Store::fault`].
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// The database.
    #[error("the database failed")]
    Database,
    /// A value cannot be encoded, or what is stored is none.
    #[error("a value of the encryption's state cannot be read or written")]
    Encoding,
}

/// What a value is. In the database: never changed.
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
enum Label {
    JoinConfig = 1,
    Tree = 2,
    InterimTranscriptHash = 3,
    Context = 4,
    ConfirmationTag = 5,
    State = 6,
    MessageSecrets = 7,
    ResumptionPsks = 8,
    OwnLeafIndex = 9,
    EpochSecrets = 10,
    OwnLeafNodes = 11,
    Proposals = 12,
    EpochKeyPairs = 13,
    EncryptionKeyPair = 14,
    KeyPackage = 15,
    SignatureKeyPair = 16,
    Psk = 17,
}

/// Whose a value is: a group's, by its id; or nobody's yet.
type Owner = Vec<u8>;

/// What was written, by owner and key; nothing where it was erased.
type Layer = BTreeMap<(Owner, Vec<u8>), Option<Zeroizing<Vec<u8>>>>;

/// State of MLS over one transaction.
pub(crate) struct Store<'t> {
    transaction: &'t Transaction<'t>,
    /// What is not in the database yet; above it, what an attempt has written.
    layers: RefCell<(Layer, Option<Layer>)>,
    /// The group whose updates are made: their key pairs are its own.
    group: RefCell<Owner>,
    /// What the database failed with, once it has.
    fault: Cell<Option<rusqlite::Error>>,
}

impl<'t> Store<'t> {
    pub(crate) fn new(transaction: &'t Transaction<'t>) -> Self {
        Self {
            transaction,
            layers: RefCell::default(),
            group: RefCell::default(),
            fault: Cell::new(None),
        }
    }

    /// From now on key pairs that are made belong to this group.
    pub(crate) fn enter(&self, group: &[u8]) {
        group.clone_into(&mut self.group.borrow_mut());
    }

    /// Begins an attempt: what is written from now on can be taken back.
    pub(crate) fn attempt(&self) {
        self.layers.borrow_mut().1.get_or_insert_default();
    }

    /// Ends the attempt.
    pub(crate) fn settle(&self, keep: bool) {
        let mut layers = self.layers.borrow_mut();
        let attempted = layers.1.take().unwrap_or_default();
        if keep {
            layers.0.extend(attempted);
        }
    }

    /// What went wrong in the database while openmls was at work, if anything did: whatever openmls said of it, nothing
    /// is known of the message then.
    pub(crate) fn fault(&self) -> rusqlite::Result<()> {
        match self.fault.take() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// Writes everything into the transaction.
    pub(crate) fn flush(&self) -> rusqlite::Result<()> {
        self.settle(true);
        let written = std::mem::take(&mut self.layers.borrow_mut().0);
        for ((owner, key), value) in written {
            match value {
                Some(value) => self
                    .transaction
                    .prepare_cached(
                        "INSERT INTO mls_state (owner, key, value) VALUES (?1, ?2, ?3)
                         ON CONFLICT (owner, key) DO UPDATE SET value = excluded.value",
                    )?
                    .execute(params![owner, key, *value])?,
                None => self
                    .transaction
                    .prepare_cached("DELETE FROM mls_state WHERE owner = ?1 AND key = ?2")?
                    .execute(params![owner, key])?,
            };
        }
        Ok(())
    }

    /// Erases everything of a group.
    pub(crate) fn forget(&self, group: &[u8]) -> rusqlite::Result<()> {
        let mut layers = self.layers.borrow_mut();
        let (base, attempt) = &mut *layers;
        for layer in [Some(base), attempt.as_mut()].into_iter().flatten() {
            layer.retain(|(owner, _), _| owner != group);
        }
        self.transaction
            .prepare_cached("DELETE FROM mls_state WHERE owner = ?1")?
            .execute([group])?;
        Ok(())
    }

    /// Erases key pairs of a group's leaves that were proposed and are of no use any more.
    pub(crate) fn forget_proposed(&self, group: &[u8]) -> rusqlite::Result<()> {
        let label = Label::EncryptionKeyPair as u8;
        let mut layers = self.layers.borrow_mut();
        let (base, attempt) = &mut *layers;
        for layer in [Some(base), attempt.as_mut()].into_iter().flatten() {
            layer.retain(|(owner, key), _| owner != group || key.first() != Some(&label));
        }
        self.transaction
            .prepare_cached("DELETE FROM mls_state WHERE owner = ?1 AND substr(key, 1, 1) = ?2")?
            .execute(params![group, [label]])?;
        Ok(())
    }

    fn put(&self, owner: Owner, key: Vec<u8>, value: Option<Zeroizing<Vec<u8>>>) {
        let mut layers = self.layers.borrow_mut();
        let (base, attempt) = &mut *layers;
        attempt.as_mut().unwrap_or(base).insert((owner, key), value);
    }

    fn get(&self, owner: Owner, key: Vec<u8>) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        let at = (owner, key);
        let layers = self.layers.borrow();
        let above = layers.1.as_ref().and_then(|attempt| attempt.get(&at));
        if let Some(value) = above.or_else(|| layers.0.get(&at)) {
            return Ok(value.clone());
        }
        let read = || {
            self.transaction
                .prepare_cached("SELECT value FROM mls_state WHERE owner = ?1 AND key = ?2")?
                .query_row(params![at.0, at.1], |row| row.get(0).map(Zeroizing::new))
                .optional()
        };
        read().map_err(|error| {
            self.fault.set(Some(error));
            StoreError::Database
        })
    }

    fn write<T: Serialize>(&self, owner: Owner, key: Vec<u8>, value: &T) -> Result<(), StoreError> {
        let value = encode(value)?;
        self.put(owner, key, Some(value));
        Ok(())
    }

    fn read<T: DeserializeOwned>(
        &self,
        owner: Owner,
        key: Vec<u8>,
    ) -> Result<Option<T>, StoreError> {
        self.get(owner, key)?
            .map(|value| decode(&value))
            .transpose()
    }

    fn write_of(
        &self,
        group: &impl Serialize,
        label: Label,
        value: &impl Serialize,
    ) -> Result<(), StoreError> {
        self.write(owner_of(group)?, vec![label as u8], value)
    }

    fn read_of<T: DeserializeOwned>(
        &self,
        group: &impl Serialize,
        label: Label,
    ) -> Result<Option<T>, StoreError> {
        self.read(owner_of(group)?, vec![label as u8])
    }

    fn erase_of(&self, group: &impl Serialize, label: Label) -> Result<(), StoreError> {
        self.put(owner_of(group)?, vec![label as u8], None);
        Ok(())
    }

    /// A list, each of whose items is encoded by itself.
    fn list(&self, group: &impl Serialize, label: Label) -> Result<Vec<Item>, StoreError> {
        Ok(self.read_of(group, label)?.unwrap_or_default())
    }
}

/// An encoded item of a list, and the key under which it is found.
type Item = (ciborium::Value, ciborium::Value);

fn encode(value: &impl Serialize) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(256));
    ciborium::into_writer(value, &mut *bytes).map_err(|_| StoreError::Encoding)?;
    Ok(bytes)
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, StoreError> {
    ciborium::from_reader(bytes).map_err(|_| StoreError::Encoding)
}

fn owner_of(group: &impl Serialize) -> Result<Owner, StoreError> {
    encode(group).map(|bytes| bytes.to_vec())
}

fn key_of(label: Label, key: &impl Serialize) -> Result<Vec<u8>, StoreError> {
    let mut bytes = vec![label as u8];
    bytes.extend_from_slice(&encode(key)?);
    Ok(bytes)
}

fn value_of(value: &impl Serialize) -> Result<ciborium::Value, StoreError> {
    ciborium::Value::serialized(value).map_err(|_| StoreError::Encoding)
}

fn item_of<T: DeserializeOwned>(value: &ciborium::Value) -> Result<T, StoreError> {
    value.deserialized().map_err(|_| StoreError::Encoding)
}

/// Values that belong to no group: key packages that were not used yet.
const NOBODY: Owner = Vec::new();

impl StorageProvider<V> for Store<'_> {
    type Error = StoreError;

    fn write_mls_join_config<
        GroupId: traits::GroupId<V>,
        MlsGroupJoinConfig: traits::MlsGroupJoinConfig<V>,
    >(
        &self,
        group_id: &GroupId,
        value: &MlsGroupJoinConfig,
    ) -> Result<(), StoreError> {
        self.write_of(group_id, Label::JoinConfig, value)
    }

    fn mls_group_join_config<
        GroupId: traits::GroupId<V>,
        MlsGroupJoinConfig: traits::MlsGroupJoinConfig<V>,
    >(
        &self,
        group_id: &GroupId,
    ) -> Result<Option<MlsGroupJoinConfig>, StoreError> {
        self.read_of(group_id, Label::JoinConfig)
    }

    fn delete_group_config<GroupId: traits::GroupId<V>>(
        &self,
        group_id: &GroupId,
    ) -> Result<(), StoreError> {
        self.erase_of(group_id, Label::JoinConfig)
    }

    fn write_tree<GroupId: traits::GroupId<V>, TreeSync: traits::TreeSync<V>>(
        &self,
        group_id: &GroupId,
        value: &TreeSync,
    ) -> Result<(), StoreError> {
        self.write_of(group_id, Label::Tree, value)
    }

    fn tree<GroupId: traits::GroupId<V>, TreeSync: traits::TreeSync<V>>(
        &self,
        group_id: &GroupId,
    ) -> Result<Option<TreeSync>, StoreError> {
        self.read_of(group_id, Label::Tree)
    }

    fn delete_tree<GroupId: traits::GroupId<V>>(
        &self,
        group_id: &GroupId,
    ) -> Result<(), StoreError> {
        self.erase_of(group_id, Label::Tree)
    }

    fn write_interim_transcript_hash<
        GroupId: traits::GroupId<V>,
        InterimTranscriptHash: traits::InterimTranscriptHash<V>,
    >(
        &self,
        group_id: &GroupId,
        value: &InterimTranscriptHash,
    ) -> Result<(), StoreError> {
        self.write_of(group_id, Label::InterimTranscriptHash, value)
    }

    fn interim_transcript_hash<
        GroupId: traits::GroupId<V>,
        InterimTranscriptHash: traits::InterimTranscriptHash<V>,
    >(
        &self,
        group_id: &GroupId,
    ) -> Result<Option<InterimTranscriptHash>, StoreError> {
        self.read_of(group_id, Label::InterimTranscriptHash)
    }

    fn delete_interim_transcript_hash<GroupId: traits::GroupId<V>>(
        &self,
        group_id: &GroupId,
    ) -> Result<(), StoreError> {
        self.erase_of(group_id, Label::InterimTranscriptHash)
    }

    fn write_context<GroupId: traits::GroupId<V>, GroupContext: traits::GroupContext<V>>(
        &self,
        group_id: &GroupId,
        value: &GroupContext,
    ) -> Result<(), StoreError> {
        self.write_of(group_id, Label::Context, value)
    }

    fn group_context<GroupId: traits::GroupId<V>, GroupContext: traits::GroupContext<V>>(
        &self,
        group_id: &GroupId,
    ) -> Result<Option<GroupContext>, StoreError> {
        self.read_of(group_id, Label::Context)
    }

    fn delete_context<GroupId: traits::GroupId<V>>(
        &self,
        group_id: &GroupId,
    ) -> Result<(), StoreError> {
        self.erase_of(group_id, Label::Context)
    }

    fn write_confirmation_tag<
        GroupId: traits::GroupId<V>,
        ConfirmationTag: traits::ConfirmationTag<V>,
    >(
        &self,
        group_id: &GroupId,
        value: &ConfirmationTag,
    ) -> Result<(), StoreError> {
        self.write_of(group_id, Label::ConfirmationTag, value)
    }

    fn confirmation_tag<
        GroupId: traits::GroupId<V>,
        ConfirmationTag: traits::ConfirmationTag<V>,
    >(
        &self,
        group_id: &GroupId,
    ) -> Result<Option<ConfirmationTag>, StoreError> {
        self.read_of(group_id, Label::ConfirmationTag)
    }

    fn delete_confirmation_tag<GroupId: traits::GroupId<V>>(
        &self,
        group_id: &GroupId,
    ) -> Result<(), StoreError> {
        self.erase_of(group_id, Label::ConfirmationTag)
    }

    fn write_group_state<GroupState: traits::GroupState<V>, GroupId: traits::GroupId<V>>(
        &self,
        group_id: &GroupId,
        value: &GroupState,
    ) -> Result<(), StoreError> {
        self.write_of(group_id, Label::State, value)
    }

    fn group_state<GroupState: traits::GroupState<V>, GroupId: traits::GroupId<V>>(
        &self,
        group_id: &GroupId,
    ) -> Result<Option<GroupState>, StoreError> {
        self.read_of(group_id, Label::State)
    }

    fn delete_group_state<GroupId: traits::GroupId<V>>(
        &self,
        group_id: &GroupId,
    ) -> Result<(), StoreError> {
        self.erase_of(group_id, Label::State)
    }

    fn write_message_secrets<
        GroupId: traits::GroupId<V>,
        MessageSecrets: traits::MessageSecrets<V>,
    >(
        &self,
        group_id: &GroupId,
        value: &MessageSecrets,
    ) -> Result<(), StoreError> {
        self.write_of(group_id, Label::MessageSecrets, value)
    }

    fn message_secrets<GroupId: traits::GroupId<V>, MessageSecrets: traits::MessageSecrets<V>>(
        &self,
        group_id: &GroupId,
    ) -> Result<Option<MessageSecrets>, StoreError> {
        self.read_of(group_id, Label::MessageSecrets)
    }

    fn delete_message_secrets<GroupId: traits::GroupId<V>>(
        &self,
        group_id: &GroupId,
    ) -> Result<(), StoreError> {
        self.erase_of(group_id, Label::MessageSecrets)
    }

    fn write_resumption_psk_store<
        GroupId: traits::GroupId<V>,
        ResumptionPskStore: traits::ResumptionPskStore<V>,
    >(
        &self,
        group_id: &GroupId,
        value: &ResumptionPskStore,
    ) -> Result<(), StoreError> {
        self.write_of(group_id, Label::ResumptionPsks, value)
    }

    fn resumption_psk_store<
        GroupId: traits::GroupId<V>,
        ResumptionPskStore: traits::ResumptionPskStore<V>,
    >(
        &self,
        group_id: &GroupId,
    ) -> Result<Option<ResumptionPskStore>, StoreError> {
        self.read_of(group_id, Label::ResumptionPsks)
    }

    fn delete_all_resumption_psk_secrets<GroupId: traits::GroupId<V>>(
        &self,
        group_id: &GroupId,
    ) -> Result<(), StoreError> {
        self.erase_of(group_id, Label::ResumptionPsks)
    }

    fn write_own_leaf_index<
        GroupId: traits::GroupId<V>,
        LeafNodeIndex: traits::LeafNodeIndex<V>,
    >(
        &self,
        group_id: &GroupId,
        value: &LeafNodeIndex,
    ) -> Result<(), StoreError> {
        self.write_of(group_id, Label::OwnLeafIndex, value)
    }

    fn own_leaf_index<GroupId: traits::GroupId<V>, LeafNodeIndex: traits::LeafNodeIndex<V>>(
        &self,
        group_id: &GroupId,
    ) -> Result<Option<LeafNodeIndex>, StoreError> {
        self.read_of(group_id, Label::OwnLeafIndex)
    }

    fn delete_own_leaf_index<GroupId: traits::GroupId<V>>(
        &self,
        group_id: &GroupId,
    ) -> Result<(), StoreError> {
        self.erase_of(group_id, Label::OwnLeafIndex)
    }

    fn write_group_epoch_secrets<
        GroupId: traits::GroupId<V>,
        GroupEpochSecrets: traits::GroupEpochSecrets<V>,
    >(
        &self,
        group_id: &GroupId,
        value: &GroupEpochSecrets,
    ) -> Result<(), StoreError> {
        self.write_of(group_id, Label::EpochSecrets, value)
    }

    fn group_epoch_secrets<
        GroupId: traits::GroupId<V>,
        GroupEpochSecrets: traits::GroupEpochSecrets<V>,
    >(
        &self,
        group_id: &GroupId,
    ) -> Result<Option<GroupEpochSecrets>, StoreError> {
        self.read_of(group_id, Label::EpochSecrets)
    }

    fn delete_group_epoch_secrets<GroupId: traits::GroupId<V>>(
        &self,
        group_id: &GroupId,
    ) -> Result<(), StoreError> {
        self.erase_of(group_id, Label::EpochSecrets)
    }

    fn append_own_leaf_node<GroupId: traits::GroupId<V>, LeafNode: traits::LeafNode<V>>(
        &self,
        group_id: &GroupId,
        leaf_node: &LeafNode,
    ) -> Result<(), StoreError> {
        let mut list = self.list(group_id, Label::OwnLeafNodes)?;
        list.push((ciborium::Value::Null, value_of(leaf_node)?));
        self.write_of(group_id, Label::OwnLeafNodes, &list)
    }

    fn own_leaf_nodes<GroupId: traits::GroupId<V>, LeafNode: traits::LeafNode<V>>(
        &self,
        group_id: &GroupId,
    ) -> Result<Vec<LeafNode>, StoreError> {
        let list = self.list(group_id, Label::OwnLeafNodes)?;
        list.iter().map(|(_, leaf)| item_of(leaf)).collect()
    }

    fn delete_own_leaf_nodes<GroupId: traits::GroupId<V>>(
        &self,
        group_id: &GroupId,
    ) -> Result<(), StoreError> {
        self.erase_of(group_id, Label::OwnLeafNodes)
    }

    fn queue_proposal<
        GroupId: traits::GroupId<V>,
        ProposalRef: traits::ProposalRef<V>,
        QueuedProposal: traits::QueuedProposal<V>,
    >(
        &self,
        group_id: &GroupId,
        proposal_ref: &ProposalRef,
        proposal: &QueuedProposal,
    ) -> Result<(), StoreError> {
        let mut list = self.list(group_id, Label::Proposals)?;
        list.push((value_of(proposal_ref)?, value_of(proposal)?));
        self.write_of(group_id, Label::Proposals, &list)
    }

    fn queued_proposal_refs<GroupId: traits::GroupId<V>, ProposalRef: traits::ProposalRef<V>>(
        &self,
        group_id: &GroupId,
    ) -> Result<Vec<ProposalRef>, StoreError> {
        let list = self.list(group_id, Label::Proposals)?;
        list.iter()
            .map(|(reference, _)| item_of(reference))
            .collect()
    }

    fn queued_proposals<
        GroupId: traits::GroupId<V>,
        ProposalRef: traits::ProposalRef<V>,
        QueuedProposal: traits::QueuedProposal<V>,
    >(
        &self,
        group_id: &GroupId,
    ) -> Result<Vec<(ProposalRef, QueuedProposal)>, StoreError> {
        let list = self.list(group_id, Label::Proposals)?;
        let item = |(reference, proposal): &Item| Ok((item_of(reference)?, item_of(proposal)?));
        list.iter().map(item).collect()
    }

    fn remove_proposal<GroupId: traits::GroupId<V>, ProposalRef: traits::ProposalRef<V>>(
        &self,
        group_id: &GroupId,
        proposal_ref: &ProposalRef,
    ) -> Result<(), StoreError> {
        let mut list = self.list(group_id, Label::Proposals)?;
        let removed = value_of(proposal_ref)?;
        list.retain(|(reference, _)| *reference != removed);
        self.write_of(group_id, Label::Proposals, &list)
    }

    fn clear_proposal_queue<GroupId: traits::GroupId<V>, ProposalRef: traits::ProposalRef<V>>(
        &self,
        group_id: &GroupId,
    ) -> Result<(), StoreError> {
        self.erase_of(group_id, Label::Proposals)
    }

    fn write_encryption_epoch_key_pairs<
        GroupId: traits::GroupId<V>,
        EpochKey: traits::EpochKey<V>,
        HpkeKeyPair: traits::HpkeKeyPair<V>,
    >(
        &self,
        group_id: &GroupId,
        epoch: &EpochKey,
        leaf_index: u32,
        key_pairs: &[HpkeKeyPair],
    ) -> Result<(), StoreError> {
        let key = key_of(Label::EpochKeyPairs, &(epoch, leaf_index))?;
        self.write(owner_of(group_id)?, key, &key_pairs)
    }

    fn encryption_epoch_key_pairs<
        GroupId: traits::GroupId<V>,
        EpochKey: traits::EpochKey<V>,
        HpkeKeyPair: traits::HpkeKeyPair<V>,
    >(
        &self,
        group_id: &GroupId,
        epoch: &EpochKey,
        leaf_index: u32,
    ) -> Result<Vec<HpkeKeyPair>, StoreError> {
        let key = key_of(Label::EpochKeyPairs, &(epoch, leaf_index))?;
        Ok(self.read(owner_of(group_id)?, key)?.unwrap_or_default())
    }

    fn delete_encryption_epoch_key_pairs<
        GroupId: traits::GroupId<V>,
        EpochKey: traits::EpochKey<V>,
    >(
        &self,
        group_id: &GroupId,
        epoch: &EpochKey,
        leaf_index: u32,
    ) -> Result<(), StoreError> {
        let key = key_of(Label::EpochKeyPairs, &(epoch, leaf_index))?;
        self.put(owner_of(group_id)?, key, None);
        Ok(())
    }

    fn write_encryption_key_pair<
        EncryptionKey: traits::EncryptionKey<V>,
        HpkeKeyPair: traits::HpkeKeyPair<V>,
    >(
        &self,
        public_key: &EncryptionKey,
        key_pair: &HpkeKeyPair,
    ) -> Result<(), StoreError> {
        let key = key_of(Label::EncryptionKeyPair, public_key)?;
        self.write(self.group.borrow().clone(), key, key_pair)
    }

    fn encryption_key_pair<
        HpkeKeyPair: traits::HpkeKeyPair<V>,
        EncryptionKey: traits::EncryptionKey<V>,
    >(
        &self,
        public_key: &EncryptionKey,
    ) -> Result<Option<HpkeKeyPair>, StoreError> {
        let key = key_of(Label::EncryptionKeyPair, public_key)?;
        self.read(self.group.borrow().clone(), key)
    }

    fn delete_encryption_key_pair<EncryptionKey: traits::EncryptionKey<V>>(
        &self,
        public_key: &EncryptionKey,
    ) -> Result<(), StoreError> {
        let key = key_of(Label::EncryptionKeyPair, public_key)?;
        self.put(self.group.borrow().clone(), key, None);
        Ok(())
    }

    fn write_key_package<
        HashReference: traits::HashReference<V>,
        KeyPackage: traits::KeyPackage<V>,
    >(
        &self,
        hash_ref: &HashReference,
        key_package: &KeyPackage,
    ) -> Result<(), StoreError> {
        self.write(NOBODY, key_of(Label::KeyPackage, hash_ref)?, key_package)
    }

    fn key_package<KeyPackageRef: traits::HashReference<V>, KeyPackage: traits::KeyPackage<V>>(
        &self,
        hash_ref: &KeyPackageRef,
    ) -> Result<Option<KeyPackage>, StoreError> {
        self.read(NOBODY, key_of(Label::KeyPackage, hash_ref)?)
    }

    fn delete_key_package<KeyPackageRef: traits::HashReference<V>>(
        &self,
        hash_ref: &KeyPackageRef,
    ) -> Result<(), StoreError> {
        self.put(NOBODY, key_of(Label::KeyPackage, hash_ref)?, None);
        Ok(())
    }

    // What recado does not use, kept all the same: signature keys are the identity's, and there are no shared secrets
    // beside the groups'.

    fn write_signature_key_pair<
        SignaturePublicKey: traits::SignaturePublicKey<V>,
        SignatureKeyPair: traits::SignatureKeyPair<V>,
    >(
        &self,
        public_key: &SignaturePublicKey,
        key_pair: &SignatureKeyPair,
    ) -> Result<(), StoreError> {
        self.write(
            NOBODY,
            key_of(Label::SignatureKeyPair, public_key)?,
            key_pair,
        )
    }

    fn signature_key_pair<
        SignaturePublicKey: traits::SignaturePublicKey<V>,
        SignatureKeyPair: traits::SignatureKeyPair<V>,
    >(
        &self,
        public_key: &SignaturePublicKey,
    ) -> Result<Option<SignatureKeyPair>, StoreError> {
        self.read(NOBODY, key_of(Label::SignatureKeyPair, public_key)?)
    }

    fn delete_signature_key_pair<SignaturePublicKey: traits::SignaturePublicKey<V>>(
        &self,
        public_key: &SignaturePublicKey,
    ) -> Result<(), StoreError> {
        self.put(NOBODY, key_of(Label::SignatureKeyPair, public_key)?, None);
        Ok(())
    }

    fn write_psk<PskId: traits::PskId<V>, PskBundle: traits::PskBundle<V>>(
        &self,
        psk_id: &PskId,
        psk: &PskBundle,
    ) -> Result<(), StoreError> {
        self.write(NOBODY, key_of(Label::Psk, psk_id)?, psk)
    }

    fn psk<PskBundle: traits::PskBundle<V>, PskId: traits::PskId<V>>(
        &self,
        psk_id: &PskId,
    ) -> Result<Option<PskBundle>, StoreError> {
        self.read(NOBODY, key_of(Label::Psk, psk_id)?)
    }

    fn delete_psk<PskKey: traits::PskId<V>>(&self, psk_id: &PskKey) -> Result<(), StoreError> {
        self.put(NOBODY, key_of(Label::Psk, psk_id)?, None);
        Ok(())
    }
}

/// The owner under which a group's state is stored.
pub(crate) fn owner(group: &openmls::group::GroupId) -> Result<Vec<u8>, StoreError> {
    owner_of(group)
}

/// Encodes a value of openmls that is kept beside its state.
pub(crate) fn to_bytes(value: &impl Serialize) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    encode(value)
}

/// The other way.
pub(crate) fn from_bytes<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, StoreError> {
    decode(bytes)
}

/// The key under which a key package's private half is stored.
pub(crate) fn key_package_key(
    reference: &openmls::ciphersuite::hash_ref::KeyPackageRef,
) -> Result<Vec<u8>, StoreError> {
    key_of(Label::KeyPackage, reference)
}
