//! The sender's half: opening a lane, taking messages.

use std::time::Duration;

use recado_proto::frame::{
    LaneOpened, LaneRefusalCode, LaneRefused, OpenLane, OutcomesNoted, PrivateMessage,
    PrivateRefusalCode, PrivateRefused, ServerFrame,
};
use recado_proto::id::RemoteKey;
use recado_proto::limits::MAX_LANES;

use super::limits::{
    BEHIND_RETRY, BYTES_PER_TOKEN, FULL_RETRY, LANES_RETRY, MAX_NUMBER, STORAGE_RETRY, UNSTORED,
    UNSTORED_RETRY, WITH_VOIDS,
};
use super::outgoing::{OpenedBy, Opening, Outgoing};
use super::{Lanes, Misuse, Place, split_failures, tell_progress};
use crate::backend::{BackendRequest, Body, OpenOutcome, OpenedLane, Waiting};
use crate::event::Outputs;
use crate::millis;
use crate::session::SessionNumber;

pub(super) const NOT_OPEN: Misuse = "a lane that is not open";

/// Why a message is not taken, and when to try again.
type Refusal = (PrivateRefusalCode, Duration);

impl Lanes {
    /// A session opens a lane. `folded` is the recipient's name case-mapped, where it can be a name.
    pub(crate) fn open(
        &mut self,
        place: &mut Place,
        session: SessionNumber,
        sender: RemoteKey,
        open: OpenLane,
        folded: Option<String>,
        out: &mut Outputs,
    ) -> Result<(), Misuse> {
        let outgoing = &mut self.outgoing;
        let at = *place
            .outgoing
            .get_or_insert_with(|| outgoing.insert(Outgoing::default()));
        let Some(outgoing) = self.outgoing.get_mut(at) else {
            return Err(NOT_OPEN);
        };
        let refuse = |code| LaneRefused {
            lane: open.lane,
            code,
            holder: None,
            retry_in_ms: 0,
        };
        if outgoing.count() >= MAX_LANES {
            let refused = refuse(LaneRefusalCode::TooMany);
            out.send(session, ServerFrame::LaneRefused(refused));
            return Ok(());
        }
        if open.lowest > MAX_NUMBER {
            return Err("a number that no lane has");
        }
        if !outgoing.ask(open.lane, open.lowest) {
            return Err("a lane that was opened before");
        }
        let Some(to) = folded else {
            outgoing.answered(open.lane, Opening::Refused);
            let refused = refuse(LaneRefusalCode::NoSuchName);
            out.send(session, ServerFrame::LaneRefused(refused));
            return Ok(());
        };
        out.ask(BackendRequest::OpenLane {
            session,
            handle: open.lane,
            sender,
            store: open.store,
            to,
            key: open.key,
        });
        Ok(())
    }

    /// The backend has answered that.
    pub(crate) fn handle_opened(
        &mut self,
        place: Place,
        session: SessionNumber,
        handle: u32,
        outcome: OpenOutcome,
        out: &mut Outputs,
    ) -> Result<(), Misuse> {
        let Some(at) = place.outgoing else {
            return Ok(());
        };
        let lowest = self.outgoing.get(at).and_then(|it| it.asked(handle));
        let Some(lowest) = lowest else {
            return Ok(());
        };
        let opened = OpenedBy {
            session,
            outgoing: at,
            handle,
        };
        let (code, holder, retry) = match outcome {
            OpenOutcome::Opened(lane) => return self.opened(opened, lowest, *lane, out),
            OpenOutcome::NoSuchName => (LaneRefusalCode::NoSuchName, None, Duration::ZERO),
            OpenOutcome::OtherKey(holder) => {
                (LaneRefusalCode::OtherKey, Some(holder), Duration::ZERO)
            }
            OpenOutcome::TooMany => (LaneRefusalCode::TooMany, None, LANES_RETRY),
            OpenOutcome::Unavailable => (LaneRefusalCode::Unavailable, None, STORAGE_RETRY),
        };
        if let Some(outgoing) = self.outgoing.get_mut(at) {
            outgoing.answered(handle, Opening::Refused);
        }
        let refused = LaneRefused {
            lane: handle,
            code,
            holder,
            retry_in_ms: millis(retry),
        };
        out.send(session, ServerFrame::LaneRefused(refused));
        Ok(())
    }

