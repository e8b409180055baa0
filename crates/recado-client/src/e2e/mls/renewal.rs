//! Renewing a group's keys: the one member proposes, the other commits.

use openmls::credentials::Credential;
use openmls::framing::{ProcessedMessageContent, Sender};
use openmls::group::{MlsGroup, StagedCommit};
use openmls::messages::proposals::Proposal;
use openmls::prelude::LeafNodeParameters;
use openmls::treesync::LeafNode;
use recado_proto::id::RemoteKey;

use super::super::{Unreadable, Vault};
use super::crypto::Crypto;
use super::outside::{Kind, Parts};
use super::{Provider, store};

/// What a message of a group was.
pub(super) enum Effect {
    Message,
    Proposed(Vec<u8>),
    Committed { covers_own: bool },
}

/// Commits to what the other has proposed, if anything, and renews one's own keys. The commit counts when it is stored.
pub(super) fn commit(
    keys: &mut MlsGroup,
    provider: &Provider<'_, '_>,
    vault: &Vault,
    proposal: &[u8],
) -> Result<(Vec<u8>, Vec<u8>), String> {
    if !proposal.is_empty() {
        let proposal = store::from_bytes(proposal).map_err(|error| error.to_string())?;
        keys.store_pending_proposal(provider.state, proposal)
            .map_err(|error| error.to_string())?;
    }
    let bundle = keys
        .commit_builder()
        .consume_proposal_store(true)
        .force_self_update(true)
        .load_psks(provider.state)
        .map_err(|error| error.to_string())?
        .build(&Crypto, &Crypto, &vault.key, |_| true)
        .map_err(|error| error.to_string())?
        .stage_commit(provider)
        .map_err(|error| error.to_string())?;
    let message = bundle.into_commit().to_bytes();
    let message = message.map_err(|error| error.to_string())?;
    // The commit has it. While it is in the group's store too, nothing else can be sealed.
    keys.clear_pending_proposals(provider.state)
        .map_err(|error| error.to_string())?;
    Ok((message, Vec::new()))
}

/// Proposes new keys of one's own. Returns the proposal too, for when a commit covers it.
pub(super) fn propose(
    keys: &mut MlsGroup,
    provider: &Provider<'_, '_>,
    vault: &Vault,
) -> Result<(Vec<u8>, Vec<u8>), String> {
    let (message, reference) = keys
        .propose_self_update(provider, &vault.key, LeafNodeParameters::default())
        .map_err(|error| error.to_string())?;
    let proposal = keys.pending_proposals().next().ok_or("no proposal")?;
    let proposal = store::to_bytes(proposal).map_err(|error| error.to_string())?;
    keys.remove_pending_proposal(provider.state, &reference)
        .map_err(|error| error.to_string())?;
    let message = message.to_bytes().map_err(|error| error.to_string())?;
    Ok((message, proposal.to_vec()))
}

/// Opens what the other member has sealed.
pub(super) fn process(
    keys: &mut MlsGroup,
    provider: &Provider<'_, '_>,
    parts: Parts,
    sender: &Credential,
) -> Result<ProcessedMessageContent, Unreadable> {
    let processed = keys.process_message(provider, parts.message);
    let processed = processed.map_err(|_| Unreadable::Sealed)?;
    let is_theirs = matches!(processed.sender(), Sender::Member(at) if *at != keys.own_leaf_index())
        && processed.credential() == sender;
    match is_theirs {
        true => Ok(processed.into_content()),
        false => Err(Unreadable::Members),
    }
}

/// Reads a proposal or commit, which came sealed like a message, and is of the same group.
fn read_renewal(keys: &MlsGroup, renewal: &[u8], kind: Kind) -> Result<Parts, Unreadable> {
    let parts = Parts::read(renewal).ok_or(Unreadable::Malformed)?;
    match parts.kind == kind && parts.group == *keys.group_id() {
        true => Ok(parts),
        false => Err(Unreadable::Renewal),
    }
}

/// Keeps the other's new keys until one commits to them.
pub(super) fn take_proposal(
    keys: &mut MlsGroup,
    provider: &Provider<'_, '_>,
    renewal: &[u8],
    (proposer, key): (&Credential, &RemoteKey),
) -> Result<Effect, Unreadable> {
    let parts = read_renewal(keys, renewal, Kind::Proposal)?;
    if parts.epoch < keys.epoch().as_u64() {
        // It crossed a commit, which has renewed more.
        return Ok(Effect::Message);
    }
    let processed = process(keys, provider, parts, proposer)?;
    let ProcessedMessageContent::ProposalMessage(proposal) = processed else {
        return Err(Unreadable::Renewal);
    };
    let Proposal::Update(update) = proposal.proposal() else {
        return Err(Unreadable::Renewal);
    };
    check_leaf(update.leaf_node(), proposer, key)?;
    let kept = store::to_bytes(&*proposal).map_err(|_| Unreadable::Renewal)?;
    Ok(Effect::Proposed(kept.to_vec()))
}

/// Goes over into the epoch that the other has begun.
pub(super) fn take_commit(
    keys: &mut MlsGroup,
    provider: &Provider<'_, '_>,
    vault: &Vault,
    renewal: &[u8],
    own_proposal: &[u8],
    (maker, key): (&Credential, &RemoteKey),
) -> Result<Effect, Unreadable> {
    let parts = read_renewal(keys, renewal, Kind::Commit)?;
    if !own_proposal.is_empty() {
        // It is where openmls looks for it only while a commit may cover it: else nothing could be sealed.
        let proposal = store::from_bytes(own_proposal).map_err(|_| Unreadable::Renewal)?;
        keys.store_pending_proposal(provider.state, proposal)
            .map_err(|_| Unreadable::Renewal)?;
    }
    let processed = process(keys, provider, parts, maker)?;
    let ProcessedMessageContent::StagedCommitMessage(commit) = processed else {
        return Err(Unreadable::Renewal);
    };
    let covers_own = check_commit(&commit, maker, key, vault)?;
    keys.merge_staged_commit(provider, *commit)
        .map_err(|_| Unreadable::Renewal)?;
    Ok(Effect::Committed { covers_own })
}

/// Whether a commit does no more than to renew keys: its maker's, and perhaps those that one has proposed oneself. Says
/// whether it covers the latter.
fn check_commit(
    commit: &StagedCommit,
    maker: &Credential,
    maker_key: &RemoteKey,
    vault: &Vault,
) -> Result<bool, Unreadable> {
    let path = commit.update_path_leaf_node().ok_or(Unreadable::Renewal)?;
    check_leaf(path, maker, maker_key)?;
    let mut covers_own = false;
    for queued in commit.queued_proposals() {
        let Proposal::Update(update) = queued.proposal() else {
            return Err(Unreadable::Renewal);
        };
        let key = update.leaf_node().signature_key().as_slice();
        if key != vault.own.as_bytes() {
            return Err(Unreadable::Renewal);
        }
        covers_own = true;
    }
    Ok(covers_own)
}

/// Whether a leaf is the same person's as before.
fn check_leaf(leaf: &LeafNode, credential: &Credential, key: &RemoteKey) -> Result<(), Unreadable> {
    let is_theirs =
        leaf.credential() == credential && leaf.signature_key().as_slice() == key.as_bytes();
    match is_theirs {
        true => Ok(()),
        false => Err(Unreadable::Members),
    }
}
