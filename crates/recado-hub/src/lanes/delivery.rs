//! The recipient's half: passing messages on, and what it acknowledges.

use std::time::Duration;

use recado_proto::frame::{Acknowledge, FailureCode, IncomingLane, IncomingPrivate, ServerFrame};

use super::lane::{self, Lane};
use super::limits::STORAGE_RETRY;
use super::mailbox::{Phase, Reader};
use super::{Lanes, Misuse, Place};
use crate::backend::{Body, Fetched, Mail, Unavailable, Waiting};
use crate::event::Outputs;
use crate::session::SessionNumber;

impl Lanes {
    /// A message was taken: it goes to its recipient, if they are here and have everything before it. Returns whether
    /// it did.
    pub(super) fn pass_on(&mut self, at: usize, out: &mut Outputs) -> bool {
        let Some(lane) = self.lanes.get_mut(at) else {
            return false;
        };
        let mailbox = self.mailboxes.get_mut(lane.mailbox);
        let Some(reader) = mailbox.and_then(|mailbox| mailbox.reader.as_mut()) else {
            return false;
        };
        match &mut reader.phase {
            Phase::Full | Phase::Asking => {}
            Phase::Asked { arrived } => *arrived = true,
            Phase::Live => {
                let Some(body) = lane.pending.back() else {
                    return false;
                };
                if reader.has_room(lane::size(body).into()) {
                    let body = body.clone();
                    send(reader, lane, at, body, None, out);
                    return true;
                }
                reader.phase = Phase::Full;
            }
        }
        false
    }

    /// A mailbox was read.
    pub(crate) fn handle_fetched(
        &mut self,
        now: Duration,
        session: SessionNumber,
        place: Option<Place>,
        result: Result<Fetched, Unavailable>,
        out: &mut Outputs,
    ) {
        self.flight.fetched();
        let fetched = match result {
            Ok(fetched) => fetched,
            Err(Unavailable) => {
                self.not_before = now.saturating_add(STORAGE_RETRY);
                Fetched::default()
            }
        };
        let Fetched {
            mailbox: state,
            lanes,
            messages,
            end,
            dropped,
        } = fetched;
        self.handle_dropped(dropped, out);
        let mailbox = place.and_then(|place| self.mailboxes.get_mut(place.mailbox));
        // It left, or another session of the same key has come.
        let Some((place, mailbox)) = place.zip(mailbox) else {
            return;
        };
        let recipient = mailbox.key;
        mailbox.state.get_or_insert(state);
        let numbers: Vec<_> = lanes.iter().map(|lane| lane.lane).collect();
        for lane in lanes {
            self.load(recipient, state, lane);
        }
        self.read(place.mailbox, session, messages, end, out);
        for number in numbers {
            if let Some(at) = self.by_number.get(&number).copied() {
                self.forget_idle(at);
            }
        }
    }

    /// Sends what was read, as far as there is room.
    fn read(
        &mut self,
        mailbox_at: usize,
        session: SessionNumber,
        messages: Vec<Mail>,
        end: bool,
        out: &mut Outputs,
    ) {
        let mailbox = self.mailboxes.get_mut(mailbox_at);
        let reader = mailbox.and_then(|mailbox| mailbox.reader.as_mut());
        let Some(reader) = reader.filter(|reader| reader.session == session) else {
            return;
        };
        for mail in messages {
            let at = self.by_number.get(&mail.lane).copied();
            let lane = at.and_then(|at| self.lanes.get_mut(at));
            // What was sent in this session already is passed over.
            if let Some((at, lane)) = at.zip(lane)
                && mail.body.number > lane.sent_up_to()
            {
                if !reader.has_room(lane::size(&mail.body).into()) {
                    reader.phase = Phase::Full;
                    return;
                }
                send(reader, lane, at, mail.body, mail.dropped, out);
            }
            reader.after = mail.mark;
        }
        if !end {
            reader.phase = Phase::Asking;
            self.asking.push(mailbox_at);
            return;
        }
        let arrived = reader.phase == Phase::Asked { arrived: true };
        reader.phase = Phase::Live;
        // What came since the mailbox was asked for is in no commit yet.
        for at in self.dirty.iter().filter(|_| arrived) {
            let lane = self.lanes.get_mut(*at);
            let Some(lane) = lane.filter(|lane| lane.mailbox == mailbox_at) else {
                continue;
            };
            let sent = lane.sent_up_to();
            let unsent = lane.pending.iter().filter(|body| body.number > sent);
            for body in unsent.cloned().collect::<Vec<_>>() {
                if !reader.has_room(lane::size(&body).into()) {
                    reader.phase = Phase::Full;
                    return;
                }
                send(reader, lane, *at, body, None, out);
            }
        }
    }

    /// A recipient has written messages down.
    pub(crate) fn handle_acknowledge(
        &mut self,
        place: Place,
        acknowledge: &Acknowledge,
    ) -> Result<(), Misuse> {
        let Acknowledge {
            lane: handle,
            up_to,
            unreadable,
        } = acknowledge;
        let mailbox = self.mailboxes.get_mut(place.mailbox);
        let reader = mailbox.and_then(|mailbox| mailbox.reader.as_mut());
        let Some(reader) = reader else {
            return Ok(());
        };
        let handle = usize::try_from(*handle).unwrap_or(usize::MAX);
        let at = reader.lanes.get(handle).copied();
        let at = at.ok_or("an acknowledgement of a lane that was not announced")?;
        let Some(lane) = self.lanes.get_mut(at) else {
            return Ok(());
        };
        let done = lane.acknowledge(*up_to, unreadable);
        if done.messages == 0 {
            return Ok(());
        }
        let share = lane.share;
        reader.unacknowledged.remove(done);
        self.release(place.mailbox, Some(share), done);
        self.ask_if_room(place.mailbox);
        self.mark_dirty(at);
        Ok(())
    }
}

/// Sends a message to its recipient, and first announces its lane.
fn send(
    reader: &mut Reader,
    lane: &mut Lane,
    at: usize,
    body: Body,
    dropped: Option<FailureCode>,
    out: &mut Outputs,
) {
    let handle = match lane.recipient {
        Some(handle) if !lane.is_renamed => handle,
        _ => {
            let handle = u32::try_from(reader.lanes.len()).unwrap_or(u32::MAX);
            reader.lanes.push(at);
            (lane.recipient, lane.is_renamed) = (Some(handle), false);
            let announced = IncomingLane {
                lane: handle,
                from: lane.from.clone(),
                store: lane.store,
                settled: lane.settled,
            };
            out.send(reader.session, ServerFrame::IncomingLane(announced));
            handle
        }
    };
    let size = lane::size(&body);
    lane.sent(size);
    let bytes = size.into();
    reader.unacknowledged.add(Waiting { messages: 1, bytes });
    let incoming = IncomingPrivate {
        lane: handle,
        number: body.number,
        id: body.id,
        sent_at_ms: body.sent_at_ms,
        envelope: body.envelope,
        dropped,
    };
    out.send(reader.session, ServerFrame::Private(incoming));
}
