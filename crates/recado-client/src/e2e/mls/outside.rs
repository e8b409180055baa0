//! What an envelope shows to everyone, the server too.

use openmls::framing::{ContentType, MlsMessageIn, ProtocolMessage};
use openmls::group::GroupId;
use openmls::prelude::tls_codec::DeserializeBytes as _;
use recado_proto::content::Envelope;

use super::groups::GroupName;

/// What a message of a group is, as MLS frames it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// A message.
    Message,
    /// New keys of its sender, which the other commits to.
    Proposal,
    /// A new epoch.
    Commit,
}

/// A message of a group, before it is opened.
pub(super) struct Parts {
    pub(super) group: GroupId,
    pub(super) epoch: u64,
    pub(super) kind: Kind,
    pub(super) message: ProtocolMessage,
}

impl Parts {
    /// Nothing if it is none, or is not sealed.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let message = MlsMessageIn::tls_deserialize_exact_bytes(bytes).ok()?;
        let message = message.try_into_protocol_message().ok()?;
        let ProtocolMessage::PrivateMessage(sealed) = &message else {
            return None;
        };
        let kind = match sealed.content_type() {
            ContentType::Application => Kind::Message,
            ContentType::Proposal => Kind::Proposal,
            ContentType::Commit => Kind::Commit,
        };
        Some(Self {
            group: sealed.group_id().clone(),
            epoch: sealed.epoch().as_u64(),
            kind,
            message,
        })
    }
}

/// What can be seen of an envelope without any key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outside {
    /// MLS.
    Mls {
        /// Which of the pair's groups it is, counted from 1.
        generation: u64,
        /// The group's epoch.
        epoch: u64,
        /// Whether it opens the group to its recipient.
        has_welcome: bool,
    },
    /// To oneself.
    Own,
}

/// Looks at an envelope as the server can. Nothing if it is none of this version.
pub fn look_at(envelope: &[u8]) -> Option<Outside> {
    match Envelope::decode(envelope).ok()?? {
        Envelope::Own { .. } => Some(Outside::Own),
        Envelope::Mls { welcome, message } => {
            let parts = Parts::read(&message).filter(|parts| parts.kind == Kind::Message)?;
            let name = GroupName::try_from(&parts.group).ok()?;
            Some(Outside::Mls {
                generation: name.generation(),
                epoch: parts.epoch,
                has_welcome: !welcome.is_empty(),
            })
        }
    }
}
