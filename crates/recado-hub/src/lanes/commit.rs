//! Gathering what is to be durable, and what comes of it.

use std::time::Duration;

use recado_proto::frame::{PrivateRefusalCode, PrivateRefused, ServerFrame};

use super::limits::{FETCH_BYTES, FETCH_MESSAGES, STORAGE_RETRY};
use super::mailbox::Phase;
use super::{Lanes, tell_progress};
use crate::backend::{BackendRequest, Durable, LaneNumber, Unavailable};
use crate::event::Outputs;
use crate::millis;

/// What the backend was asked and has not answered. While there is any, the next commit gathers: so the messages that
/// came since a mailbox was asked for are those that no commit has.
#[derive(Debug, Default)]
pub(super) struct Flight {
    /// Lanes of the commit.
    lanes: Vec<usize>,
    commit: bool,
    fetches: usize,
}

impl Flight {
    fn is_over(&self) -> bool {
        !self.commit && self.fetches == 0
    }

    /// A mailbox was read.
    pub(super) fn fetched(&mut self) {
        self.fetches = self.fetches.saturating_sub(1);
    }
}

impl Lanes {
    /// Whether anything waits to be asked of the backend.
    pub(super) fn has_work(&self) -> bool {
        !self.dirty.is_empty() || !self.asking.is_empty() || !self.discarding.is_empty()
    }

    /// Asks the backend for all that has gathered, once it has answered what it was asked before.
    pub(crate) fn flush(&mut self, now: Duration, out: &mut Outputs) {
        if !self.has_work() || !self.flight.is_over() || now < self.not_before {
            return;
        }
        if !self.dirty.is_empty() {
            std::mem::swap(&mut self.flight.lanes, &mut self.dirty);
            let mut changes = Vec::with_capacity(self.flight.lanes.len());
            for at in &self.flight.lanes {
                if let Some(lane) = self.lanes.get_mut(*at) {
                    changes.push(lane.hand_over());
                }
            }
            self.flight.commit = true;
            out.ask(BackendRequest::Commit(changes));
        }
        if !self.discarding.is_empty() {
            let lanes = std::mem::take(&mut self.discarding);
            out.ask(BackendRequest::Discard { lanes });
        }
        for at in self.asking.drain(..) {
            let Some(mailbox) = self.mailboxes.get_mut(at) else {
                continue;
            };
            // It may be another's place by now, or have been asked for already.
            if let Some(reader) = &mut mailbox.reader
                && reader.phase == Phase::Asking
            {
                reader.phase = Phase::Asked { arrived: false };
                self.flight.fetches = self.flight.fetches.saturating_add(1);
                out.ask(BackendRequest::Fetch {
                    session: reader.session,
                    recipient: mailbox.key,
                    after: reader.after,
                    max_messages: FETCH_MESSAGES,
                    max_bytes: FETCH_BYTES,
                    message_age: self.config.message_age,
                });
            }
        }
    }

    /// The commit has returned.
    pub(crate) fn handle_committed(
        &mut self,
        now: Duration,
        result: Result<Vec<(LaneNumber, Durable)>, Unavailable>,
        out: &mut Outputs,
    ) {
        self.flight.commit = false;
        let mut lanes = std::mem::take(&mut self.flight.lanes);
        match result {
            Ok(standing) => {
                for (number, durable) in standing {
                    if let Some(at) = self.by_number.get(&number).copied() {
                        self.commit_lane(at, durable, out);
                    }
                }
            }
            Err(Unavailable) => {
                self.not_before = now.saturating_add(STORAGE_RETRY);
                for at in &lanes {
                    self.take_back(*at, PrivateRefusalCode::Storage, STORAGE_RETRY, out);
                }
            }
        }
        for at in lanes.drain(..) {
            self.forget_idle(at);
        }
        // Its room is used again.
        self.flight.lanes = lanes;
    }

    fn commit_lane(&mut self, at: usize, durable: Durable, out: &mut Outputs) {
        let Some(lane) = self.lanes.get_mut(at) else {
            return;
        };
        let Some(progress) = lane.committed(durable) else {
            return;
        };
        if let Some(opened) = lane.sender {
            if let Some(outgoing) = self.outgoing.get_mut(opened.outgoing) {
                outgoing.unstored.remove(progress.stored);
            }
            if progress.moved || !progress.failures.is_empty() {
                tell_progress(out, opened, durable, progress.failures);
            }
        }
        if progress.astray {
            self.take_back(at, PrivateRefusalCode::Number, Duration::ZERO, out);
        }
    }

    /// What is not durable of a lane was never taken, and its sender is told.
    fn take_back(
        &mut self,
        at: usize,
        code: PrivateRefusalCode,
        retry: Duration,
        out: &mut Outputs,
    ) {
        let Some(lane) = self.lanes.get_mut(at) else {
            return;
        };
        let (waited, unstored) = (lane.waiting(), lane.unstored());
        let (unsent, taken_back) = lane.roll_back();
        let mut gone = waited;
        gone.remove(lane.waiting());
        if taken_back {
            lane.refusing = true;
            if let Some(opened) = lane.sender {
                if let Some(outgoing) = self.outgoing.get_mut(opened.outgoing) {
                    outgoing.unstored.remove(unstored);
                }
                let refused = PrivateRefused {
                    lane: opened.handle,
                    expected: lane.expected(),
                    code,
                    retry_in_ms: millis(retry),
                };
                out.send(opened.session, ServerFrame::PrivateRefused(refused));
            }
        }
        let (mailbox, share, has_news) = (lane.mailbox, lane.share, lane.has_news());
        self.release(mailbox, Some(share), gone);
        let reader = self.mailboxes.get_mut(mailbox);
        if let Some(reader) = reader.and_then(|mailbox| mailbox.reader.as_mut()) {
            reader.unacknowledged.remove(unsent);
        }
        self.ask_if_room(mailbox);
        if has_news {
            self.mark_dirty(at);
        }
    }
}
