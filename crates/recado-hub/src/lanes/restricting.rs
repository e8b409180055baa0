//! What the operator's decisions change: who is muted, who is gone, how much there may be.

use std::collections::BTreeSet;

use recado_proto::id::RemoteKey;

use super::{Lanes, PrivateConfig};

impl Lanes {
    /// How much there may be from now on.
    pub(crate) fn set_limits(&mut self, config: PrivateConfig) {
        self.config = config;
    }

    /// Whose messages are refused, and to whom none are taken.
    pub(crate) fn restrict(&mut self, muted: BTreeSet<RemoteKey>, banned: BTreeSet<RemoteKey>) {
        (self.muted, self.banned) = (muted, banned);
    }

    /// A key was banned, and its session has ended. The backend has dropped what waited for it; what it did not have
    /// yet is written down first, so that its senders' lanes have no gaps, and then dropped too.
    pub(crate) fn handle_banned(&mut self, recipient: &RemoteKey) {
        self.drop_the_rest(recipient, false);
    }

    /// The same of one whose name was released. Nothing more is taken in lanes that were opened under it.
    pub(crate) fn handle_released(&mut self, recipient: &RemoteKey) {
        self.drop_the_rest(recipient, true);
    }

    fn drop_the_rest(&mut self, recipient: &RemoteKey, is_released: bool) {
        let Some(mailbox) = self.by_key.get(recipient).copied() else {
            return;
        };
        let mut dirty = Vec::new();
        for (at, lane) in &mut self.lanes {
            if lane.mailbox != mailbox {
                continue;
            }
            lane.is_released |= is_released;
            if lane.accepted > lane.durable.accepted() {
                lane.ripen_all();
                self.discarding.push((lane.number, lane.accepted));
                dirty.push(at);
            }
        }
        for at in dirty {
            self.mark_dirty(at);
        }
    }
}
