//! What waits for one recipient, and how much of it their session has got.

use std::collections::BTreeMap;

use recado_proto::id::RemoteKey;

use super::limits::UNACKNOWLEDGED;
use crate::backend::{MailboxState, Mark, Waiting};
use crate::session::SessionNumber;

/// One recipient's mailbox, as far as memory needs it: while they are here, or a lane to them is in memory.
#[derive(Debug)]
pub(super) struct Mailbox {
    pub(super) key: RemoteKey,
    /// What waits. Known once a lane to it is in memory, and kept true from then on.
    pub(super) state: Option<MailboxState>,
    /// Senders with a lane in memory: indices of their shares.
    pub(super) shares: BTreeMap<RemoteKey, usize>,
    /// The recipient's session.
    pub(super) reader: Option<Reader>,
}

/// One sender's share of one mailbox.
#[derive(Debug)]
pub(super) struct Share {
    pub(super) sender: RemoteKey,
    /// What waits, in all the sender's lanes.
    pub(super) waiting: Waiting,
    /// Whether the recipient ever wrote to the sender.
    pub(super) known: bool,
    /// Whether the recipient takes nothing from the sender.
    pub(super) blocked: bool,
    /// Lanes in memory.
    pub(super) lanes: u32,
}

/// The session that reads a mailbox.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) session: SessionNumber,
    pub(super) phase: Phase,
    /// How far the mailbox was read.
    pub(super) after: Mark,
    /// Lanes that were announced, by the server's number.
    pub(super) lanes: Vec<usize>,
    /// Sent and not acknowledged.
    pub(super) unacknowledged: Waiting,
}

/// Where a reader's messages come from: from their senders while it is live, else from the backend.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    /// Everything that waits has been sent.
    Live,
    /// More waits; acknowledgements are to make room.
    Full,
    /// The backend is to be asked for more.
    Asking,
    /// It is asked.
    Asked {
        /// Whether messages have come since: they may be in no mailbox yet.
        arrived: bool,
    },
}

impl Reader {
    pub(super) fn new(session: SessionNumber) -> Self {
        Self {
            session,
            phase: Phase::Asking,
            after: Mark::default(),
            lanes: Vec::new(),
            unacknowledged: Waiting::default(),
        }
    }

    /// Whether a message of so many bytes may be sent.
    pub(super) fn has_room(&self, bytes: u64) -> bool {
        let Waiting {
            messages,
            bytes: waiting,
        } = self.unacknowledged;
        messages < UNACKNOWLEDGED.messages && waiting.saturating_add(bytes) <= UNACKNOWLEDGED.bytes
    }

    /// Whether it is worth while to ask for more: half of all may be sent.
    pub(super) fn has_much_room(&self) -> bool {
        let Waiting { messages, bytes } = self.unacknowledged;
        messages <= UNACKNOWLEDGED.messages / 2 && bytes <= UNACKNOWLEDGED.bytes / 2
    }
}
