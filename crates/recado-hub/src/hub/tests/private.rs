//! Private messages: Alice writes to Bob.

use recado_proto::frame::{
    Acknowledge, Failure, FailureCode, IncomingLane, IncomingPrivate, LaneOpened, LaneProgress,
    LaneRefusalCode, LaneRefused, OpenLane, OutcomesNoted, PrivateMessage, PrivateRefusalCode,
    PrivateRefused,
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

impl Story {
    /// What refusals a session was told: the number expected, why, and when to try again.
    fn refusals(&mut self, session: SessionNumber) -> Vec<(u64, PrivateRefusalCode, u64)> {
        let sent = self.sent(session);
        let refusals = sent.iter().filter_map(|frame| match frame {
            ServerFrame::PrivateRefused(PrivateRefused {
                expected,
                code,
                retry_in_ms,
                ..
            }) => Some((*expected, *code, *retry_in_ms)),
            _ => None,
        });
        refusals.collect()
    }

    /// The backend, which is slow, answers what it was asked so far.
    pub(super) fn backend_answers(&mut self) {
        let asked = self.waiting.replace(vec![]).unwrap_or_default();
        let fails = self.fails;
        let answers = asked.into_iter().map(|request| match fails {
            true => request.unavailable(),
            false => self.backend.answer(self.now, request),
        });
        let answers = answers.collect();
        self.handle(Event::Backend(answers));
    }

    /// Alice and Bob are here, and Alice has a lane to Bob.
    fn alice_and_bob() -> (Self, SessionNumber, SessionNumber) {
        let mut story = Story::begin(Registration::Lan);
        let (alice, bob) = (story.join("Alice", 1), story.join("Bob", 2));
        story.open(alice, "Bob", 1);
        story.sent(bob);
        (story, alice, bob)
    }

    /// The same, but Bob has left.
    fn bob_is_away() -> (Self, SessionNumber) {
        let (mut story, alice, bob) = Self::alice_and_bob();
        story.handle(Event::Disconnected { session: bob });
        (story, alice)
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

fn message(number: u64, length: usize) -> ClientFrame {
    let ClientFrame::Private(mut message) = private(number) else {
        unreachable!();
    };
    message.envelope = vec![1; length];
    ClientFrame::Private(message)
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

#[test]
fn only_the_next_number_is_taken_and_a_refusal_is_said_once() {
    let (mut story, alice, bob) = Story::alice_and_bob();
    story.frame(alice, private(1));
    story.sent(alice);
    for number in [3, 4, 5] {
        story.frame(alice, private(number));
    }
    let refused = [(2, PrivateRefusalCode::Number, 0)];
    assert_eq!(story.refusals(alice), refused);
    for number in [2, 3, 5] {
        story.frame(alice, private(number));
    }
    let refused = [(4, PrivateRefusalCode::Number, 0)];
    assert_eq!(story.refusals(alice), refused);
    assert_eq!(numbers(&story.sent(bob)), [1, 2, 3]);
    // One that was taken is answered by how far the lane is.
    story.frame(alice, private(1));
    assert_eq!(story.progress(alice), [(3, 0)]);
}

#[test]
fn lanes_are_opened_once_and_before_they_are_used() {
    let mut story = Story::begin(Registration::Lan);
    let (alice, bob) = (story.join("Alice", 1), story.join("Bob", 2));
    story.frame(alice, private(1));
    assert_eq!(story.closed, [alice]);
    story.open(bob, "Alice", 1);
    story.frame(bob, open(LANE, "Bob", 1));
    assert_eq!(story.closed, [alice, bob]);
    let alice = story.join("Alice", 1);
    story.open(alice, "Bob", 1);
    // The same lane under another number.
    story.frame(alice, open(LANE + 1, "bob", 1));
    assert_eq!(story.closed.last(), Some(&alice));
    let bob = story.join("Bob", 2);
    story.frame(bob, acknowledge(0, 1));
    assert_eq!(story.closed.last(), Some(&bob), "a lane not announced");
}

#[test]
fn a_lane_to_nobody_or_to_another_key_is_refused() {
    let mut story = Story::begin(Registration::Lan);
    let (alice, _) = (story.join("Alice", 1), story.join("Bob", 2));
    story.sent(alice);
    story.frame(alice, open(1, "Carol", 1));
    story.frame(alice, open(2, "no name at all", 1));
    let ClientFrame::OpenLane(mut wrong) = open(3, "Bob", 1) else {
        unreachable!();
    };
    wrong.key = Some(RemoteKey::from_bytes([9; 32]));
    story.frame(alice, ClientFrame::OpenLane(wrong));
    story.fails = true;
    story.frame(alice, open(4, "Bob", 1));
    let refused = |lane, code, holder, retry_in_ms| {
        ServerFrame::LaneRefused(LaneRefused {
            lane,
            code,
            holder,
            retry_in_ms,
        })
    };
    let bob = Person {
        name: "Bob".into(),
        key: RemoteKey::from_bytes([2; 32]),
    };
    let expected = [
        refused(1, LaneRefusalCode::NoSuchName, None, 0),
        refused(2, LaneRefusalCode::NoSuchName, None, 0),
        refused(3, LaneRefusalCode::OtherKey, Some(bob), 0),
        refused(4, LaneRefusalCode::Unavailable, None, 1_000),
    ];
    assert_eq!(story.sent(alice), expected);
}

#[test]
fn delivery_does_not_wait_for_the_disk_and_what_is_acknowledged_before_is_not_written() {
    let (mut story, alice, bob) = Story::alice_and_bob();
    story.waiting = Some(vec![]);
    story.frame(alice, private(1));
    for number in 2..=4 {
        story.frame(alice, private(number));
    }
    assert_eq!(numbers(&story.sent(bob)), [1, 2, 3, 4]);
    assert_eq!(story.progress(alice), [], "nothing is stored yet");
    story.frame(bob, acknowledge(0, 3));
    // One commit is under way, with the first message; the rest gathers.
    story.backend_answers();
    assert_eq!(story.progress(alice), [(1, 0)]);
    let gathered = story.waiting.clone().unwrap();
    let [BackendRequest::Commit(changes)] = gathered.as_slice() else {
        panic!("{gathered:?}");
    };
    let bodies: Vec<_> = changes[0].bodies.iter().map(|body| body.number).collect();
    assert_eq!(
        (bodies, changes[0].settled, changes[0].from),
        (vec![4], 3, 1)
    );
    story.backend_answers();
    assert_eq!(story.progress(alice), [(4, 3)]);
}

/// Alice's way to Bob, who has a moment to acknowledge before anything is written.
fn bob_has_a_moment() -> (Story, SessionNumber, SessionNumber) {
    let (mut story, alice, bob) = Story::alice_and_bob();
    let lanes = &mut story.hub.lanes;
    lanes.set_acknowledge_time(PrivateConfig::default().acknowledge_time);
    // What is too old has been looked for.
    story.wait(Duration::ZERO);
    story.waiting = Some(vec![]);
    (story, alice, bob)
}

/// What the backend is asked to write of the one lane: how far it has come and is settled, and bodies.
fn written(story: &Story) -> Option<(u64, u64, Vec<u64>)> {
    match story.waiting.as_deref() {
        Some([BackendRequest::Commit(changes)]) => {
            let [change] = changes.as_slice() else {
                panic!("{changes:?}");
            };
            let bodies = change.bodies.iter().map(|body| body.number);
            Some((change.accepted, change.settled, bodies.collect()))
        }
        Some([]) => None,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_acknowledged_in_its_moment_takes_one_commit_and_no_body() {
    let (mut story, alice, bob) = bob_has_a_moment();
    story.frame(alice, private(1));
    story.frame(alice, private(2));
    assert_eq!(numbers(&story.sent(bob)), [1, 2]);
    assert_eq!(written(&story), None);
    story.frame(bob, acknowledge(0, 2));
    assert_eq!(written(&story), Some((2, 2, vec![])));
    story.backend_answers();
    assert_eq!(story.progress(alice), [(2, 2)]);
    // Nothing is left to be looked at.
    story.wait(Duration::from_millis(20));
    assert_eq!(written(&story), None);
}

#[test]
fn what_is_not_acknowledged_in_its_moment_is_written() {
    let (mut story, alice, bob) = bob_has_a_moment();
    let half = Duration::from_millis(10);
    story.frame(alice, private(1));
    story.wait(half);
    assert_eq!(written(&story), None);
    story.frame(alice, private(2));
    story.wait(half);
    assert_eq!(written(&story), Some((1, 0, vec![1])), "the first alone");
    story.frame(alice, private(3));
    story.backend_answers();
    assert_eq!(story.progress(alice), [(1, 0)]);
    // What was acknowledged goes without its body, and takes nothing younger along.
    story.frame(bob, acknowledge(0, 2));
    assert_eq!(written(&story), Some((2, 2, vec![])));
    story.backend_answers();
    assert_eq!(story.progress(alice), [(2, 2)]);
    story.wait(half);
    story.wait(half);
    assert_eq!(written(&story), Some((3, 2, vec![3])));
    story.backend_answers();
    assert_eq!(story.progress(alice), [(3, 2)]);
}

#[test]
fn what_one_who_leaves_has_not_acknowledged_is_written_at_once() {
    let (mut story, alice, bob) = bob_has_a_moment();
    story.frame(alice, private(1));
    story.handle(Event::Disconnected { session: bob });
    assert_eq!(written(&story), Some((1, 0, vec![1])));
    story.backend_answers();
    assert_eq!(story.progress(alice), [(1, 0)]);
}

#[test]
fn what_a_full_disk_did_not_take_is_refused_with_all_that_came_after() {
    let (mut story, alice, bob) = bob_has_a_moment();
    for number in 1..=3 {
        story.frame(alice, private(number));
    }
    story.frame(bob, acknowledge(0, 1));
    story.frame(alice, private(4));
    story.fails = true;
    story.backend_answers();
    assert_eq!(
        story.refusals(alice),
        [(1, PrivateRefusalCode::Storage, 1_000)]
    );
    story.fails = false;
    story.wait(Duration::from_secs(1));
    for number in 1..=4 {
        story.frame(alice, private(number));
    }
    story.frame(bob, acknowledge(0, 4));
    story.backend_answers();
    assert_eq!(story.progress(alice), [(4, 4)]);
}

#[test]
fn a_full_disk_refuses_and_takes_again_when_there_is_room() {
    let (mut story, alice, bob) = Story::alice_and_bob();
    story.frame(alice, private(1));
    story.sent(alice);
    story.fails = true;
    story.frame(alice, private(2));
    let refused = [(2, PrivateRefusalCode::Storage, 1_000)];
    assert_eq!(story.refusals(alice), refused);
    story.frame(alice, private(3));
    assert_eq!(story.sent(alice), [], "what was under way is not answered");
    story.fails = false;
    story.wait(Duration::from_secs(1));
    story.frame(alice, private(2));
    story.frame(alice, private(3));
    assert_eq!(story.progress(alice), [(2, 0), (3, 0)]);
    // Bob got the second twice, and knows it.
    assert_eq!(numbers(&story.sent(bob)), [1, 2, 2, 3]);
    story.frame(bob, acknowledge(0, 3));
    assert_eq!(story.progress(alice), [(3, 3)]);
}

#[test]
fn an_acknowledgement_waits_out_a_full_disk() {
    let (mut story, alice, bob) = Story::alice_and_bob();
    story.frame(alice, private(1));
    story.sent(alice);
    story.fails = true;
    story.frame(bob, acknowledge(0, 1));
    assert_eq!(story.sent(alice), []);
    story.fails = false;
    story.wait(Duration::from_secs(1));
    assert_eq!(story.progress(alice), [(1, 1)]);
}

#[test]
fn what_a_recipient_cannot_read_has_failed_until_its_sender_notes_it() {
    let (mut story, alice, bob) = Story::alice_and_bob();
    (1..=3).for_each(|number| story.frame(alice, private(number)));
    story.sent(alice);
    story.frame(
        bob,
        ClientFrame::Acknowledge(Acknowledge {
            lane: 0,
            up_to: 3,
            unreadable: vec![2, 9],
        }),
    );
    let failures = vec![Failure {
        number: 2,
        code: FailureCode::Unreadable,
    }];
    let told = LaneProgress {
        lane: LANE,
        stored: 3,
        settled: 3,
        failures: failures.clone(),
    };
    assert_eq!(story.sent(alice), [ServerFrame::LaneProgress(told)]);
    let alice = story.join("Alice", 1);
    assert_eq!(story.open(alice, "Bob", 4).failures, failures);
    let (lane, up_to) = (LANE, 3);
    let noted = OutcomesNoted { lane, up_to };
    story.frame(alice, ClientFrame::OutcomesNoted(noted));
    let alice = story.join("Alice", 1);
    assert_eq!(story.open(alice, "Bob", 4).failures, []);
}

#[test]
fn failures_that_do_not_fit_a_frame_are_not_settled_before_they_are_told() {
    let (mut story, alice, bob) = Story::alice_and_bob();
    for number in 1..=1_500 {
        story.frame(alice, private(number));
        if number % 500 == 0 {
            let unreadable = (number - 499..=number).collect();
            story.frame(
                bob,
                ClientFrame::Acknowledge(Acknowledge {
                    lane: 0,
                    up_to: number,
                    unreadable,
                }),
            );
        }
    }
    let alice = story.join("Alice", 1);
    story.sent(alice);
    story.frame(alice, open(LANE, "Bob", 1));
    let sent = story.sent(alice);
    let [
        ServerFrame::LaneOpened(opened),
        ServerFrame::LaneProgress(rest),
    ] = sent.as_slice()
    else {
        panic!("{sent:?}");
    };
    assert_eq!((opened.failures.len(), opened.settled), (1_024, 1_024));
    assert_eq!((rest.failures.len(), rest.settled), (476, 1_500));
}

#[test]
fn a_server_that_was_restored_learns_from_the_sender_how_far_it_was() {
    let (mut story, alice) = Story::bob_is_away();
    (1..=3).for_each(|number| story.frame(alice, private(number)));
    let opened = story.join("Alice", 1);
    let opened = story.open(opened, "Bob", 6);
    assert_eq!((opened.accepted, opened.accepted_id), (5, None));
    // Durable, and without what waited.
    let alice = story.join("Alice", 1);
    let opened = story.open(alice, "Bob", 1);
    assert_eq!((opened.accepted, opened.settled), (5, 5));
    story.frame(alice, private(6));
    let bob = story.join("Bob", 2);
    let sent = story.sent(bob);
    assert_eq!(numbers(&sent), [6]);
    assert!(sent.iter().any(|frame| matches!(
        frame,
        ServerFrame::IncomingLane(IncomingLane { settled: 5, .. })
    )));
}

#[test]
fn a_slow_recipient_gets_as_much_as_it_acknowledges() {
    let (mut story, alice, bob) = Story::alice_and_bob();
    story.open(bob, "Alice", 1);
    story.frame(bob, private(1));
    story.sent(bob);
    for number in 1..=1_200 {
        story.frame(alice, private(number));
    }
    let expected: Vec<_> = (1..=1_024).collect();
    assert_eq!(numbers(&story.sent(bob)), expected);
    story.frame(bob, acknowledge(0, 100));
    assert_eq!(
        story.sent(bob),
        [],
        "so little room is not worth a question"
    );
    story.frame(bob, acknowledge(0, 600));
    let expected: Vec<_> = (1_025..=1_200).collect();
    assert_eq!(numbers(&story.sent(bob)), expected);
    story.frame(alice, private(1_201));
    assert_eq!(numbers(&story.sent(bob)), [1_201], "live again");
}

#[test]
fn what_comes_while_the_mailbox_is_read_follows_it() {
    let (mut story, alice) = Story::bob_is_away();
    story.frame(alice, private(1));
    story.sent(alice);
    story.waiting = Some(vec![]);
    let bob = story.join("Bob", 2);
    // He is welcomed; his mailbox is asked for.
    story.backend_answers();
    story.frame(alice, private(2));
    story.frame(alice, private(3));
    assert_eq!(numbers(&story.sent(bob)), []);
    story.backend_answers();
    assert_eq!(numbers(&story.sent(bob)), [1, 2, 3]);
    story.frame(alice, private(4));
    assert_eq!(numbers(&story.sent(bob)), [4]);
    story.backend_answers();
    story.backend_answers();
    assert_eq!(story.progress(alice), [(3, 0), (4, 0)]);
}

#[test]
fn mailboxes_are_bounded_for_everyone_for_each_sender_and_for_strangers() {
    let (mut story, alice) = Story::bob_is_away();
    let full = |expected| vec![(expected, PrivateRefusalCode::MailboxFull, 10_000)];
    for number in 1..=501 {
        story.frame(alice, private(number));
    }
    assert_eq!(story.refusals(alice), full(501), "of strangers");
    // Bob writes back: Alice is no stranger any more.
    let bob = story.join("Bob", 2);
    story.open(bob, "Alice", 1);
    story.frame(bob, private(1));
    story.handle(Event::Disconnected { session: bob });
    for number in 501..=2_001 {
        story.frame(alice, private(number));
    }
    assert_eq!(story.refusals(alice), full(2_001), "of one sender");
    // A void is taken all the same, and once Bob has taken something there is room.
    story.frame(alice, message(2_001, 0));
    assert_eq!(story.refusals(alice), []);
    let bob = story.join("Bob", 2);
    story.frame(bob, acknowledge(0, 100));
    story.frame(alice, private(2_002));
    assert_eq!(story.refusals(alice), []);
}

#[test]
fn a_mailbox_is_bounded_in_bytes() {
    let (mut story, alice) = Story::bob_is_away();
    let mut number = 0;
    let refused = loop {
        number += 1;
        story.frame(alice, message(number, 65_536));
        story.wait(Duration::from_millis(20));
        let refused = story.refusals(alice);
        if !refused.is_empty() {
            break refused;
        }
    };
    // 4 MiB of strangers.
    let expected = [(65, PrivateRefusalCode::MailboxFull, 10_000)];
    assert_eq!(refused, expected);
}

#[test]
fn who_sends_too_fast_or_too_much_at_once_is_told_when_to_go_on() {
    let (mut story, alice, bob) = Story::alice_and_bob();
    story.waiting = Some(vec![]);
    for number in 1..=17 {
        story.frame(alice, message(number, 65_536));
    }
    let expected = [(17, PrivateRefusalCode::Rate, 20)];
    assert_eq!(story.refusals(alice), expected, "1 MiB is not stored");
    story.backend_answers();
    story.backend_answers();
    story.waiting = None;
    let mut next = 17;
    let mut acknowledged = 0;
    // 20,000 tokens at once; each message costs 64.
    let refused = loop {
        story.frame(alice, message(next, 65_536));
        let refused = story.refusals(alice);
        if !refused.is_empty() {
            break refused;
        }
        next += 1;
        acknowledged += 1;
        story.frame(bob, acknowledge(0, acknowledged));
    };
    // 20,000 are 312 messages of 64 tokens, and 32 over: the next comes when 32 more have, in 6.4 ms.
    let expected = [(313, PrivateRefusalCode::Rate, 7)];
    assert_eq!(refused, expected);
}

#[test]
fn a_blocked_sender_is_refused_and_sends_voids() {
    let (mut story, alice, bob) = Story::alice_and_bob();
    story.frame(alice, private(1));
    story.sent(alice);
    let block = |name: &str, blocked| Block {
        name: name.into(),
        blocked,
    };
    story.sent(bob);
    story.frame(bob, ClientFrame::Block(block("alice", true)));
    story.frame(bob, ClientFrame::Block(block("Nobody", true)));
    let answer = |name: &str, blocked, done| {
        let name = name.into();
        ServerFrame::Blocked(Blocked {
            name,
            blocked,
            done,
        })
    };
    let expected = [answer("alice", true, true), answer("Nobody", true, false)];
    assert_eq!(story.sent(bob), expected);
    story.frame(alice, private(2));
    let refused = [(2, PrivateRefusalCode::Blocked, 0)];
    assert_eq!(story.refusals(alice), refused);
    story.frame(alice, message(2, 0));
    assert_eq!(story.progress(alice), [(2, 0)]);
    // It is durable, and is taken back.
    let alice = story.join("Alice", 1);
    story.open(alice, "Bob", 1);
    story.frame(alice, private(3));
    assert_eq!(story.refusals(alice).len(), 1);
    story.sent(bob);
    story.frame(bob, ClientFrame::Block(block("Alice", false)));
    story.frame(alice, private(3));
    assert_eq!(story.progress(alice), [(3, 0)]);
}

#[test]
fn what_waits_for_too_long_is_dropped_and_its_sender_learns_it() {
    let (mut story, alice) = Story::bob_is_away();
    story.frame(alice, private(1));
    story.wait(Duration::from_secs(20 * 24 * 3_600));
    let alice = {
        assert!(story.closed.contains(&alice), "silent for days");
        let alice = story.join("Alice", 1);
        story.open(alice, "Bob", 1);
        alice
    };
    story.frame(alice, private(2));
    story.sent(alice);
    story.now += Duration::from_secs(10 * 24 * 3_600);
    story.frame(alice, ClientFrame::Pong);
    story.wait(Duration::ZERO);
    let expired = Failure {
        number: 1,
        code: FailureCode::Expired,
    };
    let sent = story.sent(alice);
    assert!(
        sent.iter().any(|frame| matches!(
            frame,
            ServerFrame::LaneProgress(progress) if progress.failures == [expired] && progress.settled == 0
        )),
        "{sent:?}"
    );
    let bob = story.join("Bob", 2);
    let sent = story.sent(bob);
    let dropped: Vec<_> = sent
        .iter()
        .filter_map(|frame| match frame {
            ServerFrame::Private(message) => Some((message.number, message.dropped)),
            _ => None,
        })
        .collect();
    assert_eq!(dropped, [(1, Some(FailureCode::Expired)), (2, None)]);
}

#[test]
fn who_says_nothing_is_asked_and_then_let_go() {
    let mut story = Story::begin(Registration::Lan);
    let (alice, bob) = (story.join("Alice", 1), story.join("Bob", 2));
    let (_, _) = (story.sent(alice), story.sent(bob));
    (0..20).for_each(|_| story.wait(Duration::from_secs(1)));
    assert!(story.sent(alice).contains(&ServerFrame::Ping));
    story.frame(alice, ClientFrame::Pong);
    (0..10).for_each(|_| story.wait(Duration::from_secs(1)));
    assert_eq!(story.closed, [bob]);
    assert!(story.sent(bob).iter().any(|frame| matches!(
        frame,
        ServerFrame::Closing(Closing {
            code: ClosingCode::Silent,
            ..
        })
    )));
}