    fn opened(
        &mut self,
        opened: OpenedBy,
        lowest: u64,
        found: OpenedLane,
        out: &mut Outputs,
    ) -> Result<(), Misuse> {
        let OpenedLane {
            lane,
            recipient,
            mailbox,
            mut failures,
        } = found;
        let at = self.load(recipient.key, mailbox, lane);
        let (Some(lane), Some(outgoing)) = (
            self.lanes.get_mut(at),
            self.outgoing.get_mut(opened.outgoing),
        ) else {
            return Ok(());
        };
        if lane.sender.is_some() {
            return Err("one lane under two numbers");
        }
        lane.sender = Some(opened);
        (lane.refusing, lane.is_released) = (false, false);
        outgoing.answered(opened.handle, Opening::Open(at));
        outgoing.unstored.add(lane.unstored());
        let restored = lowest.saturating_sub(1);
        if restored > lane.accepted {
            self.raise(at, restored);
        }
        let Some(lane) = self.lanes.get(at) else {
            return Ok(());
        };
        let durable = lane.durable;
        let (settled, rest) = split_failures(durable.settled(), &mut failures);
        let told = LaneOpened {
            lane: opened.handle,
            recipient,
            accepted: lane.accepted,
            accepted_id: lane.accepted_id,
            stored: durable.accepted(),
            settled,
            failures,
        };
        out.send(opened.session, ServerFrame::LaneOpened(told));
        if !rest.is_empty() {
            tell_progress(out, opened, durable, rest);
        }
        Ok(())
    }

    /// The server was restored from a backup, and its sender knows the outcome of more than it has.
    fn raise(&mut self, at: usize, to: u64) {
        let Some(lane) = self.lanes.get_mut(at) else {
            return;
        };
        let (waited, unstored) = (lane.waiting(), lane.unstored());
        let unsent = lane.raise(to);
        let (mailbox, share, sender) = (lane.mailbox, lane.share, lane.sender);
        self.release(mailbox, Some(share), waited);
        if let Some(outgoing) = sender.and_then(|it| self.outgoing.get_mut(it.outgoing)) {
            outgoing.unstored.remove(unstored);
        }
        let reader = self.mailboxes.get_mut(mailbox);
        if let Some(reader) = reader.and_then(|mailbox| mailbox.reader.as_mut()) {
            reader.unacknowledged.remove(unsent);
        }
        self.ask_if_room(mailbox);
        self.mark_dirty(at);
    }

    /// A session sends a message.
    pub(crate) fn handle_message(
        &mut self,
        now: Duration,
        place: Place,
        message: PrivateMessage,
        out: &mut Outputs,
    ) -> Result<(), Misuse> {
        let outgoing = place.outgoing.and_then(|at| self.outgoing.get_mut(at));
        let outgoing = outgoing.ok_or(NOT_OPEN)?;
        let at = outgoing.lane(message.lane).ok_or(NOT_OPEN)?;
        let lane = self.lanes.get_mut(at).ok_or(NOT_OPEN)?;
        let opened = lane.sender.ok_or(NOT_OPEN)?;
        if message.number > MAX_NUMBER {
            return Err("a number that no lane has");
        }
        let checks_numbers = !cfg!(recado_control = "numbers");
        if checks_numbers && message.number <= lane.accepted {
            // What is under way is told when its commit returns.
            if message.number <= lane.durable.accepted() {
                tell_progress(out, opened, lane.durable, Vec::new());
            }
            return Ok(());
        }
        let body = Body {
            number: message.number,
            id: message.id,
            sent_at_ms: message.sent_at_ms,
            envelope: message.envelope,
        };
        let admitted = match lane.expected() == body.number || !checks_numbers {
            true => self.admit(now, at, opened, &body),
            false if lane.refusing => return Ok(()),
            false => Err((PrivateRefusalCode::Number, Duration::ZERO)),
        };
        match admitted {
            Ok(()) => self.accept(now, at, opened, body, out),
            Err((code, retry)) => self.refuse(at, opened, code, retry, out),
        }
        Ok(())
    }

    fn refuse(
        &mut self,
        at: usize,
        opened: OpenedBy,
        code: PrivateRefusalCode,
        retry: Duration,
        out: &mut Outputs,
    ) {
        let Some(lane) = self.lanes.get_mut(at) else {
            return;
        };
        lane.refusing = true;
        let refused = PrivateRefused {
            lane: opened.handle,
            expected: lane.expected(),
            code,
            retry_in_ms: millis(retry),
        };
        out.send(opened.session, ServerFrame::PrivateRefused(refused));
    }

