//! Private messages: Alice writes to Bob.

use recado_proto::frame::{
    Acknowledge, IncomingLane, IncomingPrivate, LaneOpened, LaneProgress, OpenLane, PrivateMessage,
};
use recado_proto::id::StoreId;

use super::*;

const LANE: u32 = 7;

impl Story {
    /// Opens a lane to someone, and returns the answer.
    fn open(&mut self, session: SessionNumber, to: &str, lowest: u64) -> LaneOpened {
        self.sent(session);
        self.frame(session, open(LANE, to, lowest));
        match self.sent(session).remove(0) {
            ServerFrame::LaneOpened(opened) => opened,
            other => panic!("{other:?}"),
        }
    }

    fn progress(&mut self, session: SessionNumber) -> Vec<(u64, u64)> {
        let sent = self.sent(session);
        let progress = sent.iter().filter_map(|frame| match frame {
            ServerFrame::LaneProgress(LaneProgress {
                stored, settled, ..
            }) => Some((*stored, *settled)),
            _ => None,
        });
        progress.collect()
    }
}

fn open(lane: u32, to: &str, lowest: u64) -> ClientFrame {
    ClientFrame::OpenLane(OpenLane {
        lane,
        store: StoreId::from_bytes([1; 16]),
        to: to.into(),
        key: None,
        lowest,
    })
}

fn private(number: u64) -> ClientFrame {
    ClientFrame::Private(PrivateMessage {
        lane: LANE,
        number,
        id: MessageId::from_bytes([number as u8; 16]),
        sent_at_ms: 1,
        envelope: vec![1; 10],
    })
}

fn acknowledge(lane: u32, up_to: u64) -> ClientFrame {
    ClientFrame::Acknowledge(Acknowledge {
        lane,
        up_to,
        unreadable: vec![],
    })
}

fn numbers(frames: &[ServerFrame]) -> Vec<u64> {
    let incoming = |frame: &ServerFrame| match frame {
        ServerFrame::Private(IncomingPrivate { number, .. }) => Some(*number),
        _ => None,
    };
    frames.iter().filter_map(incoming).collect()
}

#[test]
fn a_message_is_stored_and_passed_on_and_then_settled() {
    let mut story = Story::begin(Registration::Lan);
    let (alice, bob) = (story.join("Alice", 1), story.join("Bob", 2));
    story.sent(bob);
    let opened = story.open(alice, "bob", 1);
    assert_eq!((opened.accepted, opened.settled), (0, 0));
    assert_eq!(opened.recipient.name, "Bob");
    story.frame(alice, private(1));
    story.frame(alice, private(2));
    assert_eq!(story.progress(alice), [(1, 0), (2, 0)]);
    let sent = story.sent(bob);
    let [
        ServerFrame::IncomingLane(IncomingLane { lane, from, .. }),
        ..,
    ] = sent.as_slice()
    else {
        panic!("{sent:?}");
    };
    assert_eq!(from.name, "Alice");
    assert_eq!(numbers(&sent), [1, 2]);
    story.frame(bob, acknowledge(*lane, 2));
    assert_eq!(story.progress(alice), [(2, 2)]);
}

#[test]
fn what_waits_comes_when_its_recipient_does() {
    let mut story = Story::begin(Registration::Lan);
    let (alice, bob) = (story.join("Alice", 1), story.join("Bob", 2));
    story.handle(Event::Disconnected { session: bob });
    story.open(alice, "Bob", 1);
    for number in 1..=3 {
        story.frame(alice, private(number));
    }
    assert_eq!(story.progress(alice), [(1, 0), (2, 0), (3, 0)]);
    let bob = story.join("Bob", 2);
    assert_eq!(numbers(&story.sent(bob)), [1, 2, 3]);
    story.frame(alice, private(4));
    assert_eq!(numbers(&story.sent(bob)), [4]);
    story.frame(bob, acknowledge(0, 3));
    // The rest comes again in another session.
    let bob = story.join("Bob", 2);
    assert_eq!(numbers(&story.sent(bob)), [4]);
    story.frame(bob, acknowledge(0, 4));
    assert_eq!(story.progress(alice), [(4, 0), (4, 3), (4, 4)]);
}
