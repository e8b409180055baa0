//! The boundary to everything durable or shared. The hub asks with [`BackendRequest`]s and learns the
//! answers as an event, later and in batches, so that an engine of another kind can stand behind it.

use recado_proto::id::RemoteKey;
use recado_proto::name::{Name, NameKeys};

use crate::session::SessionNumber;

/// What the hub asks of the backend.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BackendRequest {
    /// Gives the name to the key, durably, unless another has it.
    Claim {
        /// Who asks: comes back in the answer.
        session: SessionNumber,
        /// The name as typed.
        name: Name,
        /// The forms under which it must be unique.
        keys: NameKeys,
        /// The key that claims it.
        key: RemoteKey,
        /// Whether a name may be given that nobody has yet.
        may_register: bool,
    },
}

/// What the backend answers, once it is durable.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BackendAnswer {
    /// To [`BackendRequest::Claim`].
    Claimed {
        /// Who asked.
        session: SessionNumber,
        /// What came of it.
        outcome: ClaimOutcome,
    },
}

/// What came of a claim.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ClaimOutcome {
    /// The key had the name already; this is how it was first typed.
    Owned(String),
    /// The name is now the key's.
    Registered,
    /// The name is another key's.
    Taken,
    /// The name could be mistaken for this one, which is another key's.
    Confusable(String),
    /// The key has this other name.
    KeyHasName(String),
    /// Nobody has the name, and it may not be given.
    NotRegistered,
    /// It could not be made durable; nothing has changed.
    Unavailable,
}