    /// Whether there is room for a message, and its sender may send it.
    fn admit(
        &mut self,
        now: Duration,
        at: usize,
        opened: OpenedBy,
        body: &Body,
    ) -> Result<(), Refusal> {
        let config = &self.config;
        let lane = self.lanes.get(at);
        let mailbox = lane.and_then(|lane| self.mailboxes.get(lane.mailbox));
        let share = lane.and_then(|lane| self.shares.get(lane.share));
        let outgoing = self.outgoing.get_mut(opened.outgoing);
        let (Some(mailbox), Some(share), Some(outgoing)) = (mailbox, share, outgoing) else {
            return Err((PrivateRefusalCode::Storage, STORAGE_RETRY));
        };
        let bytes = body.envelope.len() as u64;
        let one = Waiting { messages: 1, bytes };
        let state = mailbox.state.unwrap_or_default();
        let full = || {
            let retry = match mailbox.reader {
                Some(_) => BEHIND_RETRY,
                None => FULL_RETRY,
            };
            Err((PrivateRefusalCode::MailboxFull, retry))
        };
        if body.envelope.is_empty() {
            // Void: taken where messages are refused, so that a lane can go on; but not for ever.
            let with_voids = Waiting {
                messages: config.of_sender.messages.saturating_mul(WITH_VOIDS),
                bytes: u64::MAX,
            };
            if !fits(share.waiting, one, with_voids) {
                return full();
            }
        } else {
            if share.blocked {
                return Err((PrivateRefusalCode::Blocked, Duration::ZERO));
            }
            if self.muted.contains(&share.sender) {
                return Err((PrivateRefusalCode::Muted, Duration::ZERO));
            }
            let is_released = lane.is_some_and(|lane| lane.is_released);
            if is_released || self.banned.contains(&mailbox.key) {
                return Err((PrivateRefusalCode::RecipientGone, Duration::ZERO));
            }
            let stranger_fits = share.known || fits(state.strangers, one, config.strangers);
            if !(fits(state.all, one, config.mailbox)
                && fits(share.waiting, one, config.of_sender)
                && stranger_fits)
            {
                return full();
            }
        }
        if !fits(outgoing.unstored, one, UNSTORED) {
            return Err((PrivateRefusalCode::Rate, UNSTORED_RETRY));
        }
        let tokens = bytes.div_ceil(BYTES_PER_TOKEN).max(1);
        let tokens = u32::try_from(tokens).unwrap_or(u32::MAX);
        let taken = outgoing.bucket.take_many(now, &config.rate, tokens);
        // Told in milliseconds, and not too early.
        taken.map_err(|wait| {
            let rounded_up = wait.saturating_add(Duration::from_millis(1));
            (PrivateRefusalCode::Rate, rounded_up)
        })
    }

    fn accept(
        &mut self,
        now: Duration,
        at: usize,
        opened: OpenedBy,
        body: Body,
        out: &mut Outputs,
    ) {
        let bytes = body.envelope.len() as u64;
        let one = Waiting { messages: 1, bytes };
        let Some(lane) = self.lanes.get_mut(at) else {
            return;
        };
        let first = lane.accepted == 0;
        lane.accept(body);
        let (mailbox, share, sender) = (lane.mailbox, lane.share, lane.from.key);
        if let Some(outgoing) = self.outgoing.get_mut(opened.outgoing) {
            outgoing.unstored.add(one);
        }
        let known = self.shares.get_mut(share).is_some_and(|share| {
            share.waiting.add(one);
            share.known
        });
        let mut recipient = None;
        if let Some(mailbox) = self.mailboxes.get_mut(mailbox) {
            recipient = Some(mailbox.key);
            if let Some(state) = &mut mailbox.state {
                state.all.add(one);
                if !known {
                    state.strangers.add(one);
                }
            }
        }
        if let (true, Some(recipient)) = (first, recipient) {
            self.introduce(&sender, &recipient);
        }
        if self.pass_on(at, out) && !self.config.acknowledge_time.is_zero() {
            self.let_ripen(now, at);
        } else {
            if let Some(lane) = self.lanes.get_mut(at) {
                lane.ripen_all();
            }
            self.mark_dirty(at);
        }
    }

    /// Someone wrote to another for the first time: the other is no stranger to them any more.
    fn introduce(&mut self, writer: &RemoteKey, other: &RemoteKey) {
        let Some(at) = self.share_of(writer, other) else {
            return;
        };
        let Some(share) = self.shares.get_mut(at) else {
            return;
        };
        let mailbox = self.by_key.get(writer).copied();
        let mailbox = mailbox.and_then(|at| self.mailboxes.get_mut(at));
        if !std::mem::replace(&mut share.known, true)
            && let Some(state) = mailbox.and_then(|mailbox| mailbox.state.as_mut())
        {
            state.strangers.remove(share.waiting);
        }
    }

    /// A sender has written outcomes down.
    pub(crate) fn handle_noted(
        &mut self,
        place: Place,
        noted: OutcomesNoted,
    ) -> Result<(), Misuse> {
        let outgoing = place.outgoing.and_then(|at| self.outgoing.get(at));
        let at = outgoing
            .and_then(|it| it.lane(noted.lane))
            .ok_or(NOT_OPEN)?;
        let lane = self.lanes.get_mut(at).ok_or(NOT_OPEN)?;
        lane.note(noted.up_to);
        self.mark_dirty(at);
        Ok(())
    }
}

fn fits(waiting: Waiting, one: Waiting, most: Waiting) -> bool {
    waiting.messages.saturating_add(one.messages) <= most.messages
        && waiting.bytes.saturating_add(one.bytes) <= most.bytes
}
